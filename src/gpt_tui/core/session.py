"""The worker thread of a run, new or resumed: a desk with somebody behind it."""

from __future__ import annotations

import threading
import time
import traceback

from gpt_tui.core.activity import SAVING
from gpt_tui.core.commands import (
    Command,
    Desk,
    EditFields,
    Lend,
    Lent,
    Outcome,
    Pause,
    Plan,
    Reader,
    Resume,
    Save,
    SingleStep,
    SkipLook,
    Snapshot,
    Stop,
)
from gpt_tui.core.errors import GptTuiError
from gpt_tui.core.memory import keep_freed_memory, release

__all__ = [
    "Command",
    "EditFields",
    "Lend",
    "Lent",
    "Outcome",
    "Pause",
    "Plan",
    "Reader",
    "Resume",
    "Save",
    "Session",
    "SingleStep",
    "SkipLook",
    "Snapshot",
    "Stop",
]


BEGINNING_SECONDS = 0.5  # how long a stop waits for what is done before there is a run: it has nothing to save
SAVING_SECONDS = 60.0  # how long it waits for a checkpoint that is being written, beside what a slow disk needs for it
SLOW_DISK = 20e6  # bytes a second
BYTES_SAVED = 12  # a parameter: it and what AdamW keeps of it, in float32


class Session(Desk):
    """Owns the worker thread of one run. All but `join` returns at once."""

    def __init__(self, plan: Plan):
        super().__init__(plan)
        self._thread = threading.Thread(target=self._work, name="gpt-tui worker", daemon=True)
        self._ended = threading.Event()
        self._patience: Patience | None = None

    def start(self) -> None:
        keep_freed_memory()  # before that thread has memory of its own
        self._thread.start()

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def join(self, timeout: float | None = None) -> bool:
        """Wait for the worker to end, at most `timeout` seconds; whether it has."""
        if not self._ended.wait(timeout):  # a join that ctrl+c interrupts would take the thread for ended (Python 3.11)
            return False
        self._thread.join()
        return True

    def leave(self, seconds: float) -> bool:
        """Stop as a signal does, and wait for the worker to save: at most `seconds` for what it is deep in, longer for
        a checkpoint that is being written, hardly for what comes before a run. Whether it has ended.

        Whoever calls it as well waits no longer than the first.
        """
        self.submit(Stop("signal"))
        patience = self._patience = self._patience or Patience(self, seconds)
        while not self.join(0.05):
            if patience.is_over():
                return False
        return True

    def _work(self) -> None:
        try:
            from gpt_tui.core.worker import Worker  # with all that reading data takes; the first frame does not wait

            outcome = Worker(self).run()
        except BaseException as error:  # noqa: BLE001 - whoever waits for the session must learn that it is over
            self.show(state="FAILED", activity="")
            outcome = Outcome("failed", error=GptTuiError(str(error)), traceback=traceback.format_exc())
        self.close(outcome)
        if self.plan.attended:  # the program goes on, and so may others
            release("cpu")
        self._ended.set()


class Patience:
    """How long somebody who wants to leave waits for a session: see `Session.leave`."""

    def __init__(self, session: Session, seconds: float):
        self._session = session
        self._seconds = seconds
        self._since = time.monotonic()
        self._saving_since: float | None = None

    def is_over(self) -> bool:
        snapshot, now = self._session.snapshot, time.monotonic()
        if snapshot.activity == SAVING:
            began = self._saving_since = self._saving_since or now
            self._since = now
            return now - began >= SAVING_SECONDS + snapshot.parameters * BYTES_SAVED / SLOW_DISK
        self._saving_since = None
        beginning = snapshot.state == "PREPARING"
        return now - self._since >= (min(BEGINNING_SECONDS, self._seconds) if beginning else self._seconds)
