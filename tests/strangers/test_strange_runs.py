"""A run from anyone: whatever its files hold, it is shown or refused, nothing is written, and no terminal obeys it."""

from __future__ import annotations

import copy
import hashlib
import json
import math
import os
import random
import shutil
import struct
import subprocess
import sys
import textwrap
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from hostile import (
    DEVICES,
    TERMINAL,
    as_lines,
    can_make_pipes,
    found_below,
    much,
    mutated,
    mutated_bytes,
    mutated_log,
    obey,
    told,
    unseen,
)

from gpt_tui.core.config import RunConfig
from gpt_tui.core.errors import GptTuiError
from gpt_tui.core.events import Parent
from gpt_tui.core.runs import LogTail, Run, RunWriter, Shelf, differing, find_pace, load_checkpoint, past_of, results
from gpt_tui.core.runs.export import draw_svg

FILES = ("config.toml", "run.json", "events.jsonl", "shelf.json", "run.owner", "run.lock")
CHECKPOINT_FILES = tuple(f"checkpoints/000008/{n}" for n in ("state.json", "model.safetensors", "trainer.safetensors"))
PARENT = Parent(run="real", step=8)
COMMANDS = (("runs",), ("runs", "--json"), ("runs", "show", "real"), ("runs", "show", "real", "--json"))


@contextmanager
def copy_of(real_run: Path, tmp_path: Path) -> Iterator[Path]:
    shelf = tmp_path / "shelf"
    shutil.rmtree(shelf, ignore_errors=True)
    shutil.copytree(real_run, shelf / "real")
    yield shelf / "real"


def events_of(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "events.jsonl").read_text().splitlines()]


def read_everything(run: Path) -> None:
    """Whatever the program reads of a run without torch. Raises nothing: every error is one of the program's own."""
    shelf = Shelf(run.parent)
    for opened in shelf.runs():
        asked: list[Callable[[], object]] = [
            opened.summary,
            opened.digest,
            opened.checkpoints,
            opened.shelf_notes,
            lambda opened=opened: draw_svg("real", opened.shelf_notes().title, opened.history()),
            lambda opened=opened: opened.history().config,
            lambda opened=opened: differing([opened.history()] * 2),
            lambda opened=opened: results([opened.history()] * 2),
            opened.unread,
            lambda opened=opened: past_of(run, opened.record().parent or PARENT, opened.record().created),
            lambda opened=opened: find_pace(shelf, RunConfig(), 65, opened.record().cpu, 2),
        ]
        for ask in asked:
            told(ask)


@much(25, seconds=8)
def test_a_log_that_was_tampered_with_is_read_or_refused(much: Any, real_run: Path, tmp_path: Path) -> None:
    events = events_of(real_run)
    with copy_of(real_run, tmp_path) as run:

        def once(choose: random.Random) -> None:
            (run / "events.jsonl").write_bytes(as_lines(mutated_log(events, choose)))
            read_everything(run)

        much.of(once)


def test_an_event_whose_numbers_no_arithmetic_is_made_for_is_passed_over(real_run: Path, tmp_path: Path) -> None:
    events = events_of(real_run)
    forged = [
        {**events[0], "parameters": 10**400},
        {**events[0], "threads": 0},
        {**events[0], "dataset": {**events[0]["dataset"], "vocab_size": 2**62}},
        {**events[1], "time": 1e300},
        {**events[1], "step": 2**62},
    ]
    with copy_of(real_run, tmp_path) as run:
        (run / "events.jsonl").write_bytes(as_lines([*events, *forged]))
        history = Run.open(run).history()
    assert history.skipped == len(forged)
    assert history.step == 8


