"""The playground: one screen with its views, the run that it shows, and what the keys of the program do.

Views draw a `History` and a `Snapshot`. Everything that concerns a run goes through `core.session`, whose worker thread
is the only place that imports torch; the first frame is painted long before that.
"""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import sys
import threading
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import events, work
from textual.app import App, ComposeResult, SuspendNotSupported
from textual.binding import BindingType
from textual.color import Color
from textual.filter import LineFilter, Monochrome
from textual.message_pump import MessagePump
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import ContentSwitcher, Input

from gpt_tui.console import Console
from gpt_tui.core.config import RunConfig
from gpt_tui.core.presets import DEFAULT
from gpt_tui.core.session import Session, Stop
from gpt_tui.crash import report_traceback
from gpt_tui.tui import commands, keys, panes, preferences
from gpt_tui.tui.conductor import Conductor, Severity
from gpt_tui.tui.editor import editor, open_in
from gpt_tui.tui.keys import ACTIONS, Action
from gpt_tui.tui.machine import NO_MACHINE, Meter
from gpt_tui.tui.naming import preset_name
from gpt_tui.tui.overlays import Command, Help, Jump, Palette
from gpt_tui.tui.pace import Pace
from gpt_tui.tui.plain import one_line
from gpt_tui.tui.preferences import Preferences
from gpt_tui.tui.request import PlaygroundRequest
from gpt_tui.tui.state import State
from gpt_tui.tui.theme import THEMES, AsciiFilter, NoColourFilter
from gpt_tui.tui.views.train import TrainView
from gpt_tui.tui.watched import Own, Watched, config_of
from gpt_tui.tui.widgets.footer import Footer, Item
from gpt_tui.tui.widgets.header import Header, TooSmall

if TYPE_CHECKING:
    from gpt_tui.tui.views.setup import SetupView

