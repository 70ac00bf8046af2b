"""How often the screen is drawn: so that drawing takes a small, steady share of the time, whatever it costs here."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping

SHARE = 0.02  # of the wall time, at most, goes into drawing
FASTEST, SLOWEST, OVER_SSH = 1 / 15, 1 / 2, 1 / 5


class Pace:
    """Ask `next` after each drawing; it gives the seconds until the following one.

    What drawing costs is the processor time of the thread that draws, from one call to the next. busy: whether more is
    to be expected soon.
    """

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self._fastest = OVER_SSH if environ.get("SSH_CONNECTION") or environ.get("SSH_TTY") else FASTEST
        self._spent = time.thread_time()
        self._cost = 0.0

    def next(self, busy: bool = True) -> float:
        now = time.thread_time()
        spent, self._spent = now - self._spent, now
        self._cost = self._cost * 0.8 + spent * 0.2
        return min(max(self._cost / SHARE, self._fastest), SLOWEST) if busy else SLOWEST
