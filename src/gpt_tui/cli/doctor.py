"""`gpt-tui doctor`: what this machine has, what is wrong, and how to mend it."""

from __future__ import annotations

import json
import locale
import os
import shutil
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gpt_tui.cli.arguments import Arguments
from gpt_tui.cli.places import find_runs_dir
from gpt_tui.console import Console, one_line, show_size, wrap
from gpt_tui.core.config import environment_layer, read_toml, resolve, user_config_path
from gpt_tui.core.errors import Fault, GptTuiError, Refusal
from gpt_tui.tui.keymap import load as keymap_of
from gpt_tui.tui.preferences import state_dir

_LEAST_FREE = 500_000_000  # bytes: a handful of checkpoints and a dataset
_LEAST_SIZE = (60, 16)  # of a terminal, columns and lines, that the playground needs


@dataclass
class Findings:
    """facts: by subject, what there is. problems: what is wrong, each with how to mend it, in words."""

    facts: dict[str, dict[str, Any]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def run(arguments: Arguments, console: Console) -> int:
    """Obey `doctor`; 1 where something is wrong."""
    runs_dir = find_runs_dir(arguments)
    if arguments.faults:
        raise Refusal(arguments.faults)
    console.live("looking at this machine")
    findings = Findings()
    _look_at_machine(findings)
    _look_at_extras(findings)
    _look_at_runs(findings, runs_dir)
    _look_at_cache(findings)
    _look_at_configuration(findings)
    _look_at_playground(findings)
    _look_at_terminal(findings, console)
    if "json" in arguments:
        console.json_line(json.dumps({**findings.facts, "problems": findings.problems}))
    else:
        console.layout(_report(findings, console))
    return 1 if findings.problems else 0


def _look_at_machine(findings: Findings) -> None:
    from gpt_tui.core.device import describe_machine, versions

    try:
        findings.facts["machine"] = describe_machine()
    except (ImportError, OSError, RuntimeError) as error:
        findings.facts["machine"] = {"versions": versions()}
        findings.problems.append(
            f"torch cannot be used ({error}). Install it again: pip install --force-reinstall torch"
        )


def _look_at_extras(findings: Findings) -> None:
    """What may be installed beside the program; that it is not is no problem."""
    from importlib.metadata import PackageNotFoundError, version

    from gpt_tui.tui.machine import why_no_gpu

    facts = {}
    for extra, package in (("gpu", "nvidia-ml-py"), ("web", "textual-serve")):
        try:
            facts[extra] = f"{package} {version(package)}"
        except PackageNotFoundError:
            facts[extra] = f'not installed; {sys.executable} -m pip install "gpt-tui[{extra}]"'
        else:
            if extra == "gpu" and (why := why_no_gpu()):
                facts[extra] += f", but {why}"
    findings.facts["extras"] = facts


def _look_at_runs(findings: Findings, runs_dir: Path) -> None:
    from gpt_tui.core.runs import Shelf

    facts: dict[str, Any] = {
        "path": str(runs_dir),
        "writable": _look_at_folder(findings, "runs", runs_dir, "GPT_TUI_RUNS_DIR"),
    }
    try:
        shelf = Shelf(runs_dir)
        facts["runs"] = len(shelf.runs())
        for path, why in shelf.broken():
            findings.problems.append(f"{path} cannot be read as a run: {why}. Delete it or move it elsewhere.")
    except GptTuiError as error:
        findings.problems.append(f"{error}. Name another with GPT_TUI_RUNS_DIR.")
    facts["free"] = _free_bytes(runs_dir)
    if facts["free"] is not None and facts["free"] < _LEAST_FREE:
        findings.problems.append(
            f"Only {show_size(facts['free'])} are free where runs are kept. Delete some with gpt-tui runs rm, "
            "or name another place with GPT_TUI_RUNS_DIR."
        )
    findings.facts["runs"] = facts


def _look_at_cache(findings: Findings) -> None:
    from gpt_tui.core.data import list_datasets
    from gpt_tui.core.files import CACHE_VARIABLE, default_cache_dir

    cache = default_cache_dir()
    findings.facts["cache"] = {
        "path": str(cache),
        "writable": _look_at_folder(findings, "cache", cache, CACHE_VARIABLE),
        "datasets": {dataset.name: "cached" if dataset.cached else "not yet" for dataset in list_datasets()},
    }


def _look_at_configuration(findings: Findings) -> None:
    path = user_config_path()
    layers = [environment_layer(os.environ)]
    keymap = keymap_of(path)
    facts = {
        "path": str(path),
        "exists": path.exists(),
        "environment": sorted(layers[0].labels.values()),
        "keys": keymap.shown,
    }
    try:
        if path.exists():
            layers.insert(0, read_toml(path, keys=True))
        resolve(layers)
        told: tuple[Fault, ...] = ()
    except Refusal as refusal:
        told = refusal.faults
        findings.problems += [f"Configuration: {fault}" for fault in told]
    findings.problems += [f"Keys: {fault}" for fault in keymap.faults if fault not in told]
    findings.facts["configuration"] = facts


def _look_at_playground(findings: Findings) -> None:
    folder = state_dir()
    findings.facts["playground"] = {
        "path": str(folder),
        "writable": _look_at_folder(findings, "state", folder, "GPT_TUI_STATE_DIR"),
    }


def _look_at_terminal(findings: Findings, console: Console) -> None:
    terminal = sys.stdin is not None and sys.stdin.isatty() and console.out.terminal
    encoding = (getattr(sys.stdout, "encoding", None) or locale.getpreferredencoding(False)).lower()
    facts: dict[str, Any] = {
        "terminal": terminal,
        "term": os.environ.get("TERM", ""),
        "colors": os.environ.get("COLORTERM", ""),
        "encoding": encoding,
        "no_color": bool(os.environ.get("NO_COLOR")),
        "ssh": "SSH_CONNECTION" in os.environ,
        "tmux": "TMUX" in os.environ,
    }
    if terminal:
        size = shutil.get_terminal_size()
        facts["size"] = f"{size.columns}x{size.lines}"
        if size.columns < _LEAST_SIZE[0] or size.lines < _LEAST_SIZE[1]:
            findings.problems.append(
                f"The terminal is {size.columns}×{size.lines}; the playground needs {_LEAST_SIZE[0]}×{_LEAST_SIZE[1]}."
            )
        if encoding.replace("-", "") != "utf8":
            findings.problems.append(
                f"The terminal's character set is {encoding}, not UTF-8. Set LANG to a UTF-8 locale, or use --ascii."
            )
    findings.facts["terminal"] = facts


def _look_at_folder(findings: Findings, name: str, folder: Path, variable: str) -> bool:
    """Whether files can be made in a folder, or the folder itself where it does not exist. Leaves nothing behind."""
    place = folder
    while not os.path.lexists(place) and place != place.parent:
        place = place.parent
    try:
        with tempfile.TemporaryFile(dir=place):
            return True
    except OSError as error:
        why = error.strerror or str(error)
        findings.problems.append(
            f"The {name} directory {folder} cannot be written ({why}). "
            f"Make it writable, or name another with {variable}."
        )
        return False


def _free_bytes(folder: Path) -> int | None:
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None


# In words --------------------------------------------------------------------------------------------------------


def _report(findings: Findings, console: Console) -> str:
    output = console.out
    blocks = []
    for subject, facts in findings.facts.items():
        lines = [_line(name, _show(name, value), output.prose_width) for name, value in facts.items()]
        blocks.append("\n".join([output.bold(subject), *lines]))
    if findings.problems:
        told = [wrap(one_line(problem), output.prose_width, "  ") for problem in findings.problems]
        blocks.append("\n".join([output.bold("problems"), *told]))
    else:
        blocks.append("Nothing is wrong.")
    return "\n\n".join(blocks)


def _line(name: str, value: str, width: int) -> str:
    indent = " " * 18
    return f"  {name}".ljust(len(indent)) + wrap(value, width, indent).removeprefix(indent)


def _show(name: str, value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {one_line(str(item))}" for key, item in value.items()) or "none"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None or value == "":
        return "none"
    if name in ("memory", "free"):
        return show_size(value)
    return one_line(str(value))
