"""What has to hold between several fields, and which fields have no effect beside others.

A combination that cannot be built, or cannot learn, is refused (`RULES`). A value that another one leaves without
effect is kept, because the other may be changed back, and explained at its field (`idle`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gpt_tui.core.config.fields import FIELDS, one_of, show_float


@dataclass(frozen=True)
class Conflict:
    """What a rule finds wrong. field: at fault, and why, in words. beside: the fields that it does not go with."""

    field: str
    message: str
    beside: tuple[str, ...]


@dataclass(frozen=True)
class Rule:
    """A rule over several fields. `check` returns None where it holds."""

    reads: tuple[str, ...]
    check: Callable[[Mapping[str, Any]], Conflict | None]


def _heads_divide(v: Mapping[str, Any]) -> Conflict | None:
    n_embd, n_head = v["n_embd"], v["n_head"]
    if not v["attention"] or n_embd % n_head == 0:
        return None
    pair = 2 if v["position"] == "rotary" else 1  # a way out that the next rule refuses would be none
    step = n_head * pair
    below = n_embd - n_embd % step
    near = [str(n) for n in (below, below + step) if 0 < n <= (FIELDS["n_embd"].maximum or n)]
    heads = [n for n in range(1, min(n_embd, 1024) + 1) if n_embd % (n * pair) == 0]
    ways = [f"{one_of(near)} would be"] if near else []
    if heads:
        ways.append(f"n_head = {min(heads, key=lambda n: (abs(n - n_head), n))} with n_embd = {n_embd}")
    return Conflict("n_embd", f"must be divisible by n_head = {n_head}: {', or '.join(ways)}", ("n_head",))


def _rotary_pairs(v: Mapping[str, Any]) -> Conflict | None:
    n_embd, n_head = v["n_embd"], v["n_head"]
    if v["position"] != "rotary" or not v["attention"] or n_embd % n_head or n_embd // n_head % 2 == 0:
        return None
    even = [n for n in range(1, n_embd // 2 + 1) if n_embd % (2 * n) == 0]
    way_out = "learned or none would do"
    if even:
        way_out += f", or n_head = {min(even, key=lambda n: (abs(n - n_head), n))}"
    message = (
        "rotary turns pairs of numbers, so a head must have an even number of them, "
        f"and n_embd / n_head is {n_embd // n_head}: {way_out}"
    )
    return Conflict("position", message, ("n_head", "n_embd"))


def _table_stands_alone(v: Mapping[str, Any]) -> Conflict | None:
    if v["head"]:
        return None
    present = {name: "false" for name in ("attention", "feed_forward", "mix_previous", "embd_dropout") if v[name]}
    present |= {name: "none" for name in ("position", "norm") if v[name] != "none"}
    if not present:
        return None
    *most, last = (f"{name} to {none}" for name, none in present.items())
    message = (
        "without a head the table of the bigram gives the logits, and nothing else has a place in the model: "
        f"set {' and '.join(part for part in (', '.join(most), last) if part)}, or head to true"
    )
    return Conflict("head", message, tuple(present))


def _inner_width_fits(v: Mapping[str, Any]) -> Conflict | None:
    if v["output_projection"] or not v["feed_forward"] or v["ffn_mult"] == 1:
        return None
    message = "must be 1 where output_projection is false: nothing brings the feed-forward part back to n_embd numbers"
    return Conflict("ffn_mult", message, ("output_projection",))


def _zero_is_passed_by(v: Mapping[str, Any]) -> Conflict | None:
    if not v["zero_init"] or v["residual"] or not v["output_projection"]:
        return None
    parts = v["n_layer"] * (v["attention"] + v["feed_forward"])
    if parts == 0 or (parts == 1 and v["tied_head"]):  # a tied head starts at random, and moves a single part
        return None
    message = (
        "a projection that starts at zero passes nothing on, and without a residual stream hardly anything would ever "
        "be learned: set this to false, or residual to true"
    )
    return Conflict("zero_init", message, ("residual",))


def _warmup_fits(v: Mapping[str, Any]) -> Conflict | None:
    if v["warmup_iters"] <= v["max_iters"]:
        return None
    message = f"must not be more than max_iters = {v['max_iters']}, or it never ends; --warmup-iters 0 does without"
    return Conflict("warmup_iters", message, ("max_iters",))


def _decay_after_warmup(v: Mapping[str, Any]) -> Conflict | None:
    end = v["lr_decay_iters"]
    if v["lr_schedule"] == "constant" or end == "auto" or end >= v["warmup_iters"]:
        return None
    message = f"must not be less than warmup_iters = {v['warmup_iters']}, or auto"
    return Conflict("lr_decay_iters", message, ("warmup_iters",))


def _floor_below_peak(v: Mapping[str, Any]) -> Conflict | None:
    if v["lr_schedule"] == "constant" or v["min_lr"] <= v["learning_rate"]:
        return None
    message = f"must not be more than learning_rate = {show_float(v['learning_rate'])}"
    return Conflict("min_lr", message, ("learning_rate",))


RULES = (
    Rule(("n_embd", "n_head", "attention", "position"), _heads_divide),
    Rule(("position", "n_embd", "n_head", "attention"), _rotary_pairs),
    Rule(
        ("head", "attention", "feed_forward", "mix_previous", "embd_dropout", "position", "norm"), _table_stands_alone
    ),
    Rule(("ffn_mult", "feed_forward", "output_projection"), _inner_width_fits),
    Rule(
        ("zero_init", "residual", "output_projection", "attention", "feed_forward", "n_layer", "tied_head"),
        _zero_is_passed_by,
    ),
    Rule(("warmup_iters", "max_iters"), _warmup_fits),
    Rule(("lr_schedule", "lr_decay_iters", "warmup_iters"), _decay_after_warmup),
    Rule(("lr_schedule", "min_lr", "learning_rate"), _floor_below_peak),
)


def conflicts(values: Mapping[str, Any]) -> Iterator[Conflict]:
    """What is wrong between sound values; a rule is passed over where one of its fields is missing."""
    for rule in RULES:
        if all(name in values for name in rule.reads) and (found := rule.check(values)):
            yield found


# Values without effect ---------------------------------------------------------------------------------------------


def idle(values: Mapping[str, Any]) -> dict[str, str]:
    """Fields that change nothing beside the others' values, and why: {"n_head": "there is no attention"}.

    values: every field's, sound. A switch that is off, and a word such as "off" or "none", claims no effect and is
    not named.
    """
    found: dict[str, str] = {}
    for names, why in _without_effect(values):
        for name in names:
            if values[name] is not False and values[name] not in ("off", "auto", "none"):
                found.setdefault(name, why)
    return found


def _without_effect(v: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], str]]:
    attention, feed_forward, head = v["attention"], v["feed_forward"], v["head"]
    if not attention:
        yield ("n_head", "qk_norm", "qkv_bias"), "there is no attention"
        if v["position"] == "rotary":
            yield ("position",), "rotary turns queries and keys, and there is no attention to have them"
    if not feed_forward:
        yield ("activation", "ffn_mult"), "there is no feed-forward part"
    if not attention and not feed_forward:
        yield ("n_layer", "residual", "output_projection"), "there are no blocks: neither attention nor feed-forward"
    if v["norm"] == "none":
        yield ("norm_weight",), "there is no norm"
    if not head:
        yield ("n_embd",), "the table is as wide as the vocabulary"
        yield ("tied_head", "head_bias"), "there is no head"
    projected = (attention or feed_forward) and v["output_projection"]
    if not projected and not (v["norm"] == "layernorm" and v["norm_weight"]) and not feed_forward:
        yield ("bias",), "there is no layer that would have one"
    if not projected and (v["tied_head"] or not head):
        yield ("zero_init",), "there is nothing that would start at zero"
    if v["dropout"] == 0:
        yield ("embd_dropout",), "dropout is 0"
    elif not (attention or feed_forward or v["embd_dropout"]):
        yield ("dropout",), "there is nothing for it to fall on"
    # What nobody changed asks for nothing.
    muon = tuple(n for n in ("muon_lr", "muon_momentum", "muon_ns_steps") if v[n] != FIELDS[n].default)
    if v["optimizer"] != "muon":
        yield muon, "the optimizer is adamw"
    elif not attention and not feed_forward:
        yield (*muon, "optimizer"), "there are no blocks whose matrices muon would move"
    if v["lr_schedule"] == "constant":
        yield ("min_lr", "lr_decay_iters"), "the learning rate is constant"
    if v["temperature"] == 0:
        yield ("top_k", "top_p", "min_p", "sample_seed"), "at temperature 0 the likeliest token is always taken"
