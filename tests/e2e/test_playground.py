"""The real program in a real terminal: a run from the first frame to the last, and everything that can come between."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import textwrap
from pathlib import Path

import pytest

from gpt_tui.core.runs import Run, load_checkpoint
from program import command, run

pytest.importorskip("termios", reason="there is no pseudo-terminal on Windows")
from acting import (
    SIZES,
    assert_saved_whole,
    enter_value,
    events,
    find_field,
    furnish,
    opened,
    step_on_screen,
    tiny,
    train,
)
from pseudo_terminal import Terminal


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the program keeps everything in these tests, with a text to learn in it."""
    place = tmp_path_factory.mktemp("terminal")
    furnish(place)
    return place


# The story -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def told(place: Path) -> Run:
    """A run that a person has had from beginning to end, each moment checked on the screen."""
    with Terminal(place, *tiny(place), "--run-name", "story") as terminal:
        terminal.wait("■ READY")
        assert "space start" in terminal.lines[-1]
        train(terminal)
        assert "space pause" in terminal.lines[-1]
        terminal.wait(lambda: re.search(r"─ trained · step \d+ · val \d", terminal.text))
        assert re.search(r"loss \d\.\d", terminal.text)
        assert "uniform" in terminal.text
        assert "unigram" in terminal.text

        terminal.press("\x03")
        terminal.wait("q saves the run and leaves")
        terminal.press("space")
        terminal.wait("‖ PAUSED")
        paused_at = step_on_screen(terminal)
        terminal.press(".")
        terminal.wait(lambda: step_on_screen(terminal) == paused_at + 1)

        terminal.press("2")
        terminal.wait("setup · beside story")
        find_field(terminal, "learning_rate")
        enter_value(terminal, "learning_rate", "0.002")
        terminal.press("1")
        terminal.wait("learning_rate 0.012 → 0.002")
        assert step_on_screen(terminal) == paused_at + 1
        terminal.press("space")
        terminal.wait(lambda: "● TRAINING" in terminal.text and step_on_screen(terminal) > paused_at + 20)

        terminal.press("s")
        terminal.wait("■ STOPPED")
        terminal.wait(lambda: re.search(r"stopped at step \d+: validation \d", terminal.text))
        terminal.press("q")
        terminal.assert_ends()
        terminal.assert_restored()
    return opened(place, "story")


def test_a_run_is_started_paused_edited_resumed_stopped_and_left_complete(told: Run) -> None:
    assert {path.name for path in told.path.iterdir()} >= {"config.toml", "run.json", "events.jsonl", "checkpoints"}
    assert [event["changes"] for event in events(told, "edit")] == [{"learning_rate": [0.012, 0.002]}]
    edited = events(told, "edit")[0]["step"]
    assert len(events(told, "paused")) == len(events(told, "resumed")) == 1
    rates = {event["step"]: event["learning_rate"] for event in events(told, "step")}
    assert rates[edited + 1] == pytest.approx(rates[edited] / 6, rel=1e-3)
    assert list(rates) == list(range(1, len(rates) + 1))
    checkpoints = told.checkpoints()
    assert [load_checkpoint(info.path).step for info in checkpoints] == [info.step for info in checkpoints]
    assert {reason for info in checkpoints for reason in info.reasons} >= {"untrained", "best"}
    assert assert_saved_whole(told, "stopped") == max(rates)


@pytest.mark.soak
def test_an_open_screen_pauses_and_views_change_no_loss_to_the_last_bit(told: Run, place: Path) -> None:
    headless = run(place, "--headless", "--json", "--quiet", *tiny(place), "--max-seconds", "2", "--run-name", "plain")
    assert headless.returncode == 0, headless.stderr
    plain = [json.loads(line) for line in headless.stdout.splitlines()]
    until = events(told, "edit")[0]["step"]
    for kind, fields in {
        "step": "step loss grad_norm",
        "eval": "step train_loss val_loss",
        "sample": "step text",
    }.items():
        alone = [[event[field] for field in fields.split()] for event in plain if event["event"] == kind]
        watched = [[event[field] for field in fields.split()] for event in events(told, kind) if event["step"] <= until]
        common = min(len(alone), len(watched))
        assert common >= (100 if kind == "step" else 1)
        assert watched[:common] == alone[:common]


