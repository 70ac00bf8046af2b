"""Settings, presets, keys, preferences, command lines and names from anyone: taken or refused, in words."""

from __future__ import annotations

import json
import random
import tomllib
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from hostile import DEVICES, FLOATS, INTEGERS, SHAPES, TERMINAL, TEXTS, much, mutated, mutated_bytes, obey, told, unseen
from hypothesis import given, settings
from hypothesis import strategies as st

from gpt_tui.cli.arguments import parse
from gpt_tui.core.config import FIELDS, RunConfig, build, find_faults, live_changes, parse_toml, read_toml, resolve
from gpt_tui.core.errors import GptTuiError, Refusal
from gpt_tui.core.presets import PresetShelf
from gpt_tui.core.runs import Shelf, name_fault
from gpt_tui.tui import keymap, last_form, preferences

VALUES = (*TEXTS, *INTEGERS, *FLOATS, *SHAPES, "\ud800")


@much(60, seconds=4)
def test_a_configuration_that_was_tampered_with_is_taken_or_refused_for_what_is_wrong(
    much: Any, tmp_path: Path
) -> None:
    path = tmp_path / "strange.toml"
    sound = RunConfig().to_toml()

    def once(choose: random.Random) -> None:
        content = mutated_bytes(sound.encode(), choose)
        if choose.random() < 0.7:
            try:
                content = tomli_w.dumps(mutated(tomllib.loads(sound), choose)).encode()
            except (TypeError, ValueError, AttributeError):
                pass  # TOML has no null and no list as a whole
        path.write_bytes(content)
        why = told(lambda: resolve([read_toml(path)]))
        assert not unseen(why)
        if not why:
            config = resolve([read_toml(path)]).config
            assert build(parse_toml(config.to_toml(), "the same again").values) == config

    much.of(once)


@much(40, seconds=3)
def test_values_of_any_kind_are_taken_or_refused_for_their_field(much: Any) -> None:
    names = [*FIELDS, "nope", TERMINAL]

    def once(choose: random.Random) -> None:
        given = {choose.choice(names): choose.choice(VALUES) for _ in range(choose.choice((1, 2, 6)))}
        _, faults = find_faults(given)
        assert all(str(fault) for fault in faults)
        assert not unseen(told(lambda: build(given)))
        assert not unseen(told(lambda: live_changes(RunConfig(), given)))

    much.of(once)


def test_a_field_that_a_terminal_would_obey_is_named_as_what_it_is(tmp_path: Path) -> None:
    (tmp_path / "it.toml").write_text('[optimizer]\n"grad\\u007f_clip" = 1.0', encoding="utf-8")
    why = told(lambda: resolve([read_toml(tmp_path / "it.toml")]))
    assert r"grad\x7f_clip" in why
    assert not unseen(why)


@much(25, seconds=3)
def test_presets_keys_and_preferences_that_were_tampered_with_stop_nothing(much: Any, tmp_path: Path) -> None:
    keys = {"keys": {"app": {"start": ["p", "F5"], "quit": "Q"}, "chart": {"smoothing": ["A"]}}}
    left = {"view": "setup", "theme": "gpt-tui-light", "compact": True, "smoothing": 0.5, "units": "tokens",
            "shares": {"train": {"across": 0.5}}, "form": {"preset": "quick", "fields": {"n_layer": 3}}}  # fmt: skip
    preset = {"summary": "mine", "model": {"n_layer": 1}}
    fallback = resolve([])

    def once(choose: random.Random) -> None:
        write(tmp_path / "presets" / "mine.toml", preset, choose)
        write(tmp_path / "keys.toml", keys, choose)
        (tmp_path / "playground.json").write_text(json.dumps(mutated(left, choose)), encoding="utf-8")
        presets = PresetShelf(tmp_path / "presets")
        mine, broken = presets.own()
        assert len(mine) + len(broken) == 1
        chosen = keymap.load(tmp_path / "keys.toml")
        assert chosen.overrides is not None
        assert all(str(fault) for fault in chosen.faults)
        kept = preferences.load(tmp_path)
        resolved, _ = last_form.restore(kept.form, fallback, presets)
        assert isinstance(resolved.config, RunConfig)
        assert isinstance(kept.shares_of("train"), dict)

    much.of(once)


