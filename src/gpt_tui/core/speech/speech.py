"""A voice: the thread in which a model speaks, and what it is asked for from outside."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import TYPE_CHECKING

from gpt_tui.core.commands import anyone_learns
from gpt_tui.core.config import SamplingConfig
from gpt_tui.core.errors import GptTuiError, show_size
from gpt_tui.core.runs import Run
from gpt_tui.core.speech.asked import Asked
from gpt_tui.core.speech.models import Models
from gpt_tui.core.speech.utterance import Alternative, Source, Spoken, Utterance
from gpt_tui.core.torch_loading import load_torch

if TYPE_CHECKING:
    from gpt_tui.core.sampling import Speaker
    from gpt_tui.core.speech.writing import Writing

# Tokens/s of a sample, at most, while a run learns: nobody reads faster, and the run needs the cores.
BESIDE_A_RUN = 150
WRITINGS_KEPT = 8  # texts that can be gone on with as if they had never been stopped
WINDOWS_KEPT = 2**28  # bytes of keys and values of all these
WEIGHTS_KEPT = 2**28  # bytes of the models that wrote them, but for those that spoke last


@dataclass(frozen=True, eq=False)
class _Wish:
    """begun: what to write is shown as this until there is more of it. on: the text whose model is to write.

    texts:  what each sample goes on from, or all of them where it is one; none for the prompt
    chosen: the token that stood after that, and the one that a person puts in its place
    """

    begun: Utterance
    sampling: SamplingConfig
    samples: int = 1
    on: Utterance | None = None
    texts: tuple[Sequence[Spoken], ...] = ()
    chosen: tuple[Spoken, Alternative] | None = None

    @property
    def goes_on(self) -> bool:
        return self.on is not None and self.on.number == self.begun.number


class Speech(Asked[_Wish, Utterance]):
    """One voice. What is asked of it returns at once; `utterance` is what has become of what was asked last."""

    def __init__(self) -> None:
        super().__init__(Utterance(), "gpt-tui speech", "The model could not speak")
        self._numbers = count(1)
        self._models = Models()
        self._writings: dict[int, Writing] = {}  # by the numbers of their texts, the latest last; the thread's own

    @property
    def utterance(self) -> Utterance:
        return self._told

    def say(self, source: Source, prompt: str, sampling: SamplingConfig, samples: int = 1) -> None:
        """Let the model of `source` go on from `prompt`; an empty one starts from a newline, as everywhere.

        samples: how many texts it writes, each with a seed of its own
        """
        begun = self._new(source, prompt, sampling, samples)
        self._ask(_Wish(begun, sampling, samples), begun)

    def go_on(self, said: Utterance, sampling: SamplingConfig) -> None:
        """Write max_new_tokens more of what this voice said, as if it had never ended: the same that would have come.

        With other settings, or where too much was said since, it is a new draw after what stands there. Where the model
        that wrote it is no longer to be had, that of its run goes on, and `notices` says so.
        """
        begun = replace(said, state="loading", activity="making ready", error="", notices=())
        begun = replace(begun, seed=sampling.sample_seed, tokens_per_second=None, first_token_seconds=None)
        self._ask(_Wish(begun, sampling, max(said.wanted, len(said.samples)), said, said.samples, said.put), begun)

    def branch(
        self, said: Utterance, sample: int, at: int, chosen: Alternative, sampling: SamplingConfig, samples: int = 1
    ) -> None:
        """Another text: a sample of what this voice said up to its token `at`, `chosen` in its place, and what the same
        model goes on with."""
        assert said.source is not None
        stood = said.samples[sample][at]
        begun = replace(self._new(said.source, said.prompt, sampling, samples), run=said.run, step=said.step)
        begun = replace(begun, samples=(said.samples[sample][:at],), put=(stood, chosen))
        self._ask(_Wish(begun, sampling, samples, said, begun.samples, begun.put), begun)

    def model_of(self, said: Utterance) -> Speaker | None:
        """The very model that wrote a text, where it is still held."""
        writing = self._writings.get(said.number)
        return writing.speaker if writing is not None else None

    def _new(self, source: Source, prompt: str, sampling: SamplingConfig, samples: int) -> Utterance:
        begun = Utterance("loading", "making ready", next(self._numbers), source, source.path.name, source.step)
        return replace(begun, prompt=prompt, seed=sampling.sample_seed, wanted=samples)

    def _stopped(self, told: Utterance) -> Utterance:
        return told.ended("stopped") if told.state in ("loading", "speaking") else told

    def _failed(self, told: Utterance, why: str) -> Utterance:
        return told.ended("failed", why)

    # The thread ------------------------------------------------------------------------------------------------------

    def _let_go(self) -> None:
        self._writings.clear()
        self._models.clear()

    def _rest(self, wish: _Wish, until: float) -> None:
        """Until that time, or until something else is wished."""
        with self._changed:
            self._changed.wait_for(lambda: self._wish is not wish, max(0.0, until - time.perf_counter()))

    def _do(self, wish: _Wish) -> None:
        said = wish.begun

        def tell(activity: str) -> None:
            self._show(wish, replace(said, activity=activity))

        tell("loading torch" if "torch" not in sys.modules else "making ready")
        load_torch()
        writing, notices = self._writing(wish, tell)
        said = replace(said, state="speaking", step=writing.speaker.step, prompt=writing.prompt, notices=notices)
        tell("reading the prompt")
        stands = len(wish.texts[0]) if wish.goes_on and wish.texts and wish.chosen is None else writing.length
        ends = stands + wish.sampling.max_new_tokens
        began = first = time.perf_counter()
        steps = 0
        while writing.length < ends:
            writing.step(lambda: tell("reading the prompt"))
            now = time.perf_counter()
            first = first if steps else now
            speed = steps * len(writing.samples) / (now - first) if steps else None
            steps += 1
            said = replace(said, activity="", samples=writing.samples, put=None)
            said = replace(said, tokens_per_second=speed, first_token_seconds=first - began)
            self._show(wish, said)
            if anyone_learns():
                self._rest(wish, now + 1 / BESIDE_A_RUN)
        self._show(wish, replace(said, samples=writing.samples).ended("finished"))

    def _writing(self, wish: _Wish, tell: Callable[[str], None]) -> tuple[Writing, tuple[str, ...]]:
        """What is to write: where it stood, or anew; and what is to be told of how its model was found."""
        from gpt_tui.core.speech.writing import Writing, put_after

        begun, sampling = wish.begun, wish.sampling
        notices: tuple[str, ...] = ()
        before = self._writings.get(wish.on.number) if wish.on is not None else None
        alike = before is not None and before.whole and _draw_alike(before.sampling, sampling)
        if before is not None and alike and wish.goes_on and wish.texts:
            writing = before
        else:
            if before is not None:
                speaker = before.speaker
            else:
                speaker, notices = self._find(wish, tell)
            if not wish.texts:
                writing = Writing.of_prompt(speaker, begun.prompt, sampling, wish.samples)
            elif wish.chosen is None:
                writing = Writing.of_texts(speaker, begun.prompt, wish.texts, sampling)
            else:
                text = [*wish.texts[0], put_after(wish.texts[0], *wish.chosen, speaker.tokenizer)]
                writing = Writing.of_texts(speaker, begun.prompt, [text] * wish.samples, sampling)
        most = writing.speaker.texts_at_once()
        if (asked := len(writing.samples)) > most:
            kept = show_size(writing.bytes)
            raise GptTuiError(
                f"{asked} samples at once would keep {kept} of this model's windows: at most {most} of it"
            )
        writing.speaker.use_threads(beside=True)
        self._keep(begun.number, writing)
        return writing, notices

    def _find(self, wish: _Wish, tell: Callable[[str], None]) -> tuple[Speaker, tuple[str, ...]]:
        """The model that is asked for: for a text that stands there, the one that wrote it, where it is to be had."""
        source, wrote = wish.begun.source, wish.begun.step
        assert source is not None
        if not wish.texts or wrote is None:
            return self._models.find(source if source.session is not None else replace(source, step=wrote), tell)
        if any(info.step == wrote for info in Run.open(source.path).checkpoints()):
            return self._models.find(Source(source.path, wrote), tell)
        speaker, notices = self._models.find(replace(source, step=None), tell)
        if speaker.step == wrote:
            return speaker, notices
        gone = f"The model of step {wrote:,}, which wrote this text, is no longer held"
        return speaker, (f"{gone}: that of step {speaker.step:,} goes on.", *notices)

    def _keep(self, number: int, writing: Writing) -> None:
        """As the latest. Of those before it, with the models that wrote them, as many stay as there is room for."""
        kept, speakers = {number: writing}, [writing.speaker]
        windows, weights = WINDOWS_KEPT - writing.bytes, WEIGHTS_KEPT
        others = [(other, before) for other, before in reversed(self._writings.items()) if other != number]
        for other, before in others[: WRITINGS_KEPT - 1]:
            windows -= before.bytes
            if before.speaker not in speakers and not self._models.has(before.speaker):
                weights -= before.speaker.model.bytes
            if min(windows, weights) < 0:
                break
            kept[other] = before
            speakers.append(before.speaker)
        self._writings = dict(reversed(kept.items()))  # at once: `model_of` may be asked meanwhile


def _draw_alike(one: SamplingConfig, other: SamplingConfig) -> bool:
    """Whether they draw the same, however long."""
    return one.model_copy(update={"max_new_tokens": other.max_new_tokens, "prompt": other.prompt}) == other
