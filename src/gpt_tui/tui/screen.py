"""The one screen under all overlays: its layout's classes, and the notice on a terminal that is too small."""

from __future__ import annotations

from textual import events
from textual._compositor import Compositor, CompositorMap, ReflowResult
from textual.geometry import Size
from textual.screen import Screen
from textual.widget import Widget

SMALLEST = (60, 16)


def too_small(size: Size) -> bool:
    """Whether only a notice fits into a terminal of this size."""
    width, height = SMALLEST
    return size.width < width or size.height < height


class TellingCompositor(Compositor):
    """Tells every widget that was shown or resized.

    Textual's own finds them by comparing a layout with the map of places before it. After a scroll it makes that map
    anew as soon as anybody asks for a place; if that is between a change of classes and the layout that follows, the
    two are alike, and a pane that has just come into sight never hears of its size, and stays empty.
    """

    def __init__(self) -> None:
        super().__init__()
        self._told: CompositorMap = {}

    def reflow(self, parent: Widget, size: Size) -> ReflowResult:
        self._full_map = self._told
        found = super().reflow(parent, size)
        self._told = self._full_map
        return found


class MainScreen(Screen[None], inherit_bindings=False):
    """Its keys are the app's."""

    AUTO_FOCUS = ""
    HORIZONTAL_BREAKPOINTS = [(0, "-one"), (100, "-two"), (150, "-three")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-short"), (32, "-tall")]  # noqa: RUF012

    def __init__(self) -> None:
        super().__init__()
        self._compositor = TellingCompositor()
        self._had_focus: Widget | None = None  # before the notice took the views away

    def on_resize(self, event: events.Resize) -> None:
        cramped = too_small(event.size)
        if cramped and not self.has_class("-cramped"):
            self._had_focus = self.focused
        self.set_class(cramped, "-cramped")
        if not cramped:
            self.call_after_refresh(self._give_focus_back)

    def _give_focus_back(self) -> None:
        kept, self._had_focus = self._had_focus, None
        if kept is not None and kept.is_attached and self.focused is None:
            self.set_focus(kept, from_app_focus=True)  # as it was left: a field does not select its text for this
