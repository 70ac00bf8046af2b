"""Where a model starts: how its weights are drawn, what it knows before its first step, what could never learn."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from small_models import BASES, SMALL, V, single_configs
from torch import Tensor, nn

from gpt_tui.core.config import ModelConfig, find_faults
from gpt_tui.core.model import GPT
from gpt_tui.core.presets import PRESETS

INITS = ("torch", "normal", "gpt2")


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


# Initialisation -----------------------------------------------------------------------------------------------------

EVERY_PART = {
    **{"n_layer": 3, "n_head": 4, "n_embd": 64, "block_size": 64, "position": "learned", "ffn_mult": 4},
    **{"norm": "layernorm", "norm_weight": True, "bias": True, "qkv_bias": True, "head_bias": True},
    "zero_init": False,
}


def assert_normal(p: Tensor, deviation: float, name: str) -> None:
    """Mean, deviation and fourth moment (3 of a normal, 1.8 of a uniform one), within four of their own deviations."""
    n = p.numel()
    assert abs(p.mean().item()) < 4 * deviation / math.sqrt(n), name
    assert p.std().item() == pytest.approx(deviation, rel=4 / math.sqrt(2 * n)), name
    assert ((p / deviation) ** 4).mean().item() == pytest.approx(3, abs=4 * math.sqrt(96 / n)), name


def assert_uniform(p: Tensor, bound: float, name: str) -> None:
    n = p.numel()
    assert p.abs().max().item() <= bound, name
    assert abs(p.mean().item()) < 4 * bound / math.sqrt(3 * n), name
    assert p.square().mean().item() == pytest.approx(bound**2 / 3, rel=4 * math.sqrt(0.8 / n)), name


def test_torch_starts_as_pytorch_s_own_layers_do() -> None:
    """Embeddings N(0, 1); a Linear layer's weights and biases within one over the root of its inputs."""
    for name, p in GPT(ModelConfig(**EVERY_PART, init="torch"), 65, seeded(1)).named_parameters():
        if "embedding" in name:
            assert_normal(p, 1.0, name)
        elif "norm" in name or name == "previous":
            assert (p == float("norm" in name and name.endswith("weight"))).all(), name
        else:
            assert_uniform(p, 1 / math.sqrt(256 if "feed_forward.proj" in name else 64), name)


def test_the_bounds_of_torch_are_those_of_nn_linear() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(5)
        for inputs in (1, 12, 300):
            layer = nn.Linear(inputs, 3000)
            assert_uniform(layer.weight, 1 / math.sqrt(inputs), "weight")
            assert_uniform(layer.bias, 1 / math.sqrt(inputs), "bias")
        assert_normal(nn.Embedding(60, 50).weight, 1.0, "embedding")


@pytest.mark.parametrize("init", ["normal", "gpt2"])
@pytest.mark.parametrize("parts", [("attention", "feed_forward"), ("attention",), ("feed_forward",)], ids="+".join)
def test_normal_and_gpt2_start_at_002_and_gpt2_s_last_layers_smaller_by_the_root_of_how_many_add_up(
    init: str, parts: tuple[str, ...]
) -> None:
    fields = EVERY_PART | {"attention": "attention" in parts, "feed_forward": "feed_forward" in parts, "init": init}
    for name, p in GPT(ModelConfig(**fields), 65, seeded(1)).named_parameters():
        if name.endswith("proj.weight") and init == "gpt2":
            assert_normal(p, 0.02 / math.sqrt(3 * len(parts)), name)
        elif "norm" in name or name.endswith("bias") or name == "previous":
            assert (p == float("norm" in name and name.endswith("weight"))).all(), name
        else:
            assert_normal(p, 0.02, name)


def test_gpt2_s_last_layers_start_as_its_paper_says() -> None:
    """ "We scale the weights of residual layers at initialization by a factor of 1/√N": 24 of them in 12 blocks."""
    config = PRESETS["gpt2"].config().model.model_copy(update={"n_embd": 48, "block_size": 8})
    model = GPT(config, V, seeded(1))
    weights = torch.cat([p.flatten() for name, p in model.named_parameters() if name.endswith("proj.weight")])
    assert_normal(weights, 0.0040825, "0.02 / √24")


