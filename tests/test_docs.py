"""The guide says what the program does."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("docs/*.md"), ROOT / "README.md"])


def test_what_the_guide_has_from_the_program_and_from_measured_runs_is_current() -> None:
    command = [sys.executable, str(ROOT / "tools" / "make_docs.py"), "--check"]
    checked = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)
    assert checked.returncode == 0, checked.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_of_the_guide_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_flag_that_the_guide_names_exists(page: Path) -> None:
    from gpt_tui.core.config import FIELDS

    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "src" / "gpt_tui" / "cli").glob("*.py"))
    known = {spec.flag for spec in FIELDS.values()}
    for block in re.findall(r"^.*gpt-tui .*$", page.read_text(encoding="utf-8"), re.MULTILINE):
        for flag in re.findall(r"(?<=\s)(--[a-z][a-z-]+)", block):
            assert flag in known or f'"{flag[2:]}"' in source or f"{flag}" in source, f"{flag} in: {block}"
