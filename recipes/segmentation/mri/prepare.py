"""Fetches scans of the hippocampus (27 MB); with --stand-in, draws a small set of the same form.

Task 4 of the Medical Segmentation Decathlon (Antonelli et al., 2022, CC BY-SA 4.0) has 260 scans of about 36 x 50 x 35
voxels with masks; front and back of the hippocampus count as one here. Each slice that shows it becomes a picture, in
the middle of 64 x 64 pixels; every fifth scan is for the test. It needs nibabel, which the extra `medical` brings. The
stand-in draws slices through heads with a bright lesion of any form: 160 for training, 40 for the test.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

URL = "https://msd-for-monai.s3-us-west-2.amazonaws.com/Task04_Hippocampus.tar"
MD5 = "9d24dba78a72977dbd1d2e110310f31b"
SIZE = 64


def download() -> None:
    """Fetches the archive, and writes slices of its scans."""
    import nibabel

    from rmldnn.data.fetch import fetch, unpack

    source = unpack(fetch(URL, "Task04_Hippocampus.tar", md5=MD5), "decathlon") / "Task04_Hippocampus"
    for number, path in enumerate(sorted(source.glob("imagesTr/hippocampus_*.nii.gz"))):
        scan = np.asarray(nibabel.load(path).dataobj, np.float32)
        mask = np.asarray(nibabel.load(source / "labelsTr" / path.name).dataobj) > 0
        bright = (scan / np.percentile(scan, 99.5) * 255).clip(0, 255).astype(np.uint8)
        for plane in np.flatnonzero(mask.any(axis=(0, 1))):
            name = f"{path.name.removesuffix('.nii.gz')}_{plane:02d}"
            part = "test" if number % 5 == 4 else "train"
            save(part, name, centred(bright[..., plane]), centred(mask[..., plane].astype(np.uint8)))


def centred(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A picture in the middle of 64 x 64 pixels."""
    picture = picture[:SIZE, :SIZE]
    before = [(SIZE - extent) // 2 for extent in picture.shape]
    return np.pad(picture, [(low, SIZE - extent - low) for low, extent in zip(before, picture.shape, strict=True)])


def stand_in() -> None:
    """Draws slices and masks."""
    random = np.random.default_rng(0)
    for part, number in (("train", 160), ("test", 40)):
        for index in range(number):
            save(part, f"{index:03d}", *draw(random))


def draw(random: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A slice (H, W) through a head, and a mask (H, W): 1 is lesion."""
    rows, columns = np.mgrid[:SIZE, :SIZE].astype(np.float32)
    wide, high = random.uniform(20, 26), random.uniform(24, 30)
    skull = np.hypot((columns - 32) / wide, (rows - 32) / high)
    picture = np.where(skull < 1, 95.0, 8.0)
    picture += np.where(skull < 0.88, 25 * smooth(random, 8), 0)  # folds
    picture[(skull > 0.9) & (skull < 1)] = random.uniform(170, 220)
    for side in (-1, 1):  # ventricles are dark
        offset = np.hypot((columns - 32 - side * random.uniform(4, 6)) / 3, (rows - 31) / random.uniform(6, 9))
        picture[offset < 1] = 45
    angle, distance = random.uniform(0, 2 * np.pi), random.uniform(0.15, 0.55)
    middle = 32 + distance * high * np.sin(angle), 32 + distance * wide * np.cos(angle)
    radius = random.uniform(4.5, 8.5) * (1 + 0.25 * smooth(random, 16))
    lesion = (np.hypot(rows - middle[0], columns - middle[1]) < radius) & (skull < 0.86)
    picture[lesion] += random.uniform(70, 100)
    spot = np.hypot(rows - random.uniform(16, 48), columns - random.uniform(16, 48)) < random.uniform(1, 2)
    picture[spot & ~lesion] += 70  # too small to be one
    picture = cv2.GaussianBlur(picture, (3, 3), 0) + random.normal(0, 9, (SIZE, SIZE))
    return picture.clip(0, 255).astype(np.uint8), lesion.astype(np.uint8)


def smooth(random: np.random.Generator, cell: int) -> NDArray[np.float64]:
    """Noise (64, 64) whose features are `cell` pixels large."""
    coarse = random.standard_normal((SIZE // cell + 1,) * 2)
    return cv2.resize(coarse, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC)


def save(part: str, name: str, picture: NDArray[np.uint8], mask: NDArray[np.uint8]) -> None:
    """Writes a slice and its mask, white where the lesion is."""
    for kind, array in (("images", picture), ("masks", mask * 255)):
        folder = Path(part) / kind
        folder.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / f"{name}.png"), array)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stand-in", action="store_true", help="draw a small set instead of fetching")
    stand_in() if parser.parse_args().stand_in else download()
    print("slices and masks in train/ and test/")
