"""Text in which each character has a number, drawn as its tint, or as a mark below it where there are no colours."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from rich.cells import cell_len
from textual.content import Content
from textual.geometry import Size
from textual.widget import Widget

from gpt_tui.tui.plain import LINE_END, visible
from gpt_tui.tui.widgets.glyphs import joins, standing
from gpt_tui.tui.widgets.tints import Scale

TAB = "    "


@dataclass(frozen=True)
class Glyph:
    """What is drawn for one character, or for several that share a cell: a letter and its accents, say.

    bits: of all of them together. ends: whether the line ends here
    """

    text: str
    cells: int
    bits: float
    ends: bool = False


def glyphs(characters: Iterable[tuple[str, float]]) -> list[Glyph]:
    """Characters with their bits, as they are drawn: line ends as ⏎, nothing that moves the cursor."""
    drawn: list[Glyph] = []
    returned: list[float] = []  # bits of a carriage return that a line feed may follow
    for character, bits in characters:
        if character == "\n":
            drawn.append(Glyph(LINE_END, 1, bits + sum(returned), ends=True))
            returned = []
            continue
        for kept in returned:
            _add(drawn, visible("\r"), kept)
        returned = [bits] if character == "\r" else []
        if character == "\t":
            _add(drawn, TAB, bits)
        elif character != "\r":
            _add(drawn, visible(character), bits)
    for kept in returned:
        _add(drawn, visible("\r"), kept)
    return drawn


def _add(drawn: list[Glyph], text: str, bits: float) -> None:
    """A character that may need two cells, or none of its own because it joins the one before it."""
    before = drawn[-1] if drawn and not drawn[-1].ends else None
    if before is not None and joins(before.text, text):
        joined = before.text + text
        drawn[-1] = replace(before, text=joined, cells=cell_len(joined), bits=before.bits + bits)
    else:
        text = standing(text)
        drawn.append(Glyph(text, cell_len(text), bits))


def wrapped(drawn: Sequence[Glyph], width: int) -> list[list[Glyph]]:
    """Lines of at most `width` cells, broken after a space where there is one."""
    lines: list[list[Glyph]] = []
    line: list[Glyph] = []
    used = 0
    for glyph in drawn:
        while line and used + glyph.cells > width:
            cut = next((i for i in range(len(line), 0, -1) if line[i - 1].text.isspace()), len(line))
            lines.append(line[:cut])
            line = line[cut:]
            used = sum(kept.cells for kept in line)
        line.append(glyph)
        used += glyph.cells
        if glyph.ends:
            lines.append(line)
            line, used = [], 0
    return [*lines, line] if line else lines


@dataclass(frozen=True)
class Tinted:
    """What a `TintedText` shows. tinted, marked: by colour, by a line of marks under each line of text; or by both.

    below: lines that follow the text
    """

    glyphs: Sequence[Glyph]
    scale: Scale
    tinted: bool
    marked: bool
    below: Sequence[Content] = ()

    def lines(self, width: int) -> list[Content]:
        lines: list[Content] = []
        for line in wrapped(self.glyphs, max(width, 1)):
            lines.append(self._text(line))
            if self.marked:
                lines.append(self._marks(line))
        return [*lines, *([Content("")] if self.below and lines else []), *self.below]

    def _text(self, line: Sequence[Glyph]) -> Content:
        if not self.tinted:
            return Content("".join(glyph.text for glyph in line))
        runs = groupby(line, key=lambda glyph: self.scale.style(glyph.bits))
        return Content.assemble(*(("".join(glyph.text for glyph in run), style) for style, run in runs))

    def _marks(self, line: Sequence[Glyph]) -> Content:
        return Content.styled("".join(self.scale.mark(glyph.bits).ljust(glyph.cells) for glyph in line), "$text-muted")


class TintedText(Widget):
    DEFAULT_CSS = """
    TintedText { width: 1fr; height: auto; text-wrap: nowrap; text-overflow: ellipsis; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._shown: Tinted | None = None
        self._drawn: tuple[int, list[Content]] | None = None

    def show(self, shown: Tinted) -> None:
        if shown != self._shown:
            self._shown, self._drawn = shown, None
            self.refresh(layout=True)

    def _lines(self, width: int) -> list[Content]:
        if self._drawn is None or self._drawn[0] != width:
            self._drawn = (width, self._shown.lines(width) if self._shown is not None else [])
        return self._drawn[1]

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return len(self._lines(width))

    def render(self) -> Content:
        return Content("\n").join(self._lines(self.content_size.width))
