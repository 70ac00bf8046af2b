"""The configuration: what it takes, what it refuses and in which words, and where values come from."""

from __future__ import annotations

import tomllib
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gpt_tui.core.config import (
    FIELDS,
    RULES,
    SECTIONS,
    DatasetFacts,
    FieldSpec,
    Layer,
    RunConfig,
    build,
    conflicts,
    dataset_faults,
    difference,
    environment_layer,
    find_faults,
    from_sections,
    idle,
    live_changes,
    parse_toml,
    read_toml,
    resolve,
    user_config_path,
)
from gpt_tui.core.errors import Refusal

quick = settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])


def sound_values(spec: FieldSpec) -> st.SearchStrategy[Any]:
    """Every value that the field takes by itself."""
    if spec.kind == "bool":
        return st.booleans()
    if spec.kind == "choice":
        return st.sampled_from(spec.choices)
    if spec.kind == "text":
        return st.text(st.characters(exclude_categories=["Cs"]), min_size=int(spec.minimum or 0), max_size=30)
    assert spec.minimum is not None
    assert spec.maximum is not None
    if spec.kind == "int":
        numbers: st.SearchStrategy[Any] = st.integers(int(spec.minimum), int(spec.maximum))
    else:
        numbers = st.floats(
            spec.minimum, spec.maximum, exclude_min=spec.exclusive_minimum, exclude_max=spec.exclusive_maximum
        )
    return st.one_of(numbers, st.sampled_from(spec.choices)) if spec.choices else numbers


any_values = st.fixed_dictionaries({name: sound_values(spec) for name, spec in FIELDS.items()})


@st.composite
def configs(draw: st.DrawFn) -> RunConfig:
    """Every valid configuration: sound fields, with the cross-field rules made to hold."""
    v = draw(any_values)
    v["n_head"] = draw(st.integers(1, 64))
    v["n_embd"] = v["n_head"] * 2 * draw(st.integers(1, 100))
    v["warmup_iters"] = min(v["warmup_iters"], v["max_iters"])
    if v["lr_decay_iters"] != "auto":
        v["lr_decay_iters"] = max(v["lr_decay_iters"], v["warmup_iters"])
    v["min_lr"] = min(v["min_lr"], v["learning_rate"])
    if not v["head"]:
        v |= {"attention": False, "feed_forward": False, "mix_previous": False, "position": "none", "norm": "none"}
        v["embd_dropout"] = False
    if not v["output_projection"]:
        v["ffn_mult"] = 1.0
    v["zero_init"] = v["zero_init"] and v["residual"]
    return build(v)


class TestRoundTrips:
    @quick
    @given(config=configs())
    def test_any_valid_config_survives_toml_text_sections_and_replacing(self, config: RunConfig) -> None:
        assert from_sections(tomllib.loads(config.to_toml()), "config.toml") == config
        assert from_sections(config.sections(), "started") == config
        assert build(config.flat()) == config
        as_text = {name: FIELDS[name].show(value) for name, value in config.flat().items()}
        assert build(as_text) == config
        assert RunConfig().replace(**config.flat()) == config

    def test_a_run_from_before_there_was_another_optimizer_is_read_as_adamw_s(self) -> None:
        sections = RunConfig().sections()
        del sections["optimizer"]["optimizer"]
        assert from_sections(sections, "started").optimizer.optimizer == "adamw"

    def test_a_toml_file_is_read_back_as_written_by_any_editor(self, tmp_path: Path) -> None:
        config = RunConfig().replace(prompt='ROMEO:\n"é\u2028\x7f', learning_rate=3e-5, top_k=10)
        for newline, start in (("\n", b""), ("\r\n", b""), ("\n", b"\xef\xbb\xbf")):
            path = tmp_path / "config.toml"
            path.write_bytes(start + config.to_toml().replace("\n", newline).encode())
            assert resolve([read_toml(path)]).config == config

    @pytest.mark.parametrize("spec", FIELDS.values(), ids=list(FIELDS))
    def test_what_a_field_shows_is_what_it_reads(self, spec: FieldSpec) -> None:
        @settings(max_examples=25)
        @given(value=sound_values(spec))
        def check(value: Any) -> None:
            sound, _ = find_faults({spec.name: spec.show(value)})  # rules with other fields may well object
            assert sound[spec.name] == value
            assert type(sound[spec.name]) is type(value)

        check()

    @pytest.mark.parametrize(
        ("name", "text", "value"),
        [
            ("max_iters", "5_000", 5000),
            ("max_iters", " 1e4 ", 10_000),
            ("n_layer", "2.0", 2),
            ("seed", "9223372036854775807", 2**63 - 1),
            ("seed", "9007199254740993", 9007199254740993),
            ("learning_rate", "3e-4", 3e-4),
            ("learning_rate", "1", 1.0),
            ("bias", "Yes", True),
            ("bias", "off", False),
            ("top_k", "OFF", "off"),
            ("threads", "Auto", "auto"),
            ("activation", "GELU", "gelu"),
            ("prompt", " kept as it is ", " kept as it is "),
        ],
    )
    def test_values_are_read_as_people_write_them(self, name: str, text: str, value: Any) -> None:
        sound, faults = find_faults({name: text})
        assert not faults
        assert sound[name] == value
        assert type(sound[name]) is type(value)


