"""What is printed: data to one stream, messages to the other, a live line between them. Knows no run and no screen.

A reader may go away at any time (`| head`, a closed terminal); then what is written to it is dropped, and the work goes
on. Nothing that comes from a model or a file reaches a terminal as control characters.
"""

from __future__ import annotations

import io
import os
import sys
import textwrap
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, Literal, TextIO

from gpt_tui.core.errors import show_size as show_size
from gpt_tui.core.errors import visible

PLAIN_WIDTH = 80  # of text that is wrapped for a pipe or a file
WIDEST = 100  # longer lines of prose are hard to follow


class Output:
    """A text stream that may be closed, be no terminal, or know few characters."""

    def __init__(self, stream: TextIO | None):
        self._stream = stream
        self.lost: str | None = None  # why nothing more can be written, where that is not merely a reader that left
        self.terminal = _is_terminal(stream)

    def escape_unknown(self) -> None:
        """From now on, write characters that the stream's encoding does not have as escapes."""
        if (reconfigure := getattr(self._stream, "reconfigure", None)) is None:
            return
        try:
            reconfigure(errors="backslashreplace")  # which writes what is still held back
        except (OSError, ValueError) as error:
            self._lose(error)

    @property
    def gone(self) -> bool:
        """Whether nobody reads it any more."""
        return self._stream is None

    @property
    def columns(self) -> int | None:
        """Columns of the terminal (COLUMNS, where set, decides); None where there is no terminal to fit."""
        if not self.terminal or self._stream is None:
            return None
        try:
            return _asked_columns() or os.get_terminal_size(self._stream.fileno()).columns or PLAIN_WIDTH
        except OSError:
            return PLAIN_WIDTH

    @property
    def width(self) -> int:
        """Columns that a picture or a table of the program's own making may take."""
        return max(20, self.columns or _asked_columns() or PLAIN_WIDTH)

    @property
    def prose_width(self) -> int:
        """Columns to wrap text at."""
        return min(self.width, WIDEST)

    def can_show(self, text: str) -> bool:
        """Whether the stream's encoding has every character of `text`."""
        try:
            text.encode(getattr(self._stream, "encoding", None) or "utf-8")
        except (UnicodeError, LookupError):
            return False
        return True

    @property
    def styled(self) -> bool:
        return self.terminal and not os.environ.get("NO_COLOR")

    def bold(self, text: str) -> str:
        return f"\x1b[1m{text}\x1b[0m" if self.styled else text

    def dim(self, text: str) -> str:
        return f"\x1b[2m{text}\x1b[0m" if self.styled else text

    def write(self, text: str) -> None:
        if self._stream is None:
            return
        raw = getattr(self._stream, "buffer", None)
        try:
            if isinstance(raw, io.RawIOBase):
                encoding, errors = self._stream.encoding, self._stream.errors or "strict"
                _write_all(raw, text.replace("\n", os.linesep).encode(encoding, errors))
            else:
                self._stream.write(text)
                self._stream.flush()
        except (OSError, ValueError) as error:
            self._lose(error)

    def write_utf8(self, text: str) -> None:
        """Write JSON, which is UTF-8 whatever the terminal's character set, and ends its lines the same everywhere."""
        buffer: BinaryIO | None = getattr(self._stream, "buffer", None)
        if buffer is None:
            return self.write(text)
        try:
            _write_all(buffer, text.encode("utf-8", "backslashreplace"))
        except (OSError, ValueError) as error:
            self._lose(error)

    def _lose(self, error: OSError | ValueError) -> None:
        """The reader is gone. What is still buffered goes nowhere, so that leaving the program stays silent."""
        if not isinstance(error, BrokenPipeError):
            self.lost = str(getattr(error, "strerror", None) or error)
        stream, self._stream, self.terminal = self._stream, None, False
        try:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno() if stream else -1)
            os.close(nowhere)
        except (OSError, ValueError):
            pass  # a stream without a descriptor has nothing left to flush into


def _write_all(file: BinaryIO | io.RawIOBase, data: bytes) -> None:
    """Where the stream has no buffer (PYTHONUNBUFFERED), a pipe that is full takes a part when a signal comes."""
    rest = memoryview(data)
    while rest:
        written = file.write(rest)
        if written is None:
            raise BlockingIOError("it takes no more now")
        rest = rest[written:]
    file.flush()


def _asked_columns() -> int:
    asked = os.environ.get("COLUMNS", "")
    return int(asked) if asked.isascii() and asked.isdigit() else 0


def _is_terminal(stream: TextIO | None) -> bool:
    try:
        return stream is not None and stream.isatty() and os.environ.get("TERM") != "dumb"
    except ValueError:  # closed before the program began
        return False


