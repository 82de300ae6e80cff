"""Samples of a set, looked at by what `rmldnn data` looks with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rmldnn.config.drafting.facts import Extent, Facts, Task
from rmldnn.config.instantiate import opened_data
from rmldnn.data.dataset import Data
from rmldnn.data.sets import Dataset
from rmldnn.data.survey import Survey, survey
from rmldnn.errors import DataError

_LOOK_AT = 400
"""Samples of inputs that are looked at, at most."""
_BYTES = 2e8
_LEAST = 4
_MASKS = 4000
"""Masks that are looked at: a class that is missed ends a run."""
FEW = 64
"""Different values of masks, at most, and masks that are looked at for them."""
_NO_CLASS = 255
"""Stands for no class in many masks."""


@dataclass(frozen=True)
class Look:
    """What was found.

    Args:
        facts: About the data.
        opened: The sets, as they were looked at.
        others: Other tasks that the data would allow.
        notes: What was decided, and might be otherwise.
        faults: What is wrong with samples.
    """

    facts: Facts
    opened: Data
    others: Sequence[Task] = ()
    notes: Sequence[str] = ()
    faults: Sequence[str] = ()

    @property
    def train(self) -> Dataset:
        """The training set."""
        return training_set(self.opened)


def opened_sets(keys: Mapping[str, Any]) -> Data:
    """The sets that keys of `data` describe; samples that cannot be read are told when they are looked at."""
    opened: Data = opened_data({"data": {**keys, "on_bad_sample": "skip"}})
    return opened


def training_set(opened: Data) -> Dataset:
    """The training set, which every layout has."""
    assert opened.train is not None  # noqa: S101 - a layout has a training set
    return opened.train


def surveyed(dataset: Dataset) -> Survey:
    """A look at so many samples that it takes some seconds."""
    sides = [side.source for side in (dataset.inputs, dataset.targets) if side]
    count, size = len(dataset), sum(source.encoded_bytes(2**40) for source in sides)
    return survey(dataset, max(_LEAST, min(count, _LOOK_AT, int(count * _BYTES / max(1, size)))))


def of_inputs(dataset: Dataset, limit: int) -> Survey:
    """A look at inputs alone."""
    return survey(Dataset(dataset.inputs), limit)


def of_targets(dataset: Dataset, limit: int = _LOOK_AT) -> Survey:
    """A look at targets alone, which stand as inputs in what is found."""
    assert dataset.targets is not None  # noqa: S101 - training sets have them
    return survey(Dataset(dataset.targets), limit)


def class_counts(opened: Data) -> Counter[int]:
    """How often each class occurs in both sets."""
    counts: Counter[int] = Counter()
    for dataset in filter(None, (opened.train, opened.test)):
        found = of_targets(dataset, _MASKS)
        counts += found.inputs.classes
        if not found.inputs.shapes:
            raise DataError(found.faults[0])
    return counts


def indices(values: Sequence[int]) -> tuple[list[int] | None, int | None, int]:
    """Of values: these, where they are not the indices of classes; what means no class; how many classes there are."""
    if len(values) > FEW * 4 or (values and values[0] < 0):
        raise DataError(f"targets are no maps of classes: they hold the values {some(values)}")
    known = [value for value in values if value != _NO_CLASS]
    if len(known) > 1 and known == list(range(len(known))):
        return None, _NO_CLASS if len(known) < len(values) else None, len(known)
    if len(values) < 2:
        raise DataError(f"all targets hold the one value {some(values)}; nothing is to be told apart")
    if values[0] == 0 and values[-1] < len(values) * 2:  # some class does not occur, or not in what was looked at
        return None, None, values[-1] + 1
    return list(values), None, len(values)


def some(values: Sequence[int]) -> str:
    """The first of some numbers, in words."""
    return ", ".join(map(str, values[:10])) + (f" and {len(values) - 10} more" if len(values) > 10 else "")


def extents_of(extents: Sequence[Extent]) -> tuple[Extent, Extent, Extent]:
    """The smallest, the largest and the median along each axis."""
    if len({len(one) for one in extents}) > 1:
        raise DataError("samples have different numbers of axes, such as pictures among volumes; take them apart")
    array = np.array(extents).reshape(len(extents), -1)
    least, most, usual = (
        tuple(int(side) for side in found) for found in (array.min(0), array.max(0), np.median(array, axis=0))
    )
    return least, most, usual
