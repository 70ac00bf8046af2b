"""The live chart: series, their moving average, reference lines and marks, at the cost of the screen's width.

The widget is `Chart`; what it draws is decided by `plot.draw`, from a `Plan` to a grid of cells, without a screen.
"""

from gpt_tui.tui.widgets.chart.axes import UNITS, Unit
from gpt_tui.tui.widgets.chart.read_out import Reading
from gpt_tui.tui.widgets.chart.series import Mark, Reference, Series
from gpt_tui.tui.widgets.chart.widget import SMOOTHINGS, Chart

__all__ = ["SMOOTHINGS", "UNITS", "Chart", "Mark", "Reading", "Reference", "Series", "Unit"]
