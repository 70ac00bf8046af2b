"""Downloading one file: whole or not at all, whatever the server does."""

from __future__ import annotations

import hashlib
import socket
import threading
from pathlib import Path

import pytest

from gpt_tui.core.data.cache import Cache
from gpt_tui.core.data.download import DownloadError, Limits, RemoteFile, WrongContent, download
from gpt_tui.core.data.watch import Stopped, Watch

PLAY = "".join(f"Line {number} of a play that is long enough.\n" for number in range(6000)).encode()
NAME = "play.txt"


@pytest.fixture
def remote(server) -> RemoteFile:
    server.content = PLAY
    return RemoteFile(server.url, hashlib.sha256(PLAY).hexdigest(), len(PLAY))


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


def texts(cache: Cache) -> dict[str, int]:
    return {path.name: path.stat().st_size for path in cache.path("texts").iterdir()}


def test_a_file_arrives_whole_and_its_progress_is_told_in_bytes(remote, cache):
    told = []
    path = download(remote, cache, NAME, Limits(), Watch(progress=lambda *args: told.append(args)))
    assert path.read_bytes() == PLAY
    assert texts(cache) == {NAME: len(PLAY)}
    assert told[-1] == ("downloading", len(PLAY), len(PLAY))


def test_a_file_that_is_there_already_is_not_asked_for_again(remote, cache, server):
    download(remote, cache, NAME, Limits(), Watch())
    download(remote, cache, NAME, Limits(), Watch())
    assert server.ranges == [None]


def test_a_download_that_breaks_goes_on_where_it_stopped(remote, cache, server):
    server.answers = [server.cut_after(100_000), server.whole]
    assert download(remote, cache, NAME, Limits(), Watch()).read_bytes() == PLAY
    assert server.ranges == [None, "bytes=100000-"]


def test_a_server_that_breaks_each_time_leaves_what_came_and_the_next_call_goes_on_from_there(remote, cache, server):
    server.answers = [server.cut_after(1000)]
    with pytest.raises(DownloadError, match="ended after 3,000 of") as caught:
        download(remote, cache, NAME, Limits(), Watch())
    assert "the next try goes on from there" in str(caught.value)
    assert texts(cache) == {f"{NAME}.part": 3000}
    server.answers = [server.whole]
    assert download(remote, cache, NAME, Limits(), Watch()).read_bytes() == PLAY
    assert server.ranges[-1] == "bytes=3000-"


def test_a_server_without_ranges_sends_all_of_it_again(remote, cache, server):
    server.answers = [server.cut_after(1000), server.without_ranges]
    assert download(remote, cache, NAME, Limits(), Watch()).read_bytes() == PLAY
    assert texts(cache) == {NAME: len(PLAY)}


def test_a_stale_first_part_is_thrown_away_and_fetched_anew(remote, cache, server):
    (cache.writable("texts") / f"{NAME}.part").write_bytes(b"x" * 5000)
    assert download(remote, cache, NAME, Limits(), Watch()).read_bytes() == PLAY
    assert server.ranges == ["bytes=5000-", None]


def test_other_content_of_the_same_length_is_refused_by_its_checksum_and_deleted(remote, cache, server):
    server.answers = [server.other_content(PLAY[::-1])]
    with pytest.raises(WrongContent, match="SHA-256"):
        download(remote, cache, NAME, Limits(), Watch())
    assert texts(cache) == {}


def test_a_page_of_another_length_is_refused_before_it_is_read(remote, cache, server):
    server.answers = [server.other_content(b"<html>Please log in</html>")]
    with pytest.raises(WrongContent, match="26 bytes long"):
        download(remote, cache, NAME, Limits(), Watch())
    assert texts(cache) == {}


def test_a_body_without_end_is_read_no_further_than_the_known_size(remote, cache, server):
    server.answers = [server.endless]
    with pytest.raises(WrongContent, match="longer than"):
        download(remote, cache, NAME, Limits(), Watch())
    assert all(size <= len(PLAY) for size in texts(cache).values())
    server.answers = [server.whole]
    assert download(remote, cache, NAME, Limits(), Watch()).read_bytes() == PLAY


def test_a_silent_server_meets_the_connection_limit(remote, cache, server):
    server.answers = [server.silent]
    with pytest.raises(DownloadError, match=r"no answer within 0\.1 seconds"):
        download(remote, cache, NAME, Limits(connect=0.1), Watch())


def test_a_slow_server_meets_the_limit_for_the_whole(remote, cache, server):
    server.answers = [server.stalled_after(1000)]
    with pytest.raises(DownloadError, match=r"within 0\.2 seconds"):
        download(remote, cache, NAME, Limits(connect=20, whole=0.2), Watch())


def test_a_missing_file_is_told_with_the_servers_answer(remote, cache, server):
    server.answers = [server.missing]
    with pytest.raises(DownloadError, match="404 Not Found"):
        download(remote, cache, NAME, Limits(), Watch())


def test_a_refused_connection_is_told(cache):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/"
    with pytest.raises(DownloadError, match="refused"):
        download(RemoteFile(url, "0" * 64, 10), cache, NAME, Limits(), Watch())


def test_an_address_that_is_not_http_is_not_opened(cache, tmp_path):
    (tmp_path / "secret").write_text("secret")
    with pytest.raises(DownloadError, match="not an http or https address"):
        download(RemoteFile((tmp_path / "secret").as_uri(), "0" * 64, 6), cache, NAME, Limits(), Watch())


def test_a_stop_is_obeyed_while_a_server_says_nothing(remote, cache, server):
    server.answers = [server.silent]
    stop = threading.Event()
    with pytest.raises(Stopped):
        download(remote, cache, NAME, Limits(), Watch(progress=lambda *_: stop.set(), should_stop=stop.is_set))


def test_two_at_once_fetch_it_once(remote, cache, server):
    threads = [
        threading.Thread(target=download, args=(remote, Cache(cache.root), NAME, Limits(), Watch())) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert server.ranges == [None]
    assert (cache.path("texts") / NAME).read_bytes() == PLAY
