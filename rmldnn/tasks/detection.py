"""Learning to find objects on pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from rmldnn.losses import cells
from rmldnn.losses.cells import Anchors
from rmldnn.losses.yolov3 import YoloV3
from rmldnn.steps import Batch
from rmldnn.tasks.supervised import Supervised
from rmldnn.tasks.suppression import detections
from rmldnn.types import Total


class Detection(Supervised):
    """Compares the boxes of a YOLO network with those of objects; what it gives in an evaluation are detections.

    Args:
        loss: The loss; None if the network is only to predict.
        anchors: Width and height of the boxes that the network starts from.
        confidence: The least score of a detection.
        iou: Intersection over union above which two boxes of a class are of one object.
        most: The largest number of detections of a picture.
        penalty: What the network's regularizers add to the loss; None, or a function that may give None.
    """

    def __init__(
        self,
        loss: YoloV3 | None,
        anchors: Anchors,
        *,
        confidence: float,
        iou: float,
        most: int,
        penalty: Callable[[], Tensor | None] | None = None,
    ) -> None:
        super().__init__(penalty=penalty)
        self.loss = loss
        self.metric = None  # how well objects are found is no sum over batches; see `metrics.average_precision`
        self.anchors = anchors
        self.confidence = confidence
        self.iou = iou
        self.most = most

    def forward(self, network: nn.Module, batch: Batch, total: Total) -> tuple[Tensor | None, Tensor]:
        """The loss, penalties included, if there are targets; and detections (n, most, 6), or while learning nothing
        but the first output of the network."""  # noqa: D205, D209 - one sentence
        output: Tensor | Sequence[Tensor] = network(batch.inputs)
        loss: Tensor | None = None
        if self.loss is not None and batch.targets is not None:
            loss = self.loss(output, batch.targets, total)
            penalty = self.penalty() if self.penalty is not None else None
            loss = loss if penalty is None else loss + penalty
        if torch.is_grad_enabled():
            return loss, output if isinstance(output, Tensor) else output[0]
        return loss, self._found(output, batch.inputs.shape[2:])

    def _found(self, output: Any, extent: Sequence[int]) -> Tensor:
        if isinstance(output, Tensor):
            output = output.float()
        scales = cells.scales(output, extent, self.anchors)
        return detections(scales, self.anchors, extent, confidence=self.confidence, iou=self.iou, most=self.most)
