"""The playground: one screen with its five views, the run that they show, and what the keys of the program do.

Views draw a `History` and a `Snapshot`. Everything that concerns a run goes through `core.session`, whose worker thread
is the only place that imports torch; the first frame is painted long before that. And before anything is imported that
has to do with a run: `_begin` does so once the frame is on the terminal, and only then are keys obeyed, in the order in
which they were typed.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import events, work
from textual.app import ComposeResult, SuspendNotSupported
from textual.binding import BindingType
from textual.color import Color
from textual.css.query import NoMatches
from textual.filter import LineFilter, Monochrome
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Input
from textual.worker import Worker

from gpt_tui.core.activity import UNSAVED
from gpt_tui.core.config import RunConfig, user_config_path
from gpt_tui.core.presets import Preset
from gpt_tui.tui import bell, clipboard, commands, keymap, keys, last_form, panes, preferences, selection, wishes
from gpt_tui.tui.about import about
from gpt_tui.tui.doable import Doable
from gpt_tui.tui.editor import edit_in, editor
from gpt_tui.tui.in_thread import in_thread
from gpt_tui.tui.key_names import show_key
from gpt_tui.tui.keys import ACTIONS, Action
from gpt_tui.tui.naming import preset_name
from gpt_tui.tui.overlays import Command, Commanding, Help, Jump, Palette
from gpt_tui.tui.pace import Pace
from gpt_tui.tui.plain import one_line
from gpt_tui.tui.request import PlaygroundRequest
from gpt_tui.tui.screen import MainScreen
from gpt_tui.tui.stage import VIEWS, Stage
from gpt_tui.tui.state import State
from gpt_tui.tui.theme import THEMES, AsciiFilter, NoColourFilter
from gpt_tui.tui.typed_keys import Typed, TypedKeys
from gpt_tui.tui.watched import Own, Watched, config_of
from gpt_tui.tui.widgets.footer import Footer
from gpt_tui.tui.widgets.header import Header, TooSmall

if TYPE_CHECKING:
    from gpt_tui.core.session import Session
    from gpt_tui.tui.conductor import Conductor, Severity
    from gpt_tui.tui.views.generate import GenerateView
    from gpt_tui.tui.views.setup import SetupView
    from gpt_tui.tui.widgets.chart import Chart

GOING_OUT_SECONDS = 0.002  # how long the thread that writes to the terminal has for the first frame
UNTOUCHED_SECONDS = 0.5  # how long nobody has typed before what can wait is done
SAVE_SECONDS = 8.0  # how long leaving waits for the worker to save
PATIENCE_SECONDS = 3.0  # of these, how long for a last evaluation
KEEPING_SECONDS = 1.0  # how long it waits for what it keeps of the screen to be written: a home may be on a dead disk


class Playground(TypedKeys):
    """status: the exit status to leave with. crash: the error that nobody foresaw, if one ended it.

    left: the session that was at work when leaving was asked for; hurried: a person asked again, who will not wait
    """

    TITLE = "gpt-tui"
    CSS_PATH: ClassVar = ["app.tcss", "views/train.tcss"]  # those of the other views come with them
    ENABLE_COMMAND_PALETTE = False
    ESCAPE_TO_MINIMIZE = False
    BINDINGS: ClassVar[list[BindingType]] = keys.bindings("app")

    def __init__(self, request: PlaygroundRequest) -> None:
        self._ascii = AsciiFilter() if request.ascii else None
        self._no_colour = NoColourFilter()
        super().__init__()
        self._folder = preferences.state_dir()
        self._preferences = preferences.load(self._folder)
        self.request = request = self._with_last_form(request)
        self.status = 0
        self.crash: BaseException | None = None
        self._conductor: Conductor | None = None
        self.keymap = keymap.load(user_config_path())
        self.set_keymap(self.keymap.overrides)
        self._pace = Pace()
        self._leaving = self.hurried = False
        self._passing = False  # whether what was said last goes with the next key
        self.left: Session | None = None
        self.stage = Stage(request, self._preferences, id="views")
        self._header, self._footer = Header(id="header"), Footer(id="footer")
        self.doable = Doable(self.keymap, self.stage)
        for theme in THEMES:
            self.register_theme(theme)
        self.animation_level = "none"  # over a slow line a scroll that glides is a scroll that drags
        self.theme = self._preferences.theme if self._preferences.theme in self.available_themes else THEMES[0].name

    def _with_last_form(self, request: PlaygroundRequest) -> PlaygroundRequest:
        """Where the form was left to the program: as it was the last time, or a first start."""
        if not request.open_form:
            return request
        if not (preferences.ever_kept(self._folder) and self._preferences.welcomed):
            return replace(request, first_start=True)
        resolved, preset = last_form.restore(self._preferences.form, request.resolved)
        return replace(request, resolved=resolved, preset=preset or request.preset)

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
        yield self.stage
        yield self._footer
        yield TooSmall(id="too-small")

    def refresh_css(self, animate: bool = True) -> None:
        """Before there is a screen, Textual would parse every style sheet for the theme, and then all of them again."""
        if self.screen_stack:
            super().refresh_css(animate)
        else:
            self.stylesheet.set_variables(self.get_css_variables())

    def on_mount(self) -> None:
        self.screen.set_class(self._preferences.compact, "-compact")
        self._show_all()
        self.stage.train.arrive()
        self.call_after_refresh(self._begin)

    # Beginning ------------------------------------------------------------------------------------------------------

    async def _begin(self) -> None:
        """After the first frame: all that has to do with a run, the form, the run that was asked for, and the clock."""
        await asyncio.sleep(GOING_OUT_SECONDS)
        if self._leaving:
            return
        request, conductor = self.request, self.conductor
        await self.stage.train.furnish()
        if self._leaving:
            return
        self.stage.view("setup")
        if not (request.open or request.resume or request.fork):
            if not self.stage.moved and self._preferences.view in VIEWS:  # no key was quicker
                self.action_view(self._preferences.view)
            if self.request.first_start:
                self._welcome()
        if self.keymap.faults:
            self.say("\n".join(["Keys of your own that do not hold:", *map(str, self.keymap.faults)]), "warning")
        conductor.begin()
        self._tick()
        self.obey_keys()
        self.touch()
        self._make_views()

    @work(group="views", exit_on_error=False)  # who goes to a view that cannot be made is told of that
    async def _make_views(self) -> None:
        """Make the views that nobody went to yet, each while nobody types and torch is not being loaded: going to one
        takes no longer then than coming back to it."""
        for name in VIEWS:
            await self._rest()
            await in_thread(partial(self.stage.load, name))
            await self._rest()
            if self._leaving:
                return
            await self.stage.make(name)

    async def _rest(self) -> None:
        while self.untouched < UNTOUCHED_SECONDS or self.state.word == "PREPARING":
            await asyncio.sleep(UNTOUCHED_SECONDS / 2)

    @property
    def conductor(self) -> Conductor:
        """Made, and imported, when it is first asked for: after the first frame."""
        if self._conductor is None:
            self._conductor = self.doable.conductor = self._make_conductor()
        return self._conductor

    def _make_conductor(self) -> Conductor:
        from gpt_tui.tui.conductor import Conductor

        return Conductor(
            self.request,
            form=lambda: self.stage.form,
            preset=lambda: self.stage.preset,
            in_sight=lambda: self.stage.name_in_sight == "train",
            say=self.say,
            later=self._later,
            show=lambda: self.action_view("train"),
            ended=self._run_ended,
        )

    def _welcome(self) -> None:
        """Three ways to begin, for who has never been here."""
        from gpt_tui.tui.views.welcome import Choice, Welcome

        def chosen(choice: Choice | None) -> None:
            self._preferences = replace(self._preferences, welcomed=True)
            way = choice.way if choice is not None else None
            if way == "watch":
                self.action_toggle_run()
            elif way == "runs":
                self.action_view("runs")
            elif choice is not None and self.stage.setup is not None:
                self.action_view("setup")
                self.stage.setup.take_dataset(choice.text)

        self._preferences = replace(self._preferences, welcomed=False)
        self.push_screen(Welcome(), chosen)

    # Drawing --------------------------------------------------------------------------------------------------------

    def _tick(self) -> None:
        """Take what has happened, draw what has changed, and come again as soon as that costs little enough."""
        if not self._header.is_attached:  # the screen is being taken down
            return
        changed = self.conductor.poll()
        self._show_all()
        self.set_timer(self._pace.next(busy=changed or self.session is not None), self._tick)

    def _show_all(self) -> None:
        conductor, state = self._conductor, self.state
        cramped = self.screen_stack[0].has_class("-cramped")
        for overlay in self.screen_stack[1:]:  # the notice is to be seen, whatever lies over it
            overlay.set_class(cramped, "-cramped")
        with self.batch_update():
            if conductor is None or not conductor.begun:
                facts = self.stage.setup.facts if self.stage.setup is not None else None
                refusal = conductor.refusal if conductor is not None else ()
                self.stage.train.ready(self.stage.form, self.stage.chosen, state, refusal, facts)
            if conductor is not None and self.stage.setup is not None:
                self.stage.setup.follow(conductor.own)
                self.stage.setup.take_refusal(conductor.refused)
            if conductor is not None and self.stage.in_sight is not self.stage.setup:
                self.stage.in_sight.follow(conductor.watched)
            aside = conductor.aside if conductor is not None else None
            self._header.set(self._subject(), state, self._views_line(), aside)
            self._footer.set(list(self.doable.footer(self._focused_below)))

    @property
    def watched(self) -> Watched | None:
        """The run on the screen, if there is one."""
        return self._conductor.watched if self._conductor is not None else None

    @property
    def state(self) -> State:
        return self._conductor.state if self._conductor is not None else State("READY")

    @property
    def tracebacks(self) -> list[str]:
        """Of errors that nobody foresaw, but which ended only a run."""
        return self._conductor.tracebacks if self._conductor is not None else []

    @property
    def session(self) -> Session | None:
        """The session at work, if one is."""
        return self._conductor.session if self._conductor is not None else None

    def _subject(self) -> list[str]:
        """What the first line calls what is open, the fullest name first."""
        watched = self.watched
        if subject := self.stage.in_sight.subject():
            return [subject]
        if watched is None or watched.history.started is None:
            planned = self.stage.form or self.request.resolved.config
            return _called(self.stage.chosen, planned, Path(planned.data.dataset).name or planned.data.dataset)
        started, config = watched.history.started, config_of(watched.history)
        plan = watched.session.plan if isinstance(watched, Own) else None
        if plan is None or plan.preset is None or plan.fork is not None or config is None:
            return [f"{started.run} on {started.dataset.name}", started.run]
        return _called(plan.preset, config, started.dataset.name)

    def _views_line(self) -> list[tuple[str, str, str, bool]]:
        current = self.stage.name_in_sight
        return [
            (str(number), name, f"app.view('{view}')", view == current)
            for number, (view, name) in enumerate(VIEWS.items(), 1)
        ]

    @property
    def _focused_below(self) -> Widget | None:
        """What has the focus, or will have it again once the overlays are gone."""
        return self.screen_stack[0].focused

    def on_descendant_focus(self) -> None:
        """What the keys do depends on what has the focus: the last line says it at once."""
        if self._footer.is_attached:
            self._footer.set(list(self.doable.footer(self._focused_below)))

    # Saying ---------------------------------------------------------------------------------------------------------

    def say(self, text: str, severity: Severity = "information") -> None:
        """Tell in a corner of the screen, for a moment."""
        self.clear_notifications()
        self.notify(text, severity=severity, markup=False, timeout=10 if severity == "error" else 4)

    def notify(
        self,
        message: str,
        *,
        title: str = "",
        severity: Severity = "information",
        timeout: float | None = None,
        markup: bool = True,
    ) -> None:
        """What is no warning stays only until the next key, which may well be meant for what lies below it."""
        self._passing = severity == "information"
        super().notify(message, title=title, severity=severity, timeout=timeout, markup=markup)

    async def obey(self, event: Typed) -> None:
        if self._passing and isinstance(event, events.Key):
            self._passing = False
            self.clear_notifications()
        await super().obey(event)

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

    def _later(self, work: Callable[[], Coroutine[None, None, None]]) -> Worker[None]:
        """Do it beside the screen, in place of what was to be done with a run so far."""
        return self.run_worker(work, exclusive=True, group="run")

    def _run_ended(self, name: str, word: str, seconds: float) -> None:
        """A run of this process has come to its end: call the person back, if that is wanted."""
        if self._driver is not None:
            text = f"{one_line(name)} {word.lower()}"
            bell.ring(self._preferences.bell, text, seconds=seconds, write=self._driver.write)

    # What views ask for ---------------------------------------------------------------------------------------------

    def on_open_run(self, wish: wishes.OpenRun) -> None:
        self.conductor.open(wish.path)
        self._show_all()

    def on_resume_run(self, wish: wishes.ResumeRun) -> None:
        self.conductor.resume(_at(wish.path, wish.step), wish.edits)
        self._show_all()

    def on_fork_run(self, wish: wishes.ForkRun) -> None:
        self.conductor.fork(_at(wish.path, wish.step), wish.edits)
        self._show_all()

    def on_fork_here(self, wish: wishes.ForkHere) -> None:
        self.conductor.fork_at(wish.step)
        self._show_all()

    def on_speak(self, wish: wishes.Speak) -> None:
        self.action_view("generate")
        generate: GenerateView = self.stage.views["generate"]  # type: ignore[assignment]
        generate.use(wish.path, wish.step)

    def on_look_inside(self, wish: wishes.LookInside) -> None:
        from gpt_tui.core.insight import Insight
        from gpt_tui.tui.views.lens_screen import LensScreen

        runs_dir, ascii = self.request.runs_dir, self.request.ascii
        held = {wish.source: wish.held} if wish.held is not None else {}
        insight = partial(Insight, held)
        self.push_screen(
            LensScreen(wish.source, wish.texts, runs_dir=runs_dir, insight=insight, session=self.session, ascii=ascii)
        )

    def on_scrubbed(self, wish: wishes.Scrubbed) -> None:
        self.stage.scrubbed = wish.step
        self.stage.train.chart.point_at(wish.step)

    def on_chart_crosshair_moved(self, message: Chart.CrosshairMoved) -> None:
        """Samples goes along with the chart's cursor."""
        if message.chart is not self.stage.train.chart:
            return
        self.stage.scrubbed = None if message.x is None else self.stage.train.chart.step_at(message.x)
        if self.stage.samples is not None:
            self.stage.samples.scrub_to(self.stage.scrubbed)

    def on_copy_text(self, wish: wishes.CopyText) -> None:
        self._copy(wish.what, wish.text)

    def on_edit_text(self, wish: wishes.EditText) -> None:
        text = self._edited(wish.text, wish.suffix)
        if text is not None and text != wish.text:
            wish.take(text)

    # Keys: getting about --------------------------------------------------------------------------------------------

    def action_view(self, view: str) -> None:
        self.stage.bring(view)
        self._show_all()

    def action_turn_view(self, by: int) -> None:
        views = list(VIEWS)
        self.action_view(views[(views.index(self.stage.name_in_sight) + by) % len(views)])

    def action_jump(self) -> None:
        letters = panes.jumps(self.stage.in_sight)
        if len(letters) < 2:
            self.say("There is one pane here.")
            return
        self.push_screen(Jump(letters), self._jumped)

    def _jumped(self, pane: Widget | None) -> None:
        if pane is None:
            return
        self.stage.in_sight.go_to(pane)

    def action_maximise(self) -> None:
        view = self.stage.in_sight
        pane = None if panes.maximised(view) else panes.focused_pane(view)
        if pane is None and not panes.maximised(view):
            self.say("z gives a focused pane the whole screen; tab moves the focus.")
            return
        panes.maximise(view, pane)

    def action_leave(self) -> None:
        if selection.let_go(self.screen):
            return
        if self.stage.in_sight.leave() or self.conductor.give_up():
            return
        if self.conductor.watch_own():
            self.action_view("train")
        else:
            self.say("Nothing to leave here; q leaves the program.")

    def action_density(self) -> None:
        self.screen.toggle_class("-compact")

    def action_next_theme(self) -> None:
        names = [theme.name for theme in THEMES]
        names += sorted(set(self.available_themes) - set(names))
        self.theme = names[(names.index(self.theme) + 1) % len(names)]
        self.say(f"theme {self.theme}")

    def action_split(self, by: int) -> None:
        if not self.stage.in_sight.split(by):
            self.say("Nothing beside each other here whose room could be split.")

    def action_next_bell(self) -> None:
        choice = bell.next_choice(self._preferences.bell)
        self._preferences = replace(self._preferences, bell=choice)
        self.say(bell.SAID[choice])

    def action_copy(self) -> None:
        if (chosen := selection.selected(self.screen)) is not None:
            self._copy("what is selected", chosen)
            return
        what, text = self.stage.in_sight.copied()
        if self.stage.setup is not None and panes.focused_pane(self.stage.train) is self.stage.train.ready_pane:
            what, text = "the command that does the same", self.stage.setup.command_line()
        self._copy(what, text)

    def _copy(self, what: str, text: str) -> None:
        if not text:
            self.say("Nothing to copy here yet.")
            return
        lines = len(text.splitlines())
        where = self._put_on_clipboard(text)
        self.say(f"copied: {what}, {lines} {'line' if lines == 1 else 'lines'}, {where}")

    def copy_to_clipboard(self, text: str) -> None:
        """By every way there is: a terminal that knows no OSC 52 gives no answer."""
        self._put_on_clipboard(text)

    def _put_on_clipboard(self, text: str) -> str:
        """Copy it; where it went, in words."""

        def failed(why: str) -> None:
            self.post_message(wishes.Say(why))

        return clipboard.put(text, osc52=super().copy_to_clipboard, folder=self._folder, failed=failed)

    def on_say(self, wish: wishes.Say) -> None:
        self.say(wish.text, "warning")

    def action_open_editor(self) -> None:
        _, text = self.stage.in_sight.copied()
        if text:
            self._edited(text, ".txt")
        else:
            self.say("Nothing to open here yet.")

    def _edited(self, text: str, suffix: str) -> str | None:
        """What the person makes of a text in the editor; None where it could not be opened, which is said."""
        command = editor()
        if command is None:
            self.say("Set EDITOR to the editor you like, and e opens this text in it.")
            return None
        try:
            return edit_in(command, text, suffix, self.suspend)
        except (OSError, ValueError, SuspendNotSupported) as error:
            self.say(f"{command} cannot be run here: {error}", "error")
            return None

    def action_help(self) -> None:
        own = self.doable.own(self._focused_below)
        pane = panes.focused_pane(self.stage.in_sight)
        label = getattr(pane, "label", "")
        view = self.stage.name_in_sight
        said = about(view, label)
        self.push_screen(Help(label or VIEWS[view], said, own, self.keymap.of("app"), self._keys_of("help")))

    def _keys_of(self, action: str) -> tuple[str, ...]:
        """The keys that an action of the app has here."""
        return next(found.keys for found in self.keymap.of("app") if found.id == action)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Where only the notice of a small terminal is seen, nothing is done unseen, and nothing before all is there;
        leaving works."""
        if action in ("quit", "help_quit"):
            return True
        return self.stage.train.furnished and not any(screen.has_class("-cramped") for screen in self.screen_stack)

    def action_press(self, key: str) -> None:
        """What a press on a key in the last line does, where that key is somebody else's to obey."""
        self.post_message(events.Key(key, None))

    def action_help_quit(self) -> None:
        self.say("q saves the run and leaves; y copies.")

    def on_key(self, event: events.Key) -> None:
        """No key does nothing without saying so."""
        if event.key not in self.screen.active_bindings and not isinstance(self.focused, Input):
            key = event.character if event.is_printable and event.character else show_key(event.key)
            self.say(f"{one_line(key)} does nothing here; ? shows the keys.")

    # The palette ----------------------------------------------------------------------------------------------------

    def action_palette(self) -> None:
        """Over a lens its own actions come first; any other leaves it, and is done at the view below."""
        over = self.screen
        own: list[Command] = over.commands() if isinstance(over, Commanding) else []

        def obey(command: Command | None) -> None:
            if command is None:
                return
            if isinstance(over, Commanding) and command not in own:
                over.dismiss()
            command.do()

        self.push_screen(Palette([*own, *self._commands()], self._offers, self._keys_of("palette")), obey)

    def _commands(self) -> list[Command]:
        actions = self.doable.in_view(self._focused_below)
        themes = commands.of_themes(self.available_themes, lambda name: setattr(self, "theme", name))
        fields = commands.of_fields(self._config_at_work, self._setup.form, self._show_field)
        return [*commands.of_actions(actions, self.doable.label, self._do), *themes, *fields]

    def _do(self, action: Action) -> None:
        """Do an action where it belongs: at the focused widget, at one that it lies in, or in the view."""
        owner = self.doable.owner(action, self._focused_below) or self
        self.call_later(self.run_action, action.id, owner)

    def action_do(self, name: str) -> None:
        """What a press on the footer does."""
        self._do(next(action for action in ACTIONS if action.name == name))

    def _offers(self, typed: str) -> list[Command]:
        return commands.of_field(
            typed,
            self._config_at_work,
            self._setup.form,
            edit=self.conductor.edit,
            set_in_form=self._set_field,
            say=lambda why: self.say(why, "error"),
        )

    @property
    def _config_at_work(self) -> RunConfig | None:
        """What the session at work runs."""
        return self.session.snapshot.config if self.session is not None else None

    @property
    def _setup(self) -> SetupView:
        return self.stage.view("setup")  # type: ignore[return-value]

    def _show_field(self, name: str) -> None:
        self.action_view("setup")
        self._setup.go_to_field(name)

    def _set_field(self, name: str, value: object) -> None:
        self.action_view("setup")
        self._setup.set_field(name, value)
        if self._config_at_work is not None:
            self.say(f"{name} needs a new run: N starts one with what stands here, u takes it back.")

    # Leaving --------------------------------------------------------------------------------------------------------

    def action_quit(self) -> None:  # type: ignore[override]
        self.leave(0)

    def leave(self, status: int) -> None:
        """Save the run, keep how things were, and go. At once, where a person asks again (ctrl+c is of a person too).

        A service manager, and a window that closes, may say the same twice and mean it once.
        """
        again, by_signal = self._leaving, bool(self.status)
        self._leaving, self.status = True, self.status or status
        if again and status in (0, 130):
            self.hurried = True
            self.exit()
            return
        if again and by_signal:
            return
        if self._conductor is not None:
            self._conductor.drop()  # what waits for the run at work to be saved would begin another
        self._keep_preferences()
        session = self.session
        self.remember_session()
        if session is None:
            self.exit()
            return
        from gpt_tui.core.session import Stop

        session.submit(Stop("signal" if status else "stopped"))
        self.say("saving… q again leaves without waiting")
        self._show_all()
        self._leave_when_saved(session)

    def remember_session(self) -> Session | None:
        """The session that is at work as leaving begins: how it ends is told when the screen is gone."""
        self.left = self.left or self.session
        return self.left

    @work(exclusive=True, group="leave")
    async def _leave_when_saved(self, session: Session) -> None:
        await _ended(session, PATIENCE_SECONDS)
        if _waits_to_be_saved(session) and not self.status:
            return  # its notice says what to do; q again leaves without that
        from gpt_tui.core.session import Stop

        session.submit(Stop("signal"))  # a last evaluation takes too long: only save
        await _ended(session, SAVE_SECONDS - PATIENCE_SECONDS)
        self.exit()

    def _keep_preferences(self) -> None:
        before = self._preferences
        kept = replace(
            before,
            view=self.stage.name_in_sight,
            theme=self.theme,
            compact=self.screen.has_class("-compact"),
            smoothing=self.stage.train.smoothing,
            units=self.stage.train.units,
            beside=self.stage.setup.chosen if self.stage.setup is not None else before.beside,
            shares={name: view.shares for name, view in self.stage.views.items() if view.shares},
            form=self.stage.setup.kept() if self.stage.setup is not None else before.form,
        )
        thread = threading.Thread(target=_keep, args=(self._folder, kept), name="gpt-tui preferences", daemon=True)
        thread.start()
        thread.join(KEEPING_SECONDS)

    def _handle_exception(self, error: Exception) -> None:
        if self._exit and isinstance(error, NoMatches):
            return  # an app that is leaving mounts nothing any more: what was made just then misses its parts
        super()._handle_exception(error)

    def _fatal_error(self) -> None:
        """An error that nobody foresaw: leave, and let the caller tell of it once the terminal is itself again."""
        self.crash = self._exception
        self._close_messages_no_wait()


