"""From a plan to a run that can take its first step: the dataset, the trainer, the run directory.

Everything that can be refused is refused here before anything is written.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, ValidationError

from gpt_tui.core import device
from gpt_tui.core.config import (
    FIELDS,
    RunConfig,
    dataset_faults,
    difference,
    find_faults,
    from_sections,
    live_changes,
)
from gpt_tui.core.data import STANDARD_INPUT, Dataset, Tokenizer, load_dataset, recall_dataset
from gpt_tui.core.errors import Fault, GptTuiError, Refusal
from gpt_tui.core.events import DatasetRecord, Edit, Parent
from gpt_tui.core.runs import (
    CheckpointInfo,
    History,
    LoadedCheckpoint,
    Run,
    RunRecord,
    RunWriter,
    Shelf,
    newest_whole_checkpoint,
)
from gpt_tui.core.session import Plan

if TYPE_CHECKING:
    from gpt_tui.core.training import Trainer

PASSAGE_TOKENS = 256  # length of the fixed passage of the validation split whose surprise is followed


class Place(BaseModel):
    """What a checkpoint's state says of the run, beside what the trainer needs.

    seconds: of work until then; edits: how many the log had; config: with these edits.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    seconds: float
    edits: int
    config: dict[str, Any]

    def run_config(self) -> RunConfig:
        return from_sections(self.config, "the checkpoint's configuration")


Show = Callable[[str, int, int | None], None]


@dataclass
class Prepared:
    """A run that can go on.

    checkpoint: what a resumed or forked run starts from; seconds: of work before that
    replay:     edits to make again at their steps; edits: live fields changed on resuming, {name: (old, new)}
    """

    trainer: Trainer
    dataset: Dataset
    writer: RunWriter
    record: RunRecord
    history: History
    checkpoint: CheckpointInfo | None = None
    resumed: bool = False
    seconds: float = 0.0
    replay: list[Edit] = field(default_factory=list)
    edits: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)


def prepare(plan: Plan, show: Show, should_stop: Callable[[], bool]) -> Prepared:
    """Raises Refusal (nothing was written), GptTuiError, and data.Stopped once `should_stop` is true."""
    shelf = Shelf(plan.runs_dir)
    if plan.resume is not None:
        return _resume(plan, shelf, plan.resume, show, should_stop)
    if plan.fork is not None:
        return _fork(plan, shelf, plan.fork, show, should_stop)
    dataset = _load(plan, plan.config, show, should_stop)
    config = _settle(plan.config, dataset)
    trainer = _make_trainer(config, dataset, show)
    notices = [dataset.why] if dataset.why else []
    return _begin(plan, shelf, config, dataset, trainer, notices, parent=None)


def _load(plan: Plan, config: RunConfig, show: Show, should_stop: Callable[[], bool]) -> Dataset:
    data = config.data
    show(f"reading {data.dataset}", 0, None)
    return load_dataset(
        data.dataset,
        tokenizer=data.tokenizer,
        progress=lambda phase, done, total: show(phase, done, total),
        should_stop=should_stop,
        stdin=io.BytesIO(plan.stdin) if plan.stdin is not None else None,
    )


def _settle(config: RunConfig, dataset: Dataset) -> RunConfig:
    """The configuration with the dataset that `auto` became, checked against it. Raises Refusal."""
    if config.data.dataset == "auto":
        config = config.replace(dataset=dataset.name)
    elif config.data.dataset not in (dataset.name, STANDARD_INPUT):
        config = config.replace(dataset=str(Path(config.data.dataset).absolute()))  # so that it is found again
    faults = dataset_faults(config, dataset.facts())
    if config.sampling.prompt:
        try:
            dataset.tokenizer.encode(config.sampling.prompt, field="prompt")
        except Refusal as refusal:
            faults.extend(refusal.faults)
    if faults:
        raise Refusal(faults)
    return config


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
) -> Prepared:
    facts = dataset.facts()
    passage, _ = passage_tokens(dataset, config)
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
        passage=passage,
        parent=parent,
        created=now(),
    )
    if dataset.ladder_note:
        notices = [*notices, dataset.ladder_note]
    writer = shelf.create(config, plan.run_name, record, plan.preset)
    return Prepared(trainer, dataset, writer, record, History(), notices=[*notices, *dataset.notices])


