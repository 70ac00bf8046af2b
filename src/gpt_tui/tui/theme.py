"""How the playground looks: its two themes, the words, glyphs and colours of a run's state, and drawing in ASCII."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from rich.color import Color as RichColor
from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.filter import LineFilter
from textual.theme import Theme

DARK = Theme(
    name="gpt-tui-dark",
    primary="#56b6a6",
    secondary="#7f9bd1",
    accent="#56b6a6",
    warning="#e0b15c",
    error="#e5707a",
    success="#6cc28a",
    foreground="#d3d7de",
    background="#14161a",
    surface="#1a1d22",
    panel="#242830",
    dark=True,
    variables={
        "border": "#56b6a6",
        "border-blurred": "#3a404b",
        "scrollbar": "#3a404b",
        "scrollbar-background": "#14161a",
        "scrollbar-corner-color": "#14161a",
        "scrollbar-hover": "#4a5160",
        "scrollbar-background-hover": "#14161a",
        "scrollbar-active": "#56b6a6",
        "scrollbar-background-active": "#14161a",
    },
)

LIGHT = Theme(
    name="gpt-tui-light",
    primary="#0f7265",
    secondary="#3d5a98",
    accent="#0f7265",
    warning="#8a5a00",
    error="#b3263a",
    success="#1c7a43",
    foreground="#24292f",
    background="#fbfbf9",
    surface="#f3f3f0",
    panel="#e6e6e1",
    dark=False,
    variables={
        "border": "#0f7265",
        "border-blurred": "#c2c4c0",
        "scrollbar": "#c2c4c0",
        "scrollbar-background": "#fbfbf9",
        "scrollbar-corner-color": "#fbfbf9",
        "scrollbar-hover": "#a3a6a1",
        "scrollbar-background-hover": "#fbfbf9",
        "scrollbar-active": "#0f7265",
        "scrollbar-background-active": "#fbfbf9",
    },
)

THEMES = (DARK, LIGHT)


@dataclass(frozen=True)
class Look:
    """A state's glyph and colour; the colour is never alone."""

    glyph: str
    colour: str


LOOKS: dict[str, Look] = {
    "READY": Look("■", "$text-muted"),
    "PREPARING": Look("◌", "$text-accent"),
    "OPENING": Look("◌", "$text-accent"),
    "TRAINING": Look("●", "$text-success"),
    "PAUSED": Look("‖", "$text-warning"),
    "PAUSING": Look("‖", "$text-warning"),
    "RESUMING": Look("●", "$text-warning"),
    "STOPPING": Look("■", "$text-warning"),
    "SAVING": Look("●", "$text-warning"),
    "FINISHED": Look("■", "$text-success"),
    "STOPPED": Look("■", "$text-muted"),
    "INTERRUPTED": Look("!", "$text-warning"),
    "FAILED": Look("✕", "$text-error"),
}

# What is drawn, cell for cell, where only ASCII may be used. Text of a dataset or a model is not drawing and stays.
_ASCII = {
    "─": "-", "━": "-", "┄": ".", "┈": ".", "╌": "-", "═": "=", "│": "|", "┃": "|", "┊": ":", "╎": ":", "║": "|",
    "╭": "+", "╮": "+", "╰": "+", "╯": "+", "┌": "+", "┐": "+", "└": "+", "┘": "+", "├": "+", "┤": "+", "┬": "+",
    "┴": "+", "┼": "+", "┏": "+", "┓": "+", "┗": "+", "┛": "+", "╔": "+", "╗": "+", "╚": "+", "╝": "+", "╠": "+",
    "╣": "+", "┡": "+", "┢": "+", "┝": "+", "┥": "+", "█": "#", "▇": "#", "▆": "#", "▅": "=", "▄": "=", "▃": "-",
    "▂": "_", "▁": "_", "▀": "#", "▌": "|", "▐": "|", "▎": "|", "▏": "|", "▊": "|", "▋": "|", "▍": "|", "▉": "#",
    "▕": "|", "▔": "-", "░": ".", "▒": ":", "▓": "#", "▰": "#", "▱": "-", "▼": "v", "▲": "^", "▸": ">", "◂": "<",
    "◀": "<", "▶": ">", "●": "*", "○": "o", "◌": "o", "■": "#", "□": "o", "◆": "*", "◇": "o", "✕": "x", "×": "x",
    "✓": "+", "‖": "=", "·": "-", "…": "~", "←": "<", "→": ">", "↑": "^", "↓": "v", "–": "-", "—": "-", "“": '"',
    "”": '"', "’": "'", "‘": "'", "−": "-", "±": "~", "²": "2", "≈": "~", "⏎": "\\", "␣": "_", "∅": "0",
}  # fmt: skip
DIM = 0.5  # text nearer than this to the brightness behind it is drawn dim where there are no colours
HIGHLIGHT = 0.2  # a ground that is neither this dark nor this bright is a highlight
_TABLE = str.maketrans({**_ASCII, **{chr(c): ":" for c in range(0x2801, 0x2900)}, "\u2800": " "})


class NoColourFilter(LineFilter):
    """No colour at all, not even grey: what was pale becomes dim, what lay on a highlight is reversed."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        return [Segment(text, self._plain(style) if style else style, control) for text, style, control in segments]

    @staticmethod
    @lru_cache(maxsize=4096)
    def _plain(style: Style) -> Style:
        text, ground = _brightness(style.color, 0.85), _brightness(style.bgcolor, 0.1)
        highlight = HIGHLIGHT < ground < 1 - HIGHLIGHT
        return Style(
            bold=style.bold,
            italic=style.italic,
            underline=style.underline,
            strike=style.strike,
            dim=style.dim or (abs(text - ground) < DIM and not style.bold and not highlight),
            reverse=style.reverse or highlight,
            meta=style.meta,
        )


def _brightness(colour: RichColor | None, otherwise: float) -> float:
    if colour is None or colour.is_default:
        return otherwise
    return Color.from_rich_color(colour).brightness


class AsciiFilter(LineFilter):
    """Every line and glyph that the program draws becomes the ASCII character nearest to it, of the same width."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        return [Segment(text.translate(_TABLE), style, control) for text, style, control in segments]
