"""AdamW moves weights as torch.optim.AdamW does, to the last bit, and asks for its memory beforehand."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gpt_tui.core.training.adamw import AdamW, Group

SHAPES = [(7, 5), (3, 9), (5,), (1,)]
STATE = ("step", "exp_avg", "exp_avg_sq")


def some(seed: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, generator=generator) for shape in SHAPES]


@pytest.fixture
def pair() -> tuple[list[nn.Parameter], AdamW, list[nn.Parameter], torch.optim.AdamW]:
    """Ours and PyTorch's over the same weights: two matrices that decay, two vectors that do not."""
    mine, theirs = ([nn.Parameter(p) for p in some(1)] for _ in range(2))
    ours = AdamW([Group(mine[:2], 0.1), Group(mine[2:], 0.0)])
    groups: list[dict[str, Any]] = [
        {"params": theirs[:2], "weight_decay": 0.1},
        {"params": theirs[2:], "weight_decay": 0.0},
    ]
    return mine, ours, theirs, torch.optim.AdamW(groups, fused=True)


def test_it_moves_weights_as_pytorchs_own_does(pair: Any) -> None:
    mine, ours, theirs, torchs = pair
    for step in range(20):
        ours.learning_rate, ours.betas = 0.01 / (step + 1), (0.9, 0.95 if step < 10 else 0.99)
        for group in torchs.param_groups:
            group["lr"], group["betas"] = ours.learning_rate, ours.betas
        for p, q, gradient in zip(mine, theirs, some(step + 2), strict=True):
            p.grad, q.grad = gradient.clone(), gradient.clone()
        ours.make_room()  # as the trainer does, before anything moves
        ours.step()
        torchs.step()
        for p, q in zip(mine, theirs, strict=True):
            assert torch.equal(p, q)
            for name in STATE:
                made, wanted = getattr(ours.averages[p], name), torchs.state[q][name]
                assert torch.equal(made, wanted)
                assert (made.dtype, made.shape) == (wanted.dtype, wanted.shape)


def test_what_has_no_gradient_stays_and_costs_no_memory(pair: Any) -> None:
    mine, ours, *_ = pair
    before = [p.clone() for p in mine]
    ours.learning_rate = 0.1
    mine[0].grad = torch.ones(SHAPES[0])
    ours.step()
    assert not torch.equal(mine[0], before[0])
    assert all(torch.equal(p, q) for p, q in zip(mine[1:], before[1:], strict=True))
    assert list(ours.averages) == [mine[0]]


def test_a_step_that_is_broken_moves_neither_weights_nor_averages(pair: Any) -> None:
    mine, ours, *_ = pair
    ours.learning_rate = 0.1
    for p, gradient in zip(mine, some(5), strict=True):
        p.grad = gradient
    ours.step()
    kept = [(p.clone(), *(getattr(ours.averages[p], name).clone() for name in STATE)) for p in mine]
    for p in mine:
        p.grad = torch.full_like(p, torch.nan)
    ours.step(broken=torch.ones(()))
    for p, (weight, *averages) in zip(mine, kept, strict=True):
        assert torch.equal(p, weight)
        assert all(torch.equal(getattr(ours.averages[p], n), a) for n, a in zip(STATE, averages, strict=True))


def test_a_run_begins_without_pytorchs_compiler() -> None:
    """It takes as long to import as all the rest of PyTorch."""
    code = (
        "import sys; from gpt_tui.core.config import RunConfig; from gpt_tui.core.data import load_dataset\n"
        "from gpt_tui.core.training import Trainer\n"
        "config = RunConfig().replace(n_layer=1, n_embd=8, n_head=1, block_size=8, device='cpu', optimizer='muon')\n"
        "Trainer(config, load_dataset('masque')).step(); assert 'torch._dynamo' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
