"""A run whose numbers break is stopped before its weights are touched, and says what did it and what to do."""

from __future__ import annotations

import math
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import torch

from gpt_tui.core.config import FIELDS, RunConfig
from gpt_tui.core.data import load_dataset
from gpt_tui.core.divergence import advice, last_good_checkpoint, remedy
from gpt_tui.core.events import AnyEvent, Checkpoint, DatasetRecord, Edit, Eval, Failed, Started, Step, from_json
from gpt_tui.core.runs import History, Shelf
from gpt_tui.core.session import Outcome, Plan, Session
from gpt_tui.core.training import Diverged, Trainer
from patience import PATIENCE
from program import run as run_program

TEXT = "".join(f"{name}:\nThe {thing} of {name} is number {n}.\n\n" for n in range(60) for name, thing in
               (("ANNA", "house"), ("BEN", "river"), ("CLARA", "evening")))  # fmt: skip

# A deep stack without norms, whose numbers soon leave their range.
WILD: dict[str, Any] = {
    "n_layer": 4,
    "n_head": 2,
    "n_embd": 16,
    "block_size": 8,
    "batch_size": 4,
    "max_iters": 400,
    "warmup_iters": 4,
    "eval_interval": 1000,
    "eval_iters": 2,
    "max_new_tokens": 5,
    "threads": 1,
    "device": "cpu",
    "optimizer": "adamw",
    "learning_rate": 100,
    "lr_schedule": "constant",
    "norm": "none",
    "qk_norm": False,
    "activation": "relu2",
}


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt"
    path.write_text(TEXT, encoding="utf-8")
    return path


def go(tmp_path: Path, fields: dict[str, Any], **plan: Any) -> tuple[Outcome, list[AnyEvent]]:
    config = RunConfig().replace(**{**WILD, "dataset": str(tmp_path / "text.txt"), **fields})
    session = Session(Plan(config, tmp_path / "runs", **plan))
    reader = session.subscribe()
    session.start()
    assert session.join(PATIENCE)
    assert session.outcome is not None
    return session.outcome, reader.drain()


def command_of(hint: str) -> list[str]:
    """The options that a hint names, as a shell would read them."""
    return shlex.split(hint[hint.index("--fork") :])


def checkpoints(events: list[AnyEvent]) -> list[int]:
    return [event.step for event in events if isinstance(event, Checkpoint)]