class Console:
    """The two streams of a program, and on a terminal one live line that gives way to whatever is printed."""

    def __init__(self, stdout: TextIO | None, stderr: TextIO | None, *, quiet: bool = False):
        self.out = Output(stdout)
        self.err = Output(stderr)
        for output in (self.out, self.err):
            output.escape_unknown()
        self.quiet = quiet
        self._live = ""
        self._told_lost = False

    @classmethod
    def standard(cls, *, quiet: bool = False) -> Console:
        return cls(sys.stdout, sys.stderr, quiet=quiet)

    def data(self, text: str = "", end: str = "\n") -> None:
        """Data to stdout; on a terminal with control characters made visible, elsewhere as it is."""
        self._clear()
        self.out.write((printable(text) if self.out.terminal else text) + end)
        self._tell_lost()

    def layout(self, text: str) -> None:
        """Text of the program's own making to stdout, which may hold its styles."""
        self._clear()
        self.out.write(text + "\n")
        self._tell_lost()

    def json_line(self, line: str) -> None:
        self._clear()
        self.out.write_utf8(line + "\n")
        self._tell_lost()

    def say(self, text: str) -> None:
        """Progress, for who is watching."""
        if not self.quiet:
            self.warn(text)

    def warn(self, text: str) -> None:
        """What must be read even when nobody asked for progress."""
        self._clear()
        self.err.write(printable(text) + "\n")

    def live(self, text: str) -> None:
        """Replace the live line; nothing where there is no terminal to have one."""
        if self.quiet or not self.err.terminal:
            return
        text = cut(printable(text).replace("\n", " ").replace("\t", " "), (self.err.columns or PLAIN_WIDTH) - 1)
        if text != self._live:
            self.err.write("\r" + text + " " * (display_width(self._live) - display_width(text)))
            self._live = text

    def finish(self) -> None:
        self._clear()

    def _clear(self) -> None:
        if self._live:
            self.err.write("\r" + " " * display_width(self._live) + "\r")
            self._live = ""

    def _tell_lost(self) -> None:
        if self.out.lost and not self._told_lost:
            self._told_lost = True
            self.warn(f"gpt-tui: standard output cannot be written any more ({self.out.lost}); the work goes on")


# Text ------------------------------------------------------------------------------------------------------------


def printable(text: str) -> str:
    """`text` with control characters made visible; newlines and tabs stay."""
    return visible(text, keep="\n\t")


def one_line(text: str) -> str:
    """`text` as one line, with newlines and tabs made visible too."""
    return visible(text)


def display_width(text: str) -> int:
    """Columns that a line takes on a terminal."""
    if text.isascii():
        return len(text)
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def cut(text: str, columns: int) -> str:
    """`text`, or as much of it as fits with an ellipsis."""
    if display_width(text) <= columns:
        return text
    while text and display_width(text) > columns - 1:
        text = text[:-1]
    return text + "…" if columns > 0 else ""


def wrap(text: str, width: int, indent: str = "") -> str:
    """`text` in lines of at most `width` columns; a word that is longer, such as a path, stays whole."""
    return textwrap.fill(
        text,
        width=max(width, 20),
        initial_indent=indent,
        subsequent_indent=indent,
        break_on_hyphens=False,
        break_long_words=False,
    )


def show_count(number: float) -> str:
    """A number of things, shortened from a thousand on: 950, 42.1k, 1.12M, 3.4G; beyond all letters 1.0e+30."""
    if number >= 9.995e20:
        return f"{number:.1e}"
    for size, letter in ((1e18, "E"), (1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= size * 0.9995:
            scaled = number / size
            return f"{scaled:.{2 if scaled < 9.995 else 1 if scaled < 99.95 else 0}f}{letter}"
    return f"{number:.0f}"


def show_loss(value: float | None) -> str:
    """A loss with four digits; a dash where there is none."""
    return "-" if value is None or value != value else f"{value:.4f}"


def show_duration(seconds: float) -> str:
    """Whole seconds as 0:08 or 1:02:03."""
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


# Tables ----------------------------------------------------------------------------------------------------------


GAP = "  "
SHORTEST = 16  # to which the first column, a name, is cut before others are left out


@dataclass(frozen=True)
class Column:
    """keep: where the terminal is too narrow for all, columns with the lowest go first. The first one always stays."""

    title: str
    align: Literal["left", "right"] = "left"
    keep: int = 0


def table(columns: Sequence[Column], rows: Iterable[Sequence[Any]], output: Output) -> str:
    """Aligned rows under their titles; on a terminal no wider than it, in a pipe whole."""
    cells = [[one_line(str(cell)) for cell in row] for row in rows]
    chosen = list(range(len(columns)))
    widths = {i: max([display_width(columns[i].title), *(display_width(row[i]) for row in cells)]) for i in chosen}
    if (room := output.columns) is not None:
        _fit(chosen, widths, columns, room)
    titles = output.bold(_row([column.title for column in columns], chosen, widths, columns))
    return "\n".join([titles, *(_row(row, chosen, widths, columns) for row in cells)])


def _fit(chosen: list[int], widths: dict[int, int], columns: Sequence[Column], room: int) -> None:
    """Leave out columns until the rest fits beside a first one of SHORTEST columns, then shorten that one."""
    first = chosen[0]

    def needed(first_width: int) -> int:
        return first_width + sum(widths[i] + len(GAP) for i in chosen if i != first)

    while needed(min(widths[first], SHORTEST)) > room and len(chosen) > 1:
        chosen.remove(min(chosen[1:], key=lambda i: columns[i].keep))
    widths[first] = max(1, min(widths[first], room - needed(0)))


def _row(cells: Sequence[str], chosen: list[int], widths: dict[int, int], columns: Sequence[Column]) -> str:
    shown = []
    for i in chosen:
        text = cut(cells[i], widths[i])
        pad = " " * (widths[i] - display_width(text))
        shown.append(pad + text if columns[i].align == "right" else text + pad)
    return GAP.join(shown).rstrip()
