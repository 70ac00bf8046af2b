"""Batches of tokens: random ones to train on, and a whole split in windows to evaluate on."""

from __future__ import annotations

import mmap
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from gpt_tui.core.errors import Refusal

Tokens = npt.NDArray[np.unsignedinteger]
Ids = npt.NDArray[np.int64]

_IN_MEMORY = 1 << 26  # bytes: a smaller split is soon in the system's memory, wherever it is read


def sample_batch(tokens: Tokens, generator: np.random.Generator, batch_size: int, block_size: int) -> tuple[Ids, Ids]:
    """Random windows of a split: x and y, each (B, T) int64, y being x shifted by one token.

    Every window of the split is as likely as any other. Raises Refusal where the split has fewer than
    `block_size + 1` tokens.
    """
    if len(tokens) < block_size + 1:
        raise Refusal.one(
            "block_size", block_size, f"a split of {len(tokens):,} tokens allows at most {len(tokens) - 1}"
        )
    starts = generator.integers(0, len(tokens) - block_size, size=batch_size)
    if tokens.nbytes > _IN_MEMORY:
        _fetch(tokens, starts, block_size + 1)
    rows = np.asarray(tokens)[starts[:, None] + np.arange(block_size + 1)]  # (B, T+1)
    return rows[:, :-1].astype(np.int64), rows[:, 1:].astype(np.int64)


def _fetch(tokens: Tokens, starts: npt.NDArray[np.int64], length: int) -> None:
    """Have the disk look for all the windows of a mapped file at once, rather than for one after the other.

    And for nothing else: left alone, the system reads a long stretch around each, which nobody will look at.
    """
    memory: object = tokens
    while isinstance(memory, np.ndarray):
        memory = memory.base
    if not isinstance(memory, mmap.mmap) or not hasattr(mmap, "MADV_WILLNEED"):
        return
    first = tokens.ctypes.data - np.frombuffer(memory, dtype=np.uint8).ctypes.data
    for start in (first + starts * tokens.itemsize).tolist():
        page = start - start % mmap.PAGESIZE
        memory.madvise(mmap.MADV_WILLNEED, page, start + length * tokens.itemsize - page)


def windows(
    tokens: Tokens, block_size: int, batch_size: int, max_tokens: int | None = None
) -> Iterator[tuple[Ids, Ids]]:
    """A split in non-overlapping windows, in order: batches x, y of (B', T) int64 with B' ≤ batch_size.

    What is left after the last full window comes as one shorter window, so that every token but the very
    first is a target exactly once. `max_tokens` keeps to the split's first so many targets.
    """
    targets = max(0, len(tokens) - 1)
    if max_tokens is not None:
        targets = min(targets, max_tokens)
    full = targets // block_size
    flat = np.asarray(tokens)
    for first in range(0, full, batch_size):
        rows = min(batch_size, full - first)
        start, end = first * block_size, (first + rows) * block_size
        x = flat[start:end].reshape(rows, block_size)
        y = flat[start + 1 : end + 1].reshape(rows, block_size)
        yield x.astype(np.int64), y.astype(np.int64)
    if targets > full * block_size:
        rest = flat[full * block_size : targets + 1][None, :]
        yield rest[:, :-1].astype(np.int64), rest[:, 1:].astype(np.int64)
