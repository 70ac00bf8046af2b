"""The fixed passage of the validation split whose surprise is followed through a run."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gpt_tui.core.data import Dataset

PASSAGE_TOKENS = 256


@dataclass(frozen=True, eq=False)
class Passage:
    """text: the passage, whole characters.

    tokens: of the passage and of what comes before it, for context; before: how many those are
    starts: where each character's tokens begin, counted from the passage's first (a character may be several bytes)
    """

    text: str
    tokens: npt.NDArray[np.unsignedinteger]
    before: int
    starts: npt.NDArray[np.intp]

    @classmethod
    def of(cls, dataset: Dataset, block_size: int) -> Passage:
        """The passage begins one window into the split, or half way into a split that is shorter than two."""
        val = dataset.val
        before = max(1, min(block_size, len(val) // 2))
        begins = _character_starts(dataset, val[: before + PASSAGE_TOKENS + 4])
        begins = begins[begins >= before]
        # The last character is left out where its end is not in sight.
        end = int(begins[-1]) if before + PASSAGE_TOKENS < len(val) and len(begins) > 1 else len(val)
        begins = begins[begins < end]
        before = int(begins[0])
        return cls(dataset.tokenizer.decode(val[before:end]), np.asarray(val[:end]), before, begins - before)

    def per_character(self, nats: list[float]) -> list[float]:
        """Nats a character, from nats a token of the passage."""
        return [float(value) for value in np.add.reduceat(np.array(nats), self.starts)]


def _character_starts(dataset: Dataset, tokens: npt.NDArray[np.unsignedinteger]) -> npt.NDArray[np.intp]:
    if dataset.tokenizer.kind != "byte":
        return np.arange(len(tokens))
    return np.flatnonzero((np.asarray(tokens) & 0xC0) != 0x80)  # every byte of UTF-8 but those that continue one
