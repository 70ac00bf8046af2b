"""Many steps at once: stretches of a log that are step after step, read into columns without a record for each.

A million records take a million times as long to make as one; numbers out of lines that all look alike do not. What
looks otherwise in the least is left to `core.events`, so that both ways of reading tell the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic_core import from_json

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

FLOAT_COLUMNS = ("times", "losses", "learning_rates", "grad_norms", "tokens_per_second")
INTEGER_COLUMNS = ("steps", "tokens")

_FEWEST = 16  # lines that are worth it
_NUMBER, _COUNT = rb"-?\d[-+.eE0-9]*+", rb"\d{1,18}+"  # loosely: what is no number in JSON is refused with its stretch
_HEAD = rb'{"v":1,"event":"step","time":'
_LINE = b"".join(
    (
        re.escape(_HEAD) + _NUMBER,
        rb',"step":' + _COUNT,
        rb',"loss":' + _NUMBER,
        rb',"learning_rate":' + _NUMBER,
        rb',"grad_norm":' + _NUMBER,
        rb',"tokens":' + _COUNT,
        rb',"tokens_per_second":' + _NUMBER,
        rb"\}\n",
    )
)
IN_LINE = ("times", "steps", "losses", "learning_rates", "grad_norms", "tokens", "tokens_per_second")
_STRETCH = re.compile(rb"(?m:^)(?:" + _LINE + rb"){%d,}+" % _FEWEST)

# Bytes of names become blanks, which JSON takes anywhere between numbers; those of numbers stay.
_BLANKED = bytes(byte if byte in b"0123456789.eE+-,\n" else 32 for byte in range(256))
_HEAD_COMMAS = (5, 6, 21)  # places in a line of the version's digit, and of the commas after it and the event's name
_SPACE, _COMMA, _E, _NEWLINE = b" ,e\n"


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

    def at(self, places: npt.NDArray[np.bool_]) -> StepRows:
        """Only the rows at these places, which are of shape (R,)."""
        return StepRows(**{name: getattr(self, name)[places] for name in IN_LINE})


def stretches(text: bytes) -> Iterator[tuple[int, int]]:
    """Where in whole lines of a log, each with its end, one step follows the other: from and to, in bytes."""
    for found in _STRETCH.finditer(text):
        yield found.span()


def rows_of(stretch: bytes) -> StepRows | None:
    """The rows of a stretch; None where one of its numbers is none in JSON, or too large for its column."""
    text = np.frombuffer(bytearray(stretch.translate(_BLANKED)), np.uint8)
    letters = np.flatnonzero(text == _E)
    text[letters[text[letters - 1] == _SPACE]] = _SPACE  # an e of a name: a number's stands behind a digit or a dot
    ends = np.flatnonzero(text == _NEWLINE)
    starts = np.concatenate(([0], ends[:-1] + 1))
    for place in _HEAD_COMMAS:
        text[starts + place] = _SPACE
    text[ends] = _COMMA
    text[-1] = _SPACE
    try:
        numbers = from_json(b"[" + text.tobytes() + b"]")
        columns: dict[str, Any] = {
            name: np.array(numbers[at :: len(IN_LINE)], np.int64 if name in INTEGER_COLUMNS else np.float64)
            for at, name in enumerate(IN_LINE)
        }
    except (ValueError, OverflowError):
        return None
    return StepRows(**columns)


def rising(steps: Integers) -> Iterable[slice]:
    """The longest parts of these steps in which each is greater than the one before."""
    falls = np.flatnonzero(np.diff(steps) <= 0) + 1
    edges = [0, *falls.tolist(), len(steps)]
    return (slice(first, after) for first, after in pairwise(edges) if first < after)
