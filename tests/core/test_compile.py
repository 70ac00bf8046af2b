"""Compiling is never a dead end, comes when it is worth it, and is made again on exact resume."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from gpt_tui.core.commands import Outcome, Plan
from gpt_tui.core.config import RunConfig
from gpt_tui.core.events import AnyEvent, Edit, Eval, Finished, Notice, Step
from gpt_tui.core.session import Session
from gpt_tui.core.training import CannotCompile, Trial, compiling, trainer
from patience import PATIENCE
from program import run

TEXT = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
FIELDS: dict[str, Any] = {
    "n_layer": 1, "n_head": 2, "n_embd": 16, "block_size": 8, "batch_size": 3, "dropout": 0.2, "warmup_iters": 5,
    "max_iters": 90, "eval_interval": 90, "eval_iters": 2, "checkpoint_interval": 70, "max_new_tokens": 8,
    "threads": 1, "device": "cpu",
}  # fmt: skip
HAS_COMPILER = shutil.which(os.environ.get("CXX", "g++")) is not None


def go(folder: Path, name: str = "run", **fields: Any) -> tuple[Outcome, list[AnyEvent]]:
    text = folder / "readme.md"
    text.write_text(TEXT, encoding="utf-8")
    config = RunConfig().replace(**{**FIELDS, "dataset": str(text), **fields})
    return sit(Plan(config, folder / "runs", run_name=name))


def sit(plan: Plan) -> tuple[Outcome, list[AnyEvent]]:
    session = Session(plan)
    events: list[AnyEvent] = []
    publish = session.publish
    session.publish = lambda event: (events.append(event), publish(event))[1]  # type: ignore[method-assign, func-returns-value]
    session.start()
    assert session.join(PATIENCE)
    assert session.outcome is not None
    assert session.outcome.traceback is None, session.outcome.traceback
    return session.outcome, events


def losses(events: list[AnyEvent]) -> dict[int, float]:
    return {event.step: event.loss for event in events if isinstance(event, Step)}


def switches(events: list[AnyEvent]) -> list[tuple[int, Any, Any]]:
    return [(e.step, *e.changes["compile"]) for e in events if isinstance(e, Edit) and "compile" in e.changes]


class Doubled(nn.Module):
    """What stands for a compiled model here: its losses show whether it was asked."""

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model

    def forward(self, *given: Any) -> Any:
        logits, loss = self.model(*given)
        return logits, 2 * loss


@pytest.fixture
def doubled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trainer, "compiled", Doubled)


@pytest.fixture
def worth_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if compiling took no time, and saved half of each step."""
    monkeypatch.setitem(compiling._EXPECTED, "cpu", (0.0, 0.5))


def never_slower(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Trial, "failed", lambda self: None)


# A trial ---------------------------------------------------------------------------------------------------------


def told(trial: Trial, *seconds: float) -> Trial:
    for value in seconds:
        trial.add(value)
    return trial


def test_nothing_is_compiled_before_the_steps_were_timed() -> None:
    few = told(Trial(), *[10.0] * compiling.WARM)
    assert not few.begins("cpu", compiling.WARM, 10**6)
    few.add(10.0)
    assert few.begins("cpu", compiling.WARM + 1, 10**6)


@pytest.mark.parametrize("device", ["cpu", "cuda", "mps"])
def test_it_is_worth_it_where_it_saves_more_than_it_takes(device: str) -> None:
    seconds, share = compiling._EXPECTED[device]
    enough = compiling.WORTH * seconds / share  # seconds of steps
    assert not compiling.is_worth_it(device, 0.1, int(enough / 0.1 * 0.99))
    assert compiling.is_worth_it(device, 0.1, int(enough / 0.1 * 1.01))


def test_nothing_is_decided_anew_where_the_log_knows_how_it_went() -> None:
    trial = told(Trial(known_until=50), *[10.0] * 40)
    assert not trial.begins("cpu", 49, 10**6)
    assert trial.begins("cpu", 50, 10**6)


def test_the_first_step_of_each_kind_is_not_counted() -> None:
    trial = told(Trial(), 99.0, *[2.0] * compiling.WARM)
    assert trial.mean == 2.0
    assert trial.begins("cpu", 40, 10**6)
    assert told(trial, 60.0, *[1.0] * compiling.WARM).failed() is None
    trial = told(Trial(), *[2.0] * 40)
    assert trial.begins("cpu", 40, 10**6)
    assert told(trial, 60.0, *[3.0] * compiling.WARM).failed() == (2.0, 3.0)
    assert trial.failed() is None  # judged once: a person may compile all the same
    trial = told(Trial(), *[2.0] * 40)
    assert trial.begins("cpu", 40, 10**6)
    trial.begin_anew()
    assert told(trial, *[3.0] * 40).failed() is None


# A run -----------------------------------------------------------------------------------------------------------


def test_nothing_is_compiled_unless_asked_for(tmp_path: Path, doubled: None, worth_it: None) -> None:
    _, events = go(tmp_path)
    assert switches(events) == []
    assert losses(events)[1] < 5


def test_asked_for_it_is_there_from_the_first_step_and_evaluations_are_as_ever(tmp_path: Path, doubled: None) -> None:
    _, plain = go(tmp_path, "plain")
    _, asked = go(tmp_path, "asked", compile="on")
    assert losses(asked)[1] == pytest.approx(2 * losses(plain)[1])
    first = [next(e.val_loss for e in events if isinstance(e, Eval)) for events in (plain, asked)]
    assert first[0] == first[1]


