"""A pane for what a model wrote, or for a text under it: plain, or with a tint a character."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.content import Content

from gpt_tui.tui.plain import visible
from gpt_tui.tui.widgets.pane import Pane
from gpt_tui.tui.widgets.tinted_text import Tinted, TintedText

FRAME = 6  # columns of the border beside its title
SHOWN = 20_000  # characters of one text that are drawn; all of it is copied


class TintedPane(Pane):
    def __init__(self, label: str, letter: str, *, id: str | None = None) -> None:
        super().__init__(label, letter, id=id)
        self._tinted = TintedText()
        self._tinted.display = False
        self._copy = ""

    def compose(self) -> ComposeResult:
        yield from super().compose()
        yield self._tinted

    def title(self, *titles: str) -> None:
        """The first of these that there is room for, or the last."""
        room = self.size.width - FRAME
        self.set_title(next((title for title in titles if len(title) <= room or room <= 0), titles[-1]))

    def show_words(self, words: str, style: str = "$text-muted") -> None:
        """A sentence of the program's own."""
        self._show(Content.styled(visible(words), style), "")

    def show_text(self, prompt: str, text: str, after: Content | None = None) -> None:
        """What a model wrote after a prompt. after: a remark that stands below."""
        whole, more = prompt + text, len(text) - SHOWN
        prompt, text = visible(prompt[:SHOWN]), visible(text[:SHOWN])
        if not prompt.strip("\n"):  # the new line that a text without a prompt goes on from is nothing to look at
            prompt, text = "", text.lstrip("\n")
        parts = [Content.styled(prompt, "$text-accent"), Content(text)]
        if more > 0:
            parts.append(Content.styled(f"\n… {more:,} more characters; y copies all of them", "$text-muted"))
        if after is not None:
            parts += [Content("\n\n") if text else Content(""), after]
        self._show(Content("").join(parts), whole)

    def show_tinted(self, shown: Tinted, copied: str) -> None:
        self._copy = copied
        self._tinted.show(shown)
        self._choose(tinted=True)

    def _show(self, content: Content, copied: str) -> None:
        self._copy = copied
        self.set_text(content)
        self._choose(tinted=False)

    def _choose(self, tinted: bool) -> None:
        if self._tinted.display != tinted:
            self._tinted.display, self._text.display = tinted, not tinted

    @property
    def copied(self) -> str:
        return self._copy
