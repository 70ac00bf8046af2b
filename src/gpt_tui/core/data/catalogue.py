"""Which datasets there are to choose from, and what is known of them without fetching or making anything."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from gpt_tui.core.data import sources
from gpt_tui.core.data.cache import Cache
from gpt_tui.core.data.store import Entry, find_entry
from gpt_tui.core.data.tokenizers import TOKENIZERS
from gpt_tui.core.errors import GptTuiError


@dataclass(frozen=True)
class DatasetInfo:
    """A named dataset: what it is, where it comes from, whether its tokens or its text are in the cache already.

    characters: its length, distinct: how many different ones it has; None where that is not known now
    """

    name: str
    summary: str
    source: str
    cached: bool
    characters: int | None
    distinct: int | None


def list_datasets(cache_dir: Path | None = None) -> list[DatasetInfo]:
    """The named datasets. Uses no network and writes nothing."""
    cache = Cache(cache_dir)
    listed = [_shakespeare(cache), _masque(cache)]
    try:
        text = sources.python_docs_text()
    except GptTuiError:
        return listed  # this Python came without its documentation
    return [*listed, _python_docs(cache, text)]


def _entry(cache: Cache, sha256: str) -> Entry | None:
    return next(filter(None, (find_entry(cache, sha256, kind) for kind in TOKENIZERS)), None)


def _shakespeare(cache: Cache) -> DatasetInfo:
    has_text = cache.path("texts", sources.SHAKESPEARE_FILE).is_file()
    return DatasetInfo(
        "shakespeare",
        'Tiny Shakespeare, the text of the "Let\'s build GPT" lecture and of nanoGPT; downloaded once',
        sources.shakespeare_url(),
        has_text or _entry(cache, sources.SHAKESPEARE_SHA256) is not None,
        sources.SHAKESPEARE_BYTES,
        sources.SHAKESPEARE_DISTINCT,
    )


def _masque(cache: Cache) -> DatasetInfo:
    from gpt_tui.core.data import masque  # a whole grammar, imported where it is asked for

    entry = _entry(cache, masque.SHA256)
    distinct = entry.tokenizer.vocab_size if entry is not None and entry.tokenizer.kind == "char" else None
    return DatasetInfo(
        "masque",
        "the program's own play in the Elizabethan manner, whose true entropy is known; needs no network",
        sources.masque().address,
        entry is not None,
        masque.CHARACTERS,
        distinct,
    )


def _python_docs(cache: Cache, text: str) -> DatasetInfo:
    sha256 = hashlib.sha256(text.encode("utf-8")).hexdigest()
    return DatasetInfo(
        "python-docs",
        "Python's own reference topics, real prose on every machine; needs no network",
        sources.python_docs().address,
        _entry(cache, sha256) is not None,
        len(text),
        len(set(text)),
    )
