"""The event log: whatever happens to the file, whole events are read, once and in order, and nothing is lost."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt_tui.core.errors import GptTuiError
from gpt_tui.core.events import Checkpoint, Continued, Event, Finished, Notice, Paused, Started, Step
from gpt_tui.core.runs import LogTail
from gpt_tui.core.runs.log import EventLog

MakeSteps = Callable[[int, int], list[Event]]


def write(path: Path, events: list[Event]) -> None:
    log = EventLog(path)
    for event in events:
        log.append(event)
    log.close()


def read(path: Path) -> list[Event]:
    tail = LogTail(path)
    events: list[Event] = []
    while not tail.at_end:
        events += tail.poll()
    return events


def test_events_come_back_as_they_were_written(
    tmp_path: Path, started: Callable[[str], Started], steps: MakeSteps
) -> None:
    events = [started("first"), *steps(1, 40), Checkpoint(step=40, path="/x", reason="best")]
    write(tmp_path / "log", events)
    assert read(tmp_path / "log") == events


def test_nothing_is_in_the_file_before_a_flush_and_all_of_it_after(tmp_path: Path, steps: MakeSteps) -> None:
    log, tail = EventLog(tmp_path / "log"), LogTail(tmp_path / "log")
    log.append(steps(1, 1)[0])
    assert tail.poll() == []
    log.flush()
    assert tail.poll() == steps(1, 1)
    assert tail.poll() == []
    log.close()


def test_a_crash_at_any_byte_of_the_last_two_lines_loses_only_what_was_cut(tmp_path: Path, steps: MakeSteps) -> None:
    path = tmp_path / "log"
    events: list[Event] = [*steps(1, 1), Paused(step=1), Notice(level="info", text="é")]
    write(path, events)
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    after = Notice(level="info", text="after")
    for cut in range(len(lines[0]), len(whole) + 1):
        path.write_bytes(whole[:cut])
        kept = [
            event
            for event, end in zip(events, (len(b"".join(lines[: i + 1])) for i in range(3)), strict=True)
            if cut >= end - 1
        ]  # a line that lacks only its end is whole
        assert read(path) == kept
        write(path, [after])
        assert read(path) == [*kept, after]
        assert path.read_bytes().startswith(whole[:cut]), "the log was changed and not only appended to"


def test_a_reader_that_follows_gets_each_event_once_however_the_bytes_arrive(tmp_path: Path, steps: MakeSteps) -> None:
    path = tmp_path / "log"
    write(path, steps(1, 12))
    whole = path.read_bytes()
    path.write_bytes(b"")
    tail = LogTail(path)
    seen: list[Event] = []
    with path.open("ab", buffering=0) as file:
        for at in range(0, len(whole), 37):
            file.write(whole[at : at + 37])
            seen += tail.poll()
    assert seen == steps(1, 12)
    assert tail.skipped == 0


@given(st.integers(1, 400))
def test_reading_in_pieces_of_any_size_gives_the_same_events(
    tmp_path_factory: pytest.TempPathFactory, piece: int
) -> None:
    path = tmp_path_factory.mktemp("log") / "log"
    events: list[Event] = [Notice(level="info", text="ä" * n) for n in range(8)]
    write(path, events)
    tail = LogTail(path)
    seen: list[Event] = []
    while not tail.at_end:
        seen += tail.poll(piece)
    assert seen == events


def test_lines_that_are_no_events_are_skipped_and_counted(tmp_path: Path, steps: MakeSteps) -> None:
    path = tmp_path / "log"
    write(path, steps(1, 1))
    with path.open("ab") as file:
        file.write(
            b'\xff\xfe\nnull\n[]\n{"v":1,"event":"dance"}\n{"v":2,"event":"step"}\n\n  \n' + b"[" * 100_000 + b"\n"
        )
    write(path, steps(2, 2))
    tail = LogTail(path)
    assert tail.poll() == steps(1, 2)
    assert tail.skipped == 6


def test_a_log_that_has_lost_its_beginning_is_given_another_and_no_other_log_is(
    tmp_path: Path, started: Callable[[str], Started], steps: MakeSteps
) -> None:
    path = tmp_path / "log"
    begun = started("first")
    tail = LogTail(path, begun)
    assert tail.poll() == [], "it has not begun yet"
    write(path, [begun, *steps(1, 2)])
    assert tail.poll() == [begun, *steps(1, 2)]
    assert not tail.unread.start
    path.write_bytes(path.read_bytes().replace(b"started", b"st?rted", 1))
    for piece in (97, 1 << 20):
        again, seen = LogTail(path, begun), list[Event]()
        while not again.at_end:
            seen += again.poll(piece)
        assert seen == [begun, *steps(1, 2)]
        assert again.unread.start


@pytest.mark.parametrize("thin", [False, True], ids=["whole", "thin"])
@pytest.mark.parametrize("piece", [97, 1 << 20])
def test_half_a_line_that_a_kill_left_is_told_from_a_line_that_is_lost(
    tmp_path: Path, steps: MakeSteps, thin: bool, piece: int
) -> None:
    path = tmp_path / "log"
    lines = [event.to_json().encode() for event in steps(1, 12)]  # 14 lines, as there is a look at the tenth
    lines[4] = b"spoiled"
    lines[11] = b'{"v":7,"event":"edit","step":10}'
    lines += [b'{"v":1,"event":"st', Checkpoint(step=10, path="x", reason="last").to_json().encode()]
    lines += [Continued(step=10, path="x", created="y").to_json().encode(), b"", b'{"v":1,"eve']
    path.write_bytes(b"\n".join(lines))
    tail = LogTail(path, thin=thin)

    def read() -> tuple[list[int], list[str], list[int]]:
        tail.poll(piece)
        while not tail.at_end:
            tail.poll(piece)
        return tail.unread.lost, tail.unread.newer, tail.unread.torn

    newer = "line 12 was written by a newer gpt-tui: version 7, where this one knows version 1"
    assert read() == ([5], [newer], [])
    EventLog(path).close()  # as the next writer does
    assert read() == ([5], [newer], [19])
    write(path, steps(11, 12))
    assert read() == ([5, 19], [newer], []), "that one was no last word: it went on without a continued"
    path.write_bytes(b"\n".join(lines[:3]) + b"\n")
    assert read() == ([], [], []), "the log that is there now"


def test_a_line_without_end_does_not_fill_the_memory(
    tmp_path: Path, steps: MakeSteps, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gpt_tui.core.runs.log.MAX_LINE", 1000)
    path = tmp_path / "log"
    write(path, steps(1, 1))
    with path.open("ab") as file:
        file.write(b"x" * 5000 + b"\n")
    write(path, steps(2, 2))
    tail = LogTail(path)
    seen: list[Event] = []
    while not tail.at_end:
        seen += tail.poll(300)
        assert len(tail._rest) <= 1300
    assert seen == steps(1, 2)
    assert tail.skipped == 1


@pytest.mark.parametrize("longer", [False, True], ids=["shorter", "longer"])
def test_a_log_that_was_replaced_is_read_again_from_its_start(tmp_path: Path, steps: MakeSteps, longer: bool) -> None:
    path = tmp_path / "log"
    write(path, steps(1, 9))
    tail = LogTail(path)
    assert tail.poll() == steps(1, 9)
    path.unlink()
    assert tail.poll() == []
    other = steps(20, 35) if longer else steps(20, 22)
    write(path, other)
    assert tail.poll() == other


def test_a_log_that_is_not_there_yet_is_no_events(tmp_path: Path, steps: MakeSteps) -> None:
    tail = LogTail(tmp_path / "log")
    assert tail.poll() == []
    assert tail.at_end
    write(tmp_path / "log", steps(1, 1))
    assert tail.poll() == steps(1, 1)


def test_a_log_that_cannot_be_read_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    with pytest.raises(GptTuiError, match="cannot be read"):
        LogTail(tmp_path / "log").poll()


def test_after_a_full_disk_the_log_goes_on_at_the_byte_where_it_stopped(tmp_path: Path, steps: MakeSteps) -> None:
    path = tmp_path / "log"
    log = EventLog(path)
    real = log._file
    room = [100]  # bytes until the disk is full

    class FullDisk:
        """Stands for a disk that takes a part of a write and then nothing: no real one can be filled in a test."""

        def write(self, content: bytearray) -> int:
            if not room[0]:
                raise OSError(errno.ENOSPC, "No space left on device")
            taken = real.write(content[: room[0]])
            room[0] -= taken
            return taken

    log._file = FullDisk()  # type: ignore[assignment]
    for event in steps(1, 3):
        log.append(event)
    with pytest.raises(GptTuiError, match="No space left on device"):
        log.flush()
    assert len(path.read_bytes()) == 100
    room[0] = 10_000
    log.append(steps(4, 4)[0])
    log.flush()
    real.close()
    assert read(path) == steps(1, 4)


LIMITED = """
import resource, signal, sys
from pathlib import Path
from gpt_tui.core.errors import GptTuiError
from gpt_tui.core.events import Notice
from gpt_tui.core.runs.log import EventLog
path = Path(sys.argv[1])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
log = EventLog(path)
for number in range(3):
    log.append(Notice(level="info", text=f"notice {number}", time=0.0))
    if number == 1:
        _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 20, most))
    try:
        log.flush()
    except GptTuiError:
        path.rename(path.with_name("away"))
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
        log.find_file()
