"""A model is looked into by a thread of its own: what a text cost it, and what each character looks at."""

from __future__ import annotations

import math
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gpt_tui.core.insight import ROWS, Answer, Insight, Question
from gpt_tui.core.lens import TextSurprise, attention, learned, text_surprise
from gpt_tui.core.runs import Run
from gpt_tui.core.sampling import Speaker
from gpt_tui.core.session import Pause, SingleStep, Stop
from gpt_tui.core.speech import Source
from patience import PATIENCE, until
from small_runs import TEXT, finished, planned

FIELDS = {"n_layer": 2, "max_new_tokens": 5}
PASSAGE = "ANNA:\nThe house of BEN is number 7, là-bas.\n\nBEN:\nThe house."


@pytest.fixture(scope="module")
def runs_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Finished runs: of characters, of bytes, of bigrams without attention, and with a window longer than is told."""
    own: dict[str, dict[str, Any]] = {
        "char": {},
        "byte": {"tokenizer": "byte"},
        "bigram": {"attention": False},
        "long": {"block_size": 3 * ROWS, "max_iters": 1, "warmup_iters": 0, "batch_size": 1},
    }
    return finished(tmp_path_factory.mktemp("insight"), {name: {**FIELDS, **fields} for name, fields in own.items()})


@pytest.fixture
def insight() -> Iterator[Insight]:
    insight = Insight()
    yield insight
    insight.close()


def told(insight: Insight, *sources: Source, text: str = PASSAGE, **more: Any) -> Answer:
    insight.ask(Question(sources, text, **more))
    until(lambda: insight.answer.state in ("finished", "failed"))
    return insight.answer


def speaker(path: Path, step: int | None = None) -> Speaker:
    return Speaker.from_run(Run.open(path), step)


@pytest.mark.parametrize("name", ["char", "byte"])
def test_the_surprise_is_the_lens_s_own_of_that_checkpoint(runs_dir: Path, insight: Insight, name: str) -> None:
    path = runs_dir / name
    for step in (0, 40):
        answer = told(insight, Source(path, step))
        model = speaker(path, step)
        expected = text_surprise(model.model, model.tokenizer, model.tokenizer.encode(PASSAGE))
        assert answer.state == "finished", answer.error
        assert answer.read[0].text == PASSAGE
        assert answer.read[0].letters == expected.letters
        assert answer.read[0].bits[1:] == expected.bits[1:]
        assert answer.read[0].ranks == expected.ranks
        assert answer.names == ((name, step),)
        assert (answer.learned, answer.seen) == ((), None)


def test_two_models_tell_what_was_learned_between_them(runs_dir: Path, insight: Insight) -> None:
    now, first = Source(runs_dir / "char", 40), Source(runs_dir / "char", 0)
    answer = told(insight, now, first)
    assert answer.names == (("char", 40), ("char", 0))
    assert answer.learned[1:] == learned(answer.read[1], answer.read[0])[1:]
    assert sum(answer.learned[1:]) > 0
    of_bytes = told(insight, now, Source(runs_dir / "byte", 0))
    assert of_bytes.state == "finished", of_bytes.error
    assert len(of_bytes.learned) == len(PASSAGE)


@pytest.mark.parametrize("at", [0, 7, 15, 16, 30, len(PASSAGE) - 1])
def test_the_attention_is_that_of_the_window_in_which_the_character_is_read(
    runs_dir: Path, insight: Insight, at: int
) -> None:
    seen = told(insight, Source(runs_dir / "char"), at=at).seen
    assert seen is not None
    assert seen.weights is not None
    assert seen.tells_of(at)
    model = speaker(runs_dir / "char")
    tokens = model.tokenizer.encode(PASSAGE)
    assert at - seen.column >= min(at, 8), "at least half a window stands before it"
    row = seen.weights[:, :, at - seen.row, : at - seen.column + 1]
    expected = attention(model.model, tokens[seen.column : at + 1])[:, :, -1]
    np.testing.assert_allclose(row, expected, atol=1e-6)
    np.testing.assert_allclose(seen.weights.sum(-1), 1, rtol=1e-5)


def test_what_an_earlier_window_tells_better_is_not_told_of(runs_dir: Path, insight: Insight) -> None:
    """The windows of 16 overlap by half: the second begins at 8, and is for the characters from 16 on."""
    seen = told(insight, Source(runs_dir / "char"), at=20).seen
    assert seen is not None
    assert seen.column == 8
    assert [at for at in range(40) if seen.tells_of(at)] == list(range(16, 24))


def test_the_bytes_of_a_character_are_one_in_its_attention(runs_dir: Path, insight: Insight) -> None:
    text = "é là é"
    seen = told(insight, Source(runs_dir / "byte"), text=text, at=5).seen
    assert seen is not None
    assert seen.weights is not None
    assert seen.weights.shape == (2, 2, 6, 6)
    model = speaker(runs_dir / "byte")
    by_byte = attention(model.model, model.tokenizer.encode(text))
    first_of = [0, 2, 3, 4, 6, 7, 9]
    for letter in range(6):
        own = by_byte[:, :, first_of[6] - 1, first_of[letter] : first_of[letter + 1]].sum(-1)
        np.testing.assert_allclose(seen.weights[:, :, 5, letter], own, atol=1e-6)
    np.testing.assert_allclose(seen.weights.sum(-1), 1, rtol=1e-5)


def test_of_a_long_window_only_the_rows_around_the_character_are_told(runs_dir: Path, insight: Insight) -> None:
    at = 2 * ROWS + 50
    seen = told(insight, Source(runs_dir / "long"), text=TEXT[:1000], at=at).seen
    assert seen is not None
    assert seen.weights is not None
    assert seen.column == 0
    assert seen.weights.shape[2] == ROWS
    assert all(seen.tells_of(other) for other in (at - ROWS // 4, at, at + ROWS // 4))
    model = speaker(runs_dir / "long")
    expected = attention(model.model, model.tokenizer.encode(TEXT[: at + 1]))[:, :, -1]
    np.testing.assert_allclose(seen.weights[:, :, at - seen.row, : at + 1], expected, atol=1e-6)


def test_a_model_without_attention_says_so_and_reads_all_the_same(runs_dir: Path, insight: Insight) -> None:
    answer = told(insight, Source(runs_dir / "bigram"), at=3)
    assert answer.state == "finished"
    assert answer.read[0].text == PASSAGE
    assert answer.seen is not None
    assert "no attention" in answer.seen.why_not
    assert answer.seen.tells_of(3)


def test_bytes_that_are_no_character_are_read_as_they_are(runs_dir: Path, insight: Insight) -> None:
    tokens = (65, 0xE2, 0x82, 66, 0xFF)
    answer = told(insight, Source(runs_dir / "byte"), text="A\ufffdB\ufffd", tokens=tokens)
    assert answer.read[0].text == "A\ufffdB\ufffd"
    assert answer.read[0].letters[-1].end == len(tokens)


def test_what_cannot_be_read_is_told_in_words(runs_dir: Path, insight: Insight) -> None:
    unknown = told(insight, Source(runs_dir / "char"), text="The €")
    assert unknown.state == "failed"
    assert "the character €" in unknown.error
    assert "position 4" in unknown.error
    assert "no character" in told(insight, Source(runs_dir / "char"), text="").error
    assert told(insight, Source(runs_dir / "nothing")).state == "failed"
    assert "no checkpoint of that step" in told(insight, Source(runs_dir / "char", 7)).error
    assert told(insight, Source(runs_dir / "char")).state == "finished", "and the next question is answered"


def test_only_the_newest_question_is_answered_and_stopping_keeps_what_was_told(
    runs_dir: Path, insight: Insight
) -> None:
    for at in range(20):
        insight.ask(Question((Source(runs_dir / "char"),), PASSAGE, at=at))
    until(lambda: insight.answer.state == "finished")
    assert insight.answer.question is not None
    assert insight.answer.question.at == 19
    before = insight.answer
    insight.stop()
    assert insight.answer is before


def test_what_was_stopped_is_not_answered_after_all(runs_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reading, go_on = threading.Event(), threading.Event()

    def slowly(*arguments: Any) -> TextSurprise:
        reading.set()
        assert go_on.wait(PATIENCE)
        return text_surprise(*arguments)

    monkeypatch.setattr("gpt_tui.core.lens.text_surprise", slowly)
    insight = Insight()
    insight.ask(Question((Source(runs_dir / "char"),), PASSAGE))
    assert reading.wait(PATIENCE)
    insight.stop()
    assert insight.answer.state == "stopped"
    go_on.set()
    insight.close()
    until(lambda: not any(thread.name == "gpt-tui insight" for thread in threading.enumerate()))
    assert insight.answer.state == "stopped"
    assert insight.answer.read == ()


def test_closing_ends_the_thread(runs_dir: Path) -> None:
    insight = Insight()
    told(insight, Source(runs_dir / "char"))
    insight.close()
    until(lambda: not any(thread.name == "gpt-tui insight" for thread in threading.enumerate()))
    insight.ask(Question((Source(runs_dir / "char"),), PASSAGE))
    assert insight.answer.state == "finished"


def test_a_model_at_work_is_held_as_it_was_until_it_is_asked_for_anew(tmp_path: Path, insight: Insight) -> None:
    session = planned(tmp_path, "live", max_iters=100_000, checkpoint_interval="off")
    session.start()
    try:
        until(lambda: session.snapshot.step > 3 and session.snapshot.state == "TRAINING")
        session.submit(Pause())
        until(lambda: session.snapshot.state == "PAUSED")
        path, step = session.snapshot.run_path, session.snapshot.step
        assert path is not None
        live = Source(path, None, session)
        answer = told(insight, live)
        assert answer.names == (("live", step),)
        session.submit(SingleStep())
        until(lambda: session.snapshot.step == step + 1 and session.snapshot.state == "PAUSED")
        again = told(insight, live, at=9)
        assert again.names == (("live", step),)
        assert again.read == answer.read
        anew = told(insight, live, at=9, fresh=1)
        assert anew.names == (("live", step + 1),)
        assert anew.read != answer.read
    finally:
        session.submit(Stop())
        assert session.join(PATIENCE)


def test_a_model_that_is_at_hand_is_not_looked_for(runs_dir: Path, tmp_path: Path) -> None:
    gone = Source(tmp_path / "nowhere")
    insight = Insight({gone: speaker(runs_dir / "char", 20)})
    answer = told(insight, gone, text="BEN")
    insight.close()
    assert (answer.error, answer.names) == ("", (("nowhere", 20),))


def test_a_run_that_is_gone_meanwhile_is_still_told_of(runs_dir: Path, insight: Insight, tmp_path: Path) -> None:
    shutil.copytree(runs_dir / "char", tmp_path / "char")
    source = Source(tmp_path / "char", 40)
    told(insight, source)
    shutil.rmtree(tmp_path / "char")
    answer = told(insight, source, text="BEN")
    assert answer.state == "finished"
    assert answer.read[0].text == "BEN"
    assert math.isfinite(answer.read[0].mean)


def test_nothing_imports_torch_until_something_is_asked() -> None:
    code = "import sys, gpt_tui.core.insight as i; i.Insight(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_model_at_hand_is_looked_into_in_place_of_its_source_until_another_is_wanted(runs_dir: Path) -> None:
    source, at_hand = Source(runs_dir / "char"), speaker(runs_dir / "char", 20)
    insight = Insight({source: at_hand})
    try:
        answer = told(insight, source, at=3)
        assert answer.names == (("char", 20),)
        assert answer.read[0].bits[1:] == told(insight, Source(runs_dir / "char", 20)).read[0].bits[1:]
        assert told(insight, source, fresh=1).names == (("char", 40),)
    finally:
        insight.close()


def test_a_refusal_names_the_run_and_does_not_repeat_the_text(runs_dir: Path, insight: Insight) -> None:
    answer = told(insight, Source(runs_dir / "char"), text="ANNA: €\nBEN")
    assert answer.error.startswith("char: the character € (U+20AC, euro sign) at position 6 is not among the")
    assert "ANNA" not in answer.error
