"""The attention that the lens tells is the one by which the model computes."""

from __future__ import annotations

import math
import threading
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gpt_tui.core.config import ModelConfig
from gpt_tui.core.errors import GptTuiError
from gpt_tui.core.lens import attention
from gpt_tui.core.model import GPT

V = 11
Array = np.ndarray

switches = st.fixed_dictionaries(
    {
        "n_layer": st.integers(1, 3),
        "n_head": st.sampled_from([1, 2, 3]),
        "block_size": st.integers(1, 9),
        "position": st.sampled_from(["none", "learned", "rotary"]),
        "mix_previous": st.booleans(),
        "qkv_bias": st.booleans(),
        "qk_norm": st.booleans(),
        "residual": st.booleans(),
        "feed_forward": st.booleans(),
        "output_projection": st.booleans(),
        "norm": st.sampled_from(["none", "layernorm", "rmsnorm"]),
        "dropout": st.sampled_from([0.0, 0.4]),
    }
)


def made(seed: int = 0, **fields: Any) -> GPT:
    """A model whose every parameter is drawn, so that no switch is hidden by a zero."""
    model = GPT(ModelConfig(**{"n_layer": 2, "n_head": 2, "n_embd": 12, "block_size": 6, "ffn_mult": 1.0, **fields}), V)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(0.4 * torch.randn(p.shape, generator=generator))
    return model.eval()


def some_tokens(count: int, seed: int = 1) -> Array:
    return np.random.default_rng(seed).integers(0, V, count)


def inputs_of(model: GPT, tokens: Array) -> list[Array]:
    """What each block's attention is given, (T, C), as the model computes."""
    found: list[Array] = []

    def keep(_: Any, inputs: tuple[Any, ...]) -> None:
        found.append(inputs[0][0].double().numpy())

    hooks = [block.attention.register_forward_pre_hook(keep) for block in model.blocks]
    with torch.no_grad():
        model(torch.tensor(tokens)[None])
    for hook in hooks:
        hook.remove()
    return found


def by_hand(model: GPT, layer: int, x: Array) -> tuple[Array, Array]:
    """Weights (H, T, T) and values (H, T, D) of one layer for its input x (T, C), in float64, a pair at a time."""
    config, part = model.config, model.blocks[layer].attention
    weight = part.qkv.weight.detach().double().numpy()
    bias = part.qkv.bias.detach().double().numpy() if config.qkv_bias else np.zeros(len(weight))
    T, C, H = len(x), config.n_embd, config.n_head
    D = C // H
    found, values = np.zeros((H, T, T)), np.zeros((H, T, D))
    for h in range(H):
        rows = [slice(part_ * C + h * D, part_ * C + (h + 1) * D) for part_ in range(3)]
        q, k, v = ([weight[r] @ x[t] + bias[r] for t in range(T)] for r in rows)
        values[h] = v
        if config.qk_norm:
            eps = np.finfo(np.float64).eps
            q, k = ([one / math.sqrt(one @ one / D + eps) for one in many] for many in (q, k))
        if config.position == "rotary":
            q, k = ([turned(one, t) for t, one in enumerate(many)] for many in (q, k))
        for t in range(T):
            scores = [q[t] @ k[s] / math.sqrt(D) for s in range(t + 1)]
            powers = [math.exp(score - max(scores)) for score in scores]
            for s in range(t + 1):
                found[h, t, s] = powers[s] / sum(powers)
    return found, values


def turned(x: Array, position: int) -> Array:
    """Numbers i and i + D/2 are a point of the plane, which turns by position / 10,000^(2i / D)."""
    half, out = len(x) // 2, x.copy()
    for i in range(half):
        angle = position / 10_000 ** (2 * i / len(x))
        out[i] = x[i] * math.cos(angle) - x[i + half] * math.sin(angle)
        out[i + half] = x[i] * math.sin(angle) + x[i + half] * math.cos(angle)
    return out


