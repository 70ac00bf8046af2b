"""Names and values, aligned: the configuration's essentials, and anything else of that kind."""

from __future__ import annotations

from collections.abc import Iterable

from textual.content import Content

from gpt_tui.core.config import RunConfig
from gpt_tui.core.events import Started
from gpt_tui.tui import figures
from gpt_tui.tui.plain import one_line
from gpt_tui.tui.widgets.pane import Pane

Facts = list[tuple[str, str]]


def facts(rows: Iterable[tuple[str, str]], indent: int = 0) -> Content:
    rows = list(rows)
    width = max((len(name) for name, _ in rows), default=0)
    lines = [Content.assemble(" " * indent, (f"{name:<{width}}  ", "$text-muted"), value) for name, value in rows]
    return Content("\n").join(lines)


def essentials(config: RunConfig, started: Started | None, vocab_size: int = 65) -> Facts:
    """What a person wants to know of a run at a glance. vocab_size: assumed until the dataset is known."""
    from gpt_tui.core import shapes

    model, training, optimizer = config.model, config.training, config.optimizer
    if started is None:
        parameters = f"{figures.count(shapes.parameters(model, vocab_size))} at {vocab_size} characters"
        dataset = _dataset_ahead(config.data.dataset)
        machine = training.device
    else:
        parameters = figures.count(started.parameters)
        data = started.dataset
        dataset = f"{one_line(data.name)}, {figures.count(data.characters)} characters, {data.vocab_size} distinct"
        machine = f"{started.device} · {started.dtype} · {started.threads} threads"
    batches = f" × {training.gradient_accumulation_steps}" if training.gradient_accumulation_steps > 1 else ""
    rate = figures.rate(optimizer.learning_rate)
    if optimizer.lr_schedule != "constant":
        rate += f", {optimizer.lr_schedule} to {figures.rate(optimizer.min_lr)}"
    return [
        ("dataset", dataset),
        ("model", f"{model.n_layer} layers · {model.n_head} heads · {model.n_embd} wide · context {model.block_size}"),
        ("parameters", parameters),
        ("training", f"{training.max_iters} steps · batch {training.batch_size}{batches} · dropout {model.dropout:g}"),
        ("learning rate", rate),
        ("evaluation", f"every {training.eval_interval} steps, each with a sample"),
        ("device", machine),
        ("seed", str(training.seed)),
    ]


def _dataset_ahead(name: str) -> str:
    if name == "auto":
        return "Tiny Shakespeare where it can be had, otherwise masque"
    return one_line(name)


class FactsPane(Pane):
    def show(self, rows: Iterable[tuple[str, str]]) -> None:
        self.set_text(facts(rows))
