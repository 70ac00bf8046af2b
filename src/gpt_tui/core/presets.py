"""Named sets of fields, each with where its figures come from. A preset sets only the fields that it names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gpt_tui.core.config import FIELDS, Layer, RunConfig, resolve
from gpt_tui.core.errors import Refusal, did_you_mean

DEFAULT = "quick"


@dataclass(frozen=True)
class Preset:
    """vocab_size: the vocabulary that its published parameter count is for."""

    name: str
    summary: str
    source: str
    values: Mapping[str, Any]
    vocab_size: int = 65

    def layer(self) -> Layer:
        return Layer(f"preset {self.name}", self.values)

    def config(self) -> RunConfig:
        return resolve([self.layer()]).config


_NANOGPT_MODEL = {
    "position": "learned",
    "norm": "layernorm",
    "norm_weight": True,
    "activation": "gelu",
    "ffn_mult": 4.0,
    "bias": False,
    "qkv_bias": False,
    "head_bias": False,
    "tied_head": True,
    "qk_norm": False,
    "zero_init": False,
    "mix_previous": False,
    "init": "gpt2",
    "embd_dropout": True,
}

_NANOGPT_OPTIMIZER = {
    "learning_rate": 1e-3,
    "min_lr": 1e-4,
    "warmup_iters": 100,
    "lr_schedule": "cosine",
    "lr_decay_iters": "auto",
    "weight_decay": 0.1,
    "beta1": 0.9,
    "beta2": 0.99,
    "grad_clip": 1.0,
}

_LECTURE_MODEL = {
    "position": "learned",
    "norm": "layernorm",
    "norm_weight": True,
    "activation": "relu",
    "ffn_mult": 4.0,
    "bias": True,
    "qkv_bias": False,
    "head_bias": True,
    "tied_head": False,
    "qk_norm": False,
    "zero_init": False,
    "mix_previous": False,
    "embd_dropout": False,
}

_LECTURE_OPTIMIZER = {  # torch.optim.AdamW as it comes
    "min_lr": 0.0,
    "warmup_iters": 0,
    "lr_schedule": "constant",
    "lr_decay_iters": "auto",
    "weight_decay": 0.01,
    "beta1": 0.9,
    "beta2": 0.999,
    "grad_clip": "off",
}

PRESETS: dict[str, Preset] = {
    preset.name: preset
    for preset in (
        Preset(
            "quick",
            "readable verse in a minute on two CPU cores",
            "gpt-tui's own recipe",
            {
                name: spec.default
                for name, spec in FIELDS.items()
                if spec.section in ("model", "optimizer")
                or name in ("batch_size", "gradient_accumulation_steps", "max_iters", "eval_interval", "eval_iters")
            },
        ),
        Preset(
            "nanogpt-cpu",
            "nanoGPT's small one, for a laptop",
            "nanoGPT, README: Shakespeare on a CPU",
            {
                **_NANOGPT_MODEL,
                **_NANOGPT_OPTIMIZER,
                "n_layer": 4,
                "n_head": 4,
                "n_embd": 128,
                "block_size": 64,
                "dropout": 0.0,
                "batch_size": 12,
                "gradient_accumulation_steps": 1,
                "max_iters": 2000,
                "eval_interval": 250,
                "eval_iters": 20,
            },
        ),
        Preset(
            "nanogpt-gpu",
            "nanoGPT's large one, 3 minutes on an A100",
            "nanoGPT, config/train_shakespeare_char.py",
            {
                **_NANOGPT_MODEL,
                **_NANOGPT_OPTIMIZER,
                "n_layer": 6,
                "n_head": 6,
                "n_embd": 384,
                "block_size": 256,
                "dropout": 0.2,
                "batch_size": 64,
                "gradient_accumulation_steps": 1,
                "max_iters": 5000,
                "eval_interval": 250,
                "eval_iters": 200,
            },
        ),
        Preset(
            "lecture-colab",
            "the lecture's notebook, its last cell",
            'the notebook of the "Let\'s build GPT" lecture, last cell',
            {
                **_LECTURE_MODEL,
                **_LECTURE_OPTIMIZER,
                "init": "torch",
                "n_layer": 4,
                "n_head": 4,
                "n_embd": 64,
                "block_size": 32,
                "dropout": 0.0,
                "learning_rate": 1e-3,
                "batch_size": 16,
                "gradient_accumulation_steps": 1,
                "max_iters": 5000,
                "eval_interval": 500,
                "eval_iters": 200,
            },
        ),
        Preset(
            "shakespeare-6x6",
            "the lecture's large one: hours on a CPU",
            'the final script of the "Let\'s build GPT" lecture',
            {
                **_LECTURE_MODEL,
                **_LECTURE_OPTIMIZER,
                "init": "normal",
                "n_layer": 6,
                "n_head": 6,
                "n_embd": 384,
                "block_size": 256,
                "dropout": 0.2,
                "learning_rate": 3e-4,
                "batch_size": 64,
                "gradient_accumulation_steps": 1,
                "max_iters": 5000,
                "eval_interval": 500,
                "eval_iters": 200,
            },
        ),
    )
}


def find_preset(name: str) -> Preset:
    """The preset of that name. Raises Refusal with the nearest name."""
    if name in PRESETS:
        return PRESETS[name]
    hint = did_you_mean(name, PRESETS)
    raise Refusal.one(
        "preset", name, f"there is no such preset; there are {', '.join(PRESETS)}" + (f"; {hint}" if hint else "")
    )
