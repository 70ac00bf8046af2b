"""How soon there is something to see: help, a long shelf, the first frame and step, a million steps and their chart.

    python benchmarks/opening.py                    all of it, some minutes
    python benchmarks/opening.py help runs          some of it
    python benchmarks/opening.py --steps 100000     a shorter long run

Every measurement is a process of its own, as a person's would be, and they take turns with their peers, so that a slow
minute of the machine meets them all. Medians are told, and ratios within a turn. Python's own start is part of each
time; the peers say what of it nobody can help. What starts has started once before, unmeasured: its byte code is kept,
as that of an installed program is, and its files and its dataset are at hand.

    help    `gpt-tui --help`, beside a Python that does nothing
    runs    `gpt-tui runs` on a thousand finished runs, listed once before, beside a Python that does nothing
    frame   the playground in a pseudo-terminal of 120×40, from the start of the process until its first line,
            what would be trained, and its keys have come, beside the smallest app that Textual can show
    step    `gpt-tui --headless` until it tells of its first training step, beside a Python that imports torch and makes
            one step of a small torch module
    long    opening a run of a million steps as the playground does, imports aside, beside `json.loads` of each line;
            once with an empty cache and once with what that left there; and the memory at its highest, in all and
            what the run added
    chart   the chart of that run drawn anew after one more step, at 120×40 and at 200×60: from the history to the
            strips of every row
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from terminal import Terminal

RUNS, LONG = 1000, "long"
STARTS = ("help", "runs", "frame", "step")  # what is run once before it is measured
SIZES = ((120, 40), (200, 60))
DRAWINGS = 30  # for each median of the chart
PROGRAM = (sys.executable, "-m", "gpt_tui")
NOTHING = (sys.executable, "-c", "pass")
SMALLEST = (sys.executable, "-c", "from textual.app import App; App().run()")
ONE_STEP = (sys.executable, "-c", """
import torch
model = torch.nn.Sequential(torch.nn.Embedding(65, 64), torch.nn.Linear(64, 65))
optimizer = torch.optim.AdamW(model.parameters())
tokens = torch.randint(65, (12, 65))
torch.nn.functional.cross_entropy(model(tokens[:, :-1]).flatten(0, 1), tokens[:, 1:].flatten()).backward()
optimizer.step()
print("step", flush=True)
""")  # fmt: skip
FIRST_STEP = (*PROGRAM, "--headless", "--json", "--quiet", "--preset", "quick", "--runs-dir", "{}/steps")
SHOWN = (b"gpt-tui", b"1 Train", b"learning rate", b"starts it", b"? help", b"palette")  # in a whole first frame

Found = dict[str, float]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", help=f"{', '.join(MEASURED)}; all where none is named")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--steps", type=int, default=1_000_000, help="of the long run")
    parser.add_argument("--dataset", default="auto", help="what the first step is made on (auto)")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--place", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if unknown := [name for name in options.what if name not in MEASURED]:
        parser.error(f"{unknown[0]}: there are {', '.join(MEASURED)}")
    if options.one:
        print(json.dumps(IN_A_PROCESS[options.one](options.place)))
        return 0
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # of every process that is started from here
    os.environ["GPT_TUI_DATASET"] = options.dataset
    asked = options.what or list(MEASURED)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        prepare(place, asked, options.steps)
        for name in asked:
            if name in STARTS:
                turn(name, place, 0)
        turns = [{name: turn(name, place, number + 1) for name in asked} for number in range(options.repeats)]
    tell(asked, turns)
    return 0


def turn(name: str, place: Path, number: int) -> Found:
    found = {what: measure(place) for what, measure in MEASURED[name].items()}
    merged = {f"{what} {key}".strip(): value for what, each in found.items() for key, value in each.items()}
    told = ", ".join(f"{what} {value:,.1f}" for what, value in merged.items())
    which = f"turn {number}" if number else "not measured"
    print(f"{which}: {name}: {told}", file=sys.stderr, flush=True)
    return merged


# What there is to open ---------------------------------------------------------------------------------------------


def prepare(place: Path, asked: list[str], steps: int) -> None:
    (place / "shelf").mkdir()
    os.environ["GPT_TUI_CACHE_DIR"] = str(place / "cache")  # of every process that is started from here
    if {"long", "chart"} & set(asked):
        make_run(place / "shelf", LONG, steps)
    if "runs" in asked:
        make_run(place, "seed", 500)
        record = json.loads((place / "seed" / "run.json").read_text("utf-8"))
        for number in range(RUNS):
            run = shutil.copytree(place / "seed", place / "runs" / f"run-{number:04}")
            created = f"2026-11-20T{number // 60:02}:{number % 60:02}:00+00:00"
            (run / "run.json").write_text(json.dumps({**record, "created": created}), "utf-8")
            for file in run.iterdir():  # runs of yesterday
                os.utime(file, (time.time() - 86400,) * 2)
        began = time.perf_counter()
        subprocess.run([*PROGRAM, "runs", "--runs-dir", str(place / "runs")], stdout=subprocess.DEVNULL, check=True)
        print(f"the first list of {RUNS} runs: {time.perf_counter() - began:.1f} s", file=sys.stderr, flush=True)


def make_run(shelf: Path, name: str, steps: int) -> None:
    """A run as the program writes one, with an evaluation, a sample and a checkpoint fifty to two thousand times."""
    from gpt_tui.core.config import RunConfig
    from gpt_tui.core.events import Checkpoint, DatasetRecord, Eval, Finished, Sample, Step, Surprise
    from gpt_tui.core.runs import RunRecord, Shelf

    chance, time_spent, loss = random.Random(1), 0.0, 4.17
    dataset = DatasetRecord(
        name="shakespeare", sha256="0" * 64, characters=1_115_394, vocab_size=65, train_tokens=1_003_854,
        val_tokens=111_540,
    )  # fmt: skip
    record = RunRecord(
        created="2026-11-20T14:25:01+00:00", versions={}, platform="", cpu="", device="cpu", dtype="float32", threads=2,
        dataset=dataset, source="", tokenizer={"kind": "char", "characters": "abc"}, parameters=616_448,
        ladder={"uniform": 4.174, "bigram": 2.486}, passage="x" * 236,
    )  # fmt: skip
    every = max(steps // 2000, 50)
    with Shelf(shelf).create(RunConfig().replace(max_iters=steps + steps // 10), name, record) as writer:
        writer.append(writer.run.started())
        for step in range(1, steps + 1):
            time_spent += chance.uniform(0.0025, 0.0035)
            loss = 1.5 + 2.6 / (1 + step / 2000) + chance.gauss(0, 0.05)
            writer.append(
                Step(
                    step=step, time=time_spent, loss=loss, learning_rate=1e-3 * (1 - step / steps / 1.1),
                    grad_norm=chance.expovariate(1), tokens=step * 2048, tokens_per_second=chance.gauss(6e5, 1e4),
                )
            )  # fmt: skip
            if step % every == 0:
                told: dict[str, Any] = {"step": step, "time": time_spent}
                writer.append(Eval(**told, train_loss=loss, val_loss=loss + 0.1, whole_split=False, best=True))
                writer.append(Surprise(**told, nats=[chance.expovariate(1) for _ in range(236)]))
                writer.append(Sample(**told, prompt="", seed=1, text="".join(chance.choices("abc \n", k=500))))
                writer.append(Checkpoint(**told, path=f"{step:06}", reason="interval, best"))
                writer.flush()
        end = {"train_loss": loss, "val_loss": loss, "best_val_loss": loss, "best_step": steps, "seconds": time_spent}
        writer.append(Finished(step=steps, time=time_spent, reason="max_iters", **end))


# Programs from outside ---------------------------------------------------------------------------------------------


def start_of(*command: str) -> Callable[[Path], Found]:
    """Until it ends. {} stands for the place."""

    def measure(place: Path) -> Found:
        words = [word.replace("{}", str(place)) for word in command]
        began = time.perf_counter()
        subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True)
        return {"ms": (time.perf_counter() - began) * 1e3}

    return measure


def first_line(holds: bytes, *command: str) -> Callable[[Path], Found]:
    """Until it writes a line that holds this; it is killed then. {} stands for the place."""

    def measure(place: Path) -> Found:
        words = [word.replace("{}", str(place)) for word in command]
        began = time.perf_counter()
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        assert process.stdout is not None
        try:
            if not any(holds in line for line in process.stdout):
                raise SystemExit(f"ended before it wrote {holds.decode()}: {' '.join(words)}")
            return {"ms": (time.perf_counter() - began) * 1e3}
        finally:
            process.kill()
            process.communicate()

    return measure


def first_frame(*command: str, shown: tuple[bytes, ...] = ()) -> Callable[[Path], Found]:
    """Until more than a few lines of cells have come to the terminal, and all of `shown`; then it is killed."""

    def measure(place: Path) -> Found:
        with Terminal(command, place) as terminal:
            return {"ms": (terminal.first_frame(shown) - terminal.began) * 1e3}

    return measure


# In a process of its own -------------------------------------------------------------------------------------------


def in_a_process(name: str) -> Callable[[Path], Found]:
    def measure(place: Path) -> Found:
        command = [sys.executable, __file__, "--one", name, "--place", str(place)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        found: Found = json.loads(done.stdout)
        return found

    return measure


def _peak() -> float:
    """MB of memory at the highest."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)


