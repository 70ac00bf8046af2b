"""What a run is called after its preset."""

from __future__ import annotations

from gpt_tui.core.config import RunConfig
from gpt_tui.core.presets import PRESETS, Preset


def preset_name(preset: Preset | str, config: RunConfig) -> str:
    """The preset's name, and whether fields that it sets are others in `config`.

    preset: itself, or its name; of one's own that is known by its name alone nothing more can be said.
    """
    known = PRESETS.get(preset) if isinstance(preset, str) else preset
    if known is None:
        return str(preset)
    changed = any(config.get(name) != value for name, value in known.values.items())
    return f"{known.name}, changed" if changed else known.name
