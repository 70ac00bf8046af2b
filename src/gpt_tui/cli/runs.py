"""What is below `gpt-tui runs`: a run in full, checking, deleting, exporting; no torch."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from gpt_tui.cli.arguments import Arguments
from gpt_tui.cli.listing import as_json
from gpt_tui.cli.places import find_run, find_runs_dir
from gpt_tui.console import Column, Console, Output, one_line, show_duration, show_loss, show_size, table
from gpt_tui.core.config import FIELDS, RunConfig, build, difference
from gpt_tui.core.errors import Fault, GptTuiError, Refusal
from gpt_tui.core.events import Failed, Finished
from gpt_tui.core.files import expanded
from gpt_tui.core.runs import History, Run, RunSummary, Shelf, to_csv, to_svg
from gpt_tui.core.runs.history import why_failed
from gpt_tui.core.runs.lock import is_held
from gpt_tui.core.runs.verify import Verdict, verify


def run(arguments: Arguments, console: Console) -> int:
    """Obey a command below `runs`."""
    shelf = Shelf(find_runs_dir(arguments))
    obey = {"runs show": show, "runs verify": check, "runs rm": remove, "runs export": export}
    return obey[arguments.command.name](arguments, shelf, console)


def _refuse(faults: Sequence[Fault]) -> None:
    if faults:
        raise Refusal(faults)


def _find(arguments: Arguments, shelf: Shelf) -> list[Run]:
    """The runs that the command names, each once. Raises Refusal with every name that is none, and all other faults."""
    faults = arguments.faults
    found: dict[Path, Run] = {}
    for spec in arguments.words:
        try:
            named, step = find_run(spec, "run", shelf.runs_dir)
        except Refusal as refusal:
            faults += refusal.faults
            continue
        if step is not None:
            faults.append(Fault("run", spec, f"name the run alone, without @{step}"))
        found[named.path] = named
    _refuse(faults)
    return list(found.values())


# show ------------------------------------------------------------------------------------------------------------


def show(arguments: Arguments, shelf: Shelf, console: Console) -> int:
    found = _find(arguments, shelf)[0]
    history, summary = found.history(), found.summary()
    config = history.config or found.config()
    if "json" in arguments:
        console.json_line(json.dumps(_details(found, summary, config, history)))
        return 0
    console.layout(_overview(found, summary, history, console.out))
    if changed := difference(build({}), config):
        settings = [(name, FIELDS[name].show(new), FIELDS[name].show(old)) for name, (old, new) in changed.items()]
        console.layout(
            "\n" + table([Column("setting"), Column("value"), Column("default", keep=1)], settings, console.out)
        )
    if edits := [(str(mark.step), mark.text) for mark in history.edit_marks]:
        console.layout("\n" + table([Column("edited at", "right"), Column("what changed")], edits, console.out))
    if history.evals:
        evals = [
            (str(e.step), show_loss(e.train_loss), show_loss(e.val_loss), "best" if e is history.best else "")
            for e in history.evals
        ]
        columns = [Column("step", "right"), Column("train", "right", 1), Column("val", "right", 2), Column("")]
        console.layout("\n" + table(columns, evals, console.out))
    if checkpoints := found.checkpoints():
        behind = history.left_behind(checkpoints)
        saved = [
            (str(c.step), show_size(c.bytes), ("left behind, " if c.name in behind else "") + c.kept_as, str(c.path))
            for c in checkpoints
        ]
        columns = [Column("checkpoint", "right"), Column("size", "right", 1), Column("reason", keep=2), Column("path")]
        console.layout("\n" + table(columns, saved, console.out))
    return 0


def _overview(found: Run, summary: RunSummary, history: History, output: Output) -> str:
    facts = [
        ("state", summary.state),
        ("title", summary.title or ""),
        ("path", str(found.path)),
        ("created", summary.created),
        ("dataset", summary.dataset),
        ("parameters", f"{summary.parameters:,}"),
        ("step", f"{summary.step} of {summary.max_iters}"),
        ("time", show_duration(history.time)),
    ]
    if history.started is not None:
        started = history.started
        facts.append(("computed", f"on {started.device}, {started.dtype}, {started.threads} threads"))
        if started.parent is not None:
            facts.append(("parent", f"{started.parent.run} at step {started.parent.step}"))
    if isinstance(history.end, Finished):
        end = history.end
        facts.append(
            ("val_loss", f"{show_loss(end.val_loss)}, best {show_loss(end.best_val_loss)} at step {end.best_step}")
        )
        facts.append(("ended by", end.reason))
    elif isinstance(history.end, Failed):
        facts.append((history.end.reason, why_failed(history.end)))
    lines = [f"{name.ljust(10)}  {one_line(value)}" for name, value in facts if value]
    return "\n".join([output.bold(one_line(found.name)), *lines])


def _details(found: Run, summary: RunSummary, config: RunConfig, history: History) -> dict[str, Any]:
    """What `runs show --json` prints: the summary, and what belongs to one run alone. config: as it is now."""
    checkpoints = found.checkpoints()
    behind = history.left_behind(checkpoints)
    return {
        **as_json(summary),
        "config": config.sections(),
        "changed": {name: [old, new] for name, (old, new) in difference(build({}), config).items()},
        "seconds": history.time,
        "evals": [json.loads(e.to_json()) for e in history.evals],
        "edits": [json.loads(edit.to_json()) for edit in history.edits],
        "checkpoints": [
            {
                "step": c.step,
                "path": str(c.path),
                "bytes": c.bytes,
                "reason": c.reason,
                "left_behind": c.name in behind,
            }
            for c in checkpoints
        ],
        "end": None if history.end is None else json.loads(history.end.to_json()),
    }


# verify ----------------------------------------------------------------------------------------------------------


def check(arguments: Arguments, shelf: Shelf, console: Console) -> int:
    """Say of each run whether it is whole; 1 where one is not."""
    paths = _locate(arguments, shelf)
    verdicts = []
    for path in paths:
        progress = partial(_show_progress, console, one_line(path.name))
        verdicts.append(verify(path, progress))
        if "json" not in arguments:
            console.layout(_verdict_text(verdicts[-1], max(len(one_line(path.name)) for path in paths)))
    console.finish()
    if "json" in arguments:
        console.json_line(json.dumps([_verdict_json(verdict) for verdict in verdicts]))
    elif verdicts:
        console.layout(_summary_text(verdicts))
    else:
        console.warn(f"no runs in {shelf.runs_dir} yet; gpt-tui --headless trains one")
    if not arguments.words:
        for path in shelf.leftovers():
            console.warn(f"gpt-tui: {path} is half of a run that was being made or deleted; a later new run clears it")
    return 0 if all(verdict.whole for verdict in verdicts) else 1


def _locate(arguments: Arguments, shelf: Shelf) -> list[Path]:
    """The directories that are to be checked, each once. Raises Refusal with every name that is none."""
    faults = arguments.faults
    found: dict[Path, None] = {}
    for spec in arguments.words:
        try:
            found[shelf.locate(spec)] = None
        except Refusal as refusal:
            faults += refusal.faults
        except GptTuiError as error:
            faults.append(Fault("run", spec, str(error)))
    _refuse(faults)
    return list(found) if arguments.words else shelf.directories()


def _show_progress(console: Console, name: str, done: int, total: int) -> None:
    console.live(f"checking {name}: {show_size(done)} of {show_size(total)}")


def _verdict_text(verdict: Verdict, width: int) -> str:
    count = len(verdict.faults)
    found = "whole" if not count else "1 fault" if count == 1 else f"{count} faults"
    live = ", being trained" if verdict.state == "live" else ""
    lines = [f"{one_line(verdict.name).ljust(width)}  {found} ({_extent([verdict])}{live})"]
    lines += [f"    {one_line(fault.file)}: {one_line(fault.message)}" for fault in verdict.faults]
    lines += [f"    {one_line(name)}: left by a crash; the next writer clears it" for name in verdict.leftovers]
    return "\n".join(lines)


def _summary_text(verdicts: Sequence[Verdict]) -> str:
    whole = sum(verdict.whole for verdict in verdicts)
    runs = "1 run" if len(verdicts) == 1 else f"{len(verdicts):,} runs"
    damaged = f", {len(verdicts) - whole:,} damaged" if whole < len(verdicts) else ""
    return f"{runs} checked: {whole:,} whole{damaged} ({_extent(verdicts)})"


def _extent(verdicts: Sequence[Verdict]) -> str:
    """How much was checked."""
    counts = [
        (sum(verdict.steps for verdict in verdicts), "step"),
        (sum(verdict.checkpoints for verdict in verdicts), "checkpoint"),
    ]
    told = [f"{count:,} {thing}{'' if count == 1 else 's'}" for count, thing in counts]
    return ", ".join([*told, show_size(sum(verdict.bytes for verdict in verdicts))])


def _verdict_json(verdict: Verdict) -> dict[str, Any]:
    return {
        "name": verdict.name,
        "path": str(verdict.path),
        "state": verdict.state,
        "whole": verdict.whole,
        "bytes": verdict.bytes,
        "checkpoints": verdict.checkpoints,
        "steps": verdict.steps,
        "faults": [{"file": fault.file, "message": fault.message} for fault in verdict.faults],
        "leftovers": list(verdict.leftovers),
    }


# rm, export ------------------------------------------------------------------------------------------------------


def remove(arguments: Arguments, shelf: Shelf, console: Console) -> int:
    doomed = _find(arguments, shelf)
    _refuse(
        [Fault("run", found.name, "is being trained now; stop it first") for found in doomed if is_held(found.path)]
    )
    for found in doomed:
        shelf.remove(found)
        console.data(f"removed {found.path}")
    return 0


def export(arguments: Arguments, shelf: Shelf, console: Console) -> int:
    wanted = {kind: arguments.options[kind] for kind in ("csv", "svg") if kind in arguments}
    if not wanted:
        arguments.faults.append(Fault("runs export", None, "needs --csv FILE, --svg FILE or both"))
    for kind, name in wanted.items():
        if why := _unwritable(name):
            arguments.faults.append(Fault(arguments.labels[kind], name, why))
    found = _find(arguments, shelf)[0]
    write = {"csv": to_csv, "svg": to_svg}
    for kind, name in wanted.items():
        path = expanded(name).resolve()  # a link leads to the file that is meant
        write[kind](found, path)
        console.data(f"wrote {path}")
    return 0


def _unwritable(name: str) -> str | None:
    """Why a file of that name cannot be made, as far as can be seen without making it."""
    path = expanded(name)
    if not name or "\0" in name or (path.exists() and not path.is_file()):
        return "must be the path of a file"
    return None if path.parent.is_dir() else f"there is no folder {path.parent}"
