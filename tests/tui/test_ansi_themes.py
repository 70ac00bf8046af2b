"""Textual's themes of the terminal's own colours: what is chosen is seen in them too."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playing import until
from textual.pilot import Pilot
from textual.widgets import OptionList

from gpt_tui.tui.app import Playground
from gpt_tui.tui.overlays import Palette
from gpt_tui.tui.request import PlaygroundRequest


def underlined_rows(pilot: Pilot[None]) -> list[int]:
    """Which lines of the palette's list are underlined."""
    options = pilot.app.screen.query_one(OptionList)
    strips = [options.render_line(y) for y in range(options.size.height)]
    return [y for y, strip in enumerate(strips) if any(s.style and s.style.underline for s in strip)]


@pytest.mark.parametrize("theme", ["ansi-dark", "ansi-light"])
async def test_the_row_that_enter_would_do_is_seen(request_for: Callable[..., PlaygroundRequest], theme: str) -> None:
    app = Playground(request_for())
    async with app.run_test(size=(80, 24)) as pilot:
        app.theme = theme
        await pilot.press("colon")
        await until(pilot, lambda: isinstance(app.screen, Palette) and underlined_rows(pilot) == [0])
        await pilot.press("down")
        await until(pilot, lambda: underlined_rows(pilot) == [1])
