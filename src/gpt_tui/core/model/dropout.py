"""Dropout whose masks are cheap to draw on a CPU.

PyTorch draws a number of its own for each thing that may be dropped, which took an eighth of a step of nanoGPT's large
model. A random byte says enough: it is below 256 p with probability p. Where 256 p is no whole number, each mask takes
one of its two neighbours by chance, so that on average the share is p.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

_BYTES_A_DRAW = 8


def by_hand(x: Tensor) -> bool:
    """Whether x is computed with in operations of our own: on a CPU, unless torch.compile writes better ones."""
    return x.device.type == "cpu" and not torch.compiler.is_compiling()


def keep(shape: Sequence[int], p: float) -> Tensor:
    """uint8 of that shape, drawn from the CPU's default generator: 0 with probability p, else 1."""
    threshold = int(256 * p + float(torch.rand(())))
    if threshold > 255:
        return torch.zeros(*shape, dtype=torch.uint8)
    count = math.prod(shape)
    draws = torch.empty(-(-count // _BYTES_A_DRAW), dtype=torch.int64).random_(-(2**63), None)
    return draws.view(torch.uint8)[:count].view(*shape).ge_(threshold)


class _Drop(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, p: float) -> Tensor:
        kept = keep(x.shape, p)
        ctx.save_for_backward(kept)
        ctx.scale = 1 / (1 - p)
        return x * kept.to(x.dtype).mul_(ctx.scale)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (kept,) = ctx.saved_tensors
        return gradient * kept.to(gradient.dtype).mul_(ctx.scale), None


class Dropout(nn.Module):
    """Each number set to zero with probability p in training, and the others made 1 / (1 - p) times as large.

    Srivastava et al. 2014. On a CPU the masks come from its default generator, by bytes; elsewhere from PyTorch.
    """

    def __init__(self, p: float):
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or not self.p:
            return x
        if not by_hand(x):
            return F.dropout(x, self.p)
        dropped: Tensor = _Drop.apply(x, self.p)  # type: ignore[no-untyped-call]
        return dropped

    def extra_repr(self) -> str:
        return f"p={self.p}"
