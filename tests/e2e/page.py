"""`gpt-tui --serve` and a page of it, without a browser: the same requests and messages as the page's script sends."""

from __future__ import annotations

import asyncio
import re
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pyte
from pseudo_terminal import ASKS_FOR_FRAMES, KEYS, PATIENCE, terminal_environment

from program import command


class Server:
    """`gpt-tui --serve` with these arguments. told: what it has said on stderr."""

    def __init__(self, place: Path, *arguments: str, **environ: str) -> None:
        self._said = place / f"served-{time.monotonic_ns()}.txt"
        with self._said.open("wb") as stderr:
            self.process = subprocess.Popen(
                command("--serve", *arguments), cwd=place, env=terminal_environment(place, **environ),
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=stderr, start_new_session=True,
            )  # fmt: skip

    @property
    def told(self) -> str:
        return self._said.read_text(encoding="utf-8")

    @property
    def address(self) -> str:
        """Where it serves; waits until it says so."""
        end = time.monotonic() + PATIENCE
        while not (found := re.search(r"http://\S+", self.told)):
            assert self.process.poll() is None, self.told
            assert time.monotonic() < end, self.told
            time.sleep(0.05)
        return found[0]

    def stop(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)


@contextmanager
def serving(place: Path, *arguments: str, **environ: str) -> Iterator[Server]:
    """A server on a port that the system chooses; gone at the end."""
    server = Server(place, "--port", "0", *arguments, **environ)
    try:
        yield server
    finally:
        if server.process.poll() is None:
            server.process.kill()
        server.process.wait()


class Page:
    """An open page, and what its terminal shows."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, columns: int, rows: int) -> None:
        self._socket = socket
        self._screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self._screen)
        self._reader = asyncio.create_task(self._read())
        self.answers: list[str] = []

    async def _read(self) -> None:
        async for message in self._socket:
            if message.type == aiohttp.WSMsgType.BINARY:
                self._stream.feed(message.data.replace(ASKS_FOR_FRAMES, b""))
            else:
                self.answers.append(message.data)

    @property
    def text(self) -> str:
        return "\n".join(line.rstrip() for line in self._screen.display)

    @property
    def closed(self) -> bool:
        return self._reader.done()

    async def send(self, *message: Any) -> None:
        await self._socket.send_json(list(message))

    async def press(self, *keys: str) -> None:
        for key in keys:
            await self.send("stdin", KEYS.get(key, key.encode()).decode())

    async def resize(self, columns: int, rows: int) -> None:
        self._screen.resize(rows, columns)
        await self.send("resize", {"width": columns, "height": rows})

    async def wait(self, true: str | Callable[[], Any]) -> None:
        seen = (lambda: true in self.text) if isinstance(true, str) else true
        end = time.monotonic() + PATIENCE
        while not seen():
            assert time.monotonic() < end, f"never {true!r}; the page:\n{self.text}"
            await asyncio.sleep(0.05)

    async def close(self) -> None:
        await self._socket.close()
        await self._reader


@asynccontextmanager
async def opened_page(address: str, columns: int = 80, rows: int = 24, **headers: str) -> AsyncIterator[Page]:
    """Connect as the page's script does once it is loaded."""
    async with (
        aiohttp.ClientSession() as client,
        client.ws_connect(
            f"{address}/ws", params={"width": columns, "height": rows}, headers={"Origin": address, **headers}
        ) as socket,
    ):
        page = Page(socket, columns, rows)
        await page.send("resize", {"width": columns, "height": rows})
        await page.send("ping", "1")
        await page.send("focus")
        try:
            yield page
        finally:
            await page.close()
