"""The terminal's size changes at any moment, many times: what is typed, pointed at, spoken and trained stays."""

from __future__ import annotations

import re
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from program import run

pytest.importorskip("termios", reason="there is no pseudo-terminal on Windows")
from acting import assert_saved_whole, assert_whole, events, find_field, furnish, opened, step_on_screen, tiny, train
from pseudo_terminal import Terminal

STORM = [
    (40, 10),
    (250, 70),
    (81, 24),
    (60, 16),
    (59, 15),
    (149, 33),
    (20, 3),
    (100, 17),
    (200, 60),
    (99, 50),
    (150, 24),
]


def shake(terminal: Terminal, columns: int = 80, rows: int = 24) -> None:
    """Many sizes at once; then some, each waited for; at last this one."""
    for size in STORM * 2:
        terminal.resize(*size)
    for size in [(40, 10), (250, 70), (60, 16), (columns, rows)]:
        terminal.resize(*size)
        terminal.wait(lambda size=size: is_drawn(terminal, *size))


def is_drawn(terminal: Terminal, columns: int, rows: int) -> bool:
    """Whether the newest frame is of this size."""
    lines = terminal.lines
    if (len(lines[0]), len(lines)) != (columns, rows):
        return False
    if columns < 60 or rows < 16:
        return bool(terminal.text.strip()) and "q quit" not in terminal.text
    return lines[0].rstrip().endswith("? help") and len(lines[0].rstrip()) == columns - 1 and bool(lines[-1].strip())


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A text, and an old run of 100 steps."""
    furnish(tmp_path)
    done = run(tmp_path, "--headless", "--quiet", *tiny(tmp_path), "--max-iters", "100", "--run-name", "older")
    assert done.returncode == 0, done.stderr
    return tmp_path


DEAF = """
import signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGWINCH])
from gpt_tui.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.soak
def test_a_new_size_that_no_signal_tells_is_seen_all_the_same(place: Path) -> None:
    with Terminal(place, argv=[sys.executable, "-c", DEAF, *tiny(place)]) as terminal:
        terminal.wait("■ READY")
        for size in [(120, 40), (60, 16), (80, 24)]:
            terminal.resize(*size)
            terminal.wait(lambda size=size: is_drawn(terminal, *size))


@pytest.mark.soak
def test_a_window_that_was_smaller_for_an_instant_is_drawn_anew(place: Path) -> None:
    with Terminal(place, *tiny(place)) as terminal:
        terminal.wait("■ READY")
        terminal.press("5")
        terminal.wait(lambda: "older" in terminal.text and is_drawn(terminal, 80, 24))
        before = at_rest(terminal, lambda terminal: terminal.lines)
        for smaller in [(70, 18), (30, 8)]:
            terminal.signal(signal.SIGSTOP)
            terminal.resize(*smaller)
            terminal.resize(80, 24)
            assert terminal.lines != before, "what was drawn is not lost"
            terminal.signal(signal.SIGCONT)
            terminal.wait(lambda: terminal.lines == before)


@pytest.mark.soak
def test_what_is_typed_while_the_machine_stands_still_and_the_window_shrinks_is_not_lost(place: Path) -> None:
    with Terminal(place, *tiny(place)) as terminal:
        train(terminal)
        terminal.press("5")
        terminal.wait("older")
        terminal.press("r")
        terminal.wait(lambda: titled(terminal, r"\S*"))
        for times in range(1, 4):
            terminal.signal(signal.SIGSTOP)
            terminal.press("an old one ")
            terminal.resize(40, 10)
            terminal.signal(signal.SIGCONT)
            terminal.wait(lambda: is_drawn(terminal, 40, 10))
            terminal.resize(80, 24)
            terminal.wait(lambda times=times: titled(terminal, ("an old one " * times).strip()))


def titled(terminal: Terminal, title: str) -> bool:
    """Whether the field for a run's title is open, with this pattern in it."""
    return bool(re.search(rf"^ title +{title}$", terminal.text, re.MULTILINE))


@pytest.mark.soak
def test_resizing_at_any_moment_loses_nothing(place: Path) -> None:
    with Terminal(place, *tiny(place), "--max-new-tokens", "600", "--run-name", "shaken") as terminal:
        terminal.wait("■ READY")
        shake(terminal)
        train(terminal, past=100)
        while_training_with_a_crosshair(terminal)
        while_a_field_is_open(terminal)
        while_the_palette_is_open(terminal)
        while_text_streams(terminal)
        while_words_are_asked_for(terminal)
        while_comparing(terminal)
        terminal.press("1")
        terminal.wait(lambda: step_on_screen(terminal) > 100)
        terminal.press("s")
        shake(terminal, 120, 40)
        terminal.wait("■ STOPPED")
        terminal.press("q")
        terminal.assert_ends()
        terminal.assert_restored()
    shaken = opened(place, "shaken")
    assert assert_whole(shaken) == assert_saved_whole(shaken, "stopped")
    assert [event["changes"] for event in events(shaken, "edit")] == [{"learning_rate": [0.012, 0.003]}]
    assert opened(place, "older").shelf_notes().title == "an old one"


