"""What tests of the whole program share: keys, waiting, and what was said."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from recording import screen_text
from textual import events
from textual.keys import _character_to_key, key_to_character
from textual.pilot import Pilot

from gpt_tui.tui.app import Playground
from gpt_tui.tui.widgets.footer import Footer
from patience import patiently


async def until(pilot: Pilot[None], true: Callable[[], Any]) -> None:
    """Let the program run until `true`; a test that waits in vain shows the screen."""
    for _ in patiently():
        await pilot.pause(0.05)
        if true():
            return
    raise AssertionError(f"waited in vain; the screen:\n{screen_text(pilot.app)}")


async def press(pilot: Pilot[None], *pressed: str) -> None:
    """Press keys while a run trains. Pilot.press would wait a second each for the process to be idle."""
    for key in pressed:
        name = _character_to_key(key) if len(key) == 1 else key
        pilot.app.post_message(events.Key(name, key if len(key) == 1 else key_to_character(name)))
        await pilot.pause(0.02)


def word(app: Playground) -> str:
    return app.state.word


def said(app: Playground) -> str:
    return " ".join(notification.message for notification in app._notifications)


def footer(app: Playground) -> str:
    return app.query_one(Footer).content.plain
