"""`gpt-tui runs` and what is below it: the shelf as a table, one run in full, deleting, exporting. Needs no torch."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gpt_tui.cli.arguments import Arguments
from gpt_tui.cli.training import find_run, find_runs_dir
from gpt_tui.console import Column, Console, Output, one_line, show_duration, show_loss, show_size, table
from gpt_tui.core.config import FIELDS, RunConfig, difference
from gpt_tui.core.errors import Fault, Refusal
from gpt_tui.core.events import Failed, Finished
from gpt_tui.core.runs import History, Run, RunSummary, Shelf, to_csv, to_svg


def run(arguments: Arguments, console: Console) -> int:
    """Obey `runs`, `runs show`, `runs rm` and `runs export`."""
    shelf = Shelf(find_runs_dir(arguments))
    obey = {"runs": list_runs, "runs show": show, "runs rm": remove, "runs export": export}
    return obey[arguments.command.name](arguments, shelf, console)


def list_runs(arguments: Arguments, shelf: Shelf, console: Console) -> int:
    _refuse(arguments.faults)
    summaries = [found.summary() for found in shelf.runs()]
    if "json" in arguments:
        console.json_line(json.dumps([_as_json(summary) for summary in summaries]))
    elif summaries:
        console.layout(runs_table(summaries, console.out))
    else:
        console.warn(f"no runs in {shelf.runs_dir} yet; gpt-tui --headless trains one")
    for path, why in shelf.broken():
        console.warn(f"gpt-tui: {path} cannot be read as a run: {why}")
    return 0


def runs_table(summaries: Sequence[RunSummary], output: Output) -> str:
    columns = (
        Column("name"),
        Column("state", keep=8),
        Column("step", "right", 7),
        Column("val", "right", 6),
        Column("best", "right", 5),
        Column("parameters", "right", 2),
        Column("dataset", keep=3),
        Column("created", keep=1),
        Column("title", keep=4),
    )
    rows = [
        (
            summary.name,
            summary.state,
            f"{summary.step}/{summary.max_iters}",
            show_loss(summary.val_loss),
            show_loss(summary.best_val_loss),
            f"{summary.parameters:,}",
            summary.dataset,
            summary.created.replace("T", " ")[:16],
            summary.title or "",
        )
        for summary in summaries
    ]
    kept = [i for i in range(len(columns)) if any(row[i] for row in rows)]
    return table([columns[i] for i in kept], [[row[i] for i in kept] for row in rows], output)


def _as_json(summary: RunSummary) -> dict[str, Any]:
    return summary.model_dump(mode="json")


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
    if changed := difference(RunConfig(), config):
        settings = [(name, FIELDS[name].show(new), FIELDS[name].show(old)) for name, (old, new) in changed.items()]
        console.layout(
            "\n" + table([Column("setting"), Column("value"), Column("default", keep=1)], settings, console.out)
        )
    if history.evals:
        evals = [
            (str(e.step), show_loss(e.train_loss), show_loss(e.val_loss), "best" if e is history.best else "")
            for e in history.evals
        ]
        columns = [Column("step", "right"), Column("train", "right", 1), Column("val", "right", 2), Column("")]
        console.layout("\n" + table(columns, evals, console.out))
    if checkpoints := found.checkpoints():
        saved = [(str(c.step), show_size(c.bytes), c.reason or "damaged", str(c.path)) for c in checkpoints]
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
        facts.append((history.end.reason, f"{history.end.error} {history.end.hint}".strip()))
    lines = [f"{name.ljust(10)}  {one_line(value)}" for name, value in facts if value]
    return "\n".join([output.bold(one_line(found.name)), *lines])


def _details(found: Run, summary: RunSummary, config: RunConfig, history: History) -> dict[str, Any]:
    """What `runs show --json` prints: the summary, and what belongs to one run alone."""
    return {
        **_as_json(summary),
        "config": config.sections(),
        "changed": {name: [old, new] for name, (old, new) in difference(RunConfig(), config).items()},
        "seconds": history.time,
        "evals": [json.loads(e.to_json()) for e in history.evals],
        "checkpoints": [
            {"step": c.step, "path": str(c.path), "bytes": c.bytes, "reason": c.reason} for c in found.checkpoints()
        ],
        "end": None if history.end is None else json.loads(history.end.to_json()),
    }


# rm, export ------------------------------------------------------------------------------------------------------


def remove(arguments: Arguments, shelf: Shelf, console: Console) -> int:
    doomed = _find(arguments, shelf)
    _refuse(
        [Fault("run", found.name, "is being trained now; stop it first") for found in doomed if found.state() == "live"]
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
        path = Path(name).expanduser().resolve()  # a link leads to the file that is meant
        write[kind](found, path)
        console.data(f"wrote {path}")
    return 0


def _unwritable(name: str) -> str | None:
    """Why a file of that name cannot be made, as far as can be seen without making it."""
    path = Path(name).expanduser()
    if not name or "\0" in name or (path.exists() and not path.is_file()):
        return "must be the path of a file"
    return None if path.parent.is_dir() else f"there is no folder {path.parent}"
