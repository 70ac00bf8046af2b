"""A dataset as the rest of the program has it: two splits of tokens, tokenizer, ladder, and where it is from."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from gpt_tui.core.config import DatasetFacts
from gpt_tui.core.data import sources
from gpt_tui.core.data.cache import Cache, read_json, write_json
from gpt_tui.core.data.ladder import SOURCE_RUNG, entropy_ladder, ladder_sample
from gpt_tui.core.data.sources import Source
from gpt_tui.core.data.store import Entry, Ladder, build_entry, find_entry, find_ladder, keep_ladder, scan
from gpt_tui.core.data.tokenizers import Tokenizer, check_tokenizer
from gpt_tui.core.data.watch import Progress, ShouldStop, Watch
from gpt_tui.core.errors import GptTuiError

# A file that was changed this recently could be changed again without its time showing it.
_SETTLED_SECONDS = 2.0


class OtherText(GptTuiError):
    """A text that is not the one that was asked for by its SHA-256."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """A text as tokens, split into training and validation.

    name:        shakespeare, masque, python-docs, or the name of the file or folder; stdin for standard input
    source:      the address or absolute path that it came from
    sha256:      of the text's UTF-8 bytes (without a byte order mark)
    characters:  how many the text has
    train, val:  token ids (N,), uint8, uint16 or uint32, mapped from disk; the first 90 %, and the rest
    why:         why `auto` chose it; None where it was asked for by name
    ladder:      nats per token by rung, from uniform to 6-gram (and "the source itself" where that is known);
                 empty where it was left out
    ladder_note: what sample the ladder was counted on; None: on all of it
    notices:     what the person should be told (skipped files, an unwritable cache)
    """

    name: str
    source: str
    sha256: str
    characters: int
    tokenizer: Tokenizer
    train: npt.NDArray[np.unsignedinteger]
    val: npt.NDArray[np.unsignedinteger]
    why: str | None = None
    ladder: dict[str, float] = field(default_factory=dict)
    ladder_note: str | None = None
    notices: tuple[str, ...] = ()
    # Kept because a temporary folder, where the cache could not be written, lives as long as this object does.
    _cache: Cache | None = field(default=None, repr=False)

    @property
    def vocab_size(self) -> int:
        return self.tokenizer.vocab_size

    @property
    def train_tokens(self) -> int:
        return len(self.train)

    @property
    def val_tokens(self) -> int:
        return len(self.val)

    def facts(self) -> DatasetFacts:
        """What the configuration's rules and the event `started` need, without the tokens."""
        return DatasetFacts(
            self.name, self.sha256, self.characters, self.vocab_size, self.train_tokens, self.val_tokens
        )


def load_dataset(
    name: str,
    *,
    tokenizer: str = "char",
    cache_dir: Path | None = None,
    progress: Progress | None = None,
    should_stop: ShouldStop | None = None,
    stdin: BinaryIO | None = None,
    quick: bool = False,
    sha256: str | None = None,
) -> Dataset:
    """The dataset `name`: auto, shakespeare, masque, python-docs, a path to a text file or a folder of texts, or `-`.

    `progress(phase, done, total)` hears of downloading, reading and tokenizing (bytes) and of the ladder (rungs).
    `quick` leaves out the ladder where it is not in the cache. `sha256`: no tokens are made of any other text. Only
    `auto` ever gives another dataset than it was asked for, and says why. Line ends stay as they are in the text.

    Raises Refusal for a request that cannot work, OtherText, GptTuiError where something failed, Stopped where
    `should_stop` said so.
    """
    check_tokenizer(tokenizer)
    watch = Watch(progress, should_stop)
    cache = Cache(cache_dir)
    source = sources.find_source(
        name, cache, watch, lambda sha256: find_entry(cache, sha256, tokenizer) is not None, stdin
    )
    entry, notices = _tokens(source, tokenizer, cache, watch, sha256)
    return _dataset(source.name, source.address, source.why, entry, notices, cache, watch, quick)


def recall_dataset(
    name: str,
    source: str,
    sha256: str,
    *,
    tokenizer: str = "char",
    cache_dir: Path | None = None,
    progress: Progress | None = None,
    should_stop: ShouldStop | None = None,
) -> Dataset | None:
    """A dataset that was loaded before, by its text's SHA-256 alone; None where the cache no longer holds it.

    So a run goes on although its text came from standard input, or the file has changed since. progress, should_stop:
    as in `load_dataset`. Raises Stopped where `should_stop` said so.
    """
    check_tokenizer(tokenizer)
    cache = Cache(cache_dir)
    watch = Watch(progress, should_stop)
    entry = find_entry(cache, sha256, tokenizer, watch)
    return None if entry is None else _dataset(name, source, None, entry, (), cache, watch, quick=False)


