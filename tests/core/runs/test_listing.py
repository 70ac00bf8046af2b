"""The list of a shelf tells what the runs tell, whatever it remembers of them; and opens none that it remembers."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from gpt_tui.core.config import RunConfig
from gpt_tui.core.events import Event, Finished, Started
from gpt_tui.core.runs import Run, RunRecord, RunSummary, Shelf, ShelfNotes, list_runs
from gpt_tui.core.runs.listing import INDEX_NAME

MakeSteps = Callable[[int, int], list[Event]]
MakeStarted = Callable[[str], Started]
END = Finished(
    step=20, train_loss=1.7, val_loss=1.8, best_val_loss=1.8, best_step=20, seconds=9.0, reason="max_iters", time=9.0
)


@pytest.fixture
def runs_dir(shelf: Shelf, config: RunConfig, record: RunRecord, started: MakeStarted, steps: MakeSteps) -> Path:
    """Three runs that lie there since a minute."""
    for number, name in enumerate(("first", "second", "third")):
        made = record.model_copy(update={"created": f"2026-11-20T14:2{number}:01+00:00"})
        with shelf.create(config, name, made) as writer:
            for event in (started(name), *steps(1, 20), *([END] if number else [])):
                writer.append(event)
        age(writer.run.path)
    return shelf.runs_dir


def age(run: Path) -> None:
    for path in run.iterdir():
        os.utime(path, (time.time() - 60,) * 2)


def read_anew(runs_dir: Path) -> list[RunSummary]:
    return [run.summary() for run in Shelf(runs_dir).runs()]


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the runs that are opened from now on."""
    names: list[str] = []
    opens = Run.open

    def noted(path: Path | str) -> Run:
        names.append(Path(path).name)
        return opens(path)

    monkeypatch.setattr(Run, "open", noted)
    return names


def test_the_second_list_opens_no_run_and_tells_the_same(runs_dir: Path, opened: list[str]) -> None:
    listed = list_runs(runs_dir)
    assert sorted(opened) == ["first", "second", "third"]
    assert listed.summaries == read_anew(runs_dir)
    assert [summary.state for summary in listed.summaries] == ["finished", "finished", "interrupted"]
    opened.clear()
    assert list_runs(runs_dir) == listed
    assert opened == []


def test_a_run_that_changed_is_read_anew(
    runs_dir: Path, opened: list[str], shelf: Shelf, steps: MakeSteps, config: RunConfig
) -> None:
    list_runs(runs_dir)
    run = Run.open(runs_dir / "second")
    changes: list[Callable[[], object]] = [
        lambda: run.replace_shelf_notes(ShelfNotes(title="mine")),
        lambda: run.replace_shelf_notes(ShelfNotes(title="ours")),  # of the same length
        lambda: (run.path / "shelf.json").unlink(),
        lambda: (run.path / "config.toml").write_text("v = 1\n\n" + config.replace(max_iters=30).to_toml()),
        lambda: (run.path / "events.jsonl").write_bytes((run.path / "events.jsonl").read_bytes()[:-300]),
    ]
    for change in changes:
        change()
        for _ in range(2):  # the second time it is settled, and remembered as it is by now
            opened.clear()
            assert list_runs(runs_dir).summaries == read_anew(runs_dir)
            assert opened.count("second") == 2
            age(run.path)
    with shelf.reopen(run) as writer:
        opened.clear()
        listed = list_runs(runs_dir)
        assert [summary.state for summary in listed.summaries] == ["finished", "live", "interrupted"]
        for event in steps(18, 30):
            writer.append(event)
        writer.flush()
        assert {summary.name: summary.step for summary in list_runs(runs_dir).summaries}["second"] == 30
    assert list_runs(runs_dir).summaries == read_anew(runs_dir)


def test_what_changed_in_the_last_moments_is_not_remembered(runs_dir: Path, opened: list[str]) -> None:
    os.utime(runs_dir / "first" / "events.jsonl")
    list_runs(runs_dir)
    opened.clear()
    list_runs(runs_dir)
    assert opened == ["first"]


def test_what_cannot_be_listed_is_told_each_time(runs_dir: Path) -> None:
    (runs_dir / "broken").mkdir()
    log = runs_dir / "second" / "events.jsonl"
    log.unlink()
    log.mkdir()
    for _ in range(2):
        listed = list_runs(runs_dir)
        assert [summary.name for summary in listed.summaries] == ["third", "first"]
        unlisted, broken = listed.unread
        assert unlisted.startswith("second is not listed: ")
        assert broken.startswith(f"{runs_dir / 'broken'} cannot be read as a run: ")


def test_a_run_that_is_gone_is_forgotten_and_one_of_its_name_is_another(
    runs_dir: Path, shelf: Shelf, config: RunConfig, record: RunRecord
) -> None:
    list_runs(runs_dir)
    shelf.remove(Run.open(runs_dir / "third"))
    assert [summary.name for summary in list_runs(runs_dir).summaries] == ["second", "first"]
    shelf.create(config, "third", record).close()
    age(runs_dir / "third")
    assert list_runs(runs_dir).summaries == read_anew(runs_dir)


def test_a_shelf_that_is_moved_tells_where_it_is_now(runs_dir: Path, tmp_path: Path) -> None:
    list_runs(runs_dir)
    runs_dir.rename(tmp_path / "moved")
    assert list_runs(tmp_path / "moved").summaries == read_anew(tmp_path / "moved")


def forged(content: str) -> list[str]:
    index = json.loads(content)
    first = index["runs"]["first"]
    made = []
    for changes in (
        {"summary": {**first["summary"], "title": "\x1b[2Jgone"}},
        {"summary": {**first["summary"], "step": "20"}},
        {"summary": {**first["summary"], "val_loss": [1]}},
        {"summary": {**first["summary"], "name": "second"}},
        {"summary": {**first["summary"], "state": "won"}},
        {"summary": {}},
        {"summary": None},
        {"since": None},
        {"marks": None},
    ):
        made.append(json.dumps({**index, "runs": {**index["runs"], "first": {**first, **changes}}}))
    return [*made, content[:-9], "", "[]", "null", '{"v":1}', json.dumps({**index, "v": 2}), "[" * 100_000]


def test_an_index_that_is_none_or_another_versions_is_passed_over(runs_dir: Path) -> None:
    listed = list_runs(runs_dir)
    index = runs_dir / INDEX_NAME
    content = index.read_text("utf-8")
    for other in forged(content):
        index.write_text(other, "utf-8")
        assert list_runs(runs_dir) == listed, other[:200]
        assert json.loads(index.read_text("utf-8")) == json.loads(content)


def test_a_shelf_that_cannot_be_written_is_listed_all_the_same(runs_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, content: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("gpt_tui.core.runs.listing.replace_whole", full)
    assert list_runs(runs_dir).summaries == read_anew(runs_dir)
    assert not (runs_dir / INDEX_NAME).exists()


def test_an_empty_or_missing_shelf_stays_as_it_is(tmp_path: Path) -> None:
    assert list_runs(tmp_path / "none").summaries == []
    assert list_runs(tmp_path).summaries == []
    assert list(tmp_path.iterdir()) == []
