"""The shelf: runs are made, found, listed and removed, and nothing outside it is ever touched."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from gpt_tui.core.config import RunConfig, read_toml
from gpt_tui.core.errors import GptTuiError, NewerVersion, Refusal
from gpt_tui.core.events import Continued, Edit, Eval, Event, Failed, Finished, Started
from gpt_tui.core.files import signature
from gpt_tui.core.runs import Run, RunRecord, RunWriter, Shelf, ShelfNotes, default_runs_dir, name_fault
from gpt_tui.core.runs.run import read_notes, read_record
from gpt_tui.core.runs.verify import verify

MakeSteps = Callable[[int, int], list[Event]]
MakeStarted = Callable[[str], Started]
FIELDS = [
    "name", "title", "path", "state", "step", "max_iters", "val_loss", "best_val_loss", "best_step", "parameters",
    "dataset", "created",
]  # fmt: skip


@pytest.fixture
def make(shelf: Shelf, config: RunConfig, record: RunRecord) -> Callable[..., Run]:
    """A run of this name on the shelf, with these events in its log and nobody training it."""

    def make(name: str | None, *events: Event, created: str = "2026-11-20T14:25:01+00:00") -> Run:
        with shelf.create(config, name, record.model_copy(update={"created": created}), "quick") as writer:
            for event in events:
                writer.append(event)
        return writer.run

    return make


# Making


def test_a_new_run_has_its_configuration_and_its_record(shelf: Shelf, config: RunConfig, record: RunRecord) -> None:
    config = config.replace(n_layer=5, prompt="ROMEO: “who?”\n")
    with shelf.create(config, "first", record, "quick") as writer:
        assert sorted(p.name for p in writer.run.path.iterdir()) == [
            "config.toml", "events.jsonl", "run.json", "run.lock", "run.owner",
        ]  # fmt: skip
    run = Run.open(shelf.runs_dir / "first")
    assert run.name == "first"
    assert run.config() == config
    assert run.record() == record
    assert not [p for p in shelf.runs_dir.iterdir() if p.name.startswith(".")]


def test_the_default_name_is_the_time_and_the_preset_or_dataset_and_is_made_unique(
    shelf: Shelf, config: RunConfig, record: RunRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = []
    text = record.model_copy(update={"dataset": record.dataset.model_copy(update={"name": "/home/x/Ältere Texte.txt"})})
    for made, preset in ((record, "quick"), (record, "quick"), (text, None), (record, None)):
        with shelf.create(config, None, made, preset) as writer:
            names.append(writer.run.name)
    stamp = names[0].removesuffix("-quick")
    assert len(stamp) == len("20261120-142501")
    assert stamp.startswith("2026112") or stamp.startswith("20261119")
    assert names == [f"{stamp}-quick", f"{stamp}-quick-2", f"{stamp}-ltere-texte", f"{stamp}-shakespeare"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows syncs no directories")
def test_a_new_runs_files_have_their_names_on_the_disk_before_it_has_its_own(
    shelf: Shelf, config: RunConfig, record: RunRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(os.fstat(descriptor).st_ino))
    run = shelf.create(config, "first", record).run
    files = [(run.path / name).stat().st_ino for name in ("config.toml", "run.json")]
    assert synced[:4] == [*files, run.path.stat().st_ino, shelf.runs_dir.stat().st_ino]


def test_a_taken_name_is_refused_and_the_run_that_has_it_is_left_alone(
    shelf: Shelf, config: RunConfig, record: RunRecord, make: Callable[..., Run]
) -> None:
    run = make("first")
    with pytest.raises(Refusal, match="run_name = first: there is a run of this name"):
        shelf.create(config.replace(n_layer=5), "first", record)
    (shelf.runs_dir / "empty").mkdir()
    with pytest.raises(Refusal, match="there is a run of this name"):
        shelf.create(config, "empty", record)
    assert Run.open(run.path).config() == config
    assert sorted(p.name for p in shelf.runs_dir.iterdir()) == ["empty", "first"]


@pytest.mark.parametrize(
    "name",
    ["", " ", "..", ".", "a/b", "../x", "/etc", "a\\b", "C:x", "con", "NUL.txt", "com1", "LPT9.log", "x" * 101, "a\nb",
     "a\x00b", "\x1b[31mred", "\u202egnp", "\ud800", "ends.", "ends ", ".hidden", "-rf", "~", "run@500", "Latest",
     "é" * 101, "字" * 90],
)  # fmt: skip
def test_a_bad_name_is_refused_and_nothing_is_written(
    shelf: Shelf, config: RunConfig, record: RunRecord, name: str
) -> None:
    with pytest.raises(Refusal, match="run_name"):
        shelf.create(config, name, record)
    assert not shelf.runs_dir.exists()


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=40) | st.text(alphabet="./\\~:@-ab \x00", max_size=8))
@example("..")
@example("a/../../b")
def test_no_name_ever_leads_out_of_the_runs_directory(
    shelf: Shelf, config: RunConfig, record: RunRecord, name: str
) -> None:
    around = set(shelf.runs_dir.parent.iterdir())
    try:
        with shelf.create(config, name, record) as writer:
            run = writer.run
    except Refusal:
        assert name_fault(name) is not None or (shelf.runs_dir / name).exists()
        return
    assert run.path.parent == shelf.runs_dir
    assert os.path.realpath(run.path) == os.path.realpath(shelf.runs_dir / name)
    assert shelf.find(name)[0].path == run.path
    assert set(shelf.runs_dir.parent.iterdir()) <= around | {shelf.runs_dir}
    shelf.remove(run)
    assert not run.path.exists()


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_runs_directory_that_cannot_be_written_is_a_sentence(
    tmp_path: Path, config: RunConfig, record: RunRecord
) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(GptTuiError, match=r"runs directory .* cannot be written: Permission denied"):
        Shelf(tmp_path / "runs").create(config, "x", record)


def test_a_runs_directory_that_is_a_file_is_a_sentence(tmp_path: Path, config: RunConfig, record: RunRecord) -> None:
    (tmp_path / "runs").write_text("")
    with pytest.raises(GptTuiError, match=r"cannot be written"):
        Shelf(tmp_path / "runs").create(config, "x", record)
    with pytest.raises(GptTuiError, match=r"cannot be read"):
        Shelf(tmp_path / "runs").runs()


# Listing


@contextmanager
def as_somebody_else() -> Iterator[None]:
    """Nobody keeps anything from root."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.skipif(sys.platform == "win32", reason="the rights of a POSIX system")
