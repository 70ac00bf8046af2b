"""The first start: three ways to begin, none of which is in the way."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from recording import screen_text
from textual.pilot import Pilot
from textual.widgets import Input

from gpt_tui.core.config import Layer, resolve
from gpt_tui.tui import preferences
from gpt_tui.tui.app import Playground
from gpt_tui.tui.preferences import Preferences
from gpt_tui.tui.request import PlaygroundRequest
from gpt_tui.tui.views.welcome import Welcome

TEXT = "To be, or not to be, that is the question.\n" * 60


def playground(tmp_path: Path, **more: object) -> Playground:
    return Playground(PlaygroundRequest(resolve([]), tmp_path / "runs", **more))  # type: ignore[arg-type]


async def welcomed(pilot: Pilot[None]) -> bool:
    for _ in range(40):
        await pilot.pause(0.05)
        if isinstance(pilot.app.screen, Welcome) and "Watch it learn" in screen_text(pilot.app):
            return True
    return False


@pytest.mark.parametrize("size", [(60, 16), (80, 24), (120, 40), (200, 60)])
async def test_the_first_start_offers_three_ways_in_plain_words(tmp_path: Path, size: tuple[int, int]) -> None:
    app = playground(tmp_path)
    async with app.run_test(size=size) as pilot:
        assert await welcomed(pilot)
        for words in ("Watch it learn", "Open my own text", "Look at an old run", "esc looks around"):
            assert words in screen_text(app)


async def test_a_later_start_does_not_ask_again(tmp_path: Path, state_dir: Path) -> None:
    preferences.save(state_dir, Preferences())
    app = playground(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        assert not await welcomed(pilot)


async def test_who_says_what_to_train_is_not_asked(tmp_path: Path) -> None:
    app = Playground(PlaygroundRequest(resolve([Layer("flag", {"n_layer": 2})]), tmp_path / "runs"))
    async with app.run_test(size=(80, 24)) as pilot:
        assert not await welcomed(pilot)


async def test_every_key_of_moving_moves_and_any_other_says_what_is_possible(tmp_path: Path) -> None:
    app = playground(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        assert await welcomed(pilot)
        first, second, last = "▸ Watch it learn", "▸ Open my own text", "▸ Look at an old run"
        moves = [("end", last), ("home", first), ("G", last), ("k", second), ("g", first), ("j", second), ("up", first)]
        for key, way in moves:
            await pilot.press(key)
            await pilot.pause()
            assert way in screen_text(app), key
        for key, called in (("x", "x"), ("5", "5"), ("f5", "F5"), ("question_mark", "?"), ("pageup", "pgup")):
            await pilot.press(key)
            await pilot.pause()
            assert f"{called} does nothing yet; enter takes a choice, esc looks around" in screen_text(app)
            assert isinstance(app.screen, Welcome)


@pytest.mark.parametrize(
    ("keys", "again"),
    [
        (("x",), True),
        pytest.param(("escape",), False, marks=pytest.mark.soak),
        pytest.param(("end", "enter"), False, marks=pytest.mark.soak),
    ],
)
async def test_it_asks_again_at_the_next_start_until_it_is_answered(
    tmp_path: Path, keys: tuple[str, ...], again: bool
) -> None:
    app = playground(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        assert await welcomed(pilot)
        await pilot.press(*keys)
        await pilot.pause()
        app.leave(0)
    app = playground(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        assert await welcomed(pilot) is again


async def test_the_old_runs_are_one_choice(tmp_path: Path) -> None:
    app = playground(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        assert await welcomed(pilot)
        await pilot.press("down", "down", "enter")
        await pilot.pause()
        assert app.stage.name_in_sight == "runs"


def unwrapped(app: Playground) -> str:
    """What the screen says, wherever its lines end: a path may be of any length."""
    return " ".join(screen_text(app).replace("│", " ").split())


@pytest.mark.soak
async def test_a_text_of_ones_own_is_completed_checked_chosen_and_explained(tmp_path: Path) -> None:
    (tmp_path / "my-play.txt").write_text(TEXT)
    app = playground(tmp_path)
    async with app.run_test(size=(120, 40)) as pilot:
        assert await welcomed(pilot)
        await pilot.press("j", "enter", *str(tmp_path / "nothing"), "enter")
        for _ in range(100):
            await pilot.pause(0.05)
            if "cannot be read: No such file" in unwrapped(app):
                break
        assert "cannot be read: No such file" in unwrapped(app)
        await pilot.press("ctrl+u", *str(tmp_path / "my-p"))
        await pilot.pause(0.2)
        await pilot.press("tab", "enter")
        for _ in range(100):
            await pilot.pause(0.05)
            if "what a model reads of" in screen_text(app):
                break
        await pilot.press("escape")
        await pilot.pause()
        assert app.stage.name_in_sight == "setup"
        assert app.stage.form is not None
        assert app.stage.form.data.dataset == str(tmp_path / "my-play.txt")


@pytest.mark.skipif(sys.platform == "win32", reason="pipes with names are those of Unix")
async def test_a_path_that_is_no_text_is_told_and_can_be_mended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    Path("void.txt").touch()
    Path("folder").mkdir()
    app = playground(tmp_path)
    async with app.run_test(size=(200, 40)) as pilot:
        assert await welcomed(pilot)
        await pilot.press("j", "enter")
        for path, why in (
            ("~nobody-has-this-name/play.txt", "cannot be read: No such file"),
            ("pipe", "pipe is no file that holds a text"),
            ("folder", "folder is a folder: name a file in it"),
            ("void.txt", "void.txt is empty"),
        ):
            app.screen.query_one(Input).value = path
            await pilot.press("enter")
            await pilot.pause()
            assert why in screen_text(app)


async def test_esc_goes_back_from_the_path_and_then_looks_around(tmp_path: Path) -> None:
    app = playground(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        assert await welcomed(pilot)
        await pilot.press("down", "enter", "x", "escape")
        await pilot.pause()
        assert isinstance(app.screen, Welcome)
        await pilot.press("escape")
        await pilot.pause()
        assert not isinstance(app.screen, Welcome)
        assert "READY" in screen_text(app)


@pytest.mark.parametrize("moment", ["before the first frame", "later"])
async def test_leaving_while_it_comes_is_no_error(tmp_path: Path, state_dir: Path, moment: str) -> None:
    preferences.save(state_dir, Preferences())
    app = playground(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        assert moment != "later" or not await welcomed(pilot)
        app.leave(130)
        app.push_screen(Welcome())
    assert (app.crash, app.status) == (None, 130)
