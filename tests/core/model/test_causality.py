"""Which tokens reach which logits: never a later one, on every path that attention takes; and what a cache changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import pytest
import torch
from small_models import BASES, SMALL, V, small_model, some_ids
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from gpt_tui.core.config import ModelConfig
from gpt_tui.core.model import GPT

T = 6
DEEP = {"n_layer": 2, "block_size": T}
CONFIGS = {
    "rotary": {},
    "learned places": {"position": "learned"},
    "no places": {"position": "none"},
    "one head": {"n_head": 1},
    "three heads": {"n_head": 3},
    "heads of one number": {"n_head": 12, "position": "none", "qk_norm": False},
    "without the previous token": {"mix_previous": False},
    "without qk_norm": {"qk_norm": False},
    "without feed-forward": {"feed_forward": False},
    "without residual": {"residual": False},
    "lecture": BASES["lecture"],
    "bare": BASES["bare"],
    "no attention, mixing the previous token": {"attention": False},
    "no attention": {"attention": False, "mix_previous": False},
    "no attention, learned places": {"attention": False, "mix_previous": False, "position": "learned"},
    "bigram": BASES["bigram"],
}
ATTENDING = [name for name, fields in CONFIGS.items() if fields.get("attention", True)]

# All at once; then through a cache: at once, in pieces (an explicit mask), in pieces and single tokens, token by token.
PIECES = (None, [6], [2, 4], [3, 1, 2], [1] * T)


def config_of(name: str) -> ModelConfig:
    return ModelConfig(**SMALL | CONFIGS[name] | DEEP)


def backends() -> list[SDPBackend]:
    """The implementations of attention that this machine has."""
    found = []
    for backend in (SDPBackend.MATH, SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION):
        q = torch.ones(1, 1, 2, 4)
        try:
            with sdpa_kernel(backend):
                torch.nn.functional.scaled_dot_product_attention(q, q, q, is_causal=True)
        except RuntimeError:
            continue
        found.append(backend)
    return found


BACKENDS = backends()


@contextmanager
def precision(dtype: torch.dtype) -> Iterator[torch.dtype]:
    """Yields the precision of the weights; bfloat16 is autocast over float32, as training has it."""
    autocast: AbstractContextManager[object] = nullcontext()
    if dtype == torch.bfloat16:
        autocast = torch.autocast("cpu", torch.bfloat16)
    with torch.no_grad(), autocast:
        yield torch.float32 if dtype == torch.bfloat16 else dtype


def logits_of(model: GPT, ids: Tensor, pieces: list[int] | None) -> Tensor:
    if pieces is None:
        return model(ids)[0]
    cache = model.make_cache(ids.size(0))
    return torch.cat([model(piece, cache=cache)[0] for piece in ids.split(pieces, dim=1)], dim=1)


def reach(logits: Callable[[Tensor], Tensor]) -> Tensor:
    """(T, T) of whether the logits at s (row) change in any bit when token t (column) becomes another one."""
    ids = torch.tensor([some_ids(T)[0], [2, 7, 1, 8, 2, 8]])
    before = logits(ids)
    columns = []
    for t in range(T):
        changed = ids.clone()
        changed[:, t] = (changed[:, t] + 1) % V
        columns.append((logits(changed) != before).any(dim=-1).any(dim=0))
    return torch.stack(columns, dim=1)


def expected_reach(config: ModelConfig) -> Tensor:
    everything = torch.ones(T, T, dtype=torch.bool)
    if config.attention:
        return everything.tril()
    return everything.tril().triu(-1 if config.mix_previous else 0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16], ids=str)
@pytest.mark.parametrize("name", CONFIGS)
def test_a_token_reaches_its_own_logits_and_later_ones_as_far_as_the_model_looks_back(
    name: str, dtype: torch.dtype
) -> None:
    config = config_of(name)
    with precision(dtype) as weights:
        model = small_model(config, dtype=weights)
        for backend in BACKENDS if config.attention else BACKENDS[:1]:
            for pieces in PIECES:
                with sdpa_kernel(backend):
                    found = reach(lambda ids, pieces=pieces: logits_of(model, ids, pieces))
                assert torch.equal(found, expected_reach(config)), (backend, pieces, found.int())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16], ids=str)
@pytest.mark.parametrize("name", CONFIGS)
def test_no_later_token_reaches_in_where_dropout_falls_in_training(name: str, dtype: torch.dtype) -> None:
    config = config_of(name).model_copy(update={"dropout": 0.4, "embd_dropout": True})
    with precision(dtype) as weights, torch.random.fork_rng():
        model = small_model(config, dtype=weights).train()

        def logits(ids: Tensor) -> Tensor:
            torch.manual_seed(3)  # the same places are hidden each time
            return model(ids)[0]

        found = reach(logits)
    assert not found.triu(1).any(), found.int()
    assert found.any(dim=1).all(), "every position still sees something"


@pytest.mark.parametrize("pieces", [None, [300, 300], [599, 1]], ids=str)
def test_no_later_token_reaches_in_where_a_window_is_longer_than_what_a_kernel_takes_at_once(
    pieces: list[int] | None,
) -> None:
    model = small_model(config_of("rotary").model_copy(update={"block_size": 600}), dtype=torch.float32)
    ids = torch.arange(600)[None] * 7 % V
    with torch.no_grad():
        for backend in BACKENDS:
            with sdpa_kernel(backend):
                before = logits_of(model, ids, pieces)
                for t in (1, 33, 299, 300, 513, 599):
                    changed = ids.clone()
                    changed[0, t:] = (changed[0, t:] + 1) % V
                    differs = (logits_of(model, changed, pieces) != before).any(dim=-1)[0]
                    assert differs.tolist() == [s >= t for s in range(600)], (backend, t)


@pytest.mark.parametrize("name", ATTENDING)
def test_attention_s_gradient_reaches_no_later_token(name: str) -> None:
    model = small_model(config_of(name))
    embeddings: list[Tensor] = []
    model.token_embedding.register_forward_hook(lambda module, args, out: embeddings.append(out))
    logits, _ = model(torch.tensor([some_ids(T)[0]]))
    reached = [torch.autograd.grad(row.sum(), embeddings[0], retain_graph=True)[0][0] for row in logits[0]]
    assert torch.equal((torch.stack(reached) != 0).any(dim=-1), torch.ones(T, T, dtype=torch.bool).tril())


# The cache ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-5), (torch.bfloat16, 8e-2)], ids=str
)
@pytest.mark.parametrize("name", CONFIGS)
def test_a_cache_changes_nothing_but_the_work(name: str, dtype: torch.dtype, tolerance: float) -> None:
    ids = torch.tensor([some_ids(T)[0], [2, 7, 1, 8, 2, 8]])
    with precision(dtype) as weights:
        model = small_model(config_of(name), dtype=weights)
        for backend in BACKENDS:
            with sdpa_kernel(backend):
                whole = logits_of(model, ids, None)
                for pieces in PIECES:
                    difference = (logits_of(model, ids, pieces) - whole).abs()
                    assert (difference <= tolerance * (1 + whole.abs())).all(), (backend, pieces, difference)


@pytest.mark.parametrize("name", CONFIGS)
def test_a_cleared_cache_remembers_nothing(name: str) -> None:
    model = small_model(config_of(name))
    cache = model.make_cache()
    model(torch.tensor([[9, 9, 9, 9]]), cache=cache)
    assert cache.length == 4
    cache.clear()
    ids = torch.tensor([some_ids(T)[0]])
    torch.testing.assert_close(model(ids, cache=cache)[0], model(ids)[0], rtol=1e-12, atol=1e-12)


def test_a_window_longer_than_block_size_is_an_error_with_a_cache_and_without() -> None:
    model = small_model(config_of("rotary"))
    with pytest.raises(ValueError, match="7 tokens do not fit into a window of block_size = 6"):
        model(torch.zeros(1, T + 1, dtype=torch.long))
    cache = model.make_cache()
    model(torch.zeros(1, T, dtype=torch.long), cache=cache)
    with pytest.raises(ValueError, match="7 tokens do not fit into a window of block_size = 6"):
        model(torch.zeros(1, 1, dtype=torch.long), cache=cache)
    assert cache.length == T