def _called(preset: Preset | str | None, config: RunConfig, dataset: str) -> list[str]:
    short = preset.name if isinstance(preset, Preset) else preset
    names = [preset_name(preset, config), short] if preset and short else ["a run"]
    return [f"{name} on {dataset}" for name in names]


def _at(path: Path, step: int | None) -> str:
    """RUN[@STEP], as the shelf finds it."""
    return str(path) if step is None else f"{path}@{step}"


def _keep(folder: Path, kept: preferences.Preferences) -> None:
    try:
        preferences.save(folder, kept)
    except OSError:
        pass  # a read-only home is no reason not to leave; the next start has its defaults


async def _ended(session: Session, seconds: float) -> None:
    """Wait for it to end, but no longer than this, and hardly for what comes before a run: it has nothing to save."""
    from gpt_tui.core.session import BEGINNING_SECONDS

    began = time.monotonic()
    while session.alive and not _waits_to_be_saved(session):
        await asyncio.sleep(0.05)
        limit = min(BEGINNING_SECONDS, seconds) if session.snapshot.state == "PREPARING" else seconds
        if time.monotonic() - began >= limit:
            return


def _waits_to_be_saved(session: Session) -> bool:
    """Whether it could not be saved just now, and keeps its weights until it is asked to again."""
    return session.snapshot.activity == UNSAVED and not session.snapshot.pending
