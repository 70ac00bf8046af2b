"""A model ready to speak, taken from a run's checkpoint."""

from __future__ import annotations

import codecs
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
from gpt_tui.core.model import GPT
from gpt_tui.core.runs import Run, count_weights, newest_whole_checkpoint
from gpt_tui.core.sampling.filters import log_probabilities
from gpt_tui.core.sampling.frozen import freeze
from gpt_tui.core.sampling.generate import Token, default_prompt, draws_together, make_sampler
from gpt_tui.core.shapes import depth, parameters

MOST_AT_ONCE = 16
MOST_KEPT = 2**28  # bytes of keys and values


class _Undrawn(TorchFunctionMode):
    """In this thread no first weights are drawn: they are about to be overwritten, and PyTorch's default generator
    belongs to the dropout of a model that may be learning in another thread."""

    def __torch_function__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if function.__name__ in ("normal_", "uniform_", "kaiming_uniform_"):
            return args[0] if args else (kwargs or {})["tensor"]
        return function(*args, **(kwargs or {}))


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
        """The model of a run's newest whole checkpoint, or of its checkpoint at `step`. Raises GptTuiError."""
        config, record = run.digest().config or run.config(), run.record()
        tokenizer = Tokenizer.from_json(record.tokenizer)
        info, saved, notices = newest_whole_checkpoint(run, step, to_train=False)
        try:
            speaker = cls.of_weights(saved.model, tokenizer, config, info.step, device, dtype)
        except RuntimeError as error:
            why = visible(str(error), keep="\n\t")
            raise GptTuiError(f"{info.path}: the weights do not fit the run's configuration: {why}") from None
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
        """A model with these weights. Raises RuntimeError where they are those of another configuration."""
        held = count_weights(weights)
        needed = parameters(config.model, tokenizer.vocab_size)
        if held < needed:  # before there is a model of any size that a stranger's file may ask for
            raise RuntimeError(f"they are {held:,} numbers, and the model has {needed:,}")
        with _Undrawn():
            model = GPT(config.model, tokenizer.vocab_size)
        model.load_state_dict(weights)
        return cls(model.to(torch.device(resolve_device(device))), tokenizer, config, step, dtype)

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

    def use_threads(self, wanted: int | str) -> None:
        """Let the thread that calls this compute with so many threads; "auto" for those that are best for the model
        where nothing else is computed. PyTorch counts them for each thread of the program apart."""
        torch.set_num_threads(self.model.threads() if wanted == "auto" else int(wanted))

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
        # A character of several bytes is whole only with its last one: that token gets the text, the others none.
        decoders = [codecs.getincrementaldecoder("utf-8")("replace") for _ in seeds]
        drawn = draws_together(self.model, [ids] * len(seeds), sampling, [make_sampler(seed) for seed in seeds])
        for together in islice(drawn, sampling.max_new_tokens):
            tokens = []
            for draw, decoder in zip(together, decoders, strict=True):
                if self.tokenizer.kind == "byte":
                    text = decoder.decode(bytes([draw.token]))
                else:
                    text = self.tokenizer.decode([draw.token])
                tokens.append(Token(draw.token, text, float(log_probabilities(draw.logits[-1])[draw.token])))
            yield tokens
