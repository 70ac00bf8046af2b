"""The form kept as a preset of one's own, and opened as TOML in an editor: first without a screen, then by its keys."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from setup_app import SetupApp, go, opened, own_text, settled, until
from textual.pilot import Pilot

from gpt_tui.core.config import FIELDS, Layer, RunConfig, resolve
from gpt_tui.core.errors import GptTuiError, Refusal
from gpt_tui.core.presets import PRESETS, PresetShelf
from gpt_tui.tui.form import Form
from gpt_tui.tui.form_file import FormText, read, written
from gpt_tui.tui.wishes import EditText


class TestKeeping:
    def test_the_form_is_on_the_preset_it_was_kept_as_and_u_leads_back(self) -> None:
        form = Form(resolve([]))
        form.set_all({"n_layer": 5, "prompt": "ROMEO:"})
        kept = form.keep_as("mine")
        assert (form.preset, form.changed()) == ("mine", {})
        assert kept.summary == "quick with n_layer 5, prompt ROMEO:"
        assert form.command_line() == "gpt-tui --headless --preset mine"
        assert form.undo() == []
        assert form.preset == "quick"
        assert set(form.changed()) == {"n_layer", "prompt"}

    def test_choosing_it_gives_the_same_form_back(self) -> None:
        form = Form(resolve([]))
        form.choose_preset("lecture-tiny")
        form.set_all({"dropout": 0.1, "seed": 3})
        form.keep_as("mine")
        other = Form(resolve([]))
        other.choose_preset("mine")
        assert other.values == form.values

    def test_it_names_what_every_preset_names_and_what_is_set_and_no_more(self) -> None:
        form = Form(resolve([]))
        form.set("seed", 3)
        assert set(form.keep_as("mine").values) == {*PRESETS["quick"].values, "seed"}

    def test_a_text_is_named_so_that_it_is_found_from_any_folder(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        form = Form(resolve([Layer("flag", {"dataset": "my play.txt"})]))
        assert form.keep_as("mine").values["dataset"] == str(tmp_path / "my play.txt")
        assert form.changed() == {}

    def test_what_auto_stood_for_in_a_run_is_not_kept(self) -> None:
        form = Form(resolve([]))
        form.follow(RunConfig().replace(dataset="masque"))
        assert "dataset" not in form.keep_as("mine").values

    def test_the_arrows_go_through_one_s_own_too_and_pass_a_broken_one_over(self, private_places: Path) -> None:
        form = Form(resolve([]))
        form.keep_as("zebra")
        (private_places / "presets" / "broken.toml").write_text("x=")
        form.choose_preset("quick")
        assert form.stepped_preset(-1) == "zebra"
        form.choose_preset("zebra")
        assert (form.stepped_preset(1), form.stepped_preset(-1)) == ("quick", "gpt2-xl")
        (private_places / "presets" / "zebra.toml").unlink()
        assert (form.stepped_preset(1), form.stepped_preset(-1)) == ("quick", "gpt2-xl")
        with pytest.raises(Refusal, match="not valid TOML"):
            form.choose_preset("broken")
        assert form.preset == "zebra"

    def test_a_form_with_faults_is_not_kept(self) -> None:
        form = Form(resolve([]))
        form.set("n_head", 3)
        with pytest.raises(GptTuiError, match="must be divisible by n_head = 3"):
            form.keep_as("mine")
        assert form.preset == "quick"


class TestManyAtOnce:
    def test_they_are_one_change(self) -> None:
        form = Form(resolve([]))
        before = dict(form.values)
        form.set_all({"n_head": 2, "n_embd": 132, "seed": 5})
        assert form.config is not None
        assert form.undo() == []
        assert form.values == before
        assert not form.can_undo

    def test_beside_a_run_live_ones_are_asked_in_an_order_that_it_takes_and_the_others_set_apart(self) -> None:
        form = Form(resolve([]))
        form.follow(RunConfig())
        refused = form.set_all(
            {"min_lr": 0.5, "n_layer": 4, "warmup_iters": 9000, "max_iters": 10_000, "learning_rate": 1.0}
        )
        assert refused == {}
        assert set(form.asked) == {"max_iters", "warmup_iters", "learning_rate", "min_lr"}
        assert form.apart() == {"n_layer": (2, 4)}
        run = RunConfig()
        for name, value in form.asked.items():
            run = run.replace(**{name: value})
        asked = form.undo()
        assert asked is not None
        assert set(asked) == {"min_lr", "warmup_iters", "max_iters", "learning_rate"}
        assert form.values == RunConfig().flat()

    def test_what_the_run_cannot_take_is_told_with_the_field_that_is_in_the_way(self) -> None:
        form = Form(resolve([]))
        form.follow(RunConfig().replace(min_lr=1e-3))
        refused = form.set_all({"learning_rate": 1e-4, "batch_size": 16})
        assert refused == {"learning_rate": "min_lr must not be more than learning_rate = 0.0001"}
        assert list(form.asked) == ["batch_size"]
        assert form.apart() == {"learning_rate": (0.012, 1e-4)}

    def test_a_conflict_is_told_at_both_fields_and_is_one_fault(self) -> None:
        form = Form(resolve([]))
        form.set("n_head", 3)
        assert [fault.field for fault in form.faults] == ["n_embd"]
        assert form.unfit() == {"n_head": "does not go with n_embd = 128"}
        form.set("n_embd", 129)
        assert form.unfit() == {
            "n_head": "does not go with position = rotary",
            "n_embd": "does not go with position = rotary",
        }
        form.set("position", "learned")
        assert form.unfit() == {}


class TestAsText:
    def test_it_says_of_every_field_what_it_is_what_it_takes_and_when_it_changes(self) -> None:
        text = written(Form(resolve([])))
        flat = " ".join(line.removeprefix("# ") for line in text.splitlines() if line.startswith("#"))
        for spec in FIELDS.values():
            assert spec.help in flat
            assert f"Takes {spec.allowed}. Safe start: {spec.start}." in flat
        assert "n_layer = 2  # needs a new run" in text
        assert "dropout = 0.0  # live" in text
        assert max(map(len, text.splitlines())) <= 100

    @settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(data=st.data())
    def test_any_form_is_read_back_as_it_was(self, data: st.DataObject) -> None:
        form = Form(resolve([]))
        for _ in range(data.draw(st.integers(0, 8))):
            name = data.draw(st.sampled_from(list(FIELDS)))
            form.set(name, form.stepped(name, data.draw(st.sampled_from([-1, 1]))))
        text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
        form.set("prompt", data.draw(text | st.sampled_from(['"""', "#", "\\", "a\r\nb", "[model]"])))
        assert read(written(form)) == dict(form.values)

    def test_only_what_is_named_is_changed(self) -> None:
        assert read("[model]\nn_layer = 4\n[training]\nbatch_size = 1e1\n") == {"n_layer": 4, "batch_size": 10}
        assert read("") == {}

    def test_what_does_not_go_together_is_read_for_the_form_says_so(self) -> None:
        assert read("[model]\nn_head = 3\n") == {"n_head": 3}

    def test_a_text_that_cannot_be_taken_is_offered_again_as_it_was_typed(self) -> None:
        text = FormText(Form(resolve([])))
        typed = "[model]\n# my own remark\nn_layer = 0\nn_hed = 2\n"
        for _ in range(2):
            with pytest.raises(Refusal):
                text.take(typed)
            first, second, *rest = text.offered().splitlines()
            assert first.startswith("#✕ model.n_hed = 2: there is no such field; did you mean n_head?")
            assert second.startswith("#✕ model.n_layer = 0: must be a whole number from 1 to 1,024")
            assert rest == ["[model]", "# my own remark", "n_layer = 0", "n_hed = 2"]
            typed = text.offered()
        assert text.take("[model]\nn_layer = 3\n") == {"n_layer": 3}
        assert "[sampling]" in text.offered()

    def test_an_empty_text_gives_up_what_was_typed(self) -> None:
        text = FormText(Form(resolve([])))
        with pytest.raises(Refusal):
            text.take("x=")
        assert text.take("\n") == {}
        assert "[sampling]" in text.offered()


