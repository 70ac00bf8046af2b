"""What a run is told to do: `RunConfig` and its sections, frozen and validated.

This one definition gives the form's rows, the flags, the environment names, the TOML and every refusal. Each field
carries what it is, why one would change it, a safe start, its unit, its bounds and whether it is live (may change
between two steps of a run) or needs a new run. Where values come from is decided in `resolve`; named sets of values
live in `presets`; what a configuration costs is counted in `shapes`.
"""

from __future__ import annotations

import math
import os
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints, ValidationError
from pydantic.fields import FieldInfo

from gpt_tui.core.errors import Fault, Refusal, did_you_mean

Off = Literal["off"]
Auto = Literal["auto"]
Line = Annotated[str, StringConstraints(max_length=4096)]

ENVIRONMENT_PREFIX = "GPT_TUI_"
ENDLESS = 10**9  # a bound this high only keeps nonsense out; nobody is told of it


def setting(
    default: Any,
    help: str,
    *,
    why: str = "",
    start: str = "",
    unit: str = "",
    live: bool = False,
    step: float | None = None,
    **bounds: Any,
) -> Any:
    """A field of a section: pydantic checks the bounds, and the rest is what a person is told about it.

    step: what one press of an arrow adds; None doubles and halves (right for sizes and rates).
    """
    extra: dict[str, JsonValue] = {"why": why, "start": start, "unit": unit, "live": live, "step": step}
    return Field(default, description=help, json_schema_extra=extra, **bounds)


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class ModelConfig(Section):
    """What the model is. Parts are switches: one GPT from the lecture's to a modern one."""

    n_layer: int = setting(
        2,
        "Transformer blocks stacked on one another.",
        why="Deeper models compose more steps of thought; each block costs the same again.",
        start="2 to 6 for a character model",
        unit="blocks",
        step=1,
        ge=1,
        le=1024,
    )
    n_head: int = setting(
        4,
        "Attention heads in each block, each looking back in its own way.",
        why="More heads attend to more things at once, each with n_embd / n_head numbers; must divide n_embd.",
        start="n_embd / 32 or n_embd / 64",
        unit="heads",
        step=1,
        ge=1,
        le=1024,
    )
    n_embd: int = setting(
        128,
        "How many numbers describe each token inside the model.",
        why="Wider learns more and costs with its square; n_head must divide it.",
        start="64 to 384",
        unit="numbers",
        step=32,
        ge=1,
        le=65536,
    )
    block_size: int = setting(
        64,
        "Context: how many tokens back the model can see.",
        why="A longer context lets it keep the thread; attention's cost grows with its square.",
        start="64 on a CPU, 256 on a GPU",
        unit="tokens",
        ge=1,
        le=1_048_576,
    )
    position: Literal["none", "learned", "rotary"] = setting(
        "rotary",
        "How the model knows where a token stands: a learned vector a place, or rotated queries and keys (RoPE).",
        why="The lecture and GPT-2 learn a vector for each place; rotary learns faster and costs no parameters.",
        start="rotary; learned to follow the lecture",
    )
    norm: Literal["none", "layernorm", "rmsnorm"] = setting(
        "rmsnorm",
        "What keeps the size of activations in hand before each part of a block.",
        why="RMSNorm is LayerNorm without the mean: as good, and cheaper. Without any, deep models hardly train.",
        start="rmsnorm; layernorm to follow the lecture",
    )
    norm_weight: bool = setting(
        False,
        "Whether each norm has a learned gain for each of the n_embd numbers.",
        why="GPT-2 has it; small modern models do as well without.",
        start="true with layernorm",
    )
    activation: Literal["relu", "gelu", "gelu_tanh", "relu2", "swiglu"] = setting(
        "relu2",
        "The bend in the feed-forward part.",
        why="ReLU is the lecture's, GELU nanoGPT's, ReLU² learns a little faster and is as cheap as ReLU.",
        start="relu2, or gelu to follow nanoGPT",
    )
    ffn_mult: float = setting(
        2.0,
        "Width of the feed-forward part, as a multiple of n_embd.",
        why="Two thirds of a block's parameters are here at 4; 2 makes each step cheaper, which short runs repay.",
        start="4; 2 for a run of a minute",
        unit="× n_embd",
        step=1,
        gt=0,
        le=64,
    )
    bias: bool = setting(
        False,
        "Biases in Linear layers and LayerNorm (query, key, value and the head have their own switches).",
        why="The lecture and GPT-2 have them; leaving them out is a little faster and no worse.",
        start="false",
    )
    qkv_bias: bool = setting(
        False,
        "Biases of the query, key and value projections.",
        why="GPT-2 has them; the lecture does not.",
        start="false",
    )
    head_bias: bool = setting(
        False,
        "A bias in the output head, one number a character of the vocabulary.",
        why="The lecture has it; nanoGPT does not.",
        start="false",
    )
    tied_head: bool = setting(
        False,
        "Whether the output head shares its table with the token embedding.",
        why="GPT-2 ties them to save parameters; with a vocabulary of 65 there is little to save.",
        start="false for characters, true for large vocabularies",
    )
    qk_norm: bool = setting(
        True,
        "Normalise queries and keys before they meet.",
        why="Keeps attention from saturating, so a higher learning rate stays stable.",
        start="true",
    )
    zero_init: bool = setting(
        False,
        "Start the last projection of each part, and the head, at zero.",
        why="Every block begins as doing nothing, and the untrained loss is exactly ln V.",
        start="true",
    )
    mix_previous: bool = setting(
        True,
        "Mix the previous token's embedding into each token's by a learned vector.",
        why="Gives the first block the bigram for free; saves about a tenth of the steps on characters.",
        start="true",
    )
    init: Literal["torch", "normal", "gpt2"] = setting(
        "torch",
        "Where weights start: PyTorch's defaults, normal (0.02), or GPT-2's (0.02, smaller where blocks add up).",
        why="The lecture's notebook uses PyTorch's defaults (first loss about 4.4), its final script normal.",
        start="torch for a small model, gpt2 for a large one",
    )
    dropout: float = setting(
        0.0,
        "Share of activations set to zero at random while training.",
        why="Keeps a large model from learning a small text by heart; slows learning otherwise.",
        start="0 for minutes, 0.2 for long runs of large models",
        live=True,
        step=0.05,
        ge=0,
        lt=1,
    )
    embd_dropout: bool = setting(
        False,
        "Whether dropout also falls on the embeddings (it always falls on attention weights and both projections).",
        why="nanoGPT does it, the lecture does not.",
        start="false",
    )


