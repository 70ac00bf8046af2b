"""What events add up to: columns of numbers, samples, marks, what happened in words. Knows no file and no screen."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from gpt_tui.core.config import FIELDS, RunConfig, from_sections
from gpt_tui.core.cost import WHOLE_SPLIT_LIMIT
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
from gpt_tui.core.runs.checkpoints import PASSING_REASONS, CheckpointInfo, Succession, passed_over, words
from gpt_tui.core.runs.rows import FLOAT_COLUMNS, INTEGER_COLUMNS, Floats, Integers, StepRows, rising

StateWord = Literal["PREPARING", "TRAINING", "PAUSED", "FINISHED", "STOPPED", "FAILED"]
Level = Literal["info", "warning", "error"]

_LARGEST = 2**62  # beyond this a step or a token count is nonsense, and would not fit its column
_LONGEST = 1e12  # seconds, thirty thousand years
_LINE = 500  # characters of a log line


@dataclass(frozen=True)
class Mark:
    """A place on the step axis where something was done."""

    step: int
    kind: Literal["edit", "pause", "checkpoint", "continued"]
    text: str


@dataclass(frozen=True)
class LogLine:
    """What happened, as one plain sentence. time: seconds of work; created: ISO 8601, where the event says it.

    rung: of the ladder, where it tells that one was passed
    """

    time: float
    created: str | None
    step: int | None
    level: Level
    text: str
    rung: str = ""


class _AtStep(Protocol):
    @property
    def step(self) -> int: ...


class _Columns:
    """Rows of steps, as arrays that grow by doubling. Steps rise strictly from row to row."""

    def __init__(self) -> None:
        self.length = 0
        self._arrays: dict[str, npt.NDArray[Any]] = {
            **{name: np.empty(1024, np.float64) for name in FLOAT_COLUMNS},
            **{name: np.empty(1024, np.int64) for name in INTEGER_COLUMNS},
        }

    def append(self, event: Step) -> None:
        if self.length and event.step <= self._arrays["steps"][self.length - 1]:
            self.cut(event.step - 1)
        self._make_room(1)
        row, arrays = self.length, self._arrays
        arrays["steps"][row] = event.step
        arrays["times"][row] = event.time
        arrays["losses"][row] = event.loss
        arrays["learning_rates"][row] = event.learning_rate
        arrays["grad_norms"][row] = event.grad_norm
        arrays["tokens"][row] = event.tokens
        arrays["tokens_per_second"][row] = event.tokens_per_second
        self.length += 1

    def extend(self, rows: StepRows) -> None:
        """As `append`, row by row."""
        for part in rising(rows.steps):
            first = int(rows.steps[part.start])
            if self.length and first <= self._arrays["steps"][self.length - 1]:
                self.cut(first - 1)
            count = part.stop - part.start
            self._make_room(count)
            for name, array in self._arrays.items():
                array[self.length : self.length + count] = getattr(rows, name)[part]
            self.length += count

    def _make_room(self, count: int) -> None:
        room, wanted = len(self._arrays["steps"]), self.length + count
        if wanted <= room:
            return
        for name, array in self._arrays.items():  # one after the other: two of a long run's at once are enough
            self._arrays[name] = np.empty(max(2 * room, wanted), array.dtype)
            self._arrays[name][: self.length] = array[: self.length]

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
        self.courses = 0  # changes where it began or went back: what was known of it before may be void
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
        self._succession: Succession | None = None  # of these, while none is taken out in another way
        self.course: dict[str, int] = {}  # steps by name of all checkpoints on the way to where the run is
        self._abandoned: set[str] = set()  # names of those that are not, since it went on from an earlier step
        self._saves = 0
        self._saved_as: dict[str, int] = {}  # the last of these saves by the name that it was given
        self.edits: list[Edit] = []
        self.pending_edits: list[Edit] = []  # void since a `continued`, to be made again at their steps
        self._before_look: set[tuple[int, float]] = set()  # edits, by step and time, before the look at their step
        self.marks: list[Mark] = []
        self.notices: list[Notice] = []
        self.log: list[LogLine] = []
        self._evaluated: list[tuple[int, float]] = []  # step, and how many seconds the evaluation took
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
    def judged_on(self) -> str:
        """What the losses that end the run are of, in words."""
        if self.started is None or self.started.dataset.val_tokens <= WHOLE_SPLIT_LIMIT:
            return "the whole split"
        return f"the split's first {WHOLE_SPLIT_LIMIT:,} tokens"

    @property
    def last_evaluation_seconds(self) -> float:
        """How long the newest evaluation took; 0 before the first."""
        return self._evaluated[-1][1] if self._evaluated else 0.0

    @property
    def evaluation_seconds(self) -> float:
        """How long all evaluations took, the one that ends the run included, and their samples not."""
        return sum(seconds for _, seconds in self._evaluated)

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

    def left_behind(self, known: Sequence[CheckpointInfo]) -> set[str]:
        """Names of checkpoints that are not on the way to where the run is, since it went on from an earlier step.

        known: those that are there, in the order they were saved. The name of a pruned one is free again, and what was
        saved under it since may not be in the log yet: it lies behind one that was saved after the pruned one.
        """
        behind: set[str] = set()
        newest = 0
        for info in known:
            save = self._saved_as.get(info.name, 0)
            if info.name in self._abandoned and save >= newest:
                behind.add(info.name)
            if info.reason is not None:  # otherwise its place among the others is a guess
                newest = max(newest, save)
        return behind

    @property
    def edit_marks(self) -> list[Mark]:
        """What was edited, in words, and at which step."""
        return [mark for mark in self.marks if mark.kind == "edit"]

    def precedes_look(self, edit: Edit) -> bool:
        """Whether an edit came before the evaluation of its step, which was made under it then."""
        return (edit.step, edit.time) in self._before_look

    # What happens

    def extend(self, events: Iterable[Event | StepRows]) -> None:
        for event in events:
            if isinstance(event, StepRows):
                self._take(event)
            else:
                self.apply(event)

    def _take(self, rows: StepRows) -> None:
        """As `apply` for the steps of these rows, one after the other."""
        self.revision += len(rows)
        sane = np.abs(rows.times) <= _LONGEST
        self.skipped += len(rows) - int(sane.sum())
        if not sane.all():
            rows = rows.at(sane)
        if len(rows):
            self._columns.extend(rows)
            self.step, self.time = int(rows.steps[-1]), float(rows.times[-1])

    def apply(self, event: Event) -> None:
        self.revision += 1
        step: int = getattr(event, "step", 0)
        tokens: int = getattr(event, "tokens", 0)
        if not (0 <= step < _LARGEST and 0 <= tokens < _LARGEST) or abs(event.time) > _LONGEST:
            self.skipped += 1
            return
        if isinstance(event, Started):
            self._begin()
        before = self.time
        if math.isfinite(event.time):
            self.time = event.time
        if isinstance(event, Eval | Finished):
            self._evaluated.append((step, max(0.0, self.time - before)))
        handler = _HANDLERS.get(type(event))
        if handler is not None:
            handler(self, event)

    def _started(self, event: Started) -> None:
        self.courses += 1
        self.started = event
        self.step = event.parent.step if event.parent is not None else 0
        begun = f"started on {event.dataset.name}"
        if event.parent is not None:
            begun = f"forked from {event.parent.run} at step {event.parent.step}, on {event.dataset.name}"
        threads = "1 thread" if event.threads == 1 else f"{event.threads} threads"
        self._tell(
            event, f"{begun}: {event.parameters:,} parameters, {event.device}, {event.dtype}, {threads}", event.created
        )

    def _continued(self, event: Continued) -> None:
        self.courses += 1
        self._columns.cut(event.step)
        self._be_on_course(event)
        self._abandoned.update(name for name, step in self.course.items() if step > event.step)
        self.course = {name: step for name, step in self.course.items() if step <= event.step}
        self.pending_edits = self.void_after(event.step)
        self._succession = None
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
        self._evaluated = [(step, seconds) for step, seconds in self._evaluated if step <= event.step]
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
        self._tell(event, f"passed the {event.rung} line{value} at step {event.step}", rung=event.rung)

    def _be_on_course(self, event: Checkpoint | Continued) -> None:
        if name := checkpoint_name(event):
            self.course[name] = event.step
            self._abandoned.discard(name)

    def _checkpoint(self, event: Checkpoint) -> None:
        self._be_on_course(event)
        self._saves += 1
        self._saved_as[checkpoint_name(event)] = self._saves
        self._supersede(event)
        self._mark(event, "checkpoint", event.reason)
        if not PASSING_REASONS.issuperset(words(event.reason)):  # the others come and go with every evaluation
            self._tell(event, f"checkpoint {event.step}, {event.reason}")

    def _supersede(self, event: Checkpoint) -> None:
        newest, why = self._newest_kept(), words(event.reason)
        self.checkpoints.append(event)
        if self._succession is not None and self._succession.newest == newest:
            for place in self._succession.save(why):
                del self.checkpoints[place]
            return
        reasons = [words(checkpoint.reason) for checkpoint in self.checkpoints]
        superseded = set(passed_over(reasons, newest))
        self.checkpoints = [c for i, c in enumerate(self.checkpoints) if i not in superseded]
        self._succession = Succession([r for i, r in enumerate(reasons) if i not in superseded], newest)

    def _newest_kept(self) -> int | None:
        """How many of the checkpoints of an interval are kept now; None for all."""
        training = self.started.config.get("training") if self.started is not None else None
        kept = training.get("keep_checkpoints") if isinstance(training, dict) else None
        for edit in self.edits:
            kept = edit.changes.get("keep_checkpoints", (None, kept))[1]
        return kept if type(kept) is int and kept > 0 else None

    def void_after(self, step: int) -> list[Edit]:
        """The edits that are to be made again, each at its step, where the run goes on from an earlier one."""
        void = [edit for edit in self.edits if edit.step > step]
        # One that still waits at this very step has not been made: the run was stopped before it came to it.
        waiting = [edit for edit in self.pending_edits if edit.step >= step]
        return sorted((*void, *waiting), key=lambda edit: edit.step)

    def _outdo_pending(self, event: Edit) -> None:
        """What waits to be made again is done with once it is made, and a newer wish for the same fields outdoes it."""
        waiting = self.pending_edits
        if waiting and waiting[0].step <= event.step and _is_made_again(waiting[0], event):
            waiting.pop(0)
            return
        kept = [{n: c for n, c in edit.changes.items() if n not in event.changes} for edit in waiting]
        self.pending_edits = [
            edit.model_copy(update={"changes": changes}) for edit, changes in zip(waiting, kept, strict=True) if changes
        ]

    def _edit(self, event: Edit) -> None:
        self._outdo_pending(event)
        self.edits.append(event)
        if not (self.evals and self.evals[-1].step >= event.step):
            self._before_look.add((event.step, event.time))
        self._config = None
        text = ", ".join(_told(name, old, new) for name, (old, new) in event.changes.items())
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
            losses.append(f"validation {event.val_loss:.3f} on {self.judged_on}")
        if math.isfinite(event.best_val_loss):
            losses.append(f"best {event.best_val_loss:.3f}")
        self._tell(event, how + (": " if losses else "") + ", ".join(losses))

    def _failed(self, event: Failed) -> None:
        self.end = event
        self.step = event.step
        self._tell(event, how_failed(event), level="error")

    def _mark(self, event: _AtStep, kind: Literal["edit", "pause", "checkpoint"], text: str) -> None:
        self.marks.append(Mark(event.step, kind, _plain(text)))

    def _tell(self, event: Event, text: str, created: str | None = None, level: Level = "info", rung: str = "") -> None:
        line = LogLine(event.time, created, getattr(event, "step", None), level, _plain(text), _plain(rung))
        self.log.append(line)


def why_failed(event: Failed) -> str:
    """What went wrong, and what to do about it, as one sentence after the other; "" where nobody knows."""
    return f"{event.error.rstrip('. ')}. {event.hint}" if event.error and event.hint else event.error or event.hint


def how_failed(event: Failed) -> str:
    """How far it came, and `why_failed`."""
    # Numbers break in the step that would have come next, which the error names.
    how = "diverged after" if event.reason == "diverged" else "failed at"
    why = why_failed(event)
    return f"{how} step {event.step}" + (f": {why}" if why else "")


def checkpoint_name(event: Checkpoint | Continued) -> str:
    """Of the checkpoint that was saved, or that the run goes on from; "" for none. Paths may be another system's."""
    return re.split(r"[/\\]", event.path)[-1]


def _plain(text: str) -> str:
    """One line of at most `_LINE` characters without control characters, whatever a file said."""
    return shorten("; ".join(text.splitlines()), _LINE)


def _is_made_again(waiting: Edit, event: Edit) -> bool:
    """Whether an edit is one that waited, of which some fields may have had their values already."""
    return all(name in waiting.changes and waiting.changes[name][1] == new for name, (_, new) in event.changes.items())


def _told(name: str, old: Any, new: Any) -> str:
    return f"{name} stays {_show(name, new)}" if old == new else f"{name} {_show(name, old)} → {_show(name, new)}"


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
