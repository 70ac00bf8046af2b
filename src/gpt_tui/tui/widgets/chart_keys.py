"""The keys of a chart, wherever the focus is in its view: a mixin that hands them on to the view's chart."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from gpt_tui.tui import panes

if TYPE_CHECKING:
    from gpt_tui.tui.widgets.plot import Plot


class ChartKeys:
    """For a view whose `chart` they belong to; it lists "chart" among its KEYS and BINDINGS."""

    chart: Plot

    def action_smoothing(self) -> None:
        self._change(self.chart.toggle_smoothing)

    def action_log_y(self) -> None:
        self._change(self.chart.toggle_log_y)

    def action_log_x(self) -> None:
        self._change(self.chart.toggle_log_x)

    def action_units(self) -> None:
        self._change(self.chart.cycle_unit)

    def action_zoom_in(self) -> None:
        self._change(self.chart.zoom_in)

    def action_zoom_out(self) -> None:
        self._change(self.chart.zoom_out)

    def action_whole(self) -> None:
        self._change(self.chart.whole)

    def _change(self, change: Callable[[], object]) -> None:
        """Change the view of the chart, seen or told; where nothing is drawn there is none to change."""
        if not self.chart.has_points():
            self.chart.say_empty()
            return
        before = self.chart.description()
        change()
        if self.chart.description() != before and not panes.has_place(self.chart):
            self.chart.say(f"{self.chart.label}: {self.chart.description()}")

    def action_crosshair(self) -> None:
        self.chart.focus()
        self.chart.toggle_crosshair()
