"""Writes scikit-learn's handwritten digits, most of them without labels; nothing is downloaded.

- all/*.png: the 1438 pictures for training, of no class;
- few/<class>/*.png: a tenth of them, with labels;
- test/<class>/*.png: every fifth of the 1797 pictures, as in classification/digits.

The digits (UCI ML hand-written digits, CC BY 4.0) come with scikit-learn.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from sklearn.datasets import load_digits


def main() -> None:
    """Writes all pictures; those that are already there are written again."""
    digits = load_digits()
    pixels = (digits.images * (255 / 16)).round().astype(np.uint8)
    for index, (picture, label) in enumerate(zip(pixels, digits.target, strict=True)):
        if index % 5 == 4:
            write(Path("test") / str(label) / f"{index:04d}.png", picture)
            continue
        write(Path("all") / f"{index:04d}.png", picture)
        if index % 50 in (0, 12, 23, 35):  # of 40 for training
            write(Path("few") / str(label) / f"{index:04d}.png", picture)
    print("pictures in all/, few/ and test/")


def write(path: Path, picture: np.ndarray) -> None:
    """Writes a picture, and the folder that it lies in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(path), picture):
        raise OSError(f"cannot write {path}")


if __name__ == "__main__":
    main()
