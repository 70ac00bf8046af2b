"""The architecture as blocks: a drawing of any configuration in lines of text, from token ids down to logits.

What is there is drawn as a box on the wire that carries the stream; a part that is switched off leaves the wire bare,
and is named beside it. The causal mask stands beside attention as what it is: a row a token, and in it the tokens
that it may see.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from gpt_tui.core.config import ModelConfig
from gpt_tui.core.shapes import ACTIVATION_NAMES, depth, feed_forward_width

Role = Literal["part", "wire", "shape", "note", "absent", "mask", "hidden"]

WIDTH = 48  # columns that a drawing needs
_WIRE = 17  # column of the wire that carries the stream
_BYPASS = 3  # column of the wire that goes past a part
_LEFT, _RIGHT = 5, 29  # columns of a box's sides
_BESIDE = _RIGHT + 2  # column of what stands beside a box
_MASK = 6  # tokens of which the mask is drawn

_ASCII = str.maketrans("─│╭╮╰╯┬┴├┤┼⊕○■·×²", "-|++++++++++o#.x2")


@dataclass(frozen=True)
class Span:
    """A piece of a line. role: what it is, for whoever gives it a colour."""

    text: str
    role: Role


Line = tuple[Span, ...]


def draw(model: ModelConfig, vocab_size: int, *, ascii: bool = False) -> list[Line]:
    """The drawing, at most WIDTH columns wide."""
    pen = _Pen()
    _Drawing(model, vocab_size, pen).draw()
    return pen.lines(ascii)


def plain(lines: list[Line]) -> str:
    """The drawing as text."""
    return "\n".join("".join(span.text for span in line) for line in lines)


class _Pen:
    """Puts text on a sheet that grows downwards. row: where the next part begins."""

    def __init__(self) -> None:
        self.row = 0
        self._rows: defaultdict[int, dict[int, tuple[str, Role]]] = defaultdict(dict)  # cells by column

    def put(self, row: int, column: int, text: str, role: Role) -> None:
        for at, character in enumerate(text):
            self._rows[row][column + at] = character, role

    def line(self, text: str = "", role: Role = "note", wire: str = "│") -> None:
        """One line of the wire, with a word beside it."""
        self.put(self.row, _WIRE, wire, "wire")
        self.put(self.row, _WIRE + 2, text, role)
        self.row += 1

    def box(self, lines: list[tuple[str, Role]]) -> int:
        """A box on the wire; its first row."""
        top, inner = self.row, _RIGHT - _LEFT - 1
        self.put(top, _LEFT, "╭" + "─" * inner + "╮", "wire")
        self.put(top, _WIRE, "┴", "wire")
        for at, (text, role) in enumerate(lines, start=1):
            self.put(top + at, _LEFT, "│", "wire")
            self.put(top + at, _LEFT + 2, text, role)
            self.put(top + at, _RIGHT, "│", "wire")
        self.row = top + len(lines) + 1
        self.put(self.row, _LEFT, "╰" + "─" * inner + "╯", "wire")
        self.put(self.row, _WIRE, "┬", "wire")
        self.row += 1
        return top

    def lines(self, ascii: bool) -> list[Line]:
        rows: list[Line] = []
        for row in range(self.row):
            drawn = self._rows[row]
            cells = [drawn.get(column, (" ", "note")) for column in range(max(drawn, default=-1) + 1)]
            spans = (
                Span("".join(character for character, _ in run), role)
                for role, run in groupby(cells, key=lambda cell: cell[1])
            )
            rows.append(tuple(Span(s.text.translate(_ASCII), s.role) if ascii else s for s in spans))
        return rows


class _Drawing:
    def __init__(self, model: ModelConfig, vocab_size: int, pen: _Pen) -> None:
        self.model = model
        self.vocab_size = vocab_size
        self.pen = pen

    def draw(self) -> None:
        pen, model = self.pen, self.model
        pen.put(pen.row, _WIRE - 4, "token ids", "part")
        pen.put(pen.row, _WIRE + 7, f"(B, T)  T = {model.block_size}", "shape")
        pen.row += 1
        pen.line()
        if model.head:
            self.embedding()
            self.blocks()
            self.head()
        else:
            self.table()
        pen.line()
        pen.put(pen.row, _WIRE - 2, "logits", "part")
        pen.put(pen.row, _WIRE + 7, f"(B, T, V)  V = {self.vocab_size}", "shape")
        pen.row += 1

    def table(self) -> None:
        pen = self.pen
        top = pen.box([("table", "part"), ("a row for a token:", "note"), ("logits for the next", "note")])
        pen.put(top + 1, _BESIDE, self.size(self.vocab_size, self.vocab_size), "shape")
        for what in ("positions", "attention", "feed-forward", "residual stream", "norm", "head"):
            pen.line(f"no {what}", "absent")

    def embedding(self) -> None:
        pen, model = self.pen, self.model
        top = pen.box([("token embedding", "part")])
        pen.put(top + 1, _BESIDE, self.size(self.vocab_size, model.n_embd), "shape")
        if model.mix_previous:
            pen.line("m × the token before", "note", "⊕")
        if model.position == "learned":
            pen.line("positions", "part", "⊕")
            pen.put(pen.row - 1, _BESIDE, self.size(model.block_size, model.n_embd), "shape")
        elif model.position == "none" or not model.attention:
            pen.line("no positions", "absent")
        if model.embd_dropout and model.dropout:
            pen.line(f"dropout {model.dropout:g}")
        pen.line(f"(B, T, C)  C = {model.n_embd}", "shape")

    def blocks(self) -> None:
        pen, model = self.pen, self.model
        if not depth(model):
            for what in ("attention", "feed-forward", "residual stream"):
                pen.line(f"no {what}", "absent")
            return
        top = pen.row
        pen.row += 1
        if model.attention:
            self.part(self.attention)
        else:
            pen.line("no attention", "absent")
        if model.feed_forward:
            self.part(self.feed_forward)
        else:
            pen.line("no feed-forward", "absent")
        if not model.residual:
            pen.line("no residual stream", "absent")
        self.frame(top, pen.row, f" block × {model.n_layer} ")
        pen.row += 1

    def frame(self, top: int, bottom: int, title: str) -> None:
        pen, right = self.pen, WIDTH - 1
        for row, corners in ((top, "╭╮"), (bottom, "╰╯")):
            pen.put(row, 0, corners[0] + "─" * (right - 1) + corners[1], "wire")
            pen.put(row, _WIRE, "┼", "wire")
        pen.put(top, 2, title, "part")
        for row in range(top + 1, bottom):
            pen.put(row, 0, "│", "wire")
            pen.put(row, right, "│", "wire")

    def part(self, boxes: Callable[[], None]) -> None:
        """A part of a block, after its norm, and the stream that goes past it."""
        pen, model = self.pen, self.model
        top = pen.row
        if model.residual:
            pen.row += 1
        self.norm()
        boxes()
        if not model.residual:
            return
        reach = _WIRE - _BYPASS - 1
        pen.put(top, _BYPASS, "╭" + "─" * reach + "┤", "wire")
        for row in range(top + 1, pen.row):
            pen.put(row, _BYPASS, "│", "wire")
        pen.put(pen.row, _BYPASS, "╰" + "─" * reach + "⊕", "wire")
        pen.put(pen.row, _WIRE + 2, "x + y", "shape")
        pen.row += 1

    def norm(self) -> None:
        pen, model = self.pen, self.model
        if model.norm == "none":
            pen.line("no norm", "absent")
            return
        name = "LayerNorm" if model.norm == "layernorm" else "RMSNorm"
        pen.line(name, "part", "○")
        if model.norm_weight:
            gains = "gain and bias" if model.norm == "layernorm" and model.bias else "gain"
            pen.put(pen.row - 1, _BESIDE, gains, "note")

    def attention(self) -> None:
        pen, model = self.pen, self.model
        heads = "1 head" if model.n_head == 1 else f"{model.n_head} heads"
        lines: list[tuple[str, Role]] = [
            ("attention", "part"),
            (f"{heads} of {model.n_embd // model.n_head}", "note"),
        ]
        if model.position == "rotary":
            lines.append(("rotary positions", "note"))
        if model.qk_norm:
            lines.append(("q and k normed", "note"))
        lines += self.end_of_part()
        top = pen.box(lines)
        size = min(_MASK, model.block_size)
        for token in range(size):
            pen.put(top + token, _BESIDE, "■ " * (token + 1), "mask")
            pen.put(top + token, _BESIDE + 2 * (token + 1), "· " * (size - token - 1), "hidden")
        while pen.row < top + size:
            pen.line()
        pen.line()
        pen.put(pen.row - 1, _BESIDE, "causal, T × T" if size == model.block_size else f"causal, {size} of T", "shape")

    def feed_forward(self) -> None:
        model = self.model
        hidden = feed_forward_width(model)
        self.pen.box(
            [
                ("feed-forward", "part"),
                (f"{hidden} numbers wide", "note"),
                (ACTIVATION_NAMES[model.activation], "note"),
                *self.end_of_part(),
            ]
        )

    def end_of_part(self) -> list[tuple[str, Role]]:
        model = self.model
        lines: list[tuple[str, Role]] = [("no projection", "absent")]
        if model.output_projection:
            lines = [(f"projection to {model.n_embd}", "note")]
        if model.dropout:
            lines.append((f"dropout {model.dropout:g}", "note"))
        return lines

    def head(self) -> None:
        pen, model = self.pen, self.model
        self.norm()
        lines: list[tuple[str, Role]] = [("head", "part")]
        if model.tied_head:
            lines.append(("the embedding's table", "note"))
        top = pen.box(lines)
        pen.put(top + 1, _BESIDE, self.size(model.n_embd, self.vocab_size), "shape")

    @staticmethod
    def size(rows: int, columns: int) -> str:
        return f"{rows} × {columns}"