# By its keys ----------------------------------------------------------------------------------------------------------


async def typed(pilot: Pilot[None], *keys: str) -> None:
    for key in keys:
        await pilot.press(key)
        await settled(pilot)


def told(app: SetupApp) -> str:
    """What the person is told in a corner of the screen."""
    return "\n".join(notification.message for notification in app._notifications)


class TestSaving:
    async def test_p_keeps_the_form_under_the_name_that_is_entered(self, private_places: Path) -> None:
        async with opened() as (app, pilot):
            await go(pilot, app, "n_layer")
            await typed(pilot, "right", "P")
            assert app.setup.preset_line.input.value == "my-quick"
            assert "keep the form as a preset of your own" in app.text
            await typed(pilot, *"deep-2s1", "enter")
            path = private_places / "presets" / "deep-2s1.toml"
            assert tomllib.loads(path.read_text("utf-8"))["model"]["n_layer"] == 3
            assert app.setup.preset == "deep-2s1"
            assert "setup · deep-2s1 ─" in app.text
            assert app.focused is app.setup.pane
            assert "keep the form" not in app.text
            assert app.setup.command_line() == "gpt-tui --headless --preset deep-2s1"

    async def test_esc_leaves_without_keeping_anything(self, private_places: Path) -> None:
        async with opened() as (app, pilot):
            await typed(pilot, "P", "escape")
            assert app.focused is app.setup.pane
            assert not (private_places / "presets").exists()
            await typed(pilot, "j")
            assert app.at == "dataset"

    @pytest.mark.parametrize("size", [(60, 16), (80, 24), (120, 40)])
    async def test_a_bad_name_is_refused_with_a_free_one(self, size: tuple[int, int]) -> None:
        async with opened(size) as (app, pilot):
            await typed(pilot, "P", *"gpt2", "enter")
            said = " ".join(app.text.split())
            assert "gpt2 is a preset that comes with the program; gpt2-2 is free" in said
            assert app.setup.preset_line.input.has_focus
            await typed(pilot, "escape")
            assert "gpt2-2 is free" not in app.text

    async def test_one_s_own_is_replaced_only_when_enter_is_pressed_again(self) -> None:
        PresetShelf().keep("mine", {"n_layer": 7})
        async with opened() as (app, pilot):
            await typed(pilot, "P", *"mine", "enter")
            assert "mine is there already: enter again replaces it" in app.text
            assert PresetShelf().find("mine").values == {"n_layer": 7}
            await typed(pilot, "enter")
            assert PresetShelf().find("mine").values["n_layer"] == 2
            assert app.setup.preset == "mine"

    async def test_a_form_with_faults_says_what_has_to_be_put_right_first(self) -> None:
        async with opened() as (app, pilot):
            await go(pilot, app, "n_head")
            await typed(pilot, "right", "P")
            assert "A preset has to be sound: n_embd (x goes there)." in told(app)
            assert app.focused is app.setup.pane

    async def test_a_folder_that_cannot_be_written_is_told_of_and_nothing_is_lost(self, private_places: Path) -> None:
        (private_places / "presets").write_text("in the way")
        async with opened((120, 40)) as (app, pilot):
            await typed(pilot, "P", *"mine", "enter")
            assert "The preset cannot be kept as" in app.text
            assert app.setup.preset_line.input.value == "mine"

    async def test_one_s_own_are_offered_on_the_preset_row_and_a_broken_one_says_why(
        self, private_places: Path
    ) -> None:
        PresetShelf().keep("night", {"n_layer": 6})
        (private_places / "presets" / "typo.toml").write_text("[model]\nn_layr = 6\n")
        async with opened((120, 40)) as (app, pilot):
            await typed(pilot, "enter", *"typo", "enter")
            assert "there is no such field" in app.text
            assert app.setup.preset == "quick"
            await typed(pilot, "escape", "enter")
            assert "night" in app.text
            await typed(pilot, *"night", "enter")
            assert app.setup.preset == "night"
            assert app.setup.form.values["n_layer"] == 6
            assert "your own, in" in app.text

    async def test_a_preset_that_has_gone_meanwhile_leaves_the_form_on_the_default_one(self) -> None:
        async with opened(preset="gone") as (app, _):
            assert app.setup.preset == "quick"
            assert "there is no such preset" in told(app)


