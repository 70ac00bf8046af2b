"""The chart in a running app: its view, its crosshair, the mouse, and what it sends to the screen."""

from __future__ import annotations

import numpy as np
import pytest
from textual.app import App, ComposeResult
from textual.geometry import Region
from textual.pilot import Pilot

from gpt_tui.tui.widgets.chart import SMOOTHINGS, Chart, Mark, Reference, Series

LADDER = [Reference("uniform", 4.174), Reference("bigram", 2.486), Reference("4-gram", 1.774)]


class ChartApp(App[None]):
    CSS = "Chart { border: round $primary; }"

    def __init__(self, points: int = 2001) -> None:
        super().__init__()
        steps = np.arange(points)
        clean = 1.8 + 2.4 * np.exp(-steps / 150)
        loss = clean + np.random.default_rng(1).normal(0, 0.08, points)
        self.train = Series("train", steps, loss, smooth=True)
        self.validation = Series("validation", steps[::250], clean[::250], role="validation", marker="◆")
        self.chart = Chart(self.train, self.validation, placeholder="press space to begin", id="loss")
        self.heard: list[object] = []

    def compose(self) -> ComposeResult:
        yield self.chart

    def on_chart_crosshair_moved(self, message: Chart.CrosshairMoved) -> None:
        self.heard.append(("crosshair", message.x))

    def on_chart_view_changed(self, message: Chart.ViewChanged) -> None:
        self.heard.append(("view", message.chart.description()))

    def grow(self, to: int) -> None:
        known = len(self.train)
        self.train.extend(range(known, to), np.full(to - known, 1.8))
        self.chart.update()


def screen(chart: Chart) -> str:
    return "\n".join(chart.render_line(y).text for y in range(chart.size.height))


async def settled(pilot: Pilot[None]) -> None:
    await pilot.pause()
    await pilot.pause()


async def test_it_draws_curves_ladder_and_legend_in_an_app() -> None:
    app = ChartApp()
    async with app.run_test(size=(120, 40)) as pilot:
        app.chart.set_references(LADDER)
        app.chart.add_mark(Mark(700, "lr 0.02→0.01", "edit"))
        await settled(pilot)
        text = screen(app.chart)
        for words in ("uniform 4.17", "━ train  ◆ validation", "┊ lr 0.02→0.01", "2000"):
            assert words in text
        assert all(app.chart.render_line(y).cell_length == app.chart.size.width for y in range(app.chart.size.height))


async def test_a_zoom_survives_new_data_and_follows_the_tail_only_while_that_is_in_sight() -> None:
    app = ChartApp()
    async with app.run_test(size=(100, 30)):
        chart = app.chart
        chart.zoom(4)
        assert chart.window
        assert chart.window == pytest.approx((1500, 2000))
        app.grow(2301)
        assert chart.window == pytest.approx((1800, 2300))
        chart.pan(-0.5)
        away = chart.window
        app.grow(2501)
        assert chart.window == away
        chart.pan(5)
        assert chart.window == pytest.approx((2000, 2500))
        app.grow(2601)
        assert chart.window == pytest.approx((2100, 2600))
        chart.whole()
        assert chart.window is None


async def test_zooming_out_far_enough_is_the_whole_again_and_zooming_in_ends_at_a_few_points() -> None:
    app = ChartApp()
    async with app.run_test(size=(100, 30)):
        chart = app.chart
        for _ in range(40):
            chart.zoom_in()
        assert chart.window
        assert 2 <= chart.window[1] - chart.window[0] <= 16
        for _ in range(40):
            chart.zoom_out()
        assert chart.window is None


async def test_panning_stays_within_the_run() -> None:
    app = ChartApp()
    async with app.run_test(size=(100, 30)):
        chart = app.chart
        chart.pan_left()
        assert chart.window is None
        chart.zoom(2)
        for _ in range(9):
            chart.pan_left()
        assert chart.window == pytest.approx((0, 1000))


async def test_the_planned_end_is_in_view_and_a_zoom_before_it_waits_for_the_data() -> None:
    app = ChartApp(points=351)
    async with app.run_test(size=(100, 30)) as pilot:
        chart = app.chart
        chart.set_x_end(600)
        await settled(pilot)
        assert "600" in screen(chart)
        chart.zoom(2, around=1.0)
        assert chart.window == pytest.approx((300, 600))
        app.grow(500)
        assert chart.window == pytest.approx((300, 600))


async def test_replaced_points_that_end_before_the_window_bring_the_whole_back() -> None:
    app = ChartApp()
    async with app.run_test(size=(100, 30)):
        app.chart.zoom(4)
        app.train.replace(range(501), np.full(501, 2.0))
        app.validation.replace([], [])
        app.chart.update()
        assert app.chart.window is None