def while_training_with_a_crosshair(terminal: Terminal) -> None:
    pointed = point(terminal)
    shake(terminal)
    terminal.wait(lambda: pointed_at(terminal) == pointed)
    terminal.press("esc")
    terminal.wait(lambda: not pointed_at(terminal))


def point(terminal: Terminal) -> str:
    """Put a chart's crosshair on the second place that it can have; what it reads there."""
    terminal.press("x", "home")
    terminal.wait(lambda: pointed_at(terminal) in ("step 0", "step 1"))
    terminal.press("right")
    terminal.wait(lambda: pointed_at(terminal) not in ("", "step 0", "step 1"))
    return pointed_at(terminal)


def pointed_at(terminal: Terminal) -> str:
    """The step that the crosshair reads out."""
    found = re.search(r"(?<!· )\bstep [\d,]+(?= {2,})", terminal.text)
    return found[0] if found else ""


def while_a_field_is_open(terminal: Terminal) -> None:
    terminal.press("2")
    terminal.wait("setup · beside shaken")
    find_field(terminal, "learning_rate")
    terminal.press("enter")
    terminal.wait("enter applies")
    terminal.press("end", *["backspace"] * 24, "0.00")
    terminal.wait(lambda: re.search(r"▸learning_rate +◂ *0\.00 ", terminal.text))
    shake(terminal)
    terminal.wait(lambda: re.search(r"▸learning_rate +◂ *0\.00 ", terminal.text))
    terminal.press("3", "enter")
    terminal.wait(lambda: re.search(r"▸learning_rate +◂ *0\.003▸", terminal.text))


def while_the_palette_is_open(terminal: Terminal) -> None:
    terminal.press(":")
    terminal.wait("enter does it")
    terminal.press("what nobody does")
    terminal.wait("no action has these words")
    shake(terminal)
    terminal.wait("what nobody does")
    terminal.press("esc")
    terminal.wait(lambda: "enter does it" not in terminal.text)


def while_text_streams(terminal: Terminal) -> None:
    terminal.press("4")
    terminal.wait(lambda: re.search(r"max_new_tokens +600", terminal.text))
    terminal.press("p")
    terminal.wait(lambda: re.search(r"^ prompt +empty: it starts", terminal.text, re.MULTILINE))
    terminal.press("the qu")
    shake(terminal)
    terminal.wait(lambda: re.search(r"^ prompt +the qu$", terminal.text, re.MULTILINE))
    terminal.press("een", "enter")
    terminal.wait("space stop")
    shake(terminal)
    terminal.wait("600 tokens")
    terminal.press("home")
    terminal.wait("Nothing stands before this token")
    terminal.press(*["right"] * 12)
    told = at_rest(terminal, likeliest)
    shake(terminal)
    terminal.wait(lambda: likeliest(terminal) == told)


def at_rest(terminal: Terminal, seen: Callable[[Terminal], list[str]]) -> list[str]:
    """What is seen once it is there and stays: a frame may still lack what the keys before it set off."""
    last, since = seen(terminal), time.monotonic()

    def stays() -> bool:
        nonlocal last, since
        if (now := seen(terminal)) != last:
            last, since = now, time.monotonic()
        return bool(last) and time.monotonic() - since > 1

    terminal.wait(stays)
    return last


def likeliest(terminal: Terminal) -> list[str]:
    """The figures of the tokens at the cursor."""
    return re.findall(r"\d\.\d{3}|<\.001", terminal.text)


def while_words_are_asked_for(terminal: Terminal) -> None:
    terminal.press("5")
    terminal.wait("older")
    terminal.press("G")
    terminal.wait("2/2")
    terminal.press("r")
    terminal.wait(lambda: titled(terminal, "older"))
    terminal.press("an old")
    shake(terminal)
    terminal.wait(lambda: titled(terminal, "an old"))
    terminal.press(" one", "enter")
    terminal.wait(lambda: re.search(r"▸ +an old one", terminal.text))
    shake(terminal)
    terminal.wait(lambda: re.search(r"▸ +an old one", terminal.text))


def while_comparing(terminal: Terminal) -> None:
    terminal.press("m", "g", "m", "o")
    terminal.wait("2 runs compared")
    terminal.wait("what differs")
    pointed = point(terminal)
    shake(terminal)
    terminal.wait(lambda: pointed_at(terminal) == pointed and "samples · at the crosshair" in terminal.text)
    terminal.press("esc", "esc")
    terminal.wait("2 marked")
