"""AdamW (Loshchilov and Hutter 2019) through PyTorch's fused kernel.

torch.optim.AdamW is a class around the same function. Making one imports PyTorch's compiler, which took a second before
the first step, as long as all the rest of PyTorch; so what that class keeps is kept here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.optim.adamw import adamw

EPSILON = 1e-8


@dataclass
class Group:
    """Parameters that decay alike. weight_decay: how strongly."""

    parameters: list[Tensor]
    weight_decay: float


@dataclass
class Averages:
    """What AdamW keeps of a parameter. step: () float32, how often it moved."""

    step: Tensor
    exp_avg: Tensor
    exp_avg_sq: Tensor


class AdamW:
    """Moves parameters. What is set before a step: learning_rate, betas, and each group's weight_decay."""

    def __init__(self, groups: Iterable[Group]):
        self.groups = list(groups)
        self.learning_rate, self.betas = 0.0, (0.9, 0.999)
        self.averages: dict[Tensor, Averages] = {}

    def make_room(self) -> None:
        """Averages of zero for each parameter that has a gradient, where there are none."""
        for group in self.groups:
            for p in group.parameters:
                if p.grad is not None and p not in self.averages:
                    step = torch.zeros((), dtype=torch.float32, device=p.device)
                    self.averages[p] = Averages(step, torch.zeros_like(p), torch.zeros_like(p))

    @torch.no_grad()
    def step(self, broken: Tensor | None = None) -> None:
        """Move each parameter that has a gradient. broken: where it is 1, nothing moves, whatever the gradient is."""
        self.make_room()
        for group in self.groups:
            moved = [p for p in group.parameters if p.grad is not None]
            if not moved:
                continue
            kept = [self.averages[p] for p in moved]
            adamw(
                moved,
                [p.grad for p in moved if p.grad is not None],
                [averages.exp_avg for averages in kept],
                [averages.exp_avg_sq for averages in kept],
                [],
                [averages.step for averages in kept],
                fused=True,
                found_inf=broken,
                amsgrad=False,
                beta1=self.betas[0],
                beta2=self.betas[1],
                lr=self.learning_rate,
                weight_decay=group.weight_decay,
                eps=EPSILON,
                maximize=False,
            )
