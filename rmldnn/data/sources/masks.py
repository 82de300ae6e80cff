"""Masks: pictures whose pixels are class indices."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from rmldnn.component import component, show
from rmldnn.data import png, tiff
from rmldnn.data.decode import (
    JPEG_SUFFIXES,
    MAX_PIXELS,
    SUFFIXES,
    contents,
    is_whole,
    opencv,
    opencv_pages,
    refuse_large,
    tiff_pages,
    unreadable,
)
from rmldnn.data.discovery import discover
from rmldnn.data.holding import hold
from rmldnn.data.pairing import pair
from rmldnn.data.source import Indices, Meaning, Side
from rmldnn.data.sources.images import Pictures
from rmldnn.errors import ConfigError, DataError, Problem
from rmldnn.types import Count, Index

_log = logging.getLogger("rmldnn")

_MOST = 2**16
"""Values that 16 bits have."""
_WORDS = "masks need one whole number for each pixel; save it as a PNG file of grey values or of a palette"


class Masks(Pictures):
    """Pictures of class indices; see `Source`.

    Args:
        start: The folder as configured, with `/` at its end.
        names: Paths below it, with `/`.
        values: The value of each class in the files, where that is not its index.
        max_pixels: Larger pictures are refused.
    """

    kind = "masks"
    noun = "masks"
    meaning: Meaning = "classes"

    def __init__(
        self, start: str, names: Sequence[str], values: Sequence[int] | None, max_pixels: int = MAX_PIXELS
    ) -> None:
        super().__init__(start, names)
        self.max_pixels = max_pixels
        self._known = None if values is None else np.isin(np.arange(_MOST), values)
        self._classes = np.zeros(_MOST, np.uint8 if values is None or len(values) <= 256 else np.uint16)
        self._values = list(values or ())
        self.num_classes = len(self._values)
        """How many classes there are; 0 if that is not known."""
        for index, value in enumerate(values or ()):
            self._classes[value] = index

    def facts(self) -> Any:
        """What values mean."""
        return self._values

    def take(self, indices: Indices) -> list[NDArray[Any]]:
        """Class indices (H, W, 1), or (D, H, W, 1) for a file of several pages; uint8 or uint16."""
        return [self._mapped(index) for index in indices.tolist()]

    def _mapped(self, index: int) -> NDArray[Any]:
        hold(index)
        path = self.locate(index)
        stored = decode_indices(path, self.max_pixels)
        if self._known is None:
            return stored
        if not self._known[: np.iinfo(stored.dtype).max + 1].all():
            strange = ~self._known[stored]
            if strange.any():
                raise DataError(
                    f"{path}: has pixels of the value {int(stored[strange][0])}, which `values` does not list: "
                    f"{show(self._values)}; add it there, or repair the file (pixels of values that are not listed: "
                    f"{int(strange.sum())})"
                )
        classes: NDArray[Any] = self._classes[stored]
        return classes


@component("masks")
def masks(side: Side, *, values: list[Index] | None = None, max_pixels: Count = 67108864) -> Masks | None:
    """Opens pictures whose pixels are class indices: the targets of segmentation.

    Values are taken as they are stored, as grey values or as the numbers of a palette, with 8 or 16 bits; nothing is
    scaled, and no transform blends them. Files are paired with inputs by name. JPEG files are passed over, as they do
    not keep values exactly.

    Args:
        side: What to open.
        values: The stored value of each class in the order of classes, where that is not its index: with `[0, 255]`
            a pixel of 255 is of class 1. Any other value is an error.
        max_pixels: Larger masks are an error, told before they are decoded; 8192 x 8192 by default.

    Returns:
        The source; None if no path is configured.

    Raises:
        ConfigError: Masks are wanted as inputs, or values are too large or there twice.
        DataError: The path holds no masks, or inputs and masks do not match.
    """
    if side.role == "input":
        raise ConfigError(Problem("data.input_type", "`masks` are targets, not inputs; use `images` here"))
    if values is not None and (not values or len(set(values)) < len(values) or max(values) >= _MOST):
        raise ConfigError(
            Problem("data.values", f"must be different values up to {_MOST - 1}, one for each class, got {values}")
        )
    if side.path is None:
        return None
    _log.info(f"Discovering {side.words} {side.role} masks...")
    start, found = discover(side, SUFFIXES, "masks")
    names = [name for name in found if os.path.splitext(name)[1].lower() not in JPEG_SUFFIXES]  # noqa: PTH122
    if not names:
        raise DataError(
            f"data.{side.key}: all masks in `{side.path}` are JPEG files, which do not keep values exactly; save masks "
            "as PNG files, or use `images` for targets that are pictures"
        )
    if side.inputs is not None:
        try:
            names = pair(side.inputs.names, names, side.key)
        except DataError as error:
            passed = sorted({*found} - {*names})
            more = f"; JPEG files, which do not keep values exactly, are passed over: `{passed[0]}`" if passed else ""
            raise DataError(f"{error}{more}{f' and {len(passed) - 1} more' if len(passed) > 1 else ''}") from None
    return Masks(start, names, values, max_pixels)


def decode_indices(path: str, max_pixels: int = MAX_PIXELS) -> NDArray[Any]:
    """Reads one mask.

    Args:
        path: The file.
        max_pixels: Larger masks are refused without being decoded.

    Returns:
        Values as stored (H, W, 1) or (pages, H, W, 1), uint8 or uint16.

    Raises:
        DataError: The file cannot be read, is too large, or its pixels are no class indices.
    """
    data = contents(path)
    refuse_large(path, data, max_pixels)
    if data.startswith(b"\xff\xd8\xff"):
        raise DataError(f"{path}: cannot use this mask: JPEG does not keep values exactly; {_WORDS}")
    divisor = 1
    if not is_whole(data):
        raise unreadable(path, data)
    if data.startswith(tiff.MAGIC):
        pixels = _tiff(path, data)
    elif data.startswith(png.SIGNATURE) and len(data) > png.HEADER:
        spread, divisor = png.as_stored(data)
        pixels = opencv(spread, cv2.IMREAD_UNCHANGED)
    else:
        pixels = opencv(data, cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise unreadable(path, data)
    if pixels.shape[-1] > 1:
        if not all(np.array_equal(pixels[..., 0], pixels[..., band]) for band in range(1, min(3, pixels.shape[-1]))):
            raise DataError(f"{path}: cannot use this mask: its pixels have colours; {_WORDS}")
        pixels = pixels[..., :1]
    if pixels.dtype not in (np.uint8, np.uint16):
        if pixels.dtype.kind not in "iub" or pixels.min() < 0 or pixels.max() >= _MOST:
            raise DataError(
                f"{path}: cannot use this mask: its values are of type {pixels.dtype}, up to {pixels.max()}; masks "
                f"need whole numbers from 0 to {_MOST - 1}"
            )
        pixels = pixels.astype(np.uint16)
    return pixels // np.uint8(divisor) if divisor > 1 else pixels


def _tiff(path: str, data: bytes) -> NDArray[Any] | None:
    pages = tiff_pages(path, data)
    if not pages:
        return None
    plain = pages[0].integers and pages[0].bits >= 8 and pages[0].photometric == 1
    pixels = opencv_pages(data, pages, cv2.IMREAD_UNCHANGED) if plain else None
    if pixels is None and (tiff.available() or not plain):
        pixels = tiff.read(path, data, pages)
    return pixels
