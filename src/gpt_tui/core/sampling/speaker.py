"""A model ready to speak, taken from a run's checkpoint."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from gpt_tui.core.config import RunConfig, SamplingConfig
from gpt_tui.core.data import Tokenizer
from gpt_tui.core.device import resolve_device
from gpt_tui.core.errors import GptTuiError, visible
from gpt_tui.core.memory import release, shortage
from gpt_tui.core.model import GPT
from gpt_tui.core.runs import Run, count_weights, newest_whole_checkpoint
from gpt_tui.core.sampling.decoding import Decoder
from gpt_tui.core.sampling.filters import log_probabilities
from gpt_tui.core.sampling.frozen import freeze
from gpt_tui.core.sampling.generate import Token, default_prompt, draws_together, make_sampler
from gpt_tui.core.shapes import depth, parameters

MOST_AT_ONCE = 16
MOST_KEPT = 2**28  # bytes of keys and values
FAULTS_TOLD = 5


class _Undrawn(TorchFunctionMode):
    """In this thread no first weights are drawn: they are about to be overwritten, and PyTorch's default generator
    belongs to the dropout of a model that may be learning in another thread."""

    def __torch_function__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if function.__name__ in ("normal_", "uniform_", "kaiming_uniform_"):
            return args[0] if args else (kwargs or {})["tensor"]
        return function(*args, **(kwargs or {}))


class Misfit(GptTuiError):
    """Weights are those of another configuration."""


class Speaker:
    """A model as it was when the speaker was made, with its tokenizer; knows no files from then on."""

    def __init__(self, model: GPT, tokenizer: Tokenizer, config: RunConfig, step: int = 0, dtype: str = "float32"):
        """dtype: the number format of matrix products (float32, bfloat16, or auto for what this machine is fast in)."""
        self.model = freeze(model, dtype)
        self.tokenizer = tokenizer
        self.config = config
        self.step = step
        self.notices: tuple[str, ...] = ()

    @classmethod
    def from_run(cls, run: Run, step: int | None = None, device: str = "auto", dtype: str = "float32") -> Speaker:
        """The model of a run's newest whole checkpoint, or of its checkpoint at `step`.

        Raises GptTuiError, of which OutOfMemory is one.
        """
        config, record = run.digest().config or run.config(), run.record()
        tokenizer = Tokenizer.from_json(record.tokenizer)
        info, saved, notices = newest_whole_checkpoint(run, step, to_train=False)
        try:
            speaker = cls.of_weights(saved.model, tokenizer, config, info.step, device, dtype)
        except Misfit as error:
            why = visible(str(error), keep="\n\t")
            raise Misfit(f"{info.path}: the weights do not fit the run's configuration: {why}") from None
        speaker.notices = tuple(notices)
        return speaker

    @classmethod
    def of_weights(
        cls,
        weights: Mapping[str, Tensor],
        tokenizer: Tokenizer,
        config: RunConfig,
        step: int,
        device: str = "auto",
        dtype: str = "float32",
    ) -> Speaker:
        """A model with these weights. Raises Misfit where they are those of another configuration, and OutOfMemory."""
        held = count_weights(weights)
        needed = parameters(config.model, tokenizer.vocab_size)
        if held < needed:  # before there is a model of any size that a stranger's file may ask for
            raise Misfit(f"they are {held:,} numbers, and the model has {needed:,}")
        device = resolve_device(device)
        try:
            return cls(_model_of(weights, tokenizer, config, device), tokenizer, config, step, dtype)
        except (MemoryError, RuntimeError) as error:
            told = shortage(error, f"the model of step {step:,} does not fit into memory", device)
            if told is None:
                raise
        release(device)  # only here is what the error's frames held free again
        raise told

    def generate(
        self, prompt: str = "", sampling: SamplingConfig | None = None, seed: int | None = None
    ) -> Iterator[Token]:
        """Yields the tokens that go on from `prompt`; an empty one starts from a newline.

        sampling: the run's own where it is None; seed: that of `sampling` where it is None. Raises UnknownCharacter,
        naming it and its position, for a prompt that the model cannot read.
        """
        sampling = sampling or self.config.sampling
        seed = sampling.sample_seed if seed is None else seed
        return (token for (token,) in self.generate_together([seed], prompt, sampling))

    def generate_together(
        self, seeds: Sequence[int], prompt: str = "", sampling: SamplingConfig | None = None
    ) -> Iterator[list[Token]]:
        """As `generate`, for a text a seed: yields their next tokens, one of each. All are computed at once, which
        takes far less time than one after the other."""
        sampling = sampling or self.config.sampling
        ids = self.tokenizer.encode(prompt or default_prompt(self.tokenizer), field="prompt").tolist()
        return self._stream(ids, sampling, seeds)

    def use_threads(self, wanted: int | str = "auto", beside: bool = False) -> None:
        """Let the thread that calls this compute with so many threads; "auto" for those that are best for the model.
        PyTorch counts them for each thread of the program apart. beside: something else is computed meanwhile."""
        threads = self.model.threads(beside) if wanted == "auto" else int(wanted)
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)

    def texts_at_once(self) -> int:
        """How many texts may be generated together before what is kept of them takes much memory."""
        return max(1, min(MOST_AT_ONCE, MOST_KEPT // max(1, self.bytes_a_text())))

    def bytes_a_text(self) -> int:
        """What is kept of a text while it is written: the keys and values of a window."""
        shape = self.config.model
        return 2 * 4 * depth(shape) * shape.block_size * shape.n_embd * shape.attention

    def speak(self, prompt: str = "", sampling: SamplingConfig | None = None, seed: int | None = None) -> str:
        """What `generate` yields, as one text."""
        return "".join(token.text for token in self.generate(prompt, sampling, seed))

    def _stream(self, ids: list[int], sampling: SamplingConfig, seeds: Sequence[int]) -> Iterator[list[Token]]:
        decoders = [Decoder(self.tokenizer) for _ in seeds]
        drawn = draws_together(self.model, [ids] * len(seeds), sampling, [make_sampler(seed) for seed in seeds])
        for number, together in enumerate(islice(drawn, sampling.max_new_tokens), 1):
            ends = number == sampling.max_new_tokens
            yield [
                Token(
                    draw.token,
                    decoder.decode(draw.token, ends),
                    float(log_probabilities(draw.logits[-1])[draw.token]),
                )
                for draw, decoder in zip(together, decoders, strict=True)
            ]


def _model_of(weights: Mapping[str, Tensor], tokenizer: Tokenizer, config: RunConfig, device: str) -> GPT:
    """Raises Misfit where names or shapes are others; anything else, such as a lack of memory, as it comes."""
    with _Undrawn():
        model = GPT(config.model, tokenizer.vocab_size)
    own = model.state_dict()
    faults = [f"the model has no {name}" for name in weights if name not in own]
    faults += [f"there is no {name}" for name in own if name not in weights]
    faults += [
        f"{name} is {tuple(weights[name].shape)}, and in the model {tuple(tensor.shape)}"
        for name, tensor in own.items()
        if name in weights and weights[name].shape != tensor.shape
    ]
    if faults:
        raise Misfit("; ".join(faults[:FAULTS_TOLD]) + ("; and more" if len(faults) > FAULTS_TOLD else ""))
    model.load_state_dict(weights)
    return model.to(torch.device(device))
