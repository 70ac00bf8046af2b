"""Command lines that a person is told to type."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path
from typing import Literal

from gpt_tui.core.runs.places import RUNS_VARIABLE, default_runs_dir
from gpt_tui.core.runs.shelf import name_fault


def going_on(
    option: Literal["--resume", "--fork"], run: Path, step: int | None = None, *more: str, headless: bool = False
) -> str:
    """The `gpt-tui` line that goes on with a run or forks it, quoted for the shell: it works wherever it is copied to.

    run:      its directory, whose shelf is named where the program would not look there by itself
    step:     of the checkpoint to go on from; None for the newest
    more:     words that follow
    headless: for the door without a screen
    """
    named, shelf = _where(run)
    words = ["gpt-tui", *(["--headless"] if headless else []), option, named if step is None else f"{named}@{step}"]
    return _quoted([*words, *shelf, *more])


def verifying(run: Path) -> str:
    """The line that checks every file of a run, as `going_on` writes its own."""
    named, shelf = _where(run)
    return _quoted(["gpt-tui", "runs", "verify", named, *shelf])


def _where(run: Path) -> tuple[str, list[str]]:
    """What to call a run, and the words that name its shelf."""
    run = run.absolute()
    named = run.name if name_fault(run.name) is None else str(run)  # `latest`, say, would be another run
    # What the environment says now it need not say in the shell that the line is copied to, maybe days later.
    known = not os.environ.get(RUNS_VARIABLE) and run.parent == default_runs_dir()
    return named, [] if known else ["--runs-dir", str(run.parent)]


def _quoted(words: list[str]) -> str:
    return subprocess.list2cmdline(words) if os.name == "nt" else shlex.join(words)
