"""Where a text comes from: the named datasets, a file, a folder of texts, standard input. Tokens are made elsewhere."""

from __future__ import annotations

import hashlib
import os
import platform
import select
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import IO, TYPE_CHECKING, BinaryIO

from gpt_tui.core.data.cache import Cache, reason
from gpt_tui.core.data.reading import BLOCK_BYTES, Block, file_blocks, text_blocks
from gpt_tui.core.data.watch import Watch
from gpt_tui.core.dataset_names import DATASET_NAMES, STANDARD_INPUT
from gpt_tui.core.errors import GptTuiError, Refusal, nearest, visible

if TYPE_CHECKING:
    from gpt_tui.core.data.download import Limits

URL_VARIABLE = "GPT_TUI_SHAKESPEARE_URL"

SHAKESPEARE_URL = "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt"
SHAKESPEARE_SHA256 = "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"
SHAKESPEARE_BYTES = 1_115_394  # and as many characters: all of it is ASCII
SHAKESPEARE_DISTINCT = 65
SHAKESPEARE_FILE = "shakespeare.txt"

# `auto` must not keep a first run waiting: then the embedded dataset is the better answer.
AUTO_CONNECT_SECONDS = 2.0
AUTO_WHOLE_SECONDS = 4.0

TEXT_SUFFIXES = (".txt", ".md", ".rst", ".text")

# Smaller files are read again at every start, which costs nothing and cannot be mistaken.
_REMEMBER_FROM_BYTES = 1 << 24


@dataclass(frozen=True)
class Fingerprint:
    """What the file system says of some files: `digest` changes when they do, `changed` (epoch) when the last did."""

    digest: str
    changed: float


@dataclass(frozen=True)
class Source:
    """A text that can be read, more than once, as blocks of whole UTF-8 characters.

    name:        what a run calls the dataset
    address:     an address, an absolute path, or where else it comes from, in words
    blocks:      starts reading; raises Refusal where the bytes are not text
    total_bytes: how much there is to read, where it is known before
    sha256:      of the text's bytes, where it is known without reading them
    fingerprint: of large files; None where the text is simply read again at every start
    notices:     what the person should know about this source, once it has been read
    why:         why `auto` chose it
    """

    name: str
    address: str
    blocks: Callable[[], Iterator[Block]]
    total_bytes: int | None = None
    sha256: str | None = None
    fingerprint: Fingerprint | None = None
    notices: Callable[[], tuple[str, ...]] = tuple
    why: str | None = None


def find_source(
    name: str, cache: Cache, watch: Watch, has_tokens: Callable[[str], bool], stdin: BinaryIO | None = None
) -> Source:
    """The source called `name`: a dataset's name, a path, or `-`.

    `has_tokens(sha256)` says whether the cache holds that text's tokens, in which case it is not fetched again.
    Raises Refusal, DownloadError or Stopped.
    """
    if name == "auto":
        return _auto(cache, watch, has_tokens)
    if name == "shakespeare":
        return _shakespeare(cache, watch, has_tokens)
    if name == "masque":
        return masque()
    if name == "python-docs":
        return python_docs()
    if name == STANDARD_INPUT:
        return _standard_input(stdin, cache, watch)
    return _path(name, watch)


# Named datasets --------------------------------------------------------------------------------------------------


def _shakespeare(cache: Cache, watch: Watch, has_tokens: Callable[[str], bool]) -> Source:
    # Imported where it is needed: the network libraries are slow to import and most starts need none of them.
    from gpt_tui.core.data.download import DownloadError, Limits

    try:
        return _fetch_shakespeare(cache, watch, has_tokens, Limits())
    except DownloadError as error:
        raise DownloadError(
            f"Tiny Shakespeare could not be downloaded from {shakespeare_url()}: {error}. "
            "Try again, or use --dataset masque, which needs no network, or give --dataset the path of a text file."
        ) from error


def _auto(cache: Cache, watch: Watch, has_tokens: Callable[[str], bool]) -> Source:
    from gpt_tui.core.data.download import DownloadError, Limits

    limits = Limits(AUTO_CONNECT_SECONDS, AUTO_WHOLE_SECONDS)
    try:
        source = _fetch_shakespeare(cache, watch, has_tokens, limits)
    except DownloadError as error:
        why = (
            f"Tiny Shakespeare is not in the cache and could not be fetched within {AUTO_WHOLE_SECONDS:g} seconds "
            f"({error}), so this run reads masque, the program's own play."
        )
        return replace(masque(), why=why)
    return replace(source, why="Tiny Shakespeare is at hand, so this run reads it.")


def _fetch_shakespeare(cache: Cache, watch: Watch, has_tokens: Callable[[str], bool], limits: Limits) -> Source:
    from gpt_tui.core.data.download import RemoteFile, download, verified

    remote = RemoteFile(shakespeare_url(), SHAKESPEARE_SHA256, SHAKESPEARE_BYTES)
    path = cache.path("texts", SHAKESPEARE_FILE)
    if not has_tokens(remote.sha256) and not verified(path, remote):
        path = download(remote, cache, SHAKESPEARE_FILE, limits, watch)
    return Source(
        "shakespeare",
        remote.url,
        lambda: text_blocks(_opened(path), str(path), path),
        total_bytes=remote.size,
        sha256=remote.sha256,
    )


