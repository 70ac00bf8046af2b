"""The shelf as rows: the runs, and the checkpoints of one of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from textual.content import Content

from gpt_tui.tui import figures
from gpt_tui.tui.plain import one_line
from gpt_tui.tui.shelf_reader import Kept, ShelfRun, thinned
from gpt_tui.tui.theme import LOOKS
from gpt_tui.tui.widgets.rows import Rows, cell

MARK, PIN = "✓", "◆"
_STAMP = re.compile(r"\d{4}(\d{4})-(\d{4})(\d{2})-(.+)")
_STATE = 2 + max(map(len, LOOKS))
_NAME = (12, 32)  # cells that a name takes at least and at most, before anything else has room
_LOSS, _CURVE, _WIDE_CURVE, _COUNT, _DATE, _DATASET = 6, 8, 24, 6, 16, (7, 16)


def shortened(name: str, room: int) -> str:
    """A run's name as it fits best: without the year of its time stamp, or without its seconds too."""
    stamped = _STAMP.fullmatch(name)
    if stamped is None or len(name) <= room:
        return name
    day, minute, second, rest = stamped.groups()
    without_year = f"{day}-{minute}{second}-{rest}"
    return without_year if len(without_year) <= room else f"{day}-{minute}-{rest}"


def without_stamp(name: str) -> str:
    """A run's name without the time stamp that a default name begins with."""
    stamped = _STAMP.fullmatch(name)
    return stamped[4] if stamped else name


def told_apart(names: Sequence[str]) -> list[str]:
    """Names that are alike but for their time stamps, each with as much of its stamp behind it as tells them apart."""
    stamps = [_STAMP.fullmatch(name) for name in names]
    for parts in ("{1}", "{1}{2}", "{0}-{1}", "{0}-{1}{2}"):
        told = [
            f"{stamp[4]} {parts.format(*stamp.groups())}" if stamp else name
            for stamp, name in zip(stamps, names, strict=True)
        ]
        if len(set(told)) == len(told):
            return told
    return list(names)


def local_time(created: str) -> str:
    """An ISO 8601 time by the local clock, to the minute; "" for what is none."""
    try:
        return datetime.fromisoformat(created).astimezone().strftime("%Y-%m-%d %H:%M")
    except (ValueError, OverflowError, OSError):
        return ""


def progress(run: ShelfRun) -> str:
    """The step, and of how many where it has not got there: "350/600"."""
    if run.step >= run.max_iters:
        return _steps(run.step)
    return f"{_steps(run.step)}/{_steps(run.max_iters)}"


def _widest_progress(run: ShelfRun) -> int:
    """Cells of the progress; of a run at work those that it is going to need."""
    return 2 * len(_steps(run.max_iters)) + 1 if run.live else len(progress(run))


def _steps(step: int) -> str:
    return str(step) if step < 1_000_000 else figures.count(step)


@dataclass(frozen=True)
class Columns:
    """How wide each column is; 0 leaves it out."""

    name: int
    step: int
    best: int = 0
    curve: int = 0
    parameters: int = 0
    dataset: int = 0
    created: int = 0

    @classmethod
    def fitted(cls, runs: Iterable[ShelfRun], width: int) -> Columns:
        """The columns that so many cells have room for: those that tell most come first."""
        known = [run for run in runs if not run.fault]
        step = max([4, *(_widest_progress(run) for run in known)])
        longest = max([_NAME[0], *(len(run.called) for run in known)])
        dataset = min(max([_DATASET[0], *(len(run.dataset) for run in known)]), _DATASET[1])
        left = width - 3 - 2 - _STATE - 2 - step - 2 - _LOSS
        found: dict[str, int] = {}
        name = _NAME[0]
        for column, cells, wish in (
            ("best", _LOSS, 14), ("curve", _CURVE, 14), ("parameters", _COUNT, 24), ("created", _DATE, 24),
            ("dataset", dataset, 28), ("curve", _WIDE_CURVE, _NAME[1]),
        ):  # fmt: skip
            more = cells + 2 - (found[column] + 2 if column in found else 0)
            if left - more >= max(name, min(longest, wish)):
                found[column] = cells
                left -= more
        return cls(name=max(min(left, max(longest, 16)), 4), step=step, **found)


