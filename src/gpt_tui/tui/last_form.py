"""The form as it was left, brought back at the next start."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gpt_tui.core.config import FIELDS, USER_CONFIGURATION, Layer, Resolved, conflicts, find_faults, resolve
from gpt_tui.core.errors import Refusal
from gpt_tui.core.presets import DEFAULT, PresetShelf

ORIGIN = "the last form"


def restore(
    kept: Mapping[str, Any], fallback: Resolved, presets: PresetShelf | None = None
) -> tuple[Resolved, str | None]:
    """The configuration to start with, and the name of the preset that it is on; `fallback` where nothing can be used.

    kept:     what `SetupView.kept` gave, read back from a file that anybody may have changed: what is no field, or no
              value of one, is passed over
    fallback: what the command line asks for without it, and without a preset; what was set there for this very start
              is stronger than the last form, which is stronger than the user's own file
    presets:  where the preset is looked for; None is the built-in ones and the user's own
    """
    name, fields = kept.get("preset"), kept.get("fields")
    if not isinstance(name, str) or not isinstance(fields, Mapping):
        return fallback, None
    try:
        preset = (presets or PresetShelf()).find(name)
    except Refusal:  # without it, what differed from it says nothing
        return fallback, None
    given = [Layer(o, {n: fallback.config.get(n)}) for n, o in fallback.origins.items() if _is_given(o)]
    mine = [layer for layer in given if layer.origin.startswith(USER_CONFIGURATION)]
    asked = [layer for layer in given if layer not in mine]
    below = [preset.layer(), *mine] if name == DEFAULT else [*mine, preset.layer()]
    last, _ = find_faults({n: v for n, v in fields.items() if n in FIELDS})
    last = {n: v for n, v in last.items() if n in fields}
    for values in (last, _without_conflicts(last, [*below, *asked])):
        try:
            return resolve([*below, Layer(ORIGIN, values), *asked]), preset.name
        except Refusal:
            continue
    return fallback, None


def _is_given(origin: str) -> bool:
    return origin != "default" and not origin.startswith("preset ")


def _without_conflicts(last: Mapping[str, Any], others: list[Layer]) -> dict[str, Any]:
    """Those fields of a form that was left with faults which have no part in them."""
    values = {name: spec.default for name, spec in FIELDS.items()}
    for layer in others:
        sound, _ = find_faults(layer.values)
        values |= {name: sound[name] for name in layer.values}
    wrong = {name for found in conflicts({**values, **last}) for name in (found.field, *found.beside)}
    return {name: value for name, value in last.items() if name not in wrong}
