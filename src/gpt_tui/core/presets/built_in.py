"""What a preset is, and those that come with the program, each with where its figures come from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gpt_tui.core.config import FIELDS, Layer, RunConfig, resolve
from gpt_tui.core.errors import Refusal, did_you_mean

DEFAULT = "quick"


@dataclass(frozen=True)
class Preset:
    """vocab_size: the vocabulary that its published parameter count is for. path: its file, of one of a person's own.

    labels: how each value was written in that file, for refusals
    """

    name: str
    summary: str
    source: str
    values: Mapping[str, Any]
    vocab_size: int = 65
    path: Path | None = None
    labels: Mapping[str, str] = field(default_factory=dict)

    def layer(self) -> Layer:
        where = "" if self.path is None else f", {self.path}"
        return Layer(f"preset {self.name}{where}", self.values, self.labels)

    def config(self) -> RunConfig:
        return resolve([self.layer()]).config


_EVERY_PART = {"attention": True, "feed_forward": True, "residual": True, "output_projection": True, "head": True}

_LECTURE_MODEL = {
    **_EVERY_PART,
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
    "init": "torch",
    "dropout": 0.0,
    "embd_dropout": False,
}

_ADAMW = {name: FIELDS[name].default for name in ("muon_lr", "muon_momentum", "muon_ns_steps")} | {"optimizer": "adamw"}

_LECTURE_TRAINING = {  # torch.optim.AdamW as it comes
    **_ADAMW,
    "learning_rate": 1e-3,
    "min_lr": 0.0,
    "warmup_iters": 0,
    "lr_schedule": "constant",
    "lr_decay_iters": "auto",
    "weight_decay": 0.01,
    "beta1": 0.9,
    "beta2": 0.999,
    "grad_clip": "off",
    "gradient_accumulation_steps": 1,
    "max_iters": 5000,
    "eval_interval": 500,
    "eval_iters": 200,
}

# The ladder's first rungs: one layer of 32 numbers, and no part that is not named.
_RUNG = {
    **_LECTURE_MODEL,
    **_LECTURE_TRAINING,
    "attention": False,
    "feed_forward": False,
    "residual": False,
    "output_projection": False,
    "norm": "none",
    "norm_weight": False,
    "ffn_mult": 1.0,
    "n_layer": 1,
    "n_head": 4,
    "n_embd": 32,
    "block_size": 8,
    "batch_size": 32,
}

_LARGE = {  # the lecture's final script
    **_LECTURE_MODEL,
    **_LECTURE_TRAINING,
    "init": "normal",
    "n_embd": 384,
    "block_size": 256,
    "dropout": 0.2,
    "learning_rate": 3e-4,
    "batch_size": 64,
}

_NANOGPT = {
    **_EVERY_PART,
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
    **_ADAMW,
    "learning_rate": 1e-3,
    "min_lr": 1e-4,
    "warmup_iters": 100,
    "lr_schedule": "cosine",
    "lr_decay_iters": "auto",
    "weight_decay": 0.1,
    "beta1": 0.9,
    "beta2": 0.99,
    "grad_clip": 1.0,
    "gradient_accumulation_steps": 1,
    "eval_interval": 250,
}

_GPT2 = {
    **_NANOGPT,
    "activation": "gelu_tanh",
    "bias": True,
    "qkv_bias": True,
    "block_size": 1024,
    "dropout": 0.0,
    "warmup_iters": 2000,
    "beta2": 0.95,
    "batch_size": 12,
    "gradient_accumulation_steps": 40,
    "max_iters": 600_000,
    "eval_interval": 1000,
    "eval_iters": 200,
}

_NOTEBOOK = 'the "Let\'s build GPT" lecture'
_SCRIPT = 'the final script of the "Let\'s build GPT" lecture'
_GPT2_SOURCE = "GPT-2's sizes (Radford et al. 2019), trained as nanoGPT does, rates of the GPT-3 paper"


def _quick() -> dict[str, Any]:
    training = ("batch_size", "gradient_accumulation_steps", "max_iters", "eval_interval", "eval_iters")
    return {
        name: spec.default
        for name, spec in FIELDS.items()
        if spec.section in ("model", "optimizer") or name in training
    }


def _sprint() -> dict[str, Any]:
    """Found by benchmarks/recipes.py. Evaluated as seldom as may be: each look takes as long as ten steps."""
    return _quick() | {
        "n_layer": 2,
        "n_head": 2,
        "n_embd": 128,
        "block_size": 64,
        "ffn_mult": 2.0,
        "zero_init": True,
        "optimizer": "muon",
        "muon_lr": 0.06,
        "muon_momentum": 0.9,
        "muon_ns_steps": 3,
        "learning_rate": 0.025,
        "min_lr": 0.0,
        "warmup_iters": 10,
        "lr_schedule": "linear",
        "lr_decay_iters": "auto",
        "weight_decay": 0.0,
        "beta1": 0.9,
        "beta2": 0.95,
        "grad_clip": 1.0,
        "batch_size": 24,
        "gradient_accumulation_steps": 1,
        "max_iters": 160,
        "eval_interval": 160,
        "eval_iters": 20,
    }


def _gpt2(name: str, summary: str, n_layer: int, n_head: int, n_embd: int, learning_rate: float) -> Preset:
    size = {"n_layer": n_layer, "n_head": n_head, "n_embd": n_embd}
    rates = {"learning_rate": learning_rate, "min_lr": round(learning_rate / 10, 7)}  # 6e-5, not 5.9999999999999995e-5
    return Preset(name, summary, _GPT2_SOURCE, {**_GPT2, **size, **rates}, vocab_size=50_257)


PRESETS: dict[str, Preset] = {
    preset.name: preset
    for preset in (
        Preset("quick", "readable verse in a minute on two CPU cores", "gpt-tui's own recipe", _quick()),
        Preset("sprint", "nanoGPT's CPU loss within seconds", "gpt-tui's own recipe", _sprint()),
        # The lecture's ladder: each rung is the one before it and one thing more.
        Preset(
            "lecture-bigram",
            "a table of letter pairs, and nothing else",
            _NOTEBOOK,
            {
                **_RUNG,
                "head": False,
                "position": "none",
                "learning_rate": 1e-2,
                "max_iters": 3000,
                "eval_interval": 300,
            },
        ),
        Preset(
            "lecture-one-head",
            "one attention head: tokens look back",
            _NOTEBOOK,
            {**_RUNG, "attention": True, "n_head": 1},
        ),
        Preset(
            "lecture-four-heads",
            "four smaller heads beside one another",
            _NOTEBOOK,
            {**_RUNG, "attention": True},
        ),
        Preset(
            "lecture-feed-forward",
            "four heads, then each token thinks",
            _NOTEBOOK,
            {**_RUNG, "attention": True, "feed_forward": True},
        ),
        Preset(
            "lecture-residual",
            "three blocks on a residual stream",
            _NOTEBOOK,
            {**_RUNG, **_EVERY_PART, "ffn_mult": 4.0, "n_layer": 3},
        ),
        Preset(
            "lecture-layernorm",
            "three blocks with LayerNorm: a transformer",
            _NOTEBOOK,
            {**_LECTURE_MODEL, **_LECTURE_TRAINING, "n_layer": 3}
            | {name: _RUNG[name] for name in ("n_head", "n_embd", "block_size", "batch_size")},
        ),
        Preset(
            "lecture-tiny",
            "four blocks, context 8",
            _NOTEBOOK,
            {**_LECTURE_MODEL, **_LECTURE_TRAINING, "n_layer": 4}
            | {name: _RUNG[name] for name in ("n_head", "n_embd", "block_size", "batch_size")},
        ),
        Preset(
            "lecture-colab",
            "the lecture's notebook, its last cell",
            'the notebook of the "Let\'s build GPT" lecture, last cell',
            {
                **_LECTURE_MODEL,
                **_LECTURE_TRAINING,
                "n_layer": 4,
                "n_head": 4,
                "n_embd": 64,
                "block_size": 32,
                "batch_size": 16,
            },
        ),
        Preset(
            "lecture-64",
            "the notebook's model, context 64, dropout",
            _SCRIPT + ", made smaller",
            {**_LARGE, "n_layer": 4, "n_head": 4, "n_embd": 64, "block_size": 64, "batch_size": 16},
        ),
        Preset(
            "shakespeare-1x1-short",
            "one wide block, its first 100 steps",
            _SCRIPT + ", one block",
            {**_LARGE, "n_layer": 1, "n_head": 1, "max_iters": 100},
        ),
        Preset(
            "shakespeare-1x1",
            "one wide block: over an hour on a CPU",
            _SCRIPT + ", one block",
            {**_LARGE, "n_layer": 1, "n_head": 1},
        ),
        Preset(
            "shakespeare-2x2",
            "two wide blocks: hours on a CPU",
            _SCRIPT + ", two blocks",
            {**_LARGE, "n_layer": 2, "n_head": 2},
        ),
        Preset(
            "shakespeare-6x6",
            "the lecture's large one: for a GPU",
            _SCRIPT,
            {**_LARGE, "n_layer": 6, "n_head": 6},
        ),
        Preset(
            "shakespeare-12x12",
            "twice as deep: learns the text by heart",
            _SCRIPT + ", twelve blocks",
            {**_LARGE, "n_layer": 12, "n_head": 12},
        ),
        # nanoGPT's and GPT-2's
        Preset(
            "nanogpt-cpu",
            "nanoGPT's small one, for a laptop",
            "nanoGPT, README: Shakespeare on a CPU",
            {
                **_NANOGPT,
                "n_layer": 4,
                "n_head": 4,
                "n_embd": 128,
                "block_size": 64,
                "dropout": 0.0,
                "batch_size": 12,
                "max_iters": 2000,
                "eval_iters": 20,
            },
        ),
        Preset(
            "nanogpt-gpu",
            "nanoGPT's large one, 3 minutes on an A100",
            "nanoGPT, config/train_shakespeare_char.py",
            {
                **_NANOGPT,
                "n_layer": 6,
                "n_head": 6,
                "n_embd": 384,
                "block_size": 256,
                "dropout": 0.2,
                "batch_size": 64,
                "max_iters": 5000,
                "eval_iters": 200,
            },
        ),
        _gpt2("gpt2", "GPT-2 small, to look at its shapes", 12, 12, 768, 6e-4),
        _gpt2("gpt2-medium", "GPT-2 medium, to look at its shapes", 24, 16, 1024, 3e-4),
        _gpt2("gpt2-large", "GPT-2 large, to look at its shapes", 36, 20, 1280, 2.5e-4),
        _gpt2("gpt2-xl", "GPT-2 XL, to look at its shapes", 48, 25, 1600, 2e-4),
    )
}


def find_preset(name: str) -> Preset:
    """The built-in preset of that name. Raises Refusal with the nearest name."""
    if name in PRESETS:
        return PRESETS[name]
    raise no_such_preset(name, PRESETS)


def no_such_preset(name: str, names: Iterable[str]) -> Refusal:
    names = list(names)
    hint = did_you_mean(name, names)
    return Refusal.one(
        "preset", name, f"there is no such preset; there are {', '.join(names)}" + (f"; {hint}" if hint else "")
    )
