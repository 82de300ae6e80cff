"""Slices (in the making)."""

from __future__ import annotations

from collections.abc import Sequence

from rmldnn.data.slicer import Slicer
from rmldnn.data.source import Source


def sliced(inputs: Source, targets: Source | None, slicers: Sequence[Slicer]) -> tuple[Source, Source | None]:
    """The slices of inputs and targets."""
    raise NotImplementedError
