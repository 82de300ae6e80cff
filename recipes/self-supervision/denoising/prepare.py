"""Writes scikit-learn's handwritten digits with noise and without, for an auto-encoder that takes it away.

- clean/{train,test}/*.png and noisy/{train,test}/*.png: the 1797 pictures of 8 x 8 pixels; every fifth is for the test.

Noise is normally distributed, with a deviation of 0.25 where white is 1. The digits (UCI ML hand-written digits, CC BY
4.0) come with scikit-learn; nothing is downloaded.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from sklearn.datasets import load_digits

NOISE = 0.25


def main() -> None:
    """Writes all pictures; those that are already there are written again."""
    random = np.random.default_rng(0)
    clean = load_digits().images / 16
    noisy = clean + NOISE * random.standard_normal(clean.shape)
    for kind, pictures in (("clean", clean), ("noisy", noisy)):
        for index, picture in enumerate((pictures * 255).round().clip(0, 255).astype(np.uint8)):
            path = Path(kind) / ("test" if index % 5 == 4 else "train") / f"{index:04d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            if not cv2.imwrite(str(path), picture):
                raise OSError(f"cannot write {path}")
    print("pictures in clean/ and noisy/")


if __name__ == "__main__":
    main()
