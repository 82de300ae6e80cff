"""Fetches CIFAR-10 into cifar10/{train,test}/<class>/*.png (162 MB); with --stand-in, draws a small set like it.

CIFAR-10 has 60,000 pictures of 32 x 32 pixels (Krizhevsky, 2009). The stand-in has figures of ten kinds, with any
colour, place, size and turn, on a ground that is no single colour either: 100 of each for training, 20 for the test.
"""

from __future__ import annotations

import argparse
import tarfile
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

URL = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
MD5 = "c32a1d4ab5d03f1284b67883e8d87530"
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
FIGURES = ("bar", "cross", "disc", "frame", "half", "ring", "slash", "square", "star", "triangle")
SIZE = 32


def download(folder: Path) -> None:
    """Fetches the archive, and writes each picture as a file."""
    from rmldnn.data.fetch import fetch

    count = 0
    with tarfile.open(fetch(URL, "cifar-10-binary.tar.gz", md5=MD5)) as archive:
        for member in archive:
            stem = Path(member.name).stem
            content = archive.extractfile(member)  # None for folders
            if content is None or not stem.startswith(("data_batch", "test_batch")):
                continue
            rows = np.frombuffer(content.read(), np.uint8).reshape(-1, 1 + 3 * SIZE * SIZE)
            for row in rows:  # the class, then red, green and blue planes
                part = "test" if stem.startswith("test") else "train"
                picture = row[1:].reshape(3, SIZE, SIZE).transpose(1, 2, 0)[..., ::-1]
                save(folder / part / CLASSES[row[0]] / f"{count:05d}.png", picture)
                count += 1
    print(f"{count} pictures in {folder}/")


def stand_in(folder: Path) -> None:
    """Draws pictures."""
    random = np.random.default_rng(0)
    for part, number in (("train", 100), ("test", 20)):
        for figure in FIGURES:
            for index in range(number):
                save(folder / part / figure / f"{index:03d}.png", draw(figure, random))
    print(f"{len(FIGURES) * 120} pictures in {folder}/")


def draw(figure: str, random: np.random.Generator) -> NDArray[np.uint8]:
    """A figure somewhere in a picture."""
    corners = random.integers(0, 256, (2, 2, 3)).astype(np.float32)
    ground = cv2.resize(corners, (SIZE, SIZE), interpolation=cv2.INTER_LINEAR)
    mean = ground.mean(axis=(0, 1))
    color = np.where(mean > 127, mean - random.integers(90, 128, 3), mean + random.integers(90, 128, 3))
    large = 4 * SIZE  # drawn four times as large, for smooth edges
    shape = np.zeros((large, large), np.float32)
    paint(shape, figure)
    turn = cv2.getRotationMatrix2D((large / 2, large / 2), random.uniform(-20, 20), random.uniform(0.6, 1))
    turn[:, 2] += random.uniform(-18, 18, 2)
    shape = cv2.resize(cv2.warpAffine(shape, turn, (large, large)), (SIZE, SIZE), interpolation=cv2.INTER_AREA)[
        ..., None
    ]
    picture = ground * (1 - shape) + color * shape + random.normal(0, 8, (SIZE, SIZE, 3))
    return picture.clip(0, 255).astype(np.uint8)


def paint(shape: NDArray[np.float32], figure: str) -> None:
    """Draws a figure of about 80 pixels into the middle of 128 x 128."""
    if figure == "bar":
        shape[52:76, 20:108] = 1
    elif figure == "cross":
        shape[54:74, 24:104] = shape[24:104, 54:74] = 1
    elif figure == "disc":
        cv2.circle(shape, (64, 64), 40, 1, -1)
    elif figure == "frame":
        cv2.rectangle(shape, (30, 30), (98, 98), 1, 14)
    elif figure == "half":
        cv2.ellipse(shape, (64, 84), (44, 44), 0, 180, 360, 1, -1)
    elif figure == "ring":
        cv2.circle(shape, (64, 64), 36, 1, 14)
    elif figure == "slash":
        cv2.line(shape, (30, 98), (98, 30), 1, 22)
    elif figure == "square":
        shape[28:100, 28:100] = 1
    else:  # star, triangle
        angles = np.arange(10 if figure == "star" else 3) * (2 * np.pi / (10 if figure == "star" else 3)) - np.pi / 2
        radii = np.where(np.arange(len(angles)) % 2, 18, 46) if figure == "star" else np.full(3, 46)
        points = np.stack([64 + radii * np.cos(angles), 64 + radii * np.sin(angles)], axis=1)
        cv2.fillPoly(shape, [points.round().astype(np.int32)], 1)


def save(path: Path, picture: NDArray[np.uint8]) -> None:
    """Writes a picture (H, W, 3), blue first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(path), picture):
        raise OSError(f"cannot write {path}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stand-in", action="store_true", help="draw a small set instead of fetching")
    make = stand_in if parser.parse_args().stand_in else download
    make(Path("cifar10"))
