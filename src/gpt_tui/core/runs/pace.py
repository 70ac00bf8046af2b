"""How fast runs went on this machine, read from the ends of their logs."""

from __future__ import annotations

import math
import os
import statistics
from collections.abc import Sequence
from pathlib import Path

from gpt_tui.core.config import RunConfig
from gpt_tui.core.cost import Pace, estimate_seconds
from gpt_tui.core.events import BadEvent, Step, from_json
from gpt_tui.core.files import open_regular
from gpt_tui.core.runs.log import LOG_NAME
from gpt_tui.core.runs.run import Run
from gpt_tui.core.runs.shelf import Shelf

_NEWEST = 20  # runs that are looked at
_TAIL = 32 << 10  # bytes of a log's end: some hundred steps
_FEWEST = 30  # steps that say something: the first ones still start things up
_NEAREST = math.log(8)  # a run whose steps cost eight times as much, or an eighth, says nothing


def find_pace(shelf: Shelf, config: RunConfig, vocab_size: int, cpu: str, cores: int) -> Pace | None:
    """The pace of the run, among the newest of this machine and device, whose steps cost most nearly as much,
    and not more than eight times as much or an eighth.

    cpu: this machine's processor, as runs record it. None where no run says anything. Raises GptTuiError where the
    shelf cannot be read.
    """
    wanted = estimate_seconds(config, vocab_size, cores)
    here = [run for run in shelf.runs() if run.record().cpu == cpu]
    device, threads = _device(config.training.device, here), config.training.threads
    found: list[tuple[float, Pace]] = []
    for run in here[:_NEWEST]:
        record, done = run.record(), run.config()
        if record.device != device or threads not in ("auto", record.threads):
            continue
        if (seconds := _seconds_a_step(run)) is None:
            continue
        estimated = estimate_seconds(done, record.dataset.vocab_size, record.threads)
        distance = abs(math.log(wanted / estimated))
        if distance <= _NEAREST:
            found.append((distance, Pace(seconds / estimated, run.name)))
    return min(found, key=lambda pair: pair[0])[1] if found else None


def _device(asked: str, runs: Sequence[Run]) -> str:
    """auto takes an accelerator where there is one, and a run on one shows that there is."""
    if asked != "auto":
        return asked
    return next((run.record().device for run in runs if run.record().device != "cpu"), "cpu")


def _seconds_a_step(run: Run) -> float | None:
    """The median of the log's newest steps; None where there are too few, or where the batches are others by now."""
    steps = _newest_steps(run.path / LOG_NAME)
    config = run.config()
    if len(steps) < _FEWEST or steps[-1].tokens - steps[-2].tokens != config.tokens_per_step:
        return None
    speeds = [step.tokens_per_second for step in steps if math.isfinite(step.tokens_per_second)]
    speed = statistics.median(speeds) if speeds else 0.0
    return config.tokens_per_step / speed if speed > 0 else None


def _newest_steps(log: Path) -> list[Step]:
    try:
        with open_regular(log) as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _TAIL))
            lines = file.read().split(b"\n")[1:]
    except OSError:
        return []
    found = []
    for line in lines:
        try:
            event = from_json(line)
        except BadEvent:
            continue  # the end of a log that is being written, or a stranger's line: neither has a speed
        if isinstance(event, Step):
            found.append(event)
    return found
