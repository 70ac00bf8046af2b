"""Small runs whose models speak and are looked into: of names and numbers, with a character of two bytes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gpt_tui.core.config import RunConfig
from gpt_tui.core.session import Plan, Session
from patience import PATIENCE

TEXT = "".join(
    f"{name}:\nThe house of {name} is number {n}, là-bas.\n\n" for n in range(90) for name in ("ANNA", "BEN")
)
FIELDS: dict[str, Any] = {
    "n_layer": 1, "n_head": 2, "n_embd": 16, "block_size": 16, "batch_size": 4, "max_iters": 40, "eval_interval": 20,
    "eval_iters": 2, "checkpoint_interval": 20, "dropout": 0.1, "max_new_tokens": 30, "threads": 1, "device": "cpu",
    "zero_init": False,
}  # fmt: skip


def planned(folder: Path, run_name: str, **fields: Any) -> Session:
    """A run in `folder`/runs that is not begun yet; it learns TEXT, unless the folder has another text.txt."""
    text = folder / "text.txt"
    if not text.exists():
        text.write_text(TEXT, encoding="utf-8")
    config = RunConfig().replace(**{**FIELDS, "dataset": str(text), **fields})
    return Session(Plan(config, folder / "runs", run_name=run_name))


def finished(folder: Path, runs: Mapping[str, Mapping[str, Any]]) -> Path:
    """The folder of these runs, each named with the fields that it has of its own."""
    for name, fields in runs.items():
        session = planned(folder, name, **fields)
        session.start()
        assert session.join(PATIENCE)
        assert session.outcome is not None
        assert session.outcome.kind == "finished", session.outcome
    return folder / "runs"
