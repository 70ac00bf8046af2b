"""Tokens -> logits: one GPT whose parts are switches. What it learns from, and how, is `training`."""

from gpt_tui.core.model.cache import Cache
from gpt_tui.core.model.gpt import GPT

__all__ = ["GPT", "Cache"]
