"""Tokens on disk: made once from a text, mapped into memory ever after, with the ladder beside them.

An entry is a folder `tokens/<sha256 of the text>-<tokenizer>/` with tokens.bin (little-endian integers), meta.json,
checked.json (what the file system said of tokens.bin when every token was last known to be as it was made) and, once
it has been counted, ladder.json. It is written under another name and renamed when it is complete.
"""

from __future__ import annotations

import errno
import hashlib
import math
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

import numpy as np

from gpt_tui.core.data.beside import Beside
from gpt_tui.core.data.cache import Cache, read_json, write_json
from gpt_tui.core.data.reading import Block
from gpt_tui.core.data.sources import Source
from gpt_tui.core.data.tokenizers import (
    ByteTokenizer,
    CharTokenizer,
    TokenArray,
    Tokenizer,
    UnknownCharacter,
)
from gpt_tui.core.data.watch import Stopped, Watch
from gpt_tui.core.errors import GptTuiError, Refusal, show_size, visible

_VERSION = 1
_TRAIN_SHARE = 0.9
_MIN_SPLIT_TOKENS = 2
_CHECKED = "checked.json"
_SHA256 = re.compile(r"[0-9a-f]{64}")

# A smaller file is looked through at every start, which costs nothing and cannot be mistaken.
_CHECKED_BYTES = 1 << 24
_BLOCK_BYTES = 1 << 22
_FLUSHED_BYTES = 1 << 27


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
    digest, alphabet = hashlib.sha256(), _Alphabet()
    n_bytes = characters = 0
    with Beside() as hashing:
        for block in source.blocks():
            hashing.do(digest.update, block.utf8)
            alphabet.add(block)
            characters += len(block)
            n_bytes += len(block.utf8)
            watch.report("reading", n_bytes, source.total_bytes)
        hashing.wait()
    found = Scan(digest.hexdigest(), n_bytes, characters, alphabet.characters())
    _refuse_short(source, found)
    return found


class _Alphabet:
    """The distinct characters of a text. To look for a new one is many times faster than to note every one again."""

    def __init__(self) -> None:
        self._unseen = np.ones(sys.maxunicode + 1, dtype=bool)
        self._unseen_ascii = self._unseen[:256].tobytes()

    def add(self, block: Block) -> None:
        if block.text is None:
            has_new = b"\x01" in block.utf8.translate(self._unseen_ascii)
        else:
            has_new = bool(np.take(self._unseen, block.code_points(), mode="clip").any())
        if has_new:
            self._unseen[block.code_points()] = False
            self._unseen_ascii = self._unseen[:256].tobytes()

    def characters(self) -> str:
        """All of them, sorted."""
        return np.flatnonzero(~self._unseen).astype("<u4").tobytes().decode("utf-32-le")


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

    watch: given where the tokens will be used: a large file is looked through then, about a second a gigabyte, unless
    it is the very one that was made or looked through before. Raises Stopped as `watch` says. A large one of an older
    version has no checksum: its size and its ids have to do.
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
        stamp = _stamp(tokens_file)
        size = stamp[0]
        if tokenizer.kind != kind or not 0 < train_tokens < count or size != count * tokenizer.dtype.itemsize:
            return None
        kept = meta.get("tokens_sha256")
        if size <= _CHECKED_BYTES:
            if kept is None or not _are_whole(tokens_file, tokenizer, size, kept, watch or Watch()):
                return None
        elif watch is not None and read_json(path / _CHECKED) != {"stamp": stamp}:
            if not _are_whole(tokens_file, tokenizer, size, kept, watch):
                return None
            _keep_stamp(path, stamp)
        mapped = np.memmap(tokens_file, dtype=tokenizer.dtype, mode="r", shape=(count,))
    except Stopped:
        raise
    except (OSError, KeyError, TypeError, ValueError, OverflowError, GptTuiError):
        return None  # whatever is wrong with it, it is made again
    return Entry(path, sha256, characters, tokenizer, np.asarray(mapped), train_tokens)