@settings(max_examples=60)
@given(fields=switches, seed=st.integers(0, 99))
def test_the_weights_are_those_of_the_formula_whatever_the_switches(fields: dict[str, Any], seed: int) -> None:
    model = made(seed, **fields).double()
    tokens = some_tokens(fields["block_size"], seed)
    weights = attention(model, tokens)
    T = len(tokens)
    assert weights.shape == (fields["n_layer"], fields["n_head"], T, T)
    assert weights.dtype == np.float32
    np.testing.assert_allclose(weights.sum(-1), 1, rtol=1e-5)
    assert (np.triu(weights, 1) == 0).all(), "nobody looks into the future"
    for layer, x in enumerate(inputs_of(model, tokens)):
        np.testing.assert_allclose(weights[layer], by_hand(model, layer, x)[0], rtol=1e-4, atol=1e-6)


@settings(max_examples=60)
@given(fields=switches, seed=st.integers(0, 99))
def test_the_values_in_these_shares_are_what_the_model_s_attention_gives(fields: dict[str, Any], seed: int) -> None:
    model = made(seed, **fields).double()
    tokens = some_tokens(fields["block_size"], seed)
    weights = attention(model, tokens)
    for layer, x in enumerate(inputs_of(model, tokens)):
        part = model.blocks[layer].attention
        values = by_hand(model, layer, x)[1]
        taken = np.concatenate(list(weights[layer].astype(np.float64) @ values), axis=-1)  # (T, C)
        with torch.no_grad():
            expected = part(torch.tensor(x)[None], 0, None)[0].numpy()
            projected = part.proj(torch.tensor(taken)).numpy()
        np.testing.assert_allclose(projected, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("learning", [True, False])
def test_a_model_that_was_looked_into_is_as_it_was(learning: bool) -> None:
    model = made(dropout=0.3).train(learning)
    tokens = torch.tensor(some_tokens(6))[None]
    before = {name: p.clone() for name, p in model.state_dict().items()}
    torch.manual_seed(7)
    expected, _ = model(tokens)
    torch.manual_seed(7)
    drawn = torch.get_rng_state()
    attention(model, some_tokens(6))
    assert torch.equal(torch.get_rng_state(), drawn), "dropout drew numbers"
    assert model.training is learning
    assert torch.equal(model(tokens)[0], expected), "a hook is left behind, or another mode"
    assert all(torch.equal(p, before[name]) for name, p in model.state_dict().items())
    assert not any(block.attention._forward_pre_hooks for block in model.blocks)


def test_looking_at_a_model_that_learns_shows_it_without_dropout() -> None:
    tokens = some_tokens(6)
    model = made(dropout=0.9)
    np.testing.assert_array_equal(attention(model.train(), tokens), attention(model.eval(), tokens))


def test_the_last_rows_alone_are_the_last_rows_of_all() -> None:
    model, tokens = made(), some_tokens(6)
    np.testing.assert_array_equal(attention(model, tokens, first=4), attention(model, tokens)[:, :, 4:])


def test_a_model_without_attention_says_so() -> None:
    model = made(attention=False)
    with pytest.raises(GptTuiError, match="no attention"):
        attention(model, some_tokens(3))


def test_a_window_that_is_too_long_is_refused_and_leaves_no_hook() -> None:
    model = made()
    with pytest.raises(ValueError, match="block_size = 6"):
        attention(model, some_tokens(7))
    assert not any(block.attention._forward_pre_hooks for block in model.blocks)


def test_a_model_that_speaks_in_another_thread_meanwhile_is_not_mixed_in() -> None:
    model, tokens = made(), some_tokens(6)
    expected = attention(model, tokens)
    real = model.forward

    def speaking(ids: torch.Tensor) -> Any:
        beside = threading.Thread(target=real, args=(ids[:, :3],))
        beside.start()
        beside.join()
        return real(ids)

    model.forward = speaking
    np.testing.assert_array_equal(attention(model, tokens), expected)
