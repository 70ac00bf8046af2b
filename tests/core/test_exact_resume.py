"""Whatever happens to a run, it goes on exactly where it was: each number is the uninterrupted run's, bit for bit."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from gpt_tui.core import keeping, prepare
from gpt_tui.core.commands import Command, EditFields, Lend, Outcome, Pause, Plan, Resume, Save, Stop
from gpt_tui.core.config import RunConfig, from_sections
from gpt_tui.core.data import CharTokenizer
from gpt_tui.core.errors import GptTuiError
from gpt_tui.core.events import (
    AnyEvent,
    Checkpoint,
    Continued,
    Edit,
    Eval,
    Failed,
    Finished,
    Notice,
    Paused,
    Sample,
    Started,
    Step,
)
from gpt_tui.core.runs import Run, Shelf, load_checkpoint, past_of, verifying
from gpt_tui.core.sampling import Speaker
from gpt_tui.core.session import Session
from gpt_tui.core.training import Trainer
from patience import PATIENCE
from program import run

TEXT = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")

# Everything that could be forgotten between two sittings: dropout, accumulation, weight decay, a schedule with warmup.
FIELDS: dict[str, Any] = {
    "n_layer": 2,
    "n_head": 2,
    "n_embd": 16,
    "block_size": 8,
    "batch_size": 3,
    "gradient_accumulation_steps": 2,
    "dropout": 0.2,
    "optimizer": "adamw",
    "weight_decay": 0.1,
    "lr_schedule": "cosine",
    "warmup_iters": 5,
    "max_iters": 24,
    "eval_interval": 8,
    "eval_iters": 2,
    "checkpoint_interval": 6,
    "max_new_tokens": 8,
    "init": "gpt2",
    "zero_init": False,
    "threads": 1,
    "device": "cpu",
}

RATE = RunConfig().optimizer.learning_rate

When = Callable[[AnyEvent], bool]
Deed = Command | Callable[["Scripted"], object]


class Scripted(Session):
    """A real session to which deeds are done at events: in its own thread, so that each falls on its very step."""

    def __init__(self, plan: Plan, script: list[tuple[When, Deed]]):
        super().__init__(plan)
        self.script = list(script)
        self.events: list[AnyEvent] = []

    def publish(self, event: AnyEvent) -> None:
        super().publish(event)
        self.events.append(event)
        due = [item for item in self.script if item[0](event)]
        self.script = [item for item in self.script if item not in due]
        for _, deed in due:
            if callable(deed):
                deed(self)
            else:
                self.submit(deed)


class Broken(Exception):
    """What an unforeseen defect would raise."""


class Killed(Exception):
    """Ends a session whose directory was copied as a kill would have left it."""


@dataclass
class Place:
    """A folder with a text and a shelf, and what is done there."""

    folder: Path
    _left: Path | None = None

    def __post_init__(self) -> None:
        self.text.parent.mkdir(parents=True, exist_ok=True)
        self.text.write_text(TEXT, encoding="utf-8")

    @property
    def text(self) -> Path:
        return self.folder / "readme.md"

    @property
    def shelf(self) -> Shelf:
        return Shelf(self.folder / "runs")

    def run(self, name: str = "run") -> Run:
        return self.shelf.find(name)[0]

    def go(
        self, *script: tuple[When, Deed], fields: Mapping[str, Any] | None = None, **plan: Any
    ) -> tuple[Outcome, list[AnyEvent]]:
        config = RunConfig().replace(**{**FIELDS, "dataset": str(self.text), **(fields or {})})
        if not plan.keys() & {"resume", "fork"}:
            plan.setdefault("run_name", "run")
        session = Scripted(Plan(config, self.folder / "runs", **plan), list(script))
        session.start()
        assert session.join(PATIENCE)
        assert session.outcome is not None
        told = session.outcome.traceback
        assert told is None or "Broken" in told or "Killed" in told, told
        return session.outcome, session.events

    def go_on(self, *script: tuple[When, Deed], spec: str = "run", **plan: Any) -> list[AnyEvent]:
        outcome, events = self.go(*script, resume=spec, **plan)
        assert outcome.kind in ("finished", "failed"), outcome.error
        return events

    def kill(self, when: When) -> tuple[When, Deed]:
        """What the disk holds at this moment is what the shelf will hold: as SIGKILL leaves it, for it asks nobody."""

        def copy(session: Scripted) -> None:
            assert session.snapshot.run_path is not None
            self._left = self.folder / "as it was"
            shutil.copytree(session.snapshot.run_path, self._left)
            raise Killed

        return when, copy

    def killed(self, when: When, *script: tuple[When, Deed], spec: str | None = None, **plan: Any) -> None:
        """Train, and be killed at this moment if it comes."""
        self._left = None
        self.go(*script, self.kill(when), **({"resume": spec} if spec else {}), **plan)
        if self._left is not None:
            path = self.run((spec or plan.get("run_name", "run")).partition("@")[0]).path
            shutil.rmtree(path)
            self._left.rename(path)
            assert Run.open(path).state() == "interrupted"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "place")


def at_step(step: int) -> When:
    return lambda event: isinstance(event, Step) and event.step == step


def at(kind: type[AnyEvent], step: int | None = None) -> When:
    return lambda event: isinstance(event, kind) and step in (None, getattr(event, "step", None))


def fail(session: Scripted) -> None:
    raise Broken("a defect")


def warned(events: list[AnyEvent]) -> list[str]:
    return [event.text for event in events if isinstance(event, Notice) and event.level == "warning"]


# What has to be equal


@dataclass(frozen=True)
class Course:
    """Everything that a run computed. rows: a column of the history each; tensors: of the last checkpoint."""

    rows: dict[str, list[float]]
    looks: dict[str, dict[int, Any]]
    tensors: dict[str, torch.Tensor]
    state: dict[str, Any]


def course(run: Run) -> Course:
    history = run.history()
    saved = load_checkpoint(run.checkpoints()[-1].path)
    config = from_sections(saved.state["config"], "the checkpoint").replace(dataset="auto")  # each place has its own
    names = ("steps", "losses", "learning_rates", "grad_norms", "tokens")
    return Course(
        rows={name: getattr(history, name).tolist() for name in names},
        looks={
            "losses": {e.step: (e.train_loss, e.val_loss) for e in history.evals},
            "samples": {e.step: (e.prompt, e.seed, e.text) for e in history.samples},
            "surprises": {e.step: tuple(e.nats) for e in history.surprises},
            "end": {e.step: (e.train_loss, e.val_loss) for e in [history.end] if isinstance(e, Finished)},
        },
        tensors={**saved.model, **saved.trainer},
        state={**{name: saved.state[name] for name in ("step", "tokens", "batches")}, "config": config},
    )


def assert_same(found: Run, wanted: Course) -> None:
    """All of `wanted` is in `found`, which may have been looked at more often: a stop evaluates where it stops."""
    got = course(found)
    assert got.rows == wanted.rows
    for name, looks in wanted.looks.items():
        assert {step: got.looks[name].get(step) for step in looks} == looks, name
    assert got.state == wanted.state
    assert got.tensors.keys() == wanted.tensors.keys()
    assert [n for n in wanted.tensors if not torch.equal(got.tensors[n], wanted.tensors[n])] == []


Edits = tuple[tuple[int, tuple[tuple[str, Any], ...]], ...]


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Course]]:
    """The course of a run to which nothing happened but these edits; each is trained once."""
    place = Place(tmp_path_factory.mktemp("uninterrupted"))

    @cache
    def trained(fields: tuple[tuple[str, Any], ...], edits: Edits) -> Course:
        script = [(at_step(step), EditFields(dict(changes))) for step, changes in edits]
        outcome, _ = place.go(*script, fields=dict(fields))
        assert outcome.kind == "finished", outcome.error
        found = course(place.run())
        place.shelf.remove(place.run())
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GPT_TUI_CACHE_DIR", str(place.folder / "cache"))
        yield lambda edits=(), **fields: trained(tuple(sorted(fields.items())), edits)


def thoroughly(cases: list[Any], every_day: int = 1) -> list[Any]:
    """The first of the cases every day, all of them in the soak."""
    rest = [pytest.param(*(c if isinstance(c, tuple) else (c,)), marks=pytest.mark.soak) for c in cases[every_day:]]
    return [*cases[:every_day], *rest]


# One interruption, of every kind

HOW = ("killed", "stopped", "signal", "failed")


@pytest.mark.parametrize(
    ("how", "step"), thoroughly([(how, step) for step in (8, 4, 12, 21) for how in HOW], every_day=2)
)
def test_interrupted_and_resumed_is_as_if_nothing_had_happened(
    place: Place, uninterrupted: Callable[..., Course], how: str, step: int
) -> None:
    if how == "killed":
        place.killed(at_step(step))
    else:
        place.go((at_step(step), fail if how == "failed" else Stop(how)))  # type: ignore[arg-type]
        assert place.run().state() == ("failed" if how == "failed" else "stopped")
    events = place.go_on()
    assert isinstance(events[0], Continued)
    assert_same(place.run(), uninterrupted())


@pytest.mark.soak
def test_a_finished_run_that_is_prolonged_is_the_longer_run(place: Place, uninterrupted: Callable[..., Course]) -> None:
    place.go(fields={"max_iters": 14, "lr_decay_iters": 20})
    place.go_on(edits={"max_iters": 24})
    assert_same(place.run(), uninterrupted(lr_decay_iters=20))


def test_a_prolonged_schedule_is_that_of_a_run_that_was_prolonged_while_it_trained(
    place: Place, uninterrupted: Callable[..., Course]
) -> None:
    place.go(fields={"max_iters": 12})
    place.killed(at_step(15), spec="run", edits={"max_iters": 24})
    place.go_on()
    assert_same(place.run(), uninterrupted(((12, (("max_iters", 24),)),), max_iters=12))


@pytest.mark.parametrize("step", thoroughly([17, 5, 12]))
def test_muon_goes_on_as_if_nothing_had_happened(place: Place, uninterrupted: Callable[..., Course], step: int) -> None:
    muon = {"optimizer": "muon"}
    edits = ((9, (("muon_lr", 0.01), ("muon_momentum", 0.95))), (14, (("muon_ns_steps", 5),)))
    place.killed(at_step(step), *script_of(edits), fields=muon)
    left = edits if step < 9 else edits[1:] if step < 14 else ()
    place.killed(at_step(20), *script_of(left), spec="run")
    place.go_on()
    assert_same(place.run(), uninterrupted(edits, **muon))
    assert any(name.endswith("momentum_buffer") for name in course(place.run()).tensors)


def test_a_fork_may_take_another_optimizer(place: Place) -> None:
    place.go()
    outcome, events = place.go(fork="run@12", run_name="child", edits={"optimizer": "muon"})
    assert outcome.kind == "finished"
    place.go_on(spec="child@18")
    assert place.run("child").history().losses.tolist() == [e.loss for e in events if isinstance(e, Step)]


@pytest.mark.parametrize("step", thoroughly([6, 0, 12, 18]))
def test_a_run_goes_on_from_any_of_its_checkpoints(
    place: Place, uninterrupted: Callable[..., Course], step: int
) -> None:
    place.go()
    place.go_on(spec=f"run@{step}")
    assert_same(place.run(), uninterrupted())


@pytest.mark.soak
def test_several_interruptions_of_several_kinds_in_a_row(place: Place, uninterrupted: Callable[..., Course]) -> None:
    place.killed(at_step(3))
    place.go_on((at_step(5), Stop("signal")))
    place.go_on((at_step(9), fail))
    place.killed(at_step(14), spec="run")
    place.go_on((at(Eval, 16), Stop("signal")))  # the evaluation is told, its sample cut short
    place.go_on((at_step(20), Stop()))
    place.killed(at(Checkpoint, 24), spec="run")
    place.go_on()
    assert_same(place.run(), uninterrupted())
    assert [*place.run().history().steps] == list(range(1, 25))


@pytest.mark.parametrize("moment", thoroughly([Started, Eval, Sample]))
def test_a_run_killed_before_its_first_checkpoint_begins_again_with_the_same_numbers(
    place: Place, uninterrupted: Callable[..., Course], moment: type[AnyEvent]
) -> None:
    place.killed(at(moment, None if moment is Started else 0))
    assert place.run().checkpoints() == []
    place.go_on()
    assert_same(place.run(), uninterrupted())


@pytest.mark.soak
def test_a_fork_killed_before_its_first_checkpoint_is_told_to_be_forked_again(place: Place) -> None:
    place.go()
    place.killed(at(Started), fork="run@12", run_name="child")
    outcome, _ = place.go(resume="child")
    assert outcome.kind == "refused"
    assert "--fork run@12" in str(outcome.error)


# Edits


EDITS: Edits = (
    (4, (("learning_rate", 0.002), ("dropout", 0.4))),
    (9, (("batch_size", 5),)),
    (13, (("gradient_accumulation_steps", 1), ("dropout", 0.0))),
    (16, (("max_iters", 26), ("batch_size", 2))),
    (20, (("learning_rate", 0.0005), ("dropout", 0.1), ("weight_decay", 0.3))),
)


def script_of(edits: Edits) -> list[tuple[When, Deed]]:
    return [(at_step(step), EditFields(dict(changes))) for step, changes in edits]


@pytest.mark.parametrize("step", thoroughly([17, 5, 10, 12, 22]))
def test_edits_before_and_after_the_checkpoint_are_as_if_nothing_had_happened(
    place: Place, uninterrupted: Callable[..., Course], step: int
) -> None:
    """The kill takes the steps after the last checkpoint; the edits made there are made again at their steps."""
    place.killed(at_step(step), *script_of(EDITS))
    known = len(place.run().history().edits)
    assert known == sum(at < step for at, _ in EDITS), "an edit is on the disk before the next step ends"
    place.go_on(*script_of(EDITS[known:]))
    assert_same(place.run(), uninterrupted(EDITS))


@pytest.mark.parametrize("step", thoroughly([12, 0, 6, 18, 24]))
def test_edits_are_made_again_from_any_checkpoint(
    place: Place, uninterrupted: Callable[..., Course], step: int
) -> None:
    place.go(*script_of(EDITS))
    place.go_on(spec=f"run@{step}")
    assert_same(place.run(), uninterrupted(EDITS))
    assert [edit.step for edit in place.run().history().edits] == [step for step, _ in EDITS]


@pytest.mark.soak
def test_an_edit_of_threads_is_no_reason_to_doubt_the_resumed_run(place: Place) -> None:
    place.go((at_step(3), EditFields({"threads": 2})), (at_step(9), Stop("signal")))
    events = place.go_on()
    assert not [e for e in events if isinstance(e, Notice)]


# Going back, and leaving a course behind


def test_a_course_that_was_left_behind_is_not_taken_up_again_by_mistake(
    place: Place, uninterrupted: Callable[..., Course]
) -> None:
    place.go()
    place.killed(at_step(8), spec="run@6")  # nothing was saved since it went back, but 12, 18 and 24 are still there
    assert [info.step for info in place.run().checkpoints()] == [0, 6, 12, 18, 24]
    events = place.go_on()
    assert [e.step for e in events if isinstance(e, Continued)] == [6]
    history = place.run().history()
    assert [*history.steps] == list(range(1, 25))
    assert_same(place.run(), uninterrupted())


@pytest.mark.soak
def test_an_edit_on_going_back_survives_a_kill(place: Place, uninterrupted: Callable[..., Course]) -> None:
    place.go()
    place.killed(at_step(8), spec="run@6", edits={"learning_rate": 0.01})
    place.go_on()
    assert_same(place.run(), uninterrupted(((6, (("learning_rate", 0.01),)),)))


@pytest.mark.soak
def test_a_checkpoint_of_a_course_left_behind_can_be_forked_but_not_resumed(place: Place) -> None:
    place.go()
    before = place.run().history().losses.tolist()
    place.killed(at_step(8), spec="run@6", edits={"learning_rate": 0.01})
    outcome, _ = place.go(resume="run@18")
    assert outcome.kind == "refused"
    assert "--fork run@18" in str(outcome.error)
    outcome, _ = place.go(fork="run@18", run_name="child")
    assert outcome.kind == "finished"
    assert place.run("child").history().losses.tolist() == before[18:]


@pytest.mark.soak
def test_a_checkpoint_that_a_kill_kept_out_of_the_log_is_told_on_the_next_resume(
    place: Place, uninterrupted: Callable[..., Course]
) -> None:
    place.killed(at(Checkpoint, 12))  # saved, and not yet in the log
    assert 12 not in [e.step for e in place.run().history().checkpoints]
    place.killed(at_step(8), spec="run@6")
    place.go_on()
    assert_same(place.run(), uninterrupted())
    assert [*place.run().history().steps] == list(range(1, 25))


@pytest.mark.soak
def test_a_checkpoint_under_the_name_of_a_pruned_one_is_gone_on_from_though_a_kill_kept_it_out_of_the_log(
    place: Place, uninterrupted: Callable[..., Course]
) -> None:
    place.go(fields={"keep_checkpoints": 1})
    place.killed(at(Checkpoint, 24), spec="run@0")
    assert [info.name for info in place.run().checkpoints()][-1] == "000024"
    events = place.go_on()
    assert [e.step for e in events if isinstance(e, Continued)] == [24]
    assert_same(place.run(), uninterrupted(keep_checkpoints=1))


@pytest.mark.parametrize("spec", ["run", "run@18"])
def test_what_a_kill_between_a_save_and_its_pruning_left_is_pruned_on_going_on(place: Place, spec: str) -> None:
    place.killed(at(Checkpoint, 24), fields={"keep_checkpoints": 1, "eval_interval": 24})
    assert [info.name for info in place.run().checkpoints()] == ["000000", "000018", "000024"]
    kept: list[str] = []
    place.go_on((at_step(19), note_checkpoints(kept)), spec=spec)
    assert [info.name for info in place.run().checkpoints()][-1:] == ["000024" if spec == "run" else "000024.2"]
    assert "000018" not in [info.name for info in place.run().checkpoints()]
    assert kept == ([] if spec == "run" else ["000000", "000018", "000024"]), "what it goes on from stays till then"


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
def test_a_checkpoint_that_is_a_link_is_told_of_once_and_the_others_are_pruned(place: Place) -> None:
    place.go((at_step(7), Stop("signal")), fields={"keep_checkpoints": 1, "eval_interval": 24})
    shelved = place.run().path / "checkpoints"
    (shelved / "000006").rename(place.folder / "elsewhere")
    (shelved / "000006").symlink_to(place.folder / "elsewhere")
    (told,) = warned(place.go_on())
    assert told.startswith("Older checkpoints cannot be removed: ")
    assert told.endswith("000006 is a link and is left alone")
    assert [info.name for info in place.run().checkpoints()] == ["000000", "000006", "000024"]


def note_checkpoints(kept: list[str]) -> Callable[[Scripted], object]:
    def note(session: Scripted) -> None:
        assert session.snapshot.run_path is not None
        kept.extend(info.name for info in Run.open(session.snapshot.run_path).checkpoints())

    return note


def test_what_was_best_and_what_was_passed_is_so_again_after_going_back(place: Place) -> None:
    place.go()
    before = place.run().history()
    assert [look.step for look in before.evals if look.best] != [0]
    assert before.milestones
    place.go_on(spec="run@0")
    after = place.run().history()
    assert [(look.step, look.best) for look in after.evals] == [(look.step, look.best) for look in before.evals]
    assert [(mark.step, mark.rung) for mark in after.milestones] == [
        (mark.step, mark.rung) for mark in before.milestones
    ]


# What is asked for now, and what was edited then


def test_a_setting_asked_for_on_going_back_holds_though_it_was_edited_later(
    place: Place, uninterrupted: Callable[..., Course]
) -> None:
    """Also one that is asked to be what it was at the checkpoint."""
    place.go((at_step(9), EditFields({"learning_rate": 0.5})))
    events = place.go_on(spec="run@6", edits={"learning_rate": RATE})
    assert [e.changes for e in events if isinstance(e, Edit)] == [{"learning_rate": (RATE, RATE)}]
    assert_same(place.run(), uninterrupted())
    place.killed(at_step(10), spec="run@6")
    place.go_on()
    assert_same(place.run(), uninterrupted())
    assert f"learning_rate stays {RATE}" in {mark.text for mark in place.run().history().marks}


def test_an_edit_that_cannot_be_made_again_is_refused_before_the_run_goes_on(place: Place) -> None:
    place.go((at_step(9), EditFields({"warmup_iters": 20})))
    outcome, events = place.go(resume="run@6", edits={"max_iters": 15})
    assert (outcome.kind, events) == ("refused", [])
    assert "at step 9 the run was edited, which is to be made again: " in str(outcome.error)
    assert "warmup_iters" in str(outcome.error)
    place.go_on(spec="run@6", edits={"max_iters": 15, "warmup_iters": 5})
    assert place.run().history().step == 15


def test_an_edit_onto_a_device_that_is_not_here_is_refused_until_another_is_named(place: Place) -> None:
    place.go((at_step(9), EditFields({"threads": 2})))
    log = place.run().path / "events.jsonl"
    log.write_text(log.read_text(encoding="utf-8").replace('{"threads":[1,2]}', '{"device":["cpu","mps"]}'), "utf-8")
    outcome, _ = place.go(resume="run@6")
    assert outcome.kind == "refused"
    assert "device = mps: at step 9" in str(outcome.error)
    place.go_on(spec="run@6", edits={"device": "cpu"})
    assert place.run().history().step == FIELDS["max_iters"]


def test_an_edit_that_goes_with_nothing_any_more_is_left_out_and_told(place: Place) -> None:
    place.go((at_step(12), EditFields({"warmup_iters": 20})))
    events = place.go_on((at_step(8), EditFields({"max_iters": 16})), spec="run@6")
    assert any(text.startswith("What was edited at step 12 could not be edited again: ") for text in warned(events))
    assert place.run().history().step == 16


def test_a_look_cut_short_is_made_again_under_what_held_for_it(place: Place) -> None:
    edit = (at(Eval, 8), EditFields({"eval_iters": 7, "learning_rate": 0.01}))
    place.go(edit)
    wanted = course(place.run())
    place.go((at_step(8), Stop("signal")), resume="run@6")
    assert 8 not in {e.step for e in place.run().history().evals}
    place.go_on()
    assert_same(place.run(), wanted)


def test_a_checkpoint_of_a_look_cut_short_is_kept_as_what_it_would_have_been(place: Place) -> None:
    """The untrained one, one of the interval, and that which a fork begins with."""
    fields = {"eval_interval": 6}
    place.go((at(Started), Stop("signal")), fields=fields)
    place.go_on((at(Eval, 12), Stop("signal")))
    place.go_on()
    place.go((at(Started), Stop("signal")), fork="run@12", run_name="child")
    place.go_on(spec="child")
    assert [info.step for info in place.run().checkpoints()] == [0, 6, 12, 18, 24]
    assert place.run("child").checkpoints()[0].step == 12


# What reaches the disk, and when


def test_the_log_is_written_while_a_long_evaluation_is_made(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    loss = Trainer._loss

    def slow(trainer: Trainer, *batch: torch.Tensor) -> torch.Tensor:
        if not trainer.model.training:
            time.sleep(0.03)
        return loss(trainer, *batch)

    monkeypatch.setattr(Trainer, "_loss", slow)
    monkeypatch.setattr(keeping, "FLUSH_SECONDS", 0.2)
    written = []

    def look(session: Scripted) -> None:
        assert session.snapshot.run_path is not None
        written.append(Run.open(session.snapshot.run_path).history().step)

    place.go((at(Eval, 8), look), fields={"eval_iters": 10})
    assert written == [8]


# Ends that nobody foresaw


def test_whatever_fails_while_a_failure_is_told_the_log_is_written_and_the_lock_given_back(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gpt_tui.core.worker._hint", lambda error: fail(None))  # type: ignore[arg-type]
    outcome, _ = place.go((at_step(10), fail))
    assert outcome.kind == "failed"
    assert place.run().state() == "interrupted"
    assert place.run().history().step == 10


def test_a_run_that_fails_while_a_step_is_under_way_fails_after_the_last_step_that_is_told(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Trainer, "runs_ahead", True)
    outcome, events = place.go((at_step(10), fail))
    assert isinstance(outcome.event, Failed)
    assert outcome.event.step == [e.step for e in events if isinstance(e, Step)][-1] == place.run().history().step


# A log that was damaged


def test_an_edit_that_can_no_longer_be_read_is_told_of_and_half_a_line_at_the_end_is_not(place: Place) -> None:
    place.go((at_step(13), EditFields({"learning_rate": 0.01})))
    log = place.run().path / "events.jsonl"
    whole = log.read_bytes()
    log.write_bytes(whole + b'{"v":1,"event":"edit","step":24,"cha')
    assert warned(place.go_on(spec="run@12")) == []
    assert whole.count(b'"event":"edit"') == 1
    log.write_bytes(whole.replace(b'"event":"edit"', b'"event":"edht"'))
    expected = (
        "1 line of the log of run cannot be read: what was edited there is not made again "
        f"({verifying(place.run().path)} tells more)"
    )
    assert warned(place.go_on(spec="run@12")) == [expected]
    outcome, events = place.go(fork="run@12", run_name="child")
    assert outcome.kind == "finished"
    assert warned(events) == [expected]


def damage(path: Path, right: bytes, wrong: bytes) -> None:
    """Change the first such bytes of a file into others."""
    content = path.read_bytes()
    assert right in content
    path.write_bytes(content.replace(right, wrong, 1))


def test_a_log_whose_first_line_is_damaged_keeps_its_history_when_the_run_goes_on(place: Place) -> None:
    place.go((at_step(3), EditFields({"dropout": 0.3})))
    place.killed(at_step(8), spec="run@6", edits={"learning_rate": 0.01})
    before = place.run().history()
    behind = before.left_behind(place.run().checkpoints())
    assert behind == {"000012", "000018", "000024"}
    damage(place.run().path / "events.jsonl", b'"event":"started"', b'"event":"st?rted"')
    events = place.go_on()
    assert warned(events) == ["The log of run has lost its beginning, which is taken from run.json and config.toml"]
    assert [type(event) for event in events[:2]] == [Continued, Notice]
    run = place.run()
    after = run.history()
    assert after.steps.tolist() == list(range(1, 25))
    assert after.losses[:6].tolist() == before.losses[:6].tolist()
    assert after.left_behind(run.checkpoints()) == behind
    assert (after.started, after.config) == (before.started, before.config)
    assert len(run.digest().edits) == 2


@pytest.mark.parametrize("line", [0, 20])
def test_a_log_in_which_a_newer_version_wrote_is_read_and_forked_and_not_written_in(place: Place, line: int) -> None:
    place.go()
    log = place.run().path / "events.jsonl"
    lines = log.read_bytes().splitlines(keepends=True)
    lines[line] = lines[line].replace(b'"v":1', b'"v":2', 1)
    log.write_bytes(b"".join(lines) + b'{"half a line')
    whole = log.read_bytes()
    outcome, _ = place.go(resume="run@12")
    assert outcome.kind == "refused"
    told = f"line {line + 1} was written by a newer gpt-tui: version 2, where this one knows version 1"
    assert told in str(outcome.error)
    assert "--fork run@12" in str(outcome.error)
    assert log.read_bytes() == whole
    assert place.run().history().config is not None
    assert place.go(fork="run@12", run_name="child")[0].kind == "finished"


@pytest.mark.parametrize(
    ("left", "says"),
    [
        (lambda content: b"", "is empty"),
        (lambda content: content[:300], "is empty"),
        (lambda content: b"".join(content.splitlines(keepends=True)[:12]), "ends at step 6"),
    ],
)
def test_a_log_that_was_cut_is_told_of_before_the_run_goes_on(
    place: Place, left: Callable[[bytes], bytes], says: str
) -> None:
    place.killed(at_step(16), (at_step(13), EditFields({"learning_rate": 0.01})))
    log = place.run().path / "events.jsonl"
    log.write_bytes(left(log.read_bytes()))
    told = (
        f"The log of run {says} and lacks what led to checkpoint 000012: its steps are not shown any more, and what "
        f"was edited after step 12 is not made again ({verifying(place.run().path)} tells more)"
    )
    outcome, events = place.go(fork="run@12", run_name="child")
    assert outcome.kind == "finished"
    assert warned(events) == [told]
    assert warned(place.go_on()) == [told]
    history = place.run().history()
    assert (history.step, history.config is None) == (24, False)
    assert {0, 6, 12, 18, 24} <= {event.step for event in history.checkpoints}
    assert warned(place.go_on(spec="run@18")) == []


def test_a_log_that_is_gone_is_told_of_though_nothing_but_the_beginning_was_saved(place: Place) -> None:
    place.killed(at_step(4))
    (place.run().path / "events.jsonl").unlink()
    (told,) = warned(place.go_on())
    assert told.startswith("The log of run is empty and lacks what led to checkpoint 000000: ")


def test_a_log_without_the_run_that_went_back_is_told_of(place: Place) -> None:
    place.go()
    log = place.run().path / "events.jsonl"
    first_course = log.read_bytes()
    place.killed(at_step(14), spec="run@6")
    log.write_bytes(first_course)
    (told,) = warned(place.go_on())
    assert told.startswith("The log of run ends at step 24 and lacks what led to checkpoint 000012.2: ")


@pytest.mark.parametrize("left", thoroughly([30, 0]))
def test_a_log_of_which_a_kill_took_the_last_words_is_nothing_to_tell_of(place: Place, left: int) -> None:
    place.killed(at_step(13))
    log = place.run().path / "events.jsonl"
    *content, last = log.read_bytes().splitlines(keepends=True)
    assert b'"event":"checkpoint","time"' in last
    log.write_bytes(b"".join(content) + last[:left])
    assert warned(place.go_on()) == []


def test_edits_that_the_log_has_lost_are_told_of(place: Place) -> None:
    place.killed(at_step(16), *script_of(EDITS[:2]))
    log = place.run().path / "events.jsonl"
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join(line for line in lines if b'"event":"edit"' not in line))
    assert warned(place.go_on()) == [
        "The log of run lacks 2 edits from before checkpoint 000012: what was edited holds, but is not shown any more"
    ]
    assert warned(place.go_on(spec="run@18")) == []


def test_a_damaged_course_is_told_of_where_another_is_whole(place: Place) -> None:
    place.go(fields={"max_iters": 12})
    place.killed(at_step(10), spec="run@0")
    known = place.run().checkpoints()
    behind = place.run().history().left_behind(known)
    for name in {info.name for info in known} - behind:
        damage(place.run().path / "checkpoints" / name / "model.safetensors", b"F32", b"F33")
    outcome, _ = place.go(resume="run")
    assert outcome.kind == "refused"
    for told in ("checkpoint 000006.2 is damaged: ", "checkpoint 000000 is damaged: ", "left checkpoint 000012 behind"):
        assert told in str(outcome.error)
    outcome, events = place.go(fork="run@6", run_name="child")
    assert outcome.kind == "finished"
    damaged, used = warned(events)
    assert damaged.startswith("checkpoint 000006.2 is damaged: ")
    assert used == "checkpoint 000006 is used, the newest that is whole, of a course that the run left behind"


@pytest.mark.parametrize("saved", thoroughly([False, True]))
def test_a_configuration_that_was_changed_by_hand_is_not_followed_and_told_of(
    place: Place, uninterrupted: Callable[..., Course], saved: bool
) -> None:
    place.killed(at_step(8))
    if not saved:
        shutil.rmtree(place.run().path / "checkpoints")
    damage(place.run().path / "config.toml", f"learning_rate = {RATE}".encode(), b"learning_rate = 0.5")
    assert warned(place.go_on()) == [
        "config.toml of run has another learning_rate than the run began with, and is not followed"
    ]
    assert_same(place.run(), uninterrupted())


def test_a_damaged_vocabulary_is_never_spoken_with_and_a_fork_has_it_anew(place: Place) -> None:
    place.go()
    path = place.run().path / "run.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    record["tokenizer"]["characters"] = record["tokenizer"]["characters"][:-1] + "\uffee"
    path.write_text(json.dumps(record), encoding="utf-8")
    damaged = "The run's vocabulary does not have the checksum that was kept with it."
    with pytest.raises(GptTuiError, match=damaged):
        Speaker.from_run(place.run())
    assert [text.partition(" A ")[0] for text in warned(place.go_on(spec="run@18"))] == [damaged]
    outcome, events = place.go(fork="run@18", run_name="child")
    assert outcome.kind == "finished"
    assert [text.partition(" A ")[0] for text in warned(events)] == [damaged]
    assert Speaker.from_run(place.run("child")).speak()
    outcome, _ = place.go(fork="run@18", run_name="other", edits={"dataset": str(place.text)})
    assert damaged in str(outcome.error)


# Forks


@pytest.mark.parametrize("step", thoroughly([6, 0, 18]))
def test_a_fork_with_nothing_changed_is_its_parents_further_course(place: Place, step: int) -> None:
    place.go()
    outcome, events = place.go(fork=f"run@{step}", run_name="child")
    assert outcome.kind == "finished"
    parent, child = course(place.run()), course(place.run("child"))
    assert child.rows["steps"] == list(range(step + 1, 25))
    for name, column in child.rows.items():
        assert column == parent.rows[name][step:], name
    for name in ("samples", "surprises", "end"):
        later = {at: look for at, look in parent.looks[name].items() if at > step}
        assert {at: child.looks[name][at] for at in later} == later
    assert child.state == parent.state
    assert all(torch.equal(child.tensors[name], parent.tensors[name]) for name in parent.tensors)
    started = events[0]
    assert isinstance(started, Started)
    assert started.parent is not None
    assert (started.parent.run, started.parent.step) == ("run", step)


def test_the_past_of_a_fork_is_the_course_of_its_checkpoint(place: Place) -> None:
    place.go(fields={"checkpoint_interval": "off", "keep_checkpoints": 1})
    first = place.run().history().losses.tolist()
    checkpoint = place.run().checkpoints()[-1]
    assert place.go(fork="run", run_name="one", edits={"max_iters": 30})[0].kind == "finished"
    place.go_on(spec="run@0", edits={"learning_rate": 0.01})
    assert place.run().checkpoints()[-1].name == checkpoint.name, "the first one was pruned, and its name taken again"
    second = place.run().history().losses.tolist()
    assert second != first
    assert place.go(fork="run", run_name="other", edits={"max_iters": 30})[0].kind == "finished"
    for name, course in (("one", first), ("other", second)):
        started = place.run(name).history().started
        assert started is not None
        assert started.parent is not None
        past = past_of(place.run(name).path, started.parent, started.created)
        assert past is not None
        assert past.losses.tolist() == course, name


def test_a_fork_has_what_was_edited_at_its_very_step(place: Place) -> None:
    place.go(
        (at_step(10), Pause()),
        (at(Paused), Save()),
        (at(Checkpoint, 10), EditFields({"dropout": 0.5, "learning_rate": 0.02})),
        (at(Edit), Resume()),
    )
    place.go(fork="run@10", run_name="child")
    assert place.run("child").history().losses.tolist() == place.run().history().losses.tolist()[10:]


# Looking in between


def test_sampling_and_speaking_in_between_change_nothing(place: Place, uninterrupted: Callable[..., Course]) -> None:
    """A model that learns with dropout lends its weights, and they speak in another thread while it goes on."""
    lent = [Lend() for _ in range(3)]
    spoken: list[str] = []

    def speak() -> None:
        config = RunConfig().replace(**FIELDS)
        tokenizer = CharTokenizer("".join(sorted(set(TEXT))))
        for lend in lent:
            model = lend.reply.result(PATIENCE)
            speaker = Speaker.of_weights(model.weights, tokenizer, config, model.step, "cpu")
            spoken.append(speaker.speak("T"))

    voice = threading.Thread(target=speak)
    voice.start()
    place.go(*((at_step(step), lend) for step, lend in zip((2, 7, 11), lent, strict=True)), (at_step(14), Stop()))
    Speaker.from_run(place.run()).speak("The")
    place.go_on()
    voice.join(PATIENCE)
    assert len(spoken) == 3
    assert_same(place.run(), uninterrupted())


# Drawn courses


@st.composite
def courses(draw: st.DrawFn) -> tuple[dict[str, Any], Edits, list[tuple[str, int]]]:
    """Fields, edits at steps, and interruptions: each a kind and how many steps after the sitting's first it falls."""
    fields = {
        "dropout": draw(st.sampled_from([0.0, 0.3])),
        "gradient_accumulation_steps": draw(st.integers(1, 2)),
        "checkpoint_interval": draw(st.sampled_from([1, 4, 7, "off"])),
        "eval_interval": draw(st.integers(3, 9)),
        "seed": draw(st.integers(0, 3)),
        "optimizer": draw(st.sampled_from(["adamw", "muon"])),
        "zero_init": draw(st.booleans()),
    }
    values = {
        "learning_rate": st.sampled_from([0.0003, 0.002, 0.01]),
        "batch_size": st.integers(1, 4),
        "dropout": st.sampled_from([0.0, 0.1, 0.5]),
        "gradient_accumulation_steps": st.integers(1, 3),
        "max_iters": st.integers(20, 26),
    }
    steps = sorted(draw(st.sets(st.integers(1, 18), max_size=4)))
    names = st.sets(st.sampled_from(sorted(values)), min_size=1, max_size=3)
    edits = tuple((step, tuple((name, draw(values[name])) for name in sorted(draw(names)))) for step in steps)
    kinds = st.sampled_from(["stopped", "signal", "failed", "killed", "saved"])
    return fields, edits, draw(st.lists(st.tuples(kinds, st.integers(1, 9)), min_size=1, max_size=4))


