"""An unambiguous stochastic grammar, drawn from by a Writer and recognised by a Reader. It knows nothing of plays.

A phrase is derived from symbols: a string is a token of the text, a `Slot` stands for weighted alternatives, and a
`Hole` is filled by the caller from what has been said before. The Writer draws the alternatives from the top down. The
Reader cannot see what was drawn, so it keeps every alternative that agrees with the text until a token parts them:
alternatives with a common beginning become one path (a `Node`), whose edges are distinct tokens. Two derivations of one
text would arrive at the same place in one node, and building that node refuses them. So exploring all nodes
proves that a grammar is unambiguous, and −ln P of a text is an exact sum over the edges that it takes.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import NamedTuple, Protocol

from gpt_tui.core.errors import GptTuiError

TOKEN = re.compile(r"[A-Za-z']+|[^A-Za-z']")  # a word, or one character that is not in a word


class GrammarError(GptTuiError):
    """The grammar itself is wrong: ambiguous, or not decidable by the next token."""


class EndOfTextError(Exception):
    """Raised inside a source when it has written, or read, as much as it was asked to."""


class Slot(NamedTuple):
    """One of a rule's alternatives goes here. The arguments are all that the rule may depend on."""

    rule: str
    arguments: tuple[object, ...] = ()


class Hole(NamedTuple):
    """Filled by whoever asks for the phrase. A hole is never one choice among others, so it can blur none."""

    name: str


EITHER = "either"  # the rule of a slot for several ways on that share their beginning

Symbol = str | Slot | Hole
Items = tuple[Symbol, ...]
Alternatives = Sequence[tuple[int, Items]]  # weight, and what it stands for
Hypotheses = tuple[tuple[int, Items], ...]  # weight, and what is still to come
Share = tuple[int, int, Items]  # the same, with the weight as a fraction of two whole numbers
Rule = Callable[..., Alternatives]
Holes = Mapping[str, Slot]


def tokens(text: str) -> tuple[str, ...]:
    return tuple(TOKEN.findall(text))


def is_word(token: str) -> bool:
    return token[0].isalpha() or token[0] == "'"


@dataclass(slots=True)
class Edge:
    """A token that comes next in `weight` of `parts` cases: its cost in nats, and what follows it."""

    weight: int
    parts: int
    cost: float
    rest: Items
    node: Node | None = None


@dataclass(slots=True)
class Node:
    """What may come next: nothing (`ends`); where there is but one way on, all of what fills a slot or a hole (`inner`)
    and then `after`; or one of several distinct tokens.

    The last are kept as they were given, tokens and slots that begin with tokens, each with its weight of `total` and
    what follows; the edges are found when they are first asked for.
    """

    ends: bool = False
    inner: Slot | Hole | None = None
    after: Edge | None = None
    total: int = 0
    tokens: dict[str, tuple[int, Items]] = field(default_factory=dict)
    slots: list[tuple[int, Node, Items]] = field(default_factory=list)
    edges: dict[str, Edge] = field(default_factory=dict)


class Choice(NamedTuple):
    """A slot's alternatives, ready for drawing."""

    cumulative: tuple[int, ...]
    costs: tuple[float, ...]
    items: tuple[Items, ...]


