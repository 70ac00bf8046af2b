"""The keys of a chart, wherever the focus is in its view: a mixin that hands them on to the view's chart."""

from __future__ import annotations

from gpt_tui.tui.widgets.plot import Plot


class ChartKeys:
    """For a view whose `chart` they belong to; it lists "chart" among its KEYS and BINDINGS."""

    chart: Plot

    def action_smoothing(self) -> None:
        self.chart.toggle_smoothing()

    def action_log_y(self) -> None:
        self.chart.toggle_log_y()

    def action_log_x(self) -> None:
        self.chart.toggle_log_x()

    def action_units(self) -> None:
        self.chart.cycle_unit()

    def action_zoom_in(self) -> None:
        self.chart.zoom_in()

    def action_zoom_out(self) -> None:
        self.chart.zoom_out()

    def action_whole(self) -> None:
        self.chart.whole()

    def action_crosshair(self) -> None:
        self.chart.focus()
        self.chart.toggle_crosshair()
