"""Checking runs: what is whole is found whole, and whatever was lost or changed, in any file, is named."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gpt_tui.core.data import CharTokenizer
from gpt_tui.core.errors import GptTuiError, NewerVersion
from gpt_tui.core.events import Checkpoint, Continued, Event, Finished, Notice, Parent, Started
from gpt_tui.core.files import open_regular
from gpt_tui.core.runs import (
    CorruptCheckpoint,
    RunWriter,
    Shelf,
    ShelfNotes,
    load_checkpoint,
    newest_whole_checkpoint,
)
from gpt_tui.core.runs.verify import checkpoint_faults, verify

MakeStarted = Callable[[str], Started]
MakeSteps = Callable[[int, int], list[Event]]
FILES = ("model.safetensors", "trainer.safetensors", "state.json")


def save(writer: RunWriter, step: int, reason: str = "interval") -> Path:
    table = torch.arange(12, dtype=torch.float32).reshape(4, 3) + step
    model = {"wte": table, "bias": torch.ones(2, dtype=torch.bfloat16), "none": torch.empty(0, 4), "head": table}
    trainer = {"steps": torch.tensor([step]), "random": torch.arange(9, dtype=torch.uint8)}
    return writer.save_checkpoint(step, model, trainer, {"step": step}, reason)


@pytest.fixture
def run(writer: RunWriter, started: MakeStarted, steps: MakeSteps) -> Path:
    """A run of forty steps with checkpoints at 20 and 40, which went on once from step 20."""
    events = [started("first"), *steps(1, 20)]
    for event in events:
        writer.append(event)
    save(writer, 20)
    for event in [*steps(21, 33), Continued(step=20, path="x", created="y"), *steps(21, 40)]:
        writer.append(event)
    save(writer, 40, "last")
    end = Finished(
        step=40, train_loss=1.0, val_loss=2.0, best_val_loss=2.0, best_step=40, seconds=3.0, reason="max_iters"
    )
    writer.append(end)
    writer.close()
    return writer.run.path


def told(path: Path) -> list[str]:
    return [f"{fault.file}: {fault.message}" for fault in verify(path).faults]


# What is whole


def test_a_whole_run_is_found_whole_and_all_of_it_was_read(run: Path) -> None:
    writer_notes = json.dumps({"v": 1, "title": "mine", "pins": ["000020"]})
    (run / "shelf.json").write_text(writer_notes)
    verdict = verify(run)
    assert verdict.faults == ()
    assert verdict.whole
    assert (verdict.name, verdict.state, verdict.checkpoints, verdict.steps) == ("first", "finished", 2, 40)
    own = [path for path in run.rglob("*") if path.is_file() and not path.name.startswith("run.lock")]
    assert verdict.bytes == sum(path.stat().st_size for path in own)


def test_a_run_that_was_only_made_is_whole(writer: RunWriter) -> None:
    writer.close()
    assert told(writer.run.path) == []
    (writer.run.path / "events.jsonl").unlink()
    assert told(writer.run.path) == []


def test_a_fork_begins_at_the_step_of_its_parent(writer: RunWriter, started: MakeStarted, steps: MakeSteps) -> None:
    parent = Parent(run="other", step=30)
    record = writer.run.record().model_copy(update={"parent": parent})
    (writer.run.path / "run.json").write_text(record.model_dump_json())
    for event in [started("first").model_copy(update={"parent": parent}), *steps(31, 35)]:
        writer.append(event)
    save(writer, 35)
    writer.close()
    verdict = verify(writer.run.path)
    assert verdict.faults == ()
    assert verdict.steps == 5


def test_a_run_that_trains_is_checked_as_it_is(writer: RunWriter, started: MakeStarted, steps: MakeSteps) -> None:
    for event in [started("first"), *steps(1, 12)]:
        writer.append(event)
    save(writer, 12)
    log = writer.run.path / "events.jsonl"
    with log.open("ab") as file:
        file.write(b'{"v":1,"event":"st')
    half = writer.run.path / "checkpoints" / f".000013.tmp-{os.getpid()}"
    half.mkdir()
    verdict = verify(writer.run.path)
    assert (verdict.state, verdict.faults, verdict.leftovers) == ("live", (), ())
    writer.close()
    verdict = verify(writer.run.path)
    assert verdict.state == "interrupted"
    assert [fault.file for fault in verdict.faults] == ["events.jsonl"]
    assert "is cut off" in verdict.faults[0].message
    assert verdict.leftovers == (f"checkpoints/{half.name}",)


@pytest.mark.parametrize("again", [False, True], ids=["gone", "its name taken anew"])
def test_a_checkpoint_that_is_pruned_while_it_is_checked_is_no_fault(
    writer: RunWriter,
    started: MakeStarted,
    steps: MakeSteps,
    monkeypatch: pytest.MonkeyPatch,
    again: bool,
) -> None:
    for event in [started("first"), *steps(1, 20)]:
        writer.append(event)
    moment = [save(writer, 10, "best") / "model.safetensors"]

    def open_late(path: Path) -> BinaryIO:
        if path in moment:
            moment.clear()
            save(writer, 20, "best")
            writer.prune()
            if again:
                writer.save_checkpoint(10, {"other": torch.ones(3)}, {}, {}, "last")
        return open_regular(path)

    monkeypatch.setattr("gpt_tui.core.runs.tensors.open_regular", open_late)
    assert told(writer.run.path) == []
    assert moment == []


def test_half_a_line_is_no_fault_any_more_once_the_run_went_on(run: Path, shelf: Shelf, steps: MakeSteps) -> None:
    with (run / "events.jsonl").open("ab") as file:
        file.write(b'{"v":1,"event":"step","step":41,"lo')
    cut = f"events.jsonl: line {len(lines(run))}, at its end, is cut off: to go on with the run mends it"
    assert told(run) == [cut]
    shelf.reopen(shelf.find("first")[0]).close()
    assert told(run) == [cut], "the next writer died before it went on"
    again: list[Event] = [Notice(level="info", text="x"), Checkpoint(step=40, path="x", reason="last")]
    again += [Continued(step=40, path="x", created="y"), *steps(41, 45)]
    with shelf.reopen(shelf.find("first")[0]) as writer:
        for event in again:
            writer.append(event)
    assert told(run) == []


def test_progress_is_told_in_bytes(writer: RunWriter, started: MakeStarted) -> None:
    writer.append(started("first"))
    big = {"a": torch.zeros(5 << 20, dtype=torch.uint8)}
    writer.save_checkpoint(0, big, big, {}, "untrained")
    writer.close()
    seen: list[tuple[int, int]] = []
    verdict = verify(writer.run.path, lambda done, total: seen.append((done, total)))
    assert len(seen) >= 2
    assert seen == sorted(seen)
    assert {total for _, total in seen} == {verdict.bytes}


# Checkpoints


def places(path: Path) -> list[tuple[int, int]]:
    """Every byte of a file with one bit of it, and every bit of the first eight, which say how long a header is."""
    size = path.stat().st_size
    return [(at, 1 << bit) for at in range(8) for bit in range(8)] + [(at, 1 << at % 8) for at in range(8, size)]


@pytest.mark.parametrize("file", FILES)
def test_a_flipped_bit_in_any_byte_is_found_by_loading_and_by_checking(run: Path, file: str) -> None:
    path = run / "checkpoints" / "000040"
    whole = (path / file).read_bytes()
    missed = []
    for at, bit in places(path / file):
        (path / file).write_bytes(whole[:at] + bytes([whole[at] ^ bit]) + whole[at + 1 :])
        found = [fault.file for fault in checkpoint_faults(path)]
        try:
            load_checkpoint(path)
            missed.append(("loading", at, bit))
        except CorruptCheckpoint:
            pass
        if found != [file]:
            missed.append(("checking", at, bit))
    assert missed == []


@pytest.mark.parametrize("file", FILES)
def test_a_file_cut_anywhere_is_found_by_loading_and_by_checking(run: Path, file: str) -> None:
    path = run / "checkpoints" / "000040"
    whole = (path / file).read_bytes()
    for length in range(len(whole)):
        os.truncate(path / file, len(whole) - 1 - length)
        assert [fault.file for fault in checkpoint_faults(path)] == [file]
        with pytest.raises(CorruptCheckpoint, match=file):
            load_checkpoint(path)


@pytest.mark.parametrize("file", FILES)
def test_of_a_damaged_checkpoint_the_file_is_named_and_the_one_before_is_used(
    run: Path, shelf: Shelf, file: str
) -> None:
    path = run / "checkpoints" / "000040" / file
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)
    assert [fault.file for fault in verify(run).faults] == [f"checkpoints/000040/{file}"]
    info, _, notices = newest_whole_checkpoint(shelf.find("first")[0])
    assert info.name == "000020"
    assert "000040 is damaged" in notices[0]
    assert notices[-1] == "checkpoint 000020 is used, the newest that is whole"


def forge(path: Path, table: dict[str, Any], data: bytes, aliases: dict[str, str]) -> None:
    """Replace a checkpoint's model by one with this table, with every checksum right."""
    header = json.dumps(table).encode()
    content = struct.pack("<Q", len(header)) + header + data
    (path / "model.safetensors").write_bytes(content)
    document = json.loads((path / "state.json").read_bytes())
    digest = hashlib.sha256(content).hexdigest()
    document["files"]["model.safetensors"] = {"bytes": len(content), "sha256": digest, "aliases": aliases}
    write_state(path, document)


