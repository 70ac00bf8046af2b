"""The lenses, over Generate or Samples: what surprises a model in a text, and what its heads look at.

    surprise   each character in the colour of its bits; beside another checkpoint, of what was learned of it
    heads      the attention of one layer, all its heads small and one in full
    looks at   what the character under the cursor looks at, on the text itself

The models are asked by `core.insight`, beside the screen. This file keeps what was chosen, asks, and draws the answers.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container
from textual.content import Content
from textual.message import Message
from textual.theme import Theme
from textual.widget import Widget
from textual.widgets import Input

from gpt_tui.core.errors import GptTuiError
from gpt_tui.tui import commands, keys, panes
from gpt_tui.tui.about import about
from gpt_tui.tui.inquiry import Inquiry
from gpt_tui.tui.key_names import show_key
from gpt_tui.tui.keymap import Keymap
from gpt_tui.tui.lens_texts import LensText, LensTexts, texts_of_run
from gpt_tui.tui.overlays import Command, Commanding, Help
from gpt_tui.tui.plain import LINE_END, one_line, visible
from gpt_tui.tui.screen import too_small
from gpt_tui.tui.shelf_checkpoints import Choice, beginning
from gpt_tui.tui.views.checkpoint_screen import CheckpointScreen
from gpt_tui.tui.widgets import heat_map, passage_facts
from gpt_tui.tui.widgets import lens_facts as facts
from gpt_tui.tui.widgets.ask_line import AskLine
from gpt_tui.tui.widgets.footer import KEPT, Footer, Item
from gpt_tui.tui.widgets.heat_map import HeatPane, Ink, Square
from gpt_tui.tui.widgets.lens_facts import COMPARED, LEARNED, PlaceRows, Wording
from gpt_tui.tui.widgets.lens_text import LensTextPane, Tinting
from gpt_tui.tui.widgets.line import Line, clickable
from gpt_tui.tui.widgets.pane import Pane
from gpt_tui.tui.widgets.tints import Scale, Tints, in_colour, level_of
from gpt_tui.tui.wishes import CopyText, EditText

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from gpt_tui.core.insight import Answer, Insight
    from gpt_tui.core.lens import TextSurprise
    from gpt_tui.core.session import Session
    from gpt_tui.core.speech import Source
    from gpt_tui.tui.keys import Action

Lens = Literal["surprise", "heads", "looks"]
LENSES: dict[Lens, str] = {"surprise": "surprise", "heads": "heads", "looks": "looks at"}
FLAT = 20  # lines below which the text has as few as can be
LOOK_EVERY = 0.5  # seconds between two looks at whether the run is still at work
TITLED = 28  # cells of the full map below which its title is cut
FRAME = 4  # cells of a map's border and padding
BRIEF = 24  # cells of a run's name where there is little room
NAMELESS = 8  # cells of a name that would tell nothing
NO_BEGINNING = "This run has kept no checkpoint to compare with; c chooses one of another run."
NO_TEXT = "There is no text here; p takes one."
PURPOSE = f"a text of yours, for the model to read; {LINE_END} stands for a line end"
NOTHING_TYPED = "Nothing was typed; the text is the one before."
ENDED = "The run has ended: its model stays as it is."
SAVED = "This checkpoint stays as it is; c compares it with another."
SAME = "This is the model itself: nothing differs."
ALIKE = "No character changed by half a bit or more."


class LensScreen(Commanding):
    """source: whose model is looked into. texts: those of who opened it, the first of them is shown; the run's own
    follow. session: the one at work, whose model as it is now can be compared with.

    lens: which is in sight. block: whose attention, from 1; 0 is the last. head: from 1; 0 is the mean of all

    insight: makes what finds out beside the screen
    """

    AUTO_FOCUS = ""
    HORIZONTAL_BREAKPOINTS = [(0, "-one"), (100, "-two"), (150, "-three")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-short"), (32, "-tall")]  # noqa: RUF012
    CSS_PATH = "lens_screen.tcss"
    BINDINGS: ClassVar[list[BindingType]] = keys.bindings("lens")
    KEYS: ClassVar[tuple[str, ...]] = ("lens",)

    class Texts(Message):
        """The texts that the run has recorded; none, and why, where they could not be read."""

        def __init__(self, texts: Sequence[LensText], error: str = "") -> None:
            super().__init__()
            self.texts = texts
            self.error = error

    class Began(Message):
        """The first checkpoint of the run; None where there is none, and why not."""

        def __init__(self, found: Choice | None, why_not: str = NO_BEGINNING) -> None:
            super().__init__()
            self.found = found
            self.why_not = why_not

    def __init__(
        self,
        source: Source,
        texts: Sequence[LensText],
        *,
        runs_dir: Path,
        insight: Callable[[], Insight],
        session: Session | None = None,
        ascii: bool = False,
    ) -> None:
        super().__init__()
        self.lens: Lens = "surprise"
        self.block = 0
        self.head = 0
        self.text_pane = LensTextPane(id="lens-text")
        self.places = PlaceRows(id="lens-places")
        self.map = HeatPane(id="lens-map")
        self.heads = HeatPane(id="lens-heads")
        self.words = Pane("in words", "w", id="lens-words")
        self.ask_line = AskLine(lines=True, id="lens-ask")
        self.texts = LensTexts(texts)
        self.inquiry = Inquiry(source, insight=insight, later=self.set_timer, found=self._take)
        self._runs_dir, self._session, self._ascii = runs_dir, session, ascii
        self._made_tints: Tints | None = None
        self._map_width = 0  # that was given to the full map; 0 is what it takes
        self._was_live = self.inquiry.live
        self._had_focus: Widget | None = None  # before the notice of a small terminal took everything away

    def compose(self) -> ComposeResult:
        yield Line(id="lens-title")
        yield Line(id="lens-tabs")
        with Container(id="lens-body"):
            yield self.text_pane
            with Container(id="lens-aside"):
                yield self.places
                yield self.map
                yield self.heads
                yield self.words
        yield Line(id="lens-readout")
        yield Line(id="lens-legend")
        yield Container(self.ask_line, id="lens-asking")  # which a small terminal hides with all else
        yield Footer(id="lens-footer")

    def on_mount(self) -> None:
        self.app.theme_changed_signal.subscribe(self, self._take_theme)
        self.text_pane.focus()
        threading.Thread(target=self._read_run, name="lens-texts", daemon=True).start()
        self.set_interval(LOOK_EVERY, self._look_at_run)
        self._take_text()

    def on_unmount(self) -> None:
        self.inquiry.close()

    def on_resize(self, event: events.Resize) -> None:
        cramped = too_small(event.size)
        if cramped and not self.has_class("-cramped"):
            self._had_focus = self.focused
        self.set_class(cramped, "-cramped")  # at once: what is drawn next is drawn for the room that there is
        self.set_class(event.size.height < FLAT, "-flat")
        if not cramped:
            self.call_after_refresh(self._come_back)

    def _come_back(self) -> None:
        kept, self._had_focus = self._had_focus, None
        if kept is not None and kept.is_attached and self.focused is None:
            self.set_focus(kept, from_app_focus=True)  # as it was left: a field does not select its text for this
        self._draw()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Where only the notice of a small terminal is seen, nothing is done unseen; leaving works."""
        return action == "leave" or not self.has_class("-cramped")

    def _look_at_run(self) -> None:
        if self.inquiry.live != self._was_live:
            self._was_live = self.inquiry.live
            self._draw()

    def _take_theme(self, _: Theme) -> None:
        self._made_tints = None
        self._draw()

    # Which text ------------------------------------------------------------------------------------------------------

    def _read_run(self) -> None:
        try:
            self.post_message(self.Texts(texts_of_run(self.inquiry.source.path)))
        except GptTuiError as error:
            self.post_message(self.Texts((), str(error)))

    def on_lens_screen_texts(self, message: Texts) -> None:
        if message.error:
            self.notify(one_line(message.error), severity="warning", markup=False)
        if self.texts.take_of_run(message.texts):
            self._take_text()
        self._draw()

    @property
    def characters(self) -> list[str]:
        if self.inquiry.read:
            return [letter.text for letter in self.inquiry.read[0].letters]
        return list(self.texts.current.text) if self.texts.current is not None else []

    def _take_text(self) -> None:
        """Look at another text, from where its cursor is."""
        text = self.texts.current
        self.inquiry.forget()
        self.text_pane.tint(None)
        self.text_pane.show(self.characters, text.at if text is not None else 0)
        self._ask()
        self._draw()

    def _take_own(self, written: str) -> None:
        if not written:
            self.notify("There is no character in this text.", markup=False)
            return
        self.texts.take_own(written)
        self._take_text()

    def action_next_text(self) -> None:
        if self.texts.turn():
            self._take_text()
        else:
            self.notify("There is no other text here; p takes one.", markup=False)

    def action_ask_text(self) -> None:
        self.ask_line.ask("text", "", PURPOSE, back=self.text_pane)
        self._draw_footer()

    def on_ask_line_answered(self, message: AskLine.Answered) -> None:
        message.stop()
        if message.text:
            self._take_own(message.text.replace(LINE_END, "\n"))
        else:
            self.notify(NOTHING_TYPED, markup=False)
            self._draw_footer()

    def action_edit_text(self) -> None:
        # Editors end a file with a line end: the one that is added here is the one that is taken away.
        text = self.texts.current.text if self.texts.current is not None else ""
        self.post_message(EditText("the text", f"{text}\n", ".txt", lambda t: self._take_own(t.removesuffix("\n"))))

    # What is found out -----------------------------------------------------------------------------------------------

    def _ask(self) -> None:
        if self.texts.current is not None:
            at = None if self.lens == "surprise" else self.text_pane.at
            self.inquiry.ask(self.texts.current, at)

    def _take(self, answer: Answer | None) -> None:
        if not self.is_attached:
            return
        if answer is not None and answer.notices:
            self.notify("\n".join(map(visible, answer.notices)), severity="warning", markup=False)
        if answer is not None and self.inquiry.dropped:
            why = f"They cannot be compared: {visible(self.inquiry.dropped)}"
            self.notify(why, severity="warning", markup=False)
        if answer is not None and answer.state == "finished":
            self.text_pane.show(self.characters)
        self._draw()

    def action_read_anew(self) -> None:
        """Of a run at work: with the model as it is by now."""
        if not self.inquiry.live:
            self.notify(SAVED if self.inquiry.source.session is None else ENDED, markup=False)
            return
        self.inquiry.renew()
        self._ask()
        self._draw()

    # Which lens ------------------------------------------------------------------------------------------------------

    def action_next_lens(self) -> None:
        names = list(LENSES)
        self.action_lens(names[(names.index(self.lens) + 1) % len(names)])

    def action_lens(self, lens: Lens) -> None:
        self.lens = lens
        self.text_pane.focus()
        self._ask_where_it_is_unknown()
        self._draw()
        self.call_after_refresh(self._draw)  # by then each pane has its size

    def _ask_where_it_is_unknown(self) -> None:
        inquiry = self.inquiry
        if self.lens == "surprise":
            known = not inquiry.comparing or bool(inquiry.learned)
        else:
            known = inquiry.seen(self.text_pane.at) is not None
        if not known:
            self._ask()

    @property
    def _weights(self) -> npt.NDArray[np.float32] | None:
        """Those of the block that is shown, (H, rows, columns); None where they are not known."""
        weights = self.inquiry.weights(self.text_pane.at)
        return None if weights is None else weights[self._block_now - 1]

    @property
    def _blocks(self) -> int:
        """How many there are, where that is known."""
        weights = self.inquiry.weights(self.text_pane.at)
        return 0 if weights is None else len(weights)

    @property
    def _block_now(self) -> int:
        return self.block or self._blocks

    def action_block(self, by: int) -> None:
        if self._has_attention():
            self.block = (self._block_now - 1 + by) % self._blocks + 1
            self._draw()

    def action_head(self, by: int) -> None:
        """The mean comes after the last head."""
        weights = self._weights
        if self._has_attention() and weights is not None:
            self.head = (self.head + by) % (len(weights) + 1)
            self._draw()

    def action_choose_head(self, head: int) -> None:
        self.head = 0 if head == self.head else head
        self._draw()

    def _has_attention(self) -> bool:
        """Whether there is any to choose of; where not, it is said why."""
        seen = self.inquiry.seen(self.text_pane.at)
        if self.lens == "surprise":
            self.notify("The surprise is that of the whole model; a goes on to its heads.", markup=False)
        elif self._weights is None:
            why = seen.why_not if seen is not None else self.inquiry.error
            self.notify(visible(why) or "The attention is not known yet.", markup=False)
        return self.lens != "surprise" and self._weights is not None

    # Comparing -------------------------------------------------------------------------------------------------------

    def action_difference(self) -> None:
        if self.inquiry.comparing and self.lens == "surprise":
            self.inquiry.compare_no_more()
            self._draw()
        elif self.inquiry.other is not None:
            self.inquiry.compare_again()
            self.action_lens("surprise")
        else:
            threading.Thread(target=self._find_beginning, name="lens-beginning", daemon=True).start()

    def _find_beginning(self) -> None:
        from gpt_tui.core.runs import Run

        try:
            self.post_message(self.Began(beginning(Run.open(self.inquiry.source.path))))
        except GptTuiError as error:
            self.post_message(self.Began(None, str(error)))

    def on_lens_screen_began(self, message: Began) -> None:
        if message.found is None:
            self.notify(one_line(message.why_not), markup=False)
        else:
            self._compare_with(message.found, begun=True)

    def action_choose_other(self) -> None:
        def chosen(choice: Choice | None) -> None:
            if choice is not None:
                self._compare_with(choice)

        session, now = self._session, None
        lends = session is not None and session.alive and session.snapshot.state in ("TRAINING", "PAUSED")
        if session is not None and lends and (path := session.snapshot.run_path) is not None:
            now = (Choice(path, None, path.name), session.snapshot.step)
        who, own = "which model to compare with", self.inquiry.source.path
        self.app.push_screen(CheckpointScreen(who, self._runs_dir, own, now, "compares"), chosen)

    def _compare_with(self, choice: Choice, begun: bool = False) -> None:
        from gpt_tui.core.speech import Source

        self._compare(Source(choice.path, choice.step, self._session if choice.step is None else None), begun)

    def _compare(self, other: Source, begun: bool = False) -> None:
        self.inquiry.compare(other, begun)
        self.action_lens("surprise")

    # Moving ----------------------------------------------------------------------------------------------------------

    def action_move(self, by: int) -> None:
        self.text_pane.move(by)

    def action_move_line(self, by: int) -> None:
        self.text_pane.move_line(by)

    def action_move_edge(self, way: int) -> None:
        self.text_pane.move_edge(way)

    def on_lens_text_pane_moved(self) -> None:
        if self.lens != "surprise":
            self._ask_where_it_is_unknown()
        self._draw()

    def on_rows_moved(self, message: PlaceRows.Moved) -> None:
        message.stop()
        self._go_to_place()

    def _go_to_place(self) -> None:
        if self.places.at is not None:
            self.text_pane.move_to(self.places.at)
            self._draw()

    def action_other_pane(self) -> None:
        there = self._lists()
        if not there:
            other = "n and m choose layer and head" if self.lens == "heads" else "all that is told is in sight"
            self.notify(f"There is no list to go to here; {other}.", markup=False)
            return
        way: list[Widget] = [self.text_pane, *there]
        at = next((at for at, pane in enumerate(way) if pane.has_focus), 0)
        pane = way[(at + 1) % len(way)]
        pane.focus()
        if pane is self.places:
            self._go_to_place()

    def _lists(self) -> list[Widget]:
        """What there is to go to beside the text: rows, and words that are not all in sight."""
        found: list[Widget] = [self.places] if self.places.count and panes.has_place(self.places) else []
        if panes.has_place(self.words) and self.words.max_scroll_y > 0:
            found.append(self.words)
        return found

    # Leaving, help, copying ------------------------------------------------------------------------------------------

    def action_leave(self) -> None:
        """Out of the field, and then back to where it was opened."""
        if self.ask_line.asked:
            self.ask_line.put_away()
            self._draw_footer()
        else:
            self.dismiss()

    def on_key(self, event: events.Key) -> None:
        """The views' keys lead to them, the palette's and ctrl+q do what they do everywhere; no other key does nothing
        without saying so."""
        typing = isinstance(self.focused, Input)
        if event.key in self.active_bindings or (typing and event.is_printable):
            return
        event.stop()
        for action in self._keymap.of("app"):
            leads = action.id.startswith("view(") and not typing
            if event.key in action.keys and (leads or action.id in ("palette", "quit")):
                if leads:
                    self.dismiss()
                self.app.call_later(self.app.run_action, action.id)
                return
        if typing:
            return
        key = event.character if event.is_printable and event.character else show_key(event.key)
        self.notify(f"{one_line(key)} does nothing here; ? shows the keys.", markup=False)

    def commands(self) -> list[Command]:
        """What the palette offers of the lens."""
        own = [action for action in self._keymap.of("lens") if not action.id.startswith("move")]
        return commands.of_actions(
            own, lambda action: action.label, lambda action: self.call_later(self.run_action, action.id)
        )

    @property
    def _keymap(self) -> Keymap:
        keymap: Keymap = getattr(self.app, "keymap", Keymap())
        return keymap

    def action_lens_help(self) -> None:
        own = self._keymap.of("lens")
        closing = next(action.keys for action in own if action.id == "lens_help")
        self.app.push_screen(Help("look inside", about("lens", LENSES[self.lens]), own, [], closing))

    def action_copy(self) -> None:
        inquiry = self.inquiry
        lines: list[str] = []  # where nothing is known yet
        if self.lens == "surprise":
            what = "characters with p, rank and bits"
            if inquiry.read:
                lines = facts.table(inquiry.read[0], inquiry.learned, self._wording)
        elif self.lens == "heads":
            what, lines = "the map", [line.plain.rstrip() for line in self._map_lines()]
        else:
            what = "what it looks at"
            if self._weights is not None:
                lines = [self._looked_heading(), *self.words.copied.split("\n")]
        self.post_message(CopyText(what, "\n".join(lines)))

    # Drawing ---------------------------------------------------------------------------------------------------------

    @property
    def _tints(self) -> Tints:
        if self._made_tints is None:
            self._made_tints = Tints.of_app(self.app)
        return self._made_tints

    @property
    def _ink(self) -> Ink:
        return Ink.of(self._tints.share, in_colour(self.app), self._ascii)

    def _draw(self) -> None:
        if not self.is_attached or not self.text_pane.is_attached or self.has_class("-cramped"):
            return
        for lens in LENSES:
            self.set_class(lens == self.lens, f"-{lens}")
        self.set_class(bool(self.inquiry.learned), "-difference")
        if self.lens == "surprise":
            self._draw_surprise()
        else:
            self._draw_attention()
        self._show_line("#lens-title", self._titles())
        self._show_line("#lens-tabs", self._tabs())
        self._show_line("#lens-readout", self._readouts())
        self._show_line("#lens-legend", self._legends())
        text = self.texts.current
        self.text_pane.set_title(text.name if text is not None else "text", self._place_in_text())
        self._draw_footer()

    def _draw_footer(self) -> None:
        self.query_one(Footer).set(list(self._footer()))

    def _show_line(self, which: str, contents: Sequence[Content]) -> None:
        """The first of these that there is room for, or the last."""
        line = self.query_one(which, Line)
        room = line.content_size.width
        line.show(next((one for one in contents if one.cell_length <= room or not room), contents[-1]))

    def _tint(self, values: Sequence[float], scale: Scale) -> None:
        coloured = in_colour(self.app)
        self.text_pane.tint(Tinting(values, scale, coloured, self._ascii or not coloured))

    # The surprise

    def _draw_surprise(self) -> None:
        inquiry, characters = self.inquiry, self.characters
        self.remove_class("-words")
        if not inquiry.read:
            known = visible(inquiry.error) or inquiry.activity or ("Nothing is known yet." if characters else NO_TEXT)
            self._show_places("most surprising", (), ("", ""), known)
            return
        now = inquiry.read[0]
        if not inquiry.learned:
            self._tint(now.bits, self._tints.surprise)
            none = "Of one character nothing was expected."
            self._show_places("most surprising", facts.worst(now), (" bits      p  rank", " bits"), none)
            return
        self._tint(inquiry.learned, self._tints.difference)
        then, wording = inquiry.read[1].bits, self._wording
        changed = facts.changed(then, now.bits, inquiry.learned)
        self._show_places(wording.title, changed, wording.heads, SAME if inquiry.same else ALIKE)
        text = "".join(character[-1] for character in characters)
        self._show_words("by kind of character", passage_facts.by_kind(text, then, now.bits, wording.columns))

    def _show_places(self, title: str, places: Sequence[facts.Place], heads: tuple[str, str], none: str) -> None:
        """none: what stands there where there are no places."""
        self.places.set_placeholder(Content.styled(none, "$text-muted"))
        self.places.set_title(title, "tab goes there" if places else "")
        self.places.show(self.characters, places, heads)

    @property
    def _wording(self) -> Wording:
        return LEARNED if self.inquiry.grew else COMPARED

    # The attention

    def _draw_attention(self) -> None:
        weights = self._weights
        self.set_class(weights is None, "-words")
        if weights is None:
            seen = self.inquiry.seen(self.text_pane.at)
            self._say_why(seen.why_not if seen is not None else self.inquiry.activity or self.inquiry.error)
            return
        shares = self._shares(self._head_now)
        first = self.text_pane.at + 1 - len(shares)
        self._tint([math.nan] * first + [level_of(share) for share in shares], self._tints.share)
        if self.lens == "looks":
            self._draw_looks(first, shares, len(weights))
            return
        self._fit_map()
        size = self.heads.content_size
        whose = next((words for words in self._whose if len(words) + 6 <= self.map.region.width), self._whose[-1])
        self.map.set_title(whose, "rows ask the columns")
        self.map.show(self._map_lines())
        self.heads.set_title(f"the {len(weights)} heads of layer {self._block_now}", "m chooses")
        squares = [self._square(head) for head in range(1, len(weights) + 1)]
        self.heads.show(heat_map.all_heads(squares, self.head, self._ink, size.width, size.height))

    def _fit_map(self) -> None:
        """What the full map has no use for is the small ones'."""
        room, height = self.map.region.width + self.heads.region.width, self.map.content_size.height
        width = min(max(heat_map.width_for(self._ink, height) + FRAME, TITLED), room // 2)
        if height and width != self._map_width:
            self._map_width = width
            self.map.styles.width = width

    def on_heat_pane_resized(self) -> None:
        self._draw()

    def _say_why(self, why: str) -> None:
        """Why there is nothing to be seen, in place of it."""
        self.text_pane.tint(None)
        self.words.set_title("looks at")
        self.words.set_text(Content.styled(visible(why), "$text-muted"))
        self.map.styles.width, self._map_width = "1fr", 0
        self.map.set_title("attention")
        self.map.say(visible(why))

    def _draw_looks(self, first: int, shares: Sequence[float], heads: int) -> None:
        """first: the character that the shares begin with."""
        characters, at = self.characters, self.text_pane.at
        width = self.words.scrollable_content_region.width
        lines = facts.looked_at(characters, shares, first, at, width)
        if heads > 1:
            rows = [self._shares(head) for head in range(1, heads + 1)]
            lines += facts.each_head(characters, rows, first, at, self._head_now, width)
        self._show_words(self._looked_heading(), lines)

    def _show_words(self, title: str, lines: Sequence[Content]) -> None:
        self.words.set_text(Content("\n").join(lines))
        self.words.set_title(title, "tab scrolls" if self.words.max_scroll_y > 0 else "")

    def _grid(self, head: int) -> npt.NDArray[np.float32]:
        """(rows, columns) of a head of the block; head: from 1; 0 is the mean of all."""
        weights = self._weights
        assert weights is not None
        grid: npt.NDArray[np.float32] = weights[head - 1] if head else weights.mean(0)
        return grid

    def _shares(self, head: int) -> list[float]:
        """What the character at the cursor takes of each in its window, up to itself."""
        at, seen = self.text_pane.at, self.inquiry.seen(self.text_pane.at)
        assert seen is not None
        return [float(share) for share in self._grid(head)[at - seen.row, : at - seen.column + 1]]

    def _square(self, head: int) -> Square:
        at, seen = self.text_pane.at, self.inquiry.seen(self.text_pane.at)
        assert seen is not None
        return Square.of(self._grid(head), seen.row, seen.column, at, self.characters)

    def _map_lines(self) -> list[Content]:
        if self._weights is None:
            return []
        size = self.map.content_size
        return heat_map.full(self._square(self._head_now), self._ink, size.width, size.height)

    @property
    def _head_now(self) -> int:
        weights = self._weights
        return self.head if weights is not None and self.head <= len(weights) else 0

    @property
    def _whose(self) -> list[str]:
        """Which block and which head are shown, in words, the fullest first."""
        count = len(self._weights) if self._weights is not None else 0
        head = f"head {self._head_now} of {count}" if self._head_now else f"mean of its {count} heads"
        full = f"layer {self._block_now} of {self._blocks} · {head if count > 1 else 'its one head'}"
        brief = f"head {self._head_now}" if self._head_now else "mean" if count > 1 else "one head"
        return [full, f"layer {self._block_now} of {self._blocks} · {brief}", f"layer {self._block_now} · {brief}"]

    def _looked_heading(self) -> str:
        characters, at = self.characters, self.text_pane.at
        return f"{facts.quoted(characters[at])} looks at" if at < len(characters) else "looks at"

    # The lines around them

    def _titles(self) -> list[Content]:
        """Whose model, and what it makes of the text, the fullest first."""
        inquiry, compared = self.inquiry, bool(self.inquiry.learned) and self.lens == "surprise"
        which, more = inquiry.which, []
        if compared:
            which += f" beside {inquiry.other_name}"
        elif inquiry.read:
            more.append(passage_facts.in_bits(passage_facts.mean(inquiry.read[0].bits)))
        if inquiry.activity:
            more.append(inquiry.activity)
        written = self.texts.current.step if self.texts.current is not None else None
        if written is not None and inquiry.step is not None and written != inquiry.step and not compared:
            which += f" reads what step {written:,} wrote"
        full = f"{inquiry.run} · {which}"
        told = ["   ".join([full, *more[:count]]) for count in range(len(more), -1, -1)]
        told += [f"{_cut(inquiry.run, cells)} · {which}" for cells in (BRIEF, NAMELESS)]
        return [Content.assemble(("look inside", "bold $accent"), "  ", words) for words in [*told, which]]

    def _tabs(self) -> list[Content]:
        """The lenses, and what is chosen of this one, the fullest first."""
        tabs = [
            clickable(f"▸{name} ", f"screen.lens('{lens}')", "bold $accent")
            if lens == self.lens
            else clickable(f" {name} ", f"screen.lens('{lens}')", "$text-muted")
            for lens, name in LENSES.items()
        ]
        told = [""]
        if self.lens != "surprise" and self._weights is not None:
            told = self._whose
        elif self.lens == "surprise" and self.inquiry.learned and len(self.characters) > 1:
            now, then = (read.mean for read in self.inquiry.read)
            fuller = f"{passage_facts.in_bits(now)}, {self.inquiry.other_name}: {then:.2f}"
            told = [fuller, f"{now:.2f}, {self._wording.then} {then:.2f}"]
        return [Content.assemble(*tabs, f"   {words}") for words in told]

    def _place_in_text(self) -> str:
        count = len(self.texts.all)
        which = f"text {self.texts.at % count + 1} of {count} · " if count > 1 else ""
        count = self.text_pane.count
        return f"{which}position {self.text_pane.at:,} of {count:,} characters" if count else ""

    def _readouts(self) -> list[Content]:
        """What is told of the character under the cursor, the fullest first."""
        inquiry, at = self.inquiry, self.text_pane.at
        if inquiry.error:
            whole = one_line(inquiry.error)
            return [Content.styled(f"✕ {words}", "$text-error") for words in (whole, whole.split(". ")[0])]
        if not inquiry.read:
            return [Content.styled(inquiry.activity or NO_TEXT, "$text-muted")]
        read = inquiry.read[0]
        name = read.letters[at].text
        if self.lens == "surprise" or self._weights is None:
            learned = inquiry.learned[at] if inquiry.learned and self.lens == "surprise" else None
            return facts.readout(name, read.bits[at], read.ranks[at], learned, inquiry.other_name, self._wording)
        looks = f" looks at what is {'coloured' if in_colour(self.app) else 'marked'}, to guess "
        return [Content.assemble((facts.quoted(name), "bold"), looks, _next(read, at))]

    def _legends(self) -> list[Content]:
        """How to read the colours, the fullest first."""
        tinted = in_colour(self.app)
        if self.lens != "surprise":
            shades = self._ink.shades if self.lens == "heads" else ""
            return facts.share_legend(self._tints.share, tinted, shades)
        if self.inquiry.learned:
            scale, (_, step) = self._tints.difference, self.inquiry.names[1]
            if self.inquiry.grew:
                return passage_facts.difference_legend(scale, tinted, step)
            return passage_facts.compared_legend(scale, tinted, self.inquiry.other_name)
        return passage_facts.surprise_legend(self._tints.surprise, tinted, None)

    def _footer(self) -> Iterable[Item]:
        if self.ask_line.asked:
            yield Item(KEPT, "enter", "reads it", "app.press('enter')")
            yield Item(KEPT + 1, "esc", "leaves it", "app.press('escape')")
            return
        for action in self._keymap.of("lens"):
            if action.footer and action.keys and self._useful(action):
                yield Item(action.footer, action.first, self._label(action), f"screen.{action.id}")

    def _useful(self, action: Action) -> bool:
        """Whether it belongs into the last line now."""
        attention = self.lens != "surprise"
        if action.id.startswith(("block", "head")):
            return attention
        if action.id == "read_anew":
            return self.inquiry.live
        if action.id == "other_pane":
            return bool(self._lists())
        return action.id != "next_text" or len(self.texts.all) > 1

    def _label(self, action: Action) -> str:
        if action.id == "difference" and self.inquiry.learned and self.lens == "surprise":
            return "surprise"
        if action.id == "other_pane":
            return "places" if self.lens == "surprise" else "scroll"
        return action.short or action.label


def _cut(name: str, cells: int) -> str:
    return Content(name).truncate(cells, ellipsis=True).plain


def _next(read: TextSurprise, at: int) -> str:
    """What comes after a character, and how likely that was."""
    if at + 1 >= len(read.letters):
        return "what comes next"
    return f"{facts.quoted(read.letters[at + 1].text)} (p {facts.chance(read.bits[at + 1])})"