@pytest.mark.parametrize("zero_init", [False, True])
@pytest.mark.parametrize("init", INITS)
def test_a_generator_alone_decides_where_every_model_starts(init: str, zero_init: bool) -> None:
    with torch.random.fork_rng():
        for name, config in single_configs().items():
            config = config.model_copy(update={"init": init, "zero_init": zero_init})
            torch.manual_seed(1)
            first = GPT(config, V, seeded(5)).state_dict()
            torch.manual_seed(2)
            second = GPT(config, V, seeded(5)).state_dict()
            other = GPT(config, V, seeded(6)).state_dict()
            assert all(torch.equal(first[key], second[key]) for key in first), name
            assert not torch.equal(first["token_embedding.weight"], other["token_embedding.weight"]), name


def test_without_a_generator_the_default_one_decides() -> None:
    with torch.random.fork_rng():
        weights = []
        for seed in (1, 1, 2):
            torch.manual_seed(seed)
            weights.append(GPT(ModelConfig(**SMALL), V).token_embedding.weight)
        assert torch.equal(weights[0], weights[1])
        assert not torch.equal(weights[0], weights[2])


@pytest.mark.parametrize("init", INITS)
@pytest.mark.parametrize("bias", [False, True])
def test_a_tied_head_s_table_is_the_embedding_s_drawn_once_as_one(init: str, bias: bool) -> None:
    fields = EVERY_PART | {"tied_head": True, "head_bias": bias, "init": init}
    model = GPT(ModelConfig(**fields), 65, seeded(1))
    assert model.head is not None
    assert model.head.weight is model.token_embedding.weight
    if init == "torch":  # as a head begins: an embedding's deviation of 1 would put the logits far off
        assert_uniform(model.head.weight, 1 / math.sqrt(model.config.n_embd), "table")
        return
    assert_normal(model.head.weight, 0.02, "table")
    untied = GPT(ModelConfig(**fields | {"tied_head": False}), 65, seeded(1))
    assert torch.equal(model.head.weight, untied.token_embedding.weight)


@pytest.mark.parametrize("init", ["torch", "normal", "gpt2"])
def test_with_a_tied_head_too_an_untrained_model_is_not_far_from_knowing_nothing(init: str) -> None:
    fields = {"tied_head": True, "init": init, "zero_init": False}
    loss, _ = untrained(PRESETS["quick"].config().model.model_copy(update=fields), 65)
    assert loss == pytest.approx(math.log(65), abs=0.5)


# Before the first step ----------------------------------------------------------------------------------------------


def untrained(config: ModelConfig, vocab_size: int) -> tuple[float, float]:
    """(loss on random tokens, deviation of the logits around each token's mean)"""
    model = GPT(config, vocab_size, seeded(1)).eval()
    B = (2048 if vocab_size < 10_000 else 256) // config.block_size
    x, y = torch.randint(vocab_size, (2, B, config.block_size), generator=seeded(2))
    with torch.no_grad():
        logits, loss = model(x, y)
    assert loss is not None
    return loss.item(), logits.std(dim=-1).square().mean().sqrt().item()


@pytest.mark.parametrize("preset", PRESETS)
def test_an_untrained_model_knows_nothing_its_loss_is_near_ln_v(preset: str) -> None:
    """Random logits of deviation s cost s² / 2 more than none: ln of the mean of e^z, z ~ N(0, s²), is s² / 2."""
    model = PRESETS[preset].config().model
    size: dict[str, Any] = {"n_layer": min(model.n_layer, 2), "block_size": min(model.block_size, 32)}
    if preset.startswith("gpt2"):
        size |= {"n_embd": 64, "n_head": 4}
    vocab_size = PRESETS[preset].vocab_size
    loss, s = untrained(model.model_copy(update=size), vocab_size)
    assert s < (1.05 if model.init == "torch" else 0.5)
    assert loss == pytest.approx(math.log(vocab_size) + s**2 / 2, abs=0.04)


def test_the_bigram_s_untrained_loss_is_half_a_nat_above_ln_v() -> None:
    """Its table is N(0, 1). Where the vocabulary is large, as the formula is of a mean over many."""
    loss, s = untrained(ModelConfig(**BASES["bigram"], init="torch"), 2000)
    assert s == pytest.approx(1.0, abs=0.01)
    assert loss == pytest.approx(math.log(2000) + 0.5, abs=0.05)


