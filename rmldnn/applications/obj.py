"""A run that learns to find objects on pictures."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path as Folder
from typing import Any

import torch
from torch import Tensor

from rmldnn.applications.application import Application
from rmldnn.component import component
from rmldnn.data.boxes import Objects
from rmldnn.data.class_names import read as class_names_in
from rmldnn.data.loader import Loader
from rmldnn.data.source import Source
from rmldnn.data.transforms.geometric import in_words
from rmldnn.engine.evaluation import Metrics
from rmldnn.errors import DataError, NetworkError, Problem
from rmldnn.losses import cells
from rmldnn.losses.cells import NUMBERS, Output
from rmldnn.losses.yolov3 import YoloV3
from rmldnn.metrics.average_precision import AveragePrecision
from rmldnn.networks.layout import tensor_shape
from rmldnn.networks.network import Network
from rmldnn.output.console import Consumer
from rmldnn.output.detections import Detections
from rmldnn.output.predictions import Predictions
from rmldnn.tasks.detection import Detection
from rmldnn.tasks.task import Task
from rmldnn.types import Count, Fraction, Index, Path

log = logging.getLogger("rmldnn")


@component("obj")
class Obj(Application):
    """Object detection: a YOLO network, the loss YOLOv3, boxes as targets; the accuracy is COCO's mAP@50.

    Predictions are `detections_<epoch>.json` in `test_output_path`, COCO's form of results.

    Args:
        confidence: The least score of a detection: the probability of an object, times that of the class.
        iou: Intersection over union above which two boxes of one class are of the same object, and the less sure one
            is dropped.
        max_detections: The largest number of detections of a picture.
        pictures: Pictures of the test set that are drawn with their detections, below `test_output_path`.
        class_names: What classes are called where there are no boxes to say it, as in a run that only predicts: the
            annotations of COCO that the network learned from, whose categories also give `category_id`, a text file
            with the name of each class in a line, or a YAML file with `names`.

    Raises:
        DataError: The file of names cannot be read.
    """

    def __init__(
        self,
        *,
        confidence: Fraction = 0.05,
        iou: Fraction = 0.45,
        max_detections: Count = 100,
        pictures: Index = 0,
        class_names: Path | None = None,
    ) -> None:
        self.confidence = confidence
        self.iou = iou
        self.max_detections = max_detections
        self.pictures = pictures
        self.class_names = class_names_in(class_names, "task.class_names") if class_names is not None else {}
        """The number of each class by its name."""
        self.num_classes = 0
        """Classes of the network, once it is known that it fits."""
        self._boxes = YoloV3()

    def loss(self, model: Network, nodes: Mapping[str, Any]) -> Callable[..., Tensor] | None:
        """The loss, whose anchors are those of the network too; None if there is none."""
        found = super().loss(model, nodes)
        if isinstance(found, YoloV3):
            self._boxes = found
        return found

    def task(self, model: Network, loss: Callable[..., Tensor] | None) -> Task:
        """One step takes the loss of boxes, and an evaluation makes detections."""
        return Detection(
            self._boxes if loss is not None else None,
            self._boxes.anchors,
            confidence=self.confidence,
            iou=self.iou,
            most=self.max_detections,
            penalty=model.penalty,
        )

    def require_fit(self, model: Network, loader: Loader, section: str) -> None:
        """Refuses pictures that the network cannot take, anchors that are not those of its cells, and further classes.

        Raises:
            NetworkError: Pictures or classes do not go with the network.
            ConfigError: Anchors do not go with it.
            DataError: There is nothing to learn from, or boxes do not lie on the pictures that the network sees.
        """
        sample = loader.sample()
        if loader.dataset.targets is not None:
            _require_objects(loader.dataset.targets.source)
        model.check_input(sample.inputs.shape, path=section)
        extent = tuple(sample.inputs.shape[2:])
        scales = cells.scales(_output(model, sample.inputs), extent, self._boxes.anchors)
        self.num_classes = scales[0].shape[-1] - NUMBERS
        dataset, classes = loader.dataset, self._classes(loader)
        if len(classes) > self.num_classes:
            plural = "es" if self.num_classes != 1 else ""
            names = ", ".join(classes[:4]) + (", ..." if len(classes) > 4 else "")
            message = (
                f"the network has outputs for {self.num_classes} class{plural}, but there are {len(classes)} "
                f"({names}); give its last layers {scales[0].shape[3]} x {NUMBERS + len(classes)} numbers for each cell"
            )
            raise NetworkError(Problem(section, message))
        if classes and self.num_classes > len(classes):
            log.warning(
                f"the network has outputs for {self.num_classes} classes, but there are {len(classes)}, numbered in "
                f"this order: {', '.join(classes)}"
            )
        if dataset.targets is not None and sample.targets is not None:
            _, _, _, width, height = sample.targets[0, 0].tolist()
            if (round(height), round(width)) != extent:
                place = dataset.targets.source.locate(dataset.names.index(sample.names[0]))
                raise DataError(
                    f"{place}: the boxes are on a picture of {in_words((round(height), round(width)))}, but the "
                    f"network sees one of {in_words(extent)}; put what moves pictures into `transforms`, which moves "
                    "boxes alike"
                )

    def require_targets(self, model: Any, loss: Any, loader: Loader) -> int:
        """`require_fit` has seen the boxes."""
        del model, loss, loader
        return 0

    def metrics(
        self, nodes: Mapping[str, Any], loss: Callable[..., Tensor] | None, test: Loader | None
    ) -> Metrics | None:
        """COCO's mean average precision, where there are boxes to compare with."""
        del nodes, loss
        if test is None or test.dataset.targets is None:
            return None
        return AveragePrecision(len(test.dataset), self.num_classes, test.dataset.classes, self.max_detections)

    def writers(
        self, predictions: Predictions, model: Network, test: Loader | None, epochs: int, folder: Folder | None = None
    ) -> Sequence[Consumer]:
        """Who writes detections."""
        del model, epochs, folder
        if test is None or predictions.folder is None:
            return []
        numbers = list(self.class_names.values())
        return [Detections(predictions.folder, test.dataset, self._classes(test), self.pictures, numbers)]

    def _classes(self, loader: Loader) -> Sequence[str]:
        """Names of the classes, as far as they have some."""
        return loader.dataset.classes or list(self.class_names)


def _require_objects(source: Source) -> None:
    """Refuses a training set without objects; doubts a test set without any."""
    if not isinstance(source, Objects) or source.num_objects:
        return
    kind = "crowds only" if source.most else "no boxes"
    if source.which == "train":
        raise DataError(
            f"data.target_path: there are {kind} on all {len(source.names):,} pictures of the training set, nothing to "
            "learn from; name another path, or look at it by `rmldnn data`"
        )
    log.warning(
        f"data.test_target_path: there are {kind} on all {len(source.names):,} pictures of the test set, so nothing "
        "can be measured"
    )


@torch.no_grad()
def _output(model: Network, inputs: Tensor) -> Output:
    """An output of the shape that the network gives for a picture; computed only where the shape is not known."""
    shapes = [tuple(shape[1:]) for shape in model.output_shapes]
    if model.channels_first or any(None in shape for shape in shapes):
        mode = model.training
        output: Output = model.eval()(inputs.to(next(model.parameters()).device))
        model.train(mode)
        return output
    known = [tensor_shape(shape) for shape in shapes]
    parts = [torch.empty(1, *(extent or 0 for extent in shape), device="meta") for shape in known]
    return parts[0] if len(parts) == 1 else parts
