"""The Generate view lets real checkpoints, and a run at work, go on from a prompt, and tells what else was likely."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from recording import screen_text
from text_app import TextApp
from textual import events
from textual.app import App, ComposeResult
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Input, OptionList

import gpt_tui.tui
from gpt_tui.core.config import RunConfig, SamplingConfig
from gpt_tui.core.runs import Run
from gpt_tui.core.session import Pause, Plan, Session, SingleStep, Stop
from gpt_tui.core.speech import Alternative, Speech, Spoken
from gpt_tui.tui import book, keys, panes
from gpt_tui.tui.screen import MainScreen
from gpt_tui.tui.views.checkpoint_screen import CheckpointScreen
from gpt_tui.tui.views.generate import NOT_YET, GenerateView
from gpt_tui.tui.watched import Opened, Own, Watched
from gpt_tui.tui.widgets.alternatives_pane import probability
from gpt_tui.tui.widgets.question import Question
from gpt_tui.tui.widgets.token_text import Flow, TokenText
from gpt_tui.tui.wishes import EditText
from patience import PATIENCE, patiently

FOLDER = Path(gpt_tui.tui.__file__).parent
TEXT = "".join(f"{name}: the house is number {n}, and so on.\n" for n in range(150) for name in ("ANNA", "BEN"))
FIELDS: dict[str, Any] = {
    "n_layer": 1, "n_head": 2, "n_embd": 16, "block_size": 16, "batch_size": 4, "max_iters": 40, "eval_interval": 20,
    "eval_iters": 2, "checkpoint_interval": 20, "max_new_tokens": 40, "temperature": 0.7, "prompt": "BEN:",
    "threads": 1, "device": "cpu", "zero_init": False,
}  # fmt: skip


def session_of(folder: Path, run_name: str, **fields: Any) -> Session:
    path = folder / "text.txt"
    path.write_text(TEXT)
    config = RunConfig().replace(**{**FIELDS, "dataset": str(path), **fields})
    return Session(Plan(config, folder / "runs", run_name=run_name))


@pytest.fixture(scope="session")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shelf with two runs: `old`, and `new`, which has checkpoints of the steps 0, 20 and 40."""
    folder = tmp_path_factory.mktemp("generate")
    for name, seed in (("old", 1), ("new", 2)):
        session = session_of(folder, name, seed=seed)
        session.start()
        assert session.join(PATIENCE)
        record = folder / "runs" / name / "run.json"
        created = f"2026-11-20T10:00:0{seed}Z"
        record.write_text(record.read_text().replace(Run.open(record.parent).record().created, created))
    return folder / "runs"


class GenerateApp(App[None]):
    """The view alone, with the playground's style and screen."""

    CSS_PATH: ClassVar = [FOLDER / "app.tcss", FOLDER / "views" / "generate.tcss"]
    ENABLE_COMMAND_PALETTE = False

    def __init__(self, runs_dir: Path, watched: Watched | None = None) -> None:
        super().__init__()
        self.view = GenerateView(runs_dir=runs_dir, speech=Speech)
        self.watched = watched
        self.wishes: list[EditText] = []

    def get_default_screen(self) -> Screen[None]:
        return MainScreen()

    def compose(self) -> ComposeResult:
        yield self.view

    def on_mount(self) -> None:
        self.follow()
        self.view.call_later(self.view.arrive)
        self.set_interval(0.05, self.follow)

    def follow(self) -> None:
        if self.watched is not None:
            self.watched.poll()
        self.view.follow(self.watched)

    def on_edit_text(self, wish: EditText) -> None:
        self.wishes.append(wish)

    @property
    def told(self) -> str:
        return "\n".join(note.message for note in self._notifications)


@asynccontextmanager
async def opened(
    runs_dir: Path, watched: Watched | None = None, size: tuple[int, int] = (80, 24)
) -> AsyncIterator[tuple[GenerateApp, Pilot[None]]]:
    app = GenerateApp(runs_dir, watched)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        await until(pilot, lambda: app.view.sampler.values["temperature"] == 0.7 or not runs_dir.exists())
        yield app, pilot


async def until(pilot: Pilot[None], true: Callable[[], bool]) -> None:
    """Wait for something that another thread does. (A pause of the pilot's waits for all threads to rest.)"""
    for _ in patiently():
        if true():
            await pilot.pause()
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it never came true")


async def spoken(app: GenerateApp, pilot: Pilot[None], key: str = "space") -> str:
    """What the first voice wrote after a key that lets it speak."""
    before = app.view.first.drawn
    await pilot.press(key)
    await until(pilot, lambda: app.view.first.drawn is not before and not app.view.speaking and not app.view._ticking)
    return written(app.view.first.text)


def written(text: TokenText) -> str:
    return "".join(token.text for token in text._tokens if not token.given)


def by_hand(shelf: Path, run: str = "new", step: int | None = None, **sampling: Any) -> str:
    """What `gpt-tui sample` writes."""
    from gpt_tui.core.sampling import Speaker

    speaker = Speaker.from_run(Run.open(shelf / run), step)
    config = SamplingConfig(**{**dict(speaker.config.sampling), **sampling})
    return speaker.speak(config.prompt, config)


def watch(shelf: Path, run: str = "new") -> Opened:
    watched = Opened(Run.open(shelf / run))
    watched.read()
    return watched


def action(name: str) -> keys.Action:
    return next(action for action in keys.of("generate") if action.id == name)


# Speaking ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(60, 16), (80, 24), (99, 40), (100, 24), (120, 40), (200, 60)])
async def test_text_prompt_sampler_and_alternatives_are_seen_at_every_size(shelf: Path, size: tuple[int, int]) -> None:
    async with opened(shelf, watch(shelf), size) as (app, pilot):
        text = await spoken(app, pilot)
        screen = screen_text(app)
        lines = screen.split("\n")
        assert [len(line) for line in lines] == [size[0]] * size[1]
        assert f"BEN:{text.splitlines()[0]}"[:20] in screen
        for word in ("prompt  BEN:", "step 40", "val ", "at the cursor", "model", "sampler"):
            assert word in screen
        assert "▸" in screen
        app.view.sampler.focus()
        for name in app.view.sampler.values:
            await pilot.pause()
            assert name in screen_text(app)
            await pilot.press("j")
        if size[1] > 16:
            assert "40 tokens" in screen


async def test_the_run_that_is_watched_speaks_with_its_own_prompt_and_sampler(shelf: Path) -> None:
    async with opened(shelf, watch(shelf, "old")) as (app, pilot):
        assert app.view.prompt.prompt == "BEN:"
        assert await spoken(app, pilot) == by_hand(shelf, "old")
        assert app.view.subject() == ""
        assert app.view.first.text.copied.startswith("BEN:")


async def test_without_a_watched_run_the_newest_of_the_shelf_speaks(shelf: Path) -> None:
    async with opened(shelf) as (app, pilot):
        assert await spoken(app, pilot) == by_hand(shelf, "new")
        assert app.view.subject() == "new"
        assert "new" in str(app.view.first.text.border_title)


async def test_without_any_run_it_says_which_key_makes_one(tmp_path: Path) -> None:
    async with opened(tmp_path / "nothing") as (app, pilot):
        assert "2 chooses what to train" in screen_text(app)
        await pilot.press("space")
        assert "2 chooses what to train" in app.told


