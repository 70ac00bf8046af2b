"""What a person can do just now: the actions of whatever has the focus, of its view and of the app, and their words."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from textual.widget import Widget
from textual.widgets import Input

from gpt_tui.core.activity import UNSAVED
from gpt_tui.tui.keymap import Keymap
from gpt_tui.tui.keys import Action
from gpt_tui.tui.stage import Stage
from gpt_tui.tui.widgets.footer import KEPT, Item

if TYPE_CHECKING:
    from gpt_tui.tui.conductor import Conductor

FIRST = 1
OF_A_RUN = ("single_step", "stop_run", "save", "new_run")


class Doable:
    """focused, where it is asked for, is the widget with the focus below all overlays.

    conductor: None before there can be a run
    """

    def __init__(self, keymap: Keymap, stage: Stage) -> None:
        self._keymap, self._stage = keymap, stage
        self.conductor: Conductor | None = None

    def owners(self, focused: Widget | None) -> list[str]:
        """The owners of keys, from what has the focus outwards, without the app."""
        chain = focused.ancestors_with_self if focused is not None else [self._stage.in_sight]
        return [owner for node in chain for owner in getattr(node, "KEYS", ())]

    def own(self, focused: Widget | None) -> list[Action]:
        """The actions of what has the focus and of all around it, the nearest first."""
        return [action for owner in self.owners(focused) for action in self._keymap.of(owner)]

    def in_view(self, focused: Widget | None) -> list[Action]:
        """Every action that can be done from here, by name."""
        return self._keymap.of("app", *self.owners(focused), *self._stage.in_sight.KEYS)

    def footer(self, focused: Widget | None) -> Iterable[Item]:
        """What the last line offers: of two actions with one key the nearer one; in a field, how it is left."""
        if isinstance(focused, Input):
            yield Item(KEPT, "enter", "takes it", "app.press('enter')")
            yield Item(KEPT + 1, "esc", "leaves it as it was", "app.press('escape')")
            return
        taken: set[str] = set()
        for action in [*self.own(focused), *self._keymap.of("app")]:
            hidden = not action.keys or action.keys[0] in taken
            if not self._useful(action):
                continue
            taken.update(action.keys)
            if action.footer and not hidden:
                yield Item(self._place(action), action.first, action.short or self.label(action), _press(action))

    def _place(self, action: Action) -> int:
        """Where it stands in the last line: what helps a run that diverged comes first."""
        diverged = self.conductor is not None and self.conductor.diverged
        return FIRST if action.id == "fork_here" and diverged else action.footer

    def owner(self, action: Action, focused: Widget | None) -> Widget | None:
        """Where an action belongs: the focused widget, one that it lies in, the view, or (None) the app."""
        chain = list(focused.ancestors_with_self) if focused is not None else []
        nodes = [node for node in [*chain, self._stage.in_sight] if isinstance(node, Widget)]
        return next((node for node in nodes if action.where in getattr(node, "KEYS", ())), None)

    def label(self, action: Action) -> str:
        if action.where != "app":
            return self._stage.in_sight.label(action)
        if action.id != "toggle_run":
            return action.label
        return self.conductor.toggle_label if self.conductor is not None else "start"

    def _useful(self, action: Action) -> bool:
        """Whether it belongs into the last line now."""
        if action.where != "app":
            return self._stage.in_sight.useful(action)
        if (conductor := self.conductor) is None:
            return action.id not in OF_A_RUN
        word, alive = conductor.state.word, conductor.session is not None
        if action.id == "toggle_run":
            return word not in ("PREPARING", "OPENING") and (alive or not conductor.elsewhere)
        if action.id == "single_step":
            return alive and word == "PAUSED" and conductor.state.activity != UNSAVED
        if action.id in ("stop_run", "save"):
            return alive and not (action.id == "save" and word == "PREPARING")
        if action.id == "new_run":
            return conductor.may_go_on
        return True


def _press(action: Action) -> str:
    """What a press on it does, as Textual writes it."""
    return f"app.{action.id}" if action.where == "app" else f"app.do('{action.name}')"
