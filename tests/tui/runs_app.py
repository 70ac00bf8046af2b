"""The Runs view as an app of its own, and a shelf of runs with real files."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar

from recording import LADDER, recorded, screen_text
from textual.app import App, ComposeResult
from textual.message import Message
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Static

import gpt_tui.tui
from gpt_tui.core.config import RunConfig, build
from gpt_tui.core.events import AnyEvent, DatasetRecord, Started
from gpt_tui.core.runs import Run, RunRecord, Shelf, ShelfNotes
from gpt_tui.tui import keys, wishes
from gpt_tui.tui.screen import MainScreen
from gpt_tui.tui.theme import THEMES, AsciiFilter
from gpt_tui.tui.views.runs import RunsView
from gpt_tui.tui.watched import Watched
from patience import patiently

STYLES = Path(gpt_tui.tui.__file__).parent
SIZES = [(60, 16), (80, 24), (120, 40), (200, 60)]


class RunsApp(App[None]):
    """A line above and one below, as in the playground; what the view asks for is kept."""

    CSS_PATH: ClassVar = [STYLES / "app.tcss", STYLES / "views" / "runs.tcss"]
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar = [known for known in keys.bindings("app") if known.action == "leave"]  # type: ignore[union-attr]

    def __init__(self, runs_dir: Path, ascii: bool = False) -> None:
        self.filter_ascii = AsciiFilter() if ascii else None
        super().__init__()
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = THEMES[0].name
        self.runs = RunsView(runs_dir=runs_dir, ascii=ascii, id="runs")
        self.wishes: list[Message] = []
        self.watched: Watched | None = None

    def get_default_screen(self) -> Screen[None]:
        return MainScreen()

    def get_line_filters(self) -> Any:
        filters = super().get_line_filters()
        return [*filters, self.filter_ascii] if self.filter_ascii else filters

    def compose(self) -> ComposeResult:
        yield Static("header", id="header")
        yield self.runs
        yield Static("footer", id="footer")

    def on_mount(self) -> None:
        self.runs.call_later(self.runs.arrive)

    def action_leave(self) -> None:
        self.runs.leave()

    def on_open_run(self, wish: wishes.OpenRun) -> None:
        self.wishes.append(wish)

    def on_resume_run(self, wish: wishes.ResumeRun) -> None:
        self.wishes.append(wish)

    def on_fork_run(self, wish: wishes.ForkRun) -> None:
        self.wishes.append(wish)

    def on_speak(self, wish: wishes.Speak) -> None:
        self.wishes.append(wish)

    @property
    def text(self) -> str:
        return screen_text(self)

    @property
    def said(self) -> list[str]:
        """What was told in the corner, the newest last."""
        return [notification.message for notification in self._notifications]


@asynccontextmanager
async def opened(
    runs_dir: Path, size: tuple[int, int] = (120, 40), ascii: bool = False
) -> AsyncIterator[tuple[RunsApp, Pilot[None]]]:
    """The view, once the shelf has been read."""
    app = RunsApp(runs_dir, ascii)
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: app.runs._listed and app.runs._total is None)
        await settled(pilot)
        yield app, pilot


async def settled(pilot: Pilot[None]) -> None:
    for _ in range(3):
        await pilot.pause()


async def until(pilot: Pilot[None], true: Callable[[], bool]) -> None:
    """Wait for something that another thread does."""
    for _ in patiently():
        if true():
            return
        await asyncio.sleep(0.02)  # pilot.pause would wait for an idle process, which one that trains never is
    raise AssertionError("it never came true")


def record(started: Started) -> RunRecord:
    return RunRecord(
        created=started.created,
        versions={"gpt_tui": "0.1.0", "python": "3.11.9", "torch": "2.13.0", "numpy": "2.4.0"},
        platform="Linux-6.8-x86_64",
        cpu="a processor",
        device="cpu",
        dtype="float32",
        threads=2,
        dataset=started.dataset,
        source="the public address",
        tokenizer={"kind": "char", "characters": "\n ABC"},
        parameters=started.parameters,
        ladder=LADDER,
        passage="First Citizen:",
    )


def put(
    shelf: Shelf,
    name: str,
    steps: int = 200,
    *,
    minute: int = 0,
    end: bool = True,
    notes: ShelfNotes | None = None,
    config: RunConfig | None = None,
    dataset: DatasetRecord | None = None,
) -> Run:
    """A run on the shelf, begun at this minute, with a log as a session writes it."""
    config = config or build({"max_iters": max(steps, 1)})
    events: Iterable[AnyEvent] = recorded(steps, end=end, config=config)
    begun = next(event for event in events if isinstance(event, Started))
    changes: dict[str, Any] = {"run": name, "created": f"2026-11-20T14:{minute:02}:00+00:00"}
    begun = begun.model_copy(update=changes | ({"dataset": dataset} if dataset else {}))
    with shelf.create(config, name, record(begun), "quick") as writer:
        writer.append(begun)
        for event in events:
            if not isinstance(event, Started):
                writer.append(event)
    if notes is not None:
        writer.run.replace_shelf_notes(notes)
    return writer.run
