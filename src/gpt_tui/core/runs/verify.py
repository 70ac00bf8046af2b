"""Whether a run on disk is whole: each of its files is read and checked against the others. Writes nothing.

What a crash leaves behind, and the next writer clears away or mends, is told apart from what is lost.
"""

from __future__ import annotations

import json
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from gpt_tui.core.config import RunConfig, difference, from_sections
from gpt_tui.core.errors import GptTuiError, NewerVersion, Refusal, refuse_newer, shorten
from gpt_tui.core.events import AnyEvent, Continued, Finished, Notice, Started, Step
from gpt_tui.core.files import HARD_LINK, checksum_of, is_hard_link, is_link, open_regular, reason
from gpt_tui.core.runs import checkpoints as store
from gpt_tui.core.runs.checkpoints import CheckpointInfo
from gpt_tui.core.runs.lock import LOCK_NAME, is_held
from gpt_tui.core.runs.log import LOG_NAME, MAX_LINE, Unread
from gpt_tui.core.runs.run import (
    CONFIG_NAME,
    NOTES_NAME,
    RECORD_NAME,
    Run,
    RunRecord,
    half_written,
    read_config,
    read_notes,
    read_record,
)
from gpt_tui.core.runs.summary import RunState
from gpt_tui.core.runs.tensors import (
    OTHER_CHECKSUM,
    CorruptCheckpoint,
    FileRecord,
    Reading,
    digest,
    open_tensors,
    read_table,
)

Progress = Callable[[int, int], object]

_TELL = 4 << 20  # bytes between two reports of how far it is
_TOLD = 5  # faults of one kind that are told one by one


@dataclass(frozen=True)
class FileFault:
    """One thing that is not as it was written. file: below the run's directory; message: what is wrong with it."""

    file: str
    message: str


@dataclass(frozen=True)
class Verdict:
    """What was found in a run's directory.

    state:     None where the run cannot be opened
    bytes:     that were read; checkpoints: that there are; steps: that the log tells of, after every `continued`
    faults:    none for a run that is whole
    leftovers: files and directories that the next writer clears away
    """

    path: Path
    state: RunState | None
    bytes: int
    checkpoints: int
    steps: int
    faults: tuple[FileFault, ...]
    leftovers: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def whole(self) -> bool:
        return not self.faults


def verify(path: Path, progress: Progress = lambda done, total: None) -> Verdict:
    """Check every file in a run's directory, also while the run is being trained. Never raises for what it finds.

    progress: is told every few megabytes how many bytes were read, and of how many
    """
    return _Check(path, progress).verdict()


def checkpoint_faults(path: Path, reading: Reading = lambda size: None) -> list[FileFault]:
    """What is wrong with a checkpoint; files are named below its directory. reading: is told of bytes as they come."""
    try:
        record = store.read_state(path)
    except (CorruptCheckpoint, NewerVersion) as error:
        return [
            FileFault(store.STATE, _bare(str(error), f"checkpoint {path.name} ", "is damaged: ", store.STATE + " "))
        ]
    faults = []
    for name in (store.MODEL, store.TRAINER):
        try:
            _check_tensors(path / name, record.files[name], reading)
        except CorruptCheckpoint as error:
            faults.append(FileFault(name, str(error)))
    return faults


def _bare(sentence: str, *starts: str) -> str:
    """A sentence without what it begins with, where that stands beside it already."""
    for start in starts:
        sentence = sentence.removeprefix(start)
    return sentence


