"""Datasets, caches and prompts from anyone: read or refused, and nothing is waited for or followed outside."""

from __future__ import annotations

import io
import json
import os
import random
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hostile import (
    DEVICES,
    FLOATS,
    INTEGERS,
    TERMINAL,
    TEXTS,
    can_make_pipes,
    much,
    mutated,
    mutated_bytes,
    obey,
    told,
    unseen,
)

from gpt_tui.core.data import load_dataset
from gpt_tui.core.data.tokenizers import ByteTokenizer, CharTokenizer, Tokenizer
from gpt_tui.core.errors import GptTuiError, Refusal

PLAY = "".join(f"ANNA:\nThe house has number {n}, é.\n\n" for n in range(30)).encode()


@much(40, seconds=4)
def test_bytes_of_any_kind_are_a_text_or_refused_with_where_they_fail(much: Any, tmp_path: Path) -> None:
    path = tmp_path / "play.txt"
    contents = (PLAY, PLAY[:12], PLAY.decode().encode("utf-16"), b"\xef\xbb\xbf" + PLAY, b"a" * 100_000)

    def once(choose: random.Random) -> None:
        path.write_bytes(mutated_bytes(choose.choice(contents), choose))
        kind = choose.choice(("char", "byte"))
        why = told(lambda: load_dataset(str(path), tokenizer=kind, cache_dir=tmp_path / "cache"))
        assert not unseen(why)
        if not why:
            dataset = load_dataset(str(path), tokenizer=kind, cache_dir=tmp_path / "cache")
            whole = np.concatenate([dataset.train, dataset.val])
            assert whole.max() < dataset.vocab_size
            text = path.read_bytes().decode("utf-8-sig")
            assert dataset.tokenizer.decode(whole) == text

    much.of(once)


@pytest.mark.parametrize(
    "content", [b"", b"a", b"\0" * 64, b"\xff" * 64, b"\xed\xa0\x80" * 9, b"\x89PNG" + PLAY, b"\xf4\x90\x80\x80" * 9]
)
def test_what_is_no_text_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "it.txt").write_bytes(content)
    with pytest.raises(Refusal):
        load_dataset(str(tmp_path / "it.txt"), cache_dir=tmp_path / "cache")
    with pytest.raises(Refusal):
        load_dataset("-", cache_dir=tmp_path / "cache", stdin=io.BytesIO(content))


@can_make_pipes
def test_a_folder_with_pipes_devices_and_links_in_a_ring_is_read_without_them(tmp_path: Path) -> None:
    folder = tmp_path / "texts"
    folder.mkdir()
    (folder / "play.txt").write_bytes(PLAY)
    os.mkfifo(folder / "pipe.txt")
    (folder / "ring").symlink_to(folder)
    (folder / "gone.txt").symlink_to(folder / "nothing")
    for device in DEVICES:
        (folder / f"{Path(device).name}.txt").symlink_to(device)
    deep = folder
    for _ in range(60):
        deep = deep / "deeper"
    deep.mkdir(parents=True)
    (deep / f"evil {TERMINAL.replace('/', '')}.txt".replace("\0", "")).write_bytes(b"\0")
    dataset = load_dataset(str(folder), cache_dir=tmp_path / "cache")
    assert dataset.characters == len(PLAY.decode())
    assert not unseen(" ".join(dataset.notices))


