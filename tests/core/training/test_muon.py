"""Muon moves matrices as PyTorch's own does, and every other parameter is AdamW's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gpt_tui.core.config import RunConfig, idle
from gpt_tui.core.data import Dataset, load_dataset
from gpt_tui.core.errors import GptTuiError
from gpt_tui.core.shapes import block_matrices, training_memory
from gpt_tui.core.training import Trainer
from gpt_tui.core.training.muon import Muon, orthogonalized

SMALL: dict[str, Any] = {
    "n_layer": 2, "n_head": 2, "n_embd": 16, "block_size": 8, "batch_size": 4, "dropout": 0.1, "norm": "layernorm",
    "norm_weight": True, "bias": True, "init": "gpt2", "zero_init": False, "threads": 1, "device": "cpu",
    "warmup_iters": 2, "max_iters": 30, "optimizer": "muon", "seed": 5,
}  # fmt: skip


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    folder = tmp_path_factory.mktemp("muon")
    text = folder / "text.txt"
    text.write_text((Path(__file__).parents[3] / "README.md").read_text(encoding="utf-8"), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GPT_TUI_CACHE_DIR", str(folder / "cache"))
        return load_dataset(str(text))


def config(**fields: Any) -> RunConfig:
    return RunConfig().replace(**{**SMALL, **fields})


SHAPES = [[(8, 8)] * 3, [(24, 8)] * 3, [(8, 32)] * 2, [(5, 3)] * 2, [(24, 8), (8, 24), (8, 8), (24, 8)]]


@pytest.mark.parametrize("shapes", SHAPES, ids=str)
@pytest.mark.parametrize("ns_steps", [1, 3, 5])
def test_each_matrix_of_a_batch_moves_as_with_pytorchs_own(shapes: list[tuple[int, int]], ns_steps: int) -> None:
    torch.manual_seed(1)
    begun = [torch.randn(shape) for shape in shapes]
    mine, torchs = [nn.Parameter(p.clone()) for p in begun], [nn.Parameter(p.clone()) for p in begun]
    ours = Muon(mine)
    ours.learning_rate, ours.momentum, ours.weight_decay, ours.ns_steps = 0.02, 0.95, 0.1, ns_steps
    theirs = torch.optim.Muon(torchs, lr=0.02, momentum=0.95, weight_decay=0.1, ns_steps=ns_steps)
    for _ in range(10):
        for p, q in zip(mine, torchs, strict=True):
            p.grad = torch.randn(p.shape)
            q.grad = p.grad.clone()
        ours.step()
        theirs.step()
    for p, q, start in zip(mine, torchs, begun, strict=True):
        moved = (q - start).norm()
        assert (p - q).norm() < 0.01 * moved  # what bfloat16 rounds otherwise in a batch
        assert torch.allclose(ours.momenta()[p], theirs.state[q]["momentum_buffer"])


@pytest.mark.parametrize("shape", [(16, 16), (48, 16), (16, 64)], ids=str)
def test_all_directions_become_equally_strong_and_stay_where_they_were(shape: tuple[int, int]) -> None:
    torch.manual_seed(2)
    matrices = torch.randn(4, *shape)
    found = orthogonalized(matrices, 5).float()
    u, _, v = torch.linalg.svd(matrices, full_matrices=False)
    strengths = torch.linalg.svdvals(found)
    assert strengths.min() > 0.5
    assert strengths.max() < 1.3
    along = torch.einsum("nri,nrc,nic->ni", u, found, v)  # what of each direction is left where it was
    assert torch.allclose(along.sort().values, strengths.sort().values, atol=0.05)


def test_muon_has_the_matrices_of_the_blocks_and_adamw_all_else(dataset: Dataset) -> None:
    trainer = Trainer(config(), dataset)
    trainer.step()
    kept = {name.rpartition(".")[::2] for name in trainer.optimizer.state()}
    by_muon = {name for name, kind in kept if kind == "momentum_buffer"}
    by_adam = {name for name, kind in kept if kind == "exp_avg"}
    matrices = {name for name, p in trainer.model.named_parameters() if name.startswith("blocks.") and p.dim() == 2}
    assert by_muon == matrices
    assert by_adam == {name for name, _ in trainer.model.named_parameters()} - matrices
    assert len(matrices) == 8


def test_muons_rate_rises_and_falls_with_the_learning_rate(dataset: Dataset) -> None:
    trainer = Trainer(config(learning_rate=0.004, muon_lr=0.03), dataset)
    for _ in range(5):
        rate = trainer.step().learning_rate
        assert trainer.optimizer.muon is not None
        assert trainer.optimizer.muon.learning_rate == pytest.approx(0.03 * rate / 0.004)


def test_it_learns_and_what_is_live_is_felt(dataset: Dataset) -> None:
    trainer = Trainer(config(), dataset)
    first = trainer.evaluate().val_loss
    for _ in range(30):
        trainer.step()
    assert trainer.evaluate().val_loss < first - 0.5
    one, other = Trainer(config(), dataset), Trainer(config(), dataset)
    one.step()
    other.step()
    other.edit(other.config.replace(muon_lr=0.01, muon_momentum=0.5, muon_ns_steps=5))
    one.step()
    other.step()
    assert not torch.equal(weight(one), weight(other))


def weight(trainer: Trainer) -> Tensor:
    return trainer.model.blocks[0].attention.qkv.weight


def test_a_broken_step_moves_nothing(dataset: Dataset) -> None:
    trainer = Trainer(config(), dataset)
    trainer.step()
    before = {
        name: tensor.clone() for name, tensor in {**trainer.model.state_dict(), **trainer.optimizer.state()}.items()
    }
    for p in trainer.model.parameters():
        p.grad = torch.full_like(p, torch.nan)
    trainer.optimizer.step(torch.ones(()))
    after = {**trainer.model.state_dict(), **trainer.optimizer.state()}
    assert after.keys() == before.keys()
    for name, tensor in before.items():
        assert torch.equal(after[name], tensor), name


def test_state_that_is_put_back_goes_on_to_the_last_bit(dataset: Dataset) -> None:
    whole, begun, resumed = (Trainer(config(), dataset) for _ in range(3))
    torch.manual_seed(3)
    expected = [whole.step() for _ in range(8)]
    torch.manual_seed(3)
    found = [begun.step() for _ in range(4)]
    saved = begun.state_dict()
    resumed.load_state_dict(
        {name: {k: v.clone() if isinstance(v, Tensor) else v for k, v in part.items()} for name, part in saved.items()}
    )
    found += [resumed.step() for _ in range(4)]
    assert found == expected
    for p, q in zip(resumed.model.parameters(), whole.model.parameters(), strict=True):
        assert torch.equal(p, q)


def test_momenta_of_another_model_are_refused(dataset: Dataset) -> None:
    trainer = Trainer(config(), dataset)
    trainer.step()
    state = trainer.optimizer.state()
    name = next(name for name in state if name.endswith("momentum_buffer"))
    with pytest.raises(GptTuiError, match="does not fit the model"):
        trainer.optimizer.restore({**state, name: torch.zeros(3, 3)})


def test_a_parameter_that_another_optimizer_moved_begins_anew(dataset: Dataset) -> None:
    adamw, muon = Trainer(config(optimizer="adamw"), dataset), Trainer(config(), dataset)
    adamw.step()
    muon.load_state_dict(adamw.state_dict())
    muon.step()
    assert len([name for name in muon.optimizer.state() if name.endswith("momentum_buffer")]) == 8


def test_without_blocks_all_is_adamws_and_the_form_says_so(dataset: Dataset) -> None:
    table = config(attention=False, feed_forward=False, position="none", norm="none", norm_weight=False, muon_lr=0.02)
    told = idle(table.flat())
    assert told["muon_lr"] == told["optimizer"] == "there are no blocks whose matrices muon would move"
    trainer = Trainer(table, dataset)
    trainer.step()
    assert trainer.optimizer.muon is None
    assert idle(config(optimizer="adamw", muon_lr=0.02).flat())["muon_lr"] == "the optimizer is adamw"
    assert "muon_lr" not in idle(config(optimizer="adamw").flat())


@pytest.mark.parametrize(
    "fields",
    [{}, {"activation": "swiglu"}, {"output_projection": False, "ffn_mult": 1.0}, {"attention": False}],
    ids=str,
)
def test_what_the_optimizer_remembers_is_what_the_estimate_counts(dataset: Dataset, fields: dict[str, Any]) -> None:
    muon, adamw = config(**fields), config(**fields, optimizer="adamw")
    trainers = [Trainer(each, dataset) for each in (muon, adamw)]
    kept = []
    for trainer in trainers:
        trainer.step()
        kept.append(sum(t.numel() for name, t in trainer.optimizer.state().items() if not name.endswith(".step")))
    matrices = [tuple(p.shape) for p in trainers[0].model.blocks.parameters() if p.dim() == 2]
    assert sorted(block_matrices(muon.model)) == sorted(matrices)
    saved = training_memory(adamw, dataset.vocab_size) - training_memory(muon, dataset.vocab_size)
    assert saved == 4 * (kept[1] - kept[0]) == 4 * sum(rows * columns for rows, columns in matrices)
