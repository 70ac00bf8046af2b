"""What stories of the real program share: a place with a text and a small model, what a person does, what is left."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path
from typing import Any

from pseudo_terminal import Terminal

from gpt_tui.core.runs import Run, Shelf, load_checkpoint

SIZES = [(80, 24), (120, 40), (200, 60)]
TINY = [
    "--n-layer", "1", "--n-embd", "16", "--n-head", "1", "--block-size", "8", "--batch-size", "4",
    "--eval-interval", "100", "--eval-iters", "2", "--max-new-tokens", "40", "--max-iters", "100000",
]  # fmt: skip
TINY_FILE = """
[model]
n_layer = 1
n_embd = 16
n_head = 1
block_size = 8
[training]
batch_size = 4
eval_interval = 100
eval_iters = 2
max_iters = 100000
[sampling]
max_new_tokens = 40
"""


def furnish(place: Path) -> Path:
    """Put a text of 23 different characters into the place; its path."""
    words = ["the", "and", "of", "king", "queen", "crown", "night", "day", "speak", "love", "hand", "heart\n"]
    draw = random.Random(1)
    text = place / "text.txt"
    text.write_text(" ".join(draw.choice(words) for _ in range(2000)), encoding="utf-8")
    return text


def tiny(place: Path, *more: str) -> list[str]:
    return ["--dataset", str(place / "text.txt"), *TINY, *more]


# What is done ----------------------------------------------------------------------------------------------------


def step_on_screen(terminal: Terminal) -> int:
    """What Train's strip says; -1 where it is not in sight."""
    found = re.search(r"step +(\d+)/", terminal.text)
    return int(found[1]) if found else -1


def train(terminal: Terminal, past: int = 1) -> None:
    """Press space, and wait until the run is at work beyond that step."""
    terminal.wait("READY")
    terminal.press("space")
    terminal.wait(lambda: "● TRAINING" in terminal.text and step_on_screen(terminal) > past)


def find_field(terminal: Terminal, name: str) -> None:
    """In Setup: show only this field. Each key waits for what the one before it does."""
    terminal.press("/")
    terminal.wait("letters of a field's name")
    terminal.press(name, "enter")
    terminal.wait(f"“{name}”: 1 of")


def enter_value(terminal: Terminal, name: str, value: str) -> None:
    """Type a value for the field under the cursor."""
    terminal.press("enter")
    terminal.wait("enter applies")
    terminal.press("end", *["backspace"] * 24)
    terminal.wait(lambda: re.search(rf"▸{name} +◂ +│", terminal.text))
    terminal.press(value)
    terminal.wait(lambda: re.search(rf"▸{name} +◂ *{re.escape(value)}", terminal.text))
    terminal.press("enter")
    terminal.wait(lambda: "enter applies" not in terminal.text or "✕" in terminal.text)


# What is left ----------------------------------------------------------------------------------------------------


def opened(place: Path, name: str) -> Run:
    return Shelf(place / "runs").find(name)[0]


def events(run: Run, kind: str) -> list[dict[str, Any]]:
    lines = (run.path / "events.jsonl").read_text(encoding="utf-8").splitlines()
    return [event for event in map(json.loads, lines) if event["event"] == kind]


def assert_whole(run: Run, since: int = 0) -> int:
    """Every step after `since` is there once, and the newest checkpoint's checksums hold. The run's last step."""
    history = run.history()
    assert history.steps.tolist() == list(range(since + 1, history.step + 1)), run.path
    assert not history.skipped
    newest = run.checkpoints()[-1]
    assert load_checkpoint(newest.path).step == newest.step
    return history.step


def assert_saved_whole(run: Run, status_reason: str) -> int:
    """The run was ended and saved: nobody holds it, its newest checkpoint's checksums hold. The step it ended at."""
    end = events(run, "finished")[-1]
    assert (run.state(), end["reason"]) == ("stopped", status_reason)
    newest = run.checkpoints()[-1]
    assert newest.step == end["step"]
    assert load_checkpoint(newest.path).step == end["step"]
    return int(end["step"])