class TestRefusals:
    @pytest.mark.parametrize(
        ("name", "value", "words"),
        [
            ("n_layer", "three", "a whole number from 1 to 1,024"),
            ("n_layer", 0, "a whole number from 1 to 1,024"),
            ("n_layer", "0", "for a model without blocks set attention and feed_forward to false"),
            ("n_head", "0", "from 1 to 1,024; for a model without attention set attention to false"),
            ("ffn_mult", "0.0", "for a model without that part set feed_forward to false"),
            ("n_layer", "2.5", "a whole number"),
            ("n_layer", True, "a whole number"),
            ("n_layer", "nan", "a whole number"),
            ("max_iters", "0", "a whole number of 1 or more"),
            ("max_iters", "2000000000", "at most 1,000,000,000"),
            ("seed", 2**63, "at most 9,223,372,036,854,775,807"),
            pytest.param("seed", 1 << 20_000, "a whole number of 0 or more", id="seed-enormous"),
            ("learning_rate", "inf", "a number more than 0 and at most 100"),
            ("learning_rate", 10**400, "a number more than 0 and at most 100"),
            ("learning_rate", 0, "a number more than 0 and at most 100"),
            ("dropout", "1", "a number at least 0 and less than 1"),
            ("weight_decay", -1, "a number from 0 to 100"),
            ("top_p", "1.5", "a number more than 0 and at most 1, or off"),
            ("grad_clip", "of", "did you mean off?"),
            ("activation", "gleu", "did you mean gelu?"),
            ("position", "nowhere", "none, learned or rotary"),
            ("bias", "maybe", "true or false"),
            ("bias", 2, "true or false"),
            ("dataset", "", "text of 1 to 4,096 characters"),
            ("prompt", "x" * 5000, "text of up to 4,096 characters"),
            ("prompt", 5, "text of up to 4,096 characters"),
            ("dataset", "caf\udce9.txt", "not valid UTF-8"),
            ("n_head", ["a"], "a whole number"),
            ("n_head", None, "a whole number"),
        ],
    )
    def test_a_bad_value_is_named_with_what_is_allowed(self, name: str, value: Any, words: str) -> None:
        sound, faults = find_faults({name: value})
        assert [fault.field for fault in faults] == [name]
        assert words in faults[0].message
        assert name not in sound

    def test_all_faults_come_at_once_under_the_labels_they_were_written_with(self) -> None:
        values = {"n_layer": "0", "learning_rate": "fast", "n_embd": "100", "n_head": "3", "n_layr": "6", "seed": "-1"}
        labels = {name: "--" + name.replace("_", "-") for name in values}
        with pytest.raises(Refusal) as refused:
            build(values, labels)
        faults = {fault.field: fault for fault in refused.value.faults}
        assert set(faults) == {"--n-layer", "--learning-rate", "--n-embd", "--n-layr", "--seed"}
        assert "did you mean n_layer?" in faults["--n-layr"].message
        assert faults["--learning-rate"].value == "fast"
        assert str(refused.value).count("\n") == 4

    def test_a_rule_is_skipped_only_where_one_of_its_fields_is_faulty(self) -> None:
        values = {"n_embd": 100, "n_head": 3, "warmup_iters": 50, "max_iters": 10}
        fields = [fault.field for fault in find_faults(values)[1]]
        assert fields == ["n_embd", "warmup_iters"]
        fields = [fault.field for fault in find_faults({**values, "n_head": "x"})[1]]
        assert fields == ["n_head", "warmup_iters"]
        fields = [fault.field for fault in find_faults({**values, "n_head": "x", "max_iters": "y"})[1]]
        assert fields == ["n_head", "max_iters"]

    @pytest.mark.parametrize(
        ("values", "field", "words"),
        [
            ({"n_embd": 100, "n_head": 3}, "n_embd", "96 or 102 would be, or n_head = 2 with n_embd = 100"),
            ({"n_embd": 2, "n_head": 4}, "n_embd", "8 would be, or n_head = 1"),
            ({"n_embd": 2, "n_head": 4, "position": "learned"}, "n_embd", "4 would be, or n_head = 2"),
            ({"n_embd": 130, "n_head": 4}, "n_embd", "128 or 136 would be, or n_head = 5"),
            ({"n_embd": 65536, "n_head": 1000}, "n_embd", "64000 would be, or n_head = 1024"),
            (
                {"n_embd": 12, "n_head": 4, "position": "rotary"},
                "position",
                "n_embd / n_head is 3: learned or none would do, or n_head = 3",
            ),
            ({"n_embd": 9, "n_head": 3, "position": "rotary"}, "position", "is 3: learned or none would do"),
            (
                {"head": False},
                "head",
                "set attention to false, feed_forward to false, mix_previous to false, position to none and norm to "
                "none, or head to true",
            ),
            ({"output_projection": False}, "ffn_mult", "must be 1 where output_projection is false"),
            ({"zero_init": True, "residual": False}, "zero_init", "or residual to true"),
            ({"warmup_iters": 11, "max_iters": 10}, "warmup_iters", "max_iters = 10"),
            ({"lr_decay_iters": 10, "warmup_iters": 20}, "lr_decay_iters", "warmup_iters = 20, or auto"),
            ({"min_lr": 0.1, "learning_rate": 1e-3}, "min_lr", "learning_rate = 0.001"),
        ],
    )
    def test_rules_over_several_fields_say_what_would_hold(
        self, values: dict[str, Any], field: str, words: str
    ) -> None:
        _, faults = find_faults(values)
        assert [fault.field for fault in faults] == [field]
        assert words in faults[0].message

    @pytest.mark.parametrize(
        "values",
        [
            {"n_embd": 12, "n_head": 4, "position": "learned"},
            {"warmup_iters": 10, "max_iters": 10},
            {"lr_decay_iters": 5, "lr_schedule": "constant"},
            {"min_lr": 0.1, "learning_rate": 1e-3, "lr_schedule": "constant"},
            {"attention": False, "n_embd": 100, "n_head": 3},
            {"output_projection": False, "feed_forward": False},
            {"zero_init": True, "residual": False, "output_projection": False, "ffn_mult": 1},
            {"zero_init": True, "residual": False, "attention": False, "feed_forward": False},
            {"zero_init": True, "residual": False, "n_layer": 1, "feed_forward": False, "tied_head": True},
            {"norm": "none", "norm_weight": True},
        ],
    )
    def test_rules_leave_alone_what_works(self, values: dict[str, Any]) -> None:
        assert find_faults(values)[1] == []

    @quick
    @given(n_embd=st.integers(1, 65536), n_head=st.integers(1, 1024), position=st.sampled_from(["learned", "rotary"]))
    def test_what_the_rule_of_heads_proposes_is_accepted(self, n_embd: int, n_head: int, position: str) -> None:
        values = {"n_embd": n_embd, "n_head": n_head, "position": position}
        _, faults = find_faults(values)
        faults = [fault for fault in faults if fault.field == "n_embd"]
        assert bool(faults) == (n_embd % n_head != 0)
        if faults:
            widths, _, heads = faults[0].message.partition(": ")[2].partition("n_head = ")
            proposed = [{"n_embd": int(word)} for word in widths.partition(" would be")[0].split(" or ") if word]
            proposed += [{"n_head": int(heads.split()[0])}] if heads else []
            assert proposed
            assert all(find_faults({**values, **change})[1] == [] for change in proposed)

    @quick
    @given(
        values=st.dictionaries(
            st.one_of(st.sampled_from(list(FIELDS)), st.text(max_size=12)),
            st.one_of(
                st.none(),
                st.booleans(),
                st.integers(),
                st.floats(),
                st.text(max_size=20),
                st.lists(st.integers(), max_size=2),
                st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
                st.dates(),
            ),
            max_size=8,
        )
    )
    def test_nothing_that_is_given_makes_the_check_itself_fail(self, values: dict[str, Any]) -> None:
        sound, faults = find_faults(values)
        named = {fault.field for fault in faults}
        assert all(name in sound or name in named for name in values)
        assert all(str(fault) for fault in faults)
        if not faults:
            build(values)

    def test_windows_must_fit_into_both_splits(self) -> None:
        facts = DatasetFacts("tiny", "", 100, 10, train_tokens=90, val_tokens=10)
        assert dataset_faults(RunConfig().replace(block_size=9), facts) == []
        (fault,) = dataset_faults(RunConfig().replace(block_size=10), facts)
        assert fault.field == "block_size"
        assert "at most 9" in fault.message


