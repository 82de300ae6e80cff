"""Batches in a coarser resolution than that of their samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional

from rmldnn.steps import Batch

_LINEAR = {1: "linear", 2: "bilinear", 3: "trilinear"}


def coarse(batch: Batch, extent: int, *, nodes: bool) -> Batch:
    """A batch whose longest axis has an extent; the other axes follow in proportion.

    Args:
        batch: Inputs (n, C, *spatial); targets of any kind: dense ones are treated as inputs, class maps take the
            nearest place, and one number for each sample stays.
        extent: At most that of the batch.
        nodes: Whether numbers belong to nodes from border to border, between which is interpolated, or else to cells,
            which are averaged.

    Raises:
        ValueError: The batch is coarser already.
    """
    longest = max(batch.inputs.shape[2:], default=extent)
    if longest < extent:
        raise ValueError(f"samples have an extent of {longest}, fewer than {extent}")
    if longest == extent:
        return batch
    inputs = _values(batch.inputs, extent / longest, nodes=nodes)
    targets = batch.targets
    if targets is not None and targets.is_floating_point() and targets.ndim > 2:
        targets = inputs if targets is batch.inputs else _values(targets, extent / longest, nodes=nodes)
    elif targets is not None and targets.ndim > 1 and not targets.is_floating_point():
        targets = _classes(targets, extent / longest, nodes=nodes)
    return replace(batch, inputs=inputs, targets=targets)


def _extents(shape: Sequence[int], factor: float) -> list[int]:
    return [max(1, round(size * factor)) for size in shape]


def _values(tensor: Tensor, factor: float, *, nodes: bool) -> Tensor:
    size = _extents(tensor.shape[2:], factor)
    if nodes:
        return functional.interpolate(tensor, size, mode=_LINEAR[len(size)], align_corners=True)
    return functional.interpolate(tensor, size, mode="area")


def _classes(tensor: Tensor, factor: float, *, nodes: bool) -> Tensor:
    for axis, (old, new) in enumerate(zip(tensor.shape[1:], _extents(tensor.shape[1:], factor), strict=True), start=1):
        place = torch.arange(new, dtype=torch.float64)
        place = (place * (old - 1) / max(1, new - 1)).round() if nodes else (place + 0.5) * old / new
        tensor = tensor.index_select(axis, place.long().to(tensor.device))
    return tensor
