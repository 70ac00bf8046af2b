"""History: what events add up to, live or from a file, before and after going back."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt_tui.core.errors import Refusal
from gpt_tui.core.events import (
    Checkpoint,
    Continued,
    Edit,
    Eval,
    Event,
    Failed,
    Finished,
    Milestone,
    Notice,
    Paused,
    Resumed,
    Started,
    Step,
)
from gpt_tui.core.runs import History
from gpt_tui.core.runs.checkpoints import passed_over, words

MakeSteps = Callable[[int, int], list[Event]]
MakeStarted = Callable[[str], Started]


def step(number: int, **changes: object) -> Step:
    values = {"loss": 2.0, "learning_rate": 1e-3, "grad_norm": 1.0, "tokens": number * 8, "tokens_per_second": 9.0}
    return Step.model_validate({"step": number, "time": number / 2, **values, **changes})


def finished(number: int, reason: str = "max_iters") -> Finished:
    return Finished.model_validate(
        {
            "step": number,
            "train_loss": 1.7,
            "val_loss": 1.842,
            "best_val_loss": 1.84,
            "best_step": 20,
            "seconds": 9.0,
            "reason": reason,
        }
    )


def test_columns_hold_every_step_in_order() -> None:
    history = History()
    history.extend(step(n, loss=1 / n, grad_norm=n) for n in range(1, 5001))
    assert history.steps.tolist() == list(range(1, 5001))
    assert history.losses.tolist() == [1 / n for n in range(1, 5001)]
    assert history.grad_norms[-1] == 5000
    assert history.tokens[-1] == 40_000
    assert history.times[-1] == 2500
    assert {len(c) for c in (history.learning_rates, history.tokens_per_second, history.times)} == {5000}
    assert history.step == 5000


def test_columns_cannot_be_written_by_a_reader() -> None:
    history = History()
    history.apply(step(1))
    with pytest.raises(ValueError, match="read-only"):
        history.losses[0] = 0


def test_a_loss_that_is_not_finite_is_kept_as_nan() -> None:
    history = History()
    history.apply(step(1, loss=None))
    assert math.isnan(history.losses[0])


def test_each_event_changes_the_revision() -> None:
    history = History()
    seen = {history.revision}
    for event in (step(1), Notice(level="info", text="x"), Paused(step=1)):
        history.apply(event)
        seen.add(history.revision)
    assert len(seen) == 4


def test_continuing_drops_what_came_after_its_step_and_the_end(started: MakeStarted, steps: MakeSteps) -> None:
    history = History()
    history.extend([started("first"), *steps(1, 20)])
    before = history.steps.copy()
    history.apply(Edit(step=20, changes={"learning_rate": (0.012, 0.002)}))
    history.extend(steps(21, 40))
    history.apply(Edit(step=35, changes={"learning_rate": (0.002, 0.001)}))
    history.apply(Milestone(step=30, rung="bigram", val_loss=2.4))
    history.apply(Checkpoint(step=40, path="/x", reason="last"))
    history.apply(finished(40))
    history.apply(Continued(step=20, path="/x", created="2026-11-21T08:00:00+00:00"))
    assert history.steps.tolist() == before.tolist()
    assert [e.step for e in history.evals] == [10, 20]
    assert [s.step for s in history.samples] == [10, 20]
    assert [e.step for e in history.edits] == [20]
    assert not history.milestones
    assert not history.checkpoints
    assert [(m.step, m.kind) for m in history.marks] == [(20, "edit"), (20, "continued")]
    assert history.end is None
    assert history.step == 20
    assert history.config is not None
    assert history.config.optimizer.learning_rate == 0.002
    history.extend(steps(21, 30))
    assert history.steps.tolist() == list(range(1, 31))


def test_a_step_that_comes_again_replaces_what_followed_it() -> None:
    history = History()
    history.extend([step(1), step(2), step(3), step(2, loss=9.0)])
    assert history.steps.tolist() == [1, 2]
    assert history.losses.tolist() == [2.0, 9.0]


def test_numbers_that_fit_no_column_are_skipped_and_counted() -> None:
    history = History()
    history.extend(
        [
            step(1),
            step(10**30),
            step(2, tokens=10**40),
            Eval(step=-1, train_loss=1, val_loss=1, whole_split=True, best=True),
        ]
    )
    assert history.steps.tolist() == [1]
    assert not history.evals
    assert history.skipped == 3


def test_a_second_start_begins_anew(started: MakeStarted, steps: MakeSteps) -> None:
    once, twice = History(), History()
    once.extend([started("first"), *steps(1, 10)])
    twice.extend([started("other"), *steps(1, 30), finished(30), started("first"), *steps(1, 10)])
    assert twice.steps.tolist() == once.steps.tolist()
    assert twice.evals == once.evals
    assert twice.log == once.log
    assert twice.end is None


def test_the_best_evaluation_is_the_lowest_finite_one(steps: MakeSteps) -> None:
    history = History()
    assert history.best is None
    for n, val in enumerate([3.0, math.nan, 1.5, 1.5, 2.0]):
        history.apply(Eval(step=n, train_loss=1, val_loss=val, whole_split=False, best=False))
    assert history.best is not None
    assert history.best.step == 2
    assert history.last_eval is not None
    assert history.last_eval.step == 4


def test_the_state_follows_the_events(started: MakeStarted) -> None:
    history = History()
    seen = [history.state_word]
    for event in (
        started("first"), Paused(step=0), Resumed(step=0), finished(5), Continued(step=5, path="", created=""),
        finished(6, "stopped"), Continued(step=6, path="", created=""),
        Failed(step=7, reason="diverged", error="the loss is not finite", hint=""),
    ):  # fmt: skip
        history.apply(event)
        seen.append(history.state_word)
    assert seen == [
        "PREPARING", "TRAINING", "PAUSED", "TRAINING", "FINISHED", "TRAINING", "STOPPED", "TRAINING", "FAILED",
    ]  # fmt: skip


def test_what_happened_is_told_in_plain_sentences(started: MakeStarted) -> None:
    history = History()
    history.extend(
        [
            started("first"),
            Milestone(step=240, time=30.5, rung="trigram", val_loss=2.01),
            Checkpoint(step=349, path="/x", reason="best"),
            Checkpoint(step=350, path="/x", reason="interval, best"),
            Edit(step=360, changes={"learning_rate": (0.02, 0.01), "grad_clip": (1.0, "off")}),
            Paused(step=361),
            Resumed(step=361),
            Notice(level="warning", text="two\nlines\x1b[31m"),
            finished(600),
            Continued(step=600, path="/x", created="2026-11-21T08:00:00+00:00"),
            finished(601, "signal"),
            Failed(step=602, reason="diverged", error="The loss is not finite.", hint="Lower learning_rate."),
        ]
    )
    assert [line.text for line in history.log] == [
        "started on shakespeare: 616,448 parameters, cpu, float32, 2 threads",
        "passed the trigram line (2.05) at step 240",
        "checkpoint 350, interval, best",
        "learning_rate 0.02 → 0.01, grad_clip 1.0 → off",
        "paused at step 361",
        "resumed at step 361",
        "two; lines\\x1b[31m",
        "finished at step 600: validation 1.842 on the whole split, best 1.840",
        "continued from step 600",
        "stopped by a signal at step 601: validation 1.842 on the whole split, best 1.840",
        "diverged after step 602: The loss is not finite. Lower learning_rate.",
    ]
    assert [line.level for line in history.log if line.level != "info"] == ["warning", "error"]
    assert history.log[1].time == 30.5
    assert history.log[0].created == "2026-11-20T14:25:01+00:00"


def evaluation(number: int, time: float) -> Eval:
    return Eval(step=number, time=time, train_loss=2.0, val_loss=2.0, whole_split=False, best=False)


def test_the_log_tells_how_long_evaluations_took(started: MakeStarted) -> None:
    history = History()
    assert (history.evaluation_seconds, history.last_evaluation_seconds) == (0.0, 0.0)
    history.extend([started("first"), evaluation(0, 1.5), step(10, time=4.0), evaluation(10, 6.0)])
    assert (history.evaluation_seconds, history.last_evaluation_seconds) == (3.5, 2.0)
    history.extend([step(20, time=9.0), evaluation(20, 12.0)])
    history.apply(Continued(time=6.5, step=10, path="/x", created=""))
    assert history.evaluation_seconds == 3.5  # that of step 20 is void
    history.extend([step(20, time=7.0), evaluation(20, 8.0), finished(20).model_copy(update={"time": 18.0})])
    assert (history.evaluation_seconds, history.last_evaluation_seconds) == (14.5, 10.0)


def test_a_huge_split_is_said_to_be_judged_by_its_beginning(started: MakeStarted) -> None:
    history, huge = History(), started("first")
    huge = huge.model_copy(update={"dataset": huge.dataset.model_copy(update={"val_tokens": 10**9})})
    history.extend([huge, finished(20)])
    assert history.log[-1].text == (
        "finished at step 20: validation 1.842 on the split's first 1,000,000 tokens, best 1.840"
    )


def test_the_configuration_has_the_edits_applied(started: MakeStarted) -> None:
    history = History()
    assert history.config is None
    history.apply(started("first"))
    assert history.config is not None
    assert history.config.training.max_iters == 1100
    history.apply(Edit(step=5, changes={"max_iters": (1100, 3000)}))
    assert history.config.training.max_iters == 3000
    assert history.config is history.config, "made once, not at each look"


def test_a_configuration_of_another_version_is_refused_in_words(started: MakeStarted) -> None:
    history = History()
    history.apply(started("first").model_copy(update={"config": {"model": {"n_layerz": 3}}}))
    with pytest.raises(Refusal, match="n_layer"):
        _ = history.config


def test_a_view_taken_before_the_columns_grow_stays_right() -> None:
    history = History()
    history.extend(step(n) for n in range(1, 1025))
    view = history.steps
    history.extend(step(n) for n in range(1025, 3000))
    assert np.array_equal(view, np.arange(1, 1025))


def test_edits_that_a_continued_made_void_wait_until_they_are_made_again(started: MakeStarted) -> None:
    history = History()
    first = Edit(step=30, changes={"learning_rate": (0.02, 0.01), "dropout": (0.0, 0.1)})
    second = Edit(step=40, changes={"learning_rate": (0.01, 0.005)})
    history.extend([started("run"), first, second, Continued(step=20, path="", created="")])
    assert history.edits == []
    assert history.pending_edits == [first, second]
    # Interrupted again before they came: they still wait.
    history.apply(Continued(step=22, path="", created=""))
    assert history.pending_edits == [first, second]
    # A newer wish outdoes what waits for the same field, and leaves the others.
    history.apply(Edit(step=25, changes={"dropout": (0.0, 0.2)}))
    assert [edit.changes for edit in history.pending_edits] == [{"learning_rate": (0.02, 0.01)}, second.changes]
    history.apply(Edit(step=30, changes={"learning_rate": (0.02, 0.01)}))
    assert history.pending_edits == [second]
    assert history.config is not None
    assert (history.config.optimizer.learning_rate, history.config.model.dropout) == (0.01, 0.2)
    assert history.config_at(25).optimizer.learning_rate == history.started.config["optimizer"]["learning_rate"]
    history.apply(Continued(step=28, path="", created=""))
    assert [edit.step for edit in history.pending_edits] == [30, 40]


def test_an_edit_that_waits_outlives_another_at_its_step(started: MakeStarted) -> None:
    history = History()
    waiting = Edit(step=8, changes={"learning_rate": (0.02, 0.01)})
    history.extend([started("run"), waiting, Continued(step=6, path="", created="")])
    history.apply(Edit(step=8, changes={"eval_batch_size": ("off", 4)}))
    assert history.pending_edits == [waiting]
    history.apply(Edit(step=8, changes={"learning_rate": (0.02, 0.01)}))
    assert history.pending_edits == []


def test_an_evaluation_made_again_takes_the_place_of_the_one_cut_short(started: MakeStarted) -> None:
    history = History()
    looks = [Eval(step=10, train_loss=2, val_loss=v, whole_split=False, best=True) for v in (2.5, 2.5)]
    history.extend([started("run"), looks[0], Continued(step=10, path="", created=""), looks[1]])
    assert history.evals == [looks[1]]


def test_of_checkpoints_saved_as_best_or_last_only_the_newest_are_shown(started: MakeStarted) -> None:
    history = History()
    history.apply(started("run"))
    for step, why in ((0, "untrained"), (10, "best"), (20, "interval, best"), (30, "best"), (40, "last"), (50, "last")):
        history.apply(Checkpoint(step=step, path="/x", reason=why))
    assert [c.step for c in history.checkpoints] == [0, 20, 30, 50]


def test_of_the_checkpoints_of_an_interval_as_many_are_shown_as_are_kept_now(started: MakeStarted) -> None:
    history = History()
    history.apply(started("run"))

    def save(*steps: int) -> list[int]:
        for step in steps:
            history.apply(Checkpoint(step=step, path="/x", reason="interval"))
        return [c.step for c in history.checkpoints]

    assert save(10, 20, 30) == [10, 20, 30]
    history.apply(Edit(step=30, changes={"keep_checkpoints": ("off", 2)}))
    assert save(40) == [30, 40]
    history.apply(Edit(step=45, changes={"keep_checkpoints": (2, "off")}))
    assert save(50, 60) == [30, 40, 50, 60]
    history.apply(Continued(step=40, path="", created=""))
    assert save(50) == [40, 50], "the later edit is void"


REASONS = st.sampled_from(
    ["untrained", "interval", "interval, best", "best", "last", "signal", "asked", "interval, asked", ""]
)


@given(
    st.lists(
        st.one_of(
            *[REASONS] * 8,
            st.tuples(st.just("keep"), st.sampled_from(["off", 1, 2, 5])),
            st.tuples(st.just("back"), st.integers(0, 60)),
        ),
        min_size=20,
        max_size=60,
    )
)
def test_the_checkpoints_shown_are_those_that_the_rule_leaves_after_each_save(
    happened: list[str | tuple[str, int | str]],
) -> None:
    history, shown, step = History(), [], 0
    newest: list[tuple[int, int | str]] = [(0, "off")]
    for what in happened:
        if isinstance(what, str):
            step += 1
            history.apply(Checkpoint(step=step, path=f"/x/{step}", reason=what))
            kept = newest[-1][1]
            shown.append((step, what))
            gone = passed_over([words(why) for _, why in shown], kept if isinstance(kept, int) else None)
            shown = [save for place, save in enumerate(shown) if place not in gone]
        elif what[0] == "keep":
            history.apply(Edit(step=step, changes={"keep_checkpoints": (newest[-1][1], what[1])}))
            newest.append((step, what[1]))
        else:
            step = min(step, int(what[1]))
            history.apply(Continued(step=step, path="", created=""))
            shown = [save for save in shown if save[0] <= step]
            newest = newest[:1] + [edit for edit in newest[1:] if edit[0] <= step]
        assert [(c.step, c.reason) for c in history.checkpoints] == shown


@pytest.mark.parametrize("newest", ["off", 700])
def test_a_save_costs_the_same_after_many_as_after_few(started: MakeStarted, newest: int | str) -> None:
    history = History()
    history.extend([started("run"), Edit(step=0, changes={"keep_checkpoints": ("off", newest)})])
    reasons = ["interval", "best", "interval, best", "interval", "asked"]

    def calls(first: int) -> int:
        made = 0

        def count(frame: object, what: str, function: object) -> None:
            nonlocal made
            made += 1

        saves = [Checkpoint(step=step, path=f"/x/{step}", reason=reasons[step % 5]) for step in range(first, first + 5)]
        sys.setprofile(count)
        try:
            history.extend(saves)
        finally:
            sys.setprofile(None)
        return made

    calls(0)
    few = calls(5)
    for step in range(10, 2000, 5):
        calls(step)
    assert calls(2000) < 2 * few
