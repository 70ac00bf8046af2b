"""The lenses look into real checkpoints, and into a run at work: surprise, heads, and what a character looks at."""

from __future__ import annotations

import asyncio
import io
import math
import shutil
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from playing import press, said
from playing import until as play_until
from recording import screen_text
from rich.cells import cell_len
from rich.console import Console
from textual.app import App
from textual.color import Color
from textual.events import Paste
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Input, OptionList

import gpt_tui.tui.app as playground
import small_runs
from gpt_tui.core.config import RunConfig, resolve
from gpt_tui.core.insight import Insight
from gpt_tui.core.lens import TextSurprise, attention, highest, text_surprise
from gpt_tui.core.runs import Run
from gpt_tui.core.sampling import Speaker
from gpt_tui.core.session import Pause, Plan, Session, SingleStep, Stop
from gpt_tui.core.speech import Source, Spoken
from gpt_tui.core.speech.models import Models
from gpt_tui.tui.app import Playground
from gpt_tui.tui.keymap import Keymap
from gpt_tui.tui.lens_texts import LONGEST, OWN, PASSAGE, LensText, of_tokens, texts_of_run
from gpt_tui.tui.overlays import Help, Palette
from gpt_tui.tui.request import PlaygroundRequest
from gpt_tui.tui.theme import THEMES, AsciiFilter, NoColourFilter
from gpt_tui.tui.views.checkpoint_screen import CheckpointScreen
from gpt_tui.tui.views.lens_screen import PURPOSE, LensScreen
from gpt_tui.tui.widgets import lens_facts as facts
from gpt_tui.tui.widgets.footer import Footer
from gpt_tui.tui.widgets.heat_map import ASCII_SHADES, SHADES, Ink, Square, all_heads, full
from gpt_tui.tui.widgets.lens_facts import chance, looked_at, ordinal
from gpt_tui.tui.widgets.lens_text import placed
from gpt_tui.tui.widgets.line import Line
from gpt_tui.tui.widgets.tints import READABLE, Tints, contrast, level_of, share_at
from gpt_tui.tui.wishes import CopyText, EditText
from patience import PATIENCE, patiently

FOLDER = Path(playground.__file__).parent
TEXT = "".join(f"{name}:\nThe house of {name} is number {n}.\n\n" for n in range(150) for name in ("ANNA", "BEN"))
FIELDS: dict[str, Any] = {
    "n_layer": 2, "n_head": 2, "n_embd": 16, "block_size": 16, "batch_size": 4, "max_iters": 40, "eval_interval": 20,
    "eval_iters": 2, "checkpoint_interval": 20, "dropout": 0.0, "max_new_tokens": 40, "prompt": "BEN:", "threads": 1,
    "device": "cpu",
}  # fmt: skip
VERSE = "BEN:\nThe house of ANNA is number 7.\n\nANNA:\nThe house is mine"
READ = VERSE.removesuffix(" is mine")


def planned(folder: Path, run_name: str, **fields: Any) -> Session:
    (folder / "text.txt").write_text(TEXT, encoding="utf-8")
    return small_runs.planned(folder, run_name, **{**FIELDS, **fields})


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Finished runs with checkpoints of the steps 0, 20 and 40: of characters, of bytes, one without attention; and
    `few`, which was evaluated more often than it was saved."""
    folder = tmp_path_factory.mktemp("lens")
    few = {"eval_interval": 10, "checkpoint_interval": "off"}
    runs: dict[str, dict[str, Any]] = {
        "char": {}, "byte": {"tokenizer": "byte"}, "bigram": {"attention": False}, "few": few
    }  # fmt: skip
    (folder / "text.txt").write_text(TEXT, encoding="utf-8")
    return small_runs.finished(folder, {name: {**FIELDS, **fields} for name, fields in runs.items()})


class LensApp(App[None]):
    """The screen over an empty one, with the playground's style."""

    CSS_PATH: ClassVar = [FOLDER / "app.tcss", FOLDER / "views" / "generate.tcss"]
    ENABLE_COMMAND_PALETTE = False

    def __init__(self, lens: LensScreen, ascii: bool = False) -> None:
        super().__init__()
        self.console = Console(file=io.StringIO(), force_terminal=True, color_system="truecolor")
        self.lens, self._ascii = lens, ascii
        self.keymap = Keymap()
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = THEMES[0].name
        self.animation_level = "none"
        self.wishes: list[EditText | CopyText] = []
        self.went: list[str] = []

    def get_default_screen(self) -> Screen[None]:
        return playground.MainScreen()

    def get_line_filters(self) -> Any:
        filters = [NoColourFilter()] if self.no_color else list(super().get_line_filters())
        return [*filters, AsciiFilter()] if self._ascii else filters

    def on_mount(self) -> None:
        self.push_screen(self.lens)

    def on_edit_text(self, wish: EditText) -> None:
        self.wishes.append(wish)

    def on_copy_text(self, wish: CopyText) -> None:
        self.wishes.append(wish)

    def action_view(self, view: str) -> None:
        self.went.append(view)

    @property
    def told(self) -> str:
        return "\n".join(note.message for note in self._notifications)

    def line(self, which: str) -> str:
        return self.lens.query_one(f"#lens-{which}", Line).content.plain

    @property
    def footer(self) -> str:
        return self.lens.query_one(Footer).content.plain

    def style_of(self, x: int, y: int) -> Any:
        strip = self.screen._compositor.render_strips()[y]
        return next(iter(strip.crop(x, x + 1))).style


@asynccontextmanager
async def opened(
    shelf: Path,
    run: str = "char",
    *texts: LensText,
    step: int | None = None,
    size: tuple[int, int] = (120, 40),
    ascii: bool = False,
    session: Session | None = None,
) -> AsyncIterator[tuple[LensApp, Pilot[None]]]:
    source = Source(shelf / run, step, session)
    lens = LensScreen(
        source, texts or [LensText("verse", READ)], runs_dir=shelf, insight=Insight, session=session, ascii=ascii
    )
    app = LensApp(lens, ascii)
    async with app.run_test(size=size) as pilot:
        await read(app, pilot)
        yield app, pilot


