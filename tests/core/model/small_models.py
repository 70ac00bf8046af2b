"""Small models with every switch: four starting points, and what one or two switches make of each."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Any

import numpy as np
import torch

from gpt_tui.core.config import FIELDS, ModelConfig, find_faults
from gpt_tui.core.model import GPT

V = 11
SMALL: dict[str, Any] = {"n_layer": 1, "n_head": 2, "n_embd": 12, "block_size": 5, "zero_init": False}

BASES: dict[str, dict[str, Any]] = {
    "modern": SMALL,
    "lecture": SMALL
    | {"position": "learned", "norm": "layernorm", "norm_weight": True, "activation": "gelu", "ffn_mult": 4.0}
    | {"bias": True, "qkv_bias": True, "head_bias": True, "qk_norm": False, "mix_previous": False},
    "bare": SMALL
    | {"position": "learned", "residual": False, "output_projection": False, "norm": "none", "activation": "relu"}
    | {"ffn_mult": 1.0, "bias": True, "head_bias": True, "qk_norm": False, "mix_previous": False},
    "bigram": SMALL
    | {"head": False, "attention": False, "feed_forward": False, "mix_previous": False}
    | {"position": "none", "norm": "none"},
}

NUMBERS = {"n_layer": (1, 2), "n_head": (1, 2, 3), "n_embd": (10, 12), "block_size": (5, 7), "ffn_mult": (1, 2, 2.5)}

# They say where weights start and what training hides: the function of the weights is the same.
NOT_THE_FUNCTION = {"init", "zero_init", "dropout", "embd_dropout"}
SWITCHES = [name for name in ModelConfig.model_fields if name not in NOT_THE_FUNCTION]


def values_of(switch: str) -> tuple[Any, ...]:
    spec = FIELDS[switch]
    if spec.kind == "bool":
        return (False, True)
    return spec.choices if spec.kind == "choice" else NUMBERS[switch]


def configs(base: str, switches: tuple[str, ...]) -> Iterator[tuple[str, ModelConfig]]:
    """What stands where each of these switches has another value than in `base`; what is refused is left out."""
    start = ModelConfig(**BASES[base])
    changes: list[dict[str, Any]] = [{}]
    for switch in switches:
        others = [value for value in values_of(switch) if value != getattr(start, switch)]
        changes = [change | {switch: value} for change in changes for value in others]
    for change in changes:
        fields = start.model_dump() | change
        if not find_faults(fields)[1]:
            name = ", ".join(f"{switch}={value}" for switch, value in change.items())
            yield f"{base} with {name}" if name else base, ModelConfig(**fields)


def single_configs(*bases: str) -> dict[str, ModelConfig]:
    """These starting points (all where none is named), and of each every switch changed alone."""
    return {
        name: config
        for base in bases or BASES
        for some in [(), *((s,) for s in SWITCHES)]
        for name, config in configs(base, some)
    }


def pairs_with(base: str, first: str) -> dict[str, ModelConfig]:
    """`first` and each switch after it, changed together."""
    return {name: config for a, b in combinations(SWITCHES, 2) if a == first for name, config in configs(base, (a, b))}


def small_model(config: ModelConfig, vocab_size: int = V, dtype: torch.dtype = torch.float64, seed: int = 0) -> GPT:
    """A model whose every parameter is drawn from N(0, 0.3²), so that nothing is hidden by a zero or a one."""
    model = GPT(config, vocab_size).to(dtype).eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(0.3 * torch.randn(p.shape, generator=generator, dtype=torch.float64))
    return model


def arrays(model: GPT) -> dict[str, np.ndarray]:
    return {name: p.detach().double().numpy() for name, p in model.named_parameters()}


def some_ids(count: int) -> tuple[list[int], list[int]]:
    """That many token ids and their targets: the digits of pi, among which 1 and 5 come twice."""
    digits = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5]
    return digits[:count], digits[1 : count + 1]
