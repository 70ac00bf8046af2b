"""What a large text costs: to be made tokens of, beside a plain copy of the file, and to be learned from.

    python benchmarks/growing.py                                 a gigabyte
    python benchmarks/growing.py --gigabytes 10 --repeats 1      needs 30 GB of disk
    python benchmarks/growing.py --text mixed                    half of its lines in other scripts than Latin

The text is the program's own play, again and again, so nothing is downloaded. Every measurement is a process of its
own, and they take turns. A turn is: the file copied and flushed to the disk; the file made tokens of with an empty
cache (two readings, one writing, flushed to the disk); the dataset opened once more; steps of the preset `nanogpt-cpu`,
ten on the large dataset, ten on the play alone, and so on. Then the same after the system was told to forget what it
holds of the tokens in memory, so that every window comes from the disk. The text itself is in memory, as far as it has
room. Medians over the turns are told, ratios within each turn; those of steps are medians of the tens beside each
other. Peak memory is what the process had at its highest, beside what it had when everything was imported.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from measure import machine

PRESET = "nanogpt-cpu"
BEFORE, STEPS, TENS = 30, 10, 30  # steps that are not timed; those that are timed together, and how often
SCRIPTS = (
    "αβγδεζηθικλμνξοπρστυφχψωςϊ",
    "абвгдежзийклмнопрстуфхцчшщ",
    "一丁七万丈三上下不与丐丑专且世丘丙业丛东丝丢两严丧个",
)
LATIN = "abcdefghijklmnopqrstuvwxyz"

Found = dict[str, float]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gigabytes", type=float, default=1.0)
    parser.add_argument("--text", choices=("ascii", "mixed"), default="ascii")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--place", type=Path, help="where the files are made (the system's temporary folder)")
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        what, path = options.one
        print(json.dumps(IN_A_PROCESS[what](Path(path))))
        return 0
    with tempfile.TemporaryDirectory(dir=options.place) as folder:
        needed, free = 3 * options.gigabytes * 1e9, shutil.disk_usage(folder).free
        if needed > free:
            parser.error(f"{needed / 1e9:.1f} GB are needed in {folder}, and {free / 1e9:.1f} are free; see --place")
        text = Path(folder, "text.txt")
        make_text(text, options.gigabytes, options.text)
        os.environ["GPT_TUI_CACHE_DIR"] = str(Path(folder, "cache"))  # of every process that is started from here
        turns = [turn(text, number + 1) for number in range(options.repeats)]
        tell(text.stat().st_size, turns)
    return 0


def make_text(path: Path, gigabytes: float, kind: str) -> None:
    from gpt_tui.core.data import masque

    lines = masque.text().splitlines(keepends=True)
    if kind == "mixed":
        tables = [str.maketrans(LATIN, script) for script in SCRIPTS]
        lines = [line.translate(tables[i % 6]) if i % 6 < len(tables) else line for i, line in enumerate(lines)]
    block = "".join(lines).encode("utf-8")
    with path.open("wb") as file:
        for _ in range(max(1, round(gigabytes * 1e9 / len(block)))):
            file.write(block)
        file.flush()
        os.fsync(file.fileno())
    time.sleep(3)  # a file that was changed this moment is read again at the next start


def turn(text: Path, number: int) -> Found:
    shutil.rmtree(os.environ["GPT_TUI_CACHE_DIR"], ignore_errors=True)
    found: Found = {}
    for what in IN_A_PROCESS:
        done = subprocess.run(
            [sys.executable, __file__, "--one", what, str(text)], stdout=subprocess.PIPE, text=True, check=True
        )
        found |= {f"{what} {name}": value for name, value in json.loads(done.stdout.splitlines()[-1]).items()}
    told = ", ".join(f"{name} {value:,.4g}" for name, value in found.items())
    print(f"turn {number}: {told}", file=sys.stderr, flush=True)
    return found


# In a process of its own -------------------------------------------------------------------------------------------


def copy(text: Path) -> Found:
    there = text.with_name("copy.txt")
    began = time.perf_counter()
    with text.open("rb") as source, there.open("wb") as target:
        shutil.copyfileobj(source, target, 1 << 22)
        target.flush()
        os.fsync(target.fileno())
    took = time.perf_counter() - began
    there.unlink()
    return {"seconds": took}


def load(text: Path) -> Found:
    from gpt_tui.core.data import load_dataset

    load_dataset("python-docs", quick=True)  # imports
    ends: dict[str, float] = {}

    def progress(phase: str, done: int, total: int | None) -> None:
        ends[phase] = time.perf_counter()

    before, began = peak(), time.perf_counter()
    load_dataset(str(text), progress=progress)
    return {
        "reading": ends["reading"] - began,
        "tokenizing": ends["tokenizing"] - ends["reading"],
        "ladder": time.perf_counter() - ends["tokenizing"],
        "before MB": before,
        "MB": peak(),
    }


def again(text: Path) -> Found:
    from gpt_tui.core.data import load_dataset

    load_dataset("python-docs", quick=True)
    began = time.perf_counter()
    load_dataset(str(text))
    return {"seconds": time.perf_counter() - began, "MB": peak()}


def learn(text: Path) -> Found:
    from gpt_tui.core.data import load_dataset
    from gpt_tui.core.presets import find_preset
    from gpt_tui.core.training import Trainer

    small, large = load_dataset("masque"), load_dataset(str(text))
    trainer = Trainer(find_preset(PRESET).config().replace(device="cpu"), small)
    if large.vocab_size != small.vocab_size:
        trainer = Trainer(trainer.config, large)  # its model knows the play's letters by other ids, as fast
    took: dict[str, list[float]] = {"small": [], "large": []}
    for _ in range(BEFORE):
        trainer.step()
    for _ in range(TENS):
        for name, dataset in (("large", large), ("small", small)):
            trainer.dataset = dataset
            began = time.perf_counter()
            for _ in range(STEPS):
                trainer.step()
            took[name].append(time.perf_counter() - began)
    ratio = statistics.median(alone / beside for alone, beside in zip(took["small"], took["large"], strict=True))
    return {**{f"{name} steps/s": STEPS / statistics.median(each) for name, each in took.items()}, "ratio": ratio}


def cold(text: Path) -> Found:
    for tokens in Path(os.environ["GPT_TUI_CACHE_DIR"]).glob("tokens/*/tokens.bin"):
        with tokens.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return learn(text)


IN_A_PROCESS = {"copy": copy, "load": load, "again": again, "learn": learn}
if hasattr(os, "posix_fadvise"):  # on Linux
    IN_A_PROCESS["cold"] = cold


def peak() -> float:
    """Megabytes that this process had at its highest."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)


