"""`gpt-tui runs verify` by the real program, and that a run whose newest checkpoint is damaged goes on before it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from gpt_tui.cli import main
from gpt_tui.core.config import RunConfig
from gpt_tui.core.events import Checkpoint, Continued, Notice
from gpt_tui.core.runs import Run
from gpt_tui.core.session import Outcome, Plan, Session
from patience import PATIENCE

TEXT = "".join(f"The {thing} of {name} is number {n}.\n" for n in range(60) for name, thing in (("ANNA", "house"),))
FIELDS = {
    "n_layer": 1, "n_head": 1, "n_embd": 8, "block_size": 8, "batch_size": 2, "max_iters": 40, "warmup_iters": 0,
    "eval_interval": 20, "eval_iters": 1, "checkpoint_interval": 10, "keep_checkpoints": 2, "max_new_tokens": 5,
    "threads": 1, "device": "cpu",
}  # fmt: skip


def train(plan: Plan) -> Outcome:
    session = Session(plan)
    session.start()
    assert session.join(PATIENCE)
    assert session.outcome is not None
    return session.outcome


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a run that was trained to its end."""
    place = tmp_path_factory.mktemp("trained")
    (place / "text.txt").write_text(TEXT, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("GPT_TUI_CACHE_DIR", str(place / "cache"))
        config = RunConfig().replace(dataset=str(place / "text.txt"), **FIELDS)
        assert train(Plan(config, place / "runs", run_name="first")).kind == "finished"
    return place / "runs" / "first"


@pytest.fixture
def run(trained: Path, private_places: Path) -> Path:
    """A copy of that run on the shelf of the test."""
    place = private_places / "runs" / "first"
    shutil.copytree(trained, place)
    return place


def test_what_the_log_tells_of_kept_checkpoints_is_what_lies_on_the_disk(run: Path) -> None:
    opened = Run.open(run)
    kept = [info.step for info in opened.checkpoints()]
    assert kept == [c.step for c in opened.history().checkpoints] == [0, 30, 40]


def verify(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    capsys.readouterr()
    status = main(["runs", "verify", *arguments])
    out, err = capsys.readouterr()
    return status, out, err


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) * 2 // 3] ^= 1
    path.write_bytes(content)


def test_a_whole_shelf_is_found_whole_and_how_much_was_checked_is_told(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(run, run.with_name("another"))
    status, out, err = verify(capsys)
    size = sum(p.stat().st_size for p in run.rglob("*") if p.is_file())
    assert (status, err) == (0, "")
    assert out.splitlines() == [
        f"another  whole (40 steps, 3 checkpoints, {size / 1000:.1f} kB)",
        f"first    whole (40 steps, 3 checkpoints, {size / 1000:.1f} kB)",
        f"2 runs checked: 2 whole (80 steps, 6 checkpoints, {2 * size / 1000:.1f} kB)",
    ]


def test_each_fault_is_a_line_and_what_cannot_be_opened_is_checked_too(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (run.parent / "broken").mkdir()
    (run.parent / ".removed-0123abcd").mkdir()
    flip(run / "checkpoints" / "000040" / "model.safetensors")
    (run / "shelf.json").write_text('{"v": 7}')
    status, out, err = verify(capsys)
    lines = out.splitlines()
    assert status == 1
    assert lines[0].startswith("broken  2 faults (0 steps")
    assert lines[3].startswith("first   2 faults (40 steps")
    assert lines[4:6] == [
        "    shelf.json: was written by a newer gpt-tui: version 7, where this one knows version 1",
        "    checkpoints/000040/model.safetensors: does not have the checksum that state.json gives",
    ]
    assert lines[6].startswith("2 runs checked: 0 whole, 2 damaged (40 steps")
    assert ".removed-0123abcd is half of a run" in err


def test_json_is_one_list_with_all_that_was_found(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (run / "checkpoints" / "000040" / "state.json").unlink()
    half = run / "checkpoints" / ".000050.tmp-1"
    half.mkdir()
    status, out, _ = verify(capsys, "--json")
    (found,) = json.loads(out)
    assert status == 1
    assert (found["name"], found["path"], found["state"], found["whole"]) == ("first", str(run), "finished", False)
    assert (found["checkpoints"], found["steps"]) == (3, 40)
    assert found["faults"] == [
        {"file": "checkpoints/000040/state.json", "message": "cannot be read: No such file or directory"}
    ]
    assert found["leftovers"] == ["checkpoints/.000050.tmp-1"]


def test_runs_are_named_as_everywhere_also_those_that_cannot_be_opened(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (run.parent / "broken").mkdir()
    for names, status, lines in (
        (["latest"], 0, 2),
        (["fir", str(run)], 0, 2),
        (["first", "broken"], 1, 5),
        ([str(run.parent / "broken")], 1, 4),
        (["firts", "first@20", "first"], 2, 0),
    ):
        found, out, err = verify(capsys, *names)
        assert (found, len(out.splitlines())) == (status, lines), names
    assert "did you mean first?" in err
    assert "first@20: name the run alone" in err


def test_names_from_strangers_print_no_control_characters(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (run.parent / "a\x1b[31m").mkdir()
    (run / "shelf.json").write_text('{"pins": ["\\u001b[31m"]}')
    _, out, err = verify(capsys)
    assert "\x1b" not in out + err
    assert "a\\x1b[31m" in out


def test_an_empty_shelf_is_whole(private_places: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert verify(capsys)[:2] == (0, "")
    assert verify(capsys, "--json")[:2] == (0, "[]\n")


@pytest.mark.parametrize("file", ["model.safetensors", "trainer.safetensors", "state.json"])
def test_a_run_goes_on_from_the_checkpoint_before_a_damaged_one_says_so_and_is_whole_then(
    run: Path, file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    flip(run / "checkpoints" / "000040" / file)
    status, out, _ = verify(capsys)
    assert (status, f"checkpoints/000040/{file}: " in out) == (1, True)
    plan = Plan(RunConfig(), run.parent, resume="first", edits={"max_iters": 50})
    assert train(plan).kind == "finished"
    tail = Run.open(run).tail()
    events = [event for event in tail.poll() if isinstance(event, Continued | Notice | Checkpoint)]
    at = next(i for i, event in enumerate(events) if isinstance(event, Continued))
    assert events[at].step == 30  # type: ignore[union-attr]
    notices = [event.text for event in events[at:] if isinstance(event, Notice)]
    assert f"checkpoint 000040 is damaged: {file}" in notices[0]
    assert notices[1] == "checkpoint 000030 is used, the newest that is whole"
    assert [e.step for e in events[at:] if isinstance(e, Checkpoint)][-2:] == [40, 50]
    kept = file == "state.json"  # which would say why it was saved: what is not understood is not pruned
    assert (run / "checkpoints" / "000040").exists() == kept
    assert verify(capsys)[0] == kept
    shutil.rmtree(run / "checkpoints" / "000040", ignore_errors=True)
    assert verify(capsys)[0] == 0
