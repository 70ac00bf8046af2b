"""How long tests wait for what will come: so long that it says "never". Machines are shared, and may stand still."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

PATIENCE = 120.0  # seconds


def patiently() -> Iterator[None]:
    """Once for each look at what is waited for, until patience ends. Whoever looks rests in between."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        yield


def until(true: Callable[[], Any]) -> Any:
    """Wait for something that another thread or process does; what it then was."""
    for _ in patiently():
        if found := true():
            return found
        time.sleep(0.01)
    raise AssertionError("it never came true")
