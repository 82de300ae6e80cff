import logging

import cv2
import numpy as np
import pytest

from rmldnn.data.pipeline import Pipeline
from rmldnn.data.sets import Dataset
from rmldnn.data.source import Source
from rmldnn.data.transform import Part


class Numbers(Source):
    """A source whose sample `i` is the number `i`."""

    kind = "numbers"
    noun = "numbers"
    meaning = "classes"

    def __init__(self, count):
        self.names = [str(index) for index in range(count)]

    def take(self, indices):
        return indices.copy()

    def locate(self, index):
        return self.names[index]

    def encoded_bytes(self, limit):
        return 0


class Pictures(Numbers):
    """A source of given arrays (H, W, C)."""

    meaning = "pixels"

    def __init__(self, *arrays):
        super().__init__(len(arrays))
        self.arrays = arrays

    def take(self, indices):
        return [self.arrays[index] for index in indices]


@pytest.fixture(scope="session")
def numbers():
    """Makes a set whose inputs and targets are the numbers up to a count."""
    return lambda count: Dataset(Pipeline(Numbers(count), Part("input")), Pipeline(Numbers(count), Part("target")))


@pytest.fixture(scope="session")
def pictures():
    """Makes a source of arrays."""
    return Pictures


@pytest.fixture(scope="session")
def write():
    """Writes a picture: one of a single colour, or given pixels."""

    def write(path, value=0, *, width=6, height=4, options=()):
        pixels = value if isinstance(value, np.ndarray) else np.full((height, width, 3), value, np.uint8)
        path.parent.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(path), pixels, list(options))
        return path

    return write


@pytest.fixture
def digits(tmp_path, write):
    """Ten pictures in `training` and four in `testing`, of the classes 0 and 1, each of its own colour."""
    for which, count in (("training", 10), ("testing", 4)):
        for index in range(count):
            write(tmp_path / which / str(index % 2) / f"{index}.png", 10 * index + (which == "testing"))
    return tmp_path


@pytest.fixture
def said(caplog):
    """The lines logged so far."""
    with caplog.at_level(logging.INFO, "rmldnn"):
        yield lambda: [record.getMessage() for record in caplog.records]
