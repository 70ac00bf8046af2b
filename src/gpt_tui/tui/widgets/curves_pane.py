"""Small curves of what goes along with the loss: learning rate, speed, gradient norm."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from textual import events
from textual.content import Content

from gpt_tui.core.runs import History
from gpt_tui.tui import figures
from gpt_tui.tui.widgets.pane import Pane


class CurvesPane(Pane):
    def __init__(self, label: str, letter: str, *, id: str | None = None) -> None:
        super().__init__(label, letter, id=id)
        self._history: History | None = None

    def show(self, history: History) -> None:
        self._history = history
        width = self.scrollable_content_region.width
        if not self.display or width < 12 or not len(history.steps):
            return
        rows = (
            ("learning rate", history.learning_rates, figures.rate),
            ("tokens/s", history.tokens_per_second, figures.count),
            ("gradient norm", history.grad_norms, figures.norm),
        )
        lines: list[Content] = []
        for name, column, written in rows:
            value = written(float(column[-1]))
            lines.append(Content.assemble((name, "$text-muted"), " " * max(1, width - len(name) - len(value)), value))
            lines.append(Content.styled(figures.spark(_thinned(column, width)), "$text-secondary"))
        self.set_text(Content("\n").join(lines))

    def on_resize(self, _: events.Resize) -> None:
        if self._history is not None:
            self.show(self._history)


def _thinned(column: NDArray[np.float64], width: int) -> list[float]:
    """The means of `width` stretches of a column, so that a long run costs no more to write than a short one."""
    if len(column) <= width:
        return [float(value) for value in column]
    edges = np.linspace(0, len(column), width + 1).astype(int)
    with np.errstate(invalid="ignore"):
        sums = np.add.reduceat(column, edges[:-1])
    return [float(total / count) for total, count in zip(sums, np.diff(edges), strict=True)]
