"""Bytes to text, block by block: what is not UTF-8 text is refused with the byte it fails at and what to do."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from gpt_tui.core.errors import Refusal, visible

BLOCK_BYTES = 1 << 19  # what is made of it on the way to its ids still fits into a processor's cache

_BINARY_FORMATS = {
    b"\x1f\x8b": "a gzip file",
    b"PK\x03\x04": "a zip archive (as .docx, .odt and .epub are)",
    b"%PDF": "a PDF document",
    b"\x89PNG": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"BZh": "a bzip2 file",
    b"\xfd7zXZ": "an xz file",
    b"\x28\xb5\x2f\xfd": "a zstd file",
    b"SQLite format 3": "an SQLite database",
}
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(frozen=True, slots=True)
class Block:
    """A stretch of a text that ends between two characters. text: None where it is ASCII, and the bytes say it all."""

    utf8: bytes
    text: str | None = None

    @classmethod
    def of(cls, text: str) -> Block:
        return cls(text.encode("utf-8"), None if text.isascii() else text)

    def __len__(self) -> int:
        """How many characters."""
        return len(self.utf8 if self.text is None else self.text)

    def first(self, characters: int) -> Block:
        """So many characters of it."""
        return Block(self.utf8[:characters]) if self.text is None else Block.of(self.text[:characters])

    def code_points(self) -> npt.NDArray[np.unsignedinteger]:
        """The Unicode code point of each character, (N,)."""
        return np.frombuffer(self.utf8, dtype=np.uint8) if self.text is None else code_points(self.text)


def code_points(text: str) -> npt.NDArray[np.unsignedinteger]:
    """The Unicode code points of `text`, (N,)."""
    if text.isascii():
        return np.frombuffer(text.encode("ascii"), dtype=np.uint8)
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")


def file_blocks(path: Path) -> Iterator[bytes]:
    """A file's bytes in blocks, just as they are."""
    with path.open("rb", buffering=0) as file:
        while block := file.read(BLOCK_BYTES):
            yield block


def text_blocks(blocks: Iterable[bytes], label: str, path: Path | None = None) -> Iterator[Block]:
    """The same bytes as blocks of whole UTF-8 characters, without a byte order mark. Line ends stay as they are.

    Raises Refusal, naming `label` and the byte offset, where the bytes are not text.
    """
    offset = 0  # of `rest`, in the file
    rest = b""
    for block in blocks:
        data = rest + block
        if offset == 0:
            data_without_mark = data.removeprefix(codecs.BOM_UTF8)
            offset = len(data) - len(data_without_mark)
            _refuse_known_format(data, label, path)
            data = data_without_mark
        whole = _whole_characters(data, offset, label, path, final=False)
        if whole.utf8:
            yield whole
        rest = data[len(whole.utf8) :]
        offset += len(whole.utf8)
    if rest:  # the beginning of a character, which is refused as such
        yield _whole_characters(rest, offset, label, path, final=True)


def _whole_characters(data: bytes, offset: int, label: str, path: Path | None, *, final: bool) -> Block:
    """The whole characters that `data` begins with. final: the text ends with it."""
    zero = data.find(b"\0")
    if zero >= 0:
        raise _not_text(label, f"has a NUL byte at byte {offset + zero:,}", _nul_hint(data, path))
    if data.isascii():
        return Block(data)
    try:
        text, consumed = codecs.utf_8_decode(data, "strict", final)
    except UnicodeDecodeError as error:
        at = offset + error.start
        raise _not_text(
            label, f"is not UTF-8 at byte {at:,} (0x{data[error.start]:02x})", _encoding_hint(data[error.start :], path)
        ) from None
    return Block(data[:consumed], None if text.isascii() else text)


def _refuse_known_format(data: bytes, label: str, path: Path | None) -> None:
    for magic, what in _BINARY_FORMATS.items():
        if data.startswith(magic):
            raise _not_text(label, f"is {what} (see byte 0)", "take the plain text out of it first")
    if data.startswith(_UTF_16):
        raise _not_text(label, "begins with a UTF-16 byte order mark at byte 0", _convert("UTF-16", path))


def _nul_hint(data: bytes, path: Path | None) -> str:
    head = data[:4096]
    if head.count(b"\0") > len(head) // 3:
        encoding = "UTF-16LE" if head[1:2] == b"\0" else "UTF-16BE"
        return "it looks like UTF-16; " + _convert(encoding, path)
    return "it looks like a binary file; give a plain text file"


def _encoding_hint(data: bytes, path: Path | None) -> str:
    # Windows-1252 uses the bytes 0x80 to 0x9f for quotes and dashes; Latin-1 has only control codes there.
    encoding = "WINDOWS-1252" if any(0x80 <= byte < 0xA0 for byte in data[:65536]) else "ISO-8859-1"
    name = "Windows-1252" if encoding == "WINDOWS-1252" else "Latin-1"
    return f"it may be {name}; " + _convert(encoding, path)


def _convert(encoding: str, path: Path | None) -> str:
    given = visible(path.name) if path is not None else "input.txt"
    return f"convert it: iconv -f {encoding} -t UTF-8 {given} > utf8.txt"


def _not_text(label: str, what: str, hint: str) -> Refusal:
    return Refusal.one("dataset", label, f"{what}, so it is not a text that can be read: {hint}")
