"""Train presets over several seeds with the real program, and print what they reach beside what is published.

    python benchmarks/figures.py ladder                  the lecture's ladder, a row a preset: 45 minutes on one core
    python benchmarks/figures.py table                   the large presets: hours each on a CPU, minutes on a GPU
    python benchmarks/figures.py quick nanogpt-cpu       any presets, a row a run
    python benchmarks/figures.py tries --seeds 1         what the guide suggests to try, rung by rung
    python benchmarks/figures.py "lecture-layernorm --residual false"      a preset with a field changed

Every run is `gpt-tui --headless`, so the figures are what a person gets. `--keep DIR` keeps the runs: a benchmark that
was interrupted goes on there. `--save FILE` adds the runs to a file of records, which the guide is made from.

Published curves are means of random batches, which carry some noise. Where a whole curve is published, the run's own
evaluations, 200 random batches as well, are held beside it; elsewhere the loss on the whole validation split is,
because it has no luck in it. `published.toml` says which. The exit status is 1 where a mean is further than 0.03 from
what is published.
"""

from __future__ import annotations

import argparse
import shlex
import statistics
import sys
import tempfile
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from measure import Case, Record, measure, save

from gpt_tui.core.errors import GptTuiError
from gpt_tui.core.presets import find_preset

TOLERANCE = 0.03
LADDER = (
    "lecture-bigram",
    "lecture-one-head",
    "lecture-four-heads",
    "lecture-feed-forward",
    "lecture-residual",
    "lecture-layernorm",
    "lecture-colab",
    "shakespeare-1x1-short",
)
TRIES = (  # a rung with one thing changed, each of which the guide tells of
    "lecture-bigram --learning-rate 0.001",
    "lecture-bigram --max-iters 12000 --eval-interval 1200",
    "lecture-one-head --position none",
    "lecture-one-head --block-size 32",
    "lecture-four-heads --n-head 16",
    "lecture-four-heads --position none",
    "lecture-feed-forward --attention false",
    "lecture-feed-forward --n-layer 3",
    "lecture-residual --residual false",
    "lecture-residual --n-layer 6",
    "lecture-layernorm --residual false",
    "lecture-layernorm --norm rmsnorm",
    "lecture-layernorm --learning-rate 0.01",
    "lecture-residual --learning-rate 0.01",
    "lecture-colab --block-size 8",
    "lecture-colab --position rotary",
    "shakespeare-1x1-short --learning-rate 0.001 --eval-iters 20",
)
TABLE = ("shakespeare-1x1", "shakespeare-2x2", "shakespeare-6x6", "shakespeare-12x12", "nanogpt-gpu")


@dataclass(frozen=True)
class Published:
    """One preset's figures, as `published.toml` explains them."""

    measured_on: str
    source: str
    val: float | None = None
    train: float | None = None
    best: float | None = None
    best_step: int | None = None


def published() -> dict[str, Published]:
    path = Path(__file__).parent / "published.toml"
    return {preset: Published(**row) for preset, row in tomllib.loads(path.read_text(encoding="utf-8")).items()}


@dataclass(frozen=True)
class Comparison:
    """A published figure, and the mean of what was measured in its way."""

    what: str
    published: float
    mean: float

    @property
    def difference(self) -> float:
        return self.mean - self.published

    @property
    def holds(self) -> bool:
        return round(abs(self.difference), 4) <= TOLERANCE


def compare(figures: Published, records: list[Record]) -> list[Comparison]:
    """What is published of a preset beside these runs of it."""
    asked: list[tuple[str, float | None, Callable[[Record], float]]] = [
        ("best val", figures.best, lambda record: record.best[1]),
        ("val at the end", figures.val, lambda record: record.evals[-1][2]),
    ]
    if figures.measured_on == "whole split":
        asked = [("val, whole split", figures.val, lambda record: record.val_loss)]
    return [
        Comparison(what, figure, statistics.mean(map(read, records)))
        for what, figure, read in asked
        if figure is not None
    ]


# Tables ----------------------------------------------------------------------------------------------------------


