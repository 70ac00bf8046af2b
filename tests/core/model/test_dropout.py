"""Dropout falls in training alone, and only where it should: attention's weights, both parts' ends, the embeddings."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from small_models import BASES, SMALL, V, single_configs, small_model, some_ids
from torch import Tensor

from gpt_tui.core.config import FIELDS, ModelConfig, idle
from gpt_tui.core.model import GPT
from gpt_tui.core.model.dropout import Dropout

P = 0.5
WIDE = 64  # numbers a token, and characters: a head that is the identity shows the stream itself


@pytest.fixture(autouse=True)
def _own_randomness() -> Any:
    with torch.random.fork_rng():
        torch.manual_seed(11)
        yield


def bare(**fields: Any) -> ModelConfig:
    """Nothing that is not named, so that what is seen is what dropout did."""
    return ModelConfig(
        **SMALL
        | {"n_head": 1, "n_embd": WIDE, "block_size": WIDE, "position": "none", "norm": "none", "qk_norm": False}
        | {"attention": False, "feed_forward": False, "mix_previous": False, "dropout": P}
        | fields
    )


def stream(config: ModelConfig) -> tuple[Tensor, Tensor]:
    """(8, WIDE, WIDE) of what reaches the head, in training and as it is without dropout."""
    model = small_model(config, vocab_size=WIDE)
    assert model.head is not None
    with torch.no_grad():
        model.head.weight.copy_(torch.eye(WIDE))
        ids = torch.arange(WIDE).repeat(8, 1)
        without = model(ids)[0]
        return model.train()(ids)[0], without


def assert_dropped(found: Tensor, without: Tensor, share: float, scale: float) -> None:
    """Each number is zero, or `scale` times what it was; and about `share` of those that were not zero are."""
    counted = without != 0
    kept = found != 0
    torch.testing.assert_close(found[kept], scale * without[kept])
    n = int(counted.sum())
    assert 1 - (kept & counted).sum().item() / n == pytest.approx(share, abs=4 * (share * (1 - share) / n) ** 0.5)


def test_the_embeddings_are_dropped_where_they_are_told_to_be_and_nowhere_else() -> None:
    found, without = stream(bare(embd_dropout=True))
    assert_dropped(found, without, share=P, scale=1 / (1 - P))
    assert torch.equal(*stream(bare(embd_dropout=False)))


def test_places_and_the_previous_token_are_dropped_with_the_embedding() -> None:
    found, without = stream(bare(embd_dropout=True, position="learned", mix_previous=True))
    assert_dropped(found, without, share=P, scale=1 / (1 - P))


def test_what_the_feed_forward_part_adds_is_dropped_and_not_what_it_adds_to() -> None:
    thoughts = bare(feed_forward=True, residual=False)
    assert_dropped(*stream(thoughts), share=P, scale=1 / (1 - P))
    found, without = stream(thoughts.model_copy(update={"residual": True}))
    _, embedding = stream(bare())
    change = found - embedding
    change[change.abs() < 1e-12] = 0
    assert_dropped(change, without - embedding, share=P, scale=1 / (1 - P))


def test_attention_s_weights_are_dropped_and_then_what_it_found() -> None:
    # Each token's value is a number of its own, and nobody asks for anything: token t finds 1 / (t + 1) of each.
    model = GPT(bare(attention=True, residual=False, output_projection=False), WIDE).double()
    assert model.head is not None
    with torch.no_grad():
        model.blocks[0].attention.qkv.weight.zero_()
        for table in (model.token_embedding.weight, model.head.weight, model.blocks[0].attention.qkv.weight[-WIDE:]):
            table.copy_(torch.eye(WIDE))
        ids = torch.arange(WIDE).repeat(8, 1)
        without, found = model.eval()(ids)[0], model.train()(ids)[0]
    mean = torch.ones(WIDE, WIDE, dtype=torch.float64).tril() / torch.arange(1, WIDE + 1)[:, None]
    torch.testing.assert_close(without, mean.expand(8, -1, -1))
    assert_dropped(found, without, share=1 - (1 - P) ** 2, scale=1 / (1 - P) ** 2)


def test_in_training_two_draws_differ_wherever_dropout_has_an_effect_and_never_in_evaluation() -> None:
    ids = torch.tensor([some_ids(5)[0]] * 8)
    for name, config in single_configs().items():
        for embd_dropout in (False, True):
            config = config.model_copy(update={"dropout": P, "embd_dropout": embd_dropout})
            model = small_model(config)
            assert torch.equal(model(ids)[0], model(ids)[0]), name
            model.train()
            no_effect = "dropout" in idle({key: spec.default for key, spec in FIELDS.items()} | config.model_dump())
            assert torch.equal(model(ids)[0], model(ids)[0]) == no_effect, name


def test_without_dropout_training_and_evaluation_are_the_same() -> None:
    ids = torch.tensor([some_ids(5)[0]])
    for name, config in single_configs().items():
        model = small_model(config.model_copy(update={"embd_dropout": True}))
        assert torch.equal(model.eval()(ids)[0], model.train()(ids)[0]), name


@pytest.mark.parametrize("embd_dropout", [False, True])
@pytest.mark.parametrize("base", BASES)
def test_a_dropout_changed_in_a_model_that_trains_is_the_one_that_it_would_have_been_built_with(
    base: str, embd_dropout: bool
) -> None:
    ids = torch.tensor([some_ids(5)[0]] * 8)

    def drawn(model: GPT) -> Tensor:
        torch.manual_seed(3)
        return model.train()(ids)[0]

    config = ModelConfig(**BASES[base] | {"embd_dropout": embd_dropout})
    for before, after in ((0.0, P), (0.2, P), (P, 0.0)):
        changed = small_model(config.model_copy(update={"dropout": before}))
        changed.set_dropout(after)
        built = small_model(config.model_copy(update={"dropout": after}))
        assert torch.equal(drawn(changed), drawn(built)), (before, after)


def test_a_changed_dropout_reaches_every_part() -> None:
    model = GPT(ModelConfig(**SMALL, dropout=0.1, embd_dropout=True), V)
    model.set_dropout(P)
    assert {module.p for module in model.modules() if isinstance(module, Dropout)} == {P}
    without = GPT(ModelConfig(**SMALL, dropout=0.1, embd_dropout=False), V)
    without.set_dropout(P)
    assert without.embedding_dropout.p == 0.0
