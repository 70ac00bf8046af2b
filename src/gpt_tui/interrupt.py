"""An interrupt (ctrl+c) while the program is being loaded: it leaves at once and in silence, for nothing has begun.

In the midst of an import a KeyboardInterrupt would come out as a traceback, or as another error.
"""

import os
import signal
from types import FrameType

INTERRUPTED = 130


def leave_while_loading() -> None:
    """Until `loaded` is called. Where interrupts are ignored, as for a job in a script's background, they stay so."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _leave)


def loaded() -> None:
    if signal.getsignal(signal.SIGINT) is _leave:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _leave(number: int, frame: FrameType | None) -> None:
    os._exit(INTERRUPTED)
