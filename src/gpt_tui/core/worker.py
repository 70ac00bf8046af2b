"""What the worker thread does: prepare a run, take its steps, evaluate, sample and save when due, and end it well.

`Worker.run` is the life of one session; `_train` is its loop. Nothing escapes from here: every end is an `Outcome`.
"""

from __future__ import annotations

import math
import time
import traceback
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from gpt_tui.core.activity import COMPILING, EVALUATING, LAST_EVALUATION, UNSAVED
from gpt_tui.core.commands import (
    Desk,
    EditFields,
    Lend,
    Lent,
    Outcome,
    Pause,
    Resume,
    Save,
    SingleStep,
    Stop,
)
from gpt_tui.core.config import RunConfig, difference, live_changes
from gpt_tui.core.data import Stopped
from gpt_tui.core.device import memory_in_use
from gpt_tui.core.divergence import advice
from gpt_tui.core.errors import GptTuiError, Refusal
from gpt_tui.core.events import (
    Checkpoint,
    Continued,
    Edit,
    EndReason,
    Failed,
    Finished,
    Paused,
    Resumed,
    Step,
)
from gpt_tui.core.keeping import Keeper
from gpt_tui.core.looking import Looker
from gpt_tui.core.memory import OutOfMemory, in_smaller_batches, shortage
from gpt_tui.core.prepare import Prepared, insisted, machine_of, now, prepare
from gpt_tui.core.runs import RunIsHeld, going_on
from gpt_tui.core.runs.history import Level
from gpt_tui.core.timing import Clock, Progress, Rate

if TYPE_CHECKING:
    from gpt_tui.core.training import Evaluation, StepResult

LOOKING_SECONDS = 30.0  # of evaluations and samples, before it is told that they take more than the steps
SAFETY_SECONDS = 60.0  # an evaluation this long after the last checkpoint saves one, best or not


class Unsaved(GptTuiError):
    """The run is at its end, and its last checkpoint could not be saved. hint: what to do."""

    def __init__(self, step: int, why: str, hint: str):
        super().__init__(f"step {step} could not be saved: {why}")
        self.hint = hint


class End(Exception):
    """The run is to end here, for this reason."""

    def __init__(self, reason: EndReason):
        self.reason: EndReason = reason


