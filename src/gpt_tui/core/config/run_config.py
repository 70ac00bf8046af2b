"""`RunConfig`, the whole description of a run, and the checking of values for it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import Field, ValidationError

from gpt_tui.core.config.fields import ENDLESS, FIELDS, SECTIONS, FieldSpec
from gpt_tui.core.config.rules import conflicts
from gpt_tui.core.config.sections import (
    DataConfig,
    ModelConfig,
    OptimizerConfig,
    SamplingConfig,
    Section,
    TrainingConfig,
)
from gpt_tui.core.errors import Fault, Refusal, did_you_mean


class RunConfig(Section):
    """The whole description of a run, frozen."""

    model: ModelConfig = Field(default_factory=ModelConfig)
    data: DataConfig = Field(default_factory=DataConfig)
    optimizer: OptimizerConfig = Field(default_factory=OptimizerConfig)
    training: TrainingConfig = Field(default_factory=TrainingConfig)
    sampling: SamplingConfig = Field(default_factory=SamplingConfig)

    def flat(self) -> dict[str, Any]:
        """Every field's value by its name, in the order of the definition."""
        return {name: getattr(getattr(self, spec.section), name) for name, spec in FIELDS.items()}

    def get(self, name: str) -> Any:
        return getattr(getattr(self, FIELDS[name].section), name)

    def replace(self, **values: Any) -> RunConfig:
        """A copy with these fields changed, checked as a whole. Raises Refusal."""
        return build({**self.flat(), **values})

    def sections(self) -> dict[str, dict[str, Any]]:
        """Nested plain values, as in `config.toml` and in the event `started`."""
        return self.model_dump()

    def to_toml(self) -> str:
        import tomli_w

        return tomli_w.dumps(self.sections())

    @property
    def tokens_per_step(self) -> int:
        training = self.training
        return training.batch_size * training.gradient_accumulation_steps * self.model.block_size

    @property
    def decay_iters(self) -> int:
        """Step at which the learning rate has fallen to min_lr."""
        iters = self.optimizer.lr_decay_iters
        return self.training.max_iters if iters == "auto" else iters


@dataclass(frozen=True)
class DatasetFacts:
    """What is known of a dataset without its tokens; the rules that need a dataset read this."""

    name: str
    sha256: str
    characters: int
    vocab_size: int
    train_tokens: int
    val_tokens: int


def find_faults(
    values: Mapping[str, Any], labels: Mapping[str, str] | None = None
) -> tuple[dict[str, Any], list[Fault]]:
    """Check flat values (text or native), each field by itself and then every rule whose fields are sound.

    values: by field name; what is missing takes its default. labels: how the person wrote a field, for the message.
    Returns the sound values, converted, and every fault found. Never raises for bad values.
    """
    labels = labels or {}
    faults: list[Fault] = []
    sound: dict[str, Any] = {}
    for name in values:
        if name not in FIELDS:
            faults.append(unknown_field(labels.get(name, name), values[name], name))
    for model in SECTIONS.values():
        known = {n: FIELDS[n].default for n in model.model_fields}
        given = {n: _plain(FIELDS[n], values[n]) for n in known if n in values and not _same(values[n], known[n])}
        if not given:
            sound |= known
            continue
        bad = _bad_fields(model, given)
        faults.extend(_field_fault(FIELDS[name], values[name], labels) for name in bad)
        checked = model.model_validate({n: v for n, v in given.items() if n not in bad})
        sound |= {n: getattr(checked, n) for n in known if n not in bad}
    for found in conflicts(sound):
        name = found.field
        faults.append(Fault(labels.get(name, name), FIELDS[name].show(sound[name]), found.message))
    return sound, faults


def own_faults(values: Mapping[str, Any], labels: Mapping[str, str]) -> list[Fault]:
    """The faults of each value by itself. For values of which some are missing: rules over several would misjudge."""
    sound, faults = find_faults(values, labels)
    unsound = {labels.get(name, name) for name in values if name not in sound}
    return [fault for fault in faults if fault.field in unsound]


def _same(value: Any, default: Any) -> bool:
    """Whether a value is the default itself, which needs no check: without one a start is a twentieth of a second
    earlier, for pydantic makes what checks a section when it first checks one."""
    return type(value) is type(default) and value == default


