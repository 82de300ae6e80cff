"""Fetches a seismic volume with its facies (1.1 GB); with --stand-in, makes a small one of the same form.

The facies classification benchmark (Alaudah et al., 2019) is the F3 block of the Netherlands with six facies, and comes
with a part for training and two for tests. The stand-in has four facies between horizons that are folded and cut by a
fault; each has its own thickness of beds and strength of reflections. Axes are (inline, crossline, depth).
"""

from __future__ import annotations

import argparse

import h5py
import numpy as np
from numpy.typing import NDArray

URL = "https://zenodo.org/record/3755060/files/data.zip"
MD5 = "bc5932279831a95c0b244fd765376d85"
DEPTH = 64


def download() -> None:
    """Fetches the archive, and writes its arrays."""
    from rmldnn.data.fetch import fetch, unpack

    source = unpack(fetch(URL, "facies.zip", md5=MD5), "facies") / "data"
    for part, folder, name in (("train", "train", "train"), ("test", "test_once", "test1")):
        write(part, np.load(source / folder / f"{name}_seismic.npy"), np.load(source / folder / f"{name}_labels.npy"))


def stand_in() -> None:
    """Makes two volumes of one region."""
    random = np.random.default_rng(0)
    for part, first, inlines in (("train", 0, 64), ("test", 68, 32)):
        write(part, *volume(np.arange(first, first + inlines), random))


def volume(inlines: NDArray[np.int64], random: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Amplitudes and facies (inline, crossline, depth)."""
    across, along, depth = np.meshgrid(inlines, np.arange(64), np.arange(DEPTH), indexing="ij")
    fold = 5 * np.sin(across / 17) + 4 * np.cos(along / 13 + across / 40)
    throw = np.where(along + 0.3 * across > 52, 6, 0)
    layer = depth + fold + throw  # what lies at one height before folds and fault
    facies = np.digitize(layer, [16, 33, 49])
    beds = np.array([3.0, 7.0, 4.5, 10.0])[facies]
    strength = np.array([0.5, 1.2, 1.0, 0.7])[facies]
    rough = np.array([0.15, 0.1, 0.7, 0.2])[facies]
    clean = strength * np.sin(2 * np.pi * layer / beds)
    noise = random.standard_normal(clean.shape)
    seismic = clean + rough * noise + 0.15 * random.standard_normal(clean.shape)
    return seismic.astype(np.float32), facies


def write(part: str, seismic: NDArray[np.float32], facies: NDArray[np.int64]) -> None:
    """Writes `<part>.h5` with amplitudes of deviation 1, and `<part>_facies.h5` with classes."""
    with h5py.File(f"{part}.h5", "w") as file:
        file["seismic"] = (seismic / seismic.std()).astype(np.float32)
    with h5py.File(f"{part}_facies.h5", "w") as file:
        file["facies"] = facies.astype(np.uint8)
    print(f"{' x '.join(map(str, seismic.shape))} samples in {part}.h5")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stand-in", action="store_true", help="make a small volume instead of fetching")
    stand_in() if parser.parse_args().stand_in else download()
