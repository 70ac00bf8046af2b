"""When memory does not suffice: how that is told from other errors, in which numbers, and what takes less of it."""

from __future__ import annotations

import ctypes
import errno
import gc
import os
import re
import sys
from functools import cache

from gpt_tui.core.config import FIELDS, RunConfig
from gpt_tui.core.device import memory_free, memory_in_use
from gpt_tui.core.errors import GptTuiError, show_size

# What PyTorch's allocators (CPU, CUDA, MPS), the C++ library and NVIDIA's libraries say.
_SIGNS = (
    "out of memory",
    "can't allocate memory",
    "cannot allocate memory",
    "not enough memory",
    "bad_alloc",
    "bad allocation",
    "alloc_failed",
)
_ASKED = re.compile(r"(?:tried to|unable to) allocate ([\d.]+) ?([kmgtpe]?)(i?)b", re.IGNORECASE)


class OutOfMemory(GptTuiError):
    """Something did not fit into memory. numbers: what was asked for, what was free and in use, in words."""

    def __init__(self, what: str, numbers: str):
        self.numbers = numbers
        super().__init__(f"{what}: {numbers}" if numbers else what)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error of Python, numpy or PyTorch says that memory did not suffice."""
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    if isinstance(error, MemoryError | OutOfMemory) or type(error).__name__ == "OutOfMemoryError":
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error).lower() for sign in _SIGNS)


def shortage(error: Exception, what: str, device: str) -> OutOfMemory | None:
    """The error in words and numbers, as things are while it is handled; None where it is about something else."""
    if isinstance(error, OutOfMemory):
        return error
    if not is_out_of_memory(error):
        return None
    numbers = (
        ("asked for", asked_for(error)),
        ("free", memory_free(device)),
        ("in use", memory_in_use(device)),
    )
    return OutOfMemory(what, ", ".join(f"{show_size(size)} {how}" for how, size in numbers if size is not None))


def asked_for(error: Exception) -> int | None:
    """Bytes that could not be had, as the error tells it."""
    found = _ASKED.search(str(error))
    if found is None:
        return None
    number, prefix, binary = found.groups()
    power: int = " kmgtpe".index(prefix.lower() or " ")
    return round(float(number.rstrip(".")) * (1024.0 if binary else 1000.0) ** power)


# mallopt(3): how much freed memory at the end of the heap is kept, and how many blocks have a mapping of their own.
_TRIM_THRESHOLD, _MMAP_MAX, _ARENA_MAX = -1, -4, -8


def keep_freed_memory() -> None:
    """Have the C library keep what a step frees for the next one, which asks for the same again (GNU's, Linux).

    Otherwise it gives it back to the system each time, and a tenth of a step goes into having it mapped anew.
    Nothing is done where the environment (MALLOC_…, GLIBC_TUNABLES) tells the C library what to do.
    """
    if any(name.startswith("MALLOC_") for name in os.environ) or "GLIBC_TUNABLES" in os.environ:
        return  # a person has decided otherwise
    if (adjust := getattr(_c_library(), "mallopt", None)) is not None:
        adjust(_TRIM_THRESHOLD, 2**31 - 1)
        adjust(_MMAP_MAX, 0)
        adjust(_ARENA_MAX, 1)  # that of another thread ends at 64 MB


@cache
def _c_library() -> ctypes.CDLL | None:
    return ctypes.CDLL(None) if sys.platform == "linux" else None


def release(device: str) -> None:
    """Give back what nothing needs any more, so that a smaller attempt, or another program, finds room."""
    gc.collect()
    if device == "cpu" and (trim := getattr(_c_library(), "malloc_trim", None)) is not None:
        trim(0)
    if device == "cpu" or "torch" not in sys.modules:
        return
    import torch

    if device == "cuda":
        torch.cuda.empty_cache()
    elif device == "mps":
        torch.mps.empty_cache()


def in_smaller_batches(config: RunConfig) -> RunConfig | None:
    """The same steps and evaluations from the same windows, read a few at a time; None where none can be smaller.

    The batch is divided by its smallest prime factor, so that a step still reads as many windows as it did.
    """
    training = config.training
    factor = _smallest_factor(training.batch_size)
    steps, iters = training.gradient_accumulation_steps * factor, training.eval_iters * factor
    if factor == 1 or not _allowed("gradient_accumulation_steps", steps):
        return None
    changes = {"batch_size": training.batch_size // factor, "gradient_accumulation_steps": steps}
    if _allowed("eval_iters", iters):
        changes["eval_iters"] = iters
    return config.replace(**changes)


def windows_at_once(config: RunConfig, vocab_size: int, eval_iters: int) -> int:
    """How many windows an evaluation reads at once. eval_iters 0 is one of the whole split."""
    training = config.training
    whole = max(1, 2**20 // max(64, vocab_size) // config.model.block_size)  # so that the logits stay around 4 MB
    wanted = training.batch_size if eval_iters else whole
    return wanted if training.eval_batch_size == "off" else min(wanted, training.eval_batch_size)


def in_smaller_evaluations(config: RunConfig, vocab_size: int, eval_iters: int) -> RunConfig | None:
    """The same evaluations, half as many windows at once; None where it is one already."""
    windows = windows_at_once(config, vocab_size, eval_iters)
    return config.replace(eval_batch_size=windows // 2) if windows > 1 else None


def _allowed(name: str, value: int) -> bool:
    maximum = FIELDS[name].maximum
    return maximum is None or value <= maximum


def _smallest_factor(number: int) -> int:
    return next((n for n in range(2, number + 1) if number % n == 0), 1)
