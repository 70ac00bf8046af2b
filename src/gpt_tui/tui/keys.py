"""Every action of the playground and its keys, once: bindings, footer, help, palette and docs all read this table.

What an action does lives with its owner, as the method `action_<id>`: the app, a view, or an overlay. No key here is a
priority binding, so a text field that has the focus gets every letter. Nothing here imports Textual at import time.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gpt_tui.tui.key_names import plain_name, show_key

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
    short:  what the footer calls it, where that is not the label
    """

    id: str
    keys: tuple[str, ...]
    label: str
    help: str
    where: str
    group: str
    footer: int = 0
    short: str = ""

    @property
    def name(self) -> str:
        """What the user's file calls it: "setup.copy_command"; one of its owner's has each label."""
        return f"{self.where}.{plain_name(self.label)}"

    @property
    def shown(self) -> str:
        """Its keys as a person knows them: "space", "?", "←"."""
        return " ".join(show_key(key) for key in self.keys)

    @property
    def first(self) -> str:
        return show_key(self.keys[0]) if self.keys else ""


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
    Action("view('samples')", ("3",), "Samples", "Untrained beside trained, at any evaluation.", "app", "views"),
    Action("view('generate')", ("4",), "Generate", "Give a model a prompt, and watch it write.", "app", "views"),
    Action("view('runs')", ("5",), "Runs", "Every run on the shelf, and how they compare.", "app", "views"),
    Action("turn_view(-1)", ("left_square_bracket",), "previous view", "Go to the view before.", "app", "views"),
    Action("turn_view(1)", ("right_square_bracket",), "next view", "Go to the view after.", "app", "views"),
    Action("focus_next", ("tab",), "next pane", "Move the focus to the next pane.", "app", "views"),
    Action("focus_previous", ("shift+tab",), "previous pane", "Move the focus to the pane before.", "app", "views"),
    Action("jump", ("semicolon",), "jump", "Jump to a pane by the letter it then shows.", "app", "views"),
    Action("maximise", ("z",), "maximise", "Give the focused pane the whole screen, and back.", "app", "look"),
    Action("density", ("Z",), "density", "Fewer lines around things, and back.", "app", "look"),
    Action("split(-1)", ("less_than_sign",), "split less", "Give what comes first less room.", "app", "look"),
    Action("split(1)", ("greater_than_sign",), "split more", "Give what comes first more room.", "app", "look"),
    Action("next_theme", ("t",), "theme", "Take the next theme.", "app", "look"),
    Action("next_bell", ("B",), "bell", "Ring when a long run ends: off, the bell, a notification.", "app", "look"),
    Action("copy", ("y",), "copy", "Copy what is selected, or the focused pane's text.", "app", "look"),
    Action("open_editor", ("e",), "editor", "Open the focused pane's text in $EDITOR.", "app", "look"),
    Action(
        "palette",
        ("colon", "ctrl+p"),
        "palette",
        "Every action by name; or a field and its new value.",
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
        "leave",
        ("escape",),
        "back",
        "Leave what was entered: a maximised pane, a field, an overlay; stop what is made ready.",
        "app",
        "program",
    ),
    Action("quit", ("q", "ctrl+q"), "quit", "Save, restore the terminal, leave.", "app", "program", 85),
    # A chart, wherever the focus is in its view ----------------------------------------------------------------------
    Action("smoothing", ("a",), "smoothing", "Change the smoothing of the training loss.", "chart", "chart", 50),
    Action("log_y", ("o",), "log y", "Logarithmic loss axis, and back.", "chart", "chart"),
    Action("log_x", ("O",), "log x", "Logarithmic x axis, and back.", "chart", "chart"),
    Action(
        "units",
        ("u",),
        "x units",
        "Count x in steps, tokens, seconds or floating-point operations.",
        "chart",
        "chart",
        44,
    ),
    Action("zoom_in", ("plus", "equals_sign"), "zoom in", "Show less of the run, larger.", "chart", "chart"),
    Action("zoom_out", ("minus",), "zoom out", "Show more of the run.", "chart", "chart"),
    Action("whole", ("0",), "whole run", "Show the whole run, and follow it.", "chart", "chart"),
    Action("crosshair", ("x",), "crosshair", "Read every line at one place; the arrows move it.", "chart", "chart", 40),
    # A chart that has the focus --------------------------------------------------------------------------------------
    Action("go(-1)", ("left", "h"), "left", "Move the crosshair, or the window, to the left.", "plot", "chart"),
    Action("go(1)", ("right", "l"), "right", "Move the crosshair, or the window, to the right.", "plot", "chart"),
    Action("go(-10)", ("H",), "far left", "Move the crosshair ten places to the left.", "plot", "chart"),
    Action("go(10)", ("L",), "far right", "Move the crosshair ten places to the right.", "plot", "chart"),
    Action("zoom(1)", ("up", "k"), "closer", "Show less of the run, larger.", "plot", "chart"),
    Action("zoom(-1)", ("down", "j"), "further", "Show more of the run.", "plot", "chart"),
    Action("edge(-1)", ("g", "home"), "first", "Go to the first step.", "plot", "chart"),
    Action("edge(1)", ("G", "end"), "last", "Go to the newest step.", "plot", "chart"),
    # Train -----------------------------------------------------------------------------------------------------------
    Action(
        "fork_here",
        ("f",),
        "fork",
        "Fork the run: from the checkpoint at the crosshair, or the newest; where it diverged, at half the "
        "learning rate or less and with what else its log advises.",
        "train",
        "run",
        45,
    ),
    Action(
        "before_after",
        ("b",),
        "before/after",
        "Show the untrained sample or the newest, where only one fits.",
        "train",
        "samples",
        60,
    ),
    Action(
        "filter", ("slash",), "filter", "Show only the log's lines with these words; esc shows all.", "train", "reading"
    ),
    # Setup: the form -------------------------------------------------------------------------------------------------
    Action("edit", ("enter",), "edit", "Type a value for the field; on a switch, turn it.", "setup", "form", 4),
    Action(
        "step_value(-1)", ("left", "h"), "less", "The value below, or the choice before.", "setup", "form", 6, "change"
    ),
    Action(
        "step_value(1)", ("right", "l"), "more", "The value above, or the next choice.", "setup", "form", 6, "change"
    ),
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
    Action("undo", ("u",), "undo", "Take back the last change of the form.", "setup", "form", 12),
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
        "save_preset", ("P",), "save preset", "Keep the form as a preset of your own, by name.", "setup", "form", 65
    ),
    Action(
        "copy_command",
        ("y",),
        "copy command",
        "Copy the form as the command that does the same.",
        "setup",
        "form",
        14,
        "copy",
    ),
    Action("edit_file", ("e",), "as TOML", "Open the form as TOML in $EDITOR, and read it back.", "setup", "form"),
    Action("clear_filter", ("escape",), "show all", "Show all fields again.", "setup", "form"),
    Action("leave_field", ("escape",), "leave", "Leave the editor; the value stays as it was.", "field", "form"),
    Action("leave_filter", ("escape",), "show all", "Leave the filter and show all fields again.", "filter", "form"),
    Action("dismiss", ("escape", "d", "q"), "close", "Close the dataset's explanation.", "dataset", "reading"),
    # Samples ---------------------------------------------------------------------------------------------------------
    Action("scrub(-1)", ("left", "h"), "earlier", "Go to the evaluation before.", "samples", "samples", 21),
    Action("scrub(1)", ("right", "l"), "later", "Go to the next evaluation.", "samples", "samples", 26),
    Action("scrub(-10)", ("H",), "much earlier", "Go back by ten evaluations.", "samples", "samples"),
    Action("scrub(10)", ("L",), "much later", "Go on by ten evaluations.", "samples", "samples"),
    Action("scrub_first", ("home", "g"), "first", "Go to the first evaluation.", "samples", "samples"),
    Action("scrub_last", ("end", "G"), "newest", "Go to the newest evaluation, and follow it.", "samples", "samples"),
    Action(
        "colour",
        ("c",),
        "surprise",
        "Colour each character by how much it surprised the model, and back.",
        "samples",
        "samples",
        22,
    ),
    Action(
        "difference",
        ("d",),
        "difference",
        "Colour each character by what was learned of it since the start, and back.",
        "samples",
        "samples",
        28,
    ),
    Action(
        "ask_prompt",
        ("p",),
        "prompt",
        "Let both models answer another prompt, where their checkpoints were kept.",
        "samples",
        "samples",
        24,
    ),
    Action(
        "new_seed",
        ("n",),
        "new seed",
        "Let both models write anew, where their checkpoints were kept.",
        "samples",
        "samples",
        60,
    ),
    Action(
        "look_inside",
        ("a",),
        "look inside",
        "Look into the model while it reads this text: its surprise, and what its heads look at.",
        "samples",
        "samples",
        23,
        "inside",
    ),
    # Generate --------------------------------------------------------------------------------------------------------
    Action(
        "speak",
        ("space",),
        "speak",
        "Let the model write, or stop it: its label says which.",
        "generate",
        "generate",
        5,
    ),
    Action(
        "edit",
        ("enter",),
        "edit",
        "In the text, go to what else might stand at the cursor; on a row of the sampler, type its value.",
        "generate",
        "generate",
        12,
    ),
    Action("ask_prompt", ("p",), "prompt", "Type the prompt, wherever the focus is.", "generate", "generate", 14),
    Action(
        "go_on",
        ("m",),
        "more",
        "Write max_new_tokens more, as if the text had never ended; with other settings, a new draw.",
        "generate",
        "generate",
        8,
    ),
    Action("turn_sample(1)", ("J",), "next sample", "Show the next of several samples.", "generate", "generate", 7),
    Action("turn_sample(-1)", ("K",), "previous sample", "Show the sample before.", "generate", "generate"),
    Action(
        "turn_page(-1)",
        ("b",),
        "previous text",
        "Go back to the text before; from a branch, to the text that it comes from.",
        "generate",
        "generate",
        15,
        "previous",
    ),
    Action(
        "turn_page(1)",
        ("f",),
        "next text",
        "Go forward to where b came from; else to the branch at the cursor, or to the text after.",
        "generate",
        "generate",
        20,
        "next",
    ),
    Action("new_seed", ("n",), "new seed", "Write anew with the next seed.", "generate", "generate", 40),
    Action("choose_checkpoint", ("c",), "checkpoint", "Choose which checkpoint speaks.", "generate", "generate", 45),
    Action(
        "side_by_side",
        ("v",),
        "side by side",
        "Let a second checkpoint answer the same prompt beside it, and back.",
        "generate",
        "generate",
        50,
    ),
    Action("edit_prompt", ("e",), "editor", "Write the prompt in $EDITOR.", "generate", "generate"),
    Action(
        "look_inside",
        ("a",),
        "look inside",
        "Look into the model while it reads this text: its surprise, and what its heads look at.",
        "generate",
        "generate",
        13,
        "inside",
    ),
    Action(
        "save_text",
        ("S",),
        "save text",
        "Write the text, or all samples, to a file of yours.",
        "generate",
        "generate",
        60,
    ),
    Action("move_token(-1)", ("left", "h"), "token left", "Go to the token before.", "text", "generate", 55),
    Action("move_token(1)", ("right", "l"), "token right", "Go to the next token.", "text", "generate", 55),
    Action("move_token(-10)", ("H",), "far left", "Go back by ten tokens.", "text", "generate"),
    Action("move_token(10)", ("L",), "far right", "Go on by ten tokens.", "text", "generate"),
    Action("move_line(-1)", ("up", "k"), "line up", "Go to the line above.", "text", "generate"),
    Action("move_line(1)", ("down", "j"), "line down", "Go to the line below.", "text", "generate"),
    Action("move_edge(-1)", ("home", "g"), "first", "Go to the first token.", "text", "generate"),
    Action("move_edge(1)", ("end", "G"), "last", "Go to the newest token, and follow it.", "text", "generate"),
    Action(
        "choose",
        ("enter",),
        "branch",
        "Put this token there, and let the model go on from it; b leads back.",
        "alternatives",
        "generate",
        6,
    ),
    Action("cursor(-1)", ("up", "k"), "up", "Go to the token above, a likelier one.", "alternatives", "generate"),
    Action("cursor(1)", ("down", "j"), "down", "Go to the token below, a less likely one.", "alternatives", "generate"),
    Action("cursor_edge(-1)", ("home", "g"), "first", "Go to the likeliest token.", "alternatives", "generate"),
    Action("cursor_edge(1)", ("end", "G"), "last", "Go to the last one.", "alternatives", "generate"),
    Action(
        "move_token(-1)",
        ("left", "h"),
        "token left",
        "Go to the token before in the text.",
        "alternatives",
        "generate",
        55,
    ),
    Action(
        "move_token(1)",
        ("right", "l"),
        "token right",
        "Go to the next token of the text.",
        "alternatives",
        "generate",
        55,
    ),
    Action("recall(-1)", ("up",), "earlier", "Recall the prompt before.", "prompt", "generate"),
    Action("recall(1)", ("down",), "later", "Recall the prompt after.", "prompt", "generate"),
    Action("step_value(-1)", ("left", "h"), "less", "The value below.", "sampler", "generate", 6, "change"),
    Action("step_value(1)", ("right", "l"), "more", "The value above.", "sampler", "generate", 6, "change"),
    Action("cursor(-1)", ("up", "k"), "up", "Go to the row above.", "sampler", "generate"),
    Action("cursor(1)", ("down", "j"), "down", "Go to the row below.", "sampler", "generate"),
    Action("cursor_edge(-1)", ("home", "g"), "first", "Go to the first row.", "sampler", "generate"),
    Action("cursor_edge(1)", ("end", "G"), "last", "Go to the last row.", "sampler", "generate"),
    # The lenses ------------------------------------------------------------------------------------------------------
    Action("next_lens", ("a",), "next lens", "Go on to the next lens: surprise, heads, looks at.", "lens", "lens", 10),
    Action("move(-1)", ("left", "h"), "left", "Go to the character before.", "lens", "lens", 60, "move"),
    Action("move(1)", ("right", "l"), "right", "Go to the next character.", "lens", "lens", 60, "move"),
    Action("move(-10)", ("H",), "far left", "Go back by ten characters.", "lens", "lens"),
    Action("move(10)", ("L",), "far right", "Go on by ten characters.", "lens", "lens"),
    Action("move_line(-1)", ("up", "k"), "line up", "Go to the line above.", "lens", "lens"),
    Action("move_line(1)", ("down", "j"), "line down", "Go to the line below.", "lens", "lens"),
    Action("move_edge(-1)", ("home", "g"), "first", "Go to the first character.", "lens", "lens"),
    Action("move_edge(1)", ("end", "G"), "last", "Go to the last character.", "lens", "lens"),
    Action("other_pane", ("tab",), "places", "Go to the list of places, and back.", "lens", "lens", 40),
    Action(
        "difference",
        ("d",),
        "difference",
        "Colour what was learned since the run's first checkpoint, or the chosen one, and back.",
        "lens",
        "lens",
        20,
    ),
    Action("choose_other", ("c",), "compare", "Choose the checkpoint to compare with.", "lens", "lens", 25),
    Action("block(1)", ("n",), "next layer", "Show the heads of the next layer.", "lens", "lens", 12, "layer"),
    Action("block(-1)", ("N",), "previous layer", "Show the heads of the layer before.", "lens", "lens"),
    Action(
        "head(1)", ("m",), "next head", "Show the next head; after the last, their mean.", "lens", "lens", 14, "head"
    ),
    Action("head(-1)", ("M",), "previous head", "Show the head before.", "lens", "lens"),
    Action("next_text", ("x",), "next text", "Go on to the next text.", "lens", "lens", 30),
    Action("ask_text", ("p",), "own text", "Type a text of your own.", "lens", "lens", 35),
    Action("edit_text", ("e",), "editor", "Write the text in $EDITOR.", "lens", "lens"),
    Action(
        "read_anew",
        ("space",),
        "read anew",
        "Of a run that trains: look into its model as it is by now.",
        "lens",
        "lens",
        15,
    ),
    Action("copy", ("y",), "copy", "Copy what the lens tells.", "lens", "look"),
    Action("leave", ("escape", "q"), "back", "Go back to the view.", "lens", "program", 85),
    Action("lens_help", ("question_mark", "f1"), "help", "The lens and its keys.", "lens", "program", 90),
    # Runs ------------------------------------------------------------------------------------------------------------
    Action(
        "open",
        ("enter",),
        "open",
        "Show the run in Train, live or from last week; on a checkpoint, let it speak in Generate.",
        "runs",
        "runs",
        5,
    ),
    Action(
        "resume",
        ("space",),
        "resume",
        "Go on with the run; from the chosen checkpoint, where the focus is there.",
        "runs",
        "runs",
        7,
    ),
    Action("fork", ("f",), "fork", "A new run that goes on from the chosen checkpoint.", "runs", "runs", 30),
    Action("mark", ("m",), "mark", "Mark the run for comparing, and back.", "runs", "runs", 35),
    Action("overlay", ("o",), "overlay", "Lay the marked runs over each other on one chart.", "runs", "runs", 36),
    Action("retitle", ("r",), "title", "Give the run a title.", "runs", "runs", 50),
    Action("pin", ("p",), "pin", "Keep the chosen checkpoint whatever comes, and back.", "runs", "runs", 55),
    Action("note", ("i",), "note", "Write a note about the run.", "runs", "runs", 60),
    Action("delete", ("d",), "delete", "Delete the run, after one question.", "runs", "runs", 65),
    Action("filter", ("slash",), "filter", "Show only the runs with these letters; esc shows all.", "runs", "runs", 70),
    Action("cursor(-1)", ("up", "k"), "up", "Go to the row above.", "rows", "runs"),
    Action("cursor(1)", ("down", "j"), "down", "Go to the row below.", "rows", "runs"),
    Action("cursor_page(-1)", ("pageup",), "page up", "Go up by a page.", "rows", "runs"),
    Action("cursor_page(1)", ("pagedown",), "page down", "Go down by a page.", "rows", "runs"),
    Action("cursor_edge(-1)", ("home", "g"), "first", "Go to the first row.", "rows", "runs"),
    Action("cursor_edge(1)", ("end", "G"), "last", "Go to the last row.", "rows", "runs"),
    Action("next_curves", ("v",), "curves", "Draw validation, training, or both.", "compare", "chart", 42),
    # Reading a pane --------------------------------------------------------------------------------------------------
    Action("scroll_up", ("k", "up"), "up", "Scroll up.", "pane", "reading"),
    Action("scroll_down", ("j", "down"), "down", "Scroll down.", "pane", "reading"),
    Action("scroll_home", ("g", "home"), "first", "Go to the first line.", "pane", "reading"),
    Action("scroll_end", ("G", "end"), "last", "Go to the last line.", "pane", "reading"),
)

GROUPS: dict[str, str] = {
    "run": "the run",
    "form": "the form",
    "runs": "the shelf",
    "generate": "writing",
    "lens": "looking inside",
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
    """Actions by the heading they stand under, in the order in which they come."""
    found: dict[str, list[Action]] = {}
    for action in actions:
        found.setdefault(action.group, []).append(action)
    return found
