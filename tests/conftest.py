"""What every test shares: nothing of the person's own is touched, and where the development datasets lie."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from patience import PATIENCE

# Small models gain nothing from a second thread, and lose much by waiting for it where tests run side by side.
os.environ.setdefault("OMP_NUM_THREADS", "1")

settings.register_profile("unhurried", deadline=None)  # a busy machine makes no test fail
settings.load_profile("unhurried")

# Under nohup, or in a script's background, every process that a test starts would ignore a terminal that hangs up, or
# an interrupt; a handler, unlike that, ends with this process.
for _name in ("SIGHUP", "SIGINT"):
    if hasattr(signal, _name) and signal.getsignal(getattr(signal, _name)) is signal.SIG_IGN:
        signal.signal(getattr(signal, _name), lambda *_: None)


@pytest.fixture(autouse=True)
def private_places(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Cache, runs and user configuration in a folder of the test's own; no setting from the environment reaches it."""
    place = tmp_path_factory.mktemp("places")
    for name in [name for name in os.environ if name.startswith("GPT_TUI_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GPT_TUI_CACHE_DIR", str(place / "cache"))
    monkeypatch.setenv("GPT_TUI_RUNS_DIR", str(place / "runs"))
    monkeypatch.setenv("GPT_TUI_STATE_DIR", str(place / "state"))
    monkeypatch.setenv("GPT_TUI_CONFIG", str(place / "config.toml"))
    return place


@pytest.fixture(autouse=True)
def nobody_trains_on() -> Iterator[None]:
    """A session that a test leaves behind would take its core from every test after it."""
    yield
    for thread in threading.enumerate():
        if thread.name == "gpt-tui worker":
            thread.join(PATIENCE)
            assert not thread.is_alive(), "the test left a session that still trains"


@pytest.fixture(scope="session")
def tiny_shakespeare() -> Path:
    """Tiny Shakespeare as a file of the folder that TEST_DATASETS names; skips where it is absent."""
    folder = os.environ.get("TEST_DATASETS")
    if not folder:
        pytest.skip("TEST_DATASETS names no folder, so there is no Tiny Shakespeare to test with")
    path = Path(folder) / "tinyshakespeare" / "input.txt"
    if not path.is_file():
        pytest.skip(f"there is no {path} to test with")
    return path