def write_state(path: Path, document: dict[str, Any]) -> None:
    document.pop("sha256", None)
    plain = json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
    document["sha256"] = hashlib.sha256(plain).hexdigest()
    (path / "state.json").write_text(json.dumps(document, sort_keys=True, separators=(",", ":")) + "\n")


A = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


@pytest.mark.parametrize(
    ("table", "size", "aliases", "says"),
    [
        ({"a": A}, 8, {"b": "a"}, ""),
        ({"a": A, "__metadata__": {"format": "pt"}}, 8, {}, ""),
        ({"a": A}, 8, {"b": "c"}, "does not hold b as another name of c"),
        ({"a": A}, 12, {}, "has 12 bytes of data, and tensors for 8"),
        ({"a": {**A, "data_offsets": [4, 12]}}, 12, {}, "do not follow one another"),
        ({"a": A, "b": {**A, "data_offsets": [4, 12]}}, 12, {}, "do not follow one another"),
        ({"a": {**A, "shape": [3]}}, 8, {}, "no table of tensors"),
        ({"a": {**A, "shape": [-2]}}, 8, {}, "no table of tensors"),
        ({"a": {**A, "dtype": "F99"}}, 8, {}, "no table of tensors"),
        ({"a": {"dtype": "F32", "shape": [2**50], "data_offsets": [0, 2**52]}}, 8, {}, "has 8 bytes of data"),
        ({"a": {"dtype": "F32", "shape": [10**4000] * 2000, "data_offsets": [0, 8]}}, 8, {}, "no table of tensors"),
        ({"a": [1, 2]}, 8, {}, "no table of tensors"),
    ],
)
def test_a_forged_table_of_tensors_with_right_checksums_is_found(
    run: Path, table: dict[str, Any], size: int, aliases: dict[str, str], says: str
) -> None:
    path = run / "checkpoints" / "000040"
    forge(path, table, bytes(size), aliases)
    faults = checkpoint_faults(path)
    assert [fault.file for fault in faults] == ["model.safetensors"] * bool(says)
    assert all(says in fault.message for fault in faults)


