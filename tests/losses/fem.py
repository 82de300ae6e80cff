"""Finite elements in float64 and sparse matrices, written apart from the package: an independent reference."""

import itertools

import numpy as np
import scipy.sparse
import scipy.sparse.linalg


def stiffness(coefficient):
    """The matrix of the integral of c grad u . grad v, nodes in C order; multilinear elements, two Gauss points."""
    shape = coefficient.shape
    axes = len(shape)
    spacing = 1 / (np.array(shape) - 1)
    corners = list(itertools.product((0, 1), repeat=axes))
    cells = np.stack(np.meshgrid(*[np.arange(n - 1) for n in shape], indexing="ij"), -1).reshape(-1, axes)
    nodes = np.stack([np.ravel_multi_index((cells + corner).T, shape) for corner in corners], 1)
    local = np.zeros((len(cells), len(corners), len(corners)))
    for point in itertools.product((0.5 - 12**-0.5, 0.5 + 12**-0.5), repeat=axes):
        factors = np.array([[s if bit else 1 - s for bit, s in zip(corner, point, strict=True)] for corner in corners])
        value = factors.prod(1)
        gradient = np.stack(
            [
                (2 * np.array(corners)[:, axis] - 1) * np.delete(factors, axis, 1).prod(1) / spacing[axis]
                for axis in range(axes)
            ],
            1,
        )
        at_point = coefficient.reshape(-1)[nodes] @ value
        local += at_point[:, None, None] * (gradient @ gradient.T) * spacing.prod() / 2**axes
    rows, columns = np.repeat(nodes, len(corners), 1), np.tile(nodes, len(corners))
    size = coefficient.size
    return scipy.sparse.coo_matrix((local.reshape(-1), (rows.reshape(-1), columns.reshape(-1))), (size, size)).tocsr()


def poisson(coefficient):
    """The solution that is 1 on the first face and 0 on the last, and its energy."""
    matrix = stiffness(np.asarray(coefficient, np.float64))
    solution = np.zeros(coefficient.shape)
    solution[0] = 1
    free = np.zeros(coefficient.shape, bool)
    free[1:-1] = True
    free = free.reshape(-1)
    flat = solution.reshape(-1)
    flat[free] = scipy.sparse.linalg.spsolve(matrix[free][:, free].tocsc(), -(matrix @ flat)[free])
    return solution, float(flat @ (matrix @ flat))


def relative_errors(found, solutions):
    """The relative L2 distance of each field."""
    pairs = zip(found, solutions, strict=True)
    return np.array([np.linalg.norm(own - other) / np.linalg.norm(other) for own, other in pairs])
