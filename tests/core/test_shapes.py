"""The tensor walk agrees with the model that is built: its parameters, its shapes, and what autograd remembers."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from gpt_tui.core.config import ModelConfig
from gpt_tui.core.model import GPT
from gpt_tui.core.presets import PRESETS
from gpt_tui.core.shapes import LETTERS, LONG, flops_per_token, parameters, step_flops, walk

V, B = 65, 3
SMALL: dict[str, Any] = {"n_layer": 2, "n_head": 2, "n_embd": 32, "block_size": 16}
LECTURE: dict[str, Any] = {
    "norm": "layernorm",
    "norm_weight": True,
    "bias": True,
    "position": "learned",
    "qk_norm": False,
    "mix_previous": False,
    "activation": "relu",
}
BARE = {"residual": False, "norm": "none", "output_projection": False, "ffn_mult": 1}
MODELS: list[dict[str, Any]] = [
    {},
    LECTURE,
    {**LECTURE, "dropout": 0.1},
    {"qk_norm": False},
    {"position": "none"},
    {"position": "none", "qk_norm": False},
    {"activation": "gelu", "qkv_bias": True},
    {"activation": "gelu_tanh", "head_bias": True},
    {"activation": "swiglu", "norm": "rmsnorm", "norm_weight": True, "bias": True},
    {"dropout": 0.1},
    {"dropout": 0.1, "embd_dropout": True, "position": "learned", "qk_norm": False},
    {"dropout": 0.1, "n_head": 1, "position": "learned", "qk_norm": False},
    {"residual": False},
    {"output_projection": False, "ffn_mult": 1},
    {"attention": False},
    {"feed_forward": False},
    {"attention": False, "feed_forward": False},
    {"norm": "none"},
    {"residual": False, "norm": "none"},
    BARE,
    {**LECTURE, **BARE},
    {"tied_head": True, "ffn_mult": 2.5},
    {"block_size": 150},  # more rows than attention takes at once, and then some
    {**LECTURE, "dropout": 0.1, "block_size": 150},
    {"block_size": LONG},  # too long for its weights to be kept
    {**LECTURE, "block_size": LONG},
    {"dropout": 0.1, "n_head": 1, "block_size": LONG},
]
PUBLIC = {name: preset.config().model for name, preset in PRESETS.items()}
names = [",".join(f"{k}={v}" for k, v in m.items()) or "-" for m in MODELS]


@pytest.fixture(params=MODELS, ids=names)
def model(request: pytest.FixtureRequest) -> ModelConfig:
    return ModelConfig(**{**SMALL, **request.param})


def remembered(model: GPT, x: Tensor) -> int:
    """Bytes that autograd keeps for the backward pass beside the model's own tensors, each storage once."""
    own = {t.untyped_storage().data_ptr() for t in (*model.parameters(), *model.buffers())}
    kept: dict[int, Tensor] = {}

    def pack(tensor: Tensor) -> Tensor:
        place = tensor.untyped_storage().data_ptr()
        if place not in own:
            kept.setdefault(place, tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        model.train()(x, x.clone())
    return sum(tensor.untyped_storage().nbytes() for tensor in kept.values())


def test_the_walk_s_parameters_are_the_model_s(model: ModelConfig) -> None:
    assert parameters(model, V) == GPT(model, V).parameter_count()


@pytest.mark.parametrize("name", PRESETS)
def test_the_walk_s_parameters_are_those_of_the_model_that_each_preset_builds(name: str) -> None:
    vocab_size = PRESETS[name].vocab_size
    with torch.device("meta"):  # the shapes of every tensor, and none of its numbers
        built = GPT.__new__(GPT)
        built._init_weights = lambda generator: None  # type: ignore[method-assign]
        GPT.__init__(built, PUBLIC[name], vocab_size)
    assert walk(PUBLIC[name], vocab_size).parameters == built.parameter_count()


def test_the_walk_s_memory_is_what_autograd_keeps_to_the_byte(model: ModelConfig) -> None:
    x = torch.randint(V, (B, model.block_size), generator=torch.Generator().manual_seed(1))
    # Another PyTorch may keep a little more or less; a part forgotten, or counted twice, is more than this.
    assert walk(model, V, B).memory == pytest.approx(remembered(GPT(model, V), x), rel=0.01)


@pytest.mark.parametrize("name", [name for name in PRESETS if not name.startswith("gpt2")])
def test_the_memory_of_each_preset_is_what_autograd_keeps(name: str) -> None:
    model = PUBLIC[name].model_copy(update={"block_size": min(PUBLIC[name].block_size, 32)})
    x = torch.randint(V, (2, model.block_size))
    assert walk(model, V, 2).memory == pytest.approx(remembered(GPT(model, V), x), rel=0.01)


def test_every_matrix_product_is_counted(model: ModelConfig) -> None:
    """PyTorch's own counter of floating-point operations, two a multiply-add."""
    from torch.utils.flop_counter import FlopCounterMode

    x = torch.randint(V, (B, model.block_size))
    built = GPT(model, V).eval()
    with FlopCounterMode(display=False) as counter, torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        built(x, cache=built.make_cache(B))  # without one, no product is made that the mask would hide
    assert 2 * walk(model, V, B).multiply_adds == counter.get_total_flops()


def test_operations_follow_the_usual_count() -> None:
    """6 for each parameter of a matrix and 12 for each layer, number and token of context (PaLM, appendix B)."""
    gpt2 = PRESETS["gpt2"].config()
    matrices = 12 * (12 * 768 * 768) + 768 * 50_257
    assert flops_per_token(gpt2.model, 50_257) == 6 * matrices + 12 * 12 * 768 * 1024
    assert step_flops(gpt2, 50_257) == flops_per_token(gpt2.model, 50_257) * 40 * 12 * 1024


def test_the_steps_lead_from_token_ids_to_the_loss_with_the_shapes_that_the_model_makes(model: ModelConfig) -> None:
    steps = walk(model, V, B).steps
    assert (steps[0].symbols, steps[0].shape) == (("B", "T"), (B, model.block_size))
    assert steps[-1].shape == ()
    for part in dict.fromkeys(step.part for step in steps):
        times = {step.times for step in steps if step.part == part}
        assert times == ({model.n_layer} if part == "block" else {1})
    made: list[tuple[int, ...]] = []
    built = GPT(model, V)
    for module in built.modules():
        if isinstance(module, torch.nn.Linear | torch.nn.Embedding):
            module.register_forward_hook(lambda _, __, out: made.append(tuple(out.shape)))
    logits, loss = built(*torch.randint(V, (2, B, model.block_size)))
    shapes = [step.shape for step in steps]
    assert loss is not None
    assert all(shape in shapes or shape[-1] == 3 * model.n_embd for shape in made)  # q, k and v come as one
    assert shapes[-2] == tuple(logits.shape)


def test_the_letters_of_a_shape_stand_for_its_numbers(model: ModelConfig) -> None:
    walked = walk(model, V, B)
    assert set(walked.letters) <= set(LETTERS)
    for step in walked.steps:
        for symbol, number in zip(step.symbols, step.shape, strict=True):
            factor = symbol.rstrip("".join(LETTERS))
            letter = symbol.removeprefix(factor)
            assert number == int(factor or 1) * walked.letters.get(letter, 1), (step.name, symbol)


def test_the_bigram_is_its_table_alone() -> None:
    walked = walk(PUBLIC["lecture-bigram"], V, 32)
    assert [step.name for step in walked.steps] == ["token ids", "table", "loss"]
    assert (walked.parameters, walked.multiply_adds) == (65 * 65, 0)
    assert walked.steps[1].symbols == ("B", "T", "V")


def test_a_part_that_is_switched_off_has_no_step() -> None:
    def named(**fields: Any) -> set[str]:
        return {step.name for step in walk(ModelConfig(**{**SMALL, **fields}), V).steps}

    everything = named(dropout=0.1, embd_dropout=True, position="learned")
    assert everything - named(attention=False, dropout=0.1, embd_dropout=True, position="learned") >= {
        "queries, keys, values",
        "scores",
        "attention weights",
        "attended values",
        "output projection",
    }
    assert everything - named(feed_forward=False, dropout=0.1, embd_dropout=True, position="learned") == {
        "feed-forward",
        "ReLU²",
        "projection",
    }
    assert "residual stream" not in named(residual=False)
    assert not {"norm", "final norm"} & named(norm="none")
    assert "dropout" not in named()
    assert "rotary positions" not in named(position="none")
