"""What else might have stood at one place of a text: the likeliest tokens, as the model believes and as each filter of
the sampler leaves them. A cursor chooses one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from rich.cells import cell_len
from textual import events
from textual.binding import BindingType
from textual.content import Content
from textual.message import Message

from gpt_tui.tui import keys
from gpt_tui.tui.widgets.pane import Pane

if TYPE_CHECKING:
    from gpt_tui.core.speech import Alternative, Spoken

FIGURE = 5  # cells of a probability: "0.712"
LEAST_BAR = 3
GAP = 2  # cells between two columns
SHORT = {"temperature": "temp."}
EIGHTHS = " ▏▎▍▌▋▊▉"
FIRST = "Nothing stands before this token, so the model was not asked what it expects here."
LEGEND = (
    "▸ stands in the text. model: what it believes, and beside it what each filter of the sampler leaves, until what "
    "was drawn from; out: ruled out. −ln p: how much the token surprised the model, in nats; the loss is the mean of "
    "these. enter puts another token there, and the model goes on from it."
)
BEYOND = "The model was not asked about the beginning of a text as long as this."
LET_GO = "Of a text as long as this, what else was likely is kept for its newest tokens alone."


@dataclass(frozen=True)
class Column:
    """label: what stands over it; at: which of the probabilities of a token; bar: cells of its bar, or none."""

    label: str
    at: int
    bar: int = 0

    @property
    def width(self) -> int:
        return FIGURE + (self.bar + 1 if self.bar else 0)

    @property
    def head(self) -> str:
        label = self.label if len(self.label) <= self.width else SHORT.get(self.label, self.label)
        return f"{label[: self.width]:<{self.width}}"


def bar(share: float, width: int) -> str:
    """A bar of eighths of a cell, `width` cells for a whole."""
    eighths = round(min(max(share, 0.0), 1.0) * width * 8)
    return "█" * (eighths // 8) + (EIGHTHS[eighths % 8] if eighths % 8 else "")


def probability(value: float) -> str:
    """Three decimals: "0.712"; what is less than they tell, "<.001"."""
    return f"{value:.3f}" if value >= 0.0005 or value == 0 else "<.001"


def token_name(text: str) -> str:
    """A token as it is shown in a list: a space is seen too."""
    return text.replace(" ", "␣") or "∅"


def rows_of(token: Spoken) -> list[Alternative]:
    """The likeliest tokens, and the one that stands there, which may be beyond them."""
    from gpt_tui.core.speech import Alternative

    if any(other.id == token.id for other in token.alternatives):
        return list(token.alternatives)
    return [*token.alternatives, Alternative(token.id, token.text, token.shown, token.chances)]


def columns_of(token: Spoken, room: int) -> list[Column]:
    """One for the model and one for each filter, with bars as far as there is room: first of all, and then of the first
    and the last. What comes of all filters stands in one where even their figures have no room."""
    names = ["model", *token.filters] if token.filters else ["model", "sampler"]
    last = len(token.filters)
    left = room - len(names) * FIGURE - (len(names) - 1) * GAP
    if left >= len(names) * (LEAST_BAR + 1):
        return [Column(name, min(at, last), left // len(names) - 1) for at, name in enumerate(names)]
    if left >= 0 and len(names) > 2:
        bar = left // 2 - 1 if left // 2 >= LEAST_BAR else 0
        return [Column(name, at, bar if at in (0, last) else 0) for at, name in enumerate(names)]
    bar = max(LEAST_BAR, (room - 2 * FIGURE - GAP) // 2 - 1)
    return [Column("model", 0, bar), Column("sampler", -1, bar)]


class AlternativesPane(Pane, inherit_bindings=False):
    """legend: whether the figures are explained, where there is room."""

    BINDINGS: ClassVar[list[BindingType]] = keys.bindings("alternatives")
    KEYS: ClassVar[tuple[str, ...]] = ("alternatives",)

    class Chosen(Message):
        """The person wants this one to stand where `token` does."""

        def __init__(self, pane: AlternativesPane, token: Spoken, alternative: Alternative) -> None:
            super().__init__()
            self.pane = pane
            self.token = token
            self.alternative = alternative

    class Walked(Message):
        """The person wants to see another token of the text, so many further."""

        def __init__(self, pane: AlternativesPane, by: int) -> None:
            super().__init__()
            self.pane = pane
            self.by = by

    def __init__(self, label: str, letter: str, *, legend: bool = True, id: str | None = None) -> None:
        super().__init__(label, letter, id=id)
        self._legend = LEGEND if legend else ""
        self._token: Spoken | None = None
        self._rows: list[Alternative] = []
        self._at = 0  # the row that the cursor is on
        self._unasked = FIRST
        self._instead: tuple[str, Content] | None = None

    def show(self, token: Spoken | None, unasked: str = FIRST) -> None:
        """unasked: why the model has nothing to say of a token without alternatives."""
        if token is self._token and unasked == self._unasked:
            return
        self._token, self._unasked = token, unasked
        self._rows = rows_of(token) if token is not None and token.rank is not None and token.chances else []
        self._at = next((at for at, other in enumerate(self._rows) if token and other.id == token.id), 0)
        self._draw()

    def explain(self, instead: tuple[str, Content] | None) -> None:
        """instead: a title and a text, until it is None again."""
        if instead != self._instead:
            self._instead = instead
            self._draw()

    # The cursor ------------------------------------------------------------------------------------------------------

    def action_cursor(self, by: int) -> None:
        self._at = min(max(self._at + by, 0), max(len(self._rows) - 1, 0))
        self._draw()

    def action_cursor_edge(self, way: int) -> None:
        self.action_cursor(way * len(self._rows))

    def action_choose(self) -> None:
        if self._token is not None and self._rows and self._instead is None:
            self.post_message(self.Chosen(self, self._token, self._rows[self._at]))

    def action_move_token(self, by: int) -> None:
        self.post_message(self.Walked(self, by))

    def on_click(self, event: events.Click) -> None:
        line, in_sight = event.screen_y - self.content_region.y - 1, self._in_sight
        if self._instead is not None or not 0 <= line < len(in_sight):
            return
        self._at = in_sight[line]
        self._draw()
        if event.chain == 2:
            self.action_choose()

    def on_focus(self) -> None:
        self._draw()

    def on_blur(self) -> None:
        self._draw()

    # Drawing ---------------------------------------------------------------------------------------------------------

    def on_resize(self, event: events.Resize) -> None:
        self._draw()

    @property
    def _room(self) -> int:
        """Rows that fit under the head."""
        return max(self.scrollable_content_region.height - 1, 1)

    @property
    def _in_sight(self) -> list[int]:
        """The rows that are drawn: the likeliest, and at the end that of the cursor where it is beyond them."""
        count, room = len(self._rows), self._room
        return list(range(min(count, room))) if self._at < room else [*range(room - 1), self._at]

    def _draw(self) -> None:
        token = self._token
        if self._instead is not None:
            self._say(*self._instead)
        elif token is None:
            self._say(self.label, Content.styled("The likeliest tokens stand here, once there is text.", "$text-muted"))
        elif token.rank is None or token.logprob is None:
            self._say(self.label, Content.styled(self._unasked, "$text-muted"))
        else:
            chosen = "put there · " if token.chosen else ""
            facts = f"{chosen}{_ordinal(token.rank)} likeliest · −ln p {-token.logprob:.2f}"
            if not token.chances:
                self._say(self.label, Content.styled(LET_GO, "$text-muted"), facts)
                return
            self.remove_class("-words")
            self.set_title(self.label, facts)
            size = self.scrollable_content_region.size
            if size.width:
                self.set_text(self._table(token, size.width, size.height))

    def _say(self, title: str, words: Content, facts: str = "") -> None:
        self.add_class("-words")
        self.set_title(title, facts)
        self.set_text(words)

    def _table(self, token: Spoken, width: int, height: int) -> Content:
        """The bars, and below them what they mean, where there is room for that."""
        names = max(cell_len(token_name(other.shown)) for other in self._rows)
        columns = columns_of(token, width - 2 - names)
        head = " " * (names + 2) + (" " * GAP).join(column.head for column in columns)
        lines = [Content.styled(head[:width], "$text-muted")]
        for at in self._in_sight:
            other, under = self._rows[at], self.has_focus and at == self._at
            lines.append(_row(other, other.id == token.id, under, names, columns))
        legend = Content.styled(self._legend, "$text-muted").wrap(width) if self._legend else []
        if legend and height - len(lines) > len(legend):
            lines += [Content(""), *legend]
        return Content("\n").join(lines)


def _row(other: Alternative, stands: bool, under: bool, names: int, columns: list[Column]) -> Content:
    """A line: which token, and its bars with their figures. under: the cursor is on it."""
    name = token_name(other.shown)
    name += " " * (names - cell_len(name))
    style = "bold $accent" if stands else "$foreground"
    parts = [
        Content.styled("▸" if stands else " ", style),
        Content.styled(name, f"{style} reverse" if under else style),
    ]
    for column in columns:
        chance = other.chances[column.at]
        parts.append(Content(" " if column is columns[0] else " " * GAP))
        if column.bar:
            colour = "$text-muted" if column is columns[0] else "$accent"
            parts.append(Content.styled(f"{bar(chance, column.bar):<{column.bar}} ", colour))
        parts.append(Content(probability(chance)) if chance > 0 else Content.styled("  out", "$text-muted"))
    return Content("").join(parts)


def _ordinal(number: int) -> str:
    if number == 1:
        return "the"
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
