"""One run is watched and one may be at work: opening, forking, going on and giving up, in the whole program."""

from __future__ import annotations

import asyncio
import re
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playing import footer, press, said, until, word
from recording import screen_text
from textual.message import Message

from gpt_tui.core.events import Failed
from gpt_tui.core.runs import Run, Shelf
from gpt_tui.core.session import Plan, Session
from gpt_tui.tui.app import Playground
from gpt_tui.tui.conductor import fork_name
from gpt_tui.tui.request import PlaygroundRequest
from gpt_tui.tui.wishes import ForkRun, OpenRun, ResumeRun
from patience import PATIENCE


@pytest.fixture
def old(request_for: Callable[..., PlaygroundRequest]) -> Path:
    """A finished run of 60 steps, with checkpoints of steps 0, 20, 40 and 60."""
    request = request_for({"max_iters": 60, "eval_interval": 20, "checkpoint_interval": 20})
    session = Session(Plan(request.resolved.config, request.runs_dir, "old"))
    session.start()
    assert session.join(PATIENCE)
    return request.runs_dir / "old"


async def test_on_the_shelf_space_pauses_the_run_at_work_here_and_resumes_another(
    request_for: Callable[..., PlaygroundRequest], old: Path
) -> None:
    app = Playground(request_for(run_name="mine"))
    async with app.run_test(size=(120, 40)) as pilot:
        await press(pilot, "space")
        await until(pilot, lambda: word(app) == "TRAINING")
        await press(pilot, "5")
        await until(pilot, lambda: "1/2" in screen_text(app))
        mine, other = ("g", "G") if "▸   mine" in screen_text(app) else ("G", "g")  # they began in the same second
        await press(pilot, mine)
        await until(pilot, lambda: "▸   mine" in screen_text(app) and "space pause" in footer(app))
        await press(pilot, "space")
        await until(pilot, lambda: word(app) == "PAUSED" and "space resume" in footer(app))
        await press(pilot, "space")
        await until(pilot, lambda: word(app) == "TRAINING")
        await press(pilot, other)
        await until(pilot, lambda: "▸   old" in screen_text(app) and "space resume" in footer(app))
        await press(pilot, "q")
        await until(pilot, lambda: app.left is not None and not app.left.alive)


async def test_another_run_is_watched_while_ones_own_goes_on_and_esc_comes_back(
    request_for: Callable[..., PlaygroundRequest], old: Path
) -> None:
    app = Playground(request_for(run_name="mine"))
    async with app.run_test(size=(120, 40)) as pilot:
        await press(pilot, "space")
        await until(pilot, lambda: word(app) == "TRAINING")
        app.post_message(OpenRun(old))
        await until(pilot, lambda: word(app) == "FINISHED" and "old on play.txt" in screen_text(app))
        assert app.session is not None
        assert app.session.alive
        assert "yours ● TRAINING" in screen_text(app)
        before = app.session.snapshot.step
        await until(pilot, lambda: app.session.snapshot.step > before)
        await press(pilot, "space")
        await until(pilot, lambda: "space resume mine" in screen_text(app))
        await press(pilot, "escape")
        await until(pilot, lambda: word(app) == "PAUSED" and app.watched is app.conductor.own)
        await press(pilot, "q")
        await until(pilot, lambda: not app.is_running)


async def test_opening_the_run_at_work_shows_it_live(request_for: Callable[..., PlaygroundRequest], old: Path) -> None:
    app = Playground(request_for(run_name="mine", open="old"))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: word(app) == "FINISHED")
        await press(pilot, "N")
        await until(pilot, lambda: word(app) == "TRAINING")
        app.post_message(OpenRun(old))
        await until(pilot, lambda: word(app) == "FINISHED")
        app.post_message(OpenRun(app.conductor.own.path))
        await until(pilot, lambda: word(app) == "TRAINING")
        assert app.watched is app.conductor.own
        await press(pilot, "q")
        await until(pilot, lambda: not app.is_running)


async def test_a_fork_saves_the_run_at_work_and_begins_at_the_checkpoint(
    request_for: Callable[..., PlaygroundRequest], old: Path
) -> None:
    app = Playground(request_for(run_name="mine"))
    async with app.run_test(size=(120, 40)) as pilot:
        await press(pilot, "space")
        await until(pilot, lambda: word(app) == "TRAINING")
        app.post_message(ForkRun(old, 40, {"learning_rate": 0.001, "max_iters": 70}))
        await until(pilot, lambda: app.watched.name != "mine" and app.watched.history.step == 70)
        started = app.watched.history.started
        assert (started.parent.run, started.parent.step) == ("old", 40)
        assert started.run.endswith("-old-fork")
        assert app.watched.history.steps.tolist() == list(range(41, 71))
        assert app.watched.history.config.optimizer.learning_rate == 0.001
    assert {run.name: run.state() for run in Shelf(app.request.runs_dir).runs()}["mine"] == "stopped"