def open_long(place: Path) -> Found:
    from gpt_tui.core.runs import Run
    from gpt_tui.tui.watched import Opened

    before, began = _peak(), time.perf_counter()
    opened = Opened(Run.open(place / "shelf" / LONG))
    opened.read()
    took = time.perf_counter() - began
    assert len(opened.history.steps)
    return {"ms": took * 1e3, "MB": _peak(), "MB more": _peak() - before}


def open_anew(place: Path) -> Found:
    shutil.rmtree(place / "cache", ignore_errors=True)
    return open_long(place)


def loads_long(place: Path) -> Found:
    began = time.perf_counter()
    with (place / "shelf" / LONG / "events.jsonl").open("rb") as log:
        for line in log:
            json.loads(line)
    return {"ms": (time.perf_counter() - began) * 1e3}


def redraw(place: Path) -> Found:
    from textual.app import App, ComposeResult

    from gpt_tui.core.events import Step
    from gpt_tui.core.runs import Run
    from gpt_tui.tui.widgets.loss_chart import LossChart

    history = Run.open(place / "shelf" / LONG).history()

    class Screen(App[None]):
        def compose(self) -> ComposeResult:
            yield LossChart()

    async def measure(size: tuple[int, int]) -> float:
        spent = []
        app = Screen()
        async with app.run_test(size=size) as pilot:
            chart = app.query_one(LossChart)
            chart.show(history)
            await pilot.pause()
            for _ in range(DRAWINGS):
                step, tokens = int(history.steps[-1]) + 1, int(history.tokens[-1]) + 2048
                more = Step(
                    step=step, time=history.time + 0.003, loss=1.6, learning_rate=1e-4, grad_norm=1.0, tokens=tokens,
                    tokens_per_second=6e5,
                )  # fmt: skip
                began = time.perf_counter()
                history.apply(more)
                chart.show(history)
                chart.redraw()
                for row in range(chart.size.height):
                    chart.render_line(row)
                spent.append(time.perf_counter() - began)
        return statistics.median(spent) * 1e3

    return {f"{width}×{height} ms": asyncio.run(measure((width, height))) for width, height in SIZES}


