"""The tensor walk: every step from token ids to the loss, with its shape and what it costs. Nothing is allocated.

All that is known of a configuration's size by arithmetic comes from this one walk: its parameters, the multiply-adds
of its matrix products, and the numbers that have to be remembered until the backward pass. Letters of the shapes:

    B  batch_size      T  block_size      C  n_embd       V  vocabulary       L  n_layer
    H  n_head          D  C / H           F  width of the feed-forward part (ffn_mult × C)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from math import prod

from gpt_tui.core.config import ModelConfig, RunConfig

FLOAT, INDEX = 4, 8  # bytes of a float32 and of a token id
MASK_BYTES = 8  # a mask of what is dropped is a byte each, drawn so many at a time
ROWS_AT_ONCE = 64  # queries that attention takes at once on a CPU
LONG = 1024  # tokens from which on it keeps no weights, unless some of them are to be dropped

WEIGHTS = "attention weights"  # the step whose result may be kept nowhere
ACTIVATION_NAMES = {
    "relu": "ReLU",
    "relu2": "ReLU²",
    "gelu": "GELU",
    "gelu_tanh": "GELU (tanh)",
    "swiglu": "SwiGLU",
}

LETTERS = {
    "B": "sequences in a batch: batch_size",
    "T": "tokens in each: block_size",
    "C": "numbers a token: n_embd",
    "H": "attention heads: n_head",
    "D": "numbers a head: C / H",
    "F": "width of the feed-forward part: ffn_mult × C",
    "V": "characters of the vocabulary",
    "L": "blocks: n_layer",
}


@dataclass(frozen=True)
class Step:
    """One step of the walk, for one batch.

    part:          "embedding", "block", "head" or "loss"
    formula:       what is done, in one line
    symbols:       the shape of the result in letters, as ("B", "T", "3C")
    shape:         the same in numbers
    parameters:    that the step itself has (a tied table is the embedding's)
    multiply_adds: of its matrix products, forward
    memory:        bytes of what it leaves for the backward pass, in float32 on a CPU
    times:         how often the step is taken: n_layer within a block
    """

    part: str
    name: str
    formula: str
    symbols: tuple[str, ...]
    shape: tuple[int, ...]
    parameters: int = 0
    multiply_adds: int = 0
    memory: int = 0
    times: int = 1


@dataclass(frozen=True)
class Walk:
    """The steps in order; those of a block stand once, with `times`. The sums are over all of them."""

    steps: tuple[Step, ...]
    letters: dict[str, int]  # what each letter of the shapes stands for here

    @property
    def parameters(self) -> int:
        return sum(step.times * step.parameters for step in self.steps)

    @property
    def multiply_adds(self) -> int:
        return sum(step.times * step.multiply_adds for step in self.steps)

    @property
    def memory(self) -> int:
        return sum(step.times * step.memory for step in self.steps)

    @property
    def weights_in_tiles(self) -> bool:
        """Whether attention's T × T weights are computed in tiles, so that none of them are kept."""
        return any(step.name == WEIGHTS and not step.memory for step in self.steps)


@lru_cache(maxsize=64)  # a screen asks for the same sums many times a second
def walk(model: ModelConfig, vocab_size: int, batch_size: int = 1) -> Walk:
    """The walk of a batch of `batch_size` windows of block_size tokens."""
    walker = _Walker(model, vocab_size, batch_size)
    return Walk(tuple(walker.steps()), walker.letters)


def keeps_weights(block_size: int, dropout: float) -> bool:
    """Whether attention's T × T weights are kept for the backward pass on a CPU, or computed once more there."""
    return bool(dropout) or block_size < LONG


def _cells(T: int) -> int:
    """Weights that a head keeps of T tokens: each block of rows those up to its end."""
    ends = [min(first + ROWS_AT_ONCE, T) for first in range(0, T, ROWS_AT_ONCE)]
    return sum(end * (end - first) for first, end in zip(range(0, T, ROWS_AT_ONCE), ends, strict=True))


def feed_forward_width(model: ModelConfig) -> int:
    return max(1, round(model.ffn_mult * model.n_embd))


def depth(model: ModelConfig) -> int:
    """Blocks that there are: none where they would be empty."""
    return model.n_layer if model.attention or model.feed_forward else 0


def block_matrices(model: ModelConfig) -> list[tuple[int, int]]:
    """(rows, columns) of every matrix of every block."""
    C, F = model.n_embd, feed_forward_width(model)
    found = []
    if model.attention:
        found += [(3 * C, C), *([(C, C)] if model.output_projection else [])]
    if model.feed_forward:
        gates = 2 if model.activation == "swiglu" else 1
        found += [(gates * F, C), *([(C, F)] if model.output_projection else [])]
    return found * depth(model)


def width(model: ModelConfig, vocab_size: int) -> int:
    """Numbers a token: the bigram's table is as wide as the vocabulary."""
    return model.n_embd if model.head else vocab_size


class _Walker:
    def __init__(self, model: ModelConfig, vocab_size: int, batch_size: int) -> None:
        self.model = model
        letters = {
            "B": batch_size,
            "T": model.block_size,
            "C": width(model, vocab_size),
            "V": vocab_size,
            "L": depth(model),
        }
        if model.attention:
            letters |= {"H": model.n_head, "D": model.n_embd // model.n_head}
        if model.feed_forward:
            letters |= {"F": feed_forward_width(model)}
        self.letters = letters
        self.tokens = batch_size * model.block_size
        self.part, self.times = "", 1

    def step(self, name: str, formula: str, symbols: str, **costs: int) -> Step:
        """symbols: "B T 3C"."""
        letters = tuple(symbols.split())
        shape = tuple(self._number(letter) for letter in letters)
        return Step(self.part, name, formula, letters, shape, times=self.times, **costs)

    def _number(self, symbol: str) -> int:
        """3 of "3", 3 times C of "3C"."""
        factor = symbol.rstrip("BTCHDFVL")
        letter = symbol.removeprefix(factor)
        return int(factor or 1) * (self.letters[letter] if letter else 1)

    def bytes(self, symbols: str) -> int:
        """Of a float32 tensor of this shape."""
        return FLOAT * prod(self._number(letter) for letter in symbols.split())

    def steps(self) -> Iterator[Step]:
        self.part = "embedding"
        yield from self.embedding()
        if self.letters["L"]:
            self.part, self.times = "block", self.letters["L"]
            yield from self.attention() if self.model.attention else ()
            yield from self.feed_forward() if self.model.feed_forward else ()
        self.part, self.times = "head", 1
        yield from self.head()
        self.part = "loss"
        yield self.step(
            "loss", "mean of −ln p(target)", "", memory=self.bytes("B T V") + self.tokens * INDEX + FLOAT
        )  # what is remembered are ln p of every character, and the targets

    def embedding(self) -> Iterator[Step]:
        model, C = self.model, self.letters["C"]
        stream = self._stream if model.head else 0  # the first block, or the head, remembers what it was given
        yield self.step("token ids", "idx", "B T", memory=self.tokens * INDEX)
        later: list[Step] = []
        if model.mix_previous:
            later.append(
                self.step("previous token", "x + m · E[idx before]", "B T C", parameters=C, memory=self.bytes("B T C"))
            )
        if model.position == "learned":
            later.append(self.step("positions", "x + P[0 … T−1]", "B T C", parameters=self.letters["T"] * C))
        if model.embd_dropout and model.dropout:
            later.append(self.step("dropout", "some of x set to 0", "B T C", memory=self._mask))
        name, formula = ("token embedding", "x = E[idx]") if model.head else ("table", "logits = E[idx]")
        letter = "C" if model.head else "V"
        first = self.step(name, formula, f"B T {letter}", parameters=self.letters["V"] * C)
        *before, last = [first, *later]
        yield from before
        yield replace(last, memory=last.memory + stream)

    @property
    def _stream(self) -> int:
        """Bytes of the stream that what it is given to remembers: RMSNorm needs only what it makes of it."""
        return 0 if self.model.norm == "rmsnorm" else self.bytes("B T C")

    @property
    def _mask(self) -> int:
        return -(-self.tokens * self.letters["C"] // MASK_BYTES) * MASK_BYTES

    @property
    def _input(self) -> str:
        """What a part is given: the stream, or its norm."""
        return "x" if self.model.norm == "none" else "u"

    def _ends(self, name: str, last: bool = True) -> str:
        """What a part's result is called: without a residual stream its last one is the new x."""
        return "x" if last and not self.model.residual else "y" if last else name

    def norm(self, name: str) -> Iterator[Step]:
        model, C = self.model, self.letters["C"]
        if model.norm == "none":
            return
        layer = model.norm == "layernorm"
        gains = (2 if layer and model.bias else 1) * C if model.norm_weight else 0
        memory = self.bytes("B T C") + (2 if layer else 1) * self.bytes("B T")
        if model.norm_weight and not layer:
            memory += self.bytes("B T C")  # the gain's gradient needs what was multiplied by it
        yield self.step(name, f"u = {'LayerNorm' if layer else 'RMSNorm'}(x)", "B T C", parameters=gains, memory=memory)

    def attention(self) -> Iterator[Step]:
        model, N = self.model, self.tokens
        T, C = self.letters["T"], self.letters["C"]
        heads, rotary, norm = self.bytes("B H T D"), model.position == "rotary", model.qk_norm
        kept = keeps_weights(T, model.dropout)
        yield from self.norm("norm")
        yield self.step(
            "queries, keys, values",
            f"q, k, v = Wqkv {self._input}" + (" + b" if model.qkv_bias else ""),
            "3 B H T D",
            parameters=3 * C * C + (3 * C if model.qkv_bias else 0),
            multiply_adds=3 * N * C * C,
            memory=heads if kept else 3 * heads,  # the values alone, or all that they lie between
        )
        if norm:
            memory = 2 * self.bytes("B H T") + 2 * heads
            yield self.step("query and key norm", "RMSNorm(q), RMSNorm(k)", "2 B H T D", memory=memory)
        if rotary:
            memory = 2 * heads  # the keys, and the queries beside them
            yield self.step("rotary positions", "q and k turned by t · θ", "2 B H T D", memory=memory)
        # A short context's weights are kept, up to the last column that a block of rows sees; and once more as those
        # of them that were not dropped. Those of a long one are computed once more backward.
        scores, weights = self.bytes("B H T"), 0
        if kept:
            scores = heads if rotary else 2 * heads  # the queries, scaled, and the keys where they are not kept above
            weights = (2 if model.dropout else 1) * self.bytes("B H") * _cells(T)
        yield self.step("scores", "q kᵀ / √D, later tokens masked", "B H T T", multiply_adds=N * T * C, memory=scores)
        yield self.step(WEIGHTS, "softmax(scores)", "B H T T", memory=weights)
        copied = not kept and (rotary or norm) and self._is_remembered
        yield self.step(
            "attended values",
            f"{self._ends('a', not model.output_projection)} = weights v, heads side by side",
            "B T C",
            multiply_adds=N * T * C,
            memory=(1 + copied) * heads,
        )
        yield from self.end_of_part("C", "output projection")

    def feed_forward(self) -> Iterator[Step]:
        model, N = self.model, self.tokens
        C, F = self.letters["C"], self.letters["F"]
        gated = model.activation == "swiglu"
        expanded = 2 * F if gated else F
        yield from self.norm("norm")
        yield self.step(
            "feed-forward",
            f"h = W1 {self._input}" + (" + b" if model.bias else ""),
            "B T 2F" if gated else "B T F",
            parameters=C * expanded + (expanded if model.bias else 0),
            multiply_adds=N * C * expanded,
            memory=0 if model.activation in ("relu", "relu2") else self.bytes("B T F") * (2 if gated else 1),
        )
        formulas = {
            "relu": "max(h, 0)",
            "relu2": "max(h, 0)²",
            "gelu": "h Φ(h)",
            "gelu_tanh": "h Φ(h), nearly",
            "swiglu": "SiLU(gate) · h",
        }
        kept = self._is_remembered + (model.activation in ("relu2", "swiglu"))
        if model.activation == "relu":
            kept = 1
        yield self.step(
            ACTIVATION_NAMES[model.activation],
            f"{self._ends('h', not model.output_projection)} = {formulas[model.activation]}",
            "B T F",
            memory=kept * self.bytes("B T F"),
        )
        yield from self.end_of_part("F", "projection")

    @property
    def _is_remembered(self) -> bool:
        """Whether what a part found is kept: by its projection, or by what comes next in the stream's place."""
        return self.model.output_projection or (not self.model.residual and bool(self._stream))

    def end_of_part(self, inner: str, name: str) -> Iterator[Step]:
        """From the `inner` numbers of a part back to C, and into the stream; what is next remembers the result."""
        model, N = self.model, self.tokens
        C, wide = self.letters["C"], self.letters[inner]
        if model.output_projection:
            yield self.step(
                name,
                f"{self._ends('y')} = {'Wo a' if inner == 'C' else 'W2 h'}" + (" + b" if model.bias else ""),
                "B T C",
                parameters=wide * C + (C if model.bias else 0),
                multiply_adds=N * wide * C,
                memory=0 if model.residual else self._stream,
            )
        if model.dropout:
            yield self.step("dropout", "some of it set to 0", "B T C", memory=self._mask)
        if model.residual:
            yield self.step("residual stream", "x = x + y", "B T C", memory=self._stream)

    def head(self) -> Iterator[Step]:
        model, N = self.model, self.tokens
        C, V = self.letters["C"], self.letters["V"]
        if not model.head:
            return
        yield from self.norm("final norm")
        yield self.step(
            "head",
            f"logits = {'E' if model.tied_head else 'W'} {self._input}" + (" + b" if model.head_bias else ""),
            "B T V",
            parameters=(0 if model.tied_head else C * V) + (V if model.head_bias else 0),
            multiply_adds=N * C * V,
        )


# Sums ------------------------------------------------------------------------------------------------------------


def parameters(model: ModelConfig, vocab_size: int) -> int:
    """Parameters of the model, a tied table counted once."""
    return walk(model, vocab_size).parameters


def flops_per_token(model: ModelConfig, vocab_size: int) -> float:
    """Floating-point operations to learn from one token: two a multiply-add, forward, and backward at twice that.

    Attention is counted in full, as it is usual (PaLM, appendix B), although the causal mask halves it. A table that
    is only looked up costs none.
    """
    return 6.0 * walk(model, vocab_size).multiply_adds / model.block_size


def step_flops(config: RunConfig, vocab_size: int) -> float:
    """Floating-point operations of one optimizer step."""
    return flops_per_token(config.model, vocab_size) * config.tokens_per_step


def training_memory(config: RunConfig, vocab_size: int) -> int:
    """Bytes while training, estimated: weights, gradients, the optimizer's averages, and what backward remembers."""
    batch = walk(config.model, vocab_size, config.training.batch_size)
    logits = FLOAT * batch.letters["B"] * batch.letters["T"] * vocab_size
    by_muon = sum(map(prod, block_matrices(config.model))) if config.optimizer.optimizer == "muon" else 0
    averages = 2 * batch.parameters - by_muon  # AdamW has two, Muon one
    return FLOAT * (2 * batch.parameters + averages) + batch.memory + 2 * logits
