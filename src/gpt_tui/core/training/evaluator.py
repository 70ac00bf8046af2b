"""The mean loss of a model on a split: fixed random batches, or the whole split in non-overlapping windows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gpt_tui.core.cost import TRAIN_SHARE_LIMIT, WHOLE_SPLIT_LIMIT
from gpt_tui.core.data import Dataset, sample_batch, windows
from gpt_tui.core.model import GPT
from gpt_tui.core.randomness import make_stream

Batch = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Evaluation:
    """Mean losses in nats a token. whole_split: val_loss is over the whole validation split (or a million tokens)."""

    train_loss: float
    val_loss: float
    whole_split: bool


class Interrupted(Exception):
    """Work that was asked to stop before its end; it left nothing behind."""


class Evaluator:
    """Evaluates one model on one dataset, always on the same tokens, whatever was trained in between."""

    def __init__(self, dataset: Dataset, seed: int, block_size: int, device: torch.device):
        self.dataset = dataset
        self.seed = seed
        self.block_size = block_size
        self.device = device

    def evaluate(
        self,
        model: GPT,
        eval_iters: int,
        batch_size: int,
        forward: Callable[[Tensor, Tensor], Tensor],
        should_stop: Callable[[], bool],
    ) -> Evaluation:
        """eval_iters 0 takes the whole validation split. forward: (x, y) -> mean loss. Raises Interrupted."""
        was_training = model.training
        model.eval()
        try:
            losses = [
                self._mean_loss(batches, forward, should_stop)
                for batches in (
                    self._batches("train", eval_iters, batch_size, model.vocab_size),
                    self._batches("val", eval_iters, batch_size, model.vocab_size),
                )
            ]
        finally:
            model.train(was_training)
        return Evaluation(losses[0], losses[1], whole_split=eval_iters == 0)

    def _batches(self, split: str, eval_iters: int, batch_size: int, vocab_size: int) -> Iterator[Batch]:
        tokens = self.dataset.train if split == "train" else self.dataset.val
        if eval_iters:
            stream = make_stream(self.seed, f"evaluation/{split}")
            for _ in range(eval_iters):
                yield sample_batch(tokens, stream, batch_size, self.block_size)
            return
        limit = TRAIN_SHARE_LIMIT if split == "train" else WHOLE_SPLIT_LIMIT
        rows = max(1, 2**20 // max(64, vocab_size) // self.block_size)  # so that the logits stay around 4 MB
        yield from windows(tokens, self.block_size, rows, max_tokens=limit)

    def _mean_loss(
        self, batches: Iterator[Batch], forward: Callable[[Tensor, Tensor], Tensor], should_stop: Callable[[], bool]
    ) -> float:
        total, count = 0.0, 0
        with torch.no_grad():
            for x, y in batches:
                if should_stop():
                    raise Interrupted
                loss = forward(torch.from_numpy(x).to(self.device), torch.from_numpy(y).to(self.device))
                total += float(loss) * y.size
                count += y.size
        return total / count
