"""Mean squared error."""

from __future__ import annotations

import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from rmldnn.component import component
from rmldnn.losses.reduction import alone, mean, wide
from rmldnn.losses.target import dense
from rmldnn.types import Total


@component("MSE", title="MSE (Mean Squared Error)")
def mse(output: Tensor, target: Tensor, total: Total = alone) -> Tensor:
    """The mean over all elements of the squared difference.

    Args:
        output: Network output, shape (n, channels, *spatial).
        target: Dense target of the same shape. Class indices (n, *spatial) are taken as one-hot vectors if the network
            has several outputs, and as numbers if it has one.
        total: Sums a tensor over all processes.

    Raises:
        ConfigError: Target and output do not fit.
    """
    output = wide(output)
    return mean(F.mse_loss, output, dense(output, target, "MSE"), total)
