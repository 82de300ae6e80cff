"""Fetches EuroSAT (90 MB); with --stand-in, draws a small set of the same form without a network connection.

EuroSAT (Helber et al., 2019) has 27,000 pictures of 64 x 64 pixels, taken by Sentinel-2, of ten uses of land. The
stand-in draws pictures that resemble them from afar. In either case the folders are

- many/{train,test}/<class>: six uses of land with many pictures each, to train a backbone with;
- few/train/<class>: the four others, with five pictures each; few/test/<class>: of these four, to see how good it is.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

URL = "https://huggingface.co/datasets/torchgeo/eurosat/resolve/c877bcd43f099cd0196738f714544e355477f3fd/EuroSAT.zip"
MD5 = "c8fa014336c82ac7804f0398fcb19387"
MANY = ("AnnualCrop", "Forest", "Highway", "Industrial", "PermanentCrop", "SeaLake")
FEW = ("HerbaceousVegetation", "Pasture", "Residential", "River")
SIZE = 64


def download() -> None:
    """Fetches the archive, and shares out its files."""
    from rmldnn.data.fetch import fetch, unpack

    source = unpack(fetch(URL, "EuroSAT.zip", md5=MD5), "eurosat") / "2750"
    for name, path in places(lambda use: sorted((source / use).iterdir()), train=1600, test=400, few_test=500):
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(name, path.with_suffix(name.suffix))


def stand_in() -> None:
    """Draws pictures."""
    random = np.random.default_rng(0)
    for use, path in places(lambda use: [use] * 150, train=80, test=20, few_test=50):
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path.with_suffix(".png")), draw(use, random))


def places(
    sources: Callable[[str], Sequence[Any]], *, train: int, test: int, few_test: int
) -> Iterator[tuple[Any, Path]]:
    """What every picture is made of, and where it goes, without the ending of its name."""
    for uses, parts in (
        (MANY, {"many/train": train, "many/test": test}),
        (FEW, {"few/train": 5, "few/test": few_test}),
    ):
        for use in uses:
            pictures = iter(enumerate(sources(use)))
            for part, number in parts.items():
                for _, (index, source) in zip(range(number), pictures, strict=False):
                    yield source, Path(part) / use / f"{index:04d}"


def noise(random: np.random.Generator, cell: int) -> NDArray[np.float32]:
    """Smooth noise of deviation 1 whose features are `cell` pixels large."""
    coarse = random.standard_normal((SIZE // cell + 2,) * 2).astype(np.float32)
    smooth = cv2.resize(coarse, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC)
    return (smooth - smooth.mean()) / smooth.std()


def stripes(random: np.random.Generator, period: float) -> NDArray[np.float32]:
    """Parallel stripes in any direction, from -1 to 1."""
    rows, columns = np.mgrid[:SIZE, :SIZE]
    angle = random.uniform(0, np.pi)
    return np.sin((rows * np.sin(angle) + columns * np.cos(angle)) * (2 * np.pi / period) + random.uniform(0, 6))


def path(random: np.random.Generator, bend: float) -> NDArray[np.int32]:
    """A line right through the picture; `bend` tells by how many pixels it swings."""
    along = np.arange(-10, SIZE + 10)
    across = SIZE * random.uniform(0.25, 0.75) + bend * np.sin(along / random.uniform(7, 12) + random.uniform(0, 6))
    points = np.stack([along, across + random.uniform(-0.4, 0.4) * (along - SIZE / 2)], axis=1)
    return (points if random.random() < 0.5 else points[:, ::-1]).round().astype(np.int32)


def draw(use: str, random: np.random.Generator) -> NDArray[np.uint8]:
    """A picture (H, W, 3), blue first, of a use of land."""
    green, brown = np.array([70, 105, 80]), np.array([85, 110, 130])
    picture = (green if random.random() < 0.5 else brown) + 8 * noise(random, 16)[..., None]
    if use == "AnnualCrop":
        fields = np.sign(stripes(random, random.uniform(30, 60)) * stripes(random, random.uniform(30, 60)))
        picture = picture + fields[..., None] * (18, 20, 24)
    elif use == "Forest":
        picture = np.array([58, 72, 50]) + 7 * noise(random, 4)[..., None]
    elif use == "Highway":
        cv2.polylines(picture, [path(random, random.uniform(0, 3))], isClosed=False, color=(150, 150, 150), thickness=3)
    elif use == "Industrial":
        for _ in range(random.integers(5, 9)):
            low, extent = random.integers(0, SIZE - 12, 2), random.integers(10, 24, 2)
            grey = float(random.uniform(130, 230))
            cv2.rectangle(picture, low.tolist(), (low + extent).tolist(), (grey, grey, grey), -1)
    elif use == "PermanentCrop":
        picture = picture + 14 * stripes(random, random.uniform(5, 8))[..., None]
    elif use == "SeaLake":
        picture = np.array([95, 65, 40]) + 3 * noise(random, 8)[..., None]
    elif use == "HerbaceousVegetation":
        picture = picture + 12 * noise(random, 4)[..., None]
    elif use == "Pasture":
        picture = np.array([70, 120, 90]) + 4 * noise(random, 16)[..., None]
    elif use == "Residential":
        for row in range(int(random.integers(0, 6)), SIZE, 9):
            for column in range(int(random.integers(0, 6)), SIZE, 8):
                if random.random() < 0.8:
                    grey = float(random.uniform(120, 210))
                    cv2.rectangle(picture, (column, row), (column + 4, row + 4), (grey, grey, grey + 20), -1)
    else:  # River
        wide = int(random.integers(5, 9))
        cv2.polylines(
            picture, [path(random, random.uniform(5, 9))], isClosed=False, color=(105, 80, 60), thickness=wide
        )
    light = random.uniform(0.5, 1.5, (1, 1, 3)) + random.normal(0, 0.08, (SIZE, SIZE, 1))  # of any season and hour
    return (picture * light).clip(0, 255).astype(np.uint8)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stand-in", action="store_true", help="draw a small set instead of fetching")
    stand_in() if parser.parse_args().stand_in else download()
    print("pictures in many/ and few/")
