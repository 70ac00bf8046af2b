"""Tokens -> logits: one GPT whose parts are switches. What it learns from, and how, is `training`."""

from gpt_tui.core.model.cache import Cache, LayerCache
from gpt_tui.core.model.gpt import GPT, Block, FeedForward, Norm

__all__ = ["GPT", "Block", "Cache", "FeedForward", "LayerCache", "Norm"]
