"""Who may connect to a served playground: nobody sent by another site, whatever name that gave this machine."""

from __future__ import annotations

import platform

import pytest

from gpt_tui.cli.serve import Playgrounds, is_loopback

HERE = platform.node()


@pytest.mark.parametrize(
    ("served_on", "asked_for", "origin", "answered"),
    [
        ("127.0.0.1", "127.0.0.1:8000", "http://127.0.0.1:8000", True),
        ("127.0.0.1", "localhost:8000", None, True),
        ("127.0.0.1", "LOCALHOST:8000", "http://localhost:8000", True),
        ("::1", "[::1]:8000", "http://[::1]:8000", True),
        ("127.0.0.1", "localhost:8000", "http://localhost:9000", False),
        ("127.0.0.1", "localhost:8000", "null", False),
        ("127.0.0.1", "localhost:8000", "http://[", False),
        ("127.0.0.1", "example.org:8000", "http://example.org:8000", False),
        ("127.0.0.1", "localhost.example.org", None, False),
        ("127.0.0.1", "[", None, False),
        ("127.0.0.1", "", None, False),
        ("0.0.0.0", "192.0.2.7:8000", "http://192.0.2.7:8000", True),
        ("0.0.0.0", f"{HERE}:8000", f"http://{HERE}:8000", True),
        ("lab.example", "lab.example:8000", "http://lab.example:8000", True),
        ("0.0.0.0", "example.org:8000", "http://example.org:8000", False),
        ("192.0.2.7", "example.org:8000", "http://example.org:8000", False),
    ],
)
def test_a_page_is_answered_under_this_machine_s_own_names_alone(
    served_on: str, asked_for: str, origin: str | None, answered: bool
) -> None:
    assert (Playgrounds(["gpt-tui"], served_on).refuses(asked_for, origin) is None) == answered


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.0.0.1", True), ("::1", True), ("[::1]", True), ("Localhost", True), ("0.0.0.0", False), ("lab", False)],
)
def test_it_is_known_whether_only_this_machine_can_connect(host: str, loopback: bool) -> None:
    assert is_loopback(host) == loopback
