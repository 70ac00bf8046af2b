"""Where memory is short, a step is undone, read in smaller batches, and learns the same; what is too large says so."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gpt_tui.core.config import RunConfig
from gpt_tui.core.data import Dataset, load_dataset
from gpt_tui.core.events import AnyEvent, Checkpoint, Edit, Eval, Failed, Finished, Notice, Sample, Step, from_json
from gpt_tui.core.memory import OutOfMemory, asked_for, in_smaller_batches, is_out_of_memory
from gpt_tui.core.model import GPT
from gpt_tui.core.runs import Run, RunWriter, Shelf
from gpt_tui.core.session import Outcome, Plan, Session
from gpt_tui.core.training import Trainer
from patience import PATIENCE

TEXT = "".join(f"{name}:\nThe {thing} of {name} is number {n}.\n\n" for n in range(60) for name, thing in
               (("ANNA", "house"), ("BEN", "river"), ("CLARA", "evening")))  # fmt: skip

SMALL: dict[str, Any] = {
    "n_layer": 1,
    "n_head": 2,
    "n_embd": 16,
    "block_size": 8,
    "batch_size": 12,
    "max_iters": 20,
    "warmup_iters": 4,
    "eval_interval": 10,
    "eval_iters": 3,
    "checkpoint_interval": 5,
    "dropout": 0.1,
    "max_new_tokens": 10,
    "threads": 1,
    "device": "cpu",
}

CUDA_SAYS = "CUDA out of memory. Tried to allocate 1.50 GiB. GPU 0 has a total capacity of 139.81 GiB of which 1 GiB"


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt"
    path.write_text(TEXT, encoding="utf-8")
    return path


@pytest.fixture
def dataset(text: Path) -> Dataset:
    return load_dataset(str(text))


def config(**fields: Any) -> RunConfig:
    return RunConfig().replace(**{**SMALL, **fields})


class SmallDevice:
    """Stands for a device without room: the model's forward pass raises what PyTorch raises there.

    fits: (windows at once, whether it is training, how many forward passes of training came before) -> bool
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch):
        self.fits: Callable[[int, bool, int], bool] = lambda windows, training, before: True
        self.trained = 0
        forward = GPT.forward

        def limited(model: GPT, idx: torch.Tensor, *rest: Any, **more: Any) -> Any:
            result = forward(model, idx, *rest, **more)  # dropout has drawn by then
            before, self.trained = self.trained, self.trained + model.training
            if not self.fits(len(idx), model.training, before):
                raise torch.OutOfMemoryError(CUDA_SAYS)
            return result

        monkeypatch.setattr(GPT, "forward", limited)


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> Iterator[SmallDevice]:
    return SmallDevice(monkeypatch)


def go(runs_dir: Path, config: RunConfig, **plan: Any) -> tuple[Outcome, list[AnyEvent]]:
    session = Session(Plan(config, runs_dir, **plan))
    reader = session.subscribe()
    session.start()
    assert session.join(PATIENCE)
    assert session.outcome is not None
    assert session.outcome.traceback is None, session.outcome.traceback
    return session.outcome, reader.drain()


def of(kind: type[AnyEvent], events: list[AnyEvent]) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


def losses(events: list[AnyEvent]) -> list[float]:
    return [event.loss for event in of(Step, events)]


def last_weights(run: Run) -> bytes:
    return (run.checkpoints()[-1].path / "model.safetensors").read_bytes()


# What is recognised


def test_real_errors_of_memory_are_told_from_others() -> None:
    with pytest.raises(RuntimeError) as of_torch:
        torch.empty(2**50, dtype=torch.uint8)
    with pytest.raises(MemoryError) as of_numpy:
        np.empty(2**60, dtype=np.uint8)
    assert is_out_of_memory(of_torch.value)
    assert asked_for(of_torch.value) == 2**50
    assert is_out_of_memory(of_numpy.value)
    assert asked_for(of_numpy.value) == 2**60
    assert not is_out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    assert not is_out_of_memory(ValueError("out of memory"))


@pytest.mark.parametrize(
    ("words", "asked"),
    [
        (CUDA_SAYS, 3 * 2**29),
        ("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`", None),
        ("MPS backend out of memory (MPS allocated: 17.00 GB). Tried to allocate 256 bytes on shared pool.", 256),
        ("DefaultCPUAllocator: not enough memory: you tried to allocate 40960000 bytes.", 40_960_000),
        ("std::bad_alloc", None),
    ],
)
def test_the_words_of_every_allocator_are_known(words: str, asked: int | None) -> None:
    assert is_out_of_memory(RuntimeError(words))
    assert asked_for(RuntimeError(words)) == asked


