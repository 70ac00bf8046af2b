"""Text to token ids and back: one id a character, or one id a byte. Reading and keeping tokens is elsewhere."""

from __future__ import annotations

import unicodedata
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from gpt_tui.core.data.reading import Block, code_points
from gpt_tui.core.errors import Fault, GptTuiError, Refusal, did_you_mean, visible
from gpt_tui.core.files import checksum_of

Ids = npt.NDArray[np.int64]
TokenArray = npt.NDArray[np.unsignedinteger]

TOKENIZERS = ("char", "byte")

# What a keyboard gives, or a word processor puts in its place, that decomposition does not reach.
_LOOKALIKES = {
    "‘": "'", "’": "'", "‚": "'", "`": "'", "´": "'", '"': "'", "“": '"', "”": '"', "„": '"', "«": '"', "»": '"',
    "–": "-", "—": "-", "‐": "-", "‑": "-", "−": "-", "_": "-", "\t": " ", "\r": "\n", "\u00a0": " ",
    "[": "(", "]": ")", "{": "(", "}": ")", "ß": "s", "ø": "o", "Ø": "O", "æ": "a", "œ": "o",
}  # fmt: skip


def check_tokenizer(kind: str) -> None:
    """Raise Refusal where `kind` is not the name of a tokenizer."""
    if kind not in TOKENIZERS:
        message = f"is one of {', '.join(TOKENIZERS)}. {did_you_mean(kind, TOKENIZERS)}".strip()
        raise Refusal.one("tokenizer", kind, message)


def dtype_for(vocab_size: int) -> np.dtype[np.unsignedinteger]:
    """The smallest unsigned little-endian integer that holds every id of a vocabulary."""
    return np.dtype("<u1" if vocab_size <= 1 << 8 else "<u2" if vocab_size <= 1 << 16 else "<u4")


class UnknownCharacter(Refusal):
    """A text holds characters that the vocabulary does not have: those at `positions`, in order.

    character: the first such one; position: its index in the text, from 0; nearest: one to write instead, or None
    """

    def __init__(self, field: str, text: str, positions: Sequence[int], vocabulary: str):
        firsts: dict[str, int] = {}
        for position in positions:
            firsts.setdefault(text[position], position)
        (self.character, self.position), *others = firsts.items()
        self.nearest = nearest_character(self.character, vocabulary)
        name = unicodedata.name(self.character, "")
        code = f"U+{ord(self.character):04X}" + (f", {name.lower()}" if name else "")
        message = (
            f"the character {visible(self.character)} ({code}) at position {self.position} "
            f"is not among the {len(vocabulary)} of this dataset."
        )
        if self.nearest is not None:
            message += f" The nearest is {visible(self.nearest)}."
        if others:
            message += f" Nor {'is' if len(others) == 1 else 'are'} {_listed(others, vocabulary)}."
        message += f" Allowed: {describe_characters(vocabulary)}"
        super().__init__([Fault(field, text, message)])


def _listed(strangers: Sequence[tuple[str, int]], vocabulary: str, limit: int = 12) -> str:
    """Further characters that a vocabulary does not have, each with its position and what to write instead."""
    shown = []
    for character, position in strangers[:limit]:
        instead = nearest_character(character, vocabulary)
        hint = "" if instead is None else f", nearest {visible(instead)}"
        shown.append(f"{visible(character)} (position {position}{hint})")
    more = len(strangers) - limit
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")


def nearest_character(character: str, vocabulary: str) -> str | None:
    """The character of `vocabulary` to write for `character`: unaccented, in the other case, or a look-alike."""
    bare = unicodedata.normalize("NFKD", character)[:1]
    replaced = _LOOKALIKES.get(character, "")
    for candidate in (bare, replaced, character.swapcase(), bare.swapcase(), replaced.swapcase()):
        if candidate and candidate != character and candidate in vocabulary:
            return candidate
    return None


