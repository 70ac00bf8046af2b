"""One whole session by the keyboard alone, in the real program on a real terminal, at each of the three sizes.

Only keys that every keyboard and every terminal has are pressed: letters, digits, signs, space, enter, esc, tab,
backspace and arrows. No ctrl, no alt, no mouse.
"""

from __future__ import annotations

import base64
import re
import shlex
import shutil
from pathlib import Path

import pytest

from gpt_tui.core.runs import Shelf
from program import run

pytest.importorskip("termios", reason="there is no pseudo-terminal on Windows")
from acting import (
    SIZES,
    TINY_FILE,
    assert_saved_whole,
    assert_whole,
    enter_value,
    events,
    find_field,
    furnish,
    opened,
    step_on_screen,
    tiny,
)
from pseudo_terminal import KEYS, Terminal

EVERY_SIZE = pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
pytestmark = pytest.mark.soak


class Keyboard(Terminal):
    """A terminal at which no key is pressed that some terminal keeps for itself."""

    def press(self, *keys: str) -> None:
        for key in keys:
            assert key in KEYS or key.isprintable(), f"{key!r} is not on every keyboard"
        super().press(*keys)


@pytest.fixture(scope="module")
def old_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a run of 300 steps, with checkpoints of steps 0, 100, 200 and 300."""
    place = tmp_path_factory.mktemp("old")
    furnish(place)
    done = run(
        place, "--headless", "--quiet", *tiny(place), "--max-iters", "300", "--checkpoint-interval", "100",
        "--run-name", "older",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return place / "runs" / "older"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A text, and a person's own file that makes every model tiny."""
    furnish(tmp_path)
    (tmp_path / "config.toml").write_text(TINY_FILE, encoding="utf-8")
    return tmp_path


# The first start ---------------------------------------------------------------------------------------------------


def test_each_of_the_three_choices_of_the_first_start_leads_where_it_says(place: Path) -> None:
    """Two of them; the third begins the whole session."""
    (place / "config.toml").write_text(f'{TINY_FILE}[data]\ndataset = "{place / "text.txt"}"\n', encoding="utf-8")
    with Keyboard(place) as terminal:
        terminal.wait("▸ Watch it learn")
        terminal.press("enter")
        terminal.wait(lambda: "● TRAINING" in terminal.text and step_on_screen(terminal) > 0)
        terminal.press("q")
        terminal.assert_ends()
    (watched,) = Shelf(place / "runs").runs()
    assert assert_whole(watched) > 0

    with Keyboard(place, GPT_TUI_STATE_DIR=str(place / "other")) as terminal:
        terminal.wait("▸ Watch it learn")
        terminal.press("down", "enter")
        terminal.wait("the path of a text")
        terminal.press("esc")
        terminal.wait(lambda: "the path of a text" not in terminal.text)  # esc and an arrow at once are another key
        terminal.press("down")
        terminal.wait("▸ Look at an old run")
        terminal.press("enter")
        terminal.wait(lambda: "stopped" in terminal.text and "checkpoints" in terminal.text)
        terminal.press("q")
        terminal.assert_ends()

    with Keyboard(place, GPT_TUI_STATE_DIR=str(place / "other")) as terminal:
        terminal.wait("1 run")
        assert "Watch it learn" not in terminal.text
        terminal.press("q")
        terminal.assert_ends()


# The session -------------------------------------------------------------------------------------------------------


