"""What the guide tells of measured runs: the records of `benchmarks/results/ladder.json`, and tables of them."""

from __future__ import annotations

import statistics
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "benchmarks"))  # a folder of scripts, not a package

import figures  # noqa: E402
from figures import LADDER, Published  # noqa: E402
from measure import Record, load  # noqa: E402

RECORDS = ROOT / "benchmarks" / "results" / "ladder.json"
SEEDS = [1, 2, 3]


class Results:
    """The records by what was run: a preset, or a preset and the flags that change it."""

    def __init__(self, records: list[Record], known: dict[str, Published]):
        self.published = known
        self._records: dict[str, list[Record]] = {}
        for record in records:
            self._records.setdefault(record.case.what, []).append(record)

    @classmethod
    def read(cls) -> Results:
        return cls(load(RECORDS), figures.published())

    def __contains__(self, what: str) -> bool:
        return what in self._records

    def of(self, what: str) -> list[Record]:
        """In the order of their seeds."""
        return sorted(self._records[what], key=lambda record: record.seed)

    def loss(self, what: str) -> str:
        """The mean loss on the whole validation split."""
        return f"{self._mean(what):.3f}"

    def gain(self, before: str, after: str) -> str:
        """How much lower the second ends than the first. Raises ValueError where it does not."""
        by = self._mean(before) - self._mean(after)
        if by <= 0:
            raise ValueError(f"{after} ends no lower than {before}")
        return f"{by:.2f}"

    def start(self, what: str) -> str:
        """The mean validation loss before the first step."""
        return f"{statistics.mean(record.evals[0][2] for record in self.of(what)):.2f}"

    def instead(self, preset: str, flags: str) -> str:
        """What a changed preset reaches, and what the same seed reaches unchanged: "2.459 instead of 2.406."."""
        (changed,) = self.of(f"{preset} {flags}")
        (same,) = (record for record in self.of(preset) if record.seed == changed.seed)
        return f"**{changed.val_loss:.3f}** instead of {same.val_loss:.3f}."

    def _mean(self, what: str) -> float:
        return statistics.mean(record.val_loss for record in self._records[what])

    def passed(self, what: str, rung: str) -> str:
        """At which evaluations the runs passed a rung of the entropy ladder: "step 500", "steps 500 to 1,000"."""
        steps = [step for record in self.of(what) for step, name in record.passed if name == rung]
        if len(steps) < len(self.of(what)):
            raise ValueError(f"{what}: {len(steps)} of {len(self.of(what))} runs passed {rung}")
        first, last = min(steps), max(steps)
        return f"step {first:,}" if first == last else f"steps {first:,} to {last:,}"


def ladder_table(results: Results) -> str:
    rows = [figures.ladder_row(results.of(preset), results.published[preset]) for preset in LADDER]
    return "\n".join([*figures.ladder_heading(SEEDS), *rows])


def runs_table(results: Results, presets: list[str]) -> str:
    """A row a run, and under each preset its mean and what is published."""
    rows = []
    for preset in presets:
        records = results.of(preset)
        rows += [*map(figures.run_row, records), *figures.mean_rows(records, results.published.get(preset))]
    return "\n".join([*figures.run_heading(), *rows])


def short_table(results: Results, presets: list[str]) -> str:
    """A row a preset: the mean of its runs, and what is published."""
    rows = [figures.row("preset", "parameters", "validation loss", "published"), figures.rule(4)]
    for preset in presets:
        records = results.of(preset)
        known = results.published.get(preset)
        comparisons = figures.compare(known, records) if known else []
        told = figures.show_published(comparisons[-1].published) if comparisons else ""
        rows.append(figures.row(f"`{preset}`", f"{records[0].parameters:,}", f"**{results.loss(preset)}**", told))
    return "\n".join(rows)
