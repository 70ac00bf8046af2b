"""The presets: what their sources publish, and that each is a whole and distinct way to train."""

from __future__ import annotations

import itertools

import pytest

from gpt_tui.core import shapes
from gpt_tui.core.config import FIELDS, Layer, RunConfig, idle, resolve
from gpt_tui.core.errors import Refusal
from gpt_tui.core.presets import DEFAULT, PRESETS, Preset, find_preset
from published import PARAMETERS

# block_size, n_embd, n_head, n_layer, batch_size, learning_rate, dropout, max_iters
TABLE = {
    "lecture-tiny": (8, 32, 4, 4, 32, 1e-3, 0.0, 5000),
    "lecture-colab": (32, 64, 4, 4, 16, 1e-3, 0.0, 5000),
    "lecture-64": (64, 64, 4, 4, 16, 3e-4, 0.2, 5000),
    "shakespeare-1x1-short": (256, 384, 1, 1, 64, 3e-4, 0.2, 100),
    "shakespeare-1x1": (256, 384, 1, 1, 64, 3e-4, 0.2, 5000),
    "shakespeare-2x2": (256, 384, 2, 2, 64, 3e-4, 0.2, 5000),
    "shakespeare-6x6": (256, 384, 6, 6, 64, 3e-4, 0.2, 5000),
    "shakespeare-12x12": (256, 384, 12, 12, 64, 3e-4, 0.2, 5000),
}
COLUMNS = ("block_size", "n_embd", "n_head", "n_layer", "batch_size", "learning_rate", "dropout", "max_iters")

LADDER = (
    "lecture-bigram",
    "lecture-one-head",
    "lecture-four-heads",
    "lecture-feed-forward",
    "lecture-residual",
    "lecture-layernorm",
)


@pytest.mark.parametrize(("name", "published"), PARAMETERS.items())
def test_a_preset_has_as_many_parameters_as_its_source_says(name: str, published: tuple[int, int]) -> None:
    preset = find_preset(name)
    assert (preset.vocab_size, shapes.parameters(preset.config().model, preset.vocab_size)) == published


@pytest.mark.parametrize(("name", "published"), [("nanogpt-cpu", 795_904), ("nanogpt-gpu", 10_646_784)])
def test_without_its_positions_too_nanogpt_has_as_many_parameters_as_it_prints(name: str, published: int) -> None:
    steps = shapes.walk(find_preset(name).config().model, 65).steps
    assert sum(step.times * step.parameters for step in steps if step.name != "positions") == published


@pytest.mark.parametrize(("name", "row"), TABLE.items())
def test_every_row_of_the_published_table_is_a_preset(name: str, row: tuple[float, ...]) -> None:
    config = find_preset(name).config()
    assert tuple(config.get(column) for column in COLUMNS) == row
    assert (config.training.eval_interval, config.training.eval_iters) == (500, 200)


def test_the_ladder_trains_as_the_lecture_does() -> None:
    for name in LADDER:
        config = find_preset(name).config()
        assert (config.training.batch_size, config.model.block_size) == (32, 8)
        bigram = name == "lecture-bigram"
        assert (config.optimizer.learning_rate, config.training.max_iters) == ((1e-2, 3000) if bigram else (1e-3, 5000))
        assert config.model.n_embd == 32


def test_each_rung_of_the_ladder_adds_one_thing() -> None:
    models = [find_preset(name).config().model for name in LADDER]
    bigram, one_head, four_heads, feed_forward, residual, layernorm = models
    changed = [
        {field for field in type(low).model_fields if getattr(low, field) != getattr(high, field)}
        for low, high in itertools.pairwise(models)
    ]
    assert changed == [
        {"position", "attention", "n_head", "head"},
        {"n_head"},
        {"feed_forward"},
        {"n_layer", "residual", "output_projection", "ffn_mult"},
        {"norm", "norm_weight"},
    ]
    assert not bigram.head
    assert (one_head.n_head, four_heads.n_head) == (1, 4)
    assert not four_heads.feed_forward
    assert feed_forward.ffn_mult == 1.0
    assert residual.n_layer == 3
    assert layernorm.norm == "layernorm"


def test_no_preset_sets_what_another_of_its_fields_leaves_without_effect_but_the_ladder() -> None:
    for preset in PRESETS.values():
        without = idle(preset.config().flat()).keys() - {"min_lr", "lr_decay_iters", "embd_dropout"}
        assert not without or preset.name in LADDER


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
