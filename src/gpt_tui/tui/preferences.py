"""What the playground remembers of the way it was left: view, theme, splits, chart, form. A small JSON file."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from gpt_tui.core.errors import GptTuiError
from gpt_tui.core.files import read_small, replace_whole

LEAST_SHARE, MOST_SHARE = 0.2, 0.8  # of a view's room, for the first of its halves
_MAX_BYTES = 1 << 20


@dataclass(frozen=True)
class Preferences:
    """shares: view -> "across" or "down" -> share of its first half. form: as `SetupView.kept` gives it.

    welcomed: whether the choices of the first start were answered
    """

    view: str = "train"
    theme: str = "gpt-tui-dark"
    compact: bool = False
    smoothing: float = 0.9
    units: str = "steps"
    beside: str = "explanation"
    shares: dict[str, Any] = field(default_factory=dict)
    bell: str = "off"
    form: dict[str, Any] = field(default_factory=dict)
    welcomed: bool = True

    def shares_of(self, view: str) -> dict[str, float]:
        kept = self.shares.get(view)
        found = kept.items() if isinstance(kept, dict) else ()
        return {way: share for way, share in found if way in ("across", "down") and _is_share(share)}


def _is_share(share: object) -> bool:
    return isinstance(share, float) and LEAST_SHARE <= share <= MOST_SHARE


def state_dir() -> Path:
    """The user's state directory; GPT_TUI_STATE_DIR names another."""
    if named := os.environ.get("GPT_TUI_STATE_DIR"):
        return Path(named)
    import platformdirs

    return platformdirs.user_state_path("gpt-tui", appauthor=False)


def ever_kept(folder: Path) -> bool:
    """Whether the playground was ever left before."""
    return (folder / "playground.json").exists()


def load(folder: Path) -> Preferences:
    """What was kept there; a missing or broken file, or a value of another kind, counts as the default."""
    try:
        kept = json.loads(read_small(folder / "playground.json", _MAX_BYTES))
    except (OSError, GptTuiError, ValueError, RecursionError):
        return Preferences()
    if not isinstance(kept, dict):
        return Preferences()
    default = Preferences()
    sound = {
        known.name: kept[known.name]
        for known in fields(Preferences)
        if known.name in kept and type(kept[known.name]) is type(getattr(default, known.name))
    }
    if not 0 <= sound.get("smoothing", 0.0) < 1:
        del sound["smoothing"]
    return Preferences(**sound)


def save(folder: Path, preferences: Preferences) -> None:
    """Write them whole, or leave the file as it was. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    replace_whole(folder / "playground.json", json.dumps(asdict(preferences)).encode())
