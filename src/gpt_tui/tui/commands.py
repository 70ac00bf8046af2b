"""What the command palette offers: every action of the table, themes, fields, and a field with its new value."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING

from gpt_tui.core.config import FIELDS, FieldSpec, RunConfig, live_changes
from gpt_tui.core.errors import Refusal
from gpt_tui.tui.keys import Action
from gpt_tui.tui.overlays import Command
from gpt_tui.tui.plain import EMPTY

if TYPE_CHECKING:
    from gpt_tui.tui.form import Form


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


def of_fields(running: RunConfig | None, form: Form, show: Callable[[str], object]) -> list[Command]:
    """Every field; it is shown in the form."""

    def says(spec: FieldSpec) -> str:
        if running is None or not spec.live:
            now = f"{spec.show(form.values[spec.name]) or EMPTY} in Setup"
        else:
            now = f"{spec.show(running.get(spec.name)) or EMPTY} now"
        return f"{now}; type the new value after it. {spec.help}"

    return [Command(spec.name, "", says(spec), partial(show, spec.name)) for spec in FIELDS.values()]


def of_field(
    typed: str,
    running: RunConfig | None,
    form: Form,
    *,
    edit: Callable[[str, object], object],
    set_in_form: Callable[[str, object], object],
    say: Callable[[str], object],
) -> list[Command]:
    """`learning_rate 0.001` changes the run at work (`running`); the form, without one or where a new run is needed."""
    spec, text = _named(typed)
    if spec is None or not text:
        return []
    run = running if spec.live else None
    try:
        new = live_changes(run, {spec.name: text}).get(spec.name) if run is not None else form.read(spec.name, text)
    except Refusal as refusal:
        label, why = f"{spec.name} cannot be {text}", refusal.faults[0].message
        return [Command(label, "", why, partial(say, f"{label}: {why}"))]
    now = run.get(spec.name) if run is not None else form.values[spec.name]
    label = f"{spec.name} {spec.show(now) or EMPTY} → {spec.show(new) or EMPTY}"
    if run is not None:
        return [Command(label, "", spec.help, partial(edit, spec.name, new))]
    when = "" if running is None else "It needs a new run: in Setup for the next one, which N starts. "
    return [Command(label, "", when + spec.help, partial(set_in_form, spec.name, new))]


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