@pytest.mark.soak
def test_it_opens_again_as_it_was_left_and_goes_on(told: Run, place: Path) -> None:
    end = events(told, "finished")[-1]
    log = (told.path / "events.jsonl").read_bytes()
    with Terminal(place, "open", "story", columns=120, rows=40) as terminal:
        terminal.wait("■ STOPPED")
        terminal.wait(f"stopped at step {end['step']}")
        assert step_on_screen(terminal) == end["step"]
        assert f"val {events(told, 'eval')[-1]['val_loss']:.3f}" in terminal.text
        assert "untrained · step 0" in terminal.text
        terminal.press("/")
        terminal.wait("words to look for")
        terminal.press("learning_rate")
        terminal.wait("log · “learning_rate”")
        terminal.wait("learning_rate 0.012 → 0.002")
        terminal.press("esc")
        terminal.wait(lambda: "─ log ─" in terminal.text)
        assert (told.path / "events.jsonl").read_bytes() == log
        terminal.press("space")
        terminal.wait(lambda: "● TRAINING" in terminal.text and step_on_screen(terminal) > end["step"])
        terminal.press("q")
        terminal.assert_ends()
        terminal.assert_restored()
    assert events(told, "continued")[-1]["step"] == end["step"]
    rates = [event["learning_rate"] for event in events(told, "step") if event["step"] > end["step"]]
    assert 0 < max(rates) < 0.002
    assert assert_saved_whole(told, "stopped") > end["step"]


def test_keys_typed_ahead_are_obeyed_in_their_order_and_reach_the_field_they_are_meant_for(place: Path) -> None:
    with Terminal(place, *tiny(place)) as terminal:
        terminal.wait("■ READY")
        terminal.press("2")
        terminal.wait("enter edit")
        terminal.press("/learning_rate\r\r\x150.003\x7f2\r1")  # in one go, as over a connection that stood still
        terminal.wait(lambda: re.search(r"learning rate +2\.0e-3", terminal.text))
        assert "quick on text.txt" in terminal.lines[0]
        terminal.press("q")
        terminal.assert_ends()


def test_what_is_typed_in_one_breath_goes_through_the_palette(place: Path) -> None:
    with Terminal(place, *tiny(place)) as terminal:
        terminal.wait("■ READY")
        terminal.press("2:theme gpt-tui-light\r/n_embd\r")
        terminal.wait("“n_embd”: 1 of")
        assert "enter does it" not in terminal.text
        terminal.press("q")
        terminal.assert_ends()


# Paint first -----------------------------------------------------------------------------------------------------


def before_all(folder: Path) -> str:
    """A PYTHONPATH that looks into this folder first."""
    return os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])


def fake_torch(place: Path, body: str) -> Path:
    """A package called torch that stands before the real one, leaves a mark when it is imported, and does this."""
    package = place / "torch"
    package.mkdir()
    mark = place / "imported"
    code = f"from pathlib import Path\nPath({str(mark)!r}).touch()\n{textwrap.dedent(body)}"
    (package / "__init__.py").write_text(code, encoding="utf-8")
    return mark


def test_screen_and_form_are_there_before_torch_and_without_it_a_sentence_says_so(place: Path, tmp_path: Path) -> None:
    mark = fake_torch(tmp_path, "raise ImportError('no torch on this machine')")
    with Terminal(place, *tiny(place), "--run-name", "torchless", PYTHONPATH=before_all(tmp_path)) as terminal:
        terminal.wait("■ READY")
        terminal.press("2")
        terminal.wait("setup · quick")
        terminal.wait("23 distinct")
        terminal.press("1")
        terminal.wait("space starts it")
        assert not mark.exists()
        terminal.press("space")
        terminal.wait("no torch on this machine")
        assert mark.exists()
        assert "Traceback" not in terminal.text
        terminal.press("q")
        terminal.assert_ends()
        terminal.assert_restored()
    assert not (place / "runs" / "torchless").exists()


