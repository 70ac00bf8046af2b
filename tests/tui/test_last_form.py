"""The form as it was left comes back at the next start, and nothing odd that was kept of it stands in the way."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from gpt_tui.cli.arguments import parse
from gpt_tui.cli.training import read_order
from gpt_tui.core.config import FIELDS, Layer, Resolved, resolve
from gpt_tui.core.presets import PRESETS, PresetShelf
from gpt_tui.tui.form import Form
from gpt_tui.tui.last_form import restore


def started(*words: str) -> Resolved:
    """What the command line asks for, under the user's file and the environment."""
    return read_order(parse(["--headless", *words])).resolved


def again(form: Form, fallback: Resolved) -> Form:
    """The form of the next start, with what was kept read back from its file."""
    resolved, preset = restore(json.loads(json.dumps(form.kept())), fallback)
    assert preset is not None
    return Form(resolved, PresetShelf().find(preset))


def my_file(text: str) -> None:
    Path(os.environ["GPT_TUI_CONFIG"]).write_text(text, encoding="utf-8")


@pytest.mark.parametrize("preset", ["quick", "lecture-bigram", "nanogpt-cpu"])
def test_preset_and_changes_come_back(preset: str) -> None:
    form = Form(resolve([]))
    form.choose_preset(preset)
    form.set_all(
        {"n_embd": 64, "prompt": "ROMEO:\n", "top_k": 20, "learning_rate": 1.5e-3, "checkpoint_interval": "off"}
    )
    form.set("n_layer", 5)
    back = again(form, resolve([]))
    assert back.values == form.values
    assert back.preset == preset
    assert back.changed() == form.changed()
    assert back.command_line().split()[:4] == form.command_line().split()[:4]


def test_a_form_that_nobody_changed_keeps_nothing_but_its_preset() -> None:
    assert Form(resolve([])).kept() == {"preset": "quick", "fields": {}}


def test_a_row_says_that_it_comes_from_the_last_form_until_it_is_changed() -> None:
    form = Form(resolve([]))
    form.set("n_layer", 5)
    back = again(form, resolve([]))
    assert back.origin("n_layer") == "the last form"
    assert back.origin("n_head") == ""
    back.set("n_layer", 6)
    assert back.origin("n_layer") == ""


def test_a_preset_of_one_s_own_comes_back_as_it_then_is() -> None:
    PresetShelf().keep("mine", {"n_layer": 3, "dropout": 0.1})
    form = Form(resolve([]))
    form.choose_preset("mine")
    form.set("n_head", 2)
    PresetShelf().keep("mine", {"n_layer": 4, "dropout": 0.1})
    back = again(form, resolve([]))
    assert (back.preset, back.values["n_layer"], back.values["n_head"]) == ("mine", 4, 2)


def test_the_user_s_file_is_followed_where_the_form_left_it_alone() -> None:
    my_file("[training]\nseed = 5\nthreads = 1\n[model]\nn_layer = 3\n")
    form = Form(started())
    form.set("threads", 2)
    my_file("[training]\nseed = 6\nthreads = 4\n[model]\nn_layer = 4\n")
    back = again(form, started())
    assert [back.values[name] for name in ("seed", "threads", "n_layer")] == [6, 2, 4]


@pytest.mark.parametrize("name", ["n_layer", "seed"])
def test_what_was_set_otherwise_than_in_the_user_s_file_stays_so(name: str) -> None:
    my_file("[training]\nseed = 5\n[model]\nn_layer = 3\n")
    form = Form(started())
    form.choose_preset("nanogpt-cpu")
    for value in (FIELDS[name].default, form._begun_with.config.get(name)):
        form.set(name, value)
        assert again(form, started()).values == form.values


def test_what_is_asked_for_at_this_start_is_stronger(monkeypatch: pytest.MonkeyPatch) -> None:
    form = Form(resolve([]))
    form.set_all({"n_layer": 5, "n_head": 2, "seed": 9})
    monkeypatch.setenv("GPT_TUI_SEED", "11")
    back = again(form, started("--n-layer", "1"))
    assert [back.values[name] for name in ("n_layer", "n_head", "seed")] == [1, 2, 11]
    assert back.origin("n_layer") == "flag --n-layer"
    assert back.origin("seed") == "environment GPT_TUI_SEED"


ODD: list[Any] = [
    {},
    {"preset": "quick"},
    {"preset": 7, "fields": {}},
    {"preset": "quick", "fields": [1]},
    {"preset": "gone", "fields": {"n_layer": 3}},
    {"preset": "../../etc/passwd", "fields": {}},
    {"fields": {"n_layer": 3}},
]


@pytest.mark.parametrize("kept", ODD, ids=str)
def test_where_nothing_can_be_used_the_start_is_as_without_it(kept: dict[str, Any]) -> None:
    fallback = resolve([Layer("flag", {"n_layer": 7})])
    assert restore(kept, fallback) == (fallback, None)


def test_what_is_no_field_or_no_value_of_one_is_passed_over() -> None:
    fields = {"n_layr": 3, "n_layer": "many", "n_head": [4], "n_embd": None, "dropout": 2, "seed": 7, "bias": "yes"}
    resolved, preset = restore(
        {"preset": "quick", "fields": {**fields, "prompt": {"a": 1}, "lr_schedule": 3}}, resolve([])
    )
    assert preset == "quick"
    changed = {n for n, origin in resolved.origins.items() if origin == "the last form"}
    assert changed == {"seed", "bias"}
    assert resolved.config.training.seed == 7


def test_of_a_form_that_was_left_with_faults_the_rest_comes_back() -> None:
    form = Form(resolve([]))
    form.set_all({"n_head": 3, "seed": 7, "warmup_iters": 5000, "n_layer": 3})
    assert form.config is None
    resolved, preset = restore(form.kept(), resolve([]))
    assert preset == "quick"
    flat = resolved.config.flat()
    assert [flat[name] for name in ("n_head", "warmup_iters", "seed", "n_layer")] == [4, 10, 7, 3]


def test_a_broken_preset_of_one_s_own_is_no_obstacle(private_places: Path) -> None:
    (private_places / "presets").mkdir()
    (private_places / "presets" / "mine.toml").write_text("x=")
    fallback = resolve([])
    assert restore({"preset": "mine", "fields": {}}, fallback) == (fallback, None)


def test_beside_a_run_begun_with_auto_the_dataset_stays_auto() -> None:
    form = Form(resolve([]))
    form.follow(PRESETS["quick"].config().replace(dataset="masque"))
    assert form.values["dataset"] == "masque"
    assert form.kept() == {"preset": "quick", "fields": {}}
