"""Marked runs laid over each other: their losses on one chart, only the settings that differ, their samples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.message import Message
from textual.widget import Widget

from gpt_tui.core.runs import Compared, History, differing, results
from gpt_tui.tui import figures, keys
from gpt_tui.tui.compare_reader import CompareReader, HistoryGrown, HistoryRead
from gpt_tui.tui.plain import one_line, visible
from gpt_tui.tui.shelf_reader import ShelfRun
from gpt_tui.tui.widgets.chart import Chart, Unit
from gpt_tui.tui.widgets.chart.palette import run_colour
from gpt_tui.tui.widgets.chart_keys import ChartKeys
from gpt_tui.tui.widgets.compare_chart import MOST, CompareChart, Laid
from gpt_tui.tui.widgets.pane import Pane
from gpt_tui.tui.widgets.plot import placed
from gpt_tui.tui.widgets.rows import cell
from gpt_tui.tui.widgets.run_rows import told_apart, without_stamp

if TYPE_CHECKING:
    from gpt_tui.core.events import Sample

NAME = 24  # cells that a run's name takes in a head
VALUE = (6, 30)  # cells of a value's column in the table
NARROW = 10  # cells that it has at most where not all columns fit side by side
TEXT = 22  # cells that a sample's column has at least, where there is room for two


def short_names(runs: Sequence[ShelfRun]) -> list[str]:
    """Titles, or names without their time stamps where these are not needed to tell the runs apart."""
    names = [run.title or without_stamp(run.name) for run in runs]
    for name, times in Counter(names).items():
        alike = [at for at, run in enumerate(runs) if names[at] == name and not run.title]
        if times > 1:
            for at, told in zip(alike, told_apart([runs[at].name for at in alike]), strict=True):
                names[at] = told
    return [cell(one_line(name), NAME).rstrip() for name in names]


class ComparedPane(Pane):
    """A pane that is written anew when its width is another."""

    class Resized(Message):
        """Its width is another."""

    def on_resize(self) -> None:
        self.post_message(self.Resized())

    @property
    def room(self) -> int:
        return self.scrollable_content_region.width


class DifferencePane(ComparedPane):
    """Its text on the clipboard is a table, not what is drawn."""

    table = ""

    @property
    def copied(self) -> str:
        return self.table


class CompareView(ChartKeys, Widget):
    """`lay` begins with some runs, `close` ends. Everything that is drawn is read in a thread of its own."""

    BINDINGS: ClassVar[list[BindingType]] = keys.bindings("compare", "chart")
    KEYS: ClassVar[tuple[str, ...]] = ("compare", "chart")

    def __init__(self, *, ascii: bool = False, id: str | None = None) -> None:
        super().__init__(id=id)
        self.chart: CompareChart = CompareChart(ascii=ascii, id="laid")
        self.chart.border_subtitle = Content("esc: the shelf")
        self.differences = DifferencePane("what differs", "w", id="differences")
        self.samples = ComparedPane("samples", "s", id="compared-samples")
        self.upper = Horizontal(id="compared")
        self.runs: Sequence[ShelfRun] = ()
        self._laid: list[Laid] = []
        self._faults: dict[Path, str] = {}
        self._reader: CompareReader | None = None
        self._differing: list[Compared] = []
        self._differing_of: tuple[object, ...] | None = None

    def compose(self) -> ComposeResult:
        with self.upper:
            yield self.chart
            yield self.differences
        yield self.samples

    def on_unmount(self) -> None:
        self.close()

    @property
    def panes(self) -> list[Widget]:
        return [self.chart, self.differences, self.samples]

    # Reading --------------------------------------------------------------------------------------------------------

    def lay(self, runs: Sequence[ShelfRun]) -> None:
        """Lay these over each other, the first `MOST` of them."""
        self.close()
        self.runs = runs[:MOST]
        self._laid = [Laid(name) for name in short_names(self.runs)]
        self._faults.clear()
        self._differing_of = None
        self.chart.lay(self._laid)
        self._write()
        self._reader = CompareReader([run.path for run in self.runs], self.post_message)

    def close(self) -> None:
        """Stop reading."""
        if self._reader is not None:
            self._reader.stop()
            self._reader = None

    def _place(self, path: Path) -> int | None:
        return next((place for place, run in enumerate(self.runs) if run.path == path), None)

    @on(HistoryRead)
    def _read(self, message: HistoryRead) -> None:
        place = self._place(message.path)
        if place is None or self._reader is None:
            return
        if message.history is None:
            self._faults[message.path] = message.fault
            self.notify(message.fault, severity="error", markup=False)
        else:
            self._laid[place].history = message.history
        if len(self._faults) == len(self.runs):
            self.chart.set_placeholder("none of these runs can be read")
        self.chart.show()
        self._write()

    @on(HistoryGrown)
    def _grown(self, message: HistoryGrown) -> None:
        place = self._place(message.path)
        history = self._laid[place].history if place is not None and self._reader is not None else None
        if history is not None:
            history.extend(message.events)
            self.chart.show()
            self._write()

    # Writing --------------------------------------------------------------------------------------------------------

    @on(ComparedPane.Resized)
    def _write(self) -> None:
        self._write_differences()
        self._write_samples()

    @on(Chart.CrosshairMoved)
    @on(Chart.ViewChanged)
    def _write_samples(self) -> None:
        """Side by side, at the crosshair, or the newest."""
        at, unit, room = self.chart.crosshair, self.chart.unit, self.samples.room
        columns = []
        for place, laid in enumerate(self._laid):
            sample = sample_at(laid.history, at, unit) if laid.history else None
            columns.append((_heads(self._head(place), laid.history, sample), _text_of(laid, sample)))
        self.samples.set_title("samples · newest" if at is None else "samples · at the crosshair")
        if room:
            self.samples.set_text(beside(columns, room))

    def _write_differences(self) -> None:
        histories = [laid.history or History() for laid in self._laid]
        of = tuple((id(history.started), len(history.edits)) for history in histories)
        if of != self._differing_of:
            self._differing_of, self._differing = of, differing(histories)
        came = results(histories)
        heads = [self._head(place) for place in range(len(self._laid))]
        self.differences.table = tab_separated([*self._differing, *came], [run.called for run in self.runs])
        number = len(self._differing)
        self.differences.set_title(f"what differs · {number}" if number else "what differs")
        if not (room := self.differences.room):
            return
        written = table([self._differing, came], heads, room)
        if not self._differing and all(laid.history for laid in self._laid):
            same = Content.styled("These runs have the same settings.", "$text-muted")
            written = Content("\n\n").join([same, written])
        self.differences.set_text(written)

    def _head(self, place: int) -> Content:
        """A run's digit and name in its colour, as on the chart."""
        colour = run_colour(place, dark=self.app.current_theme.dark)
        return Content.styled(f"{place + 1} {self._laid[place].name}", f"bold {colour}")

    # Keys -----------------------------------------------------------------------------------------------------------

    def action_next_curves(self) -> None:
        self.chart.next_curves()

    def leave(self) -> bool:
        """Take the crosshair away; False where there is none."""
        if self.chart.crosshair is None:
            return False
        self.chart.set_crosshair(None)
        return True