async def test_the_crosshair_reads_exact_values_and_walks_by_points_or_columns() -> None:
    app = ChartApp()
    async with app.run_test(size=(120, 40)) as pilot:
        chart = app.chart
        chart.toggle_crosshair()
        assert chart.crosshair == 2000
        train, validation = chart.readings()
        assert (train.x, train.y) == (2000, app.train.y[2000])
        assert train.smoothed == app.train.smoothed(0.9).values[2000]
        assert (validation.x, validation.y) == (2000, app.validation.y[-1])
        chart.move_crosshair(-1)
        assert chart.crosshair
        assert 2000 - chart.crosshair == pytest.approx(2000 / 112, abs=4)  # a column holds many points
        await settled(pilot)
        assert f"step {chart.crosshair:,.0f}" in screen(chart)
        chart.set_crosshair(1000)
        for _ in range(40):
            chart.zoom_in()
        chart.move_crosshair(-1)
        assert chart.crosshair == 999  # a point is wider than a column
        chart.move_crosshair(10)
        assert chart.crosshair == 1009
        assert chart.window
        assert chart.window[0] <= 1009 <= chart.window[1]
        chart.toggle_crosshair()
        assert chart.crosshair is None
        await settled(pilot)
        assert ("crosshair", 1009.0) in app.heard
        assert app.heard[-1] == ("crosshair", None)


async def test_the_crosshair_stops_at_both_ends_of_the_data() -> None:
    app = ChartApp(points=20)
    async with app.run_test(size=(60, 20)):
        app.chart.move_crosshair(1)
        app.chart.move_crosshair(1000)
        assert app.chart.crosshair == 19
        app.chart.move_crosshair(-1000)
        assert app.chart.crosshair == 0


async def test_the_pointer_shows_a_crosshair_while_it_is_there_and_a_click_keeps_it() -> None:
    app = ChartApp()
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.hover("#loss", offset=(50, 10))
        seen = app.chart.crosshair
        assert seen
        assert 700 < seen < 1200
        await pilot.click("#loss", offset=(50, 10))
        assert app.chart.crosshair == seen
        await pilot.hover("#loss", offset=(80, 10))
        assert app.chart.crosshair
        assert app.chart.crosshair > seen
        await pilot.hover("#loss", offset=(2, 10))  # on the axis' labels the pointer points at nothing
        assert app.chart.crosshair == seen


async def test_the_wheel_zooms_around_the_pointer_and_a_drag_pans() -> None:
    app = ChartApp()
    async with app.run_test(size=(100, 30)) as pilot:
        chart = app.chart
        await pilot.hover("#loss", offset=(50, 10))
        under = chart.crosshair
        assert under
        await pilot._post_mouse_events([_scroll_up()], "#loss", offset=(50, 10))
        assert chart.window
        assert chart.window[0] < under < chart.window[1]
        assert chart.window[1] - chart.window[0] == pytest.approx(2000 / 1.25)
        before = chart.window
        await pilot.mouse_down("#loss", offset=(40, 10))
        await pilot.hover("#loss", offset=(45, 10))
        await pilot.mouse_up("#loss", offset=(45, 10))
        assert chart.window[0] < before[0]
        assert chart.window[1] - chart.window[0] == pytest.approx(before[1] - before[0])


def _scroll_up() -> type:
    from textual.events import MouseScrollUp

    return MouseScrollUp


async def test_smoothing_goes_round_and_the_description_says_what_is_shown() -> None:
    app = ChartApp()
    async with app.run_test(size=(100, 30)) as pilot:
        chart = app.chart
        assert chart.description() == "smoothing 0.9 · x steps"
        seen = []
        for _ in SMOOTHINGS:
            chart.toggle_smoothing()
            seen.append(chart.smoothing)
        assert sorted(seen) == list(SMOOTHINGS)
        chart.toggle_log_y()
        chart.set_x_unit("tokens")
        assert chart.description() == "smoothing 0.9 · x tokens · log y"
        chart.toggle_log_x()
        chart.zoom(2)
        assert chart.description() == "smoothing 0.9 · x tokens · log x y · zoomed"
        await settled(pilot)
        assert app.heard[-1] == ("view", chart.description())
        with pytest.raises(ValueError, match="steps"):
            chart.set_x_unit("pages")  # type: ignore[arg-type]


async def test_a_log_x_axis_zooms_and_pans_by_ratios() -> None:
    app = ChartApp()
    async with app.run_test(size=(100, 30)):
        chart = app.chart
        chart.toggle_log_x()
        chart.zoom(2, around=1.0)
        assert chart.window
        low, high = chart.window
        chart.pan(-0.25)
        assert chart.window[1] / chart.window[0] == pytest.approx(high / low, rel=1e-6)