def describe_characters(vocabulary: str, limit: int = 100) -> str:
    """A vocabulary in a short line: runs of three or more letters or digits as a range (A-Z), the rest as they are."""
    parts: list[str] = []
    start = 0
    while start < len(vocabulary):
        end = start
        while (
            end + 1 < len(vocabulary)
            and ord(vocabulary[end + 1]) == ord(vocabulary[end]) + 1
            and vocabulary[end].isalnum()
            and vocabulary[end + 1].isalnum()
        ):
            end += 1
        run = vocabulary[start : end + 1]
        shown = visible(run) if len(run) < 3 else f"{run[0]}-{run[-1]}"
        parts.append("space" if shown == " " else shown)
        start = end + 1
    line = " ".join(parts)
    return line if len(line) <= limit else line[: limit - 1] + "…"


class Tokenizer(ABC):
    """Text to ids and back. A run keeps `to_json()`, and `Tokenizer.from_json` makes the same tokenizer of it."""

    kind: ClassVar[str]

    @property
    @abstractmethod
    def vocab_size(self) -> int:
        """How many ids there are."""

    @property
    def dtype(self) -> np.dtype[np.unsignedinteger]:
        """The smallest integer that holds every id: how tokens are kept on disk."""
        return dtype_for(self.vocab_size)

    @abstractmethod
    def encode(self, text: str, *, field: str = "text") -> Ids:
        """The ids of `text`, (N,) int64. Raises UnknownCharacter, which names `field`."""

    def faults(self, text: str, *, field: str = "text") -> tuple[Fault, ...]:
        """What is wrong with `text`, where `encode` would refuse it."""
        try:
            self.encode(text, field=field)
        except Refusal as refusal:
            return refusal.faults
        return ()

    @abstractmethod
    def encode_block(self, block: Block) -> TokenArray:
        """The ids of a block, (N,), as small as they are kept. Raises UnknownCharacter."""

    @abstractmethod
    def decode(self, ids: Sequence[int] | npt.NDArray[np.integer]) -> str:
        """The text of `ids`. Raises ValueError for an id outside the vocabulary."""

    @abstractmethod
    def token_text(self, token: int) -> str:
        """How one id is shown in a list: its character, an escape where that cannot be seen."""

    @abstractmethod
    def to_json(self) -> dict[str, str]:
        """What a run keeps of the tokenizer."""

    @staticmethod
    def from_json(data: object) -> Tokenizer:
        """The tokenizer that `to_json` described. It may be a stranger's: raises GptTuiError for anything else.

        A vocabulary that was kept before there were checksums has none.
        """
        if not isinstance(data, Mapping):
            raise GptTuiError("The run's tokenizer is not a JSON object, so its text cannot be read.")
        if data.get("kind") == ByteTokenizer.kind and set(data) == {"kind"}:
            return ByteTokenizer()
        if data.get("kind") == CharTokenizer.kind and {"characters"} <= set(data) <= {"kind", "characters", "sha256"}:
            characters, kept = data["characters"], data.get("sha256", "")
            if isinstance(characters, str) and isinstance(kept, str):
                if kept and kept != checksum_of(data):
                    raise GptTuiError(
                        "The run's vocabulary does not have the checksum that was kept with it. "
                        "A fork of the run takes it anew from the dataset."
                    )
                return CharTokenizer(characters)
        raise GptTuiError(
            'The run\'s tokenizer is neither {"kind": "byte"} nor {"kind": "char", "characters": "…"}, '
            "so its text cannot be read."
        )

    def _checked(self, ids: Sequence[int] | npt.NDArray[np.integer]) -> Ids:
        checked = np.asarray(ids, dtype=np.int64).reshape(-1)
        if checked.size and (checked.min() < 0 or checked.max() >= self.vocab_size):
            raise ValueError(f"token ids are 0 to {self.vocab_size - 1}")
        return checked


