"""The loss of YOLO, third version; Redmon and Farhadi, 2018."""

# ruff: noqa: B006 - defaults of components are literals, which nobody changes

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from rmldnn.component import component
from rmldnn.errors import ConfigError, Problem
from rmldnn.losses import cells
from rmldnn.losses.cells import NUMBERS, Output
from rmldnn.losses.reduction import alone, ratio, wide
from rmldnn.losses.target import moved
from rmldnn.types import Fraction, NonNegative, Positive, Total

_NONE = -1
"""The class of what is no object, as of `data.boxes`; below it are those of crowds."""
_PAIR = 2
_AXES, _COLUMNS = 3, 5
_AT_ONCE = 16
"""Objects that are compared with all boxes at a time."""
_LEAST = 1e-3
"""Pixels that sides of an object count as at least: transforms may leave hardly any of one, and logarithms must stay
finite."""


@component("YOLOv3", title="YOLOv3 (boxes, objects and classes)")
class YoloV3:
    """What boxes, objects and classes are wrong by, summed over each picture; the mean over pictures.

    An object belongs to the cell in which its middle lies, and there to the anchor whose shape is nearest to its own,
    over all scales. That box learns place, size, object and class; all other boxes learn that there is no object,
    unless they overlap one by more than `ignore_threshold`, or so large a part of them lies on a crowd. Objects and
    classes are yes or no (binary cross entropy).
    With `"box": "mse"` place and size cost half their squared errors, in cells and in logarithms of the anchor; with
    `ciou` they cost 1 - CIoU (Zheng and others, 2020). Both weigh small boxes up to twice as much as large ones, by 2
    - area of the box / area of the picture.

    Args:
        anchors: Width and height in pixels of the boxes that cells start from, the small ones first; scales share them
            out, the coarsest has the last ones. Those of COCO at 416 x 416 by default; `rmldnn anchors` finds others.
        ignore_threshold: Intersection over union with an object above which a box need not deny that there is one; with
            a crowd, intersection over the area of the box.
        box: How place and size are judged.
        box_weight: Weight of place and size.
        object_weight: Weight of boxes that have an object.
        background_weight: Weight of boxes that have none.
        class_weight: Weight of the classes.

    Raises:
        ConfigError: Anchors are no pairs, or do not go with the output; a class has no output.
    """

    def __init__(
        self,
        *,
        anchors: list[list[Positive]] = [
            [10, 13], [16, 30], [33, 23], [30, 61], [62, 45], [59, 119], [116, 90], [156, 198], [373, 326],
        ],
        ignore_threshold: Fraction = 0.5,
        box: Literal["mse", "ciou"] = "mse",
        box_weight: NonNegative = 1.0,
        object_weight: NonNegative = 1.0,
        background_weight: NonNegative = 1.0,
        class_weight: NonNegative = 1.0,
    ) -> None:  # fmt: skip
        if not anchors or any(len(pair) != _PAIR for pair in anchors):
            message = "must list pairs of width and height, such as [[10, 13], [16, 30], [33, 23]]"
            raise ConfigError(Problem("loss.anchors", message))
        self.anchors = anchors
        self.ignore_threshold = ignore_threshold
        self.box = box
        self.weights = box_weight, object_weight, background_weight, class_weight

    def __call__(self, output: Output, target: Tensor, total: Total = alone) -> Tensor:
        """The loss.

        Args:
            output: Network output, one tensor or one for each scale; see `losses.cells`.
            target: Boxes, shape (n, 1 + most, 5); see `data.boxes`. The first one is the frame.
            total: Sums a tensor over all processes; called once.

        Raises:
            ConfigError: Anchors do not go with the output, or a class has no output.
        """
        if target.ndim != _AXES or target.shape[-1] != _COLUMNS:
            message = (
                f"YOLOv3 needs boxes, of target types `coco` or `yolo`; this target has shape {tuple(target.shape)}"
            )
            raise ConfigError(Problem("loss", message))
        parts = [wide(part) for part in ([output] if isinstance(output, Tensor) else output)]
        if not len(target):
            return ratio(torch.stack([part.sum() for part in parts]).sum(), 0, total)
        extent = int(target[0, 0, 4]), int(target[0, 0, 3])
        scales = cells.scales(parts[0] if isinstance(output, Tensor) else parts, extent, self.anchors)
        boxes = _trimmed(target[:, 1:])
        _require_classes(boxes, scales[0].shape[-1] - NUMBERS)
        cost = self._cost(scales, boxes.to(scales[0].dtype), extent)
        return ratio(cost, len(target), total)

    def _cost(self, scales: Sequence[Tensor], boxes: Tensor, extent: tuple[int, int]) -> Tensor:
        """The loss of all pictures, summed."""
        size = boxes[..., 3:] - boxes[..., 1:3]
        anchors = size.new_tensor([list(pair) for pair in self.anchors])
        common = torch.minimum(size[..., None, :], anchors).prod(-1)
        union = (size.prod(-1)[..., None] + anchors.prod(-1) - common).clamp_min(1e-9)
        best = (common / union).argmax(-1)
        real = boxes[..., 0] > _NONE
        device = scales[0].device
        everything = moved(boxes, device)
        costs = []
        for number, scale in enumerate(scales):
            count = scale.shape[3]
            first = (len(scales) - 1 - number) * count
            picture, which = (real & (best >= first) & (best < first + count)).nonzero(as_tuple=True)
            found = boxes[picture, which]
            step = found.new_tensor([extent[1] / scale.shape[2], extent[0] / scale.shape[1]])
            place = (found[:, 1:3] + found[:, 3:]) / 2 / step
            last = place.new_tensor([scale.shape[2] - 1, scale.shape[1] - 1])
            cell = torch.minimum(place.floor(), last).clamp_min(0)
            anchor = best[picture, which] - first
            column, row = cell.long().unbind(-1)
            where = tuple(moved(index, device) for index in (picture, row, column, anchor))
            of_scale = cells.anchors_of(self.anchors, number, scales)
            taken = moved(found, device), moved(place - cell, device), moved(step, device)
            costs.append(self._of_scale(scale, of_scale, everything, where, *taken, extent))
        return torch.stack(costs).sum()

    def _of_scale(
        self,
        scale: Tensor,
        anchors: Tensor,
        boxes: Tensor,
        where: tuple[Tensor, ...],
        found: Tensor,
        offset: Tensor,
        step: Tensor,
        extent: tuple[int, int],
    ) -> Tensor:
        """The loss of one scale, summed.

        Args:
            scale: Shape (n, rows, columns, B, 5 + C).
            anchors: Of the scale, (B, 2).
            boxes: All objects, (n, m, 5).
            where: Picture, row, column and anchor of the k objects that belong here.
            found: These objects, (k, 5).
            offset: Where in their cells their middles lie, in cells, (k, 2).
            step: Width and height of a cell in pixels.
            extent: Height and width of a picture.
        """
        box_weight, object_weight, background_weight, class_weight = self.weights
        own, anchor = scale[where], anchors[where[3]]
        size = (found[:, 3:] - found[:, 1:3]).clamp_min(_LEAST)
        if self.box == "mse":
            wrong = (own[:, :2].sigmoid() - offset) ** 2 + (own[:, 2:4] - (size / anchor).log()) ** 2
            each = wrong.sum(-1) / 2
        else:
            middle = own[:, :2].sigmoid() - offset  # from the object's own
            beside = cells.around(middle * step, cells.sizes(own[:, 2:4], anchor))
            each = 1 - complete_overlap(beside, cells.around(torch.zeros_like(middle), size))
        boxed = (each * (2 - size.prod(-1) / (extent[0] * extent[1]))).sum()
        has = torch.zeros(scale.shape[:-1], dtype=torch.bool, device=scale.device)
        has[where] = True
        with torch.no_grad():
            background = ~(has | self._near(cells.corners(scale, anchors, extent), boxes))
        score = scale[..., 4]
        objects = (F.softplus(-score) * has).sum()
        others = (F.softplus(score) * background).sum()
        kinds = F.one_hot(found[:, 0].long(), scale.shape[-1] - NUMBERS).to(scale.dtype)
        classes = F.binary_cross_entropy_with_logits(own[:, NUMBERS:], kinds, reduction="sum")
        return box_weight * boxed + object_weight * objects + background_weight * others + class_weight * classes

    def _near(self, corners: Tensor, boxes: Tensor) -> Tensor:
        """Which boxes overlap an object, or lie on a crowd: as COCO judges, by the part of the box that does."""
        every = corners.flatten(1, 3)[:, :, None]
        own = cells.area(every)
        near = torch.zeros(every.shape[:2], dtype=torch.bool, device=corners.device)
        for some in torch.split(boxes, _AT_ONCE, 1):  # lest all pairs be in memory at once
            kind, other = some[:, None, :, 0], some[:, None, :, 1:]
            common = cells.intersection(every, other)
            whole = torch.where(kind < _NONE, own, own + cells.area(other) - common)
            near |= ((common > self.ignore_threshold * whole) & (kind != _NONE)).any(-1)
        return near.view(corners.shape[:-1])


