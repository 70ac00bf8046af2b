"""Checkpoints: back bit for bit or not at all, whatever happens to the process or to the files."""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import pytest
import torch

from gpt_tui.core.errors import GptTuiError, Refusal
from gpt_tui.core.events import Checkpoint, Continued, Event, Started
from gpt_tui.core.files import open_regular
from gpt_tui.core.runs import CorruptCheckpoint, RunWriter, Shelf, ShelfNotes, load_checkpoint, newest_whole_checkpoint
from gpt_tui.core.runs.checkpoints import State, read_state, still_kept_as

STATE = {"best_val_loss": math.inf, "step": 500, "streams": {"batches": [1, 2**63]}, "text": "Née \ud800"}
FILES = ("model.safetensors", "trainer.safetensors", "state.json")


def tensors(seed: int = 0) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    generator = torch.Generator().manual_seed(seed)
    table = torch.randn(65, 16, generator=generator)
    model = {
        "embedding": table,
        "half": torch.randn(7, 5, generator=generator).bfloat16(),
        "nan": torch.tensor([math.nan, -0.0, math.inf, 1e-42]),
        "scalar": torch.tensor(3.5),
        "none": torch.empty(0, 4),
        "head": table,
        "turned": table.T,
        "part": table[3:9],
    }
    trainer = {"steps": torch.tensor([2**40]), "random": torch.randint(0, 256, (50,), dtype=torch.uint8)}
    return model, trainer


def save(writer: RunWriter, step: int, reason: str = "interval") -> Path:
    return writer.save_checkpoint(step, *tensors(step), STATE, reason)  # type: ignore[arg-type]


def same_bits(one: torch.Tensor, other: torch.Tensor) -> bool:
    return (
        one.dtype == other.dtype
        and one.shape == other.shape
        and one.contiguous().reshape(-1).view(torch.uint8).equal(other.contiguous().reshape(-1).view(torch.uint8))
    )


def flip(path: Path, at: int, bits: int = 1) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= bits
    path.write_bytes(content)


def test_a_checkpoint_comes_back_bit_for_bit(writer: RunWriter) -> None:
    model, trainer = tensors()
    path = writer.save_checkpoint(500, model, trainer, STATE, "interval")  # type: ignore[arg-type]
    assert path == writer.run.path / "checkpoints" / "000500"
    assert sorted(p.name for p in path.iterdir()) == sorted(FILES)
    loaded = load_checkpoint(path)
    assert loaded.step == 500
    assert loaded.state == STATE
    for saved, back in ((model, loaded.model), (trainer, loaded.trainer)):
        assert saved.keys() == back.keys()
        assert all(same_bits(saved[name], back[name]) for name in saved)


def test_tied_weights_are_stored_once_and_tied_again(writer: RunWriter) -> None:
    path = save(writer, 1)
    header_length = struct.unpack("<Q", (path / FILES[0]).read_bytes()[:8])[0]
    header = json.loads((path / FILES[0]).read_bytes()[8 : 8 + header_length])
    assert "embedding" in header
    assert "head" not in header
    loaded = load_checkpoint(path).model
    assert loaded["head"] is loaded["embedding"]
    assert loaded["part"].data_ptr() != loaded["embedding"].data_ptr()


def test_the_same_step_saved_again_gets_its_own_name(writer: RunWriter) -> None:
    assert [save(writer, 500).name for _ in range(3)] == ["000500", "000500.2", "000500.3"]
    assert save(writer, 1_234_567).name == "1234567"


def test_the_newest_is_the_one_saved_last_even_after_going_back(writer: RunWriter) -> None:
    for step in (100, 200, 300, 150, 200):
        save(writer, step)
    assert [info.name for info in writer.run.checkpoints()] == ["000100", "000200", "000300", "000150", "000200.2"]
    assert newest_whole_checkpoint(writer.run)[0].name == "000200.2"
    assert newest_whole_checkpoint(writer.run, 300)[0].name == "000300"


def test_a_list_of_checkpoints_tells_size_and_reason(writer: RunWriter) -> None:
    path = save(writer, 7, "interval, best")
    (info,) = writer.run.checkpoints()
    assert (info.step, info.path, info.reason) == (7, path, "interval, best")
    assert info.reasons == {"interval", "best"}
    assert info.bytes == sum(p.stat().st_size for p in path.iterdir())


