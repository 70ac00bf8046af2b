"""Keys that a person chooses in the file: read as written, obeyed and shown, and refused where they would mislead."""

from __future__ import annotations

import string
from pathlib import Path
from typing import ClassVar

import pytest
from textual.app import App, ComposeResult
from textual.binding import BindingType
from textual.containers import Container
from textual.keys import _character_to_key
from textual.widgets import Input

from gpt_tui.tui import keys
from gpt_tui.tui.key_names import read_key, show_key
from gpt_tui.tui.keymap import AROUND, Keymap, choose, load
from gpt_tui.tui.keys import ACTIONS, Action

NAMES = {action.name: action for action in ACTIONS}


def chosen(text: str, tmp_path: Path) -> Keymap:
    path = tmp_path / "config.toml"
    path.write_text(text, encoding="utf-8")
    return load(path)


def why(keymap: Keymap) -> str:
    assert len(keymap.faults) == 1, keymap.faults
    return str(keymap.faults[0])


# Names of keys ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("space", "space"), (" ", "space"), ("Space", "space"), ("esc", "escape"), ("Return", "enter"), ("F5", "f5"),
        ("f12", "f12"), ("g", "g"), ("G", "G"), ("é", "é"), ("pgup", "pageup"), ("PgDn", "pagedown"),
        ("page down", "pagedown"), ("←", "left"), ("?", "question_mark"), ("[", "left_square_bracket"), ("+", "plus"),
        ("-", "minus"), (",", "comma"), ("ctrl+s", "ctrl+s"), ("Ctrl-S", "ctrl+s"), ("ctrl++", "ctrl+plus"),
        ("ctrl+-", "ctrl+minus"), ("shift+ctrl+left", "ctrl+shift+left"), ("alt+g", "alt+g"), ("alt+G", "alt+shift+g"),
        ("shift+tab", "shift+tab"), ("shift+g", "G"), ("ctrl+i", "tab"), ("ctrl+m", "enter"), ("del", "delete"),
        ("question mark", "question_mark"),
    ],
)  # fmt: skip
def test_a_key_is_written_as_a_person_would(written: str, name: str) -> None:
    assert read_key(written) == name


@pytest.mark.parametrize("written", ["", "foo", "ctrl", "hyperspace", "ctrl+foo", "gg", "f25", "shift+1", "\x1b"])
def test_what_is_no_key_has_no_name(written: str) -> None:
    assert read_key(written) is None


@pytest.mark.parametrize("character", string.printable.strip() + "é§ß")
def test_every_character_has_the_name_that_textual_gives_its_key(character: str) -> None:
    assert read_key(character) == _character_to_key(character)
    assert show_key(_character_to_key(character)) == character


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.name)
def test_the_keys_of_the_table_can_be_written_as_they_are_shown(action: Action) -> None:
    assert tuple(read_key(shown) for shown in action.shown.split(" ")) == action.keys


# The file --------------------------------------------------------------------------------------------------------


def test_a_name_in_the_file_means_one_action() -> None:
    assert len(NAMES) == len(ACTIONS)
    assert len({f"{action.where}.{action.id}" for action in ACTIONS}) == len(ACTIONS)


def test_each_owner_that_lies_within_others_is_one_of_the_table() -> None:
    owners = {action.where for action in ACTIONS}
    assert {*AROUND, *(outer for outers in AROUND.values() for outer in outers)} <= owners


def test_no_file_and_a_file_without_keys_leave_everything_as_it_is(tmp_path: Path) -> None:
    assert load(tmp_path / "absent.toml") == Keymap()
    assert chosen("[model]\nn_layer = 3\n", tmp_path) == Keymap()
    assert Keymap().actions == ACTIONS


def test_the_table_s_own_keys_may_all_be_written_down() -> None:
    tables: dict[str, dict[str, list[str]]] = {}
    for action in ACTIONS:
        tables.setdefault(action.where, {})[action.name.partition(".")[2]] = action.shown.split(" ")
    keymap = choose(tables)
    assert keymap.faults == ()
    assert keymap.actions == ACTIONS


