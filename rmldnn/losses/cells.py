"""Where the boxes are in the output of a YOLO network: cells of several scales, each with boxes about some anchors.

A scale cuts the picture into cells of equal size; the scales of a network halve it from one to the next. Each cell has
B boxes, each of 5 + C numbers: place and size, whether there is an object, and one number for each class, all raw. The
output is one tensor for each scale, or all scales one behind another, coarse before fine; as Keras has it:

- (rows, columns, B (5 + C)) or (rows, columns, B, 5 + C) for one scale,
- (cells of all scales, B (5 + C)) or (boxes of all scales, 5 + C).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeAlias

import torch
from torch import Tensor

from rmldnn.errors import ConfigError, Problem

Output: TypeAlias = "Tensor | Sequence[Tensor]"
Anchors: TypeAlias = Sequence[Sequence[float]]
"""Width and height in pixels, the small ones first; scales share them out, the coarsest has the last ones."""

NUMBERS = 5
"""Numbers of a box besides those of the classes."""
_ALL_SCALES = 3
"""Axes of a tensor that holds all scales."""
_LARGEST = 10.0
"""Boxes are at most e to this power times as large as their anchor: sums must stay finite."""


def scales(output: Output, extent: Sequence[int], anchors: Anchors) -> list[Tensor]:
    """The boxes of each scale, the coarsest first, as views (n, rows, columns, B, 5 + C).

    Args:
        output: Of the network, as rmldnn stores it: what Keras has as its last axis comes behind the batch.
        extent: Height and width of the pictures.
        anchors: Of all scales.

    Raises:
        ConfigError: Such an output has no boxes of these anchors.
    """
    if isinstance(output, Tensor):
        parts = _apart(output, extent, anchors) if output.ndim == _ALL_SCALES else [output]
    else:
        parts = sorted(output, key=lambda part: math.prod(part.shape[2:4]))
    count, rest = divmod(len(anchors), len(parts))
    found = []
    for part in parts:
        if part.ndim == _ALL_SCALES + 2:  # the boxes of a cell have an axis of their own, the last one
            part = part.movedim(-1, 1).flatten(1, 2)
        if rest or part.ndim != _ALL_SCALES + 1 or part.shape[1] % count or part.shape[1] // count <= NUMBERS:
            raise _strange([tuple(each.shape[1:]) for each in parts], len(anchors))
        cells = part.reshape(len(part), count, -1, *part.shape[2:])
        found.append(cells.permute(0, 3, 4, 1, 2))
    return found


def _apart(output: Tensor, extent: Sequence[int], anchors: Anchors) -> list[Tensor]:
    """The scales of one tensor (n, B (5 + C), cells) or (n, 5 + C, boxes), as (n, B (5 + C), rows, columns)."""
    channels, length = output.shape[1:]
    for count in (number for number in range(1, len(anchors) + 1) if len(anchors) % number == 0):
        for boxes in {1, len(anchors) // count}:  # that a column stands for
            grids = _grids(length / boxes, extent, count)
            if grids and channels % (len(anchors) // count // boxes) == 0:
                sizes = [rows * columns * boxes for rows, columns in grids]
                return [
                    part.reshape(*part.shape[:2], *grid, boxes).movedim(-1, 1).flatten(1, 2)
                    for part, grid in zip(torch.split(output, sizes, 2), grids, strict=True)
                ]
    raise _strange([(channels, length)], len(anchors))


def _grids(cells: float, extent: Sequence[int], count: int) -> list[tuple[int, int]]:
    """Rows and columns of each scale, if so many cells are those of `count` scales; else nothing."""
    coarsest = cells * 3 / (4**count - 1)
    stride = round(math.sqrt(extent[0] * extent[1] / coarsest))
    if not stride or extent[0] % stride or extent[1] % stride:
        return []
    rows, columns = extent[0] // stride, extent[1] // stride
    return [(rows << scale, columns << scale) for scale in range(count)] if rows * columns == coarsest else []


def _strange(shapes: Sequence[Sequence[int]], count: int) -> ConfigError:
    words = " and ".join(f"({', '.join(map(str, shape))})" for shape in shapes)
    return ConfigError(
        Problem(
            "loss.anchors",
            f"{count} anchors do not go with a network output of shape {words} (channels first): each scale needs as "
            "many, and each box of a cell 5 numbers and one for each class; give as many anchors as the network has "
            "boxes in a cell of each scale, and its input a size that all cells divide",
        )
    )


def anchors_of(anchors: Anchors, scale: int, found: Sequence[Tensor]) -> Tensor:
    """The anchors of a scale, (B, 2), in its type and on its device.

    Args:
        anchors: Of all scales.
        scale: Number of the scale, the coarsest is 0.
        found: All scales.
    """
    count = found[scale].shape[3]
    first = (len(found) - 1 - scale) * count
    return found[scale].new_tensor([list(pair) for pair in anchors[first : first + count]])


def corners(scale: Tensor, anchors: Tensor, extent: Sequence[int]) -> Tensor:
    """Left, top, right and bottom of every box in pixels, (n, rows, columns, B, 4).

    Args:
        scale: Shape (n, rows, columns, B, 5 + C).
        anchors: Of this scale, (B, 2).
        extent: Height and width of the pictures.
    """
    rows, columns = scale.shape[1:3]
    x = (scale[..., 0].sigmoid() + torch.arange(columns, device=scale.device)[:, None]) * (extent[1] / columns)
    y = (scale[..., 1].sigmoid() + torch.arange(rows, device=scale.device)[:, None, None]) * (extent[0] / rows)
    return around(torch.stack([x, y], -1), sizes(scale[..., 2:4], anchors))


def sizes(logarithms: Tensor, anchors: Tensor) -> Tensor:
    """Width and height in pixels."""
    return logarithms.clamp(max=_LARGEST).exp() * anchors


def around(middle: Tensor, size: Tensor) -> Tensor:
    """The corners of boxes (..., 4) around middles (..., 2)."""
    return torch.cat([middle - size / 2, middle + size / 2], -1)


def overlap(one: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
    """Intersection over union of boxes (..., 4), which are broadcast, and their union; 0 where both are empty."""
    common = intersection(one, other)
    union = area(one) + area(other) - common
    return common / union.where(union > 0, 1), union


def intersection(one: Tensor, other: Tensor) -> Tensor:
    """The area that boxes (..., 4), which are broadcast, have in common."""
    low, high = torch.maximum(one[..., :2], other[..., :2]), torch.minimum(one[..., 2:], other[..., 2:])
    return (high - low).clamp_min(0).prod(-1)


def area(boxes: Tensor) -> Tensor:
    """Of boxes (..., 4)."""
    return (boxes[..., 2:] - boxes[..., :2]).prod(-1)
