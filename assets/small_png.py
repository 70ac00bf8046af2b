"""A picture of few colours as a small PNG: one byte a pixel and a palette, half the size of what a renderer writes.

Reads what resvg writes: eight bits a channel, with or without alpha, not interlaced. It is taken to be opaque.
"""

from __future__ import annotations

import struct
import zlib

import numpy as np

COLOURS = 256
SIGNATURE = b"\x89PNG\r\n\x1a\n"


def small(png: bytes) -> bytes:
    """The same picture with at most 256 colours: the commonest, and for each other the nearest of them."""
    pixels = _decoded(png)[..., :3]
    height, width, _ = pixels.shape
    colours, which, counts = np.unique(pixels.reshape(-1, 3), axis=0, return_inverse=True, return_counts=True)
    palette = colours[np.argsort(-counts, kind="stable")[:COLOURS]]
    apart = colours[:, None].astype(int) - palette[None].astype(int)
    rows = (apart**2).sum(-1).argmin(1).astype(np.uint8)[which.reshape(height, width)]
    data = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows), 9)
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    parts = ((b"IHDR", header), (b"PLTE", palette.tobytes()), (b"IDAT", data), (b"IEND", b""))
    return SIGNATURE + b"".join(_chunk(name, content) for name, content in parts)


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def _decoded(png: bytes) -> np.ndarray:
    """Rows, columns, channels. Raises ValueError for a kind of PNG that is not read here."""
    at, data = len(SIGNATURE), b""
    width = height = channels = 0
    while at < len(png):
        (length,), name = struct.unpack(">I", png[at : at + 4]), png[at + 4 : at + 8]
        content = png[at + 8 : at + 8 + length]
        if name == b"IHDR":
            width, height, depth, kind, _, _, interlaced = struct.unpack(">IIBBBBB", content)
            if depth != 8 or kind not in (2, 6) or interlaced:
                raise ValueError(f"a PNG of depth {depth}, kind {kind}, interlaced {interlaced}")
            channels = 4 if kind == 6 else 3
        elif name == b"IDAT":
            data += content
        at += 12 + length
    raw, wide = zlib.decompress(data), width * channels
    rows, above = [], bytes(wide)
    for start in range(0, height * (wide + 1), wide + 1):
        above = _unfiltered(raw[start], bytearray(raw[start + 1 : start + 1 + wide]), above, channels)
        rows.append(above)
    return np.frombuffer(b"".join(rows), np.uint8).reshape(height, width, channels)


def _unfiltered(kind: int, row: bytearray, above: bytes, channels: int) -> bytes:
    """One row as it was before its filter (PNG specification, section 9)."""
    left = corner = 0
    for at in range(len(row)) if kind else ():
        if at >= channels:
            left, corner = row[at - channels], above[at - channels]
        if kind == 1:
            guess = left
        elif kind == 2:
            guess = above[at]
        elif kind == 3:
            guess = (left + above[at]) // 2
        else:
            guess = _paeth(left, above[at], corner)
        row[at] = (row[at] + guess) & 255
    return bytes(row)


def _paeth(left: int, above: int, corner: int) -> int:
    """Whichever is nearest to left + above - corner."""
    to_left, to_above, to_corner = abs(above - corner), abs(left - corner), abs(left + above - 2 * corner)
    if to_left <= to_above and to_left <= to_corner:
        return left
    return above if to_above <= to_corner else corner
