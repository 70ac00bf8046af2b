"""Headless runs by the real program: its streams, its events, how it ends, how it goes on, and what is left behind."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from gpt_tui import cli
from gpt_tui.cli import sample
from gpt_tui.core.runs import Run, load_checkpoint
from gpt_tui.core.sampling import Speaker
from gpt_tui.core.session import Snapshot
from gpt_tui.headless import live_line, show_seconds
from patience import PATIENCE
from program import command, environment, run

TINY = [
    "--n-layer", "1", "--n-embd", "16", "--n-head", "1", "--block-size", "8", "--batch-size", "4",
    "--warmup-iters", "0", "--lr-schedule", "constant", "--eval-iters", "2", "--max-new-tokens", "20",
]  # fmt: skip

# Every event of the contract with its own fields, beside v, event and time.
FIELDS = {
    "started": "run path created config parameters dataset device dtype threads ladder passage parent",
    "continued": "step path created",
    "step": "step loss learning_rate grad_norm tokens tokens_per_second",
    "eval": "step train_loss val_loss whole_split best",
    "sample": "step prompt seed text window_rule",
    "surprise": "step nats",
    "milestone": "step rung val_loss",
    "checkpoint": "step path reason",
    "edit": "step changes",
    "notice": "level text",
    "finished": "step train_loss val_loss best_val_loss best_step seconds reason",
    "failed": "step reason error hint",
}


def write_text(place: Path) -> Path:
    """A text with something to learn in it: words after words, drawn by chance."""
    words = ["the", "and", "of", "king", "queen", "crown", "night", "day", "speak", "love", "hand", "heart\n"]
    draw = random.Random(1)
    path = place / "text.txt"
    path.write_text(" ".join(draw.choice(words) for _ in range(2000)), encoding="utf-8")
    return path


def read_events(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


class Trained:
    """One run, trained once for the whole module; whoever changes it works on a fork."""

    def __init__(self, place: Path):
        self.place = place
        self.text = write_text(place)
        self.done = run(
            place, "--headless", "--json", "--dataset", str(self.text), *TINY,
            "--max-iters", "20", "--eval-interval", "10", "--checkpoint-interval", "10", "--run-name", "first",
        )  # fmt: skip
        self.path = place / "runs" / "first"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return Trained(tmp_path_factory.mktemp("trained"))


# A run -----------------------------------------------------------------------------------------------------------


def test_a_run_prints_exactly_its_log_and_ends_well(trained: Trained) -> None:
    assert trained.done.returncode == 0, trained.done.stderr
    assert trained.done.stdout == (trained.path / "events.jsonl").read_text(encoding="utf-8")
    assert "finished at step 20" in trained.done.stderr
    assert "\r" not in trained.done.stderr
    assert "\x1b" not in trained.done.stderr


def test_every_event_has_the_fields_of_the_contract(trained: Trained) -> None:
    events = read_events(trained.done.stdout)
    for event in events:
        assert set(event) == {"v", "event", "time", *FIELDS[event["event"]].split()}
        assert event["v"] == 1
    kinds = [event["event"] for event in events if event["event"] not in ("notice", "milestone")]
    look = ["eval", "sample", "surprise", "checkpoint"]
    steps = ["step"] * 10
    assert kinds == ["started", *look, *steps, *look, *steps, *look, "finished"]
    assert [event["step"] for event in events if event["event"] == "step"] == list(range(1, 21))
    assert [event["time"] for event in events] == sorted(event["time"] for event in events)


def test_the_beginning_and_the_end_tell_the_whole_story(trained: Trained) -> None:
    events = read_events(trained.done.stdout)
    started, finished = events[0], events[-1]
    text = trained.text.read_text(encoding="utf-8")
    assert (started["run"], started["path"], started["parent"]) == ("first", str(trained.path), None)
    assert (started["dataset"]["characters"], started["dataset"]["vocab_size"]) == (len(text), len(set(text)))
    assert started["passage"] in text
    assert list(started["ladder"])[:4] == ["uniform", "unigram", "bigram", "trigram"]
    assert started["config"]["training"]["max_iters"] == 20
    assert (finished["step"], finished["reason"]) == (20, "max_iters")
    evals = [event for event in events if event["event"] == "eval"]
    assert finished["best_val_loss"] == min(event["val_loss"] for event in evals)
    assert evals[-1]["val_loss"] < evals[0]["val_loss"]


def test_without_json_stdout_is_the_result_alone_and_a_target_that_is_missed_is_status_4(tmp_path: Path) -> None:
    text = write_text(tmp_path).read_bytes()
    done = run(
        tmp_path, "--headless", "--quiet", "--dataset", "-", *TINY, "--max-iters", "3", "--prompt", "the ",
        "--target-loss", "0.01", stdin=text,
    )  # fmt: skip
    assert done.returncode == 4
    assert len(done.stderr.splitlines()) == 1
    assert "the target loss 0.01 was not reached" in done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("val_loss ")
    assert re.fullmatch(r"3 steps in \d+:\d\d \(\d+% of it in evaluations\), ended by max_iters", lines[1])
    assert Path(lines[2].removeprefix("run ")).is_dir()
    assert lines[4].startswith("the ")


def test_a_loss_that_leaves_the_numbers_is_status_3(trained: Trained) -> None:
    done = run(
        trained.place, "--headless", "--json", "--dataset", str(trained.text), *TINY, "--max-iters", "400",
        "--learning-rate", "100", "--grad-clip", "off", "--norm", "none", "--qk-norm", "false", "--run-name", "wild",
        "--lr-schedule", "constant", "--weight-decay", "0.9",
    )  # fmt: skip
    end = read_events(done.stdout)[-1]
    assert (done.returncode, end["event"], end["reason"]) == (3, "failed", "diverged")
    assert end["hint"] in done.stderr
    assert (trained.path.parent / "wild" / "checkpoints" / "000000" / "state.json").is_file()


def test_a_runs_directory_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("in the way")
    done = run(tmp_path, "--headless", "--dataset", str(write_text(tmp_path)), *TINY, "--max-iters", "1")
    assert done.returncode == 2
    assert done.stderr.startswith("gpt-tui: runs directory")
    assert f"{tmp_path / 'runs'} is not a directory: make it so, or name another" in done.stderr


def test_what_only_the_dataset_shows_is_refused_before_anything_is_written(trained: Trained) -> None:
    before = sorted((trained.place / "runs").iterdir())
    done = run(
        trained.place, "--headless", "--dataset", str(trained.text), "--block-size", "5000", "--prompt", "Ω"
    )  # fmt: skip
    assert done.returncode == 2
    assert "block_size = 5000" in done.stderr
    assert "prompt = Ω" in done.stderr
    assert sorted((trained.place / "runs").iterdir()) == before


# Going on --------------------------------------------------------------------------------------------------------


@pytest.mark.soak
def test_a_resumed_run_goes_on_as_if_it_had_never_stopped(trained: Trained) -> None:
    shutil.copytree(trained.path, trained.path.with_name("half"))
    rest = run(trained.place, "--headless", "--json", "--resume", "half", "--max-iters", "30")
    whole = run(
        trained.place, "--headless", "--json", "--dataset", str(trained.text), *TINY, "--max-iters", "30",
        "--eval-interval", "15", "--run-name", "whole",
    )  # fmt: skip
    assert (whole.returncode, rest.returncode) == (0, 0), rest.stderr
    events = read_events(rest.stdout)
    assert (events[0]["event"], events[0]["step"]) == ("continued", 20)
    assert [event["changes"] for event in events if event["event"] == "edit"] == [{"max_iters": [20, 30]}]
    losses = [event["loss"] for event in read_events(trained.done.stdout) + events if event["event"] == "step"]
    assert losses == [event["loss"] for event in read_events(whole.stdout) if event["event"] == "step"]
    assert events[-1]["val_loss"] == read_events(whole.stdout)[-1]["val_loss"]


def test_a_fork_begins_at_its_parents_checkpoint_with_its_own_fields_and_ends_at_its_target(trained: Trained) -> None:
    done = run(
        trained.place, "--headless", "--json", "--fork", "first@10", "--seed", "7", "--learning-rate", "0.001",
        "--max-iters", "40", "--eval-interval", "12", "--target-loss", "99", "--run-name", "fork",
    )  # fmt: skip
    events = read_events(done.stdout)
    assert done.returncode == 0, done.stderr
    assert events[0]["parent"] == {"run": "first", "step": 10}
    assert (events[0]["config"]["training"]["seed"], events[0]["config"]["optimizer"]["learning_rate"]) == (7, 0.001)
    assert (events[-1]["reason"], events[-1]["step"]) == ("target_loss", 10)


def test_what_cannot_change_in_a_run_is_refused_all_at_once(trained: Trained) -> None:
    log = (trained.path / "events.jsonl").read_bytes()
    done = run(
        trained.place, "--headless", "--resume", "first", "--n-layer", "2", "--seed", "7", "--n-embd", "16",
        "--learning-rate", "fast",
    )  # fmt: skip
    assert done.returncode == 2
    assert sorted(line.split()[1] for line in done.stderr.splitlines()) == ["--learning-rate", "--n-layer", "--seed"]
    finished = run(trained.place, "--headless", "--resume", "first")
    assert finished.returncode == 2
    assert "--max-iters 40" in finished.stderr
    assert (trained.path / "events.jsonl").read_bytes() == log


def test_the_configuration_of_a_resumed_run_says_where_it_comes_from(trained: Trained) -> None:
    done = run(trained.place, "--headless", "--resume", "first", "--max-iters", "50", "--print-config")
    assert done.returncode == 0
    lines = {line.split(" ")[0]: line for line in done.stdout.splitlines()}
    assert lines["max_iters"].endswith("# flag --max-iters")
    assert lines["n_embd"].endswith("# run first")


# Signals and lost readers ----------------------------------------------------------------------------------------


@pytest.fixture
def endless(trained: Trained) -> Iterator[subprocess.Popen[str]]:
    """A run that would train for hours."""
    name = f"endless-{time.monotonic_ns()}"
    process = subprocess.Popen(
        command(
            "--headless", "--json", "--dataset", str(trained.text), *TINY,
            "--max-iters", "100000000", "--eval-interval", "100000000", "--run-name", name,
        ),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(trained.place),
    )  # fmt: skip
    yield process
    process.kill()
    process.wait()
    for stream in (process.stdout, process.stderr):
        assert stream
        stream.close()


def wait_for(process: subprocess.Popen[str], kind: str) -> dict[str, Any]:
    """The next event of that kind from the process's stdout."""
    assert process.stdout
    for line in process.stdout:
        if (event := json.loads(line))["event"] == kind:
            return dict(event)
    raise AssertionError(f"the program ended without {kind}")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals to send")
