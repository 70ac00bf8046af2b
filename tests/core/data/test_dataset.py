"""Loading a dataset: from names, files, folders and pipes, into a cache that is always whole."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from gpt_tui.core.data import (
    OtherText,
    Stopped,
    clean_cache,
    list_datasets,
    load_dataset,
    recall_dataset,
    sources,
    store,
)
from gpt_tui.core.data import dataset as dataset_module
from gpt_tui.core.data.cache import Cache
from gpt_tui.core.data.watch import Watch
from gpt_tui.core.errors import GptTuiError, Refusal
from gpt_tui.core.files import default_cache_dir

PROSE = "The quick brown fox jumps over the lazy dog; 32 times, it says — naïvely.\r\n" * 40


@pytest.fixture
def book(tmp_path: Path) -> Path:
    path = tmp_path / "book.txt"
    path.write_bytes(PROSE.encode())
    return path


def text_of(dataset) -> str:
    return dataset.tokenizer.decode(dataset.train) + dataset.tokenizer.decode(dataset.val)


def refusal(name: object, **options) -> str:
    with pytest.raises(Refusal) as caught:
        load_dataset(str(name), **options)
    assert caught.value.faults[0].field == "dataset"
    return str(caught.value)


# Files -----------------------------------------------------------------------------------------------------------


def test_a_file_becomes_two_splits_of_its_characters_just_as_they_are(book):
    dataset = load_dataset(str(book))
    assert (dataset.name, dataset.source) == ("book.txt", str(book))
    assert dataset.sha256 == hashlib.sha256(PROSE.encode()).hexdigest()
    assert dataset.characters == len(PROSE)
    assert dataset.train_tokens == int(0.9 * len(PROSE))
    assert text_of(dataset) == PROSE
    assert dataset.tokenizer.characters == "".join(sorted(set(PROSE)))
    assert dataset.train.dtype == np.uint8
    assert dataset.why is None
    assert dataset.notices == ()
    assert list(dataset.ladder) == ["uniform", "unigram", "bigram", "trigram", "4-gram", "5-gram", "6-gram"]


def test_bytes_are_split_at_the_same_character(book):
    dataset = load_dataset(str(book), tokenizer="byte")
    assert dataset.vocab_size == 256
    assert dataset.tokenizer.decode(dataset.train) == PROSE[: int(0.9 * len(PROSE))]
    assert text_of(dataset) == PROSE
    assert dataset.characters == len(PROSE)


def test_a_text_read_in_small_blocks_is_the_same_text(book, monkeypatch):
    monkeypatch.setattr("gpt_tui.core.data.reading.BLOCK_BYTES", 7)
    for kind in ("char", "byte"):
        dataset = load_dataset(str(book), tokenizer=kind)
        assert text_of(dataset) == PROSE
        assert dataset.tokenizer.decode(dataset.train) == PROSE[: int(0.9 * len(PROSE))]


SCRIPTS = "plain ASCII\r\nελληνικά, кириллица\n日本語のテキスト\r🎭 and 😀\n" * 30 + "\u0394 comes late"


@pytest.mark.parametrize("size", [1, 2, 3, 5, 64, 1 << 19])
@pytest.mark.parametrize("kind", ["char", "byte"])
def test_every_script_survives_blocks_that_end_within_a_character(tmp_path, monkeypatch, kind, size):
    monkeypatch.setattr("gpt_tui.core.data.reading.BLOCK_BYTES", size)
    (tmp_path / "scripts.txt").write_bytes(SCRIPTS.encode())
    dataset = load_dataset(str(tmp_path / "scripts.txt"), tokenizer=kind)
    border = int(0.9 * len(SCRIPTS))
    assert dataset.tokenizer.decode(dataset.train) == SCRIPTS[:border]
    assert dataset.tokenizer.decode(dataset.val) == SCRIPTS[border:]
    assert dataset.sha256 == hashlib.sha256(SCRIPTS.encode()).hexdigest()
    assert dataset.tokenizer.vocab_size == (len(set(SCRIPTS)) if kind == "char" else 256)
    assert dataset.train.dtype == np.uint8


@pytest.mark.parametrize("letters", [255, 256, 257])
def test_a_vocabulary_around_a_byte_s_size_is_kept_as_small_as_it_can_be(tmp_path, letters):
    alphabet = "".join(map(chr, range(32, 127))) + "".join(chr(0x400 + i) for i in range(letters - 95))
    (tmp_path / "text.txt").write_text("".join(map(chr, range(32, 127))) * 9000 + alphabet * 20, encoding="utf-8")
    dataset = load_dataset(str(tmp_path / "text.txt"), quick=True)
    assert dataset.vocab_size == letters
    assert dataset.train.dtype == (np.uint8 if letters <= 256 else np.dtype("<u2"))
    assert text_of(dataset) == (tmp_path / "text.txt").read_text(encoding="utf-8")


def test_tiny_shakespeare_has_the_published_sizes(tiny_shakespeare):
    dataset = load_dataset(str(tiny_shakespeare))
    assert dataclasses.asdict(dataset.facts()) == {
        "name": "input.txt",
        "sha256": sources.SHAKESPEARE_SHA256,
        "characters": 1_115_394,
        "vocab_size": 65,
        "train_tokens": 1_003_854,
        "val_tokens": 111_540,
    }
    assert dataset.ladder["5-gram"] == pytest.approx(1.6688, abs=1e-3)


def test_a_byte_order_mark_is_not_part_of_the_text(tmp_path):
    (tmp_path / "marked.txt").write_bytes(b"\xef\xbb\xbf" + PROSE.encode())
    dataset = load_dataset(str(tmp_path / "marked.txt"))
    assert text_of(dataset) == PROSE
    assert dataset.sha256 == hashlib.sha256(PROSE.encode()).hexdigest()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"\xef\xbb\xbf", "is empty"),
        (b"0123456789", "only 10 characters"),
        (b"a text\0with a zero", "NUL byte at byte 6, so it is not a text that can be read: it looks like a binary"),
        ("a text".encode("utf-16-le"), "it looks like UTF-16; convert it: iconv -f UTF-16LE -t UTF-8 book.txt"),
        ("a text".encode("utf-16"), "UTF-16 byte order mark at byte 0"),
        ("a caf\xe9, long".encode("latin-1"), "not UTF-8 at byte 5 (0xe9)"),
        ("a caf\xe9, long".encode("latin-1"), "it may be Latin-1; convert it: iconv -f ISO-8859-1"),
        ("so \u201cquoted\u201d it is".encode("cp1252"), "it may be Windows-1252"),
        ("ends in mid caf\u00e9".encode()[:-1], "not UTF-8 at byte 15"),
        (b"\xef\xbb\xbfa marked caf\xe9 text", "not UTF-8 at byte 15"),
        (gzip.compress(b"a text", mtime=0), "is a gzip file"),
        (b"%PDF-1.7 and so on", "is a PDF document"),
    ],
)  # fmt: skip
def test_what_is_not_a_text_is_refused_with_the_reason(tmp_path, content, words):
    path = tmp_path / "book.txt"
    path.write_bytes(content)
    message = refusal(path)
    assert words in message
    assert str(path) in message
    assert not default_cache_dir().joinpath("tokens").exists()


def test_the_byte_offset_counts_across_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr("gpt_tui.core.data.reading.BLOCK_BYTES", 5)
    path = tmp_path / "book.txt"
    path.write_bytes("naïve — naïve — ".encode() + b"\xff")
    assert f"byte {len('naïve — naïve — '.encode())} (0xff)" in refusal(path)


def test_eleven_characters_are_the_shortest_text(tmp_path):
    (tmp_path / "short.txt").write_text("hello world")
    dataset = load_dataset(str(tmp_path / "short.txt"))
    assert (dataset.train_tokens, dataset.val_tokens) == (9, 2)
    assert set(dataset.ladder) >= {"uniform", "6-gram"}


def test_a_missing_path_names_the_nearest_dataset_or_file(book, tmp_path):
    assert "Did you mean shakespeare?" in refusal("Shakespear")
    assert f"Did you mean {book}?" in refusal(tmp_path / "bok.txt")
    assert f"There is no folder {tmp_path / 'nowhere'}" in refusal(tmp_path / "nowhere" / "x.txt")
    assert "is empty; name a dataset" in refusal("  ")
    assert "cannot be read" in refusal("a\0b")


@pytest.mark.skipif(not Path("/dev/null").exists(), reason="needs a device file")
def test_what_is_neither_file_nor_folder_is_refused():
    assert "neither a file nor a folder" in refusal("/dev/null")


@pytest.mark.skipif(not Path("/proc/version").exists(), reason="needs a file of the system's own")
@pytest.mark.parametrize(
    ("name", "says"),
    [("/proc/version", "is empty"), ("/proc/sys/kernel/random", "holds no text that can be read")],
)
def test_what_files_of_the_system_say_beyond_their_size_is_not_waited_for(name, says):
    assert says in refusal(name)


def test_no_tokens_are_made_of_another_text_than_was_asked_for(book):
    sha256 = load_dataset(str(book)).sha256
    assert load_dataset(str(book), sha256=sha256).sha256 == sha256
    book.write_text(PROSE.upper())
    with pytest.raises(OtherText):
        load_dataset(str(book), sha256=sha256)
    assert [entry.name for entry in (default_cache_dir() / "tokens").iterdir()] == [f"{sha256}-char"]


def test_an_unknown_tokenizer_is_refused_with_the_nearest():
    with pytest.raises(Refusal, match=r"is one of char, byte\. did you mean char"):
        load_dataset("masque", tokenizer="chars")


# Folders ---------------------------------------------------------------------------------------------------------


def test_the_texts_of_a_folder_are_joined_in_order_with_blank_lines(tmp_path):
    folder = tmp_path / "plays"
    (folder / "b").mkdir(parents=True)
    (folder / "b" / "two.md").write_text("second text, without a line end")
    (folder / "a.txt").write_text("first text\n")
    (folder / "c.TXT").write_text("third text\n")
    (folder / "picture.png").write_bytes(b"\x89PNG\0")
    (folder / ".hidden.txt").write_text("hidden")
    (folder / ".git").mkdir()
    (folder / ".git" / "log.txt").write_text("hidden")
    (folder / "broken.txt").write_bytes(b"caf\xe9 noir")
    (folder / "empty.txt").touch()
    dataset = load_dataset(str(folder))
    assert dataset.name == "plays"
    assert text_of(dataset) == "first text\n\nsecond text, without a line end\n\nthird text\n"
    (notice,) = dataset.notices
    assert notice == (
        f"3 files of {folder} read; skipped: 1 file without a text suffix (.txt, .md, .rst, .text), "
        "broken.txt (is not UTF-8 at byte 3 (0xe9)), empty.txt (empty)."
    )


def test_in_a_folder_without_text_suffixes_every_utf8_file_is_a_text(tmp_path):
    (tmp_path / "code.py").write_text("print('hello, world')\n")
    (tmp_path / "Makefile").write_text("all:\n\ttrue\n")
    (tmp_path / "image").write_bytes(b"\0\1\2")
    dataset = load_dataset(str(tmp_path))
    assert text_of(dataset) == "all:\n\ttrue\n\nprint('hello, world')\n"
    assert "image (has a NUL byte at byte 0)" in dataset.notices[0]


def test_a_folder_that_links_to_itself_ends(tmp_path, book):
    try:
        (tmp_path / "again").symlink_to(tmp_path, target_is_directory=True)
    except OSError:
        pytest.skip("no symbolic links here")
    assert text_of(load_dataset(str(tmp_path))) == PROSE


def test_a_folder_without_a_text_is_refused_and_says_what_it_held(tmp_path):
    assert "holds no text that can be read" in refusal(tmp_path)
    (tmp_path / "a.bin").write_bytes(b"\0")
    assert "skipped: a.bin (has a NUL byte at byte 0)" in refusal(tmp_path)


# Standard input --------------------------------------------------------------------------------------------------


def test_standard_input_is_read_to_its_end():
    dataset = load_dataset("-", stdin=io.BytesIO(PROSE.encode()))
    assert (dataset.name, dataset.source) == ("stdin", "standard input")
    assert text_of(dataset) == PROSE


def test_a_text_that_came_through_a_pipe_is_found_again_by_its_checksum():
    first = load_dataset("-", stdin=io.BytesIO(PROSE.encode()))
    again = recall_dataset(first.name, first.source, first.sha256)
    assert text_of(again) == PROSE
    assert again.facts() == first.facts()
    assert again.ladder == first.ladder
    assert recall_dataset("stdin", "standard input", "0" * 64) is None
    assert recall_dataset("stdin", "standard input", "../../etc") is None


def test_waiting_for_a_pipe_can_be_stopped():
    asked = iter(range(100))
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as stream, os.fdopen(writing, "wb"), pytest.raises(Stopped):
        load_dataset("-", stdin=stream, should_stop=lambda: next(asked) > 1)


def test_a_binary_on_standard_input_is_refused():
    assert "dataset = standard input: has a NUL byte at byte 3" in refusal("-", stdin=io.BytesIO(b"abc\0def"))


# Named datasets --------------------------------------------------------------------------------------------------


def test_python_docs_is_its_topics_in_order_under_their_titles():
    dataset = load_dataset("python-docs", quick=True)
    text = text_of(dataset)
    assert text.startswith("== assert ==\n\nThe ")
    assert text.index("== class ==") < text.index("== yield ==")
    assert dataset.source.startswith("pydoc_data.topics of Python 3.")


def test_shakespeare_is_downloaded_once_and_then_needs_no_network(server, monkeypatch, tiny_shakespeare):
    monkeypatch.setenv("GPT_TUI_SHAKESPEARE_URL", server.url)
    server.content = tiny_shakespeare.read_bytes()
    told = []
    dataset = load_dataset("shakespeare", quick=True, progress=lambda *args: told.append(args))
    assert dataset.name == "shakespeare"
    assert dataset.source == server.url
    assert dataset.sha256 == sources.SHAKESPEARE_SHA256
    assert {phase for phase, _, _ in told} == {"downloading", "reading", "tokenizing"}
    for again in ("shakespeare", "auto"):
        assert load_dataset(again, quick=True).facts() == dataset.facts()
    assert load_dataset("shakespeare", quick=True, tokenizer="byte").val_tokens == 111_540
    assert len(server.ranges) == 1


def test_a_damaged_download_in_the_cache_is_fetched_again(server, monkeypatch, tiny_shakespeare):
    monkeypatch.setenv("GPT_TUI_SHAKESPEARE_URL", server.url)
    server.content = tiny_shakespeare.read_bytes()
    texts = Cache().writable("texts")
    (texts / "shakespeare.txt").write_bytes(server.content[:-1] + b"!")
    assert load_dataset("shakespeare", quick=True).sha256 == sources.SHAKESPEARE_SHA256
    assert len(server.ranges) == 1


def test_shakespeare_asked_for_by_name_fails_rather_than_be_replaced(server, monkeypatch):
    monkeypatch.setenv("GPT_TUI_SHAKESPEARE_URL", server.url)
    server.answers = [server.missing]
    with pytest.raises(GptTuiError) as caught:
        load_dataset("shakespeare")
    message = str(caught.value)
    assert f"could not be downloaded from {server.url}: the server answered 404 Not Found." in message
    assert "--dataset masque" in message


def test_auto_takes_shakespeare_where_it_can_be_had(server, monkeypatch, tiny_shakespeare):
    monkeypatch.setenv("GPT_TUI_SHAKESPEARE_URL", server.url)
    server.content = tiny_shakespeare.read_bytes()
    dataset = load_dataset("auto", quick=True)
    assert dataset.name == "shakespeare"
    assert dataset.why == "Tiny Shakespeare is at hand, so this run reads it."


def test_auto_takes_masque_where_shakespeare_cannot_be_had_and_says_why(server, monkeypatch):
    monkeypatch.setenv("GPT_TUI_SHAKESPEARE_URL", server.url)
    server.answers = [server.missing]
    dataset = load_dataset("auto", quick=True)
    assert dataset.name == "masque"
    assert dataset.why == (
        "Tiny Shakespeare is not in the cache and could not be fetched within 4 seconds (the server answered "
        "404 Not Found), so this run reads masque, the program's own play."
    )


def test_auto_waits_for_a_silent_server_only_as_long_as_its_limit(server, monkeypatch):
    monkeypatch.setenv("GPT_TUI_SHAKESPEARE_URL", server.url)
    monkeypatch.setattr(sources, "AUTO_WHOLE_SECONDS", 0.2)
    server.answers = [server.silent]
    dataset = load_dataset("auto", quick=True)
    assert dataset.name == "masque"
    assert "within 0.2 seconds (no whole answer within 0.2 seconds)" in dataset.why


def test_masque_has_its_own_entropy_as_the_last_rung():
    dataset = load_dataset("masque")
    assert list(dataset.ladder)[-1] == "the source itself"
    assert 0 < dataset.ladder["the source itself"] < min(list(dataset.ladder.values())[:-1])
    assert "the source itself" not in load_dataset("python-docs").ladder


# The cache -------------------------------------------------------------------------------------------------------


def entry_of(dataset) -> Path:
    return default_cache_dir() / "tokens" / f"{dataset.sha256}-{dataset.tokenizer.kind}"


def test_a_second_start_reads_tokens_and_ladder_from_the_cache(book, monkeypatch):
    first = load_dataset(str(book))
    monkeypatch.setattr(dataset_module, "build_entry", None)
    monkeypatch.setattr(dataset_module, "entropy_ladder", None)
    second = load_dataset(str(book))
    assert second.facts() == first.facts()
    assert second.ladder == first.ladder
    assert list(second.ladder) == list(first.ladder)


def test_quick_leaves_the_ladder_out_unless_it_is_known(book):
    assert load_dataset(str(book), quick=True).ladder == {}
    ladder = load_dataset(str(book)).ladder
    assert load_dataset(str(book), quick=True).ladder == ladder


@pytest.mark.parametrize(
    "damage",
    [
        lambda entry: (entry / "tokens.bin").write_bytes((entry / "tokens.bin").read_bytes()[:-1]),
        lambda entry: (entry / "tokens.bin").write_bytes((entry / "tokens.bin").read_bytes()[:-1] + b"\xff"),
        lambda entry: (entry / "tokens.bin").unlink(),
        lambda entry: (entry / "meta.json").write_text("{"),
        lambda entry: (entry / "meta.json").write_text("[]"),
        lambda entry: (entry / "meta.json").write_text('{"version": 1}'),
        lambda entry: (entry / "meta.json").write_text(
            (entry / "meta.json").read_text().replace('"tokens": ', '"tokens": 1')
        ),
        lambda entry: (entry / "ladder.json").write_text('{"version": 1, "rungs": {"uniform": NaN}}'),
        shutil.rmtree,
    ],
)
def test_a_damaged_entry_is_made_again(book, damage):
    first = load_dataset(str(book))
    damage(entry_of(first))
    again = load_dataset(str(book))
    assert text_of(again) == PROSE
    assert again.ladder == first.ladder


def test_a_large_entry_that_was_cut_short_is_known_by_its_size(book, monkeypatch):
    monkeypatch.setattr(store, "_CHECKED_BYTES", 0)
    tokens = entry_of(load_dataset(str(book))) / "tokens.bin"
    tokens.write_bytes(tokens.read_bytes()[:-1])
    assert text_of(load_dataset(str(book))) == PROSE


def test_a_large_entry_with_an_id_beyond_the_vocabulary_is_made_again(book, monkeypatch):
    first = load_dataset(str(book))
    monkeypatch.setattr(store, "_CHECKED_BYTES", 0)
    monkeypatch.setattr(store, "_BLOCK_BYTES", 100)
    tokens = entry_of(first) / "tokens.bin"
    whole = tokens.read_bytes()
    for at in (0, 1234, len(whole) - 1):
        tokens.write_bytes(whole[:at] + bytes([first.vocab_size]) + whole[at + 1 :])
        assert recall_dataset("book.txt", str(book), first.sha256) is None
        assert text_of(load_dataset(str(book))) == PROSE


def test_a_large_entry_with_another_token_is_not_learned_from(book, monkeypatch):
    monkeypatch.setattr(store, "_CHECKED_BYTES", 0)
    monkeypatch.setattr(store, "_BLOCK_BYTES", 100)
    first = load_dataset(str(book))
    tokens = entry_of(first) / "tokens.bin"
    whole = tokens.read_bytes()
    for at in (0, 1234, len(whole) - 1):
        tokens.write_bytes(whole[:at] + bytes([(whole[at] + 1) % first.vocab_size]) + whole[at + 1 :])
        assert recall_dataset("book.txt", str(book), first.sha256) is None
        assert text_of(load_dataset(str(book))) == PROSE


def test_a_large_entry_that_an_older_version_kept_without_a_checksum_is_used(book, monkeypatch):
    monkeypatch.setattr(store, "_CHECKED_BYTES", 0)
    first = load_dataset(str(book))
    meta = entry_of(first) / "meta.json"
    meta.write_text(json.dumps(json.loads(meta.read_text()) | {"tokens_sha256": None}))
    recalled = recall_dataset("book.txt", str(book), first.sha256)
    assert recalled is not None
    assert text_of(recalled) == PROSE


def test_looking_through_a_large_entry_is_shown_and_can_be_stopped(book, monkeypatch):
    load_dataset(str(book))
    monkeypatch.setattr(store, "_BLOCK_BYTES", 1000)
    seen = []
    load_dataset(str(book), progress=lambda phase, done, total: seen.append((done, total)))
    assert [done for done, total in seen if total == len(PROSE)] == [*range(1000, len(PROSE), 1000), len(PROSE)]
    with pytest.raises(Stopped):
        load_dataset(str(book), should_stop=lambda: True)


def test_looking_through_what_is_recalled_is_shown_and_can_be_stopped(book, monkeypatch):
    first = load_dataset(str(book))
    monkeypatch.setattr(store, "_BLOCK_BYTES", 1000)
    seen = []
    recalled = ("book.txt", str(book), first.sha256)
    recall_dataset(*recalled, progress=lambda phase, done, total: seen.append(done))
    assert seen == [*range(1000, len(PROSE), 1000), len(PROSE)]
    with pytest.raises(Stopped):
        recall_dataset(*recalled, should_stop=lambda: True)


def test_a_large_entry_is_looked_through_only_where_its_file_is_not_the_one_that_was_made(book, monkeypatch):
    monkeypatch.setattr(store, "_CHECKED_BYTES", 0)
    tokens = entry_of(load_dataset(str(book))) / "tokens.bin"
    looked = []
    look = store._are_whole
    monkeypatch.setattr(store, "_are_whole", lambda *args: looked.append(args) or look(*args))
    for _ in range(2):
        assert text_of(load_dataset(str(book))) == PROSE
    assert not looked
    copy = tokens.with_suffix(".copy")
    shutil.copy(tokens, copy)
    copy.replace(tokens)  # the same tokens in another file
    for _ in range(2):
        assert text_of(load_dataset(str(book))) == PROSE
    assert len(looked) == 1


def test_a_large_entry_of_an_older_version_is_looked_through_once(book, monkeypatch):
    monkeypatch.setattr(store, "_CHECKED_BYTES", 0)
    entry = entry_of(load_dataset(str(book)))
    (entry / "checked.json").unlink()
    seen = []
    monkeypatch.setattr(store, "_BLOCK_BYTES", 1000)
    for _ in range(2):
        load_dataset(str(book), progress=lambda phase, done, total: seen.append(done) if total == len(PROSE) else None)
    assert seen == [*range(1000, len(PROSE), 1000), len(PROSE)]


def test_a_changed_file_is_read_anew(book):
    load_dataset(str(book))
    about = book.stat()
    book.write_bytes(PROSE.replace("fox", "cat").encode())
    os.utime(book, ns=(about.st_atime_ns, about.st_mtime_ns))
    assert text_of(load_dataset(str(book))) == PROSE.replace("fox", "cat")


def test_a_large_file_is_not_read_again_unless_it_changed(book, monkeypatch):
    monkeypatch.setattr(sources, "_REMEMBER_FROM_BYTES", 1)
    monkeypatch.setattr(dataset_module, "_SETTLED_SECONDS", -1.0)
    load_dataset(str(book))
    with monkeypatch.context() as unread:
        unread.setattr(dataset_module, "scan", None)
        assert text_of(load_dataset(str(book))) == PROSE
    about = book.stat()
    book.write_bytes(PROSE.replace("fox", "cat").encode())
    os.utime(book, ns=(about.st_atime_ns, about.st_mtime_ns))
    assert text_of(load_dataset(str(book))) == PROSE.replace("fox", "cat")


def test_a_large_file_changed_a_moment_ago_is_read_again(book, monkeypatch):
    monkeypatch.setattr(sources, "_REMEMBER_FROM_BYTES", 1)
    load_dataset(str(book))
    assert not default_cache_dir().joinpath("seen").exists()


def test_a_remembered_folder_still_says_what_was_skipped(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "_REMEMBER_FROM_BYTES", 1)
    monkeypatch.setattr(dataset_module, "_SETTLED_SECONDS", -1.0)
    (tmp_path / "a.txt").write_text(PROSE)
    (tmp_path / "b.txt").write_bytes(b"\0")
    first = load_dataset(str(tmp_path))
    monkeypatch.setattr(dataset_module, "scan", None)
    assert load_dataset(str(tmp_path)).notices == first.notices != ()


def test_a_file_that_changes_while_it_is_read_is_an_error_and_leaves_nothing(book, monkeypatch):
    scan = store.scan

    def scan_then_change(source, watch):
        found = scan(source, watch)
        book.write_bytes(PROSE.replace("fox", "cat").encode())
        return found

    monkeypatch.setattr(dataset_module, "scan", scan_then_change)
    with pytest.raises(GptTuiError, match="was changed while it was being read"):
        load_dataset(str(book))
    assert list((default_cache_dir() / "tokens").iterdir()) == []


def test_a_stop_while_tokenizing_leaves_nothing_half_done(book, monkeypatch):
    phases = []

    with pytest.raises(Stopped):
        load_dataset(
            str(book),
            progress=lambda phase, done, total: phases.append(phase),
            should_stop=lambda: "reading" in phases,
        )
    assert not default_cache_dir().joinpath("tokens").exists() or not any(
        default_cache_dir().joinpath("tokens").iterdir()
    )
    assert text_of(load_dataset(str(book))) == PROSE


@pytest.mark.parametrize("kind", ["char", "byte"])
def test_a_stop_in_the_midst_of_writing_leaves_no_file_and_no_thread(book, monkeypatch, kind):
    monkeypatch.setattr("gpt_tui.core.data.reading.BLOCK_BYTES", 100)
    monkeypatch.setattr(store, "_FLUSHED_BYTES", 300)
    threads, written = threading.active_count(), []
    with pytest.raises(Stopped):
        load_dataset(
            str(book),
            tokenizer=kind,
            progress=lambda phase, done, total: written.append(done) if phase == "tokenizing" else None,
            should_stop=lambda: len(written) > 5,
        )
    assert 0 < written[-1] < len(PROSE.encode())
    assert list((default_cache_dir() / "tokens").iterdir()) == []
    assert threading.active_count() == threads
    assert text_of(load_dataset(str(book), tokenizer=kind)) == PROSE


def test_many_at_once_build_one_entry(book):
    loaded = []
    threads = [threading.Thread(target=lambda: loaded.append(load_dataset(str(book)))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [text_of(dataset) for dataset in loaded] == [PROSE] * 4
    assert len(list((default_cache_dir() / "tokens").iterdir())) == 1


def test_what_a_killed_process_left_is_cleared_away(book):
    dataset = load_dataset(str(book))
    entry = entry_of(dataset)
    stale = entry.with_name(entry.name + ".abc123.tmp")
    entry.rename(stale)
    load_dataset(str(book))
    assert not stale.exists()


def test_a_cache_that_cannot_be_written_is_replaced_for_this_time_with_a_warning(book, tmp_path):
    blocked = tmp_path / "blocked"
    blocked.write_text("a file where the cache directory should be")
    dataset = load_dataset(str(book), cache_dir=blocked)
    assert text_of(dataset) == PROSE
    assert dataset.ladder
    (notice,) = dataset.notices
    assert f"The cache directory {blocked} cannot be written" in notice
    assert "GPT_TUI_CACHE_DIR" in notice
    assert blocked.read_text() == "a file where the cache directory should be"


def test_a_cache_that_fills_up_is_replaced_for_this_time_with_a_warning(book, monkeypatch):
    write, full = store._write_tokens, [True]

    def write_to_a_full_disk(path, *args):
        if full.pop() if full else False:
            raise OSError(28, "No space left on device")
        return write(path, *args)

    monkeypatch.setattr(store, "_write_tokens", write_to_a_full_disk)
    dataset = load_dataset(str(book))
    assert text_of(dataset) == PROSE
    assert "no space left on device" in dataset.notices[0]


def test_tokens_for_which_there_is_no_room_are_not_begun_and_the_error_says_how_much_is_missing(book, monkeypatch):
    # A disk with too little room cannot be had here, so the answer of the system is a made one.
    monkeypatch.setattr(store.shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10_000, 9_000, 1_000))
    monkeypatch.setattr(store, "_write_tokens", None)
    with pytest.raises(GptTuiError, match=r"\(3.0 kB needed, 1.0 kB free\). Set GPT_TUI_CACHE_DIR to a folder with"):
        load_dataset(str(book))
    assert list((default_cache_dir() / "tokens").iterdir()) == []


def test_without_any_place_to_write_the_error_says_what_to_do(book, monkeypatch):
    def write_to_a_full_disk(path, *args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store, "_write_tokens", write_to_a_full_disk)
    with pytest.raises(GptTuiError, match="Set GPT_TUI_CACHE_DIR to a folder with room"):
        load_dataset(str(book))


def test_tokens_come_from_a_mapped_file(book):
    dataset = load_dataset(str(book))
    base = dataset.train
    while isinstance(base, np.ndarray) and base.base is not None and not isinstance(base, np.memmap):
        base = base.base
    assert isinstance(base, np.memmap)


def test_waiting_for_another_process_can_be_stopped(book):
    found = store.scan(sources.find_source(str(book), Cache(), Watch(), lambda _: False), Watch())
    asked = iter(range(100))
    with Cache().lock(f"tokens-{found.sha256}-char", Watch()), pytest.raises(Stopped):
        load_dataset(str(book), should_stop=lambda: next(asked) > 8)


def test_cleaning_removes_what_the_program_made_and_nothing_else(book):
    load_dataset(str(book))
    load_dataset(str(book), tokenizer="byte")
    cache = default_cache_dir()
    (cache / "tokens" / "mine.txt").write_text("mine")
    (cache / "notes.txt").write_text("mine")
    freed = clean_cache()
    assert freed >= len(PROSE) + len(PROSE.encode())
    assert sorted(path.name for path in cache.rglob("*") if path.is_file()) == ["mine.txt", "notes.txt"]
    assert clean_cache() == 0
    assert text_of(load_dataset(str(book))) == PROSE


def test_cleaning_follows_no_link_out_of_the_cache(book, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(entry_of_loaded(book), elsewhere / entry_of_loaded(book).name)
    clean_cache()
    default_cache_dir().mkdir()
    try:
        (default_cache_dir() / "tokens").symlink_to(elsewhere, target_is_directory=True)
    except OSError:
        pytest.skip("no symbolic links here")
    assert clean_cache() == 0
    assert any(elsewhere.iterdir())


def entry_of_loaded(book: Path) -> Path:
    return entry_of(load_dataset(str(book), quick=True))


def test_the_list_of_datasets_says_what_is_cached(monkeypatch):
    before = {info.name: info for info in list_datasets()}
    assert list(before) == ["shakespeare", "masque", "python-docs"]
    assert not any(info.cached for info in before.values())
    assert before["shakespeare"].characters == 1_115_394
    assert not default_cache_dir().exists()
    dataset = load_dataset("python-docs", quick=True)
    after = {info.name: info for info in list_datasets()}
    assert after["python-docs"].cached
    assert after["python-docs"].characters == dataset.characters
    assert not after["shakespeare"].cached


def test_a_vocabulary_in_the_cache_is_plain_json(book):
    meta = json.loads((entry_of(load_dataset(str(book))) / "meta.json").read_text())
    sha256 = meta["tokenizer"].pop("sha256")
    assert meta["tokenizer"] == {"kind": "char", "characters": "".join(sorted(set(PROSE)))}
    line = json.dumps(meta["tokenizer"], sort_keys=True).replace('": ', '":').replace('", "', '","')
    assert sha256 == hashlib.sha256(line.encode()).hexdigest()


LOADER = """
import sys
from pathlib import Path
from gpt_tui.core.data import load_dataset

def memory(name):
    return int(Path("/proc/self/status").read_text().partition(name + ":")[2].split()[0]) * 1024

path, tokenizer = sys.argv[1:]
load_dataset("python-docs", tokenizer=tokenizer, quick=True)  # what is loaded once
before = memory("VmRSS")
load_dataset(path, tokenizer=tokenizer, quick=True)
Path(path).touch()  # read again, and found in the cache
load_dataset(path, tokenizer=tokenizer, quick=True)
print(memory("VmHWM") - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the most memory that was taken, as Linux tells it")
@pytest.mark.parametrize("kind", ["char", "byte"])
def test_a_large_text_takes_no_more_memory_than_a_few_blocks_of_it(tmp_path, kind):
    path = tmp_path / "large.txt"
    path.write_bytes(SCRIPTS.encode() * 50_000)
    done = subprocess.run([sys.executable, "-c", LOADER, str(path), kind], check=True, capture_output=True, text=True)
    assert path.stat().st_size > 100_000_000
    assert int(done.stdout) < 50_000_000
