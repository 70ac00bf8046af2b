"""The first line: the program, what is open, the run's state in word, glyph and colour, and the views there are."""

from __future__ import annotations

from collections.abc import Sequence

from textual import events
from textual.content import Content
from textual.style import Style
from textual.widget import Widget

from gpt_tui.tui.plain import one_line
from gpt_tui.tui.state import State
from gpt_tui.tui.widgets.line import Line, clickable

STATE_AT = 36  # where the state stands on 80 columns; beyond, in proportion
NAMED = 100  # columns from which the views are named
APART = 3  # cells between the state and the views
Part = str | Content | tuple[str, str | Style]


class Header(Line):
    """what: what is open, the fullest name first. views: (key, name, action, whether it is the one shown)."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._what: Sequence[str] = ("",)
        self._state: State | None = None
        self._views: Sequence[tuple[str, str, str, bool]] = ()
        self._aside: State | None = None

    def set(
        self,
        what: Sequence[str],
        state: State,
        views: Sequence[tuple[str, str, str, bool]],
        aside: State | None = None,
    ) -> None:
        """aside: of the run at work while another is seen."""
        self._what, self._state, self._views = [one_line(name) for name in what], state, views
        self._aside = aside
        self._draw()

    def on_resize(self, _: events.Resize) -> None:
        self._draw()

    def _draw(self) -> None:
        if self._state is None:
            return
        right = self._right()
        at = max(STATE_AT, self.room * STATE_AT // 80)
        room = self.room - right.cell_length
        state = self._state.shown(room - at - APART)
        if self._aside is not None:
            state += Content.styled("  yours ", "$text-muted") + self._aside.shown(0)
        at = min(at, max(12, room - state.cell_length - APART))
        for what in self._what:
            left = Content.assemble(" ", ("gpt-tui", "bold $accent"), "   ", (what, "$foreground"))
            if left.cell_length < at:
                break
        left = left.truncate(at - 1, ellipsis=True).pad_right(max(0, at - min(left.cell_length, at - 1)))
        line = left + state
        gap = self.room - line.cell_length - right.cell_length
        self.show(line.pad_right(max(1, gap)) + right)

    def _right(self) -> Content:
        """The views there are; with names where there is room for them."""
        named = self.room >= NAMED
        parts: list[Part] = []
        for key, name, action, current in self._views:
            style = "bold underline $accent" if current else "$text-muted"
            parts.append(clickable(f"{key} {name}" if named else key, action, style))
            parts.append("   " if named else " ")
        return Content.assemble(*parts, " ", clickable("? help", "app.help", "$text-muted"), " ")


class TooSmall(Widget):
    """Stands in for everything on a terminal that is too small."""

    def render(self) -> Content:
        width, height = self.app.size
        return Content(
            f"gpt-tui needs at least 60×16; this is {width}×{height}.\nEnlarge the window, or press q to leave."
        )
