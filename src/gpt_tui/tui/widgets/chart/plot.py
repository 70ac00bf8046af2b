"""From a plan to a grid of cells: everything that a chart shows, decided without a screen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from gpt_tui.tui.widgets.chart import axes, limits
from gpt_tui.tui.widgets.chart.axes import Scale, Unit
from gpt_tui.tui.widgets.chart.canvas import ASCII_ROWS, Grid, braille, cell_width, fitted, plain, strokes, visible
from gpt_tui.tui.widgets.chart.pyramid import FloatArray, IntArray
from gpt_tui.tui.widgets.chart.read_out import LEAST_NAME, Pieces, Reading, boxes, glyph, in_one_line, length, read_out
from gpt_tui.tui.widgets.chart.series import Mark, Marks, Reference, Series
from gpt_tui.tui.widgets.chart.trace import Bins, Trace, edge_values, rows_of, trace

Cells = NDArray[np.bool_]


@dataclass(frozen=True)
class Plan:
    """What to draw, and how large. The x window is in x's own units; None shows the whole run."""

    width: int
    height: int
    series: Sequence[Series] = ()
    references: Sequence[Reference] = ()
    marks: Sequence[Mark] = ()
    window: tuple[float, float] | None = None
    x_end: float | None = None
    unit: Unit = "steps"
    smoothing: float = 0.0
    log_x: bool = False
    log_y: bool = False
    crosshair: float | None = None
    ascii: bool = False
    placeholder: str = ""


@dataclass(frozen=True)
class Box:
    """The cells that the plot itself takes, inside the labels."""

    left: int
    top: int
    width: int
    height: int


@dataclass(frozen=True)
class Frame:
    """A drawn plan. Without data there is no box and there are no scales."""

    grid: Grid
    box: Box | None = None
    x_scale: Scale | None = None
    y_scale: Scale | None = None


def x_scale_of(plan: Plan) -> Scale | None:
    """The x scale of a plan, or None while there is nothing to show."""
    extent = limits.x_extent(plan.series, plan.x_end)
    if extent is None:
        return None
    low, high = plan.window or extent
    return Scale(low, high, plan.log_x, limits.first_positive(plan.series) if plan.log_x else None)


def draw(plan: Plan) -> Frame:
    """Draw `plan` on a fresh grid of its size."""
    grid = Grid(plan.width, plan.height, plan.ascii)
    x_scale = x_scale_of(plan)
    if plan.width < 1 or plan.height < 1:
        return Frame(grid)
    view = _View.of(plan, x_scale) if x_scale else None
    if view is None or x_scale is None:
        _draw_placeholder(grid, plan.placeholder)
        return Frame(grid)
    return _Drawing(plan, grid, x_scale, view).draw()


def _cells(at: FloatArray, dots: int, cells: int) -> tuple[IntArray, Cells]:
    """The cells in which places lie that are counted in dots, not rounded; and which of them are in sight."""
    seen = (at >= -0.5) & (at <= dots - 0.5)
    whole = np.clip(np.round(np.where(seen, at, 0.0)), 0, dots - 1).astype(np.int64)
    return whole * cells // dots, seen


def _each(found: tuple[IntArray, Cells]) -> list[int | None]:
    """Cells one by one, None for those out of sight."""
    return [cell if seen else None for cell, seen in zip(*(part.tolist() for part in found), strict=True)]


