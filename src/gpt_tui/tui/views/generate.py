"""View 4: a prompt, and a model that goes on from it. Before, during and after training; any checkpoint can speak.

A cursor stands on one token of the text and tells what else was likely there. What is spoken is computed beside the
screen, by `core.speech`; this file asks for it, draws it, and takes the keys.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container
from textual.content import Content
from textual.message import Message
from textual.widget import Widget

from gpt_tui.core.errors import GptTuiError
from gpt_tui.tui import figures, keys, panes
from gpt_tui.tui.pace import Pace
from gpt_tui.tui.plain import one_line, visible
from gpt_tui.tui.shelf_checkpoints import Choice, Speaking, beginning, newest, speaking
from gpt_tui.tui.view import Halves, View
from gpt_tui.tui.views.checkpoint_screen import CheckpointScreen
from gpt_tui.tui.watched import Own, config_of
from gpt_tui.tui.widgets.alternatives_pane import BEYOND, FIRST, AlternativesPane
from gpt_tui.tui.widgets.prompt_line import PromptLine
from gpt_tui.tui.widgets.sampler_pane import SamplerPane, explained
from gpt_tui.tui.widgets.token_text import TokenText
from gpt_tui.tui.wishes import EditText

if TYPE_CHECKING:
    from gpt_tui.core.config import SamplingConfig
    from gpt_tui.core.session import Session
    from gpt_tui.core.speech import Source, Speech, Utterance
    from gpt_tui.tui.keys import Action
    from gpt_tui.tui.watched import Watched

FLAT = 18  # lines below which only the upper border is drawn
FRAME = 6  # columns of a border beside its title
SMOOTH = 0.1  # seconds between two drawings, at most, while nothing is trained
NO_MODEL = "No model has been trained here yet: 2 chooses what to train, and space there starts it."
NO_CHECKPOINT = "This run has no checkpoint yet that a second voice could speak with."
NOT_YET = "The run is being made ready; its model can speak as soon as there is one."


class Voice:
    """One of the two that may answer: who it is, what it says, and where that is seen.

    choice: whose model; None goes along with the run that is watched
    """

    def __init__(self, speech: Callable[[], Speech], text: TokenText, alternatives: AlternativesPane) -> None:
        self.text = text
        self.alternatives = alternatives
        self.choice: Choice | None = None
        self.source: Source | None = None  # of what was said last
        self.drawn: Utterance | None = None
        self._make = speech
        self._speech: Speech | None = None

    @property
    def utterance(self) -> Utterance | None:
        """What it says, or said last; None where it never spoke."""
        return self._speech.utterance if self._speech is not None else None

    @property
    def speaking(self) -> bool:
        utterance = self.utterance
        return utterance is not None and utterance.state in ("loading", "speaking")

    def say(self, source: Source, prompt: str, sampling: SamplingConfig) -> None:
        if self._speech is None:
            self._speech = self._make()
        self.source = source
        self._speech.say(source, prompt, sampling)

    def stop(self) -> None:
        if self._speech is not None:
            self._speech.stop()

    def close(self) -> None:
        if self._speech is not None:
            self._speech.close()


class GenerateView(View):
    """runs_dir: the shelf whose checkpoints may speak. speech: makes a voice."""

    TITLE = "Generate"
    BINDINGS: ClassVar[list[BindingType]] = keys.bindings("generate")
    KEYS: ClassVar[tuple[str, ...]] = ("generate",)

    class Known(Message):
        """What was found of a run; None where there is none. asked: the number of the question."""

        def __init__(self, found: Speaking | None, asked: int, error: str = "") -> None:
            super().__init__()
            self.found = found
            self.asked = asked
            self.error = error

    class Began(Message):
        """What the run of the first voice began with; None where there is none to speak, and why not."""

        def __init__(self, path: Path, found: Choice | None, why_not: str) -> None:
            super().__init__()
            self.path = path
            self.found = found
            self.why_not = why_not

    def __init__(
        self, *, runs_dir: Path, speech: Callable[[], Speech], ascii: bool = False, id: str | None = None
    ) -> None:
        super().__init__(id=id)
        self.runs_dir = runs_dir
        self.first = Voice(
            speech,
            TokenText("text", "t", id="first-text"),
            AlternativesPane("at the cursor", "a", id="first-alternatives"),
        )
        self.second = Voice(
            speech,
            TokenText("second text", "u", id="second-text"),
            AlternativesPane("at the second cursor", "b", legend=False, id="second-alternatives"),
        )
        self.sampler = SamplerPane(id="sampler")
        self.prompt = PromptLine(id="prompt")
        self._voices_box, self._aside = Container(id="voices"), Container(id="aside")
        self._watched: Watched | None = None
        self._seen: tuple[object, ...] = ()  # what `follow` saw last
        self._fallback: Speaking | None = None  # the newest run of the shelf, where none is watched
        self._beginnings: dict[Path, Choice] = {}  # whose model the second voice has, by the run of the first one
        self._losses: dict[Path, Mapping[int, float]] = {}
        self._settled: Path | None = None  # the run whose settings the sampler began with
        self._touched = False  # whether a person changed prompt or sampler
        self._asked = 0
        self._speak_when_known = False
        self._second_waits = False  # to be told whose model it has, and then to answer
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

    def on_mount(self) -> None:
        self._draw()

    def on_unmount(self) -> None:
        self._asked += 1
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
        if self._watched is None and self.first.choice is None:
            self._look_up(None)
        self._draw()

    def follow(self, watched: Watched | None) -> None:
        self._watched = watched
        session, path = self._session, watched.path if watched is not None else None
        evals = len(watched.history.evals) if watched is not None else 0
        step = session.snapshot.step if session is not None and self.first.drawn is None else None
        seen = (watched, path, evals, session, step)
        if seen == self._seen:
            return
        self._seen = seen
        if watched is not None and path is not None:
            self._losses[path] = {e.step: e.val_loss for e in watched.history.evals}
            config = config_of(watched.history)
            if config is not None and self.first.choice is None:
                self._settle(path, config.sampling)
        self._draw()

    def use(self, path: Path, step: int) -> None:
        """Let this checkpoint speak."""
        self.first.choice = Choice(path, step, path.name)
        self._speak_when_known = True
        self._look_up(path)

    def leave(self) -> bool:
        """What esc does: stop speaking first."""
        if self.speaking:
            self._stop()
            return True
        return super().leave()

    def subject(self) -> str:
        path = self._path_of(self.first)
        watched = self._watched.path if self._watched is not None else None
        return one_line(path.name) if path is not None and path != watched else ""

    def useful(self, action: Action) -> bool:
        """enter types the prompt too, but on a row of the sampler."""
        return action.id != "ask_prompt" or self.sampler.has_focus_within

    def label(self, action: Action) -> str:
        if action.id == "speak":
            return "stop" if self.speaking else "speak"
        if action.id == "side_by_side":
            return "one voice" if self.paired else action.label
        if action.id == "edit":
            return "edit" if self.sampler.has_focus_within else "prompt"
        return "model" if action.id == "choose_checkpoint" else action.label

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

    @property
    def _session(self) -> Session | None:
        """The session at work that has a model to lend."""
        watched = self._watched
        if not isinstance(watched, Own) or not watched.session.alive or watched.path is None:
            return None
        return watched.session if watched.snapshot.state in ("TRAINING", "PAUSED") else None

    def _choice_of(self, voice: Voice) -> Choice | None:
        """What a person chose; for the second voice else what the run of the first one began with, once known."""
        if voice.choice is not None or voice is self.first:
            return voice.choice
        path = self._path_of(self.first)
        return self._beginnings.get(path) if path is not None else None

    def _path_of(self, voice: Voice) -> Path | None:
        """The run whose model the voice has."""
        if (choice := self._choice_of(voice)) is not None:
            return choice.path
        if voice is self.second:
            return self._path_of(self.first)
        if self._watched is not None:
            return self._watched.path
        return self._fallback.path if self._fallback is not None else None

    def _step_of(self, voice: Voice) -> int | None:
        """The checkpoint's; None is the model as it is now, or the newest checkpoint."""
        if (choice := self._choice_of(voice)) is not None:
            return choice.step
        return 0 if voice is self.second else None

    def _source_of(self, voice: Voice) -> Source | None:
        from gpt_tui.core.speech import Source

        path, step = self._path_of(voice), self._step_of(voice)
        if path is None:
            return None
        watched = self._watched.path if self._watched is not None else None
        return Source(path, step, self._session if step is None and path == watched else None)

    def _look_up(self, path: Path | None) -> None:
        """Read what is known of a run, or of the newest one, beside the screen."""
        self._asked += 1
        threading.Thread(target=self._read, args=(path, self._asked), name="generate-shelf", daemon=True).start()

    def _read(self, path: Path | None, asked: int) -> None:
        from gpt_tui.core.runs import Run

        try:
            found = newest(self.runs_dir) if path is None else speaking(Run.open(path))
        except GptTuiError as error:
            self.post_message(self.Known(None, asked, str(error)))
        else:
            self.post_message(self.Known(found, asked))

    def on_generate_view_known(self, message: Known) -> None:
        if message.asked != self._asked:
            return
        speak, self._speak_when_known = self._speak_when_known, False
        if message.error:
            self.notify(one_line(message.error), severity="error", markup=False)
        if (found := message.found) is not None:
            if self.first.choice is None:
                self._fallback = found
            self._losses.setdefault(found.path, found.losses)
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
        voice = self.second if self.paired and self.second.text.has_focus else self.first
        session, now = self._session, None
        watched = self._watched.path if self._watched is not None else None
        if session is not None and watched is not None:
            now = (Choice(watched, None, watched.name), session.snapshot.step)
        who = "which model is the second voice" if voice is self.second else "which model speaks"

        def chosen(choice: Choice | None) -> None:
            if choice is not None:
                self._choose(voice, choice)

        self.app.push_screen(CheckpointScreen(who, self.runs_dir, self._path_of(self.first), now), chosen)

    def _choose(self, voice: Voice, choice: Choice) -> None:
        voice.choice = choice
        self._know_loss(choice)
        if voice is self.first:
            self._speak_when_known = True
            self._look_up(choice.path)
        else:
            self._let_answer(voice)

    def _know_loss(self, choice: Choice) -> None:
        if choice.loss is not None and choice.step is not None:
            known = self._losses.get(choice.path, {})
            self._losses[choice.path] = {**known, choice.step: choice.loss}

    def action_side_by_side(self) -> None:
        panes.maximise(self, None)
        if self.paired and (self.second.text.has_focus or self.second.alternatives.has_focus):
            self.first.text.focus()
        self.second.stop()
        self.toggle_class("-pair")
        self.call_after_refresh(self._settle_layout)
        if self.paired and self.first.drawn is not None:
            self._let_answer(self.second)
        elif self.paired and self._choice_of(self.second) is None and (path := self._path_of(self.first)) is not None:
            self._find_beginning(path)

    # Speaking --------------------------------------------------------------------------------------------------------

    def action_speak(self) -> None:
        if self.speaking:
            self._stop()
        else:
            self._speak()

    def _stop(self) -> None:
        self._second_waits = False
        for voice in self.voices:
            voice.stop()
        self._draw()

    def _speak(self) -> None:
        """Let every voice answer the prompt."""
        for voice in self.voices:
            if not self._let_answer(voice):
                self.notify(NOT_YET if self._watched is not None else NO_MODEL, markup=False)
                return

    def _let_answer(self, voice: Voice) -> bool:
        """Let one voice answer the prompt, once it is known whose model it has; False where there is none."""
        if (source := self._source_of(voice)) is None:
            return False
        self._second_waits = voice is self.second and self._choice_of(voice) is None
        if self._second_waits:
            self._find_beginning(source.path)
        else:
            voice.say(source, self.prompt.prompt, self.sampler.sampling)
            self._keep_drawing()
        return True

    def _find_beginning(self, path: Path) -> None:
        """Look beside the screen for what a run began with."""
        threading.Thread(target=self._read_beginning, args=(path,), name="generate-beginning", daemon=True).start()

    def _read_beginning(self, path: Path) -> None:
        from gpt_tui.core.runs import Run

        try:
            found = beginning(Run.open(path))
        except GptTuiError as error:
            self.post_message(self.Began(path, None, str(error)))
        else:
            self.post_message(self.Began(path, found, NO_CHECKPOINT))

    def on_generate_view_began(self, message: Began) -> None:
        if message.found is None:
            self.notify(one_line(message.why_not), markup=False)
            return
        self._beginnings[message.path] = message.found
        self._know_loss(message.found)
        if self._second_waits and self.paired:
            self._let_answer(self.second)
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
            self.set_timer(pause if self._session is not None else min(pause, SMOOTH), self._tick)

    def action_edit(self) -> None:
        if self.sampler.has_focus_within:
            self.sampler.edit()
        else:
            self.prompt.edit()

    def action_ask_prompt(self) -> None:
        self.prompt.edit()

    def action_edit_prompt(self) -> None:
        # Editors end a file with a line end: the one that is added here is the one that is taken away.
        self.post_message(EditText("the prompt", f"{self.prompt.prompt}\n", ".txt", self._take_prompt))

    def _take_prompt(self, text: str) -> None:
        self._touched = True
        self.prompt.show(text.removesuffix("\n"))
        self._speak()

    def action_new_seed(self) -> None:
        seed = self.sampler.values["sample_seed"]
        self.sampler.set("sample_seed", (seed + 1) % 2**63)
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
        self.screen.set_focus(self.first.text)  # at once: the next key is no longer the field's
        self.prompt.close()

    def on_sampler_pane_changed(self) -> None:
        self._touched = True
        self._draw_alternatives()

    # Drawing ---------------------------------------------------------------------------------------------------------

    def on_token_text_moved(self, message: TokenText.Moved) -> None:
        """Both cursors go together."""
        for voice in self.voices:
            voice.text.move_to(message.at)
        self._draw_alternatives()

    def on_sampler_pane_pointed(self) -> None:
        self._draw_alternatives()

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        self.call_after_refresh(self._draw_alternatives)

    def on_descendant_blur(self, event: events.DescendantBlur) -> None:
        self.call_after_refresh(self._draw_alternatives)

    def _draw(self) -> None:
        if not self.is_attached:
            return
        for voice in self.voices:
            utterance = voice.utterance
            if utterance is not None and utterance is not voice.drawn:
                self._tell(utterance, voice.drawn)
                voice.drawn = utterance
                voice.text.show(utterance.tokens)
            voice.text.say(self._words(voice, utterance))
            title = _fitting(self._title(voice, utterance), voice.text.size.width - FRAME)
            voice.text.set_title(title, _fitting(_notes(utterance), voice.text.size.width - FRAME))
        self._draw_alternatives()

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
        if self._path_of(voice) is None:
            return Content.styled(NO_MODEL if self._watched is None else NOT_YET, "$text-muted")
        return Content.styled("space lets it go on from the prompt; p types another.", "$text-muted")

    def _title(self, voice: Voice, utterance: Utterance | None) -> Sequence[str]:
        """Who spoke, or who will where nothing was said yet; the most telling part first."""
        path, step = self._path_of(voice), self._step_of(voice)
        if path is None:
            return ["no model yet"]
        watched, session = self._watched.path if self._watched is not None else None, self._session
        who = "newest checkpoint"
        if utterance is not None and voice.source is not None:
            path, step = voice.source.path, utterance.step if utterance.step is not None else voice.source.step
            live = "live, " if voice.source.session is not None else ""
            if step is not None:
                who = f"{live or self._named(voice, step)}step {step:,}"
            elif live:
                who = "the model now"
        elif step is not None:
            who = f"{self._named(voice, step)}step {step:,}"
        elif session is not None and path == watched:
            step = session.snapshot.step
            who = f"the model now, step {step:,}"
        loss = self._losses.get(path, {}).get(step) if step is not None else None
        parts = [who] if loss is None else [who, f"val {figures.loss(loss)}"]
        return parts if path == watched else [*parts, one_line(path.name)]

    def _named(self, voice: Voice, step: int) -> str:
        """What stands before the step of a checkpoint, where it has a name."""
        if step == 0:
            return "untrained, "
        return "first, " if voice is self.second and voice.choice is None else ""

    def _draw_alternatives(self) -> None:
        if not self.is_attached:
            return
        for voice in self.voices:
            # With room for one, it tells of the text that has the focus.
            alone = self.second.text.has_focus and not panes.has_place(self.second.alternatives)
            text = self.second.text if alone else voice.text
            voice.alternatives.show(text.token, BEYOND if text.cursor else FIRST)
        self.first.alternatives.explain(self._explanation())

    def _explanation(self) -> tuple[str, Content] | None:
        """The setting at the sampler's cursor, where its own pane has no room to explain it."""
        if not self.sampler.has_focus_within or self.sampler.explains:
            return None
        return self.sampler.current, explained(self.sampler.current, self.sampler.values)


def _notes(utterance: Utterance | None) -> list[str]:
    """How it went, and how fast."""
    if utterance is None or utterance.state in ("silent", "loading", "failed"):
        return []
    written = len(utterance.tokens) - sum(1 for _ in takewhile(lambda token: token.given, utterance.tokens))
    speed = [f"{figures.count(utterance.tokens_per_second)} tok/s"] if utterance.tokens_per_second else []
    first = utterance.first_token_seconds
    waited = [f"first after {first * 1000:.0f} ms"] if first is not None else []
    ended = ["stopped"] if utterance.state == "stopped" else []
    count = [f"{written:,} tokens"] if utterance.state != "speaking" else []
    return [*ended, *count, *speed, *waited]


def _fitting(parts: Sequence[str], room: int) -> str:
    """As many of these as there is room for, the first at least."""
    shown = parts[0] if parts else ""
    for part in parts[1:]:
        longer = f"{shown} · {part}"
        if 0 < room < len(longer):
            break
        shown = longer
    return shown
