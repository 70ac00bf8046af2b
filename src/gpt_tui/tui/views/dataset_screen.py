"""What a model will read of a dataset, over the Setup view: vocabulary, a text encoded, one batch, the ladder."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.content import Content
from textual.message import Message
from textual.screen import ModalScreen

from gpt_tui.core.errors import GptTuiError
from gpt_tui.tui import figures, keys
from gpt_tui.tui.plain import one_line, visible
from gpt_tui.tui.widgets.pane import Pane

if TYPE_CHECKING:
    from gpt_tui.core.data import Explanation


class DatasetScreen(ModalScreen[None]):
    """Fetches or makes the dataset where that is needed, in a thread that stops when the screen is closed."""

    DEFAULT_CSS = """
    DatasetScreen { align: center middle; }
    DatasetScreen Pane {
        width: 100%; max-width: 120; height: 100%; margin: 1 2; padding: 0 1;
        border: round $border; background: $background;
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = keys.bindings("dataset")
    KEYS: ClassVar[tuple[str, ...]] = ("dataset", "pane")

    class Progress(Message):
        def __init__(self, words: str) -> None:
            super().__init__()
            self.words = words

    class Explained(Message):
        """explanation: or, where there is none, why."""

        def __init__(self, explanation: Explanation | None, error: str = "") -> None:
            super().__init__()
            self.explanation = explanation
            self.error = error

    def __init__(self, name: str, tokenizer: str, cache_dir: Path | None = None) -> None:
        super().__init__()
        self.dataset = name
        self.tokenizer = tokenizer
        self.cache_dir = cache_dir
        self.pane = Pane("dataset", "d")
        self.explanation: Explanation | None = None
        self._stop = threading.Event()
        self._words = ""

    def compose(self) -> ComposeResult:
        yield self.pane

    def on_mount(self) -> None:
        self.pane.set_title(f"what a model reads of {one_line(self.dataset)}", "j k scroll · esc closes")
        self.pane.set_text(Content.styled("reading…", "$foreground-muted"))
        self.pane.focus()
        threading.Thread(target=self._work, name="dataset-explanation", daemon=True).start()

    def on_unmount(self) -> None:
        self._stop.set()

    def _work(self) -> None:
        from gpt_tui.core.data import Stopped, explain, load_dataset

        try:
            dataset = load_dataset(
                self.dataset,
                tokenizer=self.tokenizer,
                cache_dir=self.cache_dir,
                progress=self._report,
                should_stop=self._stop.is_set,
            )
            told = explain(dataset, progress=self._report, should_stop=self._stop.is_set)
            self.post_message(self.Explained(told))
        except Stopped:
            return
        except GptTuiError as error:
            self.post_message(self.Explained(None, str(error)))
        except Exception as error:  # noqa: BLE001 - nobody foresaw it, and this thread has no other way to say so
            self.post_message(self.Explained(None, f"{type(error).__name__}: {error}"))

    def _report(self, phase: str, done: int, total: int | None) -> None:
        words = f"{phase} {done / total:.0%}" if total else f"{phase} {figures.size(done)}"
        if words != self._words:  # a large text reports a thousand times a second
            self._words = words
            self.post_message(self.Progress(words))

    def on_dataset_screen_progress(self, message: Progress) -> None:
        if self.explanation is None:
            self.pane.set_text(Content.styled(message.words, "$foreground-muted"))

    def on_dataset_screen_explained(self, message: Explained) -> None:
        self.explanation = message.explanation
        if message.explanation is None:
            self.pane.set_text(Content.styled(f"✕ {visible(message.error)}", "$text-error"))
        self._draw()

    def on_resize(self) -> None:
        self.call_after_refresh(self._draw)

    def _draw(self) -> None:
        from gpt_tui.core.data import render_explanation

        width = self.pane.scrollable_content_region.width
        if self.explanation is not None and width > 0:
            self.pane.set_text(Content(render_explanation(self.explanation, max(40, width - 1))))
