"""The loss of one run as a chart: training loss, validation points, the ladder, and marks where something was done."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from textual.binding import BindingType
from textual.content import Content

from gpt_tui.core import shapes
from gpt_tui.core.runs import History
from gpt_tui.tui import keys
from gpt_tui.tui.watched import config_of
from gpt_tui.tui.widgets.chart import UNITS, Chart, Mark, Reference, Series, Unit


class LossChart(Chart):
    """Fed with `show`; x counts steps, tokens, seconds or floating-point operations."""

    BINDINGS: ClassVar[list[BindingType]] = keys.bindings("train.chart")
    KEYS: ClassVar[tuple[str, ...]] = ("train.chart",)
    label = "loss"
    letter = "c"

    def __init__(
        self, *, smoothing: float = 0.9, unit: Unit = "steps", ascii: bool = False, id: str | None = None
    ) -> None:
        self.train = Series("train", role="train", smooth=True)
        self.validation = Series("validation", role="validation", marker="◆")
        super().__init__(self.train, self.validation, smoothing=smoothing, ascii=ascii, id=id)
        self._history: History | None = None
        self._sittings = 0
        self._shown: tuple[object, ...] = ()
        self.set_x_unit(unit)
        self._draw_title()

    def show(self, history: History) -> None:
        """Draw what is new of it; another history, or one that went back, is drawn anew."""
        if self.unit == "FLOPs" and self._flops(history) == 0:
            self.set_x_unit("tokens")
            self._history = None
        sittings = sum(mark.kind == "continued" for mark in history.marks)
        anew = history is not self._history or sittings != self._sittings
        self._history, self._sittings = history, sittings
        self._feed_train(history, anew)
        self._feed_validation(history, anew)
        shown = (len(history.marks), config_of(history), self.unit, history.started)
        if anew or shown != self._shown:
            self._shown = shown
            self.set_references(self._ladder(history))
            self._place_marks(history)
            self.set_x_end(self._end(history))
        self.update()

    def cycle_unit(self) -> None:
        """The next unit that the run can be counted in: what is only looked up takes no floating-point operations."""
        units = list(UNITS)
        if self._history is not None and self._flops(self._history) == 0:
            units.remove("FLOPs")
            if self.unit == units[-1]:
                said = "A table that is only looked up takes no floating-point operations: x counts steps again."
                self.app.notify(said, markup=False, timeout=5)
        self.set_x_unit(units[(units.index(self.unit) + 1) % len(units)])
        if self._history is not None:
            history, self._history = self._history, None
            self.show(history)

    def on_chart_view_changed(self) -> None:
        self._draw_title()

    def _draw_title(self) -> None:
        title = Content.assemble((self.label, ""), (f" · {self.description()}", "$text-muted not bold"))
        self.border_title = title

    @property
    def copied(self) -> str:
        """Every evaluation so far, as tab-separated text."""
        history = self._history
        rows = [f"{e.step}\t{e.train_loss:.4f}\t{e.val_loss:.4f}" for e in history.evals] if history else []
        return "\n".join(["step\ttrain_loss\tval_loss", *rows])

    # Actions --------------------------------------------------------------------------------------------------------

    def action_go(self, by: int) -> None:
        """Move the crosshair; without one, the window."""
        if self.crosshair is not None:
            self.move_crosshair(by)
        elif self.window is None:
            self.app.notify("The whole run is in view: + zooms in, x shows a crosshair.", markup=False, timeout=3)
        else:
            self.pan(0.1 * by if abs(by) == 1 else 0.05 * by)

    def action_zoom(self, way: int) -> None:
        if way > 0:
            self.zoom_in()
        else:
            self.zoom_out()

    def action_edge(self, way: int) -> None:
        """To the first step, or to the newest."""
        if self.crosshair is not None:
            self.move_crosshair(way * max(len(self.train), 1))
        else:
            self.pan(way * 1e9)

    # Feeding --------------------------------------------------------------------------------------------------------

    def _feed_train(self, history: History, anew: bool) -> None:
        known, rows = len(self.train), len(history.steps)
        x = self._x(history, history.steps[known - 1 :] if known else history.steps) if rows else np.empty(0)
        grown = not anew and known <= rows and (known == 0 or x[0] == self.train.x[-1])
        if grown:
            self.train.extend(x[1:] if known else x, history.losses[known:])
        else:
            self.train.replace(self._x(history, history.steps), history.losses)

    def _feed_validation(self, history: History, anew: bool) -> None:
        steps = np.array([e.step for e in history.evals], dtype=float)
        losses = np.array([e.val_loss for e in history.evals], dtype=float)
        known = self.validation
        if anew or len(known) != len(steps) or not np.array_equal(known.y, losses, equal_nan=True):
            known.replace(self._x(history, steps), losses)

    def _x(self, history: History, steps: NDArray[np.floating] | NDArray[np.integer]) -> NDArray[np.float64]:
        """Where these steps lie on the x axis, in its unit."""
        if self.unit == "steps":
            return np.asarray(steps, dtype=np.float64)
        column = history.times if self.unit == "seconds" else history.tokens
        known = np.concatenate([[0.0], np.asarray(history.steps, dtype=np.float64)])
        values = np.concatenate([[0.0], np.nan_to_num(np.asarray(column, dtype=np.float64))])
        found = np.interp(np.asarray(steps, dtype=np.float64), known, np.maximum.accumulate(values))
        return found * self._flops(history) if self.unit == "FLOPs" else found

    def _flops(self, history: History) -> float:
        """Floating-point operations a token."""
        config, started = config_of(history), history.started
        return shapes.flops_per_token(config.model, started.dataset.vocab_size) if config and started else 1.0

    def _end(self, history: History) -> float | None:
        """Where the run is going to end, in the axis' unit; nobody knows it in seconds."""
        config = config_of(history)
        if config is None or self.unit == "seconds":
            return None
        last = int(history.steps[-1]) if len(history.steps) else 0
        left = max(config.training.max_iters - last, 0)
        if self.unit == "steps":
            return float(last + left)
        tokens = (float(history.tokens[-1]) if last else 0.0) + left * config.tokens_per_step
        return tokens * (self._flops(history) if self.unit == "FLOPs" else 1.0)

    @staticmethod
    def _ladder(history: History) -> list[Reference]:
        ladder = history.started.ladder if history.started else {}
        return [Reference(name, value) for name, value in ladder.items() if np.isfinite(value)]

    def _place_marks(self, history: History) -> None:
        marks = history.marks
        x = self._x(history, np.array([mark.step for mark in marks], dtype=float))
        self.set_marks(
            Mark(float(at), mark.text, "note" if mark.kind == "continued" else mark.kind)
            for at, mark in zip(x, marks, strict=True)
        )
