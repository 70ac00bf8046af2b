"""From a plan to a run that can take its first step: the dataset, the trainer, the run directory.

Everything that can be refused is refused here before anything is written.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, ValidationError

from gpt_tui.core import device
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
from gpt_tui.core.data import (
    DATASET_NAMES,
    STANDARD_INPUT,
    Dataset,
    Stopped,
    Tokenizer,
    load_dataset,
    recall_dataset,
)
from gpt_tui.core.errors import Fault, GptTuiError, Refusal
from gpt_tui.core.events import DatasetRecord, Finished, Parent
from gpt_tui.core.runs import (
    CheckpointInfo,
    History,
    LoadedCheckpoint,
    Run,
    RunIsHeld,
    RunRecord,
    RunWriter,
    Shelf,
    newest_whole_checkpoint,
)

if TYPE_CHECKING:
    from gpt_tui.core.lens import Passage
    from gpt_tui.core.training import Trainer


class Place(BaseModel):
    """What a checkpoint's state says of the run, beside what the trainer needs.

    seconds: of work until then; edits: how many the log had; config: with these edits
    looked:  the last step that was evaluated, sampled and scored to the end; -1 where none was
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    seconds: float
    edits: int
    looked: int = -1
    config: dict[str, Any]

    def run_config(self) -> RunConfig:
        return from_sections(self.config, "the checkpoint's configuration")


