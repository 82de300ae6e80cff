"""What may be wrong with data that can be read."""

from __future__ import annotations

import numpy as np

from rmldnn.data.affine import Affine
from rmldnn.data.pipeline import Pipeline
from rmldnn.errors import DataError

_CLASSES = 26
"""Pixels of pictures reach further than this: a tenth of what 8 bits hold."""


def taken_for_pictures(targets: Pipeline) -> str:
    """That targets look like maps of classes, but are scaled as pictures are; empty if they do not.

    Three of them are looked at.
    """
    source, count = targets.source, len(targets.source.names)
    if source.kind != "images" or targets.affine != Affine():  # whoever normalizes them knows what they are
        return ""
    try:
        some = [np.asarray(source.take(np.array([index]))[0]) for index in {0, count // 2, count - 1}]
    except DataError:
        return ""  # told when it is read
    largest = max(int(pixels.max()) for pixels in some)
    if not 0 < largest < _CLASSES or any(pixels.dtype.kind != "u" for pixels in some):
        return ""
    most = np.iinfo(some[0].dtype).max
    return (
        f"targets are whole numbers 0..{largest} of {most}, and become numbers from 0 to {largest / most:.2g} as "
        'pictures do; did you mean `"target_type": "masks"`, which takes them as classes?'
    )
