"""Tokens on disk: made once from a text, mapped into memory ever after, with the ladder beside them.

An entry is a folder `tokens/<sha256 of the text>-<tokenizer>/` with tokens.bin (little-endian integers), meta.json
and, once it has been counted, ladder.json. It is written under another name and renamed when it is complete.
"""

from __future__ import annotations

import hashlib
import math
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from gpt_tui.core.data.cache import Cache, read_json, write_json
from gpt_tui.core.data.sources import Source
from gpt_tui.core.data.tokenizers import (
    ByteTokenizer,
    CharTokenizer,
    TokenArray,
    Tokenizer,
    UnknownCharacter,
    code_points,
)
from gpt_tui.core.data.watch import Stopped, Watch
from gpt_tui.core.errors import GptTuiError, Refusal, visible

_VERSION = 1
_TRAIN_SHARE = 0.9
_MIN_SPLIT_TOKENS = 2
_SHA256 = re.compile(r"[0-9a-f]{64}")

# Where tokens are only counted, a checksum of a small file costs nothing; of a large one the size has to do.
_CHECKED_BYTES = 1 << 24
_BLOCK_TOKENS = 1 << 24


@dataclass(frozen=True)
class Scan:
    """What one reading of a text tells: SHA-256 and size of its bytes, its length, its sorted distinct characters."""

    sha256: str
    n_bytes: int
    characters: int
    alphabet: str

    @property
    def train_characters(self) -> int:
        """The first 90 % of the text, as nanoGPT splits it."""
        return int(_TRAIN_SHARE * self.characters)


@dataclass(frozen=True)
class Entry:
    """Tokens in the cache: all of them in one array (N,), of which the first `train_tokens` are the training split."""

    path: Path
    sha256: str
    characters: int
    tokenizer: Tokenizer
    tokens: TokenArray
    train_tokens: int


def scan(source: Source, watch: Watch) -> Scan:
    """Read a text once. Raises Refusal where it is no text, empty, or too short to be split."""
    digest = hashlib.sha256()
    seen = np.zeros(0x110000, dtype=bool)
    n_bytes = characters = 0
    for block in source.blocks():
        digest.update(block)
        codes = code_points(block.decode("utf-8"))
        seen[codes] = True
        characters += len(codes)
        n_bytes += len(block)
        watch.report("reading", n_bytes, source.total_bytes)
    alphabet = np.flatnonzero(seen).astype("<u4").tobytes().decode("utf-32-le")
    found = Scan(digest.hexdigest(), n_bytes, characters, alphabet)
    _refuse_short(source, found)
    return found


def _refuse_short(source: Source, found: Scan) -> None:
    if found.characters == 0:
        raise Refusal.one("dataset", source.address, "is empty; a model needs some text to learn from")
    if found.characters - found.train_characters < _MIN_SPLIT_TOKENS:
        raise Refusal.one(
            "dataset",
            source.address,
            f"has only {found.characters} characters; with fewer than 11 the last 10 %, which validates, holds no "
            "two of them",
        )


def find_entry(cache: Cache, sha256: str, kind: str, watch: Watch | None = None) -> Entry | None:
    """The tokens of a text in the cache, or None where they are missing, cut short, or not what they should be.

    watch: given where the tokens will be used: each of a large file is looked at then, which takes about a second a
    gigabyte. Raises Stopped as `watch` says. A large one of an older version has no checksum: its size and its ids
    have to do.
    """
    if not _SHA256.fullmatch(sha256):
        return None  # it may come from a stranger's file, and becomes part of a path
    path = cache.path("tokens", f"{sha256}-{kind}")
    meta = read_json(path / "meta.json")
    if meta is None or meta.get("version") != _VERSION or meta.get("sha256") != sha256:
        return None
    try:
        tokenizer = Tokenizer.from_json(meta.get("tokenizer"))
        count, train_tokens, characters = (int(meta[name]) for name in ("tokens", "train_tokens", "characters"))
        tokens_file = path / "tokens.bin"
        size = tokens_file.stat().st_size
        if tokenizer.kind != kind or not 0 < train_tokens < count or size != count * tokenizer.dtype.itemsize:
            return None
        kept = meta.get("tokens_sha256")
        if size <= _CHECKED_BYTES and _digest(tokens_file) != kept:
            return None
        mapped = np.memmap(tokens_file, dtype=tokenizer.dtype, mode="r", shape=(count,))
        if watch is not None and not _are_whole(mapped, tokenizer.vocab_size, kept, watch):
            return None
    except Stopped:
        raise
    except (OSError, KeyError, TypeError, ValueError, OverflowError, GptTuiError):
        return None  # whatever is wrong with it, it is made again
    return Entry(path, sha256, characters, tokenizer, np.asarray(mapped), train_tokens)


def _are_whole(tokens: TokenArray, vocab_size: int, sha256: str | None, watch: Watch) -> bool:
    """Whether the tokens are those that were kept, and each has a place in the vocabulary: a model has no other row."""
    digest = hashlib.sha256()
    for start in range(0, len(tokens), _BLOCK_TOKENS):
        block = tokens[start : start + _BLOCK_TOKENS]
        if int(block.max()) >= vocab_size:
            return False
        digest.update(block.data)
        if len(tokens) > _BLOCK_TOKENS:
            watch.report("reading", start + len(block), len(tokens))
    return sha256 is None or digest.hexdigest() == sha256


