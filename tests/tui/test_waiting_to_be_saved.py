"""A run that waits to be saved: what the keys still do with it, and what the last line offers."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from playing import footer, press, said, until, word

from gpt_tui.core.activity import UNSAVED
from gpt_tui.core.config import Layer, resolve
from gpt_tui.tui import door
from gpt_tui.tui.app import Playground
from gpt_tui.tui.request import PlaygroundRequest
from patience import PATIENCE

SMALL: dict[str, Any] = {
    "n_layer": 1, "n_head": 1, "n_embd": 8, "block_size": 8, "batch_size": 2, "max_iters": 10**6, "eval_iters": 1,
    "eval_interval": 10**6, "max_new_tokens": 5, "threads": 1, "device": "cpu", "checkpoint_interval": "off",
}  # fmt: skip


@pytest.fixture
def request_for_run(tmp_path: Path) -> PlaygroundRequest:
    text = tmp_path / "play.txt"
    text.write_text("The house of Anna is by the river.\n" * 80, encoding="utf-8")
    return PlaygroundRequest(resolve([Layer("test", {**SMALL, "dataset": str(text)})]), tmp_path / "runs", "quick")


async def test_a_run_that_waits_to_be_saved_takes_no_step(request_for_run: PlaygroundRequest) -> None:
    app = Playground(request_for_run)
    async with app.run_test(size=(160, 40)) as pilot:
        await press(pilot, "space")
        await until(pilot, lambda: word(app) == "TRAINING" and app.watched.history.step > 5)
        await press(pilot, "space")
        await until(pilot, lambda: word(app) == "PAUSED" and "one step" in footer(app))
        path, away = app.session.snapshot.run_path, request_for_run.runs_dir / "away"
        path.rename(away)
        await press(pilot, "s")
        await until(pilot, lambda: app.session.snapshot.activity == UNSAVED and word(app) == "PAUSED")
        await until(pilot, lambda: "space resume" in footer(app))
        assert "w save" in footer(app)
        assert "one step" not in footer(app)
        step = app.session.snapshot.step
        await press(pilot, "full_stop")
        await until(pilot, lambda: "waits to be saved: w tries again" in said(app))
        away.rename(path)
        await press(pilot, "w")
        await until(pilot, lambda: word(app) == "STOPPED")
        assert app.watched.history.step == step


async def test_a_run_that_ends_unsaved_before_the_app_hears_of_the_signal_is_told_all_the_same(
    request_for_run: PlaygroundRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    class AtOnce:
        """A thread that has done its work before whoever starts it goes on."""

        def __init__(self, target: Any, args: Any, **_: Any) -> None:
            self.session = args[0]

        def start(self) -> None:
            assert self.session.leave(PATIENCE)

    app = Playground(request_for_run)
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "space")
        await until(pilot, lambda: word(app) == "TRAINING" and app.watched.history.step > 5)
        session = app.session
        path = session.snapshot.run_path
        path.rename(request_for_run.runs_dir / "away")
        with monkeypatch.context() as patched:
            patched.setattr(door, "threading", SimpleNamespace(Thread=AtOnce))
            door._leave_for(app, 143)
        assert not session.alive
        assert app.left is session
        assert door._exit_status(app.left.outcome, 143) == 1