class TestValuesWithoutEffect:
    @pytest.mark.parametrize(
        ("values", "fields"),
        [
            ({}, set()),
            ({"attention": False}, {"n_head", "qk_norm", "position"}),
            ({"attention": False, "position": "learned", "qk_norm": False}, {"n_head"}),
            ({"feed_forward": False}, {"activation", "ffn_mult"}),
            ({"norm": "none", "norm_weight": True}, {"norm_weight"}),
            ({"norm": "none", "norm_weight": False}, set()),
            ({"embd_dropout": True}, {"embd_dropout"}),
            ({"embd_dropout": True, "dropout": 0.1}, set()),
            ({"lr_schedule": "constant", "lr_decay_iters": 9}, {"min_lr", "lr_decay_iters"}),
            ({"temperature": 0, "top_k": 5}, {"top_k", "sample_seed"}),
            ({"zero_init": True, "tied_head": True, "output_projection": False, "ffn_mult": 1}, {"zero_init"}),
            ({"zero_init": True, "output_projection": False, "ffn_mult": 1}, set()),
            ({"bias": True, "feed_forward": False, "output_projection": False}, {"bias", "activation", "ffn_mult"}),
        ],
    )
    def test_a_value_that_another_leaves_without_effect_is_told_with_why(
        self, values: dict[str, Any], fields: set[str]
    ) -> None:
        found = idle(RunConfig().replace(**values).flat())
        assert set(found) == fields
        assert all(why and not why.endswith(".") for why in found.values())

    def test_in_the_bigram_hardly_anything_has_an_effect(self) -> None:
        values = {"head": False, "attention": False, "feed_forward": False, "mix_previous": False}
        values |= {"position": "none", "norm": "none", "tied_head": True, "bias": True, "dropout": 0.1}
        found = idle(RunConfig().replace(**values).flat())
        model = {name for name in found if FIELDS[name].section == "model"}
        assert model >= {"n_layer", "n_head", "n_embd", "residual", "tied_head", "bias", "dropout", "activation"}
        assert found["n_embd"] == "the table is as wide as the vocabulary"


