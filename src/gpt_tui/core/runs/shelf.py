"""The shelf: the directory that holds the runs. Finds, lists, makes and removes them; nothing outside it is touched."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import sys
from datetime import datetime
from pathlib import Path

from gpt_tui.core.config import RunConfig
from gpt_tui.core.errors import GptTuiError, Refusal, did_you_mean
from gpt_tui.core.files import SIGNATURE, expanded, is_abandoned, is_link, patiently, reason, signature, sync_directory
from gpt_tui.core.runs.lock import RunIsHeld, RunLock
from gpt_tui.core.runs.places import instant, run_directories
from gpt_tui.core.runs.run import CONFIG_NAME, CONFIG_VERSION, RECORD_NAME, Run, RunRecord, RunWriter

LATEST = "latest"

_LEFTOVER = re.compile(rf"\.(?:new-{SIGNATURE}|removed-[0-9a-f]{{8}})", re.ASCII)
_MAX_NAME = 100
_MAX_NAME_BYTES = 200  # file systems take 255, and temporary names beside it are longer
_WINDOWS_DEVICES = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)(\..*)?", re.IGNORECASE)


class Shelf:
    """The runs in one directory. Runs once opened are kept, so that listing again reads only what is new."""

    def __init__(self, runs_dir: Path):
        self.runs_dir = expanded(runs_dir).absolute()
        self._opened: dict[Path, tuple[tuple[int, int], Run]] = {}

    # Finding

    def runs(self) -> list[Run]:
        """Every run, newest first. What cannot be opened is left out; see `broken`. Raises GptTuiError."""
        return self._read()[0]

    def broken(self) -> list[tuple[Path, str]]:
        """Directories that are no runs or cannot be opened, and why."""
        return self._read()[1]

    def _read(self) -> tuple[list[Run], list[tuple[Path, str]]]:
        runs: list[Run] = []
        broken: list[tuple[Path, str]] = []
        for path in self.directories():
            try:
                runs.append(self._open(path))
            except GptTuiError as error:
                broken.append((path, str(error)))
        runs.sort(key=lambda run: (instant(run.record().created), run.name), reverse=True)
        present = {run.path for run in runs}
        self._opened = {path: kept for path, kept in self._opened.items() if path in present}
        return runs, broken

    def directories(self) -> list[Path]:
        """Every directory that should be a run, by name, also those that cannot be opened. Raises GptTuiError."""
        return run_directories(self.runs_dir)

    def _open(self, path: Path) -> Run:
        try:
            found = (path / RECORD_NAME).stat()
        except OSError:
            return Run.open(path)  # which says what is wrong
        written = (found.st_mtime_ns, found.st_ino)
        kept = self._opened.get(path)
        if kept is None or kept[0] != written:
            kept = self._opened[path] = (written, Run.open(path))
        return kept[1]

    def find(self, spec: str) -> tuple[Run, int | None]:
        """The run and step that `RUN` or `RUN@STEP` means; RUN is a name, a path, `latest`, or a part only one run has.

        Raises Refusal, with the nearest name or the candidates, and GptTuiError for a run that cannot be opened.
        """
        if (run := self._find_exactly(spec)) is not None:
            return run, None
        head, at, tail = spec.rpartition("@")
        if not at or not re.fullmatch(r"\d{1,18}", tail, re.ASCII):
            return self._find_by_part(spec), None
        return self._find_exactly(head) or self._find_by_part(head), int(tail)

    def locate(self, spec: str) -> Path:
        """The directory that `RUN` means, also of one that cannot be opened as a run. Raises Refusal."""
        if spec in {path.name for path in self.directories()}:
            return self.runs_dir / spec
        if _looks_like_path(spec) and (path := _directory(spec)) is not None:
            return path.resolve() if ".." in path.parts else path.absolute()
        run, step = self.find(spec)
        if step is not None:
            raise Refusal.one("run", spec, f"name the run alone, without @{step}")
        return run.path

    def _find_exactly(self, spec: str) -> Run | None:
        if spec == LATEST:
            runs = self.runs()
            if not runs:
                raise self._no_runs(spec)
            return runs[0]
        if spec in {path.name for path in self.directories()}:
            return self._open(self.runs_dir / spec)
        if _looks_like_path(spec):
            return Run.open(path) if (path := _directory(spec)) is not None else None
        path = _directory(spec, holding=RECORD_NAME) if spec else None
        return Run.open(path) if path is not None else None

    def _find_by_part(self, spec: str) -> Run:
        if _looks_like_path(spec):
            raise Refusal.one("run", spec, "there is no directory at this path")
        runs = self.runs()
        if not runs:
            raise self._no_runs(spec)
        found = [run for run in runs if spec in run.name] or [run for run in runs if spec.lower() in run.name.lower()]
        names = [run.name for run in runs]
        if not spec or not found:
            hint = did_you_mean(spec, names) or f"the newest is {names[0]}"
            raise Refusal.one("run", spec, f"there is no such run in {self.runs_dir}; {hint}")
        if len(found) > 1:
            shown = ", ".join(run.name for run in found[:6])
            more = f" and {len(found) - 6} more" if len(found) > 6 else ""
            raise Refusal.one("run", spec, f"{len(found)} runs have this in their names: {shown}{more}")
        return found[0]

    def _no_runs(self, spec: str) -> Refusal:
        return Refusal.one("run", spec, f"there are no runs in {self.runs_dir} yet")

    # Making and removing

    def fault(self) -> str | None:
        """Why no run can be made here, as far as can be told without trying; None where one probably can."""
        there = self.runs_dir
        while not os.path.lexists(there) and there != there.parent:
            there = there.parent
        if not there.is_dir():
            why = f"{there} is not a directory"
        elif not os.access(there, os.W_OK | os.X_OK):
            why = f"{there} cannot be written"
        else:
            return None
        return f"{why}: make it so, or name another with --runs-dir or GPT_TUI_RUNS_DIR"

    def create(self, config: RunConfig, name: str | None, record: RunRecord, preset: str | None = None) -> RunWriter:
        """Make a run's directory, whole or not at all, and open it for writing.

        name: None makes one of the time and the preset's (or dataset's) name. Raises Refusal for a bad or taken name,
        GptTuiError where the directory cannot be written.
        """
        if name is not None and (fault := name_fault(name)):
            raise Refusal.one("run_name", name, fault)
        try:
            self.runs_dir.mkdir(parents=True, exist_ok=True)
            self.clean()
            path = self._place(name, config, record, preset)
        except OSError as error:
            raise GptTuiError(f"the runs directory {self.runs_dir} cannot be written: {reason(error)}") from None
        return RunWriter(Run.open(path))

    def _place(self, name: str | None, config: RunConfig, record: RunRecord, preset: str | None) -> Path:
        """Make the run's files in a hidden directory, then rename it to its name. Raises OSError, Refusal."""
        beside = self.runs_dir / f".new-{signature()}"
        beside.mkdir()
        try:
            written = f"v = {CONFIG_VERSION}\n\n{config.to_toml()}"
            for file_name, text in ((CONFIG_NAME, written), (RECORD_NAME, record.model_dump_json(indent=1))):
                with (beside / file_name).open("xb") as file:
                    file.write(text.encode())
                    file.flush()
                    os.fsync(file.fileno())
            sync_directory(beside)
            wanted = name or default_name(record, preset)
            number = 1
            while True:
                path = self.runs_dir / (wanted if number == 1 else f"{wanted}-{number}")
                if _rename_to_free(beside, path):
                    sync_directory(self.runs_dir)
                    return path
                if name is not None:
                    raise Refusal.one("run_name", name, f"there is a run of this name in {self.runs_dir} already")
                number += 1
        finally:
            shutil.rmtree(beside, ignore_errors=True)  # gone already where all went well

    def reopen(self, run: Run) -> RunWriter:
        """Open a run for writing again. Raises RunIsHeld, which names the process that trains it, and GptTuiError."""
        self.clean()
        return RunWriter(run)

    def remove(self, run: Run) -> None:
        """Delete a run from the shelf. Raises Refusal: not on this shelf, a link, or live; GptTuiError."""
        if not _same_place(run.path.parent, self.runs_dir):
            raise Refusal.one("run", str(run.path), f"does not lie in the runs directory {self.runs_dir}")
        if is_link(run.path):
            raise Refusal.one(
                "run", run.name, "is a link to another place: remove the link, or what it leads to, yourself"
            )
        away = run.path.with_name(f".removed-{secrets.token_hex(4)}")
        lock = RunLock(run.path)
        try:
            lock.acquire()
        except RunIsHeld as error:
            raise Refusal.one("run", None, str(error)) from None  # which names the run itself
        try:
            if sys.platform == "win32":
                lock.release()  # Windows renames no directory in which a file is open
            patiently(lambda: run.path.rename(away))
        except OSError as error:
            raise GptTuiError(f"{run.path} cannot be removed: {reason(error)}") from None
        finally:
            lock.release()
        shutil.rmtree(away, ignore_errors=True)  # beside another process, perhaps, that clears the shelf of it
        try:
            if away.exists():
                shutil.rmtree(away)
        except OSError as error:
            raise GptTuiError(f"{run.name} is off the shelf, but {away} cannot be deleted: {reason(error)}") from None
        self.clean()

    def leftovers(self) -> list[Path]:
        """Directories of runs that are half-made or half-removed: by a process at work, or by one that died."""
        try:
            found = [path for path in self.runs_dir.iterdir() if _LEFTOVER.fullmatch(path.name) and not is_link(path)]
        except OSError:
            return []  # none, or not to be read, which who works with the runs is told
        return sorted(path for path in found if path.is_dir())

    def clean(self) -> None:
        """Delete what processes that died left half-made or half-removed. What one may still be at work on stays."""
        for path in self.leftovers():
            name = _LEFTOVER.fullmatch(path.name)
            # What is called removed is to be gone, whoever deletes it; a new run may yet get its name.
            if name and (name["maker"] is None or is_abandoned(path, name)):
                shutil.rmtree(path, ignore_errors=True)


