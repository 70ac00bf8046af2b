"""The prompts that were entered are kept across restarts, a hundred at most, whatever has become of their file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gpt_tui.tui.prompt_history import KEPT, LONGEST, PromptHistory
from patience import until


def kept(folder: Path) -> Any:
    """What is in the file; nothing while there is none of ours."""
    try:
        return json.loads((folder / "prompts.json").read_text())["prompts"]
    except (OSError, ValueError, TypeError):
        return []


def entered(folder: Path, *prompts: str) -> PromptHistory:
    """A playground in which these were entered, and have come to the disk."""
    history = PromptHistory(folder)
    for prompt in prompts:
        history.add(prompt)
        until(lambda prompt=prompt: kept(folder) and kept(folder)[-1] == prompt)
    return history


def test_what_was_entered_is_there_at_the_next_start(tmp_path: Path) -> None:
    folder = tmp_path / "not" / "yet"
    history = entered(folder, "ROMEO:", "zwei\nZeilen, größer")
    assert list(history) == list(PromptHistory(folder)) == ["ROMEO:", "zwei\nZeilen, größer"]


def test_the_same_twice_in_a_row_and_none_at_all_are_not_kept(tmp_path: Path) -> None:
    history = entered(tmp_path, "a", "b")
    for prompt in ("b", "", "x" * (LONGEST + 1)):
        history.add(prompt)
    entered(tmp_path, "a")
    assert list(history) == ["a", "b"]
    assert list(PromptHistory(tmp_path)) == ["a", "b", "a"]


def test_the_hundred_latest_are_kept(tmp_path: Path) -> None:
    many = [f"prompt {number}" for number in range(KEPT)]
    (tmp_path / "prompts.json").write_text(json.dumps({"prompts": many}))
    history = entered(tmp_path, "one more")
    assert list(history) == list(PromptHistory(tmp_path)) == [*many[1:], "one more"]


def test_two_playgrounds_add_to_the_same(tmp_path: Path) -> None:
    one, two = entered(tmp_path, "first"), entered(tmp_path, "second")
    one.add("third")
    until(lambda: kept(tmp_path) == ["first", "second", "third"])
    assert list(one) == ["first", "third"]
    assert list(two) == ["first", "second"]


@pytest.mark.parametrize("content", ["", "{", "[1]", '{"prompts": 0}', '{"prompts": [1, null]}', "\0"])
def test_a_file_that_is_none_of_ours_counts_as_empty_and_is_written_anew(tmp_path: Path, content: str) -> None:
    (tmp_path / "prompts.json").write_text(content)
    assert list(PromptHistory(tmp_path)) == []
    entered(tmp_path, "a")
    assert list(PromptHistory(tmp_path)) == ["a"]


def test_a_folder_that_cannot_be_is_no_reason_not_to_remember_until_the_end(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    history = PromptHistory(tmp_path / "file")
    history.add("a")
    assert list(history) == ["a"]
