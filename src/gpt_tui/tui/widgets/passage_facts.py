"""What stands beside a coloured passage: its legend, what cost most, and what was learned of each kind."""

from __future__ import annotations

import math
from collections.abc import Sequence

from textual.content import Content

from gpt_tui.tui import figures
from gpt_tui.tui.letter_kinds import KINDS, kinds
from gpt_tui.tui.plain import one_line
from gpt_tui.tui.widgets.tints import Scale

NAMED = 3  # places that are named
BEFORE, AFTER = 16, 12  # characters shown around a place
EARLIER = ("first", "now", "learned")  # columns of what an earlier model of the same run cost, this one, the difference
ANOTHER = ("other", "this", "less")  # the same of any other model


def bits_of(nats: Sequence[float]) -> list[float]:
    return [value / math.log(2) for value in nats]


def mean(bits: Sequence[float]) -> float | None:
    """Bits a character, over those that have a number; None where none has."""
    known = [value for value in bits if not math.isnan(value)]
    return sum(known) / len(known) if known else None


def in_bits(value: float | None) -> str:
    return figures.MISSING if value is None else f"{value:.2f} bits a character"


# Places ----------------------------------------------------------------------------------------------------------


def hardest(text: str, bits: Sequence[float]) -> list[Content]:
    """The characters that cost most, each in its place."""
    places = _highest(bits)
    return [_heading("most surprising"), *(_place(f"{bits[i]:4.1f} bits", text, i) for i in places)] if places else []


def gained_most(text: str, first: Sequence[float], now: Sequence[float]) -> list[Content]:
    """The characters of which most was learned, and those that cost more than at first."""
    learned = [a - b for a, b in zip(first, now, strict=True)]
    lines = []
    for heading, change in (("learned most", learned), ("lost most", [-value for value in learned])):
        if places := [i for i in _highest(change) if change[i] >= 0.5]:
            lines += [_heading(heading), *(_place(f"{first[i]:4.1f} → {now[i]:4.1f}", text, i) for i in places)]
    return lines


def _highest(values: Sequence[float]) -> list[int]:
    known = [i for i in range(len(values)) if not math.isnan(values[i])]
    return sorted(known, key=lambda i: -values[i])[:NAMED]


def _heading(words: str) -> Content:
    return Content.styled(words, "$text-muted")


def _place(figure: str, text: str, at: int) -> Content:
    before = one_line(text[max(0, at - BEFORE) : at])
    return Content.assemble(
        f"{figure}  ",
        ("…" if at > BEFORE else " ", "$text-muted"),
        (before, "$text-muted"),
        (f"[{one_line(text[at])}]", "bold"),
        (one_line(text[at + 1 : at + 1 + AFTER]), "$text-muted"),
    )


# Kinds -----------------------------------------------------------------------------------------------------------


def by_kind(
    text: str, first: Sequence[float], now: Sequence[float], columns: tuple[str, str, str] = EARLIER
) -> list[Content]:
    """A table: what each kind of character cost at first, what it costs now, in bits a character."""
    places: dict[str, list[int]] = {kind: [] for kind in KINDS}
    for i, kind in enumerate(kinds(text)):
        places[kind].append(i)
    rows = [(name, at) for name, at in places.items() if at]
    rows.append(("all of it", list(range(len(text)))))
    then, here, change = columns
    head = f"{'bits a character':<16}{'number':>7}{then:>7}{here:>7}{change:>9}"
    return [_heading(head), *(_row(name, at, first, now) for name, at in rows)]


def _row(name: str, at: Sequence[int], first: Sequence[float], now: Sequence[float]) -> Content:
    was, costs = mean([first[i] for i in at]), mean([now[i] for i in at])
    learned = None if was is None or costs is None else was - costs
    figures_ = "".join(
        f"{figures.MISSING if value is None else f'{value:{form}}':>{width}}"
        for value, form, width in ((was, ".2f", 7), (costs, ".2f", 7), (learned, "+.2f", 9))
    )
    return Content.styled(f"{name:<16}{len(at):>7}{figures_}", "bold" if name == "all of it" else "")


# Legends ---------------------------------------------------------------------------------------------------------


def surprise_legend(scale: Scale, tinted: bool, vocab_size: int | None) -> list[Content]:
    """How to read the surprise of a character, the fullest first."""
    clueless = f" · {math.log2(vocab_size):.1f}: as if every character were as likely" if vocab_size else ""
    if not tinted:
        short = Content("below each character its bits: . none · 1 one of two · 3 one of eight")
        return [short + f" · 9 or more{clueless}", short]
    swatches = [(f" {bits}{'+' if bits == 9 else ' '}", scale.style(bits)) for bits in range(10)]
    short = Content.assemble("bits: sure ", *swatches, " surprised")
    longer = short + Content.styled(" · 1: one of two", "$text-muted")
    return [longer + Content.styled(clueless, "$text-muted"), longer, short]


def difference_legend(scale: Scale, tinted: bool, first: int) -> list[Content]:
    """How to read what was learned of a character since the evaluation at step `first`, the fullest first."""
    return _change_legend(scale, tinted, ("lost", "learned"), f" than at step {first:,}")


def compared_legend(scale: Scale, tinted: bool, other: str) -> list[Content]:
    """How to read what a character costs less than under another model, the fullest first. other: its name."""
    return _change_legend(scale, tinted, ("more", "less surprised"), f" than under {one_line(other)}")


def _change_legend(scale: Scale, tinted: bool, ends: tuple[str, str], than: str) -> list[Content]:
    if not tinted:
        return [Content(f"bits cheaper{words}: 1…6 · dearer: a…f · about the same: .") for words in (than, "")]
    swatches = [(f"{bits:+d} " if bits else " 0 ", scale.style(bits)) for bits in range(-6, 7, 2)]
    short = Content.assemble(f"{ends[0]} ", *swatches, f" {ends[1]}")
    return [short + Content.styled(f" · bits that a character costs less{than}", "$text-muted"), short]
