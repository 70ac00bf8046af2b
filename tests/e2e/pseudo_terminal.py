"""The real program in a real pseudo-terminal: keys in, a screen out, as a person has them.

A thread reads what the program writes, all the time and at any speed, and an emulator turns it into lines. It says that
it shows whole frames only (synchronised output), as modern terminals do, so no half-drawn frame is ever seen. Nobody
sleeps here: `wait` returns when something is true of the screen, and shows the screen when it never is.
"""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyte

from patience import PATIENCE
from program import command, environment

SHELL = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
KEYS = {
    "enter": b"\r", "esc": b"\x1b", "tab": b"\t", "space": b" ", "backspace": b"\x7f",
    "left": b"\x1b[D", "right": b"\x1b[C", "up": b"\x1b[A", "down": b"\x1b[B",
    "home": b"\x1b[H", "end": b"\x1b[F", "pageup": b"\x1b[5~", "pagedown": b"\x1b[6~",
}  # fmt: skip
ON_BY_DEFAULT = {7, 25}  # wrapping at the margin, and the cursor
FRAME_BEGINS, FRAME_ENDS = b"\x1b[?2026h", b"\x1b[?2026l"
ASKS_FOR_FRAMES, HAS_FRAMES = b"\x1b[?2026$p", b"\x1b[?2026;2$y"


def terminal_environment(place: Path, **more: str) -> dict[str, str]:
    """Everything under `place`, and a terminal that can do everything; nothing of the terminal the tests run in."""
    theirs = ("NO_COLOR", "FORCE_COLOR", "SSH_", "TMUX", "TEXTUAL", "LINES", "VISUAL", "EDITOR", "TERM_PROGRAM")
    kept = {name: value for name, value in environment(place).items() if not name.startswith(theirs)}
    mine = {
        "TERM": "xterm-256color",
        "COLORTERM": "truecolor",
        "GPT_TUI_STATE_DIR": str(place / "state"),
        "XDG_CACHE_HOME": str(place / "xdg-cache"),
        "XDG_DATA_HOME": str(place / "xdg-data"),
        "XDG_CONFIG_HOME": str(place / "xdg-config"),
    }
    return {**kept, **mine, **more}


