"""A field at the foot of a view that asks for a path, and writes a text there: a file of the person's own."""

from __future__ import annotations

from textual import work
from textual.content import Content
from textual.widget import Widget

from gpt_tui.core.errors import GptTuiError
from gpt_tui.tui import text_file
from gpt_tui.tui.in_thread import in_thread
from gpt_tui.tui.plain import one_line, visible
from gpt_tui.tui.widgets.ask_line import AskLine
from gpt_tui.tui.widgets.question import Question


class SaveLine(AskLine):
    """`save` asks and writes. What came of it is told in a corner of the screen."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._text = ""
        self._last = ""  # where a text was written last, as the person wrote it

    def save(self, text: str, suggested: str, back: Widget) -> None:
        """suggested: a path to begin with, the first time. back: what gets the focus afterwards."""
        self._text = text
        self.ask("write to the file", self._last or suggested, "a path; ~ is your home", back)

    def on_ask_line_answered(self, message: AskLine.Answered) -> None:
        message.stop()
        if message.text.strip():
            self._write(message.text, self._text)

    @work(exclusive=True, group="write")
    async def _write(self, written: str, text: str) -> None:
        """What is there already is written over after one question."""
        try:
            path, there = await in_thread(lambda: text_file.place_of(written))
            if there:
                told = Content(f"{one_line(str(path))}\n\nThere is such a file already; what is in it would be gone.")
                if not await self.app.push_screen_wait(Question("write over it?", told, "writes over it")):
                    self._tell("Nothing is written.")
                    return
            await in_thread(lambda: text_file.write(path, text))
        except GptTuiError as error:
            self.app.clear_notifications()
            self.notify(visible(str(error)), severity="error", markup=False)
            return
        self._last = written.strip()
        self._tell(f"written: {len(text):,} characters, to {one_line(str(path))}")

    def _tell(self, words: str) -> None:
        self.app.clear_notifications()
        self.notify(words, markup=False)
