"""What the command palette offers: every action of the table, themes, fields, and a live field with its new value."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from gpt_tui.core.config import FIELDS, FieldSpec, RunConfig, live_changes
from gpt_tui.core.errors import Refusal
from gpt_tui.tui.keys import Action
from gpt_tui.tui.overlays import Command


def of_actions(
    actions: Iterable[Action], label: Callable[[Action], str], do: Callable[[Action], object]
) -> list[Command]:
    return [
        Command(label(action), action.first, action.help, partial(do, action))
        for action in actions
        if action.id != "palette"
    ]


def of_themes(names: Iterable[str], use: Callable[[str], object]) -> list[Command]:
    return [Command(f"theme {name}", "", "Use this theme.", partial(use, name)) for name in names]


def of_fields(running: RunConfig | None, show: Callable[[str], object]) -> list[Command]:
    """Every field; it is shown in the form."""

    def says(spec: FieldSpec) -> str:
        if running is None or not spec.live:
            return f"Setup: {spec.help}"
        return f"{spec.show(running.get(spec.name))} now; type the new value after it. {spec.help}"

    return [Command(spec.name, "", says(spec), partial(show, spec.name)) for spec in FIELDS.values()]


def of_field(
    typed: str,
    running: RunConfig | None,
    *,
    edit: Callable[[str, object], object],
    show: Callable[[str], object],
    say: Callable[[str], object],
) -> list[Command]:
    """`learning_rate 0.001` changes the run at work (`running`); without one it leads to the field in the form."""
    spec, text = _named(typed)
    if spec is None or not text:
        return []
    if running is None:
        return [Command(spec.name, "2", "A field of the form: change it in Setup.", partial(show, spec.name))]
    try:
        new = live_changes(running, {spec.name: text}).get(spec.name)
    except Refusal as refusal:
        why = refusal.faults[0].message
        return [Command(f"{spec.name} cannot be {text}", "", why, partial(say, why))]
    label = f"{spec.name} {spec.show(running.get(spec.name))} → {spec.show(new)}"
    return [Command(label, "", spec.help, partial(edit, spec.name, new))]


def _named(typed: str) -> tuple[FieldSpec | None, str]:
    """The field whose name the text begins with, however its words are joined, and what follows it."""
    name, equals, value = typed.partition("=")
    if equals and (spec := _field(name.split())):
        return spec, value.strip()
    for words in range(len(typed.split()), 0, -1):
        *start, rest = [*typed.split(None, words), ""][: words + 1]
        if spec := _field(start):
            return spec, rest.strip()
    return None, ""


def _field(words: Iterable[str]) -> FieldSpec | None:
    return FIELDS.get("_".join(words).replace("-", "_").lower())
