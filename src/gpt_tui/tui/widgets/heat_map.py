"""Attention as heat maps: one head in full, with its characters along the axes, and all heads of a layer, small.

Row by row a character that asks, column by column one that it looks at. Where there are colours, two rows share a line
by half blocks; elsewhere a shade is a character. What is known of a terminal is said by `Ink`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING

from rich.cells import cell_len
from textual import events
from textual.content import Content
from textual.message import Message
from textual.style import Style

from gpt_tui.tui.plain import one_line
from gpt_tui.tui.widgets.tints import Scale, level_of
from gpt_tui.tui.widgets.titled import Titled

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Grid = npt.NDArray[np.float32]

SHADES = " ░▒▓█"
ASCII_SHADES = " .:-=+*#%@"
SMALLEST, LARGEST = 3, 32  # rows of a small map
ROOMY = 32  # lines from which each row of the full map has one to itself
LOOKED_AT = 64  # characters that a small map tells of, at most
UNSEEN = "·"  # a label for a character that does not fit into one cell


@dataclass(frozen=True)
class Ink:
    """How shares are drawn: in the colours of a scale, or in shades, the faintest first.

    whole: a row has a line to itself, where there are colours too
    """

    scale: Scale
    shades: str = ""
    whole: bool = False

    @classmethod
    def of(cls, scale: Scale, coloured: bool, ascii: bool) -> Ink:
        return cls(scale, ASCII_SHADES if ascii else "" if coloured else SHADES)

    @property
    def rows_a_line(self) -> int:
        return 1 if self.shades or self.whole else 2

    def lines(self, grid: Grid, wide: int = 1) -> list[Content]:
        """A grid (rows, columns) of shares; what is NaN is not drawn. wide: cells of a column."""
        rows = [list(row) for row in grid.tolist()]
        if self.shades:
            last = len(self.shades) - 1
            return [
                Content("".join(self.shades[_round(share, last)] * wide for share in row).rstrip(" ")) for row in rows
            ]
        if self.whole:
            return [self._row(row, wide) for row in rows]
        if len(rows) % 2:
            rows.insert(0, [math.nan] * len(rows[0]))
        return [self._pair(upper, lower, wide) for upper, lower in zip(rows[::2], rows[1::2], strict=True)]

    def _row(self, row: Sequence[float], wide: int) -> Content:
        runs = groupby(row, key=self._ground)
        return Content.assemble(
            *((" " * (wide * len(list(run))), f"on {ground}" if ground else "") for ground, run in runs)
        )

    def _pair(self, upper: Sequence[float], lower: Sequence[float], wide: int) -> Content:
        grounds = [(self._ground(one), self._ground(other)) for one, other in zip(upper, lower, strict=True)]
        parts = [_half(*pair, wide * len(list(run))) for pair, run in groupby(grounds)]
        return Content.assemble(*parts)

    def _ground(self, share: float) -> str:
        return "" if math.isnan(share) else self.scale.ground(level_of(share))


def _round(share: float, last: int) -> int:
    return 0 if math.isnan(share) else round(last * math.sqrt(min(max(share, 0.0), 1.0)))


def _half(upper: str, lower: str, cells: int) -> tuple[str, str]:
    if not upper and not lower:
        return " " * cells, ""
    if not upper:
        return "▄" * cells, lower
    if not lower:
        return "▀" * cells, upper
    return "▀" * cells, f"{upper} on {lower}"


def label_of(character: str) -> str:
    """A character in one cell."""
    text = {" ": "␣"}.get(character, one_line(character))
    return text if cell_len(text) == 1 else UNSEEN


@dataclass(frozen=True, eq=False)
class Square:
    """One head, or the mean of several, over some characters of a text.

    grid:   (rows, columns), a share each, NaN for what lies in the future of a row
    cursor: the row, and the column, of the character that is looked at
    """

    characters: Sequence[str]
    grid: Grid
    cursor: int

    @classmethod
    def of(cls, weights: Grid, row: int, column: int, at: int, characters: Sequence[str]) -> Square:
        """weights: (rows, columns) from the characters `row` and `column` on. at: the character of the cursor."""
        import numpy as np

        first, past = max(row, column), row + len(weights)
        part = weights[first - row :, first - column : past - column].astype(float)
        part[np.triu_indices(len(part), 1)] = math.nan
        return cls(characters[first:past], part, at - first)

    def around(self, count: int) -> Square:
        """So many rows and columns up to the cursor; at the beginning those after it too."""
        past = max(self.cursor + 1, min(count, len(self.grid)))
        first = max(past - max(count, 1), 0)
        return Square(self.characters[first:past], self.grid[first:past, first:past], self.cursor - first)

    def pooled(self, size: int) -> Grid:
        """At most `size` rows and columns, of as many of the last ones as come out even: of those that share one, the
        highest."""
        import numpy as np

        count = len(self.grid)
        share = max(count // size, 1)
        grid = self.grid[-share * size :, -share * size :]
        starts = np.arange(0, len(grid), share)
        filled = np.where(np.isnan(grid), -1, grid)
        highest = np.maximum.reduceat(np.maximum.reduceat(filled, starts, axis=0), starts, axis=1)
        result: Grid = np.where(highest < 0, math.nan, highest)
        return result


def width_for(ink: Ink, height: int) -> int:
    """The cells that the full map makes use of where it has so many lines."""
    lines = max(height - 1, 1)
    ink = _roomy(ink, lines)
    return lines * 2 + _gutter(ink)


def _roomy(ink: Ink, lines: int) -> Ink:
    return replace(ink, whole=lines >= ROOMY)


def _gutter(ink: Ink) -> int:
    """Cells of the mark and the names at the left."""
    return 1 + ink.rows_a_line + 1


def full(square: Square, ink: Ink, width: int, height: int) -> list[Content]:
    """As many characters as there is room for, with their names at the left and below; ▸ is where the cursor is."""
    lines = max(height - 1, 1)
    ink = _roomy(ink, lines)
    gutter = _gutter(ink)
    wide = 2 if ink.rows_a_line == 1 and lines * 2 <= width - gutter else 1
    square = square.around(min((width - gutter) // wide, lines * ink.rows_a_line))
    drawn = ink.lines(square.grid, wide)
    before = len(drawn) * ink.rows_a_line - len(square.characters)  # rows of the first line that are none
    names = [
        (label_of(character), "bold $text-accent" if at == square.cursor else "$text-muted")
        for at, character in enumerate(square.characters)
    ]
    padded = [(" ", "")] * before + names
    result = []
    for at, line in enumerate(drawn):
        rows = range(at * ink.rows_a_line, (at + 1) * ink.rows_a_line)
        mark = "▸" if square.cursor + before in rows else " "
        result.append(Content.assemble((mark, "$text-accent"), *(padded[row] for row in rows), " ", line))
    axis = [(name.ljust(wide), style) for name, style in names]
    return [*result, Content.assemble(" " * gutter, *axis)]


def all_heads(squares: Sequence[Square], chosen: int, ink: Ink, width: int, height: int) -> list[Content]:
    """Small maps, as large as fit, each under its head's number. chosen: the head that stands out, from 1; 0 for none.

    Where not all fit, those around the chosen one are drawn.
    """
    size, across = _size_of(len(squares), ink, width, height)
    tall = 1 + -(-size // ink.rows_a_line)
    room = max(across * max(height // tall, 1), 1)
    first = 0 if len(squares) <= room else min(max(chosen - 1 - room // 2, 0), len(squares) - room)
    shown = range(first, min(first + room, len(squares)))
    lines: list[Content] = []
    for start in range(shown.start, shown.stop, across):
        row = range(start, min(start + across, shown.stop))
        maps = [ink.lines(squares[head].around(LOOKED_AT).pooled(size)) for head in row]
        lines.append(Content(" ").join(_name(head + 1, head + 1 == chosen, size) for head in row))
        deepest = max(map(len, maps))
        for at in range(deepest):
            parts = [one[at - deepest + len(one)] if at >= deepest - len(one) else Content("") for one in maps]
            lines.append(Content(" ").join(part.pad_right(size - part.cell_length) for part in parts))
    return lines[:height]


def _size_of(heads: int, ink: Ink, width: int, height: int) -> tuple[int, int]:
    """The rows of the largest maps of which all fit, and how many stand beside each other."""
    for size in range(LARGEST, SMALLEST, -1):
        across = (width + 1) // (size + 1)
        tall = 1 + -(-size // ink.rows_a_line)
        if across and -(-heads // across) * tall <= height:
            return size, min(across, heads)
    return SMALLEST, max((width + 1) // (SMALLEST + 1), 1)


def _name(head: int, chosen: bool, size: int) -> Content:
    word = f"{'▸' if chosen else ' '}{head}" if size < 8 else f"{'▸' if chosen else ' '}head {head}"
    content = Content.styled(word[:size].ljust(size), "bold $text-accent" if chosen else "$text-muted")
    return content.stylize(Style.from_meta({"action": f"screen.choose_head({head})"}))


class HeatPane(Titled):
    """A titled box for lines that its owner draws for its size; a click does what is said where it falls."""

    ALLOW_SELECT = False
    DEFAULT_CSS = """
    HeatPane {
        border: round $border-blurred; border-title-color: $text-muted; border-subtitle-color: $text-muted;
        background: $background; padding: 0 1; width: 1fr; height: 1fr; text-wrap: nowrap;
    }
    """

    class Resized(Message):
        """It has another size than it was drawn for."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._content = Content("")

    def on_resize(self) -> None:
        self.post_message(self.Resized())

    def show(self, lines: Sequence[Content]) -> None:
        content = Content("\n").join(lines)
        if not content.is_same(self._content):
            self._content = content
            self.refresh()

    def say(self, words: str) -> None:
        """A sentence in place of a map."""
        self.show(Content.styled(words, "$text-muted").wrap(max(self.content_size.width, 10)))

    def render(self) -> Content:
        return self._content

    async def on_click(self, event: events.Click) -> None:
        if (action := event.style.meta.get("action")) is not None:
            await self.run_action(action)
