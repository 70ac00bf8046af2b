"""A run without a screen: its events as lines for a person, or as JSON for a program; and how it ended, as a status.

Imports no textual. The run itself is the session's; this room reads it, and passes signals on to it.
"""

from __future__ import annotations

import math
import os
import signal
import threading
import time
from collections.abc import Iterable
from types import FrameType, TracebackType

from gpt_tui.console import Console, show_duration, show_loss, show_size
from gpt_tui.core.activity import SAVING
from gpt_tui.core.config import show_float
from gpt_tui.core.errors import Refusal
from gpt_tui.core.events import AnyEvent, Eval, Event, Failed, Finished
from gpt_tui.core.runs import History, going_on
from gpt_tui.core.session import Patience, Plan, Session, Snapshot, Stop
from gpt_tui.crash import report_traceback

FINISHED, FAILED, WRONG_REQUEST, DIVERGED, TARGET_MISSED = 0, 1, 2, 3, 4
BEFORE_A_RUN = "gpt-tui: stopped before the run had begun; nothing was written"
SIGNALLED = 128  # and the signal's number, as shells count it

# For a step that is being taken: less than the 30 s after which a scheduler (Kubernetes, Slurm) kills, telling nobody.
STEP_SECONDS = 25.0
_LOOK_SECONDS = 0.05  # between two looks at what has happened
_LIVE_SECONDS = 0.2  # between two drawings of the live line
_LINE_SECONDS = 10.0  # between two lines where there is no live one


def train(plan: Plan, console: Console, *, as_json: bool = False) -> int:
    """Train by `plan` until it ends or a signal stops it, and return the exit status."""
    session = Session(plan)
    reader = session.subscribe()
    reporter = Reporter(console, as_json=as_json)
    patience: Patience | None = None
    with Signals(session) as signals:
        session.start()
        while not session.join(_LOOK_SECONDS):
            if signals.unannounced():
                saved = "" if session.snapshot.state == "PREPARING" else ": the run is being saved"
                console.warn(f"stopping{saved} (ctrl+c again leaves at once)")
                patience = Patience(session, STEP_SECONDS)
            if patience is not None and patience.is_over():
                reporter.tell(reader.drain())
                return _leave_unsaved(session, reporter, SIGNALLED + (signals.received or signal.SIGINT))
            reporter.tell(reader.drain())
            reporter.progress(session.snapshot)
        reporter.tell(reader.drain())
        console.finish()
        return _conclude(session, reporter, signals.received, plan.target_loss)


def _leave_unsaved(session: Session, reporter: Reporter, status: int) -> int:
    """Go although the worker is deep in something; what it saved last is what remains."""
    console, snapshot, kept = reporter.console, session.snapshot, reporter.history.course.values()
    console.finish()
    deep_in = "saving, for which the disk takes" if snapshot.activity == SAVING else "a step that takes"
    left = f"gpt-tui: left in the midst of {deep_in} too long to wait for"
    if snapshot.run_path is None:
        console.warn(BEFORE_A_RUN)
    elif kept:
        resume = going_on("--resume", snapshot.run_path, headless=True)
        console.warn(f"{left}; {resume} goes on from step {max(kept)}, the last that was saved")
    else:
        console.warn(f"{left}; nothing had been saved")
    return status


def _conclude(session: Session, reporter: Reporter, received: int | None, target: float | None) -> int:
    """Tell how it ended, and turn that into the exit status."""
    console, outcome = reporter.console, session.outcome
    if outcome is None:
        raise RuntimeError("the session ended without an outcome")
    if isinstance(outcome.event, Finished):
        reporter.result(outcome.event, session.snapshot)
        return _status(outcome.event, received, target, console)
    if outcome.kind == "cancelled":
        console.warn(BEFORE_A_RUN)
        return SIGNALLED + (received or signal.SIGINT)
    if outcome.kind == "refused" and isinstance(outcome.error, Refusal):
        for fault in outcome.error.faults:
            console.warn(f"gpt-tui: {fault}")
        return WRONG_REQUEST
    if outcome.traceback is not None:
        report_traceback(outcome.traceback, console)
    elif outcome.event is None:  # otherwise the reporter has told it already
        console.warn(f"gpt-tui: {outcome.error}")
    diverged = isinstance(outcome.event, Failed) and outcome.event.reason == "diverged"
    return DIVERGED if diverged else FAILED


def _status(end: Finished, received: int | None, target: float | None, console: Console) -> int:
    if end.reason == "signal":
        return SIGNALLED + (received or signal.SIGINT)
    if target is None or end.reason == "target_loss":
        return FINISHED
    console.warn(
        f"gpt-tui: the target loss {show_float(target)} was not reached: the best was "
        f"{show_loss(end.best_val_loss)} at step {end.best_step}"
    )
    return TARGET_MISSED


