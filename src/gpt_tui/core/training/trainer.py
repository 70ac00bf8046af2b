"""One model learning one dataset. No thread, no file, no screen: `step` reads like the lecture."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gpt_tui.core.config import RunConfig, dataset_faults
from gpt_tui.core.data import Dataset, sample_batch
from gpt_tui.core.device import resolve_device, resolve_dtype, resolve_threads
from gpt_tui.core.errors import GptTuiError, Refusal
from gpt_tui.core.model import GPT
from gpt_tui.core.randomness import derive_seed, make_stream, restore_stream, stream_state
from gpt_tui.core.training.evaluator import Evaluation, Evaluator
from gpt_tui.core.training.optimizer import apply_settings, make_optimizer, optimizer_state, restore_optimizer
from gpt_tui.core.training.schedule import learning_rate

_MACHINE_FIELDS = ("device", "dtype", "threads", "deterministic")


@dataclass(frozen=True)
class StepResult:
    """What one optimizer step did. loss: nats a token, of its own batch; tokens: seen so far in all."""

    step: int
    loss: float
    learning_rate: float
    grad_norm: float
    tokens: int


class Diverged(GptTuiError):
    """Something became NaN or infinite at this step. Raised by `Trainer.step`, before a weight was touched."""

    def __init__(self, step: int, what: str, value: float):
        super().__init__(f"the {what} became {value} at step {step}")


class Trainer:
    """A model, its optimizer and its streams of randomness, at some step.

    Dropout draws from PyTorch's default generator, which this seeds: one Trainer at a time learns in a process if its
    losses are to be repeatable. Raises Refusal where configuration, dataset and machine do not fit together.
    """

    def __init__(self, config: RunConfig, dataset: Dataset):
        if faults := dataset_faults(config, dataset.facts()):
            raise Refusal(faults)
        self.config = config
        self.dataset = dataset
        self.step_count = 0
        self.tokens = 0
        self._settle_on_machine()
        generator = torch.Generator().manual_seed(derive_seed(config.training.seed, "initialisation"))
        self.model = GPT(config.model, dataset.vocab_size, generator).to(self.device)
        self.optimizer = make_optimizer(self.model, config.optimizer)
        self.reseed()

    def step(self) -> StepResult:
        """One optimizer step. Raises Diverged before any weight is touched."""
        config, model = self.config, self.model
        rate = learning_rate(config, self.step_count)
        apply_settings(self.optimizer, config.optimizer, rate)
        micro_batches = config.training.gradient_accumulation_steps
        total = torch.zeros((), device=self.device)
        for _ in range(micro_batches):
            x, y = self._next_batch()  # (B, T) each
            loss = self._loss(x, y) / micro_batches
            loss.backward()  # type: ignore[no-untyped-call]
            total += loss.detach()
        norm = self._clip(list(model.parameters()), config.optimizer.grad_clip)
        step_loss, grad_norm = torch.stack((total, norm)).tolist()  # the one place that waits for a GPU
        self._refuse_non_finite("loss", step_loss)
        self._refuse_non_finite("gradient", grad_norm)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.step_count += 1
        self.tokens += config.tokens_per_step
        return StepResult(self.step_count, step_loss, rate, grad_norm, self.tokens)

    def evaluate(self, eval_iters: int | None = None, should_stop: Callable[[], bool] = lambda: False) -> Evaluation:
        """The mean losses now. eval_iters 0: the whole validation split. Raises Interrupted once `should_stop` is true.

        Nothing of it is felt by the steps that follow.
        """
        training = self.config.training
        iters = training.eval_iters if eval_iters is None else eval_iters
        evaluator = Evaluator(self.dataset, training.seed, self.config.model.block_size, self.device)
        return evaluator.evaluate(self.model, iters, training.batch_size, self._loss, should_stop)

    def edit(self, config: RunConfig) -> None:
        """Go on under `config`, which differs from the present one in live fields only."""
        old, self.config = self.config, config
        if any(config.get(name) != old.get(name) for name in _MACHINE_FIELDS):
            try:
                state = self.state_dict()
                self._settle_on_machine()
                self.model.to(self.device)
                self.optimizer = make_optimizer(self.model, config.optimizer)
                self.load_state_dict(state)
            except GptTuiError:
                self.config = old
                raise
        if config.model.dropout != old.model.dropout:
            self.model.set_dropout(config.model.dropout)

    def reseed(self) -> None:
        """Begin the streams of batches and dropout anew from the configured seed, as a fork with another seed does."""
        seed = self.config.training.seed
        self._batches = make_stream(seed, "batches")
        torch.manual_seed(derive_seed(seed, "dropout"))

    def state_dict(self) -> dict[str, Any]:
        """All that the next step depends on: {"model": tensors, "trainer": tensors, "state": plain values}.

        The tensors are the living ones, not copies.
        """
        trainer = {f"optimizer.{name}": value for name, value in optimizer_state(self.optimizer, self.model).items()}
        trainer["dropout.cpu"] = torch.get_rng_state()
        if self.device.type == "cuda":
            trainer["dropout.cuda"] = torch.cuda.get_rng_state(self.device)
        elif self.device.type == "mps":
            trainer["dropout.mps"] = torch.mps.get_rng_state()
        state = {"step": self.step_count, "tokens": self.tokens, "batches": stream_state(self._batches)}
        return {"model": dict(self.model.state_dict()), "trainer": trainer, "state": state}

    def load_state_dict(self, saved: Mapping[str, Any]) -> None:
        """Be where `state_dict` was taken. Raises GptTuiError when it belongs to another model."""
        try:
            self.model.load_state_dict(saved["model"])
        except RuntimeError as error:
            raise GptTuiError(
                f"the saved weights do not fit the model: {str(error).splitlines()[-1].strip()}"
            ) from None
        trainer: Mapping[str, Tensor] = saved["trainer"]
        prefix = "optimizer."
        restore_optimizer(
            self.optimizer,
            self.model,
            {name.removeprefix(prefix): value for name, value in trainer.items() if name.startswith(prefix)},
        )
        restore_stream(self._batches, saved["state"]["batches"])
        torch.set_rng_state(trainer["dropout.cpu"].cpu())
        if self.device.type == "cuda" and "dropout.cuda" in trainer:
            torch.cuda.set_rng_state(trainer["dropout.cuda"].cpu(), self.device)
        elif self.device.type == "mps" and "dropout.mps" in trainer:
            torch.mps.set_rng_state(trainer["dropout.mps"].cpu())
        self.step_count = int(saved["state"]["step"])
        self.tokens = int(saved["state"]["tokens"])

    def _settle_on_machine(self) -> None:
        training = self.config.training
        self.device = torch.device(resolve_device(training.device))
        self.dtype = resolve_dtype(training.dtype, self.device.type, self.config.model)
        self.threads = resolve_threads(training.threads)
        if torch.get_num_threads() != self.threads:
            torch.set_num_threads(self.threads)
        if self.device.type == "cuda":
            if training.deterministic:
                os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # what cuBLAS asks for in exchange
            torch.use_deterministic_algorithms(training.deterministic, warn_only=True)
            torch.set_float32_matmul_precision("highest" if training.deterministic else "high")

    def _next_batch(self) -> tuple[Tensor, Tensor]:
        training, block_size = self.config.training, self.config.model.block_size
        x, y = sample_batch(self.dataset.train, self._batches, training.batch_size, block_size)
        if self.device.type == "cuda":
            pinned = torch.from_numpy(x).pin_memory(), torch.from_numpy(y).pin_memory()
            return pinned[0].to(self.device, non_blocking=True), pinned[1].to(self.device, non_blocking=True)
        return torch.from_numpy(x).to(self.device), torch.from_numpy(y).to(self.device)

    def _loss(self, x: Tensor, y: Tensor) -> Tensor:
        """Mean cross-entropy of targets y (B, T) after tokens x (B, T), in nats a token."""
        with self._autocast():
            _, loss = self.model(x, y)
        assert isinstance(loss, Tensor)
        return loss

    def _autocast(self) -> contextlib.AbstractContextManager[Any]:
        if self.dtype == "bfloat16":
            return torch.autocast(self.device.type, dtype=torch.bfloat16)
        return contextlib.nullcontext()

    def check_weights(self) -> None:
        """Raise Diverged where a weight is NaN or infinite: such a model is worth no checkpoint."""
        if not all(bool(torch.isfinite(p).all()) for p in self.model.parameters()):
            raise Diverged(self.step_count, "weights", math.nan)

    @staticmethod
    def _clip(parameters: list[Tensor], limit: float | str) -> Tensor:
        """Shorten the gradient to `limit`, unless "off"; its length before that."""
        if isinstance(limit, str):
            return torch.nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
        return torch.nn.utils.clip_grad_norm_(parameters, limit)

    def _refuse_non_finite(self, what: str, value: float) -> None:
        if not math.isfinite(value):
            self.optimizer.zero_grad(set_to_none=True)
            raise Diverged(self.step_count + 1, what, value)