@much(15, seconds=5)
def test_a_record_or_notes_or_a_configuration_that_were_tampered_with_are_read_or_refused(
    much: Any, real_run: Path, tmp_path: Path
) -> None:
    record = json.loads((real_run / "run.json").read_text()) | {"parent": {"run": "real", "step": 4}}
    config = tomllib.loads((real_run / "config.toml").read_text())
    notes = {"v": 1, "title": "a title", "note": "two\nlines", "pins": ["000004"]}
    owner = {"pid": 1, "host": "elsewhere"}

    def once(choose: random.Random) -> None:
        with copy_of(real_run, tmp_path) as run:
            (run / "shelf.json").write_text(json.dumps(mutated(notes, choose)))
            (run / "run.owner").write_text(json.dumps(mutated(owner, choose)))
            if choose.random() < 0.5:
                (run / "run.json").write_text(json.dumps(mutated(record, choose)))
            else:
                (run / "config.toml").write_bytes(_toml(mutated(config, choose), config))
            read_everything(run)

    much.of(once)


def _toml(document: Any, otherwise: Any) -> bytes:
    """The document as TOML; where TOML has no such thing (null, say), the other one."""
    try:
        return tomli_w.dumps(document).encode()
    except (TypeError, ValueError, AttributeError):
        return tomli_w.dumps(otherwise).encode()


@much(15, seconds=8)
def test_no_command_prints_what_a_terminal_would_obey_and_none_writes_into_the_run(
    much: Any, real_run: Path, tmp_path: Path
) -> None:
    events = events_of(real_run)
    files = [path.relative_to(real_run) for path in real_run.rglob("*") if path.is_file() and path.stat().st_size]

    def once(choose: random.Random) -> None:
        with copy_of(real_run, tmp_path) as run:
            (run / "shelf.json").write_text(json.dumps({"title": TERMINAL, "note": TERMINAL}))
            if choose.random() < 0.7:
                (run / "events.jsonl").write_bytes(as_lines(mutated_log(events, choose)))
            else:
                spoilt = choose.choice(files)
                (run / spoilt).write_bytes(mutated_bytes((run / spoilt).read_bytes(), choose))
            before = found_below(run)
            plot = str(tmp_path / "plot.svg")
            for words in (*COMMANDS, ("runs", "verify", "real"), ("runs", "export", "real", "--svg", plot)):
                _, shown = obey(*words, "--runs-dir", str(run.parent))
                assert not unseen(shown), (words, shown)
            assert found_below(run) == before

    much.of(once)


@much(12, seconds=8)
def test_a_checkpoint_that_was_forged_with_right_checksums_speaks_or_is_refused(
    much: Any, real_run: Path, tmp_path: Path
) -> None:
    from gpt_tui.core.sampling import Speaker

    original = json.loads((real_run / CHECKPOINT_FILES[0]).read_text())

    def once(choose: random.Random) -> None:
        with copy_of(real_run, tmp_path) as run:
            state = mutated(original, choose)
            if choose.random() < 0.6:
                state = copy.deepcopy(original)
                forge_tensors(run / CHECKPOINT_FILES[choose.choice((1, 2))], choose, state)
            seal(run / CHECKPOINT_FILES[0], state)
            assert not unseen(told(lambda: resumed(run, load_checkpoint(run / "checkpoints" / "000008"))))
            assert not unseen(told(lambda: Speaker.from_run(Run.open(run), 8, "cpu").speak(sampling=FEW)))

    much.of(once)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 3e38])
def test_weights_that_give_no_logits_say_nothing(value: float, real_run: Path, tmp_path: Path) -> None:
    from gpt_tui.core.sampling import Speaker

    with copy_of(real_run, tmp_path) as run:
        with_weights(run, lambda name, tensor: tensor.fill_(value))
        with pytest.raises(GptTuiError, match="its weights are damaged"):
            Speaker.from_run(Run.open(run), 8, "cpu").speak(sampling=FEW)


def test_a_tensor_whose_name_a_terminal_would_obey_is_named_as_what_it_is(real_run: Path, tmp_path: Path) -> None:
    from gpt_tui.core.sampling import Speaker

    with copy_of(real_run, tmp_path) as run:
        with_weights(run, lambda name, tensor: tensor, prefix=TERMINAL)
        for ask in (
            lambda: Speaker.from_run(Run.open(run), 8, "cpu"),
            lambda: resumed(run, load_checkpoint(run / "checkpoints" / "000008")),
        ):
            why = told(ask)
            assert r"\x08" in why
            assert not unseen(why)


