"""The text of Generate, and what is told of the token at its cursor: where it ends within a character, or is long."""

from __future__ import annotations

from recording import screen_text
from text_app import TextApp

from gpt_tui.core.speech import Alternative, Spoken, Tokens
from gpt_tui.tui.widgets.alternatives_pane import LET_GO


async def test_the_cursor_stays_where_bytes_at_the_end_become_a_sign_and_a_character_again() -> None:
    app = TextApp()
    growing = [Spoken(97 + at, text, False) for at, text in enumerate("abc")]
    async with app.run_test(size=(40, 20)) as pilot:
        app.text.show(Tokens(growing, 3))
        app.text.move_to(1)
        growing.append(Spoken(0xC3, "", False))
        streaming = Tokens(growing, 4, waits=True)
        app.text.show(streaming)
        assert (app.text.at, app.text.copied) == (1, "abc")
        app.text.show(streaming.ended())
        await pilot.pause()
        assert (app.text.at, app.text.copied) == (1, "abc\ufffd")
        assert "abc\ufffd" in screen_text(app)
        growing.append(Spoken(0xA0, "à", False))
        app.text.show(Tokens(growing, 5))
        await pilot.pause()
        assert (app.text.at, app.text.copied) == (1, "abcà")
        assert "abcà" in screen_text(app)
        app.text.show(Tokens([*growing[:2], Spoken(0, "x", False), *growing[:2]], 5))
        assert app.text.at is None, "another text"


async def test_a_token_without_alternatives_still_says_how_likely_it_was() -> None:
    app = TextApp()
    whole = Spoken(8, "b", False, -1.2, 2, ("top_k",), (0.3, 0.1), (Alternative(7, "a", "a", (0.5, 0.9)),), "b")
    async with app.run_test(size=(60, 20)) as pilot:
        app.alternatives.show(whole)
        await pilot.pause()
        assert "0.500" in screen_text(app)
        app.alternatives.show(whole.alone)
        await pilot.pause()
        screen = screen_text(app)
        assert str(app.alternatives.border_subtitle) == "2nd likeliest · −ln p 1.20"
        assert " ".join(LET_GO.split()[:6]) in screen
        assert "0.500" not in screen
        app.alternatives.focus()
        await pilot.press("j", "enter")  # there is nothing to choose
        assert app.alternatives._rows == []
