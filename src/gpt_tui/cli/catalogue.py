"""`gpt-tui presets` and `gpt-tui datasets`: what there is to choose from."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import groupby
from typing import Any

from gpt_tui.cli.arguments import Arguments
from gpt_tui.console import Console, Output, show_size, wrap
from gpt_tui.core.errors import Refusal


def run(arguments: Arguments, console: Console) -> int:
    """Obey `presets`, `datasets`, `datasets show` and `datasets clean`."""
    if arguments.faults:
        raise Refusal(arguments.faults)
    obey = {"presets": presets, "datasets": datasets, "datasets show": show_dataset, "datasets clean": clean}
    obey[arguments.command.name](arguments, console)
    return 0


def presets(arguments: Arguments, console: Console) -> None:
    from gpt_tui.core.presets import PRESETS
    from gpt_tui.core.shapes import parameters

    described = [
        {
            "name": preset.name,
            "summary": preset.summary,
            "source": preset.source,
            "vocab_size": preset.vocab_size,
            "parameters": parameters(preset.config().model, preset.vocab_size),
            "config": preset.config().sections(),
        }
        for preset in PRESETS.values()
    ]
    if "json" in arguments:
        console.json_line(json.dumps(described))
        return
    console.layout(_preset_table(described, console.out))


def _preset_table(described: Sequence[Mapping[str, Any]], output: Output) -> str:
    """A line a preset: name, parameters, summary; those of one source above it."""
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
        parts.append("\n".join([*lines, wrap(f"from {source}", output.prose_width, "    ")]))
    return title + "\n" + "\n\n".join(parts)


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
    explanation = explain(load_dataset(arguments.words[0], tokenizer=tokenizer, progress=progress))
    if "json" in arguments:
        console.json_line(json.dumps(asdict(explanation)))
    else:
        console.layout(render_explanation(explanation, console.out.prose_width))


def clean(arguments: Arguments, console: Console) -> None:
    from gpt_tui.core.data import clean_cache, default_cache_dir

    freed = clean_cache()
    console.data(f"freed {show_size(freed)} in {default_cache_dir()}")
