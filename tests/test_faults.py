"""Disks that are full or gone, in the real program: training goes on, what was saved stays whole, saving comes back."""

from __future__ import annotations

import ctypes
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from gpt_tui.core.runs import Run, load_checkpoint
from patience import PATIENCE, until
from program import command, environment, run
from test_headless import TINY, write_text

pytestmark = pytest.mark.skipif(os.name == "nt", reason="these faults are made with the means of a POSIX system")

SAVING = ["--eval-interval", "1000000", "--checkpoint-interval", "20", "--max-iters", "100000000"]

PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 24, 1, 2


class Training:
    """A headless run on its way. events: what it has told so far."""

    def __init__(self, place: Path, *arguments: str, argv: list[str] | None = None, **more: Any) -> None:
        # What a limit cuts off must not be a module that Python keeps, for every later test to fail on.
        environ = {"PYTHONDONTWRITEBYTECODE": "1", **more.pop("environ", {})}
        self.events: list[dict[str, Any]] = []
        self.process = subprocess.Popen(
            [*(argv or command()), "--headless", "--json", *arguments],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1,
            env=environment(place, **environ), **more,
        )  # fmt: skip

    def __enter__(self) -> Training:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdout, self.process.stderr):
            assert stream
            stream.close()

    def wait(self, true: str | Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
        """The next event of this kind, or of which this is true."""
        seen = (lambda event: event["event"] == true) if isinstance(true, str) else true
        assert self.process.stdout
        for line in self.process.stdout:
            self.events.append(json.loads(line))
            if seen(self.events[-1]):
                return self.events[-1]
        assert self.process.stderr
        raise AssertionError(f"it ended without {true}: {self.process.stderr.read()}")

    def wait_for_step(self, step: int) -> dict[str, Any]:
        return self.wait(lambda event: event["event"] == "step" and event["step"] >= step)

    def end(self, number: signal.Signals | None = None) -> tuple[int, str]:
        """Its status, and what it told a person."""
        if number is not None:
            self.process.send_signal(number)
        assert self.process.stdout
        assert self.process.stderr
        patience = threading.Timer(PATIENCE, self.process.kill)
        patience.start()
        try:  # communicate would pass over what the reader of lines has taken in already
            self.events += map(json.loads, self.process.stdout)
            return self.process.wait(), self.process.stderr.read()
        finally:
            patience.cancel()

    @property
    def errors(self) -> list[str]:
        return [event["text"] for event in self.events if event["event"] == "notice" and event["level"] == "error"]


def assert_whole(path: Path) -> int:
    """Every checkpoint is whole, nothing half-written is left, and the log has each step once. Its last step."""
    found = Run.open(path)
    for info in found.checkpoints():
        assert load_checkpoint(info.path).step == info.step
    left = [entry.name for entry in (path / "checkpoints").iterdir() if entry.name.startswith(".")]
    assert not left
    history = found.history()
    assert history.steps.tolist() == list(range(1, history.step + 1))
    assert not history.skipped
    return history.step


def told_once(told: list[str], *words: str) -> None:
    for word in words:
        assert sum(word in text for text in told) == 1, (word, told)


# Faults: each begins when it is entered, and is over when it is left ------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own with room for little."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = shutil.which("mount") and sys.platform == "linux"
    if not mounted or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)]).returncode:
        pytest.skip("no file system can be mounted here")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


