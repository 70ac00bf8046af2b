"""A preset of one's own on the command line: asked for, listed, completed, and told of where it is broken."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from program import run


@pytest.fixture
def place(tmp_path: Path) -> Path:
    folder = tmp_path / "presets"
    folder.mkdir()
    (folder / "night.toml").write_text('summary = "for a night"\n[model]\nn_layer = 6\n[data]\ndataset = "masque"\n')
    (folder / "typo.toml").write_text("[model]\nn_layr = 3\nn_head = 0\n")
    return tmp_path


def test_it_sets_its_fields_and_says_where_they_come_from(place: Path) -> None:
    done = run(place, "--preset", "night", "--print-config", "--n-head", "2")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert next(line for line in lines if line.startswith("n_layer")).endswith(
        f"# preset night, {place / 'presets' / 'night.toml'}"
    )
    assert next(line for line in lines if line.startswith("n_head")).endswith("# flag --n-head")
    assert next(line for line in lines if line.startswith("batch_size")).endswith("# default")


def test_config_reads_its_file_too(place: Path) -> None:
    done = run(place, "--config", str(place / "presets" / "night.toml"), "--print-config")
    assert "n_layer = 6 " in done.stdout
    assert done.stderr == ""


def test_a_broken_one_is_refused_by_name_and_stops_no_other(place: Path) -> None:
    done = run(place, "--headless", "--preset", "typo")
    assert done.returncode == 2
    path = place / "presets" / "typo.toml"
    assert f"{path}: model.n_layr = 3: there is no such field; did you mean n_layer?" in done.stderr
    assert f"{path}: model.n_head = 0: must be a whole number from 1 to 1,024" in done.stderr
    assert run(place, "--preset", "quick", "--print-config").returncode == 0


def test_the_list_has_it_and_tells_of_a_broken_one(place: Path) -> None:
    done = run(place, "presets")
    assert done.returncode == 0
    assert "for a night" in done.stdout
    assert f"your own, {place}" in " ".join(done.stdout.split())
    told = done.stdout[done.stdout.index("typo is broken") :]
    assert "there is no such field" in " ".join(told.split())
    listed = run(place, "presets", "--json")
    night = json.loads(listed.stdout)[-1]
    assert night["name"] == "night"
    assert night["source"] == f"own, {place / 'presets' / 'night.toml'}"
    assert night["config"]["model"]["n_layer"] == 6
    assert night["parameters"] == 1_196_416  # 6 × 12 × 128², two tables of 65 × 128, and 128
    assert "typo.toml" in listed.stderr


def test_shapes_walks_it(place: Path) -> None:
    done = run(place, "shapes", "--preset", "night", "--json")
    assert json.loads(done.stdout)["preset"] == "night"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--preset", "nigth", "--print-config"], "did you mean night?"),
        (["night"], "is a preset: did you mean --preset night?"),
    ],
)
def test_a_name_that_is_nearly_right_is_answered_with_it(place: Path, arguments: list[str], said: str) -> None:
    done = run(place, *arguments)
    assert done.returncode == 2
    assert said in done.stderr


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash to ask")
def test_bash_completes_it(place: Path) -> None:
    import subprocess

    script = run(place, "completion", "bash").stdout
    (place / "moved" / "presets").mkdir(parents=True)
    (place / "moved" / "presets" / "elsewhere one.toml").write_text("")
    ask = 'COMP_WORDS=(gpt-tui --preset ""); COMP_CWORD=2; _gpt_tui 2>/dev/null; printf "%s\\n" "${COMPREPLY[@]}"'

    def offered(**environ: str) -> list[str]:
        done = subprocess.run(
            ["bash", "-c", f"{script}\n{ask}"], capture_output=True, text=True, timeout=60, check=True, env=environ
        )
        return done.stdout.splitlines()

    assert {"quick", "gpt2-xl", "night", "typo"} <= set(offered(PATH="/usr/bin:/bin"))
    assert "elsewhere one" in offered(PATH="/usr/bin:/bin", GPT_TUI_CONFIG=str(place / "moved" / "config.toml"))
