"""Looking inside a model: how much each character of a text surprised it."""

from gpt_tui.core.lens.passage import Passage
from gpt_tui.core.lens.surprise import surprise

__all__ = ["Passage", "surprise"]