def build_entry(cache: Cache, source: Source, found: Scan, kind: str, watch: Watch) -> Entry:
    """Make the tokens of a text that has been scanned, unless another process has done so meanwhile."""
    key = f"{found.sha256}-{kind}"
    tokenizer: Tokenizer = CharTokenizer(found.alphabet) if kind == CharTokenizer.kind else ByteTokenizer()
    while True:
        with cache.lock(f"tokens-{key}", watch):
            entry = find_entry(cache, found.sha256, kind, watch)
            if entry is not None:
                return entry
            try:
                _write_entry(cache.writable("tokens") / key, source, found, tokenizer, watch)
            except OSError as error:
                # No room, or an entry that this system will not let go of: once more in a temporary folder.
                cache.fall_back(error)
                continue
            entry = find_entry(cache, found.sha256, kind)
            if entry is None:
                raise GptTuiError(f"The tokens just written to {cache.root} cannot be read back. Is that disk healthy?")
            return entry


def _write_entry(target: Path, source: Source, found: Scan, tokenizer: Tokenizer, watch: Watch) -> None:
    for stale in target.parent.glob(f"{target.name}.*.tmp"):
        shutil.rmtree(stale)  # of a process that was killed: a living one would hold the lock
    with _renamed_when_whole(target) as place:
        tokens_file = place / "tokens.bin"
        train_tokens, tokens_sha256 = _write_tokens(tokens_file, source, found, tokenizer, watch)
        size = tokens_file.stat().st_size
        write_json(
            place / "meta.json",
            {
                "version": _VERSION,
                "sha256": found.sha256,
                "characters": found.characters,
                "tokenizer": tokenizer.to_json(),
                "tokens": size // tokenizer.dtype.itemsize,
                "train_tokens": train_tokens,
                "tokens_sha256": tokens_sha256,
            },
        )


@contextmanager
def _renamed_when_whole(target: Path) -> Iterator[Path]:
    place = Path(tempfile.mkdtemp(prefix=f"{target.name}.", suffix=".tmp", dir=target.parent))
    try:
        yield place
        if target.exists():
            shutil.rmtree(target)  # found unusable before
        place.rename(target)
    except BaseException:
        shutil.rmtree(place, ignore_errors=True)
        raise


def _write_tokens(path: Path, source: Source, found: Scan, tokenizer: Tokenizer, watch: Watch) -> tuple[int, str]:
    """Write every token: how many are the training split's, and the SHA-256 of all.

    Raises GptTuiError where the text changed.
    """
    digest, written = hashlib.sha256(), hashlib.sha256()
    done_bytes = done_characters = train_tokens = 0
    with path.open("wb") as file:
        for block in source.blocks():
            digest.update(block)
            try:
                ids = tokenizer.encode_utf8(block)
            except UnknownCharacter:
                raise _changed(source) from None
            file.write(ids.data)
            written.update(ids.data)
            starts = _character_starts(block)
            characters = int(np.count_nonzero(starts))
            missing = found.train_characters - done_characters
            if missing >= characters:
                train_tokens += len(ids)
            elif missing > 0:
                border = int(np.flatnonzero(starts)[missing])
                train_tokens += len(tokenizer.encode_utf8(block[:border]))
            done_characters += characters
            done_bytes += len(block)
            watch.report("tokenizing", done_bytes, found.n_bytes)
        file.flush()
        os.fsync(file.fileno())
    if digest.hexdigest() != found.sha256:
        raise _changed(source)
    return train_tokens, written.hexdigest()


def _changed(source: Source) -> GptTuiError:
    return GptTuiError(
        f"{visible(source.address)} was changed while it was being read; start again when it is complete."
    )


def _character_starts(block: bytes) -> npt.NDArray[np.bool_]:
    """True at each byte of a block of UTF-8 that begins a character."""
    starts: npt.NDArray[np.bool_] = (np.frombuffer(block, dtype=np.uint8) & 0xC0) != 0x80
    return starts


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# The ladder ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Ladder:
    """Nats per token by rung, in order, and what sample it was counted on (None: on all of it)."""

    rungs: dict[str, float]
    note: str | None


def find_ladder(entry: Entry) -> Ladder | None:
    """The ladder kept beside the tokens, or None where there is none that can be used."""
    kept = read_json(entry.path / "ladder.json")
    if kept is None or kept.get("version") != _VERSION:
        return None
    rungs, note = kept.get("rungs"), kept.get("note")
    if not isinstance(rungs, dict) or not isinstance(note, str | None):
        return None
    if not all(isinstance(nats, float) and math.isfinite(nats) for nats in rungs.values()):
        return None
    return Ladder(rungs, note)


def keep_ladder(entry: Entry, ladder: Ladder) -> None:
    """Keep a ladder beside the tokens."""
    try:
        write_json(entry.path / "ladder.json", {"version": _VERSION, "rungs": ladder.rungs, "note": ladder.note})
    except OSError:
        pass  # a cache that can only be read: the ladder is counted again next time, in seconds
