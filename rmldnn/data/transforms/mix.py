"""Training samples mixed with each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from rmldnn.component import component
from rmldnn.errors import ConfigError, Problem
from rmldnn.types import Positive

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Mixup:
    """Blends samples; see `MixTransform`.

    Args:
        alpha: Of the Beta distribution of weights.
    """

    alpha: float

    name: ClassVar[str] = "mixup"

    def mix(
        self,
        samples: Tensor,
        partners: Tensor,
        generators: Sequence[np.random.Generator],
        extent: Sequence[int],  # noqa: ARG002
    ) -> Tensor:
        """The sum of weight * sample and (1 - weight) * partner, with a weight for each sample.

        Raises:
            ConfigError: Samples are class indices, which have no blend.
        """
        _require_floats(samples, self.name, "; `cutmix` takes them")
        return _blended(samples, partners, [generator.beta(self.alpha, self.alpha) for generator in generators])

    def __str__(self) -> str:
        return f"{self.alpha:g}"


@component("mixup")
def mixup(*, alpha: Positive) -> Mixup:
    """Blends every training sample, and its target, with another one; needs a loss for blended targets (NLL, MSE, BCE).

    Args:
        alpha: Weights follow the Beta distribution of alpha and alpha: small ones leave most samples nearly alone,
            1 makes all weights equally probable.
    """
    return Mixup(alpha)


@dataclass(frozen=True)
class Cutmix:
    """Pastes a window of another sample; see `MixTransform`.

    Args:
        alpha: Of the Beta distribution of the part that stays.
    """

    alpha: float

    name: ClassVar[str] = "cutmix"

    def mix(
        self, samples: Tensor, partners: Tensor, generators: Sequence[np.random.Generator], extent: Sequence[int]
    ) -> Tensor:
        """Samples with a window of their partners, or blended by the areas if they do not have the inputs' extent.

        Raises:
            ConfigError: Samples are class indices of another extent than the inputs.
        """
        windows = [self._window(generator, extent) for generator in generators]
        leading = 2 if samples.is_floating_point() else 1  # samples and channels, or samples
        if tuple(samples.shape[leading:]) != tuple(extent):
            _require_floats(samples, self.name, " where masks have another size than inputs; give both one size")
            return _blended(samples, partners, [1 - _part(window, extent) for window in windows])
        mixed = samples.clone()
        for index, window in enumerate(windows):
            inside: tuple[Any, ...] = (..., *window)
            mixed[index][inside] = partners[index][inside]
        return mixed

    def _window(self, generator: np.random.Generator, extent: Sequence[int]) -> tuple[slice, ...]:
        """A window of the sample's proportions around a centre that is anywhere, cut off at the borders."""
        pasted = 1 - generator.beta(self.alpha, self.alpha)
        centres = generator.random(len(extent))
        side = pasted ** (1 / len(extent))
        slices = []
        for size, centre in zip(extent, centres, strict=True):
            half, middle = side * size / 2, centre * size
            slices.append(slice(round(max(middle - half, 0)), round(min(middle + half, size))))
        return tuple(slices)

    def __str__(self) -> str:
        return f"{self.alpha:g}"


@component("cutmix")
def cutmix(*, alpha: Positive) -> Cutmix:
    """Pastes a window of another sample into every training sample; classes are weighted by areas, masks pasted alike.

    Args:
        alpha: The part that stays, before the window is cut off at borders, follows the Beta distribution of alpha and
            alpha.
    """
    return Cutmix(alpha)


def _part(window: Sequence[slice], extent: Sequence[int]) -> float:
    """The part of the extent that a window covers."""
    return float(np.prod([(cut.stop - cut.start) / size for cut, size in zip(window, extent, strict=True)]))


def _blended(samples: Tensor, partners: Tensor, weights: Sequence[float]) -> Tensor:
    factors = samples.new_tensor(weights).view(-1, *[1] * (samples.ndim - 1))
    return partners.lerp(samples, factors)


def _require_floats(samples: Tensor, name: str, remedy: str) -> None:
    if not samples.is_floating_point():
        message = f"cannot blend targets that are class indices{remedy}"
        raise ConfigError(Problem(f"data.transforms.{name}", message))