class TestEveryField:
    def test_every_default_is_allowed(self) -> None:
        """Nothing checks them on the way: a value that is the default is sound."""
        for name, model in SECTIONS.items():
            section = getattr(RunConfig(), name)
            assert model.model_validate(section.model_dump()) == section

    @pytest.mark.parametrize("spec", FIELDS.values(), ids=list(FIELDS))
    def test_explains_itself_and_takes_its_own_default(self, spec: FieldSpec) -> None:
        assert spec.help.endswith((".", ")"))
        assert spec.why.endswith((".", ")", "?"))
        assert spec.start
        assert spec.allowed
        assert spec.flag == "--" + spec.name.replace("_", "-")
        assert spec.environment == "GPT_TUI_" + spec.name.upper()
        assert find_faults({spec.name: spec.default})[0][spec.name] == spec.default
        if spec.kind in ("int", "float"):
            assert spec.minimum is not None
            assert spec.maximum is not None

    def test_the_names_and_the_rules_agree(self) -> None:
        assert sum(len(model.model_fields) for model in SECTIONS.values()) == len(FIELDS)
        assert all(name in FIELDS for rule in RULES for name in rule.reads)

    def test_the_fields_of_a_group_follow_one_another_and_every_part_of_the_model_has_one(self) -> None:
        groups = [group for group, _ in groupby(spec.group for spec in FIELDS.values() if spec.section == "model")]
        assert all(groups)
        assert len(groups) == len(set(groups))
        assert max(len(group) for group in groups) < 20

    def test_a_conflict_names_the_fields_on_both_sides_of_it_and_is_one_fault(self) -> None:
        wrong = RunConfig().flat() | {"n_head": 3, "warmup_iters": 9000, "head": False}
        found = {conflict.field: conflict.beside for conflict in conflicts(wrong)}
        assert found == {
            "n_embd": ("n_head",),
            "warmup_iters": ("max_iters",),
            "head": ("attention", "feed_forward", "mix_previous", "position", "norm"),
        }
        assert [fault.field for fault in find_faults(wrong)[1]] == list(found)

    def test_an_unknown_field_is_answered_with_the_nearest_one(self) -> None:
        for written, meant in (("n-layr", "n_layer"), ("lr_schedul", "lr_schedule"), ("batchsize", "batch_size")):
            _, (fault,) = find_faults({written: 1})
            assert f"did you mean {meant}?" in fault.message
        _, (fault,) = find_faults({"zzzzzz": 1})
        assert "did you mean" not in fault.message


