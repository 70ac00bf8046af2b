"""The texts of Generate that were asked for, in their order: one can leaf back to each, and see where one branched."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gpt_tui.core.config import SamplingConfig
    from gpt_tui.core.speech import Utterance

TOKENS_KEPT = 50_000  # of all pages; each says what else was likely there, in about two kilobytes


@dataclass(frozen=True)
class Origin:
    """Where a branch begins: at which token of which sample, on which page, by which voice."""

    page: Page
    voice: int
    sample: int
    at: int


@dataclass(eq=False)
class Page:
    """What was asked once, and what came of it.

    number: counted from 1
    prompt: what all samples go on from; of a branch, all that stands before it and the token that was chosen
    origin: of a branch
    said:   by the number of the voice
    sample: which one is in sight
    cursor: the token that one stands on; None is the newest
    """

    number: int
    prompt: str
    sampling: SamplingConfig
    samples: int
    origin: Origin | None = None
    said: dict[int, Utterance] = field(default_factory=dict)
    sample: int = 0
    cursor: int | None = None

    @property
    def count(self) -> int:
        """How many samples there are."""
        return max((len(utterance.samples) for utterance in self.said.values()), default=0)

    @property
    def tokens(self) -> int:
        """How many there are in all of them."""
        return sum(len(sample) for utterance in self.said.values() for sample in utterance.samples)


class Book:
    """current: the one in sight; None before the first."""

    def __init__(self) -> None:
        self.current: Page | None = None
        self._pages: list[Page] = []
        self._made = 0

    def __len__(self) -> int:
        return len(self._pages)

    @property
    def newest(self) -> int:
        """Its number."""
        return self._made

    def add(self, prompt: str, sampling: SamplingConfig, samples: int, origin: Origin | None = None) -> Page:
        """One more, which is in sight from now on."""
        self._made += 1
        self.current = Page(self._made, prompt, sampling, samples, origin)
        self._pages = [*self._let_go(), self.current]
        return self.current

    def _let_go(self) -> list[Page]:
        """As many of the newest pages as there is room for, one at least."""
        kept: list[Page] = []
        tokens = 0
        for page in reversed(self._pages):
            tokens += page.tokens
            if kept and tokens > TOKENS_KEPT:
                break
            kept.insert(0, page)
        return kept

    def beside(self, way: int) -> Page | None:
        """The next one, or (-1) the one before; of a branch that is the one that it comes from."""
        if self.current is None:
            return None
        origin = self.current.origin
        if way < 0 and origin is not None and origin.page in self._pages:
            return origin.page
        at = self._pages.index(self.current) + way
        return self._pages[at] if 0 <= at < len(self._pages) else None

    def branches(self, voice: int) -> frozenset[int]:
        """The tokens of what is in sight of a voice where one branched from it."""
        here = self.current
        if here is None:
            return frozenset()
        origins = [page.origin for page in self._pages if page.origin is not None and page.origin.page is here]
        return frozenset(o.at for o in origins if (o.voice, o.sample) == (voice, here.sample))
