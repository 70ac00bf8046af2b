"""Batches: random windows to train on, every token once to evaluate on."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt_tui.core.data.batches import sample_batch, windows
from gpt_tui.core.errors import Refusal


@given(st.integers(2, 300), st.data())
def test_every_row_is_a_true_window_and_y_is_shifted_by_one(length, data):
    block_size = data.draw(st.integers(1, length - 1))
    batch_size = data.draw(st.integers(1, 8))
    tokens = np.random.default_rng(length).permutation(length).astype(np.uint16)  # each token tells its place
    places = np.argsort(tokens)
    x, y = sample_batch(tokens, np.random.default_rng(0), batch_size, block_size)
    assert x.shape == y.shape == (batch_size, block_size)
    assert x.dtype == y.dtype == np.int64
    for row_x, row_y in zip(x, y, strict=True):
        start = places[row_x[0]]
        assert row_x.tolist() == tokens[start : start + block_size].tolist()
        assert row_y.tolist() == tokens[start + 1 : start + block_size + 1].tolist()


def test_the_first_and_the_last_window_are_drawn_as_well():
    x, y = sample_batch(np.arange(10, dtype=np.uint8), np.random.default_rng(0), 500, 4)
    assert set(x[:, 0].tolist()) == set(range(6))
    assert y.max() == 9


def test_the_same_generator_gives_the_same_batches_and_batches_may_be_written_to():
    tokens = np.arange(100, dtype=np.uint8)
    x, _ = sample_batch(tokens, np.random.default_rng(7), 4, 8)
    again, _ = sample_batch(tokens, np.random.default_rng(7), 4, 8)
    assert np.array_equal(x, again)
    x[:] = 0
    assert tokens[1] == 1


def test_a_mapped_file_gives_the_batches_of_the_array(tmp_path):
    tokens = np.arange(1000, dtype="<u2")
    tokens.tofile(tmp_path / "tokens.bin")
    mapped = np.memmap(tmp_path / "tokens.bin", dtype="<u2", mode="r")
    for ours, theirs in zip(
        sample_batch(mapped, np.random.default_rng(3), 4, 16),
        sample_batch(tokens, np.random.default_rng(3), 4, 16),
        strict=True,
    ):
        assert np.array_equal(ours, theirs)
        assert type(ours) is np.ndarray


def test_a_window_longer_than_the_split_is_refused():
    with pytest.raises(Refusal, match="at most 9"):
        sample_batch(np.arange(10, dtype=np.uint8), np.random.default_rng(0), 1, 10)


@given(st.integers(0, 200), st.integers(1, 20), st.integers(1, 5))
def test_windows_take_every_token_but_the_first_as_a_target_exactly_once(length, block_size, batch_size):
    tokens = np.arange(length, dtype=np.uint8)
    batches = list(windows(tokens, block_size, batch_size))
    targets = [token for _, y in batches for token in y.reshape(-1).tolist()]
    assert targets == list(range(1, length))
    for x, y in batches:
        assert np.array_equal(x + 1, y)
        assert x.shape[0] <= batch_size
        assert x.shape[1] <= block_size
    assert all(x.shape[1] == block_size for x, _ in batches[:-1])


def test_windows_can_keep_to_the_first_targets_of_a_split():
    batches = list(windows(np.arange(100, dtype=np.uint8), 8, 2, max_tokens=20))
    assert [token for _, y in batches for token in y.reshape(-1).tolist()] == list(range(1, 21))
