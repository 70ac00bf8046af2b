"""The command line without training: what is read, refused, told and completed."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any, BinaryIO, cast

import pytest

from gpt_tui import cli
from gpt_tui.cli import main
from gpt_tui.cli.arguments import COMMANDS, MAIN, parse
from gpt_tui.console import Column, Console, Output, cut, display_width, printable, table
from gpt_tui.core.config import FIELDS, RunConfig
from patience import PATIENCE
from program import command, environment, run

# An interrupt -----------------------------------------------------------------------------------------------------

INTERRUPTED_AT = """
import os, signal, sys
from gpt_tui.__main__ import run

class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == at:
            os.kill(os.getpid(), signal.SIGINT)

at = sys.argv.pop(1)
sys.meta_path.insert(0, Interrupting())
run()
"""


@pytest.mark.skipif(os.name == "nt", reason="there is no such signal to send")
@pytest.mark.parametrize("module", ["gpt_tui.cli", "gpt_tui.cli.arguments", "pydantic_core"])
def test_an_interrupt_while_the_program_is_loaded_leaves_in_silence(module: str, tmp_path: Path) -> None:
    line = [sys.executable, "-c", INTERRUPTED_AT, module, "--headless", "--max-iters", "1", "--dataset", "masque"]
    done = subprocess.run(line, capture_output=True, text=True, check=False, env=environment(tmp_path))
    assert (done.returncode, done.stderr, done.stdout) == (130, "", "")


def test_an_interrupt_that_came_out_as_another_error_is_no_defect(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def open_door(*arguments: object) -> int:
        raise RuntimeError("a class could not be made") from KeyboardInterrupt()

    monkeypatch.setattr(cli, "_open_door", open_door)
    assert main(["presets"]) == 130
    assert capsys.readouterr().err == "gpt-tui: interrupted\n"


# Reading ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spelling", [["--n-layer", "6"], ["--n-layer=6"], ["--n_layer=6"], ["--n_layer", "6"]])
def test_a_field_may_be_spelled_in_every_usual_way(spelling: list[str]) -> None:
    arguments = parse(spelling)
    assert (arguments.fields(), arguments.faults) == ({"n_layer": "6"}, [])


@pytest.mark.parametrize("value", ["-1e-3", "-", "-x", "", "a=b", "- a line"])
def test_a_value_may_begin_with_a_dash_or_be_empty(value: str) -> None:
    assert parse(["--prompt", value]).fields() == {"prompt": value}
    assert parse([f"--prompt={value}"]).fields() == {"prompt": value}


def test_a_value_with_two_dashes_needs_the_equals_sign() -> None:
    assert parse(["--prompt=--json"]).fields() == {"prompt": "--json"}
    arguments = parse(["--prompt", "--json"])
    assert [str(fault) for fault in arguments.faults] == ["--prompt: needs a value: text of up to 4,096 characters"]
    assert "json" in arguments


def test_every_field_has_a_flag() -> None:
    assert {option.spec.name for option in MAIN.options if option.spec} == set(FIELDS)


def test_names_are_never_abbreviated() -> None:
    assert "did you mean --n-layer?" in str(parse(["--n-laye", "6"]).faults[0])


def test_the_last_of_a_repeated_flag_counts() -> None:
    assert parse(["--n-layer", "2", "--n-layer", "4"]).fields() == {"n_layer": "4"}


# Refusals --------------------------------------------------------------------------------------------------------


def test_everything_wrong_is_told_at_once_and_nothing_is_written(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        "--headless", "--n-layr", "6", "--learning-rate", "fast", "--n-head", "0", "--json=3", "--bias",
        "--target-loss", "nan", "--max-seconds", "-5", "--preset", "quik", "--config", "absent.toml", "surplus",
        "--dataset", "shakespere",
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert all(line.startswith("gpt-tui: ") for line in lines)
    told = {line.removeprefix("gpt-tui: ").split(" ")[0].rstrip(":") for line in lines}
    assert told == {
        "--n-layr", "--learning-rate", "--n-head", "--json", "--bias", "--target-loss", "--max-seconds", "--preset",
        "absent.toml", "surplus", "dataset",
    }  # fmt: skip
    assert "did you mean --n-layer?" in done.stderr
    assert "did you mean quick?" in done.stderr
    assert "Did you mean shakespeare?" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_rules_over_several_fields_are_refused_with_what_would_do(tmp_path: Path) -> None:
    done = run(tmp_path, "--headless", "--n-embd=100", "--n-head=3", "--warmup-iters=500", "--max-iters=100")
    assert done.returncode == 2
    assert "--n-embd = 100: must be divisible by n_head = 3" in done.stderr
    assert "--warmup-iters = 500: must not be more than max_iters = 100" in done.stderr


def test_a_preset_that_does_not_exist_blames_no_other_field(tmp_path: Path) -> None:
    done = run(tmp_path, "--headless", "--preset", "nanogpt-cpuu", "--n-head", "5")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1


def test_the_environment_and_a_file_are_named_where_their_value_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text("[model]\nn_layer = 0\n[modell]\n[optimizer]\nbeta3 = 1\n")
    done = run(tmp_path, "--headless", "--config", str(tmp_path / "mine.toml"), GPT_TUI_MAX_ITERS="many")
    assert done.returncode == 2
    assert "GPT_TUI_MAX_ITERS = many" in done.stderr
    assert "[modell]: there is no such table" in done.stderr
    assert "did you mean beta1?" in done.stderr or "did you mean beta2?" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--json"], "--json: needs --headless"),
        (["rnus"], "did you mean runs?"),
        (["runs", "shw"], "did you mean show?"),
        (["sample"], "sample: needs RUN[@STEP]"),
        (["--headless", "--resume", "a", "--fork", "b"], "cannot be given with --resume"),
        (["--headless", "--resume", "absent"], "--resume = absent: there are no runs in"),
        (["--headless", "--run-name", "../x"], "--run-name = ../x: must not hold /"),
        (["--headless", "--runs-dir", ""], "--runs-dir = : must be the path of a folder"),
        (["sample", "absent", "--num-samples", "0", "--temperature", "-1"], "--num-samples = 0"),
        (["sample", "absent", "--num-samples", "0", "--temperature", "-1"], "--temperature = -1"),
        (["completion", "tcsh"], "must be bash, zsh or fish"),
        (["runs", "rm"], "runs rm: needs RUN…"),
        (["datasets", "show", "/no/such/file"], "nor an existing path"),
        (["--headless", "--dataset", "~nobody-has-this-name/x"], "dataset = ~nobody-has-this-name/x: cannot be read"),
        (["runs", "show", "x", "--runs-dir", "~nobody-has-this-name"], "there are no runs in"),
        (["runs", "export", "x", "--csv", "~nobody-has-this-name/x.csv"], "there is no folder ~nobody-has-this-name"),
        (["--headless", "--max-iters", "5"], "not be more than max_iters = 5, or it never ends; --warmup-iters 0 does"),
        ([], "needs a terminal"),
    ],
)
def test_a_wrong_request_is_a_sentence(arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert told in err
    assert all(line.startswith("gpt-tui: ") for line in err.splitlines())
    assert out == ""


def test_an_unforeseen_error_is_one_sentence_and_a_file(tmp_path: Path) -> None:
    broken = (
        "import gpt_tui.core.presets as p; p.PRESETS['quick'] = None; import gpt_tui.cli; gpt_tui.cli.main(['presets'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", broken],
        capture_output=True,
        text=True,
        check=False,
        env=environment(tmp_path),
        timeout=60,
    )
    assert len(done.stderr.splitlines()) == 1
    kept = Path(done.stderr.rstrip().rpartition(" ")[2])
    assert "AttributeError" in kept.read_text(encoding="utf-8")
    shown = subprocess.run(
        [sys.executable, "-c", broken],
        capture_output=True, text=True, check=False, env=environment(tmp_path, GPT_TUI_DEBUG="1"), timeout=60,
    )  # fmt: skip
    assert "Traceback" in shown.stderr


# Where values come from ------------------------------------------------------------------------------------------


def test_a_stronger_source_overrides_a_weaker_one(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("[training]\nseed = 1\nbatch_size = 2\nmax_iters = 222\neval_iters = 22\n")
    (tmp_path / "given.toml").write_text("[training]\nseed = 3\nmax_iters = 333\neval_iters = 33\n")
    done = run(
        tmp_path, "--print-config", "--preset", "nanogpt-cpu", "--config", str(tmp_path / "given.toml"), "--seed", "5",
        GPT_TUI_SEED="4", GPT_TUI_EVAL_ITERS="44", GPT_TUI_NO_SUCH_FIELD="1",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = {line.split(" = ")[0]: line for line in done.stdout.splitlines() if " = " in line}
    found = {name: " ".join(lines[name].partition("  #")[2].split()) for name in lines}
    values = tomllib.loads(done.stdout)["training"]
    assert (values["seed"], found["seed"]) == (5, "flag --seed")
    assert (values["eval_iters"], found["eval_iters"]) == (44, "environment GPT_TUI_EVAL_ITERS")
    assert (values["max_iters"], found["max_iters"]) == (333, f"--config {tmp_path / 'given.toml'}")
    assert (values["batch_size"], found["batch_size"]) == (12, "preset nanogpt-cpu")
    assert (values["threads"], found["threads"]) == ("auto", "default")
    (tmp_path / "config.toml").write_text("[training]\nthreads = 1\n")
    done = run(tmp_path, "--print-config")
    assert f"user configuration {tmp_path / 'config.toml'}" in done.stdout


def test_what_print_config_prints_gives_the_same_configuration_back(tmp_path: Path) -> None:
    odd = [
        "--prompt",
        'a "quoted" \\ # ü\u2028line',
        "--lr-decay-iters",
        "9000",
        "--top-k",
        "off",
        "--learning-rate",
        "3e-5",
    ]
    first = run(tmp_path, "--print-config", "--preset", "shakespeare-6x6", *odd)
    (tmp_path / "again.toml").write_text(first.stdout, encoding="utf-8")
    second = run(tmp_path, "--print-config", "--config", str(tmp_path / "again.toml"))
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert tomllib.loads(first.stdout) == tomllib.loads(second.stdout)
    assert tomllib.loads(first.stdout)["optimizer"]["learning_rate"] == 3e-5


def test_without_anything_given_the_configuration_is_the_default(tmp_path: Path) -> None:
    assert tomllib.loads(run(tmp_path, "--print-config").stdout) == RunConfig().sections()


# Help and lists --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_every_command_names_all_its_options_within_80_columns(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    assert main([*name.split(), "--help"]) == 0
    text = capsys.readouterr().out
    assert all(option.flag in text for option in COMMANDS[name].options)
    assert max(map(len, text.splitlines())) <= 80
    assert "\x1b" not in text


def test_the_help_of_a_field_says_what_it_takes_and_its_default(tmp_path: Path) -> None:
    text = " ".join(run(tmp_path, "--help").stdout.split())
    for spec in FIELDS.values():
        assert f"{spec.help} [{spec.allowed}; default {spec.show(spec.default) or 'empty'}" in text, spec.name


def test_the_help_is_as_narrow_as_the_terminal(tmp_path: Path) -> None:
    done = run(tmp_path, "--help", COLUMNS="40")
    long_flags = [line for line in done.stdout.splitlines() if len(line) > 40]
    assert all(line.strip().startswith(("--", "gpt-tui", "Usage")) for line in long_flags)


def test_presets_as_json_are_complete(tmp_path: Path) -> None:
    presets = json.loads(run(tmp_path, "presets", "--json").stdout)
    assert next(preset["name"] for preset in presets) == "quick"
    assert all(
        list(preset) == ["name", "summary", "source", "vocab_size", "parameters", "config"] for preset in presets
    )
    nanogpt = next(preset for preset in presets if preset["name"] == "nanogpt-cpu")
    assert nanogpt["parameters"] - 64 * 128 == 795_904  # nanoGPT leaves out the positions: "0.80M"
    assert set(nanogpt["config"]) == {"model", "data", "optimizer", "training", "sampling"}


def test_a_dataset_is_explained(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("abracadabra, " * 40, encoding="utf-8")
    done = run(tmp_path, "datasets", "show", str(tmp_path / "text.txt"))
    assert done.returncode == 0, done.stderr
    assert "uniform" in done.stdout
    record = json.loads(run(tmp_path, "datasets", "show", str(tmp_path / "text.txt"), "--json").stdout)
    assert (record["characters"], len(record["vocabulary"])) == (520, 7)
    cleaned = run(tmp_path, "datasets", "clean")
    assert cleaned.returncode == 0
    assert list((tmp_path / "cache").glob("**/*.json")) == []


def test_the_doctor_says_what_is_wrong_and_how_to_mend_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "config.toml").write_text("[training]\nmax_iter = 3\n")
    done = run(tmp_path, "doctor", "--json", "--runs-dir", str(tmp_path / "file" / "runs"))
    assert done.returncode == 1
    record = json.loads(done.stdout)
    assert record["runs"]["writable"] is False
    assert record["cache"]["writable"] is True
    problems = " ".join(record["problems"])
    assert "GPT_TUI_RUNS_DIR" in problems
    assert "did you mean max_iters?" in problems
    assert not (tmp_path / "cache").exists()


def test_the_doctor_says_where_the_playground_keeps_how_it_was_left(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no directory")
    there = tmp_path / "file" / "state"
    done = run(tmp_path, "doctor", "--json", GPT_TUI_STATE_DIR=str(there))
    record = json.loads(done.stdout)
    assert record["playground"] == {"path": str(there), "writable": False}
    assert any("GPT_TUI_STATE_DIR" in problem for problem in record["problems"])


def test_the_doctor_tells_which_chosen_keys_hold_and_headless_passes_them_over(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('[keys.app]\nstart = "F5"\nstop = "w"\n[training]\nmax_iters = 300\n')
    record = json.loads(run(tmp_path, "doctor", "--json").stdout)
    assert record["configuration"]["keys"] == {"app.start": "F5"}
    assert [problem for problem in record["problems"] if "keys.app.stop" in problem and "app.save" in problem]
    printed = run(tmp_path, "--print-config")
    assert printed.returncode == 0
    assert "max_iters = 300" in printed.stdout


# Completion ------------------------------------------------------------------------------------------------------


def complete_in_bash(place: Path, *words: str) -> set[str]:
    """What bash offers after these words, the last of which is being written."""
    script = place / "completion.bash"
    if not script.exists():
        script.write_text(run(place, "completion", "bash").stdout, encoding="utf-8")
    ask = 'source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _gpt_tui; printf "%s\\n" "${COMPREPLY[@]}"'
    done = subprocess.run(
        ["bash", "--norc", "-c", ask, str(script), "gpt-tui", *words],
        capture_output=True, text=True, check=False, env=environment(place), cwd=place, timeout=PATIENCE,
    )  # fmt: skip
    assert done.stderr == "" or "compopt" in done.stderr  # which has nothing to act on outside a real completion
    return set(done.stdout.split("\n")) - {""}


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash to complete in")
def test_bash_completes_commands_flags_and_values(tmp_path: Path) -> None:
    (tmp_path / "runs" / "my run").mkdir(parents=True)
    (tmp_path / "play.txt").write_text("text")
    assert complete_in_bash(tmp_path, "ru") == {"runs"}
    assert complete_in_bash(tmp_path, "runs", "") == {"show", "verify", "rm", "export"}
    assert complete_in_bash(tmp_path, "runs", "show", "--") == {"--runs-dir", "--json", "--help"}
    assert complete_in_bash(tmp_path, "runs", "rm", "m") == {"my run"}
    assert complete_in_bash(tmp_path, "--headless", "--n-l") == {"--n-layer"}
    assert complete_in_bash(tmp_path, "--headless", "--preset", "nano") == {"nanogpt-cpu", "nanogpt-gpu"}
    assert complete_in_bash(tmp_path, "--lr_schedule", "co") == {"constant", "cosine"}
    assert complete_in_bash(tmp_path, "--lr-schedule", "=", "co") == {"constant", "cosine"}
    assert complete_in_bash(tmp_path, "--bias", "") == {"true", "false"}
    assert complete_in_bash(tmp_path, "--dataset", "pl") == {"play.txt"}
    assert complete_in_bash(tmp_path, "--dataset", "m") == {"masque"}
    assert complete_in_bash(tmp_path, "sample", "la") == {"latest"}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_gets_every_command_and_flag(shell: str, tmp_path: Path) -> None:
    script = run(tmp_path, "completion", shell).stdout
    for name in COMMANDS:
        assert name in script
    for option in MAIN.options:
        assert (f"-l {option.name} " if shell == "fish" else option.flag) in script
    if (program := shutil.which(shell)) is not None:
        assert subprocess.run([program, "-n"], input=script, text=True, check=False, timeout=PATIENCE).returncode == 0


# What is printed -------------------------------------------------------------------------------------------------


def test_control_characters_are_made_visible_and_lines_kept() -> None:
    assert printable("a\x1b[31m\tb\n\x07\udc80\r") == "a\\x1b[31m\tb\n\\x07\\udc80\\r"


def test_text_is_cut_by_the_columns_that_it_takes() -> None:
    assert display_width("日本e\u0301") == 5
    assert cut("日本語", 5) == "日本…"
    assert cut("abc", 3) == "abc"


def test_a_stream_that_nobody_reads_any_more_stops_nothing() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w", encoding="utf-8") as stream:
        console = Console(stream, None)
        console.data("lost " * 100_000)
        console.data("more")
        assert console.out.gone
        assert console.out.lost is None


class HalfHearted(io.RawIOBase):
    """Takes a few bytes at a time, as a full pipe does when a signal comes."""

    def __init__(self) -> None:
        self.taken = b""

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.taken += bytes(data[:3])
        return min(3, len(data))


def test_a_stream_without_a_buffer_gets_all_of_every_line() -> None:
    raw = HalfHearted()
    stream = io.TextIOWrapper(cast("BinaryIO", raw), encoding="utf-8", write_through=True)
    console = Console(stream, None)
    console.json_line('{"event": "step"}')
    console.data("first and second")
    assert raw.taken == b'{"event": "step"}\nfirst and second\n'


def test_a_stream_whose_reader_left_before_all_was_written_stops_nothing() -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "w", encoding="utf-8") as stream:
        stream.write("held back")
        os.close(reading)
        console = Console(stream, None)
        console.data("more")
        assert console.out.gone


def test_a_terminal_that_knows_few_characters_gets_escapes() -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "w", encoding="ascii") as stream:
        Console(stream, None).data("ü \udcff")
    assert os.read(reading, 100) == b"\\xfc \\udcff\n"
    os.close(reading)


def test_a_closed_standard_output_is_no_error(tmp_path: Path) -> None:
    shell = " ".join(f"'{word}'" for word in command("--version"))
    for redirection in (">&-", "| true", "2>&-"):
        done = subprocess.run(
            ["sh", "-c", f"{shell} {redirection}"],
            capture_output=True, text=True, check=False, env=environment(tmp_path), timeout=60,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device that is always full")
def test_a_full_disk_behind_standard_output_is_told(tmp_path: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            command("presets", "--json"), stdout=full, stderr=subprocess.PIPE, env=environment(tmp_path), timeout=60,
            text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith("gpt-tui: standard output cannot be written any more")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.skipif(os.name == "nt", reason="there is no pseudo-terminal to print to")
def test_a_table_fits_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    import pty

    columns = (Column("name"), Column("state", keep=5), Column("created", keep=1))
    rows = [("a-very-long-name-of-a-run-that-nobody-reads", "finished", "2026-11-20 07:45")]
    ours, theirs = pty.openpty()
    monkeypatch.setenv("COLUMNS", "30")
    monkeypatch.setenv("TERM", "xterm")
    with os.fdopen(theirs, "w", encoding="utf-8") as stream:
        narrow = table(columns, rows, Output(stream))
    os.close(ours)
    plain = narrow.replace("\x1b[1m", "").replace("\x1b[0m", "")
    assert max(map(display_width, plain.splitlines())) <= 30
    assert "finished" in plain
    assert "created" not in plain
    assert rows[0][0] in table(columns, rows, Output(None))