@pytest.mark.parametrize(
    "number",
    [pytest.param(signal.SIGTERM, id="SIGTERM"), pytest.param(signal.SIGHUP, id="SIGHUP", marks=pytest.mark.soak)],
)
def test_a_signal_saves_the_run_and_names_itself_in_the_status(
    number: signal.Signals, endless: subprocess.Popen[str], trained: Trained
) -> None:
    path = Path(wait_for(endless, "started")["path"])
    wait_for(endless, "step")
    refused = run(trained.place, "runs", "rm", path.name)
    assert (refused.returncode, "is being trained now" in refused.stderr) == (2, True)
    endless.send_signal(number)
    rest, told = endless.communicate(timeout=60)
    assert endless.returncode == 128 + number, told
    *_, checkpoint, finished = read_events("\n".join(rest.splitlines()[-2:]))
    assert (finished["event"], finished["reason"]) == ("finished", "signal")
    assert (checkpoint["event"], checkpoint["reason"]) == ("checkpoint", "signal")
    assert checkpoint["step"] == finished["step"]
    assert Run.open(path).state() == "stopped"
    assert load_checkpoint(Path(checkpoint["path"])).step == finished["step"]
    assert run(trained.place, "runs", "rm", path.name).returncode == 0
    assert not path.exists()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals to send")
