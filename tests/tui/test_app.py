"""The playground as a person meets it: keys, overlays, real training in its session, and what it keeps."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from playing import footer, press, said, until, word
from recording import recorded, screen_text
from textual.widgets import Input

from gpt_tui.core.runs import Run, RunRecord, Shelf
from gpt_tui.tui import dataset_note, preferences
from gpt_tui.tui.app import Playground
from gpt_tui.tui.overlays import Help, Palette
from gpt_tui.tui.request import PlaygroundRequest
from gpt_tui.tui.stage import VIEWS


async def test_a_run_from_first_frame_to_leaving(request_for: Callable[..., PlaygroundRequest]) -> None:
    app = Playground(request_for())
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        assert "READY" in screen_text(app)
        assert "space start" in footer(app)

        await press(pilot, "space")
        await until(pilot, lambda: word(app) == "TRAINING" and app.watched.history.step > 60)
        assert "space pause" in footer(app)
        await until(pilot, lambda: "trained · step" in screen_text(app))

        await press(pilot, "space")
        await until(pilot, lambda: word(app) == "PAUSED" and "space resume" in footer(app))
        step = app.session.snapshot.step
        await press(pilot, "full_stop")
        await until(pilot, lambda: app.watched.history.step == step + 1)

        await press(pilot, "colon", *"learning_rate 0.002", "enter")
        await until(pilot, lambda: app.watched.history.edits)
        assert app.watched.history.edits[0].changes == {"learning_rate": (0.012, 0.002)}

        await press(pilot, "space")
        await until(pilot, lambda: app.watched.history.step > step + 1)
        await press(pilot, "w")
        await until(pilot, lambda: any(c.reason == "asked" for c in app.watched.history.checkpoints))
        await press(pilot, "s")
        await until(pilot, lambda: word(app) == "STOPPED" and app.watched.history.end is not None)
        stopped_at = app.watched.history.step
        await until(pilot, lambda: "space resume" in footer(app))

        await press(pilot, "space")
        await until(pilot, lambda: word(app) == "TRAINING" and app.watched.history.step > stopped_at)
        await press(pilot, "q")
        await until(pilot, lambda: not app.is_running)
    assert app.status == 0
    (run,) = Shelf(app.request.runs_dir).runs()
    assert run.state() == "stopped"
    history = run.history()
    assert history.steps.tolist() == list(range(1, history.step + 1)), "no step is missing, none is there twice"
    assert run.checkpoints()[-1].step == history.step


async def test_a_finished_run_can_go_on_longer_or_be_followed_by_a_new_one(
    request_for: Callable[..., PlaygroundRequest],
) -> None:
    app = Playground(request_for({"max_iters": 20}))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("space")
        await until(pilot, lambda: word(app) == "FINISHED")
        await until(pilot, lambda: "space new run" in footer(app))
        await pilot.press("N")
        await until(pilot, lambda: len(Shelf(app.request.runs_dir).runs()) == 2 and word(app) == "FINISHED")
        await until(pilot, lambda: len(app.watched.history.steps) == 20)


async def test_a_refused_start_is_told_in_words_and_the_program_lives_on(
    request_for: Callable[..., PlaygroundRequest],
) -> None:
    app = Playground(request_for({"dataset": "/no/such/file.txt"}))
    async with app.run_test(size=(80, 24)) as pilot:
        app.conductor.start_from_form()
        await until(pilot, lambda: "cannot start" in screen_text(app))
        assert "/no/such/file.txt" in screen_text(app)
        assert "Traceback" not in screen_text(app)
        assert word(app) == "READY"
        assert not app.request.runs_dir.exists() or not list(app.request.runs_dir.iterdir())


async def test_the_last_line_of_setup_leads_with_the_keys_of_the_form(
    request_for: Callable[..., PlaygroundRequest],
) -> None:
    app = Playground(request_for())
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "2")
        await until(pilot, lambda: footer(app).startswith(" enter edit   ←→ change   space start   y copy   "))
        await press(pilot, "j", "j", "l")
        await until(pilot, lambda: footer(app).startswith(" enter edit   ←→ change   space start   u undo   "))
        await press(pilot, "1", "space")
        await until(pilot, lambda: word(app) == "TRAINING")
        await press(pilot, "2")
        await until(pilot, lambda: footer(app).startswith(" enter edit   ←→ change   space pause   "))
        assert footer(app).endswith(": palette   q quit   ? help")
        await press(pilot, "q")
        await until(pilot, lambda: not app.is_running)


async def test_what_only_making_ready_can_tell_is_said_at_its_field_until_that_is_changed(
    request_for: Callable[..., PlaygroundRequest], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dataset_note, "WHOLE_BYTES", 0)  # a text too large to be read for the form
    app = Playground(request_for({"prompt": 'a"b'}))
    async with app.run_test(size=(120, 40)) as pilot:
        await press(pilot, "N")
        await until(pilot, lambda: "cannot start" in screen_text(app))
        await press(pilot, "2", "x")
        await until(pilot, lambda: '✕ the character " (U+0022' in screen_text(app))
        assert "1 wrong · x goes there" in screen_text(app)
        await press(pilot, "enter", "ctrl+u", *"ab", "enter")
        await until(pilot, lambda: "✕" not in screen_text(app))
        await press(pilot, "u")
        await until(pilot, lambda: '✕ the character " (U+0022' in screen_text(app))


async def test_a_bad_value_in_the_palette_is_refused_in_words(request_for: Callable[..., PlaygroundRequest]) -> None:
    app = Playground(request_for())
    async with app.run_test(size=(120, 40)) as pilot:
        await press(pilot, "space")
        await until(pilot, lambda: word(app) == "TRAINING")
        await press(pilot, "colon", *"learning_rate -1")
        await until(pilot, lambda: "learning_rate cannot be -1" in screen_text(app))
        await press(pilot, "escape")
        app.conductor.edit("learning_rate", "-1")
        await until(pilot, lambda: any(n.level == "error" for n in app.watched.history.notices))
        await until(pilot, lambda: "learning_rate" in said(app))
        await press(pilot, "q")
        await until(pilot, lambda: not app.is_running)


async def test_no_key_does_nothing_without_saying_so(request_for: Callable[..., PlaygroundRequest]) -> None:
    app = Playground(request_for())
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        for key, answer in (
            ("full_stop", "while a run is paused"),
            ("s", "Nothing is running"),
            ("w", "while a run is at work"),
            ("f", "there is none yet"),
            ("less_than_sign", "Nothing beside each other"),
            ("J", "J does nothing here"),
            ("f5", "F5 does nothing here"),
            ("pagedown", "pgdn does nothing here"),
            ("ctrl+x", "ctrl+x does nothing here"),
            ("escape", "Nothing to leave"),
            ("semicolon", "one pane"),
            ("ctrl+c", "q saves"),
        ):
            await pilot.press(key)
            await pilot.pause()
            assert answer in said(app), key


async def test_help_shows_the_keys_of_what_has_the_focus_and_the_same_key_closes_it(
    request_for: Callable[..., PlaygroundRequest],
) -> None:
    app = Playground(request_for(open=None))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("question_mark")
        await pilot.pause()
        assert isinstance(app.screen, Help)
        assert "help: ready" in screen_text(app)
        assert "What space would start" in screen_text(app), "what has the focus is explained first"
        assert "Scroll down" in screen_text(app), "its keys come before the program's"
        await pilot.press("G")
        await pilot.pause()
        assert "Save, restore the terminal, leave" in screen_text(app)
        await pilot.press("question_mark")
        await pilot.pause()
        assert not isinstance(app.screen, Help)
        await pilot.press("f1")
        await pilot.pause()
        assert isinstance(app.screen, Help)
        await pilot.press("f1")
        await pilot.pause()
        assert not isinstance(app.screen, Help)


async def test_the_palette_holds_every_action_with_its_key_and_does_it(
    request_for: Callable[..., PlaygroundRequest],
) -> None:
    app = Playground(request_for())
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("colon")
        await pilot.pause()
        assert isinstance(app.screen, Palette)
        found = {command.label: command.key for command in app.screen._found}
        assert found["start"] == "space"
        assert found["quit"] == "q"
        assert found["crosshair"] == "x"
        await pilot.press(*"theme gpt-tui-light", "enter")
        await pilot.pause()
        assert app.theme == "gpt-tui-light"
        await pilot.press("ctrl+p", *"density", "enter")
        await pilot.pause()
        assert app.screen.has_class("-compact")


async def test_in_a_field_the_last_line_says_how_it_is_left(request_for: Callable[..., PlaygroundRequest]) -> None:
    app = Playground(request_for())
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("2")
        await until(pilot, lambda: "enter edit" in footer(app))
        await pilot.press("slash")
        await until(
            pilot, lambda: footer(app).split() == ["enter", "takes", "it", "esc", "leaves", "it", "as", "it", "was"]
        )
        await pilot.press("escape")
        await until(pilot, lambda: "enter edit" in footer(app))


async def test_views_change_by_number_and_bracket(request_for: Callable[..., PlaygroundRequest]) -> None:
    app = Playground(request_for())
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("2")
        await pilot.pause()
        assert app.stage.name_in_sight == "setup"
        assert "n_embd" in screen_text(app)
        await pilot.press("1")
        await pilot.pause()
        assert app.stage.name_in_sight == "train"
        for view in ("setup", "samples", "generate", "runs", "train"):
            await pilot.press("right_square_bracket")
            assert app.stage.name_in_sight == view
        for view in ("runs", "generate"):
            await pilot.press("left_square_bracket")
            assert app.stage.name_in_sight == view
        for number, view in enumerate(("train", "setup", "samples", "generate", "runs"), 1):
            await pilot.press(str(number))
            assert app.stage.name_in_sight == view


async def test_the_last_line_follows_the_focus_at_once(request_for: Callable[..., PlaygroundRequest]) -> None:
    app = Playground(request_for())
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("2", "1")  # both are there now
        await pilot.pause()
        app._show_all = lambda: None  # the clock's part
        await pilot.press("2")
        await pilot.pause()
        assert "enter edit" in footer(app)
        await pilot.press("4")
        await pilot.pause()
        assert "enter prompt" in footer(app)


@pytest.mark.parametrize("size", [(59, 24), (80, 15), (20, 5)])
async def test_a_terminal_that_is_too_small_is_told_so(
    request_for: Callable[..., PlaygroundRequest], size: tuple[int, int]
) -> None:
    app = Playground(request_for())
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        words = " ".join(screen_text(app).split())
        assert "60×16" in words
        assert "READY" not in words
        await pilot.resize_terminal(60, 16)
        await pilot.pause()
        await pilot.pause()
        assert "READY" in screen_text(app)


async def test_in_a_terminal_that_is_too_small_no_key_acts_unseen_and_a_field_waits_as_it_was(
    request_for: Callable[..., PlaygroundRequest],
) -> None:
    app = Playground(request_for())
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("2", "slash", *"n_layer", "enter", "enter", "end", "backspace", "1")
        field = app.focused
        assert isinstance(field, Input)
        assert field.value == "1"
        await pilot.resize_terminal(40, 10)
        await until(pilot, lambda: "needs at least" in screen_text(app))
        await pilot.press("3", "space")
        assert app.stage.name_in_sight == "setup"
        assert app.session is None
        await pilot.resize_terminal(80, 24)
        await until(pilot, lambda: app.focused is field)
        await pilot.press("2")
        assert field.value == "12"
        await pilot.resize_terminal(40, 10)
        await until(pilot, lambda: "needs at least" in screen_text(app))
        await pilot.press("q")
        await pilot.pause()
        assert not app.is_running


async def test_view_theme_density_and_smoothing_survive_a_restart(
    request_for: Callable[..., PlaygroundRequest], state_dir: Path
) -> None:
    app = Playground(request_for())
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("t", "Z", "a", "2")
        await pilot.pause()
        theme, smoothing = app.theme, app.stage.train.chart.smoothing
        await pilot.press("q")
    kept = preferences.load(state_dir)
    assert (kept.view, kept.theme, kept.compact, kept.smoothing) == ("setup", theme, True, smoothing)
    again = Playground(request_for())
    async with again.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        await pilot.pause()
        assert (again.theme, again.stage.name_in_sight, again.stage.train.chart.smoothing) == (
            theme,
            "setup",
            smoothing,
        )
        assert again.screen.has_class("-compact")


async def test_the_form_has_the_keys_when_it_is_come_back_to_after_a_scroll(
    request_for: Callable[..., PlaygroundRequest],
) -> None:
    app = Playground(request_for())
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("2", "1")
        await until(pilot, lambda: app.focused is app.stage.train.ready_pane)
        app.screen._refresh_layout(scroll=True)  # then Textual computes places anew for who asks, and sends no Show
        app.action_view("setup")
        assert not app.stage.train.region
        await until(pilot, lambda: app.stage.setup is not None and app.focused is app.stage.setup.pane)
        await pilot.press("right")
        await until(pilot, lambda: "setup · sprint" in screen_text(app))


@pytest.mark.parametrize("view", ["1", "2"])
async def test_what_had_the_keys_has_them_again_after_the_window_was_too_small(
    request_for: Callable[..., PlaygroundRequest], view: str
) -> None:
    app = Playground(request_for())
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press(view)
        await until(pilot, lambda: app.focused is not None and app.focused in app.stage.in_sight.walk_children())
        await pilot.pause(0.3)  # a view that is still being made ready may give the keys to another part of it
        before = app.focused
        await pilot.resize_terminal(50, 12)
        await until(pilot, lambda: "needs at least" in screen_text(app))
        assert app.focused is None
        await pilot.resize_terminal(80, 24)
        await until(pilot, lambda: app.focused is before)


async def test_what_stands_beside_the_form_is_named_in_the_footer_jumped_to_copied_and_kept(
    request_for: Callable[..., PlaygroundRequest], state_dir: Path
) -> None:
    app = Playground(request_for())
    async with app.run_test(size=(96, 24)) as pilot:
        await pilot.press("2")
        await until(pilot, lambda: "v shapes" in footer(app))
        await pilot.press("v")
        await until(pilot, lambda: "(4,8,16)" in screen_text(app))
        assert "v architecture" in footer(app)
        await pilot.press("y")
        assert app.clipboard.startswith("gpt-tui --headless")
        await pilot.press("semicolon", "s")
        await until(pilot, lambda: app.focused is app.stage.setup.beside.shapes_pane)  # type: ignore[union-attr]
        await pilot.press("y")
        assert "(4,8,16)" in app.clipboard
        await pilot.press("z")
        await until(pilot, lambda: "ReLU²" in screen_text(app))
        await pilot.press("G")
        await until(pilot, lambda: "blocks: n_layer" in screen_text(app))
        await pilot.press("escape", "semicolon", "a")
        await until(pilot, lambda: "│ token embedding" in screen_text(app))
        await pilot.press("1", "2")
        await until(pilot, lambda: "│ token embedding" in screen_text(app))
        await pilot.press("q")
    assert preferences.load(state_dir).beside == "architecture"
    again = Playground(request_for())
    async with again.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "│ token embedding" in screen_text(again))


@pytest.mark.parametrize("content", ["", "{", "[1]", '{"theme": 5, "view": "nowhere", "smoothing": 7.5}', "\x00\xff"])
async def test_a_broken_preferences_file_is_ignored(
    request_for: Callable[..., PlaygroundRequest], state_dir: Path, content: str
) -> None:
    (state_dir / "playground.json").write_text(content, encoding="latin-1")
    app = Playground(request_for())
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        assert "READY" in screen_text(app)


@pytest.fixture
def recorded_run(request_for: Callable[..., PlaygroundRequest]) -> tuple[PlaygroundRequest, Path]:
    """A run's directory on the shelf, with a recorded log of 120 steps that has no end."""
    request = request_for(open="old")
    config = request.resolved.config
    events = recorded(120)
    record = RunRecord(
        versions={}, platform="", cpu="", device="cpu", dtype="float32", threads=1, dataset=events[0].dataset,
        source="", tokenizer={}, parameters=607_000, ladder={}, passage="", created="2026-11-20T14:25:01Z",
    )  # fmt: skip
    with Shelf(request.runs_dir).create(config, "old", record) as writer:
        for event in events:
            writer.append(event)
    return request, request.runs_dir / "old" / "events.jsonl"


