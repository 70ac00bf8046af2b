"""Cached generation: generators that yield what is drawn, token by token.

What the model sees of a text that is longer than its block is said by the window rule, `window_rule` in the settings:

half  When block_size tokens are full, the newest half of them is read again into an empty cache, so the model always
      sees between half a block and a whole one of the latest tokens, at a cost spread over half a block.
full  The last block_size tokens for every token, as nanoGPT does. Each has another position then than before, so past
      the block nothing can be kept, and every token costs a whole block.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import numpy.typing as npt
import torch

from gpt_tui.core.config import SamplingConfig
from gpt_tui.core.data import Tokenizer
from gpt_tui.core.errors import GptTuiError
from gpt_tui.core.model import GPT, Cache
from gpt_tui.core.sampling.filters import choose, log_probabilities


@dataclass(frozen=True, slots=True)
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
    """A token and what it was drawn from. logits: (T, V), for the first draw after each token of the prompt's window.

    The last row is what it was drawn from, and of later draws the only one; those before it say what was expected of
    the prompt's tokens.
    """

    token: int
    logits: npt.NDArray[np.float64]


def draws(model: GPT, prompt: Sequence[int], sampling: SamplingConfig, sampler: np.random.Generator) -> Iterator[Draw]:
    """`draws_together` for one text."""
    for (draw,) in draws_together(model, [prompt], sampling, [sampler]):
        yield draw


def draws_together(
    model: GPT, prompts: Sequence[Sequence[int]], sampling: SamplingConfig, samplers: Sequence[np.random.Generator]
) -> Iterator[list[Draw]]:
    """Yields a draw for each of the samplers, again and again without end: texts that are computed at once, each from
    the token ids of its prompt. Those (>= 1) are of one length. The first draw reads the prompts' windows.

    Each text is what its sampler would write alone. The model computes in evaluation mode for each token and is left
    in the mode it was found in. Raises GptTuiError where its logits are no numbers.
    """
    block_size = model.config.block_size
    kept = block_size // 2 if sampling.window_rule == "half" else block_size - 1  # beside a token that no longer fits
    reader = _Reader(model)
    windows = [list(prompt[-block_size:]) for prompt in prompts]  # what the cache holds, and what it is still to read
    logits = reader.begin(windows)
    while True:
        if not np.isfinite(logits).all():
            raise GptTuiError("the model gives NaN or infinity, not logits: its weights are damaged or too large")
        drawn = [Draw(choose(rows[-1], sampling, own), rows) for rows, own in zip(logits, samplers, strict=True)]
        yield drawn
        full = reader.cache.length == block_size
        if full:
            windows = [window[block_size - kept :] for window in windows]
            reader.cache.clear()
        for window, draw in zip(windows, drawn, strict=True):
            window.append(draw.token)
        logits = reader.read(windows if full else [[draw.token] for draw in drawn])


def generate(
    model: GPT, prompt: Sequence[int], sampling: SamplingConfig, sampler: np.random.Generator
) -> Iterator[tuple[int, float]]:
    """Yields max_new_tokens pairs (token id, the model's ln p of it) that go on from `prompt`."""
    for draw in islice(draws(model, prompt, sampling, sampler), sampling.max_new_tokens):
        yield draw.token, float(log_probabilities(draw.logits[-1])[draw.token])


class _Reader:
    """Lets a model read texts, what is new of them, all at once."""

    cache: Cache  # what it has read, once it has begun

    def __init__(self, model: GPT):
        self._model = model
        self._device = model.token_embedding.weight.device

    def begin(self, windows: list[list[int]]) -> npt.NDArray[np.float64]:
        """As `read`, of what the texts begin with; where that is the same for all, it is read once."""
        texts, first = len(windows), windows[0]
        if any(window != first for window in windows):
            self.cache = self._model.make_cache(texts)
            return self.read(windows, newest=False)
        self.cache = self._model.make_cache()
        logits = self.read([first], newest=False)
        self.cache.spread(texts)
        return np.broadcast_to(logits, (texts, *logits.shape[1:]))

    @torch.inference_mode()
    def read(self, fresh: list[list[int]], newest: bool = True) -> npt.NDArray[np.float64]:
        """Logits (B, 1, V) for the token after `fresh` (B, T); (B, T, V), after each of them, where not only the
        newest are wanted."""
        idx = torch.tensor(fresh, device=self._device)
        was_training = self._model.training
        if was_training:
            self._model.eval()
        logits, _ = self._model(idx, cache=self.cache, newest=newest)
        if was_training:
            self._model.train()
        result: npt.NDArray[np.float64] = logits.cpu().double().numpy()
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