def test_auto_switches_once_at_a_step_that_is_recorded(
    tmp_path: Path, doubled: None, worth_it: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    never_slower(monkeypatch)
    _, plain = go(tmp_path, "plain")
    outcome, events = go(tmp_path, "auto", compile="auto")
    ((step, before, after),) = switches(events)
    assert (before, after) == ("auto", "on")
    assert step > compiling.WARM
    assert [losses(events)[i] for i in range(1, step + 1)] == [losses(plain)[i] for i in range(1, step + 1)]
    assert losses(events)[step + 1] == pytest.approx(2 * losses(plain)[step + 1])
    assert isinstance(outcome.event, Finished)


def test_what_made_no_step_faster_is_left_again(
    tmp_path: Path, worth_it: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    add = Trial.add
    monkeypatch.setattr(trainer, "compiled", lambda model: model)
    judge = Trial.failed
    monkeypatch.setattr(Trial, "failed", lambda self: judge(self) and (0.001, 0.002))
    monkeypatch.setattr(Trial, "add", lambda self, seconds: add(self, 1.0))
    _, plain = go(tmp_path, "plain")
    _, events = go(tmp_path, "auto", compile="auto")
    (on, *_), (off, *changed) = switches(events)
    assert off > on + compiling.WARM
    assert changed == ["on", "off"]
    assert any("2 ms" in e.text and "1 ms" in e.text for e in events if isinstance(e, Notice))
    assert losses(events) == losses(plain)


def test_a_model_that_cannot_be_compiled_goes_on_without_at_the_same_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(model: nn.Module) -> Callable[..., Any]:
        def call(*given: Any) -> Any:
            raise RuntimeError("no compiler\nwas found")

        return call

    monkeypatch.setattr(trainer, "compiled", refuses)
    _, plain = go(tmp_path, "plain")
    outcome, events = go(tmp_path, "refused", compile="on")
    assert switches(events) == [(0, "on", "off")]
    (notice,) = (e for e in events if isinstance(e, Notice) and e.level == "warning")
    assert "RuntimeError: no compiler" in notice.text
    assert losses(events) == losses(plain)
    assert isinstance(outcome.event, Finished)


def test_memory_that_does_not_suffice_is_not_taken_for_a_compiler_that_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Hungry(Doubled):
        def forward(self, x: Any, y: Any) -> Any:
            self.calls = getattr(self, "calls", 0) + 1
            if len(x) > 1 and self.calls > 2:
                raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 99 bytes.")
            return super().forward(x, y)

    monkeypatch.setattr(trainer, "compiled", Hungry)
    _, events = go(tmp_path, compile="on", max_iters=5, warmup_iters=2)
    assert switches(events) == []
    assert any("batch_size" in e.changes for e in events if isinstance(e, Edit))


def test_a_resumed_run_switches_where_it_did(
    tmp_path: Path, doubled: None, worth_it: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    never_slower(monkeypatch)
    _, events = go(tmp_path, compile="auto")
    made = switches(events)
    folder = tmp_path / "runs" / "run"
    log = folder / "events.jsonl"
    before = losses(events)
    # As a kill leaves it that came after the last step was logged: no checkpoint but that of step 0.
    for checkpoint in (folder / "checkpoints").iterdir():
        if "00000000" not in checkpoint.name:
            shutil.rmtree(checkpoint)
    kept = [
        line
        for line in log.read_text(encoding="utf-8").splitlines()
        if json.loads(line)["event"] not in ("checkpoint", "finished") or json.loads(line)["step"] == 0
    ]
    log.write_text("\n".join(kept) + "\n", encoding="utf-8")
    _, again = sit(Plan(RunConfig(), tmp_path / "runs", resume="run"))
    assert switches(again) == made
    assert losses(again) == before


# PyTorch's compiler itself ---------------------------------------------------------------------------------------


@pytest.mark.soak
@pytest.mark.skipif(not HAS_COMPILER, reason="there is no C++ compiler here")
@pytest.mark.parametrize("dropout", [0.0, 0.2])
def test_a_compiled_run_learns_what_any_run_learns(tmp_path: Path, dropout: float) -> None:
    fields = {"max_iters": 60, "eval_interval": 60, "dropout": dropout, "n_layer": 2}
    _, plain = go(tmp_path, "plain", **fields)
    outcome, events = go(tmp_path, "compiled", compile="on", **fields)
    assert isinstance(outcome.event, Finished)
    assert switches(events) == []
    if dropout:  # other masks, drawn from the same stream
        assert losses(events)[60] == pytest.approx(losses(plain)[60], abs=0.5)
    else:
        assert list(losses(events).values()) == pytest.approx(list(losses(plain).values()), rel=1e-3)
    torch.compiler.reset()


@pytest.mark.soak
def test_without_a_compiler_the_real_program_says_so_and_goes_on(tmp_path: Path) -> None:
    text = tmp_path / "readme.md"
    text.write_text(TEXT, encoding="utf-8")
    flags = [f"--{name.replace('_', '-')}={value}" for name, value in FIELDS.items()]
    done = run(
        tmp_path, "--headless", "--json", *flags, "--max-iters=12", "--eval-interval=12", "--compile=on",
        f"--dataset={text}", f"--runs-dir={tmp_path / 'runs'}",
        CXX=str(tmp_path / "nothing"), TORCHINDUCTOR_CACHE_DIR=str(tmp_path / "inductor"),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert [e["changes"] for e in events if e["event"] == "edit"] == [{"compile": ["on", "off"]}]
    assert events[-1]["reason"] == "max_iters"
    assert "Traceback" not in done.stderr


def test_the_error_says_what_failed_in_one_line() -> None:
    assert str(CannotCompile(ValueError("\n\nno such thing\nand more"))) == (
        "the model could not be compiled (ValueError: no such thing)"
    )
