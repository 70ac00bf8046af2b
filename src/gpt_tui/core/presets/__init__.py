"""Named sets of fields: those that come with the program, and those of a person's own.

    built_in    what a preset is, and the program's own, each with where its figures come from
    shelf       a folder of one's own beside them: found, read, kept

A preset sets only the fields that it names.
"""

from gpt_tui.core.presets.built_in import DEFAULT, PRESETS, Preset, find_preset
from gpt_tui.core.presets.shelf import BrokenPreset, PresetShelf, default_presets_dir

__all__ = ["DEFAULT", "PRESETS", "BrokenPreset", "Preset", "PresetShelf", "default_presets_dir", "find_preset"]
