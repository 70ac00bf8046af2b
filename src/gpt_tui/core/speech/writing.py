"""Texts that a model writes at once, and can go on with. This needs torch: a voice imports it once there is a wish."""

from __future__ import annotations

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
from gpt_tui.core.sampling import Decoder, Speaker, default_prompt, draws_together, make_sampler, weigh
from gpt_tui.core.sampling.decoding import LONGEST_CHARACTER
from gpt_tui.core.sampling.filters import Logits
from gpt_tui.core.speech.utterance import UNREADABLE, Alternative, Spoken, Tokens

if TYPE_CHECKING:
    from gpt_tui.core.sampling import Draw

ALTERNATIVES = 8
READ = 10_000  # tokens of a prompt before its window that the model is asked about all the same
TOLD_WHOLE = 32_000  # newest tokens of all samples that keep what else was likely, which takes some 3 kB of each


class Writing:
    """Sample i of the texts has a random stream of its own, from sample_seed + i.

    prompt:   what they all begin with
    sampling: what they are drawn with
    length:   tokens of each, those of the prompt included
    whole:    False once something broke off within a token: then it cannot go on
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
        self.whole = True
        self._start = starts[0]
        self._texts = texts
        self._told_alone = 0  # tokens of each, from the first, that no longer have what else was likely
        self._teller = _Teller(speaker.tokenizer, sampling)
        self._decoders = [Decoder(speaker.tokenizer, start) for start in starts]
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
        return cls(speaker, prompt, starts, [_going_on(text, speaker.tokenizer) for text in texts], sampling)

    @property
    def bytes(self) -> int:
        """What its generator keeps of the texts."""
        return self.speaker.bytes_a_text() * len(self._texts)

    @property
    def samples(self) -> tuple[Tokens, ...]:
        """What stands there now, as it stays."""
        texts = zip(self._texts, self._decoders, strict=True)
        return tuple(Tokens(text, len(text), decoder.waits) for text, decoder in texts)

    def step(self, reading: Callable[[], object]) -> None:
        """One more token for each. reading: is called now and then while a long prompt is read, and may raise."""
        self.whole = False
        drawn = next(self._draws)
        if not self._texts[0]:
            given = list(self._given(drawn[0], reading))
            self._texts = [list(given) for _ in drawn]
        for text, draw, decoder in zip(self._texts, drawn, self._decoders, strict=True):
            text.append(self._teller.spoken(draw.token, decoder.decode(draw.token), False, draw.logits[-1]))
        self.length += 1
        self._tell_alone()
        self.whole = True

    def _tell_alone(self) -> None:
        """Let go of what else was likely, but for the newest tokens."""
        end = max(self._told_alone, self.length - max(1, TOLD_WHOLE // len(self._texts)))
        for text in self._texts:
            text[self._told_alone : end] = [token.alone for token in text[self._told_alone : end]]
        self._told_alone = end

    def _given(self, draw: Draw, reading: Callable[[], object]) -> Iterator[Spoken]:
        """The prompt's tokens. What the first draw read says what was expected of those in the window."""
        ids, decoder = self._start, Decoder(self.speaker.tokenizer)
        unread = len(ids) - len(draw.logits)
        first = max(0, unread - READ)
        expected = chain(_read(self.speaker, ids[first:unread], reading), draw.logits[:-1])
        for at, token in enumerate(ids):
            if at % 100 == 0:
                reading()
            yield self._teller.spoken(token, decoder.decode(token), True, next(expected) if at > first else None)


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
        self._texts = [tokenizer.decode([token]) for token in tokens]
        if tokenizer.kind == "byte":
            self._texts = [text.replace(UNREADABLE, "") for text in self._texts]
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
    says = Decoder(tokenizer, [token.id for token in text]).decode(chosen.id)
    ranks = {other.id: rank for rank, other in enumerate(stood.alternatives, 1)}
    logprob = math.log(max(chosen.before, sys.float_info.min))
    return replace(
        stood, id=chosen.id, text=says, given=False, logprob=logprob, chances=chosen.chances, shown=chosen.shown,
        rank=stood.rank if chosen.id == stood.id else ranks.get(chosen.id), chosen=True,
    )  # fmt: skip


def _going_on(text: Sequence[Spoken], tokenizer: Tokenizer) -> list[Spoken]:
    """A text that had ended: bytes at its end that were no character wait for others again."""
    *before, last = text
    says = Decoder(tokenizer, [token.id for token in before[-LONGEST_CHARACTER:]]).decode(last.id)
    return [*before, last if says == last.text else replace(last, text=says)]
