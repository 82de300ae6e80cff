"""Boxes of objects on pictures: how they lie in arrays, and what sources of them have in common.

The boxes of a picture are an array (1 + k, 5) of float32, a row for each: class, left, top, right, bottom, in pixels
from the upper left corner. The first row is the frame, the picture as a whole; its class is `NONE`. Objects that stand
for a crowd have the class c < `NONE`, of which `crowd(c)` is the class of its members. In a batch, rows of class `NONE`
fill up what pictures have fewer boxes than the one with the most of the set.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from rmldnn.data import headers, memory
from rmldnn.data.decode import contents
from rmldnn.data.files import Files, fingerprint
from rmldnn.data.holding import hold
from rmldnn.data.source import Indices, Meaning, Samples, Side, Source
from rmldnn.data.transform import Boxes
from rmldnn.errors import DataError

NONE = -1
"""The class of what is no object."""
COLUMNS = 5
_HEAD = 2**16
"""Bytes of a file in which its header ends, for nearly all pictures."""
_FAULTS = 10
"""Faulty labels that a message lists."""
_SLACK = 0.01
"""The part of a picture by which a box may reach beyond it: roundings."""
PIXELS = 2.0
"""The least number of pixels by which it may."""
_LEAST = 1e-6
"""The part of a picture that a box must have in it: what is less is lost in single precision."""
_TURNED = 5
"""Orientations of JPEG files from this one on swap width and height."""

_Class = TypeVar("_Class", int, NDArray[Any])


def crowd(number: _Class) -> _Class:
    """The class of the members of a crowd, from that of the crowd; and back."""
    return -2 - number


def read(array: NDArray[Any]) -> Boxes:
    """The boxes of an array (1 + k, 5)."""
    *_, width, height = array[0].tolist()
    return Boxes((round(height), round(width)), array[1:])


def rows(boxes: Boxes) -> NDArray[np.float32]:
    """The array (1 + k, 5) of boxes."""
    height, width = boxes.extent
    frame = np.array([[NONE, 0, 0, width, height]], np.float32)
    return np.concatenate([frame, boxes.values])


def padded(samples: Samples, most: int) -> NDArray[np.float32]:
    """The boxes of several pictures as one array (n, 1 + most, 5)."""
    batch = memory.empty((len(samples), 1 + most, COLUMNS), np.float32)
    batch[...] = 0
    batch[..., 0] = NONE
    for room, sample in zip(batch, samples, strict=True):
        room[: len(sample)] = sample
    return batch


def most(source: Source) -> int:
    """The largest number of boxes on a picture of a source."""
    return int(getattr(source, "most", 0))


class Objects(Source):
    """The boxes of every picture; see `Source`. Whoever inherits says where they come from.

    Args:
        side: Of which set.
        values: The boxes of every picture, (k, 5), the class first.
        classes: All classes by name; their order gives the indices.
        faults: Why boxes of a picture cannot be used, by its index.
    """

    noun = "boxes"
    meaning: Meaning = "boxes"
    finite = True

    def __init__(
        self,
        side: Side,
        values: Sequence[NDArray[Any]],
        classes: Mapping[str, int],
        faults: Mapping[int, Sequence[str]],
    ) -> None:
        assert side.inputs is not None  # noqa: S101 - boxes are targets
        self.names = side.inputs.names
        self.inputs = side.inputs
        self.which = side.which
        self.classes = classes
        self.faults = faults
        self.most = max(map(len, values))
        """The largest number of boxes on a picture."""
        self.num_objects = sum(int((one[:, 0] > NONE).sum()) for one in values)
        """The number of boxes that stand for no crowd."""

    @abstractmethod
    def boxes(self, index: int) -> Boxes:
        """The boxes of a picture.

        Raises:
            DataError: The picture is of another size than its boxes say.
        """

    def take(self, indices: Indices) -> list[NDArray[np.float32]]:
        """The boxes at `indices`, (1 + k, 5) each."""
        return [self._taken(index) for index in indices.tolist()]

    def encoded_bytes(self, limit: int) -> int:  # noqa: ARG002
        """Nothing is left to read."""
        return 0

    def fingerprint(self) -> str:
        """Of names and classes, and of the pictures."""
        files = self.inputs.files() if isinstance(self.inputs, Files) else ()
        return fingerprint(self.kind, dict(self.classes), list(self.names), files=files)

    def _taken(self, index: int) -> NDArray[np.float32]:
        hold(index)
        if index in self.faults:
            raise DataError(self.faults[index][0])
        return rows(self.boxes(index))


def refuse(faults: Mapping[int, Sequence[str]]) -> None:
    """Refuses labels of which some cannot be used.

    Raises:
        DataError: There are some; lists the first of them.
    """
    listed = [fault for several in faults.values() for fault in several]
    if listed:
        more = f"\n  and {len(listed) - _FAULTS:,} more" if len(listed) > _FAULTS else ""
        way = 'leave such pictures out by `"on_bad_sample": "skip"` in `data` (`rmldnn data` lists them all)'
        head = f"{listed[0]}, or {way}" if len(listed) == 1 else f"{len(listed):,} labels cannot be used; {way}:"
        raise DataError(head + ("" if len(listed) == 1 else "".join(f"\n  {one}" for one in listed[:_FAULTS]) + more))


def picture_extent(source: Source, index: int) -> tuple[int, int]:
    """Height and width of a picture, from the first bytes of its file where these tell them.

    Raises:
        DataError: It cannot be read.
    """
    place = source.locate(index)
    found: tuple[int, int] | None = None
    if isinstance(source, Files):
        try:
            with open(place, "rb") as file:  # noqa: PTH123 - called for every picture
                head = file.read(_HEAD)
            found = _extent(head) or (_extent(contents(place)) if len(head) == _HEAD else None)
        except OSError:
            contents(place)  # tells what is wrong
    if found is not None:
        return found
    pixels = source.take(np.array([index]))[0]
    return pixels.shape[0], pixels.shape[1]


def _extent(data: bytes) -> tuple[int, int] | None:
    """Height and width, once the picture is upright."""
    if jpeg := headers.jpeg(data):
        return (jpeg.width, jpeg.height) if jpeg.orientation >= _TURNED else (jpeg.height, jpeg.width)
    found = headers.extent(data)
    return (found.height, found.width) if found is not None and found.pages == 1 else None


def beyond(corners: Sequence[float], width: float = 1.0, height: float = 1.0, least: float = PIXELS) -> bool:
    """Whether a box reaches further beyond a picture than roundings explain.

    Args:
        corners: Left, top, right, bottom.
        width: Of the picture.
        height: Of the picture.
        least: What is always allowed.
    """
    left, top, right, bottom = corners
    across, down = max(_SLACK * width, least), max(_SLACK * height, least)
    return left < -across or top < -down or right > width + across or bottom > height + down


def outside(corners: Sequence[float], width: float = 1.0, height: float = 1.0) -> bool:
    """Whether nothing of a box is left once it is cut; arguments as of `beyond`."""
    left, top, right, bottom = corners
    across, down = min(right, width) - max(left, 0), min(bottom, height) - max(top, 0)
    return across <= _LEAST * width or down <= _LEAST * height


def cut(boxes: Boxes) -> Boxes:
    """Boxes within their picture."""
    height, width = boxes.extent
    values = boxes.values.copy()
    values[:, 1::2] = values[:, 1::2].clip(0, width)
    values[:, 2::2] = values[:, 2::2].clip(0, height)
    return Boxes(boxes.extent, values)
