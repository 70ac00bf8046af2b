"""What else might have stood at one place of a text: the likeliest tokens, before and after the sampler."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len
from textual import events
from textual.content import Content

from gpt_tui.tui.widgets.pane import Pane

if TYPE_CHECKING:
    from gpt_tui.core.speech import Alternative, Spoken

FIGURE = 5  # cells of a probability: "0.712"
LEAST_BAR = 3
EIGHTHS = " ▏▎▍▌▋▊▉"
FIRST = "Nothing stands before this token, so the model was not asked what it expects here."
LEGEND = (
    "▸ stands in the text. model: what it believes. sampler: what was drawn from, after temperature and filters; out: "
    "ruled out by them. −ln p: how much the token surprised the model, in nats; the loss is the mean of these."
)
BEYOND = "The model reads no more than the last block_size tokens of a prompt; this one is before them."


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


def rows_of(token: Spoken, count: int) -> list[tuple[Alternative | None, bool]]:
    """At most `count` alternatives, and whether each is the one that stands there; that one is among them, or None."""
    rows: list[tuple[Alternative | None, bool]] = [(other, other.id == token.id) for other in token.alternatives]
    if any(stands for _, stands in rows[:count]):
        return rows[:count]
    return [*rows[: max(count - 1, 0)], (None, True)]


class AlternativesPane(Pane):
    """legend: whether the figures are explained, where there is room."""

    def __init__(self, label: str, letter: str, *, legend: bool = True, id: str | None = None) -> None:
        super().__init__(label, letter, id=id)
        self._legend = LEGEND if legend else ""
        self._token: Spoken | None = None
        self._unasked = FIRST
        self._instead: tuple[str, Content] | None = None

    def show(self, token: Spoken | None, unasked: str = FIRST) -> None:
        """unasked: why the model has nothing to say of a token without alternatives."""
        if token is not self._token or unasked != self._unasked:
            self._token, self._unasked = token, unasked
            self._draw()

    def explain(self, instead: tuple[str, Content] | None) -> None:
        """instead: a title and a text, until it is None again."""
        if instead != self._instead:
            self._instead = instead
            self._draw()

    def on_resize(self, event: events.Resize) -> None:
        self._draw()

    def _draw(self) -> None:
        token = self._token
        if self._instead is not None:
            self._say(*self._instead)
        elif token is None:
            self._say(self.label, Content.styled("The likeliest tokens stand here, once there is text.", "$text-muted"))
        elif token.rank is None or token.logprob is None:
            self._say(self.label, Content.styled(self._unasked, "$text-muted"))
        else:
            self.remove_class("-words")
            self.set_title(self.label, f"{_ordinal(token.rank)} likeliest · −ln p {-token.logprob:.2f}")
            size = self.scrollable_content_region.size
            if size.width:
                self.set_text(_table(token, size.width, max(size.height, 2), self._legend))

    def _say(self, title: str, words: Content) -> None:
        self.add_class("-words")
        self.set_title(title)
        self.set_text(words)


def _table(token: Spoken, width: int, height: int, told: str) -> Content:
    """The bars, and below them what they mean, where there is room for that."""
    rows = rows_of(token, height - 1)
    names = max(cell_len(token_name(text)) for text in (token.shown, *(other.text for other in token.alternatives)))
    room = max(LEAST_BAR, (width - 2 - names - 2 - 2 * (FIGURE + 1)) // 2)
    half = room + 1 + FIGURE
    head = f"{'':{names + 2}}{'model':<{half}}  {'sampler':<{half}}"
    lines = [Content.styled(head[:width], "$text-muted")]
    lines += [_row(token, other, stands, names, room) for other, stands in rows]
    legend = Content.styled(told, "$text-muted").wrap(width) if told else []
    if legend and height - len(lines) > len(legend):
        lines += [Content(""), *legend]
    return Content("\n").join(lines)


def _row(token: Spoken, other: Alternative | None, stands: bool, names: int, room: int) -> Content:
    """A line: which token, and the two bars with their figures. other: None is the token itself, beyond the list."""
    from math import exp

    before = other.before if other is not None else exp(token.logprob or 0)
    after = other.after if other is not None else token.after or 0.0
    name = token_name(token.shown if other is None else other.text)
    name += " " * (names - cell_len(name))
    style = "bold $accent" if stands else ""
    return Content.assemble(
        ("▸" if stands else " ", style),
        (name, style or "$foreground"),
        " ",
        (f"{bar(before, room):<{room}}", "$text-muted"),
        f" {probability(before)}  ",
        (f"{bar(after, room):<{room}}", "$accent"),
        f" {probability(after)}" if after > 0 else Content.styled("   out", "$text-muted"),
    )


def _ordinal(number: int) -> str:
    if number == 1:
        return "the"
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
