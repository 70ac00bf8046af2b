"""Whose model speaks: a run's checkpoint, or a copy of what a session at work has, and those that spoke last.

Nothing here imports torch until a model is wanted.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import CancelledError
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from gpt_tui.core.data import Tokenizer
from gpt_tui.core.runs import Run
from gpt_tui.core.runs.checkpoints import identity
from gpt_tui.core.speech.utterance import Source

if TYPE_CHECKING:
    from gpt_tui.core.commands import Lent
    from gpt_tui.core.sampling import Speaker
    from gpt_tui.core.session import Session

MODELS_KEPT = 2
LOOK_EVERY = 0.05  # seconds between two looks at whether a session that was asked for its weights still lives


@dataclass(frozen=True)
class _Key:
    """What makes two models the same: where they came from, and which time they were saved there or lent."""

    path: Path
    checkpoint: str = ""
    written: tuple[int, int] | None = None
    lender: int = 0
    step: int = 0


@dataclass
class Models:
    """The models that spoke last, ready to speak again. Only the thread touches them."""

    _kept: OrderedDict[_Key, Speaker] = field(default_factory=OrderedDict)
    _lenders: dict[int, Session] = field(default_factory=dict)  # kept, so that no other session gets their ids

    def clear(self) -> None:
        self._kept.clear()
        self._lenders.clear()

    def find(self, source: Source, tell: Callable[[str], None]) -> tuple[Speaker, tuple[str, ...]]:
        """The model, and what is to be told of how it was found. tell: says what takes time, and raises where nobody
        waits any more. Raises GptTuiError."""
        run = Run.open(source.path)
        if source.session is None:
            speaker = self._saved(run, source.step, tell)
            notices = speaker.notices
        elif (borrowed := self._borrowed(run, source.session, tell)) is not None:
            speaker, notices = borrowed, ()
        else:
            speaker = self._saved(run, source.step, tell)
            notices = ("The run came to its end meanwhile: its newest checkpoint stands in.", *speaker.notices)
        speaker.use_threads(beside=True)
        return speaker, notices

    def has(self, speaker: Speaker) -> bool:
        return any(speaker is kept for kept in self._kept.values())

    def _keep(self, key: _Key, make: Callable[[], Speaker]) -> Speaker:
        if key not in self._kept:
            speaker = make()
            while len(self._kept) >= MODELS_KEPT:
                self._kept.popitem(last=False)
            self._kept[key] = speaker
            lenders = {kept.lender for kept in self._kept}
            self._lenders = {number: session for number, session in self._lenders.items() if number in lenders}
        self._kept.move_to_end(key)
        return self._kept[key]

    def _saved(self, run: Run, step: int | None, tell: Callable[[str], None]) -> Speaker:
        known = [info for info in run.checkpoints() if step is None or info.step == step]
        if not known:
            return _load(run, step)  # which says what there is instead
        tell(f"reading the checkpoint of step {known[-1].step:,}")
        key = _Key(run.path, known[-1].name, identity(known[-1].path))
        return self._keep(key, partial(_load, run, step))

    def _borrowed(self, run: Run, session: Session, tell: Callable[[str], None]) -> Speaker | None:
        """The model that the session has now; None where it ended before it could lend it."""
        key = _Key(run.path, lender=id(session), step=session.snapshot.step)
        if key in self._kept and session.outcome is None:
            return self._keep(key, lambda: self._kept[key])
        lent = _ask(session, tell)
        if lent is None:
            return None
        tell("copying the model")
        self._lenders[id(session)] = session
        return self._keep(replace(key, step=lent.step), partial(_copy, run, lent))


def _load(run: Run, step: int | None) -> Speaker:
    from gpt_tui.core.sampling import Speaker

    return Speaker.from_run(run, step)


def _copy(run: Run, lent: Lent) -> Speaker:
    from gpt_tui.core.sampling import Speaker

    return Speaker.of_weights(lent.weights, Tokenizer.from_json(run.record().tokenizer), lent.config, lent.step)


def _ask(session: Session, tell: Callable[[str], None]) -> Lent | None:
    """What a session at work lends; None where it ended first."""
    from gpt_tui.core.commands import Lend

    lend = Lend()
    session.submit(lend)
    try:
        while session.outcome is None:
            tell("waiting for the run to lend its weights")
            try:
                return lend.reply.result(timeout=LOOK_EVERY)
            except TimeoutError:
                continue
        return lend.reply.result(timeout=0) if lend.reply.done() else None
    except CancelledError:
        return None
    finally:
        lend.reply.cancel()