async def test_a_run_of_another_process_is_followed_as_it_grows_without_torch(
    recorded_run: tuple[PlaygroundRequest, Path],
) -> None:
    request, log = recorded_run
    app = Playground(request)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: "120/600" in screen_text(app))
        assert word(app) == "INTERRUPTED"
        assert "took" in screen_text(app), "nobody works on it, so no time is left"
        with log.open("a", encoding="utf-8") as file:
            for event in recorded(150)[len(recorded(120)) :]:
                file.write(event.to_json() + "\n")
        await until(pilot, lambda: "150/600" in screen_text(app))
        await pilot.press("question_mark")
        await pilot.pause()
        assert "Move the crosshair" in screen_text(app), "the chart has the focus"


async def test_a_run_that_is_not_there_is_refused_in_words(request_for: Callable[..., PlaygroundRequest]) -> None:
    app = Playground(request_for(open="nowhere"))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "nowhere" in screen_text(app))
        assert word(app) == "READY"
        assert said(app) == ""  # once is enough


async def test_a_run_that_is_trained_elsewhere_offers_no_key_that_cannot_work(
    recorded_run: tuple[PlaygroundRequest, Path],
) -> None:
    request, log = recorded_run
    with Shelf(request.runs_dir).reopen(Run.open(log.parent)):
        app = Playground(request)
        async with app.run_test(size=(120, 40)) as pilot:
            await until(pilot, lambda: word(app) == "TRAINING")
            await until(pilot, lambda: "crosshair" in footer(app))
            assert "space" not in footer(app)
            await pilot.press("space")
            assert "another process" in said(app)


