"""What a model remembers of a window that grows token by token, so that each new token is computed once."""

from __future__ import annotations

from torch import Tensor

from gpt_tui.core.config import ModelConfig
from gpt_tui.core.shapes import depth


class LayerCache:
    """Keys and values of one block for the tokens seen so far: (B, H, block_size, D) each, filled from the left."""

    def __init__(self, config: ModelConfig, batch_size: int, like: Tensor):
        self._both = like.new_empty((batch_size, 2, config.n_head, config.block_size, config.n_embd // config.n_head))

    def spread(self, texts: int) -> None:
        self._both = self._both.expand(texts, -1, -1, -1, -1).contiguous()

    def append(self, start: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Keep k and v (B, H, T, D) of the tokens from `start` on; returns those of every token so far."""
        end = start + k.size(2)
        self._both[:, 0, :, start:end] = k
        self._both[:, 1, :, start:end] = v
        return self._both[:, 0, :, :end], self._both[:, 1, :, :end]

    def append_both(self, start: int, kv: Tensor) -> tuple[Tensor, Tensor]:
        """As `append`, of keys and values side by side (B, 2, H, T, D)."""
        end = start + kv.size(3)
        self._both[:, :, :, start:end] = kv
        k, v = self._both[:, :, :, :end].unbind(1)
        return k, v


class Cache:
    """A window's keys and values, block by block. length: tokens it holds, at most block_size.

    like: a tensor of the model's own device and number format.
    """

    def __init__(self, config: ModelConfig, batch_size: int, like: Tensor):
        self.layers = [LayerCache(config, batch_size, like) if config.attention else None for _ in range(depth(config))]
        self.last_embedding: Tensor | None = None  # (B, 1, C), of the newest token; what `mix_previous` looks at
        self.length = 0

    def spread(self, texts: int) -> None:
        """Become that of so many texts, all of which begin with the one that was read."""
        for layer in self.layers:
            if layer is not None:
                layer.spread(texts)
        if self.last_embedding is not None:
            self.last_embedding = self.last_embedding.expand(texts, -1, -1)

    def clear(self) -> None:
        self.length = 0
        self.last_embedding = None
