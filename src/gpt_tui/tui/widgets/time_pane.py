"""The time of a run as its evaluations: a bar each, as high as its validation loss, their steps, and the cursor."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby, pairwise
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.content import Content
from textual.message import Message
from textual.widget import Widget

from gpt_tui.tui import figures
from gpt_tui.tui.widgets.pane import Pane

WIDEST = 8  # cells of one evaluation
GAP_FROM = 3  # cells of one from which there is an empty one between two bars
CURSOR, KEPT, TO_COME = "▲", "◆", "·"
_EIGHTHS = f" {figures.SPARKS}"


@dataclass(frozen=True)
class Moment:
    """One evaluation. kept: whether its checkpoint is still there."""

    step: int
    train_loss: float
    val_loss: float
    kept: bool = False


@dataclass(frozen=True)
class Times:
    """What the strip draws. at: the evaluation under the cursor.

    expected: how many evaluations the whole run has, as far as can be told; end: its last step
    asking:   whether those with a checkpoint are marked, because only they can be asked
    """

    moments: Sequence[Moment] = ()
    at: int = 0
    expected: int = 0
    end: int = 0
    asking: bool = False


@dataclass(frozen=True)
class Columns:
    """Where each evaluation stands: its first cell, and how many cells its bar has. More than fit share cells."""

    starts: Sequence[int]
    bars: Sequence[int]

    @classmethod
    def of(cls, evaluations: int, width: int) -> Columns:
        room = min(width, WIDEST * evaluations)
        edges = [i * room // evaluations for i in range(evaluations + 1)]
        gap = 1 if room >= GAP_FROM * evaluations else 0
        bars = [max(1, after - start - gap) for start, after in pairwise(edges)]
        return cls(edges[:-1], bars)

    def nearest(self, x: int, among: int) -> int:
        """Which of the first `among` evaluations stands nearest to a cell."""
        return min(range(among), key=lambda i: abs(self.starts[i] + (self.bars[i] - 1) / 2 - x))


@dataclass
class _Row:
    """Cells of one line, each a character and its style."""

    width: int
    cells: list[tuple[str, str]] = field(init=False)

    def __post_init__(self) -> None:
        self.cells = [(" ", "")] * self.width

    def put(self, at: int, text: str, style: str, free: int = 0) -> bool:
        """Write where there is room, with `free` empty cells on both sides; False where there is none."""
        if at < 0 or at + len(text) > self.width or (free and not self.is_free(at - free, len(text) + 2 * free)):
            return False
        self.cells[at : at + len(text)] = [(character, style) for character in text]
        return True

    def is_free(self, at: int, cells: int) -> bool:
        """Whether nothing is written there; beyond the ends there is nothing."""
        return all(cell == " " for cell, _ in self.cells[max(0, at) : max(0, at + cells)])

    def content(self) -> Content:
        runs = groupby(self.cells, key=lambda cell: cell[1])
        return Content.assemble(*(("".join(text for text, _ in run), style) for style, run in runs))


def drawn(times: Times, width: int, height: int) -> list[Content]:
    """Bars above, and the line of steps below them."""
    if not times.moments or width < 1 or height < 1:
        return []
    columns = Columns.of(max(len(times.moments), times.expected), width)
    return [*_bars(times, columns, width, height - 1), _steps(times, columns, width)]


def _bars(times: Times, columns: Columns, width: int, height: int) -> list[Content]:
    losses = _losses_by_column(times, columns)
    cells = dict(zip(columns.starts, columns.bars, strict=True))
    low, high = figures.curve_scale([moment.val_loss for moment in times.moments]) or (0.0, 0.0)
    rows = [_Row(width) for _ in range(height)]
    for at, loss in losses.items():
        eighths = 1 + round(figures.share_of(loss, low, high) * (8 * height - 1)) if math.isfinite(loss) else 0
        style = "bold $accent" if at == columns.starts[times.at] else "$text-muted"
        for above, row in enumerate(reversed(rows)):
            row.put(at, _EIGHTHS[min(max(eighths - 8 * above, 0), 8)] * cells[at], style)
    for at in columns.starts[len(times.moments) :]:
        if rows and at not in losses:
            rows[-1].put(at, TO_COME, "$text-disabled")
    return [row.content() for row in rows]


def _losses_by_column(times: Times, columns: Columns) -> dict[int, float]:
    """First cell -> loss. Of evaluations that share a cell the highest, so that no spike is lost; at the cursor its."""
    losses: dict[int, float] = {}
    for at, moment in zip(columns.starts, times.moments, strict=False):
        known = losses.get(at, -math.inf)
        losses[at] = moment.val_loss if not moment.val_loss < known else known
    losses[columns.starts[times.at]] = times.moments[times.at].val_loss
    return losses


def _steps(times: Times, columns: Columns, width: int) -> Content:
    """The line of steps: the cursor with its own, then those with a checkpoint, or every so many."""
    row = _Row(width)
    kept = [(columns.starts[i], moment.step) for i, moment in enumerate(times.moments) if times.asking and moment.kept]
    for at, _ in kept:
        row.put(at, KEPT, "$text-muted")
    here, label = columns.starts[times.at], str(times.moments[times.at].step)
    if not row.put(here, f"{CURSOR}{label}", "bold $accent"):
        row.put(max(0, here - len(label)), f"{label}{CURSOR}", "bold $accent")
    for at, step in kept:
        if row.cells[at][0] == KEPT and row.is_free(at + 1, len(str(step)) + 1):
            row.put(at + 1, str(step), "$text-muted")
    if not times.asking:
        _label_evenly(row, times, columns)
    return row.content()


def _label_evenly(row: _Row, times: Times, columns: Columns) -> None:
    """The steps of every so many evaluations, the same ones whatever the cursor does, and of the run's end."""
    end = str(times.end)
    room, last = len(end) + 3, columns.starts[-1]
    every = next((n for n in _ROUND if columns.starts[min(n, len(columns.starts) - 1)] >= min(room, last)), 1)
    for i in range(0, len(times.moments), every):
        row.put(columns.starts[i], str(times.moments[i].step), "$text-muted", free=1)
    if times.end > times.moments[-1].step:
        right = min(last + max(columns.bars[-1], len(end)), row.width)
        row.put(right - len(end), end, "$text-disabled", free=1)


