"""A picture of samples in rows and columns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from rmldnn.disk import reason, replacing
from rmldnn.errors import RmldnnError

_PICTURE = 3
"""Axes of a sample that is a picture."""
_LEAST = 32
"""Samples of fewer pixels are shown enlarged, each pixel as a square."""
_GAP = 2


def draw_grid(samples: NDArray[Any], columns: int, path: Path, bounds: tuple[float, float] | None = None) -> None:
    """Draws samples, row by row, into a PNG file.

    Args:
        samples: Shape (n, C, *spatial); volumes are shown by the middle of their first axes, lines as rows of pixels.
        columns: Samples in a row.
        path: The file.
        bounds: What is black, and what is white; the smallest and the largest number if absent.

    Raises:
        RmldnnError: The file cannot be written.
    """
    pictures = np.asarray(samples, dtype=np.float64)
    while pictures.ndim > _PICTURE + 1:
        pictures = pictures[:, :, pictures.shape[2] // 2]
    pictures = pictures.reshape(*pictures.shape[:2], *(1,) * (_PICTURE + 1 - pictures.ndim), *pictures.shape[2:])
    low, high = bounds or (pictures.min(), pictures.max())
    pixels = (np.clip((pictures - low) / (high - low or 1), 0, 1) * 255).round().astype(np.uint8)
    pixels = pixels[:, ::-1] if pixels.shape[1] == _PICTURE else pixels[:, :1]  # blue first, or grey
    factor = max(1, _LEAST // max(pixels.shape[2:]))
    pixels = pixels.repeat(factor, 2).repeat(factor, 3)
    number, channels, height, width = pixels.shape
    rows = -(-number // columns)
    sheet = np.full((rows * (height + _GAP) + _GAP, columns * (width + _GAP) + _GAP, channels), 255, np.uint8)
    for index, picture in enumerate(pixels):
        row, column = divmod(index, columns)
        top, left = row * (height + _GAP) + _GAP, column * (width + _GAP) + _GAP
        sheet[top : top + height, left : left + width] = picture.transpose(1, 2, 0)
    encoded: NDArray[np.uint8] = cv2.imencode(".png", sheet)[1]
    try:
        with replacing(path) as partial:
            partial.write_bytes(encoded.tobytes())
    except OSError as error:
        raise RmldnnError(f"cannot write `{path}`: {reason(error, path.parent)}") from error