def test_while_torch_is_imported_the_screen_lives_and_can_be_left(place: Path, tmp_path: Path) -> None:
    mark = fake_torch(tmp_path, "import time\ntime.sleep(600)")
    with Terminal(place, *tiny(place), "--run-name", "waiting", PYTHONPATH=before_all(tmp_path)) as terminal:
        terminal.wait("■ READY")
        terminal.press("space")
        terminal.wait("◌ PREPARING")
        terminal.wait("loading torch")
        assert mark.exists()
        terminal.press("?")
        terminal.wait("help: ")
        terminal.press("?", "q")
        terminal.wait("q again leaves without waiting")
        terminal.press("q")
        terminal.assert_ends()
        terminal.assert_restored()
    assert not (place / "runs" / "waiting").exists()


# Leaving by other doors ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "number",
    [
        pytest.param(signal.SIGINT, id="SIGINT"),
        pytest.param(signal.SIGTERM, id="SIGTERM", marks=pytest.mark.soak),
        pytest.param(signal.SIGHUP, id="SIGHUP", marks=pytest.mark.soak),
    ],
)
def test_a_signal_while_training_saves_the_run_and_restores_the_terminal(number: signal.Signals, place: Path) -> None:
    with Terminal(place, *tiny(place), "--run-name", number.name) as terminal:
        train(terminal)
        terminal.signal(number)
        terminal.assert_ends(128 + number)
        terminal.assert_restored()
    assert assert_saved_whole(opened(place, number.name), "signal") > 1


def test_an_interrupt_before_a_run_leaves_with_nothing_written(tmp_path: Path) -> None:
    with Terminal(tmp_path) as terminal:
        terminal.wait("■ READY")
        terminal.signal(signal.SIGINT)
        terminal.assert_ends(128 + signal.SIGINT)
        terminal.assert_restored()
    assert not (tmp_path / "runs").exists()


@pytest.mark.soak
def test_a_run_that_was_killed_is_interrupted_resumes_and_is_saved_when_its_window_closes(place: Path) -> None:
    with Terminal(place, *tiny(place), "--run-name", "killed") as terminal:
        train(terminal, past=120)
        terminal.signal(signal.SIGKILL)
        terminal.assert_ends(-signal.SIGKILL)
    listed = json.loads(run(place, "runs", "--json").stdout)
    assert next(found["state"] for found in listed if found["name"] == "killed") == "interrupted"

    with Terminal(place, "--resume", "killed") as terminal:
        terminal.wait(lambda: "● TRAINING" in terminal.text and step_on_screen(terminal) > 110)
        terminal.hang_up()
        terminal.assert_ends(128 + signal.SIGHUP)
    killed = opened(place, "killed")
    assert events(killed, "continued")[-1]["step"] >= 100
    assert assert_saved_whole(killed, "signal") > 110
    history = killed.history()
    assert history.steps.tolist() == list(range(1, history.step + 1))


CRASHING = """
import sys
from gpt_tui.tui.views.train import TrainView
def broken(view):
    raise RuntimeError("nobody foresaw this")
TrainView.action_log_y = broken
from gpt_tui.cli import main
sys.exit(main(sys.argv[1:]))
"""


def test_an_error_that_nobody_foresaw_saves_the_run_and_is_told_in_a_sentence(place: Path) -> None:
    arguments = [*tiny(place), "--run-name", "crashed"]
    with Terminal(place, argv=[sys.executable, "-c", CRASHING, *arguments]) as terminal:
        train(terminal)
        terminal.press("o")
        terminal.assert_ends(1)
        terminal.assert_restored()
        assert "nobody foresaw this" in terminal.afterwards
    assert assert_saved_whole(opened(place, "crashed"), "signal") > 1


# Refusals --------------------------------------------------------------------------------------------------------