@can_make_pipes
def test_a_pipe_or_a_device_is_no_dataset(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name in (str(tmp_path / "pipe"), *DEVICES, "\0", "~nobody", "x" * 5000, TERMINAL, "\ud800"):
        with pytest.raises(Refusal) as refused:
            load_dataset(name, cache_dir=tmp_path / "cache")
        assert not unseen(str(refused.value))


@much(30, seconds=4)
def test_a_cache_that_was_tampered_with_is_used_where_it_is_right_and_otherwise_made_again(
    much: Any, tmp_path: Path
) -> None:
    text, cache = tmp_path / "play.txt", tmp_path / "cache"
    text.write_bytes(PLAY)
    load_dataset(str(text), cache_dir=cache)
    (entry,) = (cache / "tokens").iterdir()
    sound = {path.name: path.read_bytes() for path in entry.iterdir()}

    def once(choose: random.Random) -> None:
        for name, content in sound.items():
            (entry / name).write_bytes(content)
        spoilt = choose.choice(sorted(sound))
        content = mutated_bytes(sound[spoilt], choose)
        if spoilt.endswith(".json") and choose.random() < 0.8:
            content = json.dumps(mutated(json.loads(sound[spoilt]), choose)).encode()
        (entry / spoilt).write_bytes(content)
        dataset = load_dataset(str(text), cache_dir=cache)
        whole = np.concatenate([dataset.train, dataset.val])
        assert whole.max() < dataset.vocab_size
        assert dataset.train_tokens > 0 < dataset.val_tokens
        assert all(np.isfinite(nats) for nats in dataset.ladder.values())

    much.of(once)


def test_tokens_that_no_vocabulary_has_are_made_again_though_their_checksum_is_right(tmp_path: Path) -> None:
    import hashlib

    text, cache = tmp_path / "play.txt", tmp_path / "cache"
    text.write_bytes(PLAY)
    honest = load_dataset(str(text), cache_dir=cache)
    (entry,) = (cache / "tokens").iterdir()
    forged = b"\xff" * (entry / "tokens.bin").stat().st_size
    meta = json.loads((entry / "meta.json").read_text())
    del honest
    (entry / "tokens.bin").write_bytes(forged)
    (entry / "meta.json").write_text(json.dumps({**meta, "tokens_sha256": hashlib.sha256(forged).hexdigest()}))
    dataset = load_dataset(str(text), cache_dir=cache)
    assert max(dataset.train.max(), dataset.val.max()) < dataset.vocab_size


def test_cache_files_deeper_than_any_stack_are_made_again(tmp_path: Path) -> None:
    text, cache = tmp_path / "play.txt", tmp_path / "cache"
    text.write_bytes(PLAY)
    load_dataset(str(text), cache_dir=cache)
    (entry,) = (cache / "tokens").iterdir()
    for name in ("meta.json", "ladder.json"):
        for content in (b"[" * 100_000, b'{"version": 1, "tokens": Infinity}', b"\xff"):
            (entry / name).write_bytes(content)
            assert load_dataset(str(text), cache_dir=cache).ladder


@much(40, seconds=4)
def test_a_tokenizer_from_anyone_reads_what_it_writes_or_is_refused(much: Any) -> None:
    originals = [CharTokenizer("\n abc").to_json(), ByteTokenizer().to_json()]

    def once(choose: random.Random) -> None:
        try:
            made = Tokenizer.from_json(mutated(choose.choice(originals), choose))
        except GptTuiError:
            return
        ids = range(min(made.vocab_size, 300))
        assert made.vocab_size > 0
        if isinstance(made, CharTokenizer):
            assert made.encode(made.decode(list(ids))).tolist() == list(ids)

    much.of(once)


@much(25, seconds=4)
def test_a_prompt_of_any_kind_is_read_or_refused(much: Any, real_run: Path) -> None:
    from gpt_tui.core.runs import Run
    from gpt_tui.core.sampling import Speaker

    speaker = Speaker.from_run(Run.open(real_run), None, "cpu")
    sampling = speaker.config.sampling.model_copy(update={"max_new_tokens": 2})
    parts = [*TEXTS, "ANNA:", "\n", "\ud800", "\udcff", "a" * 3000, *map(str, (*INTEGERS[:9], *FLOATS[:9]))]

    def once(choose: random.Random) -> None:
        prompt = "".join(choose.choice(parts) for _ in range(choose.randrange(4)))
        assert not unseen(told(lambda: speaker.speak(prompt, sampling)))

    much.of(once)


def test_the_coldest_sampling_overflows_nothing(real_run: Path) -> None:
    from gpt_tui.core.runs import Run
    from gpt_tui.core.sampling import Speaker

    speaker = Speaker.from_run(Run.open(real_run), None, "cpu")
    said = [
        speaker.speak("ANNA:", speaker.config.sampling.model_copy(update={"temperature": cold}))
        for cold in (0.0, 1e-320, 1e-308)
    ]
    assert said == said[:1] * 3


def test_what_a_model_says_moves_no_cursor_on_a_terminal(real_run: Path, tmp_path: Path) -> None:
    import shutil

    run = tmp_path / "evil"
    shutil.copytree(real_run, run)
    record = json.loads((run / "run.json").read_text())
    size = len(record["tokenizer"]["characters"])
    evil = "".join(map(chr, [*range(8), 0x1B, *range(0x80, 0x80 + size - 10), 0x202E]))
    record["tokenizer"] = {"kind": "char", "characters": evil}
    (run / "run.json").write_text(json.dumps(record))
    status, shown = obey("sample", "evil", "--runs-dir", str(tmp_path), "--prompt", "\x1b", "--max-new-tokens", "80")
    assert status == 0
    assert not unseen(shown)


if sys.platform == "win32":
    DEVICES.clear()