async def until(app: LensApp, pilot: Pilot[None], true: Callable[[], Any]) -> None:
    """Wait for something that another thread does."""
    for _ in patiently():
        if true():
            await pilot.pause()
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"it never came true:\n{screen_text(app)}")


async def read(app: LensApp, pilot: Pilot[None]) -> str:
    """The screen, once there is nothing more to be found out."""
    await pilot.pause()
    lens = app.lens
    await until(app, pilot, lambda: not lens.inquiry.busy)
    await pilot.pause()
    return screen_text(app)


async def pressed(app: LensApp, pilot: Pilot[None], *keys: str) -> str:
    await pilot.press(*keys)
    return await read(app, pilot)


def by_hand(shelf: Path, run: str = "char", step: int | None = None, text: str = READ) -> TextSurprise:
    speaker = Speaker.from_run(Run.open(shelf / run), step)
    return text_surprise(speaker.model, speaker.tokenizer, speaker.tokenizer.encode(text))


def weights_at(shelf: Path, at: int, run: str = "char", text: str = READ) -> np.ndarray:
    """(n_layer, H, at + 1): what a character in the first window of a text looks at."""
    speaker = Speaker.from_run(Run.open(shelf / run))
    return attention(speaker.model, speaker.tokenizer.encode(text)[: at + 1])[:, :, -1]


# Every lens, everywhere ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(60, 16), (80, 24), (99, 40), (100, 24), (120, 40), (200, 60)])
@pytest.mark.parametrize("plain", [False, True], ids=["colours", "ascii"])
async def test_every_lens_is_seen_at_every_size(shelf: Path, size: tuple[int, int], plain: bool) -> None:
    async with opened(shelf, size=size, ascii=plain) as (app, pilot):
        for lens, words in {
            "surprise": ("most surprising", "bits", "rank", "where"),
            "heads": ("layer 2 of 2", "the 2 heads of layer 2", "mean", "m chooses"),
            "looks": ("looks at", "%", "back"),
        }.items():
            screen = screen_text(app)
            assert app.lens.lens == lens
            assert [cell_len(line) for line in screen.split("\n")] == [size[0]] * size[1]
            assert "look inside" in screen
            assert "char" in screen
            assert "esc back" in screen
            for word in words:
                assert word in screen, (lens, word, screen)
            if plain:
                assert screen.isascii(), screen
            await pressed(app, pilot, "a")
        assert app.lens.lens == "surprise"


@pytest.mark.parametrize("typing", [False, True])
async def test_a_terminal_that_was_too_small_has_the_lens_back_as_it_was(shelf: Path, typing: bool) -> None:
    async with opened(shelf, size=(80, 24)) as (app, pilot):
        await pressed(app, pilot, "a", "G", "m")
        if typing:
            await pilot.press("p", *"ANNA")
        focused, before = app.focused, await read(app, pilot)
        await pilot.resize_terminal(40, 10)
        await pilot.pause()
        await pilot.press("a")
        await pilot.resize_terminal(80, 24)
        await pilot.pause()
        assert await read(app, pilot) == before
        assert app.focused is focused


@pytest.mark.parametrize("width", [60, 80])
async def test_however_long_the_names_are_it_is_told_which_model_is_looked_into(shelf: Path, width: int) -> None:
    long = shelf.parent / "named" / "20261120-142501-lecture-layernorm-with-a-name-that-goes-on"
    if not long.exists():
        shutil.copytree(shelf / "char", long)
    text = LensText("verse", READ, step=1_000_000)
    async with opened(long.parent, long.name, text, size=(width, 24)) as (app, pilot):
        assert "step 40 reads what step 1,000,000 wrote" in screen_text(app)
        app.lens._compare(Source(shelf / "char", 20))
        screen = await read(app, pilot)
        assert "step 40 beside char · step 20" in screen


async def test_a_key_that_comes_while_it_is_being_read_is_obeyed(shelf: Path) -> None:
    app = LensApp(LensScreen(Source(shelf / "char"), [LensText("verse", READ)], runs_dir=shelf, insight=Insight))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("a", "a", "right")
        screen = await read(app, pilot)
        assert app.lens.lens == "looks"
        assert f"{facts.quoted(READ[1])} looks at" in screen
        assert app.lens._weights is not None


# Surprise --------------------------------------------------------------------------------------------------------


async def test_p_rank_and_bits_of_the_character_under_the_cursor_are_the_lens_s_own(shelf: Path) -> None:
    expected = by_hand(shelf)
    async with opened(shelf) as (app, pilot):
        assert "nothing stands before it" in app.line("readout")
        assert f"{expected.mean:.2f} bits a character" in app.line("title")
        assert "step 40" in app.line("title")
        for _ in range(12):
            await pilot.press("right")
            at = app.lens.text_pane.at
            bits = expected.bits[at]
            told = app.line("readout")
            assert f"p {2**-bits:.3f} · " in told or 2**-bits < 0.001
            assert f"{ordinal(expected.ranks[at])} · {bits:.2f} bits" in told
        assert app.lens.text_pane.at == 12


async def test_the_worst_places_come_first_and_lead_the_cursor_to_them(shelf: Path) -> None:
    expected = by_hand(shelf)
    worst = highest(expected.bits, 4)
    async with opened(shelf) as (app, pilot):
        screen = screen_text(app)
        assert f"{expected.bits[worst[0]]:.1f}  {chance(expected.bits[worst[0]])}" in screen
        await pressed(app, pilot, "tab")
        assert app.lens.places.has_focus
        assert app.lens.text_pane.at == worst[0]
        await pressed(app, pilot, "j", "j")
        assert app.lens.text_pane.at == worst[2]
        assert f"{expected.bits[worst[2]]:.2f} bits" in app.line("readout")
        await pressed(app, pilot, "tab", "left")
        assert app.lens.text_pane.at == worst[2] - 1


