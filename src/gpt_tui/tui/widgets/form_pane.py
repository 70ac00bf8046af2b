"""The rows of the form under their titles, and the cursor among them. What a row reads is told by its owner."""

from __future__ import annotations

from itertools import groupby
from typing import ClassVar

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.geometry import Region, Spacing

from gpt_tui.core.config import FIELDS
from gpt_tui.tui.widgets.field_row import Columns, FieldRow
from gpt_tui.tui.widgets.form_parts import SectionTitle

PRESET = "preset"  # the row above the fields
HEAD = "data"  # what is read stands at the top, under the preset


class FormPane(VerticalScroll, can_focus=True, inherit_bindings=False):
    """Holds the rows, and the focus while no field is edited.

    rows: by name, in the order of the screen. at: the row with the cursor. copied: what `y` copies.
    """

    KEYS: ClassVar[tuple[str, ...]] = ()
    label = "form"
    letter = "f"
    copied = ""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.rows = {name: FieldRow(name, _columns(name)) for name in sorted([PRESET, *FIELDS], key=_is_below_head)}
        self.at = PRESET
        self.rows[PRESET].current = True

    def compose(self) -> ComposeResult:
        titled = HEAD
        for (section, group), names in groupby(self.rows, key=_place):
            if section != titled:
                titled = section
                yield SectionTitle(section)
            if group:
                yield SectionTitle(section, group)
            for name in names:
                yield self.rows[name]

    @property
    def row(self) -> FieldRow:
        """The one with the cursor."""
        return self.rows[self.at]

    @property
    def shown(self) -> list[str]:
        return [name for name, row in self.rows.items() if row.display]

    def put_cursor(self, name: str) -> None:
        self.row.current = False
        self.at = name
        self.row.current = True

    def reveal(self) -> None:
        """Scroll the cursor's row into sight, with a line above and below it."""
        if not self.size:
            return
        region = self.row.virtual_region
        around = Region(0, max(0, region.y - 1), region.width, region.height + 2)
        self.scroll_to_region(around, animate=False, spacing=Spacing(), force=True)

    def on_field_row_resized(self) -> None:
        self.reveal()

    def row_at(self, by: int) -> str | None:
        """The row so many below the cursor, or the last one there is that way; None where no row is shown."""
        shown = self.shown
        if not shown:
            return None
        at = shown.index(self.at) + by if self.at in shown else 0
        return shown[min(max(at, 0), len(shown) - 1)]

    def row_of_next_part(self, by: int) -> str | None:
        """The first row of the next section or group, or of the one before; None where the cursor is on no row."""
        shown = self.shown
        if self.at not in shown:
            return None
        here = shown.index(self.at)
        starts = [at for at, name in enumerate(shown) if at == 0 or _place(name) != _place(shown[at - 1])]
        if by > 0:
            return shown[next((at for at in starts if at > here), len(shown) - 1)]
        return shown[next((at for at in reversed(starts) if at < here), 0)]

    def show_only(self, words: list[str]) -> None:
        """The rows that have all of these in their names, and the titles above them."""
        for name, row in self.rows.items():
            row.display = all(word in name for word in words)
        places = {_place(name) for name in self.shown}
        for title in self.query(SectionTitle):
            title.display = any(title.section == section and title.group in ("", group) for section, group in places)


def _place(name: str) -> tuple[str, str]:
    """The section and the group that a row stands in."""
    return (HEAD, "") if name == PRESET else (FIELDS[name].section, FIELDS[name].group)


def _is_below_head(name: str) -> bool:
    return _place(name)[0] != HEAD


def _columns(name: str) -> Columns:
    """The head's rows say more of their values, so their names stand closer."""
    return Columns(27, 11) if _is_below_head(name) else Columns(9, 15)
