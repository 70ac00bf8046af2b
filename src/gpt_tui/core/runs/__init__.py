"""What is kept: the shelf, the run directory, the event log, History, checkpoints, locks. Needs no torch to read."""

from gpt_tui.core.runs.checkpoints import (
    CheckpointInfo,
    CorruptCheckpoint,
    LoadedCheckpoint,
    count_weights,
    load_checkpoint,
)
from gpt_tui.core.runs.compare import Compared, differing, results
from gpt_tui.core.runs.export import to_csv, to_svg
from gpt_tui.core.runs.hints import going_on, verifying
from gpt_tui.core.runs.history import History, LogLine, Mark
from gpt_tui.core.runs.lineage import past_of
from gpt_tui.core.runs.lock import RunIsHeld, is_held
from gpt_tui.core.runs.log import LogTail
from gpt_tui.core.runs.pace import find_pace
from gpt_tui.core.runs.run import (
    Run,
    RunRecord,
    RunState,
    RunSummary,
    RunWriter,
    ShelfNotes,
    newest_whole_checkpoint,
)
from gpt_tui.core.runs.shelf import Shelf, default_runs_dir, name_fault

__all__ = [
    "CheckpointInfo",
    "Compared",
    "CorruptCheckpoint",
    "History",
    "LoadedCheckpoint",
    "LogLine",
    "LogTail",
    "Mark",
    "Run",
    "RunIsHeld",
    "RunRecord",
    "RunState",
    "RunSummary",
    "RunWriter",
    "Shelf",
    "ShelfNotes",
    "count_weights",
    "default_runs_dir",
    "differing",
    "find_pace",
    "going_on",
    "is_held",
    "load_checkpoint",
    "name_fault",
    "newest_whole_checkpoint",
    "past_of",
    "results",
    "to_csv",
    "to_svg",
    "verifying",
]