class Terminal:
    """`gpt-tui` with these arguments, in the folder `place`, on a terminal of `columns` by `rows`.

    A context: nothing is left running after it.

    output: every byte that the program has written.
    """

    def __init__(
        self, place: Path, *arguments: str, columns: int = 80, rows: int = 24, argv: Sequence[str] = (), **environ: str
    ) -> None:
        self.output = bytearray()
        self._screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self._screen)
        self._held = b""  # a frame that is not whole yet
        self._changed = threading.Condition()
        self._ours, self._theirs = os.openpty()
        termios.tcsetwinsize(self._theirs, (rows, columns))
        self.attributes_before = termios.tcgetattr(self._theirs)
        # A session of its own that takes the terminal, so that resizing and hanging up reach it as signals.
        self.process = subprocess.Popen(
            [sys.executable, "-IS", "-c", SHELL, *(argv or command(*arguments))],
            stdin=self._theirs, stdout=self._theirs, stderr=self._theirs,
            start_new_session=True, cwd=place, env=terminal_environment(place, **environ),
        )  # fmt: skip
        self._stop_reading, self._asked_to_stop = os.pipe()
        self._reader = threading.Thread(target=self._read, name="terminal", daemon=True)
        self._reader.start()

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._end_reading()
        for descriptor in (self._ours, self._theirs, self._stop_reading, self._asked_to_stop):
            if descriptor >= 0:
                os.close(descriptor)

    def _read(self) -> None:
        while True:
            ready, _, _ = select.select([self._ours, self._stop_reading], [], [])
            if self._ours not in ready:
                return
            try:
                block = os.read(self._ours, 65536)
            except OSError:  # how Linux says that nobody has the other side open
                return
            with self._changed:
                self._take(block)
                self._changed.notify_all()

    def _take(self, block: bytes) -> None:
        before = max(0, len(self.output) - len(ASKS_FOR_FRAMES))
        self.output += block
        if self.output.find(ASKS_FOR_FRAMES, before) >= 0:
            os.write(self._ours, HAS_FRAMES)
        come = self._held + block
        whole = _whole(come)
        self._stream.feed(come[:whole])
        self._held = come[whole:]

    def _end_reading(self) -> None:
        os.write(self._asked_to_stop, b".")
        self._reader.join(PATIENCE)

    # What is seen ----------------------------------------------------------------------------------------------------

    @property
    def lines(self) -> list[str]:
        """The newest whole frame."""
        with self._changed:
            return list(self._screen.display)

    @property
    def text(self) -> str:
        return "\n".join(line.rstrip() for line in self.lines)

    @property
    def written(self) -> bytes:
        with self._changed:
            return bytes(self.output)

    def cells(self) -> list[list[pyte.screens.Char]]:
        """The newest whole frame, each cell with its colours."""
        with self._changed:
            buffer = self._screen.buffer
            return [[buffer[y][x] for x in range(self._screen.columns)] for y in range(self._screen.lines)]

    def wait(self, true: str | Callable[[], Any], seconds: float = PATIENCE) -> Any:
        """Wait until the screen has this text, or until this is true; what it then was. Fails where it never is."""
        seen = (lambda: true in self.text) if isinstance(true, str) else true
        end = time.monotonic() + seconds
        while not (found := seen()):
            left = end - time.monotonic()
            ended = self.process.poll() is not None
            if left <= 0 or ended:
                if ended and (found := seen()):
                    return found
                why = f"the program ended with status {self.process.returncode}" if ended else f"{seconds} s went by"
                what = repr(true) if isinstance(true, str) else "what was waited for"
                raise AssertionError(f"{why} without {what}; the screen:\n{self.text}")
            with self._changed:
                self._changed.wait(min(left, 0.05))
        return found

    # What is done ----------------------------------------------------------------------------------------------------

    def press(self, *keys: str) -> None:
        """Send keys, named or as they are written ("learning_rate" is thirteen keys)."""
        for key in keys:
            os.write(self._ours, KEYS.get(key, key.encode()))

    def resize(self, columns: int, rows: int) -> None:
        with self._changed:
            self._screen.resize(rows, columns)
            termios.tcsetwinsize(self._theirs, (rows, columns))

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def hang_up(self) -> None:
        """Close the terminal, as a person does who closes its window."""
        self._end_reading()
        os.close(self._ours)
        os.close(self._theirs)
        self._ours = self._theirs = -1

    # The end ---------------------------------------------------------------------------------------------------------

    def end(self, seconds: float = PATIENCE) -> int:
        """Wait for the program to leave, and for all that it wrote; its exit status."""
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the program did not leave within {seconds} s; the screen:\n{self.text}") from None
        if self._ours >= 0:
            termios.tcdrain(self._theirs)
            self._let_reader_catch_up()
        return status

    def assert_ends(self, status: int = 0) -> None:
        """The program leaves with this status, and not by an error."""
        found = self.end()
        assert found == status, f"it ended with {found}, not {status}:\n{self.afterwards}"
        assert "Traceback" not in self.afterwards, self.afterwards

    def _let_reader_catch_up(self) -> None:
        """What the program wrote last may still lie in the terminal; a mark behind it says when all of it is read."""
        mark = b"\x1b]0;end\x07"
        os.write(self._theirs, mark)
        self.wait_for_bytes(mark)

    def wait_for_bytes(self, wanted: bytes) -> None:
        end = time.monotonic() + PATIENCE
        with self._changed:
            while wanted not in self.output and time.monotonic() < end:
                self._changed.wait(0.05)
            assert wanted in self.output

    @property
    def afterwards(self) -> str:
        """What was written once the program's screen was gone."""
        return self.written.rpartition(b"\x1b[?1049l")[2].partition(b"\x1b]0;end")[0].decode(errors="replace")

    def assert_restored(self) -> None:
        """The terminal is as it was: its attributes, its own screen, no mouse, no paste marks, a cursor."""
        assert termios.tcgetattr(self._theirs) == self.attributes_before
        written = self.written
        assert b"\x1b[?1049h" in written, "the program never took a screen of its own"
        modes: dict[int, bool] = {}
        for numbers, switch in re.findall(rb"\x1b\[\?([\d;]+)([hl])", written):
            for number in numbers.split(b";"):
                modes[int(number)] = switch == b"h"
        left = {mode: on for mode, on in modes.items() if on != (mode in ON_BY_DEFAULT)}
        assert not left, f"private modes left as the program set them: {left}"
        taken, given_back = re.findall(rb"\x1b\[>\d+u", written), re.findall(rb"\x1b\[<u", written)
        assert len(taken) == len(given_back), "the keyboard protocol was not given back"


def _whole(come: bytes) -> int:
    """How many of these bytes belong to whole frames."""
    begins = come.rfind(FRAME_BEGINS)
    if begins > come.rfind(FRAME_ENDS):
        return begins
    started = come.rfind(b"\x1b", max(0, len(come) - len(FRAME_BEGINS)))
    return started if started >= 0 and FRAME_BEGINS.startswith(come[started:]) else len(come)
