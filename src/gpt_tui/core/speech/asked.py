"""A thread that does what was asked last: what a voice and an insight have in common."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from typing import Generic, TypeVar

from gpt_tui.core.device import resolve_device
from gpt_tui.core.errors import GptTuiError
from gpt_tui.core.memory import release, shortage

Wish = TypeVar("Wish")
Told = TypeVar("Told")


class Unwanted(Exception):
    """Something else is asked, or nothing."""


class Asked(ABC, Generic[Wish, Told]):
    """What is asked of it returns at once; `_told` is what has become of what was asked last.

    Wishes are told apart by what they are, not by what they say.
    """

    def __init__(self, told: Told, name: str, failing: str):
        """name: of the thread. failing: what an error that nobody foresaw means, in words."""
        self._changed = threading.Condition()
        self._wish: Wish | None = None
        self._told = told
        self._closed = False
        self._thread: threading.Thread | None = None
        self._name = name
        self._failing = failing

    def stop(self) -> None:
        """Do no more; what was told stays."""
        with self._changed:
            self._wish = None
            self._told = self._stopped(self._told)
            self._changed.notify_all()

    def close(self) -> None:
        """Stop for good; the thread lets go of the models, and ends, once it is out of what it computes."""
        self.stop()
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _ask(self, wish: Wish, told: Told) -> None:
        """told: what is told until there is more."""
        with self._changed:
            if self._closed:
                return
            self._wish, self._told = wish, told
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name=self._name, daemon=True)
                self._thread.start()
            self._changed.notify_all()

    # The thread ------------------------------------------------------------------------------------------------------

    @abstractmethod
    def _do(self, wish: Wish) -> None:
        """May raise Unwanted, and anything else."""

    @abstractmethod
    def _let_go(self) -> None:
        """Of all that is held."""

    @abstractmethod
    def _stopped(self, told: Told) -> Told:
        """What is told from now on."""

    @abstractmethod
    def _failed(self, told: Told, why: str) -> Told:
        """What is told from now on. why: a sentence."""

    def _work(self) -> None:
        done: Wish | None = None
        while (wish := self._next(done)) is not None:
            try:
                self._do(wish)
            except Unwanted:
                pass
            except GptTuiError as error:
                self._fail(wish, str(error))
            except Exception as error:  # noqa: BLE001 - told where the answer would stand
                self._fail(wish, self._explained(error))
            done = wish
        self._let_go()

    def _next(self, done: Wish | None) -> Wish | None:
        """The wish that is not fulfilled yet, once there is one; None when there will be no more."""
        with self._changed:
            while not self._closed and (self._wish is None or self._wish is done):
                self._changed.wait()
            return None if self._closed else self._wish

    def _show(self, wish: Wish, told: Told) -> None:
        """Raises Unwanted where nobody waits for it any more."""
        with self._changed:
            if self._wish is not wish:
                raise Unwanted
            self._told = told

    def _fail(self, wish: Wish, why: str) -> None:
        try:
            self._show(wish, self._failed(self._told, why))
        except Unwanted:
            pass  # what went wrong with it concerns nobody now

    def _explained(self, error: Exception) -> str:
        told = shortage(error, f"{self._failing}, for want of memory", device := resolve_device("auto"))
        if told is None:
            return f"{self._failing}: {type(error).__name__}: {error}"
        release(device)
        return str(told)