class EditorApp(SetupApp):
    """With a person who types into the editor what `answer` makes of the text."""

    answer: Any = None
    offered = ""

    def on_edit_text(self, message: EditText) -> None:
        self.offered = message.text
        assert message.suffix == ".toml"
        message.take(self.answer(message.text))


class TestEditing:
    async def test_e_takes_all_that_was_typed_as_one_change(self) -> None:
        app = EditorApp()
        app.answer = lambda text: text.replace("n_layer = 2 ", "n_layer = 5 ").replace('prompt = ""', 'prompt = "O, "')
        async with app.run_test(size=(80, 24)) as pilot:
            await settled(pilot)
            await typed(pilot, "e")
            assert (app.setup.form.values["n_layer"], app.setup.form.values["prompt"]) == (5, "O, ")
            assert told(app) == "2 fields changed; u undoes that."
            await typed(pilot, "u")
            assert app.setup.form.changed() == {}

    async def test_what_is_wrong_is_told_by_name_and_the_form_stays_as_it_was(self) -> None:
        app = EditorApp()
        app.answer = lambda text: text.replace("n_layer = 2 ", "n_layer = 0 ").replace("n_head = 4", "n_head = 2")
        async with app.run_test(size=(120, 40)) as pilot:
            await settled(pilot)
            await typed(pilot, "e")
            assert "model.n_layer = 0: must be a whole number from 1 to 1,024" in told(app)
            assert "e shows the text again" in told(app)
            assert app.setup.form.changed() == {}
            app.answer = lambda text: text.replace("n_layer = 0 ", "n_layer = 4 ")
            await typed(pilot, "e")
            assert app.offered.startswith("#✕ model.n_layer = 0")
            assert {name: new for name, (_, new) in app.setup.form.changed().items()} == {"n_layer": 4, "n_head": 2}

    async def test_beside_a_run_live_fields_are_asked_of_it(self, tmp_path: Path) -> None:
        from setup_app import started

        from gpt_tui.core.runs import History
        from gpt_tui.core.session import Snapshot

        app = EditorApp(own_text(tmp_path))
        app.answer = lambda text: text.replace("n_layer = 2 ", "n_layer = 5 ").replace(
            "batch_size = 12", "batch_size = 16"
        )
        async with app.run_test(size=(80, 24)) as pilot:
            await settled(pilot)
            history = History()
            assert app.setup.config is not None
            history.extend([started(app.setup.config)])
            app.setup.show_run(history, Snapshot(state="TRAINING", config=app.setup.config, run_name="r1"))
            await typed(pilot, "e")
            await until(pilot, lambda: bool(app.edited))
            assert app.edited == [("batch_size", 16)]
            assert set(app.setup.form.apart()) == {"n_layer"}


