"""Leaving a run whose disk answers no more: it is waited for, but not for ever, and the way on is told."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gpt_tui.core import session as session_module
from gpt_tui.core.activity import SAVING
from gpt_tui.core.config import RunConfig
from gpt_tui.core.runs import Run, load_checkpoint
from gpt_tui.core.session import Plan, Session
from program import environment
from test_faults import SAVING as SAVING_OFTEN
from test_faults import Training, assert_whole
from test_headless import TINY, write_text

HANGS_AT_MOST = 20.0  # seconds, so that a session that waits for ever ends its test all the same


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """The disk answers while this is set. A network disk that is really dead would hang the tests as well."""
    answers, sync = threading.Event(), os.fsync
    answers.set()

    def fsync(descriptor: int) -> None:
        answers.wait()
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    rescue = threading.Timer(HANGS_AT_MOST, answers.set)
    rescue.start()
    yield answers
    rescue.cancel()
    answers.set()


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    """A run on its way."""
    config = RunConfig().replace(
        dataset=str(write_text(tmp_path)), n_layer=1, n_embd=16, n_head=1, block_size=8, batch_size=4, device="cpu",
        threads=1, max_iters=10**8, eval_interval=10**8, eval_iters=2, max_new_tokens=5,
    )  # fmt: skip
    session = Session(Plan(config, tmp_path / "runs", run_name="hangs"))
    reader = session.subscribe()
    session.start()
    while session.snapshot.step < 5:
        assert reader.wait(HANGS_AT_MOST)
        reader.drain()
    yield session
    assert session.leave(HANGS_AT_MOST) or session.join(HANGS_AT_MOST)


def test_a_save_that_hangs_is_not_waited_for_for_ever(
    session: Session, disk: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_module, "SAVING_SECONDS", 0.3)
    disk.clear()
    assert not session.leave(0.1)
    assert session.snapshot.activity == SAVING
    disk.set()
    assert session.join(HANGS_AT_MOST)
    assert session.snapshot.run_path is not None
    assert assert_whole(session.snapshot.run_path) >= 5


def test_a_save_that_takes_longer_than_a_step_may_is_waited_for(session: Session, disk: threading.Event) -> None:
    disk.clear()
    threading.Timer(0.5, disk.set).start()
    assert session.leave(0.1)
    assert session.snapshot.run_path is not None
    newest = Run.open(session.snapshot.run_path).checkpoints()[-1]
    assert load_checkpoint(newest.path).step == session.snapshot.step


# The real program, on a disk that answers no more once there is a file of this name --------------------------------

DEAD_DISK = """
import os, pathlib, time
from gpt_tui.core import session
sync, dead = os.fsync, pathlib.Path(os.environ["DEAD"])
def fsync(descriptor):
    while dead.exists():
        time.sleep(0.05)
    sync(descriptor)
os.fsync = fsync
session.SAVING_SECONDS = float(os.environ["SECONDS"])
from gpt_tui.cli import program
program()
"""


@pytest.fixture
def on_a_dying_disk(tmp_path: Path) -> Callable[[str], Training]:
    """Trains on a shelf whose name the shell would take apart."""

    def train(seconds: str) -> Training:
        return Training(
            tmp_path, "--dataset", str(write_text(tmp_path)), *TINY, *SAVING_OFTEN, "--run-name", "one night",
            "--runs-dir", str(tmp_path / "the disk's"), argv=[sys.executable, "-c", DEAD_DISK],
            environ={"DEAD": str(tmp_path / "dead"), "SECONDS": seconds},
        )  # fmt: skip

    return train


@pytest.mark.soak
@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals to send")
def test_a_run_whose_disk_hangs_is_left_with_a_line_that_goes_on(
    on_a_dying_disk: Callable[[str], Training], tmp_path: Path
) -> None:
    with on_a_dying_disk("0.5") as training:
        training.wait("checkpoint")
        training.wait_for_step(5)
        (tmp_path / "dead").touch()
        status, told = training.end(signal.SIGTERM)
    assert status == 143
    assert "left in the midst of saving" in told
    assert "Traceback" not in told
    path = tmp_path / "the disk's" / "one night"
    assert Run.open(path).state() == "interrupted"
    line = told[told.index("gpt-tui --headless --resume") : told.index(" goes on from step")]
    assert shlex.split(line)[2:] == ["--resume", "one night", "--runs-dir", str(path.parent)]
    (tmp_path / "dead").unlink()
    found = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    again = subprocess.run(
        ["sh", "-c", f"{line} --max-seconds 0.1"], cwd=tmp_path, capture_output=True, text=True, check=False,
        env=environment(tmp_path, PATH=found),
    )  # fmt: skip
    assert again.returncode == 0, again.stderr
    assert_whole(path)


@pytest.mark.soak
@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals to send")
def test_a_second_interrupt_does_not_wait_for_the_disk(
    on_a_dying_disk: Callable[[str], Training], tmp_path: Path
) -> None:
    with on_a_dying_disk("1000") as training:
        training.wait("checkpoint")
        (tmp_path / "dead").touch()
        training.process.send_signal(signal.SIGTERM)
        assert training.process.stderr
        assert any("ctrl+c again leaves at once" in line for line in iter(training.process.stderr.readline, ""))
        status, told = training.end(signal.SIGINT)
    assert status == 130
    assert "left at once, without saving" in told