def test_a_run_that_may_not_be_looked_into_is_told_of_beside_the_others(config: RunConfig, record: RunRecord) -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        shelf = Shelf(Path(folder))
        for name in ("closed", "half", "open"):
            with shelf.create(config, name, record):
                pass
        closed, half = Path(folder, "closed"), Path(folder, "half", "checkpoints")
        half.mkdir()
        for path in (closed, half):
            path.chmod(0o000)
        try:
            with as_somebody_else():
                assert sorted(run.name for run in shelf.runs()) == ["half", "open"]
                assert shelf.broken() == [(closed, f"{closed} cannot be read: Permission denied")]
                with pytest.raises(GptTuiError, match="closed cannot be read: Permission denied"):
                    shelf.find("closed")
                with pytest.raises(GptTuiError, match="checkpoints cannot be read: Permission denied"):
                    shelf.find("half")[0].checkpoints()
        finally:
            for path in (closed, half):
                path.chmod(0o755)


def test_runs_are_listed_newest_first_and_what_is_no_run_is_reported(shelf: Shelf, make: Callable[..., Run]) -> None:
    assert shelf.runs() == []
    make("middle", created="2026-11-20T14:25:01+00:00")
    make("newest", created="2026-11-20T16:00:00+02:00".replace("16:00", "18:00"))
    make("oldest", created="2025-01-01T00:00:00+00:00")
    (shelf.runs_dir / "empty").mkdir()
    (shelf.runs_dir / "a file").write_text("")
    (shelf.runs_dir / "bad config").mkdir()
    (shelf.runs_dir / "bad config" / "run.json").write_bytes((shelf.runs_dir / "middle" / "run.json").read_bytes())
    (shelf.runs_dir / "bad config" / "config.toml").write_text("[model]\nn_layer = -3\n")
    (shelf.runs_dir / "bad record").mkdir()
    (shelf.runs_dir / "bad record" / "run.json").write_text('{"v": 1}')
    (shelf.runs_dir / "bad record" / "config.toml").write_text("")
    assert [run.name for run in shelf.runs()] == ["newest", "middle", "oldest"]
    why = {path.name: reason for path, reason in shelf.broken()}
    assert why.keys() == {"empty", "bad config", "bad record"}
    assert "no run.json" in why["empty"]
    assert "n_layer" in why["bad config"]
    assert "created" in why["bad record"]


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="such names cannot be made there")
def test_a_directory_with_control_characters_in_its_name_is_reported_with_them_made_visible(shelf: Shelf) -> None:
    (shelf.runs_dir / "red\x1b[31m").mkdir(parents=True)
    assert shelf.runs() == []
    ((_, why),) = shelf.broken()
    assert "\x1b" not in why
    assert "red\\x1b[31m" in why


