"""The Train view draws what a history holds, at every size, and its keys do what the table says."""

from __future__ import annotations

from pathlib import Path

import pytest
from playing import until
from recording import recorded, screen_text
from runs_app import put, record
from textual.app import App, ComposeResult
from textual.screen import Screen
from textual.widgets import Input

import gpt_tui.tui.app as playground
from gpt_tui.core.config import build
from gpt_tui.core.events import Continued, Edit, Milestone, Notice, Parent, Sample, Started, Step
from gpt_tui.core.presets import PRESETS
from gpt_tui.core.runs import History, Shelf
from gpt_tui.tui import panes
from gpt_tui.tui.state import State
from gpt_tui.tui.views.train import TrainView
from gpt_tui.tui.watched import Opened
from gpt_tui.tui.widgets.facts_pane import essentials

FOLDER = Path(playground.__file__).parent


class TrainApp(App[None]):
    """The view alone, with the playground's style and screen, and no session."""

    CSS_PATH = [FOLDER / "app.tcss", FOLDER / "views" / "train.tcss"]  # noqa: RUF012
    ENABLE_COMMAND_PALETTE = False

    def __init__(self, units: str = "steps") -> None:
        super().__init__()
        self.view = TrainView(units=units)
        self.history = History()

    def get_default_screen(self) -> Screen[None]:
        return playground.MainScreen()

    def compose(self) -> ComposeResult:
        yield self.view

    async def on_mount(self) -> None:
        await self.view.furnish()
        self.view.focus_first()

    def show(self) -> str:
        self.view.show(self.history, None)
        return ""


@pytest.fixture
def app() -> TrainApp:
    return TrainApp()


async def shown(app: TrainApp, pilot) -> str:  # type: ignore[no-untyped-def]
    app.view.show(app.history, None)
    await pilot.pause()
    await pilot.pause()
    return screen_text(app)


@pytest.mark.parametrize("size", [(60, 16), (80, 24), (99, 40), (100, 24), (120, 40), (150, 45), (200, 60)])
async def test_a_run_is_drawn_whole_at_every_size(app: TrainApp, size: tuple[int, int]) -> None:
    app.history.extend(recorded(350))
    async with app.run_test(size=size) as pilot:
        screen = await shown(app, pilot)
        assert "350/600" in screen
        for word in ("loss", "val", "▼", "lr", "tok/s", "grad", "left"):
            assert word in screen
        assert "ROMEO:" in screen
        assert "trigram" in screen
        lines = screen.split("\n")
        assert len(lines) == size[1]
        assert all(len(line) == size[0] for line in lines)


async def test_one_column_shows_one_sample_and_b_the_other(app: TrainApp) -> None:
    app.history.extend(recorded(100))
    async with app.run_test(size=(80, 24)) as pilot:
        assert "counsel of the world" in await shown(app, pilot)
        assert "IyiwHhu" not in screen_text(app)
        await pilot.press("b")
        assert "IyiwHhu" in await shown(app, pilot)
        app.history.extend(recorded(150)[-3:])
        assert "IyiwHhu" in await shown(app, pilot), "the choice holds when a new sample comes"


async def test_two_columns_show_both_samples(app: TrainApp) -> None:
    app.history.extend(recorded(100))
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await shown(app, pilot)
        assert "counsel of the world" in screen
        assert "IyiwHhu" in screen
        assert "configuration" not in screen


async def test_three_columns_add_configuration_curves_and_checkpoints(app: TrainApp) -> None:
    app.history.extend(recorded(100))
    async with app.run_test(size=(160, 50)) as pilot:
        screen = await shown(app, pilot)
        for word in ("configuration", "learning rate", "tokens/s", "checkpoints", "untrained", "shakespeare"):
            assert word in screen


