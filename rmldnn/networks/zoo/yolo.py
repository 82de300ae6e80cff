"""YOLO, third version; Redmon and Farhadi, 2018."""

# ruff: noqa: B006 - defaults of components are literals, which nobody changes

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Annotated

from annotated_types import Len

from rmldnn.component import component
from rmldnn.networks.graph import Graph
from rmldnn.networks.zoo.draft import Draft, Tensor
from rmldnn.types import Count, Positive


@component("yolov3")
def yolov3(
    *,
    num_classes: Count = 80,
    input_shape: list[Count | None] = [416, 416, 3],
    width: Positive = 1.0,
    blocks: Annotated[list[Count], Len(5, 5)] = [1, 2, 8, 8, 4],
    num_anchors: Count = 3,
) -> Graph:
    """YOLOv3: boxes at 1/32, 1/16 and 1/8 of the extents, one scale after the other along the first axis.

    Args:
        num_classes: Kinds of objects. Each box has its centre, its size, its confidence and one number for each.
        input_shape: Height, width and channels; null for an extent that may vary. Extents are multiples of 32.
        width: Channels of each layer, as a multiple of those of YOLOv3.
        blocks: Residual blocks at 1/2, 1/4, ... 1/32 of the extents.
        num_anchors: Boxes of each cell; the loss needs three times as many `anchors`.
    """
    yolo = _Yolo(Draft("yolov3"), width, blocks)
    x = yolo.net.input(input_shape, minimum=32, multiple=32)
    *_, fine, middle, coarse = yolo.darknet(x)
    boxes = []
    numbers = num_anchors * (num_classes + 5)
    x, scale = yolo.scale(coarse, 512, numbers)
    boxes.append(scale)
    for side, filters in ((middle, 256), (fine, 128)):
        x, scale = yolo.scale(yolo.joined(x, side, filters), filters, numbers)
        boxes.append(scale)
    count = sum(box.shape[0] or 0 for box in boxes) if None not in (box.shape[0] for box in boxes) else None
    shape = (count, boxes[0].channels)
    return yolo.net.graph(yolo.net.layer("Concatenate", boxes, shape, "concatenate_final", axis=1))


class _Yolo:
    """A network whose layers count from 1, as in weight files that were converted from Darknet."""

    def __init__(self, net: Draft, width: float, blocks: Sequence[int]) -> None:
        self.net = net
        self._width = width
        self._blocks = blocks
        self._counts: Counter[str] = Counter()

    def darknet(self, x: Tensor) -> list[Tensor]:
        """The results of Darknet-53 at each scale, the finest first."""
        x = self.conv(x, 32, 3)
        scales = []
        for filters, blocks in zip((64, 128, 256, 512, 1024), self._blocks, strict=True):
            x = self.conv(x, filters, 3, strides=2)
            for _ in range(blocks):
                inner = self.conv(self.conv(x, filters // 2, 1), filters, 3)
                x = self.net.add(x, inner, name=self._name("add"))
            scales.append(x)
        return scales

    def scale(self, x: Tensor, filters: int, numbers: int) -> tuple[Tensor, Tensor]:
        """What finer scales go on with, and the boxes of this one as (boxes, numbers)."""
        for _ in range(2):
            x = self.conv(self.conv(x, filters, 1), 2 * filters, 3)
        x = self.conv(x, filters, 1)
        out = self.net.conv(self.conv(x, 2 * filters, 3), numbers, 1, padding="same", name=self._name("conv2d"))
        height, width = out.spatial
        cells = height * width if height and width else None
        extents = f"{height}x{width}" if cells else str(self._name("scale"))
        return x, self.net.layer("Reshape", out, (cells, numbers), f"reshape_{extents}", target_shape=[-1, numbers])

    def joined(self, x: Tensor, side: Tensor, filters: int) -> Tensor:
        """`x` enlarged, with the channels of `side`."""
        x = self.net.upsampling(self.conv(x, filters, 1), name=self._name("up_sampling2d"))
        return self.net.concatenate(x, side, name=self._name("concatenate"))

    def conv(self, x: Tensor, filters: int, kernel: int, strides: int = 1) -> Tensor:
        """Convolution, normalization, leaky activation."""
        filters = max(1, round(filters * self._width))
        x = self.net.conv(x, filters, kernel, strides, "same", use_bias=False, name=self._name("conv2d"))
        x = self.net.batch_norm(x, momentum=0.9, epsilon=1e-5, name=self._name("batch_normalization"))
        return self.net.layer("LeakyReLU", x, name=self._name("leaky_re_lu"), alpha=0.1)

    def _name(self, stem: str) -> str:
        self._counts[stem] += 1
        return f"{stem}_{self._counts[stem]}"
