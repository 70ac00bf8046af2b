"""The texts that can be looked at through the lenses: what the caller shows, and what a run has recorded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from gpt_tui.core.errors import GptTuiError

if TYPE_CHECKING:
    from gpt_tui.core.speech import Spoken

LONGEST = 10_000  # characters; what is longer is cut around the cursor
OWN = "your own text"
PASSAGE = "the validation passage"


@dataclass(frozen=True)
class LensText:
    """tokens: of the text, where they are known; () encodes it. at: the character that the cursor stands on.

    step: of the model of the run that wrote it; None for what no model wrote
    """

    name: str
    text: str
    tokens: tuple[int, ...] = ()
    at: int = 0
    step: int | None = None

    @property
    def fitting(self) -> LensText:
        """As much of it as is looked at."""
        if len(self.text) <= LONGEST:
            return self
        start = min(max(self.at - LONGEST // 2, 0), len(self.text) - LONGEST)
        name = f"{self.name}, {LONGEST:,} of {len(self.text):,} characters"
        return replace(self, name=name, text=self.text[start : start + LONGEST], tokens=(), at=self.at - start)


class LensTexts:
    """The texts that there are, and the one that is looked at: those of who opened the lenses, the person's own, those
    of the run."""

    def __init__(self, given: Sequence[LensText]) -> None:
        self._given = [text.fitting for text in given if text.text]
        self._own: list[LensText] = []
        self._of_run: list[LensText] = []
        self.at = 0

    @property
    def all(self) -> list[LensText]:
        return [*self._given, *self._own, *self._of_run]

    @property
    def current(self) -> LensText | None:
        return self.all[self.at % len(self.all)] if self.all else None

    def turn(self) -> bool:
        """Go on to the next; False where there is none."""
        self.at = (self.at + 1) % max(len(self.all), 1)
        return len(self.all) > 1

    def take_own(self, written: str) -> None:
        self._own, self.at = [LensText(OWN, written).fitting], len(self._given)

    def take_of_run(self, texts: Sequence[LensText]) -> bool:
        """What the run has recorded, but for what is there already; whether there was no text before."""
        first = not self.all
        self._of_run = [text.fitting for text in texts if text.text not in {given.text for given in self._given}]
        return first


def of_tokens(name: str, tokens: Sequence[Spoken], cursor: int | None, step: int | None = None) -> list[LensText]:
    """What a model was given and what it wrote, with the cursor on a token; nothing where there is none.

    step: of that model
    """
    if not tokens:
        return []
    before = len("".join(token.text for token in tokens[: cursor or 0]))
    return [LensText(name, "".join(token.text for token in tokens), tuple(token.id for token in tokens), before, step)]


def texts_of_run(path: Path) -> list[LensText]:
    """The fixed passage of the validation split, and the newest sample; for threads beside the screen.

    Raises GptTuiError where the run's log cannot be read.
    """
    from gpt_tui.core.runs import Run

    history = Run.open(path).history()
    if history.started is None:
        raise GptTuiError(f"{path}: the run has not begun")
    found = [LensText(PASSAGE, history.started.passage)]
    found += [LensText(f"the sample of step {s.step:,}", s.prompt + s.text, step=s.step) for s in history.samples[-1:]]
    return [text for text in found if text.text]
