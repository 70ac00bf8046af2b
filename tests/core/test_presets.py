"""The presets: what their sources publish, and that each is a whole and distinct way to train."""

from __future__ import annotations

import pytest

from gpt_tui.core import shapes
from gpt_tui.core.config import FIELDS, Layer, RunConfig, resolve
from gpt_tui.core.errors import Refusal
from gpt_tui.core.presets import DEFAULT, PRESETS, Preset, find_preset

# As published with the models themselves, at a vocabulary of 65.
PUBLISHED = {"nanogpt-cpu": 804_096, "nanogpt-gpu": 10_745_088, "lecture-colab": 209_729, "shakespeare-6x6": 10_788_929}


@pytest.mark.parametrize(("name", "parameters"), PUBLISHED.items())
def test_a_preset_has_as_many_parameters_as_its_source_says(name: str, parameters: int) -> None:
    preset = find_preset(name)
    assert preset.vocab_size == 65
    assert shapes.parameters(preset.config().model, preset.vocab_size) == parameters


@pytest.mark.parametrize("preset", PRESETS.values(), ids=list(PRESETS))
def test_a_preset_is_valid_and_says_where_it_comes_from(preset: Preset) -> None:
    config = preset.config()
    assert preset.summary
    assert preset.source
    assert all(config.get(name) == value for name, value in preset.values.items())
    assert resolve([preset.layer()]).origins["n_layer"] == f"preset {preset.name}"


def test_the_default_preset_is_what_the_fields_default_to() -> None:
    assert find_preset(DEFAULT).config() == RunConfig()


def test_every_preset_names_the_same_fields_so_that_nothing_of_another_is_left_behind() -> None:
    assert {frozenset(preset.values) for preset in PRESETS.values()} == {frozenset(PRESETS[DEFAULT].values)}
    every_model_field = {name for name, spec in FIELDS.items() if spec.section == "model"}
    assert every_model_field <= set(PRESETS[DEFAULT].values)


def test_a_preset_sets_only_the_fields_that_it_names() -> None:
    file = Layer("mine.toml", {"seed": 7, "n_layer": 9})
    config = resolve([file, PRESETS["nanogpt-cpu"].layer()]).config
    assert config.training.seed == 7
    assert config.model.n_layer == 4


def test_nanogpt_s_and_the_lecture_s_training_is_as_they_print_it() -> None:
    cpu, gpu = PRESETS["nanogpt-cpu"].config(), PRESETS["nanogpt-gpu"].config()
    for config, decay in ((cpu, 2000), (gpu, 5000)):
        assert (config.optimizer.learning_rate, config.optimizer.min_lr) == (1e-3, 1e-4)
        assert (config.optimizer.warmup_iters, config.optimizer.lr_schedule) == (100, "cosine")
        assert (config.optimizer.beta1, config.optimizer.beta2, config.optimizer.weight_decay) == (0.9, 0.99, 0.1)
        assert config.optimizer.grad_clip == 1.0
        assert config.training.max_iters == config.decay_iters == decay
        assert config.model.tied_head
        assert not config.model.bias
    assert (cpu.training.batch_size, cpu.model.block_size, cpu.model.dropout) == (12, 64, 0.0)
    assert (gpu.training.batch_size, gpu.model.block_size, gpu.model.dropout) == (64, 256, 0.2)
    colab, large = PRESETS["lecture-colab"].config(), PRESETS["shakespeare-6x6"].config()
    assert (colab.training.batch_size, colab.model.block_size, colab.optimizer.learning_rate) == (16, 32, 1e-3)
    assert (large.training.batch_size, large.model.block_size, large.optimizer.learning_rate) == (64, 256, 3e-4)
    for config in (colab, large):
        assert config.optimizer.lr_schedule == "constant"
        assert config.training.max_iters == 5000
        assert config.model.head_bias
        assert not config.model.qkv_bias


def test_a_name_that_is_no_preset_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(Refusal, match="did you mean nanogpt-cpu") as refused:
        find_preset("nanogpt_cpu")
    assert all(name in str(refused.value) for name in PRESETS)
