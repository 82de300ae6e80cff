"""Fields on regular grids of the unit interval, square or cube: differences, values between nodes, coordinates.

Tensors are (samples, channels, *space), nodes from 0 to 1 along each axis, which is n nodes 1 / (n - 1) apart. Axes are
those of the tensor. In a cell, a field is linear along each axis (bilinear, trilinear elements).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

_GAUSS = (1 - 1 / math.sqrt(3)) / 2
"""Where the first of two Gauss points lies in a cell; the second lies as far from the other end."""


def coordinate(field: Tensor, axis: int) -> Tensor:
    """The coordinate along an axis, from 0 to 1, of a shape that broadcasts with the field's."""
    line = torch.linspace(0, 1, field.shape[axis], dtype=field.dtype, device=field.device)
    return line.view(-1, *[1] * (field.ndim - 1 - axis))


def inner(field: Tensor, axis: int) -> Tensor:
    """The field without the first and the last node of an axis."""
    return field.narrow(axis, 1, field.shape[axis] - 2)


def slope(field: Tensor, axis: int) -> Tensor:
    """The derivative along an axis in each cell, where it is constant along that axis."""
    return field.diff(dim=axis) * (field.shape[axis] - 1)


def middle(field: Tensor, axis: int) -> Tensor:
    """The field half-way between neighbours along an axis."""
    low, high = _neighbours(field, axis)
    return (low + high) / 2


def gauss(field: Tensor, axis: int) -> Tensor:
    """The field at the two Gauss points of each cell along an axis: the first of all cells, then the second."""
    low, high = _neighbours(field, axis)
    step = (high - low) * _GAUSS
    return torch.cat([low + step, high - step], axis)


def mean_square_slope(field: Tensor, coefficient: Tensor) -> Tensor:
    r"""The integral of $c |\nabla u|^2$ over the domain, for each sample and exact for the elements.

    Two Gauss points along each axis are exact for polynomials of degree 3. Along the axis of a derivative the integrand
    is only linear, and one point gives the same.

    Args:
        field: $u$, shape (n, channels, *space).
        coefficient: $c$, shape (n, 1, *space).
    """
    energies = []
    for axis in range(2, field.ndim):
        derivative, weight = slope(field, axis), middle(coefficient, axis)
        for other in range(2, field.ndim):
            if other != axis:
                derivative, weight = gauss(derivative, other), gauss(weight, other)
        energies.append((weight * derivative.square()).flatten(1).mean(1) * field.shape[1])
    return torch.stack(energies).sum(0)


def mean_product(*fields: Tensor) -> Tensor:
    """The integral of a product of two or three fields of one channel over the domain, for each sample."""
    product: Tensor | None = None
    for field in fields:
        for axis in range(2, field.ndim):
            field = gauss(field, axis)
        product = field if product is None else product * field
    assert product is not None  # noqa: S101 - there are fields
    return product.flatten(1).mean(1)


def divergence(flux: Tensor, axis: int) -> Tensor:
    """What flows out of the cell around each node along an axis: no flux passes the ends, whose cells are halves."""
    none = torch.zeros_like(flux.narrow(axis, 0, 1))
    out = torch.cat([none, flux, none], axis).diff(dim=axis) * flux.shape[axis]  # fluxes lie between nodes
    first, last = out.narrow(axis, 0, 1), out.narrow(axis, flux.shape[axis], 1)
    return torch.cat([2 * first, inner(out, axis), 2 * last], axis)


def second_difference(field: Tensor, axis: int) -> Tensor:
    """The second derivative at each node; beyond the ends the field is its mirror image, as it is without flux."""
    n = field.shape[axis]
    mirrored = torch.cat([field.narrow(axis, 1, 1), field, field.narrow(axis, n - 2, 1)], axis)
    return mirrored.diff(2, dim=axis) * (n - 1) ** 2


def _neighbours(field: Tensor, axis: int) -> tuple[Tensor, Tensor]:
    count = field.shape[axis] - 1
    return field.narrow(axis, 0, count), field.narrow(axis, 1, count)
