"""Lovász losses: convex surrogates of the Jaccard index."""

from __future__ import annotations

import torch
from torch import Tensor

from rmldnn.component import component
from rmldnn.losses.reduction import alone, ratio, wide
from rmldnn.losses.source import SCORES, log_yes_and_no, probabilities
from rmldnn.losses.target import sets
from rmldnn.types import Source, Total


@component("Lovasz")
def lovasz(
    output: Tensor,
    target: Tensor,
    total: Total = alone,
    *,
    source: Source | None = None,
    ignore_index: int | None = None,
) -> Tensor:
    """The Lovász extension of 1 minus the Jaccard index: of the probabilities' errors, or of hinge errors.

    Berman et al., "The Lovász-softmax loss" (2018). Of several classes the errors are |t - p|, and the loss is the mean
    over the classes that are there; of one output they are 1 - y f, with f its score and y = 1 or -1: the Lovász
    hinge. Errors of a sample are sorted, so the loss is taken for each sample, the paper's `per_image`, and then
    averaged over samples: the only form that does not depend on how a batch is shared out.

    Args:
        output: Network output, shape (n, channels, *spatial).
        target: Class indices (n, *spatial) or (n, 1, *spatial), 0 and 1 for a network of one output; or of the output's
            shape, where a place belongs to a channel above 0.5.
        total: Sums a tensor over all processes.
        source: Activation that the network ends in, the network's own if absent: `softmax` and `sigmoid` give
            probabilities, `log_softmax` their logarithms, `linear` and `none` scores.
        ignore_index: Class index of places that count for nothing; neither do samples without any other place.

    Raises:
        ConfigError: Target and output do not fit, or `ignore_index` meets targets without indices.
    """
    one = output.shape[1] == 1
    values = _scores(output, source) if one else probabilities(output, source)
    members, counted = sets(values, target, "Lovasz", ignore_index)
    members, values = _flat(members if members.dtype is torch.bool else members > 0.5), _flat(values)
    counted = torch.ones_like(members[:, :1]) if counted is None else _flat(counted)
    errors = 1 - values.where(members, -values) if one else (values - members.to(values.dtype)).abs()
    with torch.no_grad():
        slopes = torch.stack([_slopes(errors[:, c], members[:, c], counted[:, 0]) for c in range(errors.shape[1])], 1)
        there = torch.ones_like(slopes[..., 0]) if one else members.any(2).to(slopes.dtype)
    losses = (errors.relu() * slopes).sum(2)
    losses = (losses * there).sum(1) / there.sum(1).clamp_min(1)
    return ratio(losses.sum(), counted.any(2).sum(), total)


def _flat(tensor: Tensor) -> Tensor:
    """(n, channels, places), also of an output without spatial axes."""
    return tensor.unsqueeze(-1).flatten(2)


def _scores(output: Tensor, source: Source | None) -> Tensor:
    if source in SCORES:
        return wide(output)
    yes, no = log_yes_and_no(output, source)
    return yes - no


def _slopes(errors: Tensor, members: Tensor, counted: Tensor) -> Tensor:
    """The gradient of the Lovász extension by the errors of one class, where these lie; all (n, places).

    The paper takes differences of neighbouring values of the Jaccard loss, whose digits cancel among many places. Here
    they are formulas: a member lets the intersection I shrink by 1, another place lets the union U grow by 1, so the
    Jaccard loss 1 - I / U grows by 1 / U or by I / (U (U - 1)).
    """
    order = errors.where(counted, -torch.inf).argsort(dim=1, descending=True, stable=True)
    members = (members & counted).gather(1, order)
    size = members.sum(1, keepdim=True)
    intersection = (size - members.cumsum(1)).to(errors.dtype)
    union = (size + (~members).cumsum(1)).to(errors.dtype)
    growth = torch.where(members, 1, intersection / (union - 1).clamp_min(1)) / union
    growth[:, :1] = growth[:, :1].where(size > 0, 1)  # of nothing, any first place is the whole union
    return torch.empty_like(growth).scatter_(1, order, growth) * counted
