"""How fast a model learns here, beside nanoGPT with the same model and the same batch: tokens a second.

    python benchmarks/training.py --nanogpt DIR                     both of nanoGPT's shapes
    python benchmarks/training.py --nanogpt DIR --shape nanogpt-cpu --repeats 7
    python benchmarks/training.py --nanogpt DIR --device cuda       on an NVIDIA GPU, compiled too
    python benchmarks/training.py                                   gpt-tui alone

Each contestant is a process of its own, and they take turns, so that a slow minute of the machine meets them all. Each
measurement is the median of its steps after the first ones. Medians over the turns are told, and the ratio within each
turn: to nanoGPT as fast as it can be had. nanoGPT's step is that of its train.py: forward, backward, clip, AdamW; on a
CPU in float32, on a GPU in bfloat16, with and without torch.compile. gpt-tui's is the trainer's own step, on a CPU in
float32 and, where the CPU multiplies bfloat16 in hardware, in what `auto` takes; on a GPU as nanoGPT's. The share of
the peak is of what one large matrix product reaches in that format, measured in the same process: on a GPU that is the
model-FLOP utilisation, of what the card does and not of what its data sheet says.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from measure import has_bfloat16, machine, nanogpt_checkout

from gpt_tui.core.config import RunConfig
from gpt_tui.core.presets import find_preset
from gpt_tui.core.shapes import step_flops

SHAPES = {"nanogpt-cpu": (40, 10), "nanogpt-gpu": (3, 1)}  # steps that are timed, and those before them
VOCABULARY = 65  # of Tiny Shakespeare
SIZES = {"cpu": 2048, "cuda": 8192}  # of the square matrices that the peak is measured with
TOGETHER = {"cpu": 1, "cuda": 10}  # steps that are timed as one: a GPU works behind the program
COMPILED = " compiled"
PEER = "nanoGPT"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nanogpt", type=nanogpt_checkout, metavar="DIR", help="a checkout of nanoGPT")
    parser.add_argument("--shape", choices=tuple(SHAPES), action="append", help="which preset (both)")
    parser.add_argument("--device", choices=tuple(SIZES), default="cpu")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        shape, who = options.one
        print(json.dumps(measured(shape, who, options)))
        return 0
    print(f"{machine()}\n")
    print("| shape | who | a step | tokens/s | of the peak | ratio |\n|---|---|---|---|---|---|")
    for shape in options.shape or SHAPES:
        compare(shape, options)
    return 0


def contestants(device: str, peer: Path | None) -> list[str]:
    if device == "cuda":
        who = ["bfloat16", f"bfloat16{COMPILED}"]
        return who + ([PEER, f"{PEER}{COMPILED}"] if peer else [])
    return ["float32", *(["bfloat16"] if has_bfloat16() else []), *([PEER] if peer else [])]


def compare(shape: str, options: argparse.Namespace) -> None:
    who = contestants(options.device, options.nanogpt)
    found: dict[str, list[dict[str, float]]] = {name: [] for name in who}
    for number in range(options.repeats):
        for name in who:
            found[name].append(in_a_process(shape, name, options))
        told = ", ".join(f"{name} {found[name][-1]['seconds'] * 1e3:,.1f} ms" for name in who)
        print(f"{shape}, turn {number + 1}: {told}", file=sys.stderr)
    for name in who:
        rows = found[name]
        seconds, tokens = (statistics.median(row[key] for row in rows) for key in ("seconds", "tokens"))
        share = statistics.median(row["flops"] / row["seconds"] / row["peak"] for row in rows)
        ratio = "-"
        if options.nanogpt:
            turns = zip(found[who[-1]], rows, strict=True)
            ratio = f"{statistics.median(them['seconds'] / us['seconds'] for them, us in turns):.2f}"
        label = name if name.startswith(PEER) else f"gpt-tui, {name}"
        print(f"| {shape} | {label} | {seconds * 1e3:,.1f} ms | {tokens / seconds:,.0f} | {share:.0%} | {ratio} |")


def in_a_process(shape: str, who: str, options: argparse.Namespace) -> dict[str, float]:
    command = [sys.executable, __file__, "--one", shape, who, "--device", options.device]
    command += ["--nanogpt", str(options.nanogpt)] if options.nanogpt else []
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    row: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return row


def measured(shape: str, who: str, options: argparse.Namespace) -> dict[str, float]:
    """seconds, tokens, flops: of a step. peak: floating-point operations a second of one large product."""
    kind, compiles = who.removesuffix(COMPILED), who.endswith(COMPILED)
    config: RunConfig = find_preset(shape).config().replace(device=options.device)
    if kind == PEER:
        dtype = "bfloat16" if options.device == "cuda" else "float32"
        step: Callable[[], object] = TheirStep(config.replace(dtype=dtype), options.nanogpt, compiles=compiles)
    else:
        from gpt_tui.core.data import load_dataset
        from gpt_tui.core.training import Trainer

        dtype = kind
        config = config.replace(dtype=dtype, compile="on" if compiles else "off")
        step = Trainer(config, load_dataset("masque")).step  # how fast it learns does not depend on the text
    found = timed(step, dtype, *SHAPES[shape], device=options.device)
    flops = step_flops(config, VOCABULARY)
    return {"seconds": found.seconds, "peak": found.peak, "tokens": config.tokens_per_step, "flops": flops}


class TheirStep:
    """A step of nanoGPT's train.py, with its own model and optimizer, on tokens drawn at random."""

    def __init__(self, config: RunConfig, peer: Path, *, compiles: bool = False) -> None:
        sys.path.insert(0, str(peer))
        import torch
        from model import GPT, GPTConfig  # type: ignore[import-not-found]

        model, batch, device = config.model, config.training.batch_size, config.training.device
        size = {name: getattr(model, name) for name in ("n_layer", "n_head", "n_embd", "block_size", "dropout")}
        self.model = GPT(GPTConfig(**size, vocab_size=VOCABULARY, bias=False)).to(device)
        self.optimizer = self.model.configure_optimizers(0.1, 1e-3, (0.9, 0.99), device)
        self.forward = torch.compile(self.model) if compiles else self.model
        tokens = torch.randint(VOCABULARY, (batch, model.block_size + 1), device=device)
        self.x, self.y = tokens[:, :-1].contiguous(), tokens[:, 1:].contiguous()
        self.device, self.dtype = device, getattr(torch, config.training.dtype)

    def __call__(self) -> None:
        import torch

        with torch.autocast(self.device, self.dtype, enabled=self.dtype != torch.float32):
            _, loss = self.forward(self.x, self.y)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        if self.device == "cpu":
            loss.item()