def with_weights(run: Path, change: Callable[[str, Any], object], prefix: str = "") -> None:
    """Change every tensor of a model in place, and begin every name with `prefix`."""
    from safetensors.torch import load_file, save

    state = json.loads((run / CHECKPOINT_FILES[0]).read_text())
    tensors = load_file(run / CHECKPOINT_FILES[1])
    for name, tensor in tensors.items():
        change(name, tensor)
    write_tensors(run / CHECKPOINT_FILES[1], save({prefix + name: t for name, t in tensors.items()}), state)
    seal(run / CHECKPOINT_FILES[0], state)


FEW = RunConfig().sampling.model_copy(update={"max_new_tokens": 2})


def resumed(run: Path, saved: Any) -> None:
    """Have a trainer take what was saved, and step once."""
    from gpt_tui.core.data import load_dataset
    from gpt_tui.core.prepare import read_place
    from gpt_tui.core.training import Trainer

    read_place(saved).run_config()
    config = Run.open(run).config()
    trainer = Trainer(config, load_dataset(config.data.dataset))
    trainer.load_state_dict({"model": saved.model, "trainer": saved.trainer, "state": saved.state})
    trainer.step()


def seal(path: Path, state: Any) -> None:
    """Write a state.json with the checksum that it should have."""
    if isinstance(state, dict):
        state.pop("sha256", None)
        canonical = json.dumps(state, sort_keys=True, separators=(",", ":")).encode()
        state = {**state, "sha256": hashlib.sha256(canonical).hexdigest()}
    path.write_bytes(json.dumps(state, sort_keys=True, separators=(",", ":")).encode() + b"\n")


