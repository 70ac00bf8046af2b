"""Open the playground in a real browser, type into it, train a small model, look, close the page; say what was seen.

    python tools/browser_check.py [--out page.png] [--browser chromium]

It needs the extra `web` and a Chromium or Chrome, which is driven through its DevTools protocol. What the browser was
sent is read as a terminal would read it; what it shows is a picture, and whether that has the chart's lines where the
terminal has them is looked up in the browser. Exit status 1 with the reason where something is not as it should be.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp
import pyte

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
WIDTH, HEIGHT = 1280, 800
PATIENCE = 90.0
TINY = [
    "--n-layer=1", "--n-embd=32", "--n-head=2", "--block-size=32", "--batch-size=8", "--max-iters=4000",
    "--eval-interval=100", "--eval-iters=2", "--max-new-tokens=80",
]  # fmt: skip
FEWEST_CELLS = 15  # of the chart's lines, in a picture worth looking at
# Of these cells of the terminal, [[column, row, [red, green, blue]], ...], how many show their colour in the picture.
COUNT_CELLS = """
(async () => {
  const image = new Image();
  image.src = "data:image/png;base64,%(picture)s";
  await image.decode();
  const canvas = new OffscreenCanvas(image.width, image.height);
  const drawn = canvas.getContext("2d");
  drawn.drawImage(image, 0, 0);
  const screen = document.querySelector(".xterm-screen").getBoundingClientRect();
  const wide = screen.width / %(columns)d, high = screen.height / %(lines)d;
  const shows = ([column, row, colour]) => {
    const x = screen.x + column * wide, y = screen.y + row * high;
    const all = drawn.getImageData(x - 1, y - 1, wide + 2, high + 2).data;
    for (let at = 0; at < all.length; at += 4)
      if (colour.every((part, n) => Math.abs(all[at + n] - part) < 24)) return true;
    return false;
  };
  return %(cells)s.filter(shows).length;
})()
"""
Cell = tuple[int, int, tuple[int, ...]]  # column, row, colour


class Failed(Exception):
    """Something is not as it should be."""


class Browser:
    """One page of a browser, through its DevTools protocol; and the terminal that its socket feeds."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._numbers = count(1)
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._screen = pyte.Screen(80, 24)
        self._stream = pyte.ByteStream(self._screen)
        self._reader = asyncio.create_task(self._read())
        self.complaints: list[str] = []

    async def do(self, method: str, **parameters: Any) -> dict[str, Any]:
        number = next(self._numbers)
        coming = self._answers[number] = asyncio.get_running_loop().create_future()
        await self._socket.send_json({"id": number, "method": method, "params": parameters})
        answer = await asyncio.wait_for(coming, PATIENCE)
        if "error" in answer:
            raise Failed(f"{method}: {answer['error']}")
        result: dict[str, Any] = answer.get("result", {})
        return result

    async def _read(self) -> None:
        async for message in self._socket:
            data = json.loads(message.data)
            if "id" in data:
                self._answers.pop(data["id"]).set_result(data)
            else:
                self._happened(data["method"], data["params"])

    def _happened(self, method: str, parameters: dict[str, Any]) -> None:
        if method == "Network.webSocketFrameReceived":
            frame = parameters["response"]
            if frame["opcode"] == 2:
                self._stream.feed(base64.b64decode(frame["payloadData"]).replace(b"\x1b[?2026$p", b""))
        elif method == "Network.webSocketFrameSent":
            sent = json.loads(parameters["response"]["payloadData"])
            if sent[0] == "resize":
                self._screen.resize(sent[1]["height"], sent[1]["width"])
        elif method == "Runtime.exceptionThrown":
            self.complaints.append(parameters["exceptionDetails"]["text"])
        elif method == "Log.entryAdded" and parameters["entry"]["level"] == "error":
            self.complaints.append(f"{parameters['entry']['text']} {parameters['entry'].get('url', '')}")

    @property
    def text(self) -> str:
        return "\n".join(line.rstrip() for line in self._screen.display)

    @property
    def size(self) -> tuple[int, int]:
        return self._screen.columns, self._screen.lines

    @property
    def lines(self) -> list[Cell]:
        """The cells in which the chart's lines were sent: braille, in the colour it was sent in."""
        return [
            (column, row, tuple(bytes.fromhex(cell.fg)))
            for row, cells in self._screen.buffer.items()
            for column, cell in cells.items()
            if "\u2801" <= cell.data <= "\u28ff" and cell.fg != "default"
        ]

    async def wait(self, true: Callable[[str], Any], what: str) -> None:
        end = time.monotonic() + PATIENCE
        while not true(self.text):
            if time.monotonic() > end:
                raise Failed(f"{what}: never; the page was sent:\n{self.text}")
            await asyncio.sleep(0.1)

    async def press(self, key: str) -> None:
        """One key of the keyboard: down and up, as a person presses it."""
        code = f"Key{key.upper()}" if key.isalpha() else {" ": "Space"}.get(key, f"Digit{key}")
        key_of = {"key": key, "code": code, "windowsVirtualKeyCode": ord(key.upper())}
        await self.do("Input.dispatchKeyEvent", type="keyDown", text=key, **key_of)
        await self.do("Input.dispatchKeyEvent", type="keyUp", **key_of)

    async def picture(self) -> str:
        """What the page shows, a PNG in base64."""
        return str((await self.do("Page.captureScreenshot", format="png"))["data"])

    async def evaluate(self, expression: str) -> Any:
        answer = await self.do("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            raise Failed(str(answer["exceptionDetails"]))
        return answer["result"].get("value")


async def check(browser: Browser, address: str, place: Path, out: Path) -> list[str]:
    """A session in the page. Raises Failed; what was seen otherwise."""
    for domain in ("Page", "Network", "Runtime", "Log"):
        await browser.do(f"{domain}.enable")
    await browser.do("Page.navigate", url=address)
    await browser.wait(lambda text: "READY" in text, "the playground is ready")
    await _wait_for_focus(browser)
    await browser.press(" ")
    await browser.wait(lambda text: "TRAINING" in text and _step(text) > 400, "space starts a run")
    await browser.press("2")
    await browser.wait(lambda text: "n_embd" in text, "2 shows the form")
    await browser.press("1")
    await browser.wait(lambda text: "uniform" in text and "train" in text, "1 shows the loss chart")
    await browser.press(" ")  # what stands still can be compared
    await browser.wait(lambda text: "PAUSED" in text, "space pauses")
    await asyncio.sleep(1)  # for the browser to draw what it was sent
    sent = browser.lines
    picture = await browser.picture()
    out.write_bytes(base64.b64decode(picture))
    shown = await _cells_that_show(browser, picture, sent)
    if len(sent) < FEWEST_CELLS or shown < 0.95 * len(sent):
        raise Failed(f"the chart is not in the picture: of {len(sent)} cells of its lines, {shown} are in it")
    await browser.press(" ")
    await browser.wait(lambda text: "TRAINING" in text, "space goes on")
    if browser.complaints:
        raise Failed("the browser complains: " + "; ".join(browser.complaints))
    step = _step(browser.text)
    await browser.do("Page.navigate", url="about:blank")  # which closes the page, as closing its tab does
    last = await _last_event(place)
    if (last["event"], last["reason"]) != ("finished", "signal") or last["step"] < step:
        raise Failed(f"closing the page did not save the run: {last}")
    return [
        f"a terminal of {'x'.join(map(str, browser.size))} cells, trained past step {step}",
        f"{shown} of {len(sent)} cells of the chart's lines are seen; the picture is {out}",
        f"the page was closed, and its run is saved at step {last['step']}",
    ]


async def _wait_for_focus(browser: Browser) -> None:
    """The page takes the focus by itself: nobody has to click before the first key."""
    end = time.monotonic() + PATIENCE
    while not await browser.evaluate("document.activeElement.matches('.xterm-helper-textarea')"):
        if time.monotonic() > end:
            raise Failed("keys would not reach the terminal: it has no focus")
        await asyncio.sleep(0.1)


async def _cells_that_show(browser: Browser, picture: str, cells: list[Cell]) -> int:
    columns, lines = browser.size
    asked = {"picture": picture, "columns": columns, "lines": lines, "cells": json.dumps(cells)}
    return int(await browser.evaluate(COUNT_CELLS % asked))


def _step(text: str) -> int:
    found = re.search(r"step +(\d+)/", text)
    return int(found[1]) if found else -1


async def _last_event(place: Path) -> dict[str, Any]:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        (log,) = place.glob("runs/*/events.jsonl")
        last: dict[str, Any] = json.loads(log.read_text(encoding="utf-8").splitlines()[-1])
        if last["event"] == "finished":
            break
        await asyncio.sleep(0.1)
    return last


async def session(browser_path: str, out: Path) -> list[str]:
    with tempfile.TemporaryDirectory(prefix="gpt-tui-browser-", ignore_cleanup_errors=True) as folder:
        place = Path(folder)
        (place / "text.txt").write_text("To be, or not to be, that is the question.\n" * 500, encoding="utf-8")
        server = _start_server(place)
        shown = None
        try:
            address = await _said(server, place / "server.txt", r"http://\S+")
            shown = _start_browser(browser_path, place)
            devtools = await _said(shown, place / "browser.txt", r"(?<=DevTools listening on )\S+")
            root = devtools.replace("ws://", "http://").partition("/devtools")[0]
            async with aiohttp.ClientSession() as client:
                async with client.get(f"{root}/json/list") as answer:
                    page = next(p for p in await answer.json(content_type=None) if p["type"] == "page")
                async with client.ws_connect(page["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                    seen = await check(Browser(socket), address, place, out)
            server.send_signal(signal.SIGINT)
            if (status := server.wait(PATIENCE)) != 130:
                raise Failed(f"the server left with status {status}")
            return seen
        finally:
            for process in (shown, server):
                if process is not None:
                    process.kill()
                    process.wait()


def _start_server(place: Path) -> subprocess.Popen[bytes]:
    places = {"RUNS_DIR": "runs", "CACHE_DIR": "cache", "STATE_DIR": "state", "CONFIG": "config.toml"}
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("GPT_TUI_", "NO_COLOR"))}
    environment |= {f"GPT_TUI_{name}": str(place / kept) for name, kept in places.items()}
    command = [sys.executable, "-m", "gpt_tui", "--serve", "--port", "0", "--dataset", str(place / "text.txt"), *TINY]
    with (place / "server.txt").open("wb") as said:
        return subprocess.Popen(command, env=environment, stdout=said, stderr=said)


def _start_browser(path: str, place: Path) -> subprocess.Popen[bytes]:
    command = [
        path, "--headless=new", "--no-first-run", "--disable-gpu", "--remote-debugging-port=0", "--hide-scrollbars",
        f"--user-data-dir={place / 'browser'}", f"--window-size={WIDTH},{HEIGHT}", "about:blank",
    ]  # fmt: skip
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.insert(1, "--no-sandbox")  # Chromium's sandbox refuses to run as root
    with (place / "browser.txt").open("wb") as said:
        return subprocess.Popen(command, stdout=said, stderr=said)


async def _said(process: subprocess.Popen[bytes], file: Path, pattern: str) -> str:
    """What a process says that matches, once it does."""
    end = time.monotonic() + PATIENCE
    while True:
        text = file.read_text(encoding="utf-8", errors="replace")
        if found := re.search(pattern, text):
            return found[0]
        if process.poll() is not None or time.monotonic() > end:
            raise Failed(f"{process.args}: never said {pattern}:\n{text}")
        await asyncio.sleep(0.1)


def main() -> int:
    parser = argparse.ArgumentParser(description="Check the playground in a real browser.")
    parser.add_argument("--out", type=Path, default=Path("page.png"), help="where the picture of the page goes")
    parser.add_argument("--browser", help="a Chromium or Chrome (default: the first that is installed)")
    asked = parser.parse_args()
    path = asked.browser or next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if path is None:
        print(f"There is no browser; tried {', '.join(BROWSERS)}")
        return 1
    try:
        print("\n".join(asyncio.run(session(path, asked.out))))
    except Failed as failed:
        print(f"FAILED: {failed}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