async def test_space_stops_and_escape_stops_before_it_leaves_anything(shelf: Path) -> None:
    async with opened(shelf, watch(shelf)) as (app, pilot):
        view = app.view
        view.sampler.set("max_new_tokens", 1_000_000)
        assert view.label(action("speak")) == "speak"
        for stop in (view.action_speak, view.leave):
            view.action_speak()
            await until(pilot, lambda: len(view.first.text._tokens) > 20)
            assert view.label(action("speak")) == "stop text"
            assert "tok/s" in str(view.first.text.border_subtitle)
            panes.maximise(view, view.first.text)
            stop()
            assert not view.speaking
            assert panes.maximised(view)
            assert "stopped" in str(view.first.text.border_subtitle)
        assert view.leave()
        assert not panes.maximised(view)
        assert not view.leave()


async def test_the_next_seed_writes_anew(shelf: Path) -> None:
    async with opened(shelf, watch(shelf)) as (app, pilot):
        first = await spoken(app, pilot)
        second = await spoken(app, pilot, "n")
        assert app.view.sampler.values["sample_seed"] == 1338
        assert second == by_hand(shelf, sample_seed=1338) != first


# The prompt -------------------------------------------------------------------------------------------------------


async def test_a_prompt_takes_every_letter_until_enter_and_then_is_answered(shelf: Path) -> None:
    async with opened(shelf, watch(shelf)) as (app, pilot):
        await pilot.press("p", *["backspace"] * 4, *"an so", "space", *"n")
        assert isinstance(app.focused, Input)
        assert app.view.prompt.prompt == "BEN:"
        text = await spoken(app, pilot, "enter")
        assert app.view.prompt.prompt == "an so n"
        assert text == by_hand(shelf, prompt="an so n")
        assert app.focused is app.view.first.text


async def test_escape_leaves_the_prompt_as_it_was(shelf: Path) -> None:
    async with opened(shelf, watch(shelf)) as (app, pilot):
        assert app.view.label(action("edit")) == "prompt"
        assert not app.view.useful(action("ask_prompt"))  # enter does that, before there is text
        await pilot.press("enter", *"xyz", "escape")
        assert app.view.prompt.prompt == "BEN:"
        assert app.focused is app.view.first.text
        assert not app.view.speaking
        await pilot.press("p")
        assert app.view.prompt._field.value == "BEN:"


async def test_up_and_down_recall_the_prompts_before_and_they_outlive_the_program(shelf: Path) -> None:
    async with opened(shelf, watch(shelf)) as (app, pilot):
        for prompt in ("the house", "ANNA:", "ANNA:"):
            await pilot.press("p", *["backspace"] * 9)
            for letter in prompt:
                await pilot.press("space" if letter == " " else letter)
            await spoken(app, pilot, "enter")
        until_file = Path(os.environ["GPT_TUI_STATE_DIR"]) / "prompts.json"
        await until(pilot, lambda: until_file.exists() and "ANNA" in until_file.read_text())
    async with opened(shelf, watch(shelf)) as (app, pilot):
        field = app.view.prompt._field
        await pilot.press("p", "x")
        seen = []
        for key in ("up", "up", "up", "down", "down", "down"):
            await pilot.press(key)
            seen.append(field.value)
        assert seen == ["ANNA:", "the house", "the house", "ANNA:", "x", "x"]
        await pilot.press("up", "up")
        assert await spoken(app, pilot, "enter") == by_hand(shelf, prompt="the house")
        assert app.view.prompt.prompt == "the house"
        await pilot.press("p", "up")
        assert field.value == "ANNA:"  # and not what stands there already


async def test_a_line_end_in_the_prompt_is_typed_pasted_and_shown_as_a_sign(shelf: Path) -> None:
    async with opened(shelf, watch(shelf)) as (app, pilot):
        app.view.prompt.show("ANNA:\nthe")
        await pilot.press("p")
        assert "ANNA:⏎the" in screen_text(app)
        assert await spoken(app, pilot, "enter") == by_hand(shelf, prompt="ANNA:\nthe")


async def test_all_lines_that_are_pasted_into_the_prompt_are_answered(shelf: Path) -> None:
    async with opened(shelf, watch(shelf)) as (app, pilot):
        await pilot.press("p", *["backspace"] * 4)
        assert "starts from a new line" in screen_text(app)
        assert app.focused is not None
        app.focused.post_message(events.Paste("ANNA: the\r\nhouse\n\nis"))
        await pilot.pause()
        assert "ANNA: the⏎house⏎⏎is" in screen_text(app)
        assert await spoken(app, pilot, "enter") == by_hand(shelf, prompt="ANNA: the\nhouse\n\nis")


async def test_the_text_that_had_the_focus_has_it_again_after_the_prompt(shelf: Path) -> None:
    async with opened(shelf, watch(shelf), (120, 40)) as (app, pilot):
        view = app.view
        await spoken(app, pilot)
        await pilot.press("v")
        await at_rest(app, pilot, lambda: view.second.drawn is not None)
        for voice in view.voices:
            for pane in (voice.text, voice.alternatives):
                for key in ("enter", "escape"):
                    pane.focus()
                    await pilot.press("p", key)
                    await at_rest(app, pilot)
                    assert app.focused is voice.text
                    await pilot.press("home", "right")
                    assert voice.text.cursor == 1


async def test_what_was_typed_into_recalled_prompts_stays_until_the_field_is_closed(shelf: Path) -> None:
    async with opened(shelf, watch(shelf)) as (app, pilot):
        for prompt in ("the house", "ANNA:"):
            app.view.prompt.enter(prompt)
        field = app.view.prompt._field
        await pilot.press("p", "x", "up", "up", *"es", "down", "up")
        assert field.value == "the housees"
        await pilot.press("down", "o", "down")
        assert field.value == "x"
        await pilot.press("up")
        assert field.value == "ANNA:o"
        assert await spoken(app, pilot, "enter") == by_hand(shelf, prompt="ANNA:o")
        await pilot.press("p", "up", "up")
        assert field.value == "the house", "what was remembered is as it was"


async def test_at_the_oldest_prompt_it_is_said_until_the_next_key(shelf: Path) -> None:
    async with opened(shelf, watch(shelf)) as (app, pilot):
        app.view.prompt.enter("the house")
        await pilot.press("p", "x", "up")
        assert "prompt  the house" in screen_text(app)
        await pilot.press("up")
        assert "oldest  the house" in screen_text(app)
        for key in ("y", "down", "escape"):
            await pilot.press(key)
            await pilot.pause()
            assert "oldest" not in screen_text(app)
            await pilot.press("up", "up")


async def test_the_editor_gets_the_prompt_and_what_comes_back_is_answered(shelf: Path) -> None:
    async with opened(shelf, watch(shelf)) as (app, pilot):
        await pilot.press("e")
        [wish] = app.wishes
        assert wish.text == "BEN:\n"
        wish.take("the house\nis\n")
        await until(pilot, lambda: bool(app.view.first.text._tokens) and not app.view._ticking)
        assert app.view.prompt.prompt == "the house\nis"
        assert app.view.first.text.copied.startswith("the house\nis")


async def test_a_character_that_the_model_never_saw_is_refused_by_name(shelf: Path) -> None:
    async with opened(shelf, watch(shelf)) as (app, pilot):
        await pilot.press("p", *"ü")
        await spoken(app, pilot, "enter")
        assert "the character ü" in screen_text(app)


# The sampler ------------------------------------------------------------------------------------------------------


