"""What every one of the five views is to the app: it arrives, is left, has panes, and draws the run that is watched.

A view asks for what lies beyond it by a message (see `tui.wishes`); it knows neither the app nor the other views.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from textual.widget import Widget

from gpt_tui.tui import panes
from gpt_tui.tui.preferences import LEAST_SHARE, MOST_SHARE

if TYPE_CHECKING:
    from textual.notifications import SeverityLevel

    from gpt_tui.tui.keys import Action
    from gpt_tui.tui.watched import Watched

SHARE_STEP = 0.05


@dataclass(frozen=True)
class Halves:
    """The two boxes between which the room of a view is split. across: side by side, not one above the other."""

    first: Widget
    second: Widget
    across: bool

    @property
    def share(self) -> float:
        """Of the first one, as they are drawn now."""
        sizes = [box.outer_size.width if self.across else box.outer_size.height for box in (self.first, self.second)]
        return sizes[0] / sum(sizes) if sum(sizes) else 0.5


class View(Widget):
    """A view's own methods; each has a sensible default.

    TITLE:  what the first line and the palette call it
    shares: how the person split its room: "across" or "down" -> the first box' share of it
    """

    TITLE: ClassVar[str] = ""
    KEYS: ClassVar[tuple[str, ...]] = ()

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.shares: dict[str, float] = {}

    # For the app -----------------------------------------------------------------------------------------------------

    def arrive(self) -> None:
        """Take the focus. Called whenever the view has come on the screen (Textual's Show would not do: after a scroll
        it is not sent where the place of any widget is asked for between the switch of views and the next layout)."""
        for pane in self.panes:
            pane.focus()
            return

    def leave(self) -> bool:
        """What esc does: leave what was entered. False where there is nothing to leave."""
        if panes.maximised(self):
            panes.maximise(self, None)
            return True
        return False

    def follow(self, watched: Watched | None) -> None:
        """Draw the run that is watched, which may be another than before; called often, and only while in sight."""

    @property
    def panes(self) -> list[Widget]:
        """The panes that have something to show now, in the order of tab."""
        return [node for node in self.query("*") if isinstance(node, panes.PaneLike)]

    def go_to(self, pane: Widget) -> None:
        panes.go_to(self, pane)

    def subject(self) -> str:
        """What the first line calls what is seen here; "" where that is the run that is watched."""
        return ""

    def useful(self, action: Action) -> bool:
        """Whether one of its own actions belongs into the footer now."""
        return True

    def label(self, action: Action) -> str:
        """What the footer calls one of its own actions now."""
        return action.label

    def copied(self) -> tuple[str, str]:
        """(what it is, text) that `y` copies: of the focused pane, or of the first."""
        return panes.text_of(self)

    def notify(
        self,
        message: str,
        *,
        title: str = "",
        severity: SeverityLevel = "information",
        timeout: float | None = None,
        markup: bool = False,
    ) -> None:
        """Tell in a corner of the screen, one thing at a time: a key that is pressed again says it once."""
        self.app.clear_notifications()
        super().notify(message, title=title, severity=severity, timeout=timeout, markup=markup)

    # The split -------------------------------------------------------------------------------------------------------

    def halves(self) -> Halves | None:
        """What the split keys move now; None where the layout has nothing to move."""
        return None

    def split(self, by: int) -> bool:
        """Give the first half more room (1), or less (-1); False where there is nothing to split."""
        halves = self.halves()
        if halves is None or panes.maximised(self):
            return False
        way = "across" if halves.across else "down"
        share = self.shares.get(way, halves.share) + by * SHARE_STEP
        self.shares[way] = round(min(max(share, LEAST_SHARE), MOST_SHARE), 2)
        self.apply_split()
        return True

    def apply_split(self) -> None:
        """Give both halves their shares. A view calls it whenever its layout has become another."""
        halves = self.halves()
        for box in self._split_boxes():
            box.styles.width = box.styles.height = None
        if halves is None:
            return
        share = self.shares.get("across" if halves.across else "down")
        if share is None:
            return
        for box, part in ((halves.first, share), (halves.second, 1 - share)):
            if halves.across:
                box.styles.width = f"{part * 100:.0f}fr"
            else:
                box.styles.height = f"{part * 100:.0f}fr"

    def _split_boxes(self) -> tuple[Widget, ...]:
        """Every box that `halves` may ever give."""
        return ()
