"""`gpt-tui shapes`, and what is told of values that have no effect."""

from __future__ import annotations

import json
import os
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from gpt_tui.cli import main
from gpt_tui.console import display_width
from gpt_tui.core.drawing import WIDTH
from gpt_tui.core.presets import PRESETS
from program import environment, run
from published import PARAMETERS


def shapes(place: Path, *arguments: str, **environ: str) -> dict[str, Any]:
    """What `gpt-tui shapes --json` says."""
    done = run(place, "shapes", "--json", *arguments, **environ)
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    assert isinstance(record, dict)
    return record


def told(place: Path, *arguments: str, **environ: str) -> str:
    """What it says to a person."""
    done = run(place, "shapes", *arguments, **environ)
    assert done.returncode == 0, done.stderr
    return done.stdout


def told_here(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The same within this process, for what is asked many times."""
    assert main(["shapes", *arguments]) == 0
    return capsys.readouterr().out


# Numbers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_has_its_published_parameters_in_steps_that_add_up_to_them(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    record = json.loads(told_here(capsys, "--json", "--preset", name))
    assert record["preset"] == name
    if name in PARAMETERS:
        assert (record["vocab_size"], record["parameters"]) == PARAMETERS[name]
    for sums in ("parameters", "multiply_adds", "activation_bytes"):
        assert sum(step["times"] * step[sums] for step in record["steps"]) == record[sums], sums
    assert f"{record['parameters']:,}" in told_here(capsys, "--preset", name)


def test_the_record_is_complete(tmp_path: Path) -> None:
    record = shapes(tmp_path, "--preset", "nanogpt-cpu", "--gradient-accumulation-steps", "3")
    assert list(record) == [
        "preset", "vocab_size", "batch_size", "config", "letters", "steps", "parameters", "multiply_adds",
        "activation_bytes", "training_bytes", "tokens_per_step", "flops_per_step", "seconds_per_step", "seconds",
            "evaluation_seconds", "pace_run",
    ]  # fmt: skip
    assert record["letters"] == {"B": 12, "T": 64, "C": 128, "V": 65, "L": 4, "H": 4, "D": 32, "F": 512}
    assert record["config"]["training"]["gradient_accumulation_steps"] == 3
    assert record["tokens_per_step"] == 3 * 12 * 64
    matrices = 4 * 12 * 128**2 + 128 * 65
    attention = 4 * 2 * 128 * 64  # in each layer: scores and values, C numbers for each of T tokens
    assert record["multiply_adds"] == 12 * 64 * (matrices + attention)
    assert record["flops_per_step"] == 3 * 6 * record["multiply_adds"]
    assert record["training_bytes"] > 16 * 804_096 + record["activation_bytes"]
    assert 1 < record["seconds"] / (2000 * record["seconds_per_step"]) < 1.2  # evaluations and samples besides
    assert record["pace_run"] is None
    queries = next(step for step in record["steps"] if step["name"] == "queries, keys, values")
    assert queries == {
        "part": "block",
        "name": "queries, keys, values",
        "formula": "q, k, v = Wqkv u",
        "symbols": ["3", "B", "H", "T", "D"],
        "shape": [3, 12, 4, 64, 32],
        "times": 4,
        "parameters": 3 * 128 * 128,
        "multiply_adds": 12 * 64 * 3 * 128 * 128,
        "activation_bytes": 4 * 12 * 64 * 128,  # the values; the others where they are ready
    }


def test_values_come_from_where_those_of_a_run_come_from(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("[model]\nn_layer = 1\nn_embd = 16\n")
    (tmp_path / "given.toml").write_text("[model]\nn_layer = 3\nblock_size = 32\n[training]\nbatch_size = 3\n")
    asked = ("--preset", "lecture-colab", "--config", str(tmp_path / "given.toml"), "--block_size=48")
    record = shapes(tmp_path, *asked, GPT_TUI_BATCH_SIZE="5", GPT_TUI_BLOCK_SIZE="8")
    assert [record["letters"][letter] for letter in "LCTB"] == [3, 64, 48, 5]
    assert shapes(tmp_path)["letters"]["C"] == 16


@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_of_a_device_that_no_run_has_used_the_time_is_not_known(
    device: str, capsys: pytest.CaptureFixture[str]
) -> None:
    record = json.loads(told_here(capsys, "--json", "--device", device))
    assert (record["seconds_per_step"], record["seconds"]) == (None, None)
    text = " ".join(told_here(capsys, "--device", device).split())
    assert f"no run here has used the device {device} yet" in text


# The vocabulary --------------------------------------------------------------------------------------------------


def test_the_vocabulary_is_what_is_given_or_the_dataset_s_or_bytes_or_the_preset_s(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    (tmp_path / "text.txt").write_text("abracadabra, " * 40, encoding="utf-8")
    text = str(tmp_path / "text.txt")
    for arguments, size, why in (
        (["--vocab-size", "1000", "--dataset", text], 1000, "as --vocab-size says"),
        (["--dataset", text], 7, "the characters of text.txt"),
        (["--preset", "gpt2", "--dataset", text], 7, "the characters of text.txt"),
        (["--dataset", text, "--tokenizer", "byte"], 256, "as many as there are bytes"),
        (["--dataset", "shakespeare"], 65, "the characters of shakespeare"),
        (["--dataset", "masque"], 65, "the characters of Tiny Shakespeare, as masque is not in the cache yet"),
        (["--preset", "gpt2"], 50_257, "gpt2's own"),
        ([], 65, "the characters of Tiny Shakespeare"),
    ):
        legend = next(line for line in told_here(capsys, *arguments).splitlines() if line[:2] == "V ")
        assert legend.split() == ["V", f"{size:,}", "vocabulary:", *why.split()]


def test_a_text_may_come_from_standard_input(tmp_path: Path) -> None:
    done = run(tmp_path, "shapes", "--dataset", "-", "--json", stdin=b"to be or not to be " * 20)
    assert json.loads(done.stdout)["vocab_size"] == len(set("to be or not to be "))


def test_nothing_is_fetched_and_nothing_written_for_a_named_dataset(tmp_path: Path) -> None:
    for name in ("shakespeare", "masque", "auto"):
        shapes(tmp_path, "--dataset", name, GPT_TUI_SHAKESPEARE_URL="http://127.0.0.1:1/absent")
    assert list(tmp_path.iterdir()) == []


# What is refused -------------------------------------------------------------------------------------------------


def test_everything_wrong_is_told_at_once(tmp_path: Path) -> None:
    done = run(
        tmp_path, "shapes", "--vocab-size", "0", "--n-layer", "many", "--preset", "gpt3", "--config", "absent.toml",
        "--dataset", "/no/such/file", "--n-hed", "2", "--runs-dir", "",
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    lines = [line.removeprefix("gpt-tui: ") for line in done.stderr.splitlines()]
    told = {line.split(" ")[0].rstrip(":") for line in lines}
    assert told == {
        "--vocab-size", "--n-layer", "--preset", "absent.toml", "dataset", "--n-hed", "--runs-dir",
    }  # fmt: skip
    assert "must be a whole number from 1 to 10,000,000" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--n-head", "3"], "--n-head"),
        (["--vocab-size", "10000001"], "--vocab-size = 10000001"),
        (["--vocab-size", "1e3"], "--vocab-size = 1e3"),
        (["gpt2"], "gpt2: is a preset: did you mean --preset gpt2?"),
        (["--headless"], "--headless: there is no such option of gpt-tui shapes"),
    ],
)
def test_what_cannot_be_built_is_refused(arguments: list[str], why: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["shapes", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert why.split(" ")[0].removeprefix("--n-head") in err
    assert why in err or "n_head = 3" in err


def test_a_text_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    done = run(tmp_path, "shapes", "--dataset", str(tmp_path / "picture.png"))
    assert done.returncode == 2
    assert "is a PNG picture" in done.stderr


def test_a_runs_directory_that_is_none_costs_no_more_than_the_pace(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("in the way")
    assert shapes(tmp_path)["seconds_per_step"] > 0


# What a person reads ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("columns", [40, 60, 80, 100, 120, 200])
def test_the_text_is_no_wider_than_the_terminal(
    columns: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    for name in ("quick", "lecture-bigram", "shakespeare-12x12", "gpt2-xl"):
        drawing = ["--drawing"] if columns >= WIDTH else []
        text = told_here(capsys, "--preset", name, "--n-layer", "1024", *drawing)
        assert max(map(display_width, text.splitlines())) <= columns, name


def test_at_80_columns_a_step_is_one_line_with_its_shape_in_letters_and_in_numbers(tmp_path: Path) -> None:
    lines = [re.sub(" {2,}", "  ", line.strip()) for line in told(tmp_path, "--preset", "nanogpt-cpu").splitlines()]
    assert "queries, keys, values  3 B H T D  3×12×4×64×32  49,152  37.7M  393.2 kB" in lines
    assert "token ids  B T  12×64  –  –  6.1 kB" in lines
    assert any(line.startswith("block × 4  787,456  ") for line in lines)  # 4 × (12 × 128² and two norms of 128)
    assert "B  12  sequences in a batch: batch_size" in lines
    assert "parameters  804,096" in lines


def test_a_wider_terminal_is_told_more(tmp_path: Path) -> None:
    narrow, wide, widest = (told(tmp_path, "--preset", "nanogpt-cpu", COLUMNS=str(c)) for c in (80, 120, 150))
    assert "softmax(scores)" not in narrow
    assert "softmax(scores)" in wide
    assert "multiply-adds" in wide.splitlines()[2]
    assert "(3, B, H, T, D)  3 × 12 × 4 × 64 × 32" in widest


def test_only_letters_that_are_used_are_explained(tmp_path: Path) -> None:
    text = told(tmp_path, "--preset", "lecture-bigram")
    assert re.findall(r"^([A-Z])  ", text, re.MULTILINE) == ["B", "T", "V"]
    assert "none: a table is only looked up" in text


def test_what_differs_from_the_preset_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert told_here(capsys).startswith("quick: batch of 12 × 192 tokens, V = 65\n")
    changed = told_here(capsys, "--n-layer", "3", "--preset", "nanogpt-cpu", "--learning-rate", "0.01")
    assert changed.startswith("nanogpt-cpu, as changed: batch of")
    assert "changed: n_layer 3, learning_rate 0.01\n" in changed


def test_the_drawing_is_no_json_and_says_how_wide_it_is(tmp_path: Path) -> None:
    refused = run(tmp_path, "shapes", "--json", "--drawing")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "--drawing: cannot be given with --json" in refused.stderr
    narrow = run(tmp_path, "shapes", "--drawing", COLUMNS=str(WIDTH - 1))
    assert f"The drawing needs {WIDTH} columns" in narrow.stdout
    assert "╭" not in narrow.stdout


def test_the_drawing_stands_above_the_table(tmp_path: Path) -> None:
    text = told(tmp_path, "--preset", "lecture-one-head", "--drawing")
    assert "╭" in text
    assert "no feed-forward" in text
    assert text.index("╰") < text.index("queries, keys, values")
    assert "╭" not in told(tmp_path, "--preset", "lecture-one-head")


@pytest.mark.parametrize("columns", ["50", "80", "120"])
def test_an_output_that_knows_only_ascii_gets_ascii_as_well_aligned(tmp_path: Path, columns: str) -> None:
    arguments = ("--preset", "lecture-layernorm", "--position", "rotary", "--activation", "relu2", "--drawing")
    text = told(tmp_path, *arguments, PYTHONIOENCODING="ascii", COLUMNS=columns)
    assert text.isascii()
    assert "\\" not in text
    assert "32x8" in text
    if columns == "80":
        steps = [line for line in text.splitlines() if re.search(r" [kM]?B$", line)]
        assert len({len(line) for line in steps}) == 1


@pytest.mark.skipif(os.name == "nt", reason="there is no pseudo-terminal to print to")
def test_a_terminal_is_asked_for_its_width_and_gets_the_parts_in_bold(tmp_path: Path) -> None:
    import fcntl
    import pty
    import struct
    import subprocess
    import termios

    from program import command

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 200, 100, 0, 0))
    done = subprocess.Popen(
        command("shapes", "--preset", "lecture-bigram"), stdout=theirs, stderr=theirs, stdin=theirs,
        env={**environment(tmp_path), "TERM": "xterm"},
    )  # fmt: skip
    os.close(theirs)
    text = b""
    try:
        while chunk := os.read(ours, 65536):
            text += chunk
    except OSError:
        pass  # the end, as Linux tells it
    os.close(ours)
    assert done.wait(60) == 0
    assert b"\x1b[1membedding" in text
    assert b"(B, T, V)" in text


# With runs -------------------------------------------------------------------------------------------------------


@pytest.mark.soak
def test_a_run_that_was_made_here_tells_the_time_and_hears_of_what_has_no_effect(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("abracadabra, " * 400, encoding="utf-8")
    (tmp_path / "given.toml").write_text("[optimizer]\nmin_lr = 0.0001\n[model]\nblock_size = 8\n")
    asked = (
        "--preset", "lecture-bigram", "--dataset", str(tmp_path / "text.txt"), "--n-head", "8",
        "--config", str(tmp_path / "given.toml"),
    )  # fmt: skip
    training = ("--max-iters", "60", "--eval-iters", "1", "--run-name", "first")
    done = run(tmp_path, "--headless", *asked, *training, "--quiet", GPT_TUI_FFN_MULT="2")
    assert done.returncode == 0, done.stderr
    no_effect = [
        "gpt-tui: --n-head = 8 has no effect: there is no attention",
        "gpt-tui: GPT_TUI_FFN_MULT = 2.0 has no effect: there is no feed-forward part",
        f"gpt-tui: {tmp_path / 'given.toml'}: optimizer.min_lr = 0.0001 has no effect: the learning rate is constant",
    ]
    assert done.stderr.splitlines()[:3] == no_effect

    told = run(tmp_path, "shapes", *asked, GPT_TUI_FFN_MULT="2")
    assert "; as run first went here" in " ".join(told.stdout.split())
    assert told.stderr.splitlines() == no_effect
    record = shapes(tmp_path, "--preset", "lecture-bigram", "--vocab-size", "7")
    assert record["pace_run"] == "first"
    log = (tmp_path / "runs" / "first" / "events.jsonl").read_text(encoding="utf-8").splitlines()
    speeds = sorted(e["tokens_per_second"] for e in map(json.loads, log) if e["event"] == "step")
    assert 256 / speeds[-1] <= record["seconds_per_step"] <= 256 / speeds[0]
    elsewhere = shapes(tmp_path, "--preset", "lecture-bigram", "--runs-dir", str(tmp_path / "others"))
    assert elsewhere["pace_run"] is None


def test_of_a_preset_s_own_values_and_of_a_whole_file_nothing_is_said(tmp_path: Path) -> None:
    kept = run(tmp_path, "--print-config", "--preset", "lecture-bigram")
    (tmp_path / "whole.toml").write_text(kept.stdout, encoding="utf-8")
    (tmp_path / "config.toml").write_text("[optimizer]\nmin_lr = 0.0001\n")
    for arguments in (["--preset", "lecture-bigram"], ["--config", str(tmp_path / "whole.toml")]):
        assert run(tmp_path, "shapes", *arguments).stderr == "", arguments


def test_print_config_says_which_values_have_no_effect(tmp_path: Path) -> None:
    text = run(tmp_path, "--print-config", "--preset", "lecture-bigram", "--n-head", "8").stdout
    lines = {line.split(" = ")[0]: " ".join(line.split()) for line in text.splitlines()}
    assert lines["n_head"] == "n_head = 8 # flag --n-head; no effect: there is no attention"
    assert lines["block_size"] == "block_size = 8 # preset lecture-bigram"
    assert tomllib.loads(text)["model"]["n_head"] == 8


# Beside it -------------------------------------------------------------------------------------------------------


def test_a_mistyped_command_is_told_once_and_what_follows_it_is_not_blamed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["shaeps", "gpt2"]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert main(["runs", "shwo", "latest"]) == 2
    err = capsys.readouterr().err
    assert len(err.splitlines()) == 1
    assert "did you mean show?" in err


def test_each_preset_is_one_line_at_80_columns(tmp_path: Path) -> None:
    lines = run(tmp_path, "presets").stdout.splitlines()
    assert max(map(len, lines)) <= 80
    for name, preset in PRESETS.items():
        (line,) = [line for line in lines if line.split(" ")[0] == name]
        assert line.endswith("  " + preset.summary)
        if name in PARAMETERS:
            assert line.split()[1] == f"{PARAMETERS[name][1]:,}"
    text = " ".join(" ".join(lines).split())
    assert all(f"from {preset.source}" in text for preset in PRESETS.values())
