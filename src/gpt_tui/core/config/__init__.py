"""What a run is told to do: `RunConfig` and its sections, frozen and validated.

This one definition gives the form's rows, the flags, the environment names, the TOML and every refusal. Each field
carries what it is, why one would change it, a safe start, its unit, its bounds and whether it is live (may change
between two steps of a run) or needs a new run.

    sections    the fields themselves
    fields      what is known of a field: its kind, its bounds in words, its flag
    rules       what has to hold between several fields, and which have no effect beside others
    run_config  RunConfig, and the checking of values for it
    layers      where values come from: default, file, preset, environment, flag

Named sets of values live in `core.presets`; what a configuration costs is counted in `core.shapes`.
"""

from gpt_tui.core.config.fields import FIELDS, SECTIONS, FieldSpec, one_of, show_float, show_number
from gpt_tui.core.config.layers import (
    ENVIRONMENT,
    KEYS_TABLE,
    USER_CONFIGURATION,
    Layer,
    Resolved,
    build_kept,
    environment_layer,
    from_sections,
    layer_of,
    parse_toml,
    read_document,
    read_toml,
    resolve,
    user_config_path,
)
from gpt_tui.core.config.rules import RULES, Conflict, Rule, conflicts, idle
from gpt_tui.core.config.run_config import (
    DatasetFacts,
    RunConfig,
    build,
    dataset_faults,
    difference,
    find_faults,
    live_changes,
    own_faults,
    unknown_field,
)
from gpt_tui.core.config.sections import (
    DataConfig,
    ModelConfig,
    OptimizerConfig,
    SamplingConfig,
    TrainingConfig,
)

__all__ = [
    "ENVIRONMENT",
    "FIELDS",
    "KEYS_TABLE",
    "RULES",
    "SECTIONS",
    "USER_CONFIGURATION",
    "Conflict",
    "DataConfig",
    "DatasetFacts",
    "FieldSpec",
    "Layer",
    "ModelConfig",
    "OptimizerConfig",
    "Resolved",
    "Rule",
    "RunConfig",
    "SamplingConfig",
    "TrainingConfig",
    "build",
    "build_kept",
    "conflicts",
    "dataset_faults",
    "difference",
    "environment_layer",
    "find_faults",
    "from_sections",
    "idle",
    "layer_of",
    "live_changes",
    "one_of",
    "own_faults",
    "parse_toml",
    "read_document",
    "read_toml",
    "resolve",
    "show_float",
    "show_number",
    "unknown_field",
    "user_config_path",
]
