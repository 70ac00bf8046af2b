"""What Generate asks of the shelf beside the screen: what a run, or the newest, could speak with, and its beginning."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from textual.message import Message

from gpt_tui.core.errors import GptTuiError
from gpt_tui.tui.shelf_checkpoints import Choice, Speaking, beginning, newest, speaking


class Known(Message):
    """What was found of a run; None where there is none. asked: the number of the question."""

    def __init__(self, found: Speaking | None, asked: int, error: str = "") -> None:
        super().__init__()
        self.found = found
        self.asked = asked
        self.error = error


class Began(Message):
    """What a run began with; None where there is none of it to speak, and why not."""

    def __init__(self, path: Path, found: Choice | None, why_not: str) -> None:
        super().__init__()
        self.path = path
        self.found = found
        self.why_not = why_not


class ShelfQuestions:
    """tell: is called with the answers, in threads of their own. asked: the number of the latest `look_up`."""

    def __init__(self, runs_dir: Path, tell: Callable[[Message], object]) -> None:
        self.asked = 0
        self._runs_dir = runs_dir
        self._tell = tell

    def look_up(self, path: Path | None) -> None:
        """What is known of a run, or of the newest one: `Known`."""
        self.asked += 1
        threading.Thread(target=self._read, args=(path, self.asked), name="generate-shelf", daemon=True).start()

    def _read(self, path: Path | None, asked: int) -> None:
        from gpt_tui.core.runs import Run

        try:
            found = newest(self._runs_dir) if path is None else speaking(Run.open(path))
        except GptTuiError as error:
            self._tell(Known(None, asked, str(error)))
        else:
            self._tell(Known(found, asked))

    def find_beginning(self, path: Path) -> None:
        """What a run began with: `Began`."""
        threading.Thread(target=self._read_beginning, args=(path,), name="generate-beginning", daemon=True).start()

    def _read_beginning(self, path: Path) -> None:
        from gpt_tui.core.runs import Run

        try:
            found = beginning(Run.open(path))
        except GptTuiError as error:
            self._tell(Began(path, None, str(error)))
        else:
            self._tell(Began(path, found, NO_CHECKPOINT))


NO_CHECKPOINT = "This run has no checkpoint yet that a second voice could speak with."
