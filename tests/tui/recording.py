"""A recorded run, as events, and the screen of an app as text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from textual.app import App

from gpt_tui.core.config import RunConfig, build
from gpt_tui.core.events import (
    AnyEvent,
    Checkpoint,
    DatasetRecord,
    Eval,
    Finished,
    Milestone,
    Sample,
    Started,
    Step,
    Surprise,
)

LADDER = {"uniform": 4.174, "unigram": 3.347, "bigram": 2.486, "trigram": 2.049}


def recorded(
    steps: int, *, every: int = 50, end: bool = False, config: RunConfig | None = None, passage: str = ""
) -> list[AnyEvent]:
    """The events of a run as a session writes them, `steps` steps long, its loss falling from 4.2 towards 1.7.

    passage: the validation text whose surprise each evaluation records; none of them does without one
    """
    return list(_events(steps, every, end, config or build({"max_iters": 600, "eval_interval": every}), passage))


def _events(steps: int, every: int, end: bool, config: RunConfig, passage: str) -> Iterator[AnyEvent]:
    yield Started(
        run="20261120-142501-quick",
        path="/runs/20261120-142501-quick",
        created="2026-11-20T14:25:01Z",
        config=config.sections(),
        parameters=607_000,
        dataset=DatasetRecord(
            name="shakespeare", sha256="0" * 64, characters=1_115_394, vocab_size=65, train_tokens=1_003_854,
            val_tokens=111_540,
        ),
        device="cpu",
        dtype="float32",
        threads=2,
        ladder=LADDER,
        passage=passage or "First Citizen:",
    )  # fmt: skip
    yield from _looked(0, 0.0, passage)
    for step in range(1, steps + 1):
        time = step * 0.025
        yield Step(
            step=step, time=time, loss=_loss(step), learning_rate=0.012 * (1 - step / 2000), grad_norm=0.5,
            tokens=step * 2304, tokens_per_second=30_000.0,
        )  # fmt: skip
        if step % every == 0:
            yield from _looked(step, time, passage)
    if end:
        loss = _loss(steps)
        yield Finished(
            step=steps, time=steps * 0.025, train_loss=loss, val_loss=loss + 0.05, best_val_loss=loss + 0.05,
            best_step=steps, seconds=steps * 0.025, reason="max_iters",
        )  # fmt: skip


def _loss(step: int) -> float:
    return 1.7 + 2.5 * 0.99**step


def _looked(step: int, time: float, passage: str) -> Iterator[AnyEvent]:
    loss = _loss(step) + 0.05
    yield Eval(step=step, time=time, train_loss=_loss(step), val_loss=loss, whole_split=False, best=True)
    text = "ROMEO:\nWhat, in the counsel of the world hath been" if step else "hn;.h;'IyiwHhuRDilRrYfAVeqhbo"
    yield Sample(step=step, time=time, prompt="\n", seed=1337, text=f"{text} at {step}")
    if passage:
        yield Surprise(step=step, time=time, nats=surprise_of(passage, step))
    if step == 100:
        yield Milestone(step=step, time=time, rung="bigram", val_loss=loss)
    yield Checkpoint(step=step, time=time, path=f"checkpoints/{step:06}", reason="best" if step else "untrained")


def surprise_of(passage: str, step: int) -> list[float]:
    """Nats a character: at first all alike; then what follows a space stays hard, and a Q becomes harder."""
    hard = [character == "Q" or before == " " for before, character in zip("\n" + passage, passage, strict=False)]
    change = 1 - 0.99**step
    return [4.2 + change * (2.0 if c == "Q" else -1.0 if h else -4.1) for c, h in zip(passage, hard, strict=True)]


def screen_text(app: App[Any]) -> str:
    """What is on the screen, line by line."""
    strips = app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in strip) for strip in strips)
