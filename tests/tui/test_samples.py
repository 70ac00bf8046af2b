"""Samples: untrained beside trained at any evaluation, what surprised them, and both asked anew."""

from __future__ import annotations

import asyncio
import io
import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recording import recorded, screen_text, surprise_of
from rich.cells import cell_len
from rich.console import Console
from runs_app import put, record
from textual import events as keyboard
from textual.app import App, ComposeResult
from textual.color import Color
from textual.pilot import Pilot
from textual.screen import Screen
from textual.style import Style
from textual.theme import BUILTIN_THEMES
from textual.widgets import Input, Static

import gpt_tui.tui.app as playground
from gpt_tui.core.config import RunConfig
from gpt_tui.core.events import AnyEvent, Continued, Eval, Notice, Parent, Sample, Started
from gpt_tui.core.runs import History, Run, Shelf
from gpt_tui.core.sampling import Speaker
from gpt_tui.core.session import Plan, Session
from gpt_tui.core.speech import Speech
from gpt_tui.tui import wishes
from gpt_tui.tui.state import State
from gpt_tui.tui.theme import THEMES, NoColourFilter
from gpt_tui.tui.views.samples import SamplesView
from gpt_tui.tui.watched import Opened
from gpt_tui.tui.widgets.time_pane import Columns, Moment, TimePane, Times, drawn
from gpt_tui.tui.widgets.tinted_text import Tinted, glyphs
from gpt_tui.tui.widgets.tints import READABLE, Tints, contrast
from patience import PATIENCE, patiently

FOLDER = Path(playground.__file__).parent
PASSAGE = "A Queen comes\nand the Quick go.\n"
TEXT = "".join(f"{name}:\nThe house of {name} is number {n}.\n\n" for n in range(90) for name in ("ANNA", "BEN"))
BITS = math.log2(math.e)  # of one nat


@dataclass
class Recording:
    """A recorded run in the place of one that is opened: its events are made up, so it has no directory to open."""

    history: History = field(default_factory=History)
    state: State = field(default_factory=lambda: State("TRAINING"))
    path: Path | None = None
    name: str = "recorded"
    snapshot: None = None

    def add(self, events: list[AnyEvent]) -> Recording:
        self.history.extend(events)
        return self


class SamplesApp(App[None]):
    """The view alone, a line above and one below, with the playground's style and screen."""

    CSS_PATH = [FOLDER / "app.tcss", FOLDER / "views" / "samples.tcss"]  # noqa: RUF012
    ENABLE_COMMAND_PALETTE = False

    def __init__(self, watched: Any = None, ascii: bool = False, colours: str = "truecolor") -> None:
        super().__init__()
        self.console = Console(file=io.StringIO(), force_terminal=True, color_system=colours)  # type: ignore[arg-type]
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = THEMES[0].name
        self.animation_level = "none"
        self.watched = watched
        self.view = SamplesView(speech=Speech, ascii=ascii, id="samples")
        self.scrubbed: list[int | None] = []
        self.looked: list[wishes.LookInside] = []

    def get_default_screen(self) -> Screen[None]:
        return playground.MainScreen()

    def get_line_filters(self) -> Any:
        return [NoColourFilter()] if self.no_color else super().get_line_filters()

    def compose(self) -> ComposeResult:
        yield Static("header")
        yield self.view
        yield Static("footer")

    def on_scrubbed(self, message: wishes.Scrubbed) -> None:
        self.scrubbed.append(message.step)

    def on_look_inside(self, message: wishes.LookInside) -> None:
        self.looked.append(message)

    @property
    def told(self) -> str:
        return " ".join(notification.message for notification in self._notifications)

    def style_of(self, text: str, character: int = 0) -> Any:
        """The style in which a character of the first line with this text is drawn."""
        for strip in self.screen._compositor.render_strips():
            at = strip.text.find(text)
            if at >= 0:
                return next(iter(strip.crop(at + character, at + character + 1))).style
        raise AssertionError(f"{text} is not on the screen")


@asynccontextmanager
async def opened(
    watched: Any = None, size: tuple[int, int] = (120, 40), ascii: bool = False, colours: str = "truecolor"
) -> AsyncIterator[tuple[SamplesApp, Pilot[None]]]:
    app = SamplesApp(watched, ascii, colours)
    async with app.run_test(size=size) as pilot:
        await looked(app, pilot)
        app.view.arrive()
        await pilot.pause()
        yield app, pilot


async def looked(app: SamplesApp, pilot: Pilot[None]) -> str:
    app.view.follow(app.watched)
    await pilot.pause()
    await pilot.pause()
    return screen_text(app)