async def test_the_sampler_is_changed_by_steps_and_by_typing_and_off_is_a_value(shelf: Path) -> None:
    async with opened(shelf, watch(shelf)) as (app, pilot):
        sampler = app.view.sampler
        sampler.focus()
        await pilot.press("right", "right")
        assert sampler.values["temperature"] == 0.9
        await pilot.press("j", "enter", *["backspace"] * 3, *"3", "enter")
        assert sampler.values["top_k"] == 3
        await pilot.press("j", "right")
        assert sampler.values["top_p"] == 0.9
        await pilot.press("enter", *["backspace"] * 4, *"off", "enter")
        assert sampler.values["top_p"] == "off"
        assert app.focused is sampler
        assert await spoken(app, pilot) == by_hand(shelf, temperature=0.9, top_k=3)
        assert all(token.rank <= 3 for token in app.view.first.text._tokens if not token.given)
        assert sampler.copied == (
            "--temperature 0.9 --top-k 3 --top-p off --min-p off --sample-seed 1337 --num-samples 1 "
            "--max-new-tokens 40 --window-rule half"
        )


async def test_a_refused_value_says_why_at_its_row(shelf: Path) -> None:
    async with opened(shelf, watch(shelf), (120, 40)) as (app, pilot):
        sampler = app.view.sampler
        sampler.focus()
        await pilot.press("j", "j", "enter", *["backspace"] * 3, *"2", "enter")
        await pilot.pause()
        row = app.view.sampler._rows["top_p"]
        assert "at most 1" in row.refused
        shown = screen_text(app).split("\n")[row.region.y : row.region.bottom]
        assert "✕" in "".join(shown)
        assert sampler.values["top_p"] == "off"
        await pilot.press("escape")
        await pilot.pause()
        assert "✕" not in screen_text(app)
        assert app.focused is sampler


@pytest.mark.parametrize("size", [(60, 16), (80, 24), (120, 40)])
async def test_the_setting_at_the_cursor_is_explained(shelf: Path, size: tuple[int, int]) -> None:
    async with opened(shelf, watch(shelf), size) as (app, pilot):
        app.view.sampler.focus()
        await pilot.press("j", "j")
        await pilot.pause()
        assert "nucleus" in screen_text(app)
        app.view.first.text.focus()
        await until(pilot, lambda: "at the cursor" in screen_text(app))


async def test_what_a_person_chose_outlives_a_change_of_run_and_what_nobody_chose_does_not(shelf: Path) -> None:
    async with opened(shelf, watch(shelf)) as (app, pilot):
        app.view.sampler.take(SamplingConfig())
        app.watched = watch(shelf, "old")
        app.follow()
        assert app.view.sampler.values["max_new_tokens"] == 40
        app.view.sampler.set("max_new_tokens", 7)
        await pilot.pause()
        app.watched = watch(shelf, "new")
        app.follow()
        assert app.view.sampler.values["max_new_tokens"] == 7


# The cursor -------------------------------------------------------------------------------------------------------


async def test_the_cursor_tells_what_else_was_likely_before_and_after_the_sampler(shelf: Path) -> None:
    async with opened(shelf, watch(shelf), (120, 40)) as (app, pilot):
        view = app.view
        view.sampler.set("top_k", 2)
        await spoken(app, pilot)
        text = view.first.text
        assert text.cursor == len(text._tokens) - 1
        await pilot.press("home", "right", "right", "right", "right", "right")
        assert text.cursor == 5
        token = text._tokens[5]
        shown = view.first.alternatives.copied
        for other in token.alternatives[:2]:
            assert probability(other.before) in shown
            assert probability(other.after) in shown
        assert shown.count("out") >= len(token.alternatives) - 2
        assert "▸" in shown
        await pilot.press("home")
        assert "Nothing stands before this token" in " ".join(view.first.alternatives.copied.split())


async def test_the_cursor_follows_the_newest_token_until_it_is_moved(shelf: Path) -> None:
    async with opened(shelf, watch(shelf)) as (app, pilot):
        view, text = app.view, app.view.first.text
        view.sampler.set("max_new_tokens", 1_000_000)
        view.action_speak()
        await until(pilot, lambda: len(text._tokens) > 800)
        assert text.cursor == len(text._tokens) - 1
        assert text.scroll_offset.y == text.max_scroll_y > 0
        text.action_move_line(-1)
        text.action_move_token(-1)
        stayed, so_far = text.cursor, len(text._tokens)
        await until(pilot, lambda: len(text._tokens) > so_far + 200)
        assert text.cursor == stayed
        text.action_move_edge(1)
        await until(pilot, lambda: text.cursor == len(text._tokens) - 1)
        view.action_speak()


async def test_a_press_of_the_mouse_puts_the_cursor_on_a_token(shelf: Path) -> None:
    async with opened(shelf, watch(shelf)) as (app, pilot):
        await spoken(app, pilot)
        await pilot.click(app.view.first.text, offset=(4, 1))
        assert app.view.first.text.cursor == 2
        assert app.view.first.text._tokens[2].text == "N"


async def test_what_each_filter_leaves_stands_beside_what_the_model_believes(shelf: Path) -> None:
    async with opened(shelf, watch(shelf), (120, 40)) as (app, pilot):
        view = app.view
        for name, value in (("top_k", 9), ("top_p", 0.9), ("min_p", 0.02)):
            view.sampler.set(name, value)
        await spoken(app, pilot)
        head, *rows = view.first.alternatives.copied.splitlines()
        assert head.split() == ["model", "temp.", "top_k", "top_p", "min_p"]
        token = view.first.text.token
        assert token is not None
        for other, row in zip(token.alternatives, rows, strict=False):
            assert row.split()[-1] == ("out" if other.after == 0 else probability(other.after))
            for chance in other.chances[:-1]:
                assert ("out" if chance == 0 else probability(chance)) in row
        await pilot.resize_terminal(200, 60)
        await pilot.pause()
        assert "temperature" in view.first.alternatives.copied.splitlines()[0]


@pytest.mark.parametrize(
    ("width", "filters", "head"),
    [
        (80, ("temperature", "top_k", "top_p", "min_p"), ["model", "temperature", "top_k", "top_p", "min_p"]),
        (46, ("temperature", "top_k", "top_p", "min_p"), ["model", "temp.", "top_k", "top_p", "min_p"]),
        (34, ("temperature", "top_k", "top_p", "min_p"), ["model", "sampler"]),
        (34, ("temperature",), ["model", "temperature"]),
        (34, (), ["model", "sampler"]),
    ],
)
async def test_filters_that_have_no_room_stand_in_one_column(
    width: int, filters: tuple[str, ...], head: list[str]
) -> None:
    app = TextApp()
    chances = tuple(0.5 + 0.1 * number for number in range(len(filters) + 1))
    others = (Alternative(1, "a", "a", chances), Alternative(2, "b", "b", (0.5,) + (0.0,) * len(filters)))
    async with app.run_test(size=(width, 20)) as pilot:
        app.alternatives.show(Spoken(1, "a", False, -0.7, 1, filters, chances, others, "a"))
        await pilot.pause()
        first, *rows = [line.rstrip() for line in app.alternatives.copied.splitlines()[:3]]
        assert first.split() == head
        assert rows[0].endswith(probability(chances[-1]))
        assert rows[1].endswith("out" if filters else "0.500")
        assert all(len(row) <= width for row in (first, *rows))


# Branches ---------------------------------------------------------------------------------------------------------