@contextmanager
def filled(disk: Path) -> Iterator[None]:
    """Not a byte of room."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (1 << 16, 1 << 12, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                pass  # full, but for less than this
    yield
    filler.unlink()


@contextmanager
def sealed(path: Path) -> Iterator[None]:
    """Nobody may write there."""
    places = [path, path / "checkpoints"]
    for place in places:
        place.chmod(0o500)
    yield
    for place in places:
        place.chmod(0o700)


@contextmanager
def moved_away(path: Path) -> Iterator[None]:
    away = path.with_name(f"{path.name}-elsewhere")
    path.rename(away)
    yield
    away.rename(path)


@contextmanager
def limited(process: subprocess.Popen[str]) -> Iterator[None]:
    """No file of the process may be larger than it is already."""
    import resource

    unlimited = resource.RLIM_INFINITY, resource.RLIM_INFINITY
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (16, resource.RLIM_INFINITY))
    yield
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, unlimited)


def as_anybody() -> None:
    """Permissions hold for this process although root may have started it."""
    libc = ctypes.CDLL(None)
    for capability in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH):
        libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)


def outlives(training: Training, path: Path, fault: Any, *words: str) -> None:
    """The run is told of once and goes on, and saves again by itself once the fault is over."""
    training.wait("checkpoint")
    step = training.wait_for_step(25)["step"]
    with fault:
        training.wait(lambda event: event["event"] == "notice" and "could not be saved" in event["text"])
        step = training.events[-2].get("step", step)
        training.wait_for_step(step + 200)  # ten more checkpoints could not be saved
        saved = [event for event in training.events if event["event"] == "checkpoint"]
    again = training.wait("checkpoint")
    assert again["step"] > saved[-1]["step"] + 180
    training.wait_for_step(again["step"] + 20)
    status, told = training.end(signal.SIGTERM)
    assert status == 143, told
    told_once(training.errors, "could not be saved", *words)
    told_once([event.get("text", "") for event in training.events], "can be saved again")
    assert "Traceback" not in told
    assert assert_whole(path) == training.events[-1]["step"]
    assert Run.open(path).state() == "stopped"


@pytest.mark.soak
def test_a_full_disk_is_outlived(small_disk: Path, tmp_path: Path) -> None:
    text = write_text(tmp_path)
    with Training(
        tmp_path, "--dataset", str(text), *TINY, *SAVING, "--runs-dir", str(small_disk), "--run-name", "full"
    ) as training:
        outlives(training, small_disk / "full", filled(small_disk), "The log cannot be written")


@pytest.mark.soak
@pytest.mark.parametrize("fault", [moved_away, sealed])
def test_a_directory_that_is_moved_away_or_sealed_is_outlived(fault: Callable[[Path], Any], tmp_path: Path) -> None:
    if fault is sealed and sys.platform != "linux" and os.geteuid() == 0:
        pytest.skip("permissions do not hold for root here")
    path = tmp_path / "runs" / "hit"
    with Training(
        tmp_path, "--dataset", str(write_text(tmp_path)), *TINY, *SAVING, "--run-name", "hit",
        preexec_fn=as_anybody if sys.platform == "linux" else None,
    ) as training:  # fmt: skip
        outlives(training, path, fault(path))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits of another process are set on Linux alone")
@pytest.mark.soak
def test_a_file_size_limit_is_outlived(tmp_path: Path) -> None:
    with Training(
        tmp_path, "--dataset", str(write_text(tmp_path)), *TINY, *SAVING, "--run-name", "limited"
    ) as training:
        outlives(training, tmp_path / "runs" / "limited", limited(training.process), "The log cannot be written")


def seal(path: Path) -> None:
    """Make a mount read-only, as soon as no file in it is open for writing: a checkpoint may be on its way."""
    command = ["mount", "-o", "remount,bind,ro", str(path)]
    until(lambda: subprocess.run(command, capture_output=True, check=False).returncode == 0)


@pytest.mark.soak
def test_a_directory_that_is_read_only_is_outlived(tmp_path: Path) -> None:
    path = tmp_path / "runs" / "sealed"

    @contextmanager
    def read_only() -> Iterator[None]:
        subprocess.run(["mount", "--bind", str(path), str(path)], check=True)
        try:
            seal(path)
            yield
        finally:
            subprocess.run(["umount", "-l", str(path)], check=True)

    if subprocess.run(["mount", "--bind", str(tmp_path), str(tmp_path)], capture_output=True).returncode:
        pytest.skip("nothing can be mounted here")
    subprocess.run(["umount", "-l", str(tmp_path)], check=True)
    with Training(tmp_path, "--dataset", str(write_text(tmp_path)), *TINY, *SAVING, "--run-name", "sealed") as training:
        outlives(training, path, read_only())


@pytest.mark.soak
def test_a_run_that_was_deleted_goes_on_and_is_saved_once_it_was_brought_back(tmp_path: Path) -> None:
    path, copy = tmp_path / "runs" / "gone", tmp_path / "copy"

    @contextmanager
    def deleted() -> Iterator[None]:
        shutil.copytree(path, copy)
        shutil.rmtree(path)
        yield
        copy.rename(path)

    with Training(tmp_path, "--dataset", str(write_text(tmp_path)), *TINY, *SAVING, "--run-name", "gone") as training:
        training.wait("checkpoint")
        with deleted():
            training.wait(lambda event: "could not be saved" in event.get("text", ""))
        saved = training.wait("checkpoint")
        assert Run.open(path).state() == "live"
        refused = run(tmp_path, "--headless", "--resume", "gone")
        assert (refused.returncode, f"process {training.process.pid}" in refused.stderr) == (2, True), refused.stderr
        status, told = training.end(signal.SIGTERM)
    assert status == 143, told
    assert load_checkpoint(Path(saved["path"])).step == saved["step"]
    assert (
        run(tmp_path, "--headless", "--resume", "gone", "--max-iters", "1").returncode == 2
    )  # past its end: nothing lost


@pytest.mark.soak
def test_a_run_that_cannot_be_saved_at_its_end_says_what_to_do(small_disk: Path, tmp_path: Path) -> None:
    with Training(
        tmp_path, "--dataset", str(write_text(tmp_path)), *TINY, *SAVING, "--runs-dir", str(small_disk),
        "--run-name", "unsaved",
    ) as training:  # fmt: skip
        training.wait("checkpoint")
        training.wait_for_step(25)
        with filled(small_disk):
            training.wait(lambda event: "could not be saved" in event.get("text", ""))
            status, told = training.end(signal.SIGTERM)
    assert status == 1
    saved = [event["step"] for event in training.events if event["event"] == "checkpoint"][-1]
    assert (training.events[-1]["event"], training.events[-1]["reason"]) == ("failed", "error")
    assert f"gpt-tui --headless --resume unsaved --runs-dir {small_disk} goes on from step {saved}" in told
    assert "No space left" in told
    assert "Traceback" not in told
    assert_whole(small_disk / "unsaved")
    again = run(
        tmp_path, "--headless", "--resume", "unsaved", "--runs-dir", str(small_disk), "--max-iters", str(saved + 5)
    )
    assert again.returncode == 0, again.stderr
    assert assert_whole(small_disk / "unsaved") == saved + 5


SMALL_MEMORY = """
import sys
from gpt_tui.core import keeping
keeping.MOST_WAITING = 20_000
from gpt_tui.cli import program
program()
"""


@pytest.mark.soak
def test_what_waits_for_the_disk_never_fills_the_memory(small_disk: Path, tmp_path: Path) -> None:
    with Training(
        tmp_path, "--dataset", str(write_text(tmp_path)), *TINY, *SAVING, "--runs-dir", str(small_disk),
        "--run-name", "waiting", argv=[sys.executable, "-c", SMALL_MEMORY],
    ) as training:  # fmt: skip
        training.wait("checkpoint")
        with filled(small_disk):
            training.wait(lambda event: "training waits too" in event.get("text", ""))
            time.sleep(1)  # in which it would take hundreds of steps
        step = next(event["step"] for event in reversed(training.events) if event["event"] == "step")
        assert training.wait("step")["step"] == step + 1
        training.wait("checkpoint")
        assert training.end(signal.SIGTERM)[0] == 143
    told_once(training.errors, "training waits too")
    assert_whole(small_disk / "waiting")


# Before there is a run ---------------------------------------------------------------------------------------------


@pytest.mark.soak
def test_a_full_cache_is_told_and_the_run_starts(small_disk: Path, tmp_path: Path) -> None:
    with filled(small_disk):
        done = run(
            tmp_path, "--headless", "--dataset", str(write_text(tmp_path)), *TINY, "--max-iters", "2",
            GPT_TUI_CACHE_DIR=str(small_disk),
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert re.search(r"cannot be written \(10\.3 kB needed, .* free\)", done.stderr)
    assert not list(small_disk.rglob("*.tmp"))


def test_without_room_for_the_tokens_anywhere_it_says_what_helps(tmp_path: Path) -> None:
    import resource

    text = write_text(tmp_path)
    with Training(
        tmp_path, "--dataset", str(text), *TINY, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (99, -1))
    ) as training:
        status, told = training.end()
    assert status == 1
    assert "Set GPT_TUI_CACHE_DIR to a folder with room" in told
    assert "Traceback" not in told
    assert not (tmp_path / "runs").exists()
    assert not list((tmp_path / "cache").rglob("*.tmp"))


@pytest.mark.soak
def test_a_runs_directory_without_room_begins_nothing(small_disk: Path, tmp_path: Path) -> None:
    with filled(small_disk):
        done = run(tmp_path, "--headless", "--dataset", str(write_text(tmp_path)), *TINY, "--runs-dir", str(small_disk))
    assert done.returncode in (1, 2)
    assert "Traceback" not in done.stderr
    assert re.search("(?i)no space left", done.stderr)
    assert not list(small_disk.iterdir())


# Signals, in every phase of a run --------------------------------------------------------------------------------


def signalled(place: Path, phase: str, number: signal.Signals, *arguments: str, **more: Any) -> tuple[int, str]:
    """Start a run, send the signal once the program has said that line, and wait for its end."""
    later = more.pop("later", 0.0)
    environ = more.pop("environ", {})
    process = subprocess.Popen(
        command("--headless", *arguments, "--run-name", "told"),
        stdin=more.pop("stdin", subprocess.DEVNULL), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=environment(place, **environ),
    )  # fmt: skip
    try:
        assert process.stderr
        said = iter(process.stderr.readline, "")
        assert any(phase in line for line in said), f"it ended before {phase}"
        time.sleep(later)
        process.send_signal(number)
        _, told = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
        process.wait()
    assert "Traceback" not in told
    return process.returncode, told


@contextmanager
def server_that_says_nothing() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/text"


def test_a_signal_ends_a_download_that_never_ends(tmp_path: Path) -> None:
    with server_that_says_nothing() as url:
        status, told = signalled(
            tmp_path, "downloading", signal.SIGHUP, "--dataset", "shakespeare",
            environ={"GPT_TUI_SHAKESPEARE_URL": url},
        )  # fmt: skip
    assert status == 129
    assert "nothing was written" in told
    assert not (tmp_path / "runs").exists()


@pytest.mark.soak
def test_a_signal_ends_the_reading_of_a_pipe_that_never_ends(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    with open(writing, "wb"), open(reading, "rb") as pipe:  # noqa: PTH123 - these are descriptors
        status, told = signalled(tmp_path, "reading", signal.SIGTERM, "--dataset", "-", stdin=pipe)
    assert status == 143
    assert "nothing was written" in told


@pytest.mark.soak
@pytest.mark.parametrize("phase", ["reading the text", "tokenizing", "counting the ladder"])
def test_a_signal_while_a_large_text_is_made_ready_leaves_nothing_behind(phase: str, tmp_path: Path) -> None:
    text = write_text(tmp_path)
    large = tmp_path / "large.txt"
    large.write_text(text.read_text(encoding="utf-8") * 5000, encoding="utf-8")
    status, told = signalled(tmp_path, phase, signal.SIGINT, "--dataset", str(large))
    assert status == 130
    assert "nothing was written" in told
    assert not (tmp_path / "runs").exists()
    assert not list((tmp_path / "cache").rglob("*.tmp"))


def test_a_signal_before_there_is_a_run_waits_for_nothing_that_takes_long(tmp_path: Path) -> None:
    slow = tmp_path / "slow"
    slow.mkdir()
    (slow / "torch.py").write_text("import time\ntime.sleep(1000)\n")  # a cold disk, say
    status, told = signalled(
        tmp_path, "loading torch", signal.SIGTERM, "--dataset", str(write_text(tmp_path)), *TINY,
        environ={"PYTHONPATH": str(slow)},
    )  # fmt: skip
    assert status == 143
    assert "nothing was written" in told
    assert not (tmp_path / "runs").exists()


@pytest.mark.soak
def test_a_signal_while_a_large_model_is_built_begins_no_run(tmp_path: Path) -> None:
    status, told = signalled(
        tmp_path, "building the model", signal.SIGTERM, "--dataset", str(write_text(tmp_path)),
        "--n-layer", "24", "--n-embd", "1024", "--n-head", "8", "--block-size", "64", "--batch-size", "1",
    )  # fmt: skip
    assert status == 143
    assert "nothing was written" in told
    assert not (tmp_path / "runs").exists()


@pytest.mark.soak
@pytest.mark.parametrize(
    "endless",
    [["--eval-iters", "1000000"], ["--max-new-tokens", "100000"], ["--checkpoint-interval", "1"]],
    ids=["evaluating", "sampling", "saving"],
)
def test_a_signal_while_a_run_looks_or_saves_is_obeyed_with_a_checkpoint(endless: list[str], tmp_path: Path) -> None:
    status, told = signalled(
        tmp_path, "started on", signal.SIGTERM, "--dataset", str(write_text(tmp_path)), *TINY,
        "--max-iters", "100000000", "--eval-interval", "100000000", *endless, later=1.0,
    )  # fmt: skip
    assert status == 143, told
    found = Run.open(tmp_path / "runs" / "told")
    newest = found.checkpoints()[-1]
    assert "signal" in newest.reasons or endless[0] == "--checkpoint-interval"
    assert load_checkpoint(newest.path).step == newest.step == found.history().step
    assert found.state() == "stopped"


IMPATIENT = """
from gpt_tui import headless
headless.STEP_SECONDS = 0.2
from gpt_tui.cli import program
program()
"""


@pytest.mark.soak
def test_a_step_without_end_is_left_with_the_checkpoint_before_it(tmp_path: Path) -> None:
    with Training(
        tmp_path, "--dataset", str(write_text(tmp_path)), *TINY,
        "--gradient-accumulation-steps", "100000", "--batch-size", "64", "--run-name", "long",
        argv=[sys.executable, "-c", IMPATIENT],
    ) as training:  # fmt: skip
        training.wait("checkpoint")
        status, told = training.end(signal.SIGINT)
    assert status == 130
    assert f"gpt-tui --headless --resume long --runs-dir {tmp_path / 'runs'} goes on from step 0" in told
    path = tmp_path / "runs" / "long"
    assert assert_whole(path) == 0
    assert Run.open(path).state() == "interrupted"


# One writer ------------------------------------------------------------------------------------------------------


@pytest.mark.soak
def test_a_run_has_one_writer_whom_the_second_is_told_and_whose_death_holds_nobody_up(tmp_path: Path) -> None:
    with Training(tmp_path, "--dataset", str(write_text(tmp_path)), *TINY, *SAVING, "--run-name", "only") as training:
        training.wait_for_step(25)
        second = run(tmp_path, "--headless", "--resume", "only")
        assert second.returncode == 2
        assert (
            f"gpt-tui: run: only is being trained by process {training.process.pid}: stop that one first"
            in second.stderr
        )
        training.process.kill()
        training.process.wait()
        assert run(tmp_path, "--headless", "--resume", "only", "--max-seconds", "0.1").returncode == 0
    assert_whole(tmp_path / "runs" / "only")


@pytest.mark.soak
def test_somebody_elses_run_can_be_read_where_nothing_can_be_written(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        "--headless",
        "--dataset",
        str(write_text(tmp_path)),
        *TINY,
        "--max-iters",
        "3",
        "--run-name",
        "theirs",
    )
    assert done.returncode == 0
    runs = tmp_path / "runs"
    places = [place for place in [runs, *runs.rglob("*")] if place.is_dir()]
    before = sorted(runs.rglob("*"))
    for place in places:
        place.chmod(0o500)
    try:
        for arguments in (["runs"], ["runs", "show", "theirs"], ["runs", "verify"], ["sample", "theirs"]):
            read = subprocess.run(
                command(*arguments), capture_output=True, text=True, check=False, env=environment(tmp_path),
                preexec_fn=as_anybody if sys.platform == "linux" else None,
            )  # fmt: skip
            assert read.returncode == 0, (arguments, read.stderr)
    finally:
        for place in places:
            place.chmod(0o700)
    assert sorted(runs.rglob("*")) == before
