"""One of the two voices of Generate: who it is, what it says, and the two panes where that is seen."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from gpt_tui.tui.book import Page
from gpt_tui.tui.shelf_checkpoints import Choice
from gpt_tui.tui.widgets.alternatives_pane import AlternativesPane
from gpt_tui.tui.widgets.token_text import TokenText

if TYPE_CHECKING:
    from gpt_tui.core.config import SamplingConfig
    from gpt_tui.core.sampling import Speaker
    from gpt_tui.core.speech import Alternative, Source, Speech, Utterance


class Voice:
    """number: 0 for the first. choice: whose model; None goes along with the run that is watched.

    drawn: what is seen of it
    """

    def __init__(
        self, number: int, speech: Callable[[], Speech], text: TokenText, alternatives: AlternativesPane
    ) -> None:
        self.number = number
        self.text = text
        self.alternatives = alternatives
        self.choice: Choice | None = None
        self.drawn: Utterance | None = None
        self._make = speech
        self._speech: Speech | None = None
        self._page: Page | None = None  # where it speaks, or spoke last

    # What it says ----------------------------------------------------------------------------------------------------

    @property
    def speaking(self) -> bool:
        return self._speech is not None and self._speech.utterance.state in ("loading", "speaking")

    def speaks_on(self, page: Page) -> bool:
        return self.speaking and page is self._page

    def on(self, page: Page | None) -> Utterance | None:
        """What it says, or said, on a page; None where it did not speak."""
        if page is None:
            return None
        if page is self._page and self._speech is not None:
            page.said[self.number] = self._speech.utterance
        return page.said.get(self.number)

    def model_of(self, said: Utterance) -> Speaker | None:
        """The very model that wrote it, where it is still held."""
        return self._speech.model_of(said) if self._speech is not None else None

    # What is asked of it ---------------------------------------------------------------------------------------------

    def say(self, page: Page, source: Source) -> None:
        """What the page asks, by the model of `source`."""
        self._begin(page).say(source, page.prompt, page.sampling, page.samples)

    def go_on(self, page: Page, sampling: SamplingConfig) -> None:
        """With what it said on the page."""
        said = self.on(page)
        assert said is not None
        self._begin(page).go_on(said, sampling)

    def branch(self, page: Page, chosen: Alternative) -> None:
        """As the page branched from what this voice had said."""
        origin = page.origin
        assert origin is not None
        said = self.on(origin.page)
        assert said is not None
        self._begin(page).branch(said, origin.sample, origin.at, chosen, page.sampling, page.samples)

    def _begin(self, page: Page) -> Speech:
        self.stop()
        if self._page is not None:
            self.on(self._page)  # what it said there stays
        if self._speech is None:
            self._speech = self._make()
        self._page = page
        return self._speech

    def stop(self) -> None:
        if self._speech is not None:
            self._speech.stop()

    def close(self) -> None:
        if self._speech is not None:
            self._speech.close()
