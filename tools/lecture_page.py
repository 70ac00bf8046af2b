"""The guide's page "The lecture, rung by rung". Its words stand here; every figure, sample and drawing is measured or
drawn by the program: `benchmarks/results/ladder.json`, `core.drawing`, `core.shapes`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import groupby
from textwrap import fill

from measured import LADDER, Record, Results, figures, ladder_table, runs_table

from gpt_tui.core.drawing import draw, plain
from gpt_tui.core.presets import PRESETS
from gpt_tui.core.shapes import step_flops, training_memory, walk

LARGE = ("shakespeare-1x1", "shakespeare-2x2", "shakespeare-6x6", "shakespeare-12x12", "nanogpt-gpu")
GPT2 = ("gpt2", "gpt2-medium", "gpt2-large", "gpt2-xl")


@dataclass(frozen=True)
class Rung:
    """added: what is new, and why it helps. see: what happens on the screen. tries: (flags, what it shows).

    drawn: whether the page has its drawing; a rung that only grows looks like the one before.
    """

    preset: str
    title: str
    added: str
    see: str
    tries: tuple[tuple[str, str], ...]
    drawn: bool = True


def rungs(r: Results) -> tuple[Rung, ...]:
    bigram, one, four = "lecture-bigram", "lecture-one-head", "lecture-four-heads"
    feed, residual, norm = "lecture-feed-forward", "lecture-residual", "lecture-layernorm"
    colab, short = "lecture-colab", "shakespeare-1x1-short"
    return (
        Rung(
            bigram,
            "A table of letter pairs",
            """
The whole model is one table with a row for each of the 65 characters. The row of the present character holds the
logits of the next one: 65 × 65 numbers that are looked up and never multiplied. It knows nothing of what stood before,
nor of where it stands. Training moves each row until its softmax tells how often each character follows that one in the
text, so this is a bigram model that is learned instead of counted. It is the floor on which everything else is built,
and the training loop around it stays the same up to GPT-2: take a batch, compute the loss, go down its gradient.
""",
            f"""
The loss begins at {r.start(bigram)}, above ln 65 = 4.174, the price of knowing nothing: the table starts as random
numbers, and is sure of things that are not so. At {r.passed(bigram, "unigram")} it is below the unigram line, then it
flattens onto the **bigram line** (2.4858) of the chart and stays on it, ending at {r.loss(bigram)}. That line counts
the same letter pairs, so there is nothing below it for this model. Its evaluations are means of 200 random batches and
scatter by about 0.01, so with some seeds one of them dips below, and the log says that the line was passed; on the
whole split it was not.
The sample has the lengths of words and likely pairs of letters, and hardly a word.
""",
            (
                (
                    "--max-iters 12000 --eval-interval 1200",
                    "Four times as many steps buy nothing: the line is what pairs can know.",
                ),
                (
                    "--learning-rate 0.001",
                    "The later rungs' rate is too slow: Adam moves a number by about the rate a step, and logits have "
                    "far to go.",
                ),
            ),
        ),
        Rung(
            one,
            "One attention head",
            """
Each token is now 32 numbers, and 32 more that say where it stands are added to them. From these every token makes
three things: a query (what am I looking for), a key (what do I have) and a value (what do I give). Query times key,
divided by √32, scores every pair of tokens; the causal mask strikes out the pairs that look ahead; softmax turns what
is left into weights; and each token takes the mean of the values by its weights. So it gathers what it needs from the
eight characters it can see, itself among them, and a linear layer (`head`) turns that into logits.
""",
            f"""
The loss passes the bigram line at {r.passed(one, "bigram")} and goes on falling: looking back is worth something. But
only {r.gain(bigram, one)} nats by the end. One head can look for one kind of thing at a time, and
what a token itself is gets through only as far as it looks at itself: attention replaces what was there.
""",
            (
                (
                    "--position none",
                    "Without positions the head sees which characters came before, but not in what order.",
                ),
                (
                    "--block-size 32",
                    "Four times the context: more to look at, and with one head no better way of looking.",
                ),
            ),
        ),
        Rung(
            four,
            "Four heads beside one another",
            """
