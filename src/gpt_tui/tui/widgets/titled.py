"""Words in a widget's border."""

from __future__ import annotations

from textual.content import Content
from textual.widget import Widget


class Titled(Widget):
    """Named after the other bases of a class: Textual takes a widget's style from the first."""

    _border_words: tuple[str, str] | None = None

    def set_title(self, title: str, note: str = "") -> None:
        """title: at the left of the border. note: at its right end, below."""
        if (title, note) != self._border_words:  # setting a border's text draws the widget anew
            self._border_words = (title, note)
            self.border_title = Content(title)
            self.border_subtitle = Content(note) if note else None
