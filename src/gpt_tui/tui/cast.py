"""Who speaks in Generate: whose model each of the two voices has, and how that is called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING

from gpt_tui.tui import figures
from gpt_tui.tui.plain import one_line
from gpt_tui.tui.shelf_checkpoints import Choice, Speaking
from gpt_tui.tui.voice import Voice
from gpt_tui.tui.watched import Own, Watched

if TYPE_CHECKING:
    from gpt_tui.core.session import Session
    from gpt_tui.core.speech import Source, Utterance


class Cast:
    """Without a choice of a person's the first voice has the run that is watched, and the second what that began with.

    watched:    the run that is watched
    fallback:   the newest run of the shelf, where none is watched
    beginnings: whose model the second voice has, by the run of the first one; filled in as it is found
    losses:     validation loss by step, of each run that is known
    """

    def __init__(self, first: Voice, second: Voice) -> None:
        self.first = first
        self.second = second
        self.watched: Watched | None = None
        self.fallback: Speaking | None = None
        self.beginnings: dict[Path, Choice] = {}
        self.losses: dict[Path, Mapping[int, float]] = {}

    @property
    def session(self) -> Session | None:
        """The session at work that has a model to lend."""
        watched = self.watched
        if not isinstance(watched, Own) or not watched.session.alive or watched.path is None:
            return None
        return watched.session if watched.snapshot.state in ("TRAINING", "PAUSED") else None

    @property
    def watched_path(self) -> Path | None:
        return self.watched.path if self.watched is not None else None

    def choice_of(self, voice: Voice) -> Choice | None:
        """What a person chose; for the second voice else what the run of the first one began with, once known."""
        if voice.choice is not None or voice is self.first:
            return voice.choice
        path = self.path_of(self.first)
        return self.beginnings.get(path) if path is not None else None

    def path_of(self, voice: Voice) -> Path | None:
        """The run whose model the voice has."""
        if (choice := self.choice_of(voice)) is not None:
            return choice.path
        if voice is self.second:
            return self.path_of(self.first)
        if self.watched is not None:
            return self.watched.path
        return self.fallback.path if self.fallback is not None else None

    def step_of(self, voice: Voice) -> int | None:
        """The checkpoint's; None is the model as it is now, or the newest checkpoint."""
        if (choice := self.choice_of(voice)) is not None:
            return choice.step
        return 0 if voice is self.second else None

    def source_of(self, voice: Voice) -> Source | None:
        from gpt_tui.core.speech import Source

        path, step = self.path_of(voice), self.step_of(voice)
        if path is None:
            return None
        return Source(path, step, self.session if step is None and path == self.watched_path else None)

    def know_loss(self, choice: Choice) -> None:
        if choice.loss is not None and choice.step is not None:
            known = self.losses.get(choice.path, {})
            self.losses[choice.path] = {**known, choice.step: choice.loss}

    # In words --------------------------------------------------------------------------------------------------------

    def called(self, voice: Voice, utterance: Utterance | None) -> list[str]:
        """Who spoke, or who will where nothing was said yet; the most telling part first."""
        path, step = self.path_of(voice), self.step_of(voice)
        if path is None:
            return ["no model yet"]
        session = self.session
        who = "newest checkpoint"
        if utterance is not None and utterance.source is not None:
            source = utterance.source
            path, step = source.path, utterance.step if utterance.step is not None else source.step
            live = "live, " if source.session is not None else ""
            if step is not None:
                who = f"{live or self._named(voice, step)}step {step:,}"
            elif live:
                who = "the model now"
        elif step is not None:
            who = f"{self._named(voice, step)}step {step:,}"
        elif session is not None and path == self.watched_path:
            step = session.snapshot.step
            who = f"the model now, step {step:,}"
        loss = self.losses.get(path, {}).get(step) if step is not None else None
        parts = [who] if loss is None else [who, f"val {figures.loss(loss)}"]
        return parts if path == self.watched_path else [*parts, one_line(path.name)]

    def _named(self, voice: Voice, step: int) -> str:
        """What stands before the step of a checkpoint, where it has a name."""
        if step == 0:
            return "untrained, "
        return "first, " if voice is self.second and voice.choice is None else ""


def pace_of(utterance: Utterance | None, stood: int | None = None) -> list[str]:
    """How it went, and how fast. stood: tokens that each sample began with; None for those of the prompt."""
    if utterance is None or utterance.state in ("silent", "loading", "failed"):
        return []
    if stood is None:
        stood = sum(1 for _ in takewhile(lambda token: token.given, utterance.tokens))
    written = max(len(utterance.tokens) - stood, 0) * len(utterance.samples)
    speed = [f"{figures.count(utterance.tokens_per_second)} tok/s"] if utterance.tokens_per_second else []
    first = utterance.first_token_seconds
    waited = [f"first after {first * 1000:.0f} ms"] if first is not None else []
    ended = ["stopped"] if utterance.state == "stopped" else []
    count = [f"{written:,} tokens"] if utterance.state != "speaking" else []
    return [*ended, *count, *speed, *waited]


def fitting(parts: Sequence[str], room: int) -> str:
    """As many of these as there is room for, the first at least."""
    shown = parts[0] if parts else ""
    for part in parts[1:]:
        longer = f"{shown} · {part}"
        if 0 < room < len(longer):
            break
        shown = longer
    return shown
