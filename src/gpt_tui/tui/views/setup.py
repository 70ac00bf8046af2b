"""View 2: the form that explains itself. One row a field, generated from the fields' own definition alone.

**What the form means.** It always holds one complete configuration: that of the next run.

* Before a run, and after one has ended, every change is simply a change of the form.
* While a run is on, the form shows that run. A **live** field that is changed is asked of the run at once (`Edited`);
  it reads `applying` until the run says that it has changed. Everything else that is changed is set apart, reads
  `next run` beside what the run has, and waits for N, which starts a new run from the form.

The values, and what may be done with them, live in `tui.form`; this file draws them and takes the keys.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container
from textual.content import Content
from textual.geometry import Region, Spacing
from textual.message import Message
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Input

from gpt_tui.core.config import FIELDS, SECTIONS, DatasetFacts, FieldSpec, Resolved, RunConfig
from gpt_tui.core.cost import Pace, assumed_vocabulary
from gpt_tui.core.errors import Fault, Refusal
from gpt_tui.core.presets import PRESETS, find_preset
from gpt_tui.tui import figures, keys, panes
from gpt_tui.tui.dataset_note import NO_STANDARD_INPUT, STANDARD_INPUT, DatasetNote, LookUps
from gpt_tui.tui.form import Form
from gpt_tui.tui.plain import one_line
from gpt_tui.tui.shelf_pace import PaceLookUp
from gpt_tui.tui.views.dataset_screen import DatasetScreen
from gpt_tui.tui.watched import pace_of
from gpt_tui.tui.widgets.beside import CHOICES, Beside, Chosen, Told
from gpt_tui.tui.widgets.field_help import no_effect
from gpt_tui.tui.widgets.field_row import LINE_END, Columns, FieldRow, RowText
from gpt_tui.tui.widgets.form_parts import FilterInput, FormPane, SectionTitle

if TYPE_CHECKING:
    from gpt_tui.core.runs import History
    from gpt_tui.core.session import Snapshot

PRESET = "preset"  # the row above the fields
ON = ("PREPARING", "TRAINING", "PAUSED")
NEAR = 0.1  # a pace this near to the one that is shown is not worth showing again
REST = 0.5  # seconds without a further press after which a stepped value is asked of the run
SLIM, TWO, THREE = 78, 100, 150  # columns from which the help needs less room, and the view has two, three
TALL = 36  # lines from which two columns have room for what is set as well


@dataclass(frozen=True)
class _Seen:
    """What `show_run` was told last, as far as the form cares."""

    history: History | None = None
    config: RunConfig | None = None
    run_name: str = ""
    errors: int = 0
    pace: Pace | None = None


class SetupView(Widget):
    """The form. `config` is what a new run would be, `faults` what stands in its way, `show_run` keeps it beside a run.

    resolved:  the configuration to begin with, and where each value came from
    preset:    the preset it was built on; None is the default one
    cache_dir: where datasets are kept; None is the user's cache
    runs_dir:  where runs are kept that say how fast this machine is; None: time is estimated until a run is seen
    chosen:    what stands beside the form; an unknown word counts as the explanation
    ascii:     whether drawings keep to ASCII
    """

    BINDINGS: ClassVar[list[BindingType]] = keys.bindings("setup")
    KEYS: ClassVar[tuple[str, ...]] = ("setup",)

    class Edited(Message):
        """A live field is to be changed in the run that is on."""

        def __init__(self, name: str, value: Any) -> None:
            super().__init__()
            self.name = name
            self.value = value

    class Changed(Message):
        """The form has changed: `config`, `faults` or `preset` may be others."""

    class Known(Message):
        def __init__(self, note: DatasetNote) -> None:
            super().__init__()
            self.note = note

    class Paced(Message):
        """What the shelf says of this machine's pace."""

        def __init__(self, pace: Pace | None) -> None:
            super().__init__()
            self.pace = pace

    def __init__(
        self,
        resolved: Resolved,
        preset: str | None = None,
        *,
        cache_dir: Path | None = None,
        runs_dir: Path | None = None,
        chosen: str = CHOICES[0],
        ascii: bool = False,
        id: str | None = None,
    ) -> None:
        super().__init__(id=id)
        self.form = Form(resolved, preset)
        self.cache_dir = cache_dir
        self.pace: Pace | None = None
        self.chosen: Chosen = next((known for known in CHOICES if known == chosen), CHOICES[0])
        self.pane = FormPane(id="form")
        self.beside = Beside(self.form, ascii=ascii, id="beside")
        self.filter_input = FilterInput(placeholder="letters of a field's name", compact=True, id="filter")
        self.filter_input.can_focus = False
        self._rows = {name: FieldRow(name, _columns(name)) for name in _order()}
        self._at = PRESET
        self._note = DatasetNote("", "", "")
        self._look_ups = LookUps(lambda note: self.post_message(self.Known(note)), cache_dir)
        self._paces = PaceLookUp(runs_dir, lambda pace: self.post_message(self.Paced(pace))) if runs_dir else None
        self._refused: dict[str, str] = {}  # what the run would not take, by field
        self._resting: dict[str, Timer] = {}
        self._sent: dict[str, Any] = {}
        self._seen = _Seen()

    # For the app -----------------------------------------------------------------------------------------------------

    @property
    def config(self) -> RunConfig | None:
        """What N and space start; None while there are faults."""
        return None if self._dataset_fault() else self.form.config

    @property
    def preset(self) -> str:
        return self.form.preset

    @property
    def faults(self) -> list[Fault]:
        fault = self._dataset_fault()
        return [*self.form.faults, Fault("dataset", self.form.values["dataset"], fault)] if fault else self.form.faults

    @property
    def facts(self) -> DatasetFacts | None:
        """What is known of the chosen dataset."""
        return self.form.facts

    def command_line(self) -> str:
        return self.form.command_line()

    def show_run(self, history: History, snapshot: Snapshot | None) -> None:
        """Stand beside a run. Without a snapshot, or with that of a run that has ended, the form is free."""
        on = snapshot is not None and snapshot.state in ON
        config = (history.config or (snapshot.config if snapshot else None)) if on else None
        pace = self._measure(history, snapshot)
        errors = [notice for notice in history.notices if notice.level == "error"]
        seen = _Seen(history, config, snapshot.run_name if snapshot else "", len(errors), pace)
        if seen == self._seen:
            return
        before, self._seen = self._seen, seen
        self.pace = pace
        self.form.follow(config)
        if config is not None:
            self._sent = {name: value for name, value in self._sent.items() if config.get(name) != value}
        if self._sent and before.history is history and len(errors) > before.errors:
            for name in self.form.give_up():
                self._refused[name] = one_line(errors[-1].text)
            self._sent.clear()
        if config is None:
            self._refused.clear()
        self._look_up_anew()
        self._draw()

    def reveal_fault(self) -> bool:
        """Put the cursor on the first field that is wrong; whether there is one."""
        faulty = self._faulty()
        if faulty:
            self._clear_filter()
            self._go(faulty[0])
        return bool(faulty)

    def arrive(self) -> None:
        """Take the focus, and look up anew what may have changed meanwhile.

        For whoever brings the view on the screen. Textual's Show would not do: after a scroll it is not sent where the
        place of any widget is asked for between the switch of views and the next layout.
        """
        self.pane.focus()
        self._look_up()
        self._look_up_pace()

    def leave(self) -> bool:
        """What esc does: go back to the form from what stands beside it. False where there is nothing to leave."""
        if not self.beside.has_focus_within:
            return False
        self.pane.focus()
        return True

    def go_to_field(self, name: str) -> None:
        """Put the cursor on a field."""
        self._clear_filter()
        self._go(name)

    # Life ------------------------------------------------------------------------------------------------------------

    def compose(self) -> ComposeResult:
        with Container(id="columns"):
            with self.pane:
                yield self._rows[PRESET]
                for name in _head():
                    yield self._rows[name]
                for section in SECTIONS:
                    if section != "data":
                        yield SectionTitle(section)
                        for spec in FIELDS.values():
                            if spec.section == section:
                                yield self._rows[spec.name]
            yield self.beside
        yield self.filter_input

    def on_mount(self) -> None:
        self._rows[self._at].current = True
        self._show_chosen()
        self._draw()

    def on_unmount(self) -> None:
        self._look_ups.stop()
        if self._paces:
            self._paces.stop()

    def on_resize(self, event: events.Resize) -> None:
        width = event.size.width
        self.set_class(width < TWO, "-one")
        self.set_class(width < SLIM, "-slim")
        self.set_class(event.size.height < TALL, "-short")
        self.set_class(TWO <= width < THREE, "-two")
        self.set_class(width >= THREE, "-three")
        self.call_after_refresh(self._settle)

    # The dataset -----------------------------------------------------------------------------------------------------

    def _look_up(self) -> None:
        values = self.form.values
        name, tokenizer = values["dataset"], values["tokenizer"]
        if (name, tokenizer) != (self._note.name, self._note.tokenizer):
            self._note = DatasetNote(name, tokenizer, "")
            self.form.know(None)
        self._look_ups.ask(name, tokenizer)

    def _look_up_anew(self) -> None:
        """Where another dataset or tokenizer has been chosen."""
        if (self.form.values["dataset"], self.form.values["tokenizer"]) != (self._note.name, self._note.tokenizer):
            self._look_up()

    def on_setup_view_known(self, message: Known) -> None:
        note = message.note
        values = self.form.values
        if (note.name, note.tokenizer) == (values["dataset"], values["tokenizer"]):
            self._note = note
            self.form.know(note.facts)
            self._changed(look_up=False)

    # How fast this machine is ----------------------------------------------------------------------------------------

    def _look_up_pace(self) -> None:
        """Ask the shelf for a run that is like the form's; while a run is on, that one is the best witness."""
        if self._paces and self._seen.config is None:
            known = self.form.facts
            assumed = assumed_vocabulary(self.form.values["tokenizer"])
            self._paces.ask(self.form.draft, known.vocab_size if known else assumed)

    def on_setup_view_paced(self, message: Paced) -> None:
        if self._seen.config is None and message.pace != self.pace:
            self.pace = message.pace
            self._draw()

    def _measure(self, history: History, snapshot: Snapshot | None) -> Pace | None:
        """The pace of the run that is on; the one known before where it is near that."""
        found, known = pace_of(history, snapshot) if snapshot else None, self.pace
        if found is None or (known and known.run == found.run and abs(found.ratio / known.ratio - 1) < NEAR):
            return known
        return found

    def _dataset_fault(self) -> str:
        return self._note.fault if self._note.name == self.form.values["dataset"] else ""

    # Drawing ---------------------------------------------------------------------------------------------------------

    def _changed(self, look_up: bool = True) -> None:
        if look_up:
            self._look_up_anew()
        values = self.form.values
        self._refused = {name: why for name, why in self._refused.items() if self.form.refusal(name, values[name])}
        self._draw()
        self.post_message(self.Changed())

    def _draw(self) -> None:
        if not self.is_mounted:
            return
        faults = {fault.field: fault.message for fault in self.faults}
        changed, apart, idle = self.form.changed(), self.form.apart(), self.form.idle()
        untold = not panes.has_place(self.beside.help_pane)
        for name, row in self._rows.items():
            below = untold and name == self._at
            if name == PRESET:
                summary = find_preset(self.form.preset).summary
                row.show(RowText(self.form.preset, note=summary, below=below, left=True))
            else:
                text = self._row_text(FIELDS[name], faults.get(name, ""), changed, apart)
                if name in idle and not text.fault:
                    text = replace(text, note=no_effect(idle[name]), brief="no effect", word="", idle=True)
                row.show(replace(text, below=below and len(text.note) > len(text.brief) > 0))
        self.pane.copied = self.form.command_line()
        self._draw_titles(len(changed), len(apart))
        self._draw_beside(faults)

    def _row_text(
        self, spec: FieldSpec, fault: str, changed: dict[str, tuple[Any, Any]], apart: dict[str, tuple[Any, Any]]
    ) -> RowText:
        name, running = spec.name, self.form.run is not None
        word, style = ("live" if spec.live else "new run"), "$foreground-muted"
        was = ""
        if name in self.form.asked:
            word, style = "applying", "$text-warning"
        elif name in apart:
            word, style = "next run", "bold $text-warning"
            was = f"run has {spec.show(apart[name][0])}"
        elif name in changed and not running:
            was = f"was {spec.show(changed[name][0])}"
        elif not spec.live and not running and name != self._at:
            word = ""
        value = spec.show(self.form.values[name])
        return RowText(
            value=_file_name(value) if name == "dataset" else value,
            note=self._note.note if name == "dataset" else spec.unit,
            brief=self._brief_note() if name == "dataset" else "",
            was=was,
            word=word,
            word_style=style,
            fault=fault or self._refused.get(name, ""),
            steps=spec.kind != "text" or name == "dataset",
            left=spec.kind == "text" or spec.section == "data",
        )

    def _brief_note(self) -> str:
        facts = self.form.facts
        return f"{figures.count(facts.characters)} characters" if facts else ""

    def _draw_titles(self, changed: int, apart: int) -> None:
        title = f"setup · {self.form.preset}"
        if self.form.run is not None:
            title = f"setup · beside {one_line(self._seen.run_name) or 'a run'}"
        elif changed:
            title = f"setup · {self.form.preset} · {changed} changed"
        note = ""
        if self._rows[self._at].editor is not None:
            note = "enter applies · esc leaves it as it was"
        elif self.filter_words:
            shown = len(self._shown_rows())
            note = f"“{one_line(self.filter_words)}”: {shown} of {len(self._rows)} · esc shows all"
        elif self.faults:
            note = f"{len(self.faults)} wrong · x goes there"
        elif apart:
            note = f"{_fields(apart)} for the next run · N starts it"
        self.pane.border_title = Content(title)
        self.pane.border_subtitle = Content(note)

    def _draw_beside(self, faults: dict[str, str]) -> None:
        self.beside.show(
            Told(
                at=self._at,
                faults=self.faults,
                pace=self.pace,
                dataset_note=self._note.note,
                fault=faults.get(self._at, "") or self._refused.get(self._at, "") or self.form.fault_beside(self._at),
                brief=self.has_class("-one"),
            )
        )

    # What stands beside the form -------------------------------------------------------------------------------------

    def choices(self) -> tuple[Chosen, ...]:
        """What can be chosen in this layout; three columns have room for the architecture beside the explanation."""
        return CHOICES[:2] if self.has_class("-three") else CHOICES

    @property
    def next_choice(self) -> Chosen:
        choices = self.choices()
        return choices[(choices.index(self.chosen) + 1) % len(choices)] if self.chosen in choices else choices[1]

    def action_cycle_beside(self) -> None:
        self.choose_beside(self.next_choice)

    def choose_beside(self, chosen: Chosen) -> None:
        """Put this beside the form."""
        panes.maximise(self, None)
        if self.beside.has_focus_within:
            self.pane.focus()
        self.chosen = chosen
        self._show_chosen()
        self._draw()
        self.post_message(self.Changed())

    def _show_chosen(self) -> None:
        for choice in CHOICES:
            self.set_class(choice == self.chosen, f"-{choice}")
        self.call_after_refresh(self._settle)

    def _settle(self) -> None:
        """Once the layout is another: rows say more or less, by what stands beside them."""
        self._draw()
        self.call_after_refresh(self._reveal)

    def go_to(self, pane: Widget) -> None:
        """Focus a pane, and choose what it belongs to where that is not in sight."""
        beside = self.beside
        wanted: dict[Widget, Chosen] = {
            beside.help_pane: "explanation",
            beside.cost_pane: "explanation",
            beside.shapes_pane: "shapes",
            beside.drawing_pane: "architecture",
        }
        panes.maximise(self, None)
        if pane in wanted and not panes.has_place(pane):
            self.choose_beside(wanted[pane])
            self.call_after_refresh(pane.focus)
        else:
            panes.go_to(self, pane)

    # Moving ----------------------------------------------------------------------------------------------------------

    def _shown_rows(self) -> list[str]:
        return [name for name, row in self._rows.items() if row.display]

    def _go(self, name: str) -> None:
        self._close_editor()
        self._rows[self._at].current = False
        self._at = name
        self._rows[name].current = True
        self._draw()
        self.call_after_refresh(self._reveal)

    def _reveal(self) -> None:
        """Scroll the cursor's row into sight, with a line above and below it."""
        if not self.pane.size:
            return
        region = self._rows[self._at].virtual_region
        around = Region(0, max(0, region.y - 1), region.width, region.height + 2)
        self.pane.scroll_to_region(around, animate=False, spacing=Spacing(), force=True)

    def action_cursor(self, by: int) -> None:
        shown = self._shown_rows()
        if shown:
            at = shown.index(self._at) + by if self._at in shown else 0
            self._go(shown[min(max(at, 0), len(shown) - 1)])

    def action_cursor_section(self, by: int) -> None:
        shown = self._shown_rows()
        starts = [n for at, n in enumerate(shown) if at == 0 or _section(n) != _section(shown[at - 1])]
        if self._at not in shown:
            return
        here = shown.index(self._at)
        if by > 0:
            self._go(next((n for n in starts if shown.index(n) > here), shown[-1]))
        else:
            self._go(next((n for n in reversed(starts) if shown.index(n) < here), shown[0]))

    def action_cursor_first(self) -> None:
        self.action_cursor(-len(self._rows))

    def action_cursor_last(self) -> None:
        self.action_cursor(len(self._rows))

    def _faulty(self) -> list[str]:
        wrong = {fault.field for fault in self.faults} | set(self._refused)
        return [name for name in self._rows if name in wrong]

    def action_next_fault(self) -> None:
        names = list(self._rows)
        faulty = self._faulty()
        after = [name for name in faulty if names.index(name) > names.index(self._at)]
        if faulty:
            self._go((after or faulty)[0])

    # Changing --------------------------------------------------------------------------------------------------------

    def action_step_value(self, direction: int) -> None:
        if not self._rows[self._at].display:
            return
        if self._at == PRESET:
            self._choose_preset(self.form.stepped_preset(direction))
            return
        self._set(self._at, self.form.stepped(self._at, direction), REST)

    def _choose_preset(self, name: str) -> None:
        self.form.choose_preset(name)
        self._changed()
        self._look_up_pace()
        self.call_after_refresh(self._reveal)

    def _set(self, name: str, value: Any, rest: float = 0.0) -> None:
        if refused := self.form.set(name, value):
            self._refused[name] = refused
        else:
            self._refused.pop(name, None)
            self._ask(name, rest)
        self._changed()
        self.call_after_refresh(self._reveal)  # what is wrong with it takes lines of its own

    def _ask(self, name: str, rest: float = 0.0) -> None:
        """Ask the run for the field's value once the person rests, so that ten presses are one edit."""
        if name in self._resting:
            self._resting.pop(name).stop()
        if name not in self.form.asked:
            return
        if rest:
            self._resting[name] = self.set_timer(rest, lambda: self._ask(name))
            return
        value = self.form.asked[name]
        if self.form.run is not None and value == self.form.run.get(name) and name not in self._sent:
            self.form.withdraw(name)
            self._draw()
            return
        self._sent[name] = value
        self.post_message(self.Edited(name, value))

    def action_undo(self) -> None:
        asked = self.form.undo()
        if asked is None:
            self.notify("nothing to undo", markup=False)
            return
        for name in asked:
            self._ask(name)
        self._changed()

    def action_edit(self) -> None:
        if not self._rows[self._at].display:
            return
        if self._at == PRESET:
            self._rows[PRESET].edit(self.form.preset, PRESETS, closed=True)
            self._draw()
            return
        spec = FIELDS[self._at]
        if spec.kind == "bool":
            self.action_step_value(1)
            return
        choices: Sequence[str] = spec.choices
        if spec.name == "dataset":
            from gpt_tui.core.data.sources import DATASET_NAMES

            choices = DATASET_NAMES
        self._rows[spec.name].edit(spec.show(self.form.values[spec.name]), choices, closed=spec.kind == "choice")
        self._draw()

    def on_field_row_submitted(self, message: FieldRow.Submitted) -> None:
        message.stop()
        name = message.row.field
        try:
            if name == PRESET:
                chosen = find_preset(message.text.strip().lower()).name
            else:
                value = self.form.read(name, message.text)
        except Refusal as refused:
            message.row.refuse("; ".join(fault.message for fault in refused.faults))
            return
        self._close_editor()
        if name == PRESET:
            self._choose_preset(chosen)
        else:
            self._set(name, value)

    def on_field_row_left(self, message: FieldRow.Left) -> None:
        message.stop()
        self._close_editor()

    def _close_editor(self) -> None:
        row = self._rows[self._at]
        if row.editor is not None:
            self.screen.set_focus(self.pane)  # at once: the next key is no longer the editor's
            row.close()
            self._draw()

    def on_field_row_pressed(self, message: FieldRow.Pressed) -> None:
        message.stop()
        was_here = message.row.field == self._at
        if not was_here:
            self._go(message.row.field)
        self.screen.set_focus(self.pane)
        if message.part in ("less", "more"):
            self.action_step_value(-1 if message.part == "less" else 1)
        elif message.twice or (was_here and message.part == "value"):
            self.action_edit()

    # Filter, copy, dataset -------------------------------------------------------------------------------------------

    @property
    def filter_words(self) -> str:
        return self.filter_input.value.strip()

    def action_filter(self) -> None:
        self._close_editor()
        self.add_class("-filtering")
        self.filter_input.can_focus = True
        self.filter_input.focus()

    def action_clear_filter(self) -> None:
        self._clear_filter()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "copy_command":  # beside the form, y copies what the pane shows
            return not self.beside.has_focus_within
        return bool(self.filter_words) if action == "clear_filter" else True

    def _clear_filter(self) -> None:
        self.filter_input.value = ""
        self._apply_filter("")
        self.remove_class("-filtering")

    def on_input_changed(self, event: Input.Changed) -> None:
        if event.input is self.filter_input:
            self._apply_filter(event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        if event.input is self.filter_input:
            self._apply_filter(event.value)
            self.set_class(bool(self.filter_words), "-filtering")
            self.screen.set_focus(self.pane)
            self.filter_input.can_focus = False

    def _apply_filter(self, typed: str) -> None:
        words = typed.lower().replace("-", "_").split()
        for name, row in self._rows.items():
            row.display = all(word in name for word in words)
        for title in self.query(SectionTitle):
            title.display = any(self._rows[name].display for name in self._rows if _section(name) == title.section)
        shown = self._shown_rows()
        if shown and self._at not in shown:
            self._go(shown[0])
        self._draw()
        self.call_after_refresh(self._reveal)

    def action_copy_command(self) -> None:
        command = self.command_line()
        self.app.copy_to_clipboard(command)
        self.notify(command.replace("\n", LINE_END), title="copied", markup=False)

    def action_show_dataset(self) -> None:
        values = self.form.values
        if values["dataset"] == STANDARD_INPUT:
            self.notify(NO_STANDARD_INPUT, severity="warning", markup=False)
            return
        self.app.push_screen(
            DatasetScreen(values["dataset"], values["tokenizer"], self.cache_dir), lambda _: self._look_up()
        )


def _file_name(dataset: str) -> str:
    """The end of a path says more than its beginning."""
    name = Path(dataset).name
    return f"…/{name}" if name and name != dataset else dataset


def _fields(apart: int) -> str:
    return "1 field" if apart == 1 else f"{apart} fields"


def _head() -> list[str]:
    """What is read stands at the top, under the preset."""
    return [name for name, spec in FIELDS.items() if spec.section == "data"]


def _order() -> list[str]:
    rest = [name for name, spec in FIELDS.items() if spec.section != "data"]
    return [PRESET, *_head(), *rest]


def _section(name: str) -> str:
    return "data" if name == PRESET else FIELDS[name].section


def _columns(name: str) -> Columns:
    """The head's rows say more of their values, so their names stand closer."""
    if _section(name) == "data":
        return Columns(9, 15)
    return Columns(27, 11)
