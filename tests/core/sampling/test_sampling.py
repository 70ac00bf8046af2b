"""Sampling does what the filters' papers say, and a cache changes the cost of a text but not the text."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gpt_tui.core.config import ModelConfig, RunConfig, SamplingConfig
from gpt_tui.core.data import ByteTokenizer, CharTokenizer, UnknownCharacter
from gpt_tui.core.lens import surprise
from gpt_tui.core.memory import OutOfMemory
from gpt_tui.core.model import GPT
from gpt_tui.core.sampling import (
    Misfit,
    Speaker,
    choose,
    default_prompt,
    generate,
    keep_min_p,
    keep_top_k,
    keep_top_p,
    log_probabilities,
    make_sampler,
    sample_text,
)
from gpt_tui.core.sampling import speaker as speaking

V = 11
logits_of_some_tokens = arrays(np.float64, st.integers(2, 30), elements=st.sampled_from([-4.0, -1.0, 0.0, 0.5, 3.0]))


def speaking_model(**fields: Any) -> GPT:
    config = ModelConfig(**{"n_layer": 2, "n_head": 2, "n_embd": 12, "block_size": 8, **fields})
    model = GPT(config, V).double().eval()
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(0.5 * torch.randn(p.shape, generator=generator, dtype=torch.float64))
    return model


def kept(logits: np.ndarray) -> set[int]:
    return set(np.flatnonzero(logits > -np.inf).tolist())


def likeliest_first(logits: np.ndarray) -> list[int]:
    return sorted(range(len(logits)), key=lambda i: (-logits[i], i))


@given(logits_of_some_tokens, st.integers(1, 30))
def test_top_k_keeps_k_and_ties_do_not_leak(logits: np.ndarray, k: int) -> None:
    assert kept(keep_top_k(logits, k)) == set(likeliest_first(logits)[:k])


@given(logits_of_some_tokens, st.floats(0.01, 1.0))
def test_top_p_keeps_the_fewest_that_hold_p(logits: np.ndarray, p: float) -> None:
    weights = [math.exp(v) for v in logits]
    total, nucleus = 0.0, set()
    for i in likeliest_first(logits):
        if total >= p - 1e-12:
            break
        nucleus.add(i)
        total += weights[i] / sum(weights)
    found = kept(keep_top_p(logits, p))
    # Where the sum meets p but for rounding, one token more or less is right too.
    assert len(found ^ nucleus) <= 1
    assert likeliest_first(logits)[0] in found


@given(logits_of_some_tokens, st.floats(0.01, 1.0))
def test_min_p_keeps_what_is_likely_enough_beside_the_likeliest(logits: np.ndarray, p: float) -> None:
    chances = np.exp(logits) / np.exp(logits).sum()
    certain = {i for i, c in enumerate(chances) if c > p * chances.max() * (1 + 1e-9)}
    possible = {i for i, c in enumerate(chances) if c > p * chances.max() * (1 - 1e-9)}
    assert certain <= kept(keep_min_p(logits, p)) <= possible


@given(logits_of_some_tokens)
def test_log_probabilities_are_a_distribution(logits: np.ndarray) -> None:
    assert np.exp(log_probabilities(logits)).sum() == pytest.approx(1)


def test_draws_follow_the_probabilities() -> None:
    logits, sampler = np.log(np.array([0.5, 0.3, 0.15, 0.05])), make_sampler(1)
    drawn = np.bincount([choose(logits, SamplingConfig(temperature=1), sampler) for _ in range(20_000)], minlength=4)
    np.testing.assert_allclose(drawn / 20_000, [0.5, 0.3, 0.15, 0.05], atol=0.015)


def test_temperature_sharpens_before_the_filters_and_zero_is_greedy() -> None:
    logits = np.log(np.array([0.4, 0.35, 0.25]))
    cold = SamplingConfig(temperature=0.1, top_p=0.6)
    # At temperature 0.1 the first two hold 0.4^10 : 0.35^10, so the first alone holds more than 0.6.
    assert {choose(logits, cold, make_sampler(s)) for s in range(50)} == {0}
    assert {choose(logits, SamplingConfig(temperature=0), make_sampler(s)) for s in range(50)} == {0}
    warm = SamplingConfig(temperature=1, top_p=0.6)
    assert {choose(logits, warm, make_sampler(s)) for s in range(50)} == {0, 1}


def test_logprobs_are_the_models_own_before_temperature_and_filters() -> None:
    model = speaking_model()
    sampling = SamplingConfig(temperature=0.3, top_k=1, max_new_tokens=5)
    window = [1]
    for token, logprob in generate(model, [1], sampling, make_sampler(7)):
        logits, _ = model(torch.tensor([window]))
        assert logprob == pytest.approx(torch.log_softmax(logits[0, -1], -1)[token].item())
        window.append(token)


def test_speaking_leaves_a_training_model_training_and_its_dropout_untouched() -> None:
    model = speaking_model(dropout=0.5).train()
    state = torch.get_rng_state()
    text = list(generate(model, [1], SamplingConfig(max_new_tokens=10), make_sampler(7)))
    assert model.training
    assert torch.equal(torch.get_rng_state(), state)
    assert text == list(generate(model.eval(), [1], SamplingConfig(max_new_tokens=10), make_sampler(7)))


def test_without_a_prompt_it_starts_from_a_newline_where_there_is_one() -> None:
    assert default_prompt(CharTokenizer.of("b\na")) == "\n"
    assert default_prompt(CharTokenizer.of("ba")) == "a"
    assert default_prompt(ByteTokenizer()) == "\n"


def test_a_sample_depends_on_its_seed_and_prompt_alone() -> None:
    model, tokenizer = speaking_model(), CharTokenizer.of("\nabcdefghij")
    first = SamplingConfig(max_new_tokens=30, sample_seed=1)
    assert sample_text(model, tokenizer, first) == sample_text(model, tokenizer, first)
    assert sample_text(model, tokenizer, first) != sample_text(model, tokenizer, SamplingConfig(max_new_tokens=30))
    assert sample_text(model, tokenizer, first, should_stop=lambda: True) is None


def test_a_prompt_that_the_model_cannot_read_is_refused_by_character_and_position() -> None:
    speaker = Speaker(speaking_model(), CharTokenizer.of("\nabcdefghij"), RunConfig(), 0)
    with pytest.raises(UnknownCharacter) as refused:
        speaker.generate("abz", SamplingConfig(), 1)
    assert "z" in str(refused.value)
    assert refused.value.position == 2


def test_weights_of_another_configuration_are_refused_by_name() -> None:
    config, tokenizer = RunConfig().replace(n_layer=1, n_head=1, n_embd=8), CharTokenizer.of("\nabc")
    weights = GPT(config.model, 4).state_dict()
    assert Speaker.of_weights(weights, tokenizer, config, 7).step == 7
    with pytest.raises(Misfit, match="numbers, and the model has"):
        Speaker.of_weights(weights, tokenizer, config.replace(n_layer=2), 7)
    wider = GPT(config.replace(n_embd=16).model, 4).state_dict()
    with pytest.raises(Misfit, match=r"token_embedding.weight is \(4, 16\), and in the model \(4, 8\);.*; and more"):
        Speaker.of_weights(wider, tokenizer, config, 7)
    with pytest.raises(Misfit, match="the model has no stranger"):
        Speaker.of_weights({**weights, "stranger": torch.zeros(1)}, tokenizer, config, 7)


def test_a_model_that_memory_does_not_suffice_for_is_told_so_and_is_no_misfit(monkeypatch: pytest.MonkeyPatch) -> None:
    config, tokenizer = RunConfig().replace(n_layer=1, n_head=1, n_embd=8), CharTokenizer.of("\nabc")
    weights = GPT(config.model, 4).state_dict()

    def fails_with(why: str) -> None:
        def fails(*given: Any) -> GPT:
            raise RuntimeError(why)

        monkeypatch.setattr(speaking, "freeze", fails)

    fails_with("DefaultCPUAllocator: can't allocate memory: you tried to allocate 4096 bytes. Error code 12")
    with pytest.raises(OutOfMemory, match=r"the model of step 7 does not fit into memory: 4\.1 kB asked for, "):
        Speaker.of_weights(weights, tokenizer, config, 7, "cpu")
    fails_with("something else")
    with pytest.raises(RuntimeError, match="something else"):
        Speaker.of_weights(weights, tokenizer, config, 7, "cpu")


def test_surprise_is_minus_ln_p_given_at_least_half_a_window() -> None:
    model = speaking_model()
    tokens = np.array([3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3, 2, 3, 8, 4, 6])
    nats = surprise(model, tokens)
    assert len(nats) == len(tokens) - 1
    block, half = 8, 4
    starts = [0] * block + [half * (1 + (t - block - 1) // half) for t in range(block + 1, len(tokens))]
    for t, (start, cost) in enumerate(zip(starts, nats, strict=True), start=1):
        logits, _ = model(torch.tensor([tokens[start:t].tolist()]))
        assert cost == pytest.approx(-torch.log_softmax(logits[0, -1], -1)[tokens[t]].item(), rel=1e-5), t
    assert surprise(model, tokens, skip=5) == nats[4:]
