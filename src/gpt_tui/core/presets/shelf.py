"""Presets of a person's own: files NAME.toml in one folder, beside those that come with the program.

Such a file is what `--config` takes, and may say in a line, `summary`, what it is for. Nothing is kept in memory: a
file that is changed by hand is another preset the next time that it is asked for.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gpt_tui.core.config import FIELDS, read_toml, user_config_path
from gpt_tui.core.errors import Fault, GptTuiError, Refusal, shorten
from gpt_tui.core.files import reason, replace_whole
from gpt_tui.core.presets.built_in import PRESETS, Preset, no_such_preset

MAX_NAME = 24  # what the form has room for
_NAME = re.compile(r"[a-z0-9]([a-z0-9._-]*[a-z0-9])?")
_WINDOWS_DEVICES = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?")
_MAX_SUMMARY = 60  # characters
_MAX_DESCRIBED = 44  # what a row of the form has room for
_HEAD = (
    "# A preset of your own: gpt-tui --preset {name} starts from it, and --config reads this file as well.\n"
    "# It sets the fields that are named here, and leaves all others as they are.\n\n"
)


@dataclass(frozen=True)
class BrokenPreset:
    """A file among one's own presets that cannot be used, and why."""

    name: str
    path: Path
    faults: tuple[Fault, ...]


def default_presets_dir() -> Path:
    """`presets` beside the user's configuration file."""
    return user_config_path().parent / "presets"


class PresetShelf:
    """The built-in presets, and those in a folder, which need not exist. Raises only where a preset is asked for."""

    def __init__(self, folder: Path | None = None) -> None:
        """folder: of one's own presets; None is the user's."""
        self.folder = default_presets_dir() if folder is None else folder

    # Finding ---------------------------------------------------------------------------------------------------------

    def names(self) -> list[str]:
        """Every name that can be asked for, the built-in ones first; a file of one's own may yet turn out broken."""
        return [*PRESETS, *(path.stem for path in self._files() if _name_fault(path.stem) is None)]

    def find(self, name: str) -> Preset:
        """The preset of that name. Raises Refusal: the nearest name, or what is wrong in its file."""
        if name in PRESETS:
            return PRESETS[name]
        if self.has_own(name):
            return _read(self._path(name))
        raise no_such_preset(name, self.names())

    def has_own(self, name: str) -> bool:
        return _name_fault(name) is None and self._path(name) in self._files()

    def own(self) -> tuple[list[Preset], list[BrokenPreset]]:
        """One's own presets, and the files there that are none; what cannot be read stops nothing else."""
        presets, broken = [], []
        try:
            files = self._listed()
        except OSError as error:
            fault = Fault(str(self.folder), None, f"cannot be read: {reason(error)}")
            return [], [BrokenPreset(self.folder.name, self.folder, (fault,))]
        for path in files:
            try:
                if why := _name_fault(path.stem):
                    raise Refusal.one(str(path), None, f"{why}; rename the file to {self.free_name(path.stem)}.toml")
                presets.append(_read(path))
            except Refusal as refused:
                broken.append(BrokenPreset(path.stem, path, refused.faults))
        return presets, broken

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.toml"

    def _files(self) -> list[Path]:
        """The files of the folder; none where it cannot be read, which `own` tells."""
        try:
            return self._listed()
        except OSError:
            return []

    def _listed(self) -> list[Path]:
        if not self.folder.is_dir():
            return []
        return sorted(path for path in self.folder.iterdir() if path.suffix == ".toml" and path.is_file())

    # Keeping ---------------------------------------------------------------------------------------------------------

    def name_fault(self, name: str) -> str | None:
        """Why one's own preset cannot have this name, with a free one that is near; None where it can."""
        why = _name_fault(name)
        return f"{why}; {self.free_name(name)} is free" if why else None

    def free_name(self, wanted: str) -> str:
        """The name that is most like `wanted` and that no preset has."""
        plain = unicodedata.normalize("NFKD", wanted).encode("ascii", "ignore").decode().lower()
        stem = re.sub(r"[^a-z0-9._-]+", "-", plain).strip("-._")[:MAX_NAME].rstrip("-._") or "mine"
        taken = {path.stem for path in self._files()}
        number, name = 1, stem
        while name in taken or _name_fault(name) is not None:
            number += 1
            name = stem[: MAX_NAME - len(f"-{number}")].rstrip("-._") + f"-{number}"
        return name

    def keep(self, name: str, values: Mapping[str, Any]) -> Preset:
        """Keep these fields under that name, whole or not at all; a preset of one's own that had it is replaced.

        values: sound, by field name. What the replaced one says of itself is kept where a person wrote it.
        Raises Refusal for a name that cannot be, and for fields that do not go together; GptTuiError where the folder
        cannot be written.
        """
        if why := self.name_fault(name):
            raise Refusal.one("preset", name, why)
        Preset(name, "", "", values).config()
        text = _HEAD.format(name=name) + _toml(values, self._summary(name, values))
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            replace_whole(self._path(name), text.encode())
        except OSError as error:
            raise GptTuiError(f"The preset cannot be kept as {self._path(name)}: {reason(error)}.") from None
        return self.find(name)

    def _summary(self, name: str, values: Mapping[str, Any]) -> str:
        try:
            replaced = self.find(name)
        except Refusal:
            return describe(values)
        return describe(values) if replaced.summary == describe(replaced.values) else replaced.summary


