"""The program's own exceptions. Each message is a sentence a person can act on; the doors print it as it stands."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass


class GptTuiError(Exception):
    """Anything that goes wrong in a way the program understands (exit status 1)."""


@dataclass(frozen=True)
class Fault:
    """One thing wrong with a request.

    field:   the field's name as the person wrote it, or the nearest name for it ("n_embd", "--n-layr", "dataset")
    value:   what was given, as text; None where nothing was given
    message: what is allowed, in words, with the nearest right thing where there is one
    """

    field: str
    value: str | None
    message: str

    def __str__(self) -> str:
        given = "" if self.value is None else f" = {shorten(self.value)}"
        return f"{shorten(self.field)}{given}: {self.message}"


class Refusal(GptTuiError):
    """The request was wrong and nothing was written (exit status 2). Carries every fault, not only the first."""

    def __init__(self, faults: Iterable[Fault]):
        self.faults = tuple(faults)
        super().__init__("\n".join(str(fault) for fault in self.faults))

    @classmethod
    def one(cls, field: str, value: object, message: str) -> Refusal:
        return cls([Fault(field, None if value is None else str(value), message)])


class NewerVersion(GptTuiError):
    """A file in a format that this program does not know yet. Nothing is wrong with the file."""


def refuse_newer(version: object, what: object, known: int = 1) -> None:
    """Raise NewerVersion where the version that stands in a file is above the newest one that is known."""
    if isinstance(version, int) and version > known:
        written = shorten(str(version), 20)
        raise NewerVersion(
            f"{what} was written by a newer gpt-tui: version {written}, where this one knows version {known}"
        )


def near(name: str, names: Iterable[str], most: int = 3) -> list[str]:
    """The existing names most like `name`, the nearest first."""
    return difflib.get_close_matches(name, list(names), n=most, cutoff=0.6)


def refuse_unknown(version: object, what: object, known: int = 1) -> None:
    """As `refuse_newer`; raise GptTuiError too where the version is one that there never was."""
    refuse_newer(version, what, known)
    if version is not None and not (isinstance(version, int) and version >= 1):
        given = shorten(repr(version), 20)
        raise GptTuiError(f"{what} says that it is of version {given}, which there never was: it should be {known}")


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The existing name most like `name`, or None when none is near."""
    return next(iter(near(name, names, 1)), None)


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """A phrase to end a refusal with: "did you mean X?" or ""."""
    found = nearest(name, names)
    return f"did you mean {found}?" if found else ""


def visible(text: str, keep: str = "") -> str:
    """`text` with what cannot be seen made visible (a newline as \\n), but for the characters of `keep`."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in keep else repr(c)[1:-1] for c in text)


def shorten(value: str, limit: int = 200) -> str:
    """`value` on one line with control characters made visible, cut to `limit` characters."""
    shown = visible(value)
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


def show_size(size: float) -> str:
    """Bytes as a person reads them: 812 B, 6.9 MB."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} B" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
