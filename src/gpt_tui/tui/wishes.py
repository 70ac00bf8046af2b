"""What a view asks of the app, as messages: it names the run or the checkpoint, and the app knows the way."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual.message import Message

if TYPE_CHECKING:
    from gpt_tui.core.sampling import Speaker
    from gpt_tui.core.speech import Source
    from gpt_tui.tui.lens_texts import LensText


@dataclass
class OpenRun(Message):
    """Show a run in Train, and follow it as it grows."""

    path: Path


@dataclass
class ResumeRun(Message):
    """Go on with a run, from its newest checkpoint or from the one of `step`; a run at work is stopped and saved."""

    path: Path
    step: int | None = None
    edits: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class ForkRun(Message):
    """A new run that goes on from a checkpoint, the newest or that of `step`; a run at work is stopped and saved."""

    path: Path
    step: int | None = None
    edits: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class ForkHere(Message):
    """Fork the run that is watched, from its checkpoint at or before `step`, or from the newest (None)."""

    step: int | None


@dataclass
class Speak(Message):
    """Go to Generate and let this checkpoint speak."""

    path: Path
    step: int


@dataclass
class LookInside(Message):
    """Look into the model of `source` while it reads one of these texts, the first of them to begin with.

    held: that model, where it is at hand
    """

    source: Source
    texts: Sequence[LensText]
    held: Speaker | None = None


@dataclass
class Scrubbed(Message):
    """The evaluation of `step` is looked at; every cursor over the run's time goes there. None: the newest."""

    step: int | None


@dataclass
class EditText(Message):
    """Open a text in the person's editor; `take` is called with what it has become, unless nothing was changed.

    what: names it where it is told of; suffix: of the file that the editor sees
    """

    what: str
    text: str
    suffix: str
    take: Callable[[str], object]


@dataclass
class Say(Message):
    """Tell the person something that only another thread knows."""

    text: str


@dataclass
class CopyText(Message):
    """Put a text on the clipboard, and say so."""

    what: str
    text: str
