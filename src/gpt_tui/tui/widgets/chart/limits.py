"""How far the axes reach: robust against a spike, yet faithful to the loss a run begins with."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median

import numpy as np

from gpt_tui.tui.widgets.chart.axes import Scale, nice_step
from gpt_tui.tui.widgets.chart.pyramid import LARGEST, FloatArray
from gpt_tui.tui.widgets.chart.series import Series

_OUTLIER_GAP = 3.0  # a spike is cut off when it stands further out than this many times the range of all the rest
_OUTLIER_SHARE = 0.1  # and when no more than this share of the values does
_FAR_ABOVE = 4.0  # an opening is no level to begin at when it is this many times what is usual
_LEAST_X = 1e-100  # nearer to zero a logarithmic x axis does not begin
_NEXT_RUNG = 0.25  # the next reference line below the data is shown when it is nearer than this share of the range


def x_extent(series: Sequence[Series], x_end: float | None) -> tuple[float, float] | None:
    """The whole of x, from the first point to the last, or to `x_end` where that is further; None without points."""
    known = [s for s in series if len(s)]
    if not known:
        return None
    low = min(float(s.x[0]) for s in known)
    high = max(float(s.x[-1]) for s in known)
    high = high if x_end is None else max(high, x_end)
    return low, max(high, low + least_span(low)) if high > low else low + max(1.0, abs(low) * 1e-3)


def least_span(value: float) -> float:
    """The smallest distance from `value` that an axis can still divide into dots without running out of digits."""
    return max(abs(value) * 1e-9, 1e-12)


def first_positive(series: Sequence[Series]) -> float:
    """The smallest positive x, where a logarithmic x axis begins; 1 where there is none."""
    found = [float(s.x[i]) for s in series if (i := int(np.searchsorted(s.x, 0.0, side="right"))) < len(s)]
    return max(min(found, default=1.0), _LEAST_X)


def opening(values: FloatArray) -> float | None:
    """The level a run begins at: the largest of its first five finite values that is no spike among them."""
    few = values[:64]
    first: list[float] = few[np.isfinite(few)][:5].tolist()
    if not first:
        return None
    middle = median(first)
    return max([middle, *(value for value in first if abs(value) <= _FAR_ABOVE * abs(middle))])


def alike(openings: Sequence[float]) -> list[float]:
    """Without those that stand far above the others: a run that diverged at once must not flatten the rest."""
    middle = sorted(openings)[(len(openings) - 1) // 2] if openings else 0.0
    return [level for level in openings if level <= _FAR_ABOVE * abs(middle)]


def robust_extent(lows: FloatArray, highs: FloatArray, keep: Sequence[float] = ()) -> tuple[float, float] | None:
    """Smallest low and largest high, without the few that stand far off all others; values of `keep` always count.

    lows, highs: shape (N,), one column's extremes each; NaN is ignored. None where nothing is finite.
    """
    lows, highs = lows[np.isfinite(lows)], highs[np.isfinite(highs)]
    kept = [k for k in keep if math.isfinite(k)]
    if len(lows) == 0 or len(highs) == 0:
        return (min(kept), max(kept)) if kept else None
    rising, falling = np.sort(lows), np.sort(highs)[::-1]
    foot = min([float(rising[int(len(rising) * _OUTLIER_SHARE)]), *kept])
    head = max([float(falling[int(len(falling) * _OUTLIER_SHARE)]), *kept])
    top = _without_outliers(falling, foot, max(kept, default=-math.inf))
    bottom = -_without_outliers(-rising, -head, max((-k for k in kept), default=-math.inf))
    return min([bottom, *kept]), max([top, *kept])


def _without_outliers(falling: FloatArray, foot: float, kept: float) -> float:
    """The largest of `falling` (sorted, largest first) that is no outlier; `foot` is the other end of the range."""
    for k in range(int(len(falling) * _OUTLIER_SHARE), 0, -1):
        inner = max(float(falling[k]), kept)
        beneath = max(inner - foot, 0.05 * abs(inner))
        if falling[k - 1] - inner > _OUTLIER_GAP * beneath > 0:
            return float(falling[k])
    return float(falling[0])


def y_scale(extent: tuple[float, float], references: Sequence[float], log: bool) -> Scale:
    """A scale around `extent` with some air, down to the next reference line if near, snapped to seldom move."""
    low, high = extent
    if log:
        low, high = max(low, 1 / LARGEST), max(high, 1 / LARGEST)
    scale = Scale(low, high, log)
    bottom, top = float(scale.measure(low)), float(scale.measure(high))
    span = top - bottom
    if span < least_span(top):
        span = 0.1 if log else max(abs(high) * 0.1, 1e-9)
    rungs = [r for y in references if math.isfinite(y) and (r := float(scale.measure(y))) < bottom]
    if rungs and bottom - max(rungs) <= _NEXT_RUNG * span:
        bottom = max(rungs)
    span = max(span, top - bottom)
    bottom, top = bottom - 0.04 * span, top + 0.03 * span
    unit = nice_step(top - bottom, 40)
    bottom, top = math.floor(bottom / unit) * unit, math.ceil(top / unit) * unit
    if not log and low >= 0:
        bottom = max(bottom, 0.0)
    return Scale(float(scale.value_of(bottom)), float(scale.value_of(top)), log)