@pytest.mark.soak
def test_an_interrupt_after_another_signal_leaves_at_once(endless: subprocess.Popen[str]) -> None:
    wait_for(endless, "started")
    endless.send_signal(signal.SIGSTOP)  # so that both arrive before the first can be obeyed
    endless.send_signal(signal.SIGTERM)
    endless.send_signal(signal.SIGINT)
    endless.send_signal(signal.SIGCONT)
    endless.communicate(timeout=60)
    assert endless.returncode == 130


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals to send")
def test_a_signal_while_the_run_is_prepared_ends_it_with_nothing_written(trained: Trained) -> None:
    name = "never-begun"
    process = subprocess.Popen(
        command("--headless", "--dataset", str(trained.text), *TINY, "--run-name", name),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(trained.place),
    )  # fmt: skip
    assert process.stderr
    first = process.stderr.readline()
    process.send_signal(signal.SIGTERM)
    _, told = process.communicate(timeout=60)
    assert first.strip() in ("starting", "loading torch") or first.startswith("reading")
    assert process.returncode == 143
    assert "saved" in told or "nothing was written" in told


def test_every_evaluation_tells_how_long_it_took(tmp_path: Path) -> None:
    done = run(tmp_path, "--headless", "--dataset", str(write_text(tmp_path)), *TINY, "--max-iters", "3")
    told = [line for line in done.stderr.splitlines() if line.startswith("step ") and " val " in line]
    assert [line.split()[1] for line in told] == ["0", "3"]
    assert all(re.search(r"  evaluated in [\d.]+ s( |$)", line) for line in told)
    assert [show_seconds(seconds) for seconds in (0.034, 3.21, 59.4, 125)] == ["0.03 s", "3.2 s", "59 s", "2:05"]


