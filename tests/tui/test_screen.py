"""The screen under everything: what it does for widgets beyond what Textual's own does."""

from __future__ import annotations

from playing import until
from textual import events
from textual.app import App, ComposeResult
from textual.screen import Screen
from textual.widgets import Static

from gpt_tui.tui.screen import MainScreen


class Box(Static):
    """Remembers what it was told."""

    def __init__(self) -> None:
        super().__init__("box")
        self.heard: list[str] = []

    def on_resize(self, event: events.Resize) -> None:
        self.heard.append(f"resized to {event.size.width}×{event.size.height}")

    def on_show(self) -> None:
        self.heard.append("shown")


class Boxed(App[None]):
    CSS = "Box { display: none; height: 3; }"

    def get_default_screen(self) -> Screen[None]:
        return MainScreen()

    def compose(self) -> ComposeResult:
        yield Box()


async def test_a_widget_hears_of_its_size_even_where_its_place_was_asked_for_before_the_layout() -> None:
    app = Boxed()
    async with app.run_test(size=(40, 12)) as pilot:
        box = app.query_one(Box)
        app.screen._compositor._full_map_invalidated = True  # as a scroll leaves it, and the first layout
        box.display = True
        assert box.region.height == 3, "the place is known before the layout"
        await until(pilot, lambda: box.heard)
        assert box.heard == ["resized to 40×3", "shown"]
