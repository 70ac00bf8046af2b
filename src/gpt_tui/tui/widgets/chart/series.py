"""What a chart shows: series of points, reference lines and marks. Nothing here knows how it is drawn."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from gpt_tui.tui.widgets.chart.pyramid import FloatArray, Growing, Pyramid, as_floats
from gpt_tui.tui.widgets.chart.smoothing import MovingAverage

_LARGEST_X = 1e100


@dataclass(frozen=True)
class Reference:
    """A horizontal line with a name: a rung of the entropy ladder."""

    label: str
    y: float


@dataclass(frozen=True)
class Mark:
    """A place on the x axis where something was done. A checkpoint is a tick at the foot, all else a whole line."""

    x: float
    text: str = ""
    kind: Literal["edit", "pause", "checkpoint", "note"] = "note"


class Marks(tuple[Mark, ...]):
    """Marks, with what every drawing asks of them."""

    @cached_property
    def x(self) -> FloatArray:
        return np.array([mark.x for mark in self], dtype=np.float64)

    @cached_property
    def ticks(self) -> NDArray[np.bool_]:
        """Which are ticks at the foot."""
        return np.array([mark.kind == "checkpoint" for mark in self], dtype=bool)

    @cached_property
    def told(self) -> tuple[Mark, ...]:
        """Those whose words are shown where there is room, the newest first."""
        told = [mark for mark in self if mark.kind != "checkpoint" and mark.text]
        return tuple(sorted(told, key=lambda mark: mark.x, reverse=True))


class Series:
    """Points (x, y) in the order of x, which only ever grow at their end.

    name:   what the legend and the read-out call it
    role:   which of the chart's colours it takes: one of `canvas.SERIES_ROLES`
    kind:   "line" joins the points, "points" does not
    marker: drawn at each point (one character), or None; series must differ in this to be told apart without colour
    smooth: whether the chart's smoothing applies; raw: whether the unsmoothed line then stays, faint, beneath
    dashed: whether the line has gaps, to be told from another of the same colour
    apart:  cells from one marker to the next, at least; shift: cells from the right edge where the first may stand
    legend: whether the legend names it
    """

    def __init__(
        self,
        name: str,
        x: Iterable[Any] = (),
        y: Iterable[Any] = (),
        *,
        role: str = "train",
        kind: Literal["line", "points"] = "line",
        marker: str | None = None,
        smooth: bool = False,
        raw: bool = True,
        dashed: bool = False,
        apart: int = 2,
        shift: int = 0,
        legend: bool = True,
    ) -> None:
        self.name = name
        self.role = role
        self.kind = kind
        self.marker = marker or ("•" if kind == "points" else None)
        self.smooth = smooth
        self.raw = raw
        self.dashed = dashed
        self.apart = apart
        self.shift = shift
        self.legend = legend
        self.version = 0  # grows with every change, so that a reader can tell whether to draw again
        self._x, self._y, self._pyramid = Growing(), Growing(), Pyramid()
        self._average: MovingAverage | None = None
        self._averages = Pyramid()
        self.extend(x, y)

    def __len__(self) -> int:
        return len(self._x)

    @property
    def x(self) -> FloatArray:
        return self._x.values

    @property
    def y(self) -> FloatArray:
        """The values exactly as given, infinities included."""
        return self._y.values

    @property
    def pyramid(self) -> Pyramid:
        """y under its minima and maxima, NaN where it is not finite."""
        return self._pyramid

    def append(self, x: float, y: float | None) -> None:
        self.extend((x,), (y,))

    def extend(self, x: Iterable[Any], y: Iterable[Any]) -> None:
        """Append points. NaN, infinity or None as y is a gap.

        Raises ValueError when the lengths differ, or when x is not finite (or absurdly large) or goes back.
        """
        xs, ys = as_floats(x), as_floats(y)
        if len(xs) != len(ys):
            raise ValueError(f"{self.name}: {len(xs)} x values for {len(ys)} y values")
        if len(xs) == 0:
            return
        last = self._x.values[-1] if len(self._x) else -np.inf
        if not (np.abs(xs) <= _LARGEST_X).all() or xs[0] < last or (np.diff(xs) < 0).any():
            raise ValueError(f"{self.name}: x must be a number up to {_LARGEST_X:g} and never go back")
        self._x.extend(xs)
        self._y.extend(ys)
        self._pyramid.extend(ys)
        self.version += 1

    def replace(self, x: Iterable[Any], y: Iterable[Any]) -> None:
        """Put other points in the place of all: another unit of x, or a run continued from an earlier step."""
        xs, ys = as_floats(x), as_floats(y)
        self._x, self._y, self._pyramid = Growing(), Growing(), Pyramid()
        self._average, self._averages = None, Pyramid()
        self.version += 1
        self.extend(xs, ys)

    def nearest(self, x: float) -> int | None:
        """The index of the point whose x is nearest, the earlier of two as near; None when there is no point."""
        if len(self) == 0:
            return None
        right = int(np.searchsorted(self.x, x))
        if right == 0:
            return 0
        if right == len(self) or x - self.x[right - 1] <= self.x[right] - x:
            return right - 1
        return right

    def smoothed(self, beta: float) -> Pyramid:
        """The debiased moving average of every point, computed before any thinning and kept for the last beta asked."""
        if not self.smooth or beta == 0:
            return self._pyramid
        if self._average is None or self._average.beta != beta:
            self._average = MovingAverage(beta)
            self._averages = Pyramid()
        done = len(self._averages)
        if done < len(self):
            self._averages.extend(self._average.extend(self._pyramid.values[done:]))
        return self._averages
