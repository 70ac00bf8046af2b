"""A text that a person wants in a file of their own: where it goes, whether something is there, and writing it."""

from __future__ import annotations

import os
from pathlib import Path

from gpt_tui.core.errors import GptTuiError
from gpt_tui.core.files import expanded, reason, replace_whole


def place_of(written: str) -> tuple[Path, bool]:
    """The file that a person's words name, and whether there is one: ~ is a home, and the rest goes from where the
    program was started.

    Raises GptTuiError where no file can be written there.
    """
    path = Path.cwd() / expanded(written.strip())
    if written.strip().endswith(("/", os.sep)) and not path.is_dir():
        raise GptTuiError(f"There is no directory {path}, so nothing is written.")
    try:
        path = path.resolve() if path.is_symlink() else path  # what a link leads to, not the link, is written
        if path.is_dir():
            raise GptTuiError(f"{path} is a directory: name a file in it.")
        if not path.parent.is_dir():
            raise GptTuiError(f"There is no directory {path.parent}, so nothing is written.")
        if path.exists() and not path.is_file():
            raise GptTuiError(f"{path} is no file that could be written over.")
    except (OSError, ValueError) as error:
        raise _refused(path, error) from None
    return path, path.exists()


def write(path: Path, text: str) -> None:
    """Whole or not at all, as UTF-8. Raises GptTuiError."""
    try:
        replace_whole(path, text.encode())
    except (OSError, ValueError) as error:
        raise _refused(path, error) from None


def _refused(path: Path, error: OSError | ValueError) -> GptTuiError:
    why = reason(error) if isinstance(error, OSError) else str(error)
    return GptTuiError(f"{path} cannot be written: {why}")
