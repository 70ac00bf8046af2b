"""A field at the foot of a view that asks for a path, and writes a text there: a file of the person's own."""

from __future__ import annotations

from textual import work
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from gpt_tui.core.errors import GptTuiError
from gpt_tui.tui import text_file
from gpt_tui.tui.in_thread import in_thread
from gpt_tui.tui.plain import visible
from gpt_tui.tui.widgets.ask_line import AskLine
from gpt_tui.tui.widgets.question import Question

UNNAMED = "A file needs a name; esc leaves without one."
NOT_OVER = "Nothing is written: what is there stays. Another name, or esc."


class SaveLine(Vertical):
    """`save` asks and writes. Above the field stands why nothing was written; a text that was is told of in a corner of
    the screen."""

    DEFAULT_CSS = """
    SaveLine {
        height: auto;
        & > Static { display: none; height: auto; max-height: 4; padding: 0 1; }
        &.-refused > Static { display: block; }
    }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._why = Static(markup=False)
        self._line = AskLine(stays=True)
        self._text = ""
        self._last = ""  # where a text was written last, as the person wrote it

    def compose(self) -> ComposeResult:
        yield self._why
        yield self._line

    @property
    def asked(self) -> bool:
        """Whether it asks for a path now."""
        return bool(self._line.asked)

    def save(self, text: str, suggested: str, back: Widget) -> None:
        """suggested: a path to begin with, the first time. back: what gets the focus afterwards."""
        self._text = text
        self._refuse("")
        self.app.clear_notifications()  # they would lie over the field
        self._line.ask("write to the file", self._last or suggested, "a path; ~ is your home", back)

    def put_away(self) -> None:
        self.workers.cancel_group(self, "write")
        self._refuse("")
        self._line.put_away()

    def on_ask_line_typed(self, message: AskLine.Typed) -> None:
        message.stop()
        self._refuse("")

    def on_ask_line_answered(self, message: AskLine.Answered) -> None:
        message.stop()
        if message.text.strip():
            self._write(message.text, self._text)
        else:
            self._refuse(UNNAMED)

    @work(exclusive=True, group="write")
    async def _write(self, written: str, text: str) -> None:
        """What is there already is written over after one question."""
        try:
            path, there = await in_thread(lambda: text_file.place_of(written))
            if there:
                told = Content(f"{text_file.shown(path)}\n\nThere is such a file already; what is in it would be gone.")
                if not await self.app.push_screen_wait(Question("write over it?", told, "writes over it")):
                    self._refuse(NOT_OVER)
                    return
            await in_thread(lambda: text_file.write(path, text))
        except GptTuiError as error:
            self._refuse(visible(str(error)))
            return
        self._last = written.strip()
        self._line.put_away()
        self.app.clear_notifications()
        self.notify(f"written: {len(text):,} characters, to {text_file.shown(path)}", markup=False)

    def _refuse(self, why: str) -> None:
        """Say why nothing was written; "" says no more."""
        self._why.update(Content.styled(f"✕ {why}", "$text-error"))
        self.set_class(bool(why), "-refused")