# A step that does not fit


@pytest.mark.parametrize("fields", [{}, {"gradient_accumulation_steps": 3}], ids=str)
def test_a_step_that_did_not_fit_has_not_happened(
    dataset: Dataset, device: SmallDevice, fields: dict[str, Any]
) -> None:
    whole = Trainer(config(**fields), dataset)
    expected = [whole.step() for _ in range(6)]
    trainer = Trainer(config(**fields), dataset)
    found = [trainer.step() for _ in range(3)]
    last = trainer.config.training.gradient_accumulation_steps - 1
    begun = device.trained
    device.fits = lambda windows, training, before: before != begun + last
    with pytest.raises(OutOfMemory, match=r"step 4 does not fit into memory: 1\.6 GB asked for, .* free, .* in use"):
        trainer.step()
    assert all(p.grad is None for p in trainer.model.parameters())
    found += [trainer.step() for _ in range(3)]
    assert found == expected
    for p, q in zip(trainer.model.parameters(), whole.model.parameters(), strict=True):
        assert torch.equal(p, q)


def test_nothing_of_a_step_that_did_not_fit_is_held_any_longer(dataset: Dataset, device: SmallDevice) -> None:
    trainer = Trainer(config(), dataset)
    trainer.step()
    kept = []

    def watch(module: Any, inputs: Any, output: torch.Tensor) -> None:
        import weakref

        kept.append(weakref.ref(output))

    trainer.model.blocks[0].register_forward_hook(watch)
    device.fits = lambda windows, training, before: False
    try:
        trainer.step()
    except OutOfMemory:
        assert kept
        assert [ref() for ref in kept] == [None]
    else:
        pytest.fail("the step did fit")