def test_what_is_done_beside_training_says_how_far_it_is() -> None:
    looking = Snapshot("TRAINING", "", "evaluating", 25, 100, step=7, max_iters=9, left=65.2)
    assert live_line(looking) == "step 7/9  evaluating 25%, 1:05 left"
    assert live_line(replace(looking, total=None, left=None)) == "step 7/9  evaluating"


@pytest.mark.soak
def test_a_reader_that_leaves_does_not_stop_the_run(trained: Trained) -> None:
    process = subprocess.Popen(
        command(
            "--headless", "--json", "--dataset", str(trained.text), *TINY, "--max-iters", "300", "--run-name", "unread"
        ),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(trained.place),
    )  # fmt: skip
    assert process.stdout
    assert process.stderr
    wait_for(process, "started")
    process.stdout.close()
    told = process.stderr.read()
    process.stderr.close()
    assert process.wait(timeout=60) == 0
    assert "Traceback" not in told
    assert "Broken pipe" not in told
    log = (trained.path.parent / "unread" / "events.jsonl").read_text(encoding="utf-8")
    assert read_events(log)[-1]["reason"] == "max_iters"


@pytest.mark.skipif(os.name == "nt", reason="there is no pseudo-terminal to watch")
@pytest.mark.soak
def test_a_terminal_gets_one_live_line_that_is_gone_at_the_end(trained: Trained) -> None:
    import pty

    import pyte

    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        command("--headless", "--fork", "first", "--max-iters", "300", "--eval-interval", "100"),
        stdout=subprocess.PIPE, stderr=theirs, stdin=theirs, env=environment(trained.place, TERM="xterm", COLUMNS="60"),
    )  # fmt: skip
    os.close(theirs)
    shown = b""
    while True:
        try:
            block = os.read(ours, 4096)
        except OSError:  # how Linux says that the other side was closed
            break
        if not block:
            break
        shown += block
    os.close(ours)
    assert process.stdout
    result = process.stdout.read().decode()
    process.stdout.close()
    assert process.wait(timeout=60) == 0
    lines = shown.decode().split("\n")
    pieces = [piece for line in lines for piece in line.split("\r")]
    live = [piece for piece in pieces if piece.startswith("step ") and "/300  loss" in piece]
    assert live
    assert max(map(len, live)) < 60
    screen = pyte.Screen(60, 200)
    pyte.ByteStream(screen).feed(shown)
    assert screen.display[screen.cursor.y].strip() == ""
    assert result.startswith("val_loss ")
    assert "\r" not in result


