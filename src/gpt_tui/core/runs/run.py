"""A run on disk: `Run` reads it (finished, or being written by another process: the same), `RunWriter` writes it."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Mapping
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, field_validator

from gpt_tui.core.config import RunConfig, build_kept, from_sections, layer_of, read_document
from gpt_tui.core.errors import GptTuiError, NewerVersion, Refusal, refuse_newer, refuse_unknown, shorten
from gpt_tui.core.events import Count, DatasetRecord, Event, Failed, Finished, Number, Parent, Size, Started
from gpt_tui.core.files import SIGNATURE, is_abandoned, is_link, open_regular, read_small, reason, replace_whole
from gpt_tui.core.runs import checkpoints as store
from gpt_tui.core.runs.checkpoints import CheckpointInfo, LoadedCheckpoint, load_checkpoint
from gpt_tui.core.runs.history import History
from gpt_tui.core.runs.lock import RunLock, is_held
from gpt_tui.core.runs.log import LOG_NAME, EventLog, LogTail, Unread, version_of
from gpt_tui.core.runs.summary import RunState, RunSummary
from gpt_tui.core.runs.tensors import CorruptCheckpoint
from gpt_tui.core.shapes import FLOAT, parameters

if TYPE_CHECKING:
    from torch import Tensor

CONFIG_NAME = "config.toml"
CONFIG_VERSION = 1
RECORD_NAME = "run.json"
NOTES_NAME = "shelf.json"

_MAX_RECORD = 64 << 20  # a vocabulary of every character there is fits ten times
_MAX_NOTES = 1 << 20
_HALF_WRITTEN = re.compile(rf"\.(?:shelf\.json|run\.owner)\.tmp-{SIGNATURE}", re.ASCII)
_NOTES_VERSION = 1
_MAX_TITLE = 200
_MOST_CHARACTERS = 0x110000  # that Unicode has room for
_ROOM = 1 << 20  # bytes for counts of steps and places in streams of randomness


class Branch(BaseModel):
    """Where on its parent's course a fork began, which the name and the step of a checkpoint may not tell.

    created: that of the parent, whose name another run may have by now. checkpoint: its name, and mentions: how often
    the parent's log had named it then: a pruned one's name is free again.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    created: str
    checkpoint: str
    mentions: Count


class RunRecord(BaseModel):
    """`run.json`: what a run was made with. Written once.

    created: ISO 8601, UTC. versions: of gpt_tui, python, torch, numpy. source: where the dataset came from.
    tokenizer: its own JSON, with the vocabulary. ladder: nats per character by rung.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", ser_json_inf_nan="null")

    v: Literal[1] = 1
    created: str
    versions: dict[str, str]
    platform: str
    cpu: str
    device: str
    dtype: str
    threads: Size
    dataset: DatasetRecord
    source: str
    tokenizer: dict[str, JsonValue]
    parameters: Count
    ladder: dict[str, Number]
    passage: str
    parent: Parent | None = None
    branch: Branch | None = None

    def started(self, path: Path, config: RunConfig) -> Started:
        """The event with which the log of the run begins."""
        return Started(
            run=path.name,
            path=str(path),
            created=self.created,
            config=config.sections(),
            parameters=self.parameters,
            dataset=self.dataset,
            device=self.device,
            dtype=self.dtype,
            threads=self.threads,
            ladder=self.ladder,
            passage=self.passage,
            parent=self.parent,
        )


class ShelfNotes(BaseModel):
    """`shelf.json`: what a person adds to a run. pins: names of checkpoints that are kept whatever comes."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    v: Annotated[int, Field(strict=True, ge=1)] = _NOTES_VERSION  # of a newer one, what this program knows is read
    title: Annotated[str, Field(max_length=100_000)] = ""
    note: Annotated[str, Field(max_length=1_000_000)] = ""
    pins: tuple[str, ...] = ()

    @field_validator("title")
    @classmethod
    def _one_visible_line(cls, title: str) -> str:
        return shorten(title, _MAX_TITLE)

    @field_validator("note")
    @classmethod
    def _visible_lines(cls, note: str) -> str:
        return "\n".join(shorten(line, len(line) * 10) for line in note.splitlines())