@EVERY_SIZE
def test_a_whole_session_by_keyboard_alone(size: tuple[int, int], place: Path, old_run: Path) -> None:
    for name in ("older", "spare"):
        shutil.copytree(old_run, place / "runs" / name)
    columns, rows = size
    with Keyboard(place, columns=columns, rows=rows) as terminal:
        begin_with_a_text_of_ones_own(terminal)
        set_up(terminal)
        terminal.press("space")
        terminal.wait("● TRAINING")
        terminal.press("1")
        watch(terminal, narrow=columns < 100)
        steer(terminal)
        read_samples(terminal)
        generate(terminal)
        name = keep_the_shelf(terminal)
        compare(terminal)
        fork_resume_and_delete(terminal, name)
        terminal.press("q")
        terminal.assert_ends()
        terminal.assert_restored()
        written = terminal.written

    mine = opened(place, name)
    assert assert_whole(mine) == assert_saved_whole(mine, "stopped")
    assert [event["changes"] for event in events(mine, "edit")] == [{"learning_rate": [0.012, 0.002]}]
    assert (len(events(mine, "paused")), len(events(mine, "resumed"))) == (2, 1)
    assert "asked" in {reason for kept in mine.checkpoints() for reason in kept.reasons}
    assert len(events(mine, "continued")) == 1
    assert mine.config().model.n_embd == 24

    older = opened(place, "older")
    notes = older.shelf_notes()
    assert (notes.title, notes.note, notes.pins) == ("the first one", "it learned to write", ("000300",))
    assert assert_whole(older) == 300
    fork = opened(place, "older-fork")
    parent = fork.record().parent
    assert parent is not None
    assert (parent.run, parent.step) == ("older", 200)
    assert assert_whole(fork, since=200) == 300
    assert sorted(found.name for found in Shelf(place / "runs").runs()) == sorted([name, "older", fork.name])

    copied = (place / "state" / "clipboard.txt").read_text(encoding="utf-8")
    assert base64.b64encode(copied.encode()) in written
    shown = run(place, *shlex.split(copied)[1:], "--print-config")
    assert shown.returncode == 0, shown.stderr
    assert re.search(r"n_embd = 24\b", shown.stdout)
    assert "text.txt" in shown.stdout


def begin_with_a_text_of_ones_own(terminal: Terminal) -> None:
    for words in ("Watch it learn", "Open my own text", "Look at an old run"):
        terminal.wait(words)
    terminal.press("down", "enter")
    terminal.wait("tab completes")
    terminal.press("te")
    terminal.wait("text.txt")
    terminal.press("tab", "enter")
    terminal.wait("what a model reads of")
    terminal.wait("Vocabulary")
    terminal.press("esc")
    terminal.wait("23 distinct")


def set_up(terminal: Terminal) -> None:
    """Change a field, take that back, type another value, keep the form as a preset, copy the command."""
    find_field(terminal, "n_embd")
    terminal.press("right")
    terminal.wait(lambda: re.search(r"▸n_embd +◂ +(?!16)\d+▸", terminal.text))
    terminal.press("u")
    terminal.wait(lambda: re.search(r"▸n_embd +◂ +16▸", terminal.text))
    enter_value(terminal, "n_embd", "24")
    terminal.press("P")
    terminal.wait("keep the form as a preset of your own")
    terminal.press("end", *["backspace"] * 24, "mine", "enter")
    terminal.wait("setup · mine")
    terminal.press("y")
    terminal.wait("--preset mine")


def watch(terminal: Terminal, narrow: bool) -> None:
    """The chart and the look of things."""
    terminal.wait(lambda: step_on_screen(terminal) > 250)
    chart = {
        "a": "smoothing 0.98", "o": "log y", "u": "x tokens", "+": "zoomed", "O": "log x",
    }  # fmt: skip
    assert "smoothing 0.9 " in terminal.text
    for key, sign in chart.items():
        terminal.press(key)
        terminal.wait(sign)
    terminal.press("0", "O")
    terminal.wait(lambda: not any(sign in terminal.text for sign in ("zoomed", "log x")))

    terminal.press("x")
    terminal.wait(lambda: re.search(r"━ train +\d\.\d{4}", terminal.text))
    before = chart_box(terminal)
    terminal.press("home")
    terminal.wait(lambda: chart_box(terminal) != before and re.search(r"━ train +3\.\d{3}", terminal.text))
    terminal.press("esc")
    terminal.wait(lambda: not re.search(r"━ train +\d\.\d{4}", terminal.text))

    if narrow:
        terminal.press("b")
        terminal.wait("untrained · step 0")
    else:
        assert "untrained · step 0" in terminal.text
        assert "trained · step" in terminal.text
    terminal.press("b")
    terminal.wait("b: untrained" if narrow else "Both samples are on the screen")

    terminal.press("z")
    terminal.wait(lambda: "tok/s" not in terminal.text)
    terminal.press("z")
    terminal.wait("tok/s")
    whole = size_of_chart(terminal)
    terminal.press("<", "<")
    terminal.wait(lambda: size_of_chart(terminal) < whole)
    terminal.press(">", ">")
    terminal.wait(lambda: all(abs(now - then) <= 1 for now, then in zip(size_of_chart(terminal), whole, strict=True)))
    terminal.press("Z")
    terminal.wait(lambda: "╭" not in terminal.text)
    terminal.press("Z", "t")
    terminal.wait(lambda: "╭" in terminal.text and "theme gpt-tui-light" in terminal.text)

    terminal.press("?")
    terminal.wait("? closes")
    assert "Move the crosshair" in terminal.text
    terminal.press("G")
    terminal.wait("Save, restore the terminal, leave.")
    terminal.press("?")
    terminal.wait(lambda: "? closes" not in terminal.text)


