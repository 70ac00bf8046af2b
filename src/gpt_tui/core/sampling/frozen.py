"""A model laid out for speaking. It computes what it computed before, but can learn no more.

One token at a time waits for the weights to come from memory, and for the calls that there are for each: so each matrix
is laid out once in the order in which a CPU reads it fastest, and, if that is wanted, in half the bytes; and a single
token goes through the blocks in fewer operations than a text that is learned from.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, cast

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor

from gpt_tui.core.device import resolve_dtype, resolve_threads
from gpt_tui.core.model import GPT, Block, Cache, FeedForward, LayerCache, Norm
from gpt_tui.core.model.dropout import Dropout

FORMATS = {"float32": torch.float32, "bfloat16": torch.bfloat16}
BYTES_A_THREAD = 5_000_000
SMALL = 20_000_000  # parameters up to which a second thread, beside other work, costs a token more than it saves
_FUSED = {"relu": ("relu", ""), "gelu": ("gelu", "none"), "gelu_tanh": ("gelu", "tanh")}  # what oneDNN applies itself


Read = Callable[[Tensor], Tensor]


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
        self._product = self.product()

    def forward(self, x: Tensor) -> Tensor:
        """(..., in) -> (..., out)."""
        return self._product(x.to(self.dtype)).to(x.dtype)

    def product(self) -> Read:
        """What gives the product with an x (..., in) that has the matrix's number format, in that format."""
        weight, bias, multiply = self._weight, self._bias, _multiply
        if self._packed:
            return lambda x: multiply(x, weight, bias, "none", [], "")
        return lambda x: F.linear(x, weight, bias)

    def activated(self, layer: FeedForward, name: str) -> Read:
        """The product, and after it the activation of a feed-forward layer, which is computed in at least float32."""
        weight, bias, multiply, dtype = self._weight, self._bias, _multiply, self.dtype
        if self._packed and name in _FUSED:
            activation, algorithm = _FUSED[name]
            return lambda x: multiply(x, weight, bias, activation, [], algorithm)
        product, activate = self.product(), layer.activate
        if dtype == torch.bfloat16:
            return lambda x: activate(product(x).float()).to(dtype)
        return lambda x: activate(product(x))


