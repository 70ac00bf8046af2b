"""What the command palette offers: every action of the table, themes, and a live field with its new value."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from gpt_tui.core.config import FIELDS, RunConfig, live_changes
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


def of_field(
    typed: str,
    running: RunConfig | None,
    *,
    edit: Callable[[str, object], object],
    show_form: Callable[[], object],
    say: Callable[[str], object],
) -> list[Command]:
    """`learning_rate 0.001` changes the run at work (`running`); without one, a field's name leads to the form."""
    name, _, text = typed.strip().replace("=", " ").partition(" ")
    spec, text = FIELDS.get(name.replace("-", "_")), text.strip()
    if spec is None:
        return []
    if running is None or not text:
        return [Command(spec.name, "2", "A field of the form: change it in Setup.", show_form)]
    try:
        new = live_changes(running, {spec.name: text}).get(spec.name)
    except Refusal as refusal:
        why = refusal.faults[0].message
        return [Command(f"{spec.name} cannot be {text}", "", why, partial(say, why))]
    label = f"{spec.name} {spec.show(running.get(spec.name))} → {spec.show(new)}"
    return [Command(label, "", spec.help, partial(edit, spec.name, new))]
