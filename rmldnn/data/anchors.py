"""Anchors for the boxes of a set: k-means with 1 - IoU as the distance (Redmon and Farhadi, 2017)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rmldnn.data.pipeline import Pipeline

_ROUNDS = 300
_PIECE = 2**16
"""Boxes that are compared at a time."""

Sizes = NDArray[np.float64]
"""Width and height of boxes, shape (k, 2)."""


def anchors(sizes: Sizes, count: int, seed: int) -> Sizes:
    """Sizes that are near to those of boxes, the small ones first.

    Middles are the medians of their boxes. They start from boxes far from one another (k-means++).

    Args:
        sizes: Of the boxes, at least one.
        count: How many anchors there are.
        seed: Of what is drawn.

    Raises:
        ValueError: Boxes have fewer different sizes.
    """
    if len(np.unique(sizes, axis=0)) < count:
        raise ValueError(f"{count} anchors need as many boxes of different sizes")
    random = np.random.default_rng(seed)
    middles = sizes[random.integers(len(sizes))][None]
    while len(middles) < count:
        distance = 1 - nearest(sizes, middles)[1]
        squares = np.where(distance > 1e-9, distance, 0) ** 2
        middles = np.vstack([middles, sizes[random.choice(len(sizes), p=squares / squares.sum())]])
    owner = np.full(len(sizes), -1)
    for _ in range(_ROUNDS):
        now, overlap = nearest(sizes, middles)
        for empty in set(range(count)) - set(now.tolist()):  # takes the box that fits its middle worst
            now[overlap.argmin()], overlap[overlap.argmin()] = empty, 1.0
        if (now == owner).all():
            break
        owner = now
        middles = np.stack([np.median(sizes[owner == place], axis=0) for place in range(count)])
    ordered: Sizes = middles[np.argsort(middles.prod(1), kind="stable")]
    return ordered


def nearest(sizes: Sizes, middles: Sizes) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Which anchor is nearest to each box, and its intersection over union with it, both around one middle."""
    owners, overlaps = [], []
    for start in range(0, len(sizes), _PIECE):
        some = sizes[start : start + _PIECE, None]
        common = np.minimum(some, middles).prod(-1)
        overlap = common / (some.prod(-1) + middles.prod(-1) - common)
        owners.append(overlap.argmax(1))
        overlaps.append(overlap.max(1))
    return np.concatenate(owners), np.concatenate(overlaps)


def box_sizes(targets: Pipeline, side: int | None = None) -> tuple[Sizes, set[tuple[int, int]]]:
    """Width and height of all boxes, after the transforms that do the same to every sample.

    Args:
        targets: The targets of a set, which are boxes.
        side: Takes no transforms instead, but the pictures in proportion with a longer side of so many pixels.

    Returns:
        Sizes, shape (k, 2), and width and height of the pictures that they are on.
    """
    steps = [] if side else [step for step in targets.steps if not step[1].random]
    fixed = type(targets)(targets.source, targets.part, steps)
    found, extents = [], set()
    for index in range(len(targets.source.names)):
        rows = np.asarray(fixed.read(np.array([index]), 0, 1)[0], np.float64)
        _, _, _, width, height = rows[0].tolist()
        factor = side / max(width, height) if side else 1.0
        extents.add((side, side) if side else (round(width), round(height)))
        real = rows[rows[:, 0] >= 0]
        found.append((real[:, 3:] - real[:, 1:3]) * factor)
    return np.concatenate(found), extents
