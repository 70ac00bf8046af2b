"""View 1: a run as it learns. Loss chart, figures, what the model writes, and a log of what happened.

It draws a `History` and a `Snapshot` and knows neither session nor file: a run of this process, of another, and one of
last week look the same. Before a run it says what is about to be trained.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container, Vertical
from textual.content import Content
from textual.widget import Widget

from gpt_tui.core import runs
from gpt_tui.tui import figures, keys, panes
from gpt_tui.tui.in_thread import in_thread
from gpt_tui.tui.keys import Action
from gpt_tui.tui.machine import NO_MACHINE, Machine, Meter
from gpt_tui.tui.plain import visible
from gpt_tui.tui.state import State
from gpt_tui.tui.view import Halves, View
from gpt_tui.tui.watched import Own, Watched, config_of
from gpt_tui.tui.widgets.chart_keys import ChartKeys
from gpt_tui.tui.widgets.facts_pane import FactsPane, essentials
from gpt_tui.tui.widgets.log_pane import LogLineStrip, LogPane
from gpt_tui.tui.widgets.pane import Pane
from gpt_tui.tui.widgets.ready_pane import ReadyPane
from gpt_tui.tui.widgets.sample_pane import SamplePane
from gpt_tui.tui.widgets.stat_strip import Figures, StatStrip
from gpt_tui.tui.wishes import ForkHere

if TYPE_CHECKING:
    from gpt_tui.core.config import DatasetFacts, RunConfig
    from gpt_tui.core.events import Parent, Started
    from gpt_tui.core.presets import Preset
    from gpt_tui.core.runs import History, Origin
    from gpt_tui.core.session import Snapshot
    from gpt_tui.tui.widgets.curves_pane import CurvesPane
    from gpt_tui.tui.widgets.loss_chart import LossChart
    from gpt_tui.tui.widgets.trouble import Trouble

NEWEST_CHECKPOINTS = 12


class TrainView(ChartKeys, View):
    """`show` draws a run; `ready` says what would be run."""

    TITLE = "Train"
    BINDINGS: ClassVar[list[BindingType]] = keys.bindings("train", "chart")
    KEYS: ClassVar[tuple[str, ...]] = ("train", "chart")
    chart: LossChart
    trouble: Trouble
    curves: CurvesPane

    def __init__(
        self, *, smoothing: float = 0.9, units: str = "steps", ascii: bool = False, id: str | None = None
    ) -> None:
        super().__init__(id=id, classes="-before")
        self._smoothing, self._units, self._ascii = smoothing, units, ascii
        self.furnished = False
        self.ready_pane = ReadyPane(id="ready")
        self.strip = StatStrip(id="strip")
        self.untrained = SamplePane("untrained", "u", id="untrained")
        self.trained = SamplePane("trained", "t", id="trained")
        self.essentials = FactsPane("configuration", "f", id="essentials")
        self.checkpoints = Pane("checkpoints", "k", id="checkpoints")
        self.log_pane = LogPane(id="log")
        self.log_strip = LogLineStrip(id="log-strip")
        self._left = Vertical(self.ready_pane, id="left")
        self._samples = Vertical(self.untrained, self.trained, id="samples")
        self._top = Container(self._left, id="top")
        self._meter = Meter()
        self._history: History | None = None
        self._started: Started | None = None  # of the run whose past was looked for
        self._origin: Origin | None = None  # the untrained model that it comes from, of a fork
        self._revision = -1
        self._chosen = False  # whether a person chose which of the two samples to see

    def compose(self) -> ComposeResult:
        yield self._top

    async def furnish(self) -> None:
        """Make and mount what draws a run: the first frame does without, and without all that it imports."""
        from gpt_tui.tui.widgets.chart import UNITS, Unit
        from gpt_tui.tui.widgets.curves_pane import CurvesPane
        from gpt_tui.tui.widgets.loss_chart import LossChart
        from gpt_tui.tui.widgets.trouble import Trouble

        unit: Unit = next((known for known in UNITS if known == self._units), "steps")
        self.chart = LossChart(smoothing=self._smoothing, unit=unit, ascii=self._ascii, id="chart")
        self.trouble = Trouble(id="trouble")
        self.curves = CurvesPane("curves", "v", id="curves")
        third = Vertical(self.essentials, self.curves, self.checkpoints, id="third")
        for mounted in (  # all at once: the program may be left while it is waited for
            self._left.mount(self.chart, self.strip, self.trouble),
            self._top.mount(self._samples, third),
            self.mount(self.log_pane, self.log_strip),
        ):
            await mounted
        self.furnished = True

    @property
    def smoothing(self) -> float:
        return self.chart.smoothing if self.furnished else self._smoothing

    @property
    def units(self) -> str:
        return self.chart.unit if self.furnished else self._units

    def on_resize(self) -> None:
        self.call_after_refresh(self.apply_split)
        if self._history is not None:
            self.call_after_refresh(self._show_samples, self._history)

    # Showing --------------------------------------------------------------------------------------------------------

    def ready(
        self,
        config: RunConfig | None,
        preset: Preset | str | None,
        state: State,
        refusal: Sequence[str],
        facts: DatasetFacts | None = None,
    ) -> None:
        """Before a run, and while it is made ready. config: None while the form has faults. facts: once known."""
        self._set_before(True)
        self.ready_pane.show(config, preset, state, refusal, facts)

    def follow(self, watched: Watched | None) -> None:
        if watched is None or not self.furnished:
            return
        at_work = isinstance(watched, Own) and watched.session.alive
        state, snapshot = watched.state, watched.snapshot
        on_gpu = snapshot is not None and snapshot.device == "cuda"
        machine = self._meter.read(gpu=on_gpu) if at_work else NO_MACHINE
        self.show(watched.history, snapshot, machine, state)
        self._look_back(watched)
        self.trouble.show(watched.history, state.word)

    def show(
        self, history: History, snapshot: Snapshot | None, machine: Machine = NO_MACHINE, state: State | None = None
    ) -> None:
        """Draw a run; only what has changed is drawn again."""
        if history.started is not None:
            self._set_before(False)
        self.strip.set(figures_of(history, snapshot, machine, state is not None and state.ended), state)
        if history is self._history and history.revision == self._revision:
            return
        self._history, self._revision = history, history.revision
        self.chart.show(history)
        self._show_samples(history)
        self.log_pane.show(history.log)
        self.log_strip.show_lines(history.log)
        if (config := config_of(history)) is not None:
            self.essentials.show(essentials(config, None, history.started))
        self.curves.show(history)
        self.checkpoints.set_text(_checkpoints(history))

    def _look_back(self, watched: Watched) -> None:
        """Of a fork: have its parent's course read, and drawn before its own."""
        started, path = watched.history.started, watched.path
        if started is None or path is None or started == self._started:
            return
        self._started, self._origin = started, None
        self.chart.show_past(None)
        if started.parent is not None:
            self._read_past(path, started, started.parent)

    @work(exclusive=True, group="past")
    async def _read_past(self, path: Path, started: Started, parent: Parent) -> None:
        origin = await in_thread(lambda: runs.origin_of(path, parent, started.created))
        if started == self._started and self._history is not None:
            self._origin = origin
            self._show_samples(self._history)
        past = await in_thread(lambda: runs.past_of(path, parent, started.created))
        if started == self._started:
            self.chart.show_past(past)

    def _set_before(self, before: bool) -> None:
        """Whether there is nothing to draw yet; the focus goes where the run is seen."""
        if self.has_class("-before") == before:
            return
        panes.maximise(self, None)
        had_focus = self.has_focus_within
        self.set_class(before, "-before")
        self.call_after_refresh(self.apply_split)
        if had_focus:
            self.focus_first()

    def _show_samples(self, history: History) -> None:
        losses = {e.step: e.val_loss for e in history.evals}
        origin = self._origin if history.started == self._started else None
        first = next(iter(history.samples), None)
        if origin is not None and origin.sample is not None:
            first, losses[0] = origin.sample, origin.eval.val_loss
        name = "first" if first is not None and first.step else "untrained"
        last = next((s for s in reversed(history.samples) if first is None or s.step > first.step), None)
        one = self.one_sample
        self.untrained.show(first, losses.get(first.step) if first else None, "b: trained" if one else "", name)
        self.trained.show(last, losses.get(last.step) if last else None, f"b: {name}" if one else "")
        if not self._chosen:
            self.set_class(last is None and first is not None, "-untrained")

    # Panes ----------------------------------------------------------------------------------------------------------

    @property
    def panes(self) -> list[Widget]:
        """The panes that have something to show now."""
        if self.has_class("-before"):
            return [self.ready_pane]
        return [
            self.chart, self.untrained, self.trained, self.essentials, self.curves, self.checkpoints, self.log_pane,
        ]  # fmt: skip

    @property
    def one_sample(self) -> bool:
        """Whether there is room for one of the two samples only."""
        if self.has_class("-before") or panes.maximised(self):
            return False
        return self.untrained.display != self.trained.display

    def arrive(self) -> None:
        self.focus_first()

    def useful(self, action: Action) -> bool:
        if action.id == "before_after":
            return self.one_sample
        if action.id == "fork_here":
            return self._history is not None and bool(self._history.checkpoints) and self._forks_now
        return not self.has_class("-before")

    @property
    def _forks_now(self) -> bool:
        """Whether forking is likely what comes next: a place is pointed at, or the run has ended."""
        return self.chart.crosshair is not None or (self._history is not None and self._history.end is not None)

    def halves(self) -> Halves | None:
        if self.has_class("-before"):
            return None
        return Halves(self._left, self._samples, across=not self.screen.has_class("-one"))

    def _split_boxes(self) -> tuple[Widget, ...]:
        return self._left, self._samples

    def focus_first(self) -> None:
        """Put the focus where the run is seen."""
        (self.ready_pane if self.has_class("-before") else self.chart).focus()

    def go_to(self, pane: Widget) -> None:
        if pane in (self.untrained, self.trained):
            self._show_one(untrained=pane is self.untrained)
        panes.go_to(self, pane)

    def leave(self) -> bool:
        """What esc does: leave a filter, a maximised pane, the crosshair. False where there is nothing to leave."""
        if self.log_pane.leave_filter():
            return True
        if panes.maximised(self):
            panes.maximise(self, None)
            return True
        if self.chart.crosshair is not None:
            self.chart.set_crosshair(None)
            return True
        return False

    def _show_one(self, untrained: bool) -> None:
        self._chosen = True
        self.set_class(untrained, "-untrained")

    # Actions --------------------------------------------------------------------------------------------------------

    def action_fork_here(self) -> None:
        x = self.chart.crosshair
        self.post_message(ForkHere(None if x is None else self.chart.step_at(x)))

    def action_before_after(self) -> None:
        if not self.one_sample:
            self.notify(self._why_not_one(), markup=False)
            return
        had_focus = self.untrained.has_focus or self.trained.has_focus
        self._show_one(untrained=not self.has_class("-untrained"))
        if had_focus:
            (self.untrained if self.has_class("-untrained") else self.trained).focus()

    def _why_not_one(self) -> str:
        """Why there are no two samples to change between."""
        if self.has_class("-before"):
            return "There is no sample yet."
        if panes.maximised(self):
            return "One pane has the whole view; esc gives the others their places back."
        return "Both samples are on the screen: b is for narrow terminals."

    def action_filter(self) -> None:
        self.go_to(self.log_pane)
        self.log_pane.enter_filter()


