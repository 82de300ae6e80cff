"""Which slices must be predicted for a part of the assembled volume: pure arithmetic.

Slices come in the order of their grid, and a running mean along this order blends those that overlap. What is above the
row of a slice, along the first axis that has several rows, is reached by no later slice: it is final. So work can begin
anywhere, after a kill or as the share of one of several processes, and gives the same bits: it begins with the first
slice that reaches below the row, and leaves alone what is above it.
"""

from __future__ import annotations

from dataclasses import dataclass

from rmldnn.data.slicer import Grid
from rmldnn.data.slices import Sliced


@dataclass(frozen=True)
class Border:
    """Where a part of the volume begins, or the one before it ends.

    Args:
        slice: The first slice that begins at or behind the border.
        needed: The first slice that reaches behind it: whoever begins here begins with this one.
        cut: Number of the cut that the border goes through.
        row: Where it lies on the `axis` of that cut's array; 0 for a border between cuts.
        axis: The axis.
    """

    slice: int
    needed: int
    cut: int
    row: int
    axis: int


def border(slices: Sliced, index: int) -> Border:
    """The border at the row of a slice: slices before it may reach behind the border, those behind it not above.

    Args:
        slices: All slices.
        index: The slice, or their number for the end of all.
    """
    if index >= len(slices):
        return Border(len(slices), len(slices), len(slices.cuts), 0, 0)
    cut, number = slices.at(index)
    place, made = cut.number, cut.grid.slicer
    if made.disjoint:
        return Border(index, index, place, 0, 0)
    axis = leading(cut.grid)
    row = cut.grid.place(number)[axis]
    start = row * made.strides[axis]
    first = next(other for other in range(row + 1) if other * made.strides[axis] + made.sizes[axis] > start)
    per_row = _per_row(cut.grid)
    return Border(cut.first + row * per_row, cut.first + first * per_row, place, start, axis)


def shares(slices: Sliced, world: int) -> list[Border]:
    """The borders of about equal parts for several processes, the beginning and the end included."""
    borders = [border(slices, 0)]
    for rank in range(1, world):
        index = len(slices) * rank // world
        cut, number = slices.at(index)
        if not cut.grid.slicer.disjoint:
            per_row = _per_row(cut.grid)
            index = cut.first + min(round(number / per_row) * per_row, len(cut.grid))
        borders.append(border(slices, max(index, borders[-1].slice)))
    return [*borders, border(slices, len(slices))]


def leading(grid: Grid) -> int:
    """The first axis along which there are several slices."""
    return next((axis for axis, count in enumerate(grid.counts) if count > 1), 0)


def _per_row(grid: Grid) -> int:
    """Slices from one row along the leading axis to the next."""
    return len(grid) // grid.counts[leading(grid)]
