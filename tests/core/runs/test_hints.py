"""A command that a person is told to type works where it is copied to."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

import pytest

from gpt_tui.core.runs import default_runs_dir, going_on, verifying


def read_by_the_shell(line: str, place: Path) -> list[str]:
    """The words of a line, as the system's own shell takes it apart."""
    if os.name == "nt":
        pytest.skip("there is no shell here that takes a line apart for others")
    done = subprocess.run(
        ["sh", "-c", f"for word in {line}; do printf '%s\\0' \"$word\"; done"],
        capture_output=True, text=True, check=True, cwd=place,
    )  # fmt: skip
    return done.stdout.split("\0")[:-1]


def test_a_run_on_the_shelf_that_everyone_has_needs_no_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GPT_TUI_RUNS_DIR")
    here = default_runs_dir()
    assert going_on("--resume", here / "night") == "gpt-tui --resume night"
    assert going_on("--fork", here / "night", 20, "--seed", "7") == "gpt-tui --fork night@20 --seed 7"
    assert going_on("--resume", here / "night", headless=True) == "gpt-tui --headless --resume night"
    assert verifying(here / "night") == "gpt-tui runs verify night"


def test_a_shelf_that_this_shell_alone_knows_is_named(tmp_path: Path) -> None:
    shelf = default_runs_dir()
    assert os.environ["GPT_TUI_RUNS_DIR"] == str(shelf)
    for line in (going_on("--resume", shelf / "night"), verifying(shelf / "night")):
        assert shlex.split(line)[-2:] == ["--runs-dir", str(shelf)]


@pytest.mark.parametrize("shelf", ["runs", "my runs", 'it\'s $HOME; `rm` "all" \\ *', "Läufe"])
def test_the_shell_reads_what_was_meant(tmp_path: Path, shelf: str) -> None:
    run = tmp_path / shelf / "one night"
    assert read_by_the_shell(going_on("--fork", run, 3, "--dataset", "a b"), tmp_path) == [
        "gpt-tui", "--fork", "one night@3", "--runs-dir", str(run.parent), "--dataset", "a b",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["latest", "--quiet", "one@5"])
def test_a_run_whose_name_means_something_else_is_named_by_its_place(tmp_path: Path, name: str) -> None:
    words = shlex.split(going_on("--resume", tmp_path / name))
    assert words[2] == str(tmp_path / name)
