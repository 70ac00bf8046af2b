"""What a CPU computes in fewer operations is what PyTorch's own functions give, forward and backward."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from gpt_tui.core.model.attention import attend, attend_after
from gpt_tui.core.model.cheap import rms_norm, squared_relu, turn
from gpt_tui.core.model.dropout import Dropout, keep
from gpt_tui.core.shapes import LONG, ROWS_AT_ONCE

LENGTHS = [1, 2, 17, ROWS_AT_ONCE, ROWS_AT_ONCE + 1, 3 * ROWS_AT_ONCE, 3 * ROWS_AT_ONCE + 5]


@pytest.fixture(autouse=True)
def _own_randomness() -> Any:
    with torch.random.fork_rng():
        torch.manual_seed(5)
        yield


def some(*shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(*shape, dtype=dtype).requires_grad_()


def with_gradients(work: Callable[..., Tensor], *inputs: Tensor) -> list[Tensor]:
    """What `work` gives, and the gradients of a weighted sum of it."""
    result = work(*inputs)
    weights = torch.linspace(-1, 2, result.numel(), dtype=result.dtype).view(result.shape)
    return [result, *torch.autograd.grad((result * weights).sum(), inputs)]


def assert_alike(found: list[Tensor], wanted: list[Tensor], **tolerance: float) -> None:
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, **tolerance)


def plain(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """softmax(q kᵀ / √D) v, letter by letter."""
    T = q.size(2)
    scores = (q @ k.mT / q.size(-1) ** 0.5).masked_fill(torch.ones(T, T).triu(1).bool(), -torch.inf)
    return scores.softmax(-1) @ v


@pytest.mark.parametrize("tokens", LENGTHS)
def test_attention_in_blocks_of_rows_is_attention(tokens: int) -> None:
    qkv = some(2, 3, tokens, 8), some(2, 3, tokens, 8), some(2, 3, tokens, 8)
    assert_alike(with_gradients(attend, *qkv), with_gradients(plain, *qkv))


def test_attention_is_the_same_however_its_input_lies_in_memory() -> None:
    qkv = some(2, 70, 3, 4, 8)
    q, k, v = qkv.permute(2, 0, 3, 1, 4)
    torch.testing.assert_close(attend(q, k, v), attend(q.contiguous(), k.contiguous(), v.contiguous()))
    assert torch.autograd.gradcheck(lambda x: attend(*x.permute(2, 0, 3, 1, 4)), some(1, 3, 3, 2, 4))


@pytest.mark.parametrize("tokens", [ROWS_AT_ONCE, 2 * ROWS_AT_ONCE + 1])
def test_dropped_weights_are_dropped_backward_too(tokens: int) -> None:
    """Held against the plain formula with the same masks, drawn again."""
    p = 0.25
    qkv = some(2, 1, tokens, 4), some(2, 1, tokens, 4), some(2, 1, tokens, 4)

    def dropped(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        torch.manual_seed(9)
        return attend(q, k, v, p)

    def by_hand(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        torch.manual_seed(9)
        kept = torch.ones(2, tokens, tokens, dtype=torch.float64)
        for first in range(0, tokens, ROWS_AT_ONCE):
            end = min(first + ROWS_AT_ONCE, tokens)
            kept[:, first:end, :end] = keep((2, end - first, end), p).double()
        scores = (q @ k.mT / 2).masked_fill(torch.ones(tokens, tokens).triu(1).bool(), -torch.inf)
        return (scores.softmax(-1) * kept[:, None] / (1 - p)) @ v

    assert_alike(with_gradients(dropped, *qkv), with_gradients(by_hand, *qkv))


def test_a_context_whose_weights_would_fill_the_memory_is_attended_to_without_keeping_them() -> None:
    qkv = some(1, 1, LONG + 3, 4), some(1, 1, LONG + 3, 4), some(1, 1, LONG + 3, 4)
    kept: list[int] = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t.numel()) or t, lambda t: t):
        found = attend(*qkv)
    assert max(kept) < LONG**2 / 10
    torch.testing.assert_close(found, plain(*qkv))


@pytest.mark.parametrize(("tokens", "past"), [(1, 1), (1, 9), (4, 4), (4, 9)])
def test_new_tokens_see_what_was_before_them_and_not_one_another_s_future(tokens: int, past: int) -> None:
    q, k, v = some(2, 3, past, 8), some(2, 3, past, 8), some(2, 3, past, 8)
    torch.testing.assert_close(attend_after(q[:, :, past - tokens :], k, v), plain(q, k, v)[:, :, past - tokens :])


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_rms_norm_is_pytorch_s(dtype: torch.dtype) -> None:
    own = partial(F.rms_norm, normalized_shape=(16,))
    for size in (1.0, 0.01):  # a small one shows what is added to its square
        x = (size * some(3, 5, 16, dtype=dtype)).detach().requires_grad_()
        (mine, *gradients), (theirs, *wanted) = with_gradients(rms_norm, x), with_gradients(own, x)
        near: dict[str, float] = {"atol": 0.03, "rtol": 0.03} if dtype == torch.bfloat16 else {}
        torch.testing.assert_close(mine, theirs, **near)
        assert_alike(gradients, wanted, **(near | {"atol": 0.03 / size} if near else near))


def test_rms_norm_of_nothing_is_nothing() -> None:
    assert not rms_norm(torch.zeros(2, 4)).any()
    (gradient,) = torch.autograd.grad(rms_norm(x := torch.zeros(2, 4).requires_grad_()).sum(), x)
    assert torch.isfinite(gradient).all()


def test_turned_pairs_are_turned_as_complex_numbers_are() -> None:
    x, angles = some(2, 3, 7, 8), torch.randn(7, 4, dtype=torch.float64)

    def by_hand(x: Tensor) -> Tensor:
        turned = torch.complex(x[..., :4], x[..., 4:]) * torch.polar(torch.ones_like(angles), angles)
        return torch.cat((turned.real, turned.imag), -1)

    assert_alike(with_gradients(lambda x: turn(x, angles.cos(), angles.sin()), x), with_gradients(by_hand, x))


def test_squared_relu_is_the_square_of_relu() -> None:
    x = some(4, 9)
    assert_alike(with_gradients(squared_relu, x), with_gradients(lambda x: F.relu(x) ** 2, x))


@pytest.mark.parametrize("p", [0.001, 0.1, 0.2, 0.5, 0.9, 0.997, 0.9999])
def test_as_many_are_dropped_as_were_asked_for(p: float) -> None:
    """Over masks enough: where 256 p is no whole number, each takes one of its neighbours."""
    masks, size = 4000, 64
    kept = sum(int(keep((size,), p).sum()) for _ in range(masks))
    n = masks * size
    # A mask's threshold adds at most half a 256th of deviation to that of independent numbers.
    deviation = (p * (1 - p) / n + (0.5 / 256) ** 2 / masks) ** 0.5
    assert 1 - kept / n == pytest.approx(p, abs=4 * deviation)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_what_dropout_keeps_is_scaled_and_has_the_gradient_of_that(dtype: torch.dtype) -> None:
    x = some(50, 40, dtype=dtype)
    found, gradient = with_gradients(Dropout(0.5).train(), x)
    kept = found != 0
    assert 0.4 < kept.double().mean() < 0.6
    torch.testing.assert_close(found[kept], 2 * x[kept])
    assert torch.equal(gradient != 0, kept & (torch.linspace(-1, 2, 2000, dtype=dtype).view(50, 40) != 0))


def test_dropout_draws_the_same_from_the_same_place_of_its_stream() -> None:
    layer, x = Dropout(0.3).train(), torch.ones(33)
    place = torch.get_rng_state()
    first, second = layer(x), layer(x)
    torch.set_rng_state(place)
    assert torch.equal(layer(x), first)
    assert torch.equal(layer(x), second)
    assert not torch.equal(first, second)
    assert torch.equal(layer.eval()(x), x)
