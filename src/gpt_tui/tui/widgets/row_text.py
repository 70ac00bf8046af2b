"""What the form's rows read: each field's value, its unit, what it was, and what became of a change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from gpt_tui.core.config import FIELDS, FieldSpec
from gpt_tui.tui.form import Form
from gpt_tui.tui.plain import EMPTY
from gpt_tui.tui.surroundings import Surroundings
from gpt_tui.tui.widgets.field_help import no_effect
from gpt_tui.tui.widgets.field_row import RowText


def of_preset(form: Form) -> RowText:
    brief = "" if form.chosen.path is None else "your own"
    return RowText(form.preset, note=form.chosen.summary, brief=brief, left=True)


def of_fields(form: Form, at: str, around: Surroundings, faults: Mapping[str, str]) -> dict[str, RowText]:
    """at: the field under the cursor. faults: what is wrong, by field."""
    changed, apart, idle, unfit = form.changed(), form.apart(), form.idle(), form.unfit()
    texts = {}
    for name, spec in FIELDS.items():
        value, preset_has, run_has = form.values[name], changed.get(name, ("",))[0], apart.get(name, ("",))[0]
        text = RowText(
            value=spec.show(value),
            note=spec.unit,
            fault=faults.get(name) or unfit.get(name, ""),
            steps=spec.kind != "text" or name == "dataset",
            left=spec.kind == "text" or spec.section == "data",
        )
        if name == "dataset":
            text = replace(text, value=_file_name(text.value), note=around.note.note, brief=around.brief_note)
        if name in form.asked:
            text = replace(text, word="applying", word_style="$text-warning")
        elif name in apart:
            was = f"run has {spec.show(run_has) or EMPTY}"
            text = replace(text, word="next run", word_style="bold $text-warning", was=was)
        else:
            was = f"was {spec.show(preset_has) or EMPTY}" if name in changed and form.run is None else ""
            text = replace(text, word=_when(spec, form, at), was=was)
        if name in idle and not text.fault:
            text = replace(text, note=no_effect(idle[name]), brief="no effect", word="", idle=True)
        texts[name] = text
    return texts


def _when(spec: FieldSpec, form: Form, at: str) -> str:
    """When a change is made: at once, or with a new run, which goes without saying while none is on."""
    if spec.live:
        return "live"
    return "new run" if form.run is not None or spec.name == at else ""


def _file_name(dataset: str) -> str:
    """The end of a path says more than its beginning."""
    name = Path(dataset).name
    return f"…/{name}" if name and name != dataset else dataset
