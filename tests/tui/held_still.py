"""The whole program with everything held still: recorded runs, a clock that stands, stand-ins for what computes.

Stand-ins, because the real ones need torch and a clock: `StandIn` for the session at work, `RecordedSpeech` for a
model that speaks, `RecordedInsight` for one that is looked into, and checkpoints of zeros, whose names, sizes and
reasons alone are seen.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from recording import recorded, screen_text
from runs_app import put
from textual.pilot import Pilot

from gpt_tui.core import device
from gpt_tui.core.config import Layer, RunConfig, SamplingConfig, resolve
from gpt_tui.core.events import AnyEvent, Edit, Failed, Paused, Started
from gpt_tui.core.insight import Answer, Question, Seen
from gpt_tui.core.runs import History, Run, Shelf, ShelfNotes, checkpoints
from gpt_tui.core.session import Plan, Snapshot
from gpt_tui.core.speech import Alternative, Source, Spoken, Utterance
from gpt_tui.tui import machine
from gpt_tui.tui import watched as watched_runs
from gpt_tui.tui.app import Playground
from gpt_tui.tui.form import Form
from gpt_tui.tui.pace import Pace
from gpt_tui.tui.request import PlaygroundRequest
from gpt_tui.tui.views import runs as runs_view
from gpt_tui.tui.watched import Own
from gpt_tui.tui.widgets import beside
from patience import patiently

if TYPE_CHECKING:
    from gpt_tui.core.lens import TextSurprise

RUN = "20261120-142501-quick"
PASSAGE = (
    "First Citizen:\nBefore we proceed any further, hear me speak.\n\nAll:\nSpeak, speak.\n\nFirst Citizen:\n"
    "You are all resolved rather to die than to famish?\n\nAll:\nResolved. Quick, the Queen.\n"
)


def hold_still(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pin what differs from one machine, hour and folder to the next, the folder being the current one."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    monkeypatch.setattr(Pace, "next", lambda pace, busy=False: 0.05)  # often enough to be at rest soon
    monkeypatch.setattr(watched_runs, "LATE", math.inf)  # no step is late, however slow the test is
    monkeypatch.setattr(beside, "physical_cores", lambda: 2)
    monkeypatch.setattr(device, "cpu_has_native_bfloat16", lambda: False)
    monkeypatch.setattr(machine.Meter, "read", lambda meter, gpu=False: machine.Machine(memory=412_000_000, use=163.0))
    monkeypatch.setattr(checkpoints, "_write_tensors", _write_zeros)
    command_line = Form.command_line
    here = str(Path.cwd())
    monkeypatch.setattr(Form, "command_line", lambda form: command_line(form).replace(here, "/home/ada"))
    told = runs_view._facts
    monkeypatch.setattr(
        runs_view, "_facts", lambda run: [*told(run)[:-1], ("path", f"/home/ada/gpt-tui/runs/{run.name}")]
    )


def _write_zeros(path: Path, tensors: Any) -> checkpoints.FileRecord:
    content = bytes(2_428_000 if path.name == checkpoints.MODEL else 4_856_000)
    path.write_bytes(content)
    return checkpoints.FileRecord(bytes=len(content), sha256="0" * 64, aliases={})


# Runs ------------------------------------------------------------------------------------------------------------


def shelf_of(folder: Path) -> Shelf:
    """A finished run with its checkpoints, one that was interrupted, one that diverged, one with a title."""
    shelf = Shelf(folder / "runs")
    config = RunConfig().replace(max_iters=600, eval_interval=50)
    whole = recorded(600, end=True, config=config, passage=PASSAGE)
    finished = put_recorded(shelf, RUN, whole, minute=25, config=config)
    with shelf.reopen(finished) as writer:
        for step, why in ((0, "untrained"), (500, "interval"), (600, "interval, best"), (600, "last")):
            writer.save_checkpoint(step, {}, {}, {}, why)
    put(shelf, "halfway", 120, minute=12, end=False, config=RunConfig().replace(max_iters=600, n_layer=3))
    wide = RunConfig().replace(max_iters=300, n_embd=192, learning_rate=0.006)
    notes = ShelfNotes(title="wider, slower", note="half the learning rate:\nno better", pins=("000300",))
    put(shelf, "wide", 300, minute=3, config=wide, notes=notes)
    fast = config.replace(learning_rate=0.4)
    put_recorded(shelf, "too-fast", diverged(fast), minute=1, config=fast)
    return shelf


def put_recorded(shelf: Shelf, name: str, events: list[AnyEvent], minute: int, config: RunConfig) -> Run:
    """`put` writes a run that ends well; this one takes what it is given."""
    begun = events[0]
    assert isinstance(begun, Started)
    run = put(shelf, name, 0, minute=minute, end=False, config=config)
    changed = begun.model_copy(update={"run": name, "created": f"2026-11-20T14:{minute:02}:00+00:00"})
    log = run.path / "events.jsonl"
    log.write_text("".join(f"{event.to_json()}\n" for event in [changed, *events[1:]]), encoding="utf-8")
    return Run.open(run.path)


def diverged(config: RunConfig) -> list[AnyEvent]:
    why, hint = "the loss of step 131 is not finite", "a lower learning_rate helps most"
    return [*recorded(130, config=config), Failed(step=130, time=3.25, reason="diverged", error=why, hint=hint)]


def at_work(state: str) -> list[AnyEvent]:
    """A run of 350 steps of 600, one of its settings changed on the way; paused, if that is its state."""
    events = recorded(350, passage=PASSAGE)
    at = next(i for i, event in enumerate(events) if getattr(event, "step", 0) == 201)
    edit = Edit(step=200, time=5.0, changes={"learning_rate": (0.012, 0.002)})
    paused = [Paused(step=350, time=8.75)] if state == "PAUSED" else []
    return [*events[:at], edit, *events[at:], *paused]


# Stand-ins ---------------------------------------------------------------------------------------------------------


class StandIn:
    """In the place of a session: a run at work that does not move, so that its screen can be read."""

    alive = True
    outcome = None

    def __init__(self, state: str, history: History) -> None:
        started = history.started
        assert started is not None
        config = history.config
        self.plan = Plan(config or RunConfig(), Path("runs"), preset="quick")
        self.snapshot = Snapshot(
            state=state,  # type: ignore[arg-type]
            activity="training", step=350, max_iters=600, loss=1.7741, learning_rate=0.0099, grad_norm=0.5,
            tokens=350 * 2304, tokens_per_second=30_000.0, seconds=8.75, eta=6.25, config=config,
            run_name=started.run, parameters=started.parameters, device="cpu", dtype="float32",
        )  # fmt: skip

    def subscribe(self) -> StandIn:
        return self

    def drain(self) -> list[AnyEvent]:
        return []

    def submit(self, command: object) -> None:
        raise AssertionError(f"nothing is asked of a run that is held still: {command}")


def own(state: str) -> Own:
    history = History()
    history.extend(at_work(state))
    return Own(StandIn(state, history), history)  # type: ignore[arg-type]


class RecordedSpeech:
    """In the place of `Speech`: says at once what was written down here, whoever is asked."""

    def __init__(self) -> None:
        self.utterance = Utterance()

    def say(self, source: Source, prompt: str, sampling: SamplingConfig, samples: int = 1) -> None:
        step = 600 if source.step is None else source.step
        tokens = [*spoken(prompt, given=True), *spoken(_ANSWERS[step == 0], given=False)]
        tokens[0] = replace(tokens[0], logprob=None, rank=None, chances=(), alternatives=())
        self.utterance = Utterance(
            state="finished", source=source, run=source.path.name, step=step, prompt=prompt, seed=sampling.sample_seed,
            samples=(tokens,) * samples, tokens_per_second=412.0, first_token_seconds=0.018,
        )  # fmt: skip

    def model_of(self, said: Utterance) -> None:
        return None

    def stop(self) -> None: ...

    def close(self) -> None: ...


_ANSWERS = (
    "\nWhat, in the counsel of the world hath been\nThe prince of thy sweet hand, that in the night\n"
    "Did speak of love; and so the queen is gone.\n\nJULIET:\nO gentle heart, I know not what to say.",
    "hn.;h.;'IyiwHhuRDilRrYfAVeqhbo'kKxoLZbKH?$;KZe3qCxA:upQHLg$doVdAaieqsfpKANCq HNxOOakChOuGRHPDmh,rP.dGXU",
)


def spoken(text: str, given: bool) -> list[Spoken]:
    return [_token(at, character, given) for at, character in enumerate(text)]


def _token(at: int, character: str, given: bool) -> Spoken:
    likely = 0.25 + 0.7 * ((at * 7) % 10) / 10
    others = [other for other in "e at\no" if other != character][:4]
    shares = [(1 - likely) * share for share in (0.5, 0.25, 0.15, 0.05)]
    rest = [_alternative(o, share, share / 2) for o, share in zip(others, shares, strict=True)]
    alternatives = (_alternative(character, likely, min(likely * 1.2, 0.999)), *rest)
    return Spoken(
        id=ord(character), text=character, given=given, logprob=math.log(likely), rank=1, filters=("temperature",),
        chances=alternatives[0].chances, alternatives=alternatives, shown=_shown(character),
    )  # fmt: skip


def _alternative(character: str, before: float, after: float) -> Alternative:
    return Alternative(ord(character), character, _shown(character), (before, after))


def _shown(character: str) -> str:
    return "\\n" if character == "\n" else character


class RecordedInsight:
    """In the place of `Insight`: knows at once of a model of one layer with four heads what is made up here."""

    def __init__(self, held: object = None) -> None:
        self.answer = Answer()

    def ask(self, question: Question) -> None:
        text = question.text
        steps = [600 if source.step is None else source.step for source in question.sources]
        read = tuple(_costing(text, 2.0 if step else 6.0) for step in steps)
        learned = tuple(b - a for a, b in zip(read[0].bits, read[1].bits, strict=True)) if len(read) > 1 else ()
        names = tuple((source.path.name, step) for source, step in zip(question.sources, steps, strict=True))
        seen = _looking(len(text)) if question.at is not None else None
        self.answer = Answer(question, "finished", names=names, read=read, learned=learned, seen=seen)

    def stop(self) -> None: ...

    def close(self) -> None: ...


def _costing(text: str, most: float) -> TextSurprise:
    from gpt_tui.core.lens import Letter, TextSurprise

    cheap = [0.25 if character in " \n" else 1.0 for character in text]
    bits = [math.nan, *(most * share * (1 + at * 7 % 10) / 8 for at, share in enumerate(cheap[1:], 1))]
    ranks = [0, *(1 + int(cost) ** 2 for cost in bits[1:])]
    return TextSurprise(tuple(Letter(c, at, at + 1) for at, c in enumerate(text)), tuple(bits), tuple(ranks))


def _looking(count: int) -> Seen:
    """Head h looks at what stands h places back, and at every eighth."""
    back = np.arange(count)[:, None] - np.arange(count)[None]
    heads = [np.where(back == h, 60.0, 1.0) + np.where(np.arange(count) % 8 == 0, 8.0, 0.0) for h in range(4)]
    shares = np.stack([np.where(back >= 0, head, 0.0) for head in heads])
    return Seen((shares / shares.sum(-1, keepdims=True))[None].astype(np.float32))


# The program -------------------------------------------------------------------------------------------------------


@dataclass
class Held:
    """The program at rest. `text` is its screen."""

    app: Playground
    pilot: Pilot[None]

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)

    async def until(self, words: str | Callable[[], Any]) -> None:
        seen = (lambda: words in screen_text(self.app)) if isinstance(words, str) else words
        for _ in patiently():
            await self.pilot.pause(0.05)
            if seen():
                return
        raise AssertionError(f"waited in vain for {words}:\n{screen_text(self.app)}")

    async def text(self) -> str:
        """The screen, once it has not changed for a while; without what was told in its corner."""
        self.app.clear_notifications()
        before, same = "", 0
        while same < 4:
            await self.pilot.pause(0.05)
            now = screen_text(self.app)
            before, same = now, same + 1 if now == before else 0
        return "\n".join(line.rstrip() for line in before.split("\n")) + "\n"


@asynccontextmanager
async def held(folder: Path, size: tuple[int, int], watched: Own | None = None, **request: Any):  # type: ignore[no-untyped-def]
    """The program on the shelf of this folder. watched: a run at work. request: what it is asked to open with."""
    fields = Layer("test", {"dataset": "play.txt"})
    resolved = resolve([] if request.pop("first_start", False) else [fields])
    app = Playground(PlaygroundRequest(resolved, folder / "runs", **request))
    async with app.run_test(size=size) as pilot:
        if watched is not None:
            app.conductor.watched = app.conductor.own = watched
        yield Held(app, pilot)