SAVE_SECONDS = 8.0  # how long leaving waits for the worker to save
HANG_UP_SECONDS = 0.5  # between two looks whether the terminal is still there
PATIENCE_SECONDS = 3.0  # of these, how long for a last evaluation
SMALLEST = (60, 16)
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

    _had_focus: Widget | None = None  # before the notice took the views away

    def on_resize(self, event: events.Resize) -> None:
        width, height = SMALLEST
        cramped = event.size.width < width or event.size.height < height
        if cramped and not self.has_class("-cramped"):
            self._had_focus = self.focused
        self.set_class(cramped, "-cramped")
        if not cramped:
            self.call_after_refresh(self._give_focus_back)

    def _give_focus_back(self) -> None:
        kept, self._had_focus = self._had_focus, None
        if kept is not None and kept.is_attached and self.focused is None:
            self.set_focus(kept)


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
        self._typed: asyncio.Queue[events.Key] = asyncio.Queue()
        self.request = request
        self.status = 0
        self.crash: BaseException | None = None
        self.conductor = Conductor(
            request,
            form=lambda: self.form,
            preset=lambda: self.preset,
            in_sight=lambda: self._view == "train" and not self.conductor.begun,
            say=self.say,
            later=lambda work: self.run_worker(work, exclusive=True, group="run"),
        )
        self._folder = preferences.state_dir()
        self._preferences = preferences.load(self._folder)
        self._meter = Meter()
        self._pace = Pace()
        self._leaving = False
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
        self._obey_keys()
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
        self.conductor.begin()
        self._tick()

    def _mount_setup(self) -> None:
        """The form comes after the first frame, or when it is asked for, if that is sooner."""
        if self._setup is not None:
            return
        from gpt_tui.tui.views.setup import SetupView

        self._setup = SetupView(
            self.request.resolved,
            self.request.preset,
            runs_dir=self.request.runs_dir,
            chosen=self._preferences.beside,
            ascii=self.request.ascii,
            id="setup",
        )
        self._switcher.mount(self._setup)
        self._setup.display = False

    @property
    def preset(self) -> str | None:
        return self._setup.preset if self._setup else self.request.preset or DEFAULT

    @property
    def form(self) -> RunConfig | None:
        """What a new run would be; None while the form has faults."""
        return self._setup.config if self._setup else self.request.resolved.config

    # Drawing --------------------------------------------------------------------------------------------------------

    def _tick(self) -> None:
        """Take what has happened, draw what has changed, and come again as soon as that costs little enough."""
        if not self._header.is_attached:  # the screen is being taken down
            return
        changed = self.conductor.poll()
        self._show_all()
        self.set_timer(self._pace.next(busy=changed or self.session is not None), self._tick)

    def _show_all(self) -> None:
        conductor = self.conductor
        watched, state = conductor.watched, conductor.state
        with self.batch_update():
            if watched is not None:
                machine = self._meter.read() if self.session is not None else NO_MACHINE
                self._train.show(watched.history, watched.snapshot, machine, state.ended)
            if not conductor.begun:
                facts = self._setup.facts if self._setup is not None else None
                self._train.ready(self.form, self.preset, state, conductor.refusal, facts)
            if self._setup is not None and isinstance(watched, Own):
                self._setup.show_run(watched.history, watched.snapshot)
            self._header.set(self._subject(), state, self._views())
            self._footer.set(list(self._footer_items(state)))

    @property
    def watched(self) -> Watched | None:
        """The run on the screen, if there is one."""
        return self.conductor.watched

    @property
    def state(self) -> State:
        return self.conductor.state

    @property
    def session(self) -> Session | None:
        """The session at work, if one is."""
        return self.conductor.session

    @property
    def _view(self) -> str:
        return self._switcher.current or "train"

    @property
    def _shown(self) -> TrainView | SetupView:
        return self._setup if self._view == "setup" and self._setup is not None else self._train

    def _subject(self) -> list[str]:
        """What the first line calls what is open, the fullest name first."""
        watched = self.watched
        if self._view == "setup":
            return ["Setup"]
        if watched is None or watched.history.started is None:
            planned = self.form or self.request.resolved.config
            return _called(self.preset, planned, Path(planned.data.dataset).name or planned.data.dataset)
        started, config = watched.history.started, config_of(watched.history)
        preset = watched.session.plan.preset if isinstance(watched, Own) else None
        if preset is None or config is None:
            return [f"{started.run} on {started.dataset.name}", started.run]
        return _called(preset, config, started.dataset.name)

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
        if action.id == "toggle_run":
            return not self.conductor.elsewhere
        if action.id == "single_step":
            return alive and state.word == "PAUSED"
        if action.id in ("stop_run", "save"):
            return alive and not (action.id == "save" and state.word == "PREPARING")
        if action.id == "new_run":
            return self.conductor.may_go_on
        if action.id == "before_after":
            return self._train.one_sample
        if action.id == "copy_command":
            return self._setup is not None and self._setup.pane.has_focus_within
        if action.where == "train":
            return self.conductor.begun
        return True

    def _label(self, action: Action) -> str:
        if action.id == "cycle_beside" and self._setup is not None:
            return self._setup.next_choice
        return self.conductor.toggle_label if action.id == "toggle_run" else action.label

    def _owners(self) -> list[str]:
        """The owners of keys, from what has the focus outwards, without the app."""
        focused = self.screen_stack[0].focused
        chain = focused.ancestors_with_self if focused is not None else []
        return [owner for node in chain for owner in getattr(node, "KEYS", ())]

    # Saying ---------------------------------------------------------------------------------------------------------

    def say(self, text: str, severity: Severity = "information") -> None:
        """Tell in a corner of the screen, for a moment."""
        self.clear_notifications()
        self.notify(text, severity=severity, markup=False, timeout=10 if severity == "error" else 4)

    # Keys: the run --------------------------------------------------------------------------------------------------

    def action_toggle_run(self) -> None:
        self.conductor.toggle()
        self._show_all()

    def action_single_step(self) -> None:
        self.conductor.single_step()

    def action_stop_run(self) -> None:
        self.conductor.stop()
        self._show_all()

    def action_save(self) -> None:
        self.conductor.save()
        self._show_all()

    def action_new_run(self) -> None:
        self.conductor.new_run()
        self._show_all()

    def on_setup_view_edited(self, message: SetupView.Edited) -> None:
        self.conductor.edit(message.name, message.value)

    def on_setup_view_changed(self) -> None:
        if self._header.is_attached:  # what is known of a dataset may arrive while the screen is being taken down
            self._show_all()

    # Keys: getting about --------------------------------------------------------------------------------------------

    def action_view(self, view: str) -> None:
        self._mount_setup()
        self._switcher.current = view
        if view == "train":
            self._train.focus_first()
        elif self._setup is not None:
            self._setup.call_later(self._setup.arrive)  # it may not be mounted yet
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
        self._shown.go_to(pane)

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
        elif self._view == "setup" and self._setup is not None and self._setup.leave():
            return
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
        _, text = panes.text_of(self._shown)
        command = editor()
        if not text:
            self.say("Nothing to open here yet.")
        elif command is None:
            self.say("Set EDITOR to the editor you like, and e opens this text in it.")
        else:
            try:
                open_in(command, text, self.suspend)
            except (OSError, ValueError, SuspendNotSupported) as error:
                self.say(f"{command} cannot be run here: {error}", "error")

    def action_help(self) -> None:
        owners = self._owners()
        subject = getattr(self.focused, "label", "") or VIEWS[self._view]
        self.push_screen(Help(subject, [a for owner in owners for a in keys.of(owner)], keys.of("app")))

    def action_help_quit(self) -> None:
        self.say("q saves the run and leaves; y copies.")

    async def on_event(self, event: events.Event) -> None:
        """Keys wait in line: each is obeyed only once all that the one before it set off is done.

        Textual hands a key to the focused widget and takes the next; a key that is no letter comes back here behind the
        letters typed after it, and a field gets the focus after them. Of "0.002", enter, "1", typed during a short
        standstill, the 1 would be part of the value.
        """
        if isinstance(event, events.Key) and not event.is_forwarded:
            self._typed.put_nowait(event)
        else:
            await super().on_event(event)

    @work(group="keys")
    async def _obey_keys(self) -> None:
        while True:
            event = await self._typed.get()
            try:
                await self._obey_key(event)
            except Exception as error:  # noqa: BLE001 - what an action raises ends the program as anywhere else
                self._handle_exception(error)
                return

    async def _obey_key(self, event: events.Key) -> None:
        focused = self.focused
        letter = isinstance(focused, Input) and event.is_printable
        if letter or not await self._check_bindings(event.key):
            await super().on_event(event)
        for _ in range(2):  # what a widget tells its owner, and what the owner does then
            for node in (focused or self.screen).ancestors_with_self:
                await self._settle(node)

    async def _settle(self, node: MessagePump) -> None:
        """Wait until a widget has handled what waits for it now; not long where it is being taken down."""
        done = asyncio.Event()
        if node.is_running and node.call_later(done.set):
            try:
                await asyncio.wait_for(done.wait(), 1)
            except TimeoutError:
                pass

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
        actions = (action for action in ACTIONS if action.where in owners)
        themes = commands.of_themes(self.available_themes, lambda name: setattr(self, "theme", name))
        fields = commands.of_fields(self._config_at_work, self._show_field)
        return [*commands.of_actions(actions, self._label, self._do), *themes, *fields]

    def _do(self, action: Action) -> None:
        """Do an action where it belongs: at the focused widget, or at one that it lies in."""
        focused = self.screen_stack[0].focused
        chain = list(focused.ancestors_with_self) if focused is not None else []
        owner = next((node for node in chain if action.where in getattr(node, "KEYS", ())), None)
        self.call_later(self.run_action, action.id, owner or (self._train if action.where == "train" else self))

    def _offers(self, typed: str) -> list[Command]:
        return commands.of_field(
            typed,
            self._config_at_work,
            edit=self.conductor.edit,
            show=self._show_field,
            say=lambda why: self.say(why, "error"),
        )

    @property
    def _config_at_work(self) -> RunConfig | None:
        """What the session at work runs."""
        return self.session.snapshot.config if self.session is not None else None

    def _show_field(self, name: str) -> None:
        self.action_view("setup")
        if self._setup is not None:
            self._setup.go_to_field(name)

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
        await _ended(session, PATIENCE_SECONDS)
        session.submit(Stop("signal"))  # a last evaluation takes too long: only save
        await _ended(session, SAVE_SECONDS - PATIENCE_SECONDS)
        self.exit()

    def _keep_preferences(self) -> None:
        chart, before = self._train.chart, self._preferences
        kept = Preferences(
            view=self._view,
            theme=self.theme,
            compact=self.screen.has_class("-compact"),
            smoothing=chart.smoothing,
            units=chart.unit,
            beside=self._setup.chosen if self._setup is not None else before.beside,
        )
        try:
            preferences.save(self._folder, kept)
        except OSError:
            pass  # a read-only home is no reason not to leave; the next start has its defaults

    def _fatal_error(self) -> None:
        """An error that nobody foresaw: leave, and let the caller tell of it once the terminal is itself again."""
        self.crash = self._exception
        self._close_messages_no_wait()