The same 32 numbers are divided among four heads of 8. Each has its own queries, keys and values, so a token can look
for four things at once, say the character before, the last vowel and the last space; what they find is put side by
side. Not one parameter more than the single head has.
""",
            f"""
The line of the chart falls faster and further: the bigram line is passed at {r.passed(four, "bigram")}, and the run
ends {r.gain(one, four)} nats below the single head. The sample's gibberish begins to have the look of English.
""",
            (
                (
                    "--n-head 16",
                    "Sixteen heads of two numbers each do no worse: by here the number of heads hardly matters.",
                ),
                (
                    "--position none",
                    "Most of what four heads gained is gone: they too must know where a character stands.",
                ),
            ),
        ),
        Rung(
            feed,
            "Each token thinks about what it found",
            """
Attention only mixes: what comes out of it is a weighted mean. Now each token passes what it gathered through a small
network of its own, a linear layer and a ReLU, the same for every token. Communication first, then computation: the
two halves of every transformer block.
""",
            f"""
A small step, {r.gain(four, feed)} nats, for 1,056 parameters more. The bigram line is passed at
{r.passed(feed, "bigram")}. The layer is as wide as the stream here and stands once; the
next rung makes it four times as wide.
""",
            (
                (
                    "--attention false",
                    "Thinking without looking: a token has only itself, so it is a bigram again.",
                ),
                (
                    "--n-layer 3",
                    "Three such blocks in a row are worse than one: depth alone does not help. The next rung does.",
                ),
            ),
        ),
        Rung(
            residual,
            "A residual stream, three blocks deep",
            """
Three blocks instead of one, and each part now *adds* what it found to a stream that runs past it from the embedding
to the head, instead of replacing it. An addition hands the gradient on undiminished, so every block learns from the
first step on, however deep it lies; and what a token is does not have to squeeze through attention. An output
projection after each part brings its result back into the stream, and the feed-forward layer is four times as wide.
""",
            f"""
The largest step that new parts make, {r.gain(feed, residual)} nats, and most of it is the stream's, as a try below
shows. At the first evaluation after the start,
{r.passed(residual, "bigram")}, the bigram line is passed, where the rungs before took 1,000 steps
and more; the run ends within reach of the
**trigram line** (2.0492) and does not cross it. The sample has words that exist.
""",
            (
                (
                    "--residual false",
                    "The same parts without the stream, each replacing the last: worse than the one block before.",
                ),
                ("--n-layer 6", "With a stream, twice the depth still pays."),
                ("--learning-rate 0.01", "Ten times the rate is too fast for this rung; the next one takes it calmly."),
            ),
        ),
        Rung(
            norm,
            "LayerNorm",
            """
Before each part, and before the head, every token's 32 numbers are brought to mean 0 and variance 1, then stretched
and shifted by learned amounts. The stream may grow as blocks add to it; what the parts read stays of one size, and so
do the steps they take. With this the block is the transformer's, as GPT-2 has it. (`lecture-tiny` is this rung with a
fourth block.)
""",
            f"""
At three blocks it is worth {r.gain(residual, norm)} nats: a modest gain, for 448 parameters. What it buys is calm:
below, ten times the learning rate does it no harm, while the rung before loses half of what its stream had
gained. The run ends close above the trigram line.
""",
            (
                (
                    "--residual false",
                    "LayerNorm stays and the stream goes: better than with neither, not nearly what the stream gave.",
                ),
                (
                    "--learning-rate 0.01",
                    "Ten times the rate, and it ends where it ended before.",
                ),
                (
                    "--norm rmsnorm",
                    "RMSNorm, which newer models use, scales without taking the mean away: less work, the same loss.",
                ),
            ),
        ),
        Rung(
            colab,
            "All of it, larger",
            """
Nothing new, only more: 64 numbers a token, four blocks, and 32 characters of context instead of 8. This is the model
with which the lecture's notebook ends. (`lecture-64` is a variant with a context of 64, dropout and a slower rate, of
which no figure is published.)
""",
            f"""