async def test_every_pane_that_can_be_jumped_to_is_named_on_80_columns(
    recorded_run: tuple[PlaygroundRequest, Path],
) -> None:
    app = Playground(recorded_run[0])
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "120/600" in screen_text(app))
        await pilot.press("semicolon")
        await pilot.pause()
        assert all(name in screen_text(app) for name in ("c loss", "k checkpoints", "l log", "esc stay"))


async def test_the_palette_leads_to_a_field_by_a_part_of_its_name(
    request_for: Callable[..., PlaygroundRequest],
) -> None:
    app = Playground(request_for())
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "colon", *"warmup", "enter")
        await until(pilot, lambda: app.stage.name_in_sight == "setup" and "▸warmup_iters" in screen_text(app))


async def test_the_palette_sets_a_field_of_the_form_as_though_it_were_typed_there(
    request_for: Callable[..., PlaygroundRequest],
) -> None:
    app = Playground(request_for())
    async with app.run_test(size=(80, 24)) as pilot:
        before = app.request.resolved.config.get("n_embd")
        await press(pilot, "colon", *"grad_clip off", "enter")
        await until(pilot, lambda: app.stage.name_in_sight == "setup" and "▸grad_clip" in screen_text(app))
        assert app.stage.form.get("grad_clip") == "off"
        await press(pilot, "colon", *"n_embd 7", "enter")
        await until(pilot, lambda: "▸n_embd" in screen_text(app) and "✕ must be divisible" in screen_text(app))
        await press(pilot, "u")
        await until(pilot, lambda: app.stage.form is not None and app.stage.form.get("n_embd") == before)
        assert "✕" not in screen_text(app)


