"""Text with a tint a character and a cursor: what all lenses show."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from rich.cells import cell_len
from textual import events
from textual.content import Content
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.visual import Visual

from gpt_tui.tui.plain import visible
from gpt_tui.tui.widgets.glyphs import joins, standing
from gpt_tui.tui.widgets.tinted_text import TAB, Glyph, wrapped
from gpt_tui.tui.widgets.tints import Scale
from gpt_tui.tui.widgets.titled import Titled


@dataclass(frozen=True)
class Tinting:
    """values: a number a character, NaN for none. tinted: as colours; marked: as marks below; or both, or neither."""

    values: Sequence[float]
    scale: Scale
    tinted: bool
    marked: bool

    def of(self, at: int) -> float:
        return self.values[at] if at < len(self.values) else float("nan")


@dataclass(frozen=True)
class Placed(Glyph):
    """first: the character that it shows, or the first of those that share its cell. bits: unused."""

    first: int = 0


def placed(characters: Sequence[str]) -> list[Placed]:
    """Characters as they are drawn, each of them within one glyph."""
    drawn: list[Placed] = []
    for at, character in enumerate(characters):
        ends = character.endswith("\n")
        text = "⏎" if character == "\n" else TAB if character == "\t" else visible(character).replace("\n", "⏎")
        before = drawn[-1] if drawn and not drawn[-1].ends else None
        if before is not None and joins(before.text, text):
            joined = before.text + text
            drawn[-1] = replace(before, text=joined, cells=cell_len(joined))
        else:
            text = standing(text)
            drawn.append(Placed(text, cell_len(text), 0.0, ends, at))
    return drawn


class LensTextPane(ScrollView, Titled, can_focus=True, inherit_bindings=False):
    """at: the character that the cursor stands on."""

    DEFAULT_CSS = """
    LensTextPane {
        overflow-x: hidden; overflow-y: auto; scrollbar-gutter: stable; scrollbar-size-vertical: 1;
        border: round $border-blurred; border-title-color: $text-muted; border-subtitle-color: $text-muted;
        background: $background; padding: 0 0 0 1; width: 1fr; height: 1fr;
    }
    LensTextPane:focus { border: round $border; border-title-color: $foreground; border-title-style: bold; }
    LensTextPane:nocolor:focus { border: heavy $border; }
    """
    ALLOW_SELECT = False  # it is to be clicked: that moves the cursor

    class Moved(Message):
        """The person moved the cursor."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.at = 0
        self._characters: Sequence[str] = ()
        self._glyphs: list[Placed] = []
        self._firsts: list[int] = []
        self._lines: list[list[Glyph]] = []
        self._starts: list[int] = []  # of each line, the place of its first glyph
        self._tinting: Tinting | None = None

    # What is shown ---------------------------------------------------------------------------------------------------

    def show(self, characters: Sequence[str], at: int | None = None) -> None:
        """Another text. at: where the cursor is to be; None leaves it."""
        if list(characters) != list(self._characters):
            self._characters = characters
            self._glyphs = placed(characters)
            self._firsts = [glyph.first for glyph in self._glyphs]
            self._tinting = None
            self._lay_out()
        self.move_to(self.at if at is None else at)

    def tint(self, tinting: Tinting | None) -> None:
        taller = (tinting is not None and tinting.marked) != self._marked
        self._tinting = tinting
        if taller:
            self._lay_out()
        self.refresh()

    @property
    def count(self) -> int:
        return len(self._characters)

    @property
    def _marked(self) -> bool:
        return self._tinting is not None and self._tinting.marked

    # The cursor ------------------------------------------------------------------------------------------------------

    def move_to(self, at: int) -> None:
        self.at = min(max(at, 0), max(self.count - 1, 0))
        self._reveal()
        self.refresh()

    def _go(self, at: int) -> None:
        before = self.at
        self.move_to(at)
        if self.at != before:
            self.post_message(self.Moved())

    def move(self, by: int) -> None:
        """By so many characters that can be seen apart."""
        if self._glyphs:
            wanted = min(max(self._glyph_of(self.at) + by, 0), len(self._glyphs) - 1)
            self._go(self._firsts[wanted])

    def move_line(self, by: int) -> None:
        if not self._lines:
            return
        line, column = self._place_of(self.at)
        wanted = min(max(line + by, 0), len(self._lines) - 1)
        if wanted != line:
            self._go(self._at(wanted, column))

    def move_edge(self, way: int) -> None:
        self._go(0 if way < 0 else self.count - 1)

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        if offset is None:
            return
        line = (offset.y + self.scroll_offset.y) // self._tall
        if line < len(self._lines):
            self._go(self._at(line, offset.x))

    def _glyph_of(self, at: int) -> int:
        return max(0, bisect_right(self._firsts, at) - 1)

    def _place_of(self, at: int) -> tuple[int, int]:
        """The line of a character, and its column in cells."""
        glyph = self._glyph_of(at)
        line = max(0, bisect_right(self._starts, glyph) - 1)
        return line, sum(before.cells for before in self._glyphs[self._starts[line] : glyph])

    def _at(self, line: int, column: int) -> int:
        """The character drawn there, or the last of a line that is shorter."""
        used, glyphs = 0, self._lines[line]
        for at, glyph in enumerate(glyphs):
            used += glyph.cells
            if column < used or at == len(glyphs) - 1:
                return self._firsts[self._starts[line] + at]
        return 0

    # Drawing ---------------------------------------------------------------------------------------------------------

    @property
    def _tall(self) -> int:
        """Rows of the screen that a line takes."""
        return 2 if self._marked else 1

    def on_resize(self) -> None:
        self._lay_out()

    def _lay_out(self) -> None:
        if not self.size.width:  # it has no place yet
            return
        width = max(self.scrollable_content_region.width, 2)
        self._lines = wrapped(self._glyphs, width)
        self._starts = [0]
        for line in self._lines[:-1]:
            self._starts.append(self._starts[-1] + len(line))
        self.virtual_size = Size(width, len(self._lines) * self._tall)
        self._reveal()
        self.refresh()

    def _reveal(self) -> None:
        """Scroll the cursor's line into sight."""
        if self._lines and self.size.height:
            line, _ = self._place_of(self.at)
            region = Region(0, line * self._tall, 1, self._tall)
            self.scroll_to_region(region, animate=False, immediate=True)
            if self._marked and self.scroll_offset.y % 2:  # no line of marks is first, without its text
                self.scroll_to(y=self.scroll_offset.y + 1, animate=False, immediate=True)

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        line, below = divmod(y + self.scroll_offset.y, self._tall)
        if line >= len(self._lines):
            return Strip.blank(width, self.rich_style)
        content = Content.assemble(*(self._marks(line) if below else self._text(line)))
        strips = Visual.to_strips(self, content, width, 1, self.visual_style, apply_selection=False)
        return strips[0].adjust_cell_length(width, self.rich_style) if strips else Strip.blank(width, self.rich_style)

    def _text(self, line: int) -> Iterator[tuple[str, str]]:
        start, tinting = self._starts[line], self._tinting
        on = self._glyph_of(self.at)

        def look(at: int) -> str:
            if at == on:
                return "bold reverse"
            if tinting is None or not tinting.tinted:
                return ""
            return tinting.scale.style(self._value(at, tinting))

        for style, run in groupby(range(start, start + len(self._lines[line])), key=look):
            yield "".join(self._glyphs[at].text for at in run), style

    def _marks(self, line: int) -> Iterator[tuple[str, str]]:
        start, tinting = self._starts[line], self._tinting
        if tinting is not None:
            for at in range(start, start + len(self._lines[line])):
                mark = tinting.scale.mark(self._value(at, tinting))
                yield mark.ljust(self._glyphs[at].cells), "$text-muted"

    def _value(self, glyph: int, tinting: Tinting) -> float:
        """Of the characters that share a glyph, the highest."""
        first = self._firsts[glyph]
        past = self._firsts[glyph + 1] if glyph + 1 < len(self._firsts) else self.count
        known = [value for at in range(first, past) if (value := tinting.of(at)) == value]
        return max(known, default=float("nan"))
