"""The playground in a real terminal: it leaves it as it was, whatever ends it, and the run is saved."""

from __future__ import annotations

import os
import re
import signal
import sys
from pathlib import Path

import pytest

from gpt_tui.core.runs import Shelf

if sys.platform == "win32":
    pytest.skip("no pseudo-terminals here", allow_module_level=True)

from playground_tty import Terminal

PLAY = """
import sys
from pathlib import Path
from gpt_tui.core.config import Layer, resolve
from gpt_tui.tui.request import PlaygroundRequest
from gpt_tui.tui.app import run_playground
folder = Path(sys.argv[1])
fields = {
    "dataset": str(folder / "play.txt"), "n_layer": 1, "n_head": 2, "n_embd": 16, "block_size": 8, "batch_size": 4,
    "max_iters": 100000, "eval_iters": 2, "max_new_tokens": 20, "threads": 1,
}
request = PlaygroundRequest(resolve([Layer("test", fields)]), folder / "runs")
"""
RUN = PLAY + "sys.exit(run_playground(request))\n"
CRASH = (
    PLAY
    + """
from gpt_tui.tui.views.train import TrainView
def broken(self):
    raise RuntimeError("nobody foresaw this")
TrainView.action_log_y = broken
try:
    run_playground(request)
except RuntimeError as error:
    print("told to the caller:", error)
    sys.exit(1)
"""
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "play.txt").write_text("".join(f"ANNA:\nThe house is number {n}.\n\n" for n in range(150)))
    return tmp_path


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)])
def test_a_signal_saves_the_run_and_restores_the_terminal(folder: Path, number: int, status: int) -> None:
    with Terminal(RUN, str(folder)) as terminal:
        terminal.until("READY")
        terminal.press(" ")
        terminal.until("TRAINING")
        terminal.until("trained · step")
        os.kill(terminal.process.pid, number)
        assert terminal.end() == status
        assert terminal.restored
    (run,) = Shelf(folder / "runs").runs()
    assert run.state() == "stopped"
    assert run.checkpoints()[-1].step == run.history().step


def test_a_closed_window_saves_the_run(folder: Path) -> None:
    with Terminal(RUN, str(folder)) as terminal:
        terminal.until("READY")
        terminal.press(" ")
        terminal.until("TRAINING")
        terminal.close()
        os.kill(terminal.process.pid, signal.SIGHUP)
        assert terminal.end() == 129
    (run,) = Shelf(folder / "runs").runs()
    assert run.state() == "stopped"


def test_leaving_restores_the_terminal_and_says_nothing(folder: Path) -> None:
    with Terminal(RUN, str(folder)) as terminal:
        terminal.until("READY")
        terminal.press("q")
        assert terminal.end() == 0
        assert terminal.restored
        assert terminal.sent.endswith(b"\x1b[?1004l") or b"Traceback" not in terminal.sent


def test_an_error_that_nobody_foresaw_restores_the_terminal_and_is_told_without_a_traceback(folder: Path) -> None:
    with Terminal(CRASH, str(folder)) as terminal:
        terminal.until("READY")
        terminal.press("o")
        assert terminal.end() == 1
        assert terminal.restored
        assert "told to the caller: nobody foresaw this" in terminal.text
        assert b"Traceback" not in terminal.sent


def test_no_color_sends_no_colour(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    with Terminal(RUN, str(folder)) as terminal:
        terminal.until("READY")
        terminal.press("?")
        terminal.until("keys:")
        terminal.press("?:")
        terminal.until("enter does it")
        terminal.press("\x1b")
        terminal.until("space starts")
        terminal.press("q")
        assert terminal.end() == 0
        codes = {code for found in re.findall(rb"\x1b\[([0-9;]*)m", terminal.sent) for code in found.split(b";")}
        assert codes <= {b"", b"0", b"1", b"2", b"4", b"7"}


def test_keys_typed_in_one_breath_are_obeyed_in_their_order(folder: Path) -> None:
    with Terminal(RUN, str(folder)) as terminal:
        terminal.until("READY")
        terminal.press("2:theme gpt-tui-light\r")
        terminal.until("n_embd")
        while "enter does it" in terminal.text:
            terminal.read()
        terminal.press("q")
        assert terminal.end() == 0
