"""Events: each to one JSON line and back, whatever text they carry, and nothing else taken for one."""

from __future__ import annotations

import inspect
import json
import math
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpt_tui.core import events
from gpt_tui.core.config import RunConfig
from gpt_tui.core.events import (
    AnyEvent,
    BadEvent,
    Edit,
    Event,
    Failed,
    Notice,
    Paused,
    Sample,
    Started,
    Step,
    from_json,
)

KINDS: tuple[type[Event], ...] = get_args(AnyEvent)

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
counts = st.integers(0, 2**53)
sizes = st.integers(1, 2**62 - 1)
numbers = st.floats()
plain = st.one_of(st.booleans(), st.integers(-(2**60), 2**60), st.floats(allow_nan=False, allow_infinity=False), texts)
datasets = st.builds(
    events.DatasetRecord,
    name=texts,
    sha256=texts,
    characters=counts,
    vocab_size=sizes,
    train_tokens=counts,
    val_tokens=counts,
)
by_type: dict[str, st.SearchStrategy[Any]] = {
    "str": texts,
    "int": counts,
    "Count": counts,
    "Size": sizes,
    "bool": st.booleans(),
    "Number": numbers,
    "DatasetRecord": datasets,
    "Parent | None": st.none() | st.builds(events.Parent, run=texts, step=counts),
    "dict[str, Any]": st.just(RunConfig().sections()),
    "dict[str, Number]": st.dictionaries(texts, numbers, max_size=3),
    "list[Number]": st.lists(numbers, max_size=5),
    "dict[str, tuple[Any, Any]]": st.dictionaries(texts, st.tuples(plain, plain), max_size=3),
}


def anything(kind: type[Event]) -> st.SearchStrategy[Event]:
    """Any event of this kind, its fields drawn by their declared types."""
    names: dict[str, str] = {}
    for cls in reversed(kind.__mro__):
        names |= {name: str(of) for name, of in inspect.get_annotations(cls).items()}
    fields: dict[str, st.SearchStrategy[Any]] = {}
    for name in kind.model_fields:
        if name in ("v", "event"):
            continue
        annotation = kind.model_fields[name].annotation
        if hasattr(annotation, "__args__") and all(isinstance(arg, str) for arg in get_args(annotation)):
            fields[name] = st.sampled_from(get_args(annotation))
        else:
            fields[name] = by_type[names[name]]
    return st.builds(kind, **fields)


def same(a: Any, b: Any) -> bool:
    """Equal, where NaN is NaN and what is not finite came back as NaN."""
    if isinstance(a, float) and not math.isfinite(a):
        return isinstance(b, float) and math.isnan(b)
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return isinstance(b, list | tuple) and len(a) == len(b) and all(map(same, a, b))
    return bool(a == b)


@pytest.mark.parametrize("kind", KINDS, ids=[kind.__name__ for kind in KINDS])
def test_every_event_survives_its_json_line(kind: type[Event]) -> None:
    @settings(max_examples=25)
    @given(event=anything(kind))
    def check(event: Event) -> None:
        line = event.to_json()
        assert line.isascii()
        assert line.splitlines() == [line]
        back = from_json(line)
        assert type(back) is kind
        assert same(event.model_dump(), back.model_dump())
        assert back.to_json() == line
        document = json.loads(line, parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))
        assert document["v"] == 1
        assert document["event"] == kind.__name__.lower()
        assert same(events.from_dict(document).model_dump(), back.model_dump())

    check()


def test_a_number_that_is_not_finite_is_null_in_json_and_nan_in_a_record() -> None:
    step = Step(step=3, loss=math.nan, learning_rate=math.inf, grad_norm=-math.inf, tokens=1, tokens_per_second=2.5)
    document = json.loads(step.to_json())
    assert [document[name] for name in ("loss", "learning_rate", "grad_norm")] == [None, None, None]
    back = from_json(step.to_json())
    assert isinstance(back, Step)
    assert all(math.isnan(value) for value in (back.loss, back.learning_rate, back.grad_norm))
    assert back.tokens_per_second == 2.5


def test_text_that_looks_like_a_line_end_stays_inside_its_line() -> None:
    sample = Sample(step=1, prompt="\r\n", seed=1, text="a\u2028b\u2029c\x85d\x0b\x0c\x1c\x00é🎭")
    assert len(sample.to_json().splitlines()) == 1
    assert from_json(sample.to_json() + "\n") == sample
    assert from_json(sample.to_json().encode()) == sample


def test_fields_that_a_later_version_added_are_ignored() -> None:
    assert from_json('{"v":1,"event":"paused","time":1.5,"step":4,"mood":"calm"}') == Paused(time=1.5, step=4)


def test_an_edit_keeps_what_each_field_was_and_became() -> None:
    edit = Edit(step=5, changes={"learning_rate": (0.02, 0.01), "top_k": ("off", 10), "prompt": ("", "ROMEO:")})
    back = from_json(edit.to_json())
    assert isinstance(back, Edit)
    assert back.changes == edit.changes


def test_a_run_s_configuration_comes_back_whole_from_its_first_line() -> None:
    from gpt_tui.core.config import from_sections

    config = RunConfig().replace(top_k=5, prompt="JULIET:\n", learning_rate=3e-5)
    started = Started(
        run="r",
        path="/r",
        created="2026-01-01T00:00:00Z",
        config=config.sections(),
        parameters=1,
        dataset=events.DatasetRecord(
            name="masque", sha256="0", characters=9, vocab_size=3, train_tokens=8, val_tokens=1
        ),
        device="cpu",
        dtype="float32",
        threads=2,
        ladder={"uniform": math.log(3)},
        passage="abc",
    )
    back = from_json(started.to_json())
    assert isinstance(back, Started)
    assert from_sections(back.config, "started") == config
    assert back.parent is None


@pytest.mark.parametrize(
    "line",
    [
        "",
        "   ",
        "null",
        "[]",
        "5",
        "{}",
        "{",
        '{"event":"step"',
        '{"v":1,"event":"dance","step":1}',
        '{"v":1,"event":5}',
        '{"v":2,"event":"paused","step":1}',
        '{"v":1,"event":"paused"}',
        '{"v":1,"event":"paused","step":"soon"}',
        '{"v":1,"event":"paused","step":1e400}',
        '{"v":1,"event":"paused","step":1' + "0" * 5000 + "}",
        '{"v":1,"event":"failed","step":1,"reason":"bored","error":"","hint":""}',
        "[" * 100_000,
        b"\xff\xfe",
        b'{"event":"paused","step":\x00}',
    ],
)
def test_what_is_no_event_is_said_to_be_none(line: str | bytes) -> None:
    with pytest.raises(BadEvent, match="not an event"):
        from_json(line)


@settings(max_examples=100)
@given(cut=st.integers(0, 400), flip=st.integers(0, 255))
def test_a_half_written_or_damaged_line_never_raises_anything_else(cut: int, flip: int) -> None:
    line = Sample(step=1, prompt="", seed=1, text="To be, or not to be: é").to_json().encode()
    for damaged in (line[: cut % len(line)], line[: cut % len(line)] + bytes([flip]) + line[cut % len(line) + 1 :]):
        try:
            event = from_json(damaged)
        except BadEvent:
            continue
        assert isinstance(event, Event)


def test_records_are_frozen_and_refuse_wrong_words() -> None:
    event = Failed(step=1, reason="diverged", error="loss is NaN", hint="lower the learning rate")
    with pytest.raises(ValueError, match="frozen"):
        event.step = 2  # type: ignore[misc]
    with pytest.raises(ValueError, match="level"):
        Notice(level="loud", text="")  # type: ignore[arg-type]
