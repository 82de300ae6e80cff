"""Compares predictions with the exact solution, and draws some of them: python compare.py.

Each source is taken apart into standing waves by a sine transform, and each wave answers by itself; SciPy, which the
extra `recipes` brings, does the transform. Writes picture.png: source, prediction, and its difference from the solution
times 50, for the sources of the least, the median and the largest error; x downwards.
"""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import h5py
import numpy as np
import scipy.fft
from numpy.typing import NDArray

Field = NDArray[np.float64]


def solve(source: Field, wave_number: float) -> Field:
    """The field that is 0 around, on the nodes of the source."""
    waves = scipy.fft.dstn(source[1:-1, 1:-1], type=1)
    m, n = np.indices(waves.shape) + 1
    inner = scipy.fft.idstn(waves / (np.pi**2 * (m**2 + n**2) - wave_number**2), type=1)
    return np.pad(inner, 1)


def colored(field: Field, most: float) -> NDArray[np.uint8]:
    """A picture of a field, from -most (blue) to most (yellow)."""
    grey = (127.5 * (1 + field / most)).clip(0, 255).astype(np.uint8)
    return cv2.resize(cv2.applyColorMap(grey, cv2.COLORMAP_VIRIDIS), (96, 96), interpolation=cv2.INTER_CUBIC)


def main() -> None:
    """Prints the errors of the newest predictions, and draws."""
    loss = json.loads(Path("config.json").read_text())["neural_network"]["loss"]
    newest = max(Path("predictions").glob("output_*.h5"), key=lambda file: int(file.stem.split("_")[1]))
    found = []
    with h5py.File(newest) as predictions:
        for name in predictions:
            source = np.load(Path("sources/test") / f"{name.removesuffix('.npy')}.npy")[0].astype(np.float64)
            prediction = predictions[name][0].astype(np.float64)
            solution = solve(source, loss["wave_number"])
            error = float(np.linalg.norm(prediction - solution) / np.linalg.norm(solution))
            found.append((error, source, prediction, solution))
    found.sort(key=lambda one: one[0])
    median, most = np.quantile([one[0] for one in found], [0.5, 0.9])
    print(f"{newest}: relative L2 error of {len(found)} sources: median {median:.2%}, 90th percentile {most:.2%}")
    rows = []
    for _, source, prediction, solution in (found[0], found[len(found) // 2], found[-1]):
        largest = np.abs(solution).max()
        off = 50 * (prediction - solution)
        rows.append(
            cv2.hconcat([colored(source, np.abs(source).max()), colored(prediction, largest), colored(off, largest)])
        )
    cv2.imwrite("picture.png", cv2.vconcat(rows))


if __name__ == "__main__":
    main()
