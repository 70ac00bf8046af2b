"""What a key is called: as a person writes it, as Textual names it, and as the screen shows it. No Textual here."""

from __future__ import annotations

import unicodedata

from gpt_tui.core.errors import did_you_mean

_NAMED = (
    "escape", "enter", "tab", "space", "backspace", "delete", "insert", "home", "end", "pageup", "pagedown", "up",
    "down", "left", "right", *(f"f{number}" for number in range(1, 25)),
)  # fmt: skip
_ALSO = {
    "esc": "escape", "return": "enter", "ret": "enter", "spacebar": "space", "del": "delete", "ins": "insert",
    "pgup": "pageup", "page_up": "pageup", "pgdn": "pagedown", "pgdown": "pagedown", "page_down": "pagedown",
    "←": "left", "→": "right", "↑": "up", "↓": "down", "dot": "full_stop", "period": "full_stop", "dash": "minus",
    "hyphen": "minus", "backtab": "shift+tab", "bs": "backspace",
}  # fmt: skip
_MODIFIERS = {"ctrl": "ctrl", "control": "ctrl", "alt": "alt", "option": "alt", "shift": "shift", "super": "super"}
# Textual's names for characters are those of Unicode, but for these.
_OTHER_NAMES = {
    "solidus": "slash", "reverse_solidus": "backslash", "commercial_at": "at", "hyphen_minus": "minus",
    "plus_sign": "plus", "low_line": "underscore",
}  # fmt: skip
_SAME = {"ctrl+i": "tab", "ctrl+m": "enter", "ctrl+left_square_bracket": "escape"}  # to a terminal


def _character_name(character: str) -> str | None:
    """What Textual calls the key of a character; None for one that no key writes."""
    if character.isalnum():
        return character
    if not character.isprintable():
        return None
    name = unicodedata.name(character, "").lower().replace("-", "_").replace(" ", "_")
    return _OTHER_NAMES.get(name, name) or None


_CHARACTERS = {name: chr(code) for code in range(33, 127) if (name := _character_name(chr(code))) is not None}


def read_key(text: str) -> str | None:
    """Textual's name for a key as a person writes it ("ctrl+s", "?", "G", "F5", "pgup"); None where there is none."""
    *modifiers, key = _parts(text.strip() or text)
    if any(modifier not in _MODIFIERS for modifier in modifiers):
        return None
    held = {_MODIFIERS[modifier] for modifier in modifiers}
    name = _plain_key(key)
    if name is None:
        return None
    if len(name) == 1 and held:
        if name.isupper() and held != {"ctrl"}:
            held.add("shift")
        name = name.lower()
    if held == {"shift"} and name in _CHARACTERS:
        return name.upper() if name.isalpha() and len(name) == 1 else None
    whole = "+".join([*sorted(held), name])
    return _SAME.get(whole, whole)


def _parts(text: str) -> list[str]:
    """Modifiers, lower case, and the key: "Ctrl-s", "ctrl++" and "ctrl+G" fall into two parts, "-" is one."""
    parts: list[str] = []
    rest = text
    while True:
        ends = [at for sign in "+-" if (at := rest.find(sign, 1)) > 0 and at + 1 < len(rest)]
        if not ends or rest[: min(ends)].lower() not in _MODIFIERS:
            return [*parts, rest]
        parts.append(rest[: min(ends)].lower())
        rest = rest[min(ends) + 1 :]


def _plain_key(key: str) -> str | None:
    if key == " ":
        return "space"
    if len(key) == 1:
        return _ALSO.get(key) or _character_name(key)
    name = plain_name(key)
    name = _ALSO.get(name, name)
    return name if name in _NAMED or name in _CHARACTERS or name == "shift+tab" else None


def no_such_key(written: str) -> str:
    *_, key = _parts(written.strip())
    example = 'write it as "space", "ctrl+s", "?", "G", "F5" or "pgup"'
    if written.lower().startswith("shift") and _plain_key(key) in _CHARACTERS:
        return f"a terminal sends what shift makes of {key}: write that character itself"
    hint = did_you_mean(plain_name(key), [*_NAMED, *_ALSO, *_CHARACTERS]) if len(key) > 1 else ""
    return f"there is no such key; {hint or example}"


def is_printable(key: str) -> bool:
    """Whether a text field would take the key as text. key: as Textual names it."""
    return "+" not in key and (key == "space" or key not in _NAMED)


_SHOWN = {
    **{name: name.upper() for name in _NAMED if name.startswith("f") and name[1:].isdigit()},
    "left": "←",
    "right": "→",
    "up": "↑",
    "down": "↓",
    "escape": "esc",
    "pageup": "pgup",
    "pagedown": "pgdn",
}


def show_key(key: str) -> str:
    """A key as a person knows it: "space", "?", "←", "ctrl+p"."""
    *modifiers, name = key.split("+")
    return "+".join([*modifiers, _SHOWN.get(name) or _character(name)])


def _character(name: str) -> str:
    if name in _NAMED or len(name) == 1:
        return name
    try:
        return _CHARACTERS.get(name) or unicodedata.lookup(name.replace("_", " "))
    except KeyError:
        return name


def plain_name(written: str) -> str:
    """A name as it stands in a table, however its words are joined there: "One step" is one_step."""
    return written.lower().replace(" ", "_").replace("-", "_").replace("/", "_")