async def test_the_untrained_model_is_what_is_compared_with_until_another_is_chosen(shelf: Path) -> None:
    now, first, middle = (by_hand(shelf, step=step) for step in (40, 0, 20))
    async with opened(shelf) as (app, pilot):
        await until(app, pilot, lambda: app.lens.texts._of_run)
        await pilot.press("d")
        await until(app, pilot, lambda: app.lens.inquiry.learned)
        screen = await pressed(app, pilot, "right", "right")
        assert "beside the untrained model" in screen
        assert f"the untrained model: {first.bits[2]:.2f} bits" in screen
        for word in ("by kind of character", "spaces", "names", "learned most", "lost"):
            assert word in screen
        assert f"{first.mean:.2f}" in app.line("tabs")
        learned = [a - b for a, b in zip(first.bits, now.bits, strict=True)]
        best = highest(learned, 1)[0]
        assert f"{learned[best]:+.1f}  {first.bits[best]:5.1f}  {now.bits[best]:5.1f}" in screen
        assert "surprise" in app.footer

        await pilot.press("c")
        await until(app, pilot, lambda: isinstance(app.screen, CheckpointScreen))
        assert "compares" in str(app.screen.query_one("#checkpoint-list").border_subtitle)
        await until(app, pilot, lambda: app.screen.query_one(OptionList).option_count >= 9)
        await pilot.press("slash", *"20 char", "enter")
        await until(app, pilot, lambda: not isinstance(app.screen, CheckpointScreen))
        screen = await read(app, pilot)
        assert "beside step 20" in screen
        assert f"step 20: {middle.bits[2]:.2f} bits" in screen

        screen = await pressed(app, pilot, "d")
        assert "most surprising" in screen
        assert "beside" not in screen


async def test_a_model_that_cannot_read_the_text_is_let_go_of_again(shelf: Path) -> None:
    async with opened(shelf, "byte", LensText("verse", "BEN: 7 €")) as (app, pilot):
        app.lens._compare(Source(shelf / "char", 40))
        await read(app, pilot)
        assert "They cannot be compared: char: the character € (U+20AC, euro sign) at position 7" in app.told
        assert not app.lens.inquiry.comparing
        await pressed(app, pilot, "right")
        assert "p 0." in app.line("readout")
        assert "most surprising" in screen_text(app)
        assert "looks at" in await pressed(app, pilot, "a", "a")
        assert app.lens._weights is not None


async def test_a_comparison_outlives_a_text_that_the_model_itself_cannot_read(shelf: Path) -> None:
    async with opened(shelf) as (app, pilot):
        app.lens._compare(Source(shelf / "char", 0))
        await read(app, pilot)
        assert app.lens.inquiry.learned
        await pressed(app, pilot, "p", *"Why", "enter")
        readout = app.line("readout")
        assert readout.startswith("✕ char: the character W (U+0057, latin capital letter w) at position 0 is not among")
        assert "Nor is" not in readout, "the first sentence is what there is room for"
        assert "learned most" not in screen_text(app)
        assert "cannot be compared" not in app.told
        await pressed(app, pilot, "a", "n")
        assert "the character W" in app.told, "what stands in the way of its heads"
        await pressed(app, pilot, "x", "a", "a")
        assert app.lens.inquiry.learned


async def test_the_heads_are_looked_at_without_the_other_model_and_what_was_learned_stays(shelf: Path) -> None:
    async with opened(shelf) as (app, pilot):
        app.lens._compare(Source(shelf / "char", 0))
        await read(app, pilot)
        learned = app.lens.inquiry.learned
        await pressed(app, pilot, "a", "G")
        assert len(app.lens.inquiry._insight.answer.question.sources) == 1  # type: ignore[union-attr]
        assert app.lens._weights is not None
        await pressed(app, pilot, "a", "a")
        assert app.lens.inquiry.learned is learned
        assert "beside the untrained model" in app.line("title")


async def test_a_model_beside_itself_and_beside_one_that_is_no_earlier_one_is_told_in_other_words(shelf: Path) -> None:
    async with opened(shelf, step=20) as (app, pilot):
        app.lens._compare(Source(shelf / "char", 20))
        screen = await read(app, pilot)
        assert "This is the model itself: nothing differs." in screen
        assert "learned" not in screen
        for other, name in (
            (Source(shelf / "char", 40), "step 40"),
            (Source(shelf / "byte", 0), "the untrained model"),
        ):
            app.lens._compare(other)
            await read(app, pilot)
            screen = await pressed(app, pilot, "right")
            assert "less surprised, and more" in screen
            assert "less surprised · bits that a character costs less than under" in app.line("legend")
            assert name in app.line("legend")
            assert " by " in app.line("readout")
            assert not [word for word in ("learned", "lost", "before") if word in screen.split("? help")[0]]


async def test_where_little_changed_it_is_said(shelf: Path) -> None:
    async with opened(shelf, "char", LensText("one", "B")) as (app, pilot):
        assert "Of one character nothing was expected." in screen_text(app)
        assert "nan" not in screen_text(app)
        app.lens._compare(Source(shelf / "char", 0))
        screen = await read(app, pilot)
        assert "No character changed by half a bit or more." in screen
        assert "nan" not in screen
        await pilot.press("y")
        await pilot.pause()
        assert "nan" not in app.wishes[0].text


async def test_a_difference_that_is_no_longer_wanted_does_not_come(shelf: Path) -> None:
    async with opened(shelf) as (app, pilot):
        app.lens._compare(Source(shelf / "char", 0))
        assert app.lens.inquiry.busy
        await pressed(app, pilot, "d")
        assert not app.lens.inquiry.learned
        assert "beside" not in screen_text(app)
        await pressed(app, pilot, "d")
        assert app.lens.inquiry.learned


async def test_the_difference_has_the_colours_and_the_legend_that_samples_has(shelf: Path) -> None:
    async with opened(shelf) as (app, pilot):
        assert "bits: sure" in app.line("legend")
        await pilot.press("d")
        await until(app, pilot, lambda: app.lens.inquiry.learned)
        assert "bits that a character costs less than at step 0" in app.line("legend")
        tinting = app.lens.text_pane._tinting
        assert tinting is not None
        assert tinting.scale == Tints.of_app(app).difference
        assert list(tinting.values[1:]) == list(app.lens.inquiry.learned[1:])


