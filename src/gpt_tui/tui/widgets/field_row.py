"""One field of a form on one line: `▸name  ◂ value ▸  note  ● was …  word`, and below it what is wrong, in words.

The row draws what it is told and keeps no value; its owner decides what a press means. An editor appears in the value's
place while the field is edited.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Literal

from textual import events
from textual.binding import BindingType
from textual.content import Content
from textual.geometry import Size
from textual.message import Message
from textual.suggester import SuggestFromList
from textual.widget import Widget
from textual.widgets import Input

from gpt_tui.tui import keys
from gpt_tui.tui.plain import LINE_END, one_line

Part = Literal["row", "less", "more", "value"]

_WORD_WIDTH = 9
_NOTE_WIDTH = 9  # of the longest unit
_LONGEST_NAME = 24  # of a preset; longer text may be cut off
_INDENT = 3  # of what stands below a row


@dataclass(frozen=True)
class RowText:
    """What a row says.

    note:  the unit, or what is known of the value; brief: what is said where that has no room
    below: whether a note without room goes on a line of its own
    idle:  the value has no effect
    was:   what it differs from ("was 192"), or ""
    word:  live, new run, or what became of an edit; with its style
    fault: what is wrong with it, in words
    steps: whether the arrow keys change it
    left:  text stands at the left of its column, numbers and choices at the right
    """

    value: str
    note: str = ""
    brief: str = ""
    below: bool = False
    idle: bool = False
    was: str = ""
    word: str = ""
    word_style: str = "$foreground-muted"
    fault: str = ""
    steps: bool = True
    left: bool = False


@dataclass(frozen=True)
class Columns:
    """Where a row's parts stand: the cursor, the name and a space, then ◂, the value, ▸ and a space."""

    name: int
    value: int

    @property
    def value_at(self) -> int:
        return self.name + 3

    @property
    def rest_at(self) -> int:
        return self.value_at + self.value + 2