def complete_overlap(one: Tensor, other: Tensor) -> Tensor:
    """CIoU of boxes (k, 4): overlap, less the distance of the middles, less the difference of the proportions."""
    value, _ = cells.overlap(one, other)
    around = torch.maximum(one[:, 2:], other[:, 2:]) - torch.minimum(one[:, :2], other[:, :2])
    apart = (one[:, :2] + one[:, 2:] - other[:, :2] - other[:, 2:]) / 2
    distance = (apart**2).sum(-1) / (around**2).sum(-1)
    angles = [torch.atan2(*(box[:, 2:] - box[:, :2]).unbind(-1)) for box in (one, other)]
    shape = (2 / math.pi * (angles[0] - angles[1])) ** 2
    weight = (shape / (1 - value + shape).clamp_min(1e-9)).detach()
    return value - distance - weight * shape


def _trimmed(boxes: Tensor) -> Tensor:
    """Boxes without rows that no picture of the batch needs."""
    return boxes[:, : int((boxes[..., 0] != _NONE).sum(1).max())]


def _require_classes(boxes: Tensor, classes: int) -> None:
    largest = int(boxes[..., 0].max()) if boxes.numel() else 0
    if largest >= classes:
        message = (
            f"YOLOv3: there is an object of class {largest}, but the network has outputs for {classes} class"
            f"{'es' if classes != 1 else ''} (0 to {classes - 1}); give its last layers 5 numbers and one for each "
            "class of the data, for every box of a cell"
        )
        raise ConfigError(Problem("loss", message))
