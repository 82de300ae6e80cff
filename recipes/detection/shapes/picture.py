"""Puts some of the pictures that the run has drawn into one, `detections.png`."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

COLUMNS, ROWS = 3, 2
SHADES = 16
"""Of each colour: the file is to be small."""


def main(folder: Path = Path("detections")) -> None:
    """Takes the pictures of the last epoch."""
    last = max(folder.glob("pictures_*"), key=lambda path: int(path.name.rpartition("_")[2]))
    drawn = [cv2.imread(str(file)) for file in sorted(last.glob("*.png"))[: COLUMNS * ROWS]]
    rows = [np.hstack(drawn[start : start + COLUMNS]) for start in range(0, len(drawn), COLUMNS)]
    step = 255 / (SHADES - 1)
    coarse = (np.rint(np.vstack(rows) / step) * step).astype(np.uint8)
    if not cv2.imwrite("detections.png", coarse, [cv2.IMWRITE_PNG_COMPRESSION, 9]):
        raise OSError("cannot write detections.png")
    print(f"{len(drawn)} pictures of {last}/ in detections.png")


if __name__ == "__main__":
    main()