def passage_tokens(dataset: Dataset, config: RunConfig) -> tuple[str, int]:
    """The fixed passage of the validation split as text, and how many tokens before it give it context."""
    before = max(1, min(config.model.block_size, len(dataset.val) // 2))
    return dataset.tokenizer.decode(dataset.val[before : before + PASSAGE_TOKENS]), before


def _resume(plan: Plan, shelf: Shelf, spec: str, show: Show, should_stop: Callable[[], bool]) -> Prepared:
    show("opening the run", 0, None)
    run, step = shelf.find(spec)
    writer = shelf.reopen(run)
    try:
        history, record = run.history(), run.record()
        info, saved, notices = newest_whole_checkpoint(run, step)
        place = read_place(saved)
        config = place.run_config()
        edited = live_changes(config, plan.edits) if plan.edits else config
        if difference(config, edited) == {} and info.step >= config.training.max_iters:
            raise Refusal.one(
                "max_iters",
                config.training.max_iters,
                f"{run.name} has come to its end at step {info.step}; more steps take a higher max_iters, "
                f"for example --max-iters {2 * config.training.max_iters}",
            )
        dataset = _load_again(plan, run, config, record, show, should_stop)
        trainer = _make_trainer(edited, dataset, show)
        trainer.load_state_dict({"model": saved.model, "trainer": saved.trainer, "state": saved.state})
    except BaseException:
        writer.close()
        raise
    later = history.edits[place.edits :]
    replay = [edit for edit in later if not set(edit.changes) & set(plan.edits)]
    return Prepared(
        trainer,
        dataset,
        writer,
        record,
        history,
        checkpoint=info,
        resumed=True,
        seconds=place.seconds,
        replay=replay,
        edits=difference(config, edited),
        notices=[*notices, *_what_changed(record, trainer)],
    )


def read_place(saved: LoadedCheckpoint) -> Place:
    """Where the run was when this checkpoint was saved. Raises GptTuiError for a state that is none of ours."""
    try:
        return Place.model_validate(saved.state)
    except ValidationError as error:
        raise GptTuiError(f"the state of checkpoint {saved.step} cannot be read: {error.errors()[0]['msg']}") from None


def _load_again(
    plan: Plan, run: Run, config: RunConfig, record: RunRecord, show: Show, should_stop: Callable[[], bool]
) -> Dataset:
    """The dataset that the run has learned so far; from the cache where its source is gone. Raises GptTuiError."""
    kept = record.dataset
    tokenizer = config.data.tokenizer
    if config.data.dataset == STANDARD_INPUT and plan.stdin is None:
        dataset = recall_dataset(kept.name, record.source, kept.sha256, tokenizer=tokenizer)
        if dataset is None:
            raise GptTuiError(
                f"{run.name} learned from standard input, which the cache no longer holds: pipe it in again"
            )
        return dataset
    dataset = _load(plan, config, show, should_stop)
    if dataset.sha256 == kept.sha256:
        return dataset
    recalled = recall_dataset(kept.name, record.source, kept.sha256, tokenizer=tokenizer)
    if recalled is None:
        raise GptTuiError(
            f"{run.name} learned from {kept.name} with SHA-256 {kept.sha256[:12]}…, and what is there now has "
            f"{dataset.sha256[:12]}…: bring the old text back, or branch off with --fork {run.name}"
        )
    return recalled


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
    if "dataset" in plan.edits:
        dataset = _load(plan, config, show, should_stop)
    else:
        dataset = _load_again(plan, run, config, record, show, should_stop)
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
    prepared = _begin(plan, shelf, config, dataset, trainer, notices, parent)
    prepared.checkpoint = info
    return prepared


def _forked_config(old: RunConfig, edits: Any) -> RunConfig:
    faults = [
        Fault(name, str(value), "cannot change in a fork: the weights it starts from would not fit")
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
