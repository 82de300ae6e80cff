"""Files of annotations as COCO has them: read, and judged before anything is made of them."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rmldnn.component import show
from rmldnn.data import boxes
from rmldnn.errors import DataError

_PARTS = ("images", "annotations", "categories")
_MOST = 2.0**31
"""Above every number of pixels."""


def read(file: str) -> dict[str, Any]:
    """The content of a file, whose `images` can be told apart; see `Annotations` for the rest.

    Raises:
        DataError: It cannot be read, is no such file, or has entries that cannot be used.
    """
    try:
        content = json.loads(Path(file).read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        line = f":{error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        reason = getattr(error, "strerror", None) or getattr(error, "msg", None) or str(error)
        raise DataError(f"{file}{line}: cannot read these annotations: {reason}; repair the file") from None
    lacking = [part for part in _PARTS if not isinstance(content, dict) or not isinstance(content.get(part), list)]
    if lacking:
        raise DataError(f"{file}: is no file of annotations of COCO: it has no list `{lacking[0]}`; name another one")
    for part, keys in (("images", _IMAGE), ("categories", _CATEGORY)):
        for place, entry in enumerate(content[part]):
            for key, (fits, wanted) in keys.items():
                if not isinstance(entry, dict) or key not in entry:
                    raise DataError(f"{file}: {part}[{place}]: `{key}` is missing; add it")
                if not fits(entry[key]):
                    value = show(entry[key])
                    raise DataError(f"{file}: {part}[{place}]: `{key}` must be {wanted}, got {value}; repair it")
    _tell_apart(file, content["images"], "id", lambda image: image["id"])
    _tell_apart(file, content["images"], "file_name", lambda image: written(image["file_name"]))
    return dict(content)


def written(name: str) -> str:
    """A `file_name` as names of samples are written."""
    return name.replace("\\", "/").removeprefix("./")


def _tell_apart(
    file: str, images: Sequence[Mapping[str, Any]], key: str, told: Callable[[Mapping[str, Any]], Hashable]
) -> None:
    """Refuses two images that have something in common."""
    places: dict[Hashable, int] = {}
    for place, image in enumerate(images):
        first = places.setdefault(told(image), place)
        if first != place:
            raise DataError(
                f"{file}: images[{first}] and images[{place}] have the same `{key}`, {show(image[key])}, so nobody "
                "knows whose annotations are whose; remove or repair one of them"
            )


class Annotations:
    """The annotations of some pictures.

    Args:
        file: The file.
        content: What is in it.
        images: The entry of every picture.
        ids: The numbers of the categories.

    Raises:
        DataError: An annotation belongs to no entry.
    """

    def __init__(
        self, file: str, content: Mapping[str, Any], images: Sequence[Mapping[str, Any]], ids: Sequence[int]
    ) -> None:
        self.faults: defaultdict[int, list[str]] = defaultdict(list)
        """What is wrong with boxes of a picture, by its index."""
        self._rows: list[list[tuple[int, bool, Sequence[float]]]] = [[] for _ in images]
        places = {image["id"]: place for place, image in enumerate(images)}
        known = {image["id"] for image in content["images"]}
        categories = {number: place for place, number in enumerate(ids)}
        lost: list[tuple[int, Any]] = []
        for number, entry in enumerate(content["annotations"]):
            if not isinstance(entry, dict) or not _is_id(entry.get("image_id")) or entry["image_id"] not in known:
                lost.append((number, entry))
            elif (place := places.get(entry["image_id"])) is None:
                continue  # of a picture of another set
            elif fault := _fault(entry, images[place], categories):
                self.faults[place].append(f"{_named(file, number, entry)}: {fault}")
            else:
                category = categories[entry["category_id"]]
                self._rows[place].append((category, bool(entry.get("iscrowd")), entry["bbox"]))
        if lost:
            number, entry = lost[0]
            more = f" ({len(lost) - 1:,} more like this)" if len(lost) > 1 else ""
            raise DataError(f"{_named(file, number, entry)}: {_homeless(entry, known)}{more}")

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


def _named(file: str, number: int, entry: Any) -> str:
    """The place of an annotation."""
    known = f" (id {entry['id']})" if isinstance(entry, dict) and "id" in entry else ""
    return f"{file}: annotations[{number}]{known}"


def _homeless(entry: Any, known: set[Any]) -> str:
    """Why nobody knows to which picture an annotation belongs."""
    if not isinstance(entry, dict):
        return f"must be an object, got {show(entry)}; repair or remove it"
    if "image_id" not in entry:
        return "`image_id` is missing; add it"
    given = entry["image_id"]
    near = next((f"write it as the entry does, {show(one)}" for one in known if str(one) == str(given)), "")
    remedy = near or "add the entry, repair this, or remove the annotation"
    return f"`image_id` is the `id` of no entry in `images`, got {show(given)}; {remedy}"


def _fault(entry: Mapping[str, Any], image: Mapping[str, Any], categories: Mapping[int, int]) -> str:
    """Why an annotation cannot be used; empty if it can."""
    box, kind = entry.get("bbox"), entry.get("category_id")
    if not isinstance(box, list) or len(box) != boxes.COLUMNS - 1 or not all(map(_is_number, box)):
        return f"`bbox` must be left, top, width, height, got {show(box)}; repair it"
    if not _is_whole(kind) or kind not in categories:
        return f"there is no category {show(kind)}; add it to `categories`, or repair this"
    if entry.get("iscrowd") not in (None, 0, 1):
        return f"`iscrowd` must be 0 or 1, got {show(entry['iscrowd'])}; repair it"
    left, top, width, height = box
    if width <= 0 or height <= 0:
        return f"the box {show(box)} has no area; width and height, its last two numbers, must be positive"
    corners, sides = (left, top, left + width, top + height), (image["width"], image["height"])
    words = f"its picture of {sides[0]} x {sides[1]} (width x height)"
    if boxes.beyond(corners, *sides):
        return f"the box {show(box)} (left, top, width, height) reaches beyond {words}; cut it, or repair it"
    if boxes.outside(corners, *sides):
        return (
            f"the box {show(box)} (left, top, width, height) lies beyond {words}, nothing of it is left there; remove "
            "it, or repair it"
        )
    return ""


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < _MOST


def _is_whole(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value == value // 1


def _is_id(value: Any) -> bool:
    return isinstance(value, str) or _is_whole(value)


def _is_extent(value: Any) -> bool:
    return _is_number(value) and _is_whole(value) and value >= 1


_EXTENT = (_is_extent, "a whole number of pixels, at least 1")
_IMAGE = {
    "id": (_is_id, "a whole number"),
    "file_name": (lambda value: isinstance(value, str), "a text"),
    "width": _EXTENT,
    "height": _EXTENT,
}
_CATEGORY = {"id": (_is_whole, "a whole number"), "name": (lambda value: isinstance(value, str), "a text")}
