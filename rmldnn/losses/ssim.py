"""Structural similarity of images and volumes."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from rmldnn.component import component
from rmldnn.errors import ConfigError, Problem
from rmldnn.losses.reduction import alone, ratio, wide
from rmldnn.losses.target import dense
from rmldnn.types import Count, Positive, Total


@component("SSIM", title="SSIM (Structural Similarity)")
def ssim(
    output: Tensor,
    target: Tensor,
    total: Total = alone,
    *,
    data_range: Positive = 1.0,
    window: Count = 11,
    sigma: Positive = 1.5,
) -> Tensor:
    """1 minus the structural similarity, averaged over places, channels and samples.

    Wang et al., "Image quality assessment: from error visibility to structural similarity" (2004), with its Gaussian
    window, K1 = 0.01 and K2 = 0.03, in one, two or three dimensions. As there, only windows inside the image count.

    Args:
        output: Network output, shape (n, channels, *spatial).
        target: Dense target of the same shape.
        total: Sums a tensor over all processes.
        data_range: Largest minus smallest value that targets can have: 1 for pictures read as fractions of 255.
        window: Width of the window in pixels, no more than any extent.
        sigma: Standard deviation of the window in pixels.

    Raises:
        ConfigError: Target and output do not fit, there are no spatial axes, or the window is larger than the images.
    """
    if output.ndim == 2 or min(output.shape[2:]) < window:
        shape = " x ".join(map(str, output.shape[2:])) or "no"
        raise ConfigError(
            Problem(
                "loss.window",
                f"SSIM compares windows of {window} pixels along each axis, but outputs have {shape} pixels",
            )
        )
    x = wide(output)
    y = dense(x, target, "SSIM")
    # Variances are differences of squares, whose digits cancel where the mean is large: measure from the target's.
    offset = y.mean(tuple(range(2, y.ndim)), keepdim=True)
    x, y = x - offset, y - offset
    with torch.autocast(x.device.type, enabled=False):
        mean_x, mean_y, xx, yy, xy = _windowed(torch.cat([x, y, x * x, y * y, x * y], 1), window, sigma).chunk(5, 1)
    variances = xx - mean_x * mean_x + yy - mean_y * mean_y
    covariance = xy - mean_x * mean_y
    mean_x, mean_y = mean_x + offset, mean_y + offset
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    brightness = (2 * mean_x * mean_y + c1) / (mean_x * mean_x + mean_y * mean_y + c1)
    similarity = brightness * (2 * covariance + c2) / (variances + c2)
    return ratio((1 - similarity).sum(), similarity.numel(), total)


def _windowed(maps: Tensor, window: int, sigma: float) -> Tensor:
    """Gaussian means around every place whose window lies in the image, axis by axis.

    All that stands before an axis are groups of a convolution in two dimensions: that is several times as fast as
    one in three, and what torch computes in full float32, where a plain convolution may use TF32 on a GPU.
    """
    distance = torch.arange(window, dtype=maps.dtype, device=maps.device) - (window - 1) / 2
    bell = torch.exp(-(distance**2) / (2 * sigma**2))
    bell = (bell / bell.sum()).view(window, 1)
    for axis in range(2, maps.ndim):
        n, before, extent, after = len(maps), maps.shape[1:axis], maps.shape[axis], maps.shape[axis + 1 :]
        rows = math.prod(before)
        folded = maps.reshape(n, rows, extent, math.prod(after))
        means = F.conv2d(folded, bell.expand(rows, 1, window, 1), groups=rows)
        maps = means.view(n, *before, extent - window + 1, *after)
    return maps
