"""Fetches pictures of birds (1.2 GB); with --stand-in, draws a small set of the same form without a network connection.

CUB-200-2011 (Wah et al., 2011) has 11,788 pictures of 200 species; they are made 64 x 64 pixels large here. The
stand-in draws birds of 24 species, which differ in the colours of body, wing and head, and in the length of beak and
tail. In either case the first half of the species goes to many/{train,test}/<species>, to train a network with, and the
other half to few/{train,test}/<species>, of which it is to learn from five pictures each.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

URL = "https://data.caltech.edu/records/65de6-vp158/files/CUB_200_2011.tgz"
MD5 = "97eceeb196236b17998738112f37df78"
FEW = 5
SIZE = 64
SPECIES = 24


def download() -> None:
    """Fetches the archive, and writes its pictures in their new size."""
    from rmldnn.data.fetch import fetch, unpack

    source = unpack(fetch(URL, "CUB_200_2011.tgz", md5=MD5), "cub") / "CUB_200_2011"
    names, sets = ((source / f"{name}.txt").read_text().splitlines() for name in ("images", "train_test_split"))
    pictures: dict[str, dict[str, list[Path]]] = {}
    for line, of in zip(names, sets, strict=True):  # `1 001.Black_footed_Albatross/...jpg` and `1 0`
        path = Path(line.split(" ", 1)[1])
        parts = pictures.setdefault(path.parent.name, {"train": [], "test": []})
        parts["train" if of.endswith("1") else "test"].append(source / "images" / path)
    for number, (name, parts) in enumerate(sorted(pictures.items())):
        for part, paths in parts.items():
            small = [cv2.resize(cv2.imread(str(path)), (SIZE, SIZE), interpolation=cv2.INTER_AREA) for path in paths]
            save(number < len(pictures) // 2, part, name, small)


def stand_in() -> None:
    """Draws pictures."""
    random = np.random.default_rng(0)
    for number in range(SPECIES):
        looks = Looks(random)
        for part, count in (("train", 40), ("test", 15)):
            save(number < SPECIES // 2, part, f"species{number:02d}", [draw(looks, random) for _ in range(count)])


def save(many: bool, part: str, name: str, pictures: Sequence[NDArray[np.uint8]]) -> None:
    """Writes pictures (H, W, 3), blue first; no more than five where there are to be few."""
    folder = Path("many" if many else "few") / part / name
    folder.mkdir(parents=True, exist_ok=True)
    for index, picture in enumerate(pictures if many or part == "test" else pictures[:FEW]):
        cv2.imwrite(str(folder / f"{index:03d}.png"), picture)


class Looks:
    """What a species looks like.

    Args:
        random: Draws it.
    """

    def __init__(self, random: np.random.Generator) -> None:
        self.body, self.wing, self.head = (random.uniform(30, 225, 3) for _ in range(3))
        self.beak, self.tail = random.uniform(3, 10), random.uniform(6, 16)


def draw(looks: Looks, random: np.random.Generator) -> NDArray[np.uint8]:
    """A bird, somewhere in front of leaves and sky."""
    coarse = random.uniform(60, 200, 3) + random.normal(0, 35, (8, 8, 3))
    picture = cv2.resize(coarse, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC)
    length, tilt = random.uniform(14, 19), random.uniform(-25, 25)
    middle = np.array([SIZE / 2, SIZE / 2]) + random.uniform(-7, 7, 2)
    ahead = np.array([np.cos(np.radians(tilt)), np.sin(np.radians(tilt))])
    if random.random() < 0.5:
        ahead, tilt = -ahead, tilt
    tone = random.normal(0, 14, 3)

    def ellipse(at: NDArray[np.float64], axes: tuple[float, float], color: NDArray[np.float64]) -> None:
        box = (at.tolist(), (2 * axes[0], 2 * axes[1]), tilt)
        cv2.ellipse(picture, box, (color + tone).tolist(), -1)

    tail, head = middle - ahead * length, middle + ahead * (length + 1) - (0, 5)
    cv2.line(picture, rounded(middle), rounded(tail - ahead * looks.tail), (looks.wing + tone).tolist(), 4)
    cv2.line(picture, rounded(head), rounded(head + ahead * (6 + looks.beak)), (30, 120, 200), 2)
    ellipse(middle, (length, 9), looks.body)
    ellipse(middle - ahead * 4, (length * 0.6, 5), looks.wing)
    ellipse(head, (6, 6), looks.head)
    light = random.uniform(0.75, 1.25) + random.normal(0, 0.04, (SIZE, SIZE, 1))
    return (picture * light).clip(0, 255).astype(np.uint8)


def rounded(point: NDArray[np.float64]) -> tuple[int, int]:
    """A place in whole pixels."""
    return round(float(point[0])), round(float(point[1]))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stand-in", action="store_true", help="draw a small set instead of fetching")
    stand_in() if parser.parse_args().stand_in else download()
    print("pictures in many/ and few/")
