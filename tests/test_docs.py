"""The guide says what the program does."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from gpt_tui.tui.key_names import read_key
from gpt_tui.tui.keys import ACTIONS, Action

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("docs/*.md"), ROOT / "README.md"])
OWNERS = {  # of the keys that a page explains; those of the app work everywhere
    "train.md": ("train", "chart", "plot"),
    "setup.md": ("setup", "field", "filter", "dataset"),
    "samples.md": ("samples",),
    "lens.md": ("lens", "rows"),
    "generate.md": ("generate", "text", "sampler"),
    "runs-view.md": ("runs", "rows", "compare", "chart"),
    "playground.md": ("plot", "pane", "setup", "runs"),
    "first-run.md": ("train", "chart", "plot"),
    "README.md": ("train", "chart", "plot"),
}
WHOLE = {  # whose keys the page of a view has to tell of, all of them
    **{page: OWNERS[page] for page in ("train.md", "setup.md", "samples.md", "generate.md")},
    "lens.md": ("lens",),
    "runs-view.md": ("runs", "rows", "compare"),  # the chart's are on the page of Train
}


def test_what_the_guide_has_from_the_program_and_from_measured_runs_is_current() -> None:
    command = [sys.executable, str(ROOT / "tools" / "make_docs.py"), "--check"]
    checked = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)
    assert checked.returncode == 0, checked.stderr


def test_the_table_of_kills_is_the_one_that_was_measured() -> None:
    measured = (ROOT / "benchmarks" / "results" / "crash.txt").read_text(encoding="utf-8")
    assert measured.strip() in (ROOT / "docs" / "promises.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_of_the_guide_leads_somewhere(page: Path) -> None:
    for target, heading in re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]+))?\)", page.read_text(encoding="utf-8")):
        path = page.parent / target if target else page
        assert path.exists(), target
        if heading:
            headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
            assert heading in [re.sub(r"[^\w -]", "", text.lower()).replace(" ", "-") for text in headings], heading


def test_the_contents_of_the_guide_list_every_page_and_no_picture_is_without_one() -> None:
    contents = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    assert [page.name for page in PAGES if page.name != "README.md" and f"]({page.name})" not in contents] == []
    guide = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    assert [picture.name for picture in ROOT.glob("assets/*.png") if f"assets/{picture.name})" not in guide] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_flag_that_the_guide_names_exists(page: Path) -> None:
    from gpt_tui.core.config import FIELDS

    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "src" / "gpt_tui" / "cli").glob("*.py"))
    known = {spec.flag for spec in FIELDS.values()}
    for block in re.findall(r"^.*gpt-tui .*$", page.read_text(encoding="utf-8"), re.MULTILINE):
        for flag in re.findall(r"(?<=\s)(--[a-z][a-z-]+)", block):
            assert flag in known or f'"{flag[2:]}"' in source or f"{flag}" in source, f"{flag} in: {block}"


def test_the_guide_names_every_option_of_the_program() -> None:
    asked = [sys.executable, "-m", "gpt_tui", "--help"]
    told = subprocess.run(asked, capture_output=True, text=True, encoding="utf-8", check=True).stdout
    options = told.partition("\nOptions\n")[2].partition("\nFields")[0]
    guide = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    missing = [name for name in re.findall(r"^  (?:-\w, )?(--[a-z-]+)", options, re.MULTILINE) if name not in guide]
    assert len(options.splitlines()) > 10
    assert not missing


@pytest.mark.parametrize("page", OWNERS)
def test_every_key_in_a_table_of_the_guide_does_what_is_said_there(page: str) -> None:
    known = [action for action in ACTIONS if action.where in (*OWNERS[page], "app")]
    for keys, says in rows_of_keys(page):
        for key in keys:
            does = [action for action in known if read_key(key) in action.keys]
            assert does, f"no action has the key {key}, which {says!r}"
            assert any(begins(says) & begins(f"{action.label} {action.help}") for action in does), (
                f"{key} is said to: {says}; it does: {[action.help for action in does]}"
            )


@pytest.mark.parametrize("page", WHOLE)
def test_the_page_of_a_view_names_a_key_of_all_that_can_be_done_there(page: str) -> None:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    named = {read_key(key) for key in re.findall(r"`([^`\s]+)`", text)}
    missing = [action.name for action in ACTIONS if action.where in WHOLE[page] and not is_named(action, named)]
    assert not missing


def rows_of_keys(page: str) -> list[tuple[list[str], str]]:
    """The keys and what is said of them, of every table of keys; one that is two columns wide has two such a line."""
    path = ROOT / page if page == "README.md" else ROOT / "docs" / page
    found = []
    for table in re.findall(
        r"^\| key \|[^\n]*\n\|[-|]+\n((?:\|[^\n]*\n)+)", path.read_text(encoding="utf-8"), re.MULTILINE
    ):
        for line in table.splitlines():
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            for at in range(0, len(cells) - 1, 3):
                found.append((re.findall(r"`([^`]+)`", cells[at]), " ".join(cells[at + 1 :][:2])))
    assert found, f"{page} has no table of keys"
    return found


def begins(text: str) -> set[str]:
    """How its words begin: "learned" and "learns" are one, and so are "copies" and "copy"."""
    words = re.findall(r"[a-z]{3,}", text.lower().replace("ies ", "y "))
    return {word[:4] for word in words if word not in ("the", "and", "its", "where", "what", "that", "with", "all")}


def is_named(action: Action, named: set[str | None]) -> bool:
    return any(key in named for key in action.keys)
