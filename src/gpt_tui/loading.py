"""While the program is loaded, Python's garbage collector stays out of the way: all that is made then is there to stay,
and to look through it again and again takes about a tenth of the time until there is something to see."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


def begin() -> None:
    gc.disable()


def end() -> None:
    """Collect again from now on, but never look through what has been loaded. Nothing where it was not begun."""
    if gc.isenabled():
        return
    gc.freeze()
    gc.enable()


@contextmanager
def loading() -> Iterator[None]:
    """Nothing where that has begun already, in another thread perhaps, or where somebody wants no collector at all."""
    if not gc.isenabled():
        yield
        return
    begin()
    try:
        yield
    finally:
        end()
