"""What a configuration takes: parameters, memory, arithmetic, and the time of a step on this machine. No torch.

The time is an estimate from the tensor walk. A run that was made here says how far the estimate is off on this
machine (`Pace`), and what is near that run in size is then told with its help.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass

from gpt_tui.core import shapes
from gpt_tui.core.config import DatasetFacts, ModelConfig, RunConfig
from gpt_tui.core.shapes import FLOAT

WHOLE_SPLIT_LIMIT = 1_000_000  # tokens; a larger validation split is judged by this many from its beginning
TRAIN_SHARE_LIMIT = 100_000  # tokens of the training split that stand for it beside a whole validation split
CHARACTERS = 65  # of Tiny Shakespeare: assumed until a dataset is known
BYTES = 256
_SHAKESPEARE = (1_003_854, 111_540)  # tokens of its training and validation splits

# Fitted to eleven presets, with one thread and with two, on a 2-core AMD EPYC machine with AVX-512 and bfloat16.
_SECONDS_A_STEP = 1.5e-4
_SECONDS_A_CALL = 4e-5  # of each step of the walk, forward, backward and in the optimizer
_FLOPS_PER_CORE = 130e9
_BFLOAT16_GAIN = 3.5
_SECONDS_A_TOKEN = 5e-5  # of a sample, which is made one token at a time
_SECONDS_A_TOKEN_S_CALL = 8e-6  # for each step of the walk
_WEIGHTS_READ = 2e10  # bytes a second
_REMEMBERED_PER_CORE = 1.2e9  # bytes a second that are written in the forward pass and read again in the backward pass


@dataclass(frozen=True)
class Pace:
    """How a run went here: `ratio` times as long a step as estimated. run: which run that was, in words."""

    ratio: float
    run: str


@dataclass(frozen=True)
class Cost:
    """What a configuration takes.

    memory: bytes while training. flops, tokens: of one optimizer step. epochs: how often it reads its training split;
    None where that is not known. seconds: of one step; None where nothing is known of the device. in_all: seconds of
    the whole run, of which looking takes so many: its evaluations and samples. pace: the run that the time is judged
    by, None for an estimate.
    """

    vocab_size: int
    vocab_known: bool
    parameters: int
    memory: int
    flops: float
    tokens: int
    epochs: float | None
    seconds: float | None
    in_all: float | None
    looking: float | None
    pace: Pace | None


def assumed_vocabulary(tokenizer: str) -> int:
    """What is counted with while no dataset is known: bytes, or the characters of Tiny Shakespeare."""
    return BYTES if tokenizer == "byte" else CHARACTERS


def count_cost(
    config: RunConfig,
    facts: DatasetFacts | None,
    pace: Pace | None,
    cores: Callable[[], int],
    vocab_size: int | None = None,
) -> Cost:
    """vocab_size: to count with where no dataset is known; that of Tiny Shakespeare, or of bytes, where it is None."""
    tokenizer = config.data.tokenizer
    known = facts is not None or vocab_size is not None or tokenizer == "byte"
    V = facts.vocab_size if facts else vocab_size or assumed_vocabulary(tokenizer)
    read = config.tokens_per_step * config.training.max_iters
    seconds = in_all = looking = None
    if pace or config.training.device in ("auto", "cpu"):
        ratio = pace.ratio if pace else 1
        seconds = estimate_seconds(config, V, cores()) * ratio
        looking = ratio * estimate_looking(config, V, cores(), facts)
        in_all = config.training.max_iters * seconds + looking
    return Cost(
        vocab_size=V,
        vocab_known=known,
        parameters=shapes.parameters(config.model, V),
        memory=shapes.training_memory(config, V),
        flops=shapes.step_flops(config, V),
        tokens=config.tokens_per_step,
        epochs=read / facts.train_tokens if facts and facts.train_tokens else None,
        seconds=seconds,
        in_all=in_all,
        looking=looking,
        pace=pace,
    )


def estimate_seconds(config: RunConfig, vocab_size: int, cores: int) -> float:
    """Seconds that an optimizer step would take on a CPU, with as many threads as asked for, or as it has cores."""
    batches = config.training.gradient_accumulation_steps * _seconds_a_batch(config, vocab_size, cores)
    return _SECONDS_A_STEP + batches + _seconds_of_muon(config, cores)


def estimate_looking(config: RunConfig, vocab_size: int, cores: int, facts: DatasetFacts | None) -> float:
    """Seconds that a run's evaluations and samples would take on a CPU. facts: None stands for Tiny Shakespeare."""
    training, model = config.training, config.model
    forward = _seconds_a_batch(config, vocab_size, cores) / 3  # backward costs twice as much again
    train_tokens, val_tokens = (facts.train_tokens, facts.val_tokens) if facts else _SHAKESPEARE
    judged = min(train_tokens, TRAIN_SHARE_LIMIT) + min(val_tokens, WHOLE_SPLIT_LIMIT)
    whole = judged / (training.batch_size * model.block_size)  # batches
    looks = 1 + math.ceil(training.max_iters / training.eval_interval)
    batches = looks * (2 * training.eval_iters or whole) + whole  # the end is judged on the whole split
    calls = sum(step.times for step in shapes.walk(model, vocab_size).steps)
    a_token = _SECONDS_A_TOKEN + _SECONDS_A_TOKEN_S_CALL * calls
    a_token += FLOAT * shapes.parameters(model, vocab_size) / _WEIGHTS_READ
    # Past the window, `full` reads a whole window for each token, and `half` half of one for every half of one.
    past = max(0, config.sampling.max_new_tokens - model.block_size)
    read_again = past if config.sampling.window_rule == "full" else past / model.block_size
    a_sample = config.sampling.max_new_tokens * a_token + read_again * forward / training.batch_size
    return batches * forward + looks * a_sample


