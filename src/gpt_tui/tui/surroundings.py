"""What the form's rules and figures need and no field holds: the chosen dataset's facts, and how fast this machine is.

Both are looked up beside the screen, and come as messages to the form's owner.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from gpt_tui.core.cost import Pace, assumed_vocabulary
from gpt_tui.tui import figures
from gpt_tui.tui.dataset_note import DatasetNote, LookUps
from gpt_tui.tui.form import Form
from gpt_tui.tui.shelf_pace import PaceLookUp
from gpt_tui.tui.watched import pace_of

if TYPE_CHECKING:
    from gpt_tui.core.runs import History
    from gpt_tui.core.session import Snapshot

NEAR = 0.1  # a pace this near to the one that is shown is not worth showing again


class Surroundings:
    """note: what is known of the dataset. pace: of the machine, or None.

    known, paced: called with what was found, in the thread that found it
    """

    def __init__(
        self,
        form: Form,
        *,
        known: Callable[[DatasetNote], object],
        paced: Callable[[Pace | None], object],
        cache_dir: Path | None = None,
        runs_dir: Path | None = None,
    ) -> None:
        self._form = form
        self.note = DatasetNote("", "", "")
        self.pace: Pace | None = None
        self._look_ups = LookUps(known, cache_dir)
        self._paces = PaceLookUp(runs_dir, paced) if runs_dir else None

    def stop(self) -> None:
        """What is being looked up is not wanted any more."""
        self._look_ups.stop()
        if self._paces:
            self._paces.stop()

    # The dataset -----------------------------------------------------------------------------------------------------

    @property
    def _wanted(self) -> tuple[str, str]:
        return self._form.values["dataset"], self._form.values["tokenizer"]

    def _is_of_form(self, note: DatasetNote) -> bool:
        return (note.name, note.tokenizer) == self._wanted

    def look_up(self) -> None:
        if not self._is_of_form(self.note):
            self.note = DatasetNote(*self._wanted, "")
            self._form.know(None)
        self._look_ups.ask(*self._wanted)

    def look_up_anew(self) -> None:
        """Where another dataset or tokenizer has been chosen."""
        if not self._is_of_form(self.note):
            self.look_up()

    def take_note(self, note: DatasetNote) -> bool:
        """Whether it is of what is chosen now."""
        if not self._is_of_form(note):
            return False
        self.note = note
        self._form.know(note.facts, note.vocabulary)
        return True

    @property
    def dataset_fault(self) -> str:
        return self.note.fault if self.note.name == self._form.values["dataset"] else ""

    @property
    def brief_note(self) -> str:
        facts = self._form.facts
        return f"{figures.count(facts.characters)} characters" if facts else ""

    # How fast this machine is ----------------------------------------------------------------------------------------

    def look_up_pace(self) -> None:
        """Ask the shelf for a run that is like the form's."""
        if self._paces:
            known = self._form.facts
            assumed = assumed_vocabulary(self._form.values["tokenizer"])
            self._paces.ask(self._form.draft, known.vocab_size if known else assumed)

    def measure(self, history: History, snapshot: Snapshot | None) -> Pace | None:
        """The pace of the run that is on, which is the best witness; the one known before where it is near that."""
        found, known = pace_of(history, snapshot) if snapshot else None, self.pace
        if found is not None and not (known and known.run == found.run and abs(found.ratio / known.ratio - 1) < NEAR):
            self.pace = found
        return self.pace
