"""Where values come from: layers over one another, the environment, TOML files."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gpt_tui.core.config.fields import FIELDS, SECTIONS, one_of
from gpt_tui.core.config.run_config import RunConfig, build, own_faults, unknown_field
from gpt_tui.core.errors import Fault, Refusal, did_you_mean


@dataclass(frozen=True)
class Layer:
    """Some fields' values and where they come from. labels: how each was written there, for refusals."""

    origin: str
    values: Mapping[str, Any]
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Resolved:
    config: RunConfig
    origins: Mapping[str, str]  # field name -> the origin of its value; "default" where none set it


def resolve(layers: Iterable[Layer]) -> Resolved:
    """Lay values over one another, weakest first, and check the result. Raises Refusal with every fault."""
    values: dict[str, Any] = {}
    labels: dict[str, str] = {}
    origins = dict.fromkeys(FIELDS, "default")
    for layer in layers:
        for name, value in layer.values.items():
            values[name] = value
            labels[name] = layer.labels.get(name, name)
            origins[name] = layer.origin
    return Resolved(build(values, labels), origins)


def environment_layer(environ: Mapping[str, str]) -> Layer:
    """The layer of GPT_TUI_<FIELD> names; a name that is no field is not ours and is ignored."""
    found = {spec.name: environ[spec.environment] for spec in FIELDS.values() if spec.environment in environ}
    return Layer("environment", found, {name: FIELDS[name].environment for name in found})


def read_toml(path: Path, origin: str | None = None) -> Layer:
    """The layer of a TOML file with tables [model], [data], [optimizer], [training], [sampling].

    Raises Refusal: a file that cannot be read or parsed, unknown tables and fields, each with its nearest name.
    """
    import tomllib

    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise Refusal.one(str(path), None, f"is not UTF-8 text (byte {error.start})") from None
    except OSError as error:
        raise Refusal.one(str(path), None, f"cannot be read: {error.strerror or error}") from None
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # TOMLDecodeError, or a number of thousands of digits
        raise Refusal.one(str(path), None, f"is not valid TOML: {error}") from None
    values, labels, faults = _flatten(document, str(path))
    if faults:
        raise Refusal([*faults, *own_faults(values, labels)])
    return Layer(origin or str(path), values, labels)


def from_sections(document: Mapping[str, Any], where: str) -> RunConfig:
    """The RunConfig of nested plain values (a `config.toml`, the event `started`). Raises Refusal."""
    values, labels, faults = _flatten(document, where)
    if faults:
        raise Refusal(faults)
    return build(values, labels)


def _flatten(document: Mapping[str, Any], where: str) -> tuple[dict[str, Any], dict[str, str], list[Fault]]:
    values: dict[str, Any] = {}
    labels: dict[str, str] = {}
    faults: list[Fault] = []
    for section, table in document.items():
        label = f"{where}: [{section}]"
        if section not in SECTIONS:
            if section in FIELDS:
                message = f"belongs into the table [{FIELDS[section].section}]"
            else:
                hint = did_you_mean(section, SECTIONS)
                message = f"there is no such table; the tables are {one_of(list(SECTIONS))}" + (
                    f"; {hint}" if hint else ""
                )
            faults.append(Fault(label, None, message))
            continue
        if not isinstance(table, Mapping):
            faults.append(Fault(label, None, "must be a table of fields"))
            continue
        for name, value in table.items():
            label = f"{where}: {section}.{name}"
            if name in FIELDS and FIELDS[name].section == section:
                values[name], labels[name] = value, label
            elif name in FIELDS:
                faults.append(Fault(label, None, f"belongs into the table [{FIELDS[name].section}]"))
            else:
                faults.append(unknown_field(label, value, name))
    return values, labels, faults


def user_config_path() -> Path:
    """The user's configuration file; GPT_TUI_CONFIG names another."""
    if named := os.environ.get("GPT_TUI_CONFIG"):
        return Path(named)
    import platformdirs

    return platformdirs.user_config_path("gpt-tui", appauthor=False) / "config.toml"
