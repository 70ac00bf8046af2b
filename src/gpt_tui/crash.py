"""What becomes of an error that nobody foresaw: its traceback goes into a file, and a sentence says so."""

from __future__ import annotations

import os
import platform
import sys
import tempfile
import time
import traceback
from pathlib import Path

import platformdirs

from gpt_tui import __version__
from gpt_tui.console import Console


def report_crash(error: BaseException, console: Console) -> None:
    """Tell of an error that the program does not understand. GPT_TUI_DEBUG=1 shows its traceback as well."""
    report_traceback("".join(traceback.format_exception(error)), console)


def report_traceback(text: str, console: Console) -> None:
    """Tell of an error by its traceback, as `report_crash` does."""
    if os.environ.get("GPT_TUI_DEBUG") == "1":
        console.warn(text.rstrip())
    what = text.strip().rpartition("\n")[2]
    kept = _keep(text)
    where = f"the details are in {kept}" if kept else "run it again with GPT_TUI_DEBUG=1 to see the details"
    console.warn(f"gpt-tui: this is a defect of the program ({what}); {where}")


def _log_folder() -> Path:
    """Where logs belong; below the state directory where GPT_TUI_STATE_DIR names one."""
    if named := os.environ.get("GPT_TUI_STATE_DIR"):
        return Path(named) / "log"
    return platformdirs.user_log_path("gpt-tui", appauthor=False)


def _keep(text: str) -> Path | None:
    """Write a crash file where logs belong, or among temporary files; None where neither can be written."""
    head = f"gpt-tui {__version__}, Python {platform.python_version()}, {platform.platform()}\n{' '.join(sys.argv)}\n\n"
    name = time.strftime("crash-%Y%m%d-%H%M%S") + f"-{os.getpid()}.txt"
    for folder in (_log_folder(), Path(tempfile.gettempdir())):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(head + text, encoding="utf-8", errors="backslashreplace")
        except OSError:
            continue
        return folder / name
    return None
