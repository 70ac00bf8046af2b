"""A voice: the thread in which a model speaks, and what it is asked for from outside."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import TYPE_CHECKING

from gpt_tui.core.commands import anyone_learns
from gpt_tui.core.config import SamplingConfig
from gpt_tui.core.errors import GptTuiError, show_size
from gpt_tui.core.speech.models import Models, one_thread_if_small
from gpt_tui.core.speech.utterance import Alternative, Source, Spoken, Utterance

if TYPE_CHECKING:
    from gpt_tui.core.speech.writing import Writing

# Tokens/s of a sample, at most, while a run learns: nobody reads faster, and the run needs the cores.
BESIDE_A_RUN = 150
WINDOWS_KEPT = 2**28  # bytes of keys and values of all these
WRITINGS_KEPT = 8  # texts that can be gone on with as if they had never been stopped


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


class _Unwanted(Exception):
    """Something else is to be said, or nothing."""


class Speech:
    """One voice. What is asked of it returns at once; `utterance` is what has become of what was asked last."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._wish: _Wish | None = None
        self._closed = False
        self._thread: threading.Thread | None = None
        self._utterance = Utterance()
        self._numbers = count(1)
        self._models = Models()
        self._writings: dict[int, Writing] = {}  # by the numbers of their texts, the latest last; the thread's own

    @property
    def utterance(self) -> Utterance:
        return self._utterance

    def say(self, source: Source, prompt: str, sampling: SamplingConfig, samples: int = 1) -> None:
        """Let the model of `source` go on from `prompt`; an empty one starts from a newline, as everywhere.

        samples: how many texts it writes, each with a seed of its own
        """
        begun = self._new(source, prompt, sampling)
        self._ask(_Wish(begun, sampling, samples))

    def go_on(self, said: Utterance, sampling: SamplingConfig) -> None:
        """Write max_new_tokens more of what this voice said, as if it had never ended: the same that would have come.

        With other settings, or where too much was said since, it is a new draw after what stands there.
        """
        begun = replace(said, state="loading", activity="making ready", error="", notices=())
        begun = replace(begun, seed=sampling.sample_seed, tokens_per_second=None, first_token_seconds=None)
        self._ask(_Wish(begun, sampling, max(1, len(said.samples)), said, said.samples))

    def branch(
        self, said: Utterance, sample: int, at: int, chosen: Alternative, sampling: SamplingConfig, samples: int = 1
    ) -> None:
        """Another text: a sample of what this voice said up to its token `at`, `chosen` in its place, and what the same
        model goes on with."""
        assert said.source is not None
        stood = said.samples[sample][at]
        begun = replace(self._new(said.source, said.prompt, sampling), run=said.run, step=said.step)
        begun = replace(begun, samples=(said.samples[sample][:at],))
        self._ask(_Wish(begun, sampling, samples, said, begun.samples, (stood, chosen)))

    def stop(self) -> None:
        """Say no more; what was said stays."""
        with self._changed:
            self._wish = None
            if self._utterance.state in ("loading", "speaking"):
                self._utterance = replace(self._utterance, state="stopped", activity="")
            self._changed.notify_all()

    def close(self) -> None:
        """Stop for good, and let go of the models."""
        self.stop()
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _new(self, source: Source, prompt: str, sampling: SamplingConfig) -> Utterance:
        begun = Utterance("loading", "making ready", next(self._numbers), source, source.path.name, source.step)
        return replace(begun, prompt=prompt, seed=sampling.sample_seed)

    def _ask(self, wish: _Wish) -> None:
        with self._changed:
            if self._closed:
                return
            self._wish, self._utterance = wish, wish.begun
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="gpt-tui speech", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    # The thread ------------------------------------------------------------------------------------------------------

    def _work(self) -> None:
        done: _Wish | None = None
        while (wish := self._next(done)) is not None:
            try:
                self._speak(wish)
            except _Unwanted:
                pass
            except GptTuiError as error:
                self._fail(wish, str(error))
            except Exception as error:  # noqa: BLE001 - told where the text would stand
                self._fail(wish, f"The model could not speak: {type(error).__name__}: {error}")
            done = wish
        self._writings.clear()
        self._models.clear()

    def _next(self, done: _Wish | None) -> _Wish | None:
        """The wish that is not fulfilled yet, once there is one; None when there will be no more."""
        with self._changed:
            while not self._closed and (self._wish is None or self._wish is done):
                self._changed.wait()
            return None if self._closed else self._wish

    def _show(self, wish: _Wish, utterance: Utterance) -> None:
        """Raises _Unwanted where nobody waits for it any more."""
        with self._changed:
            if self._wish is not wish:
                raise _Unwanted
            self._utterance = utterance

    def _rest(self, wish: _Wish, until: float) -> None:
        """Until that time, or until something else is wished."""
        with self._changed:
            self._changed.wait_for(lambda: self._wish is not wish, max(0.0, until - time.perf_counter()))

    def _fail(self, wish: _Wish, why: str) -> None:
        self._writings.pop(wish.begun.number, None)  # what broke off within a token does not go on
        try:
            self._show(wish, replace(self._utterance, state="failed", activity="", error=why))
        except _Unwanted:
            pass  # what went wrong with it concerns nobody now

    def _speak(self, wish: _Wish) -> None:
        said = wish.begun

        def tell(activity: str) -> None:
            self._show(wish, replace(said, activity=activity))

        tell("loading torch" if "torch" not in sys.modules else "making ready")
        writing, notices = self._writing(wish, tell)
        said = replace(said, state="speaking", step=writing.speaker.step, prompt=writing.prompt, notices=notices)
        tell("reading the prompt")
        ends = (len(wish.texts[0]) if wish.goes_on and wish.texts else writing.length) + wish.sampling.max_new_tokens
        began = first = time.perf_counter()
        steps = 0
        while writing.length < ends:
            writing.step(lambda: tell("reading the prompt"))
            now = time.perf_counter()
            first = first if steps else now
            speed = steps * len(writing.samples) / (now - first) if steps else None
            steps += 1
            said = replace(said, activity="", samples=writing.samples, tokens_per_second=speed)
            said = replace(said, first_token_seconds=first - began)
            self._show(wish, said)
            if anyone_learns():
                self._rest(wish, now + 1 / BESIDE_A_RUN)
        self._show(wish, replace(said, state="finished", activity="", samples=writing.samples))

    def _writing(self, wish: _Wish, tell: Callable[[str], None]) -> tuple[Writing, tuple[str, ...]]:
        """What is to write: where it stood, or anew; and what is to be told of how its model was found."""
        from gpt_tui.core.speech.writing import Writing, put_after

        begun, sampling = wish.begun, wish.sampling
        notices: tuple[str, ...] = ()
        before = self._writings.get(wish.on.number) if wish.on is not None else None
        if before is not None and wish.goes_on and wish.texts and _draw_alike(before.sampling, sampling):
            writing = before
        else:
            if before is not None:
                speaker = before.speaker
            else:
                speaker, notices = self._models.find(_source_of(begun), tell)
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
        one_thread_if_small(writing.speaker)
        self._keep(begun.number, writing)
        return writing, notices

    def _keep(self, number: int, writing: Writing) -> None:
        """As the latest. What was written by a model that is kept no longer is let go of with it."""
        self._writings.pop(number, None)
        self._writings[number] = writing
        kept, room = {number: writing}, WINDOWS_KEPT - writing.bytes
        for other, before in list(reversed(self._writings.items()))[1:WRITINGS_KEPT]:
            room -= before.bytes
            if room >= 0 and self._models.has(before.speaker):
                kept[other] = before
        self._writings = dict(reversed(kept.items()))


def _draw_alike(one: SamplingConfig, other: SamplingConfig) -> bool:
    """Whether they draw the same, however long."""
    return one.model_copy(update={"max_new_tokens": other.max_new_tokens, "prompt": other.prompt}) == other


def _source_of(begun: Utterance) -> Source:
    """The very checkpoint that spoke, where a newer one may have come."""
    assert begun.source is not None
    return begun.source if begun.source.session is not None else replace(begun.source, step=begun.step)