def shakespeare_url() -> str:
    """Where Tiny Shakespeare is fetched from: its public address, or the one in `GPT_TUI_SHAKESPEARE_URL`."""
    return os.environ.get(URL_VARIABLE) or SHAKESPEARE_URL


def masque() -> Source:
    """The program's own play; its text is made only when it is read."""
    from gpt_tui.core.data import masque as play

    return Source("masque", "made by gpt-tui", lambda: _blocks_of(play.text()), sha256=play.SHA256)


def python_docs() -> Source:
    """Python's own reference topics in order of their titles; they differ between Python versions."""
    text = python_docs_text()
    return Source(
        "python-docs",
        f"pydoc_data.topics of Python {platform.python_version()}",
        lambda: _blocks_of(text),
        total_bytes=len(text.encode("utf-8")),
    )


def python_docs_text() -> str:
    """The text of `python-docs`. Raises GptTuiError where this Python was installed without its documentation."""
    try:
        from pydoc_data.topics import topics
    except ImportError as error:
        raise GptTuiError(
            "This Python was installed without its reference topics (pydoc_data.topics), so there is no python-docs "
            "here. Use --dataset masque, or give --dataset the path of a text file."
        ) from error
    return "\n".join(f"== {title} ==\n\n{topics[title].strip()}\n" for title in sorted(topics))


def _blocks_of(text: str) -> Iterator[Block]:
    # Four bytes a character at most, so a block stays within the size that files are read in.
    step = BLOCK_BYTES // 4
    for start in range(0, len(text), step):
        yield Block.of(text[start : start + step])


# Standard input --------------------------------------------------------------------------------------------------


def _standard_input(stdin: BinaryIO | None, cache: Cache, watch: Watch) -> Source:
    """Standard input, spooled to a temporary file: it is read twice and may be larger than memory."""
    stream = stdin or (sys.stdin.buffer if sys.stdin is not None else None)
    if stream is None or stream.isatty():
        raise Refusal.one(
            "dataset", STANDARD_INPUT, "standard input has no text to give; pipe one into it: cat play.txt | …"
        )
    try:
        spool = tempfile.TemporaryFile(dir=cache.writable("tokens"))  # noqa: SIM115 - it lives as long as the source
        read = 0
        for block in _stream_blocks(stream, watch):
            spool.write(block)
            read += len(block)
            watch.report("reading", read)
    except OSError as error:
        raise GptTuiError(f"Standard input could not be read and kept: {reason(error)}.") from error
    return Source(
        "stdin",
        "standard input",
        lambda: text_blocks(_rewound(spool), "standard input"),
        total_bytes=read,
    )


def _stream_blocks(stream: BinaryIO, watch: Watch) -> Iterator[bytes]:
    while True:
        _wait_for_input(stream, watch)
        # read1 gives what is there rather than waiting for a whole block
        block = stream.read1(1 << 16) if hasattr(stream, "read1") else stream.read(1 << 16)
        if not block:
            return
        yield block


def _wait_for_input(stream: BinaryIO, watch: Watch) -> None:
    """Wait until a pipe has something, looking up to see whether to stop; other streams are read at once."""
    watch.check()
    try:
        descriptor = stream.fileno()
        while not select.select([descriptor], [], [], 0.1)[0]:
            watch.check()
    except OSError:
        pass  # not a stream that can be waited for: on Windows only sockets can, and a buffer has no descriptor


def _rewound(spool: IO[bytes]) -> Iterator[bytes]:
    spool.seek(0)
    while block := spool.read(BLOCK_BYTES):
        yield block


# Files and folders -----------------------------------------------------------------------------------------------


def _path(name: str, watch: Watch) -> Source:
    if not name.strip():
        raise Refusal.one("dataset", name, f"is empty; name a dataset ({', '.join(DATASET_NAMES)}) or a path")
    try:
        path = Path(os.path.normpath(Path(name).expanduser().absolute()))
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            return _folder(path, watch)
        if stat.S_ISREG(mode):
            return _file(path)
    except (FileNotFoundError, NotADirectoryError):
        raise Refusal.one("dataset", name, _missing(name, Path(name).expanduser())) from None
    except (OSError, ValueError, RuntimeError) as error:
        # ValueError: a NUL in the name; RuntimeError: ~somebody without a home
        raise Refusal.one("dataset", name, f"cannot be read: {visible(str(error))}") from error
    raise Refusal.one("dataset", name, "is neither a file nor a folder; to read a pipe use: command | … --dataset -")


def _file(path: Path) -> Source:
    return Source(
        path.name,
        str(path),
        lambda: text_blocks(_opened(path), str(path), path),
        total_bytes=path.stat().st_size,
        fingerprint=_fingerprint([path]),
    )