def test_after_a_norm_torch_s_head_costs_a_sixth_of_a_nat_at_first() -> None:
    """64 numbers of variance 1, each times a weight uniform within 1/8, so of variance 1/192: s² = 1/3."""
    loss, s = untrained(PRESETS["lecture-colab"].config().model, 65)
    assert s == pytest.approx(math.sqrt(1 / 3), abs=0.06)
    assert loss == pytest.approx(math.log(65) + 1 / 6, abs=0.05)


@pytest.mark.parametrize("init", INITS)
def test_with_a_zero_start_the_untrained_loss_is_exactly_ln_v(init: str) -> None:
    for name, config in single_configs().items():
        if config.head and not config.tied_head:
            model = GPT(config.model_copy(update={"init": init, "zero_init": True}), V, seeded(1))
            x = torch.randint(V, (4, 5), generator=seeded(2))
            logits, loss = model(x, x)
            assert not logits.any(), name
            assert loss.item() == pytest.approx(math.log(V), rel=1e-6), name


@pytest.mark.parametrize("init", INITS)
def test_with_a_zero_start_every_block_begins_as_doing_nothing(init: str) -> None:
    for name, config in single_configs().items():
        if config.residual and config.output_projection:
            start = config.model_copy(update={"init": init, "zero_init": True})
            model = GPT(start, V, seeded(1))
            if model.head is not None:
                nn.init.normal_(model.head.weight, generator=seeded(3))
            x = torch.randint(V, (4, 5), generator=seeded(2))
            logits, _ = model(x)
            model.blocks = nn.ModuleList()
            assert torch.equal(model(x)[0], logits), name


# What could never learn ---------------------------------------------------------------------------------------------


def learn(model: GPT, steps: int) -> Tensor:
    """Take steps of plain gradient descent on "each token follows itself"; the logits after them."""
    x = torch.arange(V)[:, None].repeat(1, 5)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    for _ in range(steps):
        optimizer.zero_grad()
        F.cross_entropy(model(x)[0].view(-1, V), x.view(-1)).backward()
        optimizer.step()
    return model(x)[0].detach()


def assert_blind(logits: Tensor, name: str) -> None:
    """The logits are the same whatever was read, but for the order in which a kernel adds."""
    assert (logits - logits[0, 0]).abs().max() < 1e-6, name


ZERO_WITHOUT_RESIDUAL = {
    name: config.model_copy(update={"zero_init": True, "residual": False, "output_projection": True})
    for name, config in single_configs().items()
    if config.head and (config.attention or config.feed_forward) and not config.tied_head
}


@pytest.mark.parametrize("init", INITS)
def test_a_zero_start_without_residual_is_refused_because_it_would_never_learn(init: str) -> None:
    for name, config in ZERO_WITHOUT_RESIDUAL.items():
        config = config.model_copy(update={"init": init})
        assert [fault.field for fault in find_faults(config.model_dump())[1]] == ["zero_init"], name
        model = GPT(config, V, seeded(1))
        logits = learn(model, steps=3)
        for parameter, p in model.named_parameters():
            assert parameter == "head.bias" or p.grad is None or not p.grad.any(), (name, parameter)
        assert_blind(logits, name)


def test_a_zero_start_without_residual_learns_nothing_of_what_it_reads_under_a_tied_head_either() -> None:
    """Two parts after one another, and no bias that starts elsewhere than at zero: the second is given zeros only."""
    for name, config in ZERO_WITHOUT_RESIDUAL.items():
        if config.attention and config.feed_forward:
            logits = learn(GPT(config.model_copy(update={"tied_head": True, "init": "gpt2"}), V, seeded(1)), steps=3)
            assert_blind(logits, name)


def test_a_zero_start_with_a_residual_stream_does_learn() -> None:
    for name, config in ZERO_WITHOUT_RESIDUAL.items():
        model = GPT(config.model_copy(update={"residual": True}), V, seeded(1))
        logits = learn(model, steps=3)
        assert (logits - logits[0, 0]).abs().max() > 1e-3, name
        ends = {parameter: p for parameter, p in model.named_parameters() if parameter.endswith("proj.weight")}
        assert all(p.any() for p in ends.values()), (name, list(ends))
