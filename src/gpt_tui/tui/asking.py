"""Asking two models of a run the same: what they are asked, whose checkpoints were kept, and the voices that answer.

This is the part of the Samples view (views/samples.py) that knows no widgets. The view takes the keys, holds the field
and the cursor, and draws what the voices have said.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from gpt_tui.core.errors import Refusal
from gpt_tui.tui.kept import KeptLookUp
from gpt_tui.tui.places import Place, Places

if TYPE_CHECKING:
    from textual.timer import Timer

    from gpt_tui.core.config import SamplingConfig
    from gpt_tui.core.speech import Source, Speech, Utterance

LISTEN_EVERY = 0.1  # seconds between two looks at what is being said
LISTEN_SHARE = 10  # and at least this many times what a look costs
LARGEST_SEED = 2**63 - 1


@dataclass(frozen=True)
class Question:
    """What both models are asked."""

    prompt: str
    seed: int

    def with_next_seed(self) -> Question:
        return replace(self, seed=self.seed + 1 if self.seed < LARGEST_SEED else 0)


class Asking:
    """The model of a run's first evaluation and the one at the cursor, in this order wherever there are two.

    question: what they are asked; None while nobody asks
    voices:   theirs; none before somebody asks
    disk:     the steps that have a checkpoint on the disk; None until that is known, or where it cannot be told

    speech: makes a voice
    found:  is called with what is to be the new `disk`, in a thread of its own
    later:  does something after so many seconds
    draw:   is called every now and then while something is being said
    """

    def __init__(
        self,
        *,
        speech: Callable[[], Speech],
        found: Callable[[frozenset[int] | None], object],
        later: Callable[[float, Callable[[], None]], Timer],
        draw: Callable[[], object],
    ) -> None:
        self.question: Question | None = None
        self.voices: tuple[Speech, ...] = ()
        self.disk: frozenset[int] | None = None
        self._places = Places()
        self._path: Path | None = None
        self._look_up = KeptLookUp(found)
        self._make_speech, self._later, self._draw = speech, later, draw
        self._listening: Timer | None = None

    # The run ---------------------------------------------------------------------------------------------------------

    def follow(self, places: Places, path: Path | None) -> None:
        """path: the run's directory; None before it has one."""
        self._places, self._path = places, path

    def look_up(self) -> None:
        """Look for the run's checkpoints, where it may have saved since."""
        history = self._places.history
        if self._path is not None and history is not None and self._places:
            saved = history.checkpoints
            self._look_up.want(self._path, (len(saved), saved[-1:], self._places.ended))

    def forget(self) -> None:
        """Another run: nothing of the one before holds for it."""
        self.drop()
        self._look_up.forget()
        self.disk = None

    def close(self) -> None:
        self._look_up.forget()
        for voice in self.voices:
            voice.close()

    # Who can answer --------------------------------------------------------------------------------------------------

    @property
    def kept(self) -> frozenset[int]:
        """The steps with a checkpoint: as found on the disk, until that is known as the run's log tells."""
        if self.disk is not None:
            return self.disk
        history = self._places.history
        return frozenset(c.step for c in history.checkpoints) if history is not None else frozenset()

    def nearest_kept(self, step: int) -> list[int]:
        """The steps of evaluations whose checkpoint was kept, the nearest first."""
        kept = self.kept
        return sorted((p.step for p in self._places if p.step in kept), key=lambda other: abs(other - step))

    def why_nobody(self) -> str:
        """Why nobody can answer, in a sentence; empty where somebody can."""
        if self._path is None:
            return "The run has no directory yet, and so no checkpoint that could answer."
        if not self.kept:
            return "No checkpoint of this run was kept, so nobody can answer."
        if not self.nearest_kept(0):
            kept = _some_steps(self.kept)
            return f"Checkpoints were kept, but at no evaluation: step {kept}. They can speak in Generate, key 4."
        return ""

    def why_silent(self, place: Place) -> str:
        """Why there is no answer of the model of this evaluation, or none yet."""
        step = place.step
        if self.source_of(place) is not None:
            return "Asking…"
        around = sorted(self.nearest_kept(step)[:2])
        near = f" The nearest that were: {' and '.join(f'{other:,}' for other in around)}." if around else ""
        return f"The checkpoint of step {step:,} was not kept, so it cannot be asked.{near}"

    # What they are asked ---------------------------------------------------------------------------------------------

    def question_at(self, place: Place) -> Question:
        """What is asked now, or what the model of this evaluation was asked when its sample was recorded."""
        if self.question is not None:
            return self.question
        sample, sampling = place.sample, self._sampling(place.step)
        if sample is None:
            return Question(sampling.prompt, sampling.sample_seed)
        return Question(sample.prompt if sampling.prompt else "", sample.seed)  # without one: that of a new line

    def ask(self, question: Question, step: int) -> None:
        """step: whose model answers beside the first one."""
        self.question = question
        if not self.voices:
            self.voices = (self._make_speech(), self._make_speech())
        sampling = self._sampling(step)
        self._let_speak(self.voices[0], self._places.first, question, sampling)
        self._let_speak(self.voices[1], self._place_of(step), question, sampling)

    def ask_another(self, step: int) -> None:
        """Ask the model of another step the same; what the first one answers stays."""
        if self.question is not None:
            self._let_speak(self.voices[1], self._place_of(step), self.question, self._sampling(step))

    def answer(self, number: int, place: Place) -> Utterance | None:
        """What the model of an evaluation says; None where it is not asked. number: of the voice, 0 for the first."""
        said = self.voices[number].utterance if self.question is not None else None
        return None if said is None or said.state in ("silent", "stopped") or said.step != place.step else said

    def drop(self) -> bool:
        """Nothing is asked any more; False where nothing was."""
        if self.question is None:
            return False
        for voice in self.voices:
            voice.stop()
        self.question = None
        return True

    def _sampling(self, step: int) -> SamplingConfig:
        """The run's own, as it was at a step; the usual one where its log is of another version."""
        from gpt_tui.core.config import SamplingConfig

        assert self._places.history is not None
        try:
            config = self._places.history.config_at(step)
        except Refusal:
            config = None
        return config.sampling if config is not None else SamplingConfig()

    def _place_of(self, step: int) -> Place:
        return self._places[self._places.nearest_to(step)]

    def source_of(self, place: Place) -> Source | None:
        """The checkpoint of an evaluation; None where it was not kept."""
        from gpt_tui.core.speech import Source

        origin = self._places.origin
        if origin is not None and place is self._places.first:
            return Source(origin.run.path, place.step) if origin.kept else None
        return Source(self._path, place.step) if place.step in self.kept and self._path is not None else None

    def _let_speak(self, voice: Speech, place: Place, question: Question, sampling: SamplingConfig) -> None:
        """The model of an evaluation answers, where its checkpoint was kept."""
        voice.stop()
        if (source := self.source_of(place)) is None:
            return
        voice.say(source, question.prompt, sampling.model_copy(update={"sample_seed": question.seed}))
        self._listen_later(LISTEN_EVERY)

    # Listening -------------------------------------------------------------------------------------------------------

    def listen(self) -> None:
        """Have drawn what has been said since; come again while more is to come."""
        began = time.perf_counter()
        self._draw()
        if any(voice.utterance.state in ("loading", "speaking") for voice in self.voices):
            self._listen_later(max(LISTEN_EVERY, LISTEN_SHARE * (time.perf_counter() - began)))

    def _listen_later(self, seconds: float) -> None:
        if self._listening is not None:
            self._listening.stop()
        self._listening = self._later(seconds, self.listen)


def _some_steps(steps: frozenset[int]) -> str:
    known = sorted(steps)
    return ", ".join(f"{step:,}" for step in known[:3]) + (" …" if len(known) > 3 else "")
