"""The debiased exponential moving average, fed as the data come."""

from __future__ import annotations

import numpy as np

from gpt_tui.tui.widgets.chart.pyramid import FloatArray

# Inside a block the recursion is one matrix product; only the block ends are chained. 64 keeps the matrix in cache.
_BLOCK = 64


class MovingAverage:
    """m_t = β m_{t-1} + (1 - β) x_t with m_0 = 0, given as m_t / (1 - β^t).

    The division removes the pull towards the zero it starts from (Kingma & Ba 2015, section 3). What is not finite is
    skipped: it comes out as NaN, and neither the average nor t know of it.
    """

    def __init__(self, beta: float) -> None:
        if not 0 <= beta < 1:
            raise ValueError(f"beta must be at least 0 and less than 1, not {beta}")
        self.beta = beta
        self._mean = 0.0
        self._seen = 0

    def extend(self, values: FloatArray) -> FloatArray:
        """The averages at `values`, which follow everything given before; shape as `values`."""
        averages = np.full(len(values), np.nan)
        finite = np.isfinite(values)
        fresh = values[finite]
        if len(fresh) == 0:
            return averages
        biased = _decayed_sums(fresh * (1 - self.beta), self.beta, self._mean)
        count = self._seen + np.arange(1, len(fresh) + 1)
        averages[finite] = biased / -np.expm1(count * np.log(self.beta)) if self.beta else fresh
        self._mean, self._seen = float(biased[-1]), int(count[-1])
        return averages


def _decayed_sums(values: FloatArray, beta: float, carry: float) -> FloatArray:
    """s_t = β s_{t-1} + v_t, beginning from s_{-1} = carry, without a Python loop over t."""
    exponents = np.arange(1, min(len(values), _BLOCK) + 1)
    powers = beta**exponents
    lags = exponents[:, None] - exponents[None, :]
    kernel = np.where(lags >= 0, beta ** np.maximum(lags, 0).astype(float), 0.0)  # (t, source)
    if len(values) <= _BLOCK:
        return kernel @ values + carry * powers
    whole = len(values) // _BLOCK * _BLOCK
    inside = values[:whole].reshape(-1, _BLOCK) @ kernel.T
    ends = _decayed_sums(np.ascontiguousarray(inside[:, -1]), float(powers[-1]), carry)
    before = np.concatenate(([carry], ends[:-1]))
    sums = (inside + before[:, None] * powers).ravel()
    return np.concatenate((sums, _decayed_sums(values[whole:], beta, float(ends[-1])))) if whole < len(values) else sums
