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
        at_once: int,
        forward: Callable[[Tensor, Tensor], Tensor],
        should_stop: Callable[[], bool],
        progress: Callable[[int, int], object],
    ) -> Evaluation:
        """eval_iters 0 takes the whole validation split. forward: (x, y) -> mean loss. Raises Interrupted.

        at_once:  how many windows of a batch, or of the whole split, `forward` is given at a time
        progress: (tokens evaluated so far, tokens in all) -> anything
        """
        sizes = [self._targets(split, eval_iters, batch_size) for split in ("train", "val")]
        was_training = model.training
        model.eval()
        try:
            losses = [
                self._mean_loss(
                    self._batches(split, eval_iters, batch_size, at_once),
                    forward,
                    should_stop,
                    lambda done, before=before: progress(before + done, sum(sizes)),  # type: ignore[misc]
                )
                for split, before in (("train", 0), ("val", sizes[0]))
            ]
        finally:
            model.train(was_training)
        return Evaluation(losses[0], losses[1], whole_split=eval_iters == 0)

    def _targets(self, split: str, eval_iters: int, batch_size: int) -> int:
        """How many tokens of a split are predicted."""
        if eval_iters:
            return eval_iters * batch_size * self.block_size
        tokens = self.dataset.train if split == "train" else self.dataset.val
        return min(len(tokens) - 1, TRAIN_SHARE_LIMIT if split == "train" else WHOLE_SPLIT_LIMIT)

    def _batches(self, split: str, eval_iters: int, batch_size: int, at_once: int) -> Iterator[Batch]:
        tokens = self.dataset.train if split == "train" else self.dataset.val
        if eval_iters:
            stream = make_stream(self.seed, f"evaluation/{split}")
            for _ in range(eval_iters):
                x, y = sample_batch(tokens, stream, batch_size, self.block_size)
                for first in range(0, batch_size, at_once):
                    yield x[first : first + at_once], y[first : first + at_once]
            return
        limit = TRAIN_SHARE_LIMIT if split == "train" else WHOLE_SPLIT_LIMIT
        yield from windows(tokens, self.block_size, at_once, max_tokens=limit)

    def _mean_loss(
        self,
        batches: Iterator[Batch],
        forward: Callable[[Tensor, Tensor], Tensor],
        should_stop: Callable[[], bool],
        progress: Callable[[int], object],
    ) -> float:
        total, count = 0.0, 0
        with torch.no_grad():
            for x, y in batches:
                if should_stop():
                    raise Interrupted
                total += (
                    float(forward(torch.from_numpy(x).to(self.device), torch.from_numpy(y).to(self.device))) * y.size
                )
                count += y.size
                progress(count)
        return total / count
