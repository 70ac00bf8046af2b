"""A text that a person wants in a file of their own: where it goes, whether something is there, and writing it."""

from __future__ import annotations

import os
from pathlib import Path

from gpt_tui.core.errors import GptTuiError
from gpt_tui.core.files import expanded, reason, replace_whole
from gpt_tui.tui.plain import one_line


def place_of(written: str) -> tuple[Path, bool]:
    """The file that a person's words name, and whether there is one: ~ is a home, and the rest goes from where the
    program was started.

    Raises GptTuiError where no file can be written there.
    """
    path = Path.cwd() / expanded(written.strip())
    if written.strip().endswith(("/", os.sep)) and not path.is_dir():
        raise GptTuiError(f"There is no directory {shown(path)}, so nothing is written.")
    try:
        path = path.resolve() if path.is_symlink() else path  # what a link leads to, not the link, is written
        if path.is_dir():
            raise GptTuiError(f"{shown(path)} is a directory: name a file in it.")
        if not path.parent.is_dir():
            raise GptTuiError(f"There is no directory {shown(path.parent)}, so nothing is written.")
        if path.exists() and not path.is_file():
            raise GptTuiError(f"{shown(path)} is no file that could be written over.")
    except (OSError, ValueError) as error:
        raise _refused(path, error) from None
    return path, path.exists()


def write(path: Path, text: str) -> None:
    """Whole or not at all, as UTF-8. Raises GptTuiError."""
    try:
        replace_whole(path, text.encode())
    except (OSError, ValueError) as error:
        raise _refused(path, error) from None


def shown(path: Path) -> str:
    """A path for a person to read: whole, but with ~ for the home."""
    home = expanded("~")
    return one_line(str("~" / path.relative_to(home) if path.is_relative_to(home) else path))


def _refused(path: Path, error: OSError | ValueError) -> GptTuiError:
    why = reason(error) if isinstance(error, OSError) else str(error)
    return GptTuiError(f"This cannot be written, {why}: {shown(path)}")
