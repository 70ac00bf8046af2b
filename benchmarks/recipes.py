"""What each choice of a recipe is worth: the same number of steps with one thing changed, three seeds each.

    python benchmarks/recipes.py                        the preset sprint, every change below
    python benchmarks/recipes.py --change n_head=4      one change, which may be several fields: "n_layer=1 ffn_mult=4"
    python benchmarks/recipes.py --preset quick --change muon_lr=0.02

Told are the losses on the whole validation split after the preset's last step, their mean, and the median time of a
step. A change that makes steps cheaper may be given more of them: "n_layer=1 max_iters=250". The time of all steps
says what that comes to. Nothing here looks at the validation split but the last evaluation.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time

from measure import machine

from gpt_tui.core.config import Layer, resolve
from gpt_tui.core.data import load_dataset
from gpt_tui.core.presets import find_preset
from gpt_tui.core.training import Trainer

CHANGES = (
    "",
    "dtype=float32",
    "batch_size=12 max_iters=290",
    "batch_size=40 max_iters=110",
    "optimizer=adamw learning_rate=0.006",
    "muon_lr=0.04",
    "muon_lr=0.08",
    "muon_momentum=0.95",
    "muon_ns_steps=5",
    "learning_rate=0.012",
    "weight_decay=0.1",
    "beta2=0.99",
    "grad_clip=off",
    "lr_schedule=cosine",
    "mix_previous=false",
    "qk_norm=false",
    "position=learned",
    "activation=gelu",
    "norm=layernorm",
    "zero_init=false",
    "init=gpt2",
    "tied_head=true",
    "n_head=4",
    "ffn_mult=4",
    "n_layer=1 max_iters=250",
    "n_layer=3 max_iters=130",
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="sprint")
    parser.add_argument("--change", action="append", help="fields as name=value, separated by spaces")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--dataset", default="shakespeare", help="shakespeare, or the path of its text")
    options = parser.parse_args()
    dataset = load_dataset(options.dataset)
    print(f"{options.preset}, {machine()}\n")
    print("| change | parameters | losses | mean | steps | a step | all steps |\n|---|---|---|---|---|---|---|")
    for change in options.change or CHANGES:
        values = dict(pair.split("=", 1) for pair in change.split())
        losses, seconds = [], []
        for seed in range(1337, 1337 + options.seeds):
            layers = [find_preset(options.preset).layer(), Layer(f"--change {change}", {**values, "seed": seed})]
            trainer = Trainer(resolve(layers).config, dataset)
            while trainer.step_count < trainer.config.training.max_iters:
                began = time.perf_counter()
                trainer.step()
                seconds.append(time.perf_counter() - began)
            losses.append(trainer.evaluate(0).val_loss)
            print(f"{change or 'as it is'}, seed {seed}: {losses[-1]:.4f}", file=sys.stderr)
        step, steps = statistics.median(seconds), trainer.config.training.max_iters
        told = ", ".join(f"{loss:.3f}" for loss in losses)
        print(
            f"| {change or 'as it is'} | {trainer.model.parameter_count():,} | {told} | {statistics.mean(losses):.4f} "
            f"| {steps} | {1e3 * step:.1f} ms | {steps * step:.2f} s |",
            flush=True,
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