class Reporter:
    """Tells of a run as it goes: events to stdout as JSON, or what happened in words to stderr."""

    def __init__(self, console: Console, *, as_json: bool):
        self.console = console
        self.as_json = as_json
        self.history = History()
        self._told = 0  # lines of the history's log
        self._activity = ""
        self._drawn = 0.0
        self._line_at = time.monotonic()

    def tell(self, events: Iterable[AnyEvent]) -> None:
        lines = []
        for event in events:
            if self.as_json:
                lines.append(event.to_json())
            self.history.apply(event)
            self._say(event)
        if lines:
            self.console.json_line("\n".join(lines))

    def _say(self, event: Event) -> None:
        if len(self.history.log) < self._told:  # a `started` has begun it anew
            self._told = 0
        for line in self.history.log[self._told :]:
            if line.level == "info":
                self.console.say(line.text)
            else:
                self.console.warn(f"gpt-tui: {line.text}")
        self._told = len(self.history.log)
        if isinstance(event, Eval):
            losses = f"train {show_loss(event.train_loss)}  val {show_loss(event.val_loss)}"
            took = f"  evaluated in {show_seconds(self.history.last_evaluation_seconds)}"
            self._line(f"step {event.step}  {losses}{took}" + ("  best so far" if event.best else ""))

    def progress(self, snapshot: Snapshot) -> None:
        """The live line on a terminal; elsewhere a line when the activity changes, and one every ten seconds."""
        now = time.monotonic()
        if self.console.err.terminal:
            if now - self._drawn >= _LIVE_SECONDS:
                self._drawn = now
                self.console.live(self._state(snapshot))
        elif snapshot.state == "PREPARING" and snapshot.activity != self._activity:
            self._activity = snapshot.activity
            self._line(snapshot.activity)
        elif now - self._line_at >= _LINE_SECONDS:
            self._line(self._state(snapshot))

    def _state(self, snapshot: Snapshot) -> str:
        return live_line(snapshot, self.history.last_eval)

    def _line(self, text: str) -> None:
        self._line_at = time.monotonic()
        if text:
            self.console.say(text)

    def result(self, end: Finished, snapshot: Snapshot) -> None:
        """What stdout ends with, unless it is JSON: losses, the run's path, a sample."""
        if self.as_json:
            return
        console = self.console
        console.data(
            f"val_loss {show_loss(end.val_loss)} on {self.history.judged_on}  train_loss {show_loss(end.train_loss)}  "
            f"best evaluation {show_loss(end.best_val_loss)} at step {end.best_step}"
        )
        evaluated = self.history.evaluation_seconds
        share = f" ({evaluated / end.seconds:.0%} of it in evaluations)" if end.seconds > 0 else ""
        console.data(f"{end.step:,} steps in {show_duration(end.seconds)}{share}, ended by {end.reason}")
        console.data(f"run {snapshot.run_path}")
        if self.history.samples:
            sample = self.history.samples[-1]
            console.data(f"\n{sample.prompt.lstrip()}{sample.text}")


def live_line(snapshot: Snapshot, last_eval: Eval | None = None) -> str:
    """A session's state on one line, the most telling first, because a narrow terminal cuts its end."""
    if snapshot.state == "PREPARING":
        done = "" if not snapshot.done else f"  {_amount(snapshot.activity, snapshot.done)}"
        total = f" of {_amount(snapshot.activity, snapshot.total)}" if done and snapshot.total else ""
        return f"{snapshot.activity}{done}{total}"
    parts = [f"step {snapshot.step}/{snapshot.max_iters}"]
    if math.isfinite(snapshot.loss):
        parts.append(f"loss {show_loss(snapshot.loss)}")
    if last_eval is not None:
        parts.append(f"val {show_loss(last_eval.val_loss)}")
    if math.isfinite(snapshot.learning_rate):
        parts.append(f"lr {snapshot.learning_rate:.1e}")
    if math.isfinite(snapshot.tokens_per_second):
        parts.append(f"{snapshot.tokens_per_second:,.0f} tokens/s")
    if snapshot.eta is not None:
        parts.append(f"{show_duration(snapshot.eta)} left")
    if snapshot.pending or snapshot.activity not in ("", "training"):
        parts.append(snapshot.pending.lower() or _activity(snapshot))
    return "  ".join(parts)


def _activity(snapshot: Snapshot) -> str:
    """What is done beside training, how far it is, and how long the rest takes."""
    share = f" {snapshot.done / snapshot.total:.0%}" if snapshot.total else ""
    left = f", {show_duration(snapshot.left)} left" if snapshot.left is not None else ""
    return f"{snapshot.activity}{share}{left}"


def show_seconds(seconds: float) -> str:
    """0.34 s, 12 s, 2:05."""
    if seconds >= 60:
        return show_duration(seconds)
    return f"{seconds:.2f} s" if seconds < 1 else f"{seconds:.{1 if seconds < 10 else 0}f} s"


def _amount(activity: str, number: int) -> str:
    return f"{number}" if "ladder" in activity else show_size(number)


class Signals:
    """While it is entered, a signal to end asks the session to stop and save; a second SIGINT ends the process at once.

    A SIGHUP that was ignored when the program began (nohup) stays ignored.
    """

    def __init__(self, session: Session):
        self._session = session
        self._previous: dict[int, object] = {}
        self._announced = False
        self.received: int | None = None

    def __enter__(self) -> Signals:
        if threading.current_thread() is threading.main_thread():
            for name in ("SIGINT", "SIGTERM", "SIGHUP"):
                number = getattr(signal, name, None)
                if number is None or (name == "SIGHUP" and signal.getsignal(number) is signal.SIG_IGN):
                    continue  # Windows has no SIGHUP
                self._previous[number] = signal.signal(number, self._receive)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def unannounced(self) -> bool:
        """Whether a signal has come that nobody was told of yet."""
        news = self.received is not None and not self._announced
        self._announced = self._announced or news
        return news

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if self.received is not None:
            if number == signal.SIGINT:
                leave_at_once(SIGNALLED + number)
            return  # a service manager or `timeout` may send the same wish twice
        self.received = number
        # The interrupted thread may hold the very lock that submitting needs, so another thread submits.
        threading.Thread(target=self._session.submit, args=(Stop(reason="signal"),), daemon=True).start()


def leave_at_once(status: int) -> None:
    """End the process without waiting for anything; the last whole checkpoint is what remains."""
    try:
        os.write(2, b"\ngpt-tui: left at once, without saving\n")
    except OSError:
        pass  # nobody is there to read it
    os._exit(status)