def _bad_fields(model: type[Section], given: dict[str, Any]) -> list[str]:
    try:
        model.model_validate(given)
    except ValidationError as error:
        return list(dict.fromkeys(str(e["loc"][0]) for e in error.errors(include_url=False)))
    return []


def _plain(spec: FieldSpec, value: Any) -> Any:
    """Text as people write it, made ready for pydantic: 5_000, 1e4 and 2.0 are whole numbers, Yes is true."""
    if isinstance(value, bool) and spec.kind in ("int", "float"):
        return str(value)  # true is no number here, though Python thinks so
    if not isinstance(value, str) or spec.kind == "text":
        return value
    text = value.strip()
    if spec.kind in ("bool", "choice") or text.lower() in spec.choices:
        return text.lower()
    if spec.kind == "int":
        try:
            number = float(text)
        except ValueError:
            return text
        whole = math.isfinite(number) and number.is_integer() and abs(number) < 2**53
        return int(number) if whole else text
    return text


def _as_text(value: Any) -> str:
    try:
        return str(value)
    except ValueError:  # Python writes no whole number of more than 4,300 digits
        return "a number of thousands of digits"


def _field_fault(spec: FieldSpec, value: Any, labels: Mapping[str, str]) -> Fault:
    message = f"must be {spec.allowed}"
    plain = _plain(spec, value)
    if isinstance(plain, int | float) and spec.maximum is not None and plain > spec.maximum >= ENDLESS:
        message += f", and at most {spec.maximum:,}"
    if spec.for_none and _is_zero(plain):
        message += f"; {spec.for_none}"
    if isinstance(value, str) and not _is_unicode(value):
        message += ", and this is not valid UTF-8"
    if spec.choices and isinstance(value, str) and (hint := did_you_mean(value.strip().lower(), spec.choices)):
        message += f"; {hint}"
    return Fault(labels.get(spec.name, spec.name), _as_text(value), message)


def _is_zero(value: Any) -> bool:
    try:
        return float(value) == 0
    except (TypeError, ValueError, OverflowError):
        return False


def _is_unicode(text: str) -> bool:
    """False for the lone surrogates that stand for undecodable bytes of a command line."""
    return not any("\ud800" <= c <= "\udfff" for c in text)


def unknown_field(label: str, value: Any, name: str) -> Fault:
    hint = did_you_mean(name.replace("-", "_"), FIELDS)
    return Fault(
        label, None if value is None else _as_text(value), "there is no such field" + (f"; {hint}" if hint else "")
    )


def build(values: Mapping[str, Any], labels: Mapping[str, str] | None = None) -> RunConfig:
    """A RunConfig from flat values; what is missing takes its default. Raises Refusal with every fault."""
    sound, faults = find_faults(values, labels)
    if faults:
        raise Refusal(faults)
    parts: dict[str, Any] = {
        section: model.model_construct(**{name: sound[name] for name in model.model_fields})
        for section, model in SECTIONS.items()
    }
    return RunConfig.model_construct(**parts)


def dataset_faults(config: RunConfig, facts: DatasetFacts) -> list[Fault]:
    """What is wrong with this configuration on this dataset: windows must fit into both splits."""
    block_size = config.model.block_size
    for split, tokens in (("validation", facts.val_tokens), ("training", facts.train_tokens)):
        if tokens <= block_size:
            return [
                Fault(
                    "block_size",
                    str(block_size),
                    f"a window of block_size + 1 tokens must fit into the {split} split of {facts.name}, "
                    f"which has {tokens:,}: at most {tokens - 1:,}",
                )
            ]
    return []


def live_changes(config: RunConfig, values: Mapping[str, Any]) -> RunConfig:
    """`config` with these live fields changed. Raises Refusal for fields that need a new run, and for bad values."""
    faults = [
        Fault(name, _as_text(value), "needs a new run: it cannot change in a run that has begun")
        for name, value in values.items()
        if name in FIELDS and not FIELDS[name].live
    ]
    _, more = find_faults({**config.flat(), **values})
    if faults or more:
        raise Refusal([*faults, *more])
    return config.replace(**values)


def difference(old: RunConfig, new: RunConfig) -> dict[str, tuple[Any, Any]]:
    """Fields whose values differ: {name: (old, new)}."""
    before, after = old.flat(), new.flat()
    return {name: (before[name], after[name]) for name in FIELDS if before[name] != after[name]}
