"""A picture of many samples, as the network gets them after their transforms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from rmldnn.data.boxed_pictures import with_boxes
from rmldnn.data.boxes import NONE
from rmldnn.data.order import shuffled
from rmldnn.data.sets import Dataset
from rmldnn.data.source import Meaning, Source
from rmldnn.disk import replacing
from rmldnn.errors import DataError, RmldnnError

Picture: TypeAlias = NDArray[np.uint8]
"""A picture (H, W, 3), blue first."""

_TILE = 192
"""Width and height of a sample, in pixels."""
_LINE = 18
_GAP = 8
_COLUMNS = 4
_PANELS = 8
"""The most panels beside each other: samples, targets and predictions together."""
_LETTERS = 30
_INK, _PAPER, _GREY, _WRONG = (30, 30, 30), (255, 255, 255), (110, 110, 110), (40, 40, 220)
_COLOR_CHANNELS = (3, 4)
_SMALL = [cv2.IMWRITE_PNG_COMPRESSION, 9, cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_DEFAULT]
"""A file of a fifth of the size that OpenCV's own choice gives: enlarged pictures have equal rows."""
_PLANE = 2


def draw_sheet(
    dataset: Dataset,
    path: str,
    *,
    seed: int = 0,
    samples: int = 16,
    epoch: int = 1,
    predicted: Callable[[str], NDArray[Any] | None] | None = None,
) -> int:
    """Draws samples with their targets, and what a network made of them, and writes the picture as a PNG file.

    Pictures are shown as they are, other numbers from their smallest to their largest, volumes by the middle of their
    shortest axis, lines as curves. Class maps lie in colours over the input, beside it; class names stand below.

    Args:
        dataset: Where samples are.
        path: The file.
        seed: Of the order and of random transforms.
        samples: The most samples to draw; those that cannot be read, or have no prediction, are passed over.
        epoch: Of the random transforms.
        predicted: The prediction (C, *spatial) for the sample of a name, or None if there is none.

    Returns:
        The number of samples drawn.

    Raises:
        RmldnnError: The file cannot be written.
    """
    tiles: list[Picture] = []
    for index in shuffled(len(dataset), seed, 1).tolist():
        if len(tiles) == samples:
            break
        prediction = predicted(dataset.names[index]) if predicted else None
        if predicted and prediction is None:
            continue
        try:
            tiles.append(_tile(dataset, index, seed, epoch, prediction))
        except DataError:
            continue  # told elsewhere
    if not tiles:
        return 0
    encoded: NDArray[np.uint8] = cv2.imencode(".png", _arranged(tiles), _SMALL)[1]
    try:
        with replacing(Path(path)) as partial:
            partial.write_bytes(encoded.tobytes())
    except OSError as error:
        raise RmldnnError(f"cannot write `{path}`: {error.strerror or error}") from error
    return len(tiles)


def _tile(dataset: Dataset, index: int, seed: int, epoch: int, prediction: NDArray[Any] | None) -> Picture:
    """One sample with its target, its prediction and its name."""
    at = np.array([index])
    source = dataset.inputs.source
    sample = np.asarray(dataset.inputs.read(at, seed, epoch)[0])
    shown = _shown(sample, source.meaning, rgb=_rgb(source))
    panels, words = [shown], ""
    if dataset.targets:
        target = np.asarray(dataset.targets.read(at, seed, epoch)[0])
        meaning = dataset.targets.source.meaning
        if meaning == "boxes":
            panels[0] = _with_boxes(shown, target, dataset.classes)
        elif target.size == 1:
            words = _word(target.item(), dataset.classes)
        elif meaning == "classes":
            panels.append(_overlay(shown, _plane(target)[..., 0]))
        else:
            panels.append(_shown(target, meaning, rgb=_rgb(dataset.targets.source)))
    wrong = False
    if prediction is not None:
        meaning = dataset.targets.source.meaning if dataset.targets else "values"
        if prediction.ndim > 1:
            panels.append(_predicted(prediction, shown, meaning, rgb=_rgb(source)))
        elif meaning == "classes":
            index_of_class = _class(prediction)
            wrong = bool(dataset.targets) and index_of_class != target.item()
            words = f"{_word(int(index_of_class), dataset.classes)}{f', not {words}' if wrong else ''}"
        else:
            words = f"{words} ({', '.join(_word(float(number), ()) for number in prediction[:4])})"
    row = np.hstack([_fitted(panel) for panel in panels])
    width = row.shape[1]
    lines = [_text(dataset.names[index], width, _GREY, keep_end=True)]
    if words:
        lines.insert(0, _text(words, width, _WRONG if wrong else _INK))
    return np.vstack([row, *lines])