@dataclass(frozen=True)
class Timed:
    """seconds: of a step, the median. peak: floating-point operations a second of one large product."""

    seconds: float
    peak: float


def timed(
    step: Callable[[], object], dtype: str, steps: int, before: int, *, device: str = "cpu", longest: float = math.inf
) -> Timed:
    """longest: seconds that the steps may take in all; fewer are timed then, one at least."""
    import torch

    together, size = TOGETHER[device], SIZES[device]
    for _ in range(before):
        step()
    times = [stopwatch(step, device, together)]
    while len(times) < steps and sum(times) * together < longest:
        times.append(stopwatch(step, device, together))
    matrix = torch.randn(size, size, dtype=getattr(torch, dtype), device=device)
    peak = 2 * size**3 / min(stopwatch(lambda: matrix @ matrix, device) for _ in range(10))
    return Timed(statistics.median(times), peak)


def stopwatch(work: Callable[[], object], device: str, times: int = 1) -> float:
    """Seconds that `work` takes, the mean of so many times."""
    finish(device)
    began = time.perf_counter()
    for _ in range(times):
        work()
    finish(device)
    return (time.perf_counter() - began) / times


def finish(device: str) -> None:
    """Until a GPU has done what it was given."""
    if device == "cuda":
        import torch

        torch.cuda.synchronize()


if __name__ == "__main__":
    raise SystemExit(main())
