"""A run from the command line: options become a configuration, and that opens a door, headless or the playground."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from gpt_tui.cli import serve
from gpt_tui.cli.arguments import Arguments
from gpt_tui.cli.configuration import dataset_faults, read_layers, settle, show_config, warn_of_idle_fields
from gpt_tui.cli.places import find_run, find_runs_dir
from gpt_tui.console import Console
from gpt_tui.core.config import FIELDS, FieldSpec, Layer, Resolved, difference, find_faults, resolve
from gpt_tui.core.errors import Fault, Refusal
from gpt_tui.loading import loading

_HEADLESS_ONLY = ("json", "quiet", "target-loss", "max-seconds")


@dataclass(frozen=True)
class Order:
    """What the command line asks for, checked. edits: what changes in the run that is resumed or forked."""

    resolved: Resolved
    runs_dir: Path
    edits: Mapping[str, Any] = field(default_factory=dict)
    target_loss: float | None = None
    max_seconds: float | None = None


def run(arguments: Arguments, console: Console) -> int:
    """Obey `gpt-tui`, `gpt-tui --headless` and `gpt-tui open`. Raises Refusal with everything that is wrong."""
    console.quiet = "quiet" in arguments
    serve.check(arguments)
    order = read_order(arguments)
    if "serve" in arguments:
        return serve.run(arguments, console)
    if "print-config" in arguments:
        console.data(show_config(order.resolved, arguments.field_labels()), end="")
        return 0
    if "headless" in arguments:
        warn_of_idle_fields(order.resolved, arguments, console)
        return _train(arguments, order, console)
    return _play(arguments, order, console)


def _train(arguments: Arguments, order: Order, console: Console) -> int:
    from gpt_tui import headless
    from gpt_tui.core.session import Plan

    continues = "resume" in arguments or "fork" in arguments
    from_stdin = arguments.get("dataset") if continues else order.resolved.config.data.dataset
    plan = Plan(
        config=order.resolved.config,
        runs_dir=order.runs_dir,
        run_name=arguments.get("run-name"),
        preset=arguments.get("preset"),
        resume=arguments.get("resume"),
        fork=arguments.get("fork"),
        edits=order.edits,
        target_loss=order.target_loss,
        max_seconds=order.max_seconds,
        stdin=open_stdin("dataset") if from_stdin == "-" else None,
    )
    return headless.train(plan, console, as_json="json" in arguments)


def _play(arguments: Arguments, order: Order, console: Console) -> int:
    from gpt_tui.tui.request import PlaygroundRequest

    request = PlaygroundRequest(
        resolved=order.resolved,
        runs_dir=order.runs_dir,
        preset=arguments.get("preset"),
        run_name=arguments.get("run-name"),
        open=arguments.words[0] if arguments.words else None,
        resume=arguments.get("resume"),
        fork=arguments.get("fork"),
        edits=order.edits,
        ascii="ascii" in arguments,
    )
    if serve.is_served():
        serve.draw_in_page()
    elif not (sys.stdin and sys.stdin.isatty() and sys.stdout and sys.stdout.isatty()):
        raise Refusal.one(
            "the playground", None, "needs a terminal for its keys and its screen; in a script use --headless"
        )
    with loading():
        from gpt_tui.tui.door import run_playground

    return run_playground(request)


# From options to an order ----------------------------------------------------------------------------------------


def read_order(arguments: Arguments) -> Order:
    """Check everything that can be checked without a dataset or a device. Raises Refusal with every fault."""
    faults = arguments.faults
    runs_dir = find_runs_dir(arguments)
    _check_combinations(arguments, runs_dir)
    target_loss, max_seconds = arguments.number("target-loss"), arguments.number("max-seconds")
    layers = read_layers(arguments)
    resolved, edits = resolve([]), dict[str, Any]()
    try:
        past = arguments.get("resume") or arguments.get("fork")
        if "resume" in arguments and "fork" in arguments:
            pass  # told already, and either may be the one that is meant
        elif past is not None:
            resolved, edits = _continue(past, "fork" in arguments, layers, runs_dir)
        else:
            if arguments.command.name == "open" and arguments.words:
                find_run(arguments.words[0], "run", runs_dir)
            broken = bool(faults)
            faults += dataset_faults(layers)
            resolved = settle(layers, broken=broken)
    except Refusal as refusal:
        faults += refusal.faults
    if resolved.config.data.dataset == "-" and "headless" not in arguments and "print-config" not in arguments:
        faults.append(Fault("dataset", "-", "standard input is where the playground's keys come from; use --headless"))
    if "headless" in arguments and "resume" not in arguments and (why := _runs_dir_fault(runs_dir)):
        faults.append(Fault("runs directory", str(runs_dir), why))
    if faults:
        raise Refusal(faults)
    return Order(resolved, runs_dir, edits, target_loss, max_seconds)


def _check_combinations(arguments: Arguments, runs_dir: Path) -> None:
    faults = arguments.faults
    if "headless" not in arguments:
        faults += [
            Fault(arguments.labels[name], None, "needs --headless")
            for name in _HEADLESS_ONLY
            if name in arguments and arguments.command.name == ""
        ]
    if "resume" in arguments and "fork" in arguments:
        faults.append(
            Fault("--fork", arguments.get("fork"), "cannot be given with --resume: go on with a run, or fork it")
        )
    name = arguments.get("run-name")
    if "resume" in arguments and name is not None:
        faults.append(Fault("--run-name", name, "the run that --resume names has a name already"))
    elif name is not None and (why := _name_fault(name, runs_dir)):
        faults.append(Fault("--run-name", name, why))


def _runs_dir_fault(runs_dir: Path) -> str | None:
    from gpt_tui.core.runs import Shelf

    return Shelf(runs_dir).fault()


def _name_fault(name: str, runs_dir: Path) -> str | None:
    from gpt_tui.core.runs import name_fault

    if why := name_fault(name):
        return why
    taken = os.path.lexists(runs_dir / name)
    return f"there is a run of this name in {runs_dir} already" if taken else None


def _continue(spec: str, fork: bool, layers: list[Layer], runs_dir: Path) -> tuple[Resolved, dict[str, Any]]:
    """The configuration of the run that is gone on with, as changed, and the changes. Raises Refusal.

    A field that cannot change may be named as long as its value stays what it is.
    """
    found, step = find_run(spec, "--fork" if fork else "--resume", runs_dir)
    checkpoints = found.checkpoints()
    if step is None and checkpoints:
        step = checkpoints[-1].step
    old = found.digest().config_at(step) or found.config()
    values = {name: value for layer in layers for name, value in layer.values.items()}
    labels = {name: label for layer in layers for name, label in layer.labels.items()}
    origins = {name: layer.origin for layer in layers for name in layer.values}
    sound, _ = find_faults({**old.flat(), **values}, labels)
    faults, edits = [], {}
    for name, value in values.items():
        why = _why_fixed(FIELDS[name], fork)
        if why is None:
            edits[name] = value
        elif name not in sound or sound[name] != old.get(name):
            faults.append(Fault(labels.get(name, name), str(value), why))
    sound, more = find_faults({**old.flat(), **edits}, labels)
    if faults or more:
        raise Refusal([*faults, *more])
    edits = {name: sound[name] for name in edits}
    new = old.replace(**edits)
    changed = difference(old, new)
    return Resolved(new, {n: origins[n] if n in changed else f"run {found.name}" for n in FIELDS}), edits


def _why_fixed(spec: FieldSpec, fork: bool) -> str | None:
    """Why a field cannot change in a run that is resumed or forked; None where it can."""
    if spec.live:
        return None
    if not fork:
        return "needs a new run: it cannot change in a run that has begun"
    return "cannot change in a fork: it goes on with the same model" if spec.section == "model" else None


def open_stdin(what: str) -> BinaryIO:
    """Standard input, to be read. Raises Refusal where that is a terminal."""
    if sys.stdin is None or sys.stdin.isatty():
        raise Refusal.one(what, "-", "standard input is a terminal; pipe a text into the program")
    return sys.stdin.buffer
