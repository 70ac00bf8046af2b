"""A real pseudo-terminal for a Python program, its screen drawn by pyte."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time

import pyte


class Terminal:
    """`code` runs with `arguments` in a terminal of its own. Use as a context manager; what still runs is ended."""

    def __init__(self, code: str, *arguments: str, columns: int = 100, rows: int = 30) -> None:
        self.screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self.screen)
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self._slave = slave
        self.before = termios.tcgetattr(slave)
        self.sent = b""
        environment = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor", "OMP_NUM_THREADS": "1"}
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, *arguments],
            stdin=slave, stdout=slave, stderr=slave, env=environment, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )  # fmt: skip

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        self.close()

    def close(self) -> None:
        """The window is closed: the program loses its terminal."""
        for number in (self.master, self._slave):
            try:
                os.close(number)
            except OSError:
                pass
        self.master = self._slave = -1

    def press(self, keys: str) -> None:
        os.write(self.master, keys.encode())

    def read(self, seconds: float = 0.05) -> None:
        """Draw what has come."""
        while self.master >= 0 and select.select([self.master], [], [], seconds)[0]:
            try:
                data = os.read(self.master, 65536)
            except OSError:
                return
            self.sent += data
            self._stream.feed(data)
            seconds = 0

    @property
    def text(self) -> str:
        return "\n".join(self.screen.display)

    def until(self, words: str, seconds: float = 60) -> None:
        end = time.monotonic() + seconds
        while words not in self.text:
            assert time.monotonic() < end, f"waited in vain for {words!r}; the screen:\n{self.text}"
            assert self.process.poll() is None, f"ended before {words!r} came; the screen:\n{self.text}"
            self.read()

    def end(self, seconds: float = 30) -> int:
        """Wait for the program to end; its exit status, or minus the signal that ended it."""
        limit = time.monotonic() + seconds
        while self.process.poll() is None:
            assert time.monotonic() < limit, f"does not end; the screen:\n{self.text}"
            self.read()
        self.read()
        return self.process.returncode

    @property
    def restored(self) -> bool:
        """Whether the terminal is as it was: the first screen, a cursor, lines and echo, no mouse."""
        last = {mode: self.sent.rfind(mode) for mode in (b"\x1b[?1049h", b"\x1b[?1049l", b"\x1b[?25l", b"\x1b[?25h")}
        modes = last[b"\x1b[?1049l"] > last[b"\x1b[?1049h"] and last[b"\x1b[?25h"] > last[b"\x1b[?25l"]
        mouse = self.sent.rfind(b"\x1b[?1003l") > self.sent.rfind(b"\x1b[?1003h")
        return modes and mouse and termios.tcgetattr(self._slave) == self.before
