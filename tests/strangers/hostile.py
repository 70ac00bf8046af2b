"""What a stranger may have put into a file: values, mutations of real documents and bytes, and how often to try."""

from __future__ import annotations

import contextlib
import copy
import io
import json
import math
import os
import random
import re
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gpt_tui import cli
from gpt_tui.core.errors import GptTuiError

TERMINAL = "\x1b[31m\x1b]0;title\x07\x9b2J\u202eevil\r\x08"
TEXTS = ("", TERMINAL, "\x00", "../../etc", "/etc/passwd", "[bold red]x[/]", "[/]", "[@click=app.quit]x[/]", "x" * 5000)
TEXTS += ("NaN", "off", "auto", "1e999", "٣", "𝟙", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00+14:00", "CON", "\u2028")
INTEGERS = (0, 1, -1, 2**31, 2**53 + 1, 2**62 - 1, 2**62, 2**63 - 1, 2**63, -(2**63), 10**30, 10**400, -(10**4200))
FLOATS = (0.0, -0.0, 1e308, -1e308, 1e-320, -1.0, 1e18, 1e154, math.nan, math.inf, -math.inf, 10**400)
SHAPES: tuple[Any, ...] = (None, True, [], [[]], {}, {"a": {}}, [1] * 300, {TERMINAL: TERMINAL})
KEYS = (TERMINAL, "", "__class__", "[bold]", "x" * 300)


@dataclass(frozen=True)
class Much:
    """How often something is tried: some examples that are always the same, or ever others for so many seconds."""

    examples: int
    seconds: float = 0.0

    def __str__(self) -> str:
        return "for long" if self.seconds else "briefly"

    def of(self, try_once: Callable[[random.Random], object]) -> None:
        """Call `try_once` with sources of choices that Hypothesis makes, and shrinks where one of them fails."""

        @settings(
            max_examples=self.examples,
            derandomize=not self.seconds,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(st.randoms(use_true_random=False))
        def examples(choose: random.Random) -> None:
            try_once(choose)

        end = time.monotonic() + self.seconds
        examples()
        while time.monotonic() < end:
            examples()


def much(examples: int, seconds: float) -> pytest.MarkDecorator:
    """A test of `examples` every day, and one of that many seconds in the soak."""
    soak = pytest.param(Much(50, seconds), marks=pytest.mark.soak)
    return pytest.mark.parametrize("much", [Much(examples), soak], ids=str)


# Documents -----------------------------------------------------------------------------------------------------------


def mutated(document: Any, choose: random.Random) -> Any:
    """A copy with some of its values replaced, moved, renamed or taken away; mostly by others of their own kind."""
    document = copy.deepcopy(document)
    for _ in range(choose.choice((1, 1, 2, 5))):
        holder, key = choose.choice(list(_places(document)) or [(None, None)])
        if holder is None:
            return copy.deepcopy(choose.choice(SHAPES))
        how = choose.randrange(10)
        if how < 6:
            holder[key] = copy.deepcopy(_alike(holder[key], choose))
        elif how < 8:
            holder[key] = copy.deepcopy(choose.choice((*SHAPES, *TEXTS, *INTEGERS, *FLOATS)))
        elif how < 9 or isinstance(holder, list):
            del holder[key]
        else:
            holder[choose.choice(KEYS)] = holder.pop(key)
    return document


def _places(document: Any) -> Iterator[tuple[Any, Any]]:
    keys = document if isinstance(document, dict) else range(len(document)) if isinstance(document, list) else ()
    for key in list(keys):
        yield document, key
        yield from _places(document[key])


def _alike(value: Any, choose: random.Random) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return choose.choice(INTEGERS)
    if isinstance(value, float):
        return choose.choice(FLOATS)
    if isinstance(value, str):
        return choose.choice(TEXTS)
    return choose.choice(SHAPES)


def mutated_log(events: list[dict[str, Any]], choose: random.Random) -> list[dict[str, Any]]:
    """A log of which whole columns have other numbers, or single events other values, an order or a number of times."""
    events = copy.deepcopy(events)
    columns = sorted({(e["event"], k) for e in events for k, v in e.items() if k != "v" and _alike_number(v)})
    for kind, key in choose.sample(columns, choose.choice((0, 1, 3, 8))):
        whole = any(isinstance(e.get(key), int) for e in events if e["event"] == kind)
        pool = [choose.choice(INTEGERS if whole else FLOATS) for _ in range(2)]
        for event in events:
            if event["event"] == kind and key in event:
                event[key] = choose.choice(pool)
    for _ in range(choose.choice((0, 1, 4))):
        at = choose.randrange(len(events))
        if choose.random() < 0.7:
            events[at] = mutated(events[at], choose)
        else:
            events.insert(at, choose.choice((_made_up(choose), choose.choice(events))))
    return events


def _alike_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _made_up(choose: random.Random) -> dict[str, Any]:
    step, text = choose.choice((0, 4, 8, 99, 2**61)), choose.choice(TEXTS)
    name = choose.choice(("max_iters", "learning_rate", "n_layer", "prompt", "dataset", TERMINAL))
    values = [choose.choice((*TEXTS, *INTEGERS, *FLOATS, *SHAPES)) for _ in range(2)]
    made: dict[str, Any] = choose.choice(
        (
            {"event": "edit", "changes": {name: values}},
            {"event": "continued", "path": text, "created": text},
            {"event": "failed", "reason": "diverged", "error": text, "hint": text},
            {"event": "notice", "level": "error", "text": text},
            {"event": "milestone", "rung": text, "val_loss": 1.0},
            {"event": "checkpoint", "path": text, "reason": text},
            {"event": choose.choice(("paused", "resumed"))},
        )
    )
    return {"v": 1, "step": step, "time": 1.0, **made}


def as_lines(events: list[Any]) -> bytes:
    return b"".join(json.dumps(event).encode() + b"\n" for event in events)


def mutated_bytes(content: bytes, choose: random.Random) -> bytes:
    """The bytes with some flipped, cut, repeated or put in."""
    changed = bytearray(content)
    for _ in range(choose.choice((1, 2, 5))):
        at = choose.randrange(len(changed) + 1)
        how = choose.randrange(4)
        if how == 0 and at < len(changed):
            changed[at] ^= 1 << choose.randrange(8)
        elif how == 1:
            del changed[at : at + choose.choice((1, 5, 100, 10**6))]
        elif how == 2:
            changed[at:at] = choose.choice((b"\0", b"\xff\xfe", b"\x1b[2J", b"[" * 3000, b"\n", b'"', b"9" * 5000))
        else:
            begin = choose.randrange(len(changed) + 1)
            changed[at:at] = changed[begin : begin + 100]
    return bytes(changed)


# What comes out ------------------------------------------------------------------------------------------------------


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def obey(*words: str) -> tuple[int, str]:
    """The exit status of a command in a terminal, and all that it printed there."""
    out = _Terminal()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        status = cli.main(list(words))
    shown = out.getvalue()
    assert "defect of the program" not in shown, shown
    return status, shown


def told(ask: Callable[[], object]) -> str:
    """What the program says against it, in an error of its own; nothing where it is done."""
    try:
        ask()
    except GptTuiError as error:
        return str(error)
    return ""


def unseen(shown: str) -> list[str]:
    """The characters that a terminal would obey or hide, but for line ends and the program's own bold and dim."""
    plain = re.sub(r"\x1b\[[012]m|\r", "", shown)
    return sorted({c for c in plain if not c.isprintable() and c not in "\n\t"})


def found_below(place: Path) -> dict[str, tuple[int, int]]:
    """Every name below a directory, with when it was changed and its size."""
    return {str(p): (p.lstat().st_mtime_ns, p.lstat().st_size) for p in place.rglob("*")}


can_make_pipes = pytest.mark.skipif(sys.platform == "win32", reason="no named pipes in folders")
DEVICES = [path for path in ("/dev/zero", "/dev/full") if os.path.exists(path)]  # noqa: PTH110
