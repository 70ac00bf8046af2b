"""What has to hold between several fields."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gpt_tui.core.config.fields import FIELDS, one_of, show_float


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
