"""Decodes image files: JPEG by simplejpeg, which is fastest, all else by OpenCV, and what that cannot by tifffile."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray

from rmldnn.data import headers, png, tiff
from rmldnn.data.discovery import denied
from rmldnn.data.headers import Jpeg
from rmldnn.errors import DataError

SUFFIXES = frozenset(
    {".avif", ".bmp", ".dib", ".gif", ".jp2", ".jpe", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".pnm", ".ppm"}
    | {".ras", ".sr", ".tif", ".tiff", ".webp"}
)
"""Suffixes of files that are read."""
JPEG_SUFFIXES = frozenset({".jpe", ".jpeg", ".jpg"})

MAX_PIXELS = 2**26
"""The largest picture that is decoded unless the user says otherwise: 8192 x 8192."""

Bands: TypeAlias = Literal["auto", "all"] | Sequence[int]
"""Which bands of a picture are wanted: three colours or grey, all, or those of these numbers, from 1."""

_JPEG_START, _JPEG_END = b"\xff\xd8", b"\xff\xd9"
_PNG_END = b"IEND\xaeB`\x82"
"""The type of the last chunk and its sum of checks."""
_MARKER = re.compile(rb"\xff+([^\x00\xff\xd0-\xd7])")
"""A marker among entropy-coded bytes, where FF 00 stands for FF and FF D0..D7 restart the decoder."""
_GREY_OR_COLOURS = (1, 3)
_LONGEST, _MOST = 2**20, 2**30
"""Pixels to a side and in all that OpenCV reads."""
_SHOWN = 40
"""Letters of a text in the place of a picture that a message shows."""
_LUMINANCE = (0.114, 0.587, 0.299)
"""How much blue, green and red weigh in grey."""

cv2.setNumThreads(1)  # threads of OpenCV do not survive a fork: a worker would wait for them for ever
cv2.utils.logging.setLogLevel(0)  # it would print what the errors of this module say better


def decode(
    path: str,
    *,
    grayscale: bool,
    rgb: bool,
    max_pixels: int = MAX_PIXELS,
    bands: Bands = "auto",
    into: NDArray[Any] | None = None,
) -> NDArray[Any]:
    """Reads one image file.

    The number of channels does not depend on the file: grey images are repeated to three channels, colours are reduced
    to one, transparency is dropped. Pixels of more than 8 bits are not cut to 8. Turned photographs are set upright.
    A TIFF file of several pages is a volume.

    Args:
        path: The file.
        grayscale: One channel instead of three.
        rgb: Red first instead of blue first.
        max_pixels: Larger pictures are refused without being decoded.
        bands: All bands of the file, or some of them, in the order of the file or of the list.
        into: Room for the pixels, which is used where the file allows it.

    Returns:
        Pixels (H, W, C) or (pages, H, W, C): uint8 or uint16 as in the file, float32 for all other types of numbers.

    Raises:
        DataError: The file cannot be read, is no image, is cut short, is too large, has other bands than those wanted,
            or has numbers that are not finite.
    """
    data = contents(path)
    header = headers.jpeg(data)
    if header and bands == "auto" and header.components in _GREY_OR_COLOURS:
        if header.height * header.width > max_pixels:
            refuse_large(path, data, max_pixels)
        pixels = _jpeg(path, data, header, "GRAY" if grayscale else "RGB" if rgb else "BGR", into)
        if pixels is not None:
            return pixels if header.orientation == 1 else _upright(pixels, header)
    refuse_large(path, data, max_pixels)
    pixels = _decoded(path, data, grayscale, bands) if is_whole(data) else None
    if pixels is None:
        raise unreadable(path, data)
    if bands != "auto":
        return finite(path, _chosen(path, pixels, bands))
    if rgb and not grayscale:
        pixels = _red_first(pixels)
    return finite(path, pixels)


def _decoded(path: str, data: bytes, grayscale: bool, bands: Bands) -> NDArray[Any] | None:
    """What is not the usual kind of JPEG; colours come blue first, wanted bands as they are stored."""
    if data.startswith(tiff.MAGIC) and (pages := tiff_pages(path, data)):
        return _tiff(path, data, pages, grayscale, bands)
    if bands == "auto":
        return opencv(data, cv2.IMREAD_ANYDEPTH | (cv2.IMREAD_GRAYSCALE if grayscale else cv2.IMREAD_COLOR))
    pixels, header = _stored(data), headers.jpeg(data)
    return _upright(pixels, header) if header and pixels is not None else pixels


def contents(path: str) -> bytes:
    """The bytes of a file.

    Half of the system calls of `open`, which are a tenth of the time that a small picture takes.

    Raises:
        DataError: The file cannot be read.
    """
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            size = os.fstat(file).st_size
            data = os.read(file, size)
            while len(data) < size and (more := os.read(file, size - len(data))):  # it may give less than asked for
                data += more
            return data
        finally:
            os.close(file)
    except OSError as error:
        raise DataError(f"{path}: cannot read this image: {denied(error)}") from error


def refuse_large(path: str, data: bytes, max_pixels: int) -> None:
    """Looks at the header of a picture.

    Raises:
        DataError: There are more pixels than wanted.
    """
    extent = headers.extent(data)
    if extent is not None and extent.pixels > max_pixels:
        raise DataError(
            f"{path}: cannot read this image: it has {extent}, and `max_pixels` allows {max_pixels} in all; cut it "
            "into tiles, shrink it, or raise `max_pixels` if there is memory enough"
        )


def unreadable(path: str, data: bytes) -> DataError:
    """The error that a picture cannot be decoded, with the cause."""
    return DataError(f"{path}: cannot read this image: {_cause(data)}")


def _jpeg(path: str, data: bytes, header: Jpeg, colours: str, into: NDArray[Any] | None) -> NDArray[Any] | None:
    """Decodes a JPEG file of grey or colours; None for kinds of JPEG that only OpenCV may know."""
    try:
        pixels: NDArray[Any] = simplejpeg.decode_jpeg(data, colours, buffer=fitting(into, header, colours))
    except ValueError as error:
        text = str(error)
        if text.startswith("Premature") or ("Corrupt" in text and "extraneous bytes" not in text):
            raise unreadable(path, data) from None
        return None
    return pixels


def fitting(room: NDArray[Any] | None, header: Jpeg, colours: str) -> NDArray[Any] | None:
    """The room that was given for the pixels of a JPEG file, if they are just as many; else None."""
    shape = (header.height, header.width, 1 if colours == "GRAY" else 3)
    if room is None or room.shape != shape or room.dtype != np.uint8 or header.orientation != 1:
        return None
    return room


def _upright(pixels: NDArray[Any], header: Jpeg) -> NDArray[Any]:
    """Turns a picture as its header says."""
    if header.orientation > 4:
        pixels = pixels.swapaxes(0, 1)
    if header.orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if header.orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)


def tiff_pages(path: str, data: bytes) -> list[tiff.Page]:
    """The pages of a TIFF file, none if it is damaged.

    Raises:
        DataError: Pages differ in size or kind.
    """
    pages = tiff.pages(data)
    for page in pages[1:]:
        if (page.height, page.width, page.samples) != (pages[0].height, pages[0].width, pages[0].samples):
            raise DataError(
                f"{path}: cannot read this image: its pages differ: page 1 has {_size(pages[0])}, page "
                f"{page.number + 1} has {_size(page)}; save them as separate files"
            )
    return pages


def _size(page: tiff.Page) -> str:
    return f"{page.width} x {page.height} pixels with {page.samples} bands"


def _tiff(path: str, data: bytes, pages: Sequence[tiff.Page], grayscale: bool, bands: Bands) -> NDArray[Any] | None:
    """Decodes a TIFF file; colours come blue first, wanted bands as they are stored."""
    first = pages[0]
    if bands != "auto" and first.photometric == tiff.PALETTE:
        colours = opencv_pages(data, pages, cv2.IMREAD_COLOR)
        return None if colours is None else colours[..., ::-1]
    if bands != "auto":
        stored = tiff.read(path, data, pages)
        return np.moveaxis(stored[..., 0], 0, -1) if len(pages) > 1 and first.samples == 1 else stored
    if not first.coloured:
        raise DataError(
            f"{path}: cannot read this image: it has {first.samples} bands that are no colours; say which are wanted "
            'by "bands": "all", or by a list of their numbers from 1, such as "bands": [3, 2, 1]'
        )
    flags = cv2.IMREAD_UNCHANGED
    if first.integers:  # floats are not converted by all versions
        flags = cv2.IMREAD_ANYDEPTH | (cv2.IMREAD_GRAYSCALE if grayscale else cv2.IMREAD_COLOR)
    pixels = opencv_pages(data, pages, flags) if first.for_opencv else None
    if pixels is None and (tiff.available() or not first.for_opencv):
        pixels = tiff.read(path, data, pages)
        if pixels.shape[-1] > 2:
            pixels = pixels[..., 2::-1]
    return None if pixels is None else _channels(pixels, grayscale)


def opencv_pages(data: bytes, pages: Sequence[tiff.Page], flags: int) -> NDArray[Any] | None:
    """Pages of a TIFF file (H, W, C) or (pages, H, W, C), as OpenCV gives them; None if it does not know them."""
    if len(pages) == 1 and pages[0].number == 0:
        return opencv(data, flags)
    try:
        good, found = cv2.imdecodemulti(np.frombuffer(data, np.uint8), flags)
    except cv2.error:
        return None
    if not good or len(found) <= pages[-1].number:
        return None
    stack = [found[page.number] for page in pages]
    array = stack[0] if len(stack) == 1 else np.stack(stack)
    return array[..., None] if stack[0].ndim == 2 else array


def opencv(data: bytes, flags: int) -> NDArray[Any] | None:
    """A picture (H, W, C), as OpenCV gives it; None if it does not know it."""
    try:
        decoded: NDArray[Any] | None = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error:  # an empty file, a picture of too many pixels
        return None
    return decoded[..., None] if decoded is not None and decoded.ndim == 2 else decoded


def _stored(data: bytes) -> NDArray[Any] | None:
    """All channels of a picture, red first."""
    pixels = opencv(data, cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.shape[-1] < 3:
        return pixels
    return pixels[..., [2, 1, 0, 3][: pixels.shape[-1]]]


def _channels(pixels: NDArray[Any], grayscale: bool) -> NDArray[Any]:
    """Three channels or one of blue, green, red, or of grey, either with transparency or without."""
    wanted = 1 if grayscale else 3
    if pixels.dtype not in (np.uint8, np.uint16):
        pixels = pixels.astype(np.float32, copy=False)
    if pixels.shape[-1] == wanted:
        return pixels
    if pixels.shape[-1] < 3:
        return np.repeat(pixels[..., :1], wanted, axis=-1)
    if not grayscale:
        return np.ascontiguousarray(pixels[..., :3])
    grey = pixels[..., :3] @ np.array(_LUMINANCE, np.float32)
    return (grey if pixels.dtype == np.float32 else np.rint(grey).astype(pixels.dtype))[..., None]


def _red_first(pixels: NDArray[Any]) -> NDArray[Any]:
    """Colours that came blue first, turned in place where that is fast."""
    if pixels.ndim > 3:
        return np.ascontiguousarray(pixels[..., ::-1])
    cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB, dst=pixels)
    return pixels


def _chosen(path: str, pixels: NDArray[Any], bands: Bands) -> NDArray[Any]:
    count = pixels.shape[-1]
    if not isinstance(bands, str):
        missing = [band for band in bands if band > count]
        if missing:
            raise DataError(
                f"{path}: cannot read this image: it has no band {missing[0]}, as `bands` wants; its bands are 1 to "
                f"{count}"
            )
        pixels = pixels[..., [band - 1 for band in bands]]
    if pixels.dtype == np.bool_:
        pixels = pixels * np.uint8(255)
    if pixels.dtype not in (np.uint8, np.uint16):
        pixels = pixels.astype(np.float32, copy=False)
    return np.ascontiguousarray(pixels)


def finite(path: str, pixels: NDArray[Any]) -> NDArray[Any]:
    """The same pixels, if all of them are finite.

    Raises:
        DataError: Some are infinite or not numbers.
    """
    if pixels.dtype == np.float32 and not np.isfinite(pixels).all():
        count = int((~np.isfinite(pixels)).sum())
        raise DataError(
            f"{path}: cannot use this image: {count} of its {pixels.size} values are infinite or not numbers (NaN); "
            "replace them, or remove the file"
        )
    return pixels


def is_whole(data: bytes) -> bool:
    """False for a JPEG or PNG file that ends before its end marker, which some versions of OpenCV fill up with grey.

    Anything may follow the marker, such as a film clip, and thumbnails in front of a JPEG picture have one of their
    own.
    """
    if data.startswith(png.SIGNATURE):
        return data.endswith(_PNG_END) or _PNG_END in data
    if data.endswith(_JPEG_END) or not data.startswith(_JPEG_START):
        return True
    at = len(_JPEG_START)
    while marker := _MARKER.search(data, at):
        if marker[1] == _JPEG_END[1:]:
            return True
        at = marker.end() + int.from_bytes(data[marker.end() : marker.end() + 2], "big")
    return False


def _cause(data: bytes) -> str:
    if not data:
        return "the file is empty; repair or remove it"
    if not is_whole(data):
        return "the file is cut short; repair or remove it"
    extent = headers.extent(data)
    if extent and (max(extent[:2]) > _LONGEST or extent.height * extent.width > _MOST):
        return f"it has {extent}, and OpenCV reads up to {_LONGEST} to a side and {_MOST} in all; cut it into tiles"
    if text := _text(data):
        return f"it is no picture, but a text that begins with `{text}`; fetch the picture, or remove the file"
    return "the file is damaged, cut short, or of a format that OpenCV does not know; repair or remove it"


def _text(data: bytes) -> str:
    """The first line of a text; empty for what is none, or a picture in the form of a text (`P2`)."""
    line = data[:_SHOWN].split(b"\n")[0].rstrip()
    return line.decode() if line.isascii() and line.decode().isprintable() and not line.startswith(b"P") else ""
