"""The state a run is in, as every part of the screen says it: one word, and what is being done meanwhile."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from textual.content import Content

from gpt_tui.tui import figures
from gpt_tui.tui.theme import LOOKS

if TYPE_CHECKING:
    from gpt_tui.core.session import Snapshot

ENDED = ("FINISHED", "STOPPED", "FAILED", "INTERRUPTED")
_PENDING = ("PAUSING", "STOPPING", "RESUMING", "SAVING")
_ON_DISK = {
    "live": "TRAINING",
    "finished": "FINISHED",
    "stopped": "STOPPED",
    "interrupted": "INTERRUPTED",
    "failed": "FAILED",
}


@dataclass(frozen=True)
class State:
    """word: one of theme.LOOKS. activity: what is done meanwhile, "" when the word says it all.

    done, total: how much of the activity is done, where that is known.
    """

    word: str
    activity: str = ""
    done: int = 0
    total: int | None = None

    @classmethod
    def of_snapshot(cls, snapshot: Snapshot) -> State:
        """Of a run in this process: a request that is pending is said until it is done."""
        if snapshot.state in ENDED:
            return cls(snapshot.state)
        if snapshot.pending in _PENDING:
            return cls(snapshot.pending)
        activity = "" if snapshot.activity == "training" or snapshot.state == "PAUSED" else snapshot.activity
        return cls(snapshot.state, activity, snapshot.done, snapshot.total)

    @classmethod
    def on_disk(cls, state: str) -> State:
        """Of a run that is read from its directory."""
        return cls(_ON_DISK[state])

    @property
    def ended(self) -> bool:
        return self.word in ENDED

    @property
    def share(self) -> float | None:
        return self.done / self.total if self.total else None

    def progress(self) -> str:
        """The activity and how far it is: "downloading shakespeare 43 %"."""
        if not self.activity:
            return ""
        if self.share is not None:
            return f"{self.activity} {min(self.share, 1):.0%}"
        return f"{self.activity} {figures.count(self.done)}" if self.done else self.activity

    def shown(self, room: int) -> Content:
        """The word, and as much of the activity as can be said in so many cells."""
        look = LOOKS[self.word]
        said = Content.styled(f"{look.glyph} {self.word}", f"bold {look.colour}")
        for progress in (self.progress(), replace(self, activity=self.activity.partition(" ")[0]).progress()):
            whole = said + Content.styled(f" {progress}", "$text-muted")
            if progress and whole.cell_length <= room:
                return whole
        return said
