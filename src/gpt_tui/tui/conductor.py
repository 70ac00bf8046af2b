"""What a person can do with a run: start, pause, resume, step, stop, save, go on, fork, change a field. No screen here.

A request returns at once, and is seen to be done when the session's events and snapshot say so. What cannot be done is
said, with the key that helps. One run is watched; one run of this process may be at work, and that may be another.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar

from gpt_tui.core.activity import LAST_EVALUATION, SAMPLING, UNSAVED
from gpt_tui.core.config import FIELDS, RunConfig, difference
from gpt_tui.core.divergence import last_good_checkpoint
from gpt_tui.core.errors import Fault, GptTuiError, Refusal
from gpt_tui.core.events import Failed
from gpt_tui.core.runs import History, Run, Shelf
from gpt_tui.core.session import (
    EditFields,
    Outcome,
    Pause,
    Plan,
    Resume,
    Save,
    Session,
    SingleStep,
    SkipLook,
    Stop,
)
from gpt_tui.tui.in_thread import in_thread
from gpt_tui.tui.plain import one_line
from gpt_tui.tui.request import PlaygroundRequest
from gpt_tui.tui.state import State
from gpt_tui.tui.watched import Opened, Own, Watched, config_of, remedy_of

LIVE = {name for name, spec in FIELDS.items() if spec.live}
Severity = Literal["information", "warning", "error"]
Read = TypeVar("Read")
FAULTY_FORM = "The form has faults: 2 shows them, and there x goes to the next."
ELSEWHERE = "This run is being trained by another process, which alone can pause or stop it."


class Cancellable(Protocol):
    def cancel(self) -> object: ...


@dataclass(frozen=True)
class Refused:
    """A form that could not be started, and what was wrong with it that only making it ready could tell."""

    config: RunConfig
    faults: tuple[Fault, ...]


class Conductor:
    """watched:    the run on the screen, if there is one
    own:        the run that a session of this process works on, or worked on last
    refusal:    why the last start was refused, a sentence each
    refused:    the form that was refused then, if it was one
    tracebacks: of errors that nobody foresaw, but which ended only a run

    form and preset give what Setup holds now (None: it has faults), in_sight whether what becomes of a run can be
    read where it is drawn, say tells a person something, later runs what takes a while beside the screen, show brings
    the watched run into sight, and ended is told the name, state and seconds of each own run that has come to its end.
    """

    def __init__(
        self,
        request: PlaygroundRequest,
        *,
        form: Callable[[], RunConfig | None],
        preset: Callable[[], str | None],
        in_sight: Callable[[], bool],
        say: Callable[[str, Severity], None],
        later: Callable[[Callable[[], Coroutine[None, None, None]]], Cancellable],
        show: Callable[[], object],
        ended: Callable[[str, str, float], object],
    ) -> None:
        self._request = request
        self._form, self._preset, self._in_sight, self._say, self._later = form, preset, in_sight, say, later
        self._show, self._ended = show, ended
        self.watched: Watched | None = None
        self.own: Own | None = None
        self.refusal: list[str] = []
        self.refused: Refused | None = None
        self.tracebacks: list[str] = []
        self._opening = ""
        self._work: Cancellable | None = None  # what opens or replaces a run now
        self._before: tuple[Watched | None, Own | None] = (None, None)  # what the newest session took the place of
        self._trouble = ""  # why the run that is shown cannot be read any more
        self._told: Own | None = None  # the run whose end has been told

    # How things stand -----------------------------------------------------------------------------------------------

    @property
    def session(self) -> Session | None:
        """The session at work, if one is."""
        return self.own.session if self.own is not None and self.own.session.alive else None

    @property
    def state(self) -> State:
        """Of the run on the screen."""
        if self._opening:
            return State("OPENING", f"reading {self._opening}")
        if self.watched is None or self._came_to_nothing():
            return State("READY")
        return self.watched.state

    @property
    def aside(self) -> State | None:
        """Of the run of this process that is at work while another is watched."""
        return self.own.state if self.own is not None and self.own is not self.watched and self.session else None

    @property
    def begun(self) -> bool:
        """Whether there is something of a run to see."""
        return self.watched is not None and self.watched.history.started is not None

    @property
    def elsewhere(self) -> bool:
        """Whether another process works on the run that is shown."""
        return isinstance(self.watched, Opened) and self.watched.state.word in ("TRAINING", "PAUSED")

    @property
    def toggle_label(self) -> str:
        """What space does now."""
        word = self.state.word
        if self.own is not None and self.session is not None:
            which = "" if self.own is self.watched else f" {self.own.name}"
            return f"{'resume' if self.own.state.word == 'PAUSED' else 'pause'}{which}"
        if self.elsewhere:
            return "start / pause"
        if self.may_go_on:
            return "go on" if word == "FINISHED" else "resume"
        return "new run" if word in ("FINISHED", "FAILED") else "start"

    @property
    def diverged(self) -> bool:
        """Whether the numbers of the run that is shown broke."""
        end = self.watched.history.end if self.watched is not None else None
        return isinstance(end, Failed) and end.reason == "diverged"

    @property
    def may_go_on(self) -> bool:
        """Whether space goes on with the run that is shown: it was stopped, or the form now gives it more steps."""
        word = self.state.word
        if self.watched is None or self.session is not None:
            return False
        if word == "FAILED":  # a run that diverged would do so again; one that broke off need not
            end = self.watched.history.end
            return isinstance(end, Failed) and end.reason == "error" and bool(self.watched.history.checkpoints)
        if word != "FINISHED":
            return word in ("STOPPED", "INTERRUPTED")
        changes = self._changes()
        return set(changes) <= LIVE and changes.get("max_iters", 0) > self.watched.history.step

    def _came_to_nothing(self) -> bool:
        outcome = self.watched.outcome if isinstance(self.watched, Own) else None
        return outcome is not None and outcome.kind in ("refused", "cancelled")

    def _changes(self) -> dict[str, Any]:
        """What the form has otherwise than the run of this process that is shown."""
        watched, own = self.watched, self.own
        is_own = watched is not None and own is not None and watched.path == own.path
        past, form = config_of(watched.history) if is_own and watched else None, self._form()
        if past is None or form is None:
            return {}
        return {name: new for name, (_, new) in difference(past, form).items()}

    # What happens ---------------------------------------------------------------------------------------------------

    def poll(self) -> bool:
        """Take what has happened since; whether anything has. Says what a person should not have to look for."""
        changed = self.watched is not None and self._take(self.watched)
        own = self.own
        if own is None:
            return changed
        if own is not self.watched:
            own.poll()
        for error in own.new_errors():
            self._say(one_line(error), "error")
        if own is not self._told and (outcome := own.outcome) is not None:
            self._told = own
            own.poll()
            self._tell_end(own, outcome)
        return changed

    def _take(self, watched: Watched) -> bool:
        try:
            changed = watched.poll()
        except GptTuiError as error:
            if str(error) != self._trouble:
                self._trouble = str(error)
                self._say(self._trouble, "error")
            return False
        self._trouble = ""
        return changed

    def _tell_end(self, own: Own, outcome: Outcome) -> None:
        """Say how a session ended, and which key comes next."""
        if outcome.traceback is not None:
            self.tracebacks.append(outcome.traceback)
        if own.path is None:
            self._bring_back(own)
        if outcome.kind == "cancelled":
            self._say("Stopped before the run began; nothing was written.", "information")
        elif isinstance(outcome.event, Failed):
            if own is not self.watched or not self._in_sight():
                self._say(f"{one_line(own.name)} failed: {one_line(outcome.event.error)}", "error")
        elif outcome.error is not None:
            plan = own.session.plan
            if isinstance(outcome.error, Refusal) and plan.resume is None and plan.fork is None:
                self.refused = Refused(plan.config, outcome.error.faults)
            self.refuse(outcome.error)
        if outcome.event is not None:
            self._ended(own.name, own.state.word, own.snapshot.seconds)

    def _bring_back(self, nothing: Own) -> None:
        """A session ended before it had a run: what was there before it is there again."""
        watched, self.own = self._before
        self._told = self.own
        if self.watched is nothing:
            self.watched = watched

    def refuse(self, error: GptTuiError) -> None:
        faults = error.faults if isinstance(error, Refusal) else (error,)
        self.refusal = [str(fault) for fault in faults]
        if self.begun or not self._in_sight():
            self._say("\n".join(self.refusal), "error")

    # Beginning ------------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Do what was asked for on opening."""
        request = self._request
        if request.open is not None:
            self._work = self._later(partial(self._open, request.open))
        elif request.resume is not None:
            self.resume(request.resume, request.edits)
        elif request.fork is not None:
            self.fork(request.fork, request.edits)

    def start_from_form(self) -> None:
        if self._form() is not None:
            self.drop()
        self._start_form()

    def _start_form(self) -> None:
        config = self._form()
        if config is None:
            self._say(FAULTY_FORM, "warning")
        else:
            warning = self._would_diverge_again(config)
            self._start(self._plan(config))
            if warning:
                self._say(warning, "warning")

    def _would_diverge_again(self, config: RunConfig) -> str:
        """What to say of a form that still has what the run that is shown diverged with; nothing where it has not."""
        if self.watched is None or not self.diverged:
            return ""
        past, remedy = config_of(self.watched.history), remedy_of(self.watched.history)
        if past is None or not remedy or remedy.keys() & difference(past, config).keys():
            return ""
        had = _listed({name: config.get(name) for name in remedy})
        return f"The run before diverged with this: {had}. Advised was {_listed(remedy)}; s stops, 2 shows the form."

    def drop(self) -> None:
        """Whatever was about to be opened or begun is not wanted any more."""
        if self._work is not None:
            self._work.cancel()
            self._work = None

    def open(self, path: Path) -> None:
        """Watch a run, whoever works on it. The one at work here goes on, watched or not.

        One that was at work here may have been gone on with elsewhere: its directory knows.
        """
        if self.session is not None and self.own is not None and self.own.path == path:
            self.watched = self.own
            self._show()
        else:
            self._show()
            self._work = self._later(partial(self._open, str(path)))

    def resume(self, spec: str, edits: Mapping[str, Any]) -> None:
        """Go on with RUN[@STEP]; a run at work is stopped and saved first."""
        self._after_present(lambda: self._resume(spec, edits))

    def fork(self, spec: str, edits: Mapping[str, Any]) -> None:
        """A new run that goes on from RUN[@STEP]; a run at work is stopped and saved first."""
        self._after_present(lambda: self._fork(spec, edits))

    def _plan(self, config: RunConfig) -> Plan:
        request = self._request
        return Plan(
            config=config,
            runs_dir=request.runs_dir,
            run_name=request.run_name if self.own is None else None,
            preset=self._preset(),
            target_loss=request.target_loss,
            max_seconds=request.max_seconds,
            attended=True,
        )

    def _start(self, plan: Plan, history: History | None = None) -> None:
        session = Session(plan)
        self.refusal, self.refused = [], None
        self._before = self.watched, self.own
        self.watched = self.own = Own(session, history)
        session.start()
        self._show()

    async def _resume(self, spec: str, edits: Mapping[str, Any]) -> None:
        """Go on with a run; what it has been so far is read first, so that its chart is whole."""
        if (found := await self._find(spec)) is None:
            return
        run, step = found
        try:
            history = await self._reading(run.name, run.history)
            edits = edits if history.end is None else await self._with_more_steps(run, step, history, edits)
        except GptTuiError as error:
            self.refuse(error)
            return
        plan = replace(self._plan(run.config()), run_name=None, preset=None, resume=spec, edits=edits)
        self._start(plan, history)

    async def _fork(self, spec: str, edits: Mapping[str, Any]) -> None:
        if (found := await self._find(spec)) is None:
            return
        run, step = found
        try:
            history = await self._reading(run.name, run.digest)
            edits = await self._with_more_steps(run, step, history, edits)
        except GptTuiError as error:
            self.refuse(error)
            return
        self._start(replace(self._plan(run.config()), preset=fork_name(run.name), fork=spec, edits=edits))

    async def _with_more_steps(
        self, run: Run, step: int | None, history: History, edits: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """The edits; from a checkpoint at the end of the run, twice its steps as well, or nothing would be left to do.

        Raises GptTuiError where the checkpoints cannot be read.
        """
        config, kept = config_of(history), await self._reading(run.name, run.checkpoints)
        if config is None or not kept or "max_iters" in edits:
            return edits
        at = kept[-1].step if step is None else step
        if at < max(config.training.max_iters, 1):
            return edits
        self._say(f"Step {at} was the last of {one_line(run.name)}: it goes on to step {2 * at}.", "information")
        return {**edits, "max_iters": 2 * at}

    async def _open(self, spec: str) -> None:
        """Show a run from its directory, and follow it as it grows."""
        if (found := await self._find(spec)) is None:
            return
        opened = Opened(found[0])
        try:
            await self._reading(opened.name, opened.read)
        except GptTuiError as error:
            self.refuse(error)
        else:
            self.refusal = []
            self.watched = opened
            self._show()

    async def _find(self, spec: str) -> tuple[Run, int | None] | None:
        try:
            return await self._reading(Path(spec).name, lambda: Shelf(self._request.runs_dir).find(spec))
        except GptTuiError as error:
            self.refuse(error)
            return None

    async def _reading(self, name: str, read: Callable[[], Read]) -> Read:
        """Read beside the screen, which says so meanwhile."""
        self._opening = one_line(name)
        try:
            return await in_thread(read)
        finally:
            self._opening = ""

    def _after_present(self, then: Callable[[], Coroutine[None, None, None]]) -> None:
        """Stop and save the run at work, if one is, and then go on with `then`."""
        if self.session is not None:
            self._say("Saving the present run first…", "information")
        self._work = self._later(partial(self._replace, self.session, then))

    async def _replace(self, session: Session | None, then: Callable[[], Coroutine[None, None, None]]) -> None:
        if session is not None:
            session.submit(Stop())
            while session.alive:
                await asyncio.sleep(0.05)
            self.poll()
        await then()

    def give_up(self) -> bool:
        """What esc does to what is being opened or made ready. False where there is nothing of the kind."""
        if self._opening and self._work is not None:
            self._work.cancel()
            self._say("Not opened.", "information")
            return True
        session = self.session
        if session is not None and session.snapshot.state == "PREPARING":
            session.submit(Stop())
            return True
        state, own_in_sight = self.state, self.own is self.watched and self._in_sight()
        if session is not None and own_in_sight and state.skippable and state.takes_long:
            session.submit(SkipLook())
            what = "sample" if state.activity == SAMPLING else "evaluation"
            later = "" if state.activity == LAST_EVALUATION else "; the next one comes at its step"
            self._say(f"Leaving this {what} out{later}.", "information")
            return True
        return False

    def watch_own(self) -> bool:
        """Go back to the run at work from another that was opened. False where it is watched already, or none is."""
        if self.own is None or self.own is self.watched or self.session is None:
            return False
        self.watched = self.own
        return True

    # Keys -----------------------------------------------------------------------------------------------------------

    def toggle(self) -> None:
        """Start, pause, resume or go on, whichever `toggle_label` says."""
        session = self.session
        if session is not None:
            self._pause_or_resume(session)
        elif self._opening:
            self._say(f"{self._opening} is still being read; esc gives up.", "information")
        elif self.elsewhere:
            self._say(ELSEWHERE, "information")
        elif self.may_go_on:
            self._go_on()
        else:
            self.start_from_form()

    def _pause_or_resume(self, session: Session) -> None:
        assert self.own is not None
        word = self.own.state.word
        if word == "PREPARING":
            self._say("It is still being made ready; esc gives up.", "information")
        elif word == "STOPPING":
            self._say("It is being stopped and saved.", "information")
        elif session.snapshot.state == "PAUSED" or session.snapshot.pending == "PAUSING":
            session.submit(Resume())
        else:
            session.submit(Pause())

    def _go_on(self) -> None:
        """Resume the run that is shown; live fields that differ in the form go along."""
        assert self.watched is not None
        changes = self._changes()
        if not set(changes) <= LIVE:
            self._say("Going on with the stopped run as it is; N starts the one in the form.", "information")
        path = self.watched.path
        self.resume(str(path), {name: value for name, value in changes.items() if name in LIVE})

    def single_step(self) -> None:
        session = self.session
        if session is None or session.snapshot.state != "PAUSED":
            self._say(". takes one step while a run is paused; space pauses.", "information")
        elif session.snapshot.activity == UNSAVED:
            self._say("Its last step waits to be saved: w tries again, space trains on.", "information")
        else:
            session.submit(SingleStep())

    def stop(self) -> None:
        if self.session is not None:
            self.session.submit(Stop())
        else:
            self._say(ELSEWHERE if self.elsewhere else "Nothing is running here that could be stopped.", "information")

    def save(self) -> None:
        session = self.session
        if session is None or session.snapshot.state == "PREPARING":
            self._say("w saves a checkpoint while a run is at work; a stopped run is saved already.", "information")
        else:
            session.submit(Save())

    def new_run(self) -> None:
        """Start what the form says; the run at work is saved first."""
        if self._form() is None:
            self._say(FAULTY_FORM, "warning")
        elif self.session is None:
            self.start_from_form()
        else:
            self._after_present(self._start_anew)

    async def _start_anew(self) -> None:
        self._start_form()

    def fork_at(self, step: int | None) -> None:
        """Fork the watched run from the checkpoint at or before a step; None: from the newest.

        A run that diverged goes on from its last good checkpoint, with what the hint in its log advises; what the form
        has otherwise goes along where it can.
        """
        watched = self.watched
        if watched is None or watched.path is None or not watched.history.checkpoints:
            self._say("f forks a run from one of its checkpoints: there is none yet.", "information")
            return
        if step is None and self.diverged:
            step = last_good_checkpoint(watched.history)
        known = sorted({checkpoint.step for checkpoint in watched.history.checkpoints})
        before = [known_step for known_step in known if step is None or known_step <= step]
        if not before:
            self._say(f"No checkpoint was kept up to step {step}; the first is of step {known[0]}.", "information")
            return
        changes = {name: value for name, value in self._changes().items() if forkable(name)}
        if self.diverged:
            changes = {**remedy_of(watched.history), **changes}
        self.fork(f"{watched.path}@{before[-1]}", changes)

    def edit(self, name: str, value: object) -> None:
        """Change a live field of the run at work."""
        if self.session is None:
            self._say("Nothing is running here: the change is in the form, for the next run.", "information")
        else:
            self.session.submit(EditFields({name: value}))


def _listed(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {FIELDS[name].show(value)}" for name, value in values.items())


def forkable(name: str) -> bool:
    """Whether a fork may have another value of a field: its model is the one that was trained."""
    return name in LIVE or FIELDS[name].section != "model"


def fork_name(run: str) -> str:
    """What a fork of a run is called: as the run, without its time, and without counting forks of forks."""
    return re.sub(r"^[0-9]{8}-[0-9]{6}-|-fork(-[0-9]+)?$", "", run) + "-fork"
