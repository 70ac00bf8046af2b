"""How fast a model speaks here, beside nanoGPT and Hugging Face transformers with the same weights.

    python benchmarks/speaking.py                                    gpt-tui alone
    python benchmarks/speaking.py --nanogpt DIR --transformers       beside a checkout of nanoGPT, and the library
    python benchmarks/speaking.py learning                           what it costs a run that learns meanwhile

The shape is the preset nanogpt-gpu, 10.65 million parameters without positions, with random weights: how fast a model
speaks does not depend on what it learned. Every contestant gets the same weights, and before it is timed its logits
are held against gpt-tui's own. Each measurement is a process of its own, as a person's would be, and the contestants
take turns, so that a slow minute of the machine meets them all. Medians are told, and ratios within a turn.

Both peers begin from one token, at temperature 0.8 and top_k 200, nanoGPT's own settings. nanoGPT computes the last
block_size tokens anew for each token. transformers keeps them, as gpt-tui does, but cannot go past block_size: it is
compared over the first 255 tokens; the extra `bench` installs it. Beside nanoGPT the greedy text under the window rule
`full` is held against what nanoGPT's own `generate` writes with top_k 1, past block_size and in float64; where they
differ the status is 1. `learning` compares a run's steps/s in silence with those while text streams.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import islice, takewhile
from pathlib import Path
from typing import Any

from measure import nanogpt_checkout

PRESET, VOCABULARY = "nanogpt-gpu", 65
TEMPERATURE, TOP_K = 0.8, 200
TOKENS, WINDOW, TOGETHER = 500, 255, 16
BEFORE, GREEDY = 240, 40  # tokens of a prompt, and those after it that are held against nanoGPT's: past block_size


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", default="speaking", choices=("speaking", "learning"))
    parser.add_argument("--nanogpt", type=nanogpt_checkout, metavar="DIR", help="a checkout of nanoGPT")
    parser.add_argument("--transformers", action="store_true", help="beside Hugging Face transformers")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=20.0, help="of each part of `learning`")
    parser.add_argument("--preset", default="quick", help="what learns, in `learning`")
    parser.add_argument("--dataset", help="what is learned, in `learning`; that of the preset where it is not given")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(MEASURES[options.one](options.nanogpt)))
        return 0
    return learning(options) if options.what == "learning" else speaking(options)


# Who speaks ------------------------------------------------------------------------------------------------------
# Each gives {"tokens": tokens/s over TOKENS, "window": over the first WINDOW, "first": ms to the first}, where it can.


def ours(dtype: str, together: int = 1) -> Callable[[Path | None], dict[str, float]]:
    def measure(_: Path | None) -> dict[str, float]:
        import torch

        from gpt_tui.core.config import SamplingConfig
        from gpt_tui.core.sampling import draws_together, freeze, make_sampler

        model = freeze(_model(), dtype)
        torch.set_num_threads(model.threads())
        sampling = SamplingConfig(temperature=TEMPERATURE, top_k=TOP_K)

        def text(tokens: int) -> list[float]:
            """When each token came, in seconds."""
            began = time.perf_counter()
            samplers = [make_sampler(seed) for seed in range(together)]
            written = islice(draws_together(model, [[0]] * together, sampling, samplers), tokens)
            return [time.perf_counter() - began for _ in written]

        first = text(20)[0]  # of a model that has just been loaded
        came = text(TOKENS)
        return {
            "tokens": together * TOKENS / came[-1],
            "window": together * WINDOW / came[WINDOW - 1],
            "first": first * 1000,
        }

    return measure


def nanogpt(checkout: Path | None) -> dict[str, float]:
    import torch

    model = _nanogpt_model(checkout)
    idx = torch.arange(60)[None]
    with torch.no_grad():
        _hold_against(_model()(idx)[0][:, -1], model(idx)[0][:, -1])

        def text(tokens: int) -> float:
            began = time.perf_counter()
            model.generate(torch.zeros(1, 1, dtype=torch.long), tokens, temperature=TEMPERATURE, top_k=TOP_K)
            return time.perf_counter() - began

        first = text(1)
        text(20)
        return {"tokens": TOKENS / text(TOKENS), "window": WINDOW / text(WINDOW), "first": first * 1000}


def greedy(checkout: Path | None) -> dict[str, float]:
    """{"alike": tokens of the two greedy texts before the first that differs}."""
    import torch

    from gpt_tui.core.config import SamplingConfig
    from gpt_tui.core.sampling import draws, freeze, make_sampler

    prompt = torch.arange(BEFORE)[None] * 7 % VOCABULARY
    theirs = _nanogpt_model(checkout).double().generate(prompt, GREEDY, top_k=1)[0, BEFORE:].tolist()
    sampling = SamplingConfig(temperature=0, window_rule="full")
    own = islice(draws(freeze(_model().double()), prompt[0].tolist(), sampling, make_sampler(0)), GREEDY)
    alike = takewhile(lambda pair: pair[0].token == pair[1], zip(own, theirs, strict=True))
    return {"alike": sum(1 for _ in alike)}


def transformers(_: Path | None) -> dict[str, float]:
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel  # type: ignore[import-not-found]

    own = _config()
    shape = {name: getattr(own, name) for name in ("n_layer", "n_head", "n_embd")}
    model = GPT2LMHeadModel(
        GPT2Config(**shape, n_positions=own.block_size, vocab_size=VOCABULARY, activation_function="gelu")
    ).eval()
    missing = model.load_state_dict(_renamed(_NANOGPT, transposed=True), strict=False)
    assert not missing.unexpected_keys, missing.unexpected_keys
    with torch.no_grad():
        for name in missing.missing_keys:  # biases, which this shape does not have
            model.get_parameter(name).zero_()
        idx = torch.arange(60)[None]
        _hold_against(_model()(idx)[0], model(idx).logits)

        def text(tokens: int) -> float:
            began = time.perf_counter()
            start = torch.zeros(1, 1, dtype=torch.long)
            out = model.generate(
                start, attention_mask=torch.ones_like(start), max_new_tokens=tokens, min_new_tokens=tokens,
                do_sample=True, temperature=TEMPERATURE, top_k=TOP_K, use_cache=True, pad_token_id=0,
                eos_token_id=VOCABULARY - 1, bos_token_id=0,
            )  # fmt: skip
            assert out.size(1) == 1 + tokens
            return time.perf_counter() - began

        first = text(1)
        text(20)
        return {"window": WINDOW / text(WINDOW), "first": first * 1000}


CONTESTANTS = {
    "float32": ours("float32"),
    "bfloat16": ours("bfloat16"),
    "float32 x16": ours("float32", TOGETHER),
    "bfloat16 x16": ours("bfloat16", TOGETHER),
    "nanogpt": nanogpt,
    "transformers": transformers,
}
MEASURES = {**CONTESTANTS, "greedy": greedy}

# Where nanoGPT has each weight of ours; transformers has them under the same names, and the matrices turned round.
_NANOGPT = {
    "token_embedding": "transformer.wte",
    "position_embedding": "transformer.wpe",
    "norm1": "ln_1",
    "norm2": "ln_2",
    "attention.qkv": "attn.c_attn",
    "attention.proj": "attn.c_proj",
    "feed_forward.fc": "mlp.c_fc",
    "feed_forward.proj": "mlp.c_proj",
    "blocks": "transformer.h",
    "norm": "transformer.ln_f",
    "head": "lm_head",
}


def _config() -> Any:
    from gpt_tui.core.presets import find_preset

    return find_preset(PRESET).config().model


def _model() -> Any:
    import torch

    from gpt_tui.core.model import GPT

    model = GPT(_config(), VOCABULARY, torch.Generator().manual_seed(1)).eval()
    with torch.no_grad():
        for parameter in model.parameters():  # larger than at the start: texts of a trained model are not uniform
            if parameter.dim() > 1:
                parameter.mul_(3)
    return model


def _nanogpt_model(checkout: Path | None) -> Any:
    """nanoGPT's own, with the same weights."""
    sys.path.insert(0, str(checkout))
    from model import GPT, GPTConfig  # type: ignore[import-not-found]

    own = _config()
    shape = {name: getattr(own, name) for name in ("block_size", "n_layer", "n_head", "n_embd", "bias")}
    with _quiet():
        model = GPT(GPTConfig(**shape, vocab_size=VOCABULARY, dropout=0.0)).eval()
    model.load_state_dict(_renamed(_NANOGPT))
    return model


