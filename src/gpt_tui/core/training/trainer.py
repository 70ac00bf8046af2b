"""One model learning one dataset. No thread, no file, no screen: `step` reads like the lecture."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor

from gpt_tui.core.config import RunConfig, dataset_faults
from gpt_tui.core.data import Dataset, sample_batch
from gpt_tui.core.device import resolve_device, resolve_dtype, resolve_threads
from gpt_tui.core.errors import GptTuiError, Refusal, shorten
from gpt_tui.core.memory import keep_freed_memory, release, shortage, windows_at_once
from gpt_tui.core.model import GPT
from gpt_tui.core.randomness import derive_seed, make_stream, restore_stream, stream_state
from gpt_tui.core.training.compiling import CannotCompile, compiled
from gpt_tui.core.training.evaluator import Evaluation, Evaluator
from gpt_tui.core.training.optimizer import Optimizer
from gpt_tui.core.training.schedule import learning_rate

Result = TypeVar("Result")
_MACHINE_FIELDS = ("device", "dtype", "threads", "deterministic")
_MOST_TOKENS = 2**53  # to go on from: so far below what a log can hold that no training reaches that


@dataclass(frozen=True)
class StepResult:
    """What one optimizer step did. loss: nats a token, of its own batch; tokens: seen so far in all."""

    step: int
    loss: float
    learning_rate: float
    grad_norm: float
    tokens: int


@dataclass(frozen=True)
class _Place:
    """Where a step begins: what it takes to begin it again."""

    step: int
    tokens: int
    batches: Any
    dropout: Mapping[str, Tensor]


@dataclass
class _Begun:
    """A step on its way. numbers: (2,) loss and length of the gradient, on the device until they are sent.

    broken: 1 where they, or those of the step before, are not finite; neither weights nor averages move then.
    """

    place: _Place
    step: int
    rate: float
    tokens: int
    numbers: Tensor
    broken: Tensor | None = None
    _arrived: torch.cuda.Event | None = None

    def send(self, before: _Begun | None) -> None:
        """Have the numbers copied to the CPU behind the work that makes them."""
        self.broken = (~torch.isfinite(self.numbers).all()).float()
        if before is not None and before.broken is not None:
            self.broken = torch.maximum(self.broken, before.broken)
        if self.numbers.is_cuda:
            device = self.numbers.device
            self.numbers = torch.empty(2, pin_memory=True).copy_(self.numbers, non_blocking=True)
            self._arrived = torch.cuda.Event()  # type: ignore[no-untyped-call]
            self._arrived.record(torch.cuda.current_stream(device))

    def read(self) -> tuple[float, float]:
        if self._arrived is not None:
            self._arrived.synchronize()
        loss, grad_norm = self.numbers.tolist()
        return loss, grad_norm


class Diverged(GptTuiError):
    """Something became NaN or infinite at this step. Raised before a weight was touched."""

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
        self._begun: _Begun | None = None
        self._compiled: Callable[..., Any] | None = None
        self._compiles = False  # whether a compiled step was good
        self._take_machine()
        generator = torch.Generator().manual_seed(derive_seed(config.training.seed, "initialisation"))
        self.model = GPT(config.model, dataset.vocab_size, generator).to(self.device)
        self.optimizer = Optimizer(self.model, config.optimizer)
        self.reseed()

    @property
    def runs_ahead(self) -> bool:
        """Whether a step is begun before it is known what the one before it did: where AdamW reads a flag by itself."""
        return self.device.type == "cuda"

    @property
    def under_way(self) -> bool:
        """Whether a step was begun of which it is not told yet what it did."""
        return self._begun is not None

    @property
    def compiles_next(self) -> bool:
        """Whether the next step will wait until the model is compiled."""
        return self.config.training.compile == "on" and self._compiled is None

    def step(self) -> StepResult:
        """One optimizer step. Raises Diverged, OutOfMemory or CannotCompile before any weight is touched: it has not
        begun then."""
        self.settle()
        result = self.begin_step() or self.settle()
        assert result is not None
        return result

    def begin_step(self) -> StepResult | None:
        """One optimizer step that nobody waits for where the machine `runs_ahead`: what the step before it did.

        None where that is told already. Elsewhere it is done on return: what it did. Raises as `step` does, running
        ahead one step late: neither step has touched a weight then, and neither has begun.
        """
        place = self._place()
        rate = learning_rate(self.config, self.step_count)
        self.optimizer.set(self.config.optimizer, rate)
        numbers = self._undone_where_it_fails(self._gradient, place)
        begun = _Begun(place, self.step_count + 1, rate, self.tokens + self.config.tokens_per_step, numbers)
        self.step_count, self.tokens = begun.step, begun.tokens
        if not self.runs_ahead:
            result = self._read(begun)
            self.optimizer.step()
            return result
        before, self._begun = self._begun, begun
        begun.send(before)
        self.optimizer.step(begun.broken)
        return self._read(before) if before else None

    def settle(self) -> StepResult | None:
        """Wait for the step that was begun and not told yet: what it did; None where there is none. Raises Diverged."""
        begun, self._begun = self._begun, None
        return self._read(begun) if begun else None

    def _read(self, begun: _Begun) -> StepResult:
        """What a step did. Raises Diverged, back where it began."""
        loss, grad_norm = begun.read()
        for what, value in (("loss", loss), ("gradient", grad_norm)):
            if not math.isfinite(value):
                self._begun = None  # the step behind it, which has not moved the weights either
                self._go_back(begun.place)
                raise Diverged(begun.step, what, value)
        return StepResult(begun.step, loss, begun.rate, grad_norm, begun.tokens)

    def _gradient(self) -> Tensor:
        """Batch, forward, backward, clip: leaves the gradient, and returns (2,): the loss, the length before clipping.

        Nothing here waits for a GPU.
        """
        micro_batches = self.config.training.gradient_accumulation_steps
        total = torch.zeros((), device=self.device)
        for _ in range(micro_batches):
            x, y = self._next_batch()  # (B, T) each
            loss = self._loss(x, y, self._learner()) / micro_batches
            loss.backward()  # type: ignore[no-untyped-call]
            total += loss.detach()
        norm = self._clip(list(self.model.parameters()), self.config.optimizer.grad_clip)
        self.optimizer.make_room()
        self._compiles = self._compiled is not None
        return torch.stack((total, norm))

    def _undone_where_it_fails(self, work: Callable[[], Result], place: _Place) -> Result:
        """What `work` gives; where it raises, everything is as it was at `place`."""
        try:
            return work()
        except Exception as error:  # noqa: BLE001 - raised again below
            short = shortage(error, f"step {self.step_count + 1} does not fit into memory", self.device.type)
            if self._compiled is not None and (short is None or not self._compiles):
                failed: Exception = CannotCompile(error)  # where memory is short, the step without it will say so
            else:
                failed = short or error
        # Only here, where the error is forgotten, is what its frames held free again.
        self._go_back(place)
        raise failed

    def _place(self) -> _Place:
        return _Place(self.step_count, self.tokens, stream_state(self._batches), self._dropout_state())

    def _go_back(self, place: _Place) -> None:
        self.optimizer.forget_gradients()
        self.step_count, self.tokens = place.step, place.tokens
        restore_stream(self._batches, place.batches)
        self._restore_dropout(place.dropout)
        release(self.device.type)

    def evaluate(
        self,
        eval_iters: int | None = None,
        should_stop: Callable[[], bool] = lambda: False,
        progress: Callable[[int, int], object] = lambda done, total: None,
    ) -> Evaluation:
        """The mean losses now. eval_iters 0: the whole validation split. Raises Interrupted once `should_stop` is true.

        progress is told after each batch how many tokens were evaluated, of how many. Nothing of it is felt by the
        steps that follow.
        """
        training = self.config.training
        iters = training.eval_iters if eval_iters is None else eval_iters
        evaluator = Evaluator(self.dataset, training.seed, self.config.model.block_size, self.device)
        at_once = windows_at_once(self.config, self.model.vocab_size, iters)
        return evaluator.evaluate(self.model, iters, training.batch_size, at_once, self._loss, should_stop, progress)

    def edit(self, config: RunConfig) -> None:
        """Go on under `config`, which differs from the present one in live fields only."""
        old, self.config = self.config, config
        if any(config.get(name) != old.get(name) for name in _MACHINE_FIELDS):
            state = self.state_dict()
            try:
                self._move(state)
            except Exception as error:
                told = shortage(error, "there is not enough memory for that", self.device.type)
                self.config = old
                self._move(state)
                if told:
                    raise told from None
                raise
        if config.training.compile != old.training.compile and self._compiled is not None:
            self._compiled, self._compiles = None, False
            torch.compiler.reset()
        if config.model.dropout != old.model.dropout:
            self.model.set_dropout(config.model.dropout)

    def reseed(self) -> None:
        """Begin the streams of batches and dropout anew from the configured seed, as a fork with another seed does."""
        seed = self.config.training.seed
        self._batches = make_stream(seed, "batches")
        torch.manual_seed(derive_seed(seed, "dropout"))

    def state_dict(self) -> dict[str, Any]:
        """All that the next step depends on: {"model": tensors, "trainer": tensors, "state": plain values}.

        The tensors are the living ones, not copies. For a trainer that is settled.
        """
        assert self._begun is None
        trainer = {f"optimizer.{name}": value for name, value in self.optimizer.state().items()}
        trainer |= self._dropout_state()
        state = {"step": self.step_count, "tokens": self.tokens, "batches": stream_state(self._batches)}
        return {"model": dict(self.model.state_dict()), "trainer": trainer, "state": state}

    def load_state_dict(self, saved: Mapping[str, Any]) -> None:
        """Be where `state_dict` was taken. Raises GptTuiError when it belongs to another model."""
        try:
            self.model.load_state_dict(saved["model"])
        except RuntimeError as error:
            why = shorten(str(error).splitlines()[-1].strip())
            raise GptTuiError(f"the saved weights do not fit the model: {why}") from None
        trainer: Mapping[str, Tensor] = saved["trainer"]
        prefix = "optimizer."
        self.optimizer.restore(
            {name.removeprefix(prefix): value for name, value in trainer.items() if name.startswith(prefix)}
        )
        state = saved["state"]
        try:
            self.step_count, self.tokens = int(state["step"]), int(state["tokens"])
            if not 0 <= self.tokens < _MOST_TOKENS:
                raise ValueError
        except (KeyError, TypeError, ValueError, OverflowError):
            raise GptTuiError("the saved place in the training cannot be read") from None
        try:
            torch.Generator().set_state(trainer["dropout.cpu"])  # one of our own first: this may be a stranger's
        except (KeyError, TypeError, RuntimeError):
            raise GptTuiError("the saved position of dropout's random stream cannot be read") from None
        restore_stream(self._batches, state.get("batches"))
        self._restore_dropout(trainer)

    def _dropout_state(self) -> dict[str, Tensor]:
        """Where the generators are that dropout draws from."""
        states = {"dropout.cpu": torch.get_rng_state()}
        if self.device.type == "cuda":
            states["dropout.cuda"] = torch.cuda.get_rng_state(self.device)
        elif self.device.type == "mps":
            states["dropout.mps"] = torch.mps.get_rng_state()
        return states

    def _restore_dropout(self, states: Mapping[str, Tensor]) -> None:
        torch.set_rng_state(states["dropout.cpu"].cpu())
        if self.device.type == "cuda" and "dropout.cuda" in states:
            torch.cuda.set_rng_state(states["dropout.cuda"].cpu(), self.device)
        elif self.device.type == "mps" and "dropout.mps" in states:
            torch.mps.set_rng_state(states["dropout.mps"].cpu())

    def _move(self, state: Mapping[str, Any]) -> None:
        """Go on from `state` on the machine that the configuration names."""
        self._take_machine()
        self.model.to(self.device)
        self.optimizer = Optimizer(self.model, self.config.optimizer)
        self.load_state_dict(state)

    def _take_machine(self) -> None:
        training = self.config.training
        self.device = torch.device(resolve_device(training.device))
        self.dtype = resolve_dtype(training.dtype, self.device.type, self.config.model)
        self.threads = resolve_threads(training.threads)
        if torch.get_num_threads() != self.threads:
            torch.set_num_threads(self.threads)
        if self.device.type == "cpu":
            keep_freed_memory()
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

    def _learner(self) -> Callable[..., Any]:
        """The model as the steps call it."""
        if self.config.training.compile != "on":
            return self.model
        if self._compiled is None:
            self._compiled = compiled(self.model)
        return self._compiled

    def _loss(self, x: Tensor, y: Tensor, model: Callable[..., Any] | None = None) -> Tensor:
        """Mean cross-entropy of targets y (B, T) after tokens x (B, T), in nats a token. model: None is as it is."""
        with self._autocast():
            _, loss = (self.model if model is None else model)(x, y)
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