def test_a_summary_has_exactly_the_fields_of_the_interface(
    make: Callable[..., Run], started: MakeStarted, steps: MakeSteps
) -> None:
    run = make("first", started("first"), *steps(1, 47))
    run.replace_shelf_notes(ShelfNotes(title="My first"))
    summary = asdict(run.summary())
    assert list(summary) == FIELDS
    best = 1.5 + 2.6 / 3 + 0.1
    assert summary == {
        "name": "first",
        "title": "My first",
        "path": str(run.path),
        "state": "interrupted",
        "step": 47,
        "max_iters": 1100,
        "val_loss": pytest.approx(best, abs=1e-12),
        "best_val_loss": pytest.approx(best, abs=1e-12),
        "best_step": 40,
        "parameters": 616_448,
        "dataset": "shakespeare",
        "created": "2026-11-20T14:25:01+00:00",
    }


def test_a_summary_of_a_run_without_events_has_no_losses(make: Callable[..., Run]) -> None:
    summary = make("first").summary()
    assert (summary.state, summary.step, summary.val_loss, summary.best_step) == ("interrupted", 0, None, None)


def end(reason: str) -> Event:
    if reason == "diverged":
        return Failed(step=30, reason="diverged", error="", hint="")
    values = {
        "step": 30,
        "train_loss": 1,
        "val_loss": None,
        "best_val_loss": 2.5,
        "best_step": 10,
        "seconds": 1,
        "reason": reason,
    }
    return Finished.model_validate(values)


@pytest.mark.parametrize(
    ("reason", "state"),
    [("max_iters", "finished"), ("target_loss", "finished"), ("max_seconds", "finished"), ("stopped", "stopped"),
     ("signal", "stopped"), ("diverged", "failed")],
)  # fmt: skip
def test_the_state_is_how_it_ended_and_interrupted_again_once_continued(
    shelf: Shelf, make: Callable[..., Run], started: MakeStarted, steps: MakeSteps, reason: str, state: str
) -> None:
    run = make("first", started("first"), *steps(1, 30), end(reason))
    assert run.state() == state
    with shelf.reopen(run) as writer:
        writer.append(Continued(step=20, path="", created=""))
        writer.append(Edit(step=20, changes={"max_iters": (2000, 3000)}))
        writer.append(Eval(step=20, train_loss=1, val_loss=9.0, whole_split=False, best=False))
        writer.flush()
        assert run.summary().state == "live"
    summary = run.summary()
    assert summary.state == "interrupted"
    assert (summary.step, summary.max_iters, summary.val_loss, summary.best_step) == (20, 3000, 9.0, 10)  # made again


def test_a_list_agrees_with_the_whole_history_and_follows_it(
    make: Callable[..., Run], shelf: Shelf, started: MakeStarted, steps: MakeSteps
) -> None:
    run = make("first", started("first"), *steps(1, 33))
    for events in (steps(34, 61), [Continued(step=40, path="", created="")], steps(41, 45)):
        with shelf.reopen(run) as writer:
            for event in events:
                writer.append(event)
        whole, thin = run.history(), run.digest()
        assert thin.step == whole.step
        assert thin.evals == whole.evals
        assert thin.log == whole.log
        assert thin.end == whole.end


