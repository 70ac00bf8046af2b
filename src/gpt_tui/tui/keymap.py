"""Keys as the user's file chooses them: `[keys.app]` with `start = ["p", "F5"]`, over the table of `tui.keys`.

A choice that would leave two actions with one key, hide an action of the app, or take away a key by which people find
their way, is dropped and told of; the others hold. Nothing here imports Textual, so `gpt-tui doctor` reads it too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import combinations
from pathlib import Path

from gpt_tui.core.config import KEYS_TABLE, read_document
from gpt_tui.core.errors import Fault, Refusal, did_you_mean, nearest
from gpt_tui.tui.key_names import is_printable, no_such_key, plain_name, read_key, show_key
from gpt_tui.tui.keys import ACTIONS, Action

# Inside which owners' views an owner's keys work, or in the same widget as theirs. The app is around all of them.
AROUND: dict[str, tuple[str, ...]] = {
    "plot": ("chart", "train", "runs", "compare"),
    "chart": ("train", "runs", "compare"),
    "compare": ("runs",),
    "rows": ("runs", "lens"),
    "pane": ("train", "chart", "setup", "samples", "generate", "runs", "compare", "dataset", "lens"),
    "field": ("setup",),
    "filter": ("setup",),
    "text": ("generate",),
    "sampler": ("generate",),
}
TEXT_FIELDS = ("field", "filter")  # these take every letter themselves
NEVER_WITHOUT = ("app.palette", "app.help", "app.back", "app.quit")
STAY = ("1", "2", "3", "4", "5", "escape", "enter")  # whatever has one of these keeps it
_RELATED = {frozenset(("app", action.where)) for action in ACTIONS if action.where != "app"} | {
    frozenset((inner, outer)) for inner, outers in AROUND.items() for outer in outers
}


@dataclass(frozen=True)
class Keymap:
    """chosen: the keys that the file gives an action, by the action's name, where they hold.

    faults: what does not hold, and why, in words
    """

    chosen: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()

    def keys(self, action: Action) -> tuple[str, ...]:
        """Its keys as Textual names them; () where the file takes them away."""
        return self.chosen.get(action.name, action.keys)

    @cached_property
    def actions(self) -> tuple[Action, ...]:
        """The table with the keys that hold: what footer, help and palette show."""
        return tuple(replace(action, keys=self.keys(action)) for action in ACTIONS)

    def of(self, *where: str) -> list[Action]:
        """As `keys.of`, with the keys that hold."""
        return [action for action in self.actions if action.where in where]

    @property
    def shown(self) -> dict[str, str]:
        """What the file chooses, for a report: an action's name -> its keys as people know them."""
        return {action.name: action.shown or "none" for action in self.actions if action.name in self.chosen}

    @property
    def overrides(self) -> dict[str, str]:
        """For Textual's `App.set_keymap`: the id of a binding -> its keys. It knows no "none": a key that is never
        pressed stands for that, one of its own for each, or they would clash."""
        return {
            f"{action.where}.{action.id}": ",".join(self.chosen[action.name]) or f"none for {action.name}"
            for action in ACTIONS
            if action.name in self.chosen
        }


def load(path: Path) -> Keymap:
    """The keys that a file chooses; none where there is no such file. Nothing is raised: see `Keymap.faults`."""
    if not path.exists():
        return Keymap()
    try:
        tables = read_document(path).get(KEYS_TABLE, {})
    except Refusal as refusal:
        return Keymap(faults=refusal.faults)
    return choose(tables, f"{path}: ")


def choose(tables: object, where: str = "") -> Keymap:
    """The keys that the table `keys` of a file chooses. where: goes before each fault's field."""
    read = _Reading(where)
    read.owners(tables)
    chosen, faults = _settle(read.chosen, where)
    return Keymap(chosen, (*read.faults, *faults))


# Reading ---------------------------------------------------------------------------------------------------------


