"""What the chart draws, compared cell by cell with the data, without an app."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpt_tui.tui.widgets.chart import UNITS, Mark, Reference, Series
from gpt_tui.tui.widgets.chart.plot import Frame, Plan, draw
from gpt_tui.tui.widgets.chart.read_out import boxes, read_out

LADDER = (
    Reference("uniform", 4.174),
    Reference("unigram", 3.347),
    Reference("bigram", 2.486),
    Reference("trigram", 2.049),
    Reference("4-gram", 1.774),
    Reference("5-gram", 1.669),
    Reference("6-gram", 1.698),
)


def loss_curve(points: int, seed: int = 1) -> list[Series]:
    steps = np.arange(points)
    clean = 1.8 + 2.4 * np.exp(-steps / max(points / 12, 1))
    loss = clean + np.random.default_rng(seed).normal(0, 0.08, points)
    every = max(points // 8, 1)
    return [
        Series("train", steps, loss, smooth=True),
        Series("validation", steps[::every], clean[::every] + 0.05, role="validation", marker="◆"),
    ]


def text_of(frame: Frame) -> list[str]:
    return [frame.grid.text(y) for y in range(frame.grid.height)]


def dots_of(frame: Frame) -> list[set[int]]:
    """The dot rows that are set in each dot column of the plot, read from the braille characters."""
    bits = {
        0x01: (0, 0),
        0x02: (1, 0),
        0x04: (2, 0),
        0x40: (3, 0),
        0x08: (0, 1),
        0x10: (1, 1),
        0x20: (2, 1),
        0x80: (3, 1),
    }
    assert frame.box
    box = frame.box
    columns: list[set[int]] = [set() for _ in range(2 * box.width)]
    for row in range(box.height):
        for column in range(box.width):
            code = int(frame.grid.codes[box.top + row, box.left + column])
            if 0x2800 <= code <= 0x28FF:
                for bit, (down, right) in bits.items():
                    if code & bit:
                        columns[2 * column + right].add(4 * row + down)
    return columns


def places(
    frame: Frame, xs: Sequence[float], ys: Sequence[float], log_x: bool, log_y: bool
) -> list[tuple[int, int] | None]:
    """Dot column and row of each point, reckoned one by one; None for a gap or where rounding could go either way."""
    assert frame.box
    assert frame.x_scale
    assert frame.y_scale

    def share(value: float, low: float, high: float, log: bool) -> float:
        if log:
            value, low, high = (math.log(v) for v in (value, low, high))
        return (value - low) / (high - low)

    found: list[tuple[int, int] | None] = []
    for x, y in zip(xs, ys, strict=True):
        if not math.isfinite(y):
            found.append(None)
            continue
        across = share(x, frame.x_scale.low, frame.x_scale.high, log_x) * (2 * frame.box.width - 1)
        down = (1 - share(y, frame.y_scale.low, frame.y_scale.high, log_y)) * (4 * frame.box.height - 1)
        uncertain = min(abs(v % 1 - 0.5) for v in (across, down)) < 1e-6
        found.append(None if uncertain else (round(across), round(down)))
    return found


def assert_unbroken(dots: list[set[int]]) -> None:
    assert all(dots)
    assert all(min(a) - 1 <= max(b) and min(b) - 1 <= max(a) for a, b in pairwise(dots))


VALUES = st.floats(0.5, 6.0) | st.just(math.nan)


@settings(max_examples=60)
@given(
    values=st.lists(VALUES, min_size=2, max_size=400).filter(lambda v: any(map(math.isfinite, v))),
    width=st.integers(8, 90),
    height=st.integers(3, 30),
    log_x=st.booleans(),
    log_y=st.booleans(),
)
def test_every_column_covers_its_data_from_smallest_to_largest_and_no_more_than_the_way_to_its_neighbours(
    values: list[float], width: int, height: int, log_x: bool, log_y: bool
) -> None:
    xs = list(range(1, len(values) + 1))
    frame = draw(Plan(width, height, [Series("", xs, values)], log_x=log_x, log_y=log_y))
    if frame.y_scale is None:
        return
    dots = dots_of(frame)
    assert frame.box
    rows = 4 * frame.box.height
    expected: dict[int, list[int]] = {}
    points = places(frame, xs, values, log_x, log_y)
    for place in points:
        if place:
            expected.setdefault(place[0], []).append(place[1])
    clipped = any(sign in line for sign in "▲▼" for line in text_of(frame))
    for column, heights in expected.items():
        wanted = set(range(max(min(heights), 0), min(max(heights), rows - 1) + 1))
        assert clipped or wanted <= dots[column]
    if None not in points:  # every point is known, so what else is drawn lies on the way between neighbours
        known = sorted(expected)
        for column, drawn in enumerate(dots):
            before = max((c for c in known if c < column), default=known[0])
            after = min((c for c in known if c > column), default=known[-1])
            near = [h for c in (before, column, after) for h in expected.get(c, [])]
            assert not drawn or min(near) - 1 <= min(drawn) <= max(drawn) <= max(near) + 1
        if not clipped:
            assert_unbroken(dots)


@settings(max_examples=40)
@given(
    runs=st.lists(st.lists(VALUES, min_size=2, max_size=200), min_size=2, max_size=8),
    size=st.tuples(st.integers(20, 90), st.integers(5, 30)),
    markers=st.booleans(),
)
def test_every_point_of_every_run_has_its_dot_or_its_digit_and_a_cell_its_colour(
    runs: list[list[float]], size: tuple[int, int], markers: bool
) -> None:
    series = [
        Series(str(i), range(len(run)), run, role=f"run-{i}", marker=str(i) if markers else None, apart=12)
        for i, run in enumerate(runs, 1)
    ]
    frame = draw(Plan(*size, series))
    if frame.box is None:
        return
    dots, signs = dots_of(frame), {"▲", "▼", *(s.marker for s in series if s.marker)}
    firsts: dict[tuple[int, int], int] = {}  # cell -> the first run with a point there
    for number, s in enumerate(series, 1):
        for place in places(frame, s.x.tolist(), s.y.tolist(), False, False):
            if place is None or not 0 <= place[1] < 4 * frame.box.height:
                continue
            column, row = frame.box.left + place[0] // 2, frame.box.top + place[1] // 4
            assert place[1] in dots[place[0]] or chr(frame.grid.codes[row, column]) in signs
            firsts.setdefault((column, row), number)
    for (column, row), number in firsts.items():
        sign, role = chr(frame.grid.codes[row, column]), frame.grid.role_at(column, row)
        if sign.isdigit():
            assert role == f"run-{sign}"
        elif sign not in signs:  # a line between two points of a run before it may go through the cell too
            assert int(role.removeprefix("run-")) <= number


def test_a_single_spike_survives_a_million_points() -> None:
    loss = np.full(1_000_000, 2.0)
    loss[::2] = 2.2
    loss[654_321] = 2.75
    frame = draw(Plan(120, 40, [Series("", range(1_000_000), loss)]))
    assert frame.box
    column = round(654_321 / 999_999 * (2 * frame.box.width - 1))
    dots = dots_of(frame)
    assert min(dots[column]) < 12
    assert all(min(d) > 40 for c, d in enumerate(dots) if abs(c - column) > 1)


def test_a_giant_spike_is_cut_off_at_the_edge_and_marked_there_while_the_rest_keeps_its_height() -> None:
    series = loss_curve(2000)
    loss = series[0].y.copy()
    loss[700] = 9000.0
    spiked = Series("train", range(2000), loss, smooth=True)
    frame = draw(Plan(120, 40, [spiked], smoothing=0.9))
    assert frame.box
    assert frame.y_scale
    assert frame.y_scale.high < 5
    top = text_of(frame)[0]
    assert top.count("▲") == 1
    assert abs(top.index("▲") - frame.box.left - 700 / 1999 * frame.box.width) <= 1


def test_the_line_breaks_where_the_loss_is_not_a_number() -> None:
    values = [2.0] * 40 + [math.nan] * 20 + [2.0] * 40
    frame = draw(Plan(100, 10, [Series("", range(100), values)]))
    dots = dots_of(frame)
    last = len(dots) - 1
    inside = [dots[c] for c in range(len(dots)) if 39.6 < c / last * 99 < 59.4]
    outside = [dots[c] for c in range(len(dots)) if c / last * 99 < 39.4 or c / last * 99 > 59.6]
    assert inside
    assert not any(inside)
    assert all(outside)


def test_infinity_is_a_gap_and_does_not_move_the_axis() -> None:
    frame = draw(Plan(60, 10, [Series("", range(5), [2.0, 3.0, math.inf, -math.inf, 2.5])]))
    assert frame.y_scale
    assert frame.y_scale.high < 4
    assert frame.y_scale.low > 1


def test_a_line_between_two_points_is_straight_and_unbroken() -> None:
    frame = draw(Plan(60, 20, [Series("", [0, 1], [1.0, 3.0])]))
    dots = dots_of(frame)
    middles = [(min(d) + max(d)) / 2 for d in dots]
    assert np.abs(np.diff(middles, 2)).max() <= 1
    assert_unbroken(dots)


def test_a_zoom_draws_the_line_on_to_both_edges() -> None:
    frame = draw(Plan(60, 20, [Series("", [0, 10, 20], [1.0, 2.0, 1.0])], window=(4.0, 16.0)))
    assert all(dots_of(frame))
    between = draw(Plan(60, 20, [Series("", [0, 10, 20], [1.0, 2.0, 1.0])], window=(2.0, 8.0)))
    assert all(dots_of(between))
    assert between.y_scale
    assert 1.1 < between.y_scale.low <= 1.2
    assert 1.8 <= between.y_scale.high < 1.9


def test_the_average_is_drawn_over_the_raw_data_and_validation_has_its_points() -> None:
    frame = draw(Plan(120, 40, loss_curve(2000), LADDER, smoothing=0.9))
    assert frame.box
    roles = {frame.grid.role_at(x, y) for y in range(40) for x in range(120)}
    assert {"train", "raw", "validation", "reference", "reference-label", "axis", "legend"} <= roles
    plot = [line[frame.box.left : frame.box.left + frame.box.width] for line in text_of(frame)[: frame.box.height]]
    assert sum(line.count("◆") for line in plot) == 8
    assert text_of(frame)[-1].rstrip().endswith("━ train  ◆ validation")
    without = draw(Plan(120, 40, loss_curve(2000), smoothing=0.0))
    assert "raw" not in {without.grid.role_at(x, y) for y in range(40) for x in range(120)}


def test_the_average_is_computed_before_thinning() -> None:
    """Alternating extremes average to their middle; thinned first they would still span the whole height."""
    values = np.where(np.arange(100_000) % 2, 1.0, 3.0)
    frame = draw(Plan(100, 40, [Series("train", range(100_000), values, smooth=True)], smoothing=0.98))
    assert frame.box
    box = frame.box
    cells = [
        (x, y)
        for y in range(box.height)
        for x in range(box.left + 5, box.left + box.width)
        if frame.grid.role_at(x, y) == "train"
    ]
    assert {y for _, y in cells} <= {frame.box.height // 2 - 1, frame.box.height // 2, frame.box.height // 2 + 1}


REFERENCES = st.lists(
    st.builds(Reference, st.text("abgimnrtu-4é語", min_size=1, max_size=16), st.floats(0.1, 6) | st.just(math.inf)),
    max_size=12,
)
MARKS = st.lists(
    st.builds(
        Mark,
        st.floats(0, 500),
        st.text("lr 0.2→1\n語", max_size=20),
        st.sampled_from(["edit", "pause", "checkpoint", "note"]),
    ),
    max_size=8,
)


@settings(max_examples=80)
@given(references=REFERENCES, width=st.integers(44, 200), height=st.integers(5, 60))
def test_reference_labels_never_overlap_and_stand_in_the_order_of_their_lines(
    references: list[Reference], width: int, height: int
) -> None:
    named = [Reference(f"{number}:{r.label}", r.y) for number, r in enumerate(references)]
    frame = draw(Plan(width, height, loss_curve(500), named, smoothing=0.9))
    assert frame.box
    right = frame.box.left + frame.box.width
    shown = []
    for line in text_of(frame)[: frame.box.height]:
        cells = [c for c in line if c]
        label = "".join(cells)[right:].strip() if len(cells) >= right else ""
        if label:
            shown.append(named[int(label.split(":")[0])])
    assert len(shown) == len(set(shown))
    heights = [r.y for r in shown]
    assert heights == sorted(heights, reverse=True)
    assert frame.y_scale
    slack = (frame.y_scale.high - frame.y_scale.low) / frame.box.height
    assert all(frame.y_scale.low - slack <= y <= frame.y_scale.high + slack for y in heights)


def test_of_two_labels_for_one_row_the_one_nearest_to_the_data_stays() -> None:
    flat = Series("train", range(100), [2.0] * 50 + [4.0] * 50)
    references = [Reference("far", 3.001), Reference("near", 3.002), Reference("further", 3.0)]
    frame = draw(Plan(80, 5, [flat], references))
    assert "near" in "\n".join(text_of(frame))
    assert "further" not in "\n".join(text_of(frame)).split("near")[0]


@pytest.mark.parametrize(("width", "height"), [(78, 24), (100, 24), (78, 40), (130, 40), (60, 12)])
def test_a_label_beside_another_row_than_its_lines_says_its_value(width: int, height: int) -> None:
    ladder = {"uniform": 4.17, "unigram": 3.35, "bigram": 2.49, "trigram": 2.05, "4-gram": 1.8, "5-gram": 1.67}
    references = [Reference(name, y) for name, y in {**ladder, "6-gram": 1.7}.items()]
    frame = draw(Plan(width, height, loss_curve(500), references, smoothing=0.9))
    assert frame.box
    assert frame.y_scale
    lines = text_of(frame)
    shown = []
    for row in range(frame.box.height):
        label = lines[row][frame.box.left + frame.box.width :].strip()
        if not label:
            continue
        name, _, value = label.partition(" ")
        shown.append({**ladder, "6-gram": 1.7}[name])
        here = (1 - float(frame.y_scale.fraction(shown[-1]))) * frame.box.height
        assert abs(here - row - 0.5) <= (1.6 if value else 0.7)
        assert value or "┄" in lines[row]
    assert len(shown) > 3
    assert shown == sorted(shown, reverse=True)


@settings(max_examples=60)
@given(marks=MARKS, width=st.integers(30, 160), height=st.integers(6, 40), crosshair=st.none() | st.floats(0, 500))
def test_mark_labels_are_whole_and_never_cover_data_or_each_other(
    marks: list[Mark], width: int, height: int, crosshair: float | None
) -> None:
    plan = Plan(width, height, loss_curve(500), smoothing=0.9, crosshair=crosshair)
    without, frame = (
        draw(plan),
        draw(Plan(width, height, loss_curve(500), marks=marks, smoothing=0.9, crosshair=crosshair)),
    )
    data = {"train", "raw", "validation", "axis", "legend", "read-out"}
    for y in range(height):
        for x in range(width):
            if without.grid.role_at(x, y) in data:
                assert frame.grid.role_at(x, y) == without.grid.role_at(x, y) or frame.grid.role_at(x, y) == "read-out"
    texts = [m.text.replace("\n", "\\n").strip() for m in marks]
    for y in range(height):
        for text, role in frame.grid.runs(y):
            if role == "mark-label" and text.strip():
                assert any(text.strip() in t or t.startswith(text.strip("… ")) for t in texts)


def test_an_edit_is_a_line_with_its_words_and_a_checkpoint_a_tick_at_the_foot() -> None:
    marks = [Mark(1000, "lr 0.02→0.01", "edit"), Mark(1500, "saved", "checkpoint")]
    frame = draw(Plan(120, 30, [Series("train", range(2001), np.linspace(4, 2, 2001))], marks=marks))
    lines = text_of(frame)
    assert "┊ lr 0.02→0.01" in lines[0]
    assert frame.box
    assert lines[frame.box.height - 1].count("╷") == 1
    assert "saved" not in "\n".join(lines)


def test_the_read_out_gives_the_exact_nearest_point_of_every_series() -> None:
    train = Series("train", range(1_000_000), np.linspace(4, 2, 1_000_000), smooth=True)
    validation = Series("validation", [0, 500_000], [4.1, 3.25], role="validation", marker="◆")
    readings = read_out([train, validation, Series("empty")], 400_123, 0.0)
    assert [(r.name, r.x, r.y, r.smoothed) for r in readings] == [
        ("train", 400_123, train.y[400_123], None),
        ("validation", 500_000, 3.25, None),
    ]
    assert read_out([train], 7, 0.9)[0].smoothed == train.smoothed(0.9).values[7]


def test_the_read_out_on_the_screen_says_the_step_and_the_values_and_leaves_the_points_uncovered() -> None:
    series = loss_curve(2001)
    for x in (0, 250, 1000, 1250, 2000):
        frame = draw(Plan(120, 40, series, LADDER, smoothing=0.9, crosshair=x))
        text = "\n".join(text_of(frame))
        assert f"step {x:,}" in text
        assert f"{series[0].smoothed(0.9).values[x]:.4f}" in text
        assert f"raw {series[0].y[x]:.4f}" in text
        assert f"{series[1].y[x // 250]:.4f}" in text
        assert text.count("●") == 1


def runs_compared(number: int, name: str = "a-run-with-a-long-name") -> list[Series]:
    """As many runs, each somewhat above the one before."""
    steps = np.arange(2001)
    return [
        Series(f"{name}-{i}", steps, 2 + i / 10 + 2 * np.exp(-steps / 300), role=f"run-{i}", marker=str(i), apart=12)
        for i in range(1, number + 1)
    ]


@pytest.mark.parametrize(
    ("size", "runs"), [((30, 8), 2), ((30, 8), 4), ((47, 13), 8), ((76, 8), 8), ((80, 24), 8), ((300, 100), 8)]
)
@pytest.mark.parametrize("x", [60, 900, 2000])
@pytest.mark.parametrize("ascii", [False, True])
def test_the_value_of_every_run_is_read_out_with_what_stands_for_it(
    size: tuple[int, int], runs: int, x: int, ascii: bool
) -> None:
    series = runs_compared(runs)
    text = "\n".join(text_of(draw(Plan(*size, series, crosshair=x, ascii=ascii))))
    assert f"step {x:,}" in text
    for s in series:
        assert re.search(rf"{s.marker} (a-run-\S+ +)?{s.y[x]:.4f}", text), s.name


def test_a_read_out_says_less_of_each_series_before_it_leaves_one_out() -> None:
    readings = read_out(loss_curve(2001), 1100, 0.9)
    said = [
        "\n".join("".join(text for text, _ in line) for line in box) for box in boxes(readings, 1100, "steps", 18, 3)
    ]
    assert [all(r.value in box for r in readings) for box in said] == [True] * 4
    assert ["raw" in box for box in said] == [True, False, False, False]
    assert ["validation" in box for box in said] == [True, True, False, False]
    assert ["valid" in box for box in said] == [True, True, True, False]
    assert said[-1] == f"step 1,100\n━ {readings[0].value}\n◆ {readings[1].value}"


@pytest.mark.parametrize("size", [(34, 8), (40, 6), (60, 4), (24, 5)])
def test_a_small_chart_reads_out_in_one_line(size: tuple[int, int]) -> None:
    frame = draw(Plan(*size, loss_curve(2001), smoothing=0.9, crosshair=1000))
    assert "step 1,000" in "\n".join(text_of(frame))
    assert "●" in "\n".join(text_of(frame))


def test_ticks_stand_under_and_beside_what_they_name() -> None:
    frame = draw(Plan(100, 30, [Series("", [0, 50, 100], [0.0, 1.0, 2.0])]))
    lines = text_of(frame)
    axis = lines[frame.box.height] if frame.box else ""
    assert axis.split() == ["0", "20", "40", "60", "80", "100"]
    row = next(y for y, line in enumerate(lines) if line.lstrip().startswith("1.0"))
    middle = next(
        y for y, line in enumerate(lines) if frame.box and line[frame.box.left + frame.box.width // 2] > "\u2800"
    )
    assert abs(row - middle) <= 1


def test_a_log_x_axis_begins_at_zero_and_names_powers_of_ten() -> None:
    frame = draw(Plan(120, 30, loss_curve(2000), smoothing=0.9, log_x=True))
    axis = text_of(frame)[frame.box.height] if frame.box else ""
    assert axis.split()[:2] == ["0", "1"]
    assert {"10", "100", "1000"} <= set(axis.split())


def test_what_is_not_positive_lies_below_a_log_y_axis_and_does_not_stretch_it() -> None:
    frame = draw(Plan(80, 20, [Series("", range(40), [0.0, -1.0] + [2.0 + 0.01 * k for k in range(38)])], log_y=True))
    assert frame.y_scale
    assert frame.y_scale.low > 1
    assert "▼" in "\n".join(text_of(frame))
    empty = draw(Plan(80, 20, [Series("", [0, 1], [0.0, -1.0])], log_y=True, placeholder="nothing above zero"))
    assert "nothing above zero" in "\n".join(text_of(empty))


def test_the_whole_view_reaches_to_the_planned_end() -> None:
    frame = draw(Plan(100, 20, [Series("", range(351), [2.0] * 351)], x_end=600))
    dots = dots_of(frame)
    reached = max(c for c, d in enumerate(dots) if d)
    assert reached == round(350 / 600 * (len(dots) - 1))


def test_without_data_the_placeholder_stands_in_the_middle() -> None:
    for series in ([], [Series("train")], [Series("train", [0, 1], [math.nan, math.inf])]):
        frame = draw(Plan(60, 11, series, LADDER, placeholder="press space\nto begin"))
        lines = text_of(frame)
        assert lines[4].strip() == "press space"
        assert lines[5].strip() == "to begin"
        assert len(lines[4]) - len(lines[4].lstrip()) == (60 - len("press space")) // 2
        assert not "".join(lines[:4] + lines[6:]).strip()


def test_text_from_elsewhere_cannot_break_the_grid() -> None:
    series = Series("evil\x1b[31m\n", range(50), np.linspace(4, 2, 50))
    frame = draw(Plan(100, 20, [series], [Reference("up\tdown", 3.0)], [Mark(25, "a\x00b", "edit")], crosshair=10))
    text = "".join(text_of(frame))
    assert all(c.isprintable() for c in text)
    assert "evil\\x1b[31m\\n" in text


@settings(max_examples=150)
@given(
    width=st.sampled_from([1, 2, 3, 5, 300]) | st.integers(1, 150),
    height=st.sampled_from([1, 2, 3, 100]) | st.integers(1, 50),
    points=st.integers(0, 300),
    references=REFERENCES,
    marks=MARKS,
    smoothing=st.sampled_from([0.0, 0.9]),
    logs=st.tuples(st.booleans(), st.booleans()),
    crosshair=st.none() | st.floats(-10, 600),
    window=st.none() | st.floats(0, 250).map(lambda low: (low, low + 40)),
    only_ascii=st.booleans(),
    unit=st.sampled_from(UNITS),
)
def test_every_size_is_drawn_whole_and_ascii_is_ascii(
    width: int,
    height: int,
    points: int,
    references: list[Reference],
    marks: list[Mark],
    smoothing: float,
    logs: tuple[bool, bool],
    crosshair: float | None,
    window: tuple[float, float] | None,
    only_ascii: bool,
    unit: str,
) -> None:
    series = loss_curve(points) if points else []
    frame = draw(
        Plan(
            width,
            height,
            series,
            references,
            marks,
            window if points else None,
            None,
            unit,  # type: ignore[arg-type]
            smoothing,
            *logs,
            crosshair,
            only_ascii,
            "no data yet…",
        )
    )
    lines = text_of(frame)
    assert len(lines) == height
    assert all(sum(2 if c == "語" else 1 for c in line) == width for line in lines)
    if only_ascii:
        assert all(line.isascii() and line.isprintable() for line in lines)


@settings(max_examples=60)
@given(
    values=st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=1, max_size=30),
    gaps=st.lists(st.floats(0, 1e60), min_size=30, max_size=30),
    logs=st.tuples(st.booleans(), st.booleans()),
)
def test_no_number_is_too_wild_to_draw(values: list[float], gaps: list[float], logs: tuple[bool, bool]) -> None:
    xs = np.cumsum(gaps[: len(values)])
    series = Series("wild", xs, values, smooth=True)
    frame = draw(Plan(80, 20, [series], LADDER, [], None, None, "FLOPs", 0.9, *logs, float(xs[-1])))
    assert len(text_of(frame)) == 20


def test_in_ascii_slopes_lean_the_way_the_line_goes() -> None:
    frame = draw(Plan(60, 20, [Series("", [0, 10, 20], [1.0, 3.0, 1.0])], ascii=True))
    left = "".join(line[:30] for line in text_of(frame))
    right = "".join(line[34:] for line in text_of(frame))
    assert "/" in left
    assert "\\" not in left
    assert "\\" in right
    assert "/" not in right


def test_several_runs_share_the_chart_each_in_its_colour_and_the_legend_names_them() -> None:
    first, second = loss_curve(500, seed=1)[0], loss_curve(800, seed=2)[0]
    other = Series("quick-2", second.x, second.y + 0.5, role="run-1", smooth=True, raw=False)
    frame = draw(Plan(100, 30, [first, other], smoothing=0.9))
    roles = {frame.grid.role_at(x, y) for y in range(30) for x in range(100)}
    assert {"train", "run-1", "raw"} <= roles
    assert "━ train  ━ quick-2" in text_of(frame)[-1]


def test_the_legend_cuts_names_before_it_leaves_a_run_out() -> None:
    frame = draw(Plan(100, 30, runs_compared(8)))
    legend = text_of(frame)[-1]
    assert re.findall(r"(\d) (a-run-\S*…)", legend) == [(str(i), "a-run-w…") for i in range(1, 9)]
    short = draw(Plan(60, 30, [Series(name, [0, 1], [1, 2], role="run-1") for name in ("a", "b", "c")]))
    assert "━ a  ━ b  ━ c" in text_of(short)[-1]


def test_a_run_that_diverged_at_once_does_not_flatten_the_others() -> None:
    sound = runs_compared(2)
    wild = Series("wild", range(13), np.geomspace(4, 1e5, 13), role="run-3", smooth=True, raw=False)
    for smoothing in (0.0, 0.9):
        frame = draw(Plan(80, 24, [*sound, wild], smoothing=smoothing))
        assert frame.y_scale
        assert frame.y_scale.high < 6
        alone = draw(Plan(80, 24, [wild], smoothing=smoothing))
        assert alone.y_scale
        assert alone.y_scale.high > 100


def test_where_lines_share_a_cell_the_first_series_is_seen() -> None:
    flat = [Series(name, range(50), [2.0] * 50, role=role) for name, role in (("train", "train"), ("old", "ghost"))]
    frame = draw(Plan(60, 15, flat))
    assert frame.box
    seen = {frame.grid.role_at(x, y) for x in range(frame.box.left, 60) for y in range(frame.box.height)}
    assert seen == {"train", "blank"}


@given(st.lists(st.tuples(st.floats(0, 100), st.sampled_from(("edit", "pause", "checkpoint", "note"))), max_size=300))
def test_of_marks_in_one_column_those_that_come_last_are_seen(places: list[tuple[float, str]]) -> None:
    """However many marks a long run has: the same as to draw one after the other."""
    series = [Series("train", range(101), [2.0] * 101)]
    marks = [Mark(x, "", kind) for x, kind in places]  # type: ignore[arg-type]
    frame = draw(Plan(60, 12, series, marks=marks))
    assert frame.box is not None
    box, bottom = frame.box, frame.box.top + frame.box.height - 1
    last: dict[int, str] = {}
    for mark in marks:
        column = min(max(round(mark.x / 100 * (2 * box.width - 1)), 0), 2 * box.width - 1) // 2
        last[column] = mark.kind
    lined = {
        min(round(m.x / 100 * (2 * box.width - 1)), 2 * box.width - 1) // 2 for m in marks if m.kind != "checkpoint"
    }
    for column in range(box.width):
        foot = chr(int(frame.grid.codes[bottom, box.left + column]))
        head = chr(int(frame.grid.codes[box.top, box.left + column]))
        assert (head == "┊") == (column in lined)
        assert foot == {None: " ", "checkpoint": "╷"}.get(last.get(column), "┊")