def _checkpoints(history: History) -> Content:
    losses = {e.step: e.val_loss for e in history.evals}
    kept_as = runs.still_kept_as([c.reason for c in history.checkpoints])
    newest = list(zip(history.checkpoints, kept_as, strict=True))[-NEWEST_CHECKPOINTS:]
    lines = [
        Content.assemble(f"{c.step:>7}  ", (f"{figures.loss(losses.get(c.step)):<6} ", "$text-muted"), visible(why))
        for c, why in reversed(newest)
    ]
    if not lines:
        return Content.styled("none yet", "$text-muted")
    return Content("\n").join([Content.styled("   step  val     kept as", "$text-muted"), *lines])


def figures_of(history: History, snapshot: Snapshot | None, machine: Machine, ended: bool = False) -> Figures:
    """The strip's figures: of the snapshot where there is one, otherwise of the last row."""
    last = history.last_eval
    looked = Figures(
        val_loss=last.val_loss if last else None,
        best=last is not None and history.best is not None and last.val_loss <= history.best.val_loss,
        memory=machine.memory,
        use=machine.use,
        gpu=machine.gpu,
    )
    if snapshot is None or snapshot.step < history.step:
        return _of_last_row(history, looked, ended)
    return replace(
        looked,
        step=snapshot.step,
        max_iters=snapshot.max_iters,
        loss=snapshot.loss if snapshot.step else None,
        learning_rate=snapshot.learning_rate,
        tokens_per_second=snapshot.tokens_per_second,
        grad_norm=snapshot.grad_norm if snapshot.step else None,
        eta=snapshot.eta,
        seconds=snapshot.seconds,
        running=snapshot.state in ("TRAINING", "PAUSED"),
        memory=machine.memory if snapshot.device == "cpu" else snapshot.memory,
    )


def _of_last_row(history: History, looked: Figures, ended: bool) -> Figures:
    config = config_of(history)
    max_iters = config.training.max_iters if config else 0
    running = history.end is None and not ended
    known = replace(looked, step=history.step, max_iters=max_iters, seconds=history.time, running=running)
    if not len(history.steps):
        return known
    return replace(
        known,
        loss=float(history.losses[-1]),
        learning_rate=float(history.learning_rates[-1]),
        tokens_per_second=float(history.tokens_per_second[-1]),
        grad_norm=float(history.grad_norms[-1]),
        eta=_eta(history, max_iters),
    )


def _eta(history: History, max_iters: int) -> float | None:
    """Seconds to the end at the pace of the last hundred steps; None where that is not known."""
    steps, times = history.steps[-100:], history.times[-100:]
    if len(steps) < 2 or times[-1] <= times[0]:
        return None
    pace = float(times[-1] - times[0]) / int(steps[-1] - steps[0])
    return pace * max(max_iters - int(steps[-1]), 0)