class Grammar:
    def __init__(self, rules: Mapping[str, Rule]):
        self._rules = rules
        self._choices: dict[Slot, Choice] = {}
        self._roots: dict[Slot, Node] = {}
        self._nodes: dict[Items, Node] = {}
        self._either: dict[Hypotheses, int] = {}
        self._numbered: list[Hypotheses] = []

    def choice(self, slot: Slot) -> Choice:
        found = self._choices.get(slot)
        if found is None:
            alternatives = self._rules[slot.rule](*slot.arguments)
            cumulative = tuple(accumulate(weight for weight, _ in alternatives))
            costs = tuple(math.log(cumulative[-1] / weight) for weight, _ in alternatives)
            found = Choice(cumulative, costs, tuple(items for _, items in alternatives))
            self._choices[slot] = found
        return found

    def root(self, slot: Slot) -> Node:
        """Where the text of the slot begins. Raises GrammarError where its alternatives cannot be told apart."""
        found = self._roots.get(slot)
        if found is None:
            found = self._roots[slot] = self._branch(self._alternatives(slot))
        return found

    def follow(self, edge: Edge) -> Node:
        """Where one stands after an edge."""
        if edge.node is None:
            edge.node = self._nodes.get(edge.rest) or self._nodes.setdefault(edge.rest, straight(edge.rest))
        return edge.node

    def edge(self, node: Node, token: str) -> Edge | None:
        """The edge of a token, which joins all the ways on that begin with it; None where there is none."""
        found = node.edges.get(token)
        if found is None:
            shares: list[Share] = []
            if token in node.tokens:
                weight, rest = node.tokens[token]
                shares.append((weight, 1, rest))
            for weight, begin, rest in node.slots:
                first = self.edge(begin, token)
                if first is not None:
                    shares.append((weight * first.weight, first.parts, first.rest + rest))
            if shares:
                found = node.edges[token] = self._joined(shares, node.total)
        return found

    def next_tokens(self, node: Node) -> set[str]:
        """All the tokens that have an edge."""
        return set(node.tokens).union(*(self.next_tokens(begin) for _, begin, _ in node.slots))

    def _alternatives(self, slot: Slot) -> Alternatives:
        if slot.rule == EITHER:
            (number,) = slot.arguments
            assert isinstance(number, int)
            return self._numbered[number]
        return self._rules[slot.rule](*slot.arguments)

    def _branch(self, alternatives: Alternatives) -> Node:
        """Ways on with the same first symbol become one, which parts after it."""
        grouped: dict[Symbol | None, list[tuple[int, Items]]] = {}
        for weight, items in alternatives:
            grouped.setdefault(items[0] if items else None, []).append((weight, items[1:]))
        node = Node(total=sum(weight for weight, _ in alternatives))
        for first, group in grouped.items():
            weight, rest = sum(weight for weight, _ in group), self._one(group)
            if isinstance(first, str):
                node.tokens[first] = (weight, rest)
                continue
            begin = self.root(first) if isinstance(first, Slot) else None
            if first is not None and (begin is None or begin.inner is not None) and len(grouped) == 1:
                return Node(inner=first, after=Edge(1, 1, 0.0, rest))
            if begin is None or begin.inner is not None:
                raise GrammarError(f"an end or a hole is one choice among others, beside {list(grouped)[:4]}")
            node.slots.append((weight, begin, rest))
        return node

    def _joined(self, shares: list[Share], total: int) -> Edge:
        scale = math.lcm(*(parts for _, parts, _ in shares))
        whole = [(weight * (scale // parts), items) for weight, parts, items in shares]
        weight, parts = sum(weight for weight, _ in whole), scale * total
        divisor = math.gcd(weight, parts)
        return Edge(weight // divisor, parts // divisor, math.log(parts / weight), self._one(whole))

    def _one(self, ways: Sequence[tuple[int, Items]]) -> Items:
        """Several ways on as one symbol, the same for the same proportions."""
        if len(ways) == 1:
            return ways[0][1]
        if len({items for _, items in ways}) < len(ways):
            raise GrammarError(f"two derivations of one text meet before {ways[0][1][:4]}")
        divisor = math.gcd(*(weight for weight, _ in ways))
        lowest = tuple((weight // divisor, items) for weight, items in ways)
        number = self._either.setdefault(lowest, len(self._numbered))
        if number == len(self._numbered):
            self._numbered.append(lowest)
        return (Slot(EITHER, (number,)),)


def straight(items: Items) -> Node:
    """The node at the beginning of one way on."""
    if not items:
        return Node(ends=True)
    if isinstance(items[0], str):
        return Node(total=1, tokens={items[0]: (1, items[1:])})
    return Node(inner=items[0], after=Edge(1, 1, 0.0, items[1:]))


class Source(Protocol):
    """Where phrases come from. A program that asks a source for phrases is a generator and a recogniser at once."""

    def derive(self, slot: Slot, holes: Holes | None = None) -> str:
        """The text of one phrase. Raises EndOfTextError when there is no more."""

    @property
    def filled(self) -> tuple[str, str]:
        """The name and the text of the hole that was filled last."""


class SplitMix64:
    """Random whole numbers, the same everywhere (Steele, Lea and Flood 2014, "Fast splittable pseudorandom
    number generators")."""

    MASK = (1 << 64) - 1

    def __init__(self, seed: int):
        self._state = seed & self.MASK

    def below(self, bound: int) -> int:
        """Exactly uniform on 0 … bound − 1: the incomplete last block of the 64-bit range is thrown away."""
        limit = (1 << 64) - (1 << 64) % bound
        while True:
            self._state = (self._state + 0x9E3779B97F4A7C15) & self.MASK
            z = self._state
            z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & self.MASK
            z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & self.MASK
            z ^= z >> 31
            if z < limit:
                return z % bound


class Writer:
    """Draws phrases until at least `characters` are written, and sums the cost of its own draws in nats."""

    def __init__(self, grammar: Grammar, seed: int, characters: int):
        self._grammar = grammar
        self._random = SplitMix64(seed)
        self._wanted = characters
        self._length = 0
        self._phrases: list[str] = []
        self.filled = ("", "")
        self.cost = 0.0

    @property
    def text(self) -> str:
        """Whole phrases: up to one phrase longer than what was asked for."""
        return "".join(self._phrases)

    def derive(self, slot: Slot, holes: Holes | None = None) -> str:
        if self._length >= self._wanted:
            raise EndOfTextError
        phrase = "".join(self._draw(slot, holes or {}))
        self._phrases.append(phrase)
        self._length += len(phrase)
        return phrase

    def _draw(self, slot: Slot, holes: Holes) -> list[str]:
        written: list[str] = []
        pending: list[Symbol] = [slot]
        while pending:
            symbol = pending.pop()
            if isinstance(symbol, str):
                written.append(symbol)
            elif isinstance(symbol, Slot):
                choice = self._grammar.choice(symbol)
                drawn = bisect_right(choice.cumulative, self._random.below(choice.cumulative[-1]))
                self.cost += choice.costs[drawn]
                pending.extend(reversed(choice.items[drawn]))
            else:
                filling = "".join(self._draw(holes[symbol.name], holes))
                self.filled = (symbol.name, filling)
                written.append(filling)
        return written


class Reader:
    """Recognises phrases in a text, and notes −ln P of each beginning of the text that ends at one of `marks`.

    The probability of a beginning is that of all texts that go on from it. Where it ends inside a word, the words
    that go on from there are summed; what follows a word sums to one.
    """

    def __init__(self, grammar: Grammar, text: str, marks: Iterable[int]):
        self._grammar = grammar
        self._text = text
        self._ahead = sorted({*marks, len(text)} - {0}, reverse=True)
        self._position = 0
        self._after_word = False
        self.filled = ("", "")
        self.cost = 0.0
        self.costs: dict[int, float] = {0: 0.0}

    def derive(self, slot: Slot, holes: Holes | None = None) -> str:
        start = self._position
        self._walk(self._grammar.root(slot), holes or {})
        return self._text[start : self._position]

    def _walk(self, node: Node, holes: Holes) -> None:
        while not node.ends:
            if node.after is None:
                edge = self._step(node)
            else:
                self._fill(node.inner, holes)
                edge = node.after
            node = edge.node or self._grammar.follow(edge)

    def _fill(self, inner: Slot | Hole | None, holes: Holes) -> None:
        if isinstance(inner, Hole):
            start = self._position
            self._walk(self._grammar.root(holes[inner.name]), holes)
            self.filled = (inner.name, self._text[start : self._position])
        elif inner is not None:
            self._walk(self._grammar.root(inner), holes)

    def _step(self, node: Node) -> Edge:
        """The edge that the next token takes. Raises ValueError with the offset of the first impossible character."""
        start = self._position
        match = TOKEN.match(self._text, start)
        if match is None:
            raise EndOfTextError
        token, end = match.group(), match.end()
        if end >= self._ahead[-1]:
            self._note(node, start, end)
        edge = node.edges.get(token) or self._grammar.edge(node, token)
        if edge is None:
            raise ValueError(self._impossible(node, start))
        word = is_word(token)
        if word and self._after_word:
            raise GrammarError(f"the words of two phrases run together at offset {start}")
        self._after_word = word
        self._position = end
        self.cost += edge.cost
        return edge

    def _note(self, node: Node, start: int, end: int) -> None:
        """Sums the tokens that agree with the text up to each mark that lies in this one."""
        edges = {token: self._grammar.edge(node, token) for token in sorted(self._grammar.next_tokens(node))}
        while self._ahead and self._ahead[-1] <= end:
            mark = self._ahead.pop()
            part = self._text[start:mark]
            agree = [edge for token, edge in edges.items() if edge is not None and token.startswith(part)]
            if not agree:
                raise ValueError(self._impossible(node, start))
            self.costs[mark] = self.cost - math.log(math.fsum(edge.weight / edge.parts for edge in agree))
        if not self._ahead:
            raise EndOfTextError

    def _impossible(self, node: Node, start: int) -> str:
        """Says where the text, read from `start`, first leaves every token of the node."""
        known = sorted(self._grammar.next_tokens(node))
        offset = start
        while any(token.startswith(self._text[start : offset + 1]) for token in known):
            offset += 1
        expected = [token for token in known if token.startswith(self._text[start:offset])]
        few = ", ".join(repr(token) for token in expected[:5]) + (", …" if len(expected) > 5 else "")
        line = self._text.count("\n", 0, offset) + 1
        found = self._text[start : offset + 12]
        return f"not of the language at offset {offset} (line {line}): found {found!r}, expected {few}"
