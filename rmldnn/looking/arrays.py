"""Arrays: where their channels are, and whether samples are rows of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from rmldnn.config.drafting.facts import Extent, Facts, Task
from rmldnn.data.arrays import Arrays
from rmldnn.data.layouts.layout import Layout
from rmldnn.data.layouts.listing import ARRAYS
from rmldnn.data.source import Meaning, Source
from rmldnn.data.survey import Facts as SideFacts
from rmldnn.errors import ConfigError, DataError
from rmldnn.looking.measuring import (
    FEW,
    Look,
    class_counts,
    extents_of,
    indices,
    opened_sets,
    some,
    surveyed,
    training_set,
)

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
        self.notes: list[str] = []

    def look(self) -> Look:
        """Finds it out, and what samples are like."""
        if self.layout.form != "pairs" or self.layout.target_type not in ARRAYS:
            raise ConfigError("arrays need targets that are arrays too; see docs/data.md for what else there is")
        self._find_out()
        opened = opened_sets(self.base)
        train = training_set(opened)
        found = surveyed(train)
        if not found.inputs.shapes or found.targets is None or not found.targets.shapes:
            raise DataError(found.faults[0])
        extents = [shape[:-1] for shape, _ in found.inputs.shapes.elements()]
        theirs = [shape[:-1] for shape, _ in found.targets.shapes.elements()]
        channels = next(iter(found.inputs.shapes))[0][-1]
        values = found.inputs.values[channels]
        flat = not any(theirs)
        self._require_no_hidden_classes(found.targets, flat=flat)
        task = self._task(found.targets.meaning, flat=flat)
        least, most, usual = extents_of(extents)
        facts = Facts(
            task=task,
            data=self.base,
            samples=len(train),
            tested=len(opened.test) if opened.test else 0,
            least=least,
            most=most,
            usual=usual,
            channels=channels,
            outputs=0,
            pixels=False,
            mean=values.mean.tolist(),
            deviation=values.deviation.tolist(),
            resized=not flat and extents_of(theirs)[-1] != usual,
            sliced=self.base.get("samples") != "rows",
            width=max(min(4, np.dtype(dtype).itemsize) for _, dtype in found.inputs.shapes),
        )
        if found.targets.meaning == "classes":
            classes, ignored, count = indices(sorted(class_counts(opened)))
            if classes is not None and classes[-1] <= FEW:
                count = classes[-1] + 1
            elif classes is not None:
                raise DataError(
                    f"targets hold the values {some(classes)}, which are no class indices from 0 on; save them as "
                    "such, or as floating-point numbers if they are quantities"
                )
            facts = replace(facts, outputs=count, ignored=ignored)
        else:
            columns, one = next(iter(found.targets.values.items()))
            facts = replace(facts, outputs=columns, targets=(one.mean.tolist(), one.deviation.tolist()))
        return Look(facts, opened, (), self.notes, found.faults)

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
        raw = training_set(opened_sets({**self.base, "channel_axis": "none"}))
        assert raw.targets is not None  # noqa: S101 - pairs have them
        one, other = _stored(raw.inputs.source), _stored(raw.targets.source)
        if "samples" not in self.base and self._are_rows(len(raw), one, other):
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

    def _are_rows(self, count: int, one: Extent, other: Extent) -> bool:
        """Whether the first axis of arrays counts samples."""
        if not one or not other or one[0] != other[0]:
            return False
        if len(other) < len(one) - 1 or len(other) == 1:
            return True
        if count > 1:
            return False
        if one == other and len(one) == 3:
            rows = self.layout.input_type == "numpy"
            shape = " x ".join(map(str, one))
            what = f"{one[0]} samples of {one[1]} x {one[2]}" if rows else "one volume"
            other_way = "arrays" if rows else "rows"
            self.notes.append(f"arrays of {shape} are taken for {what}; --samples {other_way} says otherwise")
            return rows
        return True


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


def _stored(source: Source) -> Extent:
    """The shape of an array as it lies in its file."""
    assert isinstance(source, Arrays)  # noqa: S101 - of their types
    return tuple(int(side) for side in source.stored(source.example).shape)
