"""`gpt-tui --serve`: the playground in a browser. A page, and behind each open page a playground of its own.

The terminal in the page and the way bytes take between it and a program are textual-serve's (the extra `web`). What is
ours: the page around it, who may connect, and that every playground saves its run when its page or this server goes.
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
import platform
import shlex
import signal
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from gpt_tui.cli.arguments import Arguments
from gpt_tui.console import Console
from gpt_tui.core.errors import Fault, GptTuiError, Refusal

if TYPE_CHECKING:
    from aiohttp import web
    from aiohttp.typedefs import Handler

DEFAULT_HOST, DEFAULT_PORT, HIGHEST_PORT = "127.0.0.1", 8000, 65_535
SERVE_ONLY = ("host", "port")
NOT_PASSED_ON = ("serve", *SERVE_ONLY)
SAVE_SECONDS = 15.0  # a playground takes up to 8 to save, and 3 more where it is deep in a computation
HEARTBEAT_SECONDS = 15.0  # a page that is gone without a word is noticed after so long
DRIVER = "TEXTUAL_DRIVER"  # names what a program draws with; by that it knows who started it
THEIR_DRIVER, OUR_DRIVER = "textual.drivers.web_driver:WebDriver", "gpt_tui.tui.web:SavingWebDriver"
PAGE = Path(__file__).with_name("page.html")
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; script-src 'self' 'unsafe-inline'; "
    "style-src 'self' 'unsafe-inline'; connect-src 'self' ws: wss:; img-src 'self' data:; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
}


def is_served() -> bool:
    """Whether this process is the program behind a page."""
    return os.environ.get(DRIVER) == THEIR_DRIVER


def draw_in_page() -> None:
    """Draw with the driver that loses no run. To be called before Textual is imported."""
    os.environ[DRIVER] = OUR_DRIVER


def check(arguments: Arguments) -> None:
    """Note what cannot be given with --serve, or without it."""
    if "serve" not in arguments:
        faults = [Fault(arguments.labels[name], None, "needs --serve") for name in SERVE_ONLY if name in arguments]
        arguments.faults += faults
        return
    for name, why in (
        ("headless", "--serve opens the playground, --headless trains without one: give one of them"),
        ("print-config", "cannot be given with --serve"),
        ("run-name", "cannot be given with --serve: every page that is opened would begin a run of that name"),
    ):
        if name in arguments:
            arguments.faults.append(Fault(arguments.labels[name], arguments.get(name) or None, why))
    _port(arguments)
    if not arguments.options.get("host", DEFAULT_HOST).strip():
        arguments.faults.append(Fault("--host", "", "must be a name or an address, such as 127.0.0.1"))
    if find_spec("textual_serve") is None:
        arguments.faults.append(
            Fault("--serve", None, f"needs the extra web, which is not installed: {sys.executable} -m pip install "
                  '"gpt-tui[web]"')
        )  # fmt: skip


def _port(arguments: Arguments) -> int:
    """The port; 0 lets the system choose a free one. A fault is noted where it is none."""
    text = arguments.options.get("port", str(DEFAULT_PORT))
    if text.isascii() and text.isdigit() and len(text) <= 5 and int(text) <= HIGHEST_PORT:
        return int(text)
    arguments.faults.append(Fault("--port", text, f"must be a whole number from 0 to {HIGHEST_PORT:,}"))
    return DEFAULT_PORT


def run(arguments: Arguments, console: Console) -> int:
    """Serve until a signal comes; 130, 143 or 129 then. The order must have been checked. Raises GptTuiError."""
    host, port = arguments.options.get("host", DEFAULT_HOST), _port(arguments)
    return asyncio.run(_serve(Playgrounds(program(arguments), host), host, port, console))


def program(arguments: Arguments) -> list[str]:
    """The command that each page runs: this program with the options that were given, those of --serve left out."""
    passed = (
        f"--{name}={value}" if option.value else f"--{name}"
        for name, value in arguments.options.items()
        if name not in NOT_PASSED_ON and (option := arguments.command.option(name)) is not None
    )
    return [sys.executable, "-m", "gpt_tui", *passed]


def quoted(command: list[str]) -> str:
    """One line of the system's shell; `exec`, so that signals reach the program and no shell between."""
    return subprocess.list2cmdline(command) if os.name == "nt" else f"exec {shlex.join(command)}"


def is_loopback(host: str) -> bool:
    return host.lower() == "localhost" or (_is_address(host) and ipaddress.ip_address(host.strip("[]")).is_loopback)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


def _hostname(host: str) -> str:
    """The name or address in a Host header, without its port; "" of one that is none."""
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""


