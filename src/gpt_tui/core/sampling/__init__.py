"""Logits -> text: filters, cached generation as a stream, and a `Speaker` that holds a checkpoint ready to speak."""

from gpt_tui.core.sampling.filters import choose, keep_min_p, keep_top_k, keep_top_p, log_probabilities
from gpt_tui.core.sampling.generate import Token, default_prompt, generate, make_sampler, sample_text
from gpt_tui.core.sampling.speaker import Speaker

__all__ = [
    "Speaker",
    "Token",
    "choose",
    "default_prompt",
    "generate",
    "keep_min_p",
    "keep_top_k",
    "keep_top_p",
    "log_probabilities",
    "make_sampler",
    "sample_text",
]
