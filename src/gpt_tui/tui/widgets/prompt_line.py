"""The prompt on one line: what the model goes on from. It becomes a text field when it is edited, and only then."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.message import Message
from textual.widgets import Input

from gpt_tui.tui import keys
from gpt_tui.tui.plain import LINE_END, one_line
from gpt_tui.tui.prompt_history import PromptHistory
from gpt_tui.tui.widgets.ask_line import LinesInput
from gpt_tui.tui.widgets.line import Line

EMPTY = "none: a new line"
NAME, OLDEST = "prompt", "oldest"


class PromptInput(LinesInput):
    """Line ends are typed, pasted and shown as ⏎."""

    BINDINGS: ClassVar[list[BindingType]] = keys.bindings("prompt", "field")
    KEYS: ClassVar[tuple[str, ...]] = ("prompt", "field")

    class Left(Message):
        """The field was left; the prompt stays as it was."""

    class Recalled(Message):
        """An earlier prompt is wanted (-1), or a later one."""

        def __init__(self, by: int) -> None:
            super().__init__()
            self.by = by

    def action_leave_field(self) -> None:
        self.post_message(self.Left())

    def action_recall(self, by: int) -> None:
        self.post_message(self.Recalled(by))


class PromptLine(Horizontal):
    """prompt: what was entered last. history: the prompts that can be recalled, the latest last."""

    DEFAULT_CSS = """
    PromptLine { height: 1; width: 1fr; padding: 0 1; }
    PromptLine #prompt-shown { width: 1fr; }
    PromptLine #prompt-name { width: 8; }
    PromptLine PromptInput { display: none; width: 1fr; background: $foreground 10%; }
    PromptLine.-editing PromptInput { display: block; }
    PromptLine.-editing #prompt-shown { display: none; }
    """

    class Entered(Message):
        """A prompt was entered; it may be the same as before."""

        def __init__(self, prompt: str) -> None:
            super().__init__()
            self.prompt = prompt

    class Left(Message):
        """The field was left without a change."""

    def __init__(self, history: PromptHistory, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.prompt = ""
        self.history = history
        self._back = 0  # how many prompts back the field has gone
        self._edited: dict[int, str] = {}  # what was typed into it, so many prompts back
        self._called = Line(id="prompt-name")
        self._shown = Line(id="prompt-shown")
        self._field = PromptInput(placeholder="empty: it starts from a new line", compact=True)
        self._field.can_focus = False

    def compose(self) -> ComposeResult:
        yield self._called
        yield self._shown
        yield self._field

    def on_mount(self) -> None:
        self._call(NAME)
        self.show(self.prompt)

    def _call(self, name: str) -> None:
        self._called.show(Content.styled(name, "$text-muted" if name == NAME else "$text-warning"))

    def show(self, prompt: str) -> None:
        self.prompt = prompt
        text = Content.styled(one_line(prompt), "$text-accent") if prompt else Content.styled(EMPTY, "$text-muted")
        self._shown.show(text)

    def enter(self, prompt: str) -> None:
        """Show one that a person wrote, and remember it."""
        self.history.add(prompt)
        self.show(prompt)

    @property
    def editing(self) -> bool:
        return self.has_class("-editing")

    def edit(self) -> None:
        """Make it a field; enter or esc ends that."""
        if not self.editing:
            self.add_class("-editing")
            self._back, self._edited = 0, {}
            self._fill(self.prompt)
        self._field.can_focus = True
        self._field.focus()

    def _fill(self, prompt: str) -> None:
        self._field.value = prompt.replace("\n", LINE_END)
        self._field.cursor_position = len(self._field.value)

    def on_prompt_input_recalled(self, message: PromptInput.Recalled) -> None:
        """What was typed into one that was recalled stays there until the field is closed, as in a shell."""
        message.stop()
        typed = self._field.value.replace(LINE_END, "\n")
        if typed != self._recalled(self._back):
            self._edited[self._back] = typed
        back = self._back - message.by
        while 0 < back <= len(self.history) and self._recalled(back) == typed:
            back -= message.by  # the one that stands there already is no earlier one
        if 0 <= back <= len(self.history):
            self._back = back
            self._fill(self._recalled(back))
        self._call(OLDEST if back > len(self.history) else NAME)

    def _recalled(self, back: int) -> str:
        """What stands so many prompts back: 0 is what the field began with."""
        return self._edited.get(back, self.history[-back] if back else self.prompt)

    def close(self) -> None:
        self.remove_class("-editing")
        self._call(NAME)
        self._field.can_focus = False

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self._call(NAME)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        prompt = event.value.replace(LINE_END, "\n")
        self.enter(prompt)
        self.post_message(self.Entered(prompt))

    def on_prompt_input_left(self, message: PromptInput.Left) -> None:
        message.stop()
        self.post_message(self.Left())

    def on_click(self, event: events.Click) -> None:
        event.stop()
        self.edit()
