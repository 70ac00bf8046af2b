"""Small parts of the screen: numbers, visible text, remembered ways, drawing without colour or beyond ASCII."""

from __future__ import annotations

import math
import unicodedata
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.color import Color

from gpt_tui.core.activity import LAST_EVALUATION
from gpt_tui.core.config import Layer, build, resolve
from gpt_tui.core.presets import find_preset
from gpt_tui.core.session import Snapshot
from gpt_tui.tui import commands, figures, preferences
from gpt_tui.tui.form import Form
from gpt_tui.tui.naming import preset_name
from gpt_tui.tui.pace import FASTEST, OVER_SSH, SLOWEST, Pace
from gpt_tui.tui.plain import one_line, visible
from gpt_tui.tui.preferences import Preferences
from gpt_tui.tui.state import State
from gpt_tui.tui.theme import _ASCII, LOOKS, AsciiFilter, NoColourFilter


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (figures.loss(1.8314), "1.831"),
        (figures.loss(math.nan), "nan"),
        (figures.loss(math.inf), "inf"),
        (figures.loss(None), "–"),
        (figures.rate(0.012), "1.2e-2"),
        (figures.rate(0.0), "0"),
        (figures.norm(12.345), "12.3"),
        (figures.norm(math.inf), "inf"),
        (figures.count(999), "999"),
        (figures.count(999.7), "1.00k"),
        (figures.count(42_140), "42.1k"),
        (figures.count(606_592), "607k"),
        (figures.count(999_960), "1.00M"),
        (figures.count(10_788_929), "10.8M"),
        (figures.size(256), "256 B"),
        (figures.size(1_024), "1 kB"),
        (figures.size(812_400_000), "812 MB"),
        (figures.size(1_200_000), "1.2 MB"),
        (figures.duration(4e9), "127 years"),
        (figures.size(3_140_000_000), "3.1 GB"),
        (figures.duration(8.4), "0:08"),
        (figures.duration(59.7), "1:00"),
        (figures.duration(3723), "1:02:03"),
        (figures.duration(400_000), "4 d 15 h"),
        (figures.duration(math.nan), "–"),
    ],
)
def test_numbers_are_written_short(shown: str, expected: str) -> None:
    assert shown == expected


@pytest.mark.parametrize("value", [0.0, 0.004, 1.8, 99.99, 950.0, 12_345.0, 8e6, 9.99e9])
def test_a_number_never_outgrows_its_place(value: float) -> None:
    assert len(figures.count(value)) <= 5
    assert len(figures.rate(value)) <= 6


def test_a_small_curve_has_a_cell_for_each_value_and_a_gap_where_there_is_none() -> None:
    assert figures.spark([0, 1, 2, 3, 4, 5, 6, 7]) == "▁▂▃▄▅▆▇█"
    assert figures.spark([1, math.nan, 2]) == "▁ █"
    assert figures.spark([3, 3]) == "▄▄"
    assert figures.spark([math.nan]) == " "
    assert figures.spark([]) == ""


def test_an_untrained_loss_does_not_make_all_alike_that_was_learned_later() -> None:
    assert figures.spark([4.4, 2.4, 2.1, 1.9, 1.8]) == "█▇▄▂▁"
    assert figures.spark([math.nan, 4.4, 2.4, 2.1, 1.9, 1.8]) == " █▇▄▂▁"
    assert figures.spark([4.4, 3.5, 2.1, 1.8]) == "█▆▁▁", "not far above: one scale for all"
    assert figures.spark([2.1, 2.0, 9.0]) == "▁▁█", "what stands out later is a spike, and is seen as one"
    assert figures.spark([4.4, 2.4]) == "█▁"


def test_a_bar_is_full_at_the_end_and_never_longer_than_it_is() -> None:
    assert [tuple(map(len, figures.bar(share, 10))) for share in (-1, 0, 0.55, 1, 7)] == [
        (0, 10), (0, 10), (6, 4), (10, 0), (10, 0),
    ]  # fmt: skip


def test_text_from_a_model_cannot_move_the_cursor_or_hide() -> None:
    assert visible("a\tb\r\nc\x1b[2J\u202ed\x07") == "a   b\nc\\x1b[2J\\u202ed\\x07"
    assert one_line("two\nlines") == "two⏎lines"


def test_what_is_drawn_has_an_ascii_character_of_the_same_width() -> None:
    for character, plain in _ASCII.items():
        assert plain.isascii()
        assert cell_len(character) == cell_len(plain) == 1, unicodedata.name(character)
    drawn = "".join(look.glyph for look in LOOKS.values()) + "╭─╮│⠑⢄⠀▰▱▁█┄◆"
    (segment,) = AsciiFilter().apply([Segment(drawn, Style(bold=True))], Color.parse("black"))
    assert segment.text.isascii()
    assert len(segment.text) == len(drawn)
    assert segment.style == Style(bold=True)


def test_without_colour_pale_text_is_dim_and_a_highlight_is_reversed() -> None:
    def plain(style: str) -> str:
        (segment,) = NoColourFilter().apply([Segment("x", Style.parse(style))], Color.parse("black"))
        assert segment.style is not None
        return str(segment.style)

    assert plain("#d3d7de on #14161a") == "not dim not reverse"
    assert plain("#64676c on #14161a") == "dim not reverse"
    assert plain("#d3d7de on #2f5d57") == "not dim reverse"
    assert plain("bold underline #56b6a6 on #14161a") == "bold not dim underline not reverse"


