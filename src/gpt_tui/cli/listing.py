"""`gpt-tui runs`: the shelf as a table. Imports nothing that takes time, unless a run has to be read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from gpt_tui.cli.arguments import Arguments
from gpt_tui.cli.places import find_runs_dir
from gpt_tui.console import Column, Console, Output, show_loss, table
from gpt_tui.core.errors import Refusal
from gpt_tui.core.files import expanded
from gpt_tui.core.runs.listing import list_runs
from gpt_tui.core.runs.summary import RunSummary


def run(arguments: Arguments, console: Console) -> int:
    runs_dir = expanded(find_runs_dir(arguments)).absolute()
    if arguments.faults:
        raise Refusal(arguments.faults)
    listing = list_runs(runs_dir)
    if "json" in arguments:
        console.json_line(json.dumps([as_json(summary) for summary in listing.summaries]))
    elif listing.summaries:
        console.layout(runs_table(listing.summaries, console.out))
    elif not listing.unread:
        console.warn(f"no runs in {runs_dir} yet; gpt-tui --headless trains one")
    for told in listing.unread:
        console.warn(f"gpt-tui: {told}")
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


def as_json(summary: RunSummary) -> dict[str, Any]:
    return asdict(summary)
