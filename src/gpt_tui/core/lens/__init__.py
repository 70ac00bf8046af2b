"""Looking inside a model: how much each token of a text surprised it."""

from gpt_tui.core.lens.surprise import surprise

__all__ = ["surprise"]
