"""The program as a library: train and speak in ten lines, as the guide shows."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import gpt_tui


def ten_lines() -> str:
    """The example of the package's own docstring."""
    assert gpt_tui.__doc__ is not None
    block = gpt_tui.__doc__.split("As a library:\n")[1].split("\nEach name")[0]
    return textwrap.dedent(block)


@pytest.mark.soak
def test_the_ten_lines_of_the_guide_train_and_speak(tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text("ROMEO: but soft, what number through yonder window breaks? It is the %d.\n" * 300)
    program = (
        ten_lines().replace('"shakespeare"', repr(str(text))).replace("max_iters=500", "max_iters=5, warmup_iters=1")
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    loss, speech = ran.stdout.split("\n", 1)
    assert 1 < float(loss) < 4.5
    assert len(speech) >= 100


def test_every_promised_name_is_there() -> None:
    for name in gpt_tui.__all__:
        assert getattr(gpt_tui, name) is not None


def test_importing_the_package_imports_nothing_heavy() -> None:
    program = "import gpt_tui, sys; print([m for m in ('torch', 'textual', 'numpy', 'pydantic') if m in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=os.environ)
    assert ran.stdout.strip() == "[]"


def test_the_guide_shows_the_same_ten_lines() -> None:
    guide = (Path(__file__).parent.parent / "docs" / "python.md").read_text(encoding="utf-8")
    assert ten_lines().strip() in guide
