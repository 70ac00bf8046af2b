"""How long the chart takes to draw, by number of points: `python benchmarks/chart.py`.

Each figure is the median of many drawings, in milliseconds. "grid" is `plot.draw`; "screen" is the whole widget in a
running app, from an appended point to the strips of every row.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from collections.abc import Callable

import numpy as np
from textual.app import App, ComposeResult

from gpt_tui.tui.widgets.chart import Chart, Reference, Series
from gpt_tui.tui.widgets.chart.plot import Plan, draw

LADDER = (("uniform", 4.174), ("unigram", 3.347), ("bigram", 2.486), ("trigram", 2.049), ("4-gram", 1.774))


def run_of(points: int) -> list[Series]:
    steps = np.arange(points)
    clean = 1.8 + 2.4 * np.exp(-steps / (points / 20))
    loss = clean + np.random.default_rng(1).normal(0, 0.1, points)
    every = max(points // 40, 1)
    return [
        Series("train", steps, loss, smooth=True),
        Series("validation", steps[::every], clean[::every] + 0.05, role="validation", marker="◆"),
    ]


def milliseconds(work: Callable[[], object], times: int) -> float:
    spent = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        spent.append((time.perf_counter() - start) * 1e3)
    return statistics.median(spent)


class Screen(App[None]):
    def __init__(self, series: list[Series]) -> None:
        super().__init__()
        self.chart = Chart(*series)

    def compose(self) -> ComposeResult:
        yield self.chart


async def on_screen(series: list[Series], size: tuple[int, int], times: int) -> float:
    app = Screen(series)
    train = series[0]
    async with app.run_test(size=size) as pilot:
        app.chart.set_references(Reference(name, y) for name, y in LADDER)
        await pilot.pause()

        def redraw() -> None:
            train.append(train.x[-1] + 1, 1.8)
            app.chart.redraw()
            for row in range(size[1]):
                app.chart.render_line(row)

        return milliseconds(redraw, times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="120x40", help="columns x rows (default 120x40)")
    parser.add_argument("--times", type=int, default=50, help="drawings for each median (default 50)")
    arguments = parser.parse_args()
    width, height = (int(part) for part in arguments.size.split("x"))
    print(f"{width}×{height}, median of {arguments.times}, ms")
    print(f"{'points':>10}{'grid':>8}{'log x':>8}{'screen':>8}{'append':>8}{'smooth anew':>13}")
    for points in (100, 10_000, 1_000_000):
        series = run_of(points)
        references = [Reference(name, y) for name, y in LADDER]
        plan = Plan(width, height, series, references, smoothing=0.9)
        log = Plan(width, height, series, references, smoothing=0.9, log_x=True)
        train = series[0]
        draw(plan)
        row = [milliseconds(lambda plan=plan: draw(plan), arguments.times)]
        row.append(milliseconds(lambda log=log: draw(log), arguments.times))
        row.append(asyncio.run(on_screen(series, (width, height), arguments.times)))
        row.append(milliseconds(lambda train=train: train.append(train.x[-1] + 1, 1.8), arguments.times))
        betas = iter(0.5 + 0.001 * n for n in range(5))
        anew = milliseconds(lambda train=train, betas=betas: train.smoothed(next(betas)), 5)
        print(f"{points:>10,}" + "".join(f"{ms:>8.2f}" for ms in row) + f"{anew:>13.2f}")


if __name__ == "__main__":
    main()
