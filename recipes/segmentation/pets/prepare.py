"""Fetches pictures of pets with masks (0.8 GB); with --stand-in, draws a small set of the same form.

The Oxford-IIIT Pet Dataset (Parkhi et al., 2012, CC BY-SA 4.0) has 7,349 pictures of cats and dogs with a map of three
values: pet, background, and the line between them, which counts as pet here. The stand-in draws animals of a kind in
front of things that have their colours, but another form: 160 pictures for training, 40 for the test.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

SERVER = "https://www.robots.ox.ac.uk/~vgg/data/pets/data/"
FILES = {"images.tar.gz": "5c4f3ee8e5d25df40f4fd59a7f44e54c", "annotations.tar.gz": "95a8c909bbe2e81eed6a22bccdf3f68f"}
BACKGROUND = 2
SIZE = 128
SMALL = 64


def download() -> None:
    """Fetches the archives, and writes pictures and masks in one size."""
    from rmldnn.data.fetch import fetch, unpack

    for name, md5 in FILES.items():
        unpack(fetch(SERVER + name, name, md5=md5), "oxford")
    for part, listed in (("train", "trainval"), ("test", "test")):
        for line in Path(f"oxford/annotations/{listed}.txt").read_text().splitlines():
            name = line.split()[0]
            picture = cv2.imread(f"oxford/images/{name}.jpg")
            trimap = cv2.imread(f"oxford/annotations/trimaps/{name}.png", cv2.IMREAD_GRAYSCALE)
            if picture is None or trimap is None:
                print(f"left out, as it cannot be read: {name}")
                continue
            mask = (trimap != BACKGROUND).astype(np.uint8)
            save(
                part,
                name,
                cv2.resize(picture, (SIZE, SIZE), interpolation=cv2.INTER_AREA),
                cv2.resize(mask, (SIZE, SIZE), interpolation=cv2.INTER_NEAREST),
            )


def stand_in() -> None:
    """Draws pictures and masks."""
    random = np.random.default_rng(0)
    for part, number in (("train", 160), ("test", 40)):
        for index in range(number):
            save(part, f"{index:03d}", *draw(random))


def draw(random: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A picture (H, W, 3), blue first, of an animal, and its mask (H, W): 1 is animal."""
    coarse = random.uniform(60, 190, 3) + random.normal(0, 25, (6, 6, 3))
    picture = cv2.resize(coarse, (SMALL, SMALL), interpolation=cv2.INTER_CUBIC)
    fur = random.uniform(30, 225, 3)
    for _ in range(int(random.integers(1, 4))):  # boxes are no animals
        low, extent = random.integers(0, SMALL, 2), random.integers(8, 22, 2)
        color = (fur + random.normal(0, 20, 3)).tolist()
        cv2.rectangle(picture, low.tolist(), (low + extent).tolist(), color, -1)
    mask = np.zeros((SMALL, SMALL), np.uint8)
    wide, high = random.uniform(11, 16), random.uniform(7, 11)
    middle, side = np.array([32, 36]) + random.uniform(-9, 9, 2), random.choice([-1.0, 1.0])
    head = at(middle, side * wide, -high)
    ellipse(mask, middle, wide, high)
    ellipse(mask, head, 7, 7)
    for ear in (-4, 4):
        points = np.array([at(head, ear - 3, -4), at(head, ear + 3, -4), at(head, ear * 1.4, -12)])
        cv2.fillPoly(mask, [points.round().astype(np.int32)], 1)
    for leg in (-0.7, -0.3, 0.3, 0.7):
        ends = [at(middle, leg * wide, down).round().astype(int).tolist() for down in (0, high + 8)]
        cv2.line(mask, ends[0], ends[1], 1, 3)
    coat = (
        fur
        + 10 * cv2.resize(random.standard_normal((20, 20)), (SMALL, SMALL), interpolation=cv2.INTER_CUBIC)[..., None]
    )
    picture = np.where(mask[..., None] == 1, coat, picture) + random.normal(0, 10, (SMALL, SMALL, 3))
    return picture.clip(0, 255).astype(np.uint8), mask


def at(point: NDArray[np.float64], across: float, down: float) -> NDArray[np.float64]:
    """A point beside another one."""
    return np.array([point[0] + across, point[1] + down])


def ellipse(mask: NDArray[np.uint8], middle: NDArray[np.float64], wide: float, high: float) -> None:
    """Draws an ellipse that is filled."""
    cv2.ellipse(mask, (middle.tolist(), (2 * wide, 2 * high), 0), 1, -1)


def save(part: str, name: str, picture: NDArray[np.uint8], mask: NDArray[np.uint8]) -> None:
    """Writes a picture and its mask."""
    for kind, array in (("images", picture), ("masks", mask)):
        folder = Path(part) / kind
        folder.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / f"{name}.png"), array)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stand-in", action="store_true", help="draw a small set instead of fetching")
    stand_in() if parser.parse_args().stand_in else download()
    print("pictures and masks in train/ and test/")
