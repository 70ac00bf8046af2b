"""The sections of a configuration: every field with its bounds, its default and what a person is told about it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints

Off = Literal["off"]
Auto = Literal["auto"]
Line = Annotated[str, StringConstraints(max_length=4096)]


def setting(
    default: Any,
    help: str,
    *,
    why: str = "",
    start: str = "",
    unit: str = "",
    live: bool = False,
    step: float | None = None,
    for_none: str = "",
    group: str = "",
    **bounds: Any,
) -> Any:
    """A field of a section: pydantic checks the bounds, and the rest is what a person is told about it.

    step: what one press of an arrow adds; None doubles and halves (right for sizes and rates).
    for_none: what does without the thing counted, told to who asks for none of it.
    group: the heading that it stands under within a long section; a group's fields follow one another.
    """
    extra: dict[str, JsonValue] = {
        "why": why,
        "start": start,
        "unit": unit,
        "live": live,
        "step": step,
        "for_none": for_none,
        "group": group,
    }
    return Field(default, description=help, json_schema_extra=extra, **bounds)


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, defer_build=True)


class ModelConfig(Section):
    """What the model is. Parts are switches: one GPT, from a table of letter pairs to a modern one."""

    n_layer: int = setting(
        2,
        "Transformer blocks stacked on one another.",
        why="Deeper models compose more steps of thought; each block costs the same again.",
        start="2 to 6 for a character model",
        group="size",
        unit="blocks",
        step=1,
        for_none="for a model without blocks set attention and feed_forward to false",
        ge=1,
        le=1024,
    )
    n_head: int = setting(
        4,
        "Attention heads in each block, each looking back in its own way.",
        why="More heads attend to more things at once, each with n_embd / n_head numbers; must divide n_embd.",
        start="n_embd / 32 or n_embd / 64",
        group="size",
        unit="heads",
        step=1,
        for_none="for a model without attention set attention to false",
        ge=1,
        le=1024,
    )
    n_embd: int = setting(
        128,
        "How many numbers describe each token inside the model.",
        why="Wider learns more and costs with its square; n_head must divide it.",
        start="64 to 384",
        group="size",
        unit="numbers",
        step=32,
        ge=1,
        le=65536,
    )
    block_size: int = setting(
        192,
        "Context: how many tokens back the model can see.",
        why="A longer context lets it keep the thread; attention's cost grows with its square.",
        start="64 to 192 on a CPU, 256 on a GPU",
        group="size",
        unit="tokens",
        ge=1,
        le=1_048_576,
    )
    position: Literal["none", "learned", "rotary"] = setting(
        "rotary",
        "How a token's place is known: a learned vector, turned queries and keys (rotary), or only the mask (none).",
        why="The lecture and GPT-2 learn a vector a place; rotary learns faster, without parameters.",
        start="rotary; learned to follow the lecture",
        group="positions",
    )
    mix_previous: bool = setting(
        True,
        "Mix the previous token's embedding into each token's by a learned vector.",
        why="Gives the first block the bigram for free; saves about a tenth of the steps on characters.",
        start="true",
        group="positions",
    )
    attention: bool = setting(
        True,
        "Whether tokens look at one another: each at those before it, and at itself.",
        why="Without it a token knows nothing of those before it (the last one, with mix_previous).",
        start="true; n_head = 1 for the lecture's single head",
        group="attention",
    )
    qkv_bias: bool = setting(
        False,
        "Biases of the query, key and value projections.",
        why="GPT-2 has them; the lecture does not.",
        start="false",
        group="attention",
    )
    qk_norm: bool = setting(
        True,
        "Normalise queries and keys before they meet.",
        why="Keeps attention from saturating, so a higher learning rate stays stable.",
        start="true",
        group="attention",
    )
    feed_forward: bool = setting(
        True,
        "Whether each token, by itself, works on what it has gathered.",
        why="Attention brings facts together, this part draws conclusions; it holds most of a block's parameters.",
        start="true",
        group="feed-forward",
    )
    ffn_mult: float = setting(
        4.0,
        "Width of the feed-forward part, as a multiple of n_embd.",
        why="At 4, two thirds of a block's parameters are here; 2 makes steps cheaper, for very short runs.",
        start="4; 2 for a run of seconds",
        group="feed-forward",
        unit="× n_embd",
        step=1,
        for_none="for a model without that part set feed_forward to false",
        gt=0,
        le=64,
    )
    activation: Literal["relu", "gelu", "gelu_tanh", "relu2", "swiglu"] = setting(
        "relu2",
        "The bend in the feed-forward part.",
        why="ReLU: the lecture's; GELU: nanoGPT's; its tanh form: GPT-2's. ReLU² learns faster; SwiGLU adds a matrix.",
        start="relu2, or gelu to follow nanoGPT",
        group="feed-forward",
    )
    residual: bool = setting(
        True,
        "Whether each part adds to what it was given (the residual stream), or replaces it.",
        why="The sum carries gradients through any depth unchanged; without it, deep models hardly learn.",
        start="true",
        group="stream",
    )
    output_projection: bool = setting(
        True,
        "Whether attention and feed-forward each end in a Linear layer of n_embd numbers.",
        why="It mixes what the heads found before that joins the stream. The lecture's first models have none.",
        start="true",
        group="stream",
    )
    norm: Literal["none", "layernorm", "rmsnorm"] = setting(
        "rmsnorm",
        "What keeps the size of activations in hand before each part of a block.",
        why="RMSNorm is LayerNorm without the mean: as good, and cheaper. Without any, deep models hardly train.",
        start="rmsnorm; layernorm to follow the lecture",
        group="stream",
    )
    norm_weight: bool = setting(
        False,
        "Whether each norm has a learned gain for each of the n_embd numbers.",
        why="GPT-2 has it; small modern models do as well without.",
        start="true with layernorm",
        group="stream",
    )
    bias: bool = setting(
        False,
        "Biases in Linear layers and LayerNorm (query, key, value and the head have their own switches).",
        why="The lecture and GPT-2 have them; leaving them out is a little faster and no worse.",
        start="false",
        group="stream",
    )
    head: bool = setting(
        True,
        "Whether an output head turns each token's n_embd numbers into one logit a character.",
        why="Without it the embedding table itself is as wide as the vocabulary and gives the logits: the bigram "
        "model, in which nothing else has a place.",
        start="true; false for the lecture's bigram",
        group="head",
    )
    tied_head: bool = setting(
        False,
        "Whether the output head shares its table with the token embedding.",
        why="GPT-2 ties them to save parameters; with a vocabulary of 65 there is little to save.",
        start="false for characters, true for large vocabularies",
        group="head",
    )
    head_bias: bool = setting(
        False,
        "A bias in the output head, one number a character of the vocabulary.",
        why="The lecture has it; nanoGPT does not.",
        start="false",
        group="head",
    )
    init: Literal["torch", "normal", "gpt2"] = setting(
        "torch",
        "Where weights start: PyTorch's defaults, normal (0.02), or GPT-2's (0.02, smaller where blocks add up).",
        why="The lecture's notebook uses PyTorch's defaults (first loss about 4.4), its final script normal.",
        start="torch for a small model, gpt2 for a large one",
        group="start",
    )
    zero_init: bool = setting(
        True,
        "Start the last projection of each part, and the head, at zero.",
        why="Every block begins as doing nothing, and with a head of its own the untrained loss is exactly ln V.",
        start="true; false as in the lecture",
        group="start",
    )
    dropout: float = setting(
        0.0,
        "Share of activations set to zero at random while training.",
        why="Keeps a large model from learning a small text by heart; slows learning otherwise.",
        start="0 for minutes, 0.2 for long runs of large models",
        group="dropout",
        live=True,
        step=0.05,
        ge=0,
        lt=1,
    )
    embd_dropout: bool = setting(
        False,
        "Whether dropout also falls on the embeddings (it always falls on attention weights and both projections).",
        why="nanoGPT does it, the lecture does not.",
        start="false",
        group="dropout",
    )


class DataConfig(Section):
    """What the model reads."""

    dataset: Line = setting(
        "auto",
        "auto, shakespeare, masque, python-docs, or the path of a text file or a folder of texts.",
        why="auto takes Tiny Shakespeare where it is at hand or quickly had, otherwise masque, the program's own play.",
        start="auto",
        min_length=1,
    )
    tokenizer: Literal["char", "byte"] = setting(
        "char",
        "What one token is: a character of the text, or a byte of its UTF-8.",
        why="Characters make small vocabularies readable; bytes take any text with 256 tokens.",
        start="char",
    )


class OptimizerConfig(Section):
    """How the weights move: AdamW, or Muon beside it, with warmup, decay and clipping."""

    optimizer: Literal["adamw", "muon"] = setting(
        "muon",
        "What moves the weights; muon takes the matrices of the blocks, and leaves the rest to AdamW.",
        why="Muon makes all directions of a step equally strong, and needs fewer steps, each a little dearer.",
        start="muon; adamw to follow the lecture",
    )
    learning_rate: float = setting(
        0.012,
        "Size of a step along the gradient, at its highest.",
        why="Too low learns slowly, too high diverges. With Muon it moves embeddings and head, and muon_lr the blocks.",
        start="1e-3; 3e-4 for larger models; 1e-2 with Muon",
        live=True,
        gt=0,
        le=100,
    )
    min_lr: float = setting(
        0.0,
        "Learning rate at the end of the decay.",
        why="A small rate at the end lets the loss settle.",
        start="learning_rate / 10",
        live=True,
        ge=0,
        le=100,
    )
    warmup_iters: int = setting(
        10,
        "Steps over which the learning rate rises from zero.",
        why="Adam's averages are unreliable at first; a short warmup keeps its first steps small.",
        start="100, or a twentieth of a short run",
        unit="steps",
        live=True,
        ge=0,
        le=10**9,
    )
    lr_schedule: Literal["constant", "cosine", "linear"] = setting(
        "linear",
        "How the learning rate falls from learning_rate to min_lr after the warmup.",
        why="The lecture keeps it constant, nanoGPT uses cosine; linear to zero is best for short runs.",
        start="cosine",
        live=True,
    )
    lr_decay_iters: Annotated[int, Field(ge=1, le=10**9)] | Auto = setting(
        "auto",
        "Step at which the learning rate has fallen to min_lr; auto follows max_iters.",
        why="Leave it unless a run is to be continued at the lowest rate.",
        start="auto",
        unit="steps",
        live=True,
    )
    weight_decay: float = setting(
        0.1,
        "How strongly matrices are pulled towards zero (norms and biases are not).",
        why="Keeps weights small; it tells where a text is read more than once, and hardly before.",
        start="0.1",
        live=True,
        ge=0,
        le=100,
    )
    beta1: float = setting(
        0.9,
        "Adam: how long it remembers the gradient.",
        why="At 0.9 a step follows about the last ten gradients. Every recipe here keeps it.",
        start="0.9",
        live=True,
        step=0.01,
        ge=0,
        lt=1,
    )
    beta2: float = setting(
        0.95,
        "Adam: how long it remembers the gradient's size.",
        why="Small batches want a longer memory, 0.99 rather than GPT-2's 0.95; with Muon 0.95 does.",
        start="0.99; 0.95 with Muon",
        live=True,
        step=0.01,
        ge=0,
        lt=1,
    )
    muon_lr: float = setting(
        0.03,
        "Muon: size of a step, at its highest; it rises and falls as learning_rate does.",
        why="A step of Muon has this length in every direction, so the same value does for models of many sizes.",
        start="0.02 to 0.03",
        live=True,
        gt=0,
        le=100,
    )
    muon_momentum: float = setting(
        0.9,
        "Muon: how long it remembers the gradient.",
        why="At 0.9 a step follows about the last ten gradients; longer runs take 0.95.",
        start="0.9",
        live=True,
        step=0.01,
        ge=0,
        lt=1,
    )
    muon_ns_steps: int = setting(
        3,
        "Muon: Newton–Schulz steps, which make the directions of a step equally strong.",
        why="More come nearer to that, and cost time: 3 do for short runs, 5 are usual.",
        start="3",
        live=True,
        step=1,
        ge=1,
        le=20,
    )
    grad_clip: Annotated[float, Field(gt=0, le=1e6)] | Off = setting(
        1.0,
        "Longest gradient that is taken as it is; a longer one is shortened to this. off takes all.",
        why="One bad batch cannot throw the model off.",
        start="1.0",
        live=True,
    )


class TrainingConfig(Section):
    """How long, how much at once, how often one looks, and on what machine."""

    batch_size: int = setting(
        12,
        "Pieces of text read at once.",
        why="Larger batches give a steadier gradient and cost in proportion.",
        start="12 on a CPU, 64 on a GPU",
        unit="windows",
        live=True,
        ge=1,
        le=1_048_576,
    )
    gradient_accumulation_steps: int = setting(
        1,
        "Batches whose gradients are added before each step.",
        why="Acts as a larger batch where memory is short.",
        start="1",
        unit="batches",
        live=True,
        step=1,
        ge=1,
        le=100_000,
    )
    max_iters: int = setting(
        1100,
        "Steps to train.",
        why="More steps learn more, until the validation loss turns up.",
        start="2000",
        unit="steps",
        live=True,
        ge=1,
        le=10**9,
    )
    eval_interval: int = setting(
        100,
        "Steps between evaluations; each also writes a sample.",
        why="More often shows more and costs more time. It never changes what is learned.",
        start="a tenth of max_iters",
        unit="steps",
        live=True,
        ge=1,
        le=10**9,
    )
    eval_iters: int = setting(
        20,
        "Batches an evaluation averages over; 0 evaluates on the whole validation split, up to a million tokens.",
        why="More batches give a steadier figure; the same batches are used each time.",
        start="20, or 200 for figures to quote",
        unit="batches",
        live=True,
        ge=0,
        le=1_000_000,
    )
    eval_batch_size: Annotated[int, Field(ge=1, le=10**6)] | Off = setting(
        "off",
        "Windows that an evaluation reads at once, at most; off leaves it to the evaluation.",
        why="Fewer take less memory, and give the same losses but for their last digits. Halved by itself where short.",
        start="off",
        unit="windows",
        live=True,
    )
    checkpoint_interval: Annotated[int, Field(ge=1, le=10**9)] | Off = setting(
        500,
        "Steps between checkpoints; the best and the last are kept in any case.",
        why="Any kept checkpoint can be resumed, forked and made to speak.",
        start="500",
        unit="steps",
        live=True,
    )
    keep_checkpoints: Annotated[int, Field(ge=1, le=1_000_000)] | Off = setting(
        "off",
        "Of the checkpoints saved at an interval, how many of the newest are kept; off keeps all.",
        why="A large model fills the disk. The untrained, the best, the last, the pinned and your own are kept anyway.",
        start="off, or 3 for a large model",
        unit="checkpoints",
        live=True,
        step=1,
    )
    seed: int = setting(
        1337,
        "Where every random stream of the run starts.",
        why="Another seed shows how much of a result is luck.",
        start="1337, the lecture's",
        step=1,
        ge=0,
        le=2**63 - 1,
    )
    device: Literal["auto", "cpu", "cuda", "mps"] = setting(
        "auto",
        "Where to compute; auto takes the best there is.",
        why="A very small model may be faster on the CPU than on a GPU, which waits for each of its small tasks.",
        start="auto",
        live=True,
    )
    dtype: Literal["auto", "float32", "bfloat16"] = setting(
        "auto",
        "Number format of matrix products; auto takes bfloat16 where the hardware is native to it and gains by it.",
        why="bfloat16 is several times as fast on hardware made for it; weights stay float32.",
        start="auto",
        live=True,
    )
    threads: Annotated[int, Field(ge=1, le=4096)] | Auto = setting(
        "auto",
        "CPU threads to compute with; auto uses the physical cores.",
        why="Where other programs compute, 1 is often fastest. Another number changes the last bits of the losses.",
        start="auto",
        live=True,
    )
    compile: Literal["off", "auto", "on"] = setting(
        "off",
        "torch.compile for the steps: on from the first one; auto later, where that saves more time than it takes.",
        why="Worth it for hours on a GPU; on a CPU it gains next to nothing. Compiling takes half a minute and more.",
        start="off; auto for a long run on a GPU",
        live=True,
    )
    deterministic: bool = setting(
        False,
        "On CUDA: the same seed gives the same losses to the last bit. A CPU always does.",
        why="Lets two runs be compared digit by digit; costs speed.",
        start="false",
        live=True,
    )


class SamplingConfig(Section):
    """How the model speaks at each evaluation, and by default afterwards."""

    prompt: Line = setting(
        "",
        "Text the sample goes on from; empty starts at a new line.",
        why='Try a name of the play and a colon, such as "ROMEO:".',
        start="empty",
        live=True,
    )
    max_new_tokens: int = setting(
        300,
        "Length of a sample.",
        why="A longer one shows more of what was learned, and takes longer at each evaluation.",
        start="300",
        unit="tokens",
        live=True,
        step=100,
        ge=1,
        le=10_000_000,
    )
    temperature: float = setting(
        0.8,
        "1 draws as the model believes, less plays safe, 0 always takes the likeliest.",
        why="Lower repeats itself, higher invents words; it changes the samples alone.",
        start="0.8 to 1",
        live=True,
        step=0.1,
        ge=0,
        le=100,
    )
    top_k: Annotated[int, Field(ge=1, le=1_000_000)] | Off = setting(
        "off",
        "Draw only from the k likeliest tokens.",
        why="Cuts off the many unlikely tokens, one of which now and then spoils a word.",
        start="off, or 10 to 50",
        unit="tokens",
        live=True,
    )
    top_p: Annotated[float, Field(gt=0, le=1)] | Off = setting(
        "off",
        "Draw only from the likeliest tokens that together hold this probability (nucleus sampling).",
        why="Leaves many to choose from where the model is unsure, and few where it is sure.",
        start="off, or 0.9 to 0.95",
        live=True,
        step=0.05,
    )
    min_p: Annotated[float, Field(gt=0, le=1)] | Off = setting(
        "off",
        "Draw only from tokens at least this likely, relative to the likeliest.",
        why="As top_p does, and stays sensible at a high temperature.",
        start="off, or 0.05 to 0.1",
        live=True,
        step=0.05,
    )
    sample_seed: int = setting(
        1337,
        "Where the sampler's own random stream starts; training does not notice it.",
        why="The same seed at each evaluation shows what training changed; another one shows other words.",
        start="1337",
        live=True,
        step=1,
        ge=0,
        le=2**63 - 1,
    )
    window_rule: Literal["half", "full"] = setting(
        "half",
        "What is seen of a text longer than block_size: half drops the older half when full; full slides, and is slow.",
        why="full is what nanoGPT does, exact to it; the samples of a run keep one rule, so that they can be compared.",
        start="half",
    )
