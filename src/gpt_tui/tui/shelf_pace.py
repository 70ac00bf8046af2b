"""How fast runs went here, looked up on the shelf beside the screen."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from gpt_tui.core.config import RunConfig
from gpt_tui.core.cost import Pace
from gpt_tui.core.errors import GptTuiError


class PaceLookUp:
    """Looks for one pace at a time in a thread of its own; what was asked last is what is answered.

    `answer` is called in that thread. The runs directory is read, nothing is written, and torch is not imported.
    """

    def __init__(self, runs_dir: Path, answer: Callable[[Pace | None], object]) -> None:
        self._runs_dir = runs_dir
        self._answer = answer
        self._asked = 0

    def ask(self, config: RunConfig, vocab_size: int) -> None:
        self._asked += 1
        threading.Thread(
            target=self._work, args=(config, vocab_size, self._asked), name="shelf-pace", daemon=True
        ).start()

    def stop(self) -> None:
        """What is being looked for is not wanted any more."""
        self._asked += 1

    def _work(self, config: RunConfig, vocab_size: int, asked: int) -> None:
        from gpt_tui.core.device import physical_cores, processor_name
        from gpt_tui.core.runs import Shelf, find_pace

        try:
            found = find_pace(Shelf(self._runs_dir), config, vocab_size, processor_name(), physical_cores())
        except GptTuiError:
            found = None  # a shelf that cannot be read says so where its runs are wanted; here time is then estimated
        if asked == self._asked:
            self._answer(found)
