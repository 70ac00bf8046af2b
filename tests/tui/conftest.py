"""What the tests of the playground share: a folder for its state, a request, and nothing of the person's terminal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import textual._wait

from gpt_tui.core.config import Layer, resolve
from gpt_tui.tui.app import Playground
from gpt_tui.tui.request import PlaygroundRequest

TEXT = "".join(f"ANNA:\nThe house of Anna is number {n}.\n\nBEN:\nThe river is {n}.\n\n" for n in range(80))
SMALL: dict[str, Any] = {
    "n_layer": 1, "n_head": 2, "n_embd": 16, "block_size": 8, "batch_size": 4, "max_iters": 100000, "warmup_iters": 4,
    "eval_interval": 50, "eval_iters": 2, "max_new_tokens": 20, "threads": 1, "checkpoint_interval": "off",
}  # fmt: skip

# A pilot looks whether the program has come to rest this often, in seconds; Textual's own 1/50 is half of all waiting.
textual._wait.SLEEP_GRANULARITY = 1 / 100
textual._wait.SLEEP_IDLE = 1 / 1000  # of processor time, in one such rest


@pytest.fixture(autouse=True)
def state_dir(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path_factory.mktemp("state")
    monkeypatch.setenv("GPT_TUI_STATE_DIR", str(folder))
    for name in ("NO_COLOR", "SSH_CONNECTION", "SSH_TTY", "VISUAL", "EDITOR"):
        monkeypatch.delenv(name, raising=False)
    return folder


@pytest.fixture(autouse=True)
def views_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """No view is made before somebody goes to it: tests are quicker without, and know what there is."""
    monkeypatch.setattr(Playground, "untouched", 0.0)


@pytest.fixture
def request_for(tmp_path: Path) -> Callable[..., PlaygroundRequest]:
    """Asks for the playground with a small model on a text of its own, with these fields and parts of the request."""
    text = tmp_path / "play.txt"
    text.write_text(TEXT, encoding="utf-8")

    def make(fields: dict[str, Any] | None = None, **more: Any) -> PlaygroundRequest:
        values = {**SMALL, "dataset": str(text), **(fields or {})}
        return PlaygroundRequest(resolve([Layer("test", values)]), tmp_path / "runs", "quick", **more)

    return make