async def until(app: SamplesApp, pilot: Pilot[None], true: Callable[[], bool]) -> None:
    """Wait for something that another thread does."""
    for _ in patiently():
        app.view.follow(app.watched)
        if true():
            await pilot.pause()
            return
        await asyncio.sleep(0.02)
        await pilot.pause()
    raise AssertionError(f"it never came true:\n{screen_text(app)}")


def titles(app: SamplesApp) -> tuple[str, str]:
    return str(app.view.untrained.border_title), str(app.view.trained.border_title)


# Through time ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(60, 16), (80, 24), (99, 40), (100, 24), (120, 40), (150, 45), (200, 60)])
async def test_untrained_and_trained_are_drawn_whole_at_every_size(size: tuple[int, int]) -> None:
    async with opened(Recording().add(recorded(350)), size) as (app, _):
        screen = screen_text(app)
        assert "IyiwHhu" in screen
        assert "ROMEO:" in screen
        assert titles(app) == ("untrained · step 0 · val 4.250", "trained · step 350 of 600 · val 1.824")
        assert all(title in screen for title in titles(app))
        assert "▲350" in screen
        assert "evaluation 8 of 8 · newest" in screen
        assert "with seed 1337" in screen
        lines = screen.split("\n")
        assert len(lines) == size[1]
        assert all(cell_len(line) == size[0] for line in lines)
        beside = app.view.untrained.region.y == app.view.trained.region.y
        assert beside == (size[0] >= 100)


async def test_the_arrows_go_through_every_evaluation_wherever_the_focus_is() -> None:
    async with opened(Recording().add(recorded(350))) as (app, pilot):
        assert app.focused is app.view.time
        await pilot.press("left")
        assert "at 300" in app.view.trained.copied
        app.view.trained.focus()
        await pilot.press("h", "h")
        assert "at 200" in app.view.trained.copied
        app.view.untrained.focus()
        await pilot.press("l", "right")
        assert "at 300" in app.view.trained.copied
        assert "at 0" in app.view.untrained.copied
        await pilot.press("H")
        assert titles(app)[1] == "untrained · step 0 · val 4.250"
        app.view.time.focus()
        await pilot.press("G")
        await pilot.press("g")
        await pilot.press("left")
        assert "the first evaluation" in app.told
        await pilot.press("end")
        assert app.scrubbed == [300, 250, 200, 250, 300, 0, None, 0, 0, None]


