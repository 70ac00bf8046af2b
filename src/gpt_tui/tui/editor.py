"""A text in the person's own editor, while the playground stands aside."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path


def editor() -> str | None:
    """What VISUAL or EDITOR names."""
    return os.environ.get("VISUAL") or os.environ.get("EDITOR") or None


def open_in(command: str, text: str, aside: Callable[[], AbstractContextManager[None]]) -> None:
    """Show a copy of `text` in the editor and wait for it. Raises OSError and ValueError when it cannot be run."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt", prefix="gpt-tui-", delete=False, encoding="utf-8") as file:
        file.write(text)
    try:
        with aside():
            subprocess.run([*shlex.split(command), file.name], check=False)
    finally:
        Path(file.name).unlink(missing_ok=True)