async def test_only_rows_that_look_different_are_sent_again() -> None:
    app = ChartApp()
    async with app.run_test(size=(100, 30)) as pilot:
        chart = app.chart
        chart.set_x_end(3000)
        await settled(pilot)
        sent: list[tuple[object, ...]] = []
        refresh = chart.refresh

        def counted(*regions: object, **options: object) -> Chart:
            sent.append(regions)
            return refresh(*regions, **options)  # type: ignore[arg-type]

        chart.refresh = counted  # type: ignore[method-assign, assignment]
        chart.update()
        await settled(pilot)
        assert sent == []
        strips = [chart.render_line(row) for row in range(chart.size.height)]
        app.grow(2100)
        await settled(pilot)
        assert len(sent) == 1
        assert 1 <= len(sent[0]) < chart.size.height // 2
        rows = {region.y for region in sent[0] if isinstance(region, Region)}
        made = [chart.render_line(row) is not strip for row, strip in enumerate(strips)]
        assert [row for row, anew in enumerate(made) if anew] == sorted(rows)


async def test_data_that_no_update_announced_do_not_appear_in_some_rows_only() -> None:
    app = ChartApp()
    async with app.run_test(size=(100, 30)) as pilot:
        await settled(pilot)
        before = screen(app.chart)
        app.train.extend(range(2001, 4000), np.full(1999, 3.0))
        assert screen(app.chart) == before
        app.chart.update()
        await settled(pilot)
        assert screen(app.chart) != before


async def test_the_placeholder_gives_way_to_the_first_point() -> None:
    app = ChartApp(points=0)
    async with app.run_test(size=(80, 20)) as pilot:
        await settled(pilot)
        assert "press space to begin" in screen(app.chart)
        app.grow(1)
        await settled(pilot)
        assert "press space to begin" not in screen(app.chart)


@pytest.mark.parametrize("size", [(1, 1), (3, 3), (4, 3), (30, 8), (80, 24), (300, 100)])
async def test_it_lives_at_every_size_with_every_switch(size: tuple[int, int]) -> None:
    app = ChartApp()
    async with app.run_test(size=size) as pilot:
        chart = app.chart
        chart.set_references(LADDER)
        chart.toggle_crosshair()
        for switch in (
            chart.toggle_log_x,
            chart.toggle_log_y,
            chart.zoom_in,
            chart.pan_left,
            lambda: chart.set_ascii(True),
        ):
            switch()
            await pilot.pause()
        await pilot.resize_terminal(40, 12)
        await settled(pilot)
        assert chart.size.height == 10
        assert len(screen(chart).split("\n")) == 10


async def test_ascii_is_ascii_on_the_screen_and_in_the_description() -> None:
    app = ChartApp()
    async with app.run_test(size=(100, 30)) as pilot:
        app.chart.set_references(LADDER)
        app.chart.set_marks([Mark(500, "lr 0.02→0.01", "edit"), Mark(900, kind="checkpoint")])
        app.chart.set_ascii(True)
        app.chart.toggle_crosshair()
        await settled(pilot)
        assert screen(app.chart).isascii()
        assert app.chart.description().isascii()


@pytest.mark.parametrize("theme", ["textual-dark", "textual-light", "nord", "gruvbox", "ansi-dark"])
async def test_in_every_theme_the_average_the_raw_data_and_validation_look_different(theme: str) -> None:
    app = ChartApp()
    async with app.run_test(size=(100, 30)) as pilot:
        app.theme = theme
        await settled(pilot)
        styles = [app.chart.get_component_rich_style(f"chart--{role}") for role in ("train", "raw", "validation")]
        assert len({(style.color, style.dim) for style in styles}) == 3


async def test_a_theme_changed_while_it_runs_recolours_what_is_drawn() -> None:
    app = ChartApp()
    async with app.run_test(size=(100, 30)) as pilot:
        await settled(pilot)
        before = [segment.style for segment in app.chart.render_line(10)]
        app.theme = "textual-light"
        await settled(pilot)
        assert [segment.style for segment in app.chart.render_line(10)] != before


async def test_without_colour_the_raw_data_are_dim_and_points_are_diamonds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = ChartApp()
    async with app.run_test(size=(100, 30)) as pilot:
        await settled(pilot)
        assert app.chart.get_component_rich_style("chart--raw").dim
        assert not app.chart.get_component_rich_style("chart--train").dim
        assert "◆" in screen(app.chart)


def test_the_view_can_be_set_before_the_chart_is_on_a_screen() -> None:
    chart = Chart(Series("train"))
    chart.set_x_unit("tokens")
    chart.set_smoothing(0.6)
    chart.zoom_in()
    chart.toggle_crosshair()
    chart.move_crosshair(1)
    assert chart.description() == "smoothing 0.6 · x tokens"


def test_it_refuses_a_colour_role_that_it_does_not_know() -> None:
    with pytest.raises(ValueError, match="validation"):
        Chart(Series("train", role="trian"))
