"""Learning: `Trainer`, its optimizer, schedule and evaluator. No thread, no file, no screen."""

from gpt_tui.core.training.compiling import CannotCompile, Trial
from gpt_tui.core.training.evaluator import Evaluation, Interrupted
from gpt_tui.core.training.trainer import Diverged, StepResult, Trainer

__all__ = ["CannotCompile", "Diverged", "Evaluation", "Interrupted", "StepResult", "Trainer", "Trial"]
