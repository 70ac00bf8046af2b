"""One question over a view, before what cannot be taken back: y does it, any other key leaves everything as it is."""

from __future__ import annotations

from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static


class Question(ModalScreen[bool]):
    """title: what is asked; text: what it is about; deed: what y does."""

    DEFAULT_CSS = """
    Question {
        align: center middle;
        background: $background 60%;
        & > Vertical {
            width: 72; max-width: 96%; height: auto; max-height: 90%;
            border: round $error; background: $surface; padding: 0 2;
        }
        & Static { width: 1fr; height: auto; }
    }
    """

    def __init__(self, title: str, text: Content, deed: str) -> None:
        super().__init__()
        self._title = title
        self._text = text
        self._deed = deed

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            box.border_title = Content(self._title)
            box.border_subtitle = Content(f"y {self._deed} · any other key does not")
            yield Static(self._text, markup=False)

    def on_key(self, event: events.Key) -> None:
        event.stop()
        if self.is_current:
            self.dismiss(event.key == "y")
