"""Kill the program with SIGKILL at random moments, and see that nothing is lost. POSIX systems only.

    python benchmarks/crash.py                      200 kills, two or three minutes
    python benchmarks/crash.py --kills 12 --seed 7  fewer, of other runs at other moments
    python benchmarks/crash.py --keep DIR           keep the runs

Small runs are trained by `gpt-tui --headless`, each killed and resumed until it is at its end. A tenth of the kills hit
a program that was started afresh; the others hit a fork of this process, which has imported the program and trained
nothing, so that a kill costs a fraction of a second. About half of the moments are drawn from a sitting's time alone.
The others wait for a file or a line of code to come in sight (a checkpoint being written or removed, a run being made,
the log growing) and add a random delay.

Every third run learns by Muon, the others by AdamW. Now and then a run does not go on from its newest checkpoint but
from one before it, and with other settings: another learning rate, dropout or batch size, and another number of
checkpoints that are kept.

After each kill the newest checkpoint on the run's course has to be whole, the history has to have every step once, and
nobody may hold the run. At its end the run has to be whole, with no more checkpoints than are to be kept, and to equal
one with the same seed that nobody killed, and that went back to the same steps with the same settings: every loss,
gradient norm, evaluation, sample, surprise and edit, every weight and every tensor of the optimizer, bit for bit. The
exit status is 1 where it is not so.
"""

from __future__ import annotations

import argparse
import importlib
import mmap
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import gpt_tui.cli
from gpt_tui.core.events import AnyEvent, BadEvent, Continued, Edit, from_json
from gpt_tui.core.runs import Run, load_checkpoint, newest_whole_checkpoint
from gpt_tui.core.runs.verify import verify

STEPS, INTERVAL = 200, 4
KEEP = "keep_checkpoints"
MOST_TURNS = 3  # of a run, so that it comes to its end
ROOT = Path(__file__).parent.parent
TEXT = "guide.txt"
FLAGS = (
    *("--preset", "quick", "--device", "cpu", "--threads", "1", "--quiet"),
    *("--n-layer", "2", "--n-head", "2", "--n-embd", "32", "--block-size", "16", "--batch-size", "4"),
    *("--dropout", "0.1", "--gradient-accumulation-steps", "2", "--max-iters", str(STEPS), "--warmup-iters", "10"),
    *("--eval-interval", "10", "--eval-iters", "4", "--max-new-tokens", "30"),
    *("--checkpoint-interval", str(INTERVAL)),
)

# Where the worker is, by the innermost of these functions on its stack: (file, function) -> phase.
PLACES = {
    ("run.py", "prune"): "pruning",
    ("checkpoints.py", "save_checkpoint"): "saving",
    ("log.py", "flush"): "writing the log",
    ("looking.py", "speak"): "sampling",
    ("looking.py", "score_passage"): "sampling",
    ("worker.py", "_look"): "evaluating",
    ("worker.py", "_last_evaluation"): "evaluating",
    ("worker.py", "_step"): "training",
    ("worker.py", "_settle"): "training",
    ("worker.py", "_open"): "start-up",
    ("prepare.py", "prepare"): "start-up",
    ("shelf.py", "create"): "making the run",
}
START_UP, RESUMING, MAKING, ELSEWHERE = "start-up", "resuming", "making the run", "between two of these"
PHASES = (START_UP, MAKING, RESUMING, "training", "evaluating", "sampling", "saving", "pruning", "writing the log")
PHASES = (*PHASES, ELSEWHERE)
FINDINGS = NO_RUN, NO_CHECKPOINT, NEWEST_WHOLE, AT_ITS_END = (
    "no run yet",
    "no checkpoint yet",
    "newest one whole",
    "at its end",
)
AIMS = ("any",) * 6 + (START_UP, "saving", "saving", "pruning", "pruning", "writing the log", "evaluating")
FIRST_AIMS = ("any", START_UP, START_UP, MAKING, MAKING, MAKING, "saving")  # where there is no run yet

_LONGEST = 60.0  # seconds until a sitting that comes to no end is given up


class Lost(Exception):
    """A promise is broken."""


