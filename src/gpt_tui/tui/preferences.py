"""What the playground remembers of the way it was left: view, theme, density, the chart's axis. A small JSON file."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from gpt_tui.core.runs.files import replace_whole


@dataclass(frozen=True)
class Preferences:
    view: str = "train"
    theme: str = "gpt-tui-dark"
    compact: bool = False
    smoothing: float = 0.9
    units: str = "steps"
    beside: str = "explanation"


def state_dir() -> Path:
    """The user's state directory; GPT_TUI_STATE_DIR names another."""
    if named := os.environ.get("GPT_TUI_STATE_DIR"):
        return Path(named)
    import platformdirs

    return platformdirs.user_state_path("gpt-tui", appauthor=False)


def load(folder: Path) -> Preferences:
    """What was kept there; a missing or broken file, or a value of another kind, counts as the default."""
    try:
        kept = json.loads((folder / "playground.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return Preferences()
    if not isinstance(kept, dict):
        return Preferences()
    default = Preferences()
    sound = {
        field.name: kept[field.name]
        for field in fields(Preferences)
        if field.name in kept and type(kept[field.name]) is type(getattr(default, field.name))
    }
    if not 0 <= sound.get("smoothing", 0.0) < 1:
        del sound["smoothing"]
    return Preferences(**sound)


def save(folder: Path, preferences: Preferences) -> None:
    """Write them whole, or leave the file as it was. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    replace_whole(folder / "playground.json", json.dumps(asdict(preferences)).encode())
