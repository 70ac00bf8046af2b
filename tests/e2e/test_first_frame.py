"""The real program as it starts: its first frame is whole and needs little, and no key is lost."""

from __future__ import annotations

import json
import re
import signal
import sys
from pathlib import Path

import pytest

pytest.importorskip("termios", reason="there is no pseudo-terminal on Windows")
from acting import furnish, tiny
from pseudo_terminal import FRAME_ENDS, Terminal

HELD = """
import asyncio, json, pathlib, sys
from gpt_tui.tui.app import Playground
begin = Playground._begin
async def held(app):
    pathlib.Path("imported.json").write_text(json.dumps(list(sys.modules)))
    while not pathlib.Path("go-on").exists():
        await asyncio.sleep(0.01)
    await begin(app)
Playground._begin = held
from gpt_tui.cli import main
sys.exit(main(sys.argv[1:]))
"""
OF_A_RUN = {"gpt_tui.core.session", "gpt_tui.core.events", "gpt_tui.core.runs.history", "gpt_tui.tui.conductor"}


def held(place: Path, *arguments: str) -> Terminal:
    """The program, kept from going on after its first frame until there is a file `go-on`."""
    return Terminal(place, columns=120, rows=40, argv=[sys.executable, "-c", HELD, *arguments])


def test_the_first_frame_is_whole(tmp_path: Path) -> None:
    with held(tmp_path) as terminal:
        terminal.wait("starts it")
        first = terminal.written.partition(FRAME_ENDS)[0].decode()
    for part in ("gpt-tui", "READY", "Train", "learning rate", "starts it", "palette", "? help"):
        assert part in first


@pytest.mark.parametrize("dataset", ["auto", "masque", "text.txt"])
def test_the_first_frame_needs_nothing_that_has_to_do_with_a_run(tmp_path: Path, dataset: str) -> None:
    (tmp_path / "text.txt").write_text("to be, or not to be" * 100)
    with held(tmp_path, "--dataset", dataset) as terminal:
        terminal.wait((tmp_path / "imported.json").exists)
        terminal.wait("starts it")
    imported = set(json.loads((tmp_path / "imported.json").read_text()))
    assert {"torch", "numpy", *OF_A_RUN} & imported == set()


def test_keys_typed_before_the_views_are_loaded_are_obeyed_in_their_order(tmp_path: Path) -> None:
    furnish(tmp_path)
    with held(tmp_path, *tiny(tmp_path)) as terminal:
        terminal.wait("starts it")
        terminal.press("5", "[", ";", "s", "right")  # Generate is the view before Runs
        (tmp_path / "go-on").touch()
        terminal.wait(lambda: re.search(r"temperature\W+0\.9", terminal.text))
        terminal.press("q")
        terminal.assert_ends()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_a_signal_before_the_views_are_loaded_leaves_well(number: signal.Signals, tmp_path: Path) -> None:
    with held(tmp_path) as terminal:
        terminal.wait("starts it")
        terminal.signal(number)
        (tmp_path / "go-on").touch()
        terminal.assert_ends(128 + number)
        terminal.assert_restored()


def test_a_wrong_command_line_is_refused_before_there_is_a_screen(tmp_path: Path) -> None:
    with Terminal(tmp_path, "--n-layer", "0") as terminal:
        terminal.assert_ends(2)
        assert "n_layer" in terminal.text or "--n-layer" in terminal.text
        assert b"\x1b[?1049h" not in terminal.written
