"""Small parts of a model in fewer operations than autograd would record: on a CPU small models wait for these.

Each gives what PyTorch's own gives, forward and backward. They are for a CPU: a GPU has them as kernels of its own.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from gpt_tui.core.model.dropout import by_hand


class _RMSNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        y, scale = _rms_norm(x)
        ctx.save_for_backward(y, scale)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        y, scale = ctx.saved_tensors
        along = (gradient * y).mean(-1, keepdim=True)
        return torch.addcmul(gradient, y, along, value=-1).mul_(scale)


def _rms_norm(x: Tensor) -> tuple[Tensor, Tensor]:
    exact = torch.promote_types(x.dtype, torch.float32)
    size = torch.linalg.vector_norm(x, dim=-1, keepdim=True, dtype=exact)  # (..., 1)
    scale = size.square_().div_(x.size(-1)).add_(torch.finfo(exact).eps).rsqrt_().to(x.dtype)
    return x * scale, scale


class _Turn(torch.autograd.Function):
    """Each pair (a, b) of x's halves turned: a cos - b sin, a sin + b cos. Backward turns back."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        ctx.save_for_backward(cos, sin)
        return _turn(x, cos, sin, -1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        cos, sin = ctx.saved_tensors
        return _turn(gradient, cos, sin, 1), None, None


def _turn(x: Tensor, cos: Tensor, sin: Tensor, sign: int) -> Tensor:
    turned = torch.empty(x.shape, dtype=x.dtype, device=x.device)
    half = x.size(-1) // 2
    a, b = x[..., :half], x[..., half:]
    torch.mul(a, cos, out=turned[..., :half]).addcmul_(b, sin, value=sign)
    torch.mul(b, cos, out=turned[..., half:]).addcmul_(a, sin, value=-sign)
    return turned


class _SquaredReLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        positive = x.relu()
        ctx.save_for_backward(positive)
        return positive.square()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (positive,) = ctx.saved_tensors
        return torch.mul(gradient, positive).mul_(2)


def rms_norm(x: Tensor) -> Tensor:
    """x (..., C) divided by the root of the mean of its squares, over C (Zhang and Sennrich 2019)."""
    if not by_hand(x):
        return F.rms_norm(x, x.shape[-1:])
    y: Tensor = _RMSNorm.apply(x) if x.requires_grad else _rms_norm(x)[0]  # type: ignore[no-untyped-call]
    return y


def turn(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """x (..., T, D), whose pairs (i, i + D / 2) are turned by angles whose cos and sin are (T, D / 2)."""
    if not by_hand(x):
        a, b = x.chunk(2, dim=-1)
        return torch.cat((a * cos - b * sin, a * sin + b * cos), dim=-1)
    turned: Tensor = _Turn.apply(x, cos, sin) if x.requires_grad else _turn(x, cos, sin, -1)  # type: ignore[no-untyped-call]
    return turned


def squared_relu(x: Tensor) -> Tensor:
    """max(x, 0)² ("Primer", So et al. 2021)."""
    if not by_hand(x):
        return F.relu(x).square()
    y: Tensor = _SquaredReLU.apply(x) if x.requires_grad else x.relu().square()  # type: ignore[no-untyped-call]
    return y
