"""Where values come from: layers over one another, the environment, TOML files."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gpt_tui.core.config.fields import FIELDS, SECTIONS, one_of
from gpt_tui.core.config.run_config import RunConfig, build, own_faults, unknown_field
from gpt_tui.core.errors import Fault, NewerVersion, Refusal, did_you_mean, refuse_newer

ENVIRONMENT, USER_CONFIGURATION = "environment", "user configuration"  # what origins begin with
_MAX_BYTES = 1 << 20
KEYS_TABLE = "keys"  # of the user's file; what it means is known to `tui.keymap`


@dataclass(frozen=True)
class Layer:
    """Some fields' values and where they come from.

    labels: how each was written there, for refusals. summary: what a file says of itself.
    """

    origin: str
    values: Mapping[str, Any]
    labels: Mapping[str, str] = field(default_factory=dict)
    summary: str = ""


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
    return Layer(ENVIRONMENT, found, {name: FIELDS[name].environment for name in found})


def read_toml(path: Path, origin: str | None = None, *, keys: bool = False) -> Layer:
    """The layer of a TOML file with tables [model], [data], [optimizer], [training], [sampling].

    Above them may stand `summary`, a line of text that says what the file is for, and `v`, the version of its format.
    keys: there may also be a table [keys], which is the playground's and is passed over: in the user's own file.
    Raises Refusal: a file that cannot be read or parsed, unknown tables and fields, each with its nearest name.
    """
    document = read_document(path)
    if keys:
        document.pop(KEYS_TABLE, None)
    return layer_of(document, str(path), origin or str(path))


def parse_toml(text: str, origin: str) -> Layer:
    """The layer of a text that is no file's. Raises Refusal as `read_toml` does, with fields as "model.n_layer"."""
    return layer_of(_parse(text, origin), "", origin)


def layer_of(document: dict[str, Any], where: str, origin: str) -> Layer:
    """The layer of a document that has been read, which is used up. where: stands before a fault. Raises Refusal."""
    version, summary = document.pop("v", 1), document.pop("summary", "")
    try:
        refuse_newer(version, where or origin)
    except NewerVersion as error:
        raise Refusal.one(_label(where, "v"), None, str(error)) from None
    values, labels, faults = _flatten(document, where)
    if type(version) is not int or version < 1:
        faults.append(Fault(_label(where, "v"), None, "must be 1, the version of the file's format"))
    if not isinstance(summary, str):
        faults.append(Fault(_label(where, "summary"), None, "must be a line of text, in quotes"))
    if faults:
        raise Refusal([*faults, *own_faults(values, labels)])
    return Layer(origin, values, labels, summary)


def read_document(path: Path) -> dict[str, Any]:
    """The tables and values of a TOML file. Raises Refusal: a file that cannot be read or parsed."""
    try:
        with path.open("rb") as file:  # of any kind: a person may name a pipe
            content = file.read(_MAX_BYTES + 1)
        if len(content) > _MAX_BYTES:
            raise Refusal.one(str(path), None, f"is larger than the {_MAX_BYTES:,} bytes that it may have")
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Refusal.one(str(path), None, f"is not UTF-8 text (byte {error.start})") from None
    except OSError as error:
        raise Refusal.one(str(path), None, f"cannot be read: {error.strerror or error}") from None
    return _parse(text, str(path))


def _parse(text: str, what: str) -> dict[str, Any]:
    import tomllib

    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # TOMLDecodeError, or a number of thousands of digits
        raise Refusal.one(what, None, f"is not valid TOML: {error}") from None


def _label(where: str, what: str) -> str:
    return f"{where}: {what}" if where else what


_UNTOLD = {"optimizer": "adamw"}  # in what was written before there was another


def from_sections(document: Mapping[str, Any], where: str) -> RunConfig:
    """The RunConfig of nested plain values (a `config.toml`, the event `started`). Raises Refusal."""
    values, labels, faults = _flatten(document, where)
    if faults:
        raise Refusal(faults)
    return build_kept(values, labels)


def build_kept(values: Mapping[str, Any], labels: Mapping[str, str] | None = None) -> RunConfig:
    """The RunConfig of a run that has begun, from flat values; what they leave out is what held when it began.

    Raises Refusal.
    """
    return build({**_UNTOLD, **values}, labels)


def _flatten(document: Mapping[str, Any], where: str) -> tuple[dict[str, Any], dict[str, str], list[Fault]]:
    values: dict[str, Any] = {}
    labels: dict[str, str] = {}
    faults: list[Fault] = []
    for section, table in document.items():
        label = _label(where, f"[{section}]")
        if section not in SECTIONS:
            if section == KEYS_TABLE:
                message = (
                    f"keys are the playground's, and are set in the user's configuration file {user_config_path()}"
                )
            elif section in FIELDS:
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
            label = _label(where, f"{section}.{name}")
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
