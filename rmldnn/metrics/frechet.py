"""The Fréchet distance of two sets of features, each taken for normally distributed (Heusel et al. 2017)."""

from __future__ import annotations

import torch
from torch import Tensor


def moments(features: Tensor) -> Tensor:
    """What adds up over sets: the number of samples, the sum of their features, and that of their products.

    Args:
        features: Shape (n, d).

    Returns:
        Shape (1 + d + d^2,), float64.
    """
    wide = features.double()
    return torch.cat([wide.new_full((1,), len(wide)), wide.sum(0), (wide.T @ wide).flatten()])


def frechet(one: Tensor, other: Tensor) -> Tensor:
    """|m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)), a scalar, float64; no number of fewer than two samples.

    The trace of the root is the sum of the singular values of C1^(1/2) C2^(1/2).

    Args:
        one: Moments of a set.
        other: Those of another set.
    """
    (mean, covariance), (other_mean, other_covariance) = _normal(one), _normal(other)
    if not (covariance.isfinite().all() and other_covariance.isfinite().all()):
        return mean.new_full((), torch.nan)
    mixed = torch.linalg.svdvals(_root(covariance).T @ _root(other_covariance)).sum()
    distance = (mean - other_mean).square().sum() + covariance.trace() + other_covariance.trace() - 2 * mixed
    return distance.clamp(min=0)  # type: ignore[no-any-return]


def _root(covariance: Tensor) -> Tensor:
    """A matrix R of which R R^T is the covariance."""
    values, vectors = torch.linalg.eigh(covariance)
    return vectors * values.clamp(min=0).sqrt()  # type: ignore[no-any-return]


def _normal(sums: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and covariance, without bias."""
    size = round((len(sums) - 0.75) ** 0.5 - 0.5)
    count, total, products = sums[0], sums[1 : 1 + size], sums[1 + size :].reshape(size, size)
    mean = total / count
    return mean, (products - count * torch.outer(mean, mean)) / (count - 1)
