"""From the boxes of a YOLO network to detections: those that are sure enough, each object once."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from rmldnn.losses import cells
from rmldnn.losses.cells import NUMBERS, Anchors

COLUMNS = 6
"""Numbers of a detection: left, top, right, bottom, score, class."""
NONE = -1
"""The class of what is no detection."""
_CANDIDATES = 5
"""Boxes that are looked at for each detection that there may be."""
_PAIRS = 2**24
"""Pairs of boxes that are compared at a time."""


@torch.no_grad()
def detections(
    scales: Sequence[Tensor], anchors: Anchors, extent: Sequence[int], *, confidence: float, iou: float, most: int
) -> Tensor:
    """The detections of some pictures.

    The score of a box for a class is the probability that there is an object times that of the class, so a box may be
    several detections.

    Args:
        scales: The boxes of each scale, (n, rows, columns, B, 5 + C).
        anchors: Of all scales.
        extent: Height and width of the pictures.
        confidence: The least score.
        iou: Intersection over union above which a box is that of a box of the same class with a higher score.
        most: The largest number of detections of a picture.

    Returns:
        Shape (n, most, 6): left, top, right, bottom, score, class; the best first, rows of class -1 behind the last.
    """
    boxes, scores = [], []
    for number, scale in enumerate(scales):
        boxes.append(cells.corners(scale, cells.anchors_of(anchors, number, scales), extent).flatten(1, 3))
        scores.append((scale[..., 4:5].sigmoid() * scale[..., NUMBERS:].sigmoid()).flatten(1, 3))
    every, score = torch.cat(boxes, 1), torch.cat(scores, 1)
    classes = score.shape[-1]
    best, place = score.flatten(1).topk(min(_CANDIDATES * most, math.prod(score.shape[1:])), 1)
    likely = int((best >= confidence).sum(1).max()) if len(best) else 0  # mostly few of them
    best, place = best[:, :likely], place[:, :likely]
    corners = every.gather(1, (place // classes)[..., None].expand(-1, -1, 4))
    limits = corners.new_tensor([extent[1], extent[0]] * 2)
    corners = torch.minimum(corners.clamp_min(0), limits)
    kind = place % classes
    kept = (best >= confidence) & kept_boxes(corners, kind, iou)
    order = torch.sort((~kept).to(torch.uint8), dim=1, stable=True).indices[:, :most]
    found = torch.cat([corners, best[..., None], kind[..., None].to(corners)], -1)
    found = found.gather(1, order[..., None].expand(-1, -1, COLUMNS))
    empty = found.new_tensor([0, 0, 0, 0, 0, NONE])
    found = found.where(kept.gather(1, order)[..., None], empty)
    missing = most - found.shape[1]
    return found if not missing else torch.cat([found, empty.expand(len(found), missing, -1)], 1)


def kept_boxes(corners: Tensor, kind: Tensor, iou: float) -> Tensor:
    """Which boxes remain where each takes away later ones of its class that overlap it, unless it is gone itself.

    Args:
        corners: Shape (n, k, 4), the best first.
        kind: Classes, (n, k).
        iou: The overlap above which a box is taken away.

    Returns:
        Bool, (n, k).
    """
    count = max(1, _PAIRS // max(1, corners.shape[1] ** 2))
    parts = [_kept(*part, iou) for part in zip(torch.split(corners, count), torch.split(kind, count), strict=True)]
    return torch.cat(parts) if parts else torch.ones_like(kind, dtype=torch.bool)


def _kept(corners: Tensor, kind: Tensor, iou: float) -> Tensor:
    value, _ = cells.overlap(corners[:, :, None], corners[:, None])
    over = ((value > iou) & (kind[:, :, None] == kind[:, None])).tril(-1)  # row: the later, column: the earlier one
    kept = torch.ones_like(kind, dtype=torch.bool)
    while True:  # after t rounds the first t are right, mostly all of them after a few
        now = ~(over & kept[:, None]).any(-1)
        if torch.equal(now, kept):
            return kept
        kept = now