class TestWhereValuesComeFrom:
    def test_a_later_layer_wins_and_each_value_remembers_its_origin(self, tmp_path: Path) -> None:
        path = tmp_path / "mine.toml"
        path.write_text("[model]\nn_layer = 5\nn_head = 2\n[optimizer]\nlearning_rate = 1e-3\n")
        resolved = resolve(
            [
                read_toml(path),
                Layer("preset nanogpt-cpu", {"n_layer": 4}),
                environment_layer(
                    {"GPT_TUI_N_HEAD": "8", "GPT_TUI_N_LAYR": "9", "N_LAYER": "9", "GPT_TUI_CONFIG": "x"}
                ),
                Layer("flag", {"seed": "7"}, {"seed": "--seed"}),
            ]
        )
        assert resolved.config.model.n_layer == 4
        assert resolved.config.model.n_head == 8
        assert resolved.config.training.seed == 7
        assert resolved.config.optimizer.learning_rate == 1e-3
        origins = {name: resolved.origins[name] for name in ("n_layer", "n_head", "seed", "learning_rate", "bias")}
        assert origins == {
            "n_layer": "preset nanogpt-cpu",
            "n_head": "environment",
            "seed": "flag",
            "learning_rate": str(path),
            "bias": "default",
        }

    def test_a_refusal_names_each_value_as_it_was_written_there(self, tmp_path: Path) -> None:
        path = tmp_path / "mine.toml"
        path.write_text("[model]\nn_layer = 0\nn_embd = 0\n")
        with pytest.raises(Refusal) as refused:
            resolve(
                [
                    read_toml(path),
                    environment_layer({"GPT_TUI_N_HEAD": "none"}),
                    Layer("flag", {"n_embd": "x"}, {"n_embd": "--n-embd"}),
                ]
            )
        fields = [fault.field for fault in refused.value.faults]
        assert sorted(fields) == sorted([f"{path}: model.n_layer", "GPT_TUI_N_HEAD", "--n-embd"])

    def test_a_weaker_layer_s_bad_value_does_no_harm_once_it_is_overridden(self) -> None:
        config = resolve([Layer("file", {"n_layer": "zero"}), Layer("flag", {"n_layer": "2"})]).config
        assert config.model.n_layer == 2

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("[model\n", "not valid TOML"),
            ("[training]\nseed = " + "1" * 5000, "not valid TOML"),
            ("[training]\nseed = 0x" + "f" * 5000, "at most 9,223,372,036,854,775,807"),
            ("n_layer = 3\n", "belongs into the table [model]"),
            ("[modle]\nn_layer = 3\n", "did you mean model?"),
            ("[model]\nlearning_rate = 3\n", "belongs into the table [optimizer]"),
            ("[model]\nn_layr = 3\n", "did you mean n_layer?"),
            ("model = 3\n", "must be a table"),
            ("[model]\nn_layer = 1979-05-27\n", "a whole number from 1 to 1,024"),
            ("[model]\nn_layer = true\n", "a whole number from 1 to 1,024"),
            ("[[model]]\nn_layer = 3\n", "must be a table"),
        ],
    )
    def test_a_bad_file_is_refused_with_the_reason(self, tmp_path: Path, text: str, words: str) -> None:
        path = tmp_path / "bad.toml"
        path.write_text(text)
        with pytest.raises(Refusal, match=r"bad\.toml") as refused:
            resolve([read_toml(path)])
        assert words in str(refused.value)

    def test_a_file_that_cannot_be_read_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(Refusal, match="No such file"):
            read_toml(tmp_path / "absent.toml")
        with pytest.raises(Refusal, match="cannot be read"):
            read_toml(tmp_path)
        (tmp_path / "latin.toml").write_bytes(b'[data]\ndataset = "caf\xe9"\n')
        with pytest.raises(Refusal, match=r"not UTF-8 text \(byte 21\)"):
            read_toml(tmp_path / "latin.toml")

    def test_every_wrong_table_and_name_of_a_file_is_named_at_once(self, tmp_path: Path) -> None:
        path = tmp_path / "bad.toml"
        path.write_text("[modle]\na = 1\n[model]\nn_layr = 1\nseed = 2\n[nonsense]\n")
        with pytest.raises(Refusal) as refused:
            read_toml(path)
        assert len(refused.value.faults) == 4

    def test_only_the_user_s_own_file_may_say_keys_and_they_are_no_fields(self, tmp_path: Path) -> None:
        path = tmp_path / "mine.toml"
        path.write_text('[keys.app]\nstart = "p"\n[model]\nn_layer = 3\n')
        assert read_toml(path, keys=True).values == {"n_layer": 3}
        with pytest.raises(Refusal, match="are set in the user's configuration file"):
            read_toml(path)

    def test_a_file_may_say_in_a_line_what_it_is_for(self, tmp_path: Path) -> None:
        path = tmp_path / "deep.toml"
        path.write_text('summary = "deep and narrow"\n[model]\nn_layer = 9\n')
        layer = read_toml(path)
        assert (layer.summary, layer.values) == ("deep and narrow", {"n_layer": 9})
        path.write_text("summary = 7\n")
        with pytest.raises(Refusal, match=r"deep\.toml: summary: must be a line of text"):
            read_toml(path)

    def test_a_text_that_is_no_file_s_is_refused_by_its_fields_names(self) -> None:
        assert parse_toml("[model]\nn_layer = 3\n", "the editor").values == {"n_layer": 3}
        with pytest.raises(Refusal) as refused:
            parse_toml("[model]\nn_layr = 3\nn_head = 0\n", "the editor")
        assert [fault.field for fault in refused.value.faults] == ["model.n_layr", "model.n_head"]
        with pytest.raises(Refusal, match="the editor: is not valid TOML"):
            parse_toml("[model", "the editor")

    def test_the_user_s_file_is_where_the_environment_says(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("GPT_TUI_CONFIG", str(tmp_path / "mine.toml"))
        assert user_config_path() == tmp_path / "mine.toml"
        monkeypatch.delenv("GPT_TUI_CONFIG")
        assert user_config_path().name == "config.toml"
        assert "gpt-tui" in str(user_config_path())


class TestLiveEdits:
    def test_live_fields_change_and_the_rest_need_a_new_run(self) -> None:
        config = RunConfig()
        assert live_changes(config, {"learning_rate": "0.01"}).optimizer.learning_rate == 0.01
        with pytest.raises(Refusal) as refused:
            live_changes(config, {"n_layer": 6, "learning_rate": "x", "n_layr": 1, "block_size": 0})
        messages = {(fault.field, "new run" in fault.message) for fault in refused.value.faults}
        assert messages == {
            ("n_layer", True),
            ("block_size", True),
            ("block_size", False),
            ("learning_rate", False),
            ("n_layr", False),
        }

    @quick
    @given(values=any_values)
    def test_a_live_change_never_touches_another_field(self, values: dict[str, Any]) -> None:
        config = RunConfig()
        for name, value in values.items():
            try:
                changed = live_changes(config, {name: value})
            except Refusal:
                continue
            assert set(difference(config, changed)) <= {name}

    def test_difference_names_old_and_new(self) -> None:
        assert difference(RunConfig(), RunConfig().replace(seed=7)) == {"seed": (1337, 7)}


def test_what_follows_from_the_fields() -> None:
    config = build({"batch_size": 12, "gradient_accumulation_steps": 2, "block_size": 64, "max_iters": 500})
    assert config.tokens_per_step == 12 * 2 * 64
    assert config.decay_iters == 500
    assert config.replace(lr_decay_iters=300).decay_iters == 300