class Frozen(GPT):
    """A copy of a GPT as it is now, whose weights do not change any more; the model itself may go on learning.

    dtype: the number format of the products with its matrices (float32, bfloat16; auto as in training); all else
    stays float32. A model in another format, such as float64, keeps it.

    Afterwards `dtype` is the format of the products, and `bytes` what the weights take. Moving it to another device or
    format raises TypeError: freeze one that is there.
    """

    def __init__(self, model: GPT, dtype: str = "float32"):
        nn.Module.__init__(self)
        model = copy.deepcopy(model)
        self.__dict__.update({name: value for name, value in model.__dict__.items() if name not in self.__dict__})
        self._parameters, self._buffers, self._modules = model._parameters, model._buffers, model._modules
        own = products = self.token_embedding.weight.dtype
        if own == torch.float32:
            products = FORMATS[resolve_dtype(dtype, self.token_embedding.weight.device.type, model.config)]
        self._parameter_count = model.parameter_count()
        self.dtype = str(products).removeprefix("torch.")
        self.bytes = self._parameter_count * products.itemsize
        for module in list(self.modules()):
            for name, child in list(module.named_children()):
                if isinstance(child, nn.Linear):
                    setattr(module, name, Matrix(child, products))
                elif isinstance(child, Dropout):
                    setattr(module, name, nn.Identity())
        self.eval().requires_grad_(False)
        blocks = cast(list[Block], self.blocks)
        self._steps = [(_attending(block, own), _thinking(block, self.config.activation, own)) for block in blocks]

    def parameter_count(self) -> int:
        return self._parameter_count

    def train(self, mode: bool = True) -> Frozen:
        """Stays as it is: there is nothing to train."""
        super().train(False)
        return self

    def threads(self, beside: bool = False) -> int:
        """How many threads this machine best gives to it: those of a small model would wait for one another longer than
        for the weights. beside: something else is computed meanwhile, such as a screen, or a run that learns; then
        they wait for the cores too, and take them from it."""
        there = resolve_threads("auto")
        if beside:
            return 1 if self._parameter_count <= SMALL else there
        return max(1, min(there, self.bytes // BYTES_A_THREAD))

    def _apply(self, fn: Any, recurse: bool = True) -> Frozen:
        """What `to`, `double`, `cuda` and the like do."""
        raise TypeError("a frozen model stays on its device and in its number format; move the model, and freeze that")

    def forward(
        self, idx: Tensor, targets: Tensor | None = None, cache: Cache | None = None, newest: bool = False
    ) -> tuple[Tensor, Tensor | None]:
        """As that of any GPT."""
        if cache is None or targets is not None or idx.size(1) > 1 or cache.length >= self.config.block_size:
            return super().forward(idx, targets, cache, newest)
        return self._read_one(idx, cache), None

    def _read_one(self, idx: Tensor, cache: Cache) -> Tensor:
        """Logits (B, 1, V) after one token of each text, idx (B, 1): block after block, as `Block` says."""
        start = cache.length
        x = self._embed(idx, start, cache)[:, 0]  # (B, C)
        for (attend, think), layer in zip(self._steps, cache.layers, strict=True):
            if attend is not None and layer is not None:
                x = attend(x, layer, start)
            if think is not None:
                x = think(x)
        cache.length = start + 1
        x = self.norm(x)
        logits: Tensor = self.head(x) if self.head is not None else x
        return logits[:, None]


def freeze(model: GPT, dtype: str = "float32") -> Frozen:
    """A copy of `model` that only speaks; dtype as that of `Frozen`."""
    return model if isinstance(model, Frozen) else Frozen(model, dtype)


# One token of each text, through the parts of a block. What each part needs is looked up once, when it is made: per
# token, looking it up would take as long as computing with it. own: the number format of all but the products.


def _attending(block: Block, own: torch.dtype) -> Callable[[Tensor, LayerCache, int], Tensor] | None:
    """`SelfAttention.forward` with what `Block` does around it: (B, C), what is kept, and the position -> (B, C)."""
    attention = block.attention
    if attention is None:
        return None
    norm, H, turned, residual = _norming(block.norm1), attention.n_head, attention.turned, block.residual
    matrix, proj = cast(Matrix, attention.qkv), attention.proj
    queries_keys_values, dtype = matrix.product(), matrix.dtype
    project = proj.product() if isinstance(proj, Matrix) else None
    plain = not attention.qk_norm and attention.rotary[0] is None

    def attend(x: Tensor, layer: LayerCache, start: int) -> Tensor:
        B, C = x.shape
        qkv = queries_keys_values(norm(x).to(dtype)).view(B, 3, H, 1, C // H)
        if plain:
            q, kv = qkv[:, 0].to(own), qkv[:, 1:]
        else:
            q, k = turned(qkv[:, :2].to(own), start).unbind(1)
            kv = torch.stack((k, qkv[:, 2].to(own)), 1)
        y = F.scaled_dot_product_attention(q, *layer.append_both(start, kv)).view(B, C)
        y = project(y.to(dtype)) if project is not None else y
        return x + y if residual else y.to(own)

    return attend


def _thinking(block: Block, activation: str, own: torch.dtype) -> Read | None:
    """`FeedForward.forward` with what `Block` does around it: (B, C) -> (B, C)."""
    layer = block.feed_forward
    if layer is None:
        return None
    norm, residual, matrix, proj = _norming(block.norm2), block.residual, cast(Matrix, layer.fc), layer.proj
    hidden, dtype = matrix.activated(layer, activation), matrix.dtype
    project = proj.product() if isinstance(proj, Matrix) else None

    def think(x: Tensor) -> Tensor:
        y = hidden(norm(x).to(dtype))
        y = project(y) if project is not None else y
        return x + y if residual else y.to(own)

    return think


def _norming(norm: nn.Module | None) -> Read:
    if not isinstance(norm, Norm):
        return lambda x: x
    shape, weight, bias = list(norm.shape), norm.weight, norm.bias
    if norm.kind == "layernorm":
        return lambda x: torch.layer_norm(x, shape, weight, bias)
    return lambda x: torch.rms_norm(x, shape, weight)


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
