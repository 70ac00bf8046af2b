"""Token after token -> text, as far as it is whole."""

from __future__ import annotations

import codecs
from collections.abc import Sequence

from gpt_tui.core.data import Tokenizer

LONGEST_CHARACTER = 4  # bytes of one in UTF-8


class Decoder:
    """A character of several bytes is whole only with its last token, which gets it; those before it have no text.

    Bytes that are no character are U+FFFD, as in what `Tokenizer.decode` makes of the whole text. So are those of a
    character that the text ends within, but only once it has ended.
    """

    def __init__(self, tokenizer: Tokenizer, before: Sequence[int] = ()):
        """before: the tokens that stand before the first one."""
        self._tokenizer = tokenizer
        self._bytes = codecs.getincrementaldecoder("utf-8")("replace") if tokenizer.kind == "byte" else None
        if self._bytes is not None:
            self._bytes.decode(bytes(before[1 - LONGEST_CHARACTER :]))

    @property
    def waits(self) -> bool:
        """Whether the text so far ends within a character."""
        return self._bytes is not None and bool(self._bytes.getstate()[0])

    def decode(self, token: int, ends: bool = False) -> str:
        """The text of the next token. ends: it is the last one."""
        if self._bytes is None:
            return self._tokenizer.decode([token])
        return self._bytes.decode(bytes([token]), ends)