def _class(prediction: NDArray[Any]) -> Any:
    """The class that scores (C, *spatial) speak for; of a single score, whether it is above one half."""
    return prediction.argmax(axis=0) if len(prediction) > 1 else (prediction[0] > 0.5).astype(np.int64)


def _predicted(prediction: NDArray[Any], shown: Picture, meaning: Meaning, *, rgb: bool) -> Picture:
    """What a prediction with an extent looks like: as a target of this meaning does."""
    if meaning == "classes":
        return _overlay(shown, _plane(_class(prediction)[..., None])[..., 0])
    return _shown(np.moveaxis(prediction, 0, -1), meaning, rgb=rgb)


def _with_boxes(shown: Picture, rows: NDArray[Any], classes: Sequence[str]) -> Picture:
    """A picture with its boxes, as large as it is on the sheet, and the classes of those that are large enough."""
    fitted = _fitted(shown)
    height, width = shown.shape[:2]
    scale = _TILE / max(height, width)
    objects = rows[1:][rows[1:, 0] > NONE]
    aside = (_TILE - round(width * scale)) // 2, (_TILE - round(height * scale)) // 2
    corners = objects[:, 1:] * scale + np.array(aside * 2)
    kinds = objects[:, 0].astype(int).tolist()
    words = [
        _word(kind, classes) if box[2] - box[0] > _TILE / 4 else "" for kind, box in zip(kinds, corners, strict=True)
    ]
    return with_boxes(fitted, corners, kinds, words, enlarge=False)


def _rgb(source: Source) -> bool:
    return bool(getattr(source, "rgb", False))


def _word(value: Any, classes: Sequence[str]) -> str:
    known = isinstance(value, int) and 0 <= value < len(classes)
    return classes[value] if known else f"{value:.4g}" if isinstance(value, float) else str(value)


