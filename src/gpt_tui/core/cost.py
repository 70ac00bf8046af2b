"""What a configuration takes: parameters, memory, arithmetic, and the time of a step on this machine. No torch.

The time is an estimate from the tensor walk. A run that was made here says how far the estimate is off on this
machine (`Pace`), and what is near that run in size is then told with its help.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass

from gpt_tui.core import shapes
from gpt_tui.core.config import DatasetFacts, ModelConfig, RunConfig

CHARACTERS = 65  # of Tiny Shakespeare: assumed until a dataset is known
BYTES = 256

# Fitted to eleven presets, with one thread and with two, on a 2-core AMD EPYC machine with AVX-512 and bfloat16.
_SECONDS_A_STEP = 1.5e-4
_SECONDS_A_CALL = 4e-5  # of each step of the walk, forward, backward and in the optimizer
_FLOPS_PER_CORE = 130e9
_BFLOAT16_GAIN = 3.5
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
    None where that is not known. seconds: of one step; None where nothing is known of the device. pace: the run that
    the time is judged by, None for an estimate.
    """

    vocab_size: int
    vocab_known: bool
    parameters: int
    memory: int
    flops: float
    tokens: int
    epochs: float | None
    seconds: float | None
    pace: Pace | None


def count_cost(
    config: RunConfig,
    facts: DatasetFacts | None,
    pace: Pace | None,
    cores: Callable[[], int],
    vocab_size: int | None = None,
) -> Cost:
    """vocab_size: to count with where no dataset is known; that of Tiny Shakespeare, or of bytes, where it is None."""
    is_bytes = config.data.tokenizer == "byte"
    known = facts is not None or vocab_size is not None or is_bytes
    V = facts.vocab_size if facts else vocab_size or (BYTES if is_bytes else CHARACTERS)
    read = config.tokens_per_step * config.training.max_iters
    estimate = None
    if pace or config.training.device in ("auto", "cpu"):
        estimate = estimate_seconds(config, V, cores()) * (pace.ratio if pace else 1)
    return Cost(
        vocab_size=V,
        vocab_known=known,
        parameters=shapes.parameters(config.model, V),
        memory=shapes.training_memory(config, V),
        flops=shapes.step_flops(config, V),
        tokens=config.tokens_per_step,
        epochs=read / facts.train_tokens if facts and facts.train_tokens else None,
        seconds=estimate,
        pace=pace,
    )


def estimate_seconds(config: RunConfig, vocab_size: int, cores: int) -> float:
    """Seconds that an optimizer step would take on a CPU, with as many threads as asked for, or as it has cores."""
    training = config.training
    batch = shapes.walk(config.model, vocab_size, training.batch_size)
    threads = cores if training.threads == "auto" else training.threads
    speed = _FLOPS_PER_CORE * threads * (_BFLOAT16_GAIN if _uses_bfloat16(training.dtype, config.model) else 1)
    calls = sum(step.times for step in batch.steps)
    once = _SECONDS_A_CALL * calls + 6 * batch.multiply_adds / speed + batch.memory / (_REMEMBERED_PER_CORE * threads)
    return _SECONDS_A_STEP + training.gradient_accumulation_steps * once


def _uses_bfloat16(dtype: str, model: ModelConfig) -> bool:
    from gpt_tui.core.device import WIDE_ENOUGH_FOR_BFLOAT16, cpu_has_native_bfloat16

    if dtype != "auto":
        return dtype == "bfloat16"
    # Only Linux tells it without torch; elsewhere the first run's pace makes up for it.
    return model.n_embd >= WIDE_ENOUGH_FOR_BFLOAT16 and sys.platform == "linux" and cpu_has_native_bfloat16()
