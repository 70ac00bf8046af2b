"""Numbers as tints: scales from a number of bits to a colour of the theme, and to a letter where there is none."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from textual.app import App
from textual.color import Color

READABLE = 4.5  # least contrast of text to its ground (WCAG 2.2, level AA)

# Two hues that people with any of the usual colour-blindnesses tell apart, after Okabe and Ito; for dark, for light.
_ORANGE = (Color.parse("#e69f00"), Color.parse("#b35900"))
_BLUE = (Color.parse("#56b4e9"), Color.parse("#0068a3"))

_SURPRISE_LEVELS = 9  # bits; what costs more is drawn as this
_DIFFERENCE_LEVELS = 6
_SHARE_LEVELS = 9  # a share is drawn as the level of its root, or the small ones could not be told apart


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

    def ground(self, bits: float) -> str:
        """The colour behind the text; "" where there is no number."""
        return self.style(bits).rpartition(" on ")[2]


@dataclass(frozen=True)
class Tints:
    """surprise: 0 to 9 bits, one hue. difference: 6 bits lost (orange) to 6 bits learned (blue).

    share: of attention, on the levels of `level_of`
    """

    surprise: Scale
    difference: Scale
    share: Scale

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
            Scale(tuple(_ramp(background, blue, foreground, _SHARE_LEVELS)), ".123456789"),
        )

    @classmethod
    def of_app(cls, app: App[Any]) -> Tints:
        """Those of the theme that it has now."""
        variables = app.get_css_variables()
        ground, text = Color.parse(variables["background"]), Color.parse(variables["foreground"])
        if ground.ansi is not None or text.ansi is not None:  # the terminal's own colours, which nobody knows
            ground, text = (Color(0, 0, 0), Color(255, 255, 255))[:: 1 if app.current_theme.dark else -1]
        return cls.of(ground, text)


def in_colour(app: App[Any]) -> bool:
    """Whether the terminal has colours enough for a ramp."""
    return not app.no_color and app.console.color_system not in ("standard", "windows")


def level_of(share: float) -> float:
    """Where a share, 0 to 1, stands on the scale of shares."""
    return _SHARE_LEVELS * math.sqrt(max(share, 0.0))


def share_at(level: int) -> float:
    """The share that is drawn as a level."""
    return (level / _SHARE_LEVELS) ** 2


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