_ROUND = [digit * 10**power for power in range(7) for digit in (1, 2, 4, 5)]


class TimeStrip(Widget):
    DEFAULT_CSS = "TimeStrip { width: 1fr; height: 1fr; }"

    class Chosen(Message):
        """An evaluation was pressed with the mouse. at: its place among them."""

        def __init__(self, at: int) -> None:
            super().__init__()
            self.at = at

    def __init__(self) -> None:
        super().__init__()
        self.times = Times()

    def show(self, times: Times) -> None:
        if times != self.times:
            self.times = times
            self.refresh()

    def render(self) -> Content:
        return Content("\n").join(drawn(self.times, *self.content_size))

    def on_click(self, event: events.Click) -> None:
        known = len(self.times.moments)
        if known:
            columns = Columns.of(max(known, self.times.expected), self.content_size.width)
            self.post_message(self.Chosen(columns.nearest(event.x, known)))


class TimePane(Pane, inherit_bindings=False):
    """The strip in its frame. Its keys are the view's: wherever the focus is, the arrows go through time."""

    BINDINGS: ClassVar[list[BindingType]] = []
    KEYS: ClassVar[tuple[str, ...]] = ()

    def __init__(self, label: str, letter: str, *, id: str | None = None) -> None:
        super().__init__(label, letter, id=id)
        self.strip = TimeStrip()

    def compose(self) -> ComposeResult:
        yield self.strip

    def show(self, times: Times, newest: bool) -> None:
        """newest: whether the cursor follows the newest evaluation."""
        self.strip.show(times)
        if not times.moments:
            self.set_title(self.label)
            return
        here = times.moments[times.at]
        kept = f" · checkpoint {'kept' if here.kept else 'not kept'}" if times.asking else ""
        where = f"evaluation {times.at + 1:,} of {len(times.moments):,}"
        self.set_title(f"{self.label} · {where}{' · newest' if newest else ''}{kept}", self._scale(times))

    @staticmethod
    def _scale(times: Times) -> str:
        losses = [moment.val_loss for moment in times.moments if math.isfinite(moment.val_loss)]
        scale = figures.curve_scale(losses)
        if scale is None:
            return ""
        above = f", at first {figures.loss(losses.pop(0))}" if losses[0] > scale[1] else ""
        return f"validation loss {figures.loss(min(losses))} to {figures.loss(max(losses))}{above}"

    @property
    def copied(self) -> str:
        """Every evaluation, as tab-separated text."""
        rows = [f"{m.step}\t{m.train_loss:.4f}\t{m.val_loss:.4f}" for m in self.strip.times.moments]
        return "\n".join(["step\ttrain_loss\tval_loss", *rows])
