"""Columns of numbers that grow at their end, and answer "smallest and largest in this range" without reading it all."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

_ANSWERS = 4  # that are remembered: a drawing asks twice
LARGEST = 1e150  # further than this nothing is drawn: differences, sums and squares must stay finite


class Growing:
    """A float64 array that grows at its end, in amortised constant time a number."""

    def __init__(self) -> None:
        self._room = np.empty(256)
        self._length = 0

    def __len__(self) -> int:
        return self._length

    @property
    def values(self) -> FloatArray:
        """A read-only view, shape (len,). Later appends do not change what it shows."""
        view = self._room[: self._length]
        view.flags.writeable = False
        return view

    def extend(self, values: FloatArray) -> None:
        wanted = self._length + len(values)
        if wanted > len(self._room):
            room = np.empty(max(wanted, 2 * len(self._room)))
            room[: self._length] = self._room[: self._length]
            self._room = room
        self._room[self._length : wanted] = values
        self._length = wanted


@dataclass(frozen=True)
class _Answer:
    """Ranges that were asked for, and their extremes; each of shape (R,)."""

    starts: IntArray
    stops: IntArray
    low: FloatArray
    high: FloatArray


class Pyramid:
    """Numbers under levels of pairwise minima and maxima.

    Level k holds one entry for every whole block of 2^k numbers, so a range of n numbers is answered from at most
    2 log2(n) entries. What is not finite is kept as NaN and ignored by the extremes: a gap, not a value. What is larger
    than LARGEST counts as that.
    """

    def __init__(self) -> None:
        self._base = Growing()
        self._lows: list[Growing] = []
        self._highs: list[Growing] = []
        self._answered: dict[int, _Answer] = {}  # by how many ranges were asked for

    def __len__(self) -> int:
        return len(self._base)

    @property
    def values(self) -> FloatArray:
        """Every number in order, up to LARGEST, NaN where it was not finite; shape (len,)."""
        return self._base.values

    def extend(self, values: FloatArray) -> None:
        self._base.extend(np.where(np.isfinite(values), np.clip(values, -LARGEST, LARGEST), np.nan))
        lows = highs = self._base.values
        level = 0
        while len(lows) >= 2:
            if level == len(self._lows):
                self._lows.append(Growing())
                self._highs.append(Growing())
            low, high = self._lows[level], self._highs[level]
            done, whole = 2 * len(low), 2 * (len(lows) // 2)
            if done == whole:
                break
            low.extend(np.fmin(lows[done:whole:2], lows[done + 1 : whole : 2]))
            high.extend(np.fmax(highs[done:whole:2], highs[done + 1 : whole : 2]))
            lows, highs = low.values, high.values
            level += 1

    def extremes(self, starts: IntArray, stops: IntArray) -> tuple[FloatArray, FloatArray]:
        """Smallest and largest value of each half-open range [start, stop); NaN where it holds no finite value.

        starts, stops: shape (R,), 0 <= start and stop <= len. Exact, whatever the range. A chart that is drawn again
        after a step asks for nearly the same ranges, and what lies in one never changes: only the others are looked up.
        """
        known = self._answered.pop(len(starts), None)
        if known is None:
            low, high = self._look_up(starts, stops)
        else:
            low, high = known.low.copy(), known.high.copy()
            low[starts >= stops] = high[starts >= stops] = np.nan  # where no points are yet, say
            other = np.flatnonzero(((known.starts != starts) | (known.stops != stops)) & (starts < stops))
            grown = other[(known.starts[other] == starts[other]) & (known.stops[other] < stops[other])]
            if len(other) == len(grown) == 1:  # the last one, by a step: no need to climb the levels for it
                new = self._base.values[known.stops[grown[0]] : stops[grown[0]]]
                low[grown] = np.fmin(low[grown], np.fmin.reduce(new))
                high[grown] = np.fmax(high[grown], np.fmax.reduce(new))
            elif len(other):
                low[other], high[other] = self._look_up(starts[other], stops[other])
        self._answered[len(starts)] = _Answer(starts.copy(), stops.copy(), low.copy(), high.copy())
        if len(self._answered) > _ANSWERS:
            del self._answered[next(iter(self._answered))]
        return low, high

    def _look_up(self, starts: IntArray, stops: IntArray) -> tuple[FloatArray, FloatArray]:
        """As `extremes`: a segment tree walked from the bottom for all ranges at once, taking the odd ends of a level
        before it climbs to the next."""
        low = np.full(len(starts), np.nan)
        high = np.full(len(starts), np.nan)
        first, last = starts.astype(np.int64), stops.astype(np.int64)
        lows = highs = self._base.values
        for level in range(len(self._lows) + 1):
            if level:
                lows, highs = self._lows[level - 1].values, self._highs[level - 1].values
            open_ = first < last
            if not open_.any():
                break
            for chosen, at in ((open_ & (first & 1 == 1), first), (open_ & (last & 1 == 1), last - 1)):
                which = np.flatnonzero(chosen)
                low[which] = np.fmin(low[which], lows[at[which]])
                high[which] = np.fmax(high[which], highs[at[which]])
            first = (first + 1) >> 1
            last = last >> 1
        return low, high


def as_floats(values: Iterable[Any] | NDArray[Any]) -> FloatArray:
    """`values` as a flat float64 array; None, as JSON writes what is not finite, becomes NaN."""
    if not isinstance(values, np.ndarray):
        values = np.asarray(list(values), dtype=np.float64)
    return values.astype(np.float64, copy=False).ravel()
