"""Before there is anything to draw: what is about to be trained, what is being made ready, or why it cannot begin."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from gpt_tui.core.config import DatasetFacts, RunConfig
from gpt_tui.core.presets import Preset
from gpt_tui.tui import figures
from gpt_tui.tui.naming import preset_name
from gpt_tui.tui.plain import visible
from gpt_tui.tui.state import State
from gpt_tui.tui.widgets.facts_pane import essentials, facts
from gpt_tui.tui.widgets.pane import Pane

BAR = 40
AROUND = 8  # columns of border and padding: before it has been laid out they tell its width, for the first frame
WELCOME = "A small GPT, trained on a text, here; watch it learn to write."


class ReadyPane(Pane):
    def __init__(self, *, id: str | None = None) -> None:
        super().__init__("ready", "r", id=id)
        self._shown: tuple[RunConfig | None, Preset | str | None, State, Sequence[str], DatasetFacts | None] | None = (
            None
        )

    def on_resize(self) -> None:
        if self._shown is not None:
            self.show(*self._shown)

    def show(
        self,
        config: RunConfig | None,
        preset: Preset | str | None,
        state: State,
        refusal: Sequence[str],
        known: DatasetFacts | None,
    ) -> None:
        """config: None while the form has faults. refusal: why the last start was refused, a sentence each."""
        self._shown = (config, preset, state, refusal, known)
        width = self.scrollable_content_region.width or self.app.size.width - AROUND
        blocks = [_refused(refusal) if refusal else Content.styled(WELCOME, "$text-muted")]
        if config is not None:
            self.set_title(f"preset {preset_name(preset, config)}" if preset else "ready")
            blocks.append(facts(essentials(config, known), width))
        blocks.append(_next(config, state, bool(refusal)))
        self.set_text(Content("\n\n").join(blocks))


def _refused(reasons: Sequence[str]) -> Content:
    lines = [Content.assemble("  ", visible(reason)) for reason in reasons]
    return Content("\n").join([Content.styled("This cannot start:", "bold $text-error"), *lines])


def _next(config: RunConfig | None, state: State, refused: bool) -> Content:
    if state.word in ("PREPARING", "OPENING"):
        return _progress(state)
    if config is None:
        return Content.assemble(("2", "bold $accent"), " shows what is wrong with the form; then space starts.")
    if refused:
        return Content.assemble(
            ("2", "bold $accent"), " changes the form, ", ("space", "bold $accent"), " starts what it says."
        )
    return Content.assemble(
        ("space", "bold $accent"), " starts it.   ", ("2", "bold $accent"), " changes any of it.   ",
        ("?", "bold $accent"), " shows the keys.",
    )  # fmt: skip


def _progress(state: State) -> Content:
    said = Content.styled((state.progress() or "making ready") + "…", "$text-accent")
    if state.share is None:
        return said
    done, todo = figures.bar(state.share, BAR)
    return Content.assemble(said, "\n", (done, "$accent"), (todo, "$border-blurred"))
