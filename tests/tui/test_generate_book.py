"""What was written in Generate is leafed through both ways, and the oldest of it is let go for good."""

from __future__ import annotations

import gc
import weakref

import pytest

from gpt_tui.core.config import SamplingConfig
from gpt_tui.core.speech import Spoken, Utterance
from gpt_tui.tui import book
from gpt_tui.tui.book import Book, Origin, Page


def written(pages: Book, tokens: int, parent: Page | None = None) -> Page:
    """One more page with so many tokens; of a parent, a branch at its first."""
    origin = Origin(parent.number, parent, 0, 0, 0) if parent is not None else None
    page = pages.add("", SamplingConfig(), 1, origin)
    page.said[0] = Utterance("finished", samples=(tuple(Spoken(number, "a", False) for number in range(tokens)),))
    return page


def test_a_chain_of_branches_keeps_no_text_that_was_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(book, "TOKENS_KEPT", 100)
    pages = Book()
    made: list[weakref.ref[Page]] = []
    page = None
    for _ in range(50):
        page = written(pages, 20, page)
        made.append(weakref.ref(page))
        if len(made) % 2:  # and one that was come back to
            pages.turn(-1)
            pages.turn(1)
    gc.collect()
    alive = [number for number, ref in enumerate(made, 1) if ref() is not None]
    assert alive == list(range(45, 51))
    assert len(pages) == 6
    assert page is not None
    oldest = made[44]()
    assert oldest is not None
    assert oldest.origin == Origin(44, None, 0, 0, 0)


def test_the_text_that_one_branches_from_is_kept_however_old_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    pages = Book()
    first = written(pages, 90)
    second = weakref.ref(written(pages, 90))
    written(pages, 90)
    assert pages.turn(-1) is second()
    assert pages.turn(-1) is first
    monkeypatch.setattr(book, "TOKENS_KEPT", 100)
    branch = written(pages, 90, first)
    gc.collect()
    assert second() is None
    assert branch.origin is not None
    assert branch.origin.page is first
    assert pages.turn(-1) is first
    assert pages.turn(-1) is None
    assert pages.turn(1) is branch
    assert len(pages) == 3


def test_pages_without_a_token_are_let_go_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(book, "PAGES_KEPT", 10)
    pages = Book()
    for _ in range(30):
        written(pages, 0)
    assert len(pages) == 11
    assert pages.newest == 30


def test_one_text_may_be_longer_than_all_that_is_kept_and_is_still_gone_back_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(book, "TOKENS_KEPT", 100)
    pages = Book()
    for _ in range(3):
        long = written(pages, 1000)
    written(pages, 0)
    assert len(pages) == 2
    assert pages.turn(-1) is long
    assert pages.turn(-1) is None


def test_forward_takes_back_every_step_back_in_turn() -> None:
    pages = Book()
    one = written(pages, 3)
    written(pages, 3)
    three = written(pages, 3, one)
    four = written(pages, 3, three)
    assert [pages.turn(way) for way in (-1, -1, -1, 1, 1, 1)] == [three, one, None, three, four, None]
