"""Which checkpoints of a run lie on the disk, looked up beside the screen."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

from gpt_tui.core.errors import GptTuiError

LOOK_EVERY = 2.0  # seconds between two looks at the same run


class KeptLookUp:
    """Looks for one run's checkpoints at a time, in a thread of its own; what was asked last is what is answered.

    `answer` is called in that thread, with the steps that have one; with None where the run cannot be read.
    """

    def __init__(self, answer: Callable[[frozenset[int] | None], object]) -> None:
        self._answer = answer
        self._asked = 0
        self._state: tuple[Path, object] | None = None
        self._looked = 0.0

    def want(self, path: Path, state: object) -> None:
        """Look where that has not been done for this state of the run; too soon after the last look, a later call does.

        state: something that is another whenever the run has saved
        """
        now = time.monotonic()
        if (path, state) == self._state:
            return
        if self._state is not None and self._state[0] == path and now - self._looked < LOOK_EVERY:
            return
        self._state, self._looked = (path, state), now
        self._asked += 1
        threading.Thread(target=self._work, args=(path, self._asked), name="kept-checkpoints", daemon=True).start()

    def forget(self) -> None:
        """What is being looked for is not wanted any more."""
        self._asked += 1
        self._state = None

    def _work(self, path: Path, asked: int) -> None:
        from gpt_tui.core.runs import Run

        steps: frozenset[int] | None
        try:
            steps = frozenset(info.step for info in Run.open(path).checkpoints())
        except GptTuiError:
            steps = None  # what the run's log says of them is what is known then
        if asked == self._asked:
            self._answer(steps)