def test_two_hundred_runs_are_listed(
    make: Callable[..., Run], shelf: Shelf, started: MakeStarted, steps: MakeSteps
) -> None:
    log = None
    for n in range(200):
        run = make(f"run-{n:03d}", created=f"2026-01-01T00:{n // 60:02d}:{n % 60:02d}+00:00")
        if log is None:
            log = "".join(event.to_json() + "\n" for event in [started("run-000"), *steps(1, 200)]).encode()
        (run.path / "events.jsonl").write_bytes(log)
    summaries = [run.summary() for run in shelf.runs()]
    assert [s.name for s in summaries] == [f"run-{n:03d}" for n in reversed(range(200))]
    assert {s.step for s in summaries} == {200}
    assert [a is b for a, b in zip(shelf.runs(), shelf.runs(), strict=True)] == [True] * 200, "kept, not opened again"


def test_a_run_replaced_by_another_of_its_name_is_opened_anew(
    shelf: Shelf, make: Callable[..., Run], started: MakeStarted, steps: MakeSteps
) -> None:
    make("first", started("first"), *steps(1, 30))
    (before,) = shelf.runs()
    assert before.summary().step == 30
    shelf.remove(before)
    make("first")
    assert shelf.runs()[0].summary().step == 0


# Finding


def test_a_run_is_found_by_name_part_path_step_and_latest(
    shelf: Shelf, make: Callable[..., Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = make("20260101-120000-quick", created="2026-01-01T12:00:00+00:00")
    new = make("20260102-120000-lecture", created="2026-01-02T12:00:00+00:00")
    elsewhere = Shelf(tmp_path / "elsewhere")
    with elsewhere.create(new.config(), "far", new.record()) as writer:
        far = writer.run

    def found(spec: str) -> tuple[Path, int | None]:
        run, step = shelf.find(spec)
        return run.path, step

    assert found("20260101-120000-quick") == (old.path, None)
    assert found("quick") == (old.path, None)
    assert found("QUICK@500") == (old.path, 500)
    assert found("latest") == (new.path, None)
    assert found("latest@0") == (new.path, 0)
    assert found(str(far.path)) == (far.path, None)
    assert found(f"{far.path}@12") == (far.path, 12)
    monkeypatch.chdir(elsewhere.runs_dir)
    assert found("far") == (far.path, None)
    assert found("./far@3") == (far.path, 3)
    assert found("../elsewhere/far")[0].samefile(far.path)


def test_a_name_that_is_also_part_of_others_is_that_run(shelf: Shelf, make: Callable[..., Run]) -> None:
    for name in ("a", "ab", "abc"):
        make(name)
    assert shelf.find("ab")[0].name == "ab"
    assert shelf.find("bc")[0].name == "abc"


def test_an_ambiguous_part_lists_the_runs_that_have_it(shelf: Shelf, make: Callable[..., Run]) -> None:
    for n in range(8):
        make(f"quick-{n}", created=f"2026-01-0{n + 1}T00:00:00+00:00")
    with pytest.raises(Refusal, match=r"run = quick: 8 runs have this .*: quick-7, quick-6, .* and 2 more"):
        shelf.find("quick@5")


@pytest.mark.parametrize(
    "spec",
    [
        "lecure",
        "nothing like it",
        "",
        "@5",
        "lecture@best",
        "/no/such/run",
        "no/such",
        "\x00",
        "x" * 5000,
        "~nobody/x",
        "..",
    ],
)
def test_what_is_not_there_is_refused_in_words(shelf: Shelf, make: Callable[..., Run], spec: str) -> None:
    make("lecture")
    with pytest.raises(GptTuiError) as refused:
        shelf.find(spec)
    assert "\x00" not in str(refused.value)
    if spec == "lecure":
        assert "did you mean lecture?" in str(refused.value)


def test_an_empty_shelf_says_that_it_is_empty(shelf: Shelf) -> None:
    for spec in ("latest", "x", "x@5", "latest@5"):
        with pytest.raises(Refusal, match="there are no runs"):
            shelf.find(spec)


def test_a_broken_run_asked_for_by_name_says_what_is_wrong(shelf: Shelf) -> None:
    (shelf.runs_dir / "empty").mkdir(parents=True)
    with pytest.raises(GptTuiError, match=r"no run\.json"):
        shelf.find("empty")


# Removing


def test_a_removed_run_is_gone_with_all_it_had(shelf: Shelf, make: Callable[..., Run]) -> None:
    make("other")
    shelf.remove(make("first"))
    assert [p.name for p in shelf.runs_dir.iterdir()] == ["other"]


def test_a_run_that_lies_elsewhere_is_not_removed(shelf: Shelf, make: Callable[..., Run], tmp_path: Path) -> None:
    run = make("first")
    with pytest.raises(Refusal, match="does not lie in the runs directory"):
        Shelf(tmp_path / "other").remove(run)
    assert run.path.is_dir()


@pytest.mark.skipif(sys.platform == "win32", reason="making links needs a right there")
def test_a_run_is_not_removed_through_a_link(shelf: Shelf, make: Callable[..., Run], tmp_path: Path) -> None:
    run = make("first")
    run.path.rename(tmp_path / "real")
    (shelf.runs_dir / "first").symlink_to(tmp_path / "real")
    with pytest.raises(Refusal, match="link"):
        shelf.remove(shelf.find("first")[0])
    assert (tmp_path / "real" / "run.json").is_file()
    shelf.runs_dir.joinpath("first").unlink()
    make("second")
    (shelf.runs_dir / "second" / "checkpoints").symlink_to(tmp_path / "real")
    shelf.remove(shelf.find("second")[0])
    assert (tmp_path / "real" / "run.json").is_file()


# What killed processes leave


MACHINE = signature().split("-")[1]


def old(path: Path) -> Path:
    """The path, last changed two hours ago."""
    changed = time.time() - 7200
    os.utime(path, (changed, changed))
    return path


@pytest.fixture(scope="module")
def gone() -> int:
    """The id of a process that is not there any more."""
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


def test_what_killed_processes_left_is_cleared_by_the_next_who_makes_reopens_or_removes_a_run(
    shelf: Shelf, make: Callable[..., Run], gone: int
) -> None:
    run = make("first")
    deeds: list[Callable[[], object]] = [
        lambda: make("second"),
        lambda: shelf.reopen(run).close(),
        lambda: shelf.remove(run),
    ]
    for deed in deeds:
        left = [shelf.runs_dir / ".removed-0123abcd", shelf.runs_dir / f".new-{gone}-0123abcd"]
        for path in left:
            path.mkdir()
            (path / "config.toml").write_text("")
            old(path)
        fresh = shelf.runs_dir / f".new-{gone}-{MACHINE}-0123abcd"
        fresh.mkdir()
        left.append(fresh)
        assert shelf.leftovers() == sorted(left)
        deed()
        assert shelf.leftovers() == []
        assert not any(path.exists() for path in left)


def test_what_may_still_be_at_work_or_is_not_of_the_program_is_left_alone(
    shelf: Shelf, make: Callable[..., Run], gone: int, tmp_path: Path
) -> None:
    shelf.runs_dir.mkdir()
    (tmp_path / "precious").mkdir()
    kept = [
        shelf.runs_dir / f".new-{gone}-0123abcd",  # younger than an hour: it may be of another machine
        shelf.runs_dir / f".new-{gone}-01234567-0123abcd",  # and this one is of another machine
        shelf.runs_dir / f".new-{os.getpid()}-0123abcd",
        shelf.runs_dir / f".new-{os.getpid()}-{MACHINE}-0123abcd",
        shelf.runs_dir / ".new-idea",
        shelf.runs_dir / ".removed-by-me",
        shelf.runs_dir / ".removed-0123abcde",
    ]
    for path in kept:
        path.mkdir()
    for path in kept[2:]:
        old(path)
    link = shelf.runs_dir / ".removed-0123abcd"
    if sys.platform != "win32":
        link.symlink_to(tmp_path / "precious")
    make("second")
    assert all(path.is_dir() for path in kept)
    assert link.is_symlink() == (sys.platform != "win32")


REMOVER = """
import os, signal, sys
from pathlib import Path
from gpt_tui.core.runs import Shelf

shelf, deed, left = Shelf(Path(sys.argv[1])), sys.argv[2], 0
other = shelf.find("other")[0]

def die_at_the_moment(event, arguments):
    global left
    if event in ("open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "shutil.rmtree"):
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(die_at_the_moment)
shelf.create(other.config(), "warm", other.record()).close()  # all imports are done
shelf.remove(shelf.find("warm")[0])
moment, status = 0, -signal.SIGKILL
while status == -signal.SIGKILL and moment < 200:
    moment += 1
    if deed == "remove":
        shelf.create(other.config(), str(moment), other.record()).close()
        run = shelf.find(str(moment))[0]
    child = os.fork()
    if child == 0:
        left = moment
        shelf.remove(run) if deed == "remove" else shelf.create(other.config(), str(moment), other.record()).close()
        left = 0
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    print(moment, status, os.path.lexists(shelf.runs_dir / str(moment)), len(shelf.broken()))
"""


@pytest.mark.soak
@pytest.mark.skipif(sys.platform == "win32", reason="kill -9 is a POSIX signal")
@pytest.mark.parametrize("deed", ["create", "remove"])
def test_a_process_killed_while_it_makes_or_removes_a_run_leaves_a_whole_one_or_none(
    shelf: Shelf, make: Callable[..., Run], deed: str
) -> None:
    make("other")
    command = [sys.executable, "-c", REMOVER, str(shelf.runs_dir), deed]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    rows = [line.split() for line in done.stdout.splitlines()]
    assert rows[-1][1:] == ["0", str(deed == "create"), "0"]
    assert {row[2] for row in rows} == {"True", "False"}
    assert {row[3] for row in rows} == {"0"}, "a run that cannot be opened was left on the shelf"
    make("next")
    assert shelf.leftovers() == []
    assert [path.name for path in shelf.runs_dir.iterdir() if path.name.startswith(".")] == []
    assert all(verify(run.path).whole for run in shelf.runs())


def test_half_written_notes_of_a_process_that_is_gone_are_cleared_by_the_next_writer(
    shelf: Shelf, make: Callable[..., Run], gone: int
) -> None:
    run = make("first")
    left = [run.path / f".{name}.tmp-{gone}-0123abcd" for name in ("shelf.json", "run.owner")]
    kept = [run.path / f".shelf.json.tmp-{os.getpid()}-0123abcd", run.path / ".shelf.json.tmp-mine"]
    for path in (*left, *kept):
        path.write_text("{")
        old(path)
    left.append(run.path / f".shelf.json.tmp-{gone}-{MACHINE}-0123abcd")
    left[-1].write_text("{")
    assert set(verify(run.path).leftovers) == {path.name for path in left}
    assert verify(run.path).whole
    shelf.reopen(run).close()
    assert [path.exists() for path in (*left, *kept)] == [False, False, False, True, True]


# What a person adds


def test_notes_are_kept_whole_and_made_visible(writer: RunWriter) -> None:
    run = writer.run
    assert run.shelf_notes() == ShelfNotes()
    run.replace_shelf_notes(ShelfNotes(title="Née", note="two\nlines", pins=("000500",)))
    assert Run.open(run.path).shelf_notes() == ShelfNotes(title="Née", note="two\nlines", pins=("000500",))
    (run.path / "shelf.json").write_text(json.dumps({"title": "a\x1b[31m\nb", "note": "x\x07\ny", "later": 1}))
    notes = run.shelf_notes()
    assert (notes.title, notes.note) == ("a\\x1b[31m\\nb", "x\\x07\ny")


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff", b"[" * 100_000, b'{"pins": 3}', b" " * 2_000_000])
def test_notes_that_are_none_do_not_hide_the_run(writer: RunWriter, content: bytes) -> None:
    (writer.run.path / "shelf.json").write_bytes(content)
    assert writer.run.summary().title == ""


def test_notes_of_a_newer_version_are_shown_as_far_as_they_are_known_and_never_overwritten(writer: RunWriter) -> None:
    run, path = writer.run, writer.run.path / "shelf.json"
    for content, title in (('{"v": 2, "title": "x", "later": 1}', "x"), ('{"v": 2, "title": {"text": "x"}}', "")):
        path.write_text(content)
        assert run.summary().title == title
        with pytest.raises(GptTuiError, match=r"shelf\.json was written by a newer gpt-tui: version 2"):
            run.replace_shelf_notes(ShelfNotes(title="mine"))
        assert path.read_text() == content


def test_notes_and_a_configuration_without_a_version_are_read(make: Callable[..., Run]) -> None:
    run = make("first")
    config = run.path / "config.toml"
    config.write_text(config.read_text().removeprefix("v = 1\n"))
    (run.path / "shelf.json").write_text('{"title": "old"}')
    assert Run.open(run.path).config() == run.config()
    assert run.shelf_notes().title == "old"
    run.replace_shelf_notes(run.shelf_notes())
    assert json.loads((run.path / "shelf.json").read_text()) == {"v": 1, "title": "old", "note": "", "pins": []}


@pytest.mark.parametrize("file", ["config.toml", "run.json"])
def test_a_run_of_a_newer_version_is_refused_by_name(shelf: Shelf, make: Callable[..., Run], file: str) -> None:
    run = make("first")
    path = run.path / file
    text = path.read_text()
    path.write_text(text.replace("v = 1", "v = 2", 1).replace('"v": 1', '"v": 2', 1) + "\n")
    told = f"{path} was written by a newer gpt-tui: version 2, where this one knows version 1"
    with pytest.raises(NewerVersion) as refused:
        Run.open(run.path)
    assert str(refused.value) == told
    assert Shelf(shelf.runs_dir).broken() == [(run.path, told)]


@pytest.mark.parametrize("version", ["0", "-1", '"1"', "1.5"])
def test_a_version_that_there_never_was_is_refused_in_words(make: Callable[..., Run], version: str) -> None:
    run = make("first")
    (run.path / "shelf.json").write_text(f'{{"v": {version}}}')
    record = run.path / "run.json"
    record.write_text(record.read_text().replace('"v": 1', f'"v": {version}', 1))
    said = version.replace('"', "'")
    for path, read in ((run.path / "shelf.json", read_notes), (record, read_record)):
        with pytest.raises(GptTuiError) as refused:
            read(path)
        assert str(refused.value) == (
            f"{path} says that it is of version {said}, which there never was: it should be 1"
        )


@pytest.mark.parametrize(
    ("version", "says"), [("2", "newer gpt-tui: version 2"), ('"1"', "must be 1"), ("0", "must be 1")]
)
def test_a_configuration_file_says_its_version_too(tmp_path: Path, version: str, says: str) -> None:
    (tmp_path / "mine.toml").write_text(f"v = {version}\n[model]\nn_layer = 5\n")
    with pytest.raises(Refusal, match=says):
        read_toml(tmp_path / "mine.toml")
    (tmp_path / "mine.toml").write_text("v = 1\n[model]\nn_layer = 5\n")
    assert read_toml(tmp_path / "mine.toml").values == {"n_layer": 5}


# Without torch


def test_runs_are_listed_and_read_without_torch(
    make: Callable[..., Run], shelf: Shelf, started: MakeStarted, steps: MakeSteps
) -> None:
    make("first", started("first"), *steps(1, 20))
    program = """
import sys
from pathlib import Path
from gpt_tui.core.runs import Shelf
run, _ = Shelf(Path(sys.argv[1])).find("latest")
loaded = sorted({"torch", "textual", "rich"} & set(sys.modules))
print(run.summary().step, len(run.history().samples), run.checkpoints(), loaded)
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(shelf.runs_dir)], capture_output=True, text=True, check=True
    )
    assert done.stdout == "20 2 [] []\n"


def test_the_runs_directory_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GPT_TUI_RUNS_DIR", str(tmp_path / "here"))
    assert default_runs_dir() == tmp_path / "here"
    monkeypatch.delenv("GPT_TUI_RUNS_DIR")
    assert default_runs_dir().name == "runs"
