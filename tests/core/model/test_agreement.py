"""The model's logits, loss and gradients are those of formulas written down apart from it."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy_gpt
import pytest
import torch
import torch.nn.functional as F
from numpy_gpt import bend, norm, rotate
from small_models import BASES, SMALL, SWITCHES, V, arrays, pairs_with, single_configs, small_model, some_ids

from gpt_tui.core.config import FIELDS, ModelConfig, idle
from gpt_tui.core.model import GPT
from gpt_tui.core.presets import PRESETS

SINGLE = single_configs()
PAIRS = {(base, first): found for base in BASES for first in SWITCHES if (found := pairs_with(base, first))}


def check(name: str, config: ModelConfig) -> None:
    model = small_model(config)
    ids, targets = some_ids(config.block_size)
    logits, loss = model(torch.tensor([ids]), torch.tensor([targets]))
    expected = numpy_gpt.logits(config, arrays(model), ids)
    np.testing.assert_allclose(logits[0].detach().numpy(), expected, rtol=1e-9, atol=1e-10, err_msg=name)
    # The model takes the loss in float32, whatever its own precision.
    assert loss.item() == pytest.approx(numpy_gpt.loss(expected, targets), rel=1e-6), name


# The formulas themselves, by hand -----------------------------------------------------------------------------------

BIGRAM = ModelConfig(**BASES["bigram"])
LONE_HEAD = ModelConfig(
    **BASES["bare"] | {"n_head": 1, "n_embd": 2, "feed_forward": False, "position": "none", "head_bias": False}
)


def test_by_hand_the_bigram_s_logits_are_rows_of_its_table() -> None:
    table = np.array([[0.0, math.log(3)], [math.log(9), 0.0]])
    w = {"token_embedding.weight": table}
    assert numpy_gpt.logits(BIGRAM, w, [1, 0, 1]).tolist() == [table[1].tolist(), table[0].tolist(), table[1].tolist()]
    # softmax of (0, ln 3) is (1/4, 3/4), of (ln 9, 0) it is (9/10, 1/10)
    assert numpy_gpt.loss(table, [1, 1]) == pytest.approx((math.log(4 / 3) + math.log(10)) / 2)


def test_by_hand_attention_without_queries_and_keys_is_the_mean_of_the_values_so_far() -> None:
    values = np.array([[1.0, 2.0], [3.0, -2.0], [8.0, 6.0]])
    no_questions = np.vstack([np.zeros((4, 2)), np.eye(2)])
    w = {"token_embedding.weight": values, "blocks.0.attention.qkv.weight": no_questions, "head.weight": np.eye(2)}
    found = numpy_gpt.logits(LONE_HEAD, w, [0, 1, 2])
    np.testing.assert_allclose(found, [[1, 2], [2, 0], [4, 2]], rtol=1e-15)


def test_by_hand_a_query_takes_the_larger_share_of_the_key_it_meets() -> None:
    # q = k = v = the embedding: the second token's scores are 0 and a²/√2 = ln 3, so its shares are 1/4 and 3/4.
    a = math.sqrt(math.sqrt(2) * math.log(3))
    w = {"token_embedding.weight": np.array([[0.0, a], [a, 0.0]]), "head.weight": np.eye(2)}
    w["blocks.0.attention.qkv.weight"] = np.vstack([np.eye(2)] * 3)
    np.testing.assert_allclose(numpy_gpt.logits(LONE_HEAD, w, [0, 1]), [[0, a], [0.75 * a, 0.25 * a]], atol=1e-15)


def test_by_hand_norms_and_activations_have_their_known_values() -> None:
    plain = {"norm_weight": False}
    assert norm(ModelConfig(norm="layernorm", **plain), {}, "", np.array([1.0, 5.0])) == pytest.approx(
        [-1, 1], abs=1e-5
    )
    assert norm(ModelConfig(norm="rmsnorm", **plain), {}, "", np.array([1.0, 7.0])) == pytest.approx([0.2, 1.4])
    w = {"n.weight": np.array([2.0, 3.0]), "n.bias": np.array([10.0, 20.0])}
    learned = ModelConfig(norm="layernorm", norm_weight=True, bias=True)
    assert norm(learned, w, "n", np.array([1.0, 5.0])) == pytest.approx([8, 23], abs=1e-4)
    assert [bend("relu", -2), bend("relu", 2), bend("relu2", -3), bend("relu2", 3)] == [0, 2, 0, 9]
    # v Φ(v) with Φ of a table of the normal distribution; its tanh approximation; the logistic function at 1
    assert [bend("gelu", 1), bend("gelu", -1)] == pytest.approx([0.841345, -0.158655], abs=1e-6)
    assert [bend("gelu_tanh", 1), bend("gelu_tanh", -1)] == pytest.approx([0.841192, -0.158808], abs=1e-6)
    assert [bend("silu", 1), bend("silu", 0)] == pytest.approx([0.731059, 0], abs=1e-6)


def test_by_hand_a_rotation_turns_by_one_radian_a_place_and_only_distances_matter() -> None:
    assert rotate(np.array([1.0, 0.0]), 1) == pytest.approx([0.540302, 0.841471], abs=1e-6)
    assert rotate(np.array([0.0, 1.0, 0.0, 0.0]), 3) == pytest.approx([0, math.cos(0.03), 0, math.sin(0.03)], abs=1e-6)
    q, k = np.array([0.3, -1.0, 2.0, 0.7]), np.array([1.5, 0.2, -0.4, 1.1])
    assert rotate(q, 7) @ rotate(k, 4) == pytest.approx(rotate(q, 3) @ k, abs=1e-6)


# Logits and loss ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("base", BASES)
def test_logits_and_loss_are_those_of_plain_numpy_for_every_switch(base: str) -> None:
    for name, config in single_configs(base).items():
        check(name, config)


@pytest.mark.soak
@pytest.mark.parametrize(("base", "first"), PAIRS, ids=lambda word: word)
def test_logits_and_loss_are_those_of_plain_numpy_for_every_pair_of_switches(base: str, first: str) -> None:
    for name, config in PAIRS[base, first].items():
        check(name, config)


@pytest.mark.parametrize("preset", PRESETS)
def test_logits_and_loss_are_those_of_plain_numpy_for_every_preset_made_small(preset: str) -> None:
    model = PRESETS[preset].config().model
    size = SMALL | {"n_layer": min(model.n_layer, 3), "n_head": min(model.n_head, 3)}
    check(preset, model.model_copy(update=size))


def test_every_value_of_every_switch_is_compared() -> None:
    for switch in SWITCHES:
        seen = {getattr(config, switch) for config in SINGLE.values()}
        spec = FIELDS[switch]
        assert seen >= set(spec.choices if spec.kind == "choice" else (True, False) if spec.kind == "bool" else ())
        assert len(seen) > 1, switch


def test_in_float32_the_logits_are_those_of_plain_numpy_as_far_as_float32_reaches() -> None:
    for name, config in SINGLE.items():
        model = small_model(config, dtype=torch.float32)
        ids, _ = some_ids(config.block_size)
        expected = numpy_gpt.logits(config, arrays(model), ids)
        np.testing.assert_allclose(model(torch.tensor([ids]))[0][0].detach().numpy(), expected, atol=2e-5, err_msg=name)


def test_each_sequence_of_a_batch_is_by_itself() -> None:
    for config in (SINGLE["modern"], SINGLE["lecture"]):
        model = small_model(config)
        batch = [[3, 1, 4, 1, 5], [9, 2, 6, 5, 3], [3, 1, 4, 1, 6]]
        logits, loss = model(torch.tensor(batch), torch.tensor(batch))
        expected = [numpy_gpt.logits(config, arrays(model), ids) for ids in batch]
        np.testing.assert_allclose(logits.detach().numpy(), expected, rtol=1e-9, atol=1e-10)
        losses = [numpy_gpt.loss(rows, ids) for rows, ids in zip(expected, batch, strict=True)]
        assert loss.item() == pytest.approx(np.mean(losses), rel=1e-6)


@pytest.mark.parametrize("base", BASES)
def test_a_switch_changes_the_model_unless_it_is_said_to_have_no_effect(base: str) -> None:
    def function(config: ModelConfig) -> tuple[object, ...]:
        model = small_model(config)
        logits = model(torch.tensor([some_ids(5)[0]]))[0]
        return [(name, tuple(p.shape)) for name, p in model.named_parameters()], logits.tolist()

    def without_effect(config: ModelConfig) -> set[str]:
        return set(idle({name: spec.default for name, spec in FIELDS.items()} | config.model_dump()))

    start = SINGLE[base]
    for name, config in single_configs(base).items():
        changed = {switch for switch in SWITCHES if getattr(config, switch) != getattr(start, switch)}
        if changed == {"block_size"}:  # how long a window may be
            continue
        no_effect = changed <= without_effect(start) | without_effect(config)
        assert (function(config) == function(start)) == no_effect, name


# Gradients ----------------------------------------------------------------------------------------------------------


def check_gradients(name: str, model: GPT, ids: list[int], targets: list[int]) -> None:
    """Backward's gradients against (loss(p + h) - loss(p - h)) / 2h: the largest of each tensor, and one at random."""
    x, y = torch.tensor([ids]), torch.tensor(targets)

    def loss() -> torch.Tensor:
        torch.manual_seed(7)  # in training, dropout hides the same each time
        return F.cross_entropy(model(x)[0][0], y)

    loss().backward()
    rng = np.random.default_rng(0)
    for parameter, p in model.named_parameters():
        assert p.grad is not None, (name, parameter)
        largest = np.unravel_index(int(p.grad.abs().argmax()), p.shape)
        for place in (tuple(largest), tuple(rng.integers(size) for size in p.shape)):
            slope = central_difference(loss, p, place)
            assert p.grad[place].item() == pytest.approx(slope, rel=1e-5, abs=1e-9), (name, parameter, place)


