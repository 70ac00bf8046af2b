"""The last line: the keys that do something now, as many as fit; the most telling stay longest, a pair together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from textual import events
from textual.content import Content

from gpt_tui.tui.widgets.line import Line, clickable

KEPT = 80  # items from this place on are never left out


@dataclass(frozen=True)
class Item:
    place: int
    key: str
    label: str
    action: str


class Footer(Line):
    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._items: Sequence[Item] = ()

    def set(self, items: Sequence[Item]) -> None:
        self._items = sorted(items, key=lambda item: item.place)
        self._draw()

    def on_resize(self, _: events.Resize) -> None:
        self._draw()

    def _draw(self) -> None:
        items = list(self._items)
        while items and (cells := _cells(items)) and sum(c.cell_length + 3 for c in cells) - 2 > self.room:
            spare = [item for item in items if item.place < KEPT]
            place = (spare[-1] if spare else items[0]).place
            items = [item for item in items if item.place != place]
        self.show(Content(" ") + Content("   ").join(_cells(items)))


def _cells(items: Sequence[Item]) -> list[Content]:
    """Each with its key before it; a pair that is called the same shares its word: ←→ change."""
    cells = []
    for (_, label), pair in groupby(items, key=lambda item: (item.place, item.label)):
        *others, last = pair
        cell = clickable(f"{last.key} {label}", last.action, "$text-muted").stylize("$foreground", 0, len(last.key))
        cells.append(Content("").join([*(clickable(i.key, i.action, "$foreground") for i in others), cell]))
    return cells
