"""Who is in the play: rank, age, theme, manner of speech, and the lines that only they speak."""

from __future__ import annotations

from typing import NamedTuple


class Character(NamedTuple):
    """One of the company.

    label:   the name over a speech                 called: the name in another's verse
    entry:   the name in a stage direction          titles: how those of equal or lower rank may address them
    man:     he, otherwise she                      rank:   who stands higher says "thou", and is told "you"
    theme:   the words that come to mind first      old:    says "hath" and "doth", not "has" and "does"
    rhymes:  speaks in couplets                     sings:  so many of a hundred speeches are songs
    ends:    of a hundred sentences, so many are the last of their speech
    oaths:   what a speech may begin with           lines:  templates of their own, said to nobody (see lines.py)
    """

    label: str
    called: str
    entry: str
    man: bool
    rank: int
    theme: str
    old: bool
    rhymes: bool
    sings: int
    ends: int
    titles: tuple[str, ...]
    oaths: tuple[str, ...]
    lines: tuple[str, ...]


def character(
    entry: str,
    called: str,
    sex: str,
    rank: int,
    theme: str,
    *,
    label: str = "",
    old: bool = False,
    rhymes: bool = False,
    sings: int = 0,
    ends: int = 40,
    titles: str,
    oaths: str,
    lines: str,
) -> Character:
    return Character(
        label or entry.upper(), called, entry, sex == "he", rank, theme, old, rhymes, sings, ends,
        tuple(titles.split("|")), tuple(oaths.split("|")), tuple(lines.strip().splitlines()),
    )  # fmt: skip


