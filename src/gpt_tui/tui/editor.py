"""A text in the person's own editor, while the playground stands aside."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

GRACE_SECONDS = 1.0  # how long an editor that is asked to end may take to put the person's words somewhere
LOOK_SECONDS = 0.1  # between two looks for a signal: not every system lets one interrupt who waits for a process


def editor() -> str | None:
    """What VISUAL or EDITOR names."""
    return os.environ.get("VISUAL") or os.environ.get("EDITOR") or None


def edit_in(command: str, text: str, suffix: str, aside: Callable[[], AbstractContextManager[None]]) -> str:
    """Show a copy of `text` in the editor, wait, and give what it has become.

    A signal that ends the program ends the editor first; what was written until then counts. To be called in the main
    thread. Raises OSError and ValueError (a UnicodeDecodeError among them) when the editor cannot be run, or left
    something unreadable.
    """
    argv = shlex.split(command)
    with tempfile.NamedTemporaryFile("w", suffix=suffix, prefix="gpt-tui-", delete=False, encoding="utf-8") as file:
        file.write(text)
    path = Path(file.name)
    try:
        fault: OSError | None = None
        with aside(), _terminal_kept(), _signals_kept() as received:
            try:
                _run([*argv, file.name], received)
            except OSError as error:  # who stands aside does not come back from one
                fault = error
        if fault is not None:
            raise fault
        return path.read_text(encoding="utf-8")
    finally:
        path.unlink(missing_ok=True)


def _run(argv: list[str], received: list[int]) -> None:
    """Until the editor ends. Once a signal is received it has a moment to do so, and is then left behind."""
    process = subprocess.Popen(argv)
    while not received:
        with suppress(subprocess.TimeoutExpired):
            process.wait(LOOK_SECONDS)
            return
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(GRACE_SECONDS)


@contextmanager
def _signals_kept() -> Iterator[list[int]]:
    """The signals that come for the program meanwhile. They are obeyed afterwards, as they would have been.

    The loop's own handlers cannot run while the editor has the terminal. What its keys make of a signal goes to every
    program on it, and is meant for the editor.
    """
    received: list[int] = []

    def receive(number: int, _: object) -> None:
        if number not in (signal.SIGINT, getattr(signal, "SIGQUIT", None)) or not _keys_make_signals():
            received.append(number)

    wakeup = signal.set_wakeup_fd(-1)
    names = ("SIGTERM", "SIGHUP", "SIGINT", "SIGQUIT")
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    before = {number: signal.signal(number, receive) for number in numbers}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(wakeup)
        for number in received:
            signal.raise_signal(number)


def _keys_make_signals() -> bool:
    """Whether ctrl+c is a signal on the terminal now, and not a letter that the editor reads."""
    if sys.platform == "win32" or sys.__stdin__ is None:
        return True
    import termios

    try:
        return bool(termios.tcgetattr(sys.__stdin__.fileno())[3] & termios.ISIG)
    except (termios.error, OSError, ValueError):
        return False


@contextmanager
def _terminal_kept() -> Iterator[None]:
    """Give the terminal back its attributes, for an editor that came to a bad end does not."""
    if sys.platform == "win32" or sys.__stdin__ is None:
        yield
        return
    import termios

    try:
        terminal = sys.__stdin__.fileno()
        attributes = termios.tcgetattr(terminal)
    except (termios.error, OSError, ValueError):
        yield
        return
    try:
        yield
    finally:
        with suppress(termios.error):
            termios.tcsetattr(terminal, termios.TCSANOW, attributes)
