"""Boxes of a JSON file of annotations as COCO has it."""

from __future__ import annotations

import json
import logging
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rmldnn.component import component, show
from rmldnn.data import boxes
from rmldnn.data.boxes import Objects
from rmldnn.data.class_names import categories
from rmldnn.data.discovery import discover
from rmldnn.data.pairing import some
from rmldnn.data.source import Side, Source
from rmldnn.data.transform import Boxes
from rmldnn.errors import ConfigError, DataError, Problem

_log = logging.getLogger("rmldnn")

_PARTS = ("images", "annotations", "categories")


class Coco(Objects):
    """The boxes of a COCO file; see `Source`.

    Args:
        inputs: The pictures.
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
        inputs: Source,
        file: str,
        images: Sequence[Mapping[str, Any]],
        values: Sequence[NDArray[np.float32]],
        classes: Mapping[str, int],
        category_ids: Sequence[int],
        faults: Mapping[int, Sequence[str]],
    ) -> None:
        super().__init__(inputs, classes, faults)
        self.most = max(map(len, values))
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
    content = _read(file)
    images = _paired(file, content["images"], side)
    known = side.training.classes if isinstance(side.training, Objects) else None
    classes, ids = _classes(file, content["categories"], known)
    annotations = _Annotations(file, content["annotations"], images, ids)
    if not side.skip_bad:
        boxes.refuse(annotations.faults)
    order = list(classes.values())
    every = known or classes
    category_ids = [ids[order.index(index)] if index in order else -1 for index in range(len(every))]
    return Coco(side.inputs, file, images, annotations.values(order), every, category_ids, annotations.faults)


def _read(file: str) -> dict[str, Any]:
    """The content of the file, of which the parts are there."""
    try:
        content = json.loads(Path(file).read_bytes())
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        line = f":{error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        reason = getattr(error, "strerror", None) or getattr(error, "msg", None) or str(error)
        raise DataError(f"{file}{line}: cannot read these annotations: {reason}; repair the file") from None
    lacking = [part for part in _PARTS if not isinstance(content, dict) or not isinstance(content.get(part), list)]
    if lacking:
        raise DataError(f"{file}: is no file of annotations of COCO: it has no list `{lacking[0]}`; name another one")
    for part, keys in (("images", ("id", "file_name", "width", "height")), ("categories", ("id", "name"))):
        for place, entry in enumerate(content[part]):
            if strange := [key for key in keys if not isinstance(entry, dict) or key not in entry]:
                raise DataError(f"{file}: {part}[{place}]: `{strange[0]}` is missing; add it")
    return dict(content)


def _paired(file: str, images: Sequence[dict[str, Any]], side: Side) -> list[dict[str, Any]]:
    """The entry of every input."""
    assert side.inputs is not None  # noqa: S101 - `coco` has seen it
    entries = {_written(image["file_name"]): image for image in images}
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
    here = {id(entry) for entry in entered}
    if gone := [name for name, image in entries.items() if id(image) not in here]:
        _log.warning(
            f"{file}: {len(gone):,} of {len(entries):,} pictures are not in the {side.words} set{some('', gone, 3)}"
        )
    return entered


def _written(name: Any) -> str:
    return str(name).replace("\\", "/").removeprefix("./")


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


class _Annotations:
    """The annotations of some pictures.

    Args:
        file: The file.
        entries: What it lists.
        images: The entry of every picture.
        ids: The numbers of the categories.
    """

    def __init__(
        self, file: str, entries: Sequence[Any], images: Sequence[Mapping[str, Any]], ids: Sequence[int]
    ) -> None:
        self.faults: defaultdict[int, list[str]] = defaultdict(list)
        """What is wrong with boxes of a picture, by its index."""
        self._rows: list[list[tuple[int, bool, Sequence[float]]]] = [[] for _ in images]
        places = {image["id"]: place for place, image in enumerate(images)}
        categories = {number: place for place, number in enumerate(ids)}
        for number, entry in enumerate(entries):
            place = places.get(entry.get("image_id")) if isinstance(entry, dict) else None
            if place is None:
                continue  # of another picture
            fault = _fault(entry, images[place], categories)
            if fault:
                name = f" (id {entry['id']})" if "id" in entry else ""
                self.faults[place].append(f"{file}: annotations[{number}]{name}: {fault}")
            else:
                category = categories[entry["category_id"]]
                self._rows[place].append((category, bool(entry.get("iscrowd")), entry["bbox"]))

    def values(self, order: Sequence[int]) -> list[NDArray[np.float32]]:
        """The boxes of every picture; `order` has the class of each category."""
        found = []
        for some_rows in self._rows:
            values = np.empty((len(some_rows), boxes.COLUMNS), np.float32)
            for row, (category, many, (left, top, width, height)) in zip(values, some_rows, strict=True):
                number = order[category]
                row[:] = boxes.crowd(number) if many else number, left, top, left + width, top + height
            found.append(values)
        return found


def _fault(entry: Mapping[str, Any], image: Mapping[str, Any], categories: Mapping[int, int]) -> str:
    """Why an annotation cannot be used; empty if it can."""
    box = entry.get("bbox")
    if not isinstance(box, list) or len(box) != boxes.COLUMNS - 1 or not all(map(_is_number, box)):
        return f"`bbox` must be left, top, width, height, got {show(box)}; repair it"
    if entry.get("category_id") not in categories:
        return f"there is no category {show(entry.get('category_id'))}; add it to `categories`, or repair this"
    left, top, width, height = box
    if width <= 0 or height <= 0:
        return f"the box {show(box)} has no area; width and height, its last two numbers, must be positive"
    if boxes.beyond((left, top, left + width, top + height), image["width"], image["height"]):
        return (
            f"the box {show(box)} (left, top, width, height) reaches beyond its picture of {image['width']} x "
            f"{image['height']} (width x height); cut it, or repair it"
        )
    return ""


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
