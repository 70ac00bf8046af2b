"""What long work in this room is given: somewhere to report to, and the question whether to stop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gpt_tui.core.errors import GptTuiError

# progress(phase, done, total): bytes while downloading, checking (a folder), reading, tokenizing and counting, rungs
# for the ladder; total is None where it is not known.
Progress = Callable[[str, int, int | None], None]
ShouldStop = Callable[[], bool]


class Stopped(GptTuiError):
    """The person asked for the work to stop; nothing half done is left behind."""

    def __init__(self) -> None:
        super().__init__("Stopped while the dataset was being prepared.")


@dataclass(frozen=True)
class Watch:
    """Who is told how far the work is, and who can end it."""

    progress: Progress | None = None
    should_stop: ShouldStop | None = None

    def check(self) -> None:
        """Raise Stopped where the person has asked to stop."""
        if self.should_stop is not None and self.should_stop():
            raise Stopped

    def report(self, phase: str, done: int, total: int | None = None) -> None:
        """Tell how far the work is; raises Stopped as `check` does."""
        self.check()
        if self.progress is not None:
            self.progress(phase, done, total)
