"""The embedded plays: what they look like, that they are the same everywhere, and that their probability is exact."""

from __future__ import annotations

import hashlib
import math
import os
import random
import re
import subprocess
import sys
from fractions import Fraction
from itertools import pairwise

import pytest

from gpt_tui.core.data import masque
from gpt_tui.core.data.masque import lines, play, words
from gpt_tui.core.data.masque.cast import CAST
from gpt_tui.core.data.masque.grammar import (
    EndOfTextError,
    Grammar,
    GrammarError,
    Hole,
    Items,
    Node,
    Reader,
    Slot,
    Writer,
    is_word,
)

LABELS = {person.label: person for person in CAST}
ENTRIES = {person.entry: person for person in CAST}


@pytest.fixture(scope="module")
def grammar() -> Grammar:
    return play.grammar()


def written(grammar: Grammar, seed: int, characters: int) -> Writer:
    writer = Writer(grammar, seed, characters)
    with pytest.raises(EndOfTextError):
        play.perform(writer)
    return writer


def costs(grammar: Grammar, text: str, *marks: int) -> dict[int, float]:
    reader = Reader(grammar, text, marks)
    with pytest.raises(EndOfTextError):
        play.perform(reader)
    return reader.costs


def probability(grammar: Grammar, text: str) -> float:
    try:
        return math.exp(-costs(grammar, text)[len(text)])
    except ValueError:
        return 0.0


def verse(text: str) -> list[str]:
    """The lines that are spoken or sung."""
    other = re.compile(r"\[|ACT |SCENE |FINIS|THE [A-Z]+ OF |[A-Z ]+:$|$")
    return [line for line in text.split("\n") if not other.match(line)]


# The text --------------------------------------------------------------------------------------------------------


def test_the_text_is_the_one_that_its_sha256_names():
    assert hashlib.sha256(masque.text().encode()).hexdigest() == masque.SHA256


def test_the_text_is_about_a_million_characters_and_ends_with_a_play():
    assert len(masque.text()) == masque.CHARACTERS
    assert 1_000_000 <= masque.CHARACTERS <= 1_150_000
    assert masque.text().endswith("[Exeunt.]\n\nFINIS\n")


def test_the_text_is_plain_ascii_with_as_many_characters_as_a_printed_play():
    alphabet = set(masque.text())
    assert 55 <= len(alphabet) <= 65
    assert all(character == "\n" or (character.isascii() and character.isprintable()) for character in alphabet)


def test_the_text_has_many_words_and_a_large_cast():
    assert len(set(re.findall(r"[a-z']+", masque.text().lower()))) >= 900
    speeches = re.findall(r"^([A-Z ]+):$", masque.text(), re.MULTILINE)
    assert set(speeches) == set(LABELS)
    assert len(LABELS) >= 12


