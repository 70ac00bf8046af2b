"""The line that `y` copies gives the same run: the form's own run and the line's, in a shell, have the same losses."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from setup_app import until
from textual.pilot import Pilot

from gpt_tui.core.config import Layer, resolve
from gpt_tui.core.presets import PresetShelf
from gpt_tui.core.runs import Run, Shelf
from gpt_tui.tui import preferences
from gpt_tui.tui.app import Playground
from gpt_tui.tui.preferences import Preferences
from gpt_tui.tui.request import PlaygroundRequest
from program import environment

TEXT = "ROMEO:\nBut soft, what's that? $HOME is where the light breaks!\n\nJULIET: O me, 24!\n\n" * 80
SMALL: dict[str, Any] = {
    "n_layer": 1, "n_head": 2, "n_embd": 16, "block_size": 16, "batch_size": 4, "max_iters": 30, "eval_interval": 10,
    "eval_iters": 2, "checkpoint_interval": "off", "max_new_tokens": 5, "threads": 1, "device": "cpu",
    "warmup_iters": 5,
}  # fmt: skip

pytestmark = pytest.mark.skipif(shutil.which("sh") is None, reason="there is no POSIX shell to enter the line in")


async def press(pilot: Pilot[None], *keys: str) -> None:
    for key in keys:
        await pilot.press(key)
    await pilot.pause()


async def learned_from_form(
    place: Path, monkeypatch: pytest.MonkeyPatch, request: PlaygroundRequest, *keys: str
) -> tuple[str, Run]:
    """Press these keys in the form, copy its line, start its run: the line, and the run once it has finished."""
    preferences.save(preferences.state_dir(), Preferences(view="setup"))
    app = Playground(request)
    copied: list[str] = []
    monkeypatch.setattr(app, "copy_to_clipboard", copied.append)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: app.stage.setup is not None and app.stage.setup.pane.has_focus)
        await press(pilot, *keys)
        await press(pilot, "y")
        await until(pilot, lambda: bool(copied))
        await press(pilot, "N")
        await until(pilot, lambda: app.state.word in ("FINISHED", "FAILED"))
        assert app.state.word == "FINISHED"
    (run,) = Shelf(request.runs_dir).runs()
    return copied[0], run


def learned_by_line(place: Path, line: str, folder: Path) -> Run:
    """What the line does in a shell that stands in some folder, with places of its own for runs."""
    bin_dir = str(Path(sys.executable).parent)
    environ = environment(place, GPT_TUI_RUNS_DIR=str(place / "by line"), PATH=f"{bin_dir}:{os.environ['PATH']}")
    done = subprocess.run(
        ["sh", "-c", line], cwd=folder, env=environ, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr
    (run,) = Shelf(place / "by line").runs()
    return run


def figures(run: Run) -> dict[str, list[Any]]:
    history = run.history()
    return {
        "losses": list(history.losses),
        "grad_norms": list(history.grad_norms),
        "evals": [(e.step, e.train_loss, e.val_loss) for e in history.evals],
        "samples": [s.text for s in history.samples],
    }


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that the line is entered in; the playground stands in another, with a text whose name has a space."""
    here = tmp_path / "my texts"
    here.mkdir()
    (here / "the play's.txt").write_text(TEXT, encoding="utf-8")
    monkeypatch.chdir(here)
    monkeypatch.setenv("GPT_TUI_CONFIG", str(tmp_path / "config.toml"))
    (tmp_path / "elsewhere").mkdir()
    return tmp_path / "elsewhere"


@pytest.mark.soak
async def test_the_copied_line_gives_the_same_losses(
    elsewhere: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = resolve([Layer("flag", {**SMALL, "dataset": "the play's.txt", "prompt": "O, what's\n$HOME"})])
    request = PlaygroundRequest(asked, tmp_path / "runs")
    keys = ["slash", *"n_embd", "enter", "enter", *"24", "enter", "escape", "slash", *"seed", "enter", "right"]
    line, run = await learned_from_form(tmp_path, monkeypatch, request, *keys)
    assert (run.config().model.n_embd, run.config().training.seed) == (24, 1338)
    same = learned_by_line(tmp_path, line, elsewhere)
    assert len(figures(run)["losses"]) == 30
    assert figures(same) == figures(run)
    assert same.config().replace(dataset="masque") == run.config().replace(dataset="masque")


@pytest.mark.soak
async def test_the_line_of_a_preset_of_one_s_own_names_it_and_gives_the_same_losses(
    elsewhere: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    presets = PresetShelf(tmp_path / "presets")
    presets.keep("tiny", {**SMALL, "dataset": str(tmp_path / "my texts" / "the play's.txt")})
    request = PlaygroundRequest(resolve([]), tmp_path / "runs")
    keys = ["enter", *"tiny", "enter", "slash", *"n_layer", "enter", "right", "escape", "P", *"tiny-2", "enter"]
    line, run = await learned_from_form(tmp_path, monkeypatch, request, *keys)
    assert line == "gpt-tui --headless --preset tiny-2"
    assert run.name.endswith("-tiny-2")
    assert run.config().model.n_layer == 2
    assert figures(learned_by_line(tmp_path, line, elsewhere)) == figures(run)
