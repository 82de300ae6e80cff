"""Pictures, with whatever targets."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from rmldnn.config.drafting.facts import Facts, Task
from rmldnn.data.dataset import Data
from rmldnn.data.layouts.layout import Layout
from rmldnn.data.layouts.listing import speaks_of_classes
from rmldnn.data.survey import Survey
from rmldnn.errors import ConfigError, DataError
from rmldnn.looking.measuring import (
    FEW,
    Look,
    class_counts,
    extents_of,
    indices,
    of_inputs,
    of_targets,
    opened_sets,
    surveyed,
    training_set,
)

_FEWER = 10
"""Masks rarely have more; neither have pictures of as few grey values."""
_FEW_NUMBERS = 20
"""Classes that are called by numbers; more are rather quantities."""
_COLOURS = (1, 3, 4)
_BANDS = 64
"""Files of which channels are counted."""
_NO_MASK = "cannot use this mask"
"""What is said of files that can be read, but hold no classes."""
_FLAT = 3
"""Axes of a picture."""


class PictureFiles:
    """Looks at pictures, with whatever targets.

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
        self.others: list[Task] = []

    def look(self) -> Look:
        """Finds out what is to be learned, and what samples are like."""
        task = self._task()
        if self.layout.form == "table" and task == "regression":
            self.base["meaning"] = "numbers"
        if task == "image-to-image":
            self.base = {"type": "images", **{key: self.base[key] for key in self.base if not key.endswith("_type")}}
        channels, found = self._inputs()
        opened = opened_sets(self.base)
        train = training_set(opened)
        values = found.inputs.values[channels]
        extents = [shape[:-1] for shape, _ in found.inputs.shapes.elements()]
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
            mean=values.mean.tolist(),
            deviation=values.deviation.tolist(),
            every=found.seen == found.count and opened.test is None,
            width=max(np.dtype(dtype).itemsize for _, dtype in found.inputs.shapes),
        )
        facts = self._with_targets(facts, opened, found)
        if self.base.pop("input_grayscale", False):
            both = self.base.get("type") != "images" or self.base.pop("target_grayscale", False)
            self.base["grayscale" if both else "input_grayscale"] = True
        return Look(replace(facts, data=self.base), opened, self.others, self.notes, found.faults)

    def _task(self) -> Task:
        """What is to be learned."""
        form = self.layout.form
        possible: tuple[Task, ...]
        if form == "pairs":
            possible = ("segmentation", "image-to-image")
            if self.task is None:
                self.task = self._of_pictures()
        elif form == "table":
            possible = self._of_table()
            self.others = list(possible[1:]) if self.task is None else []
        else:
            possible = ("detection",) if form == "boxes" else ("classification",)
        if self.task is not None and self.task not in possible:
            raise ConfigError(f"--task {self.task}: this data is for {' or '.join(possible)}")
        return self.task or possible[0]

    def _of_table(self) -> tuple[Task, ...]:
        """What may be learned from the columns, the likely one first."""
        try:
            classes = training_set(opened_sets(self.base)).classes
        except (ConfigError, DataError) as error:
            if self.task == "regression":
                return ("regression",)
            if "columns" in str(error) and "columns" not in self.base:
                raise DataError(f"{error}; here, by --columns") from None
            raise
        if not classes or self.task == "regression":
            return ("regression",)
        if not all(map(str.isdigit, classes)):
            return ("classification",)
        return ("classification", "regression") if len(classes) <= _FEW_NUMBERS else ("regression", "classification")

    def _of_pictures(self) -> Task:
        """Whether targets are classes of pixels or pictures: by how many values they have, and what they are called."""
        called = speaks_of_classes(self.layout.train.target or "")
        try:
            found = of_targets(training_set(opened_sets(self.base)), FEW)
            fault = next((one for one in found.faults if _NO_MASK in one), "")
            if not fault and not found.inputs.shapes:
                raise DataError(found.faults[0])
        except DataError as error:
            training_set(opened_sets({**self.base, "target_type": "images"}))  # tells what pictures have as well
            fault = str(error)
        if fault and called:
            raise DataError(f"{fault}; --task image-to-image takes these targets for pictures")
        if fault:
            return self._decided("image-to-image", fault, doubtful=False)
        count = len(found.inputs.classes)
        many = count > (FEW if called else _FEWER)
        doubtful = _FEWER < count <= FEW
        what = f"there are {count} different values in {found.seen} of them"
        return self._decided("image-to-image" if many else "segmentation", what, doubtful=doubtful)

    def _decided(self, task: Task, why: str, *, doubtful: bool) -> Task:
        """Keeps the other task for a question, and tells why where that was not expected."""
        other: Task = "segmentation" if task == "image-to-image" else "image-to-image"
        if doubtful:
            self.others.append(other)
        if doubtful or task == "image-to-image":
            told = {"segmentation": "classes of pixels", "image-to-image": "pictures"}
            hint = f"; --task {other} takes them for {told[other]}" if doubtful else ""
            self.notes.append(f"targets are taken for {told[task]}: {why}{hint}")
        return task

    def _inputs(self) -> tuple[int, Survey]:
        """How many channels pictures have, which keys then say, and what they are like."""
        train = training_set(opened_sets(self.base))
        found = surveyed(train)
        stored = of_inputs(training_set(opened_sets({**self.base, "input_bands": "all"})), _BANDS).inputs.shapes
        if not stored:
            raise DataError(found.faults[0])
        channels = {shape[-1] for shape, _ in stored}
        if any(len(shape) > _FLAT for shape, _ in found.inputs.shapes):  # pages, which may count as bands
            self.notes.append("pages of TIFF files are taken for the depth of volumes")
            channels = {1} if all(shape[-1] not in _COLOURS for shape, _ in stored) else {3}
        if channels == {1}:
            self.base["input_grayscale"] = True
        elif len(channels) == 1 and not channels & {*_COLOURS}:
            self.base["input_bands"] = "all"
        else:
            return 3, found
        return channels.pop(), surveyed(training_set(opened_sets(self.base)))

    def _with_targets(self, facts: Facts, opened: Data, found: Survey) -> Facts:
        train = training_set(opened)
        if facts.task in ("classification", "detection"):
            if len(train.classes) < (2 if facts.task == "classification" else 1):
                raise DataError(f"there is but one class, {', '.join(train.classes)}; nothing is to be told apart")
            return replace(facts, outputs=len(train.classes), classes=list(train.classes))
        if facts.task == "segmentation":
            counts = class_counts(opened)
            values, ignored, count = indices(sorted(counts))
            if values is not None:
                self.base["values"] = values
            return replace(facts, outputs=count, ignored=ignored)
        if facts.task == "image-to-image":
            return self._with_pictures(facts)
        assert found.targets is not None  # noqa: S101 - tables have them
        columns, one = next(iter(found.targets.values.items()))
        return replace(facts, outputs=columns, targets=(one.mean.tolist(), one.deviation.tolist()))

    def _with_pictures(self, facts: Facts) -> Facts:
        train = training_set(
            opened_sets({**self.base, "input_bands": "auto", "input_grayscale": False, "target_bands": "all"})
        )
        found = of_targets(train)
        stored = {shape[-1] for shape, _ in found.inputs.shapes}
        if not stored:
            raise DataError(found.faults[0])
        grey = stored == {1}
        if grey:
            self.base["target_grayscale"] = True
        _, _, usual = extents_of([shape[:-1] for shape, _ in found.inputs.shapes.elements()])
        if math.prod(usual) > math.prod(facts.usual):
            self.notes.append("targets are larger than their inputs, which are enlarged to the size of targets")
            facts = replace(facts, usual=usual, resized=True)
        return replace(facts, outputs=1 if grey else 3, resized=facts.resized or usual != facts.usual)
