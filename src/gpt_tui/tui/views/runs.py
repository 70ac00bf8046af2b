"""View 5: the shelf. Every run with its losses and checkpoints, and what is done with it; runs laid over each other.

Nothing is read or written here: `ShelfReader` does that in a thread of its own, and answers in messages.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container
from textual.content import Content
from textual.widget import Widget

from gpt_tui.tui import figures, keys, panes, wishes
from gpt_tui.tui.plain import LINE_END, one_line, visible
from gpt_tui.tui.shelf_reader import Listed, Looked, ShelfReader, ShelfRun, Told, Weighed, with_history
from gpt_tui.tui.view import Halves, View
from gpt_tui.tui.views.compare import CompareView
from gpt_tui.tui.watched import Own, Watched
from gpt_tui.tui.widgets.ask_line import AskLine
from gpt_tui.tui.widgets.compare_chart import MOST
from gpt_tui.tui.widgets.facts_pane import Facts, FactsPane, essentials
from gpt_tui.tui.widgets.question import Question
from gpt_tui.tui.widgets.rows import Rows
from gpt_tui.tui.widgets.run_rows import CheckpointRows, RunRows, local_time

if TYPE_CHECKING:
    from gpt_tui.tui.keys import Action
    from gpt_tui.tui.shelf_reader import Kept

SLIM = 76  # columns from which what a run is has a place beside its checkpoints
LOW = 18  # rows from which samples have a place under the settings that differ
READ_EVERY = 2.0  # seconds between readings of the shelf while it is in sight
NEEDS_RUN = {"open", "resume", "fork", "mark", "overlay", "retitle", "note", "delete"}


class RunsView(View):
    """The shelf and, once runs are laid over each other, the comparison in its place."""

    TITLE = "Runs"
    BINDINGS: ClassVar[list[BindingType]] = keys.bindings("runs")
    KEYS: ClassVar[tuple[str, ...]] = ("runs",)

    def __init__(self, *, runs_dir: Path, ascii: bool = False, id: str | None = None) -> None:
        super().__init__(id=id)
        self.list = RunRows(id="runs-list")
        self.checkpoints = CheckpointRows(id="runs-checkpoints")
        self.details = FactsPane("run", "f", id="runs-details")
        self.beside = Container(self.checkpoints, self.details, id="runs-beside")
        self.compare = CompareView(ascii=ascii, id="runs-compare")
        self.ask_line = AskLine(id="runs-ask")
        self._reader = ShelfReader(runs_dir, self.post_message)
        self._runs: list[ShelfRun] = []
        self._total: int | None = None
        self._fault = ""
        self._listed = False
        self._words = ""
        self._watched: Watched | None = None
        self._drawn: tuple[object, ...] = ()
        self._keep: Callable[[str], object] = lambda text: None

    def compose(self) -> ComposeResult:
        with Container(id="runs-shelf"):
            yield self.list
            yield self.beside
        yield self.compare
        yield self.ask_line

    def on_mount(self) -> None:
        self.list.set_placeholder(Content.styled("reading the shelf …", "$text-muted"))
        self.set_interval(READ_EVERY, self._read_again)

    def on_unmount(self) -> None:
        self._reader.stop()

    def on_resize(self, event: events.Resize) -> None:
        self.set_class(event.size.width < SLIM, "-slim")
        self.set_class(event.size.height < LOW, "-low")
        self.apply_split()

    # For the app -----------------------------------------------------------------------------------------------------

    def arrive(self) -> None:
        self._reader.read()
        super().arrive()

    def leave(self) -> bool:
        """Out of a field, a maximised pane, the crosshair, the comparison, the filter: one after the other."""
        if self.ask_line.asked:
            filtering = self.ask_line.asked == "filter"
            self.ask_line.put_away()
            if filtering:
                self._look_for("")
            return True
        if super().leave() or (self.comparing and self.compare.leave()):
            return True
        if self.comparing:
            self._end_comparing()
            return True
        if self._words:
            self._look_for("")
            return True
        return False

    def follow(self, watched: Watched | None) -> None:
        """Draw the run at work here as it is now, without waiting for the disk."""
        self._watched = watched
        path = _own_path(watched)
        if path is None or watched is None:
            return
        drawn = (path, watched.history.revision, watched.state)
        if drawn == self._drawn:
            return
        self._drawn = drawn
        place = next((place for place, run in enumerate(self._runs) if run.path == path), None)
        if place is None:
            self._reader.read(now=False)
        else:
            self._runs[place] = self._as_watched(self._runs[place])
            self.list.replace(self._runs[place])

    @property
    def panes(self) -> list[Widget]:
        return self.compare.panes if self.comparing else [self.list, self.checkpoints, self.details]

    def subject(self) -> str:
        if self.comparing:
            return f"{len(self.compare.runs)} runs compared"
        return "the shelf" if not self._listed else _several(len(self._runs), "run")

    def useful(self, action: Action) -> bool:
        if action.where != "runs":
            return True
        if self.comparing:
            return False
        if action.id == "pin":
            return self.checkpoints.current is not None
        if action.id == "resume":
            return not self._space_is_the_programs
        return action.id not in NEEDS_RUN or self.list.current is not None

    def label(self, action: Action) -> str:
        at_checkpoint = self.checkpoints.has_focus
        if action.where != "runs":
            return action.label
        if action.id == "open" and at_checkpoint:
            return "speak"
        kept = self.checkpoints.current
        if action.id == "pin" and kept is not None and kept.pinned:
            return "unpin"
        if action.id in ("resume", "fork") and at_checkpoint and kept is not None:
            return f"{action.label} at {kept.info.step}"
        if action.id == "delete" and (chosen := len(self._chosen())) > 1:
            return f"delete {chosen}"
        return action.label

    def halves(self) -> Halves | None:
        if self.comparing:
            if self.screen.has_class("-one"):
                return Halves(self.compare.upper, self.compare.samples, across=False)
            return Halves(self.compare.chart, self.compare.differences, across=True)
        if self.screen.has_class("-one"):
            return Halves(self.list, self.beside, across=False)
        return Halves(self.list, self.beside, across=True)

    def _split_boxes(self) -> tuple[Widget, ...]:
        compare = self.compare
        return self.list, self.beside, compare.upper, compare.samples, compare.chart, compare.differences

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """What is done with a run belongs to the shelf, not to the comparison, where no run is under a cursor."""
        others = {"resume"} if self._space_is_the_programs else set()
        mine = {known.id for known in keys.of("runs")} if self.comparing else others
        return action not in mine and super().check_action(action, parameters)

    @property
    def _space_is_the_programs(self) -> bool:
        """Whether the key that resumes a run has none to resume: it begins the first, or pauses the one at work."""
        return self._empty or self._at_work_here(self.list.current)

    def _at_work_here(self, run: ShelfRun | None) -> bool:
        return run is not None and run.live and run.path == _own_path(self._watched)

    # The shelf ------------------------------------------------------------------------------------------------------

    @property
    def comparing(self) -> bool:
        return self.has_class("-comparing")

    @property
    def _empty(self) -> bool:
        """Whether there is nothing on the shelf, not even what cannot be read."""
        return self._listed and not self._runs and not self._fault

    def _read_again(self) -> None:
        if self.screen.is_current and panes.has_place(self) and not self.comparing:
            self._reader.read(now=False)
            if self.list.current is not None and self.list.current.live:
                self._reader.look(self.list.current.path)

    @on(Listed)
    def _show_listed(self, message: Listed) -> None:
        self._runs = [self._as_watched(run) for run in message.runs]
        self._total, self._fault, self._listed = message.total, message.fault, True
        if message.total is None:
            self.list.marked &= {run.path for run in self._runs}
        self._show_runs()

    def _as_watched(self, run: ShelfRun) -> ShelfRun:
        watched = self._watched
        if run.fault or watched is None or _own_path(watched) != run.path or watched.history.started is None:
            return run
        return with_history(run, watched.history, watched.state)

    def _show_runs(self) -> None:
        words = self._words.lower().split()
        found = [run for run in self._runs if all(word in _searched(run) for word in words)]
        self.list.set_placeholder(self._nothing())
        self.list.show(found)
        self._show_title()
        self._show_details()

    def _show_title(self) -> None:
        title = f"runs · “{one_line(self._words)}”" if self._words else "runs"
        notes = [f"reading {len(self._runs)} of {self._total}"] if self._total else []
        notes += [f"{len(self.list.marked)} marked"] if self.list.marked else []
        notes += [f"{self.list.cursor + 1}/{self.list.count}"] if self.list.count else []
        self.list.set_title(title, " · ".join(notes))

    def _nothing(self) -> Content:
        """Why there are no rows, and what to do about it."""
        if self._fault:
            return Content.styled(visible(self._fault), "$text-error")
        if not self._listed:
            return Content.styled("reading the shelf …", "$text-muted")
        if self._words:
            return Content.styled(f"No run has “{one_line(self._words)}”; esc shows all.", "$text-muted")
        return Content.assemble(
            "There are no runs yet. ", ("space", "bold"),
            f" trains the first one; it is kept here, in {visible(str(self._reader.runs_dir))}.",
        )  # fmt: skip

    @on(Rows.Moved)
    def _moved(self, message: Rows.Moved) -> None:
        message.stop()
        if message.rows is self.list:
            self._show_title()
            self._show_details()
        elif message.rows is self.checkpoints:
            self._note_checkpoints()

    @on(Rows.Chosen)
    def _clicked_twice(self, message: Rows.Chosen) -> None:
        message.stop()
        self.action_open()

    def _show_details(self) -> None:
        """What stands beside the list, of the run under the cursor."""
        run = self.list.current
        if run is None or run.fault:
            self.checkpoints.show(None, ())
            self.checkpoints.set_placeholder(Content(""))
            self._note_checkpoints()
            self.details.show(_facts(run) if run else [])
            return
        if run.path != self.checkpoints.path:
            self.details.scroll_home(animate=False)
            self.checkpoints.show(run.path, ())
            self.checkpoints.set_placeholder(Content.styled("looking …", "$text-muted"))
        self._reader.look(run.path)
        self.details.show(_facts(run))

    @on(Looked)
    def _show_looked(self, message: Looked) -> None:
        if self.list.current is None or message.path != self.list.current.path:
            return
        said = visible(message.fault) or "no checkpoint yet"
        self.checkpoints.set_placeholder(Content.styled(said, "$text-muted"))
        self.checkpoints.show(message.path, message.checkpoints)
        self._note_checkpoints()

    def _note_checkpoints(self) -> None:
        kept = self.checkpoints.checkpoints
        total = figures.size(sum(checkpoint.info.bytes for checkpoint in kept))
        self.checkpoints.set_title("checkpoints", f"{len(kept)} · {total}" if kept else "")

    @on(Told)
    def _tell(self, message: Told) -> None:
        self.notify(message.text, severity="error" if message.failed else "information", markup=False)

    # Keys: one run --------------------------------------------------------------------------------------------------

    def _run(self) -> ShelfRun | None:
        """The run under the cursor, if something can be done with it; why not is said."""
        run = self.list.current
        if run is None:
            self.notify("There is no run under the cursor.", markup=False)
        elif run.fault:
            self.notify(f"{run.name}: {one_line(run.fault)}", severity="error", markup=False)
            return None
        return run

    def _checkpoint(self) -> Kept | None:
        """The chosen checkpoint, where the focus is among the checkpoints."""
        return self.checkpoints.current if self.checkpoints.has_focus else None

    def action_open(self) -> None:
        if (run := self._run()) is None:
            return
        kept = self._checkpoint()
        self.post_message(wishes.Speak(run.path, kept.info.step) if kept else wishes.OpenRun(run.path))

    def action_resume(self) -> None:
        if (run := self._run()) is None:
            return
        if run.live:
            self._reader.say_holder(run)
        else:
            self.post_message(wishes.ResumeRun(run.path, self._step()))

    def action_fork(self) -> None:
        if (run := self._run()) is not None:
            self.post_message(wishes.ForkRun(run.path, self._step()))

    def _step(self) -> int | None:
        kept = self._checkpoint()
        return kept.info.step if kept else None

    def action_pin(self) -> None:
        if (run := self._run()) is None:
            return
        kept = self.checkpoints.current
        if kept is None:
            self.notify(f"{run.called} has no checkpoint to pin.", markup=False)
        else:
            self._reader.turn_pin(run, kept.info.name)

    def action_mark(self) -> None:
        if self._run() is not None:
            self.list.turn_mark()
            self._show_title()

    # Keys: words ----------------------------------------------------------------------------------------------------

    def action_retitle(self) -> None:
        if (run := self._run()) is not None:
            self._ask("title", run.title, run.name, lambda text: self._reader.change_notes(run, title=text.strip()))

    def action_note(self) -> None:
        if (run := self._run()) is None:
            return

        def keep(text: str) -> None:
            self._reader.change_notes(run, note=text.strip().replace(LINE_END, "\n"))

        self._ask("note", run.note.replace("\n", LINE_END), "what there is to know about this run", keep)

    def action_filter(self) -> None:
        hint = "letters of a name, a title, a state or a dataset"
        self._ask("filter", self._words, hint, self._look_for)

    def _ask(self, what: str, text: str, hint: str, keep: Callable[[str], object]) -> None:
        self._keep = keep
        back = self.checkpoints if self.checkpoints.has_focus and what != "filter" else self.list
        self.ask_line.ask(what, text, hint, back)

    @on(AskLine.Answered)
    def _answered(self, message: AskLine.Answered) -> None:
        message.stop()
        self._keep(message.text)

    @on(AskLine.Typed)
    def _typed(self, message: AskLine.Typed) -> None:
        message.stop()
        if message.asked == "filter" and not isinstance(message, AskLine.Answered):
            self._look_for(message.text)

    def _look_for(self, words: str) -> None:
        self._words = words
        self._show_runs()

    # Keys: deleting -------------------------------------------------------------------------------------------------

    def _chosen(self) -> list[ShelfRun]:
        """The marked runs, where the one under the cursor is among them; otherwise that one."""
        run = self.list.current
        if run is None:
            return []
        return self._marked() if run.path in self.list.marked else [run]

    def _marked(self) -> list[ShelfRun]:
        return [run for run in self._runs if run.path in self.list.marked]

    def action_delete(self) -> None:
        if self._run() is not None:
            self._reader.weigh(self._chosen())

    @on(Weighed)
    def _ask_once(self, message: Weighed) -> None:
        runs = message.runs

        def decided(deleted: bool | None) -> None:
            if deleted:
                self._reader.remove(runs)
            else:
                self.notify("Nothing is deleted.", markup=False, timeout=3)

        self.app.push_screen(Question(f"delete {_several(len(runs), 'run')}?", _question(message), "deletes"), decided)

    # Keys: comparing ------------------------------------------------------------------------------------------------

    def action_overlay(self) -> None:
        if (run := self._run()) is None:
            return
        marked = self._marked()
        if len(marked) < 2 and run not in marked:
            marked = [other for other in self._runs if other in marked or other is run]
        marked = [other for other in marked if not other.fault]
        if len(marked) < 2:
            self.notify("m marks a run; with two or more, o lays them over each other.", markup=False)
            return
        if len(marked) > MOST:
            self.notify(f"The first {MOST} of {len(marked)} marked runs are drawn.", markup=False)
        panes.maximise(self, None)
        self.add_class("-comparing")
        self.compare.lay(marked)
        self.apply_split()
        self.compare.chart.focus()

    def _end_comparing(self) -> None:
        self.compare.close()
        self.remove_class("-comparing")
        self.apply_split()
        self.screen.set_focus(self.list)
        self._reader.read()


def _own_path(watched: Watched | None) -> Path | None:
    """The directory of the run that this process works on."""
    return watched.path if isinstance(watched, Own) and not watched.state.ended else None


def _searched(run: ShelfRun) -> str:
    return " ".join([run.name, run.fault] if run.fault else [run.name, run.title, run.state.word, run.dataset]).lower()


def _several(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def _facts(run: ShelfRun) -> Facts:
    """What a run is: what a person said of it first, then what it was told to do, then where it lies."""
    if run.fault:
        return [("name", one_line(run.name)), ("why not", visible(run.fault)), ("path", one_line(str(run.path)))]
    said: Facts = [("title", one_line(run.title))] if run.title else []
    said += (
        [("note" if not at else "", line) for at, line in enumerate(visible(run.note).split("\n"))] if run.note else []
    )
    parent = run.started.parent if run.started else None
    forked: Facts = [("forked from", f"{one_line(parent.run)} at step {parent.step}")] if parent else []
    known: Facts = essentials(run.config, None, run.started) if run.config else []
    edits: Facts = [("" if at else "edited", f"at step {e.step}: {e.text}") for at, e in enumerate(run.edits)]
    path: Facts = [("path", one_line(str(run.path)))]
    return [*said, ("name", one_line(run.name)), ("begun", local_time(run.created)), *forked, *known, *edits, *path]


def _question(message: Weighed) -> Content:
    names = [Content.styled(visible(run.called), "bold") for run in message.runs[:8]]
    more = len(message.runs) - len(names)
    lines = [*names, *([Content(f"and {more} more")] if more else [])]
    them = "It" if len(message.runs) == 1 else "They"
    said = f"{figures.size(message.bytes)} with every checkpoint. {them} cannot be brought back."
    return Content("\n").join([*lines, Content(""), Content(said)])
