"""`gpt-tui shapes`: the tensor walk of a configuration and what it costs, in words or as JSON. Imports no torch."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gpt_tui.cli.arguments import Arguments
from gpt_tui.cli.configuration import dataset_faults, read_layers, settle, warn_of_idle_fields
from gpt_tui.cli.places import find_runs_dir
from gpt_tui.cli.training import open_stdin
from gpt_tui.cli.walk_text import hang, legend, picture, plain, walk_table
from gpt_tui.console import Console, Output, show_count, show_duration, show_size, wrap
from gpt_tui.core.config import FIELDS, Resolved, RunConfig
from gpt_tui.core.cost import BYTES, CHARACTERS, Cost, Pace, count_cost
from gpt_tui.core.device import processor_name, resolve_threads
from gpt_tui.core.errors import Fault, GptTuiError, Refusal
from gpt_tui.core.presets import DEFAULT, Preset, PresetShelf
from gpt_tui.core.shapes import Walk, walk

_MOST_VOCABULARY = 10_000_000
_LEFT = 15  # columns of what is summed up, before the sum
_HOUR, _DAY, _YEAR = 3600, 86_400, 365.25 * 86_400


@dataclass(frozen=True)
class Vocabulary:
    """size: ids that there are. why: where that number comes from."""

    size: int
    why: str


@dataclass(frozen=True)
class Shapes:
    """Everything that is told."""

    preset: Preset
    config: RunConfig
    vocabulary: Vocabulary
    walk: Walk
    cost: Cost


def run(arguments: Arguments, console: Console) -> int:
    """Obey `shapes`. Raises Refusal with everything that is wrong."""
    runs_dir = find_runs_dir(arguments)
    if "json" in arguments and "drawing" in arguments:
        arguments.faults.append(Fault("--drawing", None, "cannot be given with --json: it is text"))
    given = arguments.count("vocab-size", 0, _MOST_VOCABULARY)
    resolved = _resolve(arguments)
    config = resolved.config
    preset = PresetShelf().find(arguments.get("preset") or DEFAULT)
    vocabulary = Vocabulary(given, "as --vocab-size says") if given else _find_vocabulary(config, preset, console)
    cores = resolve_threads("auto")
    pace = _find_pace(runs_dir, config, vocabulary.size, cores, console)
    found = Shapes(
        preset,
        config,
        vocabulary,
        walk(config.model, vocabulary.size, config.training.batch_size),
        count_cost(config, None, pace, lambda: cores, vocabulary.size),
    )
    if "json" in arguments:
        console.json_line(json.dumps(as_record(found)))
    else:
        console.layout(as_text(found, console.out, drawing="drawing" in arguments))
    warn_of_idle_fields(resolved, arguments, console)
    return 0


def _resolve(arguments: Arguments) -> Resolved:
    faults = arguments.faults
    layers = read_layers(arguments)
    broken = bool(faults)
    faults += dataset_faults(layers)
    try:
        resolved = settle(layers, broken=broken)
    except Refusal as refusal:
        raise Refusal([*faults, *refusal.faults]) from None
    if faults:
        raise Refusal(faults)
    return resolved


# What is not in the configuration --------------------------------------------------------------------------------


def _find_vocabulary(config: RunConfig, preset: Preset, console: Console) -> Vocabulary:
    """Of bytes, of the dataset, of what the preset's published count is for, or of Tiny Shakespeare."""
    name = config.data.dataset
    if config.data.tokenizer == "byte":
        return Vocabulary(BYTES, "as many as there are bytes")
    if name != "auto" and (found := _of_dataset(name, console)) is not None:
        return found
    if preset.vocab_size != CHARACTERS:
        return Vocabulary(preset.vocab_size, f"{preset.name}'s own")
    unknown = "" if name == "auto" else f", as {name} is not in the cache yet"
    return Vocabulary(CHARACTERS, f"the characters of Tiny Shakespeare{unknown}")


def _of_dataset(name: str, console: Console) -> Vocabulary | None:
    """None for a named dataset that would have to be fetched or made first."""
    from gpt_tui.core.data import DATASET_NAMES, list_datasets, load_dataset

    if name in DATASET_NAMES:
        distinct = next((info.distinct for info in list_datasets() if info.name == name), None)
        return None if distinct is None else Vocabulary(distinct, f"the characters of {name}")

    def progress(phase: str, done: int, total: int | None) -> None:
        console.live(f"{phase}: {show_size(done)}" + (f" of {show_size(total)}" if total else ""))

    stdin = open_stdin("dataset") if name == "-" else None
    dataset = load_dataset(name, progress=progress, stdin=stdin, quick=True)
    return Vocabulary(dataset.vocab_size, f"the characters of {dataset.name}")


