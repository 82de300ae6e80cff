"""Compares predictions with the exact solution, and draws some of them: python compare.py.

Each initial condition is taken apart into standing waves by a sine transform, and each wave decays at its own rate;
SciPy, which the extra `recipes` brings, does the transform. Writes picture.png: for the samples of the least, the
median and the largest error the initial condition, the solution after a quarter of the duration, the prediction there,
and their difference times 20; x downwards.
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


def solve(initial: Field, kappa: float, duration: float, instants: int) -> Field:
    """The solution at so many instants, on the nodes of the initial condition, with zeros around."""
    waves = scipy.fft.dstn(initial[1:-1, 1:-1], type=1)
    m, n = np.indices(waves.shape) + 1
    times = np.linspace(0, duration, instants)[:, None, None]
    decayed = waves * np.exp(-kappa * np.pi**2 * (m**2 + n**2) * times)
    inner = scipy.fft.idstn(decayed, type=1, axes=(1, 2))
    return np.pad(inner, [(0, 0), (1, 1), (1, 1)])


def colored(field: Field, low: float, high: float) -> NDArray[np.uint8]:
    """A picture of a field."""
    grey = (255 * (field - low) / (high - low)).clip(0, 255).astype(np.uint8)
    return cv2.resize(cv2.applyColorMap(grey, cv2.COLORMAP_VIRIDIS), (96, 96), interpolation=cv2.INTER_CUBIC)


def main() -> None:
    """Prints the errors of the newest predictions, and draws."""
    loss = json.loads(Path("config.json").read_text())["neural_network"]["loss"]
    newest = max(Path("predictions").glob("output_*.h5"), key=lambda file: int(file.stem.split("_")[1]))
    found = []
    with h5py.File(newest) as predictions:
        for name in predictions:
            prediction = predictions[name][...].astype(np.float64)
            solution = solve(prediction[0], loss["diffusion_coeff"], loss["duration"], len(prediction))
            error = float(np.linalg.norm(prediction - solution) / np.linalg.norm(solution))
            found.append((error, solution, prediction))
    found.sort(key=lambda one: one[0])
    median, most = np.quantile([one[0] for one in found], [0.5, 0.9])
    print(f"{newest}: relative L2 error of {len(found)} samples: median {median:.2%}, 90th percentile {most:.2%}")
    rows = []
    for _, solution, prediction in (found[0], found[len(found) // 2], found[-1]):
        quarter = len(solution) // 4
        off = 20 * (prediction - solution)[quarter]
        shown = [solution[0], solution[quarter], prediction[quarter], off]
        rows.append(cv2.hconcat([colored(field, -1, 1) for field in shown]))
    cv2.imwrite("picture.png", cv2.vconcat(rows))


if __name__ == "__main__":
    main()
