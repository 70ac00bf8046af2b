"""The chart's arithmetic: extremes of ranges, the moving average, scales, ticks and limits."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt_tui.tui.widgets.chart import Series, axes, limits
from gpt_tui.tui.widgets.chart.axes import Scale
from gpt_tui.tui.widgets.chart.pyramid import Pyramid

NUMBERS = st.floats(-1e6, 1e6) | st.sampled_from([math.nan, math.inf, -math.inf])
BETAS = (0.6, 0.9, 0.98)


def plain_average(values: list[float], beta: float) -> list[float]:
    """The debiased exponential moving average, written out."""
    mean, seen, averages = 0.0, 0, []
    for value in values:
        if not math.isfinite(value):
            averages.append(math.nan)
            continue
        mean = beta * mean + (1 - beta) * value
        seen += 1
        averages.append(mean / (1 - beta**seen))
    return averages


@given(chunks=st.lists(st.lists(NUMBERS, max_size=40), max_size=8), data=st.data())
def test_the_extremes_of_any_range_are_those_of_the_numbers_in_it(
    chunks: list[list[float]], data: st.DataObject
) -> None:
    pyramid = Pyramid()
    for chunk in chunks:
        pyramid.extend(np.array(chunk, dtype=float))
    numbers = [n for chunk in chunks for n in chunk]
    start = data.draw(st.integers(0, len(numbers)))
    stop = data.draw(st.integers(start, len(numbers)))
    low, high = pyramid.extremes(np.array([start, 0]), np.array([stop, len(numbers)]))
    for (first, last), found in zip(((start, stop), (0, len(numbers))), zip(low, high, strict=True), strict=True):
        finite = [n for n in numbers[first:last] if math.isfinite(n)]
        assert found == (min(finite), max(finite)) if finite else np.isnan(found).all()


@pytest.mark.parametrize("beta", BETAS)
@given(chunks=st.lists(st.lists(NUMBERS, max_size=300), max_size=4))
def test_the_average_is_the_plain_formula_however_the_data_come(beta: float, chunks: list[list[float]]) -> None:
    series = Series("train", smooth=True)
    for chunk in chunks:
        series.extend(range(len(series), len(series) + len(chunk)), chunk)
        series.smoothed(beta)
    expected = plain_average([n for chunk in chunks for n in chunk], beta)
    np.testing.assert_allclose(series.smoothed(beta).values, expected, rtol=1e-9, atol=1e-6)


def test_the_average_of_a_long_run_is_the_plain_formula() -> None:
    values = np.random.default_rng(3).normal(2, 1, 20_001)
    series = Series("train", range(len(values)), values, smooth=True)
    for beta in BETAS:
        np.testing.assert_allclose(series.smoothed(beta).values, plain_average(values.tolist(), beta), rtol=1e-10)


def test_the_average_begins_at_the_first_value_and_not_near_zero() -> None:
    assert Series("train", [0, 1], [4.2, 4.2], smooth=True).smoothed(0.98).values == pytest.approx([4.2, 4.2])


def test_a_series_takes_none_and_infinity_as_gaps_and_remembers_what_was_given() -> None:
    series = Series("train", [0, 1, 2], [None, math.inf, 2.0])
    assert np.isnan(series.pyramid.values).tolist() == [True, True, False]
    assert series.y[1] == math.inf


@pytest.mark.parametrize(("x", "y"), [([1, 0], [1, 1]), ([math.nan], [1]), ([1, 2], [1]), ([0], [1])])
def test_a_series_refuses_points_that_go_back_or_do_not_pair(x: list[float], y: list[float]) -> None:
    series = Series("train", [0.5], [1])
    with pytest.raises(ValueError, match="train"):
        series.extend(x, y)
    assert len(series) == 1


def test_the_nearest_point_is_found_on_either_side_and_the_earlier_wins_a_tie() -> None:
    series = Series("train", [0, 10, 20], [3, 2, 1])
    assert [series.nearest(x) for x in (-5, 4, 5, 6, 19, 99)] == [0, 0, 0, 1, 2, 2]
    assert Series("empty").nearest(0) is None


@given(low=st.floats(-1e9, 1e9), span=st.floats(1e-3, 1e9), count=st.integers(1, 30))
def test_linear_ticks_are_in_range_evenly_spaced_and_few(low: float, span: float, count: int) -> None:
    ticks = axes.linear_ticks(low, low + span, count)
    assert len(ticks) <= count + 1
    assert all(low - span * 1e-6 <= t <= low + span * (1 + 1e-6) for t in ticks)
    step = axes.nice_step((low + span) - low, count)
    assert f"{step:e}"[0] in "125"
    assert np.diff(ticks) == pytest.approx([step] * (len(ticks) - 1), rel=1e-6, abs=1e-6)


def test_ticks_are_the_numbers_a_person_would_write() -> None:
    assert axes.linear_ticks(0, 1, 10) == [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]
    assert axes.log_ticks(1, 2000, 4) == [1, 10, 100, 1000]
    assert axes.log_ticks(1, 2000, 12) == [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000]
    assert axes.log_ticks(1.6, 4.3, 9) == [2, 3, 4]
    assert axes.log_ticks(2.1, 2.9, 5) == [2.2, 2.4, 2.6, 2.8]
    assert axes.log_ticks(1, 1e12, 6) == [1, 1e3, 1e6, 1e9, 1e12]
    assert axes.time_ticks(0, 200, 4) == [0, 60, 120, 180]


@given(low=st.floats(1e-9, 1e9), ratio=st.floats(1.001, 1e12), count=st.integers(1, 30))
def test_log_ticks_are_in_range_in_order_and_multiples_of_a_power_of_ten(low: float, ratio: float, count: int) -> None:
    ticks = axes.log_ticks(low, low * ratio, count)
    assert ticks == sorted(set(ticks))
    assert all(low * (1 - 1e-6) <= t <= low * ratio * (1 + 1e-6) for t in ticks)
    if ratio >= 10:
        assert ticks
        assert all(
            t / 10 ** math.floor(math.log10(t) + 1e-9)
            == pytest.approx(round(t / 10 ** math.floor(math.log10(t) + 1e-9)))
            for t in ticks
        )


def test_a_log_x_axis_shows_step_zero_at_its_left_end_with_its_label() -> None:
    scale = Scale(0, 1000, log=True, straight_to=1)
    assert scale.fraction(0) == 0
    assert scale.fraction(1000) == 1
    assert float(scale.fraction(100) - scale.fraction(10)) == pytest.approx(
        float(scale.fraction(10) - scale.fraction(1))
    )
    assert axes.x_ticks(scale, 5, "steps") == [0, 1, 10, 100, 1000]


@given(value=st.floats(-1e6, 1e12), log=st.booleans())
def test_a_scale_gives_back_the_value_it_was_asked_for(value: float, log: bool) -> None:
    scale = Scale(0, 5000, log, straight_to=2.0 if log else None)
    assert float(scale.value(scale.fraction(value))) == pytest.approx(value, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize(
    ("value", "unit", "label", "reading"),
    [
        (1240, "steps", "1240", "step 1,240"),
        (20_000, "steps", "20k", "step 20,000"),
        (1_250_000, "tokens", "1.25M", "1,250,000 tokens"),
        (42, "seconds", "0:42", "0:42.00"),
        (3905, "seconds", "1:05:05", "1:05:05"),
        (0.5, "seconds", "0.5 s", "0:00.50"),
        (1.2e15, "FLOPs", "1.2P", "1.2 PFLOP"),
        (0, "FLOPs", "0", "0 FLOP"),
    ],
)
def test_places_on_the_x_axis_are_named_in_their_unit(value: float, unit: axes.Unit, label: str, reading: str) -> None:
    assert axes.x_label(value, unit) == label
    assert axes.x_reading(value, unit) == reading


@given(start=st.integers(0, 10**9), step=st.sampled_from([1, 2, 5, 50, 1000]))
def test_neighbouring_ticks_never_have_the_same_label(start: int, step: int) -> None:
    labels = [axes.x_label(start + k * step, "steps") for k in range(5)]
    assert len(set(labels)) == 5


def test_y_labels_have_their_points_under_each_other() -> None:
    assert axes.y_labels([1.5, 2.0, 2.5]) == ["1.5", "2.0", "2.5"]
    assert axes.y_labels([1.25, 1.5]) == ["1.25", "1.50"]
    assert axes.y_labels([1, 2]) == ["1", "2"]


def test_the_initial_loss_stays_in_view_but_a_lone_spike_does_not_flatten_the_rest() -> None:
    steps = np.arange(100_000)
    loss = 1.2 + 3.0 * np.exp(-steps / 300)
    loss[60_000] = 9000.0
    blocks = loss.reshape(-1, 500)
    keep = [limits.opening(loss)]
    low, high = limits.robust_extent(blocks.min(axis=1), blocks.max(axis=1), keep)
    assert low == pytest.approx(1.2)
    assert high == pytest.approx(4.2, abs=0.05)


def test_a_first_value_far_off_is_a_spike_too() -> None:
    assert limits.opening(np.array([1e9, 4.2, 4.1, 4.0, 3.9])) == 4.2
    assert limits.opening(np.array([math.nan, 4.2])) == 4.2
    assert limits.opening(np.array([])) is None


@given(st.lists(st.floats(0.5, 5), min_size=1, max_size=60))
def test_ordinary_data_lie_within_the_y_scale(values: list[float]) -> None:
    array = np.array(values)
    extent = limits.robust_extent(array, array, [max(values), min(values)])
    assert extent is not None
    for log in (False, True):
        scale = limits.y_scale(extent, [], log)
        assert 0 <= float(scale.fraction(min(values))) <= float(scale.fraction(max(values))) <= 1


def test_the_y_scale_reaches_down_to_the_next_rung_when_that_is_near() -> None:
    near, far = limits.y_scale((2.0, 4.0), [3.0, 1.8], False), limits.y_scale((2.0, 4.0), [3.0, 1.0], False)
    assert near.low < 1.8
    assert far.low > 1.5


@given(st.lists(st.floats(width=32), min_size=1, max_size=80), st.data())
def test_extremes_asked_for_again_are_those_of_the_ranges_as_they_are_by_then(
    numbers: list[float], data: st.DataObject
) -> None:
    pyramid = Pyramid()
    for number in numbers:
        pyramid.extend(np.array([number]))
        bounds = np.array(sorted(data.draw(st.lists(st.integers(0, len(pyramid)), min_size=4, max_size=4))))
        fresh = Pyramid()
        fresh.extend(pyramid.values)
        for again in range(2):
            found = pyramid.extremes(bounds[:-1], bounds[1:])
            for one, other in zip(found, fresh.extremes(bounds[:-1], bounds[1:]), strict=True):
                np.testing.assert_array_equal(one, other)
            found[0][:] = again  # whoever asks may write into the answer