async def test_before_a_run_it_says_what_would_be_trained(app: TrainApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        app.view.ready(build({"n_layer": 5}), "quick", State("READY"), [])
        await pilot.pause()
        screen = screen_text(app)
        assert "5 layers" in screen
        assert "space" in screen
        app.view.ready(build({}), "quick", State("PREPARING", "downloading shakespeare", 430, 1000), [])
        await pilot.pause()
        assert "downloading shakespeare 43%" in screen_text(app)
        app.view.ready(build({}), "quick", State("READY"), ["dataset = nowhere: there is no such file"])
        await pilot.pause()
        assert "there is no such file" in screen_text(app)


async def test_a_new_unit_moves_every_point(app: TrainApp) -> None:
    app.history.extend(recorded(100))
    async with app.run_test(size=(120, 40)) as pilot:
        await shown(app, pilot)
        chart = app.view.chart
        assert chart.train.x[-1] == 100
        await pilot.press("u")
        assert chart.unit == "tokens"
        assert chart.train.x[-1] == 100 * 2304
        assert chart.validation.x.tolist() == [0, 50 * 2304, 100 * 2304]
        await pilot.press("u")
        assert chart.train.x[-1] == pytest.approx(2.5)
        await pilot.press("u")
        assert chart.unit == "FLOPs"
        assert chart.train.x[-1] > 1e9
        await pilot.press("u")
        assert chart.train.x[-1] == 100


async def test_a_table_that_is_only_looked_up_is_never_counted_in_operations(app: TrainApp) -> None:
    app.history.extend(recorded(100, config=PRESETS["lecture-bigram"].config()))
    async with app.run_test(size=(120, 40)) as pilot:
        await shown(app, pilot)
        chart = app.view.chart
        units = []
        for _ in range(3):
            await pilot.press("u")
            units.append(chart.unit)
        assert units == ["tokens", "seconds", "steps"]
        assert "no floating-point operations" in " ".join(n.message for n in app._notifications)
        assert chart.train.x[-1] == 100


async def test_a_unit_kept_from_before_gives_way_where_the_run_cannot_be_counted_in_it() -> None:
    app = TrainApp(units="FLOPs")
    app.history.extend(recorded(100, config=PRESETS["lecture-bigram"].config()))
    async with app.run_test(size=(120, 40)) as pilot:
        await shown(app, pilot)
        assert app.view.chart.unit == "tokens"
        assert app.view.chart.train.x[-1] == 100 * 2304


@pytest.mark.parametrize(
    ("preset", "said"),
    [
        ("quick", "2 layers · 4 heads · 128 wide · context 192"),
        ("lecture-bigram", "a table of pairs: no attention, no layers · context 8"),
        ("lecture-one-head", "1 layer · 1 head · no feed-forward · 32 wide · context 8"),
    ],
)
def test_the_essentials_name_what_a_model_has_and_what_it_lacks(preset: str, said: str) -> None:
    assert dict(essentials(PRESETS[preset].config(), None))["model"] == said


def test_a_model_without_attention_has_no_heads_to_tell_of() -> None:
    config = build({"attention": False})
    assert dict(essentials(config, None))["model"] == "2 layers · no attention · 128 wide · context 192"
    config = build({"attention": False, "feed_forward": False})
    assert dict(essentials(config, None))["model"] == "no layers · 128 wide · context 192"


async def test_a_fork_whose_parent_is_gone_shows_its_own_first_sample(app: TrainApp) -> None:
    begun, *events = recorded(200)
    assert isinstance(begun, Started)
    app.history.apply(begun.model_copy(update={"parent": Parent(run="gone", step=100)}))
    app.history.extend(event for event in events if event.step > 100 or (event.step == 100 and event.event != "step"))
    async with app.run_test(size=(120, 40)) as pilot:
        await shown(app, pilot)
        assert str(app.view.untrained.border_title).startswith("first · step 100 · val")
        assert "world hath been at 100" in app.view.untrained.copied
        assert str(app.view.trained.border_title).startswith("trained · step 200")
        await pilot.resize_terminal(80, 24)
        await pilot.pause()
        await pilot.pause()
        assert "b: first" in screen_text(app)


async def test_rungs_that_one_evaluation_passed_are_told_in_one_line(app: TrainApp) -> None:
    app.history.extend(event for event in recorded(150) if event.event != "milestone")
    passed = [Milestone(step=150, time=3.0, rung=rung, val_loss=2.4) for rung in ("uniform", "unigram", "bigram")]
    app.history.apply(passed[0])
    async with app.run_test(size=(120, 40)) as pilot:
        assert "passed the uniform line (4.17) at step 150" in await shown(app, pilot)
        app.history.extend([*passed[1:], Milestone(step=200, time=4.0, rung="trigram", val_loss=2.0)])
        await shown(app, pilot)
        lines = [line.split("  ")[-1] for line in app.view.log_pane.copied.splitlines() if "passed" in line]
        together = "passed the uniform, unigram and bigram lines (2.49) at step 150"
        assert lines == [together, "passed the trigram line (2.05) at step 200"]
        await pilot.resize_terminal(80, 24)
        await pilot.pause()
        await pilot.pause()
        assert "passed the trigram line" in screen_text(app)


@pytest.mark.parametrize("key", ["a", "o", "O", "u", "x", "plus", "minus", "0"])
async def test_a_key_of_the_chart_changes_nothing_unseen_before_there_is_a_chart(app: TrainApp, key: str) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        app.view.ready(build({}), "quick", State("READY"), [])
        before = app.view.chart.description()
        await pilot.press(key)
        assert [note.message for note in app._notifications] == ["There is nothing on the chart yet."]
        assert app.view.chart.description() == before


async def test_what_is_changed_of_a_chart_that_is_out_of_sight_is_told(app: TrainApp) -> None:
    app.history.extend(recorded(100))
    async with app.run_test(size=(120, 40)) as pilot:
        await shown(app, pilot)
        await pilot.press("a")
        assert not app._notifications
        app.view.log_pane.focus()
        panes.maximise(app.view, app.view.log_pane)
        await pilot.press("a")
        assert [note.message for note in app._notifications] == ["loss: no smoothing · x steps"]


async def test_b_says_truly_why_there_are_no_two_samples_to_change_between(app: TrainApp) -> None:
    def said() -> str:
        return " ".join(note.message for note in app._notifications)

    async with app.run_test(size=(80, 24)) as pilot:
        app.view.ready(build({}), "quick", State("READY"), [])
        await pilot.press("b")
        assert said() == "There is no sample yet."
        app.history.extend(recorded(100))
        await shown(app, pilot)
        app.view.go_to(app.view.log_pane)
        await pilot.press("b")
        assert "One pane has the whole view" in said()
        assert app.view.leave()
        app.view.focus_first()
        await pilot.resize_terminal(120, 40)
        await shown(app, pilot)
        await pilot.press("b")
        assert "Both samples are on the screen" in said()


async def test_new_steps_are_added_and_a_resumed_run_loses_what_came_after(app: TrainApp) -> None:
    events = recorded(150)
    async with app.run_test(size=(120, 40)) as pilot:
        for event in events:
            app.history.apply(event)
            if event.event == "eval":
                await shown(app, pilot)
        await shown(app, pilot)
        chart = app.view.chart
        assert chart.train.x.tolist() == list(range(1, 151))
        assert chart.train.y.tolist() == app.history.losses.tolist()
        app.history.apply(Continued(step=100, path="checkpoints/000100", created="2026-11-20T15:00:00Z"))
        await shown(app, pilot)
        assert chart.train.x[-1] == 100
        assert chart.validation.x.tolist() == [0, 50, 100]


async def test_a_run_that_went_another_way_between_two_drawings_is_drawn_anew(app: TrainApp) -> None:
    app.history.extend(recorded(150))
    async with app.run_test(size=(120, 40)) as pilot:
        await shown(app, pilot)
        app.history.apply(Continued(step=100, path="checkpoints/000100", created="2026-11-20T15:00:00Z"))
        for step in (event for event in recorded(150) if event.event == "step" and event.step > 100):
            app.history.apply(step.model_copy(update={"loss": 3.0}))
        await shown(app, pilot)
        assert app.view.chart.train.y.tolist() == app.history.losses.tolist()


async def test_an_edit_is_marked_and_logged(app: TrainApp) -> None:
    app.history.extend([*recorded(100), Edit(step=100, time=2.5, changes={"learning_rate": (0.02, 0.01)})])
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await shown(app, pilot)
        assert "learning_rate 0.02 → 0.01" in screen
        assert any(mark.kind == "edit" for mark in app.view.chart._marks)


async def test_text_of_a_model_is_never_markup_and_its_control_characters_are_visible(app: TrainApp) -> None:
    events = recorded(49)
    app.history.extend([*events, Sample(step=49, time=1.0, prompt="[b]", seed=1, text="[red]x[/] \x1b[2Jend\x00")])
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await shown(app, pilot)
        assert "[b][red]x[/] \\x1b[2Jend\\x00" in screen


async def test_a_pane_takes_the_whole_view_and_gives_it_back(app: TrainApp) -> None:
    app.history.extend(recorded(100))
    async with app.run_test(size=(120, 40)) as pilot:
        before = await shown(app, pilot)
        panes.maximise(app.view, app.view.log_pane)
        await pilot.pause()
        screen = screen_text(app)
        assert "passed the bigram line" in screen
        assert "tok/s" not in screen
        assert app.view.log_pane.size.height > 30
        assert app.view.leave()
        await pilot.pause()
        await pilot.pause()
        assert screen_text(app) == before


async def test_the_log_stays_at_its_newest_line_at_any_size_until_somebody_scrolls_away(app: TrainApp) -> None:
    app.history.extend(recorded(100))
    app.history.extend([Notice(level="info", text=f"notice {number}") for number in range(40)])
    async with app.run_test(size=(200, 60)) as pilot:
        await shown(app, pilot)
        for number, size in enumerate([(120, 40), (80, 24), (120, 30), (200, 60), (120, 40)], 40):
            await pilot.resize_terminal(*size)
            await pilot.pause()
            app.history.extend([Notice(level="info", text=f"notice {number}")])
            assert f"notice {number}" in await shown(app, pilot), f"at {size}"
        app.view.go_to(app.view.log_pane)
        await pilot.press("g")
        app.history.extend([Notice(level="warning", text="the disk is nearly full")])
        await shown(app, pilot)
        await until(pilot, lambda: "checkpoint 0, untrained" in screen_text(app))
        assert "nearly full" not in screen_text(app)
        await pilot.press("G")
        app.history.extend([Notice(level="warning", text="the disk is full")])
        await shown(app, pilot)
        await until(pilot, lambda: "the disk is full" in screen_text(app))


async def test_a_pane_without_a_place_is_reached_by_its_letter(app: TrainApp) -> None:
    app.history.extend(recorded(100))
    async with app.run_test(size=(80, 24)) as pilot:
        await shown(app, pilot)
        _, log = panes.jumps(app.view)["l"]
        app.view.go_to(log)
        await pilot.pause()
        assert "checkpoint 0, untrained" in screen_text(app)
        assert log.has_focus


async def test_the_log_is_filtered_by_words(app: TrainApp) -> None:
    app.history.extend([*recorded(100), Notice(level="warning", text="the disk is nearly full")])
    async with app.run_test(size=(120, 40)) as pilot:
        await shown(app, pilot)
        await pilot.press("slash", *"disk")
        await pilot.pause()
        assert isinstance(app.focused, Input)
        assert "nearly full" in app.view.log_pane.copied
        assert "checkpoint" not in app.view.log_pane.copied
        await pilot.press("enter")
        assert app.focused is app.view.log_pane
        assert app.view.leave()
        assert "checkpoint" in app.view.log_pane.copied


async def test_the_crosshair_reads_out_and_moves(app: TrainApp) -> None:
    app.history.extend(recorded(100))
    async with app.run_test(size=(120, 40)) as pilot:
        await shown(app, pilot)
        await pilot.press("x")
        assert app.view.chart.crosshair == 100
        await pilot.press("left")
        at = app.view.chart.crosshair
        assert at is not None
        assert at < 100
        await pilot.press("H")
        further = app.view.chart.crosshair
        assert further is not None
        assert further < at
        await pilot.press("x")
        assert app.view.chart.crosshair is None


async def test_a_finished_run_says_how_long_it_took(app: TrainApp) -> None:
    app.history.extend(recorded(600, end=True))
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await shown(app, pilot)
        assert "600/600" in screen
        assert "0:15 took" in screen
        assert "finished at step 600" in screen


async def test_a_log_of_another_version_is_shown_as_far_as_it_can_be(app: TrainApp) -> None:
    events = recorded(100)
    events[0] = events[0].model_copy(update={"config": {"model": {"n_wings": 2}}})
    app.history.extend(events)
    async with app.run_test(size=(160, 50)) as pilot:
        screen = await shown(app, pilot)
        assert "counsel of the world" in screen
        assert "loss 2.6" in screen


async def test_a_fork_shows_what_its_parent_had_learned(app: TrainApp, tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "runs")
    put(shelf, "older", 200, minute=1)
    with shelf.create(build({}), "newer", record(recorded(0)[0]), "quick") as writer:  # type: ignore[arg-type]
        for event in recorded(300):
            if isinstance(event, Started):
                parent = Parent(run="older", step=200)
                writer.append(event.model_copy(update={"created": "2026-11-20T15:00:00Z", "parent": parent}))
            elif event.step > 200 or (event.step == 200 and not isinstance(event, Step)):
                writer.append(event)
    async with app.run_test(size=(120, 40)) as pilot:
        watched = Opened(writer.run)
        watched.read()
        app.view.follow(watched)
        assert len(app.view.chart.train) == 100
        await until(pilot, lambda: len(app.view.chart.train) == 300)
        app.view.chart.point_at(200)
        await until(pilot, lambda: "forked from older at step 200" in screen_text(app))
        assert str(app.view.untrained.border_title) == "untrained · step 0 · val 4.250"
        assert "IyiwHhu" in screen_text(app)
        assert str(app.view.trained.border_title).startswith("trained · step 300")
        other = Opened(shelf.find("older")[0])
        other.read()
        app.view.follow(other)
        assert len(app.view.chart.train) == 200