def sample_at(history: History, x: float | None, unit: Unit) -> Sample | None:
    """The sample of a run that is nearest to a place on the x axis; the newest for None."""
    if not history.samples or x is None:
        return history.samples[-1] if history.samples else None
    steps = np.array([sample.step for sample in history.samples], dtype=float)
    return history.samples[int(np.abs(placed(history, steps, unit) - x).argmin())]


def _heads(name: Content, history: History | None, sample: Sample | None) -> list[Content]:
    """What may stand over a sample, the fullest first: its run, with its step, with its loss."""
    if history is None or sample is None:
        return [name]
    stepped = Content.assemble(name, (f" · step {sample.step}", "$text-muted"))
    loss = next((e.val_loss for e in history.evals if e.step == sample.step), None)
    whole = [] if loss is None else [Content.assemble(stepped, (f" · val {figures.loss(loss)}", "$text-muted"))]
    return [*whole, stepped, name]


def _text_of(laid: Laid, sample: Sample | None) -> Content:
    if sample is None:
        return Content.styled("no sample yet" if laid.history else "not read", "$text-muted")
    prompt, text = visible(sample.prompt), visible(sample.text)
    if not prompt.strip("\n"):
        prompt, text = "", text.lstrip("\n")
    return Content.assemble((prompt, "$text-accent"), text)