def test_chosen_keys_replace_the_default_ones(tmp_path: Path) -> None:
    keymap = chosen('[keys.app]\nstart = ["F5", "space"]\ntheme = "ctrl+t"\n[keys.setup]\nundo = "U"\n', tmp_path)
    assert keymap.faults == ()
    assert keymap.keys(NAMES["app.start"]) == ("f5", "space")
    shown = {action.name: action.shown for action in keymap.of("app", "setup")}
    assert (shown["app.start"], shown["app.theme"], shown["setup.undo"]) == ("F5 space", "ctrl+t", "U")
    assert shown["setup.copy_command"] == "y"
    assert keymap.overrides == {"app.toggle_run": "f5,space", "app.next_theme": "ctrl+t", "setup.undo": "U"}
    assert keymap.shown == {"app.start": "F5 space", "app.theme": "ctrl+t", "setup.undo": "U"}


def test_names_of_actions_may_be_joined_as_one_likes(tmp_path: Path) -> None:
    keymap = chosen('[keys.app]\n"one step" = "F6"\nnew-run = "F7"\n', tmp_path)
    assert keymap.shown == {"app.one_step": "F6", "app.new_run": "F7"}


def test_the_guide_s_example_holds(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "keys.md").read_text(encoding="utf-8")
    keymap = chosen(page.partition("```toml\n")[2].partition("```")[0], tmp_path)
    assert keymap.faults == ()
    assert len(keymap.chosen) == 4


def test_two_actions_may_change_places(tmp_path: Path) -> None:
    keymap = chosen('[keys.app]\nsave = "s"\nstop = "w"\n', tmp_path)
    assert keymap.faults == ()
    assert keymap.shown == {"app.save": "s", "app.stop": "w"}


def test_an_action_may_be_left_without_a_key(tmp_path: Path) -> None:
    keymap = chosen("[keys.app]\ntheme = []\ndensity = []\n", tmp_path)
    assert keymap.faults == ()
    assert keymap.keys(NAMES["app.theme"]) == ()
    assert len(set(keymap.overrides.values())) == 2


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("keys = 3", "must be a table of tables"),
        ('[keys]\nstart = "p"', "belongs into [keys.app]"),
        ('[keys.sampels]\nprompt = "p"', "did you mean samples?"),
        ("[keys]\napp = 3", "must be a table of actions"),
        ('[keys.app]\nstrat = "p"', "did you mean start?"),
        ('[keys.app]\ncopy_command = "Y"', "belongs into [keys.setup]"),
        ("[keys.app]\nstart = 5", "must be a key in quotes"),
        ("[keys.app]\nstart = [5]", "must be a key in quotes"),
        ('[keys.app]\nstart = "spcae"', "did you mean space?"),
        ('[keys.app]\nstart = "wow"', "there is no such key"),
        ('[keys.app]\nstart = "shift+5"', "write that character itself"),
        ('[keys.app]\ntheme = "ctrl+[bracket"', "there is no such key"),
    ],
)
def test_what_cannot_be_read_is_told_with_the_nearest_right_thing(tmp_path: Path, text: str, words: str) -> None:
    keymap = chosen(text, tmp_path)
    assert words in why(keymap)
    assert str(tmp_path) in keymap.faults[0].field
    assert keymap.actions == ACTIONS


