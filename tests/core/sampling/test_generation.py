"""A cache, a batch and a frozen model change what a text costs, but not the text.

The reference is a model without any of them, to which whole windows are given: `windows` writes the two rules out.
"""

from __future__ import annotations

import copy
from collections.abc import Generator
from itertools import islice
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gpt_tui.core.config import ModelConfig, SamplingConfig
from gpt_tui.core.model import GPT
from gpt_tui.core.sampling import choose, draws, draws_together, freeze, make_sampler

V = 11
RULES = ["half", "full"]


def speaking_model(seed: int = 3, **fields: Any) -> GPT:
    """In float64, with weights so large that no two tokens are nearly as likely."""
    config = ModelConfig(**{"n_layer": 2, "n_head": 2, "n_embd": 12, "block_size": 8, **fields})
    model = GPT(config, V).double().eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(0.5 * torch.randn(p.shape, generator=generator, dtype=torch.float64))
    return model


def windows(rule: str, block: int, prompt: list[int]) -> Generator[list[int], int, None]:
    """The window for each next token, which is sent back. full: the last `block` tokens, as nanoGPT takes them. half:
    a window that is full keeps its newest half."""
    text, window = list(prompt), prompt[-block:]
    while True:
        token = yield window if rule == "half" else text[-block:]
        text.append(token)
        if len(window) == block:
            window = window[block - block // 2 :]
        window = [*window, token]


def uncached(model: GPT, prompt: list[int], sampling: SamplingConfig, seeds: list[int], count: int) -> list[list[int]]:
    """A text a seed."""
    samplers, texts = [make_sampler(seed) for seed in seeds], [list[int]() for _ in seeds]
    sliding = [windows(sampling.window_rule, model.config.block_size, prompt) for _ in seeds]
    shown = [next(window) for window in sliding]
    for _ in range(count):
        with torch.no_grad():
            logits, _ = model(torch.tensor(shown))
        for text, rows, sampler in zip(texts, logits[:, -1].double().numpy(), samplers, strict=True):
            text.append(choose(rows, sampling, sampler))
        shown = [window.send(text[-1]) for window, text in zip(sliding, texts, strict=True)]
    return texts


def together(model: GPT, prompt: list[int], sampling: SamplingConfig, seeds: list[int], count: int) -> list[list[int]]:
    samplers = [make_sampler(seed) for seed in seeds]
    drawn = islice(draws_together(model, [prompt] * len(seeds), sampling, samplers), count)
    return [list(text) for text in zip(*([draw.token for draw in step] for step in drawn), strict=True)]


@st.composite
def models(draw: st.DrawFn) -> GPT:
    """Of every kind that the switches make."""
    attention, projection = draw(st.booleans()), draw(st.booleans())
    return speaking_model(
        draw(st.integers(0, 1000)),
        n_layer=draw(st.integers(1, 2)),
        n_head=draw(st.sampled_from([1, 3])),
        block_size=draw(st.integers(1, 9)),
        position=draw(st.sampled_from(["none", "learned", "rotary"])),
        mix_previous=draw(st.booleans()),
        attention=attention,
        qk_norm=draw(st.booleans()),
        qkv_bias=draw(st.booleans()),
        feed_forward=draw(st.booleans()),
        activation=draw(st.sampled_from(["relu", "gelu", "gelu_tanh", "relu2", "swiglu"])),
        residual=draw(st.booleans()),
        output_projection=projection,
        ffn_mult=2.0 if projection else 1.0,
        norm=draw(st.sampled_from(["none", "layernorm", "rmsnorm"])),
        norm_weight=draw(st.booleans()),
        bias=draw(st.booleans()),
        tied_head=draw(st.booleans()),
    )


@settings(max_examples=60)
@given(
    models(),
    st.lists(st.integers(0, V - 1), min_size=1, max_size=20),
    st.sampled_from(RULES),
    st.sampled_from([0.0, 1.0]),
    st.lists(st.integers(0, 99), min_size=1, max_size=3),
    st.booleans(),
)
def test_every_text_is_the_uncached_one(
    model: GPT, prompt: list[int], rule: Any, temperature: float, seeds: list[int], frozen: bool
) -> None:
    sampling = SamplingConfig(temperature=temperature, window_rule=rule)
    expected = uncached(model, prompt, sampling, seeds, 30)
    assert together(freeze(model) if frozen else model, prompt, sampling, seeds, 30) == expected


@pytest.mark.parametrize("frozen", [pytest.param(False, marks=pytest.mark.soak), True])
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("position", ["learned", "rotary"])
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_a_long_text_is_the_uncached_one(rule: Any, position: str, temperature: float, frozen: bool) -> None:
    model, seeds = speaking_model(position=position, block_size=32), [1, 2, 3]
    sampling = SamplingConfig(temperature=temperature, window_rule=rule)
    expected = uncached(model, [1, 2], sampling, seeds, 1200)
    assert together(freeze(model) if frozen else model, [1, 2], sampling, seeds, 1200) == expected
    assert (temperature == 0) == (expected[0] == expected[1])


def test_texts_that_begin_differently_are_computed_at_once_too() -> None:
    model = speaking_model(mix_previous=True)
    prompts, samplers = [[1, 2, 3], [4, 5, 6]], [make_sampler(seed) for seed in (1, 2)]
    drawn = list(islice(draws_together(model, prompts, SamplingConfig(), samplers), 30))
    for number, (prompt, seed) in enumerate(zip(prompts, (1, 2), strict=True)):
        (alone,) = uncached(model, prompt, SamplingConfig(), [seed], 30)
        assert [step[number].token for step in drawn] == alone


def test_the_default_rule_shows_between_half_a_window_and_a_whole_one() -> None:
    assert SamplingConfig().window_rule == "half"
    model, sizes = speaking_model(block_size=8), []
    read = model.forward

    def watched(idx: torch.Tensor, cache: Any, newest: bool) -> Any:
        out = read(idx, cache=cache, newest=newest)
        sizes.append(cache.length)
        return out

    model.forward = watched  # type: ignore[method-assign, assignment]
    list(islice(draws(model, [1], SamplingConfig(), make_sampler(1)), 50))
    assert (min(sizes[8:]), max(sizes[8:])) == (5, 8)  # half a window, and the token that made it too long


@settings(max_examples=60)
@given(models(), st.sampled_from(["float32", "bfloat16"]), st.integers(1, 3))
def test_a_frozen_model_computes_the_same_in_every_kind(model: GPT, dtype: str, texts: int) -> None:
    idx = torch.randint(0, V, (texts, model.config.block_size), generator=torch.Generator().manual_seed(1))
    expected, _ = model(idx)
    frozen = freeze(model.float(), dtype)
    cache = frozen.make_cache(texts)
    with torch.no_grad():
        steps = [frozen(idx[:, at : at + 1], cache=cache)[0] for at in range(idx.size(1))]
    found = torch.cat(steps, dim=1).double()
    deviation = expected.std() + 1e-6
    assert (found - expected).abs().max() / deviation < (1e-4 if dtype == "float32" else 0.3)


# A real shape: the number formats, and how far they lead away --------------------------------------------------------

# Of the deviation of a model's logits over its vocabulary: how far the logits of a frozen one may be from those of the
# same weights in float64. docs/sampling.md tells them.
FARTHEST = {"float32": 1e-4, "bfloat16": 0.15}


@pytest.mark.parametrize(
    ("rule", "texts", "tokens"),
    [
        ("half", 1, 1000),
        ("half", 3, 150),
        ("full", 1, 150),
        ("full", 3, 150),
        pytest.param("half", 4, 1000, marks=pytest.mark.soak),
        pytest.param("full", 4, 1000, marks=pytest.mark.soak),
    ],
)
@pytest.mark.parametrize("position", ["learned", "rotary"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_logits_agree_within_what_is_stated(dtype: str, position: str, rule: Any, texts: int, tokens: int) -> None:
    parts = {"norm": "layernorm", "norm_weight": True, "activation": "gelu", "zero_init": False}
    sizes = {"n_layer": 4, "n_head": 4, "n_embd": 128, "block_size": 64, "ffn_mult": 2.0}
    config = ModelConfig(**sizes, **parts, position=position, qk_norm=position == "rotary")
    model = GPT(config, 65, torch.Generator().manual_seed(5)).eval()
    exact = copy.deepcopy(model).double()
    sampling = SamplingConfig(temperature=1, window_rule=rule)
    samplers = [make_sampler(seed) for seed in range(texts)]
    drawn = islice(draws_together(freeze(model, dtype), [[1]] * texts, sampling, samplers), tokens)
    shown = [windows(rule, 64, [1]) for _ in range(texts)]
    seen = [next(window) for window in shown]
    worst, compared = 0.0, 0
    for at, step in enumerate(drawn):
        if at % 9 == 0 or (rule == "half" and len(seen[0]) > 62):  # not all: the reference is slow
            with torch.no_grad():
                logits, _ = exact(torch.tensor(seen))
            for draw, row in zip(step, logits[:, -1].numpy(), strict=True):
                worst = max(worst, np.abs(draw.logits[-1] - row).max() / row.std())
            compared += len(seen[0]) == 64
        seen = [window.send(draw.token) for window, draw in zip(shown, step, strict=True)]
    assert compared > 2
    assert worst < FARTHEST[dtype]
    assert dtype == "float32" or worst > FARTHEST["float32"]  # which is no float32 by another name


def test_a_frozen_model_is_the_same_model_to_who_reads_a_whole_text() -> None:
    model = speaking_model().float()
    idx, targets = torch.randint(0, V, (2, 8)), torch.randint(0, V, (2, 8))
    logits, loss = model(idx, targets)
    frozen = freeze(model)
    with torch.no_grad():
        for p in model.parameters():  # learning goes on
            p.zero_()
    again, loss_again = frozen(idx, targets)
    assert loss is not None
    assert loss_again is not None
    torch.testing.assert_close(again, logits, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(loss_again, loss, rtol=1e-4, atol=1e-4)
    assert not any(p.requires_grad for p in frozen.parameters())
    assert frozen.parameter_count() == model.parameter_count()
    assert all(p.requires_grad for p in model.parameters())
    assert freeze(frozen) is frozen


def test_a_window_that_is_full_is_refused_by_a_frozen_model_too() -> None:
    frozen = freeze(speaking_model())
    cache = frozen.make_cache()
    with torch.no_grad():
        frozen(torch.zeros(1, 8, dtype=torch.long), cache=cache)
        with pytest.raises(ValueError, match="block_size = 8"):
            frozen(torch.zeros(1, 1, dtype=torch.long), cache=cache)


def test_a_small_model_speaks_with_one_thread_and_a_large_one_with_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "8")  # which decides how many there are
    config = ModelConfig(n_layer=1, n_head=1, n_embd=64)
    assert freeze(GPT(config, 65)).threads() == 1
    assert freeze(GPT(config, 20_000), "float32").threads() == 2  # 10 MB
    assert freeze(GPT(config, 20_000), "bfloat16").threads() == 1
    assert freeze(GPT(config, 120_000)).threads() == 8
    assert freeze(GPT(config, 120_000)).threads(beside=True) == 1  # 8 million parameters
    monkeypatch.setattr("gpt_tui.core.sampling.frozen.SMALL", 1_000_000)
    assert freeze(GPT(config, 120_000)).threads(beside=True) == 8


def test_a_frozen_model_refuses_to_be_moved() -> None:
    frozen = freeze(speaking_model().float())
    assert frozen.dtype == "float32"
    for move in (frozen.double, frozen.half, lambda: frozen.to("cpu"), lambda: frozen.to(torch.bfloat16)):
        with pytest.raises(TypeError, match="move the model, and freeze that"):
            move()
    assert freeze(speaking_model()).dtype == "float64"


@settings(max_examples=30)
@given(models(), st.booleans(), st.booleans(), st.integers(1, 3))
def test_the_newest_logits_alone_are_the_last_of_all(model: GPT, frozen: bool, cached: bool, texts: int) -> None:
    model = freeze(model) if frozen else model
    idx = torch.randint(0, V, (texts, model.config.block_size), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        whole, _ = model(idx, cache=model.make_cache(texts) if cached else None)
        newest, _ = model(idx, cache=model.make_cache(texts) if cached else None, newest=True)
    torch.testing.assert_close(newest, whole[:, -1:], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("rule", RULES)
def test_only_of_a_prompt_are_all_logits_computed(rule: Any) -> None:
    model, sampling = speaking_model(block_size=8), SamplingConfig(window_rule=rule)
    for prompts in ([[1, 2, 3]], [[1, 2, 3], [4, 5, 6]]):
        samplers = [make_sampler(seed) for seed in range(len(prompts))]
        drawn = list(islice(draws_together(model, prompts, sampling, samplers), 30))
        assert [[len(draw.logits) for draw in step] for step in drawn] == [
            [3 if at == 0 else 1] * len(prompts) for at in range(30)
        ]