class Run:
    """A run's directory, to be read. Opening one needs no torch and no lock, and never writes."""

    def __init__(self, path: Path, config: RunConfig, record: RunRecord):
        self.path = path
        self._config = config
        self._record = record
        self._digest = History()
        self._digest_tail = self.tail(thin=True)

    @classmethod
    def open(cls, path: Path | str) -> Run:
        """Raises GptTuiError, which says why the directory is not a run."""
        path = Path(path)
        path = path.resolve() if ".." in path.parts else path.absolute()
        if not path.name.isprintable():
            raise GptTuiError(f"the directory {shorten(str(path), 200)} has control characters in its name: rename it")
        try:
            if not path.is_dir():
                raise GptTuiError(f"there is no run at {path}")
            if not (path / RECORD_NAME).is_file():
                raise GptTuiError(f"{path} is not a run: it has no {RECORD_NAME}")
        except OSError as error:  # a directory that others may not look into
            raise GptTuiError(f"{path} cannot be read: {reason(error)}") from None
        return cls(path, read_config(path / CONFIG_NAME), read_record(path / RECORD_NAME))

    @property
    def name(self) -> str:
        return self.path.name

    def config(self) -> RunConfig:
        """The configuration that the run began with; `history().config` has the edits applied."""
        return self._config

    def record(self) -> RunRecord:
        return self._record

    def started(self) -> Started:
        """How the run began, by the files that were written before its log."""
        return self._record.started(self.path, self._config)

    def tail(self, *, thin: bool = False, whole_to: int = 0) -> LogTail:
        """A reader of the log from its start on, see `LogTail`; poll it as long as the run is of interest."""
        return LogTail(self.path / LOG_NAME, self.started(), thin=thin, whole_to=whole_to)

    def history(self) -> History:
        """What the whole log adds up to now. Raises GptTuiError where the log cannot be read."""
        history, tail = History(), self.tail()
        _read_on(tail, history)
        history.skipped += tail.skipped
        return history

    def digest(self) -> History:
        """As `history`, without samples and with few step rows: what a list needs, kept and read on at each call."""
        _read_on(self._digest_tail, self._digest)
        return self._digest

    def unread(self) -> Unread:
        """The lines of the log that are no events. Raises GptTuiError where the log cannot be read."""
        self.digest()
        return self._digest_tail.unread

    def state(self) -> RunState:
        """live while a process holds the lock; without one and without an end, interrupted."""
        if is_held(self.path):
            return "live"
        end = self.digest().end
        if end is None:
            return "interrupted"
        if isinstance(end, Failed):
            return "failed"
        return "stopped" if end.reason in ("stopped", "signal") else "finished"

    def summary(self) -> RunSummary:
        state = self.state()
        digest, record = self.digest(), self._record
        edits = [edit.changes["max_iters"][1] for edit in digest.edits if "max_iters" in edit.changes]
        max_iters = edits[-1] if edits and isinstance(edits[-1], int) else self._config.training.max_iters
        last, best, end = digest.last_eval, digest.best, digest.end
        whole = end if isinstance(end, Finished) else None
        return RunSummary(
            name=self.name,
            title=self.shelf_notes().title,
            path=str(self.path),
            state=state,
            step=digest.step,
            max_iters=max_iters,
            val_loss=_finite(whole.val_loss if whole else last.val_loss if last else None),
            best_val_loss=_finite(whole.best_val_loss if whole else best.val_loss if best else None),
            best_step=whole.best_step if whole else best.step if best else None,
            parameters=record.parameters,
            dataset=shorten(record.dataset.name, _MAX_TITLE),
            created=shorten(record.created),
        )

    def checkpoints(self) -> list[CheckpointInfo]:
        """In the order they were saved, oldest first; damaged ones among them, without a reason."""
        return store.list_checkpoints(self.path)

    def shelf_notes(self) -> ShelfNotes:
        """What a person added; nothing where `shelf.json` is missing or is not one."""
        try:
            return read_notes(self.path / NOTES_NAME)
        except GptTuiError:  # a stranger's file: no reason not to show the run
            return ShelfNotes()

    def replace_shelf_notes(self, notes: ShelfNotes) -> None:
        """Write `shelf.json` whole; may be done while the run trains.

        Raises GptTuiError, also for one that a newer version wrote: what only that one knows of would be lost.
        """
        self._refuse_newer_notes()
        content = json.dumps({**notes.model_dump(mode="json"), "v": _NOTES_VERSION}, ensure_ascii=False, indent=1)
        try:
            replace_whole(self.path / NOTES_NAME, content.encode())
        except OSError as error:
            raise GptTuiError(f"{self.path / NOTES_NAME} cannot be written: {reason(error)}") from None

    def _refuse_newer_notes(self) -> None:
        path = self.path / NOTES_NAME
        try:
            version = read_notes(path).v
        except NewerVersion:
            raise
        except GptTuiError:
            return  # what cannot be read by anybody is not lost by being replaced
        refuse_newer(version, path, _NOTES_VERSION)


def _read_on(tail: LogTail, history: History) -> None:
    tail.feed(history)
    while not tail.at_end:
        tail.feed(history)


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def read_config(path: Path) -> RunConfig:
    """The configuration in a run's `config.toml`. Raises GptTuiError, which names the file."""
    try:
        with open_regular(path):  # a pipe or a device might keep its reader for ever
            pass
        document = read_document(path)
        refuse_newer(document.get("v"), path, CONFIG_VERSION)
        return build_kept(layer_of(document, str(path), str(path)).values)
    except OSError as error:
        raise GptTuiError(f"{path} cannot be read: {reason(error)}") from None
    except Refusal as error:
        raise GptTuiError(f"{path} is no configuration of this version: {shorten(str(error), 500)}") from None


