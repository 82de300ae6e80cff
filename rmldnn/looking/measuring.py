"""Samples of a set, looked at by what `rmldnn data` looks with."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rmldnn.config.drafting.facts import Extent, Facts, Task
from rmldnn.config.instantiate import opened_data
from rmldnn.data.arrays import Arrays
from rmldnn.data.dataset import Data
from rmldnn.data.sets import Dataset
from rmldnn.data.source import Source
from rmldnn.data.survey import Facts as SideFacts
from rmldnn.data.survey import Survey, chosen, survey
from rmldnn.errors import DataError

_LOOK_AT = 400
"""Samples of inputs that are looked at, at most."""
_NUMBERS = 5e8
"""Numbers of inputs and targets that are looked at, at most: some seconds of a processor."""
_LEAST = 2
_TRIED = 4
"""Samples that tell how large the others are."""
_MASKS, _OF_MASKS = 4000, 2e9
"""Masks that are looked at, and their numbers: more than of others, as a class that is missed ends a run."""
FEW, MOST = 64, 256
"""Different values of masks, where nothing says that they are classes, and where something does."""
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


class Sets:
    """Opens the sets that keys of `data` describe, those of the same keys once.

    Samples that cannot be read are told when they are looked at.
    """

    def __init__(self) -> None:
        self._known: dict[str, Data] = {}

    def __call__(self, keys: Mapping[str, Any]) -> Data:
        """The sets of some keys."""
        told = repr(sorted(keys.items()))
        if told not in self._known:
            self._known[told] = opened_data({"data": {**keys, "on_bad_sample": "skip"}})
        return self._known[told]


def training_set(opened: Data) -> Dataset:
    """The training set, which every layout has."""
    assert opened.train is not None  # noqa: S101 - a layout has a training set
    return opened.train


def surveyed(dataset: Dataset) -> Survey:
    """A look at so many samples that it takes some seconds."""
    return survey(dataset, _affordable(dataset, _LOOK_AT, _NUMBERS))


def of_targets(dataset: Dataset, limit: int = _LOOK_AT, numbers: float = _NUMBERS) -> Survey:
    """A look at targets alone, which stand as inputs in what is found."""
    assert dataset.targets is not None  # noqa: S101 - training sets have them
    alone = Dataset(dataset.targets)
    return survey(alone, _affordable(alone, limit, numbers))


def _affordable(dataset: Dataset, limit: int, numbers: float) -> int:
    """How many samples hold no more than some numbers, as far as a few of them tell."""
    sides = [side.source for side in (dataset.inputs, dataset.targets) if side]
    each = sum(max((_numbers(source, index) for index in chosen(len(dataset), _TRIED)), default=0) for source in sides)
    return max(_LEAST, min(limit, int(numbers / max(1, each))))


def _numbers(source: Source, index: int) -> int:
    try:
        if isinstance(source, Arrays):
            return math.prod(source.stored(index).shape)
        return int(np.asarray(source.take(np.array([index]))[0]).size)
    except DataError:  # told by the look itself
        return 0


def facts_of(opened: Data, found: Survey, base: Mapping[str, Any], task: Task) -> Facts:
    """What inputs are like; what targets are like is yet to be said."""
    train = training_set(opened)
    if not found.inputs.values:
        raise DataError(found.faults[0])
    ((shape, _), _), *_ = found.inputs.shapes.most_common(1)
    values = found.inputs.values[shape[-1]]
    least, most, usual = extents_of([shape[:-1] for shape, _ in found.inputs.shapes.elements()])
    return Facts(
        task=task,
        data=base,
        samples=len(train),
        tested=len(opened.test) if opened.test else 0,
        least=least,
        most=most,
        usual=usual,
        channels=shape[-1],
        outputs=0,
        mean=values.mean.tolist(),
        deviation=values.deviation.tolist(),
        every=found.seen == found.count and opened.test is None,
        width=max(min(4, np.dtype(dtype).itemsize) for _, dtype in found.inputs.shapes),
    )


def with_numbers(facts: Facts, targets: SideFacts) -> Facts:
    """With what targets are like that are numbers."""
    columns, one = next(iter(targets.values.items()))
    return replace(facts, outputs=columns, targets=(one.mean.tolist(), one.deviation.tolist()))


def class_counts(opened: Data) -> Counter[int]:
    """How often each class occurs in both sets."""
    counts: Counter[int] = Counter()
    for dataset in filter(None, (opened.train, opened.test)):
        found = of_targets(dataset, _MASKS, _OF_MASKS)
        counts += found.inputs.classes
        if not found.inputs.shapes:
            raise DataError(found.faults[0])
    return counts


def indices(values: Sequence[int]) -> tuple[list[int] | None, int | None, int]:
    """Of values: these, where they are not the indices of classes; what means no class; how many classes there are."""
    if len(values) > MOST or (values and values[0] < 0):
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
