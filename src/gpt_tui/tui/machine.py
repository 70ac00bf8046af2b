"""What this process takes of the machine while it trains: memory and processor time."""

from __future__ import annotations

import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Machine:
    """memory: bytes held. use: per cent of one processor. None where it cannot be read."""

    memory: int | None = None
    use: float | None = None


NO_MACHINE = Machine()


class Meter:
    """Reads at most once in `every` seconds; in between it gives what it read last."""

    def __init__(self, every: float = 2.0) -> None:
        import psutil

        self._error = psutil.Error
        self._process = psutil.Process()
        self._every = every
        self._read_at = 0.0
        self._last = NO_MACHINE

    def read(self) -> Machine:
        now = time.monotonic()
        if now - self._read_at >= self._every:
            self._read_at = now
            try:
                self._last = Machine(self._process.memory_info().rss, self._process.cpu_percent())
            except (self._error, OSError):
                self._last = NO_MACHINE
        return self._last
