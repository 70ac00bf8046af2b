"""A model laid out for speaking. It computes what it computed before, but can learn no more.

One token at a time waits for the weights to come from memory, and for the calls that there are for each: so each matrix
is laid out once in the order in which a CPU reads it fastest, and, if that is wanted, in half the bytes; and a single
token goes through the blocks in fewer operations than a text that is learned from.
"""

from __future__ import annotations

import copy
from typing import Any, cast

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor

from gpt_tui.core.device import resolve_dtype
from gpt_tui.core.model import GPT, Block, Cache, FeedForward, LayerCache, SelfAttention

FORMATS = {"float32": torch.float32, "bfloat16": torch.bfloat16}
_FUSED = {"relu": ("relu", ""), "gelu": ("gelu", "none"), "gelu_tanh": ("gelu", "tanh")}  # what oneDNN applies itself


class Matrix(nn.Module):
    """What a Linear layer computes. Only the product is made in `dtype`: what comes in and goes out keeps its own."""

    def __init__(self, linear: nn.Linear, dtype: torch.dtype):
        super().__init__()
        weight = linear.weight.detach().to(dtype)
        packed = _packed(weight)
        self.dtype = dtype
        self._packed = packed is not None
        self._weight = weight if packed is None else packed
        self._bias = linear.bias.detach().to(dtype) if linear.bias is not None else None

    def forward(self, x: Tensor) -> Tensor:
        """(..., in) -> (..., out)."""
        return self.product(x.to(self.dtype)).to(x.dtype)

    def product(self, x: Tensor) -> Tensor:
        """As forward, of an x that has the matrix's own number format already; the result has it too."""
        if self._packed:
            y: Tensor = _multiply(x, self._weight, self._bias, "none", [], "")
            return y
        return F.linear(x, self._weight, self._bias)

    def activated(self, x: Tensor, layer: FeedForward, name: str) -> Tensor:
        """The product, and the activation of a feed-forward layer after it, which is computed in at least float32."""
        if self._packed and name in _FUSED:
            y: Tensor = _multiply(x, self._weight, self._bias, _FUSED[name][0], [], _FUSED[name][1])
            return y
        y = self.product(x)
        return layer.activate(y.float() if y.dtype == torch.bfloat16 else y).to(self.dtype)


class Frozen(GPT):
    """A copy of a GPT as it is now, whose weights do not change any more; the model itself may go on learning.

    dtype: the number format of the products with its matrices (float32, bfloat16; auto as in training); all else
    stays float32. A model in another format, such as float64, keeps it.
    """

    def __init__(self, model: GPT, dtype: str = "float32"):
        nn.Module.__init__(self)
        model = copy.deepcopy(model)
        self.__dict__.update({name: value for name, value in model.__dict__.items() if name not in self.__dict__})
        self._parameters, self._buffers, self._modules = model._parameters, model._buffers, model._modules
        own = self.token_embedding.weight
        products = own.dtype
        if own.dtype == torch.float32:
            products = FORMATS[resolve_dtype(dtype, own.device.type, model.config)]
        self._parameter_count = model.parameter_count()
        for module in list(self.modules()):
            for name, child in list(module.named_children()):
                if isinstance(child, nn.Linear):
                    setattr(module, name, Matrix(child, products))
                elif isinstance(child, nn.Dropout):
                    setattr(module, name, nn.Identity())
        self.eval().requires_grad_(False)

    def parameter_count(self) -> int:
        return self._parameter_count

    def forward(
        self, idx: Tensor, targets: Tensor | None = None, cache: Cache | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """As that of any GPT."""
        if cache is None or targets is not None or idx.size(1) > 1 or cache.length >= self.config.block_size:
            return super().forward(idx, targets, cache)
        return self._read_one(idx, cache), None

    def _read_one(self, idx: Tensor, cache: Cache) -> Tensor:
        """Logits (B, 1, V) after one token of each text, idx (B, 1): block after block, as `Block` says."""
        start, residual = cache.length, self.config.residual
        x = self._embed(idx, start, cache)[:, 0]  # (B, C)
        for block, layer in zip(cast(list[Block], self.blocks), cache.layers, strict=True):
            if block.attention is not None and block.norm1 is not None and layer is not None:
                y = _attend(block.attention, block.norm1(x), layer, start)
                x = x + y if residual else y.to(x.dtype)
            if block.feed_forward is not None and block.norm2 is not None:
                y = _think(block.feed_forward, block.norm2(x), self.config.activation)
                x = x + y if residual else y.to(x.dtype)
        cache.length = start + 1
        x = self.norm(x)
        logits: Tensor = self.head(x) if self.head is not None else x
        return logits[:, None]


def freeze(model: GPT, dtype: str = "float32") -> GPT:
    """A copy of `model` that only speaks; dtype as that of `Frozen`."""
    return model if isinstance(model, Frozen) else Frozen(model, dtype)


def _attend(attention: SelfAttention, x: Tensor, layer: LayerCache, start: int) -> Tensor:
    """`SelfAttention.forward` for one token of each text: x (B, C) -> (B, C)."""
    B, C = x.shape
    matrix, proj, H = cast(Matrix, attention.qkv), attention.proj, attention.n_head
    qkv = matrix.product(x.to(matrix.dtype)).view(B, 3, H, 1, C // H)
    if attention.qk_norm or attention.rotary[0] is not None:
        q, k = attention.turned(qkv[:, 0].to(x.dtype), qkv[:, 1].to(x.dtype), start)
        keys, values = layer.append(start, k, qkv[:, 2])
    else:
        q = qkv[:, 0].to(x.dtype)
        keys, values = layer.append(start, qkv[:, 1], qkv[:, 2])  # which has the format of x
    y = F.scaled_dot_product_attention(q, keys, values).view(B, C)
    return proj.product(y.to(proj.dtype)) if isinstance(proj, Matrix) else y


def _think(layer: FeedForward, x: Tensor, activation: str) -> Tensor:
    """`FeedForward.forward` for one token of each text: x (B, C) -> (B, C)."""
    matrix, proj = cast(Matrix, layer.fc), layer.proj
    y = matrix.activated(x.to(matrix.dtype), layer, activation)
    return proj.product(y) if isinstance(proj, Matrix) else y


# oneDNN's own layout. torch.compile uses these two for a frozen model; they have no public name, and may be missing.
_operators: Any = torch.ops.mkldnn
_multiply: Any = getattr(getattr(_operators, "_linear_pointwise", None), "default", None)
_reorder: Any = getattr(_operators, "_reorder_linear_weight", None)


def _packed(weight: Tensor) -> Tensor | None:
    """`weight` (out, in) in oneDNN's layout; None where this machine or this PyTorch has none for it."""
    if weight.device.type != "cpu" or None in (_multiply, _reorder) or weight.dtype not in FORMATS.values():
        return None
    try:
        packed: Tensor = _reorder(weight)
        _multiply(weight.new_zeros(1, weight.size(1)), packed, None, "none", [], "")
    except RuntimeError:
        return None
    return packed