async def test_a_run_goes_on_from_the_checkpoint_that_was_chosen(
    request_for: Callable[..., PlaygroundRequest], old: Path
) -> None:
    app = Playground(request_for())
    async with app.run_test(size=(80, 24)) as pilot:
        app.post_message(ResumeRun(old, 20, {"max_iters": 50}))
        await until(pilot, lambda: word(app) == "FINISHED" and app.watched.history.step == 50)
        assert app.stage.name_in_sight == "train"
        assert app.watched.history.steps.tolist() == list(range(1, 51))


@pytest.mark.parametrize("wish", [ResumeRun, ForkRun])
async def test_from_its_last_step_a_finished_run_goes_on_for_as_long_again(
    request_for: Callable[..., PlaygroundRequest], old: Path, wish: type[ResumeRun | ForkRun]
) -> None:
    app = Playground(request_for())
    async with app.run_test(size=(120, 40)) as pilot:
        app.post_message(wish(old))
        await until(pilot, lambda: "Step 60 was the last of old: it goes on to step 120." in said(app))
        await until(pilot, lambda: "■ FINISHED" in screen_text(app) and re.search(r"step +120/120", screen_text(app)))


async def test_a_run_that_is_gone_on_with_is_no_reason_to_begin_another_meanwhile(
    request_for: Callable[..., PlaygroundRequest], old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, go_on = Run.history, threading.Event()
    monkeypatch.setattr(Run, "history", lambda run: go_on.wait(PATIENCE) and read(run))  # as long as a long log takes
    app = Playground(request_for())
    async with app.run_test(size=(80, 24)) as pilot:
        app.post_message(ResumeRun(old, 20, {"max_iters": 50}))
        await until(pilot, lambda: "OPENING reading old" in screen_text(app))
        await press(pilot, "space")
        await until(pilot, lambda: "old is still being read" in said(app))
        go_on.set()
        await until(pilot, lambda: word(app) == "FINISHED" and app.watched.history.step == 50)
    assert [run.name for run in Shelf(app.request.runs_dir).runs()] == ["old"]


async def test_a_new_run_is_begun_in_place_of_one_that_is_still_being_read(
    request_for: Callable[..., PlaygroundRequest], old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, go_on = Run.history, threading.Event()
    monkeypatch.setattr(Run, "history", lambda run: go_on.wait(PATIENCE) and read(run))
    app = Playground(request_for(run_name="mine"))
    async with app.run_test(size=(80, 24)) as pilot:
        app.post_message(ResumeRun(old, 20, {"max_iters": 50}))
        await until(pilot, lambda: word(app) == "OPENING")
        await press(pilot, "N")
        await until(pilot, lambda: word(app) == "TRAINING")
        own = app.conductor.own
        go_on.set()
        before = app.session.snapshot.step
        await until(pilot, lambda: app.session.snapshot.step > before + 50)
        assert app.conductor.own is own
        assert Run.open(old).state() == "finished"
        await press(pilot, "q")
        await until(pilot, lambda: not app.is_running)


async def test_leaving_while_the_present_run_is_saved_begins_no_other(
    request_for: Callable[..., PlaygroundRequest],
) -> None:
    app = Playground(request_for(run_name="mine"))
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "space")
        await until(pilot, lambda: word(app) == "TRAINING")
        app.action_new_run()
        app.action_quit()
        await until(pilot, lambda: not app.is_running)
        await asyncio.sleep(0.2)  # what had been begun would have a directory by now
        assert app.session is None
    assert [run.name for run in Shelf(app.request.runs_dir).runs()] == ["mine"]


@pytest.mark.parametrize(
    ("wish", "why"),
    [(lambda path: ResumeRun(path, 33), "no checkpoint"), (lambda path: ForkRun(path, 40, {"n_embd": 32}), "n_embd")],
)
async def test_what_was_seen_is_seen_again_where_a_run_cannot_go_on(
    request_for: Callable[..., PlaygroundRequest], old: Path, wish: Callable[[Path], Message], why: str
) -> None:
    app = Playground(request_for(open="old"))
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: word(app) == "FINISHED")
        watched = app.watched
        app.post_message(wish(old))
        await until(pilot, lambda: why in said(app))
        assert app.watched is watched
        assert word(app) == "FINISHED"
        await press(pilot, "f")
        await until(pilot, lambda: app.watched is not watched and app.watched.history.step == 120)


async def test_a_run_of_ones_own_that_went_on_elsewhere_is_opened_as_it_is_now(
    request_for: Callable[..., PlaygroundRequest],
) -> None:
    app = Playground(request_for({"max_iters": 20}, run_name="mine"))
    async with app.run_test(size=(120, 40)) as pilot:
        await press(pilot, "space")
        await until(pilot, lambda: word(app) == "FINISHED")
        path, runs_dir = app.watched.path, app.request.runs_dir
        session = Session(Plan(app.request.resolved.config, runs_dir, resume="mine", edits={"max_iters": 45}))
        session.start()
        await until(pilot, lambda: not session.alive)
        app.post_message(OpenRun(path))
        await until(pilot, lambda: app.watched.history.step == 45)


