"""The entropy ladder: what a model must beat to have learned more than statistics of a few characters.

Interpolated Witten-Bell n-grams (Witten and Bell 1991, method C), counted on the training split and scored on the
validation split, in nats per token:

    P_k(c|h) = (count(hc) + T(h) · P_{k-1}(c|h')) / (count(h) + T(h)),   P_{-1} = 1/V

where h is the k tokens before c, h' is h without its first token, T(h) is how many distinct tokens were seen after h,
and a context that was never seen leaves P_k = P_{k-1}. The first contexts of the validation split reach back into the
training split, whose text they follow.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from gpt_tui.core.data.watch import Watch

MAX_ORDER = 6
SOURCE_RUNG = "the source itself"

# Beyond these a sample is counted, so that a text of gigabytes costs the seconds and the memory of a few megabytes.
MAX_TRAIN_TOKENS = 4_000_000
MAX_VAL_TOKENS = 1_000_000
_STRETCH = 1 << 16
_TABLE = 1 << 20


def rung_name(order: int) -> str:
    """The name of the rung of n-grams of `order` tokens (0 is uniform)."""
    names = ("uniform", "unigram", "bigram", "trigram")
    return names[order] if order < len(names) else f"{order}-gram"


def entropy_ladder(
    train: npt.NDArray[np.unsignedinteger],
    val: npt.NDArray[np.unsignedinteger],
    vocab_size: int,
    *,
    max_order: int = MAX_ORDER,
    watch: Watch | None = None,
) -> dict[str, float]:
    """Nats per token of `val` under each rung, uniform first. Needs more training tokens than `max_order`.

    A vocabulary of any size is fine, because the contexts of each order are numbered by rank rather than by their
    digits.
    """
    watch = watch or Watch()
    tokens = np.concatenate([train, val])
    split = len(train)
    probability = np.full(len(val), 1.0 / vocab_size)
    rungs = {rung_name(0): math.log(vocab_size)}
    contexts = np.zeros(len(tokens), dtype=np.int32)  # the number of the context before each token from `length` on
    n_contexts = 1
    for length in range(max_order):
        watch.report("ladder", length, max_order)
        distinct, grams = _number(contexts * np.int64(vocab_size) + tokens[length:], n_contexts * vocab_size)
        distinct //= vocab_size
        # The first `split - length` of these belong to the training split.
        probability = _mixed(probability, distinct, grams, contexts, n_contexts, split - length)
        rungs[rung_name(length + 1)] = float(-np.log(probability).mean())
        contexts, n_contexts = grams[:-1], len(distinct)  # with its last token, a gram is the next one's context
    watch.report("ladder", max_order, max_order)
    return rungs


def _mixed(
    probability: npt.NDArray[np.float64],
    context_of_gram: npt.NDArray[np.int64],
    grams: npt.NDArray[np.int32],
    contexts: npt.NDArray[np.int32],
    n_contexts: int,
    counted: int,
) -> npt.NDArray[np.float64]:
    """P_k of each validation token from P_{k-1}. counted: how many grams and contexts are the training split's."""
    gram_counts = np.bincount(grams[:counted], minlength=len(context_of_gram))
    context_counts = np.bincount(contexts[:counted], minlength=n_contexts)
    types = np.bincount(context_of_gram[gram_counts > 0], minlength=n_contexts)
    here = contexts[counted:]
    seen = types[here] > 0
    mixed = gram_counts[grams[counted:]] + types[here] * probability
    total = context_counts[here] + types[here]
    result: npt.NDArray[np.float64] = np.divide(mixed, total, out=probability.copy(), where=seen)
    return result


def _number(keys: npt.NDArray[np.int64], bound: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32]]:
    """The distinct ones of `keys`, sorted, and the rank of each key among them. bound: more than any of them is.

    What np.unique gives with its inverse, in a tenth of the time where a table of all that could be is no larger than
    twice as long as the keys, and in less memory.
    """
    if bound <= max(_TABLE, 2 * len(keys)):
        present = np.zeros(bound, dtype=bool)
        present[keys] = True
        ranks = np.cumsum(present, dtype=np.int32)
        ranks -= 1
        return np.flatnonzero(present), ranks[keys]
    order = np.argsort(keys)
    keys = keys[order]
    first = np.append(True, keys[1:] != keys[:-1])
    numbers = np.empty(len(keys), dtype=np.int32)
    numbers[order] = np.cumsum(first, dtype=np.int32) - np.int32(1)
    return keys[first], numbers


def ladder_sample(
    train: npt.NDArray[np.unsignedinteger], val: npt.NDArray[np.unsignedinteger]
) -> tuple[npt.NDArray[np.unsignedinteger], npt.NDArray[np.unsignedinteger], str | None]:
    """What the ladder is counted and scored on: the splits themselves, or a sample of huge ones, described.

    The training sample is evenly spaced stretches; the validation sample is the split's beginning, as in the
    evaluation that ends a run.
    """
    parts = []
    if len(train) > MAX_TRAIN_TOKENS:
        stretches = MAX_TRAIN_TOKENS // _STRETCH
        starts = np.linspace(0, len(train) - _STRETCH, stretches).astype(np.int64)
        parts.append(
            f"counted on {stretches * _STRETCH:,} of {len(train):,} training tokens "
            f"({stretches} evenly spaced stretches)"
        )
        train = np.concatenate([train[start : start + _STRETCH] for start in starts])
    if len(val) > MAX_VAL_TOKENS:
        parts.append(f"scored on the first {MAX_VAL_TOKENS:,} of {len(val):,} validation tokens")
        val = val[:MAX_VAL_TOKENS]
    return train, val, ", ".join(parts) or None