def forge_tensors(path: Path, choose: random.Random, state: dict[str, Any]) -> None:
    """Mutate a file of tensors, and put its size and its checksum into `state`, which is changed."""
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    text, numbers = content[8 : 8 + length], bytearray(content[8 + length :])
    claimed = length
    if choose.random() < 0.5:
        for _ in range(choose.choice((1, 3, 100))):
            value = choose.choice((math.nan, math.inf, -math.inf, 3e38, -3e38, 1e-45))
            struct.pack_into("<f", numbers, 4 * choose.randrange(len(numbers) // 4), value)
    else:
        text = json.dumps(mutated(json.loads(text), choose)).encode()
        claimed = choose.choice((len(text),) * 4 + (2**63, 2**64 - 1, 0, len(text) - 1))
    write_tensors(path, struct.pack("<Q", claimed) + text + numbers, state)


def write_tensors(path: Path, content: bytes, state: dict[str, Any]) -> None:
    path.write_bytes(content)
    state["files"][path.name] |= {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def test_a_checkpoint_that_says_it_was_saved_after_all_others_by_far_is_damaged(real_run: Path, tmp_path: Path) -> None:
    with copy_of(real_run, tmp_path) as run:
        for number in (10**400, 2**62 - 1, 2**53, -1):
            seal(
                run / CHECKPOINT_FILES[0],
                json.loads((real_run / CHECKPOINT_FILES[0]).read_text()) | {"sequence": number},
            )
            assert [info.reason is None for info in Run.open(run).checkpoints()] == [False, False, True]


def test_a_checkpoint_that_says_it_was_the_last_that_can_be_saved_lets_no_other_follow(
    real_run: Path, tmp_path: Path
) -> None:
    with copy_of(real_run, tmp_path) as run:
        forge_state(run, sequence=2**53 - 1)
        with (
            RunWriter(Run.open(run)) as writer,
            pytest.raises(GptTuiError, match="its sequence goes on from a number in the run's files"),
        ):
            writer.save_checkpoint(9, {}, {}, {}, "last")
        assert [info.name for info in Run.open(run).checkpoints()] == ["000000", "000004", "000008"]


def test_a_time_that_was_forged_leaves_what_is_saved_after_it_readable(real_run: Path, tmp_path: Path) -> None:
    with copy_of(real_run, tmp_path) as run:
        forge_state(run, {"seconds": 1e12})
        for steps in (10, 12):
            asked = ("--headless", "--quiet", "--resume", "real", "--max-iters", str(steps))
            assert obey(*asked, "--runs-dir", str(run.parent))[0] == 0
        assert Run.open(run).history().step == 12


@pytest.mark.parametrize("tokens", [-1, 2**53, 2**62 - 10, 10**30])
def test_a_count_of_tokens_that_no_log_could_hold_is_not_gone_on_from(
    tokens: int, real_run: Path, tmp_path: Path
) -> None:
    with copy_of(real_run, tmp_path) as run:
        forge_state(run, {"tokens": tokens})
        before = (run / "events.jsonl").read_bytes()
        asked = ("--headless", "--resume", "real", "--max-iters", "10", "--runs-dir", str(run.parent))
        status, shown = obey(*asked)
        assert status == 1
        assert "the saved place in the training cannot be read" in shown
        assert (run / "events.jsonl").read_bytes() == before


def forge_state(run: Path, inner: dict[str, Any] | None = None, **outer: Any) -> None:
    """Have the newest checkpoint say something else of its run, or of itself."""
    state = json.loads((run / CHECKPOINT_FILES[0]).read_text()) | outer
    state["state"] |= inner or {}
    seal(run / CHECKPOINT_FILES[0], state)


def test_weights_that_no_configuration_asks_for_are_not_read(real_run: Path, tmp_path: Path) -> None:
    from gpt_tui.core.sampling import Speaker

    with copy_of(real_run, tmp_path) as run:
        padded(run, CHECKPOINT_FILES[1], 1 << 36)
        with pytest.raises(GptTuiError, match="its configuration asks for"):
            Speaker.from_run(Run.open(run), 8, "cpu")
        assert Speaker.from_run(Run.open(run), device="cpu").step == 4


def test_what_the_trainer_needs_is_not_read_to_speak_and_not_at_any_size_to_train(
    real_run: Path, tmp_path: Path
) -> None:
    from gpt_tui.core.runs import newest_whole_checkpoint
    from gpt_tui.core.sampling import Speaker

    with copy_of(real_run, tmp_path) as run:
        padded(run, CHECKPOINT_FILES[2], 1 << 36)
        assert Speaker.from_run(Run.open(run), device="cpu").step == 8
        info, _, notices = newest_whole_checkpoint(Run.open(run))
        assert info.step == 4
        assert "trainer.safetensors has 68," in notices[0]


def padded(run: Path, name: str, size: int) -> None:
    """One more tensor in a file, of as many bytes, which take no room on the disk."""
    content = (run / name).read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header, data = json.loads(content[8 : 8 + length]), content[8 + length :]
    header["more"] = {"dtype": "U8", "shape": [size], "data_offsets": [len(data), len(data) + size]}
    text = json.dumps(header).encode()
    (run / name).write_bytes(struct.pack("<Q", len(text)) + text + data)
    whole = 8 + len(text) + len(data) + size
    os.truncate(run / name, whole)
    state = json.loads((run / CHECKPOINT_FILES[0]).read_text())
    state["files"][Path(name).name]["bytes"] = whole
    seal(run / CHECKPOINT_FILES[0], state)


@can_make_pipes
@pytest.mark.parametrize("kind", ["pipe", "folder", "link to itself", *DEVICES])
@pytest.mark.parametrize("name", [*FILES, *CHECKPOINT_FILES])
def test_a_pipe_or_a_device_in_place_of_a_file_keeps_nobody_waiting(
    name: str, kind: str, real_run: Path, tmp_path: Path
) -> None:
    from gpt_tui.core.runs import newest_whole_checkpoint

    with copy_of(real_run, tmp_path) as run:
        replace(run / name, kind)
        read_everything(run)
        for ask in (
            lambda: newest_whole_checkpoint(Run.open(run)),
            lambda: LogTail(run / "events.jsonl").poll(),
            lambda: RunWriter(Run.open(run)).close(),
        ):
            assert not unseen(told(ask))


def replace(path: Path, kind: str) -> None:
    path.unlink(missing_ok=True)
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to(path if kind.startswith("link") else kind)


@can_make_pipes
@pytest.mark.parametrize("name", ["events.jsonl", "run.lock", "run.owner", "shelf.json", "checkpoints"])
def test_a_link_in_a_run_leads_no_writer_out_of_it(name: str, real_run: Path, tmp_path: Path) -> None:
    from torch import zeros

    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "file").write_text("mine\n")
    outside = found_below(elsewhere)
    with copy_of(real_run, tmp_path) as run:
        if name == "checkpoints":
            shutil.rmtree(run / name)
        else:
            (run / name).unlink(missing_ok=True)
        (run / name).symlink_to(elsewhere if name == "checkpoints" else elsewhere / "file")

        def write() -> None:
            opened = Run.open(run)
            opened.replace_shelf_notes(opened.shelf_notes())
            with RunWriter(opened) as writer:
                writer.append(opened.history().evals[0])
                writer.save_checkpoint(9, {"w": zeros(1)}, {}, {}, "last")
                writer.prune()

        assert f"{name} is a link" in told(write) or name in ("run.owner", "shelf.json")  # which are replaced whole
    assert found_below(elsewhere) == outside
    assert (elsewhere / "file").read_text() == "mine\n"


@pytest.mark.parametrize("name", FILES)
def test_a_hard_link_in_a_run_has_no_file_written_that_lies_elsewhere(
    name: str, real_run: Path, tmp_path: Path
) -> None:
    mine = tmp_path / ".bashrc"
    with copy_of(real_run, tmp_path) as run:
        mine.unlink(missing_ok=True)
        mine.write_bytes((run / name).read_bytes() if (run / name).exists() else b"{}")
        before = mine.read_bytes()
        (run / name).unlink(missing_ok=True)
        os.link(mine, run / name)
        asked = ("--headless", "--quiet", "--resume", "real", "--max-iters", "10", "--runs-dir", str(run.parent))
        status, shown = obey(*asked)
        verified = obey("runs", "verify", "--runs-dir", str(run.parent))
        assert mine.read_bytes() == before
        if name not in ("events.jsonl", "run.lock"):  # the others are replaced whole, or never written again
            assert (status, verified[0]) == (0, 0), shown + verified[1]
            return
        assert status == 1
        assert f"{name} is a hard link" in shown
        assert f"{name}: is a hard link" in verified[1]
        shutil.copy(mine, run / "copy")
        (run / "copy").replace(run / name)
        assert obey(*asked)[0] == 0
        assert obey("runs", "verify", "--runs-dir", str(run.parent))[0] == 0
        assert mine.read_bytes() == before


@can_make_pipes
@pytest.mark.parametrize("name", ["events.jsonl", "run.lock", "checkpoints"])
def test_a_link_that_leads_nowhere_makes_nothing_there(name: str, real_run: Path, tmp_path: Path) -> None:
    with copy_of(real_run, tmp_path) as run:
        kept = run / name
        kept.rename(run / "away")
        kept.symlink_to(tmp_path / "made")
        told(lambda: RunWriter(Run.open(run)).close())
    assert not (tmp_path / "made").exists()


@can_make_pipes
@pytest.mark.parametrize("name", FILES)
def test_what_a_link_leads_to_is_not_told(name: str, real_run: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("root:hunter2:0:0\nhunter2 = 'hunter2'\n[hunter2]\n")
    with copy_of(real_run, tmp_path) as run:
        (run / name).unlink(missing_ok=True)
        (run / name).symlink_to(secret)
        for words in (*COMMANDS, ("runs", "verify")):
            assert "hunter2" not in obey(*words, "--runs-dir", str(run.parent))[1]


def test_a_checkpoint_deeper_than_any_stack_is_refused(real_run: Path, tmp_path: Path) -> None:
    with copy_of(real_run, tmp_path) as run:
        for content in (b"[" * 100_000, b'{"a":' * 100_000, b'{"state":' + b"[" * 900 + b"]" * 900 + b"}"):
            (run / CHECKPOINT_FILES[0]).write_bytes(content)
            with pytest.raises(GptTuiError):
                load_checkpoint(run / "checkpoints" / "000008")


READER = """
    import resource, sys
    from pathlib import Path

    from gpt_tui.core.errors import GptTuiError
    from gpt_tui.core.runs import Run
    from gpt_tui.core.sampling import Speaker

    used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + (1 << 30),) * 2)
    for run in map(Path, sys.argv[1:]):
        try:
            Speaker.from_run(Run.open(run), 8, "cpu")
        except GptTuiError as error:
            print(run.parent.name, "refused", str(error)[:300].replace("\\n", " "))
        else:
            print(run.parent.name, "spoke")
"""


@pytest.mark.soak
@pytest.mark.skipif(sys.platform != "linux", reason="limits of memory by address space, as Linux has them")
def test_no_forged_size_takes_more_memory_than_the_files_have(real_run: Path, tmp_path: Path) -> None:
    forgeries: dict[str, Callable[[Path], None]] = {
        "holes": with_holes,
        "shape": lambda run: with_header(run, {"w": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 4]}}),
        "nothing": lambda run: with_header(run, {"w": {"dtype": "F32", "shape": [0, 2**62], "data_offsets": [0, 0]}}),
        "config": with_large_model,
        "aliases": with_many_names,
        "none": lambda run: None,
    }
    runs = []
    for name, forge in forgeries.items():
        run = tmp_path / name / "real"
        shutil.copytree(real_run, run)
        forge(run)
        runs.append(str(run))
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(READER), *runs], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    lines = [line.split(maxsplit=2) for line in done.stdout.splitlines()]
    assert [(name, what) for name, what, *_ in lines] == [
        (name, "spoke" if name == "none" else "refused") for name in forgeries
    ]
    for line in lines[3:5]:
        assert "the model has" in line[2]  # which was found before there was a model


