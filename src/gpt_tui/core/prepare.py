"""From a plan to a run that can take its first step: the dataset, the trainer, the run directory.

Everything that can be refused is refused here before anything is written.
"""

from __future__ import annotations

import math
import stat
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from gpt_tui.core import device, shapes
from gpt_tui.core.commands import Plan
from gpt_tui.core.config import (
    FIELDS,
    RunConfig,
    dataset_faults,
    difference,
    find_faults,
    from_sections,
    live_changes,
)
from gpt_tui.core.cost import WHOLE_SPLIT_LIMIT
from gpt_tui.core.data import (
    DATASET_NAMES,
    STANDARD_INPUT,
    Dataset,
    OtherText,
    Progress,
    Stopped,
    Tokenizer,
    load_dataset,
    recall_dataset,
)
from gpt_tui.core.errors import Fault, GptTuiError, Refusal, show_size
from gpt_tui.core.events import DatasetRecord, Edit, Finished, Parent
from gpt_tui.core.memory import shortage
from gpt_tui.core.runs import (
    Branch,
    CheckpointInfo,
    History,
    LoadedCheckpoint,
    Run,
    RunIsHeld,
    RunRecord,
    RunWriter,
    Shelf,
    branch_at,
    count_weights,
    going_on,
    newest_whole_checkpoint,
    verifying,
)
from gpt_tui.core.shapes import parameters
from gpt_tui.core.torch_loading import load_torch

if TYPE_CHECKING:
    from gpt_tui.core.lens import Passage
    from gpt_tui.core.training import Trainer

_MOST_SECONDS = 1e9  # of work that a file is believed to tell of