def _read(path: Path) -> Preset:
    layer = read_toml(path)
    summary = shorten(layer.summary, _MAX_SUMMARY) or "a preset of your own"
    read = Preset(path.stem, summary, f"own, {path}", layer.values, path=path, labels=layer.labels)
    try:
        sound = read.config().flat()
    except Refusal as refused:  # what is wrong between its fields may lie at one that it does not name
        here = [
            f if f.field in layer.labels.values() else replace(f, field=f"{path}: {f.field}") for f in refused.faults
        ]
        raise Refusal(here) from None
    return replace(read, values={name: sound[name] for name in layer.values})


def describe(values: Mapping[str, Any]) -> str:
    """In a few words: the built-in preset that is most like it, and what differs."""
    unlike = {
        preset.name: [n for n, value in values.items() if value != preset.values.get(n, FIELDS[n].default)]
        for preset in PRESETS.values()
    }
    nearest = min(unlike, key=lambda name: len(unlike[name]))
    names = unlike[nearest]
    if not names:
        return f"as {nearest}"
    for count in (2, 1, 0):
        told = ", ".join(f"{name} {_in_brief(name, values[name])}" for name in names[:count])
        more = f" and {len(names) - count} more" if len(names) > count else ""
        said = (
            f"{nearest} with {told}{more}"
            if told
            else f"{nearest} with {'another field' if len(names) == 1 else f'{len(names)} other fields'}"
        )
        if len(said) <= _MAX_DESCRIBED:
            break
    return said


def _in_brief(name: str, value: Any) -> str:
    text = FIELDS[name].show(value)
    return Path(text).name or text if name == "dataset" else text


def _toml(values: Mapping[str, Any], summary: str) -> str:
    import tomli_w

    sections: dict[str, dict[str, Any]] = {}
    for name, spec in FIELDS.items():
        if name in values:
            sections.setdefault(spec.section, {})[name] = values[name]
    return tomli_w.dumps({"summary": summary, **sections})


def _name_fault(name: str) -> str | None:
    if name in PRESETS:
        return f"{name} is a preset that comes with the program"
    if len(name) > MAX_NAME:
        return f"a preset's name has at most {MAX_NAME} characters"
    if not _NAME.fullmatch(name):
        return "a preset's name is of small letters a to z, digits, and - _ . within it"
    if _WINDOWS_DEVICES.fullmatch(name):
        return "Windows keeps that name for a device"
    return None
