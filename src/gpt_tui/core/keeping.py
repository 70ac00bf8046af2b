"""What keeps a run: its events in the log and before whoever watches, its weights in checkpoints, and the waiting
for a disk that takes neither."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from typing import Any

from gpt_tui.core.activity import SAVING, WAITING_FOR_DISK
from gpt_tui.core.commands import Desk
from gpt_tui.core.errors import GptTuiError
from gpt_tui.core.events import AnyEvent, Checkpoint, Notice
from gpt_tui.core.memory import shortage
from gpt_tui.core.runs import RunIsHeld, RunWriter
from gpt_tui.core.runs.history import Level
from gpt_tui.core.timing import Clock, Progress

FLUSH_SECONDS = 1.0  # the log reaches the disk at least this often
MOST_WAITING = 64 << 20  # bytes of the log that wait in memory for a disk that takes none: some 400,000 steps
LOOK_SECONDS = 0.05  # between two looks at what is waited for


class Keeper:
    """Writes down one run. What cannot be written is told once, and once more when it can be again.

    Where another process has found the run first, RunIsHeld is raised by whatever would have written, once; after that
    nothing is written any more, and events reach those who watch alone.
    """

    def __init__(self, desk: Desk, writer: RunWriter, clock: Clock, progress: Progress, saved_step: int):
        """saved_step: of the checkpoint that the run went on from; -1 where there is none."""
        self._desk = desk
        self._writer = writer
        self._clock = clock
        self._progress = progress
        self._taken = False
        self._broken: set[str] = set()  # what cannot be written now, and was told
        self._last_flush = time.perf_counter()
        self.last_save = time.perf_counter()
        self.last_saved_step = saved_step
        self.why_unsaved = ""  # of the save that failed last

    # The log

    @property
    def time(self) -> float:
        """Seconds of work so far, as events give them."""
        return round(self._clock.seconds, 4)

    def emit(self, event: AnyEvent) -> None:
        self._writer.append(event)
        self._desk.publish(event)

    def notice(self, level: Level, text: str) -> None:
        self.emit(Notice(time=self.time, level=level, text=text))

    @property
    def flush_is_due(self) -> bool:
        return time.perf_counter() - self._last_flush >= FLUSH_SECONDS

    def flush(self) -> None:
        """Write what waits; it waits on where the disk takes none. Raises RunIsHeld."""
        self._last_flush = time.perf_counter()
        if self._taken:
            return
        try:
            self._writer.flush()
        except RunIsHeld:
            self._taken = True
            raise
        except (GptTuiError, OSError) as error:
            self._tell_broken("log", "error", f"The log cannot be written, its lines wait in memory: {error}")
        else:
            self._tell_mended("log", "The log can be written again, and has all its lines")

    def wait_for_room(self, ends: Callable[[], bool]) -> None:
        """Return once what waits for the disk is little enough that another step could be kept, or once `ends`."""
        if self._writer.waiting <= MOST_WAITING:
            return
        self.notice("error", "Too much of the log waits for the disk: training waits too, until there is room")
        self._clock.stop()
        self._progress.show(WAITING_FOR_DISK)
        while self._writer.waiting > MOST_WAITING and not ends():
            if self.flush_is_due:
                self.flush()
            time.sleep(LOOK_SECONDS)
        self._clock.go()
        self._desk.show(activity="training")

    # Checkpoints

    def save(self, step: int, saved: dict[str, Any], reason: str, *, quietly: bool = False) -> bool:
        """A checkpoint of what `Trainer.state_dict` gave, with the place in the run added; whether it was saved.

        A disk that takes none is told once, unless `quietly`, and `why_unsaved` then. Raises RunIsHeld.
        """
        self._progress.show(SAVING)
        self.flush()
        if self._taken:
            return False
        try:
            path = self._writer.save_checkpoint(step, saved["model"], saved["trainer"], saved["state"], reason)
        except RunIsHeld:
            self._taken = True
            raise
        except (GptTuiError, OSError, MemoryError, RuntimeError) as error:
            # Torch has no class of its own for it on a CPU.
            short = shortage(error, "there is not enough memory", self._desk.snapshot.device)
            if isinstance(error, RuntimeError) and short is None:
                raise
            self.why_unsaved = str(short or error)
            if reason == "asked":  # somebody waits for the answer, each time
                self._broken.discard("checkpoint")
            told = f"The checkpoint of step {step} could not be saved: {self.why_unsaved}"
            self._tell_broken("checkpoint", None if quietly else "error", told)
            return False
        self._tell_mended("checkpoint", f"Checkpoints can be saved again: that of step {step} is")
        self.last_save, self.last_saved_step = time.perf_counter(), step
        self.emit(Checkpoint(time=self.time, step=step, path=str(path), reason=reason))
        self.flush()
        return True

    def prune(self, keep: Collection[int], newest: int | None) -> None:
        """Remove superseded checkpoints but those of the steps `keep`. newest: of an interval that stay; None: all."""
        try:
            self._writer.prune(keep=keep, newest=newest)
        except (GptTuiError, OSError) as error:
            self._tell_broken("pruning", "warning", f"Older checkpoints cannot be removed: {error}")
        else:
            self._tell_mended("pruning", "Older checkpoints can be removed again")

    def _tell_broken(self, what: str, level: Level | None, text: str) -> None:
        if what not in self._broken and level is not None:  # told once, not each time anew
            self.notice(level, text)
        self._broken.add(what)

    def _tell_mended(self, what: str, text: str) -> None:
        if what in self._broken:
            self._broken.discard(what)
            self.notice("info", text)