@pytest.mark.parametrize("file", FILES)
def test_a_flipped_bit_is_noticed_and_the_checkpoint_before_is_used_and_named(writer: RunWriter, file: str) -> None:
    save(writer, 100)
    broken = save(writer, 200)
    flip(broken / file, (broken / file).stat().st_size // 2)
    with pytest.raises(CorruptCheckpoint, match=rf"000200 is damaged: {file}"):
        load_checkpoint(broken)
    info, loaded, notices = newest_whole_checkpoint(writer.run)
    assert (info.step, loaded.step) == (100, 100)
    assert "000200" in notices[0]
    assert file in notices[0]
    assert "000100 is used" in notices[1]


@pytest.mark.parametrize("file", FILES)
def test_a_missing_file_is_noticed(writer: RunWriter, file: str) -> None:
    path = save(writer, 1)
    (path / file).unlink()
    with pytest.raises(CorruptCheckpoint, match=file):
        load_checkpoint(path)


def forge(path: Path, change: Any) -> None:
    """Rewrite a checkpoint's model as a stranger would, with every checksum right."""
    content = change((path / "model.safetensors").read_bytes())
    (path / "model.safetensors").write_bytes(content)
    document = json.loads((path / "state.json").read_bytes())
    del document["sha256"]
    document["files"]["model.safetensors"] |= {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    plain = json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
    document["sha256"] = hashlib.sha256(plain).hexdigest()
    (path / "state.json").write_text(json.dumps(document, sort_keys=True, separators=(",", ":")) + "\n")


def huge_shape(content: bytes) -> bytes:
    header = json.dumps({"a": {"dtype": "F32", "shape": [2**50], "data_offsets": [0, 2**52]}}).encode()
    return struct.pack("<Q", len(header)) + header + b"\0" * 16


@pytest.mark.parametrize(
    "change",
    [
        lambda content: struct.pack("<Q", 2**63) + content[8:],
        lambda content: struct.pack("<Q", len(content)) + content[8:],
        lambda content: struct.pack("<Q", 2) + b"[]",
        lambda content: b"\x80\x04N.",
        huge_shape,
    ],
    ids=["header of exabytes", "header beyond the end", "no header", "a pickle", "shape of petabytes"],
)
def test_a_forged_file_with_right_checksums_is_refused_without_filling_the_memory(
    writer: RunWriter, change: Any
) -> None:
    path = save(writer, 1)
    forge(path, lambda content: content)
    load_checkpoint(path)  # the forger knows the trade
    forge(path, change)
    with pytest.raises(CorruptCheckpoint):
        load_checkpoint(path)


def test_a_checkpoint_of_another_step_under_this_name_is_noticed(writer: RunWriter) -> None:
    path = save(writer, 100)
    shutil.copytree(path, path.with_name("000200"))
    with pytest.raises(CorruptCheckpoint, match="belongs to step 100"):
        load_checkpoint(path.with_name("000200"))


@pytest.mark.parametrize(
    ("file", "again", "newest"),
    [
        ("model.safetensors", False, "000020"),
        ("model.safetensors", True, "000010"),  # the name is free again, and taken
        ("state.json", False, "000020"),
    ],
)
def test_a_checkpoint_that_is_pruned_while_it_is_read_is_not_called_damaged(
    writer: RunWriter, monkeypatch: pytest.MonkeyPatch, file: str, again: bool, newest: str
) -> None:
    save(writer, 10, "best")
    moment = [writer.run.path / "checkpoints" / "000010" / file]

    def open_late(path: Path) -> BinaryIO:
        if path in moment:
            moment.clear()
            save(writer, 20, "best")
            assert [info.name for info in writer.prune()] == ["000010"]
            if again:
                writer.save_checkpoint(10, *tensors(99), STATE, "last")  # type: ignore[arg-type]
        return open_regular(path)

    for room in ("runs.tensors", "files"):
        monkeypatch.setattr(f"gpt_tui.core.{room}.open_regular", open_late)
    info, _, notices = newest_whole_checkpoint(writer.run)
    assert moment == []
    assert (info.name, notices) == (newest, [])


def test_a_name_that_pruning_made_free_is_not_that_of_a_checkpoint_left_behind(
    writer: RunWriter, started: Callable[[str], Started]
) -> None:
    def tell(path: Path) -> None:
        writer.append(Checkpoint(step=int(path.name), path=str(path), reason="best"))

    writer.append(started("first"))
    for step in (0, 5, 10):
        tell(save(writer, step, "best"))
    writer.append(Continued(step=0, path="checkpoints/000000", created=""))
    writer.flush()
    history = writer.run.digest()
    assert history.left_behind(writer.run.checkpoints()) == {"000005", "000010"}
    assert newest_whole_checkpoint(writer.run)[0].name == "000000"
    tell(save(writer, 3, "best"))
    assert [info.name for info in writer.prune(keep={0})] == ["000005", "000010"]
    save(writer, 10, "best")  # and the log does not know it yet
    assert writer.run.digest().left_behind(writer.run.checkpoints()) == set()
    assert newest_whole_checkpoint(writer.run)[0].name == "000010"


def test_a_run_without_a_whole_checkpoint_says_so(writer: RunWriter) -> None:
    with pytest.raises(GptTuiError, match="first has no checkpoint yet"):
        newest_whole_checkpoint(writer.run)
    flip(save(writer, 5) / "state.json", 3)
    with pytest.raises(CorruptCheckpoint, match="no whole checkpoint"):
        newest_whole_checkpoint(writer.run)


def test_asking_for_a_step_that_was_not_saved_names_those_near(writer: RunWriter) -> None:
    for step in (0, 100, 200):
        save(writer, step)
    with pytest.raises(Refusal, match=r"first@120: .*0, 100, 200"):
        newest_whole_checkpoint(writer.run, 120)


def test_where_it_cannot_be_written_nothing_is_left_and_the_message_says_why(writer: RunWriter) -> None:
    (writer.run.path / "checkpoints").write_text("in the way")
    with pytest.raises(GptTuiError, match="checkpoint of step 3 cannot be saved"):
        save(writer, 3)
    assert (writer.run.path / "checkpoints").read_text() == "in the way"


def test_a_failed_save_leaves_no_half_checkpoint(writer: RunWriter, monkeypatch: pytest.MonkeyPatch) -> None:
    save(writer, 1)

    def full(path: Path) -> None:
        if path.name == "trainer.safetensors":
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("gpt_tui.core.runs.checkpoints.sync_file", full)
    with pytest.raises(GptTuiError, match="No space left on device"):
        save(writer, 2)
    assert [p.name for p in (writer.run.path / "checkpoints").iterdir()] == ["000001"]


SAVER = """
import os, signal, sys, torch
from gpt_tui.core.runs import Run, RunWriter

model = {"a": torch.arange(5000, dtype=torch.float32), "b": torch.ones(10)}
run, left = Run.open(sys.argv[1]), 0

def die_at_the_moment(event, arguments):
    global left
    if event == "open" and not arguments[2] & (os.O_WRONLY | os.O_RDWR):
        return  # of a file to be read: there are more with every checkpoint
    if event in ("open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "fsync"):
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

sync = os.fsync
os.fsync = lambda descriptor: (sys.audit("fsync"), sync(descriptor))
sys.addaudithook(die_at_the_moment)
RunWriter(run).save_checkpoint(999, model, {"t": torch.tensor(999)}, {"step": 999}, "interval")  # all imports are done
moment, status = 0, -signal.SIGKILL
while status == -signal.SIGKILL and moment < 80:
    moment += 1
    child = os.fork()
    if child == 0:
        left = moment
        with RunWriter(run) as writer:
            writer.save_checkpoint(moment, model, {"t": torch.tensor(moment)}, {"step": moment}, "interval")
        left = 0
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
print(moment, status)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="kill -9 is a POSIX signal")
def test_a_process_killed_at_any_moment_of_saving_leaves_only_whole_checkpoints(writer: RunWriter) -> None:
    run = writer.run
    writer.close()
    done = subprocess.run([sys.executable, "-c", SAVER, str(run.path)], check=True, capture_output=True, text=True)
    moments, status = map(int, done.stdout.split())
    assert status == 0
    found = run.checkpoints()
    assert found[-1].step == moments, "the one that nobody killed"
    assert 2 < len(found) < moments - 10, "some were killed before their checkpoint was whole, some after"
    for info in found:
        loaded = load_checkpoint(info.path)
        assert loaded.trainer["t"].item() == loaded.state["step"] == info.step
    with RunWriter(run) as again:
        assert not [p for p in (run.path / "checkpoints").iterdir() if p.name.startswith(".")]
        assert newest_whole_checkpoint(again.run)[2] == []


def test_what_a_dead_writer_left_is_cleaned_when_the_next_one_comes(shelf: Shelf, writer: RunWriter) -> None:
    kept = save(writer, 1)
    writer.close()
    for name in (".000500.tmp-12345", ".000400.2.removed-abcd"):
        (kept.parent / name).mkdir()
        (kept.parent / name / "model.safetensors").write_bytes(b"half")
    (kept.parent / "notes of mine").mkdir()
    assert [info.name for info in writer.run.checkpoints()] == ["000001"]
    shelf.reopen(writer.run).close()
    assert sorted(p.name for p in kept.parent.iterdir()) == ["000001", "notes of mine"]


def names(writer: RunWriter) -> list[str]:
    return [info.name for info in writer.run.checkpoints()]


def test_pruning_keeps_what_has_a_reason_the_newest_best_and_the_newest(writer: RunWriter) -> None:
    for step, why in (
        (0, "untrained"), (10, "best"), (20, "best"), (25, "last"), (30, "interval, best"), (40, "best, last"),
        (45, "asked"), (50, "best"), (60, "signal"), (70, "last"), (80, "last"),
    ):  # fmt: skip
        save(writer, step, why)
    removed = writer.prune()
    assert [info.step for info in removed] == [10, 20, 25, 40, 60, 70]
    assert names(writer) == ["000000", "000030", "000045", "000050", "000080"]
    assert writer.prune() == []


def test_pruning_spares_what_is_pinned_asked_for_or_cannot_be_read(writer: RunWriter) -> None:
    for step in (10, 20, 30, 40, 50):
        save(writer, step, "best")
    writer.run.replace_shelf_notes(ShelfNotes(pins=("000010",)))
    flip(writer.run.path / "checkpoints" / "000030" / "state.json", 5)
    assert [info.step for info in writer.prune(keep=[20])] == [40]
    assert names(writer) == ["000010", "000020", "000030", "000050"]


def test_of_the_checkpoints_of_an_interval_as_many_are_kept_as_asked_for(writer: RunWriter) -> None:
    reasons = ("untrained", "interval", "interval, best", "interval", "asked, interval", "interval", "interval", "last")
    for step, why in enumerate(reasons):
        save(writer, 10 * step, why)
    writer.run.replace_shelf_notes(ShelfNotes(pins=("000010",)))
    assert writer.prune() == []
    assert [info.step for info in writer.prune(newest=2)] == [30]
    assert names(writer) == ["000000", "000010", "000020", "000040", "000050", "000060", "000070"]
    writer.run.replace_shelf_notes(ShelfNotes())
    save(writer, 80, "interval, best, last")
    assert [info.step for info in writer.prune(newest=1)] == [10, 20, 50, 60, 70]
    assert names(writer) == ["000000", "000040", "000080"]


@pytest.mark.parametrize("content", ['{"v": 2, "pins": {"later": true}}', '{"pins": 3}', "{"])
def test_nothing_is_pruned_while_it_cannot_be_told_what_is_pinned(writer: RunWriter, content: str) -> None:
    for step in (10, 20, 30):
        save(writer, step, "best")
    (writer.run.path / "shelf.json").write_text(content)
    with pytest.raises(GptTuiError, match=r"shelf\.json"):
        writer.prune()
    assert names(writer) == ["000010", "000020", "000030"]


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
def test_a_checkpoint_that_is_a_link_keeps_no_other_from_being_pruned(writer: RunWriter, tmp_path: Path) -> None:
    for step in (10, 20, 30, 40):
        save(writer, step, "best")
    moved = tmp_path / "elsewhere"
    (writer.run.path / "checkpoints" / "000010").rename(moved)
    (writer.run.path / "checkpoints" / "000010").symlink_to(moved)
    with pytest.raises(GptTuiError, match="000010 is a link and is left alone"):
        writer.prune()
    assert names(writer) == ["000010", "000040"]
    assert sorted(path.name for path in moved.iterdir()) == sorted(FILES)


READER = """
import sys
from pathlib import Path
import torch
from gpt_tui.core.runs import load_checkpoint

def memory(name):
    return int(Path("/proc/self/status").read_text().partition(name + ":")[2].split()[0]) * 1024

before = memory("VmRSS")
loaded = load_checkpoint(Path(sys.argv[1]))
print(memory("VmHWM") - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the most memory that was taken, as Linux tells it")
def test_reading_a_checkpoint_takes_hardly_more_memory_than_its_tensors(writer: RunWriter) -> None:
    size = 100 << 20
    path = writer.save_checkpoint(1, {"w": torch.ones(size // 4)}, {}, {}, "last")
    done = subprocess.run([sys.executable, "-c", READER, str(path)], check=True, capture_output=True, text=True)
    assert int(done.stdout) < 1.3 * size


PRUNER = """
import os, shutil, signal, sys
from pathlib import Path
from gpt_tui.core.runs import Run, RunWriter
from gpt_tui.core.runs.verify import verify

run, whole, left = Run.open(sys.argv[1]), Path(sys.argv[2]), 0

def die_at_the_moment(event, arguments):
    global left
    if event in ("os.rename", "os.remove", "os.rmdir", "shutil.rmtree", "os.scandir"):
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(die_at_the_moment)
moment, status = 0, -signal.SIGKILL
while status == -signal.SIGKILL and moment < 200:
    moment += 1
    shutil.rmtree(run.path / "checkpoints")
    shutil.copytree(whole, run.path / "checkpoints")
    child = os.fork()
    if child == 0:
        writer = RunWriter(run)
        left = moment
        writer.prune(newest=1)
        left = 0
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    found = [info.name for info in run.checkpoints()]
    print(moment, status, list(verify(run.path).faults), found[0], found[-1], len(found), sep="|")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="kill -9 is a POSIX signal")
def test_a_process_killed_at_any_moment_of_pruning_leaves_a_whole_run(
    writer: RunWriter, tmp_path: Path, started: Callable[[str], Started], steps: Callable[[int, int], list[Event]]
) -> None:
    for event in [started("first"), *steps(1, 40)]:
        writer.append(event)
    for step, why in ((0, "untrained"), (10, "interval"), (20, "best"), (30, "interval"), (40, "interval, best")):
        save(writer, step, why)
    writer.close()
    shutil.copytree(writer.run.path / "checkpoints", tmp_path / "whole")
    command = [sys.executable, "-c", PRUNER, str(writer.run.path), str(tmp_path / "whole")]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    rows = [line.split("|") for line in done.stdout.splitlines()]
    assert rows[-1][1] == "0"
    assert len(rows) > 15
    assert {(first, last) for *_, first, last, _ in rows} == {("000000", "000040")}
    assert [int(row[-1]) for row in rows] == sorted((int(row[-1]) for row in rows), reverse=True)
    assert rows[-1][-1] == "2"
    assert {row[2] for row in rows} == {"[]"}
    with RunWriter(writer.run) as again:
        assert sorted(path.name for path in (again.run.path / "checkpoints").iterdir()) == ["000000", "000040"]


@pytest.mark.skipif(sys.platform == "win32", reason="making links needs a right there")
def test_nothing_is_deleted_or_written_through_a_link(writer: RunWriter, tmp_path: Path) -> None:
    for step in (10, 20, 30):
        save(writer, step, "best")
    inside, outside = writer.run.path / "checkpoints", tmp_path / "precious"
    inside.rename(outside)
    inside.symlink_to(outside)
    before = sorted(p.name for p in outside.iterdir())
    (outside / ".000500.tmp-1").mkdir()
    with pytest.raises(GptTuiError, match="link"):
        writer.prune()
    with pytest.raises(GptTuiError, match="link"):
        save(writer, 40)
    writer.close()
    RunWriter(writer.run).close()
    assert sorted(p.name for p in outside.iterdir()) == [".000500.tmp-1", *before]


def test_to_save_and_prune_each_checkpoint_is_looked_at_once(
    shelf: Shelf, writer: RunWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    for step in (10, 20, 30):
        save(writer, step, "interval")
    read: list[str] = []

    def noted(path: Path) -> State:
        read.append(path.name)
        return read_state(path)

    monkeypatch.setattr("gpt_tui.core.runs.checkpoints.read_state", noted)
    save(writer, 40, "interval")
    writer.prune()
    assert read == ["000010", "000020", "000030", "000040"]


def test_a_checkpoint_that_somebody_puts_back_does_not_supersede_the_one_just_saved(
    shelf: Shelf, writer: RunWriter, tmp_path: Path
) -> None:
    run = writer.run
    for step in (10, 20, 60):
        save(writer, step, "interval")
    writer.close()
    for name in ("000020", "000060"):
        (run.path / "checkpoints" / name).rename(tmp_path / name)
    with shelf.reopen(run) as again:
        save(again, 40, "last")
        (tmp_path / "000060").rename(run.path / "checkpoints" / "000060")  # saved as the third, as that was the second
        assert again.prune() == []
        save(again, 50, "last")
        assert [info.name for info in run.checkpoints()] == ["000010", "000040", "000060", "000050"]
        assert [info.name for info in again.prune()] == ["000040"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows syncs no directories")
def test_the_directory_of_the_first_checkpoint_is_on_the_disk_before_the_checkpoint_is(
    writer: RunWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(os.fstat(descriptor).st_ino))
    place = save(writer, 10)
    inodes = [path.stat().st_ino for path in (writer.run.path, place, place.parent)]
    assert [inode for inode in synced if inode in inodes] == inodes


def test_of_those_that_were_once_the_best_only_the_newest_is_told_to_be_it() -> None:
    saved = ["untrained", "best", "interval, best", "interval", "interval, best", "last"]
    assert still_kept_as(saved) == ["untrained", "was best", "interval", "interval", "interval, best", "last"]
    assert still_kept_as(["interval"]) == ["interval"]
    assert still_kept_as([]) == []
