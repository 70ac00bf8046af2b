"""The shelf, read and changed beside the screen: a thread of its own, whose answers come as messages.

One thing is done after the other, so that nothing is read while it is changed. Torch is not imported.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from textual.message import Message

from gpt_tui.core.errors import GptTuiError
from gpt_tui.tui.plain import one_line
from gpt_tui.tui.state import State
from gpt_tui.tui.watched import config_of

if TYPE_CHECKING:
    from gpt_tui.core.config import RunConfig
    from gpt_tui.core.events import Started
    from gpt_tui.core.runs import CheckpointInfo, History, Run, Shelf
    from gpt_tui.core.runs.history import Mark

TELL_EVERY = 0.3  # seconds between tales of how far a first reading is
REST = 15  # a reading that took a second is not made again for so many
UNREAD = State("INTERRUPTED")  # the state of a run that cannot be read
DEED_SECONDS = 5.0  # that a change to the shelf is waited for on leaving
CURVE = 48  # values that a small curve has at most


@dataclass(frozen=True)
class ShelfRun:
    """One run as a list shows it. fault: why it cannot be read; then nothing but its path and name is known.

    curve: validation losses, thinned; pins: names of checkpoints; created: ISO 8601, UTC
    config: as it is now; edits: what changed it, and at which step
    """

    path: Path
    name: str
    title: str = ""
    note: str = ""
    state: State = UNREAD
    step: int = 0
    max_iters: int = 0
    val_loss: float | None = None
    best_val_loss: float | None = None
    curve: tuple[float, ...] = ()
    parameters: int = 0
    dataset: str = ""
    created: str = ""
    pins: tuple[str, ...] = ()
    config: RunConfig | None = None
    edits: tuple[Mark, ...] = ()
    started: Started | None = None
    fault: str = ""

    @property
    def called(self) -> str:
        """Its title, or its name where it has none."""
        return self.title or self.name

    @property
    def live(self) -> bool:
        return not self.fault and not self.state.ended


@dataclass(frozen=True)
class Kept:
    """One checkpoint as a list shows it.

    val_loss:    of the evaluation at its step, where there was one that is not void
    kept_as:     why it is still kept
    left_behind: whether the run went on from an earlier step since
    """

    info: CheckpointInfo
    val_loss: float | None
    kept_as: str
    pinned: bool
    left_behind: bool = False


@dataclass
class Listed(Message):
    """The shelf as it is. total: how many runs there are, where not all of them have been read yet."""

    runs: Sequence[ShelfRun]
    total: int | None = None
    fault: str = ""


@dataclass
class Looked(Message):
    """The checkpoints of a run, the newest first. fault: why they cannot be listed."""

    path: Path
    checkpoints: Sequence[Kept]
    fault: str = ""


@dataclass
class Weighed(Message):
    """What deleting these runs would free, in bytes; asked for before a person is."""

    runs: Sequence[ShelfRun]
    bytes: int


@dataclass
class Told(Message):
    """Something was done, or could not be."""

    text: str
    failed: bool = False


@dataclass
class _Seen:
    """A run's losses by step, as far as they were read."""

    revision: int = -1
    curve: tuple[float, ...] = ()
    losses: dict[int, float] = field(default_factory=dict)