def with_holes(run: Path) -> None:
    """A file of a terabyte that takes no room on the disk."""
    size = 1 << 40
    os.truncate(run / CHECKPOINT_FILES[1], size)
    state = json.loads((run / CHECKPOINT_FILES[0]).read_text())
    state["files"]["model.safetensors"]["bytes"] = size
    seal(run / CHECKPOINT_FILES[0], state)


def with_header(run: Path, header: dict[str, Any]) -> None:
    state = json.loads((run / CHECKPOINT_FILES[0]).read_text())
    text = json.dumps(header).encode()
    write_tensors(run / CHECKPOINT_FILES[1], struct.pack("<Q", len(text)) + text + bytes(4), state)
    seal(run / CHECKPOINT_FILES[0], state)


def with_large_model(run: Path, n_embd: int = 65536, n_layer: int = 100) -> None:
    """A configuration of a model of five trillion weights, in every place where it stands."""
    large = {"n_embd": n_embd, "n_layer": n_layer, "n_head": 1}
    events = events_of(run)
    config = tomllib.loads((run / "config.toml").read_text())
    state = json.loads((run / CHECKPOINT_FILES[0]).read_text())
    for sections in (events[0]["config"], config, state["state"]["config"]):
        sections["model"] |= large
    (run / "events.jsonl").write_bytes(as_lines(events))
    (run / "config.toml").write_text(tomli_w.dumps(config))
    seal(run / CHECKPOINT_FILES[0], state)


def with_many_names(run: Path) -> None:
    """A model of twelve million weights, and one small tensor under a hundred thousand names."""
    state = json.loads((run / CHECKPOINT_FILES[0]).read_text())
    file = state["files"]["model.safetensors"]
    with (run / CHECKPOINT_FILES[1]).open("rb") as tensors:
        header = json.loads(tensors.read(struct.unpack("<Q", tensors.read(8))[0]))
    largest = max((name for name in header if name != "__metadata__"), key=lambda name: header[name]["data_offsets"][1])
    file["aliases"] |= {f"also.{n}": largest for n in range(100_000)}
    seal(run / CHECKPOINT_FILES[0], state)
    with_large_model(run, n_embd=512, n_layer=4)
