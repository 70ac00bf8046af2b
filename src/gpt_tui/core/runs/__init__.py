"""What is kept: the shelf, the run directory, the event log, History, checkpoints, locks. Needs no torch to read."""

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
from gpt_tui.core.runs.lock import RunIsHeld, is_held
from gpt_tui.core.runs.log import LogTail
from gpt_tui.core.runs.pace import find_pace
from gpt_tui.core.runs.run import (
    Branch,
    Run,
    RunRecord,
    RunState,
    RunSummary,
    RunWriter,
    ShelfNotes,
    newest_whole_checkpoint,
)
from gpt_tui.core.runs.shelf import Shelf, default_runs_dir, name_fault
from gpt_tui.core.runs.tensors import CorruptCheckpoint

__all__ = [
    "Branch",
    "CheckpointInfo",
    "Compared",
    "CorruptCheckpoint",
    "History",
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
