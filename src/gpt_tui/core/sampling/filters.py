"""Sampling as small pure functions on the logits of one position: (V,) float64 NumPy arrays in, the same out.

They work on NumPy because a vocabulary of characters is too small for tensors to pay, and because the draw then is the
same on every device. A token that a filter rules out has the logit -inf.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gpt_tui.core.config import SamplingConfig

Logits = npt.NDArray[np.float64]


def log_probabilities(logits: Logits) -> Logits:
    """ln p of every token, the model's own: log-softmax over (V,)."""
    shifted = logits - logits.max()
    result: Logits = shifted - np.log(np.exp(shifted).sum())
    return result


def keep_top_k(logits: Logits, k: int) -> Logits:
    """Rule out all but the k likeliest tokens; of equals at the edge the lower ids stay, so k is never exceeded."""
    if k >= len(logits):
        return logits
    order = np.argsort(-logits, kind="stable")
    kept = logits.copy()
    kept[order[k:]] = -np.inf
    return kept


def keep_top_p(logits: Logits, p: float) -> Logits:
    """Rule out all but the fewest likeliest tokens whose probability is together at least p (Holtzman et al. 2019)."""
    order = np.argsort(-logits, kind="stable")
    before = np.cumsum(np.exp(log_probabilities(logits)[order]))
    kept = logits.copy()
    # A token stays while those before it have not yet reached p; so at least one always stays.
    kept[order[1:][before[:-1] >= p]] = -np.inf
    return kept


def keep_min_p(logits: Logits, p: float) -> Logits:
    """Rule out tokens less likely than p times the likeliest (Nguyen et al. 2024)."""
    kept = logits.copy()
    kept[logits < logits.max() + np.log(p)] = -np.inf
    return kept


def stages(logits: Logits, sampling: SamplingConfig) -> Iterator[tuple[str, Logits]]:
    """The filters that are switched on, each with the logits that it leaves: temperature, top-k, top-p, min-p in this
    order. Temperature 1 is none; temperature 0 leaves the likeliest alone. The likeliest token has the logit 0.
    """
    logits = logits - logits.max()
    if sampling.temperature == 0:
        yield "temperature", keep_top_k(logits, 1)
        return
    if sampling.temperature != 1:
        with np.errstate(over="ignore"):  # near temperature 0, to -inf: the likeliest has 0 and stays
            logits = logits / sampling.temperature
        yield "temperature", logits
    if sampling.top_k != "off":
        logits = keep_top_k(logits, sampling.top_k)
        yield "top_k", logits
    if sampling.top_p != "off":
        logits = keep_top_p(logits, sampling.top_p)
        yield "top_p", logits
    if sampling.min_p != "off":
        yield "min_p", keep_min_p(logits, sampling.min_p)


def filtered(logits: Logits, sampling: SamplingConfig) -> Logits:
    """The logits that the next token is drawn from: those after the last of the `stages`."""
    passed: list[Logits] = [logits - logits.max(), *(left for _, left in stages(logits, sampling))]
    return passed[-1]


def choose(logits: Logits, sampling: SamplingConfig, sampler: np.random.Generator) -> int:
    """The next token: one draw from `filtered`, which takes one uniform number, whatever the filters say."""
    drawn = sampler.random()
    logits = filtered(logits, sampling)
    cumulative = np.cumsum(np.exp(logits))
    found = int(np.searchsorted(cumulative, drawn * cumulative[-1], side="right"))
    return min(found, int(np.flatnonzero(logits > -np.inf)[-1]))  # rounding must not lead past the last token


@dataclass(frozen=True)
class Weighed:
    """How likely a token was. logprob: the model's own ln p of it, in nats; rank: its place, 1 for the likeliest.

    filters:   the names of those that are switched on, in their order
    chances:   its probability before the filters, and after each of them
    likeliest: (token, its chances) of the likeliest, in order
    """

    logprob: float
    rank: int
    filters: tuple[str, ...]
    chances: tuple[float, ...]
    likeliest: tuple[tuple[int, tuple[float, ...]], ...]


def weigh(logits: Logits, token: int, sampling: SamplingConfig, count: int) -> Weighed:
    """`token` and the `count` likeliest, before the filters and after each. Of equals the lower id stands first."""
    logprobs = log_probabilities(logits)
    passed = list(stages(logits, sampling))
    order = np.argsort(-logits, kind="stable")
    rank = 1 + int(np.flatnonzero(order == token)[0])
    shown = [token, *order[:count].tolist()]
    after = [np.exp(log_probabilities(left))[shown].tolist() for _, left in passed]
    chances = list(zip(np.exp(logprobs)[shown].tolist(), *after, strict=True))
    likeliest = tuple(zip(shown[1:], chances[1:], strict=True))
    return Weighed(float(logprobs[token]), rank, tuple(name for name, _ in passed), chances[0], likeliest)