def test_drawing_is_seldom_over_ssh_and_when_nothing_happens() -> None:
    assert Pace({}).next() >= FASTEST
    assert Pace({"SSH_TTY": "/dev/pts/1"}).next() >= OVER_SSH
    assert Pace({}).next(busy=False) == SLOWEST


def test_preferences_are_kept_whole(tmp_path: Path) -> None:
    kept = Preferences("setup", "nord", True, 0.98, "tokens")
    preferences.save(tmp_path / "new", kept)
    assert preferences.load(tmp_path / "new") == kept
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["playground.json"]


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"smoothing": NaN}', '{"smoothing": 1.5, "view": 3}'])
def test_broken_preferences_are_the_defaults(tmp_path: Path, content: str) -> None:
    (tmp_path / "playground.json").write_text(content)
    assert preferences.load(tmp_path) == Preferences()


def test_the_palette_changes_the_run_or_the_form_and_refuses_in_words() -> None:
    edited: list[tuple[str, object]] = []
    in_form: list[tuple[str, object]] = []
    said: list[str] = []
    form = Form(resolve([Layer("flag", {"n_embd": 64})]))

    def offers(typed: str, running: bool = True) -> list[commands.Command]:
        return commands.of_field(
            typed,
            build({}) if running else None,
            form,
            edit=lambda name, value: edited.append((name, value)),
            set_in_form=lambda name, value: in_form.append((name, value)),
            say=said.append,
        )

    (offer,) = offers("learning-rate=0.001")
    assert offer.label == "learning_rate 0.012 → 0.001"
    offer.do()
    assert edited == [("learning_rate", 0.001)]
    (offer,) = offers("n_embd 96")
    assert offer.label == "n_embd 64 → 96"
    assert "needs a new run" in offer.help
    assert "N starts" in offer.help
    offer.do()
    assert in_form == [("n_embd", 96)]
    (offer,) = offers("grad_clip off", running=False)
    offer.do()
    assert in_form[1] == ("grad_clip", "off")
    for running in (True, False):
        (offer,) = offers("learning_rate -1", running)
        assert offer.label == "learning_rate cannot be -1"
        offer.do()
        assert said.pop().startswith("learning_rate cannot be -1: must be")
    assert len(edited) == 1
    assert [offer.label for offer in offers("learning rate 0.001")] == ["learning_rate 0.012 → 0.001"]
    assert [offer.label for offer in offers("prompt O ROMEO: =")] == ["prompt empty → O ROMEO: ="]
    assert offers("density") == offers("learning") == offers("learning_rate") == []


def test_the_palette_finds_a_field_by_a_part_of_its_name() -> None:
    shown: list[str] = []
    form = Form(resolve([]))
    found = [c for c in commands.of_fields(build({}), form, shown.append) if c.matches(["lear", "rate"])]
    assert [command.label for command in found][:1] == ["learning_rate"]
    assert found[0].help.startswith("0.012 now; type the new value after it.")
    found[0].do()
    assert shown == ["learning_rate"]
    help_of = {command.label: command.help for command in commands.of_fields(None, form, shown.append)}
    assert help_of["prompt"].startswith("empty in Setup; type the new value after it.")


def test_a_run_is_called_after_its_preset_and_whether_it_is_that_still() -> None:
    preset = find_preset("nanogpt-cpu")
    assert preset_name("nanogpt-cpu", preset.config()) == "nanogpt-cpu"
    assert preset_name("nanogpt-cpu", build({**preset.values, "dataset": "masque", "seed": 2})) == "nanogpt-cpu"
    assert preset_name("nanogpt-cpu", build({**preset.values, "n_layer": 5})) == "nanogpt-cpu, changed"


@pytest.mark.parametrize(
    ("room", "said"),
    [
        (60, "● TRAINING evaluating on the whole validation split 25%"),
        (54, "● TRAINING evaluating 25%"),
        (24, "● TRAINING"),
        (3, "● TRAINING"),
    ],
)
def test_the_state_says_as_much_of_what_is_done_as_there_is_room_for(room: int, said: str) -> None:
    state = State("TRAINING", "evaluating on the whole validation split", 1, 4, took=5)
    assert state.shown(room).plain == said


@pytest.mark.parametrize(
    ("snapshot", "said"),
    [
        (
            Snapshot("TRAINING", "STOPPING", LAST_EVALUATION, 1, 4, left=9.0),
            f"■ STOPPING {LAST_EVALUATION} 25%, 0:09 left",
        ),
        (Snapshot("TRAINING", "PAUSING", "evaluating", 1, 4, left=0.1), "‖ PAUSING"),
        (Snapshot("PAUSED", "", "evaluating", 1, 4, left=9.0), "‖ PAUSED evaluating 25%, 0:09 left"),
        (Snapshot("PAUSED", "", "training", 1, 4), "‖ PAUSED"),
        (Snapshot("FINISHED", "", LAST_EVALUATION, 4, 4, left=9.0), "■ FINISHED"),
    ],
)
def test_what_takes_long_is_said_whatever_was_asked_for_meanwhile(snapshot: Snapshot, said: str) -> None:
    assert State.of_snapshot(snapshot).shown(100).plain == said