The loss passes the trigram line at {r.passed(colab, "trigram")} and ends at {r.loss(colab)}, between it and
the 4-gram line (1.7738): more than a table of the two characters before could know, less than one of three. Line breaks
and capitals stand where they should, and many words are words.
""",
            (
                (
                    "--block-size 8",
                    "With the ladder's short sight it only comes to the trigram line: the rest was context.",
                ),
                (
                    "--position rotary",
                    "Positions as turns of queries and keys (RoPE) instead of a learned table: past the 4-gram line.",
                ),
            ),
            drawn=False,
        ),
        Rung(
            short,
            "The final script's width, for a hundred steps",
            """
The lecture's last script is another size: 384 numbers a token, 256 characters of context, batches of 64 windows, and
dropout, which sets a fifth of the numbers to zero at random while it trains, so that no part can rely on a single
other. Here it has one block with one head, and takes 100 steps: 64 times as much text in each as on the ladder.
""",
            f"""
A hundred steps, and the loss stands at {r.loss(short)}, where the bigram table ended ({r.loss(bigram)}): a good start,
and no more than that, which is what the published run shows too. The evaluations, 200 batches of 16,384 characters,
take longer than the training. `shakespeare-1x1` goes on from here to 5,000 steps.
""",
            (
                (
                    "--learning-rate 0.001 --eval-iters 20",
                    "Three times the rate, and a hundred steps come less far: faster is not sooner.",
                ),
            ),
            drawn=False,
        ),
    )


INTRO = """\
# The lecture, rung by rung

Karpathy's lecture "Let's build GPT" does not write a transformer down. It starts with a table of letter pairs and adds
one idea at a time, and after each the loss says what the idea was worth. Here every such state is a preset, so that you
can watch each rung learn beside the video. All of them are one model with parts switched on, which can be read beside
the video too: [`gpt.py`](../src/gpt_tui/core/model/gpt.py).

```
gpt-tui --headless --preset lecture-one-head --dataset shakespeare     # train a rung
gpt-tui shapes --preset lecture-one-head --drawing                     # every tensor of it, and a drawing
```

In the playground: `2` for the form, `←` `→` on its first row to choose the preset, `v` to see its shapes and its
drawing beside the form, `space` to start (`N`, where a run is there already). The small rungs take seconds, so try
things: every field may be changed, and what is marked *try* below was tried.

## All rungs