class FieldRow(Widget):
    """A row of the form. `show` says what it reads, `current` whether the cursor is on it."""

    DEFAULT_CSS = """
    FieldRow { height: auto; width: 1fr; layout: vertical; }
    FieldRow.-current { background: $foreground 8%; }
    """

    class Pressed(Message):
        """The mouse was pressed on a part of the row; `twice` when for the second time."""

        def __init__(self, row: FieldRow, part: Part, twice: bool) -> None:
            super().__init__()
            self.row = row
            self.part = part
            self.twice = twice

    class Submitted(Message):
        """Text was entered in the row's editor."""

        def __init__(self, row: FieldRow, text: str) -> None:
            super().__init__()
            self.row = row
            self.text = text

    class Left(Message):
        """The row's editor was left without a change."""

        def __init__(self, row: FieldRow) -> None:
            super().__init__()
            self.row = row

    class Resized(Message):
        """The row with the cursor takes more or fewer lines than before."""

    def __init__(self, name: str, columns: Columns, *, id: str | None = None) -> None:
        super().__init__(name=name, id=id)
        self.field = name
        self.columns = columns
        self.text = RowText("")
        self.refused = ""  # what is wrong with the text in the editor
        self.editor: FieldInput | None = None
        self._choices: tuple[str, ...] = ()
        self._no_other = False
        self._lines: tuple[int, list[Content]] = (0, [])

    def show(self, text: RowText) -> None:
        if text != self.text:
            taller = text.fault != self.text.fault or text.below or self.text.below
            self.text = text
            self._draw(taller)

    @property
    def current(self) -> bool:
        return self.has_class("-current")

    @current.setter
    def current(self, current: bool) -> None:
        if current != self.current:
            self.set_class(current, "-current")
            self._draw(taller=self.text.below)

    def edit(self, value: str, choices: Iterable[str] = (), closed: bool = False) -> None:
        """Put an editor with this text in the value's place.

        choices: completions to offer. closed: nothing else can be meant, so a part that one alone has will do.
        """
        if self.editor is not None:
            return
        self._choices, self._no_other = tuple(choices), closed
        self.editor = FieldInput(value, self._choices)
        self.editor.styles.margin = (0, 0, 0, self.columns.value_at)
        self.mount(self.editor)
        self.editor.focus()
        self._draw(taller=True)

    def refuse(self, message: str) -> None:
        """Say what is wrong with the text in the editor, which stays open."""
        self.refused = message
        self._draw(taller=True)

    def close(self) -> None:
        """Take the editor away."""
        if self.editor is not None:
            self.editor.remove()
            self.editor = None
        self.refused = ""
        self._draw(taller=True)

    # Drawing ---------------------------------------------------------------------------------------------------------

    def _draw(self, taller: bool = False) -> None:
        self._lines = (0, [])
        self.refresh(layout=taller)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return len(self._drawn(width))

    def render(self) -> Content:
        return Content("\n").join(self._drawn(self.content_size.width))

    def _drawn(self, width: int) -> list[Content]:
        if self._lines[0] != width or not self._lines[1]:
            self._lines = (width, self._draw_lines(width))
        return self._lines[1]

    def _draw_lines(self, width: int) -> list[Content]:
        columns, text = self.columns, self.text
        name = Content.assemble(
            ("▸" if self.current else " ", "bold $accent"),
            (_fit(self.field, columns.name), "bold" if self.current else ""),
            " ",
        )
        room = max(0, width - columns.rest_at - 1 - self._beyond)
        rest = self._rest(room)
        lines = [name + self._value(width - columns.value_at, rest.cell_length) + " " + rest]
        if width <= 12:
            return lines
        if text.below and self.editor is None and len(one_line(text.note)) > room:
            lines += _wrapped(Content.styled(one_line(text.note), "$foreground-muted"), width, 0)
        if self.editor is not None:
            lines += _wrapped(self._matching(), width, 0)
        if fault := self.refused or text.fault:
            lines += _wrapped(Content.styled(f"✕ {one_line(fault)}", "$text-error"), width, 2)
        return lines

    @property
    def _beyond(self) -> int:
        """Columns that a name at the left needs beyond those of its column."""
        if not self.text.left or self.editor is not None:
            return 0
        return max(0, min(len(one_line(self.text.value)), _LONGEST_NAME) - self.columns.value)

    def _value(self, room: int, rest: int) -> Content:
        text, width = self.text, self.columns.value
        shown = one_line(text.value)
        if text.left:  # a long text takes what the rest of the row leaves
            width = max(width, room - rest - 3)
        cell = Content(shown).truncate(width, ellipsis=True)
        cell = cell.pad_right(width - cell.cell_length) if text.left else cell.pad_left(width - cell.cell_length)
        style = "bold" if self.current else ""
        if text.fault:
            style = "bold $text-error"
        elif text.idle:
            style = "$foreground-disabled"
        elif text.was:
            style = "bold $text-accent"
        arrows = ("◂", "▸") if self.current and text.steps else (" ", " ")
        return Content.assemble((arrows[0], "$accent"), cell.stylize(style), (arrows[1], "$accent"))

    def _rest(self, width: int) -> Content:
        """Note, what it was and the word, as many as there is room for; the word stands at the right."""
        text = self.text
        if self.editor is not None or width <= 0:
            return Content("")
        word = Content.styled(text.word.rjust(_WORD_WIDTH) if text.word else "", text.word_style)
        note, was = one_line(text.note), f"● {one_line(text.was)}" if text.was else ""
        if len(note) > width:
            note = one_line(text.brief)
        if text.left and not note and not was:
            return word  # the value takes what is left
        if len(note) > _NOTE_WIDTH:
            return self._telling(note, was, word, width)
        if was and width - word.cell_length < _NOTE_WIDTH + 1 + len(was):
            note = ""
        if was and width - word.cell_length < len(was):  # what it was says more than that it needs a new run
            word = word if len(was) > width > word.cell_length + 1 else Content("")
            was = was if len(was) <= width else "●"
        if word.cell_length > width:
            word = Content("")
        if len(note) > width - word.cell_length:
            note = ""
        parts = [Content.styled(f"{note:<{_NOTE_WIDTH}}", "$foreground-muted")] if note else []
        parts += [Content.styled(was, "$text-accent")] if was else []
        return _spread(Content(" ").join(parts), word, width)

    @staticmethod
    def _telling(note: str, was: str, word: Content, width: int) -> Content:
        """A note that says much is worth more than what was there and than the word."""
        shown = Content.styled(note, "$foreground-muted")
        if was:
            whole = Content.assemble(shown, " ", (was, "$text-accent"))
            fits = whole.cell_length + word.cell_length <= width
            shown = whole if fits else Content.assemble(("● ", "$text-accent"), shown)
        return _spread(shown, word if shown.cell_length + word.cell_length <= width else Content(""), width)

    # Events ----------------------------------------------------------------------------------------------------------

    def on_resize(self) -> None:
        if self.current:
            self.post_message(self.Resized())

    def on_click(self, event: events.Click) -> None:
        if event.widget is not self:
            return  # inside the editor
        event.stop()
        self.post_message(self.Pressed(self, self._part(event.x, event.y), event.chain > 1))

    def _part(self, x: int, y: int) -> Part:
        at, last = self.columns.value_at - 1, self.columns.rest_at - 2
        if y > 0 or not at <= x <= last:
            return "row"
        if self.current and self.text.steps and x in (at, last):
            return "less" if x == at else "more"
        return "value"

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self.refused = ""
        self._draw(taller=True)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        text = event.value.replace(LINE_END, "\n")
        found = self._matches(text)
        self.post_message(self.Submitted(self, found[0] if self._no_other and len(found) == 1 else text))

    # Choices ---------------------------------------------------------------------------------------------------------

    def _matches(self, typed: str) -> list[str]:
        """The choice that was typed, or all those with these letters in them."""
        words = typed.strip().lower()
        return [words] if words in self._choices else [choice for choice in self._choices if words in choice]

    def _matching(self) -> Content:
        """What there is to choose from, less and less while typing."""
        assert self.editor is not None
        found = self._matches(self.editor.value)
        if len(self._choices) < 2 or not found:
            return Content("")
        if len(found) > 1 or found[0] == self.editor.value:
            return Content.styled("   ".join(self._choices if len(found) == 1 else found), "$foreground-muted")
        how = "enter takes " if self._no_other else "→ completes "
        return Content.assemble((how, "$foreground-muted"), found[0])


