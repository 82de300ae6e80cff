"""Boxes of text files as Darknet reads them: one for each picture, a line for each box."""

from __future__ import annotations

import logging
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path as FilePath

import numpy as np
from numpy.typing import NDArray

from rmldnn.component import component
from rmldnn.data import boxes
from rmldnn.data.boxes import Objects
from rmldnn.data.class_names import read as class_names_in
from rmldnn.data.discovery import discover
from rmldnn.data.pairing import some
from rmldnn.data.source import Side
from rmldnn.data.transform import Boxes
from rmldnn.errors import ConfigError, DataError, Problem
from rmldnn.types import Path

_log = logging.getLogger("rmldnn")

_MOST_CLASSES = 2**16


class Yolo(Objects):
    """The boxes of Darknet's text files; see `Source`.

    Args:
        side: Of which set.
        files: For every picture its file; empty where it has none, and so no boxes.
        values: The boxes of every picture, (k, 5): class, left, top, right, bottom, in parts of the picture.
        classes: All classes by name; their order gives the indices.
        faults: Why boxes of a picture cannot be used, by its index.
    """

    kind = "yolo"

    def __init__(
        self,
        side: Side,
        files: Sequence[str],
        values: Sequence[NDArray[np.float64]],
        classes: Mapping[str, int],
        faults: Mapping[int, Sequence[str]],
    ) -> None:
        super().__init__(side, values, classes, faults)
        self._files = files
        self._values = values

    def boxes(self, index: int) -> Boxes:
        """The boxes of a picture, in its pixels."""
        height, width = boxes.picture_extent(self.inputs, index)
        scaled = (self._values[index] * [1, width, height, width, height]).astype(np.float32)
        return boxes.cut(Boxes((height, width), scaled))

    def locate(self, index: int) -> str:
        """The file of the boxes, or that of the picture if there is none."""
        return self._files[index] or self.inputs.locate(index)


@component("yolo")
def yolo(side: Side, *, class_names: Path | None = None) -> Yolo | None:
    """Takes the boxes of every picture from text files as Darknet reads them.

    The path of the targets is that of their folder; the boxes of `a/1.jpg` are in `a/1.txt` there. Each line is a box:
    the index of its class, then the middle and the size in parts of the picture's width and height (`class x y width
    height`). Pictures without a file have no boxes.

    Args:
        side: What to open.
        class_names: Text file with the name of each class in a line of its own, such as Darknet's `coco.names`; YAML
            file with `names`, such as `data.yaml`; or JSON file of annotations of COCO. Classes are called by their
            indices without it.

    Returns:
        The source; None if no path is configured.

    Raises:
        ConfigError: Boxes are wanted as inputs.
        DataError: There are no such files, none belongs to a picture, or boxes cannot be used.
    """
    if side.inputs is None:
        raise ConfigError(Problem("data.input_type", "`yolo` are targets, not inputs; use `images` here"))
    if side.path is None:
        return None
    _log.info(f"Discovering {side.words} {side.role} boxes...")
    start, found = discover(side, (".txt",), "boxes")
    known = side.training.classes if isinstance(side.training, Objects) else None
    names = (
        list(known)
        if known is not None
        else list(class_names_in(class_names, "data.class_names"))
        if class_names is not None
        else []
    )
    files = _paired(start, found, side)
    faults: defaultdict[int, list[str]] = defaultdict(list)
    values = []
    for index, file in enumerate(files):
        values.append(_read(file, len(names) or _MOST_CLASSES, faults[index]) if file else np.empty((0, boxes.COLUMNS)))
    faults = defaultdict(list, {index: several for index, several in faults.items() if several})
    if not side.skip_bad:
        boxes.refuse(faults)
    if not names:
        largest = max((int(one[:, 0].max()) for one in values if len(one)), default=0)
        names = [str(index) for index in range(largest + 1)]
    return Yolo(side, files, values, {name: index for index, name in enumerate(names)}, faults)


def _paired(start: str, found: Sequence[str], side: Side) -> list[str]:
    """The file of every input, empty where there is none."""
    assert side.inputs is not None  # noqa: S101 - `yolo` has seen it
    by_stem = {name.rpartition(".")[0]: name for name in found}
    stems = [name.rpartition(".")[0] for name in side.inputs.names]
    files = [start + by_stem[stem] if stem in by_stem else "" for stem in stems]
    lacking = [name for name, file in zip(side.inputs.names, files, strict=True) if not file]
    if len(lacking) == len(files):
        raise DataError(
            f"data.{side.key}: no file of boxes in `{side.path}` belongs to a picture; the boxes of "
            f"`{side.inputs.names[0]}` are looked for in `{start}{stems[0]}.txt`"
        )
    if lacking:
        _log.warning(
            f"data.{side.key}: {len(lacking):,} of {len(files):,} pictures have no file of boxes, and so nothing on "
            f"them{some('', lacking, 3)}"
        )
    return files


def _read(file: str, num_classes: int, faults: list[str]) -> NDArray[np.float64]:
    """The boxes of a file; tells what is wrong with lines."""
    try:
        lines = FilePath(file).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        faults.append(f"{file}: cannot read these boxes: {reason}; repair or remove it")
        return np.empty((0, boxes.COLUMNS))
    rows = []
    for number, line in enumerate(lines, start=1):
        if line.strip():
            row, fault = _box(line, num_classes)
            if fault:
                faults.append(f"{file}:{number}: {fault}")
            else:
                rows.append(row)
    return np.array(rows, np.float64).reshape(-1, boxes.COLUMNS)


def _box(line: str, num_classes: int) -> tuple[list[float], str]:
    """The numbers of a line, or why it is no box."""
    words = line.split()
    try:
        numbers = [float(word) for word in words]
    except ValueError:
        numbers = []
    if len(numbers) != boxes.COLUMNS or not all(map(math.isfinite, numbers)):
        return [], f"must be five numbers, `class x y width height`, got `{line.strip()[:60]}`; repair it"
    kind, x, y, width, height = numbers
    if kind != int(kind) or not 0 <= kind < num_classes:
        known = f"from 0 to {num_classes - 1}" if num_classes < _MOST_CLASSES else "from 0"
        return [], f"class {words[0]} is none; classes are whole numbers {known}, as many as there are names"
    if width <= 0 or height <= 0:
        return [], "the box has no area; width and height, its last two numbers, must be positive"
    corners = [x - width / 2, y - height / 2, x + width / 2, y + height / 2]
    if boxes.beyond(corners, least=0.0):
        return (
            [],
            "the box reaches beyond its picture; numbers are parts of the picture's width and height, from 0 to 1",
        )
    if boxes.outside(corners):
        return [], "the box lies beyond its picture, nothing of it is left there; remove it, or repair it"
    return [kind, *corners], ""
