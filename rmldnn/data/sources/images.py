"""Pictures: image files in a folder and its sub-folders."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any, Literal

from numpy.typing import NDArray

from rmldnn.component import component
from rmldnn.data.decode import MAX_PIXELS, SUFFIXES, Bands, decode
from rmldnn.data.discovery import discover
from rmldnn.data.files import Files
from rmldnn.data.holding import hold
from rmldnn.data.memory import assembled
from rmldnn.data.pairing import pair
from rmldnn.data.source import Indices, Meaning, Samples, Side
from rmldnn.errors import ConfigError, DataError, Problem
from rmldnn.types import Count

_log = logging.getLogger("rmldnn")


class Pictures(Files):
    """Image files of one folder; whoever inherits says how one is decoded.

    Args:
        start: The folder as configured, with `/` at its end.
        names: Paths below it, with `/`.
    """

    noun = "images"

    def __init__(self, start: str, names: Sequence[str]) -> None:
        self.start = start
        self.names = names


class Images(Pictures):
    """Pictures of colours or grey values; see `Source`.

    Args:
        start: The folder as configured, with `/` at its end.
        names: Paths below it, with `/`.
        grayscale: One channel instead of three.
        rgb: Red first instead of blue first.
        bands: All bands of a file or some of them, instead of colours.
        max_pixels: Larger pictures are refused.
    """

    kind = "images"
    meaning: Meaning = "pixels"

    def __init__(
        self,
        start: str,
        names: Sequence[str],
        *,
        grayscale: bool,
        rgb: bool,
        bands: Bands = "auto",
        max_pixels: int = MAX_PIXELS,
    ) -> None:
        super().__init__(start, names)
        self.grayscale = grayscale
        self.rgb = rgb
        self.bands = bands
        self.max_pixels = max_pixels

    def facts(self) -> Any:
        """How pictures are decoded."""
        return self.grayscale, self.rgb, self.bands

    def take(self, indices: Indices) -> Samples:
        """Decodes the images at `indices`, each (H, W, C), or (D, H, W, C) for a file of several pages."""

        def read(place: int, into: NDArray[Any] | None) -> NDArray[Any]:
            index = int(indices[place])
            hold(index)
            return decode(
                self.locate(index),
                grayscale=self.grayscale,
                rgb=self.rgb,
                bands=self.bands,
                max_pixels=self.max_pixels,
                into=into,
            )

        taken = assembled(range(len(indices)), read)
        if isinstance(taken, list) and len({pixels.dtype.kind for pixels in taken}) > 1:
            floats = [pixels.dtype.kind == "f" for pixels in taken]
            one, other = (self.locate(int(indices[floats.index(wanted)])) for wanted in (True, False))
            raise DataError(
                f"{one}: has floating-point numbers, which are taken as they are, but {other} has integers, which are "
                "scaled to [0, 1]; give all images of a set the same type"
            )
        return taken


@component("images")
def images(
    side: Side,
    *,
    grayscale: bool = False,
    color_order: Literal["bgr", "rgb"] = "bgr",
    bands: Literal["auto", "all"] | list[Count] = "auto",
    max_pixels: Count = 67108864,
) -> Images | None:
    """Opens the images of a folder with all its sub-folders, sorted by path, or one single image.

    Images have three channels, or one with `grayscale`, whatever their files say: grey is repeated, transparency
    dropped (in TIFF files of 8 bits it is drawn on black). A TIFF file of several pages is a volume. Pixels of 8 or 16
    bits are scaled to [0, 1] in the batch, those of targets too; floating-point numbers stay as they are. Targets are
    paired with inputs by name.

    Args:
        side: What to open.
        grayscale: Reads one channel instead of three.
        color_order: Order of the three channels: blue first (as OpenCV and the original tool) or red first.
        bands: Channels of files that have others than three colours: `all` of them in the order of the file, or those
            of a list of numbers from 1. Pages of a TIFF file that have one band each count as bands.
        max_pixels: Larger images are an error, told before they are decoded; 8192 x 8192 by default.

    Returns:
        The source; None if no path is configured.

    Raises:
        ConfigError: Grey values and bands are wanted at once.
        DataError: The path holds no images, or inputs and targets do not match.
    """
    if bands != "auto" and (grayscale or not bands):
        fault = "bands and `grayscale` exclude each other; remove one of the two" if bands else "must name a band"
        raise ConfigError(Problem("data.bands", fault))
    if side.path is None:
        return None
    _log.info(f"Discovering {side.words} {side.role} images...")
    start, names = discover(side, SUFFIXES, "images")
    if side.inputs is not None:
        names = pair(side.inputs.names, names, side.key)
    return Images(start, names, grayscale=grayscale, rgb=color_order == "rgb", bands=bands, max_pixels=max_pixels)
