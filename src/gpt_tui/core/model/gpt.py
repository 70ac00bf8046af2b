"""The GPT of the lecture, of nanoGPT and of GPT-2, and everything smaller, as switches of `ModelConfig`.

Read it from the bottom: `GPT.forward` is the whole path from token ids to the loss. Shapes stand beside the lines
that make them: B sequences of T tokens, C = n_embd numbers a token, H heads of D = C / H numbers, a vocabulary of V.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor

from gpt_tui.core.config import ModelConfig
from gpt_tui.core.model.attention import attend, attend_after
from gpt_tui.core.model.cache import Cache, LayerCache
from gpt_tui.core.model.cheap import rms_norm, squared_relu, turn
from gpt_tui.core.model.dropout import Dropout
from gpt_tui.core.shapes import depth, feed_forward_width, width

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": F.relu,
    "gelu": F.gelu,
    "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
    "relu2": squared_relu,
}


class Norm(nn.Module):
    """LayerNorm (Ba et al. 2016) or RMSNorm (Zhang and Sennrich 2019), with or without learned gain and bias."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.kind = config.norm
        self.shape = (config.n_embd,)
        has_bias = config.norm == "layernorm" and config.norm_weight and config.bias
        self.weight = nn.Parameter(torch.ones(self.shape)) if config.norm_weight else None
        self.bias = nn.Parameter(torch.zeros(self.shape)) if has_bias else None

    def forward(self, x: Tensor) -> Tensor:
        if self.kind == "layernorm":
            return F.layer_norm(x, self.shape, self.weight, self.bias)
        y = rms_norm(x)
        return y if self.weight is None else y * self.weight


def make_norm(config: ModelConfig) -> nn.Module:
    return nn.Identity() if config.norm == "none" else Norm(config)


def make_projection(config: ModelConfig, width: int) -> nn.Module:
    """The last layer of a part, from its `width` numbers back to n_embd."""
    return nn.Linear(width, config.n_embd, bias=config.bias) if config.output_projection else nn.Identity()


class Rotary(nn.Module):
    """Turns pairs of numbers of queries and keys by an angle that grows with the position (RoPE, Su et al. 2021)."""

    cos: Tensor
    sin: Tensor

    def __init__(self, head_size: int, block_size: int, base: float = 10_000.0):
        super().__init__()
        frequencies = base ** (-torch.arange(0, head_size, 2, dtype=torch.float64) / head_size)
        angles = torch.arange(block_size, dtype=torch.float64)[:, None] * frequencies  # (block_size, D / 2)
        self.register_buffer("cos", angles.cos().float(), persistent=False)
        self.register_buffer("sin", angles.sin().float(), persistent=False)

    def forward(self, x: Tensor, start: int) -> Tensor:
        places = slice(start, start + x.size(-2))
        return turn(x, self.cos[places].to(x.dtype), self.sin[places].to(x.dtype))


