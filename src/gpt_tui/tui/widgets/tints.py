"""Numbers as tints: scales from a number of bits to a colour of the theme, and to a letter where there is none."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from textual.color import Color

READABLE = 4.5  # least contrast of text to its ground (WCAG 2.2, level AA)

# Two hues that people with any of the usual colour-blindnesses tell apart, after Okabe and Ito; for dark, for light.
_ORANGE = (Color.parse("#e69f00"), Color.parse("#b35900"))
_BLUE = (Color.parse("#56b4e9"), Color.parse("#0068a3"))

_SURPRISE_LEVELS = 9  # bits; what costs more is drawn as this
_DIFFERENCE_LEVELS = 6


@dataclass(frozen=True)
class Scale:
    """Whole bits as levels. A level has a style, text on ground, and a mark for where there are no colours.

    zero: the level of nothing; values below it are negative
    """

    styles: tuple[str, ...]
    marks: str
    zero: int = 0

    def level(self, bits: float) -> int | None:
        """The level of so many bits; None where there is no number."""
        if math.isnan(bits):
            return None
        lowest, highest = -self.zero, len(self.marks) - 1 - self.zero
        return round(min(max(bits, lowest), highest)) + self.zero

    def style(self, bits: float) -> str:
        level = self.level(bits)
        return "" if level is None else self.styles[level]

    def mark(self, bits: float) -> str:
        level = self.level(bits)
        return " " if level is None else self.marks[level]


@dataclass(frozen=True)
class Tints:
    """surprise: 0 to 9 bits, one hue. difference: 6 bits lost (orange) to 6 bits learned (blue)."""

    surprise: Scale
    difference: Scale

    @classmethod
    def of(cls, background: Color, foreground: Color) -> Tints:
        """Ramps that start at a theme's background."""
        light = background.brightness > 0.5
        orange, blue = _ORANGE[light], _BLUE[light]
        surprise = _ramp(background, orange, foreground, _SURPRISE_LEVELS)
        lost = _ramp(background, orange, foreground, _DIFFERENCE_LEVELS)
        learned = _ramp(background, blue, foreground, _DIFFERENCE_LEVELS)
        return cls(
            Scale(tuple(surprise), ".123456789"),
            Scale((*reversed(lost[1:]), *learned), "fedcba.123456", zero=_DIFFERENCE_LEVELS),
        )


def _ramp(ground: Color, end: Color, text: Color, steps: int) -> list[str]:
    """steps + 1 styles, from the plain ground to the full hue."""
    grounds = (ground.blend(end, step / steps) for step in range(steps + 1))
    return [f"{_text_on(tinted, [text, ground]).hex} on {tinted.hex}" for tinted in grounds]


def _text_on(ground: Color, wanted: Sequence[Color]) -> Color:
    """The wanted colour that reads best on a ground, or black or white where none of them can be read there."""
    best = max(wanted, key=lambda colour: contrast(colour, ground))
    if contrast(best, ground) >= READABLE:
        return best
    return max((Color(0, 0, 0), Color(255, 255, 255)), key=lambda colour: contrast(colour, ground))


def contrast(one: Color, other: Color) -> float:
    """The contrast ratio of two colours, 1 to 21 (WCAG 2.2)."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: Color) -> float:
    """Relative luminance, 0 to 1 (WCAG 2.2)."""
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in colour.normalized
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
