"""View 3: what the untrained model wrote beside what it writes at any evaluation of the run, and what surprises it.

Recorded samples and surprises are drawn from the `History` alone. Where checkpoints were kept, both models can be asked
anew: the same prompt and the same seed to each.

The cursor, the keys and the field live here. What was recorded at each evaluation is in places.py, whom to ask and what
they answer in asking.py, what the two panes show of it in widgets/two_texts.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Literal

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.message import Message
from textual.theme import Theme
from textual.widget import Widget
from textual.widgets import Input

from gpt_tui.core.runs import origin_of
from gpt_tui.tui import keys, panes, wishes
from gpt_tui.tui.asking import Asking, Question
from gpt_tui.tui.in_thread import in_thread
from gpt_tui.tui.lens_texts import PASSAGE, LensText, of_tokens
from gpt_tui.tui.places import Place, Places
from gpt_tui.tui.plain import LINE_END, one_line
from gpt_tui.tui.view import Halves, View
from gpt_tui.tui.watched import Own
from gpt_tui.tui.widgets import passage_facts as facts
from gpt_tui.tui.widgets.ask_line import LinesInput
from gpt_tui.tui.widgets.line import Line
from gpt_tui.tui.widgets.pane import Pane
from gpt_tui.tui.widgets.time_pane import Moment, TimePane, Times, TimeStrip
from gpt_tui.tui.widgets.tinted_pane import TintedPane
from gpt_tui.tui.widgets.two_texts import TwoTexts

if TYPE_CHECKING:
    from pathlib import Path

    from gpt_tui.core.events import Parent, Sample, Started
    from gpt_tui.core.runs import History, Origin
    from gpt_tui.core.speech import Source, Speech
    from gpt_tui.tui.keys import Action
    from gpt_tui.tui.watched import Watched

PURPOSE = (
    "Here you see what the untrained model writes beside what it writes at each evaluation of its training, and which "
    "characters of a text surprise it."
)

NO_ANSWER = "No answer stands there that could be looked into; esc leads back to what was recorded."

Colouring = Literal["none", "surprise", "difference"]


class SamplesView(View):
    """speech: makes a voice; two are made once somebody asks."""

    TITLE = "Samples"
    BINDINGS: ClassVar[list[BindingType]] = keys.bindings("samples")
    KEYS: ClassVar[tuple[str, ...]] = ("samples",)

    @dataclass
    class Found(Message):
        """Which steps of a run have a checkpoint on the disk; None where that cannot be told."""

        steps: frozenset[int] | None

    def __init__(self, *, speech: Callable[[], Speech], ascii: bool = False, id: str | None = None) -> None:
        super().__init__(id=id)
        self.nothing = Pane("samples", "s", id="nothing")
        self.untrained = TintedPane("untrained", "u", id="untrained")
        self.trained = TintedPane("trained", "t", id="trained")
        self.texts = TwoTexts(self.untrained, self.trained, ascii=ascii, id="texts")
        self.time = TimePane("time", "i", id="time")
        self._line = Line(id="telling")
        self._field = LinesInput(placeholder="text to go on from; empty is a new line", compact=True, id="prompt")
        self._watched: Watched | None = None
        self._history: History | None = None
        self._drawn: tuple[object, ...] = ()
        self._places = Places()
        self._started: Started | None = None  # of the run whose origin was looked for
        self._origin: Origin | None = None
        self._step: int | None = None  # the evaluation under the cursor; None follows the newest
        self._colouring: Colouring = "none"
        self._followed = False  # whether the cursor followed the newest when the question was asked
        self.asking = Asking(
            speech=speech,
            found=lambda steps: self.post_message(self.Found(steps)),
            later=self.set_timer,
            draw=self._draw,
        )
        self._composed = False

    def compose(self) -> ComposeResult:
        yield self.nothing
        yield self.texts
        with Horizontal(id="asking"):
            yield Line(id="asking-label")
            yield self._field
        yield self._line
        yield self.time

    def on_mount(self) -> None:
        self.query_one("#asking-label", Line).show(Content.styled("prompt ", "$text-accent"))
        self.app.theme_changed_signal.subscribe(self, self._take_theme)
        self._composed = True
        self._draw()

    def on_unmount(self) -> None:
        self.asking.close()

    def on_resize(self) -> None:
        self.apply_split()
        self.call_after_refresh(self._draw)

    def _take_theme(self, _: Theme) -> None:
        self.texts.take_theme()
        self._draw()

    # The run ---------------------------------------------------------------------------------------------------------

    def follow(self, watched: Watched | None) -> None:
        self._watched = watched
        history = watched.history if watched is not None else None
        ended = watched is not None and watched.state.ended
        path = watched.path if watched is not None else None
        state = (*_shown_of(history), ended, path)
        same = len(state) == len(self._drawn) and all(a is b or a == b for a, b in zip(state, self._drawn, strict=True))
        if not same:
            if history is not self._history and self._history is not None:
                self._forget()
            self._history, self._drawn = history, state
            self._look_back(path)
            self._take(Places(history, ended, self._origin), path)
        self.asking.look_up()

    def _take(self, places: Places, path: Path | None) -> None:
        self._places = places
        self.asking.follow(places, path)
        self._draw()

    def _look_back(self, path: Path | None) -> None:
        """Of a fork: have it read what the untrained model that it comes from wrote."""
        started = self._history.started if self._history is not None else None
        if path is None or started is self._started:
            return
        self._started, self._origin = started, None
        if started is not None and started.parent is not None and started.parent.step > 0:
            self._read_origin(path, started, started.parent)

    @work(exclusive=True, group="origin")
    async def _read_origin(self, path: Path, started: Started, parent: Parent) -> None:
        origin = await in_thread(lambda: origin_of(path, parent, started.created))
        if started is self._started and origin is not None:
            self._origin = origin
            self._take(Places(self._history, self._places.ended, origin), path)

    def _forget(self) -> None:
        """Another run: nothing that was chosen in the one before holds for it."""
        self._close_field()
        self.asking.forget()
        self._step = self._started = self._origin = None

    def on_samples_view_found(self, message: Found) -> None:
        self.asking.disk = message.steps
        self._draw()

    @property
    def _at(self) -> int:
        """Which evaluation is under the cursor."""
        return self._places.newest_written if self._step is None else self._places.nearest_to(self._step)

    # Through time ----------------------------------------------------------------------------------------------------

    def scrub_to(self, step: int | None) -> None:
        """Go to the evaluation nearest to a step; None follows the newest. Nobody is told."""
        if not self._places:
            self._step = step
            return
        self._go(self._places.newest_written if step is None else self._places.nearest_to(step), tell=False)

    def _go(self, at: int, tell: bool = True) -> None:
        before = self._at
        at = min(max(at, 0), self._places.newest)
        newest, step = at == self._places.newest_written, self._places[at].step
        self._step = None if newest and self.asking.question is None else step
        if at != before and self.asking.question is not None:
            self._followed = newest
            self.asking.ask_another(step)
        self._draw()
        if tell:
            self.post_message(wishes.Scrubbed(None if newest else step))

    def action_scrub(self, by: int) -> None:
        if self._has_places():
            if self._at == (0 if by < 0 else self._places.newest):
                self._say("This is the first evaluation." if by < 0 else "This is the newest evaluation.")
            self._go(self._at + by)

    def action_scrub_first(self) -> None:
        if self._has_places():
            self._go(0)

    def action_scrub_last(self) -> None:
        if self._has_places():
            self._go(self._places.newest_written)

    def on_time_strip_chosen(self, message: TimeStrip.Chosen) -> None:
        self._go(message.at)

    def _has_places(self) -> bool:
        if not self._places:
            self._say(self._why_nothing())
        return bool(self._places)

    def _say(self, text: str) -> None:
        self.notify(text, markup=False, timeout=5)

    # Colours ---------------------------------------------------------------------------------------------------------

    def action_colour(self) -> None:
        if self._colouring == "surprise":
            self._colour("none")
        elif self._has_places() and (self.asking.question is not None or self._has_surprises()):
            self._colour("surprise")

    def action_difference(self) -> None:
        if self._colouring == "difference":
            self._colour("none")
        elif self.asking.question is not None:
            self._say("The difference is that of one text under two models; esc leads back from what was asked.")
        elif self._has_places() and self._has_surprises():
            self._colour("difference")

    def _has_surprises(self) -> bool:
        found = any(place.surprise is not None for place in self._places)
        if not found:
            self._say("No evaluation of this run has recorded its surprise (yet), so there is nothing to colour.")
        return found

    def _colour(self, colouring: Colouring) -> None:
        self._colouring = colouring
        self.texts.scroll_back()
        self._draw()

    # Asking ----------------------------------------------------------------------------------------------------------

    def action_ask_prompt(self) -> None:
        if self._has_places() and self._can_ask():
            self._go_to_kept()
            self._field.value = self._asked().prompt.replace("\n", LINE_END)
            self.add_class("-asking")
            self._field.focus()
            self._draw()

    def action_new_seed(self) -> None:
        if self._has_places() and self._can_ask():
            self._go_to_kept()
            self._ask(self._asked().with_next_seed())

    def _can_ask(self) -> bool:
        why_nobody = self.asking.why_nobody()
        if why_nobody:
            self._say(why_nobody)
        return not why_nobody

    def _go_to_kept(self) -> None:
        """Move to the nearest evaluation whose checkpoint was kept, where this one's was not."""
        here = self._places[self._at].step
        there = self.asking.nearest_kept(here)[0]
        if there != here:
            where = f"This is step {there:,}, the nearest; ◆ marks the others."
            self._say(f"No checkpoint of step {here:,} was kept. {where}")
            self._go(self._places.nearest_to(there))

    def _asked(self) -> Question:
        return self.asking.question_at(self._places[self._at])

    @on(Input.Submitted, "#prompt")
    def _prompt_entered(self, event: Input.Submitted) -> None:
        event.stop()
        prompt = event.value.replace(LINE_END, "\n")
        self._close_field()
        if self._places:
            self._ask(replace(self._asked(), prompt=prompt))

    def _close_field(self) -> None:
        if self.has_class("-asking"):
            if self._field.has_focus:
                self.screen.set_focus(self.time)  # at once: the next key is no longer the field's
            self.remove_class("-asking")

    def _ask(self, question: Question) -> None:
        if self.asking.question is None:
            self._followed = self._step is None
        self._step = self._places[self._at].step  # a text that is being read is not exchanged for a newer one
        if self._colouring == "difference":
            self._colouring = "none"
        self.asking.ask(question, self._step)
        self.texts.scroll_back()
        self._draw()

    def _drop_question(self) -> bool:
        """Back to what was recorded; False where nothing was asked."""
        if not self.asking.drop():
            return False
        if self._followed:
            self._step = None
        return True

    # Looking inside --------------------------------------------------------------------------------------------------

    def action_look_inside(self) -> None:
        """Into the model of the evaluation under the cursor; into the first one, where its text has the focus."""
        if not self._has_places():
            return
        number, place = (0, self._places.first) if self.untrained.has_focus else (1, self._places[self._at])
        source = self._source_of(place)
        if source is None:
            self._say_why_not(place)
            return
        passage = LensText(PASSAGE, self._places.passage)
        texts = []
        if (sample := place.sample) is not None:
            texts = [LensText(f"the sample of step {place.step:,}", sample.prompt + sample.text, step=place.step)]
        if self.asking.question is not None:
            said = self.asking.answer(number, place)
            if said is None or not said.tokens:
                self._say(NO_ANSWER)
                return
            texts = [*of_tokens(f"the answer of step {place.step:,}", said.tokens, None, said.step), *texts, passage]
        else:
            texts = [passage, *texts] if self._colouring != "none" else [*texts, passage]
        self.post_message(wishes.LookInside(source, texts))

    def _source_of(self, place: Place) -> Source | None:
        """Its checkpoint, or for the newest evaluation what a run at work has now; None where nothing was kept."""
        from gpt_tui.core.speech import Source

        watched, kept = self._watched, self.asking.source_of(place)
        if kept is not None or not isinstance(watched, Own) or watched.path is None:
            return kept
        newest = place is self._places[self._places.newest]
        return Source(watched.path, None, watched.session) if newest and watched.session.alive else None

    def _say_why_not(self, place: Place) -> None:
        """Why the model of an evaluation cannot be looked into; the cursor goes to the nearest that can."""
        if place is not self._places[self._at]:
            self._say(self.asking.why_silent(place))
        elif self._can_ask():
            self._go_to_kept()

    # For the app -----------------------------------------------------------------------------------------------------

    def arrive(self) -> None:
        if not self.has_class("-asking"):
            (self.time if self._places else self.nothing).focus()

    def leave(self) -> bool:
        """Leave the field, a maximised pane, what was asked, the colours: one at a time."""
        if self.has_class("-asking"):
            self._close_field()
        elif panes.maximised(self):
            panes.maximise(self, None)
        elif self._drop_question():
            self.post_message(wishes.Scrubbed(self._step))
        elif self._colouring != "none":
            self._colouring = "none"
        else:
            return False
        self._draw()
        return True

    @property
    def panes(self) -> list[Widget]:
        return [self.untrained, self.trained, self.time] if self._places else [self.nothing]

    def useful(self, action: Action) -> bool:
        if not self._places:
            return False
        return len(self._places) > 1 or not action.id.startswith("scrub")

    def label(self, action: Action) -> str:
        if (action.id, self._colouring) in (("colour", "surprise"), ("difference", "difference")):
            return "no colours"
        return action.label

    def copied(self) -> tuple[str, str]:
        if not self._places or panes.focused_pane(self) in (self.untrained, self.trained):
            return panes.text_of(self)
        both = [f"{pane.border_title}\n\n{pane.copied}" for pane in (self.untrained, self.trained) if pane.copied]
        return "both texts", "\n\n".join(both)

    def halves(self) -> Halves | None:
        if not self._places:
            return None
        return Halves(self.untrained, self.trained, across=not self.screen.has_class("-one"))

    def _split_boxes(self) -> tuple[Widget, ...]:
        return (self.untrained, self.trained)

    # Drawing ---------------------------------------------------------------------------------------------------------

    def _draw(self) -> None:
        if not self._composed:
            return
        self._set_empty(not self._places)
        if not self._places:
            self.nothing.set_text(Content(f"{self._why_nothing()}\n\n{PURPOSE}"))
            return
        places, at = self._places, self._at
        if self.asking.question is not None:
            self.texts.show_answers(places, at, self.asking, self._colouring == "surprise")
        elif self._colouring == "none":
            self.texts.show_recorded(places, at)
        elif self._colouring == "surprise":
            self.texts.show_surprise(places, at)
        else:
            self.texts.show_difference(places, at)
        told = self._telling(places.first, places[at])
        room = self._line.size.width
        self._line.show(next((content for content in told if content.cell_length <= room or not room), told[-1]))
        self._draw_time()

    def _set_empty(self, empty: bool) -> None:
        if self.has_class("-empty") == empty:
            return
        had_focus = self.has_focus_within
        if empty:
            panes.maximise(self, None)
        self.set_class(empty, "-empty")
        if had_focus:
            self.screen.set_focus(self.nothing if empty else self.time)

    def _why_nothing(self) -> str:
        history = self._history
        if history is None:
            return "No run is open: space starts one, 5 shows those on the shelf."
        if self._places.ended:
            return "This run ended before its first evaluation, so no model of it was heard."
        if history.started is None:
            return "The run is being made ready. First of all the untrained model is evaluated, and writes."
        return "The untrained model is being evaluated; what it writes comes with that."

    # The line below the texts, and the time

    def _telling(self, first: Place, here: Place) -> list[Content]:
        """What the texts are and how to read them, the fullest first."""
        if self._colouring == "surprise":
            started = self._history.started if self._history is not None else None
            vocabulary = started.dataset.vocab_size if started is not None else None
            return facts.surprise_legend(self.texts.tints.surprise, self.texts.in_colour, vocabulary)
        if self._colouring == "difference":
            return facts.difference_legend(self.texts.tints.difference, self.texts.in_colour, first.step)
        if self.asking.question is not None:
            return _asked(self.asking.question)
        return [Content.styled(self._same_or_not(first.sample, here.sample), "$text-muted")]

    def _same_or_not(self, first: Sample | None, here: Sample | None) -> str:
        if first is None or here is None:
            return ""
        if (first.prompt, first.seed) == (here.prompt, here.seed):
            return f"both go on from {_prompt(first.prompt)}, with seed {first.seed}"
        return (
            f"not the same: {_prompt(first.prompt)} with seed {first.seed}, then {_prompt(here.prompt)} with seed "
            f"{here.seed}"
        )

    def _draw_time(self) -> None:
        kept, asking = self.asking.kept, self.asking.question is not None or self.has_class("-asking")
        moments = tuple(
            Moment(p.step, p.eval.train_loss, p.eval.val_loss, asking and p.step in kept) for p in self._places
        )
        times = Times(moments, self._at, self._places.expected, self._places.end, asking)
        self.time.show(times, newest=self._step is None)


def _shown_of(history: History | None) -> tuple[object, ...]:
    """What of a history is drawn here; two of them are alike as long as nothing of that has changed."""
    if history is None:
        return ()
    ends = (tuple(map(id, events[-1:])) for events in (history.evals, history.samples, history.surprises))
    counts = (len(history.evals), len(history.samples), len(history.surprises), len(history.checkpoints))
    return (history, history.started, *counts, *ends, tuple(map(id, history.checkpoints[-1:])), len(history.edits))


def _asked(question: Question) -> list[Content]:
    asked = Content.styled(f"asked: {_prompt(question.prompt)}, seed {question.seed}", "$text-accent")
    keys_ = " · n the next seed · p another prompt · esc what was recorded", " · esc what was recorded"
    return [*(asked + Content.styled(more, "$text-muted") for more in keys_), asked]


def _prompt(prompt: str) -> str:
    return "a new line" if not prompt.strip("\n") else f"“{one_line(prompt)}”"
