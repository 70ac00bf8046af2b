"""Numbers as the screens write them: always as wide, so that nothing beside them moves."""

from __future__ import annotations

import math
from collections.abc import Sequence

from gpt_tui.console import show_count

MISSING = "–"
_YEAR = 365.25 * 86_400  # seconds
SPARKS = "▁▂▃▄▅▆▇█"


def loss(value: float | None) -> str:
    """Three decimals: "1.831"; a loss that is not finite says so."""
    if value is None:
        return MISSING
    if math.isnan(value):
        return "nan"
    return f"{value:.3f}" if abs(value) < 1000 else f"{value:.1e}"


def rate(value: float | None) -> str:
    """A learning rate: "1.2e-2"."""
    if value is None or not math.isfinite(value):
        return MISSING
    if value == 0:
        return "0"
    mantissa, exponent = f"{value:.1e}".split("e")
    return f"{mantissa}e{int(exponent)}"


def norm(value: float | None) -> str:
    """A gradient's length: "0.51", "12.3"."""
    if value is None:
        return MISSING
    if not math.isfinite(value):
        return "nan" if math.isnan(value) else "inf"
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 1000 else f"{value:.0e}"


def count(value: float | None) -> str:
    """A number of things, shortened from a thousand on: "950", "42.1k", "1.12M", "3.4G"."""
    return MISSING if value is None or not math.isfinite(value) else show_count(value)


def with_unit(shortened: str, unit: str) -> str:
    """The letter of a shortened count goes to its unit: "2.4G" of FLOP is "2.4 GFLOP"."""
    return f"{shortened[:-1]} {shortened[-1]}{unit}" if shortened[-1:].isalpha() else f"{shortened} {unit}"


def size(bytes_: float | None) -> str:
    """A number of bytes: "812 MB", "3.1 GB"; one decimal below ten of a unit from MB on."""
    if bytes_ is None:
        return MISSING
    if bytes_ >= 999.5e6:
        return f"{bytes_ / 1e9:.1f} GB"
    if bytes_ >= 999.5e3:
        return f"{bytes_ / 1e6:.{1 if bytes_ < 9.95e6 else 0}f} MB"
    return f"{bytes_ / 1e3:.0f} kB" if bytes_ >= 999.5 else f"{bytes_:.0f} B"


def duration(seconds: float | None) -> str:
    """A length of time: "0:08", "12:31", "1:02:03", "3 d 4 h", "126 years"."""
    if seconds is None or not math.isfinite(seconds):
        return MISSING
    whole = max(0, round(seconds))
    if whole >= 2 * _YEAR:
        years = whole / _YEAR
        return f"{years:,.0f} years" if years < 1e6 else f"{years:.1e} years"
    if whole >= 100 * 3600:
        return f"{whole // 86400} d {whole % 86400 // 3600} h"
    hours, rest = divmod(whole, 3600)
    minutes, left = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{left:02}" if hours else f"{minutes}:{left:02}"


def bar(share: float, width: int) -> tuple[str, str]:
    """The done and the open part of a progress bar of `width` cells."""
    filled = round(min(max(share, 0.0), 1.0) * width)
    return "▰" * filled, "▱" * (width - filled)


def share_of(value: float, low: float, high: float) -> float:
    """Where a value lies on the way from `low` to `high`, however far apart they are; halfway where they are alike."""
    if high <= low:
        return 0.5
    if math.isinf(high - low):
        value, low, high = value / 4, low / 4, high / 4
    return (value - low) / (high - low)


def curve_scale(values: Sequence[float]) -> tuple[float, float] | None:
    """Where a small curve begins and ends; None where nothing is finite.

    The untrained model's loss may lie above all others by more than everything that was learned later: such a first
    value stands a little above the others, instead of making all of them alike.
    """
    first, *others = finite = [v for v in values if math.isfinite(v)] or [math.nan]
    if math.isnan(first):
        return None
    low, top = min(others, default=first), max(others, default=first)
    if len(others) > 1 and first - top > top - low > 0:
        return low, top + (top - low) / 6
    return min(finite), max(finite)


def spark(values: Sequence[float]) -> str:
    """A small curve of block elements, a cell a value; a value that is not finite leaves its cell empty."""
    scale = curve_scale(values)
    if scale is None:
        return " " * len(values)
    low, high = scale

    def level(value: float) -> str:
        if not math.isfinite(value):
            return " "
        return SPARKS[3] if high <= low else SPARKS[min(7, int(share_of(value, low, high) * 8))]

    return "".join(level(value) for value in values)