def live_through(place: Place, fields: dict[str, Any], edits: Edits, blows: list[tuple[str, int]]) -> None:
    """Train with all of these interruptions; edits that the log does not have yet are made at their steps."""
    deeds: dict[str, Deed] = {"stopped": Stop(), "signal": Stop("signal"), "failed": fail, "saved": Save()}
    place.killed(at_step(1), fields=fields)
    for kind, after in [*blows, ("saved", 1)]:
        history = place.run().history()
        if isinstance(history.end, Finished) and history.end.reason == "max_iters":
            return
        known = max((edit.step for edit in (*history.edits, *history.pending_edits)), default=0)
        script = script_of(tuple(edit for edit in edits if edit[0] > known))
        step = max(history.course.values(), default=0) + after
        while kind in ("stopped", "signal") and step % fields["eval_interval"] == 0 and step in dict(edits):
            step += 1  # see test_an_edit_asked_for_before_a_stop_comes_before_the_evaluation_that_is_cut_short
        when = at_step(step)
        if kind == "killed":
            place.killed(when, *script, spec="run")
        else:
            place.go_on(*script, (when, deeds[kind]))


def check_drawn(drawn: tuple[dict[str, Any], Edits, list[tuple[str, int]]]) -> None:
    fields, edits, blows = drawn
    fields = {"eval_interval": FIELDS["eval_interval"], **fields}
    with tempfile.TemporaryDirectory() as folder:
        whole, broken = Place(Path(folder) / "whole"), Place(Path(folder) / "broken")
        whole.go(*script_of(edits), fields=fields)
        live_through(broken, fields, edits, blows)
        assert_same(broken.run(), course(whole.run()))


