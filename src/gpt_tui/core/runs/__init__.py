"""What is kept: the shelf, the run directory, the event log, History, checkpoints, locks. Needs no torch to read."""

from gpt_tui.core.runs.checkpoints import CheckpointInfo, CorruptCheckpoint, LoadedCheckpoint, load_checkpoint
from gpt_tui.core.runs.export import to_csv, to_svg
from gpt_tui.core.runs.history import History, LogLine, Mark
from gpt_tui.core.runs.lock import RunIsHeld
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
    "default_runs_dir",
    "find_pace",
    "load_checkpoint",
    "name_fault",
    "newest_whole_checkpoint",
    "to_csv",
    "to_svg",
]