def _called(preset: str | None, config: RunConfig, dataset: str) -> list[str]:
    names = [preset_name(preset, config), preset] if preset else ["a run"]
    return [f"{name} on {dataset}" for name in names]


# Running it ----------------------------------------------------------------------------------------------------------


def run_playground(request: PlaygroundRequest) -> int:
    """Open the playground and stay until it is left. Returns the exit status; raises what nobody foresaw."""
    app = Playground(request)
    asyncio.run(_run(app))
    session = app.session
    if session is not None and app.crash is not None:
        session.submit(Stop("signal"))
        session.join(SAVE_SECONDS)
    if app.crash is not None:
        raise app.crash
    console = Console.standard()
    for text in app.conductor.tracebacks:
        report_traceback(text, console)
    if session is not None and session.alive:
        console.warn(
            "gpt-tui: the run was left before it was saved; "
            f"gpt-tui --resume {session.snapshot.run_name} goes on from its last checkpoint"
        )
        os._exit(app.status)  # the worker is deep in a computation: waiting for it would hold the terminal
    return app.status or app.return_code or 0


async def _ended(session: Session, seconds: float) -> None:
    """Wait for it to end, but no longer than this."""
    limit = time.monotonic() + seconds
    while session.alive and time.monotonic() < limit:
        await asyncio.sleep(0.05)


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
    left = threading.Event()
    threading.Thread(target=_watch_terminal, args=(app, loop, left), name="gpt-tui terminal", daemon=True).start()
    try:
        await app.run_async()
    finally:
        left.set()


def _watch_terminal(app: Playground, loop: asyncio.AbstractEventLoop, left: threading.Event) -> None:
    """Leave once the terminal has hung up; the signal for that reaches only who was started first in it, say make.

    In a thread, because drawing on a terminal that is gone can hold up the loop for ever.
    """
    while not left.wait(HANG_UP_SECONDS):
        if _terminal_is_gone():
            loop.call_soon_threadsafe(app.leave, 129)
            _insist(app.session, 129)


def _terminal_is_gone() -> bool:
    if sys.platform == "win32" or sys.__stdin__ is None:
        return False
    import termios

    try:
        termios.tcgetattr(sys.__stdin__.fileno())
    except termios.error as error:
        return bool(error.args[0] == errno.EIO)  # anything else: not a terminal at all
    except (OSError, ValueError):
        return False
    return False


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
