"""What every view can do with its panes: maximise one, jump to one, give back its text.

A pane is a widget with a `label`, the `letter` that jumps to it, and `copied`, its text. A view may say by `panes`
which of its panes there are now; otherwise they are all that it holds.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from textual.widget import Widget


@runtime_checkable
class PaneLike(Protocol):
    label: str
    letter: str

    @property
    def copied(self) -> str: ...


def panes_of(view: Widget) -> list[Widget]:
    known = getattr(view, "panes", None)
    return list(known) if known is not None else [node for node in view.query("*") if isinstance(node, PaneLike)]


def focused_pane(view: Widget) -> Widget | None:
    return next((pane for pane in panes_of(view) if pane.has_focus_within), None)


def has_place(pane: Widget) -> bool:
    """Whether the layout shows it, as it is now."""
    return all(node.display for node in pane.ancestors_with_self if isinstance(node, Widget))


def maximised(view: Widget) -> bool:
    return view.has_class("-maximised")


def maximise(view: Widget, pane: Widget | None) -> None:
    """Give a pane the whole view; None gives every pane its place back. The view's style hides `.-away`."""
    kept = {pane, *(pane.ancestors if pane is not None else ())}
    view.set_class(pane is not None, "-maximised")
    inside = set(view.walk_children(Widget))
    boxes = {box for other in panes_of(view) for box in other.ancestors if box in inside}
    for node in {*panes_of(view), *boxes}:
        node.set_class(pane is not None and node not in kept, "-away")
        node.set_class(pane is not None and node in kept, "-alone")


def jumps(view: Widget) -> dict[str, tuple[str, Widget]]:
    """Letter -> (label, pane)."""
    return {pane.letter: (pane.label, pane) for pane in panes_of(view) if isinstance(pane, PaneLike)}


def go_to(view: Widget, pane: Widget) -> None:
    """Focus a pane; one that has no place in this layout gets the whole view."""
    if maximised(view):
        maximise(view, None)
    if not has_place(pane):
        maximise(view, pane)
    pane.focus()


def text_of(view: Widget) -> tuple[str, str]:
    """(label, text) of the focused pane, or of the first."""
    pane = focused_pane(view) or next(iter(panes_of(view)), None)
    return (pane.label, pane.copied) if isinstance(pane, PaneLike) else ("", "")
