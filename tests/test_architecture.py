"""The walls of the house hold: as import contracts, and as what the running program really imports."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

REPORT = """
import json, sys
{work}
heavy = ("torch", "textual", "rich", "numpy")
print("IMPORTED " + json.dumps([name for name in heavy if name in sys.modules]), file=sys.stderr)
"""


def imported_by(work: str) -> list[str]:
    """Which of the heavy packages a fresh Python has imported after this code."""
    done = subprocess.run(
        [sys.executable, "-c", REPORT.format(work=work)], capture_output=True, text=True, timeout=120, check=False
    )
    lines = [line for line in done.stderr.splitlines() if line.startswith("IMPORTED ")]
    assert lines, done.stderr
    return list(json.loads(lines[-1].removeprefix("IMPORTED ")))


def program(*arguments: str) -> str:
    return f"from gpt_tui.cli import main\nassert main({list(arguments)!r}) == 0"


def test_every_import_contract_is_kept() -> None:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    done = subprocess.run(
        command,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env={**os.environ, "COLUMNS": "120"},
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("--help",),
        ("runs",),
        ("runs", "--json"),
        ("runs", "verify"),
        ("presets",),
        ("datasets",),
        ("--print-config",),
        ("shapes", "--drawing"),
        ("sample", "--help"),
    ],
    ids=" ".join,
)
def test_what_only_tells_imports_neither_torch_nor_a_screen(arguments: tuple[str, ...]) -> None:
    assert not {"torch", "textual", "rich"} & set(imported_by(program(*arguments)))


def test_the_version_is_told_without_importing_anything_heavy() -> None:
    assert imported_by(program("--version")) == []


def test_no_module_of_core_imports_a_screen() -> None:
    work = (
        "import importlib, pkgutil, gpt_tui.core\n"
        "for module in pkgutil.walk_packages(gpt_tui.core.__path__, 'gpt_tui.core.'):\n"
        "    importlib.import_module(module.name)"
    )
    assert not {"textual", "rich"} & set(imported_by(work))


def test_what_is_kept_can_be_read_without_torch() -> None:
    assert "torch" not in imported_by("import gpt_tui.core.runs, gpt_tui.core.data, gpt_tui.core.session")


def test_headless_needs_no_screen_and_no_torch_to_start() -> None:
    assert not {"torch", "textual", "rich"} & set(imported_by("import gpt_tui.headless"))


def test_what_threads_import_of_data_they_import_from_the_package() -> None:
    """One that asks for a module within, while another is loading the package, may be given a package half made."""
    source = ROOT / "src" / "gpt_tui"
    within = re.compile(r"from gpt_tui\.core\.data\.\w+ import")
    found = {path for path in source.rglob("*.py") if within.search(path.read_text(encoding="utf-8"))}
    assert found
    assert {path for path in found if source / "core" / "data" not in path.parents} == set()
