"""A session trains in its thread, obeys between steps, keeps what it did, and goes on where it was."""

from __future__ import annotations

import io
import math
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gpt_tui.core.activity import LAST_EVALUATION
from gpt_tui.core.config import RunConfig
from gpt_tui.core.errors import Refusal
from gpt_tui.core.events import (
    AnyEvent,
    Checkpoint,
    Continued,
    Edit,
    Eval,
    Failed,
    Finished,
    Milestone,
    Notice,
    Paused,
    Resumed,
    Sample,
    Started,
    Step,
    Surprise,
)
from gpt_tui.core.runs import Run, RunIsHeld, Shelf
from gpt_tui.core.runs.lock import RunLock
from gpt_tui.core.session import (
    Command,
    EditFields,
    Outcome,
    Pause,
    Plan,
    Resume,
    Save,
    Session,
    SingleStep,
    SkipLook,
    Stop,
)
from patience import PATIENCE

TEXT = "".join(
    f"{name}:\nThe {thing} of {name} is number {n}.\n\n"
    for n in range(60)
    for name, thing in (("ANNA", "house"), ("BEN", "river"), ("CLARA", "evening"))
)

SMALL: dict[str, Any] = {
    "n_layer": 1,
    "n_head": 2,
    "n_embd": 16,
    "block_size": 8,
    "batch_size": 4,
    "max_iters": 30,
    "warmup_iters": 4,
    "eval_interval": 10,
    "eval_iters": 3,
    "checkpoint_interval": 15,
    "dropout": 0.1,
    "init": "gpt2",
    "zero_init": True,
    "max_new_tokens": 20,
    "threads": 1,
    "device": "cpu",
}

Deed = tuple[Callable[[AnyEvent], bool], Command]


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt"
    path.write_text(TEXT, encoding="utf-8")
    return path


class Runs:
    """Runs sessions to their end, doing deeds when an event calls for them."""

    def __init__(self, runs_dir: Path, text: Path):
        self.runs_dir = runs_dir
        self.text = text

    def config(self, **fields: Any) -> RunConfig:
        return RunConfig().replace(**{**SMALL, "dataset": str(self.text), **fields})

    def go(self, *deeds: Deed, fields: dict[str, Any] | None = None, **plan: Any) -> tuple[Outcome, list[AnyEvent]]:
        session = Session(Plan(self.config(**(fields or {})), self.runs_dir, **plan))
        reader = session.subscribe()
        events: list[AnyEvent] = []
        waiting = list(deeds)
        session.start()
        deadline = time.monotonic() + PATIENCE
        while session.alive and time.monotonic() < deadline:
            reader.wait(0.05)
            for event in reader.drain():
                events.append(event)
                while waiting and waiting[0][0](event):
                    session.submit(waiting.pop(0)[1])
        assert session.join(PATIENCE)
        events.extend(reader.drain())
        assert session.outcome is not None
        assert session.outcome.traceback is None, session.outcome.traceback
        return session.outcome, events


@pytest.fixture
def runs(tmp_path: Path, text: Path) -> Runs:
    return Runs(tmp_path / "runs", text)


def of(kind: type[AnyEvent], events: list[AnyEvent]) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


def losses(events: list[AnyEvent]) -> list[float]:
    return [event.loss for event in of(Step, events)]


def at_step(step: int) -> Callable[[AnyEvent], bool]:
    return lambda event: isinstance(event, Step) and event.step == step


def at(kind: type) -> Callable[[AnyEvent], bool]:
    return lambda event: isinstance(event, kind)


def once() -> Callable[[AnyEvent], bool]:
    return lambda event: True


def weights(run: Run) -> bytes:
    return (run.checkpoints()[-1].path / "model.safetensors").read_bytes()


