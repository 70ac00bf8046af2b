"""AdamW with decay groups, and its state as named tensors, so that a checkpoint needs no pickle."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from gpt_tui.core.config import OptimizerConfig
from gpt_tui.core.errors import GptTuiError

_STATE = ("step", "exp_avg", "exp_avg_sq")


def make_optimizer(model: nn.Module, config: OptimizerConfig) -> torch.optim.AdamW:
    """AdamW that decays matrices and embeddings, and leaves norms, biases and other vectors alone."""
    matrices = [p for p in model.parameters() if p.dim() >= 2]
    vectors = [p for p in model.parameters() if p.dim() < 2]
    groups = [{"params": matrices, "weight_decay": config.weight_decay}]
    if vectors:
        groups.append({"params": vectors, "weight_decay": 0.0})
    device = next(model.parameters()).device.type
    return torch.optim.AdamW(
        groups, lr=config.learning_rate, betas=(config.beta1, config.beta2), fused=device in ("cpu", "cuda", "mps")
    )


def apply_settings(optimizer: torch.optim.AdamW, config: OptimizerConfig, learning_rate: float) -> None:
    """Set what is live before a step: the rate, the betas and the decay of the first group."""
    for group in optimizer.param_groups:
        group["lr"] = learning_rate
        group["betas"] = (config.beta1, config.beta2)
    optimizer.param_groups[0]["weight_decay"] = config.weight_decay


def optimizer_state(optimizer: torch.optim.AdamW, model: nn.Module) -> dict[str, Tensor]:
    """Adam's averages and step counts as "<parameter>.<name>" -> tensor; empty before the first step."""
    return {
        f"{name}.{key}": optimizer.state[p][key]
        for name, p in model.named_parameters()
        if p in optimizer.state
        for key in _STATE
    }


def restore_optimizer(optimizer: torch.optim.AdamW, model: nn.Module, saved: Mapping[str, Tensor]) -> None:
    """Put back what `optimizer_state` gave. Raises GptTuiError when it belongs to another model."""
    optimizer.state.clear()
    for name, p in model.named_parameters():
        found = {key: saved[f"{name}.{key}"] for key in _STATE if f"{name}.{key}" in saved}
        if not found:
            continue
        if len(found) != len(_STATE) or any(found[key].shape != p.shape for key in _STATE[1:]):
            raise GptTuiError(f"the saved optimizer state does not fit the model: {name}")
        optimizer.state[p] = {
            "step": found["step"].to(p.device, torch.float32).clone(),
            "exp_avg": found["exp_avg"].to(p.device, p.dtype).clone(),
            "exp_avg_sq": found["exp_avg_sq"].to(p.device, p.dtype).clone(),
        }
