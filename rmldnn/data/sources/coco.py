"""Boxes of a JSON file of annotations as COCO has it."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rmldnn.component import component
from rmldnn.data import boxes
from rmldnn.data.annotations import Annotations, read, written
from rmldnn.data.boxes import Objects
from rmldnn.data.class_names import categories
from rmldnn.data.discovery import discover
from rmldnn.data.pairing import some
from rmldnn.data.source import Side
from rmldnn.data.transform import Boxes
from rmldnn.errors import ConfigError, DataError, Problem

_log = logging.getLogger("rmldnn")


class Coco(Objects):
    """The boxes of a COCO file; see `Source`.

    Args:
        side: Of which set.
        file: The file.
        images: For every picture its entry among the file's `images`.
        values: The boxes of every picture, (k, 5): class, left, top, right, bottom.
        classes: All classes by name; their order gives the indices.
        category_ids: The number that each class has in the file.
        faults: Why boxes of a picture cannot be used, by its index.
    """

    kind = "coco"

    def __init__(
        self,
        side: Side,
        file: str,
        images: Sequence[Mapping[str, Any]],
        values: Sequence[NDArray[np.float32]],
        classes: Mapping[str, int],
        category_ids: Sequence[int],
        faults: Mapping[int, Sequence[str]],
    ) -> None:
        super().__init__(side, values, classes, faults)
        self.category_ids = category_ids
        self.image_ids: Sequence[int] = [image["id"] for image in images]
        """The number that each picture has in the file."""
        self._file = file
        self._images = images
        self._values = values

    def boxes(self, index: int) -> Boxes:
        """The boxes of a picture, which is as large as the file says."""
        image, found = self._images[index], boxes.picture_extent(self.inputs, index)
        if found != (image["height"], image["width"]):
            raise DataError(
                f"{self.locate(index)}: the picture {self.inputs.locate(index)} is {found[1]} x {found[0]}, but its "
                f"entry says {image['width']} x {image['height']} (width x height); put the picture back that the "
                "boxes were drawn on, or repair the entry"
            )
        return boxes.cut(Boxes(found, self._values[index]))

    def locate(self, index: int) -> str:
        """The file, and the number of the picture in it."""
        return f"{self._file}: image {self._images[index]['id']}"


@component("coco")
def coco(side: Side) -> Coco | None:
    """Takes the boxes of every picture from a JSON file of annotations as COCO has it.

    The path of the targets is that of the file. Its `images` are paired with the inputs by `file_name`, with or without
    folders; those of other pictures are passed over. Classes are its `categories` in the order of their numbers, and in
    a test set those of the training set of the same name. Annotations with `iscrowd` teach nothing: what is found there
    counts neither for nor against.

    Args:
        side: What to open.

    Returns:
        The source; None if no path is configured.

    Raises:
        ConfigError: Boxes are wanted as inputs.
        DataError: There is no such file, a picture has no entry, or boxes cannot be used.
    """
    if side.inputs is None:
        raise ConfigError(Problem("data.input_type", "`coco` are targets, not inputs; use `images` here"))
    if side.path is None:
        return None
    _log.info(f"Discovering {side.words} {side.role} boxes...")
    start, names = discover(side, (".json",), "annotations")
    if len(names) > 1:
        raise DataError(f"data.{side.key}: there are several files in `{side.path}`{some('', names, 4)}; name one")
    file = start + names[0]
    content = read(file)
    images = _paired(file, content["images"], side)
    known = side.training.classes if isinstance(side.training, Objects) else None
    classes, ids = _classes(file, content["categories"], known)
    found = Annotations(file, content, images, ids)
    if not side.skip_bad:
        boxes.refuse(found.faults)
    order = list(classes.values())
    every = known or classes
    category_ids = [ids[order.index(index)] if index in order else -1 for index in range(len(every))]
    return Coco(side, file, images, found.values(order), every, category_ids, found.faults)


def _paired(file: str, images: Sequence[dict[str, Any]], side: Side) -> list[dict[str, Any]]:
    """The entry of every input."""
    assert side.inputs is not None  # noqa: S101 - `coco` has seen it
    entries = {written(image["file_name"]): image for image in images}
    leaves = {PurePosixPath(name).name: image for name, image in entries.items()}
    by_leaf = leaves if len(leaves) == len(entries) else {}
    found = [entries.get(name) or by_leaf.get(PurePosixPath(name).name) for name in side.inputs.names]
    lacking = [name for name, entry in zip(side.inputs.names, found, strict=True) if entry is None]
    if lacking:
        raise DataError(
            f"data.{side.key}: `{file}` has no entry in `images` for {len(lacking):,} of {len(found):,} pictures"
            f"{some('', lacking, 5)}; add one, even where a picture has no boxes, or remove the picture"
        )
    entered = [entry for entry in found if entry is not None]
    uses = Counter(map(id, entered))
    if double := next((entry for entry in entered if uses[id(entry)] > 1), None):
        names = [name for name, entry in zip(side.inputs.names, found, strict=True) if entry is double]
        raise DataError(
            f"{file}: the entry `{double['file_name']}` in `images` would be that of {len(names):,} pictures"
            f"{some('', names, 4)}; write their folders into `file_name`, and give each an entry of its own"
        )
    if gone := [name for name, image in entries.items() if id(image) not in uses]:
        _log.warning(
            f"{file}: {len(gone):,} of {len(entries):,} pictures are not in the {side.words} set{some('', gone, 3)}"
        )
    return entered


def _classes(
    file: str, entries: Sequence[dict[str, Any]], known: Mapping[str, int] | None
) -> tuple[dict[str, int], list[int]]:
    """The index of each category's class by name, and the number of each category, in the same order."""
    numbers = categories(file, entries)
    if known is None:
        return {name: index for index, name in enumerate(numbers)}, list(numbers.values())
    if strange := [name for name in numbers if name not in known]:
        raise DataError(f"{file}: category `{strange[0]}` is none of the training set{some('', list(known), 10)}")
    return {name: known[name] for name in numbers}, list(numbers.values())
