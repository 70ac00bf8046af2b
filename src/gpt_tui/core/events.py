"""What can happen in a run: frozen records, each to and from one JSON line.

The same line goes to `events.jsonl`, to `--json` and to the screen. What events add up to is `core.runs.History`.
A number that is not finite is null in JSON and NaN in a record. Fields that a later version added are ignored.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError

from gpt_tui.core.errors import GptTuiError

Number = Annotated[float, BeforeValidator(lambda value: math.nan if value is None else value)]
# Beyond these bounds a number is nonsense, and no arithmetic is made for it.
Count = Annotated[int, Field(ge=0, lt=2**62)]
Size = Annotated[int, Field(ge=1, lt=2**62)]
EndReason = Literal["max_iters", "target_loss", "max_seconds", "stopped", "signal"]


class Event(BaseModel):
    """time: seconds of work since the run began, going on where it stopped when resumed."""

    model_config = ConfigDict(frozen=True, extra="ignore", ser_json_inf_nan="null")

    v: Literal[1] = 1
    event: str
    time: Number = 0.0

    def to_json(self) -> str:
        """One line without its line end, in ASCII: no reader takes a character of it for a line end."""
        return self.model_dump_json(ensure_ascii=True)


class DatasetRecord(BaseModel):
    """why: why `auto` became this dataset; None where it was asked for by name."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    sha256: str
    characters: Count
    vocab_size: Size
    train_tokens: Count
    val_tokens: Count
    why: str | None = None


class Parent(BaseModel):
    """The run and step that a run was forked from."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    run: str
    step: Count


class Started(Event):
    """config: sections, as in `config.toml`. ladder: nats per character by rung. passage: the fixed validation text."""

    event: Literal["started"] = "started"
    run: str
    path: str
    created: str
    config: dict[str, Any]
    parameters: Count
    dataset: DatasetRecord
    device: str
    dtype: str
    threads: Size
    ladder: dict[str, Number]
    passage: str
    parent: Parent | None = None


class Continued(Event):
    """The run goes on from this step: rows after it are void. path: the checkpoint it was taken from."""

    event: Literal["continued"] = "continued"
    step: int
    path: str
    created: str


class Step(Event):
    """An optimizer step was completed. tokens: seen so far in all; loss in nats per token."""

    event: Literal["step"] = "step"
    step: int
    loss: Number
    learning_rate: Number
    grad_norm: Number
    tokens: int
    tokens_per_second: Number


class Eval(Event):
    event: Literal["eval"] = "eval"
    step: int
    train_loss: Number
    val_loss: Number
    whole_split: bool
    best: bool


class Sample(Event):
    """text: what was generated, without the prompt. window_rule: by which, once it was longer than a window."""

    event: Literal["sample"] = "sample"
    step: int
    prompt: str
    seed: int
    text: str
    window_rule: Literal["half", "full"] = "half"


class Surprise(Event):
    """nats: -ln p of each character of the passage, given those before it."""

    event: Literal["surprise"] = "surprise"
    step: int
    nats: list[Number]


class Milestone(Event):
    """The validation loss passed a rung of the dataset's entropy ladder for the first time."""

    event: Literal["milestone"] = "milestone"
    step: int
    rung: str
    val_loss: Number


class Checkpoint(Event):
    event: Literal["checkpoint"] = "checkpoint"
    step: int
    path: str
    reason: str


class Edit(Event):
    """Live fields changed between two steps: {field: (old, new)}."""

    event: Literal["edit"] = "edit"
    step: int
    changes: dict[str, tuple[Any, Any]]


class Notice(Event):
    """Something a person should know, in words."""

    event: Literal["notice"] = "notice"
    level: Literal["info", "warning", "error"]
    text: str


class Paused(Event):
    event: Literal["paused"] = "paused"
    step: int


class Resumed(Event):
    event: Literal["resumed"] = "resumed"
    step: int


class Finished(Event):
    """val_loss: on the whole split, up to a million tokens. seconds: of work, over every sitting."""

    event: Literal["finished"] = "finished"
    step: int
    train_loss: Number
    val_loss: Number
    best_val_loss: Number
    best_step: Count
    seconds: Number
    reason: EndReason


class Failed(Event):
    event: Literal["failed"] = "failed"
    step: int
    reason: Literal["diverged", "error"]
    error: str
    hint: str


AnyEvent = (
    Started
    | Continued
    | Step
    | Eval
    | Sample
    | Surprise
    | Milestone
    | Checkpoint
    | Edit
    | Notice
    | Paused
    | Resumed
    | Finished
    | Failed
)

_ADAPTER: TypeAdapter[AnyEvent] = TypeAdapter(Annotated[AnyEvent, Field(discriminator="event")])


class BadEvent(GptTuiError):
    """A line that is not an event this version knows."""


def from_json(line: str | bytes) -> AnyEvent:
    """The event of one JSON line. Raises BadEvent, whatever the line holds."""
    try:
        return _ADAPTER.validate_json(line)
    except (ValidationError, ValueError, RecursionError) as error:
        raise BadEvent(f"not an event: {_first_fault(error)}") from None


def from_dict(document: Mapping[str, Any]) -> AnyEvent:
    """The event of a parsed JSON object. Raises BadEvent."""
    try:
        return _ADAPTER.validate_python(document)
    except ValidationError as error:
        raise BadEvent(f"not an event: {_first_fault(error)}") from None


def _first_fault(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_input=False)[0]
        return ".".join(str(part) for part in first["loc"]) + ": " + first["msg"]
    return str(error)
