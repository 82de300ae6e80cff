"""How well objects are found: COCO's mean average precision."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rmldnn.errors import ConfigError, Problem
from rmldnn.types import Total

_NONE = -1
"""The class of what is neither object nor detection; below it are those of crowds, as of `data.boxes`."""
_COLUMNS = 6


class AveragePrecision:
    """Collects objects and detections of an evaluation and lets COCO's own program judge them, once at the end.

    Its numbers are those of the whole set, on any number of processes: objects and detections of all are brought
    together, in the order of the set.

    Args:
        count: Pictures of the test set.
        num_classes: Classes that the network knows.
        classes: Their names, as far as they have some.
        most: The largest number of detections of a picture.

    Raises:
        ConfigError: pycocotools is not installed.
    """

    accuracy: str | None = "mAP@50"
    names: Sequence[str] = ("mAP@50", "mAP@50:95")

    def __init__(self, count: int, num_classes: int, classes: Sequence[str], most: int) -> None:
        _program()
        self.count = count
        self.classes: Sequence[str] = [*classes, *map(str, range(len(classes), num_classes))]
        self.most = most
        self._found: list[tuple[int, NDArray[np.float64]]] = []
        self._objects: list[tuple[int, NDArray[np.float64]]] = []

    def update(self, output: Tensor, target: Tensor, first: int) -> None:
        """Takes this process's share of a batch.

        Args:
            output: Detections, shape (n, most, 6): left, top, right, bottom, score, class.
            target: Boxes, shape (n, 1 + m, 5), the frame first; see `data.boxes`.
            first: The place of the first picture in the test set.
        """
        for place, (found, objects) in enumerate(zip(_array(output), _array(target), strict=True), start=first):
            self._found.append((place, found[found[:, 5] != _NONE]))
            self._objects.append((place, objects[objects[:, 0] != _NONE]))

    def compute(self, total: Total) -> dict[str, Tensor]:
        """The numbers at the end of an evaluation; the next one begins anew.

        Args:
            total: Sums a tensor over all processes; called three times.

        Returns:
            `mAP@50`, `mAP@50:95` (the mean over the overlaps 0.50, 0.55, ..., 0.95), and `AP@50/<class>` of each class
            where there are several, float64. A class without objects has none: NaN.
        """
        found, objects = self._found, self._objects
        self._found, self._objects = [], []
        sizes = torch.zeros(2, self.count, dtype=torch.int64)
        for side, parts in enumerate((found, objects)):
            for place, part in parts:
                sizes[side, place] = len(part)
        sizes = total(sizes)
        every, truth = _together(found, sizes[0], total), _together(objects, sizes[1], total)
        precision = _precision(every, truth, self.count, len(self.classes), self.most)
        by_class = precision.mean(1)
        with np.errstate(invalid="ignore"):
            numbers = {
                "mAP@50": _mean(by_class[0]),
                "mAP@50:95": _mean(by_class.reshape(-1)),
                **({f"AP@50/{name}": by_class[0, k] for k, name in enumerate(self.classes)} if self._several else {}),
            }
        return {name: torch.tensor(float(number), dtype=torch.float64) for name, number in numbers.items()}

    @property
    def _several(self) -> bool:
        return len(self.classes) > 1


def _array(tensor: Tensor) -> NDArray[np.float64]:
    return tensor.detach().cpu().double().numpy()


def _mean(values: NDArray[np.float64]) -> float:
    """The mean of the numbers that there are."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")


def _together(parts: Sequence[tuple[int, NDArray[np.float64]]], sizes: Tensor, total: Total) -> NDArray[np.float64]:
    """The rows of all processes, in the order of the pictures, with the picture's place before each."""
    ends = sizes.cumsum(0)
    room = torch.zeros(int(ends[-1]) if len(ends) else 0, _COLUMNS + 1, dtype=torch.float64)
    for place, part in parts:
        end = int(ends[place])
        mine = room[end - len(part) : end]
        mine[:, 0] = place
        mine[:, 1 : 1 + part.shape[1]] = torch.from_numpy(part)
    return _array(total(room))


def _precision(
    found: NDArray[np.float64], objects: NDArray[np.float64], count: int, num_classes: int, most: int
) -> NDArray[np.float64]:
    """The precision at each recall, (overlaps, recalls, classes); NaN for classes without objects.

    Args:
        found: Picture, left, top, right, bottom, score, class.
        objects: Picture, class, left, top, right, bottom, nothing.
        count: Number of pictures.
        num_classes: Number of classes.
        most: The largest number of detections of a picture.
    """
    coco, evaluation = _program()
    truth = coco()
    many = objects[:, 1] < _NONE
    kinds = np.where(many, -2 - objects[:, 1], objects[:, 1]).astype(int)
    sides = objects[:, 4:6] - objects[:, 2:4]
    truth.dataset = {
        "info": {},
        "images": [{"id": place} for place in range(count)],
        "categories": [{"id": kind} for kind in range(num_classes)],
        "annotations": [
            {
                "id": number,
                "image_id": int(row[0]),
                "category_id": int(kind),
                "bbox": [row[2], row[3], *side],
                "area": float(side[0] * side[1]),
                "iscrowd": int(crowd),
            }
            for number, (row, kind, side, crowd) in enumerate(zip(objects, kinds, sides, many, strict=True), start=1)
        ],
    }
    boxes = np.column_stack([found[:, :3], found[:, 3:5] - found[:, 1:3], found[:, 5:]])
    with contextlib.redirect_stdout(io.StringIO()):  # it talks
        truth.createIndex()
        judge = evaluation(truth, truth.loadRes(boxes) if len(boxes) else _nothing(coco, truth), "bbox")
        judge.params.maxDets = [most]
        judge.params.areaRng, judge.params.areaRngLbl = judge.params.areaRng[:1], judge.params.areaRngLbl[:1]
        judge.evaluate()
        judge.accumulate()
    precision: NDArray[np.float64] = judge.eval["precision"][:, :, :, 0, 0].astype(np.float64)
    return np.where(precision < 0, np.nan, precision)


def _nothing(coco: Any, truth: Any) -> Any:
    """Results without any detection, which pycocotools does not load."""
    empty = coco()
    empty.dataset = {**truth.dataset, "annotations": []}
    empty.createIndex()
    return empty


def _program() -> tuple[Any, Any]:
    """COCO's classes of annotations and of their evaluation.

    Raises:
        ConfigError: pycocotools is not installed.
    """
    try:
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval
    except ImportError as error:
        message = (
            'the accuracy of object detection needs the package `pycocotools`; install it by: pip install "rmldnn'
            '[detection]"'
        )
        raise ConfigError(Problem("task", message)) from error
    return COCO, COCOeval
