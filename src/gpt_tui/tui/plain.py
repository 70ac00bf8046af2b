"""Text from models and files, made safe to draw: never markup, and nothing that moves the cursor or hides."""

from __future__ import annotations

from gpt_tui.core import errors

LINE_END = "⏎"  # stands for a line end where there is one line only
EMPTY = "empty"  # stands for a text without a character


def visible(text: str) -> str:
    """`text` with its lines kept, tabs as spaces, and every other character that does not print made visible."""
    if text.isprintable():
        return text
    return errors.visible(text.replace("\r\n", "\n").expandtabs(4), keep="\n")


def one_line(text: str) -> str:
    """`text` on one line: line ends become ⏎."""
    return visible(text).replace("\n", LINE_END)