def test_the_verse_is_of_even_length():
    lengths = sorted(len(line) for line in verse(masque.text()))
    assert 35 <= sum(lengths) / len(lengths) <= 48
    assert lengths[len(lengths) // 20] >= 35
    assert lengths[-len(lengths) // 20] <= 56
    assert lengths[-1] <= 80


def test_the_same_seed_gives_the_same_plays_whatever_the_hash_seed():
    code = "from gpt_tui.core.data import masque; print(masque.generate(5, 20_000), end='')"
    for hash_seed in ("0", "1"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONIOENCODING": "utf-8"}
        found = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=True)
        assert found.stdout.decode().replace("\r\n", "\n") == masque.generate(5, 20_000)


def test_a_longer_text_of_a_seed_goes_on_from_a_shorter_one_and_another_seed_differs():
    assert masque.generate(7, 3_000).startswith(masque.generate(7, 1_234))
    assert len(masque.generate(7, 1_234)) == 1_234
    assert masque.generate(7, 3_000) != masque.generate(8, 3_000)


# What is said and done -------------------------------------------------------------------------------------------


def scenes(text: str) -> list[list[str]]:
    """The blocks of each scene, without its heading."""
    return [scene.split("\n\n") for scene in re.split(r"(?:ACT [IV]+\n\n)?SCENE [IV]+\. ", text)[1:]]


def test_whoever_speaks_is_on_stage_and_nobody_speaks_twice_running():
    for scene in scenes(masque.text()[:400_000]):
        on_stage: set[str] = set()
        speakers = []
        for block in scene:
            names = set(re.split(r", | and ", block[7:-2])) if block.startswith("[Enter ") else set()
            assert not names & on_stage
            on_stage |= names
            if block.startswith("[Exit "):
                on_stage.remove(block[6:-2])
            label = re.match(r"([A-Z ]+):\n", block)
            if label:
                speakers.append(label[1])
                assert LABELS[label[1]].entry in on_stage
        assert all(first != second for first, second in pairwise(speakers))


def test_a_scene_ends_with_its_exeunt():
    assert all("[Exeunt.]" in scene for scene in scenes(masque.text()))


def test_who_is_greeted_by_name_spoke_last_or_is_the_only_other_on_stage():
    greeted = 0
    for scene in scenes(masque.text()):
        on_stage: set[str] = set()
        last = ""
        for block in scene:
            if block.startswith("[Enter "):
                on_stage |= set(re.split(r", | and ", block[7:-2]))
            elif block.startswith("[Exit "):
                on_stage.remove(block[6:-2])
            elif label := re.match(r"([A-Z ]+):\n", block):
                if greeting := re.search(r":\n(?:Dearest|Peace,|Hark,|Welcome,|Softly,) ([A-Z]\w+),", block):
                    (named,) = (person for person in CAST if person.called == greeting[1])
                    assert named.entry in on_stage
                    assert named.entry == last or len(on_stage) == 2
                    greeted += 1
                last = LABELS[label[1]].entry
    assert greeted > 200


def test_verbs_agree_with_thou_and_articles_with_their_nouns():
    text = masque.text()
    assert len(re.findall(r"\b[Tt]hou (?!art|hast|dost|wilt|shalt|canst|be\b)\w+'?e?st\b", text)) > 100
    assert not re.search(
        r"\b[Tt]hou (?:are|have|do|will|shall|can)\b|\b[Yy]ou (?:art|hast|dost|wilt|shalt|canst)\b", text
    )
    assert not re.search(r"\b[Aa] [aeiou]\w|\b[Aa]n [^aeiouh\W]\w", text)
    assert len(re.findall(r"\b[Aa]n [aeio]\w", text)) > 100


def test_he_and_she_are_said_of_men_and_of_women():
    text = masque.text()
    for person in CAST:
        said = re.findall(rf"(?:'Tis said that|seen) {person.called}\b[^.?\n]*[,?] (?:\w+ )?(he|she)\b", text)
        assert set(said) == {"he" if person.man else "she"}


def end_word(line: str) -> str:
    return re.findall(r"[a-z']+", line)[-1]


def families(word: str) -> set[int]:
    return {number for (_, known), number in words.RHYMES_WITH.items() if known == word}


def rhyme(first: str, second: str) -> bool:
    """Do two lines end with different words of one family?"""
    one, other = end_word(first), end_word(second)
    return one != other and bool(families(one) & families(other))


def test_songs_rhyme_by_turns_and_repeat_their_refrain():
    songs = re.findall(r"\[Sings\.\]\n(.*?)\n\n", masque.text(), re.DOTALL)
    assert len(songs) > 100
    for song in songs:
        sung = song.split("\n")
        assert len(sung) % 5 == 0
        assert len(set(sung[4::5])) == 1
        for verse_of_song in range(0, len(sung), 5):
            first, second, third, fourth = sung[verse_of_song : verse_of_song + 4]
            assert rhyme(first, third)
            assert rhyme(second, fourth)


def test_lovers_and_asides_are_in_couplets():
    speeches = re.findall(r"^([A-Z ]+):\n(.*?)\n\n", masque.text(), re.DOTALL | re.MULTILINE)
    rhymed = [
        speech.removeprefix("[Aside.]\n").split("\n")
        for label, speech in speeches
        if "[Sings.]" not in speech and (LABELS[label].rhymes or speech.startswith("[Aside.]"))
    ]
    assert len(rhymed) > 500
    for speech in rhymed:
        assert all(rhyme(first, second) for first, second in zip(speech[::2], speech[1::2], strict=True))


def test_a_line_that_calls_for_another_gets_it():
    answers = {
        "When": "Then",
        "As": "So",
        "Though": "Yet",
        "If": "Why|I'll",
        "Not": "Can|Could|Shall|Will",
        "Because": "Therefore",
        "First": "Next",
        "Next": "Last",
    }
    assert set(answers) == set(lines.FOLLOWING_LINES)
    spoken = re.sub(r"\[Sings\.\]\n.*?\n\n", "", masque.text(), flags=re.DOTALL)
    for opening, answer in answers.items():
        following = re.findall(rf"^{opening} .*,\n(.*)", spoken, re.MULTILINE)
        assert len(following) > 50
        assert all(re.match(rf"(?:{answer})\b", line) for line in following)


@pytest.mark.parametrize(
    ("spell", "word", "expected"),
    [
        (words.plural, "wolf", "wolves"),
        (words.plural, "torch", "torches"),
        (words.plural, "lady", "ladies"),
        (words.plural, "boy", "boys"),
        (words.with_s, "kiss", "kisses"),
        (words.with_st, "love", "lov'st"),
        (words.with_st, "taste", "tastest"),
        (words.with_st, "die", "diest"),
        (words.with_eth, "win", "winneth"),
        (words.with_ing, "die", "dying"),
        (words.with_ing, "dance", "dancing"),
        (words.participle, "haunt", "haunted"),
        (words.participle, "taste", "tasted"),
        (words.participle, "rob", "robb'd"),
    ],
)
def test_words_are_inflected(spell, word, expected):
    assert spell(word) == expected


def test_no_word_stands_twice_in_a_table_or_in_two_families_of_rhyme():
    for name, table in words.TABLES.items():
        listed = [words.base(entry) for entries in table.values() for entry in entries]
        assert len(set(listed)) == len(listed), name
    listed_rhymes = [(part, word) for kin in words.RHYMES for part, place in words.PARTS.items() for word in kin[place]]
    assert len(set(listed_rhymes)) == len(listed_rhymes)


# Probability -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_reading_recovers_the_probability_that_writing_summed(grammar, seed):
    writer = written(grammar, seed, 20_000)
    assert costs(grammar, writer.text)[len(writer.text)] == pytest.approx(writer.cost, abs=1e-6)


def test_the_log_probability_is_that_of_the_draws():
    writer = written(play.grammar(), 4, 3_000)
    assert masque.log_probability(writer.text) == pytest.approx(-writer.cost, abs=1e-6)


def test_the_probabilities_of_all_next_characters_sum_to_that_of_the_prefix(grammar):
    text = masque.text()
    alphabet = sorted(set(text))
    where = random.Random(0)
    starts = [where.randrange(1, 2_500) for _ in range(25)]
    for length in [*starts, 1, 5, 9]:
        prefix = text[:length]
        total = math.fsum(
            math.exp(-costs_or_infinite(grammar, prefix + character) + costs(grammar, prefix)[length])
            for character in alphabet
        )
        assert total == pytest.approx(1, abs=1e-9), prefix[-30:]


def costs_or_infinite(grammar: Grammar, text: str) -> float:
    try:
        return costs(grammar, text)[len(text)]
    except ValueError:
        return math.inf


def test_the_cost_up_to_a_mark_is_that_of_the_text_cut_there(grammar):
    text = masque.generate(11, 4_000)
    marks = [1, 17, 1_000, 1_001, 1_002, 1_003, 1_004, 1_005, 2_345]
    found = costs(grammar, text, *marks)
    for mark in marks:
        assert found[mark] == pytest.approx(costs(grammar, text[:mark])[mark], abs=1e-9)


def test_the_entropy_is_the_cost_of_the_validation_split_given_the_training_split():
    text = masque.generate(3, 8_003)
    split = int(0.9 * len(text))
    expected = (masque.log_probability(text[:split]) - masque.log_probability(text)) / (len(text) - split)
    assert masque.entropy(text) == pytest.approx(expected, abs=1e-9)


@pytest.mark.soak
def test_the_entropy_of_the_dataset_lies_far_under_what_a_few_characters_tell():
    entropy = masque.entropy(masque.text())
    assert 0.5 < entropy < 1
    assert entropy == pytest.approx(masque.ENTROPY, abs=1e-9)


def test_the_empty_text_is_certain_and_has_no_entropy():
    assert masque.log_probability("") == 0
    with pytest.raises(ValueError, match="empty"):
        masque.entropy("")


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        (r"\bthou art\b", "thou are"),
        (r"\ban [aeio]", "a o"),
        (r"\[Exeunt", "[Exhunt"),
        (r"\bthe ", "teh "),
        (r"\n\[Enter", "\n\n[Enter"),
    ],
)
def test_a_wrong_word_is_refused_with_its_offset(grammar, right, wrong):
    text = masque.text()[:60_000]
    found = re.search(right, text)
    assert found
    corrupt = text[: found.start()] + wrong + text[found.end() :]
    with pytest.raises(ValueError, match=r"at offset \d+ \(line \d+\)") as refusal:
        masque.log_probability(corrupt)
    offset = int(re.search(r"offset (\d+)", str(refusal.value))[1])
    assert found.start() <= offset <= found.start() + len(wrong)
    assert probability(grammar, corrupt[: offset + 1]) == 0
    assert costs(grammar, corrupt[:offset])[offset] > 0


