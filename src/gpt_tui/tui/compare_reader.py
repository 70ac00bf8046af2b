"""The histories of several runs, read beside the screen, and what is added to them while they are looked at."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from textual.message import Message

from gpt_tui.core.errors import GptTuiError
from gpt_tui.tui.plain import one_line

if TYPE_CHECKING:
    from gpt_tui.core.events import Event
    from gpt_tui.core.runs import History, LogTail

LOOK_EVERY = 0.5  # seconds between looks at whether a log has grown


@dataclass
class HistoryRead(Message):
    """All that a run's log holds so far; the history is the screen's from now on. fault: why there is none."""

    path: Path
    history: History | None
    fault: str = ""


@dataclass
class HistoryGrown(Message):
    """What was added to a run's log."""

    path: Path
    events: Sequence[Event]


class CompareReader:
    """Reads from the start until `stop`, in a thread; `tell` is called there. Torch is not imported."""

    def __init__(self, paths: Sequence[Path], tell: Callable[[Message], object]) -> None:
        self._paths = list(paths)
        self._tell = tell
        self._stopped = threading.Event()
        threading.Thread(target=self._work, name="compare", daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()

    def _work(self) -> None:
        tails: dict[Path, LogTail] = {}
        for path in self._paths:
            if self._stopped.is_set():
                return
            try:
                history, tails[path] = self._read(path)
            except GptTuiError as error:
                self._tell(HistoryRead(path, None, one_line(str(error))))
                continue
            self._tell(HistoryRead(path, history))
        while tails and not self._stopped.wait(LOOK_EVERY):
            for path in list(tails):
                self._follow(path, tails)

    def _read(self, path: Path) -> tuple[History, LogTail]:
        from gpt_tui.core.runs import History, Run

        history, tail = History(), Run.open(path).tail()
        tail.feed(history)
        while not tail.at_end and not self._stopped.is_set():
            tail.feed(history)
        return history, tail

    def _follow(self, path: Path, tails: dict[Path, LogTail]) -> None:
        try:
            events = tails[path].poll()
        except GptTuiError as error:
            del tails[path]
            self._tell(HistoryRead(path, None, one_line(str(error))))
            return
        if events:
            self._tell(HistoryGrown(path, events))
