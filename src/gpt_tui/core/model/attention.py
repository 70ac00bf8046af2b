"""Causal attention: softmax(q kᵀ / √D, later tokens masked) v.

On a GPU that is one call of PyTorch's. On a CPU that call takes long backward, longer still in bfloat16, and with
dropout it takes another path that is several times as slow. There the queries are taken in blocks of rows here: each
needs the keys up to its own end alone, which saves nearly half of the work, and what is dropped is drawn by bytes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from gpt_tui.core.model.dropout import by_hand, keep
from gpt_tui.core.shapes import ROWS_AT_ONCE, keeps_weights


def attend(q: Tensor, k: Tensor, v: Tensor, dropout: float = 0.0) -> Tensor:
    """What each token finds, (B, H, T, D), from queries, keys and values of that shape. dropout: of the weights."""
    if by_hand(q) and keeps_weights(q.size(2), dropout) and (dropout or torch.is_grad_enabled()):
        found: Tensor = _Blocks.apply(q * q.size(-1) ** -0.5, k, v, dropout)  # type: ignore[no-untyped-call]
        return found
    return F.scaled_dot_product_attention(q, k, v, dropout_p=dropout, is_causal=q.size(2) > 1)


def attend_after(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """The same where the queries (B, H, T, D) are those of the last T tokens of the keys and values alone."""
    T, past = q.size(2), k.size(2)
    # T tokens asked at once hide their future from one another; a single new one has none to hide.
    mask = torch.ones(T, past, dtype=torch.bool, device=q.device).tril(past - T) if 1 < T < past else None
    return F.scaled_dot_product_attention(q, k, v, mask, is_causal=1 < T == past)


def _rows(T: int) -> Iterator[slice]:
    for first in range(0, T, ROWS_AT_ONCE):
        yield slice(first, min(first + ROWS_AT_ONCE, T))


class _Blocks(torch.autograd.Function):
    """P = softmax(S), S = q kᵀ of a block of rows, q scaled; y = P' v, P' being P with some of it dropped."""

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, p: float) -> Tensor:
        B, H, T, D = q.shape
        q, k, v = (x.contiguous().view(B * H, T, D) for x in (q, k, v))
        later = q.new_full((min(T, ROWS_AT_ONCE),) * 2, -math.inf).triu(1)
        # Heads of a token side by side, as the projection wants them.
        y = q.new_empty(B, T, H, D).transpose(1, 2)
        weights: list[Tensor] = []
        with torch.autocast("cpu", enabled=False):
            for rows in _rows(T):
                scores = q[:, rows] @ k[:, : rows.stop].mT  # (B H, rows, columns)
                scores[:, :, rows] += later[: rows.stop - rows.start, : rows.stop - rows.start]
                kept = scores.softmax(-1)
                weights.append(kept)
                if p:
                    kept = kept * keep(kept.shape, p).to(kept.dtype)
                    weights.append(kept)
                y[:, :, rows] = (kept @ v[:, : rows.stop]).view(B, H, -1, D)
        if p:
            y.mul_(1 / (1 - p))
        ctx.save_for_backward(q, k, v, y, *weights)
        ctx.p = p
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        q, k, v, y, *weights = ctx.saved_tensors
        B, H, T, D = y.shape
        if ctx.p:
            found = (gradient * y).sum(-1).view(B * H, T, 1)  # what a row's weights are worth together
            gradient = gradient * (1 / (1 - ctx.p))
        gradient = gradient.reshape(B * H, T, D)
        dq = torch.empty_like(q)
        # What several blocks add to is added up in float32 at least.
        sums = torch.promote_types(q.dtype, torch.float32) if T > ROWS_AT_ONCE else q.dtype
        dk, dv = torch.zeros_like(k, dtype=sums), torch.zeros_like(v, dtype=sums)
        for rows in _rows(T):
            past = slice(rows.stop)
            soft = weights.pop(0)
            kept = weights.pop(0) if ctx.p else soft
            dv[:, past] += kept.mT @ gradient[:, rows]
            worth = gradient[:, rows] @ v[:, past].mT  # of each weight
            if ctx.p:
                scores = torch.addcmul(worth.mul_(kept), soft, found[:, rows], value=-1)
            else:
                scores = torch.ops.aten._softmax_backward_data(worth, soft, -1, soft.dtype)
            dq[:, rows] = scores @ k[:, past]
            dk[:, past] += scores.mT @ q[:, rows]
        return dq.view(B, H, T, D), dk.to(k.dtype).view(B, H, T, D), dv.to(v.dtype).view(B, H, T, D), None
