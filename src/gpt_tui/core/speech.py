"""Letting a model speak while something else goes on: one thread, one utterance at a time, the newest wish counts.

Its models are its own: a run's checkpoint, or a copy that a session at work lends between two steps. Nothing here
imports torch until something is said.
"""

from __future__ import annotations

import codecs
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Literal, overload

from gpt_tui.core.config import SamplingConfig
from gpt_tui.core.data import Tokenizer
from gpt_tui.core.errors import GptTuiError
from gpt_tui.core.runs import Run
from gpt_tui.core.runs.checkpoints import identity

if TYPE_CHECKING:
    from gpt_tui.core.commands import Lent
    from gpt_tui.core.sampling import Draw, Speaker, Weighed
    from gpt_tui.core.session import Session

MODELS_KEPT = 2
ALTERNATIVES = 8
LOOK_EVERY = 0.05  # seconds between two looks at whether a session that was asked for its weights still lives
SMALL = 20_000_000  # parameters up to which more threads cost a single token more than they save

SpeechState = Literal["silent", "loading", "speaking", "finished", "stopped", "failed"]


@dataclass(frozen=True)
class Source:
    """Whose weights speak: a checkpoint of the run at `path`, or those that a session at work on it has now.

    step: of the checkpoint; None is the newest whole one
    """

    path: Path
    step: int | None = None
    session: Session | None = None


@dataclass(frozen=True)
class Alternative:
    """A token that might have stood there. before, after: its probability before and after the sampler's filters."""

    text: str
    before: float
    after: float
    id: int


@dataclass(frozen=True)
class Spoken:
    """One token of the prompt (`given`) or of what the model wrote. Several that share a character: the last has it.

    shown: how a list shows it, as it shows each alternative: a line end as \\n, a byte of a character as \\xe2
    logprob: the model's own ln p of it, in nats; after: its probability after the sampler; rank: 1 for the likeliest
    alternatives: the likeliest tokens at this place, in order

    What the model was not asked has None and none: the first token, and those of a prompt beyond its window.
    """

    id: int
    text: str
    given: bool
    logprob: float | None = None
    after: float | None = None
    rank: int | None = None
    alternatives: tuple[Alternative, ...] = ()
    shown: str = ""


class Tokens(Sequence[Spoken]):
    """The first `count` of a list that only grows."""

    def __init__(self, growing: list[Spoken], count: int):
        self._growing = growing
        self._count = count

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, at: int) -> Spoken: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Spoken]: ...
    def __getitem__(self, at: int | slice) -> Spoken | Sequence[Spoken]:
        if isinstance(at, slice):
            return [self._growing[i] for i in range(*at.indices(self._count))]
        if not -self._count <= at < self._count:
            raise IndexError(at)
        return self._growing[at if at >= 0 else at + self._count]


@dataclass(frozen=True)
class Utterance:
    """What is being said, or was said last.

    activity:             what takes time before the first token, in words
    run, step:            whose model it is, once it is loaded
    tokens:               the prompt's first
    tokens_per_second:    from the first token that the model wrote to its newest; None before the second
    first_token_seconds:  from the loaded model to its first token
    error:                why it failed, a sentence
    """

    state: SpeechState = "silent"
    activity: str = ""
    run: str = ""
    step: int | None = None
    prompt: str = ""
    seed: int = 0
    tokens: Sequence[Spoken] = ()
    tokens_per_second: float | None = None
    first_token_seconds: float | None = None
    error: str = ""
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class _Wish:
    source: Source
    prompt: str
    sampling: SamplingConfig


class _Unwanted(Exception):
    """Something else is to be said, or nothing."""