async def test_the_palette_sets_what_needs_a_new_run_apart_and_says_how_to_start_it(
    request_for: Callable[..., PlaygroundRequest],
) -> None:
    app = Playground(request_for({"n_layer": 1}))
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "space")
        await until(pilot, lambda: word(app) == "TRAINING")
        await press(pilot, "colon", *"n_layer 2", "enter")
        await until(pilot, lambda: "n_layer needs a new run: N starts one" in said(app))
        await until(pilot, lambda: "● run has 1" in screen_text(app) and "1 field for the next run" in screen_text(app))
        await press(pilot, "q")
        await until(pilot, lambda: not app.is_running)


async def test_the_palette_offers_the_nearest_names_and_does_none_of_them_unasked(
    request_for: Callable[..., PlaygroundRequest],
) -> None:
    app = Playground(request_for())
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "colon", *"learnig")
        await until(pilot, lambda: "goes to the nearest" in screen_text(app))
        assert "learning_rate" in screen_text(app)
        await press(pilot, "enter")
        assert isinstance(app.screen, Palette)
        await press(pilot, "down", "enter")
        await until(pilot, lambda: "▸learning_rate" in screen_text(app))


async def test_copying_gives_the_text_of_the_focused_pane(recorded_run: tuple[PlaygroundRequest, Path]) -> None:
    app = Playground(recorded_run[0])
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: "120/600" in screen_text(app))
        await pilot.press("semicolon", "t")
        await pilot.pause()
        assert app.focused is app.stage.train.trained
        await pilot.press("y")
        await pilot.pause()
        assert app.clipboard.startswith("ROMEO:\nWhat, in the counsel")
        assert "copied: trained" in said(app)


