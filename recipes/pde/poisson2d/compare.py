"""Compares predictions with finite elements, and draws some of them: python compare.py.

The reference solves Poisson's equation for every test map by bilinear (trilinear) elements on the nodes of the map, in
float64 with SciPy, which the extra `recipes` brings. Writes picture.png: diffusivity, prediction, and their difference
from the reference times 100, for the maps of the least, the median and the largest error.
"""

from __future__ import annotations

import itertools
from pathlib import Path

import cv2
import h5py
import numpy as np
import scipy.sparse
import scipy.sparse.linalg
from numpy.typing import NDArray

Field = NDArray[np.float64]


def solve(nu: Field) -> Field:
    """The field that is 1 at the first index of the first axis, 0 at the last, without flux elsewhere."""
    corners = np.array(list(itertools.product((0, 1), repeat=nu.ndim)))
    spacing = 1 / (np.array(nu.shape) - 1)
    cells = np.indices([n - 1 for n in nu.shape]).reshape(nu.ndim, -1).T
    nodes = np.ravel_multi_index(tuple((cells[:, None] + corners).transpose(2, 0, 1)), nu.shape)
    local = np.zeros((len(cells), len(corners), len(corners)))
    for point in itertools.product((0.5 - 12**-0.5, 0.5 + 12**-0.5), repeat=nu.ndim):
        factors = np.where(corners, point, 1 - np.array(point))  # of the shape function of each corner
        slopes = np.where(corners, 1, -1) / spacing
        gradients = np.stack([slopes[:, a] * np.delete(factors, a, 1).prod(1) for a in range(nu.ndim)], 1)
        here = nu.ravel()[nodes] @ factors.prod(1)
        local += here[:, None, None] * (gradients @ gradients.T) * spacing.prod() / 2**nu.ndim
    rows, columns = np.broadcast_arrays(nodes[:, :, None], nodes[:, None, :])
    matrix = scipy.sparse.csr_matrix((local.ravel(), (rows.ravel(), columns.ravel())), (nu.size, nu.size))
    field = np.zeros(nu.shape)
    field[0] = 1
    free = np.zeros(nu.shape, bool)
    free[1:-1] = True
    free = free.ravel()
    field.ravel()[free] = scipy.sparse.linalg.spsolve(matrix[free][:, free].tocsc(), -(matrix @ field.ravel())[free])
    return field


def compare(maps: Path, file: Path) -> list[tuple[float, Field, Field, Field]]:
    """Relative L2 error, map, prediction and reference of every test sample, sorted by the error."""
    found = []
    with h5py.File(file) as predictions:
        for name in predictions:
            nu = np.load(maps / f"{name.removesuffix('.npy')}.npy")[0].astype(np.float64)
            prediction, reference = predictions[name][0].astype(np.float64), solve(nu)
            error = float(np.linalg.norm(prediction - reference) / np.linalg.norm(reference))
            found.append((error, nu, prediction, reference))
    return sorted(found, key=lambda one: one[0])


def colored(field: Field, low: float, high: float) -> NDArray[np.uint8]:
    """A picture of a field, or of its middle slice, x downwards."""
    plane = field if field.ndim == 2 else field[..., field.shape[-1] // 2]
    grey = (255 * (plane - low) / (high - low)).clip(0, 255).astype(np.uint8)
    return cv2.resize(cv2.applyColorMap(grey, cv2.COLORMAP_VIRIDIS), (96, 96), interpolation=cv2.INTER_CUBIC)


def main() -> None:
    """Prints the errors of the newest predictions, and draws."""
    newest = max(Path("predictions").glob("output_*.h5"), key=lambda file: int(file.stem.split("_")[1]))
    found = compare(Path("maps/test"), newest)
    median, most = np.quantile([one[0] for one in found], [0.5, 0.9])
    print(f"{newest}: relative L2 error of {len(found)} maps: median {median:.2%}, 90th percentile {most:.2%}")
    rows = []
    for _, nu, prediction, reference in (found[0], found[len(found) // 2], found[-1]):
        log = np.log(nu)
        off = 0.5 + 50 * (prediction - reference)
        rows.append(cv2.hconcat([colored(log, log.min(), log.max()), colored(prediction, 0, 1), colored(off, 0, 1)]))
    cv2.imwrite("picture.png", cv2.vconcat(rows))


if __name__ == "__main__":
    main()