class RunRows(Rows):
    """`show` gives it the runs; the cursor stays on its run, wherever that has gone."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__("runs", "u", id=id)
        self.runs: list[ShelfRun] = []
        self.marked: set[Path] = set()
        self._columns = Columns(16, 7)
        self._columns_of: tuple[object, int] = (None, 0)

    @property
    def current(self) -> ShelfRun | None:
        """The run under the cursor."""
        return self.runs[self.cursor] if self.cursor < len(self.runs) else None

    def show(self, runs: Sequence[ShelfRun]) -> None:
        """Draw these. A run that is gone leaves the cursor where it was."""
        if list(runs) == self.runs:
            return
        current = self.current
        self.runs = list(runs)
        places = {run.path: place for place, run in enumerate(runs)}
        self.changed(places.get(current.path, self.cursor) if current else 0)
        if (self.current and self.current.path) != (current and current.path):
            self.post_message(self.Moved(self))

    def replace(self, run: ShelfRun) -> None:
        """Draw one of them as it is by now."""
        for place, known in enumerate(self.runs):
            if known.path == run.path and known != run:
                self.runs[place] = run
                self.row_changed(place)

    def turn_mark(self) -> None:
        """Mark the run under the cursor, or take its mark away."""
        if self.current is not None:
            self.marked ^= {self.current.path}
            self.row_changed(self.cursor)

    # Drawing --------------------------------------------------------------------------------------------------------

    @property
    def count(self) -> int:
        return len(self.runs)

    def _fit(self, width: int) -> Columns:
        if self._columns_of[0] is not self.runs or self._columns_of[1] != width:
            self._columns, self._columns_of = Columns.fitted(self.runs, width), (self.runs, width)
        return self._columns

    def head(self, width: int) -> Content:
        fit = self._fit(width)
        texts = [
            "   " + cell("name", fit.name), cell("state", _STATE), cell("step", fit.step, right=True),
            cell("val", _LOSS, right=True),
        ]  # fmt: skip
        texts += [cell("best", fit.best, right=True)] if fit.best else []
        texts += [cell("curve", fit.curve)] if fit.curve else []
        texts += [cell("params", fit.parameters, right=True)] if fit.parameters else []
        texts += [cell("dataset", fit.dataset)] if fit.dataset else []
        texts += [cell("begun", fit.created)] if fit.created else []
        return Content("  ".join(texts))

    def line(self, index: int, width: int) -> Content:
        run, fit = self.runs[index], self._fit(width)
        if run.fault:
            said = f"{one_line(run.name)}  {one_line(run.fault)}"
            return Content.assemble(("✕  ", "$text-error"), (cell(said, width - 3), "$text-disabled"))
        look = LOOKS[run.state.word]
        parts: list[Content | str | tuple[str, str]] = [
            (MARK if run.path in self.marked else " ", "bold $text-accent"),
            (PIN if run.pins else " ", "$text-warning"),
            " ",
            (cell(run.title or shortened(run.name, fit.name), fit.name), "bold" if run.title else ""),
            ("  " + cell(f"{look.glyph} {run.state.word.lower()}", _STATE), look.colour),
            "  " + cell(progress(run), fit.step, right=True),
            "  " + cell(figures.loss(run.val_loss), _LOSS, right=True),
        ]
        if fit.best:
            parts.append(("  " + cell(figures.loss(run.best_val_loss), fit.best, right=True), "$text-muted"))
        if fit.curve:
            parts.append(("  " + cell(figures.spark(thinned(run.curve, fit.curve)), fit.curve), "$text-secondary"))
        if fit.parameters:
            parts.append(("  " + cell(figures.count(run.parameters), fit.parameters, right=True), "$text-muted"))
        if fit.dataset:
            parts.append(("  " + cell(one_line(run.dataset), fit.dataset), "$text-muted"))
        if fit.created:
            parts.append(("  " + cell(local_time(run.created), fit.created), "$text-muted"))
        return Content.assemble(*parts)

    @property
    def copied(self) -> str:
        """Every run in sight of the filter, as tab-separated text."""
        rows = [
            "\t".join(
                [run.name, run.title, run.state.word.lower(), str(run.step), str(run.max_iters),
                 figures.loss(run.val_loss), figures.loss(run.best_val_loss), run.dataset, str(run.parameters),
                 run.created]
            )
            for run in self.runs
            if not run.fault
        ]  # fmt: skip
        return "\n".join(["name\ttitle\tstate\tstep\tmax_iters\tval\tbest\tdataset\tparameters\tcreated", *rows])


def called(kept: Kept) -> str:
    """A checkpoint's step, with the number that a second save at the same step has: "500", "500.2"."""
    _, dot, number = kept.info.name.partition(".")
    return f"{kept.info.step}{dot}{number}"


