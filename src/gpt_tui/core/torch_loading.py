"""Loading torch in a thread beside a screen that goes on answering.

Python's lock is held while an import opens its libraries, and torch's large one takes some tenths of a second. What is
opened here before, without that lock, is there already when the import asks for it.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import sys
from pathlib import Path

from gpt_tui.loading import loading

# As torch opens them: the first gives its symbols to whatever is opened later. None of them knows Python.
_LIBRARIES = (
    ("libtorch_global_deps.so", os.RTLD_NOW | os.RTLD_GLOBAL),
    ("libtorch_cpu.so", os.RTLD_NOW | os.RTLD_LOCAL),
) if sys.platform == "linux" else ()  # fmt: skip


def load_torch() -> None:
    """Import torch, if it is not there yet. Whatever fails, fails in the import, which says why."""
    if "torch" in sys.modules:
        return
    with loading():
        open_libraries()
        import torch  # noqa: F401


def open_libraries() -> None:
    """Open torch's libraries, as far as they are where its wheels have them, while other threads go on (Linux)."""
    spec = importlib.util.find_spec("torch")
    if spec is None or spec.origin is None:
        return
    for name, mode in _LIBRARIES:
        if not _open(Path(spec.origin).parent / "lib" / name, mode):
            return


def _open(library: Path, mode: int) -> bool:
    """Whether a library could be opened; it stays open. `ctypes.CDLL` would keep Python's lock meanwhile."""
    if not library.is_file():
        return False
    opens = ctypes.CDLL(None).dlopen
    opens.argtypes, opens.restype = (ctypes.c_char_p, ctypes.c_int), ctypes.c_void_p
    return opens(os.fsencode(library), mode) is not None