SLOW = settings(suppress_health_check=list(HealthCheck))


@settings(SLOW, max_examples=1, derandomize=True)
@given(courses())
@example(({"checkpoint_interval": 1, "eval_interval": 3}, ((1, (("batch_size", 1),)),), [("stopped", 1)]))
def test_whatever_is_edited_saved_and_interrupted_the_run_is_the_same(
    drawn: tuple[dict[str, Any], Edits, list[tuple[str, int]]],
) -> None:
    check_drawn(drawn)


@pytest.mark.soak
@settings(SLOW, max_examples=20)
@given(courses())
def test_whatever_is_edited_saved_and_interrupted_the_run_is_the_same_at_length(
    drawn: tuple[dict[str, Any], Edits, list[tuple[str, int]]],
) -> None:
    check_drawn(drawn)


def test_an_edit_asked_for_before_a_stop_comes_before_the_evaluation_that_is_cut_short(
    place: Place, uninterrupted: Callable[..., Course]
) -> None:
    """Of a run that nobody stops the evaluation comes first; all that is learned is the same."""
    edits = ((16, (("batch_size", 1),)),)
    wanted = uninterrupted(edits)
    place.go(*script_of(edits), (at_step(16), Stop()))
    assert [event.step for event in place.run().history().edits] == [16]
    place.go_on()
    got = course(place.run())
    assert got.looks["losses"].pop(16) != wanted.looks["losses"][16]
    others = {step: look for step, look in wanted.looks["losses"].items() if step != 16}
    assert_same(place.run(), replace(wanted, looks={**wanted.looks, "losses": others}))


