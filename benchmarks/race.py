"""The race: Tiny Shakespeare to a validation loss, from the start of the process, beside nanoGPT.

    python benchmarks/race.py --nanogpt DIR                 three seeds against nanoGPT's published CPU command
    python benchmarks/race.py --nanogpt DIR --repeats 5     as often as that
    python benchmarks/race.py --nanogpt DIR --course gpu    against its published command for an NVIDIA GPU
    python benchmarks/race.py                               gpt-tui alone

The course `cpu` goes to 1.8982: what the model of nanoGPT's CPU command scores on the whole validation split at the
end, in windows of its context of 64 that do not overlap; its own last evaluation is an average over a few random
batches. gpt-tui runs `--headless --preset sprint --target-loss 1.8982`. The course `gpu` goes to the published 1.4697,
with gpt-tui's preset of the same model and batch, `nanogpt-gpu`, against nanoGPT's command as it is, compiled.

gpt-tui runs with another seed each time, and is done when its process has ended: with its checkpoint saved and its loss
on the whole split told. Both have the text as tokens already, and take turns, so that a slow minute of the machine
meets both. Medians are told, and the ratio within each turn.
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from measure import PROGRAM, machine, nanogpt_checkout


@dataclass(frozen=True)
class Course:
    """target: of the validation loss. command: nanoGPT's. preset: gpt-tui's."""

    target: float
    preset: str
    command: str


COURSES = {
    "cpu": Course(
        1.8982,
        "sprint",
        "config/train_shakespeare_char.py --device=cpu --compile=False --eval_iters=20 --log_interval=1 "
        "--block_size=64 --batch_size=12 --n_layer=4 --n_head=4 --n_embd=128 --max_iters=2000 --lr_decay_iters=2000 "
        "--dropout=0.0",
    ),
    "gpu": Course(1.4697, "nanogpt-gpu", "config/train_shakespeare_char.py"),
}
SEED = 1337


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nanogpt", type=nanogpt_checkout, metavar="DIR", help="a checkout of nanoGPT")
    parser.add_argument("--dataset", default="shakespeare", help="shakespeare, or the path of its text")
    parser.add_argument("--course", choices=tuple(COURSES), default="cpu")
    parser.add_argument("--preset", help="what gpt-tui runs, if not the preset of the course")
    parser.add_argument("--repeats", type=int, default=3, help="turns, each with a seed of its own")
    options = parser.parse_args()
    course = COURSES[options.course]
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # of both: the byte code of an installed program is kept
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        ours_once(options, place, "warm-up", SEED, "--max-iters", "20", target=False)
        peer = prepare_peer(options, place) if options.nanogpt else None
        turns = [turn(options, place, peer, number) for number in range(options.repeats)]
        if peer is not None:
            print(f"nanoGPT's model scores {score(peer):.4f} on the whole validation split.")
    ours = [t["ours"] for t in turns]
    print(f"\n{machine()}\n")
    print("| seed | steps | loss | gpt-tui | nanoGPT | ratio |\n|---|---|---|---|---|---|")
    for t in turns:
        theirs = f"{t['theirs']:.1f} s | {t['theirs'] / t['ours']:.1f}" if peer else "- | -"
        print(f"| {t['seed']} | {t['step']} | {t['loss']:.4f} | {t['ours']:.1f} s | {theirs} |")
    if peer is not None:
        ratios = [t["theirs"] / t["ours"] for t in turns]
        theirs_median = statistics.median(t["theirs"] for t in turns)
        print(
            f"\nMedians: {statistics.median(ours):.1f} s and {theirs_median:.1f} s, "
            f"{statistics.median(ratios):.1f} times as fast."
        )
    return 0 if all(t["loss"] <= course.target for t in turns) else 1


def turn(options: argparse.Namespace, place: Path, peer: Path | None, number: int) -> dict[str, Any]:
    seed = SEED + number
    found = ours_once(options, place, f"run-{number}", seed)
    theirs = theirs_once(peer, COURSES[options.course].command) if peer is not None else 0.0
    told = f"turn {number + 1}: gpt-tui {found['seconds']:.1f} s, loss {found['loss']:.4f}"
    print(told + (f"; nanoGPT {theirs:.1f} s" if peer else ""), file=sys.stderr)
    return {"seed": seed, "ours": found["seconds"], "theirs": theirs, "step": found["step"], "loss": found["loss"]}


def ours_once(
    options: argparse.Namespace, place: Path, name: str, seed: int, *flags: str, target: bool = True
) -> dict[str, Any]:
    """seconds: of the whole process. loss: on the whole validation split, as its last event tells it."""
    course = COURSES[options.course]
    aim = ("--target-loss", str(course.target)) if target else ()
    command = [*PROGRAM, "--headless", "--json", "--quiet", "--preset", options.preset or course.preset]
    command += ["--seed", str(seed), *aim, *flags]
    command += ["--dataset", options.dataset, "--runs-dir", str(place / "runs"), "--run-name", name]
    environ = {**os.environ, "GPT_TUI_CONFIG": str(place / "none.toml")}
    began = time.perf_counter()
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, encoding="utf-8", env=environ, check=False)
    seconds = time.perf_counter() - began
    if done.returncode not in (0, 4):  # 4: the target was not reached
        raise SystemExit(f"gpt-tui ended with status {done.returncode}")
    last = json.loads(done.stdout.splitlines()[-1])
    return {"seconds": seconds, "loss": last["val_loss"], "step": last["step"]}


# nanoGPT ---------------------------------------------------------------------------------------------------------


def prepare_peer(options: argparse.Namespace, place: Path) -> Path:
    """A copy of the checkout, with the text as tokens where it looks for them."""
    peer = place / "nanogpt"
    shutil.copytree(options.nanogpt, peer, ignore=shutil.ignore_patterns(".git", "out*"))
    text = shakespeare(options.dataset)
    letters = sorted(set(text))
    index = {letter: number for number, letter in enumerate(letters)}
    ids = np.array([index[letter] for letter in text], dtype=np.uint16)
    data = peer / "data" / "shakespeare_char"
    split = int(0.9 * len(ids))
    ids[:split].tofile(data / "train.bin")
    ids[split:].tofile(data / "val.bin")
    meta = {"vocab_size": len(letters), "itos": dict(enumerate(letters)), "stoi": index}
    (data / "meta.pkl").write_bytes(pickle.dumps(meta))
    return peer


def shakespeare(dataset: str) -> str:
    from gpt_tui.core.data import load_dataset

    loaded = load_dataset(dataset)
    return loaded.tokenizer.decode(loaded.train) + loaded.tokenizer.decode(loaded.val)


def theirs_once(peer: Path, command: str) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "train.py", *command.split()], cwd=peer, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began


SCORE = """
import numpy as np, torch
from model import GPT, GPTConfig
saved = torch.load("out-shakespeare-char/ckpt.pt", map_location="cpu")
model = GPT(GPTConfig(**saved["model_args"]))
model.load_state_dict({name.removeprefix("_orig_mod."): value for name, value in saved["model"].items()})
model.eval()
tokens = torch.from_numpy(np.fromfile("data/shakespeare_char/val.bin", dtype=np.uint16).astype(np.int64))
total, count, block = 0.0, 0, saved["model_args"]["block_size"]
with torch.no_grad():
    for start in range(0, len(tokens) - 1, block):
        x, y = tokens[start : start + block], tokens[start + 1 : start + block + 1]
        x = x[: len(y)]
        total += float(model(x[None], y[None])[1]) * len(y)
        count += len(y)
print(total / count)
"""


def score(peer: Path) -> float:
    done = subprocess.run([sys.executable, "-c", SCORE], cwd=peer, stdout=subprocess.PIPE, text=True, check=True)
    return float(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    raise SystemExit(main())
