"""Try strangers' files at random, led to what no try has reached yet by the lines of the program that each one runs.

    python -m pip install atheris
    python tools/fuzz.py                             every such test of tests/strangers, three minutes each
    python tools/fuzz.py --seconds 600 log cache     those with one of these words in their names
    python tools/fuzz.py log --again crash-0123abcd  once more what a failure left

The tests are those of every day. Only their choices come from Atheris, which keeps those that ran new lines of the
program and goes on from them. A failure ends its test, is shown, and leaves its choices in a file beside where this is
run; the exit status is then 1.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

STRANGERS = Path(__file__).resolve().parent.parent / "tests" / "strangers"
LARGEST = 4096  # bytes of choices
HERE = "--here"  # the program, started by itself for one test


class Guided:
    """What a test asks how much it is to try: as long as Atheris is given, from choices that Atheris makes."""

    def __init__(self, arguments: list[str]):
        self.arguments = arguments

    def of(self, try_once: Callable[[Random], object]) -> None:
        """Does not come back: Atheris ends the process."""
        import atheris

        @settings(database=None, deadline=None, suppress_health_check=list(HealthCheck))
        @given(st.randoms(use_true_random=False))
        def examples(choose: Random) -> None:
            try_once(choose)

        atheris.Setup([sys.argv[0], *self.arguments], examples.hypothesis.fuzz_one_input)
        atheris.Fuzz()


class Chosen:
    """A plugin of pytest: of all tests, those that try at random and have one of these words in their names."""

    def __init__(self, words: list[str], guided: Guided | None = None):
        self.words = words
        self.guided = guided
        self.names: list[str] = []

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = [item for item in items if item.name.endswith("[briefly]") and self._wants(item.name)]
        self.names = [item.name.partition("[")[0] for item in items]
        for item in items:
            item.callspec.params["much"] = self.guided  # type: ignore[attr-defined]

    def _wants(self, name: str) -> bool:
        return not self.words or any(word in name for word in self.words)


def find(words: list[str]) -> list[str]:
    chosen = Chosen(words)
    with contextlib.redirect_stdout(io.StringIO()):
        pytest.main(["--collect-only", "-q", str(STRANGERS)], plugins=[chosen])
    return chosen.names


def try_here(name: str, arguments: list[str]) -> int:
    """Run one test, with the program's lines watched."""
    import atheris

    with atheris.instrument_imports(include=["gpt_tui", "tomllib"]):
        return pytest.main(["-qq", "-s", str(STRANGERS)], plugins=[Chosen([name], Guided(arguments))])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*", metavar="WORD", help="of the names of tests")
    parser.add_argument("--seconds", type=int, default=180, help="for each test (180)")
    parser.add_argument("--again", type=Path, metavar="FILE", help="choices that failed")
    asked = parser.parse_args()
    failed = 0
    for name in find(asked.words):
        print(f"{name}", flush=True)
        with tempfile.TemporaryDirectory() as corpus:
            how = [str(asked.again)] if asked.again else [f"-max_total_time={asked.seconds}", corpus]
            limits = [f"-max_len={LARGEST}", "-len_control=0", "-timeout=60", "-print_final_stats=1"]
            command = [sys.executable, __file__, HERE, name, *limits, *how]
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if done.returncode:
            failed += 1
            print(done.stdout[-6000:])
        else:
            print(next((line for line in done.stdout.splitlines() if line.startswith("Done")), "once"), flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    if sys.argv[1:2] == [HERE]:
        sys.exit(try_here(sys.argv[2], sys.argv[3:]))
    sys.exit(main())
