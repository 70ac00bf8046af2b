"""A run's losses for other programs: a CSV table, and a plot as one self-contained SVG file."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np

from gpt_tui.core.errors import GptTuiError, shorten
from gpt_tui.core.events import Eval
from gpt_tui.core.files import reason, replace_whole
from gpt_tui.core.runs.history import History
from gpt_tui.core.runs.rows import Floats
from gpt_tui.core.runs.run import Run

COLUMNS = (
    "step",
    "time",
    "tokens",
    "loss",
    "learning_rate",
    "grad_norm",
    "tokens_per_second",
    "train_loss",
    "val_loss",
)


def to_csv(run: Run, path: Path) -> None:
    """Write one row a step; the two evaluation columns are blank where there was none, as is what is not finite.

    time: seconds of work; losses in nats per token. Written whole or not at all. Raises GptTuiError.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(_rows(run.history()))
    _write(path, text.getvalue())


def _rows(history: History) -> Iterator[list[str]]:
    evals = {e.step: e for e in history.evals}  # the last one counts where a step was evaluated twice
    done = set()
    waiting = sorted(evals)
    columns = [
        history.steps,
        history.times,
        history.tokens,
        history.losses,
        history.learning_rates,
        history.grad_norms,
        history.tokens_per_second,
    ]
    for step, *numbers in zip(*(column.tolist() for column in columns), strict=True):
        while waiting and waiting[0] < step:
            yield _eval_row(evals[waiting.pop(0)])
        if waiting and waiting[0] == step:
            done.add(waiting.pop(0))
        found = evals.get(step)
        losses = (found.train_loss, found.val_loss) if found else (math.nan, math.nan)
        yield [str(step), *map(_number, (*numbers, *losses))]
    for step in waiting:
        yield _eval_row(evals[step])


def _eval_row(found: Eval) -> list[str]:
    """An evaluation at a step that has no row of its own: the untrained model's."""
    blank = [""] * (len(COLUMNS) - 4)
    return [str(found.step), _number(found.time), *blank, _number(found.train_loss), _number(found.val_loss)]


def _number(value: float) -> str:
    return repr(value) if math.isfinite(value) else ""


def _write(path: Path, text: str) -> None:
    try:
        replace_whole(path, text.encode())
    except OSError as error:
        raise GptTuiError(f"{path} cannot be written: {reason(error)}") from None


# The plot --------------------------------------------------------------------------------------------------------

_WIDTH, _HEIGHT = 960, 560
_LEFT, _RIGHT, _TOP, _BOTTOM = 66, 130, 78, 58
_FONT = "Inter, 'Segoe UI', 'Helvetica Neue', Helvetica, Arial, 'DejaVu Sans', 'Liberation Sans', sans-serif"
_PAPER, _INK, _DIM, _GRID = "#ffffff", "#1f2933", "#66727f", "#e8ebef"
_TRAIN, _VALIDATION, _LADDER = "#2f6fb3", "#d1495b", "#8d99a6"
_LABEL_GAP = 15
_FURTHEST = 1e9  # a loss beyond, which only a diverged run or a forged log has, is off the picture
_MOST_POINTS = 60  # evaluations drawn as points of their own


@dataclass(frozen=True)
class _Frame:
    """From steps and losses to the picture's coordinates."""

    steps: tuple[float, float]
    losses: tuple[float, float]

    def x(self, step: float) -> float:
        low, high = self.steps
        return _LEFT + (step - low) / (high - low) * (_WIDTH - _LEFT - _RIGHT)

    def y(self, loss: float) -> float:
        low, high = self.losses
        y = _HEIGHT - _BOTTOM - (loss - low) / (high - low) * (_HEIGHT - _TOP - _BOTTOM)
        return min(max(y, -_HEIGHT), 2 * _HEIGHT)  # a spike beyond the frame is cut off there; its digits help nobody


