"""Texts that a model writes at once, and can go on with. This needs torch: a voice imports it once there is a wish."""

from __future__ import annotations

import codecs
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
import torch

from gpt_tui.core.config import SamplingConfig
from gpt_tui.core.data import Tokenizer
from gpt_tui.core.sampling import Speaker, default_prompt, draws_together, make_sampler, weigh
from gpt_tui.core.sampling.filters import Logits
from gpt_tui.core.speech.utterance import Alternative, Spoken, Tokens

if TYPE_CHECKING:
    from gpt_tui.core.sampling import Draw

ALTERNATIVES = 8
READ = 10_000  # tokens of a prompt before its window that the model is asked about all the same
LONGEST_CHARACTER = 4  # bytes of one in UTF-8
UNREADABLE = "\N{REPLACEMENT CHARACTER}"  # what bytes that are no character are decoded to


class Writing:
    """Sample i of the texts has a random stream of its own, from sample_seed + i.

    prompt:   what they all begin with
    sampling: what they are drawn with
    length:   tokens of each, those of the prompt included
    """

    def __init__(
        self,
        speaker: Speaker,
        prompt: str,
        starts: Sequence[Sequence[int]],
        texts: list[list[Spoken]],
        sampling: SamplingConfig,
    ) -> None:
        """starts: the token ids that each text goes on from. texts: what is known of them; nothing of a prompt."""
        self.speaker = speaker
        self.prompt = prompt
        self.sampling = sampling
        self.length = len(starts[0])
        self._start = starts[0]
        self._texts = texts
        self._teller = _Teller(speaker.tokenizer, sampling)
        self._decoders = [_decoder(speaker.tokenizer, start) for start in starts]
        self._draws = _draws(speaker, starts, sampling)

    @classmethod
    def of_prompt(cls, speaker: Speaker, prompt: str, sampling: SamplingConfig, samples: int) -> Writing:
        """`samples` texts that all go on from a prompt; an empty one is a newline, as everywhere.

        Raises GptTuiError where the model cannot read it.
        """
        prompt = prompt or default_prompt(speaker.tokenizer)
        ids = speaker.tokenizer.encode(prompt, field="prompt").tolist()
        return cls(speaker, prompt, [ids] * samples, [[] for _ in range(samples)], sampling)

    @classmethod
    def of_texts(
        cls, speaker: Speaker, prompt: str, texts: Sequence[Sequence[Spoken]], sampling: SamplingConfig
    ) -> Writing:
        """As many texts as these, each going on from one of them. They began with the prompt, and are of one length."""
        starts = [[token.id for token in text] for text in texts]
        return cls(speaker, prompt, starts, [list(text) for text in texts], sampling)

    @property
    def bytes(self) -> int:
        """What its generator keeps of the texts."""
        return self.speaker.bytes_a_text() * len(self._texts)

    @property
    def samples(self) -> tuple[Tokens, ...]:
        """What stands there now, as it stays."""
        return tuple(Tokens(text, len(text)) for text in self._texts)

    def step(self, reading: Callable[[], object]) -> None:
        """One more token for each. reading: is called now and then while a long prompt is read, and may raise."""
        drawn = next(self._draws)
        if not self._texts[0]:
            given = list(self._given(drawn[0], reading))
            self._texts = [list(given) for _ in drawn]
        for text, draw, decode in zip(self._texts, drawn, self._decoders, strict=True):
            text.append(self._teller.spoken(draw.token, decode(draw.token), False, draw.logits[-1]))
        self.length += 1

    def _given(self, draw: Draw, reading: Callable[[], object]) -> Iterator[Spoken]:
        """The prompt's tokens. What the first draw read says what was expected of those in the window."""
        ids, decode = self._start, _decoder(self.speaker.tokenizer)
        unread = len(ids) - len(draw.logits)
        first = max(0, unread - READ)
        expected = chain(_read(self.speaker, ids[first:unread], reading), draw.logits[:-1])
        for at, token in enumerate(ids):
            if at % 100 == 0:
                reading()
            yield self._teller.spoken(token, decode(token), True, next(expected) if at > first else None)


def _draws(speaker: Speaker, starts: Sequence[Sequence[int]], sampling: SamplingConfig) -> Iterator[Sequence[Draw]]:
    samplers = [make_sampler(sampling.sample_seed + number) for number in range(len(starts))]
    return draws_together(speaker.model, starts, sampling, samplers)


@torch.no_grad()
def _read(speaker: Speaker, ids: Sequence[int], reading: Callable[[], object]) -> Iterator[Logits]:
    """What the model expects after each of the ids, (V,) each. It sees at least half a block of what stands before,
    where there is as much."""
    block_size, device = speaker.model.config.block_size, next(speaker.model.parameters()).device
    done = 0
    while done < len(ids):
        reading()
        start = max(0, done - block_size // 2)
        logits, _ = speaker.model(torch.tensor([ids[start : start + block_size]], device=device))  # (1, T, V)
        fresh = logits[0, done - start :].cpu().double().numpy()
        yield from fresh
        done += len(fresh)


class _Teller:
    """Makes what was read or drawn into what can be shown."""

    def __init__(self, tokenizer: Tokenizer, sampling: SamplingConfig):
        tokens = range(tokenizer.vocab_size)
        self._shown = [tokenizer.token_text(token) for token in tokens]
        self._texts = [tokenizer.decode([token]).replace(UNREADABLE, "") for token in tokens]
        self._sampling = sampling

    def spoken(self, token: int, text: str, given: bool, logits: Logits | None) -> Spoken:
        """logits: (V,), what was expected in its place; None where the model was not asked."""
        shown = self._shown[token]
        if logits is None or not np.isfinite(logits).all():
            return Spoken(token, text, given, shown=shown)
        found = weigh(logits, token, self._sampling, ALTERNATIVES)
        others = tuple(Alternative(i, self._texts[i], self._shown[i], chances) for i, chances in found.likeliest)
        return Spoken(token, text, given, found.logprob, found.rank, found.filters, found.chances, others, shown)


def put_after(text: Sequence[Spoken], stood: Spoken, chosen: Alternative, tokenizer: Tokenizer) -> Spoken:
    """`chosen` as the next token of a text, in place of the one that stood there."""
    says = _decoder(tokenizer, [token.id for token in text])(chosen.id)
    rank = stood.rank if chosen.id == stood.id else 1 + [other.id for other in stood.alternatives].index(chosen.id)
    logprob = math.log(max(chosen.before, sys.float_info.min))
    return replace(
        stood, id=chosen.id, text=says, given=False, logprob=logprob, rank=rank, chances=chosen.chances,
        shown=chosen.shown, chosen=True,
    )  # fmt: skip


def _decoder(tokenizer: Tokenizer, before: Sequence[int] = ()) -> Callable[[int], str]:
    """Token -> its text. A character of several bytes is whole only with its last one, which gets it.

    before: the tokens that stand before the first one
    """
    if tokenizer.kind != "byte":
        return lambda token: tokenizer.decode([token])
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    decoder.decode(bytes(before[1 - LONGEST_CHARACTER :]))
    return lambda token: decoder.decode(bytes([token]))