class Worker:
    def __init__(self, desk: Desk):
        self.desk = desk
        self.plan = desk.plan
        self.mailbox = desk.mailbox
        self.progress = Progress(desk)

    # The life of a session

    def run(self) -> Outcome:
        try:
            prepared = prepare(self.plan, self.progress.show, self.mailbox.stopping)
        except Stopped:
            self.desk.show(state="STOPPED", activity="")
            return Outcome("cancelled")
        except Refusal as refusal:
            self.desk.show(state="FAILED", activity="")
            return Outcome("refused", error=refusal)
        except Exception as error:  # noqa: BLE001 - the doors tell a person, and keep the traceback
            self.desk.show(state="FAILED", activity="")
            told = _as_error(error)
            unforeseen = None if isinstance(told, OutOfMemory) or told is error else traceback.format_exc()
            return Outcome("failed", error=told, traceback=unforeseen)
        try:
            outcome = self._run_prepared(prepared)
        except Exception as error:  # noqa: BLE001 - of telling how it ended
            outcome = Outcome("failed", error=_as_error(error), traceback=traceback.format_exc())
        try:
            prepared.writer.close()
        except GptTuiError as error:  # the disk took no more of the log
            event = outcome.event if isinstance(outcome.event, Failed) else None
            return Outcome("failed", event=event, error=error, traceback=outcome.traceback)
        return outcome

    def _run_prepared(self, prepared: Prepared) -> Outcome:
        from gpt_tui.core.training import Trial

        self.prepared = prepared
        self.trainer, self.writer, self.dataset = prepared.trainer, prepared.writer, prepared.dataset
        self.run_name = prepared.writer.run.name
        self.clock = Clock(prepared.seconds)
        self.step_seconds, self.eval_seconds = Rate(), Rate(0.5)
        saved_step = prepared.checkpoint.step if prepared.checkpoint and prepared.resumed else -1
        self.keeper = Keeper(self.desk, self.writer, self.clock, self.progress, saved_step)
        self.looked_step = prepared.looked
        self.trial = Trial(known_until=int(max(prepared.history.steps, default=0)))
        self.paused = self.compiling = self.told_share = False
        self.looking_seconds = 0.0
        try:
            self._open()
            reason = self._train()
            while not self._is_saved(reason):
                reason = self._train()
            return self._end(reason)
        except Exception as error:  # noqa: BLE001 - every end is told as an event and as an outcome
            return self._fail(error)

    def _train(self) -> EndReason:
        """The loop: obey, step, and evaluate, sample and save when due. Returns why it ended."""
        try:
            if self._evaluation_is_due():
                self._look()
            while True:
                self.keeper.wait_for_room(self._stopping)
                self._replay_edits(before_look=self._evaluation_is_due())
                single = self._obey()
                self._check_for_end()
                self._consider_compiling()
                self._step()
                if self._evaluation_is_due():
                    self._look()
                elif self._checkpoint_is_due():
                    self._save("interval")
                if single:
                    self._settle()
                    self.desk.show(state="PAUSED", activity="")
                    self.clock.stop()
        except End as end:
            return end.reason

    # The beginning

    def _open(self) -> None:
        prepared, trainer = self.prepared, self.trainer
        history = prepared.history
        record, config = prepared.record, trainer.config
        self.desk.show(
            state="TRAINING",
            activity="training",
            step=trainer.step_count,
            max_iters=config.training.max_iters,
            config=config,
            run_path=self.writer.run.path,
            run_name=self.run_name,
            parameters=record.parameters,
            device=trainer.device.type,
            dtype=trainer.dtype,
            memory=memory_in_use(trainer.device.type),
        )
        begun = history.started is not None
        if not begun:  # or nothing is left of the log
            started = record.started(self.writer.run.path, self.writer.run.config())
            if prepared.resumed:
                history.apply(started)
            self.keeper.emit(started)
        for info in prepared.untold:
            if info.reason is not None:
                self.keeper.emit(
                    Checkpoint(time=self.keeper.time, step=info.step, path=str(info.path), reason=info.reason)
                )
        if prepared.resumed and (begun or prepared.checkpoint is not None):
            path = str(prepared.checkpoint.path) if prepared.checkpoint is not None else ""
            continued = Continued(time=self.keeper.time, step=trainer.step_count, path=path, created=now())
            history.apply(continued)
            self.keeper.emit(continued)
        for text in prepared.notices:
            self.keeper.notice("info", text)
        for text in prepared.warnings:
            self.keeper.notice("warning", text)
        # Only now does the history know that what came after the checkpoint is void.
        self.looker = Looker(prepared, self.keeper, self.progress, self._make_smaller)
        if prepared.edits:
            self._record_edit(prepared.edits)
        if prepared.resumed and prepared.checkpoint is not None:
            self._prune(prepared.checkpoint.step)  # a kill may have come between the last save and its pruning
        if promise := _promise(trainer.device.type, config):
            self.keeper.notice("info", promise)
        self.keeper.flush()

    # One step

    def _step(self) -> None:
        """Begin the next step, and tell what was done."""
        if not self.trainer.under_way:
            self.step_began = time.perf_counter()
        self.compiling = self.trainer.compiles_next
        if self.compiling:
            self.progress.show(COMPILING, 0, None)
        if (result := self._begin_step()) is not None:
            self._tell_step(result)

    def _settle(self) -> None:
        """Tell of the step that is still under way: nothing is looked at, changed or kept before it is done."""
        if (result := self.trainer.settle()) is not None:
            self._tell_step(result)

    def _tell_step(self, result: StepResult) -> None:
        ended = time.perf_counter()
        if not self.compiling:
            self.step_seconds.add(ended - self.step_began)
        average = self.step_seconds.value
        self.trial.add(ended - self.step_began)
        self.step_began = ended  # of the one that is under way, if one is
        trainer, seconds = self.trainer, self.clock.seconds
        speed = trainer.config.tokens_per_step / average if average else math.nan
        self.keeper.emit(
            Step(
                time=round(seconds, 4),
                step=result.step,
                loss=result.loss,
                learning_rate=result.learning_rate,
                grad_norm=result.grad_norm,
                tokens=result.tokens,
                tokens_per_second=round(speed, 1),
            )
        )
        self.desk.show(
            activity="training",
            done=result.step,
            total=trainer.config.training.max_iters,
            step=result.step,
            loss=result.loss,
            learning_rate=result.learning_rate,
            grad_norm=result.grad_norm,
            tokens=result.tokens,
            tokens_per_second=speed,
            seconds=seconds,
            eta=self._seconds_left(),
        )
        if self.keeper.flush_is_due:
            self.keeper.flush()
            self.desk.show(memory=memory_in_use(trainer.device.type))

    def _begin_step(self) -> StepResult | None:
        """The next step; read in smaller batches, from here on, where memory does not suffice for it."""
        from gpt_tui.core.training import CannotCompile

        while True:
            try:
                return self.trainer.begin_step()
            except OutOfMemory as error:
                self._make_do(error)
            except CannotCompile as error:
                self._settle()
                self._go_on_under("warning", "off", f"{error}. Going on without")

    def _consider_compiling(self) -> None:
        """Under `compile = auto`: compile where that is worth it by now, and go back where it was not."""
        trainer, trial = self.trainer, self.trial
        if trainer.config.training.compile == "auto":
            left = trainer.config.training.max_iters - trainer.step_count
            if trial.begins(trainer.device.type, trainer.step_count, left):
                self._settle()
                if self.keeper.last_saved_step != trainer.step_count:
                    self._save("last")  # a stop has to wait while the model is compiled, and may not
                self._go_on_under(
                    "info", "on", f"Compiling the {left:,} steps that are left; the next one waits for it"
                )
        elif trainer.config.training.compile == "on" and (seconds := trial.failed()):
            self._settle()
            before, after = (f"{1000 * value:,.3g} ms" for value in seconds)
            self._go_on_under("info", "off", f"Compiled, a step took {after}, and {before} before. Going on without")

    def _go_on_under(self, level: Level, compile: str, why: str) -> None:
        """Compile, or do so no longer, as an edit that a resumed run makes again."""
        self._replace(self.trainer.config.replace(compile=compile))
        self.keeper.notice(level, f"{why}.")

    def _replace(self, new: RunConfig) -> str:
        """Go on under `new`, as an edit that a resumed run makes again. What was changed, in words."""
        changes = difference(self.trainer.config, new)
        self.trainer.edit(new)
        self._record_edit(changes)
        return ", ".join(f"{name} {before} → {after}" for name, (before, after) in changes.items())

    def _make_do(self, error: OutOfMemory) -> None:
        """Split the batch, as an edit that a resumed run makes again. Raises OutOfMemory where it cannot be split."""
        self._settle()
        old, new = self.trainer.config, in_smaller_batches(self.trainer.config)
        if new is None:
            count = self.trainer.model.parameter_count()
            numbers = f"{error.numbers}; the model has {count:,} parameters, batch_size is {old.training.batch_size}"
            raise OutOfMemory("there is not enough memory for a step", numbers) from None
        self._make_smaller(new, f"{error}. Going on in smaller batches, which learn the same")

    def _make_smaller(self, new: RunConfig, why: str) -> None:
        self.keeper.notice("warning", f"{why}: {self._replace(new)}.")

    def _seconds_left(self) -> float | None:
        config, step = self.trainer.config.training, self.trainer.step_count
        if not self.step_seconds.value > 0:
            return None
        evaluations = config.max_iters // config.eval_interval - step // config.eval_interval
        each = self.eval_seconds.value if self.eval_seconds.value == self.eval_seconds.value else 0.0
        return max(0, config.max_iters - step) * self.step_seconds.value + evaluations * each

    def _check_for_end(self) -> None:
        if self.trainer.step_count >= self.trainer.config.training.max_iters:
            reason: EndReason = "max_iters"
        elif self.plan.max_seconds is not None and self.clock.this_session >= self.plan.max_seconds:
            reason = "max_seconds"
        else:
            return
        self._settle()
        raise End(reason)

    # Looking: evaluate, sample, save

    def _evaluation_is_due(self) -> bool:
        training, step = self.trainer.config.training, self.trainer.step_count
        if step == self.looked_step:
            return False
        beginning = self.looked_step < 0
        return beginning or step % training.eval_interval == 0 or step >= training.max_iters

    def _checkpoint_is_due(self) -> bool:
        interval = self.trainer.config.training.checkpoint_interval
        return interval != "off" and self.trainer.step_count > 0 and self.trainer.step_count % interval == 0

    def _look(self) -> None:
        """One evaluation with its sample, surprise, milestones and checkpoint.

        One cut short by a stop is made again later; one that is to be left out is not.
        """
        from gpt_tui.core.training import Diverged, Interrupted

        self._settle()
        self._replay_edits(before_look=True)
        began = time.perf_counter()
        step = self.trainer.step_count
        evaluation, is_best, missing = None, False, "evaluation"
        self.mailbox.skipping = False
        self.progress.show(EVALUATING, 0, None)
        try:
            evaluation = self.looker.evaluate(None, self._interrupting, partial(self.progress.show, EVALUATING))
            if not math.isfinite(evaluation.val_loss):
                raise Diverged(step, "validation loss", evaluation.val_loss)
            is_best, missing = self.looker.record(evaluation), "sample"
            self.looker.speak(self._interrupting)
            self.looker.score_passage()
            missing = ""
        except Interrupted:
            if self.mailbox.stopping():
                return
            self.keeper.notice("info", f"the {missing} of step {step} was left out")
        except (MemoryError, RuntimeError) as error:
            self.looker.leave_out(f"the {missing} of step {step}", error)
        self._keep_look(step, is_best)
        took = time.perf_counter() - began
        if not missing:
            self.eval_seconds.add(took)
        self._tell_of_looking(took)
        self.desk.show(activity="training", eta=self._seconds_left())
        if evaluation is not None and self._target_is_reached(evaluation.val_loss):
            raise End("target_loss")

    def _tell_of_looking(self, seconds: float) -> None:
        """Say it once where more time goes into looking than into steps."""
        self.looking_seconds += seconds
        share = self.looking_seconds / max(self.clock.this_session, self.looking_seconds)
        if self.trainer.step_count and self.looking_seconds >= LOOKING_SECONDS and share > 0.5 and not self.told_share:
            self.told_share = True
            self.keeper.notice(
                "info",
                f"evaluations and samples take {share:.0%} of the time, {self.eval_seconds.value:.0f} s each time: a "
                "larger eval_interval, fewer eval_iters or fewer max_new_tokens leave more of it to the steps",
            )

    def _keep_look(self, step: int, is_best: bool) -> None:
        """What was to be seen at this step has been, or is left out: save where that is due."""
        self.looked_step = step
        self.mailbox.skipping = False
        self.desk.show(activity="training")
        self._save_after_look(step, is_best)

    def _save_after_look(self, step: int, is_best: bool) -> None:
        reasons = self._reasons(is_best)
        if not reasons and time.perf_counter() - self.keeper.last_save > SAFETY_SECONDS:
            reasons = ["last"]
        if reasons and self.keeper.last_saved_step != step:
            self._save(", ".join(reasons))

    def _reasons(self, is_best: bool) -> list[str]:
        """Why a checkpoint of this step is due: one that is due as well as best outlives a better one."""
        step = self.trainer.step_count
        forked = self.prepared.checkpoint is not None and not self.prepared.resumed and self.keeper.last_saved_step < 0
        due = {
            "untrained": step == 0,
            "forked": forked,
            "interval": self._checkpoint_is_due(),
            "best": is_best and step > 0,
        }
        return [reason for reason, holds in due.items() if holds]

    def _target_is_reached(self, val_loss: float) -> bool:
        return self.plan.target_loss is not None and val_loss <= self.plan.target_loss

    # Commands

    def _obey(self) -> bool:
        """Obey what has arrived, waiting while paused; whether the coming step is a single one."""
        while True:
            command = self.mailbox.take(wait=self.paused)
            if command is None:
                return False
            self._settle()
            if isinstance(command, Stop):
                raise End("signal" if command.reason == "signal" else "stopped")
            if isinstance(command, Pause):
                self._pause()
            elif isinstance(command, Resume):
                self._resume()
            elif isinstance(command, Save):
                self._save("asked")
                self.desk.obeyed("SAVING")
            elif isinstance(command, EditFields):
                self._edit(command)
            elif isinstance(command, Lend):
                self._lend(command)
            elif isinstance(command, SingleStep) and self.paused:
                self.clock.go()
                return True

    def _pause(self) -> None:
        if not self.paused:
            self.paused = True
            self.clock.stop()
            self.keeper.emit(Paused(time=self.keeper.time, step=self.trainer.step_count))
            self.keeper.flush()
        self.desk.show(state="PAUSED", activity="")
        self.desk.obeyed("PAUSING", "RESUMING")

    def _resume(self) -> None:
        if self.paused:
            self.paused = False
            self.clock.go()
            self.keeper.emit(Resumed(time=self.keeper.time, step=self.trainer.step_count))
        self.desk.show(state="TRAINING", activity="training")
        self.desk.obeyed("RESUMING", "PAUSING")

    def _edit(self, command: EditFields) -> None:
        old = self.trainer.config
        try:
            new = live_changes(old, command.values)
            if new.sampling.prompt:
                self.dataset.tokenizer.encode(new.sampling.prompt, field="prompt")
            self.trainer.edit(new)
        except GptTuiError as error:
            self.keeper.notice("error", str(error))
            return
        stay = insisted(self.prepared.history.pending_edits, new, command.values)
        if changes := {**stay, **difference(old, new)}:
            self._record_edit(changes)
            self.trial.begin_anew()

    def _stopping(self) -> bool:
        """What is asked while the disk is waited for."""
        self._attend()
        return self.mailbox.stopping()

    def _interrupting(self) -> bool:
        """What an evaluation asks between its batches, and a sample between its tokens."""
        self._attend()
        return self.mailbox.interrupting()

    def _leaving(self) -> bool:
        """What the last evaluation asks between its batches."""
        self._attend()
        return self.mailbox.leaving() or self.mailbox.skipping

    def _attend(self) -> None:
        """What is due during work that leaves the weights as they are: lend them, and write down what happened."""
        for command in self.mailbox.lends():
            self._lend(command)
        if self.keeper.flush_is_due:
            self.keeper.flush()

    def _lend(self, command: Lend) -> None:
        if not command.reply.set_running_or_notify_cancel():
            return
        try:
            weights = {name: t.detach().to("cpu", copy=True) for name, t in self.trainer.model.state_dict().items()}
            command.reply.set_result(Lent(self.trainer.step_count, self.trainer.config, weights))
        except Exception as error:  # noqa: BLE001 - a copy for which there is no memory is the asker's trouble
            command.reply.set_exception(error)

    def _record_edit(self, changes: dict[str, tuple[Any, Any]]) -> None:
        edit = Edit(time=self.keeper.time, step=self.trainer.step_count, changes=changes)
        self.keeper.emit(edit)
        self.keeper.flush()  # what a person did shall not be lost with the second that follows it
        self.prepared.history.apply(edit)
        self._show_config()

    def _show_config(self) -> None:
        trainer = self.trainer
        max_iters = trainer.config.training.max_iters
        self.desk.show(
            config=trainer.config,
            max_iters=max_iters,
            total=max_iters,
            device=trainer.device.type,
            dtype=trainer.dtype,
        )

    def _replay_edits(self, *, before_look: bool = False) -> None:
        """Make again the edits that followed the checkpoint, each at its own step, as exact resume demands.

        before_look: only those that the evaluation of this step is to be made under.
        """
        history = self.prepared.history
        pending = history.pending_edits
        while pending and pending[0].step <= self.trainer.step_count:
            if before_look and pending[0].step == self.trainer.step_count and not history.precedes_look(pending[0]):
                return
            self._settle()
            self._make_again(pending[0])
            pending = history.pending_edits

    def _make_again(self, edit: Edit) -> None:
        old = self.trainer.config
        try:
            self.trainer.edit(live_changes(old, {name: new for name, (_, new) in edit.changes.items()}))
        except GptTuiError as error:  # something else was edited meanwhile that does not go with it
            self.keeper.notice("warning", f"What was edited at step {edit.step} could not be edited again: {error}")
            self._record_edit({name: (old.get(name), old.get(name)) for name in edit.changes})
            return
        if changes := difference(old, self.trainer.config):
            self._record_edit(changes)
        else:
            self.prepared.history.pending_edits.pop(0)

    # Keeping

    def _save(self, reason: str, *, quietly: bool = False) -> bool:
        """A checkpoint now; whether it was saved. Raises Diverged for weights that are not worth keeping."""
        self._settle()
        trainer = self.trainer
        trainer.check_weights()
        saved = trainer.state_dict()
        saved["state"] |= {
            "seconds": self.clock.seconds,
            "edits": len(self.prepared.history.edits),
            "looked": self.looked_step,
            "config": trainer.config.sections(),
            "machine": machine_of(trainer),
        }
        try:
            if not self.keeper.save(trainer.step_count, saved, reason, quietly=quietly):
                return False
        finally:
            self.desk.show(activity="" if self.paused else "training")
        self._prune()
        return True

    def _prune(self, *keep: int) -> None:
        """Remove superseded checkpoints but the best one and those of the steps `keep`."""
        newest = self.trainer.config.training.keep_checkpoints
        self.keeper.prune({self.looker.best_step, *keep}, None if newest == "off" else newest)

    # The end

    def _is_saved(self, reason: EndReason) -> bool:
        """Save first, then judge: nothing that takes long stands between a stop and a checkpoint.

        Where that fails, and somebody is there who can make room, the weights wait until a save is asked for again.
        False where the run is to go on instead. Raises Unsaved where nobody is, or a signal wants the program gone.
        """
        self.clock.go()
        step, looker = self.trainer.step_count, self.looker
        is_best = step == looker.best_step == looker.evaluated_step
        reasons = ", ".join([*self._reasons(is_best), "signal" if reason == "signal" else "last"])
        while self.keeper.last_saved_step != step and not self._save(reasons, quietly=True):
            if not self.plan.attended or self.mailbox.leaving():
                raise Unsaved(step, self.keeper.why_unsaved, self._hint_unsaved())
            told = f"Step {step} could not be saved and waits in memory; w tries again: {self.keeper.why_unsaved}"
            self.keeper.notice("error", told)
            if not self._ask_again():
                return False
        return True

    def _hint_unsaved(self) -> str:
        if (saved := self.keeper.last_saved_step) < 0:
            return "Mend that, then begin it again: nothing of it was saved."
        line = going_on("--resume", self.writer.run.path, headless=not self.plan.attended)
        return f"Mend that, then {line} goes on from step {saved}, the last that was saved."

    def _ask_again(self) -> bool:
        """Wait until a save is asked for again; False where training is to go on instead."""
        self.mailbox.forgive_stop()
        self.desk.obeyed("STOPPING", "SAVING")
        self.clock.stop()
        self.paused = True
        self.desk.show(state="PAUSED")
        self.progress.show(UNSAVED, 0, None)
        while True:
            command = self.mailbox.take(wait=True)
            if isinstance(command, Save | Stop):
                self.paused = False
                self.clock.go()
                self.desk.show(state="TRAINING")
                return True
            if isinstance(command, Resume):
                self._resume()
                return False
            if isinstance(command, EditFields):
                self._edit(command)
            elif isinstance(command, Lend):
                self._lend(command)
            elif isinstance(command, Pause):
                self.desk.obeyed("PAUSING")

    def _end(self, reason: EndReason) -> Outcome:
        step = self.trainer.step_count
        evaluation = self._last_evaluation(reason)
        if evaluation is None and self.mailbox.leaving():
            reason = "signal"
        elif reason == "max_seconds" and self.looker.last and self._target_is_reached(self.looker.last.val_loss):
            reason = "target_loss"
        finished = Finished(
            time=self.keeper.time,
            step=step,
            train_loss=evaluation.train_loss if evaluation else math.nan,
            val_loss=evaluation.val_loss if evaluation else math.nan,
            best_val_loss=self.looker.best if math.isfinite(self.looker.best) else math.nan,
            best_step=self.looker.best_step,
            seconds=self.keeper.time,
            reason=reason,
        )
        self.keeper.emit(finished)
        self.keeper.flush()
        state = "FINISHED" if reason in ("max_iters", "target_loss", "max_seconds") else "STOPPED"
        self.desk.show(state=state, activity="", eta=None, seconds=self.clock.seconds)
        return Outcome("finished", event=finished)

    def _last_evaluation(self, reason: EndReason) -> Evaluation | None:
        """The losses on the whole split; None after a signal, which wants the program gone, or left out."""
        from gpt_tui.core.training import Interrupted

        step, last = self.trainer.step_count, self.looker.last
        if last is not None and last.whole_split and self.looker.evaluated_step == step:
            return last
        if reason == "signal":
            return None
        whole = partial(self.progress.show, LAST_EVALUATION)
        whole(0, None)
        self.mailbox.skipping = False
        try:
            if self.looker.evaluated_step != step:
                self.looker.record(self.looker.evaluate(None, self._leaving))
            return self.looker.evaluate(0, self._leaving, whole)
        except Interrupted:
            if not self.mailbox.leaving():
                self.keeper.notice("info", "the evaluation on the whole validation split was left out")
            return None
        except (MemoryError, RuntimeError) as error:
            self.looker.leave_out("the last evaluation", error)
            return None

    def _fail(self, error: Exception) -> Outcome:
        from gpt_tui.core.training import Diverged

        details = traceback.format_exc()
        with suppress(GptTuiError, RuntimeError):  # it may be what failed
            self._settle()
        step = self.trainer.step_count
        told = _as_error(error)
        if isinstance(error, Diverged):
            failed = Failed(time=self.keeper.time, step=step, reason="diverged", error=str(error), hint=self._advice())
        else:
            if isinstance(error, OutOfMemory):  # of a step, which has changed nothing
                self._save_last()
            failed = Failed(time=self.keeper.time, step=step, reason="error", error=str(told), hint=_hint(told))
        self.keeper.emit(failed)
        with suppress(RunIsHeld):
            self.keeper.flush()
        self.desk.show(state="FAILED", activity="", eta=None)
        unforeseen = None if isinstance(told, OutOfMemory) or told is error else details
        return Outcome("failed", event=failed, error=told, traceback=unforeseen)

    def _save_last(self) -> None:
        from gpt_tui.core.training import Diverged

        try:
            if self.keeper.last_saved_step != self.trainer.step_count:
                self._save("last")
        except (Diverged, MemoryError, RuntimeError) as error:
            self.keeper.notice("error", f"The last checkpoint could not be saved: {error}")

    def _advice(self) -> str:
        """What to do about the numbers, by what the whole log tells; by what is known here where it cannot be read."""
        try:
            self.keeper.flush()
            history = self.writer.run.history()
        except GptTuiError:
            history = self.prepared.history
        return advice(
            history, self.trainer.config, self.trainer.dtype, self.writer.run.path, headless=not self.plan.attended
        )


