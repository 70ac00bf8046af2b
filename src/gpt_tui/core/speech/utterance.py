"""What a voice says, token by token, with what else was likely at each place: frozen records, for a screen to keep."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, overload

if TYPE_CHECKING:
    from gpt_tui.core.session import Session

UNREADABLE = "\N{REPLACEMENT CHARACTER}"  # what bytes that are no character are decoded to

SpeechState = Literal["silent", "loading", "speaking", "finished", "stopped", "failed"]


@dataclass(frozen=True)
class Source:
    """Whose weights speak: a checkpoint of the run at `path`, or those that a session at work on it has now.

    step: of the checkpoint; None is the newest whole one
    """

    path: Path
    step: int | None = None
    session: Session | None = None


@dataclass(frozen=True, slots=True)
class Alternative:
    """A token that might have stood there.

    text:    what it says; "" for one that is only a part of a character
    shown:   how a list shows it: a line end as \\n, a byte of a character as \\xe2
    chances: its probability before the sampler's filters, and after each of them
    """

    id: int
    text: str
    shown: str
    chances: tuple[float, ...]

    @property
    def before(self) -> float:
        """What the model gave it."""
        return self.chances[0]

    @property
    def after(self) -> float:
        """What it was drawn with."""
        return self.chances[-1]


@dataclass(frozen=True, slots=True)
class Spoken:
    """One token of the prompt (`given`) or of what the model wrote. Several that share a character: the last has it.

    shown:        how a list shows it, as it shows each alternative
    chosen:       a person put it there, in place of what was drawn: a branch begins with it
    logprob:      the model's own ln p of it, in nats; rank: 1 for the likeliest
    filters:      those of the sampler that were switched on, in their order
    chances:      its probability before the filters, and after each of them
    alternatives: the likeliest tokens at this place, in order

    What the model was not asked has None and none: the first token, and those of a prompt far before its window. Of a
    very long text only the newest tokens keep filters, chances and alternatives.
    """

    id: int
    text: str
    given: bool
    logprob: float | None = None
    rank: int | None = None
    filters: tuple[str, ...] = ()
    chances: tuple[float, ...] = ()
    alternatives: tuple[Alternative, ...] = ()
    shown: str = ""
    chosen: bool = False

    @property
    def after(self) -> float | None:
        """What it was drawn with."""
        return self.chances[-1] if self.chances else None

    @property
    def alone(self) -> Spoken:
        """The token without what else was likely in its place."""
        return replace(self, filters=(), chances=(), alternatives=()) if self.chances else self


class Tokens(Sequence[Spoken]):
    """The first `count` of a list that only grows.

    waits: they end within a character, the text of which comes with its last byte
    """

    def __init__(self, growing: list[Spoken], count: int, waits: bool = False):
        self._growing = growing
        self._count = count
        self._waits = waits
        self._last: Spoken | None = None  # in place of the last one

    def ended(self) -> Tokens:
        """As they are where no more come: bytes that wait for others are a sign that they cannot be read."""
        if not self._waits or not self._count:
            return self
        ended = Tokens(self._growing, self._count)
        ended._last = replace(self[-1], text=self[-1].text + UNREADABLE)
        return ended

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, at: int) -> Spoken: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Spoken]: ...
    def __getitem__(self, at: int | slice) -> Spoken | Sequence[Spoken]:
        if isinstance(at, slice):
            return [self[i] for i in range(*at.indices(self._count))]
        if not -self._count <= at < self._count:
            raise IndexError(at)
        at = at if at >= 0 else at + self._count
        return self._last if self._last is not None and at == self._count - 1 else self._growing[at]


@dataclass(frozen=True)
class Utterance:
    """What is being said, or was said last.

    activity:             what takes time before the first token, in words
    number:               which of a voice's texts it is; going on with a text keeps it
    source:               whose model was asked for
    run, step:            whose model it is, once it is loaded
    seed:                 of the first sample; sample i has seed + i
    wanted:               how many samples
    samples:              each from the prompt's first token on; what all of them go on from, before there is more
    put:                  of a branch, before there is more: the token that stood after that, and what a person put in
                          its place
    tokens_per_second:    of all samples together, from the first token that was written to the newest; None before the
                          second
    first_token_seconds:  from the loaded model to its first token
    error:                why it failed, a sentence
    """

    state: SpeechState = "silent"
    activity: str = ""
    number: int = 0
    source: Source | None = None
    run: str = ""
    step: int | None = None
    prompt: str = ""
    seed: int = 0
    wanted: int = 1
    samples: tuple[Sequence[Spoken], ...] = ()
    put: tuple[Spoken, Alternative] | None = None
    tokens_per_second: float | None = None
    first_token_seconds: float | None = None
    error: str = ""
    notices: tuple[str, ...] = ()

    @property
    def tokens(self) -> Sequence[Spoken]:
        """The first sample."""
        return self.samples[0] if self.samples else ()

    def ended(self, state: SpeechState, error: str = "") -> Utterance:
        """As it is once no more is said."""
        samples = tuple(sample.ended() if isinstance(sample, Tokens) else sample for sample in self.samples)
        return replace(self, state=state, activity="", samples=samples, error=error)