class _Check:
    """One run while it is being checked."""

    def __init__(self, path: Path, progress: Progress):
        self.path = path
        self._progress = progress
        self._faults: list[FileFault] = []
        self._read = self._told = self._total = 0

    def verdict(self) -> Verdict:
        live = is_held(self.path)
        checkpoints = self._list()  # before the log, which never lags behind them
        self._total = sum(map(_size, self._files(checkpoints)))
        self._look_for_links()
        config, record = self._config(), self._record()
        self._notes({info.name for info in checkpoints})
        whole = [info for info in checkpoints if self._is_whole(info)]
        log = _LogCheck(live or is_held(self.path))  # somebody may have begun to train it meanwhile
        self._check_log(log, config, record, whole)
        return Verdict(
            path=self.path,
            state=self._state(),
            bytes=self._read,
            checkpoints=len(checkpoints),
            steps=log.steps,
            faults=tuple(self._faults),
            leftovers=() if live else tuple(self._leftovers()),
        )

    def _tell(self, file: str, message: str) -> None:
        self._faults.append(FileFault(file, shorten(message, 500)))

    def _tell_error(self, file: str, error: GptTuiError) -> None:
        path = str(self.path / file)
        self._tell(file, _bare(str(error), f"{path} ", "is no configuration of this version: ", f"{path}: "))

    def _count(self, size: int) -> None:
        self._read += size
        if self._read - self._told >= _TELL:
            self._told = self._read
            self._progress(self._read, max(self._read, self._total))

    def _files(self, checkpoints: Iterable[CheckpointInfo]) -> Iterator[Path]:
        for name in (CONFIG_NAME, RECORD_NAME, NOTES_NAME, LOG_NAME):
            yield self.path / name
        for info in checkpoints:
            for name in (store.MODEL, store.TRAINER, store.STATE):
                yield info.path / name

    def _look_for_links(self) -> None:
        for name in (CONFIG_NAME, RECORD_NAME, NOTES_NAME, LOG_NAME, LOCK_NAME, store.DIRECTORY):
            if is_link(self.path / name):
                self._tell(name, "is a link to another place")
        for name in (LOG_NAME, LOCK_NAME):  # which are written in place; the others are replaced, or left as they are
            if is_hard_link(self.path / name):
                self._tell(name, f"is a hard link, {HARD_LINK}: the run cannot go on")

    def _config(self) -> RunConfig | None:
        try:
            config = read_config(self.path / CONFIG_NAME)
        except GptTuiError as error:
            self._tell_error(CONFIG_NAME, error)
            return None
        self._count(_size(self.path / CONFIG_NAME))
        return config

    def _record(self) -> RunRecord | None:
        try:
            record = read_record(self.path / RECORD_NAME)
        except GptTuiError as error:
            self._tell_error(RECORD_NAME, error)
            return None
        self._count(_size(self.path / RECORD_NAME))
        kept = record.tokenizer
        if not kept.keys() <= {"kind", "characters", "sha256"} or kept.get("sha256", checksum_of(kept)) != checksum_of(
            kept
        ):
            self._tell(RECORD_NAME, "holds a vocabulary that is not the one that was written")
        return record

    def _notes(self, checkpoints: set[str]) -> None:
        path = self.path / NOTES_NAME
        try:
            notes = read_notes(path)
            refuse_newer(notes.v, path)
        except GptTuiError as error:
            self._tell_error(NOTES_NAME, error)
            return
        self._count(_size(path))
        for pin in notes.pins:
            if pin not in checkpoints:
                self._tell(NOTES_NAME, f"pins the checkpoint {pin}, which is not there")

    def _list(self) -> list[CheckpointInfo]:
        try:
            return store.list_checkpoints(self.path)
        except GptTuiError as error:
            self._tell_error(store.DIRECTORY, error)
            return []

    def _is_whole(self, info: CheckpointInfo) -> bool:
        seen = store.identity(info.path)
        faults = checkpoint_faults(info.path, self._count)
        self._count(_size(info.path / store.STATE))
        if seen is None or store.identity(info.path) != seen:
            return False  # pruned meanwhile by who trains the run
        for fault in faults:
            self._tell(f"{store.DIRECTORY}/{info.name}/{fault.file}", fault.message)
        return not faults

    def _check_log(
        self, log: _LogCheck, config: RunConfig | None, record: RunRecord | None, whole: list[CheckpointInfo]
    ) -> None:
        try:
            log.read(self.path / LOG_NAME, self._count)
        except FileNotFoundError:
            if whole:
                self._tell(LOG_NAME, "is missing, though there are checkpoints")
            return
        except OSError as error:
            self._tell(LOG_NAME, f"cannot be read: {reason(error)}")
            return
        for faults, rest in ((log.lines, "more lines that are no events"), (log.faults, "more faults of its steps")):
            for fault in faults[:_TOLD]:
                self._tell(LOG_NAME, fault)
            if len(faults) > _TOLD:
                self._tell(LOG_NAME, f"has {len(faults) - _TOLD:,} {rest}")
        for info in whole:
            if info.step > log.furthest:
                self._tell(LOG_NAME, f"reaches only step {log.furthest:,}, though there is the checkpoint {info.name}")
                break
        if log.started is not None:
            self._compare(log.started, config, record)

    def _compare(self, started: Started, config: RunConfig | None, record: RunRecord | None) -> None:
        """The log begins with what stands in the files that have no checksum of their own."""
        try:
            told = from_sections(started.config, "")
        except Refusal as error:
            self._tell(LOG_NAME, f"begins with a configuration that is none: {error}")
        else:
            if config is not None and (other := difference(told, config)):
                self._tell(CONFIG_NAME, f"has another {', '.join(other)} than the run began with")
        if record is not None:
            one, two = json.loads(started.model_dump_json()), json.loads(record.model_dump_json())
            if other_facts := [name for name in two if name != "v" and name in one and one[name] != two[name]]:
                self._tell(RECORD_NAME, f"has another {', '.join(other_facts)} than the run began with")

    def _state(self) -> RunState | None:
        try:
            return Run.open(self.path).state()
        except GptTuiError:
            return None  # why it cannot be opened is among the faults

    def _leftovers(self) -> Iterator[str]:
        found = store.leftovers(self.path)
        try:
            found += half_written(self.path)
        except GptTuiError:
            pass  # a directory that cannot be read has been told of
        for path in found:
            yield path.relative_to(self.path).as_posix()


