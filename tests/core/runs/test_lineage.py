"""A fork's past: what its parent, and that one's parent, had learned until the fork."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from gpt_tui.core.config import RunConfig
from gpt_tui.core.events import Continued, Eval, Event, Parent, Started, Step
from gpt_tui.core.runs import History, RunRecord, Shelf, past_of

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


@pytest.fixture
def make(shelf: Shelf, config: RunConfig, record: RunRecord, started: Callable[[str], Started]) -> Make:
    def write(name: str, hour: int, events: Iterable[Event], parent: Parent | None = None) -> None:
        changes: dict[str, Any] = {"created": at(hour), "parent": parent}
        with shelf.create(config, name, record.model_copy(update=changes), "quick") as writer:
            writer.append(started(name).model_copy(update=changes))
            for event in events:
                writer.append(event)

    return write


def course(past: History | None) -> list[tuple[int, float]]:
    assert past is not None
    return list(zip(past.steps.tolist(), past.losses.tolist(), strict=True))


def test_it_is_the_parents_course_until_the_fork(shelf: Shelf, make: Make) -> None:
    make("old", 1, steps(0, 50, 2.0))
    past = past_of(shelf.runs_dir, Parent(run="old", step=30), at(2))
    assert course(past) == [(step, 2.0) for step in range(1, 31)]
    assert past is not None
    assert [e.step for e in past.evals] == [10, 20, 30]


def test_it_reaches_back_over_generations(shelf: Shelf, make: Make) -> None:
    make("first", 1, steps(0, 50, 3.0))
    make("second", 2, steps(20, 60, 2.0), Parent(run="first", step=20))
    past = past_of(shelf.runs_dir, Parent(run="second", step=40), at(3))
    assert course(past) == [(step, 3.0) for step in range(1, 21)] + [(step, 2.0) for step in range(21, 41)]


def test_a_generation_that_is_gone_ends_it(shelf: Shelf, make: Make) -> None:
    make("second", 2, steps(20, 60, 2.0), Parent(run="gone", step=20))
    assert course(past_of(shelf.runs_dir, Parent(run="second", step=40), at(3)))[0] == (21, 2.0)
    assert past_of(shelf.runs_dir, Parent(run="gone", step=20), at(3)) is None


def test_what_the_parent_took_back_before_the_fork_is_not_in_it(shelf: Shelf, make: Make) -> None:
    make("old", 1, [*steps(0, 50, 2.0), continued(20, 2), *steps(20, 40, 1.0)])
    past = past_of(shelf.runs_dir, Parent(run="old", step=30), at(3))
    assert course(past) == [(step, 2.0) for step in range(1, 21)] + [(step, 1.0) for step in range(21, 31)]


def test_another_course_that_the_parent_took_after_the_fork_is_not_in_it(shelf: Shelf, make: Make) -> None:
    make("old", 1, [*steps(0, 50, 2.0), continued(20, 4), *steps(20, 40, 1.0)])
    past = past_of(shelf.runs_dir, Parent(run="old", step=30), at(3))
    assert course(past) == [(step, 2.0) for step in range(1, 31)]


@pytest.mark.parametrize("name", ["../outside", "/etc", "..", "", "a\nb"])
def test_a_parent_is_looked_for_on_the_shelf_alone(shelf: Shelf, make: Make, name: str) -> None:
    make("old", 1, steps(0, 50, 2.0))
    outside = Shelf(shelf.runs_dir.parent)
    (shelf.runs_dir / "old").rename(outside.runs_dir / "outside")
    assert past_of(shelf.runs_dir, Parent(run=name, step=30), at(3)) is None


def test_runs_that_call_each_other_parents_end(shelf: Shelf, make: Make) -> None:
    make("hen", 1, steps(0, 20, 2.0), Parent(run="egg", step=10))
    make("egg", 1, steps(0, 20, 1.0), Parent(run="hen", step=10))
    assert len(course(past_of(shelf.runs_dir, Parent(run="hen", step=20), at(2)))) == 20