CAST = (
    character(
        "King Aldred", "Aldred", "he", 9, "court", old=True, ends=30,
        titles="my liege|great king|dread sovereign", oaths="By heaven,|We say,|Upon our crown,|Enough!",
        lines="""
We are the king, {and} we will have {the} {night}
We, that have {broken} {the} {crown}, {will} never {weep}
Our {crown} {is} {golden}, but our {grief} {is} {bright}
What {breaketh} kings, but {grief} and {golden} {night}?
A king is but {a soldier} that {will} {weep}
I was {a soldier} once, and then {the} {night}
A throne is but {the} {mirror} of my {night}
""",
    ),
    character(
        "Queen Maudlin", "Maudlin", "she", 9, "court", old=True, ends=30,
        titles="great queen|my queen|good madam", oaths="Fie, fie!|By this my ring,|O patience,|Husband or no,",
        lines="""
I that was queen am now {a golden} {night}
A queen {will} {break} {the} {mirror} while men {weep}
Nine years I {sleep}, nine years {the} {crown} {is} {bright}
My lord the king {doth} {break} {the} {golden} {night}
Who {breaketh} queens {will} {break} {a golden} {night}
My ladies {sleep}, and I alone am {bright}
""",
    ),
    character(
        "Prince Corvin", "Corvin", "he", 8, "love", label="CORVIN", rhymes=True, sings=4, ends=34,
        titles="sweet prince|my prince|young lord", oaths="Ah me,|By Cupid's bow,|O love,|Be still, my heart:",
        lines="""
O let me {break} her {crown} and {softly} {weep}!
She is {a crown}, {and} I {the} {golden} {night}
Her eyes are {crowns}, her {mirror} {is} more {bright}
I {softly} {sleep} whene'er I see {the} {night}
My lady {sleeps}; speak {softly}, {golden} {night}!
She {breaks} me with a kiss, {and} I {will} {weep}
""",
    ),
    character(
        "Lady Linnet", "Linnet", "she", 7, "love", label="LINNET", rhymes=True, sings=6, ends=36,
        titles="sweet lady|fair maid|dear lady", oaths="Alack,|Heigh-ho,|By all true love,|O gentle stars,",
        lines="""
He is {a mirror}, I {the} {golden} {night}
His {crown} {is} {golden}, and his {grief} {is} {bright}
O would that he were {cold}, and I more {bright}!
My prince {has} {broken} {a crown} to make me {weep}
I {sleep} for love, and for my love I {weep}
Were I {a crown}, how {softly} would I {weep}!
""",
    ),
    character(
        "Ferrand", "Ferrand", "he", 5, "love", ends=32, sings=5,
        titles="kind sir|good sir", oaths="I've writ it thus:|O rare!|Attend, attend:|By all nine Muses,",
        lines="""
My verse {has} ten good feet, and all {are} {bright}
I'll write a sonnet on {the} {golden} {night}
Ye Muses, {break} {the} {mirror} till I {weep}
How shall I rhyme {a crown} with such {the} {night}
My pen {is} {cold}, my {golden} paper {bright}
Ten sonnets have I {broken} {in} {the} {night}
""",
    ),
    character(
        "Lettice", "Lettice", "she", 5, "feast", ends=46, sings=3,
        titles="sweet lass|good mistress", oaths="La, sir,|Faith,|Prithee,|Go to, go to:",
        lines="""
Men {are} {cold} {crowns} that {sleep} and then {are} {bright}
A husband is {a mirror} that {will} {weep}
I'd sooner wed {a mirror} than {the} {night}
He kneels, he {sleeps}, he swears that he {will} {weep}
A wooer is {a crown} that's seldom {bright}
I'll have no man that {sleeps} but {in} {the} {night}
""",
    ),
    character(
        "Duke Mortain", "Mortain", "he", 8, "night", label="MORTAIN", ends=24,
        titles="my lord|your grace|dread lord", oaths="So, so.|Mark me,|Softly now:|By night and hell,",
        lines="""
Bow low, Mortain, bow low, and {break} {the} {golden} {night}
I'll put {a crown} of {grief} {upon} {the} {night}
They trust me: so {a soldier} trusts {the} {night}
One {crown} remains, and then {the} {crown} {is} {bright}
The king {will} {sleep}, and {softly} must he {weep}
I {break} them all, and none shall see me {weep}
""",
    ),
    character(
        "Countess Sabine", "Sabine", "she", 8, "night", label="SABINE", ends=32,
        titles="my lady|great lady", oaths="Speak low:|By my revenge,|Hush,|I swear to thee, dark moon,",
        lines="""
I wear {a mirror} underneath {the} {night}
My husband {sleeps}, that had {a crown} so {bright}
Revenge {is} {cold}, but {honour} {is} more {bright}
A widow's {crown} {is} {cold} and never {bright}
I keep his {mirror}, and by night I {weep}
Ten {cold} {knaves} {will} {sleep}, or I {will} {weep}
""",
    ),
    character(
        "Captain Bracken", "Bracken", "he", 6, "war", label="BRACKEN", ends=52,
        titles="brave captain|good captain", oaths="By my good sword,|Stand fast!|Blood and bones!|To arms:",
        lines="""
Ho! {break} {the} {crown}, and let {those} {soldiers} {weep}!
I have nine wounds, and every one {is} {bright}
Form ranks! The {knaves} of {honour} never {weep}
Strike up {the} {crown}, and {break} {the} {golden} {night}!
My men {are} {cold}, but they {will} {break} {the} {night}
I've slept in {a mirror}, and dined {upon} {the} {night}
""",
    ),
    character(
        "Corporal Tumble", "Tumble", "he", 2, "war", label="TUMBLE", ends=58, sings=4,
        titles="good corporal", oaths="Zounds!|Zooks!|Oons,|As I am a man,|'Sblood,",
        lines="""
I ran, but 'twas {a golden} way to {weep}
I've lost my boots, my {mirror}, and my {night}
Who goes there? Nay, 'tis but {a golden} {night}
They've {broken} my {crown} and left me with {the} {night}
I am no coward, but I like {the} {night}
Give me three {crowns}, {a mirror}, and {the} {night}
""",
    ),
    character(
        "Pipkin", "Pipkin", "he", 1, "feast", rhymes=True, sings=22, ends=44,
        titles="good fool", oaths="Master,|Riddle me this:|Quack, quack!|Hey ho,|By my cap and bells,",
        lines="""
Why is a king like {a mirror}? Both {will} {weep}
Why is a queen like {a crown}? She {sleeps} at {night}
I am a fool, {a mirror}, and {the} {night}
I had an uncle {sleeping} {in} {the} {night}
A fool {will} {sleep}, but only kings {are} {bright}
My cap {is} {cold}, my bells {are} {golden} {bright}
If wit were {crowns}, what {soldier} would be {bright}?
""",
    ),
    character(
        "Nurse", "Nurse", "she", 2, "feast", old=True, sings=8, ends=22,
        titles="good nurse|old nurse", oaths="Marry,|Bless my old bones,|Lord, Lord!|Well, as I said,|Jesu, my back!",
        lines="""
I had a husband, and he loved {the} {night}
When she was three she'd {broken} {a mirror} by {night}
Ah, well-a-day! my knees {are} {cold} and {bright}
My husband, rest him, was {a golden} {night}
I suckled her, and she was never {bright}
Where was I? Ay, {the} {mirror}, and {the} {night}
She had {a golden} {crown}, {and} she {will} {weep}
""",
    ),
    character(
        "Friar Odo", "Odo", "he", 6, "night", old=True, ends=30,
        titles="good friar|holy sir", oaths="Pax vobis,|Benedicite!|My child,|By holy church,",
        lines="""
Dust {sleepeth}, child, and dust shall be {the} {night}
The saints {break} not {the} {mirror} when we {weep}
Who {breaketh} bread, he {breaketh} too {the} {night}
Repent! {those} {crowns} {are} {cold}, and hell {is} {bright}
All flesh is {a mirror} {sleeping} {in} {the} {night}
Ring, bells, and let the {golden} sinners {weep}
""",
    ),
    character(
        "Doctor Quillet", "Quillet", "he", 4, "court", label="QUILLET", old=True, ends=26,
        titles="good doctor|learned sir", oaths="Ergo,|Videlicet,|Imprimis,|Nota bene:|Distinguo:",
        lines="""
Item, {a crown}; item, {the} {golden} {night}
The ancients write that {crowns} do {softly} {weep}
In Greek, {a mirror} signifies {the} {night}
I have a book that proves {the} {mirror} {bright}
Galen {will} {break} {a crown} if one should {weep}
It followeth that {honour} is {the} {night}
Quod erat, sir: {the} {crown} {is} {cold} and {bright}
""",
    ),
    character(
        "the Ghost", "Spirit", "he", 9, "night", label="GHOST", old=True, rhymes=True, ends=30,
        titles="dread ghost|dark thing", oaths="Attend me!|Cold, cold!|Woe, woe,|I come, I come:",
        lines="""
I walk, I {sleep}, I am no more {the} {night}
My grave {doth} {sleep}, and may not hold {the} {night}
'Twas in my sleep they slew me, and {the} {night}
I was a king; I am {a golden} {night}
Swear by my {crown}, O swear it by {the} {night}!
Thrice {doth} {the} {mirror} {sleep}, and thrice I {weep}
""",
    ),
    character(
        "Sybil", "Sybil", "she", 3, "night", old=True, rhymes=True, sings=12, ends=38,
        titles="wise mother|old witch", oaths="Simmer, simmer,|Moth and rat,|By wart and web,|Seven and nine,",
        lines="""
I brew {a knave}, {a crown}, and {golden} {night}
Nine times I stir {the} {crown}, nine times {the} {night}
I see {a mirror}, {broken} {in} {the} {night}
I see a king without {a crown} to {weep}
Simmer, my {mirror}; {break} {those} {knaves} that {weep}!
The {cold} moon {sleepeth}, {softly}, {softly} {bright}
""",
    ),
    character(
        "Crabtree", "Crabtree", "he", 3, "court", ends=36,
        titles="good steward|sir steward", oaths="Ahem!|By your good leave,|Order, order!|I do protest,",
        lines="""
This is no tavern, and no place to {weep}
I have the keys, {the} {mirror}, and {the} {night}
Who {has} been {sleeping} in my lady's {night}?
The spoons are number'd, {and} {those} {crowns} {are} {bright}
My stockings {are} most {golden} and most {bright}
One day I shall be a lord, and never {weep}
""",
    ),
    character(
        "Mistress Brindle", "Brindle", "she", 2, "feast", label="BRINDLE", sings=8, ends=42,
        titles="good hostess|sweet hostess", oaths="Out, out!|Lawks,|Pay first:|By my best cask,",
        lines="""
Who pays for all the {mirrors} and {the} {night}?
My ale {is} {cold}, my {mirror} fat and {bright}
You owe me for {a mirror} and {the} {night}
I keep a house where {soldiers} come to {weep}
The knight {has} {broken} my {mirror} and my {night}
Three pence for {grief}, and twopence for {the} {night}
""",
    ),
    character(
        "Halyard", "Halyard", "he", 3, "sea", sings=14, ends=42,
        titles="good sailor|old tar", oaths="Avast!|Yo ho,|Salt and thunder!|By Neptune's beard,",
        lines="""
Haul up {the} {crown}, and let {those} {mirrors} {weep}!
I've sail'd from Spain to {crown} and {golden} {night}
The sea is {a mirror} that {breaks} {the} {golden} {night}
West {in} {the} {crown}, and mind {the} {golden} {night}
There is a mermaid, {cold}, and O so {bright}
Below the wave {those} {golden} {soldiers} {weep}
""",
    ),
    character(
        "Martlet", "Martlet", "he", 1, "sea", sings=16, ends=54,
        titles="sweet boy|good lad", oaths="Please you,|I ran, my lord:|In sooth,|O quick!",
        lines="""
A letter, with {a crown}, and seal'd with {night}
There is {a knave} without, and he does {weep}
I saw a ship, {a mirror}, and {the} {night}
When I am grown, I'll {break} {the} {golden} {night}
The {soldiers} come! I heard {those} {mirrors} {weep}
I am but small, yet I {will} {break} {the} {night}
""",
    ),
)  # fmt: skip
