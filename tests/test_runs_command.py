"""`gpt-tui runs` and what is below it, with runs whose files a real writer made."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from gpt_tui.cli import main
from gpt_tui.core.config import RunConfig
from gpt_tui.core.events import Checkpoint, Continued, DatasetRecord, Edit, Event, Failed, Started, Step
from gpt_tui.core.runs import RunRecord, RunWriter, Shelf

DATASET = DatasetRecord(name="shakespeare", sha256="0" * 64, characters=9, vocab_size=65, train_tokens=8, val_tokens=1)


@pytest.fixture
def shelf(private_places: Path) -> Shelf:
    return Shelf(private_places / "runs")


def begin(shelf: Shelf, name: str, config: RunConfig | None = None) -> RunWriter:
    """A run that has started and not taken a step."""
    config = config or RunConfig()
    created = f"2026-11-20T14:25:{len(shelf.runs()):02}+00:00"
    record = RunRecord(created=created, versions={}, platform="Linux", cpu="a processor", device="cpu", dtype="float32",
                       threads=2, dataset=DATASET, source="", tokenizer={"kind": "char", "characters": "ab"},
                       parameters=616, ladder={}, passage="")  # fmt: skip
    writer = shelf.create(config, name, record)
    writer.append(Started(run=name, path=str(writer.run.path), created=record.created, config=config.sections(),
                          parameters=616, dataset=DATASET, device="cpu", dtype="float32", threads=2, ladder={},
                          passage=""))  # fmt: skip
    return writer


def keep(shelf: Shelf, name: str, *events: Event, config: RunConfig | None = None) -> Path:
    """A run with these events, which nobody works on any more."""
    with begin(shelf, name, config) as writer:
        for event in events:
            writer.append(event)
    return writer.run.path


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Exit status, standard output and standard error of the program with these arguments."""
    status = main(list(arguments))
    out, err = capsys.readouterr()
    return status, out, err


UNREADABLE: dict[str, Callable[[Path], object]] = {
    "a directory": Path.mkdir,
    "a pipe": os.mkfifo if hasattr(os, "mkfifo") else Path.mkdir,
    "an endless device": lambda path: path.symlink_to("/dev/zero"),
}


@pytest.mark.skipif(os.name == "nt", reason="Windows has no pipes and devices in folders")
@pytest.mark.parametrize("what", UNREADABLE)
def test_a_log_that_cannot_be_read_hides_no_other_run(
    shelf: Shelf, what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("one", "strange", "two"):
        log = keep(shelf, name) / "events.jsonl"
        if name == "strange":
            log.unlink()
            UNREADABLE[what](log)
    status, out, err = told(capsys, "runs")
    assert (status, [line.split()[0] for line in out.splitlines()]) == (0, ["name", "two", "one"])
    assert err.startswith("gpt-tui: strange is not listed: ")
    assert len(err.splitlines()) == 1
    status, out, same = told(capsys, "runs", "--json")
    assert (status, [run["name"] for run in json.loads(out)], same) == (0, ["two", "one"], err)
    assert told(capsys, "runs", "show", "latest")[0] == 0
    assert told(capsys, "runs", "rm", "strange")[0] == 0, "it can be taken away"
    assert told(capsys, "runs")[2] == ""


def test_where_no_run_can_be_listed_it_is_not_said_that_there_is_none(
    shelf: Shelf, capsys: pytest.CaptureFixture[str]
) -> None:
    log = keep(shelf, "strange") / "events.jsonl"
    log.unlink()
    log.mkdir()
    _, out, err = told(capsys, "runs")
    assert (out, err.startswith("gpt-tui: strange is not listed: "), "yet" in err) == ("", True, False)


def test_what_went_wrong_and_what_to_do_are_two_sentences(shelf: Shelf, capsys: pytest.CaptureFixture[str]) -> None:
    keep(shelf, "wild", Failed(step=3, reason="diverged", error="the gradient became inf at step 4", hint="Go slower"))
    _, out, _ = told(capsys, "runs", "show", "wild")
    assert "diverged    the gradient became inf at step 4. Go slower\n" in out


def save(writer: RunWriter, step: int) -> None:
    path = writer.save_checkpoint(step, {"weight": torch.zeros(1)}, {}, {"step": step}, "interval")
    writer.append(Checkpoint(step=step, path=str(path), reason="interval"))


def test_what_holds_now_is_shown_with_what_was_edited_and_when(
    shelf: Shelf, capsys: pytest.CaptureFixture[str]
) -> None:
    keep(shelf, "edited", Step(step=1, loss=4, learning_rate=1, grad_norm=1, tokens=1, tokens_per_second=1),
         Edit(step=1, changes={"learning_rate": (0.012, 0.001)}))  # fmt: skip
    _, out, _ = told(capsys, "runs", "show", "edited")
    assert "learning_rate  0.001  0.012\n" in out
    assert "edited at  what changed\n        1  learning_rate 0.012 → 0.001\n" in out
    shown = json.loads(told(capsys, "runs", "show", "edited", "--json")[1])
    assert shown["changed"] == {"learning_rate": [0.012, 0.001]}
    assert [(edit["step"], edit["changes"]) for edit in shown["edits"]] == [(1, shown["changed"])]


def test_a_checkpoint_that_the_run_left_behind_is_marked(shelf: Shelf, capsys: pytest.CaptureFixture[str]) -> None:
    with begin(shelf, "back") as writer:
        save(writer, 2)
        save(writer, 4)
        writer.append(Continued(step=2, path=str(writer.run.path / "checkpoints" / "000002"), created=""))
        save(writer, 4)
    _, out, _ = told(capsys, "runs", "show", "back")
    rows = [line.split() for line in out.splitlines() if "checkpoints" in line]
    assert [(row[0], " ".join(row[3:-1])) for row in rows] == [
        ("2", "interval"), ("4", "left behind, interval"), ("4", "interval"),
    ]  # fmt: skip
    shown = json.loads(told(capsys, "runs", "show", "back", "--json")[1])["checkpoints"]
    assert [(Path(c["path"]).name, c["left_behind"]) for c in shown] == [
        ("000002", False), ("000004", True), ("000004.2", False),
    ]  # fmt: skip