@dataclass(frozen=True)
class CharTokenizer(Tokenizer):
    """One id a character: the vocabulary is a text's distinct characters, sorted, and an id is a place in it."""

    characters: str
    kind: ClassVar[str] = "char"

    def __post_init__(self) -> None:
        codes = code_points(self.characters).astype(np.int64)
        if codes.size == 0 or np.any(np.diff(codes) <= 0):
            raise GptTuiError("A character vocabulary is at least one character, each once, in sorted order.")
        if np.any((codes >= 0xD800) & (codes <= 0xDFFF)):
            raise GptTuiError("A character vocabulary cannot hold half of a surrogate pair.")

    @classmethod
    def of(cls, text: str) -> CharTokenizer:
        """The tokenizer whose vocabulary is the distinct characters of `text`."""
        return cls("".join(sorted(set(text))))

    @property
    def vocab_size(self) -> int:
        return len(self.characters)

    @cached_property
    def _codes(self) -> npt.NDArray[np.uint32]:
        return code_points(self.characters).astype("<u4")

    @cached_property
    def _table(self) -> TokenArray:
        """Code point to id, `vocab_size` for a stranger; the last place stands for everything beyond the vocabulary."""
        table = np.full(max(int(self._codes[-1]) + 2, 256), self.vocab_size, dtype=dtype_for(self.vocab_size + 1))
        table[self._codes] = np.arange(self.vocab_size)
        return table

    @cached_property
    def _ascii(self) -> bytes | None:
        """The ids of the first code points, where an id is a byte."""
        return self._table[:256].tobytes() if self._table.itemsize == 1 else None

    def encode(self, text: str, *, field: str = "text") -> Ids:
        ids = np.take(self._table, code_points(text), mode="clip")
        strangers = np.flatnonzero(ids == self.vocab_size)
        if strangers.size:
            raise UnknownCharacter(field, text, strangers.tolist(), self.characters)
        return ids.astype(np.int64)

    def encode_block(self, block: Block) -> TokenArray:
        if block.text is None and self._ascii is not None:
            ids: TokenArray = np.frombuffer(block.utf8.translate(self._ascii), dtype=np.uint8)
        else:
            ids = np.take(self._table, block.code_points(), mode="clip")
        if ids.size and ids.max() == self.vocab_size:
            raise UnknownCharacter("dataset", block.utf8.decode("utf-8"), [int(np.argmax(ids))], self.characters)
        return ids.astype(self.dtype, copy=False)

    def decode(self, ids: Sequence[int] | npt.NDArray[np.integer]) -> str:
        return self._codes[self._checked(ids)].tobytes().decode("utf-32-le")

    def token_text(self, token: int) -> str:
        return visible(self.characters[token])

    def to_json(self) -> dict[str, str]:
        written = {"kind": self.kind, "characters": self.characters}
        return {**written, "sha256": checksum_of(written)}


@dataclass(frozen=True)
class ByteTokenizer(Tokenizer):
    """One id a byte of the text's UTF-8: 256 ids, and no text that it cannot write."""

    kind: ClassVar[str] = "byte"

    @property
    def vocab_size(self) -> int:
        return 256

    def encode(self, text: str, *, field: str = "text") -> Ids:
        try:
            # A command line gives undecodable bytes as lone surrogates; they go back to the bytes they were.
            block = text.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError as error:
            raise Refusal.one(
                field, text, f"position {error.start} holds half of a surrogate pair, which has no bytes"
            ) from error
        return np.frombuffer(block, dtype=np.uint8).astype(np.int64)

    def encode_block(self, block: Block) -> TokenArray:
        return np.frombuffer(block.utf8, dtype=np.uint8)

    def decode(self, ids: Sequence[int] | npt.NDArray[np.integer]) -> str:
        return self._checked(ids).astype(np.uint8).tobytes().decode("utf-8", "replace")

    def token_text(self, token: int) -> str:
        return visible(chr(token)) if token < 0x80 else f"\\x{token:02x}"

    def to_json(self) -> dict[str, str]:
        return {"kind": self.kind}
