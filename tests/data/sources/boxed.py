"""Pictures for the tests of sources of boxes."""

import cv2
import numpy as np

from rmldnn.data.source import Side
from rmldnn.data.sources.images import images

EXTENTS = {"a/1.png": (20, 40), "a/2.png": (30, 30), "b/3.png": (20, 40)}
"""Height and width of each picture."""


def folder_of(path, extents=EXTENTS):
    """Writes grey pictures, and opens them as inputs."""
    for name, (height, width) in extents.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path / name), np.full((height, width, 3), 90, np.uint8))
    return images(Side("train", "input", str(path)))
