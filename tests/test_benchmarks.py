"""The benchmark of figures trains with the real program, keeps what it trained, and judges by what is published."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from gpt_tui.core.presets import PRESETS

ROOT = Path(__file__).parent.parent
SMALL = "lecture-one-head --learning-rate 0.01 --max-iters 40 --eval-interval 20"


def figures(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "benchmarks" / "figures.py"), *words]
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)


@pytest.mark.soak
def test_an_interrupted_benchmark_goes_on_where_it_stopped(tmp_path: Path) -> None:
    keep, saved = tmp_path / "runs", tmp_path / "records.json"
    asked = ("--seeds", "3", "--dataset", "masque", "--threads", "1")
    name = "lecture-one-head-learning-rate-0.01-max-iters-40-eval-interval-20-seed3"
    flags = ["--preset", *SMALL.split(), "--seed", "3", *asked[2:], "--run-name", name, "--runs-dir", str(keep)]
    stopped = [sys.executable, "-m", "gpt_tui", "--headless", "--quiet", *flags, "--target-loss", "4"]
    subprocess.run(stopped, capture_output=True, check=True)
    log = keep / name / "events.jsonl"
    assert '"step":20' in log.read_text("utf-8")
    assert '"step":21' not in log.read_text("utf-8")

    went_on = figures(SMALL, *asked, "--keep", str(keep), "--save", str(saved))
    assert went_on.returncode == 0, went_on.stderr
    events = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    assert [e["event"] for e in events].count("started") == [e["event"] for e in events].count("continued") == 1

    written = log.read_bytes()
    again = figures(SMALL, *asked, "--keep", str(keep), "--save", str(saved))
    assert (again.stdout, log.read_bytes()) == (went_on.stdout, written)  # nothing was trained

    (record,) = json.loads(saved.read_text("utf-8"))
    end = events[-1]
    assert (record["steps"], record["parameters"]) == (40, events[0]["parameters"])
    assert record["val_loss"] == pytest.approx(end["val_loss"], abs=1e-4)
    assert [row[0] for row in record["evals"]] == [0, 20, 40]
    assert record["sample"] == [e["text"] for e in events if e["event"] == "sample"][-1]
    assert record["command"].startswith("gpt-tui --headless --preset lecture-one-head --seed 3 --dataset masque")

    other = figures(SMALL, *asked[:-1], "2", "--keep", str(keep))
    assert other.returncode == 1
    assert "threads 1, asked for is 2" in other.stderr


@pytest.mark.soak
def test_a_mean_far_from_the_published_figure_ends_with_status_1() -> None:
    told = figures("lecture-bigram", "--seeds", "1", "--dataset", "masque", "--threads", "1")
    assert told.returncode == 1, told.stderr
    assert "too far" in told.stdout


def test_the_bigram_reaches_the_published_figure(tiny_shakespeare: Path) -> None:
    told = figures("lecture-bigram", "--seeds", "1", "--dataset", str(tiny_shakespeare), "--threads", "1")
    assert told.returncode == 0, told.stdout + told.stderr


def test_published_figures_are_of_presets_that_exist() -> None:
    published = tomllib.loads((ROOT / "benchmarks" / "published.toml").read_text("utf-8"))
    assert set(published) <= set(PRESETS)
    for preset, figures_of in published.items():
        assert figures_of["measured_on"] in ("whole split", "random batches"), preset
        assert figures_of.keys() & {"val", "best"}, preset
        best_step = figures_of.get("best_step", 0)
        assert best_step <= PRESETS[preset].values["max_iters"], preset


@pytest.mark.soak
def test_how_fast_a_model_speaks_is_told_as_a_table() -> None:
    command = [sys.executable, str(ROOT / "benchmarks" / "speaking.py"), "--repeats", "1"]
    told = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=True)
    rows = [line.split("|")[1:-1] for line in told.stdout.splitlines() if line.startswith("| gpt-tui")]
    assert rows[0][0].strip() == "gpt-tui, float32"
    assert all(float(row[2].replace(",", "")) > 0 for row in rows)
    assert "16 texts at once, float32" in told.stdout


@pytest.mark.soak
def test_what_speaking_costs_a_run_is_told_in_a_sentence() -> None:
    command = [sys.executable, str(ROOT / "benchmarks" / "speaking.py"), "learning", "--repeats", "1", "--seconds", "2"]
    command += ["--preset", "lecture-one-head", "--dataset", "masque"]
    told = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=True)
    found = re.match(r"lecture-one-head: while text streams at (\d+) tokens/s, the run keeps (\d+)% of", told.stdout)
    assert found is not None, told.stdout
    rate, share = map(int, found.groups())
    assert 0 < rate <= 160  # no faster than can be read
    assert 0 < share < 200
    assert "steps/s in silence" in told.stderr


@pytest.mark.soak
def test_how_fast_a_model_learns_is_told_beside_the_peak() -> None:
    command = [sys.executable, str(ROOT / "benchmarks" / "training.py"), "--shape", "nanogpt-cpu", "--repeats", "1"]
    told = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=True)
    rows = [line.split("|")[1:-1] for line in told.stdout.splitlines() if line.startswith("| nanogpt-cpu")]
    assert rows[0][1].strip() == "gpt-tui, float32"
    assert all(float(row[3].replace(",", "")) > 0 for row in rows)
    assert all(0 < int(row[4].strip(" %")) <= 100 for row in rows)


@pytest.mark.soak
def test_what_a_token_costs_is_told_and_plotted_against_size() -> None:
    command = [sys.executable, str(ROOT / "benchmarks" / "size.py"), "--widths", "64", "32", "--repeats", "1"]
    told = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=True)
    rows = [line.split("|")[1:-1] for line in told.stdout.splitlines() if re.match(r"\| \d", line)]
    assert [(row[0].strip(), row[1].strip()) for row in rows] == [("32", "53,568"), ("64", "205,440")]
    assert "float32" in told.stdout.splitlines()[-1]  # the legend of the plot


def test_a_folder_that_is_no_checkout_of_nanogpt_is_refused(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "benchmarks" / "race.py"), "--nanogpt", str(tmp_path)]
    told = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)
    assert told.returncode == 2
    assert "is no checkout of nanoGPT: it has no train.py" in told.stderr.replace("\n", " ")


@pytest.mark.soak
@pytest.mark.skipif(sys.platform == "win32", reason="the screen is a pseudo-terminal's")
def test_how_long_keys_wait_while_a_run_trains_is_told_as_a_table() -> None:
    command = [sys.executable, str(ROOT / "benchmarks" / "screen.py"), "keys", "steady", "loading"]
    told = subprocess.run(
        [*command, "--repeats", "1", "--preset", "lecture-one-head"],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert told.returncode == 0, told.stderr
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in told.stdout.splitlines() if "ms" in line]
    assert {row[0]: int(row[1]) for row in rows}.keys() == {"keys", "steady", "loading"}
    for _, count, *waited in rows:
        median, percentile, longest = (float(cell.removesuffix(" ms").replace(",", "")) for cell in waited)
        assert int(count) >= 1
        assert 0 < median <= percentile <= longest


@pytest.mark.soak
def test_the_benchmark_of_large_texts_measures_each_of_its_rows_and_leaves_nothing(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "benchmarks" / "growing.py"), "--gigabytes", "0.02", "--repeats", "1"]
    done = subprocess.run(
        [*command, "--text", "mixed", "--place", str(tmp_path)], capture_output=True, text=True, check=True
    )
    rows = [line.split(" | ")[0] for line in done.stdout.splitlines()[2:]]
    assert [row.removeprefix("| ") for row in rows[2:9]] == [
        "text to tokens on the disk", "of that, reading", "of that, writing", "the ladder, of a sample",
        "memory at its highest", "opened again", "learned from",
    ]  # fmt: skip
    assert not list(tmp_path.iterdir())
    huge = subprocess.run(
        [*command, "--gigabytes", "1e6", "--place", str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert huge.returncode == 2
    assert "3000000.0 GB are needed" in huge.stderr