async def test_before_a_run_copying_gives_the_command_that_does_the_same(
    request_for: Callable[..., PlaygroundRequest],
) -> None:
    app = Playground(request_for())
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: app.stage.setup is not None)
        await pilot.press("y")
        await pilot.pause()
        assert app.clipboard.startswith("gpt-tui --headless --preset quick")
        assert "--n-layer 1" in app.clipboard


async def test_a_stopped_run_that_was_opened_is_resumed_by_space(
    request_for: Callable[..., PlaygroundRequest],
) -> None:
    first = Playground(request_for({"max_iters": 100}, run_name="kept"))
    async with first.run_test(size=(80, 24)) as pilot:
        await press(pilot, "space")
        await until(pilot, lambda: word(first) == "TRAINING")
        await press(pilot, "s")
        await until(pilot, lambda: word(first) == "STOPPED")
    app = Playground(request_for(open="kept"))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: word(app) == "STOPPED" and "space resume" in footer(app))
        await press(pilot, "space")
        await until(pilot, lambda: word(app) == "FINISHED" and app.watched.history.step == 100)
        assert app.watched.history.steps.tolist() == list(range(1, 101))


async def test_a_diverging_run_is_told_with_a_way_on(request_for: Callable[..., PlaygroundRequest]) -> None:
    app = Playground(
        request_for(
            {
                "optimizer": "adamw",
                "learning_rate": 100,
                "warmup_iters": 0,
                "norm": "none",
                "qk_norm": False,
                "zero_init": False,
                "grad_clip": "off",
            }
        )
    )
    async with app.run_test(size=(120, 40)) as pilot:
        await press(pilot, "space")
        await until(pilot, lambda: word(app) == "FAILED")
        await until(pilot, lambda: "checkpoint 0 at learning_rate 0.001, grad_clip 1.0" in screen_text(app))
        assert "✕ FAILED" in screen_text(app)
        assert "diverged" in screen_text(app)
        assert "Traceback" not in screen_text(app)
        assert footer(app).split()[:2] == ["f", "fork"]
        await press(pilot, "space")
        await until(pilot, lambda: "The run before diverged with this: learning_rate 100" in said(app))
        assert "grad_clip off. Advised was learning_rate 0.001, grad_clip 1.0" in said(app)


