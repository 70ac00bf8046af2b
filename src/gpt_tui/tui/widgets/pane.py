"""A pane: a titled border around text that can be scrolled, focused, filtered by its owner, and copied."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from gpt_tui.tui import keys
from gpt_tui.tui.widgets.titled import Titled


class Pane(VerticalScroll, Titled, can_focus=True, inherit_bindings=False):
    """letter: jumps to it after `;`. label: what a person calls it."""

    BINDINGS: ClassVar[list[BindingType]] = keys.bindings("pane")
    KEYS: ClassVar[tuple[str, ...]] = ("pane",)

    def __init__(self, label: str, letter: str, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.label = label
        self.letter = letter
        self._text = Static(markup=False)
        self._content = Content("")
        self._least = 0
        self.set_title(label)

    def compose(self) -> ComposeResult:
        yield self._text

    def set_text(self, content: Content) -> None:
        if not content.is_same(self._content):
            self._content = content
            self._text.update(content)
            # Textual may take the height that the former text had, where this one comes between a change of classes
            # and the layout that follows; it never does so once a style of the widget's own is another.
            self._least = 1 - self._least
            self._text.styles.min_height = self._least

    @property
    def copied(self) -> str:
        """What `y` copies."""
        return self._content.plain