def _draw_placeholder(grid: Grid, text: str) -> None:
    lines = [fitted(visible(line), grid.width) for line in text.split("\n")][: grid.height]
    for number, line in enumerate(lines):
        grid.put((grid.width - cell_width(line)) // 2, (grid.height - len(lines)) // 2 + number, line, "placeholder")


@dataclass(frozen=True)
class _View:
    """The y scale for what is in sight, and where everything goes."""

    y_scale: Scale
    box: Box
    ticks: tuple[tuple[float, str], ...]
    reference_labels: tuple[str, ...]  # one for each reference, cut to the room beside the plot; empty without room
    valued: bool  # whether these say their values
    legend: tuple[tuple[str, str, str], ...]  # (glyph, name, role)
    legend_row: int | None

    @classmethod
    def of(cls, plan: Plan, x_scale: Scale) -> _View | None:
        y_scale = _y_scale(plan, x_scale)
        if y_scale is None:
            return None
        axis_rows = 1 if plan.height >= 4 and plan.width >= 12 else 0
        labels, beside, valued = _reference_labels(plan)
        legend = tuple((glyph(s), visible(s.name), s.role) for s in plan.series if len(s) and s.legend and s.name)
        legend_row, own_row = _legend_row(plan, legend, beside, axis_rows)
        height = plan.height - axis_rows - own_row
        ticks: tuple[tuple[float, str], ...] = ()
        if plan.width >= 20:
            count = max(1.0, (height - 1) / (2 if height < 12 else 3 if height < 24 else 4))
            found = axes.y_ticks(y_scale, count)
            ticks = tuple(zip(found, axes.y_labels(found), strict=True))
        # Four cells at least, so that the plot does not shift when 2.5 becomes 2.25 among the labels.
        gutter = 1 + max([4, *(len(text) for _, text in ticks)]) if ticks else 0
        if gutter > plan.width // 3:
            gutter, ticks = 0, ()
        return cls(
            y_scale,
            Box(gutter, 0, plan.width - gutter - beside, height),
            ticks,
            labels,
            valued,
            legend if legend_row is not None else (),
            legend_row,
        )


def _y_scale(plan: Plan, x_scale: Scale) -> Scale | None:
    """Fit y to what is in sight, or to everything where a line only passes through; None without any value."""
    extent = _y_extent(plan, x_scale)
    if extent is None and plan.window and (whole := limits.x_extent(plan.series, None)):
        extent = _y_extent(plan, Scale(*whole))
    return None if extent is None else limits.y_scale(extent, [r.y for r in plan.references], plan.log_y)


def _y_extent(plan: Plan, x_scale: Scale) -> tuple[float, float] | None:
    """Smallest and largest of the raw data within the x scale: unlike their average they forget a spike at once."""
    extremes: list[tuple[FloatArray, FloatArray]] = []
    keep: list[float] = []
    for s in plan.series:
        bins = Bins.of(s.x, x_scale, 2 * plan.width)
        pyramid = s.pyramid if s.raw else s.smoothed(plan.smoothing)
        extremes.append(pyramid.extremes(bins.starts, bins.stops))
        at_edges = edge_values(s.x, pyramid.values, bins, x_scale)
        extremes.append((at_edges, at_edges))
        if len(s) and bins.starts[0] == 0 and (first := limits.opening(pyramid.values)) is not None:
            keep.append(first)
    lows, highs = (np.concatenate(side) for side in zip(*extremes, strict=True))
    if plan.log_y:
        lows, highs, keep = lows[lows > 0], highs[highs > 0], [k for k in keep if k > 0]
    return limits.robust_extent(lows, highs, limits.alike(keep))


def _reference_labels(plan: Plan) -> tuple[tuple[str, ...], int, bool]:
    """Labels for the reference lines, the columns that they take at the right, and whether these say their values."""
    if not plan.references or plan.width < 44 or plan.height < 5:
        return (), 0, False
    names = [visible(r.label) for r in plan.references]
    valued = [f"{name} {r.y:.2f}" for name, r in zip(names, plan.references, strict=True)]
    for labels, share in ((valued, 1 / 7), (names, 2 / 7)):
        widest = max(cell_width(text) for text in labels)
        if widest + 1 <= plan.width * share:
            return tuple(labels), widest + 1, labels is valued
    room = plan.width // 6
    return tuple(fitted(name, room - 1) for name in names), room, False


def _legend_row(
    plan: Plan, legend: Sequence[tuple[str, str, str]], beside: int, axis_rows: int
) -> tuple[int | None, int]:
    """The row of the legend, and the rows to keep for it alone: where rows are few it shares that of the x axis."""
    if not legend or not axis_rows:
        return None, 0
    bottom = plan.height - 1
    width = _legend_width(legend)
    if plan.height >= 12:
        return bottom, 1
    if width <= beside + (plan.width - beside) // 3:
        return bottom, 0
    return (bottom, 1) if plan.height >= 9 else (None, 0)


def _legend_width(legend: Sequence[tuple[str, str, str]]) -> int:
    return sum(cell_width(mark) + 1 + cell_width(name) for mark, name, _ in legend) + 2 * (len(legend) - 1)


def _shortened(legend: Sequence[tuple[str, str, str]], width: int) -> list[tuple[str, str, str]]:
    """A legend in so many cells: with all names cut alike, and only then with the last left out."""
    names = max(cell_width(name) for _, name, _ in legend)
    for cells in range(names, min(names, LEAST_NAME) - 1, -1):
        cut = [(mark, fitted(name, cells), role) for mark, name, role in legend]
        if _legend_width(cut) <= width:
            return cut
    return _shortened(legend[:-1], width) if len(legend) > 1 else list(legend)


@dataclass
class _Drawing:
    """One drawing in progress: layers put on the grid, each knowing what lies beneath."""

    plan: Plan
    grid: Grid
    x_scale: Scale
    view: _View
    data: Cells = field(init=False)  # cells of the plot that show data
    taken: Cells = field(init=False)  # cells of the plot that show data or words

    def __post_init__(self) -> None:
        box = self.view.box
        self.data = np.zeros((box.height, box.width), dtype=bool)
        self.taken = self.data.copy()

    @cached_property
    def _marks(self) -> Marks:
        return self.plan.marks if isinstance(self.plan.marks, Marks) else Marks(self.plan.marks)

    @cached_property
    def _reference_rows(self) -> list[int | None]:
        return _each(self._rows(np.array([reference.y for reference in self.plan.references])))

    @property
    def across(self) -> int:
        """Dot columns of the plot."""
        return self.view.box.width * (1 if self.plan.ascii else 2)

    @property
    def down(self) -> int:
        """Dot rows of the plot."""
        return self.view.box.height * (ASCII_ROWS if self.plan.ascii else 4)

    def draw(self) -> Frame:
        self._references()
        self._mark_lines()
        self._series()
        self.taken = self.data.copy()
        self._y_axis()
        self._x_axis()
        self._reference_labels()
        if self.plan.crosshair is not None:
            self._crosshair(self.plan.crosshair)
        self._mark_labels()
        return Frame(self.grid, self.view.box, self.x_scale, self.view.y_scale)

    # Where things are -----------------------------------------------------------------------------------------------

    def _column(self, x: float) -> int | None:
        """The cell column of `x` in the plot, or None out of sight."""
        return _each(self._columns(np.array([x])))[0]

    def _columns(self, x: FloatArray) -> tuple[IntArray, Cells]:
        """The cell columns of many, and which of them are in sight."""
        at = self.x_scale.fraction(x) * max(self.across - 1, 1)
        return _cells(at, self.across, self.view.box.width)

    def _row(self, y: float) -> int | None:
        """The cell row of `y` in the plot, or None out of sight."""
        return _each(self._rows(np.array([y])))[0]

    def _rows(self, y: FloatArray) -> tuple[IntArray, Cells]:
        """The cell rows of many, and which of them are in sight."""
        return _cells(rows_of(y, self.view.y_scale, self.down), self.down, self.view.box.height)

    def _put(self, column: int, row: int, text: str, role: str) -> None:
        """Write inside the plot, counted from its corner."""
        box = self.view.box
        self.grid.put(box.left + column, box.top + row, text, role)
        self.taken[row, column : column + cell_width(text)] = True

    # Layers, from the bottom ----------------------------------------------------------------------------------------

    def _references(self) -> None:
        box = self.view.box
        line = ("- " * box.width)[: box.width] if self.plan.ascii else "┄" * box.width
        for row in self._reference_rows:
            if row is not None:
                self.grid.put(box.left, box.top + row, line, "reference")

    def _mark_lines(self) -> None:
        box, ticks = self.view.box, self._marks.ticks
        columns, seen = self._columns(self._marks.x)
        lines, feet = self.data.copy(), self.data.copy()
        lines[:, columns[seen & ~ticks]] = True
        feet[-1, columns[seen]] = ticks[seen]  # of several in one column the last one stays
        for cells, sign in ((lines, "┊"), (feet, "╷")):
            self.grid.paint(cells, ord(plain(sign) if self.plan.ascii else sign), "mark", box.left, box.top)

    def _series(self) -> None:
        """Raw data first; a smooth line then takes its cells whole, so that it is seen without colour too."""
        view, smoothing = self.view, self.plan.smoothing
        lines: list[tuple[Series, Trace]] = []
        overs = np.zeros(self.across, dtype=bool)
        unders = overs.copy()
        bins = [Bins.of(s.x, self.x_scale, self.across) for s in self.plan.series]
        for s, b in zip(self.plan.series, bins, strict=True):
            smooth = s.smooth and smoothing > 0
            if len(s) == 0:
                continue
            if smooth:
                averages = s.smoothed(smoothing)
                lines.append((s, trace(s.x, averages, b, self.x_scale, view.y_scale, self.down)))
            if not smooth or s.raw:
                raw = trace(s.x, s.pyramid, b, self.x_scale, view.y_scale, self.down)
                overs |= raw.over
                unders |= raw.under
                if smooth:
                    self._line(raw, "raw", faint=True)
                else:
                    lines.append((s, raw))
        shared = np.zeros(self.data.shape, dtype=np.uint32)
        # In a cell that lines share the last drawn gives the colour: the first series, as markers show the others.
        lines.reverse()
        for s, line in sorted(lines, key=lambda drawn: drawn[0].marker is None):
            if s.kind == "line":
                shared = self._line(line, s.role, shared, dashed=s.dashed)
        self._clipped(overs, 0, "▲")
        self._clipped(unders, view.box.height - 1, "▼")
        for s, b in zip(self.plan.series, bins, strict=True):
            if s.marker and len(s):
                self._markers(s, b)

    def _line(
        self,
        line: Trace,
        role: str,
        shared: NDArray[np.uint32] | None = None,
        faint: bool = False,
        dashed: bool = False,
    ) -> NDArray[np.uint32]:
        """Draw a line. `shared` holds the dots of the lines before it, which stay where both run through a cell."""
        box = self.view.box
        if self.plan.ascii:
            codes = strokes(line.top, line.bottom, line.heading, box.height, faint)
            cells = codes > 0
            dots = codes
        else:
            dots = braille(line.top, line.bottom, box.height)
            cells = dots > 0
        if dashed:
            cells &= np.arange(box.width) % 4 < 2
        if not self.plan.ascii:
            dots = np.where(cells, dots, np.uint32(0))
            dots = dots if shared is None else dots | shared
            codes = dots | np.uint32(0x2800)
        self.grid.paint(cells, codes, role, box.left, box.top)
        self.data |= cells
        return dots

    def _clipped(self, columns: NDArray[np.bool_], row: int, sign: str) -> None:
        """Point to values beyond the edge of the plot."""
        box = self.view.box
        for column in np.flatnonzero(columns.reshape(box.width, -1).any(axis=1)).tolist():
            self.grid.put(box.left + column, box.top + row, sign, "clipped")
            self.data[row, column] = True

    def _markers(self, s: Series, bins: Bins) -> None:
        """A marker at the last point of a column, the newest first, and as far apart as the series wants them.

        One stands at its newest point in sight where `shift` leaves room for none.
        """
        assert s.marker is not None
        box, values = self.view.box, s.smoothed(self.plan.smoothing).values
        dots = np.flatnonzero(bins.stops > bins.starts)[::-1]
        rows, seen = self._rows(values[bins.stops[dots] - 1])
        columns = dots * box.width // self.across
        places = list(zip(columns[seen].tolist(), rows[seen].tolist(), strict=True))
        chosen: list[tuple[int, int]] = []
        for column, row in places:
            if column < box.width - s.shift and (not chosen or chosen[-1][0] - column >= s.apart):
                chosen.append((column, row))
        for column, row in chosen or places[:1]:
            self.grid.put(box.left + column, box.top + row, s.marker, s.role)
            self.data[row, column] = True

    # Words ----------------------------------------------------------------------------------------------------------

    def _y_axis(self) -> None:
        box = self.view.box
        used: set[int] = set()
        rows = _each(self._rows(np.array([value for value, _ in self.view.ticks])))
        for row, (_, text) in zip(rows, self.view.ticks, strict=True):
            if row is not None and not used & {row - 1, row, row + 1}:
                self.grid.put(box.left - 1 - len(text), box.top + row, text, "axis")
                used.add(row)

    def _x_axis(self) -> None:
        """Labels under their columns, each with two blanks before the next; the legend first, at the right."""
        plan, box = self.plan, self.view.box
        row = box.top + box.height
        if row >= plan.height:
            return
        free_to = plan.width
        if self.view.legend_row is not None:
            start = self._legend(self.view.legend_row)
            if self.view.legend_row == row:
                free_to = start - 3
        free_from = 0
        ticks = axes.x_ticks(self.x_scale, max(1.0, box.width / 14), plan.unit)
        texts = [axes.x_label(tick, plan.unit) for tick in ticks]
        for column, text in zip(_each(self._columns(np.array(ticks))), texts, strict=True):
            if column is None:
                continue
            start = box.left + column - (len(text) - 1) // 2
            start = min(max(start, 0), box.left + box.width - len(text))
            if start >= free_from and start + len(text) <= free_to:
                self.grid.put(start, row, text, "axis")
                free_from = start + len(text) + 2

    def _legend(self, row: int) -> int:
        """Draw the legend right-aligned; returns the column it begins at."""
        legend = _shortened(self.view.legend, self.plan.width - 2)
        start = x = max(self.plan.width - _legend_width(legend) - 1, 0)
        for mark, name, role in legend:
            self.grid.put(x, row, mark, role)
            self.grid.put(x + cell_width(mark) + 1, row, fitted(name, self.plan.width - x - 3), "legend")
            x += cell_width(mark) + cell_width(name) + 3
        return start

    def _reference_labels(self) -> None:
        """Names beside their lines. Of those that share a row the one nearest to the data stays; another moves by a row
        where it says its value, and else is left out: there it would be read as the name of what that row is."""
        box, labels, references = self.view.box, self.view.reference_labels, self.plan.references
        level = self._level()
        own = {i: row for i, row in enumerate(self._reference_rows[: len(labels)]) if row is not None}
        heights = {i: self._height(references[i].y) for i in own}
        order = sorted(own, key=lambda i: abs(heights[i] - level))
        placed: dict[int, int] = {}
        for i in order:
            placed.setdefault(own[i], i)
        for i in order if self.view.valued else ():
            first = placed[own[i]]
            row = own[i] + (1 if references[i].y < references[first].y else -1)
            if first != i and row not in placed and 0 <= row < box.height:
                placed[row] = i
        for row, i in placed.items():
            self.grid.put(box.left + box.width + 1, box.top + row, labels[i], "reference-label")

    def _height(self, y: float) -> float:
        return float(rows_of(y, self.view.y_scale, self.down)) if math.isfinite(y) else math.inf

    def _level(self) -> float:
        """The dot row of the newest value in sight: where the eye is."""
        for s in self.plan.series:
            stop = int(np.searchsorted(s.x, self.x_scale.high, side="right"))
            values = s.smoothed(self.plan.smoothing).values[max(stop - 64, 0) : stop]
            values = values[np.isfinite(values)]
            if len(values):
                return self._height(float(values[-1]))
        return 0.0

    def _mark_labels(self) -> None:
        """The newest first, at the top, to the right of its line or else to the left, where nothing else is."""
        box = self.view.box
        if box.width < 24 or box.height < 5:
            return
        told = self._marks.told
        columns, seen = self._columns(np.array([mark.x for mark in told]))
        for at in np.flatnonzero(seen).tolist():
            column, text = int(columns[at]), fitted(visible(told[at].text).strip(), max(24, box.width // 2))
            if not text:
                continue
            width = cell_width(text)
            places = ((row, start) for row in range(box.height // 3) for start in (column + 2, column - width - 1))
            for row, start in places:
                left, right = max(start - 1, 0), start + width + 1
                if start >= 0 and right - 1 <= box.width and not self.taken[row, left:right].any():
                    self._put(start, row, text, "mark-label")
                    break

    # The crosshair --------------------------------------------------------------------------------------------------

    def _crosshair(self, x: float) -> None:
        box, column = self.view.box, self._column(x)
        if column is None:
            return
        for row in range(box.height):
            if not self.data[row, column]:
                self.grid.put(box.left + column, box.top + row, "│", "crosshair")
        readings = read_out(self.plan.series, x, self.plan.smoothing)
        self.taken[:, column] = True
        points: set[int] = set()
        for reading in reversed(readings):  # where two points share a cell, the first series is seen
            at = self._column(reading.x)
            height = self._row(reading.y if reading.smoothed is None else reading.smoothed)
            if at == column and height is not None:
                points.add(height)
                sign = "●" if reading.glyph in "━╌" else reading.glyph
                self.grid.put(box.left + column, box.top + height, sign, reading.role)
        self._read_out(x, column, readings, points)

    def _read_out(self, x: float, column: int, readings: Sequence[Reading], points: set[int]) -> None:
        """The fullest box that fits beside the crosshair, where most is empty; or else a line away from the points."""
        box, unit = self.view.box, self.plan.unit
        room = max(box.width - column - 4, column - 3)
        for said in boxes(readings, x, unit, room, box.height):
            width, height = max(map(length, said)) + 2, len(said)
            start = column + 2 if column + 2 + width <= box.width else column - 1 - width
            if start >= 0 and height <= box.height:
                break
        else:
            self._read_out_line(column, in_one_line(readings, x, unit), points)
            return
        tops = sorted({0, (box.height - height) // 2, box.height - height})
        top = min(tops, key=lambda t: int(self.data[t : t + height, start : start + width].sum()))
        for row, pieces in enumerate(said, start=top):
            self._put(start, row, " " * width, "read-out")
            self._put_pieces(start + 1, row, pieces)

    def _read_out_line(self, column: int, ways: Sequence[Pieces], points: set[int]) -> None:
        """The fullest of these that fits beside the crosshair, or over its line where that row shows no point."""
        box = self.view.box
        free = [row for row in (0, box.height - 1) if row not in points]
        if not free:
            return
        for pieces in ways:
            width = length(pieces)
            for start in (column + 1, column - width, 0):
                if start >= 0 and start + width <= box.width:
                    self._put_pieces(start, free[0], pieces)
                    return
        self._put(0, free[0], fitted("".join(text for text, _ in ways[-1]), box.width), "read-out")

    def _put_pieces(self, column: int, row: int, pieces: Pieces) -> None:
        for text, role in pieces:
            self._put(column, row, text, role)
            column += cell_width(text)
