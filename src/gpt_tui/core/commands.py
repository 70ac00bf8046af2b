"""What is said between those who watch a run and the worker that trains it: plans, commands, snapshots, outcomes.

A `Desk` is where both meet. Nothing here waits for the worker, and the worker waits for nobody: `submit` leaves a
command that is obeyed between two steps, a `Reader` has its own unbounded queue, and `snapshot` is one attribute that
the worker rebinds.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO, Literal

from gpt_tui.core.config import RunConfig
from gpt_tui.core.errors import GptTuiError
from gpt_tui.core.events import AnyEvent, Failed, Finished

State = Literal["PREPARING", "TRAINING", "PAUSED", "FINISHED", "STOPPED", "FAILED"]
Pending = Literal["", "PAUSING", "STOPPING", "RESUMING", "SAVING"]


@dataclass(frozen=True)
class Plan:
    """What a session is to do: a new run, or one that goes on (`resume`), or one that branches off (`fork`).

    config:      of a new run; a resumed or forked run has its own
    preset:      part of the default name of a new run
    resume/fork: RUN or RUN@STEP
    edits:       live fields changed on resuming, any fields but the model's on forking
    max_seconds: of work in this session
    stdin:       where the text of the dataset `-` is read from
    """

    config: RunConfig
    runs_dir: Path
    run_name: str | None = None
    preset: str | None = None
    resume: str | None = None
    fork: str | None = None
    edits: Mapping[str, Any] = field(default_factory=dict)
    target_loss: float | None = None
    max_seconds: float | None = None
    stdin: BinaryIO | None = None


# Commands: obeyed only between optimizer steps


@dataclass(frozen=True)
class Pause:
    pass


@dataclass(frozen=True)
class Resume:
    pass


@dataclass(frozen=True)
class SingleStep:
    """One step, while paused."""


@dataclass(frozen=True)
class Save:
    """A checkpoint now."""


@dataclass(frozen=True)
class Stop:
    """Save and end. A signal asks for less: no last evaluation."""

    reason: Literal["stopped", "signal"] = "stopped"


@dataclass(frozen=True)
class EditFields:
    """Change live fields, between two steps. A bad value is answered by a notice and changes nothing."""

    values: Mapping[str, Any]


Command = Pause | Resume | SingleStep | Save | Stop | EditFields


@dataclass(frozen=True)
class Snapshot:
    """How things stand, latest wins.

    activity:       what the worker does, in words; done of total where it is known how far it is
    loss, ...:      of the newest step; NaN before the first
    seconds:        of work since the run began; eta: seconds left, None while unknown
    config:         with every live edit so far
    memory:         bytes in use on the device
    """

    state: State = "PREPARING"
    pending: Pending = ""
    activity: str = "starting"
    done: int = 0
    total: int | None = None
    step: int = 0
    max_iters: int = 0
    loss: float = float("nan")
    learning_rate: float = float("nan")
    grad_norm: float = float("nan")
    tokens: int = 0
    tokens_per_second: float = float("nan")
    seconds: float = 0.0
    eta: float | None = None
    config: RunConfig | None = None
    run_path: Path | None = None
    run_name: str = ""
    parameters: int = 0
    device: str = ""
    dtype: str = ""
    memory: int | None = None


@dataclass(frozen=True)
class Outcome:
    """How a session ended.

    finished:  the run came to an end that `event` (Finished) tells
    failed:    it broke off; `event` (Failed) tells where a run had begun, `error` and `traceback` otherwise
    refused:   the request was wrong and nothing was written; `error` is the Refusal
    cancelled: stopped before there was a run; nothing was written
    """

    kind: Literal["finished", "failed", "refused", "cancelled"]
    event: Finished | Failed | None = None
    error: GptTuiError | None = None
    traceback: str | None = None


class Reader:
    """One reader's own queue of events: `drain` takes what has come, `wait` sleeps until there is something."""

    def __init__(self) -> None:
        self._events: deque[AnyEvent] = deque()
        self._arrived = threading.Event()

    def push(self, event: AnyEvent) -> None:
        self._events.append(event)
        self._arrived.set()

    def drain(self) -> list[AnyEvent]:
        self._arrived.clear()
        events = []
        while self._events:
            events.append(self._events.popleft())
        return events

    def wake(self) -> None:
        """Let whoever waits look again, though nothing has come."""
        self._arrived.set()

    def wait(self, timeout: float | None = None) -> bool:
        """Whether there is something to drain, after at most `timeout` seconds."""
        return self._arrived.wait(timeout)


class Mailbox:
    """Commands on their way to the worker, and how the worker is asked to hurry."""

    def __init__(self) -> None:
        self._commands: deque[Command] = deque()
        self._changed = threading.Condition()
        self.stop: Stop | None = None

    def put(self, command: Command) -> None:
        with self._changed:
            if isinstance(command, Stop):
                # A signal outranks a leisurely stop that was asked for before.
                if self.stop is None or command.reason == "signal":
                    self.stop = command
            else:
                self._commands.append(command)
            self._changed.notify_all()

    def take(self, wait: bool) -> Command | None:
        """The next command; a stop goes before all others. With `wait`, sleeps until there is one."""
        with self._changed:
            while wait and self.stop is None and not self._commands:
                self._changed.wait()
            if self.stop is not None:
                return self.stop
            return self._commands.popleft() if self._commands else None

    def stopping(self) -> bool:
        return self.stop is not None

    def leaving(self) -> bool:
        """Whether a signal came: nothing that only takes time is begun any more."""
        return self.stop is not None and self.stop.reason == "signal"


_PENDING: dict[type, Pending] = {Pause: "PAUSING", Resume: "RESUMING", Stop: "STOPPING", Save: "SAVING"}


class Desk:
    """Where a run's worker and those who watch it meet. Anything may be called from any thread, and returns at once."""

    def __init__(self, plan: Plan):
        self.plan = plan
        self.mailbox = Mailbox()
        self.outcome: Outcome | None = None
        self._snapshot = Snapshot()
        self._pending: Pending = ""
        self._readers: tuple[Reader, ...] = ()

    def submit(self, command: Command) -> None:
        """Leave a command; it is shown as pending until it is obeyed. After the end nobody obeys any more."""
        if self.outcome is not None:
            return
        self._pending = _PENDING.get(type(command), self._pending)
        self.mailbox.put(command)

    def subscribe(self) -> Reader:
        """A new reader; it gets every event from now on."""
        reader = Reader()
        self._readers = (*self._readers, reader)
        return reader

    @property
    def snapshot(self) -> Snapshot:
        snapshot = self._snapshot
        pending = self._pending
        return replace(snapshot, pending=pending) if pending else snapshot

    # The worker's side

    def publish(self, event: AnyEvent) -> None:
        for reader in self._readers:
            reader.push(event)

    def show(self, **changes: Any) -> None:
        """Rebind the snapshot with these changes."""
        self._snapshot = replace(self._snapshot, **changes)

    def obeyed(self, *pending: Pending) -> None:
        """The request that was shown as pending is done."""
        if self._pending in pending:
            self._pending = ""

    def close(self, outcome: Outcome) -> None:
        """The worker has ended: nothing is pending any more, and nobody need wait."""
        self.outcome = outcome
        self._pending = ""
        for reader in self._readers:
            reader.wake()