def test_a_rhyme_that_fails_is_refused(grammar):
    text = masque.text()[:60_000]
    song = re.search(r"\[Sings\.\]\n[^\n]*\n[^\n]*\n[^\n]* ([a-z]+),\n", text)
    assert song
    other = "mirth" if song[1] != "mirth" else "month"
    with pytest.raises(ValueError, match=f"at offset (?:{song.start(1)}|{song.start(1) + 1}|{song.start(1) + 2}) "):
        masque.log_probability(text[: song.start(1)] + other + text[song.end(1) :])


@pytest.mark.parametrize("text", ["\x00", "THE TRAGEDY OF THE ROYAL CROWN\r\n", "Ünder", "KING ALDRED:\n"])
def test_another_text_is_refused(text):
    with pytest.raises(ValueError, match="not of the language at offset"):
        masque.log_probability(text)


# One derivation --------------------------------------------------------------------------------------------------


def explore(grammar: Grammar, slots: list[Slot]) -> int:
    """Visits every node that the slots lead to: building the nodes is what finds two derivations of one text."""
    seen: dict[int, Node] = {}
    pending = [grammar.root(slot) for slot in slots]
    while pending:
        node = pending.pop()
        if id(node) in seen or node.ends:
            continue
        seen[id(node)] = node
        if isinstance(node.inner, Slot):
            pending.append(grammar.root(node.inner))
        tokens = grammar.next_tokens(node)
        edges = [node.after] if node.after else [grammar.edge(node, token) for token in tokens]
        for edge in edges:
            assert edge is not None
            pending.append(grammar.follow(edge))
        for token in filter(is_word, tokens):
            after = grammar.follow(grammar.edge(node, token))
            assert not any(map(is_word, grammar.next_tokens(after))), f"a word runs on after {token!r}"
    return len(seen)