# What cannot hold is said


def warnings_before_the_first_step(events: list[AnyEvent]) -> list[str]:
    first = next(i for i, event in enumerate(events) if isinstance(event, Step))
    return [event.text for event in events[:first] if isinstance(event, Notice) and event.level == "warning"]


@pytest.mark.soak
def test_other_threads_and_another_number_format_are_said_before_the_first_step(place: Place) -> None:
    place.go((at_step(9), Stop("signal")))
    (told,) = warnings_before_the_first_step(place.go_on(edits={"threads": 2, "dtype": "bfloat16"}))
    assert "number format float32 → bfloat16" in told
    assert "threads 1 → 2" in told
    assert told in [notice.text for notice in place.run().history().notices]


@pytest.mark.soak
def test_what_cannot_hold_is_told_on_stderr_even_to_who_asked_for_quiet(place: Place) -> None:
    flags = [f"--{name.replace('_', '-')}={value}" for name, value in FIELDS.items()]
    made = run(place.folder, "--headless", *flags, "--dataset", str(place.text), "--run-name", "run")
    assert made.returncode == 0, made.stderr
    again = run(place.folder, "--headless", "--quiet", "--resume", "run", "--max-iters", "26", "--threads", "2")
    assert again.returncode == 0, again.stderr
    assert "may differ in their last digits from those of an uninterrupted run: threads 1 → 2" in again.stderr


