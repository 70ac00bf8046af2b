"""Muon (Jordan et al. 2024): momentum whose directions are made equally strong, for the matrices of a model.

torch.optim.Muon does the same one matrix after the other; here all matrices of one size are one batch, which is what
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
    x = _lying(matrices.bfloat16())
    x = x / x.norm(dim=(-2, -1), keepdim=True).clamp(min=_TINY)  # no singular value is above 1 now
    for _ in range(steps):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=_B, alpha=_C), x, beta=_A)
    return x.mT if _is_tall(matrices) else x


class Muon:
    """Moves matrices. What is set before a step: learning_rate, momentum, weight_decay, ns_steps.

    Matrices of one size are one batch, wide ones as they are and tall ones lying on their side.
    """

    def __init__(self, matrices: Iterable[nn.Parameter]):
        self.learning_rate, self.momentum, self.weight_decay, self.ns_steps = 0.0, 0.9, 0.0, 5
        self._by_size: dict[tuple[int, ...], list[Tensor]] = {}
        for p in matrices:
            self._by_size.setdefault(tuple(sorted(p.shape)), []).append(p)
        self._momenta: dict[tuple[int, ...], Tensor] = {}  # (n, short, long), of the parameters of a size in order

    @property
    def parameters(self) -> list[Tensor]:
        return [p for alike in self._by_size.values() for p in alike]

    def make_room(self) -> None:
        """Momenta of zero, where there are none."""
        for size, alike in self._by_size.items():
            if size not in self._momenta:
                self._momenta[size] = torch.zeros((len(alike), *size), dtype=alike[0].dtype, device=alike[0].device)

    @torch.no_grad()
    def step(self, broken: Tensor | None = None) -> None:
        """Move each matrix against its gradient. broken: where it is 1, nothing moves, whatever the gradient is."""
        self.make_room()
        for size, alike in self._by_size.items():
            gradient = torch.stack([_lying(p.grad) for p in alike if p.grad is not None])
            momentum, rate = self._momenta[size], self.learning_rate
            kept: Tensor | float = 1 - rate * self.weight_decay
            ahead = momentum.lerp(gradient, 1 - self.momentum)
            # Nesterov's: the gradient has its say once more.
            move = orthogonalized(gradient.lerp_(ahead, self.momentum), self.ns_steps).to(gradient.dtype)
            if broken is None:
                momentum.copy_(ahead)
            else:
                sound = broken == 0
                momentum.copy_(torch.where(sound, ahead, momentum))
                move = torch.where(sound, move, 0.0)
                kept = torch.where(sound, kept, 1.0)
            if self.weight_decay:
                torch._foreach_mul_(alike, kept)
            for p, along in zip(alike, move, strict=True):
                # A tall matrix takes longer steps, so that what goes through it changes as much as in a square one.
                p.add_(along.mT if _is_tall(p) else along, alpha=-rate * math.sqrt(max(1, p.size(0) / p.size(1))))

    def momenta(self) -> dict[Tensor, Tensor]:
        """The momentum of each matrix, in its shape; empty before the first step."""
        return {
            p: self._momenta[size][i].mT if _is_tall(p) else self._momenta[size][i]
            for size, alike in self._by_size.items()
            if size in self._momenta
            for i, p in enumerate(alike)
        }

    def restore(self, momenta: Mapping[Tensor, Tensor]) -> None:
        """Put back what `momenta` gave; zero for those that are not among them."""
        self._momenta.clear()
        if not momenta:
            return
        self.make_room()
        for p, place in self.momenta().items():
            if p in momenta:
                place.copy_(momenta[p])


def _is_tall(matrix: Tensor) -> bool:
    return matrix.size(-2) > matrix.size(-1)


def _lying(matrix: Tensor) -> Tensor:
    return matrix.mT if _is_tall(matrix) else matrix
