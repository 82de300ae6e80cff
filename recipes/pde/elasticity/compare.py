"""Compares predictions with finite elements, and draws some of them: python compare.py.

The reference solves plane stress for every test map by bilinear elements on the nodes of the map, in float64 with
SciPy, which the extra `recipes` brings. Writes picture.png: modulus, both displacements as predicted, each with its
difference from the reference times 20, for the maps of the least, the median and the largest error; x downwards.
"""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import cv2
import h5py
import numpy as np
import scipy.sparse
import scipy.sparse.linalg
from numpy.typing import NDArray

Field = NDArray[np.float64]


def solve(modulus: Field, ratio: float) -> Field:
    """Both displacements, shape (2, *nodes): (0, 0) at the first index of x, (1, 0) at the last, free elsewhere."""
    hooke = np.array([[1, ratio, 0], [ratio, 1, 0], [0, 0, (1 - ratio) / 2]]) / (1 - ratio**2)
    corners = np.array(list(itertools.product((0, 1), repeat=2)))
    spacing = 1 / (np.array(modulus.shape) - 1)
    cells = np.indices([n - 1 for n in modulus.shape]).reshape(2, -1).T
    nodes = np.ravel_multi_index(tuple((cells[:, None] + corners).transpose(2, 0, 1)), modulus.shape)
    local = np.zeros((len(cells), 8, 8))
    for point in itertools.product((0.5 - 12**-0.5, 0.5 + 12**-0.5), repeat=2):
        factors = np.where(corners, point, 1 - np.array(point))  # of the shape function of each corner
        along_x, along_y = np.where(corners, 1, -1).T / spacing[:, None] * factors.T[::-1]
        none = np.zeros(4)
        strain = np.block([[along_x, none], [none, along_y], [along_y, along_x]])
        here = modulus.ravel()[nodes] @ factors.prod(1)
        local += here[:, None, None] * (strain.T @ hooke @ strain) * spacing.prod() / 4
    unknowns = np.concatenate([nodes, nodes + modulus.size], 1)
    rows, columns = np.broadcast_arrays(unknowns[:, :, None], unknowns[:, None, :])
    size = 2 * modulus.size
    matrix = scipy.sparse.csr_matrix((local.ravel(), (rows.ravel(), columns.ravel())), (size, size))
    field = np.zeros((2, *modulus.shape))
    field[0, -1] = 1
    free = np.zeros(field.shape, bool)
    free[:, 1:-1] = True
    free = free.ravel()
    field.ravel()[free] = scipy.sparse.linalg.spsolve(matrix[free][:, free].tocsc(), -(matrix @ field.ravel())[free])
    return field


def colored(field: Field, low: float, high: float) -> NDArray[np.uint8]:
    """A picture of a field, x downwards."""
    grey = (255 * (field - low) / (high - low)).clip(0, 255).astype(np.uint8)
    return cv2.resize(cv2.applyColorMap(grey, cv2.COLORMAP_VIRIDIS), (96, 96), interpolation=cv2.INTER_CUBIC)


def main() -> None:
    """Prints the errors of the newest predictions, and draws."""
    loss = json.loads(Path("config.json").read_text())["neural_network"]["loss"]
    newest = max(Path("predictions").glob("output_*.h5"), key=lambda file: int(file.stem.split("_")[1]))
    found = []
    with h5py.File(newest) as predictions:
        for name in predictions:
            modulus = np.load(Path("moduli/test") / f"{name.removesuffix('.npy')}.npy")[0].astype(np.float64)
            prediction = predictions[name][...].astype(np.float64)
            reference = solve(modulus, loss["poisson_ratio"])
            error = float(np.linalg.norm(prediction - reference) / np.linalg.norm(reference))
            found.append((error, modulus, prediction, reference))
    found.sort(key=lambda one: one[0])
    median, most = np.quantile([one[0] for one in found], [0.5, 0.9])
    print(f"{newest}: relative L2 error of {len(found)} maps: median {median:.2%}, 90th percentile {most:.2%}")
    rows = []
    for _, modulus, prediction, reference in (found[0], found[len(found) // 2], found[-1]):
        log = np.log(modulus)
        row = [colored(log, log.min(), log.max())]
        for predicted, solved, low, high in zip(prediction, reference, (0, -0.3), (1, 0.3), strict=True):
            row += [colored(predicted, low, high), colored(20 * (predicted - solved), -1, 1)]
        rows.append(cv2.hconcat(row))
    cv2.imwrite("picture.png", cv2.vconcat(rows))


if __name__ == "__main__":
    main()