def _wrapped(text: Content, width: int, hanging: int) -> list[Content]:
    """Lines to stand below a row, `hanging` columns further in from the second on."""
    lines = text.wrap(width - _INDENT - hanging) if text else []
    return [Content(" " * (_INDENT if at == 0 else _INDENT + hanging)) + line for at, line in enumerate(lines)]


def _spread(left: Content, right: Content, width: int) -> Content:
    """Both ends of a line."""
    room = width - right.cell_length
    left = left.truncate(room, ellipsis=True)
    return left.pad_right(room - left.cell_length) + right


def _fit(text: str, width: int) -> str:
    return text.ljust(width) if len(text) <= width else text[: width - 1] + "…"


class FieldInput(Input):
    """The editor of a row: enter applies, esc leaves the value as it was."""

    BINDINGS: ClassVar[list[BindingType]] = keys.bindings("field")
    KEYS: ClassVar[tuple[str, ...]] = ("field",)

    def __init__(self, value: str, choices: Iterable[str]) -> None:
        choices = list(choices)
        super().__init__(
            value.replace("\n", LINE_END),
            compact=True,
            suggester=SuggestFromList(choices, case_sensitive=False) if choices else None,
        )

    def action_leave_field(self) -> None:
        row = self.parent
        assert isinstance(row, FieldRow)
        row.post_message(FieldRow.Left(row))
