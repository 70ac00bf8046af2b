"""What a fork had behind it: its parent's course until the fork, and before that the course of its parent's parent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gpt_tui.core.errors import GptTuiError
from gpt_tui.core.events import AnyEvent, Continued, Eval, Parent, Started, Step
from gpt_tui.core.runs.history import History
from gpt_tui.core.runs.log import LOG_NAME, LogTail
from gpt_tui.core.runs.run import Run
from gpt_tui.core.runs.shelf import name_fault

MOST = 100  # generations that are looked back


@dataclass(frozen=True)
class _Ancestor:
    """A run until its child was forked from it: at this step, at this time (ISO 8601, UTC)."""

    run: Run
    step: int
    forked: str


def past_of(runs_dir: Path, parent: Parent, created: str) -> History | None:
    """The steps and evaluations before a fork, as one history that ends where it began; None where none can be read.

    created: when the fork was made; a parent that later went on from an earlier checkpoint took another course, which
    is not the fork's past. It reaches back as far as the runs are on the shelf. Parents are looked for by their names
    alone, which a log may give as it likes: nothing outside `runs_dir` is read.
    """
    past = History()
    try:
        for ancestor in reversed(list(_ancestors(runs_dir, parent, created))):
            for event in _course(ancestor):
                if not isinstance(event, Started) or past.started is None:
                    past.apply(event)
    except GptTuiError:
        return None
    return past if len(past.steps) else None


def _ancestors(runs_dir: Path, parent: Parent, created: str) -> Iterator[_Ancestor]:
    """The nearest first."""
    seen: set[str] = set()
    above: Parent | None = parent
    while above is not None and above.run not in seen and len(seen) < MOST:
        seen.add(above.run)
        if name_fault(above.run) is not None:
            return
        try:
            run = Run.open(runs_dir / above.run)
        except GptTuiError:
            return  # gone from the shelf, or broken: what came before is not known then
        yield _Ancestor(run, above.step, created)
        above, created = run.record().parent, run.record().created


def _course(ancestor: _Ancestor) -> Iterator[AnyEvent]:
    tail = LogTail(ancestor.run.path / LOG_NAME, thin=True, whole_to=ancestor.step)
    while True:
        for event in tail.poll():
            if isinstance(event, Continued) and event.created > ancestor.forked:
                return
            if isinstance(event, Started) or (
                isinstance(event, Step | Eval | Continued) and event.step <= ancestor.step
            ):
                yield event
        if tail.at_end:
            return