def _size(path: Path) -> int:
    """Bytes of a regular file; 0 where there is none."""
    try:
        found = path.stat()
    except OSError:
        return 0
    return found.st_size if stat.S_ISREG(found.st_mode) else 0


# Tensors ---------------------------------------------------------------------------------------------------------


def _check_tensors(path: Path, record: FileRecord, reading: Reading) -> None:
    """Raises CorruptCheckpoint. The file is read a chunk at a time; its header is parsed once the checksum holds."""
    if is_link(path):
        raise CorruptCheckpoint("is a link to another place")
    with open_tensors(path, record) as (header, file):
        reading(len(header))
        if digest(header, file, reading) != record.sha256:
            raise CorruptCheckpoint(OTHER_CHECKSUM)
    names = read_table(header[8:], record.bytes - len(header))
    for alias, name in record.aliases.items():
        if name not in names or alias in names:
            raise CorruptCheckpoint(f"does not hold {shorten(alias)} as another name of {shorten(name)}")


# The log ---------------------------------------------------------------------------------------------------------


@dataclass
class _LogCheck:
    """A log, replayed as `History` does: the rows after the step that a `continued` names are void, and come again.

    live:     half a line at the end is no fault: it is being written, or what follows it is
    steps:    that are left in the end; furthest: the highest one that was ever told
    faults:   what is wrong with the order of steps; lines: with single lines
    """

    live: bool
    started: Started | None = None
    furthest: int = 0
    faults: list[str] = field(default_factory=list)
    _first: int = 0  # the step before the first: a fork's is its parent's
    _step: int = 0
    _unread: Unread = field(default_factory=Unread)

    @property
    def steps(self) -> int:
        return self._step - self._first

    @property
    def lines(self) -> list[str]:
        return [
            *(f"line {number:,} is no event" for number in self._unread.lost),
            *(f"{newer}: it is passed over" for newer in self._unread.newer),
            *(
                f"line {number:,}, at its end, is cut off: to go on with the run mends it"
                for number in (() if self.live else self._unread.torn)
            ),
        ]

    def read(self, path: Path, reading: Reading) -> None:
        """Raises OSError."""
        with open_regular(path) as file:
            for number, line in enumerate(_lines(file, reading), 1):
                event = self._unread.parse(number, line)
                if event is not None:
                    self._replay(number, event)

    def _replay(self, number: int, event: AnyEvent) -> None:
        if isinstance(event, Notice):
            return
        if isinstance(event, Started):
            self.started = event
            self._first = self._step = self.furthest = 0 if event.parent is None else event.parent.step
        elif self.started is None:
            if not self.faults:
                self.faults.append(f"begins with the event {event.event} (line {number:,}) instead of started")
            self._step = getattr(event, "step", self._step)
        elif isinstance(event, Step):
            self._take_step(number, event.step)
        elif isinstance(event, Continued):
            if event.step > self._step:
                self.faults.append(f"goes on from step {event.step:,} at line {number:,}, but had only {self._step:,}")
            self._step = event.step
        elif isinstance(event, Finished) and event.step != self._step:
            self.faults.append(f"ends at step {event.step:,} in line {number:,}, but had step {self._step:,}")
        self.furthest = max(self.furthest, self._step)

    def _take_step(self, number: int, step: int) -> None:
        missing = step - self._step - 1
        if missing < 0:
            self.faults.append(f"tells of step {step:,} again in line {number:,}")
        elif missing:
            which = f"step {step - 1:,}" if missing == 1 else f"steps {self._step + 1:,} to {step - 1:,}"
            self.faults.append(f"lacks {which} before line {number:,}")
        self._step = step


def _lines(file: BinaryIO, reading: Reading) -> Iterator[bytes]:
    """The lines of a log with their ends; of one that is too long to be ours only the beginning."""
    while line := file.readline(MAX_LINE):
        reading(len(line))
        overlong = len(line) == MAX_LINE and not line.endswith(b"\n")
        yield line[:100] + b"\n" if overlong else line
        while overlong:
            rest = file.readline(MAX_LINE)
            reading(len(rest))
            overlong = len(rest) == MAX_LINE and not rest.endswith(b"\n")
