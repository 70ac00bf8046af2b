"""Keys obeyed one after the other, however fast they are typed, and on the screen that they were typed at."""

from __future__ import annotations

import asyncio
import time

from textual import events, work
from textual.app import App
from textual.message_pump import MessagePump
from textual.timer import Timer
from textual.widgets import Input

from gpt_tui.tui.screen import too_small

Typed = events.Key | events.Paste | events.Resize
UNSEEN_SECONDS = 0.25  # nobody reacts faster to a window that has become too small


class TypedKeys(App[None]):
    """An app whose keys wait in line: each is obeyed only once all that the one before it set off is done.

    Textual hands a key to the focused widget and takes the next; a key that is no letter comes back to the app behind
    the letters typed after it, and a field gets the focus after them. Of "0.002", enter, "1", typed during a short
    standstill, the 1 would be part of the value. What is pasted waits in the same line. Call `obey_keys` on mounting.

    A window that becomes too small for the views takes the keys from them. Its size waits in line too, and a moment
    before that: what was typed before anybody could see the notice is meant for what was there.
    """

    def __init__(self) -> None:
        super().__init__()
        self._typed: asyncio.Queue[Typed] = asyncio.Queue()
        self._shrunk: events.Resize | None = None  # the newest size, if it is too small and not taken up yet
        self._unseen: Timer | None = None
        self._touched_at = 0.0

    @property
    def untouched(self) -> float:
        """Seconds since a key or the mouse was used."""
        return time.monotonic() - self._touched_at

    def touch(self) -> None:
        self._touched_at = time.monotonic()

    async def on_event(self, event: events.Event) -> None:
        if isinstance(event, events.InputEvent | events.Paste):
            self.touch()
        if isinstance(event, events.Key | events.Paste) and not event.is_forwarded:
            self._typed.put_nowait(event)
        elif isinstance(event, events.Resize) and self._takes_keys_away(event):
            self._shrunk = event
            self._unseen = self._unseen or self.set_timer(UNSEEN_SECONDS, self._shrink_in_turn)
        else:
            if isinstance(event, events.Resize):
                self._stay_large()
                self.refresh(layout=True)  # what was drawn may be lost, also where the old size is back
            await super().on_event(event)

    def _takes_keys_away(self, event: events.Resize) -> bool:
        return self._size is not None and too_small(event.size) and not too_small(self._size)

    def _stay_large(self) -> None:
        self._shrunk = None
        if self._unseen is not None:
            self._unseen.stop()
            self._unseen = None

    def _shrink_in_turn(self) -> None:
        self._unseen = None
        if self._shrunk is not None:
            self._typed.put_nowait(self._shrunk)

    @work(group="keys")
    async def obey_keys(self) -> None:
        while True:
            event = await self._typed.get()
            try:
                await self.obey(event)
            except Exception as error:  # noqa: BLE001 - what an action raises ends the program as anywhere else
                self._handle_exception(error)
                return

    async def obey(self, event: Typed) -> None:
        """Do what one of them asks for, whose turn it is."""
        if isinstance(event, events.Resize):
            if self._shrunk is not None:  # or it grew again meanwhile
                newest, self._shrunk = self._shrunk, None
                await super().on_event(newest)
            return
        focused = self.focused
        typed = isinstance(focused, Input) and isinstance(event, events.Key) and event.is_printable
        if typed or isinstance(event, events.Paste) or not await self._check_bindings(event.key):
            await super().on_event(event)
        for _ in range(2):  # what a widget tells its owner, and what the owner does then
            for node in (focused or self.screen).ancestors_with_self:
                await self._settle(node)

    async def _settle(self, node: MessagePump) -> None:
        """Wait until a widget has handled what waits for it now; not long where it is being taken down."""
        done = asyncio.Event()
        if node.is_running and node.call_later(done.set):
            try:
                async with asyncio.timeout(1):  # wait_for may swallow that the app is being left
                    await done.wait()
            except TimeoutError:
                pass
