"""Arrays: where their channels are, and whether samples are rows of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from rmldnn.config.drafting.facts import Extent, Task
from rmldnn.data.arrays import Arrays
from rmldnn.data.layouts.layout import Layout
from rmldnn.data.layouts.listing import ARRAYS
from rmldnn.data.sets import Dataset
from rmldnn.data.source import Meaning, Source
from rmldnn.data.survey import Facts as SideFacts
from rmldnn.data.survey import chosen
from rmldnn.errors import ConfigError, DataError
from rmldnn.looking.measuring import (
    FEW,
    Look,
    Sets,
    class_counts,
    extents_of,
    facts_of,
    indices,
    some,
    surveyed,
    training_set,
    with_numbers,
)

_FILES = 16
"""Arrays of which the first axis is looked at."""
_THIN = 16
"""Channels that an axis may be, rather than an extent in space."""


class ArrayFiles:
    """Looks at arrays, and finds out where their channels are, and whether samples are rows of them.

    Args:
        layout: What lies where.
        base: Keys of `data`.
        task: What is to be learned.
    """

    def __init__(self, layout: Layout, base: Mapping[str, Any], task: Task | None) -> None:
        self.layout = layout
        self.base = dict(base)
        self.task = task
        self.sets = Sets()
        self.notes: list[str] = []

    def look(self) -> Look:
        """Finds it out, and what samples are like."""
        if self.layout.form != "pairs" or self.layout.target_type not in ARRAYS:
            raise ConfigError("arrays need targets that are arrays too; see docs/data.md for what else there is")
        self._find_out()
        opened = self.sets(self.base)
        found = surveyed(training_set(opened))
        if not found.inputs.shapes or found.targets is None or not found.targets.shapes:
            raise DataError(found.faults[0])
        theirs = [shape[:-1] for shape, _ in found.targets.shapes.elements()]
        flat = not any(theirs)
        self._require_no_hidden_classes(found.targets, flat=flat)
        facts = facts_of(opened, found, self.base, self._task(found.targets.meaning, flat=flat))
        facts = replace(
            facts,
            pixels=False,
            resized=not flat and extents_of(theirs)[-1] != facts.usual,
            sliced=self.base.get("samples") != "rows",
        )
        if found.targets.meaning != "classes":
            return Look(with_numbers(facts, found.targets), opened, (), self.notes, found.faults)
        classes, ignored, count = indices(sorted(class_counts(opened)))
        if classes is not None and classes[-1] > FEW:
            raise DataError(
                f"targets hold the values {some(classes)}, which are no class indices from 0 on; save them as "
                "such, or as floating-point numbers if they are quantities"
            )
        count = count if classes is None else classes[-1] + 1
        return Look(replace(facts, outputs=count, ignored=ignored), opened, (), self.notes, found.faults)

    def _require_no_hidden_classes(self, targets: SideFacts, *, flat: bool) -> None:
        """Refuses classes in an axis of their own, which count as numbers.

        Raises:
            DataError: Each sample has one whole number so.
        """
        (shape, dtype), _ = targets.shapes.most_common(1)[0]
        if (
            self.task is None
            and flat
            and targets.meaning != "classes"
            and shape == (1,)
            and np.dtype(dtype).kind in "iu"
        ):
            raise DataError(
                f"each target is one whole number in an axis of its own; save `{self.layout.train.target}` without it "
                "if these are classes (`y.ravel()`), or say --task regression"
            )

    def _task(self, meaning: Meaning, *, flat: bool) -> Task:
        told: Task = (
            ("classification" if flat else "segmentation")
            if meaning == "classes"
            else ("regression" if flat else "image-to-image")
        )
        if self.task not in (None, told):
            kind = "whole numbers" if meaning == "classes" else "floating-point numbers, or have channels"
            raise ConfigError(f"--task {self.task}: targets are {kind}, which is for {told}; save them otherwise")
        return told

    def _find_out(self) -> None:
        if self.layout.input_type == "nifti":
            return  # says by itself where channels are
        raw = training_set(self.sets({**self.base, "channel_axis": "none"}))
        assert raw.targets is not None  # noqa: S101 - pairs have them
        one, other = _stored(raw.inputs.source), _stored(raw.targets.source)
        if "samples" not in self.base and self._are_rows(raw, one, other):
            self.base["samples"] = "rows"
        if self.base.get("samples") == "rows" and len(one) and len(other):
            one, other = one[1:], other[1:]
        if "channel_axis" in self.base:
            return
        mine = _channel_axis(one, other)
        space = one[1:] if mine == "first" else one[:-1] if mine == "last" else one
        theirs = "none" if other == space else "first" if other[1:] == space else "last" if other[:-1] == space else ""
        if len(space) and mine == theirs:
            self.base["channel_axis"] = mine
        else:
            axes = {"input_channel_axis": mine if len(one) > 1 else "", "target_channel_axis": theirs if space else ""}
            self.base |= {key: axis for key, axis in axes.items() if axis}

    def _are_rows(self, raw: Dataset, one: Extent, other: Extent) -> bool:
        """Whether the first axis of arrays counts samples; told where it may as well not."""
        if not one or not other:
            return False
        if one[0] != other[0]:
            if len(raw) == 1:
                counts = f"{one[0]} inputs and {other[0]} targets"
                self.notes.append(f"arrays are taken for one sample; if rows are samples, there are {counts}")
            return False
        if len(raw) > 1:
            maps = other == one or (len(other) > 1 and other == one[:-1])
            rows = not maps and (not _is_short(one) or self._differ(raw))
            return self._decided(one, rows=rows, whole="a sample each") if len(one) > 1 else rows
        if one == other and len(one) == 3:
            return self._decided(one, rows=self.layout.input_type == "numpy", whole="one volume")
        return True

    def _differ(self, raw: Dataset) -> bool:
        """Whether first axes are of several lengths, as those of channels are not."""
        return len({_stored(raw.inputs.source, int(index))[0] for index in chosen(len(raw), _FILES)}) > 1

    def _decided(self, one: Extent, *, rows: bool, whole: str) -> bool:
        shape, row = (" x ".join(map(str, extents)) for extents in (one, one[1:]))
        what, option = (f"{one[0]} samples of {row}", "arrays") if rows else (whole, "rows")
        self.notes.append(f"arrays of {shape} are taken for {what}; --samples {option} says otherwise")
        return rows


def _channel_axis(one: Extent, other: Extent) -> str:
    """Where the channels of an array are: where all others are the extent of its target, or along a short axis."""
    if len(one) < 2:
        return "none" if not one else "first"
    for place, rest in (("first", one[1:]), ("last", one[:-1])):
        if other == rest:
            return place
    for place, axis, rest in (("first", one[0], one[1:]), ("last", one[-1], one[:-1])):
        if axis <= _THIN and axis * 2 < min(rest):
            return place
    return "first" if len(one) > 3 else "none"


def _is_short(one: Extent) -> bool:
    """Whether the first axis may be that of channels."""
    return len(one) > 1 and one[0] <= _THIN and one[0] * 2 < min(one[1:])


def _stored(source: Source, index: int | None = None) -> Extent:
    """The shape of an array as it lies in its file."""
    assert isinstance(source, Arrays)  # noqa: S101 - of their types
    return tuple(int(side) for side in source.stored(source.example if index is None else index).shape)
