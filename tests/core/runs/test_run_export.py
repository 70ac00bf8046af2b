"""Export: a table that reads back as the same numbers, and a plot that any viewer opens, whatever the run is called."""

from __future__ import annotations

import csv
import itertools
import math
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt_tui.core.config import RunConfig
from gpt_tui.core.errors import GptTuiError
from gpt_tui.core.events import Continued, Eval, Event, Started, Step
from gpt_tui.core.runs import History, Run, RunRecord, RunWriter, Shelf, ShelfNotes, to_csv, to_svg
from gpt_tui.core.runs.export import draw_svg, smooth, spread, thin, ticks

MakeSteps = Callable[[int, int], list[Event]]
MakeStarted = Callable[[str], Started]
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def run(writer: RunWriter, started: MakeStarted, steps: MakeSteps) -> Run:
    untrained = Eval(step=0, time=0.25, train_loss=4.22, val_loss=4.2306, whole_split=False, best=True)
    events = [started("first"), untrained, *steps(1, 60), Continued(step=50, path="", created=""), *steps(51, 55)]
    for event in events:
        writer.append(event)
    writer.append(
        Step(step=56, time=7.0, loss=math.nan, learning_rate=0.1, grad_norm=math.inf, tokens=9, tokens_per_second=1)
    )
    writer.close()
    return writer.run


def test_the_table_reads_back_as_the_columns_of_the_history(run: Run, tmp_path: Path) -> None:
    to_csv(run, tmp_path / "losses.csv")
    with (tmp_path / "losses.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == [
        "step", "time", "tokens", "loss", "learning_rate", "grad_norm", "tokens_per_second", "train_loss", "val_loss",
    ]  # fmt: skip
    history = run.history()
    assert [int(row["step"]) for row in rows] == list(range(57))
    assert rows[0] == dict.fromkeys(rows[0], "") | {
        "step": "0",
        "time": "0.25",
        "train_loss": "4.22",
        "val_loss": "4.2306",
    }
    assert [float(row["loss"] or math.nan) for row in rows[1:-1]] == history.losses[:-1].tolist()
    assert [int(row["tokens"]) for row in rows[1:]] == history.tokens.tolist()
    assert {int(row["step"]): float(row["val_loss"]) for row in rows if row["val_loss"]} == {
        e.step: e.val_loss for e in history.evals
    }
    assert (rows[-1]["loss"], rows[-1]["grad_norm"], rows[-1]["tokens"]) == ("", "", "9")