def test_a_run_from_beginning_to_end(runs: Runs) -> None:
    outcome, events = runs.go()
    assert outcome.kind == "finished"
    started, finished = events[0], events[-1]
    assert isinstance(started, Started)
    assert isinstance(finished, Finished)
    assert finished.reason == "max_iters"
    assert finished.step == 30
    assert [e.step for e in of(Step, events)] == list(range(1, 31))
    assert [e.step for e in of(Eval, events)] == [0, 10, 20, 30]
    assert [e.step for e in of(Sample, events)] == [0, 10, 20, 30]
    assert all(len(e.text) == 20 for e in of(Sample, events))
    assert {len(e.nats) for e in of(Surprise, events)} == {len(started.passage)}
    reasons = {e.step: e.reason for e in of(Checkpoint, events)}
    assert reasons[0] == "untrained"
    assert reasons[15] == "interval"
    assert 30 in reasons
    assert of(Eval, events)[0].val_loss == pytest.approx(math.log(started.dataset.vocab_size), abs=0.01)
    assert [e.time for e in events] == sorted(e.time for e in events)


def test_the_log_holds_what_the_readers_saw(runs: Runs) -> None:
    _, events = runs.go()
    run, _ = Shelf(runs.runs_dir).find("latest")
    assert [e.to_json() for e in run.tail().poll()] == [e.to_json() for e in events]
    assert run.state() == "finished"


@pytest.mark.parametrize(
    "fields", [{"eval_interval": 7}, {"max_new_tokens": 90}, {"eval_iters": 0}, {"checkpoint_interval": 4}], ids=str
)
def test_looking_more_closely_changes_no_loss(runs: Runs, fields: dict[str, Any]) -> None:
    _, plain = runs.go()
    _, other = runs.go(fields=fields)
    assert losses(other) == losses(plain)


def test_pauses_single_steps_and_saves_change_no_loss(runs: Runs) -> None:
    _, plain = runs.go()
    deeds = [
        (at_step(5), Pause()),
        (at(Paused), SingleStep()),
        (at(Step), SingleStep()),
        (at(Step), Save()),
        (at(Checkpoint), Resume()),
    ]
    outcome, events = runs.go(*deeds)
    assert outcome.kind == "finished"
    assert len(of(Paused, events)) == len(of(Resumed, events)) == 1
    assert "asked" in {e.reason for e in of(Checkpoint, events)}
    assert losses(events) == losses(plain)


def test_stopped_and_resumed_is_as_if_never_stopped(runs: Runs) -> None:
    _, whole = runs.go(run_name="whole")
    outcome, first = runs.go((at_step(12), Stop()), run_name="parts")
    assert isinstance(outcome.event, Finished)
    assert outcome.event.reason == "stopped"
    stopped = outcome.event.step
    assert 12 <= stopped < 30
    outcome, second = runs.go(resume="parts")
    assert outcome.kind == "finished"
    continued = of(Continued, second)[0]
    assert continued.step == stopped
    assert losses(first) + losses(second) == losses(whole)
    shelf = Shelf(runs.runs_dir)
    assert weights(shelf.find("parts")[0]) == weights(shelf.find("whole")[0])
    assert {e.step: e.text for e in of(Sample, whole)} == {e.step: e.text for e in of(Sample, first + second)}
    assert second[0].time >= first[-1].time - 1  # the clock goes on


def test_resumed_from_an_earlier_checkpoint_the_edits_are_made_again(runs: Runs) -> None:
    edit = EditFields({"learning_rate": 0.001, "dropout": 0.0})
    _, whole = runs.go((at_step(17), edit), run_name="edited")
    made = of(Edit, whole)[0]
    assert made.changes["learning_rate"] == (0.012, 0.001)
    _, again = runs.go(resume="edited@15")
    assert [e.step for e in of(Edit, again)] == [made.step]
    assert losses(again) == losses(whole)[15:]
    history = Shelf(runs.runs_dir).find("edited")[0].history()
    assert list(history.losses) == losses(whole)
    assert len(history.edits) == 1
    assert history.config is not None
    assert history.config.optimizer.learning_rate == 0.001


def test_a_finished_run_goes_on_with_more_steps(runs: Runs) -> None:
    _, before = runs.go(run_name="one")
    outcome, _ = runs.go(resume="one")
    assert outcome.kind == "refused"
    assert "max_iters" in str(outcome.error)
    outcome, events = runs.go(resume="one", edits={"max_iters": 40})
    assert of(Continued, events)[0].time >= before[-1].time, "the last evaluation was work too"
    assert outcome.kind == "finished"
    assert of(Edit, events)[0].changes == {"max_iters": (30, 40)}
    assert [e.step for e in of(Step, events)] == list(range(31, 41))


