"""What a fork had behind it: its parent's course until the fork, before that the course of its parent's parent, and the
untrained model that all of it began with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gpt_tui.core.errors import GptTuiError
from gpt_tui.core.events import AnyEvent, Checkpoint, Continued, Eval, Parent, Sample, Started, Step, Surprise
from gpt_tui.core.runs.history import History, checkpoint_name
from gpt_tui.core.runs.run import RECORD_NAME, Branch, Run, RunRecord, read_record
from gpt_tui.core.runs.shelf import name_fault

MOST = 100  # generations that are looked back
_BEGINNING = 1 << 20  # bytes of a log in which what came before the first step is likely to be


@dataclass(frozen=True)
class Origin:
    """The untrained model that a fork comes from, and what was recorded of it: that of the run at the head of its line.

    passage: the text whose surprise was recorded; kept: whether the model's checkpoint is there
    """

    run: Run
    passage: str
    eval: Eval
    sample: Sample | None
    surprise: Surprise | None
    kept: bool


@dataclass(frozen=True)
class _Ancestor:
    """A run until its child was forked from it: at this step, at this time (ISO 8601, UTC), and where it is known."""

    run: Run
    step: int
    forked: str
    branch: Branch | None


def branch_at(run: Run, checkpoint: str) -> Branch:
    """Where a fork that is made now begins, from this checkpoint of a run. Raises GptTuiError."""
    return Branch(created=run.record().created, checkpoint=checkpoint, mentions=_mentions(run, checkpoint))


def past_of(fork: Path, parent: Parent, created: str) -> History | None:
    """The steps and evaluations before a fork, as one history that ends where it began; None where none can be read.

    A parent that went on from an earlier checkpoint took another course, before the fork or after it: the fork's
    `run.json` tells where it began. An older one does not: there the clock tells, by when it was `created`. The past
    reaches back as far as the runs are on the shelf. Parents are looked for by their names alone, which a log may give
    as it likes: nothing outside the directory that holds `fork` is read.
    """
    past = History()
    try:
        for ancestor in reversed(list(_ancestors(fork, parent, created))):
            for event in _course(ancestor):
                if not isinstance(event, Started) or past.started is None:
                    past.apply(event)
    except GptTuiError:
        return None
    return past if len(past.steps) else None


def origin_of(fork: Path, parent: Parent, created: str) -> Origin | None:
    """The untrained model that a fork comes from; None where a run on the way back is not on the shelf.

    The arguments are those of `past_of`, and as with that nothing else is read.
    """
    try:
        line = list(_ancestors(fork, parent, created))
        return _untrained(line[-1].run) if line else None
    except GptTuiError:
        return None


def _untrained(run: Run) -> Origin | None:
    """What a run's log begins with; None for one that was not evaluated before its first step."""
    found = History()
    tail = run.tail()
    while not len(found.steps):
        found.extend(event for event in tail.poll(_BEGINNING) if getattr(event, "step", 0) <= 1)
        if tail.at_end:
            break
    if found.started is None or not found.evals or found.evals[0].step:
        return None
    sample = next((sample for sample in found.samples if sample.step == 0), None)
    surprise = next((surprise for surprise in found.surprises if surprise.step == 0), None)
    kept = any(info.step == 0 for info in run.checkpoints())
    return Origin(run, found.started.passage, found.evals[0], sample, surprise, kept)


def _ancestors(fork: Path, parent: Parent, created: str) -> Iterator[_Ancestor]:
    """The nearest first."""
    branch = _branch(fork, parent)
    seen = {fork.name}
    above: Parent | None = parent
    while above is not None and above.run not in seen and len(seen) < MOST:
        seen.add(above.run)
        if name_fault(above.run) is not None:
            return
        try:
            run = Run.open(fork.parent / above.run)
        except GptTuiError:
            return  # gone from the shelf, or broken: what came before is not known then
        record = run.record()
        if branch is not None and branch.created != record.created:
            return  # another run has its name now
        yield _Ancestor(run, above.step, created, branch)
        above, created, branch = record.parent, record.created, record.branch


def _branch(fork: Path, parent: Parent) -> Branch | None:
    try:
        record: RunRecord = read_record(fork / RECORD_NAME)
    except GptTuiError:
        return None
    return record.branch if record.parent == parent else None


def _course(ancestor: _Ancestor) -> Iterator[AnyEvent]:
    """What belongs to a fork's past of the events of its parent."""
    branch, last = ancestor.branch, 0
    if branch is not None:
        # None that is left may name the checkpoint, or one less in a log that was damaged since.
        last = min(branch.mentions or 1, _mentions(ancestor.run, branch.checkpoint))
    mentions = 0
    for event in _read(ancestor.run, whole_to=ancestor.step):
        if isinstance(event, Continued) and not last and event.created > ancestor.forked:
            return
        if isinstance(event, Started) or (isinstance(event, Step | Eval | Continued) and event.step <= ancestor.step):
            yield event
        if branch is not None and last and _names(event, branch.checkpoint):
            mentions += 1
            if mentions == last:
                return


def _mentions(run: Run, checkpoint: str) -> int:
    """How often the log of a run names a checkpoint as the one that it saved, or goes on from."""
    return sum(_names(event, checkpoint) for event in _read(run))


def _names(event: AnyEvent, checkpoint: str) -> bool:
    return isinstance(event, Checkpoint | Continued) and checkpoint_name(event) == checkpoint


def _read(run: Run, whole_to: int = 0) -> Iterator[AnyEvent]:
    tail = run.tail(thin=True, whole_to=whole_to)
    while not tail.at_end:
        yield from tail.poll()
