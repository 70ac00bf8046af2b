"""Separate random streams, each derived from a run's seed, so that looking at a run never changes what it learns."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from gpt_tui.core.errors import GptTuiError


def derive_seed(seed: int, stream: str) -> int:
    """A seed of 63 bits for one stream of a run: the same on every platform, and unrelated between streams."""
    digest = hashlib.sha256(f"{seed}/{stream}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def make_stream(seed: int, stream: str) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(derive_seed(seed, stream)))


def stream_state(stream: np.random.Generator) -> dict[str, str]:
    """The stream's position, ready for JSON (its numbers have 128 bits, more than JSON readers keep)."""
    state = stream.bit_generator.state
    return {
        "state": str(state["state"]["state"]),
        "inc": str(state["state"]["inc"]),
        "has_uint32": str(state["has_uint32"]),
        "uinteger": str(state["uinteger"]),
    }


def restore_stream(stream: np.random.Generator, saved: Any) -> None:
    """Put the stream back to a position that `stream_state` gave. Raises GptTuiError for anything else."""
    try:
        numbers = {name: int(saved[name]) for name in ("state", "inc", "has_uint32", "uinteger")}
        stream.bit_generator.state = {
            "bit_generator": "PCG64",
            "state": {"state": numbers["state"], "inc": numbers["inc"]},
            "has_uint32": numbers["has_uint32"],
            "uinteger": numbers["uinteger"],
        }
    except (KeyError, TypeError, ValueError, OverflowError):
        raise GptTuiError("the saved position of a random stream cannot be read") from None
