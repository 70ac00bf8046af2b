"""The lock: one process trains a run, readers disturb nobody, and the dead hold nobody up."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gpt_tui.core.config import RunConfig
from gpt_tui.core.errors import GptTuiError, Refusal
from gpt_tui.core.events import Notice
from gpt_tui.core.runs import Run, RunIsHeld, RunRecord, RunWriter, Shelf

HOLDER = """
import sys
from gpt_tui.core.runs import Run, RunWriter
writer = RunWriter(Run.open(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
writer.close()
"""


@contextmanager
def held_elsewhere(run: Run) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(run.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def test_a_run_that_another_process_trains_is_live_and_names_it(shelf: Shelf, writer: RunWriter) -> None:
    run = writer.run
    writer.close()
    assert run.state() == "interrupted"
    with held_elsewhere(run) as process:
        assert run.state() == "live"
        with pytest.raises(RunIsHeld, match=f"first is being trained by process {process.pid}:"):
            shelf.reopen(run)
        with pytest.raises(Refusal, match=f"process {process.pid}"):
            shelf.remove(run)
        assert run.state() == "live"
        process.communicate("")
        assert process.returncode == 0
    assert run.state() == "interrupted"


def test_a_killed_process_holds_nobody_up(shelf: Shelf, writer: RunWriter) -> None:
    run = writer.run
    writer.close()
    with held_elsewhere(run) as process:
        process.send_signal(signal.SIGTERM if sys.platform == "win32" else signal.SIGKILL)
        process.wait()
        assert run.state() == "interrupted"
        shelf.reopen(run).close()


def test_a_process_sees_the_runs_it_trains_itself_as_live(shelf: Shelf, writer: RunWriter) -> None:
    assert writer.run.state() == "live"
    with pytest.raises(RunIsHeld, match=str(os.getpid())):
        shelf.reopen(writer.run)
    writer.close()
    assert writer.run.state() == "interrupted"
    writer.close()  # closing twice is closing


def test_another_thread_may_close_the_writer(shelf: Shelf, writer: RunWriter) -> None:
    thread = threading.Thread(target=writer.close)
    thread.start()
    thread.join()
    shelf.reopen(writer.run).close()


def test_readers_that_keep_looking_never_make_a_writer_fail(shelf: Shelf, writer: RunWriter) -> None:
    run, stop = writer.run, threading.Event()
    writer.close()

    def look() -> None:
        while not stop.is_set():
            run_again.state()

    run_again = Run.open(run.path)
    reader = threading.Thread(target=look)
    reader.start()
    try:
        for _ in range(20):
            shelf.reopen(run).close()
    finally:
        stop.set()
        reader.join()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no shared locks; readers there look again")
def test_readers_do_not_take_one_another_for_a_writer(writer: RunWriter) -> None:
    import fcntl

    writer.close()
    with (writer.run.path / "run.lock").open() as another_reader:
        fcntl.flock(another_reader, fcntl.LOCK_SH)
        assert writer.run.state() == "interrupted"


def test_looking_writes_nothing(writer: RunWriter) -> None:
    writer.close()
    path = writer.run.path
    before = {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in path.iterdir()}
    Run.open(path).state()
    assert {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in path.iterdir()} == before


@pytest.mark.skipif(sys.platform == "win32", reason="a link takes a privilege there")
def test_a_lock_that_is_a_link_holds_nothing_up_elsewhere_where_the_system_would_follow_it(
    shelf: Shelf, writer: RunWriter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "O_NOFOLLOW", raising=False)  # as on Windows
    writer.close()
    theirs, lock = tmp_path / "theirs", writer.run.path / "run.lock"
    theirs.touch()
    lock.unlink()
    lock.symlink_to(theirs)
    with pytest.raises(GptTuiError, match=r"run\.lock is a link"):
        shelf.reopen(writer.run)


def test_a_run_copied_without_its_lock_file_is_not_live(writer: RunWriter) -> None:
    writer.close()
    Path(writer.run.path / "run.lock").unlink()
    assert writer.run.state() == "interrupted"
    assert not (writer.run.path / "run.lock").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows deletes no file that is locked")
def test_who_lost_a_run_to_another_process_leaves_it_its_name_and_its_log(shelf: Shelf, writer: RunWriter) -> None:
    run = writer.run
    writer.append(Notice(level="info", text="not yet written"))
    (run.path / "run.lock").unlink()
    with held_elsewhere(run) as process:
        log = (run.path / "events.jsonl").read_bytes()
        with pytest.raises(RunIsHeld, match=f"process {process.pid}:"):
            writer.close()
        writer.close()
        assert (run.path / "events.jsonl").read_bytes() == log
        assert run.state() == "live"
        with pytest.raises(RunIsHeld, match=f"process {process.pid}:"):
            shelf.reopen(run)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows renames no directory in which a file is open")
def test_what_takes_the_place_of_a_run_that_was_moved_away_keeps_the_name_of_its_own_writer(
    shelf: Shelf, writer: RunWriter, config: RunConfig, record: RunRecord
) -> None:
    path, away = writer.run.path, shelf.runs_dir / "away"
    path.rename(away)
    other = shelf.create(config, "first", record)
    with pytest.raises(GptTuiError, match="first is being trained by process"):
        writer.prune()
    writer.close()
    assert (path / "run.owner").exists()
    other.close()
    assert not (path / "run.owner").exists()
