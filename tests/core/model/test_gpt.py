"""The model agrees with a slow NumPy one written apart from it, and keeps the promises of a language model."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from gpt_tui.core.config import ModelConfig
from gpt_tui.core.model import GPT
from gpt_tui.core.presets import PRESETS
from gpt_tui.core.shapes import parameters

V = 11
SMALL = {"n_layer": 2, "n_head": 2, "n_embd": 12, "block_size": 8}


def model_with(seed: int = 0, **fields: Any) -> GPT:
    """A small float64 model whose every parameter is random, so that nothing is hidden by a zero or a one."""
    model = GPT(ModelConfig(**{**SMALL, **fields}), V).double().eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(0.3 * torch.randn(p.shape, generator=generator, dtype=torch.float64))
    return model


def reference_logits(model: GPT, ids: list[int]) -> np.ndarray:
    """The logits (T, V) of one sequence, token by token and head by head, in NumPy."""
    c = model.config
    w = {name: p.detach().numpy() for name, p in model.named_parameters()}
    D = c.n_embd // c.n_head

    def norm(x: np.ndarray, name: str) -> np.ndarray:
        if c.norm == "none":
            return x
        if c.norm == "layernorm":
            y = (x - x.mean()) / math.sqrt(((x - x.mean()) ** 2).mean() + 1e-5)
        else:
            y = x / math.sqrt((x**2).mean() + np.finfo(np.float64).eps)
        if c.norm_weight:
            y = y * w[f"{name}.weight"]
            if c.norm == "layernorm" and c.bias:
                y = y + w[f"{name}.bias"]
        return y

    def linear(x: np.ndarray, name: str) -> np.ndarray:
        y = w[f"{name}.weight"] @ x
        return y + w[f"{name}.bias"] if f"{name}.bias" in w else y

    def rotate(x: np.ndarray, position: int) -> np.ndarray:
        half = D // 2
        out = x.copy()
        for i in range(half):
            angle = position / 10_000 ** (2 * i / D)
            pair = complex(x[i], x[i + half]) * complex(math.cos(angle), math.sin(angle))
            out[i], out[i + half] = pair.real, pair.imag
        return out

    def activate(x: np.ndarray) -> np.ndarray:
        if c.activation == "relu":
            return np.maximum(x, 0)
        if c.activation == "relu2":
            return np.maximum(x, 0) ** 2
        if c.activation == "gelu":
            return np.array([0.5 * v * (1 + math.erf(v / math.sqrt(2))) for v in x])
        if c.activation == "gelu_tanh":
            return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
        gate, value = x[: len(x) // 2], x[len(x) // 2 :]
        return gate / (1 + np.exp(-gate)) * value

    table = w["token_embedding.weight"]
    stream = []
    for t, token in enumerate(ids):
        x = table[token].copy()
        if c.mix_previous and t > 0:
            x = x + w["previous"] * table[ids[t - 1]]
        if c.position == "learned":
            x = x + w["position_embedding.weight"][t]
        stream.append(x)

    for layer in range(c.n_layer):
        b = f"blocks.{layer}"
        queries, keys, values = [], [], []
        for t, x in enumerate(stream):
            q, k, v = linear(norm(x, f"{b}.norm1"), f"{b}.attention.qkv").reshape(3, c.n_head, D)
            if c.qk_norm:
                q = np.stack([h / math.sqrt((h**2).mean() + np.finfo(np.float64).eps) for h in q])
                k = np.stack([h / math.sqrt((h**2).mean() + np.finfo(np.float64).eps) for h in k])
            if c.position == "rotary":
                q, k = np.stack([rotate(h, t) for h in q]), np.stack([rotate(h, t) for h in k])
            queries.append(q)
            keys.append(k)
            values.append(v)
        attended = []
        for t in range(len(ids)):
            heads = []
            for h in range(c.n_head):
                scores = np.array([queries[t][h] @ keys[s][h] / math.sqrt(D) for s in range(t + 1)])
                weights = np.exp(scores - scores.max())
                weights /= weights.sum()
                heads.append(sum(weights[s] * values[s][h] for s in range(t + 1)))
            attended.append(linear(np.concatenate(heads), f"{b}.attention.proj"))
        stream = [x + a for x, a in zip(stream, attended, strict=True)]
        stream = [
            x + linear(activate(linear(norm(x, f"{b}.norm2"), f"{b}.feed_forward.fc")), f"{b}.feed_forward.proj")
            for x in stream
        ]
    if c.tied_head:
        bias = w.get("head.bias", 0)
        return np.stack([table @ norm(x, "norm") + bias for x in stream])
    return np.stack([linear(norm(x, "norm"), "head") for x in stream])


SWITCHES: list[dict[str, Any]] = [
    {},
    {"position": "none"},
    {"position": "learned"},
    {"norm": "none", "norm_weight": False},
    {"norm": "layernorm"},
    {"norm": "layernorm", "norm_weight": True, "bias": True},
    {"norm": "rmsnorm", "norm_weight": True},
    {"activation": "relu"},
    {"activation": "gelu"},
    {"activation": "gelu_tanh"},
    {"activation": "swiglu", "bias": True},
    {"ffn_mult": 2.5},
    {"bias": True},
    {"qkv_bias": True},
    {"head_bias": True},
    {"tied_head": True},
    {"qk_norm": False},
    {"mix_previous": False},
    {"n_head": 1},
    {"n_head": 6},
    {name: value for name, value in PRESETS["nanogpt-cpu"].values.items() if name in ModelConfig.model_fields} | SMALL,
    {name: value for name, value in PRESETS["lecture-colab"].values.items() if name in ModelConfig.model_fields}
    | SMALL,
]


@pytest.mark.parametrize("fields", SWITCHES, ids=lambda f: ",".join(f"{k}={v}" for k, v in list(f.items())[:3]) or "-")
def test_the_logits_are_those_of_a_plain_numpy_model(fields: dict[str, Any]) -> None:
    model = model_with(**fields)
    ids = [3, 1, 4, 1, 5, 9, 2, 6]
    logits, _ = model(torch.tensor([ids]))
    # Not closer, because the table of rotary angles is kept in float32.
    np.testing.assert_allclose(logits[0].detach().numpy(), reference_logits(model, ids), rtol=1e-6, atol=1e-6)


def test_the_loss_is_the_mean_of_minus_ln_p_of_the_targets() -> None:
    model = model_with()
    x, y = [3, 1, 4, 1, 5], [1, 4, 1, 5, 9]
    _, loss = model(torch.tensor([x]), torch.tensor([y]))
    logits = reference_logits(model, x)
    expected = -np.mean([row[t] - math.log(np.exp(row).sum()) for row, t in zip(logits, y, strict=True)])
    assert loss.item() == pytest.approx(expected, abs=1e-6)  # the loss itself is taken in float32


def test_gradients_agree_with_finite_differences() -> None:
    model = model_with(norm="layernorm", norm_weight=True, bias=True, head_bias=True)
    x, y = torch.tensor([[3, 1, 4, 1, 5]]), torch.tensor([1, 4, 1, 5, 9])

    def loss() -> torch.Tensor:
        return torch.nn.functional.cross_entropy(model(x)[0][0], y)

    loss().backward()
    for name, p in model.named_parameters():
        assert p.grad is not None, name
        place = tuple(np.unravel_index(int(p.grad.abs().argmax()), p.shape))
        with torch.no_grad():
            kept, step = p[place].item(), 1e-6
            p[place] = kept + step
            above = loss().item()
            p[place] = kept - step
            below = loss().item()
            p[place] = kept
        assert p.grad[place].item() == pytest.approx((above - below) / (2 * step), rel=1e-5, abs=1e-8), name


@pytest.mark.parametrize("position", ["none", "learned", "rotary"])
def test_no_token_sees_a_later_one(position: str) -> None:
    model = model_with(position=position)
    ids = torch.tensor([[3, 1, 4, 1, 5, 9, 2, 6]])
    logits, _ = model(ids)
    for t in range(1, 8):
        changed = ids.clone()
        changed[0, t:] = (changed[0, t:] + 1) % V
        again, _ = model(changed)
        assert torch.equal(again[:, :t], logits[:, :t])
        assert not torch.equal(again[:, t], logits[:, t])


@pytest.mark.parametrize("fields", [{}, {"position": "learned"}, {"position": "none", "mix_previous": False}])
@pytest.mark.parametrize("pieces", [[8], [1] * 8, [3, 5], [3, 1, 2, 1, 1]])
def test_a_cache_changes_nothing_but_the_work(fields: dict[str, Any], pieces: list[int]) -> None:
    model = model_with(**fields)
    ids = torch.tensor([[3, 1, 4, 1, 5, 9, 2, 6], [2, 7, 1, 8, 2, 8, 1, 8]])
    whole, _ = model(ids)
    cache = model.make_cache(2)
    parts = [model(piece, cache=cache)[0] for piece in ids.split(pieces, dim=1)]
    torch.testing.assert_close(torch.cat(parts, dim=1), whole, rtol=1e-12, atol=1e-12)


def test_a_window_longer_than_block_size_is_an_error() -> None:
    with pytest.raises(ValueError, match="block_size = 8"):
        model_with()(torch.zeros(1, 9, dtype=torch.long))


@pytest.mark.parametrize("fields", SWITCHES, ids=str)
def test_counting_by_arithmetic_gives_what_the_model_has(fields: dict[str, Any]) -> None:
    config = ModelConfig(**{**SMALL, **fields})
    assert parameters(config, V) == GPT(config, V).parameter_count()


@pytest.mark.parametrize(
    ("preset", "published"),
    [
        ("nanogpt-cpu", 804_096),
        ("nanogpt-gpu", 10_745_088),
        ("lecture-colab", 209_729),
        ("shakespeare-6x6", 10_788_929),
    ],
)
def test_presets_have_the_published_number_of_parameters(preset: str, published: int) -> None:
    assert parameters(PRESETS[preset].config().model, 65) == published


def test_with_a_zero_start_the_untrained_loss_is_exactly_ln_v() -> None:
    model = GPT(ModelConfig(**SMALL, zero_init=True), 65)
    x = torch.randint(65, (8, 8))
    assert model(x, x)[1].item() == pytest.approx(math.log(65), abs=1e-6)


@pytest.mark.parametrize(("preset", "tolerance"), [("quick", 0.25), ("nanogpt-cpu", 0.05), ("shakespeare-6x6", 0.1)])
def test_an_untrained_model_knows_nothing(preset: str, tolerance: float) -> None:
    config = PRESETS[preset].config().model.model_copy(update={"n_layer": 2, "block_size": 32})
    model = GPT(config, 65, torch.Generator().manual_seed(1)).eval()
    x = torch.randint(65, (8, 32), generator=torch.Generator().manual_seed(2))
    _, loss = model(x, x.roll(-1, 1))
    assert loss.item() == pytest.approx(math.log(65), abs=tolerance)


def test_the_same_generator_gives_the_same_weights_whatever_else_was_drawn() -> None:
    first = GPT(ModelConfig(**SMALL), V, torch.Generator().manual_seed(5))
    torch.rand(100)
    second = GPT(ModelConfig(**SMALL), V, torch.Generator().manual_seed(5))
    for (name, a), b in zip(first.named_parameters(), second.parameters(), strict=True):
        assert torch.equal(a, b), name


def test_a_changed_dropout_reaches_every_part() -> None:
    model = GPT(ModelConfig(**SMALL, dropout=0.1, embd_dropout=True), V)
    model.set_dropout(0.5)
    assert {m.p for m in model.modules() if isinstance(m, torch.nn.Dropout)} == {0.5}
    without = GPT(ModelConfig(**SMALL, dropout=0.1, embd_dropout=False), V)
    without.set_dropout(0.5)
    assert without.embedding_dropout.p == 0.0
