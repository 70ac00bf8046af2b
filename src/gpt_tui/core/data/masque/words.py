"""The words of the play, by part of speech, number of syllables and theme, and how each is inflected.

Within a list the first words are the commonest. A word stands once in a table, and in one family of rhyme, so that
a choice can be read back from the text.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

THEMES = ("war", "court", "love", "sea", "night", "feast")
Table = dict[str, tuple[str, ...]]


def table(**listed: str) -> Table:
    return {theme: tuple(listed[theme].split()) for theme in THEMES}


# Things that can be counted: one syllable, then two with the stress on the first.
THING1 = table(
    war="sword drum shield spear flag tent lance horn wound trench axe scar camp boot gun fort mine siege pike blade"
    " fuse march club sling hoof rein bomb dart forge moat spur troop bridge",
    court="crown throne robe chain glass cup chair coach glove seal lamp scroll wig fan quill court sash lock plume"
    " bribe desk fur frill arch ruff",
    love="rose lute kiss lip dove ring song vow tear bud veil cheek sigh dream pledge eye hand shawl bow curl"
    " blush lark verse charm bed harp nest swan brook breast lamb flute",
    sea="ship sail wave rock mast oar rope storm shell whale net gull cloud cave pearl crab wreck plank reef deck"
    " port tide chart barge fin squid raft wharf pier cod beach stream creek",
    night="star bell tomb owl bat tree wolf worm skull spell grave hill leaf root shroud bone torch oak crow yew"
    " moor shade toad vault curse claw bog web thorn well tooth cloak flame wraith",
    feast="pot pie goose spoon cheese jug ham tart cask loaf nut plum cake egg hen eel bean stool pig leek"
    " bowl knife crumb trout plate peach cork hog grape dish roast stew hat shoe",
)
THING2 = table(
    war="banner trumpet cannon dagger saddle helmet musket battle castle stallion bullet tower hammer rampart"
    " bugle charger pistol bandage",
    court="mirror palace sceptre jewel letter feather carpet curtain window scandal ribbon title buckle ballroom"
    " portrait ermine parchment signet fountain",
    love="garden lily sonnet pillow locket blossom turtle cradle bower garland posy violet picture bosom"
    " daisy whisper linnet orchard slipper",
    sea="anchor tempest harbour billow island rudder mermaid dolphin vessel pebble lantern river oyster seagull"
    " compass current galley herring",
    night="candle shadow raven meadow thistle spider coffin willow planet altar comet ember riddle adder"
    " cavern hemlock portent beetle vapour",
    feast="pudding kettle barrel apple ladle onion chicken cellar goblet napkin dumpling capon turnip pastry"
    " sausage parsnip cherry table bottle",
)

PERSON1 = table(
    war="knight squire guard scout page foe thief spy groom",
    court="king duke lord earl clerk judge queen heir count",
    love="maid bride swain youth dame nymph belle niece",
    sea="slave rogue knave boy wretch tar Turk Dane Moor",
    night="witch saint nun monk priest fiend ghost sage hag",
    feast="cook fool host guest clown smith drunk bard wag",
)
PERSON2 = table(
    war="soldier captain archer hero traitor drummer gunner ensign champion",
    court="tyrant monarch baron lady courtier doctor statesman steward lawyer",
    love="lover widow shepherd virgin wooer poet sweetheart cousin husband",
    sea="sailor beggar pirate stranger merchant fellow pilot pedlar gypsy",
    night="hermit prophet pilgrim angel devil orphan sexton wizard phantom",
    feast="butler brewer baker tinker cobbler glutton hostess jester miller",
)

# What cannot be counted.
VIRTUE1 = table(
    war="war death rage blood strength might fire steel force dread smoke",
    court="pride state wealth fame rank law gold wit power praise lace",
    love="love youth grace faith truth joy bliss spring ease hope trust",
    sea="chance wind fate salt change time luck foam space rain sand",
    night="grief sleep sin dust fear age doom woe guilt frost gloom",
    feast="mirth wine thirst bread greed ale sport noise cream fat soup",
)
VIRTUE2 = table(
    war="honour courage danger slaughter fury glory vengeance thunder valour",
    court="fortune treason favour flattery malice silver justice envy splendour",
    love="beauty passion longing music kindness virtue summer laughter pity",
    sea="water weather freedom exile patience distance hunger winter sunlight",
    night="sorrow silence darkness heaven slumber madness conscience moonlight horror",
    feast="plenty folly supper mustard gossip butter nonsense pepper honey",
)

ADJECTIVE1 = table(
    war="proud fierce strong bold hard red grim brave stout sharp lame",
    court="high rich vain grand smooth great gilt stern prim shrewd sleek",
    love="sweet fair soft young warm dear true mild shy pure chaste",
    sea="wild deep cold swift blue lost rough wet loud green bleak",
    night="dark pale black still grey strange sad old dead dim blind",
    feast="fat round ripe sour plump mad thin good stale hot",
)
ADJECTIVE2 = table(
    war="bloody iron valiant broken weary angry deadly warlike dauntless rusty",
    court="golden royal noble stately cunning empty painted crooked polish'd haughty",
    love="gentle tender blushing lovely silken constant rosy modest perfect bashful",
    sea="bitter roaring hollow restless sunken foreign drowning ragged stormy distant",
    night="secret silent ancient haunted wicked dreaming frozen lonely ghastly fatal",
    feast="merry greasy hungry foolish tipsy homely jolly pickled roasted honest",
)

# Verbs of one syllable. Those that take an object give their participle after "=" where it is not regular.
TRANSITIVE = table(
    war="strike=struck guard break=broken win=won slay=slain burn pierce storm spare bind=bound crush stab smash",
    court="buy=bought sell=sold serve praise judge crown steal=stolen rule bribe tax rob flog gild",
    love="love kiss woo seek=sought trust charm clasp wake=woken bless please keep=kept wear=worn soothe",
    sea="lose=lost drown find=found toss cross sink=sunk chase leave=left haul drag ride=ridden hook scrub",
    night="curse fear dread haunt hide=hidden mourn watch scorn doom wrong damn loathe dig=dug",
    feast="eat=eaten taste mock roast drink=drunk boil carve stuff fetch pinch fry bake spill=spilt",
)
INTRANSITIVE = table(
    war="march bleed fall die rise shout stand charge kneel limp",
    court="shine bow reign smile prance strut frown sneer yawn plot",
    love="blush sigh sing bloom faint glow melt wait pine swoon",
    sea="drift roll float roar sail swim sway wane rove leap",
    night="sleep fade creep moan dream pass gleam weep lurk howl",
    feast="dance laugh snore feast stink swell belch sweat skip cough",
)
ADVERB = table(
    war="boldly fiercely proudly bravely sternly",
    court="grandly smoothly coldly vainly richly",
    love="softly sweetly gently dearly meekly",
    sea="wildly swiftly deeply slowly roughly",
    night="darkly sadly strangely palely dimly",
    feast="sourly loudly warmly madly plumply",
)


class Family(NamedTuple):
    """Words that rhyme: nouns that can follow "the", verbs that need no object, adjectives."""

    nouns: tuple[str, ...]
    verbs: tuple[str, ...]
    adjectives: tuple[str, ...]


def family(nouns: str, verbs: str, adjectives: str) -> Family:
    return Family(tuple(nouns.split()), tuple(verbs.split()), tuple(adjectives.split()))


RHYMES = (
    family("night light knight sight flight height", "fight write alight unite", "bright white right slight"),
    family("day way play clay bay fray", "stay pray obey betray delay", "gay grey astray"),
    family("tear ear spear year fear bier", "hear appear disappear", "dear clear near sincere"),
    family("snow woe foe bow crow show", "go know grow forego", "low slow aglow"),
    family("sea tree bee knee key fee", "see flee agree decree", "free carefree"),
    family("gold fold cold threshold", "hold behold unfold scold", "old bold untold"),
    family("rain chain pain grain plain", "remain complain reign explain feign", "vain insane germane"),
    family("sheep deep keep heap", "weep sleep creep leap", "steep cheap asleep"),
    family("bed head bread thread", "wed tread", "red dead misled unfed"),
    family("flame name game shame dame", "blame proclaim exclaim", "lame tame"),
    family("wave grave cave knave slave", "rave save behave", "brave grave"),
    family("shore door floor war oar", "adore implore roar snore", "sore poor"),
    family("wine vine shrine line swine", "shine dine repine", "fine divine benign"),
    family("fire lyre choir spire mire", "desire tire expire conspire", "dire entire"),
    family("bell shell spell cell", "tell dwell rebel swell", "well unwell"),
    family("sound ground hound mound", "resound abound", "round sound profound"),
    family("air hair stair bear prayer chair", "swear despair beware", "fair bare rare unfair"),
    family("hall wall ball squall", "fall call crawl brawl", "tall small"),
    family("deed steed weed seed reed", "bleed plead succeed feed", "freed agreed"),
    family("crown gown town clown", "drown frown", "brown grown"),
    family("mind wind hind rind", "find unwind", "blind kind resigned unkind"),
    family("gate fate state plate mate", "wait hate debate", "late great straight"),
    family("song wrong throng gong", "belong prolong", "long strong headstrong"),
    family("moon noon spoon tune", "swoon croon", "strewn hewn"),
    family("west breast guest nest", "rest jest protest", "blest best dressed"),
    family("heart dart cart art", "part start depart", "smart apart"),
    family("hill mill will quill", "kill spill fulfil", "ill still chill"),
    family("sky eye fly lie pie", "die sigh cry reply", "high shy dry sly"),
    family("face place mace lace", "embrace race", "base commonplace"),
    family("bride tide side pride", "ride hide bide", "wide tied denied"),
)
PARTS = {"noun": 0, "verb": 1, "adjective": 2}  # the place of each part of speech in a family

RHYMES_WITH = {
    (part, word): number for number, kin in enumerate(RHYMES) for part, place in PARTS.items() for word in kin[place]
}

IRREGULAR_PLURALS = {
    "goose": "geese",
    "knife": "knives",
    "leaf": "leaves",
    "loaf": "loaves",
    "scarf": "scarves",
    "tooth": "teeth",
    "statesman": "statesmen",
    "thief": "thieves",
    "wolf": "wolves",
}
DOUBLING = {"dig", "drag", "flog", "plot", "rob", "skip", "stab", "strut", "swim", "win"}
HISSING = ("s", "sh", "ch", "x", "z")


def article(word: str) -> str:
    return "an" if word[0] in "aeiou" else "a"


def plural(noun: str) -> str:
    if noun in IRREGULAR_PLURALS:
        return IRREGULAR_PLURALS[noun]
    return with_s(noun)


def with_s(word: str) -> str:
    """The plural of a noun; of a verb, what he or she does."""
    if word.endswith(HISSING):
        return word + "es"
    if word.endswith("y") and word[-2] not in "aeiou":
        return word[:-1] + "ies"
    return word + "s"


def stem(verb: str) -> str:
    """What an ending that begins with a vowel is put to."""
    if verb in DOUBLING:
        return verb + verb[-1]
    return verb.removesuffix("e")


def with_st(verb: str) -> str:
    """What thou dost: one syllable still, where the tongue allows it."""
    if verb.endswith((*HISSING, "ce", "ge", "se", "st", "ste")):
        return stem(verb) + "est"
    return verb + "st" if verb.endswith("ie") else verb.removesuffix("e") + "'st"


def with_eth(verb: str) -> str:
    return stem(verb) + "eth"


def with_ing(verb: str) -> str:
    return verb[:-2] + "ying" if verb.endswith("ie") else stem(verb) + "ing"


def participle(verb: str) -> str:
    if verb.endswith(("d", "t")):
        return verb + "ed"
    return verb + "d" if verb.endswith("te") else stem(verb) + "'d"


TABLES: dict[str, Table] = {
    "thing1": THING1,
    "thing2": THING2,
    "person1": PERSON1,
    "person2": PERSON2,
    "virtue1": VIRTUE1,
    "virtue2": VIRTUE2,
    "adjective1": ADJECTIVE1,
    "adjective2": ADJECTIVE2,
    "transitive": TRANSITIVE,
    "intransitive": INTRANSITIVE,
    "adverb": ADVERB,
}


def base(entry: str) -> str:
    return entry.partition("=")[0]


FORMS: dict[str, Callable[[str], str]] = {
    "base": base,
    "plural": lambda entry: plural(entry),
    "s": lambda entry: with_s(base(entry)),
    "st": lambda entry: with_st(base(entry)),
    "eth": lambda entry: with_eth(base(entry)),
    "ing": lambda entry: with_ing(base(entry)),
    "participle": lambda entry: entry.partition("=")[2] or participle(entry),
}


def weighted(name: str, theme: str) -> list[tuple[int, str]]:
    """A table's entries, the first of each theme commonest, and those of the theme that is on the speaker's mind."""
    return [
        ((6 + 12 // (rank + 2)) * (2 if kind == theme else 1), entry)
        for kind, entries in TABLES[name].items()
        for rank, entry in enumerate(entries)
    ]