IN_A_PROCESS = {"anew": open_anew, "open": open_long, "loads": loads_long, "redraw": redraw}

# What is asked for: each measurement by its name, "" for the program's own.
MEASURED: dict[str, dict[str, Callable[[Path], Found]]] = {
    "help": {"": start_of(*PROGRAM, "--help"), "nothing": start_of(*NOTHING)},
    "runs": {"": start_of(*PROGRAM, "runs", "--runs-dir", "{}/runs"), "nothing": start_of(*NOTHING)},
    "step": {"": first_line(b'"event":"step"', *FIRST_STEP), "module": first_line(b"step", *ONE_STEP)},
    "frame": {"": first_frame(*PROGRAM, shown=SHOWN), "smallest": first_frame(*SMALLEST)},
    "long": {"anew": in_a_process("anew"), "": in_a_process("open"), "loads": in_a_process("loads")},
    "chart": {"": in_a_process("redraw")},
}


# The table ---------------------------------------------------------------------------------------------------------


def tell(asked: list[str], turns: list[dict[str, Found]]) -> None:
    def median(name: str, what: str) -> float:
        return statistics.median(turn[name][what] for turn in turns)

    def row(label: str, name: str, peer: str = "", peer_label: str = "-", what: str = "ms") -> None:
        beside = ratio = "-"
        if peer:
            beside = f"{median(name, f'{peer} ms'):,.0f}"
            ratio = f"{statistics.median(turn[name][what] / turn[name][f'{peer} ms'] for turn in turns):.1f}"
        value = median(name, what)
        print(f"| {label} | {value:,.{1 if value < 20 else 0}f} | {peer_label} | {beside} | {ratio} |")

    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}; ", end="")
    print(f"medians of {len(turns)}\n")
    print("| what | ms | peer | its ms | ratio |\n|---|---|---|---|---|")
    if "help" in asked:
        row("`gpt-tui --help`", "help", "nothing", "`python -c pass`")
    if "runs" in asked:
        row(f"`gpt-tui runs`, {RUNS:,} runs", "runs", "nothing", "`python -c pass`")
    if "frame" in asked:
        row("first frame of the playground", "frame", "smallest", "`App().run()` of Textual")
    if "step" in asked:
        row("first step of `gpt-tui --headless`", "step", "module", "one step of a small torch module")
    if "long" in asked:
        row("opening the long run, the first time", "long", "loads", "`json.loads` of each line", "anew ms")
        row("opening the long run again", "long", "loads", "`json.loads` of each line")
    if "chart" in asked:
        for width, height in SIZES:
            row(f"its chart drawn anew, {width}×{height}", "chart", what=f"{width}×{height} ms")
    if "long" in asked:
        print(f"\nmemory with the long run open: {median('long', 'anew MB'):.0f} MB at the highest, ", end="")
        print(
            f"{median('long', 'anew MB more'):.0f} MB more than before; {median('long', 'MB'):.0f} MB when opened again"
        )


if __name__ == "__main__":
    sys.exit(main())
