"""The form beside the run that is on: what is asked of the run, and what has become of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gpt_tui.core.config import RunConfig
from gpt_tui.core.cost import Pace
from gpt_tui.tui.form import Form
from gpt_tui.tui.plain import one_line

if TYPE_CHECKING:
    from textual.timer import Timer

    from gpt_tui.core.runs import History
    from gpt_tui.core.session import Snapshot

ON = ("PREPARING", "TRAINING", "PAUSED")
REST = 0.5  # seconds without a further press after which a stepped value is asked of the run


@dataclass(frozen=True)
class _Seen:
    """What `see` was told last, as far as the form cares."""

    history: History | None = None
    config: RunConfig | None = None
    run_name: str = ""
    errors: int = 0
    pace: Pace | None = None


class BesideRun:
    """refused: what the run would not take, by field.

    ask:   hands a field and its value to the run; the answer is seen when the run's configuration has it
    later: does something after so many seconds
    draw:  is called when something asked was withdrawn
    """

    def __init__(
        self,
        form: Form,
        *,
        ask: Callable[[str, Any], object],
        later: Callable[[float, Callable[[], None]], Timer],
        draw: Callable[[], object],
    ) -> None:
        self._form, self._hand_over, self._later, self._draw = form, ask, later, draw
        self.refused: dict[str, str] = {}
        self._resting: dict[str, Timer] = {}
        self._sent: dict[str, Any] = {}
        self._seen = _Seen()

    @property
    def is_on(self) -> bool:
        return self._seen.config is not None

    @property
    def run_name(self) -> str:
        return self._seen.run_name

    def see(self, history: History, snapshot: Snapshot | None, pace: Pace | None) -> bool:
        """What the run is now; whether the form is another by that. Without a snapshot the form is free."""
        on = snapshot is not None and snapshot.state in ON
        config = (history.config or (snapshot.config if snapshot else None)) if on else None
        errors = [notice for notice in history.notices if notice.level == "error"]
        seen = _Seen(history, config, snapshot.run_name if snapshot else "", len(errors), pace)
        if seen == self._seen:
            return False
        before, self._seen = self._seen, seen
        self._form.follow(config)
        if config is not None:
            self._sent = {name: value for name, value in self._sent.items() if config.get(name) != value}
        if self._sent and before.history is history and len(errors) > before.errors:
            for name in self._form.give_up():
                self.refused[name] = one_line(errors[-1].text)
            self._sent.clear()
        if config is None:
            self.refused.clear()
        return True

    def part(self) -> bool:
        """There is no run any more; whether there was one."""
        return self.is_on and self._seen.history is not None and self.see(self._seen.history, None, self._seen.pace)

    def set(self, values: Mapping[str, Any], rest: float = 0.0) -> None:
        """Set sound values in the form, and ask the live ones of the run."""
        refused = self._form.set_all(values)
        self.refused = {name: why for name, why in self.refused.items() if name not in values} | refused
        for name in [name for name in self._form.asked if name in values]:
            self.ask(name, rest)

    def ask(self, name: str, rest: float = 0.0) -> None:
        """Ask the run for the field's value once the person rests, so that ten presses are one edit."""
        if name in self._resting:
            self._resting.pop(name).stop()
        if name not in self._form.asked:
            return
        if rest:
            self._resting[name] = self._later(rest, lambda: self.ask(name))
            return
        value, run = self._form.asked[name], self._form.run
        if run is not None and value == run.get(name) and name not in self._sent:
            self._form.withdraw(name)
            self._draw()
            return
        self._sent[name] = value
        self._hand_over(name, value)

    def look_again(self) -> None:
        """What the run would take by now is not refused any more."""
        values = self._form.values
        self.refused = {name: why for name, why in self.refused.items() if self._form.refusal(name, values[name])}