class DataConfig(Section):
    """What the model reads."""

    dataset: Line = setting(
        "auto",
        "auto, shakespeare, masque, python-docs, or the path of a text file or a folder of texts.",
        why="auto takes Tiny Shakespeare where it is at hand or quickly had, otherwise masque, the program's own play.",
        start="auto",
        min_length=1,
    )
    tokenizer: Literal["char", "byte"] = setting(
        "char",
        "What one token is: a character of the text, or a byte of its UTF-8.",
        why="Characters make small vocabularies readable; bytes take any text with 256 tokens.",
        start="char",
    )


class OptimizerConfig(Section):
    """How the weights move: AdamW with warmup, decay and clipping."""

    learning_rate: float = setting(
        4e-3,
        "Size of a step along the gradient, at its highest.",
        why="Too low learns slowly, too high diverges; the most telling setting of all.",
        start="1e-3; 3e-4 for larger models",
        live=True,
        gt=0,
        le=100,
    )
    min_lr: float = setting(
        0.0,
        "Learning rate at the end of the decay.",
        why="A small rate at the end lets the loss settle.",
        start="learning_rate / 10",
        live=True,
        ge=0,
        le=100,
    )
    warmup_iters: int = setting(
        20,
        "Steps over which the learning rate rises from zero.",
        why="Adam's averages are unreliable at first; a short warmup keeps its first steps small.",
        start="100, or a twentieth of a short run",
        unit="steps",
        live=True,
        ge=0,
        le=10**9,
    )
    lr_schedule: Literal["constant", "cosine", "linear"] = setting(
        "linear",
        "How the learning rate falls from learning_rate to min_lr after the warmup.",
        why="The lecture keeps it constant, nanoGPT uses cosine; linear to zero is best for short runs.",
        start="cosine",
        live=True,
    )
    lr_decay_iters: Annotated[int, Field(ge=1, le=10**9)] | Auto = setting(
        "auto",
        "Step at which the learning rate has fallen to min_lr; auto follows max_iters.",
        why="Leave it unless a run is to be continued at the lowest rate.",
        start="auto",
        unit="steps",
        live=True,
    )
    weight_decay: float = setting(
        0.1,
        "How strongly matrices are pulled towards zero (norms and biases are not).",
        why="Keeps weights small; with few steps it hardly matters.",
        start="0.1",
        live=True,
        ge=0,
        le=100,
    )
    beta1: float = setting(
        0.9, "Adam: how long it remembers the gradient.", start="0.9", live=True, step=0.01, ge=0, lt=1
    )
    beta2: float = setting(
        0.99,
        "Adam: how long it remembers the gradient's size.",
        why="Small batches want a longer memory: 0.99 rather than GPT-2's 0.95.",
        start="0.99",
        live=True,
        step=0.01,
        ge=0,
        lt=1,
    )
    grad_clip: Annotated[float, Field(gt=0, le=1e6)] | Off = setting(
        1.0,
        "Longest gradient that is taken as it is; a longer one is shortened to this. off takes all.",
        why="One bad batch cannot throw the model off.",
        start="1.0",
        live=True,
    )


