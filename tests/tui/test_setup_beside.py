"""What stands beside the form: shapes and drawing that follow it, in every width; values without effect; the pace."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from setup_app import SIZES, SetupApp, go, opened, preset_of, settled, until
from textual.color import Color
from textual.pilot import Pilot
from textual.widget import Widget

from gpt_tui.core.config import RunConfig
from gpt_tui.core.cost import estimate_seconds
from gpt_tui.core.device import physical_cores, processor_name
from gpt_tui.core.drawing import draw
from gpt_tui.core.events import DatasetRecord, Step
from gpt_tui.core.presets import PRESETS
from gpt_tui.core.runs import RunRecord, Shelf
from gpt_tui.core.shapes import walk
from gpt_tui.tui import panes
from gpt_tui.tui.widgets.drawing_text import PARTS, of_drawing
from gpt_tui.tui.widgets.shapes_text import of_walk

NAMES = ("quick", "lecture-bigram", "lecture-one-head", "nanogpt-gpu", "gpt2", "gpt2-xl")


async def choose(pilot: Pilot[None], app: SetupApp, chosen: str) -> None:
    """Press v until that stands beside the form."""
    for _ in range(3):
        if app.setup.chosen != chosen:
            await pilot.press("v")
            await settled(pilot)
    await until(pilot, lambda: app.setup.chosen == chosen and panes.has_place(pane_of(app, chosen)))
    await settled(pilot)


def pane_of(app: SetupApp, chosen: str) -> Any:
    beside = app.setup.beside
    return {"explanation": beside.help_pane, "shapes": beside.shapes_pane, "architecture": beside.drawing_pane}[chosen]


class TestShapesAsText:
    @pytest.mark.parametrize("width", [44, 46, 58, 76, 80, 105, 117, 140])
    @pytest.mark.parametrize("name", NAMES)
    def test_every_step_its_shape_and_its_costs_are_whole_at_every_width(self, name: str, width: int) -> None:
        config = PRESETS[name].config()
        batch = walk(config.model, PRESETS[name].vocab_size, config.training.batch_size)
        text = of_walk(batch, width).plain
        assert max(map(len, text.splitlines())) <= width
        assert "…" not in text.replace("0 … T−1", "")
        for step in batch.steps:
            assert step.name in text
            assert f"({','.join(step.symbols)})" in text
            assert f"({','.join(map(str, step.shape))})" in text
        assert f"{batch.parameters:,}" in text
        assert "batch_size" in text

    def test_with_room_a_step_is_a_line_with_what_is_done(self) -> None:
        config = PRESETS["nanogpt-cpu"].config()
        lines = of_walk(walk(config.model, 65, 12), 130).plain.splitlines()
        (line,) = [line for line in lines if line.startswith("queries, keys, values")]
        assert "q, k, v = Wqkv u" in line
        assert line.index("(3,B,H,T,D)") < line.index("(3,12,4,64,32)")
        assert "49,152" in line  # 3 × 128 × 128
        assert [line for line in lines if line.startswith("block")] == ["block × 4, figures of one"]

    def test_a_letter_is_told_where_it_is_used_and_nowhere_else(self) -> None:
        config = PRESETS["lecture-bigram"].config()
        text = of_walk(walk(config.model, 65, 32), 60).plain
        told = re.findall(r"^  ([A-Z])  ", text, re.M)
        assert told == ["B", "T", "V"]
        assert "4,225" in text

    def test_the_letter_of_the_field_is_made_out_in_letters_and_in_numbers(self) -> None:
        content = of_walk(walk(PRESETS["nanogpt-cpu"].config().model, 65, 12), 130, letter="H")
        made_out = {content.plain[span.start : span.end] for span in content.spans if span.style == "bold $accent"}
        assert made_out == {"H", "4", "embedding", "block", "head", "loss", "in all", "letters"}

    @pytest.mark.parametrize("name", PRESETS)
    def test_in_ascii_formulas_are_spelt_out(self, name: str) -> None:
        app_filter = SetupApp(ascii=True).filter_ascii
        assert app_filter is not None
        text = of_walk(walk(PRESETS[name].config().model, 65, 12), 130, ascii=True).plain
        assert text.translate(_drawn_in_ascii()).isascii()
        if PRESETS[name].config().model.attention:
            assert "q k^T / sqrt(D)" in text


def _drawn_in_ascii() -> dict[int, str]:
    from gpt_tui.tui.theme import _ASCII

    return str.maketrans(_ASCII)


class TestDrawing:
    def test_what_a_field_is_about_is_found_whether_it_is_there_or_not(self) -> None:
        for name in NAMES:
            model = PRESETS[name].config().model
            lines = draw(model, 65)
            for field, present in [
                ("attention", model.attention), ("feed_forward", model.feed_forward), ("head", True), ("norm", True),
            ]:  # fmt: skip
                content, row = of_drawing(lines, field)
                assert row is not None, (name, field, present)
                assert any("reverse" in str(span.style) for span in content.spans)

    def test_every_part_of_a_field_is_something_that_a_drawing_says(self) -> None:
        every = {"dropout": 0.1, "embd_dropout": True, "tied_head": True, "mix_previous": True}
        drawings = [draw(RunConfig().replace(**every).model, 65), draw(PRESETS["gpt2"].config().model, 65)]
        for field in PARTS:
            assert any(of_drawing(lines, field)[1] is not None for lines in drawings), field

    def test_a_field_that_is_no_part_of_the_model_marks_nothing(self) -> None:
        content, row = of_drawing(draw(RunConfig().model, 65), "learning_rate")
        assert row is None
        assert not any("reverse" in str(span.style) for span in content.spans)


class TestFollowing:
    async def test_each_edit_changes_the_walk_and_the_drawing(self) -> None:
        async with opened((200, 60), **preset_of("nanogpt-cpu")) as (app, pilot):
            drawing, shapes = app.setup.beside.drawing_pane, app.setup.beside.shapes_pane
            assert "4 heads of 32" in drawing.copied
            await go(pilot, app, "n_head")
            await pilot.press("enter", "ctrl+u", "8", "enter")
            await settled(pilot)
            assert "8 heads of 16" in drawing.copied
            await choose(pilot, app, "shapes")
            assert "(3,12,8,64,16)" in shapes.copied
            await go(pilot, app, "batch_size")
            await pilot.press("l")
            await settled(pilot)
            assert "(3,16,8,64,16)" in shapes.copied
            await pilot.press("u", "u")
            await settled(pilot)
            assert "(3,12,4,64,32)" in shapes.copied

    async def test_a_part_that_is_switched_off_is_visibly_absent(self) -> None:
        async with opened((120, 40), **preset_of("nanogpt-cpu")) as (app, pilot):
            await choose(pilot, app, "architecture")
            assert "│ feed-forward " in app.text
            assert "no feed-forward" not in app.text
            await go(pilot, app, "feed_forward")
            await pilot.press("enter")
            await settled(pilot)
            assert "no feed-forward" in app.text
            assert "│ feed-forward " not in app.text
            await choose(pilot, app, "shapes")
            assert "W1" not in app.setup.beside.shapes_pane.copied
            assert "feed-forward" not in app.setup.beside.shapes_pane.copied

    async def test_while_the_model_cannot_be_built_the_last_one_that_could_be_stands_there(self) -> None:
        async with opened((200, 60)) as (app, pilot):
            before = app.setup.beside.drawing_pane.copied
            assert "architecture · 410k parameters" in app.text
            await go(pilot, app, "n_head")
            await pilot.press("l")
            await settled(pilot)
            assert app.setup.config is None
            assert app.setup.beside.drawing_pane.copied == before
            assert "architecture · as it was last sound" in app.text
            assert "cost · as it was last sound" in app.text
            assert "1 wrong · x goes there" in app.text
            help_text = app.setup.beside.help_pane.copied
            assert "n_embd: must be divisible by n_head = 5" in help_text, help_text
            assert "409,984 (vocabulary 65" in app.setup.beside.cost_pane.copied
            await go(pilot, app, "max_iters")
            await pilot.press("u")
            await settled(pilot)
            assert "last sound" not in app.text

    async def test_while_the_model_cannot_be_built_no_field_of_it_is_said_to_have_no_effect(self) -> None:
        async with opened((200, 60)) as (app, pilot):
            await go(pilot, app, "head")
            await pilot.press("enter")
            await settled(pilot)
            assert app.setup.config is None
            assert "no effect" not in app.shown("n_embd")[0] + app.shown("n_head")[0]

    async def test_esc_leads_back_to_the_form_from_what_stands_beside_it(self) -> None:
        async with opened((120, 40)) as (app, pilot):
            app.setup.beside.help_pane.focus()
            await settled(pilot)
            assert app.setup.leave()
            await settled(pilot)
            assert app.setup.pane.has_focus
            assert not app.setup.leave()

    async def test_only_what_is_in_sight_is_drawn(self) -> None:
        async with opened((80, 24)) as (app, pilot):
            assert app.setup.beside.shapes_pane.copied == ""
            assert app.setup.beside.drawing_pane.copied == ""
            await choose(pilot, app, "shapes")
            assert "(12,192,128)" in app.setup.beside.shapes_pane.copied
            assert "a step, " in app.setup.beside.shapes_pane.copied
            assert "in all, estimated" in " ".join(app.setup.beside.shapes_pane.copied.split())
            assert app.setup.beside.drawing_pane.copied == ""

    async def test_the_drawing_goes_along_to_the_part_under_the_cursor(self) -> None:
        async with opened((80, 24), **preset_of("nanogpt-cpu")) as (app, pilot):
            await choose(pilot, app, "architecture")
            assert "│ token embedding" in app.text
            await go(pilot, app, "tied_head")
            await until(pilot, lambda: "the embedding's table" in app.text)
            await go(pilot, app, "n_embd")
            await until(pilot, lambda: "│ token embedding" in app.text)


class TestLayout:
    @pytest.mark.parametrize("size", [*SIZES, (60, 16), (100, 30), (150, 30)])
    @pytest.mark.parametrize("name", ["quick", "lecture-bigram"])
    @pytest.mark.soak
    async def test_every_choice_can_be_reached_and_read_at_every_size(self, size: tuple[int, int], name: str) -> None:
        async with opened(size, **preset_of(name)) as (app, pilot):
            rows = 7 if size >= (80, 24) else 3
            for chosen in app.setup.choices():
                await choose(pilot, app, chosen)
                assert app.setup.pane.scrollable_content_region.height >= rows
                pane = pane_of(app, chosen)
                assert pane.region.bottom <= size[1] - 1
                assert pane.region.right <= size[0]
                if chosen != "explanation":
                    room = pane.scrollable_content_region.width
                    assert max(map(len, pane.copied.splitlines())) <= room

    async def test_a_wide_screen_shows_the_architecture_beside_the_explanation(self) -> None:
        async with opened((200, 60)) as (app, _):
            for words in ("token embedding", "causal, 6 of T", "parameters", "what is set", "Choosing a preset"):
                assert words in app.text

    async def test_v_goes_around_and_the_form_keeps_the_keys(self) -> None:
        async with opened((80, 24)) as (app, pilot):
            seen = []
            for _ in range(4):
                seen.append(app.setup.chosen)
                assert app.focused is app.setup.pane
                await pilot.press("v")
                await settled(pilot)
            assert seen == ["explanation", "shapes", "architecture", "explanation"]
            assert app.setup.choices() == ("explanation", "shapes", "architecture")

    @pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
    @pytest.mark.soak
    async def test_a_pane_out_of_sight_is_jumped_to(self, size: tuple[int, int]) -> None:
        async with opened(size) as (app, pilot):
            beside, setup = app.setup.beside, app.setup
            letters = panes.jumps(setup)
            assert {letters[letter][1] for letter in "hosac"} == {
                beside.help_pane, beside.cost_pane, beside.shapes_pane, beside.drawing_pane, beside.changes_pane,
            }  # fmt: skip
            for pane in (beside.shapes_pane, beside.drawing_pane, beside.changes_pane, beside.help_pane):
                setup.go_to(pane)
                await until(pilot, lambda wanted=pane: app.focused is wanted and in_sight(wanted))  # type: ignore[misc]
                assert pane.copied

    async def test_in_ascii_the_panes_are_ascii_too(self) -> None:
        async with opened((200, 60), ascii=True, **preset_of("gpt2")) as (app, pilot):
            for chosen in ("explanation", "shapes"):
                await choose(pilot, app, chosen)
                assert app.filter_ascii is not None
                strips = app.screen._compositor.render_strips()
                lines = ["".join(s.text for s in app.filter_ascii.apply(list(s), Color(0, 0, 0))) for s in strips]
                assert "\n".join(lines).isascii()


def in_sight(pane: Widget) -> bool:
    return panes.has_place(pane) and bool(pane.size)


class TestWithoutEffect:
    async def test_it_is_said_at_the_row_and_in_the_help_and_is_no_fault(self) -> None:
        async with opened((80, 24), **preset_of("lecture-bigram")) as (app, pilot):
            await go(pilot, app, "n_head")
            assert "no effect: there is no attention" in app.row("n_head")
            assert "✕" not in app.text
            assert app.setup.config is not None
            assert app.setup.beside.help_pane.copied.startswith("no effect: there is no attention")

    async def test_where_the_row_has_no_room_for_why_the_help_tells_it(self) -> None:
        async with opened((120, 40), **preset_of("lecture-bigram")) as (app, pilot):
            await go(pilot, app, "n_layer")
            assert app.row("n_layer").rstrip().endswith("no effect")
            assert len(app.shown("n_layer")) == 1
            why = "there are no blocks: neither attention nor feed-forward"
            assert why in app.setup.beside.help_pane.copied
            await choose(pilot, app, "shapes")  # where there is no help, the row tells it below
            await until(pilot, lambda: len(app.shown("n_layer")) > 1)
            assert why in " ".join(" ".join(app.shown("n_layer")[1:]).split())
            await go(pilot, app, "n_embd")
            assert len(app.shown("n_layer")) == 1

    async def test_it_goes_with_the_switch(self) -> None:
        async with opened((80, 24)) as (app, pilot):
            await go(pilot, app, "attention")
            await pilot.press("enter")
            await settled(pilot)
            await go(pilot, app, "n_head")
            assert "no effect" in app.row("n_head")
            await pilot.press("u")
            await settled(pilot)
            assert "no effect" not in app.row("n_head")

    async def test_a_long_fault_can_be_read_whole_at_its_row_and_in_the_help(self) -> None:
        async with opened((80, 24)) as (app, pilot):
            await go(pilot, app, "head")
            await pilot.press("enter")
            await until(pilot, lambda: app.setup.beside.help_pane.copied.startswith("✕"))
            await settled(pilot)
            (fault,) = app.setup.faults
            assert fault.field == "head"
            for text in (" ".join(app.shown("head")[1:]), app.setup.beside.help_pane.copied):
                assert fault.message in " ".join(text.split())


class TestPace:
    @pytest.fixture
    def runs_dir(self, tmp_path: Path) -> Path:
        """A shelf with one run of the default configuration, each step of which took 50 ms here."""
        config = RunConfig()
        record = RunRecord(
            created="2026-11-20T14:25:01+00:00",
            versions={},
            platform="here",
            cpu=processor_name(),
            device="cpu",
            dtype="float32",
            threads=physical_cores(),
            dataset=DatasetRecord(
                name="shakespeare", sha256="0" * 64, characters=1_115_394, vocab_size=65, train_tokens=1_003_854,
                val_tokens=111_540,
            ),
            source="",
            tokenizer={"kind": "char", "characters": "ab"},
            parameters=1,
            ladder={},
            passage="",
        )  # fmt: skip
        tokens = config.tokens_per_step
        with Shelf(tmp_path / "runs").create(config, "yesterday", record) as writer:
            for n in range(1, 40):
                writer.append(
                    Step(
                        step=n, loss=1.0, learning_rate=1e-3, grad_norm=1.0, tokens=n * tokens,
                        tokens_per_second=tokens / 0.05,
                    )
                )  # fmt: skip
        return tmp_path / "runs"

    async def test_time_is_told_as_a_run_on_the_shelf_went_here(self, runs_dir: Path) -> None:
        async with opened((120, 40), runs_dir=runs_dir) as (app, pilot):
            await until(pilot, lambda: app.setup.pace is not None)
            await settled(pilot)
            assert "50 ms a step" in app.text
            assert "as yesterday went here" in " ".join(app.text.split())
            assert app.setup.pace is not None
            estimate = estimate_seconds(RunConfig(), 65, physical_cores())
            assert app.setup.pace.ratio == pytest.approx(0.05 / estimate)

    async def test_without_a_run_here_it_is_said_to_be_an_estimate(self, tmp_path: Path) -> None:
        async with opened((120, 40), runs_dir=tmp_path / "none") as (app, pilot):
            await settled(pilot)
            assert "estimated" in app.text
            assert "about" in app.text

    async def test_the_bigram_which_computes_nothing_still_takes_time(self) -> None:
        async with opened((120, 40), **preset_of("lecture-bigram")) as (app, _):
            assert re.search(r"about \d\.\d ms a step", app.text)
            assert "4,225" in app.text


async def test_choosing_gpt2_tells_its_own_size_and_what_it_would_cost_on_these_characters() -> None:
    async with opened((120, 40)) as (app, pilot):
        app.setup._choose_preset("gpt2")
        await settled(pilot)
        said = " ".join(app.setup.beside.help_pane.copied.split())
        assert "124,439,808 parameters with its own vocabulary of 50,257" in said
        assert f"{124_439_808 - (50_257 - 65) * 768:,} (vocabulary 65" in app.text
