"""Elastic deformation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from rmldnn.component import component
from rmldnn.data.transforms.geometric import RandomGeometric
from rmldnn.data.transforms.motion import Extent, Warp, control_points
from rmldnn.errors import ConfigError, Problem
from rmldnn.types import Positive

_FOLDS = 0.4
"""A B-spline of three axes folds space where displacements reach this part of the distance of its control points."""


@dataclass(frozen=True)
class RandomElastic(RandomGeometric):
    """Displaces pixels smoothly.

    Args:
        strength: Largest displacement along an axis, in pixels.
        smoothness: Distance of control points, in pixels.
    """

    strength: float
    smoothness: float

    name: ClassVar[str] = "random_elastic"
    whole_pixels: ClassVar[bool] = True

    def motion(self, extent: Extent, generator: np.random.Generator) -> Warp:
        """Control points are displaced independently of each other, uniformly."""
        counts = control_points(extent, self.smoothness)
        controls = generator.uniform(-self.strength, self.strength, (len(extent), *counts))
        return Warp(extent, self.smoothness, controls)

    def __str__(self) -> str:
        return f"strength: {self.strength:g}, smoothness: {self.smoothness:g}"


@component("random_elastic")
def random_elastic(*, strength: Positive, smoothness: Positive) -> RandomElastic:
    """Deforms training samples smoothly: a cubic B-spline through randomly displaced control points.

    Args:
        strength: No pixel is displaced further than this along an axis, in pixels.
        smoothness: Distance between control points in pixels; from one to the next, displacements change completely.

    Raises:
        ConfigError: The strength is so large that the sample could be folded.
    """
    if strength > _FOLDS * smoothness:
        raise ConfigError(
            Problem(
                "data.transforms.random_elastic",
                f"`strength` {strength:g} with `smoothness` {smoothness:g} could fold samples; give a strength of at "
                f"most {_FOLDS * smoothness:g}, or a smoothness of at least {strength / _FOLDS:g}",
            )
        )
    return RandomElastic(strength, smoothness)
