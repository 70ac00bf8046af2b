"""Several runs beside each other: in which settings they differ, and what came of it. Reads histories, no files."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from gpt_tui.core.config import FIELDS, RunConfig, from_sections
from gpt_tui.core.errors import Refusal
from gpt_tui.core.events import Finished, Started
from gpt_tui.core.runs.history import History

UNKNOWN = "–"

# What a setting of these came to stands in the log; "auto" says nothing about it.
_CAME_TO: dict[str, Callable[[Started], Any]] = {
    "dataset": lambda started: started.dataset.name,
    "device": lambda started: started.device,
    "dtype": lambda started: started.dtype,
    "threads": lambda started: started.threads,
}
_MADE_WITH: dict[str, Callable[[Started], Any]] = {
    "dataset sha256": lambda started: started.dataset.sha256,
    "vocab_size": lambda started: started.dataset.vocab_size,
    "parameters": lambda started: started.parameters,
}
_SHA_SHOWN = 12  # hexadecimal digits that tell datasets apart


@dataclass(frozen=True)
class Compared:
    """One line of a comparison, with a value for each run, in the order of the runs.

    name:   a field's, or a result's as the log names it ("val_loss")
    values: as they are at last; None where the run has none
    texts:  the same for a reader, a live edit with its step: "0.004 → 0.001 at 300"
    """

    name: str
    values: tuple[Any, ...]
    texts: tuple[str, ...]

    @property
    def differs(self) -> bool:
        """Whether two runs that have a value have another one; what is not known of a run is no difference."""
        return len({text for text in self.texts if text != UNKNOWN}) > 1


def differing(histories: Iterable[History]) -> list[Compared]:
    """The settings in which runs differ, in the order of the fields, then what they were made with and differ in.

    Live edits count, with their steps. Of `dataset`, `device`, `dtype` and `threads` it is told what they came to.
    """
    runs = list(histories)
    begun, last = [_begun_with(run) for run in runs], [_last(run) for run in runs]
    lines = [_setting(name, runs, begun, last) for name in FIELDS]
    lines += [
        _line(name, [read(run.started) if run.started else None for run in runs]) for name, read in _MADE_WITH.items()
    ]
    return [line for line in lines if line.differs]


def results(histories: Iterable[History]) -> list[Compared]:
    """What came of runs so far: steps, losses (nats per token) and seconds of work.

    A finished run's losses are those of the whole split, any other's those of its newest evaluation.
    """
    runs = list(histories)
    ended = [run.end if isinstance(run.end, Finished) else None for run in runs]
    newest = [
        end if end and math.isfinite(end.val_loss) else run.last_eval for end, run in zip(ended, runs, strict=True)
    ]
    best = [run.best for run in runs]
    return [
        _line("step", [run.step for run in runs]),
        _line("train_loss", [last.train_loss if last else None for last in newest]),
        _line("val_loss", [last.val_loss if last else None for last in newest]),
        _line("best_val_loss", [lowest.val_loss if lowest else None for lowest in best]),
        _line("best_step", [lowest.step if lowest else None for lowest in best]),
        _line("seconds", [end.seconds if end else run.time for end, run in zip(ended, runs, strict=True)]),
    ]


def _begun_with(run: History) -> RunConfig | None:
    """None where the log holds no configuration that this version can read."""
    if run.started is None:
        return None
    try:
        return from_sections(run.started.config, "the log's configuration")
    except Refusal:
        return None


def _last(run: History) -> RunConfig | None:
    try:
        return run.config
    except Refusal:
        return None


def _setting(
    name: str, runs: Sequence[History], begun: Sequence[RunConfig | None], last: Sequence[RunConfig | None]
) -> Compared:
    if (came_to := _CAME_TO.get(name)) is not None:
        return _line(name, [came_to(run.started) if run.started else None for run in runs])
    values = [config.get(name) if config else None for config in last]
    texts = [_course(name, run, config) if config else UNKNOWN for run, config in zip(runs, begun, strict=True)]
    return Compared(name, tuple(values), tuple(texts))


def _course(name: str, run: History, begun: RunConfig) -> str:
    """A setting from the run's start to its end: "0.004", or "0.004 → 0.001 at 300"."""
    show = FIELDS[name].show
    made = [edit for edit in run.edits if name in edit.changes]
    if not made:
        return show(begun.get(name))
    more = f", {len(made)} edits" if len(made) > 1 else ""
    return f"{show(begun.get(name))} → {show(made[-1].changes[name][1])} at {made[-1].step}{more}"


def _line(name: str, values: Sequence[Any]) -> Compared:
    return Compared(name, tuple(values), tuple(_written(name, value) for value in values))


def _written(name: str, value: Any) -> str:
    if value is None:
        return UNKNOWN
    if isinstance(value, float):
        return "nan" if math.isnan(value) else f"{value:.1f}" if name == "seconds" else f"{value:.4f}"
    if isinstance(value, int):
        return f"{value:,}"
    return str(value)[:_SHA_SHOWN] if name == "dataset sha256" else str(value)
