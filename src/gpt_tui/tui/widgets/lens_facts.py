"""What the lenses tell in words: of one character, of the places that stand out, of what a character looks at."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.cells import cell_len
from textual.content import Content

from gpt_tui.tui.plain import one_line
from gpt_tui.tui.widgets.passage_facts import ANOTHER, EARLIER
from gpt_tui.tui.widgets.rows import Rows
from gpt_tui.tui.widgets.tints import Scale, share_at

if TYPE_CHECKING:
    from gpt_tui.core.lens import TextSurprise

BEFORE, AFTER = 18, 10  # characters shown around a place
NARROW = 40  # cells below which a list has the most telling figures only
LISTED = 40  # places that stand out
LOOKED_AT = 5  # places that are told of
LITTLE = 0.5  # bits; what was learned or lost is told of from there on


@dataclass(frozen=True)
class Place:
    """A place of a text that stands out. figures: what it costs; brief: the most telling of them."""

    at: int
    figures: str
    brief: str


class PlaceRows(Rows):
    """Places of a text; the cursor of the text goes along with theirs."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__("places", "l", id=id)
        self._characters: Sequence[str] = ()
        self._places: Sequence[Place] = ()
        self._heads = ("", "")

    def show(self, characters: Sequence[str], places: Sequence[Place], heads: tuple[str, str] = ("", "")) -> None:
        """heads: what stands over the figures, and over the brief ones."""
        if (places, heads) != (self._places, self._heads):
            self._characters, self._places, self._heads = characters, places, heads
            self.changed(0)

    @property
    def at(self) -> int | None:
        """The character of the row under the cursor."""
        return self._places[self.cursor].at if self._places else None

    @property
    def count(self) -> int:
        return len(self._places)

    def head(self, width: int) -> Content:
        return Content(f"{self._heads[width < NARROW]}  where")

    def line(self, index: int, width: int) -> Content:
        place = self._places[index]
        figures = place.brief if width < NARROW else place.figures
        room = width - len(figures) - 2 - 4  # brackets, and the sign that there is more before
        after = min(AFTER, max(room // 3, 0))
        where = in_place(self._characters, place.at, min(BEFORE, max(room - after, 0)), after)
        return Content.assemble(f"{figures}  ", where)

    @property
    def copied(self) -> str:
        return "\n".join(f"{p.figures.strip()}\t{in_place(self._characters, p.at).plain}" for p in self._places)


def in_place(characters: Sequence[str], at: int, most: int = BEFORE, then: int = AFTER) -> Content:
    """A character between those around it. most, then: how many of them before and after it, at most."""
    before = one_line("".join(characters[max(0, at - most) : at]))
    after = one_line("".join(characters[at + 1 : at + 1 + then]))
    return Content.assemble(
        ("…" if at > most else " ", "$text-muted"),
        (before, "$text-muted"),
        (f"[{one_line(characters[at])}]", "bold"),
        (after, "$text-muted"),
    )


def quoted(character: str) -> str:
    """A character, by name where it would not be seen."""
    return {"\n": "line end", " ": "space", "\t": "tab"}.get(character, f"“{one_line(character)}”")


def ordinal(rank: int) -> str:
    if rank == 1:
        return "the likeliest"
    ending = "th" if rank % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(rank % 10, "th")
    return f"{rank}{ending} likeliest"


def chance(bits: float) -> str:
    """A probability, from its -log2."""
    p = 2.0**-bits
    return f"{p:.3f}" if p >= 0.0005 else "<.001"


@dataclass(frozen=True)
class Wording:
    """How a difference is told. title, heads: of its places; less, more, then: of one character; columns: by kind."""

    title: str
    less: str
    more: str
    then: str
    columns: tuple[str, str, str]
    heads: tuple[str, str]


LEARNED = Wording(
    "learned most, and lost", "learned", "lost", "before", EARLIER, ("learned   then    now", "learned")
)  # beside an earlier model of the same run
COMPARED = Wording(
    "less surprised, and more", "less by", "more by", "other", ANOTHER, ("   less  other   this", "   less")
)  # beside any other


def readout(
    character: str, bits: float, rank: int, learned: float | None, other: str, wording: Wording = LEARNED
) -> list[Content]:
    """p, rank and bits of a character, the fullest first. learned: bits that it costs less than under the other model.

    other: how that one is called
    """
    name = (f"{quoted(character)}  ", "bold")
    if math.isnan(bits):
        return [Content.assemble(name, ("nothing stands before it, so nothing was expected here", "$text-muted"))]
    told = f"p {chance(bits)} · {ordinal(rank)} · {bits:.2f} bits"
    if learned is None or math.isnan(learned):
        return [Content.assemble(name, told)]
    change = f"{wording.less if learned >= 0 else wording.more} {abs(learned):.2f}"
    then = f"{bits + learned:.2f}"
    before = f"{wording.then} {then}"
    return [
        Content.assemble(name, f"{told} · {other}: {then} bits · {change}"),
        Content.assemble(name, f"{told} · {before} · {change}"),
        Content.assemble(name, f"{bits:.2f} bits · {before} · {change}"),
    ]


def table(read: TextSurprise, learned: Sequence[float], wording: Wording = LEARNED) -> list[str]:
    """What each character cost, as tab-separated text; nothing where nothing was expected. learned: () where nothing is
    compared."""
    lines = ["\t".join(["character", "p", "rank", "bits", *([wording.columns[-1]] if learned else [])])]
    for at, letter in enumerate(read.letters):
        bits = read.bits[at]
        row = [f"{2.0**-bits:.6f}", str(read.ranks[at]), f"{bits:.3f}", *([f"{learned[at]:.3f}"] if learned else [])]
        lines.append("\t".join([one_line(letter.text), *([""] * len(row) if math.isnan(bits) else row)]))
    return lines


def worst(read: TextSurprise) -> list[Place]:
    """The places that cost most."""
    from gpt_tui.core.lens import highest

    found = []
    for at in highest(read.bits, LISTED):
        bits = f"{read.bits[at]:5.1f}"
        found.append(Place(at, f"{bits}  {chance(read.bits[at])}  {read.ranks[at]:>4}", bits))
    return found


def changed(then: Sequence[float], now: Sequence[float], learned: Sequence[float]) -> list[Place]:
    """What was learned most, and below it what was lost most."""
    from gpt_tui.core.lens import highest

    best = [at for at in highest(learned, LISTED) if learned[at] >= LITTLE]
    lost = [at for at in highest([-bits for bits in learned], LISTED // 4) if learned[at] <= -LITTLE]
    return [
        Place(at, f"{learned[at]:+7.1f}  {then[at]:5.1f}  {now[at]:5.1f}", f"{learned[at]:+7.1f}")
        for at in [*best, *lost]
    ]


# What a character looks at ---------------------------------------------------------------------------------------


def looked_at(characters: Sequence[str], shares: Sequence[float], first: int, at: int, width: int) -> list[Content]:
    """The places that a character looks at most. shares: what it takes of each character from `first` on up to it."""
    order = sorted(range(len(shares)), key=lambda place: -shares[place])[:LOOKED_AT]
    lines = [_taken(characters, shares, first, at, place, width) for place in order]
    rest = 1 - sum(shares[place] for place in order)
    if len(shares) > len(order):
        others = f"{100 * rest:3.0f} %  all {len(shares) - len(order)} others together"
        lines.append(Content.styled(others, "$text-muted"))
    return lines


def each_head(
    characters: Sequence[str], rows: Sequence[Sequence[float]], first: int, at: int, chosen: int, width: int
) -> list[Content]:
    """What each head takes most of. rows: as `shares` of `looked_at`, for each head. chosen: from 1; 0 is none."""
    lines = [Content(""), Content.styled("each head, most", "$text-muted")]
    for head, shares in enumerate(rows, 1):
        place = max(range(len(shares)), key=lambda place: shares[place])
        name = f"{'▸' if head == chosen else ' '}{head:>2} "
        taken = _taken(characters, shares, first, at, place, width - len(name))
        lines.append(Content.assemble((name, "bold $text-accent" if head == chosen else "$text-muted"), taken))
    return lines


def _taken(characters: Sequence[str], shares: Sequence[float], first: int, at: int, place: int, width: int) -> Content:
    """One place, and how much of it is taken."""
    back = at - first - place
    where = "itself" if not back else f"{back} back"
    share = f"{100 * shares[place]:3.0f} %"
    name = quoted(characters[first + place])
    rest = f"  {name}{' ' * max(9 - cell_len(name), 1)}{where:<9} "
    line = Content.assemble((share, "bold"), rest, in_place(characters, first + place))
    return line.truncate(width, ellipsis=True) if width > 0 else line


def share_legend(scale: Scale, tinted: bool, shades: str) -> list[Content]:
    """How to read a share, the fullest first. shades: those of a map that has no colours; "" where there is none."""
    if shades:
        last = len(shades) - 1
        steps = " ".join(f"{shade} {100 * (at / last) ** 2:.0f}%" for at, shade in enumerate(shades) if at)
        return [Content(f"what it takes of each: {steps}"), Content(steps)]
    if not tinted:
        marks = " · ".join(f"{scale.marks[level]} {100 * share_at(level):.0f}%" for level in (1, 3, 5, 7, 9))
        return [Content(f"below each what it takes of it: {marks}"), Content(marks)]
    swatches = [(f" {100 * share_at(level):.0f}% ", scale.style(level)) for level in range(1, 10)]
    short = Content.assemble(*swatches)
    return [Content("what it takes of each: ") + short, short]
