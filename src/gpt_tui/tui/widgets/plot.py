"""A chart of runs as a pane: its keys, its title, and where steps lie on an x axis of another unit."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from textual.binding import BindingType
from textual.content import Content

from gpt_tui.core import shapes
from gpt_tui.core.runs import History
from gpt_tui.tui import keys
from gpt_tui.tui.watched import config_of
from gpt_tui.tui.widgets.chart import UNITS, Chart, Reference, Series, Unit

NOTHING = "There is nothing on the chart yet."
WHOLE = "The whole run is in view: + zooms in, x shows a crosshair."

Steps = NDArray[np.floating] | NDArray[np.integer]
Points = tuple[NDArray[np.float64], NDArray[np.float64]]  # x and y


def flops_per_token(history: History) -> float:
    """Floating-point operations that the run does a token; 1 where its configuration cannot be read."""
    config, started = config_of(history), history.started
    return shapes.flops_per_token(config.model, started.dataset.vocab_size) if config and started else 1.0


def placed(history: History, steps: Steps, unit: Unit) -> NDArray[np.float64]:
    """Where these steps of a run lie on an x axis that counts `unit`; between two known rows in proportion."""
    wanted = np.asarray(steps, dtype=np.float64)
    if unit == "steps":
        return wanted
    known = history.steps
    if not len(known):
        return np.zeros_like(wanted)
    after = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
    first = after == 0  # before it is the start, where nothing has been done yet
    begin, end = np.where(first, 0, known[after - 1]), known[after]
    low, high = np.where(first, 0.0, _counted(history, unit, after - 1)), _counted(history, unit, after)
    share = np.clip((wanted - begin) / np.maximum(end - begin, 1), 0.0, 1.0)
    return np.where(share == 1, high, low + (high - low) * share)


def _counted(history: History, unit: Unit, rows: slice | NDArray[np.integer]) -> NDArray[np.float64]:
    """What `unit` counts, at these rows."""
    column = {"steps": history.steps, "seconds": history.times}.get(unit, history.tokens)
    values = np.nan_to_num(np.asarray(column[rows], dtype=np.float64))
    return values * flops_per_token(history) if unit == "FLOPs" else values


def feed_training(series: Series, history: History, unit: Unit, anew: bool, past: History | None = None) -> None:
    """Give a series the training losses: only what is new of them, unless `anew` or what it has is no longer so.

    past: a fork's, see `past_of`; the series begins with it. What lies on the axis by the clock begins with the fork.
    """
    _feed(series, lambda run: len(run.steps), _trained, history, unit, anew, past)


def feed_validation(series: Series, history: History, unit: Unit, anew: bool, past: History | None = None) -> None:
    """Give a series the validation losses, as `feed_training` gives the training losses."""
    _feed(series, lambda run: len(run.evals), _evaluated, history, unit, anew, past)


def _trained(history: History, unit: Unit, rows: slice) -> Points:
    return _counted(history, unit, rows), history.losses[rows]


def _evaluated(history: History, unit: Unit, rows: slice) -> Points:
    evals = history.evals[rows]
    steps = np.array([e.step for e in evals], dtype=np.float64)
    return placed(history, steps, unit), np.array([e.val_loss for e in evals], dtype=np.float64)


def _feed(
    series: Series,
    count: Callable[[History], int],
    points: Callable[[History, Unit, slice], Points],
    history: History,
    unit: Unit,
    anew: bool,
    past: History | None,
) -> None:
    """count: how many points a history has; points: those of some of its rows."""
    begun = past if past is not None and unit != "seconds" else None
    known, rows = len(series) - (count(begun) if begun is not None else 0), count(history)
    newest = slice(max(known - 1, 0), max(known, 0))
    if anew or not 0 <= known <= rows or not _is_last(series, points(history, unit, newest)[1]):
        runs = [begun, history] if begun is not None else [history]
        xs, ys = zip(*(points(run, unit, slice(0, count(run))) for run in runs), strict=True)
        series.replace(_rising(np.concatenate(xs)), np.concatenate(ys))
    elif known < rows:
        x, y = points(history, unit, slice(known, rows))
        series.extend(np.maximum(_rising(x), series.x[-1]) if len(series) else _rising(x), y)


def _is_last(series: Series, y: NDArray[np.float64]) -> bool:
    return np.array_equal(series.y[len(series) - len(y) :], y, equal_nan=True)


def _rising(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """A clock that was set back, or a log that is wrong: the line then stands still."""
    return np.maximum.accumulate(np.maximum(x, 0.0))


def ladder_of(history: History) -> list[Reference]:
    ladder = history.started.ladder if history.started else {}
    return [Reference(name, value) for name, value in ladder.items() if np.isfinite(value)]


def end_of(history: History, unit: Unit) -> float | None:
    """Where the run is going to end on an x axis that counts `unit`; nobody knows it in seconds."""
    config = config_of(history)
    if config is None or unit == "seconds":
        return None
    last = int(history.steps[-1]) if len(history.steps) else 0
    left = max(config.training.max_iters - last, 0)
    if unit == "steps":
        return float(last + left)
    tokens = (float(history.tokens[-1]) if last else 0.0) + left * config.tokens_per_step
    return tokens * (flops_per_token(history) if unit == "FLOPs" else 1.0)


def _moved(x: float, before: NDArray[np.float64], after: NDArray[np.float64]) -> float:
    """Where a place on a line's x axis lies now that its points, `before`, lie at `after`.

    The newest points of both are the same ones; of a fork by the clock those of its past are missing. What lies ahead
    of the first or behind the last is as far from it in proportion.
    """
    shared = min(len(before), len(after))
    before, after = before[len(before) - shared :], after[len(after) - shared :]
    if x < before[0]:
        return float(after[0] * x / before[0])
    if x > before[-1]:
        return float(after[-1] * x / before[-1]) if before[-1] > 0 else float(after[-1])
    return float(np.interp(x, before, after))


class Plot(Chart):
    """What every chart of runs has: keys, a title that says what the view is, and the next unit of x.

    A subclass feeds its series, and again in `feed_anew`, after the unit has become another.
    """

    BINDINGS: ClassVar[list[BindingType]] = keys.bindings("plot")
    KEYS: ClassVar[tuple[str, ...]] = ("plot",)
    label = "chart"
    letter = "c"

    def __init__(
        self,
        *series: Series,
        smoothing: float = 0.9,
        unit: Unit = "steps",
        ascii: bool = False,
        placeholder: str = "",
        id: str | None = None,
    ) -> None:
        super().__init__(*series, smoothing=smoothing, ascii=ascii, placeholder=placeholder, id=id)
        self.set_x_unit(unit)
        self.draw_title()

    # For the subclass -----------------------------------------------------------------------------------------------

    def feed_anew(self) -> None:
        """Put the points of every series into the unit of x as it is now."""
        raise NotImplementedError

    def histories(self) -> list[History]:
        """The runs that are drawn."""
        raise NotImplementedError

    def title(self) -> str:
        """What stands before the view's description."""
        return self.label

    @property
    def copied(self) -> str:
        raise NotImplementedError

    # The view -------------------------------------------------------------------------------------------------------

    def counts_flops(self) -> bool:
        """Whether floating-point operations tell where each of the runs is."""
        return all(flops_per_token(history) > 0 for history in self.histories())

    def cycle_unit(self) -> None:
        """The next unit that the runs can be counted in: what is only looked up takes no floating-point operations."""
        units = list(UNITS)
        if not self.counts_flops():
            units.remove("FLOPs")
            if self.unit == units[-1]:
                said = "A table that is only looked up takes no floating-point operations: x counts steps again."
                self.say(said)
        self._count_in(units[(units.index(self.unit) + 1) % len(units)])

    def _count_in(self, unit: Unit) -> None:
        """Count x in another unit; crosshair and window stay at their steps."""
        walked, crosshair, window, under_pointer = self._walked(), self._pinned, self.window, self._hovered
        before = walked.x.copy() if walked is not None else np.empty(0)
        with self.prevent(Chart.CrosshairMoved):  # it stays where it is
            self.set_x_unit(unit)
            self.feed_anew()
            if walked is not None and len(walked):
                self.set_crosshair(None if crosshair is None else _moved(crosshair, before, walked.x))
                if window is not None:
                    low, high = (_moved(x, before, walked.x) for x in window)
                    self._set_window((low, high) if high > low else None)
        if under_pointer is not None:
            self.post_message(Chart.CrosshairMoved(self, self.crosshair))

    def on_chart_view_changed(self) -> None:
        self.draw_title()

    def draw_title(self) -> None:
        self.border_title = Content.assemble((self.title(), ""), (f" · {self.description()}", "$text-muted not bold"))

    def say(self, text: str) -> None:
        self.app.clear_notifications()
        self.app.notify(text, markup=False, timeout=5)

    def say_empty(self) -> None:
        self.say(NOTHING)

    # Actions --------------------------------------------------------------------------------------------------------

    def action_go(self, by: int) -> None:
        """Move the crosshair; without one, the window."""
        if self.crosshair is not None:
            self.move_crosshair(by)
        elif self._is_zoomed():
            self.pan(0.1 * by if abs(by) == 1 else 0.05 * by)

    def zoom_in(self) -> None:
        before = self.window
        super().zoom_in()
        if self.window == before:
            self.say("No closer: only a few points are in view." if self.has_points() else NOTHING)

    def zoom_out(self) -> None:
        if self._is_zoomed():
            super().zoom_out()

    def whole(self) -> None:
        if self._is_zoomed():
            super().whole()

    def toggle_crosshair(self) -> None:
        if self.crosshair is None and not self.has_points():
            self.say_empty()
        else:
            super().toggle_crosshair()

    def has_points(self) -> bool:
        return any(map(len, self.series))

    def _is_zoomed(self) -> bool:
        """Whether less than the whole run is in view; where not, that is said."""
        if self.window is None:
            self.say(WHOLE if self.has_points() else NOTHING)
        return self.window is not None

    def action_zoom(self, way: int) -> None:
        if way > 0:
            self.zoom_in()
        else:
            self.zoom_out()

    def action_edge(self, way: int) -> None:
        """To the first step, or to the newest."""
        if self.crosshair is not None:
            self.move_crosshair(way * max(*map(len, self.series), 1))
        elif self._is_zoomed():
            self.pan(way * 1e9)
