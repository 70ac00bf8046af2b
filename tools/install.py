"""Make `.venv` and install gpt-tui into it, at the versions of constraints.txt. Standard library only.

    python3 tools/install.py [--dev]

On Linux without an NVIDIA driver the CPU build of torch is wanted, which is a tenth of the size; it has an index of its
own. That index is asked once, for a few seconds at most: where it does not answer, the usual index serves.
"""

import os
import shutil
import subprocess
import sys
import threading
import urllib.error
import urllib.request
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
PROBE_SECONDS = 4


def main() -> int:
    if sys.version_info < (3, 11):  # noqa: UP036 - who runs this may have an older one
        found = ".".join(str(part) for part in sys.version_info[:2])
        print(f"gpt-tui needs Python 3.11 or later; this is {found}. Name a newer one: make run PYTHON=python3.12")
        return 1
    dev = "--dev" in sys.argv[1:]
    python = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    try:
        if not has_pip(python):  # none yet, or one whose making was broken off
            print("Making .venv", flush=True)
            venv.create(VENV, with_pip=True, clear=True)
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"The virtual environment could not be made ({error}). On Debian and Ubuntu: apt install python3-venv")
        return 1
    print("Installing gpt-tui and what it needs (once, a few minutes)", flush=True)
    target = ".[dev,gpu,web]" if dev else "."  # the tests use every extra
    command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    command += [*extra_index(), "--editable", target]
    # Through the environment the constraints reach what builds the package, too.
    environment = {**os.environ, "PIP_CONSTRAINT": str(ROOT / "constraints.txt")}
    if subprocess.run(command, cwd=ROOT, check=False, env=environment).returncode != 0:
        print("The installation failed; what pip says is above. Mend it and run the same command again.")
        return 1
    (VENV / "installed").touch()
    if dev:
        (VENV / "installed-dev").touch()
    return 0


def has_pip(python: Path) -> bool:
    try:
        return subprocess.run([python, "-m", "pip", "--version"], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def extra_index() -> list[str]:
    """pip's options for the index of CPU builds, where they are wanted and the index answers."""
    if not sys.platform.startswith("linux") or has_nvidia_driver():
        return []
    print(f"Looking for the CPU build of torch ({CPU_INDEX})", flush=True)
    if answers(f"{CPU_INDEX}/torch/"):
        return ["--extra-index-url", CPU_INDEX]
    print("It does not answer; going on with the usual package index", flush=True)
    return []


def has_nvidia_driver() -> bool:
    return Path("/proc/driver/nvidia/version").exists() or shutil.which("nvidia-smi") is not None


def answers(address: str) -> bool:
    """Whether the address answers in time. In a thread, because looking up a name has no time limit of its own."""
    answered = threading.Event()

    def ask() -> None:
        try:
            request = urllib.request.Request(address, method="HEAD")
            with urllib.request.urlopen(request, timeout=PROBE_SECONDS):
                answered.set()
        except (OSError, urllib.error.URLError):
            pass  # no answer is an answer

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(PROBE_SECONDS)
    return answered.is_set()


if __name__ == "__main__":
    sys.exit(main())
