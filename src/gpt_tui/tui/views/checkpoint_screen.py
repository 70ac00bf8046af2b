"""Which model is to speak: a list over the view, with a filter. It is read beside the screen, run by run."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from gpt_tui.core.errors import GptTuiError
from gpt_tui.tui import figures
from gpt_tui.tui.plain import one_line
from gpt_tui.tui.shelf_checkpoints import Choice, choices

NOTHING = "No checkpoint has these words."
READING = "reading the shelf…"
EMPTY = "No checkpoint yet: 2, then space, trains a model."
CHOOSING = "j k choose · enter {does} · / filter · esc leaves"
FILTERING = "↑↓ choose · enter {does} · esc shows all"


class CheckpointScreen(ModalScreen[Choice]):
    """now: the model of the session at work, the first choice where there is one. first: the run that is watched.

    does: what enter does
    """

    CSS_PATH = "checkpoint_screen.tcss"
    AUTO_FOCUS = ""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", show=False),
        Binding("enter", "choose", show=False),
        Binding("slash", "filter", show=False),
        Binding("down,j,ctrl+n", "move(1)", show=False),
        Binding("up,k,ctrl+p", "move(-1)", show=False),
        Binding("pagedown", "move(8)", show=False),
        Binding("pageup", "move(-8)", show=False),
        Binding("home,g", "edge(-1)", show=False),
        Binding("end,G", "edge(1)", show=False),
    ]

    class Found(Message):
        """More checkpoints, or None when all have been read. error: why no more could be."""

        def __init__(self, more: Sequence[Choice] | None, error: str = "") -> None:
            super().__init__()
            self.more = more
            self.error = error

    def __init__(
        self,
        who: str,
        runs_dir: Path,
        first: Path | None,
        now: tuple[Choice, int] | None,
        does: str = "lets it speak",
    ) -> None:
        super().__init__()
        self._who = who
        self._choosing, self._filtering = CHOOSING.format(does=does), FILTERING.format(does=does)
        self._runs_dir = runs_dir
        self._first = first
        self._now = now
        self._all: list[Choice] = [now[0]] if now is not None else []
        self._found: list[Choice] = []
        self._state = READING
        self._gone = False

    def compose(self) -> ComposeResult:
        with Vertical(id="checkpoint-list") as box:
            box.border_title = Content(self._who)
            box.border_subtitle = Content(self._choosing)
            yield Input(placeholder="a step, best, or letters of a run's name", compact=True)
            yield OptionList(compact=True, markup=False)

    def on_mount(self) -> None:
        self.query_one(OptionList).can_focus = self._field.can_focus = False
        self._find()
        threading.Thread(target=self._read, name="shelf-checkpoints", daemon=True).start()

    def on_unmount(self) -> None:
        self._gone = True

    def _read(self) -> None:
        error = ""
        try:
            for more in choices(self._runs_dir, self._first):
                if self._gone:
                    return
                self.post_message(self.Found(more))
        except GptTuiError as broken:
            error = str(broken)
        self.post_message(self.Found(None, error))

    def on_checkpoint_screen_found(self, message: Found) -> None:
        if message.more is None:
            self._state = message.error or (NOTHING if self._all else EMPTY)
        else:
            self._all += message.more
        self._find(keep=True)

    # Finding ---------------------------------------------------------------------------------------------------------

    @property
    def _field(self) -> Input:
        return self.query_one(Input)

    def on_key(self, event: events.Key) -> None:
        """No key does nothing without saying so."""
        if event.key not in self.active_bindings and not self._field.has_focus:
            event.stop()
            self.notify(f"{self._choosing}.", markup=False)

    def action_filter(self) -> None:
        self._take_words(True)

    def action_leave(self) -> None:
        """Out of the field, and then out of the list."""
        if self._field.has_focus:
            self._field.value = ""
            self._take_words(False)
        else:
            self.dismiss()

    def _take_words(self, taken: bool) -> None:
        self.set_class(taken, "-filtering")
        self._field.can_focus = taken
        self.set_focus(self._field if taken else None)
        self.query_one("#checkpoint-list").border_subtitle = Content(self._filtering if taken else self._choosing)

    @on(Input.Changed)
    def _typed(self) -> None:
        self._find()

    @on(Input.Submitted)
    def _submitted(self) -> None:
        self._find(keep=True)  # what was typed last may not have been looked for
        self.action_choose()

    @on(OptionList.OptionSelected)
    def _clicked(self, event: OptionList.OptionSelected) -> None:
        if self.is_current:
            self.dismiss(self._found[event.option_index])

    def action_choose(self) -> None:
        at = self.query_one(OptionList).highlighted
        if at is not None and at < len(self._found) and self.is_current:
            self.dismiss(self._found[at])

    def action_move(self, by: int) -> None:
        options = self.query_one(OptionList)
        if self._found:
            options.highlighted = min(max((options.highlighted or 0) + by, 0), len(self._found) - 1)

    def action_edge(self, direction: int) -> None:
        self.action_move(direction * len(self._found))

    def _find(self, keep: bool = False) -> None:
        """keep: the cursor stays on the choice that it stands on."""
        options = self.query_one(OptionList)
        words = self.query_one(Input).value.lower().split()
        before = self._found[options.highlighted] if keep and options.highlighted is not None and self._found else None
        self._found = [choice for choice in self._all if all(word in self._words(choice) for word in words)]
        options.clear_options()
        options.add_options(Option(self._row(choice)) for choice in self._found)
        if self._found:
            options.highlighted = self._found.index(before) if before in self._found else 0
        if not self._found or self._state == READING:
            options.add_option(Option(Content.styled(one_line(self._state), "$text-muted"), disabled=True))

    def _words(self, choice: Choice) -> str:
        now = "the model now" if choice.step is None else ""
        return f"step {choice.step} {choice.reason} {choice.run} {choice.title} {now}".lower()

    def _row(self, choice: Choice) -> Content:
        if choice.step is None and self._now is not None:
            return Content.assemble(
                (f"the model now, step {self._now[1]:,}", "bold $accent"), f"  {one_line(choice.run)}"
            )
        name = one_line(f"{choice.title} ({choice.run})" if choice.title else choice.run)
        return Content.assemble(
            (f"step {choice.step:>9,}", "bold"),
            f"   val {figures.loss(choice.loss):<7} ",
            (f"{one_line(choice.reason):<16} ", "$text-muted"),
            name,
        )