def write(path: Path, document: dict[str, Any], choose: random.Random) -> None:
    path.parent.mkdir(exist_ok=True)
    try:
        text = tomli_w.dumps(mutated(document, choose))
    except (TypeError, ValueError, AttributeError):
        text = "[keys]\n" * 2
    path.write_bytes(mutated_bytes(text.encode(), choose) if choose.random() < 0.3 else text.encode())


def test_preferences_that_are_no_text_or_deeper_than_any_stack_count_as_none(tmp_path: Path) -> None:
    for content in (b"[" * 100_000, b"\xff\xfe\0", b"\0" * 100, b'{"smoothing": NaN}', b'{"view": "\x1b"}'):
        (tmp_path / "playground.json").write_bytes(content)
        assert preferences.load(tmp_path).smoothing == 0.9


@pytest.mark.parametrize("device", DEVICES)
def test_a_device_that_gives_for_ever_is_no_configuration_preset_or_preferences(device: str, tmp_path: Path) -> None:
    for name in ("playground.json", "mine.toml"):
        (tmp_path / name).symlink_to(device)
    assert preferences.load(tmp_path) == preferences.Preferences()
    assert PresetShelf(tmp_path).own() == ([], [])
    if device == "/dev/zero":
        with pytest.raises(Refusal, match="larger than"):
            read_toml(Path(device))


@much(60, seconds=4)
def test_any_command_line_is_read_and_what_is_wrong_told_without_what_a_terminal_obeys(much: Any) -> None:
    words = ["runs", "show", "rm", "export", "sample", "shapes", "open", "presets", "datasets", "doctor", "verify",
             "--headless", "--resume", "--fork", "--json", "--csv", "--prompt", "--", "-", "-h", "--n-layer=3",
             "--n_layer", "nan", "--runs-dir", "--print-config", "--config", "--preset", "--dataset", "latest@", "@3",
             "real@" + "9" * 30, "../real", "=", "\udcff", *(t for t in TEXTS if "\0" not in t)]  # fmt: skip
    harmless = ("presets", "datasets", "shapes", "runs")

    def once(choose: random.Random) -> None:
        line = [choose.choice(words) for _ in range(choose.randrange(7))]
        assert all(str(fault) for fault in parse(line).faults)
        status, shown = obey(choose.choice(harmless), "--print-config", *line)  # which is an option of none of them
        assert status in (0, 2)
        assert not unseen(shown), (line, shown)

    much.of(once)


@settings(max_examples=150)
@given(st.one_of(st.text(max_size=12), st.sampled_from([*TEXTS, *map(str, VALUES)])))
def test_a_name_that_is_taken_for_a_run_is_one_directory_of_the_shelf(name: str) -> None:
    if name_fault(name) is None:
        place = Path("/shelf") / name
        assert place.parent == Path("/shelf")
        assert place.name == name
        assert name.isprintable()
        assert name.rstrip(". ") == name


@pytest.mark.parametrize(
    "name",
    [
        "..", ".", "...", "../real", "/etc/passwd", "a/b", "a\\b", "C:", "C:x", "con", "CON.txt", "nul", "LPT1.a.b",
        "COM¹", "a\nb", "a\0b", TERMINAL, "x" * 101, "é" * 101, "\U0001f600" * 51, "name.", "name ", " name", "~name",
        "-name", "~", ".hidden", "latest", "LATEST", "\ud800", "\u202ename", "na\u200bme", "\u2028", "", " ", "a@3",
    ],
)  # fmt: skip
def test_a_name_that_no_system_or_no_eye_can_be_sure_of_is_refused(name: str, tmp_path: Path) -> None:
    assert name_fault(name)


@settings(max_examples=60)
@given(st.one_of(st.text(max_size=12), st.sampled_from([*TEXTS, "real@" + "9" * 30, "~nobody/x", "@", "@@1", "..@3"])))
def test_a_word_that_asks_for_a_run_finds_one_or_is_refused(name: str) -> None:
    with pytest.raises(GptTuiError):
        Shelf(Path(__file__).parent / "no such shelf").find(name)
