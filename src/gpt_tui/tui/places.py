"""The evaluations of a run, as the Samples view goes through them, each with what was recorded at it."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gpt_tui.tui.watched import config_of

if TYPE_CHECKING:
    from gpt_tui.core.events import Eval, Sample, Surprise
    from gpt_tui.core.runs import History


@dataclass(frozen=True)
class Place:
    """One evaluation of the run, with what was recorded at it."""

    eval: Eval
    sample: Sample | None
    surprise: Surprise | None

    @property
    def step(self) -> int:
        return self.eval.step


class Places:
    """Those that a history has when this is made, in their order. ended: whether the run is over."""

    def __init__(self, history: History | None = None, ended: bool = False) -> None:
        self.history = history
        self.ended = ended
        self._places: list[Place] = []
        if history is not None:
            samples = {sample.step: sample for sample in history.samples}
            surprises = {surprise.step: surprise for surprise in history.surprises}
            self._places = [Place(e, samples.get(e.step), surprises.get(e.step)) for e in history.evals]

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[Place]:
        return iter(self._places)

    def __getitem__(self, at: int) -> Place:
        return self._places[at]

    @property
    def newest(self) -> int:
        """The newest evaluation; the one before while what is recorded with it is still to come."""
        last = len(self) - 1
        if last == 0 or self.ended:
            return last
        before, here = self._places[last - 1 :]
        coming = (here.sample is None and before.sample) or (here.surprise is None and before.surprise)
        return last - 1 if coming else last

    def nearest_to(self, step: int) -> int:
        steps = [place.step for place in self]
        after = min(bisect_left(steps, step), len(steps) - 1)
        return max(0, after - 1) if abs(steps[after - 1] - step) < abs(steps[after] - step) else after

    @property
    def end(self) -> int:
        """The last step that the run is going to have, or has had."""
        config = config_of(self.history) if self.history is not None else None
        last = self._places[-1].step
        return last if config is None or self.ended else max(last, config.training.max_iters)

    @property
    def expected(self) -> int:
        """How many evaluations the whole run will have had."""
        config = config_of(self.history) if self.history is not None else None
        left = self.end - self._places[-1].step
        return len(self) + (math.ceil(left / config.training.eval_interval) if config is not None else 0)

    @property
    def passage(self) -> str:
        """The text whose surprise is recorded."""
        started = self.history.started if self.history is not None else None
        return started.passage if started is not None else ""
