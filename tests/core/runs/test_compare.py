"""Runs beside each other: only what differs is told, edits with their steps, and what came of each run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gpt_tui.core.config import FIELDS, RunConfig
from gpt_tui.core.events import Edit, Event, Finished, Started
from gpt_tui.core.runs import History, differing, results

MakeSteps = Callable[[int, int], list[Event]]
MakeStarted = Callable[[str], Started]


def history(*events: Event) -> History:
    found = History()
    found.extend(events)
    return found


def begun(started: MakeStarted, config: RunConfig, **changes: Any) -> Started:
    return started("a run").model_copy(update={"config": config.replace(**changes).sections()})


def told(*runs: History) -> dict[str, tuple[str, ...]]:
    return {line.name: line.texts for line in differing(runs)}


def test_runs_alike_differ_in_nothing(started: MakeStarted, steps: MakeSteps) -> None:
    assert differing([history(started("one"), *steps(1, 20)), history(started("two"), *steps(1, 40))]) == []
    assert differing([]) == []
    assert differing([history(started("one"))]) == []


def test_only_the_fields_that_differ_are_told_in_the_order_of_the_fields(
    started: MakeStarted, config: RunConfig
) -> None:
    one = history(begun(started, config))
    two = history(begun(started, config, seed=7, n_layer=5, learning_rate=0.0003, top_k=40))
    lines = differing([one, two])
    assert [line.name for line in lines] == ["n_layer", "learning_rate", "seed", "top_k"]
    assert [line.name for line in lines] == sorted((line.name for line in lines), key=list(FIELDS).index)
    assert lines[1].values == (config.optimizer.learning_rate, 0.0003)
    assert lines[1].texts == ("0.012", "0.0003")


def test_one_run_of_three_that_differs_is_enough(started: MakeStarted, config: RunConfig) -> None:
    runs = [history(begun(started, config, seed=seed)) for seed in (1, 1, 2)]
    assert told(*runs) == {"seed": ("1", "1", "2")}


def test_a_run_edited_on_its_way_differs_from_one_that_began_so(started: MakeStarted, config: RunConfig) -> None:
    began_so = history(begun(started, config, learning_rate=0.001))
    edited = history(
        begun(started, config),
        Edit(step=300, changes={"learning_rate": (0.012, 0.002)}),
        Edit(step=400, changes={"learning_rate": (0.002, 0.001)}),
    )
    (line,) = differing([began_so, edited])
    assert line.values == (0.001, 0.001)
    assert line.texts == ("0.001", "0.012 → 0.001 at 400, 2 edits")


def test_of_a_device_and_a_dataset_it_is_told_what_they_came_to(started: MakeStarted, config: RunConfig) -> None:
    here = begun(started, config, device="auto", threads="auto")
    dataset = here.dataset.model_copy(update={"sha256": "f" * 64})
    there = begun(started, config, device="cpu").model_copy(update={"threads": 8, "dataset": dataset})
    assert told(history(here), history(there)) == {
        "threads": ("2", "8"),
        "dataset sha256": ("000000000000", "ffffffffffff"),
    }


def test_what_is_not_known_of_a_run_is_no_difference(started: MakeStarted, config: RunConfig) -> None:
    stranger = started("a stranger").model_copy(update={"config": {"model": {"n_wings": 2}}})
    runs = [history(begun(started, config)), history(stranger), history(), history(begun(started, config, seed=7))]
    assert told(*runs) == {"seed": (str(config.training.seed), "–", "–", "7")}


def test_results_are_those_of_the_end_and_before_it_of_the_newest_evaluation(
    started: MakeStarted, steps: MakeSteps
) -> None:
    end = Finished(
        step=40, train_loss=2.0, val_loss=2.25, best_val_loss=2.2, best_step=30, seconds=5.5, reason="max_iters"
    )
    finished, running = history(started("one"), *steps(1, 40), end), history(started("two"), *steps(1, 25))
    found = {line.name: line.values for line in results([finished, running, history()])}
    assert found["step"] == (40, 25, 0)
    assert found["val_loss"][0] == 2.25
    assert found["val_loss"][1] == running.evals[-1].val_loss
    assert found["best_step"] == (40, 20, None)
    assert found["seconds"] == (5.5, 25 / 8, 0.0)
    assert {line.name: line.texts[2] for line in results([finished, history(), history()])}["val_loss"] == "–"
