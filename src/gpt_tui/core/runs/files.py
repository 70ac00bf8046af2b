"""Careful file work for what is kept: whole or absent, on the disk when it says so, never through a link."""

from __future__ import annotations

import os
import secrets
import stat
import sys
import time
from collections.abc import Callable
from pathlib import Path

from gpt_tui.core.errors import GptTuiError

_WINDOWS_PATIENCE = 1.0  # seconds: an indexer or a reader holds a fresh file for a moment


def replace_whole(path: Path, content: bytes) -> None:
    """Write a file whole or not at all: beside its place, to the disk, then renamed over it. Raises OSError."""
    beside = path.with_name(f".{path.name}.tmp-{os.getpid()}-{secrets.token_hex(4)}")
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


def read_small(path: Path, limit: int) -> bytes:
    """The content of a file that has no business being larger than `limit` bytes.

    Raises OSError, and GptTuiError for a file that is larger.
    """
    with path.open("rb") as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        raise GptTuiError(f"{path.name} is larger than the {limit:,} bytes that it may have")
    return content


def reason(error: OSError) -> str:
    """What the system says went wrong, in its words."""
    return error.strerror or str(error) or type(error).__name__
