"""The line on which the form is kept as a preset of one's own: asks for a name, and says what is wrong with it."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, Static

from gpt_tui.core.errors import GptTuiError
from gpt_tui.core.presets import Preset
from gpt_tui.tui import keys
from gpt_tui.tui.form import Form
from gpt_tui.tui.plain import one_line

QUESTION = "keep the form as a preset of your own: enter keeps it, esc leaves"


class NameInput(Input):
    """enter gives the name, esc leaves."""

    BINDINGS: ClassVar[list[BindingType]] = keys.bindings("field")
    KEYS: ClassVar[tuple[str, ...]] = ("field",)

    def action_leave_field(self) -> None:
        self.post_message(PresetLine.Left())


class PresetLine(Vertical):
    """It has no place until it asks, and its owner closes it."""

    class Kept(Message):
        """The form was kept, and is on that preset now."""

        def __init__(self, preset: Preset) -> None:
            super().__init__()
            self.preset = preset

    class Left(Message):
        """Nothing was kept."""

    def __init__(self, form: Form, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.form = form
        self.input = NameInput(compact=True)
        self.input.can_focus = False
        self._said = Static(markup=False)
        self._to_replace = ""  # the preset of one's own whose replacement was asked for once

    def compose(self) -> ComposeResult:
        yield self._said
        yield self.input

    def ask(self) -> None:
        """Propose the name of one's own preset that the form is on, or a free one."""
        presets, of_own = self.form.presets, self.form.chosen.path is not None
        self.input.value = self.form.preset if of_own else presets.free_name(f"my-{self.form.preset}")
        self.input.can_focus = True
        self._to_replace = ""
        self.add_class("-asking")
        self._said.update(Content.styled(QUESTION, "$text-muted"))
        self.input.focus()

    def close(self) -> None:
        self.remove_class("-asking")
        self.input.can_focus = False

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        name, presets = event.value.strip(), self.form.presets
        if why := presets.name_fault(name):
            self._refuse(why)
            return
        if presets.has_own(name) and name != self._to_replace:
            self._to_replace = name
            told = f"{name} is there already: enter again replaces it, esc leaves it"
            self._said.update(Content.styled(told, "$text-warning"))
            return
        try:
            kept = self.form.keep_as(name)
        except GptTuiError as error:
            self._refuse(str(error))
        else:
            self.post_message(self.Kept(kept))

    def _refuse(self, why: str) -> None:
        self._said.update(Content.styled(f"✕ {one_line(why)}", "$text-error"))

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