@dataclass
class Tally:
    """What was hit and found. where: (phase, finding) -> kills."""

    where: Counter[tuple[str, str]] = field(default_factory=Counter)
    afresh: int = 0
    runs: int = 0
    edited: int = 0
    taken_back: int = 0
    half_lines: int = 0
    half_made: int = 0

    @property
    def kills(self) -> int:
        return self.where.total()


@dataclass(frozen=True)
class Turn:
    """What a run goes on from, and with which live fields changed.

    changes: {field: value}; back: whether there were newer checkpoints
    """

    step: int
    changes: dict[str, float]
    back: bool

    @classmethod
    def draw(cls, run: Run, chance: random.Random) -> Turn | None:
        """From a checkpoint of the interval, which whoever prunes none has too; None where there is none."""
        known = run.checkpoints()
        behind = run.digest().left_behind(known)
        course = [info.step for info in known if info.name not in behind]
        places = [step for step in course if step % INTERVAL == 0 and step < STEPS]
        if not places:
            return None
        step = chance.choice(places)
        fields = {
            "dropout": chance.choice((0.0, 0.05, 0.2)),
            "batch_size": chance.randint(2, 6),
            "gradient_accumulation_steps": chance.randint(1, 3),
            "temperature": chance.choice((0.5, 0.8, 1.2)),
        }
        changes = {name: fields[name] for name in chance.sample(sorted(fields), 2)}
        changes["learning_rate"] = round(chance.uniform(1e-3, 1e-2), 6)  # never what it was
        return cls(step, {**changes, KEEP: chance.randint(1, 4)}, step < max(course))

    def flags(self, *but: str) -> list[str]:
        shown = [(name, value) for name, value in self.changes.items() if name not in but]
        return [part for name, value in shown for part in ("--" + name.replace("_", "-"), str(value))]

    def taken(self, log: Path, since: int) -> Turn | None:
        """This, where the log says from this byte on that it was taken; without changes where it tells of none."""
        with log.open("rb") as file:
            file.seek(since)
            events = _events(file.read())
        if not any(isinstance(event, Continued) and event.step == self.step for event in events):
            return None
        edits = [event.changes for event in events if isinstance(event, Edit) and event.step == self.step]
        told = any(edit.get("learning_rate", (0, 0))[1] == self.changes["learning_rate"] for edit in edits)
        return self if told else replace(self, changes={})


def _events(lines: bytes) -> list[AnyEvent]:
    events = []
    for line in lines.splitlines():
        try:
            events.append(from_json(line))
        except BadEvent:
            pass  # half a line of who was killed, or nothing
    return events


# A sitting: one process that trains --------------------------------------------------------------------------------


class Sitting:
    """One process of the program, to be killed. `phase` tells where a fork is."""

    def __init__(self, arguments: list[str], place: Path, afresh: bool):
        self.place = place
        self.afresh = afresh
        self.status: int | None = None
        self._phase = mmap.mmap(-1, 1)
        self.began = time.perf_counter()
        self._process: subprocess.Popen[bytes] | None = None
        with (place / "output.txt").open("wb") as output:
            if afresh:
                command = [sys.executable, "-m", "gpt_tui", *arguments]
                self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
                self.pid = self._process.pid
                return
            sys.stdout.flush()
            self.pid = os.fork()
            if self.pid == 0:
                os.dup2(output.fileno(), 1)
                os.dup2(output.fileno(), 2)
                self._be_the_program(arguments)

    def _be_the_program(self, arguments: list[str]) -> None:
        status = 70
        try:
            threading.Thread(target=_watch, args=(self._phase,), daemon=True).start()
            status = gpt_tui.cli.main(arguments)
        finally:
            os._exit(status)  # no more of the parent than its imports is to be taken down here

    @property
    def phase(self) -> str | None:
        """None where that cannot be seen."""
        return None if self.afresh else PHASES[self._phase[0]]

    def ended(self) -> bool:
        if self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self._reaped(status)
        return self.status is not None

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        self._reaped(os.waitpid(self.pid, 0)[1])

    def wait(self) -> None:
        deadline = self.began + _LONGEST
        while not self.ended():
            if time.perf_counter() > deadline:
                self.kill()
                raise Lost(f"a sitting came to no end in {_LONGEST:.0f} s")
            time.sleep(0.002)

    def _reaped(self, status: int) -> None:
        self.status = os.waitstatus_to_exitcode(status)
        if self._process is not None:
            self._process.returncode = self.status

    @property
    def output(self) -> str:
        return (self.place / "output.txt").read_text(encoding="utf-8", errors="replace").strip()