@dataclass
class _Reading:
    """What each choice says, judged alone."""

    where: str
    chosen: dict[str, tuple[str, ...]] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    def owners(self, tables: object) -> None:
        owners = list(dict.fromkeys(action.where for action in ACTIONS))
        if not isinstance(tables, Mapping):
            self._refuse(KEYS_TABLE, tables, "must be a table of tables, such as [keys.app]")
            return
        for owner, table in tables.items():
            name = f"{KEYS_TABLE}.{owner}"
            if owner not in owners:
                meant = next((a for a in ACTIONS if a.name.partition(".")[2] == plain_name(str(owner))), None)
                hint = f"it belongs into [keys.{meant.where}]" if meant else did_you_mean(owner, owners)
                known = f"there is no such part of the program; there are {', '.join(owners)}"
                self._refuse(name, None, f"{known}; {hint}" if hint else known)
            elif not isinstance(table, Mapping):
                self._refuse(name, table, f"must be a table of actions and their keys: [{name}]")
            else:
                for label, value in table.items():
                    self._action(owner, label, value)

    def _action(self, owner: str, label: str, value: object) -> None:
        name = f"{owner}.{plain_name(label)}"
        at = f"{KEYS_TABLE}.{owner}.{label}"
        action = next((action for action in ACTIONS if action.name == name), None)
        if action is None:
            self._refuse(at, None, _no_such_action(owner, plain_name(label)))
            return
        written = [value] if isinstance(value, str) else value
        if not isinstance(written, list) or not all(isinstance(key, str) for key in written):
            self._refuse(at, value, 'must be a key in quotes, or a list of such: "p", ["p", "F5"], [] for none')
            return
        keys = {key: read_key(key) for key in written}
        unknown = [key for key, known in keys.items() if known is None]
        for key in unknown:
            self._refuse(at, key, no_such_key(key))
        if not unknown:
            self._keys(action, at, value, tuple(dict.fromkeys(key for key in keys.values() if key is not None)))

    def _keys(self, action: Action, at: str, value: object, keys: tuple[str, ...]) -> None:
        gone = [key for key in STAY if key in action.keys and key not in keys]
        letters = [key for key in keys if action.where in TEXT_FIELDS and is_printable(key)]
        if gone:
            shown = show_key(gone[0])
            self._refuse(
                at, value, f"{shown} stays with it, so that everyone finds it; give it more keys beside {shown}"
            )
        elif not keys and action.name in NEVER_WITHOUT:
            self._refuse(at, value, "cannot be without a key")
        elif letters:
            self._refuse(at, value, f"{show_key(letters[0])} would be text there; take a key that writes nothing")
        else:
            self.chosen[action.name] = keys

    def _refuse(self, at: str, value: object, message: str) -> None:
        self.faults.append(Fault(self.where + at, None if value is None else _written(value), message))


def _written(value: object) -> str:
    return value if isinstance(value, str) else repr(value)


def _no_such_action(owner: str, label: str) -> str:
    mine = [action.name.partition(".")[2] for action in ACTIONS if action.where == owner]
    elsewhere = [action.where for action in ACTIONS if action.name.partition(".")[2] == label]
    known = f"there is no such action of {owner}"
    if elsewhere and nearest(label, mine) is None:
        return f"{known}; it belongs into [keys.{elsewhere[0]}]"
    hint = did_you_mean(label, mine)
    return f"{known}; {hint or 'there are ' + ', '.join(mine)}"


# Conflicts -------------------------------------------------------------------------------------------------------


def _settle(chosen: Mapping[str, tuple[str, ...]], where: str) -> tuple[dict[str, tuple[str, ...]], list[Fault]]:
    """The choices that hold together, and a fault for each that does not.

    Of two that are both chosen the one further down in the file goes. Each time one goes its default comes back, which
    may be what another wanted: so all are looked at anew.
    """
    left, faults = dict(chosen), list[Fault]()
    while found := next(_conflicts(left), None):
        action, other, key = found
        del left[action.name]
        message = (
            f"{show_key(key)} is the key of {other.name} ({other.label}) already"
            if action.where == other.where
            else f"{show_key(key)} would do {action.name} in one place and {other.name} in another: they meet in a view"
        )
        label = f"{where}{KEYS_TABLE}.{action.name}"
        faults.append(Fault(label, None, f"{message}; {action.name} keeps {action.shown or 'no key'}"))
    return left, faults


def _conflicts(chosen: Mapping[str, tuple[str, ...]]) -> Iterator[tuple[Action, Action, str]]:
    """(the action whose choice is at fault, the other, their key); what the table itself lets meet is none."""
    order = list(chosen)
    for first, second in combinations(ACTIONS, 2):
        at_fault = [action for action in (first, second) if action.name in chosen]
        if not at_fault or not _meet(first, second) or set(first.keys) & set(second.keys):
            continue
        shared = [k for k in chosen.get(first.name, first.keys) if k in chosen.get(second.name, second.keys)]
        if shared:
            action = max(at_fault, key=lambda action: order.index(action.name))
            yield action, second if action is first else first, shared[0]


def _meet(first: Action, second: Action) -> bool:
    return first.where == second.where or frozenset((first.where, second.where)) in _RELATED