def _renamed(names: dict[str, str], transposed: bool = False) -> dict[str, Any]:
    renamed = {}
    for name, weight in _model().state_dict().items():
        theirs = name
        for ours_, other in names.items():
            if theirs.startswith(f"{ours_}.") or f".{ours_}." in theirs:
                theirs = theirs.replace(f"{ours_}.", f"{other}.", 1)
        turned = transposed and any(part in theirs for part in (".attn.", ".mlp."))
        renamed[theirs] = weight.t().contiguous() if turned else weight
    return renamed


def _hold_against(own: Any, theirs: Any) -> None:
    difference = (own - theirs).abs().max().item()
    assert difference < 1e-3, f"not the same model: the logits differ by {difference}"


def _quiet() -> Any:
    import contextlib

    return contextlib.redirect_stdout(sys.stderr)


# The race --------------------------------------------------------------------------------------------------------


def speaking(options: argparse.Namespace) -> int:
    from gpt_tui.core.device import cpu_has_native_bfloat16

    native = cpu_has_native_bfloat16()
    asked = [name for name in CONTESTANTS if native or "bfloat16" not in name]
    if options.nanogpt is None:
        asked.remove("nanogpt")
    if not options.transformers:
        asked.remove("transformers")
    turns: list[dict[str, dict[str, float]]] = []
    for turn in range(options.repeats):
        found = {}
        for name in asked:
            found[name] = _in_a_process(name, options.nanogpt)
            rates = ", ".join(f"{what} {value:,.0f}" for what, value in found[name].items())
            print(f"turn {turn + 1}: {name}: {rates}", file=sys.stderr, flush=True)
        turns.append(found)

    def median(name: str, what: str) -> str:
        return f"{statistics.median(turn[name][what] for turn in turns):,.0f}" if what in turns[0][name] else "-"

    def ratio(name: str, peer: str, what: str) -> str:
        if peer not in asked or peer == name or any(what not in turns[0][one] for one in (name, peer)):
            return "-"
        return f"{statistics.median(turn[name][what] / turn[peer][what] for turn in turns):.1f}"

    print(f"{_machine()}; medians of {options.repeats}\n")
    print(
        f"| speaks | tokens/s, first {WINDOW} | tokens/s, {TOKENS} | first token, ms | of nanoGPT | of transformers |"
    )
    print("|---|---|---|---|---|---|")
    for name in asked:
        label = name if name in ("nanogpt", "transformers") else f"gpt-tui, {name}"
        measured = [median(name, what) for what in ("window", "tokens", "first")]
        ratios = [ratio(name, "nanogpt", "tokens"), ratio(name, "transformers", "window")]
        print("|", " | ".join([label, *measured, *ratios]), "|")
    for dtype in ("float32", "bfloat16"):
        if f"{dtype} x16" in asked:
            print(f"\n16 texts at once, {dtype}: {ratio(f'{dtype} x16', dtype, 'tokens')} times the tokens/s of one")
    if options.nanogpt is None:
        return 0
    alike = round(_in_a_process("greedy", options.nanogpt)["alike"])
    same = f"the same {GREEDY} tokens as" if alike == GREEDY else f"after {alike} tokens another text than"
    print(f"\nwindow_rule full, greedy, float64: {same} nanoGPT's generate")
    return 0 if alike == GREEDY else 1


