"""The form without a screen: stepping, undo, presets, a run beside it, the command that does the same."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gpt_tui.cli.arguments import parse
from gpt_tui.cli.training import read_order
from gpt_tui.core.config import FIELDS, DatasetFacts, FieldSpec, Layer, RunConfig, find_faults, resolve
from gpt_tui.core.errors import Refusal
from gpt_tui.core.presets import PRESETS
from gpt_tui.tui.form import Form
from gpt_tui.tui.stepping import stepped

LAYERS = RunConfig().model.n_layer


def fresh(preset: str | None = None, **values: Any) -> Form:
    layers = [PRESETS[preset].layer()] if preset else []
    return Form(resolve([*layers, Layer("flag", values)]), PRESETS[preset] if preset else None)


def pressed(name: str, start: Any, direction: int, times: int = 1) -> list[Any]:
    values = [start]
    for _ in range(times):
        values.append(stepped(FIELDS[name], values[-1], direction))
    return values[1:]


class TestStepping:
    @pytest.mark.parametrize(
        ("name", "start", "direction", "expected"),
        [
            ("n_layer", 3, 1, [4, 5, 6]),
            ("n_layer", 2, -1, [1, 1, 1]),
            ("n_embd", 100, 1, [128, 160, 192]),
            ("n_embd", 64, -1, [32, 1, 1]),
            ("block_size", 64, 1, [128, 256, 512]),
            ("block_size", 100, -1, [64, 32, 16]),
            ("batch_size", 12, 1, [16, 32, 64]),
            ("max_iters", 2000, 1, [5000, 10_000, 20_000]),
            ("max_iters", 350, -1, [200, 100, 50]),
            ("warmup_iters", 2, -1, [1, 0, 0]),
            ("warmup_iters", 0, 1, [1, 2, 5]),
            ("learning_rate", 1e-3, -1, [5e-4, 2e-4, 1e-4]),
            ("learning_rate", 4e-3, 1, [5e-3, 1e-2, 2e-2]),
            ("learning_rate", 50, 1, [100, 100, 100]),
            ("min_lr", 0.0, 1, [1e-6, 2e-6, 5e-6]),
            ("min_lr", 2e-6, -1, [1e-6, 0, 0]),
            ("dropout", 0.0, 1, [0.05, 0.1, 0.15]),
            ("beta2", 0.98, 1, [0.99, 0.99, 0.99]),
            ("temperature", 0.8, 1, [0.9, 1.0, 1.1]),
            ("top_k", "off", 1, [10, 16, 32]),
            ("top_k", 2, -1, [1, "off", "off"]),
            ("top_p", "off", 1, [0.9, 0.95, 1.0]),
            ("top_p", 1.0, 1, ["off", 0.9, 0.95]),
            ("min_p", 0.1, -1, [0.05, "off", "off"]),
            ("threads", "auto", 1, [1, 2, 4]),
            ("threads", 1, -1, ["auto", "auto", "auto"]),
            ("grad_clip", "off", 1, [1.0, 2.0, 5.0]),
            ("checkpoint_interval", 1, -1, ["off", "off", "off"]),
            ("bias", False, 1, [True, False, True]),
            ("activation", "swiglu", 1, ["relu", "gelu", "gelu_tanh"]),
            ("norm", "none", -1, ["rmsnorm", "layernorm", "none"]),
            ("seed", 2**63 - 1, -1, [2**63 - 2, 2**63 - 3, 2**63 - 4]),
            ("seed", 2**63 - 1, 1, [2**63 - 1, 2**63 - 1, 2**63 - 1]),
        ],
    )
    def test_one_press_goes_to_the_next_value_that_a_person_would_choose(
        self, name: str, start: Any, direction: int, expected: list[Any]
    ) -> None:
        assert pressed(name, start, direction, 3) == expected

    @pytest.mark.parametrize("spec", FIELDS.values(), ids=list(FIELDS))
    def test_whatever_is_pressed_the_field_takes_the_value_and_its_kind_stays(self, spec: FieldSpec) -> None:
        for direction in (1, -1):
            value = spec.default
            for _ in range(120):
                value = stepped(spec, value, direction)
                sound, _ = find_faults({spec.name: value})
                assert sound[spec.name] == value
                assert type(sound[spec.name]) is type(value)

    @pytest.mark.parametrize("spec", [s for s in FIELDS.values() if s.kind in ("int", "float")], ids=lambda s: s.name)
    def test_a_number_with_a_word_reaches_it_and_comes_back(self, spec: FieldSpec) -> None:
        value = spec.default if not isinstance(spec.default, str) else stepped(spec, spec.default, 1)
        for _ in range(40):
            value = stepped(spec, value, -1)
        if spec.choices:
            assert value == spec.choices[0]
            assert not isinstance(stepped(spec, value, 1), str)
        else:
            assert not isinstance(value, str)

    def test_a_dataset_of_one_s_own_stays_within_reach(self) -> None:
        form = fresh(dataset="/my/text.txt")
        seen = []
        for _ in range(5):
            form.set("dataset", form.stepped("dataset", 1))
            seen.append(form.values["dataset"])
        assert seen[:4] == ["auto", "shakespeare", "masque", "python-docs"]

    def test_the_end_of_the_decay_starts_from_the_end_of_the_run(self) -> None:
        assert fresh(max_iters=700).stepped("lr_decay_iters", 1) == 700


class TestChanging:
    def test_bad_text_is_refused_in_words_and_good_text_read(self) -> None:
        form = fresh()
        assert form.read("learning_rate", " 3e-4 ") == 3e-4
        with pytest.raises(Refusal, match="must be a whole number from 1 to 1,024"):
            form.read("n_layer", "three")

    def test_faults_come_and_go_with_every_change(self) -> None:
        form = fresh()
        form.set("n_head", 5)
        assert form.config is None
        assert [fault.field for fault in form.faults] == ["n_embd"]
        form.set("n_embd", 130)
        assert form.faults == []
        assert form.config is not None
        assert form.config.model.n_embd == 130

    def test_the_dataset_s_length_is_checked_once_it_is_known(self) -> None:
        form = fresh()
        form.know(DatasetFacts("tiny", "", 100, 10, 90, 10))
        assert [fault.field for fault in form.faults] == ["block_size"]
        form.set("block_size", 8)
        assert form.config is not None

    def test_undo_takes_back_every_change_one_by_one(self) -> None:
        form = fresh()
        before = [dict(form.values)]
        for name, value in [("n_layer", 4), ("prompt", "ROMEO:"), ("n_layer", 5), ("top_k", 10)] * 50:
            form.set(name, value)
            before.append(dict(form.values))
        form.choose_preset("lecture-colab")
        form.set("n_head", 3)
        assert form.undo() == []
        assert form.preset == "lecture-colab"
        assert form.undo() == []
        assert form.preset == "quick"
        while form.can_undo:
            assert form.values in before
            form.undo()
        assert form.values == before[0]
        assert form.undo() is None

    def test_setting_what_is_set_is_no_change(self) -> None:
        form = fresh()
        form.set("n_layer", form.values["n_layer"])
        form.choose_preset("quick")
        assert not form.can_undo

    def test_a_preset_sets_what_it_names_and_leaves_the_rest(self) -> None:
        form = fresh(dataset="masque", seed=7, n_layer=9)
        form.choose_preset("nanogpt-cpu")
        assert form.changed() == {"dataset": ("auto", "masque"), "seed": (1337, 7)}
        assert form.values["n_layer"] == 4
        form.choose_preset("quick")
        assert set(form.changed()) == {"dataset", "seed"}

    def test_presets_go_around(self) -> None:
        form = fresh()
        seen = []
        for _ in PRESETS:
            form.choose_preset(form.stepped_preset(1))
            seen.append(form.preset)
        assert seen == [*list(PRESETS)[1:], "quick"]


class TestBesideARun:
    def test_the_form_follows_the_run_except_where_a_field_was_set_apart(self) -> None:
        form = fresh()
        form.follow(RunConfig().replace(n_layer=2, learning_rate=1e-3))
        assert form.values["n_layer"] == 2
        assert form.apart() == {}
        form.set("n_layer", 6)
        assert form.apart() == {"n_layer": (2, 6)}
        form.follow(RunConfig().replace(n_layer=2, learning_rate=5e-4))
        assert form.values["learning_rate"] == 5e-4
        assert form.values["n_layer"] == 6

    def test_a_live_field_is_asked_of_the_run_until_the_run_has_it(self) -> None:
        form = fresh()
        run = RunConfig()
        form.follow(run)
        assert form.set("learning_rate", 0.01) is None
        assert form.asked == {"learning_rate": 0.01}
        assert form.apart() == {}
        form.follow(run)
        assert form.asked
        form.follow(run.replace(learning_rate=0.01))
        assert form.asked == {}
        assert form.values["learning_rate"] == 0.01

    def test_what_the_run_cannot_take_is_said_and_not_asked(self) -> None:
        form = fresh()
        form.follow(RunConfig())
        assert f"max_iters = {RunConfig().training.max_iters}" in (form.set("warmup_iters", 5000) or "")
        assert form.asked == {}
        assert form.apart() == {"warmup_iters": (10, 5000)}
        assert form.set("max_iters", 10_000) is None
        assert form.set("warmup_iters", 5000) is None  # asked together with max_iters it fits
        assert form.asked == {"max_iters": 10_000, "warmup_iters": 5000}

    def test_undoing_a_live_edit_asks_the_old_value_of_the_run(self) -> None:
        form = fresh()
        run = RunConfig()
        form.follow(run)
        form.set("learning_rate", 0.01)
        form.set("n_layer", 6)
        form.follow(run.replace(learning_rate=0.01))
        assert form.undo() == []
        assert form.undo() == ["learning_rate"]
        assert form.asked == {"learning_rate": 0.012}

    def test_a_preset_chosen_beside_a_run_is_for_the_next_one(self) -> None:
        form = fresh()
        form.follow(RunConfig())
        form.choose_preset("nanogpt-cpu")
        assert form.asked == {}
        assert form.apart()["learning_rate"] == (0.012, 0.001)

    def test_a_run_that_begins_while_the_form_differs_can_be_undone(self) -> None:
        form = fresh(n_layer=6)
        form.follow(RunConfig())
        assert form.values["n_layer"] == LAYERS
        form.undo()
        assert form.values["n_layer"] == 6

    def test_what_auto_stood_for_in_the_run_is_no_change_to_undo(self) -> None:
        form = fresh()
        form.follow(RunConfig().replace(dataset="masque"))
        assert form.values["dataset"] == "masque"
        assert not form.can_undo
        assert form.changed() == {}
        form.follow(None)
        assert form.changed() == {}
        form.set("dataset", "shakespeare")
        assert form.changed() == {"dataset": ("auto", "shakespeare")}

    def test_what_auto_stood_for_is_taken_beside_other_differences_too(self) -> None:
        form = fresh(n_layer=6)
        form.follow(RunConfig().replace(dataset="masque"))
        assert form.changed() == {}
        form.undo()
        assert form.changed() == {"n_layer": (LAYERS, 6)}

    def test_a_request_that_the_run_refused_is_given_up(self) -> None:
        form = fresh()
        form.follow(RunConfig())
        form.set("batch_size", 64)
        assert form.give_up() == ["batch_size"]
        assert form.values["batch_size"] == 12

    def test_after_the_run_the_form_is_free_and_keeps_what_it_shows(self) -> None:
        form = fresh()
        form.follow(RunConfig().replace(n_layer=2))
        form.set("n_layer", 5)
        form.follow(None)
        assert form.values["n_layer"] == 5
        assert form.apart() == {}
        assert form.set("learning_rate", 0.01) is None
        assert form.asked == {}


class TestCommandLine:
    def config_of(self, line: str) -> RunConfig:
        """What the real command line makes of it, under the user's file and the environment."""
        Path(os.environ["GPT_TUI_CONFIG"]).touch()
        program, *words = shlex.split(line)
        assert program == "gpt-tui"
        arguments = parse(words)
        assert "headless" in arguments
        return read_order(arguments).resolved.config

    def test_only_what_differs_from_the_preset_is_written(self) -> None:
        assert fresh().command_line() == "gpt-tui --headless --preset quick"
        form = fresh("nanogpt-cpu", n_layer=6)
        form.set("prompt", "O, what's here?")
        expected = "gpt-tui --headless --preset nanogpt-cpu --n-layer 6 --prompt 'O, what'\"'\"'s here?'"
        assert form.command_line() == expected

    @pytest.fixture
    def odd_files(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        """Texts with names that a shell or a command line could misread, in the present folder."""
        names = ["a b.txt", "--bias", "-1", "$HOME", "it's.txt", "é.txt"]
        for name in names:
            (tmp_path / name).write_text("To be, or not to be.\n" * 50, encoding="utf-8")
        monkeypatch.chdir(tmp_path)
        return names

    @settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(data=st.data())
    def test_running_it_gives_the_same_config(self, odd_files: list[str], data: st.DataObject) -> None:
        form = fresh()
        for _ in range(data.draw(st.integers(0, 12))):
            name = data.draw(st.sampled_from(["preset", "keep", "prompt", "dataset", *FIELDS]))
            if name == "keep" and not form.faults:
                form.keep_as(data.draw(st.sampled_from(["mine", "another"])))
            elif name in ("preset", "keep"):
                form.choose_preset(data.draw(st.sampled_from(list(PRESETS))))
            elif name == "prompt":
                text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=9)
                form.set(name, data.draw(text | st.sampled_from(["-", "--bias", "-1", "$HOME", "a b", "\n"])))
            elif name == "dataset":
                form.set(name, data.draw(st.sampled_from(["auto", "masque", *odd_files])))
            else:
                form.set(name, form.stepped(name, data.draw(st.sampled_from([-1, 1]))))
        if form.config is not None:
            dataset = str(Path(form.values["dataset"]).absolute()) if form.values["dataset"] in odd_files else None
            same = form.config.replace(dataset=dataset) if dataset else form.config
            assert self.config_of(form.command_line()) == same

    def test_what_the_user_s_file_and_the_environment_set_is_written_too(self, monkeypatch: pytest.MonkeyPatch) -> None:
        Path(os.environ["GPT_TUI_CONFIG"]).write_text("[model]\nn_layer = 7\n[training]\nseed = 5\n")
        monkeypatch.setenv("GPT_TUI_BATCH_SIZE", "24")
        order = read_order(parse(["--headless"]))
        form = Form(order.resolved, None)
        assert form.values["n_layer"] == 7
        assert self.config_of(form.command_line()) == form.config
        for name, value in (("n_layer", 3), ("seed", 1337), ("batch_size", 12)):  # back to the preset's own
            form.set(name, value)
        assert self.config_of(form.command_line()) == form.config
        form.choose_preset("lecture-colab")
        assert self.config_of(form.command_line()) == form.config
