"""View 4: a prompt, and a model that goes on from it. Before, during and after training; any checkpoint can speak.

A cursor stands on one token of the text and tells what else was likely there; any of that can be put in its place. What
is spoken is computed beside the screen, by `core.speech`; this file asks for it, draws it, and takes the keys. Who
speaks is in tui/cast.py and tui/voice.py, what was spoken so far in tui/book.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container
from textual.content import Content
from textual.widget import Widget

from gpt_tui.tui import keys, panes, preferences
from gpt_tui.tui.book import Book, Origin, Page
from gpt_tui.tui.cast import Cast, fitting, pace_of
from gpt_tui.tui.lens_texts import of_tokens
from gpt_tui.tui.pace import Pace
from gpt_tui.tui.plain import one_line, visible
from gpt_tui.tui.prompt_history import PromptHistory
from gpt_tui.tui.shelf_checkpoints import Choice
from gpt_tui.tui.shelf_questions import Began, Known, ShelfQuestions
from gpt_tui.tui.view import Halves, View
from gpt_tui.tui.views.checkpoint_screen import CheckpointScreen
from gpt_tui.tui.voice import Voice
from gpt_tui.tui.watched import config_of
from gpt_tui.tui.widgets.alternatives_pane import BEYOND, FIRST, AlternativesPane
from gpt_tui.tui.widgets.prompt_line import PromptLine
from gpt_tui.tui.widgets.sampler_pane import SamplerPane, explained
from gpt_tui.tui.widgets.save_line import SaveLine
from gpt_tui.tui.widgets.token_text import TokenText
from gpt_tui.tui.wishes import EditText, LookInside

if TYPE_CHECKING:
    from gpt_tui.core.config import SamplingConfig
    from gpt_tui.core.speech import Speech, Spoken, Utterance
    from gpt_tui.tui.keys import Action
    from gpt_tui.tui.watched import Watched

FLAT = 18  # lines below which only the upper border is drawn
FRAME = 6  # columns of a border beside its title
SMOOTH = 0.1  # seconds between two drawings, at most, while nothing is trained
NO_MODEL = "No model has been trained here yet: 2 chooses what to train, and space there starts it."
NOT_YET = "The run is being made ready; its model can speak as soon as there is one."
UNASKED = "This voice was not asked to go on from this; space asks both anew."
NOTHING_WRITTEN = "Nothing is written yet that could be kept."
ONE_SAMPLE = "This is one sample; the sampler's row samples says how many are written at once."
FIRST_TEXT = "There is no text before this one."
NEWEST_TEXT = "This is the newest text."
LET_GO = "The text that this one comes from was let go; newer ones took its room."


class GenerateView(View):
    """runs_dir: the shelf whose checkpoints may speak. speech: makes a voice."""

    TITLE = "Generate"
    BINDINGS: ClassVar[list[BindingType]] = keys.bindings("generate")
    KEYS: ClassVar[tuple[str, ...]] = ("generate",)

    def __init__(
        self, *, runs_dir: Path, speech: Callable[[], Speech], ascii: bool = False, id: str | None = None
    ) -> None:
        super().__init__(id=id)
        self.runs_dir = runs_dir
        self.first = Voice(
            0,
            speech,
            TokenText("text", "t", id="first-text"),
            AlternativesPane("at the cursor", "a", id="first-alternatives"),
        )
        self.second = Voice(
            1,
            speech,
            TokenText("second text", "u", id="second-text"),
            AlternativesPane("at the second cursor", "b", legend=False, id="second-alternatives"),
        )
        self.cast = Cast(self.first, self.second)
        self.book = Book()
        self.sampler = SamplerPane(id="sampler")
        self.prompt = PromptLine(PromptHistory(preferences.state_dir()), id="prompt")
        self.save_line = SaveLine(id="generate-save")
        self._voices_box, self._aside = Container(id="voices"), Container(id="aside")
        self._facing = self.first  # whose text had the focus last
        self._seen: tuple[object, ...] = ()  # what `follow` saw last
        self._settled: Path | None = None  # the run whose settings the sampler began with
        self._touched = False  # whether a person changed prompt or sampler
        self._shelf = ShelfQuestions(runs_dir, self.post_message)
        self._speak_when_known = False
        self._waiting: Page | None = None  # what the second voice answers once it is known whose model it has
        self._ticking = False
        self._pace = Pace()

    def compose(self) -> ComposeResult:
        with Container(id="stage"):
            with self._voices_box:
                yield self.first.text
                yield self.second.text
            with self._aside:
                yield self.sampler
                yield self.first.alternatives
                yield self.second.alternatives
        yield self.prompt
        yield self.save_line

    def on_mount(self) -> None:
        self._draw()

    def on_unmount(self) -> None:
        self._shelf.asked += 1  # no answer is wanted any more
        self.first.close()
        self.second.close()

    def on_resize(self, event: events.Resize) -> None:
        self.set_class(event.size.height < FLAT, "-flat")
        self.call_after_refresh(self._settle_layout)

    def _settle_layout(self) -> None:
        self.apply_split()
        self._draw()

    # For the app -----------------------------------------------------------------------------------------------------

    def arrive(self) -> None:
        self.first.text.focus()
        if self.cast.watched is None and self.first.choice is None:
            self._shelf.look_up(None)
        self._draw()

    def follow(self, watched: Watched | None) -> None:
        self.cast.watched = watched
        session, path = self.cast.session, watched.path if watched is not None else None
        evals = len(watched.history.evals) if watched is not None else 0
        step = session.snapshot.step if session is not None and self.first.drawn is None else None
        seen = (watched, path, evals, session, step)
        if seen == self._seen:
            return
        self._seen = seen
        if watched is not None and path is not None:
            self.cast.losses[path] = {e.step: e.val_loss for e in watched.history.evals}
            config = config_of(watched.history)
            if config is not None and self.first.choice is None:
                self._settle(path, config.sampling)
        self._draw()

    def use(self, path: Path, step: int) -> None:
        """Let this checkpoint speak."""
        self.first.choice = Choice(path, step, path.name)
        self._speak_when_known = True
        self._shelf.look_up(path)

    def leave(self) -> bool:
        """What esc does: out of the field; from the alternatives back to the text; stop speaking."""
        if self.save_line.asked:
            self.save_line.put_away()
        elif self.screen.focused in [voice.alternatives for voice in self.voices]:
            panes.maximise(self, None)
            self.screen.set_focus(self._facing.text)
        elif self.speaking:
            self._stop()
        else:
            return super().leave()
        return True

    def subject(self) -> str:
        path = self.cast.path_of(self.first)
        return one_line(path.name) if path is not None and path != self.cast.watched_path else ""

    def useful(self, action: Action) -> bool:
        """What would do nothing now, or what enter does too, is not offered."""
        page = self.book.current
        if action.id == "ask_prompt":
            return self._enter != "prompt"
        if action.id == "go_on":
            return page is not None and not self.speaking
        if action.id.startswith("turn_sample"):
            return page is not None and page.count > 1
        if action.id.startswith("turn_page"):
            return self.book.beside(-1 if "-" in action.id else 1, self._facing.number) is not None
        return action.id != "save_text" or page is not None

    def label(self, action: Action) -> str:
        if action.id == "speak":
            return "stop text" if self.speaking else "speak"
        if action.id == "side_by_side":
            return "one voice" if self.paired else action.label
        if action.id == "edit":
            return self._enter
        return "model" if action.id == "choose_checkpoint" else action.label

    @property
    def _enter(self) -> str:
        """What enter does now."""
        if self.sampler.has_focus_within:
            return "edit"
        return "what else" if self._facing.text.token is not None else "prompt"

    @property
    def panes(self) -> list[Widget]:
        second: list[Widget] = [self.second.text, self.second.alternatives] if self.paired else []
        return [self.first.text, *second[:1], self.sampler, self.first.alternatives, *second[1:]]

    def halves(self) -> Halves | None:
        one, two = self.screen.has_class("-one"), self.screen.has_class("-two")
        across = not one and not (two and self.paired)
        return Halves(self._voices_box, self._aside, across)

    def _split_boxes(self) -> tuple[Widget, ...]:
        return (self._voices_box, self._aside)

    # Whose model speaks ----------------------------------------------------------------------------------------------

    @property
    def paired(self) -> bool:
        """Whether a second voice answers."""
        return self.has_class("-pair")

    @property
    def voices(self) -> list[Voice]:
        return [self.first, self.second] if self.paired else [self.first]

    @property
    def speaking(self) -> bool:
        return any(voice.speaking for voice in self.voices)

    @on(Known)
    def _take_known(self, message: Known) -> None:
        if message.asked != self._shelf.asked:
            return
        speak, self._speak_when_known = self._speak_when_known, False
        if message.error:
            self.notify(one_line(message.error), severity="error", markup=False)
        if (found := message.found) is not None:
            if self.first.choice is None:
                self.cast.fallback = found
            self.cast.losses.setdefault(found.path, found.losses)
            self._settle(found.path, found.sampling)
        if speak and message.found is not None:
            self._speak()
        self._draw()

    def _settle(self, path: Path, sampling: SamplingConfig) -> None:
        """Begin with a run's own prompt and sampler, unless a person has chosen others."""
        if path == self._settled:
            return
        self._settled = path
        if not self._touched and not self.prompt.editing:
            self.sampler.take(sampling)
            self.prompt.show(sampling.prompt)

    def action_choose_checkpoint(self) -> None:
        """For the voice whose text has the focus."""
        voice = self._facing
        session, now = self.cast.session, None
        watched = self.cast.watched_path
        if session is not None and watched is not None:
            now = (Choice(watched, None, watched.name), session.snapshot.step)
        who = "which model is the second voice" if voice is self.second else "which model speaks"

        def chosen(choice: Choice | None) -> None:
            if choice is not None:
                self._choose(voice, choice)

        self.app.push_screen(CheckpointScreen(who, self.runs_dir, self.cast.path_of(self.first), now), chosen)

    def _choose(self, voice: Voice, choice: Choice) -> None:
        voice.choice = choice
        self.cast.know_loss(choice)
        if voice is self.first:
            self._speak_when_known = True
            self._shelf.look_up(choice.path)
        elif self.cast.path_of(voice) is not None:
            self._let_answer(voice, self.book.current or self._new_page(self.prompt.prompt))

    def action_side_by_side(self) -> None:
        panes.maximise(self, None)
        if self.paired and self._facing is self.second:
            self._facing = self.first
            self.first.text.focus()
        self.second.stop()
        self.toggle_class("-pair")
        self.call_after_refresh(self._settle_layout)
        page, path = self.book.current, self.cast.path_of(self.first)
        if self.paired and page is not None:
            said = self.second.on(page)
            if said is None or not said.samples:
                self._let_answer(self.second, page)
        elif self.paired and self.cast.choice_of(self.second) is None and path is not None:
            self._shelf.find_beginning(path)

    # Speaking --------------------------------------------------------------------------------------------------------

    def action_speak(self) -> None:
        if self.speaking:
            self._stop()
        else:
            self._speak()

    def _stop(self) -> None:
        self._waiting = None
        for voice in self.voices:
            voice.stop()
        self._draw()

    def _speak(self) -> None:
        """Let every voice answer the prompt."""
        if self.cast.path_of(self.first) is None:
            self._tell_no_model()
            return
        page = self._new_page(self.prompt.prompt)
        for voice in self.voices:
            self._let_answer(voice, page)

    def _tell_no_model(self) -> None:
        self.notify(NOT_YET if self.cast.watched is not None else NO_MODEL, markup=False)

    def _new_page(self, prompt: str, origin: Origin | None = None) -> Page:
        return self.book.add(prompt, self.sampler.sampling, self.sampler.samples, origin)

    def _let_answer(self, voice: Voice, page: Page) -> None:
        """Let one voice answer what a page asks, once it is known whose model it has."""
        source = self.cast.source_of(voice)
        if source is None:  # the run that had one was left meanwhile, for one that has none yet
            self._tell_no_model()
            return
        waits = voice is self.second and self.cast.choice_of(voice) is None
        if voice is self.second:
            self._waiting = page if waits else None
        if waits:
            self._shelf.find_beginning(source.path)
        else:
            voice.say(page, source)
            self._keep_drawing()

    def action_go_on(self) -> None:
        """With what is in sight, whether it was stopped or came to its end."""
        page = self.book.current
        if page is None:
            self._speak()
            return
        if any(voice.speaks_on(page) for voice in self.voices):
            self.notify("It is still writing; space stops it.", markup=False)
            return
        for voice in self.voices:
            said = voice.on(page)
            if said is not None and said.samples:
                voice.go_on(page, self.sampler.sampling)
            else:
                self._let_answer(voice, page)
        self._keep_drawing()

    def on_alternatives_pane_chosen(self, message: AlternativesPane.Chosen) -> None:
        """Branch: the text up to the cursor, the chosen token, and what the model makes of it."""
        voice, page = self._told_of(message.pane), self.book.current
        said = voice.on(page)
        if page is None or said is None:
            return
        sample = self._sample(page, said)
        at = _place_of(message.token, said.samples[sample])
        if at is None:
            return  # another text is in sight by now
        page.cursor = at
        before = "".join(token.text for token in said.samples[sample][:at])
        origin = Origin(page.number, page, voice.number, sample, at)
        branch = self._new_page(before + message.alternative.text, origin)
        voice.branch(branch, message.alternative)
        for other in self.voices:
            if other is not voice:
                self._let_answer(other, branch)
        panes.maximise(self, None)
        self.screen.set_focus(voice.text)
        self._keep_drawing()

    @on(Began)
    def _take_beginning(self, message: Began) -> None:
        if message.found is None:
            self.notify(one_line(message.why_not), markup=False)
            return
        self.cast.beginnings[message.path] = message.found
        self.cast.know_loss(message.found)
        if self._waiting is not None and self.paired:
            self._let_answer(self.second, self._waiting)
        self._draw()

    def _keep_drawing(self) -> None:
        if not self._ticking:
            self._ticking = True
            self._tick()

    def _tick(self) -> None:
        """Draw what was said since, and come again while there is more to come."""
        self._ticking = self.speaking and self.is_attached
        self._draw()
        if self._ticking:
            pause = self._pace.next()
            self.set_timer(pause if self.cast.session is not None else min(pause, SMOOTH), self._tick)

    # Leafing ---------------------------------------------------------------------------------------------------------

    def action_turn_page(self, way: int) -> None:
        here, page = self.book.current, self.book.turn(way, self._facing.number)
        if page is None:
            orphan = here is not None and here.origin is not None and here.origin.page is None
            self.notify(NEWEST_TEXT if way > 0 else LET_GO if orphan else FIRST_TEXT, markup=False)
            return
        self._draw()
        self._put_cursor(page.cursor)

    def action_turn_sample(self, by: int) -> None:
        page = self.book.current
        if page is None or page.count < 2:
            self.notify(ONE_SAMPLE, markup=False)
            return
        page.sample = (page.sample + by) % page.count
        at = page.cursor
        self._draw()
        self._put_cursor(at)

    def _put_cursor(self, at: int | None) -> None:
        """Both cursors go together."""
        for voice in self.voices:
            voice.text.move_to(at)
        if (page := self.book.current) is not None:
            page.cursor = at
        self._draw_alternatives()

    # Looking inside --------------------------------------------------------------------------------------------------

    def action_look_inside(self) -> None:
        """Into the model whose text has the focus, or had it last, as it reads that text."""
        voice, page = self._facing, self.book.current
        said = voice.on(page)
        source = self.cast.source_of(voice) if said is None else said.source
        if said is not None and source is not None and source.session is None and said.step is not None:
            source = replace(source, step=said.step)  # where a newer checkpoint has come
        if source is None:
            self._tell_no_model()
            return
        tokens = said.samples[self._sample(page, said)] if said is not None and said.samples else ()
        step = said.step if said is not None else None
        texts = of_tokens("what stands in Generate", tokens, voice.text.cursor, step)
        self.post_message(LookInside(source, texts, voice.model_of(said) if said is not None else None))

    # Keeping ---------------------------------------------------------------------------------------------------------

    def action_save_text(self) -> None:
        page = self.book.current
        said = self.first.on(page) or self.second.on(page)
        if said is None or not said.samples:
            self.notify(NOTHING_WRITTEN, markup=False)
            return
        self.save_line.save(self._whole(), f"{said.run}-step-{said.step}.txt", self.screen.focused or self._facing.text)

    def _whole(self) -> str:
        """All samples of every voice that is in sight, each below a line that says which; one alone as it is."""
        page, texts = self.book.current, []
        for voice in self.voices:
            said = voice.on(page)
            for number, sample in enumerate(said.samples if said is not None else ()):
                title = " · ".join(self._title(voice, said, number))
                texts.append((title, "".join(token.text for token in sample)))
        if len(texts) == 1:
            return texts[0][1]
        return "\n\n".join(f"=== {title}\n\n{text}" for title, text in texts) + "\n"

    # The prompt ------------------------------------------------------------------------------------------------------

    def action_edit(self) -> None:
        if self.sampler.has_focus_within:
            self.sampler.edit()
        elif self._enter == "prompt":
            self.prompt.edit()
        else:
            self._put_cursor(self._facing.text.cursor)  # it stays there, whatever is written meanwhile
            pane = self._facing.alternatives
            self.go_to(pane if panes.has_place(pane) else self.first.alternatives)

    def action_ask_prompt(self) -> None:
        self.prompt.edit()

    def action_edit_prompt(self) -> None:
        # Editors end a file with a line end: the one that is added here is the one that is taken away.
        self.post_message(EditText("the prompt", f"{self.prompt.prompt}\n", ".txt", self._take_prompt))

    def _take_prompt(self, text: str) -> None:
        self._touched = True
        self.prompt.enter(text.removesuffix("\n"))
        self._speak()

    def action_new_seed(self) -> None:
        """The next that no sample had."""
        seed = self.sampler.values["sample_seed"]
        self.sampler.set("sample_seed", (seed + self.sampler.samples) % 2**63)
        self._speak()

    def on_prompt_line_entered(self, message: PromptLine.Entered) -> None:
        message.stop()
        self._touched = True
        self._close_prompt()
        self._speak()

    def on_prompt_line_left(self, message: PromptLine.Left) -> None:
        message.stop()
        self._close_prompt()

    def _close_prompt(self) -> None:
        self.screen.set_focus(self._facing.text)  # at once: the next key is no longer the field's
        self.prompt.close()

    def on_sampler_pane_changed(self) -> None:
        self._touched = True
        self._draw_alternatives()

    # Drawing ---------------------------------------------------------------------------------------------------------

    def on_token_text_moved(self, message: TokenText.Moved) -> None:
        if (page := self.book.current) is not None:
            page.ahead = None
        self._put_cursor(message.at)

    def on_alternatives_pane_walked(self, message: AlternativesPane.Walked) -> None:
        self._told_of(message.pane).text.action_move_token(message.by)

    def on_sampler_pane_pointed(self) -> None:
        self._draw_alternatives()

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        for voice in (self.first, self.second):
            if event.widget is voice.text or (event.widget is voice.alternatives and not self._alone):
                self._facing = voice
        self.call_after_refresh(self._draw_alternatives)

    def on_descendant_blur(self, event: events.DescendantBlur) -> None:
        self.call_after_refresh(self._draw_alternatives)

    def _draw(self) -> None:
        if not self.is_attached:
            return
        page = self.book.current
        for voice in self.voices:
            utterance = voice.on(page)
            if utterance is not voice.drawn:
                if utterance is not None:
                    self._tell(utterance, voice.drawn)
                voice.drawn = utterance
            sample = self._sample(page, utterance)
            voice.text.show(utterance.samples[sample] if utterance is not None and utterance.samples else ())
            voice.text.mark(self.book.branches(voice.number))
            voice.text.say(self._words(voice, utterance))
            room = voice.text.size.width - FRAME
            pace = pace_of(utterance, page.stood(voice.number) if page is not None else None)
            voice.text.set_title(fitting(self._title(voice, utterance, sample), room), fitting(pace, room))
        self._draw_alternatives()

    def _sample(self, page: Page | None, utterance: Utterance | None) -> int:
        """Which one of a voice's is in sight."""
        count = len(utterance.samples) if utterance is not None else 0
        return min(page.sample, max(count - 1, 0)) if page is not None else 0

    def _title(self, voice: Voice, utterance: Utterance | None, sample: int) -> Sequence[str]:
        """Which sample, who spoke or will, which text; the most telling part first."""
        page, count = self.book.current, len(utterance.samples) if utterance is not None else 0
        which = f"sample {sample + 1} of {count}, seed {utterance.seed + sample}" if utterance and count > 1 else ""
        who, *more = self.cast.called(voice, utterance)
        text = ""
        if page is not None and len(self.book) > 1:
            text = f"text {page.number} of {self.book.newest}"
            if (origin := page.origin) is not None:
                text += f", from {origin.number}" + (", let go" if origin.page is None else "")
        return [part for part in (which, who, text, *more) if part]

    def _tell(self, utterance: Utterance, before: Utterance | None) -> None:
        """Say what cannot be seen where the text stands."""
        if utterance.notices and (before is None or before.notices != utterance.notices):
            self.notify("\n".join(map(visible, utterance.notices)), severity="warning", markup=False)
        if utterance.state == "failed" and utterance.tokens:
            self.notify(visible(utterance.error), severity="error", markup=False)

    def _words(self, voice: Voice, utterance: Utterance | None) -> Content:
        """What stands where there is no text."""
        if utterance is not None and utterance.state == "failed":
            return Content.styled(f"✕ {visible(utterance.error)}", "$text-error")
        if utterance is not None and utterance.state in ("loading", "speaking"):
            return Content.styled(f"{one_line(utterance.activity)}…", "$text-muted")
        if self.cast.path_of(voice) is None:
            return Content.styled(NO_MODEL if self.cast.watched is None else NOT_YET, "$text-muted")
        if self.book.current is not None and self._waiting is None:
            return Content.styled(UNASKED, "$text-muted")
        return Content.styled("space lets it go on from the prompt; p types another.", "$text-muted")

    def _draw_alternatives(self) -> None:
        if not self.is_attached:
            return
        for voice in self.voices:
            text = self._told_of(voice.alternatives).text
            voice.alternatives.show(text.token, BEYOND if text.cursor else FIRST)
        self.first.alternatives.explain(self._explanation())

    @property
    def _alone(self) -> bool:
        """Whether there is room for one pane of alternatives, beside two voices."""
        return self.paired and not panes.has_place(self.second.alternatives)

    def _told_of(self, pane: AlternativesPane) -> Voice:
        """Whose text a pane tells of; with room for one that is the text that has, or had, the focus."""
        if self._alone:
            return self._facing
        return self.second if pane is self.second.alternatives else self.first

    def _explanation(self) -> tuple[str, Content] | None:
        """The setting at the sampler's cursor, where its own pane has no room to explain it."""
        if not self.sampler.has_focus_within or self.sampler.explains:
            return None
        return self.sampler.current, explained(self.sampler.current, self.sampler.values)


def _place_of(token: Spoken, tokens: Sequence[Spoken]) -> int | None:
    """Where it stands; newer ones may have come after it."""
    return next((at for at in reversed(range(len(tokens))) if tokens[at] is token), None)