async def test_a_run_that_broke_off_goes_on_by_space(request_for: Callable[..., PlaygroundRequest], old: Path) -> None:
    log = old / "events.jsonl"
    lines = log.read_text(encoding="utf-8").splitlines(keepends=True)
    there = next(at for at, line in enumerate(lines) if '"event":"step"' in line and '"step":45,' in line)
    failed = Failed(time=1.0, step=45, reason="error", error="The disk is full.", hint="Make room.")
    log.write_text("".join(lines[:there]) + failed.to_json() + "\n", encoding="utf-8")
    shutil.rmtree(old / "checkpoints" / "000060")
    app = Playground(request_for(open="old"))
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: word(app) == "FAILED" and "space resume" in screen_text(app))
        await until(pilot, lambda: "space goes on from checkpoint 40" in screen_text(app))
        await press(pilot, "space")
        await until(pilot, lambda: word(app) == "FINISHED" and app.watched.history.step == 60)
    assert Run.open(old).history().steps.tolist() == list(range(1, 61))


@pytest.mark.parametrize(
    ("run", "fork"),
    [
        ("20261120-142501-quick", "quick-fork"),
        ("20261120-142501-quick-fork", "quick-fork"),
        ("20261120-142501-quick-fork-2", "quick-fork"),
        ("mine", "mine-fork"),
        ("forked", "forked-fork"),
    ],
)
def test_a_fork_of_a_fork_is_called_no_longer_than_a_fork(run: str, fork: str) -> None:
    assert fork_name(run) == fork


async def test_f_forks_from_the_checkpoint_at_the_crosshair(
    request_for: Callable[..., PlaygroundRequest], old: Path
) -> None:
    app = Playground(request_for(open="old"))
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: word(app) == "FINISHED")
        app.stage.train.chart.point_at(47)
        await press(pilot, "f")
        await until(pilot, lambda: app.watched.history.started and app.watched.history.started.parent)
        assert app.watched.history.started.parent.step == 40
        await until(pilot, lambda: app.watched.history.step == 60)


@pytest.mark.parametrize(
    "more",
    [
        pytest.param({}, id="as it is", marks=pytest.mark.soak),
        pytest.param({"checkpoint_interval": 1}, id="newest weights saved, and broken"),
    ],
)
async def test_a_diverged_run_is_forked_with_what_its_log_advises_by_one_key(
    request_for: Callable[..., PlaygroundRequest], more: dict[str, Any]
) -> None:
    wild = {
        "optimizer": "adamw",
        "learning_rate": 100,
        "warmup_iters": 0,
        "norm": "none",
        "qk_norm": False,
        "zero_init": False,
        "grad_clip": "off",
        **more,
    }
    app = Playground(request_for(wild))
    async with app.run_test(size=(120, 40)) as pilot:
        await press(pilot, "space")
        await until(pilot, lambda: word(app) == "FAILED")
        await until(
            pilot, lambda: "f forks from checkpoint 0 at learning_rate 0.001, grad_clip 1.0" in screen_text(app)
        )
        await press(pilot, "f")
        await until(pilot, lambda: app.watched.history.started is not None and app.watched.history.started.parent)
        optimizer = app.watched.history.config_at(0).optimizer
        assert (optimizer.learning_rate, optimizer.grad_clip) == (0.001, 1.0), "half of a wild rate would be no better"
        assert app.watched.history.started.parent.step == 0
        await press(pilot, "s")
        await until(pilot, lambda: word(app) == "STOPPED")


async def test_esc_gives_up_what_is_being_made_ready(request_for: Callable[..., PlaygroundRequest]) -> None:
    app = Playground(request_for())
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: app.stage.setup is not None)
        app.action_toggle_run()
        app.action_leave()  # at once: this small a text is ready before a key comes through
        await until(pilot, lambda: word(app) == "READY" and "nothing was written" in said(app))
        assert not app.request.runs_dir.exists() or not list(app.request.runs_dir.iterdir())


@pytest.mark.soak
async def test_esc_leaves_a_long_evaluation_out(request_for: Callable[..., PlaygroundRequest]) -> None:
    app = Playground(request_for({"eval_iters": 20000, "eval_interval": 20}))
    async with app.run_test(size=(120, 40)) as pilot:
        await press(pilot, "space")
        await until(pilot, lambda: "evaluating" in screen_text(app))
        await press(pilot, "escape")
        await until(pilot, lambda: app.watched.history.step > 0)
        assert "was left out" in screen_text(app)
        await press(pilot, "q")
        await until(pilot, lambda: not app.is_running)


async def test_a_start_from_the_form_leads_to_train(request_for: Callable[..., PlaygroundRequest]) -> None:
    app = Playground(request_for({"max_iters": 5}))
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "2", "space")
        await until(pilot, lambda: word(app) == "FINISHED")
        assert app.stage.name_in_sight == "train"
