"""Muon (Jordan et al. 2024): momentum whose directions are made equally strong, for the matrices of a model.

torch.optim.Muon does the same one matrix after the other; here all matrices of one shape are one batch, which is what
makes it cheap where matrices are small.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

# A polynomial whose slope at zero is as steep as can be, so that few steps suffice (Jordan et al. 2024).
_A, _B, _C = 3.4445, -4.7750, 2.0315
_TINY = 1e-7


def orthogonalized(matrices: Tensor, steps: int) -> Tensor:
    """(n, rows, columns) with the same directions, and singular values near 1: `steps` of Newton-Schulz in bfloat16."""
    x = matrices.bfloat16()
    tall = x.size(-2) > x.size(-1)
    if tall:
        x = x.mT
    x = x / x.norm(dim=(-2, -1), keepdim=True).clamp(min=_TINY)  # no singular value is above 1 now
    for _ in range(steps):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=_B, alpha=_C), x, beta=_A)
    return x.mT if tall else x


class Muon:
    """Moves matrices. What is set before a step: learning_rate, momentum, weight_decay, ns_steps."""

    def __init__(self, matrices: Iterable[nn.Parameter]):
        self.learning_rate, self.momentum, self.weight_decay, self.ns_steps = 0.0, 0.9, 0.0, 5
        self._by_shape: dict[torch.Size, list[Tensor]] = {}
        for p in matrices:
            self._by_shape.setdefault(p.shape, []).append(p)
        self._momenta: dict[torch.Size, Tensor] = {}  # (n, rows, columns), of the parameters of a shape in their order

    @property
    def parameters(self) -> list[Tensor]:
        return [p for alike in self._by_shape.values() for p in alike]

    def make_room(self) -> None:
        """Momenta of zero, where there are none."""
        for shape, alike in self._by_shape.items():
            if shape not in self._momenta:
                self._momenta[shape] = torch.zeros((len(alike), *shape), dtype=alike[0].dtype, device=alike[0].device)

    @torch.no_grad()
    def step(self, broken: Tensor | None = None) -> None:
        """Move each matrix against its gradient. broken: where it is 1, nothing moves, whatever the gradient is."""
        self.make_room()
        for shape, alike in self._by_shape.items():
            gradient = torch.stack([p.grad for p in alike if p.grad is not None])
            momentum, rate = self._momenta[shape], self.learning_rate
            kept: Tensor | float = 1 - rate * self.weight_decay
            ahead = momentum.lerp(gradient, 1 - self.momentum)
            # Nesterov's: the gradient has its say once more.
            move = orthogonalized(gradient.lerp(ahead, self.momentum), self.ns_steps).to(gradient.dtype)
            if broken is None:
                momentum.copy_(ahead)
            else:
                sound = broken == 0
                momentum.copy_(torch.where(sound, ahead, momentum))
                move = torch.where(sound, move, 0.0)
                kept = torch.where(sound, kept, 1.0)
            torch._foreach_mul_(alike, kept)
            # A tall matrix takes longer steps, so that what goes through it changes as much as in a square one.
            torch._foreach_add_(alike, list(move.unbind()), alpha=-rate * math.sqrt(max(1, shape[0] / shape[1])))

    def momenta(self) -> dict[Tensor, Tensor]:
        """The momentum of each matrix; empty before the first step."""
        return {p: momenta[i] for shape, momenta in self._momenta.items() for i, p in enumerate(self._by_shape[shape])}

    def restore(self, momenta: Mapping[Tensor, Tensor]) -> None:
        """Put back what `momenta` gave; zero for those that are not among them."""
        self._momenta.clear()
        if not momenta:
            return
        self.make_room()
        for p, place in self.momenta().items():
            if p in momenta:
                place.copy_(momenta[p])
