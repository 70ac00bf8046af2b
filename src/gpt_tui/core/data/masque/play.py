"""The play as a program that asks a source for each phrase: titles, scenes, entrances, speeches, songs.

With a Writer as its source it composes; with a Reader it follows a text that is there. All that it remembers (who is on
stage, who spoke to whom, what must rhyme) comes from phrases it was given, so that both see the same at every step.
It never ends by itself: after one play the company gives another.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple, NoReturn

from gpt_tui.core.data.masque import lines
from gpt_tui.core.data.masque.cast import CAST
from gpt_tui.core.data.masque.grammar import Alternatives, Grammar, Items, Rule, Slot, Source, tokens
from gpt_tui.core.data.masque.templates import Manner, compile_template, small_word, title_word, word
from gpt_tui.core.data.masque.words import PARTS, RHYMES, RHYMES_WITH

NUMERALS = ("I", "II", "III", "IV", "V", "VI", "VII")
ACTS = 5
MOST_ON_STAGE = 5
MOST_AT_FIRST = 4
RIPE = 8  # speeches before a scene may end
ADDRESSING = re.compile(r"\{th(ou|ee|y)\}")  # a line that needs somebody to be said to
LAST_WORDS = {"night": "noun", "weep": "verb", "bright": "adjective"}  # the holes at the end of a line

PLACES = """
A room in the palace
Another room in the palace
Before the castle
The sea-coast
The deck of a ship
A wood near the city
Another part of the wood
A tavern
A chapel
A churchyard
The garden, by night
The kitchen
A heath (it rains)
The camp
A dungeon
The queen's chamber
A market-place
A balcony, with a ladder
The cell of Friar Odo
A street in the town
""".strip().splitlines()

BUSINESS = """
Thunder and lightning
A trumpet sounds
Drums within
Soft music
They drink
They fight
They dance
A bell rings
An owl cries
A dog barks within
They kneel
Noise of plates within
""".strip().splitlines()


class Voice(NamedTuple):
    """Who speaks (an index into CAST), and how to the one addressed: "thou" or "you", or "" to nobody."""

    speaker: int
    register: str


# The rules: each gives the alternatives of a slot, from the slot's arguments alone ------------------------------


def certain(text: str) -> Alternatives:
    return [(1, tokens(text))]


def one_of(texts: Iterable[str], weight: int = 1) -> list[tuple[int, Items]]:
    return [(weight, tokens(text)) for text in texts]


def manner(voice: Voice) -> Manner:
    speaker = CAST[voice.speaker]
    return Manner(voice.speaker, speaker.theme, speaker.old, voice.register)


def templates(listing: Iterable[str], weight: int, voice: Voice) -> list[tuple[int, Items]]:
    """Whole lines, each with its mark and its line end."""
    return [(weight, finished(compile_template(template, manner(voice)))) for template in listing]


def finished(items: Items) -> Items:
    marked = items if items[-1] in (",", ".", "!", "?") else (*items, Slot("mark"))
    return (*marked, "\n")


def listed(text: str) -> list[str]:
    return text.strip().splitlines()


def mark() -> Alternatives:
    return [(9, (".",)), (4, ("!",)), (5, (";",)), (3, (":",))]


def sentence(voice: Voice) -> Alternatives:
    """A line that follows nothing in particular."""
    found = templates(listed(lines.STATEMENTS), 4, voice) + templates(CAST[voice.speaker].lines, 12, voice)
    for opening in lines.OPENING_LINES.values():
        found += templates(listed(opening), 4, voice)
    if voice.register:
        found += templates(listed(lines.ADDRESSES), 6, voice) + templates(listed(lines.QUESTIONS), 5, voice)
    return found


def following(voice: Voice, first_word: str) -> Alternatives:
    """A line that a line beginning with `first_word` calls for."""
    return templates(listed(lines.FOLLOWING_LINES[first_word]), 1, voice)


def go_on(voice: Voice) -> Alternatives:
    """The end of the speech, or another sentence."""
    ends = CAST[voice.speaker].ends
    return [(ends, ("\n",)), (100 - ends, (Slot("sentence", (voice,)),))]


def opening(voice: Voice, before: str) -> Alternatives:
    """How a speech begins. `before` says how the last one ended: "question", or the part of speech of its last word."""
    speaker = CAST[voice.speaker]
    found: list[tuple[int, Items]] = [(60, (Slot("sentence", (voice,)),)), (3, tokens("[Aside.]\n"))]
    if speaker.sings:
        found.append((2 * speaker.sings, tokens("[Sings.]\n")))
    found += begun(voice, speaker.oaths, 16)
    if voice.register:
        found += begun(voice, listed(lines.GREETINGS), 4)
    if before == "question":
        found.append((240, (Slot("answer", (voice,)),)))
    elif before:
        found += begun(voice, listed(lines.ECHOES[before]), 12)
    return found


def answer(voice: Voice) -> Alternatives:
    return templates(listed(lines.ANSWERS), 1, voice)


def begun(voice: Voice, beginnings: Iterable[str], weight: int) -> list[tuple[int, Items]]:
    """First lines made of a short beginning, which takes a comma where it has no mark, and half a line."""
    half = (" ", Slot("half line", (voice,)))
    marked = (beginning if beginning[-1] in ",.:;!?" else beginning + "," for beginning in beginnings)
    return [(weight, compile_template(beginning, manner(voice)) + half) for beginning in marked]


def half_line(voice: Voice) -> Alternatives:
    halves = [half for half in listed(lines.HALVES) if voice.register or not ADDRESSING.search(half)]
    return templates(halves, 1, voice)


def song_line(voice: Voice, end: str) -> Alternatives:
    return templates([line + end for line in listed(lines.SONG_LINES)], 1, voice)


def song_goes_on(voice: Voice) -> Alternatives:
    return [(2, ("\n",)), (3, (Slot("song line", (voice, ",")),))]


def refrain(voice: Voice) -> Alternatives:
    return templates(listed(lines.REFRAINS), 1, voice)


def last_word(part: str) -> Alternatives:
    """Any word that can end a line; the first of each family come oftenest."""
    return [(3 + 6 // (rank + 1), (word,)) for kin in RHYMES for rank, word in enumerate(kin[PARTS[part]])]


def rhyme(part: str, family: int, word: str) -> Alternatives:
    """A word of the family, though not the same word again."""
    kin = RHYMES[family][PARTS[part]]
    return [(3 + 6 // (rank + 1), (other,)) for rank, other in enumerate(kin) if other != word]


def title(listener: int) -> Alternatives:
    return one_of(CAST[listener].titles)


def other(man: bool, speaker: int) -> Alternatives:
    return one_of(c.called for i, c in enumerate(CAST) if c.man == man and i != speaker)


def entrant(on_stage: tuple[int, ...]) -> Alternatives:
    return one_of(c.entry for i, c in enumerate(CAST) if i not in on_stage)


def leaver(on_stage: tuple[int, ...]) -> Alternatives:
    return one_of(CAST[i].entry for i in on_stage)


def joiner(entered: int) -> Alternatives:
    """After a name in the list of those who open a scene."""
    return one_of([" and ", ", "]) if entered < MOST_AT_FIRST - 1 else certain(" and ")


def event(on_stage: tuple[int, ...], spoke: int | None, before: int | None, asked: bool, ripe: bool) -> Alternatives:
    """What happens after a speech: another speaks, oftenest the one who was spoken to; or a stage direction."""
    found: list[tuple[int, Items]] = []
    for person in on_stage:
        if person != spoke:
            weight = (120 if asked else 48) if person == before else 16
            found.append((weight, tokens(CAST[person].label + ":\n")))
    direction = Slot("direction", (len(on_stage) < MOST_ON_STAGE, len(on_stage) > 2, ripe))
    return [*found, (24 if ripe else 16, ("[", direction))]


def direction(may_enter: bool, may_leave: bool, may_end: bool) -> Alternatives:
    found = one_of(f"{business}.]\n\n" for business in BUSINESS)
    if may_enter:
        found.append((10, tokens("Enter ")))
    if may_leave:
        found.append((10, tokens("Exit ")))
    if may_end:
        found.append((14, tokens("Exeunt.]\n\n")))
    return found


def after_scene(act: int, scene: int) -> Alternatives:
    found = []
    if scene < len(NUMERALS):
        found.append((3, tokens(f"SCENE {NUMERALS[scene]}. ")))
    if scene >= 2:
        found.append((2, tokens(f"ACT {NUMERALS[act]}\n\nSCENE I. " if act < ACTS else "FINIS\n\n")))
    return found


def kind_of_play() -> Alternatives:
    return one_of(["TRAGEDY", "COMEDY", "MASQUE", "HISTORY", "JEST"])


def play_title() -> Alternatives:
    name: Items = (Slot("title word", ("adjective2",)), " ", Slot("title word", ("thing1",)))
    of: Items = (*tokens("THE "), Slot("kind of play"), *tokens(" OF THE "))
    return [(1, (*of, *name, "\n", "\n", *tokens("ACT I\n\nSCENE I. ")))]


RULES: dict[str, Rule] = {
    "after scene": after_scene,
    "answer": answer,
    "certain": certain,
    "direction": direction,
    "entrant": entrant,
    "event": event,
    "following": following,
    "go on": go_on,
    "half line": half_line,
    "kind of play": kind_of_play,
    "joiner": joiner,
    "last word": last_word,
    "leaver": leaver,
    "mark": mark,
    "opening": opening,
    "other": other,
    "place": lambda: one_of([f"{place}.\n\n" for place in PLACES]),
    "play title": play_title,
    "refrain": refrain,
    "rhyme": rhyme,
    "sentence": sentence,
    "small word": small_word,
    "song goes on": song_goes_on,
    "song line": song_line,
    "title": title,
    "title word": title_word,
    "word": word,
}


# The program ----------------------------------------------------------------------------------------------------


def grammar() -> Grammar:
    return Grammar(RULES)


def perform(source: Source) -> NoReturn:
    """Plays, one after another, until the source raises EndOfTextError."""
    while True:
        source.derive(Slot("play title"))
        act = scene = 1
        while act <= ACTS:
            Scene(source).play()
            heading = source.derive(Slot("after scene", (act, scene)))
            if heading.startswith("SCENE"):
                scene += 1
            else:
                act, scene = act + 1, 1


class Scene:
    """From the place to the exeunt: who is on stage, who spoke last and before, and how the last speech ended."""

    def __init__(self, source: Source):
        self._source = source
        self._on_stage: tuple[int, ...] = ()
        self._spoke: int | None = None
        self._before: int | None = None
        self._ending = ""  # "question", or the part of speech of the last word
        self._echo = ""
        self._speeches = 0

    def play(self) -> None:
        self._source.derive(Slot("place"))
        self._open()
        while True:
            happens = self._source.derive(self._event())
            if happens.endswith(":\n"):
                self._speech(BY_LABEL[happens[:-2]])
            elif happens == "[Enter ":
                self._enter()
                self._say(".]\n\n")
            elif happens == "[Exit ":
                gone = BY_ENTRY[self._source.derive(Slot("leaver", (self._on_stage,)))]
                self._on_stage = tuple(i for i in self._on_stage if i != gone)
                self._say(".]\n\n")
            elif happens == "[Exeunt.]\n\n":
                return

    def _say(self, text: str) -> None:
        self._source.derive(Slot("certain", (text,)))

    def _open(self) -> None:
        self._say("[Enter ")
        self._enter()
        joiner = ""
        while joiner != " and ":
            joiner = self._source.derive(Slot("joiner", (len(self._on_stage),)))
            self._enter()
        self._say(".]\n\n")

    def _enter(self) -> None:
        entered = BY_ENTRY[self._source.derive(Slot("entrant", (self._on_stage,)))]
        self._on_stage = tuple(sorted((*self._on_stage, entered)))

    def _event(self) -> Slot:
        asked = self._ending == "question"
        return Slot("event", (self._on_stage, self._spoke, self._before, asked, self._speeches >= RIPE))

    def _listener(self, speaker: int) -> int | None:
        """Who is addressed: the one who spoke last, or the only other on stage."""
        others = [i for i in self._on_stage if i != speaker]
        if self._spoke in others:
            return self._spoke
        return others[0] if len(others) == 1 else None

    def _speech(self, speaker: int) -> None:
        listener = self._listener(speaker)
        voice = Voice(speaker, register(speaker, listener))
        holes = dict(ANY_RHYME)
        if listener is not None:
            holes["Corvin"] = Slot("certain", (CAST[listener].called,))
            holes["my lord"] = Slot("title", (listener,))
        holes["echo"] = Slot("certain", (self._echo,))
        answers = self._ending if voice.register or self._ending != "question" else ""
        first = self._source.derive(Slot("opening", (voice, answers)), holes)
        if first == "[Sings.]\n":
            sing(self._source, voice)
            self._ending = ""
        else:
            self._verse(voice, first, holes)
        self._before, self._spoke = self._spoke, speaker
        self._speeches += 1

    def _verse(self, voice: Voice, line: str, holes: dict[str, Slot]) -> None:
        """The rest of a speech after its first line. Couplets, where they are the speaker's way or it is an aside."""
        couplets = CAST[voice.speaker].rhymes
        if line == "[Aside.]\n":
            couplets, voice = True, Voice(voice.speaker, "")
            line = self._source.derive(Slot("sentence", (voice,)), holes)
        spoken = 1
        while line != "\n":
            last, ended = line, self._source.filled
            due = couplets and spoken % 2 == 1
            rhymes = {**holes, **rhyming(*ended)} if due else holes
            first_word = line.partition(" ")[0]
            if line.endswith(",\n") and first_word in lines.FOLLOWING_LINES:
                line = self._source.derive(Slot("following", (voice, first_word)), rhymes)
            elif due or line.endswith((";\n", ":\n")):
                line = self._source.derive(Slot("sentence", (voice,)), rhymes)
            else:
                line = self._source.derive(Slot("go on", (voice,)), rhymes)
            spoken += 1
        self._ending = "question" if last.endswith("?\n") else LAST_WORDS[ended[0]]
        self._echo = ended[1]


