"""A line of any length, thinned to the dot columns of a screen without losing a spike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpt_tui.tui.widgets.chart.axes import Scale
from gpt_tui.tui.widgets.chart.pyramid import FloatArray, IntArray, Pyramid

_FAR = 1e7  # dot rows further off the plot than this are the same as infinitely far


@dataclass(frozen=True)
class Bins:
    """Which points fall into which dot column: point i is in column c where starts[c] <= i < stops[c].

    The first and the last column are centred on the ends of the x scale, so that the points there are in sight.
    """

    starts: IntArray
    stops: IntArray

    @classmethod
    def of(cls, x: FloatArray, scale: Scale, columns: int) -> Bins:
        borders = np.array([-0.5, 1.5]) if columns == 1 else (np.arange(columns + 1) - 0.5) / (columns - 1)
        bounds = np.searchsorted(x, scale.value(borders))
        return cls(bounds[:-1], bounds[1:])


@dataclass(frozen=True)
class Trace:
    """The dot rows that a line covers in each dot column, counted downward; none where top > bottom.

    heading: 1 where the line falls on the screen, -1 where it rises, 0 where it moves less than two rows in two columns
    over, under: columns with values beyond the upper or the lower edge of the plot
    """

    top: IntArray
    bottom: IntArray
    heading: IntArray
    over: NDArray[np.bool_]
    under: NDArray[np.bool_]


def rows_of(values: FloatArray | float, scale: Scale, rows: int) -> FloatArray:
    """Dot rows of values, not rounded; the top of the scale is row 0, its foot row rows - 1; NaN stays NaN."""
    with np.errstate(over="ignore"):
        return np.clip((1 - scale.fraction(values)) * (rows - 1), -_FAR, _FAR)


def trace(x: FloatArray, pyramid: Pyramid, bins: Bins, x_scale: Scale, y_scale: Scale, rows: int) -> Trace:
    """Thin one line. Each column covers the smallest to the largest value in it, and the way to its neighbours."""
    columns = len(bins.starts)
    y = pyramid.values
    low, high = pyramid.extremes(bins.starts, bins.stops)

    # One more column at either side stands for the nearest point out of sight, so that lines run on to the edge.
    occupied = np.zeros(columns + 2, dtype=bool)
    entry = np.full(columns + 2, np.nan)
    leave = np.full(columns + 2, np.nan)
    top = np.full(columns + 2, np.nan)
    bottom = np.full(columns + 2, np.nan)
    inside = slice(1, columns + 1)

    full = np.flatnonzero(bins.stops > bins.starts)
    occupied[full + 1] = True
    entry[full + 1] = rows_of(y[bins.starts[full]], y_scale, rows)
    leave[full + 1] = rows_of(y[bins.stops[full] - 1], y_scale, rows)
    top[inside] = rows_of(high, y_scale, rows)
    bottom[inside] = rows_of(low, y_scale, rows)

    first, stop = int(bins.starts[0]), int(bins.stops[-1])
    for slot, left, right in ((0, first - 1, first), (columns + 1, stop - 1, stop)):
        if left >= 0 and right < len(x):
            row = _row_between(x, y, left, right, slot - 1, columns, x_scale, y_scale, rows)
            occupied[slot] = True
            entry[slot] = leave[slot] = top[slot] = bottom[slot] = row

    _fill_gaps(occupied, entry, leave)
    filled = ~occupied
    top[filled] = bottom[filled] = entry[filled]
    over = np.round(top[inside]) < 0
    under = np.round(bottom[inside]) > rows - 1
    tops, bottoms = _join(entry, leave, _whole(top, rows * 4), _whole(bottom, -rows * 4))
    middle = (top + bottom) / 2
    turn = middle[2:] - middle[:-2]
    turn[np.isnan(turn)] = 0
    heading = np.where(np.abs(turn) >= 2, np.sign(turn), 0).astype(np.int64)
    return Trace(tops[inside], bottoms[inside], heading, over, under)


def edge_values(x: FloatArray, y: FloatArray, bins: Bins, x_scale: Scale) -> FloatArray:
    """The values, shape (2,), with which the line enters and leaves a view that begins and ends between two points."""
    values = np.full(2, np.nan)
    first, stop = int(bins.starts[0]), int(bins.stops[-1])
    for edge, right, at in ((0, first, 0.0), (1, stop, 1.0)):
        if 0 < right < len(x):
            left, end = x_scale.fraction(x[[right - 1, right]])
            share = np.clip((at - left) / (end - left), 0, 1) if end > left else 1 - at
            values[edge] = y[right - 1] + (y[right] - y[right - 1]) * share
    return values


def _row_between(
    x: FloatArray,
    y: FloatArray,
    left: int,
    right: int,
    column: int,
    columns: int,
    x_scale: Scale,
    y_scale: Scale,
    rows: int,
) -> float:
    """The dot row at `column` of the line from point `left` to point `right`; NaN where either is a gap."""
    at = x_scale.fraction(x[[left, right]]) * max(columns - 1, 1)
    height = rows_of(y[[left, right]], y_scale, rows)
    if not np.isfinite(at).all() or at[1] <= at[0]:
        return float(height[1 if column < 0 else 0])
    return float(np.clip(height[0] + (height[1] - height[0]) * (column - at[0]) / (at[1] - at[0]), -_FAR, _FAR))


def _fill_gaps(occupied: NDArray[np.bool_], entry: FloatArray, leave: FloatArray) -> None:
    """Draw straight lines through the columns between two points; NaN at either end leaves them empty."""
    index = np.arange(len(occupied))
    before = np.maximum.accumulate(np.where(occupied, index, -1))
    after = np.minimum.accumulate(np.where(occupied, index, len(occupied))[::-1])[::-1]
    between = np.flatnonzero(~occupied & (before >= 0) & (after < len(occupied)))
    a, b = before[between], after[between]
    share = (between - a) / np.maximum(b - a, 1)
    entry[between] = leave[a] + (entry[b] - leave[a]) * share
    leave[between] = entry[between]


def _join(entry: FloatArray, leave: FloatArray, top: IntArray, bottom: IntArray) -> tuple[IntArray, IntArray]:
    """Lengthen neighbouring columns until they touch, each half of the way, never doubling a dot."""
    both = np.isfinite(leave[:-1]) & np.isfinite(entry[1:])
    here, there = _whole(leave[:-1], 0), _whole(entry[1:], 0)
    middle = (here + there) // 2
    falls, rises = both & (there > here + 1), both & (there < here - 1)
    bottom[:-1] = np.where(falls, np.maximum(bottom[:-1], middle), bottom[:-1])
    top[1:] = np.where(falls, np.minimum(top[1:], middle + 1), top[1:])
    top[:-1] = np.where(rises, np.minimum(top[:-1], middle + 1), top[:-1])
    bottom[1:] = np.where(rises, np.maximum(bottom[1:], middle), bottom[1:])
    return top, bottom


def _whole(rows: FloatArray, missing: int) -> IntArray:
    whole = np.round(rows)
    whole[np.isnan(whole)] = missing
    return whole.astype(np.int64)
