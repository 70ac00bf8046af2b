"""What is known of a field: its kind, its bounds in words, its flag; how its values are written."""

from __future__ import annotations

import types
import typing
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic.fields import FieldInfo

from gpt_tui.core.config.sections import (
    DataConfig,
    ModelConfig,
    OptimizerConfig,
    SamplingConfig,
    Section,
    TrainingConfig,
)

ENVIRONMENT_PREFIX = "GPT_TUI_"
ENDLESS = 10**9  # a bound this high only keeps nonsense out; nobody is told of it


@dataclass(frozen=True)
class FieldSpec:
    """One field as the form, the flags, the help and the refusals see it."""

    name: str
    section: str
    kind: Literal["int", "float", "bool", "choice", "text"]
    default: Any
    help: str
    why: str
    start: str
    unit: str
    live: bool
    step: float | None
    for_none: str
    group: str
    choices: tuple[str, ...]  # all of a choice; the words beside numbers ("off", "auto") of a number
    minimum: float | None  # of a number, or of the length of a text
    maximum: float | None
    exclusive_minimum: bool
    exclusive_maximum: bool

    @property
    def flag(self) -> str:
        return "--" + self.name.replace("_", "-")

    @property
    def environment(self) -> str:
        return ENVIRONMENT_PREFIX + self.name.upper()

    @property
    def allowed(self) -> str:
        """What the field takes, in words: "a whole number from 1 to 1,024"."""
        if self.kind == "bool":
            return "true or false"
        if self.kind == "choice":
            return one_of(self.choices)
        if self.kind == "text":
            least = "up to" if not self.minimum else f"{show_number(self.minimum)} to"
            return f"text of {least} {show_number(self.maximum or 0)} characters"
        words = ("a whole number" if self.kind == "int" else "a number") + self._range()
        return ", or ".join([words, *self.choices])

    def _range(self) -> str:
        low, high = self.minimum, self.maximum
        if low is None or high is None:
            return ""
        if high >= ENDLESS:
            return f" of {show_number(low)} or more"
        if not self.exclusive_minimum and not self.exclusive_maximum:
            return f" from {show_number(low)} to {show_number(high)}"
        more = "more than" if self.exclusive_minimum else "at least"
        less = "less than" if self.exclusive_maximum else "at most"
        return f" {more} {show_number(low)} and {less} {show_number(high)}"

    def show(self, value: Any) -> str:
        """The value as a person writes it: what `parse` takes back."""
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, float):
            return show_float(value)
        return str(value)


def one_of(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " or " + names[-1]


def show_number(value: float) -> str:
    return f"{value:,.0f}" if float(value).is_integer() and abs(value) < 1e12 else f"{value:g}"


def show_float(value: float) -> str:
    """Shortest text that reads back as the same number: 0.001, 3e-05, 1.0."""
    text = repr(value)
    if "e" in text:
        mantissa, exponent = text.split("e")
        return f"{mantissa.removesuffix('.0')}e{int(exponent)}"
    return text


def _describe(section: str, name: str, info: FieldInfo) -> FieldSpec:
    kind, choices, bounds = _read_annotation(info.annotation)
    extra = info.json_schema_extra
    assert isinstance(extra, dict)
    for item in [*info.metadata, *bounds]:
        for bound in ("ge", "gt", "le", "lt", "min_length", "max_length"):
            if (value := getattr(item, bound, None)) is not None:
                extra = {**extra, bound: value}
    return FieldSpec(
        name=name,
        section=section,
        kind=kind,
        default=info.default,
        help=info.description or "",
        why=str(extra["why"]),
        start=str(extra["start"]),
        unit=str(extra["unit"]),
        live=bool(extra["live"]),
        step=typing.cast("float | None", extra["step"]),
        for_none=str(extra["for_none"]),
        group=str(extra["group"]),
        choices=choices,
        minimum=typing.cast("float | None", extra.get("ge", extra.get("gt", extra.get("min_length")))),
        maximum=typing.cast("float | None", extra.get("le", extra.get("lt", extra.get("max_length")))),
        exclusive_minimum="gt" in extra,
        exclusive_maximum="lt" in extra,
    )


def _read_annotation(
    annotation: Any,
) -> tuple[Literal["int", "float", "bool", "choice", "text"], tuple[str, ...], list[Any]]:
    origin = typing.get_origin(annotation)
    if origin is Annotated:
        base, *metadata = typing.get_args(annotation)
        kind, choices, bounds = _read_annotation(base)
        flat = [m for item in metadata for m in (item.metadata if isinstance(item, FieldInfo) else [item])]
        return kind, choices, [*bounds, *flat]
    if origin is Literal:
        return "choice", typing.get_args(annotation), []
    if origin in (typing.Union, types.UnionType):
        number, words = typing.get_args(annotation)
        kind, _, bounds = _read_annotation(number)
        return kind, typing.get_args(words), bounds
    kinds: dict[Any, Literal["int", "float", "bool", "text"]] = {
        int: "int",
        float: "float",
        bool: "bool",
        str: "text",
    }
    return kinds[annotation], (), []


SECTIONS: dict[str, type[Section]] = {
    "model": ModelConfig,
    "data": DataConfig,
    "optimizer": OptimizerConfig,
    "training": TrainingConfig,
    "sampling": SamplingConfig,
}

FIELDS: dict[str, FieldSpec] = {
    name: _describe(section, name, info)
    for section, model in SECTIONS.items()
    for name, info in model.model_fields.items()
}