def _seconds_a_batch(config: RunConfig, vocab_size: int, cores: int) -> float:
    """Forward and backward."""
    training = config.training
    batch = shapes.walk(config.model, vocab_size, training.batch_size)
    speed = _flops_a_second(config, cores, bfloat16=_uses_bfloat16(training.dtype, config.model))
    calls = sum(step.times for step in batch.steps)
    return (
        _SECONDS_A_CALL * calls
        + 6 * batch.multiply_adds / speed
        + batch.memory / (_REMEMBERED_PER_CORE * _threads(config, cores))
    )


def _threads(config: RunConfig, cores: int) -> int:
    return cores if config.training.threads == "auto" else config.training.threads


def _flops_a_second(config: RunConfig, cores: int, *, bfloat16: bool) -> float:
    """Of matrix products."""
    return _FLOPS_PER_CORE * _threads(config, cores) * (_BFLOAT16_GAIN if bfloat16 else 1)


def _seconds_of_muon(config: RunConfig, cores: int) -> float:
    """Making the directions of the blocks' matrices equally strong, in bfloat16."""
    if config.optimizer.optimizer != "muon":
        return 0.0
    flops = 0
    for rows, columns in shapes.block_matrices(config.model):
        short, long = sorted((rows, columns))
        flops += config.optimizer.muon_ns_steps * (4 * short * short * long + 2 * short**3)
    return flops / _flops_a_second(config, cores, bfloat16=_has_native_bfloat16())


def _uses_bfloat16(dtype: str, model: ModelConfig) -> bool:
    from gpt_tui.core.device import WIDE_ENOUGH_FOR_BFLOAT16

    if dtype != "auto":
        return dtype == "bfloat16"
    return model.n_embd >= WIDE_ENOUGH_FOR_BFLOAT16 and _has_native_bfloat16()


def _has_native_bfloat16() -> bool:
    from gpt_tui.core.device import cpu_has_native_bfloat16

    # Only Linux tells it without torch; elsewhere the first run's pace makes up for it.
    return sys.platform == "linux" and cpu_has_native_bfloat16()