class SelfAttention(nn.Module):
    """Every token asks all earlier tokens (and itself) for what it needs."""

    def __init__(self, config: ModelConfig, rotary: Rotary | None):
        super().__init__()
        self.n_head = config.n_head
        self.qk_norm = config.qk_norm
        self.dropout = Dropout(config.dropout)
        self.qkv = nn.Linear(config.n_embd, 3 * config.n_embd, bias=config.qkv_bias)
        self.proj = make_projection(config, config.n_embd)
        self.rotary = (rotary,)  # in a tuple: one table serves every block, and belongs to the GPT

    def forward(self, x: Tensor, start: int, cache: LayerCache | None) -> Tensor:
        B, T, C = x.shape
        q, k, v = self._queries_keys_values(x, start)
        if cache is None:
            y = attend(q, k, v, self.dropout.p if self.training else 0.0)
        else:
            y = attend_after(q, *cache.append(start, k, v))
        out: Tensor = self.dropout(self.proj(y.transpose(1, 2).reshape(B, T, C)))  # (B, T, C)
        return out

    def turned(self, x: Tensor, start: int) -> Tensor:
        """Queries and keys (2, B, H, T, D) of the tokens from `start` on, ready to meet."""
        if self.qk_norm:
            x = rms_norm(x)
        if rotary := self.rotary[0]:
            x = rotary(x, start)
        return x

    def _queries_keys_values(self, x: Tensor, start: int) -> tuple[Tensor, Tensor, Tensor]:
        B, T, C = x.shape
        all = self.qkv(x).view(B, T, 3, self.n_head, C // self.n_head).permute(2, 0, 3, 1, 4)  # (3, B, H, T, D)
        q, k = self.turned(all[:2], start)
        return q, k, all[2]

    def weights(self, x: Tensor) -> Tensor:
        """The (B, H, T, T) weights that `forward` never keeps, for whoever looks inside: row t is what token t of a
        window that begins with x (B, T, C) takes of each."""
        q, k, _ = self._queries_keys_values(x, 0)
        scores = q @ k.transpose(-2, -1) / math.sqrt(q.size(-1))
        later = torch.ones(x.size(1), x.size(1), dtype=torch.bool, device=x.device).triu(1)
        return scores.masked_fill(later, -math.inf).softmax(-1)


class FeedForward(nn.Module):
    """Each token thinks by itself about what it gathered."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        hidden = feed_forward_width(config)
        self.gated = config.activation == "swiglu"  # Shazeer 2020
        self.fc = nn.Linear(config.n_embd, 2 * hidden if self.gated else hidden, bias=config.bias)
        self.proj = make_projection(config, hidden)
        self.activation = F.silu if self.gated else ACTIVATIONS[config.activation]
        self.dropout = Dropout(config.dropout)

    def forward(self, x: Tensor) -> Tensor:
        x = self.activate(self.fc(x))  # (B, T, hidden)
        out: Tensor = self.dropout(self.proj(x))  # (B, T, C)
        return out

    def activate(self, x: Tensor) -> Tensor:
        """(..., hidden) from what `fc` gives, which is twice as wide with a gate."""
        if self.gated:
            gate, x = x.chunk(2, dim=-1)
            return self.activation(gate) * x
        return self.activation(x)


class Block(nn.Module):
    """Communication, then computation, each added to the residual stream; without that stream, each replaces it."""

    def __init__(self, config: ModelConfig, rotary: Rotary | None):
        super().__init__()
        self.residual = config.residual
        self.norm1 = make_norm(config) if config.attention else None
        self.attention = SelfAttention(config, rotary) if config.attention else None
        self.norm2 = make_norm(config) if config.feed_forward else None
        self.feed_forward = FeedForward(config) if config.feed_forward else None

    def forward(self, x: Tensor, start: int, cache: LayerCache | None) -> Tensor:
        if self.attention is not None and self.norm1 is not None:
            y = self.attention(self.norm1(x), start, cache)
            x = x + y if self.residual else y
        if self.feed_forward is not None and self.norm2 is not None:
            y = self.feed_forward(self.norm2(x))
            x = x + y if self.residual else y
        return x


class GPT(nn.Module):
    """Token ids (B, T) -> logits (B, T, V) for the token that follows each, and the mean loss in nats a token."""

    def __init__(self, config: ModelConfig, vocab_size: int, generator: torch.Generator | None = None):
        """generator: the stream that the first weights are drawn from; PyTorch's default one where it is None.

        Raises ValueError where n_head does not divide n_embd.
        """
        super().__init__()
        self.config = config
        self.vocab_size = vocab_size
        if config.attention and config.n_embd % config.n_head:
            raise ValueError(f"n_head = {config.n_head} must divide n_embd = {config.n_embd}")
        C = width(config, vocab_size)  # the bigram's table holds the logits themselves
        self.token_embedding = nn.Embedding(vocab_size, C)
        self.position_embedding = nn.Embedding(config.block_size, C) if config.position == "learned" else None
        self.previous = nn.Parameter(torch.zeros(C)) if config.mix_previous else None
        self.embedding_dropout = Dropout(config.dropout if config.embd_dropout else 0.0)
        turns = config.attention and config.position == "rotary"
        self.rotary = Rotary(C // config.n_head, config.block_size) if turns else None
        self.blocks = nn.ModuleList(Block(config, self.rotary) for _ in range(depth(config)))
        self.norm = make_norm(config)
        self.head = nn.Linear(C, vocab_size, bias=config.head_bias) if config.head else None
        if self.head is not None and config.tied_head:
            self.head.weight = self.token_embedding.weight
        self._init_weights(generator)

    def forward(
        self, idx: Tensor, targets: Tensor | None = None, cache: Cache | None = None, newest: bool = False
    ) -> tuple[Tensor, Tensor | None]:
        """Logits (B, T, V) of the tokens idx (B, T), and with targets (B, T) the mean cross-entropy.

        cache: what came before idx in the window, and is extended by it; T is then what is new. A window never
        exceeds block_size tokens (ValueError). newest: only the logits (B, 1, V) after the last token are wanted.
        """
        start = cache.length if cache is not None else 0
        T = idx.size(1)
        if start + T > self.config.block_size:
            raise ValueError(f"{start + T} tokens do not fit into a window of block_size = {self.config.block_size}")
        x = self._embed(idx, start, cache)  # (B, T, C)
        for i, block in enumerate(self.blocks):
            x = block(x, start, cache.layers[i] if cache is not None else None)
        if cache is not None:
            cache.length = start + T
        if newest:
            x = x[:, -1:]
        x = self.norm(x)
        logits = self.head(x) if self.head is not None else x  # (B, T, V)
        if targets is None:
            return logits, None
        loss = F.cross_entropy(logits.float().view(-1, logits.size(-1)), targets.reshape(-1))
        return logits, loss

    def _embed(self, idx: Tensor, start: int, cache: Cache | None) -> Tensor:
        embedded = x = self.token_embedding(idx)  # (B, T, C)
        if self.previous is not None:
            before = cache.last_embedding if cache is not None else None
            if before is None:
                before = torch.zeros_like(embedded[:, :1])  # the first token of a window has none before it
            x = x + self.previous * torch.cat((before, embedded[:, :-1]), dim=1)
        if cache is not None:
            cache.last_embedding = embedded[:, -1:]
        if self.position_embedding is not None:
            x = x + self.position_embedding.weight[start : start + idx.size(1)]
        out: Tensor = self.embedding_dropout(x)
        return out

    def make_cache(self, batch_size: int = 1) -> Cache:
        """An empty cache for windows of this model, `batch_size` at once."""
        return Cache(self.config, batch_size, like=self.token_embedding.weight)

    def parameter_count(self) -> int:
        return sum(p.numel() for p in self.parameters())  # a tied table counts once

    def set_dropout(self, p: float) -> None:
        """Change dropout in a model that trains."""
        for module in self.modules():
            if isinstance(module, Dropout):
                module.p = p
        self.embedding_dropout.p = p if self.config.embd_dropout else 0.0

    @torch.no_grad()
    def _init_weights(self, generator: torch.Generator | None) -> None:
        config = self.config
        for name, module in self.named_modules():
            if module is self.token_embedding and config.tied_head:
                self._init_matrix(module.weight, False, generator)  # as a head begins, or its logits would be far off
            elif isinstance(module, nn.Embedding):
                module.weight.normal_(0.0, 1.0 if config.init == "torch" else 0.02, generator=generator)
            elif isinstance(module, nn.Linear):
                ends_part = name.endswith(".proj")
                tied = module is self.head and config.tied_head
                if not tied:
                    self._init_matrix(module.weight, ends_part, generator)
                if module.bias is not None and config.init == "torch":
                    bound = 1 / math.sqrt(module.in_features)
                    module.bias.uniform_(-bound, bound, generator=generator)
                elif module.bias is not None:
                    module.bias.zero_()
                if config.zero_init and (ends_part or module is self.head) and not tied:
                    for p in module.parameters():  # a bias too, or the block would begin as adding it
                        p.zero_()

    def _init_matrix(self, weight: Tensor, ends_part: bool, generator: torch.Generator | None) -> None:
        """weight: (out, in)."""
        if self.config.init == "torch":
            bound = 1 / math.sqrt(weight.size(1))
            weight.uniform_(-bound, bound, generator=generator)
            return
        deviation = 0.02
        if self.config.init == "gpt2" and ends_part and self.config.residual:
            # Each part adds to the residual stream; GPT-2 keeps the sum's deviation where it was.
            deviation /= math.sqrt(len(self.blocks) * (self.config.attention + self.config.feed_forward))
        weight.normal_(0.0, deviation, generator=generator)
