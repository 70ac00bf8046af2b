"""The playground in a browser: over real HTTP and a real WebSocket, and no way of leaving loses a run."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gpt_tui.core.runs import Run, Shelf
from patience import patiently
from program import run

pytest.importorskip("termios", reason="signals and pseudo-terminals are those of Unix")
pytest.importorskip("textual_serve", reason="the extra web is not installed")
import aiohttp
from page import Page, Server, opened_page, serving

TINY = [
    "--n-layer", "1", "--n-embd", "16", "--n-head", "1", "--block-size", "8", "--batch-size", "4",
    "--eval-interval", "100", "--eval-iters", "2", "--max-new-tokens", "40", "--max-iters", "100000",
]  # fmt: skip


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "it's a text.txt").write_text("to be or not to be\n" * 500, encoding="utf-8")
    return tmp_path


def tiny(place: Path) -> list[str]:
    return ["--dataset", str(place / "it's a text.txt"), *TINY]


def only_run(place: Path) -> Run:
    (found,) = Shelf(place / "runs").runs()
    return found


def last_event(found: Run) -> dict[str, Any]:
    last: dict[str, Any] = json.loads((found.path / "events.jsonl").read_text(encoding="utf-8").splitlines()[-1])
    return last


async def until(true: Callable[[], Any]) -> None:
    for _ in patiently():
        if true():
            return
        await asyncio.sleep(0.05)
    raise AssertionError("it never came true")


async def train(page: Page, past: int = 50) -> None:
    """Press space, and wait until the run is at work beyond that step."""
    await page.wait("READY")
    await page.press("space")
    await page.wait(lambda: "TRAINING" in page.text and step(page) > past)


def step(page: Page) -> int:
    found = re.search(r"step +(\d+)/", page.text)
    return int(found[1]) if found else -1


async def assert_saved(place: Path) -> None:
    """The run ended as by a hang-up, whole, and nothing holds it any more."""
    await until(lambda: last_event(only_run(place))["event"] == "finished")
    found = only_run(place)
    assert last_event(found)["reason"] == "signal"
    assert found.checkpoints()[-1].step == last_event(found)["step"]
    await until(lambda: only_run(place).state != "live")


# A session -------------------------------------------------------------------------------------------------------


async def test_a_page_is_the_playground_and_closing_it_saves_the_run(place: Path) -> None:
    with serving(place, *tiny(place)) as server:
        async with aiohttp.ClientSession() as client:
            async with client.get(server.address) as answer:
                assert answer.status == 200
                html = await answer.text()
            for file in re.findall(r'(?:href|src)\s*=\s*"(static/[^"]+)"', html):
                async with client.get(f"{server.address}/{file}") as answer:
                    assert answer.status == 200, file
        async with opened_page(server.address, 100, 30) as page:
            await train(page)
            assert "quick on it'" in page.text
            assert '["pong", "1"]' in page.answers
            await page.press("2")
            await page.wait("n_embd")
            await page.resize(60, 16)
            await page.wait(lambda: all(len(line) <= 60 for line in page.text.splitlines()))
            await page.press("1")
            await page.wait(lambda: step(page) > 100)
        await assert_saved(place)
        assert server.process.poll() is None
        assert server.stop(signal.SIGINT) == 130


@pytest.mark.soak
async def test_leaving_by_a_key_closes_the_page(place: Path) -> None:
    with serving(place, *tiny(place)) as server:
        async with opened_page(server.address) as page:
            await train(page)
            await page.press("q")
            await page.wait(lambda: page.closed)
        await until(lambda: last_event(only_run(place))["event"] == "finished")
        assert last_event(only_run(place))["reason"] == "stopped"


@pytest.mark.soak
async def test_a_program_that_dies_closes_its_page(place: Path) -> None:
    with serving(place, *tiny(place)) as server:
        async with opened_page(server.address) as page:
            await page.wait("READY")
            os.kill(child_of(server), signal.SIGKILL)
            await page.wait(lambda: page.closed)
        async with opened_page(server.address) as page:
            await page.wait("READY")


@pytest.mark.soak
@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)])
async def test_a_signal_to_the_server_saves_every_run(place: Path, number: signal.Signals, status: int) -> None:
    with serving(place, *tiny(place)) as server:
        async with opened_page(server.address) as page:
            await train(page)
            left = await asyncio.to_thread(server.stop, number)
            assert left == status
            assert last_event(only_run(place))["reason"] == "signal"  # already: the server waited for it
            await page.wait(lambda: page.closed)


@pytest.mark.soak
async def test_a_server_that_is_killed_leaves_no_playground_behind(place: Path) -> None:
    with serving(place, *tiny(place)) as server:
        async with opened_page(server.address) as page:
            await train(page)
            server.process.kill()
            await assert_saved(place)


@pytest.mark.soak
async def test_a_signal_to_the_program_behind_a_page_saves_its_run(place: Path) -> None:
    with serving(place, *tiny(place)) as server:
        async with opened_page(server.address) as page:
            await train(page)
            os.kill(child_of(server), signal.SIGTERM)
            await page.wait(lambda: page.closed)
        await assert_saved(place)


def child_of(server: Server) -> int:
    import psutil

    (child,) = psutil.Process(server.process.pid).children(recursive=True)
    return int(child.pid)


async def test_messages_that_no_page_sends_do_no_harm(place: Path) -> None:
    with serving(place, *tiny(place)) as server:
        async with opened_page(server.address) as page:
            await page.wait("READY")
            for odd in ({}, [], [1], ["stdin"], ["stdin", 3], ["resize", 1], ["resize", {"width": -1, "height": "x"}]):
                await page._socket.send_json(odd)
            await page._socket.send_str("{")
            await page._socket.send_bytes(b"\0\xff")
            await page.press("2")
            await page.wait("n_embd")


# Who may connect -------------------------------------------------------------------------------------------------


async def test_another_site_s_page_cannot_connect(place: Path) -> None:
    with serving(place, *tiny(place)) as server:
        with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
            async with opened_page(server.address, Origin="http://example.org"):
                pass
        async with (
            aiohttp.ClientSession() as client,
            client.get(server.address, headers={"Host": "example.org"}) as answer,
        ):
            assert answer.status == 403
        async with (
            aiohttp.ClientSession() as client,
            client.get(server.address.replace("127.0.0.1", "localhost")) as answer,
        ):
            assert answer.status == 200
        assert Shelf(place / "runs").runs() == []


def test_the_whole_network_is_warned_of(place: Path) -> None:
    with serving(place, "--host", "0.0.0.0", *tiny(place)) as server:
        assert server.address
        assert "anyone who can reach this machine" in server.told.replace("\n", " ")
        assert "read files with your rights" in server.told.replace("\n", " ")
    with serving(place, *tiny(place)) as server:
        assert server.address.startswith("http://127.0.0.1:")
        assert "anyone" not in server.told


# Refusals --------------------------------------------------------------------------------------------------------


def test_a_port_that_is_taken_is_told(place: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = run(place, "--serve", "--port", str(port), *tiny(place))
    assert done.returncode == 2
    assert f"--port = {port}: is in use" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--serve", "--headless"], "--headless"),
        (["--serve", "--json"], "--json: needs --headless"),
        (["--serve", "--port", "80000"], "from 0 to 65,535"),
        (["--serve", "--run-name", "mine"], "every page"),
        (["--port", "80"], "--port: needs --serve"),
        (["--serve", "--n-layer", "0"], "--n-layer"),
        (["--serve", "--dataset", "-"], "standard input"),
        (["--serve", "--host", ""], "--host"),
    ],
)
def test_what_cannot_be_served_is_refused_before_anything_is(place: Path, arguments: list[str], words: str) -> None:
    done = run(place, *arguments)
    assert done.returncode == 2
    assert words in done.stderr


def test_without_the_extra_the_command_that_installs_it_is_told(place: Path) -> None:
    absent = (
        "import sys; sys.modules['textual_serve'] = None; from gpt_tui.cli import main; sys.exit(main(['--serve']))"
    )
    done = subprocess.run([sys.executable, "-c", absent], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert 'pip install "gpt-tui[web]"' in done.stderr


# A real browser --------------------------------------------------------------------------------------------------


@pytest.mark.soak
def test_a_real_browser_shows_the_playground_and_types_into_it(place: Path) -> None:
    if not any(shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome", "chrome")):
        pytest.skip("no chromium is installed here")
    check = Path(__file__).parents[2] / "tools" / "browser_check.py"
    command = [sys.executable, str(check), "--out", str(place / "page.png")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (place / "page.png").stat().st_size > 10_000