class Place(BaseModel):
    """What a checkpoint's state says of the run, beside what the trainer needs.

    seconds: of work until then; edits: how many the log had; config: with these edits
    looked:  the last step that was evaluated, sampled and scored to the end; -1 where none was
    machine: what it was computed with, as `machine_of` tells it
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    # Of a stranger's number that goes on rising, its checkpoints still have to be read.
    seconds: Annotated[float, Field(ge=0), AfterValidator(lambda seconds: min(seconds, _MOST_SECONDS))]
    edits: Annotated[int, Field(ge=0)]
    looked: int = -1
    config: dict[str, Any]
    machine: dict[str, str] = {}

    def run_config(self) -> RunConfig:
        return from_sections(self.config, "the checkpoint's configuration")


_DECISIVE = ("torch", "numpy", "gpt-tui")  # packages whose versions a loss may depend on

PHASES = {
    "downloading": "downloading shakespeare",
    "checking": "looking for texts",
    "reading": "reading the text",
    "tokenizing": "tokenizing",
    "ladder": "counting the ladder",
}

Show = Callable[[str, int, int | None], None]


@dataclass
class Prepared:
    """A run that can go on.

    passage:    whose surprise is followed
    history:    of a resumed run, as it was left; its `pending_edits` are to be made again at their steps
    checkpoint: what a resumed or forked run starts from, None where that has none yet; seconds: of work before that
    untold:     checkpoints of a resumed run that its log does not know, because a crash came in between
    looked:     the last step that was evaluated, sampled and scored to the end
    edits:      live fields changed on resuming, {name: (old, new)}
    parent_losses: of a fork's parent on the same text, at its evaluations until the fork
    warnings:   what keeps the coming steps from being those of an uninterrupted run, and what was damaged or lost
    """

    trainer: Trainer
    dataset: Dataset
    writer: RunWriter
    record: RunRecord
    passage: Passage
    history: History
    checkpoint: CheckpointInfo | None = None
    untold: list[CheckpointInfo] = field(default_factory=list)
    resumed: bool = False
    seconds: float = 0.0
    looked: int = -1
    edits: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    parent_losses: list[float] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def prepare(plan: Plan, show: Show, should_stop: Callable[[], bool]) -> Prepared:
    """Raises Refusal (nothing was written), GptTuiError, and data.Stopped once `should_stop` is true."""
    shelf = Shelf(plan.runs_dir)
    if plan.resume is not None:
        return _resume(plan, shelf, plan.resume, show, should_stop)
    if why := shelf.fault():
        raise Refusal.one("runs directory", shelf.runs_dir, why)
    if plan.fork is not None:
        return _fork(plan, shelf, plan.fork, show, should_stop)
    dataset = _load(plan, plan.config, show, should_stop)
    config = _adapt(plan.config, dataset)
    trainer = _make_trainer(config, dataset, show)
    notices = [dataset.why] if dataset.why else []
    return _begin(plan, shelf, config, dataset, trainer, notices, None, None, should_stop)


def _load(
    plan: Plan, config: RunConfig, show: Show, should_stop: Callable[[], bool], sha256: str | None = None
) -> Dataset:
    data = config.data
    show(f"reading {data.dataset}", 0, None)
    return load_dataset(
        data.dataset,
        tokenizer=data.tokenizer,
        progress=_telling(show),
        should_stop=should_stop,
        stdin=plan.stdin,
        sha256=sha256,
    )


def _telling(show: Show) -> Progress:
    return lambda phase, done, total: show(PHASES[phase], done, total)


def _adapt(config: RunConfig, dataset: Dataset) -> RunConfig:
    """The configuration with the dataset that `auto` became, checked against it. Raises Refusal."""
    if config.data.dataset == "auto":
        config = config.replace(dataset=dataset.name)
    elif not _is_named(config):
        config = config.replace(dataset=dataset.source)  # the absolute path, so that it is found from anywhere
    faults = dataset_faults(config, dataset.facts())
    faults.extend(dataset.tokenizer.faults(config.sampling.prompt, field="prompt"))
    if faults:
        raise Refusal(faults)
    return config


def _is_named(config: RunConfig) -> bool:
    return config.data.dataset in (*DATASET_NAMES, STANDARD_INPUT)


def _make_trainer(config: RunConfig, dataset: Dataset, show: Show) -> Trainer:
    show("loading torch", 0, None)
    load_torch()
    from gpt_tui.core.training import Trainer

    show("building the model", 0, None)
    try:
        return Trainer(config, dataset)
    except (MemoryError, RuntimeError) as error:
        told = _too_large(config, dataset, error)
    raise told


def _too_large(config: RunConfig, dataset: Dataset, error: Exception) -> GptTuiError:
    """That memory does not suffice for a model, in numbers. Raises the error where it is another one."""
    parameters = shapes.parameters(config.model, dataset.vocab_size)
    needed = show_size(shapes.training_memory(config, dataset.vocab_size))
    what = (
        f"the model does not fit into memory; a smaller n_embd, n_layer or block_size would. It has {parameters:,} "
        f"parameters, and training it takes about {needed}"
    )
    told = shortage(error, what, device.resolve_device(config.training.device))
    if told is None:
        raise error
    return told


def _begin(
    plan: Plan,
    shelf: Shelf,
    config: RunConfig,
    dataset: Dataset,
    trainer: Trainer,
    notices: list[str],
    parent: Parent | None,
    branch: Branch | None,
    should_stop: Callable[[], bool],
) -> Prepared:
    from gpt_tui.core.lens import Passage

    facts = dataset.facts()
    passage = Passage.of(dataset, config.model.block_size)
    record = RunRecord(
        versions=device.versions(),
        platform=device.platform_name(),
        cpu=device.processor_name(),
        device=trainer.device.type,
        dtype=trainer.dtype,
        threads=trainer.threads,
        dataset=DatasetRecord(
            name=facts.name,
            sha256=facts.sha256,
            characters=facts.characters,
            vocab_size=facts.vocab_size,
            train_tokens=facts.train_tokens,
            val_tokens=facts.val_tokens,
            why=dataset.why,
        ),
        source=dataset.source,
        tokenizer=dataset.tokenizer.to_json(),
        parameters=trainer.model.parameter_count(),
        ladder=dataset.ladder,
        passage=passage.text,
        parent=parent,
        branch=branch,
        created=now(),
    )
    if dataset.ladder_note:
        notices = [*notices, dataset.ladder_note]
    if facts.val_tokens > WHOLE_SPLIT_LIMIT:
        read = f"{WHOLE_SPLIT_LIMIT:,} of its {facts.val_tokens:,}"
        notices = [*notices, f"an evaluation on the whole validation split reads the first {read} tokens"]
    if should_stop():
        raise Stopped
    writer = shelf.create(config, plan.run_name, record, plan.preset)
    return Prepared(trainer, dataset, writer, record, passage, History(), notices=[*notices, *dataset.notices])


def _resume(plan: Plan, shelf: Shelf, spec: str, show: Show, should_stop: Callable[[], bool]) -> Prepared:
    show("opening the run", 0, None)
    run, step = shelf.find(spec)
    _refuse_newer_lines(plan, run, step)
    try:
        writer = shelf.reopen(run)
    except RunIsHeld as held:
        raise Refusal.one("run", None, str(held)) from None  # which names the run itself
    try:
        prepared = _reopened(plan, run, writer, step, show, should_stop)
        if should_stop():
            raise Stopped
        return prepared
    except BaseException:
        writer.close()
        raise


def _reopened(
    plan: Plan, run: Run, writer: RunWriter, step: int | None, show: Show, should_stop: Callable[[], bool]
) -> Prepared:
    from gpt_tui.core.lens import Passage

    history, record, known = run.digest(), run.record(), run.checkpoints()
    behind = history.left_behind(known)
    begun, altered = _as_begun(run, history)
    damaged: list[str] = []
    info: CheckpointInfo | None = None
    if known or step:
        info, saved, damaged = newest_whole_checkpoint(run, step)
        _refuse_left_behind(plan, run, info, behind, damaged)
        place, reached = read_place(saved), info.step
    else:
        _refuse_fork_without_checkpoint(plan, run, record)
        place, reached = Place(seconds=0.0, edits=0, config=begun.sections()), 0
    missing = _what_is_missing(run, history, known, info, place)
    config = _with_later_edits(place, reached, history)
    edited = live_changes(config, plan.edits) if plan.edits else config
    void = history.void_after(reached)
    _refuse_what_cannot_be_made_again(void, edited, plan.edits)
    _refuse_nothing_to_do(run, reached, edited, place.looked == reached and _was_concluded(history), missing)
    dataset, more = _load_again(plan, run, step, config, record, show, should_stop)
    more = [*more, *_vocabulary_faults(record, dataset)]
    trainer = _make_trainer(edited, dataset, show)
    if info is not None:
        trainer.load_state_dict({"model": saved.model, "trainer": saved.trainer, "state": saved.state})
        more = [*more, *_what_changed(place, record, trainer)]
    return Prepared(
        trainer,
        dataset,
        writer,
        record,
        Passage.of(dataset, config.model.block_size),
        history,
        checkpoint=info,
        resumed=True,
        seconds=_worked(place, reached, history),
        looked=place.looked,
        edits={**insisted(void, edited, plan.edits), **difference(config, edited)},
        untold=_untold(history, known),
        warnings=[*damaged, *altered, *missing, *more],
    )


def _worked(place: Place, reached: int, history: History) -> float:
    """Seconds of work so far: what came after the checkpoint without a step, the last evaluation, counts too."""
    after = min(history.time, _MOST_SECONDS) if history.step == reached else 0.0
    return max(place.seconds, after)


def _as_begun(run: Run, history: History) -> tuple[RunConfig, list[str]]:
    """The configuration that the run began with, as its log has it, and what to tell where config.toml has another."""
    config = run.config()
    if history.started is None:
        return config, []
    try:
        begun = from_sections(history.started.config, "the log's configuration")
    except Refusal:
        return config, []  # another version's, or a stranger's
    altered = ", ".join(difference(config, begun))
    told = f"config.toml of {run.name} has another {altered} than the run began with, and is not followed"
    return begun, [told] if altered else []


def _with_later_edits(place: Place, step: int, history: History) -> RunConfig:
    """The configuration of a checkpoint, with what was edited between it and the step after it.

    Edits at later steps are made again in their turn.
    """
    config = place.run_config()
    for edit in history.edits[place.edits :]:
        if edit.step == step:
            config = live_changes(config, {name: new for name, (_, new) in edit.changes.items()})
    return config


def insisted(void: Iterable[Edit], config: RunConfig, asked: Iterable[str]) -> dict[str, tuple[Any, Any]]:
    """Fields that were asked to be as they are: a change to be recorded where an edit that waits would change them."""
    waiting = {name for edit in void for name in edit.changes}
    return {name: (config.get(name), config.get(name)) for name in asked if name in waiting}


def _refuse_what_cannot_be_made_again(void: Iterable[Edit], config: RunConfig, asked: Collection[str]) -> None:
    """Raise Refusal where an edit that is to be made again at its step could not be: now, and not in mid-course.

    asked: fields that somebody wants otherwise now, which no edit of the past changes any more
    """
    for edit in void:
        changes = {name: new for name, (_, new) in edit.changes.items() if name not in asked}
        try:
            config = live_changes(config, changes)
            if "device" in changes:
                device.resolve_device(config.training.device)
        except Refusal as refusal:
            told = f"at step {edit.step} the run was edited, which is to be made again"
            faults = [
                Fault(f.field, f.value, f"{told}: {f.message}; name the field to have it otherwise")
                for f in refusal.faults
            ]
            raise Refusal(faults) from None


def _refuse_newer_lines(plan: Plan, run: Run, step: int | None) -> None:
    """Raise Refusal for a run whose log a newer version has written in: what that says is not known here."""
    if newer := run.unread().newer:
        raise Refusal.one(
            "run",
            run.name,
            f"nothing is added to its log, in which {newer[0]}; "
            f"go on with it there, or branch off with {_fork_line(plan, run.path, step)}",
        )


def _refuse_left_behind(plan: Plan, run: Run, info: CheckpointInfo, behind: set[str], damaged: list[str]) -> None:
    """Raise Refusal for a checkpoint after which the run took another course: it would have two pasts.

    damaged: what is told of those that were to be taken before it
    """
    if info.name in behind:
        left = (
            f"the run left checkpoint {info.name} behind when it went on from an earlier step: "
            f"branch off from it with {_fork_line(plan, run.path, info.step)}"
        )
        raise Refusal.one("run", f"{run.name}@{info.step}", "; ".join([*damaged[:-1], left]))


def _refuse_fork_without_checkpoint(plan: Plan, run: Run, record: RunRecord) -> None:
    """Raise Refusal for a fork that was ended before it had saved what it began with."""
    if parent := record.parent:
        raise Refusal.one(
            "run",
            run.name,
            "was ended before its first checkpoint was saved: fork once more, with "
            f"{_fork_line(plan, run.path.parent / parent.run, parent.step)}",
        )


def _fork_line(plan: Plan, run: Path, step: int | None, *more: str) -> str:
    return going_on("--fork", run, step, *more, headless=not plan.attended)


def _was_concluded(history: History) -> bool:
    """Whether the run has ended with its last losses told."""
    return isinstance(history.end, Finished) and math.isfinite(history.end.val_loss)


def _refuse_nothing_to_do(run: Run, step: int, config: RunConfig, done: bool, missing: list[str]) -> None:
    """Raise Refusal where the checkpoint is at the end of the run; past its end, or at it with nothing left to tell.

    missing: see `_what_is_missing`
    """
    end = config.training.max_iters
    if step > end or (step == end and done):
        more = f"more steps take a higher max_iters, for example --max-iters {2 * step}"
        # One that it had may have been in a line that is lost: then this is the cause.
        said = [f"{run.name} is at step {step} already; {more}", *missing]
        raise Refusal.one("max_iters", end, ". ".join(said))


def read_place(saved: LoadedCheckpoint) -> Place:
    """Where the run was when this checkpoint was saved. Raises GptTuiError for a state that is none of ours."""
    try:
        place = Place.model_validate(saved.state)
    except ValidationError as error:
        raise GptTuiError(f"the state of checkpoint {saved.step} cannot be read: {error.errors()[0]['msg']}") from None
    if saved.state.get("step") != saved.step:
        raise GptTuiError(f"the state of checkpoint {saved.step} is that of another step")
    # Before there is a model of any size that a stranger's file may ask for; its vocabulary is not known here.
    held, needed = count_weights(saved.model), parameters(place.run_config().model, vocab_size=1)
    if held < needed:
        raise GptTuiError(f"checkpoint {saved.step} has {held:,} weights, and its configuration at least {needed:,}")
    return place


def _load_again(
    plan: Plan,
    run: Run,
    step: int | None,
    config: RunConfig,
    record: RunRecord,
    show: Show,
    should_stop: Callable[[], bool],
) -> tuple[Dataset, list[str]]:
    """The dataset that the run has learned so far, and what to tell of it. Raises Refusal where it is lost.

    A text that is gone or has changed is taken from the cache, which keeps the tokens of every text it has seen.
    step: of the checkpoint that was asked for by it
    """
    kept = record.dataset
    piped = config.data.dataset == STANDARD_INPUT
    gone = f"{kept.name} is not there any more"
    if not piped or plan.stdin is not None:
        try:
            if _cannot_be(config, kept.characters):
                raise OtherText
            dataset = _load(plan, config, show, should_stop, kept.sha256)
        except Stopped:
            raise
        except OtherText:
            gone = f"{kept.name} has changed since"
        except GptTuiError as error:
            gone = f"{kept.name} {_why_gone(config, error)}"
        else:
            if dataset.sha256 == kept.sha256:
                return dataset, []
            gone = f"{kept.name} has changed since"
    recalled = recall_dataset(
        kept.name,
        record.source,
        kept.sha256,
        tokenizer=config.data.tokenizer,
        progress=_telling(show),
        should_stop=should_stop,
    )
    if recalled is not None:
        return recalled, [] if piped and plan.stdin is None else [f"{gone}: going on with what the cache kept of it"]
    if piped:
        lost = f"{run.name} learned from standard input, which the cache no longer holds: pipe the same text in again"
    else:
        lost = (
            f"{gone}, and the cache does not hold the text that {run.name} learned from "
            f"(SHA-256 {kept.sha256[:12]}…): bring it back, or go on with another text in the same characters, with "
            f"{_fork_line(plan, run.path, step, '--dataset', 'PATH')}"
        )
    raise Refusal.one("dataset", config.data.dataset, lost)


def _cannot_be(config: RunConfig, characters: int) -> bool:
    """Whether a file has too few or too many bytes for a text: it is not read to find that out.

    The run may be a stranger's, and the file whatever lies there on this machine.
    """
    if _is_named(config):
        return False
    try:
        found = Path(config.data.dataset).stat()
    except (OSError, ValueError):
        return False  # reading it says why
    most = 4 * characters + 3  # in UTF-8, with a byte order mark
    return stat.S_ISREG(found.st_mode) and not characters <= found.st_size <= most


def _why_gone(config: RunConfig, error: GptTuiError) -> str:
    """What keeps a dataset from being read that was read once, in words that follow its name."""
    if not _is_named(config) and not Path(config.data.dataset).exists():
        return "is not there any more"
    told = "; ".join(fault.message for fault in error.faults) if isinstance(error, Refusal) else str(error)
    return f"cannot be read any more ({told})"


def _vocabulary_faults(record: RunRecord, dataset: Dataset) -> list[str]:
    """What is wrong with the vocabulary that a run keeps, in words; that of the very text it learned is used then."""
    try:
        kept = Tokenizer.from_json(record.tokenizer)
    except GptTuiError as error:
        return [f"{error} Going on with that of {dataset.name}"]
    if kept != dataset.tokenizer:
        return [f"The vocabulary in run.json is not that of {dataset.name}: going on with that of {dataset.name}"]
    return []


def machine_of(trainer: Trainer) -> dict[str, str]:
    """What the last digits of a loss depend on beside the configuration and the dataset, each with its name."""
    return {
        "device": trainer.device.type,
        "number format": trainer.dtype,
        "threads": str(trainer.threads),
        **device.card(trainer.device.type),
        **_surroundings(),
    }


@cache
def _surroundings() -> dict[str, str]:
    versions = device.versions()
    return {
        "processor": device.processor_name(),
        **device.instructions(),
        **{name: versions[name] for name in _DECISIVE},
    }


def _machine_at_start(record: RunRecord) -> dict[str, str]:
    return {
        "device": record.device,
        "number format": record.dtype,
        "threads": str(record.threads),
        "processor": record.cpu,
        **{name: record.versions[name] for name in _DECISIVE if name in record.versions},
    }


def _what_changed(place: Place, record: RunRecord, trainer: Trainer) -> list[str]:
    """What keeps the coming losses from being the very ones of an uninterrupted run, in words."""
    before, here = place.machine or _machine_at_start(record), machine_of(trainer)
    changed = [f"{name} {before[name]} → {new}" for name, new in here.items() if before.get(name, new) != new]
    if not changed:
        return []
    return ["Losses may differ in their last digits from those of an uninterrupted run: " + ", ".join(changed)]


def _untold(history: History, known: Iterable[CheckpointInfo]) -> list[CheckpointInfo]:
    """The checkpoints that a log does not name."""
    told = history.course.keys() | history.left_behind(list(known))
    return [info for info in known if info.name not in told]


def _what_is_missing(
    run: Run, history: History, known: list[CheckpointInfo], info: CheckpointInfo | None, place: Place
) -> list[str]:
    """What the log of the run no longer tells, in words. Half a line at its end is nothing: a kill leaves that.

    known: checkpoints that were there before the log was read. info: the one that is used, saved at this place
    """
    unread = run.unread()
    told = _what_is_unread(run)
    if unread.start:
        told.append(f"The log of {run.name} has lost its beginning, which is taken from run.json and config.toml")
    if info is None:
        return told
    # A kill may keep the newest checkpoint out of the log, but never what led to it.
    lacking = [
        other.name
        for other in _untold(history, known)
        if other.step > history.step
        or history.started is None
        or (other.step < history.step and other.reason and not unread.lost)
    ]
    edits = place.edits - sum(edit.step <= info.step for edit in history.edits)
    if lacking:
        ends = "is empty" if history.started is None else f"ends at step {history.step}"
        told.append(
            f"The log of {run.name} {ends} and lacks what led to checkpoint {lacking[-1]}: its steps are not shown any "
            f"more, and what was edited after step {info.step} is not made again ({verifying(run.path)} tells more)"
        )
    elif edits > 0 and info.name not in history.left_behind(known):
        told.append(
            f"The log of {run.name} lacks {_edits(edits)} from before checkpoint {info.name}: what was edited holds, "
            "but is not shown any more"
        )
    return told


def _edits(count: int) -> str:
    return "1 edit" if count == 1 else f"{count:,} edits"


def _what_is_unread(run: Run) -> list[str]:
    unread = run.unread()
    lost = [number for number in unread.lost if number > 1 or not unread.start]
    nonsense = len(lost) + run.digest().skipped
    return [
        f"{_lines(count)} of the log of {run.name} {why}: what was edited there is not made again "
        f"({verifying(run.path)} tells more)"
        for count, why in ((nonsense, "cannot be read"), (len(unread.newer), "came from a newer gpt-tui"))
        if count
    ]


def _lines(count: int) -> str:
    return "1 line" if count == 1 else f"{count:,} lines"


def _fork(plan: Plan, shelf: Shelf, spec: str, show: Show, should_stop: Callable[[], bool]) -> Prepared:
    show("opening the run", 0, None)
    run, step = shelf.find(spec)
    info, saved, warnings = newest_whole_checkpoint(run, step)
    known = run.checkpoints()  # before the log, which never lags behind them
    record, history, place = run.record(), run.digest(), read_place(saved)
    missing = _what_is_missing(run, history, known, info, place)
    behind = history.left_behind(known)
    old = place.run_config() if info.name in behind else _with_later_edits(place, info.step, history)
    config = _forked_config(old, plan.edits)
    _refuse_nothing_to_do(run, info.step, config, True, missing)
    if "dataset" in plan.edits:
        dataset = _load(plan, config, show, should_stop)
    else:
        dataset, more = _load_again(plan, run, step, config, record, show, should_stop)
        warnings = [*warnings, *more]
    try:
        fits = dataset.tokenizer == Tokenizer.from_json(record.tokenizer)
    except GptTuiError:
        if plan.edits.keys() & {"dataset", "tokenizer"}:
            raise
        warnings = [*warnings, *_vocabulary_faults(record, dataset)]
        fits = True
    if not fits:
        raise Refusal.one(
            "dataset", config.data.dataset, f"its vocabulary is not that of {run.name}, so its weights cannot read it"
        )
    config = _adapt(config, dataset)
    trainer = _make_trainer(config, dataset, show)
    trainer.load_state_dict({"model": saved.model, "trainer": saved.trainer, "state": saved.state})
    if config.training.seed != old.training.seed:
        trainer.reseed()
    parent = Parent(run=run.name, step=info.step)
    branch = branch_at(run, info.name)
    prepared = _begin(plan, shelf, config, dataset, trainer, [], parent, branch, should_stop)
    prepared.checkpoint = info
    if dataset.sha256 == record.dataset.sha256:
        prepared.parent_losses = [e.val_loss for e in history.evals if e.step <= info.step]
    prepared.warnings = [*warnings, *missing, *_what_changed(place, record, trainer)]
    return prepared


def _forked_config(old: RunConfig, edits: Any) -> RunConfig:
    faults = [
        Fault(name, str(value), "cannot change in a fork: it goes on with the same model")
        for name, value in edits.items()
        if name in FIELDS and FIELDS[name].section == "model" and not FIELDS[name].live
        if value != old.get(name) and str(value) != FIELDS[name].show(old.get(name))
    ]
    _, more = find_faults({**old.flat(), **edits})
    if faults or more:
        raise Refusal([*faults, *more])
    return old.replace(**edits)


def now() -> str:
    """This moment, ISO 8601, UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
