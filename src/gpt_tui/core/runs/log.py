"""The event log of a run, `events.jsonl`: written by one process, only ever appended to, read by anyone at any time."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from gpt_tui.core.errors import GptTuiError, NewerVersion, refuse_newer
from gpt_tui.core.events import AnyEvent, BadEvent, Checkpoint, Continued, Event, Notice, Started, from_json
from gpt_tui.core.files import open_own, open_regular, reason
from gpt_tui.core.runs.kept import LONG, Keeping, recall
from gpt_tui.core.runs.rows import StepRows, stretches

if TYPE_CHECKING:
    from gpt_tui.core.runs.history import History

LOG_NAME = "events.jsonl"
POLL_BYTES = 4 << 20
MAX_LINE = 64 << 20  # a longer line is no event of ours, and must not fill the memory
_BEGINNING = 100  # bytes of such a line that are looked at
_FINGERPRINT = 64  # bytes before the place reached, to see that it is still the same file

# Lines that come in great numbers, recognised without parsing them.
_FREQUENT = re.compile(rb'\s*\{\s*"v"\s*:\s*1\s*,\s*"event"\s*:\s*"(step|sample|surprise)"')

_Read = TypeVar("_Read", AnyEvent, AnyEvent | StepRows)

_STEP = re.compile(rb'"step"\s*:\s*(\d{1,18})(?!\d)')


class EventLog:
    """The writing end. Events wait in memory until `flush`, which writes whole lines at the end of the file."""

    def __init__(self, path: Path):
        """Opens the log, making it where there is none, and ends a half-written last line. Raises GptTuiError."""
        self.path = path
        self._waiting = bytearray()
        self._begun = b""  # what the file has of the line whose rest waits
        self._file = self._open()
        if self._waiting:
            self.flush()

    def _open(self) -> FileIO:
        """The file at the path, to be appended to, after the end of a half-written last line. Raises GptTuiError."""
        try:
            file = open_own(self.path)
            if not _ends_whole(file):
                self._waiting[:0] = b"\n"
        except OSError as error:
            raise GptTuiError(f"{self.path} cannot be written: {reason(error)}") from None
        return file

    @property
    def waiting(self) -> int:
        """Bytes that wait in memory."""
        return len(self._waiting)

    def append(self, event: Event) -> None:
        self._waiting += event.to_json().encode() + b"\n"

    def flush(self, *, to_disk: bool = False) -> None:
        """Hand all waiting events to the system; `to_disk`: and wait until the disk has them.

        Raises GptTuiError (disk full, say). What could not be written keeps waiting, to the byte, so that a later
        flush goes on where this one stopped.
        """
        try:
            while self._waiting:
                written = self._file.write(self._waiting)
                ends = self._waiting.rfind(b"\n", 0, written) + 1
                self._begun = (b"" if ends else self._begun) + bytes(self._waiting[ends:written])
                del self._waiting[:written]
            if to_disk:
                os.fsync(self._file.fileno())
        except OSError as error:
            raise GptTuiError(f"{self.path} cannot be written: {reason(error)}") from None

    @property
    def closed(self) -> bool:
        return self._file.closed

    def find_file(self) -> None:
        """Write where the path leads: a file that was moved away or deleted would take lines that nobody finds.

        Raises GptTuiError.
        """
        try:
            if os.path.samestat(self.path.stat(), os.fstat(self._file.fileno())):
                return
        except FileNotFoundError:
            pass  # made anew, unless its directory is gone too
        except OSError as error:
            raise GptTuiError(f"{self.path} cannot be written: {reason(error)}") from None
        self._waiting[:0] = self._begun  # the line is to be whole in the new file
        try:
            file = self._open()
        except GptTuiError:
            del self._waiting[: len(self._begun)]
            raise
        self._begun = b""
        left, self._file = self._file, file
        self._close(left)

    def close(self) -> None:
        """Flush and close; where flushing fails, the file is closed at the end of a line. Raises GptTuiError."""
        if self._file.closed:
            return
        try:
            self.flush(to_disk=True)
        finally:
            self._cut_half_line()
            self._close(self._file)

    def discard(self) -> None:
        """Close without another word: the file may be somebody else's by now. Raises GptTuiError."""
        self._waiting.clear()
        self._close(self._file)

    def _close(self, file: FileIO) -> None:
        try:
            file.close()
        except OSError as error:  # what a network's disk did not take earlier
            raise GptTuiError(f"{self.path} cannot be written: {reason(error)}") from None

    def _cut_half_line(self) -> None:
        if self._waiting and self._begun:
            try:
                os.ftruncate(self._file.fileno(), os.fstat(self._file.fileno()).st_size - len(self._begun))
            except OSError:
                pass  # not even that can be written: whoever opens it next ends the line


