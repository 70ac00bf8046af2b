"""Presets of a person's own: what is kept, what comes back, and what a broken file may not do."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gpt_tui.core.config import FIELDS, read_toml
from gpt_tui.core.errors import GptTuiError, Refusal
from gpt_tui.core.presets import DEFAULT, PRESETS, PresetShelf, default_presets_dir
from gpt_tui.core.presets.shelf import MAX_NAME, describe

QUICK = dict(PRESETS[DEFAULT].values)


@pytest.fixture
def shelf(tmp_path: Path) -> PresetShelf:
    return PresetShelf(tmp_path / "presets")


def written(shelf: PresetShelf, name: str, text: str) -> Path:
    shelf.folder.mkdir(parents=True, exist_ok=True)
    path = shelf.folder / name
    path.write_text(text, encoding="utf-8")
    return path


class TestKeeping:
    def test_what_is_kept_comes_back_and_config_reads_the_same_file(self, shelf: PresetShelf) -> None:
        values = QUICK | {"n_layer": 6, "dropout": 0.1, "prompt": "ROMEO:\n“él”", "top_k": "off", "min_lr": 6e-5}
        kept = shelf.keep("night", values)
        assert kept == shelf.find("night")
        assert kept.values == values
        assert kept.path == shelf.folder / "night.toml"
        assert kept.path is not None
        assert kept.source == f"own, {kept.path}"
        assert read_toml(kept.path).values == values
        assert kept.config().model.n_layer == 6

    def test_it_sets_only_the_fields_that_it_names(self, shelf: PresetShelf) -> None:
        kept = shelf.keep("wide", {"n_embd": 256, "n_head": 8})
        assert dict(kept.values) == {"n_embd": 256, "n_head": 8}
        assert kept.layer().origin == f"preset wide, {kept.path}"

    def test_it_is_the_user_s_own_folder_beside_the_configuration_where_none_is_named(
        self, private_places: Path
    ) -> None:
        assert PresetShelf().folder == default_presets_dir() == private_places / "presets"
        PresetShelf().keep("mine", {"n_layer": 3})
        assert (private_places / "presets" / "mine.toml").is_file()

    def test_it_is_kept_whole_or_not_at_all(self, shelf: PresetShelf, tmp_path: Path) -> None:
        shelf.keep("mine", {"n_layer": 3})
        before = (shelf.folder / "mine.toml").read_bytes()
        with pytest.raises(Refusal, match="must be divisible by n_head = 3"):
            shelf.keep("mine", {"n_head": 3})
        assert (shelf.folder / "mine.toml").read_bytes() == before
        assert [path.name for path in shelf.folder.iterdir()] == ["mine.toml"]
        (tmp_path / "file").write_text("in the way")
        with pytest.raises(GptTuiError, match=r"cannot be kept as .*mine\.toml"):
            PresetShelf(tmp_path / "file" / "presets").keep("mine", {"n_layer": 3})

    def test_it_says_what_it_is_by_the_built_in_preset_that_is_most_like_it(self, shelf: PresetShelf) -> None:
        assert describe(QUICK) == "as quick"
        assert describe(QUICK | {"n_layer": 6, "max_iters": 9000}) == "quick with n_layer 6, max_iters 9000"
        more = dict(PRESETS["nanogpt-cpu"].values) | {"n_layer": 6, "n_head": 8, "dropout": 0.1, "seed": 3}
        assert describe(more) == "nanogpt-cpu with n_layer 6 and 3 more"
        assert describe(QUICK | {"prompt": "O" * 50}) == "quick with another field"
        assert describe(QUICK | {"dataset": "/a/long/way/to/play.txt"}) == "quick with dataset play.txt"
        assert shelf.keep("mine", QUICK | {"n_layer": 6}).summary == "quick with n_layer 6"
        assert shelf.keep("mine", QUICK | {"n_layer": 5}).summary == "quick with n_layer 5"

    def test_what_a_person_wrote_of_it_outlives_its_replacement(self, shelf: PresetShelf) -> None:
        written(shelf, "mine.toml", 'summary = "for a night"\n[model]\nn_layer = 4\n')
        assert shelf.keep("mine", QUICK | {"n_layer": 5}).summary == "for a night"

    @settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(data=st.data())
    def test_any_sound_values_come_back_as_they_were(self, shelf: PresetShelf, data: st.DataObject) -> None:
        text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
        values: dict[str, Any] = {
            "n_layer": data.draw(st.integers(1, 1024)),
            "learning_rate": data.draw(st.floats(1e-9, 100)),
            "seed": data.draw(st.integers(0, 2**63 - 1)),
            "prompt": data.draw(text),
            "dataset": data.draw(text.filter(bool)),
            "min_lr": 0.0,
        }
        assert dict(shelf.keep("any", values).values) == values


class TestNames:
    @pytest.mark.parametrize(
        ("name", "why", "free"),
        [
            ("quick", "comes with the program", "quick-2"),
            ("", "small letters", "mine"),
            ("My Preset!", "small letters", "my-preset"),
            ("größer", "small letters", "groer"),
            ("../up", "small letters", "up"),
            ("a/b", "small letters", "a-b"),
            ("-x", "small letters", "x"),
            ("con", "Windows", "con-2"),
            ("n" * 30, f"at most {MAX_NAME}", "n" * MAX_NAME),
            ("shakespeare-1x1-short-now", f"at most {MAX_NAME}", "shakespeare-1x1-short-no"),
        ],
    )
    def test_a_bad_one_is_refused_with_the_reason_and_the_nearest_free_one(
        self, shelf: PresetShelf, name: str, why: str, free: str
    ) -> None:
        fault = shelf.name_fault(name)
        assert fault is not None
        assert why in fault
        assert fault.endswith(f"{free} is free")
        with pytest.raises(Refusal):
            shelf.keep(name, {"n_layer": 3})
        assert shelf.name_fault(free) is None

    def test_a_free_one_is_free(self, shelf: PresetShelf) -> None:
        assert [shelf.keep(shelf.free_name("Deep one"), {"n_layer": 3}).name for _ in range(3)] == [
            "deep-one",
            "deep-one-2",
            "deep-one-3",
        ]

    def test_all_of_them_are_named_where_one_is_not_there(self, shelf: PresetShelf) -> None:
        shelf.keep("night", {"n_layer": 3})
        assert shelf.names() == [*PRESETS, "night"]
        with pytest.raises(Refusal, match=r"gpt2-xl, night; did you mean night\?"):
            shelf.find("nigth")
        with pytest.raises(Refusal, match=r"did you mean nanogpt-cpu\?"):
            shelf.find("nanogpt_cpu")


class TestBroken:
    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("[model]\nn_layr = 3\nn_head = 0\n", ["model.n_layr = 3: there is no such field; did you mean n_layer?"]),
            ("[model]\nn_head = 0\n", ["model.n_head = 0: must be a whole number from 1 to 1,024"]),
            ("[model]\nn_head = 3\n", ["n_embd = 128: must be divisible by n_head = 3"]),
            ("[modl]\n", ["[modl]: there is no such table"]),
            ("x=", ["is not valid TOML"]),
        ],
    )
    def test_it_is_told_by_file_field_and_reason_where_it_is_asked_for(
        self, shelf: PresetShelf, text: str, said: list[str]
    ) -> None:
        path = written(shelf, "mine.toml", text)
        with pytest.raises(Refusal) as refused:
            shelf.find("mine")
        assert all(fault.field.startswith(str(path)) for fault in refused.value.faults)
        assert all(words in str(refused.value) for words in said)

    def test_it_stops_no_other_preset(self, shelf: PresetShelf) -> None:
        written(shelf, "bad.toml", "x=")
        written(shelf, "latin.toml", "").write_bytes(b"summary = '\xe9'")
        written(shelf, "quick.toml", "[model]\nn_layer = 9\n")
        written(shelf, "Loud.toml", "")
        written(shelf, "notes.txt", "not one of them")
        (shelf.folder / "folder.toml").mkdir()
        shelf.keep("good", {"n_layer": 3})
        presets, broken = shelf.own()
        assert [preset.name for preset in presets] == ["good"]
        assert {preset.name for preset in broken} == {"bad", "latin", "quick", "Loud"}
        assert shelf.find("quick") is PRESETS["quick"]
        assert next(str(p.faults[0]) for p in broken if p.name == "Loud").endswith("rename the file to loud.toml")
        assert shelf.names() == [*PRESETS, "bad", "good", "latin"]

    def test_a_folder_that_is_not_there_has_none(self, shelf: PresetShelf) -> None:
        assert shelf.own() == ([], [])
        assert shelf.names() == list(PRESETS)
        assert not shelf.has_own("mine")


def test_every_field_can_be_named_in_a_preset(shelf: PresetShelf) -> None:
    every = {name: spec.default for name, spec in FIELDS.items()}
    assert shelf.keep("every", every).values == every
    assert set(tomllib.loads((shelf.folder / "every.toml").read_text("utf-8"))) == {
        "summary", "model", "data", "optimizer", "training", "sampling",
    }  # fmt: skip
