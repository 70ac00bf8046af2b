"""Work beside other work: what leaves Python's lock alone (hashing, writing, flushing) in a thread of its own."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any


class Beside:
    """Does one thing after another while its owner goes on. What it is given must not change before it is done.

    ahead: how much may wait; past that the owner waits, so that memory stays bounded
    """

    def __init__(self, ahead: int = 8):
        self._ahead = ahead
        self._thread = ThreadPoolExecutor(1)
        self._waiting: deque[Future[Any]] = deque()

    def __enter__(self) -> Beside:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._thread.shutdown(cancel_futures=True)

    def do(self, work: Callable[..., Any], *arguments: Any) -> None:
        """Have something done. Raises what something before it raised."""
        self._waiting.append(self._thread.submit(work, *arguments))
        while len(self._waiting) > self._ahead:
            self._waiting.popleft().result()

    def wait(self) -> None:
        """Return when everything is done. Raises what it raised."""
        while self._waiting:
            self._waiting.popleft().result()
