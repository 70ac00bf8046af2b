"""What is said between those who watch a run and the worker that trains it: plans, commands, snapshots, outcomes.

A `Desk` is where both meet. Nothing here waits for the worker, and the worker waits for nobody: `submit` leaves a
command that is obeyed between two steps, a `Reader` has its own unbounded queue, and `snapshot` is one attribute that
the worker rebinds.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal
from weakref import WeakSet

from gpt_tui.core.config import RunConfig
from gpt_tui.core.errors import GptTuiError
from gpt_tui.core.events import AnyEvent, Failed, Finished

if TYPE_CHECKING:
    from torch import Tensor

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
    attended:    whether somebody is there who can ask for a save again where the last one failed
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
    attended: bool = False


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
class SkipLook:
    """Leave out the evaluation, with its sample, that is being made now; the next one comes at its step.

    Of a run that ends it leaves out the losses on the whole split, which the end is then told without.
    """


@dataclass(frozen=True)
class EditFields:
    """Change live fields, between two steps. A bad value is answered by a notice and changes nothing."""

    values: Mapping[str, Any]


@dataclass(frozen=True)
class Lent:
    """A model as it was after `step` steps. weights: its state_dict, copied to the CPU."""

    step: int
    config: RunConfig
    weights: Mapping[str, Tensor]


@dataclass(frozen=True, eq=False)
class Lend:
    """A copy of the model as it is now, between two steps. A session that ends first leaves `reply` as it is."""

    reply: Future[Lent] = field(default_factory=Future)


Command = Pause | Resume | SingleStep | Save | Stop | EditFields | SkipLook | Lend


@dataclass(frozen=True)
class Snapshot:
    """How things stand, latest wins.

    activity:       what the worker does, in words; done of total where it is known how far it is
    since, left:    when the activity began (time.perf_counter), and the seconds that it still takes; None where unknown
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
    since: float | None = None
    left: float | None = None
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
        self._last_edits: deque[EditFields] = deque()  # that came before the stop
        self._changed = threading.Condition()
        self.stop: Stop | None = None
        self.skipping = False  # whether the look that is being made is to be left out

    def put(self, command: Command) -> None:
        with self._changed:
            if isinstance(command, Stop):
                # A signal outranks a leisurely stop that was asked for before.
                if self.stop is None:
                    self._last_edits.extend(c for c in self._commands if isinstance(c, EditFields))
                    self._commands = deque(c for c in self._commands if not isinstance(c, EditFields))
                if self.stop is None or command.reason == "signal":
                    self.stop = command
            elif isinstance(command, SkipLook):
                self.skipping = True
            else:
                self._commands.append(command)
            self._changed.notify_all()

    def take(self, wait: bool) -> Command | None:
        """The next command; a stop goes before all others but the edits that came before it, which are to be kept.

        With `wait`, sleeps until there is one.
        """
        with self._changed:
            while wait and self.stop is None and not self._commands:
                self._changed.wait()
            if self.stop is not None:
                return self._last_edits.popleft() if self._last_edits else self.stop
            return self._commands.popleft() if self._commands else None

    def lends(self) -> list[Lend]:
        """Those that wait, taken out of their turn: they change nothing."""
        with self._changed:
            found = [command for command in self._commands if isinstance(command, Lend)]
            if found:
                self._commands = deque(command for command in self._commands if not isinstance(command, Lend))
            return found

    def forgive_stop(self) -> None:
        """A leisurely stop could not be obeyed, and may be asked for again; that of a signal stays."""
        with self._changed:
            if self.stop is not None and self.stop.reason != "signal":
                self.stop = None

    def stopping(self) -> bool:
        return self.stop is not None

    def interrupting(self) -> bool:
        """Whether an evaluation is to be broken off: for a stop, or because it alone is to be left out."""
        return self.skipping or self.stopping()

    def leaving(self) -> bool:
        """Whether a signal came: nothing that only takes time is begun any more."""
        return self.stop is not None and self.stop.reason == "signal"


_PENDING: dict[type, Pending] = {Pause: "PAUSING", Resume: "RESUMING", Stop: "STOPPING", Save: "SAVING"}


_desks: WeakSet[Desk] = WeakSet()


def anyone_learns() -> bool:
    """Whether a run is training in this process now."""
    return any(desk.outcome is None and desk.snapshot.state == "TRAINING" for desk in list(_desks))


class Desk:
    """Where a run's worker and those who watch it meet. Anything may be called from any thread, and returns at once."""

    def __init__(self, plan: Plan):
        self.plan = plan
        self.mailbox = Mailbox()
        self.outcome: Outcome | None = None
        self._snapshot = Snapshot()
        self._pending: Pending = ""
        self._readers: tuple[Reader, ...] = ()
        _desks.add(self)

    def submit(self, command: Command) -> None:
        """Leave a command; it is shown as pending until it is obeyed. After the end nobody obeys any more."""
        if self.outcome is not None:
            return
        if not self.mailbox.stopping():  # nothing that is asked for after a stop is obeyed before it
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
