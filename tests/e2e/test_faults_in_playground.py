"""Faults, signals and other processes as a person at the playground meets them, in the real program."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gpt_tui.core.runs import Run
from program import command, environment, run

pytest.importorskip("termios", reason="there is no pseudo-terminal on Windows")
from acting import assert_saved_whole, assert_whole, furnish, opened, step_on_screen, tiny, train
from pseudo_terminal import Terminal


@pytest.fixture
def place(tmp_path: Path) -> Path:
    furnish(tmp_path)
    return tmp_path


# A run that cannot be saved ----------------------------------------------------------------------------------------


@contextmanager
def in_the_way(path: Path) -> Iterator[None]:
    """The run's directory is not where it was."""
    away = path.with_name("elsewhere")
    path.rename(away)
    yield
    away.rename(path)


@pytest.mark.soak
def test_weights_that_cannot_be_saved_at_the_end_wait_for_w(place: Path) -> None:
    with Terminal(place, *tiny(place), "--run-name", "kept", columns=120, rows=40) as terminal:
        train(terminal)
        with in_the_way(place / "runs" / "kept"):
            terminal.press("s")
            terminal.wait(lambda: "‖ PAUSED" in terminal.text and "w tries again" in terminal.text)
            terminal.press("w")
            terminal.wait(lambda: "waiting to be saved" in terminal.text)
        terminal.press("w")
        terminal.wait("■ STOPPED")
        terminal.press("q")
        terminal.assert_ends()
        terminal.assert_restored()
    assert assert_saved_whole(opened(place, "kept"), "stopped") > 1


@pytest.mark.soak
def test_a_run_that_cannot_be_saved_is_left_only_when_that_is_asked_for_again(place: Path) -> None:
    with Terminal(place, *tiny(place), "--run-name", "left", columns=120, rows=40) as terminal:
        train(terminal)
        with in_the_way(place / "runs" / "left"):
            terminal.press("q")
            terminal.wait(lambda: "‖ PAUSED" in terminal.text and "w tries again" in terminal.text)
            terminal.press("q")
            terminal.assert_ends(1)
            terminal.assert_restored()
            line = f"gpt-tui --resume left --runs-dir {place / 'runs'}"
            assert f"{line} goes on from its last checkpoint" in terminal.afterwards
    assert Run.open(place / "runs" / "left").state() == "interrupted"


@pytest.mark.soak
def test_a_signal_to_a_run_that_cannot_be_saved_leaves_with_a_sentence(place: Path) -> None:
    with Terminal(place, *tiny(place), "--run-name", "left", columns=120, rows=40) as terminal:
        train(terminal)
        with in_the_way(place / "runs" / "left"):
            terminal.signal(signal.SIGTERM)
            terminal.assert_ends(1)
            terminal.assert_restored()
            assert "could not be saved" in terminal.afterwards
            assert re.search(
                r"gpt-tui --resume left --runs-dir \S+ goes on from step \d+, the last", terminal.afterwards
            )


# Signals, in every phase -------------------------------------------------------------------------------------------

NUMBERS = {"download": signal.SIGTERM, "building": signal.SIGINT}


@pytest.mark.soak
@pytest.mark.parametrize("phase", NUMBERS)
def test_a_signal_while_a_run_is_made_ready_leaves_with_nothing_written(phase: str, place: Path) -> None:
    number = NUMBERS[phase]
    with socket.create_server(("127.0.0.1", 0)) as server:
        silent = f"http://127.0.0.1:{server.getsockname()[1]}/text"  # it takes a connection, and never answers
        arguments = {
            "download": ["--dataset", "shakespeare"],
            "building": tiny(place, "--n-layer", "24", "--n-embd", "1024", "--n-head", "8"),
        }[phase]
        with Terminal(place, *arguments, columns=120, rows=40, GPT_TUI_SHAKESPEARE_URL=silent) as terminal:
            terminal.wait("READY")
            terminal.press("space")
            terminal.wait(lambda: "PREPARING" in terminal.text and phase in terminal.text)
            terminal.signal(number)
            terminal.assert_ends(128 + number)
            terminal.assert_restored()
    assert not (place / "runs").exists()


