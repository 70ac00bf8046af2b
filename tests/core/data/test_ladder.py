"""The entropy ladder: against the published table, and against a slow one written by its definition."""

from __future__ import annotations

import math
from collections import Counter, defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt_tui.core.data import ladder as ladder_module
from gpt_tui.core.data.ladder import entropy_ladder, ladder_sample, rung_name
from gpt_tui.core.data.reading import Block
from gpt_tui.core.data.tokenizers import CharTokenizer
from gpt_tui.core.data.watch import Stopped, Watch

REFERENCE = {
    "uniform": 4.1744,
    "unigram": 3.3473,
    "bigram": 2.4858,
    "trigram": 2.0492,
    "4-gram": 1.7738,
    "5-gram": 1.6688,
    "6-gram": 1.6981,
    "7-gram": 1.7792,
}


def slow_ladder(text: str, split: int, max_order: int) -> dict[str, float]:
    """The same by dictionaries, one character at a time, as the recurrence reads."""
    counts: list[dict[str, Counter[str]]] = [defaultdict(Counter) for _ in range(max_order)]
    for place in range(split):
        for length in range(min(place, max_order - 1) + 1):
            counts[length][text[place - length : place]][text[place]] += 1

    def probability(order: int, history: str, character: str) -> float:
        if order < 0:
            return 1 / len(set(text))
        after = counts[order].get(history, Counter())
        shorter = probability(order - 1, history[1:], character)
        types = len(after)
        return (after[character] + types * shorter) / (after.total() + types) if types else shorter

    places = range(split, len(text))
    return {
        rung_name(order + 1): -sum(
            math.log(probability(order, text[place - order : place] if order else "", text[place])) for place in places
        )
        / len(places)
        for order in range(-1, max_order)
    }


def test_the_ladder_of_tiny_shakespeare_is_the_published_one(tiny_shakespeare):
    text = tiny_shakespeare.read_text(encoding="utf-8")
    tokens = CharTokenizer.of(text).encode_block(Block.of(text))
    split = int(0.9 * len(text))
    rungs = entropy_ladder(tokens[:split], tokens[split:], 65, max_order=7)
    assert list(rungs) == list(REFERENCE)
    for name, nats in rungs.items():
        assert nats == pytest.approx(REFERENCE[name], abs=1e-4), name


@pytest.mark.parametrize(
    "text",
    [
        "so it goes and so it went and so it will be; nothing new, 7 times over\n" * 5 + "but z is new",
        "the 中文 and ελληνικά and 🎭 of the play, of the day, of 中文 again\n" * 4,
        "abcabcabcabcab",
    ],
)
def test_the_ladder_is_what_its_definition_gives_character_by_character(text):
    split = int(0.9 * len(text))
    tokenizer = CharTokenizer.of(text)
    tokens = tokenizer.encode_block(Block.of(text))
    rungs = entropy_ladder(tokens[:split], tokens[split:], tokenizer.vocab_size)
    assert rungs == pytest.approx(slow_ladder(text, split, 6), abs=1e-9)


@given(st.lists(st.integers(0, 299), min_size=1, max_size=400), st.sampled_from([0, 1 << 20]))
def test_numbers_are_what_numpy_s_unique_gives_by_a_table_as_by_a_sort(keys, table):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ladder_module, "_TABLE", table)
        distinct, numbers = ladder_module._number(np.array(keys), 300 if table else 1 << 40)
    expected, inverse = np.unique(np.array(keys), return_inverse=True)
    assert np.array_equal(distinct, expected)
    assert np.array_equal(numbers, inverse)


def test_a_vocabulary_whose_six_grams_outnumber_any_integer_is_no_obstacle():
    generator = np.random.default_rng(0)
    tokens = np.tile(generator.permutation(1 << 17).astype("<u4")[:2000], 3)
    rungs = entropy_ladder(tokens[:5000], tokens[5000:], 1 << 17)
    assert rungs["uniform"] == pytest.approx(math.log(1 << 17))
    assert rungs["bigram"] < 1.0  # each token is always followed by the same one


def test_a_huge_dataset_is_sampled_and_says_so(monkeypatch):
    monkeypatch.setattr(ladder_module, "MAX_TRAIN_TOKENS", 1 << 17)
    monkeypatch.setattr(ladder_module, "MAX_VAL_TOKENS", 1000)
    train, val, note = ladder_sample(np.arange(1 << 20, dtype="<u4"), np.arange(5000, dtype="<u4"))
    assert len(train) == 1 << 17
    assert (train[0], train[-1]) == (0, (1 << 20) - 1)
    assert val.tolist() == list(range(1000))
    assert note == (
        "counted on 131,072 of 1,048,576 training tokens (2 evenly spaced stretches), "
        "scored on the first 1,000 of 5,000 validation tokens"
    )


def test_an_ordinary_dataset_is_counted_whole():
    train, val, note = ladder_sample(np.zeros(900, np.uint8), np.zeros(100, np.uint8))
    assert (len(train), len(val), note) == (900, 100, None)


def test_the_ladder_can_be_stopped():
    tokens = np.zeros(100, np.uint8)
    with pytest.raises(Stopped):
        entropy_ladder(tokens, tokens, 2, watch=Watch(should_stop=lambda: True))
