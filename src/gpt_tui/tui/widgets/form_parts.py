"""What a form is put together from, beside its rows: the pane that holds them, section titles, the filter."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widgets import Input

from gpt_tui.tui import keys
from gpt_tui.tui.widgets.line import Line
from gpt_tui.tui.widgets.pane import Pane


class FormPane(VerticalScroll, can_focus=True, inherit_bindings=False):
    """Holds the rows, and the focus while no field is edited. copied: what its owner has it give back as text."""

    KEYS: ClassVar[tuple[str, ...]] = ()
    label = "form"
    letter = "f"
    copied = ""


class BesidePane(Pane):
    """A pane whose text is set for its width and height."""

    class Resized(Message):
        pass

    def on_resize(self) -> None:
        self.post_message(self.Resized())


class SectionTitle(Line):
    """The name of a section, with a rule to the right edge."""

    def __init__(self, section: str) -> None:
        super().__init__(classes="section")
        self.section = section

    def on_resize(self) -> None:
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
