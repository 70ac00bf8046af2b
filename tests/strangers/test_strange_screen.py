"""The playground on a run from anyone: it stays up, shows it or says why not, and no cell moves the cursor."""

from __future__ import annotations

import json
import math
import random
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest
from hostile import FLOATS, INTEGERS, TERMINAL, TEXTS, as_lines, found_below, mutated_log

sys.path.insert(0, str(Path(__file__).parents[1] / "tui"))
from playing import press, until
from recording import screen_text
from test_train import TrainApp

from gpt_tui.core.config import resolve
from gpt_tui.core.events import AnyEvent
from gpt_tui.core.runs import History
from gpt_tui.core.runs.log import Unread
from gpt_tui.tui import figures
from gpt_tui.tui.app import Playground
from gpt_tui.tui.request import PlaygroundRequest
from gpt_tui.tui.widgets.chart import Unit

ROUND = (
    ("x", "H", "L", "x", "u", "u", "o", "O", "plus", "left", "0"),
    ("3",),
    ("left", "right", "c", "c", "right"),
    ("5",),
    ("j", "k", "m", "j", "m", "o"),
    ("escape", "2"),
    ("4",),
    ("1", "question_mark"),
    ("escape", "colon"),
    (*"learning_rate [red]", "enter"),
    ("escape",),
)


SHORT_ROUND = (("3",), ("c", "right"), ("5",), ("m", "j", "m", "o"), ("1",))


async def looked_at(shelf: Path, size: tuple[int, int], rounds: tuple[tuple[str, ...], ...] = ROUND) -> None:
    """Open the run `real` of a shelf, and look at it from its views. Raises whatever ended the playground."""
    app = Playground(PlaygroundRequest(resolve([]), shelf, open="real"))
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: app.watched is not None or app._notifications)
        for keys in rounds:
            await press(pilot, *keys)
            await pilot.pause(0.02)
            seen = sorted({c for c in screen_text(app) if not c.isprintable() and c != "\n"})
            assert not seen, (keys, seen, screen_text(app))
        assert app.crash is None


def shelf_with(real_run: Path, shelf: Path, log: list[dict[str, Any]]) -> Path:
    shutil.copytree(real_run, shelf / "real")
    shutil.copytree(real_run, shelf / "honest")
    (shelf / "real" / "events.jsonl").write_bytes(as_lines(log))
    notes = {"title": f"[bold red]{TERMINAL}[/]", "note": f"[/]\n{TERMINAL}", "pins": [TERMINAL, "../.."]}
    (shelf / "real" / "shelf.json").write_text(json.dumps(notes))
    return shelf


def events_of(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "events.jsonl").read_text().splitlines()]


async def test_texts_that_are_markup_or_control_characters_are_drawn_as_what_they_are(
    real_run: Path, tmp_path: Path
) -> None:
    log = events_of(real_run)
    for event in log:
        for name, value in event.items():
            if isinstance(value, str) and name not in ("event", "created", "level", "reason"):
                event[name] = f"[bold red]{TERMINAL}[/]{value}"
    log[0]["dataset"]["name"] = log[0]["device"] = TEXTS[7]
    log[0]["parent"] = {"run": f"../../{TERMINAL}[/]", "step": 4}
    log[0]["ladder"] = {f"[/]{TERMINAL}{name}": nats for name, nats in log[0]["ladder"].items()}
    extra = ({"event": "notice", "level": "error", "text": f"[/]{TERMINAL}"}, {"event": "failed", "step": 9})
    told = {"reason": "diverged", "error": f"[/]{TERMINAL}", "hint": TEXTS[5]}
    log += [{"v": 1, "time": 9.0, **told, **event} for event in extra]
    shelf = shelf_with(real_run, tmp_path / "shelf", log)
    before = found_below(shelf)
    await looked_at(shelf, (120, 40), SHORT_ROUND)
    assert found_below(shelf) == before


@pytest.mark.parametrize("count", [12, pytest.param(600, marks=pytest.mark.soak)])
async def test_a_log_that_was_tampered_with_is_drawn_while_it_comes(count: int, real_run: Path) -> None:
    log = events_of(real_run)
    app = TrainApp()
    async with app.run_test(size=(120, 40)) as pilot:
        for number in range(count):
            choose, app.history = random.Random(number), History()
            app.view.chart.set_x_unit(choose.choice(get_args(Unit)))
            events = read(mutated_log(log, choose))
            for event in events:
                app.history.apply(event)
                if choose.random() < 0.2:
                    app.show()
            app.show()
            await pilot.pause()
            seen = sorted({c for c in screen_text(app) if not c.isprintable() and c != "\n"})
            assert not seen, (number, seen)


def read(log: list[dict[str, Any]]) -> list[AnyEvent]:
    """The events among these, as a reader of the file finds them."""
    unread = Unread()
    found = [unread.parse(number, line) for number, line in enumerate(as_lines(log).splitlines())]
    return [event for event in found if event is not None]


@pytest.mark.parametrize("write", [figures.loss, figures.rate, figures.norm, figures.count, figures.duration])
def test_every_number_that_a_log_can_hold_is_written_in_a_few_cells(write: Callable[[float], str]) -> None:
    for value in (number for number in FLOATS if isinstance(number, float) and not -math.inf < number < 0):
        assert 0 < len(write(value)) <= 24, value


@pytest.mark.soak
async def test_numbers_as_large_as_they_get_are_drawn(real_run: Path, tmp_path: Path) -> None:
    log = events_of(real_run)
    for i, event in enumerate(log):
        for name, value in event.items():
            if name == "time":
                event[name] = 1e11 if i else 0.0
            elif isinstance(value, float):
                event[name] = (1e308, -1e308, 1e-320)[i % 3]
            elif isinstance(value, int) and name in ("seed", "parameters", "threads", "best_step", "tokens"):
                event[name] = 2**62 - 1
    log[0]["dataset"] |= dict.fromkeys(("characters", "vocab_size", "train_tokens", "val_tokens"), 2**62 - 1)
    await looked_at(shelf_with(real_run, tmp_path / "shelf", log), (200, 60))


@pytest.mark.soak
@pytest.mark.parametrize("number", range(6))
async def test_a_log_that_was_tampered_with_ends_no_session(number: int, real_run: Path, tmp_path: Path) -> None:
    choose = random.Random(number)
    log = mutated_log(events_of(real_run), choose)
    columns = sorted({(e["event"], k) for e in log if isinstance(e, dict) and "event" in e for k in e} - {("v", "v")})
    for kind, name in choose.sample(columns, 3):
        for event in log:
            if isinstance(event, dict) and event.get("event") == kind and isinstance(event.get(name), int | float):
                event[name] = choose.choice(INTEGERS if isinstance(event[name], int) else FLOATS)
    shelf = shelf_with(real_run, tmp_path / "shelf", log)
    before = found_below(shelf)
    await looked_at(shelf, choose.choice([(60, 16), (80, 24), (120, 40), (200, 60)]))
    assert found_below(shelf) == before
