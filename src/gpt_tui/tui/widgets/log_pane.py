"""What happened, in words: one line a thing, the newest last."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING

from textual import on
from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import Input

from gpt_tui.tui import figures
from gpt_tui.tui.plain import one_line
from gpt_tui.tui.widgets.line import Line
from gpt_tui.tui.widgets.pane import Pane

if TYPE_CHECKING:
    from gpt_tui.core.runs import LogLine

NEWEST = 12  # lines of which some may fit on one
KEPT = 400  # lines drawn; the log on the disk has them all
_STYLES = {"error": "$text-error", "warning": "$text-warning"}


def written(line: LogLine) -> Content:
    """One line of the log: when, and what."""
    return Content.assemble(
        (f"{figures.duration(line.time):>7}  ", "$text-muted"), (one_line(line.text), _STYLES.get(line.level, ""))
    )


def in_few(lines: Sequence[LogLine]) -> list[LogLine]:
    """With the rungs of the ladder that one evaluation passed told in one line, by the value of the last of them."""
    few: list[LogLine] = []
    for (_, milestones), group in groupby(lines, key=lambda line: (line.step, bool(line.rung))):
        told = list(group)
        if milestones and len(told) > 1:
            last, rungs = told[-1], [line.rung for line in told]
            names = f"{', '.join(rungs[:-1])} and {rungs[-1]} lines"
            told = [replace(last, text=last.text.replace(f"{last.rung} line", names, 1))]
        few += told
    return few


class LogPane(Pane):
    DEFAULT_CSS = """
    LogPane #filter { dock: bottom; display: none; height: 1; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__("log", "l", id=id)
        self._lines: Sequence[LogLine] = ()
        self._drawn: tuple[int, int, str] | None = None
        self._words = ""
        self._following = True

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        self._following = new_value >= self.max_scroll_y

    def on_resize(self) -> None:
        self._follow()

    def _follow(self) -> None:
        """Stay at the newest line, at any size, unless a person scrolled away from it."""
        if self._following:
            self.call_after_refresh(self._go_to_end)

    def _go_to_end(self) -> None:
        if self._following:  # nobody scrolled away meanwhile
            self.scroll_end(animate=False, immediate=True)

    def action_scroll_home(self) -> None:
        self._leave_end()
        super().action_scroll_home()

    def action_scroll_up(self) -> None:
        self._leave_end()
        super().action_scroll_up()

    def action_page_up(self) -> None:
        self._leave_end()
        super().action_page_up()

    def _leave_end(self) -> None:
        """At once: the scrolling itself comes a frame later, and a new line may come before it."""
        self._following = self.max_scroll_y == 0

    def show(self, lines: Sequence[LogLine], extra: Content | None = None) -> None:
        self._lines = lines
        state = (id(lines), len(lines), self._words)
        if state == self._drawn:
            return
        self._drawn = state
        found = [line for line in in_few(lines) if self._words.lower() in line.text.lower()][-KEPT:]
        empty = "nothing has happened yet" if not self._words else f"no line has “{self._words}”"
        self.set_text(Content("\n").join(map(written, found)) if found else Content.styled(empty, "$text-muted"))
        self._follow()

    # The filter -----------------------------------------------------------------------------------------------------

    def compose(self) -> ComposeResult:
        yield from super().compose()
        yield Input(placeholder="words to look for", compact=True, id="filter")

    def enter_filter(self) -> None:
        """Open the field for the words; it has the keys until enter or esc."""
        field = self.query_one("#filter", Input)
        field.display = True
        field.focus()

    def leave_filter(self) -> bool:
        """Close the field and show every line again; False where none were filtered."""
        field = self.query_one("#filter", Input)
        if not self._words and not field.display:
            return False
        with field.prevent(Input.Changed):
            field.value = ""
        self.look_for("")
        self._close(field)
        return True

    @on(Input.Changed, "#filter")
    def _typed(self, event: Input.Changed) -> None:
        self.look_for(event.value)

    @on(Input.Submitted, "#filter")
    def _entered(self, event: Input.Submitted) -> None:
        self._close(event.input)

    def _close(self, field: Input) -> None:
        self.screen.set_focus(self)  # at once: the next key is no longer the field's
        field.display = False

    def look_for(self, words: str) -> None:
        """Show only the lines with these words; none shows all."""
        self._words = words
        self.set_title(f"log · “{one_line(words)}”" if words else "log")
        self.show(self._lines)


class LogLineStrip(Line):
    """The newest lines of the log side by side, as many as fit on one: for terminals without room for a pane."""

    DEFAULT_CSS = "LogLineStrip { padding: 0 1; }"

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._lines: Sequence[LogLine] = ()

    def show_lines(self, lines: Sequence[LogLine]) -> None:
        self._lines = in_few(lines[-NEWEST:])
        self.show(self._fitting(self.size.width))

    def on_resize(self) -> None:
        self.show(self._fitting(self.size.width))

    def _fitting(self, width: int) -> Content:
        if not self._lines:
            return Content("")
        shown = self._short(self._lines[-1])
        for line in reversed(self._lines[:-1]):
            longer = self._short(line) + Content.styled(" · ", "$text-muted") + shown
            if longer.cell_length > width:
                break
            shown = longer
        return shown

    @staticmethod
    def _short(line: LogLine) -> Content:
        return Content.assemble(
            (f"{figures.duration(line.time)} ", "$text-muted"), (one_line(line.text), _STYLES.get(line.level, ""))
        )