def to_svg(run: Run, path: Path) -> None:
    """Draw the run's losses: training raw and smoothed, validation, the entropy ladder; of bounded size for any run.

    Written whole or not at all. Raises GptTuiError, also where the run has no losses yet.
    """
    _write(path, draw_svg(run.name, run.shelf_notes().title, run.history()))


def draw_svg(name: str, title: str, history: History) -> str:
    """The SVG document. Raises GptTuiError where there is nothing to draw."""
    evals = [e for e in history.evals if math.isfinite(e.val_loss)]
    steps, losses = history.steps.astype(np.float64), history.losses
    if not evals and not np.isfinite(losses).any():
        raise GptTuiError(f"{name} has no losses to draw yet")
    smoothed = smooth(losses, max(4, len(losses) // 120))
    frame = _Frame(_step_range(steps, evals), _loss_range(losses, evals, history))
    eval_steps = np.array([e.step for e in evals], np.float64)
    eval_losses = np.array([e.val_loss for e in evals])
    parts = [
        *_axes(frame),
        *_ladder(frame, history),
        '<g clip-path="url(#plot)" fill="none" stroke-linejoin="round" stroke-linecap="round">',
        _line(frame, steps, losses, f'stroke="{_TRAIN}" stroke-width="1" stroke-opacity="0.28"'),
        _line(frame, steps, smoothed, f'stroke="{_TRAIN}" stroke-width="2"'),
        _line(frame, eval_steps, eval_losses, f'stroke="{_VALIDATION}" stroke-width="2"'),
        "</g>",
        *_points(frame, evals, history.best),
        *_legend(bool(len(losses)), bool(evals)),
        *_titles(name, title, history),
    ]
    return "\n".join([*_opening(), *(part for part in parts if part), "</svg>", ""])


def smooth(values: Floats, reach: int) -> Floats:
    """The mean of each value and up to `reach` on either side, as many left as right, so that the curve does not lag.

    What is not finite stays a gap and counts nothing.
    """
    count = len(values)
    finite = np.isfinite(values)
    # A diverged loss of any size is off the picture, but must not cost its neighbours their last digits.
    sums = np.concatenate([[0.0], np.cumsum(np.where(finite, np.clip(values, -1e9, 1e9), 0.0))])
    counts = np.concatenate([[0], np.cumsum(finite)])
    places = np.arange(count)
    sides = np.minimum(reach, np.minimum(places, count - 1 - places))
    first, after = places - sides, places + sides + 1
    means = (sums[after] - sums[first]) / np.maximum(counts[after] - counts[first], 1)
    return np.where(finite, means, math.nan)


def thin(x: Floats, y: Floats, bins: int) -> tuple[Floats, Floats]:
    """At most two points for each of `bins` equal parts of x: its lowest and its highest, in their order.

    x rises. What is not finite is kept as one NaN between the points that it parts.
    """
    if len(x) <= 2 * bins:
        return x, np.where(np.isfinite(y), y, math.nan)
    edges = np.searchsorted(x, np.linspace(x[0], x[-1], bins + 1)[1:-1])
    chosen: list[int] = []
    for part in np.split(np.arange(len(x)), edges):
        finite = part[np.isfinite(y[part])]
        if finite.size:
            chosen += sorted({int(finite[np.argmin(y[finite])]), int(finite[np.argmax(y[finite])])})
        elif part.size:
            chosen.append(int(part[0]))
    return x[chosen], np.where(np.isfinite(y[chosen]), y[chosen], math.nan)


def ticks(low: float, high: float, most: int) -> list[float]:
    """At most `most` round numbers (1, 2 or 5 times a power of ten apart) from `low` to `high`."""
    power = 10.0 ** math.floor(math.log10((high - low) / most))
    for factor in (1, 2, 5, 10, 20, 50):
        step = factor * power
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        if last - first < most:
            break
    return [i * step for i in range(first, last + 1)]


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Places near the wanted ones, which rise: at least `gap` apart, and from `low` to `high` if there is room."""
    places: list[float] = []
    for place in wanted:
        places.append(max(place, places[-1] + gap if places else low))
    limit = high
    for i in range(len(places) - 1, -1, -1):
        places[i] = min(places[i], limit)
        limit = places[i] - gap
    return places


def _step_range(steps: Floats, evals: Sequence[Eval]) -> tuple[float, float]:
    every = [*steps[:1], *steps[-1:], *(e.step for e in evals)]
    return 0.0, max(1.0, max(every, default=1.0))


def _loss_range(losses: Floats, evals: Sequence[Eval], history: History) -> tuple[float, float]:
    finite = losses[np.isfinite(losses)]
    values = [e.val_loss for e in evals]
    if finite.size:
        # A rare spike must not flatten the curve: it is cut off at the frame, and everything else is whole.
        middle = float(np.quantile(finite, 0.995))
        first = float(finite[: max(1, len(finite) // 100)].max())
        values += [float(finite.min()), min(float(finite.max()), max(1.5 * middle, first))]
    low, high = (min(max(value, -_FURTHEST), _FURTHEST) for value in (min(values), max(values)))
    room = max(high - low, 1e-3 * max(1.0, abs(high)))
    near = [v for v in (history.started.ladder.values() if history.started else ()) if low - room / 5 <= v < low]
    low = min([low, *near])
    return low - 0.05 * room, high + 0.05 * room


def _opening() -> Iterable[str]:
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" '
        f'height="{_HEIGHT}" font-family="{_FONT}" font-size="12" fill="{_INK}">'
    )
    yield f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="{_PAPER}"/>'
    yield (
        f'<clipPath id="plot"><rect x="{_LEFT}" y="{_TOP}" width="{_WIDTH - _LEFT - _RIGHT}" '
        f'height="{_HEIGHT - _TOP - _BOTTOM}"/></clipPath>'
    )


def _axes(frame: _Frame) -> Iterable[str]:
    right, bottom = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM
    losses = ticks(*frame.losses, 8)
    decimals = max(0, -math.floor(math.log10(losses[1] - losses[0]))) if len(losses) > 1 else 2
    for loss in losses:
        y = frame.y(loss)
        yield f'<path d="M{_LEFT} {y:.1f}H{right}" stroke="{_GRID}"/>'
        yield f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end" fill="{_DIM}">{loss:.{decimals}f}</text>'
    for step in ticks(*frame.steps, 10):
        x = frame.x(step)
        yield f'<path d="M{x:.1f} {bottom}v5" stroke="{_DIM}"/>'
        yield f'<text x="{x:.1f}" y="{bottom + 19}" text-anchor="middle" fill="{_DIM}">{_count(step)}</text>'
    yield f'<path d="M{_LEFT} {_TOP}V{bottom}H{right}" fill="none" stroke="{_DIM}"/>'
    middle = (_TOP + bottom) / 2
    yield f'<text x="{(_LEFT + right) / 2}" y="{bottom + 42}" text-anchor="middle">step</text>'
    yield f'<text transform="translate(20 {middle}) rotate(-90)" text-anchor="middle">loss (nats per token)</text>'


def _count(value: float) -> str:
    for size, unit in ((1e9, "G"), (1e6, "M")):
        if value >= size:
            return f"{value / size:g}{unit}"
    return f"{value:,g}" if value < 1 else f"{value:,.0f}" if value == int(value) else f"{value:g}"


def _ladder(frame: _Frame, history: History) -> Iterable[str]:
    """Dashed lines of the entropy ladder, labelled in the right margin."""
    if history.started is None:
        return
    low, high = frame.losses
    rungs = sorted(((v, n) for n, v in history.started.ladder.items() if low <= v <= high), reverse=True)
    right = _WIDTH - _RIGHT
    places = spread([frame.y(v) for v, _ in rungs], _LABEL_GAP, _TOP, _HEIGHT - _BOTTOM)
    for (value, name), place in zip(rungs, places, strict=True):
        y = frame.y(value)
        yield f'<path d="M{_LEFT} {y:.1f}H{right}" stroke="{_LADDER}" stroke-dasharray="2 4"/>'
        yield f'<path d="M{right} {y:.1f}L{right + 10} {place:.1f}" stroke="{_LADDER}" stroke-opacity="0.6"/>'
        label = f"{escape(shorten(name, 17))} {value:.2f}"
        yield f'<text x="{right + 14}" y="{place + 4:.1f}" font-size="11" fill="{_DIM}">{label}</text>'


def _line(frame: _Frame, steps: Floats, losses: Floats, style: str) -> str:
    x, y = thin(steps, losses, _WIDTH - _LEFT - _RIGHT)
    commands, pen_down = [], False
    for step, loss in zip(x.tolist(), y.tolist(), strict=True):
        if math.isnan(loss):
            pen_down = False
            continue
        commands.append(f"{'L' if pen_down else 'M'}{frame.x(step):.1f} {frame.y(loss):.1f}")
        pen_down = True
    return f'<path d="{"".join(commands)}" {style}/>' if commands else ""


def _points(frame: _Frame, evals: Sequence[Eval], best: Eval | None) -> Iterable[str]:
    for found in evals if len(evals) <= _MOST_POINTS else ():
        place = f'cx="{frame.x(found.step):.1f}" cy="{frame.y(found.val_loss):.1f}"'
        yield f'<circle {place} r="3.2" fill="{_VALIDATION}" stroke="{_PAPER}"/>'
    if best is not None:
        place = f'cx="{frame.x(best.step):.1f}" cy="{frame.y(best.val_loss):.1f}"'
        yield f'<circle {place} r="6.5" fill="none" stroke="{_VALIDATION}" stroke-width="1.5"/>'


def _legend(trained: bool, evaluated: bool) -> Iterable[str]:
    entries = []
    if trained:
        entries.append(("training, smoothed", _TRAIN, 2.0, 1.0))
        entries.append(("training, each step", _TRAIN, 1.0, 0.4))
    if evaluated:
        entries.append(("validation", _VALIDATION, 2.0, 1.0))
    width, right = 178, _WIDTH - _RIGHT - 10
    left, top = right - width, _TOP + 10
    yield (
        f'<rect x="{left}" y="{top}" width="{width}" height="{len(entries) * 19 + 10}" rx="4" '
        f'fill="{_PAPER}" fill-opacity="0.9" stroke="{_GRID}"/>'
    )
    for i, (text, colour, thickness, opacity) in enumerate(entries):
        y = top + 14.5 + 19 * i
        yield (
            f'<path d="M{left + 10} {y}h22" stroke="{colour}" stroke-width="{thickness}" stroke-opacity="{opacity}"/>'
        )
        if colour == _VALIDATION:
            yield f'<circle cx="{left + 21}" cy="{y}" r="3.2" fill="{colour}" stroke="{_PAPER}"/>'
        yield f'<text x="{left + 40}" y="{y + 4}">{text}</text>'


def _titles(name: str, title: str, history: History) -> Iterable[str]:
    heading = f"{title} ({name})" if title else name
    yield f'<text x="{_LEFT}" y="34" font-size="19" font-weight="600">{escape(shorten(heading, 76))}</text>'
    facts = []
    if (started := history.started) is not None:
        facts.append(f"{shorten(started.dataset.name, 40)}, {started.parameters:,} parameters")
    if (best := history.best) is not None:
        facts.append(f"best validation loss {best.val_loss:.4f} at step {best.step:,}")
    yield f'<text x="{_LEFT}" y="56" font-size="13" fill="{_DIM}">{escape(" · ".join(facts))}</text>'
