"""Calling a person back when a long run has ended: the terminal's bell or a notification, where that is wanted.

A bell is safe everywhere. A notification is an escape sequence of which terminals have three kinds; one that is not
known to have any, and everything within tmux or screen, which keep such sequences to themselves, gets the bell instead.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Mapping

from gpt_tui.core.errors import shorten

CHOICES = ("off", "bell", "notification")
LONG_SECONDS = 60.0  # a run that took less was most likely watched
LONGEST = 200  # characters of a notification
SAID = {
    "off": "Nothing will ring when a run ends.",
    "bell": "The terminal's bell will ring when a run of more than a minute ends.",
    "notification": "A notification will come when a run of more than a minute ends; else a bell.",
}
BELL, BEGIN, END = "\a", "\x1b]", "\x1b\\"
_OSC_9 = ("iTerm.app", "WezTerm", "ghostty", "WarpTerminal")


def next_choice(choice: str) -> str:
    """The choice after this one; a choice that is none is taken for the first."""
    at = CHOICES.index(choice) if choice in CHOICES else 0
    return CHOICES[(at + 1) % len(CHOICES)]


def ring(
    choice: str, text: str, *, seconds: float, write: Callable[[str], None], environ: Mapping[str, str] = os.environ
) -> bool:
    """Call the person, if they want that and the run took long enough; whether they were called.

    text: what happened, in a sentence. seconds: how long the run was at work. write: to the terminal, as it is
    (Textual's `driver.write`): what is written moves no cursor and draws nothing.
    """
    if choice not in CHOICES[1:] or seconds <= LONG_SECONDS:
        return False
    write(BELL if choice == "bell" else notification(text, environ))
    return True


def notification(text: str, environ: Mapping[str, str]) -> str:
    """The sequence by which this terminal notifies; the bell where it has none.

    Control characters of the text are made visible, so that nothing in a run's name can end the sequence early.
    """
    body = shorten(text, LONGEST)
    kind = _kind(environ)
    if kind == "99":  # kitty's own; base64, so that no character means anything
        title, shown = (base64.b64encode(part.encode()).decode() for part in ("gpt-tui", body))
        first = f"{BEGIN}99;i=gpt-tui:d=0:p=title:e=1;{title}{END}"
        return f"{first}{BEGIN}99;i=gpt-tui:d=1:p=body:e=1;{shown}{END}"
    if kind == "777":  # urxvt's, which foot and VTE took over; semicolons part its fields
        return f"{BEGIN}777;notify;gpt-tui;{body.replace(';', ',')}{END}"
    if kind == "9":  # iTerm2's; to others "9;4;" would be progress, so the text never comes first
        return f"{BEGIN}9;gpt-tui: {body}{END}"
    return BELL


def _kind(environ: Mapping[str, str]) -> str:
    term, program = environ.get("TERM", ""), environ.get("TERM_PROGRAM", "")
    if "TMUX" in environ or "STY" in environ or term.startswith(("tmux", "screen")):
        return ""
    if "KITTY_WINDOW_ID" in environ or term == "xterm-kitty":
        return "99"
    if program in _OSC_9 or term == "xterm-ghostty":
        return "9"
    if term.startswith(("foot", "rxvt-unicode")) or "VTE_VERSION" in environ:
        return "777"
    return ""
