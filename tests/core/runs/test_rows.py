"""Steps read as rows, and kept: whatever a log holds, they tell what its events tell one by one."""

from __future__ import annotations

import json
import os
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gpt_tui.core.data import clean_cache
from gpt_tui.core.events import Checkpoint, Continued, Edit, Eval, Failed, Notice, Paused, Sample, Step
from gpt_tui.core.files import default_cache_dir
from gpt_tui.core.runs import History, LogTail
from gpt_tui.core.runs.rows import INTEGER_COLUMNS, Stretch, stretches

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
    (stretch,) = stretches(text)
    assert text[stretch.start : stretch.stop].split(b"\n")[:-1] == steps[:20]
    assert stretch.rows.steps.tolist() == list(range(1, 21))
    numbers = ({"loss": "1-2"}, {"time": "01.5"}, {"tokens": "01"}, {"step": ""}, {"grad_norm": "1.5.5"})
    forms = (steps[0].replace(b"}", b"]"), steps[0].replace(b"rate", b"rite"), b" " + steps[0], steps[0][:-1])
    for odd in (*(line(16, **number) for number in numbers), *forms):
        assert [*stretches(b"\n".join([*steps[:15], odd, *steps[16:31]]) + b"\n")] == []


FIELDS = {
    "time": "times",
    "step": "steps",
    "loss": "losses",
    "learning_rate": "learning_rates",
    "grad_norm": "grad_norms",
    "tokens": "tokens",
    "tokens_per_second": "tokens_per_second",
}
DECIMALS = st.tuples(
    st.sampled_from(("", "", "", "-")),
    st.one_of(st.just("0"), st.integers(0, 10**10).map(str)),
    st.integers(0, 24).flatmap(lambda digits: st.text("0123456789", min_size=digits + 1, max_size=digits + 1)),
    st.sampled_from(("", "", "", "e-7", "E+5", "e300")),
).map(lambda parts: "{}{}.{}{}".format(*parts))
FLOATS = st.one_of(st.floats(0, 1e7).map(repr), st.floats(0, allow_nan=False, allow_infinity=False).map(repr), DECIMALS)


@given(st.lists(FLOATS, min_size=16, max_size=30), st.lists(st.integers(0, 10**18 - 1), min_size=1, max_size=8))
def test_numbers_are_those_of_json_to_the_last_bit(numbers: list[str], counts: list[int]) -> None:
    lines = []
    for at in range(len(numbers)):
        said = {field: numbers[at - shift] for shift, field in enumerate(FIELDS)}
        said |= {"step": f"{counts[at % len(counts)]}", "tokens": f"{counts[-at % len(counts)]}"}
        lines.append(line(1, **said).decode())
    (stretch,) = stretches(("\n".join(lines) + "\n").encode())
    for field, column in FIELDS.items():
        kind = np.int64 if column in INTEGER_COLUMNS else np.float64
        wanted = np.array([json.loads(text)[field] for text in lines], kind)
        assert getattr(stretch.rows, column).tobytes() == wanted.tobytes()


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


# What is kept ------------------------------------------------------------------------------------------------------


@pytest.fixture
def kept_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short logs too, which are known by their first bytes, as long ones are."""
    monkeypatch.setattr("gpt_tui.core.runs.log.LONG", 1)
    monkeypatch.setattr("gpt_tui.core.runs.kept._HEAD", 100)


def read(path: Path, piece: int = 1 << 20) -> dict[str, Any]:
    history, tail = History(), LogTail(path)
    tail.feed(history, piece)
    while not tail.at_end:
        tail.feed(history, piece)
    return told(history, tail)


def read_one_by_one(path: Path) -> dict[str, Any]:
    history, tail = History(), LogTail(path)
    history.extend(tail.poll())
    while not tail.at_end:
        history.extend(tail.poll())
    return told(history, tail)


def kept_files() -> list[Path]:
    return sorted(default_cache_dir().glob("rows/*"))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(logs(), logs(), st.sampled_from((300, 5000, 1 << 20)))
def test_what_is_kept_of_a_log_tells_what_the_log_tells(
    kept_at_once: None, tmp_path_factory: pytest.TempPathFactory, log: bytes, more: bytes, piece: int
) -> None:
    path = tmp_path_factory.mktemp("log") / "log"
    for content in (log, log, log + more, log + more, log[: len(log) // 2], b"\n" + log[1:]):
        path.write_bytes(content)
        assert read(path, piece) == read_one_by_one(path)


@pytest.fixture
def long_log(kept_at_once: None, tmp_path: Path) -> Path:
    path = tmp_path / "log"
    events = [Eval(step=n, train_loss=2.0, val_loss=2.1, whole_split=False, best=True) for n in (100, 200)]
    looks = [event.to_json().encode() for event in events]
    lines = [*map(line, range(1, 101)), looks[0], *map(line, range(101, 201)), looks[1]]
    path.write_bytes(b"\n".join(lines) + b"\n")
    return path


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How long the stretches are, in bytes, that are read from a log from now on."""
    lengths: list[int] = []

    def noted(text: bytes) -> Iterator[Stretch]:
        for stretch in stretches(text):
            lengths.append(stretch.stop - stretch.start)
            yield stretch

    monkeypatch.setattr("gpt_tui.core.runs.log.stretches", noted)
    return lengths


