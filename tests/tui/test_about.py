"""Help explains every view and every pane before it lists their keys; rooms are split by keys and stay so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playing import press, until, word
from recording import screen_text

from gpt_tui.core.config import Layer, resolve
from gpt_tui.core.session import Plan, Session
from gpt_tui.tui import panes
from gpt_tui.tui.about import about
from gpt_tui.tui.app import Playground
from gpt_tui.tui.overlays import Help
from gpt_tui.tui.request import PlaygroundRequest
from gpt_tui.tui.stage import VIEWS
from patience import PATIENCE

TEXT = "".join(f"ANNA:\nThe house of Anna is number {n}.\n\nBEN:\nThe river is {n}.\n\n" for n in range(80))
SMALL: dict[str, Any] = {
    "n_layer": 1, "n_head": 2, "n_embd": 16, "block_size": 8, "batch_size": 4, "max_iters": 20, "warmup_iters": 4,
    "eval_interval": 10, "eval_iters": 2, "max_new_tokens": 20, "threads": 1,
}  # fmt: skip


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., PlaygroundRequest]:
    """Requests on a shelf with two finished runs."""
    folder = tmp_path_factory.mktemp("kept")
    (folder / "play.txt").write_text(TEXT, encoding="utf-8")
    resolved = resolve([Layer("test", {**SMALL, "dataset": str(folder / "play.txt")})])
    for name in ("one", "two"):
        session = Session(Plan(resolved.config, folder / "runs", name))
        session.start()
        assert session.join(PATIENCE)
    return lambda **more: PlaygroundRequest(resolved, folder / "runs", "quick", **more)


@pytest.mark.soak
async def test_every_pane_of_every_view_is_explained(kept: Callable[..., PlaygroundRequest]) -> None:
    app = Playground(kept(open="one"))
    async with app.run_test(size=(200, 60)) as pilot:
        await until(pilot, lambda: word(app) == "FINISHED" and "20/20" in screen_text(app))
        for view in VIEWS:
            app.action_view(view)
            await until(pilot, lambda: app.focused is not None and app.focused in app.stage.in_sight.walk_children())
            for pane in panes.panes_of(app.stage.in_sight):
                assert len(about(view, pane.label)) == 2, (view, pane.label)  # type: ignore[attr-defined]
        await until(pilot, lambda: "one" in screen_text(app) and "two" in screen_text(app))
        await press(pilot, "m", "j", "m", "o")
        await until(pilot, lambda: "what differs" in screen_text(app))
        for pane in panes.panes_of(app.stage.in_sight):
            assert len(about("runs", pane.label)) == 2, pane.label  # type: ignore[attr-defined]


async def test_help_says_what_the_chart_shows_before_its_keys(kept: Callable[..., PlaygroundRequest]) -> None:
    app = Playground(kept(open="one"))
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: word(app) == "FINISHED" and "20/20" in screen_text(app))
        await press(pilot, "question_mark")
        await until(pilot, lambda: isinstance(app.screen, Help) and "nats a token" in screen_text(app))
        shown = screen_text(app)
        assert shown.index("nats a token") < shown.index("Train watches one run") < shown.index("Move the crosshair")


SOAK = pytest.mark.soak


@pytest.mark.parametrize("size", [(80, 24), pytest.param((120, 40), marks=SOAK), pytest.param((200, 60), marks=SOAK)])
async def test_the_split_moves_by_keys_and_survives_a_restart(
    kept: Callable[..., PlaygroundRequest], size: tuple[int, int]
) -> None:
    app = Playground(kept(open="one"))
    across = size[0] >= 100

    def share(app: Playground) -> int:
        left = app.stage.train.query_one("#left").size
        return left.width if across else left.height

    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: word(app) == "FINISHED" and "20/20" in screen_text(app))
        before = share(app)
        await press(pilot, "<", "<", "<")
        await until(pilot, lambda: share(app) < before)
        less = share(app)
        await press(pilot, "q")
        await until(pilot, lambda: not app.is_running)
    again = Playground(kept(open="one"))
    async with again.run_test(size=size) as pilot:
        await until(pilot, lambda: word(again) == "FINISHED" and "20/20" in screen_text(again))
        await until(pilot, lambda: share(again) == less)
        await press(pilot, *">" * 20)
        await until(pilot, lambda: share(again) > before)
        assert share(again) < (size[0] if across else size[1]) * 0.85, "the other half is never squeezed out"


async def test_a_split_of_one_layout_leaves_the_other_as_it_was(kept: Callable[..., PlaygroundRequest]) -> None:
    app = Playground(kept(open="one"))
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: word(app) == "FINISHED" and "20/20" in screen_text(app))
        await pilot.resize_terminal(80, 24)
        await until(pilot, lambda: app.stage.train.query_one("#left").size.width == 80)
        narrow = app.stage.train.query_one("#left").size
        await pilot.resize_terminal(120, 40)
        await press(pilot, "<", "<")
        await pilot.resize_terminal(80, 24)
        await until(pilot, lambda: app.stage.train.query_one("#left").size == narrow)
