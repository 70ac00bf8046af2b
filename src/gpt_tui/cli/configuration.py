"""The configuration that a command line asks for: where its values come from, what is wrong, what has no effect."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from gpt_tui.cli.arguments import Arguments
from gpt_tui.console import Console, one_line
from gpt_tui.core.config import (
    ENVIRONMENT,
    FIELDS,
    SECTIONS,
    USER_CONFIGURATION,
    Layer,
    Resolved,
    environment_layer,
    idle,
    own_faults,
    read_toml,
    resolve,
    user_config_path,
)
from gpt_tui.core.dataset_names import DATASET_NAMES, STANDARD_INPUT
from gpt_tui.core.errors import Fault, Refusal, shorten
from gpt_tui.core.files import expanded
from gpt_tui.core.presets import PresetShelf

FLAG = "flag"
_CONFIG = "--config "  # and the path


def read_layers(arguments: Arguments) -> list[Layer]:
    """Where values come from, weakest first; what cannot be read is a fault, and the others are read all the same.

    A run that is continued brings its own values: there only what was asked for on the command line counts.
    """
    sources: list[Callable[[], Layer]] = []
    continues = "resume" in arguments or "fork" in arguments
    preset, config, mine = arguments.get("preset"), arguments.get("config"), user_config_path()
    if not continues and mine.exists():
        sources.append(lambda: read_toml(mine, f"{USER_CONFIGURATION} {mine}", keys=True))
    if preset is not None:
        sources.append(lambda: PresetShelf().find(preset).layer())
    if config is not None:
        sources.append(lambda: read_toml(Path(config), _CONFIG + config))
    if not continues:
        sources.append(lambda: environment_layer(os.environ))
    sources.append(lambda: Layer(FLAG, arguments.fields(), arguments.field_labels()))
    layers = []
    for source in sources:
        try:
            layers.append(source())
        except Refusal as refusal:
            arguments.faults += [
                replace(fault, field=arguments.labels.get(fault.field, fault.field)) for fault in refusal.faults
            ]
    return layers


def settle(layers: list[Layer], *, broken: bool) -> Resolved:
    """Resolve. Where a layer is missing because it was faulty, rules over several fields would judge wrong values."""
    if not broken:
        return resolve(layers)
    values = {name: value for layer in layers for name, value in layer.values.items()}
    labels = {name: label for layer in layers for name, label in layer.labels.items()}
    if own := own_faults(values, labels):
        raise Refusal(own)
    return resolve([])


def dataset_faults(layers: list[Layer]) -> tuple[Fault, ...]:
    """What is wrong with a dataset that is neither a name nor anything there; what it holds shows when it is read."""
    name = next((layer.values["dataset"] for layer in reversed(layers) if "dataset" in layer.values), "auto")
    if not isinstance(name, str) or not name or name == "auto":
        return ()
    if name not in (*DATASET_NAMES, STANDARD_INPUT) and not _is_there(expanded(name)):
        from gpt_tui.core.data import load_dataset

        try:
            load_dataset(name)
        except Refusal as refusal:
            return refusal.faults
    return ()


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # in a folder that may not be looked into
        return False


# What has no effect ----------------------------------------------------------------------------------------------


def warn_of_idle_fields(resolved: Resolved, arguments: Arguments, console: Console) -> None:
    """Tell of each value that was asked for, and changes nothing beside the others."""
    why = idle(resolved.config.flat())
    for name, label in _asked_for(resolved, arguments):
        if name in why:
            value = shorten(FIELDS[name].show(resolved.config.get(name)))
            console.warn(f"gpt-tui: {label} = {value} has no effect: {why[name]}")


def _asked_for(resolved: Resolved, arguments: Arguments) -> Iterator[tuple[str, str]]:
    """Fields that a person set for this very run, and how each was written.

    A file that sets every field, as --print-config writes it, asks for none of them in particular.
    """
    flags = arguments.field_labels()
    complete = all(origin in (FLAG, ENVIRONMENT) or _is_file(origin) for origin in resolved.origins.values())
    for name, origin in resolved.origins.items():
        if origin == FLAG:
            yield name, flags[name]
        elif origin == ENVIRONMENT:
            yield name, FIELDS[name].environment
        elif _is_file(origin) and not complete:
            yield name, f"{origin.removeprefix(_CONFIG)}: {FIELDS[name].section}.{name}"


def _is_file(origin: str) -> bool:
    return origin.startswith(_CONFIG)


# --print-config --------------------------------------------------------------------------------------------------


def show_config(resolved: Resolved, flags: Mapping[str, str]) -> str:
    """The configuration as TOML that --config takes back, each value with where it came from beside it."""
    import tomli_w

    why = idle(resolved.config.flat())
    lines = []
    for section, model in SECTIONS.items():
        rows = [(tomli_w.dumps({name: resolved.config.get(name)}).strip(), name) for name in model.model_fields]
        column = min(40, max(len(text) for text, _ in rows))
        lines.append(f"[{section}]")
        for text, name in rows:
            effect = f"; no effect: {why[name]}" if name in why else ""
            lines.append(f"{text.ljust(column)}  # {_origin(resolved, name, flags)}{effect}")
        lines.append("")
    return "\n".join(lines)


def _origin(resolved: Resolved, name: str, flags: Mapping[str, str]) -> str:
    origin = resolved.origins[name]
    if origin == FLAG:
        return f"flag {flags[name]}"
    if origin == ENVIRONMENT:
        return f"environment {FIELDS[name].environment}"
    return one_line(origin)
