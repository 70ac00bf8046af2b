"""What events add up to: columns of numbers, samples, marks, what happened in words. Knows no file and no screen."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from gpt_tui.core.config import FIELDS, RunConfig, from_sections
from gpt_tui.core.errors import shorten
from gpt_tui.core.events import (
    Checkpoint,
    Continued,
    Edit,
    Eval,
    Event,
    Failed,
    Finished,
    Milestone,
    Notice,
    Paused,
    Resumed,
    Sample,
    Started,
    Step,
    Surprise,
)
from gpt_tui.core.runs.checkpoints import PASSING_REASONS, passed_over, words

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
StateWord = Literal["PREPARING", "TRAINING", "PAUSED", "FINISHED", "STOPPED", "FAILED"]
Level = Literal["info", "warning", "error"]

_LARGEST = 2**62  # beyond this a step or a token count is nonsense, and would not fit its column
_LINE = 500  # characters of a log line

_FLOAT_COLUMNS = ("times", "losses", "learning_rates", "grad_norms", "tokens_per_second")
_INTEGER_COLUMNS = ("steps", "tokens")


@dataclass(frozen=True)
class Mark:
    """A place on the step axis where something was done."""

    step: int
    kind: Literal["edit", "pause", "checkpoint", "continued"]
    text: str


@dataclass(frozen=True)
class LogLine:
    """What happened, as one plain sentence. time: seconds of work; created: ISO 8601, where the event says it."""

    time: float
    created: str | None
    step: int | None
    level: Level
    text: str


class _AtStep(Protocol):
    @property
    def step(self) -> int: ...


class _Columns:
    """Rows of steps, as arrays that grow by doubling. Steps rise strictly from row to row."""

    def __init__(self) -> None:
        self.length = 0
        self._arrays: dict[str, npt.NDArray[Any]] = {
            **{name: np.empty(1024, np.float64) for name in _FLOAT_COLUMNS},
            **{name: np.empty(1024, np.int64) for name in _INTEGER_COLUMNS},
        }

    def append(self, event: Step) -> None:
        if self.length and event.step <= self._arrays["steps"][self.length - 1]:
            self.cut(event.step - 1)
        if self.length == len(self._arrays["steps"]):
            self._arrays = {name: np.resize(array, 2 * self.length) for name, array in self._arrays.items()}
        row, arrays = self.length, self._arrays
        arrays["steps"][row] = event.step
        arrays["times"][row] = event.time
        arrays["losses"][row] = event.loss
        arrays["learning_rates"][row] = event.learning_rate
        arrays["grad_norms"][row] = event.grad_norm
        arrays["tokens"][row] = event.tokens
        arrays["tokens_per_second"][row] = event.tokens_per_second
        self.length += 1

    def cut(self, step: int) -> None:
        """Forget the rows after `step`."""
        self.length = int(np.searchsorted(self._arrays["steps"][: self.length], step, side="right"))

    def view(self, name: str) -> npt.NDArray[Any]:
        view = self._arrays[name][: self.length]
        view.flags.writeable = False
        return view


class History:
    """A run as its events tell it; the same whether they come from a live session or from a file.

    Columns have one row a completed step, and are views: right until the next event is applied. A `continued` drops
    what came after its step and the end; a `started` begins anew. An event that makes no sense is counted in `skipped`.
    """

    def __init__(self) -> None:
        self.revision = 0  # changes with every event
        self.skipped = 0
        self._begin()

    def _begin(self) -> None:
        self._columns = _Columns()
        self.step = 0  # completed steps, as far as events tell
        self.time = 0.0  # seconds of work so far
        self.started: Started | None = None
        self.end: Finished | Failed | None = None
        self.evals: list[Eval] = []
        self.samples: list[Sample] = []
        self.surprises: list[Surprise] = []
        self.milestones: list[Milestone] = []
        self.checkpoints: list[Checkpoint] = []  # those that later ones have not superseded
        self.edits: list[Edit] = []
        self.pending_edits: list[Edit] = []  # void since a `continued`, to be made again at their steps
        self.marks: list[Mark] = []
        self.notices: list[Notice] = []
        self.log: list[LogLine] = []
        self._paused = False
        self._config: RunConfig | None = None

    # What it adds up to

    @property
    def steps(self) -> Integers:
        return self._columns.view("steps")

    @property
    def tokens(self) -> Integers:
        return self._columns.view("tokens")

    @property
    def times(self) -> Floats:
        return self._columns.view("times")

    @property
    def losses(self) -> Floats:
        return self._columns.view("losses")

    @property
    def learning_rates(self) -> Floats:
        return self._columns.view("learning_rates")

    @property
    def grad_norms(self) -> Floats:
        return self._columns.view("grad_norms")

    @property
    def tokens_per_second(self) -> Floats:
        return self._columns.view("tokens_per_second")

    @property
    def last_eval(self) -> Eval | None:
        return self.evals[-1] if self.evals else None

    @property
    def best(self) -> Eval | None:
        """The evaluation with the lowest validation loss, the first of equals."""
        finite = [e for e in self.evals if math.isfinite(e.val_loss)]
        return min(finite, key=lambda e: e.val_loss, default=None)

    @property
    def state_word(self) -> StateWord:
        """The state that the events tell. Whether a process still works on the run is `Run.state`'s to say."""
        if isinstance(self.end, Failed):
            return "FAILED"
        if self.end is not None:
            return "STOPPED" if self.end.reason in ("stopped", "signal") else "FINISHED"
        if self.started is None:
            return "PREPARING"
        return "PAUSED" if self._paused else "TRAINING"

    @property
    def config(self) -> RunConfig | None:
        """The configuration of `started` with the edits applied; None before it.

        Raises Refusal where the log's configuration is not one (another version's, or a stranger's).
        """
        if self._config is None and self.started is not None:
            self._config = self.config_at(None)
        return self._config

    def config_at(self, step: int | None) -> RunConfig | None:
        """The configuration of `started` with the edits up to a step, or all; None before it. Raises Refusal."""
        if self.started is None:
            return None
        config = from_sections(self.started.config, "the log's configuration")
        made = [edit for edit in self.edits if step is None or edit.step <= step]
        changes = {name: new for edit in made for name, (_, new) in edit.changes.items()}
        return config.replace(**changes) if changes else config

    # What happens

    def extend(self, events: Iterable[Event]) -> None:
        for event in events:
            self.apply(event)

    def apply(self, event: Event) -> None:
        self.revision += 1
        step: int = getattr(event, "step", 0)
        tokens: int = getattr(event, "tokens", 0)
        if not (0 <= step < _LARGEST and 0 <= tokens < _LARGEST):
            self.skipped += 1
            return
        if isinstance(event, Started):
            self._begin()
        if math.isfinite(event.time):
            self.time = event.time
        handler = _HANDLERS.get(type(event))
        if handler is not None:
            handler(self, event)

    def _started(self, event: Started) -> None:
        self.started = event
        begun = f"started on {event.dataset.name}"
        if event.parent is not None:
            begun = f"forked from {event.parent.run} at step {event.parent.step}, on {event.dataset.name}"
        threads = "1 thread" if event.threads == 1 else f"{event.threads} threads"
        self._tell(
            event, f"{begun}: {event.parameters:,} parameters, {event.device}, {event.dtype}, {threads}", event.created
        )

    def _continued(self, event: Continued) -> None:
        self._columns.cut(event.step)
        void = [edit for edit in (*self.edits, *self.pending_edits) if edit.step > event.step]
        self.pending_edits = sorted(void, key=lambda edit: edit.step)
        for happened in (
            self.evals,
            self.samples,
            self.surprises,
            self.milestones,
            self.checkpoints,
            self.edits,
            self.marks,
        ):
            _drop_after(happened, event.step)
        self.step = event.step
        self.end = None
        self._paused = False
        self._config = None
        self.marks.append(Mark(event.step, "continued", "continued"))
        self._tell(event, f"continued from step {event.step}", event.created)

    def _step(self, event: Step) -> None:
        self._columns.append(event)
        self.step = event.step

    def _eval(self, event: Eval) -> None:
        _replace_last(self.evals, event)
        self.step = event.step

    def _sample(self, event: Sample) -> None:
        _replace_last(self.samples, event)

    def _surprise(self, event: Surprise) -> None:
        _replace_last(self.surprises, event)

    def _milestone(self, event: Milestone) -> None:
        self.milestones.append(event)
        ladder = {} if self.started is None else self.started.ladder
        level = ladder.get(event.rung, math.nan)
        value = f" ({level:.2f})" if math.isfinite(level) else ""
        self._tell(event, f"passed the {event.rung} line{value} at step {event.step}")

    def _checkpoint(self, event: Checkpoint) -> None:
        self.checkpoints.append(event)
        superseded = set(passed_over([words(c.reason) for c in self.checkpoints]))
        self.checkpoints = [c for i, c in enumerate(self.checkpoints) if i not in superseded]
        self._mark(event, "checkpoint", event.reason)
        if not PASSING_REASONS.issuperset(words(event.reason)):  # the others come and go with every evaluation
            self._tell(event, f"checkpoint {event.step}, {event.reason}")

    def _settle_pending(self, event: Edit) -> None:
        """What waits to be made again is done with once it is made, and a newer wish for the same fields outdoes it."""
        waiting = self.pending_edits
        if waiting and waiting[0].step <= event.step:
            waiting.pop(0)
            return
        kept = [{n: c for n, c in edit.changes.items() if n not in event.changes} for edit in waiting]
        self.pending_edits = [
            edit.model_copy(update={"changes": changes}) for edit, changes in zip(waiting, kept, strict=True) if changes
        ]

    def _edit(self, event: Edit) -> None:
        self._settle_pending(event)
        self.edits.append(event)
        self._config = None
        text = ", ".join(
            f"{name} {_show(name, old)} → {_show(name, new)}" for name, (old, new) in event.changes.items()
        )
        self._mark(event, "edit", text)
        self._tell(event, text)

    def _notice(self, event: Notice) -> None:
        self.notices.append(event)
        self._tell(event, event.text, level=event.level)

    def _pause(self, event: Paused) -> None:
        self._paused = True
        self._mark(event, "pause", "paused")
        self._tell(event, f"paused at step {event.step}")

    def _resume(self, event: Resumed) -> None:
        self._paused = False
        self._tell(event, f"resumed at step {event.step}")

    def _finished(self, event: Finished) -> None:
        self.end = event
        self.step = event.step
        how = {
            "max_iters": f"finished at step {event.step}",
            "target_loss": f"reached the target loss at step {event.step}",
            "max_seconds": f"time is up at step {event.step}",
            "stopped": f"stopped at step {event.step}",
            "signal": f"stopped by a signal at step {event.step}",
        }[event.reason]
        losses = []
        if math.isfinite(event.val_loss):
            losses.append(f"validation {event.val_loss:.3f} on the whole split")
        if math.isfinite(event.best_val_loss):
            losses.append(f"best {event.best_val_loss:.3f}")
        self._tell(event, how + (": " if losses else "") + ", ".join(losses))

    def _failed(self, event: Failed) -> None:
        self.end = event
        self.step = event.step
        how = "diverged" if event.reason == "diverged" else "failed"
        said = f"{event.error.rstrip('. ')}. {event.hint}" if event.error and event.hint else event.error or event.hint
        self._tell(event, f"{how} at step {event.step}" + (f": {said}" if said else ""), level="error")

    def _mark(self, event: _AtStep, kind: Literal["edit", "pause", "checkpoint"], text: str) -> None:
        self.marks.append(Mark(event.step, kind, _plain(text)))

    def _tell(self, event: Event, text: str, created: str | None = None, level: Level = "info") -> None:
        self.log.append(LogLine(event.time, created, getattr(event, "step", None), level, _plain(text)))


def _plain(text: str) -> str:
    """One line of at most `_LINE` characters without control characters, whatever a file said."""
    return shorten("; ".join(text.splitlines()), _LINE)


def _show(name: str, value: Any) -> str:
    return FIELDS[name].show(value) if name in FIELDS else str(value)


def _replace_last(happened: list[Any], event: _AtStep) -> None:
    """Append, or take the place of what came last where it is of the same step: a look cut short is made again."""
    if happened and happened[-1].step == event.step:
        happened.pop()
    happened.append(event)


def _drop_after(happened: list[Any], step: int) -> None:
    """Forget what came after `step`."""
    happened[:] = [event for event in happened if event.step <= step]


_HANDLERS: dict[type[Event], Callable[[History, Any], None]] = {
    Started: History._started,
    Continued: History._continued,
    Step: History._step,
    Eval: History._eval,
    Sample: History._sample,
    Surprise: History._surprise,
    Milestone: History._milestone,
    Checkpoint: History._checkpoint,
    Edit: History._edit,
    Notice: History._notice,
    Paused: History._pause,
    Resumed: History._resume,
    Finished: History._finished,
    Failed: History._failed,
}
