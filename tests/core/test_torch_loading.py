"""Torch is loaded beside a screen that goes on: its libraries without Python's lock, and no garbage looked for."""

from __future__ import annotations

import gc
import subprocess
import sys

import pytest

from gpt_tui.loading import loading


def told_by(script: str) -> str:
    """What a Python of its own prints, in which torch has not been loaded."""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the import opens them")
def test_other_threads_go_on_while_the_libraries_are_opened() -> None:
    script = """
import sys, threading, time
from gpt_tui.core.torch_loading import open_libraries

turns = 0
def go_on():
    global turns
    while True:
        time.sleep(0.001)
        turns += 1

threading.Thread(target=go_on, daemon=True).start()
while not turns:
    time.sleep(0.001)
before = turns
open_libraries()
print(turns - before, "torch" in sys.modules, "libtorch_cpu.so" in open("/proc/self/maps").read())
"""
    turns, imported, opened = told_by(script).split()
    assert (imported, opened) == ("False", "True")
    assert int(turns) > 10


def test_what_was_loaded_is_never_looked_through_for_garbage() -> None:
    script = """
import gc, sys
from gpt_tui.core.torch_loading import load_torch

runs = []
gc.callbacks.append(lambda phase, info: runs.append((info["generation"], "torch" in sys.modules)))
load_torch()
print([run for run in runs if run[1]], gc.isenabled(), gc.get_freeze_count() > 100_000)
"""
    assert told_by(script) == "[] True True"


def test_a_torch_that_cannot_be_found_fails_in_its_import() -> None:
    script = """
import gc, sys
from gpt_tui.core.torch_loading import load_torch

sys.path = [folder for folder in sys.path if "site-packages" not in folder]
try:
    load_torch()
except ModuleNotFoundError as error:
    print(error, gc.isenabled())
"""
    assert told_by(script) == "No module named 'torch' True"


def test_a_collector_that_was_switched_off_stays_so() -> None:
    gc.disable()
    try:
        with loading():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_loading_within_loading_ends_with_the_outer_one() -> None:
    with loading():
        with loading():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()
    gc.unfreeze()
