"""The event log of a run, `events.jsonl`: written by one process, only ever appended to, read by anyone at any time."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

from gpt_tui.core.errors import GptTuiError
from gpt_tui.core.events import AnyEvent, BadEvent, Event, from_json
from gpt_tui.core.runs.files import is_link, reason

LOG_NAME = "events.jsonl"
POLL_BYTES = 8 << 20
MAX_LINE = 64 << 20  # a longer line is no event of ours, and must not fill the memory
_FINGERPRINT = 64  # bytes before the place reached, to see that it is still the same file

# Lines that come in great numbers, recognised without parsing them.
_FREQUENT = re.compile(rb'\s*\{\s*"v"\s*:\s*1\s*,\s*"event"\s*:\s*"(step|sample|surprise)"')


class EventLog:
    """The writing end. Events wait in memory until `flush`, which writes whole lines at the end of the file."""

    def __init__(self, path: Path):
        """Opens the log, making it where there is none, and ends a half-written last line. Raises GptTuiError."""
        self.path = path
        self._waiting = bytearray()
        if is_link(path):
            raise GptTuiError(f"{path} is a link; a run's log must be a file of its own")
        try:
            self._file = path.open("ab", buffering=0)
            if not _ends_whole(path):
                self._waiting += b"\n"
                self.flush()
        except OSError as error:
            raise GptTuiError(f"{path} cannot be written: {reason(error)}") from None

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
                del self._waiting[:written]
            if to_disk:
                os.fsync(self._file.fileno())
        except OSError as error:
            raise GptTuiError(f"{self.path} cannot be written: {reason(error)}") from None

    def close(self) -> None:
        """Flush and close; the file is closed even where flushing fails. Raises GptTuiError."""
        if self._file.closed:
            return
        try:
            self.flush(to_disk=True)
        finally:
            self._file.close()


def _ends_whole(path: Path) -> bool:
    with path.open("rb") as file:
        if not file.seek(0, os.SEEK_END):
            return True
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"


class LogTail:
    """The reading end: each `poll` gives what came since the last one. Needs no lock, and holds no file open.

    A half-written last line is left until it is whole. A file that was cut or replaced is read again from its start,
    whose `started` makes a History begin anew. Lines that are not events are skipped and counted in `skipped`.

    thin: samples and surprises are left out, and of each stretch of steps only the last is given; what a list needs,
    at the cost of reading a log but not of parsing it.
    """

    def __init__(self, path: Path, *, thin: bool = False):
        self.path = path
        self.thin = thin
        self.skipped = 0
        self.at_end = False  # whether the last poll reached the end of the file as it was then
        self._start_over()

    def _start_over(self) -> None:
        self._offset = 0
        self._before = b""
        self._rest = b""
        self._overlong = False

    def poll(self, limit: int = POLL_BYTES) -> list[AnyEvent]:
        """Events of the next `limit` bytes at most; see `at_end`. No file is no events. Raises GptTuiError."""
        try:
            chunk, size = self._read(limit)
        except (FileNotFoundError, NotADirectoryError):
            chunk, size = b"", 0
        except OSError as error:
            raise GptTuiError(f"{self.path} cannot be read: {reason(error)}") from None
        self.at_end = self._offset >= size
        lines = self._whole_lines(chunk)
        return self._events(self._thinned(lines) if self.thin else lines)

    def _read(self, limit: int) -> tuple[bytes, int]:
        with self.path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            known = len(self._before)
            if size >= self._offset:
                file.seek(self._offset - known)
            if size < self._offset or file.read(known) != self._before:
                self._start_over()
                file.seek(0)
            chunk = file.read(limit)
        self._offset += len(chunk)
        self._before = (self._before + chunk)[-_FINGERPRINT:]
        return chunk, size

    def _whole_lines(self, chunk: bytes) -> list[bytes]:
        if self._overlong:
            _, newline, chunk = chunk.partition(b"\n")
            self._overlong = not newline
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        if self.at_end and self._rest.endswith(b"}") and _is_event(self._rest):
            lines.append(self._rest)  # whole but for its line end, which a crash took and the next writer gives back
            self._rest = b""
        if len(self._rest) > MAX_LINE:
            self._rest, self._overlong = b"", True
            self.skipped += 1
        return lines

    def _thinned(self, lines: Iterable[bytes]) -> Iterable[bytes]:
        step: bytes | None = None
        for line in lines:
            if frequent := _FREQUENT.match(line):
                step = line if frequent[1] == b"step" else step
                continue
            if step is not None:
                yield step
                step = None
            yield line
        if step is not None:
            yield step

    def _events(self, lines: Iterable[bytes]) -> list[AnyEvent]:
        events: list[AnyEvent] = []
        for line in lines:
            try:
                events.append(from_json(line))
            except BadEvent:
                self.skipped += bool(line.strip())  # a blank line is nothing
        return events


def _is_event(line: bytes) -> bool:
    try:
        from_json(line)
    except BadEvent:
        return False
    return True