def test_a_fork_goes_its_own_way_from_the_same_place(runs: Runs) -> None:
    _, parent = runs.go(run_name="parent")
    outcome, events = runs.go(fork="parent@15", edits={"learning_rate": 0.0001}, run_name="child")
    assert outcome.kind == "finished"
    started = of(Started, events)[0]
    assert (started.parent.run, started.parent.step) == ("parent", 15)
    assert [e.step for e in of(Step, events)] == list(range(16, 31))
    assert losses(events)[0] == losses(parent)[15]  # the first batch and the weights are the same
    assert losses(events)[3:] != losses(parent)[18:]
    outcome, _ = runs.go(resume="child@30", edits={"max_iters": 32})
    assert outcome.kind == "finished"


def test_a_fork_tells_of_no_line_that_its_parent_had_passed(runs: Runs) -> None:
    fields = {"learning_rate": 0.02, "max_iters": 60}
    _, parent = runs.go(run_name="parent", fields=fields)
    passed = [event.rung for event in of(Milestone, parent)]
    assert "uniform" in passed
    assert "unigram" in passed
    before = {event.rung for event in of(Milestone, parent) if event.step <= 30}
    assert "uniform" in before
    _, first = runs.go((at_step(33), Stop()), fork="parent@30", run_name="child")
    _, second = runs.go(resume="child")
    told = [event.rung for event in of(Milestone, [*first, *second])]
    assert before.isdisjoint(told)
    assert len(told) == len(set(told))
    _, grandchild = runs.go(fork="child@45", run_name="grandchild")
    assert before.isdisjoint(event.rung for event in of(Milestone, grandchild))


def test_a_fork_cannot_change_the_model(runs: Runs) -> None:
    runs.go(run_name="parent")
    outcome, _ = runs.go(fork="parent", edits={"n_embd": 32, "max_iters": 0})
    assert outcome.kind == "refused"
    assert "n_embd" in str(outcome.error)
    assert "max_iters" in str(outcome.error)
    assert len(Shelf(runs.runs_dir).runs()) == 1


def test_a_bad_edit_is_told_and_changes_nothing(runs: Runs) -> None:
    _, plain = runs.go()
    bad = EditFields({"learning_rate": -1, "n_layer": 3})
    prompt = EditFields({"prompt": "ANNA ~"})
    outcome, events = runs.go((at_step(5), bad), (once(), prompt))
    told = [e.text for e in of(Notice, events) if e.level == "error"]
    assert len(told) == 2
    assert "learning_rate" in told[0]
    assert "n_layer" in told[0]
    assert "~" in told[1]
    assert losses(events) == losses(plain)
    assert outcome.kind == "finished"


def test_a_target_loss_ends_the_run_when_an_evaluation_reaches_it(runs: Runs) -> None:
    outcome, events = runs.go(target_loss=3.3, fields={"max_iters": 500})
    assert isinstance(outcome.event, Finished)
    assert outcome.event.reason == "target_loss"
    reached = [e.step for e in of(Eval, events) if e.val_loss <= 3.3]
    assert reached[0] == outcome.event.step


def test_a_time_limit_ends_the_run_with_a_checkpoint(runs: Runs) -> None:
    outcome, _ = runs.go(max_seconds=0.3, fields={"max_iters": 10**6})
    assert isinstance(outcome.event, Finished)
    assert outcome.event.reason == "max_seconds"
    run, _ = Shelf(runs.runs_dir).find("latest")
    assert run.checkpoints()[-1].step == outcome.event.step > 0


def test_a_signal_saves_and_leaves_without_another_evaluation(runs: Runs) -> None:
    outcome, events = runs.go((at_step(13), Stop("signal")), fields={"max_iters": 10**6})
    assert isinstance(outcome.event, Finished)
    assert outcome.event.reason == "signal"
    assert math.isnan(outcome.event.val_loss)
    assert of(Checkpoint, events)[-1].step == outcome.event.step
    assert Shelf(runs.runs_dir).find("latest")[0].state() == "stopped"


def test_a_stop_before_there_is_a_run_writes_nothing(runs: Runs) -> None:
    session = Session(Plan(runs.config(), runs.runs_dir))
    session.submit(Stop())
    session.start()
    assert session.join(PATIENCE)
    assert session.outcome is not None
    assert session.outcome.kind == "cancelled"
    assert not runs.runs_dir.exists()


