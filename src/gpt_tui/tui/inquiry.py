"""What is asked of the models through the lenses, and what has been found out so far. It knows no widgets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from gpt_tui.tui.lens_texts import LensText
from gpt_tui.tui.plain import one_line

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from textual.timer import Timer

    from gpt_tui.core.insight import Answer, Insight, Question, Seen
    from gpt_tui.core.lens import TextSurprise
    from gpt_tui.core.speech import Source

    Weights = npt.NDArray[np.float32]

LISTEN_EVERY = 0.1  # seconds between two looks at what has been found out


class Inquiry:
    """source: whose model is looked into. other: the one that it is compared with, once there is one.

    read:    what the text cost each of them; () while that is not known
    learned: bits that each character costs less than under the other one; () where they are not compared
    names:   run and step of each
    dropped: why the comparison was given up, as long as nothing else is asked

    insight: makes what finds out beside the screen. later: does something after so many seconds
    found:   is called every now and then while something is being found out, with the answer once there is one
    """

    def __init__(
        self,
        source: Source,
        *,
        insight: Callable[[], Insight],
        later: Callable[[float, Callable[[], None]], Timer],
        found: Callable[[Answer | None], object],
    ) -> None:
        self.source = source
        self.other: Source | None = None
        self.comparing = False
        self.dropped = ""
        self.read: tuple[TextSurprise, ...] = ()
        self.learned: tuple[float, ...] = ()
        self.names: tuple[tuple[str, int], ...] = ()
        self._begun = False  # whether the other one is what the run began with
        self._seen: Seen | None = None
        self._fresh = 0
        self._failed = ""  # why the two could not be asked together
        self._told: Answer | None = None  # the last answer that was taken
        self._make, self._later, self._found = insight, later, found
        self._insight: Insight | None = None
        self._listening = False

    # Asking ----------------------------------------------------------------------------------------------------------

    def ask(self, text: LensText, at: int | None) -> None:
        """at: the character whose attention is wanted; None wants the surprise, beside that of the other model."""
        from gpt_tui.core.insight import Question

        other = self.other if self.comparing and at is None else None
        sources = (self.source,) if other is None else (self.source, other)
        self.dropped = self._failed = ""
        self._put(Question(sources, text.text, text.tokens, at, self._fresh))

    def _put(self, question: Question) -> None:
        if self._insight is None:
            self._insight = self._make()
        self._insight.ask(question)
        if not self._listening:
            self._listening = True
            self._later(LISTEN_EVERY, self._listen)

    def forget(self) -> None:
        """Another text: nothing that was found out holds any more."""
        self.read, self.learned, self._seen, self._told = (), (), None, None

    def compare(self, other: Source, begun: bool = False) -> None:
        """begun: whether it is what the run began with, which for a fork is its parent's."""
        self.other, self.comparing, self.learned = other, True, ()
        self._begun = begun

    def compare_again(self) -> None:
        self.comparing, self.learned = True, ()

    def compare_no_more(self) -> None:
        self.comparing, self.learned = False, ()
        self._told = None  # the other model may have been what could not read the text

    def renew(self) -> None:
        """What is asked next is asked of the model as it is by now."""
        self._fresh += 1
        self._seen = None

    def close(self) -> None:
        if self._insight is not None:
            self._insight.close()

    def _listen(self) -> None:
        self._listening = False
        if self._insight is None:
            return
        answer = self._insight.answer
        if answer.state == "loading":
            self._listening = True
            self._later(LISTEN_EVERY, self._listen)
        elif answer is not self._told:
            self._take(answer)
            self._found(answer)
            return
        self._found(None)

    def _take(self, answer: Answer) -> None:
        question = answer.question
        if answer.state == "failed" and question is not None and len(question.sources) > 1:
            self._failed = answer.error  # it may be the other one alone that is at fault
            self._put(replace(question, sources=(self.source,)))
            return
        self._told = answer
        if answer.state != "finished":
            return
        if self._failed:
            self.comparing, self.dropped, self._failed = False, self._failed, ""
        # Where the attention alone was asked for, what was learned still holds.
        if not (self.learned and len(answer.read) == 1 and answer.names == self.names[:1]):
            self.read, self.names = answer.read, answer.names
            self.learned = answer.learned if self.comparing else ()
        self._seen = answer.seen or self._seen

    # What is known ---------------------------------------------------------------------------------------------------

    @property
    def busy(self) -> bool:
        return self._listening

    @property
    def activity(self) -> str:
        """What takes time now, in words."""
        answer = self._insight.answer if self._insight is not None else None
        return f"{answer.activity}…" if answer is not None and answer.state == "loading" else ""

    @property
    def error(self) -> str:
        return self._told.error if self._told is not None and self._told.state == "failed" else ""

    @property
    def live(self) -> bool:
        """Whether it is the model of a run at work, which goes on meanwhile."""
        return self.source.session is not None and self.source.session.alive

    def seen(self, at: int) -> Seen | None:
        """What a character looks at, or why that cannot be told; None where it is not known yet."""
        return self._seen if self._seen is not None and self._seen.tells_of(at) else None

    def weights(self, at: int) -> Weights | None:
        """(n_layer, H, rows, columns) of its window; None where there are none, or they are not known."""
        seen = self.seen(at)
        return seen.weights if seen is not None else None

    # Names -----------------------------------------------------------------------------------------------------------

    @property
    def run(self) -> str:
        return one_line(self.source.path.name)

    @property
    def step(self) -> int | None:
        """Of the model; None while it is not known which the newest one is."""
        return self.names[0][1] if self.names else self.source.step

    @property
    def which(self) -> str:
        """Which model of the run it is."""
        if self.step is None:
            return "the model now" if self.live else "newest checkpoint"
        return f"{'live, ' if self.live else ''}step {self.step:,}"

    @property
    def other_name(self) -> str:
        """What the model is called that is compared with, once it is known."""
        if len(self.names) < 2:
            return "another"
        (own, _), (name, step) = self.names
        word = "the untrained model" if step == 0 else f"step {step:,}"
        return word if name == own else f"{one_line(name)} · {word}"

    @property
    def same(self) -> bool:
        """Whether the model is compared with itself."""
        return len(self.names) > 1 and self.names[0] == self.names[1]

    @property
    def grew(self) -> bool:
        """Whether the other model is an earlier one of the same run: what differs was learned, or lost, since."""
        if len(self.names) < 2:
            return False
        (own, step), (name, then) = self.names
        return then < step and (name == own or self._begun)
