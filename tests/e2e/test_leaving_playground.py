"""The playground is left while its run cannot be: on a disk that hangs, in a long step, or as the run breaks."""

from __future__ import annotations

import re
import shlex
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gpt_tui.core.runs import Run

pytest.importorskip("termios", reason="there is no pseudo-terminal on Windows")
from acting import assert_saved_whole, furnish, opened, tiny, train
from pseudo_terminal import Terminal

pytestmark = pytest.mark.soak

LONG_STEPS = ["--gradient-accumulation-steps", "400", "--batch-size", "64"]  # a second or two each

# A disk that answers no more once there is a file of this name, and less patience than a person would have.
DEAD_DISK = """
import os, pathlib, sys, time
from gpt_tui.core import session
from gpt_tui.tui import app, door
sync, dead = os.fsync, pathlib.Path("dead")
def fsync(descriptor):
    while dead.exists():
        time.sleep(0.05)
    sync(descriptor)
os.fsync = fsync
session.SAVING_SECONDS = float(os.environ["SECONDS"])
app.PATIENCE_SECONDS, app.SAVE_SECONDS = 0.5, 1.0
door.SAVE_SECONDS = 1.0
from gpt_tui.cli import program
program()
"""

RESUME = re.compile(r"the run was left before it was saved; (gpt-tui --resume .*) goes on\s+from its\s+last checkpoint")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    furnish(tmp_path)
    return tmp_path


@pytest.fixture
def on_a_dying_disk(place: Path) -> Callable[[str], Terminal]:
    argv = [sys.executable, "-c", DEAD_DISK, *tiny(place), "--run-name", "hangs"]
    return lambda seconds: Terminal(place, argv=argv, columns=200, rows=40, SECONDS=seconds)


def assert_told_how_to_go_on(terminal: Terminal, place: Path) -> None:
    found = RESUME.search(terminal.afterwards)
    assert found, terminal.afterwards
    assert shlex.split(found[1]) == ["gpt-tui", "--resume", "hangs", "--runs-dir", str(place / "runs")]
    assert Run.open(place / "runs" / "hangs").state() == "interrupted"


def test_a_disk_that_hangs_holds_up_leaving_only_for_a_while(
    on_a_dying_disk: Callable[[str], Terminal], place: Path
) -> None:
    with on_a_dying_disk("3") as terminal:
        train(terminal)
        (place / "dead").touch()
        terminal.press("q")
        terminal.assert_ends(1)
        terminal.assert_restored()
        assert "still being saved" in terminal.afterwards
        assert_told_how_to_go_on(terminal, place)


def test_a_signal_on_a_disk_that_hangs_leaves_with_its_own_status(
    on_a_dying_disk: Callable[[str], Terminal], place: Path
) -> None:
    with on_a_dying_disk("3") as terminal:
        train(terminal)
        (place / "dead").touch()
        terminal.signal(signal.SIGTERM)
        terminal.assert_ends(143)
        terminal.assert_restored()
        assert_told_how_to_go_on(terminal, place)


def test_who_asks_a_second_time_does_not_wait_for_the_disk(
    on_a_dying_disk: Callable[[str], Terminal], place: Path
) -> None:
    with on_a_dying_disk("1000") as terminal:
        train(terminal)
        (place / "dead").touch()
        terminal.press("q", "q")
        terminal.assert_ends(1)
        terminal.assert_restored()
        assert_told_how_to_go_on(terminal, place)


def test_ctrl_c_ends_the_waiting_for_a_disk(on_a_dying_disk: Callable[[str], Terminal], place: Path) -> None:
    with on_a_dying_disk("1000") as terminal:
        train(terminal)
        (place / "dead").touch()
        terminal.press("q")
        terminal.wait(lambda: "ctrl+c leaves without that" in terminal.text)
        terminal.signal(signal.SIGINT)
        terminal.assert_ends(130)
        assert_told_how_to_go_on(terminal, place)


def test_a_signal_that_comes_twice_still_waits_for_the_step(place: Path) -> None:
    with Terminal(place, *tiny(place, *LONG_STEPS), "--run-name", "long", columns=120, rows=40) as terminal:
        train(terminal, past=0)
        terminal.signal(signal.SIGTERM)
        terminal.wait("saving…")
        terminal.signal(signal.SIGTERM)
        terminal.assert_ends(143)
        terminal.assert_restored()
    assert assert_saved_whole(opened(place, "long"), "signal") >= 1


def test_a_window_that_closes_during_a_step_loses_nothing(place: Path) -> None:
    with Terminal(place, *tiny(place, *LONG_STEPS), "--run-name", "long", columns=120, rows=40) as terminal:
        train(terminal, past=0)
        terminal.hang_up()
        assert terminal.end() == 129
    assert assert_saved_whole(opened(place, "long"), "signal") >= 1


@pytest.mark.parametrize("leave", ["q", signal.SIGTERM], ids=str)
def test_a_run_that_diverges_as_it_is_left_says_so_in_the_status(leave: str | signal.Signals, place: Path) -> None:
    # Its second step is that of weights that have left every range, and takes a second or two as well.
    wild = ["--optimizer", "adamw", "--zero-init", "false", "--learning-rate", "100", "--lr-schedule", "constant",
            "--warmup-iters", "0", "--norm", "none", "--qk-norm", "false", "--activation", "relu2", "--n-layer", "4",
            "--batch-size", "64", "--gradient-accumulation-steps", "200"]  # fmt: skip
    with Terminal(place, *tiny(place, *wild), "--run-name", "wild", columns=120, rows=40) as terminal:
        train(terminal, past=0)
        if isinstance(leave, str):
            terminal.press(leave)
        else:
            terminal.signal(leave)
        terminal.assert_ends(3)
        terminal.assert_restored()
        assert "wild diverged after step 1" in terminal.afterwards
    assert Run.open(place / "runs" / "wild").state() == "failed"