def _ends_whole(file: FileIO) -> bool:
    if not file.seek(0, os.SEEK_END):
        return True
    file.seek(-1, os.SEEK_END)
    return file.read(1) == b"\n"


class Unread:
    """Lines of a log that are no events, by their numbers, from 1: a killed writer's last words and all others.

    lost:  lines whose words are missing; newer: what to say of those that a newer version wrote
    torn:  at the end of the log; half a line that a killed writer left, which to go on with the run mends
    start: whether the event with which every log begins is lost, where that was looked for
    """

    def __init__(self) -> None:
        self.start = False
        self.lost: list[int] = []
        self.newer: list[str] = []
        self.torn: list[int] = []

    def parse(self, number: int, line: bytes) -> AnyEvent | None:
        """The event of the next line; None for a blank one, and for one that is none, which is noted."""
        if not line.strip():
            return None
        try:
            event = from_json(line)
        except BadEvent:
            self._note(number, line)
            return None
        if self.torn:
            self._judge_torn(event)
        return event

    def _judge_torn(self, event: AnyEvent) -> None:
        """Whoever finds half a line says what its writer left untold, and then that the run goes on.

        Where it is the first line, the run had not started yet, and starts.
        """
        if isinstance(event, Checkpoint | Notice):
            return
        if not (isinstance(event, Continued) or (isinstance(event, Started) and self.torn == [1])):
            self.lost += self.torn
        self.torn.clear()

    def _note(self, number: int, line: bytes) -> None:
        try:
            refuse_newer(version_of(line), f"line {number:,}")
        except NewerVersion as error:
            self.newer.append(str(error))
        else:
            self.torn.append(number)


