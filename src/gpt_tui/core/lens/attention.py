"""Attention: how much each token of a window takes of those before it, head by head."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from gpt_tui.core.errors import GptTuiError
from gpt_tui.core.model import GPT
from gpt_tui.core.model.gpt import Block

Weights = npt.NDArray[np.float32]


@torch.no_grad()
def attention(model: GPT, tokens: npt.NDArray[np.integer], first: int = 0) -> Weights:
    """(n_layer, H, T - first, T): what each of `tokens` (T,), from index `first` on, takes of each of them.

    A row sums to 1, and has 0 at what comes after its token. The model computes in evaluation mode, and is left as it
    was found. One that learns in another thread must not be looked into: give a copy of it. One that speaks there may.

    Raises GptTuiError for a model without attention, ValueError for more tokens than its block_size.
    """
    config = model.config
    if not config.attention:
        raise GptTuiError("The model has no attention (its field attention is false): no token looks at another.")
    layers: list[Weights] = []
    here = threading.get_ident()

    def look(module: Any, inputs: tuple[Any, ...]) -> None:
        if threading.get_ident() == here:
            layers.append(module.weights(inputs[0])[0, :, first:].float().cpu().numpy())

    parts = [block.attention for block in model.blocks if isinstance(block, Block) and block.attention is not None]
    hooks = [part.register_forward_pre_hook(look) for part in parts]
    was_training = model.training
    model.eval()
    try:
        model(torch.from_numpy(np.asarray(tokens, np.int64))[None].to(next(model.parameters()).device))
    finally:
        model.train(was_training)
        for hook in hooks:
            hook.remove()
    return np.stack(layers)