def _as_error(error: Exception) -> GptTuiError:
    if isinstance(error, GptTuiError):
        return error
    memory = shortage(error, "there is not enough memory", "cpu")
    return memory or GptTuiError(f"{type(error).__name__}: {error}")


def _promise(device: str, config: RunConfig) -> str | None:
    """What is to be said of repeatability where a CPU's promise does not hold."""
    if device == "cuda" and not config.training.deterministic:
        return (
            "On CUDA the same seed gives the same losses to the last bit only with deterministic, at a cost in speed."
        )
    if device == "mps":
        return "On MPS the same seed gives nearly the same losses, not the same to the last bit."
    return None


def _hint(error: Exception) -> str:
    if isinstance(error, OutOfMemory):
        return (
            "A new run with a smaller block_size, n_embd or n_layer takes less. This one can be resumed where there is "
            "more memory, or on another --device: its last checkpoint is whole."
        )
    if isinstance(error, Unsaved):
        return error.hint
    if isinstance(error, RunIsHeld):
        return "Nothing is written here any more. gpt-tui open follows what that process does."
    if isinstance(error, GptTuiError):
        return "Mend what it says, then resume the run: its last checkpoint is whole."
    return "This is a defect of gpt-tui, not of the run: its last checkpoint is whole, and it can be resumed."
