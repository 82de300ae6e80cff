"""Normalisation with given statistics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from rmldnn.component import component
from rmldnn.data.affine import Affine
from rmldnn.errors import ConfigError, Problem
from rmldnn.types import Positive


@dataclass(frozen=True)
class Normalize:
    """Subtracts a mean and divides by a standard deviation; see `BatchTransform`.

    Args:
        mean: One value, or one per channel.
        std: One value, or one per channel.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]

    name: ClassVar[str] = "normalize"

    @property
    def affine(self) -> Affine:
        """(x - mean) / std as a map."""
        divide = Affine(tuple(1 / value for value in self.std))
        return divide.after(Affine(shift=tuple(-value for value in self.mean)))

    def __str__(self) -> str:
        return f"mean: {_text(self.mean)}, std: {_text(self.std)}"


@component("normalize")
def normalize(*, mean: float | list[float] = 0.0, std: Positive | list[Positive] = 1.0) -> Normalize:
    """Maps x to (x - mean) / std, after all other transforms, on values in [0, 1], wherever it stands in the list.

    Args:
        mean: One value, or one per channel in the order of the channels.
        std: One value, or one per channel.

    Raises:
        ConfigError: `mean` and `std` are for different numbers of channels.
    """
    means = tuple(mean) if isinstance(mean, list) else (mean,)
    stds = tuple(std) if isinstance(std, list) else (std,)
    if not means or not stds or (len(means) != len(stds) and min(len(means), len(stds)) > 1):
        raise ConfigError(
            Problem(
                "data.transforms.normalize",
                f"`mean` has {len(means)} values and `std` has {len(stds)}; give one value, or one per channel",
            )
        )
    return Normalize(means, stds)


def _text(values: tuple[float, ...]) -> str:
    texts = [f"{value:g}" for value in values]
    return texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
