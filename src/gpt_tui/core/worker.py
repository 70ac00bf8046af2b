"""What the worker thread does: prepare a run, take its steps, evaluate, sample and save when due, and end it well.

`Worker.run` is the life of one session; `_train` is its loop. Nothing escapes from here: every end is an `Outcome`.
"""

from __future__ import annotations

import math
import time
import traceback
from typing import TYPE_CHECKING, Any

from gpt_tui.core.commands import Desk, EditFields, Outcome, Pause, Resume, Save, SingleStep, Stop
from gpt_tui.core.config import RunConfig, difference, live_changes
from gpt_tui.core.data import Stopped
from gpt_tui.core.device import memory_in_use
from gpt_tui.core.errors import GptTuiError, Refusal
from gpt_tui.core.events import (
    AnyEvent,
    Checkpoint,
    Continued,
    Edit,
    EndReason,
    Eval,
    Failed,
    Finished,
    Milestone,
    Notice,
    Paused,
    Resumed,
    Sample,
    Started,
    Step,
    Surprise,
)
from gpt_tui.core.prepare import Prepared, now, prepare

if TYPE_CHECKING:
    from gpt_tui.core.training import Evaluation

FLUSH_SECONDS = 1.0  # the log reaches the disk at least this often
SAFETY_SECONDS = 60.0  # an evaluation this long after the last checkpoint saves one, best or not
DIVERGED_HINT = "Go on from the last good checkpoint with a lower learning rate: --fork {run} --learning-rate {rate}"


class Clock:
    """Seconds of work since the run began, over every sitting; waiting in a pause does not count."""

    def __init__(self, seconds: float):
        self._before = seconds
        self._since: float | None = time.perf_counter()
        self._first = seconds

    @property
    def seconds(self) -> float:
        return self._before + (time.perf_counter() - self._since if self._since is not None else 0.0)

    @property
    def this_session(self) -> float:
        return self.seconds - self._first

    def stop(self) -> None:
        self._before, self._since = self.seconds, None

    def go(self) -> None:
        if self._since is None:
            self._since = time.perf_counter()


class Rate:
    """A moving average that is right from its first value on."""

    def __init__(self, memory: float = 0.95):
        self._memory = memory
        self._sum = self._weight = 0.0

    def add(self, value: float) -> float:
        self._sum = self._memory * self._sum + value
        self._weight = self._memory * self._weight + 1
        return self.value

    @property
    def value(self) -> float:
        return self._sum / self._weight if self._weight else math.nan


class End(Exception):
    """The run is to end here, for this reason."""

    def __init__(self, reason: EndReason):
        self.reason: EndReason = reason


