"""The playground: one screen with its views, the run that it shows, and what the keys of the program do.

Views draw a `History` and a `Snapshot`. Everything that concerns a run goes through `core.session`, whose worker thread
is the only place that imports torch; the first frame is painted long before that.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from textual import events, work
from textual.app import App, ComposeResult
from textual.binding import BindingType
from textual.color import Color
from textual.filter import LineFilter, Monochrome
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import ContentSwitcher, Input

from gpt_tui.core.config import FIELDS, RunConfig, difference, live_changes
from gpt_tui.core.errors import GptTuiError, Refusal
from gpt_tui.core.events import Failed
from gpt_tui.core.presets import DEFAULT
from gpt_tui.core.runs import History, Shelf
from gpt_tui.core.session import EditFields, Pause, Plan, Resume, Save, Session, SingleStep, Stop
from gpt_tui.tui import keys, panes, preferences
from gpt_tui.tui.keys import ACTIONS, Action
from gpt_tui.tui.machine import Meter
from gpt_tui.tui.overlays import Command, Help, Jump, Palette
from gpt_tui.tui.pace import Pace
from gpt_tui.tui.plain import one_line
from gpt_tui.tui.preferences import Preferences
from gpt_tui.tui.request import PlaygroundRequest
from gpt_tui.tui.state import State
from gpt_tui.tui.theme import THEMES, AsciiFilter, NoColourFilter
from gpt_tui.tui.views.train import TrainView
from gpt_tui.tui.watched import Opened, Own, Watched
from gpt_tui.tui.widgets.footer import Footer, Item
from gpt_tui.tui.widgets.header import Header, TooSmall
from gpt_tui.tui.widgets.loss_chart import config_of

if TYPE_CHECKING:
    from gpt_tui.tui.views.setup import SetupView

SAVE_SECONDS = 8.0  # how long leaving waits for the worker to save
SMALLEST = (60, 16)
LIVE = {name for name, spec in FIELDS.items() if spec.live}
VIEWS = {"train": "Train", "setup": "Setup"}
ABSENT = {
    "samples": "Samples is not in this version yet: Train shows the untrained and the newest one.",
    "generate": "Generate is not in this version yet: “gpt-tui sample RUN” writes with any run.",
    "runs": "Runs is not in this version yet: “gpt-tui runs” lists them, “gpt-tui open RUN” shows one.",
}


class MainScreen(Screen[None], inherit_bindings=False):
    """The one screen under all overlays; its keys are the app's."""

    AUTO_FOCUS = ""
    HORIZONTAL_BREAKPOINTS = [(0, "-one"), (100, "-two"), (150, "-three")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-short"), (32, "-tall")]  # noqa: RUF012

    def on_resize(self, event: events.Resize) -> None:
        width, height = SMALLEST
        self.set_class(event.size.width < width or event.size.height < height, "-cramped")


class Playground(App[None]):
    """status: the exit status to leave with. crash: the error that nobody foresaw, if one ended it."""

    TITLE = "gpt-tui"
    CSS_PATH: ClassVar = ["app.tcss", "views/train.tcss", "views/setup.tcss"]
    ENABLE_COMMAND_PALETTE = False
    ESCAPE_TO_MINIMIZE = False
    BINDINGS: ClassVar[list[BindingType]] = keys.bindings("app")

    def __init__(self, request: PlaygroundRequest) -> None:
        self._ascii = AsciiFilter() if request.ascii else None
        self._no_colour = NoColourFilter()
        super().__init__()
        self.request = request
        self.status = 0
        self.crash: BaseException | None = None
        self.watched: Watched | None = None
        self._folder = preferences.state_dir()
        self._preferences = preferences.load(self._folder)
        self._refusal: list[str] = []
        self._meter = Meter()
        self._pace = Pace()
        self._leaving = False
        self._told: Watched | None = None  # the run whose end has been told
        self._train = TrainView(
            smoothing=self._preferences.smoothing, units=self._preferences.units, ascii=request.ascii, id="train"
        )
        self._setup: SetupView | None = None
        self._header, self._footer = Header(id="header"), Footer(id="footer")
        self._switcher = ContentSwitcher(initial="train", id="views")
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = self._preferences.theme if self._preferences.theme in self.available_themes else THEMES[0].name

    def get_line_filters(self) -> Sequence[LineFilter]:
        filters = list(super().get_line_filters())
        if self.no_color:
            filters = [kept for kept in filters if not isinstance(kept, Monochrome)] + [self._no_colour]
        return [*filters, self._ascii] if self._ascii else filters

    def get_css_variables(self) -> dict[str, str]:
        """Textual's, with solid colours for muted text: its own are relative to a background that styled text lacks."""
        variables = super().get_css_variables()
        foreground, background = Color.parse(variables["foreground"]), Color.parse(variables["background"])
        if foreground.ansi is None and background.ansi is None:
            variables["text-muted"] = background.blend(foreground, 0.62).hex
            variables["text-disabled"] = background.blend(foreground, 0.42).hex
        return variables

    def get_default_screen(self) -> Screen[None]:
        return MainScreen()

    def compose(self) -> ComposeResult:
        yield self._header
        with self._switcher:
            yield self._train
        yield self._footer
        yield TooSmall(id="too-small")

    def on_mount(self) -> None:
        self.screen.set_class(self._preferences.compact, "-compact")
        self._show_all()
        self._train.focus_first()
        self.call_after_refresh(self._begin)

    # Beginning ------------------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        """After the first frame: the form, the run that was asked for, and the clock."""
        self._mount_setup()
        if self._preferences.view == "setup" and not (self.request.open or self.request.resume or self.request.fork):
            self.action_view("setup")
        if self.request.open is not None:
            self._open(self.request.open)
        elif self.request.resume is not None:
            self._resume(self.request.resume, self.request.edits)
        elif self.request.fork is not None:
            self._start(
                replace(self._plan(self.request.resolved.config), fork=self.request.fork, edits=self.request.edits)
            )
        self._tick()

    def _mount_setup(self) -> None:
        """The form comes after the first frame, or when it is asked for, if that is sooner."""
        if self._setup is not None:
            return
        from gpt_tui.tui.views.setup import SetupView

        self._setup = SetupView(self.request.resolved, self.request.preset, id="setup")
        self._switcher.mount(self._setup)
        self._setup.display = False

    def _plan(self, config: RunConfig) -> Plan:
        request = self.request
        return Plan(
            config=config,
            runs_dir=request.runs_dir,
            run_name=request.run_name if self.watched is None else None,
            preset=self.preset,
            target_loss=request.target_loss,
            max_seconds=request.max_seconds,
        )

    @property
    def preset(self) -> str | None:
        return self._setup.preset if self._setup else self.request.preset or DEFAULT

    @property
    def form(self) -> RunConfig | None:
        """What a new run would be; None while the form has faults."""
        return self._setup.config if self._setup else self.request.resolved.config

    def _start(self, plan: Plan, history: History | None = None) -> None:
        session = Session(plan)
        self._refusal = []
        self.watched = Own(session, history)
        session.start()
        self._show_all()

    @work(exclusive=True, group="run")
    async def _resume(self, spec: str, edits: Mapping[str, Any] | None = None) -> None:
        """Go on with a run; what it has been so far is read first, so that its chart is whole."""
        try:
            run, _ = Shelf(self.request.runs_dir).find(spec)
            history = await asyncio.to_thread(run.history)
        except GptTuiError as error:
            self._refuse(error)
            return
        plan = replace(self._plan(run.config()), run_name=None, preset=None, resume=spec, edits=edits or {})
        self._start(plan, history)

    @work(exclusive=True, group="run")
    async def _open(self, spec: str) -> None:
        """Show a run from its directory, and follow it as it grows."""
        try:
            run, _ = Shelf(self.request.runs_dir).find(spec)
            opened = Opened(run)
            self._train.ready(None, None, State("OPENING", f"reading {one_line(run.name)}"), [])
            await asyncio.to_thread(opened.read)
        except GptTuiError as error:
            self._refuse(error)
            return
        self._refusal = []
        self.watched = opened
        self._show_all()

    def _refuse(self, error: GptTuiError) -> None:
        faults = error.faults if isinstance(error, Refusal) else (error,)
        self._refusal = [str(fault) for fault in faults]
        self.say("\n".join(self._refusal), "error")
        self._show_all()

    # Drawing --------------------------------------------------------------------------------------------------------

    def _tick(self) -> None:
        """Take what has happened, draw what has changed, and come again as soon as that costs little enough."""
        if not self._header.is_attached:  # the screen is being taken down
            return
        watched = self.watched
        changed = watched is not None and watched.poll()
        if isinstance(watched, Own):
            for error in watched.new_errors():  # what a person just did deserves more than a line in the log
                self.say(one_line(error), "error")
        self._tell_end()
        self._show_all()
        self.set_timer(self._pace.next(busy=changed or self.session is not None), self._tick)

    def _show_all(self) -> None:
        with self.batch_update():
            state = self.state
            watched = self.watched
            if watched is not None:
                self._train.show(watched.history, watched.snapshot, self._meter.read())
            if watched is None or watched.history.started is None:
                facts = self._setup.facts if self._setup is not None else None
                self._train.ready(self.form, self.preset, state, self._refusal, facts)
            if self._setup is not None and isinstance(watched, Own):
                self._setup.show_run(watched.history, watched.snapshot)
            self._header.set(self._subject(), state.shown(), self._views())
            self._footer.set(list(self._footer_items(state)))

    @property
    def state(self) -> State:
        """Of the run on the screen."""
        if self.watched is None:
            return State("READY")
        outcome = self.watched.outcome if isinstance(self.watched, Own) else None
        if outcome is not None and outcome.kind in ("refused", "cancelled"):
            return State("READY")
        return self.watched.state

    @property
    def session(self) -> Session | None:
        """The session at work, if one is."""
        if isinstance(self.watched, Own) and self.watched.session.alive:
            return self.watched.session
        return None

    @property
    def _view(self) -> str:
        return self._switcher.current or "train"

    @property
    def _shown(self) -> Widget:
        return self._setup if self._view == "setup" and self._setup is not None else self._train

    def _subject(self) -> str:
        """What the first line calls what is open."""
        watched = self.watched
        if self._view == "setup":
            return "Setup"
        if watched is None or watched.history.started is None:
            config = self.form or self.request.resolved.config
            return f"{self.preset or 'a run'} on {Path(config.data.dataset).name or config.data.dataset}"
        started = watched.history.started
        if isinstance(watched, Own) and watched.session.plan.preset:
            return f"{watched.session.plan.preset} on {started.dataset.name}"
        return f"{started.run} on {started.dataset.name}"

    def _views(self) -> list[tuple[str, str, str, bool]]:
        current = self._view
        return [
            (str(number), name, f"app.view('{view}')", view == current)
            for number, (view, name) in enumerate(VIEWS.items(), 1)
        ]

    def _footer_items(self, state: State) -> Iterable[Item]:
        for action in keys.of("app", *self._owners()):
            if action.footer and self._useful(action, state):
                where = "app." if action.where == "app" else ""
                yield Item(action.footer, action.first, self._label(action), f"{where}{action.id}")

    def _useful(self, action: Action, state: State) -> bool:
        """Whether it belongs into the footer now."""
        alive = self.session is not None
        if action.id == "single_step":
            return alive and state.word == "PAUSED"
        if action.id in ("stop_run", "save"):
            return alive and not (action.id == "save" and state.word == "PREPARING")
        if action.id == "new_run":
            return self._may_go_on()
        if action.id == "before_after":
            return self._train.one_sample
        if action.where == "train":
            return self.watched is not None and self.watched.history.started is not None
        return True

    def _label(self, action: Action) -> str:
        if action.id != "toggle_run":
            return action.label
        return self._toggle_label()

    def _toggle_label(self) -> str:
        word = self.state.word
        if self.session is not None:
            return "resume" if word == "PAUSED" else "pause"
        if self._may_go_on():
            return "go on" if word == "FINISHED" else "resume"
        return "new run" if word in ("FINISHED", "FAILED") else "start"

    def _owners(self) -> list[str]:
        """The owners of keys, from what has the focus outwards, without the app."""
        focused = self.screen_stack[0].focused
        chain = focused.ancestors_with_self if focused is not None else []
        return [owner for node in chain for owner in getattr(node, "KEYS", ())]

    # Saying ---------------------------------------------------------------------------------------------------------

    def say(self, text: str, severity: str = "information") -> None:
        """Tell in a corner of the screen, for a moment."""
        self.clear_notifications()
        self.notify(text, severity=severity, markup=False, timeout=10 if severity == "error" else 4)  # type: ignore[arg-type]

    def _tell_end(self) -> None:
        """Say, once, how the session of the shown run ended, and which key comes next."""
        watched = self.watched
        if not isinstance(watched, Own) or watched is self._told or (outcome := watched.outcome) is None:
            return
        self._told = watched
        watched.poll()
        if outcome.kind == "finished":
            return
        if outcome.kind == "cancelled":
            self.say("Stopped before the run began; nothing was written.")
        elif isinstance(outcome.event, Failed):
            hint = one_line(outcome.event.hint)
            self.say(
                f"The run failed: {one_line(outcome.event.error)} {hint}\n2 changes it, space starts anew.", "error"
            )
        elif outcome.error is not None:
            self._refuse(outcome.error)
            if outcome.kind == "failed":
                return
        if watched.history.started is None:
            self.watched = None

    # Keys: the run --------------------------------------------------------------------------------------------------

    def action_toggle_run(self) -> None:
        session, state = self.session, self.state
        if session is not None:
            self._pause_or_resume(session, state)
        elif isinstance(self.watched, Opened) and self.watched.run.state() == "live":
            self.say("This run is being trained by another process, which alone can pause it.")
        elif self._may_go_on():
            self._go_on()
        else:
            self._start_from_form()

    def _pause_or_resume(self, session: Session, state: State) -> None:
        if state.word == "PREPARING":
            self.say("It is still being made ready; s gives up.")
        elif state.word == "STOPPING":
            self.say("It is being stopped and saved.")
        elif session.snapshot.state == "PAUSED" or session.snapshot.pending == "PAUSING":
            session.submit(Resume())
        else:
            session.submit(Pause())
        self._show_all()

    def _may_go_on(self) -> bool:
        """Whether space goes on with the run that is shown: it was stopped, or the form now gives it more steps."""
        word = self.state.word
        if self.watched is None or self.session is not None:
            return False
        if word != "FINISHED":
            return word in ("STOPPED", "INTERRUPTED")
        changes = self._changes()
        return set(changes) <= LIVE and changes.get("max_iters", 0) > self.watched.history.step

    def _changes(self) -> dict[str, Any]:
        """What the form has otherwise than the run of this process that is shown."""
        past, form = config_of(self.watched.history) if isinstance(self.watched, Own) else None, self.form
        if past is None or form is None:
            return {}
        return {name: new for name, (_, new) in difference(past, form).items()}

    def _go_on(self) -> None:
        """Resume the run that is shown; live fields that differ in the form go along."""
        assert self.watched is not None
        changes = self._changes()
        if not set(changes) <= LIVE:
            self.say("Going on with the stopped run as it is; N starts the one in the form.")
        path = self.watched.run.path if isinstance(self.watched, Opened) else self.watched.snapshot.run_path
        self._resume(str(path), {name: value for name, value in changes.items() if name in LIVE})

    def _start_from_form(self) -> None:
        config = self.form
        if config is None:
            self.say("The form has faults: 2 shows them.", "warning")
            return
        self._start(self._plan(config))

    def action_single_step(self) -> None:
        session = self.session
        if session is None or session.snapshot.state != "PAUSED":
            self.say(". takes one step while a run is paused; space pauses.")
        else:
            session.submit(SingleStep())

    def action_stop_run(self) -> None:
        if self.session is None:
            self.say("Nothing is running here; space starts.")
        else:
            self.session.submit(Stop())
            self._show_all()

    def action_save(self) -> None:
        session = self.session
        if session is None or session.snapshot.state == "PREPARING":
            self.say("w saves a checkpoint while a run is at work; a stopped run is saved already.")
        else:
            session.submit(Save())
            self._show_all()

    @work(exclusive=True, group="run")
    async def action_new_run(self) -> None:
        if self.form is None:
            self.say("The form has faults: 2 shows them.", "warning")
            return
        if (session := self.session) is not None:
            session.submit(Stop())
            self.say("Saving the present run, then starting the new one…")
            while session.alive:
                await asyncio.sleep(0.05)
            self._tell_end()
        self._start_from_form()

    def on_setup_view_edited(self, message: SetupView.Edited) -> None:
        self.edit(message.name, message.value)

    def on_setup_view_changed(self) -> None:
        self._show_all()

    def edit(self, name: str, value: object) -> None:
        """Change a live field of the run at work."""
        if self.session is None:
            self.say("Nothing is running here: the change is in the form, for the next run.")
        else:
            self.session.submit(EditFields({name: value}))

    # Keys: getting about --------------------------------------------------------------------------------------------

    def action_view(self, view: str) -> None:
        self._mount_setup()
        self._switcher.current = view
        if view == "train":
            self._train.focus_first()
        self._show_all()

    def action_turn_view(self, by: int) -> None:
        views = list(VIEWS)
        self.action_view(views[(views.index(self._view) + by) % len(views)])

    def action_absent(self, view: str) -> None:
        self.say(ABSENT[view])

    def action_jump(self) -> None:
        letters = panes.jumps(self._shown)
        if len(letters) < 2:
            self.say("There is one pane here.")
            return
        self.push_screen(Jump(letters), self._jumped)

    def _jumped(self, pane: Widget | None) -> None:
        if pane is None:
            return
        if self._view == "train":
            self._train.go_to(pane)
        else:
            panes.go_to(self._shown, pane)

    def action_maximise(self) -> None:
        view = self._shown
        pane = None if panes.maximised(view) else panes.focused_pane(view)
        if pane is None and not panes.maximised(view):
            self.say("z gives a focused pane the whole screen; tab moves the focus.")
            return
        panes.maximise(view, pane)

    def action_leave(self) -> None:
        if self._view == "train" and self._train.leave():
            return
        if panes.maximised(self._shown):
            panes.maximise(self._shown, None)
        else:
            self.say("Nothing to leave here; q leaves the program.")

    def action_density(self) -> None:
        self.screen.toggle_class("-compact")

    def action_next_theme(self) -> None:
        names = [theme.name for theme in THEMES]
        names += sorted(set(self.available_themes) - set(names))
        self.theme = names[(names.index(self.theme) + 1) % len(names)]
        self.say(f"theme {self.theme}")

    def action_copy(self) -> None:
        what, text = panes.text_of(self._shown)
        if self._setup is not None and panes.focused_pane(self._train) is self._train.ready_pane:
            what, text = "the command that does the same", self._setup.command_line()
        if not text:
            self.say("Nothing to copy here yet.")
            return
        self.copy_to_clipboard(text)
        lines = len(text.splitlines())
        self.say(f"copied: {what}, {lines} {'line' if lines == 1 else 'lines'}")

    def action_open_editor(self) -> None:
        what, text = panes.text_of(self._shown)
        editor = os.environ.get("VISUAL") or os.environ.get("EDITOR")
        if not text:
            self.say("Nothing to open here yet.")
        elif not editor:
            self.say("Set EDITOR to the editor you like, and e opens this text in it.")
        else:
            self._edit_text(editor, what, text)

    def _edit_text(self, editor: str, what: str, text: str) -> None:
        import shlex

        with tempfile.NamedTemporaryFile("w", suffix=".txt", prefix="gpt-tui-", delete=False, encoding="utf-8") as file:
            file.write(text)
        try:
            with self.suspend():
                subprocess.run([*shlex.split(editor), file.name], check=False)
        except (OSError, ValueError) as error:
            self.say(f"{editor} cannot be run: {error}", "error")
        finally:
            Path(file.name).unlink(missing_ok=True)

    def action_help(self) -> None:
        owners = self._owners()
        subject = getattr(self.focused, "label", "") or VIEWS[self._view]
        self.push_screen(Help(subject, [a for owner in owners for a in keys.of(owner)], keys.of("app")))

    def action_help_quit(self) -> None:
        self.say("q saves the run and leaves; y copies.")

    async def on_event(self, event: events.Event) -> None:
        """Obey a key as soon as it comes, unless a text field has the focus.

        Textual sends it to the focused widget first, from where it comes back behind the keys typed after it: of
        ":theme" typed during a short standstill, the letters would be obeyed before the palette opens to take them.
        """
        key = event if isinstance(event, events.Key) and not event.is_forwarded else None
        if key is not None and not isinstance(self.focused, Input) and await self._check_bindings(key.key):
            return
        await super().on_event(event)

    def on_key(self, event: events.Key) -> None:
        """No key does nothing without saying so."""
        if event.is_printable and event.key not in self.screen.active_bindings and not isinstance(self.focused, Input):
            self.say(f"{one_line(event.character or event.key)} does nothing here; ? shows the keys.")

    # The palette ----------------------------------------------------------------------------------------------------

    def action_palette(self) -> None:
        self.push_screen(Palette(self._commands(), self._offers), self._obey)

    def _obey(self, command: Command | None) -> None:
        if command is not None:
            command.do()

    def _commands(self) -> list[Command]:
        owners = ["app", *self._owners(), *(["train"] if self._view == "train" else [])]
        actions = [a for a in ACTIONS if a.where in owners and a.id != "palette"]
        commands = [Command(self._label(a), a.first, a.help, self._doer(a)) for a in actions]
        themes = [
            Command(f"theme {name}", "", "Use this theme.", partial(setattr, self, "theme", name))
            for name in self.available_themes
        ]
        return [*commands, *themes]

    def _doer(self, action: Action) -> Callable[[], object]:
        """What does an action where it belongs: at the focused widget or one that it lies in."""
        focused = self.focused
        chain = list(focused.ancestors_with_self) if focused is not None else [self]
        owner = next((node for node in chain if action.where in getattr(node, "KEYS", ())), None)
        if owner is None:
            owner = self._train if action.where == "train" else self
        return lambda: self.call_later(self.run_action, action.id, owner)

    def _offers(self, typed: str) -> list[Command]:
        """`learning_rate 0.001`: a live field of the run at work and its new value."""
        name, _, value = typed.strip().replace("=", " ").partition(" ")
        spec = FIELDS.get(name.replace("-", "_"))
        config = self.session.snapshot.config if self.session else None
        if spec is None:
            return []
        if config is None or not value.strip():
            return [
                Command(spec.name, "2", "A field of the form: change it in Setup.", lambda: self.action_view("setup"))
            ]
        now = spec.show(config.get(spec.name))
        try:
            new = live_changes(config, {spec.name: value.strip()}).get(spec.name)
        except Refusal as refusal:
            why = refusal.faults[0].message
            return [Command(f"{spec.name} cannot be {value.strip()}", "", why, partial(self.say, why, "error"))]
        return [Command(f"{spec.name} {now} → {spec.show(new)}", "", spec.help, lambda: self.edit(spec.name, new))]

    # Leaving --------------------------------------------------------------------------------------------------------

    def action_quit(self) -> None:  # type: ignore[override]
        self.leave(0)

    def leave(self, status: int) -> None:
        """Save the run, keep how things were, and go. A second request goes at once."""
        if self._leaving:
            self.exit()
            return
        self._leaving = True
        self.status = status
        self._keep_preferences()
        session = self.session
        if session is None:
            self.exit()
            return
        session.submit(Stop("signal" if status else "stopped"))
        self.say("saving… q again leaves without waiting")
        self._show_all()
        self._leave_when_saved(session)

    @work(exclusive=True, group="leave")
    async def _leave_when_saved(self, session: Session) -> None:
        end = time.monotonic() + SAVE_SECONDS
        while session.alive and time.monotonic() < end:
            await asyncio.sleep(0.05)
        self.exit()

    def _keep_preferences(self) -> None:
        chart = self._train.chart
        kept = Preferences(self._view, self.theme, self.screen.has_class("-compact"), chart.smoothing, chart.unit)
        try:
            preferences.save(self._folder, kept)
        except OSError:
            pass  # a read-only home is no reason not to leave; the next start has its defaults

    def _fatal_error(self) -> None:
        """An error that nobody foresaw: leave, and let the caller tell of it once the terminal is itself again."""
        self.crash = self._exception
        self._close_messages_no_wait()


# Running it ----------------------------------------------------------------------------------------------------------


def run_playground(request: PlaygroundRequest) -> int:
    """Open the playground and stay until it is left. Returns the exit status; raises what nobody foresaw."""
    app = Playground(request)
    asyncio.run(_run(app))
    session = app.session
    if session is not None:
        session.submit(Stop("signal"))
        session.join(SAVE_SECONDS)
    if app.crash is not None:
        raise app.crash
    if session is not None and session.alive:
        os._exit(app.status)  # the worker is deep in a computation: waiting for it would hold the terminal
    return app.status or app.return_code or 0


async def _run(app: Playground) -> None:
    loop = asyncio.get_running_loop()
    for name, status in (("SIGTERM", 143), ("SIGHUP", 129), ("SIGINT", 130)):
        number = getattr(signal, name, None)
        if number is None:
            continue
        try:
            loop.add_signal_handler(number, _leave_for, app, status)
        except NotImplementedError:  # Windows: the console's own handling stays
            break
    await app.run_async()


def _leave_for(app: Playground, status: int) -> None:
    """A signal: save and leave, even where the terminal is gone and nothing can be drawn any more."""
    threading.Thread(target=_insist, args=(app.session, status), name="gpt-tui leave", daemon=True).start()
    app.leave(status)


def _insist(session: Session | None, status: int) -> None:
    if session is not None:
        session.submit(Stop("signal"))
        session.join(SAVE_SECONDS)
    time.sleep(3)
    os._exit(status)