class TrainingConfig(Section):
    """How long, how much at once, how often one looks, and on what machine."""

    batch_size: int = setting(
        12,
        "Pieces of text read at once.",
        why="Larger batches give a steadier gradient and cost in proportion.",
        start="12 on a CPU, 64 on a GPU",
        unit="windows",
        live=True,
        ge=1,
        le=1_048_576,
    )
    gradient_accumulation_steps: int = setting(
        1,
        "Batches whose gradients are added before each step.",
        why="Acts as a larger batch where memory is short.",
        start="1",
        unit="batches",
        live=True,
        step=1,
        ge=1,
        le=100_000,
    )
    max_iters: int = setting(
        2800,
        "Steps to train.",
        why="More steps learn more, until the validation loss turns up.",
        start="2000",
        unit="steps",
        live=True,
        ge=1,
        le=10**9,
    )
    eval_interval: int = setting(
        200,
        "Steps between evaluations; each also writes a sample.",
        why="More often shows more and costs more time. It never changes what is learned.",
        start="a tenth of max_iters",
        unit="steps",
        live=True,
        ge=1,
        le=10**9,
    )
    eval_iters: int = setting(
        20,
        "Batches an evaluation averages over; 0 evaluates on the whole validation split.",
        why="More batches give a steadier figure; the same batches are used each time.",
        start="20, or 200 for figures to quote",
        unit="batches",
        live=True,
        ge=0,
        le=1_000_000,
    )
    checkpoint_interval: Annotated[int, Field(ge=1, le=10**9)] | Off = setting(
        500,
        "Steps between checkpoints; the best and the last are kept in any case.",
        why="Any kept checkpoint can be resumed, forked and made to speak.",
        start="500",
        unit="steps",
        live=True,
    )
    seed: int = setting(
        1337,
        "Where every random stream of the run starts.",
        why="Another seed shows how much of a result is luck.",
        start="1337, the lecture's",
        step=1,
        ge=0,
        le=2**63 - 1,
    )
    device: Literal["auto", "cpu", "cuda", "mps"] = setting(
        "auto",
        "Where to compute; auto takes the best there is.",
        start="auto",
        live=True,
    )
    dtype: Literal["auto", "float32", "bfloat16"] = setting(
        "auto",
        "Number format of matrix products; auto takes bfloat16 where the hardware is native to it and gains by it.",
        why="bfloat16 is several times as fast on hardware made for it; weights stay float32.",
        start="auto",
        live=True,
    )
    threads: Annotated[int, Field(ge=1, le=4096)] | Auto = setting(
        "auto",
        "CPU threads to compute with; auto uses the physical cores.",
        why="Where other programs compute, 1 is often fastest. Another number changes the last bits of the losses.",
        start="auto",
        live=True,
    )
    deterministic: bool = setting(
        False,
        "On CUDA: the same seed gives the same losses to the last bit, at a cost in speed. A CPU always does.",
        start="false",
        live=True,
    )