def test_a_checkpoint_under_another_name_or_without_a_file_is_found(run: Path) -> None:
    shutil.copytree(run / "checkpoints" / "000020", run / "checkpoints" / "000030")
    (run / "checkpoints" / "000040" / "trainer.safetensors").unlink()
    assert told(run) == [
        "checkpoints/000030/state.json: belongs to step 20",
        "checkpoints/000040/trainer.safetensors: cannot be read: No such file or directory",
    ]


# The log


def lines(run: Path) -> list[bytes]:
    return (run / "events.jsonl").read_bytes().splitlines(keepends=True)


def write(run: Path, content: list[bytes]) -> None:
    (run / "events.jsonl").write_bytes(b"".join(content))


def line_of(run: Path, step: int) -> int:
    """Where the line of a step is, of several the last."""
    return max(i for i, line in enumerate(lines(run)) if b'"event":"step"' in line and b'"step":%d,' % step in line)


def test_a_lost_a_doubled_and_a_spoiled_line_are_found(run: Path) -> None:
    whole, at = lines(run), line_of(run, 38)
    write(run, whole[:at] + whole[at + 1 :])
    assert told(run) == [f"events.jsonl: lacks step 38 before line {at + 1}"]
    write(run, whole[: at - 5] + whole[at + 1 :])
    assert "lacks steps 3" in told(run)[0]
    write(run, [*whole[:at], whole[at], *whole[at:]])
    assert told(run) == [f"events.jsonl: tells of step 38 again in line {at + 2}"]
    write(run, [*whole[:at], b"\xff" + whole[at][1:], *whole[at + 1 :]])
    assert told(run)[0] == f"events.jsonl: line {at + 1} is no event"
    write(run, [b"x\n"] * 30 + whole)
    assert told(run)[5] == "events.jsonl: has 25 more lines that are no events"


