"""Which kind each character of a text is of, in the order in which a model learns them: spaces, words, names.

A word is letters, with apostrophes between them. A name is a word with a capital that neither begins a line nor a
sentence, or one in a line that is nothing but words with capitals and a colon: who speaks, in a play. `I` and `O` alone
are no names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

LINE_ENDS, SPACES, INSIDE, FIRST, NAMES, DIGITS, MARKS = KINDS = (
    "line ends",
    "spaces",
    "inside words",
    "first of words",
    "names",
    "digits",
    "marks",
)

_LETTER = r"[^\W\d_]"
_WORD = re.compile(rf"{_LETTER}+(?:['’]{_LETTER}+)*")
_SPEAKER = re.compile(rf"^{_WORD.pattern}(?: {_WORD.pattern})*:$", re.MULTILINE)
_ENDS = "\r\n.!?:…"  # what stands before the first word of a line or a sentence, but for these:
_BETWEEN = " \t\"'“”‘’()[]–—-"


def kinds(text: str) -> list[str]:
    """The kind of each character of `text`."""
    found = [_alone(character) for character in text]
    for word in _WORD.finditer(text):
        if _is_name(text, word):
            found[word.start() : word.end()] = [NAMES] * len(word[0])
        else:
            found[word.start()] = FIRST
    for start, end in _speakers(text):
        found[start:end] = [NAMES if kind in (INSIDE, FIRST) else kind for kind in found[start:end]]
    return found


def _alone(character: str) -> str:
    """Of a character as such; a letter is taken for one inside a word."""
    if character in "\r\n":
        return LINE_ENDS
    if character.isspace():
        return SPACES
    return INSIDE if character.isalpha() else DIGITS if character.isdigit() else MARKS


def _is_name(text: str, word: re.Match[str]) -> bool:
    begins, second = word.start(), word[0][1:2]
    if not (word[0][0].isupper() and second.isalpha()):
        return False
    before = begins - 1
    while before >= 0 and text[before] in _BETWEEN:
        before -= 1
    return before >= 0 and text[before] not in _ENDS


def _speakers(text: str) -> Iterator[tuple[int, int]]:
    """Where those stand who speak: in a line of their own, every word with a capital, and a colon."""
    for line in _SPEAKER.finditer(text):
        if all(word[0].isupper() for word in _WORD.findall(line[0])):
            yield line.start(), line.end() - 1
