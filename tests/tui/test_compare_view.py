"""Runs laid over each other: what is drawn is what their logs hold, at every size, also while one of them grows."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from recording import recorded
from runs_app import SIZES, RunsApp, opened, put, settled, until
from textual.content import Content
from textual.pilot import Pilot

from gpt_tui.core.config import RunConfig
from gpt_tui.core.events import Started
from gpt_tui.core.runs import Compared, History, Run, Shelf
from gpt_tui.tui.shelf_reader import ShelfRun
from gpt_tui.tui.views.compare import beside, sample_at, short_names, table
from gpt_tui.tui.widgets.chart import Series, Unit
from gpt_tui.tui.widgets.chart.canvas import RUN_ROLES
from gpt_tui.tui.widgets.chart.plot import Plan, draw
from gpt_tui.tui.widgets.compare_chart import CompareChart
from gpt_tui.tui.widgets.plot import placed


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    shelf = Shelf(tmp_path / "runs")
    put(shelf, "long", 300, minute=1, config=RunConfig().replace(max_iters=300))
    put(shelf, "short", 200, minute=2, config=RunConfig().replace(max_iters=200, seed=7))
    put(shelf, "open", 100, minute=3, end=False, config=RunConfig().replace(max_iters=600, learning_rate=0.001))
    return shelf


@asynccontextmanager
async def compared(
    shelf: Shelf, size: tuple[int, int] = (120, 40), runs: int = 3, ascii: bool = False
) -> AsyncIterator[tuple[RunsApp, CompareChart, Pilot[None]]]:
    """The newest `runs` runs, marked and laid over each other."""
    async with opened(shelf.runs_dir, size, ascii) as (app, pilot):
        for _ in range(runs):
            await pilot.press("m", "j")
        await pilot.press("o")
        chart = app.runs.compare.chart
        await until(pilot, lambda: len(chart.histories()) == runs)
        await settled(pilot)
        yield app, chart, pilot


def history(shelf: Shelf, name: str) -> History:
    return Run.open(shelf.runs_dir / name).history()


@pytest.mark.parametrize("size", SIZES)
async def test_chart_table_and_samples_are_there_at_every_size(shelf: Shelf, size: tuple[int, int]) -> None:
    async with compared(shelf, size) as (app, _, __):
        screen = app.text
        for words in ("losses · validation", "what differs · 3", "learning_rate", "1 open", "2 short", "3 long"):
            assert words in screen, words
        assert ("samples · newest" in screen) == (size[1] > 16)
        assert all(len(line.rstrip()) <= size[0] for line in screen.splitlines())


async def test_each_run_is_drawn_as_its_log_has_it(shelf: Shelf) -> None:
    async with compared(shelf) as (_, chart, __):
        for name, series in zip(("open", "short", "long"), chart.series, strict=True):
            evals = history(shelf, name).evals
            assert series.name == name
            assert series.x.tolist() == [e.step for e in evals]
            assert series.y.tolist() == [e.val_loss for e in evals]
        assert [series.role for series in chart.series] == list(RUN_ROLES[:3])
        assert [series.marker for series in chart.series] == ["1", "2", "3"]


async def test_only_the_settings_that_differ_are_in_the_table_and_on_the_clipboard(shelf: Shelf) -> None:
    async with compared(shelf) as (app, _, pilot):
        app.runs.compare.differences.focus()
        await settled(pilot)
        lines = app.runs.compare.differences.copied.splitlines()
        assert lines[:4] == [
            "\topen\tshort\tlong",
            "learning_rate\t0.001\t0.012\t0.012",
            "max_iters\t600\t200\t300",
            "seed\t1337\t7\t1337",
        ]
        assert lines[4].split("\t") == ["step", "100", "200", "300"]
        assert app.runs.copied()[1] == "\n".join(lines)


async def test_v_draws_validation_training_or_both(shelf: Shelf) -> None:
    async with compared(shelf, runs=2) as (app, chart, pilot):
        await pilot.press("v")
        assert [len(series) for series in chart.series] == [100, 200]
        assert np.array_equal(chart.series[1].y, history(shelf, "short").losses)
        await pilot.press("v")
        assert len(chart.series) == 4
        assert [series.dashed for series in chart.series] == [False, False, True, True]
        await settled(pilot)
        assert "losses · both" in app.text
        await pilot.press("v")
        assert [series.marker for series in chart.series] == ["1", "2"]


@pytest.mark.parametrize("turns", range(5))
async def test_u_counts_every_run_in_the_same_unit(shelf: Shelf, turns: int) -> None:
    async with compared(shelf, runs=2) as (_, chart, pilot):
        for _ in range(turns):
            await pilot.press("u")
        unit = get_args(Unit)[turns % 4]
        assert chart.unit == unit
        for name, series in zip(("open", "short"), chart.series, strict=True):
            run = history(shelf, name)
            assert series.x.tolist() == placed(run, np.array([e.step for e in run.evals]), unit).tolist()


async def test_u_leaves_the_crosshair_and_the_samples_at_their_step(shelf: Shelf) -> None:
    async with compared(shelf, (160, 50), runs=3) as (app, chart, pilot):
        await pilot.press("x", *["H"] * 4)
        before = [sample_at(run, chart.crosshair, "steps") for run in chart.histories()]
        assert before[0] is not history(shelf, "open").samples[-1]
        step = chart.crosshair
        for _ in get_args(Unit):
            await pilot.press("u")
            await settled(pilot)
            assert "samples · at the crosshair" in app.text
            assert [sample_at(run, chart.crosshair, chart.unit) for run in chart.histories()] == before
        assert chart.crosshair == pytest.approx(step)


async def test_the_crosshair_reads_every_run_out_and_takes_the_samples_along(shelf: Shelf) -> None:
    async with compared(shelf, (160, 50), runs=3) as (app, chart, pilot):
        await pilot.press("x")
        assert chart.crosshair == 300
        await pilot.press("g")
        for _ in range(4):
            await pilot.press("L")
        assert chart.crosshair is not None
        step = chart.crosshair
        await settled(pilot)
        readings = {reading.name: reading for reading in chart.readings()}
        assert set(readings) == {"open", "short", "long"}
        nearest = min((e.step for e in history(shelf, "long").evals), key=lambda known: abs(known - step))
        assert readings["long"].x == nearest
        assert f"at {nearest}" in app.runs.compare.samples.copied
        assert "samples · at the crosshair" in app.text
        await pilot.press("escape")
        assert chart.crosshair is None
        assert app.runs.comparing
        assert "at 300" in app.runs.compare.samples.copied


async def test_the_ladder_stands_there_only_where_all_runs_share_it(shelf: Shelf) -> None:
    async with compared(shelf) as (app, _, __):
        assert "bigram" in app.text
    run = put(shelf, "other", 100, minute=9)
    log = run.path / "events.jsonl"
    log.write_text(log.read_text().replace('"bigram":2.486', '"bigram":2.2'))
    async with compared(shelf, runs=2) as (app, _, __):
        assert "bigram" not in app.text


async def test_a_run_that_grows_grows_on_the_chart_too(shelf: Shelf) -> None:
    run = Run.open(shelf.runs_dir / "open")
    with shelf.reopen(run) as writer:
        async with compared(shelf) as (app, chart, pilot):
            assert len(chart.series[0]) == 3
            for event in recorded(200, config=run.config()):
                if not isinstance(event, Started) and getattr(event, "step", 0) > 100:
                    writer.append(event)
            writer.flush()
            await until(pilot, lambda: len(chart.series[0]) == 5)
            await settled(pilot)
            assert "at 200" in app.runs.compare.samples.copied
            assert "step\t200\t200\t300" in app.runs.compare.differences.copied


async def test_a_run_that_cannot_be_read_is_told_and_the_others_are_drawn(shelf: Shelf) -> None:
    async with opened(shelf.runs_dir) as (app, pilot):
        await pilot.press("m", "j", "m")
        log = shelf.runs_dir / "open" / "events.jsonl"
        log.unlink()
        log.mkdir()
        await pilot.press("o")
        await until(pilot, lambda: len(app.runs.compare.chart.histories()) == 1 and bool(app.said))
        assert "cannot be read" in app.said[-1]
        await settled(pilot)
        assert "2 short" in app.text


async def test_nothing_is_compared_with_itself(shelf: Shelf) -> None:
    async with opened(shelf.runs_dir) as (app, pilot):
        await pilot.press("o")
        await settled(pilot)
        assert not app.runs.comparing
        assert "m marks a run" in app.said[-1]
        await pilot.press("G", "m", "g", "o")  # one is marked, and the one under the cursor counts as marked
        await until(pilot, lambda: app.runs.comparing)
        assert [run.name for run in app.runs.compare.runs] == ["open", "long"]


async def test_while_runs_are_compared_no_key_reaches_the_shelf(shelf: Shelf) -> None:
    async with compared(shelf) as (app, _, pilot):
        for key in ("f", "enter", "space", "m", "p", "slash", "r", "i", "d"):
            await pilot.press(key)
            await settled(pilot)
        assert app.wishes == []
        assert len(app.screen_stack) == 1
        assert app.runs.ask_line.asked == ""
        assert app.said == []
        await pilot.press("escape")
        await settled(pilot)
        assert not app.runs.comparing
        assert app.focused is app.runs.list
        assert len(app.runs.list.marked) == 3
        assert "finished" in app.text


async def test_no_more_than_eight_are_drawn_and_that_is_said(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "runs")
    for number in range(9):
        put(shelf, f"run-{number}", 20, minute=number)
    async with opened(shelf.runs_dir, (200, 60)) as (app, pilot):
        for _ in range(9):
            await pilot.press("m", "j")
        await pilot.press("o")
        assert "first 8 of 9" in app.said[-1]
        await until(pilot, lambda: len(app.runs.compare.chart.histories()) == 8)
        await settled(pilot)
        assert "8 run-1" in app.text


# Drawing


def test_lines_differ_in_digits_and_dashes_without_any_colour() -> None:
    x = np.arange(200)
    series = [
        Series("a", x, 2 + x * 0, role="run-1", marker="1", apart=12),
        Series("b", x, 3 + x * 0, role="run-2", marker="2", apart=12, shift=2),
        Series("c", x, 4 + x * 0, role="run-1", dashed=True, legend=False),
    ]
    grid = draw(Plan(80, 24, series)).grid
    rows = [y for y in range(22) if sum(grid.role_at(x, y).startswith("run-") for x in range(80)) > 20]
    dashed, second, first = (grid.text(y) for y in rows)
    places = {digit: [x for x, c in enumerate(row) if c == digit] for digit, row in (("1", first), ("2", second))}
    for found in places.values():
        assert len(found) > 3
        assert all(later - earlier >= 12 for earlier, later in pairwise(found))
    assert max(places["1"]) - max(places["2"]) == 2
    assert [len(dash) for dash in dashed[8:68].split()] == [2] * 15
    assert grid.text(23).split() == ["1", "a", "2", "b"]


def test_a_run_that_ends_early_has_its_digit_too() -> None:
    series = [
        Series("long", range(200), [2.0] * 200, role="run-1"),
        Series("one", [0], [3.0], role="run-2", marker="2", shift=70),
    ]
    frame = draw(Plan(80, 24, series))
    drawn = [(x, y) for y in range(22) for x in range(80) if frame.grid.role_at(x, y) == "run-2"]
    assert len(drawn) == 1


def test_names_are_as_short_as_they_can_be_told_apart() -> None:
    def named(*names: str, title: str = "") -> list[str]:
        return short_names([ShelfRun(Path(name), name, title=title) for name in names])

    assert named("20261120-140100-quick", "mine") == ["quick", "mine"]
    assert named("20261120-140100-quick", "20261120-150100-quick") == ["quick 1401", "quick 1501"]
    assert named("20261120-140100-quick", "20261120-140107-quick") == ["quick 140100", "quick 140107"]
    assert named("20261119-140100-quick", "20261120-140100-quick") == ["quick 1119-1401", "quick 1120-1401"]
    assert named("20261119-140100-quick", "quick", "20261120-140100-quick") == [
        "quick 1119-1401",
        "quick",
        "quick 1120-1401",
    ]
    assert named("20261119-140100-quick", "20261119-140100-tiny", "quick") == ["quick 1401", "tiny", "quick"]
    assert named("20261120-140100-quick", title="best") == ["best"]
    assert named("x" * 99)[0] == "x" * 23 + "…"


def test_a_table_too_wide_goes_on_below_and_loses_no_run() -> None:
    lines = [Compared("learning_rate", (0.1,) * 8, tuple(f"0.{i}01" for i in range(8)))]
    heads = [Content(f"{i + 1} a run") for i in range(8)]
    for width in (28, 40, 60, 120):
        text = table([lines], heads, width).plain
        assert all(len(line) <= width for line in text.splitlines())
        for i in range(8):
            assert f"0.{i}01" in text
            assert f"{i + 1} a" in text


def test_settings_and_what_came_of_them_stand_in_the_same_columns() -> None:
    def line(name: str, *texts: str) -> Compared:
        return Compared(name, texts, texts)

    settings = [line("gradient_accumulation_steps", "1", "2", "4"), line("dataset", "a" * 40, "b", "c")]
    came = [line("val_loss", "2.3456", "1.5", "3.25")]
    heads = [Content(f"{i + 1} a-run-with-a-name") for i in range(3)]
    lines = table([settings, came], heads, 120).plain.splitlines()
    assert [lines[1].index(" 2") + 1, lines[1].index(" 4") + 1] == [lines[4].index("1.5"), lines[4].index("3.25")]
    assert lines[3].strip() == ""
    narrow = table([settings, came], heads, 52).plain.splitlines()
    assert narrow[0].split() == ["1", "a-run-w…", "2", "a-r…"]
    assert narrow[4].split() == ["val_loss", "2.3456", "1.5"]
    assert narrow[-1].split() == ["val_loss", "3.25"]


def test_samples_stand_side_by_side_and_below_where_there_is_no_room() -> None:
    columns = [([Content(f"{i} head")], Content(f"text {i} " + "word " * 20)) for i in range(4)]
    wide, narrow = beside(columns, 120).plain.splitlines(), beside(columns, 50).plain.splitlines()
    assert wide[0].split() == ["0", "head", "1", "head", "2", "head", "3", "head"]
    assert narrow[0].split() == ["0", "head", "1", "head"]
    assert all(len(line) <= 50 for line in narrow)
    assert "".join(narrow).count("word") == 80


def test_the_sample_nearest_to_a_place_is_found_in_every_unit() -> None:
    run = History()
    run.extend(recorded(200))
    for unit in get_args(Unit):
        for step in (0, 50, 150, 200):
            at: Any = float(placed(run, np.array([step]), unit)[0])
            found = sample_at(run, at * 1.01, unit)
            assert found is not None
            assert found.step == step
    newest = sample_at(run, None, "steps")
    assert newest is not None
    assert newest.step == 200
    assert sample_at(History(), 3.0, "steps") is None
