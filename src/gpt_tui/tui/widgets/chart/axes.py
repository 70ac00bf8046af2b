"""Scales, ticks and the words beside them. Pure numbers and text; no cells, no screen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from gpt_tui.tui.widgets.chart.pyramid import FloatArray

Unit = Literal["steps", "tokens", "seconds", "FLOPs"]
UNITS: tuple[Unit, ...] = ("steps", "tokens", "seconds", "FLOPs")

# On a logarithmic x axis everything from 0 to the first positive x is drawn straight, as wide as 1 to 2 is elsewhere.
_STRAIGHT = math.log10(2)


@dataclass(frozen=True)
class Scale:
    """Where a value lies between `low` and `high`, as a fraction: linear, or logarithmic.

    straight_to: for a logarithmic scale that must show zero, the value below which it is linear; None leaves zero and
    less infinitely far below.
    """

    low: float
    high: float
    log: bool = False
    straight_to: float | None = None

    def measure(self, values: FloatArray | float) -> FloatArray:
        """Values in the units in which the scale is even: themselves, or decades."""
        values = np.asarray(values, dtype=np.float64)
        if not self.log:
            return values
        foot = self.straight_to
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            if foot is None:
                return np.log10(np.maximum(values, 0.0))
            return np.where(
                values >= foot,
                np.log10(np.maximum(values, foot)) - math.log10(foot),
                (values / foot - 1) * _STRAIGHT,
            )

    def value_of(self, measured: FloatArray | float) -> FloatArray:
        """The inverse of `measure`."""
        measured = np.asarray(measured, dtype=np.float64)
        if not self.log:
            return measured
        foot = self.straight_to
        with np.errstate(over="ignore"):
            if foot is None:
                return np.power(10.0, measured)
            up = foot * np.power(10.0, np.maximum(measured, 0.0))
            return np.where(measured >= 0, up, (measured / _STRAIGHT + 1) * foot)

    def fraction(self, values: FloatArray | float) -> FloatArray:
        low, high = float(self.measure(self.low)), float(self.measure(self.high))
        with np.errstate(over="ignore", invalid="ignore"):
            return (self.measure(values) - low) / (high - low)

    def value(self, fraction: FloatArray | float) -> FloatArray:
        low, high = float(self.measure(self.low)), float(self.measure(self.high))
        return self.value_of(low + np.asarray(fraction, dtype=np.float64) * (high - low))


def nice_step(span: float, count: float) -> float:
    """The smallest of 1, 2, 5 times a power of ten that divides `span` into at most `count` parts."""
    rough = span / max(count, 1.0)
    power = math.floor(math.log10(rough))
    for factor in (1, 2, 5, 10):
        step = _times_ten_to(factor, power)
        if step >= rough * (1 - 1e-9):
            return step
    raise ValueError(f"no step for a span of {span}")


def _times_ten_to(factor: int, power: int) -> float:
    """factor · 10^power, rounded once: 3 · 10^-1 is 0.3 and not 0.30000000000000004."""
    return float(f"{factor}e{power}")


def linear_ticks(low: float, high: float, count: float) -> list[float]:
    """At most about `count` + 1 multiples of a nice step, within [low, high]."""
    if not low < high:
        return [low]
    return multiples(nice_step(high - low, count), low, high)


def multiples(step: float, low: float, high: float) -> list[float]:
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    digits, power = f"{step:e}".split("e")
    exact = float(digits) == int(float(digits))
    return [_times_ten_to(k * int(float(digits)), int(power)) if exact else k * step for k in range(first, last + 1)]


def log_ticks(low: float, high: float, count: float) -> list[float]:
    """Powers of ten with as many of their multiples as `count` allows; over less than a decade, nice linear steps.

    low must be positive.
    """
    if not 0 < low < high:
        return [low]
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    for factors in ((1, 2, 3, 4, 5, 6, 7, 8, 9), (1, 2, 5), (1, 3), (1,)):
        ticks = [_times_ten_to(f, d) for d in range(first, last + 1) for f in factors]
        ticks = [t for t in ticks if low * (1 - 1e-9) <= t <= high * (1 + 1e-9)]
        if len(ticks) <= count + 1:
            break
    if len(ticks) > count + 1:
        stride = math.ceil(len(ticks) / max(count, 1.0))
        ticks = [t for t in ticks if round(math.log10(t)) % stride == 0]
    straight = linear_ticks(low, high, count)
    return straight if len(ticks) < 3 and high < 10 * low and len(straight) > len(ticks) else ticks


_CLOCK = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400)


def time_ticks(low: float, high: float, count: float) -> list[float]:
    """Ticks at seconds that a clock shows: 15 s, 5 min, 2 h."""
    if not low < high:
        return [low]
    rough = (high - low) / max(count, 1.0)
    if rough <= 1:
        return linear_ticks(low, high, count)
    step = next((s for s in _CLOCK if s >= rough), None) or 86400 * nice_step((high - low) / 86400, count)
    return multiples(float(step), low, high)


def x_ticks(scale: Scale, count: float, unit: Unit) -> list[float]:
    if not scale.log:
        ticks = (time_ticks if unit == "seconds" else linear_ticks)(scale.low, scale.high, count)
    else:
        foot = scale.straight_to or scale.low
        ticks = log_ticks(max(scale.low, foot), scale.high, count) if scale.high > foot else [scale.high]
        if scale.low <= 0 <= scale.high:
            ticks = [0.0, *ticks]
    if unit in ("steps", "tokens"):  # there is no half step to point at
        ticks = [t for t in ticks if t == round(t)]
    return ticks


def y_ticks(scale: Scale, count: float) -> list[float]:
    return (log_ticks if scale.log else linear_ticks)(scale.low, scale.high, count)


def y_labels(ticks: Sequence[float]) -> list[str]:
    """Ticks as text with the same number of decimals, so that the points stand under each other."""
    if not ticks:
        return []
    largest = max(abs(t) for t in ticks)
    if largest and not 1e-3 <= largest < 1e5:
        return [f"{t:.3g}" for t in ticks]
    for decimals in range(6):
        labels = [f"{t:.{decimals}f}" for t in ticks]
        if all(math.isclose(float(text), t, rel_tol=1e-6, abs_tol=1e-9) for text, t in zip(labels, ticks, strict=True)):
            return labels
    return [f"{t:.4g}" for t in ticks]


_PREFIXES = ((1e18, "E"), (1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def x_label(value: float, unit: Unit) -> str:
    """A place on the x axis as a tick names it: 500, 12.5k, 0:42, 1.2P; a count without a short name in digits."""
    if unit == "seconds":
        return clock(value)
    size = abs(value)
    if 1e4 <= size < 1e21:
        divisor, prefix = next(p for p in _PREFIXES if size >= p[0])
        text = f"{value / divisor:.7g}"
        short = len(text.lstrip("-")) <= 5 and math.isclose(float(text) * divisor, value, rel_tol=1e-12)
        if short or unit == "FLOPs" or size >= 1e15:
            return text + prefix
    return f"{value:.15g}" if size < 1e15 else f"{value:.3g}"


def x_reading(value: float, unit: Unit) -> str:
    """A place on the x axis in words, exact where it is a count: "step 1,240", "0:42.50", "1.25M tokens"."""
    if unit == "steps":
        return f"step {value:,.10g}"
    if unit == "seconds":
        return clock(value, decimals=2)
    if unit == "tokens":
        return f"{value:,.0f} tokens"
    size = abs(value)
    divisor, prefix = next((p for p in _PREFIXES if size >= p[0]), (1.0, ""))
    return f"{value / divisor:.4g} {prefix}FLOP" if size < 1e21 else f"{value:.4g} FLOP"


def clock(seconds: float, decimals: int | None = None) -> str:
    """Seconds as 0:42, 1:05:00 or 2d 03:00. Decimals as asked, or as many as the number has when below a minute."""
    if not 0 <= seconds < 1e10:
        return f"{seconds:.4g} s"
    if decimals is None:
        if seconds < 60 and seconds != round(seconds):
            return f"{seconds:.4g} s"
        decimals = 0
    ticks = round(seconds * 10**decimals)
    whole, part = divmod(ticks, 10**decimals)
    fraction = f".{part:0{decimals}d}" if decimals and whole < 3600 else ""
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    if hours >= 48:
        return f"{hours // 24}d {hours % 24:02d}:{minute:02d}"
    return f"{hours}:{minute:02d}:{second:02d}" if hours else f"{minute}:{second:02d}{fraction}"


def y_reading(value: float) -> str:
    """A value read out: four decimals, or four digits where that says nothing."""
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else f"{value}"
    return f"{value:.4f}" if value == 0 or 1e-3 <= abs(value) < 1e5 else f"{value:.4g}"


def number(value: float) -> str:
    """A setting as a person wrote it: 0.9, 0.98."""
    return f"{value:g}"
