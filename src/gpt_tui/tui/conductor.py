"""What a person can do with a run: start, pause, resume, step, save, stop, go on, change a live field. Knows no screen.

A request returns at once, and is seen to be done when the session's events and snapshot say so. What cannot be done is
said, with the key that helps.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from typing import Any, Literal

from gpt_tui.core.config import FIELDS, RunConfig, difference
from gpt_tui.core.errors import GptTuiError, Refusal
from gpt_tui.core.events import Failed
from gpt_tui.core.runs import History, Run, Shelf
from gpt_tui.core.session import EditFields, Outcome, Pause, Plan, Resume, Save, Session, SingleStep, Stop
from gpt_tui.tui.plain import one_line
from gpt_tui.tui.request import PlaygroundRequest
from gpt_tui.tui.state import State
from gpt_tui.tui.watched import Opened, Own, Watched, config_of

LIVE = {name for name, spec in FIELDS.items() if spec.live}
Severity = Literal["information", "warning", "error"]
FAULTY_FORM = "The form has faults: 2 shows them, and there x goes to the next."
ELSEWHERE = "This run is being trained by another process, which alone can pause or stop it."


class Conductor:
    """watched:    the run on the screen, if there is one
    refusal:    why the last start was refused, a sentence each
    tracebacks: of errors that nobody foresaw, but which ended only a run

    form and preset give what Setup holds now (None: it has faults), in_sight whether `refusal` can be read where it is
    drawn, say tells a person something, and later runs what takes a while beside the screen.
    """

    def __init__(
        self,
        request: PlaygroundRequest,
        *,
        form: Callable[[], RunConfig | None],
        preset: Callable[[], str | None],
        in_sight: Callable[[], bool],
        say: Callable[[str, Severity], None],
        later: Callable[[Coroutine[Any, Any, None]], object],
    ) -> None:
        self._request = request
        self._form, self._preset, self._in_sight, self._say, self._later = form, preset, in_sight, say, later
        self.watched: Watched | None = None
        self.refusal: list[str] = []
        self.tracebacks: list[str] = []
        self._opening = ""
        self._trouble = ""  # why the run that is shown cannot be read any more
        self._told: Own | None = None  # the run whose end has been told

    # How things stand -----------------------------------------------------------------------------------------------

    @property
    def session(self) -> Session | None:
        """The session at work, if one is."""
        return self.watched.session if isinstance(self.watched, Own) and self.watched.session.alive else None

    @property
    def state(self) -> State:
        """Of the run on the screen."""
        if self._opening:
            return State("OPENING", f"reading {self._opening}")
        if self.watched is None or self._came_to_nothing():
            return State("READY")
        return self.watched.state

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
        if self.elsewhere:
            return "start / pause"
        if self.session is not None:
            return "resume" if word == "PAUSED" else "pause"
        if self.may_go_on:
            return "go on" if word == "FINISHED" else "resume"
        return "new run" if word in ("FINISHED", "FAILED") else "start"

    @property
    def may_go_on(self) -> bool:
        """Whether space goes on with the run that is shown: it was stopped, or the form now gives it more steps."""
        word = self.state.word
        if self.watched is None or self.session is not None:
            return False
        if word != "FINISHED":
            return word in ("STOPPED", "INTERRUPTED")
        changes = self._changes()
        return set(changes) <= LIVE and changes.get("max_iters", 0) > self.watched.history.step

    def _came_to_nothing(self) -> bool:
        outcome = self.watched.outcome if isinstance(self.watched, Own) else None
        return outcome is not None and outcome.kind in ("refused", "cancelled")

    def _changes(self) -> dict[str, Any]:
        """What the form has otherwise than the run of this process that is shown."""
        past, form = config_of(self.watched.history) if isinstance(self.watched, Own) else None, self._form()
        if past is None or form is None:
            return {}
        return {name: new for name, (_, new) in difference(past, form).items()}

    # What happens ---------------------------------------------------------------------------------------------------

    def poll(self) -> bool:
        """Take what has happened since; whether anything has. Says what a person should not have to look for."""
        watched = self.watched
        changed = watched is not None and self._take(watched)
        if isinstance(watched, Own):
            for error in watched.new_errors():
                self._say(one_line(error), "error")
            if watched is not self._told and (outcome := watched.outcome) is not None:
                self._told = watched
                watched.poll()
                self._tell_end(watched, outcome)
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
        if outcome.kind == "cancelled":
            self._say("Stopped before the run began; nothing was written.", "information")
        elif isinstance(outcome.event, Failed):
            why = f"The run failed: {one_line(outcome.event.error).rstrip('.')}. {one_line(outcome.event.hint)}"
            self._say(f"{why}\n2 changes it, space starts anew.", "error")
        elif outcome.error is not None:
            self.refuse(outcome.error)
        if outcome.kind in ("refused", "cancelled") and own.history.started is None:
            self.watched = None

    def refuse(self, error: GptTuiError) -> None:
        faults = error.faults if isinstance(error, Refusal) else (error,)
        self.refusal = [str(fault) for fault in faults]
        if not self._in_sight():
            self._say("\n".join(self.refusal), "error")

    # Beginning ------------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Do what was asked for on opening."""
        request = self._request
        if request.open is not None:
            self._later(self._open(request.open))
        elif request.resume is not None:
            self._later(self._resume(request.resume, request.edits))
        elif request.fork is not None:
            self._start(replace(self._plan(request.resolved.config), fork=request.fork, edits=request.edits))

    def start_from_form(self) -> None:
        config = self._form()
        if config is None:
            self._say(FAULTY_FORM, "warning")
        else:
            self._start(self._plan(config))

    def _plan(self, config: RunConfig) -> Plan:
        request = self._request
        return Plan(
            config=config,
            runs_dir=request.runs_dir,
            run_name=request.run_name if self.watched is None else None,
            preset=self._preset(),
            target_loss=request.target_loss,
            max_seconds=request.max_seconds,
        )

    def _start(self, plan: Plan, history: History | None = None) -> None:
        session = Session(plan)
        self.refusal = []
        self.watched = Own(session, history)
        session.start()

    async def _resume(self, spec: str, edits: Mapping[str, Any]) -> None:
        """Go on with a run; what it has been so far is read first, so that its chart is whole."""
        if (run := self._find(spec)) is None:
            return
        try:
            history = await asyncio.to_thread(run.history)
        except GptTuiError as error:
            self.refuse(error)
            return
        plan = replace(self._plan(run.config()), run_name=None, preset=None, resume=spec, edits=edits)
        self._start(plan, history)

    async def _open(self, spec: str) -> None:
        """Show a run from its directory, and follow it as it grows."""
        if (run := self._find(spec)) is None:
            return
        opened = Opened(run)
        self._opening = one_line(run.name)
        try:
            await asyncio.to_thread(opened.read)
        except GptTuiError as error:
            self.refuse(error)
        else:
            self.refusal = []
            self.watched = opened
        finally:
            self._opening = ""

    def _find(self, spec: str) -> Run | None:
        try:
            return Shelf(self._request.runs_dir).find(spec)[0]
        except GptTuiError as error:
            self.refuse(error)
            return None

    # Keys -----------------------------------------------------------------------------------------------------------

    def toggle(self) -> None:
        """Start, pause, resume or go on, whichever `toggle_label` says."""
        session = self.session
        if session is not None:
            self._pause_or_resume(session)
        elif isinstance(self.watched, Opened) and self.watched.run.state() == "live":
            self._say(ELSEWHERE, "information")
        elif self.may_go_on:
            self._go_on()
        else:
            self.start_from_form()

    def _pause_or_resume(self, session: Session) -> None:
        word = self.state.word
        if word == "PREPARING":
            self._say("It is still being made ready; s gives up.", "information")
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
        path = self.watched.run.path if isinstance(self.watched, Opened) else self.watched.snapshot.run_path
        self._later(self._resume(str(path), {name: value for name, value in changes.items() if name in LIVE}))

    def single_step(self) -> None:
        session = self.session
        if session is None or session.snapshot.state != "PAUSED":
            self._say(". takes one step while a run is paused; space pauses.", "information")
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
            self._say("Saving the present run, then starting the new one…", "information")
            self._later(self._replace(self.session))

    async def _replace(self, session: Session) -> None:
        session.submit(Stop())
        while session.alive:
            await asyncio.sleep(0.05)
        self.poll()
        self.start_from_form()

    def edit(self, name: str, value: object) -> None:
        """Change a live field of the run at work."""
        if self.session is None:
            self._say("Nothing is running here: the change is in the form, for the next run.", "information")
        else:
            self.session.submit(EditFields({name: value}))
