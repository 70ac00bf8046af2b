"""The state a run is in, as every part of the screen says it: one word, and what is being done meanwhile."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from textual.content import Content

from gpt_tui.core.activity import SKIPPABLE
from gpt_tui.tui import figures
from gpt_tui.tui.theme import LOOKS

if TYPE_CHECKING:
    from gpt_tui.core.session import Snapshot

LONG = 2.0  # seconds from which what is being done says how long it takes
ENDED = ("FINISHED", "STOPPED", "FAILED", "INTERRUPTED")
_BEFORE = ("PREPARING", "OPENING")  # what is done then is all there is to say
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

    done, total: how much of the activity is done, where that is known. took, left: seconds that it took and takes.
    """

    word: str
    activity: str = ""
    done: int = 0
    total: int | None = None
    took: float = 0.0
    left: float | None = None

    @classmethod
    def of_snapshot(cls, snapshot: Snapshot) -> State:
        """Of a run in this process: a request that is pending is said until it is done."""
        if snapshot.state in ENDED:
            return cls(snapshot.state)
        word = snapshot.pending if snapshot.pending in _PENDING else snapshot.state
        activity = "" if snapshot.activity == "training" else snapshot.activity
        took = time.perf_counter() - snapshot.since if snapshot.since is not None else 0.0
        return cls(word, activity, snapshot.done, snapshot.total, took, snapshot.left)

    @classmethod
    def on_disk(cls, state: str) -> State:
        """Of a run that is read from its directory."""
        return cls(_ON_DISK[state])

    @property
    def ended(self) -> bool:
        return self.word in ENDED

    @property
    def takes_long(self) -> bool:
        """Whether what is done meanwhile takes long enough to say how long."""
        return bool(self.activity) and (self.took >= LONG or (self.left or 0) >= LONG)

    @property
    def skippable(self) -> bool:
        """Whether what is done meanwhile can be left out."""
        return self.activity in SKIPPABLE

    @property
    def share(self) -> float | None:
        return self.done / self.total if self.total else None

    def progress(self) -> str:
        """The activity and how far it is: "downloading shakespeare 43 %, 0:12 left", "loading torch 4 s"."""
        if not self.activity:
            return ""
        if self.share is not None:
            left = f", {figures.duration(self.left)} left" if self.left is not None and self.left >= LONG else ""
            return f"{self.activity} {min(self.share, 1):.0%}{left}"
        done = f" {figures.count(self.done)}" if self.done else ""
        return f"{self.activity}{done}" + (f" {self.took:.0f} s" if self.took >= LONG else "")

    def shown(self, room: int) -> Content:
        """The word, and as much of the activity as can be said in so many cells."""
        look = LOOKS[self.word]
        said = Content.styled(f"{look.glyph} {self.word}", f"bold {look.colour}")
        if self.word not in _BEFORE and not self.takes_long:  # what is over at once only flickers
            return said
        for progress in (self.progress(), replace(self, activity=self.activity.partition(" ")[0]).progress()):
            whole = said + Content.styled(f" {progress}", "$text-muted")
            if progress and whole.cell_length <= room:
                return whole
        return said
