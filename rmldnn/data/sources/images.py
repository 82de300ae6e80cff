"""Pictures: files that OpenCV reads, in a folder and its sub-folders."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from typing import Any, Literal

from numpy.typing import NDArray

from rmldnn.component import component
from rmldnn.data.decode import SUFFIXES, decode
from rmldnn.data.discovery import discover
from rmldnn.data.pairing import pair
from rmldnn.data.source import Indices, Side

_log = logging.getLogger("rmldnn")


class Images:
    """The image files of one folder; see `Source`.

    Args:
        folder: The folder as configured.
        names: Paths below it, with `/`.
        grayscale: One channel instead of three.
        rgb: Red first instead of blue first.
    """

    kind = "images"
    noun = "images"
    pixels = True

    def __init__(self, folder: str, names: Sequence[str], *, grayscale: bool, rgb: bool) -> None:
        self.folder = folder
        self.names = names
        self.grayscale = grayscale
        self.rgb = rgb

    def take(self, indices: Indices) -> list[NDArray[Any]]:
        """Decodes the images at `indices`, each (H, W, C)."""
        return [decode(self.locate(index), grayscale=self.grayscale, rgb=self.rgb) for index in indices.tolist()]

    def locate(self, index: int) -> str:
        """The path of an image."""
        return f"{self.folder.rstrip('/')}/{self.names[index]}"

    def encoded_bytes(self, limit: int) -> int:
        """Bytes of the files, counted until there are more than `limit`."""
        total = 0
        for index in range(len(self.names)):
            if total > limit:
                break
            try:
                total += os.stat(self.locate(index)).st_size  # noqa: PTH116 - called for every file
            except OSError:
                continue  # told when it is read
        return total


@component("images")
def images(side: Side, *, grayscale: bool = False, color_order: Literal["bgr", "rgb"] = "bgr") -> Images | None:
    """Opens the images of a folder with all its sub-folders, sorted by path, or one single image.

    Images have three channels, or one with `grayscale`, whatever their files say. Pixels are scaled to [0, 1] in
    the batch, those of targets and masks too. Target images are paired with inputs by name (`rmldnn.data.pairing`).

    Args:
        side: What to open.
        grayscale: Reads one channel instead of three.
        color_order: Order of the three channels: blue first (as OpenCV and the original tool) or red first.

    Returns:
        The source; None if no path is configured.

    Raises:
        DataError: The path holds no images, or inputs and targets do not match.
    """
    if side.path is None:
        return None
    _log.info(f"Discovering {side.words} {side.role} images...")
    folder, names = discover(side, SUFFIXES, "images")
    if side.inputs is not None:
        names = pair(side.inputs.names, names, side.key)
    return Images(folder, names, grayscale=grayscale, rgb=color_order == "rgb")
