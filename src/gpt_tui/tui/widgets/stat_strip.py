"""The run in figures, on one line or two: every figure has its place and its width, so that nothing moves."""

from __future__ import annotations

from dataclasses import dataclass, replace

from textual import events
from textual.content import Content

from gpt_tui.tui import figures
from gpt_tui.tui.machine import Gpu
from gpt_tui.tui.state import State
from gpt_tui.tui.widgets.header import Part
from gpt_tui.tui.widgets.line import Line

ONE_LINE = 112  # columns from which everything fits on one line
GPU_CELLS = 28  # more than that, where a GPU's figures stand there too
BAR, LEAST_BAR = 10, 4


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
    gpu: Gpu | None = None


class StatStrip(Line):
    DEFAULT_CSS = """
    StatStrip { height: 2; padding: 0 1; }
    StatStrip.-wide { height: 1; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._figures = Figures()
        self._work: State | None = None

    def set(self, values: Figures, state: State | None = None) -> None:
        """state: of the run; what takes long meanwhile has the place of the steps until it is done."""
        self._figures = values
        self._work = state if state is not None and state.takes_long else None
        self._lay_out()

    def on_resize(self, _: events.Resize) -> None:
        self._lay_out()

    def _lay_out(self) -> None:
        self.set_class(self._wide, "-wide")
        self._draw()

    @property
    def _wide(self) -> bool:
        return self.size.width >= ONE_LINE + (GPU_CELLS if self._figures.gpu else 0)

    def _draw(self) -> None:
        width = self.size.width
        values = self._figures
        if not width:
            return
        if self._wide:
            steps = _step(values, BAR) + Content("  ") + _left(values)
            if self._work is not None:
                steps = _working(self._work, steps.cell_length)
            self.show(_join([steps, *_learning(values), *_machine(values)], width))
        elif self._work is not None:
            first = _working(self._work, width).truncate(width, ellipsis=True)
            self.show(Content("\n").join([first, _join(_learning(values), width)]))
        else:
            taken = _step(values, 0).cell_length + 1
            ends = _fitting([_left(values), *_machine(values)], width - taken - LEAST_BAR)
            taken += sum(cell.cell_length + 2 for cell in ends)
            first = _join([_step(values, max(LEAST_BAR, min(30, width - taken))), *ends], width)
            self.show(Content("\n").join([first, _join(_learning(values), width)]))


def _join(cells: list[Content], width: int) -> Content:
    """Cells with two spaces between them, or one where that is what fits; what does not fit even so is left out."""
    gap = "  " if sum(cell.cell_length + 2 for cell in cells) - 2 <= width else " "
    while len(cells) > 1 and sum(cell.cell_length + len(gap) for cell in cells) - len(gap) > width:
        cells = cells[:-1]
    return Content(gap).join(cells)


def _fitting(cells: list[Content], room: int) -> list[Content]:
    """The first cells, as many as have room with two spaces before each."""
    while cells and sum(cell.cell_length + 2 for cell in cells) > room:
        cells = cells[:-1]
    return cells


def _cell(*parts: Part) -> Content:
    return Content.assemble(*parts)


def _step(v: Figures, bar: int) -> Content:
    total = str(v.max_iters) if v.max_iters else figures.MISSING
    cell = _cell(("step ", "$text-muted"), (f"{v.step:>{len(total)}}", "bold"), (f"/{total}", "$text-muted"))
    if not bar:
        return cell
    done, todo = figures.bar(v.step / v.max_iters if v.max_iters else 0.0, bar)
    return cell + _cell(" ", (done, "$accent"), (todo, "$border-blurred"))


def _working(work: State, width: int) -> Content:
    """What is being done, a bar of what is done of it, and how long it still takes."""
    left = f" {figures.duration(work.left)} left" if work.left is not None else ""
    skip = " · esc leaves it out" if work.skippable else ""
    what = replace(work, left=None).progress()
    for ends in (left + skip, left, ""):
        said = _cell((what, "$text-accent"), (ends, "$text-muted"))
        if said.cell_length <= width:
            break
    bar = min(30, width - said.cell_length - 1)
    if work.share is None or bar < LEAST_BAR:
        return said.pad_right(max(0, width - said.cell_length))
    done, todo = figures.bar(work.share, bar)
    drawn = _cell((f"{what} ", "$text-accent"), (done, "$accent"), (todo, "$border-blurred"), (ends, "$text-muted"))
    return drawn.pad_right(max(0, width - drawn.cell_length))


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
    """What a run takes. A GPU that tells of itself comes first; its heat only where all the rest has room."""
    if v.gpu is not None:
        first, last = [_of_gpu(v.gpu)], _heat(v.gpu)
    else:
        first, last = ([f"{figures.size(v.memory):>6}"] if v.memory is not None else []), ""
    processor = [] if v.use is None else [f"{v.use:>4.0f}% cpu"]
    return [_cell((text, "$text-muted")) for text in (*first, *processor, last) if text]


def _of_gpu(gpu: Gpu) -> str:
    """ "12.3/139 GB  97% gpu": memory in use of all there is, and the share of the time at work."""
    total = f"{gpu.total / 1e9:.0f}"
    use = "" if gpu.use is None else f" {gpu.use:>3.0f}%"
    return f"{gpu.memory / 1e9:>{len(total) + 2}.1f}/{total} GB{use} gpu"


def _heat(gpu: Gpu) -> str:
    told = [(gpu.temperature, "C"), (gpu.power, "W")]
    return " ".join(f"{value:>3.0f} {unit}" for value, unit in told if value is not None)
