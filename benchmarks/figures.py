"""Train presets over several seeds with the real program, and print what they reach beside what is published.

    python benchmarks/figures.py nanogpt-cpu lecture-colab --seeds 1 2 3 [--dataset shakespeare|PATH] [--threads N]

Every run is `gpt-tui --headless`, so the figures are what a person gets. The validation loss is on the whole split.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time

PUBLISHED = {
    "nanogpt-cpu": "1.898 (nanoGPT's own weights on the whole split)",
    "nanogpt-gpu": "1.4697 (best, random batches)",
    "lecture-colab": "about 1.82 (random batches)",
    "shakespeare-6x6": "1.4810 (best, random batches)",
}


def train(preset: str, seed: int, options: list[str], runs_dir: str) -> tuple[dict[str, float], float]:
    """The event `finished` of one run, and its wall time in seconds, start of the process included."""
    command = [sys.executable, "-m", "gpt_tui", "--headless", "--json", "--quiet", "--preset", preset]
    command += ["--seed", str(seed), "--runs-dir", runs_dir, *options]
    began = time.perf_counter()
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(ran.stdout.splitlines()[-1]), time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("presets", nargs="+")
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    parser.add_argument("--dataset", default="shakespeare")
    parser.add_argument("--threads", default="auto")
    arguments = parser.parse_args()
    options = ["--dataset", arguments.dataset, "--threads", arguments.threads]
    print("| preset | seed | train | validation, whole split | best (step) | seconds |")
    print("|---|---|---|---|---|---|")
    for preset in arguments.presets:
        losses = []
        for seed in arguments.seeds:
            with tempfile.TemporaryDirectory() as runs_dir:
                end, seconds = train(preset, seed, options, runs_dir)
            losses.append(end["val_loss"])
            best = f"{end['best_val_loss']:.4f} ({end['best_step']})"
            row = f"| {preset} | {seed} | {end['train_loss']:.4f} | {end['val_loss']:.4f} | {best} | {seconds:.0f} |"
            print(row, flush=True)
        published = PUBLISHED.get(preset, "none")
        print(f"| {preset} | mean | | **{statistics.mean(losses):.4f}** | published: {published} | |", flush=True)


if __name__ == "__main__":
    main()
