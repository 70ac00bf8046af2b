"""The texts of Generate that were asked for, in their order: one can leaf back to each, and see where one branched."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gpt_tui.core.config import SamplingConfig
    from gpt_tui.core.speech import Utterance

TOKENS_KEPT = 50_000  # of all pages; each says what else was likely there, in about two kilobytes
PAGES_KEPT = 500  # a page without a token has its prompt all the same


@dataclass(frozen=True)
class Origin:
    """Where a branch begins: at which token of which sample, on which page, by which voice.

    number: the page's. page: None once it was let go
    """

    number: int
    page: Page | None
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
    ahead:  the page that one came back from, until the cursor is moved
    """

    number: int
    prompt: str
    sampling: SamplingConfig
    samples: int
    origin: Origin | None = None
    said: dict[int, Utterance] = field(default_factory=dict)
    sample: int = 0
    cursor: int | None = None
    ahead: Page | None = None

    @property
    def count(self) -> int:
        """How many samples there are."""
        return max((len(utterance.samples) for utterance in self.said.values()), default=0)

    def stood(self, voice: int) -> int | None:
        """Of a branch: how many tokens its voice began with; None where that is the prompt."""
        return self.origin.at + 1 if self.origin is not None and self.origin.voice == voice else None

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
        if self.current is not None:
            self.current.ahead = None
        self._made += 1
        self.current = Page(self._made, prompt, sampling, samples, origin)
        self._keep(origin.page if origin is not None else None)
        self._pages.append(self.current)
        return self.current

    def _keep(self, needed: Page | None) -> None:
        """As many of the newest pages as there is room for, one at least, and the one that is needed."""
        kept: list[Page] = []
        tokens = 0
        for page in reversed(self._pages):
            tokens += page.tokens
            full = tokens > TOKENS_KEPT or len(kept) >= PAGES_KEPT
            if page is needed or not kept or not full:
                kept.insert(0, page)
        known = set(kept)
        for page in self._pages:  # or what is let go would be kept by those that came from it
            if page.origin is not None and page.origin.page not in known:
                page.origin = replace(page.origin, page=None)
        self._pages = kept

    def turn(self, way: int, voice: int = 0) -> Page | None:
        """Go to what `beside` gives, if anything; a turn forward undoes one back."""
        page = self.beside(way, voice)
        if page is not None:
            page.ahead = self.current if way < 0 else page.ahead
            self.current = page
        return page

    def beside(self, way: int, voice: int = 0) -> Page | None:
        """The one before (-1): of a branch the one that it comes from. The one after (1): that from which one came
        back, else the branch at the cursor of a voice, else the next one."""
        here = self.current
        if here is None:
            return None
        if way < 0 and here.origin is not None and here.origin.page is not None:
            return here.origin.page
        if way > 0 and (ahead := here.ahead or self._branch_at_cursor(voice)) is not None:
            return ahead
        at = self._pages.index(here) + way
        return self._pages[at] if 0 <= at < len(self._pages) else None

    def branches(self, voice: int) -> frozenset[int]:
        """The tokens of what is in sight of a voice where one branched from it."""
        return frozenset(self._branches(voice))

    def _branch_at_cursor(self, voice: int) -> Page | None:
        cursor = self.current.cursor if self.current is not None else None
        return self._branches(voice).get(cursor) if cursor is not None else None

    def _branches(self, voice: int) -> dict[int, Page]:
        """The newest one at each token of what is in sight of a voice."""
        here = self.current
        if here is None:
            return {}
        origins = [(page.origin, page) for page in self._pages if page.origin is not None and page.origin.page is here]
        return {o.at: page for o, page in origins if (o.voice, o.sample) == (voice, here.sample)}