async def branched(app: GenerateApp, pilot: Pilot[None], *keys: str) -> str:
    """What the first voice has on the new page, once these keys have led to one."""
    newest = app.view.book.newest
    await pilot.press(*keys)
    await at_rest(app, pilot, lambda: app.view.book.newest == newest + 1)
    return app.view.first.text.copied


async def at_rest(app: GenerateApp, pilot: Pilot[None], true: Callable[[], bool] = lambda: True) -> None:
    """Once nothing is being written, and all that was is drawn."""
    await until(pilot, lambda: true() and not app.view.speaking and not app.view._ticking)
    await pilot.pause()


async def test_enter_on_an_alternative_goes_on_from_there_and_the_text_before_is_kept(shelf: Path) -> None:
    async with opened(shelf, watch(shelf)) as (app, pilot):
        view, text = app.view, app.view.first.text
        trunk = "BEN:" + await spoken(app, pilot)
        assert view.label(action("edit")) == "what else"
        await pilot.press("home", *["right"] * 9, "enter")
        assert app.focused is view.first.alternatives
        stood = text._tokens[9]
        chosen = next(other for other in stood.alternatives if other.id != stood.id)
        way = stood.alternatives.index(chosen) - [other.id for other in stood.alternatives].index(stood.id)
        branch = await branched(app, pilot, *(["j"] * way if way > 0 else ["k"] * -way), "enter")
        start = trunk[:9] + chosen.text
        assert branch == start + by_hand(shelf, prompt=start)
        assert app.focused is text
        assert "text 2 of 2, from 1" in screen_text(app)
        assert marked(text) == {(9, "bold underline $accent")}
        await pilot.press("b")
        assert text.copied == trunk
        assert text.cursor == 9
        assert "text 1 of 2" in screen_text(app)
        await pilot.press("right")
        assert marked(text) == {(9, "underline")}
        await pilot.press("f")
        assert text.copied == branch
        assert text.cursor == len(text._tokens) - 1
        await pilot.press("f")
        assert "newest text" in app.told


def marked(text: TokenText) -> set[tuple[int, str]]:
    """The tokens that are underlined, and how, but for the one with the cursor."""
    found = set()
    for line, (start, _) in enumerate(text._flow.lines):
        at = start
        for part, style in text._parts(line):
            if "underline" in style:
                found |= {(text._flow.glyphs[at + place].first, style) for place in range(len(part))}
            at += len(part)
    return found


async def test_back_leads_from_each_branch_to_the_text_that_it_comes_from(shelf: Path) -> None:
    async with opened(shelf, watch(shelf)) as (app, pilot):
        trunk = "BEN:" + await spoken(app, pilot)
        await branched(app, pilot, "home", *["right"] * 6, "enter", "G", "enter")
        await pilot.press("b")
        two = await branched(app, pilot, "home", *["right"] * 20, "enter", "G", "enter")
        assert "text 3 of 3, from 1" in screen_text(app)
        assert two[:20] == trunk[:20]
        three = await branched(app, pilot, "home", *["right"] * 30, "enter", "G", "enter")
        assert three[:30] == two[:30]
        assert "text 4 of 4, from 3" in screen_text(app)
        texts = []
        for key in ("b", "b", "f", "f"):
            assert app.view.useful(action("turn_page(-1)" if key == "b" else "turn_page(1)"))
            await pilot.press(key)
            texts.append(app.view.first.text.copied)
        assert texts == [two, trunk, two, three], "f takes back what b did"
        assert not app.view.useful(action("turn_page(1)"))
        await pilot.press("f")
        assert "newest text" in app.told
        await pilot.press("b", "b", "b")
        assert "no text before" in app.told


async def test_forward_leads_to_the_branch_at_the_cursor_and_else_to_the_text_after(shelf: Path) -> None:
    async with opened(shelf, watch(shelf)) as (app, pilot):
        trunk = "BEN:" + await spoken(app, pilot)
        one = await branched(app, pilot, "home", *["right"] * 6, "enter", "G", "enter")
        await pilot.press("b")
        two = await branched(app, pilot, "home", *["right"] * 20, "enter", "G", "enter")
        await pilot.press("b", "left", "right", "f")
        assert app.view.first.text.copied == two, "which begins where the cursor stands"
        await pilot.press("b", "home", *["right"] * 6, "f")
        assert app.view.first.text.copied == one
        await pilot.press("b", "end", "f", "f")
        assert app.view.first.text.copied == two, "one after the other"
        await pilot.press("b")
        assert app.view.first.text.copied == trunk


async def test_a_branch_counts_the_tokens_that_it_wrote(shelf: Path) -> None:
    async with opened(shelf, watch(shelf), (120, 40)) as (app, pilot):
        view = app.view
        view.sampler.set("samples", 2)
        await spoken(app, pilot)
        assert "80 tokens" in str(view.first.text.border_subtitle)
        await pilot.press("v")
        await at_rest(app, pilot, lambda: view.second.drawn is not None)
        await branched(app, pilot, "home", *["right"] * 30, "enter", "G", "enter")
        for voice in view.voices:
            assert "80 tokens" in str(voice.text.border_subtitle)
        await pilot.press("m")
        await at_rest(app, pilot, lambda: len(view.first.text._tokens) == 31 + 80)
        for voice in view.voices:
            assert "160 tokens" in str(voice.text.border_subtitle)


