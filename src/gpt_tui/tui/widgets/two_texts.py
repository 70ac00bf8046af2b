"""Two texts beside each other, of a run's first evaluation and of another: what each of the panes shows.

What was recorded, plain or with the surprise of each character, what was learned between them, or what two models
answer. Which of these it is to be, the Samples view decides; the pane that draws one text is in tinted_pane.py.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual.containers import Container
from textual.content import Content

from gpt_tui.tui import figures
from gpt_tui.tui.plain import one_line
from gpt_tui.tui.widgets import passage_facts as facts
from gpt_tui.tui.widgets.tinted_pane import TintedPane
from gpt_tui.tui.widgets.tinted_text import Tinted, glyphs
from gpt_tui.tui.widgets.tints import Scale, Tints, in_colour

if TYPE_CHECKING:
    from gpt_tui.core.speech import Utterance
    from gpt_tui.tui.asking import Asking
    from gpt_tui.tui.places import Place, Places


class TwoTexts(Container):
    """untrained: the pane of the first evaluation. trained: that of the one at the cursor, `at` in each method."""

    def __init__(self, untrained: TintedPane, trained: TintedPane, *, ascii: bool, id: str | None = None) -> None:
        super().__init__(untrained, trained, id=id)
        self.untrained = untrained
        self.trained = trained
        self._ascii = ascii
        self._made_tints: Tints | None = None

    def scroll_back(self) -> None:
        """Both from their beginning."""
        for pane in (self.untrained, self.trained):
            pane.scroll_home(animate=False)

    # Colours ---------------------------------------------------------------------------------------------------------

    def take_theme(self) -> None:
        """The theme is another; what is drawn next is drawn in its colours."""
        self._made_tints = None

    @property
    def tints(self) -> Tints:
        if self._made_tints is None:
            self._made_tints = Tints.of_app(self.app)
        return self._made_tints

    @property
    def in_colour(self) -> bool:
        return in_colour(self.app)

    def _tinted(self, characters: Sequence[tuple[str, float]], scale: Scale, below: Sequence[Content] = ()) -> Tinted:
        colour = self.in_colour
        return Tinted(tuple(glyphs(characters)), scale, colour, self._ascii or not colour, tuple(below))

    # What was recorded -----------------------------------------------------------------------------------------------

    def show_recorded(self, places: Places, at: int) -> None:
        for pane, place in self._each(places, at):
            pane.title(*_headings(places, place, _loss(place)))
            if place.sample is not None:
                pane.show_text(place.sample.prompt, place.sample.text)
            else:
                pane.show_words(places.why_unwritten(place))

    def show_surprise(self, places: Places, at: int) -> None:
        """The passage, each character in the colour of its bits."""
        for pane, place in self._each(places, at):
            bits = _bits(places, place)
            if bits is None:
                pane.title(*_headings(places, place, _loss(place)))
                pane.show_words(_unrecorded(places, place))
                continue
            pane.title(*_headings(places, place, facts.in_bits(facts.mean(bits)), _loss(place)))
            characters = list(zip(places.passage, bits, strict=True))
            hardest = facts.hardest(places.passage, bits)
            pane.show_tinted(self._tinted(characters, self.tints.surprise, hardest), _table(characters))

    def show_difference(self, places: Places, at: int) -> None:
        """The passage, each character in the colour of what was learned of it, and beside it what that adds up to."""
        first, here, passage = places.first, places[at], places.passage
        before, now = _bits(places, first), _bits(places, here)
        self.untrained.title(f"learned since step {first.step:,} · bits of each character", "learned")
        self.trained.title(*_headings(places, here, _loss(here)))
        if before is None or now is None:
            missing = first if before is None else here
            for pane in (self.untrained, self.trained):
                pane.show_words(_unrecorded(places, missing))
            return
        learned = [a - b for a, b in zip(before, now, strict=True)]
        characters = list(zip(passage, learned, strict=True))
        self.untrained.show_tinted(self._tinted(characters, self.tints.difference), _table(characters))
        lines = [*facts.by_kind(passage, before, now), Content(""), *facts.gained_most(passage, before, now)]
        self.trained.show_tinted(
            self._tinted((), self.tints.difference, lines), "\n".join(line.plain for line in lines)
        )

    def _each(self, places: Places, at: int) -> tuple[tuple[TintedPane, Place], tuple[TintedPane, Place]]:
        return (self.untrained, places.first), (self.trained, places[at])

    # What is answered ------------------------------------------------------------------------------------------------

    def show_answers(self, places: Places, at: int, asking: Asking, surprise: bool) -> None:
        """surprise: whether in the colours of their bits."""
        for number, (pane, place) in enumerate(self._each(places, at)):
            said = asking.answer(number, place)
            pane.title(*_headings(places, place, *_pace(said), _loss(place)))
            if said is None:
                pane.show_words(asking.why_silent(place))
            elif said.state == "failed":
                pane.show_words(said.error, "$text-error")
            elif not said.tokens:
                pane.show_words(f"{said.activity or 'making ready'}…")
            elif surprise:
                written = [_bits_of_token(token.logprob) for token in said.tokens if not token.given]
                pane.title(*_headings(places, place, facts.in_bits(facts.mean(written)), *_pace(said)))
                characters = [(c, _bits_of_token(token.logprob)) for token in said.tokens for c in token.text]
                pane.show_tinted(self._tinted(characters, self.tints.surprise), _table(characters))
            else:
                _show_answer(pane, said)


def _headings(places: Places, place: Place, *more: str) -> list[str]:
    """Titles for a pane, the fullest first. more: what follows the step, the most needed first."""
    first = place is places.first
    name = "untrained" if place.step == 0 else "first" if first else "trained"
    step = f"{name} · step {place.step:,}"
    whole = step if first else f"{step} of {places.planned:,}"
    return [" · ".join([begin, *more[:count]]) for count in range(len(more), -1, -1) for begin in (whole, step)]


def _unrecorded(places: Places, place: Place) -> str:
    """Why there is no surprise of an evaluation: it is recorded after the sample."""
    unwritten = f" {places.why_unwritten(place)}" if place.sample is None else ""
    return f"No surprise was recorded at step {place.step:,}.{unwritten}"


def _loss(place: Place) -> str:
    return f"val {figures.loss(place.eval.val_loss)}"


def _bits(places: Places, place: Place) -> list[float] | None:
    """Bits of each character of the passage; None where they were not recorded."""
    if place.surprise is None or len(place.surprise.nats) != len(places.passage):
        return None
    return facts.bits_of(place.surprise.nats)


def _bits_of_token(logprob: float | None) -> float:
    return math.nan if logprob is None else -logprob / math.log(2)


def _pace(said: Utterance | None) -> list[str]:
    if said is None:
        return []
    if said.state == "speaking" and said.tokens_per_second is not None:
        return [f"{figures.count(said.tokens_per_second)} tok/s"]
    return ["failed"] if said.state == "failed" else []


def _show_answer(pane: TintedPane, said: Utterance) -> None:
    prompt = "".join(token.text for token in said.tokens if token.given)
    written = "".join(token.text for token in said.tokens if not token.given)
    notices = Content.styled(" ".join(map(one_line, said.notices)), "$text-warning") if said.notices else None
    pane.show_text(prompt, written, notices)


def _table(characters: Sequence[tuple[str, float]]) -> str:
    """Characters and their bits, as tab-separated text."""
    return "\n".join(["character\tbits", *(f"{one_line(c)}\t{bits:.3f}" for c, bits in characters)])