def register(speaker: int, listener: int | None) -> str:
    if listener is None:
        return ""
    return "thou" if CAST[speaker].rank > CAST[listener].rank else "you"


def rhyming(hole: str, word: str) -> dict[str, Slot]:
    """The holes at the end of a line that must rhyme with `word`."""
    family = RHYMES_WITH[LAST_WORDS[hole], word]
    return {name: Slot("rhyme", (part, family, word)) for name, part in LAST_WORDS.items()}


def sing(source: Source, voice: Voice) -> None:
    """Verses that rhyme by turns, each with the same refrain after it."""
    refrain_line = Slot("refrain", (voice,))
    line = Slot("song line", (voice, ","))
    while source.derive(line, ANY_RHYME) != "\n":
        first = source.filled
        source.derive(Slot("song line", (voice, ",")), ANY_RHYME)
        second = source.filled
        source.derive(Slot("song line", (voice, ",")), rhyming(*first))
        source.derive(Slot("song line", (voice, ".")), rhyming(*second))
        refrain_line = Slot("certain", (source.derive(refrain_line),))
        line = Slot("song goes on", (voice,))


ANY_RHYME = {name: Slot("last word", (part,)) for name, part in LAST_WORDS.items()}
BY_LABEL = {person.label: i for i, person in enumerate(CAST)}
BY_ENTRY = {person.entry: i for i, person in enumerate(CAST)}