def test_a_file_that_cannot_be_written_is_a_sentence_and_what_was_there_stays(run: Run, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "folder", tmp_path / "no such folder" / "x.csv"):
        for export in (to_csv, to_svg):
            with pytest.raises(GptTuiError, match="cannot be written"):
                export(run, path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["folder", "runs"]


def test_the_plot_is_well_formed_and_escapes_every_name(
    shelf: Shelf, config: RunConfig, record: RunRecord, started: MakeStarted, steps: MakeSteps, tmp_path: Path
) -> None:
    begun = started("x")
    nasty = {'<b>&"\x07]]>': 2.0, "uniform": 4.1744}
    begun = begun.model_copy(
        update={"ladder": nasty, "dataset": begun.dataset.model_copy(update={"name": "<script>&amp;\x1b"})}
    )
    with shelf.create(config, "R&D 'a' ]]&gt;", record) as writer:
        for event in [begun, *steps(1, 60)]:
            writer.append(event)
    writer.run.replace_shelf_notes(ShelfNotes(title="<Née> & \x00😀 \u202e"))
    to_svg(writer.run, tmp_path / "plot.svg")
    root = ET.fromstring((tmp_path / "plot.svg").read_bytes())
    texts = ["".join(element.itertext()) for element in root.iter(f"{SVG}text")]
    assert "<Née> & \\x00😀 \\u202e (R&D 'a' ]]&gt;)" in texts
    assert any('<b>&"\\x07]]> 2.00' in text for text in texts)
    assert any("<script>&amp;\\x1b" in text for text in texts)
    assert {element.tag.removeprefix(SVG) for element in root.iter()} <= {
        "svg",
        "rect",
        "clipPath",
        "path",
        "text",
        "g",
        "circle",
    }


def test_the_plot_names_the_best_validation_loss_the_ladder_and_the_axes(run: Run, tmp_path: Path) -> None:
    to_svg(run, tmp_path / "plot.svg")
    root = ET.fromstring((tmp_path / "plot.svg").read_bytes())
    texts = ["".join(element.itertext()) for element in root.iter(f"{SVG}text")]
    assert "first" in texts
    assert "shakespeare, 616,448 parameters · best validation loss 2.3429 at step 50" in texts
    assert {"unigram 3.35", "bigram 2.49", "step", "loss (nats per token)", "validation", "50", "3.0"} <= set(texts)


def test_a_run_without_losses_is_not_drawn(writer: RunWriter, tmp_path: Path) -> None:
    with pytest.raises(GptTuiError, match="first has no losses"):
        to_svg(writer.run, tmp_path / "plot.svg")
    assert not (tmp_path / "plot.svg").exists()


def history_of(losses: list[float]) -> History:
    history = History()
    for n, loss in enumerate(losses, start=1):
        history.apply(Step(step=n, time=n, loss=loss, learning_rate=1, grad_norm=1, tokens=n, tokens_per_second=1))
    return history


def test_the_plot_of_a_long_run_is_no_larger_and_loses_no_spike() -> None:
    noise = np.random.default_rng(0).normal(2, 0.1, 100_000)
    noise[70_000] = 2.9
    small, large = draw_svg("x", "", history_of(noise[:3000].tolist())), draw_svg("x", "", history_of(noise.tolist()))
    assert len(large) < 1.3 * len(small)
    x, y = thin(np.arange(1.0, 100_001), noise, 500)
    assert len(x) <= 1000
    assert y.max() == 2.9
    assert y.min() == noise.min()
    assert (np.diff(x) > 0).all()


@pytest.mark.parametrize(
    "losses",
    [[2.0], [2.0] * 50, [0.0, 0.0], [1e-9, 2e-9], [math.nan, 3.0, math.nan, math.nan, 1.0], [1e300, 1.0], [-5.0, 5.0]],
)
def test_odd_losses_are_drawn_all_the_same(losses: list[float]) -> None:
    text = draw_svg("x", "", history_of(losses))
    ET.fromstring(text)
    assert "nan" not in text
    assert "inf" not in text


def test_what_is_not_finite_is_a_gap() -> None:
    text = draw_svg("x", "", history_of([3.0, 2.5, math.nan, 2.0, 1.5]))
    raw = next(e for e in ET.fromstring(text).iter(f"{SVG}path") if e.get("stroke-opacity") == "0.28")
    assert raw.get("d", "").count("M") == 2


def test_smoothing_is_the_mean_of_as_many_neighbours_on_either_side() -> None:
    values = np.array([4.0, 2.0, math.nan, 3.0, 7.0, 1.0, 5.0])
    expected = [4.0, 3.0, math.nan, np.mean([2, 3, 7, 1]), np.mean([3, 7, 1, 5]), np.mean([7, 1, 5]), 5.0]
    np.testing.assert_allclose(smooth(values, 2), expected, atol=1e-9)


def test_smoothing_a_straight_line_gives_the_same_line() -> None:
    line = np.linspace(4, 2, 1001)
    np.testing.assert_allclose(smooth(line, 60), line, atol=1e-9)


@given(st.floats(-1e3, 1e3), st.floats(1e-4, 1e6), st.integers(2, 12))
def test_ticks_are_round_few_and_inside(low: float, width: float, most: int) -> None:
    found = ticks(low, low + width, most)
    assert len(found) <= most
    assert all(low - 1e-6 * width <= t <= low + width + 1e-6 * width for t in found)
    if len(found) > 1:
        step = (found[-1] - found[0]) / (len(found) - 1)
        mantissa = step / 10 ** math.floor(math.log10(step * (1 + 1e-9)))
        assert min(abs(mantissa - m) for m in (1, 2, 5, 10)) < 1e-3


@given(st.lists(st.floats(0, 400), max_size=12).map(sorted))
def test_labels_never_overlap_and_stay_in_the_picture_where_there_is_room(wanted: list[float]) -> None:
    places = spread(wanted, 15, 0, 400)
    assert all(b - a >= 15 - 1e-9 for a, b in itertools.pairwise(places))
    assert all(-1e-9 <= p <= 400 for p in places)