def chart_box(terminal: Terminal) -> list[str]:
    """The chart with its frame, which begins in the second line's first column."""
    lines = terminal.lines[1:]
    last = next((at for at, line in enumerate(lines) if line.startswith("╰")), len(lines))
    return [line[: line.find("╮", 1) + 1 or None] if at == 0 else line for at, line in enumerate(lines[: last + 1])]


def size_of_chart(terminal: Terminal) -> tuple[int, int]:
    box = chart_box(terminal)
    return len(box[0]), len(box)


def steer(terminal: Terminal) -> None:
    """A live edit through the palette; pause, one step, save, resume; and pause, for what comes now is reading."""
    terminal.press(":")
    terminal.wait("enter does it")
    terminal.press("learning_rate 0.002")
    terminal.wait(lambda: re.search(r"learning_rate.*0\.002", terminal.text.partition("learning_rate 0.002")[2]))
    terminal.press("enter")
    terminal.wait(lambda: re.search(r"(lr|learning rate) +2\.0e-3", terminal.text))
    terminal.press("space")
    terminal.wait("‖ PAUSED")
    paused_at = step_on_screen(terminal)
    terminal.press(".")
    terminal.wait(lambda: step_on_screen(terminal) == paused_at + 1)
    terminal.press("w")
    terminal.wait(f"checkpoint {paused_at + 1}, asked")
    terminal.press("space")
    terminal.wait(lambda: "● TRAINING" in terminal.text and step_on_screen(terminal) > paused_at + 1)
    terminal.press("space")
    terminal.wait("‖ PAUSED")


def read_samples(terminal: Terminal) -> None:
    terminal.press("3")
    terminal.wait(lambda: re.search(r"evaluation (\d+) of \1 · newest", terminal.text))
    terminal.press("home")
    terminal.wait("evaluation 1 of")
    terminal.press("right")
    terminal.wait("evaluation 2 of")
    terminal.press("c")
    terminal.wait("bits a character")
    terminal.press("d")
    terminal.wait("learned since step 0")
    terminal.press("d", "p")
    terminal.wait("text to go on from")
    terminal.press("the king", "enter")
    terminal.wait("asked: “the king”, seed 1337")
    terminal.wait(lambda: terminal.text.count("the king") >= 3)
    terminal.press("n")
    terminal.wait("seed 1338")
    terminal.press("esc")
    terminal.wait("with seed 1337")
    terminal.press("end")
    terminal.wait("· newest")


def generate(terminal: Terminal) -> None:
    """A prompt, another sampler, the cursor over the text, a second voice."""
    terminal.press("4")
    terminal.wait(lambda: re.search(r"max_new_tokens +40", terminal.text))
    terminal.press("p", "love", "enter")
    terminal.wait("40 tokens ·")
    terminal.press(";", "s", "right")
    terminal.wait(lambda: re.search(r"▸temperature +◂ +0\.9▸", terminal.text))
    terminal.press("down")
    enter_value(terminal, "top_k", "3")
    terminal.press("space")
    terminal.wait("sampler")
    terminal.wait("40 tokens ·")
    terminal.press(";", "t")
    terminal.wait(lambda: re.search(r"▸\S? +[█▉▊▋▌▍▎▏]", terminal.text))
    told = likeliest(terminal)
    terminal.press("left", "left", "left")
    terminal.wait(lambda: likeliest(terminal) not in ([], told))
    terminal.press("v")
    terminal.wait(lambda: "untrained, step 0" in terminal.text and terminal.text.count("40 tokens") == 2)
    terminal.press("v")
    terminal.wait(lambda: "untrained, step 0" not in terminal.text)


