"""A text and what else was likely at its cursor, with nothing around them."""

from __future__ import annotations

from textual.app import App, ComposeResult

from gpt_tui.tui.widgets.alternatives_pane import AlternativesPane
from gpt_tui.tui.widgets.token_text import TokenText


class TextApp(App[None]):
    def __init__(self) -> None:
        super().__init__()
        self.text = TokenText("text", "t")
        self.alternatives = AlternativesPane("at the cursor", "a")

    def compose(self) -> ComposeResult:
        yield self.text
        yield self.alternatives
