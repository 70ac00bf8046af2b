"""Many steps at once: stretches of a log that are step after step, read into columns without a record for each.

A million records take a million times as long to make as one; numbers out of lines that all look alike do not: all of
them are read at once, eight bytes at a time. What looks otherwise in the least is left to the parser of the events, or
to `core.events` itself, so that both ways of reading tell the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import compress, pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic_core import from_json

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
_Words = npt.NDArray[np.uint64]  # eight bytes each, the first the lowest
_Flags = npt.NDArray[np.bool_]

FLOAT_COLUMNS = ("times", "losses", "learning_rates", "grad_norms", "tokens_per_second")
INTEGER_COLUMNS = ("steps", "tokens")
IN_LINE = ("times", "steps", "losses", "learning_rates", "grad_norms", "tokens", "tokens_per_second")

_FEWEST = 16  # lines that are worth it
_AT_ONCE = 1 << 20  # bytes, so that what is made of them on the way stays in the processor's cache


@dataclass(frozen=True)
class StepRows:
    """Steps in the order of the log, a column a field; each of shape (R,)."""

    steps: Integers
    times: Floats
    losses: Floats
    learning_rates: Floats
    grad_norms: Floats
    tokens: Integers
    tokens_per_second: Floats

    def __len__(self) -> int:
        return len(self.steps)

    def at(self, places: npt.NDArray[np.bool_] | slice) -> StepRows:
        """Only the rows at these places, which are of shape (R,) where they are no slice."""
        return StepRows(**{name: getattr(self, name)[places] for name in IN_LINE})


@dataclass(frozen=True)
class Stretch:
    """A part of a text, from and to in bytes, that is whole lines, each a step; and their rows."""

    start: int
    stop: int
    rows: StepRows


def stretches(text: bytes) -> Iterator[Stretch]:
    """Where in whole lines of a log one step follows the other, as the writer writes them, and what they say."""
    found = [*_pieces(text)] if text.count(b"\n") >= _FEWEST else []
    if not found:
        return
    starts, stops = (np.concatenate([getattr(piece, name) for piece in found]) for name in ("starts", "stops"))
    rows = StepRows(**{name: np.concatenate([piece.columns[name] for piece in found]) for name in IN_LINE})
    breaks = np.flatnonzero(starts[1:] != stops[:-1]) + 1
    for first, after in pairwise([0, *breaks.tolist(), len(stops)]):
        if after - first >= _FEWEST:
            yield Stretch(int(starts[first]), int(stops[after - 1]), rows.at(slice(first, after)))


def rising(steps: Integers) -> Iterable[slice]:
    """The longest parts of these steps in which each is greater than the one before."""
    falls = np.flatnonzero(np.diff(steps) <= 0) + 1
    edges = [0, *falls.tolist(), len(steps)]
    return (slice(first, after) for first, after in pairwise(edges) if first < after)


# The form of a line ------------------------------------------------------------------------------------------------

_COMMA, _NEWLINE, _DOT, _ZERO, _BRACE = b",\n.0}"
_HEAD = b'{"v":1,"event":"step"'
_NAMES = (
    b',"time":', b',"step":', b',"loss":', b',"learning_rate":', b',"grad_norm":', b',"tokens":',
    b',"tokens_per_second":',
)  # fmt: skip
_ENDS = 2 + len(_NAMES)  # commas in a line, and its end
_FIRST_COMMA = _HEAD.index(b",")


@dataclass(frozen=True)
class _Piece:
    """Lines of a text that are steps: from and to in bytes, and their columns; each of shape (lines,)."""

    starts: Integers
    stops: Integers
    columns: dict[str, npt.NDArray[Any]]


def _pieces(text: bytes) -> Iterator[_Piece]:
    padded = text + bytes(16 + -len(text) % 8)  # words may begin anywhere
    letters, words = np.frombuffer(padded, np.uint8), np.frombuffer(padded, "<u8")
    start = 0
    while stop := max(text.rfind(b"\n", start, start + _AT_ONCE), text.find(b"\n", start)) + 1:
        part = letters[start:stop]
        is_end = part == _COMMA
        is_end |= part == _NEWLINE
        ends = np.flatnonzero(is_end)
        newlines = np.flatnonzero(part.take(ends) == _NEWLINE)
        begins = np.concatenate(([0], ends.take(newlines[:-1]) + 1))
        likely = np.diff(newlines, prepend=-1) == _ENDS
        marks = ends.take(newlines[likely] + np.arange(1 - _ENDS, 1)[:, None])
        marks = marks[:, marks[0] - begins[likely] == _FIRST_COMMA] + start
        if marks.shape[1]:
            yield _read(text, letters, words, marks)
        start = stop


def _eight(words: _Words, places: Integers) -> _Words:
    """The eight bytes from each of these places on."""
    first = places >> 3
    bits = (places.view(np.uint64) & 7) << 3
    low = words.take(first)
    first += 1
    high = words.take(first)
    low >>= bits
    bits ^= 63
    high <<= 1
    high <<= bits
    low |= high
    return low


def _checks() -> tuple[Integers, Integers, _Words]:
    """Eight bytes each of which every line is made but for its numbers: after which of its ends, how far, and what."""
    found = []
    for mark, constant in enumerate((_HEAD, *_NAMES)):
        for offset in sorted({*range(0, len(constant) - 7, 8), len(constant) - 8}):
            behind = offset - _FIRST_COMMA if mark == 0 else offset
            found.append((mark, behind, int.from_bytes(constant[offset : offset + 8], "little")))
    marks, offsets, values = zip(*found, strict=True)
    return np.array(marks), np.array(offsets)[:, None], np.array(values, np.uint64)[:, None]


_MARKS, _OFFSETS, _CONSTANTS = _checks()
_STARTS = np.array([len(name) for name in _NAMES])[:, None]  # of numbers, after their commas


def _is_as_written(words: _Words, marks: Integers) -> _Flags:
    """Whether lines are those of steps but for what stands for their numbers. marks: shape (_ENDS, lines)."""
    places = marks.take(_MARKS, axis=0)
    places += _OFFSETS
    as_written: _Flags = (_eight(words, places) == _CONSTANTS).all(axis=0)
    as_written &= marks[1] - marks[0] == len(_HEAD) - _FIRST_COMMA
    return as_written


# Numbers -----------------------------------------------------------------------------------------------------------

_NUMBER, _COUNT = re.compile(rb"-?\d[-+.eE0-9]*+"), re.compile(rb"\d{1,18}+")  # loosely: the parser looks closer
_FLOATS = [at for at, name in enumerate(IN_LINE) if name in FLOAT_COLUMNS]
_INTEGERS = [at for at, name in enumerate(IN_LINE) if name in INTEGER_COLUMNS]

_EVERY = 0x0101010101010101
_ONES, _ZEROS, _DOTS, _SIX, _HIGH = (np.uint64(_EVERY * byte) for byte in (1, _ZERO, _DOT, 0x76, 0x80))
_LAST = np.array([(1 << 64) - (1 << 64 - 8 * count) for count in range(9)], np.uint64)  # so many bytes of a word
_PAIRS, _FOURS, _EIGHTS = np.uint64(0x000000FF000000FF), np.uint64(100 + (10**6 << 32)), np.uint64(1 + (10**4 << 32))
_MOST_DECIMALS = 22  # up to which a power of ten is exact as a float
_POWERS = np.array([10**power if power < 19 else 0 for power in range(_MOST_DECIMALS + 1)], np.int64)
_SPLITTER = float(2**27 + 1)  # halves a float's digits (Dekker 1971)
_FLOAT_POWERS = np.array([float(10**power) for power in range(_MOST_DECIMALS + 1)])
_UPPER = _SPLITTER * _FLOAT_POWERS - (_SPLITTER * _FLOAT_POWERS - _FLOAT_POWERS)
_LARGEST = 9e18  # of the digits of a number without its dot, which are to fit an int64


def _read(text: bytes, letters: npt.NDArray[np.uint8], words: _Words, marks: Integers) -> _Piece:
    """The numbers of lines: which of these have nothing else for numbers, and the columns of those."""
    right = _is_as_written(words, marks)
    if not right.all():
        marks = marks[:, right]
    starts, stops = marks[1:-1] + _STARTS, marks[2:].copy()
    stops[-1] -= 1
    whole = letters.take(stops[-1]) == _BRACE
    integers, integers_read = _integers(letters, words, starts[_INTEGERS], stops[_INTEGERS])
    floats, floats_read = _decimals(letters, words, starts[_FLOATS], stops[_FLOATS])
    for columns, read, at, form in (
        (integers, integers_read, _INTEGERS, _COUNT),
        (floats, floats_read, _FLOATS, _NUMBER),
    ):
        whole &= _parse_others(text, columns, ~read & whole, starts[at], stops[at], form)
    found = dict(zip([IN_LINE[at] for at in (*_INTEGERS, *_FLOATS)], (*integers, *floats), strict=True))
    if not whole.all():
        marks = marks[:, whole]
        found = {name: column[whole] for name, column in found.items()}
    return _Piece(marks[0] - _FIRST_COMMA, marks[-1] + 1, found)


def _parse_others(
    text: bytes, columns: npt.NDArray[Any], others: _Flags, starts: Integers, stops: Integers, form: re.Pattern[bytes]
) -> _Flags:
    """Fill in the numbers that look otherwise, by the events' parser; which lines have none that is no number.

    Where one is none only by that parser, all of their lines are left to the events.
    """
    fine = np.ones(columns.shape[1], np.bool_)
    column, line = np.nonzero(others)
    if not len(line):
        return fine
    spans = zip(starts[column, line].tolist(), stops[column, line].tolist(), strict=True)
    found = [text[start:stop] for start, stop in spans]
    formed = np.array([form.fullmatch(number) is not None for number in found])
    fine[line[~formed]] = False
    column, line = column[formed], line[formed]
    try:
        numbers = from_json(b"[" + b",".join(compress(found, formed)) + b"]")
        columns[column, line] = np.array(numbers, columns.dtype)
    except (ValueError, OverflowError):
        fine[line] = False
    return fine


def _value(digits: _Words) -> tuple[Integers, _Words]:
    """The numbers that eight digits each make, zeros as zero bytes; and bits where one is no digit.

    They are added up in pairs, fours and eights at once.
    """
    wrong = digits + _SIX
    wrong |= digits
    wrong &= _HIGH
    first = digits >> 8
    first += digits * 10
    second = first >> 16
    first &= _PAIRS
    first *= _FOURS
    second &= _PAIRS
    second *= _EIGHTS
    first += second
    first >>= 32
    return first.view(np.int64), wrong


def _digits(words: _Words, stops: Integers, counts: Integers) -> tuple[Integers, _Words]:
    """As many digits, up to eight, before each of these places."""
    digits = _eight(words, stops - 8)
    digits ^= _ZEROS
    digits &= _LAST.take(counts, mode="clip")
    return _value(digits)


def _integers(
    letters: npt.NDArray[np.uint8], words: _Words, starts: Integers, stops: Integers
) -> tuple[Integers, _Flags]:
    """Integers of up to 16 digits, and which are such."""
    counts = stops - starts
    low, wrong = _digits(words, stops, counts)
    high, wrong_too = _digits(words, stops - 8, counts - 8)
    read = (counts >= 1) & (counts <= 16) & ((wrong | wrong_too) == 0)
    read &= (counts == 1) | (letters.take(starts) != _ZERO)
    return high * 10**8 + low, read


def _decimals(
    letters: npt.NDArray[np.uint8], words: _Words, starts: Integers, stops: Integers
) -> tuple[Floats, _Flags]:
    """Numbers of up to seven digits, a dot and more digits, and which are such; each the float that is nearest."""
    front = _eight(words, starts)
    dots = front ^ _DOTS
    dots = (dots - _ONES) & ~dots & _HIGH
    read = dots != 0
    dots &= -dots
    before = (np.bitwise_count(dots - 1) >> 3).astype(np.int64)
    front ^= _ZEROS
    read &= (before == 1) | ((front & 255) != 0)
    front <<= ((8 - before) << 3).view(np.uint64)
    whole, wrong = _value(front)
    decimals = stops - starts - before - 1
    read &= (before >= 1) & (decimals >= 1) & (decimals <= _MOST_DECIMALS)
    low, wrong_too = _digits(words, stops, decimals)
    wrong |= wrong_too
    fraction, wrong_too = _digits(words, stops - 8, decimals - 8)
    wrong |= wrong_too
    fraction *= 10**8
    fraction += low
    long = np.flatnonzero(decimals > 16)
    if len(long):
        high, wrong_too = _digits(words, stops.ravel()[long] - 16, decimals.ravel()[long] - 16)
        wrong.reshape(-1)[long] |= wrong_too
        read.reshape(-1)[long] &= high < 900
        fraction.reshape(-1)[long] += high * 10**16
    read &= (wrong == 0) & (whole * _FLOAT_POWERS.take(decimals, mode="clip") + fraction < _LARGEST)
    whole *= _POWERS.take(decimals, mode="clip")
    whole += fraction
    whole *= read
    values, certain = _quotients(whole, decimals)
    return values, read & certain


def _quotients(numbers: Integers, powers: Integers) -> tuple[Floats, _Flags]:
    """The float nearest to number / 10^power, and whether it is certain that it is.

    A quotient of floats, and what remains divided too: that is exact to a hundred bits, of which 53 are wanted.
    """
    divisor, upper = _FLOAT_POWERS.take(powers, mode="clip"), _UPPER.take(powers, mode="clip")
    lower = divisor - upper
    near = numbers.astype(np.float64)
    quotient = near / divisor
    product = quotient * divisor
    spread = quotient * _SPLITTER
    top = spread - (spread - quotient)
    tail = quotient - top
    missing = ((top * upper - product) + top * lower + tail * upper) + tail * lower  # of the product, exactly
    more = (((near - product) - missing) + (numbers - near.astype(np.int64))) / divisor
    most = quotient + more * (1 + 2**-40)
    return most, quotient + more * (1 - 2**-40) == most
