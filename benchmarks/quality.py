"""Whether what is cheap to compute costs quality: the loss after the same steps, beside PyTorch's own operations.

    python benchmarks/quality.py                                nanogpt-cpu with dropout 0.2, three seeds
    python benchmarks/quality.py --preset sprint --dropout 0    without dropout
    python benchmarks/quality.py --max-iters 500 --seeds 5

Contestants, all on a CPU with the same batches: "PyTorch" computes in float32 with PyTorch's attention, dropout, norms
and activations; "float32" with gpt-tui's own, masks of random bytes among them; "bfloat16" with these in bfloat16,
where the CPU has it. Told are the losses on the whole validation split after the last step, and how far their mean is
from PyTorch's. The status is 1 where that is more than 0.01.
"""

from __future__ import annotations

import argparse
import importlib
import statistics
import sys

from measure import has_bfloat16, machine

from gpt_tui.core.config import Layer, resolve
from gpt_tui.core.data import Dataset, load_dataset
from gpt_tui.core.presets import find_preset
from gpt_tui.core.training import Trainer

ALLOWED = 0.01
REFERENCE = "PyTorch"
BY_HAND = [importlib.import_module(f"gpt_tui.core.model.{name}") for name in ("attention", "cheap", "dropout")]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="nanogpt-cpu")
    parser.add_argument("--dropout", type=float, default=0.2)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--max-iters", type=int, help="that of the preset if not given")
    parser.add_argument("--dataset", default="shakespeare", help="shakespeare, or the path of its text")
    options = parser.parse_args()
    dataset = load_dataset(options.dataset)
    who = [REFERENCE, "float32", *(["bfloat16"] if has_bfloat16() else [])]
    found: dict[str, list[float]] = {name: [] for name in who}
    for seed in range(1337, 1337 + options.seeds):
        for name in who:
            found[name].append(loss_of(name, seed, options, dataset))
            print(f"seed {seed}, {name}: {found[name][-1]:.4f}", file=sys.stderr)
    print(f"{options.preset} with dropout {options.dropout:g}, {machine()}\n")
    print("| computed by | losses | mean | beside PyTorch |\n|---|---|---|---|")
    means = {name: statistics.mean(losses) for name, losses in found.items()}
    for name, losses in found.items():
        told = ", ".join(f"{loss:.4f}" for loss in losses)
        print(f"| {name} | {told} | {means[name]:.4f} | {means[name] - means[REFERENCE]:+.4f} |")
    return 0 if all(mean - means[REFERENCE] <= ALLOWED for mean in means.values()) else 1


def loss_of(who: str, seed: int, options: argparse.Namespace, dataset: Dataset) -> float:
    own = [module.by_hand for module in BY_HAND]
    if who == REFERENCE:
        for module in BY_HAND:
            module.by_hand = lambda x: False
    try:
        changed = {"seed": seed, "dropout": options.dropout, "device": "cpu"}
        changed["dtype"] = "float32" if who == REFERENCE else who
        if options.max_iters:
            changed |= {"max_iters": options.max_iters, "eval_interval": options.max_iters}
        trainer = Trainer(resolve([find_preset(options.preset).layer(), Layer("here", changed)]).config, dataset)
        while trainer.step_count < trainer.config.training.max_iters:
            trainer.step()
        return trainer.evaluate(0).val_loss
    finally:
        for module, by_hand in zip(BY_HAND, own, strict=True):
            module.by_hand = by_hand


if __name__ == "__main__":
    raise SystemExit(main())