async def test_views_are_made_once_nobody_types(
    request_for: Callable[..., PlaygroundRequest], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Going to one for the first time is as quick as coming back to it then; and nothing is seen of it before."""
    monkeypatch.setattr("gpt_tui.tui.app.UNTOUCHED_SECONDS", 0.1)
    app = Playground(request_for())
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: app.stage.setup is not None)
        for _ in range(5):
            await pilot.pause(0.1)
        assert set(app.stage.views) == {"train", "setup"}, "somebody types"
        before = screen_text(app)
        monkeypatch.setattr(Playground, "untouched", 1.0)
        await until(pilot, lambda: set(app.stage.views) == set(VIEWS))
        await pilot.pause()
        assert screen_text(app) == before
        assert app.focused is app.stage.train.ready_pane
        for key, name in zip("23451", [*list(VIEWS)[1:], "train"], strict=True):
            view = app.stage.views[name]
            await press(pilot, key)
            await until(pilot, lambda view=view: app.stage.in_sight is view and view.has_focus_within)


async def test_ascii_draws_no_other_character(recorded_run: tuple[PlaygroundRequest, Path]) -> None:
    import dataclasses

    app = Playground(dataclasses.replace(recorded_run[0], ascii=True))
    async with app.run_test(size=(160, 50)) as pilot:
        await until(pilot, lambda: "120/600" in screen_text(app))
        await pilot.press("question_mark")
        await pilot.pause()
        filters = app.get_line_filters()
        drawn = app.screen._compositor.render_strips()
        plain = "".join(
            s.text for strip in drawn for s in strip.apply_filter(filters[-1], app.screen.styles.background)
        )
        assert [c for c in plain if not c.isascii()] == []
        assert "help: loss" in plain


def test_the_first_frame_is_painted_before_torch_is_imported(
    request_for: Callable[..., PlaygroundRequest], tmp_path: Path
) -> None:
    code = (
        "import asyncio, sys\nfrom pathlib import Path\nfrom gpt_tui.core.config import resolve\n"
        "from gpt_tui.tui.request import PlaygroundRequest\nassert 'textual' not in sys.modules\n"
        "from gpt_tui.tui import app as playground\n"
        "playground.UNTOUCHED_SECONDS = 0.1\n"
        "async def main():\n"
        "    app = playground.Playground(PlaygroundRequest(resolve([]), Path(sys.argv[1])))\n"
        "    async with app.run_test(size=(80, 24)) as pilot:\n"
        "        while len(app.stage.views) < 5:\n"
        "            await pilot.pause(0.1)\n"
        "        await pilot.press('2')\n"
        "        await pilot.pause(0.3)\n"
        "        print('torch' in sys.modules)\n"
        "asyncio.run(main())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "runs")], capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "False", done.stderr
