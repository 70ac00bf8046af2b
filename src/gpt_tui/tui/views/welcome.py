"""The first start: three ways to begin, in plain words, for who has never been here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.suggester import Suggester
from textual.widgets import Input, Static

from gpt_tui.core.files import expanded
from gpt_tui.tui.key_names import show_key
from gpt_tui.tui.plain import one_line

Way = Literal["watch", "text", "runs"]
WAYS: tuple[tuple[Way, str, str], ...] = (
    ("watch", "Watch it learn", "A small GPT learns to write like Shakespeare, in a minute or two."),
    ("text", "Open my own text", "Choose a file, see what a model reads in it, then train on it."),
    ("runs", "Look at an old run", "What was trained here before: curves, samples, checkpoints."),
)
CHOOSING = "↑↓ choose · enter takes it · esc looks around"
GREETING = "Train a small GPT in this terminal, and watch it learn to write."


@dataclass(frozen=True)
class Choice:
    """text: the path of the text that is to be opened."""

    way: Way
    text: str = ""


class Paths(Suggester):
    """Goes on with a path as far as the disk knows it."""

    def __init__(self) -> None:
        super().__init__(use_cache=False, case_sensitive=True)

    async def get_suggestion(self, value: str) -> str | None:
        if not value:
            return None
        try:
            typed = Path(value).expanduser()
            folder, beginning = (typed, "") if value.endswith("/") else (typed.parent, typed.name)
            found = sorted(path for path in folder.iterdir() if path.name.startswith(beginning))
        except (OSError, RuntimeError, ValueError):
            return None
        if not beginning or not found:
            return None
        return value + found[0].name[len(beginning) :] + ("/" if found[0].is_dir() else "")


class Welcome(ModalScreen[Choice]):
    """Ends with what was chosen; with None where a person only wants to look around.

    A key that is not its own says what is possible, and changes nothing; q leaves the program.
    """

    AUTO_FOCUS = ""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j,tab", "move(1)", show=False),
        Binding("up,k,shift+tab", "move(-1)", show=False),
        Binding("home,g", "edge(0)", show=False),
        Binding("end,G", "edge(-1)", show=False),
        Binding("enter,space", "choose", show=False),
        Binding("escape", "leave", show=False),
        Binding("q", "app.quit", show=False),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._at = 0
        self._said = ""

    def compose(self) -> ComposeResult:
        with Vertical(id="welcome") as box:
            box.border_title = Content("gpt-tui")
            yield Static(markup=False, id="ways")
            yield Input(
                placeholder="the path of a text, for example ~/books/emma.txt",
                compact=True,
                suggester=Paths(),
                id="path",
            )
            yield Static(markup=False, id="said")

    def on_mount(self) -> None:
        self.query_one("#path", Input).can_focus = False
        self._write()

    def on_resize(self, _: events.Resize) -> None:
        self._write()

    @property
    def _field(self) -> Input:
        return self.query_one("#path", Input)

    def _write(self) -> None:
        asking = self.has_class("-asking")
        says = "tab completes · enter opens it · esc goes back" if asking else CHOOSING
        self.query_one("#welcome").border_subtitle = Content(says)
        lines = [Content(GREETING), Content("")]
        for at, (_, title, says) in enumerate(WAYS):
            current = at == self._at
            sign, style = ("▸", "bold $accent") if current else (" ", "bold")
            lines.append(Content.assemble((f"{sign} ", "$accent"), (title, style)))
            lines.append(Content.assemble("  ", (says, "$text-muted")))
        self.query_one("#ways", Static).update(Content("\n").join(lines))
        self.set_class(bool(self._said), "-saying")
        self.query_one("#said", Static).update(Content.styled(self._said, "$text-error"))

    def action_move(self, by: int) -> None:
        """Another way; in the field, tab goes on with the path as it is suggested."""
        if self._field.has_focus:
            self._field.action_cursor_right()
            return
        self._at = (self._at + by) % len(WAYS)
        self._say("")

    def action_edge(self, at: int) -> None:
        """The first way, or the last."""
        self._at = at % len(WAYS)
        self._say("")

    def on_key(self, event: events.Key) -> None:
        """No key does nothing without saying so."""
        if event.key in self.active_bindings or self._field.has_focus:
            return
        event.stop()
        key = event.character if event.is_printable and event.character else show_key(event.key)
        self._say(f"{one_line(key)} does nothing yet; enter takes a choice, esc looks around")

    def action_choose(self) -> None:
        way = WAYS[self._at][0]
        if way != "text":
            self._end(Choice(way))
            return
        self.add_class("-asking")
        self._field.can_focus = True
        self._field.focus()
        self._write()

    def action_leave(self) -> None:
        if self._field.has_focus:
            self._field.can_focus = False
            self.remove_class("-asking")
            self.set_focus(None)
            self._say("")
        else:
            self._end(None)

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        path = expanded(event.value.strip())
        try:
            if path.is_dir():
                self._say(f"{one_line(str(path))} is a folder: name a file in it")
                return
            if path.exists() and not path.is_file():  # a pipe, say, would keep who opens it waiting
                self._say(f"{one_line(str(path))} is no file that holds a text")
                return
            with path.open("rb") as file:
                empty = not file.read(1)
        except (OSError, ValueError) as error:
            self._say(f"{one_line(str(path))} cannot be read: {getattr(error, 'strerror', None) or error}")
        else:
            if empty:
                self._say(f"{one_line(str(path))} is empty")
            else:
                self._end(Choice("text", str(path.absolute())))

    @on(Input.Changed)
    def _typed(self) -> None:
        self._say("")

    def _say(self, said: str) -> None:
        self._said = said
        self._write()

    def _end(self, choice: Choice | None) -> None:
        if self.is_current:
            self.dismiss(choice)