def name_fault(name: str) -> str | None:
    """What is wrong with a name for a run, in words; None for a good one, which every system takes as one directory."""
    if not name.strip():
        return "a run's name needs at least one character"
    if not name.isprintable():
        return "must not hold control characters"
    if len(name) > _MAX_NAME or len(name.encode()) > _MAX_NAME_BYTES:
        return f"must have at most {_MAX_NAME} characters"
    if bad := sorted({c for c in name if c in '/\\<>:"|?*@'}):
        return f"must not hold {' '.join(bad)}"
    if name[0] in ".-~ " or name[-1] in ". ":
        return "must not begin with a dot, a dash, a tilde or a space, nor end with a dot or a space"
    if _WINDOWS_DEVICES.fullmatch(name):
        return "is the name of a device on Windows"
    if name.lower() == LATEST:
        return f"{LATEST} always means the newest run"
    return None


def default_name(record: RunRecord, preset: str | None) -> str:
    """YYYYMMDD-HHMMSS-<preset or dataset>, by the local clock."""
    when = datetime.fromtimestamp(instant(record.created)) if instant(record.created) else datetime.now()
    what = preset or record.dataset.name
    stem = Path(what).stem if preset is None else what
    slug = re.sub(r"[^a-z0-9]+", "-", stem.lower()).strip("-")[:40].strip("-")
    return f"{when:%Y%m%d-%H%M%S}-{slug or 'run'}"


def _rename_to_free(beside: Path, path: Path) -> bool:
    """Rename a directory to a name that nothing has yet; False where something has. Raises OSError."""
    if os.path.lexists(path):
        return False
    try:
        patiently(lambda: beside.rename(path))
    except OSError:
        if os.path.lexists(path):  # another process was first
            return False
        raise
    return True


def _looks_like_path(spec: str) -> bool:
    return "/" in spec or (os.sep in spec) or spec.startswith("~") or spec in (".", "..")


def _directory(spec: str, holding: str = "") -> Path | None:
    """The directory at a path as a person wrote it; None where there is none, or the text cannot be a path.

    holding: the name of a file that has to be in it
    """
    try:
        path = Path(spec).expanduser()
        return path if path.is_dir() and (not holding or (path / holding).is_file()) else None
    except (OSError, ValueError, RuntimeError):
        return None


def _same_place(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False
