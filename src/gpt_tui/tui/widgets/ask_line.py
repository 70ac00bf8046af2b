"""A field of one line at the foot of a view: it has the keys from `ask` until enter or esc."""

from __future__ import annotations

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input, Static

from gpt_tui.tui.plain import LINE_END


class LinesInput(Input):
    """Takes all lines of what is pasted into it, with a sign for each line end."""

    def _on_paste(self, event: events.Paste) -> None:
        event.prevent_default()
        event.stop()
        text = event.text.replace("\r\n", "\n").replace("\r", "\n").replace("\n", LINE_END)
        self.replace(text, *self.selection)


class AskLine(Horizontal):
    """`ask` opens it, `Typed` and `Answered` say what is in it; `put_away` closes it and gives the focus back.

    lines: whether a text of several lines may be pasted, a sign standing for each line end
    stays: whether it is open after enter, until who asked puts it away
    """

    DEFAULT_CSS = """
    AskLine {
        display: none;
        height: 1;
        padding: 0 1;
        background: $foreground 8%;
        & > Static { width: auto; margin-right: 2; color: $text-muted; }
        & > Input { width: 1fr; background: $foreground 8%; }
    }
    """

    class Typed(Message):
        """There is another text in the field."""

        def __init__(self, asked: str, text: str) -> None:
            super().__init__()
            self.asked = asked
            self.text = text

    class Answered(Typed):
        """Enter was pressed."""

    def __init__(self, *, lines: bool = False, stays: bool = False, id: str | None = None) -> None:
        super().__init__(id=id)
        self._stays = stays
        self._asked = ""
        self._back: Widget | None = None
        self._label = Static(markup=False)
        self._field = (LinesInput if lines else Input)(compact=True, select_on_focus=False)

    def compose(self) -> ComposeResult:
        yield self._label
        yield self._field

    @property
    def asked(self) -> str:
        """What is asked for now; "" while nothing is."""
        return self._asked if self.display else ""

    def ask(self, what: str, text: str, hint: str, back: Widget) -> None:
        """Ask for something, beginning with `text`. back: what gets the focus afterwards."""
        self._asked, self._back = what, back
        self._label.update(Content(what))
        with self._field.prevent(Input.Changed):
            self._field.value = text
        self._field.placeholder = hint
        self._field.cursor_position = len(text)
        self.display = True
        self._field.focus()

    def put_away(self) -> None:
        if self.display and self._back is not None:
            self.screen.set_focus(self._back)  # at once: the next key is no longer the field's
        self.display = False

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        event.stop()
        if self.display:
            self.post_message(self.Typed(self._asked, event.value))

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        asked, text = self._asked, event.value
        if not self._stays:
            self.put_away()
        self.post_message(self.Answered(asked, text))
