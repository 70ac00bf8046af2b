"""Where a command line looks for runs, and which of them it means."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gpt_tui.cli.arguments import Arguments
from gpt_tui.core.errors import Fault, GptTuiError, Refusal
from gpt_tui.core.files import expanded
from gpt_tui.core.runs.places import default_runs_dir

if TYPE_CHECKING:
    from gpt_tui.core.runs import Run


def find_runs_dir(arguments: Arguments) -> Path:
    """Where runs are kept: --runs-dir, GPT_TUI_RUNS_DIR, or the user's data directory."""
    given = arguments.get("runs-dir")
    if given is None:
        return default_runs_dir()
    if not given or "\0" in given:
        arguments.faults.append(Fault("--runs-dir", given, "must be the path of a folder"))
        return default_runs_dir()
    return expanded(given)


def find_run(spec: str, label: str, runs_dir: Path) -> tuple[Run, int | None]:
    """The run and step that RUN[@STEP] means. Raises Refusal, under the name that the person gave it."""
    from gpt_tui.core.runs import Shelf

    try:
        return Shelf(runs_dir).find(spec)
    except Refusal as refusal:
        raise Refusal([Fault(label, fault.value, fault.message) for fault in refusal.faults]) from None
    except GptTuiError as error:
        raise Refusal.one(label, spec, str(error)) from None
