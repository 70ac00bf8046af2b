"""The shelf as a list, which remembers: a run whose files are as they were is not opened again.

What is remembered lies in the runs directory as `.listing.json`. It holds nothing that the runs do not tell: it may be
deleted at any time, or not be writable. A run that trains, or whose files changed in the last moments, is read anew.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from gpt_tui import __version__
from gpt_tui.core.errors import GptTuiError, shorten
from gpt_tui.core.files import read_small, replace_whole
from gpt_tui.core.runs.lock import is_held
from gpt_tui.core.runs.places import instant, run_directories
from gpt_tui.core.runs.summary import RunState, RunSummary

if TYPE_CHECKING:
    from gpt_tui.core.runs.run import Run

INDEX_NAME = ".listing.json"

_FORMAT = 1  # to be raised when a summary tells something else of the same files
_MOST_BYTES = 64 << 20
_READ = ("config.toml", "run.json", "events.jsonl", "shelf.json")  # of a run's files, what a summary is made of
_SETTLED = 2.0  # seconds: a file may change twice within a tick of its clock

Marks = list[list[int] | None]


@dataclass(frozen=True)
class Listing:
    """summaries: of the runs, newest first; unread: of what cannot be listed, in words."""

    summaries: list[RunSummary]
    unread: list[str]


@dataclass(frozen=True)
class _Kept:
    """A run as it was when it was read. marks: what told its files from any others; since: its place in the order."""

    marks: Marks
    since: float
    summary: RunSummary


def list_runs(runs_dir: Path) -> Listing:
    """Every run in a directory. Raises GptTuiError where the directory cannot be read."""
    kept = _read(runs_dir / INDEX_NAME)
    found: list[tuple[float, str, RunSummary]] = []
    unread: list[tuple[float, str, str]] = []
    broken: list[str] = []
    remembered: dict[str, _Kept] = {}
    for path in run_directories(runs_dir):
        marks = _marks(path)
        known = kept.get(path.name)
        if known is not None and known.marks == marks:
            remembered[path.name] = known
            found.append((known.since, path.name, _as_now(known.summary, path)))
            continue
        try:
            run = _open(path)
        except GptTuiError as error:
            broken.append(f"{path} cannot be read as a run: {error}")
            continue
        since = instant(run.record().created)
        try:
            summary = run.summary()
        except GptTuiError as error:  # a log that is none hides no other run
            unread.append((since, run.name, f"{run.name} is not listed: {error}"))
            continue
        found.append((since, run.name, summary))
        if summary.state != "live" and _is_settled(marks):
            remembered[path.name] = _Kept(marks, since, summary)
    if remembered != kept:
        _write(runs_dir / INDEX_NAME, remembered)
    found.sort(key=lambda one: one[:2], reverse=True)
    unread.sort(key=lambda one: one[:2], reverse=True)
    return Listing([summary for *_, summary in found], [*(told for *_, told in unread), *broken])


def _open(path: Path) -> Run:
    from gpt_tui.core.runs.run import Run  # a list in which all is known does without

    return Run.open(path)


def _as_now(summary: RunSummary, path: Path) -> RunSummary:
    """What a summary tells but for where the run lies, and whether somebody trains it."""
    there = path.resolve() if ".." in path.parts else path
    return replace(summary, path=str(there), state="live" if is_held(path) else summary.state)


def _marks(run: Path) -> Marks:
    """What tells each of a run's files from what it was before it was changed or replaced; None where there is none."""
    marks: Marks = []
    for name in _READ:
        try:
            found = os.stat(f"{run}/{name}")  # noqa: PTH116 - of a thousand runs, where each Path costs more than it
        except OSError:
            marks.append(None)
        else:
            marks.append([found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino])
    return marks


def _is_settled(marks: Iterable[list[int] | None]) -> bool:
    newest = max((mark[0] for mark in marks if mark is not None), default=0)
    return newest < (time.time() - _SETTLED) * 1e9


def _read(path: Path) -> dict[str, _Kept]:
    """What is remembered, by name; nothing where the file is not there, another version's, or not to be read."""
    try:
        document = json.loads(read_small(path, _MOST_BYTES))
        if document["v"] != _FORMAT or document["program"] != __version__:
            return {}
        return {name: _kept(name, entry) for name, entry in document["runs"].items()}
    except (OSError, GptTuiError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return {}


def _kept(name: str, entry: dict[str, Any]) -> _Kept:
    """Raises TypeError or ValueError where an entry is not as it was written."""
    summary = RunSummary(**entry["summary"])
    whole, words = (summary.step, summary.max_iters, summary.parameters), (summary.title, summary.dataset)
    losses = (summary.val_loss, summary.best_val_loss)
    if (
        summary.name != name
        or summary.state not in get_args(RunState)
        or not all(type(value) is int for value in whole)
        or not all(value is None or type(value) is float for value in losses)
        or not (summary.best_step is None or type(summary.best_step) is int)
        or not all(type(value) is str and value == shorten(value) for value in (*words, summary.created))
    ):
        raise ValueError(name)
    return _Kept(entry["marks"], float(entry["since"]), summary)


def _write(path: Path, remembered: dict[str, _Kept]) -> None:
    document = {
        "v": _FORMAT,
        "program": __version__,
        "runs": {name: asdict(kept) for name, kept in remembered.items()},
    }
    try:
        replace_whole(path, json.dumps(document, separators=(",", ":")).encode())
    except OSError:
        pass  # a shelf that others keep, or a full disk: the runs are read again next time
