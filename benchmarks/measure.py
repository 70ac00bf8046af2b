"""One measured run: the real program trains it, and what its own log tells becomes a record.

A run lives in a directory named after what it is, so that a benchmark that was interrupted goes on where it stopped.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from gpt_tui.core.config import FIELDS, difference, from_sections
from gpt_tui.core.device import physical_cores, processor_name, versions
from gpt_tui.core.errors import GptTuiError
from gpt_tui.core.events import Finished
from gpt_tui.core.runs import Run, Shelf

PROGRAM = (sys.executable, "-m", "gpt_tui")


def machine() -> str:
    """What a figure was measured on, in one line."""
    return f"{processor_name()}, {physical_cores()} cores, torch {versions()['torch']}, Python {versions()['python']}"


def has_bfloat16() -> bool:
    """Whether this CPU multiplies bfloat16 in hardware."""
    from gpt_tui.core.device import cpu_has_native_bfloat16

    return cpu_has_native_bfloat16()


def nanogpt_checkout(path: str) -> Path:
    """The value of --nanogpt: a checkout of it. Raises argparse.ArgumentTypeError."""
    if missing := [name for name in ("train.py", "model.py") if not Path(path, name).is_file()]:
        raise argparse.ArgumentTypeError(f"{path} is no checkout of nanoGPT: it has no {missing[0]}")
    return Path(path)


@dataclass(frozen=True)
class Case:
    """What is asked for: a preset, a seed, and flags that change the preset ("--residual", "false")."""

    preset: str
    seed: int
    flags: tuple[str, ...] = ()

    @property
    def what(self) -> str:
        """The preset, and what is changed in it."""
        return " ".join((self.preset, *self.flags))

    @property
    def run_name(self) -> str:
        words = "-".join(flag.strip("-") for flag in self.flags)
        return "-".join(part for part in (self.preset, words, f"seed{self.seed}") if part)


@dataclass(frozen=True)
class Record:
    """What a run reached, and how it was made.

    evals: [step, train, val], as the run evaluated. val_loss: at the end, on the whole validation split; train_loss:
    on the first 100,000 tokens of the training split. passed: [step, rung] of the entropy ladder. seconds: of work.
    processor, threads: what it was made with.
    """

    preset: str
    flags: tuple[str, ...]
    seed: int
    command: str
    parameters: int
    steps: int
    seconds: float
    train_loss: float
    val_loss: float
    evals: tuple[tuple[int, float, float], ...]
    passed: tuple[tuple[int, str], ...]
    sample: str
    device: str
    dtype: str
    threads: int
    processor: str
    torch: str

    @property
    def case(self) -> Case:
        return Case(self.preset, self.seed, self.flags)

    @property
    def best(self) -> tuple[int, float]:
        """Step and loss of the evaluation with the lowest validation loss."""
        step, _, loss = min(self.evals, key=lambda row: row[2])
        return step, loss


def measure(case: Case, options: Iterable[str], place: Path) -> Record:
    """Train `case` in `place`, or go on with it there, or take it as it is where it has ended already.

    options: flags that say how rather than what: the dataset, the device, the threads. Raises GptTuiError.
    """
    flags = ["--preset", case.preset, "--seed", str(case.seed), *options, *case.flags]
    run = _kept(case, flags, place)
    if run is None:
        _train([*flags, "--run-name", case.run_name], place)
    elif not _ran_through(run):
        _train(["--resume", case.run_name], place)
    return _record(case, flags, Run.open(place / case.run_name))


def _kept(case: Case, flags: list[str], place: Path) -> Run | None:
    """The run of this case that is there already, if it can be used. Raises GptTuiError where it is another one."""
    path = place / case.run_name
    if not path.exists():
        return None
    run = Run.open(path)
    if run.state() == "live":
        raise GptTuiError(f"{path} is being trained by another process")
    if not run.checkpoints():
        Shelf(place).remove(run)  # it ended before it had anything to go on from
        return None
    wanted = _output(["--headless", *flags, "--print-config"], place)
    asked = from_sections(tomllib.loads(wanted), "--print-config")
    if changed := difference(run.config(), asked):
        fields = ", ".join(f"{name} {old!r}, asked for is {new!r}" for name, (old, new) in changed.items())
        raise GptTuiError(f"{path} was trained with other settings ({fields}); remove it, or name another --keep")
    return run


def _ran_through(run: Run) -> bool:
    end = run.digest().end
    return isinstance(end, Finished) and end.reason == "max_iters"


def _train(flags: list[str], place: Path) -> None:
    """Raises GptTuiError where the program fails; what it says about it goes to stderr."""
    quiet = [] if sys.stderr.isatty() else ["--quiet"]
    command = [*PROGRAM, "--headless", "--json", *quiet, *flags, "--runs-dir", str(place)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, env=_environment(place)) as process:
        try:
            status = process.wait()
        except KeyboardInterrupt:
            process.wait()  # it was interrupted too, and saves
            raise
    if status:
        raise GptTuiError(f"gpt-tui --headless {' '.join(flags)} ended with status {status}")


def _output(flags: list[str], place: Path) -> str:
    ran = subprocess.run(
        [*PROGRAM, *flags], capture_output=True, text=True, encoding="utf-8", env=_environment(place), check=False
    )
    if ran.returncode:
        raise GptTuiError(f"gpt-tui {' '.join(flags)}: {ran.stderr.strip()}")
    return ran.stdout


def _environment(place: Path) -> dict[str, str]:
    """The environment without a person's own settings: a preset shall be what it is everywhere."""
    mine = {spec.environment for spec in FIELDS.values()}
    kept = {name: value for name, value in os.environ.items() if name not in mine}
    return {**kept, "GPT_TUI_CONFIG": str(place / "no-configuration.toml")}


def _record(case: Case, flags: list[str], run: Run) -> Record:
    history, made = run.history(), run.record()
    end = history.end
    if not isinstance(end, Finished) or end.reason != "max_iters":
        raise GptTuiError(f"{run.path} did not run to its last step")
    return Record(
        preset=case.preset,
        flags=case.flags,
        seed=case.seed,
        command=" ".join(("gpt-tui --headless", *flags)),
        parameters=made.parameters,
        steps=end.step,
        seconds=round(end.seconds, 1),
        train_loss=round(end.train_loss, 4),
        val_loss=round(end.val_loss, 4),
        evals=tuple((e.step, round(e.train_loss, 4), round(e.val_loss, 4)) for e in history.evals),
        passed=tuple((milestone.step, milestone.rung) for milestone in history.milestones),
        sample=history.samples[-1].text,
        device=made.device,
        dtype=made.dtype,
        threads=made.threads,
        processor=made.cpu,
        torch=made.versions["torch"],
    )


# Records on disk -------------------------------------------------------------------------------------------------


def load(path: Path) -> list[Record]:
    if not path.exists():
        return []
    rows: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return [_from_json(row) for row in rows]


def _from_json(row: dict[str, Any]) -> Record:
    record = Record(**row)
    return replace(
        record,
        flags=tuple(record.flags),
        evals=tuple(tuple(e) for e in record.evals),
        passed=tuple(tuple(p) for p in record.passed),
    )


def save(path: Path, records: Iterable[Record]) -> None:
    """Put the records into the file; one of the same case takes the place of the older."""
    kept = {record.case: record for record in [*load(path), *records]}
    rows = [json.dumps(asdict(record), ensure_ascii=False) for record in kept.values()]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("[\n" + ",\n".join(rows) + "\n]\n", encoding="utf-8")
