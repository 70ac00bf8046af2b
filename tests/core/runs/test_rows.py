"""Steps read as rows: whatever a log holds, they tell what its events tell one by one, and of a long run in no time."""

from __future__ import annotations

import random
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt_tui.core.events import Checkpoint, Continued, Edit, Eval, Failed, Notice, Paused, Sample, Step
from gpt_tui.core.runs import History, LogTail
from gpt_tui.core.runs.rows import rows_of, stretches

ODD_NUMBERS = ("null", "1e999", "-1e999", "-0.0", "1E+5", "007", "+1", "1-2", "1.", ".5", "3", "e1", "9" * 400, '"2"')
ODD_COUNTS = ("-1", "01", "9" * 18, "9" * 19, "4611686018427387904", "2.0", "null", "")


def line(number: int, chance: random.Random | None = None, **odd: str) -> bytes:
    """A step as the writer writes it, but for what is odd."""
    chance = chance or random.Random(number)
    event = Step(
        step=number,
        time=chance.random() * 1e3,
        loss=chance.gauss(2, 1),
        learning_rate=chance.random() * 10.0 ** chance.randrange(-12, 3),
        grad_norm=chance.expovariate(1),
        tokens=chance.randrange(2**40),
        tokens_per_second=chance.random() * 1e6,
    )
    text = event.to_json()
    for name, value in odd.items():
        text = re.sub(rf',"{name}":[^",}}]+', f',"{name}":{value}', text)
    return text.encode()


def odd_line(draw: st.DrawFn, step: int, chance: random.Random) -> bytes:
    """Anything that may stand among steps."""
    kind = draw(st.sampled_from(("number", "count", "form", "event", "other")))
    if kind == "number":
        name = draw(st.sampled_from(("time", "loss", "learning_rate", "grad_norm", "tokens_per_second")))
        return line(step, chance, **{name: draw(st.sampled_from(ODD_NUMBERS))})
    if kind == "count":
        return line(step, chance, **{draw(st.sampled_from(("step", "tokens"))): draw(st.sampled_from(ODD_COUNTS))})
    if kind == "form":
        usual = line(step, chance)
        forms = (
            usual + b"\r",
            usual[:50],
            usual.replace(b'"step":', b'"step": '),
            usual.replace(b"}", b',"more":1}'),
            usual.replace(b'"v":1', b'"v":2'),
        )
        return draw(st.sampled_from(forms))
    if kind == "other":
        return draw(st.sampled_from((b"", b"\xff\xfe", b"null", b'{"v":1,"event":"dance"}')))
    events = (
        Continued(step=max(step - 20, 0), path="x", created="y"),
        Eval(step=step, train_loss=2.0, val_loss=2.1, whole_split=False, best=True),
        Sample(step=step, prompt="", seed=1, text=f"\n{line(step).decode()}\n"),
        Checkpoint(step=step, path=f"x/{step}", reason="best"),
        Edit(step=step, changes={"learning_rate": (1e-3, 1e-4)}),
        Notice(level="info", text="é"),
        Paused(step=step),
        Failed(step=step, reason="error", error="x", hint="y"),
    )
    return draw(st.sampled_from(events)).to_json().encode()


@st.composite
def logs(draw: st.DrawFn) -> bytes:
    """Stretches of steps that rise, stand still or go back, and between them whatever a log may hold."""
    chance = random.Random(draw(st.integers(0, 2**32)))
    lines: list[bytes] = []
    step = 0
    for _ in range(draw(st.integers(1, 6))):
        for _ in range(draw(st.sampled_from((0, 3, 15, 16, 17, 40)))):
            step = max(step + chance.choice((1,) * 30 + (0, 2, -3)), 0)
            lines.append(line(step, chance))
        lines.append(odd_line(draw, step, chance))
    return b"\n".join(lines) + draw(st.sampled_from((b"", b"\n")))


def told(history: History, tail: LogTail) -> dict[str, Any]:
    kept = {name: value for name, value in vars(history).items() if name not in ("_columns", "_succession")}
    names = ("steps", "times", "losses", "learning_rates", "grad_norms", "tokens", "tokens_per_second")
    columns = {name: (getattr(history, name).dtype, getattr(history, name).tobytes()) for name in names}
    return {**kept, **columns, "unread": vars(tail.unread), "lines skipped": tail.skipped}


@given(logs(), st.sampled_from((300, 5000, 1 << 20)), st.integers(0, 1 << 20))
def test_rows_tell_what_events_tell_one_by_one(
    tmp_path_factory: pytest.TempPathFactory, log: bytes, piece: int, written: int
) -> None:
    path = tmp_path_factory.mktemp("log") / "log"
    whole, single = History(), History()
    fast, slow = LogTail(path), LogTail(path)
    for part in (log[: written % len(log)] if log else b"", log):  # a reader that follows, and finds more
        path.write_bytes(part)
        while True:
            came = fast.feed(whole, piece)
            events = slow.poll(piece)
            single.extend(events)
            assert came == bool(events)
            assert told(whole, fast) == told(single, slow)
            if fast.at_end:
                break


def test_only_steps_as_the_writer_writes_them_are_read_as_rows() -> None:
    steps = [line(n) for n in range(1, 41)]
    text = b"\n".join([b'{"v":1}', *steps[:20], b"", *steps[20:35], line(36, loss="null"), *steps[36:]]) + b"\n"
    (span,) = stretches(text)
    assert text[slice(*span)].split(b"\n")[:-1] == steps[:20]
    rows = rows_of(text[slice(*span)])
    assert rows is not None
    assert rows.steps.tolist() == list(range(1, 21))
    assert rows_of(b"\n".join([*steps[:20], line(21, loss="1-2")]) + b"\n") is None


def test_the_longest_stretch_is_read_with_every_digit(tmp_path: Path) -> None:
    steps = [line(n) for n in range(1, 50_001)]
    (tmp_path / "log").write_bytes(b"\n".join(steps) + b"\n")
    history, tail = History(), LogTail(tmp_path / "log")
    tail.feed(history)
    while not tail.at_end:
        tail.feed(history)
    assert history.steps.tolist() == list(range(1, 50_001))
    last = Step.model_validate_json(steps[-1])
    assert (history.losses[-1], history.tokens[-1], history.time) == (last.loss, last.tokens, last.time)
    assert np.isfinite(history.losses).all()
    assert history.revision == 50_000
