"""What each kind of character costs at the checkpoints of a run, on its validation split, as a table of the guide.

    gpt-tui --headless --preset quick --dataset shakespeare --run-name kinds --checkpoint-interval 25
    python benchmarks/kinds.py runs/kinds 0 25 100 300 600 1100

The kinds are those of the lens (`gpt_tui.tui.letter_kinds`), the figures bits a character.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from gpt_tui.core.data import load_dataset
from gpt_tui.core.errors import GptTuiError
from gpt_tui.core.lens import text_surprise
from gpt_tui.core.lens.text import mean
from gpt_tui.core.runs import Run
from gpt_tui.core.sampling import Speaker
from gpt_tui.tui.letter_kinds import KINDS, kinds


def costs(run: Run, steps: list[int], most: int | None) -> dict[str, list[float]]:
    """Kind -> its mean bits at each step; "all of it" too. most: tokens of the split, at most. Raises GptTuiError."""
    data = run.config().data
    dataset = load_dataset(data.dataset, tokenizer=data.tokenizer, quick=True)
    tokens = dataset.val[:most]
    text = dataset.tokenizer.decode(tokens)
    found = kinds(text)
    table: dict[str, list[float]] = {kind: [] for kind in (*KINDS, "all of it") if kind in (*found, "all of it")}
    for step in steps:
        speaker = Speaker.from_run(run, step)
        bits = text_surprise(speaker.model, speaker.tokenizer, tokens).bits
        for kind, means in table.items():
            means.append(mean([b for b, own in zip(bits, found, strict=True) if kind in (own, "all of it")]))
    return table


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("steps", type=int, nargs="+")
    parser.add_argument("--tokens", type=int, help="of the validation split; all of them where it is left out")
    wanted = parser.parse_args()
    try:
        table = costs(Run.open(wanted.run), wanted.steps, wanted.tokens)
    except GptTuiError as error:
        print(error, file=sys.stderr)
        return 1
    first, *others = (f"{step:,}" for step in wanted.steps)
    print("| kind |", " | ".join([f"step {first}", *others]), "|")
    print("|---|" + "---|" * len(wanted.steps))
    for kind, means in table.items():
        print(f"| {kind} |", " | ".join(f"{bits:.2f}" for bits in means), "|")
    return 0


if __name__ == "__main__":
    sys.exit(main())
