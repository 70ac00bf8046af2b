"""The loss of one run as a chart: training loss, validation points, the ladder, and marks where something was done."""

from __future__ import annotations

import numpy as np

from gpt_tui.core.runs import History
from gpt_tui.tui.watched import config_of
from gpt_tui.tui.widgets.chart import Chart, Mark, Series, Unit
from gpt_tui.tui.widgets.plot import Plot, end_of, feed_training, feed_validation, flops_per_token, ladder_of, placed


class LossChart(Plot):
    """Fed with `show`; x counts steps, tokens, seconds or floating-point operations."""

    label = "loss"

    def __init__(
        self, *, smoothing: float = 0.9, unit: Unit = "steps", ascii: bool = False, id: str | None = None
    ) -> None:
        self.train = Series("train", role="train", smooth=True)
        self.validation = Series("validation", role="validation", marker="◆")
        self._history: History | None = None
        self._past: History | None = None
        self._course = 0
        self._shown: tuple[object, ...] = ()
        super().__init__(self.train, self.validation, smoothing=smoothing, unit=unit, ascii=ascii, id=id)

    def show(self, history: History) -> None:
        """Draw what is new of it; another history, or one that went back, is drawn anew."""
        if self.unit == "FLOPs" and flops_per_token(history) == 0:
            self.set_x_unit("tokens")
            self._history = None
        anew = history is not self._history or history.courses != self._course
        self._history, self._course = history, history.courses
        feed_training(self.train, history, self.unit, anew, self._past)
        feed_validation(self.validation, history, self.unit, anew, self._past)
        shown = (len(history.marks), config_of(history), self.unit, history.started)
        if anew or shown != self._shown:
            self._shown = shown
            self.set_references(ladder_of(history))
            self._place_marks(history)
            self.set_x_end(end_of(history, self.unit))
        self.update()

    def show_past(self, past: History | None) -> None:
        """What lies behind a fork is drawn before it from now on; None for a run that began with itself."""
        if past is not self._past:
            self._past = past
            self.feed_anew()

    def feed_anew(self) -> None:
        if self._history is not None:
            history, self._history = self._history, None
            self.show(history)

    def histories(self) -> list[History]:
        return [self._history] if self._history is not None else []

    @property
    def copied(self) -> str:
        """Every evaluation so far, as tab-separated text."""
        history = self._history
        rows = [f"{e.step}\t{e.train_loss:.4f}\t{e.val_loss:.4f}" for e in history.evals] if history else []
        return "\n".join(["step\ttrain_loss\tval_loss", *rows])

    # The crosshair and other views ----------------------------------------------------------------------------------

    def point_at(self, step: int | None) -> None:
        """Put the crosshair at a step, whatever x counts; None takes it away. Who points there is not told of it."""
        at = None
        if step is not None and self._history is not None:
            at = float(placed(self._history, np.array([step]), self.unit)[0])
        with self.prevent(Chart.CrosshairMoved):
            self.set_crosshair(at)

    def step_at(self, x: float) -> int:
        """The step of the training series that is nearest to `x`, which is in the unit of the axis; 0 without any."""
        at = self.train.nearest(x)
        if at is None or self._history is None:
            return 0
        earlier = len(self.train) - len(self._history.steps)
        if at < earlier and self._past is not None:
            return int(self._past.steps[at])
        return int(self._history.steps[at - earlier])

    # Feeding --------------------------------------------------------------------------------------------------------

    def _place_marks(self, history: History) -> None:
        marks = history.marks
        x = placed(history, np.array([mark.step for mark in marks], dtype=float), self.unit)
        drawn = [
            Mark(float(at), mark.text, "note" if mark.kind == "continued" else mark.kind)
            for at, mark in zip(x, marks, strict=True)
        ]
        if (parent := history.started.parent if history.started else None) is not None:
            at = float(placed(history, np.array([parent.step]), self.unit)[0])
            drawn.insert(0, Mark(at, f"forked from {parent.run} at step {parent.step}"))
        self.set_marks(drawn)
