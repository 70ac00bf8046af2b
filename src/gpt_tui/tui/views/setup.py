"""View 2: the form that explains itself. One row a field, generated from the fields' own definition alone.

**What the form means.** It always holds one complete configuration: that of the next run.

* Before a run, and after one has ended, every change is simply a change of the form.
* While a run is on, the form shows that run. A **live** field that is changed is asked of the run at once (`Edited`);
  it reads `applying` until the run says that it has changed. Everything else that is changed is set apart, reads
  `next run` beside what the run has, and waits for N, which starts a new run from the form.

The values, and what may be done with them, live in `tui.form`; this file draws them and takes the keys.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input

from gpt_tui.core.config import FIELDS, DatasetFacts, Resolved, RunConfig, find_faults
from gpt_tui.core.cost import Pace
from gpt_tui.core.dataset_names import DATASET_NAMES, STANDARD_INPUT
from gpt_tui.core.errors import Fault, Refusal
from gpt_tui.core.presets import Preset, PresetShelf
from gpt_tui.tui import form_file, keys, panes
from gpt_tui.tui.beside_run import REST, BesideRun
from gpt_tui.tui.conductor import Refused
from gpt_tui.tui.dataset_note import NO_STANDARD_INPUT, DatasetNote
from gpt_tui.tui.form import Form
from gpt_tui.tui.form_file import FormText
from gpt_tui.tui.keys import Action
from gpt_tui.tui.plain import LINE_END, one_line
from gpt_tui.tui.selection import selected
from gpt_tui.tui.surroundings import Surroundings
from gpt_tui.tui.view import Halves, View
from gpt_tui.tui.views.dataset_screen import DatasetScreen
from gpt_tui.tui.watched import Own, Watched
from gpt_tui.tui.widgets import row_text
from gpt_tui.tui.widgets.beside import CHOICES, Beside, Chosen, Told
from gpt_tui.tui.widgets.field_row import FieldRow
from gpt_tui.tui.widgets.form_pane import PRESET, FormPane
from gpt_tui.tui.widgets.form_parts import FilterInput
from gpt_tui.tui.widgets.preset_line import PresetLine
from gpt_tui.tui.wishes import EditText

if TYPE_CHECKING:
    from gpt_tui.core.runs import History
    from gpt_tui.core.session import Snapshot

SLIM, TWO, THREE = 78, 100, 150  # columns from which the help needs less room, and the view has two, three
LOW = 20  # lines from which the explanation has its room beside the rows' half
TALL = 36  # lines from which two columns have room for what is set as well


class SetupView(View):
    """The form. `config` is what a new run would be, `faults` what stands in its way, `show_run` keeps it beside a run.

    resolved:  the configuration to begin with, and where each value came from
    preset:    the name of the preset it was built on; None is the default one
    presets:   those that can be chosen; None is the built-in ones and the user's own
    cache_dir: where datasets are kept; None is the user's cache
    runs_dir:  where runs are kept that say how fast this machine is; None: time is estimated until a run is seen
    chosen:    what stands beside the form; an unknown word counts as the explanation
    ascii:     whether drawings keep to ASCII
    """

    TITLE = "Setup"
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
        presets: PresetShelf | None = None,
        cache_dir: Path | None = None,
        runs_dir: Path | None = None,
        chosen: str = CHOICES[0],
        ascii: bool = False,
        id: str | None = None,
    ) -> None:
        super().__init__(id=id)
        presets = presets or PresetShelf()
        found, self._lost = _find(presets, preset)
        self.form = Form(resolved, found, presets)
        self.cache_dir = cache_dir
        self.chosen: Chosen = next((known for known in CHOICES if known == chosen), CHOICES[0])
        self.pane = FormPane(id="form")
        self.beside = Beside(self.form, ascii=ascii, id="beside")
        self.filter_input = FilterInput(placeholder="letters of a field's name", compact=True, id="filter")
        self.filter_input.can_focus = False
        self.preset_line = PresetLine(self.form, id="naming")
        self._text = FormText(self.form)
        self._refused: Refused | None = None
        self._around = Surroundings(
            self.form,
            known=lambda note: self.post_message(self.Known(note)),
            paced=lambda pace: self.post_message(self.Paced(pace)),
            cache_dir=cache_dir,
            runs_dir=runs_dir,
        )
        self._run = BesideRun(
            self.form,
            ask=lambda name, value: self.post_message(self.Edited(name, value)),
            later=self.set_timer,
            draw=self._draw,
        )

    # For the app -----------------------------------------------------------------------------------------------------

    @property
    def config(self) -> RunConfig | None:
        """What N and space start; None while there are faults."""
        return None if self._around.dataset_fault else self.form.config

    @property
    def preset(self) -> str:
        return self.form.preset

    @property
    def faults(self) -> list[Fault]:
        fault = self._around.dataset_fault
        return [*self.form.faults, Fault("dataset", self.form.values["dataset"], fault)] if fault else self.form.faults

    @property
    def facts(self) -> DatasetFacts | None:
        """What is known of the chosen dataset."""
        return self.form.facts

    @property
    def pace(self) -> Pace | None:
        """What is known of how fast this machine is."""
        return self._around.pace

    def command_line(self) -> str:
        return self.form.command_line()

    def kept(self) -> dict[str, Any]:
        """The form as plain values, from which `last_form.restore` brings it back."""
        return self.form.kept()

    def subject(self) -> str:
        return self.TITLE

    def follow(self, watched: Watched | None) -> None:
        """Stand beside the run that this process works on; beside none the form is free."""
        if isinstance(watched, Own):
            self.show_run(watched.history, watched.snapshot)
        elif self._run.part():
            self._draw()

    def take_refusal(self, refused: Refused | None) -> None:
        """Say at its field why the form could not be started, as long as that field is as it was."""
        if refused is not self._refused:
            self._refused = refused
            self._draw()

    def useful(self, action: Action) -> bool:
        if action.id == "undo":
            return self.form.can_undo
        return self.pane.has_focus_within if action.id in ("copy_command", "edit_file") else True

    def label(self, action: Action) -> str:
        return self.next_choice if action.id == "cycle_beside" else action.label

    def take_dataset(self, path: str) -> None:
        """Choose a text, and show what a model would read of it."""
        self._set({"dataset": path})
        self.action_show_dataset()

    def show_run(self, history: History, snapshot: Snapshot | None) -> None:
        """Stand beside a run. Without a snapshot, or with that of a run that has ended, the form is free."""
        if self._run.see(history, snapshot, self._around.measure(history, snapshot)):
            self._around.look_up_anew()
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
        self._around.look_up()
        self._look_up_pace()

    def leave(self) -> bool:
        """What esc does: go back to the form from what stands beside it. False where there is nothing to leave."""
        if super().leave():
            return True
        if not self.beside.has_focus_within:
            return False
        self.pane.focus()
        return True

    def go_to_field(self, name: str) -> None:
        """Put the cursor on a field."""
        self._clear_filter()
        self._go(name)

    def set_field(self, name: str, value: Any) -> None:
        """Set a field to a sound value, as though that had been typed there."""
        self.go_to_field(name)
        self._set({name: value})

    # Life ------------------------------------------------------------------------------------------------------------

    def compose(self) -> ComposeResult:
        with Container(id="columns"):
            yield self.pane
            yield self.beside
        yield self.preset_line
        yield self.filter_input

    def on_mount(self) -> None:
        self._show_chosen()
        self._draw()
        if self._lost:
            self.notify(self._lost, severity="error", markup=False)

    def on_unmount(self) -> None:
        self._around.stop()

    def on_resize(self, event: events.Resize) -> None:
        width = event.size.width
        self.set_class(width < TWO, "-one")
        self.set_class(width < SLIM, "-slim")
        self.set_class(event.size.height < LOW, "-low")
        self.set_class(event.size.height < TALL, "-short")
        self.set_class(TWO <= width < THREE, "-two")
        self.set_class(width >= THREE, "-three")
        self.call_after_refresh(self._settle)

    # What is looked up -----------------------------------------------------------------------------------------------

    def on_setup_view_known(self, message: Known) -> None:
        if self._around.take_note(message.note):
            self._changed(look_up=False)

    def _look_up_pace(self) -> None:
        """While a run is on, that one is the best witness."""
        if not self._run.is_on:
            self._around.look_up_pace()

    def on_setup_view_paced(self, message: Paced) -> None:
        if not self._run.is_on and message.pace != self.pace:
            self._around.pace = message.pace
            self._draw()

    # Drawing ---------------------------------------------------------------------------------------------------------

    def _changed(self, look_up: bool = True) -> None:
        if look_up:
            self._around.look_up_anew()
        self._run.look_again()
        self._draw()
        self.post_message(self.Changed())

    def _draw(self) -> None:
        if not self.is_mounted:
            return
        faults = self._wrong()
        texts = row_text.of_fields(self.form, self.pane.at, self._around, faults)
        texts[PRESET] = row_text.of_preset(self.form)
        untold = not panes.has_place(self.beside.help_pane)
        for name, row in self.pane.rows.items():
            text = texts[name]
            below = untold and name == self.pane.at and (name == PRESET or len(text.note) > len(text.brief) > 0)
            row.show(replace(text, below=below))
        self.pane.copied = self.form.command_line()
        self._draw_titles()
        self._draw_beside(faults)

    def _draw_titles(self) -> None:
        changed, apart = len(self.form.changed()), len(self.form.apart())
        title = f"setup · {self.form.preset}"
        if self.form.run is not None:
            title = f"setup · beside {one_line(self._run.run_name) or 'a run'}"
        elif changed:
            title = f"setup · {self.form.preset} · {changed} changed"
        note = ""
        if self.pane.row.editor is not None:
            note = "enter applies · esc leaves it as it was"
        elif self.filter_words:
            shown = len(self.pane.shown)
            note = f"“{one_line(self.filter_words)}”: {shown} of {len(self.pane.rows)} · esc shows all"
        elif faulty := self._faulty():
            note = f"{len(faulty)} wrong · x goes there"
        elif apart:
            note = f"{_fields(apart)} for the next run · N starts it"
        self.pane.border_title = Content(title)
        self.pane.border_subtitle = Content(note)

    def _draw_beside(self, faults: Mapping[str, str]) -> None:
        at = self.pane.at
        self.beside.show(
            Told(
                at=at,
                faults=self.faults,
                pace=self.pace,
                dataset_note=self._around.note.note,
                fault=faults.get(at, "") or self.form.fault_beside(at),
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
        self.apply_split()
        self._draw()
        self.call_after_refresh(self.pane.reveal)

    def halves(self) -> Halves | None:
        """The form and what stands beside it, or below it; in one column the explanation is as high as it is."""
        if self.has_class("-one"):
            return None if self.chosen == "explanation" else Halves(self.pane, self.beside, across=False)
        return Halves(self.pane, self.beside, across=True)

    def _split_boxes(self) -> tuple[Widget, ...]:
        return self.pane, self.beside

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

    def _go(self, name: str | None) -> None:
        if name is None:
            return
        self._close_editor()
        self.pane.put_cursor(name)
        self._draw()
        self.call_after_refresh(self.pane.reveal)

    def action_cursor(self, by: int) -> None:
        self._go(self.pane.row_at(by))

    def action_cursor_section(self, by: int) -> None:
        self._go(self.pane.row_of_next_part(by))

    def action_cursor_first(self) -> None:
        self.action_cursor(-len(self.pane.rows))

    def action_cursor_last(self) -> None:
        self.action_cursor(len(self.pane.rows))

    def _refused_fields(self) -> dict[str, str]:
        """What the last start was refused for, by field, where the form is as it was then."""
        if self._refused is None:
            return {}
        config, values = self._refused.config, self.form.values
        faults = [fault for fault in self._refused.faults if fault.field in FIELDS]
        return {fault.field: fault.message for fault in faults if values[fault.field] == config.get(fault.field)}

    def _wrong(self) -> dict[str, str]:
        """What is wrong, in words, by field: as the form knows, as the run said, as the last start said."""
        known = {fault.field: fault.message for fault in self.faults}
        return self._refused_fields() | self._run.refused | known

    def _faulty(self) -> list[str]:
        wrong = self._wrong()
        return [name for name in self.pane.rows if name in wrong]

    def action_next_fault(self) -> None:
        names, faulty = list(self.pane.rows), self._faulty()
        after = [name for name in faulty if names.index(name) > names.index(self.pane.at)]
        if faulty:
            self._clear_filter()
            self._go((after or faulty)[0])
        else:
            self.notify("Nothing is wrong here.", markup=False)

    # Changing --------------------------------------------------------------------------------------------------------

    def action_step_value(self, direction: int) -> None:
        at = self.pane.at
        if not self.pane.row.display:
            return
        if at == PRESET:
            self._choose_preset(self.form.stepped_preset(direction))
            return
        self._set({at: self.form.stepped(at, direction)}, REST)

    def _choose_preset(self, name: str) -> None:
        self.form.choose_preset(name)
        self._changed()
        self._look_up_pace()
        self.call_after_refresh(self.pane.reveal)

    def _set(self, values: Mapping[str, Any], rest: float = 0.0) -> None:
        self._run.set(values, rest)
        self._changed()
        self.call_after_refresh(self.pane.reveal)  # what is wrong with it takes lines of its own

    def action_undo(self) -> None:
        asked = self.form.undo()
        if asked is None:
            self.notify("nothing to undo", markup=False)
            return
        for name in asked:
            self._run.ask(name)
        self._changed()

    def action_edit(self) -> None:
        row, at = self.pane.row, self.pane.at
        if not row.display:
            return
        if at == PRESET:
            row.edit(self.form.preset, self.form.presets.names(), closed=True)
            self._draw()
            return
        spec = FIELDS[at]
        if spec.kind == "bool":
            self.action_step_value(1)
            return
        choices: Sequence[str] = spec.choices
        if spec.name == "dataset":
            choices = DATASET_NAMES
        row.edit(spec.show(self.form.values[at]), choices, closed=spec.kind == "choice")
        self._draw()

    def on_field_row_submitted(self, message: FieldRow.Submitted) -> None:
        message.stop()
        name = message.row.field
        try:
            if name == PRESET:
                chosen = self.form.presets.find(message.text.strip().lower()).name
            else:
                value = self.form.read(name, message.text)
        except Refusal as refused:
            message.row.refuse(_in_words(refused, name))
            return
        self._close_editor()
        if name == PRESET:
            self._choose_preset(chosen)
        else:
            self._set({name: value})

    def on_field_row_left(self, message: FieldRow.Left) -> None:
        message.stop()
        self._close_editor()

    def _close_editor(self) -> None:
        row = self.pane.row
        if row.editor is not None:
            self.screen.set_focus(self.pane)  # at once: the next key is no longer the editor's
            row.close()
            self._draw()

    def on_field_row_pressed(self, message: FieldRow.Pressed) -> None:
        message.stop()
        was_here = message.row.field == self.pane.at
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
        if action in ("copy_command", "edit_file"):  # beside the form, these are of what the pane shows
            return not self.beside.has_focus_within and selected(self.screen) is None
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
        self.pane.show_only(typed.lower().replace("-", "_").split())
        shown = self.pane.shown
        if shown and self.pane.at not in shown:
            self._go(shown[0])
        self._draw()
        self.call_after_refresh(self.pane.reveal)

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
            DatasetScreen(values["dataset"], values["tokenizer"], self.cache_dir), lambda _: self._around.look_up()
        )

    # A preset of one's own, and the form as text ---------------------------------------------------------------------

    def action_save_preset(self) -> None:
        self._close_editor()
        if faults := find_faults(self.form.values)[1]:
            names = ", ".join(dict.fromkeys(fault.field for fault in faults))
            self.notify(f"A preset has to be sound: {names} (x goes there).", severity="warning", markup=False)
        else:
            self.preset_line.ask()

    def on_preset_line_kept(self, message: PresetLine.Kept) -> None:
        message.stop()
        self._leave_preset_line()
        self._changed()
        self.notify(f"kept as {message.preset.path}", markup=False)

    def on_preset_line_left(self, message: PresetLine.Left) -> None:
        message.stop()
        self._leave_preset_line()

    def _leave_preset_line(self) -> None:
        self.screen.set_focus(self.pane)  # at once: the next key is no longer the line's
        self.preset_line.close()

    def action_edit_file(self) -> None:
        self._close_editor()
        self.post_message(EditText(form_file.WHAT, self._text.offered(), ".toml", self._take_text))

    def _take_text(self, text: str) -> None:
        """What was typed is taken whole, as one change, or not at all."""
        try:
            values = self._text.take(text)
        except Refusal as refused:
            faults = "\n".join(one_line(str(fault)) for fault in refused.faults)
            told = f"{faults}\nThe form is as it was; e shows the text again."
            self.notify(told, severity="error", timeout=10, markup=False)
            return
        changes = sum(value != self.form.values[name] for name, value in values.items())
        self._set(values)
        self.notify(f"{_fields(changes)} changed; u undoes that." if changes else "Nothing was changed.", markup=False)


def _find(presets: PresetShelf, name: str | None) -> tuple[Preset | None, str]:
    """The preset of that name, or why the form is on the default one: its file was there when it was asked for."""
    try:
        return presets.find(name) if name else None, ""
    except Refusal as refused:
        return None, f"{refused}\nThe form is on the default preset."


def _in_words(refused: Refusal, name: str) -> str:
    """Why an entry is refused, at the row that it was entered in."""
    return "; ".join(fault.message if fault.field == name else str(fault) for fault in refused.faults)


def _fields(number: int) -> str:
    return "1 field" if number == 1 else f"{number} fields"
