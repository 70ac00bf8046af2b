"""torch.compile for the steps: when it is worth its wait, and what is to be told where it cannot be had."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from gpt_tui.core.errors import GptTuiError, shorten

WARM = 30  # steps that are timed before, and after
WORTH = 2  # times the wait that is to be saved

# Seconds that compiling takes, and the share of a step that it saves, as far as is known before it is tried. What a
# CPU gains was measured (benchmarks/README.md): its steps are written in few operations already.
_EXPECTED = {"cuda": (60.0, 0.3), "mps": (60.0, 0.1), "cpu": (40.0, 0.02)}


class CannotCompile(GptTuiError):
    """A compiled step failed: there is no compiler, or it does not take this model."""

    def __init__(self, error: BaseException):
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        why = f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
        super().__init__(f"the model could not be compiled ({shorten(why)})")


def compiled(model: nn.Module) -> Callable[..., Any]:
    """The model as torch.compile makes it; that takes its time when it is first called."""
    for name in ("torch._dynamo", "torch._inductor"):  # what they say would be written over the screen
        logging.getLogger(name).setLevel(logging.CRITICAL)
    os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", "1")  # no processes that would outlive a kill
    made: Callable[..., Any] = torch.compile(model)
    return made


def is_worth_it(device: str, step_seconds: float, steps_left: int) -> bool:
    """Whether so many steps, of so many seconds each, would save more time than compiling is expected to take."""
    seconds, share = _EXPECTED[device]
    return steps_left * step_seconds * share > WORTH * seconds


@dataclass
class Trial:
    """Whether a run under `compile = auto` goes on compiled: told the seconds of each step, by what it answers.

    known_until: the step up to which the log knows how the run went; nothing is decided anew before that
    """

    known_until: int = 0
    _timed: int = 0
    _seconds: float = 0.0
    _before: float | None = None  # seconds of a step that was not compiled, once one is

    def add(self, seconds: float) -> None:
        self._timed += 1
        if self._timed > 1:  # the first one of each kind has more to do
            self._seconds += seconds

    @property
    def mean(self) -> float | None:
        """Seconds of a step, once enough were timed."""
        return self._seconds / (self._timed - 1) if self._timed > WARM else None

    def begins(self, device: str, step: int, steps_left: int) -> bool:
        """Whether to compile now."""
        if self.mean is None or step < self.known_until or not is_worth_it(device, self.mean, steps_left):
            return False
        self._before, self._timed, self._seconds = self.mean, 0, 0.0
        return True

    def failed(self) -> tuple[float, float] | None:
        """Seconds of a step before and after, where compiling made it no faster. Judged once, when that is known."""
        before, after = self._before, self.mean
        if before is None or after is None:
            return None
        self._before = None
        return (before, after) if after >= before else None

    def begin_anew(self) -> None:
        """Something was changed that a step's time depends on: what was timed says nothing any more."""
        self._timed, self._seconds, self._before = 0, 0.0, None