class SamplingConfig(Section):
    """How the model speaks at each evaluation, and by default afterwards."""

    prompt: Line = setting(
        "",
        "Text the sample goes on from; empty starts at a new line.",
        why='Try a name of the play and a colon, such as "ROMEO:".',
        start="empty",
        live=True,
    )
    max_new_tokens: int = setting(
        300,
        "Length of a sample.",
        start="300",
        unit="tokens",
        live=True,
        step=100,
        ge=1,
        le=10_000_000,
    )
    temperature: float = setting(
        0.8,
        "1 draws as the model believes, less plays safe, 0 always takes the likeliest.",
        start="0.8 to 1",
        live=True,
        step=0.1,
        ge=0,
        le=100,
    )
    top_k: Annotated[int, Field(ge=1, le=1_000_000)] | Off = setting(
        "off",
        "Draw only from the k likeliest tokens.",
        start="off, or 10 to 50",
        unit="tokens",
        live=True,
    )
    top_p: Annotated[float, Field(gt=0, le=1)] | Off = setting(
        "off",
        "Draw only from the likeliest tokens that together hold this probability (nucleus sampling).",
        start="off, or 0.9 to 0.95",
        live=True,
        step=0.05,
    )
    min_p: Annotated[float, Field(gt=0, le=1)] | Off = setting(
        "off",
        "Draw only from tokens at least this likely, relative to the likeliest.",
        start="off, or 0.05 to 0.1",
        live=True,
        step=0.05,
    )
    sample_seed: int = setting(
        1337,
        "Where the sampler's own random stream starts; training does not notice it.",
        start="1337",
        live=True,
        step=1,
        ge=0,
        le=2**63 - 1,
    )


class RunConfig(Section):
    """The whole description of a run, frozen."""

    model: ModelConfig = ModelConfig()
    data: DataConfig = DataConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    training: TrainingConfig = TrainingConfig()
    sampling: SamplingConfig = SamplingConfig()

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


# What is known of a field ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class FieldSpec:
    """One field as the form, the flags, the help and the refusals see it."""

    name: str
    section: str
    kind: Literal["int", "float", "bool", "choice", "text"]
    default: Any
    help: str
    why: str
    start: str
    unit: str
    live: bool
    step: float | None
    choices: tuple[str, ...]  # all of a choice; the words beside numbers ("off", "auto") of a number
    minimum: float | None  # of a number, or of the length of a text
    maximum: float | None
    exclusive_minimum: bool
    exclusive_maximum: bool

    @property
    def flag(self) -> str:
        return "--" + self.name.replace("_", "-")

    @property
    def environment(self) -> str:
        return ENVIRONMENT_PREFIX + self.name.upper()

    @property
    def allowed(self) -> str:
        """What the field takes, in words: "a whole number from 1 to 1,024"."""
        if self.kind == "bool":
            return "true or false"
        if self.kind == "choice":
            return one_of(self.choices)
        if self.kind == "text":
            least = "up to" if not self.minimum else f"{show_number(self.minimum)} to"
            return f"text of {least} {show_number(self.maximum or 0)} characters"
        words = ("a whole number" if self.kind == "int" else "a number") + self._range()
        return ", or ".join([words, *self.choices])

    def _range(self) -> str:
        low, high = self.minimum, self.maximum
        if low is None or high is None:
            return ""
        if high >= ENDLESS:
            return f" of {show_number(low)} or more"
        if not self.exclusive_minimum and not self.exclusive_maximum:
            return f" from {show_number(low)} to {show_number(high)}"
        more = "more than" if self.exclusive_minimum else "at least"
        less = "less than" if self.exclusive_maximum else "at most"
        return f" {more} {show_number(low)} and {less} {show_number(high)}"

    def show(self, value: Any) -> str:
        """The value as a person writes it: what `parse` takes back."""
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, float):
            return show_float(value)
        return str(value)


