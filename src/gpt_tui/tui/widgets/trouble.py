"""What happened to a run that broke off, and which key comes next; nothing while all is well."""

from __future__ import annotations

from textual.content import Content
from textual.widgets import Static

from gpt_tui.core.config import FIELDS
from gpt_tui.core.divergence import last_good_checkpoint
from gpt_tui.core.events import Failed
from gpt_tui.core.runs import History
from gpt_tui.tui.plain import one_line
from gpt_tui.tui.watched import config_of, remedy_of


class Trouble(Static):
    DEFAULT_CSS = """
    Trouble { height: auto; max-height: 5; padding: 0 1; display: none; background: $surface; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id, markup=False)
        self._said = Content("")

    def show(self, history: History, word: str) -> None:
        """word: the run's state, see `theme.LOOKS`."""
        said = _told(history, word)
        if not said.is_same(self._said):
            self._said = said
            self.display = bool(said)
            self.update(said)


def _told(history: History, word: str) -> Content:
    end = history.end
    kept = max((checkpoint.step for checkpoint in history.checkpoints), default=None)
    if isinstance(end, Failed):
        if end.reason == "diverged":
            kept = last_good_checkpoint(history)
        why = one_line(end.error).rstrip(". ") or "nobody knows why"
        first = Content.styled(f"✕ {'diverged' if end.reason == 'diverged' else 'failed'}: {why}.", "$text-error")
        hint = Content("") if end.reason == "diverged" else Content.styled(f" {one_line(end.hint)}", "$text-muted")
        changed = _changed(history) if end.reason == "diverged" else ""
        return Content("\n").join([first + hint, _next(kept, changed, resumable=end.reason == "error")])
    if word == "INTERRUPTED":
        first = Content.styled(f"! interrupted at step {history.step}: its process is gone.", "$text-warning")
        return Content("\n").join([first, _next(kept, "", resumable=True)])
    return Content("")


def _changed(history: History) -> str:
    """What the fork has otherwise: the learning rate first, which is lowered in any case."""
    config, changes = config_of(history), remedy_of(history)
    if config is None or not changes:
        return ""
    rate, *others = [f"{name} {FIELDS[name].show(new)}" for name, new in changes.items()]
    if changes["learning_rate"] == config.optimizer.learning_rate / 2:
        rate = f"half the learning rate ({changes['learning_rate']:g})"
    return f" at {', '.join([rate, *others])}"


def _next(kept: int | None, how: str, resumable: bool = False) -> Content:
    if kept is None:
        return _keys(("2", "changes the form"), ("space", "starts what it says"))
    go_on = [("space", f"goes on from checkpoint {kept}")] if resumable else []
    fork = ("f", f"forks from checkpoint {kept}{how}")
    return _keys(*go_on, fork, ("2", "changes the form"), ("5", "shows what was kept"))


def _keys(*items: tuple[str, str]) -> Content:
    return Content(" · ").join(Content.assemble((key, "bold $accent"), f" {does}") for key, does in items)
