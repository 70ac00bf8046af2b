"""Keys wait for one another, and belong to the screen that they were typed at."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playing import said, until
from recording import screen_text
from textual import events
from textual.geometry import Size
from textual.pilot import Pilot
from textual.widgets import Input

from gpt_tui.tui import typed_keys
from gpt_tui.tui.app import Playground
from gpt_tui.tui.request import PlaygroundRequest


def at_once(pilot: Pilot[None], *happening: str | tuple[int, int] | events.Event) -> None:
    """Keys, new sizes and whatever else, each there before anything is done about the one before it."""
    for what in happening:
        if isinstance(what, str):
            what = events.Key(what, what if len(what) == 1 else None)
        elif isinstance(what, tuple):
            pilot.app._driver._size = what  # type: ignore[union-attr]  # as Pilot.resize_terminal does
            what = events.Resize(Size(*what), Size(*what))
        pilot.app.post_message(what)


@pytest.fixture
def slow_eyes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time for a test to press keys at a screen that has just become too small."""
    monkeypatch.setattr(typed_keys, "UNSEEN_SECONDS", 1.2)


async def opened_field(pilot: Pilot[None]) -> Input:
    """The field of n_layer, opened and empty."""
    await pilot.press("2", "slash", *"n_layer", "enter", "enter", "end", "backspace")
    assert isinstance(pilot.app.focused, Input)
    return pilot.app.focused


async def is_too_small(pilot: Pilot[None]) -> None:
    await until(pilot, lambda: "needs at least" in " ".join(screen_text(pilot.app).split()))


async def test_a_letter_typed_as_the_window_shrinks_is_in_the_field(
    request_for: Callable[..., PlaygroundRequest], slow_eyes: None
) -> None:
    app = Playground(request_for())
    async with app.run_test(size=(80, 24)) as pilot:
        field = await opened_field(pilot)
        at_once(pilot, "1", (40, 10))
        await pilot.pause(0.2)
        at_once(pilot, "2", (20, 3))
        await is_too_small(pilot)
        assert field.value == "12"
        await pilot.press("3")  # the notice is seen: this is not meant for the field
        at_once(pilot, (80, 24))
        await until(pilot, lambda: app.focused is field)
        assert field.value == "12"


async def test_a_key_pressed_as_the_window_shrinks_does_what_it_says(
    request_for: Callable[..., PlaygroundRequest], slow_eyes: None
) -> None:
    app = Playground(request_for())
    async with app.run_test(size=(80, 24)) as pilot:
        at_once(pilot, (40, 10))
        await pilot.pause(0.2)
        at_once(pilot, "2")
        await is_too_small(pilot)
        assert app.stage.name_in_sight == "setup"


async def test_a_window_that_was_too_small_for_an_instant_is_as_it_was(
    request_for: Callable[..., PlaygroundRequest],
) -> None:
    app = Playground(request_for())
    async with app.run_test(size=(80, 24)) as pilot:
        field = await opened_field(pilot)
        at_once(pilot, (40, 10), "1", (100, 30), "2", (40, 10), (20, 3), (90, 20), "3")
        await until(pilot, lambda: field.value == "123" and app.size == (90, 20))
        assert app.focused is field
        at_once(pilot, (59, 16))
        await is_too_small(pilot)
        assert app.size == (59, 16)


async def test_what_is_pasted_waits_for_the_keys_before_it_and_the_keys_behind_it_wait_too(
    request_for: Callable[..., PlaygroundRequest],
) -> None:
    app = Playground(request_for())
    async with app.run_test(size=(80, 24)) as pilot:
        await opened_field(pilot)
        at_once(pilot, "1", events.Paste("2"), "enter")
        await until(pilot, lambda: app.stage.setup is not None and app.focused is app.stage.setup.pane)
        assert app.stage.form is not None
        assert app.stage.form.model.n_layer == 12


async def test_what_was_said_goes_with_the_next_key_and_a_warning_stays(
    request_for: Callable[..., PlaygroundRequest],
) -> None:
    app = Playground(request_for())
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("w")
        assert "w saves a checkpoint" in said(app)
        await pilot.press("2")
        assert not said(app)
        app.say("the disk is full", "warning")
        await pilot.press("1")
        assert "the disk is full" in said(app)
