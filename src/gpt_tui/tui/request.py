"""What the playground is asked to open with: plain data, so that the command line needs no Textual to say it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gpt_tui.core.config import USER_CONFIGURATION, Resolved


@dataclass(frozen=True)
class PlaygroundRequest:
    """One of `open`, `resume` and `fork` at most; none of them opens the form, ready to start.

    resolved:     the configuration and where each value came from
    preset:       the preset it was built on, for the form and the run's default name
    open:         RUN to look at, live in any process or finished
    resume, fork: RUN[@STEP] to go on with at once
    edits:        fields given on the command line: live ones for `resume`, any for `fork`
    ascii:        draw with ASCII characters alone
    first_start:  whether nobody has chosen how to begin here yet; it then offers ways to
    """

    resolved: Resolved
    runs_dir: Path
    preset: str | None = None
    run_name: str | None = None
    open: str | None = None
    resume: str | None = None
    fork: str | None = None
    edits: Mapping[str, Any] = field(default_factory=dict)
    target_loss: float | None = None
    max_seconds: float | None = None
    ascii: bool = False
    first_start: bool = False

    @property
    def open_form(self) -> bool:
        """Whether neither the command line nor the environment says what to train, or which run to look at."""
        named = self.preset or self.open or self.resume or self.fork
        left = ("default", USER_CONFIGURATION)
        return not named and all(origin.startswith(left) for origin in self.resolved.origins.values())
