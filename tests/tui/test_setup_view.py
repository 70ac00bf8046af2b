"""The Setup view in a running app: moving, editing, what it says, a run beside it, the mouse, every size."""

from __future__ import annotations

import asyncio
import re
import shlex
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from setup_app import SIZES, TEXT, SetupApp, go, opened, own_text, settled, started, until
from textual.color import Color
from textual.pilot import Pilot

from gpt_tui.core.config import FIELDS, Layer, RunConfig, resolve
from gpt_tui.core.data import CharTokenizer
from gpt_tui.core.events import Edit, Notice
from gpt_tui.core.presets import PRESETS
from gpt_tui.core.runs import History
from gpt_tui.core.session import Snapshot
from gpt_tui.tui.views.dataset_screen import DatasetScreen
from gpt_tui.tui.widgets import field_help
from gpt_tui.tui.widgets.field_help import height_of

LAYERS, STEPS = RunConfig().model.n_layer, RunConfig().training.max_iters


class TestReading:
    @pytest.mark.soak
    async def test_every_field_can_be_reached_and_is_shown_whole(self) -> None:
        async with opened((80, 24)) as (app, pilot):
            seen = []
            for _ in range(len(FIELDS) + 1):
                await settled(pilot)
                name = app.at
                seen.append(name)
                line = app.row(name)
                if name in FIELDS:
                    spec = FIELDS[name]
                    assert spec.show(app.setup.form.values[name]) in line
                    assert ("live" if spec.live else "new run") in line or spec.section == "data"
                app.setup.action_cursor(1)
            assert seen == ["preset", "dataset", "tokenizer", *(n for n, s in FIELDS.items() if s.section != "data")]

    @pytest.mark.soak
    async def test_every_field_is_explained_without_anything_cut_off_at_any_size(self) -> None:
        async with opened((80, 24)) as (app, pilot):
            setup = app.setup
            help_pane, cost_pane = setup.beside.help_pane, setup.beside.cost_pane
            for size in [*SIZES, (60, 16), (100, 24), (100, 40), (150, 24)]:
                await pilot.resize_terminal(*size)
                await settled(pilot)
                await until(pilot, lambda: help_pane.max_scroll_y == cost_pane.max_scroll_y == 0)
                room = help_pane.scrollable_content_region
                seen = set()
                for preset in PRESETS:
                    setup.form.choose_preset(preset)
                    idle = setup.form.idle()
                    for name, spec in FIELDS.items():
                        if (said := (name, setup.form.values[name], idle.get(name))) in seen:
                            continue
                        seen.add(said)
                        content = setup.beside.help_of(name)
                        assert height_of(content, room.width) <= room.height, (size, preset, name)
                        words = " ".join(content.plain.split())
                        why = spec.why if size[1] > 16 else ""
                        for told in (spec.help, why, spec.start.split()[0], spec.flag, idle.get(name, "")):
                            assert " ".join(told.split()) in words

    async def test_where_there_are_rows_enough_every_explanation_is_the_same_list(self, tmp_path: Path) -> None:
        async with opened((120, 40), own_text(tmp_path)) as (app, pilot):
            await until(pilot, lambda: app.setup.facts is not None)
            for name in [*list(FIELDS)[::6], "dataset", "lr_decay_iters"]:
                await go(pilot, app, name)
                told = app.setup.beside.help_of(name).plain.splitlines()
                places = [next(at for at, line in enumerate(told) if line.startswith(w)) for w in ("now ", "changes ")]
                assert places == sorted(places), name

    async def test_in_a_small_window_the_fields_have_half_of_the_height(self) -> None:
        async with opened((60, 16)) as (app, pilot):
            await go(pilot, app, "n_layer")
            assert app.setup.pane.region.height >= 8
            assert "parameters · " in app.lines[-2]
            assert " in all" in app.lines[-2]

    async def test_what_has_taken_the_place_of_the_cost_says_the_most_telling_of_it(self) -> None:
        async with opened((80, 24)) as (app, pilot):
            for _ in range(2):
                await pilot.press("v")
                await settled(pilot)
                assert re.search(r"parameters · [\d.]+ MB · [\d:]+─", app.text)

    @pytest.mark.parametrize("size", [(80, 24), (120, 40)])
    async def test_more_memory_than_the_machine_has_is_said(
        self, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(field_help, "main_memory", lambda: 24_000_000_000)
        async with opened(size) as (app, pilot):
            await settled(pilot)
            assert "this machine has" not in app.text
        large = resolve([Layer("test", {"batch_size": 1_000_000})])
        async with opened(size, large) as (app, pilot):
            await settled(pilot)
            assert "(this machine" in app.text
            assert "24.0 GB)" in app.text

    async def test_what_a_configuration_costs_follows_every_change(self) -> None:
        async with opened((120, 40), resolve([PRESETS["nanogpt-cpu"].layer()]), "nanogpt-cpu") as (app, pilot):
            assert "804,096" in app.text
            assert "as nanogpt-cpu" in app.text
            await go(pilot, app, "n_layer")
            await pilot.press("l")
            await settled(pilot)
            assert "804,096" not in app.text
            assert "1 changed" in app.text
            assert "n_layer  4 → 5" in app.text

    async def test_a_changed_field_says_what_it_was(self) -> None:
        async with opened() as (app, pilot):
            await go(pilot, app, "n_embd")
            await pilot.press("l")
            await settled(pilot)
            assert "160" in app.row("n_embd")
            assert "● was 128" in app.row("n_embd")
            assert "new run" in app.row("n_embd")

    async def test_what_is_wrong_stands_at_the_field_in_words(self) -> None:
        async with opened() as (app, pilot):
            await go(pilot, app, "n_head")
            await pilot.press("l")
            await settled(pilot)
            assert "✕ must be divisible by n_head = 5: 120 or 130 would be" in app.shown("n_embd")[1]
            assert app.setup.config is None
            assert [fault.field for fault in app.setup.faults] == ["n_embd"]
            assert "cannot start: n_embd" in app.text
            await pilot.press("G", "x")
            await settled(pilot)
            assert app.at == "n_embd"
            assert app.setup.reveal_fault()


class TestEditing:
    async def test_enter_opens_an_editor_and_applies_what_was_typed(self) -> None:
        async with opened() as (app, pilot):
            await go(pilot, app, "learning_rate")
            await pilot.press("enter")
            await settled(pilot)
            assert "enter applies" in app.text
            await pilot.press(*"1e-3", "enter")
            await settled(pilot)
            assert app.setup.config is not None
            assert app.setup.config.optimizer.learning_rate == 1e-3
            assert "● was 0.012" in app.row("learning_rate")
            assert app.focused is app.setup.pane

    async def test_esc_leaves_the_value_as_it_was(self) -> None:
        async with opened() as (app, pilot):
            await go(pilot, app, "n_layer")
            await pilot.press("enter", "9", "escape")
            await settled(pilot)
            assert app.setup.form.values["n_layer"] == LAYERS
            assert app.focused is app.setup.pane
            assert "enter applies" not in app.text

    async def test_bad_text_keeps_the_editor_open_with_the_reason(self) -> None:
        async with opened() as (app, pilot):
            await go(pilot, app, "n_layer")
            await pilot.press("enter", *"lots", "enter")
            await settled(pilot)
            assert "✕ must be a whole number from 1 to 1,024" in app.text
            assert app.setup.pane.rows["n_layer"].editor is not None
            await pilot.press("backspace")
            await settled(pilot)
            assert "✕" not in app.text
            await pilot.press("ctrl+u", "6", "enter")
            await settled(pilot)
            assert app.setup.form.values["n_layer"] == 6

    async def test_letters_go_to_the_editor_and_not_to_the_form(self) -> None:
        async with opened() as (app, pilot):
            await go(pilot, app, "prompt")
            await pilot.press("enter", *"jukeldgGxy", "/", "enter")
            await settled(pilot)
            assert app.setup.form.values["prompt"] == "jukeldgGxy/"
            assert app.at == "prompt"

    async def test_a_prompt_of_several_lines_is_edited_on_one(self) -> None:
        async with opened(resolved=resolve([Layer("flag", {"prompt": "ROMEO:\nO"})])) as (app, pilot):
            await go(pilot, app, "prompt")
            assert "ROMEO:⏎O" in app.row("prompt")
            await pilot.press("enter", "end", "!", "enter")
            await settled(pilot)
            assert app.setup.form.values["prompt"] == "ROMEO:\nO!"

    async def test_text_of_a_dataset_name_or_prompt_is_never_markup(self) -> None:
        text = "[bold red]x[/] [/nothing] \x1b[2J"
        async with opened((120, 40), resolve([Layer("flag", {"prompt": text})])) as (app, pilot):
            await go(pilot, app, "prompt")
            await settled(pilot)
            assert "[bold red]x[/]" in app.text
            assert "\x1b[2J" not in app.text
            await pilot.press("y")
            await settled(pilot)
            assert app.copied == [app.setup.command_line()]

    async def test_arrows_step_and_u_undoes_without_end(self) -> None:
        async with opened() as (app, pilot):
            await go(pilot, app, "n_layer")
            await pilot.press(*["l"] * 4, "left")
            assert app.setup.form.values["n_layer"] == LAYERS + 3
            await pilot.press(*["u"] * 5)
            assert app.setup.form.values["n_layer"] == LAYERS
            await pilot.press("u")
            await settled(pilot)
            assert app.setup.form.values["n_layer"] == LAYERS

    async def test_a_switch_turns_on_enter_and_a_choice_can_be_typed(self) -> None:
        async with opened() as (app, pilot):
            await go(pilot, app, "bias")
            await pilot.press("enter")
            assert app.setup.form.values["bias"] is True
            await go(pilot, app, "activation")
            await pilot.press("enter", *"gelu_t", "right", "enter")  # the right arrow takes the completion
            await settled(pilot)
            assert app.setup.form.values["activation"] == "gelu_tanh"

    async def test_the_preset_row_steps_through_the_presets_and_takes_a_name(self) -> None:
        async with opened() as (app, pilot):
            await pilot.press("g", "right")
            await settled(pilot)
            assert app.setup.preset == "sprint"
            assert app.setup.config == PRESETS["sprint"].config()
            await pilot.press("enter", *"lecture-colb", "enter")
            await settled(pilot)
            assert "did you mean lecture-colab?" in app.text
            await pilot.press("ctrl+u", *"lecture-colab", "enter")
            await settled(pilot)
            assert app.setup.preset == "lecture-colab"
            await pilot.press("u", "u")
            assert app.setup.preset == "quick"

    async def test_a_part_of_a_preset_s_name_is_enough_where_one_alone_has_it(self) -> None:
        async with opened() as (app, pilot):
            await pilot.press("g", "enter")
            await settled(pilot)
            assert all(name in app.text for name in PRESETS)
            await pilot.press("ctrl+u", *"12")
            await settled(pilot)
            assert "enter takes shakespeare-12x12" in app.text
            await pilot.press("enter")
            assert app.setup.preset == "shakespeare-12x12"
            await pilot.press("enter", "ctrl+u", *"gpt2", "enter")  # a whole name, though others begin so too
            assert app.setup.preset == "gpt2"
            await settled(pilot)
            assert "124,439,808 parameters with its own vocabulary of 50,257" in " ".join(app.text.split())


class TestFilter:
    async def test_only_rows_with_those_letters_stay_until_esc(self) -> None:
        async with opened() as (app, pilot):
            await pilot.press("slash", *"lr")
            await settled(pilot)
            assert app.setup.pane.shown == ["min_lr", "lr_schedule", "lr_decay_iters", "muon_lr"]
            assert "4 of" in app.text
            await pilot.press("enter", "j")
            await settled(pilot)
            assert app.at == "lr_schedule"
            await pilot.press("escape")
            await settled(pilot)
            assert len(app.setup.pane.shown) == len(FIELDS) + 1
            assert app.at == "lr_schedule"
            assert app.row("lr_schedule")

    async def test_words_that_no_row_has_leave_an_empty_form_that_still_works(self) -> None:
        async with opened() as (app, pilot):
            await pilot.press("slash", *"zzz", "enter", "j", "l", "G", "x", "u", "enter", "escape")
            await settled(pilot)
            assert len(app.setup.pane.shown) == len(FIELDS) + 1

    async def test_esc_in_the_filter_shows_everything_again(self) -> None:
        async with opened() as (app, pilot):
            await pilot.press("slash", *"lr", "escape")
            await settled(pilot)
            assert len(app.setup.pane.shown) == len(FIELDS) + 1
            assert app.focused is app.setup.pane
            assert not app.setup.has_class("-filtering")


class TestDataset:
    async def test_what_is_known_of_a_text_stands_in_its_row(self, tmp_path: Path) -> None:
        async with opened((120, 40), own_text(tmp_path)) as (app, pilot):
            await until(pilot, lambda: app.setup.facts is not None)
            await settled(pilot)
            assert f"{len(TEXT):,} characters" in app.text
            assert f"{len(set(TEXT))} distinct" in app.row("dataset")
            assert "epochs of mine.txt" in app.text

    async def test_a_path_that_is_not_there_is_said_at_the_field(self) -> None:
        async with opened(resolved=resolve([Layer("flag", {"dataset": "/nowhere/x.txt"})])) as (app, pilot):
            await until(pilot, lambda: bool(app.setup.faults))
            await settled(pilot)
            assert [fault.field for fault in app.setup.faults] == ["dataset"]
            assert "✕" in app.shown("dataset")[1]
            assert app.setup.config is None

    async def test_a_text_too_short_for_the_context_is_said_at_block_size(self, tmp_path: Path) -> None:
        async with opened(resolved=own_text(tmp_path, TEXT[:300])) as (app, pilot):
            await until(pilot, lambda: bool(app.setup.faults))
            assert [fault.field for fault in app.setup.faults] == ["block_size"]

    async def test_a_prompt_that_the_dataset_cannot_write_is_said_at_the_field(self, tmp_path: Path) -> None:
        async with opened(resolved=own_text(tmp_path)) as (app, pilot):
            await until(pilot, lambda: app.setup.facts is not None)
            await go(pilot, app, "prompt")
            await pilot.press("enter", *'to"be%', "enter")
            await settled(pilot)
            said = " ".join(" ".join(app.shown("prompt")[1:]).split())
            assert '✕ the character " (U+0022, quotation mark) at position 2 is not among' in said
            assert "Nor is % (position 5)" in said
            assert "1 wrong · x goes there" in app.text
            assert "● was empty" in app.row("prompt")
            assert app.setup.config is None
            await pilot.press("enter", "ctrl+u", *"to be", "enter")
            await settled(pilot)
            assert "✕" not in app.text
            assert app.setup.config is not None

    async def test_standard_input_is_no_dataset_for_a_playground(self) -> None:
        async with opened() as (app, pilot):
            await go(pilot, app, "dataset")
            await pilot.press("enter", "-", "enter")
            await until(pilot, lambda: bool(app.setup.faults))
            assert "--headless" in app.setup.faults[0].message
            await pilot.press("d")
            await settled(pilot)
            assert not isinstance(app.screen, DatasetScreen)

    @pytest.mark.parametrize("size", [(80, 24), (120, 40)])
    async def test_d_shows_what_a_model_reads_of_it(self, tmp_path: Path, size: tuple[int, int]) -> None:
        async with opened(size, own_text(tmp_path)) as (app, pilot):
            await pilot.press("d")
            await until(pilot, lambda: isinstance(app.screen, DatasetScreen) and app.screen.explanation is not None)
            await settled(pilot)
            screen = app.screen
            assert isinstance(screen, DatasetScreen)
            for words in ("Vocabulary", "bigram", "To be, or not to be"):
                assert words in screen.pane.copied
            assert all(len(line) <= size[0] for line in screen.pane.copied.splitlines() if line.startswith(" "))
            await pilot.press("G")
            await settled(pilot)
            assert "6-gram" in app.text
            await pilot.press("escape")
            await settled(pilot)
            assert app.screen is not screen

    async def test_a_dataset_that_cannot_be_read_says_why_there(self) -> None:
        async with opened(resolved=resolve([Layer("flag", {"dataset": "/nowhere/x.txt"})])) as (app, pilot):
            await pilot.press("d")
            await until(pilot, lambda: "nor an existing path" in " ".join(app.text.split()))


class TestBesideARun:
    @asynccontextmanager
    async def running(
        self, size: tuple[int, int] = (80, 24)
    ) -> AsyncIterator[tuple[SetupApp, Pilot[None], History, Snapshot]]:
        async with opened(size) as (app, pilot):
            config = RunConfig().replace(n_layer=2)
            history = History()
            history.apply(started(config))
            snapshot = Snapshot(state="TRAINING", config=config, run_name="r1", tokens_per_second=10_000.0)
            app.setup.show_run(history, snapshot)
            await settled(pilot)
            yield app, pilot, history, snapshot

    async def test_the_form_shows_the_run(self) -> None:
        async with self.running() as (app, pilot, _, _):
            assert "beside r1" in app.text
            await go(pilot, app, "n_layer")
            assert " 2" in app.row("n_layer")
            assert "new run" in app.row("n_layer")

    async def test_a_live_field_is_asked_of_the_run_and_marked_until_it_has_changed(self) -> None:
        async with self.running() as (app, pilot, history, snapshot):
            await go(pilot, app, "learning_rate")
            await pilot.press("enter", *"0.01", "enter")
            await settled(pilot)
            assert app.edited == [("learning_rate", 0.01)]
            assert "applying" in app.row("learning_rate")
            history.apply(Edit(step=5, changes={"learning_rate": (0.012, 0.01)}))
            app.setup.show_run(history, replace(snapshot, step=5))
            await settled(pilot)
            assert "applying" not in app.text
            assert "0.01" in app.row("learning_rate")

    async def test_many_presses_are_one_edit(self) -> None:
        async with self.running() as (app, pilot, _, _):
            await go(pilot, app, "batch_size")
            await pilot.press("l", "l", "l")
            assert app.edited == []
            await until(pilot, lambda: bool(app.edited))
            assert app.edited == [("batch_size", 64)]

    async def test_stepping_away_and_back_asks_nothing(self) -> None:
        async with self.running() as (app, pilot, _, _):
            await go(pilot, app, "max_new_tokens")
            await pilot.press("l", "h")
            await until(pilot, lambda: not app.setup.form.asked)
            assert app.edited == []

    async def test_what_needs_a_new_run_is_set_apart_and_says_how_to_start_it(self) -> None:
        async with self.running() as (app, pilot, _, _):
            await go(pilot, app, "n_layer")
            await pilot.press("l")
            await settled(pilot)
            assert "● run has 2" in app.row("n_layer")
            assert "next run" in app.row("n_layer")
            assert "N starts it" in app.text
            assert app.edited == []
            assert app.setup.config is not None
            assert app.setup.config.model.n_layer == 3

    async def test_what_the_run_cannot_take_is_said_at_the_field(self) -> None:
        async with self.running() as (app, pilot, _, _):
            await go(pilot, app, "warmup_iters")
            await pilot.press("enter", *"1500", "enter")
            await settled(pilot)
            assert app.edited == []
            assert f"must not be more than max_iters = {STEPS}" in " ".join(app.text.split())
            await go(pilot, app, "max_iters")
            await pilot.press("l")
            await go(pilot, app, "warmup_iters")
            assert "✕" not in app.text
            await pilot.press("enter", "enter")  # the same value again, which the run can take now
            await until(pilot, lambda: dict(app.edited) == {"max_iters": 2000, "warmup_iters": 1500})

    async def test_a_prompt_that_the_run_s_dataset_cannot_write_is_not_asked(self) -> None:
        async with self.running() as (app, pilot, _, _):
            app.setup.form.know(None, CharTokenizer.of("to be"))
            await go(pilot, app, "prompt")
            await pilot.press("enter", *"be%", "enter")
            await settled(pilot)
            assert app.edited == []
            assert "✕ the character % (U+0025" in app.shown("prompt")[1]

    async def test_a_refusal_of_the_run_s_own_brings_its_value_back(self) -> None:
        async with self.running() as (app, pilot, history, snapshot):
            await go(pilot, app, "device")
            await pilot.press("enter", *"cuda", "enter")
            await settled(pilot)
            assert app.edited == [("device", "cuda")]
            history.apply(Notice(level="error", text="device = cuda: this machine's torch cannot use it"))
            app.setup.show_run(history, snapshot)
            await settled(pilot)
            assert app.setup.form.values["device"] == "auto"
            assert "this machine's torch cannot use it" in app.text

    async def test_time_is_told_at_the_run_s_own_speed(self) -> None:
        async with self.running((120, 40)) as (app, _, _, _):
            assert "as r1 went here" in app.text
            assert "230 ms a step" in app.text  # 12 windows of 192 tokens at 10,000 a second

    async def test_once_it_has_ended_the_form_is_free(self) -> None:
        async with self.running() as (app, pilot, history, snapshot):
            app.setup.show_run(history, replace(snapshot, state="STOPPED"))
            await go(pilot, app, "learning_rate")
            await pilot.press("l")
            await asyncio.sleep(0.7)
            await settled(pilot)
            assert app.edited == []
            assert "beside" not in app.text
            assert "● was 0.012" in app.row("learning_rate")


class TestSizesAndLooks:
    @pytest.mark.soak
    async def test_it_can_be_made_any_size_while_it_is_open(self) -> None:
        async with opened((120, 40)) as (app, pilot):
            for size in [*SIZES, (60, 16), (100, 24), (150, 30), (81, 17)]:
                await go(pilot, app, "sample_seed")
                await pilot.resize_terminal(*size)
                await settled(pilot)
                assert app.row("sample_seed")
                await pilot.press("g")
                await settled(pilot)
                assert app.row("preset")

    async def test_in_ascii_nothing_else_is_drawn(self) -> None:
        async with opened((120, 40), ascii=True) as (app, pilot):
            await go(pilot, app, "n_head")
            await pilot.press("l")
            await settled(pilot)
            strips = [app.screen.render_line(y) for y in range(app.size.height)]
            filtered = [
                "".join(s.text for s in app.filter_ascii.apply(list(strip), Color(0, 0, 0)))  # type: ignore[union-attr]
                for strip in [*strips, *app.screen._compositor.render_strips()]
            ]
            assert "\n".join(filtered).isascii()
            assert any("x must be divisible" in line for line in filtered)

    async def test_the_mouse_moves_steps_and_edits(self) -> None:
        async with opened() as (app, pilot):
            row = app.setup.pane.rows["n_layer"]
            await pilot.click(row, offset=(3, 0))
            await settled(pilot)
            assert app.at == "n_layer"
            assert app.row("n_layer").index("◂") == row.columns.value_at - 1
            assert app.row("n_layer").rindex("▸") == row.columns.rest_at - 2
            await pilot.click(row, offset=(row.columns.rest_at - 2, 0))
            assert app.setup.form.values["n_layer"] == LAYERS + 1
            await pilot.click(row, offset=(row.columns.value_at - 1, 0))
            assert app.setup.form.values["n_layer"] == LAYERS
            await pilot.click(row, offset=(row.columns.rest_at - 3, 0))
            await settled(pilot)
            assert row.editor is not None
            await pilot.click(app.setup.pane.rows["n_head"], offset=(3, 0))
            await settled(pilot)
            assert app.at == "n_head"
            assert row.editor is None

    async def test_what_a_field_was_is_said_whole_where_there_is_little_room(self) -> None:
        async with opened((100, 30), resolve([Layer("flag", {"n_embd": 96})])) as (app, pilot):
            await settled(pilot)
            assert "● was 128" in app.row("n_embd")
            assert "…" not in app.row("n_embd") + app.row("n_head")

    async def test_y_copies_the_command_that_is_shown(self) -> None:
        async with opened((120, 40)) as (app, pilot):
            await go(pilot, app, "n_layer")
            await pilot.press("l", "y")
            await settled(pilot)
            assert app.copied == [f"gpt-tui --headless --preset quick --n-layer {LAYERS + 1}"]
            assert shlex.split(app.copied[0]) == " ".join(app.setup.beside.changes_pane.copied.split()).split(" ")[-6:]
