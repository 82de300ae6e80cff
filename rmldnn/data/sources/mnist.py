"""Files of the format IDX, in which MNIST and its successors come: pictures, and the class of each."""

from __future__ import annotations

import gzip
import logging
import math
import re
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
from numpy.typing import NDArray

from rmldnn.component import component
from rmldnn.data.files import fingerprint
from rmldnn.data.source import Indices, Meaning, Side, Source
from rmldnn.disk import absent
from rmldnn.errors import ConfigError, DataError, Problem

_log = logging.getLogger("rmldnn")

_BYTES = 8
"""The type of unsigned bytes in the third byte of a file."""
_MOST_AXES = 3
_PICTURES = re.compile(r"(^|[-_.])(train|t10k|test)[-_.]images[-.]idx\d-ubyte(\.gz)?$")
_SETS = {"train": ("train",), "test": ("t10k", "test")}
_KNOWN = "`train-images-idx3-ubyte` and `t10k-images-idx3-ubyte`, each with or without `.gz`"


class Idx(Source):
    """The samples of one IDX file; see `Source`.

    Args:
        path: The file.
        array: All samples, with a leading axis.
        classes: Names and indices of the classes where samples are classes.
    """

    kind = "mnist"

    def __init__(self, path: str, array: NDArray[np.uint8], classes: Mapping[str, int] | None = None) -> None:
        self.path = path
        self.array = array
        self.classes: Mapping[str, int] = classes or {}
        self.meaning: Meaning = "pixels" if classes is None else "classes"
        self.noun = "images" if classes is None else "labels"
        digits = max(5, len(str(len(array) - 1)))
        self.names = [f"{index:0{digits}}" for index in range(len(array))]

    def take(self, indices: Indices) -> NDArray[Any]:
        """Pixels (n, H, W, 1), uint8, or classes (n,), int64."""
        taken: NDArray[Any] = np.asarray(self.array[indices])
        return taken.astype(np.int64) if self.meaning == "classes" else taken[..., None]

    def locate(self, index: int) -> str:
        """The file and the number of the sample."""
        return f"{self.path}/{self.names[index]}"

    def encoded_bytes(self, limit: int) -> int:  # noqa: ARG002
        """Nothing is decoded: samples are in memory, or in a file that the system keeps there."""
        return 0

    def fingerprint(self) -> str:
        """Of the file."""
        return fingerprint(self.kind, self.classes, files=[self.path])


@component("mnist")
def mnist(side: Side) -> Idx | None:
    """Opens IDX files of unsigned bytes, compressed or not, as MNIST, Fashion-MNIST and EMNIST have them.

    The path is one file, or a folder with `train-images-idx3-ubyte` for the training set and `t10k-images-idx3-ubyte`
    for the test set, in it or below. Targets are the classes in the file of labels that lies beside the images, unless
    a path names another file or folder; a file of images given as targets holds pictures. Images have one channel, and
    pixels are scaled to [0, 1] in the batch.

    Args:
        side: What to open.

    Returns:
        The source; None for inputs without a path.

    Raises:
        ConfigError: There is no path, and the inputs do not tell it.
        DataError: A file is missing, damaged, or of another type; images and labels differ in number.
    """
    if side.role == "input":
        if side.path is None:
            return None
        path = _images(side, side.path)
    else:
        path = _targets(side)
    _log.info(f"Discovering {side.words} {'labels' if side.role == 'target' else 'input images'}...")
    array = read_idx(path)
    if side.inputs is not None and len(array) != len(side.inputs.names):
        raise DataError(
            f"{path}: has {len(array)} labels for {len(side.inputs.names)} inputs (the first: "
            f"{side.inputs.locate(0)}); every input needs one"
        )
    if side.role == "input" or array.ndim > 1:
        return Idx(path, array)
    found = int(array.max()) + 1
    _log.info(f"Number of class labels: {len(np.unique(array))}")
    training = side.training.classes if isinstance(side.training, Idx) else {}
    if training and found > len(training):
        at = int(np.argmax(array))
        raise DataError(
            f"{path}: label {at} is of class {found - 1}, but those of the training set end at {len(training) - 1}; "
            "name the labels that belong together"
        )
    return Idx(path, array, training or {str(index): index for index in range(found)})


