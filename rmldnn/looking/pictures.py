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
from rmldnn.looking.bands import channels_of
from rmldnn.looking.measuring import (
    FEW,
    MOST,
    Look,
    Sets,
    class_counts,
    extents_of,
    facts_of,
    indices,
    of_targets,
    surveyed,
    training_set,
    with_numbers,
)

_FEWER = 10
"""Masks rarely have more; neither have pictures of as few grey values."""
_FEW_NUMBERS = 20
"""Classes that are called by numbers; more are rather quantities."""
_COLOURS = (1, 3, 4)
_FLAT = 3
"""Axes of a picture."""
_NO_MASK = "cannot use this mask"
"""What is said of files that can be read, but hold no classes."""
_TOLD = {"segmentation": "classes of pixels", "image-to-image": "pictures"}


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
        self.sets = Sets()
        self.notes: list[str] = []
        self.others: list[Task] = []

    def look(self) -> Look:
        """Finds out what is to be learned, and what samples are like."""
        task = self._task()
        if self.layout.form == "table" and task == "regression":
            self.base["meaning"] = "numbers"
        if task == "image-to-image":
            self.base = {"type": "images", **{key: self.base[key] for key in self.base if not key.endswith("_type")}}
        self._count_channels()
        opened = self.sets(self.base)
        found = surveyed(training_set(opened))
        facts = self._with_targets(facts_of(opened, found, self.base, task), opened, found)
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
            if self.task is None and len(possible) > 1:
                self.others = list(possible[1:])
                self.notes.append(
                    f"whole numbers are taken for {'quantities' if possible[0] == 'regression' else 'classes'}; --task "
                    f"{possible[1]} says otherwise"
                )
        else:
            possible = ("detection",) if form == "boxes" else ("classification",)
        if self.task is not None and self.task not in possible:
            raise ConfigError(f"--task {self.task}: this data is for {' or '.join(possible)}")
        return self.task or possible[0]

    def _of_table(self) -> tuple[Task, ...]:
        """What may be learned from the columns, the likely one first."""
        try:
            classes = training_set(self.sets(self.base)).classes
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
            found = of_targets(training_set(self.sets(self.base)), FEW)
            fault = next((one for one in found.faults if _NO_MASK in one), "")
            if not fault and not found.inputs.shapes:
                raise DataError(found.faults[0])
        except DataError as error:
            self.sets({**self.base, "target_type": "images"})  # tells what is wrong with pictures as well
            fault = str(error)
        if fault and called:
            raise DataError(f"{fault}; --task image-to-image takes these targets for pictures")
        if fault:
            self.notes.append(f"targets are taken for pictures: {fault}")
            return "image-to-image"
        count = len(found.inputs.classes)
        if count <= _FEWER:
            return "segmentation"
        tasks: tuple[Task, Task] = ("segmentation", "image-to-image")
        task, other = tasks if called and count <= MOST else tasks[::-1]
        if count <= MOST and (called or count <= FEW):
            self.others.append(other)
        hint = f"; --task {other} takes them for {_TOLD[other]}" if count <= MOST else ""
        what = f"there are {count} different values in {found.seen} of them"
        self.notes.append(f"targets are taken for {_TOLD[task]}: {what}{hint}")
        return task

    def _count_channels(self) -> None:
        """Says by keys how many channels pictures have, if not three."""
        source = training_set(self.sets(self.base)).inputs.source
        channels = channels_of(source)
        try:
            pages = np.asarray(source.take(np.array([0]))[0]).ndim > _FLAT  # these may count as bands
        except DataError:
            pages = False
        if pages:
            self.notes.append("pages of TIFF files are taken for the depth of volumes")
            channels = {1} if channels.isdisjoint(_COLOURS) else {3}
        if channels == {1}:
            self.base["input_grayscale"] = True
        elif len(channels) == 1 and channels.isdisjoint(_COLOURS):
            self.base["input_bands"] = "all"

    def _with_targets(self, facts: Facts, opened: Data, found: Survey) -> Facts:
        train = training_set(opened)
        if facts.task in ("classification", "detection"):
            if len(train.classes) < (2 if facts.task == "classification" else 1):
                raise DataError(f"there is but one class, {', '.join(train.classes)}; nothing is to be told apart")
            return replace(facts, outputs=len(train.classes), classes=list(train.classes))
        if facts.task == "segmentation":
            values, ignored, count = indices(sorted(class_counts(opened)))
            if values is not None:
                self.base["values"] = values
            return replace(facts, outputs=count, ignored=ignored)
        if facts.task == "image-to-image":
            return self._with_pictures(facts)
        assert found.targets is not None  # noqa: S101 - tables have them
        facts = with_numbers(facts, found.targets)
        if facts.outputs > 1 and "columns" not in self.base:
            self.notes.append(
                f"{facts.outputs} columns of `{self.layout.train.target}` are targets; --columns takes some"
            )
        return facts

    def _with_pictures(self, facts: Facts) -> Facts:
        train = training_set(self.sets(self.base))
        assert train.targets is not None  # noqa: S101 - pairs have them
        grey = channels_of(train.targets.source) == {1}
        if grey:
            self.base["target_grayscale"] = True
        found = of_targets(train)
        if not found.inputs.shapes:
            raise DataError(found.faults[0])
        _, _, usual = extents_of([shape[:-1] for shape, _ in found.inputs.shapes.elements()])
        if math.prod(usual) > math.prod(facts.usual):
            self.notes.append("targets are larger than their inputs, which are enlarged to the size of targets")
            facts = replace(facts, usual=usual, resized=True)
        return replace(facts, outputs=1 if grey else 3, resized=facts.resized or usual != facts.usual)
