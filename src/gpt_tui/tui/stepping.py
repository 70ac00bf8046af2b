"""One press of an arrow: the value of a field that stands next to the one that it has."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

from gpt_tui.core.config import FieldSpec, find_faults

# Steps and batches are counted in 1, 2, 5, 10 …; sizes in 1, 2, 4, 8 ….
_COUNTED = ("steps", "batches")
_SMALLEST = 1e-6


def stepped(spec: FieldSpec, value: Any, direction: int, landing: float | None = None) -> Any:
    """The value of a field one press to the right (1) or to the left (-1); the same where there is none that way.

    Choices go around. Numbers go by the field's step, or along 1, 2, 5, 10 … or the powers of two, to the next that is
    allowed. A number that may also be a word ("off", "auto") has it below its smallest; from there the way back leads
    to `landing`, or to the default, or to the first number that the field's advice names.
    """
    if spec.kind == "bool":
        return not value
    if spec.kind == "choice":
        return around(spec.choices, value, direction)
    if spec.kind == "text":
        return value
    assert spec.minimum is not None
    assert spec.maximum is not None
    if isinstance(value, str):
        return _land(spec, landing) if direction > 0 else value
    number = _next(spec, value, direction)
    if number is not None and _allowed(spec, number):
        return number
    if direction > 0:
        return spec.choices[0] if spec.choices and value == spec.maximum else _end(spec, value, spec.maximum)
    return spec.choices[0] if spec.choices else _end(spec, value, spec.minimum)


def around(choices: Sequence[str], value: str, direction: int) -> str:
    """The choice before or after this one; behind the last comes the first."""
    return choices[(choices.index(value) + direction) % len(choices)]


def _allowed(spec: FieldSpec, number: float) -> bool:
    return spec.name in find_faults({spec.name: number})[0]


def _end(spec: FieldSpec, value: float, end: float) -> Any:
    """The bound itself where the field takes it, otherwise where one is."""
    end = int(end) if spec.kind == "int" else float(end)
    return end if _allowed(spec, end) else value


def _land(spec: FieldSpec, landing: float | None) -> Any:
    if landing is None and not isinstance(spec.default, str):
        landing = spec.default
    if landing is None and (found := re.search(r"\d+(\.\d+)?", spec.start)):
        landing = float(found.group())
    if landing is None:
        landing = spec.minimum or 1
    return int(landing) if spec.kind == "int" else float(landing)


def _next(spec: FieldSpec, value: float, direction: int) -> float | None:
    if spec.step is not None:
        return _next_multiple(spec, value, direction, spec.step)
    if spec.kind == "float":
        # A thousandth of the default is as low as a rate is worth stepping; what is left below it is 0, or the word.
        default = 0.0 if isinstance(spec.default, str) else spec.default
        lowest = 10.0 ** math.floor(math.log10(default * 1e-3)) if default else _SMALLEST
        if direction < 0 and value <= lowest * 1.001:
            return 0.0 if value > 0 else None
        return max(_next_decade(value, direction), lowest) if value > 0 else lowest
    series = _next_decade if spec.unit in _COUNTED else _next_power
    if value < 1:
        return 1 if direction > 0 else None
    if value == 1 and direction < 0:
        return 0
    return int(series(value, direction))


def _next_multiple(spec: FieldSpec, value: float, direction: int, step: float) -> float:
    places = max(0, -math.floor(math.log10(step)))
    multiples = round(value / step, 9)
    whole = math.floor(multiples) + 1 if direction > 0 else math.ceil(multiples) - 1
    if spec.kind == "int":
        # Above 2**53 a division would lose the number itself.
        return value // int(step) * int(step) + int(step) if direction > 0 else (value - 1) // int(step) * int(step)
    return round(float(whole * step), places)


def _next_power(value: float, direction: int) -> float:
    number = int(value)
    if direction > 0:
        return 1 << number.bit_length()
    return 1 << ((number - 1).bit_length() - 1)


def _next_decade(value: float, direction: int) -> float:
    """The next of 1, 2, 5 times a power of ten, above or below."""
    exponent = math.floor(math.log10(value))
    series = [float(f"{digit}e{e}") for e in (exponent - 1, exponent, exponent + 1) for digit in (1, 2, 5)]
    if direction > 0:
        return min(number for number in series if number > value * (1 + 1e-9))
    return max(number for number in series if number < value * (1 - 1e-9))