def phrases(voice: play.Voice) -> list[Slot]:
    """All that a voice may be asked for."""
    before = ["", "noun", "verb", "adjective"] + (["question"] if voice.register else [])
    return [
        *(Slot("opening", (voice, ended)) for ended in before),
        *(Slot("following", (voice, word)) for word in lines.FOLLOWING_LINES),
        *(Slot("song line", (voice, end)) for end in ",."),
        *(Slot(rule, (voice,)) for rule in ("go on", "song goes on", "refrain")),
    ]


SCENERY = [
    *(Slot(rule) for rule in ("play title", "place")),
    *(Slot("after scene", (act, scene)) for act in (1, 5) for scene in (1, 2, 7)),
    *(Slot("event", (on_stage, 3, 1, asked, True)) for on_stage in ((1, 3), (0, 1, 3)) for asked in (False, True)),
    *(Slot(rule, ((0, 1, 3, 14),)) for rule in ("entrant", "leaver")),
    *(Slot("last word", (part,)) for part in words.PARTS),
    *(
        Slot("rhyme", (part, number, word))
        for number, kin in enumerate(words.RHYMES)
        for part in words.PARTS
        for word in kin.nouns + kin.verbs + kin.adjectives
    ),
    *(Slot("title", (person,)) for person in range(len(CAST))),
]