def _stamp(path: Path) -> list[int]:
    """What changes when a file does, its size first. Nobody but this program writes here: it is damage that is met."""
    about = path.stat()
    return [about.st_size, about.st_mtime_ns, about.st_ctime_ns, about.st_ino]


def _keep_stamp(entry: Path, stamp: list[int]) -> None:
    try:
        write_json(entry / _CHECKED, {"stamp": stamp})
    except OSError:
        pass  # a cache that can only be read: it is looked through again next time


def _are_whole(path: Path, tokenizer: Tokenizer, size: int, sha256: str | None, watch: Watch) -> bool:
    """Whether the tokens are those that were kept, and each has a place in the vocabulary: a model has no other row."""
    digest, done = hashlib.sha256(), 0
    with path.open("rb") as file, Beside() as hashing:
        while block := file.read(_BLOCK_BYTES):
            hashing.do(digest.update, block)
            if int(np.frombuffer(block, dtype=tokenizer.dtype).max()) >= tokenizer.vocab_size:
                return False
            done += len(block)
            if size > _BLOCK_BYTES:
                watch.report("reading", done, size)
        hashing.wait()
    return done == size and (sha256 is None or digest.hexdigest() == sha256)


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
        _refuse_without_room(place, found, tokenizer)
        tokens_file = place / "tokens.bin"
        train_tokens, tokens_sha256 = _write_tokens(tokens_file, source, found, tokenizer, watch)
        stamp = _stamp(tokens_file)
        write_json(
            place / "meta.json",
            {
                "version": _VERSION,
                "sha256": found.sha256,
                "characters": found.characters,
                "tokenizer": tokenizer.to_json(),
                "tokens": stamp[0] // tokenizer.dtype.itemsize,
                "train_tokens": train_tokens,
                "tokens_sha256": tokens_sha256,
            },
        )
        _keep_stamp(place, stamp)


def _refuse_without_room(place: Path, found: Scan, tokenizer: Tokenizer) -> None:
    """Raise OSError where the tokens would not fit: that shall not be found out after gigabytes."""
    needed = (found.characters if tokenizer.kind == CharTokenizer.kind else found.n_bytes) * tokenizer.dtype.itemsize
    there_is = shutil.disk_usage(place)
    if there_is.total and needed > there_is.free:  # a file system that tells nothing tells 0
        raise OSError(errno.ENOSPC, f"{show_size(needed)} needed, {show_size(there_is.free)} free")


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
    read, written = hashlib.sha256(), hashlib.sha256()
    done_bytes = done_characters = train_tokens = unflushed = 0
    with (
        path.open("wb", buffering=0) as file,
        Beside() as hashing,
        Beside() as signing,
        Beside() as writing,
        Beside(ahead=1) as flushing,
    ):
        for block in source.blocks():
            hashing.do(read.update, block.utf8)
            try:
                ids = tokenizer.encode_block(block)
            except UnknownCharacter:
                raise _changed(source) from None
            writing.do(_write_all, file, ids.data)
            signing.do(written.update, ids.data)
            missing = found.train_characters - done_characters
            if missing >= len(block):
                train_tokens += len(ids)
            elif missing > 0:
                train_tokens += len(tokenizer.encode_block(block.first(missing)))
            done_characters += len(block)
            done_bytes += len(block.utf8)
            unflushed += ids.nbytes
            if unflushed >= _FLUSHED_BYTES:  # or gigabytes wait for the end, where nobody is told how far it is
                flushing.do(os.fsync, file.fileno())
                unflushed = 0
            watch.report("tokenizing", done_bytes, found.n_bytes)
        for work in (hashing, signing, writing, flushing):
            work.wait()
        os.fsync(file.fileno())
    if read.hexdigest() != found.sha256:
        raise _changed(source)
    return train_tokens, written.hexdigest()


def _write_all(file: FileIO, data: memoryview) -> None:
    """A raw file may take less at a time than it is given."""
    data = data.cast("B")
    while data:
        data = data[file.write(data) :]


def _changed(source: Source) -> GptTuiError:
    return GptTuiError(
        f"{visible(source.address)} was changed while it was being read; start again when it is complete."
    )


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