class ShelfReader:
    """Ask, and the answer comes by `tell`, which is called in the thread: `Listed`, `Looked`, `Weighed`, `Told`."""

    def __init__(self, runs_dir: Path, tell: Callable[[Message], object]) -> None:
        self.runs_dir = runs_dir
        self._tell = tell
        self._jobs: queue.SimpleQueue[tuple[Callable[[], None], bool] | None] = queue.SimpleQueue()
        self._deeds = 0  # how many changes to the shelf are asked for and not made yet
        self._counting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._listing = False  # whether a reading of the whole shelf is asked for already
        self._rested = 0.0  # when the next unasked reading may be made
        self._wanted: Path | None = None  # whose checkpoints are wanted
        self._stopped = False
        self._shelf: Shelf | None = None
        self._runs: dict[Path, Run] = {}
        self._seen: dict[Path, _Seen] = {}

    # For the screen --------------------------------------------------------------------------------------------------

    def read(self, now: bool = True) -> None:
        """Read the shelf; unless it must be now, only if the last reading was cheap or is long ago."""
        if not self._listing and (now or time.monotonic() >= self._rested):
            self._listing = True
            self._ask(self._list)

    def look(self, path: Path) -> None:
        """List the checkpoints of a run; of several asked for in a row only the last."""
        self._wanted = path
        self._ask(lambda: self._look(path))

    def change_notes(self, run: ShelfRun, *, title: str | None = None, note: str | None = None) -> None:
        changes = {name: text for name, text in (("title", title), ("note", note)) if text is not None}
        self._ask(lambda: self._change_notes(run, changes), deed=True)

    def turn_pin(self, run: ShelfRun, checkpoint: str) -> None:
        """Pin a checkpoint by its name, or take its pin away."""
        self._ask(lambda: self._turn_pin(run, checkpoint), deed=True)

    def weigh(self, runs: Sequence[ShelfRun]) -> None:
        """How much deleting these would free, unless one of them is being trained, which is told."""
        self._ask(lambda: self._weigh(runs))

    def remove(self, runs: Sequence[ShelfRun]) -> None:
        self._ask(lambda: self._remove(runs), deed=True)

    def say_holder(self, run: ShelfRun) -> None:
        """Tell which process trains a run."""
        self._ask(lambda: self._say_holder(run))

    def stop(self) -> None:
        """What was asked for is not wanted any more, except changes to the shelf: they are waited for."""
        self._stopped = True
        self._jobs.put(None)
        if self._thread is not None and self._deeds:
            self._thread.join(DEED_SECONDS)

    # In the thread ---------------------------------------------------------------------------------------------------

    def _ask(self, job: Callable[[], None], deed: bool = False) -> None:
        """deed: whether it changes the shelf, and is done even if the screen is left meanwhile."""
        if deed:
            with self._counting:
                self._deeds += 1
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="shelf", daemon=True)
            self._thread.start()
        self._jobs.put((job, deed))

    def _work(self) -> None:
        while (asked := self._jobs.get()) is not None:
            job, deed = asked
            if self._stopped and not deed:
                continue
            try:
                job()
            except GptTuiError as error:
                self._tell(Told(one_line(str(error)), failed=True))
            finally:
                if deed:
                    with self._counting:
                        self._deeds -= 1

    def _open_shelf(self) -> Shelf:
        from gpt_tui.core.runs import Shelf

        if self._shelf is None:
            self._shelf = Shelf(self.runs_dir)
        return self._shelf

    def _list(self) -> None:
        begun = told = time.monotonic()
        self._listing = False
        shelf = self._open_shelf()
        try:
            runs, broken = shelf.runs(), shelf.broken()
        except GptTuiError as error:
            self._tell(Listed((), fault=str(error)))
            return
        first = not self._runs
        self._runs = {run.path: run for run in runs}
        found: list[ShelfRun] = []
        for run in runs:
            if self._stopped:
                return
            found.append(self._of(run))
            if first and time.monotonic() - told > TELL_EVERY:
                told = time.monotonic()
                self._tell(Listed(tuple(found), total=len(runs) + len(broken)))
        self._seen = {path: seen for path, seen in self._seen.items() if path in self._runs}
        found += [ShelfRun(path, one_line(path.name), fault=_without(path, why)) for path, why in broken]
        self._tell(Listed(tuple(found)))
        self._rested = time.monotonic() + REST * (time.monotonic() - begun)

    def _of(self, run: Run) -> ShelfRun:
        try:
            summary, notes, digest = run.summary(), run.shelf_notes(), run.digest()
        except GptTuiError as error:
            return ShelfRun(run.path, run.name, fault=_without(run.path, str(error)))
        last = digest.last_eval if summary.val_loss is None else None  # one that was stopped ends without a loss
        state = State.on_disk(summary.state)
        if state.word == "TRAINING" and digest.state_word == "PAUSED":
            state = State("PAUSED")
        return ShelfRun(
            run.path,
            run.name,
            title=notes.title,
            note=notes.note,
            state=state,
            step=summary.step,
            max_iters=summary.max_iters,
            val_loss=last.val_loss if last else summary.val_loss,
            best_val_loss=summary.best_val_loss,
            curve=self._seen_of(run.path, digest).curve,
            parameters=summary.parameters,
            dataset=summary.dataset,
            created=summary.created,
            pins=notes.pins,
            config=config_of(digest) or run.config(),
            edits=tuple(digest.edit_marks),
            started=digest.started,
        )

    def _seen_of(self, path: Path, digest: History) -> _Seen:
        seen = self._seen.setdefault(path, _Seen())
        if seen.revision != digest.revision:
            seen.revision = digest.revision
            seen.curve = curve_of(digest)
            seen.losses = {e.step: e.val_loss for e in digest.evals}
        return seen

    def _look(self, path: Path) -> None:
        from gpt_tui.core.runs import still_kept_as

        if path != self._wanted:
            return
        try:
            run = self._find(path)
            infos, pins = run.checkpoints(), run.shelf_notes().pins
            digest = run.digest()
            losses, behind = self._seen_of(path, digest).losses, digest.left_behind(infos)
        except GptTuiError as error:
            self._tell(Looked(path, (), fault=str(error)))
            return
        still = still_kept_as([info.reason or "" for info in infos])
        kept = [
            Kept(
                info,
                None if (left_behind := info.name in behind) else losses.get(info.step),
                why if info.reason else info.kept_as,
                info.name in pins,
                left_behind,
            )
            for info, why in zip(reversed(infos), reversed(still), strict=True)
        ]
        self._tell(Looked(path, tuple(kept)))

    def _find(self, path: Path) -> Run:
        """The run that the shelf has open already, with what was read of its log. Raises GptTuiError."""
        from gpt_tui.core.runs import Run

        return self._runs.get(path) or Run.open(path)

    def _change_notes(self, run: ShelfRun, changes: dict[str, str]) -> None:
        from gpt_tui.core.runs import ShelfNotes

        opened = self._find(run.path)
        notes = opened.shelf_notes()
        opened.replace_shelf_notes(ShelfNotes.model_validate({**notes.model_dump(), **changes}))
        self.read()

    def _turn_pin(self, run: ShelfRun, checkpoint: str) -> None:
        opened = self._find(run.path)
        notes = opened.shelf_notes()
        pinned = checkpoint in notes.pins
        pins = tuple(p for p in notes.pins if p != checkpoint) if pinned else (*notes.pins, checkpoint)
        opened.replace_shelf_notes(notes.model_copy(update={"pins": pins}))
        how = "is no longer pinned" if pinned else "is pinned: it is kept whatever comes"
        self._tell(Told(f"Checkpoint {checkpoint} {how}."))
        self.read()
        self._look(run.path)

    def _weigh(self, runs: Sequence[ShelfRun]) -> None:
        for run in runs:
            if (why := holder(run)) is not None:
                self._tell(Told(f"{run.called} is not deleted: {why}", failed=True))
                return
        self._tell(Weighed(runs, sum(size_of(run.path) for run in runs)))

    def _remove(self, runs: Sequence[ShelfRun]) -> None:
        shelf, gone = self._open_shelf(), []
        for run in runs:
            try:
                shelf.remove(self._find(run.path))
            except GptTuiError as error:
                self._tell(Told(one_line(f"{run.called} is not deleted: {error}"), failed=True))
                continue
            gone.append(run)
        if gone:
            self._tell(Told(f"{gone[0].called} is deleted." if len(gone) == 1 else f"{len(gone)} runs are deleted."))
        self.read()

    def _say_holder(self, run: ShelfRun) -> None:
        why = holder(run)
        self._tell(Told(f"{why}; enter shows it." if why else f"{run.called} is not at work any more: press again."))
        self.read()


