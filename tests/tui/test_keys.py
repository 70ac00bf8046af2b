"""One table of keys, true to the contract, complete, and obeyed by the owners that it names."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from textual.binding import Binding

from gpt_tui.tui import keys
from gpt_tui.tui.app import Playground
from gpt_tui.tui.keys import ACTIONS, GROUPS, Action
from gpt_tui.tui.views.generate import GenerateView
from gpt_tui.tui.views.lens_screen import LensScreen
from gpt_tui.tui.views.runs import RunsView
from gpt_tui.tui.views.samples import SamplesView
from gpt_tui.tui.views.setup import SetupView
from gpt_tui.tui.views.train import TrainView
from gpt_tui.tui.widgets.loss_chart import LossChart
from gpt_tui.tui.widgets.pane import Pane

OWNERS = {
    "app": Playground,
    "train": TrainView,
    "chart": TrainView,
    "plot": LossChart,
    "setup": SetupView,
    "samples": SamplesView,
    "generate": GenerateView,
    "lens": LensScreen,
    "runs": RunsView,
    "pane": Pane,
}
MINE = [action for action in ACTIONS if action.where in OWNERS]

# The keys of the interface's table that are the program's, and those of the chart.
CONTRACT_APP = {
    "1", "2", "3", "4", "5", "left_square_bracket", "right_square_bracket", "tab", "semicolon", "space", "full_stop",
    "s", "N", "question_mark", "f1", "colon", "ctrl+p", "y", "e", "z", "Z", "t", "w", "q", "ctrl+q", "escape",
}  # fmt: skip
CONTRACT_CHART = {"a", "o", "O", "u", "plus", "minus", "0", "x"}
CONTRACT_TRAIN = {"b", "slash"}
CONTRACT_PLOT = {"left", "right", "up", "down", "h", "l", "H", "L"}
CONTRACT_SAMPLES = {"left", "right", "c", "p", "n"}
CONTRACT_RUNS = {"enter", "space", "f", "r", "p", "i", "d", "m", "o", "slash"}


@pytest.mark.parametrize(
    ("where", "contract"),
    [
        ("app", CONTRACT_APP),
        ("train", CONTRACT_TRAIN),
        ("chart", CONTRACT_CHART),
        ("plot", CONTRACT_PLOT),
        ("samples", CONTRACT_SAMPLES),
        ("runs", CONTRACT_RUNS),
    ],
)
def test_every_key_of_the_contract_is_in_the_table(where: str, contract: set[str]) -> None:
    assert contract <= {key for action in keys.of(where) for key in action.keys}


@pytest.mark.parametrize("action", MINE, ids=lambda action: f"{action.where}.{action.id}")
def test_the_owner_of_an_action_can_do_it(action: Action) -> None:
    method = "action_" + re.match(r"\w+", action.id)[0]
    assert callable(getattr(OWNERS[action.where], method, None))


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: f"{action.where}.{action.id}")
def test_every_action_says_what_it_does_in_a_sentence(action: Action) -> None:
    assert action.help.endswith(".")
    assert action.help[0].isupper() or action.help[0].islower()
    assert action.label
    assert action.group in GROUPS


@pytest.mark.parametrize("where", sorted({action.where for action in ACTIONS}))
def test_a_key_does_one_thing_for_an_owner(where: str) -> None:
    counted = Counter(key for action in keys.of(where) for key in action.keys)
    assert [key for key, times in counted.items() if times > 1] == []


def test_no_binding_goes_before_a_text_field() -> None:
    for where in {action.where for action in ACTIONS}:
        for binding in keys.bindings(where):
            assert isinstance(binding, Binding)
            assert not binding.priority


def test_no_function_needs_a_modified_key() -> None:
    for action in ACTIONS:
        if action.id != "focus_previous":  # the way back from tab, which tab alone reaches too
            assert any("+" not in key for key in action.keys), action


def test_keys_are_shown_as_people_know_them() -> None:
    shown = {action.id: action.shown for action in keys.of("app")}
    assert shown["help"] == "? F1"
    assert shown["palette"] == ": ctrl+p"
    assert shown["leave"] == "esc"
