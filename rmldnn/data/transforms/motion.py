"""Ways to move the pixels of a sample, and whatever is drawn on it.

A motion knows the extent it starts from, so it needs to be described once: images are blended by it, masks take the
nearest pixel, and points go along. Points are measured in pixels from the corner of the first pixel, whose centre is
at 0.5; axes are those of the array, so pictures have (y, x).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from rmldnn.data.transform import Pixels
from rmldnn.data.transforms import sampling
from rmldnn.data.transforms.photographic import white

Extent: TypeAlias = tuple[int, ...]
Points: TypeAlias = NDArray[np.float64]
"""Shape (k, axes in space)."""


class Motion(ABC):
    """Moves samples of one extent.

    Attributes:
        extent: What becomes of that extent.
    """

    extent: Extent

    @abstractmethod
    def move(self, pixels: Pixels, nearest: bool) -> Pixels:
        """The moved sample, possibly a view.

        Args:
            pixels: Shape (*spatial, C).
            nearest: Takes the nearest pixel, where there is a choice, and does not blend.
        """

    @abstractmethod
    def points(self, points: Points) -> Points:
        """Where points get to."""


@dataclass(frozen=True)
class Window(Motion):
    """Cuts a window out; where it reaches beyond the sample, there are zeros.

    Args:
        start: First pixel along each axis.
        extent: Of the window.
        fill: What stands beyond the sample instead of zeros, as a part of white; not in what is not blended.
    """

    start: Extent
    extent: Extent
    fill: float = 0.0

    def move(self, pixels: Pixels, nearest: bool) -> Pixels:
        """A view, unless there is something to fill."""
        inside, place = [], []
        for low, size, full in zip(self.start, self.extent, pixels.shape, strict=False):
            first, last = max(low, 0), max(min(low + size, full), 0)
            inside.append(slice(first, last))
            place.append(slice(first - low, max(last, first) - low))
        cut = pixels[tuple(inside)]
        if cut.shape[:-1] == self.extent:
            return cut
        padded = np.zeros((*self.extent, pixels.shape[-1]), pixels.dtype)
        if self.fill and not nearest:
            padded.fill(self.fill * white(pixels))
        padded[tuple(place)] = cut
        return padded

    def points(self, points: Points) -> Points:
        """Shifted by the start."""
        moved: Points = points - np.array(self.start)
        return moved


@dataclass(frozen=True)
class Mirror(Motion):
    """Turns axes around.

    Args:
        extent: Of the sample.
        axes: The axes.
    """

    extent: Extent
    axes: tuple[int, ...]

    def move(self, pixels: Pixels, nearest: bool) -> Pixels:  # noqa: ARG002 - nothing to choose
        """A view; for pictures of bytes a copy, which OpenCV makes ten times as fast as the view can be copied."""
        if pixels.ndim == 3 and pixels.dtype == np.uint8 and 0 < pixels.shape[2] <= 4:
            return sampling.with_channels(cv2.flip(pixels, _FLIPS[self.axes]))
        return np.flip(pixels, self.axes)

    def points(self, points: Points) -> Points:
        """Seen from the other end of the axes."""
        points = points.copy()
        for axis in self.axes:
            points[:, axis] = self.extent[axis] - points[:, axis]
        return points


@dataclass(frozen=True)
class QuarterTurns(Motion):
    """Turns by multiples of 90 degrees, from the second axis of the plane to the first: clockwise for (y, x).

    Args:
        before: Extent of the sample.
        turns: How many, 1 to 3.
        plane: Two axes.
    """

    before: Extent
    turns: int
    plane: tuple[int, int]

    @property
    def extent(self) -> Extent:  # type: ignore[override]
        """The extent, with the sides of the plane swapped after an odd number of turns."""
        after = list(self.before)
        if self.turns % 2:
            first, second = self.plane
            after[first], after[second] = after[second], after[first]
        return tuple(after)

    def move(self, pixels: Pixels, nearest: bool) -> Pixels:  # noqa: ARG002 - nothing to choose
        """A view."""
        return np.rot90(pixels, -self.turns, self.plane)

    def points(self, points: Points) -> Points:
        """Turned one by one."""
        points, extent = points.copy(), list(self.before)
        first, second = self.plane
        for _ in range(self.turns):
            points[:, first], points[:, second] = points[:, second].copy(), extent[first] - points[:, first]
            extent[first], extent[second] = extent[second], extent[first]
        return points


@dataclass(frozen=True)
class Scaling(Motion):
    """Changes the number of pixels on the same area.

    Args:
        before: Extent of the sample.
        extent: What it becomes.
    """

    before: Extent
    extent: Extent

    def move(self, pixels: Pixels, nearest: bool) -> Pixels:
        """Resized; the same array if the extent stays."""
        if self.before == self.extent:
            return pixels
        return (sampling.repeated if nearest else sampling.resized)(pixels, self.extent)

    def points(self, points: Points) -> Points:
        """Scaled."""
        moved: Points = points * (np.array(self.extent) / np.array(self.before))
        return moved


@dataclass(frozen=True)
class Chain(Motion):
    """One motion after the other.

    Args:
        first: Starts from the sample.
        second: Starts from where the first ends.
    """

    first: Motion
    second: Motion

    @property
    def extent(self) -> Extent:  # type: ignore[override]
        """That of the second motion."""
        return self.second.extent

    def move(self, pixels: Pixels, nearest: bool) -> Pixels:
        """Moved twice."""
        return self.second.move(self.first.move(pixels, nearest), nearest)

    def points(self, points: Points) -> Points:
        """Moved twice."""
        return self.second.points(self.first.points(points))


class Resampling(Motion):
    """Takes every pixel of the result from some place of the sample; the extent stays.

    Attributes:
        axes: The axes in which pixels move.
    """

    axes: tuple[int, ...]

    @abstractmethod
    def places(self) -> sampling.Places:
        """Where each pixel comes from, as indices: one array for each of `axes`."""

    def move(self, pixels: Pixels, nearest: bool) -> Pixels:
        """Sampled anew."""
        return (sampling.nearest if nearest else sampling.linear)(pixels, self.places(), self.axes)


@dataclass(frozen=True)
class Linear(Resampling):
    """A rotation or stretching about the middle of the sample.

    Args:
        extent: Of the sample.
        axes: The axes that it acts on.
        matrix: Square, one row for each of `axes`: where offsets from the middle get to.
    """

    extent: Extent
    axes: tuple[int, ...]
    matrix: NDArray[np.float64]

    @property
    def _middle(self) -> NDArray[np.float64]:
        return np.array([self.extent[axis] for axis in self.axes]) / 2

    def places(self) -> sampling.Places:
        """What the inverse matrix says."""
        inverse, middle = np.linalg.inv(self.matrix), self._middle
        inverse = np.where(abs(inverse - np.rint(inverse)) < 1e-12, np.rint(inverse), inverse)  # quarter turns exactly
        count = len(self.axes)
        offsets = [
            (np.arange(self.extent[axis]) + 0.5 - centre).reshape([-1 if at == number else 1 for at in range(count)])
            for number, (axis, centre) in enumerate(zip(self.axes, middle, strict=True))
        ]
        places = []
        for row, centre in zip(inverse, middle, strict=True):
            place = np.full([1] * count, centre - 0.5, np.float32)
            for factor, offset in zip(row, offsets, strict=True):
                place = place + (factor * offset).astype(np.float32)
            places.append(place)
        return places

    def points(self, points: Points) -> Points:
        """What the matrix says."""
        points, axes = points.copy(), list(self.axes)
        points[:, axes] = (points[:, axes] - self._middle) @ self.matrix.T + self._middle
        return points


@dataclass(frozen=True)
class Warp(Resampling):
    """A smooth displacement of every pixel: a uniform cubic B-spline.

    Args:
        extent: Of the sample.
        spacing: Distance between control points, in pixels.
        controls: Displacements at control points in pixels, shape (axes, *numbers of control points); the first of them
            lies one spacing before the sample.
    """

    extent: Extent
    spacing: float
    controls: NDArray[np.float64]

    @property
    def axes(self) -> tuple[int, ...]:  # type: ignore[override]
        """All axes."""
        return tuple(range(len(self.extent)))

    def places(self) -> sampling.Places:
        """Displaced from the place of the pixel itself."""
        bases = [_spline(np.arange(size) + 0.5, self.spacing, n) for size, n in self._sizes]
        grids = np.indices(self.extent, sparse=True, dtype=np.float64)
        places = []
        for grid, field in zip(grids, self.controls, strict=True):
            for basis in bases:  # each turn replaces the first axis and puts it last
                field = np.tensordot(field, basis, axes=([0], [1]))
            places.append((grid + field).astype(np.float32))
        return places

    def points(self, points: Points) -> Points:
        """Where the displacement leads to the point: found by iteration, which converges as nothing is folded."""
        moved = points
        for _ in range(_ITERATIONS):
            moved = points - self._displacement(moved)
        return moved

    @property
    def _sizes(self) -> Sequence[tuple[int, int]]:
        return list(zip(self.extent, self.controls.shape[1:], strict=True))

    def _displacement(self, points: Points) -> Points:
        bases = [
            _spline(np.clip(points[:, axis], 0, size), self.spacing, n) for axis, (size, n) in enumerate(self._sizes)
        ]
        letters = "abc"[: len(bases)]
        formula = f"z{letters}," + ",".join(f"k{letter}" for letter in letters) + "->kz"
        displacement: Points = np.einsum(formula, self.controls, *bases)
        return displacement


_ITERATIONS = 20
_FLIPS = {(0,): 0, (1,): 1, (0, 1): -1}
"""OpenCV's numbers for axes that are turned around."""


def control_points(extent: Extent, spacing: float) -> Extent:
    """How many control points of a `Warp` there are along each axis."""
    return tuple(math.floor(size / spacing) + 4 for size in extent)


def _spline(at: NDArray[Any], spacing: float, count: int) -> NDArray[np.float64]:
    """Weights of control points at places along an axis, shape (places, count); they sum to 1."""
    scaled = at / spacing
    cell = np.floor(scaled).astype(np.int64)
    u = scaled - cell
    weights = ((1 - u) ** 3, 3 * u**3 - 6 * u**2 + 4, -3 * u**3 + 3 * u**2 + 3 * u + 1, u**3)
    basis = np.zeros((len(at), count))
    for offset, weight in enumerate(weights):
        basis[np.arange(len(at)), cell + offset] = weight / 6
    return basis