class TestReading:
    async def test_a_part_of_the_model_stands_under_its_name_and_page_keys_stop_there(self) -> None:
        async with opened((120, 40)) as (app, pilot):
            seen = []
            for _ in range(11):
                await typed(pilot, "pagedown")
                seen.append(app.at)
            assert seen[:9] == [
                "n_layer", "position", "attention", "feed_forward", "residual", "head", "init", "dropout",
                "optimizer",
            ]  # fmt: skip
            await typed(pilot, "pageup", "pageup")
            await go(pilot, app, "n_layer")
            assert [line.split()[1:2] for line in app.lines if line[1:4] == "── "][:2] == [["size"], ["positions"]]

    async def test_a_part_without_a_row_that_is_shown_has_no_title(self) -> None:
        async with opened((120, 40)) as (app, pilot):
            await typed(pilot, "slash", *"norm", "enter")
            titles = [line[1:60].split()[1] for line in app.lines if line[1:4] == "── "]
            assert titles == ["attention", "stream"]

    @pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
    async def test_a_conflict_stands_at_both_rows_and_is_counted_once(self, size: tuple[int, int]) -> None:
        async with opened(size) as (app, pilot):
            await go(pilot, app, "n_head")
            await typed(pilot, "right")
            assert "✕ does not go with n_embd = 128" in app.shown("n_head")[1]
            assert "✕ must be divisible by n_head = 5" in app.shown("n_embd")[1]
            assert "1 wrong" in app.text
            await typed(pilot, "x")
            assert app.at == "n_embd"

    @pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
    async def test_what_differs_from_the_preset_is_seen_in_its_row_and_counted(self, size: tuple[int, int]) -> None:
        async with opened(size) as (app, pilot):
            await go(pilot, app, "n_layer")
            await typed(pilot, "right")
            assert "● was 2" in app.row("n_layer")
            assert "1 changed" in app.lines[1]
            await typed(pilot, "j")
            assert "● was 2" in app.row("n_layer")

    async def test_the_help_says_who_set_a_value_until_it_is_changed(self) -> None:
        resolved = resolve([Layer("the last form", {"n_layer": 3}), Layer("environment", {"n_head": 2})])
        async with opened((120, 40), resolved) as (app, pilot):
            await go(pilot, app, "n_layer")
            assert "set by      the last form" in app.text
            await typed(pilot, "right")
            assert "set by" not in app.text
            await go(pilot, app, "n_head")
            assert "environment GPT_TUI_N_HEAD" in app.text

    async def test_the_split_moves_and_comes_back_with_the_layout(self) -> None:
        async with opened((120, 40)) as (app, pilot):
            before = app.setup.pane.size.width
            assert app.setup.split(-1)
            await settled(pilot)
            assert app.setup.pane.size.width < before
            await pilot.resize_terminal(80, 24)
            await settled(pilot)
            assert app.setup.pane.size.width > 70
            assert not app.setup.split(1)
            await pilot.press("v")
            await settled(pilot)
            assert app.setup.split(1)