def one_of(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " or " + names[-1]


def show_number(value: float) -> str:
    return f"{value:,.0f}" if float(value).is_integer() and abs(value) < 1e12 else f"{value:g}"


def show_float(value: float) -> str:
    """Shortest text that reads back as the same number: 0.001, 3e-05, 1.0."""
    text = repr(value)
    if "e" in text:
        mantissa, exponent = text.split("e")
        return f"{mantissa.removesuffix('.0')}e{int(exponent)}"
    return text


def _describe(section: str, name: str, info: FieldInfo) -> FieldSpec:
    kind, choices, bounds = _read_annotation(info.annotation)
    extra = info.json_schema_extra
    assert isinstance(extra, dict)
    for item in [*info.metadata, *bounds]:
        for bound in ("ge", "gt", "le", "lt", "min_length", "max_length"):
            if (value := getattr(item, bound, None)) is not None:
                extra = {**extra, bound: value}
    return FieldSpec(
        name=name,
        section=section,
        kind=kind,
        default=info.default,
        help=info.description or "",
        why=str(extra["why"]),
        start=str(extra["start"]),
        unit=str(extra["unit"]),
        live=bool(extra["live"]),
        step=typing.cast("float | None", extra["step"]),
        choices=choices,
        minimum=typing.cast("float | None", extra.get("ge", extra.get("gt", extra.get("min_length")))),
        maximum=typing.cast("float | None", extra.get("le", extra.get("lt", extra.get("max_length")))),
        exclusive_minimum="gt" in extra,
        exclusive_maximum="lt" in extra,
    )


def _read_annotation(
    annotation: Any,
) -> tuple[Literal["int", "float", "bool", "choice", "text"], tuple[str, ...], list[Any]]:
    origin = typing.get_origin(annotation)
    if origin is Annotated:
        base, *metadata = typing.get_args(annotation)
        kind, choices, bounds = _read_annotation(base)
        flat = [m for item in metadata for m in (item.metadata if isinstance(item, FieldInfo) else [item])]
        return kind, choices, [*bounds, *flat]
    if origin is Literal:
        return "choice", typing.get_args(annotation), []
    if origin in (typing.Union, types.UnionType):
        number, words = typing.get_args(annotation)
        kind, _, bounds = _read_annotation(number)
        return kind, typing.get_args(words), bounds
    kinds: dict[Any, Literal["int", "float", "bool", "text"]] = {
        int: "int",
        float: "float",
        bool: "bool",
        str: "text",
    }
    return kinds[annotation], (), []


SECTIONS: dict[str, type[Section]] = {
    "model": ModelConfig,
    "data": DataConfig,
    "optimizer": OptimizerConfig,
    "training": TrainingConfig,
    "sampling": SamplingConfig,
}

FIELDS: dict[str, FieldSpec] = {
    name: _describe(section, name, info)
    for section, model in SECTIONS.items()
    for name, info in model.model_fields.items()
}


# Checking --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class DatasetFacts:
    """What is known of a dataset without its tokens; the rules that need a dataset read this."""

    name: str
    sha256: str
    characters: int
    vocab_size: int
    train_tokens: int
    val_tokens: int


@dataclass(frozen=True)
class Rule:
    """A rule over several fields. `check` returns (the field at fault, the message), or None where it holds."""

    reads: tuple[str, ...]
    check: Callable[[dict[str, Any]], tuple[str, str] | None]


def _heads_divide(v: dict[str, Any]) -> tuple[str, str] | None:
    n_embd, n_head = v["n_embd"], v["n_head"]
    if n_embd % n_head == 0:
        return None
    below = n_embd - n_embd % n_head
    near = [n for n in (below, below + n_head) if 0 < n <= (FIELDS["n_embd"].maximum or n)]
    divisors = [n for n in range(1, min(n_embd, 1024) + 1) if n_embd % n == 0]
    heads = min(divisors, key=lambda n: (abs(n - n_head), n))
    return "n_embd", (
        f"must be divisible by n_head = {n_head}: {one_of([str(n) for n in near])} would be, "
        f"or n_head = {heads} with n_embd = {n_embd}"
    )


def _rotary_pairs(v: dict[str, Any]) -> tuple[str, str] | None:
    if v["position"] != "rotary" or v["n_embd"] % v["n_head"] or v["n_embd"] // v["n_head"] % 2 == 0:
        return None
    return "position", (
        f"rotary turns pairs of numbers, so n_embd / n_head must be even; it is {v['n_embd'] // v['n_head']}"
    )


def _warmup_fits(v: dict[str, Any]) -> tuple[str, str] | None:
    if v["warmup_iters"] <= v["max_iters"]:
        return None
    return (
        "warmup_iters",
        f"must not be more than max_iters = {v['max_iters']}, or it never ends; 0 does without",
    )


def _decay_after_warmup(v: dict[str, Any]) -> tuple[str, str] | None:
    end = v["lr_decay_iters"]
    if v["lr_schedule"] == "constant" or end == "auto" or end >= v["warmup_iters"]:
        return None
    return "lr_decay_iters", f"must not be less than warmup_iters = {v['warmup_iters']}, or auto"


def _floor_below_peak(v: dict[str, Any]) -> tuple[str, str] | None:
    if v["lr_schedule"] == "constant" or v["min_lr"] <= v["learning_rate"]:
        return None
    return "min_lr", f"must not be more than learning_rate = {show_float(v['learning_rate'])}"


def _norm_has_weight(v: dict[str, Any]) -> tuple[str, str] | None:
    if v["norm"] == "none" and v["norm_weight"]:
        return "norm_weight", "there is no norm to have a weight: set norm to layernorm or rmsnorm, or this to false"
    return None


RULES = (
    Rule(("n_embd", "n_head"), _heads_divide),
    Rule(("position", "n_embd", "n_head"), _rotary_pairs),
    Rule(("warmup_iters", "max_iters"), _warmup_fits),
    Rule(("lr_schedule", "lr_decay_iters", "warmup_iters"), _decay_after_warmup),
    Rule(("lr_schedule", "min_lr", "learning_rate"), _floor_below_peak),
    Rule(("norm", "norm_weight"), _norm_has_weight),
)


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
        given = {n: _plain(FIELDS[n], values[n]) for n in model.model_fields if n in values}
        bad = _bad_fields(model, given)
        faults.extend(_field_fault(FIELDS[name], values[name], labels) for name in bad)
        checked = model.model_validate({n: v for n, v in given.items() if n not in bad})
        sound.update({n: getattr(checked, n) for n in model.model_fields if n not in bad})
    for rule in RULES:
        if all(name in sound for name in rule.reads) and (found := rule.check(sound)):
            name, message = found
            faults.append(Fault(labels.get(name, name), FIELDS[name].show(sound[name]), message))
    return sound, faults


def own_faults(values: Mapping[str, Any], labels: Mapping[str, str]) -> list[Fault]:
    """The faults of each value by itself. For values of which some are missing: rules over several would misjudge."""
    sound, faults = find_faults(values, labels)
    unsound = {labels.get(name, name) for name in values if name not in sound}
    return [fault for fault in faults if fault.field in unsound]


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
    if isinstance(value, str) and not _is_unicode(value):
        message += ", and this is not valid UTF-8"
    if spec.choices and isinstance(value, str) and (hint := did_you_mean(value.strip().lower(), spec.choices)):
        message += f"; {hint}"
    return Fault(labels.get(spec.name, spec.name), _as_text(value), message)


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
    return RunConfig(
        **{section: model(**{name: sound[name] for name in model.model_fields}) for section, model in SECTIONS.items()}
    )


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


# Where values come from ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Layer:
    """Some fields' values and where they come from. labels: how each was written there, for refusals."""

    origin: str
    values: Mapping[str, Any]
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Resolved:
    config: RunConfig
    origins: Mapping[str, str]  # field name -> the origin of its value; "default" where none set it


def resolve(layers: Iterable[Layer]) -> Resolved:
    """Lay values over one another, weakest first, and check the result. Raises Refusal with every fault."""
    values: dict[str, Any] = {}
    labels: dict[str, str] = {}
    origins = dict.fromkeys(FIELDS, "default")
    for layer in layers:
        for name, value in layer.values.items():
            values[name] = value
            labels[name] = layer.labels.get(name, name)
            origins[name] = layer.origin
    return Resolved(build(values, labels), origins)


def environment_layer(environ: Mapping[str, str]) -> Layer:
    """The layer of GPT_TUI_<FIELD> names; a name that is no field is not ours and is ignored."""
    found = {spec.name: environ[spec.environment] for spec in FIELDS.values() if spec.environment in environ}
    return Layer("environment", found, {name: FIELDS[name].environment for name in found})


def read_toml(path: Path, origin: str | None = None) -> Layer:
    """The layer of a TOML file with tables [model], [data], [optimizer], [training], [sampling].

    Raises Refusal: a file that cannot be read or parsed, unknown tables and fields, each with its nearest name.
    """
    import tomllib

    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise Refusal.one(str(path), None, f"is not UTF-8 text (byte {error.start})") from None
    except OSError as error:
        raise Refusal.one(str(path), None, f"cannot be read: {error.strerror or error}") from None
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # TOMLDecodeError, or a number of thousands of digits
        raise Refusal.one(str(path), None, f"is not valid TOML: {error}") from None
    values, labels, faults = _flatten(document, str(path))
    if faults:
        raise Refusal([*faults, *own_faults(values, labels)])
    return Layer(origin or str(path), values, labels)


def from_sections(document: Mapping[str, Any], where: str) -> RunConfig:
    """The RunConfig of nested plain values (a `config.toml`, the event `started`). Raises Refusal."""
    values, labels, faults = _flatten(document, where)
    if faults:
        raise Refusal(faults)
    return build(values, labels)


def _flatten(document: Mapping[str, Any], where: str) -> tuple[dict[str, Any], dict[str, str], list[Fault]]:
    values: dict[str, Any] = {}
    labels: dict[str, str] = {}
    faults: list[Fault] = []
    for section, table in document.items():
        label = f"{where}: [{section}]"
        if section not in SECTIONS:
            if section in FIELDS:
                message = f"belongs into the table [{FIELDS[section].section}]"
            else:
                hint = did_you_mean(section, SECTIONS)
                message = f"there is no such table; the tables are {one_of(list(SECTIONS))}" + (
                    f"; {hint}" if hint else ""
                )
            faults.append(Fault(label, None, message))
            continue
        if not isinstance(table, Mapping):
            faults.append(Fault(label, None, "must be a table of fields"))
            continue
        for name, value in table.items():
            label = f"{where}: {section}.{name}"
            if name in FIELDS and FIELDS[name].section == section:
                values[name], labels[name] = value, label
            elif name in FIELDS:
                faults.append(Fault(label, None, f"belongs into the table [{FIELDS[name].section}]"))
            else:
                faults.append(unknown_field(label, value, name))
    return values, labels, faults


def user_config_path() -> Path:
    """The user's configuration file; GPT_TUI_CONFIG names another."""
    if named := os.environ.get("GPT_TUI_CONFIG"):
        return Path(named)
    import platformdirs

    return platformdirs.user_config_path("gpt-tui", appauthor=False) / "config.toml"