def read_record(path: Path) -> RunRecord:
    """What a run's `run.json` says. Raises GptTuiError, which names the file."""
    try:
        content = read_small(path, _MAX_RECORD)
    except OSError as error:
        raise GptTuiError(f"{path} cannot be read: {reason(error)}") from None
    try:
        return RunRecord.model_validate_json(content)
    except ValidationError as error:
        refuse_unknown(version_of(content), path)
        fault = error.errors(include_url=False, include_input=False)[0]
        where = shorten(".".join(str(part) for part in fault["loc"]))
        raise GptTuiError(f"{path} is not a run's record: {' '.join(filter(None, (where, fault['msg'])))}") from None


def read_notes(path: Path) -> ShelfNotes:
    """What a run's `shelf.json` says, nothing where there is none. Raises GptTuiError, which names the file."""
    content = b""
    try:
        content = read_small(path, _MAX_NOTES)
        return ShelfNotes.model_validate_json(content)
    except FileNotFoundError:
        return ShelfNotes()
    except OSError as error:
        raise GptTuiError(f"{path} cannot be read: {reason(error)}") from None
    except ValueError:
        refuse_unknown(version_of(content), path, _NOTES_VERSION)
        raise GptTuiError(f"{path} holds no title, note and pins that can be read") from None


def half_written(run: Path) -> list[Path]:
    """Files with which processes that are gone were about to replace `shelf.json` or the lock's owner.

    Raises GptTuiError where the directory cannot be read.
    """
    try:
        found = [(path, _HALF_WRITTEN.fullmatch(path.name)) for path in run.iterdir()]
    except OSError as error:
        raise GptTuiError(f"{run} cannot be read: {reason(error)}") from None
    return sorted(path for path, name in found if name and not is_link(path) and is_abandoned(path, name))


def _clean_up(run: Path) -> None:
    """Remove what processes that died left half-made in a run's directory. Only for the holder of the lock."""
    store.clean_leftovers(run)
    for path in half_written(run):
        try:
            path.unlink()
        except OSError:
            pass  # what cannot be deleted now is no reason not to train; the next writer tries again


def newest_whole_checkpoint(
    run: Run, step: int | None = None, *, to_train: bool = True
) -> tuple[CheckpointInfo, LoadedCheckpoint, list[str]]:
    """The checkpoint saved last (of all, or at `step`) whose checksums hold, and what to tell about those that do not.

    to_train: else only the weights are read, and the file of what the trainer needs may be damaged.
    One that the run left behind when it went on from an earlier step comes after all that lie on its course.
    Raises Refusal where the run has none at `step`, CorruptCheckpoint where all are damaged, NewerVersion where the one
    to use was saved by a newer version, GptTuiError where there is none at all.
    """
    while True:
        try:
            return _newest_whole(run, run.checkpoints(), step, to_train)
        except _Pruned:  # by who trains the run, which has saved a newer one then
            continue


class _Pruned(Exception):
    """A checkpoint went away while it was being read."""


def _newest_whole(
    run: Run, known: list[CheckpointInfo], step: int | None, to_train: bool
) -> tuple[CheckpointInfo, LoadedCheckpoint, list[str]]:
    wanted = [info for info in known if step is None or info.step == step]
    if not known:
        raise GptTuiError(f"{run.name} has no checkpoint yet")
    if not wanted:
        steps = sorted({info.step for info in known}, key=lambda s: abs(s - (step or 0)))
        near = ", ".join(str(s) for s in sorted(steps[:5]))
        raise Refusal.one(f"{run.name}@{step}", None, f"there is no checkpoint of that step; near it are {near}")
    notices: list[str] = []
    behind = run.digest().left_behind(known)
    wanted.sort(key=lambda info: info.name not in behind)
    for info in reversed(wanted):
        seen = store.identity(info.path)
        try:
            loaded = load_checkpoint(info.path, partial(_most_bytes, run), to_train=to_train)
        except CorruptCheckpoint as error:
            if seen is None or store.identity(info.path) != seen:
                raise _Pruned from None
            notices.append(str(error))
            continue
        except NewerVersion as error:
            raise NewerVersion(f"{error}; an older one of {run.name} can be named, with its step behind an @") from None
        if notices:
            course = ", of a course that the run left behind" if info.name in behind else ""
            notices.append(f"checkpoint {info.name} is used, the newest that is whole{course}")
        return info, loaded, notices
    raise CorruptCheckpoint(
        f"{run.name} has no whole checkpoint{'' if step is None else f' of step {step}'}: " + "; ".join(notices)
    )