# Samples and the shelf -------------------------------------------------------------------------------------------


def test_a_sample_reads_as_one_text_and_is_the_same_as_json(trained: Trained) -> None:
    wish = ["sample", "first@20", "--max-new-tokens", "12", "--num-samples", "2", "--sample-seed", "5"]
    plain = run(trained.place, *wish, "--prompt", "the ")
    records = read_events(run(trained.place, *wish, "--json", "--prompt", "-", stdin=b"the \n").stdout)
    assert plain.returncode == 0, plain.stderr
    assert plain.stdout.startswith("the " + records[0]["text"])
    assert "the " + records[1]["text"] in plain.stdout
    fields = ["run", "step", "prompt", "seed", "window_rule", "dtype", "text", "tokens"]
    assert [list(record) for record in records] == [fields] * 2
    assert [record["seed"] for record in records] == [5, 6]
    assert (records[0]["window_rule"], records[0]["dtype"]) == ("half", "float32")
    assert len(records[0]["tokens"]) == 12
    assert all(token["logprob"] < 0 for token in records[0]["tokens"])


def test_many_samples_are_those_that_each_seed_gives_alone(trained: Trained) -> None:
    wish = ["sample", "first", "--max-new-tokens", "40", "--window-rule", "full", "--json"]
    records = read_events(run(trained.place, *wish, "--num-samples", "18", "--sample-seed", "3").stdout)
    assert [record["seed"] for record in records] == list(range(3, 21))
    for i in (0, 1, 17):
        (alone,) = read_events(run(trained.place, *wish, "--sample-seed", str(3 + i)).stdout)
        assert alone["text"] == records[i]["text"]
    (half,) = read_events(run(trained.place, *wish, "--sample-seed", "3", "--window-rule", "half").stdout)
    assert (records[0]["window_rule"], half["window_rule"]) == ("full", "half")
    assert half["text"][:8] == records[0]["text"][:8]  # within the window there is no difference
    assert half["tokens"] != records[0]["tokens"]


@pytest.mark.parametrize(("tokens", "at_once"), [("40", [2, 2, 1]), ("101", [1] * 5)])
def test_json_keeps_no_more_tokens_than_there_is_room_for(
    trained: Trained,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tokens: str,
    at_once: list[int],
) -> None:
    wish = ["sample", "first", "--max-new-tokens", tokens, "--num-samples", "5"]
    wish += ["--runs-dir", str(trained.place / "runs")]
    expected = run(trained.place, *wish, "--json").stdout
    seeds: list[int] = []
    really = Speaker.generate_together

    def counted(speaker: Speaker, these: list[int], *more: Any) -> Any:
        seeds.append(len(these))
        return really(speaker, these, *more)

    monkeypatch.setattr(Speaker, "generate_together", counted)
    monkeypatch.setattr(sample, "TOKENS_AT_ONCE", 100)
    threads = torch.get_num_threads()
    assert cli.main([*wish, "--json"]) == 0
    assert seeds == at_once
    texts = [record["text"] for record in read_events(capsys.readouterr().out)]
    assert texts == [record["text"] for record in read_events(expected)]
    assert cli.main(wish) == 0
    assert seeds[len(at_once) :] == [5]  # as they come: nothing is kept
    torch.set_num_threads(threads)


def test_a_run_of_before_there_was_a_window_rule_has_half_for_ever(trained: Trained, tmp_path: Path) -> None:
    path = tmp_path / "runs" / "old"
    shutil.copytree(trained.path, path)
    config, log = path / "config.toml", path / "events.jsonl"
    kept = [line for line in config.read_text(encoding="utf-8").splitlines() if not line.startswith("window_rule")]
    config.write_text("\n".join(kept) + "\n", encoding="utf-8")
    events = read_events(log.read_text(encoding="utf-8"))
    del events[0]["config"]["sampling"]["window_rule"]
    for event in events:
        event.pop("window_rule", None)
    log.write_text("".join(json.dumps(event) + "\n" for event in events), encoding="utf-8")

    refused = run(tmp_path, "--headless", "--resume", "old", "--window-rule", "full", "--max-iters", "30")
    assert refused.returncode == 2
    assert "--window-rule = full: needs a new run" in refused.stderr
    (spoken,) = read_events(run(tmp_path, "sample", "old", "--max-new-tokens", "30", "--json").stdout)
    (same,) = read_events(run(trained.place, "sample", "first", "--max-new-tokens", "30", "--json").stdout)
    assert spoken["window_rule"] == "half"
    assert spoken["text"] == same["text"]
    resumed = run(tmp_path, "--headless", "--resume", "old", "--max-iters", "30", "--json")
    assert resumed.returncode == 0, resumed.stderr
    assert [e["window_rule"] for e in read_events(resumed.stdout) if e["event"] == "sample"] == ["half"]


