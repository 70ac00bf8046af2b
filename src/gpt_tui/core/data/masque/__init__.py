"""masque: the embedded dataset, plays in the Elizabethan manner made by the program, whose true entropy is known.

    words.py      the words, their inflections and rhymes       lines.py   templates of lines that anybody may speak
    cast.py       the company and the lines of each             templates.py   templates -> symbols of the grammar
    play.py       the program that asks for one phrase after another
    grammar.py    the Writer, who draws phrases, and the Reader, who recognises them

Each text has one derivation (see grammar.py), so its probability is exactly the product of the probabilities of the
choices in it. The company never stops playing, so every text is the beginning of longer ones, and P(text) here is
the probability that a play begins with it: where a text ends inside a word, the words that go on from there are summed.
Hence P(validation split | training split) = P(whole text) / P(training split), wherever the split falls.

The text is the same on every platform: whole numbers only, weights in the order in which they are listed.
"""

from __future__ import annotations

from functools import cache

from gpt_tui.core.data.masque.grammar import EndOfTextError, Reader, Writer
from gpt_tui.core.data.masque.play import grammar, perform

__all__ = ["CHARACTERS", "ENTROPY", "SEED", "SHA256", "entropy", "generate", "log_probability", "text"]

SEED = 1616
CHARACTERS = 1_049_269  # so that the text ends with the end of a play
SHA256 = "766bcd2da127e7fca6b053c4def83089987d2c1efcd805c0c95120ddbf3bbdbe"
ENTROPY = 0.5283422371716301  # entropy(text()), which takes seconds; a test compares them


@cache
def text() -> str:
    """The dataset: the plays of `SEED`, kept for the life of the process."""
    return generate(SEED, CHARACTERS)


def generate(seed: int, characters: int) -> str:
    """The first `characters` characters of the plays of `seed`, cut there, if need be inside a word."""
    writer = Writer(grammar(), seed, characters)
    try:
        perform(writer)
    except EndOfTextError:
        return writer.text[:characters]


def log_probability(text: str) -> float:
    """ln of the probability, in nats, that the plays begin with `text`, which may end anywhere.

    Raises ValueError, with the offset of the first character that could not stand there, where none begins so.
    """
    return -_costs(text)[len(text)]


def entropy(text: str) -> float:
    """−ln P(validation split | training split) in nats a character: what no model can beat on average.

    The validation split is what follows the first int(0.9 · len(text)) characters. Raises ValueError where `text` is
    empty, or not of the language.
    """
    if not text:
        raise ValueError("an empty text has no validation split")
    split = int(0.9 * len(text))
    costs = _costs(text, split)
    return (costs[len(text)] - costs[split]) / (len(text) - split)


def _costs(text: str, *marks: int) -> dict[int, float]:
    """−ln P of the beginnings of `text` that end at the marks, and of the whole."""
    reader = Reader(grammar(), text, marks)
    try:
        perform(reader)
    except EndOfTextError:
        return reader.costs
