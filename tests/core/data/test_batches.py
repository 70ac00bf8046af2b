"""Batches: random windows to train on, every token once to evaluate on."""

from __future__ import annotations

import mmap
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt_tui.core.data import batches
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
    found = list(windows(tokens, block_size, batch_size))
    targets = [token for _, y in found for token in y.reshape(-1).tolist()]
    assert targets == list(range(1, length))
    for x, y in found:
        assert np.array_equal(x + 1, y)
        assert x.shape[0] <= batch_size
        assert x.shape[1] <= block_size
    assert all(x.shape[1] == block_size for x, _ in found[:-1])


def test_windows_can_keep_to_the_first_targets_of_a_split():
    found = list(windows(np.arange(100, dtype=np.uint8), 8, 2, max_tokens=20))
    assert [token for _, y in found for token in y.reshape(-1).tolist()] == list(range(1, 21))


@pytest.mark.parametrize("dtype", ["<u1", "<u2"])
def test_a_large_mapped_split_is_fetched_window_by_window_and_gives_the_same_batches(tmp_path, monkeypatch, dtype):
    tokens = np.arange(100_000).astype(dtype)
    tokens.tofile(tmp_path / "tokens.bin")
    mapped = np.asarray(np.memmap(tmp_path / "tokens.bin", dtype=dtype, mode="r"))[12_345:]  # a split begins anywhere
    monkeypatch.setattr(batches, "_IN_MEMORY", 0)
    for block_size in (1, 5_000, len(mapped) - 1):
        ours = sample_batch(mapped, np.random.default_rng(3), 40, block_size)
        theirs = sample_batch(tokens[12_345:], np.random.default_rng(3), 40, block_size)
        assert np.array_equal(ours, theirs)


@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="only Linux tells what is in memory")
def test_of_a_large_file_only_the_windows_are_read_from_the_disk(tmp_path):
    path = tmp_path / "tokens.bin"
    np.zeros(80_000_000, dtype="<u1").tofile(path)
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    before = read_from_disk()
    sample_batch(np.memmap(path, dtype="<u1", mode="r"), np.random.default_rng(0), 50, 100)
    if (read := read_from_disk() - before) == 0:
        pytest.skip("this file system lies in memory")
    assert read <= 50 * 2 * mmap.PAGESIZE


def read_from_disk() -> int:
    told = Path("/proc/self/io").read_text()
    return int(told.partition("read_bytes: ")[2].split()[0])
