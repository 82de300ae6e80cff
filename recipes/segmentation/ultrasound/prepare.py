"""Sorts ultrasound pictures into a training and a test set; with --stand-in, draws a small set of the same form.

The data set BUSI (Al-Dhabyani and others, 2020, Data in Brief 28, 104863) has 780 pictures with masks of tumours. Its
authors give it out at https://scholar.cu.edu.eg/?q=afahmy/pages/dataset without a checksum, so it is not fetched here:
unpack it, and name the folder `Dataset_BUSI_with_GT`. Every fifth picture is for the test; masks of several tumours in
one picture are put together. The stand-in draws dark, blurred shapes in speckle, beside shadows that are none: 192
pictures for training, 48 for the test.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

SIZE = 256
SMALL = 64
TEST = 5


def sort(folder: Path) -> None:
    """Writes pictures and masks in one size."""
    for index, path in enumerate(sorted(folder.glob("*/* (*).png"))):
        picture = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        masks = [
            cv2.imread(str(one), cv2.IMREAD_GRAYSCALE) for one in sorted(path.parent.glob(f"{path.stem}_mask*.png"))
        ]
        if picture is None or not masks or any(mask is None for mask in masks):
            print(f"left out, as it cannot be read: {path}")
            continue
        mask = np.max([cv2.resize(one, (SIZE, SIZE), interpolation=cv2.INTER_NEAREST) for one in masks], 0)
        name = path.stem.replace(" (", "_").rstrip(")")
        picture = cv2.resize(picture, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
        save("test" if index % TEST == 0 else "train", name, picture, (mask > 0).astype(np.uint8))


def stand_in() -> None:
    """Draws pictures and masks."""
    random = np.random.default_rng(0)
    for part, number in (("train", 192), ("test", 48)):
        for index in range(number):
            save(part, f"{index:03d}", *draw(random))


def draw(random: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A picture (H, W) of tissue, and its mask (H, W): 1 is tumour."""
    tissue = smooth(random, 5, 25) + np.linspace(120, 80, SMALL)[:, None]
    for _ in range(int(random.integers(1, 4))):  # layers and shadows are dark, too
        row, thick = int(random.integers(0, SMALL)), int(random.integers(1, 4))
        tissue[row : row + thick] *= 0.5
    column, wide = int(random.integers(0, SMALL)), int(random.integers(3, 8))
    tissue[SMALL // 2 :, column : column + wide] *= 0.6
    mask = np.zeros((SMALL, SMALL), np.uint8)
    middle, axes = random.uniform(18, 46, 2), random.uniform(6, 14, 2)
    angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    ragged = 1 + random.uniform(0, 0.2) * random.standard_normal(24)
    turn = random.uniform(0, np.pi)
    outline = np.stack([axes[0] * np.cos(angles) * ragged, axes[1] * np.sin(angles) * ragged])
    turned = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) @ outline
    cv2.fillPoly(mask, [(turned + middle[:, None]).T.round().astype(np.int32)], 1)
    darkness = random.uniform(0.35, 0.7)
    tissue *= 1 - darkness * cv2.GaussianBlur(mask.astype(np.float64), (0, 0), 1.5)
    speckle = cv2.GaussianBlur(random.rayleigh(0.8, (SMALL, SMALL)), (0, 0), 0.6)
    return (tissue * speckle).clip(0, 255).astype(np.uint8), mask


def smooth(random: np.random.Generator, places: int, size: float) -> NDArray[np.float64]:
    """A field (H, W) that changes slowly."""
    coarse = random.normal(0, size, (places, places))
    return np.asarray(cv2.resize(coarse, (SMALL, SMALL), interpolation=cv2.INTER_CUBIC))


def save(part: str, name: str, picture: NDArray[np.uint8], mask: NDArray[np.uint8]) -> None:
    """Writes a picture and its mask."""
    for kind, array in (("images", picture), ("masks", mask)):
        folder = Path(part) / kind
        folder.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / f"{name}.png"), array)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given = parser.add_mutually_exclusive_group(required=True)
    given.add_argument("--stand-in", action="store_true", help="draw a small set")
    given.add_argument("--folder", type=Path, metavar="Dataset_BUSI_with_GT", help="the data set, unpacked")
    wanted = parser.parse_args()
    stand_in() if wanted.stand_in else sort(wanted.folder)
    print("pictures and masks in train/ and test/")