def test_a_log_that_lost_its_end_or_its_beginning_is_found(run: Path) -> None:
    whole = lines(run)
    write(run, whole[: line_of(run, 31)])
    assert told(run) == ["events.jsonl: reaches only step 33, though there is the checkpoint 000040"]
    write(run, whole[1:])
    assert "begins with the event step (line 1) instead of started" in told(run)[0]
    (run / "events.jsonl").unlink()
    assert told(run) == ["events.jsonl: is missing, though there are checkpoints"]


def test_going_on_from_a_step_that_was_never_reached_is_found(run: Path) -> None:
    with (run / "events.jsonl").open("ab") as file:
        file.write(Continued(step=50, path="x", created="y").to_json().encode() + b"\n")
    assert "goes on from step 50" in told(run)[0]


def test_an_event_of_a_newer_version_is_passed_over_and_told(run: Path, shelf: Shelf) -> None:
    whole = lines(run)
    write(run, [*whole[:-1], b'{"v":2,"event":"step","step":"forty"}\n', whole[-1]])
    assert told(run) == [
        f"events.jsonl: line {len(whole)} was written by a newer gpt-tui: version 2, where this one knows version 1: "
        "it is passed over"
    ]
    history = shelf.find("first")[0].history()
    assert (history.skipped, history.step) == (1, 40)


def test_a_line_that_is_too_long_to_be_ours_does_not_fill_the_memory(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gpt_tui.core.runs.verify.MAX_LINE", 4000)
    whole = lines(run)
    write(run, [*whole[:-1], b"x" * 9000 + b"\n", whole[-1]])
    assert told(run) == [f"events.jsonl: line {len(whole)} is no event"]


# The files without a checksum of their own


def test_a_configuration_or_a_record_that_is_not_what_the_run_began_with_is_found(run: Path) -> None:
    config = run / "config.toml"
    config.write_text(config.read_text().replace("n_layer = ", "n_layer = 1"))
    record = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**record, "parameters": 1, "passage": "else"}))
    assert told(run) == [
        "config.toml: has another n_layer than the run began with",
        "run.json: has another parameters, passage than the run began with",
    ]


@pytest.mark.parametrize(
    ("file", "content", "says"),
    [
        ("config.toml", "v = 2\n[mode]\n", "was written by a newer gpt-tui: version 2"),
        ("config.toml", "v = 1\n[mode]\n", "there is no such table"),
        ("run.json", '{"v": 2}', "was written by a newer gpt-tui: version 2"),
        ("run.json", '{"v": 1}', "is not a run's record"),
        ("run.json", "{", "is not a run's record: Invalid JSON"),
        ("shelf.json", '{"v": 2, "title": "x"}', "was written by a newer gpt-tui: version 2"),
        ("shelf.json", '{"v": 2, "title": {}}', "was written by a newer gpt-tui: version 2"),
        ("shelf.json", '{"v": 1, "title": {}}', "holds no title, note and pins"),
        ("shelf.json", '{"pins": ["000030"]}', "pins the checkpoint 000030, which is not there"),
    ],
)
def test_a_file_that_cannot_be_read_here_is_named(run: Path, file: str, content: str, says: str) -> None:
    (run / file).write_text(content)
    (said,) = told(run)
    assert said.startswith(f"{file}: ")
    assert said.count(file) == 1
    assert says in said


