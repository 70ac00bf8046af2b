"""A fork's past: what its parent, and that one's parent, had learned until the fork."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from gpt_tui.core.config import RunConfig
from gpt_tui.core.events import Checkpoint, Continued, Eval, Event, Parent, Sample, Started, Step, Surprise
from gpt_tui.core.runs import Branch, History, RunRecord, Shelf, branch_at, origin_of, past_of

Make = Callable[..., None]


def at(hour: int) -> str:
    return f"2026-11-20T{hour:02}:00:00Z"


def steps(first: int, last: int, loss: float) -> list[Event]:
    """Steps after `first`, each with this loss; an evaluation every ten."""
    rows: list[Event] = []
    for step in range(first + 1, last + 1):
        rows.append(Step(
            step=step, time=step * 0.1, loss=loss, learning_rate=0.001, grad_norm=0.5, tokens=step * 10,
            tokens_per_second=100.0,
        ))  # fmt: skip
        if step % 10 == 0:
            rows.append(Eval(step=step, time=step * 0.1, train_loss=loss, val_loss=loss, whole_split=False, best=True))
    return rows


def continued(step: int, hour: int) -> Continued:
    return Continued(step=step, time=step * 0.1, path="checkpoints", created=at(hour))


def saved(name: str) -> Checkpoint:
    return Checkpoint(step=int(name[:6]), time=1.0, path=f"/runs/old/checkpoints/{name}", reason="best")


@pytest.fixture
def make(shelf: Shelf, config: RunConfig, record: RunRecord, started: Callable[[str], Started]) -> Make:
    def write(
        name: str, hour: int, events: Iterable[Event], parent: Parent | None = None, branch: Branch | None = None
    ) -> None:
        changes: dict[str, Any] = {"created": at(hour), "parent": parent}
        with shelf.create(config, name, record.model_copy(update=changes | {"branch": branch}), "quick") as writer:
            writer.append(started(name).model_copy(update=changes))
            for event in events:
                writer.append(event)

    return write


def course(past: History | None) -> list[tuple[int, float]]:
    assert past is not None
    return list(zip(past.steps.tolist(), past.losses.tolist(), strict=True))


def test_it_is_the_parents_course_until_the_fork(shelf: Shelf, make: Make) -> None:
    make("old", 1, steps(0, 50, 2.0))
    past = past_of(shelf.runs_dir / "child", Parent(run="old", step=30), at(2))
    assert course(past) == [(step, 2.0) for step in range(1, 31)]
    assert past is not None
    assert [e.step for e in past.evals] == [10, 20, 30]


def test_it_reaches_back_over_generations(shelf: Shelf, make: Make) -> None:
    make("first", 1, steps(0, 50, 3.0))
    make("second", 2, steps(20, 60, 2.0), Parent(run="first", step=20))
    past = past_of(shelf.runs_dir / "child", Parent(run="second", step=40), at(3))
    assert course(past) == [(step, 3.0) for step in range(1, 21)] + [(step, 2.0) for step in range(21, 41)]


def test_a_generation_that_is_gone_ends_it(shelf: Shelf, make: Make) -> None:
    make("second", 2, steps(20, 60, 2.0), Parent(run="gone", step=20))
    assert course(past_of(shelf.runs_dir / "child", Parent(run="second", step=40), at(3)))[0] == (21, 2.0)
    assert past_of(shelf.runs_dir / "child", Parent(run="gone", step=20), at(3)) is None


def test_what_the_parent_took_back_before_the_fork_is_not_in_it(shelf: Shelf, make: Make) -> None:
    make("old", 1, [*steps(0, 50, 2.0), continued(20, 2), *steps(20, 40, 1.0)])
    past = past_of(shelf.runs_dir / "child", Parent(run="old", step=30), at(3))
    assert course(past) == [(step, 2.0) for step in range(1, 21)] + [(step, 1.0) for step in range(21, 31)]


def test_another_course_that_the_parent_took_after_the_fork_is_not_in_it(shelf: Shelf, make: Make) -> None:
    make("old", 1, [*steps(0, 50, 2.0), continued(20, 4), *steps(20, 40, 1.0)])
    past = past_of(shelf.runs_dir / "child", Parent(run="old", step=30), at(3))
    assert course(past) == [(step, 2.0) for step in range(1, 31)]


def looked(step: int) -> list[Event]:
    return [
        Eval(step=step, train_loss=4.2, val_loss=4.25, whole_split=False, best=True),
        Sample(step=step, prompt="", seed=1, text=f"said at {step}"),
        Surprise(step=step, nats=[4.2] * 10),
    ]


def test_the_untrained_model_is_that_of_the_run_at_the_head_of_the_line(shelf: Shelf, make: Make) -> None:
    make("first", 1, [*looked(0), *steps(0, 50, 3.0), *looked(50)])
    make("second", 2, [*looked(20), *steps(20, 60, 2.0)], Parent(run="first", step=20))
    origin = origin_of(shelf.runs_dir / "child", Parent(run="second", step=40), at(3))
    assert origin is not None
    assert origin.run.name == "first"
    assert origin.eval.val_loss == 4.25
    assert origin.sample is not None
    assert origin.sample.text == "said at 0"
    assert origin.surprise is not None
    assert origin.passage == "ROMEO:\nWhat"
    assert not origin.kept, "no checkpoint of it is there"


def test_where_the_head_of_the_line_is_gone_there_is_no_untrained_model(shelf: Shelf, make: Make) -> None:
    make("second", 2, [*looked(20), *steps(20, 60, 2.0)], Parent(run="gone", step=20))
    for parent in ("second", "gone"):
        assert origin_of(shelf.runs_dir / "child", Parent(run=parent, step=40), at(3)) is None


TWO_COURSES: list[Event] = [
    *[*steps(0, 30, 2.0), saved("000030"), *steps(30, 50, 2.0), saved("000050")],
    *[continued(20, 2), *steps(20, 30, 1.0), saved("000030"), *steps(30, 40, 1.0), saved("000040")],
]


@pytest.mark.parametrize(
    ("checkpoint", "mentions", "losses"),
    [
        ("000050", 1, [2.0] * 50),  # of a course that had been left behind
        ("000040", 1, [2.0] * 20 + [1.0] * 20),
        ("000030", 1, [2.0] * 30),  # pruned later, and its name taken again
        ("000030", 2, [2.0] * 20 + [1.0] * 10),
        ("000030", 3, [2.0] * 20 + [1.0] * 10),  # of which the log was damaged since
    ],
)
@pytest.mark.parametrize("hour", [1, 3])
def test_it_ends_at_the_very_checkpoint_whatever_the_clock_said(
    shelf: Shelf, make: Make, checkpoint: str, mentions: int, losses: list[float], hour: int
) -> None:
    make("old", 1, TWO_COURSES)
    parent = Parent(run="old", step=int(checkpoint))
    make("child", hour, [], parent, Branch(created=at(1), checkpoint=checkpoint, mentions=mentions))
    assert [loss for _, loss in course(past_of(shelf.runs_dir / "child", parent, at(hour)))] == losses


def test_a_fork_that_is_made_knows_how_often_its_checkpoint_was_named(shelf: Shelf, make: Make) -> None:
    make("old", 1, TWO_COURSES)
    run, _ = shelf.find("old")
    assert branch_at(run, "000030") == Branch(created=at(1), checkpoint="000030", mentions=2)


def test_another_run_that_has_the_name_of_the_parent_now_is_not_taken_for_it(shelf: Shelf, make: Make) -> None:
    make("old", 2, TWO_COURSES)
    parent = Parent(run="old", step=40)
    make("child", 3, [], parent, Branch(created=at(1), checkpoint="000040", mentions=1))
    assert past_of(shelf.runs_dir / "child", parent, at(3)) is None


@pytest.mark.parametrize("name", ["../outside", "/etc", "..", "", "a\nb"])
def test_a_parent_is_looked_for_on_the_shelf_alone(shelf: Shelf, make: Make, name: str) -> None:
    make("old", 1, steps(0, 50, 2.0))
    outside = Shelf(shelf.runs_dir.parent)
    (shelf.runs_dir / "old").rename(outside.runs_dir / "outside")
    assert past_of(shelf.runs_dir / "child", Parent(run=name, step=30), at(3)) is None


def test_runs_that_call_each_other_parents_end(shelf: Shelf, make: Make) -> None:
    make("hen", 1, steps(0, 20, 2.0), Parent(run="egg", step=10))
    make("egg", 1, steps(0, 20, 1.0), Parent(run="hen", step=10))
    assert len(course(past_of(shelf.runs_dir / "child", Parent(run="hen", step=20), at(2)))) == 20
