"""The Setup view as an app of its own, and what its tests do with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar

from textual.app import App, ComposeResult
from textual.pilot import Pilot
from textual.widgets import Static

import gpt_tui.tui
from gpt_tui.core.config import Layer, Resolved, RunConfig, resolve
from gpt_tui.core.events import DatasetRecord, Started
from gpt_tui.core.presets import PRESETS
from gpt_tui.tui.theme import THEMES, AsciiFilter
from gpt_tui.tui.views.setup import SetupView
from patience import patiently

STYLES = Path(gpt_tui.tui.__file__).parent
SIZES = [(80, 24), (120, 40), (200, 60)]
TEXT = "To be, or not to be, that is the question.\n" * 60


class SetupApp(App[None]):
    """A line above and one below, as in the playground."""

    CSS_PATH: ClassVar = [STYLES / "app.tcss", STYLES / "views" / "setup.tcss"]
    ENABLE_COMMAND_PALETTE = False

    def __init__(
        self,
        resolved: Resolved | None = None,
        preset: str | None = None,
        ascii: bool = False,
        runs_dir: Path | None = None,
    ) -> None:
        self.filter_ascii = AsciiFilter() if ascii else None
        super().__init__()
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = THEMES[0].name
        # masque is never looked at: a path makes every test independent of what the cache holds
        self.setup = SetupView(resolved or resolve([]), preset, runs_dir=runs_dir, ascii=ascii, id="setup")
        self.edited: list[tuple[str, Any]] = []
        self.copied: list[str] = []

    def get_line_filters(self) -> Any:
        filters = super().get_line_filters()
        return [*filters, self.filter_ascii] if self.filter_ascii else filters

    def compose(self) -> ComposeResult:
        yield Static("header")
        yield self.setup
        yield Static("footer")

    def on_mount(self) -> None:
        self.setup.call_later(self.setup.arrive)

    def on_setup_view_edited(self, message: SetupView.Edited) -> None:
        self.edited.append((message.name, message.value))

    def copy_to_clipboard(self, text: str) -> None:
        self.copied.append(text)

    @property
    def lines(self) -> list[str]:
        """What is on the screen."""
        return ["".join(segment.text for segment in strip) for strip in self.screen._compositor.render_strips()]

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    def shown(self, name: str) -> list[str]:
        """The lines of a field on the screen, all of which must be in sight."""
        region = self.setup.pane.rows[name].region
        pane = self.setup.pane
        assert pane.region.y < region.y
        assert region.bottom < pane.region.bottom
        return [line[region.x : region.right] for line in self.lines[region.y : region.bottom]]

    def row(self, name: str) -> str:
        return self.shown(name)[0]

    @property
    def at(self) -> str:
        return next(row.field for row in self.setup.pane.rows.values() if row.current)


@asynccontextmanager
async def opened(
    size: tuple[int, int] = (80, 24),
    resolved: Resolved | None = None,
    preset: str | None = None,
    ascii: bool = False,
    runs_dir: Path | None = None,
) -> AsyncIterator[tuple[SetupApp, Pilot[None]]]:
    app = SetupApp(resolved, preset, ascii, runs_dir)
    async with app.run_test(size=size) as pilot:
        await settled(pilot)
        yield app, pilot


async def settled(pilot: Pilot[None]) -> None:
    for _ in range(2):
        await pilot.pause()


async def until(pilot: Pilot[None], true: Callable[[], bool]) -> None:
    """Wait for something that another thread does."""
    for _ in patiently():
        if true():
            return
        await asyncio.sleep(0.02)
        await pilot.pause()
    raise AssertionError("it never came true")


async def go(pilot: Pilot[None], app: SetupApp, name: str) -> None:
    """Put the cursor on a field, as a press on its row does."""
    app.setup._go(name)
    await settled(pilot)


def preset_of(name: str) -> dict[str, Any]:
    """Arguments of `opened` for a preset."""
    return {"resolved": resolve([PRESETS[name].layer()]), "preset": name}


def own_text(tmp_path: Path, text: str = TEXT) -> Resolved:
    path = tmp_path / "mine.txt"
    path.write_text(text)
    return resolve([Layer("flag", {"dataset": str(path)})])


def started(config: RunConfig) -> Started:
    return Started(
        run="r1",
        path="/runs/r1",
        created="2026-01-01T00:00:00Z",
        config=config.sections(),
        parameters=1,
        dataset=DatasetRecord(name="x", sha256="", characters=1, vocab_size=65, train_tokens=9, val_tokens=1),
        device="cpu",
        dtype="float32",
        threads=2,
        ladder={},
        passage="",
    )