def _kept_as(kept: Kept) -> str:
    return f"left behind, {kept.kept_as}" if kept.left_behind else kept.kept_as


class CheckpointRows(Rows):
    """The checkpoints of a run, the newest first, with a cursor of their own."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__("checkpoints", "k", id=id)
        self.path: Path | None = None
        self.checkpoints: Sequence[Kept] = ()

    @property
    def current(self) -> Kept | None:
        return self.checkpoints[self.cursor] if self.cursor < len(self.checkpoints) else None

    def show(self, path: Path | None, checkpoints: Sequence[Kept]) -> None:
        """Those of a run; of the same run as before the cursor stays on its checkpoint, unless it is the newest."""
        if path == self.path and checkpoints == self.checkpoints:
            return
        kept = self.current if path == self.path and self.cursor else None
        self.path, self.checkpoints = path, checkpoints
        names = [checkpoint.info.name for checkpoint in checkpoints]
        self.changed(names.index(kept.info.name) if kept and kept.info.name in names else 0)

    @property
    def count(self) -> int:
        return len(self.checkpoints)

    def _widths(self) -> tuple[int, int]:
        """Of the columns for the step and for the size."""
        steps = [len(called(kept)) for kept in self.checkpoints]
        return max([4, *steps]), max([4, *(len(figures.size(kept.info.bytes)) for kept in self.checkpoints)])

    def head(self, width: int) -> Content:
        step, size = self._widths()
        columns = [cell("step", step, right=True), cell("val", _LOSS, right=True), cell("size", size, right=True)]
        return Content("  " + " ".join(columns) + "  kept as")

    def line(self, index: int, width: int) -> Content:
        kept, (step, size) = self.checkpoints[index], self._widths()
        why = one_line(_kept_as(kept))
        room = width - step - _LOSS - size - 6
        return Content.assemble(
            (PIN if kept.pinned else " ", "$text-warning"),
            " " + cell(called(kept), step, right=True),
            (" " + cell(figures.loss(kept.val_loss), _LOSS, right=True), "$text-muted"),
            " " + cell(figures.size(kept.info.bytes), size, right=True),
            "  ",
            (why if len(why) <= room else why.replace(", ", " "), "$text-error" if kept.info.reason is None else ""),
            (", pinned", "$text-muted") if kept.pinned and len(why) + 8 <= room else "",
        )

    @property
    def copied(self) -> str:
        rows = [
            f"{kept.info.step}\t{figures.loss(kept.val_loss)}\t{kept.info.bytes}\t{_kept_as(kept)}"
            for kept in self.checkpoints
        ]
        return "\n".join(["step\tval\tbytes\tkept_as", *rows])
