"""The prompts that were entered, kept across restarts: a small JSON file beside what else the playground remembers."""

from __future__ import annotations

import json
import threading
from pathlib import Path

from gpt_tui.core.errors import GptTuiError
from gpt_tui.core.files import read_small, replace_whole

KEPT = 100
LONGEST = 20_000  # characters of a prompt that is kept; a whole book would be read again at every start
_MAX_BYTES = 16 << 20


class PromptHistory:
    """folder: where it is kept. What cannot be read or written there is forgotten with the program."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._prompts: list[str] | None = None  # the latest last; None before they are wanted
        self._writing = threading.Lock()

    def __len__(self) -> int:
        return len(self._known)

    def __getitem__(self, at: int) -> str:
        """From the oldest on."""
        return self._known[at]

    @property
    def _known(self) -> list[str]:
        if self._prompts is None:
            self._prompts = _load(self._folder)
        return self._prompts

    def add(self, prompt: str) -> None:
        """Remember one that was entered, unless it is the one before again; it is written down beside the screen."""
        if not prompt or len(prompt) > LONGEST or [prompt] == self._known[-1:]:
            return
        self._prompts = _with(self._known, prompt)
        threading.Thread(target=self._keep, args=(prompt,), name="gpt-tui prompts", daemon=True).start()

    def _keep(self, prompt: str) -> None:
        """After what is kept by now: another playground may have entered some."""
        with self._writing:
            try:
                self._folder.mkdir(parents=True, exist_ok=True)
                kept = _with(_load(self._folder), prompt)
                replace_whole(_place(self._folder), json.dumps({"prompts": kept}).encode())
            except OSError:
                pass  # a read-only home is no reason not to speak


def _place(folder: Path) -> Path:
    return folder / "prompts.json"


def _with(prompts: list[str], prompt: str) -> list[str]:
    return prompts if [prompt] == prompts[-1:] else [*prompts, prompt][-KEPT:]


def _load(folder: Path) -> list[str]:
    """What was kept there; a missing or broken file counts as none."""
    try:
        kept = json.loads(read_small(_place(folder), _MAX_BYTES))
    except (OSError, GptTuiError, ValueError, RecursionError):
        return []
    prompts = kept.get("prompts") if isinstance(kept, dict) else None
    return [prompt for prompt in prompts if isinstance(prompt, str)][-KEPT:] if isinstance(prompts, list) else []