def test_no_text_of_the_scenery_has_two_derivations(grammar):
    assert explore(grammar, SCENERY) > 500


@pytest.mark.parametrize(("name", "register"), [("Pipkin", "you"), ("Aldred", "thou")])
def test_no_text_of_a_voice_has_two_derivations(name, register):
    (speaker,) = (i for i, person in enumerate(CAST) if person.called == name)
    assert explore(play.grammar(), phrases(play.Voice(speaker, register))) > 1_000


@pytest.mark.soak
def test_no_text_of_any_voice_has_two_derivations(grammar):
    for speaker in range(len(CAST)):
        for register in ("", "thou", "you"):
            explore(grammar, phrases(play.Voice(speaker, register)))


def derivations(slot: Slot, text: str) -> list[Fraction]:
    """The probability of each derivation of `text`, by trying every alternative of every slot: no shared beginnings."""

    def tried(items: Items, rest: str, weight: Fraction) -> list[Fraction]:
        if not items:
            return [] if rest else [weight]
        first, *others = items
        if isinstance(first, str):
            return tried(tuple(others), rest[len(first) :], weight) if rest.startswith(first) else []
        assert isinstance(first, Slot), "fill the holes first"
        alternatives = play.RULES[first.rule](*first.arguments)
        total = sum(w for w, _ in alternatives)
        return [
            found
            for w, chosen in alternatives
            for found in tried((*chosen, *others), rest, weight * Fraction(w, total))
        ]

    return tried((slot,), text, Fraction(1))


def without_holes(grammar: Grammar, slot: Slot, seed: int) -> tuple[str, float]:
    writer = Writer(grammar, seed, 1)
    return writer.derive(slot), writer.cost


@pytest.mark.parametrize("rule", ["refrain", "play title", "place"])
def test_trying_every_alternative_finds_one_derivation_and_its_probability(grammar, rule):
    slot = Slot(rule, (play.Voice(10, "you"),) if rule == "refrain" else ())
    for seed in range(12):
        text, cost = without_holes(grammar, slot, seed)
        (found,) = derivations(slot, text)
        assert -math.log(found) == pytest.approx(cost, abs=1e-9)
        reader = Reader(grammar, text, ())
        with pytest.raises(EndOfTextError):
            reader.derive(slot)
        assert reader.costs[len(text)] == pytest.approx(cost, abs=1e-9)


def test_an_ambiguous_grammar_is_refused():
    twice = Grammar(
        {"line": lambda: [(1, ("a", " ", "b")), (2, ("a", Slot("tail")))], "tail": lambda: [(1, (" ", "b"))]}
    )
    with pytest.raises(GrammarError, match="two derivations"):
        explore(twice, [Slot("line")])


@pytest.mark.parametrize("other", [(), (Hole("name"),)])
def test_a_grammar_that_the_next_token_cannot_decide_is_refused(other):
    undecided = Grammar({"line": lambda: [(1, ("a", " ", "b")), (2, ("a", *other))]})
    with pytest.raises(GrammarError, match="one choice among others"):
        explore(undecided, [Slot("line")])