@torch.no_grad()
def central_difference(loss: Callable[[], torch.Tensor], p: torch.Tensor, place: tuple[int, ...]) -> float:
    kept, step = p[place].item(), 1e-5
    p[place] = kept + step
    above = loss().item()
    p[place] = kept - step
    below = loss().item()
    p[place] = kept
    return (above - below) / (2 * step)


@pytest.mark.parametrize("base", BASES)
def test_gradients_are_those_of_finite_differences_for_every_switch(base: str) -> None:
    for name, config in single_configs(base).items():
        check_gradients(name, small_model(config), *some_ids(4))


@pytest.mark.parametrize("base", BASES)
def test_gradients_are_those_of_finite_differences_through_dropout(base: str) -> None:
    config = SINGLE[base].model_copy(update={"dropout": 0.3, "embd_dropout": True, "n_layer": 2})
    with torch.random.fork_rng():
        check_gradients(base, small_model(config).train(), *some_ids(5))


def test_the_loss_sends_back_the_gradient_of_its_logits_in_float32() -> None:
    model = small_model(SINGLE["modern"], dtype=torch.float32)
    ids, targets = (torch.tensor([some]) for some in some_ids(5))
    logits, loss = model(ids, targets)
    (found,) = torch.autograd.grad(loss, logits)
    expected = (logits.double().softmax(-1) - F.one_hot(targets, V)) / 5  # (p - y) / N
    torch.testing.assert_close(found.double(), expected.detach(), rtol=1e-5, atol=1e-7)


def test_heads_that_do_not_divide_the_width_are_an_error_before_anything_is_computed() -> None:
    with pytest.raises(ValueError, match="n_head = 3 must divide n_embd = 128"):
        GPT(ModelConfig(n_head=3), 65)
