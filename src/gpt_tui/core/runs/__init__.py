"""What is kept: the shelf, the run directory, the event log, History, checkpoints, locks. Needs no torch to read.

Each name is imported when it is first used: to list runs takes none of what it takes to open one.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gpt_tui.core.runs.checkpoints import (
        CheckpointInfo,
        LoadedCheckpoint,
        count_weights,
        load_checkpoint,
        still_kept_as,
    )
    from gpt_tui.core.runs.compare import Compared, differing, results
    from gpt_tui.core.runs.export import to_csv, to_svg
    from gpt_tui.core.runs.hints import going_on, verifying
    from gpt_tui.core.runs.history import History, LogLine, Mark
    from gpt_tui.core.runs.lineage import Origin, branch_at, origin_of, past_of
    from gpt_tui.core.runs.listing import Listing, list_runs
    from gpt_tui.core.runs.lock import RunIsHeld, is_held
    from gpt_tui.core.runs.log import LogTail
    from gpt_tui.core.runs.pace import find_pace
    from gpt_tui.core.runs.places import default_runs_dir
    from gpt_tui.core.runs.run import (
        Branch,
        Run,
        RunRecord,
        RunWriter,
        ShelfNotes,
        newest_whole_checkpoint,
    )
    from gpt_tui.core.runs.shelf import Shelf, name_fault
    from gpt_tui.core.runs.summary import RunState, RunSummary
    from gpt_tui.core.runs.tensors import CorruptCheckpoint

_HOMES = {
    "CheckpointInfo": "checkpoints",
    "LoadedCheckpoint": "checkpoints",
    "count_weights": "checkpoints",
    "load_checkpoint": "checkpoints",
    "still_kept_as": "checkpoints",
    "Compared": "compare",
    "differing": "compare",
    "results": "compare",
    "to_csv": "export",
    "to_svg": "export",
    "going_on": "hints",
    "verifying": "hints",
    "History": "history",
    "LogLine": "history",
    "Mark": "history",
    "Origin": "lineage",
    "branch_at": "lineage",
    "origin_of": "lineage",
    "past_of": "lineage",
    "Listing": "listing",
    "list_runs": "listing",
    "RunIsHeld": "lock",
    "is_held": "lock",
    "LogTail": "log",
    "find_pace": "pace",
    "default_runs_dir": "places",
    "Branch": "run",
    "Run": "run",
    "RunRecord": "run",
    "RunWriter": "run",
    "ShelfNotes": "run",
    "newest_whole_checkpoint": "run",
    "Shelf": "shelf",
    "name_fault": "shelf",
    "RunState": "summary",
    "RunSummary": "summary",
    "CorruptCheckpoint": "tensors",
}

__all__ = [
    "Branch",
    "CheckpointInfo",
    "Compared",
    "CorruptCheckpoint",
    "History",
    "Listing",
    "LoadedCheckpoint",
    "LogLine",
    "LogTail",
    "Mark",
    "Origin",
    "Run",
    "RunIsHeld",
    "RunRecord",
    "RunState",
    "RunSummary",
    "RunWriter",
    "Shelf",
    "ShelfNotes",
    "branch_at",
    "count_weights",
    "default_runs_dir",
    "differing",
    "find_pace",
    "going_on",
    "is_held",
    "list_runs",
    "load_checkpoint",
    "name_fault",
    "newest_whole_checkpoint",
    "origin_of",
    "past_of",
    "results",
    "still_kept_as",
    "to_csv",
    "to_svg",
    "verifying",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'gpt_tui.core.runs' has no attribute {name!r}")
    return getattr(import_module(f"gpt_tui.core.runs.{_HOMES[name]}"), name)
