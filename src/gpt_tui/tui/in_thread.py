"""What takes long, done beside the screen and awaited."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TypeVar

Result = TypeVar("Result")


async def in_thread(work: Callable[[], Result]) -> Result:
    """What `work` gives or raises. Whoever leaves meanwhile is not held up, as by asyncio's own threads."""
    loop = asyncio.get_running_loop()
    waiting: asyncio.Future[Result] = loop.create_future()

    def settle(answer: Callable[[], None]) -> None:
        if not waiting.done():  # given up meanwhile
            answer()

    def run() -> None:
        try:
            answer = partial(waiting.set_result, work())
        except BaseException as error:  # noqa: BLE001 - raised where it is awaited
            answer = partial(waiting.set_exception, error)
        with suppress(RuntimeError):  # the loop is closed: whoever waited has left
            loop.call_soon_threadsafe(settle, answer)

    threading.Thread(target=run, name="gpt-tui reading", daemon=True).start()
    return await waiting
