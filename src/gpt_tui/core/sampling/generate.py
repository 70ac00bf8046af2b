"""Cached generation: a generator that yields tokens.

The window rule is `half`: when block_size tokens are full, the newest half of them is read again into an empty cache,
so the model always sees between half a block and a whole one of the latest tokens, at a cost spread over half a block.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from gpt_tui.core.config import SamplingConfig
from gpt_tui.core.data import Tokenizer
from gpt_tui.core.errors import GptTuiError
from gpt_tui.core.model import GPT, Cache
from gpt_tui.core.sampling.filters import choose, log_probabilities


@dataclass(frozen=True)
class Token:
    """A generated token. logprob: the model's own ln p of it, before temperature and filters."""

    id: int
    text: str
    logprob: float


def make_sampler(seed: int) -> np.random.Generator:
    """The sampler's own random stream; training has no part in it."""
    return np.random.Generator(np.random.PCG64(seed))


def default_prompt(tokenizer: Tokenizer) -> str:
    """What generation starts from when nobody gives a prompt: a newline, or the first token where there is none."""
    vocabulary = tokenizer.decode(np.arange(tokenizer.vocab_size))
    return "\n" if "\n" in vocabulary else vocabulary[0]


@dataclass(frozen=True, eq=False)
class Draw:
    """A token and what it was drawn from. logits: (T, V), after each of the tokens that were read for it.

    The last row is what it was drawn from; those before it say what was expected of the tokens that were read.
    """

    token: int
    logits: npt.NDArray[np.float64]


def draws(model: GPT, prompt: Sequence[int], sampling: SamplingConfig, sampler: np.random.Generator) -> Iterator[Draw]:
    """Yields max_new_tokens draws that go on from the token ids of `prompt` (>= 1); the first reads its window.

    The model computes in evaluation mode for each token and is left in the mode it was found in. Raises GptTuiError
    where its logits are no numbers.
    """
    block_size = model.config.block_size
    device = next(model.parameters()).device
    cache = model.make_cache()
    window = list(prompt[-block_size:])  # the tokens that the cache holds, and those it is still to read
    fresh = window
    for _ in range(sampling.max_new_tokens):
        logits = _read(model, cache, torch.tensor([fresh], device=device))
        if not np.isfinite(logits).all():
            raise GptTuiError("the model gives NaN or infinity, not logits: its weights are damaged or too large")
        token = choose(logits[-1], sampling, sampler)
        yield Draw(token, logits)
        if cache.length == block_size:
            window = window[-(block_size // 2) :] if block_size > 1 else []
            cache.clear()
            fresh = [*window, token]
        else:
            fresh = [token]
        window.append(token)


def generate(
    model: GPT, prompt: Sequence[int], sampling: SamplingConfig, sampler: np.random.Generator
) -> Iterator[tuple[int, float]]:
    """As `draws`, but yields pairs (token id, the model's ln p of it)."""
    for draw in draws(model, prompt, sampling, sampler):
        yield draw.token, float(log_probabilities(draw.logits[-1])[draw.token])


@torch.no_grad()
def _read(model: GPT, cache: Cache, fresh: torch.Tensor) -> npt.NDArray[np.float64]:
    """Logits (T, V) for the token after each of `fresh` (1, T)."""
    was_training = model.training
    if was_training:
        model.eval()
    logits, _ = model(fresh, cache=cache)
    if was_training:
        model.train()
    result: npt.NDArray[np.float64] = logits[0].double().cpu().numpy()
    return result


def sample_text(
    model: GPT,
    tokenizer: Tokenizer,
    sampling: SamplingConfig,
    should_stop: Callable[[], bool] = lambda: False,
) -> str | None:
    """The text that goes on from the configured prompt under the configured seed; None when it was stopped."""
    prompt = tokenizer.encode(sampling.prompt or default_prompt(tokenizer))
    ids: list[int] = []
    was_training = model.training
    model.eval()
    try:
        for token, _ in generate(model, prompt.tolist(), sampling, make_sampler(sampling.sample_seed)):
            if should_stop():
                return None
            ids.append(token)
    finally:
        model.train(was_training)
    return tokenizer.decode(np.array(ids))