@pytest.mark.soak
@pytest.mark.parametrize(
    ("endless", "number"),
    [
        (["--eval-iters", "1000000"], signal.SIGTERM),
        (["--max-new-tokens", "100000"], signal.SIGINT),
        (["--checkpoint-interval", "1"], signal.SIGHUP),
    ],
    ids=["evaluating", "sampling", "saving"],
)
def test_a_signal_while_a_run_looks_or_saves_is_obeyed_with_a_checkpoint(
    endless: list[str], number: signal.Signals, place: Path
) -> None:
    with Terminal(place, *tiny(place, *endless), "--run-name", "told", columns=120, rows=40) as terminal:
        terminal.wait("READY")
        terminal.press("space")
        terminal.wait(lambda: re.search("(evaluating|sampling) [0-9]", terminal.text) or step_on_screen(terminal) > 20)
        terminal.signal(number)
        terminal.assert_ends(128 + number)
        terminal.assert_restored()
    assert_saved_whole(opened(place, "told"), "signal")


@pytest.mark.soak
def test_a_step_without_end_is_left_with_the_terminal_restored(place: Path) -> None:
    endless = ["--gradient-accumulation-steps", "100000", "--batch-size", "64"]
    with Terminal(place, *tiny(place, *endless), "--run-name", "long", columns=120, rows=40) as terminal:
        terminal.wait("READY")
        terminal.press("space")
        terminal.wait(lambda: (place / "runs" / "long" / "checkpoints" / "000000").exists())
        terminal.signal(signal.SIGTERM)
        terminal.assert_ends(128 + signal.SIGTERM)
        terminal.assert_restored()
        assert f"--resume long --runs-dir {place / 'runs'} goes on from its last checkpoint" in terminal.afterwards
    assert assert_whole(opened(place, "long")) == 0


# Other processes ---------------------------------------------------------------------------------------------------


@contextmanager
def trained_elsewhere(place: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        command("--headless", *arguments), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment(place)
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


FOLLOWING = """
import sys
from gpt_tui.cli import main
status = main(sys.argv[1:])
print("torch was imported" if "torch" in sys.modules else "torch was not imported")
sys.exit(status)
"""


@pytest.mark.soak
def test_a_run_of_another_process_is_followed_through_its_death_and_its_return(place: Path) -> None:
    log = place / "runs" / "theirs" / "events.jsonl"
    with trained_elsewhere(place, *tiny(place), "--run-name", "theirs") as process:
        while not log.exists() or b'"step"' not in log.read_bytes():
            assert process.poll() is None
            time.sleep(0.05)
        argv = [sys.executable, "-c", FOLLOWING, "open", "theirs"]
        with Terminal(place, argv=argv, columns=120, rows=40) as viewer:
            viewer.wait(lambda: "● TRAINING" in viewer.text and step_on_screen(viewer) > 0)
            seen = step_on_screen(viewer)
            viewer.wait(lambda: step_on_screen(viewer) > seen)
            second = run(place, "--headless", "--resume", "theirs")
            assert (second.returncode, f"process {process.pid}" in second.stderr) == (2, True), second.stderr
            process.kill()
            process.wait()
            viewer.wait("INTERRUPTED")
            with trained_elsewhere(place, "--resume", "theirs") as again:
                viewer.wait("● TRAINING")
                seen = step_on_screen(viewer)
                viewer.wait(lambda: step_on_screen(viewer) > seen)
                viewer.press("q")
                viewer.assert_ends()
                viewer.assert_restored()
                assert "torch was not imported" in viewer.afterwards
                length = log.stat().st_size
                while log.stat().st_size == length:
                    assert again.poll() is None, "leaving the viewer ended the run"
                    time.sleep(0.05)
                again.terminate()
                assert again.wait() == 143
    found = opened(place, "theirs")
    assert_whole(found)
    assert found.state() == "stopped"


@pytest.mark.soak
def test_a_run_that_another_process_trains_is_not_resumed_here_and_the_person_is_told_who_has_it(place: Path) -> None:
    with trained_elsewhere(place, *tiny(place), "--run-name", "theirs") as process:
        while not (place / "runs" / "theirs" / "checkpoints" / "000000").exists():
            assert process.poll() is None
            time.sleep(0.05)
        with Terminal(place, "--resume", "theirs", columns=120, rows=40) as terminal:
            terminal.wait(f"process {process.pid}")
            terminal.press("q")
            terminal.assert_ends()
        assert process.poll() is None
