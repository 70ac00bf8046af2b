"""What the Setup form holds and how it changes, without a screen: values, preset, undo, faults, command.

Every field's own value is sound at all times, because an editor only lets go of text that the field takes; what can be
wrong in a form is how fields go together, and that is checked after every change.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gpt_tui.core.config import (
    ENVIRONMENT,
    FIELDS,
    RULES,
    SECTIONS,
    USER_CONFIGURATION,
    DatasetFacts,
    ModelConfig,
    Resolved,
    RunConfig,
    build,
    conflicts,
    dataset_faults,
    find_faults,
    idle,
    live_changes,
)
from gpt_tui.core.dataset_names import DATASET_NAMES, STANDARD_INPUT
from gpt_tui.core.errors import Fault, Refusal
from gpt_tui.core.presets import DEFAULT, PRESETS, Preset, PresetShelf
from gpt_tui.tui.stepping import around, stepped

if TYPE_CHECKING:
    from gpt_tui.core.data import Tokenizer

_AGAIN = (USER_CONFIGURATION, ENVIRONMENT)  # what sets a field at the next start too


@dataclass(frozen=True)
class _Change:
    """What one change replaced. asked: the fields that were asked of the run that was on."""

    preset: Preset
    before: Mapping[str, Any]
    asked: tuple[str, ...]


class Form:
    """The fields of the run that would start next.

    preset:  the one that the configuration was built on; None is the default one
    presets: those that can be chosen; None is the built-in ones and the user's own

    While a run is on (`run` is its configuration, with its edits), the form follows it: a field that nobody set apart
    shows what the run has. A live field that is set here is asked of the run; everything else is kept for the next one.
    """

    def __init__(self, resolved: Resolved, preset: Preset | None = None, presets: PresetShelf | None = None) -> None:
        self.presets = presets or PresetShelf()
        self.chosen = preset or PRESETS[DEFAULT]
        self.base = self.chosen.config()
        self.run: RunConfig | None = None
        self.facts: DatasetFacts | None = None
        self._vocabulary: Tokenizer | None = None
        self._values: Mapping[str, Any] = resolved.config.flat()
        self._model = resolved.config.model
        self._past: list[_Change] = []
        self._asked: dict[str, Any] = {}
        self._auto_stood_for = ""  # the dataset of the run that was begun with auto
        self._begun_with, self._begun_on = resolved, self.chosen
        # A user's file or environment may set these again under any preset, so a command has to name them.
        self._named = {name for name in FIELDS if self._origin(name)}
        self._check()

    # What it holds ---------------------------------------------------------------------------------------------------

    @property
    def preset(self) -> str:
        """The name of the preset that it is on."""
        return self.chosen.name

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
        found = filter(None, (rule.check(self._values) for rule in RULES if name in rule.reads))
        return next((f"{conflict.field}: {conflict.message}" for conflict in found if conflict.field != name), "")

    def unfit(self) -> dict[str, str]:
        """Fields that another one, which is at fault, does not go with: {name: in words}. No faults of their own."""
        return {
            name: f"does not go with {conflict.field} = {FIELDS[conflict.field].show(self._values[conflict.field])}"
            for conflict in conflicts(self._values)
            for name in conflict.beside
        }

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
        if "dataset" in found and _same_dataset(*found["dataset"], self._auto_stood_for):
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
        """Live fields that were asked of the run and are not changed there yet, in the order in which it takes them."""
        return self._asked

    def origin(self, name: str) -> str:
        """Where the value comes from that stands there since the start; "" of a preset's, a default, or a change."""
        untouched = self.run is None and self._values[name] == self._begun_with.config.get(name)
        return self._origin(name) if untouched else ""

    def _origin(self, name: str) -> str:
        spec, origin = FIELDS[name], self._begun_with.origins[name]
        if origin == "default" or origin.startswith("preset "):
            return ""
        return {"flag": f"flag {spec.flag}", ENVIRONMENT: f"environment {spec.environment}"}.get(origin, origin)

    def _check(self) -> None:
        _, self._faults = find_faults(self._values)
        self._config = None if self._faults else build(self._values)
        self._model_is_sound = all(FIELDS[fault.field].section != "model" for fault in self._faults)
        if self._model_is_sound:
            self._model = self.draft.model
        if self._config and self.facts:
            self._faults = dataset_faults(self._config, self.facts)
        if self._vocabulary:
            self._faults = [*self._faults, *self._vocabulary.faults(self._values["prompt"], field="prompt")]
        self._config = None if self._faults else self._config

    def know(self, facts: DatasetFacts | None, vocabulary: Tokenizer | None = None) -> None:
        """What is known of the chosen dataset; the rules that need one are checked against it."""
        self.facts, self._vocabulary = facts, vocabulary
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
        return self.set_all({name: value}).get(name)

    def set_all(self, values: Mapping[str, Any]) -> dict[str, str]:
        """Set sound values as one change. The live ones are asked of the run that is on, the others are set apart.

        Returns the reasons of the live fields that the run cannot take, by name.
        """
        apart = self.apart()
        live = {n: v for n, v in values.items() if FIELDS[n].live and (v != self._values[n] or n in apart)}
        order, refused = self._askable(live) if self.run is not None else ([], {})
        changes = {n: v for n, v in values.items() if v != self._values[n] or n in order}
        if changes:
            self._change(changes, asked=tuple(order))
        return refused

    def _askable(self, wanted: Mapping[str, Any]) -> tuple[list[str], dict[str, str]]:
        """In which order the run can take these live fields, each beside those before it; and what it cannot take."""
        order: list[str] = []
        left = list(wanted)
        while left:
            beside = {**self._asked, **{name: wanted[name] for name in order}}
            refused = {name: self._refusal(name, wanted[name], beside) for name in left}
            fit = [name for name in left if refused[name] is None]
            if not fit:
                return order, {name: why for name, why in refused.items() if why}
            order.append(fit[0])
            left.remove(fit[0])
        return order, {}

    def _change(self, values: Mapping[str, Any], *, asked: tuple[str, ...] = (), preset: Preset | None = None) -> None:
        self._past.append(_Change(self.chosen, {name: self._values[name] for name in values}, asked))
        self._take(values, preset or self.chosen, asked)

    def _take(self, values: Mapping[str, Any], preset: Preset, asked: tuple[str, ...] = ()) -> None:
        self._values = {**self._values, **values}
        self._asked = {name: value for name, value in self._asked.items() if name not in values}
        self._asked |= {name: self._values[name] for name in asked}
        if preset != self.chosen:
            self.chosen, self.base = preset, preset.config()
        self._check()

    def refusal(self, name: str, value: Any) -> str | None:
        """Why the run that is on cannot take a live field's value; None where it can, or where it is not asked."""
        return self._refusal(name, value, self._asked)

    def _refusal(self, name: str, value: Any, beside: Mapping[str, Any]) -> str | None:
        if self.run is None or not FIELDS[name].live:
            return None
        try:
            live_changes(self.run.replace(**{n: v for n, v in beside.items() if n != name}), {name: value})
        except Refusal as refused:
            return "; ".join(f.message if f.field == name else f"{f.field} {f.message}" for f in refused.faults)
        if name == "prompt" and self._vocabulary and self._reads_the_same(self.run):
            return "; ".join(fault.message for fault in self._vocabulary.faults(value)) or None
        return None

    def _reads_the_same(self, run: RunConfig) -> bool:
        return all(self._values[name] == run.get(name) for name in ("dataset", "tokenizer"))

    def undo(self) -> list[str] | None:
        """Take back the last change. The fields to ask of the run that is on; None where there is nothing to undo."""
        if not self._past:
            return None
        change = self._past.pop()
        back = {name: change.before[name] for name in change.asked}
        order = self._askable(back)[0] if self.run is not None else []
        self._take(change.before, change.preset, tuple(order))
        return order

    @property
    def can_undo(self) -> bool:
        return bool(self._past)

    # Its preset ------------------------------------------------------------------------------------------------------

    def choose_preset(self, name: str) -> None:
        """Set the fields that the preset names. A run that is on is left alone. Raises Refusal."""
        preset = self.presets.find(name)
        sound = preset.config().flat()
        values = {field: sound[field] for field in preset.values}
        if preset != self.chosen or any(self._values[field] != value for field, value in values.items()):
            self._change(values, preset=preset)

    def stepped_preset(self, direction: int) -> str:
        """The name of the preset before or after this one; those that are broken are passed over."""
        names = self.presets.names()
        names += [] if self.preset in names else [self.preset]
        name = self.preset
        for _ in names:
            name = around(names, name, direction)
            try:
                return self.presets.find(name).name
            except Refusal:
                continue  # it is told of where it is asked for by name
        return self.preset

    def keep_as(self, name: str) -> Preset:
        """Keep the form as a preset of one's own, and be on that one. Raises Refusal, and GptTuiError for the disk.

        It names what every preset does, what the present one does, and what is otherwise than the default.
        """
        named = {*PRESETS[DEFAULT].values, *self.chosen.values}
        values = {n: v for n, v in self._values.items() if n in named or v != FIELDS[n].default}
        if (self.base.data.dataset, values.get("dataset")) == ("auto", self._auto_stood_for):
            del values["dataset"]
        elif "dataset" in values:
            values["dataset"] = _placed(values["dataset"])
        kept = self.presets.keep(name, values)
        self._change({}, preset=kept)
        return kept

    # Beside a run ----------------------------------------------------------------------------------------------------

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
                self._take({"dataset": differs.pop("dataset")}, self.chosen)
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
        """The `gpt-tui --headless …` line that does the same, quoted for a POSIX shell, wherever it is entered."""
        words = ["gpt-tui", "--headless", "--preset", self.preset]
        changed = self.changed()
        for name, spec in FIELDS.items():
            if name in changed or name in self._named:
                value = self._values[name]
                text = spec.show(_placed(value) if name == "dataset" else value)
                words += [f"{spec.flag}={text}"] if text.startswith("-") else [spec.flag, text]
        return shlex.join(words)

    def kept(self) -> dict[str, Any]:
        """What brings the form back at the next start (see `last_form.restore`), as plain values.

        Left out is what the user's file or the environment set and nobody changed: they set it again, as they then are.
        """
        changed = self.changed()
        on_another = self.chosen != self._begun_on

        def belongs(name: str) -> bool:
            if not self._begun_with.origins[name].startswith(_AGAIN):
                return name in changed
            return self._values[name] != self._begun_with.config.get(name) or (name in changed and on_another)

        return {"preset": self.preset, "fields": {n: v for n, v in self._values.items() if belongs(n)}}

    def stepped(self, name: str, direction: int) -> Any:
        """The value one press of an arrow away; the same value where there is none."""
        spec, value = FIELDS[name], self._values[name]
        if name == "dataset":
            return around(_datasets(value), value, direction)
        landing = self._values["max_iters"] if name == "lr_decay_iters" else None
        return stepped(spec, value, direction, landing)


def _datasets(value: str) -> tuple[str, ...]:
    return DATASET_NAMES if value in DATASET_NAMES else (*DATASET_NAMES, value)


def _placed(dataset: str) -> str:
    """A dataset as it can be named from any folder."""
    if dataset in (*DATASET_NAMES, STANDARD_INPUT) or dataset.startswith("~"):
        return dataset
    return str(Path(dataset).absolute())


def _same_dataset(in_preset: str, now: str, auto_stood_for: str) -> bool:
    return (in_preset, now) == ("auto", auto_stood_for) or _placed(in_preset) == _placed(now)