def _dataset(
    name: str,
    address: str,
    why: str | None,
    entry: Entry,
    notices: tuple[str, ...],
    cache: Cache,
    watch: Watch,
    quick: bool,
) -> Dataset:
    train, val = entry.tokens[: entry.train_tokens], entry.tokens[entry.train_tokens :]
    ladder = find_ladder(entry)
    if ladder is None and not quick:
        ladder = _count_ladder(entry, train, val, watch)
        keep_ladder(entry, ladder)
    if name == "masque" and ladder is not None and SOURCE_RUNG not in ladder.rungs:
        ladder = _with_source_rung(ladder, entry, watch)
        keep_ladder(entry, ladder)
    return Dataset(
        name=name,
        source=address,
        sha256=entry.sha256,
        characters=entry.characters,
        tokenizer=entry.tokenizer,
        train=train,
        val=val,
        why=why,
        ladder={} if ladder is None else ladder.rungs,
        ladder_note=None if ladder is None else ladder.note,
        notices=(*notices, *cache.notices),
        _cache=cache,
    )


def _count_ladder(
    entry: Entry,
    train: npt.NDArray[np.unsignedinteger],
    val: npt.NDArray[np.unsignedinteger],
    watch: Watch,
) -> Ladder:
    sampled_train, sampled_val, note = ladder_sample(train, val)
    return Ladder(entropy_ladder(sampled_train, sampled_val, entry.tokenizer.vocab_size, watch=watch), note)


def _with_source_rung(ladder: Ladder, entry: Entry, watch: Watch) -> Ladder:
    """The ladder with the true entropy of the program's own play, the floor that no model can beat on average."""
    from gpt_tui.core.data import masque

    # It is known per character, so it is a rung only where a token is one; and a file may be called masque, too.
    if entry.sha256 != masque.SHA256 or len(entry.tokens) != entry.characters:
        return ladder
    watch.check()
    return Ladder({**ladder.rungs, SOURCE_RUNG: masque.ENTROPY}, ladder.note)


def _tokens(source: Source, kind: str, cache: Cache, watch: Watch, wanted: str | None) -> tuple[Entry, tuple[str, ...]]:
    """The tokens of a source, read and made only where the cache does not know them, and what is to be told of it.

    Raises OtherText where the text does not have the wanted SHA-256, before any tokens are made of it.
    """
    if source.sha256 is not None:
        entry = find_entry(cache, source.sha256, kind, watch)
        if entry is not None:
            return entry, ()
    remembered = _recall(source, cache)
    if remembered is not None:
        sha256, notices = remembered
        entry = find_entry(cache, sha256, kind, watch)
        if entry is not None:
            return entry, notices
    began = time.time()
    found = scan(source, watch)
    if source.sha256 is not None and found.sha256 != source.sha256:
        raise GptTuiError(
            f"{source.name} is not the text it should be (its SHA-256 is {found.sha256}). Run: gpt-tui datasets clean"
        )
    if wanted is not None and found.sha256 != wanted:
        raise OtherText(f"{source.name} is another text than it was")
    entry = find_entry(cache, found.sha256, kind, watch) or build_entry(cache, source, found, kind, watch)
    notices = source.notices()
    _remember(source, cache, found.sha256, notices, began)
    return entry, notices


def _memory(source: Source, cache: Cache) -> Path:
    name = hashlib.sha256(source.address.encode("utf-8", "surrogateescape")).hexdigest()
    return cache.path("seen", f"{name}.json")


def _recall(source: Source, cache: Cache) -> tuple[str, tuple[str, ...]] | None:
    """The SHA-256 and notices of a large source whose files are the very ones that were read before."""
    if source.fingerprint is None:
        return None
    kept = read_json(_memory(source, cache))
    if kept is None or kept.get("fingerprint") != source.fingerprint.digest:
        return None
    sha256, notices = kept.get("sha256"), kept.get("notices")
    if not isinstance(sha256, str) or not isinstance(notices, list):
        return None
    return sha256, tuple(str(notice) for notice in notices)


def _remember(source: Source, cache: Cache, sha256: str, notices: tuple[str, ...], began: float) -> None:
    fingerprint = source.fingerprint
    if fingerprint is None or began - fingerprint.changed < _SETTLED_SECONDS:
        return
    cache.writable("seen")
    try:
        write_json(
            _memory(source, cache),
            {"fingerprint": fingerprint.digest, "sha256": sha256, "notices": list(notices)},
        )
    except OSError:
        pass  # no room left: the files are read again next time
