"""Random keys over all views, at changing sizes, while models train: the program and every run outlive it.

SOAK_SECONDS is how long the keys are pressed (300), SOAK_SEED what they are drawn with; the seed is told on failing.
"""

from __future__ import annotations

import json
import os
import random
import re
import time
from pathlib import Path

import pytest

from gpt_tui.core.runs import Run, Shelf, load_checkpoint
from gpt_tui.tui.keys import ACTIONS
from program import run

pytest.importorskip("termios", reason="there is no pseudo-terminal on Windows")
from acting import TINY_FILE, furnish
from pseudo_terminal import KEYS, Terminal

SECONDS = float(os.environ.get("SOAK_SECONDS", "300"))
SEED = int(os.environ.get("SOAK_SEED", "0")) or random.SystemRandom().randrange(1, 10**6)
NAMED = {
    "escape": "esc", "full_stop": ".", "left_square_bracket": "[", "right_square_bracket": "]", "semicolon": ";",
    "less_than_sign": "<", "greater_than_sign": ">", "colon": ":", "question_mark": "?", "plus": "+",
    "equals_sign": "=", "minus": "-", "slash": "/",
}  # fmt: skip
LEAVING = {"q", "ctrl+q"}
SIZES = [(80, 24), (120, 40), (200, 60), (60, 16), (40, 10), (100, 30), (250, 70)]


def keys_of_the_table() -> list[str]:
    """Every key that does something, but those that leave the program."""
    found = {NAMED.get(key, key) for action in ACTIONS for key in action.keys} - LEAVING
    return [*sorted(found - {"ctrl+p", "f1", "shift+tab"}), "\x10", "\x1bOP", "\x1b[Z"]


@pytest.mark.soak
def test_random_keys_while_training_end_with_a_healthy_program_and_whole_runs(tmp_path: Path) -> None:
    text = furnish(tmp_path)
    (tmp_path / "config.toml").write_text(f'{TINY_FILE}[data]\ndataset = "{text}"\n', encoding="utf-8")
    print(f"SOAK_SEED={SEED}")
    draw = random.Random(SEED)
    with Terminal(tmp_path) as terminal:
        terminal.wait("▸ Watch it learn")
        terminal.press("enter")
        terminal.wait("● TRAINING")
        press_at_random(terminal, draw)
        catch_up(terminal, 0)
        assert_alive(terminal, tmp_path)
        terminal.press("q")
        terminal.assert_ends()
        terminal.assert_restored()
    assert not list(tmp_path.rglob("crash-*")), "an error that nobody foresaw was written down"
    shelf = Shelf(tmp_path / "runs").runs()
    assert shelf, "no run was ever begun"
    for kept in shelf:
        assert_whole(kept)
    listed = run(tmp_path, "runs", "--json")
    assert listed.returncode == 0, listed.stderr
    assert {found["name"] for found in json.loads(listed.stdout)} == {kept.name for kept in shelf}


def press_at_random(terminal: Terminal, draw: random.Random) -> None:
    """Keys in small bursts, now and then another size; every few seconds the program has to have obeyed them all."""
    table, names = keys_of_the_table(), [name for name in KEYS if name != "backspace"]
    letters = [chr(code) for code in range(ord(" "), ord("~") + 1) if chr(code) != "q"]
    pressed: list[str] = []
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        for _ in range(draw.choice([1, 1, 2, 2, 3, 12])):
            kind = draw.random()
            key = draw.choice(table if kind < 0.6 else names if kind < 0.8 else letters)
            pressed.append(key)
            terminal.press(key)
        if draw.random() < 0.05:
            size = draw.choice(SIZES)
            pressed.append(f"{size[0]}x{size[1]}")
            terminal.resize(*size)
        if draw.random() < 0.1:
            view = draw.choice("12345")
            pressed += ["esc", "esc", "esc", view]
            leave_everything(terminal, 3)
            terminal.press(view)
        if draw.random() < 0.05:
            try:
                catch_up(terminal, len(pressed))
            except AssertionError as error:
                raise AssertionError(f"SOAK_SEED={SEED}: after {pressed[-80:]}:\n{error}") from None
        time.sleep(draw.random() * 0.5)


def leave_everything(terminal: Terminal, times: int = 6) -> None:
    """Press esc, and pause: together with the key after it, it would be read as alt and that key."""
    for _ in range(times):
        terminal.press("esc")
        time.sleep(0.05)
    time.sleep(0.3)


def catch_up(terminal: Terminal, number: int) -> None:
    """Wait until all keys so far have been obeyed: until the palette shows what is typed into it now."""
    terminal.resize(120, 40)
    leave_everything(terminal)
    terminal.press(":")
    terminal.press(f"after {number} keys")
    terminal.wait(f"after {number} keys", seconds=120)
    leave_everything(terminal, 1)
    terminal.wait(lambda: "enter does it" not in terminal.text)


def assert_alive(terminal: Terminal, place: Path) -> None:
    """It answers to keys, and a run that is at work moves on."""
    terminal.press("2")
    terminal.wait("setup ·")
    terminal.press("5")
    terminal.wait("─ runs")
    terminal.press("1")
    terminal.wait(lambda: "setup ·" not in terminal.text and "─ runs" not in terminal.text)
    state = terminal.wait(lambda: re.search(r"● TRAINING|‖ PAUSED|■ \w+|✕ FAILED|! INTERRUPTED", terminal.lines[0]))
    if state[0] == "● TRAINING":
        before = written(place)  # the screen may be all chart, which shows no step
        terminal.wait(lambda: written(place) > before or "TRAINING" not in terminal.lines[0])


def written(place: Path) -> int:
    """How much all runs have in their logs."""
    return sum(log.stat().st_size for log in place.glob("runs/*/events.jsonl"))


def assert_whole(kept: Run) -> None:
    """Nobody holds it; every step is there once; its newest checkpoint can be trusted."""
    assert kept.state() != "live"
    history = kept.history()
    parent = kept.record().parent
    since = parent.step if parent is not None else 0
    assert history.steps.tolist() == list(range(since + 1, since + 1 + len(history.steps)))
    assert not history.skipped
    checkpoints = kept.checkpoints()
    if checkpoints:
        assert load_checkpoint(checkpoints[-1].path).step == checkpoints[-1].step <= history.step
