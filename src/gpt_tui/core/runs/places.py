"""Where runs lie, and in which order they are listed. Opens no run, and imports nothing that takes time."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

from gpt_tui.core.errors import GptTuiError
from gpt_tui.core.files import expanded, reason

RUNS_VARIABLE = "GPT_TUI_RUNS_DIR"


def default_runs_dir() -> Path:
    """`GPT_TUI_RUNS_DIR` where it is set, otherwise `runs` in the user's data directory."""
    if given := os.environ.get(RUNS_VARIABLE):
        return expanded(given).absolute()
    import platformdirs

    return platformdirs.user_data_path("gpt-tui", appauthor=False) / "runs"


def run_directories(runs_dir: Path) -> list[Path]:
    """Every directory that should be a run, by name, also those that cannot be opened. Raises GptTuiError."""
    try:
        with os.scandir(runs_dir) as entries:
            return [
                runs_dir / name
                for name in sorted(entry.name for entry in entries if not entry.name.startswith(".") and entry.is_dir())
            ]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise GptTuiError(f"the runs directory {runs_dir} cannot be read: {reason(error)}") from None


def instant(created: str) -> float:
    """Seconds since 1970 of an ISO 8601 time; 0 for what is none."""
    try:
        return datetime.fromisoformat(created).timestamp()
    except (ValueError, OverflowError, OSError):
        return 0.0
