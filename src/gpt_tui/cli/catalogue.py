"""`gpt-tui presets` and `gpt-tui datasets`: what there is to choose from."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import groupby
from typing import TYPE_CHECKING, Any

from gpt_tui.cli.arguments import Arguments
from gpt_tui.console import Console, Output, one_line, show_size, wrap
from gpt_tui.core.errors import Refusal

if TYPE_CHECKING:
    from gpt_tui.core.presets import BrokenPreset


def run(arguments: Arguments, console: Console) -> int:
    """Obey `presets`, `datasets`, `datasets show` and `datasets clean`."""
    if arguments.faults:
        raise Refusal(arguments.faults)
    obey = {"presets": presets, "datasets": datasets, "datasets show": show_dataset, "datasets clean": clean}
    obey[arguments.command.name](arguments, console)
    return 0


def presets(arguments: Arguments, console: Console) -> None:
    from gpt_tui.core.presets import PRESETS, PresetShelf
    from gpt_tui.core.shapes import parameters

    own, broken = PresetShelf().own()
    described = [
        {
            "name": preset.name,
            "summary": preset.summary,
            "source": preset.source,
            "vocab_size": preset.vocab_size,
            "parameters": parameters(preset.config().model, preset.vocab_size),
            "config": preset.config().sections(),
        }
        for preset in (*PRESETS.values(), *own)
    ]
    if "json" in arguments:
        console.json_line(json.dumps(described))
        for fault in (fault for preset in broken for fault in preset.faults):
            console.warn(f"gpt-tui: {fault}")
        return
    parts = [_preset_table(described, console.out)]
    parts += [_broken(preset, console.out) for preset in broken]
    console.layout("\n\n".join(parts))


def _preset_table(described: Sequence[Mapping[str, Any]], output: Output) -> str:
    """A line a preset: name, parameters, summary; what they come from below those of one source."""
    names = max(len(preset["name"]) for preset in described)
    counts = max(len(f"{preset['parameters']:,}") for preset in described)
    column = names + counts + 3
    title = output.bold("preset".ljust(names) + "parameters".rjust(counts + 1))
    parts = []
    for source, group in groupby(described, key=lambda preset: preset["source"]):
        lines = [
            output.bold(f"{preset['name']:<{names}}")
            + f" {preset['parameters']:>{counts},}  "
            + wrap(preset["summary"], output.prose_width, " " * column)[column:]
            for preset in group
        ]
        whence = "your " if source.startswith("own, ") else "from "
        parts.append("\n".join([*lines, wrap(whence + source, output.prose_width, "    ")]))
    return title + "\n" + "\n\n".join(parts)


def _broken(preset: BrokenPreset, output: Output) -> str:
    faults = (wrap(str(fault), output.prose_width, "    ") for fault in preset.faults)
    return "\n".join([output.bold(one_line(preset.name)) + " is broken and cannot be used", *faults])


def datasets(arguments: Arguments, console: Console) -> None:
    from gpt_tui.core.data import list_datasets

    listed = list_datasets()
    if "json" in arguments:
        console.json_line(json.dumps([asdict(dataset) for dataset in listed]))
        return
    width = console.out.prose_width
    for dataset in listed:
        facts = "" if dataset.characters is None else f"  {dataset.characters:,} characters"
        console.layout(console.out.bold(dataset.name) + facts + ("  cached" if dataset.cached else ""))
        console.layout(wrap(dataset.summary, width, "  ") + "\n")
    console.layout(wrap("Any text file or folder of texts is a dataset too, by its path.", width))


def show_dataset(arguments: Arguments, console: Console) -> None:
    from gpt_tui.core.config import FIELDS, find_faults
    from gpt_tui.core.data import explain, load_dataset, render_explanation

    given = arguments.fields()
    sound, faults = find_faults(given, arguments.field_labels())
    if faults:
        raise Refusal(faults)

    def progress(phase: str, done: int, total: int | None) -> None:
        if phase == "ladder":
            console.live(f"counting the ladder: {done} of {total}")
        else:
            console.live(f"{phase}: {show_size(done)}" + (f" of {show_size(total)}" if total else ""))

    tokenizer = sound.get("tokenizer", FIELDS["tokenizer"].default)
    dataset = load_dataset(arguments.words[0], tokenizer=tokenizer, progress=progress)
    explanation = explain(dataset, progress=progress)
    if "json" in arguments:
        console.json_line(json.dumps(asdict(explanation)))
    else:
        console.layout(render_explanation(explanation, console.out.prose_width))


def clean(arguments: Arguments, console: Console) -> None:
    from gpt_tui.core.data import clean_cache
    from gpt_tui.core.files import default_cache_dir

    freed = clean_cache()
    console.data(f"freed {show_size(freed)} in {default_cache_dir()}")
