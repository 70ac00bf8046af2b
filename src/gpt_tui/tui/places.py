"""The evaluations of a run, as the Samples view goes through them, each with what was recorded at it."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gpt_tui.core.events import Finished
from gpt_tui.tui.watched import config_of

if TYPE_CHECKING:
    from gpt_tui.core.events import Eval, Sample, Surprise
    from gpt_tui.core.runs import History, Origin


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
    """Those that a history has when this is made, in their order.

    ended: whether the run is over. origin: of a fork, the untrained model that it comes from, once that is known.
    """

    def __init__(self, history: History | None = None, ended: bool = False, origin: Origin | None = None) -> None:
        self.history = history
        self.ended = ended
        self.origin = origin
        self._places: list[Place] = []
        if history is not None:
            samples = {sample.step: sample for sample in history.samples}
            surprises = {surprise.step: surprise for surprise in history.surprises}
            self._places = [Place(e, samples.get(e.step), surprises.get(e.step)) for e in history.evals]
        self._untrained = self._of_origin(origin) if origin is not None else None

    def _of_origin(self, origin: Origin) -> Place:
        return Place(origin.eval, origin.sample, origin.surprise if origin.passage == self.passage else None)

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[Place]:
        return iter(self._places)

    def __getitem__(self, at: int) -> Place:
        return self._places[at]

    @property
    def first(self) -> Place:
        """What all others are beside: the untrained model, of a fork its parent's; without that the first one here."""
        return self._untrained or self._places[0]

    @property
    def newest(self) -> int:
        """The newest evaluation; the one before while what is recorded with it is still to come."""
        last = len(self) - 1
        if last == 0 or not self._is_under_way(self._places[last]):
            return last
        before, here = self._places[last - 1 :]
        coming = (here.sample is None and before.sample) or (here.surprise is None and before.surprise)
        return last - 1 if coming else last

    @property
    def newest_written(self) -> int:
        """The newest of those up to `newest` that have a sample, or `newest` where none has."""
        newest = self.newest
        return next((at for at in range(newest, -1, -1) if self._places[at].sample is not None), newest)

    def _is_under_way(self, place: Place) -> bool:
        """Whether the run is still at this evaluation, as far as is known."""
        return not self.ended and self.history is not None and place.step == self.history.step == self._places[-1].step

    def why_unwritten(self, place: Place) -> str:
        """Why there is no sample of an evaluation, in a sentence."""
        history, step = self.history, place.step
        assert history is not None
        if any(f"of step {step} was left out" in notice.text for notice in history.notices):
            return "Nothing was written at this evaluation: that was left out."
        if self._is_under_way(place):
            return "The model is writing."
        end = history.end
        if any(mark.kind == "continued" and mark.step == step for mark in history.marks) or (
            isinstance(end, Finished) and end.step == step
        ):
            return "Nothing was written at this evaluation: the run was stopped here."
        if self.ended and place is self._places[-1]:
            return "Nothing was written at this evaluation: the run broke off here."
        return "Nothing was written at this evaluation."

    def nearest_to(self, step: int) -> int:
        steps = [place.step for place in self]
        after = min(bisect_left(steps, step), len(steps) - 1)
        return max(0, after - 1) if abs(steps[after - 1] - step) < abs(steps[after] - step) else after

    @property
    def planned(self) -> int:
        """The last step that the run was to have."""
        config = config_of(self.history) if self.history is not None else None
        last = self._places[-1].step
        return last if config is None else max(last, config.training.max_iters)

    @property
    def end(self) -> int:
        """The last step that the run is going to have, or has had."""
        return self._places[-1].step if self.ended else self.planned

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