def test_a_file_that_is_no_toml_is_a_fault_and_no_error(tmp_path: Path) -> None:
    assert "is not valid TOML" in why(chosen("[keys", tmp_path))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[keys.app]\nstop = "w"', ["app.stop", "app.save", "keeps s"]),
        ('[keys.app]\nstop = "F5"\nsave = "F5"', ["app.save", "app.stop", "keeps w"]),
        ('[keys.train]\nfork = "o"', ["train.fork", "chart.log_y"]),
        ('[keys.samples]\nprompt = "w"', ["samples.prompt", "app.save"]),
        ('[keys.app]\ntheme = "a"', ["app.theme", "chart.smoothing"]),
        ('[keys.plot]\nleft = ["left", "a"]', ["plot.left", "chart.smoothing"]),
        ('[keys.chart]\nsmoothing = "1"', ["chart.smoothing", "app.train"]),
        ('[keys.chart]\nsmoothing = "esc"', ["chart.smoothing", "app.back"]),
        ('[keys.app]\ndensity = "enter"', ["app.density", "setup.edit"]),
        ('[keys.app]\nback = "x"', ["app.back", "esc stays"]),
        ("[keys.app]\nsetup = []", ["app.setup", "2 stays"]),
        ('[keys.setup]\nedit = "E"', ["setup.edit", "enter stays"]),
        ("[keys.app]\npalette = []", ["app.palette", "cannot be without a key"]),
        ('[keys.field]\nleave = ["esc", "z"]', ["field.leave", "z would be text"]),
    ],
)
def test_a_choice_that_would_mislead_is_dropped_and_the_two_are_named(
    tmp_path: Path, text: str, words: list[str]
) -> None:
    keymap = chosen(text, tmp_path)
    assert all(word in why(keymap) for word in words), why(keymap)
    at_fault = words[0]
    assert keymap.keys(NAMES[at_fault]) == NAMES[at_fault].keys


def test_a_choice_that_leaned_on_one_that_was_dropped_goes_too(tmp_path: Path) -> None:
    keymap = chosen('[keys.app]\nsave = "s"\nstop = "1"\n', tmp_path)
    assert len(keymap.faults) == 2
    assert keymap.actions == ACTIONS


def test_what_the_table_itself_lets_meet_may_meet(tmp_path: Path) -> None:
    keymap = chosen('[keys.app]\ncopy = "Y"\n[keys.setup]\ncopy_command = "Y"\n', tmp_path)
    assert keymap.faults == ()


# Textual obeys ---------------------------------------------------------------------------------------------------


class Box(Container, can_focus=True):
    BINDINGS: ClassVar[list[BindingType]] = keys.bindings("setup")


class Small(App[None]):
    """The bindings of the app and of Setup, and what they would do."""

    BINDINGS: ClassVar[list[BindingType]] = keys.bindings("app")
    AUTO_FOCUS = "Box"

    def __init__(self, keymap: Keymap) -> None:
        super().__init__()
        self.done: list[str] = []
        self.set_keymap(keymap.overrides)

    def compose(self) -> ComposeResult:
        with Box():
            yield Input()

    async def run_action(self, action: str, *args: object, **more: object) -> bool:  # type: ignore[override]
        self.done.append(action)
        return True


async def test_the_program_obeys_the_chosen_keys_and_no_longer_the_others(tmp_path: Path) -> None:
    text = (
        '[keys.app]\nzoom = 1\nsave = "s"\nstop = "w"\nstart = ["F5", "ctrl+r"]\ntheme = []\ndensity = []\n'
        'help = "F2"\n[keys.setup]\nundo = "!"\nless = ["left", "é"]\n'
    )
    keymap = chosen(text, tmp_path)
    app = Small(keymap)
    async with app.run_test() as pilot:
        await pilot.press("s", "w", "f5", "ctrl+r", "space", "t", "Z", "u", "exclamation_mark", "é", "h", "left", "f2")
        await pilot.press("f1", "question_mark", "y", "5")
    assert app.done == [
        "save", "stop_run", "toggle_run", "toggle_run", "undo", "step_value(-1)", "step_value(-1)", "help",
        "copy_command", "view('runs')",
    ]  # fmt: skip


async def test_in_a_text_field_letters_stay_letters(tmp_path: Path) -> None:
    keymap = chosen('[keys.app]\npalette = "W"\nhelp = "F2"\n', tmp_path)
    assert keymap.faults == ()
    app = Small(keymap)
    async with app.run_test() as pilot:
        app.query_one(Input).focus()
        await pilot.press("W", "s", "f2")
        await pilot.pause()
        assert app.query_one(Input).value == "Ws"
    assert app.done == ["help"]
