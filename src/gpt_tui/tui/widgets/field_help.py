"""What the form says beside its rows: a field explained, what a configuration costs, what is set. Text only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from textual.content import Content

from gpt_tui.core import shapes
from gpt_tui.core.config import FIELDS, FieldSpec
from gpt_tui.core.cost import CHARACTERS, Cost
from gpt_tui.core.errors import Fault
from gpt_tui.core.presets import Preset
from gpt_tui.tui import figures
from gpt_tui.tui.form import Form
from gpt_tui.tui.machine import main_memory
from gpt_tui.tui.plain import EMPTY, one_line


@dataclass(frozen=True)
class Notes:
    """What there is to say of a field beyond its definition.

    fault: what is wrong with it; idle: why it has no effect; note: what is known of its value; origin: who set it
    """

    fault: str = ""
    idle: str = ""
    note: str = ""
    origin: str = ""


_EXACT = 42  # columns that a list needs to write counts out


def of_field(spec: FieldSpec, value: Any, in_preset: Any, notes: Notes, width: int, brief: int) -> Content:
    """Help, why, a safe start, what is allowed, the default, its flag and environment name.

    brief: 0 as a list; 1 without blank lines; 2 in running text; 3 without what the row or the other values say as
    well; 4 without why
    """
    shown = [one_line(spec.show(v)) or EMPTY for v in (value, in_preset, spec.default)]
    preset_has = [("preset has", shown[1])] if shown[1] != shown[2] else []
    came_from = [("set by", one_line(notes.origin))] if notes.origin else []
    if brief > 1:
        told = f"{spec.help} {spec.why}".strip() if brief < 4 else spec.help
        less = brief > 2
        return _lines(
            *_of_notes(notes),
            Content.assemble((spec.name, "bold $accent"), ": ", told),
            _joined(
                ("start with", spec.start),
                *([] if spec.kind == "bool" or less else [("takes", spec.allowed)]),
                *([] if less else [*preset_has, *came_from]),
                *([] if less else [("default", shown[2])]),
                ("", spec.flag),
                ("", spec.environment),
                *([] if less else [("", "live" if spec.live else "needs a new run")]),
            ),
        )
    rows = [
        ("now", f"{shown[0]} {spec.unit}".strip()),
        *([("known", notes.note)] if notes.note else []),
        ("start with", spec.start),
        ("takes", spec.allowed),
        *preset_has,
        *came_from,
        ("default", shown[2]),
        ("changes", "live: a run that is on, at its next step" if spec.live else "needs a new run"),
    ]
    paragraphs = [*_of_notes(notes), *(Content(text) for text in (spec.help, spec.why) if text)]
    names = _joined(("", spec.flag), ("", spec.environment))
    return _blocks(brief, *paragraphs, _facts(rows, width), names)


def _of_notes(notes: Notes) -> list[Content]:
    found = [Content.styled(f"✕ {one_line(notes.fault)}", "$text-error")] if notes.fault else []
    return found + ([Content.styled(no_effect(notes.idle), "$foreground-muted")] if notes.idle else [])


def no_effect(why: str) -> str:
    return f"no effect: {why}"


def of_preset(preset: Preset, width: int, brief: int) -> Content:
    """What it is and where it comes from; how many parameters it has where its vocabulary is not the usual one."""
    what = "Choosing a preset sets the fields that it names; u brings back what was there."
    mine = "P keeps the form as a preset of your own."
    own = ""
    if preset.vocab_size != CHARACTERS:
        count = shapes.parameters(preset.config().model, preset.vocab_size)
        own = f"{count:,} parameters with its own vocabulary of {preset.vocab_size:,}."
    whence = ("after", preset.source) if preset.path is None else ("your own, in", str(preset.path))
    if brief > 1:
        return _lines(
            Content.assemble((preset.name, "bold $accent"), ": ", one_line(preset.summary)),
            *([Content(own)] if own else []),
            _joined(whence, ("", "--preset")),
            *([Content(f"{what} {mine}")] if brief == 2 else []),
        )
    rows = [whence, ("sets", f"{len(preset.values)} fields"), ("flag", "--preset")]
    told = [one_line(preset.summary), *([own] if own else []), f"{what} {mine}"]
    return _blocks(brief, *(Content(text) for text in told), _facts(rows, width))


def _blocks(brief: int, *blocks: Content) -> Content:
    """One below the other, with blank lines between them unless room is short."""
    return Content("\n" if brief else "\n\n").join(blocks)


def of_cost(cost: Cost, name: str, unlike: str, faults: Sequence[Fault], width: int, brief: bool) -> Content:
    """What a configuration takes, and why it cannot start where there are faults.

    name: of its dataset. unlike: how far it is from its preset, in words.
    """
    count, memory = figures.count(cost.parameters), _memory(cost)
    flops = figures.with_unit(figures.count(cost.flops), "FLOP")
    epochs = "" if cost.epochs is None else f"{_times(cost.epochs)} epochs"
    about = "" if cost.pace else "about "
    basis = f"as {one_line(cost.pace.run)} went here" if cost.pace else "estimated"
    if brief:
        first = [f"{count} parameters", memory, f"{flops}, {figures.count(cost.tokens)} tokens a step"]
        second = ["time unknown until a run has been seen here", epochs, unlike]
        if cost.seconds is not None and cost.in_all is not None:
            second[0] = f"{about}{_step_time(cost.seconds)} a step, {figures.duration(cost.in_all)} in all"
            second.insert(1, basis if cost.pace else "")
        return _lines(_fitting(first, width), _of_faults(faults) or _fitting(filter(None, second), width))
    exact = width >= _EXACT
    parameters = f"{cost.parameters:,}" if exact else count
    assumed = "" if cost.vocab_known or not exact else ", assumed"
    rows = [
        ("parameters", f"{parameters} (vocabulary {cost.vocab_size:,}{assumed})"),
        ("memory", f"about {memory}"),
        ("a step", f"{flops}, {f'{cost.tokens:,}' if exact else figures.count(cost.tokens)} tokens"),
    ]
    if cost.seconds is None:
        rows.append(("time", "unknown until a run has been seen here"))
    else:
        rows.append(("time", f"{about}{_step_time(cost.seconds)} a step"))
        looking = f"{figures.duration(cost.looking)} evaluating"
        rows.append(("in all", f"{figures.duration(cost.in_all)}, {basis}, {looking}"))
    rows += [("reads", f"{epochs} of {one_line(name)}")] if epochs else []
    listed = _facts([*rows, ("preset", unlike)], width)
    return _lines(_of_faults(faults), listed) if faults else listed


def of_cost_line(cost: Cost, faults: Sequence[Fault], width: int) -> Content:
    """The most telling of it, or what keeps it from starting."""
    in_all = [] if cost.in_all is None else [f"{figures.duration(cost.in_all)} in all"]
    parts = [f"{figures.count(cost.parameters)} parameters", _memory(cost), *in_all]
    return _of_faults(faults) or _fitting(parts, width)


def _memory(cost: Cost) -> str:
    """What training takes, and what there is, where that is less."""
    takes, here = figures.size(cost.memory), main_memory()
    return takes if cost.memory <= here else f"{takes} (this machine has {figures.size(here)})"


def time_of(cost: Cost) -> str:
    """A step's time and the whole run's, and what they are judged by."""
    if cost.seconds is None or cost.in_all is None:
        return "unknown until a run has been seen here"
    basis = f"as {one_line(cost.pace.run)} went here" if cost.pace else "estimated"
    return f"{_step_time(cost.seconds)} a step, {figures.duration(cost.in_all)} in all, {basis}"


def _of_faults(faults: Sequence[Fault]) -> Content:
    names = ", ".join(dict.fromkeys(fault.field for fault in faults))
    return Content.styled(f"✕ cannot start: {names} (x goes there)" if names else "", "$text-error")


def of_changes(form: Form, width: int) -> Content:
    """What differs from the run and from the preset, then the command that does the same."""
    blocks: list[Content] = []
    if apart := form.apart():
        blocks.append(_changes("waits for a new run (N starts it)", apart, width))
    if changed := form.changed():
        blocks.append(_changes(f"unlike {form.preset}", changed, width))
    else:
        blocks.append(Content.styled(f"everything as {form.preset} has it", "$foreground-muted"))
    blocks.append(_lines(Content.styled("the same from a script", "bold"), Content(one_line(form.command_line()))))
    return Content("\n\n").join(blocks)


def _changes(title: str, changes: dict[str, tuple[Any, Any]], width: int) -> Content:
    rows = [
        (name, f"{one_line(FIELDS[name].show(old)) or EMPTY} → {one_line(FIELDS[name].show(new)) or EMPTY}")
        for name, (old, new) in changes.items()
    ]
    return _lines(Content.styled(title, "bold"), _facts(rows, width))


def _step_time(seconds: float) -> str:
    if seconds < 1:
        return f"{seconds * 1000:.{0 if seconds >= 0.00995 else 1}f} ms"
    return f"{seconds:.1f} s" if seconds < 99.95 else figures.duration(seconds)


def _times(epochs: float) -> str:
    return f"{epochs:.2g}" if epochs < 10 else f"{epochs:,.0f}"


def _fitting(parts: Iterable[str], width: int) -> Content:
    """As many of the parts, most telling first, as one line has room for."""
    line = ""
    for part in parts:
        longer = f"{line} · {part}" if line else part
        line = longer if not line or len(longer) <= width else line
    return Content(line)


def _lines(*lines: Content) -> Content:
    return Content("\n").join(lines)


def _joined(*pairs: tuple[str, str]) -> Content:
    cells = [Content.assemble((f"{label} " if label else "", "$foreground-muted"), text) for label, text in pairs]
    return Content.styled(" · ", "$foreground-muted").join(cells)


def _facts(rows: Sequence[tuple[str, str]], width: int) -> Content:
    """Names and values, aligned; a long value goes on under its own beginning."""
    names = max(len(name) for name, _ in rows)
    lines: list[Content] = []
    for name, value in rows:
        wrapped = Content(value).wrap(max(12, width - names - 2)) or [Content("")]
        for at, line in enumerate(wrapped):
            lines.append(Content.assemble((f"{name if at == 0 else '':<{names}}  ", "$foreground-muted"), line))
    return Content("\n").join(lines)


def height_of(content: Content, width: int) -> int:
    """Lines that a text takes on so many columns."""
    paragraphs = content.split("\n", allow_blank=True) if width > 0 else []
    return sum(max(1, len(paragraph.wrap(width))) for paragraph in paragraphs)
