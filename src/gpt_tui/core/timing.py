"""How long things take: the seconds of a run, moving averages, and how far what is being done has come."""

from __future__ import annotations

import math
import time

from gpt_tui.core.commands import Desk

PACE_SECONDS = 0.3  # of an activity, before its pace says how long the rest takes


class Clock:
    """Seconds of work since the run began, over every sitting; waiting in a pause does not count."""

    def __init__(self, seconds: float):
        self._before = seconds
        self._since: float | None = time.perf_counter()
        self._first = seconds

    @property
    def seconds(self) -> float:
        return self._before + (time.perf_counter() - self._since if self._since is not None else 0.0)

    @property
    def this_session(self) -> float:
        return self.seconds - self._first

    def stop(self) -> None:
        self._before, self._since = self.seconds, None

    def go(self) -> None:
        if self._since is None:
            self._since = time.perf_counter()


class Rate:
    """A moving average that is right from its first value on."""

    def __init__(self, memory: float = 0.95):
        self._memory = memory
        self._sum = self._weight = 0.0

    def add(self, value: float) -> float:
        self._sum = self._memory * self._sum + value
        self._weight = self._memory * self._weight + 1
        return self.value

    @property
    def value(self) -> float:
        return self._sum / self._weight if self._weight else math.nan


class Progress:
    """Shows on the desk what is being done, how far it is, and how long the rest takes at the pace so far."""

    def __init__(self, desk: Desk):
        self._desk = desk
        self._activity: tuple[str, int | None] = ("", None)
        self._began = (0.0, 0)  # when the present activity began, and how far it was then

    def show(self, activity: str, done: int = 0, total: int | None = None) -> None:
        now = time.perf_counter()
        if self._activity != (activity, total):
            self._activity, self._began = (activity, total), (now, done)
        since, first = self._began
        known = total is not None and done > first and now - since >= PACE_SECONDS
        left = (now - since) / (done - first) * (total - done) if known and total is not None else None
        self._desk.show(activity=activity, done=done, total=total, since=since, left=left)
