"""What a form is put together from, beside its rows: section titles, the filter, the panes of text."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import BindingType
from textual.content import Content
from textual.message import Message
from textual.widgets import Input

from gpt_tui.tui import keys
from gpt_tui.tui.widgets.line import Line
from gpt_tui.tui.widgets.pane import Pane


class BesidePane(Pane):
    """A pane whose text is set for its width and height."""

    class Resized(Message):
        pass

    def on_resize(self) -> None:
        self.post_message(self.Resized())


class SectionTitle(Line):
    """The name of a section, with a rule to the right edge; or of a group within it, without one."""

    def __init__(self, section: str, group: str = "") -> None:
        super().__init__(classes="group" if group else "section")
        self.section = section
        self.group = group

    def on_resize(self) -> None:
        if self.group:
            self.show(Content.assemble(("── ", "$border-blurred"), (self.group, "$foreground-muted")))
            return
        title = f" {self.section} "
        rule = "─" * max(0, self.size.width - len(title) - 1)
        self.show(Content.assemble(("─", "$border-blurred"), (title, "$foreground-muted"), (rule, "$border-blurred")))


class FilterInput(Input):
    """Letters that a row's name must have. enter keeps them and returns to the form, esc shows every row again."""

    BINDINGS: ClassVar[list[BindingType]] = keys.bindings("filter")
    KEYS: ClassVar[tuple[str, ...]] = ("filter",)

    def action_leave_filter(self) -> None:
        self.value = ""
        self.post_message(self.Submitted(self, ""))
