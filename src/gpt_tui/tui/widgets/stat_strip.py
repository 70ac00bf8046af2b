"""The run in figures, on one line or two: every figure has its place and its width, so that nothing moves."""

from __future__ import annotations

from dataclasses import dataclass

from textual import events
from textual.content import Content

from gpt_tui.tui import figures
from gpt_tui.tui.widgets.header import Part
from gpt_tui.tui.widgets.line import Line

ONE_LINE = 112  # columns from which everything fits on one line
BAR = 10


@dataclass(frozen=True)
class Figures:
    """What is known now; None is not known yet."""

    step: int = 0
    max_iters: int = 0
    loss: float | None = None
    val_loss: float | None = None
    best: bool = False
    learning_rate: float | None = None
    tokens_per_second: float | None = None
    grad_norm: float | None = None
    eta: float | None = None
    seconds: float | None = None
    running: bool = False
    memory: int | None = None
    use: float | None = None  # share of one processor, in per cent


class StatStrip(Line):
    DEFAULT_CSS = """
    StatStrip { height: 2; padding: 0 1; }
    StatStrip.-wide { height: 1; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._figures = Figures()

    def set(self, values: Figures) -> None:
        self._figures = values
        self._draw()

    def on_resize(self, _: events.Resize) -> None:
        self.set_class(self.size.width >= ONE_LINE, "-wide")
        self._draw()

    def _draw(self) -> None:
        width = self.size.width
        values = self._figures
        if not width:
            return
        if width >= ONE_LINE:
            line = _join([_step(values, BAR), *_learning(values), _left(values), *_machine(values)], width)
            self.show(line)
        else:
            ends = [_left(values), *_machine(values)]
            taken = sum(cell.cell_length + 2 for cell in ends) + _step(values, 0).cell_length
            first = _join([_step(values, max(4, min(30, width - taken - 1))), *ends], width)
            self.show(Content("\n").join([first, _join(_learning(values), width)]))


def _join(cells: list[Content], width: int) -> Content:
    """Cells with two spaces between them, or one where that is what fits; what does not fit even so is left out."""
    gap = "  " if sum(cell.cell_length + 2 for cell in cells) - 2 <= width else " "
    while len(cells) > 1 and sum(cell.cell_length + len(gap) for cell in cells) - len(gap) > width:
        cells = cells[:-1]
    return Content(gap).join(cells)


def _cell(*parts: Part) -> Content:
    return Content.assemble(*parts)


def _step(v: Figures, bar: int) -> Content:
    total = str(v.max_iters) if v.max_iters else figures.MISSING
    cell = _cell(("step ", "$text-muted"), (f"{v.step:>{len(total)}}", "bold"), (f"/{total}", "$text-muted"))
    if not bar:
        return cell
    done, todo = figures.bar(v.step / v.max_iters if v.max_iters else 0.0, bar)
    return cell + _cell(" ", (done, "$accent"), (todo, "$border-blurred"))


def _learning(v: Figures) -> list[Content]:
    best = ("▼", "$text-success") if v.best else " "
    return [
        _cell(("loss ", "$text-muted"), (f"{figures.loss(v.loss):<5}", "bold")),
        _cell(("val ", "$text-muted"), (f"{figures.loss(v.val_loss):<5}", "bold"), " ", best),
        _cell(("lr ", "$text-muted"), f"{figures.rate(v.learning_rate):<6}"),
        _cell(f"{figures.count(v.tokens_per_second):>5}", (" tok/s", "$text-muted")),
        _cell(("grad ", "$text-muted"), f"{figures.norm(v.grad_norm):<5}"),
    ]


def _left(v: Figures) -> Content:
    """Time left while it runs, time taken when it does not."""
    if v.running:
        return _cell(f"{figures.duration(v.eta):>7}", (" left", "$text-muted"))
    return _cell(f"{figures.duration(v.seconds):>7}", (" took", "$text-muted"))


def _machine(v: Figures) -> list[Content]:
    cells = []
    if v.memory is not None:
        cells.append(_cell((f"{figures.size(v.memory):>6}", "$text-muted")))
    if v.use is not None:
        cells.append(_cell((f"{v.use:>4.0f}% cpu", "$text-muted")))
    return cells