def test_a_sample_reaches_a_pipe_as_it_is_made(trained: Trained) -> None:
    """Of a text without end: all of it would never come."""
    endless = command("sample", "first", "--max-new-tokens", "10000000", "--num-samples", "2", "--prompt", "the ")
    with subprocess.Popen(endless, stdout=subprocess.PIPE, env=environment(trained.place)) as writing:
        assert writing.stdout
        assert writing.stdout.read(200).startswith(b"the ")
        assert writing.poll() is None
        writing.stdout.close()  # as `head` does
        assert writing.wait(PATIENCE) == 0


def test_a_faster_number_format_is_asked_for_by_name(trained: Trained) -> None:
    wish = ["sample", "first", "--max-new-tokens", "20", "--json", "--temperature", "0"]
    exact, fast = (
        read_events(run(trained.place, *wish, "--dtype", dtype).stdout)[0] for dtype in ("float32", "bfloat16")
    )
    assert read_events(run(trained.place, *wish).stdout)[0] == exact
    assert fast["tokens"][0]["logprob"] == pytest.approx(exact["tokens"][0]["logprob"], abs=0.1)
    assert fast["tokens"] != exact["tokens"]
    assert (exact["dtype"], fast["dtype"]) == ("float32", "bfloat16")
    refused = run(trained.place, *wish, "--dtype", "bfloat8")
    assert refused.returncode == 2
    assert "bfloat16" in refused.stderr


def test_a_bigram_writes_too(tmp_path: Path) -> None:
    flags = ["--preset", "lecture-bigram", "--max-iters", "2", "--run-name", "table", "--quiet"]
    assert run(tmp_path, "--headless", "--dataset", str(write_text(tmp_path)), *flags).returncode == 0
    written = run(tmp_path, "sample", "table", "--max-new-tokens", "30", "--num-samples", "2")
    assert (written.returncode, written.stderr) == (0, "")


def test_a_prompt_that_the_model_cannot_read_is_refused(trained: Trained) -> None:
    refused = run(trained.place, "sample", "first", "--prompt", "Ω")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "U+03A9" in refused.stderr


def test_the_shelf_lists_shows_exports_and_removes(trained: Trained, tmp_path: Path) -> None:
    listed = json.loads(run(trained.place, "runs", "--json").stdout)
    first = next(record for record in listed if record["name"] == "first")
    assert " ".join(first) == (
        "name title path state step max_iters val_loss best_val_loss best_step parameters dataset created"
    )
    assert (first["state"], first["step"], first["max_iters"]) == ("finished", 20, 20)
    assert "first" in run(trained.place, "runs").stdout
    shown = run(trained.place, "runs", "show", "first").stdout
    assert "n_embd" in shown
    assert "untrained" in shown
    assert json.loads(run(trained.place, "runs", "show", "first", "--json").stdout)["changed"]["n_layer"] == [2, 1]
    table, plot = tmp_path / "losses.csv", tmp_path / "losses.svg"
    assert run(trained.place, "runs", "export", "first", "--csv", str(table), "--svg", str(plot)).returncode == 0
    assert len(table.read_text(encoding="utf-8").splitlines()) == 22
    assert plot.read_text(encoding="utf-8").startswith("<svg")
    refused = run(trained.place, "runs", "rm", "first", "no-such-run", "nor-this")
    assert refused.returncode == 2
    assert len(refused.stderr.splitlines()) == 2
    assert trained.path.is_dir()
