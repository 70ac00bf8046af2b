"""A copied text arrives: by what really takes it, never in the way of the screen, and always in a file."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gpt_tui.tui import clipboard
from gpt_tui.tui.clipboard import keep, programs, put
from patience import until

UNIX = pytest.mark.skipif(sys.platform == "win32", reason="a shell script stands for a program of the desktop")
TEXT = "Wörter, — and\nlines\n\x1b[31mnot red\n"


def everywhere(name: str) -> str:
    return f"/usr/bin/{name}"


def nowhere(_: str) -> None:
    return None


def names(environ: dict[str, str], which: Callable[[str], str | None] = everywhere) -> list[str]:
    return [program.name for program in programs(environ, which)]


# Which programs --------------------------------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="which have one of their own")
def test_a_program_of_the_desktop_is_used_where_it_has_a_display() -> None:
    assert names({"WAYLAND_DISPLAY": "wayland-0", "DISPLAY": ":0"}) == ["wl-copy"]
    assert names({"DISPLAY": ":0"}) == ["xclip"]
    assert names({"DISPLAY": ":0"}, lambda name: name if name == "xsel" else None) == ["xsel"]
    assert names({}) == []
    assert names({"DISPLAY": ":0"}, nowhere) == []


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="which have one of their own")
def test_over_ssh_only_what_leads_back_to_the_person_is_used() -> None:
    ssh = {"SSH_CONNECTION": "10.0.0.1 1 10.0.0.2 22"}
    assert names(ssh) == []
    assert names({**ssh, "DISPLAY": "localhost:10.0"}) == ["xclip"]
    assert names({**ssh, "WSL_DISTRO_NAME": "Debian"}) == []
    assert names({**ssh, "TMUX": "/tmp/tmux"}) == ["tmux"]


def test_tmux_is_asked_beside_the_desktop_and_windows_from_its_linux() -> None:
    assert names({"TMUX": "/tmp/tmux", "DISPLAY": ":0"})[0] == "tmux"
    (windows,) = programs({"WSL_DISTRO_NAME": "Debian"}, lambda name: name if name == "clip.exe" else None)
    assert (windows.argv, windows.encoding) == (("clip.exe",), "utf-16-le")


def test_behind_a_page_no_program_of_this_machine_is_used() -> None:
    assert names({"TEXTUAL_DRIVER": "gpt_tui.tui.web:SavingWebDriver", "DISPLAY": ":0", "TMUX": "x"}) == []


# What is told ----------------------------------------------------------------------------------------------------


def test_a_person_is_told_when_all_rests_on_the_terminal(tmp_path: Path) -> None:
    sent: list[str] = []
    told = put(TEXT, osc52=sent.append, folder=tmp_path, environ={}, which=nowhere)
    assert told == f"by the terminal alone, which may refuse without a word, also in {tmp_path / 'clipboard.txt'}"
    assert sent == [TEXT]


def test_a_text_that_is_long_for_a_terminal_is_said_to_be(tmp_path: Path) -> None:
    sent: list[str] = []
    told = put("ö" * 40_000, osc52=sent.append, folder=tmp_path, environ={}, which=nowhere)
    assert "no more than 74 kB" in told
    assert "74 kB" not in put("o" * 40_000, osc52=sent.append, folder=tmp_path, environ={}, which=nowhere)


def test_a_folder_that_cannot_be_written_is_no_reason_not_to_copy(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    sent: list[str] = []
    told = put(TEXT, osc52=sent.append, folder=tmp_path / "file" / "state", environ={}, which=nowhere)
    assert "also in" not in told
    assert sent == [TEXT]


# The file --------------------------------------------------------------------------------------------------------


def test_the_file_has_the_last_text_and_is_the_owner_s_alone(tmp_path: Path) -> None:
    folder = tmp_path / "not" / "there"
    assert keep("first, and longer", folder) == folder / "clipboard.txt"
    (folder / "clipboard.txt").chmod(0o644)
    keep(TEXT, folder)
    assert (folder / "clipboard.txt").read_bytes() == TEXT.encode()
    if os.name != "nt":
        assert stat.S_IMODE((folder / "clipboard.txt").stat().st_mode) == 0o600
    assert [path.name for path in folder.iterdir()] == ["clipboard.txt"]


# The programs ----------------------------------------------------------------------------------------------------


def script(folder: Path, name: str, body: str) -> Path:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


@UNIX
def test_a_program_gets_the_text_as_it_is(tmp_path: Path) -> None:
    here = script(tmp_path, "wl-copy", f"cat > '{tmp_path}/taken'")
    environ = {"WAYLAND_DISPLAY": "wayland-0"}
    sent: list[str] = []
    told = put(TEXT, osc52=sent.append, folder=tmp_path, environ=environ, which={"wl-copy": str(here)}.get)
    assert told.startswith("by the terminal and wl-copy, also in")
    until(lambda: (tmp_path / "taken").exists() and (tmp_path / "taken").read_bytes() == TEXT.encode())


@UNIX
def test_a_program_that_fails_is_told_of_and_one_that_hangs_holds_nothing_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clipboard, "PROGRAM_SECONDS", 0.3)
    environ = {"WAYLAND_DISPLAY": "wayland-0"}
    for body, words in (("exit 3", "exit status 3"), ("exec sleep 100", "longer than")):
        here = script(tmp_path, "wl-copy", body)
        failures: list[str] = []
        began = threading.active_count()
        put(
            TEXT, osc52=lambda _: None, folder=tmp_path, environ=environ, which={"wl-copy": str(here)}.get,
            failed=failures.append,
        )  # fmt: skip
        until(lambda failures=failures: failures)
        assert words in failures[0]
        assert str(tmp_path / "clipboard.txt") in failures[0]
        until(lambda began=began: threading.active_count() <= began)


@UNIX
def test_a_program_that_is_gone_meanwhile_is_told_of(tmp_path: Path) -> None:
    failures: list[str] = []
    environ = {"WAYLAND_DISPLAY": "wayland-0"}
    gone = {"wl-copy": str(tmp_path / "gone")}.get
    put(TEXT, osc52=lambda _: None, folder=tmp_path, environ=environ, which=gone, failed=failures.append)
    until(lambda: failures)
    assert "No such file" in failures[0]


@pytest.fixture
def tmux(tmp_path: Path) -> Iterator[dict[str, str]]:
    """A real tmux of its own, and what the environment of a program in it says."""
    if shutil.which("tmux") is None:
        pytest.skip("no tmux is installed here")
    environ = {**os.environ, "TMUX_TMPDIR": str(tmp_path), "TERM": "xterm-256color"}
    environ.pop("TMUX", None)
    subprocess.run(["tmux", "-f", "/dev/null", "new-session", "-d", "sleep 600"], env=environ, check=True)
    socket = subprocess.run(
        ["tmux", "display-message", "-p", "#{socket_path},#{pid},0"], env=environ, check=True, capture_output=True,
        text=True,
    ).stdout.strip()  # fmt: skip
    yield {**environ, "TMUX": socket}
    subprocess.run(["tmux", "kill-server"], env=environ, check=False)


@UNIX
def test_a_real_tmux_takes_the_text(tmux: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMUX", tmux["TMUX"])
    told = put(TEXT, osc52=lambda _: None, folder=tmp_path, environ={"TMUX": tmux["TMUX"]})
    assert "tmux" in told

    def buffer() -> bytes:
        return subprocess.run(["tmux", "show-buffer"], env=tmux, check=False, capture_output=True).stdout

    until(lambda: buffer() == TEXT.encode())


@pytest.mark.soak
@UNIX
@pytest.mark.parametrize("name", ["xclip", "xsel"])
def test_a_real_x_server_takes_the_text(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if shutil.which(name) is None or shutil.which("Xvfb") is None:
        pytest.skip(f"no {name} or no Xvfb is installed here")
    read, write = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(write), "-nolisten", "tcp"], pass_fds=[write], stderr=subprocess.DEVNULL
    )
    try:
        monkeypatch.setenv("DISPLAY", f":{os.read(read, 16).decode().strip()}")
        only = {name: shutil.which(name)}.get
        put(TEXT, osc52=lambda _: None, folder=tmp_path, environ={"DISPLAY": os.environ["DISPLAY"]}, which=only)
        ask = {"xclip": ["xclip", "-selection", "clipboard", "-out"], "xsel": ["xsel", "--clipboard", "--output"]}
        until(lambda: subprocess.run(ask[name], check=False, capture_output=True).stdout == TEXT.encode())
    finally:
        server.kill()
        server.wait()
        os.close(read)
        os.close(write)
