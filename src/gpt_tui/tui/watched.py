"""The run on the screen: its history, and where more of it comes from, this process' session or a run's directory."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from gpt_tui.core import runs
from gpt_tui.core.config import RunConfig
from gpt_tui.core.cost import Pace, estimate_seconds
from gpt_tui.core.errors import GptTuiError, Refusal
from gpt_tui.tui.state import State

if TYPE_CHECKING:
    from gpt_tui.core.divergence import Changes
    from gpt_tui.core.runs import History, Run
    from gpt_tui.core.session import Outcome, Session, Snapshot

LATE = 5.0  # seconds that a step takes at least before it is told to be late
LOOK_EVERY = 1.0  # seconds between looks at whether another process still works on a run


def config_of(history: History) -> RunConfig | None:
    """The run's configuration; None where the log holds one that this version cannot read."""
    try:
        return history.config
    except Refusal:
        return None


def remedy_of(history: History) -> Changes:
    """What a fork of a run that diverged changes, as the hint in its log says; nothing where that cannot be told."""
    config, started = config_of(history), history.started
    if config is None or started is None:
        return {}
    from gpt_tui.core.divergence import remedy

    asked = config.training.dtype
    return remedy(history, config, started.dtype if asked == "auto" else asked)


def pace_of(history: History, snapshot: Snapshot) -> Pace | None:
    """How long the steps of a run that trains take, beside their estimate; None where it says nothing yet."""
    config, started = snapshot.config, history.started
    if snapshot.state != "TRAINING" or config is None or started is None:
        return None
    speed = snapshot.tokens_per_second
    if not math.isfinite(speed) or speed <= 0:
        return None
    estimated = estimate_seconds(config, started.dataset.vocab_size, started.threads)
    return Pace(config.tokens_per_step / speed / estimated, snapshot.run_name)


class StepClock:
    """Tells of a step that takes far longer than those before it: a live edit may have made it a thousand times larger,
    and until it is over nothing that is asked for can be done."""

    def __init__(self) -> None:
        self._step, self._since, self._usual = -1, 0.0, 0.0

    def late(self, step: int, at_work: bool) -> float | None:
        """Seconds that the step after `step` has taken so far; None where there is nothing to tell."""
        now = time.monotonic()
        if step != self._step or not at_work:
            if at_work and 0 <= self._step < step:
                self._usual = (now - self._since) / (step - self._step)
            self._step, self._since = step, now
        took = now - self._since
        return took if took > max(LATE, 3 * self._usual) else None


class Own:
    """A run that a session of this process works on. history: what is known of it already, when it is resumed."""

    def __init__(self, session: Session, history: History | None = None) -> None:
        self.session = session
        self.history = history or runs.History()
        self._reader = session.subscribe()
        self._step_clock = StepClock()
        self._notices = len(self.history.notices)

    def poll(self) -> bool:
        """Take what has happened since; whether anything has."""
        events = self._reader.drain()
        self.history.extend(events)
        return bool(events)

    def new_errors(self) -> list[str]:
        """What went wrong since the last call: an edit that was refused, say."""
        new, self._notices = self.history.notices[self._notices :], len(self.history.notices)
        return [notice.text for notice in new if notice.level == "error"]

    @property
    def snapshot(self) -> Snapshot:
        return self.session.snapshot

    @property
    def outcome(self) -> Outcome | None:
        """How it ended, once everything that it had to say has been taken."""
        return None if self.session.alive else self.session.outcome

    @property
    def state(self) -> State:
        snapshot = self.snapshot
        state = State.of_snapshot(snapshot)
        late = self._step_clock.late(snapshot.step, snapshot.activity == "training" and snapshot.state == "TRAINING")
        return state if late is None else replace(state, activity=f"step {snapshot.step + 1}", took=late)

    @property
    def name(self) -> str:
        return self.snapshot.run_name

    @property
    def path(self) -> Path | None:
        """The run's directory; None before it has one."""
        return self.snapshot.run_path


class Opened:
    """A run read from its directory: finished, stopped, or live in another process."""

    snapshot = None

    def __init__(self, run: Run) -> None:
        self.run = run
        self.history = runs.History()
        self._tail = run.tail()
        self._state: State | None = None
        self._looked = 0.0

    def read(self) -> None:
        """Read all there is so far; of a long run that takes a while. Raises GptTuiError."""
        self.poll()
        while not self._tail.at_end:
            self.poll()

    def poll(self) -> bool:
        """Take what has been written since. Raises GptTuiError where the log cannot be read any more."""
        return self._tail.feed(self.history)

    @property
    def state(self) -> State:
        now = time.monotonic()
        if self._state is None or now - self._looked >= LOOK_EVERY:
            self._looked = now
            self._state = self._look()
        return self._state

    def _look(self) -> State:
        """As `Run.state`, by what has been read already: the screen does not wait for a long log to be read again."""
        if runs.is_held(self.path):
            return State("PAUSED" if self.history.state_word == "PAUSED" else "TRAINING")
        try:
            self.poll()  # its last words may have come since
        except GptTuiError:
            pass  # what was read of it is still there to be seen; whoever polls next is told why there is no more
        return State("INTERRUPTED" if self.history.end is None else self.history.state_word)

    @property
    def name(self) -> str:
        return self.run.name

    @property
    def path(self) -> Path:
        return self.run.path


Watched = Own | Opened
