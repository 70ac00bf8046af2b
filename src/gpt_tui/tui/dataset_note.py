"""What is known of a dataset that was chosen in the form, looked up beside the screen and without the network."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gpt_tui.core.config import DatasetFacts
from gpt_tui.core.dataset_names import DATASET_NAMES, STANDARD_INPUT
from gpt_tui.core.errors import GptTuiError, Refusal
from gpt_tui.tui import figures

if TYPE_CHECKING:
    from gpt_tui.core.data import DatasetInfo, Tokenizer

NO_STANDARD_INPUT = "standard input is read by gpt-tui --headless only; name a dataset, a file or a folder"
WHOLE_BYTES = 64 << 20  # a larger file is not read just to say what it holds


@dataclass(frozen=True)
class DatasetNote:
    """note: in words, for the row. facts: where its tokens could be had at once. fault: why it cannot be read.

    vocabulary: what its texts are written in, where facts are known
    """

    name: str
    tokenizer: str
    note: str
    facts: DatasetFacts | None = None
    fault: str = ""
    vocabulary: Tokenizer | None = None


def look_up(
    name: str, tokenizer: str, cache_dir: Path | None = None, should_stop: Callable[[], bool] | None = None
) -> DatasetNote:
    """What is known of a dataset. Reads a text of up to 64 MB and keeps its tokens in the cache; uses no network.

    Raises Stopped where `should_stop` said so.
    """
    from gpt_tui.core.data import Stopped, list_datasets, load_dataset

    def note(words: str, facts: DatasetFacts | None = None, fault: str = "") -> DatasetNote:
        return DatasetNote(name, tokenizer, words, facts, fault)

    if name == STANDARD_INPUT:
        return note("", fault=NO_STANDARD_INPUT)
    meant = "shakespeare" if name == "auto" else name
    info = None
    if meant in DATASET_NAMES:
        info = next((info for info in list_datasets(cache_dir) if info.name == meant), None)
    elif (size := _file_size(meant)) > WHOLE_BYTES:
        return note(f"{figures.size(size)} of text")
    if info is not None and not info.cached and meant != "python-docs":
        return note(_absent(info, name))
    try:
        dataset = load_dataset(meant, tokenizer=tokenizer, cache_dir=cache_dir, should_stop=should_stop, quick=True)
    except Stopped:
        raise
    except Refusal as refused:
        return note("", fault="; ".join(fault.message for fault in refused.faults))
    except GptTuiError as error:
        return note(str(error))
    facts = dataset.facts()
    said = f"{facts.characters:,} characters, {facts.vocab_size} distinct"
    if tokenizer == "byte":
        said = f"{facts.train_tokens + facts.val_tokens:,} bytes"
    words = f"shakespeare: {said}" if name == "auto" else said + (", cached" if info else "")
    return DatasetNote(name, tokenizer, words, facts, vocabulary=dataset.tokenizer)


def _absent(info: DatasetInfo, name: str) -> str:
    if name == "auto":
        return "shakespeare where it can be had, or masque"
    if info.name == "masque":
        return "written at the first use; needs no network"
    length = "" if info.characters is None else f"{info.characters:,} characters, "
    return f"{length}downloaded at the first use"


def _file_size(name: str) -> int:
    try:
        path = Path(name).expanduser()
        return path.stat().st_size if path.is_file() else 0
    except (OSError, ValueError, RuntimeError):
        return 0  # loading it says what is wrong


class LookUps:
    """Looks up one dataset at a time in a thread of its own; what was asked last is what is answered.

    `answer` is called in that thread.
    """

    def __init__(self, answer: Callable[[DatasetNote], object], cache_dir: Path | None = None) -> None:
        self._answer = answer
        self._cache_dir = cache_dir
        self._stop = threading.Event()

    def ask(self, name: str, tokenizer: str) -> None:
        self.stop()
        self._stop = threading.Event()
        threading.Thread(
            target=self._work, args=(name, tokenizer, self._stop), name="dataset-note", daemon=True
        ).start()

    def stop(self) -> None:
        """What is being looked up is not wanted any more."""
        self._stop.set()

    def _work(self, name: str, tokenizer: str, stop: threading.Event) -> None:
        from gpt_tui.core.data import Stopped

        try:
            found = look_up(name, tokenizer, self._cache_dir, stop.is_set)
        except Stopped:
            return
        except Exception as error:  # noqa: BLE001 - nobody foresaw it, and this thread has no other way to say so
            found = DatasetNote(name, tokenizer, f"cannot be told: {type(error).__name__}: {error}")
        if not stop.is_set():
            self._answer(found)
