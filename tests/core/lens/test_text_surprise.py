"""The surprise of any text: bits and ranks of its characters, whatever they are made of, and what was learned of it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gpt_tui.core.config import ModelConfig
from gpt_tui.core.data import ByteTokenizer, CharTokenizer
from gpt_tui.core.errors import GptTuiError
from gpt_tui.core.lens import highest, learned, letters, scores, surprise, text_surprise, window_start
from gpt_tui.core.model import GPT

CHARACTERS = CharTokenizer.of("abcdefgh \n")
BYTES = ByteTokenizer()


def made(vocab_size: int, seed: int = 0, **fields: Any) -> GPT:
    model = GPT(ModelConfig(**{"n_layer": 1, "n_head": 2, "n_embd": 12, "block_size": 8, **fields}), vocab_size)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(0.4 * torch.randn(p.shape, generator=generator))
    return model.eval()


def chances(model: GPT, before: list[int]) -> np.ndarray:
    """The probability of each token after these, in float64."""
    with torch.no_grad():
        logits, _ = model(torch.tensor([before]))
    powers = np.exp(logits[0, -1].double().numpy())
    return powers / powers.sum()


def context(tokens: list[int], at: int, block_size: int) -> list[int]:
    """What stands before a token in its window, by the rule of half windows, step by step."""
    start = 0
    while at - start > block_size:
        start += max(1, block_size // 2)
    return tokens[start:at]


@settings(max_examples=40)
@given(text=st.text("abcdefgh \n", min_size=1, max_size=40), block_size=st.integers(1, 9))
def test_each_character_costs_minus_log2_of_its_probability_and_has_its_rank(text: str, block_size: int) -> None:
    model = made(CHARACTERS.vocab_size, block_size=block_size)
    tokens = CHARACTERS.encode(text)
    found = text_surprise(model, CHARACTERS, tokens)
    assert found.text == text
    assert math.isnan(found.bits[0])
    assert found.ranks[0] == 0
    for at in range(1, len(text)):
        p = chances(model, context(tokens.tolist(), at, block_size))
        own = tokens[at]
        assert found.bits[at] == pytest.approx(-math.log2(p[own]), rel=1e-4, abs=1e-5)
        assert found.ranks[at] == pytest.approx(1 + int((p > p[own]).sum()), abs=0)
    known = [bits for bits in found.bits if not math.isnan(bits)]
    assert found.mean == pytest.approx(np.mean(known)) if known else math.isnan(found.mean)


def test_the_nats_are_those_of_surprise() -> None:
    model, tokens = made(CHARACTERS.vocab_size), CHARACTERS.encode("a bad cab had a bed\n" * 3)
    np.testing.assert_allclose(scores(model, tokens).nats, surprise(model, tokens))


@pytest.mark.parametrize("learning", [True, False])
def test_the_model_is_left_in_the_mode_it_was_found_in(learning: bool) -> None:
    model = made(CHARACTERS.vocab_size, dropout=0.5).train(learning)
    tokens = CHARACTERS.encode("a bad cab")
    expected = scores(model.eval(), tokens)
    model.train(learning)
    np.testing.assert_array_equal(scores(model, tokens).nats, expected.nats)
    assert model.training is learning


def test_of_equally_likely_characters_each_has_a_rank_of_its_own() -> None:
    model = made(CHARACTERS.vocab_size)
    with torch.no_grad():
        for p in model.parameters():
            p.zero_()
    found = text_surprise(model, CHARACTERS, CHARACTERS.encode("a" + CHARACTERS.characters))
    assert found.ranks[1:] == tuple(range(1, 11))
    assert found.bits[1:] == pytest.approx([math.log2(10)] * 10)


@settings(max_examples=30)
@given(text=st.text("aé€😀\n", min_size=1, max_size=12))
def test_a_character_of_several_bytes_is_told_once_and_costs_what_they_cost_together(text: str) -> None:
    model, tokens = made(256), BYTES.encode(text)
    found, by_byte = text_surprise(model, BYTES, tokens), scores(model, tokens)
    assert [letter.text for letter in found.letters] == list(text)
    at = 0
    for letter, bits, rank in zip(found.letters, found.bits, found.ranks, strict=True):
        own = range(at, at + len(letter.text.encode()))
        assert range(letter.start, letter.end) == own
        at = own.stop
        if own.start > 0:
            assert bits == pytest.approx(sum(by_byte.nats[i - 1] for i in own) / math.log(2))
            assert rank == max(by_byte.ranks[i - 1] for i in own)
        else:
            assert math.isnan(bits)
            assert rank == 0


@given(raw=st.binary(min_size=1, max_size=30))
def test_no_byte_is_lost_where_bytes_are_no_character(raw: bytes) -> None:
    found = letters(BYTES, np.frombuffer(raw, np.uint8))
    assert "".join(letter.text for letter in found) == raw.decode("utf-8", "replace")
    assert [token for letter in found for token in range(letter.start, letter.end)] == list(range(len(raw)))
    assert all(letter.text for letter in found)
    assert all(letter.start < letter.end for letter in found)


def test_the_difference_is_what_each_character_costs_less() -> None:
    tokens = CHARACTERS.encode("a bad cab")
    first, now = (text_surprise(made(CHARACTERS.vocab_size, seed), CHARACTERS, tokens) for seed in (1, 2))
    gained = learned(first, now)
    assert math.isnan(gained[0])
    assert gained[1:] == tuple(a - b for a, b in zip(first.bits[1:], now.bits[1:], strict=True))


def test_models_of_characters_and_of_bytes_are_compared_character_by_character() -> None:
    known = CharTokenizer.of("aé ")
    one = text_surprise(made(known.vocab_size), known, known.encode("é a é"))
    other = text_surprise(made(256), BYTES, BYTES.encode("é a é"))
    assert learned(one, other)[1:] == tuple(a - b for a, b in zip(one.bits[1:], other.bits[1:], strict=True))
    with pytest.raises(GptTuiError, match="other characters"):
        learned(one, text_surprise(made(256), BYTES, BYTES.encode("é a")))


def test_damaged_weights_are_told_of() -> None:
    model = made(CHARACTERS.vocab_size)
    with torch.no_grad():
        model.token_embedding.weight.fill_(math.nan)
    with pytest.raises(GptTuiError, match="NaN or infinity"):
        text_surprise(model, CHARACTERS, CHARACTERS.encode("abc"))


def test_the_highest_come_first_and_what_has_no_number_nowhere() -> None:
    assert highest([math.nan, 1.0, 3.0, 2.0, 3.0], 3) == [2, 4, 3]
    assert highest([math.nan], 3) == []


@given(at=st.integers(0, 200), block_size=st.integers(1, 33))
def test_every_token_is_read_with_at_least_half_a_window_before_it(at: int, block_size: int) -> None:
    start = window_start(at, block_size)
    assert 0 <= at - start < block_size
    assert start == 0 or at - start >= block_size - max(1, block_size // 2)
    assert start == at + 1 - len(context(list(range(300)), at + 1, block_size))
