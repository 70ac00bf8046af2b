"""The last line: the keys that do something now, as many as fit; the most telling stay longest, a pair together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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
        while items and sum(len(i.key) + len(i.label) + 4 for i in items) - 2 > self.size.width:
            spare = [item for item in items if item.place < KEPT]
            place = (spare[-1] if spare else items[0]).place
            items = [item for item in items if item.place != place]
        cells = [
            clickable(f"{i.key} {i.label}", i.action, "$text-muted").stylize("$foreground", 0, len(i.key))
            for i in items
        ]
        self.show(Content(" ") + Content("   ").join(cells))
