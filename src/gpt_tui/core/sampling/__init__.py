"""Logits -> text: filters, cached generation as a stream, and a `Speaker` that holds a checkpoint ready to speak."""

from gpt_tui.core.sampling.decoding import Decoder
from gpt_tui.core.sampling.filters import (
    Weighed,
    choose,
    filtered,
    keep_min_p,
    keep_top_k,
    keep_top_p,
    log_probabilities,
    weigh,
)
from gpt_tui.core.sampling.frozen import Frozen, freeze
from gpt_tui.core.sampling.generate import (
    Draw,
    Token,
    default_prompt,
    draws,
    draws_together,
    generate,
    make_sampler,
    sample_text,
)
from gpt_tui.core.sampling.speaker import Misfit, Speaker

__all__ = [
    "Decoder",
    "Draw",
    "Frozen",
    "Misfit",
    "Speaker",
    "Token",
    "Weighed",
    "choose",
    "default_prompt",
    "draws",
    "draws_together",
    "filtered",
    "freeze",
    "generate",
    "keep_min_p",
    "keep_top_k",
    "keep_top_p",
    "log_probabilities",
    "make_sampler",
    "sample_text",
    "weigh",
]
