"""Text made of tokens, as a model reads and writes it, with a cursor that stands on one of them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, ClassVar

from rich.cells import cell_len
from textual import events
from textual.binding import BindingType
from textual.content import Content
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.selection import Selection
from textual.strip import Strip
from textual.visual import Visual

from gpt_tui.tui import keys
from gpt_tui.tui.plain import LINE_END, visible
from gpt_tui.tui.widgets.glyphs import joins, standing
from gpt_tui.tui.widgets.titled import Titled

if TYPE_CHECKING:
    from gpt_tui.core.speech import Spoken


@dataclass
class Glyph:
    """What is drawn for the tokens `first` to `last`: mostly one, several where they share a character or its cell."""

    text: str
    cells: int
    first: int
    last: int
    given: bool
    ends: bool = False
    chosen: bool = False


class Flow:
    """Tokens as lines of a width; adding tokens costs what is added. A line's last cell is for its space or its end."""

    def __init__(self, width: int):
        self.width = max(width, 2)
        self.glyphs: list[Glyph] = []
        self.lines: list[tuple[int, int]] = []  # from glyph, to glyph
        self.tokens = 0
        self._firsts: list[int] = []
        self._waiting: int | None = None  # the first of the tokens whose character is not whole yet

    def add(self, tokens: Sequence[Spoken]) -> None:
        for token in tokens:
            self._add(token)
        start = self.lines.pop()[0] if self.lines else 0
        while start < len(self.glyphs):
            end = self._line_end(start)
            self.lines.append((start, end))
            start = end

    def _add(self, token: Spoken) -> None:
        at, self.tokens = self.tokens, self.tokens + 1
        first = at if self._waiting is None else self._waiting
        self._waiting = None if token.text else first
        for line in token.text.splitlines(keepends=True):
            text = line.rstrip("\n")
            if text:
                self._draw(visible(text), first, at, token)
            if line.endswith("\n"):
                # The line end that a text without a prompt goes on from is no reason to begin with an empty line.
                ends = not (token.given and first == 0)
                self._append(Glyph(LINE_END, 1, first, at, token.given, ends, token.chosen))

    def _draw(self, text: str, first: int, last: int, token: Spoken) -> None:
        """A character that may need two cells, or none of its own because it joins the one before it."""
        before = self.glyphs[-1] if self.glyphs and not self.glyphs[-1].ends else None
        if before is not None and joins(before.text, text):
            before.text, before.last, before.chosen = before.text + text, last, before.chosen or token.chosen
        else:
            text = standing(text)
            self._append(Glyph(text, cell_len(text), first, last, token.given, chosen=token.chosen))

    def _append(self, glyph: Glyph) -> None:
        self.glyphs.append(glyph)
        self._firsts.append(glyph.first)

    def _line_end(self, start: int) -> int:
        """Where the line that begins with this glyph ends: after a space where there is one."""
        used, cut = 0, start
        for at in range(start, len(self.glyphs)):
            glyph = self.glyphs[at]
            if glyph.ends:
                return at + 1
            used += glyph.cells
            if used > self.width - 1:
                if glyph.text == " " and used == self.width:
                    return at + 1
                return cut if cut > start else max(at, start + 1)
            if glyph.text.isspace():
                cut = at + 1
        return len(self.glyphs)

    def glyph_of(self, token: int) -> int:
        """The place of the glyph that shows a token; of one that is not whole yet, the last."""
        return max(0, bisect_right(self._firsts, token) - 1)

    def line_of(self, glyph: int) -> int:
        return max(0, bisect_right(self.lines, glyph, key=lambda line: line[0]) - 1)

    def column_of(self, glyph: int) -> int:
        start, _ = self.lines[self.line_of(glyph)]
        return sum(before.cells for before in self.glyphs[start:glyph])

    def token_at(self, line: int, column: int) -> int:
        """The token drawn there, or the last of a line that is shorter."""
        start, end = self.lines[line]
        used = 0
        for glyph in self.glyphs[start:end]:
            used += glyph.cells
            if column < used:
                return glyph.first
        return self.glyphs[end - 1].first

    def text_of(self, line: int) -> str:
        start, end = self.lines[line]
        return "".join(glyph.text for glyph in self.glyphs[start:end] if not glyph.ends)


