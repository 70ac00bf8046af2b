"""What a run is called after its preset."""

from __future__ import annotations

from functools import lru_cache

from gpt_tui.core.config import RunConfig
from gpt_tui.core.presets import find_preset


def preset_name(preset: str, config: RunConfig) -> str:
    """The preset's name, and whether fields that it sets are others in `config`."""
    base = _config(preset)
    changed = any(config.get(name) != base.get(name) for name in find_preset(preset).values)
    return f"{preset}, changed" if changed else preset


@lru_cache(maxsize=16)
def _config(preset: str) -> RunConfig:
    return find_preset(preset).config()
