"""Pictures with boxes drawn on them."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

_SMALL = 400
"""Pixels of a side up to which a picture is enlarged, lest letters be larger than what they name."""
_FONT = cv2.FONT_HERSHEY_SIMPLEX


def with_boxes(
    picture: NDArray[np.uint8],
    corners: NDArray[Any],
    kinds: Sequence[int],
    words: Sequence[str],
    *,
    enlarge: bool = True,
) -> NDArray[np.uint8]:
    """A picture with the outlines of boxes in the colours of their classes, and words above them.

    Args:
        picture: Shape (H, W, 3), blue first.
        corners: Left, top, right, bottom, shape (k, 4); later ones are drawn over earlier ones.
        kinds: The class of each, which gives its colour.
        words: What is written above each; nothing where it is empty.
        enlarge: Whether small pictures are enlarged by a whole number first.
    """
    factor = max(1, _SMALL // max(picture.shape[:2])) if enlarge else 1
    canvas = np.ascontiguousarray(picture.repeat(factor, 0).repeat(factor, 1))
    thick = max(1, round(max(canvas.shape[:2]) / 400))
    size = 0.4 * thick
    for box, kind, text in zip(np.rint(corners * factor).astype(int).tolist(), kinds, words, strict=True):
        left, top, right, bottom = box
        color = color_of(kind)
        cv2.rectangle(canvas, (left, top), (right - 1, bottom - 1), color, thick)
        if text:
            plain = text.encode("ascii", "replace").decode()
            (width, height), below = cv2.getTextSize(plain, _FONT, size, thick)
            at = max(0, min(left, canvas.shape[1] - width)), max(height, top - below)
            cv2.rectangle(canvas, (at[0], at[1] - height), (at[0] + width, at[1] + below), color, -1)
            cv2.putText(canvas, plain, at, _FONT, size, (255, 255, 255), thick, cv2.LINE_AA)
    return canvas


def color_of(kind: int) -> tuple[int, int, int]:
    """The colour of a class, blue first; neighbours differ much, and white letters can be read on all of them."""
    red, green, blue = colorsys.hsv_to_rgb(kind * 0.618034 % 1, 0.9, 0.75)
    return round(255 * blue), round(255 * green), round(255 * red)


def as_bytes(pixels: NDArray[Any], *, rgb: bool) -> NDArray[np.uint8]:
    """Pixels (H, W, C) of any type as a picture (H, W, 3), blue first."""
    if pixels.dtype.kind == "f":
        bright = (np.nan_to_num(pixels).clip(0, 1) * 255).astype(np.uint8)
    else:
        bright = (pixels >> 8 * (pixels.dtype.itemsize - 1)).astype(np.uint8)
    plane = bright[..., :3] if bright.shape[-1] >= 3 else np.repeat(bright[..., :1], 3, -1)
    return np.ascontiguousarray(plane[..., ::-1] if rgb else plane)


def png(picture: NDArray[np.uint8]) -> bytes:
    """The bytes of a PNG file."""
    return bytes(cv2.imencode(".png", picture)[1].tobytes())
