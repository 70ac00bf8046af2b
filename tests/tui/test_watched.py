"""The run on the screen, as far as no session is needed for it."""

from __future__ import annotations

import pytest

from gpt_tui.tui import watched
from gpt_tui.tui.watched import StepClock


class Clock:
    now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(watched, "time", clock)
    return clock


def test_a_step_far_longer_than_those_before_it_is_told_with_its_time(clock: Clock) -> None:
    steps = StepClock()
    for step in range(10, 20):
        clock.now += 0.02
        assert steps.late(step, True) is None
    clock.now += 4
    assert steps.late(19, True) is None
    clock.now += 8
    assert steps.late(19, True) == pytest.approx(12)
    clock.now += 1
    assert steps.late(20, True) is None


def test_steps_that_always_take_long_are_not_late(clock: Clock) -> None:
    steps = StepClock()
    steps.late(1, True)
    for step in range(2, 6):
        clock.now += 9
        assert steps.late(step - 1, True) is None or step == 2
        assert steps.late(step, True) is None


def test_what_is_not_a_step_is_no_late_step(clock: Clock) -> None:
    steps = StepClock()
    steps.late(7, True)
    clock.now += 60
    assert steps.late(7, False) is None, "an evaluation, or a pause"
    clock.now += 1
    assert steps.late(7, True) is None
