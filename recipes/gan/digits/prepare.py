"""Writes scikit-learn's handwritten digits as an image folder: digits/{train,test}/<class>/<index>.png.

The 1797 pictures of 8 x 8 pixels come with scikit-learn (UCI ML hand-written digits, CC BY 4.0), so nothing is
downloaded. Every fifth picture is a test picture.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from sklearn.datasets import load_digits


def main(folder: Path = Path("digits")) -> None:
    """Writes all pictures below `folder`; pictures that are already there are written again."""
    digits = load_digits()
    pixels = (digits.images * (255 / 16)).round().astype(np.uint8)
    for index, (image, label) in enumerate(zip(pixels, digits.target, strict=True)):
        path = folder / ("test" if index % 5 == 4 else "train") / str(label) / f"{index:04d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        if not cv2.imwrite(str(path), image):
            raise OSError(f"cannot write {path}")
    print(f"{len(pixels)} pictures in {folder}/")


if __name__ == "__main__":
    main()