def test_a_diverging_run_fails_with_its_last_good_step_kept(runs: Runs) -> None:
    outcome, events = runs.go(
        fields={"optimizer": "adamw", "learning_rate": 100, "grad_clip": "off", "activation": "relu2", "qk_norm": False,
                "norm": "none", "max_iters": 3000, "n_layer": 4, "zero_init": False, "init": "torch"}
    )  # fmt: skip
    assert outcome.kind == "failed"
    assert isinstance(outcome.event, Failed)
    assert outcome.event.reason == "diverged"
    assert "@0 " in outcome.event.hint
    assert " --learning-rate 0.001" in outcome.event.hint
    run, _ = Shelf(runs.runs_dir).find("latest")
    assert run.state() == "failed"
    assert run.checkpoints()
    assert all(math.isfinite(loss) for loss in losses(events))


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"block_size": 100_000}, "block_size"),
        ({"prompt": "ANNA ~"}, "prompt"),
        ({"dataset": "shakespear"}, "shakespeare"),
        ({"dataset": "/nowhere/at/all.txt"}, "dataset"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_written(runs: Runs, fields: dict[str, Any], named: str) -> None:
    outcome, events = runs.go(fields=fields)
    assert outcome.kind == "refused"
    assert named in str(outcome.error)
    assert events == []
    assert not runs.runs_dir.exists()


def test_an_unwritable_runs_directory_is_a_sentence(runs: Runs, tmp_path: Path) -> None:
    blocked = tmp_path / "a file"
    blocked.write_text("in the way")
    runs.runs_dir = blocked / "runs"
    outcome, _ = runs.go()
    assert outcome.kind == "refused"
    assert "runs directory" in str(outcome.error)
    assert "--runs-dir" in str(outcome.error)


def test_a_run_that_trains_cannot_be_trained_twice(runs: Runs) -> None:
    session = Session(Plan(runs.config(max_iters=10**6), runs.runs_dir, run_name="busy"))
    reader = session.subscribe()
    session.start()
    while not any(isinstance(e, Checkpoint) for e in reader.drain()):
        assert reader.wait(PATIENCE)
    outcome, _ = runs.go(resume="busy")
    assert outcome.kind == "refused"
    assert "busy" in str(outcome.error)
    session.submit(Stop("signal"))
    assert session.join(PATIENCE)


def test_a_changed_dataset_is_not_learned_as_if_it_were_the_old_one(runs: Runs, text: Path) -> None:
    _, whole = runs.go(run_name="whole")
    runs.go((at_step(12), Stop()), run_name="parts")
    text.write_text(TEXT.replace("ANNA", "OTTO"), encoding="utf-8")
    # The cache still has the old text, so the run can go on with it.
    outcome, again = runs.go(resume="parts")
    assert outcome.kind == "finished"
    assert losses(again) == losses(whole)[-len(losses(again)) :]


def test_standard_input_can_be_learned_and_gone_on_with(runs: Runs) -> None:
    fields = {"dataset": "-"}
    outcome, _ = runs.go((at_step(12), Stop()), fields=fields, stdin=io.BytesIO(TEXT.encode()), run_name="piped")
    assert outcome.kind == "finished"
    outcome, _ = runs.go(resume="piped")
    assert outcome.kind == "finished"


def test_the_snapshot_follows_and_says_what_is_asked_for(runs: Runs) -> None:
    session = Session(Plan(runs.config(max_iters=10**6), runs.runs_dir))
    reader = session.subscribe()
    assert session.snapshot.state == "PREPARING"
    session.start()
    while not of(Step, reader.drain()):
        assert reader.wait(PATIENCE)
    session.submit(Pause())
    deadline = time.monotonic() + PATIENCE
    while session.snapshot.state != "PAUSED":
        assert session.snapshot.pending == "PAUSING" or session.snapshot.state == "PAUSED"
        assert time.monotonic() < deadline
    paused = session.snapshot
    assert paused.pending == ""
    assert paused.step > 0
    assert paused.parameters > 0
    assert paused.eta is not None
    session.submit(SingleStep())
    while session.snapshot.step == paused.step:
        assert time.monotonic() < deadline
    assert session.snapshot.step == paused.step + 1
    session.submit(Stop("signal"))
    assert session.join(PATIENCE)
    assert session.snapshot.state == "STOPPED"


def test_what_auto_became_is_told_with_its_reason(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GPT_TUI_SHAKESPEARE_URL", "http://127.0.0.1:9/nobody-listens-here")
    outcome, events = runs.go(fields={"dataset": "auto", "max_iters": 4})
    assert outcome.kind == "finished"
    started = of(Started, events)[0]
    assert started.dataset.name == started.config["data"]["dataset"] == "masque"
    assert "Shakespeare" in started.dataset.why
    assert started.dataset.why in [e.text for e in of(Notice, events)]
    assert "the source itself" in started.ladder


def test_a_dataset_named_by_a_relative_path_is_found_again_from_anywhere(
    runs: Runs, text: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(text.parent)
    runs.go((at_step(12), Stop()), fields={"dataset": text.name}, run_name="near")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    outcome, events = runs.go(resume="near")
    assert outcome.kind == "finished"
    assert not [e for e in of(Notice, events) if "cache" in e.text]


def test_a_dataset_that_is_gone_is_taken_from_the_cache_and_that_is_told(runs: Runs, text: Path) -> None:
    _, whole = runs.go(run_name="whole")
    runs.go((at_step(12), Stop()), run_name="parts")
    text.unlink()
    outcome, events = runs.go(resume="parts")
    assert outcome.kind == "finished"
    assert losses(events) == losses(whole)[-len(losses(events)) :]
    assert any("what the cache kept" in e.text for e in of(Notice, events))


@pytest.mark.parametrize("way", ["resume", "fork"])
def test_a_text_that_is_lost_is_refused_in_one_sentence_that_keeps_the_step(
    runs: Runs, text: Path, private_places: Path, way: str
) -> None:
    runs.go(run_name="short", fields={"max_iters": 4})
    text.unlink()
    shutil.rmtree(private_places / "cache")
    outcome, _ = runs.go(**{way: "short@0"}, edits={"max_iters": 8})
    assert isinstance(outcome.error, Refusal)
    (fault,) = outcome.error.faults
    assert fault.message.startswith("text.txt is not there any more, and the cache does not hold the text")
    assert "--fork short@0" in fault.message
    assert fault.message.endswith("--dataset PATH")


def test_where_a_lost_line_may_have_set_the_end_the_refusal_says_so(runs: Runs) -> None:
    runs.go(run_name="longer", fields={"max_iters": 4, "checkpoint_interval": 4})
    runs.go(resume="longer", edits={"max_iters": 8})
    log = runs.runs_dir / "longer" / "events.jsonl"
    log.write_bytes(log.read_bytes().replace(b'"event":"edit"', b'"event":"e?it"'))
    outcome, _ = runs.go(resume="longer@4")
    assert isinstance(outcome.error, Refusal)
    assert "longer is at step 4 already" in str(outcome.error)
    assert "1 line of the log of longer cannot be read: what was edited there" in str(outcome.error)


def test_edits_are_made_again_however_often_the_resumed_run_is_interrupted(runs: Runs) -> None:
    _, whole = runs.go((at_step(22), EditFields({"learning_rate": 0.0001, "dropout": 0.3})), run_name="edited")
    made = of(Edit, whole)[0].step
    runs.go((at_step(17), Stop("signal")), resume="edited@15")
    _, last = runs.go(resume="edited")
    assert [e.step for e in of(Edit, last)] == [made]
    history = Shelf(runs.runs_dir).find("edited")[0].history()
    assert list(history.losses) == losses(whole)


def test_changing_one_field_on_resuming_leaves_the_other_edits_as_they_were(runs: Runs) -> None:
    runs.go((at_step(20), EditFields({"learning_rate": 0.0001, "dropout": 0.3})), run_name="edited")
    _, events = runs.go(resume="edited@15", edits={"learning_rate": 0.002})
    first, again = of(Edit, events)
    assert first.changes == {"learning_rate": (0.012, 0.002)}
    assert again.changes == {"dropout": (0.1, 0.3)}
    history = Shelf(runs.runs_dir).find("edited")[0].history()
    assert history.config is not None
    assert (history.config.optimizer.learning_rate, history.config.model.dropout) == (0.002, 0.3)


def test_an_edit_between_the_checkpoint_and_the_next_step_is_not_lost(runs: Runs) -> None:
    deeds = [
        (at_step(12), Pause()),
        (at(Paused), Save()),
        (at(Checkpoint), EditFields({"dropout": 0.4})),
        (at(Edit), Stop("signal")),
    ]
    runs.go(*deeds, run_name="edited")
    run, _ = Shelf(runs.runs_dir).find("edited")
    outcome, events = runs.go(resume="edited")
    assert outcome.kind == "finished"
    assert of(Edit, events) == []
    saved = run.checkpoints()[-1]
    assert saved.step == 30
    config = Shelf(runs.runs_dir).find("edited")[0].history().config
    assert config is not None
    assert config.model.dropout == 0.4
    _, again = runs.go(resume="edited", edits={"max_iters": 31})
    assert of(Edit, again)[0].changes == {"max_iters": (30, 31)}


def test_the_best_checkpoint_outlives_stops_and_resumes(runs: Runs) -> None:
    fields = {"checkpoint_interval": "off", "max_iters": 10**6, "eval_interval": 10**6}
    outcome, _ = runs.go((at_step(13), Stop()), run_name="kept", fields=fields)
    assert isinstance(outcome.event, Finished)
    best = outcome.event.best_step  # the evaluation that a stop brings, after the checkpoint was saved
    for _ in range(3):
        runs.go((at(Step), Stop("signal")), resume="kept")
    run, _ = Shelf(runs.runs_dir).find("kept")
    kept = [c.step for c in run.checkpoints()]
    assert best == run.history().best.step
    assert best in kept
    assert len(kept) <= 4  # the untrained one, the best, and the newest of what came and went
    assert len(kept) == len(set(kept))


@pytest.mark.parametrize("fields", [{"max_iters": 5}, {"learning_rate": 0.003}], ids=str)
def test_a_run_at_its_end_is_not_touched_by_a_resume_that_asks_for_nothing(runs: Runs, fields: dict[str, Any]) -> None:
    runs.go(run_name="done", fields={"max_iters": 10})
    run, _ = Shelf(runs.runs_dir).find("done")
    before = (run.path / "events.jsonl").read_bytes()
    for door in ("resume", "fork"):
        outcome, _ = runs.go(edits=fields, **{door: "done"})
        assert outcome.kind == "refused"
        assert "max_iters" in str(outcome.error)
    assert (run.path / "events.jsonl").read_bytes() == before
    assert len(Shelf(runs.runs_dir).runs()) == 1


def test_the_last_evaluation_of_a_time_limit_can_still_reach_the_target(runs: Runs) -> None:
    fields = {"max_iters": 10**6, "eval_interval": 10**6, "learning_rate": 0.01}
    outcome, _ = runs.go(max_seconds=1.0, target_loss=3.4, fields=fields)
    assert isinstance(outcome.event, Finished)
    assert outcome.event.reason == "target_loss"


@pytest.mark.soak
def test_a_look_that_a_stop_cut_short_is_made_again(runs: Runs) -> None:
    _, whole = runs.go(run_name="whole")
    is_last_eval = lambda event: isinstance(event, Eval) and event.step == 30  # noqa: E731
    long_samples = {"max_new_tokens": 5000}
    outcome, first = runs.go((is_last_eval, Stop("signal")), run_name="cut", fields=long_samples)
    assert isinstance(outcome.event, Finished)
    assert outcome.event.reason == "signal"
    assert 30 not in [e.step for e in of(Sample, first)]
    outcome, again = runs.go(resume="cut", edits={"max_new_tokens": 20})
    assert isinstance(outcome.event, Finished)
    assert outcome.event.reason == "max_iters"
    assert [e.text for e in of(Sample, again) if e.step == 30] == [e.text for e in of(Sample, whole) if e.step == 30]
    history = Shelf(runs.runs_dir).find("cut")[0].history()
    assert [e.step for e in history.evals] == [0, 10, 20, 30]


@pytest.mark.soak
def test_a_look_that_is_left_out_is_not_made_again_and_changes_no_loss(runs: Runs) -> None:
    _, whole = runs.go(run_name="whole")
    first_eval = lambda event: isinstance(event, Eval) and event.step == 10  # noqa: E731
    outcome, events = runs.go((first_eval, SkipLook()), fields={"max_new_tokens": 2000})
    assert isinstance(outcome.event, Finished)
    assert [e.step for e in of(Sample, events)] == [0, 20, 30]
    assert [e.step for e in of(Eval, events)] == [0, 10, 20, 30]
    assert "the sample of step 10 was left out" in [notice.text for notice in of(Notice, events)]
    assert losses(events) == losses(whole)


def test_leaving_out_is_void_where_nothing_is_being_looked_at(runs: Runs) -> None:
    _, events = runs.go((at_step(3), SkipLook()))
    assert [e.step for e in of(Eval, events)] == [0, 10, 20, 30]
    assert [e.step for e in of(Sample, events)] == [0, 10, 20, 30]


def test_a_target_that_an_evaluation_reached_ends_the_run_though_its_sample_is_left_out(runs: Runs) -> None:
    outcome, events = runs.go((at(Eval), SkipLook()), fields={"max_new_tokens": 5000}, target_loss=5)
    assert isinstance(outcome.event, Finished)
    assert not of(Sample, events)
    assert (outcome.event.reason, outcome.event.step) == ("target_loss", 0)


def test_the_losses_of_the_whole_split_can_be_left_out_of_the_end(runs: Runs, text: Path) -> None:
    text.write_text(TEXT * 40, encoding="utf-8")
    session = Session(Plan(runs.config(max_iters=5), runs.runs_dir, "short"))
    session.start()
    deadline = time.monotonic() + PATIENCE
    while session.snapshot.activity != LAST_EVALUATION:
        assert time.monotonic() < deadline
        time.sleep(0.001)
    session.submit(SkipLook())
    assert session.join(PATIENCE)
    assert session.outcome is not None
    assert isinstance(session.outcome.event, Finished)
    assert (session.outcome.event.reason, session.outcome.event.step) == ("max_iters", 5)
    assert math.isnan(session.outcome.event.val_loss)
    history = Shelf(runs.runs_dir).find("short")[0].history()
    assert history.notices[-1].text == "the evaluation on the whole validation split was left out"
    assert [e.step for e in history.evals] == [0, 5], "the evaluation of the last step was made"


def test_evaluations_that_take_more_time_than_the_steps_are_told_of_once(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gpt_tui.core.worker.LOOKING_SECONDS", 0.0)
    fields = {"eval_interval": 1, "eval_iters": 50, "max_iters": 5}
    _, events = runs.go(fields=fields)
    (told,) = [event.text for event in of(Notice, events) if "of the time" in event.text]
    assert re.fullmatch(r"evaluations and samples take \d\d% of the time, \d+ s each time: .*eval_interval.*", told)
    monkeypatch.undo()
    _, events = runs.go(fields=fields)
    assert not [event for event in of(Notice, events) if "of the time" in event.text]


def test_an_evaluation_says_how_far_it_is_and_how_long_it_still_takes(runs: Runs) -> None:
    session = Session(Plan(runs.config(eval_iters=3000), runs.runs_dir))
    session.start()
    seen = []
    deadline = time.monotonic() + PATIENCE
    while not any(s.left is not None for s in seen):
        assert time.monotonic() < deadline
        snapshot = session.snapshot
        if snapshot.activity == "evaluating":
            seen.append(snapshot)
    session.submit(Stop("signal"))
    assert session.join(PATIENCE)
    assert {s.total for s in seen if s.total} == {2 * 3000 * 4 * 8}, "batches of 4 windows of 8 tokens, on both splits"
    done = [s.done for s in seen]
    assert done == sorted(done)
    assert all(s.left >= 0 for s in seen if s.left is not None)


def test_weights_that_broke_are_neither_sampled_nor_kept(runs: Runs) -> None:
    outcome, events = runs.go(
        fields={"optimizer": "adamw", "learning_rate": 100, "grad_clip": "off", "qk_norm": False, "norm": "none",
                "max_iters": 3000, "n_layer": 4, "zero_init": False, "init": "torch", "eval_interval": 1,
                "checkpoint_interval": 1}
    )  # fmt: skip
    assert isinstance(outcome.event, Failed)
    assert outcome.event.reason == "diverged"
    assert of(Checkpoint, events)[-1].step <= outcome.event.step


def test_surprise_has_one_number_a_character_whatever_the_tokenizer(runs: Runs, text: Path) -> None:
    text.write_text(TEXT.replace("ANNA", "ÄNNE").replace("evening", "Abendglühen ✨"), encoding="utf-8")
    for tokenizer in ("char", "byte"):
        outcome, events = runs.go(fields={"tokenizer": tokenizer, "max_iters": 4})
        assert outcome.kind == "finished"
        passage = of(Started, events)[0].passage
        assert "�" not in passage
        assert {len(e.nats) for e in of(Surprise, events)} == {len(passage)}


def test_a_refused_machine_leaves_everything_as_it_was(runs: Runs) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has what the test needs it to lack")
    _, plain = runs.go()
    _, events = runs.go((at_step(5), EditFields({"dropout": 0.6, "device": "cuda"})))
    assert losses(events) == losses(plain)


def test_a_live_edit_of_the_number_format_is_shown(runs: Runs) -> None:
    session = Session(Plan(runs.config(max_iters=10**6), runs.runs_dir))
    reader = session.subscribe()
    session.start()
    session.submit(EditFields({"dtype": "bfloat16"}))
    while not of(Edit, reader.drain()):
        assert reader.wait(PATIENCE)
    deadline = time.monotonic() + PATIENCE
    while session.snapshot.dtype != "bfloat16":
        assert time.monotonic() < deadline
    session.submit(Stop("signal"))
    assert session.join(PATIENCE)
    session.submit(Pause())
    assert session.snapshot.pending == ""


ENDLESS = {"max_iters": 10**6, "eval_interval": 10**6, "checkpoint_interval": 20}


def test_a_run_that_another_process_found_first_ends_here_and_writes_nothing(runs: Runs, tmp_path: Path) -> None:
    path, copy = tmp_path / "runs" / "taken", tmp_path / "copy"
    session = Session(Plan(runs.config(**ENDLESS), runs.runs_dir, run_name="taken"))
    reader = session.subscribe()
    session.start()
    while not of(Checkpoint, reader.drain()):
        assert reader.wait(PATIENCE)
    shutil.copytree(path, copy)
    other = RunLock(copy)
    other.acquire()
    shutil.rmtree(path)
    copy.rename(path)
    log = (path / "events.jsonl").read_bytes()
    try:
        assert session.join(PATIENCE), "it trains on, and none of it is kept"
    finally:
        session.submit(Stop("signal"))
        session.join(PATIENCE)
    outcome = session.outcome
    assert outcome is not None
    assert (outcome.kind, type(outcome.error), outcome.traceback) == ("failed", RunIsHeld, None)
    assert isinstance(outcome.event, Failed)
    assert "gpt-tui open" in outcome.event.hint
    assert (path / "events.jsonl").read_bytes() == log
    other.release()


def test_checkpoints_that_cannot_be_removed_are_told_once_and_once_more_when_they_can_be(
    runs: Runs,
    tmp_path: Path,
) -> None:
    notes = tmp_path / "runs" / "kept" / "shelf.json"
    session = Session(Plan(runs.config(**ENDLESS, keep_checkpoints=1), runs.runs_dir, run_name="kept"))
    reader = session.subscribe()
    session.start()
    said: list[Notice] = []
    saved = 0

    def save_more(count: int) -> None:
        nonlocal saved
        wanted = saved + count
        while saved < wanted:
            assert reader.wait(PATIENCE)
            events = reader.drain()
            saved += len(of(Checkpoint, events))
            said.extend(of(Notice, events))

    save_more(2)
    notes.write_text("{", encoding="utf-8")
    save_more(4)
    notes.unlink()
    save_more(3)
    session.submit(Stop("signal"))
    assert session.join(PATIENCE)
    told = [notice.text for notice in said if "checkpoints can" in notice.text]
    assert len(told) == 2, told
    assert "cannot be removed" in told[0]
    assert "shelf.json" in told[0]
    assert "again" in told[1]
