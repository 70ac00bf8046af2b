"""One file over HTTP, whole or not at all: time limits, going on after a break, a checksum, a rename at the end."""

from __future__ import annotations

import hashlib
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import cast
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from gpt_tui import __version__
from gpt_tui.core.data.cache import Cache, LockTimeout, reason
from gpt_tui.core.data.watch import Watch
from gpt_tui.core.errors import GptTuiError

_BLOCK_BYTES = 1 << 16
_POLL_SECONDS = 0.05
_ATTEMPTS = 3


class DownloadError(GptTuiError):
    """The file could not be had. The message is the reason, to stand inside a sentence."""


class WrongContent(DownloadError):
    """What came is not the file that was asked for."""


class _Broken(Exception):
    """The connection ended in the middle; what came so far is kept."""


@dataclass(frozen=True)
class RemoteFile:
    """A file at an address, known by its SHA-256 and its size in bytes."""

    url: str
    sha256: str
    size: int


@dataclass(frozen=True)
class Limits:
    """Seconds: `connect` to wait for each answer of the network, `whole` for everything (None: no limit)."""

    connect: float = 15.0
    whole: float | None = None


@dataclass
class _Transfer:
    """What the transferring thread and its caller tell each other."""

    done: int = 0
    error: BaseException | None = None
    cancelled: threading.Event = field(default_factory=threading.Event)
    finished: threading.Event = field(default_factory=threading.Event)


def download(remote: RemoteFile, cache: Cache, name: str, limits: Limits, watch: Watch) -> Path:
    """The file `texts/name` of the cache, fetched unless it is there. Raises DownloadError or Stopped.

    The network is waited for in a thread of its own, so that a name that does not resolve or a server that says
    nothing can delay neither the time limit nor a stop. An abandoned thread ends at its own connection limit.
    """
    scheme = urlsplit(remote.url).scheme
    if scheme not in ("http", "https"):
        raise DownloadError(f"the address {remote.url} is not an http or https address")
    target = cache.writable("texts") / name
    transfer = _Transfer()

    def work() -> None:
        try:
            _fetch_locked(remote, cache, target, limits, transfer)
        except BaseException as error:  # noqa: BLE001 - it is raised again in the thread that asked
            transfer.error = error
        finally:
            transfer.finished.set()

    started = time.monotonic()
    threading.Thread(target=work, name="gpt-tui-download", daemon=True).start()
    try:
        while not transfer.finished.wait(_POLL_SECONDS):
            watch.report("downloading", transfer.done, remote.size)
            if limits.whole is not None and time.monotonic() - started > limits.whole:
                raise DownloadError(f"no whole answer within {limits.whole:g} seconds")
    finally:
        transfer.cancelled.set()
    if transfer.error is not None:
        raise transfer.error
    watch.report("downloading", remote.size, remote.size)
    return target


def verified(path: Path, remote: RemoteFile) -> bool:
    """Whether the file at `path` is the remote one, by size and SHA-256."""
    try:
        if path.stat().st_size != remote.size:
            return False
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == remote.sha256
    except OSError:
        return False


def _fetch_locked(remote: RemoteFile, cache: Cache, target: Path, limits: Limits, transfer: _Transfer) -> None:
    watch = Watch(should_stop=transfer.cancelled.is_set)
    try:
        with cache.lock(f"text-{target.stem}", watch, limits.whole):
            if not verified(target, remote):
                _fetch(remote, target, limits, transfer)
    except LockTimeout as error:
        raise DownloadError(str(error)) from None


