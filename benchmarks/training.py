"""How fast a model learns here, beside nanoGPT with the same model and the same batch: tokens a second.

    python benchmarks/training.py --nanogpt DIR                     both of nanoGPT's shapes
    python benchmarks/training.py --nanogpt DIR --shape nanogpt-cpu --repeats 7
    python benchmarks/training.py                                   gpt-tui alone

Each contestant is a process of its own, and they take turns, so that a slow minute of the machine meets them all. Each
measurement is the median of its steps after the first ones. Medians over the turns are told, and the ratio within each
turn. nanoGPT's step is that of its train.py on a CPU: forward, backward, clip, AdamW, in float32. gpt-tui's is the
trainer's own step, in float32 and, where the CPU multiplies bfloat16 in hardware, in what `auto` takes. The share of
the peak is of what one large matrix product reaches in that format, measured in the same process.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from measure import machine

SHAPES = {"nanogpt-cpu": (40, 10), "nanogpt-gpu": (3, 1)}  # steps that are timed, and those before them
SIZE = 2048  # of the square matrices that the peak is measured with


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nanogpt", type=Path, metavar="DIR", help="a checkout of nanoGPT")
    parser.add_argument("--shape", choices=tuple(SHAPES), action="append", help="which preset (both)")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.nanogpt is not None and not (options.nanogpt / "model.py").is_file():
        parser.error(f"{options.nanogpt} is no checkout of nanoGPT: it has no model.py")
    if options.one:
        shape, who = options.one
        print(json.dumps(theirs(shape, options.nanogpt) if who == "nanoGPT" else ours(shape, who)))
        return 0
    print(f"{machine()}\n")
    print("| shape | who | a step | tokens/s | of the peak | ratio |\n|---|---|---|---|---|---|")
    for shape in options.shape or SHAPES:
        compare(shape, options)
    return 0


def compare(shape: str, options: argparse.Namespace) -> None:
    who = ["float32", *(["bfloat16"] if has_bfloat16() else []), *(["nanoGPT"] if options.nanogpt else [])]
    found: dict[str, list[dict[str, float]]] = {name: [] for name in who}
    for number in range(options.repeats):
        for name in who:
            found[name].append(in_a_process(shape, name, options.nanogpt))
        told = ", ".join(f"{name} {found[name][-1]['seconds'] * 1e3:,.1f} ms" for name in who)
        print(f"{shape}, turn {number + 1}: {told}", file=sys.stderr)
    for name in who:
        rows = found[name]
        seconds, tokens = (statistics.median(row[key] for row in rows) for key in ("seconds", "tokens"))
        share = statistics.median(row["flops"] / row["seconds"] / row["peak"] for row in rows)
        ratio = "-"
        if options.nanogpt:
            turns = zip(found["nanoGPT"], rows, strict=True)
            ratio = f"{statistics.median(them['seconds'] / us['seconds'] for them, us in turns):.2f}"
        label = name if name == "nanoGPT" else f"gpt-tui, {name}"
        print(f"| {shape} | {label} | {seconds * 1e3:,.1f} ms | {tokens / seconds:,.0f} | {share:.0%} | {ratio} |")


def has_bfloat16() -> bool:
    from gpt_tui.core.device import cpu_has_native_bfloat16

    return cpu_has_native_bfloat16()


def in_a_process(shape: str, who: str, peer: Path | None) -> dict[str, float]:
    command = [sys.executable, __file__, "--one", shape, who, *(["--nanogpt", str(peer)] if peer else [])]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    row: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return row


def ours(shape: str, dtype: str) -> dict[str, float]:
    from gpt_tui.core.config import RunConfig
    from gpt_tui.core.data import load_dataset
    from gpt_tui.core.presets import find_preset
    from gpt_tui.core.shapes import step_flops
    from gpt_tui.core.training import Trainer

    config: RunConfig = find_preset(shape).config().replace(device="cpu", dtype=dtype)
    trainer = Trainer(config, load_dataset("masque"))  # how fast it learns does not depend on the text
    return timed(shape, trainer.step, config.tokens_per_step, step_flops(config, 65), dtype)


def theirs(shape: str, peer: Path) -> dict[str, float]:
    sys.path.insert(0, str(peer))
    import torch
    from model import GPT, GPTConfig  # type: ignore[import-not-found]

    from gpt_tui.core.presets import find_preset
    from gpt_tui.core.shapes import step_flops

    config = find_preset(shape).config()
    model_config, batch = config.model, config.training.batch_size
    size = {name: getattr(model_config, name) for name in ("n_layer", "n_head", "n_embd", "block_size", "dropout")}
    model = GPT(GPTConfig(**size, vocab_size=65, bias=False))
    optimizer = model.configure_optimizers(0.1, 1e-3, (0.9, 0.99), "cpu")
    tokens = torch.randint(65, (batch, model_config.block_size + 1))

    def step() -> None:
        _, loss = model(tokens[:, :-1].contiguous(), tokens[:, 1:].contiguous())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        loss.item()

    return timed(shape, step, config.tokens_per_step, step_flops(config, 65), "float32")


def timed(shape: str, step: Callable[[], Any], tokens: int, flops: float, dtype: str) -> dict[str, float]:
    """seconds: of a step, the median. peak: floating-point operations a second of one large product."""
    import torch

    steps, before = SHAPES[shape]
    for _ in range(before):
        step()
    seconds = statistics.median(stopwatch(step) for _ in range(steps))
    matrix = torch.randn(SIZE, SIZE, dtype=getattr(torch, dtype))
    peak = 2 * SIZE**3 / min(stopwatch(lambda: matrix @ matrix) for _ in range(10))
    return {"seconds": seconds, "tokens": tokens, "flops": flops, "peak": peak}


def stopwatch(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    raise SystemExit(main())
