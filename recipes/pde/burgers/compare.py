"""Compares predictions with the solution of Cole and Hopf, and draws some of them: python compare.py.

With u = -2 nu phi_x / phi Burgers' equation becomes the heat equation for phi, which has a cosine series for u = 0 at
both ends. Writes picture.png: solution, prediction, and their difference times 10 for the samples of the least, the
median and the largest error; x to the right, time downwards.
"""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import h5py
import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

Field = NDArray[np.float64]
TERMS, NODES = 300, 8001


def solve(initial: Field, nu: float, duration: float, instants: int) -> Field:
    """The solution at so many instants, on the nodes of the initial condition."""
    places = np.linspace(0, 1, len(initial))
    x = np.linspace(0, 1, NODES)
    phi = np.exp(-CubicSpline(places, initial).antiderivative()(x) / (2 * nu))
    weights = np.full(NODES, 2.0)  # Simpson's rule
    weights[1::2], weights[[0, -1]] = 4, 1
    k = np.arange(TERMS)
    series = (weights * phi) @ np.cos(np.pi * x[:, None] * k) / (3 * (NODES - 1)) * np.where(k > 0, 2, 1)
    times = np.linspace(0, duration, instants)[:, None]
    decayed = series * np.exp(-nu * (np.pi * k) ** 2 * times)
    waves = np.pi * k[:, None] * places
    field: Field = 2 * nu * (decayed * np.pi * k) @ np.sin(waves) / (decayed @ np.cos(waves))
    field[0] = initial
    return field


def colored(field: Field, low: float, high: float) -> NDArray[np.uint8]:
    """A picture of a field."""
    grey = (255 * (field - low) / (high - low)).clip(0, 255).astype(np.uint8)
    return cv2.resize(cv2.applyColorMap(grey, cv2.COLORMAP_VIRIDIS), (128, 96), interpolation=cv2.INTER_CUBIC)


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
        off = 0.5 + 10 * (prediction - solution) / 2
        rows.append(cv2.hconcat([colored(solution, 0, 1), colored(prediction, 0, 1), colored(off, 0, 1)]))
    cv2.imwrite("picture.png", cv2.vconcat(rows))


if __name__ == "__main__":
    main()