log.close()
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no limit on the size of files")
def test_a_line_that_was_half_written_when_its_file_went_is_whole_in_the_next(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", LIMITED, str(tmp_path / "log")], check=True)
    assert [event.text for event in read(tmp_path / "log")] == ["notice 1", "notice 2"]  # type: ignore[union-attr]
    assert (tmp_path / "away").read_bytes().count(b"\n") == 1


def test_a_thin_reader_gives_all_but_samples_and_the_last_step_of_each_stretch(
    tmp_path: Path, started: Callable[[str], Started], steps: MakeSteps
) -> None:
    path = tmp_path / "log"
    end = Finished(
        step=25, train_loss=1.0, val_loss=2.0, best_val_loss=2.0, best_step=25, seconds=3.0, reason="max_iters"
    )
    again = Continued(step=20, path="x", created="")
    write(path, [started("first"), *steps(1, 25), again, *steps(21, 25), end])
    thin = LogTail(path, thin=True).poll()
    assert [event.event for event in thin] == [
        "started", "step", "eval", "step", "eval", "step", "continued", "step", "finished",
    ]  # fmt: skip
    assert [event.step for event in thin if isinstance(event, Step)] == [10, 20, 25, 25]


def test_a_log_that_is_a_link_is_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("mine")
    (tmp_path / "log").symlink_to(tmp_path / "precious")
    with pytest.raises(GptTuiError, match="link"):
        EventLog(tmp_path / "log")
    assert (tmp_path / "precious").read_text() == "mine"


def test_a_thin_reader_that_wants_the_first_steps_gets_each_of_them(tmp_path: Path, steps: MakeSteps) -> None:
    path = tmp_path / "log"
    write(path, steps(1, 35))
    early = LogTail(path, thin=True, whole_to=12).poll()
    assert [event.step for event in early if isinstance(event, Step)] == [*range(1, 13), 20, 30, 35]
    assert {event.event for event in early} == {"step", "eval"}


def test_half_of_the_first_line_is_mended_by_a_run_that_starts_anew(
    tmp_path: Path, started: Callable[[str], Started]
) -> None:
    path, tail = tmp_path / "log", LogTail(tmp_path / "log")
    path.write_bytes(started("first").to_json().encode()[:200])
    write(path, [Notice(level="info", text="the log was cut"), started("first")])
    assert [event.event for event in tail.poll()] == ["notice", "started"]
    assert (tail.unread.lost, tail.unread.torn) == ([], [])


def test_a_log_whose_file_is_lost_when_it_is_closed_is_a_sentence(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "log")
    os.close(log._file.fileno())  # stands for a network's disk that reports on closing what it could not write
    with pytest.raises(GptTuiError, match=r"log cannot be written: Bad file descriptor"):
        log.discard()
    log = EventLog(tmp_path / "log")
    os.close(log._file.fileno())
    with pytest.raises(GptTuiError, match=r"log cannot be written: Bad file descriptor"):
        log.close()
    log.close()