class Worker:
    def __init__(self, desk: Desk):
        self.desk = desk
        self.plan = desk.plan
        self.mailbox = desk.mailbox

    # The life of a session

    def run(self) -> Outcome:
        try:
            prepared = prepare(self.plan, self._show_work, self.mailbox.stopping)
        except Stopped:
            self.desk.show(state="STOPPED", activity="")
            return Outcome("cancelled")
        except Refusal as refusal:
            self.desk.show(state="FAILED", activity="")
            return Outcome("refused", error=refusal)
        except Exception as error:  # noqa: BLE001 - the doors tell a person, and keep the traceback
            self.desk.show(state="FAILED", activity="")
            unforeseen = None if isinstance(error, GptTuiError) else traceback.format_exc()
            return Outcome("failed", error=_as_error(error), traceback=unforeseen)
        outcome = self._run_prepared(prepared)
        try:
            prepared.writer.close()
        except GptTuiError as error:  # the disk took no more of the log
            event = outcome.event if isinstance(outcome.event, Failed) else None
            return Outcome("failed", event=event, error=error)
        return outcome

    def _run_prepared(self, prepared: Prepared) -> Outcome:
        self.prepared = prepared
        self.trainer, self.writer, self.dataset = prepared.trainer, prepared.writer, prepared.dataset
        self.run_name = prepared.writer.run.name
        self.clock = Clock(prepared.seconds)
        self.step_seconds, self.eval_seconds = Rate(), Rate(0.5)
        self.last_flush = self.last_save = time.perf_counter()
        self.last_saved_step = prepared.checkpoint.step if prepared.checkpoint and prepared.resumed else -1
        self.log_broken = False
        self.paused = False
        try:
            self._open()
            return self._end(self._train())
        except Exception as error:  # noqa: BLE001 - every end is told as an event and as an outcome
            return self._fail(error)

    def _train(self) -> EndReason:
        """The loop: obey, step, and evaluate, sample and save when due. Returns why it ended."""
        try:
            if self._evaluation_is_due():
                self._look()
            while True:
                self._replay_edits()
                single = self._obey()
                self._check_for_end()
                self._step()
                if self._evaluation_is_due():
                    self._look()
                elif self._checkpoint_is_due():
                    self._save("interval")
                if single:
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
        if prepared.resumed:
            assert prepared.checkpoint is not None
            path = str(prepared.checkpoint.path)
            continued = Continued(time=self._time(), step=trainer.step_count, path=path, created=now())
            history.apply(continued)
            self._emit(continued)
        else:
            self._emit(
                Started(
                    run=self.run_name,
                    path=str(self.writer.run.path),
                    created=record.created,
                    config=config.sections(),
                    parameters=record.parameters,
                    dataset=record.dataset,
                    device=record.device,
                    dtype=record.dtype,
                    threads=record.threads,
                    ladder=record.ladder,
                    passage=record.passage,
                    parent=record.parent,
                )
            )
        for text in prepared.notices:
            self._notice("info", text)
        self.best = min((e.val_loss for e in history.evals if e.val_loss == e.val_loss), default=math.inf)
        self.best_step = next((e.step for e in history.evals if e.val_loss == self.best), 0)
        self.last_eval: Evaluation | None = None
        self.looked_step = prepared.looked
        self.evaluated_step = history.evals[-1].step if history.evals else -1
        self.rungs_passed = {milestone.rung for milestone in history.milestones}
        if prepared.edits:
            self._record_edit(prepared.edits)
        if promise := _promise(trainer.device.type, config):
            self._notice("info", promise)
        self._flush()

    # One step

    def _step(self) -> None:
        trainer = self.trainer
        began = time.perf_counter()
        result = trainer.step()
        took = time.perf_counter() - began
        average = self.step_seconds.add(took)
        speed = trainer.config.tokens_per_step / average if average else math.nan
        seconds = self.clock.seconds
        self._emit(
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
        if time.perf_counter() - self.last_flush >= FLUSH_SECONDS:
            self._flush()
            self.desk.show(memory=memory_in_use(trainer.device.type))

    def _seconds_left(self) -> float | None:
        config, step = self.trainer.config.training, self.trainer.step_count
        if not self.step_seconds.value > 0:
            return None
        evaluations = config.max_iters // config.eval_interval - step // config.eval_interval
        each = self.eval_seconds.value if self.eval_seconds.value == self.eval_seconds.value else 0.0
        return max(0, config.max_iters - step) * self.step_seconds.value + evaluations * each

    def _check_for_end(self) -> None:
        training = self.trainer.config.training
        if self.trainer.step_count >= training.max_iters:
            raise End("max_iters")
        if self.plan.max_seconds is not None and self.clock.this_session >= self.plan.max_seconds:
            raise End("max_seconds")

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
        """One evaluation with its sample, surprise, milestones and checkpoint; one cut short is made again later."""
        from gpt_tui.core.training import Diverged, Interrupted

        began = time.perf_counter()
        step = self.trainer.step_count
        self._show_work("evaluating", 0, None)
        try:
            evaluation = self.trainer.evaluate(should_stop=self.mailbox.stopping)
            if not math.isfinite(evaluation.val_loss):
                raise Diverged(step, "validation loss", evaluation.val_loss)
            is_best = self._record_evaluation(step, evaluation)
            self._speak(step)
            self._score_passage(step)
        except Interrupted:
            return
        self.looked_step = step
        self._save_after_look(step, is_best)
        self.eval_seconds.add(time.perf_counter() - began)
        self.desk.show(activity="training", eta=self._seconds_left())
        if self._target_is_reached(evaluation.val_loss):
            raise End("target_loss")

    def _save_after_look(self, step: int, is_best: bool) -> None:
        forked = self.prepared.checkpoint is not None and not self.prepared.resumed and self.last_saved_step < 0
        # One that is due as well as best outlives a better one: all reasons count.
        due = {
            "untrained": step == 0,
            "forked": forked,
            "interval": self._checkpoint_is_due(),
            "best": is_best and step > 0,
        }
        reasons = [reason for reason, holds in due.items() if holds]
        if not reasons and time.perf_counter() - self.last_save > SAFETY_SECONDS:
            reasons = ["last"]
        if reasons and self.last_saved_step != step:
            self._save(", ".join(reasons))

    def _target_is_reached(self, val_loss: float) -> bool:
        return self.plan.target_loss is not None and val_loss <= self.plan.target_loss

    def _record_evaluation(self, step: int, evaluation: Evaluation) -> bool:
        val_loss = evaluation.val_loss
        is_best = val_loss < self.best or (val_loss == self.best and step == self.best_step)  # one made again
        if is_best:
            self.best, self.best_step = val_loss, step
        self.evaluated_step, self.last_eval = step, evaluation
        self._emit(
            Eval(
                time=self._time(),
                step=step,
                train_loss=evaluation.train_loss,
                val_loss=val_loss,
                whole_split=evaluation.whole_split,
                best=is_best,
            )
        )
        for rung, nats in sorted(self.prepared.record.ladder.items(), key=lambda item: -item[1]):
            if rung not in self.rungs_passed and val_loss < nats:
                self.rungs_passed.add(rung)
                self._emit(Milestone(time=self._time(), step=step, rung=rung, val_loss=val_loss))
        return is_best

    def _speak(self, step: int) -> None:
        from gpt_tui.core.sampling import default_prompt, sample_text
        from gpt_tui.core.training import Interrupted

        sampling, tokenizer = self.trainer.config.sampling, self.dataset.tokenizer
        self._show_work("sampling", 0, sampling.max_new_tokens)
        text = sample_text(self.trainer.model, tokenizer, sampling, self.mailbox.stopping)
        if text is None:
            raise Interrupted
        prompt = sampling.prompt or default_prompt(tokenizer)
        self._emit(Sample(time=self._time(), step=step, prompt=prompt, seed=sampling.sample_seed, text=text))

    def _score_passage(self, step: int) -> None:
        from gpt_tui.core.lens import surprise

        passage = self.prepared.passage
        nats = passage.per_character(surprise(self.trainer.model, passage.tokens, skip=passage.before))
        self._emit(Surprise(time=self._time(), step=step, nats=[round(value, 4) for value in nats]))

    # Commands

    def _obey(self) -> bool:
        """Obey what has arrived, waiting while paused; whether the coming step is a single one."""
        while True:
            command = self.mailbox.take(wait=self.paused)
            if command is None:
                return False
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
            elif isinstance(command, SingleStep) and self.paused:
                self.clock.go()
                return True

    def _pause(self) -> None:
        if not self.paused:
            self.paused = True
            self.clock.stop()
            self._emit(Paused(time=self._time(), step=self.trainer.step_count))
            self._flush()
        self.desk.show(state="PAUSED", activity="")
        self.desk.obeyed("PAUSING", "RESUMING")

    def _resume(self) -> None:
        if self.paused:
            self.paused = False
            self.clock.go()
            self._emit(Resumed(time=self._time(), step=self.trainer.step_count))
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
            self._notice("error", str(error))
            return
        if changes := difference(old, new):
            self._record_edit(changes)

    def _record_edit(self, changes: dict[str, tuple[Any, Any]]) -> None:
        edit = Edit(time=self._time(), step=self.trainer.step_count, changes=changes)
        self._emit(edit)
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

    def _replay_edits(self) -> None:
        """Make again the edits that followed the checkpoint, each at its own step, as exact resume demands."""
        pending = self.prepared.history.pending_edits
        while pending and pending[0].step <= self.trainer.step_count:
            old = self.trainer.config
            self.trainer.edit(live_changes(old, {name: new for name, (_, new) in pending[0].changes.items()}))
            if changes := difference(old, self.trainer.config):
                self._record_edit(changes)
            else:
                pending.pop(0)
            pending = self.prepared.history.pending_edits

    # Keeping

    def _save(self, reason: str) -> bool:
        """A checkpoint now; whether it was saved. A disk that takes none is told, and training goes on.

        Raises Diverged for weights that are not worth keeping.
        """
        self._show_work("saving", 0, None)
        trainer, step = self.trainer, self.trainer.step_count
        trainer.check_weights()
        saved = trainer.state_dict()
        place: dict[str, Any] = {
            "seconds": self.clock.seconds,
            "edits": len(self.prepared.history.edits),
            "looked": self.looked_step,
            "config": trainer.config.sections(),
        }
        self._flush()
        try:
            path = self.writer.save_checkpoint(
                step, saved["model"], saved["trainer"], {**saved["state"], **place}, reason
            )
        except (GptTuiError, OSError) as error:
            self._notice("error", f"The checkpoint of step {step} could not be saved: {error}")
            return False
        finally:
            self.desk.show(activity="" if self.paused else "training")
        self.last_save, self.last_saved_step = time.perf_counter(), step
        self._emit(Checkpoint(time=self._time(), step=step, path=str(path), reason=reason))
        self._flush()
        try:
            self.writer.prune(keep={self.best_step})
        except (GptTuiError, OSError) as error:
            self._notice("warning", f"An older checkpoint could not be removed: {error}")
        return True

    def _flush(self) -> None:
        self.last_flush = time.perf_counter()
        try:
            self.writer.flush()
            self.log_broken = False
        except (GptTuiError, OSError) as error:
            if not self.log_broken:  # told once, not once a second
                self.log_broken = True
                self.desk.publish(Notice(time=self._time(), level="error", text=f"The log cannot be written: {error}"))

    def _emit(self, event: AnyEvent) -> None:
        self.writer.append(event)
        self.desk.publish(event)

    def _notice(self, level: Any, text: str) -> None:
        self._emit(Notice(time=self._time(), level=level, text=text))

    def _time(self) -> float:
        return round(self.clock.seconds, 4)

    def _show_work(self, activity: str, done: int, total: int | None) -> None:
        self.desk.show(activity=activity, done=done, total=total)

    # The end

    def _end(self, reason: EndReason) -> Outcome:
        """Save first, then judge: nothing that takes long stands between a stop and a checkpoint."""
        self.clock.go()
        step = self.trainer.step_count
        if self.last_saved_step != step and not self._save("signal" if reason == "signal" else "last"):
            raise GptTuiError(f"the run came to its end at step {step}, but its last checkpoint could not be saved")
        evaluation = self._last_evaluation(reason)
        if evaluation is None and self.mailbox.leaving():
            reason = "signal"
        elif reason == "max_seconds" and self.last_eval and self._target_is_reached(self.last_eval.val_loss):
            reason = "target_loss"
        finished = Finished(
            time=self._time(),
            step=step,
            train_loss=evaluation.train_loss if evaluation else math.nan,
            val_loss=evaluation.val_loss if evaluation else math.nan,
            best_val_loss=self.best if math.isfinite(self.best) else math.nan,
            best_step=self.best_step,
            seconds=self._time(),
            reason=reason,
        )
        self._emit(finished)
        self._flush()
        state = "FINISHED" if reason in ("max_iters", "target_loss", "max_seconds") else "STOPPED"
        self.desk.show(state=state, activity="", eta=None, seconds=self.clock.seconds)
        return Outcome("finished", event=finished)

    def _last_evaluation(self, reason: EndReason) -> Evaluation | None:
        """The losses on the whole split; None after a signal, which wants the program gone, or cut short by one."""
        from gpt_tui.core.training import Interrupted

        step, last = self.trainer.step_count, self.last_eval
        if last is not None and last.whole_split and self.evaluated_step == step:
            return last
        if reason == "signal":
            return None
        self._show_work("evaluating on the whole validation split", 0, None)
        try:
            if self.evaluated_step != step:
                self._record_evaluation(step, self.trainer.evaluate(should_stop=self.mailbox.leaving))
            return self.trainer.evaluate(0, should_stop=self.mailbox.leaving)
        except Interrupted:
            return None

    def _fail(self, error: Exception) -> Outcome:
        from gpt_tui.core.training import Diverged

        details = traceback.format_exc()
        step = self.trainer.step_count
        if isinstance(error, Diverged):
            rate = f"{self.trainer.config.optimizer.learning_rate / 2:g}"
            hint = DIVERGED_HINT.format(run=self.run_name, rate=rate)
            failed = Failed(time=self._time(), step=step, reason="diverged", error=str(error), hint=hint)
        else:
            told = _as_error(error)
            hint = _hint(error)
            failed = Failed(time=self._time(), step=step, reason="error", error=str(told), hint=hint)
        self._emit(failed)
        self._flush()
        self.desk.show(state="FAILED", activity="", eta=None)
        unforeseen = None if isinstance(error, GptTuiError) else details
        return Outcome("failed", event=failed, error=_as_error(error), traceback=unforeseen)


def _as_error(error: Exception) -> GptTuiError:
    return error if isinstance(error, GptTuiError) else GptTuiError(f"{type(error).__name__}: {error}")


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
    if isinstance(error, MemoryError) or "out of memory" in str(error).lower():
        return "Lower batch_size and raise gradient_accumulation_steps by as much; the result is the same."
    if isinstance(error, GptTuiError):
        return "Mend what it says, then resume the run: its last checkpoint is whole."
    return "This is a defect of gpt-tui, not of the run: its last checkpoint is whole, and it can be resumed."
