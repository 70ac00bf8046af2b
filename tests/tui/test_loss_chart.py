"""The chart of one run points at steps, whatever its x axis counts, and says which step a place on it is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

import numpy as np
import pytest
from recording import recorded
from textual.app import App, ComposeResult

from gpt_tui.core.events import Continued, Eval, Parent, Started, Step
from gpt_tui.core.runs import History
from gpt_tui.tui.widgets.chart import Chart, Series, Unit
from gpt_tui.tui.widgets.loss_chart import LossChart
from gpt_tui.tui.widgets.plot import feed_training, feed_validation, flops_per_token, placed


class ChartApp(App[None]):
    def __init__(self, unit: Unit = "steps") -> None:
        super().__init__()
        self.chart = LossChart(unit=unit)
        self.moved: list[float | None] = []

    def compose(self) -> ComposeResult:
        yield self.chart

    def on_chart_crosshair_moved(self, message: Chart.CrosshairMoved) -> None:
        self.moved.append(message.x)


def drawn(chart: LossChart) -> str:
    return "\n".join(chart.render_line(line).text for line in range(chart.size.height))


def history(steps: int) -> History:
    found = History()
    found.extend(recorded(steps))
    return found


@pytest.mark.parametrize("unit", get_args(Unit))
async def test_a_step_is_found_again_where_it_was_pointed_at(unit: Unit) -> None:
    app = ChartApp(unit)
    async with app.run_test(size=(100, 30)):
        app.chart.show(history(300))
        for step in (1, 50, 299, 300):
            app.chart.point_at(step)
            assert app.chart.crosshair is not None
            assert app.chart.step_at(app.chart.crosshair) == step
        app.chart.point_at(None)
        assert app.chart.crosshair is None


async def test_who_points_at_a_step_is_not_told_that_the_crosshair_moved() -> None:
    app = ChartApp()
    async with app.run_test(size=(100, 30)) as pilot:
        app.chart.show(history(300))
        app.chart.point_at(50)
        await pilot.pause()
        assert app.moved == []
        app.chart.move_crosshair(-40)
        await pilot.pause()
        assert app.moved == [app.chart.crosshair]


async def test_a_place_between_steps_belongs_to_the_nearest_and_without_steps_to_the_start() -> None:
    app = ChartApp()
    async with app.run_test(size=(100, 30)):
        assert app.chart.step_at(40.0) == 0
        app.chart.point_at(40)
        assert app.chart.crosshair is None
        app.chart.show(history(100))
        assert [app.chart.step_at(x) for x in (-5.0, 49.6, 50.4, 1e9)] == [1, 50, 50, 100]


async def test_a_key_that_has_nothing_to_do_says_so() -> None:
    app = ChartApp()

    def said() -> list[str]:
        return [notification.message for notification in app._notifications]

    async with app.run_test(size=(100, 30)) as pilot:
        app.chart.focus()
        for do in (app.chart.zoom_in, app.chart.zoom_out, app.chart.whole, app.chart.toggle_crosshair):
            app.clear_notifications()
            do()
            await pilot.pause()
            assert said() == ["There is nothing on the chart yet."]
        app.chart.show(history(300))
        for key in ("left", "down", "G"):
            app.clear_notifications()
            await pilot.press(key)
            assert said() == ["The whole run is in view: + zooms in, x shows a crosshair."], key
        app.clear_notifications()
        await pilot.press("up", "left", "G", "down")
        app.chart.toggle_crosshair()
        await pilot.press("left", "G")
        assert said() == []
        await pilot.press(*["up"] * 12)
        assert said() == ["No closer: only a few points are in view."]


async def test_going_back_twice_the_second_time_further_leaves_the_marks_of_a_chart_made_anew() -> None:
    app, run = ChartApp(), History()
    run.extend(event for event in recorded(100) if event.event in ("started", "step"))
    back, further = (Continued(time=9.0, step=step, path="", created="") for step in (60, 20))
    async with app.run_test(size=(100, 30)) as pilot:
        run.apply(back)
        app.chart.show(run)
        run.apply(further)
        app.chart.show(run)
        await pilot.pause()
        twice = drawn(app.chart)
        app.chart.feed_anew()
        await pilot.pause()
        assert twice == drawn(app.chart)
        assert "continued" in twice


@pytest.mark.parametrize("unit", get_args(Unit))
def test_a_place_between_two_rows_is_in_proportion_and_beyond_them_at_their_end(unit: Unit) -> None:
    run = history(300)
    asked = np.array([0, 0.5, 1, 2.25, 299.5, 300, 500])
    column = {"steps": run.steps, "seconds": run.times}.get(unit, run.tokens).astype(float)
    each = flops_per_token(run) if unit == "FLOPs" else 1.0
    expected = np.interp(asked, np.insert(run.steps, 0, 0), np.insert(column, 0, 0.0)) * each
    assert np.allclose(placed(run, asked, unit), asked if unit == "steps" else expected, rtol=1e-12)


@pytest.mark.parametrize("unit", get_args(Unit))
def test_a_line_that_is_fed_as_the_run_goes_on_is_that_of_the_whole_run(unit: Unit) -> None:
    events = recorded(300)
    run, grown, whole = History(), Series("train"), Series("train")
    for start in range(0, len(events), 7):
        run.extend(events[start : start + 7])
        feed_training(grown, run, unit, anew=False)
    feed_training(whole, run, unit, anew=True)
    assert grown.x.tolist() == whole.x.tolist() == placed(run, run.steps, unit).tolist()
    assert grown.y.tolist() == run.losses.tolist()


@pytest.mark.parametrize("anew", [False, True])
def test_where_a_clock_was_set_back_the_line_stands_still(anew: bool) -> None:
    run, line = History(), Series("train")
    rows = [event for event in recorded(20) if event.event == "step"]
    for at, event in enumerate(rows):
        run.extend([event.model_copy(update={"time": 3.0 if at == 9 else event.time})])
        feed_training(line, run, "seconds", anew)
    assert line.x.tolist() == [event.time for event in rows[:9]] + [3.0] * 11


def test_a_log_that_begins_anew_is_drawn_anew() -> None:
    run, line = history(40), Series("train")
    feed_training(line, run, "steps", anew=False)
    run.extend(event.model_copy(update={"loss": 1.0}) if event.event == "step" else event for event in recorded(60))
    feed_training(line, run, "steps", anew=False)
    assert line.y.tolist() == [1.0] * 60


# A fork ------------------------------------------------------------------------------------------------------------


def fork_of(parent: History, step: int, steps: int) -> History:
    """A run that went on from this step of its parent with half its loss."""
    found = History()
    for event in recorded(steps):
        if isinstance(event, Started):
            found.apply(event.model_copy(update={"parent": Parent(run="older", step=step)}))
        elif isinstance(event, Step) and event.step > step:
            found.apply(event.model_copy(update={"loss": event.loss / 2, "time": event.time - step * 0.025}))
        elif isinstance(event, Eval) and event.step >= step:
            found.apply(event)
    return found


async def test_a_forks_parent_is_drawn_before_it_and_can_be_pointed_at() -> None:
    parent = history(200)
    fork = fork_of(parent, 200, 300)
    app = ChartApp()
    async with app.run_test(size=(100, 30)):
        chart = app.chart
        chart.show(fork)
        assert len(chart.train) == 100
        chart.show_past(parent)
        assert chart.train.x.tolist() == list(range(1, 301))
        assert chart.train.y.tolist() == [*parent.losses.tolist(), *fork.losses.tolist()]
        assert len(chart.validation) == len(parent.evals) + len(fork.evals)
        for step in (1, 199, 200, 201, 300):
            chart.point_at(step)
            assert chart.crosshair is not None
            assert chart.step_at(chart.crosshair) == step
        chart.cycle_unit()
        assert chart.unit == "tokens"
        assert chart.train.x.tolist() == [2304.0 * step for step in range(1, 301)]
        chart.show_past(None)
        assert len(chart.train) == 100


async def test_a_fork_that_trains_grows_behind_its_past() -> None:
    parent, app = history(200), ChartApp()
    async with app.run_test(size=(100, 30)):
        app.chart.show_past(parent)
        for steps in (200, 201, 250, 300):
            app.chart.show(fork_of(parent, 200, steps))
            assert app.chart.train.x.tolist() == list(range(1, steps + 1))


class Read(list[Eval]):
    """Evaluations, and how often they were read."""

    times = 0

    def __iter__(self) -> Iterator[Eval]:
        self.times += 1
        return super().__iter__()

    def __getitem__(self, rows: Any) -> Any:
        self.times += 1
        return super().__getitem__(rows)


async def test_the_evaluations_behind_a_fork_are_read_once_and_not_for_every_frame() -> None:
    parent, app = history(200), ChartApp()
    parent.evals = read = Read(parent.evals)
    fork = fork_of(parent, 200, 250)
    async with app.run_test(size=(100, 30)):
        app.chart.show_past(parent)
        app.chart.show(fork)
        once = read.times
        for event in recorded(400):
            if isinstance(event, Eval | Step) and event.step > 250:
                fork.apply(event)
                app.chart.show(fork)
        assert read.times == once
        assert app.chart.validation.y.tolist() == [e.val_loss for e in (*parent.evals, *fork.evals)]


@pytest.mark.parametrize("unit", get_args(Unit))
async def test_validation_that_grows_is_drawn_as_if_it_had_been_whole(unit: Unit) -> None:
    def whole(given: History) -> list[list[float]]:
        series = Series("validation")
        feed_validation(series, given, unit, anew=True)
        return [series.x.tolist(), series.y.tolist()]

    grown, series = History(), Series("validation")
    for event in recorded(300):
        grown.apply(event)
        feed_validation(series, grown, unit, anew=False)
        assert [series.x.tolist(), series.y.tolist()] == whole(grown)
    again = grown.evals[-1].model_copy(update={"val_loss": 9.0})
    for event in (again, Continued(path="", created="", step=100, time=grown.time), again):
        grown.apply(event)
        feed_validation(series, grown, unit, anew=False)
        assert [series.x.tolist(), series.y.tolist()] == whole(grown)


@pytest.mark.parametrize("step", [0, 1, 50, 299, 300])
async def test_in_another_unit_the_crosshair_stays_at_its_step(step: int) -> None:
    app = ChartApp()
    async with app.run_test(size=(100, 30)) as pilot:
        run = history(300)
        app.chart.show(run)
        app.chart.point_at(step)
        for _ in get_args(Unit):
            app.chart.cycle_unit()
            expected = placed(run, np.array([step]), app.chart.unit)[0]
            assert app.chart.crosshair == pytest.approx(expected, rel=1e-9, abs=1e-9)
        await pilot.pause()
        assert app.moved == []


async def test_in_another_unit_the_same_steps_stay_in_view() -> None:
    app = ChartApp()
    async with app.run_test(size=(100, 30)):
        run = history(300)
        app.chart.show(run)
        app.chart.zoom(4)
        app.chart.pan(-1)
        assert app.chart.window is not None
        assert app.chart.window[1] < 300
        steps = np.array(app.chart.window)
        for _ in get_args(Unit):
            app.chart.cycle_unit()
            assert app.chart.window is not None
            ends = np.interp(steps, np.insert(run.steps, 0, 0), placed(run, np.insert(run.steps, 0, 0), app.chart.unit))
            assert app.chart.window == pytest.approx(ends)


async def test_the_crosshair_on_a_fork_finds_back_after_the_clock() -> None:
    parent, app = history(200), ChartApp("tokens")
    async with app.run_test(size=(100, 30)):
        app.chart.show_past(parent)
        app.chart.show(fork_of(parent, 200, 300))
        app.chart.point_at(250)
        for _ in get_args(Unit):
            app.chart.cycle_unit()
            assert app.chart.crosshair is not None
            assert app.chart.step_at(app.chart.crosshair) == 250


async def test_by_the_clock_a_fork_begins_with_itself() -> None:
    parent, app = history(200), ChartApp("seconds")
    async with app.run_test(size=(100, 30)):
        app.chart.show_past(parent)
        app.chart.show(fork_of(parent, 200, 300))
        assert len(app.chart.train) == 100
        assert app.chart.step_at(float(app.chart.train.x[0])) == 201
