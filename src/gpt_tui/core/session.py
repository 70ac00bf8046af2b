"""The worker thread of a run, new or resumed: a desk with somebody behind it."""

from __future__ import annotations

import threading
import traceback

from gpt_tui.core.commands import (
    Command,
    Desk,
    EditFields,
    Outcome,
    Pause,
    Plan,
    Reader,
    Resume,
    Save,
    SingleStep,
    Snapshot,
    Stop,
)
from gpt_tui.core.errors import GptTuiError

__all__ = [
    "Command",
    "EditFields",
    "Outcome",
    "Pause",
    "Plan",
    "Reader",
    "Resume",
    "Save",
    "Session",
    "SingleStep",
    "Snapshot",
    "Stop",
]


class Session(Desk):
    """Owns the worker thread of one run. All but `join` returns at once."""

    def __init__(self, plan: Plan):
        super().__init__(plan)
        self._thread = threading.Thread(target=self._work, name="gpt-tui worker", daemon=True)

    def start(self) -> None:
        self._thread.start()

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def join(self, timeout: float | None = None) -> bool:
        """Wait for the worker to end, at most `timeout` seconds; whether it has."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _work(self) -> None:
        try:
            from gpt_tui.core.worker import Worker  # with all that reading data takes; the first frame does not wait

            outcome = Worker(self).run()
        except BaseException as error:  # noqa: BLE001 - whoever waits for the session must learn that it is over
            self.show(state="FAILED", activity="")
            outcome = Outcome("failed", error=GptTuiError(str(error)), traceback=traceback.format_exc())
        self.close(outcome)
