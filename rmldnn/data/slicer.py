"""Slicers (in the making)."""

from __future__ import annotations

from dataclasses import dataclass

from rmldnn.component import component
from rmldnn.types import Count, Index


@dataclass(frozen=True)
class Slicer:
    """One way to cut arrays into samples."""

    sizes: tuple[int, ...]


@component("slicer")
def slicer(
    *,
    sizes: list[Count],
    name: str | None = None,
    strides: list[Count] | None = None,
    padding: list[Index] | None = None,
    padded_sizes: list[Count] | None = None,
    discard_remainders: bool = False,
    transpose: bool = False,
) -> Slicer:
    """Cuts arrays into samples.

    Args:
        sizes: Extents of a sample.
    """
    return Slicer(tuple(sizes))
