"""What `datasets show` tells: the vocabulary, a text encoded and decoded, a batch, the ladder."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from gpt_tui.core.data import UnknownCharacter, explain, load_dataset, render_explanation

PLAY = "FIRST LORD:\nWhat news?\n\nSECOND LORD:\nNone, my lord, but that the world's grown honest.\n\n" * 20


@pytest.fixture
def dataset(tmp_path: Path):
    (tmp_path / "play.txt").write_bytes(PLAY.encode())
    return load_dataset(str(tmp_path / "play.txt"))


def test_the_vocabulary_is_told_with_ids_and_counts(dataset):
    rows = explain(dataset).vocabulary
    counts = Counter(PLAY)
    assert [row.id for row in rows] == list(range(dataset.vocab_size))
    assert [row.count for row in rows] == [counts[character] for character in sorted(counts)]
    assert rows[0].text == "\\n"


def test_a_text_is_encoded_and_decoded(dataset):
    explanation = explain(dataset, "my world")
    assert explanation.text == explanation.decoded == "my world"
    assert list(explanation.ids) == dataset.tokenizer.encode("my world").tolist()
    with pytest.raises(UnknownCharacter):
        explain(dataset, "my World 2")


def test_a_batch_is_shown_as_x_beside_y(dataset):
    explanation = explain(dataset, batch_size=2, block_size=5)
    assert len(explanation.x) == len(explanation.y) == 2
    for x, y, x_text in zip(explanation.x, explanation.y, explanation.x_text, strict=True):
        assert x[1:] == y[:-1]
        assert dataset.tokenizer.decode(x) == x_text
        assert x_text in PLAY


def test_the_explanation_as_text_shows_all_of_it(dataset):
    rendered = render_explanation(explain(dataset, "What news?\n"), width=80)
    lines = rendered.splitlines()
    assert max(map(len, lines[4:])) <= 80
    assert f"characters  {len(PLAY):,}" in lines
    assert re.search(rf"^ *0 \\n +{PLAY.count(chr(10))} ", rendered, re.MULTILINE)
    assert "  What news?\\n" in lines
    assert "  " + " ".join(map(str, dataset.tokenizer.encode("What news?\n"))) in lines
    assert f"  bigram   {dataset.ladder['bigram']:.4f}" in lines
    assert {c for c in rendered if not c.isprintable()} == {"\n"}


def test_a_dataset_of_bytes_and_a_very_short_one_are_explained_as_well(tmp_path):
    (tmp_path / "tiny.txt").write_text("héllo, wörld", encoding="utf-8")
    explanation = explain(load_dataset(str(tmp_path / "tiny.txt"), tokenizer="byte"))
    assert explanation.vocabulary[0xC3].count == 2
    assert "\\xc3" in render_explanation(explanation)


def test_an_escape_sequence_in_a_file_never_reaches_the_terminal(tmp_path):
    (tmp_path / "evil.txt").write_text("\x1b[31mred\x1b[0m and [bold]markup[/bold]\n" * 3)
    rendered = render_explanation(explain(load_dataset(str(tmp_path / "evil.txt"))))
    assert "\x1b" not in rendered
    assert "\\x1b[31mred" in rendered


def test_a_large_vocabulary_is_shortened_to_its_commonest(tmp_path):
    (tmp_path / "many.txt").write_text("".join(map(chr, range(0x4E00, 0x4E00 + 1000))) * 2 + "\u4e00" * 5)
    rendered = render_explanation(explain(load_dataset(str(tmp_path / "many.txt"), quick=True)))
    assert "(the 512 commonest of 1,000)" in rendered
    assert "The entropy ladder has not been counted yet." in rendered
