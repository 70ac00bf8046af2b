"""What the form says beside its rows: a field explained, what a configuration costs, what is set. Text only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from textual.content import Content

from gpt_tui.core.config import FIELDS, FieldSpec
from gpt_tui.core.errors import Fault
from gpt_tui.core.presets import Preset
from gpt_tui.tui import figures
from gpt_tui.tui.form import Cost, Form
from gpt_tui.tui.plain import one_line


def of_field(spec: FieldSpec, value: Any, in_preset: Any, width: int, brief: bool) -> Content:
    """Help, why, a safe start, what is allowed, the default, its flag and environment name."""
    shown = [one_line(spec.show(v)) or "empty" for v in (value, in_preset, spec.default)]
    if brief:
        told = f"{spec.help} {spec.why}".strip()
        changing = "live" if spec.live else "needs a new run"
        return _lines(
            Content.assemble((spec.name, "bold $accent"), ": ", told),
            _joined(
                ("start with", spec.start),
                ("takes", spec.allowed),
                *([("preset has", shown[1])] if shown[1] != shown[2] else []),
                ("default", shown[2]),
                ("", spec.flag),
                ("", spec.environment),
                ("", changing),
            ),
        )
    rows = [
        ("now", f"{shown[0]} {spec.unit}".strip()),
        ("start with", spec.start),
        ("takes", spec.allowed),
        *([("preset has", shown[1])] if shown[1] != shown[2] else []),
        ("default", shown[2]),
        ("changes", "live: a run that is on, at its next step" if spec.live else "needs a new run"),
    ]
    paragraphs = [Content(text) for text in (spec.help, spec.why) if text]
    names = _joined(("", spec.flag), ("", spec.environment))
    return Content("\n\n").join([*paragraphs, _facts(rows, width), names])


def of_preset(preset: Preset, width: int, brief: bool) -> Content:
    what = "Choosing a preset sets the fields that it names; u brings back what was there."
    if brief:
        return _lines(
            Content.assemble((preset.name, "bold $accent"), ": ", preset.summary),
            _joined(("after", preset.source), ("", "--preset")),
            Content(what),
        )
    rows = [("after", preset.source), ("sets", f"{len(preset.values)} fields"), ("flag", "--preset")]
    return Content("\n\n").join([Content(preset.summary), Content(what), _facts(rows, width)])


def of_cost(
    cost: Cost, max_iters: int, name: str, unlike: str, faults: Sequence[Fault], width: int, brief: bool
) -> Content:
    """What a configuration takes, and why it cannot start where there are faults.

    name: of its dataset. unlike: how far it is from its preset, in words.
    """
    parameters, memory = figures.count(cost.parameters), figures.size(cost.memory)
    flops = _with_unit(figures.count(cost.flops), "FLOP")
    epochs = "" if cost.epochs is None else f"{_times(cost.epochs)} epochs"
    about = "" if cost.measured else "about "
    if brief:
        first = [f"{parameters} parameters", memory, f"{flops}, {figures.count(cost.tokens)} tokens a step"]
        second = ["time unknown until a run has been seen here", epochs, unlike]
        if cost.seconds is not None:
            second[0] = f"{about}{_step_time(cost.seconds)} a step, {figures.duration(cost.seconds * max_iters)} in all"
        return _lines(_fitting(first, width), _of_faults(faults) or _fitting(filter(None, second), width))
    rows = [
        ("parameters", f"{cost.parameters:,} (vocabulary {cost.vocab_size}{'' if cost.vocab_known else ', assumed'})"),
        ("memory", f"about {memory}"),
        ("a step", f"{flops}, {cost.tokens:,} tokens"),
    ]
    if cost.seconds is None:
        rows.append(("time", "unknown until a run has been seen here"))
    else:
        rows.append(("time", f"{about}{_step_time(cost.seconds)} a step"))
        basis = "as measured here" if cost.measured else "estimated"
        rows.append(("in all", f"{figures.duration(cost.seconds * max_iters)}, {basis}"))
    rows += [("reads", f"{epochs} of {one_line(name)}")] if epochs else []
    listed = _facts([*rows, ("preset", unlike)], width)
    return _lines(_of_faults(faults), listed) if faults else listed


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
        (name, f"{one_line(FIELDS[name].show(old)) or 'empty'} → {one_line(FIELDS[name].show(new)) or 'empty'}")
        for name, (old, new) in changes.items()
    ]
    return _lines(Content.styled(title, "bold"), _facts(rows, width))


def _step_time(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def _times(epochs: float) -> str:
    return f"{epochs:.2g}" if epochs < 10 else f"{epochs:,.0f}"


def _fitting(parts: Iterable[str], width: int) -> Content:
    """As many of the parts, most telling first, as one line has room for."""
    line = ""
    for part in parts:
        longer = f"{line} · {part}" if line else part
        line = longer if not line or len(longer) <= width else line
    return Content(line)


def _with_unit(count: str, unit: str) -> str:
    """The letter of a shortened number goes to its unit: 2.4G of FLOP is 2.4 GFLOP."""
    return f"{count[:-1]} {count[-1]}{unit}" if count[-1:].isalpha() else f"{count} {unit}"


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