def _watch(phase: mmap.mmap) -> None:
    """Write down, as often as the interpreter lets this thread, where the worker is."""
    sys.setswitchinterval(0.0005)
    worker = None
    while True:
        worker = worker or next((t.ident for t in threading.enumerate() if t.name == "gpt-tui worker"), None)
        frame = sys._current_frames().get(worker or 0)
        found = START_UP if frame is None else ELSEWHERE
        while frame is not None:
            code = frame.f_code
            if known := PLACES.get((code.co_filename.rpartition(os.sep)[2], code.co_name)):
                found = known
                break
            frame = frame.f_back
        phase[0] = PHASES.index(found)
        time.sleep(0.0005)


# The moment ------------------------------------------------------------------------------------------------------


def await_moment(aim: str, sitting: Sitting, run: Path, chance: random.Random, usual: float) -> bool:
    """Sleep until the moment to kill has come; False where the program ended before.

    usual: how many seconds a sitting of this kind takes from its start to the end of the run
    """
    if aim == "any" or sitting.afresh:
        return _sleep(sitting, chance.uniform(0.0, usual if sitting.afresh else usual / 6))
    if aim == START_UP:
        return _sleep(sitting, chance.uniform(0.0, 0.15 * usual))
    sight, delay = {
        MAKING: (lambda: run.exists() or any(run.parent.glob(".new-*")), 0.003),
        "saving": (lambda: bool(_names(run, ".tmp-")), 0.02),
        "pruning": (lambda: bool(_names(run, ".removed-")) or sitting.phase == "pruning", 0.002),
        "writing the log": (_growing(run / "events.jsonl"), 0.0005),
        "evaluating": (lambda: sitting.phase in ("evaluating", "sampling"), 0.02),
    }[aim]
    for _ in range(0 if aim == MAKING else chance.randint(0, 1)):  # or the second time
        if not _see(sitting, sight) or not _see(sitting, lambda: not sight()):
            return False
    return _see(sitting, sight) and _sleep(sitting, chance.uniform(0.0, delay))


def _see(sitting: Sitting, sight: Callable[[], bool], patience: float = _LONGEST) -> bool:
    """Wait for a sight, at most so long; False where the program ended before."""
    deadline = time.perf_counter() + patience
    while not sight() and time.perf_counter() < deadline:
        if sitting.ended():
            return False
        time.sleep(0.0001)
    return not sitting.ended()


def _sleep(sitting: Sitting, seconds: float) -> bool:
    return _see(sitting, lambda: False, seconds)


def _names(run: Path, part: str) -> list[str]:
    try:
        return [path.name for path in (run / "checkpoints").iterdir() if part in path.name]
    except OSError:
        return []


def _growing(log: Path) -> Callable[[], bool]:
    sizes = [_size(log)]

    def sight() -> bool:
        sizes.append(_size(log))
        return sizes[-1] != sizes.pop(0)

    return sight


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


# What is found -----------------------------------------------------------------------------------------------------


