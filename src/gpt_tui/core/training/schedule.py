"""The learning rate of each step, a function of the configuration and the step alone."""

from __future__ import annotations

import math

from gpt_tui.core.config import RunConfig


def learning_rate(config: RunConfig, step: int) -> float:
    """The rate for the step after `step` completed ones: warmup, then constant, cosine or linear decay to min_lr."""
    optimizer = config.optimizer
    peak, floor = optimizer.learning_rate, optimizer.min_lr
    # 1) a linear rise from near zero
    if step < optimizer.warmup_iters:
        return peak * (step + 1) / (optimizer.warmup_iters + 1)
    if optimizer.lr_schedule == "constant":
        return peak
    # 2) past the end, the lowest rate
    if step >= config.decay_iters:
        return floor
    # 3) in between, down along a cosine or a line
    done = (step - optimizer.warmup_iters) / (config.decay_iters - optimizer.warmup_iters)
    share = 0.5 * (1 + math.cos(math.pi * done)) if optimizer.lr_schedule == "cosine" else 1 - done
    return floor + share * (peak - floor)
