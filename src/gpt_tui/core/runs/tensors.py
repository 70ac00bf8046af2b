"""Reading a checkpoint's files of tensors: what their tables promise is checked before there is memory for it.

The format: https://huggingface.co/docs/safetensors. Which files a checkpoint has, and when they are written, is
elsewhere.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from pydantic import BaseModel, ConfigDict

from gpt_tui.core.errors import GptTuiError, shorten
from gpt_tui.core.files import open_regular, reason

if TYPE_CHECKING:
    from torch import Tensor

Reading = Callable[[int], object]

OTHER_CHECKSUM = "does not have the checksum that state.json gives"

_CHUNK = 4 << 20  # bytes
_MAX_HEADER = 16 << 20  # a header of a hundred thousand tensors has a tenth of that
_MOST_DIMENSIONS = 64  # of a tensor: as many as torch knows, and few enough to be multiplied
_FORMATS = {  # bytes a number, and what torch calls it
    "F64": (8, "float64"), "F32": (4, "float32"), "F16": (2, "float16"), "BF16": (2, "bfloat16"),
    "F8_E4M3": (1, "float8_e4m3fn"), "F8_E5M2": (1, "float8_e5m2"), "F8_E8M0": (1, "float8_e8m0fnu"),
    "I64": (8, "int64"), "I32": (4, "int32"), "I16": (2, "int16"), "I8": (1, "int8"),
    "U64": (8, "uint64"), "U32": (4, "uint32"), "U16": (2, "uint16"), "U8": (1, "uint8"),
    "C64": (8, "complex64"), "BOOL": (1, "bool"),
}  # fmt: skip


class CorruptCheckpoint(GptTuiError):
    """A checkpoint whose files are not what was saved."""


class FileRecord(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    bytes: int
    sha256: str
    aliases: dict[str, str]  # name -> the stored tensor that it is


@dataclass(frozen=True)
class Entry:
    """One tensor of a table. start, end: its bytes in the data; format: what torch calls its numbers."""

    start: int
    end: int
    shape: tuple[int, ...]
    format: str


@contextmanager
def open_tensors(path: Path, record: FileRecord) -> Iterator[tuple[bytes, BinaryIO]]:
    """The header of a safetensors file, its first eight bytes with it, and the file, open where its data begin.

    Size and header are checked before anything large is read. Raises CorruptCheckpoint, which does not name the file;
    also where reading on fails.
    """
    try:
        with open_regular(path) as file:
            size = os.fstat(file.fileno()).st_size
            if size != record.bytes:
                raise CorruptCheckpoint(f"has {size:,} bytes instead of {record.bytes:,}")
            head = file.read(8)
            length = struct.unpack("<Q", head)[0] if len(head) == 8 else size
            if length > min(size - 8, _MAX_HEADER):
                raise CorruptCheckpoint("has a header that does not fit into it")
            yield head + file.read(length), file
    except OSError as error:
        raise CorruptCheckpoint(f"cannot be read: {reason(error)}") from None


def digest(header: bytes, file: BinaryIO, reading: Reading = lambda size: None) -> str:
    """The SHA-256 of header and data, a chunk at a time."""
    found = hashlib.sha256(header)
    while chunk := file.read(_CHUNK):
        found.update(chunk)
        reading(len(chunk))
    return found.hexdigest()


def read_table(header: bytes, size: int) -> dict[str, Entry]:
    """The tensors of a safetensors file, in their order, which have to fill its data to the last of `size` bytes.

    header: without its first eight bytes. Raises CorruptCheckpoint.
    """
    try:
        table = json.loads(header)
        table.pop("__metadata__", None)
        entries = {name: _entry(entry) for name, entry in table.items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise CorruptCheckpoint("has a header that is no table of tensors") from None
    entries = dict(sorted(entries.items(), key=lambda item: (item[1].start, item[1].end)))
    reached = 0
    for entry in entries.values():
        if entry.start != reached:
            raise CorruptCheckpoint(f"has tensors that do not follow one another, at byte {reached:,} of its data")
        reached = entry.end
    if reached != size:
        raise CorruptCheckpoint(f"has {size:,} bytes of data, and tensors for {reached:,}")
    return entries


def _entry(entry: Mapping[str, Any]) -> Entry:
    """Raises ValueError where shape and number format take another room than there is."""
    (start, end), shape = entry["data_offsets"], entry["shape"]
    size, name = _FORMATS[entry["dtype"]]
    if len(shape) > _MOST_DIMENSIONS or any(type(n) is not int or not 0 <= n < 2**63 for n in (start, end, *shape)):
        raise ValueError
    if end - start != math.prod(shape) * size:
        raise ValueError
    return Entry(start, end, tuple(shape), name)


def read_tensors(path: Path, record: FileRecord, most: int | None = None) -> dict[str, Tensor]:
    """The tensors of a file, whose checksum is that of the very bytes that they are made of.

    most: bytes of tensors that there can be; None where nobody knows. They are read once, into memory of their own, so
    that what becomes of the file meanwhile changes none of them. Raises CorruptCheckpoint, which does not name
    the file.
    """
    with open_tensors(path, record) as (header, file):
        size = record.bytes - len(header)
        if most is not None and size > most:
            raise CorruptCheckpoint(f"has {size:,} bytes of tensors, and its configuration asks for {most:,} at most")
        try:
            table = read_table(header[8:], size)
        except CorruptCheckpoint:
            if digest(header, file) != record.sha256:
                raise CorruptCheckpoint(OTHER_CHECKSUM) from None
            raise
        found = hashlib.sha256(header)
        try:
            tensors = {name: _read_tensor(entry, file, found) for name, entry in table.items()}
        except (MemoryError, RuntimeError):  # a file with holes has any size at no cost
            raise CorruptCheckpoint(f"has {record.bytes:,} bytes, more than there is memory for") from None
        if found.hexdigest() != record.sha256:
            raise CorruptCheckpoint(OTHER_CHECKSUM)
    for alias, name in record.aliases.items():
        if name not in table:
            raise CorruptCheckpoint(f"does not hold {shorten(alias)} as another name of {shorten(name)}")
        tensors[alias] = tensors[name]
    return tensors


def _read_tensor(entry: Entry, file: BinaryIO, found: Any) -> Tensor:
    """The next tensor of the file, in memory of its own. found: the checksum so far, to which its bytes are added."""
    import torch

    raw = torch.empty(entry.end - entry.start, dtype=torch.uint8)
    room = raw.numpy().data
    for start in range(0, len(room), _CHUNK):
        part = room[start : start + _CHUNK]
        if file.readinto(part) != len(part):  # type: ignore[attr-defined]
            raise CorruptCheckpoint("was cut short while it was being read")
        found.update(part)
    return raw.view(getattr(torch, entry.format)).reshape(entry.shape)