class LogTail:
    """The reading end: each `poll` gives what came since the last one. Needs no lock, and holds no file open.

    A half-written last line is left until it is whole. A file that was cut or replaced is read again from its start,
    whose `started` makes a History begin anew. Lines that are not events are skipped and counted in `skipped`; which
    they are in the file as it is, `unread` knows.

    started: given before the first event of a log that has lost its own
    thin: samples and surprises are left out, and of each stretch of steps only the last is given; what a list needs,
    at the cost of reading a log but not of parsing it. whole_to: the steps up to this one are all given nevertheless.
    """

    def __init__(self, path: Path, started: Started | None = None, *, thin: bool = False, whole_to: int = 0):
        self.path = path
        self._started = started
        self.thin = thin
        self.whole_to = whole_to
        self.skipped = 0
        self.at_end = False  # whether the last poll reached the end of the file as it was then
        self._start_over()

    def _start_over(self) -> None:
        self._offset = 0
        self._before = b""
        self._rest = b""
        self._overlong = False
        self._ends = 0  # of lines, so far
        self._begun = False
        self._keeping: Keeping | None = None
        self.unread = Unread()

    def poll(self, limit: int = POLL_BYTES) -> list[AnyEvent]:
        """Events of the next `limit` bytes at most; see `at_end`. No file is no events. Raises GptTuiError."""
        return self._begin(list(self._events(self._lines(self._parts(limit)))))

    def feed(self, history: History, limit: int = POLL_BYTES) -> bool:
        """Add to a history what `poll` would give, whether anything; a million steps so take no million records.

        The first time all that is kept of a long log is added; where little is, all that is read will be.
        """
        if self.thin:
            events = self.poll(limit)
            history.extend(events)
            return bool(events)
        came = self._recall(history) if self._offset == 0 else False
        for part in self._parts(limit, in_rows=True):
            if self.unread.torn:  # what follows half a line says what that was, so that it is looked at as an event
                part.rows = None
            if self._keeping is not None:
                self._keeping.add(part.number, part.lines, part.written, part.rows)
            came |= self._give(part, history)
        if self.at_end and self._keeping is not None:
            self._keeping.finish()
            self._keeping = None
        return came

    def _give(self, part: _Part, history: History) -> bool:
        read: list[AnyEvent | StepRows] = [part.rows] if part.rows is not None else [*self._events(part.numbered())]
        history.extend(self._begin(read))
        return bool(read)

    def _recall(self, history: History) -> bool:
        try:
            if self.path.stat().st_size < LONG:
                return False
            kept = recall(self.path)
            if kept is None:
                self._keeping = Keeping(self.path)
                return False
        except OSError:
            return False
        came = False
        for kept_part in kept.parts:
            content = kept_part.content
            if isinstance(content, bytes):
                came |= self._give(_Part(content, 0, len(content), None, kept_part.number), history)
            else:
                came |= self._give(_Part(b"", 0, 0, content, kept_part.number), history)
            self._offset += kept_part.size
            self._ends += kept_part.lines
        if self._offset == kept.size:
            self._before = kept.last[-_FINGERPRINT:]
        return came

    def _begin(self, events: list[_Read]) -> list[_Read]:
        if not events or self._begun:
            return events
        self._begun = True
        if self._started is None or isinstance(events[0], Started):
            return events
        self.unread.start = True
        started: list[Any] = [self._started]
        return started + events

    def _parts(self, limit: int, *, in_rows: bool = False) -> list[_Part]:
        """The next whole lines; in_rows: parted where stretches of steps begin and end. Raises GptTuiError."""
        try:
            chunk, size = self._read(limit)
        except (FileNotFoundError, NotADirectoryError):
            chunk, size = b"", 0
        except OSError as error:
            raise GptTuiError(f"{self.path} cannot be read: {reason(error)}") from None
        self.at_end = self._offset >= size
        text = self._whole_lines(chunk)
        if self._overlong or (text and not text.endswith(b"\n")):
            self._keeping = None  # only a log of whole lines is worth it
        parts, done = [], 0
        for stretch in stretches(text) if in_rows else ():
            parts += [_Part(text, done, stretch.start), _Part(text, stretch.start, stretch.stop, stretch.rows)]
            done = stretch.stop
        parts.append(_Part(text, done, len(text)))
        for part in parts:
            part.number = self._ends + 1
            self._ends += part.lines
        return parts

    def _read(self, limit: int) -> tuple[bytes, int]:
        with open_regular(self.path) as file:
            size = file.seek(0, os.SEEK_END)
            known = len(self._before)
            if size >= self._offset:
                file.seek(self._offset - known)
            if size < self._offset or file.read(known) != self._before:
                self._start_over()
                file.seek(0)
            chunk = file.read(limit)
        self._offset += len(chunk)
        self._before = (self._before + chunk[-_FINGERPRINT:])[-_FINGERPRINT:]
        return chunk, size

    def _whole_lines(self, chunk: bytes) -> bytes:
        """The lines that are whole by now, each but perhaps the last with its end."""
        if self._overlong:
            _, newline, chunk = chunk.partition(b"\n")
            self._overlong = not newline
            self._ends += bool(newline)
        text = self._rest + chunk
        whole = text.rfind(b"\n") + 1
        text, self._rest = text[:whole], text[whole:]
        if self.at_end and self._rest.endswith(b"}") and _is_event(self._rest):
            text += self._rest  # whole but for its line end, which a crash took and the next writer gives back
            self._rest = b""
        if len(self._rest) > MAX_LINE:
            text += self._rest[:_BEGINNING]  # which is no event, and will be noted
            self._rest, self._overlong = b"", True
        return text

    def _lines(self, parts: Iterable[_Part]) -> Iterator[tuple[int, bytes]]:
        """Those that are wanted, and their numbers."""
        lines = (numbered for part in parts for numbered in part.numbered())
        return self._thinned(lines) if self.thin else lines

    def _thinned(self, lines: Iterable[tuple[int, bytes]]) -> Iterator[tuple[int, bytes]]:
        step: tuple[int, bytes] | None = None
        for number, line in lines:
            frequent = _FREQUENT.match(line)
            if frequent and frequent[1] != b"step":
                continue
            if frequent and not self._is_wanted(line):
                step = (number, line)
                continue
            if step is not None:
                yield step
                step = None
            yield number, line
        if step is not None:
            yield step

    def _is_wanted(self, step: bytes) -> bool:
        found = _STEP.search(step) if self.whole_to else None
        return found is not None and int(found[1]) <= self.whole_to

    def _events(self, lines: Iterable[tuple[int, bytes]]) -> Iterator[AnyEvent]:
        for number, line in lines:
            event = self.unread.parse(number, line)
            if event is not None:
                yield event
            else:
                self.skipped += bool(line.strip())  # a blank line is nothing


@dataclass
class _Part:
    """Some lines of a text, from and to in bytes. rows: theirs, where each is a step; number: of the first line."""

    text: bytes
    start: int
    stop: int
    rows: StepRows | None = None
    number: int = 0

    @property
    def lines(self) -> int:
        return self.text.count(b"\n", self.start, self.stop) if self.rows is None else len(self.rows)

    @property
    def written(self) -> memoryview:
        return memoryview(self.text)[self.start : self.stop]

    def numbered(self) -> Iterator[tuple[int, bytes]]:
        """Each line with its number."""
        lines = self.text[self.start : self.stop].split(b"\n")
        if not lines[-1]:
            lines.pop()
        return enumerate(lines, self.number)


def _is_event(line: bytes) -> bool:
    try:
        from_json(line)
    except BadEvent:
        return False
    return True


def version_of(content: bytes) -> object:
    """What stands as `v` in a JSON object; None where nothing does."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return document.get("v") if isinstance(document, dict) else None
