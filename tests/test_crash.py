"""The program, killed at random moments by `benchmarks/crash.py`, loses nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.soak
@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no SIGKILL on this system")
def test_a_program_that_is_killed_at_random_moments_loses_nothing(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "benchmarks" / "crash.py"), "--kills", "12", "--keep", str(tmp_path)]
    told = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)
    assert told.returncode == 0, told.stdout + told.stderr
    assert "equal to a twin that was left alone, bit for bit" in told.stdout