# The table ---------------------------------------------------------------------------------------------------------


def tell(size: int, turns: list[Found]) -> None:
    megabytes = size / 1e6

    def median(*names: str) -> float:
        return statistics.median(sum(turn[name] for name in names) for turn in turns)

    def ratio(name: str, peer: str) -> str:
        return f"{statistics.median(turn[name] / turn[peer] for turn in turns):.2f}"

    def row(what: str, value: str, peer: str = "-", beside: str = "-", ratio: str = "-") -> None:
        print(f"| {what} | {value} | {peer} | {beside} | {ratio} |")

    for turn in turns:
        turn["tokens"] = turn["load reading"] + turn["load tokenizing"]
    print(f"{machine()}; {size / 1e9:.1f} GB; medians of {len(turns)}\n")
    print("| what | figure | peer | its figure | ratio |\n|---|---|---|---|---|")
    copied = f"{megabytes / median('copy seconds'):,.0f} MB/s"
    row(
        "text to tokens on the disk", f"{megabytes / median('tokens'):,.0f} MB/s",
        "a copy of the file, on the disk", copied, ratio("copy seconds", "tokens"),
    )  # fmt: skip
    row("of that, reading", f"{megabytes / median('load reading'):,.0f} MB/s")
    row("of that, writing", f"{megabytes / median('load tokenizing'):,.0f} MB/s")
    row("the ladder, of a sample", f"{median('load ladder'):.1f} s")
    row("memory at its highest", f"{median('load MB'):.0f} MB", "before", f"{median('load before MB'):.0f} MB")
    row("opened again", f"{1e3 * median('again seconds'):.0f} ms")
    for name, what in (("learn", "learned from"), ("cold", "learned from, from the disk")):
        if name in IN_A_PROCESS:
            row(
                what, f"{median(f'{name} large steps/s'):.1f} steps/s",
                "the play alone", f"{median(f'{name} small steps/s'):.1f} steps/s", f"{median(f'{name} ratio'):.2f}",
            )  # fmt: skip


if __name__ == "__main__":
    raise SystemExit(main())
