"""From the pictures that a network sees back to those in the files: where boxes on the former lie on the latter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rmldnn.data.boxes import picture_extent
from rmldnn.data.pipeline import Pipeline
from rmldnn.data.source import Source
from rmldnn.data.transforms.geometric import Geometric
from rmldnn.data.transforms.motion import Extent, Points


@dataclass(frozen=True)
class Undoing:
    """Undoes what the fixed transforms of a test set did to its pictures.

    Args:
        source: The pictures as they are in the files.
        steps: What moves them.
    """

    source: Source
    steps: Sequence[Geometric]

    @classmethod
    def of(cls, pipeline: Pipeline) -> Undoing:
        """Undoes what a pipeline does, that which was done when samples were read ahead included."""
        steps = [*pipeline.applied, *(step for _, step in pipeline.steps)]
        source = getattr(pipeline.source, "source", pipeline.source)
        return cls(source, [step for step in steps if isinstance(step, Geometric)])

    def boxes(self, index: int, corners: NDArray[np.float64]) -> NDArray[np.float64]:
        """Where boxes lie on the picture in its file, cut off at its borders.

        Args:
            index: Of the picture.
            corners: Left, top, right, bottom on the picture that the network sees, shape (k, 4).

        Returns:
            The upright boxes around them, shape (k, 4).

        Raises:
            DataError: The picture's file cannot be read.
        """
        extent = picture_extent(self.source, index)
        origin, down, right = self._moved(extent)
        there = np.array([down - origin, right - origin]).T  # moves of one pixel
        left, top, last, bottom = corners.T
        points = np.stack([[top, left], [top, last], [bottom, left], [bottom, last]]).transpose(2, 0, 1)
        back = (points - origin) @ np.linalg.inv(there).T
        low, high = back.min(1).clip(0, extent), back.max(1).clip(0, extent)
        return np.column_stack([low[:, ::-1], high[:, ::-1]])

    def _moved(self, extent: Extent) -> Points:
        """Where the corner of the picture gets to, and the points one pixel below and beside it."""
        points: Points = np.array([[0, 0], [1, 0], [0, 1]], np.float64)
        for step in self.steps:
            motion = step.motion(extent)
            if motion is not None:
                points, extent = motion.points(points), motion.extent
        return points