class TokenText(ScrollView, Titled, can_focus=True, inherit_bindings=False):
    """at: the token that the cursor stands on; None follows the newest. letter: jumps to it after `;`.

    A token that a person chose, and each one where a branch begins, is underlined.
    """

    BINDINGS: ClassVar[list[BindingType]] = keys.bindings("text")
    KEYS: ClassVar[tuple[str, ...]] = ("text",)
    DEFAULT_CSS = "TokenText { overflow-x: hidden; overflow-y: auto; scrollbar-gutter: stable; }"

    class Moved(Message):
        """The person moved the cursor."""

        def __init__(self, text: TokenText, at: int | None) -> None:
            super().__init__()
            self.text = text
            self.at = at

    def __init__(self, label: str, letter: str, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.label = label
        self.letter = letter
        self.at: int | None = None
        self._tokens: Sequence[Spoken] = ()
        self._branches: frozenset[int] = frozenset()
        self._words = Content("")
        self._flow = Flow(2)
        self.set_title(label)

    # What is shown --------------------------------------------------------------------------------------------------

    def show(self, tokens: Sequence[Spoken]) -> None:
        """More of the same tokens, or others."""
        shown = len(self._tokens)
        more = 0 < shown <= len(tokens) and tokens[shown - 1] is self._tokens[-1]
        if len(tokens) == shown and (more or not shown):
            return
        if not more:
            self._flow = Flow(self._flow.width)
            if not self._ends_as(tokens):
                self.at = None
        self._tokens = tokens
        self._flow.add(tokens[self._flow.tokens :])
        self._lay_out()

    def _ends_as(self, tokens: Sequence[Spoken]) -> bool:
        """Whether they are the same, but that the bytes at the end are no longer, or again, those of a character."""
        shown = len(self._tokens)
        if not 1 < shown <= len(tokens) or tokens[shown - 2] is not self._tokens[-2]:
            return False
        last = tokens[shown - 1]
        return last.id == self._tokens[-1].id and not last.chosen

    def mark(self, branches: frozenset[int]) -> None:
        """The tokens where one branched from this text."""
        if branches != self._branches:
            self._branches = branches
            self.refresh()

    def say(self, words: Content) -> None:
        """A sentence of the program's own; it is shown where there are no tokens."""
        if not words.is_same(self._words):
            self._words = words
            if not self._tokens:
                self._lay_out()

    @property
    def cursor(self) -> int | None:
        """The token that the cursor stands on, or that it follows; None where there is none."""
        if not self._tokens:
            return None
        return len(self._tokens) - 1 if self.at is None else min(self.at, len(self._tokens) - 1)

    @property
    def token(self) -> Spoken | None:
        """What the cursor stands on."""
        return None if self.cursor is None else self._tokens[self.cursor]

    @property
    def copied(self) -> str:
        return "".join(token.text for token in self._tokens)

    # The cursor -----------------------------------------------------------------------------------------------------

    def move_to(self, at: int | None) -> None:
        """Put the cursor on a token; None follows the newest."""
        if at != self.at:
            self.at = at
            self._reveal()
            self.refresh()

    def _go(self, token: int) -> None:
        if self._tokens:
            last = len(self._tokens) - 1
            self.move_to(None if token >= last else max(token, 0))
            self.post_message(self.Moved(self, self.at))

    def action_move_token(self, by: int) -> None:
        """To a token beside it that can be seen: those that share its glyph are passed over."""
        if self.cursor is None:
            return
        flow = self._flow
        at = flow.glyph_of(self.cursor)
        wanted = min(max(at + by, 0), len(flow.glyphs) - 1)
        self._go(flow.glyphs[wanted].last if by > 0 else flow.glyphs[wanted].first)

    def action_move_line(self, by: int) -> None:
        if self.cursor is None or not self._flow.lines:
            return
        flow = self._flow
        glyph = flow.glyph_of(self.cursor)
        line = min(max(flow.line_of(glyph) + by, 0), len(flow.lines) - 1)
        if line != flow.line_of(glyph):
            self._go(flow.token_at(line, flow.column_of(glyph)))

    def action_move_edge(self, way: int) -> None:
        self._go(0 if way < 0 else len(self._tokens))

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        line = offset.y + self.scroll_offset.y if offset is not None else len(self._flow.lines)
        if offset is not None and self._tokens and line < len(self._flow.lines):
            self._go(self._flow.token_at(line, offset.x))

    # Drawing ---------------------------------------------------------------------------------------------------------

    def on_resize(self) -> None:
        width = self.scrollable_content_region.width
        if width != self._flow.width:
            self._flow = Flow(width)
            self._flow.add(self._tokens)
        self._lay_out()

    def _lay_out(self) -> None:
        height = len(self._flow.lines) if self._tokens else 0
        self.virtual_size = Size(self._flow.width, height)
        self._reveal()
        self.refresh()

    def _reveal(self) -> None:
        """Scroll the cursor's line into sight."""
        if self.cursor is None or not self.size.height:
            return
        line = self._flow.line_of(self._flow.glyph_of(self.cursor))
        if self.at is None:
            self.scroll_to(y=self.max_scroll_y, animate=False, force=True, immediate=True)
        else:
            self.scroll_to_region(Region(0, line, 1, 1), animate=False, force=True, immediate=True)

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        y += self.scroll_offset.y
        if not self._tokens:
            return self._words_line(y, width)
        if y >= len(self._flow.lines):
            return Strip.blank(width, self.rich_style)
        content = Content.assemble(*self._parts(y))
        selection = self.text_selection
        if selection is not None and (span := selection.get_span(y)) is not None:
            start, end = span
            style = self.screen.get_visual_style("screen--selection")
            content = content.stylize(style, start, None if end == -1 else end)
        return self._strip(content, width).apply_offsets(0, y)

    def _parts(self, y: int) -> Iterator[tuple[str, str]]:
        """(text, style) along one line."""
        start, end = self._flow.lines[y]
        cursor = self.cursor
        on = self._flow.glyph_of(cursor) if cursor is not None else -1

        def look(at: int) -> str:
            glyph = self._flow.glyphs[at]
            if at == on:
                return "reverse" if self.has_focus else "bold underline"
            if glyph.chosen:
                return "bold underline $accent"
            if not self._branches.isdisjoint(range(glyph.first, glyph.last + 1)):
                return "underline"
            return "$text-accent" if glyph.given else ""

        for style, run in groupby(range(start, end), key=look):
            glyphs = [(at, self._flow.glyphs[at]) for at in run]
            marked = "underline" in style
            yield "".join(" " if glyph.ends and at != on and not marked else glyph.text for at, glyph in glyphs), style

    def _words_line(self, y: int, width: int) -> Strip:
        lines = self._words.wrap(max(width - 1, 1)) if self._words else []
        return self._strip(lines[y], width) if y < len(lines) else Strip.blank(width, self.rich_style)

    def _strip(self, content: Content, width: int) -> Strip:
        strips = Visual.to_strips(self, content, width, 1, self.visual_style, apply_selection=False)
        return strips[0].adjust_cell_length(width, self.rich_style) if strips else Strip.blank(width, self.rich_style)

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        lines = [self._flow.text_of(line) for line in range(len(self._flow.lines))]
        return selection.extract("\n".join(lines)), "\n"