def test_another_processor_and_other_versions_are_said_before_the_first_step(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second machine is not at hand: what this one says of itself is changed."""
    place.go((at_step(9), Stop("signal")))
    here = prepare._surroundings()
    monkeypatch.setattr(prepare, "_surroundings", lambda: {**here, "processor": "an abacus", "torch": "1.0"})
    (told,) = warnings_before_the_first_step(place.go_on((at_step(14), Stop("signal"))))
    assert f"processor {here['processor']} → an abacus, torch {here['torch']} → 1.0" in told
    assert warnings_before_the_first_step(place.go_on()) == [], "the course of this machine is gone on with"


@pytest.mark.soak
def test_other_instructions_of_the_same_processor_are_said_before_the_first_step(place: Place) -> None:
    flags = [f"--{name.replace('_', '-')}={value}" for name, value in FIELDS.items()]
    made = run(place.folder, "--headless", *flags, "--dataset", str(place.text), "--run-name", "run")
    assert made.returncode == 0, made.stderr
    go_on = ("--headless", "--quiet", "--resume", "run", "--max-iters")
    again = run(place.folder, *go_on, "26", ATEN_CPU_CAPABILITY="default")
    assert again.returncode == 0, again.stderr
    assert "from those of an uninterrupted run: instruction set " in again.stderr
    assert "→ DEFAULT, ATEN_CPU_CAPABILITY not set → default" in again.stderr
    assert run(place.folder, *go_on, "28", ATEN_CPU_CAPABILITY="default").stderr == ""


def test_a_run_that_was_recorded_without_its_instructions_gives_no_reason_to_doubt(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = prepare._surroundings()
    with monkeypatch.context() as older:
        recorded = {name: here[name] for name in ("processor", *prepare._DECISIVE)}
        older.setattr(prepare, "_surroundings", lambda: recorded)
        place.go((at_step(9), Stop("signal")))
    assert warnings_before_the_first_step(place.go_on()) == []


def test_the_same_machine_gives_no_reason_to_doubt(place: Place) -> None:
    place.go((at_step(9), Stop("signal")))
    assert not [event for event in place.go_on() if isinstance(event, Notice)]


def test_a_changed_dataset_is_said_where_the_cache_kept_the_old_text(
    place: Place, uninterrupted: Callable[..., Course]
) -> None:
    place.go((at_step(9), Stop("signal")))
    place.text.write_text(TEXT.upper(), encoding="utf-8")
    (told,) = warnings_before_the_first_step(place.go_on())
    assert "readme.md has changed since: going on with what the cache kept of it" in told
    assert_same(place.run(), uninterrupted())


@pytest.mark.parametrize("size", [3, 10 * len(TEXT)])
def test_a_file_that_cannot_be_the_text_is_not_read_to_find_that_out(
    place: Place, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    place.go((at_step(9), Stop("signal")))
    place.text.write_text("x" * size, encoding="utf-8")
    monkeypatch.setattr(prepare, "load_dataset", fail)
    (told,) = warnings_before_the_first_step(place.go_on())
    assert "readme.md has changed since: going on with what the cache kept of it" in told


def test_a_changed_dataset_is_refused_where_nothing_else_is_left(
    place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    place.go((at_step(9), Stop("signal")))
    swapped = TEXT.replace("e", "\0").replace("a", "e").replace("\0", "a")  # other words, the same characters
    place.text.write_text(swapped, encoding="utf-8")
    monkeypatch.setenv("GPT_TUI_CACHE_DIR", str(tmp_path / "another cache"))
    log = place.run().path / "events.jsonl"
    before = log.read_bytes()
    for door in ("resume", "fork"):
        outcome, _ = place.go(**{door: "run"})
        assert outcome.kind == "refused"
        assert "readme.md has changed since" in str(outcome.error)
        line = f"gpt-tui --headless --fork run --runs-dir {place.run().path.parent} --dataset PATH"
        assert str(outcome.error).endswith(line)
    assert log.read_bytes() == before
    outcome, _ = place.go(fork="run", edits={"dataset": str(place.text)}, run_name="child")
    assert outcome.kind == "finished"
