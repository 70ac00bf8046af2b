"""What lies over a view for a moment: help, the command palette, the letters that jump to a pane."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from gpt_tui.core.errors import near
from gpt_tui.tui.keys import GROUPS, Action, grouped

HELP_FRAME = 12  # columns that the help leaves around its text
MISSED = "no action has these words"
NEAREST = f"{MISSED}; ↓ goes to the nearest"
LABEL = 20  # a longer label pushes its help aside, alone


class Help(ModalScreen[None]):
    """What has the focus, explained, with its keys, and then the program's. The key that opened it closes it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,enter,space", "dismiss", show=False),
        Binding("j,down", "down", show=False),
        Binding("k,up", "up", show=False),
        Binding("g,home", "first", show=False),
        Binding("G,end", "last", show=False),
    ]

    def __init__(
        self,
        subject: str,
        about: Sequence[str],
        own: Iterable[Action],
        general: Iterable[Action],
        closing: Sequence[str] = (),
    ) -> None:
        """about: what there is to see, a paragraph each. closing: the keys that opened it."""
        super().__init__()
        self._subject, self._about = subject, about
        self._opened_by = closing
        self._own, self._general = list(own), list(general)

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="help") as box:
            box.border_title = Content(f"help: {self._subject}")
            box.border_subtitle = Content("? closes · j k scroll")
            yield Static(markup=False)

    def on_key(self, event: events.Key) -> None:
        if event.key in self._opened_by and self.is_current:
            event.stop()
            self.dismiss()

    def on_resize(self) -> None:
        self.call_after_refresh(self._write)

    def on_mount(self) -> None:
        self._write()

    def _write(self) -> None:
        room = self._box.scrollable_content_region.width
        self.query_one(Static).update(self._text(room or self.app.size.width - HELP_FRAME))

    def _text(self, width: int) -> Content:
        keys = max(len(action.shown) for action in self._own + self._general)
        lines: list[Content] = []
        for paragraph in self._about:
            lines += [*map(Content, textwrap.wrap(paragraph, max(width, 20))), Content("")]
        for group, members in [*grouped(self._own).items(), *grouped(self._general).items()]:
            lines.append(Content.styled(GROUPS[group], "bold $accent"))
            for action in members:
                first, *rest = textwrap.wrap(action.help, max(width - keys - 4, 20))
                lines.append(Content.assemble("  ", (f"{action.shown:<{keys}}", "bold"), "  ", first))
                lines += [Content(" " * (keys + 4) + more) for more in rest]
            lines.append(Content(""))
        return Content("\n").join(lines[:-1])

    @property
    def _box(self) -> VerticalScroll:
        return self.query_one("#help", VerticalScroll)

    def action_down(self) -> None:
        self._box.scroll_down(animate=False)

    def action_up(self) -> None:
        self._box.scroll_up(animate=False)

    def action_first(self) -> None:
        self._box.scroll_home(animate=False)

    def action_last(self) -> None:
        self._box.scroll_end(animate=False)


@dataclass(frozen=True)
class Command:
    """One entry of the palette. do: called once the palette has gone."""

    label: str
    key: str
    help: str
    do: Callable[[], object]

    def matches(self, words: Sequence[str]) -> bool:
        text = f"{self.label} {self.help}".lower()
        return all(word in text for word in words)


class Commanding(ModalScreen[None]):
    """Lies over a view, and has commands of its own for the palette."""

    def commands(self) -> list[Command]:
        raise NotImplementedError