def examine(path: Path, tally: Tally) -> str:
    """What a kill left of a run, in a few words. Raises Lost."""
    if not path.exists():
        return NO_RUN
    run = Run.open(path)
    log = path / "events.jsonl"
    tally.half_lines += log.exists() and log.stat().st_size > 0 and not log.read_bytes().endswith(b"\n")
    tally.half_made += len(_names(path, ".tmp-")) + len(_names(path, ".removed-"))
    history, state = run.history(), run.state()
    _hold(list(history.steps) == list(range(1, len(history.steps) + 1)), "a step is missing from the history")
    for looks in (history.evals, history.samples, history.surprises):
        steps = [look.step for look in looks]
        _hold(steps == sorted(set(steps)), f"a look is told twice: {steps}")
    _hold(state == ("interrupted" if history.end is None else "finished"), f"the run's state is {state}")
    known = run.checkpoints()
    if not known:
        _hold(history.step == 0, "steps were taken, and no checkpoint is there")
        return NO_CHECKPOINT
    info, _, notices = newest_whole_checkpoint(run)
    _hold(not notices, f"a checkpoint is damaged: {notices}")
    went_on = [event.step for event in _events(log.read_bytes()) if isinstance(event, Continued)]
    behind = history.left_behind(known)
    _hold(
        not behind or min(int(name[:6]) for name in behind) > min(went_on), f"{behind} lie before what it went back to"
    )
    newest = [other.name for other in known if other.name not in behind][-1]
    _hold(info.name == newest, f"{info.name} is taken for the newest, not {newest}")
    _hold(not went_on or info.step >= went_on[-1], f"{info.name} lies before step {went_on[-1:]}, where it went on")
    _hold(len(history.steps) >= info.step, f"step {info.step} was saved, the history ends at {len(history.steps)}")
    return NEWEST_WHOLE if history.end is None else AT_ITS_END


def compare(run: Path, twin: Path) -> None:
    """Raises Lost where a run differs from its twin in anything it computed."""
    import torch

    one, other = Run.open(run), Run.open(twin)
    for what, found, wanted in zip(("history", "end"), _told(one), _told(other), strict=True):
        for name in wanted:
            _hold(found[name] == wanted[name], f"{run.name} and {twin.name} differ in {what}: {name}")
    saved, meant = (load_checkpoint(r.checkpoints()[-1].path) for r in (one, other))
    tensors, right = {**saved.model, **saved.trainer}, {**meant.model, **meant.trainer}
    _hold(saved.step == meant.step == STEPS and tensors.keys() == right.keys(), "the last checkpoints are of two kinds")
    different = [name for name, tensor in right.items() if not torch.equal(tensors[name], tensor)]
    _hold(not different, f"{run.name} and {twin.name} end with different tensors: {different}")
    for name in ("tokens", "batches", "looked"):
        _hold(saved.state[name] == meant.state[name], f"{run.name} and {twin.name} end with another state: {name}")


def examine_end(path: Path) -> None:
    """Raises Lost where a run that came to its end is not whole, or has more checkpoints than it was to keep."""
    verdict = verify(path)
    _hold(verdict.whole, f"{path.name} has faults: {verdict.faults}")
    _hold(verdict.state == "finished", f"{path.name} ended, and is {verdict.state}")
    _hold(not verdict.leftovers, f"{path.name} ended, and has {verdict.leftovers} left")
    run = Run.open(path)
    history = run.history()
    told = [notice.text for notice in history.notices if notice.text.startswith("The log of")]
    _hold(not told, f"{path.name} is said to have lost what a kill does not take: {told}")
    best = history.best.step if history.best else -1
    passing = [info for info in run.checkpoints() if info.reasons == {"interval"} and info.step != best]
    kept = history.config.training.keep_checkpoints if history.config else 0
    _hold(kept != "off" and len(passing) <= kept, f"{path.name} has kept {len(passing)} checkpoints instead of {kept}")


def _told(run: Run) -> tuple[dict[str, Any], dict[str, Any]]:
    history = run.history()
    columns = ("steps", "losses", "learning_rates", "grad_norms", "tokens")
    rows: dict[str, Any] = {name: getattr(history, name).tolist() for name in columns}
    for name in ("evals", "samples", "surprises", "milestones", "edits"):
        rows[name] = [look.model_dump(exclude={"time"}) for look in getattr(history, name)]
    for edit in rows["edits"]:
        edit["changes"].pop(KEEP, None)  # which nothing that is computed depends on
    end = history.end
    return rows, {} if end is None else end.model_dump(exclude={"time", "seconds"})


def _hold(holds: bool, otherwise: str) -> None:
    if not holds:
        raise Lost(otherwise)


# The whole -----------------------------------------------------------------------------------------------------------


