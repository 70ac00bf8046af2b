"""A small run that the program made itself: what strangers' files are mutations of. Warnings are errors."""

from __future__ import annotations

from pathlib import Path

import pytest

from gpt_tui import cli

FIELDS = {
    "n-layer": 1, "n-embd": 16, "n-head": 2, "block-size": 8, "batch-size": 2, "max-iters": 8, "warmup-iters": 0,
    "eval-interval": 4, "eval-iters": 1, "checkpoint-interval": 4, "max-new-tokens": 8, "threads": 1, "device": "cpu",
}  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings("error::RuntimeWarning"))  # arithmetic that overflowed


@pytest.fixture(scope="session")
def real_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a finished run with three checkpoints; not to be changed, but copied."""
    place = tmp_path_factory.mktemp("real")
    text = place / "play.txt"
    text.write_text("".join(f"ANNA:\nThe house has number {n}.\n\n" for n in range(40)), encoding="utf-8")
    given = [part for name, value in FIELDS.items() for part in (f"--{name}", str(value))]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GPT_TUI_CACHE_DIR", str(place / "cache"))
        patch.setenv("GPT_TUI_CONFIG", str(place / "config.toml"))
        asked = ["--headless", "--quiet", "--dataset", str(text), "--runs-dir", str(place), "--run-name", "real"]
        assert cli.main([*asked, *given]) == 0
    return place / "real"