def test_memory_that_ends_where_adam_makes_its_averages_leaves_every_weight_as_it_was(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = [Trainer(config(), dataset).step()]
    trainer = Trainer(config(), dataset)
    before = [p.detach().clone() for p in trainer.model.parameters()]
    made, zeros_like = [], torch.zeros_like

    def short(*arguments: Any, **more: Any) -> torch.Tensor:
        made.append(1)
        if len(made) > 5:
            raise torch.OutOfMemoryError(CUDA_SAYS)
        return zeros_like(*arguments, **more)

    with monkeypatch.context() as patch:
        patch.setattr(torch, "zeros_like", short)
        with pytest.raises(OutOfMemory):
            trainer.step()
    for p, q in zip(trainer.model.parameters(), before, strict=True):
        assert torch.equal(p, q)
    assert [trainer.step()] == expected


@pytest.mark.parametrize(("before", "after"), [(12, (6, 2)), (9, (3, 3)), (7, (1, 7)), (2, (1, 2))])
def test_a_split_batch_reads_the_same_windows(dataset: Dataset, before: int, after: tuple[int, int]) -> None:
    old = config(batch_size=before)
    new = in_smaller_batches(old)
    assert new is not None
    assert (new.training.batch_size, new.training.gradient_accumulation_steps) == after
    assert new.tokens_per_step == old.tokens_per_step
    whole, split = Trainer(old, dataset), Trainer(new, dataset)
    for side in (0, 1):
        expected = torch.cat([whole._next_batch()[side] for _ in range(3)])
        assert torch.equal(torch.cat([split._next_batch()[side] for _ in range(3 * after[1])]), expected)
    one, other = whole.evaluate(), split.evaluate()
    assert other.train_loss == pytest.approx(one.train_loss, rel=1e-6)
    assert other.val_loss == pytest.approx(one.val_loss, rel=1e-6)


def test_a_batch_of_one_window_cannot_be_split() -> None:
    assert in_smaller_batches(config(batch_size=1)) is None
    assert in_smaller_batches(config(batch_size=2, gradient_accumulation_steps=60_000)) is None


@pytest.mark.parametrize("k", [13, 15], ids=["between checkpoints", "after a checkpoint was saved"])
def test_a_split_is_recorded_and_made_again_to_the_last_bit(
    tmp_path: Path, text: Path, device: SmallDevice, k: int
) -> None:
    settings = config(dataset=str(text))
    _, plain = go(tmp_path / "runs", settings, run_name="plain")
    device.trained = 0
    device.fits = lambda windows, training, before: before < k or windows <= 3 or not training
    outcome, whole = go(tmp_path / "runs", settings, run_name="split")
    assert outcome.kind == "finished"
    edits = of(Edit, whole)
    assert [edit.step for edit in edits] == [k, k]
    assert edits[0].changes == {
        "batch_size": (12, 6), "gradient_accumulation_steps": (1, 2), "eval_iters": (3, 6)
    }  # fmt: skip
    notices = [notice for notice in of(Notice, whole) if notice.level == "warning"]
    assert len(notices) == 2
    assert notices[0].text.startswith(f"step {k + 1} does not fit into memory: 1.6 GB asked for, ")
    assert "batch_size 12 → 6, gradient_accumulation_steps 1 → 2" in notices[0].text
    # It has learned the same as without the split, but for the order in which numbers were added.
    assert losses(whole)[:k] == losses(plain)[:k]
    assert [step.tokens for step in of(Step, whole)] == [step.tokens for step in of(Step, plain)]
    device.fits = lambda windows, training, before: True
    shelf = Shelf(tmp_path / "runs")
    run, _ = shelf.find("split")
    expected, evaluated = last_weights(run), of(Eval, whole)[-1]
    for step in (10, 15):
        outcome, again = go(tmp_path / "runs", settings, resume=f"split@{step}")
        assert outcome.kind == "finished"
        assert losses(again) == losses(whole)[step:]
        assert last_weights(run) == expected
        assert of(Eval, again)[-1].val_loss == evaluated.val_loss
    history = run.history()
    assert {mark.step for mark in history.marks if mark.kind == "edit"} == {k}
    assert history.config is not None
    assert (history.config.training.batch_size, history.config.training.gradient_accumulation_steps) == (3, 4)


def test_a_split_without_dropout_learns_what_the_whole_batch_would_have(
    tmp_path: Path, text: Path, device: SmallDevice
) -> None:
    settings = config(dataset=str(text), dropout=0.0)
    _, plain = go(tmp_path / "runs", settings)
    device.trained = 0
    device.fits = lambda windows, training, before: before < 5 or windows <= 6 or not training
    _, split = go(tmp_path / "runs", settings)
    assert losses(split) == pytest.approx(losses(plain), rel=1e-4)
    assert [e.val_loss for e in of(Eval, split)] == pytest.approx([e.val_loss for e in of(Eval, plain)], rel=1e-4)


def test_what_does_not_fit_with_a_single_window_ends_the_run_with_its_last_state_saved(
    tmp_path: Path, text: Path, device: SmallDevice
) -> None:
    settings = config(dataset=str(text), batch_size=4)
    _, plain = go(tmp_path / "runs", settings, run_name="plain")
    device.trained = 0
    device.fits = lambda windows, training, before: before < 7 or not training
    outcome, events = go(tmp_path / "runs", settings, run_name="full")
    failed = outcome.event
    assert isinstance(failed, Failed)
    assert (failed.reason, failed.step) == ("error", 7)
    run, _ = Shelf(tmp_path / "runs").find("full")
    assert f"the model has {run.record().parameters:,} parameters, batch_size is 1" in failed.error
    assert "1.6 GB asked for" in failed.error
    assert "block_size, n_embd or n_layer" in failed.hint
    assert [edit.changes["batch_size"] for edit in of(Edit, events)] == [(4, 2), (2, 1)]
    assert of(Checkpoint, events)[-1].step == 7
    device.fits = lambda windows, training, before: True
    outcome, again = go(tmp_path / "runs", settings, resume="full")
    assert outcome.kind == "finished"
    assert losses(events + again)[:7] == losses(plain)[:7]
    assert [step.step for step in of(Step, again)] == list(range(8, 21))


# What only looks


def test_an_evaluation_in_pieces_has_the_same_figures(dataset: Dataset) -> None:
    trainer = Trainer(config(), dataset)
    some, all_of_it = trainer.evaluate(), trainer.evaluate(0)
    for room in (1, 5):
        trainer.edit(trainer.config.replace(eval_batch_size=room))
        smaller = trainer.evaluate()
        assert smaller.train_loss == pytest.approx(some.train_loss, rel=1e-6)
        assert smaller.val_loss == pytest.approx(some.val_loss, rel=1e-6)
        assert trainer.evaluate(0).val_loss == pytest.approx(all_of_it.val_loss, rel=1e-6)


def test_an_evaluation_that_does_not_fit_is_split_and_split_again_alike_by_a_resumed_run(
    tmp_path: Path, text: Path, device: SmallDevice
) -> None:
    """From step 10 on, three windows fit at once: the evaluations until then, and all after a resume, find room."""
    settings = config(dataset=str(text))
    _, plain = go(tmp_path / "runs", settings, run_name="plain")
    device.trained = 0
    device.fits = lambda windows, training, before: training or windows <= 3 or before < 10
    outcome, whole = go(tmp_path / "runs", settings, run_name="split")
    assert outcome.kind == "finished"
    edits = of(Edit, whole)
    assert [edit.step for edit in edits] == [10, 10]
    assert [edit.changes for edit in edits] == [{"eval_batch_size": ("off", 6)}, {"eval_batch_size": (6, 3)}]
    told = [notice.text for notice in of(Notice, whole) if notice.level == "warning"]
    assert told[0].startswith("the evaluation of step 10 does not fit into memory: 1.6 GB asked for, ")
    assert told[0].endswith("the same losses: eval_batch_size off → 6.")
    assert losses(whole) == losses(plain)
    exact = [e.val_loss for e in of(Eval, whole)]
    assert exact == pytest.approx([e.val_loss for e in of(Eval, plain)], rel=1e-6)
    device.fits = lambda windows, training, before: True
    outcome, again = go(tmp_path / "runs", settings, resume="split@5")
    assert [e.val_loss for e in of(Eval, again)] == exact[-len(of(Eval, again)) :]
    order = [type(event) for event in again if isinstance(event, Edit | Eval) and event.step == 10]
    assert order == [Edit, Edit, Eval], "the evaluation of step 10 is made under them again"
    first, second = of(Finished, whole)[-1], outcome.event
    assert isinstance(second, Finished)
    assert (second.val_loss, second.train_loss) == (first.val_loss, first.train_loss)


@pytest.mark.parametrize("what", ["evaluation", "sample"])
@pytest.mark.soak
def test_a_look_for_which_there_is_no_memory_is_left_out_and_changes_no_loss(
    tmp_path: Path, text: Path, device: SmallDevice, what: str
) -> None:
    settings = config(dataset=str(text))
    _, plain = go(tmp_path / "runs", settings)
    device.fits = lambda windows, training, before: training or (what == "sample" and windows > 1)
    outcome, events = go(tmp_path / "runs", settings)
    assert outcome.kind == "finished"
    assert losses(events) == losses(plain)
    assert of(Sample, events) == []
    assert bool(of(Eval, events)) == (what == "sample")
    told = [notice.text for notice in of(Notice, events) if notice.level == "warning"]
    assert any(words.startswith(f"the {what} of step 10 was left out, for want of memory: 1.6 GB") for words in told)


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory")], ids=type
)
def test_a_checkpoint_for_which_there_is_no_memory_is_told_and_training_goes_on(
    tmp_path: Path, text: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    save = RunWriter.save_checkpoint

    def short(writer: RunWriter, step: int, *rest: Any) -> Path:
        if step == 5:
            raise error
        return save(writer, step, *rest)

    monkeypatch.setattr(RunWriter, "save_checkpoint", short)
    outcome, events = go(tmp_path / "runs", config(dataset=str(text)))
    assert outcome.kind == "finished"
    said = "The checkpoint of step 5 could not be saved: there is not enough memory"
    assert any(notice.text.startswith(said) for notice in of(Notice, events))
    assert 10 in [checkpoint.step for checkpoint in of(Checkpoint, events)]


def test_an_error_of_another_kind_in_a_look_is_not_taken_for_one_of_memory(
    tmp_path: Path, text: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("shapes cannot be multiplied")

    monkeypatch.setattr("gpt_tui.core.sampling.sample_text", broken)
    session = Session(Plan(config(dataset=str(text)), tmp_path / "runs"))
    session.start()
    assert session.join(PATIENCE)
    assert session.outcome is not None
    assert "shapes cannot be multiplied" in str(session.outcome.error)


# Before there is a run


def test_a_model_that_does_not_fit_is_an_error_with_numbers_and_writes_nothing(
    tmp_path: Path, text: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        torch.empty(2**50, dtype=torch.uint8)

    monkeypatch.setattr(GPT, "_init_weights", full)
    outcome, events = go(tmp_path / "runs", config(dataset=str(text)))
    assert outcome.kind == "failed"
    assert events == []
    assert "parameters, and training it takes about" in str(outcome.error)
    assert f"{2**50 / 1e12:.1f} TB asked for" in str(outcome.error)
    assert not (tmp_path / "runs").exists()


# The real thing: an address space with a limit

LIMITED = """
import json, resource, sys
from pathlib import Path
import psutil
from gpt_tui.core.config import RunConfig
from gpt_tui.core.session import Plan, Session

def go(fields, name, **plan):
    config = RunConfig().replace(**{**json.loads(sys.argv[1]), **fields})
    session = Session(Plan(config, Path(sys.argv[2]), run_name=name, **plan))
    reader = session.subscribe()
    session.start()
    session.join(200)
    return session, reader.drain()

go({"batch_size": 2}, "warm")  # so that what is loaded once is loaded
room = int(sys.argv[3])
used = psutil.Process().memory_info().vms
resource.setrlimit(resource.RLIMIT_AS, (used + room, resource.RLIM_INFINITY))
session, events = go(json.loads(sys.argv[4]), "tight")
resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
print("KIND", session.outcome.kind, session.outcome.error, session.outcome.traceback)
for event in events:
    print(event.to_json())
"""


def limited(place: Path, text: Path, room: int, **fields: Any) -> tuple[str, list[AnyEvent]]:
    base = {**SMALL, "dataset": str(text), "n_embd": 64, "block_size": 128, "max_iters": 2, "eval_interval": 2,
            "ffn_mult": 2.0, "optimizer": "adamw", "eval_iters": 1, "warmup_iters": 1, "dropout": 0.0}  # fmt: skip
    # The C library keeps what is freed for later; here it gives it back, as a device does when its cache is emptied.
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, json.dumps(base), str(place / "runs"), str(room), json.dumps(fields)],
        capture_output=True, text=True, timeout=300, check=False,
        env={**os.environ, "MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_THRESHOLD_": "65536"},
    )  # fmt: skip
    assert done.stdout.startswith("KIND "), done.stderr
    kind, *lines = done.stdout.splitlines()
    return kind.removeprefix("KIND "), [from_json(line) for line in lines]


@pytest.mark.soak
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux holds a process to its address space")
def test_a_batch_that_really_does_not_fit_is_split_until_it_does(tmp_path: Path, text: Path) -> None:
    kind, events = limited(tmp_path, text, 200_000_000, batch_size=512)
    assert kind.startswith("finished"), kind
    assert [step.step for step in of(Step, events)] == [1, 2]
    edits = of(Edit, events)
    assert edits
    assert edits[0].changes["batch_size"] == (512, 256)
    assert re.search(r"not fit into memory: [\d.]+ [kM]B asked for, [\d.]+ [kM]?B free", of(Notice, events)[0].text)
    assert {step.tokens for step in of(Step, events)} == {n * 512 * 128 for n in (1, 2)}
    assert len(of(Eval, events)) == 2
    settings = RunConfig().replace(**of_started(events))
    outcome, again = go(tmp_path / "runs", settings, resume="tight@0")
    assert outcome.kind == "finished"
    assert losses(again) == losses(events)
    small = {"batch_size": 16, "gradient_accumulation_steps": 32, "eval_iters": 32}
    _, plain = go(tmp_path / "plain", settings.replace(**small))
    assert losses(events) == pytest.approx(losses(plain), rel=1e-3)


def of_started(events: list[AnyEvent]) -> dict[str, Any]:
    sections = events[0].config  # type: ignore[union-attr]
    return {name: value for section in sections.values() for name, value in section.items()}


@pytest.mark.soak
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux holds a process to its address space")
def test_a_model_that_really_does_not_fit_writes_nothing(tmp_path: Path, text: Path) -> None:
    kind, events = limited(tmp_path, text, 400_000_000, n_embd=2048, n_layer=8)
    assert kind.startswith("failed the model does not fit into memory"), kind
    assert "B free, " in kind
    assert events == []
    assert [path.name for path in (tmp_path / "runs").iterdir() if path.is_dir()] == ["warm"]


@pytest.mark.skipif(sys.platform != "linux", reason="it is the C library of Linux that keeps what is freed")
def test_what_a_step_frees_is_kept_for_the_next_and_given_back_at_the_end() -> None:
    code = (
        "import psutil, torch; from gpt_tui.core.memory import keep_freed_memory, release\n"
        "keep_freed_memory(); process = psutil.Process(); MiB = 2**20\n"
        "def use(): return [torch.ones(16 * MiB // 4) for _ in range(16)]\n"
        "use(); before = process.memory_info().rss\n"
        "held = use(); blocks = held[::2]; del held; full = process.memory_info().rss\n"
        "del blocks; kept = process.memory_info().rss\n"
        "release('cpu'); print(*(value // MiB for value in (before, full, kept, process.memory_info().rss)))"
    )
    told = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    before, full, kept, left = map(int, told.split())
    assert full - before < 128  # of 256: the second time most of it was there already
    assert full - kept < 32
    assert kept - left > 200
