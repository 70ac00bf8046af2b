"""Who trains a run: one process at a time, by a lock that the system drops when that process dies.

The lock itself is `run.lock`; who holds it stands beside it in `run.owner`: on Windows a locked file cannot be read.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from gpt_tui.core.errors import GptTuiError, shorten
from gpt_tui.core.files import read_small, reason, refuse_foreign, replace_whole

LOCK_NAME = "run.lock"
OWNER_NAME = "run.owner"

# A reader that looks whether a run is live may touch the lock for an instant; a writer waits that out.
_PATIENCE = 0.5
_POLL = 0.02


class RunIsHeld(GptTuiError):
    """Another process (or another part of this one) trains the run."""


@dataclass(frozen=True)
class Owner:
    pid: int
    host: str

    def __str__(self) -> str:
        here = "" if self.host == platform.node() else f" on {shorten(self.host)}"
        return f"process {self.pid}{here}"


class RunLock:
    """The right to write into a run's directory. Not reentrant; may be released by another thread than took it."""

    def __init__(self, directory: Path):
        import filelock  # which takes time, and who only looks has no need of it

        self.directory = directory
        self._lock = filelock.FileLock(directory / LOCK_NAME, thread_local=False)
        self._locked: tuple[int, int] | None = None  # which file it is

    @property
    def is_taken(self) -> bool:
        """From `acquire` to `release`, wherever the directory is by now."""
        return self._lock.is_locked

    @property
    def is_in_place(self) -> bool:
        """Whether the directory's lock is the one taken: not where another was moved or mounted to its place."""
        return self.is_taken and self._locked is not None and self._locked == _inode(self.directory / LOCK_NAME)

    def acquire(self) -> None:
        """Raises RunIsHeld, naming the process; GptTuiError where no lock can be made."""
        import filelock

        refuse_foreign(self.directory / LOCK_NAME)
        try:
            self._lock.acquire(timeout=_PATIENCE, poll_interval=_POLL)
        except filelock.Timeout:
            who = read_owner(self.directory)
            raise RunIsHeld(
                f"{self.directory.name} is being trained by {who or 'another process'}: stop that one first"
            ) from None
        except OSError as error:
            raise GptTuiError(f"{self.directory} cannot be locked for writing: {reason(error)}") from None
        self._locked = _inode(self.directory / LOCK_NAME)
        try:
            replace_whole(self.directory / OWNER_NAME, json.dumps(asdict(_this_process())).encode())
        except OSError as error:
            self._lock.release()
            raise GptTuiError(f"{self.directory} cannot be written: {reason(error)}") from None

    def release(self) -> None:
        """Give the lock up. Who holds the directory's lock stays written there where that is another one by now."""
        if not self.is_taken:
            return
        if self.is_in_place and read_owner(self.directory) == _this_process():
            try:
                (self.directory / OWNER_NAME).unlink(missing_ok=True)
            except OSError:
                pass  # the directory may be read-only by now; a name without its lock says nothing
        self._lock.release()


def _this_process() -> Owner:
    return Owner(os.getpid(), platform.node())


def _inode(path: Path) -> tuple[int, int] | None:
    """What tells a file that is held open from any other at its place; None where none can be seen."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def read_owner(directory: Path) -> Owner | None:
    """The process that last took the lock, as it wrote itself down; None where nothing sensible stands there."""
    try:
        owner = json.loads(read_small(directory / OWNER_NAME, 4096))
        return Owner(int(owner["pid"]), str(owner["host"]))
    except (OSError, GptTuiError, ValueError, KeyError, TypeError, RecursionError):
        return None


def is_held(directory: Path) -> bool:
    """Whether a process trains this run now. Writes nothing, and holds no starting writer up."""
    path = directory / LOCK_NAME
    if sys.platform == "win32":
        return path.exists() and _is_held_windows(path)
    import fcntl

    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return _owner_lives(directory)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)  # shared: readers never see one another
    except BlockingIOError:
        return True
    except OSError:
        return _owner_lives(directory)  # a file system without flock
    finally:
        os.close(descriptor)
    return False


def _is_held_windows(path: Path) -> bool:
    import filelock

    lock = filelock.FileLock(path, thread_local=False)
    for _ in range(3):  # another reader may be looking at this very moment
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            time.sleep(_POLL)
        except OSError:
            return _owner_lives(path.parent)
        else:
            lock.release()
            return False
    return True


def _owner_lives(directory: Path) -> bool:
    import psutil

    owner = read_owner(directory)
    return owner is not None and owner.host == platform.node() and psutil.pid_exists(owner.pid)
