"""What moves the weights: AdamW with decay groups, Muon beside it for matrices, and their state as named tensors."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from gpt_tui.core.config import OptimizerConfig
from gpt_tui.core.errors import GptTuiError, shorten
from gpt_tui.core.model import GPT
from gpt_tui.core.training.adamw import AdamW, Averages, Group
from gpt_tui.core.training.muon import Muon

_ADAM = ("step", "exp_avg", "exp_avg_sq")
_MUON = "momentum_buffer"


class Optimizer:
    """AdamW for every parameter; where `optimizer` is muon, for all but the matrices of the blocks, which have Muon.

    AdamW decays matrices and embeddings, and leaves norms, biases and other vectors alone.
    """

    def __init__(self, model: GPT, config: OptimizerConfig):
        self._names: dict[Tensor, str] = {p: name for name, p in model.named_parameters()}
        blocks = [p for p in model.blocks.parameters() if p.dim() == 2] if config.optimizer == "muon" else []
        self.muon = Muon(blocks) if blocks else None
        taken = set(blocks)
        matrices = [p for p in self._names if p.dim() >= 2 and p not in taken]
        vectors = [p for p in self._names if p.dim() < 2]
        groups = [Group(matrices, config.weight_decay)] + ([Group(vectors, 0.0)] if vectors else [])
        self.adamw = AdamW(groups)

    def set(self, config: OptimizerConfig, learning_rate: float) -> None:
        """Set what is live before a step. learning_rate: of this step; Muon's own rises and falls with it."""
        self.adamw.learning_rate, self.adamw.betas = learning_rate, (config.beta1, config.beta2)
        self.adamw.groups[0].weight_decay = config.weight_decay
        if self.muon is not None:
            self.muon.learning_rate = config.muon_lr * learning_rate / config.learning_rate
            self.muon.momentum = config.muon_momentum
            self.muon.weight_decay = config.weight_decay
            self.muon.ns_steps = config.muon_ns_steps

    def make_room(self) -> None:
        """All averages, before the first step would make them: one that begins to move weights asks for no memory."""
        self.adamw.make_room()
        if self.muon is not None:
            self.muon.make_room()

    def step(self, broken: Tensor | None = None) -> None:
        """Move the weights along their gradients, and forget these. broken: where it is 1, nothing moves."""
        self.adamw.step(broken)
        if self.muon is not None:
            self.muon.step(broken)
        self.forget_gradients()

    def forget_gradients(self) -> None:
        for p in self._names:
            p.grad = None

    def state(self) -> dict[str, Tensor]:
        """Averages and step counts as "<parameter>.<name>" -> tensor; empty before the first step."""
        momenta = self.muon.momenta() if self.muon is not None else {}
        found = {f"{self._names[p]}.{_MUON}": momentum for p, momentum in momenta.items()}
        for p, name in self._names.items():
            if p in self.adamw.averages:
                found |= {f"{name}.{key}": getattr(self.adamw.averages[p], key) for key in _ADAM}
        return found

    def restore(self, saved: Mapping[str, Tensor]) -> None:
        """Put back what `state` gave; a parameter that another optimizer moved begins anew.

        Raises GptTuiError where it belongs to another model.
        """
        self.adamw.averages.clear()
        by_muon = set(self.muon.parameters) if self.muon is not None else set()
        momenta: dict[Tensor, Tensor] = {}
        for p, name in self._names.items():
            keys = (_MUON,) if p in by_muon else _ADAM
            found = {key: saved[f"{name}.{key}"] for key in keys if f"{name}.{key}" in saved}
            if not found:
                continue
            shapes = [p.shape if key != "step" else torch.Size() for key in keys]
            if [tensor.shape for tensor in found.values()] != shapes:
                raise GptTuiError(f"the saved optimizer state does not fit the model: {shorten(name)}")
            if p in by_muon:
                momenta[p] = found[_MUON]
                continue
            self.adamw.averages[p] = Averages(
                found["step"].to(p.device, torch.float32).clone(),
                found["exp_avg"].to(p.device, p.dtype).clone(),
                found["exp_avg_sq"].to(p.device, p.dtype).clone(),
            )
        if self.muon is not None:
            self.muon.restore(momenta)
