"""Which kind each character of a text is of: spaces, letters of words and of names."""

from __future__ import annotations

from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt_tui.tui.letter_kinds import DIGITS, FIRST, INSIDE, KINDS, LINE_ENDS, MARKS, NAMES, SPACES, kinds

PLAY = """PETRUCHIO:
And you, good sir! Pray, have you not a daughter
Call'd Katharina, fair and virtuous?

First Citizen:
Nay then, 'tis time to stir. Signior Gremio's gone; but I
Will to Padua. O, let Kate speak: Say what she will.

KING RICHARD III:
What says Lord Stanley? O'er the Tower I'll go.
"""


def names(text: str) -> list[str]:
    found = zip(text, kinds(text), strict=True)
    return ["".join(c for c, _ in run) for kind, run in groupby(found, lambda pair: pair[1]) if kind == NAMES]


def test_names_are_what_has_a_capital_within_a_sentence_and_who_speaks() -> None:
    assert names(PLAY) == [
        "PETRUCHIO", "Katharina", "First", "Citizen", "Gremio's", "Padua", "Kate",
        "KING", "RICHARD", "III", "Lord", "Stanley", "Tower",
    ]  # fmt: skip


def test_the_first_letter_of_a_word_is_told_from_those_inside() -> None:
    told = dict.fromkeys(KINDS, "")
    for character, kind in zip(
        "Nay, 'tis time\nto go 2 Kate's.", kinds("Nay, 'tis time\nto go 2 Kate's."), strict=True
    ):
        told[kind] += character
    assert told == {
        LINE_ENDS: "\n", SPACES: " " * 5, INSIDE: "ayisimeoo", FIRST: "Ntttg", NAMES: "Kate's", DIGITS: "2",
        MARKS: ",'.",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I saw Ann", ["Ann"]),
        ("Ann saw me", []),
        ("She said: Ann", []),
        ("go, Ann. Ben came", ["Ann"]),
        ("ANN:\nno", ["ANN"]),
        ("Thus much:\nno", []),
        ("they saw I and O", []),
        ("he met Zoé and 张伟", ["Zoé"]),
    ],
)
def test_what_begins_a_sentence_or_a_line_is_no_name(text: str, expected: list[str]) -> None:
    assert names(text) == expected


@given(text=st.text("aB é张1.:'\n\r\t -", max_size=40))
def test_every_character_is_of_one_kind_and_only_letters_are_of_words(text: str) -> None:
    found = kinds(text)
    assert len(found) == len(text)
    for character, kind in zip(text, found, strict=True):
        assert (kind in (INSIDE, FIRST, NAMES)) == (character.isalpha() or (character == "'" and kind != MARKS))
        assert (kind == LINE_ENDS) == (character in "\r\n")