@pytest.mark.soak
def test_what_cannot_start_is_told_in_a_sentence_and_the_program_lives_on(place: Path) -> None:
    (place / "noise.bin").write_bytes(bytes(range(256)) * 40)
    (place / "no-folder").write_text("this is no folder", encoding="utf-8")
    with Terminal(place, *tiny(place), "--dataset", "noise.bin", columns=120) as terminal:
        terminal.wait("■ READY")
        terminal.press("1", "space")
        terminal.wait("This cannot start:")
        assert re.search(r"noise\.bin.*byte", terminal.text)

        terminal.press("2")
        terminal.wait("setup · quick")
        find_field(terminal, "dataset")
        enter_value(terminal, "dataset", "absent.txt")
        terminal.wait("neither a dataset")
        terminal.press("space")
        terminal.wait("The form has faults")
        enter_value(terminal, "dataset", "text.txt")
        terminal.wait("23 distinct")
        terminal.press("q")
        terminal.assert_ends()

    with Terminal(place, *tiny(place), columns=120, GPT_TUI_RUNS_DIR=str(place / "no-folder")) as terminal:
        terminal.wait("■ READY")
        terminal.press("1", "space")
        terminal.wait(lambda: "This cannot start:" in terminal.text and "no-folder" in terminal.text)
        assert "Traceback" not in terminal.text
        terminal.press("q")
        terminal.assert_ends()
        terminal.assert_restored()
    assert (place / "no-folder").read_text(encoding="utf-8") == "this is no folder"


# Every terminal --------------------------------------------------------------------------------------------------


def test_a_terminal_that_is_too_small_says_so_until_it_grows(tmp_path: Path) -> None:
    with Terminal(tmp_path, columns=59, rows=15) as terminal:
        terminal.wait("gpt-tui needs at least 60×16; this is 59×15.")
        terminal.resize(60, 16)
        terminal.wait("■ READY")
        assert_nothing_cut_off(terminal)
        terminal.resize(20, 3)
        terminal.wait("60×16")
        terminal.press("q")
        terminal.assert_ends()
        terminal.assert_restored()


def assert_nothing_cut_off(terminal: Terminal) -> None:
    """Header and footer are whole, and every box that begins in the first column has its other edge in the last."""
    lines = terminal.lines
    columns = len(lines[0])
    shown = "\n".join(lines)
    assert lines[0].startswith(" gpt-tui   "), shown
    assert lines[0].rstrip().endswith("? help"), shown
    assert lines[-1].rstrip().endswith(": palette   q quit   ? help"), shown
    for line in lines[1:-1]:
        opening, closing = line[0], line[columns - 1]
        assert opening not in "│╭╰" or closing in "│╮╯", f"{line!r} in\n{shown}"
        assert line.count("╭") == line.count("╮"), f"{line!r} in\n{shown}"
        assert line.count("╰") == line.count("╯"), f"{line!r} in\n{shown}"
        assert line.count("│") % 2 == 0, f"{line!r} in\n{shown}"


@pytest.mark.soak
def test_at_every_size_nothing_is_cut_off_while_training(place: Path) -> None:
    with Terminal(place, *tiny(place), "--run-name", "sizes") as terminal:
        train(terminal, past=100)
        for columns, rows in SIZES:
            terminal.resize(columns, rows)
            terminal.wait(lambda columns=columns, rows=rows: fits(terminal, columns, rows))
            assert_nothing_cut_off(terminal)
            shown = terminal.text
            found = re.search(r"step +\d+/100000", shown)
            assert found, shown
            figures = shown[found.start() :]
            for figure in (r"loss \d\.\d+", r"val \d\.\d+", r"lr \d", r"tok/s", r"grad +\d", r"\d left"):
                assert re.search(figure, figures), f"no {figure} in\n{shown}"
            assert "trained · step" in shown
            if columns >= 100:
                assert "untrained · step 0" in terminal.text
                assert "1 Train" in terminal.lines[0]
            if columns >= 150:
                assert "configuration" in terminal.text
                assert "checkpoints" in terminal.text
            terminal.press("2")
            terminal.wait("setup · beside sizes")
            terminal.wait("n_layer")
            assert_nothing_cut_off(terminal)
            terminal.press("1")
            terminal.wait(lambda: step_on_screen(terminal) > 0)
        terminal.press("q")
        terminal.assert_ends()
        terminal.assert_restored()


