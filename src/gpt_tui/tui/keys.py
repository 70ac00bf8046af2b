"""Every action of the playground and its keys, once: bindings, footer, help, palette and docs all read this table.

What an action does lives with its owner, as the method `action_<id>`: the app, a view, or an overlay. No key here is a
priority binding, so a text field that has the focus gets every letter. Nothing here imports Textual at import time.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from textual.binding import BindingType


@dataclass(frozen=True)
class Action:
    """One thing a person can do.

    id:     the owner's method is `action_<id>`; an argument may follow, as in "view('train')"
    keys:   as Textual names them; the first is the one that is shown
    label:  a word or two, for the footer and the palette
    help:   what it does, in a sentence
    where:  the owner: "app", or the name of a view or pane
    group:  the heading it stands under in the help
    footer: its place in the footer; 0 keeps it out
    """

    id: str
    keys: tuple[str, ...]
    label: str
    help: str
    where: str
    group: str
    footer: int = 0

    @property
    def shown(self) -> str:
        """Its keys as a person knows them: "space", "?", "←"."""
        return " ".join(show_key(key) for key in self.keys)

    @property
    def first(self) -> str:
        return show_key(self.keys[0]) if self.keys else ""


_SHOWN = {
    "left": "←",
    "right": "→",
    "up": "↑",
    "down": "↓",
    "escape": "esc",
    "question_mark": "?",
    "colon": ":",
    "semicolon": ";",
    "full_stop": ".",
    "slash": "/",
    "plus": "+",
    "equals_sign": "=",
    "minus": "-",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "f1": "F1",
    "pageup": "pgup",
    "pagedown": "pgdn",
}


def show_key(key: str) -> str:
    return _SHOWN.get(key, key)


ACTIONS: tuple[Action, ...] = (
    # The run ---------------------------------------------------------------------------------------------------------
    Action("toggle_run", ("space",), "start", "Start, pause or resume: its label says which.", "app", "run", 10),
    Action("single_step", ("full_stop",), "one step", "Take one optimizer step, while paused.", "app", "run", 15),
    Action("stop_run", ("s",), "stop", "Stop the run; it is saved and can be resumed.", "app", "run", 20),
    Action("save", ("w",), "save", "Save a checkpoint now.", "app", "run", 30),
    Action("new_run", ("N",), "new run", "Start a new run from the form; the present one is saved.", "app", "run", 25),
    # Getting about ---------------------------------------------------------------------------------------------------
    Action("view('train')", ("1",), "Train", "Watch a run learn.", "app", "views"),
    Action("view('setup')", ("2",), "Setup", "Choose what to train, field by field.", "app", "views"),
    Action("absent('samples')", ("3",), "Samples", "Samples side by side (not in this version).", "app", "views"),
    Action("absent('generate')", ("4",), "Generate", "Write with a model (not in this version).", "app", "views"),
    Action("absent('runs')", ("5",), "Runs", "The shelf of runs (not in this version).", "app", "views"),
    Action("turn_view(-1)", ("left_square_bracket",), "previous view", "Go to the view before.", "app", "views"),
    Action("turn_view(1)", ("right_square_bracket",), "next view", "Go to the view after.", "app", "views"),
    Action("focus_next", ("tab",), "next pane", "Move the focus to the next pane.", "app", "views"),
    Action("focus_previous", ("shift+tab",), "previous pane", "Move the focus to the pane before.", "app", "views"),
    Action("jump", ("semicolon",), "jump", "Jump to a pane by the letter it then shows.", "app", "views"),
    Action("maximise", ("z",), "maximise", "Give the focused pane the whole screen, and back.", "app", "look"),
    Action("density", ("Z",), "density", "Fewer lines around things, and back.", "app", "look"),
    Action("next_theme", ("t",), "theme", "Take the next theme.", "app", "look"),
    Action("copy", ("y",), "copy", "Copy the focused pane's text.", "app", "look"),
    Action("open_editor", ("e",), "editor", "Open the focused pane's text in $EDITOR.", "app", "look"),
    Action(
        "palette",
        ("colon", "ctrl+p"),
        "palette",
        "Every action by name; or a live field and its new value.",
        "app",
        "program",
        80,
    ),
    Action(
        "help",
        ("question_mark", "f1"),
        "help",
        "The keys of what has the focus; the same key closes it.",
        "app",
        "program",
        90,
    ),
    Action(
        "leave", ("escape",), "back", "Leave what was entered: a maximised pane, a field, an overlay.", "app", "program"
    ),
    Action("quit", ("q", "ctrl+q"), "quit", "Save, restore the terminal, leave.", "app", "program", 85),
    # Train: the chart ------------------------------------------------------------------------------------------------
    Action("smoothing", ("a",), "smoothing", "Change the smoothing of the training loss.", "train", "chart", 50),
    Action("log_y", ("o",), "log y", "Logarithmic loss axis, and back.", "train", "chart"),
    Action("log_x", ("O",), "log x", "Logarithmic x axis, and back.", "train", "chart"),
    Action(
        "units", ("u",), "x units", "Count x in steps, tokens, seconds or floating-point operations.", "train", "chart"
    ),
    Action("zoom_in", ("plus", "equals_sign"), "zoom in", "Show less of the run, larger.", "train", "chart"),
    Action("zoom_out", ("minus",), "zoom out", "Show more of the run.", "train", "chart"),
    Action("whole", ("0",), "whole run", "Show the whole run, and follow it.", "train", "chart"),
    Action("crosshair", ("x",), "crosshair", "Read every line at one place; the arrows move it.", "train", "chart", 40),
    Action("go(-1)", ("left", "h"), "left", "Move the crosshair, or the window, to the left.", "train.chart", "chart"),
    Action(
        "go(1)", ("right", "l"), "right", "Move the crosshair, or the window, to the right.", "train.chart", "chart"
    ),
    Action("go(-10)", ("H",), "far left", "Move the crosshair ten places to the left.", "train.chart", "chart"),
    Action("go(10)", ("L",), "far right", "Move the crosshair ten places to the right.", "train.chart", "chart"),
    Action("zoom(1)", ("up", "k"), "zoom in", "Show less of the run, larger.", "train.chart", "chart"),
    Action("zoom(-1)", ("down", "j"), "zoom out", "Show more of the run.", "train.chart", "chart"),
    Action("edge(-1)", ("g", "home"), "first", "Go to the first step.", "train.chart", "chart"),
    Action("edge(1)", ("G", "end"), "last", "Go to the newest step.", "train.chart", "chart"),
    Action(
        "before_after",
        ("b",),
        "before/after",
        "Show the untrained sample or the newest, where only one fits.",
        "train",
        "samples",
        60,
    ),
    # Setup: the form -------------------------------------------------------------------------------------------------
    Action("edit", ("enter",), "edit", "Type a value for the field; on a switch, turn it.", "setup", "form", 40),
    Action("step_value(-1)", ("left", "h"), "less", "The value below, or the choice before.", "setup", "form", 45),
    Action("step_value(1)", ("right", "l"), "more", "The value above, or the next choice.", "setup", "form", 45),
    Action("cursor(-1)", ("up", "k"), "up", "Go to the field above.", "setup", "form"),
    Action("cursor(1)", ("down", "j"), "down", "Go to the field below.", "setup", "form"),
    Action("cursor_section(-1)", ("pageup",), "section up", "Go to the section above.", "setup", "form"),
    Action("cursor_section(1)", ("pagedown",), "section down", "Go to the section below.", "setup", "form"),
    Action("cursor_first", ("g", "home"), "first", "Go to the first field.", "setup", "form"),
    Action("cursor_last", ("G", "end"), "last", "Go to the last field.", "setup", "form"),
    Action(
        "cycle_beside",
        ("v",),
        "beside",
        "Beside the form: the explanation, every tensor's shape, or the architecture.",
        "setup",
        "form",
        28,
    ),
    Action("undo", ("u",), "undo", "Take back the last change of the form.", "setup", "form", 55),
    Action("next_fault", ("x",), "next fault", "Go to the next field that is wrong.", "setup", "form"),
    Action(
        "filter", ("slash",), "filter", "Show only the fields with these letters; esc shows all.", "setup", "form", 70
    ),
    Action(
        "show_dataset",
        ("d",),
        "dataset",
        "What a model will read: vocabulary, a batch, the ladder.",
        "setup",
        "form",
        60,
    ),
    Action(
        "copy_command", ("y",), "copy command", "Copy the form as the command that does the same.", "setup", "form", 50
    ),
    Action("clear_filter", ("escape",), "show all", "Show all fields again.", "setup", "form"),
    Action("leave_field", ("escape",), "leave", "Leave the editor; the value stays as it was.", "field", "form"),
    Action("leave_filter", ("escape",), "show all", "Leave the filter and show all fields again.", "filter", "form"),
    Action("dismiss", ("escape", "d", "q"), "close", "Close the dataset's explanation.", "dataset", "reading"),
    # Reading a pane --------------------------------------------------------------------------------------------------
    Action("scroll_up", ("k", "up"), "up", "Scroll up.", "pane", "reading"),
    Action("scroll_down", ("j", "down"), "down", "Scroll down.", "pane", "reading"),
    Action("scroll_home", ("g", "home"), "first", "Go to the first line.", "pane", "reading"),
    Action("scroll_end", ("G", "end"), "last", "Go to the last line.", "pane", "reading"),
    Action(
        "filter", ("slash",), "filter", "Show only the log's lines with these words; esc shows all.", "train", "reading"
    ),
)

GROUPS: dict[str, str] = {
    "run": "the run",
    "form": "the form",
    "chart": "the chart",
    "samples": "samples",
    "reading": "reading",
    "views": "getting about",
    "look": "look and copy",
    "program": "the program",
}


def of(*where: str) -> list[Action]:
    """The actions of these owners, in the order of the table."""
    return [action for action in ACTIONS if action.where in where]


def bindings(*where: str) -> list[BindingType]:
    """What an owner puts into its BINDINGS."""
    from textual.binding import Binding

    return [
        Binding(
            ",".join(action.keys),
            action.id,
            action.label,
            show=False,
            tooltip=action.help,
            id=f"{action.where}.{action.id}",
        )
        for action in of(*where)
    ]


def grouped(actions: Iterable[Action]) -> dict[str, list[Action]]:
    """Actions by the heading they stand under, headings in the order of `GROUPS`."""
    found: dict[str, list[Action]] = {group: [] for group in GROUPS}
    for action in actions:
        found[action.group].append(action)
    return {group: members for group, members in found.items() if members}