@dataclass
class Soak:
    place: Path
    kills: int
    chance: random.Random
    tally: Tally = field(default_factory=Tally)
    usual: dict[bool, float] = field(default_factory=dict)  # seconds of a whole run, by whether it is started afresh

    @property
    def shelf(self) -> Path:
        return self.place / "runs"

    def run(self) -> None:
        """Raises Lost."""
        while self.tally.kills < self.kills:
            seed = self.chance.randrange(10**6)
            twin = self._left_alone(seed, f"left-alone-{seed}", afresh=self.tally.runs == 0)
            if False not in self.usual:
                compare(self._left_alone(seed, f"left-alone-{seed}-as-a-fork", afresh=False), twin)
            for turn in self._live(seed, f"killed-{seed}"):
                self._sit(twin.name, [*self._going_on(f"{twin.name}@{turn.step}"), *turn.flags(KEEP)], afresh=False)
            compare(self.shelf / f"killed-{seed}", twin)
            self.tally.runs += 1
            show_progress(self.tally, self.kills)

    def _left_alone(self, seed: int, name: str, afresh: bool) -> Path:
        self.usual[afresh] = self._sit(name, [*self._beginning(seed, name), "--keep-checkpoints", "off"], afresh)
        return self.shelf / name

    def _sit(self, name: str, arguments: list[str], afresh: bool) -> float:
        """Have the program do this until it ends; how many seconds it took."""
        sitting = Sitting(arguments, self.place, afresh)
        sitting.wait()
        _hold(sitting.status == 0, f"{name} ended with {sitting.status}: {sitting.output}")
        return time.perf_counter() - sitting.began

    def _live(self, seed: int, name: str) -> list[Turn]:
        """Train a run to its end, through kills as long as there are any left; which turns it took on the way."""
        path = self.shelf / name
        turns: list[Turn] = []
        while True:
            afresh = self.tally.afresh < self.tally.kills // 10
            killing = self.tally.kills < self.kills
            existed, size = path.exists(), _size(path / "events.jsonl")
            turn = None
            if killing and existed and len(turns) < MOST_TURNS and self.chance.random() < 0.2:
                turn = Turn.draw(Run.open(path), self.chance)
            sitting = Sitting(self._arguments(seed, name, turn), self.place, afresh and killing)
            aim = self.chance.choice(AIMS if existed else FIRST_AIMS)
            if killing and await_moment(aim, sitting, path, self.chance, self.usual[sitting.afresh]):
                phase = sitting.phase
                sitting.kill()
                if sitting.status == -signal.SIGKILL:
                    found = self._count(sitting, path, phase, existed, size)
                    turns += self._taken(turn, path, size)
                    if found == AT_ITS_END:
                        return turns
                    continue
            sitting.wait()
            _hold(sitting.status == 0, f"{name} ended with {sitting.status}: {sitting.output}")
            turns += self._taken(turn, path, size)
            examine_end(path)
            return turns

    def _taken(self, turn: Turn | None, path: Path, size: int) -> list[Turn]:
        taken = turn and turn.taken(path / "events.jsonl", size)
        if taken is None:
            return []
        self.tally.taken_back += taken.back
        self.tally.edited += bool(taken.changes)
        return [taken]

    def _count(self, sitting: Sitting, path: Path, phase: str | None, existed: bool, size: int) -> str:
        """Examine what the kill left, and note where it fell: what lies on the disk says more than what was seen.

        Returns what was found.
        """
        begun = path.exists() and _size(path / "events.jsonl") != size
        where = phase or ("training" if begun else START_UP)
        if _names(path, ".tmp-"):
            where = "saving"
        elif _names(path, ".removed-"):
            where = "pruning"
        elif any(self.shelf.glob(f".new-{sitting.pid}-*")):
            where = MAKING
        elif where == START_UP and existed:
            where = RESUMING
        try:
            found = examine(path, self.tally)
        except Lost as lost:
            raise Lost(f"{lost} (kill {self.tally.kills + 1}, {where}, {path})") from None
        self.tally.where[where, found] += 1
        self.tally.afresh += sitting.afresh
        show_progress(self.tally, self.kills)
        return found

    def _arguments(self, seed: int, name: str, turn: Turn | None) -> list[str]:
        if not (self.shelf / name).exists():
            return [*self._beginning(seed, name), "--keep-checkpoints", "3"]
        if turn is None:
            return self._going_on(name)
        return [*self._going_on(f"{name}@{turn.step}"), *turn.flags()]

    def _beginning(self, seed: int, name: str) -> list[str]:
        named = ["--dataset", str(self.place / TEXT), "--seed", str(seed), "--run-name", name]
        optimizer = ["--optimizer", "muon" if seed % 3 == 0 else "adamw"]
        return ["--headless", *FLAGS, *optimizer, *named, "--runs-dir", str(self.shelf)]

    def _going_on(self, spec: str) -> list[str]:
        return ["--headless", "--quiet", "--runs-dir", str(self.shelf), "--resume", spec]


