"""A program in a pseudo-terminal, as a benchmark needs it: what it writes is taken at once, told the time of, and kept.

What was written is looked at when all is over, so that the one who looks on takes as little as may be from what is
measured. It says that it shows whole frames only (synchronised output), as modern terminals do.
"""

from __future__ import annotations

import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

SIZE = (120, 40)
FRAME_ENDS, ASKS_FOR_FRAMES, HAS_FRAMES = b"\x1b[?2026l", b"\x1b[?2026$p", b"\x1b[?2026;2$y"
TAKES_TERMINAL = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
)
PATIENCE = 300.0  # seconds for what is waited for
MUCH = 2000  # bytes: more than a few lines of cells


class Terminal:
    """`command` on a terminal of `size`, with a home under `place`. A context: it is killed on leaving.

    began: when it was started, as all times here in seconds of time.perf_counter
    """

    def __init__(self, command: Sequence[str], place: Path, size: tuple[int, int] = SIZE) -> None:
        import termios

        self._ours, theirs = os.openpty()
        termios.tcsetwinsize(theirs, (size[1], size[0]))
        self._came: list[tuple[float, bytes]] = []
        self._changed = threading.Condition()
        self.began = time.perf_counter()
        self.process = subprocess.Popen(
            [sys.executable, "-IS", "-c", TAKES_TERMINAL, *command], stdin=theirs, stdout=theirs, stderr=theirs,
            start_new_session=True, env=environment(place),
        )  # fmt: skip
        os.close(theirs)
        self._stop_reading, self._asked_to_stop = os.pipe()
        self._reader = threading.Thread(target=self._read, name="terminal", daemon=True)
        self._reader.start()

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        os.write(self._asked_to_stop, b".")
        self._reader.join()
        for descriptor in (self._ours, self._stop_reading, self._asked_to_stop):
            os.close(descriptor)

    def _read(self) -> None:
        while True:
            if self._stop_reading in select.select([self._ours, self._stop_reading], [], [])[0]:
                return
            try:
                block = os.read(self._ours, 1 << 16)
            except OSError:  # how Linux says that nobody has the other side open
                block = b""
            if not block:
                return
            if ASKS_FOR_FRAMES in block:
                os.write(self._ours, HAS_FRAMES)
            with self._changed:
                self._came.append((time.perf_counter(), block))
                self._changed.notify_all()

    def press(self, keys: str) -> float:
        """When they were sent."""
        now = time.perf_counter()
        os.write(self._ours, keys.encode())
        return now

    def frames(self) -> list[tuple[float, bytes]]:
        """Every frame so far that is whole, with what was written before it, and when its end came."""
        with self._changed:
            return list(_frames(self._came))

    def first_frame(self, shown: Sequence[bytes] = ()) -> float:
        """When more than a few lines of cells had come, and all of `shown` with them.

        Not when the frame was said to end: a program does not say so until it knows that the terminal understands it.
        """
        end = time.perf_counter() + PATIENCE
        while True:
            with self._changed:
                seen = len(self._came)
                if (at := _full(self._came, shown)) is not None:
                    return at
            if self.process.poll() is not None or time.perf_counter() > end:
                written = b"".join(block for _, block in self._came).decode(errors="replace")
                raise SystemExit(f"no frame within {PATIENCE:.0f} s, or before it ended: {written[-1000:]}")
            with self._changed:
                self._changed.wait_for(lambda seen=seen: len(self._came) > seen, 0.5)


def _full(came: Sequence[tuple[float, bytes]], shown: Sequence[bytes]) -> float | None:
    """When more than a few lines of cells had come, and all of `shown`."""
    written = b""
    for at, block in came:
        written += block
        if len(written) >= MUCH and all(text in written for text in shown):
            return at
    return None


def _frames(came: Sequence[tuple[float, bytes]]) -> Iterator[tuple[float, bytes]]:
    held = b""
    for at, block in came:
        *whole, held = (held + block).split(FRAME_ENDS)
        for frame in whole:
            yield at, frame + FRAME_ENDS


def environment(place: Path) -> dict[str, str]:
    """That of a person at a terminal of this machine who has never been here: nothing of ours but under `place`."""
    home = {name: str(place / "home") for name in ("HOME", "GPT_TUI_STATE_DIR", "GPT_TUI_RUNS_DIR")}
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SSH_", "TMUX", "NO_COLOR"))}
    return {**kept, **home, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