def _fetch(remote: RemoteFile, target: Path, limits: Limits, transfer: _Transfer) -> None:
    """Fetch into `target.part`, going on after what is there, and put it in place once its checksum holds."""
    part = target.with_name(target.name + ".part")
    attempt = 0
    while True:
        attempt += 1
        had = part.stat().st_size if part.exists() else 0
        try:
            _append(remote, part, limits, transfer)
        except _Broken as error:
            if attempt < _ATTEMPTS and part.stat().st_size > had:
                continue
            raise DownloadError(f"{error}; what came is kept, and the next try goes on from there") from None
        except (OSError, HTTPException) as error:
            raise DownloadError(_network_reason(error, limits)) from error
        if verified(part, remote):
            part.replace(target)
            return
        part.unlink()
        # A first part from another time may be what is wrong: once more, from the beginning.
        if had == 0 or attempt >= _ATTEMPTS:
            raise WrongContent("what came is not the expected text (its SHA-256 differs), and was deleted")


def _append(remote: RemoteFile, part: Path, limits: Limits, transfer: _Transfer) -> None:
    """One request: the bytes of `part` that are still missing, or all where the server knows no ranges."""
    have = part.stat().st_size if part.exists() else 0
    if have > remote.size:
        part.unlink()
        have = 0
    transfer.done = have
    if have == remote.size:
        return
    headers = {"User-Agent": f"gpt-tui/{__version__}", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    try:
        response = cast(HTTPResponse, urlopen(Request(remote.url, headers=headers), timeout=limits.connect))
    except HTTPError as error:
        with error:
            if error.code == 416 and have:  # the server's file is shorter than what is here: not the same file
                part.unlink()
                return _append(remote, part, limits, transfer)
            raise DownloadError(f"the server answered {error.code} {error.reason}") from None
    with response:
        starts_at = _start_of_body(response, have)
        _check_length(response, remote, starts_at)
        try:
            # Unbuffered, so that a full disk is met here and nowhere later.
            with part.open("r+b" if starts_at else "wb", buffering=0) as file:
                file.seek(starts_at)
                file.truncate()
                for block in _body(response, remote, starts_at, transfer):
                    file.write(block)
        except OSError as error:
            raise DownloadError(f"the cache directory cannot hold it ({reason(error)})") from error


def _start_of_body(response: HTTPResponse, have: int) -> int:
    """The place in the file that the answer's body begins at: `have`, or 0 where the server sends all of it."""
    if response.status == 206 and response.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
        return have
    if response.status == 206:
        raise DownloadError("the server sent another part of the file than was asked for")
    return 0


def _check_length(response: HTTPResponse, remote: RemoteFile, starts_at: int) -> None:
    declared = response.headers.get("Content-Length", "")
    if declared.isdigit() and starts_at + int(declared) != remote.size:
        raise WrongContent(
            f"what the server offers is {starts_at + int(declared):,} bytes long instead of {remote.size:,}, "
            "so it is not the expected text"
        )


def _body(response: HTTPResponse, remote: RemoteFile, done: int, transfer: _Transfer) -> Iterator[bytes]:
    """The body in blocks, from byte `done` of the file on; never more than the file's known size."""
    while True:
        try:
            block = response.read1(_BLOCK_BYTES)
        except (OSError, HTTPException):
            raise _Broken(f"the connection broke after {done:,} of {remote.size:,} bytes") from None
        if transfer.cancelled.is_set():
            raise _Broken("stopped")
        if not block:
            break
        done += len(block)
        if done > remote.size:
            raise WrongContent(f"what came is longer than the expected {remote.size:,} bytes")
        yield block
        transfer.done = done
    if done < remote.size:
        raise _Broken(f"the connection ended after {done:,} of {remote.size:,} bytes")


def _network_reason(error: OSError | HTTPException, limits: Limits) -> str:
    cause = error.reason if isinstance(error, URLError) else error
    if isinstance(cause, TimeoutError):
        return f"no answer within {limits.connect:g} seconds"
    if isinstance(cause, socket.gaierror):
        return "its address could not be looked up, as on a machine without a network"
    if isinstance(cause, OSError):
        return f"the network said: {reason(cause)}"
    return f"the network said: {cause or type(error).__name__}"
