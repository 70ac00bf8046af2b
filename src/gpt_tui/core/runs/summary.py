"""One run in a list, in a line's worth of words and numbers. Imports nothing that takes time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

RunState = Literal["live", "finished", "stopped", "interrupted", "failed"]


@dataclass(frozen=True)
class RunSummary:
    """The fields of `runs --json`. A loss that is not there or not finite is None."""

    name: str
    title: str
    path: str
    state: RunState
    step: int
    max_iters: int
    val_loss: float | None
    best_val_loss: float | None
    best_step: int | None
    parameters: int
    dataset: str
    created: str
