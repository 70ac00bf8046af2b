"""The Runs view: the shelf as it is on the disk, what each key does to it, at every size, and while it changes."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from recording import recorded
from runs_app import SIZES, RunsApp, opened, put, settled, until
from textual.app import App, ComposeResult
from textual.events import MouseScrollDown
from textual.message import Message
from textual.widgets import Input

from gpt_tui.core.config import RunConfig
from gpt_tui.core.events import Checkpoint, Continued, Edit, Started
from gpt_tui.core.runs import Run, Shelf, ShelfNotes
from gpt_tui.core.session import Plan, Session, Stop
from gpt_tui.tui import figures
from gpt_tui.tui.shelf_reader import ShelfReader, ShelfRun, thinned
from gpt_tui.tui.state import State
from gpt_tui.tui.watched import Own
from gpt_tui.tui.widgets.question import Question
from gpt_tui.tui.widgets.run_rows import Columns, RunRows, progress, shortened
from gpt_tui.tui.wishes import ForkRun, OpenRun, ResumeRun, Speak
from patience import PATIENCE


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    """Three runs, the oldest with checkpoints, and a directory that is none."""
    shelf = Shelf(tmp_path / "runs")
    with_checkpoints(shelf, put(shelf, "20261120-140100-quick", 200, minute=1))
    put(shelf, "halfway", 120, minute=2, end=False, config=RunConfig().replace(max_iters=600))
    put(shelf, "titled", 300, minute=3, notes=ShelfNotes(title="the best one", note="first\nsecond"))
    (shelf.runs_dir / "stray").mkdir()
    return shelf


def with_checkpoints(shelf: Shelf, run: Run) -> Run:
    import torch

    with shelf.reopen(run) as writer:
        for step, reason in ((0, "untrained"), (100, "interval"), (200, "interval, best")):
            writer.save_checkpoint(step, {"w": torch.zeros(4)}, {"m": torch.zeros(4)}, {}, reason)
    return run


def names(app: RunsApp) -> list[str]:
    return [run.name for run in app.runs.list.runs]


async def looked(app: RunsApp, pilot: Any) -> None:
    """Wait for the checkpoints of the oldest run, and put the focus there."""
    await pilot.press("G", "k")
    await until(pilot, lambda: app.runs.checkpoints.count == 3)
    app.runs.checkpoints.focus()
    await settled(pilot)


# What is shown


@pytest.mark.parametrize("size", SIZES)
async def test_every_run_is_in_a_row_the_newest_first(shelf: Shelf, size: tuple[int, int]) -> None:
    async with opened(shelf.runs_dir, size) as (app, _):
        assert names(app) == ["titled", "halfway", "20261120-140100-quick", "stray"]
        screen = app.text
        for word in ("the best one", "■ finished", "! interrupted", "120/600", "checkpoints", "stray"):
            assert word in screen, word
        assert all(len(line.rstrip()) <= size[0] for line in screen.splitlines())


async def test_losses_and_a_small_curve_are_those_of_the_log(shelf: Shelf) -> None:
    async with opened(shelf.runs_dir, (120, 40)) as (app, _):
        row = next(line for line in app.text.splitlines() if "halfway" in line)
        evals = Run.open(shelf.runs_dir / "halfway").history().evals
        assert f"{evals[-1].val_loss:.3f}" in row
        assert figures.spark([e.val_loss for e in evals]) in row


async def test_what_is_no_run_says_why(shelf: Shelf) -> None:
    async with opened(shelf.runs_dir) as (app, pilot):
        assert "it has no run.json" in app.text
        await pilot.press("G", "enter")
        assert app.wishes == []
        assert "it has no run.json" in app.said[-1]


async def test_an_empty_shelf_names_the_next_key(tmp_path: Path) -> None:
    async with opened(tmp_path / "none") as (app, pilot):
        assert "There are no runs yet. space trains the first one" in app.text
        for key in ("enter", "space", "f", "m", "o", "r", "p", "i", "d", "j", "G"):
            await pilot.press(key)
        assert app.wishes == []


async def test_space_is_the_programs_where_there_is_no_run_and_the_shelfs_where_one_is_only_not_found(
    tmp_path: Path, shelf: Shelf
) -> None:
    async with opened(tmp_path / "none") as (app, _):
        assert "space" not in app.screen.active_bindings
    async with opened(shelf.runs_dir) as (app, pilot):
        await pilot.press("slash", *"nothing", "enter")
        assert app.runs.list.count == 0
        await pilot.press("space")
        assert app.said == ["There is no run under the cursor."]
        assert app.wishes == []


async def test_a_key_that_is_pressed_again_and_again_says_once_why_it_does_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path / "none") as (app, pilot):
        await pilot.press("m", "m", "enter", "m")
        assert app.said == ["There is no run under the cursor."]


async def test_beside_the_list_stand_checkpoints_and_what_the_run_is(shelf: Shelf) -> None:
    async with opened(shelf.runs_dir, (200, 60)) as (app, pilot):
        assert "first" in app.runs.details.copied
        assert "second" in app.runs.details.copied
        await looked(app, pilot)
        shown = [line.split() for line in app.runs.checkpoints.copied.splitlines()]
        losses = {
            e.step: f"{e.val_loss:.3f}" for e in Run.open(shelf.runs_dir / "20261120-140100-quick").history().evals
        }
        assert [row[:2] for row in shown[1:]] == [[str(step), losses[step]] for step in (200, 100, 0)]
        for words in ("interval, best", "untrained", f"200  {losses[200]}"):
            assert words in app.text
        assert "2 layers" in app.text
        assert "20261120-140100-quick" in app.runs.details.copied


async def test_what_was_edited_and_what_was_left_behind_is_told(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "runs")
    with shelf.reopen(put(shelf, "back", 100, end=False)) as writer:
        for step, edits in ((0, {}), (50, {"learning_rate": (0.012, 0.001)}), (100, {}), (100, {})):
            path = writer.save_checkpoint(step, {}, {}, {}, "interval")
            writer.append(Checkpoint(step=step, path=str(path), reason="interval"))
            if path.name == "000100":
                writer.append(Continued(step=50, path=str(path.with_name("000050")), created=""))
            elif edits:
                writer.append(Edit(step=step, changes=edits))
    async with opened(shelf.runs_dir, (200, 60)) as (app, pilot):
        await until(pilot, lambda: app.runs.checkpoints.count == 4)
        kept = [line.split("\t") for line in app.runs.checkpoints.copied.splitlines()[1:]]
        assert [(row[0], row[3]) for row in kept] == [
            ("100", "interval"), ("100", "left behind, interval"), ("50", "interval"), ("0", "interval"),
        ]  # fmt: skip
        assert "at step 50: learning_rate 0.012 → 0.001" in " ".join(app.runs.details.copied.split())
        assert "1.0e-3, " in app.runs.details.copied


async def test_a_note_with_markup_or_control_characters_is_only_text(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "runs")
    put(shelf, "one", 50, notes=ShelfNotes(title="[bold]T[/] \x1b[2J", note="[@click=app.quit]press[/]"))
    async with opened(shelf.runs_dir, (200, 60)) as (app, _):
        assert "[bold]T[/] \\x1b[2J" in app.text
        assert "[@click=app.quit]press[/]" in app.text


async def test_in_ascii_everything_drawn_is_ascii(shelf: Shelf) -> None:
    async with opened(shelf.runs_dir, (120, 40), ascii=True) as (app, pilot):
        await pilot.press("m", "j", "m")
        assert app.text.isascii()
        await pilot.press("o")
        await until(pilot, lambda: len(app.runs.compare.chart.histories()) == 2)
        await settled(pilot)
        assert app.text.isascii()


# What the keys do


async def test_enter_opens_the_run_and_on_a_checkpoint_lets_it_speak(shelf: Shelf) -> None:
    async with opened(shelf.runs_dir) as (app, pilot):
        await pilot.press("enter")
        await looked(app, pilot)
        await pilot.press("j", "enter")
        await settled(pilot)
        quick = shelf.runs_dir / "20261120-140100-quick"
        assert app.wishes == [OpenRun(shelf.runs_dir / "titled"), Speak(quick, 100)]


async def test_a_run_goes_on_or_is_forked_from_the_chosen_checkpoint_where_the_focus_is(shelf: Shelf) -> None:
    async with opened(shelf.runs_dir) as (app, pilot):
        await pilot.press("j", "space", "f")
        await looked(app, pilot)
        await pilot.press("G", "space", "f")
        await settled(pilot)
        halfway, quick = shelf.runs_dir / "halfway", shelf.runs_dir / "20261120-140100-quick"
        assert app.wishes == [ResumeRun(halfway), ForkRun(halfway), ResumeRun(quick, 0), ForkRun(quick, 0)]


async def test_a_run_that_another_trains_says_who_and_is_not_deleted(shelf: Shelf) -> None:
    import os

    with shelf.reopen(Run.open(shelf.runs_dir / "titled")):
        async with opened(shelf.runs_dir) as (app, pilot):
            assert "● training" in app.text
            await pilot.press("space")
            await until(pilot, lambda: app.said != [])
            assert f"titled is being trained by process {os.getpid()}" in app.said[0]
            await pilot.press("d")
            await until(pilot, lambda: "is not deleted" in app.said[0])
            assert app.wishes == []
    assert (shelf.runs_dir / "titled").is_dir()


async def test_deleting_asks_one_question_and_only_y_says_yes(shelf: Shelf) -> None:
    async with opened(shelf.runs_dir) as (app, pilot):
        for key in ("enter", "n", "escape", "space"):
            await pilot.press("d")
            await until(pilot, lambda: isinstance(app.screen, Question))
            await settled(pilot)
            assert "the best one" in app.text
            await pilot.press(key)
            await settled(pilot)
            assert not isinstance(app.screen, Question)
        assert (shelf.runs_dir / "titled").is_dir()
        assert app.wishes == []
        await pilot.press("d")
        await until(pilot, lambda: isinstance(app.screen, Question))
        await pilot.press("y")
        await until(pilot, lambda: "titled" not in names(app))
        assert names(app)[app.runs.list.cursor] == "halfway"
    assert not (shelf.runs_dir / "titled").exists()


async def test_what_was_asked_for_is_done_although_the_program_is_left_at_once(shelf: Shelf) -> None:
    told: list[Message] = []
    reader = ShelfReader(shelf.runs_dir, told.append)
    reader.read()
    for name in ("titled", "halfway"):
        reader.change_notes(ShelfRun(shelf.runs_dir / name, name), note=f"of {name}")
    reader.remove([ShelfRun(shelf.runs_dir / "titled", "titled")])
    reader.stop()
    assert not (shelf.runs_dir / "titled").exists()
    assert Run.open(shelf.runs_dir / "halfway").shelf_notes().note == "of halfway"


async def test_marked_runs_are_deleted_together_if_the_one_under_the_cursor_is_marked(shelf: Shelf) -> None:
    async with opened(shelf.runs_dir) as (app, pilot):
        await pilot.press("m", "j", "m", "d")
        await until(pilot, lambda: isinstance(app.screen, Question))
        await settled(pilot)
        assert "delete 2 runs?" in app.text
        await pilot.press("y")
        await until(pilot, lambda: len(names(app)) == 2)
    assert sorted(path.name for path in shelf.runs_dir.iterdir()) == ["20261120-140100-quick", "stray"]


async def test_a_title_and_a_note_are_kept_on_the_disk(shelf: Shelf) -> None:
    async with opened(shelf.runs_dir) as (app, pilot):
        await pilot.press("j", "r", *"mine", "enter")
        await until(pilot, lambda: "mine" in app.text)
        assert app.focused is app.runs.list
        await pilot.press("i", *"why", "enter")
        await until(pilot, lambda: "why" in app.runs.details.copied)
    assert Run.open(shelf.runs_dir / "halfway").shelf_notes() == ShelfNotes(title="mine", note="why")


async def test_a_note_of_several_lines_stays_one_and_esc_changes_nothing(shelf: Shelf) -> None:
    async with opened(shelf.runs_dir) as (app, pilot):
        await pilot.press("i", "x", "enter")
        await until(pilot, lambda: "secondx" in app.runs.details.copied)
        await pilot.press("r", "x", "escape", "d")  # the d is a key again, and no letter
        await until(pilot, lambda: isinstance(app.screen, Question))
        await pilot.press("n")
    notes = Run.open(shelf.runs_dir / "titled").shelf_notes()
    assert notes == ShelfNotes(title="the best one", note="first\nsecondx")


async def test_a_pin_is_kept_by_the_checkpoints_name_and_taken_away_again(shelf: Shelf) -> None:
    run = Run.open(shelf.runs_dir / "20261120-140100-quick")
    async with opened(shelf.runs_dir) as (app, pilot):
        await looked(app, pilot)
        await pilot.press("j", "p")
        await until(pilot, lambda: run.shelf_notes().pins == ("000100",))
        await until(pilot, lambda: app.runs.checkpoints.checkpoints[1].pinned)
        assert app.runs.checkpoints.cursor == 1
        await pilot.press("p")
        await until(pilot, lambda: run.shelf_notes().pins == ())


async def test_what_cannot_be_written_is_told(shelf: Shelf) -> None:
    notes = shelf.runs_dir / "titled" / "shelf.json"
    notes.unlink()
    notes.mkdir()
    async with opened(shelf.runs_dir) as (app, pilot):
        await pilot.press("r", *"new", "enter")
        await until(pilot, lambda: bool(app.said))
        assert "cannot be written" in app.said[-1]


async def test_the_filter_looks_in_names_titles_states_and_datasets(shelf: Shelf) -> None:
    async with opened(shelf.runs_dir) as (app, pilot):
        for words, found in (
            ("best", ["titled"]),
            ("interr", ["halfway"]),
            ("shakes quick", ["20261120-140100-quick"]),
        ):
            await pilot.press("slash", *(key if key != " " else "space" for key in words))
            assert isinstance(app.focused, Input)
            assert names(app) == found
            await pilot.press("enter")
            assert app.focused is app.runs.list
            assert names(app) == found
            await pilot.press("escape")
            assert len(names(app)) == 4
        await pilot.press("slash", *"nowhere")
        await settled(pilot)
        assert "No run has “nowhere”" in app.text


async def test_the_cursor_stays_on_its_run_while_the_shelf_changes(shelf: Shelf) -> None:
    async with opened(shelf.runs_dir) as (app, pilot):
        await pilot.press("j")
        put(shelf, "newer", 100, minute=30)
        app.runs._reader.read()
        await until(pilot, lambda: len(names(app)) == 5)
        assert names(app)[0] == "newer"
        assert names(app)[app.runs.list.cursor] == "halfway"


# While runs are at work


async def test_a_run_that_another_process_writes_moves_on_in_its_row(shelf: Shelf) -> None:
    run = Run.open(shelf.runs_dir / "halfway")
    with shelf.reopen(run) as writer:
        async with opened(shelf.runs_dir) as (app, pilot):
            assert "120/600" in app.text
            for event in recorded(180, config=run.config()):
                if not isinstance(event, Started) and getattr(event, "step", 0) > 120:
                    writer.append(event)
            writer.flush()
            await until(pilot, lambda: "180/600" in app.text)


async def test_a_run_of_this_process_moves_on_without_the_disk(tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text("To be, or not to be, that is the question.\n" * 60)
    fields = {
        "n_layer": 1, "n_head": 2, "n_embd": 16, "block_size": 8, "batch_size": 4, "max_iters": 100_000,
        "eval_interval": 5, "eval_iters": 1, "max_new_tokens": 1, "device": "cpu", "threads": 1, "dataset": str(text),
    }  # fmt: skip
    session = Session(Plan(RunConfig().replace(**fields), runs_dir=tmp_path / "runs"))
    own = Own(session)
    session.start()
    try:
        async with opened(tmp_path / "runs") as (app, pilot):
            await until(pilot, lambda: own.poll() and own.path is not None and bool(own.history.evals))
            app.runs.follow(own)
            await until(pilot, lambda: bool(names(app)))
            app.runs._reader.stop()  # what comes from now on does not come from the disk
            before = app.runs.list.runs[0].step
            await until(pilot, lambda: own.poll() and own.history.step > before + 10)
            app.runs.follow(own)
            await asyncio.sleep(0.1)
            row = app.runs.list.runs[0]
            assert row.step == own.history.step
            assert row.state.word == "TRAINING"
            assert f"{row.step}/" in app.text
            assert "space" not in app.screen.active_bindings  # it pauses the run, as everywhere
    finally:
        session.submit(Stop())
        assert session.join(PATIENCE)


# Rows alone


class RowsApp(App[None]):
    def __init__(self, runs: list[ShelfRun]) -> None:
        super().__init__()
        self.rows = CountedRows()
        self.given = runs

    def compose(self) -> ComposeResult:
        yield self.rows

    def on_mount(self) -> None:
        self.rows.show(self.given)


class CountedRows(RunRows):
    drawn = 0

    def line(self, index: int, width: int) -> Any:
        self.drawn += 1
        return super().line(index, width)


def made_up(number: int) -> list[ShelfRun]:
    return [
        ShelfRun(
            Path(f"/runs/{i}"), f"run-{i}", state=State("FINISHED"), step=i, max_iters=i, val_loss=1.5, curve=(2, 1)
        )
        for i in range(number)
    ]


async def test_of_a_thousand_runs_only_those_in_sight_are_drawn() -> None:
    app = RowsApp(made_up(1000))
    async with app.run_test(size=(100, 30)) as pilot:
        await settled(pilot)
        assert len(list(app.rows.walk_children())) == 0
        app.rows.focus()
        await settled(pilot)
        app.rows.drawn = 0
        await pilot.press("j")
        await settled(pilot)
        assert app.rows.drawn == 2
        for keys, at in ((("G",), 999), (("pageup",), 973), (("g",), 0), (("pagedown",), 26)):
            app.rows.drawn = 0
            await pilot.press(*keys)
            await settled(pilot)
            assert app.rows.cursor == at
            assert app.rows.drawn <= 28


async def test_a_click_moves_the_cursor_and_the_wheel_moves_the_rows() -> None:
    app = RowsApp(made_up(100))
    async with app.run_test(size=(100, 30)) as pilot:
        await settled(pilot)
        await pilot.click(app.rows, offset=(10, 5))
        assert app.rows.cursor == 3
        app.rows.post_message(MouseScrollDown(app.rows, 10, 5, 0, 1, 0, False, False, False))
        await settled(pilot)
        await pilot.click(app.rows, offset=(10, 5))
        assert app.rows.cursor == 6


@pytest.mark.parametrize("width", [40, 54, 72, 90, 120, 200])
def test_the_columns_fill_no_more_than_there_is(width: int) -> None:
    runs = [ShelfRun(Path("/r"), "20261120-140100-quick", state=State("FINISHED"), step=350, max_iters=600)]
    app_rows = RunRows()
    app_rows.runs = runs
    assert app_rows.line(0, width).cell_length <= max(width, 54)
    assert app_rows.head(width).cell_length == app_rows.line(0, width).cell_length
    assert Columns.fitted(runs, width).name >= 4


def test_names_progress_and_curves_are_made_to_fit() -> None:
    assert shortened("20261120-142501-quick", 21) == "20261120-142501-quick"
    assert shortened("20261120-142501-quick", 20) == "1120-142501-quick"
    assert shortened("20261120-142501-quick", 16) == "1120-1425-quick"
    assert shortened("a name of one's own", 4) == "a name of one's own"
    (run,) = made_up(1)
    assert progress(run) == "0"
    assert progress(ShelfRun(run.path, "x", step=350, max_iters=600)) == "350/600"
    assert progress(ShelfRun(run.path, "x", step=1, max_iters=2_000_000)) == "1/2.00M"
    assert thinned(list(range(100)), 4) == [0, 33, 66, 99]
    assert thinned([1.0, 2.0], 4) == [1.0, 2.0]
