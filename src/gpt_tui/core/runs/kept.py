"""What was read of a long log, kept in the cache folder, so that to open the run again takes a fraction of the time.

It is believed only of a log whose every byte up to its end is the same as when it was read, by SHA-256; what a log has
gained since is read from it. It lies in the cache and not beside the log: who only reads a run writes nothing there,
and no file of a stranger's run is taken for it. It can be deleted at any time, and is made again.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from gpt_tui.core.files import default_cache_dir, open_regular
from gpt_tui.core.runs.rows import IN_LINE, INTEGER_COLUMNS, StepRows

LONG = 32 << 20  # bytes of a log from which on it is worth it
FOLDER = "rows"

_FORMAT = 2
_HEAD = 64 << 10  # bytes that a log is known by: they hold when the run was made
_CHUNK = 256 << 10
_MOST = 8  # logs that are kept: a million steps take 60 MB
_INDEX_BYTES = 8  # with which a file ends: how long the index before them is
_ROW = 8 * len(IN_LINE)  # bytes


@dataclass(frozen=True)
class KeptPart:
    """Some lines of a log: their rows, or else their text. number: of the first; lines, size: how many, in bytes."""

    content: StepRows | bytes
    number: int
    lines: int
    size: int


@dataclass(frozen=True)
class Kept:
    """The beginning of a log, so many bytes, in parts, which may end early where the file went bad; and its end."""

    parts: Iterator[KeptPart]
    size: int
    last: bytes


class Keeping:
    """Keeps what is read of one log, from its start on, until `finish`. What goes wrong ends it in silence."""

    def __init__(self, log: Path):
        """Raises OSError where nothing can be kept."""
        folder = default_cache_dir() / FOLDER
        self._path = _place(log)
        folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f"{self._path.name}.", suffix=".tmp", dir=folder)
        self._file: IO[bytes] = os.fdopen(handle, "wb")
        self._beside = Path(name)
        self.drop = weakref.finalize(self, _drop, self._file, self._beside)
        self._log, self._body = hashlib.sha256(), hashlib.sha256()
        self._bytes = 0
        self._parts: list[tuple[bool, int, int, int]] = []  # whether rows, and as in KeptPart: number, lines, bytes

    def add(self, number: int, lines: int, text: memoryview, rows: StepRows | None) -> None:
        """The next part of the log, which is whole lines, from this number on; and its rows where it was read so."""
        self._log.update(text)
        self._bytes += len(text)
        content: bytes | memoryview = text
        if rows is not None:
            content = b"".join([getattr(rows, name).astype(_kind(name), copy=False) for name in IN_LINE])
        self._parts.append((rows is not None, number, lines, len(text)))
        try:
            self._body.update(content)
            self._file.write(content)
        except OSError:
            self.drop()

    def finish(self) -> None:
        """Put what was kept in its place."""
        if not self.drop.alive:
            return
        index = {
            "v": _FORMAT,
            "bytes": self._bytes,
            "log": self._log.hexdigest(),
            "body": self._body.hexdigest(),
            "parts": self._parts,
        }
        content = json.dumps(index).encode()
        try:
            self._file.write(content + len(content).to_bytes(_INDEX_BYTES, "little"))
            self._file.close()
            self._beside.replace(self._path)
            self.drop.detach()
            _forget_the_oldest(self._path.parent)
        except OSError:
            self.drop()


def _drop(file: IO[bytes], path: Path) -> None:
    try:
        file.close()
    except OSError:
        pass  # a full disk, which is why it is dropped
    try:
        path.unlink(missing_ok=True)
    except OSError:
        pass  # `datasets clean` takes it away


def _forget_the_oldest(folder: Path) -> None:
    found = sorted(folder.glob("*.rows*"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in found[_MOST:]:
        path.unlink(missing_ok=True)


def recall(log: Path) -> Kept | None:
    """What is kept of a log as it is now; None where nothing is, or less than half of it."""
    try:
        path = _place(log)
        with path.open("rb") as file:
            end = file.seek(-_INDEX_BYTES, os.SEEK_END)
            size = int.from_bytes(file.read(), "little")
            file.seek(end - size)
            index = json.loads(file.read(size))
        parts = [
            (bool(is_rows), int(number), int(lines), int(count)) for is_rows, number, lines, count in index["parts"]
        ]
        if index["v"] != _FORMAT or log.stat().st_size > 2 * index["bytes"]:
            return None
        if _digest_of(path, end - size)[0] != index["body"]:
            return None
        digest, last = _digest_of(log, index["bytes"])
        if digest != index["log"]:
            return None
        os.utime(path)
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None
    return Kept(_parts(path, parts), index["bytes"], last)


def _parts(path: Path, parts: list[tuple[bool, int, int, int]]) -> Iterator[KeptPart]:
    try:
        with path.open("rb") as file:
            for is_rows, number, lines, count in parts:
                size = lines * _ROW if is_rows else count
                content = file.read(size)
                if len(content) < size:
                    return
                yield KeptPart(_rows_of(content, lines) if is_rows else content, number, lines, count)
    except OSError:
        return


def _rows_of(content: bytes, lines: int) -> StepRows:
    columns = np.frombuffer(content, "<i8").reshape(len(IN_LINE), lines)
    return StepRows(**{name: column.view(_kind(name)) for name, column in zip(IN_LINE, columns, strict=True)})


def _kind(name: str) -> str:
    return "<i8" if name in INTEGER_COLUMNS else "<f8"


def _place(log: Path) -> Path:
    """Where what is kept of a log lies: wherever the run lies, by what its log begins with."""
    with open_regular(log) as file:
        return default_cache_dir() / FOLDER / f"{hashlib.sha256(file.read(_HEAD)).hexdigest()}.rows"


def _digest_of(log: Path, size: int) -> tuple[str, bytes]:
    """The SHA-256 of the first `size` bytes of a log, and the last 64 of them."""
    digest, last, room = hashlib.sha256(), b"", memoryview(bytearray(_CHUNK))
    with open_regular(log) as file:
        while count := file.readinto(room[:size]):
            digest.update(room[:count])
            size -= count
            last = (last + bytes(room[max(count - 64, 0) : count]))[-64:]
    return digest.hexdigest(), last
