"""Looking inside a model: how much each character of a text surprised it, and what each of its heads looks at."""

from gpt_tui.core.lens.attention import attention
from gpt_tui.core.lens.passage import Passage
from gpt_tui.core.lens.surprise import Scores, scores, surprise, window_start
from gpt_tui.core.lens.text import Letter, TextSurprise, highest, learned, letters, text_surprise

__all__ = [
    "Letter",
    "Passage",
    "Scores",
    "TextSurprise",
    "attention",
    "highest",
    "learned",
    "letters",
    "scores",
    "surprise",
    "text_surprise",
    "window_start",
]
