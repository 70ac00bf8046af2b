"""Which checkpoints there are to speak, read from the shelf; for threads beside the screen, torch-free."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from gpt_tui.core.config import SamplingConfig
from gpt_tui.core.errors import GptTuiError
from gpt_tui.core.runs import Run, Shelf, origin_of, still_kept_as


@dataclass(frozen=True)
class Speaking:
    """What is known of a run whose model may speak. losses: validation loss by step."""

    path: Path
    name: str
    sampling: SamplingConfig
    losses: Mapping[int, float]


@dataclass(frozen=True)
class Choice:
    """Whose model speaks: a checkpoint of a run, or the model of the session at work as it is now (`step` None).

    reason: why the checkpoint was kept; title: what a person called the run
    """

    path: Path
    step: int | None
    run: str
    loss: float | None = None
    reason: str = ""
    title: str = ""


def speaking(run: Run) -> Speaking:
    """Raises GptTuiError where the run's log cannot be read."""
    digest = run.digest()
    config = digest.config or run.config()
    return Speaking(run.path, run.name, config.sampling, {e.step: e.val_loss for e in digest.evals})


def newest(runs_dir: Path) -> Speaking | None:
    """The newest run on the shelf that has a checkpoint. Raises GptTuiError where the shelf cannot be read."""
    for run in Shelf(runs_dir).runs():
        if run.checkpoints():
            return speaking(run)
    return None


def beginning(run: Run) -> Choice | None:
    """The untrained model of a run, of a fork that of its parent; without that the first that was kept; None for none.

    Raises GptTuiError where the run cannot be read.
    """
    record, first = run.record(), min((info.step for info in run.checkpoints()), default=None)
    if first != 0 and record.parent is not None:
        origin = origin_of(run.path, record.parent, record.created)
        if origin is not None and origin.kept:
            return Choice(origin.run.path, 0, origin.run.name, origin.eval.val_loss)
    return None if first is None else Choice(run.path, first, run.name)


def choices(runs_dir: Path, first: Path | None) -> Iterator[list[Choice]]:
    """The checkpoints of one run after the other, each run's newest at its head; `first` before all others."""
    if first is not None:
        try:
            yield _of(Run.open(first))
        except GptTuiError:
            pass  # gone from the disk while it is watched: it has nothing to offer
    for run in Shelf(runs_dir).runs():
        if run.path != first:
            try:
                yield _of(run)
            except GptTuiError:
                continue  # a broken run says why in Runs


def _of(run: Run) -> list[Choice]:
    known, title = speaking(run), run.shelf_notes().title
    kept = run.checkpoints()
    kept_as = still_kept_as([info.reason or "" for info in kept])
    return [
        Choice(run.path, info.step, run.name, known.losses.get(info.step), why, title)
        for info, why in zip(reversed(kept), reversed(kept_as), strict=True)
    ]
