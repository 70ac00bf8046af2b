"""The model once more, in plain float64 NumPy: formula by formula, one token and one head at a time, slowly.

It reads a ModelConfig and the parameters as arrays under the names that the model gives them, and shares no code with
the model. Whether a parameter is there is asked of the configuration alone: one that the model forgot is a KeyError,
and one that it has too many makes the results differ.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from gpt_tui.core.config import ModelConfig

Array = np.ndarray
Arrays = Mapping[str, Array]


def logits(config: ModelConfig, w: Arrays, ids: Sequence[int]) -> Array:
    """(T, V): row t is the model's opinion of the token after ids[0..t]."""
    stream = [embed(config, w, ids, t) for t in range(len(ids))]
    for layer in range(config.n_layer):
        if config.attention:
            normed = [norm(config, w, f"blocks.{layer}.norm1", x) for x in stream]
            stream = add_or_replace(config, stream, attend(config, w, f"blocks.{layer}.attention", normed))
        if config.feed_forward:
            normed = [norm(config, w, f"blocks.{layer}.norm2", x) for x in stream]
            stream = add_or_replace(
                config, stream, [think(config, w, f"blocks.{layer}.feed_forward", x) for x in normed]
            )
    stream = [norm(config, w, "norm", x) for x in stream]
    if not config.head:
        return np.stack(stream)
    table = w["token_embedding.weight"] if config.tied_head else w["head.weight"]
    bias = w["head.bias"] if config.head_bias else 0.0
    return np.stack([table @ x + bias for x in stream])


def loss(rows: Array, targets: Sequence[int]) -> float:
    """Minus the mean of the logarithms of what softmax of logits (T, V) gives to each target."""
    return -sum(math.log(softmax(rows[t])[target]) for t, target in enumerate(targets)) / len(targets)


def softmax(scores: Array) -> Array:
    powers = np.array([math.exp(score - max(scores)) for score in scores])
    return powers / powers.sum()


def embed(config: ModelConfig, w: Arrays, ids: Sequence[int], t: int) -> Array:
    x = w["token_embedding.weight"][ids[t]].copy()
    if config.mix_previous and t > 0:
        x += w["previous"] * w["token_embedding.weight"][ids[t - 1]]
    if config.position == "learned":
        x += w["position_embedding.weight"][t]
    return x


def add_or_replace(config: ModelConfig, stream: list[Array], part: list[Array]) -> list[Array]:
    if not config.residual:
        return part
    return [stream[t] + part[t] for t in range(len(stream))]


def norm(config: ModelConfig, w: Arrays, name: str, x: Array) -> Array:
    if config.norm == "none":
        return x
    if config.norm == "layernorm":
        mean = sum(x) / len(x)
        variance = sum((v - mean) ** 2 for v in x) / len(x)
        y = (x - mean) / math.sqrt(variance + 1e-5)
        if config.norm_weight:
            y = y * w[f"{name}.weight"]
        if config.norm_weight and config.bias:
            y = y + w[f"{name}.bias"]
        return y
    y = over_root_mean_square(x)
    return y * w[f"{name}.weight"] if config.norm_weight else y


def over_root_mean_square(x: Array) -> Array:
    return x / math.sqrt(sum(v * v for v in x) / len(x) + np.finfo(np.float64).eps)


def attend(config: ModelConfig, w: Arrays, name: str, stream: list[Array]) -> list[Array]:
    heads = [one_head(config, w, name, h, stream) for h in range(config.n_head)]
    found = [np.concatenate([head[t] for head in heads]) for t in range(len(stream))]
    return [project(config, w, name, x) for x in found]


def one_head(config: ModelConfig, w: Arrays, name: str, h: int, stream: list[Array]) -> list[Array]:
    """The rows of `qkv` are all queries, then all keys, then all values; within each, head after head."""
    C, D = config.n_embd, config.n_embd // config.n_head

    def through(x: Array, first: int) -> Array:
        y = w[f"{name}.qkv.weight"][first : first + D] @ x
        return y + w[f"{name}.qkv.bias"][first : first + D] if config.qkv_bias else y

    queries = [through(x, h * D) for x in stream]
    keys = [through(x, C + h * D) for x in stream]
    values = [through(x, 2 * C + h * D) for x in stream]
    if config.qk_norm:
        queries = [over_root_mean_square(q) for q in queries]
        keys = [over_root_mean_square(k) for k in keys]
    if config.position == "rotary":
        queries = [rotate(q, t) for t, q in enumerate(queries)]
        keys = [rotate(k, t) for t, k in enumerate(keys)]
    found = []
    for t, q in enumerate(queries):
        share = softmax(np.array([q @ keys[s] / math.sqrt(D) for s in range(t + 1)]))
        found.append(sum((share[s] * values[s] for s in range(t + 1)), np.zeros(D)))
    return found


def rotate(x: Array, position: int) -> Array:
    """Number i and number i + D/2 are a point of the plane, which turns by position / 10,000^(2i / D)."""
    half = len(x) // 2
    turned = np.empty(len(x))
    for i in range(half):
        angle = position / 10_000 ** (2 * i / len(x))
        # The model's table of them is kept in float32, in a model of any precision.
        cos, sin = float(np.float32(math.cos(angle))), float(np.float32(math.sin(angle)))
        turned[i] = x[i] * cos - x[i + half] * sin
        turned[i + half] = x[i] * sin + x[i + half] * cos
    return turned


def think(config: ModelConfig, w: Arrays, name: str, x: Array) -> Array:
    hidden = w[f"{name}.fc.weight"] @ x
    if config.bias:
        hidden = hidden + w[f"{name}.fc.bias"]
    if config.activation == "swiglu":
        width = len(hidden) // 2
        y = np.array([bend("silu", hidden[i]) * hidden[width + i] for i in range(width)])
    else:
        y = np.array([bend(config.activation, v) for v in hidden])
    assert len(y) == round(config.ffn_mult * config.n_embd)
    return project(config, w, name, y)


def bend(activation: str, v: float) -> float:
    if activation == "relu":
        return max(v, 0.0)
    if activation == "relu2":
        return max(v, 0.0) ** 2
    if activation == "gelu":
        return v * (1 + math.erf(v / math.sqrt(2))) / 2
    if activation == "gelu_tanh":
        return v * (1 + math.tanh(math.sqrt(2 / math.pi) * (v + 0.044715 * v**3))) / 2
    if activation == "silu":
        return v / (1 + math.exp(-v))
    raise ValueError(activation)


def project(config: ModelConfig, w: Arrays, name: str, x: Array) -> Array:
    if not config.output_projection:
        return x
    y = w[f"{name}.proj.weight"] @ x
    return y + w[f"{name}.proj.bias"] if config.bias else y
