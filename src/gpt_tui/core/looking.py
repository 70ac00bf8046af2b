"""Looking at a model that learns: its losses, what it says, what surprises it. Nothing of it is felt by the steps."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from gpt_tui.core.activity import SAMPLING
from gpt_tui.core.config import RunConfig
from gpt_tui.core.events import Eval, Milestone, Sample, Surprise
from gpt_tui.core.keeping import Keeper
from gpt_tui.core.memory import in_smaller_evaluations, release, shortage
from gpt_tui.core.prepare import Prepared
from gpt_tui.core.timing import Progress

if TYPE_CHECKING:
    from gpt_tui.core.training import Evaluation


class Looker:
    """Looks at one run's model when it is told to, and knows what was best.

    best, best_step: the lowest validation loss so far, and where; inf and 0 before there is one
    evaluated_step:  of the newest evaluation; -1 before the first
    last:            what that gave, where it was made in this session
    """

    def __init__(
        self,
        prepared: Prepared,
        keeper: Keeper,
        progress: Progress,
        make_smaller: Callable[[RunConfig, str], None],
    ):
        """make_smaller: goes on under a configuration that takes less memory, and tells why."""
        self._trainer, self._dataset = prepared.trainer, prepared.dataset
        self._ladder, self._passage = prepared.record.ladder, prepared.passage
        self._keeper, self._progress, self._make_smaller = keeper, progress, make_smaller
        history = prepared.history
        self.best = min((e.val_loss for e in history.evals if e.val_loss == e.val_loss), default=math.inf)
        self.best_step = next((e.step for e in history.evals if e.val_loss == self.best), 0)
        self.evaluated_step = history.evals[-1].step if history.evals else -1
        self.last: Evaluation | None = None
        # No milestone of a fork tells what its parent had passed, but the losses that it began with do.
        lowest = min([self.best, *(loss for loss in prepared.parent_losses if loss == loss)])
        told = {milestone.rung for milestone in history.milestones}
        self._passed = told | {rung for rung, nats in self._ladder.items() if lowest < nats}

    def evaluate(
        self,
        eval_iters: int | None,
        should_stop: Callable[[], bool],
        progress: Callable[[int, int], object] = lambda done, total: None,
    ) -> Evaluation:
        """The losses now; a few windows at a time, from here on, where memory does not suffice for more.

        Raises Interrupted, and what PyTorch raises where not even one window fits.
        """
        trainer = self._trainer
        while True:
            old = trainer.config
            iters = old.training.eval_iters if eval_iters is None else eval_iters
            try:
                return trainer.evaluate(iters, should_stop, progress)
            except (MemoryError, RuntimeError) as error:
                what = f"the evaluation of step {trainer.step_count} does not fit into memory"
                told = shortage(error, what, trainer.device.type)
                new = in_smaller_evaluations(old, self._dataset.vocab_size, iters) if told else None
                if new is None:
                    raise
            release(trainer.device.type)  # only here is what the error's frames held free again
            self._make_smaller(new, f"{told}. Going on with fewer windows at once, which give the same losses")

    def record(self, evaluation: Evaluation) -> bool:
        """Tell of an evaluation of this step, and of the rungs that it passed; whether it is the best."""
        step, val_loss, keeper = self._trainer.step_count, evaluation.val_loss, self._keeper
        is_best = val_loss < self.best or (val_loss == self.best and step == self.best_step)  # one made again
        if is_best:
            self.best, self.best_step = val_loss, step
        self.evaluated_step, self.last = step, evaluation
        keeper.emit(
            Eval(
                time=keeper.time,
                step=step,
                train_loss=evaluation.train_loss,
                val_loss=val_loss,
                whole_split=evaluation.whole_split,
                best=is_best,
            )
        )
        for rung, nats in sorted(self._ladder.items(), key=lambda item: -item[1]):
            if rung not in self._passed and val_loss < nats:
                self._passed.add(rung)
                keeper.emit(Milestone(time=keeper.time, step=step, rung=rung, val_loss=val_loss))
        return is_best

    def speak(self, should_stop: Callable[[], bool]) -> None:
        """Tell what the model says now. Raises Interrupted."""
        from gpt_tui.core.sampling import default_prompt, sample_text
        from gpt_tui.core.training import Interrupted

        trainer, tokenizer = self._trainer, self._dataset.tokenizer
        sampling = trainer.config.sampling
        written = itertools.count()

        def asked() -> bool:
            self._progress.show(SAMPLING, next(written), sampling.max_new_tokens)
            return should_stop()

        text = sample_text(trainer.model, tokenizer, sampling, asked)
        if text is None:
            raise Interrupted
        prompt, time = sampling.prompt or default_prompt(tokenizer), self._keeper.time
        seed, rule = sampling.sample_seed, sampling.window_rule
        self._keeper.emit(
            Sample(time=time, step=trainer.step_count, prompt=prompt, seed=seed, text=text, window_rule=rule)
        )

    def score_passage(self) -> None:
        """Tell how much each character of the run's passage surprises the model now."""
        from gpt_tui.core.lens import surprise

        trainer, passage = self._trainer, self._passage
        nats = passage.per_character(surprise(trainer.model, passage.tokens, skip=passage.before))
        time = self._keeper.time
        self._keeper.emit(Surprise(time=time, step=trainer.step_count, nats=[round(value, 4) for value in nats]))

    def leave_out(self, what: str, error: Exception) -> None:
        """Tell what memory did not suffice for. Raises the error where it is another one."""
        device = self._trainer.device.type
        if (told := shortage(error, f"{what} was left out, for want of memory", device)) is None:
            raise error
        self._keeper.notice("warning", str(told))
        release(device)
