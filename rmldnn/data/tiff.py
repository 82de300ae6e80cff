"""TIFF files: their pages, and the arrays in them that OpenCV does not read."""

from __future__ import annotations

import io
import logging
import re
import struct
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rmldnn.errors import ConfigError, DataError, Problem

MAGIC = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")
"""What TIFF files begin with: little and big byte order, each also with places of 64 bits."""

_KIND, _WIDTH, _HEIGHT, _BITS, _PHOTOMETRIC, _SAMPLES, _FORMAT = 254, 256, 257, 258, 262, 277, 339
_SIZES = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q"}
"""Types of numbers that matter here, as `struct` calls them."""
_PREVIEW_OR_MASK = 1 | 4
_UNSIGNED, _FLOAT = 1, 3
_READ_BY_OPENCV = {(_UNSIGNED, bits) for bits in (1, 2, 4, 8, 16)} | {(_FLOAT, 32), (_FLOAT, 64)}
_GREY = (0, 1)
"""What `photometric` says of one sample per pixel, or of bands that are no colours."""
PALETTE = 3
_MOST_BANDS = 4
_RGB = 3


class Page(NamedTuple):
    """What a TIFF file says of one of its pages.

    Args:
        number: Place in the file.
        kind: Bits that say whether it is a preview of another page, or its mask.
        height: In pixels.
        width: In pixels.
        samples: Numbers per pixel.
        bits: Bits per number.
        format: 1 unsigned, 2 signed, 3 float.
        photometric: 0 and 1 grey, 2 colours, 3 palette.
    """

    number: int
    kind: int
    height: int
    width: int
    samples: int
    bits: int
    format: int
    photometric: int

    @property
    def integers(self) -> bool:
        """Whether numbers are unsigned integers of up to 16 bits."""
        return self.format == _UNSIGNED and self.bits <= 16

    @property
    def for_opencv(self) -> bool:
        """Whether OpenCV reads all that matters."""
        return self.samples <= _MOST_BANDS and (self.format, self.bits) in _READ_BY_OPENCV

    @property
    def coloured(self) -> bool:
        """Whether the samples are colours or a grey value, with transparency or without."""
        return self.samples <= _MOST_BANDS and (self.samples < _RGB or self.photometric not in _GREY)


def pages(data: bytes) -> list[Page]:
    """The pages of a file that are no previews or masks of others; none if the file is damaged."""
    try:
        found = _pages(data)
    except (struct.error, ValueError, OverflowError):
        return []
    return [page for page in found if not page.kind & _PREVIEW_OR_MASK] or found


def _pages(data: bytes) -> list[Page]:
    order = "<" if data[:2] == b"II" else ">"
    large = data[2:4] in (b"+\x00", b"\x00+")
    place, count_type, entry_size, value_at = ("Q", "Q", 20, 12) if large else ("I", "H", 12, 8)
    at = struct.unpack_from(order + place, data, 8 if large else 4)[0]
    found: list[Page] = []
    seen = set()
    while at:
        if at in seen:
            raise ValueError("pages in a circle")
        seen.add(at)
        entries = struct.unpack_from(order + count_type, data, at)[0]
        at += struct.calcsize("=" + count_type)
        tags = {}
        for _ in range(entries):
            tag, kind = struct.unpack_from(order + "HH", data, at)
            if kind in _SIZES and tag <= _FORMAT:
                count = struct.unpack_from(order + place, data, at + 4)[0]
                value = at + value_at
                if count * struct.calcsize("=" + _SIZES[kind]) > struct.calcsize("=" + place):
                    value = struct.unpack_from(order + place, data, value)[0]
                tags[tag] = struct.unpack_from(order + _SIZES[kind], data, value)[0]
            at += entry_size
        found.append(
            Page(
                len(found), tags.get(_KIND, 0), tags.get(_HEIGHT, 0), tags.get(_WIDTH, 0), tags.get(_SAMPLES, 1),
                tags.get(_BITS, 1), tags.get(_FORMAT, _UNSIGNED), tags.get(_PHOTOMETRIC, 1),
            )
        )  # fmt: skip
        at = struct.unpack_from(order + place, data, at)[0]
    return found


def available() -> bool:
    """Whether `read` has the package that it needs."""
    return find_spec("tifffile") is not None


def read(path: str, data: bytes, wanted: Sequence[Page]) -> NDArray[Any]:
    """Reads pages with all their bands as they are stored, through tifffile.

    Args:
        path: The file, for messages.
        data: Its bytes.
        wanted: Some of its pages, all of one size.

    Returns:
        Shape (H, W, bands), or (pages, H, W, bands) for more than one page.

    Raises:
        ConfigError: tifffile is not installed.
        DataError: The file is damaged, or compressed in a way that needs another package.
    """
    try:
        import tifffile
    except ImportError:
        raise ConfigError(
            Problem(
                "data.type",
                f"{path}: this kind of TIFF file needs the package `tifffile`; "
                "install it by: pip install 'rmldnn[tiff]'",
            )
        ) from None
    logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # faults are told by the error below
    try:
        with tifffile.TiffFile(io.BytesIO(data)) as file:
            arrays = [_bands_last(file.pages[page.number]) for page in wanted]
    except Exception as error:  # whatever damage does to the parser
        raise DataError(f"{path}: cannot read this image: {_cause(error)}") from error
    return arrays[0] if len(arrays) == 1 else np.stack(arrays)


def _bands_last(page: Any) -> NDArray[Any]:
    array: NDArray[Any] = page.asarray()
    axes = page.axes
    if "S" not in axes:
        return array[..., None]
    return np.moveaxis(array, axes.index("S"), -1)


def _cause(error: Exception) -> str:
    if "imagecodecs" in str(error):
        method = re.search(r"COMPRESSION\.(\w+)|PREDICTOR\.(\w+)", str(error))
        name = f" `{method[1] or method[2]}`" if method else ""
        return (
            f"its compression{name} needs the package `imagecodecs`; install it by: pip install imagecodecs, or save "
            "the file uncompressed or with the compression `deflate`"
        )
    return "the file is damaged, or of a kind that tifffile does not know; repair or remove it"