"""

HOW = """
Losses are nats per character of Tiny Shakespeare: validation on the whole split, training on the first 100,000
characters of its own; published figures are means of random
batches of it. Three seeds each, measured with {machine}; the seconds are of one core of a machine that had other work
to do. The commands below are those of the first seed, and the samples what its model wrote at its last evaluation, at
temperature 0.8. Another seed, such as the form's 1337, ends a little higher or lower and passes a line an evaluation
sooner or later; without `--threads 1` the larger ones are done sooner, and differ in the last digits. The lines that
the text speaks of are the [entropy ladder](figures.md#the-entropy-ladder): what counting pairs, triples and so on of
characters reaches. This page is made by `tools/make_docs.py` from `benchmarks/results/ladder.json`, and those records
by
"""

COMMANDS = """\
python benchmarks/figures.py ladder --threads 1 --save benchmarks/results/ladder.json
python benchmarks/figures.py tries --seeds 1 --threads 1 --save benchmarks/results/ladder.json"""

LARGE_INTRO = """\
## The large ones

The final script with one, two, six and twelve blocks, and nanoGPT's version of the six. They look like the drawing of
`lecture-layernorm`, with other numbers; `gpt-tui shapes --preset shakespeare-6x6 --drawing` has them. On a CPU these
are runs of hours; of `nanogpt-gpu` its authors say that it takes about three minutes on one A100.

| preset | parameters | floating-point operations | published best val (step) | published end, train and val |
|---|---|---|---|---|
{rows}

* `shakespeare-1x1`, one block, is the cheapest model that sees 256 characters.
* `shakespeare-2x2`: what one block has found, the second can use.
* `shakespeare-6x6` is the lecture's final model. In its published run the two losses part: validation is best at step
  3,000, and from there on only the training text is learned.
* `shakespeare-12x12`, twice as deep, learns the text by heart: its published validation loss is best at step 2,000 and
  ends higher than that of one block. A larger model is not a better one where the text is small.
* `nanogpt-gpu` is the six blocks with nanoGPT's habits: the head tied to the embedding, no biases, GELU, warmup and
  a cosine decay of the learning rate. As much arithmetic, and a lower published best. (`nanogpt-cpu`, its small
  brother, takes minutes on a CPU: [Figures](figures.md#run-by-run) has its runs.)

What to watch for in the playground: the two losses on the chart, diamonds of validation and the line of training. As
long as they fall together, a longer run helps; where they part, dropout, a smaller model or more text would.

Published curves are means of 200 random batches, so the run's own evaluations, 200 random batches too, are what to
hold beside them.
"""

GPT2_PART = """\
## GPT-2's four sizes

Nothing in them is new: the blocks of `nanogpt-gpu`, with biases and the tanh form of GELU, a vocabulary of 50,257
pieces of words and 1,024 of them as context. They are presets to look at: `gpt-tui shapes --preset gpt2-xl` walks
every tensor without allocating one, and says how long a step would take on your machine. Training the smallest took
nanoGPT about four days on eight A100.

| preset | parameters | blocks | heads | numbers a token | floating-point operations a step | memory while training |
|---|---|---|---|---|---|---|
{rows}

The memory is what one batch of 12 needs in float32. The smaller the model, the more of it is vocabulary: the token
embedding is {share} of `gpt2`, and {share_xl} of `gpt2-xl`.
"""


def lecture_page(r: Results) -> str:
    """The page as Markdown."""
    how = [wrapped(HOW.format(machine=machine(r))), "", *fenced(COMMANDS, "console")]
    parts = [INTRO + "\n".join([ladder_table(r), "", *how])]
    parts += [rung_part(number, rung, r) for number, rung in enumerate(rungs(r), start=1)]
    parts += [large_part(r), gpt2_part()]
    return "\n".join(parts)


def machine(r: Results) -> str:
    """Where the ladder was measured, as its records tell."""
    records = [record for preset in LADDER for record in r.of(preset)]
    told = {f"torch {record.torch} on one thread of an {record.processor} processor" for record in records}
    if len(told) > 1 or {record.threads for record in records} != {1}:
        raise ValueError(f"the ladder was measured in several ways: {sorted(told)}")
    narrow = [record.preset for record in records if record.dtype == "bfloat16"]
    return f"{told.pop()}, in float32" + (f" ({narrow[0]}: bfloat16 products)" if narrow else "")


def rung_part(number: int, rung: Rung, r: Results) -> str:
    records = r.of(rung.preset)
    lines = [f"## {number}. {rung.title} (`{rung.preset}`)", "", wrapped(rung.added), ""]
    if rung.drawn:
        lines += fenced(plain(draw(PRESETS[rung.preset].config().model, 65)))
    lines += [wrapped(f"**{records[0].parameters:,} parameters**: {parameter_sum(rung.preset)}."), ""]
    lines += fenced(records[0].command, "console")
    losses = ", ".join(f"{record.val_loss:.4f}" for record in records)
    known = figures.show_published(r.published[rung.preset].val)
    lines += [f"Validation loss **{r.loss(rung.preset)}** ({losses}), published {known}.", ""]
    lines += [wrapped(f"**What you should see.** {rung.see}"), "", "The model writes:", ""]
    lines += fenced(records[0].sample.strip("\n"))
    lines += ["**Try** (one run each, seed 1):", ""]
    for flags, text in rung.tries:
        lines.append(wrapped(f"* `{flags}`: {r.instead(rung.preset, flags)} {text}", "  "))
    return "\n".join(lines) + "\n"


def wrapped(text: str, indent: str = "") -> str:
    return fill(" ".join(text.split()), 120, subsequent_indent=indent, break_on_hyphens=False, break_long_words=False)


def fenced(text: str, language: str = "text") -> list[str]:
    return [f"```{language}", *(line.rstrip() for line in text.split("\n")), "```", ""]


def parameter_sum(preset: str) -> str:
    """Where the parameters are: "2,080 token embedding + 3 × (3,072 queries, keys, values + …) + …"."""
    config = PRESETS[preset].config()
    steps = [step for step in walk(config.model, PRESETS[preset].vocab_size).steps if step.parameters]
    terms = []
    for part, group in groupby(steps, key=lambda step: step.part):
        held = list(group)
        text = " + ".join(f"{step.parameters:,} {step.name.replace(', ', '/')}" for step in held)
        terms.append(f"{held[0].times} × ({text})" if part == "block" and held[0].times > 1 else text)
    return " + ".join(terms)


# The large ones --------------------------------------------------------------------------------------------------


def large_part(r: Results) -> str:
    rows = [large_row(preset, r) for preset in LARGE]
    lines = [LARGE_INTRO.format(rows="\n".join(rows))]
    measured = [preset for preset in LARGE if preset in r]
    absent = [preset for preset in LARGE if preset not in r]
    if measured:
        lines += ["Measured:", "", runs_table(r, measured), ""]
        for preset in measured:
            record = r.of(preset)[0]
            lines += [f"* `{run.command}`: {where(run)}." for run in r.of(preset)]
            lines += ["", f"What it writes at the end (seed {record.seed}):", "", *fenced(record.sample.strip("\n"))]
    if absent:
        names = ", ".join(f"`{preset}`" for preset in absent)
        told = (
            f"Not measured yet: {names}. This makes their rows, on a GPU where there is one; interrupted, it goes on:"
        )
        lines += [wrapped(told), ""]
        command = f"python benchmarks/figures.py {' '.join(absent)} --keep figures"
        lines += fenced(f"{command} --save benchmarks/results/ladder.json", "console")
    return "\n".join(lines)


def large_row(preset: str, r: Results) -> str:
    known, config = r.published[preset], PRESETS[preset].config()
    count = walk(config.model, 65).parameters
    work = power(step_flops(config, 65) * config.training.max_iters)
    best = "" if known.best is None else f"{known.best:.4f}" + (f" ({known.best_step:,})" if known.best_step else "")
    end = "" if known.val is None else f"{known.train:.4f}, {known.val:.4f}"
    return f"| `{preset}` | {count:,} | {work} | {best} | {end} |"


def where(record: Record) -> str:
    threads = f"{record.threads} thread" + ("s" if record.threads > 1 else "")
    return f"{record.processor}, {record.device}, {record.dtype}, {threads}, {record.seconds / 60:.0f} minutes"


def power(number: float) -> str:
    """5.8 × 10¹⁵."""
    exponent = math.floor(math.log10(number))
    raised = str(exponent).translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"{number / 10**exponent:.1f} × 10{raised}"


def gpt2_part() -> str:
    rows = []
    for name in GPT2:
        preset = PRESETS[name]
        config = preset.config()
        cells = [f"`{name}`", f"{walk(config.model, preset.vocab_size).parameters:,}"]
        cells += [str(config.model.n_layer), str(config.model.n_head), f"{config.model.n_embd:,}"]
        cells += [power(step_flops(config, preset.vocab_size))]
        cells += [f"{training_memory(config, preset.vocab_size) / 1e9:.0f} GB"]
        rows.append("| " + " | ".join(cells) + " |")
    return GPT2_PART.format(rows="\n".join(rows), share=share("gpt2"), share_xl=share("gpt2-xl"))


def share(name: str) -> str:
    """How much of the parameters the token embedding is."""
    model, vocab_size = PRESETS[name].config().model, PRESETS[name].vocab_size
    return f"{vocab_size * model.n_embd / walk(model, vocab_size).parameters:.0%}"
