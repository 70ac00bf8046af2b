"""Names and values, aligned: the configuration's essentials, and anything else of that kind."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from typing import TYPE_CHECKING

from textual.content import Content

from gpt_tui.core import shapes
from gpt_tui.core.config import DatasetFacts, ModelConfig, RunConfig
from gpt_tui.core.cost import assumed_vocabulary
from gpt_tui.tui import figures
from gpt_tui.tui.plain import one_line
from gpt_tui.tui.widgets.pane import Pane

if TYPE_CHECKING:
    from gpt_tui.core.events import DatasetRecord, Started

Facts = list[tuple[str, str]]


def facts(rows: Iterable[tuple[str, str]], width: int) -> Content:
    """A line a fact, `width` cells wide; what is longer goes on under its value."""
    rows = list(rows)
    names = max((len(name) for name, _ in rows), default=0) + 2
    lines = []
    for name, value in rows:
        first, *rest = textwrap.wrap(value, max(width - names, 12)) or [""]
        lines.append(Content.assemble((f"{name:<{names}}", "$text-muted"), first))
        lines += [Content(" " * names + more) for more in rest]
    return Content("\n").join(lines)


def essentials(config: RunConfig, known: DatasetFacts | None, started: Started | None = None) -> Facts:
    """What a person wants to know of a run at a glance. known: of the dataset, before a run has `started`."""
    model, training, optimizer = config.model, config.training, config.optimizer
    dataset = started.dataset if started else known
    batches = f" × {training.gradient_accumulation_steps}" if training.gradient_accumulation_steps > 1 else ""
    rate = figures.rate(optimizer.learning_rate)
    if optimizer.lr_schedule != "constant":
        rate += f", {optimizer.lr_schedule} to {figures.rate(optimizer.min_lr)}"
    machine = f"{started.device} · {started.dtype} · {_several(started.threads, 'thread')}" if started else ""
    return [
        ("dataset", _dataset(config.data.dataset, dataset)),
        ("model", _model(model)),
        ("parameters", _parameters(config, dataset)),
        ("training", f"{training.max_iters} steps · batch {training.batch_size}{batches} · dropout {model.dropout:g}"),
        ("learning rate", rate),
        ("evaluation", f"every {training.eval_interval} steps, each with a sample"),
        ("device", machine or str(training.device)),
        ("seed", str(training.seed)),
    ]


def _model(model: ModelConfig) -> str:
    """What it has, and what it lacks of what a GPT has."""
    context = f"context {model.block_size}"
    if not model.head:
        return f"a table of pairs: no attention, no layers · {context}"
    parts = [_several(model.n_layer, "layer") if shapes.depth(model) else "no layers"]
    if shapes.depth(model):
        parts.append(_several(model.n_head, "head") if model.attention else "no attention")
        parts += [] if model.feed_forward else ["no feed-forward"]
    return " · ".join([*parts, f"{model.n_embd} wide", context])


def _several(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def _dataset(name: str, known: DatasetFacts | DatasetRecord | None) -> str:
    if known is not None:
        return f"{one_line(known.name)}, {figures.count(known.characters)} characters, {known.vocab_size} distinct"
    return "Tiny Shakespeare where it can be had, otherwise masque" if name == "auto" else one_line(name)


def _parameters(config: RunConfig, known: DatasetFacts | DatasetRecord | None) -> str:
    if known is not None:
        return figures.count(shapes.parameters(config.model, known.vocab_size))
    assumed = assumed_vocabulary(config.data.tokenizer)
    return f"{figures.count(shapes.parameters(config.model, assumed))} with a vocabulary of {assumed}"


class FactsPane(Pane):
    DEFAULT_CSS = "FactsPane { scrollbar-gutter: stable; }"  # lines are broken before it is known who needs a scrollbar

    def __init__(self, label: str, letter: str, *, id: str | None = None) -> None:
        super().__init__(label, letter, id=id)
        self._rows: Facts = []

    def show(self, rows: Facts) -> None:
        self._rows = rows
        if width := self.scrollable_content_region.width:
            self.set_text(facts(rows, width))

    def on_resize(self) -> None:
        self.show(self._rows)