@pytest.mark.parametrize("ahead", [False, True], ids=["waiting", "running ahead"])
@pytest.mark.parametrize("value", [math.inf, math.nan, pytest.param(-math.inf, marks=pytest.mark.soak)], ids=str)
@pytest.mark.parametrize("what", ["loss", "gradient"])
def test_neither_weights_nor_streams_have_moved_when_a_step_is_refused(
    text: Path, what: str, value: float, ahead: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Running ahead, step 4 is begun, with numbers that are fine, before it is known of step 3 that it was not."""
    monkeypatch.setattr(Trainer, "runs_ahead", ahead)
    config = RunConfig().replace(**{**WILD, "norm": "rmsnorm", "learning_rate": 0.01, "dropout": 0.1})
    dataset = load_dataset(str(text))
    whole, trainer = Trainer(config, dataset), Trainer(config, dataset)
    torch.manual_seed(5)
    expected = [whole.step() for _ in range(4)]
    torch.manual_seed(5)
    found = [trainer.step() for _ in range(2)]
    assert trainer.model.head is not None
    if what == "loss":
        hook = trainer.model.head.register_forward_hook(lambda module, inputs, logits: logits * value)
    else:
        hook = trainer.model.head.weight.register_hook(lambda gradient: gradient * value)
    if ahead:
        trainer.begin_step()
        hook.remove()
    with pytest.raises(Diverged, match=rf"the {what} became (inf|-inf|nan) at step 3"):
        trainer.begin_step()
    hook.remove()
    assert (trainer.step_count, trainer.under_way) == (2, False)
    assert found + [trainer.step() for _ in range(2)] == expected
    for p, q in zip(trainer.model.parameters(), whole.model.parameters(), strict=True):
        assert torch.equal(p, q)


@pytest.mark.parametrize(
    "fields",
    [{}, {"grad_clip": "off"}, {"warmup_iters": 0}, {"checkpoint_interval": 1}, {"eval_interval": 1}],
    ids=str,
)
@pytest.mark.soak
def test_the_command_of_the_hint_trains(tmp_path: Path, text: Path, fields: dict[str, Any]) -> None:
    outcome, events = go(tmp_path, fields, run_name="wild one")
    assert outcome.traceback is None
    failed = outcome.event
    assert isinstance(failed, Failed)
    assert (failed.reason, failed.step) == ("diverged", [e.step for e in events if isinstance(e, Step)][-1])
    assert re.search(r"became (inf|-inf|nan) at step", failed.error)
    assert all(math.isfinite(event.loss) for event in events if isinstance(event, Step))
    _, spec, _, shelf, *options = command_of(failed.hint)
    assert shelf == str(tmp_path / "runs")
    run, step = spec.split("@")
    assert run == "wild one"
    assert int(step) in checkpoints(events)
    assert int(step) < failed.step, "a fork from the very weights that failed would fail at once"
    edits = {name.removeprefix("--").replace("-", "_"): value for name, value in zip(*[iter(options)] * 2, strict=True)}
    assert float(edits["learning_rate"]) == 1e-3, "half of a wild rate would be no better"
    outcome, forked = go(tmp_path, {}, fork=spec, edits={**edits, "max_iters": int(step) + 30, "warmup_iters": 0})
    assert outcome.kind == "finished", outcome.error
    assert [event.step for event in forked if isinstance(event, Step)][-1] == int(step) + 30


def test_a_run_that_runs_ahead_tells_what_one_does_that_waits(
    tmp_path: Path, text: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where it breaks off: the steps, the evaluations, what was saved and what is told of the end are the same."""

    def told(name: str) -> list[AnyEvent]:
        outcome, events = go(tmp_path, {"checkpoint_interval": 3}, run_name=name)
        assert isinstance(outcome.event, Failed)
        kept = [event for event in events if isinstance(event, Step | Eval | Checkpoint | Failed)]
        same = {"time": 0.0, "tokens_per_second": 0.0, "path": "", "hint": ""}
        return [event.model_copy(update={n: v for n, v in same.items() if hasattr(event, n)}) for event in kept]

    waiting = told("waiting")
    monkeypatch.setattr(Trainer, "runs_ahead", True)
    assert told("running") == waiting


def test_a_run_that_diverged_and_is_resumed_diverges_at_the_same_step_again(tmp_path: Path, text: Path) -> None:
    _, events = go(tmp_path, {"checkpoint_interval": 3}, run_name="wild")
    outcome, _ = go(tmp_path, {}, resume="wild")
    first, second = events[-1], outcome.event
    assert isinstance(first, Failed)
    assert isinstance(second, Failed)
    assert (second.step, second.error) == (first.step, first.error)


# What a history suggests


def history_of(
    losses: list[float], saved: list[int], edits: list[Edit] | None = None, **fields: Any
) -> tuple[History, RunConfig]:
    """Of a run of AdamW that diverged after these losses. saved: steps with a checkpoint."""
    config = RunConfig().replace(**{"optimizer": "adamw", "learning_rate": 0.004, "warmup_iters": 20} | fields)
    history = History()
    dataset = DatasetRecord(name="a", sha256="0", characters=1, vocab_size=65, train_tokens=1, val_tokens=1)
    history.apply(Started(run="mine", path="", created="", config=config.sections(), parameters=1, dataset=dataset,
                          device="cpu", dtype="float32", threads=1, ladder={}, passage=""))  # fmt: skip
    waiting = list(edits or [])
    for step, loss in enumerate([math.nan, *losses]):
        if step:
            history.apply(Step(step=step, loss=loss, learning_rate=0.25, grad_norm=7, tokens=step, tokens_per_second=1))
        if step in saved:
            history.apply(Checkpoint(step=step, path="", reason="interval"))
        while waiting and waiting[0].step == step:
            history.apply(waiting.pop(0))
    return history, history.config or config


GOOD = [4.2, 3.9, 3.6, 3.3, 3.0]


def test_the_last_good_checkpoint_is_one_from_which_a_step_was_completed_by_a_model_that_still_knew_something() -> None:
    saved = [0, 2, 4, 6, 8]
    assert last_good_checkpoint(history_of(GOOD, [0, 2, 4, 5])[0]) == 4
    assert last_good_checkpoint(history_of([*GOOD, 40.0, 900.0, 1e9], saved)[0]) == 4
    assert last_good_checkpoint(history_of([50.0, 60.0, 70.0], [0, 1, 3])[0]) == 0
    assert last_good_checkpoint(history_of([*GOOD[:3], 9.0], [3])[0]) == 3, "the only one is better than none"
    assert last_good_checkpoint(history_of([], [0])[0]) is None


@pytest.mark.parametrize(
    ("fields", "dtype", "cause", "options"),
    [
        ({}, "float32", "still rising", "--learning-rate 0.002"),
        ({"warmup_iters": 2, "learning_rate": 0.02}, "float32", "too high for this model", "--learning-rate 0.01"),
        ({"warmup_iters": 0}, "float32", "no warmup", "--learning-rate 0.002 --warmup-iters 100"),
        ({"grad_clip": "off"}, "float32", "length was 7 ", "--learning-rate 0.002 --grad-clip 1.0"),
        ({"warmup_iters": 2}, "bfloat16", "number format", "--learning-rate 0.002 --dtype float32"),
        ({"warmup_iters": 2, "min_lr": 0.003}, "float32", "too high", "--learning-rate 0.002 --min-lr 0.002"),
    ],
    ids=str,
)
def test_the_cause_that_is_told_is_the_one_that_the_run_suggests(
    fields: dict[str, Any], dtype: str, cause: str, options: str
) -> None:
    history, config = history_of(GOOD, [0, 3], **fields)
    said = advice(history, config, dtype, Path("/shelf/mine"), headless=True)
    assert cause in said
    assert said.endswith(f"gpt-tui --headless --fork mine@3 --runs-dir {Path('/shelf').absolute()} {options}")


def test_an_edit_shortly_before_is_the_first_suspect() -> None:
    edits = [
        Edit(step=3, changes={"learning_rate": (0.004, 0.5), "eval_interval": (200, 10)}),
        Edit(step=4, changes={"eval_iters": (20, 5)}),
    ]
    history, config = history_of(GOOD, [0, 2, 5], edits, warmup_iters=2)
    said = advice(history, config, "float32", Path("/shelf/mine"), headless=True)
    assert "The edit at step 3 is the likely cause: learning_rate 0.004 → 0.5. " in said
    assert said.endswith(f"--fork mine@2 --runs-dir {Path('/shelf').absolute()} --learning-rate 0.004")
    long_ago, config = history_of(GOOD + [3.0] * 200, [0, 100], edits, warmup_iters=2)
    assert "too high for this model" in advice(long_ago, config, "float32", Path("/shelf/mine"), headless=True)


def test_a_fork_is_slower_also_where_another_edit_is_the_likely_cause() -> None:
    for before, after, rate in ((0.3, 0.2, 0.001), (0.001, 0.5, 0.001), ("a word", 0.02, 0.01)):
        edit = Edit(step=3, changes={"learning_rate": (before, after), "grad_clip": (1.0, "off")})
        history, config = history_of(GOOD, [0, 2, 5], [edit], warmup_iters=2)
        assert remedy(history, config, "float32") == {"learning_rate": rate, "grad_clip": 1.0}


@pytest.mark.parametrize(("rate", "slower"), [(0.04, 0.02), (5.0, 0.02)])
def test_muon_is_slowed_with_adamw(rate: float, slower: float) -> None:
    """Its rate is its own, of which the learning rate only says how it rises and falls."""
    history, config = history_of(GOOD, [0, 2, 5], [], warmup_iters=2, optimizer="muon", muon_lr=rate)
    assert remedy(history, config, "float32")["muon_lr"] == slower


def test_what_fails_untrained_is_not_blamed_on_the_learning_rate() -> None:
    history, config = history_of([], [0], norm="none")
    said = advice(history, config, "float32", Path("/shelf/mine"), headless=True)
    assert "the learning rate has no part in it" in said
    assert said.endswith("--norm rmsnorm")
    assert "--fork" not in said


# The real program


@pytest.mark.soak
def test_the_program_ends_with_status_3_and_its_hint_can_be_typed(tmp_path: Path, text: Path) -> None:
    wild = [word for name, value in WILD.items() for word in (FIELDS[name].flag, FIELDS[name].show(value))]
    done = run_program(tmp_path, "--headless", "--json", "--dataset", str(text), "--run-name", "wild", *wild)
    failed = from_json(done.stdout.splitlines()[-1])
    assert isinstance(failed, Failed)
    assert done.returncode == 3
    assert failed.hint in done.stderr
    again = run_program(tmp_path, "--headless", "--json", *command_of(failed.hint), "--max-iters", "30")
    assert again.returncode == 0, again.stderr
    assert len(Shelf(tmp_path / "runs").runs()) == 2
