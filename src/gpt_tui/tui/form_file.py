"""The form as a TOML text for a person's editor, and back: every field with what it is and what it takes beside it."""

from __future__ import annotations

import textwrap
from itertools import groupby
from typing import Any

from gpt_tui.core.config import FIELDS, SECTIONS, FieldSpec, find_faults, own_faults, parse_toml
from gpt_tui.core.errors import Refusal
from gpt_tui.tui.form import Form
from gpt_tui.tui.plain import one_line

WHAT = "the form"
_WIDTH = 98
_WRONG = "#✕ "  # begins a line that says what was wrong with the text as it was read last
_HEAD = (
    "The form, begun on the preset {preset}. Once it is saved and the editor left, what was changed here is changed in "
    "the form, as one change. A field that is taken out stays as it is, and an empty text changes nothing."
)


def written(form: Form) -> str:
    """The form's fields under their sections, in the order of the form's definition."""
    blocks = [_comment(_HEAD.format(preset=form.preset))]
    for section in SECTIONS:
        blocks.append(f"[{section}]")
        specs = [spec for spec in FIELDS.values() if spec.section == section]
        for group, members in groupby(specs, key=lambda spec: spec.group):
            blocks += [f"# {group} {'-' * (_WIDTH - len(group) - 3)}"] if group else []
            blocks += [_field(spec, form.values[spec.name]) for spec in members]
    return "\n\n".join(blocks) + "\n"


def _field(spec: FieldSpec, value: Any) -> str:
    import tomli_w

    told = [f"{spec.help} {spec.why}".strip(), f"Takes {spec.allowed}. Safe start: {spec.start}."]
    live = "live" if spec.live else "needs a new run"
    row = tomli_w.dumps({spec.name: value}).strip()
    return "\n".join([*map(_comment, told), f"{row}  # {live}"])


def _comment(text: str) -> str:
    return textwrap.fill(text, _WIDTH, initial_indent="# ", subsequent_indent="# ")


def read(text: str) -> dict[str, Any]:
    """The values of the fields that the text names. Raises Refusal with everything that is wrong with them.

    How they go together is not looked at: a form can hold what does not, and says so.
    """
    layer = parse_toml(text, WHAT)
    if faults := own_faults(layer.values, layer.labels):
        raise Refusal(faults)
    sound, _ = find_faults(layer.values)
    return {name: sound[name] for name in layer.values}


class FormText:
    """The form as a person edits it. A text that cannot be taken is offered again, with what is wrong above it."""

    def __init__(self, form: Form) -> None:
        self._form = form
        self._untaken = ""

    def offered(self) -> str:
        return self._untaken or written(self._form)

    def take(self, text: str) -> dict[str, Any]:
        """The values that it sets; none where it is empty. Raises Refusal."""
        try:
            values = read(text)
        except Refusal as refused:
            typed = [line for line in text.splitlines() if not line.startswith(_WRONG)]
            wrong = [f"{_WRONG}{one_line(str(fault))}" for fault in refused.faults]
            self._untaken = "\n".join([*wrong, *typed]) + "\n"
            raise
        self._untaken = ""
        return values