async def test_each_character_is_coloured_by_its_bits(shelf: Path) -> None:
    expected = by_hand(shelf)
    async with opened(shelf) as (app, _):
        scale = Tints.of_app(app).surprise
        region = app.lens.text_pane.scrollable_content_region
        line = READ.split("\n")[0]
        for at in range(1, len(line)):
            style = app.style_of(region.x + at, app.lens.text_pane.region.y + 1)
            assert style.bgcolor.name == Color.parse(scale.ground(expected.bits[at])).hex.lower(), at


@pytest.mark.parametrize("marked", ["ascii", "NO_COLOR"])
async def test_without_colours_the_figures_stand_below_each_character(
    shelf: Path, marked: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if marked == "NO_COLOR":
        monkeypatch.setenv("NO_COLOR", "1")
    expected = by_hand(shelf)
    async with opened(shelf, ascii=marked == "ascii") as (app, pilot):
        lines = screen_text(app).split("\n")
        row = next(y for y, line in enumerate(lines) if "The house of ANNA" in line)
        column = lines[row].index("The house of ANNA")
        start = READ.index("The house of ANNA")
        marks = "".join(Tints.of_app(app).surprise.mark(bits) for bits in expected.bits[start : start + 17])
        assert lines[row + 1][column : column + 17] == marks
        if marked == "NO_COLOR":
            assert "below each character its bits" in app.line("legend")
        screen = await pressed(app, pilot, "a", "G")
        shades = ASCII_SHADES if marked == "ascii" else SHADES
        assert any(shade in screen.split("layer 2 of 2")[-1] for shade in shades[3:])


# Attention -------------------------------------------------------------------------------------------------------


async def test_what_a_character_looks_at_is_told_by_share_and_place(shelf: Path) -> None:
    at = 14
    async with opened(shelf, "char", LensText("verse", READ, at=at)) as (app, pilot):
        await pressed(app, pilot, "a", "a")
        weights = weights_at(shelf, at)
        for head, shares in ((0, weights[1].mean(0)), (1, weights[1][0]), (2, weights[1][1])):
            assert app.lens.head == head
            told = app.lens.words.copied.split("\n")
            order = np.argsort(-shares, kind="stable")[:5]
            for line, place in zip(told, order, strict=False):
                assert line.startswith(f"{100 * shares[place]:3.0f} %")
                assert ("itself" if place == at else f"{at - place} back") in line
            assert f"all {at + 1 - 5} others together" in told[5]
            values = app.lens.text_pane._tinting.values  # type: ignore[union-attr]
            np.testing.assert_allclose(values, [level_of(share) for share in shares], atol=1e-4)
            await pressed(app, pilot, "m")
        assert app.lens.head == 0
        assert f"to guess “{READ[at + 1]}”" in app.line("readout")


async def test_layers_and_heads_are_chosen_and_come_round(shelf: Path) -> None:
    async with opened(shelf) as (app, pilot):
        await pressed(app, pilot, "n", "m")
        assert "the whole model" in app.told
        assert (app.lens.block, app.lens.head) == (0, 0)
        await pressed(app, pilot, "a", "G")
        assert "layer 2 of 2 · mean of its 2 heads" in app.line("tabs")
        await pressed(app, pilot, "n", "m")
        assert "layer 1 of 2 · head 1 of 2" in app.line("tabs")
        assert "▸head 1" in screen_text(app)
        await pressed(app, pilot, "N", "M", "M")
        assert "layer 2 of 2 · head 2 of 2" in app.line("tabs")
        await pressed(app, pilot, "m")
        assert "mean of its 2 heads" in app.line("tabs")


async def test_the_full_map_has_a_row_of_what_the_cursor_s_character_looks_at(shelf: Path) -> None:
    at = 11
    async with opened(shelf, "char", LensText("verse", READ, at=at), ascii=True, size=(200, 60)) as (app, pilot):
        await pressed(app, pilot, "a")
        await pressed(app, pilot, "m")
        lines = [line.plain for line in app.lens._map_lines()]
        shares = weights_at(shelf, at)[1][0]
        assert [line[0] for line in lines].index("▸") == at
        assert lines[at].startswith(f"▸{READ[at]} ")
        drawn = lines[at][3:].ljust(2 * (at + 1))
        assert drawn == "".join(2 * ASCII_SHADES[round(9 * math.sqrt(share))] for share in shares)
        names = READ[:16].replace("\n", "⏎").replace(" ", "␣")
        assert lines[-1].replace(" ", "") == names, "those after it in its window can be seen too"


async def test_tab_reaches_what_is_told_of_each_head_and_says_where_there_is_no_list(shelf: Path) -> None:
    async with opened(shelf, "char", LensText("verse", READ, at=14), size=(80, 24)) as (app, pilot):
        await pressed(app, pilot, "a", "tab")
        assert "There is no list to go to here; n and m choose layer and head." in app.told
        assert app.lens.text_pane.has_focus
        screen = await pressed(app, pilot, "a")
        assert "tab scrolls" in screen
        assert "▸ 2" not in screen
        await pressed(app, pilot, "m", "m", "tab")
        assert app.lens.words.has_focus
        screen = await pressed(app, pilot, "G")
        assert "▸ 2" in screen, "the last head's line"
        assert app.lens.text_pane.at == 14, "the text's cursor stays"
        await pressed(app, pilot, "tab", "right")
        assert app.lens.text_pane.at == 15


@pytest.mark.parametrize("colours", [True, False])
async def test_what_is_not_coloured_is_not_called_so(
    shelf: Path, colours: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not colours:
        monkeypatch.setenv("NO_COLOR", "1")
    async with opened(shelf) as (app, pilot):
        await pressed(app, pilot, "a", "a")
        assert f"looks at what is {'coloured' if colours else 'marked'}" in app.line("readout")


async def test_moving_into_another_window_asks_for_its_attention(shelf: Path) -> None:
    async with opened(shelf) as (app, pilot):
        await pressed(app, pilot, "a", "g")
        seen = app.lens.inquiry._seen
        await pressed(app, pilot, "right", "right")
        assert app.lens.inquiry._seen is seen, "it is the same window"
        await pressed(app, pilot, "G")
        assert app.lens.inquiry._seen is not seen
        assert app.lens.inquiry._seen is not None
        assert app.lens.inquiry._seen.tells_of(len(READ) - 1)
        assert app.lens._weights is not None


async def test_a_click_chooses_a_head_and_moves_the_cursor(shelf: Path) -> None:
    async with opened(shelf) as (app, pilot):
        await pressed(app, pilot, "a", "G")
        lines = screen_text(app).split("\n")
        row = next(y for y, line in enumerate(lines) if "head 2" in line)
        await pilot.click(offset=(lines[row].index("head 2") + 1, row))
        assert app.lens.head == 2
        row = next(y for y, line in enumerate(lines) if "The house of ANNA" in line)
        await pilot.click(offset=(lines[row].index("ANNA") + 1, row))
        await read(app, pilot)
        assert app.lens.text_pane.at == READ.index("ANNA") + 1
        tabs = screen_text(app).split("\n")[1]
        await pilot.click(offset=(tabs.index("looks at"), 1))
        assert app.lens.lens == "looks"


async def test_a_model_without_attention_says_so_under_both_lenses(shelf: Path) -> None:
    async with opened(shelf, "bigram") as (app, pilot):
        assert "bits a character" in app.line("title")
        for _ in range(2):
            assert (await pressed(app, pilot, "a")).count("no attention") == 1
            await pressed(app, pilot, "n", "m", "right")


# Texts -----------------------------------------------------------------------------------------------------------


async def test_x_goes_on_to_the_run_s_own_texts(shelf: Path) -> None:
    recorded = {text.name: text.text for text in texts_of_run(shelf / "char")}
    assert list(recorded) == [PASSAGE, "the sample of step 40"]
    async with opened(shelf) as (app, pilot):
        await until(app, pilot, lambda: len(app.lens.texts.all) == 3)
        for name, text in [*recorded.items(), ("verse", READ)]:
            await pressed(app, pilot, "x")
            assert app.lens.text_pane.border_title == name
            assert app.lens.inquiry.read[0].text == text


async def test_without_a_text_of_the_caller_s_the_passage_is_read(shelf: Path) -> None:
    source = Source(shelf / "char")
    app = LensApp(LensScreen(source, [], runs_dir=shelf, insight=Insight))
    async with app.run_test(size=(120, 40)) as pilot:
        await until(app, pilot, lambda: app.lens.inquiry.read)
        assert app.lens.inquiry.read[0].text == texts_of_run(shelf / "char")[0].text


async def test_a_text_of_one_s_own_is_read_and_a_character_that_is_unknown_is_named(shelf: Path) -> None:
    async with opened(shelf) as (app, pilot):
        await pilot.press("p")
        await pilot.pause()
        assert isinstance(app.focused, Input)
        await pilot.press(*"ANNA is BEN")
        await pressed(app, pilot, "enter")
        assert app.lens.inquiry.read[0].text == "ANNA is BEN"
        assert app.lens.text_pane.border_title == OWN
        assert app.lens.text_pane.has_focus

        await pressed(app, pilot, "p", *"Why", "enter")
        assert "the character W" in app.line("readout")
        assert "position 0" in app.line("readout")
        assert "Why" in screen_text(app), "the text is still there to be seen"
        await pressed(app, pilot, "p", "x", "escape")
        assert "the character W" in app.line("readout")
        assert app.screen is app.lens
        await pressed(app, pilot, "x")
        assert app.lens.inquiry.read[0].text != "Why"


async def test_the_field_has_its_own_keys_takes_all_lines_that_are_pasted_and_an_empty_one_says_so(shelf: Path) -> None:
    async with opened(shelf, size=(80, 24)) as (app, pilot):
        assert "next lens" in app.footer
        await pilot.press("p")
        await pilot.pause()
        assert app.footer.strip() == "enter reads it   esc leaves it"
        assert PURPOSE in screen_text(app), "all of the hint"
        app.focused.post_message(Paste("BEN\r\nANNA"))  # type: ignore[union-attr]
        await pilot.pause()
        assert "BEN⏎ANNA" in screen_text(app)
        await pressed(app, pilot, "enter")
        assert app.lens.inquiry.read[0].text == "BEN\nANNA"
        assert "next lens" in app.footer
        await pilot.press("p", "escape")
        await pilot.pause()
        assert "next lens" in app.footer
        await pressed(app, pilot, "p", "enter")
        assert "Nothing was typed" in app.told
        assert app.lens.inquiry.read[0].text == "BEN\nANNA"


async def test_without_a_text_nothing_is_counted_or_copied(shelf: Path) -> None:
    app = LensApp(LensScreen(Source(shelf / "nowhere"), [], runs_dir=shelf, insight=Insight))
    async with app.run_test(size=(80, 24)) as pilot:
        for _ in range(3):
            screen = await pressed(app, pilot, "y", "a")
            assert "of 0" not in screen
        await until(app, pilot, lambda: len(app.wishes) == 3)
        assert [wish.text for wish in app.wishes] == ["", "", ""]


async def test_the_editor_gets_the_text_and_gives_another(shelf: Path) -> None:
    async with opened(shelf) as (app, pilot):
        await pilot.press("e")
        await until(app, pilot, lambda: app.wishes)
        wish = app.wishes[0]
        assert isinstance(wish, EditText)
        assert wish.text == f"{READ}\n"
        wish.take("BEN\nANNA\n")
        await read(app, pilot)
        assert app.lens.inquiry.read[0].text == "BEN\nANNA"


async def test_the_bytes_of_a_character_are_one_place(shelf: Path) -> None:
    async with opened(shelf, "byte", LensText("verse", "là €uro 😀 end")) as (app, pilot):
        assert app.lens.text_pane.count == len("là €uro 😀 end")
        await pressed(app, pilot, "a", "a", *["right"] * 8)
        assert "“😀” looks at" in screen_text(app)
        assert sum(app.lens._shares(0)) == pytest.approx(1, rel=1e-4)


def test_what_generate_holds_keeps_its_tokens_and_its_cursor() -> None:
    tokens = [Spoken(id, text, id < 2) for id, text in enumerate(["A", "", "é", "b"])]
    (text,) = of_tokens("it", tokens, 2)
    assert text == LensText("it", "Aéb", (0, 1, 2, 3), 1)
    assert of_tokens("it", [], None) == []


@given(length=st.integers(1, 3 * LONGEST), at=st.integers(0, 3 * LONGEST))
def test_a_long_text_is_cut_around_its_cursor(length: int, at: int) -> None:
    whole = "".join(chr(97 + n % 26) for n in range(length))
    at = min(at, length - 1)
    cut = LensText("it", whole, (1,) * length, at).fitting
    assert len(cut.text) == min(length, LONGEST)
    assert cut.text in whole
    assert cut.text[cut.at] == whole[at]
    assert bool(cut.tokens) == (length <= LONGEST)


# The run at work, and leaving ------------------------------------------------------------------------------------


async def paused(session: Session) -> None:
    """Once it is past its third step."""
    for _ in patiently():
        if session.snapshot.step > 3 and session.snapshot.state == "TRAINING":
            break
        await asyncio.sleep(0.01)
    session.submit(Pause())
    for _ in patiently():
        if session.snapshot.state == "PAUSED":
            break
        await asyncio.sleep(0.01)


async def test_a_run_at_work_is_looked_into_as_it_was_until_space(tmp_path: Path) -> None:
    session = planned(tmp_path, "live", max_iters=100_000, checkpoint_interval="off")
    session.start()
    try:
        await paused(session)
        step = session.snapshot.step
        async with opened(tmp_path / "runs", "live", session=session) as (app, pilot):
            assert f"live, step {step}" in app.line("title")
            assert "read anew" in app.footer
            session.submit(SingleStep())
            await until(app, pilot, lambda: session.snapshot.step == step + 1)
            await pressed(app, pilot, "a")
            assert f"live, step {step} " in app.line("title") + " "
            before = app.lens.inquiry.read
            await pressed(app, pilot, "space")
            assert f"live, step {step + 1}" in app.line("title")
            assert app.lens.inquiry.read[0].bits[1:] != before[0].bits[1:]
            assert app.lens._weights is not None
    finally:
        session.submit(Stop())
        assert session.join(PATIENCE)


async def test_a_run_that_is_gone_is_told_of(shelf: Path) -> None:
    async with opened(shelf, "nowhere") as (app, _):
        assert "✕" in app.line("readout")
        assert "BEN:" in screen_text(app)


async def test_what_another_step_wrote_is_said_to_be_read_by_this_one(tmp_path: Path) -> None:
    session = planned(tmp_path, "live", max_iters=100_000, checkpoint_interval="off")
    session.start()
    try:
        await paused(session)
        step, source = session.snapshot.step, Source(tmp_path / "runs" / "live", None, session)
        writer = Models().find(source, lambda activity: None)[0]
        session.submit(SingleStep())
        for _ in patiently():
            if session.snapshot.step > step:
                break
            await asyncio.sleep(0.01)
        text = LensText("what stands in Generate", READ, step=step)
        lens = LensScreen(source, [text], runs_dir=tmp_path, insight=partial(Insight, {source: writer}))
        app = LensApp(lens)
        async with app.run_test(size=(120, 40)) as pilot:
            await read(app, pilot)
            assert f"live · live, step {step}   " in app.line("title"), "the model that wrote it was held"
            await pressed(app, pilot, "space")
            assert f"live · live, step {step + 1} reads what step {step} wrote" in app.line("title")
    finally:
        session.submit(Stop())
        assert session.join(PATIENCE)


async def test_a_run_that_has_ended_is_no_longer_called_live(tmp_path: Path) -> None:
    session = planned(tmp_path, "live", max_iters=100_000, checkpoint_interval="off")
    session.start()
    try:
        for _ in patiently():
            if session.snapshot.step > 3:
                break
            await asyncio.sleep(0.01)
        async with opened(tmp_path / "runs", "live", session=session) as (app, pilot):
            assert "live, step" in app.line("title")
            step = app.lens.inquiry.step
            session.submit(Stop())
            assert session.join(PATIENCE)
            await until(app, pilot, lambda: "live, step" not in app.line("title"))
            assert f"step {step}" in app.line("title")
            assert "read anew" not in app.footer
            await pressed(app, pilot, "space")
            assert "The run has ended" in app.told
            assert app.lens.inquiry.step == step
    finally:
        session.submit(Stop())
        assert session.join(PATIENCE)


async def test_escape_leads_back_and_lets_go_of_the_models(shelf: Path) -> None:
    async with opened(shelf) as (app, pilot):
        insight = app.lens.inquiry._insight
        await pilot.press("escape")
        await pilot.pause()
        assert app.screen is not app.lens
        assert insight is not None
        assert insight._closed


async def test_the_views_keys_lead_to_them_and_no_key_does_nothing(shelf: Path) -> None:
    async with opened(shelf) as (app, pilot):
        await pilot.press("v")
        assert "v does nothing here" in app.told
        await pilot.press("question_mark")
        await until(app, pilot, lambda: isinstance(app.screen, Help))
        assert "what it cost the model" in screen_text(app)
        assert "Show the heads of the next layer." in screen_text(app)
        await pilot.press("question_mark")
        await until(app, pilot, lambda: app.screen is app.lens)
        await pilot.press("5")
        await until(app, pilot, lambda: app.went == ["runs"])
        assert app.screen is not app.lens


async def test_what_a_lens_tells_can_be_copied(shelf: Path) -> None:
    expected = by_hand(shelf)
    async with opened(shelf) as (app, pilot):
        for _ in range(3):
            await pressed(app, pilot, "y", "a")
        await until(app, pilot, lambda: len(app.wishes) == 3)
        table, drawn, looks = (wish.text for wish in app.wishes)
        rows = table.split("\n")
        assert rows[0] == "character\tp\trank\tbits"
        assert rows[1 + 5].split("\t")[2:] == [str(expected.ranks[5]), f"{expected.bits[5]:.3f}"]
        assert len(rows) == 1 + len(READ)
        assert "▸" in drawn
        assert looks.startswith("“B” looks at\n100 %")


# The parts -------------------------------------------------------------------------------------------------------


def some_square(count: int, seed: int = 0, at: int | None = None) -> Square:
    weights = np.tril(np.random.default_rng(seed).random((count, count))).astype(np.float32)
    weights /= weights.sum(-1, keepdims=True)
    return Square.of(weights, 0, 0, count - 1 if at is None else at, [chr(97 + n % 26) for n in range(count)])


INKS = [
    Ink.of(Tints.of(Color(20, 20, 20), Color(220, 220, 220)).share, coloured, ascii)
    for coloured, ascii in ((True, False), (False, False), (False, True))
]


@given(count=st.integers(1, 80), width=st.integers(12, 90), height=st.integers(3, 50), ink=st.sampled_from(INKS))
def test_a_map_stays_in_its_room_whatever_the_window(count: int, width: int, height: int, ink: Ink) -> None:
    lines = full(some_square(count), ink, width, height)
    assert len(lines) <= height
    assert max(line.cell_length for line in lines) <= width


@given(
    heads=st.integers(1, 16),
    chosen=st.integers(0, 16),
    count=st.integers(1, 80),
    width=st.integers(12, 90),
    height=st.integers(4, 50),
    ink=st.sampled_from(INKS),
)
def test_small_maps_stay_in_their_room_and_the_chosen_head_is_among_them(
    heads: int, chosen: int, count: int, width: int, height: int, ink: Ink
) -> None:
    chosen = min(chosen, heads)
    lines = all_heads([some_square(count, head) for head in range(heads)], chosen, ink, width, height)
    assert len(lines) <= height
    assert max(line.cell_length for line in lines) <= width
    if chosen:
        assert any(f"▸{word}{chosen}"[:3] in line.plain for line in lines for word in ("", "head "))


@given(count=st.integers(1, 80), size=st.integers(1, 32))
def test_a_small_map_shows_the_highest_of_what_shares_a_cell_the_last_characters_last(count: int, size: int) -> None:
    square = some_square(count)
    small = square.pooled(size)
    assert len(small) <= size
    share = max(count // size, 1)
    assert len(small) == min(count, size)
    last = square.grid[-share:, -share:]
    assert small[-1, -1] == np.nanmax(last)
    assert np.isnan(small[np.triu_indices(len(small), 1)]).all()


def test_a_square_has_a_row_and_a_column_a_character_and_hides_the_future() -> None:
    weights = np.arange(48, dtype=np.float32).reshape(6, 8)  # rows from 4 on, columns from 2 on
    square = Square.of(weights, 4, 2, 7, [str(n) for n in range(20)])
    assert square.characters == ["4", "5", "6", "7", "8", "9"]
    assert square.characters[square.cursor] == "7"
    np.testing.assert_array_equal(square.grid[-1], weights[5, 2:8])
    assert np.isnan(square.grid[0]).tolist() == [False, *[True] * 5]


@given(count=st.integers(1, 80), at=st.integers(0, 79), room=st.integers(1, 90))
def test_what_is_drawn_of_a_square_holds_the_cursor_and_fills_its_room(count: int, at: int, room: int) -> None:
    square = some_square(count, at=min(at, count - 1))
    drawn = square.around(room)
    assert len(drawn.grid) == len(drawn.characters) == min(count, room)
    np.testing.assert_array_equal(np.isnan(drawn.grid), np.triu(np.ones_like(drawn.grid), 1).astype(bool))
    np.testing.assert_array_equal(drawn.grid[drawn.cursor, drawn.cursor], square.grid[square.cursor, square.cursor])
    assert drawn.characters[drawn.cursor] == square.characters[square.cursor]
    assert drawn.cursor == len(drawn.grid) - 1 or square.cursor < room, "nothing is hidden that stands before it"


def test_shades_grow_with_the_share_and_colours_too() -> None:
    row = np.array([[0.0, 0.02, 0.1, 0.3, 0.6, 1.0]])
    for shades in (ASCII_SHADES, SHADES):
        drawn = Ink(INKS[0].scale, shades).lines(row)[0].plain.rjust(6)
        places = [shades.index(shade) for shade in drawn]
        assert places == sorted(places)
        assert places[0] == 0
        assert places[-1] == len(shades) - 1
    levels = [INKS[0].scale.level(level_of(share)) for share in row[0]]
    assert levels == sorted(levels)  # type: ignore[type-var]
    assert (levels[0], levels[-1]) == (0, 9)
    assert [level_of(share_at(level)) for level in range(10)] == pytest.approx(list(range(10)))


@pytest.mark.parametrize("theme", THEMES, ids=lambda theme: theme.name)
def test_text_on_a_share_s_colour_can_be_read(theme: Any) -> None:
    tints = Tints.of(Color.parse(theme.background), Color.parse(theme.foreground))
    for style in tints.share.styles:
        text, ground = (Color.parse(part) for part in style.split(" on "))
        assert contrast(text, ground) >= READABLE


@given(text=st.text("aé\u0301€😀\n\t\r 👩🏽x", max_size=40))
def test_every_character_of_a_text_has_a_place_and_a_cell(text: str) -> None:
    glyphs = placed(list(text))
    firsts = [glyph.first for glyph in glyphs]
    assert firsts == sorted(set(firsts))
    assert (firsts[0] if text else 0) == 0
    assert all(glyph.cells == cell_len(glyph.text) > 0 for glyph in glyphs)
    assert [at for at, character in enumerate(text) if character == "\n"] == [g.first for g in glyphs if g.ends]


def test_shares_are_told_with_the_rest_that_is_not_named() -> None:
    shares: Sequence[float] = [0.3, 0.02, 0.1, 0.05, 0.05, 0.08, 0.4]
    lines = [line.plain for line in looked_at(list("abc ef\n"), shares, 0, 6, 80)]
    assert [line[:5] for line in lines] == [" 40 %", " 30 %", " 10 %", "  8 %", "  5 %", "  7 %"]
    assert "line end" in lines[0]
    assert "itself" in lines[0]
    assert "6 back" in lines[1]
    assert "all 2 others together" in lines[-1]


# From the views --------------------------------------------------------------------------------------------------


@asynccontextmanager
async def playing(shelf: Path, view: str, run: str | None = "char") -> AsyncIterator[tuple[Playground, Pilot[None]]]:
    """The whole program, with a view in sight."""
    app = Playground(PlaygroundRequest(resolve([]), shelf, "quick", open=run))
    async with app.run_test(size=(120, 40)) as pilot:
        await play_until(pilot, lambda: app.state.word == ("FINISHED" if run is not None else "READY"))
        await press(pilot, view)
        await play_until(pilot, lambda: app.focused in app.stage.in_sight.walk_children())
        yield app, pilot


async def lens_of(app: Playground, pilot: Pilot[None]) -> LensScreen:
    """The lens, once it has read its text."""
    await play_until(pilot, lambda: isinstance(app.screen, LensScreen))
    lens = app.screen
    assert isinstance(lens, LensScreen)
    await play_until(pilot, lambda: lens.inquiry.read and not lens.inquiry.busy)
    return lens


async def test_samples_looks_into_the_model_under_its_cursor_with_its_sample(shelf: Path) -> None:
    sample = Run.open(shelf / "char").history().samples
    async with playing(shelf, "3") as (app, pilot):
        await press(pilot, "a")
        lens = await lens_of(app, pilot)
        assert lens.inquiry.names == (("char", 40),)
        assert lens.inquiry.read[0].text == sample[-1].prompt + sample[-1].text
        await press(pilot, "escape")
        await play_until(pilot, lambda: not isinstance(app.screen, LensScreen))

        await press(pilot, "left", "c", "a")
        lens = await lens_of(app, pilot)
        assert lens.inquiry.names == (("char", 20),)
        assert lens.inquiry.read[0].text == texts_of_run(shelf / "char")[0].text, "the passage has the colours"
        await press(pilot, "escape", "c", ";", "u", "a")
        lens = await lens_of(app, pilot)
        assert lens.inquiry.names == (("char", 0),)
        assert lens.inquiry.read[0].text == sample[0].prompt + sample[0].text


async def test_the_untrained_model_of_a_fork_is_its_parent_s(shelf: Path) -> None:
    fork = Session(Plan(RunConfig(), shelf, run_name="fork", fork=f"{shelf / 'char'}@20"))
    fork.start()
    assert fork.join(PATIENCE)
    async with playing(shelf, "3", "fork") as (app, pilot):
        await press(pilot, ";", "u")
        await play_until(pilot, lambda: "untrained · step 0" in screen_text(app))
        await press(pilot, "a")
        lens = await lens_of(app, pilot)
        assert lens.inquiry.names == (("char", 0),)


async def test_samples_says_where_no_checkpoint_can_be_looked_into_and_goes_to_the_nearest(shelf: Path) -> None:
    async with playing(shelf, "3", "few") as (app, pilot):
        await press(pilot, "left", "a")
        await play_until(pilot, lambda: "No checkpoint of step 30 was kept" in said(app))
        assert "the nearest" in said(app)
        assert not isinstance(app.screen, LensScreen)
        await press(pilot, "a")
        lens = await lens_of(app, pilot)
        assert lens.inquiry.names == (("few", 40),)


async def test_generate_looks_into_the_model_that_wrote_the_text_at_its_cursor(shelf: Path) -> None:
    async with playing(shelf, "4") as (app, pilot):
        await press(pilot, "a")
        lens = await lens_of(app, pilot)
        assert lens.inquiry.read[0].text == texts_of_run(shelf / "char")[0].text, "before there is a text"
        await press(pilot, "escape")
        await play_until(pilot, lambda: not isinstance(app.screen, LensScreen))
        view = app.stage.views["generate"]
        await press(pilot, "space")
        await play_until(pilot, lambda: "44 tokens" in screen_text(app) or "40 tokens" in screen_text(app))
        await press(pilot, "left", "left", "left", "a")
        lens = await lens_of(app, pilot)
        held = view.first.text.copied  # type: ignore[attr-defined]
        assert held.startswith("BEN:")
        assert lens.inquiry.read[0].text == held
        assert lens.text_pane.at == len(held) - 4
        assert lens.inquiry.names == (("char", 40),)
        await press(pilot, "4")
        await play_until(pilot, lambda: not isinstance(app.screen, LensScreen))
        assert app.stage.name_in_sight == "generate"


async def test_a_text_is_looked_into_by_the_model_that_wrote_it_though_its_checkpoint_is_gone(
    shelf: Path, tmp_path: Path
) -> None:
    shutil.copytree(shelf / "char", tmp_path / "char")
    async with playing(tmp_path, "4") as (app, pilot):
        await press(pilot, "space")
        await play_until(pilot, lambda: "tokens" in screen_text(app) and "tok/s" in screen_text(app))
        view = app.stage.views["generate"]
        await play_until(pilot, lambda: not view.speaking)  # type: ignore[attr-defined]
        shutil.rmtree(tmp_path / "char" / "checkpoints")
        await press(pilot, "a")
        lens = await lens_of(app, pilot)
        assert lens.inquiry.names == (("char", 40),)
        assert lens.texts.current is not None
        assert lens.texts.current.step == 40


async def test_the_palette_has_the_lens_s_actions_and_leads_from_it_and_ctrl_q_leaves(shelf: Path) -> None:
    async with playing(shelf, "3") as (app, pilot):
        await press(pilot, "a")
        lens = await lens_of(app, pilot)
        await press(pilot, "colon", *"next lens", "enter")
        await play_until(pilot, lambda: app.screen is lens and lens.lens == "heads")
        await press(pilot, "colon", *"go on to the next text", "enter")
        await play_until(pilot, lambda: app.screen is lens and lens.texts.at == 1)
        await press(pilot, "colon", *"every run on the shelf", "enter")
        await play_until(pilot, lambda: app.stage.name_in_sight == "runs" and len(app.screen_stack) == 1)
        await press(pilot, "3", "a", "p")
        lens = await lens_of(app, pilot)
        await press(pilot, "p", "colon")
        assert app.screen is lens, "in the field it is a letter"
        await press(pilot, "ctrl+p")
        await play_until(pilot, lambda: isinstance(app.screen, Palette))
        await press(pilot, "escape", "ctrl+q")
        await play_until(pilot, lambda: app._exit)


async def test_without_a_model_there_is_nothing_to_look_into(tmp_path: Path) -> None:
    async with playing(tmp_path / "nothing", "4", None) as (app, pilot):
        await press(pilot, "a")
        await play_until(pilot, lambda: "No model has been trained" in said(app))
        await press(pilot, "3", "a")
        await play_until(pilot, lambda: "No run is open" in said(app))
