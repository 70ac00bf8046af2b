"""Aligned rows with a cursor, as many as there may be: only those in sight are drawn, and none is a widget."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.binding import BindingType
from textual.content import Content
from textual.geometry import Region, Size
from textual.message import Message
from textual.strip import Strip
from textual.visual import Visual

from gpt_tui.tui import keys
from gpt_tui.tui.plain import visible
from gpt_tui.tui.widgets.titled import Titled

WHEEL = 3  # rows that a turn of the wheel moves
CURSOR = "▸"


class Rows(Titled, can_focus=True):
    """A subclass says how many rows there are, and how each of them reads; its owner is told where the cursor is.

    letter: jumps to it after `;`. label: what a person calls it.
    """

    DEFAULT_CSS = """
    Rows {
        height: 1fr;
        width: 1fr;
        padding: 0;
        text-wrap: nowrap;
        text-overflow: ellipsis;
        border: round $border-blurred;
        border-title-color: $text-muted;
        border-subtitle-color: $text-muted;
        border-title-style: none;
        border-subtitle-style: none;
        background: $background;
        & > .rows--cursor { background: $foreground 8%; }
        & > .rows--thumb { color: $border-blurred; }
        &:focus > .rows--cursor { background: $accent 25%; }
        &:focus {
            border: round $border;
            border-title-color: $foreground;
            border-title-style: bold;
            border-subtitle-color: $foreground;
        }
        &:nocolor:focus { border: heavy $border; }
    }
    .-compact Rows { border: none; border-top: solid $border-blurred; }
    .-compact Rows:focus { border: none; border-top: heavy $border; }
    """
    BINDINGS: ClassVar[list[BindingType]] = keys.bindings("rows")
    KEYS: ClassVar[tuple[str, ...]] = ("rows",)
    COMPONENT_CLASSES: ClassVar[set[str]] = {"rows--cursor", "rows--thumb"}
    ALLOW_SELECT = False

    class Moved(Message):
        """The cursor is on another row."""

        def __init__(self, rows: Rows) -> None:
            super().__init__()
            self.rows = rows

        @property
        def control(self) -> Rows:
            return self.rows

    class Chosen(Moved):
        """A row was clicked twice."""

    def __init__(self, label: str, letter: str, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.label = label
        self.letter = letter
        self.cursor = 0
        self._top = 0
        self._placeholder = Content("")
        self.set_title(label)

    # For the subclass -----------------------------------------------------------------------------------------------

    @property
    def count(self) -> int:
        raise NotImplementedError

    def head(self, width: int) -> Content:
        """The line over the rows."""
        raise NotImplementedError

    def line(self, index: int, width: int) -> Content:
        """How a row reads, without the sign of the cursor, which takes the cell before it."""
        raise NotImplementedError

    @property
    def copied(self) -> str:
        raise NotImplementedError

    def changed(self, cursor: int) -> None:
        """There are other rows: put the cursor on one of them, and draw them."""
        self.cursor = min(max(cursor, 0), max(self.count - 1, 0))
        self._scroll()
        self.refresh()

    def row_changed(self, index: int) -> None:
        """One row reads otherwise."""
        y = index - self._top + 1
        if 1 <= y <= self._room:
            self.refresh(Region(0, y, self.size.width, 1))

    # What is shown --------------------------------------------------------------------------------------------------

    def set_placeholder(self, content: Content) -> None:
        """What stands in place of rows while there are none."""
        if not content.is_same(self._placeholder):
            self._placeholder = content
            self.refresh()

    @property
    def _room(self) -> int:
        """Rows that fit under the head."""
        return max(self.size.height - 1, 1)

    def _scroll(self) -> None:
        """Bring the cursor into sight, and leave no empty lines where there are rows for them."""
        self._top = min(max(self._top, self.cursor - self._room + 1), self.cursor)
        self._top = max(0, min(self._top, self.count - self._room))

    def on_resize(self, _: events.Resize) -> None:
        self._scroll()

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return self.count + 1

    # Moving ---------------------------------------------------------------------------------------------------------

    def go(self, index: int) -> None:
        index = min(max(index, 0), max(self.count - 1, 0))
        if index == self.cursor:
            return
        before, top = self.cursor, self._top
        self.cursor = index
        self._scroll()
        if self._top != top:
            self.refresh()
        else:
            self.row_changed(before)
            self.row_changed(index)
        self.post_message(self.Moved(self))

    def action_cursor(self, by: int) -> None:
        self.go(self.cursor + by)

    def action_cursor_page(self, by: int) -> None:
        self.go(self.cursor + by * max(self._room - 1, 1))

    def action_cursor_edge(self, way: int) -> None:
        self.go(0 if way < 0 else self.count - 1)

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        if offset is None or not 1 <= offset.y <= self._room:
            return
        index = self._top + offset.y - 1
        if index < self.count:
            self.go(index)
            if event.chain == 2:
                self.post_message(self.Chosen(self))

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        self._turn(-WHEEL)
        event.stop()

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        self._turn(WHEEL)
        event.stop()

    def _turn(self, by: int) -> None:
        """Scroll without moving the cursor; the next key brings it into sight again."""
        top = max(0, min(self._top + by, self.count - self._room))
        if top != self._top:
            self._top = top
            self.refresh()

    # Drawing --------------------------------------------------------------------------------------------------------

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        if not self.count:
            return self._placeholder_line(y, width)
        if y == 0:
            return self._strip(Content.assemble(" ", self.head(width - 2)).stylize("$text-muted"), width - 1)
        index = self._top + y - 1
        if index >= self.count:
            return self._strip(Content(""), width)
        current = index == self.cursor
        content = Content.assemble((CURSOR if current else " ", "$text-accent"), self.line(index, width - 2))
        strip = self._strip(content, width - 1, "rows--cursor" if current else None)
        return Strip.join([strip, self._strip(Content.styled(self._thumb(y), "$text-muted"), 1)])

    def _strip(self, content: Content, width: int, component: str | None = None) -> Strip:
        style = self.get_visual_style(component) if component else self.visual_style
        (strip, *_) = Visual.to_strips(self, content, width, 1, style, pad=True, apply_selection=False)
        return strip

    def _thumb(self, y: int) -> str:
        """The part of a scrollbar beside the line at y; nothing where all rows are in sight."""
        if self.count <= self._room:
            return " "
        long = max(1, self._room * self._room // self.count)
        at = round(self._top * (self._room - long) / (self.count - self._room))
        return "┃" if at <= y - 1 < at + long else " "

    def _placeholder_line(self, y: int, width: int) -> Strip:
        lines = self._placeholder.wrap(max(width - 2, 10))
        if not 0 <= y - 1 < len(lines):
            return self._strip(Content(""), width)
        return self._strip(Content.assemble(" ", lines[y - 1]), width)


def cell(text: str, width: int, right: bool = False) -> str:
    """`text` in exactly `width` cells, cut with … where it is longer."""
    content = Content(visible(text).replace("\n", " ")).truncate(width, ellipsis=True)
    gap = " " * max(width - content.cell_length, 0)
    return gap + content.plain if right else content.plain + gap
