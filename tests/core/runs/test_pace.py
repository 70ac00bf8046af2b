"""The pace of this machine: which run is taken, and what in a log says nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gpt_tui.core.config import RunConfig
from gpt_tui.core.cost import estimate_seconds
from gpt_tui.core.errors import GptTuiError
from gpt_tui.core.events import Continued, Eval, Event, Notice, Step
from gpt_tui.core.runs import RunRecord, Shelf, find_pace
from gpt_tui.core.runs.log import LOG_NAME

CPU, CORES, V = "a processor", 2, 65


def step(config: RunConfig, number: int, seconds: float | None) -> Step:
    tokens = config.tokens_per_step
    speed = float("nan") if seconds is None else tokens / seconds
    return Step(
        step=number,
        loss=3.0,
        learning_rate=1e-3,
        grad_norm=1.0,
        tokens=number * tokens,
        tokens_per_second=speed,
    )


class Made:
    """Makes runs on a shelf as training does: the real writer, the real events."""

    def __init__(self, shelf: Shelf, record: RunRecord) -> None:
        self.shelf = shelf
        self.record = record
        self.number = 0

    def run(
        self,
        name: str,
        ratio: float = 2.0,
        *,
        steps: int = 40,
        record: dict[str, Any] | None = None,
        events: list[Event] | None = None,
        **fields: Any,
    ) -> RunConfig:
        """A run whose steps took `ratio` times as long as estimated; each is newer than the one made before."""
        self.number += 1
        config = RunConfig().replace(**fields)
        kept = self.record.model_copy(update={"created": f"2026-11-20T14:25:{self.number:02}Z", **(record or {})})
        seconds = ratio * estimate_seconds(config, kept.dataset.vocab_size, kept.threads)
        with self.shelf.create(config, name, kept) as writer:
            writer.append(Notice(level="info", text="a run begins"))
            for event in events if events is not None else [step(config, n + 1, seconds) for n in range(steps)]:
                writer.append(event)
        return config

    def log(self, name: str) -> Path:
        return self.shelf.runs_dir / name / LOG_NAME


@pytest.fixture
def made(shelf: Shelf, record: RunRecord) -> Made:
    return Made(shelf, record)


def found(shelf: Shelf, **fields: Any) -> tuple[str, float] | None:
    pace = find_pace(shelf, RunConfig().replace(**fields), V, CPU, CORES)
    return None if pace is None else (pace.run, pytest.approx(pace.ratio, rel=1e-6))  # type: ignore[return-value]


def test_an_empty_shelf_says_nothing(shelf: Shelf) -> None:
    assert found(shelf) is None


def test_a_run_says_how_far_the_estimate_is_off(shelf: Shelf, made: Made) -> None:
    made.run("slow", 3.5)
    assert found(shelf) == ("slow", 3.5)


def test_a_run_of_another_configuration_speaks_for_this_one_by_its_ratio(shelf: Shelf, made: Made) -> None:
    made.run("deeper", 2.0, n_layer=4, gradient_accumulation_steps=2)
    assert found(shelf, n_layer=2) == ("deeper", 2.0)


def test_the_run_whose_steps_cost_most_nearly_as_much_is_taken(shelf: Shelf, made: Made) -> None:
    made.run("small", 1.0, n_layer=1)
    made.run("medium", 2.0, n_layer=3)
    made.run("large", 3.0, n_layer=8)
    assert found(shelf, n_layer=1, n_embd=64) == ("small", 1.0)
    assert found(shelf, n_layer=4) == ("medium", 2.0)
    assert found(shelf, n_layer=12) == ("large", 3.0)


def test_a_run_whose_steps_cost_far_more_or_less_says_nothing(shelf: Shelf, made: Made) -> None:
    made.run("tiny", 9.0, n_layer=1, n_embd=8)
    assert found(shelf, n_layer=6, batch_size=64) is None
    assert found(shelf, n_layer=1, n_embd=16) == ("tiny", 9.0)


def test_of_runs_that_cost_the_same_the_newest_is_taken(shelf: Shelf, made: Made) -> None:
    made.run("old", 1.0)
    made.run("new", 2.0)
    assert found(shelf) == ("new", 2.0)


def test_a_run_of_another_machine_says_nothing(shelf: Shelf, made: Made) -> None:
    made.run("elsewhere", record={"cpu": "another processor"})
    assert found(shelf) is None
    made.run("here", 1.5, n_layer=8)
    assert found(shelf) == ("here", 1.5)


def test_many_newer_runs_of_another_machine_hide_none_of_this_one(shelf: Shelf, made: Made) -> None:
    made.run("here", 1.5)
    for number in range(25):
        made.run(f"elsewhere-{number}", steps=0, record={"cpu": "another processor"})
    assert found(shelf) == ("here", 1.5)


def test_a_device_that_is_asked_for_is_judged_by_its_own_runs(shelf: Shelf, made: Made) -> None:
    made.run("on-cpu", 2.0)
    assert found(shelf, device="cuda") is None
    made.run("on-gpu", 0.01, record={"device": "cuda"}, n_layer=8)
    assert found(shelf, device="cuda") == ("on-gpu", 0.01)
    assert found(shelf, device="cpu") == ("on-cpu", 2.0)


def test_auto_means_the_accelerator_that_a_run_has_used_here(shelf: Shelf, made: Made) -> None:
    made.run("on-gpu", 0.01, record={"device": "cuda"}, n_layer=8)
    made.run("on-cpu", 2.0, device="cpu")
    assert found(shelf) == ("on-gpu", 0.01)


def test_a_number_of_threads_that_is_asked_for_is_judged_by_runs_with_as_many(shelf: Shelf, made: Made) -> None:
    made.run("one-thread", 1.0, record={"threads": 1})
    made.run("two-threads", 2.0, n_layer=8)
    assert found(shelf, threads=1) == ("one-thread", 1.0)
    assert found(shelf, threads=2) == ("two-threads", 2.0)
    assert found(shelf, threads=3) is None


def test_a_few_steps_say_nothing_yet(shelf: Shelf, made: Made) -> None:
    made.run("just-begun", steps=29)
    assert found(shelf) is None


def test_a_run_without_a_log_says_nothing(shelf: Shelf, made: Made) -> None:
    made.run("no-log")
    made.log("no-log").unlink()
    assert found(shelf) is None


def test_one_slow_step_among_many_counts_for_nothing(shelf: Shelf, made: Made) -> None:
    config = RunConfig()
    usual = estimate_seconds(config, V, CORES)
    made.run("hiccup", events=[step(config, n, 1000 * usual if n == 9 else usual) for n in range(1, 46)])
    assert found(shelf) == ("hiccup", 1.0)


def test_only_the_newest_steps_of_a_long_log_count(shelf: Shelf, made: Made) -> None:
    config = RunConfig()
    usual = estimate_seconds(config, V, CORES)
    made.run("long", events=[step(config, n, usual if n > 1500 else 9 * usual) for n in range(1, 2001)])
    assert made.log("long").stat().st_size > 200_000
    assert found(shelf) == ("long", 1.0)


def test_evaluations_and_samples_between_steps_do_not_hide_them(shelf: Shelf, made: Made) -> None:
    config = RunConfig()
    usual = estimate_seconds(config, V, CORES)
    events: list[Event] = []
    for n in range(1, 41):
        events += [
            step(config, n, usual),
            Eval(step=n, train_loss=2.0, val_loss=2.0, whole_split=False, best=True),
        ]
    made.run("evaluated", events=events)
    assert found(shelf) == ("evaluated", 1.0)


def test_a_batch_size_that_was_edited_meanwhile_makes_a_run_say_nothing(shelf: Shelf, made: Made) -> None:
    before, after = RunConfig(), RunConfig().replace(batch_size=48)
    base = 40 * before.tokens_per_step
    later = [
        step(after, n, 0.1).model_copy(update={"step": 40 + n, "tokens": base + n * after.tokens_per_step})
        for n in range(1, 41)
    ]
    made.run("edited", events=[*(step(before, n, 0.01) for n in range(1, 41)), *later])
    assert found(shelf) is None


def test_a_run_that_went_on_from_a_checkpoint_speaks_again(shelf: Shelf, made: Made) -> None:
    config = RunConfig()
    usual = estimate_seconds(config, V, CORES)
    again = [step(config, n, usual) for n in range(36, 46)]
    gone_on = Continued(step=35, path="/somewhere", created="2026-11-20T15:00:00Z")
    made.run("resumed", events=[*(step(config, n, usual) for n in range(1, 39)), gone_on, *again])
    assert found(shelf) == ("resumed", 1.0)


def test_a_half_written_last_line_is_left_alone(shelf: Shelf, made: Made) -> None:
    config = made.run("live", 2.0)
    with made.log("live").open("ab") as log:
        log.write(step(config, 41, 1e-9).to_json().encode()[:60])
    assert found(shelf) == ("live", 2.0)


@pytest.mark.parametrize(
    "line",
    [
        b"\xff\xfe\x00 not text",
        b'{"v": 1, "event": "step"}',
        b'{"v": 9, "event": "step", "step": 1}',
        b"[" * 5000,
        b'{"v":1,"event":"step","step":99,"loss":1,"learning_rate":1,"grad_norm":1,"tokens":"many"}',
    ],
    ids=lambda line: repr(line[:30]),
)
def test_a_stranger_s_line_in_a_log_has_no_speed(shelf: Shelf, made: Made, line: bytes) -> None:
    made.run("mixed", 2.0)
    log = made.log("mixed")
    log.write_bytes(line + b"\n" + log.read_bytes() + line + b"\n")
    assert found(shelf) == ("mixed", 2.0)


@pytest.mark.parametrize("speed", [0.0, -768.0, float("nan"), float("inf")])
def test_a_speed_that_is_none_says_nothing(shelf: Shelf, made: Made, speed: float) -> None:
    config = RunConfig()
    made.run(
        "odd", events=[step(config, n, None).model_copy(update={"tokens_per_second": speed}) for n in range(1, 41)]
    )
    assert found(shelf) is None


def test_a_folder_that_is_no_run_is_passed_by(shelf: Shelf, made: Made) -> None:
    made.run("whole", 2.0)
    (shelf.runs_dir / "broken").mkdir()
    (shelf.runs_dir / "broken" / "run.json").write_text("{}", encoding="utf-8")
    assert found(shelf) == ("whole", 2.0)


def test_a_shelf_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file", encoding="utf-8")
    with pytest.raises(GptTuiError, match="cannot be read"):
        found(Shelf(tmp_path / "runs"))