def table(groups: Sequence[Sequence[Compared]], heads: Sequence[Content], width: int) -> Content:
    """Names at the left, a column a run, an empty line between two groups of lines. Columns that do not all fit are
    as narrow as may be, and then stand in blocks."""
    lines = [line for group in groups for line in group]
    names = max(len(line.name) for line in lines)
    wide = _widths(lines, heads, width - names)
    written: list[Content] = []
    for first, last in _blocks([cells + 2 for cells in wide], width - names):
        columns = range(first, last)
        written += [Content("")] if written else []
        written.append(Content("").join([Content(" " * names), *(_in(heads[i], wide[i]) for i in columns)]))
        for number, group in enumerate(group for group in groups if group):
            written += [Content("")] if number else []
            for line in group:
                texts = "".join("  " + cell(one_line(line.texts[i]), wide[i]) for i in columns)
                written.append(Content.assemble((f"{line.name:<{names}}", "$text-muted"), texts))
    return Content("\n").join(written)


def _widths(lines: Sequence[Compared], heads: Sequence[Content], room: int) -> list[int]:
    """Cells of each column: as its head and values are, or as its values are where there is not the room for that."""
    least, most = VALUE
    values = [max(least, *(Content(one_line(line.texts[i])).cell_length for line in lines)) for i in range(len(heads))]
    whole = [max(value, head.cell_length) for value, head in zip(values, heads, strict=True)]
    for wide in ([min(cells, most) for cells in whole], values):
        if sum(wide) + 2 * len(wide) <= room:
            return wide
    return [min(value, max(min(NARROW, room - 2), least)) for value in values]


def _in(content: Content, width: int) -> Content:
    return Content("  ") + content.truncate(width, ellipsis=True).pad_right(max(width - content.cell_length, 0))


def _blocks(widths: Sequence[int], room: int) -> list[tuple[int, int]]:
    """Stretches of columns that fit into `room`, at least one column each: (first, one after the last)."""
    blocks, first, used = [], 0, 0
    for i, cells in enumerate(widths):
        if i > first and used + cells > room:
            blocks.append((first, i))
            first, used = i, 0
        used += cells
    return [*blocks, (first, len(widths))] if widths else []


def beside(columns: Sequence[tuple[Sequence[Content], Content]], width: int) -> Content:
    """Texts under their heads, side by side, as many as are wide enough to be read; the rest below."""
    if not columns:
        return Content("")
    across = min(len(columns), max(1, (width + 2) // (TEXT + 2)))
    room = (width - 2 * (across - 1)) // across
    written: list[Content] = []
    for start in range(0, len(columns), across):
        block = [[_fullest(heads, room), *text.wrap(room)] for heads, text in columns[start : start + across]]
        if written:
            written.append(Content(""))
        for row in range(max(map(len, block))):
            cells = [lines[row] if row < len(lines) else Content("") for lines in block]
            padded = [content.pad_right(room - content.cell_length) for content in cells[:-1]]
            written.append(Content("  ").join([*padded, cells[-1]]))
    return Content("\n").join(written)


def _fullest(heads: Sequence[Content], room: int) -> Content:
    return next((head for head in heads if head.cell_length <= room), heads[-1].truncate(room, ellipsis=True))


def tab_separated(lines: Sequence[Compared], names: Sequence[str]) -> str:
    rows = [["", *names], *([line.name, *line.texts] for line in lines)]
    return "\n".join("\t".join(one_line(text).replace("\t", " ") for text in row) for row in rows)