def fits(terminal: Terminal, columns: int, rows: int) -> bool:
    """Whether the newest frame is of this size: header and footer reach to where they belong."""
    lines = terminal.lines
    if (len(lines[0]), len(lines)) != (columns, rows):
        return False
    return lines[0].rstrip().endswith("? help") and len(lines[0].rstrip()) >= columns - 2 and "q quit" in lines[-1]


@pytest.mark.soak
def test_without_colour_and_without_unicode_the_program_is_whole(place: Path) -> None:
    with Terminal(
        place, *tiny(place), "--ascii", "--run-name", "plainest", columns=120, rows=40, NO_COLOR="1"
    ) as terminal:
        terminal.wait("READY")
        terminal.press("space")
        terminal.wait(lambda: "* TRAINING" in terminal.text and step_on_screen(terminal) > 100)
        assert "trained - step" in terminal.text
        assert_ascii(terminal)
        for key, sign in {"2": "setup - beside plainest", "?": "help: form", ":": "Save a checkpoint now."}.items():
            terminal.press(key)
            terminal.wait(sign)
            assert_ascii(terminal)
            if key != "2":
                terminal.press("esc")
                terminal.wait(lambda sign=sign: sign not in terminal.text)
        terminal.press("q")
        terminal.assert_ends()
        terminal.assert_restored()
        codes = {code for found in re.findall(rb"\x1b\[([\d;]*)m", terminal.written) for code in split_codes(found)}
        assert not codes & {*range(30, 50), *range(90, 108)}, codes


def split_codes(sgr: bytes) -> list[int]:
    return [int(code or 0) for code in sgr.split(b";")]


def assert_ascii(terminal: Terminal) -> None:
    odd = {character for character in terminal.text if not character.isascii()}
    assert not odd, f"{odd} in\n{terminal.text}"


STARTER = """
import signal, subprocess, sys
signal.signal(signal.SIGHUP, lambda *_: None)  # as make does: it waits for what it started
with open("status", "w") as told:
    told.write(str(subprocess.run(sys.argv[1:]).returncode))
"""


@pytest.mark.soak
def test_a_window_that_closes_on_who_started_the_program_ends_it_all_the_same(place: Path) -> None:
    started = command(*tiny(place), "--run-name", "started")
    with Terminal(place, argv=[sys.executable, "-c", STARTER, *started]) as terminal:
        terminal.wait("■ READY")
        terminal.press("1")
        terminal.press("space")
        terminal.wait(lambda: "● TRAINING" in terminal.text and step_on_screen(terminal) > 10)
        terminal.hang_up()
        terminal.end()
    assert (place / "status").read_text() == str(128 + signal.SIGHUP)
    assert assert_saved_whole(opened(place, "started"), "signal") > 10


# The lecture's first rung ------------------------------------------------------------------------------------------


@pytest.mark.soak
def test_the_bigram_is_chosen_by_keys_seen_as_a_table_and_learns(place: Path) -> None:
    with Terminal(place, "--dataset", str(place / "text.txt"), "--run-name", "bigram") as terminal:
        terminal.wait("■ READY")
        terminal.press("2")
        terminal.wait("▸preset")
        terminal.press("enter")
        terminal.wait("lecture-one-head   lecture-four-heads")
        terminal.press("\x15")  # ctrl+u empties the field
        terminal.press("bigram")
        terminal.wait("enter takes lecture-bigram")
        terminal.press("enter")
        terminal.wait("setup · lecture-bigram")
        terminal.press("v")
        terminal.wait("none: it is only looked up")
        terminal.press("v")
        terminal.wait("│ table")
        terminal.wait("no attention")

        terminal.press("1")
        terminal.wait("a table of pairs: no attention")
        terminal.press("space")
        terminal.wait(lambda: step_on_screen(terminal) > 300)
        assert re.search(r"loss \d\.\d", terminal.text)
        terminal.press("s")
        terminal.wait("■ STOPPED")
        terminal.press("q")
        terminal.assert_ends()
    losses = [event["loss"] for event in events(opened(place, "bigram"), "step")]
    assert losses[-1] < losses[0] - 0.3
    assert opened(place, "bigram").record().parameters == len(set((place / "text.txt").read_text())) ** 2
