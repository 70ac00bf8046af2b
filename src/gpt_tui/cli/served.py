"""One playground behind one page: its process, by textual-serve's protocol, and the page's messages to it.

Imported only once a page connects: it needs the extra `web`.
"""

from __future__ import annotations

import json
from typing import Any

from aiohttp import WSMsgType, web
from textual_serve.app_service import AppService
from textual_serve.download_manager import DownloadManager


class Program(AppService):
    """The program's output is read to its end, page or no page: with nobody reading it could not go on to save."""

    def __init__(self, command: str, socket: web.WebSocketResponse) -> None:
        self._socket = socket
        super().__init__(
            command,
            write_bytes=self._write_bytes,
            write_str=self._write_str,
            close=self._close_page,
            download_manager=DownloadManager(),
        )

    async def run(self) -> None:
        """Until the program has left; then the page is told, however it left."""
        await super().run()
        await self._close_page()

    async def _write_bytes(self, data: bytes) -> None:
        try:
            await self._socket.send_bytes(data)
        except ConnectionError:
            pass  # the page is gone; its end is noticed where its messages are read

    async def _write_str(self, text: str) -> None:
        try:
            await self._socket.send_str(text)
        except ConnectionError:
            pass

    async def _close_page(self) -> None:
        await self._socket.close()


async def relay(socket: web.WebSocketResponse, program: Program) -> None:
    """Pass on what the page sends until it is gone; what is no message of its own is passed over."""
    async for message in socket:
        kind, value = _read(message.data) if message.type == WSMsgType.TEXT else ("", None)
        if kind == "stdin" and isinstance(value, str):
            await program.send_bytes(value.encode("utf-8", "replace"))
        elif kind == "resize" and isinstance(value, dict):
            width, height = value.get("width"), value.get("height")
            if isinstance(width, int) and isinstance(height, int) and 0 < width <= 1000 and 0 < height <= 1000:
                await program.set_terminal_size(width, height)
        elif kind == "ping":
            await socket.send_json(["pong", value])
        elif kind == "blur":
            await program.blur()
        elif kind == "focus":
            await program.focus()


def _read(text: str) -> tuple[str, Any]:
    """A message of the page: [what, ...]."""
    try:
        message = json.loads(text)
    except ValueError:
        return "", None
    if not isinstance(message, list) or not message or not isinstance(message[0], str):
        return "", None
    return message[0], message[1] if len(message) > 1 else None
