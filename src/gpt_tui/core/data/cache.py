"""The folder where downloaded texts and tokens are kept: its place, its locks, its cleaning, what is done without it.

Layout: texts/ (downloads), tokens/ (one folder a text and tokenizer), seen/ (which files were read, so that a huge one
need not be read again), rows/ (what was read of long logs, see `core.runs.kept`), locks/. Everything in it can be
deleted; it is made again.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from gpt_tui.core.data.watch import Watch
from gpt_tui.core.errors import GptTuiError
from gpt_tui.core.files import CACHE_VARIABLE, default_cache_dir, read_small

_POLL_SECONDS = 0.05
_MAX_JSON = 64 << 20  # a vocabulary of every character there is fits several times

# What the program itself puts into each folder of its cache; `clean` removes nothing else.
_OWN_NAMES = {
    "texts": re.compile(r"[a-z-]+\.txt(\.part)?"),
    "tokens": re.compile(r"[0-9a-f]{64}-[a-z]+(\.[0-9a-z_]+\.tmp)?"),
    "seen": re.compile(r"[0-9a-f]{64}\.json(\.[0-9a-z_]+\.tmp)?"),
    "rows": re.compile(r"[0-9a-f]{64}\.rows(\.[0-9a-z_]+\.tmp)?"),
    "locks": re.compile(r"[0-9a-z-]+\.lock"),
}


class LockTimeout(GptTuiError):
    """Another process kept a lock for longer than could be waited."""


class Cache:
    """A cache folder as one dataset's loading uses it.

    Reading needs nothing. The first writing makes the folder; where that fails, a temporary folder takes its place,
    which lives as long as this object, and `notices` says so.
    """

    def __init__(self, root: Path | None = None):
        self.root = (root if root is not None else default_cache_dir()).absolute()
        self.notices: list[str] = []
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        self._proved = False

    def path(self, *parts: str) -> Path:
        """A place in the cache, to read from."""
        return self.root.joinpath(*parts)

    def writable(self, folder: str) -> Path:
        """A folder of the cache that exists and can be written."""
        try:
            place = self.root / folder
            place.mkdir(parents=True, exist_ok=True)
            if not self._proved:
                with tempfile.TemporaryFile(dir=place):
                    self._proved = True
        except OSError as error:
            self.fall_back(error)
            place = self.root / folder
            place.mkdir(parents=True, exist_ok=True)
        return place

    def fall_back(self, error: OSError) -> None:
        """Go on in a temporary folder, as the cache cannot be written. Raises GptTuiError where that fails too."""
        if self._temporary is None:
            try:
                self._temporary = tempfile.TemporaryDirectory(prefix="gpt-tui-", ignore_cleanup_errors=True)
            except OSError:
                pass  # told below: there is no place left to write to
            else:
                self.notices.append(
                    f"The cache directory {self.root} cannot be written ({reason(error)}), so the tokens are kept in a "
                    f"temporary folder and made again next time. Set {CACHE_VARIABLE} to a folder that can be written."
                )
                self.root = Path(self._temporary.name)
                return
        raise GptTuiError(
            f"Neither the cache directory nor the temporary folder can hold the tokens ({reason(error)}). "
            f"Set {CACHE_VARIABLE} to a folder with room."
        ) from error

    @contextmanager
    def lock(self, name: str, watch: Watch, seconds: float | None = None) -> Iterator[None]:
        """Hold a lock between processes; raises Stopped, or LockTimeout after `seconds`.

        A file system without locks is no obstacle: every file here is put in place whole, by renaming, so a lock
        only saves work that another process is doing already.
        """
        lock = FileLock(self.writable("locks") / f"{name}.lock")
        deadline = None if seconds is None else time.monotonic() + seconds
        while True:
            watch.check()
            try:
                lock.acquire(timeout=_POLL_SECONDS)
            except Timeout:
                if deadline is not None and time.monotonic() > deadline:
                    raise LockTimeout("another gpt-tui is busy with the same dataset") from None
                continue
            except (OSError, NotImplementedError):
                yield
                return
            try:
                yield
            finally:
                lock.release()
            return


def reason(error: OSError) -> str:
    """What the operating system says, in its own words and without the path."""
    said = error.strerror or str(error)
    return said[:1].lower() + said[1:]


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Put a small JSON file in place whole: another process sees the old one or the new one."""
    handle, temporary = tempfile.mkstemp(prefix=f"{path.name}.", suffix=".tmp", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(value, file)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def read_json(path: Path) -> dict[str, Any] | None:
    """The JSON object of a cache file, or None where there is none, or none that can be read: it is made again."""
    try:
        value = json.loads(read_small(path, _MAX_JSON))
    except (OSError, GptTuiError, ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def clean_cache(cache_dir: Path | None = None) -> int:
    """Remove what the program keeps in its cache directory, and nothing else. Returns how many bytes were freed."""
    root = cache_dir if cache_dir is not None else default_cache_dir()
    freed = 0
    for folder, own in _OWN_NAMES.items():
        place = root / folder
        if place.is_symlink() or not place.is_dir():
            continue
        for entry in place.iterdir():
            if own.fullmatch(entry.name) and not entry.is_symlink():
                freed += _remove(entry)
        _remove_empty(place)
    _remove_empty(root)
    return freed


def _remove(entry: Path) -> int:
    size = _size(entry)
    try:
        if entry.is_dir():
            shutil.rmtree(entry)
        else:
            entry.unlink()
    except OSError:
        # In use by another process on a system that refuses to delete such files; it is counted as kept.
        return size - _size(entry)
    return size


def _size(entry: Path) -> int:
    total = 0
    for file in entry.rglob("*") if entry.is_dir() else [entry]:
        try:
            total += file.stat().st_size if file.is_file() else 0
        except FileNotFoundError:
            pass  # another process has just removed or renamed it
    return total


def _remove_empty(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError:
        pass  # somebody else's file lies in it, or it never existed: it stays as it is
