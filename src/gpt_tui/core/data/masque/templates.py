"""Lines with slots in braces, turned into symbols of the grammar. The notation is told in lines.py."""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple

from gpt_tui.core.data.masque.grammar import Alternatives, Hole, Items, Slot, Symbol, tokens
from gpt_tui.core.data.masque.words import FORMS, article, weighted

SLOT = re.compile(r"\{([^}]+)\}")

WORDS = {
    "crown": ("thing1", "base"),
    "crowns": ("thing1", "plural"),
    "mirror": ("thing2", "base"),
    "mirrors": ("thing2", "plural"),
    "knave": ("person1", "base"),
    "knaves": ("person1", "plural"),
    "soldier": ("person2", "base"),
    "soldiers": ("person2", "plural"),
    "grief": ("virtue1", "base"),
    "honour": ("virtue2", "base"),
    "cold": ("adjective1", "base"),
    "golden": ("adjective2", "base"),
    "softly": ("adverb", "base"),
    "break": ("transitive", "base"),
    "breaks": ("transitive", "s"),
    "break'st": ("transitive", "st"),
    "breaketh": ("transitive", "eth"),
    "broken": ("transitive", "participle"),
    "sleep": ("intransitive", "base"),
    "sleeps": ("intransitive", "s"),
    "sleep'st": ("intransitive", "st"),
    "sleepeth": ("intransitive", "eth"),
    "sleeping": ("intransitive", "ing"),
}
SHORTER = {"thing2": "thing1", "person2": "person1", "virtue2": "virtue1"}
SMALL = {
    "the": "the the the the the the my my my this this that that her her his his our our each one some"
    " every yon any no",
    "those": "the the the the my my these these those those our our her his some such ten all few three no many",
    "The": "The The The The The The That That Our Our His His Her Her Each",
    "and": "and and and and but but yet yet for for while when where till as",
    "is": "is is is is was was seems seems grows grows looks turns lies falls smells feels",
    "are": "are are are are were were seem seem grow look turn lie smell",
    "upon": "upon upon upon beneath beneath within within beside beside behind before against above below beyond"
    " among without despite",
    "in": "in in in in by by near near with with from through on like at past",
    "will": "will will will shall shall shall must must may may can can would would should could might",
}  # the words of one syllable or two that hold a line together, as often as they stand here
HOLES = {"night", "weep", "bright", "Corvin", "my lord", "echo"}
OTHERS = {"Aldred": True, "Maudlin": False}  # is it a man?
YOU = {
    "thou": "you",
    "thee": "you",
    "thy": "your",
    "art": "are",
    "hast": "have",
    "dost": "do",
    "wilt": "will",
    "shalt": "shall",
    "canst": "can",
    "break'st": "break",
    "sleep'st": "sleep",
}
YOUNG = {"hath": "has", "doth": "does"}


class Manner(NamedTuple):
    """What the words of a line depend on. `speaker` is an index into CAST, `register` as in play.Voice."""

    speaker: int
    theme: str
    old: bool
    register: str


@cache
def compile_template(template: str, manner: Manner) -> Items:
    """Raises KeyError for a slot that is not in the notation."""
    items: list[Symbol] = []
    for place, part in enumerate(SLOT.split(template)):
        items.extend(symbols(part, manner) if place % 2 else tokens(part))
    return tuple(items)


def symbols(name: str, manner: Manner) -> Items:
    """What stands for one slot."""
    if name in HOLES:
        return (Hole(name),)
    if name in OTHERS:
        return (Slot("other", (OTHERS[name], manner.speaker)),)
    if name in SMALL:
        return (Slot("small word", (name, manner.register)),)
    capital = name[0].isupper()
    name = name[0].lower() + name[1:]
    with_article = name.startswith(("a ", "an "))
    name = name.split(" ", 1)[1] if with_article else name
    if manner.register == "you":
        name = YOU.get(name, name)
    if not manner.old:
        name = YOUNG.get(name, name)
    if name in WORDS:
        return (Slot("word", (*WORDS[name], manner.theme, with_article, capital)),)
    if name in YOU or name in YOU.values() or name in YOUNG or name in YOUNG.values():
        return (name.capitalize() if capital else name,)
    raise KeyError(name)


def small_word(name: str, register: str) -> Alternatives:
    known = SMALL[name].split()
    if register and name in ("the", "those"):
        known += ["thy" if register == "thou" else "your"] * 4
    return [(known.count(text), (text,)) for text in sorted(set(known))]


def word(table: str, form: str, theme: str, with_article: bool, capital: bool) -> Alternatives:
    """A word in its form. Two syllables may also be two words: an adjective and a noun, or "rose" and "crown'd"."""
    found: list[tuple[int, Items]] = []
    for weight, entry in weighted(table, theme):
        spelt = FORMS[form](entry)
        text = f"{article(spelt)} {spelt}" if with_article else spelt
        found.append((weight, tokens(text[0].upper() + text[1:] if capital else text)))
    whole = sum(weight for weight, _ in found)
    if table in SHORTER:
        adjective = Slot("word", ("adjective1", "base", theme, with_article, capital))
        found.append((whole, (adjective, " ", Slot("word", (SHORTER[table], form, theme, False, False)))))
    if table == "adjective2":
        noun = Slot("word", ("thing1", "base", theme, with_article, capital))
        found.append((whole // 2, (noun, "-", Slot("word", ("transitive", "participle", theme, False, False)))))
    return found


def title_word(table: str) -> Alternatives:
    return [(1, tokens(entry.upper())) for _, entry in weighted(table, "")]