def likeliest(terminal: Terminal) -> list[str]:
    """The figures of the tokens at the cursor."""
    return re.findall(r"(?:\d\.\d{3}|<\.001)", terminal.text)


def keep_the_shelf(terminal: Terminal) -> str:
    """Filter, title, note, pin, mark. The name of the run at work."""
    terminal.press("5")
    terminal.wait(lambda: "‖ paused" in terminal.text and "older" in terminal.text)
    terminal.press("g")
    terminal.wait(lambda: re.search(r"▸.*‖ paused", terminal.text))
    terminal.wait(lambda: re.search(r"name +\d{8}-\d{6}-mine", terminal.text))
    name = re.findall(r"name +(\d{8}-\d{6}-mine)", terminal.text)[0]
    terminal.press("m")
    terminal.wait("1 marked")
    terminal.press("/")
    terminal.wait("letters of a name")
    terminal.press("older", "enter")
    terminal.wait(lambda: "runs · “older”" in terminal.text and re.search(r"▸ +older +■ finished", terminal.text))
    terminal.press("r")
    terminal.wait(lambda: re.search(r"^ title +\S", terminal.text, re.MULTILINE))
    terminal.press("the first one", "enter")
    terminal.wait(lambda: re.search(r"▸ +the first one +■ finished", terminal.text))
    terminal.press("i")
    terminal.wait("what there is to know about this run")
    terminal.press("it learned to write", "enter")
    terminal.wait(lambda: re.search(r"note +it learned to", terminal.text))
    terminal.press("m")
    terminal.wait("2 marked")
    terminal.press("tab")
    terminal.wait("enter speak")
    terminal.press("p")
    terminal.wait("Checkpoint 000300 is pinned")
    return name


def compare(terminal: Terminal) -> None:
    terminal.press("o")
    terminal.wait("2 runs compared")
    terminal.wait("what differs")
    terminal.wait(lambda: re.search(r"n_embd +(24 +16|16 +24)", terminal.text))
    terminal.press("u")
    terminal.wait("x tokens")
    terminal.press("x")
    terminal.wait(lambda: re.search(r"\d tokens", terminal.text))
    terminal.press("esc", "esc")
    terminal.wait("runs · “older”")
    terminal.press("esc")
    terminal.wait("spare")


def fork_resume_and_delete(terminal: Terminal, name: str) -> None:
    move_to(terminal, "the first one")
    terminal.press("tab")
    terminal.wait("enter speak")
    terminal.press("down")
    terminal.wait("resume at 200")
    terminal.press("f")
    terminal.wait(lambda: "-older-f" in terminal.lines[0] and "■ FINISHED" in terminal.text)
    terminal.wait(lambda: step_on_screen(terminal) == 300)

    terminal.press("5")
    terminal.wait(lambda: re.search(r"-olde\S* +■ finished", terminal.text))
    move_to(terminal, "■ stopped")
    terminal.press("space")
    terminal.wait(lambda: name in terminal.lines[0] and "● TRAINING" in terminal.text)

    terminal.press("5")
    terminal.wait("spare")
    move_to(terminal, "spare")
    terminal.press("d")
    terminal.wait("delete 1 run?")
    terminal.press("n")
    terminal.wait(lambda: "Nothing is deleted." in terminal.text and "delete 1 run?" not in terminal.text)
    terminal.press("d")
    terminal.wait("delete 1 run?")
    terminal.press("y")
    terminal.wait("spare is deleted")
    terminal.wait(lambda: not re.search(r"spare +■", terminal.text))


def move_to(terminal: Terminal, words: str) -> None:
    """Move the cursor of the list of runs down to the row with these words."""
    terminal.press(";")
    terminal.wait("jump to")
    terminal.press("u", "g")
    for place in range(1, 5):
        terminal.wait(
            lambda place=place: "jump to" not in terminal.text and re.search(rf" {place}/\d ─╯", terminal.text)
        )
        if any("▸" in line and words in line.partition("▸")[2] for line in terminal.lines):
            return
        terminal.press("j")
    raise AssertionError(f"no row with {words!r} in\n{terminal.text}")
