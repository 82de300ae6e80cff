"""Boxes on pictures: annotations of COCO, text files of YOLO beside pictures."""

from __future__ import annotations

from collections.abc import Iterator

from rmldnn.data.layouts.layout import Layout, Pair
from rmldnn.data.layouts.listing import Entry, Set, beginning, kind_of, set_of, stem, words
from rmldnn.data.layouts.pairs import TESTS, names_of_classes, pictures_of
from rmldnn.errors import DataError

_NO_BOXES = frozenset({"captions", "keypoints", "panoptic", "stuff", "results", "predictions", "config", "package"})
"""Words of JSON files that are none of boxes."""

_START = 2**20
"""Bytes of a file in which one of the keys of COCO stands."""


def coco(root: Entry) -> Iterator[Layout]:
    """Files of annotations, and the pictures that they are about."""
    files: dict[Set, str] = {}
    for folder in root.below():
        for name in folder.files:
            below = f"{folder.path}/{name}"[len(root.path) :]
            if kind_of(name) == "json" and not _NO_BOXES & {*words(name)} and _annotates(f"{folder.path}/{name}"):
                which = set_of(name) or set_of(below)
                if which not in files or "instances" in words(name):
                    files[which] = f"{folder.path}/{name}"
    train: Set = "train" if "train" in files else ""
    pictures = pictures_of(root, train)
    if train not in files or pictures is None:
        return
    test = next((Pair(found, files[one]) for one in TESTS if one in files and (found := pictures_of(root, one))), None)
    if test is not None and test.input == pictures:
        raise DataError(
            f"`{pictures}` holds the pictures of both sets, each file of annotations knows some; put those that "
            f"`{test.target}` names into a folder of their own, such as `val/`"
        )
    yield Layout("boxes", "images", "coco", Pair(pictures, files[train]), test)


def _annotates(file: str) -> bool:
    """Whether a file begins as annotations do."""
    start = beginning(file, _START)
    return any(key in start for key in (b'"images"', b'"annotations"', b'"categories"'))


def darknet(root: Entry) -> Iterator[Layout]:
    """Text files of boxes beside their pictures."""

    def holds(folder: Entry) -> bool:
        pictures, texts = ({stem(one) for one in folder.files if kind_of(one) == kind} for kind in ("images", "txt"))
        return len(pictures & texts) * 2 > len(pictures) > 0

    parts = [one for one in root.folders if holds(one)]
    sets = {set_of(one.name): Pair(one.path, one.path) for one in parts}
    if holds(root) or (len(parts) > 1 and {*sets} == {""}):
        sets[""] = Pair(root.path, root.path)
    train = sets.get("train") or sets.get("")
    if train is not None:
        test = next((sets[one] for one in TESTS if one in sets), None)
        yield Layout("boxes", "images", "yolo", train, test, names_of_classes(root, root))
