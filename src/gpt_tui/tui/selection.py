"""Text that a person has selected with the mouse: what `y` copies before anything else, and what esc lets go."""

from __future__ import annotations

from typing import Any

from textual.screen import Screen


def selected(screen: Screen[Any]) -> str | None:
    """The selected text, in lines as they were written, not as they are wrapped; None where none is selected."""
    text = screen.get_selected_text()
    return text if text and not text.isspace() else None


def let_go(screen: Screen[Any]) -> bool:
    """Select nothing any more; False where nothing was selected."""
    if not screen.selections:
        return False
    screen.clear_selection()
    return True