def _plane(sample: NDArray[Any]) -> NDArray[Any]:
    """The picture (H, W, C) in the middle of a volume."""
    while sample.ndim > _PLANE + 1:
        axis = int(np.argmin(sample.shape[:-1]))
        sample = sample.take(sample.shape[axis] // 2, axis)
    return sample


def _shown(sample: NDArray[Any], meaning: Meaning, *, rgb: bool) -> Picture:
    """What a sample looks like."""
    if sample.ndim <= _PLANE:
        return _curves(sample)
    plane = _plane(sample)
    channels = plane.shape[-1]
    plane = plane[..., :3] if channels in _COLOR_CHANNELS else plane[..., :1]
    if meaning == "pixels" and plane.dtype.kind == "u":
        bright = (plane >> 8 * (plane.dtype.itemsize - 1)).astype(np.uint8)
    elif meaning == "pixels" and plane.dtype.kind == "f":
        bright = (np.nan_to_num(plane).clip(0, 1) * 255).astype(np.uint8)
    else:
        bright = (_stretched(plane) * 255).astype(np.uint8)
    if bright.shape[-1] == 1:
        return np.repeat(bright, 3, axis=-1)
    return np.ascontiguousarray(bright[..., ::-1] if rgb or meaning == "values" else bright)


def _stretched(numbers: NDArray[Any]) -> NDArray[np.float32]:
    """Numbers scaled so that the smallest is 0 and the largest 1, but for strange ones at either end."""
    exact = numbers.astype(np.float32)
    finite = exact[np.isfinite(exact)]
    if not finite.size:
        return np.zeros(exact.shape, np.float32)
    low, high = np.percentile(finite, [0.5, 99.5])
    scaled: NDArray[np.float32] = np.nan_to_num((exact - low) / max(high - low, 1e-12)).clip(0, 1).astype(np.float32)
    return scaled


def _curves(sample: NDArray[Any]) -> Picture:
    """The numbers of a line (L, C) as one curve for each channel; those of a vector (C,) as one curve."""
    canvas = np.full((_TILE, _TILE, 3), 255, np.uint8)
    lines = sample.reshape(len(sample), -1) if sample.ndim else sample.reshape(1, 1)
    heights = (_TILE - 5) - _stretched(lines) * (_TILE - 10)
    across = np.linspace(4, _TILE - 5, len(lines))
    for channel in range(min(heights.shape[1], 8)):
        points = np.stack([across, heights[:, channel]], axis=1).round().astype(np.int32)
        color = tuple(int(part) for part in _colors()[1 + channel])
        cv2.polylines(canvas, [points], isClosed=False, color=color, thickness=1, lineType=cv2.LINE_AA)
    return canvas


def _overlay(shown: Picture, indices: NDArray[Any]) -> Picture:
    """A picture with its classes in colours; class 0 leaves it as it is, and classes of no index are white."""
    if shown.shape[:2] != indices.shape:
        shown = np.zeros((*indices.shape, 3), np.uint8)
    known = np.where((indices >= 0) & (indices < 2**16), indices.astype(np.int64), -1)
    colors = _colors()[np.where(known > 0, 1 + (known - 1) % (len(_colors()) - 1), 0)]
    colors[known < 0] = 255
    mixed = shown // 2 + colors // 2
    result: Picture = np.where((known == 0)[..., None], shown, mixed).astype(np.uint8)
    return result


def _colors() -> Picture:
    """Colours of classes that are easy to tell apart; that of class 0 is never used."""
    hues = (np.arange(24) * 0.618034 % 1 * 180).astype(np.uint8)
    hsv = np.stack([hues, np.full_like(hues, 220), np.full_like(hues, 255)], axis=-1)[None]
    return np.vstack([np.zeros((1, 3), np.uint8), cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR)[0]])


def _fitted(picture: Picture) -> Picture:
    """A picture in the middle of a tile."""
    height, width = picture.shape[:2]
    scale = _TILE / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    way = cv2.INTER_NEAREST if scale > 1 else cv2.INTER_AREA
    resized = cv2.resize(np.ascontiguousarray(picture), size, interpolation=way)
    tile = np.full((_TILE, _TILE, 3), 255, np.uint8)
    top, left = (_TILE - size[1]) // 2, (_TILE - size[0]) // 2
    tile[top : top + size[1], left : left + size[0]] = resized
    return tile


def _text(words: str, width: int, color: tuple[int, int, int], *, keep_end: bool = False) -> Picture:
    """A line of text; letters that the font lacks become question marks."""
    line = np.full((_LINE, width, 3), 255, np.uint8)
    letters = _LETTERS * width // _TILE
    if len(words) > letters:
        words = "..." + words[3 - letters :] if keep_end else words[: letters - 3] + "..."
    plain = words.encode("ascii", "replace").decode()
    cv2.putText(line, plain, (2, _LINE - 5), cv2.FONT_HERSHEY_SIMPLEX, 0.36, color, 1, cv2.LINE_AA)
    return line


def _arranged(tiles: Sequence[Picture]) -> Picture:
    """Tiles in rows, with room between them."""
    height = max(tile.shape[0] for tile in tiles)
    width = max(tile.shape[1] for tile in tiles)
    columns = min(_COLUMNS, len(tiles), max(_PANELS * _TILE // width, 1))
    rows = -(-len(tiles) // columns)
    sheet = np.full((rows * (height + _GAP) + _GAP, columns * (width + _GAP) + _GAP, 3), 255, np.uint8)
    for place, tile in enumerate(tiles):
        top = _GAP + place // columns * (height + _GAP)
        left = _GAP + place % columns * (width + _GAP)
        sheet[top : top + tile.shape[0], left : left + tile.shape[1]] = tile
    return sheet
