"""What every view looks like, as text, at the three sizes, beside what was looked at and found good.

The kept screens lie in snapshots/, one file a screen, and everything that varies is held still (see held_still.py).
After a change that is meant to be seen, write them anew and look at every difference before keeping it:

    REWRITE_SNAPSHOTS=1 python -m pytest tests/tui/test_snapshots.py
    git diff tests/tui/snapshots
"""

from __future__ import annotations

import difflib
import os
import time
from pathlib import Path

import pytest
from held_still import RUN, RecordedInsight, RecordedSpeech, held, hold_still, own, shelf_of

from gpt_tui.tui import stage

if not hasattr(time, "tzset"):
    pytest.skip("times of day cannot be pinned here", allow_module_level=True)

KEPT = Path(__file__).parent / "snapshots"
SIZES = [(80, 24), *(pytest.param(size, marks=pytest.mark.soak) for size in [(120, 40), (200, 60)])]
EVERY_SIZE = pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A text, and a shelf with four runs."""
    folder = tmp_path_factory.mktemp("held")
    text = "".join(f"ANNA:\nThe house of Anna is number {n}.\n\nBEN:\nThe river is {n}.\n\n" for n in range(80))
    (folder / "play.txt").write_text(text, encoding="utf-8")
    with pytest.MonkeyPatch.context() as monkeypatch:
        hold_still(monkeypatch)
        shelf_of(folder)
    return folder


@pytest.fixture(autouse=True)
def still(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    hold_still(monkeypatch)
    monkeypatch.setattr(stage, "_speech", RecordedSpeech)


def compare(name: str, size: tuple[int, int], screen: str) -> None:
    """Hold a screen against the kept one, or keep it."""
    path = KEPT / f"{name}-{size[0]}x{size[1]}.txt"
    lines = screen.split("\n")[:-1]
    assert len(lines) == size[1]
    assert all(len(line) <= size[0] for line in lines)
    if os.environ.get("REWRITE_SNAPSHOTS"):
        KEPT.mkdir(exist_ok=True)
        path.write_text(screen, encoding="utf-8", newline="\n")
        return
    assert path.is_file(), f"there is no {path}; REWRITE_SNAPSHOTS=1 writes it"
    kept = path.read_text(encoding="utf-8")
    assert screen == kept, "\n".join(difflib.unified_diff(kept.split("\n"), lines, "kept", "now", lineterm=""))


# Before a run ------------------------------------------------------------------------------------------------------


@EVERY_SIZE
async def test_welcome(folder: Path, size: tuple[int, int]) -> None:
    async with held(folder, size, first_start=True) as program:
        await program.until("Watch it learn")
        compare("welcome", size, await program.text())


@EVERY_SIZE
async def test_ready(folder: Path, size: tuple[int, int]) -> None:
    async with held(folder, size, preset="quick") as program:
        await program.until("space starts it")
        compare("ready", size, await program.text())


# Train -------------------------------------------------------------------------------------------------------------


@EVERY_SIZE
async def test_train_and_what_lies_over_it(folder: Path, size: tuple[int, int]) -> None:
    async with held(folder, size, own("TRAINING"), preset="quick") as program:
        await program.until(lambda: program.app.stage.train.chart.has_focus)
        compare("train", size, await program.text())
        await program.press("x", "H")
        compare("train-crosshair", size, await program.text())
        await program.press("escape", "question_mark")
        await program.until("? closes")
        compare("help", size, await program.text())
        await program.press("question_mark", "colon")
        await program.until("enter does it")
        await program.press(*"learning")
        compare("palette", size, await program.text())


@EVERY_SIZE
async def test_train_of_a_paused_run(folder: Path, size: tuple[int, int]) -> None:
    async with held(folder, size, own("PAUSED"), preset="quick") as program:
        await program.until(lambda: program.app.stage.train.chart.has_focus)
        compare("train-paused", size, await program.text())


@EVERY_SIZE
async def test_train_of_a_run_that_failed(folder: Path, size: tuple[int, int]) -> None:
    async with held(folder, size, open="too-fast") as program:
        await program.until("✕ FAILED")
        compare("train-failed", size, await program.text())


# The other views -----------------------------------------------------------------------------------------------------


@EVERY_SIZE
async def test_setup(folder: Path, size: tuple[int, int]) -> None:
    async with held(folder, size, preset="quick") as program:
        await program.press("2", *["j"] * 6, "right")
        await program.until("distinct")
        compare("setup-explanation", size, await program.text())
        await program.press("v")
        compare("setup-shapes", size, await program.text())
        if size[0] < 150:  # three columns have it beside the explanation
            await program.press("v")
            compare("setup-architecture", size, await program.text())


@EVERY_SIZE
async def test_samples(folder: Path, size: tuple[int, int]) -> None:
    async with held(folder, size, open=RUN) as program:
        await program.until("■ FINISHED")
        await program.press("3")
        await program.until("evaluation 13 of 13")
        await program.press("left")
        compare("samples", size, await program.text())
        await program.press("c")
        compare("samples-surprise", size, await program.text())
        await program.press("d")
        compare("samples-difference", size, await program.text())


@EVERY_SIZE
async def test_generate(folder: Path, size: tuple[int, int]) -> None:
    """With a stand-in for the models that speak."""
    async with held(folder, size, open=RUN) as program:
        await program.until("■ FINISHED")
        await program.press("4")
        await program.until("newest checkpoint")
        await program.press("p", *"ROMEO:", "enter")
        await program.until("tok/s")
        await program.press("home", *["right"] * 15)
        compare("generate", size, await program.text())
        await program.press("v")
        await program.until("untrained, step 0")
        compare("generate-two-voices", size, await program.text())


@EVERY_SIZE
async def test_look_inside(folder: Path, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """With a stand-in for the model that is looked into."""
    monkeypatch.setattr("gpt_tui.core.insight.Insight", RecordedInsight)
    async with held(folder, size, open=RUN) as program:
        await program.until("■ FINISHED")
        await program.press("3")
        await program.until("evaluation 13 of 13")
        await program.press("c", "a")
        await program.until("most surprising")
        await program.press("end", *["left"] * 20)
        compare("lens-surprise", size, await program.text())
        await program.press("d")
        await program.until("by kind")
        compare("lens-difference", size, await program.text())
        await program.press("a")
        await program.until("the 4 heads")
        await program.press("m", "m")
        compare("lens-heads", size, await program.text())
        await program.press("a")
        await program.until("all")
        compare("lens-looks", size, await program.text())


@EVERY_SIZE
async def test_runs(folder: Path, size: tuple[int, int]) -> None:
    async with held(folder, size) as program:
        await program.press("5")
        await program.until("untrained")
        await program.press("m")
        compare("runs", size, await program.text())
        await program.press("d")
        await program.until("delete 1 run?")
        compare("runs-delete", size, await program.text())
        await program.press("n", "j", "j", "m", "o")
        await program.until("2 runs compared")
        await program.until("n_embd")
        compare("compare", size, await program.text())
