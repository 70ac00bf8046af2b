"""The person's own editor has the terminal: what the program obeys meanwhile, and how it comes back."""

from __future__ import annotations

import shlex
import signal
import sys
from pathlib import Path

import pytest

pytest.importorskip("termios", reason="there is no pseudo-terminal on Windows")
from acting import assert_saved_whole, furnish, opened, tiny, train
from pseudo_terminal import Terminal

# Takes the terminal as editors do, says so, and waits: ctrl+c makes it say so too, a letter saves and ends it.
EDITOR = """
import os, signal, sys, termios, tty
before = termios.tcgetattr(0)
(tty.setraw if "raw" in sys.argv else tty.setcbreak)(0)
signal.signal(signal.SIGINT, lambda *_: os.write(1, b"interrupted "))
if "deaf" in sys.argv:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.write(1, b"editing ")
os.read(0, 1)
termios.tcsetattr(0, termios.TCSANOW, before)
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    furnish(tmp_path)
    (tmp_path / "editor.py").write_text(EDITOR, encoding="utf-8")
    return tmp_path


def editor(*how: str) -> str:
    return shlex.join([sys.executable, "-IS", "editor.py", *how])


def open_editor(terminal: Terminal) -> None:
    terminal.press("e")
    terminal.wait("editing")


def open_editor_while_training(terminal: Terminal, place: Path) -> int:
    """The last step of the run "edits" when the editor had the terminal; it has gone on since."""
    train(terminal)
    open_editor(terminal)
    run = opened(place, "edits")
    step = run.history().step
    terminal.wait(lambda: run.history().step > step)
    return step


def test_keys_that_interrupt_belong_to_the_editor_and_the_program_is_there_again_after_it(place: Path) -> None:
    with Terminal(place, *tiny(place), columns=120, rows=40, EDITOR=editor()) as terminal:
        terminal.wait("READY")
        open_editor(terminal)
        terminal.press("\x03")
        terminal.wait("interrupted")
        terminal.press("x")
        terminal.wait("READY")
        terminal.press("?")
        terminal.wait("Nothing runs yet")
        terminal.press("?", "q")
        terminal.assert_ends()
        terminal.assert_restored()


def test_an_editor_that_cannot_be_run_is_told_and_the_program_lives_on(place: Path) -> None:
    with Terminal(place, *tiny(place), columns=120, rows=40, EDITOR="no-such-editor") as terminal:
        terminal.wait("READY")
        terminal.press("e")
        terminal.wait("no-such-editor cannot be run here")
        terminal.press("q")
        terminal.assert_ends()
        terminal.assert_restored()


def test_a_signal_is_obeyed_though_the_editor_has_the_terminal_and_a_deaf_one_leaves_it_as_it_was(place: Path) -> None:
    with Terminal(place, *tiny(place), columns=120, rows=40, EDITOR=editor("raw", "deaf")) as terminal:
        terminal.wait("READY")
        open_editor(terminal)
        terminal.signal(signal.SIGTERM)
        terminal.assert_ends(143)
        terminal.assert_restored()


@pytest.mark.soak
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_while_the_editor_is_open_saves_the_run(number: signal.Signals, place: Path) -> None:
    named = [*tiny(place), "--run-name", "edits"]
    with Terminal(place, *named, columns=120, rows=40, EDITOR=editor("raw")) as terminal:
        step = open_editor_while_training(terminal, place)
        terminal.signal(number)
        terminal.assert_ends(128 + number)
        terminal.assert_restored()
    assert assert_saved_whole(opened(place, "edits"), "signal") > step


@pytest.mark.soak
def test_a_window_that_closes_on_the_editor_loses_nothing(place: Path) -> None:
    named = [*tiny(place), "--run-name", "edits"]
    with Terminal(place, *named, columns=120, rows=40, EDITOR=editor("raw")) as terminal:
        step = open_editor_while_training(terminal, place)
        terminal.hang_up()
        assert terminal.end() == 129
    assert assert_saved_whole(opened(place, "edits"), "signal") > step
