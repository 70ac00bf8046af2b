"""Which characters share a cell: a letter and its accents, a flag, a hand and its colour."""

from __future__ import annotations

from rich.cells import cell_len


def joins(before: str, text: str) -> bool:
    """Whether a character is drawn in the cells of the one before it."""
    return not text.isascii() and (cell_len(text) == 0 or cell_len(before + text) == cell_len(before))


def standing(text: str) -> str:
    """A character that joins none before it: one without a cell of its own gets a circle to stand on."""
    return text if cell_len(text) else f"◌{text}"