def test_a_log_that_was_read_once_is_not_read_again_but_for_what_it_gained(
    long_log: Path, parsed: list[int], tmp_path: Path
) -> None:
    whole = read(long_log)
    assert len(parsed) == 2
    assert len(kept_files()) == 1
    parsed.clear()
    assert read(long_log) == whole
    moved = long_log.rename(tmp_path / "moved")
    assert read(moved) == whole
    assert parsed == []
    with moved.open("ab") as file:
        file.write(b"\n".join(map(line, range(201, 221))) + b"\n")
    assert read(moved)["step"] == 220
    assert len(parsed) == 1


def test_a_log_of_which_a_byte_became_another_is_read_itself(long_log: Path, parsed: list[int]) -> None:
    whole = read(long_log)
    content = bytearray(long_log.read_bytes())
    place = content.index(b'"loss":', len(content) // 3) + len(b'"loss":')
    content[place] ^= 1
    long_log.write_bytes(content)
    parsed.clear()
    again = read(long_log)
    assert len(parsed) == 2
    assert again == read_one_by_one(long_log) != whole


def test_kept_rows_that_are_damaged_another_logs_or_none_are_passed_over_and_made_again(
    long_log: Path, parsed: list[int]
) -> None:
    whole = read(long_log)
    (kept,) = kept_files()
    content = kept.read_bytes()
    damaged = bytearray(content)
    damaged[1000] ^= 1
    index = json.loads(content[content.rindex(b'{"v"') : -8])
    forgeries = []
    for changes in ({"v": 1}, {"log": "0" * 64}, {"body": "0" * 64}, {"parts": [[1]]}, {"parts": None}, {"bytes": "1"}):
        text = json.dumps({**index, **changes}).encode()
        forgeries.append(content[: content.rindex(b'{"v"')] + text + len(text).to_bytes(8, "little"))
    for other in (bytes(damaged), content[:-1], content[1:], content[:500], b"", b"\xff" * 4000, *forgeries):
        kept.write_bytes(other)
        parsed.clear()
        assert read(long_log) == whole
        assert len(parsed) == 2
        assert kept.read_bytes() == content


def test_kept_rows_that_go_bad_while_they_are_read_are_left_for_the_log(
    long_log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = read(long_log)
    (kept,) = kept_files()
    content, touch = kept.read_bytes(), os.utime

    def spoil(path: Path) -> None:  # the last thing that is done before the parts are read
        touch(path)
        path.write_bytes(content[:8000])

    monkeypatch.setattr("gpt_tui.core.runs.kept.os.utime", spoil)
    assert read(long_log) == whole


def test_a_cache_that_cannot_be_written_costs_nothing_but_time(
    long_log: Path, parsed: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    default_cache_dir().parent.mkdir(parents=True, exist_ok=True)
    default_cache_dir().write_bytes(b"no folder")
    assert read(long_log) == read(long_log)
    assert len(parsed) == 4


def test_only_the_newest_logs_are_kept_and_nothing_of_one_that_was_not_read_to_its_end(
    long_log: Path, tmp_path: Path
) -> None:
    LogTail(long_log).feed(History(), 300)
    assert kept_files() == []
    for number in range(10):
        other = tmp_path / f"log-{number}"
        other.write_bytes(b'{"v":1,"event":"paused","step":%d}\n' % number + long_log.read_bytes())
        read(other)
    assert len(kept_files()) == 8
    assert clean_cache() > 0
    assert not default_cache_dir().exists()
