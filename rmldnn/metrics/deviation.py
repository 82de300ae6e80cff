"""How far outputs are from dense targets: MAE, PSNR, SSIM."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from rmldnn.component import component
from rmldnn.errors import ConfigError, Problem
from rmldnn.losses.reduction import wide
from rmldnn.losses.target import dense
from rmldnn.metrics.extra import torchmetrics
from rmldnn.metrics.reading import Reading, require_axes
from rmldnn.types import Positive

_WINDOW = 11
"""Extent of the Gaussian window of SSIM."""


@dataclass(frozen=True)
class Deviation:
    """Sums of |output - target| ** power over all elements, and their number; shape (2,)."""

    power: int

    def sums(self, output: Tensor, target: Tensor) -> Tensor:
        """The sums of a batch."""
        difference = _difference(output, target, "the metric")
        return _pair(difference.abs().pow(self.power).sum(), difference.numel())


@dataclass(frozen=True)
class Mae:
    """The mean absolute error over all elements."""

    counter: Deviation
    name: str = "MAE"

    def values(self, sums: Tensor) -> dict[str, Tensor]:
        """One number."""
        return {self.name: sums[0] / sums[1]}


@component("MAE", title="MAE (Mean Absolute Error)")
def mae(_reading: Reading) -> Mae:
    """The mean over all elements of the absolute difference."""
    return Mae(Deviation(1))


@dataclass(frozen=True)
class Psnr:
    """The logarithm of the squared range over the mean squared error of all elements."""

    counter: Deviation
    data_range: float
    name: str = "PSNR"

    def values(self, sums: Tensor) -> dict[str, Tensor]:
        """One number, in decibel; infinite without any error."""
        return {self.name: 10 * (self.data_range**2 * sums[1] / sums[0]).log10()}


@dataclass(frozen=True)
class SamplePsnr:
    """The mean over samples of what `Psnr` is for one; its own counter."""

    data_range: float
    name: str = "PSNR"

    @property
    def counter(self) -> SamplePsnr:
        """Itself."""
        return self

    def sums(self, output: Tensor, target: Tensor) -> Tensor:
        """Sum over samples, and their number."""
        error = _difference(output, target, self.name).square().flatten(1).mean(1)
        return _pair((10 * (self.data_range**2 / error).log10()).sum(), len(error))

    def values(self, sums: Tensor) -> dict[str, Tensor]:
        """One number, in decibel."""
        return {self.name: sums[0] / sums[1]}


@component("PSNR", title="PSNR (Peak Signal-to-Noise Ratio)")
def psnr(
    _reading: Reading, *, data_range: Positive = 1.0, average: Literal["set", "sample"] = "set"
) -> Psnr | SamplePsnr:
    """10 log10(data_range ** 2 / mean squared error), in decibel.

    Args:
        data_range: Largest minus smallest value that targets can have: 1 for pictures as they are read.
        average: `set` takes the error of all samples together, `sample` averages the ratios of samples.
    """
    return SamplePsnr(data_range) if average == "sample" else Psnr(Deviation(2), data_range)


@dataclass(frozen=True)
class Ssim:
    """The mean over samples of the structural similarity, by torchmetrics; its own counter."""

    data_range: float
    name: str = "SSIM"

    @property
    def counter(self) -> Ssim:
        """Itself."""
        return self

    def sums(self, output: Tensor, target: Tensor) -> Tensor:
        """Sum over samples, and their number."""
        require_axes(output, self.name, (2, 3))
        if min(output.shape[2:]) <= _WINDOW // 2:
            message = f"SSIM needs at least {_WINDOW // 2 + 1} pixels along each axis, got {tuple(output.shape[2:])}"
            raise ConfigError(Problem("metrics", f"{message}; remove it"))
        output = wide(output)
        target = dense(output, target, self.name)
        if not len(output):
            return _pair(output.new_zeros(()), 0)
        similarity = torchmetrics().functional.image.structural_similarity_index_measure
        each = similarity(output, target, reduction="none", data_range=self.data_range)
        return _pair(each.double().sum(), len(each))

    def values(self, sums: Tensor) -> dict[str, Tensor]:
        """One number."""
        return {self.name: sums[0] / sums[1]}


@component("SSIM", title="SSIM (Structural Similarity)")
def ssim(_reading: Reading, *, data_range: Positive = 1.0) -> Ssim:
    """The structural similarity of each sample, averaged over places, channels and samples.

    Wang et al., Image Quality Assessment, 2004, with a Gaussian window of 11 pixels and standard deviation 1.5; of
    pictures and volumes.

    Args:
        data_range: Largest minus smallest value that targets can have: 1 for pictures as they are read.
    """
    torchmetrics()
    return Ssim(data_range)


def _difference(output: Tensor, target: Tensor, metric: str) -> Tensor:
    output = output.double()
    return output - dense(output, target, metric)


def _pair(total: Tensor, number: int) -> Tensor:
    return torch.stack([total.double(), total.new_full((), number, dtype=torch.float64)])
