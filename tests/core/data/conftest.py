"""An HTTP server on this machine that answers each request as a test tells it to."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

Answer = Callable[[BaseHTTPRequestHandler], None]
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


class FileServer:
    """Serves `content`. `answers` holds how the next requests are answered, the last one for all that follow."""

    def __init__(self) -> None:
        self.content = b""
        self.answers: list[Answer] = [self.whole]
        self.ranges: list[str | None] = []
        self.closing = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.ranges.append(self.headers.get("Range"))
                answer = outer.answers.pop(0) if len(outer.answers) > 1 else outer.answers[0]
                try:
                    answer(self)
                except OSError:
                    pass  # the client has gone, as the test wanted

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/input.txt"

    def close(self) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def whole(self, request: BaseHTTPRequestHandler) -> None:
        """All of the content, or the range that was asked for."""
        asked = request.headers.get("Range")
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
        self._send(request, 206 if asked else 200, start, self.content[start:])

    def without_ranges(self, request: BaseHTTPRequestHandler) -> None:
        """All of the content, whatever was asked for."""
        self._send(request, 200, 0, self.content)

    def cut_after(self, n_bytes: int) -> Answer:
        """The whole length is promised, and the connection ends after `n_bytes`."""

        def answer(request: BaseHTTPRequestHandler) -> None:
            asked = request.headers.get("Range")
            start = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
            body = self.content[start:]
            self._send(request, 206 if asked else 200, start, body[:n_bytes], promised=len(body))

        return answer

    def other_content(self, content: bytes) -> Answer:
        def answer(request: BaseHTTPRequestHandler) -> None:
            self._send(request, 200, 0, content)

        return answer

    def endless(self, request: BaseHTTPRequestHandler) -> None:
        """A body of unknown length that does not end."""
        request.send_response(200)
        request.end_headers()
        while not self.closing.is_set():
            request.wfile.write(b"to be, or not to be\n" * 1000)

    def silent(self, request: BaseHTTPRequestHandler) -> None:
        """No answer at all."""
        self.closing.wait(30)

    def stalled_after(self, n_bytes: int) -> Answer:
        """The first bytes, and then nothing more."""

        def answer(request: BaseHTTPRequestHandler) -> None:
            self._send(request, 200, 0, self.content[:n_bytes], promised=len(self.content))
            self.closing.wait(30)

        return answer

    def missing(self, request: BaseHTTPRequestHandler) -> None:
        request.send_error(404)

    def _send(
        self,
        request: BaseHTTPRequestHandler,
        status: int,
        start: int,
        body: bytes,
        promised: int | None = None,
    ) -> None:
        request.send_response(status)
        request.send_header("Content-Length", str(len(body) if promised is None else promised))
        if status == 206:
            request.send_header("Content-Range", f"bytes {start}-{len(self.content) - 1}/{len(self.content)}")
        request.end_headers()
        request.wfile.write(body)
        request.wfile.flush()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    running = FileServer()
    yield running
    running.close()