def _images(side: Side, configured: str) -> str:
    """The file of images of a set.

    Raises:
        DataError: There is none, or more than one.
    """
    root = Path(configured)
    if root.is_file():
        return configured
    if not root.is_dir():
        raise DataError(f"data.{side.key}: {absent(configured)}")
    found: dict[str, Path] = {}
    for path in sorted(root.rglob("*ubyte*")):
        match = _PICTURES.search(path.name)
        if match and match[2] in _SETS[side.which]:
            found.setdefault(str(path).removesuffix(".gz"), path)  # uncompressed files come first
    if not found:
        raise DataError(
            f"data.{side.key}: no IDX file of {side.words} images in `{configured}` or below; files known here are "
            f"{_KNOWN}; or name one file"
        )
    if len(found) > 1:
        names = ", ".join(f"`{path}`" for path in found.values())
        raise DataError(f"data.{side.key}: several files of {side.words} images: {names}; name one of them")
    return str(next(iter(found.values())))


def _targets(side: Side) -> str:
    """The file of targets of a set: that which is configured, or the one beside the images."""
    if side.path is not None and Path(side.path).is_file():
        return side.path
    if side.path is not None:
        images = _images(side, side.path)
    elif isinstance(side.inputs, Idx):
        images = side.inputs.path
    else:
        raise ConfigError(
            Problem(f"data.{side.key}", "is missing: the folder or the file of the labels, as inputs are not `mnist`")
        )
    name = re.sub(r"idx\d", "idx1", Path(images).name.replace("images", "labels")).removesuffix(".gz")
    for path in (Path(images).with_name(name), Path(images).with_name(f"{name}.gz")):
        if path.is_file():
            return str(path)
    raise DataError(f"{images}: no labels beside it; they should be in `{name}` or `{name}.gz` in the same folder")


def read_idx(path: str) -> NDArray[np.uint8]:
    """Reads an IDX file of unsigned bytes with up to three axes; one that is not compressed stays in its file.

    Raises:
        DataError: The file cannot be read, is cut short, or is of another type.
    """
    try:
        with Path(path).open("rb") as plain:
            compressed = plain.read(2) == b"\x1f\x8b"
            plain.seek(0)
            if not compressed:
                shape = _shape(path, plain)
                size = 4 + 4 * len(shape) + math.prod(shape)
                has = plain.seek(0, 2)
                if has < size:
                    raise _short(path, has, size)
                return np.memmap(path, np.uint8, "r", 4 + 4 * len(shape), shape)
            with gzip.open(plain) as file:
                shape = _shape(path, cast(IO[bytes], file))
                try:
                    array = np.empty(shape, np.uint8)
                except (MemoryError, ValueError):
                    raise DataError(
                        f"{path}: its shape of {shape} does not fit into memory; decompress the file, or fetch it again"
                    ) from None
                size = int(file.readinto(memoryview(array).cast("B")))  # type: ignore[arg-type]
                if size < array.size:
                    raise _short(path, size, array.size)
                file.read(1)  # the sum of checks comes after the last byte
                return array
    except EOFError as error:
        raise DataError(f"{path}: cannot read this file: it is cut short; fetch it again") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path}: cannot read this file: its compressed data are damaged; fetch it again") from error
    except OSError as error:
        raise DataError(f"{path}: cannot read this file: {error.strerror}") from error


def _shape(path: str, file: IO[bytes]) -> tuple[int, ...]:
    head = file.read(4)
    if len(head) < 4 or head[:2] != b"\x00\x00":
        raise DataError(
            f"{path}: is no IDX file: it begins with the bytes {head.hex(' ') or '(none)'}, not with 00 00 08; name a "
            "file such as `train-images-idx3-ubyte`, or fetch it again"
        )
    kind, axes = head[2], head[3]
    if kind != _BYTES or not 1 <= axes <= _MOST_AXES:
        raise DataError(
            f"{path}: is an IDX file of type {kind:#04x} with {axes} axes; only unsigned bytes, type 0x08, with 1 to "
            f"{_MOST_AXES} axes are read here; convert it to `numpy`"
        )
    extents = file.read(4 * axes)
    if len(extents) < 4 * axes:
        raise _short(path, 4 + len(extents), 4 + 4 * axes)
    shape = tuple(int(extent) for extent in np.frombuffer(extents, ">u4"))
    if 0 in shape:
        raise DataError(f"{path}: holds nothing: its shape is {shape}; fetch it again")
    return shape


def _short(path: str, has: int, wanted: int) -> DataError:
    return DataError(
        f"{path}: cannot read this file: it is cut short, {has} of {wanted} bytes are there; fetch it again"
    )