class Speech:
    """One voice. `say`, `stop` and `close` return at once; `utterance` is what has become of what was said last."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._wish: _Wish | None = None
        self._closed = False
        self._thread: threading.Thread | None = None
        self._utterance = Utterance()
        self._models = _Models()

    @property
    def utterance(self) -> Utterance:
        return self._utterance

    def say(self, source: Source, prompt: str, sampling: SamplingConfig) -> None:
        """Let the model of `source` go on from `prompt`; an empty one starts from a newline, as everywhere."""
        with self._changed:
            if self._closed:
                return
            self._wish = _Wish(source, prompt, sampling)
            self._utterance = Utterance(
                "loading", "making ready", source.path.name, source.step, prompt, sampling.sample_seed
            )
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="gpt-tui speech", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def stop(self) -> None:
        """Say no more; what was said stays."""
        with self._changed:
            self._wish = None
            if self._utterance.state in ("loading", "speaking"):
                self._utterance = replace(self._utterance, state="stopped", activity="")

    def close(self) -> None:
        """Stop for good, and let go of the models."""
        self.stop()
        with self._changed:
            self._closed = True
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

    def _fail(self, wish: _Wish, why: str) -> None:
        try:
            self._show(wish, replace(self._utterance, state="failed", activity="", error=why))
        except _Unwanted:
            pass  # what went wrong with it concerns nobody now

    def _speak(self, wish: _Wish) -> None:
        loading = self._utterance

        def tell(activity: str) -> None:
            self._show(wish, replace(loading, activity=activity))

        tell("loading torch" if "torch" not in sys.modules else "making ready")
        speaker, notices = self._models.find(wish.source, tell)
        from gpt_tui.core.sampling import default_prompt, draws, make_sampler

        prompt, sampling, tokenizer = wish.prompt, wish.sampling, speaker.tokenizer
        ids = tokenizer.encode(prompt or default_prompt(tokenizer), field="prompt").tolist()
        said = replace(loading, state="speaking", activity="reading the prompt", step=speaker.step)
        said = replace(said, prompt=prompt or default_prompt(tokenizer), notices=notices)
        self._show(wish, said)
        teller = _Teller(tokenizer, sampling)
        tokens: list[Spoken] = []
        began = first = time.perf_counter()
        drawn = draws(speaker.model, ids, sampling, make_sampler(sampling.sample_seed))
        for draw in islice(drawn, sampling.max_new_tokens):
            now = time.perf_counter()
            if not tokens:
                first = now
                tokens += teller.given(ids, draw)
            tokens.append(teller.written(draw))
            written = len(tokens) - len(ids)
            said = replace(
                said,
                activity="",
                tokens=Tokens(tokens, len(tokens)),
                first_token_seconds=first - began,
                tokens_per_second=(written - 1) / (now - first) if written > 1 else None,
            )
            self._show(wish, said)
        self._show(wish, replace(said, state="finished"))


class _Teller:
    """Makes what was drawn into what can be shown."""

    def __init__(self, tokenizer: Tokenizer, sampling: SamplingConfig):
        self._texts = [tokenizer.token_text(token) for token in range(tokenizer.vocab_size)]
        self._sampling = sampling
        self._given = _decoder(tokenizer)
        self._written = _decoder(tokenizer)

    def given(self, ids: list[int], draw: Draw) -> Iterator[Spoken]:
        """The prompt's tokens; what the first draw read says what was expected of those in the window."""
        unread = len(ids) - len(draw.logits)
        for at, token in enumerate(ids):
            text, row = self._given(token), at - unread - 1
            if row >= 0:
                yield self._weighed(token, text, True, draw, row)
            else:
                yield Spoken(token, text, True, shown=self._texts[token])

    def written(self, draw: Draw) -> Spoken:
        return self._weighed(draw.token, self._written(draw.token), False, draw, -1)

    def _weighed(self, token: int, text: str, given: bool, draw: Draw, row: int) -> Spoken:
        from gpt_tui.core.sampling import weigh

        found: Weighed = weigh(draw.logits[row], token, self._sampling, ALTERNATIVES)
        others = tuple(Alternative(self._texts[i], before, after, i) for i, before, after in found.likeliest)
        return Spoken(token, text, given, found.logprob, found.after, found.rank, others, self._texts[token])


def _decoder(tokenizer: Tokenizer) -> Callable[[int], str]:
    """Token -> its text. A character of several bytes is whole only with its last one, which gets it."""
    if tokenizer.kind != "byte":
        return lambda token: tokenizer.decode([token])
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    return lambda token: decoder.decode(bytes([token]))


# Whose model ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Key:
    """What makes two models the same: where they came from, and which time they were saved there or lent."""

    path: Path
    checkpoint: str = ""
    written: tuple[int, int] | None = None
    lender: int = 0
    step: int = 0


@dataclass
class _Models:
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
            notices = ("The run came to its end meanwhile: its newest checkpoint speaks.", *speaker.notices)
        _one_thread_if_small(speaker)
        return speaker, notices

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


def _one_thread_if_small(speaker: Speaker) -> None:
    """Several threads for one token of a small model are slower than one, and take cores from a run that learns.

    PyTorch counts its threads for each thread of the program apart.
    """
    import torch

    from gpt_tui.core.device import resolve_threads

    wanted = 1 if speaker.model.parameter_count() <= SMALL else resolve_threads("auto")
    if torch.get_num_threads() != wanted:
        torch.set_num_threads(wanted)
