"""Brightness, contrast and gamma."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from rmldnn.component import component
from rmldnn.data.transform import Pixels
from rmldnn.data.transforms.photographic import RandomPhotographic, each, interval, shown, white
from rmldnn.errors import ConfigError, Problem
from rmldnn.types import NonNegative


@dataclass(frozen=True)
class _Factor(RandomPhotographic):
    """Draws a factor.

    Args:
        low: The smallest factor.
        high: The largest.
    """

    low: float
    high: float

    def factor(self, generator: np.random.Generator) -> float:
        """The factor of one sample."""
        return generator.uniform(self.low, self.high)

    def __str__(self) -> str:
        return shown(self.low, self.high)


class RandomBrightness(_Factor):
    """Multiplies by a factor."""

    name: ClassVar[str] = "random_brightness"

    def change(self, pixels: Pixels, generator: np.random.Generator) -> Pixels:
        """Brighter or darker."""
        factor = self.factor(generator)
        return each(pixels, lambda values: values * factor)


@component("random_brightness")
def random_brightness(*, amount: NonNegative | list[NonNegative]) -> RandomBrightness:
    """Multiplies training inputs by a random factor; targets stay as they are.

    Args:
        amount: The factor is drawn between 1 minus this (at least 0) and 1 plus this; a list gives the smallest and
            the largest factor.

    Raises:
        ConfigError: A list has not two numbers in order.
    """
    return RandomBrightness(*_factors("random_brightness", amount))


class RandomContrast(_Factor):
    """Spreads numbers about their mean."""

    name: ClassVar[str] = "random_contrast"

    def change(self, pixels: Pixels, generator: np.random.Generator) -> Pixels:
        """More or less contrast."""
        factor, mean = self.factor(generator), float(pixels.mean(dtype=np.float64))
        return each(pixels, lambda values: values * factor + mean * (1 - factor))


@component("random_contrast")
def random_contrast(*, amount: NonNegative | list[NonNegative]) -> RandomContrast:
    """Multiplies what distinguishes training inputs from their mean by a random factor; targets stay as they are.

    Args:
        amount: The factor is drawn between 1 minus this (at least 0) and 1 plus this; a list gives the smallest and
            the largest factor.

    Raises:
        ConfigError: A list has not two numbers in order.
    """
    return RandomContrast(*_factors("random_contrast", amount))


class RandomGamma(_Factor):
    """Raises to a power."""

    name: ClassVar[str] = "random_gamma"

    def change(self, pixels: Pixels, generator: np.random.Generator) -> Pixels:
        """Middle tones brighter or darker."""
        power = self.factor(generator)
        if pixels.dtype.kind == "u":
            low, span = 0.0, white(pixels)
        else:
            low = float(pixels.min())
            span = float(pixels.max()) - low
        if not span > 0:
            return pixels
        # The bounds catch what rounding leaves below the smallest number.
        return each(pixels, lambda values: ((values - low) / span).clip(0, 1) ** power * span + low)


@component("random_gamma")
def random_gamma(*, amount: NonNegative | list[NonNegative]) -> RandomGamma:
    """Raises training inputs, scaled to [0, 1], to a random power; targets stay as they are.

    The scale runs from black to white for unsigned integers, and from the smallest to the largest number of the sample
    for all others.

    Args:
        amount: The power is drawn between 1 minus this and 1 plus this; a list gives the smallest and the largest.

    Raises:
        ConfigError: The smallest power is not above 0, or a list has not two numbers in order.
    """
    low, high = interval("random_gamma", list(amount) if isinstance(amount, list) else amount, around=1.0)
    if low <= 0:
        message = f"draws powers from {low:g} to {high:g}; powers must be above 0: give a number below 1"
        raise ConfigError(Problem("data.transforms.random_gamma", message))
    return RandomGamma(low, high)


def _factors(name: str, amount: float | list[float]) -> tuple[float, float]:
    low, high = interval(name, amount, around=1.0)
    return max(low, 0.0), high