class Palette(ModalScreen[Command]):
    """Every action, found by typing. offers: entries made of what was typed, such as a field's new value."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", show=False),
        Binding("down,ctrl+n", "move(1)", show=False),
        Binding("up", "move(-1)", show=False),
        Binding("pagedown", "move(8)", show=False),
        Binding("pageup", "move(-8)", show=False),
    ]

    def __init__(
        self, commands: Iterable[Command], offers: Callable[[str], list[Command]], closing: Sequence[str] = ()
    ) -> None:
        """closing: the keys that opened it; those of them that are letters are typed here."""
        super().__init__()
        self._opened_by = [key for key in closing if "+" in key]
        self._commands = list(commands)
        self._offers = offers
        self._found: list[Command] = []
        self._typed_words = ""

    def compose(self) -> ComposeResult:
        with Vertical(id="palette") as box:
            box.border_title = Content("do")
            box.border_subtitle = Content("enter does it · esc leaves")
            yield Input(placeholder="an action, or a field and its new value: learning_rate 0.001", compact=True)
            yield OptionList(compact=True, markup=False)

    def on_mount(self) -> None:
        self.query_one(OptionList).can_focus = False
        self._find("")

    def on_key(self, event: events.Key) -> None:
        """Keys that come before the field has the focus belong to it too."""
        if event.key in self._opened_by and self.is_current:
            event.stop()
            self.dismiss()
            return
        field = self.query_one(Input)
        if field.has_focus:
            return
        if event.key == "enter":
            self._choose(field.value)
        elif event.is_printable and event.character:
            field.insert_text_at_cursor(event.character)
            field.focus()

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        self._find(event.value)

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        self._choose(event.value)

    def _choose(self, typed: str) -> None:
        if typed != self._typed_words:  # enter came before what was typed last had been looked for
            self._find(typed)
        at = self.query_one(OptionList).highlighted
        if at is not None and at < len(self._found) and self.is_current:  # enter may come twice
            self.dismiss(self._found[at])

    @on(OptionList.OptionSelected)
    def _clicked(self, event: OptionList.OptionSelected) -> None:
        if self.is_current:
            self.dismiss(self._found[event.option_index])

    def action_move(self, by: int) -> None:
        options = self.query_one(OptionList)
        at = options.highlighted
        if self._found:
            options.highlighted = 0 if at is None else min(max(at + by, 0), len(self._found) - 1)

    def _nearest(self, typed: str) -> list[Command]:
        """What may have been meant: by all that was typed, and by its first word, after which a value may stand."""
        named = {command.label.lower(): command for command in self._commands}
        first, _, _ = typed.partition(" ")
        return [named[name] for name in dict.fromkeys([*near(typed, named), *near(first, named)])]

    def _find(self, typed: str) -> None:
        self._typed_words = typed
        words = typed.lower().split()
        begins = [c for c in self._commands if c.matches(words) and c.label.lower().startswith(typed.lower())]
        others = [c for c in self._commands if c.matches(words) and c not in begins]
        found = [*self._offers(typed), *begins, *others]
        self._found = found or self._nearest(typed.strip().lower())
        options = self.query_one(OptionList)
        options.clear_options()
        label = max((len(c.label) for c in self._found if len(c.label) <= LABEL), default=LABEL)
        key = max((len(c.key) for c in self._found), default=0) + 2
        options.add_options(
            Option(
                Content.assemble(
                    (f"{c.key:<{key}}", "bold $accent"), f"{c.label:<{label}}", "  ", (c.help, "$text-muted")
                )
            )
            for c in self._found
        )
        options.highlighted = 0 if found else None  # enter does not do what was only guessed
        if not found:
            missed = NEAREST if self._found else MISSED
            options.add_option(Option(Content.styled(missed, "$text-muted"), disabled=True))


class Jump(ModalScreen[Widget]):
    """Waits for the letter of a pane. panes: letter -> (its name, the pane)."""

    def __init__(self, panes: dict[str, tuple[str, Widget]]) -> None:
        super().__init__()
        self._panes = panes

    def compose(self) -> ComposeResult:
        yield Static(id="jump", markup=False)

    def on_mount(self) -> None:
        self._write()

    def on_resize(self) -> None:
        self._write()

    def _write(self) -> None:
        """The panes on as many lines as they need, none of them broken into two."""
        items = [Content.assemble((letter, "bold $accent"), f" {name}") for letter, (name, _) in self._panes.items()]
        lines = [Content("jump to")]
        for item in [*items, Content.assemble(("esc", "bold"), " stay")]:
            longer = lines[-1] + Content("   ") + item
            lines = [*lines[:-1], longer] if longer.cell_length <= self.app.size.width - 2 else [*lines, item]
        self.query_one(Static).update(Content("\n").join(lines))

    def on_key(self, event: events.Key) -> None:
        event.stop()
        _, pane = self._panes.get(event.character or "", ("", None))
        if self.is_current:
            self.dismiss(pane)