async def test_the_newest_is_followed_and_another_one_stays() -> None:
    watched = Recording().add(recorded(100))
    later = [e for e in recorded(200) if getattr(e, "step", 0) > 100]
    async with opened(watched) as (app, pilot):
        watched.add(later[: len(later) // 2])
        await looked(app, pilot)
        assert "at 150" in app.view.trained.copied
        await pilot.press("left")
        watched.add(later[len(later) // 2 :])
        await looked(app, pilot)
        assert "at 100" in app.view.trained.copied
        assert "evaluation 3 of 5" in screen_text(app)


async def test_an_evaluation_is_followed_once_its_sample_has_come() -> None:
    watched = Recording().add(recorded(100))
    async with opened(watched) as (app, pilot):
        watched.add([Eval(step=150, time=3.0, train_loss=1.9, val_loss=2.0, whole_split=False, best=True)])
        await looked(app, pilot)
        assert "at 100" in app.view.trained.copied
        await pilot.press("right")
        assert "the newest evaluation" in app.told
        watched.state = State("INTERRUPTED")
        await looked(app, pilot)
        assert "at 100" in app.view.trained.copied
        await pilot.press("right")
        assert "the run broke off here" in app.view.trained._content.plain


def looked_at(step: int) -> Eval:
    """An evaluation without sample and surprise."""
    return Eval(step=step, time=step * 0.025, train_loss=1.9, val_loss=2.0, whole_split=False, best=False)


def stopped(step: int) -> list[AnyEvent]:
    """What a session writes when it is stopped between two evaluations."""
    end = recorded(step, end=True)[-1].model_copy(update={"reason": "stopped"})
    return [looked_at(step), end]


async def test_a_stopped_run_is_met_with_its_newest_sample_and_says_why_its_last_evaluation_has_none() -> None:
    watched = Recording(state=State("STOPPED")).add([*recorded(270, passage=PASSAGE), *stopped(270)])
    async with opened(watched) as (app, pilot):
        assert "at 250" in app.view.trained.copied
        assert titles(app)[1].startswith("trained · step 250 of 600")
        assert "newest" in str(app.view.time.border_title)
        await pilot.press("c")
        assert "bits a character" in titles(app)[1]
        await pilot.press("c", "right")
        assert titles(app)[1].startswith("trained · step 270 of 600")
        why = "Nothing was written at this evaluation: the run was stopped here."
        assert app.view.trained._content.plain == why
        for key in "cd":
            await pilot.press(key)
            await pilot.pause()
            assert app.view.trained._content.plain == f"No surprise was recorded at step 270. {why}"
        await pilot.press("d", "end")
        assert "at 250" in app.view.trained.copied
        assert app.scrubbed[-1] is None


async def test_an_evaluation_at_which_a_run_was_stopped_and_went_on_or_whose_sample_was_left_out_says_so() -> None:
    left_out = Notice(level="info", text="the sample of step 300 was left out")
    later = [e for e in recorded(320) if e.event == "step" and e.step > 300]
    continued = Continued(step=270, path="checkpoints/000270", created="2026-11-20T15:00:00Z")
    steps = [e for e in recorded(300) if e.event == "step" and e.step > 270]
    watched = Recording().add([*recorded(270), *stopped(270), continued, *steps, looked_at(300), left_out])
    async with opened(watched) as (app, pilot):
        watched.add(later)
        await looked(app, pilot)
        assert "at 250" in app.view.trained.copied
        await pilot.press("right")
        assert "the run was stopped here" in app.view.trained._content.plain
        await pilot.press("right")
        assert "that was left out" in app.view.trained._content.plain


async def test_the_first_evaluation_is_written_while_the_run_is_at_it() -> None:
    async with opened(Recording().add(recorded(0)[:2])) as (app, pilot):
        assert app.view.trained._content.plain == "The model is writing."
        await pilot.press("c")
        assert "No evaluation of this run has recorded its surprise (yet)" in app.told


async def test_the_charts_cursor_is_followed_to_the_nearest_evaluation_without_an_echo() -> None:
    async with opened(Recording().add(recorded(350))) as (app, pilot):
        app.view.scrub_to(130)
        await pilot.pause()
        assert "at 150" in app.view.trained.copied
        app.view.scrub_to(10**9)
        assert "at 350" in app.view.trained.copied
        app.view.scrub_to(None)
        assert app.scrubbed == []


async def test_a_place_chosen_before_the_run_is_known_is_gone_to() -> None:
    app = SamplesApp(Recording().add(recorded(350)))
    app.view.scrub_to(90)
    app.view.follow(app.watched)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        assert "ROMEO" in screen_text(app)
        assert "at 100" in app.view.trained.copied


async def test_a_run_that_went_back_keeps_the_cursor_at_the_nearest_and_another_run_begins_anew() -> None:
    watched = Recording().add(recorded(350))
    async with opened(watched) as (app, pilot):
        await pilot.press("left")
        watched.add([Continued(step=200, path="checkpoints/000200", created="2026-11-20T15:00:00Z")])
        await looked(app, pilot)
        assert "at 200" in app.view.trained.copied
        await pilot.press("g")
        app.watched = Recording().add(recorded(100))
        await looked(app, pilot)
        assert "at 100" in app.view.trained.copied


async def test_a_press_of_the_mouse_goes_to_the_evaluation_there() -> None:
    async with opened(Recording().add(recorded(350))) as (app, pilot):
        columns = Columns.of(13, app.view.time.strip.size.width)
        await pilot.click(app.view.time.strip, offset=(columns.starts[4] + 1, 0))
        assert "at 200" in app.view.trained.copied


@pytest.mark.parametrize(("steps", "every"), [(0, 50), (2000, 1)])
async def test_one_evaluation_and_two_thousand_are_shown(steps: int, every: int) -> None:
    async with opened(Recording(state=State("FINISHED")).add(recorded(steps, every=every)), (80, 24)) as (app, pilot):
        assert f"▲{steps}" in screen_text(app) or f"{steps}▲" in screen_text(app)
        await pilot.press("H")
        expected = max(0, steps - 10)
        assert f"{expected}▲" in screen_text(app) or f"▲{expected}" in screen_text(app)


async def test_nothing_is_drawn_where_nothing_has_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Recording().add(recorded(120))
    async with opened(watched) as (app, pilot):
        draws: list[None] = []
        monkeypatch.setattr(app.view, "_draw", lambda: draws.append(None))
        steps = [e for e in recorded(149) if e.event == "step" and e.step > 120]
        watched.add(steps)
        await looked(app, pilot)
        assert not draws
        watched.add([e for e in recorded(150) if e.event == "eval"][-1:])
        await looked(app, pilot)
        assert draws


# What stands where there is nothing --------------------------------------------------------------------------------


async def test_without_a_run_the_next_key_is_named_and_every_key_says_why_it_cannot() -> None:
    async with opened() as (app, pilot):
        assert "space" in screen_text(app)
        for key in "hlHLgGcdpn":
            app.clear_notifications()
            await pilot.press(key)
            assert "No run is open" in app.told, key
        app.watched = Recording()
        assert "made ready" in await looked(app, pilot)
        app.watched = Recording().add(recorded(0)[:1])
        assert "being evaluated" in await looked(app, pilot)
        app.watched.add(recorded(0)[1:])
        assert "IyiwHhu" in await looked(app, pilot)
        assert app.focused is app.view.time


async def test_a_fork_begins_with_the_evaluation_it_went_on_from() -> None:
    events = [e for e in recorded(350) if e.event == "started" or getattr(e, "step", 0) >= 200]
    async with opened(Recording().add(events)) as (app, _):
        assert titles(app)[0].startswith("first · step 200")


def forked(shelf: Shelf, parent: str, steps: int = 350) -> Opened:
    """A run on the shelf that went on from step 200 of another."""
    begun, *events = recorded(steps, passage=PASSAGE)
    assert isinstance(begun, Started)
    with shelf.create(RunConfig(), "newer", record(begun), "quick") as writer:
        came_from = {"parent": Parent(run=parent, step=200), "created": "2026-11-20T15:00:00Z"}
        writer.append(begun.model_copy(update=came_from))
        for event in events:
            if event.step >= (201 if event.event == "step" else 200):
                writer.append(event)
    watched = Opened(writer.run)
    watched.read()
    return watched


async def test_a_fork_stands_beside_what_the_untrained_model_of_its_parent_wrote(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "runs")
    put(shelf, "older", 200, minute=1)
    async with opened(forked(shelf, "older")) as (app, pilot):
        await until(app, pilot, lambda: titles(app)[0] == "untrained · step 0 · val 4.250")
        assert "IyiwHhu" in app.view.untrained.copied
        assert "evaluation 4 of 4" in screen_text(app), "those of the run itself are gone through"
        await pilot.press("g")
        assert titles(app)[1].startswith("trained · step 200")
        app.watched = Recording().add(recorded(100)[4:])
        await looked(app, pilot)
        assert titles(app)[0].startswith("first · step 50")


async def test_a_fork_whose_parent_is_gone_stands_beside_its_own_first_sample(tmp_path: Path) -> None:
    async with opened(forked(Shelf(tmp_path / "runs"), "gone")) as (app, pilot):
        for _ in range(10):
            await pilot.pause()
        assert titles(app)[0].startswith("first · step 200")
        assert "at 200" in app.view.untrained.copied


async def test_samples_of_another_prompt_are_told_apart() -> None:
    changed = Sample(step=150, time=1.0, prompt="JULIET:", seed=8, text=" aye")
    watched = Recording().add([*recorded(149), *[e for e in recorded(150) if e.event == "eval"][-1:], changed])
    async with opened(watched) as (app, _):
        assert "not the same: a new line with seed 1337, then “JULIET:” with seed 8" in screen_text(app)


async def test_text_of_a_model_is_never_markup_and_a_very_long_one_is_cut_on_the_screen_only() -> None:
    text = "[red]x[/] \x1b[2Jend\x00 日本 e\u0301 " + "word " * 4500
    events = [e.model_copy(update={"text": text}) if e.event == "sample" else e for e in recorded(50)]
    async with opened(Recording().add(events)) as (app, pilot):
        screen = screen_text(app)
        assert "[red]x[/] \\x1b[2Jend\\x00 日本 e\u0301" in screen
        assert all(cell_len(line) == 120 for line in screen.split("\n"))
        assert app.view.trained.copied.endswith(text)
        app.view.trained.focus()
        await pilot.press("G")
        await until(app, pilot, lambda: "more characters; y copies all of them" in screen_text(app))


# Colours -----------------------------------------------------------------------------------------------------------


async def test_surprise_is_coloured_by_its_bits_at_the_start_and_at_the_cursor() -> None:
    async with opened(Recording().add(recorded(350, passage=PASSAGE))) as (app, pilot):
        await pilot.press("c")
        await pilot.pause()
        scale = app.view.texts.tints.surprise
        for step, pane in ((0, app.view.untrained), (350, app.view.trained)):
            bits = [nats * BITS for nats in surprise_of(PASSAGE, step)]
            rows = [line.split("\t") for line in pane.copied.splitlines()[1:]]
            assert [float(row[1]) for row in rows] == pytest.approx(bits, abs=1e-3)
            assert f"{sum(bits) / len(bits):.2f} bits a character" in str(pane.border_title)
        now = [nats * BITS for nats in surprise_of(PASSAGE, 350)]
        app.view.untrained.display = False
        await pilot.pause()
        for at in (0, 2, 3, 8):
            wanted = Style.parse(scale.style(now[at])).rich_style
            found = app.style_of("A Queen comes", at)
            assert found.bgcolor.triplet == wanted.bgcolor.triplet
            assert found.color.triplet == wanted.color.triplet
        assert "most surprising" in screen_text(app)
        assert "[Q]ueen" in screen_text(app)
        app.view.untrained.display = True
        await pilot.press("g")
        assert titles(app)[0] == titles(app)[1]
        await pilot.press("c")
        assert "at 0" in app.view.trained.copied


async def test_the_difference_names_what_was_learned_and_what_was_lost() -> None:
    async with opened(Recording().add(recorded(350, passage=PASSAGE))) as (app, pilot):
        await pilot.press("d")
        await pilot.pause()
        first, now = ([nats * BITS for nats in surprise_of(PASSAGE, step)] for step in (0, 350))
        learned = [a - b for a, b in zip(first, now, strict=True)]
        rows = [line.split("\t") for line in app.view.untrained.copied.splitlines()[1:]]
        assert [float(row[1]) for row in rows] == pytest.approx(learned, abs=1e-3)
        scale = app.view.texts.tints.difference
        queen = app.style_of("A Queen comes", 2)
        assert queen.bgcolor.triplet == Style.parse(scale.styles[scale.zero - 3]).rich_style.bgcolor.triplet
        screen = screen_text(app)
        names = [PASSAGE.index(name) + i for name in ("Queen", "Quick") for i in range(5)]
        mean = sum(learned[i] for i in names) / len(names)
        assert f"{mean:+.2f}" in next(line for line in screen.split("\n") if "names" in line)
        assert "learned most" in screen
        assert "lost most" in screen
        await pilot.press("d")
        assert "ROMEO" in screen_text(app)


@pytest.mark.parametrize("why", ["NO_COLOR", "ascii", "sixteen"])
async def test_without_colours_each_character_has_its_bits_below(monkeypatch: pytest.MonkeyPatch, why: str) -> None:
    if why == "NO_COLOR":
        monkeypatch.setenv("NO_COLOR", "1")
    colours = "standard" if why == "sixteen" else "truecolor"
    watched = Recording().add(recorded(350, passage=PASSAGE))
    async with opened(watched, (80, 24), why == "ascii", colours) as (app, pilot):
        await pilot.press("c")
        await pilot.pause()
        lines = screen_text(app).split("\n")
        at = max(i for i, line in enumerate(lines) if "A Queen comes" in line)
        bits = [nats * BITS for nats in surprise_of(PASSAGE, 350)]
        marks = "".join("." if b < 0.5 else str(min(9, round(b))) for b in bits[:14])
        assert marks in lines[at + 1]
        assert lines[at + 1].index(marks) == lines[at].index("A Queen comes")
        assert why != "NO_COLOR" or app.style_of("A Queen comes").bgcolor is None
        await pilot.press("d")
        assert "a" in next(line for line in screen_text(app).split("\n") if "c" in line and "4" in line)


async def test_a_run_without_surprise_says_so() -> None:
    async with opened(Recording().add(recorded(100))) as (app, pilot):
        await pilot.press("c")
        assert "nothing to colour" in app.told
        app.clear_notifications()
        await pilot.press("d")
        assert "nothing to colour" in app.told
        assert "ROMEO" in screen_text(app)


async def test_colours_follow_the_theme() -> None:
    async with opened(Recording().add(recorded(350, passage=PASSAGE))) as (app, pilot):
        await pilot.press("c")
        await pilot.pause()
        dark = app.style_of("A Queen comes", 2).bgcolor.triplet
        app.theme = THEMES[1].name
        await pilot.pause()
        await pilot.pause()
        assert app.style_of("A Queen comes", 2).bgcolor.triplet != dark


@pytest.mark.parametrize("theme", [*THEMES, *BUILTIN_THEMES.values()], ids=lambda theme: theme.name)
def test_tinted_text_can_be_read_in_every_theme(theme: Any) -> None:
    variables = theme.to_color_system().generate()
    ground, text = Color.parse(variables["background"]), Color.parse(variables["foreground"])
    if ground.ansi is not None:  # the terminal's own colours: what they are is not known, but whether they are dark
        ground, text = (Color(0, 0, 0), Color(255, 255, 255)) if theme.dark else (Color(255, 255, 255), Color(0, 0, 0))
    tints = Tints.of(ground, text)
    for scale in (tints.surprise, tints.difference):
        pairs = [[Color.parse(part) for part in style.split(" on ")] for style in scale.styles]
        assert all(contrast(*pair) >= min(READABLE, contrast(ground, text)) for pair in pairs)
        grounds = [pair[1] for pair in pairs]
        assert len(set(grounds)) == len(grounds) == len(scale.marks)
    distances = [abs(Color.parse(s.split(" on ")[1]).brightness - ground.brightness) for s in tints.surprise.styles]
    assert distances == sorted(distances), "more surprise stands out more"


def test_bits_are_rounded_to_levels_and_those_beyond_the_scale_are_its_ends() -> None:
    tints = Tints.of(Color(0, 0, 0), Color(255, 255, 255))
    assert "".join(map(tints.surprise.mark, (0, 0.4, 0.6, 3.2, 9.4, 30, math.inf, math.nan))) == "..1399" + "9 "
    assert "".join(map(tints.difference.mark, (-math.inf, -9, -1, 0, 1, 6, 9))) == "ffa.166"


@settings(max_examples=60)
@given(
    st.text(st.one_of(st.characters(), st.sampled_from("日本\u0301\u200d\ufe0f👩🇫🇷\r\n\t\x00 a")), max_size=60),
    st.integers(min_value=10, max_value=40),
)
def test_marks_stand_below_their_characters_whatever_the_text(text: str, width: int) -> None:
    scale = Tints.of(Color(0, 0, 0), Color(255, 255, 255)).surprise
    characters = [(character, 1.0) for character in text]
    lines = Tinted(glyphs(characters), scale, tinted=True, marked=True).lines(width)
    for line, marks in zip(lines[::2], lines[1::2], strict=True):
        assert line.cell_length == marks.cell_length <= width
        assert "\x1b" not in line.plain
    assert sum(glyph.bits for glyph in glyphs(characters)) == len(text)


def test_a_letter_and_its_accent_share_a_cell_and_their_bits() -> None:
    assert [(g.text, g.cells, g.bits) for g in glyphs([("e", 2.0), ("\u0301", 3.0), ("日", 1.0)])] == [
        ("e\u0301", 1, 5.0),
        ("日", 2, 1.0),
    ]


# The strip of time ---------------------------------------------------------------------------------------------------


def test_bars_are_as_high_as_the_losses_and_what_is_to_come_is_marked() -> None:
    moments = [Moment(i * 10, 1.0, loss) for i, loss in enumerate((4.0, 3.0, 1.0, 2.0))]
    lines = [line.plain for line in drawn(Times(moments, 2, 6, 50), 48, 4)]
    starts = Columns.of(6, 48).starts
    eighths = [sum(" ▁▂▃▄▅▆▇█".index(line[at]) for line in lines[:3]) for at in starts[:4]]
    assert eighths == [24, 16, 1, 9]
    assert [lines[2][at] for at in starts[4:]] == ["·", "·"]
    assert lines[3].split() == ["0", "10", "▲20", "30", "50"]


def test_an_untrained_loss_far_above_all_others_leaves_them_their_heights_and_is_named() -> None:
    moments = [Moment(i * 10, 1.0, loss) for i, loss in enumerate((4.4, 2.4, 2.1, 1.8))]
    times = Times(moments, 3, 4, 30)
    lines = [line.plain for line in drawn(times, 32, 4)]
    eighths = [sum(" ▁▂▃▄▅▆▇█".index(line[at]) for line in lines[:3]) for at in Columns.of(4, 32).starts]
    assert eighths == [24, 21, 11, 1]
    assert TimePane._scale(times) == "validation loss 1.800 to 2.400, at first 4.400"


def test_of_evaluations_that_share_a_cell_the_highest_is_drawn() -> None:
    losses = [1.0] * 500
    losses[250] = 9.0
    moments = [Moment(i, 1.0, loss) for i, loss in enumerate(losses)]
    top = drawn(Times(moments, 499, 500, 499), 50, 3)[0].plain
    assert [i for i, cell in enumerate(top) if cell != " "] == [25]


@settings(max_examples=40)
@given(st.integers(1, 3000), st.integers(20, 200), st.integers(1, 6), st.data())
def test_the_strip_fits_and_shows_the_cursor_however_many_there_are(
    count: int, width: int, height: int, data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, count - 1))
    asking = data.draw(st.booleans())
    moments = [Moment(i * 25, 1.0, 5 / (i + 1), kept=i % 7 == 0) for i in range(count)]
    lines = drawn(Times(moments, at, count + 3, (count + 2) * 25, asking), width, height)
    assert len(lines) == height
    assert all(line.cell_length == width for line in lines)
    assert f"▲{at * 25}" in lines[-1].plain or f"{at * 25}▲" in lines[-1].plain


# Asking anew ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def run_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of four evaluations after the first, with checkpoints at some of them."""
    folder = tmp_path_factory.mktemp("samples")
    (folder / "text.txt").write_text(TEXT)
    config = RunConfig().replace(
        dataset=str(folder / "text.txt"), n_layer=1, n_head=2, n_embd=16, block_size=16, batch_size=4, max_iters=40,
        eval_interval=10, eval_iters=2, checkpoint_interval=20, max_new_tokens=40, threads=1, device="cpu",
    )  # fmt: skip
    session = Session(Plan(config, folder / "runs", run_name="asked"))
    session.start()
    assert session.join(PATIENCE)
    assert session.outcome is not None
    assert session.outcome.kind == "finished", session.outcome
    return folder / "runs" / "asked"


def read(path: Path) -> Opened:
    watched = Opened(Run.open(path))
    watched.read()
    return watched


def answered(app: SamplesApp) -> bool:
    voices = app.view.asking.voices
    return bool(voices) and all(voice.utterance.state == "finished" for voice in voices)


async def drawn_answer(app: SamplesApp, pilot: Pilot[None]) -> None:
    await until(app, pilot, lambda: answered(app))
    app.view.asking.listen()
    await pilot.pause()


async def test_the_same_prompt_and_seed_give_the_text_that_was_recorded(run_path: Path) -> None:
    watched = read(run_path)
    first, last = watched.history.samples[0], watched.history.samples[-1]
    async with opened(watched) as (app, pilot):
        await pilot.press("p")
        assert isinstance(app.focused, Input)
        await pilot.press("enter")
        await drawn_answer(app, pilot)
        assert app.view.untrained.copied == first.prompt + first.text
        assert app.view.trained.copied == last.prompt + last.text


async def test_another_prompt_and_the_next_seed_are_answered_by_both_models(run_path: Path) -> None:
    watched = read(run_path)
    run = Run.open(run_path)
    async with opened(watched) as (app, pilot):
        await pilot.press("p", *"ANNA", "enter")
        await drawn_answer(app, pilot)
        for step, pane in ((0, app.view.untrained), (40, app.view.trained)):
            assert pane.copied == "ANNA" + Speaker.from_run(run, step).speak("ANNA")
        await pilot.press("n")
        await drawn_answer(app, pilot)
        sampling = run.config().sampling
        spoken = Speaker.from_run(run, 40).speak("ANNA", seed=sampling.sample_seed + 1)
        assert app.view.trained.copied == "ANNA" + spoken
        assert f"asked: “ANNA”, seed {sampling.sample_seed + 1}" in screen_text(app)
        await pilot.press("c")
        await pilot.pause()
        tokens = [t for t in app.view.asking.voices[1].utterance.tokens if not t.given]
        bits = [-t.logprob * BITS for t in tokens if t.logprob is not None]
        assert f"{sum(bits) / len(bits):.2f} bits a character" in titles(app)[1]
        app.clear_notifications()
        await pilot.press("d")
        assert "one text under two models" in app.told


async def test_scrubbing_asks_again_where_a_checkpoint_was_kept_and_says_where_none_was(run_path: Path) -> None:
    watched = read(run_path)
    run = Run.open(run_path)
    kept = {info.step for info in run.checkpoints()}
    assert 10 not in kept
    async with opened(watched) as (app, pilot):
        await pilot.press("p", *"BEN", "enter")
        await drawn_answer(app, pilot)
        app.view.scrub_to(10)
        await pilot.pause()
        assert "The checkpoint of step 10 was not kept" in screen_text(app).replace("│", "")
        assert "checkpoint not kept" in screen_text(app)
        assert screen_text(app).count("◆") >= 2
        await pilot.press("right")
        await drawn_answer(app, pilot)
        assert app.view.trained.copied == "BEN" + Speaker.from_run(run, 20).speak("BEN")
        assert app.view.untrained.copied == "BEN" + Speaker.from_run(run, 0).speak("BEN")


async def test_what_is_looked_into_is_the_answer_that_is_shown(run_path: Path) -> None:
    async with opened(read(run_path)) as (app, pilot):

        async def looked_into() -> tuple[int | None, list[tuple[str, int | None]]]:
            app.looked.clear()
            await pilot.press("a")
            await pilot.pause()
            [wish] = app.looked
            return wish.source.step, [(text.text, text.step) for text in wish.texts]

        step, (recorded_text, _) = await looked_into()
        assert (step, recorded_text) == (40, (app.view.trained.copied, 40))
        await pilot.press("p", *"BEN", "enter")
        await drawn_answer(app, pilot)
        for pane, place in ((app.view.trained, 40), (app.view.untrained, 0)):
            pane.focus()
            step, texts = await looked_into()
            assert (step, texts[0]) == (place, (pane.copied, place))
            assert pane.copied.startswith("BEN")
            assert len(texts) == 3, "what was recorded is there as well"
        assert app.view.leave()
        app.view.trained.focus()
        step, (first, _) = await looked_into()
        assert (step, first) == (40, recorded_text)


async def test_without_an_answer_there_is_nothing_to_look_into(run_path: Path) -> None:
    async with opened(read(run_path)) as (app, pilot):
        await pilot.press("p", "é", "enter")
        await until(app, pilot, lambda: all("failed" in title for title in titles(app)))
        await pilot.press("a")
        await pilot.pause()
        assert not app.looked
        assert "No answer stands there" in app.told


async def test_all_lines_that_are_pasted_are_asked(run_path: Path) -> None:
    async with opened(read(run_path)) as (app, pilot):
        await pilot.press("p")
        assert app.focused is not None
        app.focused.post_message(keyboard.Paste("ANNA:\r\nThe house"))
        await pilot.press("enter")
        await drawn_answer(app, pilot)
        assert app.view.trained.copied.startswith("ANNA:\nThe house")


async def test_esc_leads_back_one_thing_at_a_time(run_path: Path) -> None:
    watched = read(run_path)
    async with opened(watched) as (app, pilot):
        recorded_text = app.view.trained.copied
        await pilot.press("c", "p", *"qhjcd")
        field = app.focused
        assert isinstance(field, Input)
        assert field.value == "qhjcd"
        assert app.view.leave()
        assert app.focused is app.view.time
        await pilot.press("n")
        await drawn_answer(app, pilot)
        assert "checkpoint kept" in screen_text(app)
        assert app.view.leave()
        await pilot.pause()
        assert "bits: sure" in screen_text(app)
        assert "asked" not in screen_text(app)
        assert app.view.leave()
        assert app.view.trained.copied == recorded_text
        assert not app.view.leave()


async def test_where_no_checkpoint_was_kept_the_nearest_that_was_is_gone_to(run_path: Path) -> None:
    async with opened(read(run_path)) as (app, pilot):
        app.view.scrub_to(10)
        await until(app, pilot, lambda: app.view.asking.disk is not None)
        await pilot.press("p")
        await pilot.pause()
        assert "No checkpoint of step 10 was kept" in app.told
        assert app.view._places[app.view._at].step in (0, 20)
        assert app.scrubbed[-1] in (0, 20)


async def test_a_prompt_that_the_model_cannot_read_is_refused_in_words(run_path: Path) -> None:
    async with opened(read(run_path)) as (app, pilot):
        await pilot.press("p", "é", "enter")
        await until(app, pilot, lambda: all("failed" in title for title in titles(app)))
        assert "é (U+00E9, latin small letter e with acute)" in app.view.trained._content.plain


async def test_the_untrained_model_of_a_forks_parent_answers_beside_the_fork(run_path: Path) -> None:
    session = Session(Plan(RunConfig(), run_path.parent, run_name="child", fork="asked@20"))
    session.start()
    assert session.join(60)
    child = run_path.parent / "child"
    async with opened(read(child)) as (app, pilot):
        await until(app, pilot, lambda: titles(app)[0].startswith("untrained · step 0"))
        await pilot.press("p", *"BEN", "enter")
        await drawn_answer(app, pilot)
        assert app.view.untrained.copied == "BEN" + Speaker.from_run(Run.open(run_path), 0).speak("BEN")
        assert app.view.trained.copied == "BEN" + Speaker.from_run(Run.open(child), 40).speak("BEN")


async def test_without_checkpoints_asking_says_why_not() -> None:
    events = [e for e in recorded(100) if e.event != "checkpoint"]
    async with opened(Recording(path=Path("/nowhere")).add(events)) as (app, pilot):
        for key in "pn":
            app.clear_notifications()
            await pilot.press(key)
            assert "No checkpoint of this run was kept" in app.told
    async with opened(Recording().add(recorded(100))) as (app, pilot):
        await pilot.press("p")
        assert "no directory yet" in app.told


async def test_what_is_copied_is_both_texts_or_the_focused_one() -> None:
    async with opened(Recording().add(recorded(350))) as (app, pilot):
        what, text = app.view.copied()
        assert what == "both texts"
        assert "IyiwHhu" in text
        assert "ROMEO" in text
        app.view.trained.focus()
        await pilot.pause()
        assert app.view.copied() == ("trained", app.view.trained.copied)


async def test_the_room_is_split_and_stays_so_in_each_layout() -> None:
    async with opened(Recording().add(recorded(350))) as (app, pilot):
        assert app.view.split(1)
        await pilot.pause()
        assert app.view.untrained.size.width > app.view.trained.size.width
        await pilot.resize_terminal(80, 30)
        await pilot.pause()
        await pilot.pause()
        assert app.view.untrained.size.width == app.view.trained.size.width


def test_a_run_that_starts_anew_is_a_run_without_evaluations() -> None:
    events = recorded(50)
    assert isinstance(events[0], Started)
    history = History()
    history.extend([*events, events[0]])
    assert history.evals == []
