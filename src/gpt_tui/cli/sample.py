"""`gpt-tui sample`: a run's model writes text, to stdout as it is generated."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gpt_tui.cli.arguments import Arguments
from gpt_tui.cli.places import find_run, find_runs_dir
from gpt_tui.cli.training import open_stdin
from gpt_tui.console import Console
from gpt_tui.core.config import FIELDS, SamplingConfig, find_faults
from gpt_tui.core.errors import Refusal
from gpt_tui.core.runs import Run

if TYPE_CHECKING:
    from gpt_tui.core.sampling import Speaker, Token

MOST_SAMPLES = 100_000
TOKENS_AT_ONCE = 200_000  # of samples that are told once they are whole, as --json tells them
BETWEEN = "\n" + "-" * 16 + "\n"


@dataclass(frozen=True)
class Wish:
    """What is asked of a model: the run's own settings, with those given over them."""

    found: Run
    step: int | None
    sampling: SamplingConfig
    count: int
    device: str
    dtype: str
    threads: int | str


def run(arguments: Arguments, console: Console) -> int:
    """Obey `sample`. Raises Refusal with everything that is wrong with the request."""
    wish = read_wish(arguments)
    prompt = read_prompt(console) if arguments.get("prompt") == "-" else wish.sampling.prompt
    console.live("loading torch")
    from gpt_tui.core.sampling import Speaker, default_prompt

    speaker = Speaker.from_run(wish.found, wish.step, wish.device, wish.dtype)
    for notice in speaker.notices:
        console.warn(f"gpt-tui: {notice}")
    speaker.use_threads(wish.threads)
    at_once = speaker.texts_at_once()
    if "json" in arguments:
        at_once = max(1, min(at_once, TOKENS_AT_ONCE // wish.sampling.max_new_tokens))
    for first in range(0, wish.count, at_once):
        seeds = [wish.sampling.sample_seed + i for i in range(first, min(first + at_once, wish.count))]
        together = speaker.generate_together(seeds, prompt, wish.sampling)
        if "json" in arguments:
            shown_prompt = prompt or default_prompt(speaker.tokenizer)
            for seed, tokens in zip(seeds, zip(*together, strict=True), strict=True):
                console.json_line(json.dumps(_record(wish, speaker, shown_prompt, seed, tokens)))
        else:
            if first:
                console.data(BETWEEN, end="")
            stream(together, prompt, console)
        if console.out.gone:
            break
    return 0


def _record(wish: Wish, speaker: Speaker, prompt: str, seed: int, tokens: Sequence[Token]) -> dict[str, object]:
    """What --json tells of a sample."""
    return {
        "run": wish.found.name,
        "step": speaker.step,
        "prompt": prompt,
        "seed": seed,
        "window_rule": wish.sampling.window_rule,
        "dtype": speaker.model.dtype,
        "text": "".join(token.text for token in tokens),
        "tokens": [{"text": token.text, "logprob": token.logprob} for token in tokens],
    }


def read_wish(arguments: Arguments) -> Wish:
    """Check the request. Raises Refusal with every fault."""
    faults = arguments.faults
    count = arguments.count("num-samples", 1, MOST_SAMPLES)
    given = arguments.fields()
    sound, bad = find_faults(given, arguments.field_labels())
    faults += bad
    found, step = None, None
    try:
        if arguments.words:
            found, step = find_run(arguments.words[0], "run", find_runs_dir(arguments))
    except Refusal as refusal:
        faults += refusal.faults
    if faults or found is None:
        raise Refusal(faults)
    config = found.digest().config or found.config()
    asked = {name: sound[name] for name in given if FIELDS[name].section == "sampling"}
    dtype = sound["dtype"] if "dtype" in given else "float32"
    return Wish(found, step, config.replace(**asked).sampling, count, sound["device"], dtype, sound["threads"])


def read_prompt(console: Console) -> str:
    """The prompt on standard input, without the line end that `echo` puts after it."""
    try:
        text = open_stdin("prompt").read().decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refusal.one("--prompt", "-", f"standard input is not UTF-8 text (byte {error.start})") from None
    return text.removesuffix("\n").removesuffix("\r")


def stream(together: Iterator[list[Token]], prompt: str, console: Console) -> None:
    """The prompt and what follows it, as one text, each token as soon as there is one; then the other texts."""
    console.data(prompt, end="")
    others: list[list[str]] = []
    for token, *rest in together:
        others = others or [[prompt] for _ in rest]
        for text, other in zip(others, rest, strict=True):
            text.append(other.text)
        console.data(token.text, end="")
        if console.out.gone:
            return
    console.data()
    for text in others:
        console.data(BETWEEN + "".join(text))
