"""Surprise: what each token of a text cost the model, and whether another one would have been likelier."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gpt_tui.core.model import GPT


def window_start(at: int, block_size: int) -> int:
    """Where the window begins in which the model reads token `at` of a text: with at least half a window before it."""
    half = max(1, block_size // 2)
    return 0 if at < block_size else half * -(-(at + 1 - block_size) // half)


@torch.no_grad()
def surprise(model: GPT, tokens: npt.NDArray[np.integer], skip: int = 1) -> list[float]:
    """-ln p of each of `tokens` from index `skip` (at least 1) on, given up to block_size tokens before it.

    Windows overlap by half, so that every token but the first few sees at least half a window of context.
    """
    nats = torch.zeros(len(tokens))
    for known, logits, targets in _windows(model, tokens):
        nats[known : known + len(targets)] = _cost(logits, targets)
    return [float(value) for value in nats[max(1, skip) :]]


@dataclass(frozen=True, eq=False)
class Scores:
    """Of each token of a text, from the second on: nats (T - 1,), its -ln p; ranks (T - 1,), its place among all tokens
    by how likely the model held them, 1 for the likeliest; of equals the lower id comes first."""

    nats: npt.NDArray[np.float64]
    ranks: npt.NDArray[np.int64]


@torch.no_grad()
def scores(model: GPT, tokens: npt.NDArray[np.integer]) -> Scores:
    """As `surprise`, with ranks. A text of one token has none."""
    nats, ranks = np.zeros(max(len(tokens) - 1, 0)), np.zeros(max(len(tokens) - 1, 0), np.int64)
    for known, logits, targets in _windows(model, tokens):
        settled = slice(known - 1, known - 1 + len(targets))
        nats[settled] = _cost(logits, targets).double().numpy()
        own = logits.gather(1, targets[:, None])
        ids = torch.arange(logits.size(1), device=logits.device)
        before = (logits > own) | ((logits == own) & (ids < targets[:, None]))
        ranks[settled] = 1 + before.sum(1).cpu().numpy()
    return Scores(nats, ranks)


def _cost(logits: Tensor, targets: Tensor) -> Tensor:
    return torch.nn.functional.cross_entropy(logits.float(), targets, reduction="none").cpu()


def _windows(model: GPT, tokens: npt.NDArray[np.integer]) -> Iterator[tuple[int, Tensor, Tensor]]:
    """Yields the index of the first token that a window settles, the logits (N, V) for it and those after it, and what
    they are (N,). The model computes in evaluation mode, and is left in the mode it was found in."""
    block_size = model.config.block_size
    ids = torch.from_numpy(np.asarray(tokens, np.int64)).to(next(model.parameters()).device)
    known = 1  # tokens whose surprise is settled; the first has nothing before it
    while known < len(tokens):
        start = window_start(known - 1, block_size)
        window = ids[start : start + block_size + 1]
        was_training = model.training
        model.eval()
        logits, _ = model(window[None, :-1])  # (1, T, V)
        model.train(was_training)
        yield known, logits[0, known - 1 - start :], window[known - start :]
        known = start + len(window)
