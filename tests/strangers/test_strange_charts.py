"""Numbers from anyone as a chart: drawn whatever they are, with no arithmetic that overflows on the way."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import Any, get_args

import pytest
from hostile import FLOATS, TERMINAL, much, unseen

from gpt_tui.tui.widgets.chart import Mark, Reference, Series, Unit
from gpt_tui.tui.widgets.chart.plot import Plan, draw

VALUES = (*(float(number) for number in FLOATS if not isinstance(number, int)), 1.7976931348623157e308, 1.0, 2.5, 2.6)
SPACES = (1.0, 0.0, 1e-310, 1e-13, 0.1, 1e6, 1e96)  # between one x and the next


def series_of(y: Sequence[float], space: float = 1.0, **how: Any) -> Series:
    return Series(TERMINAL, [n * space for n in range(len(y))], y, **how)


def shown(plan: Plan) -> str:
    grid = draw(plan).grid
    return "\n".join(map(grid.text, range(grid.height)))


@much(60, seconds=10)
def test_numbers_of_any_size_are_drawn(much: Any) -> None:
    def once(choose: random.Random) -> None:
        space, count = choose.choice(SPACES), choose.choice((1, 2, 3, 5, 40, 400))
        known = choose.sample(VALUES, choose.choice((1, 2, len(VALUES))))
        y = [choose.choice(known) for _ in range(count)]
        smooth, raw = choose.random() < 0.5, choose.random() < 0.5
        series = series_of(y, space, smooth=smooth, raw=raw), series_of(y[::2], space * 2, marker="◆")
        end = max(float(series[0].x[-1]), 1e-6)
        plan = Plan(
            choose.choice((1, 5, 20, 80, 200)),
            choose.choice((1, 3, 10, 40)),
            series,
            [Reference(TERMINAL, choose.choice(VALUES)) for _ in range(choose.randrange(3))],
            [Mark(end / 2, TERMINAL)],
            window=choose.choice((None, (end / 4, end / 2), (-end, 2 * end))),
            x_end=choose.choice((None, end * 2, 2.0**62)),
            unit=choose.choice(get_args(Unit)),
            smoothing=choose.choice((0.0, 0.9, 0.99)),
            log_x=choose.random() < 0.5,
            log_y=choose.random() < 0.5,
            crosshair=choose.choice((None, 0.0, end / 2, end)),
            ascii=choose.random() < 0.3,
        )
        assert not unseen(shown(plan))

    much.of(once)


@pytest.mark.parametrize(
    "plan",
    [
        Plan(80, 10, [series_of([1e308, -1e308] * 4)], window=(0.5, 2.5)),  # the way from one to the other
        Plan(80, 10, [series_of([1e308] * 4)]),  # the middle of the first five
        Plan(80, 10, [series_of([2.0, 3.0, 2.0], 1e-310)], window=(-1, 1), log_x=True),  # how far -1 is from there
        Plan(80, 10, [series_of([-1.79e308, 1.79e308, 1.79e308], 0)], log_y=True),  # a top beyond all decades
    ],
)
def test_numbers_that_overflowed_once_are_drawn(plan: Plan) -> None:
    assert shown(plan).strip()


def test_a_value_beyond_any_axis_is_read_out_as_it_is() -> None:
    loss = series_of([2.0, 1e308, 2.0, math.nan])
    assert "1e+308" in shown(Plan(80, 10, [loss], crosshair=1.0))