def row(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"


def rule(columns: int) -> str:
    return "|" + "---|" * columns


def show_published(loss: float) -> str:
    """With as many decimals as it was published with: two or four."""
    return f"{loss:.2f}" if round(loss, 2) == loss else f"{loss:.4f}"


def ladder_heading(seeds: list[int]) -> Iterator[str]:
    cells = ["preset", "parameters", "published val", *(f"seed {seed}" for seed in seeds)]
    cells += ["mean", "difference", f"within {TOLERANCE}", "train (published)", "seconds a run"]
    yield row(*cells)
    yield rule(len(cells))


def ladder_row(records: list[Record], figures: Published) -> str:
    """One preset on one line, its losses on the whole validation split."""
    first = records[0]
    (comparison,) = compare(figures, records)
    train = f"{statistics.mean(record.train_loss for record in records):.4f}"
    return row(
        first.case.what,
        f"{first.parameters:,}",
        show_published(comparison.published),
        *(f"{record.val_loss:.4f}" for record in records),
        f"**{comparison.mean:.4f}**",
        f"{comparison.difference:+.4f}",
        "yes" if comparison.holds else "**no**",
        train + (f" ({show_published(figures.train)})" if figures.train is not None else ""),
        f"{statistics.mean(record.seconds for record in records):.0f}",
    )


def run_heading() -> Iterator[str]:
    cells = ["preset", "parameters", "seed", "best val (step)", "val, end", "train, end", "val, whole split", "seconds"]
    yield row(*cells)
    yield rule(len(cells))


def run_row(record: Record) -> str:
    """One run on one line: its evaluations, and its loss on the whole validation split."""
    step, best = record.best
    _, train, val = record.evals[-1]
    losses = (f"{best:.4f} ({step})", f"{val:.4f}", f"{train:.4f}", f"{record.val_loss:.4f}")
    return row(record.case.what, f"{record.parameters:,}", str(record.seed), *losses, f"{record.seconds:.0f}")


def mean_rows(records: list[Record], figures: Published | None) -> Iterator[str]:
    """Under the runs of one preset: their mean, what is published, and how far they are apart."""
    what = records[0].case.what
    if len(records) > 1:
        best = statistics.mean(record.best[1] for record in records)
        val, train = (statistics.mean(record.evals[-1][column] for record in records) for column in (2, 1))
        whole = statistics.mean(record.val_loss for record in records)
        yield row(what, "", "mean", f"{best:.4f}", f"{val:.4f}", f"{train:.4f}", f"**{whole:.4f}**", "")
    if figures is None:
        return
    at = "" if figures.best_step is None else f" ({figures.best_step})"
    known = {comparison.what: show_published(comparison.published) for comparison in compare(figures, records)}
    known["best val"] = known["best val"] + at if "best val" in known else ""
    train_loss = "" if figures.train is None else show_published(figures.train)
    yield row(what, "", "published", *_placed(known, train_loss), "")
    apart = {c.what: f"{c.difference:+.4f}" + ("" if c.holds else ", too far") for c in compare(figures, records)}
    yield row(what, "", "difference", *_placed(apart, ""), "")


def _placed(cells: dict[str, str], train: str) -> tuple[str, ...]:
    """What belongs to a comparison, in the column of the table that it is about."""
    best, val, whole = (cells.get(name, "") for name in ("best val", "val at the end", "val, whole split"))
    return best, val, train, whole


# The command -----------------------------------------------------------------------------------------------------


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="+", metavar="ladder|table|tries|PRESET")
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    parser.add_argument("--dataset", default="shakespeare")
    parser.add_argument("--threads", default="auto")
    parser.add_argument("--device", default="auto", help="auto takes a GPU where there is one")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the runs there, and go on with those that are")
    parser.add_argument("--save", type=Path, metavar="FILE", help="add the runs to this file of records (JSON)")
    return parser.parse_args()


def train_all(arguments: argparse.Namespace, place: Path) -> bool:
    """Train and print as it goes. Whether every mean is near what is published."""
    wide = arguments.what == ["ladder"]
    sets = {"ladder": LADDER, "table": TABLE, "tries": TRIES}
    wanted = [shlex.split(words) for name in arguments.what for words in sets.get(name, (name,))]
    for preset, *_ in wanted:
        find_preset(preset)
    options = ["--dataset", arguments.dataset, "--threads", arguments.threads]
    options += ["--device", arguments.device] if arguments.device != "auto" else []
    known, near = published(), True
    print(*(ladder_heading(arguments.seeds) if wide else run_heading()), sep="\n", flush=True)
    for preset, *flags in wanted:
        records = []
        for seed in arguments.seeds:
            record = measure(Case(preset, seed, tuple(flags)), options, place)
            records.append(record)
            if arguments.save:
                save(arguments.save, [record])
            if not wide:
                print(run_row(record), flush=True)
        figures = None if flags else known.get(preset)
        near &= figures is None or all(comparison.holds for comparison in compare(figures, records))
        lines = [ladder_row(records, known[preset])] if wide else mean_rows(records, figures)
        print(*lines, sep="\n", flush=True)
    return near


def main() -> None:
    arguments = read_arguments()
    try:
        if arguments.keep is not None:
            near = train_all(arguments, arguments.keep)
        else:
            if "table" in arguments.what:
                print("figures: without --keep DIR an interrupted table begins anew", file=sys.stderr)
            with tempfile.TemporaryDirectory() as place:
                near = train_all(arguments, Path(place))
    except GptTuiError as error:
        sys.exit(f"figures: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(0 if near else 1)


if __name__ == "__main__":
    main()
