"""Random maps of a diffusivity: the exponential of a sum of smooth functions with random weights.

The functions are those into which Karhunen and Loève decompose a random field on the unit interval whose covariance
falls off exponentially over the length eta; see R. G. Ghanem, P. D. Spanos, Stochastic Finite Elements (1991), 2.3.3.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_HALVINGS = 80
"""Of an interval, until nothing is left of it in 64 bits."""
_WEIGHT = 3.0
"""The largest weight of a term."""


def roots(eta: float, count: int) -> NDArray[np.float64]:
    r"""The first positive roots of $(\eta^2 \omega^2 - 1) \sin \omega = 2 \eta \omega \cos \omega$.

    With $\theta = \arctan(1 / \eta\omega)$ this is $\sin(\omega - 2 \theta) = 0$, so the root of number $i$ is that of
    $\omega - 2 \arctan(1 / \eta\omega) = (i - 1) \pi$, whose left side grows.

    Args:
        eta: Length of correlation, greater than 0.
        count: How many.
    """
    turns = math.pi * np.arange(count)
    low, high = turns, turns + math.pi
    for _ in range(_HALVINGS):
        half = (low + high) / 2
        below = half - 2 * np.arctan2(1, eta * half) < turns
        low, high = np.where(below, half, low), np.where(below, high, half)
    return (low + high) / 2


def modes(size: int, eta: float, count: int) -> NDArray[np.float64]:
    r"""The functions $\sqrt\lambda_i (\eta \omega_i \cos \omega_i s + \sin \omega_i s)$ on a grid.

    With $\lambda_i = 2 \eta / (1 + \eta^2 \omega_i^2)$.

    Args:
        size: Nodes from s = 0 to s = 1.
        eta: Length of correlation.
        count: How many functions.

    Returns:
        Shape (count, size).
    """
    omega = roots(eta, count)[:, None]
    s = np.linspace(0, 1, size)
    scale: NDArray[np.float64] = np.sqrt(2 * eta / (1 + (eta * omega) ** 2))
    return scale * (eta * omega * np.cos(omega * s) + np.sin(omega * s))


def diffusivity(axes: Sequence[NDArray[np.float64]], seed: int, index: int) -> NDArray[np.float32]:
    r"""A map $\exp(\sum_i a_i \prod \varphi_i)$ with weights $a_i$ from -3 to 3, drawn evenly.

    Args:
        axes: The modes along each axis, shape (terms, nodes).
        seed: Of all maps.
        index: Number of the map; its numbers depend on nothing but this and the seed.

    Returns:
        Shape (1, *nodes).
    """
    key = np.array([seed, index], np.uint64)
    sums = np.random.Generator(np.random.Philox(key=key)).uniform(-_WEIGHT, _WEIGHT, len(axes[0]))
    for axis in axes[:-1]:
        sums = sums[..., None] * axis.reshape(len(axis), *[1] * (sums.ndim - 1), -1)
    flat = sums.reshape(len(sums), -1)  # the last axis and the sum over terms are one product of matrices
    logarithm = (flat.T @ axes[-1]).reshape(*sums.shape[1:], -1)
    return np.exp(logarithm, out=logarithm).astype(np.float32)[None]
