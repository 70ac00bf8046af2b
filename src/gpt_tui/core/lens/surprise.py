"""Surprise: what each token of a text cost the model, in nats."""

from __future__ import annotations

import numpy as np
import torch

from gpt_tui.core.model import GPT


@torch.no_grad()
def surprise(model: GPT, tokens: np.ndarray, skip: int = 1) -> list[float]:
    """-ln p of each of `tokens` from index `skip` (at least 1) on, given up to block_size tokens before it.

    Windows overlap by half, so that every token but the first few sees at least half a window of context.
    """
    block_size = model.config.block_size
    device = next(model.parameters()).device
    was_training = model.training
    model.eval()
    ids = torch.from_numpy(tokens.astype(np.int64)).to(device)
    nats = torch.zeros(len(tokens))
    half = max(1, block_size // 2)
    known = 1  # tokens whose surprise is settled; the first has nothing before it
    start = 0
    while known < len(tokens):
        window = ids[start : start + block_size + 1]
        logits, _ = model(window[None, :-1])  # (1, T, V)
        cost = torch.nn.functional.cross_entropy(logits[0].float(), window[1:], reduction="none").cpu()
        end = start + len(window)
        nats[known:end] = cost[known - 1 - start :]
        known, start = end, start + half
    model.train(was_training)
    return [float(value) for value in nats[max(1, skip) :]]
