"""A model ready to speak, taken from a run's checkpoint."""

from __future__ import annotations

import codecs
from collections.abc import Iterator

import torch

from gpt_tui.core.config import RunConfig, SamplingConfig
from gpt_tui.core.data import Tokenizer
from gpt_tui.core.device import resolve_device
from gpt_tui.core.errors import GptTuiError
from gpt_tui.core.model import GPT
from gpt_tui.core.runs import Run, newest_whole_checkpoint
from gpt_tui.core.sampling.generate import Token, default_prompt, generate, make_sampler


class Speaker:
    """A model with its tokenizer; knows no files once it is made."""

    def __init__(self, model: GPT, tokenizer: Tokenizer, config: RunConfig, step: int = 0):
        self.model = model
        self.tokenizer = tokenizer
        self.config = config
        self.step = step
        self.notices: tuple[str, ...] = ()

    @classmethod
    def from_run(cls, run: Run, step: int | None = None, device: str = "auto") -> Speaker:
        """The model of a run's newest whole checkpoint, or of its checkpoint at `step`. Raises GptTuiError."""
        config, record = run.digest().config or run.config(), run.record()
        tokenizer = Tokenizer.from_json(record.tokenizer)
        info, saved, notices = newest_whole_checkpoint(run, step)
        model = GPT(config.model, tokenizer.vocab_size)
        try:
            model.load_state_dict(saved.model)
        except RuntimeError as error:
            raise GptTuiError(f"{info.path}: the weights do not fit the run's configuration: {error}") from None
        speaker = cls(model.to(torch.device(resolve_device(device))).eval(), tokenizer, config, info.step)
        speaker.notices = tuple(notices)
        return speaker

    def generate(
        self, prompt: str = "", sampling: SamplingConfig | None = None, seed: int | None = None
    ) -> Iterator[Token]:
        """Yields the tokens that go on from `prompt`; an empty one starts from a newline.

        sampling: the run's own where it is None; seed: that of `sampling` where it is None. Raises UnknownCharacter,
        naming it and its position, for a prompt that the model cannot read.
        """
        sampling = sampling or self.config.sampling
        ids = self.tokenizer.encode(prompt or default_prompt(self.tokenizer), field="prompt").tolist()
        return self._stream(ids, sampling, sampling.sample_seed if seed is None else seed)

    def speak(self, prompt: str = "", sampling: SamplingConfig | None = None, seed: int | None = None) -> str:
        """What `generate` yields, as one text."""
        return "".join(token.text for token in self.generate(prompt, sampling, seed))

    def _stream(self, ids: list[int], sampling: SamplingConfig, seed: int) -> Iterator[Token]:
        # A character of several bytes is whole only with its last one: that token gets the text, the others none.
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        for token, logprob in generate(self.model, ids, sampling, make_sampler(seed)):
            if self.tokenizer.kind == "byte":
                yield Token(token, decoder.decode(bytes([token])), logprob)
            else:
                yield Token(token, self.tokenizer.decode([token]), logprob)