def test_a_vocabulary_that_is_not_the_one_that_was_written_is_found(run: Path) -> None:
    path = run / "run.json"
    record = json.loads(path.read_text())
    assert told(run) == [], "one of before there were checksums"
    for changes in (
        {"characters": "\n !$&',-.3:;?ABD"},
        {"kind": "chaz"},
        {"sha257": CharTokenizer("ab").to_json()["sha256"]},
    ):
        kept = CharTokenizer(record["tokenizer"]["characters"]).to_json()
        path.write_text(json.dumps({**record, "tokenizer": kept}))
        assert told(run) == []
        path.write_text(json.dumps({**record, "tokenizer": {**kept, **changes}}))
        assert told(run) == ["run.json: holds a vocabulary that is not the one that was written"]


def test_a_directory_that_is_no_run_is_told_of(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for path in (tmp_path / "empty", tmp_path / "absent"):
        verdict = verify(path)
        assert verdict.state is None
        assert [fault.file for fault in verdict.faults] == ["config.toml", "run.json"]


@pytest.mark.skipif(sys.platform == "win32", reason="making links and pipes")
def test_a_link_or_a_pipe_in_the_place_of_a_file_is_found_and_not_waited_for(run: Path, tmp_path: Path) -> None:
    model = run / "checkpoints" / "000040" / "model.safetensors"
    model.rename(tmp_path / "model")
    model.symlink_to(tmp_path / "model")
    (run / "shelf.json").symlink_to(tmp_path / "nowhere")
    trainer = run / "checkpoints" / "000020" / "trainer.safetensors"
    trainer.unlink()
    os.mkfifo(trainer)
    assert told(run) == [
        "shelf.json: is a link to another place",
        "checkpoints/000020/trainer.safetensors: cannot be read: it is not a regular file",
        "checkpoints/000040/model.safetensors: is a link to another place",
    ]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(["config.toml", "run.json", "shelf.json", "events.jsonl"]), st.binary(max_size=60))
def test_whatever_stands_in_a_file_is_a_verdict_and_no_error(run: Path, file: str, content: bytes) -> None:
    path = run / file
    before = path.read_bytes() if path.exists() else None
    path.write_bytes(content)
    try:
        assert all(fault.message.isprintable() for fault in verify(run).faults)
    finally:
        path.write_bytes(before) if before is not None else path.unlink()


# A version in every file


def test_every_file_of_a_run_says_its_version(run: Path, shelf: Shelf) -> None:
    shelf.find("first")[0].replace_shelf_notes(ShelfNotes(title="x"))
    assert (run / "config.toml").read_text().splitlines()[0] == "v = 1"
    versions = [json.loads((run / name).read_text())["v"] for name in ("run.json", "shelf.json")]
    versions.append(json.loads((run / "checkpoints" / "000040" / "state.json").read_text())["v"])
    assert [*versions, *(json.loads(line)["v"] for line in lines(run))] == [1] * (3 + len(lines(run)))


def test_a_checkpoint_of_a_newer_version_is_refused_by_name_and_not_taken_for_damaged(run: Path, shelf: Shelf) -> None:
    path = run / "checkpoints" / "000040"
    write_state(path, {**json.loads((path / "state.json").read_bytes()), "v": 2, "later": True})
    opened = shelf.find("first")[0]
    with pytest.raises(NewerVersion, match="checkpoint 000040 was written by a newer gpt-tui: version 2"):
        newest_whole_checkpoint(opened)
    assert newest_whole_checkpoint(opened, 20)[0].name == "000020"
    (path.parent / "000060").mkdir()
    assert [(info.name, info.kept_as) for info in opened.checkpoints()] == [
        ("000020", "interval"),
        ("000040", "of a newer gpt-tui"),
        ("000060", "damaged"),
    ]
    (path.parent / "000060").rmdir()
    assert told(run) == [
        "checkpoints/000040/state.json: was written by a newer gpt-tui: version 2, where this one knows version 1"
    ]


def test_what_a_save_that_failed_could_not_take_away_goes_with_the_next_that_succeeds(
    writer: RunWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoints = writer.run.path / "checkpoints"
    save(writer, 10)
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", sealed)
        patch.setattr(Path, "rename", sealed)
        patch.setattr(shutil, "rmtree", lambda *_, **__: None)
        with pytest.raises(GptTuiError):
            save(writer, 20)
    assert len(list(checkpoints.iterdir())) == 2
    save(writer, 30)
    assert sorted(path.name for path in checkpoints.iterdir()) == ["000010", "000030"]


def sealed(*_: object, **__: object) -> None:
    raise OSError(errno.EROFS, "Read-only file system")
