"""The surprise of any text, character by character, under one model or two."""

from __future__ import annotations

import codecs
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gpt_tui.core.data import Tokenizer
from gpt_tui.core.errors import GptTuiError
from gpt_tui.core.lens.surprise import scores
from gpt_tui.core.model import GPT


@dataclass(frozen=True)
class Letter:
    """A character of a text, and its tokens: those from `start` to before `end`.

    Bytes that are no character are one that stands for them (U+FFFD), and may be one with the character after them.
    """

    text: str
    start: int
    end: int


def letters(tokenizer: Tokenizer, tokens: npt.NDArray[np.integer]) -> tuple[Letter, ...]:
    """The characters of a text that is given as token ids."""
    if tokenizer.kind != "byte":
        return tuple(Letter(text, at, at + 1) for at, text in enumerate(tokenizer.decode(tokens)))
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    found: list[Letter] = []
    start = 0
    for at, token in enumerate(tokens):
        if text := decoder.decode(bytes([int(token)])):
            end = at + 1 - len(decoder.getstate()[0])  # what is held back begins the next one
            found.append(Letter(text, start, end))
            start = end
    if text := decoder.decode(b"", final=True):
        found.append(Letter(text, start, len(tokens)))
    return tuple(found)


@dataclass(frozen=True)
class TextSurprise:
    """What each character of a text cost a model.

    bits:  -log2 p of each, of all its tokens together; NaN for the first, which has nothing before it
    ranks: 1 where the model held it for the likeliest, and so on; of several tokens the worst; 0 for the first
    """

    letters: tuple[Letter, ...]
    bits: tuple[float, ...]
    ranks: tuple[int, ...]

    @property
    def text(self) -> str:
        return "".join(letter.text for letter in self.letters)

    @property
    def mean(self) -> float:
        """Bits a character; NaN where there is but one."""
        return mean(self.bits)


def text_surprise(model: GPT, tokenizer: Tokenizer, tokens: npt.NDArray[np.integer]) -> TextSurprise:
    """Raises GptTuiError where the model's logits are no numbers."""
    found, told = scores(model, tokens), letters(tokenizer, tokens)
    if not np.isfinite(found.nats).all():
        raise GptTuiError("the model gives NaN or infinity, not logits: its weights are damaged or too large")
    bits = np.concatenate(([math.nan], found.nats / math.log(2)))
    ranks = np.concatenate(([0], found.ranks))
    return TextSurprise(
        told,
        tuple(float(bits[letter.start : letter.end].sum()) for letter in told),
        tuple(int(ranks[letter.start : letter.end].max()) if letter.start else 0 for letter in told),
    )


def learned(first: TextSurprise, now: TextSurprise) -> tuple[float, ...]:
    """Bits that each character costs `now` less than it cost `first`; below 0 where it costs more.

    Raises GptTuiError where they are not of the same characters.
    """
    if [letter.text for letter in first.letters] != [letter.text for letter in now.letters]:
        raise GptTuiError("the two models read other characters in this text, so what they cost cannot be compared")
    return tuple(before - after for before, after in zip(first.bits, now.bits, strict=True))


def mean(bits: Sequence[float]) -> float:
    """Over those that have a number; NaN where none has."""
    known = [value for value in bits if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan


def highest(values: Sequence[float], count: int) -> list[int]:
    """Where the `count` highest stand, the highest first; of equals the earlier. NaN stands nowhere."""
    known = [at for at, value in enumerate(values) if not math.isnan(value)]
    return sorted(known, key=lambda at: -values[at])[:count]