def _find_pace(runs_dir: Path, config: RunConfig, vocab_size: int, cores: int, console: Console) -> Pace | None:
    if not runs_dir.is_dir():
        return None
    from gpt_tui.core.runs import Shelf, find_pace

    try:
        return find_pace(Shelf(runs_dir), config, vocab_size, processor_name(), cores)
    except GptTuiError as error:
        console.warn(f"gpt-tui: {error}, so the time is estimated")
        return None


# Telling it ------------------------------------------------------------------------------------------------------


def as_record(found: Shapes) -> dict[str, Any]:
    """What `--json` prints."""
    config, cost, walked = found.config, found.cost, found.walk
    return {
        "preset": found.preset.name,
        "vocab_size": found.vocabulary.size,
        "batch_size": config.training.batch_size,
        "config": config.sections(),
        "letters": walked.letters,
        "steps": [
            {
                "part": step.part,
                "name": step.name,
                "formula": step.formula,
                "symbols": list(step.symbols),
                "shape": list(step.shape),
                "times": step.times,
                "parameters": step.parameters,
                "multiply_adds": step.multiply_adds,
                "activation_bytes": step.memory,
            }
            for step in walked.steps
        ],
        "parameters": walked.parameters,
        "multiply_adds": walked.multiply_adds,
        "activation_bytes": walked.memory,
        "training_bytes": cost.memory,
        "tokens_per_step": cost.tokens,
        "flops_per_step": cost.flops,
        "seconds_per_step": cost.seconds,
        "seconds": cost.in_all,
        "evaluation_seconds": cost.looking,
        "pace_run": cost.pace.run if cost.pace else None,
    }


def as_text(found: Shapes, output: Output, *, drawing: bool) -> str:
    """What a person reads, as wide as the output is."""
    parts = [_heading(found, output)]
    if drawing:
        parts.append(picture(found.config.model, found.vocabulary.size, output))
    parts += [
        walk_table(found.walk, output),
        legend(found.walk, f"vocabulary: {found.vocabulary.why}", output),
        _totals(found, output),
    ]
    return "\n\n".join(parts)


def _heading(found: Shapes, output: Output) -> str:
    preset, config = found.preset, found.config
    own = preset.config()
    differing = [name for name in FIELDS if name in preset.values and config.get(name) != own.get(name)]
    name = preset.name + (", as changed" if differing else "")
    batch = f"batch of {config.training.batch_size:,} × {config.model.block_size:,} tokens"
    text = wrap(f"{name}: {batch}, V = {found.vocabulary.size:,}", output.prose_width)
    lines = [output.bold(text[: len(name)]) + text[len(name) :]]
    if differing:
        changed = ", ".join(f"{name} {FIELDS[name].show(config.get(name))}" for name in differing)
        lines.append(wrap(f"changed: {changed}", output.prose_width))
    return plain("\n".join(lines), output)


def _totals(found: Shapes, output: Output) -> str:
    walked, cost = found.walk, found.cost
    batches = found.config.training.gradient_accumulation_steps
    tokens = f"{cost.tokens:,} tokens" + (f" in {batches:,} batches" if batches > 1 else "")
    work = f"{show_count(cost.flops)} floating-point operations, forward and backward"
    memory = f"{show_size(walked.memory)} kept for the backward pass, {show_size(cost.memory)} in all while training"
    if walked.weights_in_tiles:
        memory += "; attention's T × T weights are computed in tiles, and not kept"
    rows = {
        "parameters": f"{walked.parameters:,}",
        "memory": memory,
        "multiply-adds": f"{show_count(walked.multiply_adds)} forward, for a batch",
        "a step": f"{tokens}, {work}",
        "time": _time(found),
    }
    if not walked.multiply_adds:
        rows |= {"multiply-adds": "none: a table is only looked up", "a step": tokens}
    return "\n".join(
        output.bold(label.ljust(_LEFT)) + hang(plain(text, output), _LEFT, output) for label, text in rows.items()
    )


def _time(found: Shapes) -> str:
    seconds, pace, training = found.cost.seconds, found.cost.pace, found.config.training
    in_all, looking = found.cost.in_all, found.cost.looking
    if seconds is None or in_all is None or looking is None:
        return f"not known: no run here has used the device {training.device} yet"
    source = f"as run {pace.run} went here" if pace else "estimated for this machine's CPU"
    steps = f"{training.max_iters:,} steps, their evaluations and samples ({looking / in_all:.0%} of it)"
    return f"{_step_time(seconds)} a step, {_long(in_all)} for {steps}; {source}"


def _step_time(seconds: float) -> str:
    if seconds < 1:
        return f"{1000 * seconds:.{1 if seconds < 0.1 else 0}f} ms"
    return f"{seconds:.1f} s" if seconds < 100 else _long(seconds)


def _long(seconds: float) -> str:
    """0:08, 1:02:03, 38 days, 12 years."""
    if seconds < 100 * _HOUR:
        return show_duration(seconds)
    return f"{seconds / _DAY:,.0f} days" if seconds < 2 * _YEAR else f"{seconds / _YEAR:,.0f} years"
