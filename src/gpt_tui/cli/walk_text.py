"""The tensor walk as text: a table as rich as the output is wide, a legend of its letters, the drawing above it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from gpt_tui.console import Column, Output, display_width, show_count, show_size, table, wrap
from gpt_tui.core.config import ModelConfig
from gpt_tui.core.drawing import WIDTH, Span, draw
from gpt_tui.core.shapes import LETTERS, Step, Walk

_INDENT = "  "
_NONE = "–"

# Where the encoding lacks the signs of the formulas and shapes, what is written instead.
_SIGNS: dict[str, str | int | None] = {
    "×": "x", "–": "-", "−": "-", "…": "..", "·": "*", "√": "sqrt ", "ᵀ": "^T", "²": "^2", "θ": "theta", "Φ": "Phi",
}  # fmt: skip


def plain(text: str, output: Output) -> str:
    """`text`, or where the output lacks a character of it, the same in ASCII."""
    return text if output.can_show(text) else text.translate(str.maketrans(_SIGNS))


# The table -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Style:
    """How much a line tells. formula: whether each step's is there.

    room: 0 for the narrowest; from 1 on parameters are exact, from 2 on titles are written out, from 3 on shapes are
    tuples, (B, T, C) for B T C, and with 4 numbers stand apart, 12 × 64 for 12×64.
    """

    formula: bool
    room: int


_STYLES = tuple(_Style(formula, room) for formula in (True, False) for room in (4, 3, 2, 1, 0))


def walk_table(walk: Walk, output: Output) -> str:
    """The steps under the parts that they belong to, in the richest style that fits; two lines a step where none does.

    A part's line has the sums over all its steps, each as often as it is taken.
    """
    rows, parts = _rows(walk)
    for style in _STYLES:
        cells = [[plain(cell, output) for cell in _cells(row, style)] for row in rows]
        lines = table(_columns(style), cells, Output(None)).splitlines()
        if max(map(display_width, lines)) <= output.width:
            bold = {0, *(at + 1 for at in parts)}
            return "\n".join(output.bold(line) if at in bold else line for at, line in enumerate(lines))
    return plain("\n".join(line for row in rows for line in _stacked(row, output)), output)


@dataclass(frozen=True)
class _Row:
    """A step, or a part's line above its steps, with what it sums up to."""

    title: str
    step: Step | None
    parameters: int
    multiply_adds: int
    memory: int


def _rows(walk: Walk) -> tuple[list[_Row], list[int]]:
    """The rows, and which of them are parts'."""
    rows: list[_Row] = []
    parts: list[int] = []
    for part, group in groupby(walk.steps, key=lambda step: step.part):
        steps = list(group)
        parts.append(len(rows))
        if len(steps) == 1 and steps[0].name == part:
            rows.append(_row(steps[0], part))
            continue
        times = steps[0].times
        sums = Walk(tuple(steps), walk.letters)
        title = f"{part} × {times}" if part == "block" else part
        rows.append(_Row(title, None, sums.parameters, sums.multiply_adds, sums.memory))
        rows += [_row(step, _INDENT + step.name) for step in steps]
    return rows, parts


def _row(step: Step, title: str) -> _Row:
    return _Row(title, step, step.parameters, step.multiply_adds, step.memory)


def _columns(style: _Style) -> list[Column]:
    counted = ("parameters", "multiply-adds") if style.room >= 2 else ("params", "mul-adds")
    formula = [Column("")] if style.formula else []
    numbers = [Column(title, "right") for title in (*counted, "memory")]
    return [Column("step"), *formula, Column("shape"), Column(""), *numbers]


def _cells(row: _Row, style: _Style) -> list[str]:
    symbols, numbers = _shape(row.step, style) if row.step else ("", "")
    parameters = f"{row.parameters:,}" if style.room >= 1 else show_count(row.parameters)
    cells = [
        symbols,
        numbers,
        parameters if row.parameters else _NONE,
        show_count(row.multiply_adds) if row.multiply_adds else _NONE,
        show_size(row.memory) if row.memory else _NONE,
    ]
    return [row.title, *([row.step.formula if row.step else ""] if style.formula else []), *cells]


def _shape(step: Step, style: _Style) -> tuple[str, str]:
    """In letters and in numbers."""
    letters = f"({', '.join(step.symbols)})" if style.room >= 3 else " ".join(step.symbols)
    return letters, (" × " if style.room >= 4 else "×").join(map(str, step.shape)) or "a number"


def _stacked(row: _Row, output: Output) -> Sequence[str]:
    sums = [
        f"{show_count(row.parameters)} parameters" if row.parameters else "",
        f"{show_count(row.multiply_adds)} multiply-adds" if row.multiply_adds else "",
        show_size(row.memory) if row.memory else "",
    ]
    shape = "  ".join(filter(None, _shape(row.step, _STYLES[-1]))) if row.step else ""
    lines = [output.bold(row.title) if row.step is None else row.title]
    lines += [wrap(text, output.width, 2 * _INDENT) for text in (shape, ", ".join(filter(None, sums))) if text]
    return lines


# Beside it -------------------------------------------------------------------------------------------------------


def legend(walk: Walk, vocabulary: str, output: Output) -> str:
    """What each letter of the shapes stands for. vocabulary: what V is, in words."""
    used = {"V", *"".join(symbol for step in walk.steps for symbol in step.symbols)}
    if any(step.part == "block" for step in walk.steps):
        used.add("L")
    numbers = {letter: f"{walk.letters[letter]:,}" for letter in LETTERS if letter in used}
    width = max(map(len, numbers.values()))
    rows = [
        (letter, f"  {number:>{width}}  ", _meaning(letter, walk, vocabulary)) for letter, number in numbers.items()
    ]
    return "\n".join(
        output.bold(letter) + number + hang(plain(meaning, output), width + 5, output)
        for letter, number, meaning in rows
    )


def hang(text: str, column: int, output: Output) -> str:
    """`text` wrapped to stand at `column`, where its first line begins already."""
    return wrap(text, output.prose_width, " " * column)[column:]


def _meaning(letter: str, walk: Walk, vocabulary: str) -> str:
    if letter == "V":
        return vocabulary
    blocks = walk.letters["L"]
    if letter == "L" and blocks > 1:
        return f"{LETTERS[letter]}; the steps are those of one, their line counts all {blocks}"
    return LETTERS[letter]


def picture(model: ModelConfig, vocab_size: int, output: Output) -> str:
    """The drawing of the architecture, in ASCII where the output has no box drawing."""
    if output.width < WIDTH:
        return wrap(f"The drawing needs {WIDTH} columns.", output.width)
    lines = draw(model, vocab_size)
    if not output.can_show("".join(span.text for line in lines for span in line)):
        lines = draw(model, vocab_size, ascii=True)
    return "\n".join("".join(_painted(span, output) for span in line) for line in lines)


def _painted(span: Span, output: Output) -> str:
    if span.role == "part":
        return output.bold(span.text)
    return output.dim(span.text) if span.role in ("absent", "hidden") else span.text