def _in_a_process(name: str, checkout: Path | None) -> dict[str, float]:
    command = [sys.executable, __file__, "--one", name]
    if checkout is not None:
        command += ["--nanogpt", str(checkout)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def _machine() -> str:
    import torch

    from gpt_tui.core.device import physical_cores, resolve_threads

    return (
        f"{platform.machine()}, {physical_cores()} cores, {resolve_threads('auto')} threads, "
        f"{torch.backends.cpu.get_cpu_capability()}, torch {torch.__version__}"
    )


# While it learns -------------------------------------------------------------------------------------------------


def learning(options: argparse.Namespace) -> int:
    """Steps/s of a run in silence, and while its own half-trained model speaks without end; in turn."""
    from gpt_tui.core.commands import Plan, Stop
    from gpt_tui.core.config import SamplingConfig
    from gpt_tui.core.presets import find_preset
    from gpt_tui.core.session import Session
    from gpt_tui.core.speech import Source, Speech

    config = (
        find_preset(options.preset).config().replace(eval_interval=10**6, max_iters=10**6, checkpoint_interval="off")
    )
    if options.dataset:
        config = config.replace(dataset=options.dataset)
    with tempfile.TemporaryDirectory() as folder:
        session = Session(Plan(config, Path(folder)))
        session.start()
        while session.snapshot.step < 20:
            if session.outcome is not None:
                raise SystemExit(f"the run ended: {session.outcome}")
            time.sleep(0.1)
        speech, sampling = Speech(), SamplingConfig(max_new_tokens=10_000_000)

        def rate() -> tuple[float, float]:
            """Steps/s, and tokens/s of what is said."""
            step, began = session.snapshot.step, time.perf_counter()
            said = len(speech.utterance.tokens)
            time.sleep(options.seconds)
            took = time.perf_counter() - began
            return (session.snapshot.step - step) / took, (len(speech.utterance.tokens) - said) / took

        shares, spoken = [], []
        for turn in range(options.repeats):
            silent, _ = rate()
            path = session.snapshot.run_path
            assert path is not None
            speech.say(Source(path, None, session), "", sampling)
            while len(speech.utterance.tokens) < 10:
                if speech.utterance.state == "failed" or session.outcome is not None:
                    raise SystemExit(f"nothing is said: {speech.utterance.error or session.outcome}")
                time.sleep(0.05)
            beside, tokens = rate()
            speech.stop()
            shares.append(beside / silent)
            spoken.append(tokens)
            told = f"{silent:.2f} steps/s in silence, {beside:.2f} beside {tokens:.0f} tokens/s"
            print(f"turn {turn + 1}: {told}", file=sys.stderr, flush=True)
        speech.close()
        session.submit(Stop("signal"))
        session.join(120)
    print(
        f"{options.preset}: while text streams at {statistics.median(spoken):.0f} tokens/s, the run keeps "
        f"{statistics.median(shares):.0%} of its steps/s (medians of {options.repeats}; {_machine()})"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