def _missing(name: str, path: Path) -> str:
    message = f"is neither a dataset ({', '.join(DATASET_NAMES)}) nor an existing path."
    dataset = nearest(name.lower(), DATASET_NAMES)
    if dataset is not None:
        return f"{message} Did you mean {dataset}?"
    try:
        neighbours = [entry.name for entry in path.parent.iterdir()]
    except OSError:
        return f"{message} There is no folder {visible(str(path.parent))}."
    file = nearest(path.name, neighbours)
    return message if file is None else f"{message} Did you mean {visible(str(path.with_name(file)))}?"


def _opened(path: Path) -> Iterator[bytes]:
    try:
        if path.stat().st_size:  # a file of the system's own says that it has nothing, and may be waited for for ever
            yield from file_blocks(path)
    except OSError as error:
        raise Refusal.one("dataset", path, f"cannot be read: {reason(error)}") from error


def _fingerprint(paths: list[Path]) -> Fingerprint | None:
    """The fingerprint of these files, or None where they are few enough bytes to read again at every start.

    Beside size and time it holds inode and change time, which a file put in place of another with the
    same size and time does not share.
    """
    digest = hashlib.sha256()
    total, changed = 0, 0.0
    for path in paths:
        about = path.stat()
        total += about.st_size
        changed = max(changed, about.st_mtime, about.st_ctime)
        told = (str(path), about.st_size, about.st_mtime_ns, about.st_ctime_ns, about.st_ino)
        digest.update(repr(told).encode("utf-8", "backslashreplace"))
    return Fingerprint(digest.hexdigest(), changed) if total >= _REMEMBER_FROM_BYTES else None


class _Folder:
    """The texts of a folder in the order of their paths, a blank line between each two.

    Listing it is quick; that each file is a text is found out at the first reading, which a remembered folder
    does not need.
    """

    def __init__(self, folder: Path, watch: Watch):
        self.folder = folder
        self._watch = watch
        self._skipped: list[str] = []
        files = self._visible_files()
        texts = [path for path in files if path.suffix.lower() in TEXT_SUFFIXES]
        if texts and len(texts) < len(files):
            others = _files(len(files) - len(texts))
            self._skipped.append(f"{others} without a text suffix ({', '.join(TEXT_SUFFIXES)})")
        self.candidates = texts or files
        self._sizes = {path: path.stat().st_size for path in self.candidates}

    @property
    def total_bytes(self) -> int:
        return sum(self._sizes.values())

    def _visible_files(self) -> list[Path]:
        """Every regular file that is not hidden, sorted; links to folders are not followed."""
        found: list[Path] = []
        for place, folders, names in os.walk(self.folder, onerror=self._skip_unlisted):
            self._watch.check()
            folders[:] = [name for name in folders if not name.startswith(".")]
            found += [path for name in names if not name.startswith(".") and (path := Path(place, name)).is_file()]
        return sorted(found, key=lambda path: path.relative_to(self.folder).parts)

    def _skip_unlisted(self, error: OSError) -> None:
        self._skipped.append(f"{error.filename} ({reason(error)})")

    @cached_property
    def readable(self) -> list[Path]:
        """The candidates that are texts. Raises Refusal where there is none."""
        found, done = [], 0
        for path in self.candidates:
            self._watch.report("checking", done, self.total_bytes)
            problem = _problem(path, self._watch)
            done += self._sizes[path]
            if problem is None:
                found.append(path)
            else:
                self._skipped.append(f"{path.relative_to(self.folder)} ({problem})")
        if not found:
            held = f"; skipped: {_some(self._skipped)}" if self._skipped else ""
            raise Refusal.one("dataset", self.folder, f"holds no text that can be read{held}")
        return found

    def notices(self) -> tuple[str, ...]:
        count = len(self.readable)
        if not self._skipped:
            return ()
        return (f"{_files(count)} of {visible(str(self.folder))} read; skipped: {_some(self._skipped)}.",)

    def blocks(self) -> Iterator[Block]:
        last = b""
        for path in self.readable:
            if last:
                yield Block(b"\n" if last == b"\n" else b"\n\n")
            for block in text_blocks(_opened(path), str(path), path):
                yield block
                last = block.utf8[-1:]


def _folder(path: Path, watch: Watch) -> Source:
    folder = _Folder(path, watch)
    return Source(
        path.name or str(path),
        str(path),
        folder.blocks,
        total_bytes=folder.total_bytes,
        fingerprint=_fingerprint(folder.candidates),
        notices=folder.notices,
    )


def _problem(path: Path, watch: Watch) -> str | None:
    """Why a file of a folder is left out, or None where it is a text."""
    empty = True
    try:
        for _ in text_blocks(_opened(path), str(path), path):
            watch.check()
            empty = False
    except Refusal as refusal:
        return refusal.faults[0].message.split(", so it is not")[0]
    return "empty" if empty else None


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count:,} files"


def _some(names: list[str], limit: int = 5) -> str:
    more = len(names) - limit
    return ", ".join(map(visible, names[:limit])) + (f" and {more:,} more" if more > 0 else "")
