"""Draws a section of the test volume, its facies, and what the network predicts: picture.png.

Usage: python picture.py, after predict.json has run
"""

from __future__ import annotations

import cv2
import h5py
import numpy as np
from numpy.typing import NDArray

LARGER = 5
COLORS = np.array([[90, 60, 40], [80, 170, 240], [90, 190, 90], [200, 120, 60]], np.uint8)


def section(volume: NDArray) -> NDArray:
    """The middle inline, with depth downwards."""
    return volume[len(volume) // 2].T


def main() -> None:
    """Reads the three volumes, and writes the picture."""
    with h5py.File("test.h5") as one, h5py.File("test_facies.h5") as two, h5py.File("prediction.h5") as three:
        seismic, facies = section(one["seismic"][()]), section(two["facies"][()])
        predicted = section(three["facies"][()].argmax(axis=-1))  # channels last
    grey = (np.clip(seismic / 5 + 0.5, 0, 1) * 255).astype(np.uint8)
    panels = [np.repeat(grey[..., None], 3, axis=-1), COLORS[facies], COLORS[predicted]]
    gap = np.full((len(grey), 2, 3), 255, np.uint8)
    picture = np.hstack([panels[0], gap, panels[1], gap, panels[2]])
    cv2.imwrite("picture.png", picture.repeat(LARGER, axis=0).repeat(LARGER, axis=1), [cv2.IMWRITE_PNG_COMPRESSION, 9])
    print(f"picture.png: seismic, facies, prediction; {np.mean(facies == predicted):.1%} of this section is right")


if __name__ == "__main__":
    main()
