"""PNG files with few colours: what is stored for each pixel, before colours take its place."""

from __future__ import annotations

import struct
import zlib

SIGNATURE = b"\x89PNG\r\n\x1a\n"
HEADER = 33
"""Bytes up to the end of the header."""
_GREY, _PALETTE = 0, 3
_KEPT = (b"IDAT", b"IEND")


def as_stored(data: bytes) -> tuple[bytes, int]:
    """Makes a decoder give the stored numbers instead of the colours they stand for.

    A file with a palette stores the number of a colour for each pixel, packed as grey values are: the same file with
    the header of a grey picture, and without its palette, decodes to these numbers. Decoders spread grey values of
    less than 8 bits over the range up to 255, so what they give has to be divided.

    Args:
        data: A PNG file.

    Returns:
        A file to decode instead, and by what to divide its pixels.
    """
    depth, kind = data[24], data[25]
    divisor = 255 // (2**depth - 1) if depth in (1, 2, 4) and kind in (_GREY, _PALETTE) else 1
    if kind != _PALETTE:
        return data, divisor
    header = data[16:25] + bytes([_GREY]) + data[26:29]
    parts = [SIGNATURE, chunk(b"IHDR", header)]
    at = len(SIGNATURE)
    while at + 8 <= len(data):
        length, name = struct.unpack_from(">I4s", data, at)
        if name in _KEPT:
            parts.append(data[at : at + 12 + length])
        at += 12 + length
    return b"".join(parts), divisor


def chunk(name: bytes, body: bytes) -> bytes:
    """A part of a file: length, name, content, checksum."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
