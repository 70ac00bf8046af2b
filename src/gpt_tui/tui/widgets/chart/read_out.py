"""What the crosshair reads: every series at one place, and the ways to say it in the room that there is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gpt_tui.tui.widgets.chart import axes
from gpt_tui.tui.widgets.chart.axes import Unit
from gpt_tui.tui.widgets.chart.canvas import cell_width, fitted, visible
from gpt_tui.tui.widgets.chart.series import Series

LEAST_NAME = 6  # cells of a name from which it still tells anything
PLAIN = "read-out"

Pieces = list[tuple[str, str]]  # (text, role), one after the other


@dataclass(frozen=True)
class Reading:
    """One series at the crosshair: its nearest point, exactly as it was given."""

    name: str
    role: str
    glyph: str
    x: float
    y: float
    smoothed: float | None  # the moving average there, where one is shown

    @property
    def value(self) -> str:
        """What is drawn there, in figures."""
        return axes.y_reading(self.y if self.smoothed is None else self.smoothed)

    @property
    def called(self) -> str:
        return visible(self.name)

    def aside(self, x: float, unit: Unit) -> str:
        """What else there is to say: its value before smoothing, and where its point is when not at the crosshair."""
        raw = "" if self.smoothed is None else f"  raw {axes.y_reading(self.y)}"
        return raw if self.x == x else f"{raw}  at {axes.x_label(self.x, unit)}"


def read_out(series: Sequence[Series], x: float, smoothing: float) -> list[Reading]:
    """Every series at `x`, from the point nearest to it; a series without points is left out."""
    readings = []
    for s in series:
        at = s.nearest(x)
        if at is None:
            continue
        smoothed = float(s.smoothed(smoothing).values[at]) if s.smooth and smoothing else None
        readings.append(Reading(s.name, s.role, glyph(s), float(s.x[at]), float(s.y[at]), smoothed))
    return readings


def glyph(series: Series) -> str:
    return series.marker or ("╌" if series.dashed else "━")


def boxes(readings: Sequence[Reading], x: float, unit: Unit, width: int, height: int) -> Iterator[list[Pieces]]:
    """The lines of a box, the fullest first: a line a series, with less and less beside it; then several in a line.

    width, height: of the largest box that there is room for; those that are yielded may be larger.
    """
    head: Pieces = [(axes.x_reading(x, unit), PLAIN)]
    names = max((cell_width(r.called) for r in readings), default=0)
    values = max((len(r.value) for r in readings), default=0)
    yield [head, *(_line(r, names, values, r.aside(x, unit)) for r in readings)]
    yield [head, *(_line(r, names, values) for r in readings)]
    room = width - values - 4
    if LEAST_NAME <= room < names:
        yield [head, *(_line(r, room, values) for r in readings)]
    if readings and height > 1:
        columns = -(-len(readings) // (height - 1))
        rows = -(-len(readings) // columns)
        yield [head, *(_beside(readings[row::rows], values) for row in range(rows))]


def _line(reading: Reading, names: int, values: int, aside: str = "") -> Pieces:
    name = fitted(reading.called, names)
    name += " " * (names - cell_width(name))
    return [(reading.glyph, f"{PLAIN} {reading.role}"), (f" {name}  {reading.value:>{values}}{aside}", PLAIN)]


def _beside(readings: Sequence[Reading], values: int) -> Pieces:
    """Without names: what stands for each series, and its value."""
    pieces: Pieces = []
    for reading in readings:
        gap = "  " if pieces else ""
        pieces += [(gap + reading.glyph, f"{PLAIN} {reading.role}"), (f" {reading.value:>{values}}", PLAIN)]
    return pieces


def in_one_line(readings: Sequence[Reading], x: float, unit: Unit) -> list[Pieces]:
    """All of it, with names and without."""
    head: Pieces = [(axes.x_reading(x, unit), PLAIN)]
    named = [(f"  {r.called} {r.value}", PLAIN) for r in readings]
    short: Pieces = []
    for r in readings:
        short += [(f"  {r.glyph}", f"{PLAIN} {r.role}"), (f" {r.value}", PLAIN)]
    return [head + named, head + short]


def length(pieces: Pieces) -> int:
    """Cells that the pieces take."""
    return sum(cell_width(text) for text, _ in pieces)