async def test_of_a_branch_whose_text_was_let_go_it_is_said_and_the_rest_goes_on(
    shelf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(shelf, watch(shelf)) as (app, pilot):
        await spoken(app, pilot)
        branch = await branched(app, pilot, "home", *["right"] * 9, "enter", "G", "enter")
        monkeypatch.setattr(book, "PAGES_KEPT", 1)
        await spoken(app, pilot, "n")
        await pilot.press("b")
        assert app.view.first.text.copied == branch
        assert "text 2 of 3, from 1, let go" in screen_text(app)
        await pilot.press("b")
        assert "was let go" in app.told
        await pilot.press("m")
        await at_rest(app, pilot, lambda: len(app.view.first.text._tokens) == 10 + 80)


async def test_a_token_of_the_prompt_may_be_another_too(shelf: Path) -> None:
    async with opened(shelf, watch(shelf)) as (app, pilot):
        await spoken(app, pilot)
        await pilot.press("home", "right", "enter", "g")
        chosen = app.view.first.text._tokens[1].alternatives[0].text
        assert await branched(app, pilot, "enter") == "B" + chosen + by_hand(shelf, prompt="B" + chosen)


async def test_the_cursor_of_the_alternatives_walks_over_them_and_over_the_text(shelf: Path) -> None:
    async with opened(shelf, watch(shelf)) as (app, pilot):
        view, text = app.view, app.view.first.text
        await spoken(app, pilot)
        await pilot.press("home", *["right"] * 9, "enter", "left", "left")
        assert text.cursor == 7
        assert app.focused is view.first.alternatives
        assert view.leave()
        assert app.focused is text
        assert text.cursor == 7
        await pilot.press("enter", "G")
        rows = view.first.alternatives._rows
        assert len(rows) >= 8
        assert rows[-1].shown.replace(" ", "␣") in screen_text(app)  # though there is room for fewer
        chosen = rows[-1].text
        await pilot.press("k", "j", "j")
        assert (await branched(app, pilot, "enter"))[7] == chosen


async def test_the_mouse_chooses_an_alternative_by_two_presses(shelf: Path) -> None:
    async with opened(shelf, watch(shelf)) as (app, pilot):
        trunk = "BEN:" + await spoken(app, pilot)
        pane = app.view.first.alternatives
        await pilot.press("home", *["right"] * 9)
        chosen = pane._rows[2].text
        await pilot.click(pane, offset=(6, 4))
        assert app.view.book.newest == 1
        await pilot.click(pane, offset=(6, 4), times=2)
        await at_rest(app, pilot, lambda: app.view.book.newest == 2)
        assert app.view.first.text.copied[:10] == trunk[:9] + chosen


async def test_what_is_written_meanwhile_does_not_move_what_one_chooses_from(shelf: Path) -> None:
    async with opened(shelf, watch(shelf)) as (app, pilot):
        view, text = app.view, app.view.first.text
        view.sampler.set("max_new_tokens", 1_000_000)
        view.action_speak()
        await until(pilot, lambda: len(text._tokens) > 100)
        view.action_edit()
        stayed, so_far = text.cursor, len(text._tokens)
        await until(pilot, lambda: len(text._tokens) > so_far + 50)
        assert text.cursor == stayed
        assert app.focused is view.first.alternatives
        assert view.leave()
        assert view.speaking
        assert app.focused is text
        assert view.leave()
        assert not view.speaking


async def test_a_branch_from_the_newest_token_is_found_again_though_more_was_written_meanwhile(shelf: Path) -> None:
    async with opened(shelf, watch(shelf)) as (app, pilot):
        view, text = app.view, app.view.first.text
        view.sampler.set("max_new_tokens", 1_000_000)
        view.action_speak()
        await until(pilot, lambda: len(text._tokens) > 50)
        view.sampler.set("max_new_tokens", 10)
        pane = view.first.alternatives
        pane.action_choose()  # as two presses of the mouse do
        stood, chosen = pane._token, pane._rows[pane._at]
        at = next(at for at, token in enumerate(text._tokens) if token is stood)
        view._draw()  # by when it comes to that, more stands there
        await at_rest(app, pilot, lambda: view.book.newest == 2)
        assert view.first.drawn.state == "finished", view.first.drawn.error
        assert text._tokens[at].id == chosen.id
        assert text._tokens[at].chosen
        await pilot.press("b")
        assert "text 1 of 2" in screen_text(app)
        assert text.cursor == at
        assert text._tokens[at] is stood


# Several samples --------------------------------------------------------------------------------------------------


async def test_several_samples_go_on_from_one_prompt_and_are_seen_one_at_a_time(shelf: Path) -> None:
    async with opened(shelf, watch(shelf)) as (app, pilot):
        view, text = app.view, app.view.first.text
        view.sampler.focus()
        await pilot.press(*["j"] * 5, "right", "right")
        assert view.sampler.current == "samples"
        await spoken(app, pilot)
        assert "120 tokens" in screen_text(app)
        seen = []
        for key, number in (("J", 2), ("J", 3), ("J", 1), ("K", 3), ("K", 2)):
            await pilot.press(key)
            assert f"sample {number} of 3, seed {1336 + number}" in screen_text(app)
            assert written(text) == by_hand(shelf, sample_seed=1336 + number)
            seen.append(written(text))
        assert len(set(seen)) == 3


async def test_the_cursor_stays_at_its_place_from_sample_to_sample(shelf: Path) -> None:
    async with opened(shelf, watch(shelf)) as (app, pilot):
        app.view.sampler.set("samples", 2)
        await spoken(app, pilot)
        await pilot.press("home", *["right"] * 15, "J")
        assert app.view.first.text.cursor == 15
        await pilot.press("end", "J")
        assert app.view.first.text.at is None


async def test_all_samples_are_written_while_one_is_seen(shelf: Path) -> None:
    async with opened(shelf, watch(shelf)) as (app, pilot):
        view, text = app.view, app.view.first.text
        view.sampler.set("samples", 2)
        view.sampler.set("max_new_tokens", 1_000_000)
        view.action_speak()
        await until(pilot, lambda: len(text._tokens) > 20)
        view.action_turn_sample(1)
        so_far = len(text._tokens)
        await until(pilot, lambda: len(text._tokens) > so_far + 20)
        view.action_speak()
        one, two = view.first.drawn.samples
        assert len(one) == len(two)
        assert text._tokens[-1] is two[len(text._tokens) - 1]


async def test_with_one_sample_the_keys_say_how_to_have_more(shelf: Path) -> None:
    async with opened(shelf, watch(shelf)) as (app, pilot):
        await spoken(app, pilot)
        assert "seed 1337" not in screen_text(app)
        assert not app.view.useful(action("turn_sample(1)"))
        await pilot.press("J")
        assert "the sampler's row samples" in app.told


async def test_the_next_seeds_are_those_that_no_sample_had(shelf: Path) -> None:
    async with opened(shelf, watch(shelf)) as (app, pilot):
        app.view.sampler.set("samples", 3)
        await spoken(app, pilot)
        assert await spoken(app, pilot, "n") == by_hand(shelf, sample_seed=1340)
        assert "sample 1 of 3, seed 1340" in screen_text(app)


async def test_more_samples_than_there_may_be_are_refused_at_the_row(shelf: Path) -> None:
    async with opened(shelf, watch(shelf)) as (app, pilot):
        sampler = app.view.sampler
        sampler.focus()
        await pilot.press(*["j"] * 5, "left", "enter", "backspace", *"17", "enter")
        await pilot.pause()
        assert sampler._rows["samples"].refused == "must be a whole number from 1 to 16"
        assert "✕ must be a whole number" in screen_text(app)
        await pilot.press("backspace", "6", "enter")
        assert (sampler.samples, sampler.sampling) == (16, SamplingConfig(**sampling_of(sampler.values)))
        await pilot.press("right")
        assert sampler.samples == 16


def sampling_of(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name != "samples"}


async def test_the_window_rule_is_the_samplers_too(shelf: Path) -> None:
    async with opened(shelf, watch(shelf)) as (app, pilot):
        half = await spoken(app, pilot)
        app.view.sampler.focus()
        await pilot.press("G", "right")
        assert app.view.sampler.values["window_rule"] == "full"
        assert await spoken(app, pilot) == by_hand(shelf, window_rule="full") != half


# Going on ---------------------------------------------------------------------------------------------------------


async def test_a_text_that_ended_goes_on_by_as_much_again(shelf: Path) -> None:
    async with opened(shelf, watch(shelf)) as (app, pilot):
        view, text = app.view, app.view.first.text
        assert not view.useful(action("go_on"))
        await spoken(app, pilot, "m")  # with nothing to go on with, it begins
        assert view.useful(action("go_on"))
        for tokens in (80, 120):
            await pilot.press("m")
            await at_rest(app, pilot, lambda tokens=tokens: len(text._tokens) == 4 + tokens)
            assert written(text) == by_hand(shelf, max_new_tokens=tokens)
        assert view.book.newest == 1


async def test_what_was_stopped_goes_on_as_if_it_never_had_been(shelf: Path) -> None:
    async with opened(shelf, watch(shelf)) as (app, pilot):
        view, text = app.view, app.view.first.text
        view.sampler.set("max_new_tokens", 1_000_000)
        view.action_speak()
        await until(pilot, lambda: len(text._tokens) > 60)
        await pilot.press("m")
        assert "still writing" in app.told
        await pilot.press("space")
        stopped = len(text._tokens)
        view.sampler.set("max_new_tokens", 50)
        await pilot.press("m")
        await at_rest(app, pilot, lambda: len(text._tokens) == stopped + 50)
        assert written(text) == by_hand(shelf, max_new_tokens=stopped + 50 - 4)


async def test_other_settings_make_what_follows_a_new_draw(shelf: Path) -> None:
    async with opened(shelf, watch(shelf)) as (app, pilot):
        text = app.view.first.text
        first = "BEN:" + await spoken(app, pilot)
        app.view.sampler.set("temperature", 2.0)
        await pilot.press("m")
        await at_rest(app, pilot, lambda: len(text._tokens) == 84)
        assert text.copied == first + by_hand(shelf, prompt=first, temperature=2.0)


async def test_a_text_of_before_is_gone_back_to_and_goes_on(shelf: Path) -> None:
    async with opened(shelf, watch(shelf)) as (app, pilot):
        text = app.view.first.text
        await spoken(app, pilot)
        await spoken(app, pilot, "n")
        app.view.sampler.set("sample_seed", 1337)
        await pilot.press("b", "m")
        await at_rest(app, pilot, lambda: len(text._tokens) == 84)
        assert written(text) == by_hand(shelf, max_new_tokens=80)
        await pilot.press("f")
        assert written(text) == by_hand(shelf, sample_seed=1338)


async def test_a_text_that_another_took_the_place_of_counts_as_stopped(shelf: Path) -> None:
    async with opened(shelf, watch(shelf)) as (app, pilot):
        view, text = app.view, app.view.first.text
        view.sampler.set("max_new_tokens", 1_000_000)
        view.action_speak()
        await until(pilot, lambda: len(text._tokens) > 30)
        view.sampler.set("max_new_tokens", 20)
        view._take_prompt("ANNA:")
        await at_rest(app, pilot)
        await pilot.press("b")
        assert "stopped" in screen_text(app)
        assert len(text._tokens) > 30


# Files ------------------------------------------------------------------------------------------------------------


async def write_to(app: GenerateApp, pilot: Pilot[None], name: str) -> None:
    await pilot.press("S")
    assert isinstance(app.focused, Input)
    app.focused.value = name
    await pilot.press("enter")


async def test_a_text_is_written_to_a_file_where_the_program_was_started(
    shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with opened(shelf, watch(shelf)) as (app, pilot):
        text = await spoken(app, pilot)
        await pilot.press("S")
        assert "new-step-40.txt" in screen_text(app)
        await pilot.press("enter")
        await until(pilot, lambda: str(tmp_path / "new-step-40.txt") in app.told)
        assert (tmp_path / "new-step-40.txt").read_text(encoding="utf-8") == f"BEN:{text}"
        assert app.focused is app.view.first.text


async def test_the_home_is_known_and_a_file_is_written_over_after_one_question(
    shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    kept = tmp_path / "kept.txt"
    kept.write_text("a poem")
    async with opened(shelf, watch(shelf)) as (app, pilot):
        text = await spoken(app, pilot)
        await write_to(app, pilot, "~/kept.txt")
        await until(pilot, lambda: isinstance(app.screen, Question))
        assert "write over it?" in screen_text(app)
        await pilot.press("n")
        await until(pilot, lambda: "Nothing is written: what is there stays" in screen_text(app))
        assert kept.read_text() == "a poem"
        assert isinstance(app.focused, Input)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, Question))
        await pilot.press("y")
        await until(pilot, lambda: "written:" in app.told)
        assert app.told.endswith(f"to {Path('~/kept.txt')}")
        assert kept.read_text(encoding="utf-8") == f"BEN:{text}"
        assert list(tmp_path.iterdir()) == [kept]


@pytest.mark.parametrize(
    ("name", "why"),
    [
        (".", "is a directory: name a file in it"),
        ("nowhere/a.txt", "There is no directory"),
        ("a\0b", "cannot be written"),
        ("x" * 300, "cannot be written"),
    ],
)
async def test_what_cannot_be_written_says_why(
    shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, why: str
) -> None:
    monkeypatch.chdir(tmp_path)
    async with opened(shelf, watch(shelf)) as (app, pilot):
        text = await spoken(app, pilot)
        app.view.notify("of before", severity="error")
        await write_to(app, pilot, name)
        await until(pilot, lambda: why in " ".join(screen_text(app).split()))
        assert list(tmp_path.iterdir()) == []
        assert not app.told, "it would lie over the field"
        assert isinstance(app.focused, Input)
        assert app.focused.value == name, "it can be corrected"
        await pilot.press("x")
        await pilot.pause()
        assert why not in " ".join(screen_text(app).split())
        app.focused.value = "right.txt"
        await pilot.press("enter")
        await until(pilot, lambda: "written:" in app.told)
        assert (tmp_path / "right.txt").read_text(encoding="utf-8") == f"BEN:{text}"
        assert app.focused is app.view.first.text


async def test_all_samples_of_both_voices_are_written_each_below_what_it_is(shelf: Path, tmp_path: Path) -> None:
    async with opened(shelf, watch(shelf)) as (app, pilot):
        app.view.sampler.set("samples", 2)
        await spoken(app, pilot)
        await pilot.press("v")
        await at_rest(app, pilot, lambda: app.view.second.drawn is not None)
        await write_to(app, pilot, str(tmp_path / "all.txt"))
        await until(pilot, lambda: "written:" in app.told)
        told = (tmp_path / "all.txt").read_text(encoding="utf-8")
        for step, called in ((40, "step 40"), (0, "untrained, step 0")):
            for number in (1, 2):
                assert f"=== sample {number} of 2, seed {1336 + number} · {called}" in told
                assert f"\n\nBEN:{by_hand(shelf, step=step, sample_seed=1336 + number)}\n" in told


async def test_without_a_text_there_is_nothing_to_write_and_escape_leaves_the_field(shelf: Path) -> None:
    async with opened(shelf, watch(shelf)) as (app, pilot):
        await pilot.press("S")
        assert "Nothing is written yet" in app.told
        await spoken(app, pilot)
        for pane in (app.view.first.text, app.view.sampler):
            pane.focus()
            await write_to(app, pilot, " ")
            await pilot.pause()
            assert "A file needs a name" in screen_text(app)
            assert isinstance(app.focused, Input)
            assert app.view.leave()  # which the app's esc calls
            assert app.focused is pane
            await pilot.pause()
            assert "A file needs a name" not in screen_text(app)


# Two voices -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(60, 16), (80, 24), (100, 30), (120, 40), (200, 60)])
async def test_the_untrained_model_answers_the_same_prompt_and_seed_beside_the_trained(
    shelf: Path, size: tuple[int, int]
) -> None:
    async with opened(shelf, watch(shelf), size) as (app, pilot):
        view = app.view
        trained = await spoken(app, pilot)
        await pilot.press("v")
        await until(pilot, lambda: view.second.drawn is not None and not view.speaking and not view._ticking)
        assert written(view.second.text) == by_hand(shelf, step=0) != trained == written(view.first.text)
        one, two = view.first.text.region, view.second.text.region
        assert (one.y == two.y) == (size[0] >= 100)
        assert one.height > 1
        assert two.height > 1
        assert "untrained, step 0" in screen_text(app)
        await pilot.press("h", "h", "h")
        assert view.first.text.cursor == view.second.text.cursor
        await pilot.press("v")
        await pilot.pause()
        assert "untrained" not in screen_text(app)


async def test_two_voices_go_on_branch_and_are_gone_back_to_together(shelf: Path) -> None:
    async with opened(shelf, watch(shelf), (120, 40)) as (app, pilot):
        view = app.view
        view.sampler.set("samples", 2)
        await spoken(app, pilot)
        await pilot.press("v")
        await at_rest(app, pilot, lambda: view.second.drawn is not None)
        await pilot.press("m")
        await at_rest(app, pilot, lambda: len(view.second.text._tokens) == len(view.first.text._tokens) == 84)
        for voice, step in ((view.first, 40), (view.second, 0)):
            assert written(voice.text) == by_hand(shelf, step=step, max_new_tokens=80)
        await pilot.press("J")
        for voice, step in ((view.first, 40), (view.second, 0)):
            assert written(voice.text) == by_hand(shelf, step=step, max_new_tokens=80, sample_seed=1338)
        view.second.text.focus()
        untrained = view.second.text.copied
        await pilot.press("home", *["right"] * 12, "enter")
        assert app.focused is view.second.alternatives
        chosen = view.second.text._tokens[12].alternatives[0].text
        start = untrained[:12] + chosen
        assert await branched(app, pilot, "g", "enter") == start + by_hand(shelf, prompt=start)
        assert view.second.text.copied == start + by_hand(shelf, step=0, prompt=start)
        assert all(token.given for token in view.first.text._tokens[:13])
        assert app.focused is view.second.text
        await pilot.press("b")
        assert view.second.text.copied == untrained
        assert view.first.text.cursor == view.second.text.cursor == 12


async def test_a_branch_is_written_by_the_voice_that_still_has_a_model(
    shelf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run in sight was left for one that is only being made ready: the text stands, and its model is held."""
    async with opened(shelf, watch(shelf), (120, 40)) as (app, pilot):
        view = app.view
        await spoken(app, pilot)
        await pilot.press("v")
        await at_rest(app, pilot, lambda: view.second.drawn is not None)
        monkeypatch.setattr(view.cast, "path_of", lambda voice: None)
        view.first.text.focus()
        start = view.first.text.copied[:12] + view.first.text._tokens[12].alternatives[0].text
        await pilot.press("home", *["right"] * 12, "enter")
        assert await branched(app, pilot, "g", "enter") == start + by_hand(shelf, prompt=start)
        assert any(notice.message == NOT_YET for notice in app._notifications)


async def test_with_room_for_one_pane_of_alternatives_it_branches_from_the_text_that_had_the_focus(shelf: Path) -> None:
    async with opened(shelf, watch(shelf)) as (app, pilot):
        view = app.view
        await spoken(app, pilot)
        await pilot.press("v")
        await at_rest(app, pilot, lambda: view.second.drawn is not None)
        view.second.text.focus()
        await pilot.press("home", *["right"] * 12, "enter")
        assert app.focused is view.first.alternatives
        start = view.second.text.copied[:12] + view.second.text._tokens[12].alternatives[0].text
        await branched(app, pilot, "g", "enter")
        assert view.second.text.copied == start + by_hand(shelf, step=0, prompt=start)
        assert view.first.text.copied == start + by_hand(shelf, prompt=start)


async def test_a_text_that_was_written_without_the_second_voice_says_so(shelf: Path) -> None:
    async with opened(shelf, watch(shelf)) as (app, pilot):
        await spoken(app, pilot)
        await spoken(app, pilot, "n")
        await pilot.press("v")
        await at_rest(app, pilot, lambda: app.view.second.drawn is not None)
        await pilot.press("b")
        assert "This voice was not asked to go on from this" in screen_text(app)
        await pilot.press("f")
        assert written(app.view.second.text) == by_hand(shelf, step=0, sample_seed=1338)


async def test_a_text_that_is_gone_to_shows_the_newest_tokens_of_both_voices(shelf: Path) -> None:
    async with opened(shelf, watch(shelf)) as (app, pilot):
        app.view.sampler.set("max_new_tokens", 600)
        await spoken(app, pilot)
        await spoken(app, pilot, "n")
        await pilot.press("v")
        await at_rest(app, pilot, lambda: app.view.second.drawn is not None)
        await pilot.press("b", "f")
        await pilot.pause()
        for voice in app.view.voices:
            assert voice.text.scroll_offset.y == voice.text.max_scroll_y > 0


@pytest.fixture(scope="module")
def forks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shelf with `old`, `child`, which went on from its step 20, and `orphan`, whose parent is gone."""
    folder = tmp_path_factory.mktemp("forks")
    for name in ("old", "gone"):
        session = session_of(folder, name, seed=len(name))
        session.start()
        assert session.join(60)
    for name, parent in (("child", "old"), ("orphan", "gone")):
        session = Session(Plan(RunConfig(), folder / "runs", run_name=name, fork=f"{parent}@20"))
        session.start()
        assert session.join(60)
    (folder / "runs" / "gone").rename(folder / "elsewhere")
    return folder / "runs"


@pytest.mark.parametrize(
    ("run", "beginning", "called"),
    [("child", ("old", 0), "untrained, step 0"), ("orphan", ("orphan", 20), "first, step 20")],
)
async def test_beside_a_fork_answers_its_parents_untrained_model_or_its_own_first(
    forks: Path, run: str, beginning: tuple[str, int], called: str
) -> None:
    async with opened(forks, watch(forks, run), (120, 40)) as (app, pilot):
        view = app.view
        await pilot.press("v")
        await until(pilot, lambda: called in str(view.second.text.border_title))
        assert ("old" in str(view.second.text.border_title)) == (run == "child")
        await pilot.press("space")
        await until(pilot, lambda: view.second.drawn is not None and not view.speaking and not view._ticking)
        assert written(view.second.text) == by_hand(forks, *beginning)
        assert called in str(view.second.text.border_title)
        assert not app.told


async def test_a_run_that_kept_no_checkpoint_says_so_to_the_second_voice(forks: Path) -> None:
    async with opened(forks, watch(forks, "orphan"), (120, 40)) as (app, pilot):
        checkpoints = forks / "orphan" / "checkpoints"
        checkpoints.rename(forks / "orphan" / "away")
        try:
            await pilot.press("v")
            await until(pilot, lambda: "no checkpoint yet that a second voice" in app.told)
        finally:
            (forks / "orphan" / "away").rename(checkpoints)


async def test_where_one_alternatives_pane_has_room_it_tells_of_the_text_with_the_focus(shelf: Path) -> None:
    async with opened(shelf, watch(shelf)) as (app, pilot):
        view = app.view
        await spoken(app, pilot)
        await pilot.press("v")
        await until(pilot, lambda: view.second.drawn is not None and not view.speaking and not view._ticking)
        trained = view.first.alternatives.copied
        view.second.text.focus()
        await pilot.pause()
        await pilot.pause()
        assert view.first.alternatives.copied != trained


# Whose model ------------------------------------------------------------------------------------------------------


async def test_any_checkpoint_of_the_shelf_is_found_by_its_words_and_speaks(shelf: Path) -> None:
    async with opened(shelf, watch(shelf)) as (app, pilot):
        await pilot.press("c")
        await until(pilot, lambda: "old" in screen_text(app))
        found = app.screen
        assert isinstance(found, CheckpointScreen)
        steps = [(choice.run, choice.step) for choice in found._found]
        assert steps == [(run, step) for run in ("new", "old") for step in (40, 20, 0)]
        await pilot.press("slash", *"old 20")
        await pilot.pause()
        assert [(choice.run, choice.step) for choice in found._found] == [("old", 20)]
        before = app.view.first.drawn
        await pilot.press("enter")
        await until(pilot, lambda: app.view.first.drawn is not before and not app.view.speaking)
        await until(pilot, lambda: bool(app.view.first.text._tokens) and not app.view._ticking)
        assert written(app.view.first.text) == by_hand(shelf, "old", 20)
        assert app.view.subject() == "old"
        assert "step 20" in screen_text(app)


async def test_escape_leaves_the_list_and_changes_nothing(shelf: Path) -> None:
    async with opened(shelf, watch(shelf)) as (app, pilot):
        await pilot.press("c")
        await until(pilot, lambda: app.screen.query_one(OptionList).option_count > 1)
        await pilot.press("down", "escape")
        assert app.view.first.choice is None
        assert app.focused is app.view.first.text


async def test_letters_move_in_the_list_until_the_filter_is_opened_and_escape_leaves_that_first(shelf: Path) -> None:
    async with opened(shelf, watch(shelf)) as (app, pilot):
        await pilot.press("c")
        options = app.screen.query_one(OptionList)
        await until(pilot, lambda: options.option_count == 6)
        for key, at in (("j", 1), ("j", 2), ("k", 1), ("G", 5), ("down", 5), ("up", 4), ("g", 0), ("end", 5)):
            await pilot.press(key)
            await pilot.pause()
            assert options.highlighted == at, key
        assert "/ filter · esc leaves" in screen_text(app)
        await pilot.press("z")
        await pilot.pause()
        assert any("enter lets it speak" in notice.message for notice in app._notifications)
        await pilot.press("slash", "o", "l", "d")
        await pilot.pause()
        assert options.option_count == 3
        assert "esc shows all" in screen_text(app)
        await pilot.press("escape")
        await pilot.pause()
        assert options.option_count == 6
        assert isinstance(app.screen, CheckpointScreen)
        await pilot.press("j", "enter")
        await until(pilot, lambda: app.view.first.choice is not None)
        assert (app.view.first.choice.run, app.view.first.choice.step) == ("new", 20)


async def test_another_view_may_let_a_checkpoint_speak(shelf: Path) -> None:
    async with opened(shelf) as (app, pilot):
        app.view.use(shelf / "old", 20)
        await until(pilot, lambda: bool(app.view.first.text._tokens) and not app.view.speaking)
        await until(pilot, lambda: not app.view._ticking)
        assert written(app.view.first.text) == by_hand(shelf, "old", 20)


@pytest.fixture
def at_work(tmp_path: Path) -> Iterator[Own]:
    """A session that is paused, and would train for longer than the test takes."""
    session = session_of(tmp_path, "live", max_iters=1_000_000, eval_interval=1_000_000, checkpoint_interval="off")
    own = Own(session)
    session.submit(Pause())
    session.start()
    yield own
    session.submit(Stop("signal"))
    assert session.join(PATIENCE)


async def test_a_run_at_work_speaks_as_it_is_now_and_is_the_first_choice(at_work: Own, tmp_path: Path) -> None:
    async with opened(tmp_path / "runs", at_work) as (app, pilot):
        view = app.view
        await until(pilot, lambda: "the model now, step 0" in screen_text(app))
        for step in (0, 1):
            while at_work.snapshot.step < step or view.cast.session is None:
                await asyncio.sleep(0.02)
            await spoken(app, pilot)
            assert f"live, step {step}" in screen_text(app)
            assert view.first.drawn is not None
            assert view.first.drawn.step == step
            at_work.session.submit(SingleStep())
        await until(pilot, lambda: at_work.snapshot.step == 2)
        await pilot.press("c")
        await until(pilot, lambda: app.screen.query_one(OptionList).option_count > 1)
        assert "the model now, step 2" in screen_text(app)
        assert isinstance(app.screen, CheckpointScreen)
        assert [choice.step for choice in app.screen._found] == [None, 0]


# The text itself --------------------------------------------------------------------------------------------------


def tokens_of(*texts: str, given: int = 0) -> list[Spoken]:
    return [Spoken(number, text, number < given) for number, text in enumerate(texts)]


async def test_text_is_never_markup_and_control_characters_are_visible() -> None:
    app = TextApp()
    async with app.run_test(size=(40, 20)) as pilot:
        app.text.show(tokens_of(*"[red]x[/]", "\x1b", *"[2J", "\x00", "\r", "é", "日"))
        others = (
            Alternative(7, "[b]", "[b]", (0.5, 0.9)),
            Alternative(8, " ", " ", (0.3, 0.1)),
            Alternative(9, "\n", "\\n", (0.0001, 0.0)),
        )
        app.alternatives.show(Spoken(8, " ", False, -1.2, 2, ("top_k",), (0.3, 0.1), others))
        await pilot.pause()
        screen = screen_text(app)
        assert "[red]x[/]\\x1b[2J\\x00\\ré日" in screen
        assert "[b]" in screen
        assert "▸␣" in screen
        assert "<.001" in screen
        assert "out" in screen


async def test_a_token_beyond_the_likeliest_has_a_row_like_them_whatever_it_is() -> None:
    others = tuple(Alternative(number, text, text, (0.3, 0.3)) for number, text in enumerate("abcdefgh"))
    for text, shown in (("\n", "\\n"), ("\t", "\\t"), ("", "\\xe3"), ("�", "\\xff"), ("日", "日"), (" ", " ")):
        app = TextApp()
        async with app.run_test(size=(50, 12)) as pilot:
            app.alternatives.show(Spoken(9, text, False, -6.0, 9, ("top_k",), (0.002, 0.001), others, shown))
            await pilot.pause()
            drawn = [line.strip(" │") for line in screen_text(app).splitlines() if "0.300" in line or "▸" in line]
            assert [line.split()[0] for line in drawn] == [*"abcd", "▸" + shown.replace(" ", "␣")]
            assert drawn[-1].split()[1:] == ["0.002", "0.001"]


def test_a_character_of_several_tokens_is_one_glyph_and_each_of_them_leads_to_it() -> None:
    flow = Flow(10)
    flow.add(tokens_of("a", "", "", "日", "b"))
    assert [glyph.text for glyph in flow.glyphs] == ["a", "日", "b"]
    assert [flow.glyph_of(token) for token in range(5)] == [0, 1, 1, 1, 2]
    flow.add(tokens_of("e", "\u0301"))
    assert flow.glyphs[-1].text == "e\u0301"
    assert flow.glyph_of(6) == flow.glyph_of(5)


@given(st.lists(st.sampled_from(["a", "b", " ", "\n", "日", "", "\t", "\u0301"]), max_size=60), st.integers(4, 12))
def test_a_text_that_grows_token_by_token_is_laid_out_like_the_whole(texts: list[str], width: int) -> None:
    whole, grown = Flow(width), Flow(width)
    whole.add(tokens_of(*texts))
    for token in tokens_of(*texts):
        grown.add([token])
    assert grown.lines == whole.lines
    assert grown.glyphs == whole.glyphs
    for start, end in whole.lines:
        assert sum(glyph.cells for glyph in whole.glyphs[start:end]) <= width
    shown = "".join("\n" if glyph.ends else glyph.text for glyph in whole.glyphs).replace("◌", "")
    assert shown == "".join(texts).replace("\t", "    ")
