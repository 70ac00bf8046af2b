"""Batches of tokens: random ones to train on, and a whole split in windows to evaluate on."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from gpt_tui.core.errors import Refusal

Tokens = npt.NDArray[np.unsignedinteger]
Ids = npt.NDArray[np.int64]


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
    rows = np.asarray(tokens)[starts[:, None] + np.arange(block_size + 1)]  # (B, T+1)
    return rows[:, :-1].astype(np.int64), rows[:, 1:].astype(np.int64)


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
