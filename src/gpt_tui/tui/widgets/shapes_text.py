"""The tensor walk as text: a line a step, or two where there is little room, its sums, and what the letters mean."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from textual.content import Content

from gpt_tui.core.shapes import LETTERS, Step, Walk
from gpt_tui.tui import figures

_GAP = 2  # columns between two columns of the table
_INDENT = 2

# Where only ASCII may be used, a formula needs more than another character for each of its own.
_PLAIN_FORMULA = {
    "kᵀ": "k^T",
    "Eᵀ": "E^T",
    "√D": "sqrt(D)",
    "θ": "theta",
    "Φ": "Phi",
    "²": "^2",
    "−ln": "-ln",
    "T−1": "T-1",
    " … ": " .. ",
    " · ": " * ",
}


@dataclass(frozen=True)
class _Column:
    """right: numbers stand at the right of their column, words at the left."""

    title: str
    cell: Callable[[Step], Content]
    right: bool = False
    style: str = ""


@dataclass(frozen=True)
class _Look:
    """letter: of the shapes, to be made out among the others; "" for none."""

    letter: str
    ascii: bool


def of_walk(walk: Walk, width: int, *, time: str = "", letter: str = "", ascii: bool = False) -> Content:
    """The whole walk on lines of at most `width` columns (44 are needed). time: what it takes, in words."""
    look = _Look(letter, ascii)
    lines = _table(walk, width, look)
    lines += [Content("")]
    lines += _sums(walk, width, time)
    lines += [Content("")]
    lines += _legend(walk, width, look)
    return Content("\n").join(lines)


# The table -------------------------------------------------------------------------------------------------------


def _table(walk: Walk, width: int, look: _Look) -> list[Content]:
    name = _Column("step", lambda step: Content(step.name))
    done = _Column("what is done", lambda step: Content(_formula(step, look)), style="$foreground-muted")
    letters = _Column("shape", lambda step: _letters(step, look))
    shape = _Column("in numbers", lambda step: _shape(step, look))
    memory = _Column("memory", lambda step: _count(step.memory, figures.size), right=True)
    short = [
        _Column("params", lambda step: _count(step.parameters, figures.count), right=True),
        _Column("mult-adds", lambda step: _count(step.multiply_adds, figures.count), right=True),
        memory,
    ]
    exact = [_Column("parameters", lambda step: _count(step.parameters, _whole), right=True), *short[1:]]
    for columns, gap in (
        ([name, done, letters, shape, *exact], _GAP),
        ([name, done, letters, shape, *short], 1),
        ([name, letters, shape, *exact], _GAP),
        ([name, letters, shape, *short], _GAP),
        ([name, letters, shape, *short], 1),
    ):
        widths = _widths(columns, walk.steps)
        if sum(widths) + gap * (len(widths) - 1) <= width:
            return _in_one_line(walk, columns, widths, gap)
    return _in_two_lines(walk, width, name, letters, shape, short)


def _widths(columns: Sequence[_Column], steps: Sequence[Step]) -> list[int]:
    return [max(len(c.title), *(c.cell(step).cell_length for step in steps)) for c in columns]


def _in_one_line(walk: Walk, columns: Sequence[_Column], widths: Sequence[int], gap: int) -> list[Content]:
    def line(cells: Sequence[Content]) -> Content:
        placed = [_placed(cell, at, column.right) for cell, at, column in zip(cells, widths, columns, strict=True)]
        return Content(" " * gap).join(placed).rstrip()

    lines = [line([Content(column.title) for column in columns]).stylize("$foreground-muted")]
    for title, steps in _parts(walk):
        lines.append(title)
        lines += [line([column.cell(step).stylize_before(column.style) for column in columns]) for step in steps]
    return lines


def _in_two_lines(
    walk: Walk, width: int, name: _Column, letters: _Column, shape: _Column, numbers: Sequence[_Column]
) -> list[Content]:
    """The step and its shape in numbers; below them the shape in letters and what it costs."""
    first = _widths([letters], walk.steps)[0] + _INDENT
    room = (width - first) // len(numbers)
    first = width - room * len(numbers)

    def above(left: Content, right: Content) -> Content:
        return left + Content(" " * max(1, width - left.cell_length - right.cell_length)) + right

    def below(left: Content, cells: Sequence[Content]) -> Content:
        indented = Content(" " * _INDENT) + left
        return Content("").join([_placed(indented, first, False), *(_placed(c, room, True) for c in cells)]).rstrip()

    lines = [
        above(Content(name.title), Content(shape.title)).stylize("$foreground-muted"),
        below(Content(letters.title), [Content(c.title) for c in numbers]).stylize("$foreground-muted"),
    ]
    for title, steps in _parts(walk):
        lines.append(title)
        for step in steps:
            lines.append(above(name.cell(step), shape.cell(step)))
            costs = [column.cell(step).stylize_before("$foreground-muted") for column in numbers]
            lines.append(below(letters.cell(step).stylize_before("$foreground-muted"), costs))
    return lines


def _placed(cell: Content, width: int, right: bool) -> Content:
    spare = max(0, width - cell.cell_length)
    return cell.pad_left(spare) if right else cell.pad_right(spare)


def _parts(walk: Walk) -> Iterator[tuple[Content, list[Step]]]:
    """The steps of each part under its name; a block stands once, with how often it is gone through."""
    for (part, times), steps in groupby(walk.steps, key=lambda step: (step.part, step.times)):
        title = Content.styled(part, "bold $accent")
        if part == "block":
            often = f" × {times}, figures of one" if times > 1 else " × 1"
            title += Content.styled(often, "$foreground-muted")
        yield title, list(steps)


# Cells -----------------------------------------------------------------------------------------------------------


def _formula(step: Step, look: _Look) -> str:
    formula = step.formula
    if look.ascii:
        for character, plain in _PLAIN_FORMULA.items():
            formula = formula.replace(character, plain)
    return formula


def _letters(step: Step, look: _Look) -> Content:
    return _tuple(step.symbols, step, look)


def _shape(step: Step, look: _Look) -> Content:
    return _tuple([str(number) for number in step.shape], step, look)


def _tuple(parts: Sequence[str], step: Step, look: _Look) -> Content:
    """As the field writes shapes: (B,T,C)."""
    found = [look.letter != "" and look.letter in symbol for symbol in step.symbols]
    cells = [(part, "bold $accent" if mine else "") for part, mine in zip(parts, found, strict=True)]
    return Content.assemble("(", Content(",").join(Content.styled(*cell) for cell in cells), ")")


def _count(number: int, write: Callable[[float], str]) -> Content:
    return Content(write(number) if number else "")


def _whole(number: float) -> str:
    return f"{number:,.0f}"


# Below the table -------------------------------------------------------------------------------------------------


def _sums(walk: Walk, width: int, time: str) -> list[Content]:
    work = 6 * walk.multiply_adds
    flops = f"{figures.with_unit(figures.count(work), 'FLOP')} with the backward pass" if work else ""
    rows = [
        ("parameters", f"{walk.parameters:,}", ""),
        ("multiply-adds", figures.count(walk.multiply_adds) if work else "none: it is only looked up", flops),
        ("memory", figures.size(walk.memory), "kept for the backward pass"),
    ]
    if walk.weights_in_tiles:
        rows.append(("", "", "attention's weights are computed in tiles, and not kept"))
    if time:
        rows.append(("time", "", time))
    lines = [Content.styled("in all", "bold $accent")]
    return lines + _listed([(Content(name), Content(value), Content(note)) for name, value, note in rows], width)


def _legend(walk: Walk, width: int, look: _Look) -> list[Content]:
    used = {letter for step in walk.steps for symbol in step.symbols for letter in symbol if letter in LETTERS}
    used |= {"C"} if used & {"D", "F"} else set()
    used |= {"L"} if walk.letters["L"] else set()
    rows = []
    for letter, meaning in LETTERS.items():
        if letter in used:
            style = "bold $accent" if letter == look.letter else ""
            rows.append((Content.styled(letter, style), Content(f"{walk.letters[letter]:,}"), Content(meaning)))
    return [Content.styled("letters", "bold $accent"), *_listed(rows, width)]


def _listed(rows: Sequence[tuple[Content, Content, Content]], width: int) -> list[Content]:
    """Name, value and a note, aligned; a note that has no room beside them is wrapped under itself."""
    first = max(name.cell_length for name, _, _ in rows)
    second = max(value.cell_length for _, value, note in rows if note)
    at = _INDENT + first + _GAP + second + _GAP
    lines = []
    for name, value, note in rows:
        start = Content.assemble(" " * _INDENT, _placed(name, first, False), " " * _GAP, _placed(value, second, False))
        wrapped = note.wrap(max(12, width - at)) if note else []
        for count, more in enumerate(wrapped or [Content("")]):
            left = start + Content(" " * _GAP) if count == 0 else Content(" " * at)
            lines.append((left + more.stylize("$foreground-muted")).rstrip())
    return lines
