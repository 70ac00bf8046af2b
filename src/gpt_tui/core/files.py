"""Careful file work for what is kept: whole or absent, on the disk when it says so, never through a link."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import platform
import re
import secrets
import stat
import sys
import time
from collections.abc import Callable, Mapping
from functools import cache
from io import BufferedReader, FileIO
from pathlib import Path
from typing import Any

from gpt_tui.core.errors import GptTuiError

# How a process signs what it makes beside its place. Before there was the machine, it signed with its id alone.
SIGNATURE = r"(?P<maker>\d{1,9})(?:-(?P<machine>[0-9a-f]{8}))?-[0-9a-f]{8}"

CACHE_VARIABLE = "GPT_TUI_CACHE_DIR"

HARD_LINK = "another name of a file that may be somebody else's"

_ABANDONED = 3600.0  # seconds
_WINDOWS_PATIENCE = 1.0  # seconds: an indexer or a reader holds a fresh file for a moment


def expanded(name: str | Path) -> Path:
    """A path as a person wrote it, with ~ and ~somebody as homes; as it stands where nobody is called that."""
    try:
        return Path(name).expanduser()
    except RuntimeError:
        return Path(name)


def default_cache_dir() -> Path:
    """`GPT_TUI_CACHE_DIR` where it is set, otherwise the user's cache directory."""
    if given := os.environ.get(CACHE_VARIABLE):
        return expanded(given)
    import platformdirs

    return Path(platformdirs.user_cache_dir("gpt-tui", appauthor=False))


def replace_whole(path: Path, content: bytes) -> None:
    """Write a file whole or not at all: beside its place, to the disk, then renamed over it. Raises OSError."""
    beside = path.with_name(f".{path.name}.tmp-{signature()}")
    try:
        with beside.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        patiently(lambda: beside.replace(path))
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def canonical(document: Mapping[str, Any]) -> bytes:
    """A JSON object as the one line, in ASCII and with sorted keys, that its checksum is made of."""
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode("ascii")


def checksum_of(document: Mapping[str, Any]) -> str:
    """What has to stand in a JSON object as `sha256`: the SHA-256 of all else that is in it."""
    rest = {name: value for name, value in document.items() if name != "sha256"}
    return hashlib.sha256(canonical(rest)).hexdigest()


def patiently(rename: Callable[[], object]) -> None:
    """Call `rename`; on Windows again for a second while another process has the file open. Raises OSError."""
    deadline = time.monotonic() + (_WINDOWS_PATIENCE if sys.platform == "win32" else 0.0)
    while True:
        try:
            rename()
            return
        except PermissionError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(0.02)


def sync_file(path: Path) -> None:
    """Have a file's content on the disk before going on."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def sync_directory(path: Path) -> None:
    """Have a directory's names on the disk before going on, where the platform can (Windows cannot)."""
    if sys.platform == "win32":
        return
    directory = os.open(path, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def is_link(path: Path) -> bool:
    """Whether the path itself is a symbolic link or a Windows junction."""
    try:
        found = path.lstat()
    except OSError:
        return False
    reparse = getattr(found, "st_file_attributes", 0) & getattr(stat, "FILE_ATTRIBUTE_REPARSE_POINT", 0)
    return stat.S_ISLNK(found.st_mode) or bool(reparse)


def signature() -> str:
    """A new name's end that says which process makes what has this name; no other name has it."""
    return f"{os.getpid()}-{_machine()}-{secrets.token_hex(4)}"


def is_abandoned(path: Path, signed: re.Match[str]) -> bool:
    """Whether what a process makes beside its place, to rename it there, will never get there.

    signed: the name with the groups of `SIGNATURE`. A process that may be one of another machine with the same disk
    cannot be looked for, so that an hour has to pass: making it takes a moment.
    """
    import psutil

    if psutil.pid_exists(int(signed["maker"])):
        return False
    try:
        age = time.time() - path.lstat().st_mtime
    except OSError:
        return False  # it got there
    return signed["machine"] == _machine() or age > _ABANDONED


@cache
def _machine() -> str:
    """What tells the processes that this one can see, until the machine is started anew, from all others."""
    try:
        seen = f"{Path('/proc/self/ns/pid').readlink()} {Path('/proc/sys/kernel/random/boot_id').read_text()}"
    except OSError:  # no Linux
        import psutil

        seen = str(round(psutil.boot_time()))
    return hashlib.sha256(f"{platform.node()} {seen}".encode()).hexdigest()[:8]


def open_regular(path: Path) -> BufferedReader:
    """Open a file to be read. A pipe or a device in its place, which might wait or give for ever, is an OSError."""
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0))
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file", str(path))
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def open_own(path: Path) -> FileIO:
    """Open a file to be read and appended to, made where there is none. Raises OSError, and as `refuse_foreign`."""
    refuse_foreign(path)
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT
    for more in ("O_BINARY", "O_NONBLOCK", "O_NOFOLLOW"):
        flags |= getattr(os, more, 0)
    descriptor = os.open(path, flags, 0o666)
    try:
        _refuse_foreign(path, os.fstat(descriptor))  # it may be another one by now
        return os.fdopen(descriptor, "ab+", buffering=0)
    except BaseException:
        os.close(descriptor)
        raise


def refuse_foreign(path: Path) -> None:
    """Raise GptTuiError where to write a file in place might write, or wait for, another one that lies elsewhere."""
    try:
        found = path.lstat()
    except OSError:
        return
    if is_link(path):
        raise GptTuiError(f"{path} is a link; it must be a file of its own")
    _refuse_foreign(path, found)


def _refuse_foreign(path: Path, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise GptTuiError(f"{path} cannot be written: it is not a regular file")
    if found.st_nlink > 1:
        raise GptTuiError(f"{path} is a hard link, {HARD_LINK}; put a copy in its place, which is a file of its own")


def is_hard_link(path: Path) -> bool:
    """Whether a file has another name as well, perhaps in another directory."""
    try:
        found = path.lstat()
    except OSError:
        return False
    return stat.S_ISREG(found.st_mode) and found.st_nlink > 1


def read_small(path: Path, limit: int) -> bytes:
    """The content of a regular file that has no business being larger than `limit` bytes.

    Raises OSError, and GptTuiError for a file that is larger.
    """
    with open_regular(path) as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        raise GptTuiError(f"{path.name} is larger than the {limit:,} bytes that it may have")
    return content


def reason(error: OSError) -> str:
    """What the system says went wrong, in its words."""
    return error.strerror or str(error) or type(error).__name__
