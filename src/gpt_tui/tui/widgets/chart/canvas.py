"""A grid of characters with roles, and the glyphs that dots and lines become. Roles turn into colours elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from rich.cells import get_character_cell_size

from gpt_tui.core import errors
from gpt_tui.tui.widgets.chart.pyramid import IntArray

RUN_ROLES = tuple(f"run-{number}" for number in range(1, 9))
SERIES_ROLES = ("train", "validation", "ghost", *RUN_ROLES)
ROLES: tuple[str, ...] = (
    "blank", *SERIES_ROLES, "raw", "reference", "reference-label", "mark", "mark-label", "axis", "legend", "crosshair",
    "read-out", "clipped", "placeholder", *(f"read-out {role}" for role in SERIES_ROLES),
)  # fmt: skip
_ROLE_IDS = {role: number for number, role in enumerate(ROLES)}

_SPACE, _TAIL = ord(" "), 0  # _TAIL: the second cell of a character two cells wide
_PLAIN = str.maketrans({
    "→": ">", "←": "<", "…": "~", "◆": "o", "•": "*", "●": "@", "━": "-", "┄": "-", "┊": ":", "│": "|", "▲": "^",
    "▼": "v", "·": "-", "×": "x", "–": "-", "—": "-", "’": "'", "“": '"', "”": '"', "▪": "#", "▴": "^", "╷": "'",
    "╌": "=",
})  # fmt: skip


def plain(text: str) -> str:
    """`text` in ASCII alone, one character for one."""
    return "".join(c if c.isascii() else "?" for c in text.translate(_PLAIN))


def visible(text: str) -> str:
    """`text` on one line, with control characters made visible and what takes no cell left out."""
    return "".join(c for c in errors.visible(text) if get_character_cell_size(c) > 0)


def cell_width(text: str) -> int:
    return sum(get_character_cell_size(c) for c in text)


def fitted(text: str, width: int) -> str:
    """`text` cut to `width` cells, with … where something is missing; "" where nothing fits."""
    if cell_width(text) <= width:
        return text
    kept, used = "", 1
    for c in text:
        used += get_character_cell_size(c)
        if used > width:
            break
        kept += c
    return f"{kept.rstrip()}…" if kept else ""


class Grid:
    """height × width cells, each a character and a role."""

    def __init__(self, width: int, height: int, ascii_only: bool = False) -> None:
        self.width, self.height, self.ascii = width, height, ascii_only
        self.codes: NDArray[np.uint32] = np.full((height, width), _SPACE, dtype=np.uint32)
        self.roles: NDArray[np.uint8] = np.zeros((height, width), dtype=np.uint8)

    def put(self, x: int, y: int, text: str, role: str) -> None:
        """Write `text` from cell (x, y) on, as far as it fits."""
        if not 0 <= y < self.height:
            return
        row, roles, role_id = self.codes[y], self.roles[y], _ROLE_IDS[role]
        if self.ascii:
            text = plain(text)
        if x >= 0 and (kinds := set(text)) and all(get_character_cell_size(c) == 1 for c in kinds):
            text = text[: max(self.width - x, 0)]
            if text:
                self._mend(row, x, len(text))
                row[x : x + len(text)] = ord(text[0]) if len(kinds) == 1 else [ord(c) for c in text]
                roles[x : x + len(text)] = role_id
            return
        for c in text:
            wide = get_character_cell_size(c)
            if x < 0 or x + wide > self.width:
                break
            self._mend(row, x, wide)
            row[x] = ord(c)
            if wide == 2:
                row[x + 1] = _TAIL
            roles[x : x + wide] = role_id
            x += wide

    def _mend(self, row: NDArray[np.uint32], x: int, wide: int) -> None:
        """Leave no half of a wide character beside the cells that are about to be written."""
        if row[x] == _TAIL and x > 0:
            row[x - 1] = _SPACE
        if x + wide < self.width and row[x + wide] == _TAIL:
            row[x + wide] = _SPACE

    def paint(self, cells: NDArray[np.bool_], codes: NDArray[np.uint32] | int, role: str, left: int, top: int) -> None:
        """Write a code into each cell that `cells` (shape (h, w), its corner at left, top) marks."""
        height, width = cells.shape
        area = self.codes[top : top + height, left : left + width]
        np.copyto(area, np.asarray(codes, dtype=np.uint32), where=cells)
        self.roles[top : top + height, left : left + width][cells] = _ROLE_IDS[role]

    def role_at(self, x: int, y: int) -> str:
        return ROLES[int(self.roles[y, x])]

    def text(self, y: int) -> str:
        """Row y as a string of `width` cells."""
        return _decode(self.codes[y])

    def runs(self, y: int) -> Iterator[tuple[str, str]]:
        """Row y as (text, role) pieces, each as long as the role stays the same."""
        roles = self.roles[y]
        cuts = [0, *(np.flatnonzero(np.diff(roles)) + 1).tolist(), self.width]
        for start, stop in pairwise(cuts):
            yield _decode(self.codes[y, start:stop]), ROLES[roles[start]]


def _decode(codes: NDArray[np.uint32]) -> str:
    return codes.astype("<u4").tobytes().decode("utf-32-le").replace("\0", "")


# The dots of U+2800 in either column of a cell, from the top down; and those of them from a row on and up to before
# another, by both.
_BRAILLE_BITS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
_BRAILLE_PARTS = np.array(
    [[[sum(bits[first:after]) for after in range(5)] for first in range(5)] for bits in _BRAILLE_BITS], np.uint32
)


def braille(top: IntArray, bottom: IntArray, height: int) -> NDArray[np.uint32]:
    """Dot rows top..bottom of each dot column, as cells of 2 × 4 dots.

    top, bottom: shape (2 · width,), counted downward from 0; empty where top > bottom; what lies outside 0..4·height-1
    is left out. Returns the dots of each cell as bits, shape (height, width): 0x2800 | bits is the character.
    """
    heads = 4 * np.arange(height)[:, None]
    parts = np.clip(top - heads, 0, 4)
    parts *= 5
    parts += np.clip(bottom + 1 - heads, 0, 4)
    left, right = (dots.ravel() for dots in _BRAILLE_PARTS)
    cells: NDArray[np.uint32] = left.take(parts[:, ::2]) | right.take(parts[:, 1::2])
    return cells


ASCII_ROWS = 3  # a cell's upper, middle and lower third are as much as ' - . _ can tell apart


def strokes(top: IntArray, bottom: IntArray, heading: IntArray, height: int, faint: bool) -> NDArray[np.uint32]:
    """The same in ASCII: one column and three rows a cell; 0 where there is nothing.

    heading: shape (width,), positive where the line falls, negative where it rises, 0 where it does neither by much.
    faint: the dots of the raw data.
    """
    rows = np.arange(ASCII_ROWS * height)[:, None]
    filled = ((rows >= top) & (rows <= bottom)).reshape(height, ASCII_ROWS, -1)
    upper, middle, lower = filled[:, 0], filled[:, 1], filled[:, 2]
    codes = np.zeros(upper.shape, dtype=np.uint32)
    if faint:
        codes[upper | middle] = ord("'")
        codes[lower] = ord(".")
        codes[(upper & middle & lower) | (upper & lower)] = ord(":")
        return codes
    codes[upper] = ord("'")
    codes[middle] = ord("-")
    codes[lower] = ord("_")
    sloped = filled.sum(axis=1) >= 2
    steep = (bottom - top) >= 2 * ASCII_ROWS
    codes[sloped & (heading > 0)] = ord("\\")
    codes[sloped & (heading < 0)] = ord("/")
    codes[sloped & (heading == 0)] = ord("~")
    codes[sloped & steep] = ord("|")
    return codes
