"""What is to be said of a run whose numbers broke: its last good checkpoint, the likely cause, what to do next."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from gpt_tui.core.config import FIELDS, RunConfig
from gpt_tui.core.events import Edit
from gpt_tui.core.runs import History, going_on

_SHORTLY = 100  # steps: an edit this long before is the first suspect
_RISKY = (
    "learning_rate",
    "min_lr",
    "lr_schedule",
    "lr_decay_iters",
    "warmup_iters",
    "weight_decay",
    "beta1",
    "beta2",
    "muon_lr",
    "muon_momentum",
    "grad_clip",
    "dtype",
)
_WILD = 0.1  # no published recipe for language models comes near this: half of it would be no better
_USUAL = {"learning_rate": 1e-3, "muon_lr": 0.02}  # as torch.optim's AdamW and Muon's authors have them

Changes = dict[str, Any]


def last_good_checkpoint(history: History) -> int | None:
    """The newest checkpoint that a step was completed from, by a model that still knew more than nothing.

    The step after the newest weights of all is the one that failed, whatever the learning rate: it is that of the
    same weights on the same batch. None where there is no such checkpoint.
    """
    followed = {c.step: loss for c in history.checkpoints if (loss := _loss_after(history, c.step)) is not None}
    knowing = [step for step, loss in followed.items() if loss <= _ignorance(history)]
    return max(knowing or followed, default=None)


def advice(history: History, config: RunConfig, dtype: str, run: Path, *, headless: bool) -> str:
    """The likely cause and the next step, in words and as a line for the shell.

    history: until it broke; config, dtype: as it was then; run: its directory.
    """
    good = last_good_checkpoint(history)
    if good is None:
        return _from_the_start(config, dtype)
    cause, _ = _likely_cause(history, config, dtype)
    changes = remedy(history, config, dtype)
    options = [word for name, value in changes.items() for word in (FIELDS[name].flag, FIELDS[name].show(value))]
    line = going_on("--fork", run, good, *options, headless=headless)
    return f"{cause}. Go on from its last good checkpoint: {line}"


def remedy(history: History, config: RunConfig, dtype: str) -> Changes:
    """What a fork from the last good checkpoint should have otherwise: what undoes the likely cause, and always a
    learning rate of half at most, since one cause need not be the only one. Arguments as of `advice`.
    """
    optimizer, (_, changes) = config.optimizer, _likely_cause(history, config, dtype)
    rate = _slower(optimizer.learning_rate, "learning_rate", changes.pop("learning_rate", None))
    least = changes.pop("min_lr", optimizer.min_lr)
    if not isinstance(least, int | float) or not 0 <= least <= rate:
        least = rate
    muon = {}
    if optimizer.optimizer == "muon":
        muon["muon_lr"] = _slower(optimizer.muon_lr, "muon_lr", changes.pop("muon_lr", None))
    return {"learning_rate": rate, **({"min_lr": least} if least != optimizer.min_lr else {}), **muon, **changes}


def _from_the_start(config: RunConfig, dtype: str) -> str:
    why = "No step was completed from any checkpoint, so the learning rate has no part in it"
    if config.model.norm == "none":
        return f"{why}: without a norm the numbers of a deep model leave their range. Begin anew with --norm rmsnorm"
    if dtype == "bfloat16":
        return f"{why}, but the number format may have. Begin anew with --dtype float32"
    return f"{why}. Begin anew with --init gpt2, or with a smaller --n-layer"


def _likely_cause(history: History, config: RunConfig, dtype: str) -> tuple[str, Changes]:
    """In words, and what undoes it; the learning rate is lowered in any case, see `remedy`."""
    optimizer, step = config.optimizer, history.step
    if edit := _recent_edit(history):
        risky = {name: change for name, change in edit.changes.items() if name in _RISKY}
        told = ", ".join(f"{name} {_show(name, old)} → {_show(name, new)}" for name, (old, new) in risky.items())
        return f"The edit at step {edit.step} is the likely cause: {told}", {n: old for n, (old, _) in risky.items()}
    rate = float(history.learning_rates[-1]) if history.learning_rates.size else optimizer.learning_rate
    if optimizer.grad_clip == "off":
        length = history.grad_norms[-1] if history.grad_norms.size else math.nan
        cause = f"grad_clip is off, so nothing shortened the gradient, whose length was {length:.3g} in the end"
        return cause, {"grad_clip": FIELDS["grad_clip"].default}
    if step < optimizer.warmup_iters:
        return f"The learning rate was still rising and became too high, at {rate:.3g}", {}
    if optimizer.warmup_iters == 0 and step < _SHORTLY:
        cause = "There is no warmup, so the first steps were at the full learning rate, when Adam knows little yet"
        return cause, {"warmup_iters": min(_SHORTLY, config.training.max_iters)}
    if dtype == "bfloat16" and history.losses.size and history.losses[-1] <= _ignorance(history):
        return "The loss had not risen before, so the number format is the first suspect", {"dtype": "float32"}
    return f"The learning rate is too high for this model: it was {rate:.3g}", {}


def _recent_edit(history: History) -> Edit | None:
    """The newest edit shortly before the end that can break a run."""
    recent = (edit for edit in reversed(history.edits) if edit.step >= history.step - _SHORTLY)
    return next((edit for edit in recent if not edit.changes.keys().isdisjoint(_RISKY)), None)


def _slower(rate: float, name: str, former: object) -> float:
    """What it was before an edit, where that is half of this rate at most and not wild; half of it; or the usual one
    where half would still be wild."""
    if isinstance(former, int | float) and 0 < former <= min(rate / 2, _WILD):
        return former
    return rate / 2 if rate <= _WILD else _USUAL[name]


def _ignorance(history: History) -> float:
    """The loss, in nats a token, of a model that has learned nothing."""
    first = float(history.losses[0]) if history.losses.size else 0.0
    return max(first, math.log(max(1, history.started.dataset.vocab_size)) if history.started else 0.0)


def _loss_after(history: History, step: int) -> float | None:
    """The loss that the weights of this step had on the batch after it; None where no step followed."""
    row = int(np.searchsorted(history.steps, step, side="right"))
    return float(history.losses[row]) if row < history.losses.size else None


def _show(name: str, value: Any) -> str:
    return FIELDS[name].show(value) if name in FIELDS else str(value)
