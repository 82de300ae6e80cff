"""Detections of the test set: `detections_<epoch>.json` as COCO has results, and pictures with boxes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from rmldnn.data.boxed_pictures import as_bytes, png, with_boxes
from rmldnn.data.sets import Dataset
from rmldnn.data.source import Source
from rmldnn.data.undoing import Undoing
from rmldnn.disk import replacing
from rmldnn.output.places import saving
from rmldnn.steps import EvalEnd, EvalStep, Step

_NONE = -1
"""The class of what is no detection."""
_SURE = 0.25
"""Detections of a lower score are in the file, but not drawn; where none is surer, the best one is."""


class Detections:
    """Consumes steps and writes the detections of each evaluation, in pixels of the pictures in their files.

    Args:
        folder: Where the files go.
        dataset: The test set.
        classes: Names of the classes, as far as they have some.
        pictures: Pictures of the set that are drawn.
        category_ids: The number that each class has in results, where targets do not say it; its index by default.
    """

    def __init__(
        self,
        folder: str,
        dataset: Dataset,
        classes: Sequence[str],
        pictures: int,
        category_ids: Sequence[int] = (),
    ) -> None:
        self._folder = Path(folder)
        self._classes = classes
        self._pictures = pictures
        self._undoing = Undoing.of(dataset.inputs)
        self._places: Mapping[str, int] = {name: place for place, name in enumerate(dataset.names)}
        targets = dataset.targets.source if dataset.targets else None
        self._image_ids = getattr(targets, "image_ids", None) or _numbers(dataset.names)
        self._category_ids: Sequence[int] = getattr(targets, "category_ids", None) or category_ids
        self._found: list[dict[str, Any]] = []
        self._drawn: list[tuple[int, list[dict[str, Any]]]] = []
        self.outputs: list[tuple[str, str]] = []
        """What was written last, and its path."""

    def consume(self, step: Step) -> None:
        """Takes the detections of an evaluated batch, and writes all when the evaluation is over.

        Raises:
            DataError: A picture cannot be read.
            RmldnnError: A file cannot be written.
        """
        match step:
            case EvalStep() if step.predictions is not None:
                self._add(step.names, step.predictions)
            case EvalEnd():
                self._write(step.epoch)

    def close(self) -> None:
        """Forgets what is not complete."""
        self._found, self._drawn = [], []

    def _add(self, names: Sequence[str], predictions: Tensor) -> None:
        for name, rows in zip(names, predictions.detach().cpu().double().numpy(), strict=True):
            place = self._places[name]
            rows = rows[rows[:, 5] != _NONE]
            corners = self._undoing.boxes(place, rows[:, :4])
            records = [
                {
                    "image_id": self._image_ids[place],
                    "category_id": self._category_id(int(kind)),
                    "bbox": [round(float(number), 2) for number in (*box[:2], *(box[2:] - box[:2]))],
                    "score": round(float(score), 5),
                    "file_name": name,
                }
                for box, (score, kind) in zip(corners, rows[:, 4:], strict=True)
            ]
            self._found += records
            if place < self._pictures:
                kinds = [int(kind) for kind in rows[:, 5]]
                self._drawn.append((place, [{**one, "kind": kind} for one, kind in zip(records, kinds, strict=True)]))

    def _category_id(self, kind: int) -> int:
        known = kind < len(self._category_ids) and self._category_ids[kind] >= 0
        return self._category_ids[kind] if known else kind

    def _write(self, epoch: int) -> None:
        path = self._folder / f"detections_{epoch}.json"
        lines = ",\n".join(json.dumps(record) for record in self._found)
        with saving(str(path)), replacing(path) as partial:
            partial.write_text(f"[\n{lines}\n]\n" if lines else "[]\n", encoding="utf-8")
        self.outputs = [("Detections", str(path))]
        if self._drawn:
            folder = self._folder / f"pictures_{epoch}"
            for place, records in self._drawn:
                self._draw(folder, place, records)
            self.outputs.append(("Pictures", str(folder)))
        self.close()

    def _draw(self, folder: Path, place: int, records: Sequence[Mapping[str, Any]]) -> None:
        source = self._undoing.source
        pixels = as_bytes(np.asarray(source.take(np.array([place]))[0]), rgb=bool(getattr(source, "rgb", False)))
        sure = [one for one in records if one["score"] >= _SURE] or list(records[:1])
        sure.reverse()  # the surest one on top
        corners = np.array([one["bbox"] for one in sure]).reshape(-1, 4)
        corners[:, 2:] += corners[:, :2]
        words = [f"{self._word(one['kind'])} {one['score']:.2f}" for one in sure]
        drawn = with_boxes(pixels, corners, [one["kind"] for one in sure], words)
        path = folder / f"{_leaf(source, place)}.png"
        with saving(str(path)):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(png(drawn))

    def _word(self, kind: int) -> str:
        return self._classes[kind] if kind < len(self._classes) else str(kind)


def _leaf(source: Source, place: int) -> str:
    """The name of a picture as that of a file, less its suffix and steps upwards."""
    parts = [part for part in source.names[place].rpartition(".")[0].split("/") if part not in ("", ".", "..")]
    return "/".join(parts) or str(place)


def _numbers(names: Sequence[str]) -> list[int]:
    """A number for each picture: that which its name is, as in COCO; its place from 1 where not all names are some."""
    stems = [name.rpartition("/")[2].rpartition(".")[0] for name in names]
    numeric = all(stem.isascii() and stem.isdigit() for stem in stems) and len(set(map(int, stems))) == len(stems)
    return [int(stem) for stem in stems] if numeric else list(range(1, len(names) + 1))
