"""Where a copied text goes: to the terminal, to the system's own program where there is one, and into a file.

The terminal is asked by an escape sequence (OSC 52), which reaches a person's clipboard over SSH as well; but it never
says whether it took it, and some refuse. So nothing rests on one way alone, and what a person is told names them all.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

FILE = "clipboard.txt"
OSC52_LIMIT = 74_000  # bytes of text; what several terminals take is 100,000 once that is in base64
PROGRAM_SECONDS = 3.0


@dataclass(frozen=True)
class Program:
    """One that puts its standard input into a clipboard. argv: with the path that was found."""

    argv: tuple[str, ...]
    name: str
    encoding: str = "utf-8"


def put(
    text: str,
    *,
    osc52: Callable[[str], None],
    folder: Path,
    environ: Mapping[str, str] = os.environ,
    which: Callable[[str], str | None] = shutil.which,
    failed: Callable[[str], None] | None = None,
) -> str:
    """Copy `text` by every way there is, and return at once with where it went, in words to follow "copied: …".

    osc52: asks the terminal (`App.copy_to_clipboard`). folder: where the file with the last text lies.
    failed: told by another thread, in a sentence, if one of the system's programs did not take the text after all.
    """
    osc52(text)
    kept = keep(text, folder)
    found = programs(environ, which)
    if found:
        threading.Thread(target=_run_all, args=(found, text, kept, failed), name="gpt-tui copy", daemon=True).start()
    return ", ".join(filter(None, [_sent(found, environ), _too_long(text, found), f"also in {kept}" if kept else ""]))


def programs(environ: Mapping[str, str], which: Callable[[str], str | None] = shutil.which) -> list[Program]:
    """The system's programs that reach the clipboard of whoever sits before this screen.

    Behind a page that is somebody's browser; over SSH it is another machine, unless a display leads back to it.
    """
    if environ.get("TEXTUAL_DRIVER"):
        return []
    here = "SSH_CONNECTION" not in environ and "SSH_TTY" not in environ
    wanted: list[tuple[bool, Sequence[str], str]] = [
        ("TMUX" in environ, ("tmux", "load-buffer", "-w", "-"), "utf-8"),
        (here and sys.platform == "darwin", ("pbcopy",), "utf-8"),
        (here and (sys.platform == "win32" or "WSL_DISTRO_NAME" in environ), ("clip.exe",), "utf-16-le"),
        ("WAYLAND_DISPLAY" in environ, ("wl-copy",), "utf-8"),
        ("DISPLAY" in environ, ("xclip", "-selection", "clipboard", "-in"), "utf-8"),
        ("DISPLAY" in environ, ("xsel", "--clipboard", "--input"), "utf-8"),
    ]
    found = [
        Program((path, *argv[1:]), argv[0], encoding)
        for usable, argv, encoding in wanted
        if usable and (path := which(argv[0])) is not None
    ]
    desktop = [program for program in found if program.name != "tmux"]
    return [*(program for program in found if program.name == "tmux"), *desktop[:1]]


def keep(text: str, folder: Path) -> Path | None:
    """Write the text whole into a file that only its owner can read; None where that cannot be."""
    path = folder / FILE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor, beside = tempfile.mkstemp(prefix=f".{FILE}-", dir=folder)  # mode 600 from the start
    except OSError:
        return None
    try:
        with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor, not a path
            file.write(text.encode("utf-8", "replace"))
        Path(beside).replace(path)
    except OSError:
        Path(beside).unlink(missing_ok=True)
        return None
    return path


def run(program: Program, text: str) -> str | None:
    """Hand the text to a program; why that failed, or None. Nothing of its output is wanted: a program that stays to
    serve the clipboard keeps its output open, and who read that would wait for ever."""
    try:
        done = subprocess.run(
            program.argv, input=text.encode(program.encoding, "replace"), stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, timeout=PROGRAM_SECONDS, start_new_session=True, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return f"it took longer than {PROGRAM_SECONDS:.0f} s"
    except OSError as error:
        return error.strerror or str(error)
    return None if done.returncode == 0 else f"exit status {done.returncode}"


def _run_all(found: Sequence[Program], text: str, kept: Path | None, failed: Callable[[str], None] | None) -> None:
    for program in found:
        if (why := run(program, text)) is not None and failed is not None:
            failed(f"{program.name} did not take the text ({why})" + (f"; it is in {kept}" if kept else ""))


def _sent(found: Sequence[Program], environ: Mapping[str, str]) -> str:
    if found:
        return f"by the terminal and {' and '.join(program.name for program in found)}"
    where = "browser" if environ.get("TEXTUAL_DRIVER") else "terminal"
    return f"by the {where} alone, which may refuse without a word"


def _too_long(text: str, found: Sequence[Program]) -> str:
    size = len(text.encode("utf-8", "replace"))
    if size <= OSC52_LIMIT:
        return ""
    return f"of which many terminals take no more than {OSC52_LIMIT // 1000} kB" if not found else ""