def _without(path: Path, why: str) -> str:
    """Why a run cannot be read, without its path, which is told beside it."""
    return why.removeprefix(f"{path} ")


def curve_of(history: History) -> tuple[float, ...]:
    """The validation losses, at most `CURVE` of them, the newest among them."""
    losses = [e.val_loss for e in history.evals]
    return tuple(thinned(losses, CURVE))


def thinned(values: Sequence[float], most: int) -> list[float]:
    """As many values, evenly spread, the first and the last among them."""
    if len(values) <= most:
        return list(values)
    if most < 2:
        return list(values[-most:]) if most else []
    return [values[round(i * (len(values) - 1) / (most - 1))] for i in range(most)]


def holder(run: ShelfRun) -> str | None:
    """Who trains a run, in words; None where nobody does."""
    from gpt_tui.core.runs.lock import is_held, read_owner

    if not is_held(run.path):
        return None
    return f"{run.name} is being trained by {read_owner(run.path) or 'another process'}"


def size_of(path: Path) -> int:
    """Bytes of all the files of a run, as far as they can be counted."""
    total = 0
    for file in path.rglob("*"):
        try:
            total += file.lstat().st_size
        except OSError:
            continue  # gone meanwhile, or not ours to see: what is left is what is told
    return total


def with_history(run: ShelfRun, history: History, state: State) -> ShelfRun:
    """A run's row as the history of a session at work has it by now."""
    last, best, config = history.last_eval, history.best, config_of(history)
    return replace(
        run,
        state=state,
        step=history.step,
        max_iters=config.training.max_iters if config else run.max_iters,
        val_loss=last.val_loss if last else None,
        best_val_loss=best.val_loss if best else None,
        curve=curve_of(history),
        config=config or run.config,
        edits=tuple(history.edit_marks),
    )
