"""What a token costs to learn from, against the size of the model: microseconds, and what share of the peak that is.

    python benchmarks/size.py                       a table and a plot, in float32 and in bfloat16 where the CPU has it
    python benchmarks/size.py --nanogpt DIR         beside nanoGPT's step with the same model and batch, in float32
    python benchmarks/size.py --widths 64 128 256   fewer sizes

The models are four layers deep, with heads of 32, context 64 and batches of 12, as nanoGPT's CPU command has them; only
their width differs. Every figure is the median of its steps after the first ones, each size a process of its own, the
contestants one after the other. The arithmetic is six operations for each parameter that multiplies and each token (two
forward, four backward), and attention's, as the tensor walk counts it. The line "peak" is what that arithmetic would
take at the speed of one large matrix product in bfloat16 (float32 where the CPU has no bfloat16).
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from measure import has_bfloat16, machine, nanogpt_checkout
from training import VOCABULARY, TheirStep, timed

from gpt_tui.core.config import Layer, RunConfig, resolve
from gpt_tui.core.presets import find_preset
from gpt_tui.core.shapes import parameters, step_flops
from gpt_tui.tui.widgets.chart import Series
from gpt_tui.tui.widgets.chart.plot import Plan, draw

WIDTHS = (32, 64, 96, 128, 192, 256, 384, 512, 768)
HEAD = 32
PLOT = (92, 26)
LONGEST = 8.0  # seconds that the steps of one size may take


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nanogpt", type=nanogpt_checkout, metavar="DIR", help="a checkout of nanoGPT")
    parser.add_argument("--widths", type=int, nargs="+", default=list(WIDTHS), help=f"multiples of {HEAD}")
    parser.add_argument("--repeats", type=int, default=3, help="processes for each size and contestant")
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if wrong := [width for width in options.widths if width < HEAD or width % HEAD]:
        parser.error(f"a width of {wrong[0]}: heads are {HEAD} wide, so that it has to be a multiple of {HEAD}")
    if options.one:
        width, who = options.one
        print(json.dumps(measure(int(width), who, options.nanogpt)))
        return 0
    who = ["float32", *(["bfloat16"] if has_bfloat16() else []), *(["nanoGPT"] if options.nanogpt else [])]
    rows = {width: row(width, who, options) for width in sorted(options.widths)}
    tell(who, rows)
    return 0


def model_of(width: int, dtype: str = "float32") -> RunConfig:
    changed = {"n_embd": width, "n_head": width // HEAD, "dtype": dtype, "device": "cpu"}
    return resolve([find_preset("nanogpt-cpu").layer(), Layer("--widths", changed)]).config


def row(width: int, who: list[str], options: argparse.Namespace) -> dict[str, dict[str, float]]:
    found: dict[str, list[dict[str, float]]] = {name: [] for name in who}
    for _ in range(options.repeats):
        for name in who:
            command = [sys.executable, __file__, "--one", str(width), name]
            command += ["--nanogpt", str(options.nanogpt)] if options.nanogpt else []
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            found[name].append(json.loads(done.stdout.splitlines()[-1]))
    told = ", ".join(f"{name} {found[name][-1]['seconds'] * 1e3:,.1f} ms" for name in who)
    print(f"{width} wide: {told}", file=sys.stderr)
    return {name: {key: statistics.median(one[key] for one in ones) for key in ones[0]} for name, ones in found.items()}


def measure(width: int, who: str, peer: Path | None) -> dict[str, float]:
    """seconds: of a step. peak: operations a second of one large product in that format."""
    config = model_of(width, "float32" if who == "nanoGPT" else who)
    if who == "nanoGPT":
        assert peer is not None
        step: Callable[[], object] = TheirStep(config, peer)
    else:
        from gpt_tui.core.data import load_dataset
        from gpt_tui.core.training import Trainer

        step = Trainer(config, load_dataset("masque")).step  # how fast it learns does not depend on the text
    dtype = "float32" if who == "nanoGPT" else who
    return asdict(timed(step, dtype, 40, 8, longest=LONGEST))


# Telling it --------------------------------------------------------------------------------------------------------


def tell(who: list[str], rows: dict[int, dict[str, dict[str, float]]]) -> None:
    print(f"{machine()}\n")
    heads = [f"{name}, µs a token | of its peak" for name in who if name != "nanoGPT"]
    heads += ["nanoGPT, µs a token | gpt-tui, times as fast"] if "nanoGPT" in who else []
    columns = " | ".join(["n_embd", "parameters", "kFLOP a token", *heads])
    print(f"| {columns} |\n|{'---|' * (columns.count('|') + 1)}")
    for width, found in rows.items():
        config = model_of(width)
        flops = step_flops(config, VOCABULARY)
        cells = [str(width), f"{parameters(config.model, VOCABULARY):,}"]
        cells.append(f"{flops / config.tokens_per_step / 1e3:,.0f}")
        for name in who:
            seconds = found[name]["seconds"]
            cells.append(f"{micro(seconds, config):.1f}")
            if name == "nanoGPT":
                best = min(found[other]["seconds"] for other in who if other != "nanoGPT")
                cells.append(f"{seconds / found['float32']['seconds']:.2f} and {seconds / best:.2f}")
            else:
                cells.append(f"{flops / seconds / found[name]['peak']:.0%}")
        print(f"| {' | '.join(cells)} |")
    print(f"\n{plot(who, rows)}")


def micro(seconds: float, config: RunConfig) -> float:
    return seconds / config.tokens_per_step * 1e6


def plot(who: list[str], rows: dict[int, dict[str, dict[str, float]]]) -> str:
    """Microseconds a token against parameters, both axes logarithmic."""
    sizes = [parameters(model_of(width).model, VOCABULARY) for width in rows]
    looks = {"float32": ("train", "●"), "bfloat16": ("validation", "◆"), "nanoGPT": ("run-1", "▲")}
    lines = []
    for name in who:
        role, marker = looks[name]
        costs = [micro(found[name]["seconds"], model_of(width)) for width, found in rows.items()]
        lines.append(Series(name, sizes, costs, role=role, marker=marker))
    best = "bfloat16" if "bfloat16" in who else "float32"
    peak = max(found[best]["peak"] for found in rows.values())
    least = [micro(step_flops(model_of(width), VOCABULARY) / peak, model_of(width)) for width in rows]
    lines.append(Series("peak", sizes, least, role="run-2"))
    width, height = PLOT
    grid = draw(Plan(width, height, lines, unit="FLOPs", log_x=True, log_y=True)).grid
    return "\n".join(grid.text(y).rstrip() for y in range(height))


if __name__ == "__main__":
    raise SystemExit(main())
