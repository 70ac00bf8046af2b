"""Learning is repeatable to the last bit, is not disturbed by looking, and goes on exactly where it was."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gpt_tui.core.config import RunConfig
from gpt_tui.core.data import Dataset, load_dataset
from gpt_tui.core.errors import GptTuiError, Refusal
from gpt_tui.core.training import Diverged, Interrupted, Trainer
from gpt_tui.core.training.schedule import learning_rate

TEXT = "".join(f"{name}:\nThe {thing} of {name} is number {n}.\n\n" for n in range(60) for name, thing in
               (("ANNA", "house"), ("BEN", "river"), ("CLARA", "evening")))  # fmt: skip

SMALL: dict[str, Any] = {
    "n_layer": 2,
    "n_head": 2,
    "n_embd": 16,
    "block_size": 8,
    "batch_size": 4,
    "max_iters": 40,
    "warmup_iters": 4,
    "eval_interval": 10,
    "eval_iters": 3,
    "dropout": 0.1,
    "init": "gpt2",
    "zero_init": True,
    "threads": 1,
    "device": "cpu",
}


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    path = tmp_path / "text.txt"
    path.write_text(TEXT, encoding="utf-8")
    return load_dataset(str(path))


def config(**fields: Any) -> RunConfig:
    return RunConfig().replace(**{**SMALL, **fields})


def losses(trainer: Trainer, steps: int) -> list[float]:
    return [trainer.step().loss for _ in range(steps)]


def weights(trainer: Trainer) -> dict[str, torch.Tensor]:
    return {name: p.detach().clone() for name, p in trainer.model.named_parameters()}


def test_the_same_seed_gives_the_same_losses_and_another_does_not(dataset: Dataset) -> None:
    first = losses(Trainer(config(), dataset), 20)
    assert losses(Trainer(config(), dataset), 20) == first
    assert losses(Trainer(config(seed=2), dataset), 20) != first


def test_it_learns(dataset: Dataset) -> None:
    trainer = Trainer(config(dropout=0.0, max_iters=300, learning_rate=1e-2), dataset)
    before = trainer.evaluate(0).val_loss
    losses(trainer, 300)
    assert before == pytest.approx(math.log(dataset.vocab_size), abs=0.01)
    assert trainer.evaluate(0).val_loss < before - 1.5


def test_looking_changes_nothing(dataset: Dataset) -> None:
    undisturbed = losses(Trainer(config(), dataset), 20)
    trainer = Trainer(config(), dataset)
    disturbed = []
    for _ in range(20):
        trainer.evaluate()
        trainer.evaluate(0)
        disturbed.append(trainer.step().loss)
    assert disturbed == undisturbed


def test_an_evaluation_looks_at_the_same_batches_every_time(dataset: Dataset) -> None:
    trainer = Trainer(config(), dataset)
    first = trainer.evaluate()
    assert trainer.evaluate() == first
    trainer.step()
    assert trainer.evaluate() != first


def test_the_whole_split_is_every_token_but_the_first_in_windows_side_by_side(dataset: Dataset) -> None:
    trainer = Trainer(config(), dataset)
    losses(trainer, 10)
    T, total = trainer.config.model.block_size, 0.0
    val = torch.from_numpy(dataset.val.astype(np.int64))
    trainer.model.eval()
    with torch.no_grad():
        for start in range(0, len(val) - 1, T):
            window = val[start : start + T + 1]
            logits, _ = trainer.model(window[None, :-1])
            total += torch.nn.functional.cross_entropy(logits[0], window[1:], reduction="sum").item()
    assert trainer.evaluate(0).val_loss == pytest.approx(total / (len(val) - 1), rel=1e-5)


def test_an_evaluation_can_be_cut_short(dataset: Dataset) -> None:
    trainer = Trainer(config(), dataset)
    with pytest.raises(Interrupted):
        trainer.evaluate(should_stop=lambda: True)
    assert trainer.model.training


@pytest.mark.parametrize("fields", [{}, {"gradient_accumulation_steps": 3}, {"grad_clip": "off", "dropout": 0.5}])
def test_it_goes_on_exactly_where_it_was(dataset: Dataset, fields: dict[str, Any]) -> None:
    whole = Trainer(config(**fields), dataset)
    expected = losses(whole, 30)
    first = Trainer(config(**fields), dataset)
    losses(first, 13)
    saved = first.state_dict()
    saved = {
        "model": {name: t.clone() for name, t in saved["model"].items()},
        "trainer": {name: t.clone() for name, t in saved["trainer"].items()},
        "state": saved["state"],
    }
    losses(first, 5)  # what happens to the first one later is no concern of the second
    second = Trainer(config(**fields), dataset)
    second.load_state_dict(saved)
    assert losses(second, 17) == expected[13:]
    for name, p in weights(whole).items():
        assert torch.equal(p, weights(second)[name]), name


def test_weights_of_another_model_are_refused(dataset: Dataset) -> None:
    saved = Trainer(config(n_embd=32), dataset).state_dict()
    with pytest.raises(GptTuiError, match="do not fit"):
        Trainer(config(), dataset).load_state_dict(saved)


def test_accumulated_gradients_are_those_of_one_large_batch(dataset: Dataset) -> None:
    fields = {"dropout": 0.0, "grad_clip": "off"}
    small = Trainer(config(batch_size=4, gradient_accumulation_steps=3, **fields), dataset)
    large = Trainer(config(batch_size=12, **fields), dataset)
    batches = [small._next_batch() for _ in range(3)]
    small._next_batch = iter(batches).__next__  # type: ignore[method-assign]
    large._next_batch = lambda: tuple(torch.cat(side) for side in zip(*batches, strict=True))  # type: ignore
    few, many = small.step(), large.step()
    assert few.loss == pytest.approx(many.loss, rel=1e-6)
    assert few.grad_norm == pytest.approx(many.grad_norm, rel=1e-5)
    assert few.tokens == many.tokens == 96


def test_a_live_edit_is_felt_by_the_next_step_and_only_then(dataset: Dataset) -> None:
    plain = Trainer(config(), dataset)
    expected = losses(plain, 5)
    edited = Trainer(config(), dataset)
    assert losses(edited, 5) == expected
    edited.edit(edited.config.replace(learning_rate=1e-5, batch_size=6, dropout=0.0))
    result = edited.step()
    assert result.learning_rate <= 1e-5
    assert result.tokens == plain.tokens + 6 * 8


def test_changing_threads_or_number_format_keeps_all_that_was_learned(dataset: Dataset) -> None:
    trainer = Trainer(config(), dataset)
    losses(trainer, 5)
    before = weights(trainer)
    trainer.edit(trainer.config.replace(threads=2, dtype="bfloat16"))
    assert trainer.dtype == "bfloat16"
    assert all(torch.equal(p, before[name]) for name, p in weights(trainer).items())
    assert trainer.optimizer.state()
    assert math.isfinite(trainer.step().loss)


def test_a_diverging_step_is_refused_before_a_weight_is_touched(dataset: Dataset) -> None:
    trainer = Trainer(config(), dataset)
    losses(trainer, 3)
    with torch.no_grad():
        trainer.model.head.weight[0, 0] = float("inf")
    before = weights(trainer)
    with pytest.raises(Diverged, match="at step 4"):
        trainer.step()
    assert trainer.step_count == 3
    assert all(torch.equal(p, before[name]) for name, p in weights(trainer).items())


def test_a_dataset_too_short_for_the_window_is_refused(dataset: Dataset) -> None:
    with pytest.raises(Refusal, match="at most"):
        Trainer(config(block_size=len(dataset.val)), dataset)


def test_weight_decay_pulls_at_matrices_alone(dataset: Dataset) -> None:
    trainer = Trainer(config(norm="layernorm", norm_weight=True, bias=True), dataset)
    decayed, left = trainer.optimizer.adamw.groups
    assert decayed.weight_decay == 0.1
    assert left.weight_decay == 0.0
    assert {p.dim() for p in decayed.parameters} == {2}
    assert {p.dim() for p in left.parameters} == {1}


def test_the_cosine_schedule_is_the_published_one() -> None:
    c = RunConfig().replace(
        lr_schedule="cosine", learning_rate=1e-3, min_lr=1e-4, warmup_iters=100, lr_decay_iters=2000, max_iters=3000
    )
    # nanoGPT's three cases: (it + 1) / (warmup + 1) of the peak, then half a cosine, then the floor.
    assert learning_rate(c, 0) == pytest.approx(1e-3 / 101)
    assert learning_rate(c, 99) == pytest.approx(1e-3 * 100 / 101)
    assert learning_rate(c, 100) == 1e-3
    assert learning_rate(c, 1050) == pytest.approx((1e-3 + 1e-4) / 2)
    assert learning_rate(c, 575) == pytest.approx(1e-4 + 0.5 * (1 + math.cos(math.pi / 4)) * 9e-4)
    assert learning_rate(c, 2000) == learning_rate(c, 2999) == 1e-4


def test_the_linear_schedule_is_a_line_and_the_constant_one_stays() -> None:
    c = RunConfig().replace(lr_schedule="linear", learning_rate=1e-2, min_lr=0, warmup_iters=0, max_iters=100)
    assert [learning_rate(c, s) for s in (0, 25, 50, 100)] == pytest.approx([1e-2, 7.5e-3, 5e-3, 0])
    assert {learning_rate(c.replace(lr_schedule="constant"), s) for s in (0, 50, 500)} == {1e-2}
