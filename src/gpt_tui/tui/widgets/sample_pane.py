"""What a model wrote at one step of its training, under the prompt that it went on from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content

from gpt_tui.tui import figures
from gpt_tui.tui.plain import visible
from gpt_tui.tui.widgets.pane import Pane

if TYPE_CHECKING:
    from gpt_tui.core.events import Sample

FRAME = 6  # columns of the border beside its title


class SamplePane(Pane):
    def show(self, sample: Sample | None, val_loss: float | None, note: str = "", name: str = "") -> None:
        """sample: None says that there is none yet. val_loss: of the same step. name: other than the pane's label."""
        if sample is None:
            self.set_title(self.label, note)
            self.set_text(Content.styled("no sample yet", "$text-muted"))
            return
        loss = "" if val_loss is None else f" · val {figures.loss(val_loss)}"
        title = f"{name or self.label} · step {sample.step}"
        room = self.size.width - FRAME
        self.set_title(title + loss if len(title + loss) <= room or room <= 0 else title, note)
        prompt, text = visible(sample.prompt), visible(sample.text)
        if not prompt.strip("\n"):  # the new line that a sample without a prompt goes on from is nothing to look at
            prompt, text = "", text.lstrip("\n")
        self.set_text(Content.assemble((prompt, "$text-accent"), text))