def show_progress(tally: Tally, kills: int) -> None:
    if sys.stderr.isatty():
        print(f"\r{tally.kills} of {kills} kills, {tally.runs} runs at their end", end="", file=sys.stderr, flush=True)


def table(tally: Tally) -> Iterable[str]:
    yield f"{'where the kill fell':<24}{'kills':>6}" + "".join(f"{name:>20}" for name in FINDINGS)
    for phase in PHASES:
        row = [tally.where[phase, found] for found in FINDINGS]
        yield f"{phase:<24}{sum(row):>6}" + "".join(f"{count or '–':>20}" for count in row)
    row = [sum(tally.where[phase, found] for phase in PHASES) for found in FINDINGS]
    yield f"{'in all':<24}{sum(row):>6}" + "".join(f"{count:>20}" for count in row)


def prepare_places(place: Path) -> None:
    """A text to learn, and no setting of the person's own: nothing of theirs is touched."""
    for name in [name for name in os.environ if name.startswith("GPT_TUI_")]:
        del os.environ[name]
    (place / "runs").mkdir(parents=True, exist_ok=True)
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    (place / TEXT).write_text("\n".join(page.read_text("utf-8") for page in pages)[:60_000], "utf-8")
    os.environ |= {f"GPT_TUI_{name}_DIR": str(place / name.lower()) for name in ("CACHE", "STATE")}
    os.environ |= {"GPT_TUI_CONFIG": str(place / "no-configuration.toml")}


def import_the_program() -> None:
    """All that training imports. No thread is started, here or by comparing: a fork has only the thread that forked."""
    for room in ("cli.training", "core.lens", "core.sampling", "core.training", "core.worker", "headless"):
        importlib.import_module(f"gpt_tui.{room}")
    for library in ("safetensors.torch", "numpy.random", "torch._dynamo"):  # the last comes with the first optimizer
        importlib.import_module(library)
    importlib.import_module("torch").set_num_threads(1)
    if threading.active_count() > 1:
        raise Lost("importing the program started a thread")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1, help="of the runs and of the moments")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the runs here")
    asked = parser.parse_args()
    if not hasattr(os, "fork"):
        print("crash.py: needs a system with fork and SIGKILL", file=sys.stderr)
        return 2
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="gpt-tui-crash-") as temporary:
        place = asked.keep.absolute() if asked.keep else Path(temporary)
        prepare_places(place)
        soak = Soak(place, asked.kills, random.Random(asked.seed))
        lost = ""
        try:
            import_the_program()
            soak.run()
        except Lost as error:
            lost = str(error)
    tally = soak.tally
    if sys.stderr.isatty():
        print(file=sys.stderr)
    print("\n".join(table(tally)))
    print(f"\n{tally.afresh} of the kills hit a program that was started afresh, the others a fork.")
    print(f"They left {tally.half_made} half-made or half-removed checkpoints, {tally.half_lines} half-written lines.")
    print(
        f"{tally.edited} times a run went on with other settings, {tally.taken_back} times from an earlier checkpoint."
    )
    if lost:
        print(f"LOST: {lost}")
        return 1
    runs = "1 run" if tally.runs == 1 else f"{tally.runs} runs"
    print(f"{runs} of {STEPS} steps came to the end, equal to a twin that was left alone, bit for bit:")
    print("every loss, gradient norm, evaluation, sample, surprise and edit, every weight and optimizer tensor.")
    print(f"{time.perf_counter() - began:.0f} seconds")
    return 0


if __name__ == "__main__":
    sys.exit(main())