PHASES = {
    "downloading": "downloading shakespeare",
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
    checkpoint: what a resumed or forked run starts from; seconds: of work before that
    looked:     the last step that was evaluated, sampled and scored to the end
    edits:      live fields changed on resuming, {name: (old, new)}
    """

    trainer: Trainer
    dataset: Dataset
    writer: RunWriter
    record: RunRecord
    passage: Passage
    history: History
    checkpoint: CheckpointInfo | None = None
    resumed: bool = False
    seconds: float = 0.0
    looked: int = -1
    edits: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)


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
    config = _settle(plan.config, dataset)
    trainer = _make_trainer(config, dataset, show)
    notices = [dataset.why] if dataset.why else []
    return _begin(plan, shelf, config, dataset, trainer, notices, None, should_stop)


def _load(plan: Plan, config: RunConfig, show: Show, should_stop: Callable[[], bool]) -> Dataset:
    data = config.data
    show(f"reading {data.dataset}", 0, None)
    return load_dataset(
        data.dataset,
        tokenizer=data.tokenizer,
        progress=lambda phase, done, total: show(PHASES[phase], done, total),
        should_stop=should_stop,
        stdin=plan.stdin,
    )


def _settle(config: RunConfig, dataset: Dataset) -> RunConfig:
    """The configuration with the dataset that `auto` became, checked against it. Raises Refusal."""
    if config.data.dataset == "auto":
        config = config.replace(dataset=dataset.name)
    elif not _is_named(config):
        config = config.replace(dataset=dataset.source)  # the absolute path, so that it is found from anywhere
    faults = dataset_faults(config, dataset.facts())
    if config.sampling.prompt:
        try:
            dataset.tokenizer.encode(config.sampling.prompt, field="prompt")
        except Refusal as refusal:
            faults.extend(refusal.faults)
    if faults:
        raise Refusal(faults)
    return config


def _is_named(config: RunConfig) -> bool:
    return config.data.dataset in (*DATASET_NAMES, STANDARD_INPUT)


def _make_trainer(config: RunConfig, dataset: Dataset, show: Show) -> Trainer:
    show("loading torch", 0, None)
    from gpt_tui.core.training import Trainer

    show("building the model", 0, None)
    return Trainer(config, dataset)


def _begin(
    plan: Plan,
    shelf: Shelf,
    config: RunConfig,
    dataset: Dataset,
    trainer: Trainer,
    notices: list[str],
    parent: Parent | None,
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
        created=now(),
    )
    if dataset.ladder_note:
        notices = [*notices, dataset.ladder_note]
    if should_stop():
        raise Stopped
    writer = shelf.create(config, plan.run_name, record, plan.preset)
    return Prepared(trainer, dataset, writer, record, passage, History(), notices=[*notices, *dataset.notices])


def _resume(plan: Plan, shelf: Shelf, spec: str, show: Show, should_stop: Callable[[], bool]) -> Prepared:
    show("opening the run", 0, None)
    run, step = shelf.find(spec)
    try:
        writer = shelf.reopen(run)
    except RunIsHeld as held:
        raise Refusal.one("run", spec, str(held)) from None
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

    history, record = run.digest(), run.record()
    info, saved, notices = newest_whole_checkpoint(run, step)
    place = read_place(saved)
    # What was edited between this checkpoint and the step after it; later edits are made again in their turn.
    config = place.run_config()
    for edit in history.edits[place.edits :]:
        if edit.step == info.step:
            config = live_changes(config, {name: new for name, (_, new) in edit.changes.items()})
    edited = live_changes(config, plan.edits) if plan.edits else config
    _refuse_nothing_to_do(run, info, edited, done=place.looked == info.step and _was_concluded(history))
    dataset, more = _load_again(plan, run, config, record, show, should_stop)
    trainer = _make_trainer(edited, dataset, show)
    trainer.load_state_dict({"model": saved.model, "trainer": saved.trainer, "state": saved.state})
    return Prepared(
        trainer,
        dataset,
        writer,
        record,
        Passage.of(dataset, config.model.block_size),
        history,
        checkpoint=info,
        resumed=True,
        seconds=place.seconds,
        looked=place.looked,
        edits=difference(config, edited),
        notices=[*notices, *more, *_what_changed(record, trainer)],
    )


def _was_concluded(history: History) -> bool:
    """Whether the run has ended with its last losses told."""
    return isinstance(history.end, Finished) and math.isfinite(history.end.val_loss)


def _refuse_nothing_to_do(run: Run, info: CheckpointInfo, config: RunConfig, done: bool) -> None:
    """Raise Refusal where the checkpoint is at the end of the run; past its end, or at it with nothing left to tell."""
    end = config.training.max_iters
    if info.step > end or (info.step == end and done):
        raise Refusal.one(
            "max_iters",
            end,
            f"{run.name} is at step {info.step} already; more steps take a higher max_iters, "
            f"for example --max-iters {2 * info.step}",
        )


def read_place(saved: LoadedCheckpoint) -> Place:
    """Where the run was when this checkpoint was saved. Raises GptTuiError for a state that is none of ours."""
    try:
        return Place.model_validate(saved.state)
    except ValidationError as error:
        raise GptTuiError(f"the state of checkpoint {saved.step} cannot be read: {error.errors()[0]['msg']}") from None


def _load_again(
    plan: Plan, run: Run, config: RunConfig, record: RunRecord, show: Show, should_stop: Callable[[], bool]
) -> tuple[Dataset, list[str]]:
    """The dataset that the run has learned so far, and what to tell of it. Raises GptTuiError where it is lost.

    A text that is gone or has changed is taken from the cache, which keeps the tokens of every text it has seen.
    """
    kept = record.dataset
    piped = config.data.dataset == STANDARD_INPUT
    gone = f"{kept.name} is not there any more"
    if not piped or plan.stdin is not None:
        try:
            dataset = _load(plan, config, show, should_stop)
        except Stopped:
            raise
        except GptTuiError as error:
            gone = f"{kept.name} cannot be read any more ({error})"
        else:
            if dataset.sha256 == kept.sha256:
                return dataset, []
            gone = f"{kept.name} has changed since"
    recalled = recall_dataset(kept.name, record.source, kept.sha256, tokenizer=config.data.tokenizer)
    if recalled is not None:
        return recalled, [] if piped and plan.stdin is None else [f"{gone}: going on with what the cache kept of it"]
    if piped:
        raise GptTuiError(f"{run.name} learned from standard input, which the cache no longer holds: pipe it in again")
    raise GptTuiError(
        f"{gone}, and the cache does not hold the text that {run.name} learned from (SHA-256 {kept.sha256[:12]}…): "
        f"bring it back, or branch off with --fork {run.name} --dataset PATH"
    )


def _what_changed(record: RunRecord, trainer: Trainer) -> list[str]:
    """What keeps the coming losses from being the very ones of an uninterrupted run, in words."""
    pairs = [
        ("device", record.device, trainer.device.type),
        ("number format", record.dtype, trainer.dtype),
        ("threads", record.threads, trainer.threads),
        ("processor", record.cpu, device.processor_name()),
        ("torch", record.versions.get("torch"), device.versions()["torch"]),
    ]
    changed = [f"{name} {old} → {new}" for name, old, new in pairs if old != new]
    if not changed:
        return []
    return ["Losses may differ in their last digits from those of an uninterrupted run: " + ", ".join(changed)]


def _fork(plan: Plan, shelf: Shelf, spec: str, show: Show, should_stop: Callable[[], bool]) -> Prepared:
    show("opening the run", 0, None)
    run, step = shelf.find(spec)
    info, saved, notices = newest_whole_checkpoint(run, step)
    record = run.record()
    old = read_place(saved).run_config()
    config = _forked_config(old, plan.edits)
    _refuse_nothing_to_do(run, info, config, done=True)
    if "dataset" in plan.edits:
        dataset = _load(plan, config, show, should_stop)
    else:
        dataset, more = _load_again(plan, run, config, record, show, should_stop)
        notices = [*notices, *more]
    if dataset.tokenizer.to_json() != Tokenizer.from_json(record.tokenizer).to_json():
        raise Refusal.one(
            "dataset", config.data.dataset, f"its vocabulary is not that of {run.name}, so its weights cannot read it"
        )
    config = _settle(config, dataset)
    trainer = _make_trainer(config, dataset, show)
    trainer.load_state_dict({"model": saved.model, "trainer": saved.trainer, "state": saved.state})
    if config.training.seed != old.training.seed:
        trainer.reseed()
    parent = Parent(run=run.name, step=info.step)
    prepared = _begin(plan, shelf, config, dataset, trainer, notices, parent, should_stop)
    prepared.checkpoint = info
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
