"""A person is called when a long run ends, if they want it, and the terminal is left as it was."""

from __future__ import annotations

import base64
import re

import pyte
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt_tui.tui.bell import CHOICES, LONG_SECONDS, SAID, next_choice, notification, ring

KITTY = {"TERM": "xterm-kitty"}
ITERM = {"TERM": "xterm-256color", "TERM_PROGRAM": "iTerm.app"}
FOOT = {"TERM": "foot"}
GNOME = {"TERM": "xterm-256color", "VTE_VERSION": "7402"}
PLAIN = {"TERM": "xterm-256color"}
TERMINALS = [KITTY, ITERM, FOOT, GNOME, PLAIN, {}]


def rung(choice: str, seconds: float, environ: dict[str, str] = PLAIN) -> list[str]:
    written: list[str] = []
    assert ring(choice, "the run is finished", seconds=seconds, write=written.append, environ=environ) == bool(written)
    return written


def test_nothing_rings_unless_it_is_wanted_and_the_run_was_long() -> None:
    assert rung("off", 1e6) == []
    assert rung("bell", LONG_SECONDS) == []
    assert rung("bell", LONG_SECONDS + 1) == ["\a"]
    assert rung("nonsense", 1e6) == []


def test_the_choices_go_round_and_each_says_what_it_does() -> None:
    assert [next_choice(choice) for choice in CHOICES] == ["bell", "notification", "off"]
    assert next_choice("nonsense") == "bell"
    assert set(SAID) == set(CHOICES)


@pytest.mark.parametrize(
    ("environ", "begins"),
    [
        (KITTY, "\x1b]99;"), ({**PLAIN, "KITTY_WINDOW_ID": "1"}, "\x1b]99;"), (ITERM, "\x1b]9;gpt-tui: "),
        ({"TERM": "xterm-ghostty"}, "\x1b]9;"), (FOOT, "\x1b]777;notify;gpt-tui;"), (GNOME, "\x1b]777;notify;"),
        (PLAIN, "\a"), ({}, "\a"), ({**ITERM, "TMUX": "/tmp/tmux"}, "\a"), ({**KITTY, "STY": "1.pts"}, "\a"),
        ({"TERM": "tmux-256color", "TERM_PROGRAM": "iTerm.app"}, "\a"),
    ],
)  # fmt: skip
def test_a_notification_is_of_the_terminal_s_kind_and_a_bell_where_it_has_none(
    environ: dict[str, str], begins: str
) -> None:
    (written,) = rung("notification", 100, environ)
    assert written.startswith(begins)


def test_what_happened_is_in_the_notification() -> None:
    assert "the run is finished: 1.83, at last" in notification("the run is finished: 1.83; at last", FOOT)
    body = notification("vérité", KITTY).split(";")[-1].removesuffix("\x1b\\")
    assert base64.b64decode(body).decode() == "vérité"


@pytest.mark.parametrize("environ", TERMINALS)
@given(text=st.text(max_size=300) | st.just("\x1b\\\x1b[2J\x07\x9c\x9b2Jx\ud800"))
def test_no_text_ends_the_sequence_early(environ: dict[str, str], text: str) -> None:
    written = notification(text, environ)
    written.encode()
    inside = re.sub(r"\x1b\](?:9|99|777);([^\x1b]*)\x1b\\|^\x07$", r"\1", written)
    assert inside.isprintable()


@pytest.mark.parametrize("environ", TERMINALS)
def test_a_terminal_draws_nothing_of_it(environ: dict[str, str]) -> None:
    screen = pyte.Screen(40, 5)
    stream = pyte.Stream(screen)
    stream.feed("before")
    stream.feed(notification("finished\x1b[2J", environ))
    stream.feed(" after")
    assert screen.display[0].rstrip() == "before after"