async def _serve(playgrounds: Playgrounds, host: str, port: int, console: Console) -> int:
    from aiohttp import web

    stopped = asyncio.Event()
    status = 0

    def stop(number: int) -> None:
        nonlocal status
        status = status or 128 + number
        stopped.set()

    loop = asyncio.get_running_loop()
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name) and os.name != "nt":  # Windows: asyncio.run makes ctrl+c a KeyboardInterrupt
            loop.add_signal_handler(getattr(signal, name), stop, getattr(signal, name))
    runner = web.AppRunner(playgrounds.application(), shutdown_timeout=SAVE_SECONDS, access_log=None)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            raise _cannot_listen(host, port, error) from None
        _announce(runner.addresses[0][1], host, console)
        await stopped.wait()
        console.warn("gpt-tui: saving and leaving")
    finally:
        await playgrounds.close()
        await runner.cleanup()
    return status


def _cannot_listen(host: str, port: int, error: OSError) -> Exception:
    import errno

    if error.errno == errno.EADDRINUSE:
        return Refusal.one("--port", port, "is in use on this machine; name another, or 0 for one that is free")
    if error.errno == errno.EACCES:
        return Refusal.one("--port", port, "is not open to you; ports from 1024 on are")
    return GptTuiError(f"{host}:{port} cannot be served: {error.strerror or error}")


def _announce(port: int, host: str, console: Console) -> None:
    shown = f"[{host}]" if ":" in host and not host.startswith("[") else host
    if not is_loopback(host):
        console.warn(
            f"gpt-tui: --host {host} is open to the network: anyone who can reach this machine on port {port} can "
            "train on it, and read files with your rights. There is no password and no encryption."
        )
    console.say(f"The playground is on http://{shown}:{port}")
    console.say("A page that is closed saves its run and leaves. ctrl+c stops this server; all runs are saved.")


class Playgrounds:
    """The pages that are open, and the program behind each."""

    def __init__(self, command: list[str], host: str) -> None:
        self._command = quoted(command)
        self._names = {"localhost", host.strip("[]").lower()}
        if not is_loopback(host):
            self._names.add(platform.node().lower())
        self._sockets: set[web.WebSocketResponse] = set()
        self._handlers: set[asyncio.Task[None]] = set()

    def application(self) -> web.Application:
        import textual_serve
        from aiohttp import web

        @web.middleware
        async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
            if why := self.refuses(request.host, request.headers.get("Origin")):
                return web.Response(status=403, text=why)
            return await handler(request)

        application = web.Application(middlewares=[guarded])
        files = Path(textual_serve.__file__).parent / "static"
        application.add_routes(
            [web.get("/", self._page), web.get("/ws", self._connect), web.static("/static", files, show_index=False)]
        )
        return application

    def refuses(self, host: str, origin: str | None) -> str | None:
        """Why a request may not be answered; None where it may.

        Any site that a person visits can send their browser to this address, even under a name of that site's own
        that it lets mean this machine. So what was asked for must be an address, which nobody else can give a meaning,
        or a name of this machine; and a page that connects must be the one served here.
        """
        name = _hostname(host)
        if name not in self._names and not _is_address(name):
            known = " and ".join(sorted(self._names))
            return f"This server answers to its address, to {known}, not to {name!r}; --host names what it answers to."
        if origin is not None and origin.lower().partition("://")[2] != host.lower():
            return "Only the page that is served here may connect."
        return None

    async def _page(self, _: web.Request) -> web.Response:
        from aiohttp import web

        return web.Response(text=PAGE.read_text(encoding="utf-8"), content_type="text/html", headers=HEADERS)

    async def _connect(self, request: web.Request) -> web.WebSocketResponse:
        from aiohttp import web

        socket = web.WebSocketResponse(heartbeat=HEARTBEAT_SECONDS)
        await socket.prepare(request)
        task = asyncio.create_task(self._play(socket, _cells(request, "width", 80), _cells(request, "height", 24)))
        self._handlers.add(task)
        task.add_done_callback(self._handlers.discard)
        await asyncio.shield(task)  # whatever becomes of the request, the program is told to save and waited for
        return socket

    async def _play(self, socket: web.WebSocketResponse, width: int, height: int) -> None:
        """Run a playground for a page until one of them goes, then wait until the run is saved."""
        from gpt_tui.cli.served import Program, relay

        self._sockets.add(socket)
        running = Program(self._command, socket)
        try:
            await running.start(width, height)
            await relay(socket, running)
        finally:
            self._sockets.discard(socket)
            await running.stop()

    async def close(self) -> None:
        """Let every playground save and leave."""
        from aiohttp import WSCloseCode

        for socket in list(self._sockets):
            await socket.close(code=WSCloseCode.GOING_AWAY)
        if self._handlers:
            await asyncio.wait(self._handlers, timeout=SAVE_SECONDS)


def _cells(request: web.Request, name: str, default: int) -> int:
    text = request.query.get(name, "")
    return min(max(int(text), 1), 1000) if text.isascii() and text.isdigit() and len(text) < 6 else default
