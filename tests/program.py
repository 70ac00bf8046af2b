"""The real program as a process of its own, in places of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def environment(place: Path, **more: str) -> dict[str, str]:
    """An environment in which the program keeps everything under `place`, and that sets no field."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GPT_TUI_", "COLUMNS"))}
    mine = {
        "GPT_TUI_CACHE_DIR": str(place / "cache"),
        "GPT_TUI_RUNS_DIR": str(place / "runs"),
        "GPT_TUI_CONFIG": str(place / "config.toml"),
        "XDG_STATE_HOME": str(place / "state"),
        "HOME": str(place),
        "OMP_NUM_THREADS": "1",
        "PYTHONIOENCODING": "utf-8",
    }
    return {**kept, **mine, **more}


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "gpt_tui", *arguments]


def run(place: Path, *arguments: str, stdin: bytes | None = None, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run `gpt-tui` with these arguments to its end; its streams as text."""
    done = subprocess.run(
        command(*arguments),
        input=stdin if stdin is not None else b"",
        capture_output=True,
        timeout=300,
        check=False,
        env=environment(place, **environ),
    )
    return subprocess.CompletedProcess(
        done.args, done.returncode, done.stdout.decode("utf-8"), done.stderr.decode("utf-8")
    )
