"""What the Setup form holds and how it changes, without a screen: values, preset, undo, faults, command.

Every field's own value is sound at all times, because an editor only lets go of text that the field takes; what can be
wrong in a form is how fields go together, and that is checked after every change.
"""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gpt_tui.core.config import (
    FIELDS,
    RULES,
    SECTIONS,
    DatasetFacts,
    FieldSpec,
    ModelConfig,
    Resolved,
    RunConfig,
    build,
    dataset_faults,
    find_faults,
    idle,
    live_changes,
)
from gpt_tui.core.errors import Fault, Refusal
from gpt_tui.core.presets import DEFAULT, PRESETS, find_preset

# Steps and batches are counted in 1, 2, 5, 10 …; sizes in 1, 2, 4, 8 ….
_COUNTED = ("steps", "batches")
_SMALLEST = 1e-6


@dataclass(frozen=True)
class _Change:
    """What one change replaced. live: it was asked of the run that was on."""

    preset: str
    before: Mapping[str, Any]
    live: bool


class Form:
    """The fields of the run that would start next.

    While a run is on (`run` is its configuration, with its edits), the form follows it: a field that nobody set apart
    shows what the run has. A live field that is set here is asked of the run; everything else is kept for the next one.
    """

    def __init__(self, resolved: Resolved, preset: str | None) -> None:
        self.preset = preset or DEFAULT
        self.base = find_preset(self.preset).config()
        self.run: RunConfig | None = None
        self.facts: DatasetFacts | None = None
        self._values: Mapping[str, Any] = resolved.config.flat()
        self._model = resolved.config.model
        self._past: list[_Change] = []
        self._asked: dict[str, Any] = {}
        self._auto_stood_for = ""  # the dataset of the run that was begun with auto
        # A user's file or environment may set these again under any preset, so a command has to name them.
        self._named = {
            name
            for name, origin in resolved.origins.items()
            if origin != "default" and not origin.startswith("preset ")
        }
        self._check()

    # What it holds ---------------------------------------------------------------------------------------------------

    @property
    def values(self) -> Mapping[str, Any]:
        return self._values

    @property
    def config(self) -> RunConfig | None:
        """The configuration, or None while there are faults."""
        return self._config

    @property
    def faults(self) -> list[Fault]:
        return self._faults

    @property
    def model(self) -> ModelConfig:
        """The model, or the last one that could be built while there is a fault in it (`model_is_sound`)."""
        return self._model

    @property
    def model_is_sound(self) -> bool:
        return self._model_is_sound

    def idle(self) -> dict[str, str]:
        """Fields that change nothing beside the others' values, and why; the model's only while it is sound."""
        found = idle(self._values)
        return found if self._model_is_sound else {n: why for n, why in found.items() if FIELDS[n].section != "model"}

    def fault_beside(self, name: str) -> str:
        """What is wrong at another field because of this one's value too."""
        found = (rule.check(dict(self._values)) for rule in RULES if name in rule.reads)
        return next((f"{field}: {message}" for field, message in filter(None, found) if field != name), "")

    @property
    def draft(self) -> RunConfig:
        """The fields put together, whether they go together or not: enough to count what they cost.

        A model that cannot be built is the last one that could be.
        """
        sections = {
            section: model(**{name: self._values[name] for name in model.model_fields})
            for section, model in SECTIONS.items()
        }
        return RunConfig(**(sections if self._model_is_sound else {**sections, "model": self._model}))

    def changed(self) -> dict[str, tuple[Any, Any]]:
        """Fields that differ from the preset's: {name: (the preset's value, the form's)}.

        What auto stood for in a run is no change that a person made.
        """
        before = self.base.flat()
        found = {name: (before[name], value) for name, value in self._values.items() if value != before[name]}
        if found.get("dataset") == ("auto", self._auto_stood_for):
            del found["dataset"]
        return found

    def apart(self) -> dict[str, tuple[Any, Any]]:
        """Fields that wait for a new run while one is on: {name: (the run's value, the form's)}."""
        if self.run is None:
            return {}
        now = self.run.flat()
        return {
            name: (now[name], value)
            for name, value in self._values.items()
            if value != now[name] and name not in self._asked
        }

    @property
    def asked(self) -> Mapping[str, Any]:
        """Live fields that were asked of the run and are not changed there yet."""
        return self._asked

    def _check(self) -> None:
        _, self._faults = find_faults(self._values)
        self._config = None if self._faults else build(self._values)
        self._model_is_sound = all(FIELDS[fault.field].section != "model" for fault in self._faults)
        if self._model_is_sound:
            self._model = self.draft.model
        if self._config and self.facts:
            self._faults = dataset_faults(self._config, self.facts)
            self._config = None if self._faults else self._config

    def know(self, facts: DatasetFacts | None) -> None:
        """What is known of the chosen dataset; the rules that need one are checked against it."""
        self.facts = facts
        self._check()

    # How it changes --------------------------------------------------------------------------------------------------

    def read(self, name: str, text: str) -> Any:
        """The value of `text` for this field. Raises Refusal."""
        sound, faults = find_faults({name: text})
        if name not in sound:
            raise Refusal(faults)
        return sound[name]

    def set(self, name: str, value: Any) -> str | None:
        """Set a sound value. Where it is to be asked of the run and that cannot take it, the reason comes back."""
        refused = self.refusal(name, value)
        live = self.run is not None and FIELDS[name].live and refused is None
        if value == self._values[name] and not (live and name in self.apart()):
            return None
        self._change({name: value}, live=live)
        if live:
            self._asked[name] = value
        return refused

    def _change(self, values: Mapping[str, Any], *, live: bool = False, preset: str | None = None) -> None:
        self._past.append(_Change(self.preset, {name: self._values[name] for name in values}, live))
        self._take(values, preset or self.preset)

    def _take(self, values: Mapping[str, Any], preset: str) -> None:
        self._values = {**self._values, **values}
        self._asked = {name: value for name, value in self._asked.items() if name not in values}
        if preset != self.preset:
            self.preset, self.base = preset, find_preset(preset).config()
        self._check()

    def refusal(self, name: str, value: Any) -> str | None:
        """Why the run that is on cannot take a live field's value; None where it can, or where it is not asked."""
        if self.run is None or not FIELDS[name].live:
            return None
        try:
            live_changes(self.run.replace(**{n: v for n, v in self._asked.items() if n != name}), {name: value})
        except Refusal as refused:
            return "; ".join(fault.message for fault in refused.faults)
        return None

    def choose_preset(self, name: str) -> None:
        """Set the fields that the preset names. A run that is on is left alone."""
        sound = build(find_preset(name).values).flat()
        values = {field: sound[field] for field in PRESETS[name].values}
        if name != self.preset or any(self._values[field] != value for field, value in values.items()):
            self._change(values, preset=name)

    def undo(self) -> list[str] | None:
        """Take back the last change. The fields to ask of the run that is on; None where there is nothing to undo."""
        if not self._past:
            return None
        change = self._past.pop()
        ask = [name for name, value in change.before.items() if change.live and self.refusal(name, value) is None]
        self._take(change.before, change.preset)
        if self.run is None:
            return []
        self._asked.update({name: self._values[name] for name in ask})
        return ask

    @property
    def can_undo(self) -> bool:
        return bool(self._past)

    def follow(self, run: RunConfig | None) -> None:
        """The configuration of the run that is on now, or None. What nobody set apart takes the run's values."""
        before, self.run = self.run, run
        if run is None:
            self._asked.clear()
            return
        now = run.flat()
        if before is None:
            differs = {name: now[name] for name, value in self._values.items() if value != now[name]}
            if "dataset" in differs and self._values["dataset"] == "auto":
                self._auto_stood_for = differs["dataset"]
                self._take({"dataset": differs.pop("dataset")}, self.preset)
            if differs:
                self._change(differs)
            return
        if run == before:
            return
        old = before.flat()
        self._values = {name: now[name] if value == old[name] else value for name, value in self._values.items()}
        self._asked = {name: value for name, value in self._asked.items() if now[name] != value}
        self._check()

    def withdraw(self, name: str) -> None:
        """What was asked of the run is what it has already."""
        self._asked.pop(name, None)

    def give_up(self) -> list[str]:
        """The run refused what was asked: those fields go back to what it has. Their names come back."""
        names = list(self._asked)
        if self.run is not None:
            self._values = {**self._values, **{name: self.run.get(name) for name in names}}
        self._asked.clear()
        self._check()
        return names

    # What it says ----------------------------------------------------------------------------------------------------

    def command_line(self) -> str:
        """The `gpt-tui --headless …` line that does the same, quoted for a POSIX shell."""
        words = ["gpt-tui", "--headless", "--preset", self.preset]
        changed = self.changed()
        for name, spec in FIELDS.items():
            if name in changed or name in self._named:
                text = spec.show(self._values[name])
                words += [f"{spec.flag}={text}"] if text.startswith("-") else [spec.flag, text]
        return shlex.join(words)

    def stepped(self, name: str, direction: int) -> Any:
        """The value one press of an arrow away; the same value where there is none."""
        spec, value = FIELDS[name], self._values[name]
        if name == "dataset":
            return _around(_datasets(value), value, direction)
        landing = self._values["max_iters"] if name == "lr_decay_iters" else None
        return stepped(spec, value, direction, landing)

    def stepped_preset(self, direction: int) -> str:
        return _around(tuple(PRESETS), self.preset, direction)


def _datasets(value: str) -> tuple[str, ...]:
    from gpt_tui.core.data.sources import DATASET_NAMES

    return DATASET_NAMES if value in DATASET_NAMES else (*DATASET_NAMES, value)


# One press of an arrow -------------------------------------------------------------------------------------------


def stepped(spec: FieldSpec, value: Any, direction: int, landing: float | None = None) -> Any:
    """The value of a field one press to the right (1) or to the left (-1); the same where there is none that way.

    Choices go around. Numbers go by the field's step, or along 1, 2, 5, 10 … or the powers of two, to the next that is
    allowed. A number that may also be a word ("off", "auto") has it below its smallest; from there the way back leads
    to `landing`, or to the default, or to the first number that the field's advice names.
    """
    if spec.kind == "bool":
        return not value
    if spec.kind == "choice":
        return _around(spec.choices, value, direction)
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


def _around(choices: tuple[str, ...], value: str, direction: int) -> str:
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