def _most_bytes(run: Run, record: store.State) -> dict[str, int]:
    """How much a checkpoint's files can hold: weights in float32, and two averages of each beside them."""
    told = record.state.get("config")
    try:
        config = from_sections(told, "") if isinstance(told, dict) else run.config()
    except Refusal:
        config = run.config()
    vocab_size = min(run.record().dataset.vocab_size, _MOST_CHARACTERS)
    weights = FLOAT * parameters(config.model, vocab_size)
    return {store.MODEL: weights + _ROOM, store.TRAINER: 2 * weights + _ROOM}


class RunWriter:
    """The writing end of a run, for the one process that trains it: holds the lock from opening to `close`.

    No thread works here: the caller's loop calls `flush` at least once a second; saving flushes too.
    """

    def __init__(self, run: Run):
        """Takes the lock, cleans up after a writer that died, opens the log. Raises RunIsHeld, GptTuiError."""
        self.run = run
        self._saved: CheckpointInfo | None = None  # the newest of all; None where the disk has to be asked
        self._untidy = False  # whether a save failed that may have left something half-made
        self._lock = RunLock(run.path)
        self._lock.acquire()
        try:
            _clean_up(run.path)
            self._log = EventLog(run.path / LOG_NAME)
        except BaseException:
            self._lock.release()
            raise

    def append(self, event: Event) -> None:
        """Add an event to the log; it waits in memory until the next flush or save."""
        self._log.append(event)

    @property
    def waiting(self) -> int:
        """Bytes of the log that wait in memory."""
        return self._log.waiting

    def flush(self) -> None:
        """Write the waiting events. Raises GptTuiError; they keep waiting then, and the log stays as it was."""
        self._find_directory()
        self._log.flush()

    def save_checkpoint(
        self,
        step: int,
        model: Mapping[str, Tensor],
        trainer: Mapping[str, Tensor],
        state: Mapping[str, JsonValue],
        reason: str,
    ) -> Path:
        """Save a checkpoint, whole or not at all, after the log of what led to it; returns its directory.

        reason: one word or several ("interval, best"). Raises GptTuiError.
        """
        self._find_directory()
        self._log.flush(to_disk=True)
        known = self.run.checkpoints() if self._saved is None else [self._saved]
        sequence = store.next_sequence(known)
        try:
            saved = store.save_checkpoint(self.run.path, step, model, trainer, state, reason, sequence)
        except BaseException:
            self._untidy = True  # what takes no more may not let go of what it has either
            raise
        if self._untidy:
            store.clean_leftovers(self.run.path)
            self._untidy = False
        self._saved = saved
        return saved.path

    def _find_directory(self) -> None:
        """Write only into the run's own directory, which may be moved away, deleted, brought back or mounted anew.

        Raises GptTuiError where it is not there, and RunIsHeld where another process has found it first.
        """
        path = self.run.path
        if not self._lock.is_in_place:
            if Run.open(path).record() != self.run.record():
                raise GptTuiError(f"{path} is another run's now")
            self._lock.release()
            self._saved = None
            self._lock.acquire()
        self._log.find_file()

    def prune(self, keep: Collection[int] = (), newest: int | None = None) -> list[CheckpointInfo]:
        """Remove superseded checkpoints (see `checkpoints.superseded`) but pinned ones and those of the steps `keep`.

        newest: how many of those of an interval are kept; None keeps all.
        Returns what was removed. One that cannot be removed now (open in another program) stays until the next time.
        Raises GptTuiError where the checkpoints do not lie in the run's own directory, or where it cannot be told
        which are pinned; then nothing is removed. Raises it too where one is a link, when the others are removed.
        """
        removed = []
        left_alone: GptTuiError | None = None
        self._find_directory()
        pins = read_notes(self.run.path / NOTES_NAME).pins
        known, saved = self.run.checkpoints(), self._saved
        if saved is not None and store.next_sequence(known) != store.next_sequence([saved]):
            self._saved = None  # somebody put a newer one there
        for info in store.superseded(known, pins, newest):
            if info.step in keep or (saved is not None and info.name == saved.name):
                continue
            try:
                store.remove_checkpoint(info)
            except OSError:
                continue
            except GptTuiError as error:
                left_alone = left_alone or error
                continue
            removed.append(info)
        if left_alone is not None:
            raise left_alone
        return removed

    def close(self) -> None:
        """Write what waits and release the lock, in any case. Raises GptTuiError where the log cannot be written."""
        try:
            if self._lock.is_taken and not self._log.closed:
                self.flush()
        finally:
            try:
                if self._lock.is_taken:
                    self._log.close()
                else:  # another process has found the run first: its log is not ours any more
                    self._log.discard()
            finally:
                self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
