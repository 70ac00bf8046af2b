"""What stands beside the form and follows it: explanation and cost, the tensor walk, the architecture, what is set.

Which of them have a place is the layout's affair, by the view's size and by what a person chose to see (`Chosen`);
only those that have one are drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from textual.app import ComposeResult
from textual.containers import Container, Vertical
from textual.content import Content
from textual.geometry import Region, Spacing

from gpt_tui.core.config import FIELDS
from gpt_tui.core.cost import Cost, Pace, assumed_vocabulary, count_cost
from gpt_tui.core.device import physical_cores
from gpt_tui.core.drawing import draw
from gpt_tui.core.errors import Fault
from gpt_tui.core.shapes import parameters, walk
from gpt_tui.tui import figures
from gpt_tui.tui.form import Form
from gpt_tui.tui.panes import has_place
from gpt_tui.tui.widgets import field_help
from gpt_tui.tui.widgets.drawing_text import of_drawing
from gpt_tui.tui.widgets.field_help import Notes
from gpt_tui.tui.widgets.form_parts import BesidePane
from gpt_tui.tui.widgets.shapes_text import of_walk

Chosen = Literal["explanation", "shapes", "architecture"]
CHOICES: tuple[Chosen, ...] = ("explanation", "shapes", "architecture")

# The letter of the shapes that a field sets.
LETTER_OF = {"batch_size": "B", "block_size": "T", "n_embd": "C", "n_head": "H", "ffn_mult": "F", "n_layer": "L"}


@dataclass(frozen=True)
class Told:
    """What the form's owner knows beyond the form. at: the field under the cursor, or "preset"."""

    at: str
    faults: Sequence[Fault]
    pace: Pace | None
    dataset_note: str = ""
    fault: str = ""  # of the field under the cursor
    brief: bool = False


class Beside(Container):
    def __init__(self, form: Form, *, ascii: bool = False, id: str | None = None) -> None:
        super().__init__(id=id)
        self.form = form
        self._ascii = ascii
        self.help_pane = BesidePane("help", "h", id="field-help")
        self.cost_pane = BesidePane("cost", "o", id="field-cost")
        self.shapes_pane = BesidePane("shapes", "s", id="shapes")
        self.drawing_pane = BesidePane("architecture", "a", id="architecture")
        self.changes_pane = BesidePane("changes", "c", id="form-changes")
        self._told = Told("preset", (), None)
        self._revealed = ""  # the field whose part of the drawing was last scrolled to

    def compose(self) -> ComposeResult:
        yield self.shapes_pane
        with Vertical(id="explained"):
            yield self.help_pane
            yield self.cost_pane
        with Vertical(id="third"):
            yield self.drawing_pane
            yield self.changes_pane

    def on_beside_pane_resized(self) -> None:
        self._draw()

    def show(self, told: Told) -> None:
        self._told = told
        self._draw()

    def _draw(self) -> None:
        drawn = {
            self.help_pane: self._draw_help,
            self.cost_pane: self._draw_cost,
            self.shapes_pane: self._draw_shapes,
            self.drawing_pane: self._draw_architecture,
            self.changes_pane: self._draw_changes,
        }
        for pane, draw_pane in drawn.items():
            if has_place(pane) and pane.size:
                draw_pane()

    # Each of them ----------------------------------------------------------------------------------------------------

    def _draw_help(self) -> None:
        self.help_pane.set_title(self._told.at)
        self.help_pane.set_text(self.help_of(self._told.at))

    def help_of(self, name: str) -> Content:
        """The help for a row as a list, or in running text where the pane has not the room."""
        told, form, room = self._told, self.form, self.help_pane.scrollable_content_region
        notes = Notes(
            fault=told.fault if name == told.at else "",
            idle=form.idle().get(name, ""),
            note=told.dataset_note if name == "dataset" else "",
            origin=form.origin(name) if name in FIELDS else "",
        )
        for brief in range(2 if told.brief else 0, 5):
            if name not in FIELDS:
                content = field_help.of_preset(form.chosen, room.width, brief)
            else:
                value, in_preset = form.values[name], form.base.get(name)
                content = field_help.of_field(FIELDS[name], value, in_preset, notes, room.width, brief)
            if field_help.height_of(content, room.width) <= room.height:
                break
        return content

    @property
    def _cost(self) -> Cost:
        return count_cost(self.form.draft, self.form.facts, self._told.pace, physical_cores)

    @property
    def _cost_in_title(self) -> str:
        """Memory and time, for the title of a pane that has taken the place of the cost."""
        if has_place(self.cost_pane):
            return ""
        cost = self._cost
        time = "" if cost.in_all is None else f" · {figures.duration(cost.in_all)}"
        return f" · {figures.size(cost.memory)}{time}"

    def _draw_cost(self) -> None:
        form, told, room = self.form, self._told, self.cost_pane.scrollable_content_region
        if room.height == 1:
            self.cost_pane.set_text(field_help.of_cost_line(self._cost, told.faults, room.width))
            return
        changed = len(form.changed())
        unlike = f"{changed} changed" if changed else f"as {form.preset}"
        name = form.facts.name if form.facts else ""
        self.cost_pane.set_title(self._title("cost"))
        self.cost_pane.set_text(field_help.of_cost(self._cost, name, unlike, told.faults, room.width, told.brief))

    def _draw_changes(self) -> None:
        self.changes_pane.set_title("what is set", "y copies the command")
        width = self.changes_pane.scrollable_content_region.width
        self.changes_pane.set_text(field_help.of_changes(self.form, width))

    def _draw_shapes(self) -> None:
        form, pane = self.form, self.shapes_pane
        batch = walk(form.model, self._vocab_size, form.values["batch_size"])
        pane.set_title(self._title("shapes of a batch", f"{batch.parameters:,} parameters{self._cost_in_title}"))
        letter = LETTER_OF.get(self._told.at, "")
        width, time = pane.scrollable_content_region.width, field_help.time_of(self._cost)
        pane.set_text(of_walk(batch, width, time=time, letter=letter, ascii=self._ascii))

    def _draw_architecture(self) -> None:
        pane, at = self.drawing_pane, self._told.at
        count = figures.count(parameters(self.form.model, self._vocab_size))
        pane.set_title(self._title("architecture", f"{count} parameters{self._cost_in_title}"))
        content, row = of_drawing(draw(self.form.model, self._vocab_size, ascii=self._ascii), at)
        pane.set_text(content)
        if at != self._revealed:
            self._revealed = at
            if row is not None:
                around = Region(0, max(0, row - 2), 1, 8)  # with a little of what stands around it
                pane.call_after_refresh(
                    pane.scroll_to_region, around, animate=False, spacing=Spacing(), force=True, x_axis=False
                )

    def _title(self, what: str, more: str = "") -> str:
        """While the form's model cannot be built, the title says so."""
        note = more if self.form.model_is_sound else "as it was last sound"
        return f"{what} · {note}" if note else what

    @property
    def _vocab_size(self) -> int:
        if self.form.facts is not None:
            return self.form.facts.vocab_size
        return assumed_vocabulary(self.form.values["tokenizer"])
