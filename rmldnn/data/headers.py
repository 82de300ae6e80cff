"""Reads the size of a picture from the first bytes of its file, so that too large a picture is never decoded."""

from __future__ import annotations

import re
import struct
from typing import NamedTuple

from rmldnn.data import tiff

_EXIF = b"Exif\x00\x00"
_ORIENTATION = 0x0112
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Markers of JPEG that start a frame; the other three of the row are tables."""
_MINIMAL_SIZE_OF_BMP = 12
_TEXT = re.compile(rb"P[1-6]\s(?:\s|#[^\n]*\n)*(\d+)\s(?:\s|#[^\n]*\n)*(\d+)\s")
_CODESTREAM = b"\xff\x4f\xff\x51"


class Extent(NamedTuple):
    """The size of a picture.

    Args:
        height: In pixels.
        width: In pixels.
        pages: Pictures of this size in the file.
    """

    height: int
    width: int
    pages: int = 1

    @property
    def pixels(self) -> int:
        """Of all pages."""
        return self.height * self.width * self.pages

    def __str__(self) -> str:
        size = f"{self.width} x {self.height} pixels (width x height)"
        return size if self.pages == 1 else f"{self.pages} pages of {size}"


class Jpeg(NamedTuple):
    """What the header of a JPEG file says.

    Args:
        height: Pixels as stored, before the picture is set upright.
        width: The same.
        components: 1 for grey, 3 for colours, 4 for the inks of a printer.
        orientation: How to set the picture upright, 1 to 8 as in EXIF; 1 is upright.
    """

    height: int
    width: int
    components: int
    orientation: int


def jpeg(data: bytes) -> Jpeg | None:
    """Reads the header of a JPEG file; None for other files, and for one that ends within its header."""
    if data[:3] != b"\xff\xd8\xff":
        return None
    at, orientation = 2, 0
    end = len(data) - 10
    while at < end and data[at] == 0xFF:
        marker = data[at + 1]
        if marker in _FRAMES:
            height, width = data[at + 5] << 8 | data[at + 6], data[at + 7] << 8 | data[at + 8]
            return Jpeg(height, width, data[at + 9], orientation or 1)
        if marker == 0xFF:  # bytes that fill up
            at += 1
            continue
        if marker == 0xE1 and not orientation and data.startswith(_EXIF, at + 4):
            orientation = _orientation(data[at + 10 : at + 2 + (data[at + 2] << 8 | data[at + 3])])
        at += 2 + (data[at + 2] << 8 | data[at + 3])
    return None


def extent(data: bytes) -> Extent | None:
    """The size of the picture in a file; None where the format is unknown or the header is damaged."""
    try:
        return _extent(data)
    except (struct.error, IndexError):  # the file ends within its header
        return None


def _extent(data: bytes) -> Extent | None:
    if header := jpeg(data):
        return Extent(header.height, header.width)
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        width, height = struct.unpack_from(">II", data, 16)
        return Extent(height, width)
    if data.startswith(tiff.MAGIC):
        pages = tiff.pages(data)
        return (
            Extent(max(page.height for page in pages), max(page.width for page in pages), len(pages)) if pages else None
        )
    if data.startswith(b"GIF8"):
        width, height = struct.unpack_from("<HH", data, 6)
        return Extent(height, width)
    if data.startswith(b"BM"):
        size = struct.unpack_from("<I", data, 14)[0]
        width, height = struct.unpack_from("<HH" if size == _MINIMAL_SIZE_OF_BMP else "<ii", data, 18)
        return Extent(abs(height), abs(width))
    if data.startswith(b"\x59\xa6\x6a\x95"):  # Sun raster
        width, height = struct.unpack_from(">II", data, 4)
        return Extent(height, width)
    if found := _TEXT.match(data[:4096]):
        return Extent(int(found[2]), int(found[1]))
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return _webp(data)
    if data[4:8] == b"ftyp":
        return _avif(data)
    return _jpeg2000(data)


def _webp(data: bytes) -> Extent | None:
    kind = data[12:16]
    if kind == b"VP8X":
        return Extent(int.from_bytes(data[27:30], "little") + 1, int.from_bytes(data[24:27], "little") + 1)
    if kind == b"VP8L":
        bits = struct.unpack_from("<I", data, 21)[0]
        return Extent((bits >> 14 & 0x3FFF) + 1, (bits & 0x3FFF) + 1)
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return Extent(height & 0x3FFF, width & 0x3FFF)
    return None


def _avif(data: bytes) -> Extent | None:
    """The largest of the pictures in a file, of which others are previews or tiles."""
    found = [struct.unpack_from(">II", data, box.end() + 4) for box in re.finditer(rb"ispe", data[:65536])]
    width, height = max(found, key=lambda size: size[0] * size[1], default=(0, 0))
    return Extent(height, width) if found else None


def _jpeg2000(data: bytes) -> Extent | None:
    if data.startswith(_CODESTREAM):
        width, height, left, top = struct.unpack_from(">IIII", data, 8)
        return Extent(height - top, width - left)
    if data[4:8] == b"jP  ":
        at = data.find(b"ihdr", 0, 4096)
        if at >= 0:
            height, width = struct.unpack_from(">II", data, at + 4)
            return Extent(height, width)
    return None


def _orientation(exif: bytes) -> int:
    """The orientation that EXIF data, which have the form of a TIFF file, give; 1 if they give none."""
    try:
        order = {b"II": "<", b"MM": ">"}.get(exif[:2])
        if order is None:
            return 1
        at = struct.unpack_from(order + "I", exif, 4)[0]
        for entry in range(struct.unpack_from(order + "H", exif, at)[0]):
            tag, _, _, value = struct.unpack_from(order + "HHIH", exif, at + 2 + 12 * entry)
            if tag == _ORIENTATION:
                return value if 1 <= value <= 8 else 1
    except struct.error:
        pass
    return 1
