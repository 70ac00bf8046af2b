"""Text is selected with the mouse where it is read, and nowhere else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from recording import recorded
from textual.app import App, ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.pilot import Pilot
from textual.widget import Widget

from gpt_tui.core.runs import History
from gpt_tui.tui.screen import MainScreen
from gpt_tui.tui.selection import let_go, selected
from gpt_tui.tui.widgets.line import Line, clickable
from gpt_tui.tui.widgets.loss_chart import LossChart
from gpt_tui.tui.widgets.pane import Pane

VERSE = "ROMEO:\nWhat, in the counsel of the world hath been [b]so long[/b], that it is wrapped here?\nAy me."


class Reading(App[None]):
    """Two panes of text side by side, a chart above, a line of words to click below; under the playground's screen."""

    CSS = "LossChart { height: 12; } Horizontal { height: 10; } Pane { width: 1fr; border: round white; }"

    def get_default_screen(self) -> MainScreen:
        return MainScreen()

    def compose(self) -> ComposeResult:
        self.chart = LossChart()
        yield self.chart
        self.left, self.right = Pane("left", "l"), Pane("right", "r")
        with Horizontal():
            yield self.left
            yield self.right
        self.line = Line()
        yield self.line

    def on_mount(self) -> None:
        history = History()
        history.extend(recorded(200))
        self.chart.show(history)
        self.left.set_text(Content(VERSE))
        self.right.set_text(Content("the other\npane"))
        self.line.show(clickable("space start", "app.bell") + Content("   figures 12 34"))


@asynccontextmanager
async def reading() -> AsyncIterator[tuple[Reading, Pilot[None]]]:
    app = Reading()
    async with app.run_test(size=(60, 24)) as pilot:
        await pilot.pause()
        yield app, pilot


async def drag(pilot: Pilot[None], widget: Widget, start: tuple[int, int], end: tuple[int, int]) -> None:
    """Press the button at one place of the widget's text, move, and let go at another."""
    await pilot.mouse_down(widget, offset=start)
    for at in (((start[0] + end[0]) // 2, start[1]), end):
        await pilot.hover(widget, offset=at)
    await pilot.mouse_up(widget, offset=end)
    await pilot.pause()


async def test_words_of_a_pane_are_selected_by_dragging() -> None:
    async with reading() as (app, pilot):
        await drag(pilot, app.left._text, (0, 1), (4, 1))
        assert selected(app.screen) == "What,"


async def test_a_selection_over_wrapped_lines_has_the_line_as_it_was_written() -> None:
    async with reading() as (app, pilot):
        await drag(pilot, app.left._text, (0, 0), (3, 3))
        text = selected(app.screen)
        assert text is not None
        assert VERSE.startswith(text)
        assert text.startswith("ROMEO:\nWhat, in the counsel of the world hath been")
        assert text.count("\n") == 1


async def test_a_click_and_esc_let_a_selection_go() -> None:
    async with reading() as (app, pilot):
        assert not let_go(app.screen)
        await drag(pilot, app.left._text, (0, 1), (4, 1))
        assert let_go(app.screen)
        assert selected(app.screen) is None
        await drag(pilot, app.left._text, (0, 1), (4, 1))
        await pilot.click(app.right._text)
        assert selected(app.screen) is None


async def test_two_clicks_select_all_that_a_pane_says() -> None:
    async with reading() as (app, pilot):
        await pilot.click(app.right._text, times=2)
        await pilot.pause()
        assert selected(app.screen) == "the other\npane"


@pytest.mark.parametrize("start", [(10, 2), (30, 8)])
async def test_moving_the_chart_selects_no_text(start: tuple[int, int]) -> None:
    async with reading() as (app, pilot):
        await pilot.mouse_down(app.chart, offset=start)
        await pilot.hover(app.chart, offset=(start[0] + 10, start[1]))
        await pilot.hover(app.left._text, offset=(5, 2))
        await pilot.mouse_up(app.left._text, offset=(5, 2))
        await pilot.pause()
        assert selected(app.screen) is None


async def test_a_selection_that_is_drawn_over_more_than_text_has_the_text_alone() -> None:
    async with reading() as (app, pilot):
        await pilot.mouse_down(app.left._text, offset=(7, 1))
        await pilot.hover(app.left._text, offset=(5, 0))
        await pilot.hover(app.chart, offset=(5, 5))
        await pilot.mouse_up(app.chart, offset=(5, 5))
        await pilot.pause()
        text = selected(app.screen) or ""
        assert "ROMEO" in text
        assert "LossChart" not in text
        await drag(pilot, app.line, (0, 0), (12, 0))
        assert "figures" not in (selected(app.screen) or "")
