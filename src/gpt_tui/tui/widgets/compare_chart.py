"""The losses of several runs on one chart, each with a digit and a colour of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from gpt_tui.core.runs import History
from gpt_tui.tui.widgets.chart import Series
from gpt_tui.tui.widgets.chart.canvas import RUN_ROLES
from gpt_tui.tui.widgets.plot import Plot, end_of, feed_training, feed_validation, ladder_of

MOST = len(RUN_ROLES)
APART = 12  # cells between the digits on a line
SHIFT = 2  # cells by which each run's digits stand aside from those of the run before

Curves = Literal["validation", "training", "both"]


@dataclass
class Laid:
    """A run on the chart. name: short; history: None until it is read, or where it cannot be."""

    name: str
    history: History | None = None


class _Lines:
    """The series of one run, and what of it they have been given."""

    def __init__(self, place: int, name: str) -> None:
        role, digit, shift = RUN_ROLES[place], str(place + 1), place * SHIFT
        self.validation = Series(name, role=role, marker=digit, apart=APART, shift=shift)
        self.training = Series(name, role=role, marker=digit, apart=APART, shift=shift, smooth=True, raw=False)
        self.dashed = Series(f"{name}, training", role=role, smooth=True, raw=False, dashed=True, legend=False)
        self.of: tuple[object, ...] = ()

    def feed(self, history: History, plot: Plot, both: bool) -> None:
        """both: whether the dashed line is seen; the points of a long run are not kept twice for nothing."""
        of = (history, history.courses, plot.unit)
        anew, self.of = of != self.of, of
        feed_validation(self.validation, history, plot.unit, anew)
        feed_training(self.training, history, plot.unit, anew)
        if both:
            feed_training(self.dashed, history, plot.unit, anew)
        elif len(self.dashed):
            self.dashed.replace((), ())


class CompareChart(Plot):
    """`lay` says which runs, `show` draws what is new of them."""

    label = "losses"

    def __init__(self, *, smoothing: float = 0.9, ascii: bool = False, id: str | None = None) -> None:
        self.curves: Curves = "validation"
        self._laid: Sequence[Laid] = ()
        self._lines: list[_Lines] = []
        super().__init__(smoothing=smoothing, ascii=ascii, placeholder="reading the runs …", id=id)

    def lay(self, runs: Sequence[Laid]) -> None:
        """Draw these runs, of which there are at most `MOST`, and no others."""
        self._laid = runs
        self._lines = [_Lines(place, run.name) for place, run in enumerate(runs)]
        self.set_crosshair(None)
        self.set_references(())
        self.set_placeholder("reading the runs …")
        self._choose()

    def show(self) -> None:
        """Draw what is new of the runs."""
        if self.unit == "FLOPs" and not self.counts_flops():
            self.set_x_unit("tokens")
        for run, lines in zip(self._laid, self._lines, strict=True):
            if run.history is not None:
                lines.feed(run.history, self, both=self.curves == "both")
        known = self.histories()
        ladders = [ladder_of(history) for history in known]
        self.set_references(ladders[0] if ladders and all(ladder == ladders[0] for ladder in ladders) else ())
        ends = [end_of(history, self.unit) for history in known if history.end is None]
        self.set_x_end(max((end for end in ends if end is not None), default=None))
        self.update()

    def next_curves(self) -> None:
        """Validation, then training, then both."""
        ways = get_args(Curves)
        self.curves = ways[(ways.index(self.curves) + 1) % len(ways)]
        window = self.window
        self.show()
        self._choose()
        self._set_window(window)

    def _choose(self) -> None:
        validation = [lines.validation for lines in self._lines]
        training = [lines.training for lines in self._lines]
        dashed = [lines.dashed for lines in self._lines]
        chosen = {"validation": validation, "training": training, "both": [*validation, *dashed]}
        self.set_series(chosen[self.curves])

    # As a Plot ------------------------------------------------------------------------------------------------------

    def feed_anew(self) -> None:
        self.show()

    def histories(self) -> list[History]:
        return [run.history for run in self._laid if run.history is not None]

    def title(self) -> str:
        return f"{self.label} · {self.curves}"

    def _walked(self) -> Series | None:
        """The crosshair goes along the steps of the longest run, drawn or not, so that it gets everywhere."""
        known = [lines.training for lines in self._lines if len(lines.training)]
        return max(known, key=lambda series: float(series.x[-1]), default=None) or super()._walked()

    @property
    def copied(self) -> str:
        """Every evaluation of every run, as tab-separated text."""
        rows = [
            f"{run.name}\t{e.step}\t{e.train_loss:.4f}\t{e.val_loss:.4f}"
            for run in self._laid
            if run.history is not None
            for e in run.history.evals
        ]
        return "\n".join(["run\tstep\ttrain_loss\tval_loss", *rows])
