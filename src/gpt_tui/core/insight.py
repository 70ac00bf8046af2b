"""Looking inside models while something else goes on: one thread, one question at a time, the newest one counts.

A model is what it is for `core.speech`: a run's checkpoint, or a copy that a session at work lends. It is held as long
as questions are about it, so that what is told of it belongs together, however far its run has come meanwhile. Nothing
here imports torch until something is asked.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from gpt_tui.core.errors import GptTuiError, Refusal
from gpt_tui.core.speech import Source
from gpt_tui.core.speech.asked import Asked
from gpt_tui.core.speech.models import Models
from gpt_tui.core.torch_loading import load_torch

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from gpt_tui.core.lens import Letter, TextSurprise
    from gpt_tui.core.sampling import Speaker

ROWS = 128  # characters whose attention is told at once: that of all of a long window would fill the memory

InsightState = Literal["silent", "loading", "finished", "stopped", "failed"]


@dataclass(frozen=True)
class Question:
    """sources: whose models; of the first one the attention is told, of a second one the surprise alone

    tokens: of the text, for a model whose bytes need not be characters; () encodes it
    at:     the character whose attention is wanted; None wants none
    fresh:  another number asks for the model of a run at work as it is by now
    """

    sources: tuple[Source, ...]
    text: str
    tokens: tuple[int, ...] = ()
    at: int | None = None
    fresh: int = 0


@dataclass(frozen=True, eq=False)
class Seen:
    """What characters look at, in one window of a text. Several tokens of a character are one: what it asks is what its
    last token asks, and what it is given is the sum of theirs.

    weights: (n_layer, H, rows, columns): what each character of a row takes of each column's; a row sums to 1
    row, column: the first ones, as places in the text; from_row: the first one that no earlier window tells better of
    why_not: why there are none, in a sentence
    """

    weights: npt.NDArray[np.float32] | None = None
    row: int = 0
    column: int = 0
    from_row: int = 0
    why_not: str = ""

    def tells_of(self, at: int) -> bool:
        if self.weights is None:
            return bool(self.why_not)
        rows: int = self.weights.shape[2]
        return self.from_row <= at < self.row + rows


@dataclass(frozen=True)
class Answer:
    """What is known so far.

    activity: what takes time, in words
    names:    run and step of each model
    read:     what the text cost each of them
    learned:  bits that each character costs the first model less than the second, where there is one; else ()
    error:    why it failed, a sentence
    """

    question: Question | None = None
    state: InsightState = "silent"
    activity: str = ""
    names: tuple[tuple[str, int], ...] = ()
    read: tuple[TextSurprise, ...] = ()
    learned: tuple[float, ...] = ()
    seen: Seen | None = None
    error: str = ""
    notices: tuple[str, ...] = ()


class Insight(Asked[Question, Answer]):
    """`ask`, `stop` and `close` return at once; `answer` is what has become of what was asked last."""

    def __init__(self, held: Mapping[Source, Speaker] | None = None) -> None:
        """held: models that are at hand already, of the sources that will be asked about."""
        super().__init__(Answer(), "gpt-tui insight", "The model could not be looked into")
        self._models = Models()
        self._held = {(source, 0): speaker for source, speaker in (held or {}).items()}
        self._whole = Answer()  # the last one that was

    @property
    def answer(self) -> Answer:
        return self._told

    def ask(self, question: Question) -> None:
        self._ask(question, Answer(question, "loading", "making ready"))

    def _stopped(self, told: Answer) -> Answer:
        return replace(told, state="stopped", activity="") if told.state == "loading" else told

    def _failed(self, told: Answer, why: str) -> Answer:
        return replace(told, state="failed", activity="", error=why)

    # The thread ------------------------------------------------------------------------------------------------------

    def _let_go(self) -> None:
        self._models.clear()
        self._held.clear()

    def _do(self, question: Question) -> None:
        answer = Answer(question, "loading")

        def tell(activity: str) -> None:
            self._show(question, replace(answer, activity=activity))

        tell("loading torch" if "torch" not in sys.modules else "making ready")
        load_torch()
        speakers, notices = self._speakers(question, tell)
        names = tuple((source.path.name, s.step) for source, s in zip(question.sources, speakers, strict=True))
        answer = replace(answer, names=names, notices=notices)
        if self._is_told(question, names):
            read, learned = self._whole.read, self._whole.learned
        else:
            read, learned = self._read(question, speakers, answer)
        answer = replace(answer, read=read, learned=learned)
        if question.at is not None:
            tell("looking at its attention")
            answer = replace(answer, seen=_seen(speakers[0], read[0].letters, question))
        self._show(question, replace(answer, state="finished"))
        self._whole = replace(answer, seen=None)

    def _speakers(self, question: Question, tell: Callable[[str], None]) -> tuple[list[Speaker], tuple[str, ...]]:
        """The models, which stay the same from question to question; what is to be told of those that are new."""
        wanted = [(source, question.fresh) for source in question.sources]
        self._held = {key: speaker for key, speaker in self._held.items() if key in wanted}
        notices: list[str] = []
        for key in wanted:
            if key not in self._held:
                self._held[key], more = self._models.find(key[0], tell)
                notices += [f"{key[0].path.name}: {notice}" for notice in more]
            self._held[key].use_threads(beside=True)
        return [self._held[key] for key in wanted], tuple(notices)

    def _is_told(self, question: Question, names: tuple[tuple[str, int], ...]) -> bool:
        """Whether what was told last has this text read by these models."""
        last = self._whole.question
        return last is not None and self._whole.names == names and replace(last, at=question.at) == question

    def _read(
        self, question: Question, speakers: list[Speaker], answer: Answer
    ) -> tuple[tuple[TextSurprise, ...], tuple[float, ...]]:
        from gpt_tui.core.lens import learned, text_surprise

        read: list[TextSurprise] = []
        for source, speaker in zip(question.sources, speakers, strict=True):
            who = f"the model of step {speaker.step:,}"
            self._show(question, replace(answer, activity=f"{who} is reading the text"))
            try:
                tokens = _ids(question, speaker, speakers[0])
            except Refusal as refusal:
                why = " ".join(fault.message for fault in refusal.faults)
                raise GptTuiError(f"{source.path.name}: {why}") from None
            read.append(text_surprise(speaker.model, speaker.tokenizer, tokens))
        return tuple(read), learned(read[1], read[0]) if len(read) > 1 else ()


def _ids(question: Question, speaker: Speaker, first: Speaker) -> npt.NDArray[np.integer]:
    """The text as this model reads it. Raises Refusal, naming a character that it does not know and its position."""
    import numpy as np

    if not question.text:
        raise GptTuiError("There is no character in this text.")
    if question.tokens and speaker.tokenizer == first.tokenizer:
        return np.array(question.tokens)
    return speaker.tokenizer.encode(question.text, field="text")


def _seen(speaker: Speaker, letters: tuple[Letter, ...], question: Question) -> Seen:
    """What the character asked about, and those before it in its window, look at."""
    import numpy as np

    from gpt_tui.core.lens import attention, window_start

    model, block_size = speaker.model, speaker.model.config.block_size
    if not model.config.attention:
        return Seen(why_not="This model has no attention: no character looks at another.")
    at = min(max(question.at or 0, 0), len(letters) - 1)
    asks = np.array([letter.end - 1 for letter in letters])  # the token that asks, of each character
    begin = window_start(int(asks[at]), block_size)
    # A few more than up to the character, so that the next ones are known already.
    inside = np.flatnonzero((asks >= begin) & (asks < begin + block_size))
    column, past = int(inside[0]), min(at + 1 + ROWS // 2, int(inside[-1]) + 1)
    row = max(column, past - ROWS)
    tokens = _ids(question, speaker, speaker)[begin : asks[past - 1] + 1]
    weights = attention(model, tokens, first=int(asks[row]) - begin)
    starts = [max(letter.start - begin, 0) for letter in letters[column:past]]
    weights = np.add.reduceat(weights[:, :, asks[row:past] - asks[row]], starts, axis=3)
    own = (place for place in range(row, past) if window_start(int(asks[place]), block_size) == begin)
    return Seen(weights, row, column, next(own, row))
